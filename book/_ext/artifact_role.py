"""Numbers in the prose, read from the artifacts when the book is built.

    {artifact}`push-floor:floor.mean|pct1`
    {artifact}`reach-state/seed0:evaluation.success_rate|pct0`

Before the colon: the artifact's folder below ``data/``. After it: a JSON file of the folder without
its ending (``measurement`` may be left out), then the keys, joined by dots. A list is entered by an
index, or, if it has a row for each run or arm, by its name, such as ``push-told/seed0``.
After the bar: the format, see :data:`FORMATS`.

A missing artifact, a wrong hash, an unknown key or a value that does not fit its format is a build
error. Each number becomes ``<span class="artifact" data-artifact="…">``, so that a test can compare
the built pages with the artifacts.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from generated import artifact_root, where
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxRole

from labs.artifacts import PROVENANCE, load_artifact
from labs.errors import UserError

_REFERENCE = re.compile(r"^(?P<folder>[^:|\s]+):(?P<keys>[^:|\s]+?)(?:\|(?P<format>\w+))?$")


def _duration(seconds: float) -> str:
    """One number with its unit: a sentence has room for no more."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _metric(value: float) -> str:
    """Three digits and K, M or G."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {letter}"
    return f"{value:.3g}"


#: Format → function of the number. ``N`` stands for a digit.
FORMATS = {
    "int": lambda value: f"{value:,.0f}",  # 21,168
    "metric": _metric,  # 500 K
    "duration": _duration,  # seconds → 42 s, 12 min, 3.5 h
    "min": lambda value: f"{value / 60:.0f}",  # seconds → minutes, no unit
    "hours": lambda value: f"{value / 3600:.1f}",  # seconds → hours, no unit
    "gb": lambda value: f"{value / 1e9:.1f} GB",  # bytes
    "mb": lambda value: f"{value / 1e6:.1f} MB",  # bytes
    "cm": lambda value: f"{value * 100:.1f} cm",  # meters
    "ms": lambda value: f"{value * 1000:.1f} ms",  # seconds
}
_DIGITS = {
    "f": lambda value, n: f"{value:,.{n}f}",  # f2: 0.43
    "pct": lambda value, n: f"{100 * value:.{n}f}%",  # pct1: 4.9%
    "x": lambda value, n: f"{value:.{n}f}×",  # x1: 3.4×
}


def format_value(value: Any, format: str | None) -> str:
    """A JSON value as the page shows it.

    Raises:
        ValueError: unknown format, or a value that it cannot show.
    """
    if format is None:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
        raise ValueError(f"received {value!r} without a format: give one, such as |f2 or |pct1")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"received {value!r}, expected a number for the format {format!r}")
    if format in FORMATS:
        text = FORMATS[format](value)
    elif (match := re.fullmatch(r"(f|pct|x)(\d)", format)) is not None:
        text = _DIGITS[match[1]](value, int(match[2]))
    else:
        known = ", ".join([*FORMATS, *(f"{name}N" for name in _DIGITS)])
        raise ValueError(f"unknown format {format!r}: expected one of {known}")
    return text.replace("-", "−")


def _row(rows: list, key: str) -> Any:
    """A list's entry, by its index or by the one run that it is of; else LookupError."""
    if key.isdecimal():
        return rows[int(key)]
    named = [row for row in rows if isinstance(row, dict)]
    found = [
        row
        for row in named
        if key in (row.get("run"), row.get("arm"), f"{row.get('arm')}/seed{row.get('seed')}")
    ]
    if len(found) != 1:
        raise LookupError(key)
    return found[0]


def _locate(reference: str, root: Path) -> tuple[Path, Any, str | None]:
    match = _REFERENCE.match(reference.strip())
    if match is None:
        raise ValueError(f"received {reference!r}, expected <folder>:<file>.<key>|<format>")
    artifact = load_artifact((Path(root) / match["folder"]).resolve())
    first, *rest = match["keys"].split(".")
    own = artifact.lies_as(f"{first}.json") in artifact.provenance["files"]
    if own or first == "provenance":
        keys = rest
    else:
        first, keys = "measurement", [first, *rest]
    name = f"{first}.json"
    value = artifact.provenance if first == "provenance" else artifact.json(name)
    for depth, key in enumerate(keys):
        try:
            value = _row(value, key) if isinstance(value, list) else value[key]
        except (LookupError, TypeError):
            where = ".".join([name, *keys[:depth]])
            known = list(value) if isinstance(value, dict) else type(value).__name__
            raise ValueError(f"{reference!r}: no {key!r} in {where}, which has {known}") from None
    lies = artifact.path / PROVENANCE if first == "provenance" else artifact.lies_in(name)
    return lies, value, match["format"]


def resolve(reference: str, root: str | Path) -> str:
    """The text that stands for a reference.

    Args:
        reference: ``<folder>:<file>.<keys>|<format>``.
        root: the folder of all artifacts, ``data/``.

    Raises:
        ValueError: the reference is malformed, or has no such key or format.
        UserError: the artifact is missing or damaged.
    """
    _, value, format = _locate(reference, Path(root))
    try:
        return format_value(value, format)
    except ValueError as error:
        raise ValueError(f"{reference!r}: {error}") from None


class ArtifactRole(SphinxRole):
    """The role ``artifact``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        root = artifact_root(self)
        try:
            path, _, _ = _locate(self.text, root)
            text = resolve(self.text, root)
        except (ValueError, UserError) as error:
            raise ExtensionError(f"{where(self)}: {error}") from error
        for file in (path, path.parent / PROVENANCE):
            self.env.note_dependency(str(file))  # a new result makes the page anew
        reference = escape(self.text, quote=True)
        span = f'<span class="artifact" data-artifact="{reference}">{escape(text)}</span>'
        return [nodes.raw("", span, format="html")], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("artifact_root", "", "env")
    app.add_role("artifact", ArtifactRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
