"""Where things are: a small network that reads positions from one frame, and a wrapper for it.

Reinforcement learning is a poor teacher of sight: a reward says little about where the block was.
Regression says it exactly. :class:`Locator` is trained on frames whose positions the simulator
knows, then frozen. From then on a policy sees the camera only through it: what it is given is
computed from pixels, while training and at test.

* :class:`Locator`: keypoints → positions.
* :class:`LocatedObservation`: replaces ``pixels`` by what the locator reads in them, once for
  each frame, so that a replay memory holds a few numbers in place of an image.

Command line: ``python -m labs.locator --verify``.
"""

from __future__ import annotations

from collections import deque

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from labs.keypoint_encoder import KeypointCNN

#: What is read from a frame, by task. Lengths in meters, world frame. A cube looks the same after
#: a quarter turn: its angle is read as cosine and sine of four times itself.
TARGETS: dict[str, tuple[str, ...]] = {
    "push": ("block_x", "block_y", "block_cos", "block_sin"),
    "reach": ("gripper_x", "gripper_y", "gripper_z", "goal_x", "goal_y", "goal_z"),
}


class Locator(nn.Module):
    """One frame → positions: standardized where it is trained, in meters where it is asked.

    ==================  =========================  ====================
    layer               what                       output
    ==================  =========================  ====================
    ``encoder``         KeypointCNN                (B, 64)
    ``head``            linear, ReLU, linear       (B, n), standardized
    scale and shift     in :meth:`locate` alone    (B, n), meters
    ==================  =========================  ====================

    Args:
        n_targets: numbers to read.
        image_size: (height, width) of a frame.
        views: cameras side by side in a frame.
    """

    def __init__(self, n_targets: int, image_size: tuple[int, int] = (84, 84), views: int = 1):
        super().__init__()
        self.n_targets = n_targets
        self.encoder = KeypointCNN(image_size=image_size, views=views)
        width = self.encoder.features_dim
        self.head = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, n_targets))
        self.register_buffer("mean", torch.zeros(n_targets))
        self.register_buffer("scale", torch.ones(n_targets))

    def forward(self, images: Tensor) -> Tensor:
        """float (B, 3, H, W) in [0, 1] → standardized targets (B, n), what regression trains."""
        return self.head(self.encoder(images))

    @torch.no_grad()
    def locate(self, frames: np.ndarray) -> np.ndarray:
        """Reads frames.

        Args:
            frames: uint8 (B, 3, H, W).

        Returns:
            float32 (B, n): meters, or cosine and sine.
        """
        images = torch.from_numpy(np.ascontiguousarray(frames)).float().div_(255.0)
        return (self(images) * self.scale + self.mean).numpy()


def located(locator: Locator, pixels: np.ndarray) -> np.ndarray:
    """Reads stacks of frames: uint8 (..., 3·k, H, W) → float32 (..., k·n), oldest first."""
    read = locator.locate(pixels.reshape(-1, 3, *pixels.shape[-2:]))
    return read.reshape(*pixels.shape[:-3], -1)


def located_space(space: spaces.Dict, n_targets: int) -> spaces.Dict:
    """The observation space after ``pixels`` has become ``located``."""
    frames = space["pixels"].shape[0] // 3
    others = {key: part for key, part in space.spaces.items() if key != "pixels"}
    box = spaces.Box(-np.inf, np.inf, (frames * n_targets,), np.float32)
    return spaces.Dict({**others, "located": box})


class LocatedObservation(gym.ObservationWrapper):
    """Replaces ``pixels`` by ``located``. Each frame is read once, when it is new.

    ==============  ================  =========  =======================================
    key             shape             dtype      meaning
    ==============  ================  =========  =======================================
    ``located``     (k·n,)            float32    what the last k frames show, oldest first
    others                                       unchanged
    ==============  ================  =========  =======================================

    Args:
        env: with ``pixels`` of k stacked RGB frames, as ``PixelObservationWrapper`` gives them.
        locator: reads one frame; it is not trained here.
    """

    def __init__(self, env: gym.Env, locator: Locator):
        super().__init__(env)
        self.locator = locator.eval()
        self.observation_space = located_space(env.observation_space, locator.n_targets)
        frames = env.observation_space["pixels"].shape[0] // 3
        self._read: deque[np.ndarray] = deque(maxlen=frames)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        self._read.clear()
        return super().reset(seed=seed, options=options)

    def observation(self, observation: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        newest = self.locator.locate(observation["pixels"][None, -3:])[0]
        if not self._read:  # the first frame fills the stack, as it fills that of pixels
            self._read.extend([newest] * self._read.maxlen)
        self._read.append(newest)
        others = {key: value for key, value in observation.items() if key != "pixels"}
        return {**others, "located": np.concatenate(self._read)}


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("locator", title="Locator"))
