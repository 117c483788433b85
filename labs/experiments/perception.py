"""What can an encoder see? Block and gripper regressed from one frame, in millimetres.

No reinforcement learning: a frame, the positions that the simulator knows, and a small head on top
of each encoder. If regression cannot find the block in a picture, no agent will. The cells vary
one thing at a time: the camera, the encoder and its head, LayerNorm + Tanh, and whether the
encoder is trained or left at its random initial weights. ``mean`` is the negative control: it
never looks.

Artifact ``perception``; ``pixels measure perception`` makes it, cell by cell, and goes on where it
was stopped.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from tqdm.auto import tqdm

from labs import envs
from labs.artifacts import Artifact, json_text, repository_root, write_atomically, write_measurement
from labs.manipulation_encoder import ManipulationCNN, SpatialSoftmax
from labs.visual_encoder import NatureCNN

FRAMES = 12_500
HELD_OUT = 2_500
EPOCHS = 6
BATCH = 128
FIRST_SEED = 30_000
TARGETS = ("block_x", "block_y", "gripper_x", "gripper_y", "gripper_z")


def work_folder() -> Path:
    """Where frames and finished cells wait until all cells are there."""
    folder = repository_root() / "_runs" / "perception"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# --------------------------------------------------------------------------------------- the data


def collect_frames(n: int = FRAMES, progress: bool = True) -> dict[str, np.ndarray]:
    """Independent frames of Push: one reset each, then up to 12 steps in one random direction.

    The last ``HELD_OUT`` frames are also drawn at 480 × 480 and shrunk, for both cameras.

    Returns:
        ``<camera>``: uint8 (n, 84, 84, 3); ``<camera>_resized``: the same for the last frames;
        ``positions``: float32 (n, 5), metres, in the order of :data:`TARGETS`.
    """
    cache = work_folder() / f"frames_{n}.npz"
    if cache.exists():
        return dict(np.load(cache))
    env = envs.make_env("push", image_size=84, goal_sphere=False)
    large = envs.make_env("push", image_size=480, goal_sphere=False)
    frames = {camera: np.empty((n, 84, 84, 3), np.uint8) for camera in envs.CAMERAS}
    resized = {camera: [] for camera in envs.CAMERAS}
    positions = np.empty((n, len(TARGETS)), np.float32)
    for i in tqdm(range(n), desc="frames", disable=not progress):
        rng = np.random.default_rng(FIRST_SEED + i)
        action = rng.uniform(-1, 1, 4).astype(np.float32)
        steps = int(rng.integers(0, 13))
        also_large = i >= n - HELD_OUT and i % 5 == 0
        for e in (env, large) if also_large else (env,):
            observation, _ = e.reset(seed=FIRST_SEED + i)
            for _ in range(steps):
                observation, *_ = e.step(action)
        state = observation["observation"]
        positions[i] = [*state[3:5], *state[:3]]
        for camera in envs.CAMERAS:
            env.camera = large.camera = envs.CAMERAS[camera]
            frames[camera][i] = env.render()
            if also_large:
                picture = Image.fromarray(large.render())
                resized[camera].append(np.asarray(picture.resize((84, 84), Image.BILINEAR)))
    env.close(), large.close()
    data = frames | {f"{c}_resized": np.array(v) for c, v in resized.items()}
    data["positions"] = positions
    partial = cache.with_suffix(".tmp.npz")
    np.savez(partial, **data)
    partial.replace(cache)
    return data


# -------------------------------------------------------------------------------------- the cells


@dataclass(frozen=True)
class Cell:
    """One regression.

    Attributes:
        camera: name in ``labs.envs.CAMERAS``.
        encoder: ``nature``, ``spatial_softmax`` or ``flat`` (the last two on ManipulationCNN).
        normalize: LayerNorm + Tanh between encoder and head.
        trained: False freezes the encoder at its random weights.
        seed: of weights and batches.
    """

    camera: str
    encoder: str
    normalize: bool
    trained: bool
    seed: int

    @property
    def name(self) -> str:
        parts = [self.camera, self.encoder, "norm" if self.normalize else "plain"]
        parts += ["trained" if self.trained else "random", f"seed{self.seed}"]
        return "-".join(parts)


def all_cells(seeds: int = 3) -> list[Cell]:
    """The cells in the order in which they are run: whole grids first, then the next seed."""
    return [
        Cell(camera, encoder, normalize, trained, seed)
        for seed in range(seeds)
        for trained in (True, False)
        for normalize in (True, False)
        for encoder in ("nature", "spatial_softmax", "flat")
        for camera in envs.CAMERAS
        if normalize or encoder != "flat"
    ]


class Regressor(nn.Module):
    """Encoder → (LayerNorm → Tanh) → two layers → five coordinates, standardized.

    Widths before the head: NatureCNN 50, SpatialSoftmax 64, flat 50.
    """

    def __init__(self, encoder: str, normalize: bool):
        super().__init__()
        if encoder == "nature":
            self.encoder, width = NatureCNN(3, 50, output_relu=False), 50
        elif encoder == "spatial_softmax":
            self.encoder = nn.Sequential(ManipulationCNN(3), SpatialSoftmax(21, 21, 32))
            width = 64
        else:
            self.encoder = nn.Sequential(
                ManipulationCNN(3), nn.Flatten(), nn.Linear(32 * 21 * 21, 50)
            )
            width = 50
        self.norm = nn.Sequential(nn.LayerNorm(width), nn.Tanh()) if normalize else nn.Identity()
        self.head = nn.Sequential(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, len(TARGETS)))

    def features(self, frames: Tensor) -> Tensor:
        """uint8 (B, 84, 84, 3) → (B, width)."""
        return self.norm(self.encoder(frames.permute(0, 3, 1, 2).float() / 255))

    def forward(self, frames: Tensor) -> Tensor:
        return self.head(self.features(frames))


def _errors_mm(predicted: Tensor, truth: Tensor) -> dict[str, np.ndarray]:
    """Distances in millimetres: the block's on the table, the gripper's in space."""
    difference = 1000 * (predicted - truth).numpy()
    return {
        "block": np.linalg.norm(difference[:, :2], axis=1),
        "gripper": np.linalg.norm(difference[:, 2:], axis=1),
    }


def _summary(errors: np.ndarray) -> dict[str, float]:
    """Mean error with a 95 % interval over held-out frames (normal, n is large), and median."""
    half = 1.96 * errors.std(ddof=1) / np.sqrt(len(errors))
    mean = errors.mean()
    return {
        "mean": float(mean),
        "low": float(mean - half),
        "high": float(mean + half),
        "median": float(np.median(errors)),
        "p95": float(np.percentile(errors, 95)),
    }


def _in_batches(function, frames: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([function(chunk) for chunk in frames.split(256)])


def run_cell(cell: Cell, data: dict[str, np.ndarray], epochs: int = EPOCHS) -> dict:
    """Trains one regressor and measures it on the held-out frames."""
    torch.manual_seed(cell.seed)
    frames = torch.from_numpy(data[cell.camera])
    positions = torch.from_numpy(data["positions"])
    train = len(frames) - HELD_OUT
    mean, std = positions[:train].mean(0), positions[:train].std(0)
    targets = (positions - mean) / std

    model = Regressor(cell.encoder, cell.normalize)
    if cell.trained:
        module, inputs, parameters = model, frames[:train], model.parameters()
    else:  # the encoder never changes: encode once, train the head alone
        module, parameters = model.head, model.head.parameters()
        inputs = _in_batches(model.features, frames[:train])
        epochs = 4 * epochs
    steps = epochs * (train // BATCH)
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(cell.seed)
    for _ in range(epochs):
        order = torch.randperm(train, generator=generator)
        for rows in order[: train // BATCH * BATCH].split(BATCH):
            loss = F.mse_loss(module(inputs[rows]), targets[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()

    truth = positions[train:]
    predicted = _in_batches(model, frames[train:]) * std + mean
    result = asdict(cell) | {"train_loss": float(loss)}
    result |= {k: _summary(v) for k, v in _errors_mm(predicted, truth).items()}
    shrunk = torch.from_numpy(data[f"{cell.camera}_resized"])
    rows = [i for i in range(len(truth)) if (train + i) % 5 == 0]
    for name, pictures in {"native": frames[train:][rows], "resized": shrunk}.items():
        predicted = _in_batches(model, pictures) * std + mean
        errors = _errors_mm(predicted, truth[rows])
        result[name] = {k: _summary(v) for k, v in errors.items()}
    return result


def perception(seeds: int = 3, progress: bool = True) -> Artifact:
    """Runs every cell that is not there yet, then writes the artifact ``perception``."""
    data = collect_frames(progress=progress)
    positions = torch.from_numpy(data["positions"])
    train = len(positions) - HELD_OUT
    blind = positions[:train].mean(0).expand(HELD_OUT, -1)
    control = {k: _summary(v) for k, v in _errors_mm(blind, positions[train:]).items()}
    resized = {}
    for camera in envs.CAMERAS:
        rows = [i for i in range(train, len(positions)) if i % 5 == 0]
        difference = data[camera][rows].astype(int) - data[f"{camera}_resized"].astype(int)
        changed = np.abs(difference).max(-1)
        resized[camera] = {
            "changed_share": float((changed > 0).mean()),
            "mean_change": float(changed.mean()),
            "max_change": int(changed.max()),
        }
    results = []
    for cell in tqdm(all_cells(seeds), desc="cells", disable=not progress):
        path = work_folder() / f"{cell.name}.json"
        if not path.exists():
            write_atomically(path, json_text(run_cell(cell, data)))
        results.append(json.loads(path.read_text()))
    return write_measurement(
        "perception",
        {"mean": control, "native_against_resized": resized, "cells": results},
        parameters={
            "frames": FRAMES,
            "held_out": HELD_OUT,
            "epochs": EPOCHS,
            "batch": BATCH,
            "first_seed": FIRST_SEED,
            "seeds": seeds,
        },
        gl=envs.gl_renderer(),
    )
