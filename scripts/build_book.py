#!/usr/bin/env python3
"""Builds the book as HTML, warnings as errors, and says where it is.

Where nothing in the repository has changed since it was built, it is not built again: `make test`
after `make book` would do the same work twice.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "_build" / "html" / "index.html"
STAMP = ROOT / ".stamps" / "book"


def contents() -> str | None:
    """A digest of all that the book could be built from; None outside of a git repository."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    digest = hashlib.sha256(" ".join(p.name for p in STAMP.parent.glob("packages-*")).encode())
    for name in sorted(set(listed.decode().split("\0"))):
        path = ROOT / name
        if path.is_file():
            digest.update(name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def main() -> int:
    start = time.perf_counter()
    found = contents()
    if found and HOME.is_file() and STAMP.is_file() and STAMP.read_text() == found:
        print(f"the book is built, and nothing has changed since: open {HOME} (or: make serve)")
        return 0
    STAMP.unlink(missing_ok=True)
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
    if found:
        STAMP.parent.mkdir(exist_ok=True)
        STAMP.write_text(found)
    print(f"built in {time.perf_counter() - start:.0f} s: open {HOME} (or: make serve)")
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    raise SystemExit(main())
