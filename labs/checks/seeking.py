"""Checks of :mod:`labs.seeking`."""

from __future__ import annotations

import numpy as np

from labs.checks.asserting import raises
from labs.envs import PROPRIO_INDICES, make_env
from labs.seeking import Seeking

EPISODES = 12


def touched(share: float) -> float:
    """Share of episodes in which random play moves the block by a centimeter."""
    env, rng, seeking = make_env("push", render_mode=None), np.random.default_rng(0), Seeking(share)
    env.action_space.seed(0)
    moved = 0
    for episode in range(EPISODES):
        raw, _ = env.reset(seed=episode)
        start = raw["achieved_goal"]
        for _ in range(50):
            joints = raw["observation"][PROPRIO_INDICES["push"]]
            seen = {"achieved_goal": raw["achieved_goal"], "proprioception": joints}
            raw, *_ = env.step(seeking(seen, env.action_space.sample(), rng))
        moved += np.linalg.norm(raw["achieved_goal"] - start) > 0.01
    env.close()
    return moved / EPISODES


def check_the_pull_leads_to_the_block():
    """Random play that is pulled moves the block in most episodes, unpulled play seldom"""
    assert touched(0.7) > 0.8
    assert touched(0.0) < 0.5


def check_a_share_of_the_actions_is_bent():
    """As many actions as the share says go for the block, none leaves its bounds"""
    rng, seeking = np.random.default_rng(1), Seeking(0.3)
    seen = {"achieved_goal": np.array([1.4, 0.8, 0.42]), "proprioception": np.full(10, 1.0)}
    bent = 0
    for _ in range(2000):
        action = rng.uniform(-1, 1, 4)
        given = action.copy()
        found = seeking(seen, action, rng)
        assert np.array_equal(action, given), "the given action was changed"
        assert np.abs(found).max() <= 1 and found[3] == action[3], "the grip is not the pull's"
        bent += not np.array_equal(found, action)
    assert 0.27 < bent / 2000 < 0.33


def check_at_the_block_only_the_shake_is_left():
    """Where the hand is at the block, half of the random action is what is done"""
    place = np.array([1.4, 0.8, 0.42])
    seen = {"achieved_goal": place, "proprioception": np.concatenate([place, np.zeros(7)])}
    action = np.array([0.4, -1.0, 0.2, 0.6])
    found = Seeking(1.0)(seen, action, np.random.default_rng(0))
    assert np.allclose(found, [0.2, -0.5, 0.1, 0.6])


def check_behind_an_eye_the_newest_look_counts():
    """An eye's newest look, at the height of the goal, is where the hand goes"""
    eye = {"located": np.array([1.1, 0.6, 1.4, 0.8]), "desired_goal": np.array([1.2, 0.7, 0.42])}
    told = {"achieved_goal": np.array([1.4, 0.8, 0.42])}
    joints = {"proprioception": np.array([1.38, 0.79, 0.41, *np.zeros(7)])}
    action = np.array([0.3, 0.1, -0.2, 0.5])
    ways = [
        Seeking(1.0, looks)(seen | joints, action, np.random.default_rng(0))
        for seen, looks in ((eye, 2), (told, 1))
    ]
    assert np.allclose(*ways) and not np.allclose(ways[0], action)


def check_no_share_is_refused():
    """A share outside of 0 to 1: ValueError"""
    raises(ValueError, lambda: Seeking(1.5), "1.5", "0 to 1")
