"""What the first picture alone is good for: artifact ``frozen-pictures``.

Some policies push now and then before a picture that never changes. One explanation needs no leak:
the first picture still shows where the block began, and joints and goal stay live, so a short push
succeeds before the block is somewhere else. Then success falls with the distance that the block has
to go, and a black picture, which shows no beginning, helps at no distance. And who fails before it?
Perhaps a policy that looks for its own gripper: then it needs a picture in which only the block
stands still.

Every policy of :data:`ARMS` plays the episodes of its final evaluation with real, frozen and black
pictures, and with live ones that show the block where it began. The episodes are sorted by the
distance from block to goal at their start.

``pixels measure frozen-pictures`` plays every policy whose weights lie in ``data/``, and keeps what
it found before with others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import gl_renderer
from labs.experiments.environments import make_one
from labs.experiments.evaluate import final_seeds, run_episodes
from labs.measurements.block_paths import EDGES, TOUCHED, BlockPath, by_distance, what_the_block_did
from labs.measurements.play import play_all
from labs.pixel_wrapper import render_and_resize

#: Sight and control by a told critic at once, or after a locator; both by imitation, without random
#: shifts and with them.
ARMS = (
    "push-asymmetric-keypoint-long",
    "push-asymmetric",
    "push-distilled",
    "push-distilled-drq",
)
KINDS = ("real", "frozen", "still block", "blank")  # of pictures
EPISODES = 100


def still_block(env: gym.Env) -> Callable[[int, np.ndarray], np.ndarray]:
    """What stands between camera and policy: everything moves, but the block is where it began.

    Args:
        env: an environment of Push with one camera; drawing moves the block in no physics.

    Returns:
        (step, uint8 (k · 3, H, W)) → the same stack of k frames, the block drawn at its start.
    """
    model, data = env.unwrapped.model, env.unwrapped.data
    body = model.body("object0").id
    geoms, sites = (np.flatnonzero(of == body) for of in (model.geom_bodyid, model.site_bodyid))
    drawn = [  # what the renderer reads
        *((data.geom_xpos, geoms), (data.geom_xmat, geoms)),
        *((data.site_xpos, sites), (data.site_xmat, sites)),
    ]
    began: list[np.ndarray] = []
    shown = np.empty(0, np.uint8)

    def put(places: list[np.ndarray]) -> None:
        for (of_all, mine), place in zip(drawn, places, strict=True):
            of_all[mine] = place

    def redrawn(step: int, pixels: np.ndarray) -> np.ndarray:
        nonlocal shown
        now = [of_all[mine].copy() for of_all, mine in drawn]
        if step == 0:
            began[:], shown = now, pixels
            return shown
        put(began)
        frame = render_and_resize(env, pixels.shape[1:])
        put(now)
        shown = np.concatenate([shown[len(frame) :], frame])
        return shown

    return redrawn


def play_kinds(policy, episodes: int = EPISODES) -> dict[str, Any]:
    """A policy before each of :data:`KINDS` of pictures, over the same episodes.

    Args:
        policy: of :func:`labs.experiments.policies.load_policy`, one that gets images.
        episodes: those of the final evaluation, from the first.

    Returns:
        For each of :data:`KINDS` the summary of :class:`labs.experiments.evaluate.Episodes`,
        ``by_distance``, and what :func:`what_the_block_did` says of the episodes in these bins.
    """
    found = {}
    for kind in KINDS:
        env = BlockPath(make_one(policy.config))
        between = {
            "real": {},
            "still block": {"images": lambda number, env=env: still_block(env)},
        }.get(kind, {"control": kind})
        seeds = final_seeds(episodes)
        played = run_episodes(policy, policy.config, seeds, env=env, **between)
        env.close()
        paths = np.array(env.paths)
        distance = np.linalg.norm(paths[:, 0] - paths[:, 2], axis=1)
        found[kind] = (
            played.summary()
            | {"by_distance": by_distance(played.success, distance)}
            | what_the_block_did(paths[distance >= EDGES[0]])
        )
    return found


def frozen_pictures(
    arms: tuple[str, ...] = ARMS, episodes: int = EPISODES, progress: bool = True
) -> Artifact:
    """Plays every policy of the arms that has weights: artifact ``frozen-pictures``.

    Raises:
        UserError: none of the arms has a policy here, or one that has none any more was played by
            other rules.
    """
    clock, parameters = Clock(), {"episodes": episodes, "kinds": list(KINDS)}
    parameters |= {"edges_m": list(EDGES[:-1]), "touched_m": TOUCHED}
    rows = play_all(
        "frozen-pictures", arms, lambda policy: play_kinds(policy, episodes), parameters, progress
    )
    return write_measurement(
        "frozen-pictures", {"policies": rows}, parameters=parameters, gl=gl_renderer(), clock=clock
    )
