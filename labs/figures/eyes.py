"""What eyes read while a block is pushed: one push from above, and how the eyes err on many.

Everything is read from the checked artifact ``eyes-at-work``, or played before the reader.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown
from matplotlib.figure import Figure

from labs.experiments.results import measurement
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
        len(readings), 1, figsize=(6, 1.5 * len(readings)), sharex=True, sharey=True
    )
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
