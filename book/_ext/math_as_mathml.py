"""Mathematics as MathML, translated when the book is built: no script, no network.

math-core translates the LaTeX; browsers draw MathML themselves, with the font in
``book/_static/fonts``. A formula that cannot be translated stops the build with its LaTeX.
"""

from __future__ import annotations

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number

# Environments that number every line in LaTeX; the page numbers labeled equations only.
_SELF_NUMBERING = ("align", "alignat", "equation", "gather")
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


def visit_math(self, node: nodes.math) -> None:
    self.body.append(f'<span class="math">{to_mathml(node.astext(), display=False)}</span>')
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
