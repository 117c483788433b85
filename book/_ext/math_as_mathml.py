"""Mathematics as MathML, which browsers draw themselves, so that it needs no network.

Temml (MIT license, version 0.13.5, in ``book/_static/temml``) translates each formula when the page
opens; the scripts are loaded only by pages that hold a formula. Without scripts the LaTeX stays
readable. A formula that cannot be translated fails the browser test of its page.
"""

from __future__ import annotations

from html import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.math import get_node_equation_number

# Environments that number every line in LaTeX; the page numbers labeled equations only.
_SELF_NUMBERING = ("align", "alignat", "equation", "gather")


def prepare(latex: str) -> str:
    r"""Takes the automatic numbers off: ``\begin{align}`` becomes ``\begin{align*}``."""
    for name in _SELF_NUMBERING:
        for edge in ("begin", "end"):
            latex = latex.replace(f"\\{edge}{{{name}}}", f"\\{edge}{{{name}*}}")
    return latex.strip()


def visit_math(self, node: nodes.math) -> None:
    self.body.append(
        f'<span class="math" data-tex="inline">{escape(prepare(node.astext()))}</span>'
    )
    raise nodes.SkipNode


def visit_math_block(self, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math-block"))
    latex = escape(prepare(node.astext()))
    self.body.append(f'<div class="math" data-tex="block">{latex}</div>')
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def add_scripts(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Adds Temml to the pages that hold a formula."""
    if 'data-tex="' in context.get("body", ""):
        app.add_css_file("temml/temml.css")
        app.add_js_file("temml/temml.min.js", loading_method="defer")
        app.add_js_file("math.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
