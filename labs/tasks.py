"""The two Fetch tasks in numbers, and the random numbers of whoever draws beside a reset.

Without MuJoCo and OpenGL, so that a command which only plans need not load them. Environments:
:mod:`labs.envs`, which offers all of this too.

The tasks are those of Plappert et al. 2018 (arXiv 1802.09464).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

ENV_IDS = {"reach": "FetchReachDense-v4", "push": "FetchPush-v4"}
EPISODE_STEPS = 50  # no episode ends early
DISTANCE_THRESHOLD = 0.05  # meters
ACTION_LENGTH = 0.05  # meters that an action of 1 asks the gripper to move
STATE_WIDTH = {"reach": 10, "push": 25}  # numbers in ``observation``

#: The robot's own part of ``observation``: gripper position 3, finger positions 2, gripper
#: velocity 3, finger velocities 2. Reach observes nothing else.
PROPRIO_INDICES = {
    "reach": list(range(10)),
    "push": [0, 1, 2, 9, 10, 20, 21, 22, 23, 24],
}


def views_of(camera: str) -> int:
    """How many pictures, side by side, a frame of this camera is."""
    return 2 if camera == "pair" else 1


class Stream(IntEnum):
    """Who draws beside a reset."""

    SIMULATED_EYE = 1
    BLURRED_CRITIC = 2
    IMAGE_CONTENT = 3
    RANDOM_WALK = 4
    NEXT_STEP = 5


def own_stream(seed: int, stream: Stream) -> np.random.Generator:
    """Random numbers apart from those by which ``reset(seed=seed)`` places block and goal.

    ``default_rng(seed)`` would repeat them: whatever is drawn with it knows where things lie.

    Args:
        seed: of the reset.
        stream: who draws.
    """
    return np.random.default_rng([seed, stream])


def episode_of(*key: int) -> tuple[int, np.random.Generator]:
    """The reset seed of an episode, and the generator of all else that is drawn in it.

    Args:
        key: what tells this episode from every other, for example a seed and its number. Zeros at
            the end do not count: ``(3,)`` and ``(3, 0)`` are one episode.
    """
    sequence = np.random.SeedSequence(key)
    return int(sequence.generate_state(1)[0]), np.random.default_rng(sequence)
