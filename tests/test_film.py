"""The directive that puts a run's film on a page: what it shows, and what it refuses."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path

import pytest

from labs.artifacts import load_artifact
from labs.figures.results import film

ROOT = Path(__file__).resolve().parents[1]
RUN = "push-located-rewards-n3/seed0"


def built(folder: Path, page: str) -> subprocess.CompletedProcess:
    (folder / "conf.py").write_text(
        f"""import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_parser", "artifact_role", "film"]
artifact_root = {str(ROOT / "data")!r}
"""
    )
    (folder / "index.md").write_text(f"# Title\n\n{page}\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", folder, folder / "out"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_the_film_of_the_run_stands_in_the_page(tmp_path):
    done = built(tmp_path, f"```{{film}} {RUN}\n:alt: It pushes.\n:width: 200\n```")
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "out" / "index.html").read_text()
    (inside,) = re.findall(r'src="data:video/mp4;base64,([^"]+)"', html)
    assert base64.b64decode(inside) == (ROOT / "data" / RUN / "video.mp4").read_bytes()
    assert 'aria-label="It pushes."' in html and 'width="200"' in html


def test_a_description_is_text_whatever_it_says():
    html = film(load_artifact(ROOT / "data" / RUN), 'It says "over" & <b>stops</b>.').data
    words = "It says &quot;over&quot; &amp; &lt;b&gt;stops&lt;/b&gt;."
    assert f'aria-label="{words}">' in html and html.endswith(f">{words}</video>")


@pytest.mark.parametrize(
    ("run", "option", "words"),
    [
        (RUN, "", "a film needs :alt:"),
        ("push-located-rewards-n3/seed1", ":alt: x\n", "video.mp4 of"),  # left out of git
    ],
)
def test_what_has_no_film_is_refused_by_its_page_and_line(tmp_path, run, option, words):
    done = built(tmp_path, f"```{{film}} {run}\n{option}```")
    assert done.returncode and words in done.stderr and "index.md:3" in done.stderr, done.stderr
