"""Numbers with intervals: how sure a result is, from one run and from several seeds.

* one run: success in n episodes is a proportion; Wilson's interval stays honest near 0 and 1.
* several seeds: the interquartile mean with a stratified bootstrap interval (Agarwal et al. 2021,
  arXiv 2108.13264).
* time to a success rate: runs that never get there are censored, never dropped.
* ρ and gap closure: what pixels cost and how much of it an arm wins back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

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
    result = stats.binomtest(int(successes), int(trials))
    low, high = result.proportion_ci(confidence_level=confidence, method="wilson")
    return Interval(successes / trials, float(low), float(high))


def interquartile_mean(values: Sequence[float] | np.ndarray, axis: int | None = None):
    """The mean of the middle half: sorted, a quarter cut (rounded down) at each end.

    With fewer than four values nothing is cut and it is the plain mean.
    """
    return stats.trim_mean(np.asarray(values, dtype=float), 0.25, axis=axis)


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
        confidence: of the percentile interval.
        resamples: number of bootstrap resamples.
        seed: of the resampling.

    Returns:
        The IQM of all scores. With a single run in every group there is no interval: NaN.

    Raises:
        ValueError: no score, or a score that is not finite.
    """
    parts = [np.asarray(g, dtype=float) for g in groups] if _is_nested(groups) else None
    parts = [np.asarray(groups, dtype=float)] if parts is None else parts
    everything = np.concatenate([np.atleast_1d(p) for p in parts])
    if everything.size == 0 or not np.isfinite(everything).all():
        raise ValueError(f"expected at least one finite score, got {everything.tolist()}")
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


def curve_band(
    curves: np.ndarray, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The IQM of learning curves at each step, with a bootstrap band over the seeds.

    Args:
        curves: (seeds, points), one row a run, all measured at the same steps.

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
    """
    steps, success = np.asarray(steps, dtype=float), np.asarray(success, dtype=float)
    if steps.shape != success.shape or steps.ndim != 1 or steps.size == 0:
        raise ValueError(f"expected two equal 1-D arrays, got {steps.shape} and {success.shape}")
    if np.any(np.diff(steps) <= 0):
        raise ValueError("expected increasing steps")
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
        budget: the longest budget of the censored runs, a lower bound of their times; None
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


def _bootstrap(groups, statistic, confidence, resamples, seed) -> Interval:
    groups = [np.asarray(g, dtype=float) for g in groups]
    for group in groups:
        if group.size == 0 or not np.isfinite(group).all():
            raise ValueError(
                f"expected finite times, got {group.tolist()}: a run that never reached the "
                "threshold has no time, compare budgets instead"
            )
    value = float(statistic(*(np.median(g) for g in groups)))
    if any(g.size < 2 for g in groups):
        return Interval(value, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    medians = [
        np.median(g[rng.integers(0, g.size, size=(resamples, g.size))], axis=1) for g in groups
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = statistic(*medians)
    scores = scores[np.isfinite(scores)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores, [tail, 1 - tail]) if scores.size else (math.nan, math.nan)
    return Interval(value, float(low), float(high))


def sample_efficiency_ratio(
    pixel_steps: Sequence[float],
    state_steps: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """ρ = N_pixel / N_state, the median steps to a success rate over each other.

    Args:
        pixel_steps: steps to the threshold of each pixel run.
        state_steps: the same of each state run.

    Returns:
        ρ with a bootstrap interval over the seeds of both arms.

    Raises:
        ValueError: an arm without runs or with a run that never got there.
    """
    return _bootstrap([pixel_steps, state_steps], lambda p, s: p / s, confidence, resamples, seed)


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

    Raises:
        ValueError: an arm without runs, a run that never got there, or no gap to close.
    """
    if float(np.median(pixel_steps)) == float(np.median(state_steps)):
        raise ValueError("pixels and state need the same number of steps: there is no gap to close")
    return _bootstrap(
        [pixel_steps, arm_steps, state_steps],
        lambda p, a, s: (p - a) / (p - s),
        confidence,
        resamples,
        seed,
    )
