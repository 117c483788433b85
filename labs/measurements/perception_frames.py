"""Frames of Push with the positions that the simulator knows: what the regressions learn from.

Every frame comes from its own reset, so no two frames share a start, and the held-out ones are
new to an encoder in every respect. Each moment is drawn by both cameras, without the goal sphere
and with it; some of the held-out moments also at 480 × 480, shrunk as the pixel wrapper shrinks.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from tqdm.auto import tqdm

from labs import envs
from labs.artifacts import runs_root
from labs.errors import UserError
from labs.experiments import guards
from labs.pixel_wrapper import render_and_resize

FRAMES = 12_500
HELD_OUT = 2_500  # the last ones
RESIZED_EVERY = 5  # of the held-out moments, how many are also drawn large
FIRST_SEED = 30_000
TARGETS = ("block_x", "block_y", "gripper_x", "gripper_y", "gripper_z")
WALK = 2  # how a moment is drawn: raised with each change, so that no older one is taken for it
AREA = 0.25  # meters from the table's middle, per axis, within which a moment is kept
HIGHEST = 0.60  # meters: the gripper above this height has left the task
MIDDLE = np.array([1.34, 0.75])


def work_folder() -> Path:
    """Where frames and finished cells wait until all cells are there."""
    return guards.writable(runs_root() / "perception")


def short_hash(parameters: dict[str, Any]) -> str:
    """Of a measurement's settings, for the names of its parts: those of others are not taken."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:8]


def damaged(path: Path) -> UserError:
    """What to say of a file here that cannot be read: it is made again where it is missing."""
    return UserError(f"{path} is damaged: delete it, and give the same command again")


def resized_rows(n: int = FRAMES, held_out: int = HELD_OUT) -> np.ndarray:
    """Rows of the moments that are also drawn large."""
    return np.arange(n - held_out, n, RESIZED_EVERY)


def wander(
    env: gym.Env, seed: int, walk: np.random.Generator | None = None
) -> dict[str, np.ndarray]:
    """A reset, then up to 12 steps whose random direction changes every third step.

    Args:
        env: of Push.
        seed: of the reset.
        walk: what the steps are drawn with; None: a stream of its own.

    Returns:
        The last observation; the same for the same seed.
    """
    rng = walk or envs.own_stream(seed, envs.Stream.RANDOM_WALK)
    observation, _ = env.reset(seed=seed)
    for step in range(rng.integers(0, 13)):
        if step % 3 == 0:
            action = rng.uniform(-1, 1, 4).astype(np.float32)
        observation, *_ = env.step(action)
    return observation


def belongs_to_task(observation: dict[str, np.ndarray]) -> bool:
    """Whether block and gripper are where Push happens: a random arm also leaves, and throws."""
    gripper, block = observation["observation"][:3], observation["achieved_goal"]
    near = all(np.abs(p[:2] - MIDDLE).max() <= AREA for p in (gripper, block))
    return bool(near and block[2] > 0.4 and gripper[2] <= HIGHEST)


def show_goal(env: gym.Env, shown: bool) -> None:
    """Draws the goal sphere from now on, or leaves it out."""
    model = env.unwrapped.model
    model.site_group[model.site("target0").id] = 0 if shown else envs.HIDDEN_GROUP


def collect_frames(
    n: int = FRAMES, held_out: int = HELD_OUT, progress: bool = True
) -> dict[str, np.ndarray]:
    """Draws the frames, or reads them where an earlier call left them.

    Returns:
        ``<camera>`` and ``<camera>_sphere``: uint8 (n, 84, 84, 3), without and with the sphere;
        ``<camera>_resized``: uint8 (rows of :func:`resized_rows`, 84, 84, 3), without the sphere;
        ``<camera>_block_pixels``: int32 (held_out,), pixels that show the block;
        ``positions``: float32 (n, 5), meters, in the order of :data:`TARGETS`;
        ``goals``: float32 (n, 2), meters; ``seeds``: int64 (n,), the resets.
    """
    cache = work_folder() / f"moments_{n}_{held_out}_{WALK}.npz"
    if cache.exists():
        try:
            return dict(np.load(cache))
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise damaged(cache) from error
    env = envs.make_env("push", image_size=84, goal_sphere=False)
    large = envs.make_env("push", image_size=480, goal_sphere=False)
    data: dict[str, np.ndarray] = {
        "positions": np.empty((n, len(TARGETS)), np.float32),
        "goals": np.empty((n, 2), np.float32),
        "seeds": np.empty(n, np.int64),
    }
    rows = resized_rows(n, held_out)
    for camera in envs.CAMERAS:
        data[camera] = np.empty((n, 84, 84, 3), np.uint8)
        data[f"{camera}_sphere"] = np.empty((n, 84, 84, 3), np.uint8)
        data[f"{camera}_resized"] = np.empty((len(rows), 84, 84, 3), np.uint8)
        data[f"{camera}_block_pixels"] = np.zeros(held_out, np.int32)
    seed = FIRST_SEED - 1
    for i in tqdm(range(n), desc="frames", disable=not progress):
        seed += 1
        while not belongs_to_task(observation := wander(env, seed)):
            seed += 1
        state = observation["observation"]
        data["positions"][i] = [*state[3:5], *state[:3]]
        data["goals"][i] = observation["desired_goal"][:2]
        data["seeds"][i] = seed
        if i in rows and not np.array_equal(wander(large, seed)["observation"], state):
            raise RuntimeError(f"seed {seed} led to two different moments")
        for camera in envs.CAMERAS:
            env.camera = large.camera = envs.CAMERAS[camera]
            show_goal(env, True)
            data[f"{camera}_sphere"][i] = env.render()
            show_goal(env, False)
            data[camera][i] = env.render()
            if i >= n - held_out:
                block = env.segmentation() == envs.SEGMENTS["object"]
                data[f"{camera}_block_pixels"][i - (n - held_out)] = block.sum()
            if i in rows:
                picture = render_and_resize(large).transpose(1, 2, 0)
                data[f"{camera}_resized"][(i - rows[0]) // RESIZED_EVERY] = picture
    env.close()
    large.close()
    partial = cache.with_suffix(".tmp.npz")
    np.savez(partial, **data)
    partial.replace(cache)
    return data
