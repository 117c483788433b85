"""Numbers keep their units: ``5 cm`` does not break at a line's end, and 90 % is written 90%.

Code, formulas and outputs are left as they are.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

_UNITS = "cm|mm|ms|µs|MB|GB|KB|KiB|MiB|GiB|px|seconds|minutes|min|h|s"
_SPACED = re.compile(rf"(?<=\d) (?=(?:{_UNITS})(?![\w-]))")
_PERCENT = re.compile(r"(?<=\d)[ \u00a0]%")
_EXACT = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)


def keep_together(text: str) -> str:
    """The same text with no-break spaces between numbers and their units.

    The sign of percent follows its number at once, as in the tables that are computed.
    """
    return _PERCENT.sub("%", _SPACED.sub("\u00a0", text))


class NoBreak(SphinxPostTransform):
    """Rewrites the text of a page after every reference has been resolved."""

    default_priority = 900

    def run(self, **kwargs: object) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if isinstance(text.parent, _EXACT):
                continue
            kept = keep_together(text.astext())
            if kept != text.astext():
                text.parent.replace(text, nodes.Text(kept))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(NoBreak)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
