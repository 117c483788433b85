"""The film of a training run, inside a page that is no notebook.

    ```{film} push-located-rewards-n3/seed0
    :alt: The gripper goes behind the block and pushes it to the target.
    ```

The film stands in the page itself, as those of the notebooks do: it plays without a network.
"""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import directives
from generated import artifact_root, where
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from labs.artifacts import load_artifact
from labs.errors import UserError
from labs.figures import results


class Film(SphinxDirective):
    """The directive ``film``."""

    required_arguments = 1
    option_spec = {"alt": directives.unchanged_required, "width": directives.positive_int}

    def run(self) -> list[nodes.Node]:
        if "alt" not in self.options:
            raise ExtensionError(f"{where(self)}: a film needs :alt:, for those who cannot see it")
        try:
            run = load_artifact(artifact_root(self) / self.arguments[0])
            shown = results.film(run, self.options["alt"], self.options.get("width", 320))
        except UserError as error:
            raise ExtensionError(f"{where(self)}: {error}") from error
        self.env.note_dependency(str(run.path / "video.mp4"))
        return [nodes.raw("", shown.data, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("film", Film)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
