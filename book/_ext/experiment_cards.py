"""Experiment cards and "Reproduce it" blocks, made from the presets and the artifacts.

    ```{experiment-cards}
    :task: push
    :arms: push-step1 push-step2
    :overview:
    ```

    ```{reproduce} reach-state
    ```

A card says what an arm is: algorithm, environment, observation, budget, needs, success criterion,
command, and whether it has been measured. ``:task:`` and ``:arms:`` narrow the choice; without them
every preset gets its card. ``:overview:`` puts a table of them in front. ``reproduce`` adds what a
measured arm left: machine, time, seeds, files and results; each of those numbers stands on the page
through the role ``artifact``.

Nothing is typed here: an arm that is added to ``PRESETS`` has its card at the next build, and a
result that arrives in ``data/`` changes the card's status.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils.parsers.rst import directives
from generated import (
    Generated,
    listed,
    markdown_table,
    number,
    plain,
    seed_list,
    seeds_below,
    train_command,
)
from sphinx.application import Sphinx

from labs.artifacts import Artifact
from labs.experiments.config import (
    EPISODES_OF_A_ROUND,
    RunConfig,
    from_dict,
    locator_steps,
    updates_per_step,
)
from labs.experiments.presets import CRITERIA, NOT_CHANGES, PRESETS, SUMMARY, preset
from labs.figures.results import machine
from labs.pixel_wrapper import KEYS_BY_GOAL
from labs.provenance import GIB
from labs.tasks import ENV_IDS, PROPRIO_INDICES, STATE_WIDTH

RUN_FILES = ("curve.csv", "evaluation.json", "policy.json", "weights.safetensors")
ENCODERS = {
    "nature": "NatureCNN",
    "normalized": "NatureCNN, LayerNorm, Tanh",
    "manipulation": "ManipulationCNN",
    "keypoint": "KeypointCNN on each frame",
}
PRECISIONS = {  # what is not bfloat16 on a GPU and float32 elsewhere
    "float32": "float32 everywhere",
    "fastest": "bfloat16 products where the processor multiplies them, else float32",
    "bfloat16": "bfloat16 products",
}
ROUTINGS = {
    "separate": "actor and critic each train an encoder of their own",
    "actor": "one encoder, trained by the actor's loss",
    "critic": "one encoder, trained by the critic's loss",
}


# ------------------------------------------------------------------------------- what an arm is


def observation_shapes(config: RunConfig) -> dict[str, tuple[int, ...]]:
    """What the policy receives: key → shape, as the environment gives it."""
    if config.observation == "state":
        shapes: dict[str, tuple[int, ...]] = {"observation": (STATE_WIDTH[config.task],)}
        return shapes | dict.fromkeys(KEYS_BY_GOAL["both"], (3,))
    shapes = {}
    if config.has_images:
        shapes["pixels"] = (3 * config.frame_stack, *config.frame_size)
    if config.full_state:
        shapes["proprioception"] = (STATE_WIDTH[config.task],)
    elif config.proprioception:
        shapes["proprioception"] = (len(PROPRIO_INDICES[config.task]),)
    if config.observation == "place":
        shapes["located"] = (3 * config.frame_stack,)
    return shapes | dict.fromkeys(KEYS_BY_GOAL[config.goal_mode], (3,))


def _algorithm(config: RunConfig) -> str:
    if config.engine == "distill":
        parts = [f"imitation of `{config.teacher}` (DAgger)"]
        engine = "no reward, no critic"
    else:
        parts = ["SAC"]
        engine = "on " + ("Stable-Baselines3" if config.engine == "sb3" else "the fast engine")
    if config.critic_sees != "same":
        told = {"state": "the state", "achieved": "the achieved goal"}[config.critic_sees]
        off = f", blurred by {1000 * config.critic_blur:g} mm" if config.critic_blur else ""
        parts.append(f"a critic that is told {told}{off}, in training only")
    if config.auxiliary:
        asks = {
            "positions": "tells the encoder positions",
            "rewards": "asks the encoder which goals a picture fulfils",
        }[config.auxiliary_task]
        parts.append(f"a second loss that {asks}, in training only")
    if config.her:
        moved = ", where the block moved" if config.moved_only else ""
        parts.append(f"HER ({config.her_strategy}, k = {config.her_k}{moved})")
    if config.goals_per_frame > 1:
        parts.append(f"{config.goals_per_frame} goals a frame")
    if config.n_steps > 1:
        parts.append(f"TD targets {config.n_steps} steps ahead")
    if config.random_actions:
        pulled = f", {config.seeking:.0%} of them towards the block" if config.seeking else ""
        parts.append(f"{config.random_actions:.0%} random actions{pulled}")
    if config.acting_policy:
        parts.append(f"after {config.acting_ends:,} steps `{config.acting_policy}` acts")
    elif config.acting_ends:
        parts.append(f"who acts stays as it is after {config.acting_ends:,} steps")
    if config.reset_every:
        parts.append(f"networks drawn anew after every {config.reset_every:,} steps")
    if config.augmentation != "none":
        alone = ", each view for itself" if config.augmentation == "drq-views" else ""
        alone += ", one for both ends of a transition" if config.same_shift else ""
        parts.append(f"random shifts of ±{config.pad} pixels{alone}")
    return " + ".join(parts) + f", {engine}"


def _encoder(config: RunConfig) -> str:
    if config.has_locator:
        by_rewards = "the goals that each fulfils"
        if config.task == "reach":
            by_rewards = "the places that joints and rewards tell"
        told = {"positions": "their positions", "rewards": by_rewards}
        of = {
            "placed": "",
            "played": " of random play",
            "walked": f" of {locator_steps(config):,} steps that walk to goals they have measured",
            "filmed": f" of {locator_steps(config):,} steps that walk to goals they have measured",
            "strayed": f" of {locator_steps(config):,} steps that measure goals and walk elsewhere",
        }[config.locator_moments]
        return (
            f"a locator, trained before the run on {config.locator_frames:,} frames{of} with "
            f"{told[config.locator_taught]}, then frozen"
        )
    if config.encoder == "keypoint":
        parts = [f"{ENCODERS['keypoint']}, {config.num_filters} keypoints each"]
        if config.keypoint_norm:
            parts.append("LayerNorm and Tanh after them")
    else:
        wide = f"{config.features_dim} wide"
        head = "SpatialSoftmax" if config.head == "spatial_softmax" else wide
        parts = [f"{ENCODERS[config.encoder]}, {head}"]
    if config.temperature:
        parts.append(f"temperature {config.temperature:g} at the start")
    if config.pretrained_encoder:
        parts.append(f"taken from `{config.pretrained_encoder}`, and frozen")
    elif config.frozen_encoder:
        parts.append("stays as drawn at random")
    elif config.engine != "distill":
        parts.append(ROUTINGS[config.routing])
    return "; ".join(parts)


def _networks(config: RunConfig) -> str:
    parts = ["hidden layers of " + " and ".join(map(str, config.net_arch))]
    if config.standardize:
        parts.append("vectors standardized")
    if config.engine != "distill":
        if config.critic_layer_norm:
            parts.append("LayerNorm in the critics")
        parts.append(f"the target critics follow by {config.tau:g} an update")
    return "; ".join(parts)


def _place(config: RunConfig) -> str:
    if not config.place_error:
        return "the block's center, exactly"
    how = {"drawn": "drawn anew at each step", "fixed": "a fixed function of the place"}
    error = f"{1000 * config.place_error:g} mm in each number, {how[config.place_error_kind]}"
    return f"the block's center with an error of {error}"


def _picture(config: RunConfig) -> str:
    text = f"{config.camera} camera, {config.scene} scene"
    if config.goal_sphere is False:
        text += ", goal sphere hidden"
    if config.image_content != "real":
        text += f"; the image is replaced: {config.image_content}"
    return text


def _budget(config: RunConfig) -> str:
    if config.engine == "distill":
        return (
            f"{config.total_steps:,} environment steps "
            f"in rounds of {EPISODES_OF_A_ROUND} episodes "
            f"and {config.gradient_steps:,} updates; "
            f"batch {config.batch_size}, learning rate {config.learning_rate:g}"
        )
    rate = f"learning rate {config.learning_rate:g}"
    if config.encoder_learning_rate:
        rate += f", the encoder's {config.encoder_learning_rate:g}"
    if config.anneal:
        rate += f", falling to zero over the last {config.anneal:.0%}"
    updates = updates_per_step(config)
    envs = "1 environment" if config.n_envs == 1 else f"{config.n_envs} environments"
    a_step = f"{updates:.3g} update{'s' * (updates != 1)} a step"
    return (
        f"{config.total_steps:,} environment steps from {envs}, the first "
        f"{config.learning_starts:,} at random, then {a_step}; "
        f"batch {config.batch_size}, {rate}, discount {config.gamma:g}, "
        f"entropy coefficient {config.ent_coef}"
    )


def _reward(config: RunConfig) -> str:
    return "dense" if config.task == "reach" else "sparse"


def _needs(config: RunConfig) -> str:
    from labs.experiments.guards import needs

    wanted = needs(config)
    return (
        f"{wanted['memory'] / GIB:.1f} GiB of memory for {config.buffer_size:,} transitions, "
        f"{wanted['disk'] / GIB:.1f} GiB of disk while it runs"
    )


def changes(config: RunConfig) -> tuple[str, dict[str, tuple[Any, Any]]] | None:
    """The earlier arm of the same task that differs least, and in what: knob → (there, here)."""
    names = list(PRESETS)
    best = None
    for name in names[: names.index(config.arm)]:
        other = PRESETS[name]
        if other.task != config.task:
            continue
        found = other.differences(config)
        found = {k: v for k, v in found.items() if k not in NOT_CHANGES}
        if best is None or len(found) < len(best[1]):
            best = name, found
    return best


def _changes(config: RunConfig) -> str | None:
    found = changes(config)
    if found is None:
        return None
    name, knobs = found
    if len(knobs) > 9:
        return None  # another experiment rather than a change
    steps = (f"`{k}` {plain(a)} → {plain(b)}" for k, (a, b) in knobs.items())
    return f"{{ref}}`{name} <card-{name}>`: " + "; ".join(steps)


def _criterion(arm: str) -> str:
    if arm in CRITERIA:
        return f"success of at least {CRITERIA[arm]:.0%} in the final 100 episodes, each seed"
    return "none: the measurement itself is the result"


# ----------------------------------------------------------------------------- what was measured


def variants_of(arm: str, root: Path) -> list[tuple[str, int, dict[str, tuple[Any, Any]]]]:
    """Results of the arm with changed settings: (name, number of seeds, knob → (preset, run))."""
    found = []
    for folder in sorted(root.glob(f"{arm}-*")):
        if not re.fullmatch(re.escape(arm) + r"-(fast|(fast-)?[0-9a-f]{6})", folder.name):
            continue
        runs = seeds_below(root, folder.name)
        if runs:
            found.append((folder.name, len(runs), differences(arm, runs[0])))
    return found


def differences(arm: str, run: Artifact) -> dict[str, tuple[Any, Any]]:
    """In what a result's settings differ from today's preset: knob → (preset, run)."""
    found = preset(arm).differences(from_dict(run.parameters))
    return {k: v for k, v in found.items() if k not in NOT_CHANGES}


def _status(arm: str, root: Path) -> str:
    runs = seeds_below(root, arm)
    lines = []
    if not runs:
        lines.append("not measured yet")
    else:
        score = "evaluation.deterministic.success_rate"
        rates = ", ".join(number(run, root, score, "pct0") for run in runs)
        lines.append(f"measured with {_seeds(len(runs))}: success {rates}")
        changed = differences(arm, runs[0])
        if changed:
            lines.append("with settings that have changed since: " + listed(changed))
    for name, count, knobs in variants_of(arm, root):
        lines.append(f"also run as `{name}` ({_seeds(count)}) with {listed(knobs)}")
    return "; ".join(lines)


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


# --------------------------------------------------------------------------------- as Markdown


def _fields(rows: Iterable[tuple[str, str | None]]) -> list[str]:
    return [f":{name}: {text}" for name, text in rows if text]


def card(arm: str, root: Path, folded: bool = False) -> str:
    """The card of an arm as Markdown, open or folded to its title."""
    config = preset(arm)
    shapes = ", ".join(f"`{k}` {s}" for k, s in observation_shapes(config).items())
    files = ", ".join(f"`{f}`" for f in (*RUN_FILES, "video.mp4"))
    rows = [
        ("algorithm", _algorithm(config)),
        ("environment", ENV_IDS[config.task] + ", " + _reward(config)),
        ("observation", shapes),
        ("picture", _picture(config) if config.has_images else None),
        ("encoder", _encoder(config) if config.has_images else None),
        ("networks", _networks(config)),
        ("place", _place(config) if config.observation == "place" else None),
        ("budget", _budget(config)),
        ("precision", PRECISIONS.get(config.precision)),
        ("against", _changes(config)),
        ("needs", _needs(config)),
        ("leaves", f"`data/{arm}/seed<k>/` with {files} and `provenance.json`"),
        ("criterion", _criterion(arm)),
        ("command", f"`{train_command(arm, seed_list(seeds_below(root, arm)))}`"),
        ("status", _status(arm, root)),
    ]
    title = SUMMARY[arm][0].upper() + SUMMARY[arm][1:]
    body = "\n".join(_fields(rows))
    head = f":::{{card}} `{arm}`\n{title}."
    if folded:
        head = f":::{{dropdown}} `{arm}`: {SUMMARY[arm]}"
    return f"(card-{arm})=\n{head}\n\n{body}\n:::\n"


def overview(arms: Iterable[str], root: Path) -> str:
    """A table of arms with links to their cards."""
    rows = []
    for arm in arms:
        count = len(seeds_below(root, arm))
        status = _seeds(count) if count else "not yet"
        rows.append([f"{{ref}}`{arm} <card-{arm}>`", SUMMARY[arm], status])
    return markdown_table(["arm", "what", "measured"], rows) + "\n"


def select(task: str | None, arms: str | None) -> list[str]:
    """The arms that the options of ``experiment-cards`` choose, in the order of the presets.

    Args:
        task: only arms of this task.
        arms: names and patterns such as ``push-gpu*``; a leading ``!`` leaves out.

    Raises:
        ValueError: an unknown task or arm, or a pattern that fits none.
    """
    if task is not None and task not in ENV_IDS:
        raise ValueError(f"received task {task!r}, expected one of {', '.join(ENV_IDS)}")
    words = arms.split() if arms else []
    chosen: dict[str, list[str]] = {}
    for word in words:
        chosen[word] = fnmatch.filter(PRESETS, word.removeprefix("!"))
        if not chosen[word]:
            raise ValueError(f"received arm {word!r}, expected one of {', '.join(PRESETS)}")
    named = [arm for word in words if word[0] != "!" for arm in chosen[word]]
    left_out = {arm for word in words if word[0] == "!" for arm in chosen[word]}
    wanted = [arm for arm in named or PRESETS if arm not in left_out]
    return [a for a in wanted if task is None or PRESETS[a].task == task]


def reproduce(arm: str, root: Path, folded: bool = False) -> str:
    """The "Reproduce it" block of an arm as Markdown, open or folded to its title."""
    config, runs = preset(arm), seeds_below(root, arm)
    commands = [train_command(arm, seed_list(runs))]
    if runs:
        commands += [f"pixels eval {arm}", f"pixels compare {arm}", f"pixels plot curves {arm}"]
    rows: list[tuple[str, str | None]] = [("needs", _needs(config))]
    if not runs:
        rows += [("criterion", _criterion(arm)), ("status", _status(arm, root))]
    else:
        rows += _measured_rows(arm, runs, root)
    lines = ["```bash", *commands, "```", "", *_fields(rows)]
    if runs:
        lines += ["", _result_table(runs, root)]
    content = "\n".join(lines)
    title = f"Reproduce it: `{arm}`"
    head = f"::::{{admonition}} {title}\n:class: reproduce"
    if folded:
        head = f"::::{{dropdown}} {title}"
    return f"{head}\n{content}\n::::\n"


def _measured_rows(arm: str, runs: list[Artifact], root: Path) -> list[tuple[str, str | None]]:
    machines, commits = [], []
    for run in runs:
        machines.append(machine(run.provenance))
        commits.append((run.provenance["commit"] or "unknown")[:7])
    sizes = sum(f.stat().st_size for r in runs for f in r.path.iterdir())
    versions = runs[0].provenance["versions"]
    return [
        ("machine", "; ".join(dict.fromkeys(machines))),
        ("code", "commit " + ", ".join(f"`{c}`" for c in dict.fromkeys(commits))),
        ("versions", ", ".join(f"{k} {v}" for k, v in versions.items())),
        ("artifacts", f"`data/{arm}/seed<k>/`, {sizes / 1e6:.1f} MB in all, each file hashed"),
        ("criterion", _criterion(arm)),
        ("status", _status(arm, root)),
    ]


def _result_table(runs: list[Artifact], root: Path) -> str:
    columns = (
        ("provenance.training_time_s", "duration"),
        ("provenance.frames_per_second", "f1"),
        ("evaluation.deterministic.success_rate", "pct0"),
        ("evaluation.stochastic.success_rate", "pct0"),
        ("evaluation.deterministic.final_distance_mean", "cm"),
    )
    rows = [
        [seed_list([run]), *(number(run, root, keys, form) for keys, form in columns)]
        for run in runs
    ]
    heads = ["seed", "training", "steps/s", "success", "sampled actions", "final distance"]
    return markdown_table(heads, rows)


# ------------------------------------------------------------------------------------ in Sphinx


class ExperimentCards(Generated):
    """The directive ``experiment-cards``."""

    option_spec = {
        "task": directives.unchanged_required,
        "arms": directives.unchanged_required,
        "overview": directives.flag,
        "folded": directives.flag,
    }

    def markdown(self, root: Path) -> str:
        arms = select(self.options.get("task"), self.options.get("arms"))
        table = overview(arms, root) + "\n" if "overview" in self.options else ""
        folded = "folded" in self.options
        return table + "\n".join(card(arm, root, folded) for arm in arms)


class Reproduce(Generated):
    """The directive ``reproduce``."""

    required_arguments = 1
    option_spec = {"folded": directives.flag}

    def markdown(self, root: Path) -> str:
        return reproduce(self.arguments[0], root, "folded" in self.options)


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("artifact_role")  # the numbers' role, and where the artifacts lie
    app.add_directive("experiment-cards", ExperimentCards)
    app.add_directive("reproduce", Reproduce)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
