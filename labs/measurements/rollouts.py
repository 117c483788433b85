"""One episode, recorded frame by frame: what a viewer sees, where the policy looks, what came out.

A :class:`Rollout` holds the pictures, where things are in them, and the distances, from which
:func:`what_to_notice` says in words what happened. For policies with a camera each frame also
carries an occlusion map (:mod:`labs.measurements.occlusion`), and the keypoints of those that have
some (:mod:`labs.experiments.keypoints`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labs import envs
from labs.experiments.config import RunConfig
from labs.experiments.environments import make_one
from labs.experiments.keypoints import has_keypoints, places_of
from labs.measurements.occlusion import occlusion_map

SIDE = 144  # pixels of a frame, for the reader
POINTS = ("gripper", "object", "goal")


@dataclass
class Rollout:
    """One recorded episode of T steps.

    Attributes:
        frames: uint8 (T + 1, S, S, 3), the viewer's picture before each step and after the last.
        actions: (T, 4).
        distances: (T + 1,) meters between what has to be at the goal and the goal.
        points: (T + 1, 3, 2): column and row of gripper, object and goal, in [0, 1] of the frame's
            side, NaN where it is hidden or does not exist.
        motion: meters that the object moved from its start, at most; 0 in Reach.
        success: at the last step.
        maps: float (T + 1, CELLS, CELLS), or None for policies without a picture.
        keypoints: (T + 1, K, 2) as ``points``, where the encoder of the policy sees its features;
            None for policies without keypoints.
    """

    frames: np.ndarray
    actions: np.ndarray
    distances: np.ndarray
    points: np.ndarray
    motion: float
    success: bool
    maps: np.ndarray | None = None
    keypoints: np.ndarray | None = None


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


def viewer_camera(config: RunConfig) -> str:
    """The camera of the viewer's picture: the policy's own, its first of two, or the workspace."""
    return config.camera if config.has_images and config.views == 1 else "workspace"


def _viewer(config: RunConfig, side: int):
    camera = viewer_camera(config)
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
    frames, points, maps, keypoints, actions, distances = [], [], [], [], [], []
    motion, has_points = 0.0, has_keypoints(policy)
    over, info = False, {}
    while True:
        distances.append(float(np.linalg.norm(seen["achieved_goal"] - seen["desired_goal"])))
        if view is not None:
            frames.append(view.render())
            points.append(centers(view.segmentation()))
            if config.has_images:
                maps.append(occlusion_map(policy, obs, views=config.views))
            if has_points:
                keypoints.append(places_of(policy, obs))
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
        np.array(keypoints) if keypoints else None,
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


def track(rollout: Rollout) -> dict[str, Any]:
    """An entry of ``tracks.json``: what changes from step to step.

    A hidden point is at −1. Keypoints are in 255ths of the frame's side.
    """
    points = np.where(np.isnan(rollout.points), -1, rollout.points.round(3))
    keypoints = None
    if rollout.keypoints is not None:
        rounded = (255 * rollout.keypoints).round().astype(int)
        keypoints = rounded.reshape(len(rounded), -1).tolist()
    return {
        "distances": rollout.distances.round(4).tolist(),
        "actions": rollout.actions.round(2).astype(float).round(2).tolist(),
        "points": points.reshape(len(points), -1).tolist(),
        "keypoints": keypoints,
    }
