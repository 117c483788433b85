"""Checks of ``labs.replay``: frames stored once, hindsight goals, exact rewards."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from labs.checks.asserting import raises
from labs.envs import make_env
from labs.pixel_wrapper import PixelObservationWrapper
from labs.replay import EpisodeReplay, episode_options

LENGTH = 6


def _make() -> PixelObservationWrapper:
    env = make_env("push", scene="lean", image_size=16, max_episode_steps=LENGTH)
    return PixelObservationWrapper(env, (16, 16), goal_mode="both", frame_stack=4)


@cache
def _played(holds: int = 3) -> tuple[EpisodeReplay, list[tuple[dict, dict, np.ndarray, float]]]:
    """Three real episodes of Push, and each transition as the environment gave it.

    The memory ``holds`` the last ones.
    """
    env, size = DummyVecEnv([_make]), holds * LENGTH
    replay = EpisodeReplay(
        size, env.observation_space, env.action_space, "cpu", seed=0, **episode_options(env)
    )
    env.seed(3)
    env.action_space.seed(3)
    rows, obs = [], env.reset()
    for _ in range(3 * LENGTH):
        action = np.array([env.action_space.sample()])
        after, reward, done, infos = env.step(action)
        shown = {k: v[None] for k, v in infos[0]["terminal_observation"].items()} if done else after
        replay.add(obs, shown, action, reward, done, infos)
        rows.append((obs, shown, action[0], float(reward[0])))
        obs = after
    env.close()
    return replay, rows


def _assert_same(batch, i: int, row: tuple[dict, dict, np.ndarray, float]) -> None:
    """Both observations of a batch's transition ``i`` are those that were played."""
    for got, played in ((batch.observations, row[0]), (batch.next_observations, row[1])):
        for key, value in played.items():
            expected = torch.as_tensor(value[0]).to(got[key].dtype)
            assert torch.equal(got[key][i], expected), f"{key} of transition {i} differs"


def check_stacks():
    """Stacks of real frames come back bit by bit, at episode starts and ends too"""
    replay, rows = _played()
    batch = replay._get_samples(np.arange(len(rows)))
    for i, row in enumerate(rows):
        _assert_same(batch, i, row)


def check_a_full_memory():
    """What overwrote the oldest episode comes back with its own frames, and nothing older does"""
    replay, rows = _played(holds=2)
    batch = replay._get_samples(np.arange(2 * LENGTH))
    kept = {tuple(row[2].round(6)): row for row in rows[LENGTH:]}
    for i, action in enumerate(batch.actions.numpy()):
        _assert_same(batch, i, kept.pop(tuple(action.round(6))))
    assert not kept, "some of the last transitions are gone"


def check_bytes():
    """A transition of four 84 × 84 frames costs at most 21.8 KB"""
    space = spaces.Dict(
        pixels=spaces.Box(0, 255, (12, 84, 84), np.uint8),
        proprioception=spaces.Box(-np.inf, np.inf, (10,)),
        achieved_goal=spaces.Box(-np.inf, np.inf, (3,)),
        desired_goal=spaces.Box(-np.inf, np.inf, (3,)),
    )
    replay = EpisodeReplay(500, space, spaces.Box(-1, 1, (4,)), "cpu")
    held = sum(t.numel() * t.element_size() for t in replay.memory.values()) / 500
    assert held == replay.bytes_per_transition and held <= 21_800, f"{held:.0f} bytes"


def check_share():
    """A share 1 - 1/(k + 1) of the batch is relabeled, with goals of the same or a later step"""
    replay, _ = _played()
    _, step, goal = replay.draw(1000)
    virtual = goal >= 0
    assert int(virtual.sum()) == 800, f"{int(virtual.sum())} of 1000 relabeled, expected 800"
    assert (goal[virtual] > step[virtual]).all() and int(goal.max()) == LENGTH


def check_rewards():
    """Every sampled reward is what the environment computes from the sampled goals"""
    replay, _ = _played()
    batch = replay.sample(500)
    env = make_env("push", render_mode=None)
    expected = env.unwrapped.compute_reward(
        batch.next_observations["achieved_goal"].double().numpy(),
        batch.observations["desired_goal"].double().numpy(),
        {},
    )
    env.close()
    assert np.array_equal(batch.rewards[:, 0].numpy(), expected)
    assert len(np.unique(expected)) == 2, "expected successes and failures among the samples"


def check_real_samples():
    """Without relabeling, actions, goals and rewards are those that were played"""
    replay, rows = _played()
    batch = replay._get_samples(np.arange(len(rows)))
    for i, (_, _, action, reward) in enumerate(rows):
        assert np.array_equal(batch.actions[i].numpy(), action)
        assert batch.rewards[i].item() == reward
    assert not batch.dones.any(), "a time limit is no end of the task"


def check_steps_ahead():
    """Three steps ahead, the frames are those of then, and the rewards on the way are summed"""
    one, rows = _played()
    three = EpisodeReplay(
        3 * LENGTH,
        one.observation_space,
        one.action_space,
        "cpu",
        episode_length=LENGTH,
        n_sampled_goal=4,
        n_steps=3,
        gamma=0.9,
    )
    for slot in range(3):
        three.add_episode({key: value[slot] for key, value in one.memory.items()})
    batch = three._get_samples(np.arange(len(rows)))
    for i, (obs, *_) in enumerate(rows):
        last = min(i % LENGTH + 3, LENGTH) - i % LENGTH + i - 1  # no step crosses the episode's end
        _, after, _, _ = rows[last]
        for key, value in after.items():
            got = batch.next_observations[key][i]
            assert torch.equal(got, torch.as_tensor(value[0]).to(got.dtype)), f"{key} of {i}"
            got = batch.observations[key][i]
            assert torch.equal(got, torch.as_tensor(obs[key][0]).to(got.dtype)), f"{key} of {i}"
        paid = sum(0.9**k * row[3] for k, row in enumerate(rows[i : last + 1]))
        assert abs(batch.rewards[i].item() - paid) < 1e-6, f"transition {i}"
        assert abs(batch.discounts[i].item() - 0.9 ** (last + 1 - i)) < 1e-6, f"transition {i}"
    assert one._get_samples(np.arange(2)).discounts is None


def check_refusals():
    """Episodes of another length and terminated episodes are refused"""
    space = spaces.Dict(observation=spaces.Box(-1, 1, (2,)))
    options = {"episode_length": 3, "n_sampled_goal": 0}
    row = ({"observation": np.zeros((1, 2))},) * 2 + (np.zeros((1, 4)), np.zeros(1))
    for steps, done, info, words in (
        (2, True, {}, "expected exactly 3"),
        (4, False, {}, "longer than 3"),
        (3, True, {"TimeLimit.truncated": False}, "the task terminated"),
    ):
        replay = EpisodeReplay(9, space, spaces.Box(-1, 1, (4,)), "cpu", **options)
        raises(RuntimeError, lambda replay=replay: replay.sample(1), "no finished episode")

        def play(replay=replay, steps=steps, done=done, info=info):
            for t in range(steps):
                replay.add(*row, np.array([done and t + 1 == steps]), [info])

        raises(ValueError, play, words)
