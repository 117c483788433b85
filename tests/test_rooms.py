"""The package's table of rooms names every room, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import labs

FOLDER = Path(labs.__file__).parent


def test_the_table_names_every_room():
    listed = set(re.findall(r"labs\.(\w+)", labs.__doc__.split("=\n\n")[0]))
    there = {p.stem for p in FOLDER.glob("*.py") if p.stem != "__init__"}
    there |= {p.parent.name for p in FOLDER.glob("*/__init__.py")}
    assert listed == there - {"checks"}  # which stands below the table
