"""The built pages in headless Chromium: whole without a network, alive, without barriers.

Besides, colors that stay apart, and a search. What the files hold and whether they are light
enough: ``tests/test_pages.py``.
"""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from labs.figures.style import OKABE_ITO
from tests.browser import BOOK, PHONE, ROOT, overflow, pages, visit

PAGES = pages()


@pytest.fixture(scope="module")
def tab(browser):
    """One tab, in which the pages are opened one after the other."""
    with visit(browser, "<title>empty</title>") as seen:
        yield seen


@pytest.fixture(scope="module")
def opened(tab, request):
    """A page on a desktop, opened once for all tests that look at it.

    They are written in the order in which they may: the page is seen as it comes before anything
    in it is moved, and the last test loads it anew.
    """
    if request.param is None:
        pytest.fail("no built page in _build/html: run `make book` first")
    tab.go_on_to(request.param)
    tab.page.wait_for_load_state("networkidle")
    return tab


on_each_page = pytest.mark.parametrize(
    "opened",
    PAGES or [None],
    ids=[str(p.relative_to(BOOK)) for p in PAGES] or ["no-page"],
    indirect=True,
    scope="module",  # all tests of a page, then the next page
)


# No rule in use reads the style sheets that axe would fetch once more, and which a browser refuses
# to a page that is a file.
AXE = {"resultTypes": ["violations"], "preload": {"assets": ["media"]}}


def barriers(page, options: dict) -> list[str]:
    """What axe-core calls serious or critical: rule, where, what to do."""
    found = Axe().run(page, options=options | AXE)
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
        for violation in found.response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


# A page has thousands of colored words of code. One of each kind shows its contrast, the longest:
# axe passes no judgement on a single letter. The others are hidden from axe, which would take ten
# seconds to look at them all. Rows of a table and cards in a row from the 13th on are taken out:
# one piece of code made them all.
FEW_OF_EACH_KIND = """() => {
    for (const many of document.querySelectorAll("tbody, section"))
        [...many.children].filter((child) => child.matches("tr, .sd-card")).slice(12)
            .forEach((child) => child.remove());
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


# Where colors alone are judged, one text is enough of all that have the same tags, classes and
# styles from the page down: but for the stripes of tables, the style sheets go by nothing else.
ONE_OF_EACH_KIND = """() => {
    const kind = (node) => node === document.body ? ""
        : `${kind(node.parentElement)}>${node.tagName}.${node.className}.${node.style.cssText}`;
    const length = (node) => [...node.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE)
        .map((n) => n.textContent.trim()).join(" ").length;
    const texts = [...document.body.querySelectorAll("*")].filter(length);
    const longest = new Map();
    for (const text of texts) {
        const shown = longest.get(kind(text));
        if (!shown || length(text) > length(shown)) longest.set(kind(text), text);
    }
    const shown = new Set(longest.values());
    for (const text of texts) text.style.visibility = shown.has(text) ? "visible" : "hidden";
}"""


# ------------------------------------------------------------------------ each page in the browser


@pytest.mark.browser
@on_each_page
def test_page_opens_offline_without_a_complaint(opened):
    page = opened.page
    assert not opened.errors, "console errors"
    assert not opened.outside, "the page asked for the network"
    assert not opened.failed, "files of the book that did not load"
    unnamed = page.locator("img:not([alt]), img[alt='']:not([aria-hidden])").evaluate_all(
        "images => images.map((image) => image.src.slice(0, 120))"
    )
    assert not unnamed, "pictures without alternative text"
    broken = page.locator("img").evaluate_all(
        "images => images.filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)"
    )
    assert not broken, "pictures that cannot be decoded"
    formulas = page.locator("span.math, div.math")
    drawn = "nodes => nodes.filter(n => n.querySelector('math')?.getBoundingClientRect().width)"
    assert formulas.count() == formulas.evaluate_all(drawn + ".length"), "formulas not drawn"
    sleeping = page.locator("[data-pnc-widget]:not([data-pnc-live])").count()
    assert not sleeping, "widgets that did not come alive"


@pytest.mark.browser
@on_each_page
def test_axe_finds_no_barrier(opened):
    opened.page.evaluate(FEW_OF_EACH_KIND)
    assert barriers(opened.page, {}) == []


@pytest.mark.browser
@on_each_page
def test_widgets_answer_their_controls(opened):
    """Every slider of every widget changes what it shows; without sliders, its last button does."""
    look = """(host) => host.innerText + [...host.querySelectorAll("canvas")]
        .map((canvas) => canvas.toDataURL()).join("") + [...host.querySelectorAll("svg")]
        .map((svg) => svg.outerHTML).join("")"""
    for host in opened.page.locator("[data-pnc-live]").all():
        host.locator(".pnc-widget").wait_for()
        name = host.get_attribute("data-pnc-widget")
        sliders = host.locator("input[type=range]").all()
        if not sliders:
            first = host.evaluate(look)
            host.locator("button").last.click()
            assert host.evaluate(look) != first, f"{name}: its button changes nothing"
        for slider in sliders:
            if slider.is_disabled() or not slider.is_visible():
                continue
            start = slider.input_value()
            slider.focus()
            opened.page.keyboard.press("Home")
            opened.page.wait_for_timeout(60)
            first = host.evaluate(look)
            opened.page.keyboard.press("End")
            opened.page.wait_for_timeout(60)
            label = slider.get_attribute("aria-valuetext")
            assert host.evaluate(look) != first, f"{name}: a slider moves nothing ({label})"
            slider.fill(start)  # one slider may bound another
    assert not opened.errors


@pytest.mark.browser
@on_each_page
def test_lines_of_code_are_whole_on_a_desk(opened):
    """At 1440 pixels the columns leave room for the 100 characters that a line may have."""
    opened.page.set_viewport_size({"width": 1440, "height": 900})
    cut = opened.page.locator(".cell_input pre").evaluate_all(
        """cells => cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1)
            .map((cell) => cell.textContent.split("\\n")
                .reduce((a, b) => (a.length < b.length ? b : a)))"""
    )
    assert not [line for line in cut if len(line.rstrip()) <= 100], "lines that must be scrolled"


@pytest.mark.browser
@on_each_page
def test_on_a_phone_in_the_dark_the_page_fits_and_has_no_barrier(opened):
    """Loaded anew; of axe's rules, those that depend on colors."""
    page = opened.page
    page.set_viewport_size(dict(zip(("width", "height"), PHONE, strict=True)))
    page.emulate_media(color_scheme="dark")
    page.reload(wait_until="load")
    assert overflow(page) <= 0, "the page scrolls sideways"
    assert page.evaluate("() => document.documentElement.dataset.theme") in ("dark", None)
    page.evaluate(FEW_OF_EACH_KIND)
    page.evaluate(ONE_OF_EACH_KIND)
    assert barriers(page, {"runOnly": ["color-contrast", "link-in-text-block"]}) == []


@pytest.mark.browser
def test_the_tab_hears_each_page_and_forgets_it(tab, tmp_path):
    bad, good = tmp_path / "bad.html", tmp_path / "good.html"
    asks = '<img src="missing.png"><img src="https://example.org/x.png"><script>no()</script>'
    bad.write_text(f"<title>bad</title>{asks}")
    good.write_text("<title>good</title>")
    for path in (bad, good, bad):
        tab.go_on_to(path)
        for complaints in (tab.errors, tab.failed, tab.outside):
            assert bool(complaints) is (path is bad)


@pytest.mark.browser
def test_a_faint_kind_of_word_is_seen_among_many(browser):
    word = '<span class="{}" style="color:{}">{}</span> '
    kinds = [("k", "#000", "import"), ("n", "#ccc", "x"), ("n", "#ccc", "name")]
    code = "".join(word.format(*kind) for kind in kinds * 20)
    text = f'<html lang="en"><title>t</title><main><div class="highlight">{code}</div></main>'
    with visit(browser, text) as seen:
        seen.page.evaluate(FEW_OF_EACH_KIND)
        found = barriers(seen.page, {})
    assert len([line for line in found if line.startswith("color-contrast")]) == 1, found


@pytest.mark.browser
def test_a_faint_kind_of_text_is_seen_among_many(browser):
    """Of two paragraphs with the same tags and classes the longer one; another class is another."""
    said = "".join(f"<p>{'word ' * n}</p>" for n in range(2, 9))
    faint = '<p class="faint">pale words</p><p style="color:#ddd">pale words</p>'
    style = "<style>.faint { color: #ccc }</style>"
    text = f'<html lang="en"><title>t</title>{style}<main><h1>t</h1>{said}{faint}</main>'
    with visit(browser, text) as seen:
        seen.page.evaluate(ONE_OF_EACH_KIND)
        shown = seen.page.locator("p").evaluate_all(
            "all => all.filter((p) => p.style.visibility === 'visible').map((p) => p.innerText)"
        )
        found = barriers(seen.page, {"runOnly": ["color-contrast"]})
    assert shown == [("word " * 8).strip(), "pale words", "pale words"]
    assert len(found) == 2, found


@pytest.mark.browser
def test_a_faint_row_of_a_long_table_is_seen(browser):
    rows = "".join(f"<tr><td>row {i}</td></tr>" for i in range(100))
    rows = rows.replace("<td>row 7<", '<td style="color:#ccc">row 7<')
    text = f'<html lang="en"><title>t</title><main><h1>t</h1><table><tbody>{rows}</tbody></table>'
    with visit(browser, text) as seen:
        seen.page.evaluate(FEW_OF_EACH_KIND)
        assert seen.page.locator("tr:visible").count() == 12
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
        # Sphinx shows one result after the other, and says below the title when it has done.
        seen.page.wait_for_selector("#search-results .search-summary:not(:empty)")
        links = seen.page.locator("#search-results a").evaluate_all("a => a.map(x => x.href)")
        assert any("book/glossary.html" in link for link in links)
        # From a file, the browser forbids fetching the excerpts: titles and links are there.
        assert not seen.outside
