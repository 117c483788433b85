"""Checks of :mod:`labs.simulated_eye`."""

from __future__ import annotations

import numpy as np

from labs.checks.asserting import raises
from labs.envs import PROPRIO_INDICES, make_env
from labs.experiments.environments import VectorObservation
from labs.simulated_eye import LENGTH, ErrorField, SimulatedEye

SPREAD = 0.0175  # m
MIDDLE = np.array([1.34, 0.75, 0.42])  # m, of the table's top


def _env(error: float = SPREAD, kind: str = "drawn", seed: int = 0) -> SimulatedEye:
    env = VectorObservation(make_env("push"), "desired", list(PROPRIO_INDICES["push"]))
    return SimulatedEye(env, error, kind, seed=seed)


def _errors(env: SimulatedEye, seed: int, steps: int = 40) -> np.ndarray:
    """How far each reading of an episode is off, (steps, 3), while nothing moves the block."""
    obs, _ = env.reset(seed=seed)
    off = []
    for _ in range(steps):
        off.append(obs["located"] - env.unwrapped._get_obs()["achieved_goal"])
        obs, *_ = env.step(np.zeros(4, np.float32))
    return np.array(off)


def _on_the_table(n: int) -> np.ndarray:
    return MIDDLE + np.random.default_rng(0).uniform(-0.15, 0.15, (n, 3)) * [1, 1, 0]


def check_the_reading_is_added_and_nothing_else():
    """Joints, goal and reading: (10,), (3,), (3,), and no achieved goal"""
    env = _env()
    obs, _ = env.reset(seed=0)
    shapes = {name: value.shape for name, value in obs.items()}
    assert env.observation_space.contains(obs), "outside of its space"
    env.close()
    assert shapes == {"proprioception": (10,), "desired_goal": (3,), "located": (3,)}, shapes


def check_no_error_is_the_place_itself():
    """Without an error the reading is the block's center, of either kind"""
    for kind in ("drawn", "fixed"):
        env = _env(0.0, kind)
        assert not _errors(env, seed=0, steps=3).any()
        env.close()


def check_a_drawn_error_is_another_at_each_step():
    """Drawn anew, errors of a block that lies still differ, by the spread; the seed repeats them"""
    env = _env()
    first, again, other = (_errors(env, seed) for seed in (0, 0, 1))
    env.close()
    assert np.array_equal(first, again), "the same seed errs in another way"
    assert not np.allclose(first, other), "another episode errs in the same way"
    assert len(np.unique(first)) == first.size, "one error serves twice"
    assert 0.8 * SPREAD < first.std() < 1.2 * SPREAD, first.std()
    of_the_reset = np.random.default_rng(0).normal(0, SPREAD, 3)
    assert not np.allclose(first[0], of_the_reset), "the numbers by which the reset places things"


def check_a_fixed_error_belongs_to_the_place():
    """Fixed, errors of a block that lies still are alike; another place errs in another way"""
    env = _env(kind="fixed")
    first, other = _errors(env, seed=0), _errors(env, seed=1)
    env.close()
    assert np.abs(first - first[-1]).max() < 1e-3, "it is shaken"
    assert np.abs(first[-1] - other[-1]).max() > 1e-3, "all places err alike"


def check_the_field_has_its_spread():
    """Over many seeds the fixed error has mean 0 and the standard deviation that was asked for"""
    places = _on_the_table(20)
    errors = np.array([[ErrorField(SPREAD, seed)(p) for p in places] for seed in range(60)])
    assert abs(errors.mean()) < 0.15 * SPREAD, errors.mean()
    assert 0.9 * SPREAD < errors.std() < 1.1 * SPREAD, errors.std()
    assert not np.array_equal(errors[0], errors[1]), "every seed is the same function"


def check_the_field_is_smooth():
    """A tenth of the length away the error is nearly the same; ten lengths away it is another"""
    near, far = [], []
    for seed in range(60):
        field = ErrorField(SPREAD, seed)
        here = field(MIDDLE)
        near.append(field(MIDDLE + [0.1 * LENGTH, 0, 0]) - here)
        far.append(field(MIDDLE + [10 * LENGTH, 0, 0]) - here)
    assert np.std(near) < 0.2 * SPREAD, np.std(near)
    assert np.std(far) > SPREAD, np.std(far)


def check_looks_are_kept_oldest_first():
    """Three looks are kept; the first of an episode fills the others, and none survives a reset"""
    vectors = VectorObservation(make_env("push"), "desired", None)
    env = SimulatedEye(vectors, SPREAD, looks=3)
    for _ in range(2):
        obs, _ = env.reset(seed=0)
        looks = [obs["located"][-3:]] * 3
        for _ in range(4):
            assert np.array_equal(obs["located"], np.concatenate(looks[-3:]))
            obs, *_ = env.step(np.zeros(4, np.float32))
            looks.append(obs["located"][-3:])
    assert env.observation_space.contains(obs), "outside of its space"
    env.close()


def check_bad_arguments_are_refused():
    """An unknown kind and a negative error are named"""
    for arguments in ((0.01, "shaken"), (-0.01, "drawn")):
        raises(ValueError, lambda bad=arguments: _env(*bad), "received", "expected")
