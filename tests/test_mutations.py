"""Parts broken on purpose: the check that ought to notice must fail.

``tests/mutations/<module>.json`` lists the mutants: a snippet of the source that occurs once, what
replaces it, and what catches it: a check of ``labs.checks.<module>``, or a ``test`` file's test.
Each runs in a process of its own on a mutated copy of
``labs``; that the check passes on the true source is `test_checks.py`'s business.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MUTANTS = [
    pytest.param(mutant, id=f"{path.stem}-{i}-{mutant['caught_by'].removeprefix('check_')}")
    for path in sorted((ROOT / "tests" / "mutations").glob("*.json"))
    for i, mutant in enumerate(json.loads(path.read_text()))
]


def test_there_are_enough_mutants():
    assert len(MUTANTS) >= 20


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_part_is_caught(mutant, tmp_path):
    shutil.copytree(ROOT / "labs", tmp_path / "labs", ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path / mutant["file"]
    source = target.read_text()
    assert source.count(mutant["find"]) == 1, f"{mutant['find']!r} must occur once"
    target.write_text(source.replace(mutant["find"], mutant["replace"]))
    check = mutant["caught_by"]
    if "test" in mutant:  # appended, so that the mutated labs is found before the true one
        test = f"{ROOT / mutant['test']}::{check}"
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=append", test]
    else:
        command = ["-c", f"import labs.checks.{mutant['module']} as c; c.{check}()"]
    paths = {"PYTHONPATH": str(tmp_path), "PIXELS_DATA": str(ROOT / "data")}
    result = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, **paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 1, f"{check} passes although {mutant['find']!r} was replaced"
    ran = f"::{check}" if "test" in mutant else f"in {check}"
    said = result.stdout + result.stderr
    assert ran in said, f"it broke before the check ran:\n{said}"
