"""Numbers with intervals: how sure a result is, from one run and from several seeds.

* one run: success in n episodes is a proportion; Wilson's interval stays honest near 0 and 1.
* several seeds: the interquartile mean with a stratified bootstrap interval (Agarwal et al. 2021,
  arXiv 2108.13264).
* time to a success rate: runs that never get there are censored, never dropped.
* ρ and gap closure: what pixels cost and how much of it an arm wins back.
* two arms by ranks: which is later, where curves are coarse and few runs are left.

Wilson's interval and the bootstrap are a few lines here, since ``scipy.stats`` takes seconds to
import in every command; tests hold both equal to SciPy's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtri

RESAMPLES = 5000


@dataclass(frozen=True)
class Interval:
    """An estimate and its interval; ``low`` and ``high`` are NaN where there is none."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion (Wilson 1927).

    Args:
        successes: between 0 and ``trials``.
        trials: at least 1.
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: impossible counts.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"expected 0 <= successes <= trials >= 1, got {successes} of {trials}")
    rate, z = successes / trials, ndtri((1 + confidence) / 2)
    middle = rate + z**2 / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    low, high = np.clip(np.array([middle - half, middle + half]) / (1 + z**2 / trials), 0, 1)
    return Interval(rate, float(low), float(high))


def interquartile_mean(values: Sequence[float] | np.ndarray, axis: int | None = None):
    """The mean of the middle half: sorted, a quarter cut (rounded down) at each end.

    With fewer than four values nothing is cut and it is the plain mean.
    """
    values = np.asarray(values, dtype=float)
    values = np.sort(values.ravel() if axis is None else np.moveaxis(values, axis, 0), axis=0)
    cut = len(values) // 4
    return values[cut : len(values) - cut].mean(axis=0)


def iqm(
    groups: Sequence[float] | Sequence[Sequence[float]] | np.ndarray,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The interquartile mean over runs with a stratified bootstrap interval.

    Args:
        groups: one score a run; or several groups (tasks, arms) of runs, which are resampled each
            within itself, so that every resample has every group in its full size.
        confidence: of the percentile interval, in (0, 1).
        resamples: number of bootstrap resamples.
        seed: of the resampling.

    Returns:
        The IQM of all scores. With a single run in every group there is no interval: NaN.

    Raises:
        ValueError: no score, a group without one, or a score that is not finite.
    """
    parts = [np.asarray(g, dtype=float) for g in groups] if _is_nested(groups) else None
    parts = [np.asarray(groups, dtype=float)] if parts is None else parts
    everything = np.concatenate([np.atleast_1d(p) for p in parts])
    if any(p.size == 0 for p in parts) or not np.isfinite(everything).all():
        raise ValueError(f"expected at least one finite score, got {[p.tolist() for p in parts]}")
    value = float(interquartile_mean(everything))
    if all(p.size < 2 for p in parts):
        return Interval(value, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    drawn = [p[rng.integers(0, p.size, size=(resamples, p.size))] for p in parts]
    scores = interquartile_mean(np.concatenate(drawn, axis=1), axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def _is_nested(groups) -> bool:
    return any(np.ndim(g) > 0 for g in groups)


def difference(high: Sequence[float], low: Sequence[float], *, seed: int = 0) -> Interval:
    """IQM of one arm minus that of another, with a bootstrap interval over the runs of both.

    The arms are resampled apart: seeds that have the same number share little but that.

    Args:
        high: one score a run.
        low: those of the other arm.
        seed: of the resampling.

    Returns:
        The difference. Where an arm has a single run there is no interval: NaN.

    Raises:
        ValueError: an arm without a score, or a score that is not finite.
    """
    for scores in (high, low):
        if len(scores) == 0 or not np.isfinite(np.asarray(scores, float)).all():
            raise ValueError(f"expected at least one finite score, got {list(scores)}")
    value = float(interquartile_mean(high) - interquartile_mean(low))
    if min(len(high), len(low)) < 2:
        return Interval(value, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    drawn = []
    for scores in (np.asarray(high, float), np.asarray(low, float)):
        rows = rng.integers(0, len(scores), (RESAMPLES, len(scores)))
        drawn.append(interquartile_mean(scores[rows], axis=1))
    ends = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    return Interval(value, *map(float, ends))


def curve_band(
    curves: np.ndarray, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The IQM of learning curves at each step, with a bootstrap band over the seeds.

    Args:
        curves: (seeds, points), one row a run, all measured at the same steps.
        confidence: of the percentile band, in (0, 1).
        resamples: number of bootstrap resamples.
        seed: of the resampling.

    Returns:
        value, low, high: (points,) each; with one seed, low and high equal the value.
    """
    curves = np.asarray(curves, dtype=float)
    if curves.ndim != 2 or curves.size == 0:
        raise ValueError(f"expected an array (seeds, points), got shape {curves.shape}")
    value = interquartile_mean(curves, axis=0)
    if len(curves) < 2:
        return value, value, value
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(curves), size=(resamples, len(curves)))
    scores = interquartile_mean(curves[rows], axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores, [tail, 1 - tail], axis=0)
    return value, low, high


# ------------------------------------------------------------------------------ time to a threshold


def steps_to(steps: Sequence[float], success: Sequence[float], threshold: float) -> float | None:
    """The first measured step at which success is at least ``threshold``; None if never.

    Args:
        steps: increasing environment steps of the measurements.
        success: success rates in [0, 1], one for each.
        threshold: in (0, 1].

    Raises:
        ValueError: unequal arrays, steps that do not increase, or a rate out of its range.
    """
    steps, success = np.asarray(steps, dtype=float), np.asarray(success, dtype=float)
    if steps.shape != success.shape or steps.ndim != 1 or steps.size == 0:
        raise ValueError(f"expected two equal 1-D arrays, got {steps.shape} and {success.shape}")
    if not np.all(np.diff(steps) > 0):
        raise ValueError("expected increasing steps")
    if not (0 < threshold <= 1 and np.all((success >= 0) & (success <= 1))):
        raise ValueError(f"expected rates in [0, 1], got {success.tolist()} against {threshold}")
    reached = np.flatnonzero(success >= threshold)
    return float(steps[reached[0]]) if reached.size else None


@dataclass(frozen=True)
class TimeToThreshold:
    """Time to a success rate over several runs.

    Attributes:
        threshold: the success rate.
        median: the median time in steps; None when half of the runs or more never got there.
        reached: times of the runs that got there, sorted.
        censored: how many never got there.
        budget: the longest budget of the censored runs; each took longer than its own; None
            without any.
    """

    threshold: float
    median: float | None
    reached: tuple[float, ...]
    censored: int
    budget: float | None

    def __str__(self) -> str:
        count = f"{len(self.reached)} of {len(self.reached) + self.censored} runs got there"
        if self.median is not None:
            return f"{self.median:,.0f} steps ({count})"
        return f"no median: {count}" if self.reached else f"not reached ({count})"


def time_to_threshold(
    curves: Sequence[tuple[Sequence[float], Sequence[float]]], threshold: float
) -> TimeToThreshold:
    """The median time to a success rate, runs that never got there counted as later than all.

    Args:
        curves: (steps, success) of each run.
        threshold: success rate in (0, 1].
    """
    if not curves:
        raise ValueError("expected at least one curve, got none")
    times = [steps_to(steps, success, threshold) for steps, success in curves]
    reached = tuple(sorted(t for t in times if t is not None))
    budgets = [float(np.max(s)) for (s, _), t in zip(curves, times, strict=True) if t is None]
    ordered = list(reached) + [math.inf] * len(budgets)
    median = float(np.median(ordered))
    return TimeToThreshold(
        threshold=threshold,
        median=median if math.isfinite(median) else None,
        reached=reached,
        censored=len(budgets),
        budget=max(budgets) if budgets else None,
    )


# ---------------------------------------------------------------------------- ρ and gap closure


def _medians(
    groups: Sequence[Sequence[float]], resamples: int, seed: int
) -> tuple[list[float], list[np.ndarray]]:
    """The median of each group, and its medians in bootstrap resamples."""
    arrays = [np.asarray(g, dtype=float) for g in groups]
    rng = np.random.default_rng(seed)
    drawn = [
        np.median(g[rng.integers(0, g.size, size=(resamples, g.size))], axis=1) for g in arrays
    ]
    return [float(np.median(g)) for g in arrays], drawn


def later_by_ranks(late: Sequence[float], early: Sequence[float]) -> float:
    """Exact one-sided p of the rank-sum test (Wilcoxon 1945): are the first times the later ones?

    Of all ways to deal the runs to two arms of these sizes, the share in which the first arm's
    ranks sum to as much or more. Equal times share a mean rank, so a coarse grid of points does no
    harm as long as both arms have the same.

    Args:
        late: one time a run; inf where it never got there.
        early: those of the other arm.

    Raises:
        ValueError: an arm without a run.
    """
    if not late or not early:
        raise ValueError(f"expected runs in both arms, got {list(late)} and {list(early)}")
    times = np.array([*late, *early], dtype=float)
    below, equal = (times[:, None] > times).sum(1), (times[:, None] == times).sum(1)
    ranks = below + (equal + 1) / 2
    sums = [sum(deal) for deal in combinations(ranks.tolist(), len(late))]
    return float(np.mean(np.array(sums) >= ranks[: len(late)].sum() - 1e-9))


def _require_finite(*groups: Sequence[float]) -> None:
    for group in groups:
        if len(group) == 0 or not np.isfinite(np.asarray(group, dtype=float)).all():
            raise ValueError(
                f"expected finite times, got {list(group)}: a run that never reached the "
                "threshold has no time, give its budget"
            )


def sample_efficiency_ratio(
    pixel_steps: Sequence[float],
    state_steps: Sequence[float],
    *,
    pixel_budgets: Sequence[float] | None = None,
    state_budgets: Sequence[float] | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """ρ = N_pixel / N_state, the median steps to a success rate over each other.

    Of a run that never got there it is known that it takes longer than its budget, and no more. It
    counts with its budget or with infinity, whichever moves a bound of the interval outwards.

    Args:
        pixel_steps: steps to the threshold of each pixel run, inf where it never got there.
        state_steps: the same of each state run.
        pixel_budgets: steps that each pixel run surely took, where that is less than its time, such
            as the last point of its curve before it got there; needed where one never got there.
        state_budgets: the same of each state run.
        confidence: of the percentile interval, in (0, 1).
        resamples: number of bootstrap resamples.
        seed: of the resampling.

    Returns:
        ρ with a bootstrap interval over the seeds of both arms. ``high`` is inf where late runs
        leave no upper bound, ``value`` where half of the pixel runs or more never got there.

    Raises:
        ValueError: an arm without runs, a run with neither time nor budget, or no median of the
            state arm.
    """
    latest = [pixel_steps, state_steps]
    earliest = []
    for steps, budgets in zip(latest, (pixel_budgets, state_budgets), strict=True):
        if budgets is not None and len(budgets) != len(steps):
            raise ValueError(f"expected a budget for each of {len(steps)} runs, got {len(budgets)}")
        known = steps if budgets is None else np.minimum(steps, budgets)
        _require_finite(known)
        earliest.append(known)
    (pixels, state), (pixels_late, state_late) = _medians(latest, resamples, seed)
    if not math.isfinite(state):
        raise ValueError("half of the state runs or more never got there: ρ has no denominator")
    if any(len(steps) < 2 for steps in latest):
        return Interval(pixels / state, math.nan, math.nan)
    _, (pixels_early, state_early) = _medians(earliest, resamples, seed)
    tail = (1 - confidence) / 2
    low = np.quantile(pixels_early / state_late, tail, method="lower")
    high = np.quantile(pixels_late / state_early, 1 - tail, method="higher")
    return Interval(pixels / state, float(low), float(high))


def gap_closure(
    pixel_steps: Sequence[float],
    arm_steps: Sequence[float],
    state_steps: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """(pixel − arm) / (pixel − state) in median steps: 1 is as good as state, 0 gains nothing.

    Args:
        pixel_steps: steps to the threshold of each run of the pixel arm without help.
        arm_steps: the same of the arm that is to win back what pixels cost.
        state_steps: the same of the state arm.
        confidence: of the percentile interval, in (0, 1).
        resamples: number of bootstrap resamples.
        seed: of the resampling.

    Returns:
        The share with a bootstrap interval over the seeds of all three arms; NaN where one has a
        single run. A resample without a gap says nothing of it and widens the interval at both
        ends, to infinity where there are many.

    Raises:
        ValueError: an arm without runs, a run that never got there, or no gap to close.
    """
    groups = (pixel_steps, arm_steps, state_steps)
    _require_finite(*groups)
    if float(np.median(pixel_steps)) == float(np.median(state_steps)):
        raise ValueError("pixels and state need the same number of steps: there is no gap to close")
    (p, a, s), drawn = _medians(groups, resamples, seed)
    value = (p - a) / (p - s)
    if any(len(group) < 2 for group in groups):
        return Interval(value, math.nan, math.nan)
    pixels, arm, state = drawn
    no_gap = pixels == state
    shares = (pixels - arm) / np.where(no_gap, 1, pixels - state)
    tail = (1 - confidence) / 2
    low = np.quantile(np.where(no_gap, -math.inf, shares), tail, method="lower")
    high = np.quantile(np.where(no_gap, math.inf, shares), 1 - tail, method="higher")
    return Interval(value, float(low), float(high))
