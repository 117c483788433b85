"""Encoder walk and keypoints: traits, stills, and what the browser shows against the labs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from labs.envs import make_env
from labs.figures.encoders import footprint_maps, layer_geometry
from labs.manipulation_encoder import ManipulationCNN, SpatialSoftmax
from labs.visual_encoder import NatureCNN
from labs.widgets.encoder_walk import EncoderWalk
from labs.widgets.keypoints import Keypoints, blob_map
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


# --------------------------------------------------------------------------------------- keypoints


@pytest.fixture(scope="module")
def keypoints():
    env = make_env("push", image_size=84, camera="workspace", scene="lean")
    env.reset(seed=4)
    frame = env.render()
    env.close()
    torch.manual_seed(0)
    return Keypoints.from_encoder(frame, ManipulationCNN(3, 6), log_temperature=-2.0)


def test_the_maps_are_the_encoders_and_small(keypoints):
    torch.manual_seed(0)
    cnn = ManipulationCNN(3, 6)
    image = torch.from_numpy(keypoints._frame.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        maps = cnn(image)[0].flatten(1)
    np.testing.assert_allclose(keypoints.maps, maps.numpy(), atol=0.00051)
    assert len(keypoints.to_html()) < 300_000
    uri, words = keypoints.still()
    assert uri.startswith("data:image/png") and "6 keypoints" in words


def test_the_shade_lies_on_the_pixels_that_a_cell_is_centered_on():
    last = layer_geometry(ManipulationCNN(3))[-1]
    assert (last.first + (last.receptive_field - 1) / 2, last.step) == (
        0,
        Keypoints.pitch.default_value,
    )


def test_the_keypoint_of_a_blob_is_its_place():
    frame = np.zeros((84, 84, 3), np.uint8)
    widget = Keypoints(frame, np.zeros((2, 21, 21)), row=15.0, column=5.0, log_temperature=-1.0)
    points, synthetic = widget.keypoints()
    np.testing.assert_allclose(points, 0, atol=1e-7)
    np.testing.assert_allclose(synthetic, (-0.5, 0.5), atol=1e-6)


def test_maps_of_another_size_and_missing_names_are_refused():
    frame = np.zeros((84, 84, 3), np.uint8)
    with pytest.raises(ValueError, match=r"expected \(S, S, 3\) and \(C, 21, 21\)"):
        Keypoints(frame, np.zeros((2, 20, 20)))
    with pytest.raises(ValueError, match="received 1 names, expected 2"):
        Keypoints(frame, np.zeros((2, 21, 21)), names=["one"])


def table(seen):
    """x, y, spread in cells and strongest weight: of the real map, of the synthetic one."""
    rows = [row.locator("td").all_text_contents() for row in seen.page.locator("tbody tr").all()]
    return [[float(text.replace("−", "-").rstrip("%")) for text in row] for row in rows]


def expected(features, temperature):
    size = features.shape[-1]
    head = SpatialSoftmax(size, size, 1, temperature)
    features = torch.as_tensor(features, dtype=torch.float64)[None, None]
    with torch.no_grad():
        x, y = head(features)[0].tolist()
        weights = head.attention(features).flatten()
    spread = torch.distributions.Categorical(weights).entropy().exp().item()
    return [x, y, spread, 100 * weights.max().item()]


@pytest.mark.browser
def test_the_browser_computes_what_spatial_softmax_computes(browser, keypoints, tmp_path):
    with visit(browser, page_of(keypoints, tmp_path)) as seen:
        seen.page.wait_for_selector("tbody td")
        maps = np.reshape(keypoints.maps, (-1, 21, 21))
        for channel, presses in ((0, 0), (3, 5), (5, 10), (1, 15)):
            seen.page.get_by_role("combobox").select_option(str(channel))
            seen.page.get_by_role("slider", name="Temperature").focus()
            press(seen, "Home", 1)
            press(seen, "ArrowRight", presses)
            temperature = 10 ** (-2 + presses / 10)
            real, synthetic = table(seen)
            blob = blob_map(21, keypoints.row, keypoints.column, keypoints.height, False)
            for got, features in ((real, maps[channel]), (synthetic, blob)):
                want = expected(features, temperature)
                np.testing.assert_allclose(got, want, atol=0.051)
                np.testing.assert_allclose(got[:2], want[:2], atol=0.00051)
        assert not seen.errors and not seen.outside


@pytest.mark.browser
def test_the_blob_follows_pointer_and_keys(browser, keypoints, tmp_path):
    with visit(browser, page_of(keypoints, tmp_path)) as seen:
        toy = seen.page.get_by_role("application", name="Synthetic map")
        box = toy.bounding_box()
        seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        seen.page.mouse.down()
        seen.page.mouse.move(
            box["x"] + 15.5 / 21 * box["width"], box["y"] + 5.5 / 21 * box["height"]
        )
        seen.page.mouse.up()
        np.testing.assert_allclose(table(seen)[1][:2], (0.5, -0.5), atol=0.02)
        toy.press("ArrowLeft")
        toy.press("ArrowDown")
        np.testing.assert_allclose(table(seen)[1][:2], (0.4, -0.4), atol=0.02)
        for _ in range(25):
            toy.press("ArrowRight")
        assert table(seen)[1][0] > 0.9, "it stops at the edge"
        assert not seen.errors


@pytest.mark.browser
def test_two_blobs_meet_in_the_middle_and_none_is_the_center(browser, keypoints, tmp_path):
    with visit(browser, page_of(keypoints, tmp_path)) as seen:
        seen.page.get_by_label("A second blob").check()
        both = blob_map(21, keypoints.row, keypoints.column, keypoints.height, True)
        np.testing.assert_allclose(table(seen)[1][:2], expected(both, 0.01)[:2], atol=0.00051)
        seen.page.get_by_role("slider", name="Height of the blob").focus()
        press(seen, "Home", 1)
        assert table(seen)[1][:3] == [0, 0, 441]
        assert "Nothing is there" in seen.page.inner_text(".pnc-widget")


@pytest.mark.browser
def test_the_keypoints_fit_a_phone_and_leave_a_picture(browser, keypoints, tmp_path):
    with visit(browser, page_of(keypoints, tmp_path), size=PHONE) as seen:
        seen.page.wait_for_selector("tbody td")
        assert overflow(seen.page) == 0
    with visit(browser, page_of(keypoints, tmp_path), scripts=False) as seen:
        assert "keypoints" in seen.page.locator("img.pnc-still").get_attribute("alt")
