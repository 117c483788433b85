#!/usr/bin/env python3
"""Checks the notebook pairs: `.py` and `.ipynb` in step, outputs that belong to the code.

Writes nothing and trusts no file's time. Exit code 1 and one line for each problem.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import nbformat
from notebook_pairs import (
    MAX_BYTES,
    MAX_SECONDS,
    ROOT,
    RUN_KEY,
    light_sources,
    pair_differences,
    stale_reasons,
    training_sources,
)

#: Folders that only exist on the machine of whoever ran the notebook.
OWN_FOLDER = re.compile(r"/(?:root|work|tmp|Users/\w+|home/\w+)/")

#: Base64 spells anything.
PICTURE = re.compile(r"[A-Za-z0-9+/=]{200,}")


def output_problems(pair: Path) -> list[str]:
    """What is wrong with stored outputs: none, an error, size, time, folders of a machine."""
    name = pair.relative_to(ROOT)
    notebook = nbformat.read(pair, as_version=4)
    problems = []
    expected = 1
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        where = f"{name}: cell {number}"
        if cell.execution_count != expected:
            problems.append(f"{where}: execution count {cell.execution_count}, not {expected}")
        expected += 1
        allowed = "raises-exception" in cell.metadata.get("tags", [])
        for output in cell.outputs:
            if output.output_type == "error" and not allowed:
                problems.append(f"{where}: stores an error: {output.ename}")
            if output.output_type == "stream" and output.name == "stderr":
                problems.append(f"{where}: stores stderr")
            if found := OWN_FOLDER.search(PICTURE.sub("", json.dumps(output))):
                problems.append(f"{where}: names a folder of one machine: {found[0]}")
    if (size := pair.stat().st_size) > MAX_BYTES:
        problems.append(f"{name}: {size / 1e6:.2f} MB, more than {MAX_BYTES / 1e6:.0f} MB")
    seconds = notebook.metadata.get(RUN_KEY, {}).get("seconds", 0.0)
    if seconds > MAX_SECONDS:
        problems.append(f"{name}: took {seconds:.0f} s, a light notebook has {MAX_SECONDS:.0f} s")
    return problems


def light_problems(source: Path) -> list[str]:
    """Everything wrong with a light notebook's pair."""
    problems = pair_differences(source) + stale_reasons(source)
    pair = source.with_suffix(".ipynb")
    return problems + (output_problems(pair) if pair.exists() else [])


def orphans() -> list[str]:
    """Notebooks without a `.py`."""
    pairs = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "notebooks/training").glob("*.ipynb")]
    return [
        f"{pair.relative_to(ROOT)}: its .py is missing"
        for pair in sorted(pairs)
        if not pair.with_suffix(".py").exists()
    ]


def main() -> int:
    problems = orphans()
    for source in light_sources():
        problems += light_problems(source)
    for source in training_sources():
        problems += pair_differences(source)
    # A notebook that is missing is one problem, not two.
    problems = list(dict.fromkeys(problems))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(light_sources())} light pairs, {len(training_sources())} training pairs")
    return 1 if problems else 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    raise SystemExit(main())
