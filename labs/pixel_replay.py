"""The from-scratch replay memory for pixels, and the arithmetic of its memory wall.

* :class:`PixelReplayBuffer`: stores whole stacks of frames as uint8, one transition at a time.
* :func:`transition_bytes`, :func:`memory_needed`: what the pixels of a replay memory cost.
* :func:`require_memory`: refuses a memory that this machine cannot hold, before it starts.

A transition of four stacked 84 × 84 RGB frames costs 2 × 84 × 84 × 12 = 169,344 bytes, because
``pixels`` and ``next_pixels`` are both kept: 84.7 GB for 500,000 of them. Storing each frame once
costs 84 × 84 × 3 × 51 / 50 = 21,591 bytes per transition: 10.8 GB.

``labs.pixel_wrapper`` offers these names too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike

from labs.errors import UserError
from labs.limits import free_memory

GIGABYTE = 1e9


def transition_bytes(
    image_size: tuple[int, int] = (84, 84),
    frame_stack: int = 4,
    dtype: DTypeLike = np.uint8,
    *,
    storage: Literal["stacks", "frames_once"] = "stacks",
    channels: int = 3,
    episode_length: int = 50,
) -> float:
    """Bytes of pixels that one transition costs in a replay memory.

    Args:
        image_size: (height, width) in pixels.
        frame_stack: frames in one observation. Without effect on ``"frames_once"``.
        dtype: how one pixel value is stored: uint8 is 1 byte, float32 is 4.
        storage: ``"stacks"`` keeps the stack before and the stack after each step;
            ``"frames_once"`` keeps every frame of an episode once and stacks when it samples.
        channels: channels of one frame, 3 for RGB.
        episode_length: steps of an episode; it has one frame more.

    Returns:
        Bytes per transition. A fraction for ``"frames_once"``, whose last frame is shared by the
        steps of an episode.

    Raises:
        ValueError: a size below 1, or an unknown storage.
    """
    height, width = image_size
    for name, value in {
        "image height": height,
        "image width": width,
        "frame_stack": frame_stack,
        "channels": channels,
        "episode_length": episode_length,
    }.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, received {value}")
    frame = height * width * channels * np.dtype(dtype).itemsize
    if storage == "stacks":
        return float(2 * frame_stack * frame)
    if storage == "frames_once":
        return frame * (episode_length + 1) / episode_length
    raise ValueError(f"storage must be 'stacks' or 'frames_once', received {storage!r}")


def memory_needed(
    capacity: int,
    image_size: tuple[int, int] = (84, 84),
    frame_stack: int = 4,
    dtype: DTypeLike = np.uint8,
    *,
    storage: Literal["stacks", "frames_once"] = "stacks",
    channels: int = 3,
    episode_length: int = 50,
) -> int:
    """Bytes of pixels in a replay memory of ``capacity`` transitions; see `transition_bytes`.

    Raises:
        ValueError: a capacity or a size below 1, or an unknown storage.
    """
    if capacity < 1:
        raise ValueError(f"capacity must be at least 1, received {capacity}")
    each = transition_bytes(
        image_size,
        frame_stack,
        dtype,
        storage=storage,
        channels=channels,
        episode_length=episode_length,
    )
    return round(capacity * each)


def require_memory(needed: int, what: str = "the replay memory", remedy: str | None = None) -> None:
    """Refuses to start what would not fit, before hours of training are lost to it.

    Args:
        needed: bytes.
        what: what needs them.
        remedy: what to change; a smaller capacity, size or stack when None.

    Raises:
        UserError: more is needed than this machine has available.
    """
    available = free_memory()
    if needed > available:
        share = 100 * available / needed
        places = 10 if share >= 1 else 1000
        share = math.floor(places * share) / places  # rounded down: it must fit
        remedy = remedy or (
            f"use at most {share} % of this capacity, smaller images, fewer stacked frames, "
            "or a memory that stores each frame once"
        )
        raise UserError(
            f"{what} needs {needed / GIGABYTE:.1f} GB, "
            f"{available / GIGABYTE:.1f} GB are available: {remedy}"
        )


class PixelReplayBuffer:
    """A ring of transitions with pixels, stored as uint8 and sampled uniformly, as in Mnih et al.
    2015 (Nature 518).

    uint8 is a quarter of float32, and it is what the camera gives: nothing is lost. The division
    by 255 happens when a batch is sampled, on the few images that are needed.

    The arrays are allocated at once but their pages are committed by the operating system when
    they are first written, so an empty buffer costs next to nothing; whether the full one would
    fit is asked at construction.

    Args:
        img_shape: shape of one stacked image, channels first, e.g. (12, 84, 84).
        goal_dim: numbers in a goal.
        act_dim: numbers in an action.
        capacity: transitions held; then the oldest are overwritten.
        seed: of the sampling.
        device: where ``sample`` puts its tensors.

    Raises:
        ValueError: an impossible shape or size.
        UserError: the full buffer would not fit into the memory that is available.
    """

    def __init__(
        self,
        img_shape: Sequence[int],
        goal_dim: int,
        act_dim: int,
        capacity: int,
        *,
        seed: int | None = None,
        device: torch.device | str = "cpu",
    ):
        img_shape = tuple(int(n) for n in img_shape)
        if len(img_shape) != 3 or min(img_shape) < 1:
            raise ValueError(
                f"img_shape must be (channels, height, width), all at least 1, received {img_shape}"
            )
        for name, value in {"goal_dim": goal_dim, "act_dim": act_dim, "capacity": capacity}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, received {value}")
        self.img_shape = img_shape
        self.goal_dim = int(goal_dim)
        self.act_dim = int(act_dim)
        self.capacity = int(capacity)
        self.device = torch.device(device)
        self._rng = np.random.default_rng(seed)
        self._position = 0
        self._size = 0

        floats = 4 * (2 * self.goal_dim + self.act_dim + 2)  # achieved, goal, action, reward, done
        image = int(np.prod(img_shape))
        require_memory(
            self.capacity * (2 * image + floats),
            f"a replay buffer of {self.capacity:,} transitions with images of shape {img_shape}",
        )
        self._pixels = np.zeros((self.capacity, *img_shape), np.uint8)
        self._next_pixels = np.zeros((self.capacity, *img_shape), np.uint8)
        self._achieved = np.zeros((self.capacity, self.goal_dim), np.float32)
        self._goals = np.zeros((self.capacity, self.goal_dim), np.float32)
        self._actions = np.zeros((self.capacity, self.act_dim), np.float32)
        self._rewards = np.zeros((self.capacity, 1), np.float32)
        self._dones = np.zeros((self.capacity, 1), np.float32)

    def __len__(self) -> int:
        """Transitions stored so far."""
        return self._size

    @property
    def nbytes(self) -> int:
        """Bytes of the full buffer."""
        return sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))

    def add(
        self,
        obs_pixels: np.ndarray,
        next_pixels: np.ndarray,
        achieved: ArrayLike,
        goal: ArrayLike,
        action: ArrayLike,
        reward: float,
        done: bool,
    ) -> None:
        """Stores one transition; the arrays are copied.

        Args:
            obs_pixels: uint8 ``img_shape``, the image before the step.
            next_pixels: uint8 ``img_shape``, the image after it.
            achieved: (goal_dim,), the goal achieved *after* the step, which its reward is computed
                from; stored as float32.
            goal: (goal_dim,), the desired goal.
            action: (act_dim,).
            reward: a number.
            done: whether the episode *terminated*. A time limit is not a termination.

        Raises:
            TypeError: an image that is not uint8.
            ValueError: a wrong shape.
        """
        self._check_image("obs_pixels", obs_pixels)
        self._check_image("next_pixels", next_pixels)
        vectors = {
            "achieved": (achieved, (self.goal_dim,)),
            "goal": (goal, (self.goal_dim,)),
            "action": (action, (self.act_dim,)),
            "reward": (reward, ()),
            "done": (done, ()),
        }
        for name, (value, shape) in vectors.items():
            if np.shape(value) != shape:
                raise ValueError(
                    f"{name}: received shape {np.shape(value)}, expected {shape}"
                    + (" (a number)" if shape == () else "")
                )
        i = self._position
        self._pixels[i] = obs_pixels
        self._next_pixels[i] = next_pixels
        self._achieved[i] = achieved
        self._goals[i] = goal
        self._actions[i] = action
        self._rewards[i] = reward
        self._dones[i] = done
        self._position = (i + 1) % self.capacity
        self._size = min(self._size + 1, self.capacity)

    def _check_image(self, name: str, image: np.ndarray) -> None:
        dtype, shape = np.asarray(image).dtype, np.shape(image)
        if dtype != np.uint8:
            raise TypeError(f"{name}: received dtype {dtype}, expected uint8 (values 0 to 255)")
        if shape != self.img_shape:
            hint = ""
            if len(shape) == 3 and (shape[2], shape[0], shape[1]) == self.img_shape:
                hint = ": channels come last here, transpose(2, 0, 1) puts them first"
            raise ValueError(f"{name}: received shape {shape}, expected {self.img_shape}{hint}")

    def sample(self, batch_size: int) -> dict[str, torch.Tensor]:
        """Draws transitions uniformly, with replacement.

        Args:
            batch_size: B, at least 1.

        Returns:
            float32 tensors: ``pixels`` and ``next_pixels`` (B, *img_shape) in [0, 1],
            ``achieved_goal`` and ``desired_goal`` (B, goal_dim), ``actions`` (B, act_dim),
            ``rewards`` and ``dones`` (B, 1), the shape of a Q-value: a (B,) would broadcast
            against (B, 1) to (B, B) without a word.

        Raises:
            ValueError: the buffer is empty, or ``batch_size`` is below 1.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, received {batch_size}")
        if self._size == 0:
            raise ValueError(
                f"cannot sample {batch_size} transitions from an empty buffer: add() some first"
            )
        rows = self._rng.integers(0, self._size, size=batch_size)

        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(array[rows]).to(self.device)

        return {
            "pixels": tensor(self._pixels).float().div_(255.0),
            "next_pixels": tensor(self._next_pixels).float().div_(255.0),
            "achieved_goal": tensor(self._achieved),
            "desired_goal": tensor(self._goals),
            "actions": tensor(self._actions),
            "rewards": tensor(self._rewards),
            "dones": tensor(self._dones),
        }
