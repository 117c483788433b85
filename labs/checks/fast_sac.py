"""Checks of ``labs.fast_sac``: equal to its references, one encoder pass, files that hold."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import DictReplayBufferSamples
from stable_baselines3.common.vec_env import DummyVecEnv

from labs.drqv2_sac import DrQv2SAC
from labs.envs import make_env
from labs.fast_networks import StandardizedExtractor
from labs.fast_sac import FastSAC
from labs.fast_update import step_with
from labs.replay import EpisodeReplay

GOALS = {k: spaces.Box(-np.inf, np.inf, (3,)) for k in ("achieved_goal", "desired_goal")}
STATE = spaces.Dict({**GOALS, "observation": spaces.Box(-np.inf, np.inf, (25,))})
PIXELS = spaces.Dict({**GOALS, "pixels": spaces.Box(0, 255, (6, 36, 36), np.uint8)})
BATCH = 16


class _Spaces(gym.Env):
    """An environment that is only asked for its spaces."""

    def __init__(self, space: spaces.Dict):
        self.observation_space, self.action_space = space, spaces.Box(-1, 1, (4,), np.float32)


class _Batches:
    """Hands the same random batches to every algorithm that asks."""

    def __init__(self, space: spaces.Dict):
        self.space, self.count = space, 0

    def sample(self, batch_size: int, env: object = None) -> DictReplayBufferSamples:
        generator = torch.Generator().manual_seed(self.count)
        self.count += 1

        def draw() -> dict[str, torch.Tensor]:
            return {
                key: torch.randint(0, 256, (BATCH, *p.shape), generator=generator).byte()
                if p.dtype == np.uint8
                else torch.randn(BATCH, *p.shape, generator=generator)
                for key, p in self.space.spaces.items()
            }

        actions = torch.rand(BATCH, 4, generator=generator) * 2 - 1
        rewards = -torch.rand(BATCH, 1, generator=generator).round()
        return DictReplayBufferSamples(draw(), actions, draw(), torch.zeros(BATCH, 1), rewards)


def _model(algorithm: type, space: spaces.Dict, policy: str) -> Any:
    # eps far above rounding noise: Adam would otherwise turn the noise of a zero gradient into
    # steps of full size.
    model = algorithm(
        policy,
        _Spaces(space),
        buffer_size=100,
        learning_rate=1e-4,
        policy_kwargs={"net_arch": [32, 32], "optimizer_kwargs": {"eps": 1e-5}},
        seed=0,
        device="cpu",
    )
    model.set_logger(Logger(None, []))
    model.replay_buffer = _Batches(space)
    return model


def _check_equal(reference: type, space: spaces.Dict, policy: str) -> None:
    stock, fast = _model(reference, space, policy), _model(FastSAC, space, policy)
    fast.policy.load_state_dict(stock.policy.state_dict())
    before = [p.detach().clone() for p in fast.policy.parameters()]
    for step in range(10):
        for model in (stock, fast):
            torch.manual_seed(step)
            model.train(1, BATCH)
        pairs = zip(stock.policy.parameters(), fast.policy.parameters(), strict=True)
        worst = max(float((a - b).detach().abs().max()) for a, b in pairs)
        assert worst < 1e-5, f"weights differ by {worst:.1e} after update {step + 1}"
    after = fast.policy.parameters()
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def check_equals_sb3():
    """Ten updates on state vectors equal SB3's SAC to 1e-5"""
    _check_equal(SAC, STATE, "MultiInputPolicy")


def check_equals_reference_routing():
    """Ten updates on pixels equal DrQv2SAC, the readable reference, to 1e-5"""
    _check_equal(DrQv2SAC, PIXELS, "DrQv2SACPolicy")


def check_layout_of_gradients():
    """A fused step pairs each weight with its own gradient, however both lie in memory"""
    shape = (4, 3, 3, 3)
    generator = torch.Generator().manual_seed(0)
    weight, gradient = (torch.randn(shape, generator=generator) for _ in range(2))
    ours, plain = (torch.nn.Parameter(weight.clone()) for _ in range(2))
    turned = gradient.to(memory_format=torch.channels_last)
    step_with(torch.optim.Adam([ours], fused=True), [ours], (turned,))
    plain.grad = gradient
    torch.optim.Adam([plain], fused=False).step()
    worst = float((ours - plain).detach().abs().max())
    assert worst < 1e-6, f"weights differ by {worst:.1e} after a step"


def check_encoder_passes():
    """One update encodes a batch once with gradient, and twice without"""
    model = _model(FastSAC, PIXELS, "DrQv2SACPolicy")
    passes: list[bool] = []
    for encoder in (model.critic.features_extractor, model.critic_target.features_extractor):
        encoder.register_forward_hook(lambda *_: passes.append(torch.is_grad_enabled()))
    model.train(1, BATCH)
    assert sorted(passes) == [False, False, True], f"{len(passes)} passes: {passes}"


def check_losses_stay_on_the_device():
    """Updates read no loss back: they are summed until the log is written"""
    model = _model(FastSAC, STATE, "MultiInputPolicy")
    original = torch.Tensor.item

    def forbidden(self):
        raise AssertionError("an update asked for a number on the host")

    torch.Tensor.item = forbidden
    try:
        model.train(3, BATCH)
    finally:
        torch.Tensor.item = original
    assert model._loss_count == 3 and float(model._loss_sums[0]) > 0


def check_learns_saves_and_loads():
    """A short run on Reach fills the replay memory, updates, saves, loads and acts alike"""
    env = DummyVecEnv([lambda: make_env("reach", render_mode=None)] * 2)
    model = FastSAC(
        "LayerNormPolicy",
        env,
        learning_starts=110,
        buffer_size=500,
        batch_size=32,
        updates_per_step=0.25,
        policy_kwargs={"net_arch": [32], "features_extractor_class": StandardizedExtractor},
        seed=0,
        device="cpu",
    )
    model.learn(200)
    assert isinstance(model.replay_buffer, EpisodeReplay) and model.replay_buffer.size() == 200
    assert model._n_updates == 22, f"{model._n_updates} updates, expected 22"
    obs = env.reset()
    with tempfile.TemporaryDirectory() as folder:
        path = model.save(Path(folder) / "model")
        copy = FastSAC.load(path, device="cpu")
    actions = [m.predict(obs, deterministic=True)[0] for m in (model, copy)]
    assert np.array_equal(*actions)
    env.close()
