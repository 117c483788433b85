"""The pixel wrapper and its replay memory under random shapes, and inside Stable-Baselines3."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv
from stable_baselines3.her import HerReplayBuffer

from labs.checks.counter_env import EPISODE, CounterEnv, action_of, values
from labs.envs import PROPRIO_INDICES, make_env
from labs.errors import UserError
from labs.pixel_wrapper import (
    PixelObservationWrapper,
    PixelReplayBuffer,
    memory_needed,
    render_and_resize,
    require_memory,
    transition_bytes,
)

sizes = st.integers(1, 33)


@settings(max_examples=60, deadline=None)
@given(
    drawn=st.tuples(sizes, sizes),
    asked=st.tuples(sizes, sizes),
    stack=st.integers(1, 6),
    mode=st.sampled_from(["none", "desired", "both"]),
    indices=st.none() | st.lists(st.integers(0, 4), min_size=1, unique=True),
)
def test_every_observation_is_in_the_space(drawn, asked, stack, mode, indices):
    env = PixelObservationWrapper(CounterEnv(drawn), asked, mode, stack, indices)
    obs = [env.reset(seed=0)[0]] + [env.step(action_of(env))[0] for _ in range(3)]
    for t, one in enumerate(obs):
        assert one in env.observation_space
        assert one["pixels"].shape == (3 * stack, *asked) and one["pixels"].dtype == np.uint8
        assert values(one) == [max(t - k, 0) for k in reversed(range(stack))]
        if indices is not None:
            assert one["proprioception"].tolist() == [100 * t + i for i in indices]


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 12), sizes, sizes),
    goal_dim=st.integers(1, 4),
    act_dim=st.integers(1, 5),
    capacity=st.integers(1, 9),
    added=st.integers(1, 20),
    batch=st.integers(1, 7),
)
def test_buffer_shapes(shape, goal_dim, act_dim, capacity, added, batch):
    rng = np.random.default_rng(0)
    buffer = PixelReplayBuffer(shape, goal_dim, act_dim, capacity, seed=0)
    stored = rng.integers(0, 256, (added, *shape), dtype=np.uint8)
    goal = np.zeros(goal_dim)
    for i, image in enumerate(stored):
        buffer.add(image, image, goal, goal, np.zeros(act_dim), i, False)
    assert len(buffer) == min(added, capacity)
    sample = buffer.sample(batch)
    assert sample["pixels"].shape == (batch, *shape)
    assert sample["desired_goal"].shape == (batch, goal_dim)
    assert sample["actions"].shape == (batch, act_dim)
    which = sample["rewards"][:, 0].int().numpy()
    assert (which >= added - capacity).all()
    # 8-bit values come back exactly from [0, 1].
    assert (np.rint(sample["next_pixels"].numpy() * 255) == stored[which]).all()


@pytest.mark.parametrize("size", [(84, 84), (61, 84)])
def test_resize_is_pil_bilinear(size):
    env = make_env("push", scene="lean")
    env.reset(seed=0)
    frame = Image.fromarray(env.render()).resize(size[::-1], Image.Resampling.BILINEAR)
    assert (render_and_resize(env, size) == np.asarray(frame).transpose(2, 0, 1)).all()
    env.close()


def test_native_frame_is_not_touched_by_pil(monkeypatch):
    def refuse(*_):
        raise AssertionError("the fast path resized")

    env = CounterEnv()
    env.reset(seed=0)
    monkeypatch.setattr("labs.pixel_wrapper.Image.fromarray", refuse)
    render_and_resize(env, (8, 10))


def test_a_float_frame_is_refused():
    class FloatFrames(CounterEnv):
        def render(self):
            return super().render() / 255

    env = FloatFrames()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"float64 \(8, 10, 3\), expected uint8"):
        render_and_resize(env, (8, 10))


def test_vec_env_keeps_the_last_stack_and_starts_anew():
    vec = DummyVecEnv([lambda: PixelObservationWrapper(CounterEnv(), (8, 10), frame_stack=3)])
    vec.seed(0)
    vec.reset()
    for _ in range(EPISODE):
        obs, _, done, infos = vec.step(np.zeros((1, 2)))
    assert done[0]
    assert values(infos[0]["terminal_observation"]) == [EPISODE - 2, EPISODE - 1, EPISODE]
    assert values({"pixels": obs["pixels"][0]}) == [10, 10, 10]


def test_wrapper_tells_its_arguments():
    env = gym.make("FetchReachDense-v4", render_mode="rgb_array", width=84, height=84)
    env = PixelObservationWrapper(env, frame_stack=2, goal_mode="desired")
    wrapper = env.spec.additional_wrappers[-1]
    assert wrapper.kwargs["frame_stack"] == 2 and wrapper.kwargs["goal_mode"] == "desired"
    env.close()


def _wrapped_push() -> PixelObservationWrapper:
    env = make_env("push", image_size=40, scene="lean", max_episode_steps=6)
    return PixelObservationWrapper(env, (40, 40), "both", 2, PROPRIO_INDICES["push"])


@pytest.mark.slow
def test_processes_and_one_process_see_the_same():
    one, many = DummyVecEnv([_wrapped_push]), SubprocVecEnv([_wrapped_push], start_method="spawn")
    try:
        one.seed(3), many.seed(3)
        expected, got = one.reset(), many.reset()
        for _ in range(3):
            for key in expected:
                assert (expected[key] == got[key]).all(), key
            action = np.full((1, 4), 0.5, np.float32)
            expected, got = one.step(action)[0], many.step(action)[0]
        goals = np.zeros((2, 3)), np.ones((2, 3))
        (rewards,) = many.env_method("compute_reward", *goals, [{}, {}], indices=[0])
        assert rewards.tolist() == [-1, -1]
    finally:
        one.close(), many.close()


def test_sb3_sac_with_her_trains_on_the_wrapper():
    model = SAC(
        "MultiInputPolicy",
        DummyVecEnv([_wrapped_push]),
        replay_buffer_class=HerReplayBuffer,
        buffer_size=100,
        learning_starts=12,
        batch_size=8,
        policy_kwargs={"net_arch": [16], "features_extractor_kwargs": {"cnn_output_dim": 8}},
        seed=0,
        device="cpu",
    )
    model.learn(18)
    assert model.replay_buffer.observations["pixels"].dtype == np.uint8
    observations = model.replay_buffer.sample(5).observations
    assert observations["pixels"].shape == (5, 6, 40, 40)
    # Vectors stay float64 in the memory and become float32 before any network.
    seen = model.policy.critic.extract_features(observations, model.critic.features_extractor)
    assert seen.dtype == torch.float32 and torch.isfinite(seen).all()
    model.get_env().close()


def test_memory_needed_is_what_numpy_allocates():
    shape = (12, 20, 30)
    buffer = PixelReplayBuffer(shape, 3, 4, 7)
    pixels = buffer._pixels.nbytes + buffer._next_pixels.nbytes
    assert memory_needed(7, (20, 30), 4) == pixels
    episodes = np.zeros((10, 51, 20, 30, 3), np.uint8)
    assert memory_needed(500, (20, 30), storage="frames_once") == episodes.nbytes
    assert transition_bytes((20, 30), 4, "float32") == 8 * np.prod(shape)


def test_an_empty_buffer_commits_no_memory():
    process = psutil.Process()
    before = process.memory_info().rss
    buffer = PixelReplayBuffer((12, 84, 84), 3, 4, 5_000)
    assert buffer.nbytes > 0.8e9
    assert process.memory_info().rss - before < 0.2e9


def test_memory_refusal_names_figures_and_remedy(monkeypatch):
    class Little:
        available = 16e9

    monkeypatch.setattr("psutil.virtual_memory", Little)
    told = r"needs 84\.7 GB, 16\.0 GB are available: use at most 18\.8 %"
    with pytest.raises(UserError, match=told):
        require_memory(memory_needed(500_000))
    require_memory(memory_needed(500_000, storage="frames_once"))


def test_buffer_sampling_is_seeded():
    def draw(seed):
        buffer = PixelReplayBuffer((3, 4, 4), 3, 2, 50, seed=seed)
        for i in range(50):
            image = np.zeros((3, 4, 4), np.uint8)
            buffer.add(image, image, np.zeros(3), np.zeros(3), np.zeros(2), i, False)
        return buffer.sample(20)["rewards"]

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))
