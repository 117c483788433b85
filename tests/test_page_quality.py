"""The quality of the built pages: no barriers for readers, colors that stay apart, a search.

What each page holds, whether it loads offline, fits a phone and is light enough:
``tests/test_pages.py``.
"""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from labs.figures.style import OKABE_ITO
from tests.browser import BOOK, DESKTOP, PHONE, ROOT, overflow, pages, visit

PAGES = pages()
each_page = pytest.mark.parametrize(
    "path", PAGES or [None], ids=[str(p.relative_to(BOOK)) for p in PAGES] or ["no-page"]
)


@pytest.fixture(autouse=True)
def _built(request):
    if "path" in request.fixturenames and request.getfixturevalue("path") is None:
        pytest.fail("no built page in _build/html: run `make book` first")


# ----------------------------------------------------------------------------------- barriers


def barriers(page, options: dict) -> list[str]:
    """What axe-core calls serious or critical: rule, where, what to do."""
    found = Axe().run(page, options=options | {"resultTypes": ["violations"]})
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
        for violation in found.response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


# A page has thousands of colored words of code. One of each kind shows its contrast, the longest:
# axe passes no judgement on a single letter. The others are hidden from axe, which would take ten
# seconds to look at them all.
ONE_OF_EACH_KIND = """() => {
    const length = (word) => word.textContent.trim().length;
    const words = [...document.querySelectorAll(".highlight span[class]")]
        .filter((word) => !word.firstElementChild);
    const longest = new Map();
    for (const word of words) {
        const shown = longest.get(word.className);
        if (!shown || length(word) > length(shown)) longest.set(word.className, word);
    }
    for (const word of words)
        if (longest.get(word.className) !== word) word.style.visibility = "hidden";
}"""


@pytest.mark.browser
@each_page
def test_axe_finds_no_barrier_and_the_page_fits_a_phone(browser, path):
    """Light with all rules; dark, on a phone, with those that depend on colors."""
    with visit(browser, path, size=DESKTOP) as seen:
        seen.page.evaluate(ONE_OF_EACH_KIND)
        assert barriers(seen.page, {}) == []
    colors = {"runOnly": ["color-contrast", "link-in-text-block"]}
    with visit(browser, path, size=PHONE, scheme="dark") as seen:
        assert overflow(seen.page) <= 0, "the page scrolls sideways"
        assert seen.page.evaluate("() => document.documentElement.dataset.theme") in ("dark", None)
        seen.page.evaluate(ONE_OF_EACH_KIND)
        assert barriers(seen.page, colors) == []


@pytest.mark.browser
def test_a_faint_kind_of_word_is_seen_among_many(browser):
    word = '<span class="{}" style="color:{}">{}</span> '
    kinds = [("k", "#000", "import"), ("n", "#ccc", "x"), ("n", "#ccc", "name")]
    code = "".join(word.format(*kind) for kind in kinds * 20)
    text = f'<html lang="en"><title>t</title><main><div class="highlight">{code}</div></main>'
    with visit(browser, text) as seen:
        seen.page.evaluate(ONE_OF_EACH_KIND)
        found = barriers(seen.page, {})
    assert len([line for line in found if line.startswith("color-contrast")]) == 1, found


@pytest.mark.browser
def test_axe_would_find_a_barrier(browser):
    bad = '<html lang="en"><title>t</title><main><img src="x.png"><p style="color:#ccc">faint</p>'
    with visit(browser, bad) as seen:
        found = " ".join(barriers(seen.page, {}))
    assert "image-alt" in found and "color-contrast" in found


# ------------------------------------------------------------------------------------ colors

# What a color becomes without one kind of cone, in linear RGB: Machado, Oliveira and Fernandes
# 2009, severity 1.
VISION = {
    "all cones": np.eye(3),
    "no long-wave cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no middle-wave cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no short-wave cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
WHITE = TO_XYZ.sum(1)
APART = 15.0  # in CIELAB; 2.3 is what one can just tell when two patches touch


def linear(color: str) -> np.ndarray:
    """``#rrggbb`` → linear RGB in [0, 1]."""
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB → CIELAB, where distances are about as large as they look."""
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def closest_pair(palette: dict[str, str], vision: str) -> tuple[float, str, str]:
    """The two colors that a reader with this vision tells apart worst, and their distance."""
    seen = {name: lab(np.array(VISION[vision]) @ linear(color)) for name, color in palette.items()}
    return min(
        (float(np.linalg.norm(seen[a] - seen[b])), a, b)
        for a, b in itertools.combinations(palette, 2)
    )


def widget_palettes() -> dict[str, dict[str, str]]:
    """The series colors of the widgets, light and dark."""
    css = (ROOT / "labs/widgets/base.css").read_text(encoding="utf-8")
    light, dark = css.split('html[data-theme="dark"]', 1)
    read = re.compile(r"--pnc-(blue|orange|red|green|sky|pink|yellow): (#\w{6});")
    found = dict(read.findall(light))
    assert len(found) == 7
    return {"widgets": found, "widgets, dark": found | dict(read.findall(dark))}


PALETTES = {"figures": OKABE_ITO, **widget_palettes()}


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("name", PALETTES)
def test_colors_stay_apart_for_every_reader(name, vision):
    distance, one, other = closest_pair(PALETTES[name], vision)
    assert distance > APART, f"{one} and {other}"


def test_a_palette_of_red_and_green_would_not_pass():
    common = {"red": "#d62728", "green": "#2ca02c", "blue": "#1f77b4"}
    assert closest_pair(common, "all cones")[0] > APART
    assert closest_pair(common, "no middle-wave cones")[0] < APART


# ------------------------------------------------------------------------------------ search


def glossary_terms() -> list[str]:
    """The terms of book/glossary.md."""
    text = (ROOT / "book/glossary.md").read_text(encoding="utf-8")
    body = text.split("```{glossary}", 1)[1].split("```", 1)[0]
    return [line for line in body.splitlines() if line and not line.startswith(" ")]


def test_search_knows_every_term_of_the_glossary():
    content = (BOOK / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(content[content.index("{") : content.rindex("}") + 1])
    entries = index["indexentries"]
    page = index["docnames"].index("book/glossary")
    terms = glossary_terms()
    assert len(terms) > 30
    lost = [
        term
        for term in terms
        if not any(entry[0] == page for entry in entries.get(term.lower(), ()))
    ]
    assert lost == []


@pytest.mark.browser
@pytest.mark.parametrize("term", ["blind twin", "SpatialSoftmax", "hindsight"])
def test_the_search_page_leads_to_the_glossary(browser, term):
    """Offline, in the page that the reader sees."""
    with visit(browser, BOOK / "search.html") as seen:
        # A file's address has no query: what the search field would have sent is searched here.
        seen.page.wait_for_function("() => typeof Search !== 'undefined' && Search.hasIndex()")
        seen.page.evaluate("term => Search.performSearch(term)", term)
        seen.page.wait_for_selector("#search-results ul.search li a")
        links = seen.page.locator("#search-results a").evaluate_all("a => a.map(x => x.href)")
        assert any("book/glossary.html" in link for link in links)
        # From a file, the browser forbids fetching the excerpts: titles and links are there.
        assert not seen.outside
