"""What eyes read: while a block is pushed, and along a run that teaches one.

Everything is read from the checked artifacts ``eyes-at-work`` and ``eye-along-run``, or played
before the reader.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown
from matplotlib.figure import Figure

from labs.experiments.results import measurement
from labs.figures.curves import DASHES, draw_floor, in_thousands, success_axis
from labs.figures.legend import COLORS
from labs.figures.style import use_style
from labs.measurements.eyes_at_work import GUESS, PHASES, UNTRAINED

#: How the table calls what is not a run.
NAMES = {
    "locator-push-workspace/seed0": "a locator, told positions",
    "locator-push-workspace-rewards/seed0": "a locator, taught by rewards",
    "locator-push-workspace-rewards-played/seed0": "a locator, taught by rewards in random play",
    "locator-push-default-rewards/seed0": "a locator, taught by rewards, default camera",
    f"{UNTRAINED}/seed0": "an encoder as it was drawn",
    f"{GUESS}/seed0": "a guess without looking",
}


def push_from_above(block: np.ndarray, readings: Mapping[str, np.ndarray]) -> Figure:
    """The way of a block, and where each eye saw it.

    Args:
        block: (T, 2), its true places on the table, in meters.
        readings: title → (T, 2), in meters.
    """
    use_style()
    figure, axes = plt.subplots(
        len(readings), figsize=(6, 1.5 * len(readings)), sharex=True, sharey=True, squeeze=False
    )
    axes = axes[:, 0]
    figure.set_layout_engine("constrained")
    for axis, (title, seen), color in zip(axes, readings.items(), COLORS, strict=False):
        for true, read in zip(block, seen, strict=True):
            axis.plot(*(100 * np.array([true, read])).T, color="0.8", lw=0.6, zorder=1)
        axis.plot(*(100 * block).T, color="0.2", lw=1.5, zorder=3)
        axis.plot(*(100 * seen).T, ".", color=color, ms=5, zorder=2)
        axis.plot(*(100 * block[0]), "o", color="0.2", ms=5, mfc="white", zorder=4)
        axis.set(aspect="equal", ylabel="y, cm")
        axis.set_title(title, loc="left", fontsize="small")
    axes[-1].set(xlabel="x, cm")
    return figure


def eyes_table() -> Markdown:
    """How far each eye is off in each phase of a push, and in which way while the block rests."""
    found = measurement("eyes-at-work")["eyes"]
    heads = " | ".join(f"{phase}: mean, worst 5 % beyond" for phase in PHASES)
    rows = [
        f"| eye | {heads} | shaken | bent |",
        "|---|" + "---|" * (len(PHASES) + 2),
    ]
    for eye in found:
        name = NAMES.get(eye["run"], f"encoder of `{eye['run']}`")
        phases = [eye["phases"][phase] for phase in PHASES]
        off = " | ".join(f"{phase['mean']:.0f}, {phase['p95']:.0f} mm" for phase in phases)
        rows.append(f"| {name} | {off} | {eye['shaken']:.1f} mm | {eye['bent']:.1f} mm |")
    return Markdown("\n".join(rows))


def sight_along(titles: Mapping[str, str], *, floor: float) -> Figure:
    """Success above, what can be read from the encoder below, against steps; a column a run.

    Args:
        titles: arm of ``eye-along-run`` → the title of its column.
        floor: success of doing nothing.
    """
    runs = {run["arm"]: run for run in measurement("eye-along-run")["runs"]}
    use_style()
    figure, panels = plt.subplots(
        2, len(titles), figsize=(7, 4.2), sharex="col", sharey="row", squeeze=False
    )
    for (arm, title), (above, below) in zip(titles.items(), panels.T, strict=True):
        points = runs[arm]["points"]
        steps = [point["step"] for point in points]
        above.plot(steps, [point["success"] for point in points], color=COLORS[0])
        draw_floor(above, floor)
        success_axis(above)
        above.set_title(title, fontsize="small")
        heads = zip(("head", "linear"), ("a small head", "a linear head"), DASHES, strict=False)
        for (head, words, dashes), color in zip(heads, COLORS[1:], strict=False):
            read = [point[head]["block"]["mean"] for point in points]
            below.plot(steps, read, color=color, linestyle=dashes, label=f"read by {words}")
        guess = runs[arm]["guess"]["block"]["mean"]
        below.axhline(guess, color="#777777", linestyle=":", label="a guess without looking")
        below.set(ylim=(0, 1.1 * guess), ylabel="block read to, mm")
        in_thousands(below, steps[-1])
    for axes in panels[:, 1:].flat:
        axes.set_ylabel("")
    figure.legend(
        *panels[1, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        fontsize="small",
    )
    return figure
