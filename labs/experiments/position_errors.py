"""Errors of a position in millimeters, and their spread over held-out frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from labs.statistics import Interval, iqm, wilson

MISS = 50.0  # millimeters: the radius within which Push counts as solved


def errors_mm(predicted: Tensor, truth: Tensor) -> dict[str, np.ndarray]:
    """Distances in millimeters: the block's and the goal's on the table, the gripper's in space.

    ``relative`` is the error of the vector from gripper to block, along the table.

    Two columns are a goal; five are a block and a gripper, as in ``TARGETS``.
    """
    difference = 1000 * (predicted - truth).numpy()
    if difference.shape[1] == 2:
        return {"goal": np.linalg.norm(difference, axis=1)}
    return {
        "block": np.linalg.norm(difference[:, :2], axis=1),
        "relative": np.linalg.norm(difference[:, :2] - difference[:, 2:4], axis=1),
        "gripper": np.linalg.norm(difference[:, 2:], axis=1),
    }


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


def summary(errors: np.ndarray) -> dict:
    """Mean error with its interval, median, 95th percentile, and how often it exceeds 5 cm."""
    missed = wilson(int((errors > MISS).sum()), len(errors))
    return mean_interval(errors) | {
        "median": float(np.median(errors)),
        "p95": float(np.percentile(errors, 95)),
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


def by_name(cells: Sequence[dict]) -> dict[str, dict]:
    """Cells of all seeds as one entry each: the name without its seed → errors and seed count."""
    groups: dict[str, list[dict]] = {}
    for cell in cells:
        groups.setdefault(cell["name"].rsplit("-", 1)[0], []).append(cell)
    found = {}
    for name, group in groups.items():
        found[name] = {"seeds": len(group)}
        for thing in ("block", "relative", "gripper", "goal", "shifted"):
            if all(thing in c for c in group):
                parts = [c[thing]["block"] if thing == "shifted" else c[thing] for c in group]
                interval = over_seeds(parts)
                found[name][thing] = {
                    "mean": interval.value,
                    "low": interval.low,
                    "high": interval.high,
                }
                if thing != "shifted":
                    missed = float(np.mean([p["missed"]["rate"] for p in parts]))
                    found[name][thing]["missed"] = missed
    return found
