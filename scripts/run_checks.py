#!/usr/bin/env python3
"""What `make test` and `make mutations` run, with a time for each part and one line at the end.

Every part runs even when an earlier one failed. A test that was skipped is named; in continuous
integration (CI set) a skipped browser test is a failure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".stamps"
PYTHON = sys.executable


#: Begun first: a long file that begins last is waited for by all other processes.
LONGEST = (
    *("experiments", "page_quality", "laptop_routes", "troubleshooting", "fast_sac", "checks"),
    *("cli", "bench", "campaign", "gradients_along", "contributing"),
)

#: Tests of the tests, which run every part of `labs` once more, broken: `make mutations`.
MUTATIONS = "tests/test_mutations.py"


def checked_files() -> list[str]:
    """Every test file and light notebook: the longest tests, the notebooks, the other tests."""
    tests = [path for path in ROOT.glob("tests/test_*.py") if path != ROOT / MUTATIONS]
    names = {path.stem.removeprefix("test_"): path for path in tests}
    notebooks = sorted(ROOT.glob("notebooks/[0-9]*.ipynb"))
    rest = [names[name] for name in sorted(names.keys() - set(LONGEST))]
    order = [*(names[name] for name in LONGEST), *notebooks, *rest]
    return [str(path.relative_to(ROOT)) for path in order]


def processes() -> int:
    """Test processes: one more than there are cores, since each waits for others now and then.

    Each draws and trains with one thread; more than five gain nothing.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable or 1, 4) + 1


def pytest_command(report: str, *options: str) -> list[str]:
    """Runs pytest on all cores, with a report in which the tests can be counted."""
    return [
        *(PYTHON, "-m", "pytest", "-q", "-n", str(processes()), "--timeout", "900"),
        *(f"--junitxml={REPORTS / report}.xml", *options),
    ]


def parts(mutations: bool) -> list[tuple[str, list[str]]]:
    """Name and command of each part."""
    if mutations:
        return [("mutations", pytest_command("mutations", MUTATIONS))]
    # Tests and notebooks in one run, so that no core waits between the two. A file goes to one
    # process: notebooks and fixtures stay whole. Files are begun in the order given; left to
    # itself, xdist would begin with the file that has the most tests.
    order = ("--dist", "loadfile", "--no-loadscope-reorder")
    notebooks = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300")
    return [
        ("lint", [PYTHON, "-m", "ruff", "check", "."]),
        ("format", [PYTHON, "-m", "ruff", "format", "--check", "."]),
        ("tests", pytest_command("tests", *order, *notebooks, *checked_files())),
    ]


def read_report(name: str) -> tuple[int, list[str]]:
    """Number of tests that ran, and those that did not, with the reason."""
    path = REPORTS / f"{name}.xml"
    if not path.is_file():
        return 0, []
    cases = list(ElementTree.parse(path).iter("testcase"))
    skipped = []
    for case in cases:
        for skip in case.findall("skipped"):
            skipped.append(f"{case.get('classname')}::{case.get('name')}: {skip.get('message')}")
    return len(cases) - len(skipped), skipped


def main(mutations: bool) -> int:
    os.chdir(ROOT)
    REPORTS.mkdir(exist_ok=True)
    # Each process computes with one thread: the processes already fill the cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("PYTHONHASHSEED", "0")
    # A hundred processes import torch. Where Python may keep no bytecode beside its sources, each
    # would compile them anew, which takes as long as the import: it is kept with the reports.
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(REPORTS / "bytecode"))
    start = time.perf_counter()
    failed, summary, not_run = [], [], []
    for name, command in parts(mutations):
        (REPORTS / f"{name}.xml").unlink(missing_ok=True)
        print(f"--- {name}", flush=True)
        began = time.perf_counter()
        code = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
        ran, skipped = read_report(name)
        not_run += skipped
        if code:
            failed.append(name)
        count = f" {ran}" if ran else ""
        seconds = time.perf_counter() - began
        summary.append(f"{name}{count} {'FAILED' if code else 'ok'} ({seconds:.0f} s)")

    for line in not_run:
        print(f"not run: {line}")
    unseen = [line for line in not_run if "chromium" in line.lower()]
    if unseen and os.environ.get("CI"):
        failed.append("browser tests, which must run here")
    minutes = (time.perf_counter() - start) / 60
    print(f"\n{', '.join(summary)}; {len(not_run)} not run; {minutes:.1f} min")
    target = "make mutations" if mutations else "make test"
    print(f"{target}: FAILED: {', '.join(failed)}" if failed else f"{target}: all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mutations",
        action="store_true",
        help="break parts of labs on purpose, one at a time: the test of each must fail",
    )
    raise SystemExit(main(parser.parse_args().mutations))
