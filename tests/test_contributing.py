"""The ways of CONTRIBUTING, followed in a copy: an artifact, a widget, a section, an arm."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labs.artifacts import load_artifact
from labs.widgets import base
from tests.browser import ROOT, visit

WAYS = ("section", "arm", "widget", "artifact")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PARTS = ("labs", "book", "scripts", "notebooks/training", "_config.yml", "pyproject.toml")
HEADER = (ROOT / "notebooks/01_proof_of_life.py").read_text(encoding="utf-8").split("\n\n", 1)[0]
SECTION = f"""{HEADER}

# %% [markdown]
# # A stack of frames
#
# The artifact says {{artifact}}`a-quarter:rate|pct0`.

# %%
from labs.widgets.stack_size import StackSize

StackSize(picture="{{picture}}")
"""


def way(name: str) -> str:
    """The lines of CONTRIBUTING under "Add a ..."."""
    return re.search(rf"^## Add an? {name}\n(.*?)(?=^## )", GUIDE, re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("name", WAYS)
def test_each_way_takes_under_ten_lines(name):
    assert 0 < len(way(name).strip().splitlines()) < 10


def test_what_the_guide_names_exists():
    """Files and folders in backticks, but for those that it tells how to make."""
    named = re.findall(r"`((?:labs|notebooks|tests|scripts|book)/[\w./]*)[^`]*`", GUIDE)
    made = ("notebooks/NN_topic.py", "labs/widgets/")
    assert named
    assert [n for n in named if n not in made and not (ROOT / n).exists()] == []
    functions = re.findall(r"`((?:write|load)_\w+)`", GUIDE)
    from labs import artifacts

    assert functions and [f for f in functions if not hasattr(artifacts, f)] == []


# ------------------------------------------------------------------------------------ in a copy


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The parts of the repository that a contributor touches."""
    target = tmp_path_factory.mktemp("contribution")
    skip = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        source = ROOT / part
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=skip)
        else:
            shutil.copy(source, target / part)
    return target


def run(copy: Path, *command: str) -> str:
    """Runs Python in the copy, with the copy's ``labs``; returns what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIXELS_")}
    environment |= {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}  # the copy is gone before its second use
    result = subprocess.run(
        [sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def add_lines(path: Path, after: str, lines: str) -> None:
    """Puts lines behind the first occurrence of a text."""
    text = path.read_text(encoding="utf-8")
    assert after in text
    path.write_text(text.replace(after, after + lines, 1), encoding="utf-8")


@pytest.mark.slow
def test_an_arm(copy):
    """A configuration with its line, and a smoke run that leaves an artifact."""
    assert "labs/experiments/arms/" in way("arm") and "--smoke" in way("arm")
    new = '\n        (replace(state, arm="reach-narrow", net_arch=(64, 64)), "64 units a layer"),'
    add_lines(copy / "labs/experiments/arms/reach.py", "    return [", new)
    run(copy, "-m", "labs.cli", "train", "reach-narrow", "--smoke", "--quiet")
    artifact = load_artifact(copy / "data/reach-narrow-smoke/seed0")
    assert artifact.parameters["net_arch"] == [64, 64]
    assert "reach-narrow " in run(copy, "-m", "labs.cli", "train", "--help")


def example() -> tuple[str, str]:
    """Python and JavaScript of the widget in the docstring of ``labs/widgets/base.py``."""
    block = re.search(r"::\n\n((?: {4}.*\n|\n)+)", base.__doc__)[1]
    lines = [line.removeprefix("    ") for line in block.splitlines()]
    script = next(i for i, line in enumerate(lines) if line.startswith("function"))
    return "\n".join(lines[:script]) + "\n", "\n".join(lines[script:]) + "\n"


@pytest.mark.slow
@pytest.mark.browser
def test_an_artifact_a_widget_and_a_section_that_shows_them(copy, browser):
    """One page: a number of the artifact, the widget of the docstring, no warning."""
    assert "write_measurement" in way("artifact") and "base.py" in way("widget")
    write = "from labs.artifacts import write_measurement as w; "
    run(copy, "-c", write + "w('a-quarter', {'rate': 0.25}, parameters={})")

    python, script = example()
    (copy / "labs/widgets/stack_size.py").write_text(python, encoding="utf-8")
    (copy / "labs/widgets/stack_size.js").write_text(script, encoding="utf-8")

    import numpy as np

    picture = base.image_uri(np.zeros((4, 4, 3), np.uint8))
    (copy / "notebooks/90_stack.py").write_text(
        SECTION.replace("{picture}", picture), encoding="utf-8"
    )
    run(copy, "scripts/execute_notebooks.py", "notebooks/90_stack.py")
    assert (copy / "notebooks/90_stack.ipynb").stat().st_size < 1_000_000
    (copy / "_toc.yml").write_text("format: jb-book\nroot: notebooks/90_stack\n")
    run(copy, "scripts/build_book.py")

    page = copy / "_build/html/notebooks/90_stack.html"
    text = page.read_text(encoding="utf-8")
    assert '<span class="artifact" data-artifact="a-quarter:rate|pct0">25%</span>' in text
    with visit(browser, page) as seen:
        host = seen.page.locator("[data-pnc-live]")
        host.locator("input[type=range]").focus()
        seen.page.keyboard.press("End")
        assert f"{8 * 84 * 84 * 3} bytes" in host.inner_text()
        assert not seen.errors and not seen.outside
