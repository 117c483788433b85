"""What an encoder makes of a small object (figure 2), and the curves of the from-scratch demo.

``python -m labs.manipulation_encoder --compare-nature`` draws the first,
``python -m labs.visual_encoder --demo`` the second.
"""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from labs.figures.style import OKABE_ITO, save_figure, use_style
from labs.manipulation_encoder import ManipulationCNN
from labs.visual_encoder import NatureCNN

if TYPE_CHECKING:
    from labs.from_scratch_sac import History


SIDE = 84  # pixels of the image, in height and width


@dataclass(frozen=True)
class LayerGeometry:
    """One convolution along one axis of the image; all lengths in image pixels.

    Attributes:
        name: which layer.
        cells: cells along the axis.
        channels: feature maps.
        kernel, stride: of this layer.
        step: distance between neighboring cells: the product of the strides so far.
        receptive_field: pixels that one cell sees.
        first: the pixel at which the first cell's receptive field begins; negative in the padding.
    """

    name: str
    cells: int
    channels: int
    kernel: int
    stride: int
    step: int
    receptive_field: int
    first: int

    def footprint(self, position: int, size: int) -> range:
        """The cells whose receptive field touches pixels ``position`` … ``position + size − 1``."""
        touching = [
            cell
            for cell in range(self.cells)
            if (start := self.first + cell * self.step) < position + size
            and start + self.receptive_field > position
        ]
        return range(touching[0], touching[-1] + 1) if touching else range(0)


def layer_geometry(cnn: nn.Module, image_size: int = SIDE) -> list[LayerGeometry]:
    """Follows cells, step and receptive field through the square convolutions of a network.

    Args:
        cnn: its ``nn.Conv2d`` modules are taken in order.
        image_size: pixels along the axis.
    """
    layers: list[LayerGeometry] = []
    cells, step, field, first = image_size, 1, 1, 0
    for conv in (m for m in cnn.modules() if isinstance(m, nn.Conv2d)):
        kernel, stride, padding = conv.kernel_size[0], conv.stride[0], conv.padding[0]
        cells = (cells + 2 * padding - kernel) // stride + 1
        first -= padding * step
        field += (kernel - 1) * step
        step *= stride
        name = f"layer {len(layers) + 1}"
        layers.append(
            LayerGeometry(name, cells, conv.out_channels, kernel, stride, step, field, first)
        )
    return layers


def footprint_maps(cnn: nn.Module, position: int, size: int) -> list:
    """Sends a white square through the network with every filter an average.

    Averaging filters show what the geometry alone does to an object: how far its light spreads,
    and how little of each cell it fills.

    Args:
        cnn: a network with ``in_channels``; it is copied, not changed.
        position: first row and first column of the square.
        size: its side in pixels.

    Returns:
        The image (H, W) and then one float map for each convolution, values in [0, 1].
    """
    convolutions = [copy.deepcopy(m) for m in cnn.modules() if isinstance(m, nn.Conv2d)]
    image = torch.zeros(1, cnn.in_channels, SIDE, SIDE)
    image[:, :, position : position + size, position : position + size] = 1
    maps, signal = [image[0, 0].numpy()], image
    with torch.no_grad():
        for conv in convolutions:
            conv.weight.fill_(1 / conv.weight[0].numel())
            conv.bias.zero_()
            signal = conv(signal)
            maps.append(signal[0, 0].numpy())
    return maps


def geometry_table(layers: list[LayerGeometry], position: int, size: int) -> str:
    """The layers as text: cells, stride, receptive field, and the object's footprint."""
    head = ("", "cells", "stride", "step", "field", "object", "touched")
    rows = [head]
    for layer in layers:
        touched = len(layer.footprint(position, size))
        rows.append(
            (
                layer.name,
                f"{layer.cells} x {layer.cells}",
                str(layer.stride),
                f"{layer.step} px",
                f"{layer.receptive_field} px",
                f"{size / layer.step:.2f} cells",
                f"{touched} x {touched}",
            )
        )
    wide = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(f"{cell:>{width}}" for cell, width in zip(row, wide, strict=True)) for row in rows
    )


def _both_encoders() -> dict[str, nn.Module]:
    return {"NatureCNN": NatureCNN(3), "ManipulationCNN": ManipulationCNN(3)}


def _picture(axis: Axes, values: np.ndarray, above: str, below: str) -> None:
    """Draws values (H, W) in [0, 1] without ticks, between words on the picture and its object."""
    axis.imshow(values, vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.set_title(above, fontsize=10)
    axis.set_xlabel(below, fontsize=10)


def encoder_progression(size: int = 5, position: int = 40) -> Figure:
    """What becomes of a small object at each layer of both encoders: figure 2.

    Args:
        size: side of the object in pixels.
        position: its first row and column in the 84 × 84 image.

    Raises:
        ValueError: an object that does not lie inside the image.
    """
    if size < 1 or position < 0 or position + size > SIDE:
        raise ValueError(
            f"received an object of {size} pixels at {position}, expected it inside 0 to {SIDE}"
        )
    use_style()
    figure, axes = plt.subplots(2, 5, figsize=(10, 5.7))
    figure.get_layout_engine().set(hspace=0.03)
    for (name, cnn), row in zip(_both_encoders().items(), axes, strict=True):
        layers = layer_geometry(cnn)
        maps = footprint_maps(cnn, position, size)
        for axis in row[len(maps) :]:
            axis.remove()
        _picture(row[0], maps[0], f"{name}\nimage: 84 × 84", f"object {size} px")
        for layer, response, axis in zip(layers, maps[1:], row[1:], strict=False):
            strongest = response.max()
            _picture(
                axis,
                response / strongest,
                f"{layer.name}: {layer.cells} × {layer.cells}\na cell sees "
                f"{layer.receptive_field} px",
                f"object {size / layer.step:.2f} cells\nstrongest {strongest:.0%}",
            )
    return figure


def compare_nature(path: str | os.PathLike[str], size: int = 5, position: int = 40) -> Path:
    """Writes :func:`encoder_progression` to a file.

    Prints a table for each encoder: *step* is the distance of neighboring cells, *field* what one
    cell sees, *object* the object's width in cells, *touched* the cells that see any of it.

    Args:
        path: where the picture goes.
        size: side of the object in pixels.
        position: its first row and column in the 84 × 84 image.

    Returns:
        The path.

    Raises:
        ValueError: an object that does not lie inside the image.
    """
    figure = encoder_progression(size, position)
    for name, cnn in _both_encoders().items():
        table = geometry_table(layer_geometry(cnn), position, size)
        print(f"{name}: an object of {size} x {size} pixels\n{table}")
    path = save_figure(figure, path)
    plt.close(figure)
    print(f"figure: {path}")
    return path


def _smooth(values: list[float], window: int) -> np.ndarray:
    """Mean of the last ``window`` values, of fewer at the start."""
    import pandas as pd  # slow to import, and needed by the demo's curves alone

    return pd.Series(values, dtype=float).rolling(window, min_periods=1).mean().to_numpy()


def draw_demo(history: History, path: str | os.PathLike[str]) -> Path:
    """Draws a run of the from-scratch SAC: returns, critic's loss, actor's loss.

    Args:
        history: what ``labs.from_scratch_sac.demo`` recorded.
        path: where the picture goes.

    Returns:
        The path.
    """
    use_style()
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3))
    left.plot(history.episode_steps, history.returns, ".", color=OKABE_ITO["sky"], markersize=3)
    left.plot(history.episode_steps, _smooth(history.returns, 10), color=OKABE_ITO["blue"])
    left.set(title="Return of an episode", xlabel="environment steps")
    for axis, name in ((middle, "critic_loss"), (right, "actor_loss")):
        if history.update_steps:
            axis.plot(history.update_steps, _smooth(history.losses[name], 50))
        axis.set(title=name.replace("_", "'s ").capitalize(), xlabel="environment steps")
    if history.update_steps:
        middle.set_yscale("log")
    path = save_figure(figure, path)
    plt.close(figure)
    return path
