"""What roles and directives share that make content at build time."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole

from labs.artifacts import PROVENANCE, Artifact, load_artifact, seed_folders
from labs.errors import UserError

# ------------------------------------------------------------------------------ what there is


def artifact_root(of: SphinxRole | SphinxDirective) -> Path:
    """The folder of all artifacts: as configured, else ``data/``."""
    return Path(of.config.artifact_root or Path(of.env.srcdir) / "data").resolve()


def seeds_below(root: Path, arm: str) -> list[Artifact]:
    """An arm's checked results by seed; none is no error.

    ``labs.artifacts.runs_of`` refuses an arm without results, and looks where programs write them.
    """
    return [load_artifact(p) for p in seed_folders(root / arm) if (p / PROVENANCE).exists()]


# ------------------------------------------------------------------------------- as Markdown


def number(run: Artifact, root: Path, keys: str, form: str) -> str:
    """A number of an artifact below ``root``, through the role ``artifact``."""
    return f"{{artifact}}`{run.path.relative_to(root).as_posix()}:{keys}|{form}`"


def plain(value: Any) -> str:
    """A setting as a reader writes it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " × ".join(map(str, value)) if isinstance(value, list) else str(value)


def listed(knobs: dict[str, tuple[Any, Any]]) -> str:
    """In what a run differs from its preset: knob → (preset, run), in words."""
    return ", ".join(f"`{k}` {plain(b)} for {plain(a)}" for k, (a, b) in knobs.items())


def seed_list(runs: list[Artifact]) -> str:
    """The seeds of runs as a command takes them; those of a first measurement without runs."""
    return " ".join(str(run.seed) for run in runs) or "0 1 2"


def train_command(arm: str, seeds: str) -> str:
    """What a reader types to train the seeds of an arm."""
    return "pixels demo" if arm == "push-demo" else f"pixels train {arm} --seeds {seeds}"


def _row(cells: Iterable[str]) -> str:
    """A line of a table: cells without ends of lines, and bars escaped."""
    escaped = (re.sub(r"(?<!\\)\|", r"\\|", cell).replace("\n", " ") for cell in cells)
    return "| " + " | ".join(escaped) + " |"


def markdown_table(heads: list[str], rows: Iterable[Iterable[str]]) -> str:
    """A table whose cells hold any text."""
    return "\n".join([_row(heads), "|---" * len(heads) + "|", *map(_row, rows)])


# --------------------------------------------------------------------------------- in Sphinx


def where(of: SphinxRole | SphinxDirective) -> str:
    """Page and line, for an error's text."""
    return f"{of.env.doc2path(of.env.docname, base=False)}:{of.lineno}"


class Generated(SphinxDirective):
    """A directive whose content is Markdown made at build time."""

    def markdown(self, root: Path) -> str:
        """The content, from the artifacts below ``root``."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        try:
            text = self.markdown(artifact_root(self))
        except (ValueError, UserError) as error:
            raise ExtensionError(f"{where(self)}: {error}") from error
        self.env.note_reread()  # a result that arrives changes no file that this page knows
        arms = Path(self.env.srcdir) / "labs" / "experiments"
        for path in (arms / "config.py", arms / "presets.py", *arms.glob("arms/*.py")):
            self.env.note_dependency(str(path))
        container = nodes.Element()
        source, _ = self.get_source_info()
        lines = textwrap.dedent(text).splitlines()
        self.state.nested_parse(StringList(lines, source=source), self.content_offset, container)
        return container.children
