"""What a rise waits for: the same curves against environment steps, and against updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from labs.artifacts import runs_of
from labs.claims.arm import Arm
from labs.errors import UserError
from labs.figures.curves import DASHES, draw_arm, draw_floor, in_thousands, success_axis
from labs.figures.legend import COLORS
from labs.figures.style import use_style


def steps_or_updates(rows: Mapping[str, Sequence[str]], *, floor: float | None = None) -> Figure:
    """Success of arms that differ in updates a step, twice: against steps, and against updates.

    Curves that waited for steps alone fall together on the left, for updates alone on the right.

    Args:
        rows: title → its arms, all rows in the same order of updates a step.
        floor: success of doing nothing, drawn as a line.

    Raises:
        UserError: no row, an arm without a result, or rows of different rates.
    """
    rates = {title: [_rate(arm) for arm in arms] for title, arms in rows.items()}
    if not rows or len({tuple(found) for found in rates.values()}) > 1:
        raise UserError(f"give rows of arms with the same updates a step, not {rates}")
    use_style()
    height = 0.6 + 2.2 * len(rows)
    figure, panels = plt.subplots(
        len(rows), 2, sharex="col", sharey=True, figsize=(7.0, height), squeeze=False
    )
    for (title, arms), pair in zip(rows.items(), panels, strict=True):
        for axes, against in zip(pair, ("step", "updates"), strict=True):
            looks = zip(arms, rates[title], COLORS, cycle(DASHES), strict=False)
            for arm, rate, color, dashes in looks:
                label = f"{rate:g} updates a step"
                draw_arm(axes, arm, against=against, color=color, dashes=dashes, label=label)
            if floor is not None:
                draw_floor(axes, floor)
            success_axis(axes)
        pair[0].set_title(title, fontsize="small")
        pair[1].set(ylabel="", title="")
    for axes, name in zip(panels[-1], ("environment steps", "updates"), strict=True):
        in_thousands(axes, axes.get_xlim()[1], name)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize="small", loc="outside lower center", ncols=2)
    return figure


def _rate(arm: str) -> float:
    return Arm(arm, tuple(runs_of(arm))).updates_per_step
