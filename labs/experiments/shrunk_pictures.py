"""How well policies act on frames that were drawn large and shrunk: artifact ``shrunk-pictures``.

Every policy of :data:`ARMS` has trained on frames drawn at its own size. Here it plays the episodes
of its final evaluation twice: on such frames, and on the stock environment's 480 × 480 made small
by Pillow's bilinear filter, which smooths every edge. Physics, goals and actions are the same.

``pixels measure shrunk-pictures`` needs the weights of at least one of the arms.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import gl_renderer
from labs.errors import UserError
from labs.experiments.environments import make_one
from labs.experiments.evaluate import Episodes, final_seeds, run_episodes
from labs.experiments.guards import refuse_to_lose
from labs.experiments.moved_pictures import played
from labs.experiments.policies import folders_with_weights, load_policy

#: An encoder that learned by imitation, a locator before two kinds of policies, an encoder that
#: learned by the reward of Reach.
ARMS = ("push-distilled", "push-told", "push-asymmetric", "reach-small-annealed")
EPISODES = 100


def play_both(policy, episodes: int = EPISODES) -> dict[str, Any]:
    """A policy on frames of its own size and on shrunk ones, over the same episodes.

    Args:
        policy: of :func:`labs.experiments.policies.load_policy`, trained on native frames.
        episodes: those of the final evaluation, from the first.

    Returns:
        ``native`` and ``shrunk`` (summaries of :class:`labs.experiments.evaluate.Episodes`), and
        ``lost`` and ``won``: episodes that succeed on one kind of frame and not on the other.
    """
    found: dict[str, Episodes] = {}
    for name, native in (("native", True), ("shrunk", False)):
        env = make_one(replace(policy.config, native_render=native))
        found[name] = run_episodes(policy, policy.config, final_seeds(episodes), env=env)
        env.close()
    native, shrunk = found["native"].success, found["shrunk"].success
    return {name: episodes.summary() for name, episodes in found.items()} | {
        "lost": int(np.sum(native & ~shrunk)),
        "won": int(np.sum(shrunk & ~native)),
    }


def shrunk_pictures(
    arms: tuple[str, ...] = ARMS, episodes: int = EPISODES, progress: bool = True
) -> Artifact:
    """Plays every policy of the arms that has weights: artifact ``shrunk-pictures``.

    Raises:
        UserError: none of the arms has a policy here, or one that was played has none any more.
    """
    there = folders_with_weights(arms)
    if not there:
        raise UserError(f"no policy to play: pixels train {arms[0]} --seeds 0")
    names = [f"{folder.parent.name}/{folder.name}" for folder in there]
    refuse_to_lose("shrunk-pictures", played, names)
    clock, rows = Clock(), []
    for folder in tqdm(there, desc="shrunk", disable=not progress):
        seed = int(folder.name.removeprefix("seed"))
        rows.append(
            {"arm": folder.parent.name, "seed": seed} | play_both(load_policy(folder), episodes)
        )
    return write_measurement(
        "shrunk-pictures",
        {"policies": rows},
        parameters={"episodes": episodes},
        gl=gl_renderer(),
        clock=clock,
    )
