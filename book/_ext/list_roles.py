"""Papers as items of their list, for screen readers.

docutils marks a list of papers as a list and each paper with a role that is no list item's and that
ARIA has given up: a screen reader then announces an empty list.
"""

from __future__ import annotations

from sphinx.application import Sphinx


def mend_roles(app, pagename, templatename, context, doctree) -> None:
    """Gives each paper the role of a list item."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", mend_roles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
