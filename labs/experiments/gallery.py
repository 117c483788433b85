"""Short episodes of good and bad policies, to be looked at frame by frame: artifact ``gallery``.

The same starts for every policy: one that the blind twin fails and the full state solves, one that
both solve, one that needs no policy at all. What an episode shows is computed from it. For policies
with a camera each frame also carries an occlusion map (:mod:`labs.experiments.occlusion`).

``pixels measure gallery`` makes it from the results that lie in ``data/``; arms without a result
are left out.
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from labs import envs
from labs.artifacts import Artifact, data_root, write_measurement
from labs.errors import UserError
from labs.experiments.config import RunConfig
from labs.experiments.environments import make_one
from labs.experiments.evaluate import NoOp, RandomActions
from labs.experiments.occlusion import CELLS, occlusion_map
from labs.experiments.presets import preset

SEED = 4_000_000  # apart from the seeds of training, curves, evaluation and films
SEARCH = 200  # episodes looked through for a start
SIDE = 144  # pixels of a frame, for the reader
POINTS = ("gripper", "object", "goal")

#: Environment steps of Reach from state after which its policy is shown.
ALONG = (0, 2000, 4000)

#: Trained arms of the gallery in their order, where they have a result: name → what to call it.
PUSH_ARMS = {
    "push-state-tuned": "full state",
    "push-blind-tuned": "blind twin",
    "push-told": "pixels, taught",
    "push-located": "pixels, located",
    "push-distilled": "pixels, distilled",
    "push-honest": "pixels, end to end",
}
REACH_ARMS = {
    "reach-state": "state, trained",
    "reach-pixels": "pixels",
    "reach-pixels-small": "pixels, small",
    "reach-pixels-drq": "pixels, random shifts",
}


@dataclass
class Rollout:
    """One recorded episode of T steps.

    Attributes:
        frames: uint8 (T + 1, S, S, 3), the viewer's picture before each step and after the last.
        actions: (T, 4).
        distances: (T + 1,) metres between what has to be at the goal and the goal.
        points: (T + 1, 3, 2): column and row of gripper, object and goal, in [0, 1] of the frame's
            side, NaN where it is hidden or does not exist.
        motion: metres that the object moved from its start, at most; 0 in Reach.
        success: at the last step.
        maps: float (T + 1, CELLS, CELLS), or None for policies without a picture.
    """

    frames: np.ndarray
    actions: np.ndarray
    distances: np.ndarray
    points: np.ndarray
    motion: float
    success: bool
    maps: np.ndarray | None = None


def centers(labels: np.ndarray) -> np.ndarray:
    """Where gripper, object and goal are seen: the mean of their pixels.

    Args:
        labels: (H, W) of ``segmentation()``.

    Returns:
        (3, 2): column and row in [0, 1], NaN where no pixel shows the thing.
    """
    found = np.full((len(POINTS), 2), np.nan)
    for i, name in enumerate(POINTS):
        rows, columns = np.nonzero(labels == envs.SEGMENTS[name])
        if rows.size:
            found[i] = (columns.mean() + 0.5, rows.mean() + 0.5)
    return found / np.array(labels.shape)[::-1]


def _viewer(config: RunConfig, side: int):
    camera = config.camera if config.has_images else "workspace"
    return envs.make_env(config.task, camera=camera, scene="lean", image_size=side)


def record(
    policy, config: RunConfig, seed: int, *, side: int = SIDE, look: bool = True, env=None
) -> Rollout:
    """Plays one deterministic episode and records what a viewer and the policy see.

    The viewer's picture comes from a second environment that takes the same steps, drawn without
    arm and background, by the policy's camera (the workspace camera where it has none).

    Args:
        policy: what acts.
        config: its observation.
        seed: of the episode.
        side: of the frames, in pixels.
        look: draw frames and maps; without, they are empty, and the episode is quick.
        env: an environment of ``make_one`` to use instead of a new one; stays open.
    """
    own = env is None
    env = make_one(config) if own else env
    view = _viewer(config, side) if look else None
    obs, _ = env.reset(seed=seed)
    if view is not None:
        view.reset(seed=seed)
    # The policy may not be told where things are; the simulator knows.
    seen = env.unwrapped._get_obs()
    start = seen["achieved_goal"].copy()
    frames, points, maps, actions, distances, motion = [], [], [], [], [], 0.0
    over, info = False, {}
    while True:
        distances.append(float(np.linalg.norm(seen["achieved_goal"] - seen["desired_goal"])))
        if view is not None:
            frames.append(view.render())
            points.append(centers(view.segmentation()))
            if config.has_images:
                maps.append(occlusion_map(policy, obs))
        if over:
            break
        action = np.asarray(policy.predict(obs, True), np.float32)
        obs, _, terminated, truncated, info = env.step(action)
        if view is not None:
            view.step(action)
        seen = env.unwrapped._get_obs()
        actions.append(action)
        over = terminated or truncated
        motion = max(motion, float(np.linalg.norm(seen["achieved_goal"] - start)))
    if own:
        env.close()
    if view is not None:
        view.close()
    return Rollout(
        np.array(frames),
        np.array(actions),
        np.array(distances),
        np.array(points),
        motion if config.task == "push" else 0.0,
        bool(info["is_success"]),
        np.array(maps) if maps else None,
    )


def what_to_notice(rollout: Rollout, task: str) -> str:
    """What an episode shows, from its distances and the object's motion."""
    distance, near = rollout.distances.round(4), envs.DISTANCE_THRESHOLD
    inside = distance < near
    last, best = 100 * distance[-1], int(np.argmin(distance))
    closest = f"its closest is {100 * distance.min():.1f} cm at step {best}"
    if task == "push" and rollout.motion < 0.01:
        if rollout.success:
            return (
                "A success, and nothing was done: the block lay "
                f"{100 * distance[0]:.1f} cm from its target at the start, and never moved. This "
                "is what the do-nothing floor is made of."
            )
        return f"The block never moves. It lies {last:.1f} cm from its target at the end."
    if rollout.success:
        since = len(inside) - int(np.argmin(inside[::-1])) if not inside.all() else 0
        arrival = f"It is within 5 cm from step {since} on and stays; {last:.1f} cm at the end."
        if task == "push" and inside[0]:
            arrival = "The block lay within 5 cm from the start. " + arrival
        return arrival
    if inside[0] and task == "push":
        return f"The block lay on its target and is pushed off it: {last:.1f} cm at the end."
    if inside.any():
        first = int(np.argmax(inside))
        return (
            f"It passes the goal: within 5 cm first at step {first}, {last:.1f} cm away at the end."
        )
    moved = f" The block moves {100 * rollout.motion:.0f} cm." if task == "push" else ""
    return f"It never comes within 5 cm: {closest}, {last:.1f} cm at the end.{moved}"


def trained(arms: dict[str, str]) -> dict[str, tuple[str, Any]]:
    """The trained policies of the arms that have a result: arm → (label, policy of its seed 0)."""
    from labs.experiments.policies import load_policy

    folders = {arm: data_root() / arm / "seed0" for arm in arms}
    there = {a: f for a, f in folders.items() if (f / "policy.json").exists()}
    return {arm: (arms[arm], load_policy(folder)) for arm, folder in there.items()}


def snapshots(config: RunConfig, steps: Sequence[int]) -> dict[int, Any]:
    """Policies along a short training, by environment steps.

    Args:
        config: of the run.
        steps: increasing; whole rounds of episodes.
    """
    import torch
    from stable_baselines3.common.logger import configure

    from labs.experiments.environments import make_training_env
    from labs.experiments.models import build
    from labs.experiments.policies import TrainedPolicy

    torch.set_num_threads(config.torch_threads)
    env = make_training_env(config)
    model = build(config, env)
    model.set_logger(configure(None, []))
    found = {}
    for wanted in steps:
        while model.num_timesteps < wanted:
            first = model.num_timesteps == 0
            model.learn(envs.EPISODE_STEPS * config.n_envs, reset_num_timesteps=first)
        policy = copy.deepcopy(model.policy)
        policy.set_training_mode(False)
        found[model.num_timesteps] = TrainedPolicy(config, policy)
    env.close()
    return found


def find_start(wanted: Sequence[tuple[Any, RunConfig, Any]], what: str) -> int:
    """The first seed at which every (policy, configuration, condition on its rollout) holds.

    Raises:
        UserError: none among the seeds that are looked through.
    """
    worlds = [make_one(config) for _, config, _ in wanted]
    try:
        for seed in range(SEED, SEED + SEARCH):
            if all(
                ok(record(policy, config, seed, look=False, env=env))
                for (policy, config, ok), env in zip(wanted, worlds, strict=True)
            ):
                return seed
    finally:
        for env in worlds:
            env.close()
    raise UserError(f"no start of {SEARCH} where {what}: raise labs.experiments.gallery.SEARCH")


def choose(push: dict, reach: dict) -> list[tuple[str, str, Any, RunConfig, int]]:
    """The episodes of the gallery: (group, label, policy, configuration, seed)."""
    plain = RunConfig(task="push")
    state, blind = push["push-state-tuned"][1], push["push-blind-tuned"][1]
    solved = lambda r: r.success and r.distances[0] > 0.1  # noqa: E731
    failed = lambda r: not r.success and r.motion > 0.02 and r.distances[-1] > 0.1  # noqa: E731
    hard = find_start(
        [(blind, blind.config, failed), (state, state.config, solved)], "the blind twin alone fails"
    )
    easy = find_start(
        [(blind, blind.config, solved), (state, state.config, solved)], "both of them succeed"
    )
    idle = find_start([(NoOp(), plain, lambda r: r.success)], "doing nothing succeeds")
    chosen = [
        ("Push, a hard start", "doing nothing", NoOp(), plain, hard),
        ("Push, a hard start", "random actions", RandomActions(), plain, hard),
    ]
    chosen += [("Push, a hard start", name, p, p.config, hard) for name, p in push.values()]
    chosen += [("Push, an easy start", name, p, p.config, easy) for name, p in push.values()]
    chosen.append(("Push, already solved", "doing nothing", NoOp(), plain, idle))
    along = snapshots(preset("reach-state"), ALONG)
    names = {n: f"state, after {n:,} steps" if n else "state, untrained" for n in along}
    chosen += [("Reach", names[n], p, p.config, SEED) for n, p in along.items()]
    return chosen + [("Reach", name, p, p.config, SEED) for name, p in reach.values()]


def _webp(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", lossless=True, method=6)
    return buffer.getvalue()


def _strip(frames: np.ndarray) -> np.ndarray:
    """Frames (N, S, S, ...) beside each other: (S, N · S, ...)."""
    return np.concatenate(list(frames), axis=1)


def describe(rollout: Rollout, group: str, label: str, task: str, seed: int) -> dict[str, Any]:
    """An entry of ``measurement.json``, without the names of its files."""
    return {
        "group": group,
        "label": label,
        "task": task,
        "seed": seed,
        "success": rollout.success,
        "start": round(float(rollout.distances[0]), 4),
        "end": round(float(rollout.distances[-1]), 4),
        "motion": round(rollout.motion, 4),
        "notice": what_to_notice(rollout, task),
    }


def track(rollout: Rollout) -> dict[str, Any]:
    """An entry of ``tracks.json``: what changes from step to step; −1 for a hidden point."""
    points = np.where(np.isnan(rollout.points), -1, rollout.points.round(3))
    return {
        "distances": rollout.distances.round(4).tolist(),
        "actions": rollout.actions.round(2).astype(float).round(2).tolist(),
        "points": points.reshape(len(points), -1).tolist(),
    }


def gallery(
    push_arms: dict[str, str] = PUSH_ARMS,
    reach_arms: dict[str, str] = REACH_ARMS,
    progress: bool = True,
) -> Artifact:
    """Records the gallery: artifact ``gallery``.

    Args:
        push_arms, reach_arms: arm → label; arms without a result are left out.
        progress: show a bar.

    Raises:
        UserError: an arm that every gallery needs has no result.
    """
    push, reach = trained(push_arms), trained(reach_arms)
    if missing := {"push-state-tuned", "push-blind-tuned"} - push.keys():
        raise UserError(
            f"the gallery needs {' and '.join(sorted(missing))}: "
            f"pixels train {sorted(missing)[0]} --seeds 0"
        )
    entries, tracks, files = [], [], {}
    chosen = choose(push, reach)
    for number, (group, label, policy, config, seed) in enumerate(
        tqdm(chosen, desc="episodes", disable=not progress)
    ):
        rollout = record(policy, config, seed)
        entry = describe(rollout, group, label, config.task, seed)
        entry |= {
            "camera": config.camera if config.has_images else "workspace",
            "frames": f"{number:02}.webp",
            "map": None,
        }
        files[entry["frames"]] = _webp(_strip(rollout.frames))
        if rollout.maps is not None:
            most = max(float(rollout.maps.max()), 1e-9)
            entry |= {"map": f"{number:02}-map.webp", "map_largest": round(most, 4)}
            files[entry["map"]] = _webp(_strip((255 * rollout.maps / most).astype(np.uint8)))
        entries.append(entry)
        tracks.append(track(rollout))
    files["tracks.json"] = json.dumps(tracks, separators=(",", ":"))
    return write_measurement(
        "gallery",
        {"side": SIDE, "cells": CELLS, "points": POINTS, "rollouts": entries},
        parameters={
            "first_seed": SEED,
            "push": list(push),
            "reach": list(reach),
            "along": list(ALONG),
        },
        extra_files=files,
        gl=envs.gl_renderer(),
    )
