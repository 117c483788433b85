"""What the source manuscript reports of the Push investigation, beside what was measured here.

The ledger fills itself: a cell is measured when the arm's artifacts lie in ``data/``, and says
that it is not, with the command that would change that, when they do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from IPython.display import Markdown

from labs.artifacts import PROVENANCE, Artifact, data_root, runs_of
from labs.claims.arm import PIPELINE
from labs.errors import UserError
from labs.experiments.presets import PRESETS, PUSH_GPU, SUMMARY
from labs.experiments.results import measurement
from labs.figures.phases import leaves_floor_at
from labs.figures.results import rate_in_words
from labs.statistics import iqm


@dataclass(frozen=True)
class Step:
    """A row of the investigation.

    Attributes:
        name: as the story counts it.
        arm: its preset, at the source manuscript's settings.
        change: what was changed against the row above.
        reported: success as the source manuscript reports it, from one seed.
        idea: what the step is to teach.
    """

    name: str
    arm: str
    change: str
    reported: str
    idea: str


STEPS = (
    Step("control", "push-state", "25-D state", "89 % at 2 M steps", "the pipeline is right"),
    Step("0", "push-step0", "NatureCNN on pixels", "5–8 %, flat", "pixels are not a drop-in"),
    Step(
        "1",
        "push-step1",
        "3 × 3 encoder, keypoints, proprioception",
        "5–8 %, flat",
        "what a network *can* represent",
    ),
    Step(
        "2",
        "push-step2",
        "the critic trains the encoder",
        "6 % to 2 M; 25–34 % at 2.5 M; 70 % at 3.5 M; 95 % at 4.4 M",
        "where the gradient comes from",
    ),
    Step("3", "push-step2", "nothing: step 2's curve is read", "–", "the patience tax"),
    Step(
        "4",
        "push-step4",
        "random shifts",
        "3 %, flat, stopped at 1.54 M",
        "augmentation must fit the representation",
    ),
)

_ELSEWHERE = {step.arm for step in STEPS} | {config.arm for config, _ in PUSH_GPU}

#: Arms of Push that are no step of the story: tuned settings, twins without a camera, other routes.
#: Those for a large GPU have a page of their own; a run that proves the pipeline measures nothing.
BESIDE = tuple(
    arm
    for arm, config in PRESETS.items()
    if config.task == "push" and arm not in _ELSEWHERE and not PIPELINE.search(arm)
)


def push_floor() -> float:
    """The do-nothing floor of Push, as measured."""
    return measurement("push-floor")["no_op"]["rate"]


def floor_of(tasks: Iterable[str]) -> float | None:
    """What doing nothing achieves, where nothing but Push is drawn and it was measured."""
    there = (data_root() / "push-floor").exists()
    return push_floor() if there and all(task == "push" for task in tasks) else None


def measured(arm: str) -> list[Artifact]:
    """The checked runs of an arm; none if it has not been run. A damaged one is an error."""
    return runs_of(arm) if any((data_root() / arm).glob(f"seed*/{PROVENANCE}")) else []


def in_words(arm: str) -> str:
    """The name of an arm and, below it, what it is: a table's first cell."""
    return f"`{arm}`<br>{SUMMARY.get(arm, '')}".removesuffix("<br>")


def success_cell(arm: str) -> str:
    """Final success of an arm with its interval, or that it was not measured."""
    runs = measured(arm)
    return success_in_words(runs) if runs else "not measured yet"


def success_in_words(runs: list[Artifact]) -> str:
    """Final success of runs with its interval.

    Runs that were cut short count as they are, and the text says how many there are.
    """
    scores = [run.json("evaluation.json")["deterministic"] for run in runs]
    if len(runs) == 1:
        rate = rate_in_words(scores[0]["successes"], scores[0]["episodes"])
        return f"{rate}, 1 seed{_cut_short(runs)}"
    score = iqm([s["success_rate"] for s in scores])
    seeds = f"{len(runs)} seeds{_cut_short(runs)}"
    return f"{score.value:.1%} ({score.low:.1%} – {score.high:.1%}), {seeds}"


def _cut_short(runs: list[Artifact]) -> str:
    count = sum("ended_early" in run.provenance for run in runs)
    return f", {count} of {len(runs)} cut short" if count else ""


def floor_cell(arm: str) -> str:
    """The median step at which an arm's runs left the floor, runs that never did counted late."""
    runs = measured(arm)
    if not runs:
        return "–"
    floor = push_floor()
    episodes = [run.parameters["curve_episodes"] for run in runs]
    times = [leaves_floor_at(r.table(), n, floor) for r, n in zip(runs, episodes, strict=True)]
    middle = median(float("inf") if t is None else t for t in times)
    left = sum(t is not None for t in times)
    count = f"{left} of {len(runs)} left it{_cut_short(runs)}"
    if middle < float("inf"):
        return f"{middle:,.0f} ({count})"
    return f"no median: {count}" if left else f"never ({count})"


def budget_cell(arm: str) -> str:
    """Steps of the measured runs, or the command that would measure the arm."""
    runs = measured(arm)
    if not runs:
        return f"`pixels train {arm} --seeds 0 1 2`"
    steps = {run.json("evaluation.json")["steps"] for run in runs}
    return ", ".join(f"{s:,}" for s in sorted(steps))


def investigation_table() -> Markdown:
    """The steps: what was reported, and what was measured at the same settings."""
    rows = [
        "| step | what changes | reported, one seed | measured here | left the floor at "
        "| budget (steps), or command |",
        "|---|---|---|---|---|---|",
    ]
    for step in STEPS:
        cells = (success_cell(step.arm), floor_cell(step.arm), budget_cell(step.arm))
        if step.name == "3":
            cells = ("step 2's", "–", "–")
        rows.append(
            f"| {step.name} | {step.change} | {step.reported} | " + " | ".join(cells) + " |"
        )
    return Markdown("\n".join(rows))


def beside_table(arms: tuple[str, ...] = BESIDE) -> Markdown:
    """Arms that are no step of the story; those without preset and result are left out."""
    rows = [
        "| arm | measured here | left the floor at | budget (steps), or command |",
        "|---|---|---|---|",
    ]
    for arm in sorted(arms, key=lambda arm: not measured(arm)):  # what is known comes first
        if arm not in SUMMARY and not measured(arm):
            continue
        cells = (success_cell(arm), floor_cell(arm), budget_cell(arm))
        rows.append(f"| {in_words(arm)} | " + " | ".join(cells) + " |")
    if len(rows) == 2:
        raise UserError(f"none of {', '.join(arms)} is an arm: choose presets or results")
    return Markdown("\n".join(rows))
