"""Learning curves from artifacts: one arm, arms beside each other, the three phases.

The source manuscript's reported points can stand beside ours as a marked reference; they come from
one seed and are never averaged with anything.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labs.artifacts import Artifact, load_artifact, runs_of
from labs.claims.arm import Arm
from labs.errors import UserError
from labs.figures.ledger import measured
from labs.figures.legend import COLORS, colors_of, words_of
from labs.figures.style import use_style
from labs.statistics import curve_band, time_to_threshold

#: The panels of the investigation.
STEPS = {
    "push-state": "control: the state",
    "push-step0": "step 0: NatureCNN",
    "push-step1": "step 1: keypoints",
    "push-step2": "step 2: critic's gradient",
    "push-step4": "step 4: shifts",
}
STEP_ARMS = tuple(STEPS)

#: (environment steps, success) as reported by the source manuscript, one seed each. It reports 25
#: to 34 % for step 2 at 2.5 million steps: the middle is drawn.
SOURCE_POINTS: dict[str, list[tuple[float, float]]] = {
    "push-state": [(1.52e6, 0.52), (1.84e6, 0.90), (2.0e6, 0.89)],
    "push-step2": [(2.0e6, 0.06), (2.5e6, 0.295), (3.5e6, 0.70), (4.4e6, 0.95)],
    "push-step4": [(1.54e6, 0.03)],
}

#: Success that the source manuscript reports as flat: (lowest, highest, steps at the end).
SOURCE_FLAT: dict[str, tuple[float, float, float]] = {
    "push-step0": (0.05, 0.08, 2e6),
    "push-step1": (0.05, 0.08, 2e6),
}

#: Line styles of arms that share axes: color alone does not tell them apart for everybody. Dots
#: are the do-nothing floor's.
DASHES = ("-", (0, (5, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (12, 2)), (0, (9, 1.5, 1, 1.5, 1, 1.5)))
WIDEST_TITLE = 48  # characters, small, that a panel of half the width holds

#: Arms of ours at other settings, drawn under their own name while an arm has no result.
STAND_INS = {"push-state": "push-state-tuned"}

#: Where the source manuscript sets its phases, in environment steps.
SOURCE_PHASES = [("flat", 0.0, 2.2e6), ("hockey stick", 2.2e6, 3.5e6), ("convergence", 3.5e6, 5e6)]


def load_curves(arm: str, column: str = "success") -> tuple[np.ndarray, np.ndarray]:
    """The curves of all seeds of an arm at the steps that they share.

    Returns:
        steps (points,) and values (seeds, points); NaN where a value was not measured.

    Raises:
        UserError: no result, a column that the curves do not have, or seeds of different settings.
    """
    tables = [run.table() for run in Arm(arm, tuple(runs_of(arm))).runs]
    if column not in tables[0].columns:
        raise UserError(f"unknown column {column!r}: choose one of {', '.join(tables[0].columns)}")
    steps = sorted(set.intersection(*(set(t["step"]) for t in tables)))
    values = [t.set_index("step").loc[steps, column].to_numpy(float) for t in tables]
    return np.array(steps, float), np.array(values)


def in_thousands(axes: Axes, largest: float, name: str = "environment steps") -> None:
    """Marks a horizontal axis of counts in thousands, or in millions where there are many."""
    unit, words = (1e6, "million") if largest >= 2e6 else (1e3, "thousand")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / unit:g}")
    axes.set_xlabel(f"{words} {name}")


def draw_arm(
    axes: Axes,
    arm: str,
    *,
    column: str = "success",
    against: str = "step",
    color: str | None = None,
    dashes: str | tuple = "-",
    label=None,
) -> None:
    """Draws one arm: thin lines for the seeds, a thick one for their interquartile mean, a band.

    The band is the 95 % bootstrap interval over seeds. ``against`` is a column that is the same for
    all of them, such as ``updates``. Where a run ends before others, mean and band end with it: of
    fewer seeds they would be another number. The label then says so, and the thin lines go on.
    """
    steps, values = load_curves(arm, column)
    x = steps if against == "step" else load_curves(arm, against)[1][0]
    known = ~np.isnan(values).any(axis=0)
    x, values = x[known], values[:, known]
    middle, low, high = curve_band(values)
    seeds = f"{len(values)} seed" + "s" * (len(values) > 1)
    tables = [run.table() for run in runs_of(arm)]
    if steps[-1] < max(table["step"].max() for table in tables):
        seeds += f", all of them until step {steps[-1]:,.0f}"
    name = label or f"{words_of(arm)} ({seeds})"
    line = axes.plot(x, middle, color=color, linestyle=dashes, label=name)[0]
    axes.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    for table in tables:
        row = table[[against, column]].dropna()
        axes.plot(row[against], row[column], color=line.get_color(), linewidth=0.5, alpha=0.5)


def draw_source(axes: Axes, arm: str, color: str = "#777777") -> None:
    """Marks what the source manuscript reports of an arm, if it reports anything."""
    points = SOURCE_POINTS.get(arm)
    if points:
        x, y = zip(*points, strict=True)
        label = "reported, one seed"
        axes.plot(x, y, "x--", color=color, linewidth=0.8, markersize=5, label=label)
    if arm in SOURCE_FLAT:
        label = "reported, flat"
        low, high, end = SOURCE_FLAT[arm]
        axes.fill_between([0, end], low, high, color=color, alpha=0.35, linewidth=0, label=label)


def draw_floor(axes: Axes, floor: float) -> None:
    """Marks the success of doing nothing."""
    axes.axhline(floor, color="#777777", linewidth=0.8, linestyle=":", label="doing nothing")


def success_axis(axes: Axes) -> None:
    """Marks a vertical axis of success from 0 to 100 %."""
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylabel("success")


def _against_steps(axes: Axes, floor: float | None) -> None:
    """Names of both axes, and the floor where there is one."""
    if floor is not None:
        draw_floor(axes, floor)
    success_axis(axes)
    in_thousands(axes, axes.get_xlim()[1])


def _refuse_nothing(arms: Sequence[str]) -> None:
    if not arms:
        raise UserError("nothing to plot: name at least one arm")


def success_curves(
    arms: Sequence[str], *, floor: float | None = None, source: bool = False
) -> Figure:
    """Success of one or several arms against environment steps.

    Args:
        arms: names with results.
        floor: success of doing nothing, drawn as a line.
        source: mark the source manuscript's points.
    """
    _refuse_nothing(arms)
    use_style()
    figure, axes = plt.subplots()
    for arm, color, dashes in zip(arms, colors_of(arms), cycle(DASHES), strict=False):
        draw_arm(axes, arm, color=color, dashes=dashes)
        if source:
            draw_source(axes, arm, color)
    _against_steps(axes, floor)
    figure.legend(fontsize="small", loc="outside lower center", ncols=2, handlelength=4)
    return figure


def seed_by_seed(arm: str, *, floor: float | None = None) -> Axes:
    """A curve for each seed of an arm, none of them averaged: for few seeds, or unequal lengths.

    Args:
        arm: a name with results.
        floor: success of doing nothing, drawn as a line.

    Returns:
        The axes, without a legend, so that more can be drawn.
    """
    use_style()
    _, axes = plt.subplots(figsize=(7, 2.8))
    for run in runs_of(arm):
        curve = run.table()
        ended = ", cut short" if run.provenance.get("ended_early") else ""
        label = f"seed {run.seed}{ended}"
        axes.plot(curve["step"], curve["success"], "o-", markersize=3, label=label)
    _against_steps(axes, floor)
    return axes


def _has_marker(form: str) -> bool:
    return bool(form.strip("-.:"))


def _from_below(lines: Mapping[str, tuple[str, str]]) -> list[str]:
    """The arms as they lie on each other: those without a marker, then longest to shortest."""
    ends = {arm: max(run.table()["step"].max() for run in runs_of(arm)) for arm in lines}
    return sorted(lines, key=lambda arm: (_has_marker(lines[arm][1]), -ends[arm]))


def runs_beside(lines: Mapping[str, tuple[str, str]], *, floor: float | None = None) -> Axes:
    """Arms beside each other, a curve for each run, none of them averaged.

    Where runs coincide each arm shows behind those above it: its line is wider, its hollow
    markers are larger.

    Args:
        lines: arm → (color, matplotlib's format of its line), named in this order.
        floor: success of doing nothing, drawn as a line.
    """
    _refuse_nothing(list(lines))
    use_style()
    _, axes = plt.subplots(figsize=(7, 4))
    below = _from_below(lines)
    for arm, (color, form) in lines.items():
        above = len(lines) - 1 - below.index(arm)
        look = {"color": color, "markerfacecolor": "white", "zorder": 3 - above / len(lines)}
        if _has_marker(form):
            look |= {"linewidth": 1.2 + 0.5 * above, "markersize": 3.4 + 1.4 * above}
        for number, run in enumerate(runs_of(arm)):
            curve, label = run.table(), None if number else words_of(arm)
            axes.plot(curve["step"], curve["success"], form, label=label, **look)
    _against_steps(axes, floor)
    axes.figure.legend(fontsize="small", loc="outside lower left")
    return axes


def episodes_a_point(arms: Sequence[str]) -> str:
    """How many episodes a point of these arms' curves is: ``20``, or ``10 or 20``."""
    counts = {runs_of(arm)[0].parameters["curve_episodes"] for arm in arms}
    return " or ".join(str(n) for n in sorted(counts))


def _title(label: str) -> str:
    """A label that is wider than a panel on two lines, its count of seeds on the second."""
    if len(label) <= WIDEST_TITLE:
        return label
    name, _, seeds = label.rpartition(" (")
    return f"{textwrap.fill(name, WIDEST_TITLE)}\n({seeds}"


def success_panels(arms: Sequence[str], *, floor: float | None = None) -> Figure:
    """Success of several arms, a panel each on shared axes: for bands that would cover each other.

    Args:
        arms: names with results.
        floor: success of doing nothing, drawn as a line.
    """
    _refuse_nothing(arms)
    use_style()
    rows = math.ceil(len(arms) / 2)
    figure, panels = plt.subplots(
        rows, 2, sharex=True, sharey=True, figsize=(7.0, 2.2 * rows), squeeze=False
    )
    for axes in panels.flat[len(arms) :]:
        axes.remove()
    for axes, arm, color in zip(panels.flat, arms, colors_of(arms), strict=False):
        draw_arm(axes, arm, color=color)
        if floor is not None:
            draw_floor(axes, floor)
        success_axis(axes)
        axes.set_title(_title(axes.lines[0].get_label()), fontsize="small")
    for axes in panels[:, 1:].flat:
        axes.set_ylabel("")
    for axes in panels[-1]:
        in_thousands(axes, axes.get_xlim()[1])
    return figure


def three_phases(
    run: Artifact | str, *, floor: float | None = None, source: bool = False
) -> Figure:
    """One run's success, critic loss and actor loss under each other.

    Args:
        run: a training artifact, or its path below ``data/``.
        floor: success of doing nothing, drawn as a line.
        source: shade the phases where the source manuscript saw them, as far as the run goes.

    Raises:
        UserError: no such result; or the source's phases, of Push, in a run of another task.
    """
    run = load_artifact(run) if isinstance(run, str) else run
    if source and run.parameters.get("task") != "push":
        raise UserError("--source marks phases of Push: name a run of Push, or leave it out")
    table = run.table()
    last = float(table["step"].max())
    use_style()
    figure, rows = plt.subplots(3, 1, sharex=True, figsize=(7.0, 5.4))
    columns = (("success", "success"), ("critic_loss", "critic loss"), ("actor_loss", "actor loss"))
    for axes, (column, name), color in zip(rows, columns, COLORS, strict=False):
        axes.plot(table["step"], table[column], color=color)
        axes.set_ylabel(name)
        if source:
            shades = zip(SOURCE_PHASES, ("#F2F2F2", "#D5D5D5", "#E5E5E5"), strict=True)
            for (phase, start, end), shade in shades:
                if start < last:
                    label = f"reported: {phase}"
                    axes.axvspan(start, min(end, last), color=shade, zorder=-1, label=label)
    if floor is not None:
        draw_floor(rows[0], floor)
    if source or floor is not None:
        rows[0].legend(fontsize="small")
    success_axis(rows[0])
    in_thousands(rows[-1], last)
    return figure


def _point_out(axes: Axes, words: str, to: tuple[float, float]) -> None:
    """Words below the reported points, and an arrow from them to (steps, success)."""
    axes.annotate(
        words,
        to,
        (1.1e6, 0.3),
        va="center",
        fontsize="small",
        arrowprops={"arrowstyle": "->", "relpos": (0, 1)},
    )


def _draw_step(axes: Axes, arm: str, stand_in: str | None) -> None:
    """Our runs of a step; while there are none those of its stand-in, with an arrow; or neither."""
    text = dict(transform=axes.transAxes, ha="right", va="top", fontsize="small")
    if measured(arm):
        draw_arm(axes, arm, color=COLORS[0], label="ours")
    elif stand_in and measured(stand_in):
        draw_arm(axes, stand_in, color=COLORS[2], label="ours, other settings")
        tables = [run.table() for run in measured(stand_in)]
        reached = time_to_threshold([(t["step"], t["success"]) for t in tables], 0.9)
        if reached.median is None:
            axes.text(0.97, 0.6, "ours: 90% not\nreached", **text)
            return
        _point_out(axes, f"ours: 90% after\n{reached.median:,.0f} steps", (reached.median, 0.9))
    else:
        axes.text(0.97, 0.3, "not run here", **text)


def five_steps(
    arms: Sequence[str] = STEP_ARMS,
    *,
    floor: float | None = None,
    stand_ins: Mapping[str, str] = STAND_INS,
) -> Figure:
    """The steps of the Push investigation side by side, each with the source manuscript's points.

    An arm without a result shows the reported points alone and says so. The panels share their
    axes.

    Args:
        arms: one panel each.
        floor: success of doing nothing, drawn as a line.
        stand_ins: arm → another arm whose result is drawn, under its own name, while the first
            has none.
    """
    _refuse_nothing(arms)
    use_style()
    columns = min(3, len(arms))
    rows = math.ceil(len(arms) / columns)
    figure, panels = plt.subplots(
        rows,
        columns,
        sharex=True,
        sharey=True,
        figsize=(2.4 * columns, 2.4 * rows + 0.4),
        squeeze=False,
    )
    for axes in panels.flat[len(arms) :]:
        axes.remove()
    for axes, arm in zip(panels.flat, arms, strict=False):
        _draw_step(axes, arm, stand_ins.get(arm))
        draw_source(axes, arm)
        if floor is not None:
            draw_floor(axes, floor)
        axes.set_title(STEPS.get(arm, arm), fontsize="small")
        success_axis(axes)
        axes.set_xlim(0, 5e6)
        axes.tick_params(labelbottom=True)
        in_thousands(axes, 5e6)
        axes.xaxis.label.set_size("small")
    for axes in panels[:, 1:].flat:
        axes.set_ylabel("")
    entries: dict[str, object] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    if entries:
        figure.legend(
            entries.values(), entries.keys(), fontsize="small", loc="outside lower center", ncols=4
        )
    return figure
