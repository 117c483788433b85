"""Frames become observations: rendering, resizing, stacking, and what the agent may know.

* :func:`render_and_resize`: one camera frame, channels first.
* :class:`PixelObservationWrapper`: a Fetch environment that is seen through its camera.
* :class:`PixelReplayBuffer`: the from-scratch replay memory (``labs.pixel_replay``), with
  :func:`transition_bytes` and :func:`memory_needed`.

Frames are stacked so that one observation shows motion, as in Mnih et al. 2015 (Nature 518). The
Fetch tasks are those of Plappert et al. 2018 (arXiv 1802.09464).

Run ``python -m labs.pixel_wrapper --verify`` for the checks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Literal, get_args

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from PIL import Image

from labs.pixel_replay import PixelReplayBuffer, memory_needed, require_memory, transition_bytes

__all__ = [
    "GoalMode",
    "PixelObservationWrapper",
    "PixelReplayBuffer",
    "memory_needed",
    "render_and_resize",
    "require_memory",
    "transition_bytes",
]

GoalMode = Literal["none", "desired", "both"]

KEYS_BY_GOAL: dict[str, tuple[str, ...]] = {
    "none": (),
    "desired": ("desired_goal",),
    "both": ("achieved_goal", "desired_goal"),
}


def _check_image_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Returns ``image_size`` as two ints, or says what is wrong with it."""
    pair = tuple(image_size) if isinstance(image_size, Sequence | np.ndarray) else (image_size,)
    integers = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in pair)
    if len(pair) != 2 or not integers or min(pair) < 1:
        raise ValueError(
            f"image_size must be (height, width), two integers of at least 1, "
            f"received {image_size!r}"
        )
    return int(pair[0]), int(pair[1])


def _check_render_mode(env: gym.Env) -> None:
    mode = getattr(env, "render_mode", None)
    if mode != "rgb_array":
        raise ValueError(
            f"pixels need an environment made with render_mode='rgb_array', received {mode!r}: "
            "gym.make(..., render_mode='rgb_array')"
        )


def render_and_resize(env: gym.Env, image_size: tuple[int, int] = (84, 84)) -> np.ndarray:
    """Takes one camera frame and brings it to a size, channels first; 84 × 84 is that of Mnih et
    al. 2015 (Nature 518).

    Where the environment already draws at ``image_size`` nothing is resized. Otherwise PIL's
    bilinear filter shrinks the frame: most of what was drawn is then thrown away, which is why
    drawing at the right size is the fast path. The two pictures are *not* equal: PIL averages
    over many drawn pixels where a small native frame has a few samples each.

    Args:
        env: an environment with ``render_mode="rgb_array"``; it must have been reset.
        image_size: (height, width) in pixels.

    Returns:
        uint8 (3, height, width), values 0 to 255, contiguous. It owns its memory: the next frame
        does not write over it.

    Raises:
        ValueError: another render mode, an impossible size, or a frame that is not uint8
            (H, W, 3).
    """
    height, width = _check_image_size(image_size)
    _check_render_mode(env)
    frame = env.render()
    if not (
        isinstance(frame, np.ndarray)
        and frame.dtype == np.uint8
        and frame.ndim == 3
        and frame.shape[2] == 3
    ):
        received = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else repr(frame)
        raise ValueError(f"render() gave {received}, expected uint8 (height, width, 3)")
    if frame.shape[:2] != (height, width):
        image = Image.fromarray(np.ascontiguousarray(frame))
        # PIL counts columns first.
        frame = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return frame.transpose(2, 0, 1).copy(order="C")


class PixelObservationWrapper(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Replaces ``observation`` by the camera's picture, and decides what else the agent knows.

    The goal mode is the question of honesty. In the Fetch tasks ``achieved_goal`` is the exact
    position of the gripper (Reach) or of the *object* (Push): an agent that receives it need not
    look. The tasks are those of Plappert et al. 2018 (arXiv 1802.09464); frames are stacked as in
    Mnih et al. 2015 (Nature 518).

    ===============  ===================================  =====================================
    ``goal_mode``    goals in the observation             what the camera is needed for
    ===============  ===================================  =====================================
    ``"none"``       none                                 gripper, object and goal
    ``"desired"``    ``desired_goal``                     gripper and object
    ``"both"``       ``achieved_goal``, ``desired_goal``  next to nothing (rotation, velocity)
    ===============  ===================================  =====================================

    Stable-Baselines3's ``HerReplayBuffer`` relabels with the ``achieved_goal`` of the observation
    and so needs ``"both"``, which also shows it to the policy. With ``"desired"`` the replay
    memory has to learn the achieved goal past the observation: ``labs.replay`` reads it from
    ``info["achieved_goal"]``. With ``"none"`` there is no goal to relabel, and HER is impossible.

    Shapes with ``image_size=(84, 84)``, ``goal_mode="both"``, ``frame_stack=4`` and
    proprioception of 10 indices:

    ==================  ============  ========  =============================================
    key                 shape         dtype     range
    ==================  ============  ========  =============================================
    ``pixels``          (12, 84, 84)  uint8     0 to 255; oldest frame first, newest last
    ``proprioception``  (10,)         float64   unbounded; meters, meters per control step
    ``achieved_goal``   (3,)          float64   unbounded; meters
    ``desired_goal``    (3,)          float64   unbounded; meters
    ==================  ============  ========  =============================================

    Vectors are never stacked, and they keep the environment's own dtype: only then is
    ``reward == compute_reward(achieved_goal, desired_goal, info)`` true to the last bit, which
    Stable-Baselines3's ``check_env`` asks of every goal environment. Stable-Baselines3 turns
    them into float32 before any network sees them; code of your own must do the same.

    Each call of ``reset`` and ``step`` draws exactly one frame.

    Args:
        env: a goal environment (dict observation) with ``render_mode="rgb_array"``.
        image_size: (height, width) of ``pixels``.
        goal_mode: which goals stay in the observation.
        frame_stack: number of frames n along the channels, giving 3n of them. At reset the first
            frame fills the stack.
        proprio_indices: which entries of the raw ``observation`` become ``proprioception``, in
            this order (``labs.envs.PROPRIO_INDICES``); None leaves the key out.

    Attributes:
        last_raw_obs: the unwrapped observation of the last ``reset`` or ``step``; None before.

    Raises:
        ValueError: an unknown goal mode, fewer than one frame, an index that is out of range or
            occurs twice, an impossible size, a wrong render mode, or an environment without the
            keys that are asked for.
    """

    def __init__(
        self,
        env: gym.Env,
        image_size: tuple[int, int] = (84, 84),
        goal_mode: GoalMode = "none",
        frame_stack: int = 1,
        proprio_indices: Sequence[int] | None = None,
    ):
        gym.utils.RecordConstructorArgs.__init__(
            self,
            image_size=image_size,
            goal_mode=goal_mode,
            frame_stack=frame_stack,
            proprio_indices=proprio_indices,
        )
        gym.Wrapper.__init__(self, env)
        _check_render_mode(env)
        self.image_size = _check_image_size(image_size)
        if not isinstance(goal_mode, str) or goal_mode not in KEYS_BY_GOAL:
            raise ValueError(
                f"goal_mode must be one of {', '.join(map(repr, get_args(GoalMode)))}, "
                f"received {goal_mode!r}"
            )
        if not isinstance(frame_stack, int | np.integer) or frame_stack < 1:
            raise ValueError(
                f"frame_stack must be an integer of at least 1, received {frame_stack}"
            )
        self.goal_mode = goal_mode
        self.frame_stack = int(frame_stack)
        self._goal_keys = KEYS_BY_GOAL[goal_mode]
        raw_space = self._check_raw_space(env.observation_space)
        self._proprio = self._check_indices(proprio_indices, raw_space)
        self.observation_space = self._make_space(raw_space)
        self.last_raw_obs: dict[str, np.ndarray] | None = None
        self._frames: deque[np.ndarray] = deque(maxlen=self.frame_stack)

    def _check_raw_space(self, space: spaces.Space) -> spaces.Dict:
        needed = {"observation", *self._goal_keys}
        present = set(space.spaces) if isinstance(space, spaces.Dict) else set()
        if not needed <= present:
            raise ValueError(
                f"goal_mode={self.goal_mode!r} needs a dict observation with the keys "
                f"{sorted(needed)}, received {space}"
            )
        return space

    @staticmethod
    def _check_indices(indices: Sequence[int] | None, space: spaces.Dict) -> np.ndarray | None:
        if indices is None:
            return None
        index = np.asarray(indices)
        size = space["observation"].shape[0]
        if index.ndim != 1 or index.size == 0 or index.dtype.kind not in "iu":
            raise ValueError(
                f"proprio_indices must be a list of integers or None, received {indices!r}"
            )
        outside = index[(index < 0) | (index >= size)]
        if outside.size:
            raise ValueError(
                f"proprio_indices {outside.tolist()} are out of range: this observation has "
                f"{size} entries, 0 to {size - 1}"
            )
        values, counts = np.unique(index, return_counts=True)
        if (counts > 1).any():
            raise ValueError(f"proprio_indices {values[counts > 1].tolist()} occur more than once")
        return index

    def _make_space(self, raw: spaces.Dict) -> spaces.Dict:
        height, width = self.image_size
        shape = (3 * self.frame_stack, height, width)
        space: dict[str, spaces.Space] = {"pixels": spaces.Box(0, 255, shape, np.uint8)}
        if self._proprio is not None:
            box = raw["observation"]
            low, high = box.low[self._proprio], box.high[self._proprio]
            space["proprioception"] = spaces.Box(low, high, dtype=box.dtype)
        space.update({key: raw[key] for key in self._goal_keys})
        return spaces.Dict(space)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Starts an episode; the stack holds its first frame ``frame_stack`` times."""
        raw, info = self.env.reset(seed=seed, options=options)
        frame = render_and_resize(self.env, self.image_size)
        self._frames.extend([frame] * self.frame_stack)
        return self._observe(raw), info

    def step(
        self, action: np.ndarray
    ) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Takes a step; the newest frame joins the stack and the oldest leaves it.

        Raises:
            ResetNeeded: Gymnasium's; ``reset`` was never called.
        """
        if not self._frames:
            raise gym.error.ResetNeeded("call reset() before step(): there is no frame to stack on")
        raw, reward, terminated, truncated, info = self.env.step(action)
        self._frames.append(render_and_resize(self.env, self.image_size))
        # The sparse tasks give a NumPy scalar; Gymnasium's interface asks for a float.
        return self._observe(raw), float(reward), terminated, truncated, info

    def _observe(self, raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The observation, in arrays that nobody else holds."""
        self.last_raw_obs = raw
        obs = {"pixels": np.concatenate(self._frames)}
        if self._proprio is not None:
            obs["proprioception"] = raw["observation"][self._proprio]
        obs.update({key: raw[key].copy() for key in self._goal_keys})
        return obs

    def compute_reward(
        self, achieved_goal: np.ndarray, desired_goal: np.ndarray, info: Any
    ) -> np.ndarray | float:
        """The environment's reward, for one pair of goals or a batch of them.

        Gymnasium's wrappers do not forward attributes, and SB3's ``check_env`` asks the outermost
        one. (HER would find it anyway: ``VecEnv.env_method`` looks through wrappers.)

        Args:
            achieved_goal: (3,) or (B, 3), meters: the goal achieved *after* the step.
            desired_goal: the same shape.
            info: passed on.

        Returns:
            One reward, or (B,) of them.
        """
        compute = self.env.get_wrapper_attr("compute_reward")
        return compute(achieved_goal, desired_goal, info)


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("pixel_wrapper", title="Pixel wrapper"))
