"""The built book as files: every link, every number, every widget and notebook in its place.

The pages are those of ``_build/html``; build them first with ``make book``. In a browser they are
opened by ``tests/test_page_quality.py``.
"""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest

from tests.browser import BOOK, ROOT, pages

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import line_breaks
from artifact_role import format_value, resolve
from math_as_mathml import pieces, prepare, to_mathml
from page_header import links
from sphinx.errors import ExtensionError

from labs.artifacts import write_measurement
from labs.errors import UserError

PAGES = pages()
each_page = pytest.mark.parametrize(
    "path", PAGES or [None], ids=[str(p.relative_to(BOOK)) for p in PAGES] or ["no-page"]
)
SPAN = re.compile(r'<span class="artifact" data-artifact="([^"]*)">([^<]*)</span>')
MAX_PAGE_BYTES = 1_500_000


@pytest.fixture(autouse=True)
def _built(request):
    if "path" in request.fixturenames and request.getfixturevalue("path") is None:
        pytest.fail("no built page in _build/html: run `make book` first")


# ------------------------------------------------------------------------------------- the files


@each_page
def test_links_inside_the_book_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    broken = []
    for address in set(re.findall(r'(?:href|src)="([^"]+)"', text)):
        address = html.unescape(address)
        scheme = urlparse(address).scheme
        if scheme in ("data", "mailto", "javascript") or address == "#":
            continue
        if scheme:
            if scheme not in ("http", "https") or not urlparse(address).netloc:
                broken.append(address)
            continue
        target, fragment = urldefrag(urljoin(path.as_uri(), address))
        file = Path(unquote(urlparse(target).path))
        if not file.is_file():
            broken.append(address)
        elif fragment and file.suffix == ".html":
            if f'id="{unquote(fragment)}"' not in file.read_text(encoding="utf-8"):
                broken.append(address)
    assert not broken


@each_page
def test_page_is_light(path):
    pictures = re.findall(r'<img[^>]*src="([^":]+)"', path.read_text(encoding="utf-8"))
    files = {path.parent / unquote(picture) for picture in pictures} | {path}
    size = sum(file.stat().st_size for file in files if file.is_file())
    assert size < MAX_PAGE_BYTES, f"{size / 1e6:.1f} MB"


@each_page
def test_numbers_in_the_prose_are_the_artifacts(path):
    wrong = stale_numbers(path, ROOT / "data")
    assert not wrong, "run `make book` again, or mend the artifact"


#: A role that was to become text, outside of code. A bar cuts the one in a table's cell in two.
RAW_ROLE = re.compile(r"\{(?:artifact|success|verdict|doc|term|cite(?::\w+)?|eq|numref)\}")


@each_page
def test_no_role_is_left_as_it_was_written(path):
    text = path.read_text(encoding="utf-8")
    prose = re.sub(r"<(pre|script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert RAW_ROLE.findall(prose) == []


def stale_numbers(path: Path, root: Path) -> list[str]:
    """The numbers of a built page that the artifacts no longer say."""
    found = []
    for reference, shown in SPAN.findall(path.read_text(encoding="utf-8")):
        now = resolve(html.unescape(reference), root)
        if now != html.unescape(shown):
            found.append(f"{html.unescape(reference)}: the page says {shown}, the artifact {now}")
    return found


def test_the_book_holds_every_widget():
    """Each widget of ``labs/widgets`` stands on some page; ``test_page_quality.py`` moves it."""
    made = {p.stem for p in (ROOT / "labs" / "widgets").glob("*.js")} - {"base", "static"}
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert made == set(re.findall('data-pnc-widget="([a-z_]+)"', text))


def test_every_page_of_the_toc_was_built():
    import yaml

    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    names = [toc["root"]]
    for part in toc.get("parts", []):
        for chapter in part["chapters"]:
            names += [chapter["file"], *(s["file"] for s in chapter.get("sections", []))]
    missing = [name for name in names if not (BOOK / f"{name}.html").is_file()]
    assert not missing, "run `make book` first"


def test_each_notebook_page_offers_its_notebook():
    for path in BOOK.glob("notebooks/*.html"):
        text = path.read_text(encoding="utf-8")
        header = re.search(r'<div class="page-header".*?</div>', text, re.DOTALL)
        assert header, f"{path.name} has no line under its title"
        for words in ("Runtime", "Hardware", "Open in Colab", "Source"):
            assert words in header[0], f"{path.name}: {words}"
        download = re.search(r'href="([^"]+\.ipynb)"[^>]* download', header[0])[1]
        assert "cells" in json.loads((path.parent / download).read_text(encoding="utf-8"))


def test_the_repository_has_one_address():
    """What is written out in prose equals ``_config.yml``, from which the badges are made."""
    import yaml

    address = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    name = address.rsplit("/", 1)[1]
    files = [*ROOT.glob("*.md"), *ROOT.glob("*.cff"), *ROOT.glob("book/*.md"), ROOT / "_config.yml"]
    written = re.compile(rf"https://github\.com/[\w.-]+/{name}")
    others = {
        f"{file.name}: {found}"
        for file in files
        for found in written.findall(file.read_text(encoding="utf-8"))
        if found != address
    }
    assert not others


# ------------------------------------------------------------------ the extensions' functions


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder of artifacts with one measurement, and one that is large enough to be compressed."""
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    values = {"rate": 0.0494, "frames": [21168, -3], "name": "EGL", "seconds": 750.0, "flag": True}
    values["runs"] = [{"run": "push/seed0", "mm": 7.1}, {"arm": "push", "seed": 1, "mm": 3.2}]
    write_measurement("floor", values, parameters={})
    write_measurement("large", values | {"frames": list(range(5000))}, parameters={})
    return tmp_path


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("floor:rate|pct1", "4.9%"),
        ("floor:measurement.rate|pct0", "5%"),
        ("floor:rate|f2", "0.05"),
        ("floor:frames.0|int", "21,168"),
        ("floor:frames.1|int", "−3"),
        ("floor:frames.0|metric", "21.2 K"),
        ("floor:seconds|duration", "12 min"),
        ("floor:runs.push/seed0.mm|f1", "7.1"),
        ("floor:runs.push/seed1.mm|f1", "3.2"),
        ("large:measurement.frames.4321|int", "4,321"),
        ("large:frames.4321|int", "4,321"),
        ("floor:name", "EGL"),
        ("floor:provenance.kind", "measurement"),
    ],
)
def test_a_reference_becomes_text(data, reference, expected):
    assert resolve(reference, data) == expected


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("floor", "expected <folder>"),
        ("floor:rat|pct1", "no 'rat' in measurement.json"),
        ("floor:frames.7|int", "no '7'"),
        ("floor:frames.push/seed0|int", "no 'push/seed0'"),
        ("floor:runs.push/seed2.mm|f1", "no 'push/seed2'"),
        ("floor:rate", "without a format"),
        ("floor:rate|percent", "unknown format"),
        ("floor:name|f2", "expected a number"),
        ("floor:flag|int", "expected a number"),
    ],
)
def test_a_wrong_reference_is_named(data, reference, complaint):
    with pytest.raises(ValueError, match=complaint):
        resolve(reference, data)


def test_a_missing_or_damaged_artifact_is_an_error(data):
    with pytest.raises(UserError, match="no artifact"):
        resolve("ceiling:rate|pct1", data)
    with open(data / "floor" / "measurement.json", "a") as file:
        file.write("\n")
    with pytest.raises(UserError, match="damaged"):
        resolve("floor:rate|pct1", data)


def test_a_changed_artifact_is_seen_in_the_built_page(data):
    page = data / "page.html"
    shown = resolve("floor:rate|pct1", data)
    page.write_text(f'<span class="artifact" data-artifact="floor:rate|pct1">{shown}</span>')
    assert stale_numbers(page, data) == []
    write_measurement("floor", {"rate": 0.07}, parameters={})
    assert stale_numbers(page, data) == ["floor:rate|pct1: the page says 4.9%, the artifact 7.0%"]


def test_durations_choose_their_unit():
    shown = [format_value(s, "duration") for s in (42, 750, 12600)]
    assert shown == ["42 s", "12 min", "3.5 h"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("95 % of 5 cm", "95% of 5\u00a0cm"),
        ("{90, 94} %", "{90, 94} %"),
        ("in 38 s, 2 h or 20 min", "in 38\u00a0s, 2\u00a0h or 20\u00a0min"),
        ("12 mm-wide", "12 mm-wide"),
        ("86 % (84 – 89)", "86% (84\u00a0–\u2060\u00a089)"),
        ("70.0% – 87.0%", "70.0%\u00a0–\u2060\u00a087.0%"),
        ("a clause – 2 words", "a clause – 2 words"),
        ("3 sets of 4 holes", "3 sets of 4 holes"),
    ],
)
def test_numbers_keep_their_units(written, shown):
    assert line_breaks.keep_units(written) == shown


def test_formulas_lose_their_automatic_numbers():
    assert prepare(r"\begin{align} a &= b \end{align}") == r"\begin{align*} a &= b \end{align*}"
    assert prepare(r"\begin{align*}a\end{align*}") == r"\begin{align*}a\end{align*}"


def test_a_formula_that_cannot_be_translated_stops_the_build():
    assert to_mathml(r"\hat p \le 1", display=False).startswith("<math")
    with pytest.raises(ExtensionError, match="not understood"):
        to_mathml(r"\nosuchcommand{x}", display=True)


def test_a_long_formula_may_break_at_its_relations():
    long = r"\log(1 - \tanh^2 u) = 2\,(\log 2 - u - \mathrm{softplus}(-2u))"
    assert [p.strip() for p in pieces(long)] == [long.split(" = ")[0], "= " + long.split(" = ")[1]]
    assert "".join(pieces(long)) == long
    for whole in (
        "a = b",
        r"\sum_{i = 1}^{n} f(x_i = y) + \text{a = b} + 1 + 2",
        r"\left(a = b\right)" * 3,
    ):
        assert pieces(whole) == [whole]


def test_a_sign_stays_with_its_formula():
    drawn = (
        f'<span class="math">{to_mathml("a", display=False)} {to_mathml("r", display=False)}</span>'
    )
    kept = line_breaks.keep_together(f"<p>{drawn}&gt;? And {drawn} so</p>")
    first, rest = kept.split(" And ")
    assert first.endswith("</math>&gt;?</span></span>") and rest == f"{drawn} so</p>"
    assert first.index('class="whole"') > first.index("</math>"), "the pieces come apart"


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("--seeds", "pre flag"),
        ("-y", "pre flag"),
        ("-0.5", "pre"),
        ("push-step2", "pre"),
        ("&quot;" * 24, "pre"),
        ("labs.image_augmentation.HerDrQ", "pre long"),
        ("--checkpoint-every-so-often", "pre long"),
    ],
)
def test_words_of_code_say_where_they_may_break(word, kind):
    made = line_breaks.keep_together(f'<code><span class="pre">{word}</span></code>')
    assert made.replace("<wbr>", "") == f'<code><span class="{kind}">{word}</span></code>'


def test_a_long_name_breaks_between_its_parts():
    def made(name):
        return line_breaks.keep_together(f'<span class="pre">{name}</span>')

    long = made("labs.image_augmentation.HerDrQBuffer")
    assert ">labs.<wbr>image_<wbr>augmentation.<wbr>Her<wbr>Dr<wbr>QBuffer<" in long
    assert "<wbr>" not in made("labs.HerDrQ")


@pytest.mark.parametrize(
    ("printed", "wraps"),
    [
        ("a sentence that is longer than a phone is wide\nand another one", True),
        ("name    value\n", True),  # one line is no column
        ("name    value\nalpha   0.02\n", False),
    ],
)
def test_only_printed_lines_in_columns_keep_their_width(printed, wraps):
    start = '<div class="output stream highlight-none"><div class="highlight"><pre>'
    made = line_breaks.mark_sentences(f"{start}{printed}</pre></div></div>")
    assert ('class="output stream sentences' in made) == wraps
    assert f"<pre>{printed}</pre>" in made


def test_badges_are_made_from_the_repository_s_address():
    made = links("notebooks/01_x.ipynb", "https://github.com/a/b", "main", "../", notebook=True)
    addresses = [address for _, _, address, _ in made]
    assert addresses == [
        "https://colab.research.google.com/github/a/b/blob/main/notebooks/01_x.ipynb",
        "https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/notebooks/01_x.ipynb",
        "../_sources/notebooks/01_x.ipynb",
        "https://github.com/a/b/blob/main/notebooks/01_x.ipynb",
    ]
    assert len(links("book/x.md", "https://github.com/a/b", "main", "../", notebook=False)) == 1
