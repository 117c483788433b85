"""Checks of :mod:`labs.trilateration`."""

from __future__ import annotations

import numpy as np

from labs.checks.asserting import raises
from labs.trilateration import trilaterate


def _measured(episodes: int = 50, n: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Walks of a gripper, one goal each, and the distances that rewards tell."""
    rng = np.random.default_rng(0)
    places = [1.3, 0.75, 0.5] + np.cumsum(rng.uniform(-0.05, 0.05, (episodes, n, 3)), axis=1)
    goals = [1.3, 0.75, 0.5] + rng.uniform(-0.15, 0.15, (episodes, 3))
    return places, goals, np.linalg.norm(places - goals[:, None], axis=-1)


def check_distances_tell_the_goal():
    """Five places and their distances tell a goal to a hundredth of a millimeter"""
    places, goals, distances = _measured()
    found = trilaterate(places, distances)
    assert found.shape == goals.shape and found.dtype == np.float64
    assert np.abs(found - goals).max() < 1e-5, np.abs(found - goals).max()


def check_one_goal_at_a_time_is_the_same():
    """A row alone gives what it gives among others"""
    places, _, distances = _measured(3)
    together = trilaterate(places, distances)
    assert np.allclose(together[1], trilaterate(places[1], distances[1]), atol=1e-12)


def check_rewards_of_other_moments_tell_nothing():
    """The control: the same rewards in another order put the goal somewhere else"""
    places, goals, distances = _measured()
    off = np.linalg.norm(trilaterate(places, distances[:, ::-1]) - goals, axis=-1)
    assert np.median(off) > 0.1, f"median {1000 * np.median(off):.0f} mm"


def check_an_error_of_the_reward_is_not_hidden():
    """Rewards that are a millimeter off move the goal by several"""
    places, goals, distances = _measured()
    noise = np.random.default_rng(1).normal(0, 1e-3, distances.shape)
    off = np.linalg.norm(trilaterate(places, distances + noise) - goals, axis=-1)
    assert 2e-3 < np.median(off) < 0.1, f"median {1000 * np.median(off):.1f} mm"


def check_what_cannot_be_solved_is_refused():
    """Three places, places in a plane, and shapes that do not fit are refused"""
    places, _, distances = _measured(2)
    raises(ValueError, lambda: trilaterate(places[:, :3], distances[:, :3]), "needs 4")
    flat = places.copy()
    flat[1, :, 2] = 0.5
    raises(ValueError, lambda: trilaterate(flat, distances), "in a plane")
    raises(ValueError, lambda: trilaterate(places, distances[:, :4]), "expected")
