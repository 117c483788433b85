"""Keeps every built page free of the network and of the stock theme's two console errors.

Jupyter Book always loads sphinx-thebe, whose scripts point to a CDN and declare ``THEBE_JS_URL``
twice. The book has no live kernel on its pages, so that extension's scripts, styles and page parts
are taken out again.
"""

from __future__ import annotations

from sphinx.application import Sphinx


def drop_thebe_handlers(app: Sphinx) -> None:
    """Disconnects the event handlers of sphinx-thebe."""
    for name, listeners in app.events.listeners.items():
        app.events.listeners[name] = [
            one for one in listeners if not one.handler.__module__.startswith("sphinx_thebe")
        ]


def drop_thebe_files(app, pagename, templatename, context, doctree) -> None:
    """Takes what is left of sphinx-thebe from a page's scripts and styles."""

    def kept(file) -> bool:
        name = str(getattr(file, "filename", "") or "")
        body = str(getattr(file, "attributes", {}).get("body") or "")
        return "thebe" not in (name + body).lower()

    for key in ("script_files", "css_files"):
        context[key] = [file for file in context.get(key, []) if kept(file)]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", drop_thebe_handlers, priority=0)
    app.connect("html-page-context", drop_thebe_files, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
