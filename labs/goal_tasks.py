"""What a goal task of fixed length tells a replay memory: its reward, its episodes, its bytes.

Used through :mod:`labs.replay`, which stores the episodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space

FRAME_CHANNELS = 3
REWARD_TYPES = ("sparse", "dense")
GOAL_KEYS = ("achieved_goal", "desired_goal")


def goal_reward(
    achieved: torch.Tensor, desired: torch.Tensor, *, threshold: float, reward_type: str
) -> torch.Tensor:
    """The reward of the Fetch tasks (Plappert et al. 2018, arXiv 1802.09464), in batch.

    Args:
        achieved: float (..., G), the goal achieved *after* the action, in meters.
        desired: float (..., G).
        threshold: success distance in meters.
        reward_type: ``"sparse"``: 0 within the threshold, else -1; ``"dense"``: minus the distance.

    Returns:
        float32 (...).

    Raises:
        ValueError: another reward type.
    """
    distance = torch.linalg.vector_norm(achieved - desired, dim=-1)
    if reward_type == "sparse":
        return -(distance > threshold).float()
    if reward_type == "dense":
        return -distance.float()
    expected = " or ".join(map(repr, REWARD_TYPES))
    raise ValueError(f"received reward_type {reward_type!r}; expected {expected}")


def stack_sizes(space: spaces.Dict) -> dict[str, int]:
    """Frames in the stack of each image; everything else must be a vector.

    Raises:
        ValueError: an image that is no channels-first RGB stack, or another shape of array.
    """
    stacks = {}
    for key, part in space.spaces.items():
        if is_image_space(part):
            if len(part.shape) != 3 or part.shape[0] % FRAME_CHANNELS:
                raise ValueError(
                    f"received image space {key!r} of shape {part.shape}; expected channels-first "
                    "RGB stacks (3·n, H, W)"
                )
            stacks[key] = part.shape[0] // FRAME_CHANNELS
        elif len(part.shape) != 1:
            raise ValueError(f"received {key!r} of shape {part.shape}; expected a vector")
    return stacks


def goal_size(space: spaces.Dict) -> int:
    """Numbers in a goal; 0 where the observation holds none."""
    return max((space[k].shape[0] for k in GOAL_KEYS if k in space.spaces), default=0)


def replay_bytes(space: spaces.Dict, action_dim: int, transitions: int, episode_length: int) -> int:
    """Bytes of a full :class:`labs.replay.EpisodeReplay` of ``transitions`` steps."""
    per_step = sum(
        FRAME_CHANNELS * np.prod(part.shape[1:]) if is_image_space(part) else 4 * part.shape[0]
        for key, part in space.spaces.items()
        if key not in GOAL_KEYS
    )
    goal_dim = goal_size(space)
    per_step += 8 * goal_dim
    per_episode = (episode_length + 1) * per_step
    per_episode += episode_length * 4 * (action_dim + 1) + 8 * goal_dim
    return int(max(transitions // episode_length, 1) * per_episode)


def episode_options(env: Any) -> dict[str, Any] | None:
    """The options with which :class:`labs.replay.EpisodeReplay` serves an SB3 vector environment.

    Returns:
        Keyword arguments, or None where the task is no goal task of fixed length.
    """
    if not isinstance(env.observation_space, spaces.Dict):
        return None
    try:
        steps = env.get_attr("spec", 0)[0].max_episode_steps
        threshold = float(env.get_attr("distance_threshold", 0)[0])
        reward_type = env.get_attr("reward_type", 0)[0]
    except AttributeError:
        return None
    if not steps or reward_type not in ("sparse", "dense"):
        return None
    hindsight = reward_type == "sparse" and "desired_goal" in env.observation_space.spaces
    return {
        "episode_length": int(steps),
        "distance_threshold": threshold,
        "reward_type": reward_type,
        "n_sampled_goal": 4 if hindsight else 0,
    }
