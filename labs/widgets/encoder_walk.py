"""Encoder walk: a small object on its way through both encoders, cell by cell.

The object is a white square on black and every filter is an average, as in
:func:`labs.figures.encoders.footprint_maps`: what is seen is the geometry of the strides, not what
a trained network makes of it. An average over a square is an average over rows and then one over
columns, so two short lists of numbers hold a whole map.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import traitlets
from torch import nn

from labs.figures.encoders import layer_geometry
from labs.figures.style import use_style
from labs.manipulation_encoder import ManipulationCNN
from labs.visual_encoder import NatureCNN
from labs.widgets.base import BookWidget, figure_uri

SIZES = (2, 12)  # pixels: the objects that can be walked


def describe(name: str, cnn: nn.Module, image_size: int = 84) -> dict[str, Any]:
    """What the widget's module must know of an encoder, read off its convolutions.

    Args:
        name: shown to the reader.
        cnn: its ``nn.Conv2d`` modules are taken in order.
        image_size: side of the image in pixels.

    Returns:
        ``name`` and one dictionary per convolution in ``layers``: ``kernel``, ``stride``,
        ``padding``, and ``cells``, ``step``, ``field``, ``first`` as in
        :class:`labs.figures.encoders.LayerGeometry`.
    """
    convolutions = [m for m in cnn.modules() if isinstance(m, nn.Conv2d)]
    geometry = layer_geometry(cnn, image_size)
    return {
        "name": name,
        "layers": [
            {
                "kernel": layer.kernel,
                "stride": layer.stride,
                "padding": conv.padding[0],
                "cells": layer.cells,
                "step": layer.step,
                "field": layer.receptive_field,
                "first": layer.first,
            }
            for conv, layer in zip(convolutions, geometry, strict=True)
        ],
    }


def filled(layers: list[dict[str, int]], position: int, size: int, image_size: int = 84) -> list:
    """How full of the object each cell of each layer is, along one axis.

    Args:
        layers: from :func:`describe`.
        position: the object's first pixel.
        size: its length in pixels.
        image_size: pixels along the axis.

    Returns:
        One float array per layer, (cells,), values in [0, 1]. The share of a cell in the plane is
        the product of its row's and its column's.
    """
    signal = np.zeros(image_size)
    signal[position : position + size] = 1
    shares = []
    for layer in layers:
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(signal, layer["padding"]), layer["kernel"]
        )
        signal = windows[:: layer["stride"]].mean(axis=1)
        shares.append(signal)
    return shares


class EncoderWalk(BookWidget):
    """A square of 2 to 12 pixels anywhere in the image, and what each cell of both encoders sees.

    Attributes:
        image_size: side of the image in pixels.
        encoders: both encoders (:func:`describe`).
        size: side of the object in pixels.
        row, column: its first row and column.
        layer: the layer whose cell is picked, counted through both encoders.
        cell_row, cell_column: the picked cell.
    """

    image_size = traitlets.Int(84).tag(sync=True)
    encoders = traitlets.List().tag(sync=True)
    size = traitlets.Int(5, min=SIZES[0], max=SIZES[1]).tag(sync=True)
    row = traitlets.Int(40, min=0).tag(sync=True)
    column = traitlets.Int(40, min=0).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    cell_row = traitlets.Int(10).tag(sync=True)
    cell_column = traitlets.Int(10).tag(sync=True)

    def __init__(self, **state: Any):
        """Args:
        state: traits to start from.

        Raises:
            ValueError: an object that does not lie in the image.
        """
        encoders = [
            describe("NatureCNN", NatureCNN()),
            describe("ManipulationCNN", ManipulationCNN()),
        ]
        super().__init__(**({"encoders": encoders} | state))
        if max(self.row, self.column) + self.size > self.image_size:
            raise ValueError(
                f"received an object of {self.size} pixels at ({self.row}, {self.column}), "
                f"expected one inside {self.image_size} × {self.image_size}"
            )

    def maps(self) -> list[list[np.ndarray]]:
        """For each encoder and layer the share of each cell that the object fills, (n, n)."""
        both = []
        for encoder in self.encoders:
            rows = filled(encoder["layers"], self.row, self.size, self.image_size)
            columns = filled(encoder["layers"], self.column, self.size, self.image_size)
            both.append([np.outer(r, c) for r, c in zip(rows, columns, strict=True)])
        return both

    def still(self) -> tuple[str, str]:
        use_style()
        figure, axes = plt.subplots(2, 4, figsize=(7.5, 4.2))
        words = []
        for line, encoder, maps in zip(axes, self.encoders, self.maps(), strict=True):
            for axis in line:
                axis.axis("off")
            for axis, layer, shares in zip(line, encoder["layers"], maps, strict=False):
                axis.imshow(shares / shares.max(), vmin=0, vmax=1)
                cells = f"{layer['cells']} × {layer['cells']}"
                axis.set_title(f"{cells}, fullest {shares.max():.0%}", fontsize=8)
            line[0].set_title(f"{encoder['name']}\n{line[0].get_title()}", fontsize=8)
            sides = [str(layer["cells"]) for layer in encoder["layers"]]
            words.append(f"{encoder['name']} ({', '.join(sides)} cells a side)")
        uri = figure_uri(figure)
        plt.close(figure)
        return uri, (
            f"An object of {self.size} pixels in the layers of {' and '.join(words)}: "
            "a blot that covers a larger share of each map the coarser the map is."
        )
