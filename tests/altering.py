"""Artifacts as another run would have left them: changed, and whole by their hashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labs.artifacts import PROVENANCE, load_artifact, sha256, write_record
from labs.bundle import BUNDLE, read_bundle


def unbundle(path: Path) -> None:
    """Puts the files of an artifact's bundle beside its record, where the run had written them."""
    for name, content in read_bundle(path).items():
        (path / name).write_bytes(content)
    (path / BUNDLE).unlink(missing_ok=True)


def alter(path: Path, file: str, change: Callable[[Any], Any]) -> None:
    """Changes a file of an artifact and its hash.

    Args:
        path: the artifact's folder.
        file: a JSON file, ``provenance.json`` among them, whose content ``change`` changes in
            place; or another, whose new text ``change`` returns.
        change: what happens to it.
    """
    unbundle(path)
    record = json.loads((path / PROVENANCE).read_text())
    target = path / file
    if file == PROVENANCE:
        change(record)
    elif file.endswith(".json"):
        value = load_artifact(path).json(file)
        change(value)
        target.write_text(json.dumps(value))
        if record["files"].pop(f"{file}.gz", None):  # it is plain from here on
            target.with_name(f"{file}.gz").unlink()
    else:
        target.write_text(change(target.read_text()))
    if file != PROVENANCE:
        record["files"][file] = sha256(target)
    write_record(path, record)
    load_artifact(path)


def alter_settings(path: Path, **settings: Any) -> None:
    """Changes the configuration that an artifact's record holds."""
    alter(path, PROVENANCE, lambda record: record["parameters"].update(settings))
