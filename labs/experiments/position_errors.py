"""Errors of a position in millimeters, and their spread over held-out frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labs.statistics import Interval, iqm, wilson

MISS = 50.0  # millimeters: the radius within which Push counts as solved


def mean_interval(values: np.ndarray, groups: np.ndarray | None = None) -> dict[str, float]:
    """A mean with a 95 % interval over held-out frames (normal: they are many).

    ``groups``: consecutive whole numbers, one for each value. Values of one group, an episode say,
    err together and count as one draw; a single group has no spread but that of its values.
    """
    mean = values.mean()
    off = values - mean
    if groups is not None and groups[0] != groups[-1]:
        off = np.bincount(groups - groups[0], off)
    half = 1.96 * off.std(ddof=1) * np.sqrt(len(off)) / len(values)
    return {"mean": float(mean), "low": float(mean - half), "high": float(mean + half)}


def spread(values: np.ndarray, groups: np.ndarray | None = None) -> dict[str, float]:
    """Mean with its interval, median, 95th percentile. Arguments as of :func:`mean_interval`."""
    return mean_interval(values, groups) | {
        "median": float(np.median(values)),
        "p95": float(np.percentile(values, 95)),
    }


def summary(errors: np.ndarray) -> dict[str, Any]:
    """Their :func:`spread`, and how often they exceed 5 cm."""
    missed = wilson(int((errors > MISS).sum()), len(errors))
    return spread(errors) | {
        "missed": {"rate": missed.value, "low": missed.low, "high": missed.high},
        "n": len(errors),
    }


def rounded(value: Any, digits: int = 4) -> Any:
    """The same results, their floats rounded to so many significant digits."""
    if isinstance(value, dict):
        return {k: rounded(v, digits) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v, digits) for v in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def over_seeds(summaries: Sequence[dict]) -> Interval:
    """The mean error of one cell's seeds.

    From two seeds on, the interquartile mean with its bootstrap interval over the seeds; of a
    single seed, its mean with the interval over the held-out frames.
    """
    if len(summaries) > 1:
        return iqm([s["mean"] for s in summaries])
    return Interval(*(summaries[0][k] for k in ("mean", "low", "high")))
