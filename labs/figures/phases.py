"""The phases of a learning curve: on the floor, rising, settled.

Whether a point of a curve has left the floor is a question of counts: 4 of 20 episodes are more
than a floor of 7 % explains, 3 of 20 are not. Two points in a row must say so, since one in twenty
says so by luck. (All points play the same episodes, so the luck of their starts is in both; what
the policy does there is not.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labs.statistics import wilson

#: Points at the end of a curve whose pooled success is the level that it settled at.
LAST = 5
#: Every point of a long settled part is asked: one in twenty would say no by luck.
LEVEL_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Phases:
    """Where the phases begin, as indices of the curve's points.

    Attributes:
        rise: the first point of the rise; None if the curve never left the floor.
        settled: the first point from which on nothing differs from the final level; None if there
            is no such point, or no rise.
        points: number of points.
    """

    rise: int | None
    settled: int | None
    points: int

    def spans(self) -> list[tuple[str, range]]:
        """(name, indices of its points) of the phases that the curve has, in order."""
        rise = self.points if self.rise is None else self.rise
        settled = self.points if self.settled is None else self.settled
        parts = [
            ("floor", range(rise)),
            ("rise", range(rise, settled)),
            ("convergence", range(settled, self.points)),
        ]
        return [(name, span) for name, span in parts if len(span)]

    def name_at(self, point: int) -> str:
        """The phase of a point."""
        return next(name for name, span in self.spans() if point in span)


def above_floor(success: float, episodes: int, floor: float) -> bool:
    """Whether Wilson's 95 % interval of a measured success rate lies above the floor.

    Args:
        success: rate in [0, 1], a whole number of ``episodes``.
        episodes: how many were played.
        floor: success of doing nothing.
    """
    return wilson(round(success * episodes), episodes).low > floor


def find_phases(success: Any, episodes: int, floor: float) -> Phases:
    """Finds the phases of one curve.

    Args:
        success: (points,) success rates.
        episodes: how many each was measured with.
        floor: success of doing nothing.

    Raises:
        ValueError: rates outside [0, 1], or not one dimension.
    """
    success = np.asarray(success, float)
    if success.ndim != 1 or not ((success >= 0) & (success <= 1)).all():
        raise ValueError(f"expected rates in [0, 1], one a point, got {success}")
    above = [above_floor(rate, episodes, floor) for rate in success]
    pairs = [i for i in range(len(above) - 1) if above[i] and above[i + 1]]
    if not pairs:
        return Phases(None, None, len(success))
    rise, counts = pairs[0], np.round(success * episodes).astype(int)
    # A level needs some points of its own: fewer are the top of a rise.
    starts = range(rise + 1, len(counts) - LAST + 1)
    settled = next((i for i in starts if _is_level(counts[i:], episodes)), None)
    return Phases(rise, settled, len(success))


def _is_level(counts: np.ndarray, episodes: int) -> bool:
    """Whether points differ from their common level by luck alone, and do not climb."""
    level = counts[-LAST:].sum() / (LAST * episodes)
    for count in counts:
        interval = wilson(int(count), episodes, LEVEL_CONFIDENCE)
        if not interval.low <= level <= interval.high:
            return False
    early, late = counts[: len(counts) // 2], counts[-(len(counts) // 2) :]
    first = wilson(int(early.sum()), episodes * len(early))
    return first.high >= late.sum() / (episodes * len(late))


def phases_of(table: Any, episodes: int, floor: float) -> Phases:
    """The phases of a run's ``curve.csv``, as :meth:`labs.artifacts.Artifact.table` gives it."""
    return find_phases(table["success"], episodes, floor)


def leaves_floor_at(table: Any, episodes: int, floor: float) -> float | None:
    """The environment step at which a run's curve left the floor; None if it never did."""
    rise = phases_of(table, episodes, floor).rise
    return None if rise is None else float(table["step"].iloc[rise])


def patience_stop(success: Any, patience: int) -> int | None:
    """The point at which a patience rule ends a run; None if it lets it finish.

    The rule: stop when the best success has not risen for ``patience`` points.

    Args:
        success: (points,) success rates.
        patience: at least 1.
    """
    if patience < 1:
        raise ValueError(f"expected a patience of at least 1, got {patience}")
    best, since = -np.inf, 0
    for point, rate in enumerate(np.asarray(success, float)):
        best, since = (rate, 0) if rate > best else (best, since + 1)
        if since >= patience:
            return point
    return None
