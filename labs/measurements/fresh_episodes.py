"""Whether the hundred episodes that all runs are scored on flatter: artifact ``fresh-episodes``.

Every run of a task ends with the same hundred episodes, so that arms can be compared on equal
ground. An interval over seeds then knows nothing of other episodes: a hundred easy ones would
raise every seed alike. Here policies play a thousand that none of them was trained, measured or
chosen on. Episodes are sorted by the way that the block has to go, those that are lost by what
became of it.

``pixels measure fresh-episodes`` plays every policy whose weights lie in ``data/``, and keeps what
it found before with others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import gl_renderer
from labs.experiments.environments import make_one
from labs.experiments.evaluate import run_episodes
from labs.measurements.block_paths import EDGES, TOUCHED, BlockPath, by_distance
from labs.measurements.play import play_all

#: The controls first: the full state, and no image. Then pixels by imitation; by reward, with a
#: locator that rewards taught, where somebody set the block down and where nobody did; last,
#: through the environment's own camera.
ARMS = (
    "push-state-tuned",
    "push-blind-tuned",
    "push-distilled",
    "push-located-rewards-n3",
    "push-located-rewards-seeking",
    "push-located-played-n3",
    "push-located-rewards-far-seeking",
)
EPISODES, SEED = 1000, 7_000_000  # apart from the seeds of training, curves, evaluation and films


def how_lost(paths: np.ndarray) -> dict[str, int]:
    """What became of blocks that did not arrive.

    Args:
        paths: float (n, 3, 3), meters: start, end and goal of each.

    Returns:
        How many stayed ``untouched``; of the others, how many ended ``nearer`` to the goal than
        they began, and how many ``farther``.
    """
    start, end, goal = paths.swapaxes(0, 1)
    moved = np.linalg.norm(end - start, axis=1) > TOUCHED
    nearer = np.linalg.norm(end - goal, axis=1) < np.linalg.norm(start - goal, axis=1)
    return {
        "untouched": int((~moved).sum()),
        "nearer": int((moved & nearer).sum()),
        "farther": int((moved & ~nearer).sum()),
    }


def play_fresh(policy, episodes: int = EPISODES) -> dict[str, Any]:
    """A policy of Push on episodes of its own.

    Args:
        policy: of :func:`labs.experiments.policies.load_policy`.
        episodes: how many.

    Returns:
        The summary of :class:`labs.experiments.evaluate.Episodes`, ``by_distance``, and ``lost``
        (of :func:`how_lost`).
    """
    env = BlockPath(make_one(policy.config))
    played = run_episodes(policy, policy.config, range(SEED, SEED + episodes), env=env)
    env.close()
    paths = np.array(env.paths)
    distance = np.linalg.norm(paths[:, 0] - paths[:, 2], axis=1)
    return played.summary() | {
        "by_distance": by_distance(played.success, distance),
        "lost": how_lost(paths[~played.success]),
    }


def fresh_episodes(
    arms: tuple[str, ...] = ARMS, episodes: int = EPISODES, progress: bool = True
) -> Artifact:
    """Plays every policy of the arms that has weights: artifact ``fresh-episodes``.

    Raises:
        UserError: none of the arms has a policy here, or one that has none any more was played over
            other episodes.
    """
    clock, parameters = Clock(), {"episodes": episodes, "first_seed": SEED}
    parameters |= {"edges_m": list(EDGES[:-1]), "touched_m": TOUCHED}
    rows = play_all(
        "fresh-episodes", arms, lambda policy: play_fresh(policy, episodes), parameters, progress
    )
    return write_measurement(
        "fresh-episodes", {"policies": rows}, parameters=parameters, gl=gl_renderer(), clock=clock
    )
