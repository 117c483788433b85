"""The crop shift widget: its traits, its still, and its numbers against ours, in a browser."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

from labs.envs import CAMERAS, SEGMENTS, Camera, make_env
from labs.image_augmentation import RandomShiftAug
from labs.projection import FOVY, TABLE_POINT, project, table_centimeters
from labs.widgets.crop_shift import CropShift, centroid
from tests.browser import PHONE, overflow, visit


@pytest.fixture(scope="module")
def widget():
    return CropShift.from_env()


@pytest.fixture
def page(widget, tmp_path):
    path = tmp_path / "page.html"
    html = f"<!doctype html><html data-theme='light'><body>{widget.to_html()}</body></html>"
    path.write_text(html)
    return path


# --------------------------------------------------------------------------------- the geometry


@pytest.mark.parametrize("name", CAMERAS)
def test_the_projection_finds_the_block_where_the_simulator_draws_it(name):
    env = make_env("push", camera=name, image_size=480, scene="lean")
    assert env.unwrapped.model.vis.global_.fovy == FOVY
    errors = []
    for seed in (0, 2, 3, 4, 5):  # from the workspace camera, seed 1 hides it behind the gripper
        observation, _ = env.reset(seed=seed)
        drawn = centroid(env.segmentation(), SEGMENTS["object"])
        errors.append(drawn - project(CAMERAS[name], observation["achieved_goal"], 480))
    env.close()
    assert np.abs(errors).max() < 2, "pixels of 480"


def test_centimeters_of_a_camera_that_looks_straight_down_and_of_a_slanted_one():
    distance = 1.0
    pixel = 100 * 2 * distance * np.tan(np.deg2rad(FOVY) / 2) / 84  # at the point looked at
    row, column = table_centimeters(Camera(90.0, -90.0, distance, TABLE_POINT))
    assert row == pytest.approx(pixel, rel=1e-4) and column == pytest.approx(pixel, rel=1e-4)
    row, column = table_centimeters(Camera(30.0, -30.0, distance, TABLE_POINT))
    assert column == pytest.approx(pixel, rel=1e-4)
    assert row == pytest.approx(pixel / np.sin(np.pi / 6), rel=1e-3)


# ------------------------------------------------------------------------------------ the traits


def test_the_state_is_small_and_holds_both_cameras(widget):
    assert len(json.dumps(widget.state())) < 100_000
    assert [camera["name"] for camera in widget.cameras] == list(CAMERAS)
    assert widget.cameras[0]["row"] > 5 * widget.cameras[1]["row"], "the default camera is flat"


def test_the_still_moves_gripper_and_block_alike(widget):
    uri, words = widget.still()
    assert uri.startswith("data:image/png;base64,")
    assert "default camera" in words and "3 rows" in words and "-4 columns" in words
    _, labels = widget.shifted()
    for name in ("gripper", "object"):
        before = centroid(widget._labels[0], SEGMENTS[name])
        moved = np.subtract(centroid(labels, SEGMENTS[name]), before)
        np.testing.assert_allclose(moved, (-3, 4), atol=1e-9)


def test_bad_pictures_and_shifts_are_refused(widget):
    frames, labels = widget._frames, widget._labels
    with pytest.raises(ValueError, match="expected \\(cameras, S, S, 3\\)"):
        CropShift(frames[:1], labels, CAMERAS)
    with pytest.raises(ValueError, match="pad=4"):
        CropShift(frames, labels, CAMERAS, rows=5)


# ----------------------------------------------------------------------------------- the browser


def edges(gray: np.ndarray) -> np.ndarray:
    """Mean (row, column) of the squared central differences, the border repeated."""
    wide = np.pad(gray, 1, mode="edge")
    strength = (wide[2:, 1:-1] - wide[:-2, 1:-1]) ** 2 + (wide[1:-1, 2:] - wide[1:-1, :-2]) ** 2
    grid = np.indices(gray.shape)
    return (grid * strength).sum(axis=(1, 2)) / strength.sum()


def expected(widget, camera, rows, columns, padding):
    """The table's middle columns, from NumPy and ``RandomShiftAug``."""
    frame = torch.as_tensor(widget._frames[camera]).permute(2, 0, 1)[None]
    labels = torch.as_tensor(widget._labels[camera])[None, None]
    answer = []
    for offset in ((0, 0), (rows, columns)):
        shift = RandomShiftAug(4, padding).shift
        moved = shift(frame, torch.tensor([offset]))[0].double().mean(0).numpy()
        seen = shift(labels, torch.tensor([offset]))[0, 0].numpy()
        gripper, block = (np.array(centroid(seen, SEGMENTS[n])) for n in ("gripper", "object"))
        answer.append([gripper, block, edges(moved), block - gripper])
    return np.array(answer).transpose(1, 0, 2)  # (line, before or after, row and column)


def shown(seen) -> np.ndarray:
    rows = seen.page.locator("tbody tr").all()
    cells = [row.locator("td").all_text_contents()[:2] for row in rows]
    return np.array([[list(map(float, c.replace("−", "-").split(","))) for c in r] for r in cells])


def put(seen, label, value):
    slider = seen.page.get_by_role("slider", name=label)
    slider.focus()
    seen.page.keyboard.press("Home")
    for _ in range(value + 4):
        seen.page.keyboard.press("ArrowRight")


@pytest.mark.browser
def test_the_numbers_are_ours_for_both_cameras_and_paddings(browser, widget, page):
    with visit(browser, page) as seen:
        seen.page.wait_for_selector("tbody td")
        for camera, padding, rows, columns in (
            (0, "replicate", 3, -4),
            (0, "zeros", -2, 1),
            (1, "replicate", 4, 4),
            (1, "zeros", -4, 3),
        ):
            seen.page.get_by_label(re.compile("^Camera")).select_option(str(camera))
            seen.page.get_by_label("Padding").select_option(str(int(padding == "zeros")))
            put(seen, "Window moves down", rows)
            put(seen, "Window moves right", columns)
            want = expected(widget, camera, rows, columns, padding)
            np.testing.assert_allclose(shown(seen), want, atol=0.051)
            lost = 84 * 84 - (84 - abs(rows)) * (84 - abs(columns))
            assert f"{lost} of 7056 pixels are invented" in seen.page.inner_text(".pnc-widget")
        assert not seen.errors and not seen.outside


@pytest.mark.browser
def test_the_cut_out_picture_is_the_shifted_frame(browser, widget, page):
    with visit(browser, page) as seen:
        seen.page.wait_for_selector("tbody td")
        # One drawing pixel in five by five: read a column of the picture far from the markers.
        read = """canvas => [...Array(84).keys()].map((y) => [...canvas.getContext("2d")
            .getImageData(5 * 4 + 2, 5 * y + 2, 1, 1).data].slice(0, 3))"""
        got = seen.page.locator("canvas").nth(1).evaluate(read)
        np.testing.assert_array_equal(got, widget.shifted()[0][:, 4])


@pytest.mark.browser
def test_a_random_draw_stays_within_the_pad_and_reaches_both_ends(browser, page):
    with visit(browser, page) as seen:
        drawn = []
        for _ in range(80):
            seen.page.get_by_role("button", name="Draw a random shift").click()
            sliders = seen.page.get_by_role("slider").all()
            drawn.append([int(s.input_value()) for s in sliders])
        drawn = np.array(drawn)
        assert drawn.min() == -4 and drawn.max() == 4
        assert len({tuple(d) for d in drawn.tolist()}) > 30


@pytest.mark.browser
def test_it_fits_a_phone_and_leaves_a_picture_without_scripts(browser, page):
    with visit(browser, page, size=PHONE) as seen:
        seen.page.wait_for_selector("tbody td")
        assert overflow(seen.page) == 0
    with visit(browser, page, scripts=False) as seen:
        assert "before and after" in seen.page.locator("img.pnc-still").get_attribute("alt")
