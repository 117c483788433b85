"""Encoder walk and keypoints: traits, stills, and what the browser shows against the labs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from labs.figures.encoders import footprint_maps, layer_geometry
from labs.manipulation_encoder import ManipulationCNN
from labs.visual_encoder import NatureCNN
from labs.widgets.encoder_walk import EncoderWalk
from tests.browser import PHONE, overflow, visit


def page_of(widget, tmp_path):
    path = tmp_path / "page.html"
    html = f"<!doctype html><html data-theme='light'><body>{widget.to_html()}</body></html>"
    path.write_text(html)
    return path


def press(seen, key, times):
    for _ in range(times):
        seen.page.keyboard.press(key)


# ------------------------------------------------------------------------------------ encoder walk

ENCODERS = (NatureCNN(), ManipulationCNN())


@pytest.fixture(scope="module")
def walk():
    return EncoderWalk()


@pytest.mark.parametrize(("position", "size"), [(40, 5), (0, 2), (72, 12), (81, 3)])
def test_the_shares_are_what_averaging_networks_put_out(position, size):
    widget = EncoderWalk(row=position, column=position, size=size)
    for cnn, maps in zip(ENCODERS, widget.maps(), strict=True):
        for ours, theirs in zip(maps, footprint_maps(cnn, position, size)[1:], strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_walk_is_small_and_has_a_still(walk):
    assert len(json.dumps(walk.state())) < 10_000 and len(walk.to_html()) < 300_000
    uri, words = walk.still()
    assert uri.startswith("data:image/png") and "object of 5 pixels" in words
    assert "20, 9, 7 cells" in words and "42, 42, 42, 21 cells" in words


def test_an_object_outside_the_image_is_refused():
    with pytest.raises(ValueError, match="inside 84 × 84"):
        EncoderWalk(row=80, size=5)


def captions(seen):
    lines = seen.page.locator(".pnc-walk-maps figcaption").all_inner_texts()
    return [[line.strip() for line in text.splitlines()] for text in lines]


@pytest.mark.browser
@pytest.mark.parametrize("size", [2, 5, 12])
def test_the_browser_shows_the_networks_own_numbers(browser, walk, tmp_path, size):
    with visit(browser, page_of(walk, tmp_path)) as seen:
        seen.page.get_by_role("slider", name="Side of the object").focus()
        press(seen, "Home", 1)
        press(seen, "ArrowRight", size - 2)
        got = iter(captions(seen))
        for cnn in ENCODERS:
            maps = footprint_maps(cnn, 40, size)[1:]
            for layer, map_ in zip(layer_geometry(cnn), maps, strict=True):
                text = " | ".join(next(got))
                touched = len(layer.footprint(40, size))
                assert f"{layer.cells} × {layer.cells} |" in text
                wide = float(text.split("object: ")[1].split(" cells")[0])
                assert wide == pytest.approx(size / layer.step, abs=0.0051)
                assert f"seen by {touched} × {touched} cells" in text
                full = float(text.split("fullest cell: ")[1].split("%")[0]) / 100
                assert full == pytest.approx(map_.max(), abs=0.0051)
        assert not seen.errors and not seen.outside


@pytest.mark.browser
def test_one_pixel_aside_moves_the_share_it_says(browser, walk, tmp_path):
    with visit(browser, page_of(walk, tmp_path)) as seen:
        got = [text[-1] for text in captions(seen)]
    here, there = EncoderWalk().maps(), EncoderWalk(column=41).maps()
    pairs = [p for a, b in zip(here, there, strict=True) for p in zip(a, b, strict=True)]
    for text, (a, b) in zip(got, pairs, strict=True):
        share = np.abs(a - b).sum() / (a.sum() + b.sum())
        assert float(text.split("moves ")[1].split("%")[0]) / 100 == pytest.approx(share, abs=0.006)


@pytest.mark.browser
def test_a_picked_cell_tells_what_it_sees(browser, walk, tmp_path):
    with visit(browser, page_of(walk, tmp_path)) as seen:
        note = seen.page.locator("[aria-live]")
        assert "rows 40–47, columns 40–47. Object in it: 39%" in note.inner_text()
        last = seen.page.get_by_role("application", name="NatureCNN, layer 3")
        last.click(position={"x": 3, "y": 3})
        assert "layer 3, cell (0, 0). It sees 36 × 36 pixels: rows 0–35" in note.inner_text()
        seen.page.keyboard.press("ArrowDown")
        seen.page.keyboard.press("ArrowRight")
        assert "layer 3, cell (1, 1)" in note.inner_text() and "rows 8–43" in note.inner_text()


@pytest.mark.browser
def test_the_object_follows_pointer_and_keys_and_stays_inside(browser, walk, tmp_path):
    with visit(browser, page_of(walk, tmp_path)) as seen:
        image = seen.page.get_by_role("application", name="The image")
        row, column = (
            seen.page.get_by_role("slider", name=name)
            for name in ("Its first row", "Its first column")
        )
        box = image.bounding_box()
        place = lambda fx, fy: (box["x"] + fx * box["width"], box["y"] + fy * box["height"])  # noqa: E731
        seen.page.mouse.move(*place(0.5, 0.5))
        seen.page.mouse.down()
        seen.page.mouse.move(*place(0.25, 0.75))
        seen.page.mouse.up()
        assert abs(int(row.input_value()) - 60) <= 1 and abs(int(column.input_value()) - 18) <= 1
        before = int(row.input_value())
        image.press("ArrowUp")
        assert int(row.input_value()) == before - 1
        row.focus()
        press(seen, "End", 1)
        assert row.input_value() == "79", "84 minus the object's 5"
        seen.page.get_by_role("slider", name="Side of the object").focus()
        press(seen, "End", 1)
        assert row.input_value() == "72", "a larger object moves in"
        assert not seen.errors


@pytest.mark.browser
def test_the_walk_fits_a_phone_and_leaves_a_picture(browser, walk, tmp_path):
    with visit(browser, page_of(walk, tmp_path), size=PHONE) as seen:
        seen.page.wait_for_selector("canvas")
        assert overflow(seen.page) == 0
    with visit(browser, page_of(walk, tmp_path), scripts=False) as seen:
        assert "NatureCNN" in seen.page.locator("img.pnc-still").get_attribute("alt")
