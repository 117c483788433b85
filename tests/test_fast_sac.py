"""FastSAC against its references: SB3's SAC for two routings, DrQv2SAC for the third."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import DictReplayBufferSamples

from labs.drqv2_sac import DrQv2SAC
from labs.fast_sac import FastSAC
from labs.fast_update import LOSSES

torch.set_num_threads(1)

VECTORS = {
    "achieved_goal": spaces.Box(-np.inf, np.inf, (3,), np.float64),
    "desired_goal": spaces.Box(-np.inf, np.inf, (3,), np.float64),
    "observation": spaces.Box(-np.inf, np.inf, (25,), np.float64),
}
STATE = spaces.Dict(VECTORS)
PIXELS = spaces.Dict({**VECTORS, "pixels": spaces.Box(0, 255, (6, 36, 36), np.uint8)})
ACTIONS = spaces.Box(-1, 1, (4,), np.float32)


class Replayed:
    """Hands the same batches to two algorithms."""

    def __init__(self, space: spaces.Dict, batches: int, size: int = 32):
        generator = torch.Generator().manual_seed(0)

        def draw(part):
            if part.dtype == np.uint8:
                shape = (size, *part.shape)
                return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
            return torch.randn(size, *part.shape, generator=generator)

        self.batches = [
            DictReplayBufferSamples(
                observations={k: draw(p) for k, p in space.spaces.items()},
                actions=torch.rand(size, 4, generator=generator) * 2 - 1,
                next_observations={k: draw(p) for k, p in space.spaces.items()},
                dones=torch.zeros(size, 1),
                rewards=-torch.rand(size, 1, generator=generator).round(),
            )
            for _ in range(batches)
        ]

    def sample(self, batch_size, env=None):
        self.batches.append(self.batches.pop(0))
        return self.batches[-1]


def bare_env(space):
    """An environment that is only asked for its spaces."""
    import gymnasium as gym

    class Spaces(gym.Env):
        observation_space, action_space = space, ACTIONS

    return Spaces()


# Adam divides by the gradient's own size, so a weight whose true gradient is zero (a bias before
# LayerNorm or before the shift-invariant SpatialSoftmax) moves by pure rounding noise. This eps is
# far above the noise and far below every real gradient.
ADAM = {"eps": 1e-5}


def make(algorithm, space, policy, ent_coef="auto", policy_kwargs=None, **kwargs):
    options = {"net_arch": [64, 64], "optimizer_kwargs": ADAM, **(policy_kwargs or {})}
    model = algorithm(
        policy,
        bare_env(space),
        ent_coef=ent_coef,
        learning_rate=1e-4,
        buffer_size=100,
        policy_kwargs=options,
        seed=3,
        device="cpu",
        **kwargs,
    )
    model.set_logger(Logger(None, []))
    return model


def record_gradients(model) -> dict[str, list[torch.Tensor]]:
    """Copies the gradients with which each optimizer steps, at the moment it steps."""
    seen: dict[str, list[torch.Tensor]] = {}

    def watch(name, optimizer):
        def hook(optimizer, *_):
            groups = optimizer.param_groups
            seen[name] = [p.grad.clone() for group in groups for p in group["params"]]

        optimizer.register_step_pre_hook(hook)

    watch("actor", model.actor.optimizer)
    watch("critic", model.critic.optimizer)
    if model.ent_coef_optimizer is not None:
        watch("temperature", model.ent_coef_optimizer)
    return seen


def close(theirs, mine) -> bool:
    return len(theirs) == len(mine) and all(
        torch.allclose(a, b, atol=1e-5, rtol=1e-5) for a, b in zip(theirs, mine, strict=True)
    )


CASES = {
    "state, separate": (SAC, STATE, "MultiInputPolicy", {}),
    "pixels, separate": (SAC, PIXELS, "MultiInputPolicy", {}),
    "pixels, actor": (SAC, PIXELS, "MultiInputPolicy", {"share_features_extractor": True}),
    "pixels, critic": (DrQv2SAC, PIXELS, "DrQv2SACPolicy", {}),
    "state, critic": (DrQv2SAC, STATE, "DrQv2SACPolicy", {}),
}


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("ent_coef", ["auto", 0.05])
@pytest.mark.parametrize("case", CASES)
def test_ten_updates_equal_the_reference(case, ent_coef, channels_last):
    """Losses, gradients and next weights agree to 1e-5 over ten updates in float32."""
    reference, space, policy, options = CASES[case]
    stock = make(reference, space, policy, ent_coef, options)
    fast = make(FastSAC, space, policy, ent_coef, options, channels_last=channels_last)
    fast.policy.load_state_dict(stock.policy.state_dict())
    stock.replay_buffer, fast.replay_buffer = Replayed(space, 10), Replayed(space, 10)
    theirs, mine = record_gradients(stock), record_gradients(fast)
    start = [p.detach().clone() for p in fast.policy.parameters()]
    for step in range(10):
        for model in (stock, fast):
            torch.manual_seed(step)
            model.train(gradient_steps=1, batch_size=32)
        losses = dict(zip(LOSSES, fast._loss_sums.tolist(), strict=True))
        fast._loss_sums.zero_()
        for name in LOSSES[: 4 if ent_coef == "auto" else 3]:
            expected = stock.logger.name_to_value[f"train/{name}"]
            assert losses[name] == pytest.approx(expected, abs=1e-5, rel=1e-5), (step, name)
        assert set(theirs) == set(mine)
        for name in theirs:
            assert close(theirs[name], mine[name]), f"gradient of {name} at update {step}"
        assert close(list(stock.policy.parameters()), list(fast.policy.parameters())), step
    moved = [not torch.equal(a, b) for a, b in zip(start, fast.policy.parameters(), strict=True)]
    assert all(moved), "an update that moves nothing equals anything"
