"""Shapes: shown as a table, and checked where a network takes its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


def check_images(images: Tensor, channels: int, size: tuple[int, int] | None, minimum: int) -> None:
    """Raises unless ``images`` is a batch that a network can take.

    Args:
        images: what the network received.
        channels: the channel count it was built for.
        size: (height, width) it was built for; None: any size.
        minimum: the smallest height and width.

    Raises:
        TypeError: no floating-point tensor.
        ValueError: wrong number of axes, wrong channels, or wrong size.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"images: received {type(images).__name__}, expected a torch.Tensor")
    if not images.is_floating_point():
        raise TypeError(
            f"images: received dtype {images.dtype}, expected floating point in [0, 1]; "
            "convert with images.float() / 255"
        )
    height, width = size if size is not None else ("H", "W")
    expected = f"expected (B, {channels}, {height}, {width})"
    received = f"images: received shape {tuple(images.shape)}, {expected}"
    if images.ndim != 4:
        raise ValueError(received)
    if images.shape[1] != channels:
        hint = "; channels last? use images.permute(0, 3, 1, 2)"
        raise ValueError(received + (hint if images.shape[3] == channels else ""))
    if size is not None and tuple(images.shape[2:]) != tuple(size):
        raise ValueError(received)
    if min(images.shape[2:]) < minimum:
        raise ValueError(f"{received} with H and W at least {minimum}")


def check_vector(name: str, vector: Tensor, dim: int, batch: int) -> None:
    """Raises ValueError unless ``vector`` has shape (batch, dim)."""
    if tuple(vector.shape) != (batch, dim):
        raise ValueError(f"{name}: received shape {tuple(vector.shape)}, expected ({batch}, {dim})")


@dataclass(frozen=True)
class ShapeRow:
    """One layer: its name, its class, the shape it put out, its number of parameters."""

    name: str
    layer: str
    output: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class ShapeTable:
    """The rows of :func:`shape_table`; ``print`` it."""

    rows: tuple[ShapeRow, ...]
    parameters: int

    def __str__(self) -> str:
        cells = [("layer", "output", "parameters")]
        for row in self.rows:
            name = f"{row.name} {row.layer}".strip()
            cells.append((name, str(row.output), f"{row.parameters:,}"))
        cells.append(("all", "", f"{self.parameters:,}"))
        wide = [max(len(line[column]) for line in cells) for column in range(3)]
        return "\n".join(f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:>{wide[2]}}" for a, b, c in cells)


def shape_table(module: nn.Module, *inputs: object) -> ShapeTable:
    """Runs a module once without gradients and records what each of its layers puts out.

    Args:
        module: any network.
        inputs: what its ``forward`` takes.

    Returns:
        One row for each call of a leaf module, in the order of the calls, and the number of
        parameters of the whole module.
    """
    rows: list[ShapeRow] = []

    def record(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(layer: nn.Module, _inputs: object, output: object) -> None:
            count = sum(p.numel() for p in layer.parameters())
            shape = tuple(output.shape) if isinstance(output, Tensor) else ()
            rows.append(ShapeRow(name, type(layer).__name__, shape, count))

        return hook

    leaves = [(n, m) for n, m in module.named_modules() if not any(m.children())]
    handles = [leaf.register_forward_hook(record(name)) for name, leaf in leaves]
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return ShapeTable(tuple(rows), sum(p.numel() for p in module.parameters()))
