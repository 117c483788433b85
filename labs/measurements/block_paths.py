"""Where blocks began, ended and should have gone, and success by the way that each had to go."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from labs.envs import DISTANCE_THRESHOLD
from labs.experiments.position_errors import mean_interval
from labs.measurements.tasks import proportion

#: Distance from block to goal at the start, meters. Below the first, doing nothing succeeds.
EDGES = (DISTANCE_THRESHOLD, 0.12, 0.2, np.inf)
TOUCHED = 0.01  # meters: a block that moved farther was touched


class BlockPath(gym.Wrapper):
    """Remembers the block's way, (start, end) of each episode, and its goal: (3,) in meters each.

    Args:
        env: an environment of ``make_one``.

    Attributes:
        paths: (start, end, goal) of each episode, in the order in which they were played.
    """

    def __init__(self, env: gym.Env):
        super().__init__(env)
        self.paths: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        observation, info = self.env.reset(seed=seed, options=options)
        tells = "achieved_goal" in observation  # else a wrapper below took it out
        raw = observation if tells else self.get_wrapper_attr("last_raw_obs")
        self.paths.append((raw["achieved_goal"], raw["achieved_goal"], raw["desired_goal"]))
        return observation, info

    def step(self, action):
        *rest, info = self.env.step(action)
        start, _, goal = self.paths[-1]
        self.paths[-1] = (start, info["achieved_goal"], goal)
        return *rest, info


def by_distance(success: np.ndarray, distance: np.ndarray) -> list[dict[str, float | int]]:
    """Success by the distance that the block has to go, one entry for each bin of :data:`EDGES`.

    Args:
        success: bool (n,).
        distance: float (n,), meters from block to goal at the start.

    Returns:
        ``rate``, ``low``, ``high``, ``n`` of each bin; of an empty one only ``n``.
    """
    bins = np.digitize(distance, EDGES[:-1]) - 1  # −1: nothing to do
    inside = [success[bins == k] for k in range(len(EDGES) - 1)]
    return [
        proportion(int(found.sum()), len(found)) if len(found) else {"n": 0} for found in inside
    ]


def what_the_block_did(paths: np.ndarray) -> dict[str, Any]:
    """How often blocks were touched, and how far they came toward their goals.

    Args:
        paths: float (n, 3, 3), meters: start, end and goal of blocks that had to go somewhere.

    Returns:
        ``touched``: a proportion; ``nearer``: the distance to the goal at the start less that at
        the end, in millimeters, with its interval.
    """
    start, end, goal = paths.swapaxes(0, 1)
    moved = np.linalg.norm(end - start, axis=1) > TOUCHED
    nearer = np.linalg.norm(start - goal, axis=1) - np.linalg.norm(end - goal, axis=1)
    return {
        "touched": proportion(int(moved.sum()), len(moved)),
        "nearer": mean_interval(1000 * nearer),
    }
