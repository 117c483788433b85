"""What a run tells as it goes: the learning curve, a row for each measurement, and its progress."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs.artifacts import finite_or_none, write_atomically

if TYPE_CHECKING:
    from labs.experiments.evaluate import Episodes

COLUMNS = (
    "step",
    "updates",
    "success",
    "return",
    "distance",
    "train_success",
    "critic_loss",
    "actor_loss",
    "ent_coef",
    "wall_time_s",
)


def number(value: Any) -> float | None:
    """A finite float, None for what is missing or no number."""
    return None if value is None else finite_or_none(float(value))


def curve_row(
    found: Episodes,
    *,
    step: int,
    updates: int,
    wall_time: float,
    losses: Mapping[str, float],
    train_success: float | None = None,
) -> dict[str, Any]:
    """A row of the learning curve.

    Args:
        found: the episodes that were played for it.
        step: environment steps so far.
        updates: likewise.
        wall_time: seconds so far.
        losses: those of ``critic_loss``, ``actor_loss`` and ``ent_coef`` that the run has.
        train_success: of the latest episodes of training, where they are counted.
    """
    return {
        "step": step,
        "updates": updates,
        "success": float(found.success.mean()),
        "return": float(found.returns.mean()),
        "distance": float(found.distance.mean()),
        "train_success": number(train_success),
        "critic_loss": number(losses.get("critic_loss")),
        "actor_loss": number(losses.get("actor_loss")),
        "ent_coef": number(losses.get("ent_coef")),
        "wall_time_s": round(wall_time, 1),
    }


def write_progress(
    folder: Path,
    *,
    step: int,
    total: int,
    phase: str,
    curve: list[dict[str, Any]],
    wall_time: float,
) -> dict[str, Any]:
    """Writes how far a run is into its folder, where its launcher looks. Returns what it wrote."""
    progress = {
        "step": step,
        "total": total,
        "phase": phase,
        "success": curve[-1]["success"] if curve else None,
        "wall_time_s": round(wall_time, 1),
        "pid": os.getpid(),
    }
    write_atomically(folder / "progress.json", json.dumps(progress))
    return progress


def write_locating(folder: Path, total: int, what: str, share: float) -> dict[str, Any]:
    """:func:`write_progress` before the first step, while a locator collects or learns."""
    phase = f"locator {what} {share:.0%}"
    return write_progress(folder, step=0, total=total, phase=phase, curve=[], wall_time=0.0)


def curve_csv(rows: list[dict[str, Any]]) -> str:
    """The learning curve as CSV, a missing number as an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return text.getvalue()
