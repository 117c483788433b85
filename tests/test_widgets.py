"""The widget pattern: one module, alive in a page without kernel, network or library."""

from __future__ import annotations

import base64
import json
import re
import zlib

import numpy as np
import pytest
import traitlets

from labs.widgets.base import BookWidget, bytes_uri, image_uri, sprite_sheet
from tests.browser import PHONE, overflow, visit

MODULE = """
function render({ model, el }) {
  ui.mount(el, { title: "Frames in a stack", label: "Frame stack widget" });
  const text = ui.h("output", { "aria-live": "polite" });
  el.append(ui.slider(model, "frames", { label: "Frames", min: 1, max: 8 }), text);
  return ui.redraw(model, ["frames"], () => {
    text.textContent = `${model.get("frames") * 84 * 84 * 3} bytes ${model.get("name")}`;
  });
}
export default { render };
"""


@pytest.fixture
def stack_size(tmp_path):
    (tmp_path / "stack_size.js").write_text(MODULE)

    class StackSize(BookWidget):
        module = "stack_size"
        folder = tmp_path
        frames = traitlets.Int(4).tag(sync=True)
        name = traitlets.Unicode("").tag(sync=True)
        secret = traitlets.Int(1)

        def still(self):
            return image_uri(np.zeros((4, 4, 3), np.uint8)), 'A "stack" of frames.'

    return StackSize


def page_of(*widgets) -> str:
    body = "\n".join(w.to_html() for w in widgets)
    return f"<!doctype html><html data-theme='light'><body>{body}</body></html>"


def test_the_state_is_the_subclass_own_synced_traits(stack_size):
    assert stack_size(frames=3).state() == {"frames": 3, "name": ""}


def test_the_mime_bundle_serves_a_kernel_and_a_static_page(stack_size):
    data, _ = stack_size()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "export default" not in data["text/html"]
    assert 'data-pnc-widget="stack_size"' in data["text/html"]
    assert "export default" in stack_size()._esm, "anywidget runs the module itself"


def test_the_static_form_is_the_same_twice(stack_size):
    assert stack_size().to_html() == stack_size().to_html(), "a notebook's diff must stay empty"


def test_text_cannot_break_out_of_the_script(stack_size):
    source = stack_size(name="</script><b>").to_html()
    assert source.count("</script") == 1
    packed = re.search(r"data:application/zlib;base64,([\w+/=]+)", source).group(1)
    parts = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert parts["state"]["name"] == "</script><b>"


def test_a_trait_that_json_cannot_carry_is_refused(stack_size):
    class Broken(stack_size):
        module = "stack_size"
        folder = stack_size.folder
        value = traitlets.Float(float("nan")).tag(sync=True)

    with pytest.raises(ValueError, match="JSON"):
        Broken().to_html()


def test_a_module_without_its_export_is_refused(tmp_path):
    (tmp_path / "no_export.js").write_text("function render() {}\n")
    with pytest.raises(ValueError, match="export default"):
        type("NoExport", (BookWidget,), {"module": "no_export", "folder": tmp_path})


def test_sprite_sheet_places_frame_i_at_its_row_and_column():
    frames = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 3), np.uint8)
    sheet = sprite_sheet(frames, columns=2)
    assert sheet.shape == (6, 6, 3)
    assert sheet[2:4, 3:6].min() == sheet[2:4, 3:6].max() == 3
    with pytest.raises(ValueError, match="expected \\(N, H, W, channels\\)"):
        sprite_sheet(frames[0], 2)


def test_picture_uris_name_their_type_and_refuse_floats():
    assert image_uri(np.zeros((2, 2), np.uint8), format="WEBP").startswith(
        "data:image/webp;base64,"
    )
    assert bytes_uri(b"a", "image/png") == "data:image/png;base64,YQ=="
    with pytest.raises(ValueError, match="expected uint8"):
        image_uri(np.zeros((2, 2, 3)))


@pytest.mark.browser
def test_two_of_a_kind_live_apart_on_one_page(browser, stack_size, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page_of(stack_size(frames=2), stack_size(frames=5)))
    with visit(browser, path) as seen:
        outputs = seen.page.locator("output[aria-live]")
        assert outputs.all_text_contents() == ["42336 bytes ", "105840 bytes "]
        seen.page.locator("input").nth(1).focus()
        seen.page.keyboard.press("ArrowRight")
        assert outputs.all_text_contents() == ["42336 bytes ", "127008 bytes "]
        assert seen.page.get_by_label("Frames", exact=True).count() == 2
        assert not seen.errors and not seen.outside


@pytest.mark.browser
def test_without_scripts_the_still_picture_stays(browser, stack_size, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page_of(stack_size()))
    with visit(browser, path, scripts=False) as seen:
        still = seen.page.locator("img.pnc-still")
        assert still.count() == 1 and still.get_attribute("alt") == 'A "stack" of frames.'


@pytest.mark.browser
def test_a_phone_is_wide_enough_and_dark_changes_the_paper(browser, stack_size, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page_of(stack_size()))
    with visit(browser, path, size=PHONE) as seen:
        assert overflow(seen.page) == 0
        paper = "() => getComputedStyle(document.querySelector('.pnc-widget')).backgroundColor"
        light = seen.page.evaluate(paper)
        seen.page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
        assert seen.page.evaluate(paper) != light


# ------------------------------------------------------------------------------ camera explorer


def picture(page) -> str:
    """The main canvas's content."""
    return page.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")


@pytest.fixture
def explorer(tmp_path):
    from labs.widgets.camera_explorer import CameraExplorer

    path = tmp_path / "page.html"
    path.write_text(page_of(CameraExplorer.from_artifact()))
    return path


@pytest.mark.browser
def test_each_slider_moves_the_camera(browser, explorer):
    with visit(browser, explorer) as seen:
        seen.page.wait_for_selector("canvas")
        for label in ("Azimuth", "Elevation", "Distance"):
            before = picture(seen.page)
            slider = seen.page.get_by_role("slider", name=label)
            assert slider.count() == 1
            slider.focus()
            seen.page.keyboard.press("Home")
            seen.page.keyboard.press("ArrowRight")
            assert picture(seen.page) != before, f"{label} must change the picture"
        assert not seen.errors


@pytest.mark.browser
def test_the_counts_are_the_artifact_s_for_both_named_cameras(browser, explorer):
    from labs.artifacts import load_artifact

    views = load_artifact("camera-views").json("measurement.json")
    with visit(browser, explorer) as seen:
        for name, camera in views["cameras"].items():
            seen.page.get_by_role("button", name=f"{name} camera", exact=False).click()
            cells = seen.page.locator("td.pnc-number").all_text_contents()
            expected = views["counts"][camera["index"]]
            assert [int(c.split(" of ")[0]) for c in cells] == expected


@pytest.mark.browser
def test_outlines_can_be_drawn(browser, explorer):
    with visit(browser, explorer) as seen:
        seen.page.wait_for_selector("canvas")
        before = picture(seen.page)
        seen.page.get_by_label("Outline the pixels").check()
        assert picture(seen.page) != before


def test_cached_views_are_what_the_simulator_draws():
    """Two views of the cache against the environment, so that the cache cannot rot."""
    import base64
    import io

    from PIL import Image

    from labs.envs import CAMERAS, SEGMENTS, make_env
    from labs.widgets.camera_explorer import SIDE, CameraExplorer

    explorer = CameraExplorer.from_artifact()
    sheet = base64.b64decode(explorer.frames.split(",", 1)[1])
    sheet = np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB"))
    env = make_env("push", image_size=SIDE)
    env.reset(seed=4)
    for name, camera in explorer.views["cameras"].items():
        env.camera = CAMERAS[name]
        row, column = divmod(camera["index"], explorer.views["columns"])
        cached = sheet[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        difference = np.abs(cached.astype(int) - env.render()).mean()
        assert difference < 2, "OpenGL drivers differ a little, scenes must not"
        labels = env.segmentation()
        counts = [int((labels == label).sum()) for label in SEGMENTS.values()]
        np.testing.assert_allclose(counts, explorer.views["counts"][camera["index"]], atol=6)
    env.close()
