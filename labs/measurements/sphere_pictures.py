"""What policies do about the goal sphere in their picture: artifact ``sphere-pictures``.

A policy of Push gets its goal as a vector, and most arms draw no sphere. Here each policy plays the
episodes of its final evaluation three times: the sphere hidden, the sphere at the goal, and the
sphere elsewhere, at the goal of another episode. In the last case picture and vector disagree, as
they do in a replay memory after hindsight relabeling (HER, Andrychowicz et al. 2017, arXiv
1707.01495): the frames still show the goal that the episode had. Where does the block go?

A film shows the first episodes that the first policy that trained with the sphere loses when it is
elsewhere.

``pixels measure sphere-pictures`` plays every policy of :data:`ARMS` whose weights lie in
``data/``, and keeps what it found before with others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import DISTANCE_THRESHOLD, gl_renderer, make_env
from labs.experiments.environments import make_one
from labs.experiments.evaluate import final_seeds, run_episodes
from labs.experiments.position_errors import mean_interval
from labs.experiments.video import side_by_side
from labs.measurements.play import film_of_lost, play_all
from labs.measurements.tasks import proportion

#: Trained without the sphere: imitation without shifts and with them, a locator before two kinds of
#: policies. Trained with it, at the goal: imitation.
ARMS = (
    "push-distilled",
    "push-distilled-drq",
    "push-told",
    "push-asymmetric",
    "push-distilled-sphere",
)
KINDS = ("hidden", "shown", "elsewhere")
EPISODES = 100
SIDE = 192  # pixels of each of the film's four pictures
APART = 2 * DISTANCE_THRESHOLD  # meters: a block is at the goal, at the sphere, or at neither


def goals_of(seeds: Sequence[int], task: str = "push") -> np.ndarray:
    """The goals of episodes with these seeds: float (n, 3), meters."""
    env = make_env(task, render_mode=None)
    goals = np.array([env.reset(seed=int(seed))[0]["desired_goal"] for seed in seeds])
    env.close()
    return goals


def other_places(goals: np.ndarray) -> np.ndarray:
    """For each goal the next one, in a circle, that is at least :data:`APART` away.

    Args:
        goals: float (n, 3), meters.

    Returns:
        float (n, 3), each row a row of ``goals``.

    Raises:
        ValueError: some goal has no other one so far away.
    """
    distances = np.linalg.norm(goals[:, None] - goals[None], axis=-1)
    places = np.empty_like(goals)
    for row, distance in enumerate(distances):
        following = np.roll(np.arange(len(goals)), -row - 1)
        far = following[distance[following] >= APART]
        if not len(far):
            raise ValueError(f"goals: no other goal is {APART} m away from goal {row}")
        places[row] = goals[far[0]]
    return places


class SphereAt(gym.Wrapper):
    """Draws the sphere where it is told to, and remembers where each episode left the block.

    Args:
        env: an environment of ``make_one``.
        places: seed of an episode → where its sphere is, (3,) meters; none: at the goal.

    Attributes:
        ends: seed of an episode → the achieved goal at its last step, (3,) meters.
    """

    def __init__(self, env: gym.Env, places: Mapping[int, np.ndarray] | None = None):
        super().__init__(env)
        self._places = places or {}
        self._seed: int | None = None
        self.ends: dict[int | None, np.ndarray] = {}

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        self._seed = seed
        self.set_wrapper_attr("sphere", self._places.get(seed))
        return self.env.reset(seed=seed, options=options)

    def step(self, action):
        *rest, info = self.env.step(action)
        self.ends[self._seed] = info["achieved_goal"]
        return *rest, info


def toward(ends: np.ndarray, goals: np.ndarray, places: np.ndarray) -> dict[str, Any]:
    """Where blocks ended, on the way from the goal of their episode to another place.

    Args:
        ends: float (n, 3), meters: the blocks.
        goals: float (n, 3): of the episodes.
        places: float (n, 3): the other places.

    Returns:
        ``pull``: the mean way from goal toward place in millimeters, with its interval;
        ``at_place``: how often the block counts as having arrived there.
    """
    way = places - goals
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    arrived = np.linalg.norm(ends - places, axis=1) < DISTANCE_THRESHOLD
    return {
        "pull": mean_interval(1000 * ((ends - goals) * way).sum(axis=1)),
        "at_place": proportion(int(arrived.sum()), len(ends)),
    }


def play_spheres(policy, episodes: int = EPISODES) -> dict[str, Any]:
    """A policy with the sphere hidden, at the goal, and elsewhere, over the same episodes.

    Args:
        policy: of :func:`labs.experiments.policies.load_policy`, one that gets images.
        episodes: those of the final evaluation, from the first.

    Returns:
        For each of :data:`KINDS` the summary of :class:`labs.experiments.evaluate.Episodes` and
        what :func:`toward` gives. The other place is the same in all three: where nothing is
        drawn there, the numbers are what chance does. ``trained``: ``hidden`` or ``shown``.
        ``lost`` and ``won``: seeds that succeed with the sphere at the goal and not with it
        elsewhere, and the other way around.
    """
    seeds = np.array(final_seeds(episodes))
    goals = goals_of(seeds, policy.config.task)
    places = other_places(goals)
    success, found = {}, {}
    for kind in KINDS:
        drawn = replace(policy.config, goal_sphere=kind != "hidden")
        elsewhere = dict(zip(seeds.tolist(), places, strict=True)) if kind == "elsewhere" else None
        env = SphereAt(make_one(drawn), elsewhere)
        played = run_episodes(policy, drawn, seeds, env=env)
        env.close()
        ends = np.array([env.ends[seed] for seed in seeds.tolist()])
        success[kind] = played.success
        found[kind] = played.summary() | toward(ends, goals, places)
    return found | {
        "trained": "hidden" if policy.config.goal_sphere is False else "shown",
        "lost": seeds[success["shown"] & ~success["elsewhere"]].tolist(),
        "won": seeds[success["elsewhere"] & ~success["shown"]].tolist(),
    }


def film_of(policy, seeds: Sequence[int], episodes: int = EPISODES) -> list[np.ndarray]:
    """Some of the episodes with the sphere at the goal, left, and elsewhere, right; below, what the
    policy sees."""
    every = list(final_seeds(episodes))
    places = dict(zip(every, other_places(goals_of(every, policy.config.task)), strict=True))
    shown = replace(policy.config, goal_sphere=True)
    rows = [[(shown, None), (shown, places[seed])] for seed in seeds]
    return side_by_side(policy, rows, seeds, SIDE)


def sphere_pictures(
    arms: tuple[str, ...] = ARMS, episodes: int = EPISODES, progress: bool = True
) -> Artifact:
    """Plays every policy of the arms that has weights: artifact ``sphere-pictures``.

    Raises:
        UserError: none of the arms has a policy here, or one that has none any more was played over
            other episodes.
    """
    clock, parameters = Clock(), {"episodes": episodes, "apart": APART}
    rows = play_all(
        "sphere-pictures", arms, lambda policy: play_spheres(policy, episodes), parameters, progress
    )
    misled = [row for row in rows if row["trained"] == "shown"]
    filmed, film = film_of_lost(
        "sphere-pictures", misled, lambda policy, lost: film_of(policy, lost, episodes)
    )
    return write_measurement(
        "sphere-pictures",
        {"policies": rows},
        parameters=parameters | {"filmed": filmed},
        extra_files=film,
        gl=gl_renderer(),
        clock=clock,
    )
