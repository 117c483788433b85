"""Keypoints: what SpatialSoftmax makes of real feature maps, and of a blob that can be dragged.

SpatialSoftmax: Levine et al. 2016, arXiv 1504.00702; ours is
:class:`labs.manipulation_encoder.SpatialSoftmax`, and the widget's module does the same sums.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets

from labs.figures.encoders import layer_geometry
from labs.figures.style import OKABE_ITO, use_style
from labs.manipulation_encoder import ManipulationCNN, SpatialSoftmax
from labs.widgets.base import BookWidget, figure_uri, image_uri

BLOB_WIDTH = 1.5  # cells: standard deviation of the synthetic blob
SECOND = (4, 16)  # row and column at which the second blob stands still


def blob_map(size: int, row: float, column: float, height: float, second: bool) -> np.ndarray:
    """The synthetic feature map: one blob, or two, on zero.

    Args:
        size: cells along each axis.
        row, column: center of the blob, in cells.
        height: the feature at its center.
        second: add another of the same height at :data:`SECOND`.

    Returns:
        float (size, size).
    """
    grid = np.indices((size, size))
    features = np.zeros((size, size))
    for center in [(row, column), *([SECOND] if second else [])]:
        distance = ((grid - np.reshape(center, (2, 1, 1))) ** 2).sum(axis=0)
        features += height * np.exp(-distance / (2 * BLOB_WIDTH**2))
    return features


class Keypoints(BookWidget):
    """A real frame with its feature maps, a synthetic map, and the keypoint of each.

    Attributes:
        frame: the picture, a data URI.
        side: its height and width in pixels.
        maps: one flat list of size × size features per channel, rows first.
        size: cells of a map along each axis.
        pitch: image pixels from cell to cell; cell (0, 0) is centered on pixel (0, 0).
        names: what each channel is called.
        channel: the channel that is shown.
        log_temperature: base-10 logarithm of the temperature.
        row, column: center of the synthetic blob, in cells.
        height: its height.
        second: show a second blob.
        blob_width, second_place: as in :func:`blob_map`.
    """

    frame = traitlets.Unicode().tag(sync=True)
    side = traitlets.Int(84).tag(sync=True)
    maps = traitlets.List().tag(sync=True)
    size = traitlets.Int(21).tag(sync=True)
    pitch = traitlets.Int(4).tag(sync=True)
    names = traitlets.List().tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)
    log_temperature = traitlets.Float(0.0, min=-2, max=1).tag(sync=True)
    row = traitlets.Float(14.0).tag(sync=True)
    column = traitlets.Float(6.0).tag(sync=True)
    height = traitlets.Float(6.0, min=0).tag(sync=True)
    second = traitlets.Bool(False).tag(sync=True)
    blob_width = traitlets.Float(BLOB_WIDTH).tag(sync=True)
    second_place = traitlets.List(list(SECOND)).tag(sync=True)

    def __init__(
        self,
        frame: np.ndarray,
        maps: np.ndarray | torch.Tensor,
        names: list[str] | None = None,
        **state: Any,
    ):
        """Args:
        frame: uint8 (S, S, 3).
        maps: float (C, n, n), what a ``ManipulationCNN`` made of the frame.
        names: C names; ``channel 0`` and so on without.
        state: traits to start from.

        Raises:
            ValueError: the shapes do not fit each other.
        """
        frame = np.asarray(frame)
        maps = np.asarray(torch.as_tensor(maps).detach(), dtype=np.float64)
        last = layer_geometry(ManipulationCNN(3), frame.shape[0])[-1]
        if frame.shape != (frame.shape[0],) * 2 + (3,) or maps.shape[1:] != (last.cells,) * 2:
            raise ValueError(
                f"received frame {frame.shape} and maps {maps.shape}, "
                f"expected (S, S, 3) and (C, {last.cells}, {last.cells})"
            )
        names = names or [f"channel {i}" for i in range(len(maps))]
        if len(names) != len(maps):
            raise ValueError(f"received {len(names)} names, expected {len(maps)}")
        self._frame = frame
        super().__init__(
            frame=image_uri(frame),
            side=len(frame),
            maps=[map_.ravel().round(3).tolist() for map_ in maps],
            size=last.cells,
            pitch=last.step,
            names=list(names),
            **state,
        )

    @classmethod
    def from_encoder(cls, frame: np.ndarray, cnn: ManipulationCNN, **state: Any) -> Keypoints:
        """The maps that an encoder makes of one frame.

        Args:
            frame: uint8 (84, 84, 3).
            cnn: takes 3 channels.
            state: ``names``, or traits to start from.
        """
        image = torch.from_numpy(np.array(frame)).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            return cls(frame, cnn(image)[0], **state)

    def keypoints(self) -> tuple[np.ndarray, np.ndarray]:
        """(x, y) in [−1, 1] of every channel, (C, 2), and of the synthetic map, (2,)."""
        blob = blob_map(self.size, self.row, self.column, self.height, self.second)
        maps = np.concatenate([np.reshape(self.maps, (-1, self.size, self.size)), blob[None]])
        head = SpatialSoftmax(self.size, self.size, len(maps), 10.0**self.log_temperature)
        with torch.no_grad():
            points = head(torch.from_numpy(maps)[None])[0].reshape(2, -1).T.numpy()
        return points[:-1], points[-1]

    def still(self) -> tuple[str, str]:
        use_style()
        points, synthetic = self.keypoints()
        figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.5, 2.7))
        left.imshow(self._frame)
        left.plot(*(self.pitch * (points + 1) / 2 * (self.size - 1)).T, "o", mfc="none", mew=1.5)
        middle.imshow(np.reshape(self.maps[self.channel], (self.size, self.size)))
        right.imshow(blob_map(self.size, self.row, self.column, self.height, self.second))
        for axis, point in ((middle, points[self.channel]), (right, synthetic)):
            place = (point + 1) / 2 * (self.size - 1)
            axis.plot(*place, "+", ms=14, mew=2.5, color=OKABE_ITO["orange"])
        titles = ("frame, all keypoints", f"map: {self.names[self.channel]}", "synthetic map")
        for axis, title in zip((left, middle, right), titles, strict=True):
            axis.axis("off")
            axis.set_title(title, fontsize=9)
        uri = figure_uri(figure)
        plt.close(figure)
        return uri, (
            f"A frame of Push with {len(points)} keypoints, the feature map "
            f"“{self.names[self.channel]}” with its keypoint, and a synthetic map with a blob, "
            f"at temperature {10**self.log_temperature:.2f}."
        )
