"""Every artifact that is not a training run, as a table that is made when the book is built.

    ```{measurement-table}
    ```

Rows come from ``list_artifacts``. An artifact without an entry in :data:`MEASURED` has a row too.
"""

from __future__ import annotations

from pathlib import Path

from generated import Generated, markdown_table, number, train_command
from run_table import artifacts, card_link, made
from sphinx.application import Sphinx

from labs.artifacts import Artifact
from labs.experiments.presets import PRESETS, preset

#: Measurement → what it holds, the page that shows it, the command that makes it again.
MEASURED: dict[str, tuple[str, str | None, str | None]] = {
    "bench": (
        "the fast path beside the stock route, part by part",
        "24_making_it_fast",
        "pixels bench --name bench",
    ),
    "camera-views": (
        "one scene of Push from many cameras",
        "02_what_the_policy_sees",
        "python -m labs.widgets.camera_explorer",
    ),
    "encoder-probe": (
        "positions read from the encoders of trained policies",
        "21_what_the_camera_can_tell",
        "pixels measure encoder-probe",
    ),
    "eyes-at-work": (
        "how eyes err while a block is pushed, and in which way",
        "27_how_steady_an_eye",
        "pixels measure eyes-at-work",
    ),
    "fresh-episodes": (
        "policies in a thousand episodes that none of them was scored on",
        "28_rewards_say_where",
        "pixels measure fresh-episodes",
    ),
    "frozen-pictures": (
        "policies before a picture that never changes, by the way that the block has to go",
        "26_what_the_critic_must_know",
        "pixels measure frozen-pictures",
    ),
    "from-scratch-demo": (
        "one training run of the from-scratch SAC, and what no policy achieves",
        "15_from_scratch_networks",
        "python -m labs.measurements.scratch_demo",
    ),
    "gallery": (
        "episodes of good and bad policies, frame by frame",
        "23_failure_gallery",
        "pixels measure gallery",
    ),
    "goal-sight": (
        "positions read from encoders whose pictures were judged by one goal or by eight",
        "21_what_the_camera_can_tell",
        "pixels measure goal-sight",
    ),
    "gradient-routing": (
        "which loss reaches which encoder",
        "14_gradient_routing",
        "pixels measure gradient-routing",
    ),
    "eye-along-run": (
        "what a reward teaches the eye, and when",
        "19_reading_the_curve",
        "pixels measure eye-along-run",
    ),
    "gpu-first-look": (
        "a large GPU, timed and profiled once; two runs that were cut off",
        "24_making_it_fast",
        None,
    ),
    "gradients-along-run": (
        "which loss reaches which encoder, along short runs",
        "14_gradient_routing",
        "pixels measure gradients-along-run",
    ),
    "locator-first-attempt": (
        "two stopped runs on a locator that had not met a high gripper",
        "25_paying_less",
        None,
    ),
    "moved-pictures": (
        "policies before a picture that somebody moved",
        "22_when_augmentation_fights",
        "pixels measure moved-pictures",
    ),
    "perception": (
        "what an encoder can see, by regression",
        "21_what_the_camera_can_tell",
        "pixels measure perception",
    ),
    "push-floor": (
        "Push without a policy: doing nothing, and random actions",
        "01_proof_of_life",
        "pixels measure push-floor",
    ),
    "reach-sight": (
        "how Reach's locators err beside the goal and away from it",
        "20_reach_and_pixels",
        "pixels measure reach-sight",
    ),
    "sb3-tests": (
        "Stable-Baselines3's own tests, with the fast SAC in SAC's place",
        "24_making_it_fast",
        "python scripts/sb3_own_tests.py CLONE",
    ),
    "shift-keypoints": (
        "what a random shift does to keypoints",
        "22_when_augmentation_fights",
        "pixels measure shift-keypoints",
    ),
    "shrunk-pictures": (
        "policies on frames drawn large and shrunk",
        "21_what_the_camera_can_tell",
        "pixels measure shrunk-pictures",
    ),
    "sphere-pictures": (
        "policies with the goal sphere hidden, at the goal, and elsewhere",
        "21_what_the_camera_can_tell",
        "pixels measure sphere-pictures",
    ),
    "told-first-attempt": (
        "imitation with few updates, and with more on the same frames",
        "25_paying_less",
        None,
    ),
    "told-sight": (
        "positions read from encoders that learned from a critic's opinion, told or not",
        "26_what_the_critic_must_know",
        "pixels measure told-sight",
    ),
    "tuning": ("trial runs with settings of their own", None, None),
    "tuning-told-critic": (
        "two trial runs before a critic that is told more than the actor sees",
        "26_what_the_critic_must_know",
        None,
    ),
    "visibility": (
        "how many pixels each thing has, and how often it is hidden",
        "02_what_the_policy_sees",
        "pixels measure visibility",
    ),
}
SEARCHED = {
    "reach-state-tuned": "03_reach_from_state",
    "push-state-tuned": "18_five_steps",
    "reach-small-drq": "20_reach_and_pixels",
}
LOCATED = {"reach": "20_reach_and_pixels", "push": "25_paying_less"}


def described(found: Artifact, root: Path) -> tuple[str, str | None, str | None]:
    """What an artifact holds as Markdown, the page that shows it, and its command."""
    name = found.path.relative_to(root).as_posix()
    parameters = found.parameters
    if name in MEASURED:
        what, page, command = MEASURED[name]
        if "cells_planned" in parameters:
            run, planned = (
                number(found, root, f"provenance.parameters.cells_{k}", "int")
                for k in ("run", "planned")
            )
            what += f": {run} of {planned} planned cells"
        return what, page, command
    if name.startswith("search-"):
        arm, count = parameters["arm"], len(found.json("measurement.json")["trials"])
        steps = number(found, root, "provenance.parameters.steps", "int")
        what = (
            f"{count} trials around {card_link(arm)}, seed {parameters['seed']}, {steps} steps each"
        )
        command = f"pixels search {arm} --steps {parameters['steps']}"
        return what, SEARCHED.get(arm), command
    if found.provenance["kind"] == "locator":
        view, seed = parameters["view"], parameters["seed"]
        frames = number(found, root, "provenance.parameters.frames", "int")
        what = f"locator: {view['task']}, camera {view['camera']}, {frames} frames"
        arm = locator_arm(found)
        command = f"{train_command(arm, str(seed))} --again" if arm else None
        return what, LOCATED[view["task"]], command
    return f"a {found.provenance['kind']}", None, None


def locator_arm(found: Artifact) -> str | None:
    """The first arm whose runs look through the locator, and train it where it is not there."""
    from labs.experiments.locating import folder

    arms = (name for name in PRESETS if preset(name).has_locator)
    return next((a for a in arms if folder(preset(a)).parent.name == found.path.parent.name), None)


def measurement_table(root: Path) -> str:
    """Every artifact that is not a training run, as Markdown."""
    rows = []
    for found in artifacts(root):
        if found.provenance["kind"] == "training":
            continue
        what, page, command = described(found, root)
        name = found.path.relative_to(root).as_posix()
        what += f" ({{doc}}`/notebooks/{page}`)" if page else ""
        command = f"`{command}`" if command else "none"
        rows.append([f"`{name}`", what, command, *made(found.provenance)])
    heads = ["artifact", "what, and the page that shows it", "command", "machine", "made"]
    return markdown_table(heads, rows)


class MeasurementTable(Generated):
    """The directive ``measurement-table``."""

    def markdown(self, root: Path) -> str:
        return measurement_table(root)


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("artifact_role")  # where the artifacts lie
    app.add_directive("measurement-table", MeasurementTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
