"""Mathematics as MathML, translated when the book is built: no script, no network.

math-core translates the LaTeX; browsers draw MathML themselves, with the font in
``book/_static/fonts``. A formula that cannot be translated stops the build with its LaTeX.

Browsers do not break a formula: a long one within a line is drawn in pieces, which may.
"""

from __future__ import annotations

import re

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number

# Environments that number every line in LaTeX; the page numbers labeled equations only.
_SELF_NUMBERING = ("align", "alignat", "equation", "gather")
# A formula with more LaTeX than this may be wider than a phone.
_LONG = 40
_RELATION = re.compile(r"=|\\(?:approx|equiv|sim|leq?|geq?|leftarrow|gets|to)(?![a-zA-Z])")
# The annotation keeps the LaTeX, which screen readers and copying may use.
_TRANSLATOR = LatexToMathML(annotation=True)


def prepare(latex: str) -> str:
    r"""Takes the automatic numbers off: ``\begin{align}`` becomes ``\begin{align*}``."""
    for name in _SELF_NUMBERING:
        for edge in ("begin", "end"):
            latex = latex.replace(f"\\{edge}{{{name}}}", f"\\{edge}{{{name}*}}")
    return latex.strip()


def to_mathml(latex: str, *, display: bool) -> str:
    """LaTeX → a ``<math>`` element.

    Raises:
        ExtensionError: LaTeX that cannot be translated.
    """
    try:
        return _TRANSLATOR.convert_with_local_state(prepare(latex), displaystyle=display)
    except LatexError as error:
        raise ExtensionError(f"formula not understood: {latex!r}: {error}") from error


def pieces(latex: str) -> list[str]:
    """A short formula; a long one cut in front of every relation outside braces and brackets."""
    if len(latex) <= _LONG or re.search(r"\\(?:left|begin)\b", latex):
        return [latex]
    cuts = [0]
    for match in _RELATION.finditer(latex):
        before = re.sub(r"\\[{}|]", "", latex[: match.start()])
        if all(before.count(a) == before.count(b) for a, b in ("{}", "()", "[]")) and before:
            cuts.append(match.start())
    return [latex[a:b] for a, b in zip(cuts, [*cuts[1:], len(latex)], strict=True)]


def visit_math(self, node: nodes.math) -> None:
    drawn = " ".join(to_mathml(piece, display=False) for piece in pieces(node.astext()))
    self.body.append(f'<span class="math">{drawn}</span>')
    raise nodes.SkipNode


def visit_math_block(self, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math-block"))
    self.body.append(f'<div class="math">{to_mathml(node.astext(), display=True)}</div>')
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
