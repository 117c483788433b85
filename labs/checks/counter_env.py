"""An environment that writes the frame's number into the frame."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
from gymnasium import spaces

EPISODE = 6  # steps of an episode of CounterEnv


class CounterEnv(gym.Env):
    """Writes the number of the frame into the frame, and draws every frame into one array.

    Frame ``t`` of episode ``e`` has the value 10 · e + t in every pixel, so a stack shows which
    frames are in it; and because the array is used again, whoever keeps it without a copy sees
    it change.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, size: tuple[int, int] = (8, 10), entries: int = 5):
        self.render_mode = "rgb_array"
        self.renders = 0
        self.episode, self.t = -1, 0
        self._canvas = np.zeros((*size, 3), np.uint8)
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)
        self.observation_space = spaces.Dict(
            observation=spaces.Box(-np.inf, np.inf, (entries,), np.float64),
            achieved_goal=spaces.Box(-np.inf, np.inf, (3,), np.float64),
            desired_goal=spaces.Box(-np.inf, np.inf, (3,), np.float64),
        )

    def _observe(self) -> dict[str, np.ndarray]:
        entries = self.observation_space["observation"].shape[0]
        return {
            "observation": 100.0 * self.t + np.arange(entries),
            "achieved_goal": np.full(3, self.t / 3),
            "desired_goal": self.goal.copy(),
        }

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.goal = self.np_random.uniform(size=3)
        self.episode, self.t = (0 if seed is not None else self.episode + 1), 0
        return self._observe(), {}

    def step(self, action):
        self.t += 1
        return self._observe(), 0.0, False, self.t == EPISODE, {}

    def render(self):
        self.renders += 1
        self._canvas[:] = 10 * self.episode + self.t
        return self._canvas


def values(obs: dict[str, np.ndarray]) -> list[int]:
    """The frame numbers in a stack, first channel first; each frame must be of one value."""
    pixels = obs["pixels"]
    frames = pixels.reshape(-1, 3, *pixels.shape[1:])
    assert all((frame == frame[0, 0, 0]).all() for frame in frames), "a frame is torn"
    return [int(frame[0, 0, 0]) for frame in frames]


def action_of(env: gym.Env) -> np.ndarray:
    return np.zeros(env.action_space.shape, np.float32)
