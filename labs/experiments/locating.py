"""Teaches a locator: frames whose positions the simulator knows, then plain regression.

The simulator's positions are privileged information. They are used here, in training; the frozen
locator itself gets nothing but pixels. :mod:`labs.experiments.moments` draws the frames.

One kind of locator is told no position, only rewards. In Push (:mod:`labs.reward_locator`) the
positions are then used to compute which goals a moment fulfils, as hindsight does, and to measure
the result. In Reach rewards are distances, and joints and rewards say where all things are
(:mod:`labs.trilateration`): what follows is the same regression.

Artifact ``locator-<task>-<camera>/seed<k>``: weights, errors in millimeters, and two controls: a
guess that never looks, and the locator itself before a black image.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labs.artifacts import (
    PROVENANCE,
    Clock,
    json_text,
    load_artifact,
    runs_root,
    write_artifact,
)
from labs.envs import gl_renderer
from labs.errors import UserError
from labs.experiments.config import EPISODE_STEPS, STEPS_OF_A_GOAL, WALK, RunConfig
from labs.experiments.guards import RunLock
from labs.experiments.models import resolve_device
from labs.experiments.moments import (
    COLLECT,
    LOCATOR_FILE,
    Progress,
    View,
    folder,
    refuse_other_view,
)
from labs.experiments.position_errors import spread
from labs.experiments.regression import minimize
from labs.locator import TARGETS, Locator
from labs.reward_locator import RewardLoss
from labs.tasks import views_of

EPOCHS, BATCH = 12, 128
PATIENCE = 3600.0  # seconds to wait for a run beside this one that trains the same locator
PLACE = 2  # of Push's targets the first: where the block is on the table
#: Weight of each target's squared error: the block's angle matters less than its place.
IMPORTANCE = {"push": (1.0, 1.0, 0.1, 0.1), "reach": (1.0,) * 6}


def _by_hindsight(view: View, taught: str) -> bool:
    """Whether goals are asked which picture fulfils them: rewards that are no distances."""
    return taught == "rewards" and view.task == "push"


def new_locator(view: View, taught: str = "positions") -> Locator:
    """An untrained locator for frames of a view; Push's rewards teach nothing but a place."""
    n_targets = PLACE if _by_hindsight(view, taught) else len(TARGETS[view.task])
    return Locator(n_targets, view.frame_size, views_of(view.camera))


def fit(
    view: View,
    frames: np.ndarray,
    targets: np.ndarray,
    *,
    taught: str = "positions",
    epochs: int = EPOCHS,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Locator:
    """Regression by Adam with a one-cycle step size.

    Args:
        view: says the task.
        frames: uint8 (n, 3, H, W).
        targets: float32 (n, k).
        taught: ``"positions"``, and in Reach also ``"rewards"``, which have told the targets: the
            squared error of all targets; in Push ``"rewards"``: which goals a frame fulfils.
            Either scales its output by the spread of the targets, which in the last case is that
            of the goals.
        epochs: passes over the frames.
        seed: of weights and batches.
        device: where it learns; the locator comes back to the CPU.
        progress: called with (what, done, of).
    """
    torch.manual_seed(seed)
    locator = new_locator(view, taught).to(device, memory_format=torch.channels_last)
    truth = torch.from_numpy(targets[:, : locator.n_targets]).to(device)
    locator.mean.copy_(truth.mean(0))
    locator.scale.copy_(truth.std(0))
    wanted = (truth - locator.mean) / locator.scale
    importance = torch.tensor(IMPORTANCE[view.task], device=device)
    by_rewards = RewardLoss().to(device) if _by_hindsight(view, taught) else None
    pictures = torch.from_numpy(frames).to(device)

    def loss_of(rows: Tensor) -> Tensor:
        rows = rows.to(device)
        images = pictures[rows].to(torch.float32, memory_format=torch.channels_last).div_(255)
        read = locator(images)
        if by_rewards is not None:
            return by_rewards(read * locator.scale + locator.mean, truth[rows])
        errors = F.mse_loss(read, wanted[rows], reduction="none")
        return (errors * importance).mean()

    minimize(
        nn.ModuleList([locator, *([by_rewards] if by_rewards is not None else [])]),
        loss_of,
        len(frames),
        epochs=epochs,
        batch=BATCH,
        peak_rate=3e-3,
        generator=torch.Generator().manual_seed(seed),
        after_epoch=progress and (lambda done: progress("epochs", done, epochs)),
    )
    return locator.cpu().eval()


def _read(locator: Locator, frames: np.ndarray) -> np.ndarray:
    return np.concatenate([locator.locate(chunk) for chunk in np.array_split(frames, 12)])


def errors(
    task: str, found: np.ndarray, truth: np.ndarray, groups: np.ndarray | None = None
) -> dict[str, Any]:
    """Distances between what was read and what was there, in millimeters and degrees.

    ``groups``: of frames, as :func:`labs.experiments.position_errors.mean_interval` has them.
    """
    difference = 1000 * (found - truth)
    if task == "reach":
        gripper, goal = difference[:, :3], difference[:, 3:]
        return {
            "gripper": spread(np.linalg.norm(gripper, axis=1), groups),
            "goal": spread(np.linalg.norm(goal, axis=1), groups),
            "between": spread(np.linalg.norm(goal - gripper, axis=1), groups),
        }
    block = {"block": spread(np.linalg.norm(difference[:, :PLACE], axis=1), groups)}
    if difference.shape[1] == PLACE:
        return block
    turn = np.arctan2(found[:, 3], found[:, 2]) - np.arctan2(truth[:, 3], truth[:, 2])
    turn = np.abs((turn + np.pi) % (2 * np.pi) - np.pi)
    return block | {"angle_degrees": spread(np.degrees(turn) / 4, groups)}


def together(config: RunConfig) -> int:
    """Consecutive frames that show one goal, or one episode of Push: those err together."""
    if config.locator_moments == "placed":
        return 1
    if config.task == "push":
        return EPISODE_STEPS
    return STEPS_OF_A_GOAL + WALK * (config.locator_moments == "filmed")


def train_locator(
    config: RunConfig, *, epochs: int = EPOCHS, progress: Progress | None = None
) -> Path:
    """Collects, trains, measures, and writes the artifact of a run's locator."""
    from labs.tensor_files import half_size, save_tensors

    view, seed, frames = View.of(config), config.seed, config.locator_frames
    clock, begin = Clock(), time.perf_counter()
    pictures, truth = COLLECT[config.locator_moments](view, frames, seed, progress)
    collected_s = time.perf_counter() - begin
    train = frames - frames // 11
    train -= train % together(config)  # a goal is learned from, or held out
    learned = {"taught": config.locator_taught, "epochs": epochs, "seed": seed}
    learned["device"] = resolve_device(config.device)
    locator = fit(view, pictures[:train], truth[:train], **learned, progress=progress)
    weights = half_size(locator)
    locator.load_state_dict(weights)  # what is measured is what is saved
    truth = truth[:, : locator.n_targets]
    trained_s = time.perf_counter() - begin - collected_s
    guess = np.broadcast_to(truth[:train].mean(0), truth[train:].shape)
    black = np.zeros_like(pictures[train:])
    held_out = {"truth": truth[train:], "groups": np.arange(train, frames) // together(config)}
    values = {
        "held_out": errors(view.task, _read(locator, pictures[train:]), **held_out),
        "controls": {
            "mean": errors(view.task, guess, **held_out),
            "black": errors(view.task, _read(locator, black), **held_out),
        },
        "collected_s": round(collected_s, 1),
        "trained_s": round(trained_s, 1),
    }
    parameters = {
        "view": vars(view),
        "seed": seed,
        "frames": train,
        "held_out": frames - train,
        "epochs": epochs,
        "batch": BATCH,
        "taught": config.locator_taught,
        "moments": config.locator_moments,
    }
    path = folder(config)
    with write_artifact(
        path, kind="locator", parameters=parameters, gl=gl_renderer(), clock=clock
    ) as new:
        save_tensors(weights, new / LOCATOR_FILE)
        (new / "measurement.json").write_text(json_text(values))
    return path


# ------------------------------------------------------------------------------------- finding it


def load_locator(config: RunConfig) -> tuple[Locator, str]:
    """The locator of a run, after checking its SHA-256 and that it looks through the run's camera.

    Returns:
        The locator, and the SHA-256 of its weights.

    Raises:
        UserError: there is none, it is damaged, or it was trained on another view.
    """
    from safetensors.torch import load_file

    artifact = load_artifact(folder(config))
    refuse_other_view(config)
    if artifact.left_out(LOCATOR_FILE):
        raise UserError(
            f"the weights of the locator in {artifact.path} are too large for the repository: "
            f"pixels train {config.arm} --seeds {config.seed} --again"
        )
    with torch.random.fork_rng(devices=[]):  # whoever loads one in a training must not change it
        locator = new_locator(View.of(config), config.locator_taught)
    locator.load_state_dict(load_file(artifact.file(LOCATOR_FILE)))
    return locator.eval(), artifact.provenance["files"][LOCATOR_FILE]


def is_missing(path: Path) -> bool:
    """Whether a locator's folder holds none, or one whose weights are left out."""
    return not (path / PROVENANCE).exists() or load_artifact(path).left_out(LOCATOR_FILE)


def ensure_locator(config: RunConfig, progress: Progress | None = None) -> float:
    """Trains the run's locator where none is, or its weights are left out. Returns its seconds.

    Of two runs that look through the same locator one trains it, and the other waits.
    """
    path = folder(config)
    refuse_other_view(config)  # before one is trained in its place
    if is_missing(path):
        with RunLock(runs_root() / path.parent.name / path.name, PATIENCE):
            if is_missing(path):
                train_locator(config, progress=progress)
    record = load_artifact(path)
    load_locator(config)
    times = record.json("measurement.json")
    return times["collected_s"] + times["trained_s"]
