"""An exercise's check, stub, solution and hints, taken from the cells of its notebook."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import jupytext

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
#: Checks that need cells of their page first, by words of each.
NEEDS = {
    "check_floor": ("def distances_at_reset(",),
    "check_soft_target": ("class Batch(",),
    "check_relabel": ("STEPS = ", "class Episode("),
    "check_receptive_field": ("NATURE = ",),
    "check_columns_of": ("space = env.observation_space",),
    "check_coordinate_change": ("PAD = ", "def draw_offsets("),
    "check_augment_pair": ("recorded = ", "def difference(", "AUG = "),
    "check_norms": ("env = make_push_env(", "def critic_loss(", "from_critic = arrives("),
    "check_encoder_gradients": ("def push_model(",),
}


@lru_cache
def code_cells(notebook: str) -> list:
    """The code cells of the notebook with this number."""
    (path,) = NOTEBOOKS.glob(f"{notebook}_*.py")
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]


def tagged(notebook: str, tag: str) -> list[str]:
    return [c.source for c in code_cells(notebook) if tag in c.metadata.get("tags", [])]


def checks() -> set[tuple[str, str]]:
    """Number of the notebook and name of the check, for every exercise of the book."""
    numbers = {path.name[:2] for path in NOTEBOOKS.glob("[0-9][0-9]_*.py")}
    return {
        (number, name)
        for number in numbers
        for source in tagged(number, "exercise-test")
        for name in re.findall(r"^def (check_\w+)\(", source, re.MULTILINE)
    }


def answer_name(notebook: str, name: str) -> str:
    attempts = "\n".join(cell.source for cell in code_cells(notebook))
    return re.search(rf"^attempt\({name}, (\w+)\)", attempts, re.MULTILINE)[1]


def run_opening(source: str, scope: dict, constants: bool) -> None:
    """The imports of a page's first cell, on demand its constants, but nothing that it calls."""
    kinds = (ast.Import, ast.ImportFrom) + (ast.Assign,) * constants
    body = [statement for statement in ast.parse(source).body if isinstance(statement, kinds)]
    exec(compile(ast.Module(body, []), "<first cell>", "exec"), scope)


@lru_cache
def check_of(notebook: str, name: str) -> tuple[Callable, Callable]:
    """The check function of an exercise and the solution's answer."""
    scope: dict = {}
    for number, cell in enumerate(code_cells(notebook)):
        tags, source = cell.metadata.get("tags", []), cell.source
        needed = any(words in source for words in NEEDS.get(name, ()))
        if number == 0:
            run_opening(source, scope, constants=needed)
        elif needed or ("exercise-test" in tags and f"def {name}(" in source):
            exec(source, scope)
        elif "solution" in tags and f"\n{name}(" in source:
            exec(source.split(f"\n{name}(")[0], scope)
    return scope[name], scope[answer_name(notebook, name)]


def stub_of(notebook: str, name: str) -> Callable:
    """What the reader finds in the place of an answer."""
    answer, scope = answer_name(notebook, name), {}
    (source,) = (s for s in tagged(notebook, "exercise") if f"def {answer}(" in s)
    exec(source, scope)
    return scope[answer]


def hints_of(notebook: str, name: str) -> list[str]:
    """The messages of a check; what a message fills in is left out."""
    (source,) = (s for s in tagged(notebook, "exercise-test") if f"def {name}(" in s)
    messages = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and not isinstance(node.msg, ast.Name):
            messages.append(node.msg)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "mistakes":
            messages += node.value.keys
    return [
        " ".join(n.value for n in ast.walk(message) if isinstance(getattr(n, "value", None), str))
        for message in messages
    ]
