"""What a line's end must not tear apart: 5 cm, a flag in code, a formula and the sign after it.

Numbers keep their units, and the ends of a range each other, by no-break spaces; 90 % is written
90%, as in computed tables.

A browser may break a line after every hyphen and on either side of a formula. The words of inline
code get a class that ``book.css`` reads: ``flag`` for one that starts with a hyphen, ``long`` for
one that may break, between its parts first, because it is wider than what a phone can keep on a
line. Printed lines that stand in columns must not break. Output without columns gets the class
``sentences``: it may, on a phone.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

_UNITS = "cm|mm|ms|µs|MB|GB|KB|KiB|MiB|GiB|px|seconds|minutes|min|h|s"
_SPACED = re.compile(rf"(?<=\d) (?=(?:{_UNITS})(?![\w-]))")
_DASH = "\u00a0–\u2060\u00a0"  # a line may break after a dash, before a no-break space as well
_RANGE = re.compile(r"(?<=[\d%]) – (?=[−-]?\d)")
_PERCENT = re.compile(r"(?<=\d)[ \u00a0]%")
_EXACT = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)

#: Characters that a phone's line holds in any case.
SHORT = 24
_WORD = re.compile(r'<span class="pre">([^<]*)</span>')
# Where a long name is put together: after a dot, a slash or an underscore, before a capital.
_JOINT = re.compile(r"(?<=[./_])(?=\w)|(?<=[a-z])(?=[A-Z])")
# The last formula of its span, and what follows without a space.
_FORMULA = re.compile(
    r"(<math>(?:(?!</?math\b).)*</math>)</span>([^\s<]{1,12})(?=[\s<])", re.DOTALL
)


def keep_units(text: str) -> str:
    """The same text with no-break spaces between numbers and units and within ranges, and none
    before %."""
    return _RANGE.sub(_DASH, _PERCENT.sub("%", _SPACED.sub("\u00a0", text)))


class KeepUnits(SphinxPostTransform):
    """Rewrites the words of a page, but no code, formula or output."""

    default_priority = 900  # after every reference has been resolved

    def run(self, **kwargs: object) -> None:
        for text in list(self.document.findall(nodes.Text)):
            kept = keep_units(text.astext())
            if kept != text.astext() and not isinstance(text.parent, _EXACT):
                text.parent.replace(text, nodes.Text(kept))


def _kind(word: re.Match) -> str:
    length = len(re.sub(r"&#?\w+;", "x", word[1]))
    kind = " long" if length > SHORT else " flag" if re.match(r"--?[a-z]", word[1]) else ""
    text = _JOINT.sub("<wbr>", word[1]) if kind == " long" else word[1]
    return f'<span class="pre{kind}">{text}</span>'


def keep_together(html: str) -> str:
    """Marks the words of inline code, and draws what follows a formula into its span."""
    return _FORMULA.sub(r'<span class="whole">\1\2</span></span>', _WORD.sub(_kind, html))


_PRINTED = re.compile(
    r'(<div class="output stream)([^"]*"><div class="highlight"><pre>)(.*?)</pre>', re.DOTALL
)
_COLUMNS = re.compile(r"\S {2,}\S")


def _wrapping(output: re.Match) -> str:
    columns = sum(bool(_COLUMNS.search(line)) for line in output[3].splitlines())
    return output[0] if columns > 1 else f"{output[1]} sentences{output[2]}{output[3]}</pre>"


def mark_sentences(html: str) -> str:
    """Marks what cells printed, where it does not stand in columns."""
    return _PRINTED.sub(_wrapping, html)


def mend_lines(app, pagename, templatename, context, doctree) -> None:
    """Marks them on a page."""
    if "body" in context:
        context["body"] = mark_sentences(keep_together(context["body"]))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(KeepUnits)
    app.connect("html-page-context", mend_lines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
