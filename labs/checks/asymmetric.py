"""Checks of :mod:`labs.asymmetric`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from labs.asymmetric import PRIVILEGED, AsymmetricPolicy, PrivilegedObservation
from labs.checks.asserting import raises
from labs.envs import PROPRIO_INDICES, make_env
from labs.fast_networks import StandardizedExtractor
from labs.locator import LocatedObservation, Locator
from labs.pixel_wrapper import PixelObservationWrapper


def _env() -> PrivilegedObservation:
    env = make_env("push", camera="workspace", scene="lean", image_size=84, goal_sphere=False)
    joints = PROPRIO_INDICES["push"]
    env = PixelObservationWrapper(env, goal_mode="desired", frame_stack=3, proprio_indices=joints)
    return PrivilegedObservation(LocatedObservation(env, Locator(4)))


def _policy(space: spaces.Dict, **kwargs: Any) -> AsymmetricPolicy:
    torch.manual_seed(0)
    return AsymmetricPolicy(
        space,
        spaces.Box(-1, 1, (4,), np.float32),
        lambda _: 1e-3,
        net_arch=[32],
        features_extractor_class=StandardizedExtractor,
        **kwargs,
    )


def _as_batch(obs: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {key: torch.as_tensor(value, dtype=torch.float32)[None] for key, value in obs.items()}


def check_the_state_is_added_as_it_is():
    """The wrapper adds the simulator's state at reset and at every step"""
    env = _env()
    obs, _ = env.reset(seed=0)
    for _ in range(3):
        raw = env.unwrapped._get_obs()["observation"]
        assert np.array_equal(obs[PRIVILEGED], raw) and obs[PRIVILEGED].shape == (25,)
        assert env.observation_space.contains(obs), "outside of its space"
        obs, *_ = env.step(np.array([1, 0.5, -0.2, 0], np.float32))
    env.close()


def check_a_goal_that_only_the_picture_shows_is_told():
    """Reach from the image alone: the critic is told gripper and goal"""
    env = make_env("reach", camera="workspace", scene="lean", image_size=36)
    env = PrivilegedObservation(PixelObservationWrapper(env, (36, 36), goal_mode="none"))
    obs, _ = env.reset(seed=0)
    raw = env.unwrapped._get_obs()
    env.close()
    assert set(obs) == {"pixels", PRIVILEGED}
    assert np.array_equal(obs[PRIVILEGED], [*raw["observation"], *raw["desired_goal"]])


def check_no_more_is_told_than_hindsight_reads():
    """Asked for the achieved goal alone, the wrapper adds the block's place and nothing else"""
    env = make_env("push", camera="workspace", scene="lean", image_size=36)
    pixels = PixelObservationWrapper(env, (36, 36), goal_mode="desired")
    env = PrivilegedObservation(pixels, keys=("achieved_goal",))
    obs, _ = env.reset(seed=0)
    for _ in range(3):
        assert obs[PRIVILEGED].shape == (3,) and env.observation_space.contains(obs)
        assert np.array_equal(obs[PRIVILEGED], env.unwrapped._get_obs()["achieved_goal"])
        obs, *_ = env.step(np.array([1, 0.5, -0.2, 0], np.float32))
    env.close()


def check_a_blurred_critic_is_told_a_place_that_is_off():
    """Blurred by 0.02 m, the place is off by as much, anew at each step, as the seed has it"""
    env = make_env("push", camera="workspace", scene="lean", image_size=36)
    pixels = PixelObservationWrapper(env, (36, 36), goal_mode="desired")
    env = PrivilegedObservation(pixels, keys=("achieved_goal",), blur=0.02)
    off = []
    for _ in range(2):
        obs, _ = env.reset(seed=0)
        for _ in range(40):
            off.append(obs[PRIVILEGED] - env.unwrapped._get_obs()["achieved_goal"])
            obs, *_ = env.step(np.zeros(4, np.float32))
    env.close()
    first, second = np.split(np.array(off), 2)
    assert np.array_equal(first, second), "the same seed blurs in another way"
    assert len(np.unique(first)) == first.size, "one error serves twice"
    resets = np.random.default_rng(0).normal(0, 0.02, 3)
    assert not np.allclose(first[0], resets), "the reset's own numbers, which placed the block"
    assert 0.015 < first.std() < 0.025 and np.abs(first.mean(axis=0)).max() < 0.012


def check_widths_of_the_table():
    """Actor and critics read as many numbers as the table says"""
    policy = _policy(_env().observation_space)
    assert policy.actor.features_extractor.features_dim == 25
    assert policy.critic.features_extractor.features_dim == 38


def check_a_shared_extractor_is_refused():
    """One extractor for both would leave the critics what the actor reads"""
    space = _env().observation_space
    raises(ValueError, lambda: _policy(space, share_features_extractor=True), "different keys")


def check_the_actor_never_sees_the_state():
    """Another state changes no action; another reading changes no value"""
    env = _env()
    policy = _policy(env.observation_space)
    obs = _as_batch(env.reset(seed=0)[0])
    told = obs | {PRIVILEGED: obs[PRIVILEGED] + 1}
    seen = obs | {"located": obs["located"] + 1}
    env.close()
    action = torch.zeros(1, 4)
    with torch.no_grad():
        acts = [policy.actor(o, deterministic=True) for o in (obs, told, seen)]
        values = [torch.cat(policy.critic(o, action)) for o in (obs, told, seen)]
    assert torch.equal(acts[0], acts[1]), "the actor reads the state"
    assert torch.equal(values[0], values[2]), "the critic reads what the camera showed"
    assert not torch.equal(acts[0], acts[2]) and not torch.equal(values[0], values[1])


def check_a_finished_actor_needs_no_state():
    """The actor's weights fit a policy that was never given a privileged key"""
    env = _env()
    trained, honest = env.observation_space, env.env.observation_space
    env.close()
    first, second = _policy(trained), _policy(honest)
    second.actor.load_state_dict(first.actor.state_dict())
    assert PRIVILEGED not in second.observation_space.spaces
    assert "located" in second.actor.features_extractor.keys
