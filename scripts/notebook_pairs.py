"""The pairs of the book: people write `NN_topic.py`, the `.ipynb` is made of it.

Find the pairs, read a `.py` as a notebook, compare both, say whether the stored outputs still
belong to the code.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import re
import zlib
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
MAX_SECONDS = 60.0  # what a light notebook may take
MAX_BYTES = 1_000_000  # what a notebook may weigh with outputs
REMEDY = "run `make execute`"
RUN_KEY = "run"  # notebook metadata: what the outputs were made of
COLAB_TAG = "colab"
#: The first cell of every light notebook. It is in the `.ipynb` only; pages leave it out.
COLAB_CELL = """\
# In Colab: fetches the book and installs what is missing there. Elsewhere it does nothing.
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules and find_spec("labs") is None:
    !git clone -q --depth 1 https://github.com/pixels-no-cheating/pixels-no-cheating
    %cd -q pixels-no-cheating
    sys.path.insert(0, "")
    !python scripts/colab.py"""
#: Metadata that belongs to the source of a notebook, not to its run.
SOURCE_METADATA = ("book", "kernelspec", "jupytext")


def light_sources() -> list[Path]:
    """The `.py` halves of the light notebooks; `notebooks/training/` is papermill's."""
    return sorted((ROOT / "notebooks").glob("[0-9]*.py"))


def training_sources() -> list[Path]:
    """The `.py` halves of papermill's notebooks."""
    return sorted((ROOT / "notebooks" / "training").glob("*.py"))


def _short_hash(content: bytes) -> str:
    """Enough to see a change; a page may name a hundred inputs."""
    return hashlib.sha256(content).hexdigest()[:8]


def read_source(path: Path) -> NotebookNode:
    """Reads a py:percent file as a notebook; cell ids depend on cells alone."""
    notebook = jupytext.read(path, fmt="py:percent")
    if path.parent == ROOT / "notebooks" and not is_colab_cell(notebook.cells[0]):
        tags = {"tags": [COLAB_TAG, "remove-cell"]}
        notebook.cells.insert(0, nbformat.v4.new_code_cell(COLAB_CELL, metadata=tags))
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = _short_hash(f"{cell.cell_type}\n{cell.source}".encode())
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    jupytext_metadata = notebook.metadata.get("jupytext", {})
    jupytext_metadata.pop("text_representation", None)
    jupytext_metadata.pop("main_language", None)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def is_colab_cell(cell: NotebookNode) -> bool:
    """Whether this is the cell for Colab."""
    return COLAB_TAG in cell.metadata.get("tags", [])


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Writes a notebook atomically, without indents."""
    nbformat.validate(notebook)
    temporary = path.with_suffix(".ipynb.tmp")
    text = re.sub(r"^ +", "", nbformat.writes(notebook), flags=re.MULTILINE)  # no string has a line
    temporary.write_text(text + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _source_metadata(notebook: NotebookNode) -> dict:
    found = {key: dict(notebook.metadata.get(key, {})) for key in SOURCE_METADATA}
    found["jupytext"].pop("text_representation", None)
    found["jupytext"].pop("main_language", None)
    return found


def pair_differences(source: Path) -> list[str]:
    """What differs between a `.py` and its `.ipynb`: cells, tags, metadata. Empty when in step."""
    pair = source.with_suffix(".ipynb")
    name = source.relative_to(ROOT)
    if not pair.exists():
        return [f"{name}: {pair.name} is missing: {REMEDY}"]
    wanted, stored = read_source(source), nbformat.read(pair, as_version=4)
    problems = []
    if len(wanted.cells) != len(stored.cells):
        problems.append(
            f"{name}: {len(wanted.cells)} cells, {pair.name} has {len(stored.cells)}: {REMEDY}"
        )
    for number, (a, b) in enumerate(zip(wanted.cells, stored.cells, strict=False), 1):
        for what in ("cell_type", "source", "metadata"):
            if a[what] != b[what]:
                problems.append(f"{name}: cell {number}: {what} differs in {pair.name}: {REMEDY}")
    if (a := _source_metadata(wanted)) != (b := _source_metadata(stored)):
        keys = [key for key in SOURCE_METADATA if a[key] != b[key]]
        problems.append(f"{name}: metadata {keys} differs in {pair.name}: {REMEDY}")
    return problems


# ------------------------------------------------------------------ what the outputs were made of


def hash_code_cells(notebook: NotebookNode) -> str:
    """One hash of the code cells. Prose and the Colab cell may change."""
    code = [c for c in notebook.cells if c.cell_type == "code" and not is_colab_cell(c)]
    cells = [cell.source.strip() for cell in code]
    return _short_hash("\0".join(cells).encode())


def _code_only(text: str) -> str:
    """A Python file without docstrings, comment lines and blank lines."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    skip: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            skip.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = (
        line.rstrip()
        for number, line in enumerate(text.splitlines(), 1)
        if number not in skip and line.strip() and not line.lstrip().startswith("#")
    )
    return "\n".join(lines)


def input_of(path: Path) -> Path | None:
    """What a run depends on that read or listed this: a module, a whole result, or which exist.

    A page that shows one seed of an arm is out of date as soon as the arm has another, so folders
    of `data/` count as wholes.

    Returns:
        Relative to the repository; None for what lies outside `labs/` and `data/`.
    """
    if not path.is_relative_to(ROOT) or path.suffix == ".pyc":
        return None
    relative = path.relative_to(ROOT)
    if relative.parts[:1] == ("data",):
        return Path(*relative.parts[:2])
    return relative if relative.parts[:1] == ("labs",) and path.is_file() else None


def hash_input(path: Path) -> str:
    """The hash of a module's code, the names in `data/`, what a folder or file holds."""
    if path == ROOT / "data":
        names = (p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
        content = "\0".join(sorted(names)).encode()
    elif path.is_dir():
        inside = ((p, p.relative_to(path).parts) for p in path.rglob("*") if p.is_file())
        # Hidden: under way.
        files = (p for p, parts in inside if not any(part.startswith(".") for part in parts))
        content = "\0".join(
            f"{p.relative_to(path).as_posix()} {hashlib.sha256(p.read_bytes()).hexdigest()}"
            for p in sorted(files)
        ).encode()
    elif path.suffix == ".py":
        content = _code_only(path.read_text(encoding="utf-8")).encode()
    else:
        content = path.read_bytes()
    return _short_hash(content)


# Base64 spells anything, also the words with which authors mark what is left to do.
MARKER = re.compile(r"T[O]DO|F[I]XME|X{3}|HA[C]K|T[B]D|W[I]P")


def packed(inputs: dict[str, str]) -> str:
    """Inputs and their hashes in one line of text: a page may name two hundred.

    Blanks before it mean nothing, and make other letters: as many as leave no marker.
    """
    text = json.dumps(inputs, separators=(",", ":"), sort_keys=True)
    while MARKER.search(line := base64.b64encode(zlib.compress(text.encode(), 9)).decode()):
        text = " " + text
    return line


def unpacked(text: str) -> dict[str, str]:
    """What :func:`packed` was given."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def stale_reasons(source: Path) -> list[str]:
    """Why stored outputs no longer belong to the code. Empty when they do.

    Contents decide, never the times of files: the code cells, every module of `labs` that the
    run imported, and every result of `data/` that it read.
    """
    pair = source.with_suffix(".ipynb")
    name = pair.relative_to(ROOT)
    if not pair.exists():
        return [f"{name}: missing: {REMEDY}"]
    stored = nbformat.read(pair, as_version=4)
    run = stored.metadata.get(RUN_KEY)
    if not run:
        return [f"{name}: has never been run: {REMEDY}"]
    reasons = []
    if run["code"] != hash_code_cells(read_source(source)):
        reasons.append("its code cells")
    for relative, digest in unpacked(run["inputs"]).items():
        path = ROOT / relative
        if not path.exists():
            reasons.append(f"{relative} (gone)")
        elif hash_input(path) != digest:
            reasons.append(relative)
    if not reasons:
        return []
    return [f"{name}: outputs are older than {', '.join(reasons)}: {REMEDY}"]
