"""The line under each page's title: how long, on what, and where else the page can be had.

Runtime and hardware come from the page itself: in Markdown from the front matter (``runtime:``,
``hardware:``), in a notebook from its metadata (``book: {runtime: ..., hardware: ...}``). The
addresses are made from the repository's in ``_config.yml``. ``header: false`` leaves the line out.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# Paths of a 16 × 16 drawing each, drawn with the text's own color.
ICONS = {
    "clock": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM8 4v4.3l2.8 1.7",
    "chip": "M4.5 4.5h7v7h-7zM6.5 2v2.5M9.5 2v2.5M6.5 11.5V14M9.5 11.5V14M2 6.5h2.5M2 9.5h2.5"
    "M11.5 6.5H14M11.5 9.5H14",
    "run": "M5 3.2v9.6L12.5 8Z",
    "download": "M8 2v8M4.8 7 8 10.2 11.2 7M2.5 13.5h11",
    "code": "M5.5 4.5 2 8l3.5 3.5M10.5 4.5 14 8l-3.5 3.5",
}


def icon(name: str) -> str:
    """A small inline drawing that screen readers skip."""
    return (
        '<svg class="page-icon" viewBox="0 0 16 16" width="15" height="15" aria-hidden="true" '
        'focusable="false"><path fill="none" stroke="currentColor" stroke-width="1.4" '
        f'stroke-linecap="round" stroke-linejoin="round" d="{ICONS[name]}"/></svg>'
    )


def page_metadata(source: Path, front_matter: dict[str, Any]) -> dict[str, Any]:
    """``runtime``, ``hardware`` and ``header`` of a page."""
    if source.suffix == ".ipynb":
        notebook = json.loads(source.read_text(encoding="utf-8"))
        return dict(notebook["metadata"].get("book", {}))
    return dict(front_matter)


def links(
    relative: str, repository: str, branch: str, up: str, notebook: bool
) -> list[tuple[str, str, str, str]]:
    """(icon, text, address, tooltip) of each badge.

    Args:
        relative: the page's source, from the repository's root.
        repository: the repository's address.
        branch: its branch.
        up: the way from the built page to the book's root, such as ``"../"``.
        notebook: Markdown pages can be neither run nor usefully downloaded.
    """
    found = []
    slug = repository.removeprefix("https://github.com/")
    if notebook:
        colab = f"https://colab.research.google.com/github/{slug}/blob/{branch}/{relative}"
        binder = f"https://mybinder.org/v2/gh/{slug}/{branch}?urlpath=lab/tree/{relative}"
        found += [
            ("run", "Open in Colab", colab, "Run this page on Google's machines"),
            ("run", "Binder", binder, "Run this page on mybinder.org"),
            ("download", "Notebook", f"{up}_sources/{relative}", "Download this page's .ipynb"),
        ]
    source = f"{repository}/blob/{branch}/{relative}"
    return [*found, ("code", "Source", source, "This page's source on GitHub")]


def header_html(metadata: dict[str, Any], badges: list[tuple[str, str, str, str]]) -> str:
    """The header as HTML."""
    parts = []
    for key, name in (("runtime", "clock"), ("hardware", "chip")):
        if value := metadata.get(key):
            parts.append(
                f'<span class="page-fact">{icon(name)}<span class="page-fact-name">'
                f"{key.capitalize()}</span> {escape(str(value))}</span>"
            )
    for name, text, address, tooltip in badges:
        download = " download" if name == "download" else ""
        parts.append(
            f'<a class="page-badge" href="{escape(address)}" title="{escape(tooltip)}"{download}>'
            f"{icon(name)}{escape(text)}</a>"
        )
    return (
        f'<div class="page-header" role="note" aria-label="About this page">{"".join(parts)}</div>'
    )


def add_header(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Puts the header under the first title."""
    if app.builder.format != "html":
        return
    source = Path(app.env.doc2path(docname))
    metadata = page_metadata(source, app.env.metadata.get(docname, {}))
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is None or str(metadata.get("header", "")).lower() == "false":
        return
    options = app.config.html_theme_options
    badges = links(
        source.relative_to(app.srcdir).as_posix(),
        options["repository_url"].rstrip("/"),
        options.get("repository_branch", "main"),
        "../" * docname.count("/"),
        source.suffix == ".ipynb",
    )
    html = header_html(metadata, badges)
    title.parent.insert(title.parent.index(title) + 1, nodes.raw("", html, format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", add_header)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
