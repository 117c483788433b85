"""The notebook pairs: in step, run, and with outputs that belong to the code.

nbval runs the notebooks themselves (`make test`); here nothing is run but a notebook of two cells,
on which every way of being out of date is tried.
"""

from __future__ import annotations

import base64
import io
import re
import zlib
from urllib.parse import unquote

import check_pairs
import execute_notebooks
import matplotlib.pyplot as plt
import nbformat
import notebook_pairs
import numpy as np
import pytest
from nbclient.exceptions import CellExecutionError
from PIL import Image

LIGHT = notebook_pairs.light_sources()
TRAINING = notebook_pairs.training_sources()

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 1 s, hardware: any CPU}
# ---
"""
CELLS = """
# %% [markdown]
# Words.

# %% tags=["nbval-check-output"]
import sys

print(open("../data/number.txt").read())
print("a warning", file=sys.stderr)

# %%
6 * 7
"""


def test_inputs_are_packed_without_a_word_that_marks_what_is_left_to_do():
    """Base64 spells such a word once in some pages: the first of these that needs a blank."""
    for k in range(5000):
        page = {f"labs/{k}-{i}.py": f"{k * 1009 + i:x}" for i in range(200)}
        line = notebook_pairs.packed(page)
        if zlib.decompress(base64.b64decode(line)).startswith(b" "):
            break
    else:
        pytest.fail("none of five thousand needed one")
    assert not notebook_pairs.MARKER.search(line) and notebook_pairs.unpacked(line) == page


@pytest.mark.parametrize("source", LIGHT, ids=lambda p: p.stem)
def test_light_notebook_is_in_step_and_up_to_date(source):
    assert check_pairs.light_problems(source) == []


@pytest.mark.parametrize("source", TRAINING, ids=lambda p: p.stem)
def test_training_notebook_is_in_step(source):
    assert notebook_pairs.pair_differences(source) == []


@pytest.mark.parametrize("source", TRAINING, ids=lambda p: p.stem)
def test_training_notebook_takes_parameters(source):
    """papermill only warns when no cell is tagged."""
    cells = notebook_pairs.read_source(source).cells
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in cells) == 1


@pytest.mark.parametrize("source", LIGHT, ids=lambda p: p.stem)
def test_header_says_runtime_and_hardware(source):
    metadata = notebook_pairs.read_source(source).metadata
    assert set(metadata["book"]) >= {"runtime", "hardware"}
    assert metadata["kernelspec"]["name"] == "python3"


RECORDED = re.compile(r"\b(load_artifact|runs_of|measured|SUMMARY|FOUND|MEASURED|SIGHT|SHRUNK)\b")


@pytest.mark.parametrize("source", LIGHT, ids=lambda p: p.stem)
def test_code_that_only_lays_out_a_recorded_table_is_folded(source):
    """Readers came for the table. Code that computes or simulates on the page stays open."""
    for cell in notebook_pairs.read_source(source).cells:
        lays_out = '"|---' in cell.source and RECORDED.search(cell.source)
        if cell.cell_type == "code" and lays_out and "make_" not in cell.source:
            tags = set(cell.metadata.get("tags", []))
            assert tags & {"hide-input", "hide-cell", "exercise", "solution"}, cell.source[:200]


def _figure(cell):
    return cell.metadata.get("mystnb", {}).get("figure", {})


@pytest.mark.parametrize("source", LIGHT, ids=lambda p: p.stem)
def test_every_figure_has_a_caption_and_its_number_is_cited(source):
    """A figure's cell displays the picture alone: whatever it displays gets the caption."""
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    for cell in notebook.cells:
        outputs = [o for o in cell.get("outputs", []) if o.output_type != "stream"]
        pictures = [o for o in outputs if "image/png" in o.get("data", {})]
        caption, name = (_figure(cell).get(key, "") for key in ("caption", "name"))
        if pictures:
            assert len(outputs) == 1 and len(caption) > 40, cell.source[:200]
            assert f"{{numref}}`{name}`" in prose, f"{name} is not cited"
        else:
            assert not name, f"{name} has no picture"


def test_no_two_figures_have_one_name():
    notebooks = [notebook_pairs.read_source(source) for source in LIGHT]
    names = [_figure(cell).get("name") for notebook in notebooks for cell in notebook.cells]
    names = [name for name in names if name]
    assert len(names) == len(set(names)) > 60


def test_every_notebook_has_its_source():
    assert LIGHT and TRAINING
    assert check_pairs.orphans() == []


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An empty repository in which the scripts work."""
    for module in (notebook_pairs, execute_notebooks, check_pairs):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    for folder in ("notebooks/training", "data", "labs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/number.txt").write_text("42")
    return tmp_path


def test_a_run_stores_outputs_and_every_change_after_it_is_noticed(house, capsys):
    source = house / "notebooks/01_try.py"
    source.write_text(HEADER + CELLS)
    assert any("missing" in problem for problem in check_pairs.light_problems(source))

    assert execute_notebooks.execute(source, timeout=60) == []
    assert "stderr, not stored: cell 3: a warning" in capsys.readouterr().out
    assert check_pairs.light_problems(source) == []
    pair = source.with_suffix(".ipynb")
    notebook = nbformat.read(pair, as_version=4)
    read = notebook_pairs.unpacked(notebook.metadata["run"]["inputs"])
    assert read == {"data/number.txt": notebook_pairs.hash_input(house / "data/number.txt")}
    assert [c.outputs[0].get("text") for c in notebook.cells[2:]] == ["42\n", None]

    first = pair.read_bytes()
    assert execute_notebooks.execute(source, timeout=60) == []
    a, b = (nbformat.reads(x.decode(), as_version=4) for x in (first, pair.read_bytes()))
    assert a.cells == b.cells  # ids included: a second run is no change

    (house / "data/number.txt").write_text("43")
    assert "older than data/number.txt" in check_pairs.light_problems(source)[0]
    (house / "data/number.txt").write_text("42")

    for changed, word in (
        (CELLS.replace("6 * 7", "7 * 6"), "source"),
        (CELLS.replace("nbval-check-output", "hide-input"), "metadata"),
        (CELLS.replace("Words.", "Other words."), "source"),
        (CELLS + "\n# %%\n1\n", "cells"),
    ):
        source.write_text(HEADER + changed)
        problems = check_pairs.light_problems(source)
        assert any(word in p for p in problems), (word, problems)
        stale = any("older than its code cells" in p for p in problems)
        assert stale == (word in ("cells",) or "7 * 6" in changed)
    source.write_text((HEADER + CELLS).replace("any CPU", "a GPU"))
    assert "metadata ['book']" in check_pairs.light_problems(source)[0]


def test_another_seed_and_another_arm_age_the_pages_that_show_them(house):
    """A page that names two seeds is wrong when there are three, whatever files it has opened."""
    (house / "data/arm/seed0").mkdir(parents=True)
    (house / "data/arm/seed0/curve.csv").write_text("1")
    reads, lists = house / "notebooks/01_reads.py", house / "notebooks/02_lists.py"
    reads.write_text(f'{HEADER}\n# %%\nprint(open("../data/arm/seed0/curve.csv").read())\n')
    lists.write_text(
        f'{HEADER}\n# %%\nfrom pathlib import Path\n\nlist(Path("../data").iterdir())\n'
    )
    for source in (reads, lists):
        assert execute_notebooks.execute(source, timeout=60) == []
        assert notebook_pairs.stale_reasons(source) == []

    (house / "data/arm/.curve.csv.tmp").write_text("half a file")
    assert notebook_pairs.stale_reasons(reads) == []
    (house / "data/arm/seed1").mkdir()
    (house / "data/arm/seed1/curve.csv").write_text("1")
    assert "older than data/arm:" in notebook_pairs.stale_reasons(reads)[0]
    assert notebook_pairs.stale_reasons(lists) == []
    (house / "data/other").mkdir()
    assert "older than data:" in notebook_pairs.stale_reasons(lists)[0]


def test_outputs_that_were_not_run_in_order_are_noticed(house):
    source = house / "notebooks/01_try.py"
    source.write_text(HEADER + CELLS)
    execute_notebooks.execute(source, timeout=60)
    pair = source.with_suffix(".ipynb")
    notebook = nbformat.read(pair, as_version=4)
    notebook.cells[2].execution_count = None
    notebook.cells[3].outputs = [
        nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
    ]
    folder = "/" + "home/somebody/x"
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", name="stdout", text=folder)]
    nbformat.write(notebook, pair)
    problems = " ".join(check_pairs.light_problems(source))
    assert "execution count None" in problems
    assert "stores an error" in problems
    assert "names a folder" in problems


def test_a_failing_notebook_leaves_its_outputs_alone(house):
    source = house / "notebooks/01_try.py"
    source.write_text(HEADER + CELLS)
    execute_notebooks.execute(source, timeout=60)
    before = source.with_suffix(".ipynb").read_bytes()
    source.write_text(HEADER + CELLS + "\n# %%\nassert 1 == 2\n")
    with pytest.raises(CellExecutionError):
        execute_notebooks.execute(source, timeout=60)
    assert source.with_suffix(".ipynb").read_bytes() == before
    assert [p.name for p in (house / "notebooks").glob("*.tmp")] == []


def test_comments_and_docstrings_of_a_module_do_not_age_outputs(house):
    module = house / "labs/part.py"
    module.write_text('"""One."""\n\n\ndef f():\n    """Two."""\n    return 1\n')
    first = notebook_pairs.hash_input(module)
    module.write_text('"""Uno.\n\nMore."""\n# why\ndef f():\n    """Due."""\n\n    return 1\n')
    assert notebook_pairs.hash_input(module) == first
    module.write_text('"""One."""\n\n\ndef f():\n    """Two."""\n    return 2\n')
    assert notebook_pairs.hash_input(module) != first


def test_a_result_under_way_is_no_input(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook_pairs, "ROOT", tmp_path)
    arm = tmp_path / "data" / "arm"
    (arm / "seed0").mkdir(parents=True)
    (arm / "seed0" / "curve.csv").write_text("1")
    before = [notebook_pairs.hash_input(path) for path in (arm, arm.parent)]
    for folder in (arm / ".seed1.x.tmp", arm.parent / ".other.x.tmp"):
        folder.mkdir()
        (folder / "curve.csv").write_text("2")
    assert [notebook_pairs.hash_input(path) for path in (arm, arm.parent)] == before
    (arm / "seed1").mkdir()
    (arm / "seed1" / "curve.csv").write_text("2")
    assert notebook_pairs.hash_input(arm) != before[0]


@pytest.mark.parametrize("source", LIGHT, ids=lambda p: p.stem)
def test_the_first_cell_makes_colab_ready(source):
    """In the file that Colab opens, not in the source, and not on the page."""
    assert "google.colab" not in source.read_text(encoding="utf-8")
    first, *others = nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells
    assert first.source == notebook_pairs.COLAB_CELL and first.outputs == []
    assert "remove-cell" in first.metadata["tags"]
    assert not any(notebook_pairs.is_colab_cell(cell) for cell in others)


def test_a_stored_figure_is_smaller_and_looks_the_same():
    figure, axes = plt.subplots()
    axes.plot(np.sin(np.arange(20)), label="one")
    axes.plot(np.cos(np.arange(20)), label="two")
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer)
    plt.close(figure)
    drawn = Image.open(buffer)
    after = execute_notebooks.with_palette(encoded(drawn))
    shown = Image.open(io.BytesIO(base64.b64decode(after)))
    assert len(after) < 0.6 * len(encoded(drawn)) and shown.size == drawn.size
    change = np.asarray(shown.convert("RGB")).astype(int) - np.asarray(drawn.convert("RGB"))
    # little on average, and a few gray levels along the edges of letters
    assert np.abs(change).mean() < 1 and np.percentile(np.abs(change), 99.9) < 50


@pytest.mark.parametrize("line", [(204, 121, 167), (0, 158, 115)], ids=["purple", "green"])
def test_a_thin_line_keeps_its_color_beside_a_photograph(line):
    shades = np.linspace(0, 255, 400).astype(np.uint8)
    photograph = np.stack(np.broadcast_arrays(shades[:, None], shades // 2, shades[::-1]), axis=-1)
    picture = Image.fromarray(photograph.copy())
    picture.paste(line, (50, 200, 100, 201))  # 50 pixels of 160,000
    by_mean_alone = picture.quantize(64, dither=Image.Dither.NONE)
    assert not execute_notebooks.keeps_drawn_colors(picture, by_mean_alone)
    after = execute_notebooks.with_palette(encoded(picture))
    shown = Image.open(io.BytesIO(base64.b64decode(after))).convert("RGB").getpixel((75, 200))
    assert max(abs(a - b) for a, b in zip(shown, line, strict=True)) <= execute_notebooks.KEPT


def test_a_small_thing_of_many_shades_keeps_its_color_in_a_photograph():
    """The red goal of a camera's frame: a few dozen pixels, hardly two of them alike."""
    shades = np.linspace(0, 255, 400).astype(np.uint8)
    photograph = np.stack(np.broadcast_arrays(shades[:, None], shades // 2, shades[::-1]), axis=-1)
    photograph[:, :, 0] = photograph[:, :, 1]  # no red anywhere
    red = np.random.default_rng(0).integers((200, 0, 0), (240, 40, 40), (6, 7, 3))
    photograph[200:206, 50:57] = red
    picture = Image.fromarray(photograph)
    after = execute_notebooks.with_palette(encoded(picture))
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(after))).convert("RGB"))
    shown = shown[200:206, 50:57].reshape(-1, 3).astype(int)
    is_red = (shown[:, 0] > 150) & (shown[:, 1:] < 100).all(axis=1)
    assert len(after) < len(encoded(picture)) and is_red.mean() > 0.8


def test_a_picture_of_too_many_colors_or_with_glass_stays_as_it_is():
    rng = np.random.default_rng(0)
    noise = encoded(Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)))
    assert execute_notebooks.with_palette(noise) == noise
    glass = encoded(Image.new("RGBA", (64, 64), (255, 0, 0, 100)))
    assert execute_notebooks.with_palette(glass) == glass


def test_a_widgets_figure_is_smaller_and_its_data_stay():
    figure, axes = plt.subplots()
    axes.plot(np.sin(np.arange(20)))
    buffer = io.BytesIO()
    figure.savefig(buffer)
    plt.close(figure)
    drawn = base64.b64encode(buffer.getvalue()).decode()
    labels = encoded(Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    page = '<img src="data:image/png;base64,{}"><img src="data:image/png;base64,{}">'
    figure_after, labels_after = re.findall(
        'base64,([^"]+)', execute_notebooks.figures_with_palette(page.format(drawn, labels))
    )
    assert figure_after == execute_notebooks.with_palette(drawn) and len(figure_after) < len(drawn)
    assert labels_after == labels


def test_pictures_spell_no_marker_and_stay_the_same():
    word = "X" * 3
    png = f"iVBOR{word}AAAA"
    assert len(png) % 4 == 0
    data = {"image/png": png, "text/html": f'<b>X</b><img src="data:image/png;base64,{png}">'}
    execute_notebooks.without_markers(data)
    assert word not in data["image/png"] and word not in data["text/html"]
    assert base64.b64decode(data["image/png"]) == base64.b64decode(png)
    uri = data["text/html"].split('"')[1]
    assert unquote(uri) == f"data:image/png;base64,{png}"


def encoded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
