"""How the claims put their numbers into words: one notation on every page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from labs.claims.arm import Arm
from labs.experiments.position_errors import over_seeds
from labs.statistics import Interval, iqm


def percent(rate: float) -> str:
    """0.069 → ``6.9 %``; what is below a tenth of a percent says so, and only all is 100 %."""
    if 0 < rate < 0.0005:
        return "less than 0.1 %"
    if 0.995 <= rate < 1:
        return f"{100 * min(rate, 0.999):.1f} %"
    return f"{100 * rate:.0f} %" if rate >= 0.0995 or rate == 0 else f"{100 * rate:.1f} %"


def percents(rates: Sequence[float]) -> str:
    """IQM of success rates with its interval."""
    score = iqm(rates)
    if math.isnan(score.low):
        return percent(score.value)
    if score.low == score.high:  # no width is no certainty: all seeds play the same episodes
        return f"{percent(score.value)} in every seed"
    return f"{percent(score.value)} [{percent(score.low)}, {percent(score.high)}]"


def points(gain: Interval) -> str:
    """A difference of success rates with its interval: ``−18 points [−26, −9]``."""
    return signed(gain, 100, " points", 0)


def added(errors: Sequence[dict]) -> str:
    """What something adds to the error, over seeds: ``+1.9 mm [+0.7, +3.1]``."""
    return signed(over_seeds(errors), 1, " mm", 1)


def signed(gain: Interval, factor: float, unit: str, digits: int) -> str:
    """A difference with its sign, its unit and its interval; what rounds to 0 has no sign."""
    value, low, high = (
        f"{rounded:+.{digits}f}".replace("-", "−") if rounded else f"{0:.{digits}f}"
        for rounded in (round(factor * x, digits) for x in (gain.value, gain.low, gain.high))
    )
    return f"{value}{unit}" + f" [{low}, {high}]" * (not math.isnan(gain.low))


def ratio_text(ratio: Interval, digits: int = 1) -> str:
    """A ratio of times with its interval; late runs may leave it without an upper bound,
    and with 0 for its value: the other one never got there."""
    if math.isinf(ratio.value):
        return f"at least {ratio.low:.{digits}f}"
    if ratio.value == 0:
        return f"at most {ratio.high:.{digits}f}"
    high = "no upper bound" if math.isinf(ratio.high) else f"{ratio.high:.{digits}f}"
    return f"{ratio.value:.{digits}f} [{ratio.low:.{digits}f}, {high}]"


def mm(interval: Interval) -> str:
    """An error in millimeters with its interval."""
    return f"{interval.value:.1f} mm [{interval.low:.1f}, {interval.high:.1f}]"


def seeds_text(*arms: Arm) -> str:
    """``3 seeds``, or ``3 and 5 seeds`` where arms differ, in their order.

    It says so where an arm has more of them than were compared.
    """
    counts = [len(arm.runs) for arm in arms]
    shared = ", those that both arms have" * any(arm.left_out for arm in arms)
    if len(set(counts)) > 1:
        return " and ".join(map(str, counts)) + " seeds" + shared
    return f"{counts[0]} seed" + "s" * (counts[0] > 1) + shared


def seeds_span(*groups: Sequence[dict]) -> str:
    """``3 seeds``, or ``2 to 3 seeds`` where groups differ: for effects that name many of them."""
    counts = sorted(len(group) for group in groups)
    span = f"{counts[0]} to " * (counts[0] < counts[-1])
    return f"{span}{counts[-1]} seed" + "s" * (counts[-1] > 1)
