"""The package's table of rooms names every room, in an order that the imports keep."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import labs

FOLDER = Path(labs.__file__).parent

#: (importing room, imported room that stands below it) → why. Inside a function only: what is
#: asked for at a command line is fetched when it is asked for.
EXCEPTIONS = {
    ("manipulation_encoder", "figures"): "its mode compare-nature prints and draws a figure",
    ("from_scratch_sac", "figures"): "its demo ends with a drawing of its curve",
    ("drqv2_sac_policy", "routing_probe"): "its mode probe measures the policy",
    ("drqv2_sac_policy", "bridge"): "its mode bridge holds the policy against SB3",
}


def table() -> list[set[str]]:
    """The rooms of each row of the table, from the top."""
    lines = labs.__doc__.split("\n=")[1].splitlines()[1:]
    return [set(re.findall(r"labs\.(\w+)", line)) for line in lines]


def sources() -> dict[str, list[str]]:
    """The source texts of each room; a package is one room. The checks are none."""
    found: dict[str, list[str]] = {}
    for path in sorted(FOLDER.rglob("*.py")):
        room = path.relative_to(FOLDER).parts[0].removesuffix(".py")
        if room not in ("__init__", "checks"):
            found.setdefault(room, []).append(path.read_text())
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """The rooms that a module, or a part of one, imports anywhere."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides its room"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for package, *rest in (name.split(".") for name in names):
            if package == "labs" and rest:
                yield rest[0]


def downward(rows: list[set[str]], texts: dict[str, list[str]]) -> set[tuple[str, str]]:
    """(importing room, imported room) wherever the imported one stands in a later row."""
    rank = {room: i for i, row in enumerate(rows) for room in row}
    return {
        (room, other)
        for room, modules in texts.items()
        for text in modules
        for other in imported(ast.parse(text))
        if other in rank and rank[other] > rank[room]
    }


def test_the_table_names_every_room():
    there = {p.stem for p in FOLDER.glob("*.py") if p.stem != "__init__"}
    there |= {p.parent.name for p in FOLDER.glob("*/__init__.py")}
    rooms = [room for row in table() for room in row]
    assert len(rooms) == len(set(rooms))
    assert set(rooms) == there - {"checks"} == set(sources())


def test_a_room_imports_only_rooms_above_it():
    assert downward(table(), sources()) == EXCEPTIONS.keys()


@pytest.mark.parametrize(("room", "other"), EXCEPTIONS)
def test_an_exception_is_made_inside_a_function(room, other):
    for text in sources()[room]:
        tree = ast.parse(text)
        tree.body = [n for n in tree.body if not isinstance(n, ast.FunctionDef)]
        assert other not in set(imported(tree))


@pytest.mark.parametrize(
    "text",
    [
        "import labs.low",
        "import labs.low.part as part",
        "from labs import low",
        "from labs.low.part import name",
        "def f():\n    if True:\n        from labs.low import name",
    ],
)
def test_an_import_of_a_lower_room_is_found_in_every_form(text):
    rows = [{"top", "beside"}, {"low"}]
    assert downward(rows, {"top": ["", text]}) == {("top", "low")}
    assert not downward(rows, {"low": ["from labs.top import a\nimport labs.beside"]})
    assert not downward(rows, {"top": ["from labs.beside import a"]})
