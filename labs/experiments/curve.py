"""The learning curve as a file: one row for each measurement."""

from __future__ import annotations

import csv
import io
from typing import Any

from labs.artifacts import finite_or_none

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


def curve_csv(rows: list[dict[str, Any]]) -> str:
    """The learning curve as CSV, a missing number as an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return text.getvalue()
