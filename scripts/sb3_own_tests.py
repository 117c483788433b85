#!/usr/bin/env python3
"""Runs Stable-Baselines3's own tests of saving, dict observations and HER on FastSAC.

    git clone https://github.com/DLR-RM/stable-baselines3
    python scripts/sb3_own_tests.py stable-baselines3

Only the *tests* are taken from the clone; the package is the installed one. ``SAC`` is replaced
before they are imported, and those run that train one. What FastSAC fails, SB3's SAC then runs as
well: what both fail says nothing about FastSAC. The result is ``data/sb3-tests``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

from labs.artifacts import data_root, may_be_replaced, write_measurement
from labs.errors import UserError, ending

FILES = ("test_save_load.py", "test_dict_env.py", "test_her.py")


class Collector:
    """A pytest plugin: keeps the tests of one algorithm, and notes how each of them ends.

    Args:
        algorithm: the class that stands where the tests say ``SAC``.
        only: names of tests, as in ``results``; None: all of them.

    Attributes:
        results: test → ``outcome`` (passed, failed, skipped) and ``reason`` (one line, or "").
        left_out: how many tests train something else, or nothing.
    """

    def __init__(self, algorithm: type, only: Collection[str] | None = None):
        self.algorithm, self.only = algorithm, only
        self.results: dict[str, dict[str, str]] = {}
        self.left_out = 0

    def name(self, nodeid: str) -> str:
        """``test_her.py::test_her[True-SAC]``, wherever the clone lies, whatever the algorithm."""
        file, _, test = nodeid.partition("::")
        return f"{Path(file).name}::{test.replace(self.algorithm.__name__, 'SAC')}"

    def concerns(self, item: Any) -> bool:
        """Whether a test is wanted and trains a SAC: as its parameter, or by name in its body."""
        if self.only is not None and self.name(item.nodeid) not in self.only:
            return False
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if "model_class" in parameters:
            return parameters["model_class"] is self.algorithm
        return "SAC" in item.function.__code__.co_names

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        kept = [item for item in items if self.concerns(item)]
        self.left_out = len(items) - len(kept)
        items[:] = kept

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call" and report.passed:
            return
        self.results[self.name(report.nodeid)] = {
            "outcome": report.outcome,
            "reason": reason(report),
        }


def reason(report: Any) -> str:
    """Why a test did not pass, in one line."""
    if report.passed:
        return ""
    if isinstance(report.longrepr, tuple):  # a skip: file, line, message
        return report.longrepr[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    return next((line.strip() for line in text.splitlines() if line.strip()), "no message")


def run_tests(
    checkout: Path, algorithm: str, only: Collection[str] | None = None
) -> dict[str, Any]:
    """The tests of one algorithm. Needs a process of its own, for it changes SB3's namespace.

    Args:
        checkout: a clone of SB3.
        algorithm: ``FastSAC`` or ``SAC``; it stands where the tests say ``SAC``.
        only: names of tests; None: all of them.

    Returns:
        ``tests`` and ``left_out``, see :class:`Collector`.
    """
    import pytest
    import stable_baselines3
    import torch

    from labs.fast_sac import FastSAC

    torch.set_num_threads(1)
    installed = Path(stable_baselines3.__file__)
    collector = Collector(FastSAC if algorithm == "FastSAC" else stable_baselines3.SAC, only)
    stable_baselines3.SAC = collector.algorithm
    paths = [str(checkout / "tests" / file) for file in FILES]
    options = [
        "--rootdir",
        str(checkout),
        "-q",
        "--tb=line",
        "-m",
        "not expensive",
    ]
    config = checkout / "pyproject.toml"
    options += ["-c", str(config)] if config.exists() else []
    options += ["-p", "no:cacheprovider", "-o", "addopts="]
    code = pytest.main([*paths, *options], plugins=[collector])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise UserError(f"pytest could not run the tests of {checkout}: see above")
    if Path(sys.modules["stable_baselines3"].__file__) != installed:
        raise UserError(f"{checkout} itself was imported: run it outside of that folder")
    return {"tests": collector.results, "left_out": collector.left_out}


def source(checkout: Path, commit: str | None) -> dict[str, str]:
    """Which tests these are: version and commit of the clone, and the version that they test."""
    missing = [file for file in FILES if not (checkout / "tests" / file).is_file()]
    if missing:
        raise UserError(f"{checkout} has no tests/{missing[0]}: give a clone of stable-baselines3")
    version = (checkout / "stable_baselines3" / "version.txt").read_text().strip()
    if commit is None:
        found = subprocess.run(
            ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True
        )
        if found.returncode:
            raise UserError(f"{checkout} is no git repository: name its commit with --commit")
        commit = found.stdout.strip()
    installed = metadata.version("stable-baselines3")
    return {"tests_version": version, "tests_commit": commit, "installed_version": installed}


def in_a_process(*arguments: Any) -> dict[str, Any]:
    """:func:`run_tests` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(run_tests, *arguments).result()


def summary(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Counts, and each test with how FastSAC ended it; what FastSAC failed also with SAC's end.

    Args:
        ours: what :func:`run_tests` returned for FastSAC.
        theirs: what it returned for SAC and the tests that FastSAC failed.
    """
    tests = [{"test": name, **result} for name, result in ours["tests"].items()]
    for test in tests:
        if test["test"] in theirs["tests"]:
            test["sb3"] = theirs["tests"][test["test"]]["outcome"]
    counts = {
        outcome: sum(test["outcome"] == outcome for test in tests)
        for outcome in ("passed", "failed", "skipped")
    }
    return {"run": len(tests), **counts, "left_out": ours["left_out"], "tests": tests}


def measure(clone: Path, commit: str | None, name: str) -> int:
    """Runs the tests of a clone, writes the measurement ``name``, and says how many pass.

    Args:
        clone: of SB3.
        commit: of the clone; None: what its git history says.
        name: of the folder in ``data/``.

    Raises:
        UserError: it is no clone, its commit is unknown, or another measurement has the name.
    """
    what = source(clone, commit)
    path = data_root() / name
    may_be_replaced(path, "measurement", lambda before: before.keys() == what.keys())
    checkout = clone.resolve()
    ours = in_a_process(checkout, "FastSAC")
    failed = [test for test, end in ours["tests"].items() if end["outcome"] == "failed"]
    theirs = in_a_process(checkout, "SAC", failed) if failed else {"tests": {}}
    result = summary(ours, theirs)
    print(write_measurement(name, what | result, parameters=what).path)
    print(f"{result['passed']} of {result['run']} pass, {result['failed']} fail")
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="a clone of stable-baselines3")
    parser.add_argument("--commit", help="of the clone (default: what its git history says)")
    in_data = "of the artifact in data/ (default: %(default)s)"
    parser.add_argument("--name", default="sb3-tests", help=in_data)
    options = parser.parse_args(arguments)
    clone, commit, name = options.checkout, options.commit, options.name
    return ending(parser.prog, lambda: measure(clone, commit, name))


if __name__ == "__main__":
    raise SystemExit(main())
