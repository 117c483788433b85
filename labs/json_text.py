"""Results as JSON: missing numbers as missing, arrays as lists, what is short on one line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

JSON_COLUMNS = 160
LONG = 4096  # letters: a block of a disk, and more than one reads


def json_text(value: Any) -> str:
    """JSON with the keys of dictionaries in the order given, indented, ending in a newline.

    What fits into ``JSON_COLUMNS`` stands on one line, and so does a list of numbers. What would be
    longer than :data:`LONG` has no spaces, and its two outer levels an item a line: results with
    many cells stay small.

    Raises:
        ValueError: a NaN or an infinity, which JSON cannot carry: use None.
    """
    plain = json.loads(json.dumps(value, allow_nan=False, default=json_type))
    text = _laid_out(plain, "") + "\n"
    return text if len(text) <= LONG else _packed(plain, levels=2) + "\n"


def _packed(value: Any, levels: int) -> str:
    if not levels or not value or not isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}:{_packed(v, levels - 1)}" for k, v in value.items()]
        opening, closing = "{}"
    else:
        parts = [_packed(v, levels - 1) for v in value]
        opening, closing = "[]"
    return f"{opening}\n" + ",\n".join(parts) + f"\n{closing}"


def _laid_out(value: Any, indent: str) -> str:
    line = json.dumps(value)
    numbers = isinstance(value, list) and not any(isinstance(v, dict | list) for v in value)
    if numbers or not isinstance(value, dict | list) or len(indent + line) <= JSON_COLUMNS:
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}: {_laid_out(v, inner)}" for k, v in value.items()]
        opening, closing = "{}"
    else:
        parts = [_laid_out(v, inner) for v in value]
        opening, closing = "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{closing}"


def json_type(value: Any) -> Any:
    """NumPy scalars and arrays, and paths, as types that JSON has: a ``default`` of ``json.dumps``.

    Raises:
        TypeError: anything else.
    """
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON: {value!r}")


def finite_or_none(value: float) -> float | None:
    """None for NaN and infinities, so that a missing number reads as missing."""
    return float(value) if math.isfinite(value) else None
