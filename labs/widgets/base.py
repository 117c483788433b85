"""The pattern of every widget: one JavaScript module, alive with a kernel and without one.

A widget is two files. ``labs/widgets/<name>.js`` draws it; ``labs/widgets/<name>.py`` declares its
traits. In a live notebook anywidget runs the module. In the built book, without kernel or
network, the same module lies packed in the page with the traits, and a small object is the model.
Without scripts (GitHub), a still picture is left.

A whole widget, ``labs/widgets/stack_size.py`` and ``stack_size.js``::

    import traitlets
    from labs.widgets.base import BookWidget

    class StackSize(BookWidget):                                 # file name → module name
        frames = traitlets.Int(4).tag(sync=True)                 # every synced trait goes along
        picture = traitlets.Unicode("").tag(sync=True)           # pictures: image_uri(uint8 array)

        def still(self):                                         # picture and its alternative text
            return self.picture, f"A stack of {self.frames} frames."

    function render({ model, el }) {
      ui.mount(el, { title: "Frames in a stack", label: "Frame stack widget" });
      const text = ui.h("output", { "aria-live": "polite" });
      el.append(ui.slider(model, "frames", { label: "Frames", min: 1, max: 8 }), text);
      return ui.redraw(model, ["frames"], () => {
        text.textContent = `${model.get("frames") * 84 * 84 * 3} bytes`;
      });
    }
    export default { render };

Rules: plain JavaScript, nothing imported or fetched; ``export default { render };`` at the end;
helpers (``ui.slider``, ``ui.checkbox``, ``ui.select``, ``ui.player``,
``ui.canvas``, ``ui.color``, ``ui.image``, ...) and colors come from ``base.js`` and ``base.css``.
Traits are what JSON can carry: pictures are data URIs
(:func:`image_uri`), and a film is one sprite sheet. ``<name>.css`` is optional; prefix its
selectors with ``.pnc-widget``. Name things for screen readers (``label``), say state in words and
in color, keep each widget under about 500 KB, and let draw functions read colors through
``ui.color(el, "blue")`` to follow the theme. ``render`` may be ``async``. The
static page starts with the traits' values.
"""

from __future__ import annotations

import base64
import html
import io
import json
import zlib
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
from PIL import Image

from labs.json_text import json_type

FOLDER = Path(__file__).parent
LABEL_STEP = 80  # in a picture of labels, label n is the gray 80 n
PACKED = "application/zlib"  # of a static page's widget: code and numbers take a third of the room


def image_uri(picture: np.ndarray, *, format: str = "PNG", **options: Any) -> str:
    """A picture as a data URI, for a trait or a still.

    Args:
        picture: uint8 (H, W, 3), (H, W, 4) or (H, W).
        format: ``"PNG"`` (lossless), ``"WEBP"`` or ``"JPEG"`` (smaller).
        options: for Pillow's ``save``, such as ``quality=80``.

    Returns:
        ``data:image/...;base64,...``
    """
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
        raise ValueError(
            f"received {picture.dtype} {picture.shape}, expected uint8 (H, W) or (H, W, channels)"
        )
    if format == "PNG":
        options.setdefault("optimize", True)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format=format, **options)
    return bytes_uri(buffer.getvalue(), f"image/{format.lower()}")


def bytes_uri(data: bytes, mime: str) -> str:
    """Bytes of a known type as a data URI."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def uri_bytes(uri: str) -> bytes:
    """The bytes in a data URI that :func:`bytes_uri` made."""
    return base64.b64decode(uri.partition(",")[2])


def figure_uri(figure: Any, dpi: int = 110) -> str:
    """A matplotlib figure as a PNG data URI, for a still."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight")
    return bytes_uri(buffer.getvalue(), "image/png")


def sprite_sheet(frames: np.ndarray, columns: int) -> np.ndarray:
    """Lays frames (N, H, W, C) out row by row; missing ones at the end stay black.

    Frame ``i`` lies at column ``i % columns``, row ``i // columns``.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4:
        raise ValueError(f"received shape {frames.shape}, expected (N, H, W, channels)")
    n, height, width, channels = frames.shape
    rows = -(-n // columns)
    sheet = np.zeros((rows * columns, height, width, channels), frames.dtype)
    sheet[:n] = frames
    sheet = sheet.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return sheet.reshape(rows * height, columns * width, channels)


class BookWidget(anywidget.AnyWidget):
    """Base of the book's widgets; see the module's docstring for an example.

    Subclasses declare synced traits and :meth:`still`. The name of the subclass's Python file is
    the name of its JavaScript module, unless the class sets ``module`` (and ``folder``).
    """

    module: str = ""
    folder: Path = FOLDER  # where the module's .js and .css lie

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "_anywidget_id" in cls.__dict__:  # the class that anywidget derives for each instance
            super().__init_subclass__(**kwargs)
            return
        if not cls.__dict__.get("module"):
            cls.module = cls.__module__.rsplit(".", 1)[-1]
        source = cls.folder / f"{cls.module}.js"
        if source.exists():
            cls._esm = _read("base.js") + source.read_text(encoding="utf-8")
            if "\nexport default " not in cls._esm:
                raise ValueError(f"{source.name}: expected a line 'export default {{ render }};'")
            style = cls.folder / f"{cls.module}.css"
            cls._css = _read("base.css") + (style.read_text("utf-8") if style.exists() else "")
        super().__init_subclass__(**kwargs)

    def still(self) -> tuple[str, str]:
        """The picture for readers without scripts: (data URI, alternative text)."""
        raise NotImplementedError(f"{type(self).__name__}.still() is missing")

    def state(self) -> dict[str, Any]:
        """The synced traits that the subclass declares: what the module's model holds."""
        inherited = set(anywidget.AnyWidget.class_trait_names())
        names = self.traits(sync=True).keys() - inherited
        return {name: getattr(self, name) for name in sorted(names) if not name.startswith("_")}

    def to_html(self) -> str:
        """The widget as HTML that needs nothing else: no kernel, no network, no library."""
        uri, alternative = self.still()
        parts = {"module": self._esm, "css": self._css, "state": self.state()}
        packed = bytes_uri(zlib.compress(_json(parts).encode(), 9), PACKED)
        start = _read("static.js").replace("__NAME__", self.module).replace("__PARTS__", packed)
        return (
            f'<div data-pnc-widget="{self.module}" class="pnc-host">'
            f'<img class="pnc-still" src="{uri}" alt="{html.escape(alternative)}">'
            f"</div>\n"
            f'<script type="module">\n{start}</script>'
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/html": self.to_html()}, metadata


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"), default=json_type)
