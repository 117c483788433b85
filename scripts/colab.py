#!/usr/bin/env python3
"""Makes a hosted notebook machine ready for the book: installs what is missing, and only that.

The first cell of every notebook runs this in Colab, inside a fresh clone. What is there in a
version that will do stays as it is, torch and NumPy first of all. The machine's own notebook
server is left alone too: a kernel that is running must not be exchanged.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
#: The page around the notebook: hosted machines bring their own, older and patched.
FRAME = ("ipykernel", "ipywidgets")


def missing() -> list[str]:
    """The requirements of ``pyproject.toml`` that this Python does not meet."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = []
    for line in project["dependencies"]:
        requirement = Requirement(line)
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wanted.append(line)
            continue
        fits = requirement.specifier.contains(found, prereleases=True)
        if not fits and requirement.name not in FRAME:
            wanted.append(line)
    return wanted


def kept() -> list[str]:
    """``name==version`` of what must not be exchanged while a kernel runs."""
    found = []
    for name in (*FRAME, "torch", "numpy"):
        try:
            found.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def install(wanted: list[str]) -> None:
    """Installs the missing packages beside those that stay, then the book's own."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    if wanted:
        constraints = ROOT / ".stamps" / "kept.txt"
        constraints.parent.mkdir(exist_ok=True)
        constraints.write_text("\n".join(kept()) + "\n", encoding="utf-8")
        subprocess.run([*pip, "--constraint", constraints, *wanted], check=True)
    subprocess.run([*pip, "--no-deps", "--editable", ROOT], check=True)


def see_to_opengl() -> str:
    """The name of what draws; installs software OpenGL where nothing does."""
    ask = [sys.executable, "-c", "from labs import gl; print(gl.probe_gl(gl.GL_BACKEND) or '')"]

    def drawing() -> str:
        result = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True)
        return result.stdout.strip()

    name = drawing()
    if not name and os.geteuid() == 0:
        packages = (ROOT / "binder" / "apt.txt").read_text().split()
        subprocess.run(["apt-get", "-qq", "update"], check=True)
        subprocess.run(
            ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *packages],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        name = drawing()
    return name or "nothing: pictures will fail"


def main() -> int:
    wanted = missing()
    names = ", ".join(Requirement(line).name for line in wanted)
    install(wanted)
    print(f"installed: {names or 'nothing was missing'}; OpenGL: {see_to_opengl()}")
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    raise SystemExit(main())
