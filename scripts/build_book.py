#!/usr/bin/env python3
"""Builds the book as HTML, warnings as errors, and says where it is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "_build" / "html" / "index.html"


def main() -> int:
    start = time.perf_counter()
    print("building the book", flush=True)
    program = Path(sys.executable).with_name("jupyter-book")
    built = subprocess.run(
        [program, "build", ".", "--all", "-W", "-n", "--keep-going"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if built.returncode or not HOME.is_file():
        # Sphinx does not repeat the warnings of pages that it has already read: forget them, so
        # that the next build fails for the same reasons.
        shutil.rmtree(ROOT / "_build" / ".doctrees", ignore_errors=True)
        output = re.sub(r"\x1b\[[0-9;]*m", "", built.stdout).replace(f"{ROOT}/", "")
        warnings = [line for line in output.splitlines() if re.search(r"WARNING|ERROR", line)]
        print("\n".join(warnings) or output, file=sys.stderr)
        print("error: the book did not build: warnings are errors", file=sys.stderr)
        return 1
    print(f"built in {time.perf_counter() - start:.0f} s: open {HOME} (or: make serve)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
