"""Arms beside each other as ways to one end: what each was given, what it cost, whether it looks.

Everything is read from the checked artifacts in ``data/``; nothing is typed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown
from matplotlib.figure import Figure

from labs.artifacts import Artifact, load_artifact, runs_of
from labs.experiments.evaluate import CONTROLS
from labs.experiments.results import measurement
from labs.figures.curves import draw_floor
from labs.figures.ledger import measured
from labs.figures.legend import COLORS
from labs.figures.results import minutes, rate_in_words, results_table
from labs.figures.style import use_style
from labs.statistics import iqm


def one_by_one(runs: Sequence[Artifact]) -> bool:
    """Whether a mean would mislead: too few runs, or runs of unequal lengths."""
    return len({run.json("evaluation.json")["steps"] for run in runs}) > 1 or len(runs) < 3


def seconds_of(run: Artifact) -> float:
    """Wall time of everything that a run needed: its locator, and the run that taught or lent."""
    record = run.provenance
    seconds = record["wall_time_s"] + (record.get("locator_time_s") or 0)
    for what in ("teacher", "encoder_from", "acting_from"):
        if source := record.get(what):
            seconds += seconds_of(load_artifact(source["artifact"]))
    return seconds


def _rows(arm: str) -> list[tuple[str, str, str, str]]:
    """(name, success, environment steps, wall time): of the arm, or of each of its runs."""
    runs = runs_of(arm)
    found = [run.json("evaluation.json") for run in runs]
    seconds = [seconds_of(run) for run in runs]
    if not one_by_one(runs):
        score = iqm([f["deterministic"]["success_rate"] for f in found])
        success = f"{score.value:.1%} ({score.low:.1%} – {score.high:.1%})"
        name = f"`{arm}` ({len(runs)} seeds)"
        return [(name, success, f"{found[0]['steps']:,}", minutes(float(np.median(seconds))))]
    rows = []
    for run, evaluation, spent in zip(runs, found, seconds, strict=True):
        score, seed = evaluation["deterministic"], run.seed
        of = f"seed {seed} of {len(runs)} seeds" if len(runs) > 1 else f"one seed: {seed}"
        steps, planned = evaluation["steps"], run.parameters["total_steps"]
        short = f", cut short of {planned:,}" if run.provenance.get("ended_early") else ""
        success = rate_in_words(score["successes"], score["episodes"], ", Wilson")
        rows.append((f"`{arm}`, {of}", success, f"{steps:,}{short}", minutes(spent)))
    return rows


def routes_table(routes: Mapping[str, tuple[str, str]], reported: Sequence[str] = ()) -> Markdown:
    """What each arm receives, how it learns, what came out, and what all of it cost.

    Success is the interquartile mean over the seeds with its bootstrap interval, or run by run
    with Wilson's where a mean would mislead.

    Args:
        routes: arm → (what the policy receives, how it learned).
        reported: further rows, Markdown, that nobody here has measured.
    """
    table = [
        "| arm | the policy receives | how | success | environment steps | wall time a seed |",
        "|---|---|---|---|---|---|",
    ]
    for arm, (given, how) in routes.items():
        if not measured(arm):
            table.append(f"| `{arm}` | {given} | {how} | not measured yet | | |")
            continue
        table += [
            f"| {name} | {given} | {how} | {success} | {steps} | {spent} |"
            for name, success, steps, spent in _rows(arm)
        ]
    return Markdown("\n".join([*table, *reported]))


def ladder(steps: Mapping[str, str], *, floor: float) -> Figure:
    """What was taken from a critic, step by step: the success that is left, and the sight.

    Above, each run's success with Wilson's interval, and the same policy before black images.
    Below, how far the block is off when it is read from the run's encoder (artifact
    ``told-sight``), where that was measured, over what encoders before any training give.

    Args:
        steps: arm → what its critic is told, in a few words.
        floor: success of doing nothing, drawn as a line.

    Raises:
        UserError: an arm without a result.
    """
    sight = measurement("told-sight")
    read = {run["run"]: run["read"]["block"]["mean"] for run in sight["runs"]}
    untrained = [draw["block"]["mean"] for draw in sight["untrained"]]
    use_style()
    figure, (hand, eye) = plt.subplots(2, 1, sharex=True, figsize=(7, 4.6), layout="constrained")
    for place, arm in enumerate(steps):
        runs = runs_of(arm)
        for offset, run in zip(np.linspace(-0.15, 0.15, len(runs) + 2)[1:-1], runs, strict=True):
            found = run.json("evaluation.json")
            score, blank = found["deterministic"], found["controls"]["blank"]
            rate = score["success_rate"]
            error = [[rate - score["success_low"]], [score["success_high"] - rate]]
            x = place + offset
            hand.errorbar(x, rate, error, fmt="o", color=COLORS[0], ms=5)
            hand.plot(x, blank["success_rate"], "x", color=COLORS[1])
            if (name := f"{arm}/{run.path.name}") in read:
                eye.plot(x, read[name], "s", color=COLORS[2], ms=5)
    hand.plot([], "o", color=COLORS[0], ms=5, label="the camera")
    hand.plot([], "x", color=COLORS[1], label="black images")
    eye.plot([], "s", color=COLORS[2], ms=5, label="this encoder")
    draw_floor(hand, floor)
    hand.set(ylim=(-0.03, 1.03), ylabel="success")
    hand.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    eye.axhspan(min(untrained), max(untrained), color="0.85", label="before any training")
    eye.set(ylim=(0, None), ylabel="block read to, mm")
    words = [textwrap.fill(told, 66 // len(steps)) for told in steps.values()]
    eye.set_xticks(range(len(steps)), words, fontsize="small")
    for axes in (hand, eye):
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    return figure


def seeds_of_arms(arms: Iterable[str]) -> Markdown:
    """The results of several arms, seed by seed; without a last row where it would mislead."""
    parts = []
    for arm in arms:
        table = results_table(arm).data
        if one_by_one(runs_of(arm)):
            table = table.rpartition("\n")[0]
        parts += [f"**{arm}**, seed by seed", table]
        parts += [
            f"Seed {run.parameters['seed']} was ended early, {ended}: it is no full run."
            for run in runs_of(arm)
            if (ended := run.provenance.get("ended_early"))
        ]
    return Markdown("\n\n".join(parts))


def _span(rates: Sequence[float]) -> str:
    """From the lowest rate to the highest; one number where they read alike."""
    low, high = f"{min(rates):.0%}", f"{max(rates):.0%}"
    return low if low == high else f"{low} to {high}"


def looking_table(arms: Iterable[str]) -> Markdown:
    """Success before the camera and before each control, from an arm's worst seed to its best."""
    rows = [
        "| arm | seeds | the camera | " + " | ".join(CONTROLS) + " |",
        "|---|---|---|---|---|---|",
    ]
    for arm in arms:
        found = [run.json("evaluation.json") for run in runs_of(arm)]
        columns = [[f["deterministic"] for f in found]]
        columns += [[f["controls"][name] for f in found] for name in CONTROLS]
        cells = [_span([score["success_rate"] for score in column]) for column in columns]
        rows.append(f"| `{arm}` | {len(found)} | " + " | ".join(cells) + " |")
    return Markdown("\n".join(rows))
