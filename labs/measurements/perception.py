"""What can an encoder see? Block and gripper regressed from one frame, in millimeters.

No reinforcement learning: a frame, the positions that the simulator knows, and a small head on top
of each encoder. Where that cannot find the block an agent hardly will. What varies is in
:mod:`labs.measurements.perception_cells`. All cells share frames, optimizer and schedule, tuned for
none of them. ``mean`` is the control: it never looks.

Artifact ``perception``; ``pixels measure perception`` makes it, cell by cell, and goes on where it
was stopped, here or where the artifact in ``data/`` was made: each cell names its machine. Cells
that were not run are not in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from labs import envs
from labs.artifacts import (
    PROVENANCE,
    Artifact,
    data_root,
    json_text,
    load_artifact,
    write_atomically,
    write_measurement,
)
from labs.errors import UserError
from labs.experiments.position_errors import mean_interval, over_seeds, rounded, summary
from labs.experiments.regression import minimize
from labs.image_augmentation import RandomShiftAug
from labs.keypoint_encoder import KeypointCNN
from labs.manipulation_encoder import ManipulationCNN, SpatialSoftmax
from labs.measurements.perception_cells import (
    EPOCHS,
    HEAD_EPOCHS,
    LONG_EPOCHS,
    PAD,
    Cell,
    all_cells,
)
from labs.measurements.perception_frames import (
    AREA,
    FIRST_SEED,
    FRAMES,
    HELD_OUT,
    RESIZED_EVERY,
    TARGETS,
    WALK,
    collect_frames,
    damaged,
    resized_rows,
    short_hash,
    work_folder,
)
from labs.provenance import code_state, hardware
from labs.visual_encoder import NatureCNN

BATCH = 64
PEAK_RATE = 2e-3
EXAMPLES = 200  # held-out predictions kept for the scatter plots, of these cells
SCATTERED = tuple(f"default-nature-norm-{weights}-seed0" for weights in ("random", "trained"))


class Regressor(nn.Module):
    """Encoder → (LayerNorm → Tanh) → two layers → coordinates, standardized.

    Widths before the head: NatureCNN 50, both SpatialSoftmaxes 64, flat 50.

    Args:
        encoder: ``nature``, ``keypoints``, ``spatial_softmax`` or ``flat``.
        normalize: LayerNorm + Tanh before the head.
        outputs: how many coordinates.
    """

    def __init__(self, encoder: str, normalize: bool, outputs: int = len(TARGETS)):
        super().__init__()
        if encoder == "nature":
            self.encoder, width = NatureCNN(3, 50, output_relu=False), 50
        elif encoder == "keypoints":
            self.encoder, width = KeypointCNN(3), 64
        elif encoder == "spatial_softmax":
            self.encoder = nn.Sequential(ManipulationCNN(3), SpatialSoftmax(21, 21, 32))
            width = 64
        elif encoder == "flat":
            self.encoder = nn.Sequential(
                ManipulationCNN(3), nn.Flatten(), nn.Linear(32 * 21 * 21, 50)
            )
            width = 50
        else:
            raise ValueError(
                f"encoder: received {encoder!r}, expected nature, keypoints, spatial_softmax, flat"
            )
        self.norm = nn.Sequential(nn.LayerNorm(width), nn.Tanh()) if normalize else nn.Identity()
        self.head = nn.Sequential(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, outputs))

    def features(self, frames: Tensor) -> Tensor:
        """uint8 (B, 84, 84, 3) → (B, width)."""
        return self.norm(self.encoder(frames.permute(0, 3, 1, 2).float() / 255))

    def forward(self, frames: Tensor) -> Tensor:
        return self.head(self.features(frames))


def shifted(frames: Tensor, pad: int, generator: torch.Generator) -> Tensor:
    """Each of the frames (B, H, W, 3) moved by its own random shift of up to ``pad`` pixels."""
    if pad == 0:
        return frames
    return RandomShiftAug(pad)(frames.permute(0, 3, 1, 2), generator).permute(0, 2, 3, 1)


def _in_batches(function, frames: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([function(chunk) for chunk in frames.split(256)])


def errors_mm(predicted: Tensor, truth: Tensor) -> dict[str, np.ndarray]:
    """Distances in millimeters: the block's and the goal's on the table, the gripper's in space.

    ``relative`` is the error of the vector from gripper to block, along the table.

    Two columns are a goal; five are a block and a gripper, in the order of :data:`TARGETS`.
    """
    difference = 1000 * (predicted - truth).numpy()
    if difference.shape[1] == 2:
        return {"goal": np.linalg.norm(difference, axis=1)}
    return {
        "block": np.linalg.norm(difference[:, :2], axis=1),
        "relative": np.linalg.norm(difference[:, :2] - difference[:, 2:4], axis=1),
        "gripper": np.linalg.norm(difference[:, 2:], axis=1),
    }


# -------------------------------------------------------------------------------- training


def fit(cell: Cell, frames: Tensor, targets: Tensor, check) -> tuple[Regressor, dict]:
    """Trains one regressor.

    Args:
        cell: what to train.
        frames: uint8 (N, 84, 84, 3).
        targets: float (N, outputs), standardized.
        check: called with the model after each epoch of a trained encoder; its answers are kept.

    Returns:
        The model and ``{"train_loss", "by_epoch"}``.
    """
    torch.manual_seed(cell.seed)
    model = Regressor(cell.encoder, cell.normalize, targets.shape[1])
    if cell.trained:
        module, inputs = model, frames
    else:  # the encoder never changes: encode once, train the head alone
        module, inputs = model.head, _in_batches(model.features, frames)
    generator = torch.Generator().manual_seed(cell.seed)  # of the shifts, too
    by_epoch: list = []
    loss = minimize(
        module,
        lambda rows: F.mse_loss(module(shifted(inputs[rows], cell.pad, generator)), targets[rows]),
        len(inputs),
        epochs=cell.epochs,
        batch=BATCH,
        peak_rate=PEAK_RATE,
        generator=generator,
        after_epoch=(lambda _: by_epoch.append(check(model))) if cell.trained else None,
    )
    return model, {"train_loss": loss, "by_epoch": by_epoch}


def run_cell(cell: Cell, data: dict[str, np.ndarray]) -> dict:
    """Trains one regressor and measures it on the held-out frames.

    Beside the errors: native against resized frames, and frames with the sphere against frames
    without it, each pair of pictures showing the same moment. ``pull`` is how far the sphere draws
    the answer for the block toward the goal.
    """
    started = time.process_time()
    train = len(data["positions"]) - HELD_OUT
    shown = torch.from_numpy(data[f"{cell.camera}_sphere" if cell.sphere else cell.camera])
    values = torch.from_numpy(data["goals" if cell.target == "goal" else "positions"])
    mean, std = values[:train].mean(0), values[:train].std(0)
    truth = values[train:]

    def answers(model: Regressor, frames: Tensor) -> Tensor:
        return _in_batches(model, frames) * std + mean

    def errors(model: Regressor, frames: Tensor, rows) -> dict[str, np.ndarray]:
        return errors_mm(answers(model, frames), truth[rows])

    few = resized_rows(len(values), HELD_OUT) - train
    key = "goal" if cell.target == "goal" else "block"
    model, result = fit(
        cell,
        shown[:train],
        (values[:train] - mean) / std,
        lambda model: float(errors(model, shown[train:][few], few)[key].mean()),
    )
    predicted = answers(model, shown[train:])
    found = errors_mm(predicted, truth)
    result = asdict(cell) | result | {k: summary(v) for k, v in found.items()}
    if cell.name in SCATTERED:
        result["examples_mm"] = (1000 * predicted[:EXAMPLES, :2]).round().int().tolist()
    if cell.target == "positions":
        other = torch.from_numpy(data[cell.camera if cell.sphere else f"{cell.camera}_sphere"])
        moved = answers(model, other[train:])
        appeared = errors_mm(moved, truth)["block"]
        result["other_sphere"] = {
            "block": mean_interval(appeared),
            "added_error": mean_interval(appeared - found["block"]),
        }
        # toward the goal: the answer with the sphere minus the answer without it
        with_sphere, without = (predicted, moved) if cell.sphere else (moved, predicted)
        goal = torch.from_numpy(data["goals"][train:]) - truth[:, :2]
        step = 1000 * (with_sphere - without)[:, :2]
        result["pull"] = mean_interval((step * F.normalize(goal, dim=1)).sum(1).numpy())
        result["displacement"] = mean_interval(step.norm(dim=1).numpy())
    if cell.target == "positions" and not cell.sphere:
        moved = shifted(shown[train:], PAD, torch.Generator().manual_seed(cell.seed))
        of_shifted = errors(model, moved, slice(None))
        result["shifted"] = {k: mean_interval(of_shifted[k]) for k in ("block", "relative")}
        native = errors(model, shown[train:][few], few)["block"]
        shrunk = errors(model, torch.from_numpy(data[f"{cell.camera}_resized"]), few)["block"]
        pairs = {"native": native, "resized": shrunk, "resized_adds": shrunk - native}
        result |= {name: {"block": mean_interval(of)} for name, of in pairs.items()}
    made = {"machine": hardware()["cpu"], "commit": code_state()[0]}
    return result | made | {"cpu_seconds": round(time.process_time() - started, 1)}


# ---------------------------------------------------------------------------------- the artifact


def _frame_differences(data: dict[str, np.ndarray]) -> dict[str, dict]:
    """How native and resized frames of the same moments differ, per camera."""
    found = {}
    for camera in envs.CAMERAS:
        native = data[camera][resized_rows(len(data[camera]), HELD_OUT)].astype(int)
        changed = np.abs(native - data[f"{camera}_resized"]).max(-1)
        found[camera] = {
            "frames": len(native),
            "changed_share": float((changed > 0).mean()),
            "mean_change": float(changed.mean()),
            "max_change": int(changed.max()),
            "equal_frames": int((changed == 0).all((1, 2)).sum()),
        }
    return found


def _published(parameters: dict[str, Any]) -> dict[str, dict]:
    """The cells of the artifact in ``data/``, by name, if the same settings made them."""
    if not (data_root() / "perception" / PROVENANCE).exists():
        return {}
    artifact = load_artifact("perception")
    theirs = artifact.provenance
    if any(theirs["parameters"].get(k) != v for k, v in parameters.items()):
        return {}
    made = {"machine": theirs["hardware"]["cpu"], "commit": theirs["commit"]}
    cells = {c["name"]: made | c for c in artifact.json("measurement.json")["cells"]}
    for name, answers in artifact.json("examples.json").items():
        if name in cells:
            cells[name]["examples_mm"] = answers
    return cells


def by_name(cells: Sequence[dict]) -> dict[str, dict]:
    """Cells of all seeds as one entry each: the name without its seed → errors and seed count."""
    groups: dict[str, list[dict]] = {}
    for cell in cells:
        groups.setdefault(cell["name"].rsplit("-", 1)[0], []).append(cell)
    found = {}
    for name, group in groups.items():
        found[name] = {"seeds": len(group)}
        for thing in ("block", "relative", "gripper", "goal", "shifted"):
            if all(thing in c for c in group):
                parts = [c[thing]["block"] if thing == "shifted" else c[thing] for c in group]
                interval = over_seeds(parts)
                found[name][thing] = {
                    "mean": interval.value,
                    "low": interval.low,
                    "high": interval.high,
                }
                if thing != "shifted":
                    missed = float(np.mean([p["missed"]["rate"] for p in parts]))
                    found[name][thing]["missed"] = missed
    return found


def _refuse_to_lose(here: list[str]) -> None:
    """Stops before fewer cells are published than there are; other settings would leave few."""
    if not (data_root() / "perception" / PROVENANCE).exists():
        return
    known = {c["name"] for c in load_artifact("perception").json("measurement.json")["cells"]}
    if lost := known - set(here):
        raise UserError(
            f"perception has {len(lost)} cells that are not measured anew, and what is there was "
            f"measured in another way: give the same command again to go on, or delete "
            f"{data_root() / 'perception'} to do without them"
        )


def perception(seeds: int = 3, minutes: float | None = None, progress: bool = True) -> Artifact:
    """Runs every cell that is not there yet, then writes the artifact ``perception``.

    Args:
        seeds: how many of each cell.
        minutes: after these, no further cell starts and the finished ones are written; None runs
            them all.
        progress: show bars.
    """
    if seeds < 1 or (minutes is not None and not minutes > 0):
        raise UserError(f"--seeds {seeds}, --minutes {minutes}: give a number above 0 for each")
    stop = time.monotonic() + 60 * (minutes if minutes is not None else 1e9)
    data = collect_frames(progress=progress)
    train = len(data["positions"]) - HELD_OUT
    controls = {}
    for name in ("positions", "goals"):
        values = torch.from_numpy(data[name])
        blind = values[:train].mean(0).expand(HELD_OUT, -1)
        controls |= {k: summary(v) for k, v in errors_mm(blind, values[train:]).items()}
    parameters = {
        "frames": FRAMES,
        "held_out": HELD_OUT,
        "resized_every": RESIZED_EVERY,
        "epochs": EPOCHS,
        "long_epochs": LONG_EPOCHS,
        "head_epochs": HEAD_EPOCHS,
        "batch": BATCH,
        "peak_rate": PEAK_RATE,
        "first_seed": FIRST_SEED,
        "area": AREA,
        "walk": WALK,
    }
    settings = short_hash(parameters)
    published = _published(parameters)
    # What was published stays, also of seeds that were not asked for.
    all_seeds = max([seeds, *(c["seed"] + 1 for c in published.values())])
    results = []
    for cell in tqdm(all_cells(all_seeds), desc="cells", disable=not progress):
        path = work_folder() / f"{cell.name}-{settings}.json"
        here, wanted = path.exists(), cell.seed < seeds
        if wanted and not here and cell.name not in published and time.monotonic() < stop:
            write_atomically(path, json_text(run_cell(cell, data)))
            here = True
        if here:
            try:
                results.append({"name": cell.name} | json.loads(path.read_text()))
            except ValueError as error:
                raise damaged(path) from error
        elif cell.name in published:
            results.append(published[cell.name])
    _refuse_to_lose([cell["name"] for cell in results])
    results = rounded(results)
    answers = {c["name"]: c.pop("examples_mm", None) for c in results}
    examples = {name: answers[name] for name in SCATTERED if answers.get(name)}
    examples["truth"] = (
        np.rint(1000 * data["positions"][train:][:EXAMPLES, :2]).astype(int).tolist()
    )
    examples["goals"] = np.rint(1000 * data["goals"][train:][:EXAMPLES]).astype(int).tolist()
    hidden = {c: float((data[f"{c}_block_pixels"] == 0).mean()) for c in envs.CAMERAS}
    return write_measurement(
        "perception",
        {
            "mean": rounded(controls),
            "native_against_resized": _frame_differences(data),
            "block_hidden": hidden,
            "summary": rounded(by_name(results)),
            "cells": results,
        },
        parameters=parameters
        | {
            "seeds": all_seeds,
            "cells_planned": len(all_cells(all_seeds)),
            "cells_run": len(results),
        },
        extra_files={"examples.json": json.dumps(examples, separators=(",", ":"))},  # mm
        gl=envs.gl_renderer(),
    )
