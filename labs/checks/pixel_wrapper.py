"""Checks of ``labs.pixel_wrapper``: frames, stacks, spaces and the from-scratch replay memory."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from itertools import product

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from stable_baselines3.common.vec_env import DummyVecEnv

from labs.checks.asserting import raises
from labs.checks.counter_env import EPISODE, CounterEnv, action_of, values
from labs.envs import PROPRIO_INDICES, make_env
from labs.errors import UserError
from labs.pixel_wrapper import (
    PixelObservationWrapper,
    PixelReplayBuffer,
    memory_needed,
    render_and_resize,
    transition_bytes,
)

# ------------------------------------------------------------------------------------- one frame


def check_native_frame_is_not_resized():
    """A frame drawn at the right size arrives unchanged, channels first"""
    env = make_env("reach", image_size=(60, 84), scene="lean")
    env.reset(seed=0)
    frame = render_and_resize(env, (60, 84))
    assert frame.shape == (3, 60, 84), f"shape {frame.shape}, expected (3, 60, 84)"
    assert frame.dtype == np.uint8
    assert (frame == env.render().transpose(2, 0, 1)).all()
    env.close()


def check_resize_against_second_implementation():
    """A resized frame equals PyTorch's antialiased bilinear filter within one gray level"""
    env = make_env("push", image_size=(160, 240), scene="lean")
    env.reset(seed=0)
    frame = torch.from_numpy(env.render().transpose(2, 0, 1).copy())[None].float()
    for size in ((84, 84), (60, 84), (97, 41)):
        ours = render_and_resize(env, size)
        assert ours.shape == (3, *size), f"shape {ours.shape}, expected {(3, *size)}"
        theirs = F.interpolate(frame, size, mode="bilinear", antialias=True)[0].numpy()
        gap = np.abs(ours - theirs).max()
        assert gap <= 1.01, f"size {size}: differs by {gap:.2f} gray levels"
    env.close()


def check_frame_owns_its_memory():
    """A frame is kept when the environment draws the next one into the same array"""
    env = CounterEnv()
    env.reset(seed=0)
    frame = render_and_resize(env, (8, 10))
    assert frame.flags.owndata and frame.flags.c_contiguous
    env.step(action_of(env))
    env.render()
    assert (frame == 0).all(), "the next frame was written over the kept one"


def check_render_mode_is_asked_for():
    """Without render_mode="rgb_array" the error says so"""
    env = make_env("reach", render_mode=None)
    env.reset(seed=0)
    for call in (lambda: render_and_resize(env), lambda: PixelObservationWrapper(env)):
        raises(ValueError, call, "rgb_array", "None")


# ----------------------------------------------------------------------------------- the wrapper


def check_stack_order_and_episode_starts():
    """A stack holds the last frames, newest last, and never one of the episode before"""
    env = PixelObservationWrapper(CounterEnv(), (8, 10), frame_stack=4)
    for episode in range(2):
        start = 10 * episode
        obs, _ = env.reset(seed=0 if episode == 0 else None)
        assert values(obs) == [start] * 4, f"after reset the stack holds {values(obs)}"
        for t in range(1, EPISODE + 1):
            obs, _, _, truncated, _ = env.step(action_of(env))
            expected = [start + max(t - k, 0) for k in (3, 2, 1, 0)]
            assert values(obs) == expected, f"step {t}: {values(obs)}, expected {expected}"
        assert truncated


def check_resized_stack_order():
    """The order holds where frames are resized, and pixels keep height before width"""
    env = PixelObservationWrapper(CounterEnv(size=(16, 30)), (8, 10), frame_stack=3)
    env.reset(seed=0)
    env.step(action_of(env))
    obs = env.step(action_of(env))[0]
    assert obs["pixels"].shape == (9, 8, 10), f"shape {obs['pixels'].shape}, expected (9, 8, 10)"
    assert values(obs) == [0, 1, 2]


def check_one_render_per_step():
    """Each reset and each step draws exactly one frame"""
    env = PixelObservationWrapper(CounterEnv(), (8, 10), frame_stack=4)
    env.reset(seed=0)
    assert env.unwrapped.renders == 1, f"reset drew {env.unwrapped.renders} frames"
    for _ in range(5):
        env.step(action_of(env))
    assert env.unwrapped.renders == 6, f"5 steps drew {env.unwrapped.renders - 1} frames"


def check_observations_are_not_shared():
    """An observation that is kept does not change, and changing it changes nothing else"""
    env = PixelObservationWrapper(CounterEnv(), (8, 10), "both", 1, [0, 1])
    obs, _ = env.reset(seed=0)
    env.step(action_of(env))
    assert values(obs) == [0]
    obs = env.step(action_of(env))[0]
    raw = {key: value.copy() for key, value in env.last_raw_obs.items()}
    for value in obs.values():
        value[:] = 7
    assert all((raw[key] == env.last_raw_obs[key]).all() for key in raw), "last_raw_obs changed"
    assert values(env.step(action_of(env))[0]) == [3]


def check_spaces_are_exact():
    """Keys, shapes, dtypes and ranges are those of the space, for every mode and stack"""
    raw = make_env("push", image_size=84, scene="lean")
    goals = {"none": set(), "desired": {"desired_goal"}, "both": {"achieved_goal", "desired_goal"}}
    indices = PROPRIO_INDICES["push"]
    for mode, stack, proprio in product(goals, (1, 4), (None, indices)):
        env = PixelObservationWrapper(raw, (84, 84), mode, stack, proprio)
        keys = {"pixels"} | goals[mode] | ({"proprioception"} if proprio else set())
        space = env.observation_space
        assert set(space.spaces) == keys, f"{mode}: keys {set(space.spaces)}, expected {keys}"
        pixels = space["pixels"]
        assert (pixels.shape, pixels.dtype) == ((3 * stack, 84, 84), np.uint8)
        assert (pixels.low == 0).all() and (pixels.high == 255).all()
        if proprio:
            assert space["proprioception"].shape == (10,)
        for obs in (env.reset(seed=1)[0], env.step(action_of(env))[0]):
            assert set(obs) == keys
            for key in keys:
                assert obs[key].shape == space[key].shape and obs[key].dtype == space[key].dtype
            assert obs in space
    assert PixelObservationWrapper(raw).observation_space.spaces.keys() == {"pixels"}
    raw.close()


def check_vectors_come_from_the_last_raw_observation():
    """Goals and proprioception are the raw observation's own, never stacked"""
    indices = PROPRIO_INDICES["push"]
    raw = make_env("push", image_size=84, scene="lean")
    env = PixelObservationWrapper(raw, (84, 84), "both", 4, indices)
    assert env.last_raw_obs is None
    obs, _ = env.reset(seed=3)
    for _ in range(3):
        last = env.last_raw_obs
        assert set(last) == {"observation", "achieved_goal", "desired_goal"}
        assert (obs["proprioception"] == last["observation"][indices]).all()
        assert (obs["achieved_goal"] == last["achieved_goal"]).all()
        assert (obs["desired_goal"] == last["desired_goal"]).all()
        assert (obs["achieved_goal"] == last["observation"][3:6]).all(), "Push: the object"
        obs = env.step(env.action_space.sample())[0]
    env.close()


def _quietly_check(check: Callable[[gym.Env], None], env: gym.Env) -> None:
    """Runs an environment checker. Warnings fail it, but for two: about wrappers and unboundedness.

    Both are true of every wrapped environment and of every Fetch observation.
    """
    harmless = ("different from the unwrapped version", "value is infinity", "value is -infinity")
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        check(env)
    serious = [str(w.message) for w in caught if not any(h in str(w.message) for h in harmless)]
    assert not serious, f"{check.__module__}: {serious}"


def check_checkers_of_gymnasium_and_sb3():
    """Gymnasium's and Stable-Baselines3's check_env accept the wrapped environments"""
    for task in ("reach", "push"):
        env = make_env(task, image_size=84, scene="lean")
        env = PixelObservationWrapper(env, (84, 84), "both", 4, PROPRIO_INDICES[task])
        _quietly_check(
            lambda e: gymnasium_check_env(e, skip_render_check=True, skip_close_check=True), env
        )
        _quietly_check(sb3_check_env, env)
        env.close()
    for mode in ("none", "desired"):  # no achieved_goal: SB3 takes it for an ordinary environment
        env = PixelObservationWrapper(CounterEnv((40, 48)), (40, 48), mode, 4, [0, 2])
        _quietly_check(
            lambda e: gymnasium_check_env(e, skip_render_check=True, skip_close_check=True), env
        )
        _quietly_check(sb3_check_env, env)


def check_seed_reproduces_pixels():
    """The same seed and actions give the same pixels and vectors, bit for bit"""

    def rollout() -> list[dict[str, np.ndarray]]:
        env = make_env("push", image_size=84, camera="workspace", scene="lean")
        env = PixelObservationWrapper(env, (84, 84), "both", 4, PROPRIO_INDICES["push"])
        rng = np.random.default_rng(0)
        trace = [env.reset(seed=11)[0]]
        trace += [env.step(rng.uniform(-1, 1, 4).astype(np.float32))[0] for _ in range(8)]
        trace += [env.reset()[0]]
        env.close()
        return trace

    first, second = rollout(), rollout()
    for t, (a, b) in enumerate(zip(first, second, strict=True)):
        for key in a:
            assert (a[key] == b[key]).all(), f"{key} differs at step {t}"
    moved = [(a["pixels"] != first[0]["pixels"]).any() for a in first[1:]]
    assert all(moved), "the picture stands still"


def check_compute_reward_reaches_through_vec_env():
    """compute_reward answers through VecEnv.env_method, for batches, and gives the step's reward"""
    for task in ("reach", "push"):
        for mode in ("none", "both"):
            vec = DummyVecEnv(
                [
                    lambda task=task, mode=mode: PixelObservationWrapper(
                        make_env(task, image_size=84, scene="lean"), goal_mode=mode
                    )
                ]
            )
            vec.reset()
            _, rewards, _, _ = vec.step(np.zeros((1, 4), np.float32))
            raw = vec.get_attr("last_raw_obs")[0]
            achieved = np.stack([raw["achieved_goal"], raw["desired_goal"]])
            desired = np.stack([raw["desired_goal"], raw["desired_goal"]])
            (batch,) = vec.env_method("compute_reward", achieved, desired, [{}, {}], indices=[0])
            assert batch.shape == (2,), f"shape {batch.shape}, expected (2,)"
            assert np.float32(batch[0]) == rewards[0] and batch[1] == 0
            vec.close()


def check_wrapper_names_bad_arguments():
    """Unknown goal mode, empty stack, wrong proprioception index or size: the error names it"""

    def wrap(**kwargs):
        return lambda: PixelObservationWrapper(CounterEnv(), **kwargs)

    raises(ValueError, wrap(goal_mode="all"), "goal_mode", "'all'", "'desired'")
    raises(ValueError, wrap(frame_stack=0), "frame_stack", "0")
    raises(ValueError, wrap(frame_stack=1.5), "frame_stack", "1.5")
    raises(ValueError, wrap(proprio_indices=[0, 5]), "[5]", "5 entries")
    raises(ValueError, wrap(proprio_indices=[-1]), "[-1]", "out of range")
    raises(ValueError, wrap(proprio_indices=[2, 0, 2]), "[2]", "more than once")
    raises(ValueError, wrap(proprio_indices=[]), "proprio_indices")
    raises(ValueError, wrap(proprio_indices=[0.5]), "proprio_indices")
    for size in ((84,), (0, 84), (84.0, 84), 84, "84"):
        raises(ValueError, wrap(image_size=size), "image_size", "(height, width)")
    plain = gym.make("CartPole-v1", render_mode="rgb_array")
    raises(ValueError, lambda: PixelObservationWrapper(plain), "observation", "Box")
    raises(gym.error.ResetNeeded, lambda: wrap()().step(np.zeros(2)), "reset")


# ----------------------------------------------------------------------------- the replay memory


def check_memory_figures():
    """A transition costs 169,344 B, 500 K cost 84.7 GB; with frames once 21,591 B and 10.8 GB"""
    assert transition_bytes() == 169_344
    assert memory_needed(500_000) == 84_672_000_000
    assert memory_needed(500_000, dtype=np.float32) == 4 * 84_672_000_000
    assert int(transition_bytes(storage="frames_once")) == 21_591
    assert round(memory_needed(500_000, storage="frames_once") / 1e9, 1) == 10.8
    assert transition_bytes((60, 80), 2) == 2 * 2 * 60 * 80 * 3
    raises(ValueError, lambda: transition_bytes(storage="ram"), "storage", "'ram'")
    raises(ValueError, lambda: memory_needed(0), "capacity", "0")


def check_buffer_stores_bytes():
    """The buffer takes one byte per pixel, and as much as the arithmetic says"""
    buffer = PixelReplayBuffer((12, 84, 84), 3, 4, capacity=100)
    vectors = 100 * 4 * (3 + 3 + 4 + 1 + 1)
    expected = memory_needed(100) + vectors
    assert buffer.nbytes == expected, f"{buffer.nbytes:,} B, expected {expected:,} B"


def _numbered(i: int) -> dict[str, object]:
    """Transition i: every part of it tells i."""
    return {
        "obs_pixels": np.full((3, 6, 5), i % 256, np.uint8),
        "next_pixels": np.full((3, 6, 5), (i + 1) % 256, np.uint8),
        "achieved": np.full(3, i),
        "goal": np.full(3, -i),
        "action": np.full(2, i / 100),
        "reward": -i,
        "done": i % 2 == 1,
    }


def check_buffer_keeps_transitions_together():
    """A sample holds whole transitions, in float32, pixels in [0, 1], only the newest ones"""
    buffer = PixelReplayBuffer((3, 6, 5), 3, 2, capacity=20, seed=0)
    for i in range(50):
        buffer.add(**_numbered(i))
        assert len(buffer) == min(i + 1, 20)
    batch = buffer.sample(400)
    shapes = {"pixels": (3, 6, 5), "next_pixels": (3, 6, 5), "achieved_goal": (3,)}
    shapes |= {"desired_goal": (3,), "actions": (2,), "rewards": (1,), "dones": (1,)}
    assert set(batch) == set(shapes)
    for key, shape in shapes.items():
        assert batch[key].shape == (400, *shape) and batch[key].dtype == torch.float32, key
    number = -batch["rewards"][:, 0]
    assert set(number.int().tolist()) == set(range(30, 50)), "not the 20 newest transitions"
    assert torch.equal(batch["pixels"].amax((1, 2, 3)), number / 255)
    assert torch.equal(batch["pixels"].amin((1, 2, 3)), number / 255)
    assert torch.equal(batch["next_pixels"].amax((1, 2, 3)), (number + 1) / 255)
    assert torch.equal(batch["achieved_goal"], number[:, None].expand(-1, 3))
    assert torch.equal(batch["desired_goal"], -number[:, None].expand(-1, 3))
    assert torch.allclose(batch["actions"], number[:, None] / 100)
    assert torch.equal(batch["dones"][:, 0], number % 2)


def check_buffer_copies():
    """What was added does not change when the caller's array does"""
    buffer = PixelReplayBuffer((3, 6, 5), 3, 2, capacity=4, seed=0)
    item = _numbered(3)
    buffer.add(**item)
    for value in item.values():
        if isinstance(value, np.ndarray):
            value[:] = 0
    batch = buffer.sample(1)
    assert batch["pixels"].max() == 3 / 255 and batch["desired_goal"].min() == -3
    batch["pixels"].zero_()
    assert buffer.sample(1)["pixels"].max() == 3 / 255, "a sample shares memory with the buffer"


def check_buffer_names_bad_input():
    """Empty buffer, wrong shape, wrong dtype, channels last: the error names both sides"""

    def buffer():
        return PixelReplayBuffer((3, 6, 5), 3, 2, capacity=4)

    def add(**changes):
        return lambda: buffer().add(**{**_numbered(1), **changes})

    raises(ValueError, lambda: buffer().sample(2), "empty")
    full = buffer()
    full.add(**_numbered(1))
    raises(ValueError, lambda: full.sample(0), "batch_size", "0")
    floats = np.zeros((3, 6, 5), np.float32)
    raises(TypeError, add(obs_pixels=floats), "obs_pixels", "float32", "uint8")
    raises(TypeError, add(next_pixels=floats), "next_pixels", "float32", "uint8")
    last = np.zeros((6, 5, 3), np.uint8)
    parts = ["(6, 5, 3)", "(3, 6, 5)", "transpose"]
    raises(ValueError, add(obs_pixels=last), "obs_pixels", *parts)
    raises(ValueError, add(goal=np.zeros(2)), "goal", "(2,)", "(3,)")
    raises(ValueError, add(achieved=np.zeros((1, 3))), "achieved", "(1, 3)", "(3,)")
    raises(ValueError, add(action=np.zeros(4)), "action", "(4,)", "(2,)")
    raises(ValueError, add(reward=np.zeros(1)), "reward", "(1,)", "number")
    raises(ValueError, lambda: PixelReplayBuffer((84, 84), 3, 4, 9), "img_shape", "(84, 84)")
    raises(ValueError, lambda: PixelReplayBuffer((3, 84, 84), 3, 4, 0), "capacity", "0")


def check_buffer_refuses_what_does_not_fit():
    """A buffer larger than the memory is refused with both figures and a way out"""
    parts = ["1693.9", "GB", "available", "frame"]
    raises(UserError, lambda: PixelReplayBuffer((12, 84, 84), 3, 4, 10_000_000), *parts)
