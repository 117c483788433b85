"""The replay memory on disk, in pieces: each checkpoint adds what came since the one before.

A memory is a ring of rows: SB3's memories have one row for each vector step,
:class:`labs.replay.EpisodeReplay` one for each episode. Rows are counted since the start of the
run, row r lies in slot r modulo the ring's length, and every piece holds whole episodes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from labs.artifacts import sha256
from labs.errors import UserError
from labs.experiments.config import EPISODE_STEPS
from labs.replay import EpisodeReplay
from labs.tensor_files import save_tensors


def ring_length(buffer) -> int:
    """Rows that fit into the memory."""
    return buffer.n_episodes if isinstance(buffer, EpisodeReplay) else buffer.buffer_size


def rows_written(model) -> int:
    """Rows that the run has written so far, overwritten ones included."""
    if isinstance(model.replay_buffer, EpisodeReplay):
        return model.num_timesteps // EPISODE_STEPS
    return model.num_timesteps // model.n_envs


def ring_tensors(buffer) -> dict[str, torch.Tensor]:
    """The memory's tensors by name, each with one row for each slot; views, not copies."""
    if isinstance(buffer, EpisodeReplay):
        return dict(buffer.memory)
    tensors: dict[str, torch.Tensor] = {}
    for name, value in vars(buffer).items():
        group = value if isinstance(value, dict) else {"": value}
        for key, array in group.items():
            ring = isinstance(array, np.ndarray) and array.shape[:1] == (buffer.buffer_size,)
            if ring and array.dtype != object:
                tensors[f"{name}.{key}" if key else name] = torch.from_numpy(array)
    return tensors


def add_piece(model, folder: Path, pieces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Writes the rows that no piece holds yet.

    Args:
        model: the learner, between two episodes.
        folder: of the pieces.
        pieces: what is on disk: name, first and last row (exclusive), SHA-256.

    Returns:
        The pieces that hold the memory as it is now; those that are wholly overwritten dropped.
    """
    length, last = ring_length(model.replay_buffer), rows_written(model)
    first = max(pieces[-1]["last"] if pieces else 0, last - length)
    if last > first:
        slots = torch.arange(first, last) % length
        rows = {}
        for name, tensor in ring_tensors(model.replay_buffer).items():
            rows[name] = tensor[slots.to(tensor.device)].cpu().contiguous()
        name = f"{first:010d}-{last:010d}.safetensors"
        save_tensors(rows, folder / name)
        new = {"name": name, "first": first, "last": last, "sha256": sha256(folder / name)}
        pieces = [*pieces, new]
    return [p for p in pieces if p["last"] > last - length]


def check(folder: Path, pieces: list[dict[str, Any]]) -> None:
    """Raises UserError if a piece is missing or damaged."""
    for piece in pieces:
        path = folder / piece["name"]
        if not path.is_file() or sha256(path) != piece["sha256"]:
            raise UserError(f"{path} is missing or damaged")


def restore(model, folder: Path, pieces: list[dict[str, Any]]) -> None:
    """Fills the memory of a fresh learner from its pieces, which :func:`check` found whole."""
    buffer = model.replay_buffer
    tensors, length = ring_tensors(buffer), ring_length(buffer)
    for piece in pieces:
        slots = torch.arange(piece["first"], piece["last"]) % length
        for name, rows in load_file(folder / piece["name"]).items():
            tensors[name][slots.to(tensors[name].device)] = rows.to(tensors[name].device)
    last = pieces[-1]["last"] if pieces else 0
    if isinstance(buffer, EpisodeReplay):
        buffer.restored(last)
        return
    buffer.pos = last % length
    buffer.full = last >= length
    if hasattr(buffer, "_current_ep_start"):  # HER: every environment starts an episode here
        buffer._current_ep_start[:] = buffer.pos
