"""The camera explorer: how many pixels of the block a camera sees, from wherever it stands.

The frames are precomputed (``python -m labs.widgets.camera_explorer``) and lie in
``data/camera-views``, so that the widget needs neither simulator nor kernel.
"""

from __future__ import annotations

import argparse
import io
from typing import Any

import numpy as np
import traitlets
from PIL import Image

from labs.artifacts import load_artifact, write_measurement
from labs.errors import ending
from labs.widgets.base import (
    LABEL_STEP,
    BookWidget,
    bytes_uri,
    image_uri,
    sprite_sheet,
    uri_bytes,
)

ARTIFACT = "camera-views"
SIDE = 84
COLUMNS = 8
AZIMUTHS = tuple(range(0, 360, 45))  # degrees
ELEVATIONS = (-15, -30, -45, -60)  # degrees
DISTANCES = (0.85, 1.5, 2.5)  # meters


def take_views(seed: int = 4) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Photographs one reset of Push from every camera of the grid and from the named ones.

    All cameras of the grid look at the point that the workspace camera looks at.

    Args:
        seed: of the reset.

    Returns:
        Frames uint8 (N, 84, 84, 3), labels uint8 (N, 84, 84) as in ``segmentation()``, and the
        description that the widget's module reads: the grid, the pixel counts (gripper, object,
        goal) of each view, and where the named cameras are.
    """
    from labs.envs import CAMERAS, SEGMENTS, Camera, make_env  # here: it refuses a wrong MUJOCO_GL

    lookat = CAMERAS["workspace"].lookat
    # Frame (d · elevations + e) · azimuths + a; the named cameras follow.
    places = [Camera(a, e, d, lookat) for d in DISTANCES for e in ELEVATIONS for a in AZIMUTHS]
    named = {}
    for name, camera in CAMERAS.items():
        named[name] = {
            "index": len(places),
            "azimuth": _nearest(AZIMUTHS, camera.azimuth),
            "elevation": _nearest(ELEVATIONS, camera.elevation),
            "distance": _nearest(DISTANCES, camera.distance),
            "true": {k: getattr(camera, k) for k in ("azimuth", "elevation", "distance")},
        }
        places.append(camera)
    env = make_env("push", image_size=SIDE)
    try:
        env.reset(seed=seed)
        frames, labels = [], []
        for place in places:
            env.camera = place
            frames.append(env.render())
            labels.append(env.segmentation())
    finally:
        env.close()
    counts = [[int((view == label).sum()) for label in SEGMENTS.values()] for view in labels]
    views = {
        "azimuths": list(AZIMUTHS),
        "elevations": list(ELEVATIONS),
        "distances": list(DISTANCES),
        "columns": COLUMNS,
        "counts": counts,
        "cameras": named,
    }
    return np.stack(frames), np.stack(labels), views


def _nearest(values: tuple[float, ...], value: float) -> int:
    return int(np.argmin([abs(v - value) for v in values]))


def write_views(seed: int = 4) -> None:
    """Writes ``data/camera-views``: two sprite sheets and the pixel counts.

    The frames keep 64 colors, less than a gray level off on average: two fifths of the bytes, and
    no edge is smeared. The counts are taken from the renderer's own labels.
    """
    from labs.envs import gl_renderer  # here: it refuses a wrong MUJOCO_GL

    frames, labels, views = take_views(seed)
    sheet, label_sheet = io.BytesIO(), io.BytesIO()
    colors = Image.fromarray(sprite_sheet(frames, COLUMNS)).quantize(
        64, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE
    )
    colors.convert("RGB").save(sheet, "WEBP", lossless=True, quality=100, method=6)
    gray = sprite_sheet(labels[..., None] * LABEL_STEP, COLUMNS)[..., 0]
    Image.fromarray(gray).save(label_sheet, "PNG", optimize=True)
    write_measurement(
        ARTIFACT,
        views,
        parameters={"task": "push", "seed": seed, "image_size": SIDE, "scene": "stock"},
        extra_files={"frames.webp": sheet.getvalue(), "labels.png": label_sheet.getvalue()},
        gl=gl_renderer(),
    )


class CameraExplorer(BookWidget):
    """Moves a camera over precomputed views of Push and counts what each one sees.

    Attributes:
        frames: sprite sheet of all views, a data URI.
        labels: the same in gray values 0, 80, 160, 240 for else, gripper, object, goal.
        views: the grid, the counts and the named cameras (:func:`take_views`).
        azimuth: index into the grid's azimuths; ``elevation`` and ``distance`` likewise.
        camera: the named camera that is shown, or ``""`` for the grid's.
        outline: draw outlines around gripper, block and goal.
    """

    frames = traitlets.Unicode().tag(sync=True)
    labels = traitlets.Unicode().tag(sync=True)
    views = traitlets.Dict().tag(sync=True)
    azimuth = traitlets.Int(0).tag(sync=True)
    elevation = traitlets.Int(0).tag(sync=True)
    distance = traitlets.Int(0).tag(sync=True)
    camera = traitlets.Unicode("default").tag(sync=True)
    outline = traitlets.Bool(False).tag(sync=True)

    @classmethod
    def from_artifact(cls, name: str = ARTIFACT, **state: Any) -> CameraExplorer:
        """The explorer of the cached views, at the default camera.

        Args:
            name: the artifact.
            state: traits to start from, such as ``camera="workspace"`` or ``outline=True``.

        Raises:
            UserError: the artifact is missing or damaged.
        """
        artifact = load_artifact(name)
        return cls._at_camera(
            artifact.json("measurement.json"),
            bytes_uri(artifact.file("frames.webp").read_bytes(), "image/webp"),
            bytes_uri(artifact.file("labels.png").read_bytes(), "image/png"),
            state,
        )

    @classmethod
    def from_env(cls, seed: int = 4, **state: Any) -> CameraExplorer:
        """The explorer of another reset, photographed now: some ten seconds on a CPU."""
        frames, labels, views = take_views(seed)
        return cls._at_camera(
            views,
            image_uri(sprite_sheet(frames, COLUMNS), format="WEBP", lossless=True),
            image_uri(sprite_sheet(labels[..., None] * LABEL_STEP, COLUMNS)[..., 0]),
            state,
        )

    @classmethod
    def _at_camera(cls, views, frames, labels, state) -> CameraExplorer:
        start = views["cameras"].get(state.get("camera", "default"), {})
        place = {k: start[k] for k in ("azimuth", "elevation", "distance") if k in start}
        return cls(views=views, frames=frames, labels=labels, **(place | state))

    def still(self) -> tuple[str, str]:
        """The default and the workspace camera's picture side by side."""
        sheet = Image.open(io.BytesIO(uri_bytes(self.frames))).convert("RGB")
        pictures, words = [], []
        for name, camera in self.views["cameras"].items():
            row, column = divmod(camera["index"], self.views["columns"])
            box = (column * SIDE, row * SIDE, (column + 1) * SIDE, (row + 1) * SIDE)
            pictures.append(np.asarray(sheet.crop(box).resize((3 * SIDE,) * 2, Image.NEAREST)))
            words.append(f"{self.views['counts'][camera['index']][1]} in the {name} camera")
        alternative = "Push from two cameras. Pixels of the block: " + ", ".join(words) + "."
        return image_uri(np.concatenate(pictures, axis=1)), alternative


def main() -> int:
    argparse.ArgumentParser(
        prog="python -m labs.widgets.camera_explorer",
        description="Photographs Push from every camera and writes data/camera-views anew.",
    ).parse_args()
    write_views()
    return 0


if __name__ == "__main__":
    raise SystemExit(ending("python -m labs.widgets.camera_explorer", main))
