"""How well policies act before a picture that somebody moved: artifact ``moved-pictures``.

The camera is knocked once: every picture of an episode is moved by the same whole pixels, another
episode by others. Joints and goal stay as they are, so picture and vectors disagree about where
things are, which is what random shifts (DrQ, Kostrikov et al. 2020, arXiv 2004.13649) do to a
training.

``pixels measure moved-pictures`` plays every policy of :data:`ARMS` whose weights lie in ``data/``,
and keeps what it found before with others: the repository has room for the weights of few.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import gl_renderer
from labs.experiments.environments import make_one
from labs.experiments.evaluate import final_seeds, run_episodes
from labs.image_augmentation import RandomShiftAug
from labs.measurements.play import play_all

#: Matched arms without and with random shifts, in the order of the table; last, one by a reward.
ARMS = (
    "push-distilled",
    "push-distilled-drq",
    "push-distilled-far",
    "push-distilled-far-drq",
    "push-asymmetric-keypoint-long",
)
DISTANCES = (1, 3, 6)  # pixels; training shifts by up to 3
EPISODES = 100


def offsets(distance: int, episodes: int, seed: int = 0) -> np.ndarray:
    """One (rows, columns) an episode, uniform over those whose larger part is ``distance``.

    Args:
        distance: in pixels, 1 or more.
        episodes: how many.
        seed: of the draw.

    Returns:
        int64 (episodes, 2).
    """
    span = np.arange(-distance, distance + 1)
    every = np.stack(np.meshgrid(span, span, indexing="ij"), axis=-1).reshape(-1, 2)
    ring = every[np.abs(every).max(axis=1) == distance]
    return ring[np.random.default_rng(seed).integers(len(ring), size=episodes)]


def mover(offset: np.ndarray) -> Callable[[int, np.ndarray], np.ndarray]:
    """What stands between camera and policy: (step, uint8 (C, H, W)) → the same, moved."""
    shift = RandomShiftAug(pad=int(np.abs(offset).max()))
    chosen = torch.from_numpy(offset)[None]

    def moved(step: int, pixels: np.ndarray) -> np.ndarray:
        return shift.shift(torch.from_numpy(pixels)[None], chosen)[0].numpy()

    return moved


def play_moved(policy, distance: int, episodes: int = EPISODES, env=None) -> dict[str, Any]:
    """A policy's success before pictures that are moved by so many pixels.

    Args:
        policy: of :func:`labs.experiments.policies.load_policy`, one that gets images.
        distance: in pixels.
        episodes: those of the final evaluation, from the first.
        env: an environment to use instead of a new one; stays open.

    Returns:
        The summary of :class:`labs.experiments.evaluate.Episodes`.
    """
    drawn = offsets(distance, episodes)
    return run_episodes(
        policy,
        policy.config,
        final_seeds(episodes),
        images=lambda number: mover(drawn[number]),
        env=env,
    ).summary()


def moved_pictures(
    arms: tuple[str, ...] = ARMS, episodes: int = EPISODES, progress: bool = True
) -> Artifact:
    """Plays every policy of the arms that has weights: artifact ``moved-pictures``.

    Raises:
        UserError: none of the arms has a policy here, or one that has none any more was played over
            other episodes or distances.
    """

    def play(policy) -> dict[str, Any]:
        env = make_one(policy.config)
        moved = {str(d): play_moved(policy, d, episodes, env) for d in DISTANCES}
        env.close()
        return {"moved": moved}

    clock, parameters = Clock(), {"distances": list(DISTANCES), "episodes": episodes}
    rows = play_all("moved-pictures", arms, play, parameters, progress)
    return write_measurement(
        "moved-pictures",
        {"policies": rows},
        parameters=parameters,
        gl=gl_renderer(),
        clock=clock,
    )
