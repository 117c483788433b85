"""The success of an arm over all its seeds, in a sentence.

    Without a picture it pushes in {success}`push-blind-tuned`.

becomes ``86.3% (84.3% – 89.0%), 5 seeds``: the interquartile mean of the final evaluations with its
bootstrap interval, read from the artifacts when the book is built.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxRole

from labs.errors import UserError
from labs.figures.ledger import measured, success_cell


def success_of(arm: str) -> str:
    """Success of an arm that has results. Raises UserError where it has none."""
    if not measured(arm):
        raise UserError(f"{arm} has no result in data/")
    return success_cell(arm)


class SuccessRole(SphinxRole):
    """The role ``success``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            text = success_of(self.text)
        except UserError as error:
            where = f"{self.env.doc2path(self.env.docname, base=False)}:{self.lineno}"
            raise ExtensionError(f"{where}: {error}") from error
        self.env.note_reread()  # a result that arrives changes no file that this page knows
        return [nodes.inline("", text)], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("success", SuccessRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
