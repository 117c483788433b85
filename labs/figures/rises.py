"""When each run rose and where it ended: a point a run, where curves would lie on each other."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from labs.artifacts import runs_of
from labs.errors import UserError
from labs.experiments.results import final_success, steps_until
from labs.figures.curves import draw_floor
from labs.figures.legend import colors_of
from labs.figures.style import use_style

MARKERS = "osD^vP"  # color alone does not tell arms apart for everybody


def rise_and_end(
    arms: Mapping[str, str], *, late_after: float, level: float = 0.5, floor: float | None = None
) -> Axes:
    """Final success of every run against the steps until its curve was at a level.

    Args:
        arms: named arm → what the legend calls it.
        late_after: environment steps from which on a run counts as late, a dashed line.
        level: success in [0, 1].
        floor: success of doing nothing, drawn as a line.

    Returns:
        The axes. A run that was never there stands at the right edge, under "not yet". Arms stand
        800 steps apart, so that equal runs of two arms both show.

    Raises:
        UserError: no arm, or one without a result.
    """
    if not arms:
        raise UserError("nothing to plot: name at least one arm")
    use_style()
    _, axes = plt.subplots(figsize=(6, 3.6))
    points = {
        arm: [(steps_until(run, level), final_success(run)) for run in runs_of(arm)] for arm in arms
    }
    known = [when for found in points.values() for when, _ in found if when is not None]
    edge = 1.12 * max([*known, late_after])
    dodges = 800 * (np.arange(len(arms)) - (len(arms) - 1) / 2)  # equal runs of two arms show
    for (arm, name), color, marker, dodge in zip(
        arms.items(), colors_of(list(arms)), cycle(MARKERS), dodges, strict=False
    ):
        when, end = zip(*points[arm], strict=True)
        runs = f"{len(when)}\u00a0run{'s' * (len(when) > 1)}"
        x = [(edge if w is None else w) + dodge for w in when]
        axes.scatter(
            x, end, s=38, marker=marker, facecolor="none", edgecolor=color, label=f"{name} ({runs})"
        )
    axes.axvline(late_after, color="0.45", linestyle="--", linewidth=1)
    axes.text(late_after, 1.0, " late", color="0.35", va="top", fontsize="small")
    ticks = np.arange(0, edge - 12_000, 20_000)  # "not yet" has room
    names = [f"{int(tick / 1000)}k" for tick in ticks]
    if any(when is None for found in points.values() for when, _ in found):
        ticks, names = [*ticks, edge], [*names, "not yet"]
    axes.set_xticks(ticks, names)
    axes.set(xlabel=f"environment steps to {level:.0%}", ylabel="final success", ylim=(-0.03, 1.03))
    axes.set_xlim(left=min([*known, late_after]) - 0.1 * edge)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    if floor is not None:
        draw_floor(axes, floor)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), fontsize="small")  # a phone is narrow
    return axes
