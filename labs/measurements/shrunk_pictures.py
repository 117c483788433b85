"""How well policies act on frames that were drawn large and shrunk: artifact ``shrunk-pictures``.

Every policy of :data:`ARMS` has trained on frames drawn at its own size. Here it plays the episodes
of its final evaluation twice: on such frames, and on frames that are drawn at 480 × 480, the stock
environment's size, and made small by Pillow's bilinear filter, which smooths every edge. Scene,
camera, physics and goals are the same.

A film shows the first episodes that the first policy loses by it.

``pixels measure shrunk-pictures`` plays every policy whose weights lie in ``data/``, and keeps what
it found before with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import gl_renderer
from labs.experiments.environments import make_one
from labs.experiments.evaluate import Episodes, final_seeds, run_episodes
from labs.experiments.video import side_by_side
from labs.measurements.play import film_of_lost, play_all

#: An encoder that learned by imitation, without random shifts and with them; the same encoder,
#: judged by a critic that is told the state, or the achieved goal; a locator before two kinds of
#: policies; an encoder that learned by the reward of Reach.
ARMS = (
    "push-distilled",
    "push-distilled-drq",
    "push-asymmetric-keypoint-long",
    "push-asymmetric-achieved",
    "push-told",
    "push-asymmetric",
    "reach-small-annealed",
)
EPISODES = 100
KINDS = {"native": True, "shrunk": False}  # of frames: whether they are drawn at their own size
SIDE = 192  # pixels of each of the film's four pictures


def play_both(policy, episodes: int = EPISODES) -> dict[str, Any]:
    """A policy on frames of its own size and on shrunk ones, over the same episodes.

    Args:
        policy: of :func:`labs.experiments.policies.load_policy`, trained on native frames.
        episodes: those of the final evaluation, from the first.

    Returns:
        ``native`` and ``shrunk`` (summaries of :class:`labs.experiments.evaluate.Episodes`), and
        ``lost`` and ``won``: seeds that succeed on one kind of frame and not on the other.
    """
    found: dict[str, Episodes] = {}
    seeds = np.array(final_seeds(episodes))
    for kind, native in KINDS.items():
        env = make_one(replace(policy.config, native_render=native))
        found[kind] = run_episodes(policy, policy.config, seeds, env=env)
        env.close()
    native, shrunk = (found[kind].success for kind in KINDS)
    return {kind: episodes.summary() for kind, episodes in found.items()} | {
        "lost": seeds[native & ~shrunk].tolist(),
        "won": seeds[shrunk & ~native].tolist(),
    }


def film_of(policy, seeds: Sequence[int]) -> list[np.ndarray]:
    """Episodes on native frames, left, and on shrunk ones, right; below, what the policy sees."""
    row = [(replace(policy.config, native_render=native), None) for native in KINDS.values()]
    return side_by_side(policy, [row] * len(seeds), seeds, SIDE)


def shrunk_pictures(
    arms: tuple[str, ...] = ARMS, episodes: int = EPISODES, progress: bool = True
) -> Artifact:
    """Plays every policy of the arms that has weights: artifact ``shrunk-pictures``.

    Raises:
        UserError: none of the arms has a policy here, or one that has none any more was played over
            other episodes.
    """
    clock, parameters = Clock(), {"episodes": episodes}
    rows = play_all(
        "shrunk-pictures", arms, lambda policy: play_both(policy, episodes), parameters, progress
    )
    lost, film = film_of_lost("shrunk-pictures", rows, film_of)
    return write_measurement(
        "shrunk-pictures",
        {"policies": rows},
        parameters=parameters | {"filmed": lost},
        extra_files=film,
        gl=gl_renderer(),
        clock=clock,
    )
