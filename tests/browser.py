"""Headless Chromium for the tests of widgets and pages, with the network closed.

``python -m tests.browser --shots DIR`` photographs every built page, whole, at desktop and phone
width, light and dark.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "_build" / "html"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
TIMEOUT_MS = 90_000  # a busy machine is slow, not broken
DESKTOP, PHONE = (1280, 900), (390, 844)


def executable() -> str | None:
    """The system's Chromium: ``$PIXELS_CHROMIUM``, the first on the path, else playwright's own."""
    named = os.environ.get("PIXELS_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that is closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """An open page and everything that it complained about."""

    page: Page
    errors: list[str] = field(default_factory=list)  # console errors and uncaught exceptions
    failed: list[str] = field(default_factory=list)  # local files that did not load
    outside: list[str] = field(default_factory=list)  # requests that wanted the network

    def go_on_to(self, path: Path) -> None:
        """Opens another file in the same tab, on a desktop; what the last page said is forgotten.

        It takes half the time of a fresh visit. Only what pages store in the browser stays.
        """
        self.page.goto("about:blank")  # what the last page still asks for ends here
        self.page.set_viewport_size(dict(zip(("width", "height"), DESKTOP, strict=True)))
        self.page.emulate_media(color_scheme="light")
        for said in (self.errors, self.failed, self.outside):
            said.clear()
        self.page.goto(path.resolve().as_uri(), wait_until="load")


@contextlib.contextmanager
def visit(
    browser: Browser,
    target: Path | str,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: str = "light",
    scripts: bool = True,
) -> Iterator[Visit]:
    """Opens a local file (or HTML text) in a fresh context whose network is closed."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        java_script_enabled=scripts,
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    seen = Visit(page)

    def route(request_route):
        url = request_route.request.url
        if url.startswith(("file:", "data:", "blob:", "about:")):
            request_route.continue_()
        else:
            seen.outside.append(url)
            request_route.abort()

    def console(message):
        if message.type == "error":
            seen.errors.append(f"{message.text} ({message.location.get('url', '')})")

    context.route("**/*", route)
    page.on("console", console)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("requestfailed", lambda request: seen.failed.append(request.url))
    try:
        if isinstance(target, Path):
            page.goto(target.resolve().as_uri(), wait_until="load")
        else:
            page.set_content(target, wait_until="load")
        yield seen
    finally:
        with contextlib.suppress(Error):
            context.close()


def pages(book: Path = BOOK) -> list[Path]:
    """The built pages, generated ones included; not index.html, which only leads on to the home."""
    found = sorted(p for p in book.rglob("*.html") if "_static" not in p.parts)
    return [p for p in found if 'http-equiv="Refresh"' not in p.read_text(encoding="utf-8")]


def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    return page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def screenshots(folder: Path, book: Path = BOOK, only: str = "") -> list[Path]:
    """Photographs every page whole; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with chromium() as browser:
        for path in pages(book):
            name = str(path.relative_to(book).with_suffix("")).replace("/", "-")
            if only not in name:
                continue
            for width, size in (("desktop", DESKTOP), ("phone", PHONE)):
                for scheme in ("light", "dark"):
                    with visit(browser, path, size=size, scheme=scheme) as seen:
                        seen.page.wait_for_timeout(300)
                        shot = folder / f"{name}-{width}-{scheme}.png"
                        seen.page.screenshot(path=shot, full_page=True)
                        written.append(shot)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=Path, required=True, help="folder for the screenshots")
    parser.add_argument("--only", default="", help="only pages whose name contains this")
    arguments = parser.parse_args()
    for path in screenshots(arguments.shots, only=arguments.only):
        print(path)


if __name__ == "__main__":
    main()
