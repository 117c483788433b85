"""How well policies act on frames that were drawn large and shrunk: artifact ``shrunk-pictures``.

Every policy of :data:`ARMS` has trained on frames drawn at its own size. Here it plays the episodes
of its final evaluation twice: on such frames, and on frames that are drawn at 480 × 480, the stock
environment's size, and made small by Pillow's bilinear filter, which smooths every edge. Scene,
camera, physics and goals are the same.

A film shows the first episodes that the first arm loses by it.

``pixels measure shrunk-pictures`` needs the weights of at least one of the arms.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import gl_renderer
from labs.experiments.environments import make_one
from labs.experiments.evaluate import Episodes, final_seeds, run_episodes
from labs.experiments.policies import load_policy, play_all
from labs.experiments.video import side_by_side, write_video

#: An encoder that learned by imitation, without random shifts and with them; a locator before two
#: kinds of policies; an encoder that learned by the reward of Reach.
ARMS = (
    "push-distilled",
    "push-distilled-drq",
    "push-told",
    "push-asymmetric",
    "reach-small-annealed",
)
EPISODES = 100
KINDS = {"native": True, "shrunk": False}  # of frames: whether they are drawn at their own size
FILMED, SIDE = 3, 192  # episodes of the film, and pixels of each of its four pictures


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
        UserError: none of the arms has a policy here, or one that was played has none any more.
    """
    clock = Clock()
    rows = play_all("shrunk-pictures", arms, lambda policy: play_both(policy, episodes), progress)
    with tempfile.TemporaryDirectory() as scratch:
        film = Path(scratch) / "video.mp4"
        lost = rows[0]["lost"][:FILMED]
        if lost:
            policy = load_policy(f"{rows[0]['arm']}/seed{rows[0]['seed']}")
            write_video(film, film_of(policy, lost))
        return write_measurement(
            "shrunk-pictures",
            {"policies": rows},
            parameters={"episodes": episodes, "filmed": lost},
            extra_files={film.name: film} if lost else None,
            gl=gl_renderer(),
            clock=clock,
        )
