"""Crop shift: move DrQ's cropping window over a real frame and watch what the keypoints do.

DrQ's random shift: Kostrikov et al. 2020, arXiv 2004.13649.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import traitlets

from labs.envs import CAMERAS, SEGMENTS, Camera, make_env
from labs.image_augmentation import RandomShiftAug
from labs.projection import project as project  # offered here too
from labs.projection import table_centimeters
from labs.widgets.base import LABEL_STEP, BookWidget, image_uri


class CropShift(BookWidget):
    """Moves the cropping window by hand or at random, with either padding.

    Attributes:
        frames: the pictures of all cameras side by side, a data URI.
        labels: the same in gray values 0, 80, 160, 240 for else, gripper, object, goal.
        side: height and width of a picture in pixels.
        cameras: one dictionary per picture: ``name``, and the centimeters on the table that one
            pixel is worth, ``row`` (along the view) and ``column`` (across it).
        pad: the largest shift.
        camera: which picture is shown.
        rows: how far the window moves down; ``columns``: to the right. The content moves against
            it, as in ``RandomShiftAug.shift``.
        padding: ``"replicate"`` or ``"zeros"``.
    """

    frames = traitlets.Unicode().tag(sync=True)
    labels = traitlets.Unicode().tag(sync=True)
    side = traitlets.Int(84).tag(sync=True)
    cameras = traitlets.List().tag(sync=True)
    pad = traitlets.Int(4).tag(sync=True)
    camera = traitlets.Int(0).tag(sync=True)
    rows = traitlets.Int(3).tag(sync=True)
    columns = traitlets.Int(-4).tag(sync=True)
    padding = traitlets.Enum(["replicate", "zeros"], "replicate").tag(sync=True)

    def __init__(
        self, frames: np.ndarray, labels: np.ndarray, cameras: dict[str, Camera], **state: Any
    ):
        """Args:
        frames: uint8 (N, S, S, 3), one picture per camera, of the same moment.
        labels: uint8 (N, S, S), as in ``segmentation()``.
        cameras: N cameras by name, in the same order.
        state: traits to start from.

        Raises:
            ValueError: the shapes do not fit each other, or a shift beyond ``pad``.
        """
        frames, labels = np.asarray(frames), np.asarray(labels)
        expected = (len(cameras), *frames.shape[1:2] * 2)
        if frames.ndim != 4 or frames.shape != (*expected, 3) or labels.shape != expected:
            raise ValueError(
                f"received frames {frames.shape} and labels {labels.shape} for {len(cameras)} "
                "cameras, expected (cameras, S, S, 3) and (cameras, S, S)"
            )
        self._frames, self._labels = frames, labels
        side = frames.shape[1]
        places = []
        for name, camera in cameras.items():
            row, column = table_centimeters(camera, side)
            places.append({"name": name, "row": round(row, 2), "column": round(column, 2)})
        super().__init__(
            frames=image_uri(np.concatenate(list(frames), axis=1)),
            labels=image_uri(np.concatenate(list(labels * LABEL_STEP), axis=1)),
            side=side,
            cameras=places,
            **state,
        )
        if max(abs(self.rows), abs(self.columns)) > self.pad:
            raise ValueError(
                f"received a shift of ({self.rows}, {self.columns}), expected at most "
                f"pad={self.pad}"
            )

    @classmethod
    def from_env(cls, seed: int = 4, **state: Any) -> CropShift:
        """One reset of Push, seen by the book's two cameras.

        Args:
            seed: of the reset.
            state: traits to start from.
        """
        env = make_env("push", image_size=84)
        try:
            env.reset(seed=seed)
            frames, labels = [], []
            for camera in CAMERAS.values():
                env.camera = camera
                frames.append(env.render())
                labels.append(env.segmentation())
        finally:
            env.close()
        return cls(np.stack(frames), np.stack(labels), CAMERAS, **state)

    def shifted(self) -> tuple[np.ndarray, np.ndarray]:
        """The shown picture and its labels after the shift: uint8 (S, S, 3) and (S, S)."""
        both = np.concatenate(
            [self._frames[self.camera], self._labels[self.camera][..., None]], axis=-1
        )
        offset = torch.tensor([[self.rows, self.columns]])
        shift = RandomShiftAug(self.pad, self.padding).shift
        moved = shift(torch.as_tensor(both).permute(2, 0, 1)[None], offset)[0]
        moved = moved.permute(1, 2, 0).numpy()
        return moved[..., :3], moved[..., 3]

    def still(self) -> tuple[str, str]:
        """The frame before and after the shift, side by side."""
        picture, labels = self.shifted()
        gap = np.full((self.side, 4, 3), 255, np.uint8)
        pair = np.concatenate([self._frames[self.camera], gap, picture], axis=1)
        words = [
            f"Push from the {self.cameras[self.camera]['name']} camera, before and after the "
            f"cropping window moves by {self.rows} rows and {self.columns} columns "
            f"({self.padding} padding)."
        ]
        for name in ("gripper", "object"):
            before = centroid(self._labels[self.camera], SEGMENTS[name])
            after = centroid(labels, SEGMENTS[name])
            if before is not None and after is not None:
                places = [f"({r:.1f}, {c:.1f})" for r, c in (before, after)]
                words.append(f"The {name} goes from {places[0]} to {places[1]}.")
        return image_uri(pair.repeat(3, axis=0).repeat(3, axis=1)), " ".join(words)


def centroid(labels: np.ndarray, label: int) -> tuple[float, float] | None:
    """Mean (row, column) of the pixels with a label; None where there is none.

    Args:
        labels: uint8 (H, W), as in ``segmentation()``.
        label: a value of ``labs.envs.SEGMENTS``.
    """
    pixels = np.argwhere(labels == label)
    return tuple(pixels.mean(axis=0).tolist()) if len(pixels) else None
