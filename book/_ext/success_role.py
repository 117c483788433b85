"""The success of an arm over all its seeds, in a sentence.

    Without a picture it pushes in {success}`push-blind-tuned`.

becomes ``86.3% (84.3% – 89.0%), 5 seeds``: the interquartile mean of the final evaluations with its
bootstrap interval, read from the artifacts when the book is built.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from generated import artifact_root, seeds_below, where
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxRole

from labs.errors import UserError
from labs.figures.ledger import success_in_words


def success_of(arm: str, root: Path) -> str:
    """Success of an arm that has results below ``root``. Raises UserError where it has none."""
    runs = seeds_below(root, arm)
    if not runs:
        raise UserError(f"{arm} has no result in {root}")
    return success_in_words(runs)


class SuccessRole(SphinxRole):
    """The role ``success``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            text = success_of(self.text, artifact_root(self))
        except UserError as error:
            raise ExtensionError(f"{where(self)}: {error}") from error
        self.env.note_reread()  # a result that arrives changes no file that this page knows
        return [nodes.inline("", text)], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("artifact_role")  # where the artifacts lie
    app.add_role("success", SuccessRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
