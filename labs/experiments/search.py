"""A small honest search: one change at a time, on a seed and episodes that no result reports.

Each trial trains the arm with one setting changed. What was tried, and how it ended, is in the
artifact ``search-<arm>``, also where a trial did better than the arm as it is. A killed search goes
on: a trial that is done, or that diverged, is not trained again. (The book's first searches
played episodes that results report: all hundred of them, or fifty.)
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from labs.artifacts import (
    PROVENANCE,
    Artifact,
    Clock,
    data_root,
    load_artifact,
    may_be_replaced,
    refuse_unwritable,
    runs_root,
    write_measurement,
)
from labs.errors import UserError
from labs.experiments import guards
from labs.experiments.checkpoint import belongs
from labs.experiments.config import RunConfig
from labs.experiments.done import is_done
from labs.experiments.environments import SEARCH_OFFSET
from labs.experiments.evaluate import final_seeds
from labs.experiments.presets import preset
from labs.experiments.pretrained import AGREE
from labs.experiments.stopping import ctrl_c_saves
from labs.experiments.train import Diverged, Training
from labs.experiments.validation import validate
from labs.statistics import steps_to

SEED = 101
EPISODES = 50  # of a trial's final evaluation, in each mode
LEVELS = (0.5, 0.9)
FINAL = ("success_rate", "success_low", "success_high", "final_distance_mean")

Change = dict[str, Any]


def _of_pictures(**change: Any) -> Callable[[RunConfig], Change]:
    """A change for policies that see; the others have nothing to change there."""
    return lambda base: change if base.has_images else {}


def _one_view(base: RunConfig) -> Change:
    """Of one view nothing is shifted for itself."""
    shifts = "drq" if base.augmentation == "drq-views" else base.augmentation
    return {"camera": "workspace", "augmentation": shifts}


def _without_layer_norm(base: RunConfig) -> Change:
    """Not for a second loss, which reads normalized features, nor for a critic that is told
    something, which always has LayerNorm."""
    keeps_it = base.auxiliary or base.critic_sees != "same"
    return {} if keeps_it else {"critic_layer_norm": False}


def _none_at_random(base: RunConfig) -> Change:
    return {"random_actions": 0.0} | ({"seeking": 0.0} if base.seeking else {})  # it bends those


#: What is changed, in the words of the table: from the arm to its changed settings. A change that
#: an arm has already, or that does not concern it, is left out.
CHANGES: dict[str, Callable[[RunConfig], Change]] = {
    "as it is": lambda base: {},
    "temperature starts at 1": lambda base: {"ent_coef": "auto"},
    "no shifts": _of_pictures(augmentation="none"),
    "one view": lambda base: _one_view(base) if base.has_images and base.views > 1 else {},
    "half as many updates": lambda base: {"gradient_steps": max(1, base.gradient_steps // 2)},
    "twice as many updates": lambda base: {"gradient_steps": 2 * base.gradient_steps},
    "learning rate 3e-4": lambda base: {"learning_rate": 3e-4},
    "half the batch": lambda base: {"batch_size": base.batch_size // 2},
    "twice the batch": lambda base: {"batch_size": 2 * base.batch_size},
    "networks of 64": lambda base: {"net_arch": (64, 64)},
    "no LayerNorm": _without_layer_norm,
    "not standardized": lambda base: {"standardize": False},
    "slow target (0.005)": lambda base: {"tau": 0.005},
    "no random actions": _none_at_random,
    "hindsight everywhere": lambda base: {"moved_only": False},
}


def trials(arm: str, steps: int | None = None) -> dict[str, RunConfig]:
    """The trials of an arm: name → configuration.

    Args:
        arm: a named arm of engine fast.
        steps: environment steps of each; None: the arm's own.

    Raises:
        UserError: no such arm, or an arm that the changes do not fit.
    """
    base = preset(arm)
    if base.engine != "fast":
        raise UserError(f"{arm} runs on engine {base.engine}: search an arm of engine fast")
    base = replace(
        base,
        seed=SEED,
        total_steps=base.total_steps if steps is None else steps,
        eval_episodes=min(EPISODES, base.eval_episodes),
        video_episodes=0,
    )
    found = {}
    for index, (name, changed) in enumerate(CHANGES.items()):
        change = changed(base)
        if base.pretrained_encoder and change.keys() & set(AGREE):
            continue  # the encoder that is lent was trained without this change
        config = replace(base, arm=f"{arm}-{index}", **change)
        if index == 0 or config.differences(base).keys() - {"arm"}:
            found[name] = validate(config)
    return found


@contextlib.contextmanager
def _data_below(folder: Path) -> Iterator[None]:
    """Trials leave their artifacts among the runs, not among the results."""
    before = os.environ.get("PIXELS_DATA")
    os.environ["PIXELS_DATA"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("PIXELS_DATA")
        if before is not None:
            os.environ["PIXELS_DATA"] = before


def _lend(name: str, folder: Path) -> None:
    """Lets trials, which see results in ``folder`` alone, find the run that lends a part.

    Raises:
        UserError: there is no such run, or no folder can be made.
    """
    lender, link = load_artifact(data_root() / name).path, folder / name
    guards.writable(link.parent)
    link.unlink(missing_ok=True)
    link.symlink_to(lender.resolve(), target_is_directory=True)


def _outcome(
    steps: Sequence[int], success: Sequence[float], final: Mapping[str, float] | None
) -> dict[str, Any]:
    """A trial's curve and its final evaluation, which one that diverged has not."""
    return {
        "steps": [int(n) for n in steps],
        "success": [float(n) for n in success],
        "steps_to": {f"{level:.0%}": steps_to(steps, success, level) for level in LEVELS},
        "final": {k: final[k] for k in FINAL} if final else {},
    }


def _on_own_seeds(config: RunConfig, folder: Path) -> bool:
    """Whether a trial was measured apart from what results report: earlier searches were not."""
    measured = load_artifact(folder / config.run_name).json("evaluation.json")["seeds"][0]
    return measured == final_seeds(1, SEARCH_OFFSET)[0]


def _trial(config: RunConfig, folder: Path) -> dict[str, Any]:
    """Trains a trial where it is not done yet. Seconds are of whole sessions, or none are told."""
    began, fresh = time.process_time(), not is_done(config) or not _on_own_seeds(config, folder)
    if fresh:
        training = Training(config, offset=SEARCH_OFFSET)
        try:
            with ctrl_c_saves():
                training.run()
        except Diverged:  # is a result, too: the other trials go on
            spent = time.process_time() - began if training.sessions == 1 else None
            curve = training.curve
            return {
                "cpu_s": None if spent is None else round(spent, 1),
                "wall_s": round(training.wall_time(), 1),
                "diverged_at": training.model.num_timesteps,
                "config": config.digest(),  # it leaves no artifact that would say whose row it is
            } | _outcome([p["step"] for p in curve], [p["success"] for p in curve], None)
    run = load_artifact(folder / config.run_name)
    whole = fresh and run.provenance["sessions"] == 1  # else an earlier session spent some
    curve, final = run.table(), run.json("evaluation.json")["deterministic"]
    return {
        "cpu_s": round(time.process_time() - began, 1) if whole else None,
        "wall_s": run.provenance["training_time_s"],
    } | _outcome(curve["step"], curve["success"], final)


def _stored(name: str, steps: int, planned: int) -> list[dict[str, Any]]:
    """The trials of so many steps that an artifact holds.

    Raises:
        UserError: they are of other lengths, or more than are planned now.
    """
    if not (data_root() / name / PROVENANCE).exists():
        return []
    artifact = load_artifact(name)
    theirs = artifact.parameters["steps"]
    if theirs != steps:
        raise UserError(
            f"{artifact.path} holds trials of {theirs:,} steps: give --steps {theirs}, or delete it"
        )
    rows = artifact.json("measurement.json")["trials"]
    if len(rows) > planned:
        raise UserError(
            f"{artifact.path} holds {len(rows)} trials and {planned} are planned now: move it away "
            "to search anew"
        )
    return rows


def search(
    arm: str = "reach-state-tuned", steps: int | None = None, progress: bool = True
) -> Artifact:
    """Trains an arm with one change at a time: artifact ``search-<arm>``.

    Args:
        arm: a named arm of engine fast.
        steps: environment steps of a trial; None: the arm's own.
        progress: show a bar.

    Raises:
        UserError: the arm cannot be searched, the run that lends its encoder is not there, or the
            trials that are stored are of other lengths or more than are planned.
    """
    wanted = trials(arm, steps)
    stored = _stored(f"search-{arm}", wanted["as it is"].total_steps, len(wanted))
    folder, clock = runs_root() / "search", Clock()
    refuse_unwritable(data_root(), "PIXELS_DATA")  # of what the trials find
    may_be_replaced(data_root() / f"search-{arm}", "measurement")
    refuse_unwritable(folder, "PIXELS_RUNS")
    base = wanted["as it is"]
    for lender in filter(None, (base.pretrained_encoder, base.acting_policy)):
        _lend(lender, folder)
    diverged = {row["trial"]: row for row in stored if "diverged_at" in row}
    rows = []
    for name, config in tqdm(wanted.items(), desc=f"trials of {arm}", disable=not progress):
        kept = diverged.get(name)
        if kept and belongs(kept, config):
            rows.append(kept)
        else:
            with _data_below(folder):
                found = _trial(config, folder)
            rows.append({"trial": name, "changes": CHANGES[name](base)} | found)
        if len(rows) < len(stored):
            continue  # an earlier search got further
        artifact = write_measurement(  # after every trial: whoever is cut off keeps the others
            f"search-{arm}",
            {"trials": rows},
            parameters={
                **{"arm": arm, "seed": SEED, "steps": base.total_steps},
                "evaluation_seeds_offset": SEARCH_OFFSET,
                **{"trials_planned": len(wanted), "trials_run": len(rows)},
            },
            clock=clock,
        )
    return artifact
