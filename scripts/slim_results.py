#!/usr/bin/env python3
"""Leaves out the videos of all seeds but the first: the repository has room for one of each arm.

    python scripts/slim_results.py          every arm in data/

The provenance keeps the SHA-256 of what was left out, under ``left_out``; the arm's command draws
the video again.
"""

from __future__ import annotations

import json
from pathlib import Path

from labs.artifacts import PROVENANCE, data_root, json_text, load_artifact, write_atomically

VIDEO = "video.mp4"


def slim(path: Path) -> int:
    """Leaves the video of one result out. Returns the bytes that this saves."""
    record = load_artifact(path).provenance
    if VIDEO not in record["files"]:
        return 0
    files = dict(record["files"])
    left_out = {VIDEO: files.pop(VIDEO)}
    saved = (path / VIDEO).stat().st_size
    # First the listing: a killed run then leaves a file that nobody lists, not a missing one.
    write_atomically(path / PROVENANCE, json_text(record | {"files": files, "left_out": left_out}))
    (path / VIDEO).unlink()
    return saved


def main() -> None:
    seeds = [p for p in sorted(data_root().glob("*/seed*")) if (p / PROVENANCE).exists()]
    saved = {p: slim(p) for p in seeds if p.name != "seed0"}
    count = sum(size > 0 for size in saved.values())
    print(json.dumps({"videos_left_out": count, "bytes": sum(saved.values())}))


if __name__ == "__main__":
    main()
