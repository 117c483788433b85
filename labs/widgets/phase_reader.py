"""Phase reader: scrub along a measured run and read success and losses as they were at that time.

Phases are found by :mod:`labs.figures.phases`, from counts; what to notice at a point is computed
from the run's curve, never written for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import traitlets

from labs.artifacts import Artifact
from labs.figures.phases import Phases, phases_of
from labs.figures.style import OKABE_ITO, use_style
from labs.json_text import finite_or_none
from labs.statistics import wilson
from labs.widgets.base import BookWidget, figure_uri

COLUMNS = (("success", "Success"), ("critic_loss", "Critic loss"), ("actor_loss", "Actor loss"))
SHADES = {"floor": "#E4E7EC", "rise": "#FBE8C4", "convergence": "#D3EFE4"}
WORDS = {"floor": "on the floor", "rise": "rising", "convergence": "settled"}


def what_to_notice(table: Any, point: int, phases: Phases, episodes: int, floor: float) -> str:
    """What the curve says at a point, and what its reader cannot know yet.

    Args:
        table: the run's ``curve.csv``.
        point: index of a row.
        phases: of the curve.
        episodes: how many each success rate was measured with.
        floor: success of doing nothing.
    """
    row = table.iloc[point]
    count = round(row["success"] * episodes)
    interval = wilson(count, episodes)
    text = (
        f"Success: {count} of {episodes} episodes, {row['success']:.0%}; the true rate may be "
        f"anywhere from {interval.low:.0%} to {interval.high:.0%}. "
    )
    loss = table["critic_loss"]
    known = loss[: point + 1].dropna()
    if known.empty:
        return text + "No update has been made yet: this is what an untrained policy does."
    trend = ""
    if len(known) > 1:
        lowest = known[:-1].min()
        change = known.iloc[-1] / lowest
        measure = "the lowest" if change < 1 else f"{change:.1f} times its lowest"
        trend = f"The critic's loss is {measure} so far. "
    phase = phases.name_at(point)
    if phase == "floor":
        text += (
            f"That holds the floor of {floor:.1%}: nothing has been learned that success can show. "
            if interval.low <= floor
            else f"That is above the floor of {floor:.1%}; one such point may be luck, two in a "
            "row are the rise. "
        ) + trend
        if known.iloc[-1] > known.iloc[0]:
            text += "It is above its first value, and that is news which success does not have: "
            text += "targets have begun to differ from state to state."
        else:
            text += "A small loss beside flat success proves little: a critic that says "
            text += "“never” everywhere has one too."
    elif phase == "rise":
        text += f"The floor of {floor:.1%} is left behind. " + trend
        text += (
            "A loss above its first value while success climbs is good news: new successes are "
            "targets that the critic has not met before."
            if known.iloc[-1] > known.iloc[0]
            else "The loss does not have to rise for success to rise."
        )
    else:
        share = known.iloc[-1] / known.max()
        text += (
            "From here on no point differs from the final level by more than luck. "
            f"The critic's loss is {share:.0%} of its peak: "
        )
        text += (
            "there is less left to be surprised by, and it does not fall to zero."
            if share < 0.9
            else "settled success does not mean a quiet critic."
        )
    return text


class PhaseReader(BookWidget):
    """Success and both losses of measured runs, with a slider over the steps.

    Attributes:
        runs: one dictionary a run: its label, steps, the three curves (None where nothing was
            measured), Wilson's interval of each success, phases, and what to notice.
        floor: success of doing nothing.
        run: index of the shown run.
        point: index of the shown point.
    """

    runs = traitlets.List().tag(sync=True)
    floor = traitlets.Float().tag(sync=True)
    run = traitlets.Int(0).tag(sync=True)
    point = traitlets.Int(0).tag(sync=True)

    def __init__(self, runs: Sequence[tuple[str, Artifact]], floor: float, **state: Any):
        """Args:
        runs: (label, training artifact), at least one.
        floor: success of doing nothing, in (0, 1).
        state: traits to start from.
        """
        if not runs:
            raise ValueError("received no run, expected at least one (label, artifact)")
        described = []
        for label, artifact in runs:
            table = artifact.table()
            episodes = artifact.parameters["curve_episodes"]
            phases = phases_of(table, episodes, floor)
            ranges = [wilson(round(s * episodes), episodes) for s in table["success"]]
            described.append(
                {
                    "label": label,
                    "steps": [int(step) for step in table["step"]],
                    **{c: [finite_or_none(v) for v in table[c]] for c, _ in COLUMNS},
                    "low": [round(r.low, 4) for r in ranges],
                    "high": [round(r.high, 4) for r in ranges],
                    "phases": [[WORDS[n], span[0], span[-1]] for n, span in phases.spans()],
                    "notes": [
                        what_to_notice(table, i, phases, episodes, floor) for i in range(len(table))
                    ],
                }
            )
        super().__init__(runs=described, floor=floor, **state)

    def still(self) -> tuple[str, str]:
        use_style()
        run = self.runs[self.run]
        steps = np.array(run["steps"]) / 1000
        figure, rows = plt.subplots(3, 1, sharex=True, figsize=(6.5, 5))
        names = {words: name for name, words in WORDS.items()}
        for axes, (column, name), color in zip(
            rows, COLUMNS, ("blue", "vermillion", "green"), strict=True
        ):
            for words, start, end in run["phases"]:
                right = steps[min(end + 1, len(steps) - 1)]
                axes.axvspan(steps[start], right, color=SHADES[names[words]], linewidth=0)
            values = [np.nan if v is None else v for v in run[column]]
            axes.plot(steps, values, "o-", markersize=3, color=OKABE_ITO[color])
            axes.set_ylabel(name)
        rows[0].axhline(self.floor, color="#555555", linestyle=":", linewidth=1)
        rows[-1].set_xlabel("thousand environment steps")
        uri = figure_uri(figure)
        plt.close(figure)
        spans = "; ".join(
            f"{words} from {run['steps'][start]:,} to {run['steps'][end]:,} steps"
            for words, start, end in run["phases"]
        )
        return uri, f"Success, critic loss and actor loss of {run['label']} against steps: {spans}."
