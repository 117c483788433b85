"""Parts broken on purpose: the check that ought to notice must fail.

``tests/mutations/<module>.json`` lists the mutants: a snippet of the source that occurs once, what
replaces it, and what catches it: a check of ``labs.checks.<module>``, or a ``test`` file's test.
Each runs in a process of its own on a mutated copy of ``labs``, forked from one that has already
imported the libraries; that the check passes on the true source is `test_checks.py`'s business.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import multiprocessing
import os
import shutil
import sys
import traceback
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LISTS = sorted((ROOT / "tests" / "mutations").glob("*.json"))
MUTANTS = [
    pytest.param(mutant, id=f"{path.stem}-{i}-{mutant['caught_by'].removeprefix('check_')}")
    for path in LISTS
    for i, mutant in enumerate(json.loads(path.read_text()))
]
SECONDS = 300


@pytest.fixture(scope="module")
def processes():
    """Where mutants run: libraries that take seconds to import are there before the fork.

    ``conftest.py`` names them.
    """
    return multiprocessing.get_context("forkserver")


def _run_mutant(folder: Path, mutant: dict) -> None:
    """Runs the check against the copy in ``folder``; exits with 1 if the check fails."""
    said = folder / "said.txt"
    with said.open("w") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True  # nobody imports this copy again
        paths = {"PYTHONPATH": str(folder), "PIXELS_DATA": str(ROOT / "data")}
        os.environ.update(paths, OMP_NUM_THREADS="1")
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # three seconds, and of no use here
        try:
            if "test" in mutant:  # appended, so that the mutated labs is found before the true one
                test = f"{ROOT / mutant['test']}::{mutant['caught_by']}"
                options = ["-q", "-p", "no:cacheprovider", "--import-mode=append"]
                code = int(pytest.main([*options, test]))
            else:
                checks = importlib.import_module(f"labs.checks.{mutant['module']}")
                assert Path(checks.__file__).is_relative_to(folder), "not the mutated copy"
                getattr(checks, mutant["caught_by"])()
                code = 0
        except BaseException:  # whatever the check raises is its failure
            traceback.print_exc()
            code = 1
    sys.exit(code)


def test_every_list_of_mutants_is_there():
    assert len(MUTANTS) >= 138 and [path.stem for path in LISTS] == [
        *("campaign", "drqv2_sac_policy", "encoders", "fast_path"),
        *("image_augmentation", "locator", "pixel_wrapper", "reading"),
    ]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_part_is_caught(mutant, tmp_path, processes):
    shutil.copytree(ROOT / "labs", tmp_path / "labs")  # compiled files too: dates are kept
    target = tmp_path / mutant["file"]
    source = target.read_text()
    assert source.count(mutant["find"]) == 1, f"{mutant['find']!r} must occur once"
    target.write_text(source.replace(mutant["find"], mutant["replace"]))
    check = mutant["caught_by"]
    process = processes.Process(target=_run_mutant, args=(tmp_path, mutant))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        pytest.fail(f"{check} is not through after {SECONDS} s")
    assert process.exitcode == 1, f"{check} passes although {mutant['find']!r} was replaced"
    said = (tmp_path / "said.txt").read_text()
    ran = f"::{check}" if "test" in mutant else f"in {check}"
    assert ran in said, f"it broke before the check ran:\n{said}"
