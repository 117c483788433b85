"""The routing with other spaces, HER, gSDE, n-step returns."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import CombinedExtractor, FlattenExtractor
from stable_baselines3.her import HerReplayBuffer

from labs import bridge
from labs.checks.drqv2_sac import assert_same_training
from labs.checks.drqv2_sac_policy import (
    BATCH,
    encoder_of,
    filled_buffer,
    new_model,
    reach_env,
    train,
    trainable_model,
)
from labs.drqv2_sac import DrQv2SAC
from labs.drqv2_sac_policy import DrQv2SACPolicy, default_extractor_class
from labs.envs import make_env
from labs.manipulation_encoder import ManipulationExtractor
from labs.routing_probe import RoutingEdge, flat_parameters, format_table, probe_routing


def gradients(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten().clone() for p in module.parameters()])


@pytest.mark.parametrize("stop_actor_loss", [True, False])
def test_only_the_open_gate_leaves_a_stray_gradient(stop_actor_loss):
    """After a whole update of stock SAC, .grad holds the critic's gradient and nothing else."""
    model = trainable_model(
        SAC,
        policy_kwargs={
            "features_extractor_kwargs": {"num_filters": 8},
            "stop_actor_loss": stop_actor_loss,
        },
    )
    from_critic: list[torch.Tensor] = []
    model.critic.optimizer.register_step_pre_hook(
        lambda *_: from_critic.append(gradients(encoder_of(model)))
    )
    train(model)
    untouched = torch.equal(gradients(encoder_of(model)), from_critic[0])
    assert untouched is stop_actor_loss


def test_equal_to_unmodified_stock_sac_while_the_encoder_rests():
    """With a frozen encoder nothing is stale: five updates agree in losses and in all weights."""
    stock, ours = (trainable_model(a, ent_coef="auto_0.1") for a in (SAC, DrQv2SAC))
    for model in (stock, ours):
        encoder_of(model).requires_grad_(False)
    before = flat_parameters(encoder_of(ours))
    assert_same_training(stock, ours, updates=5)
    assert torch.equal(before, flat_parameters(encoder_of(ours)))


def test_stale_features_change_the_actor_loss_a_little():
    """What the second encoder pass of stock SAC is worth: visible, and small against the loss."""
    stock, ours = (trainable_model(a, learning_rate=1e-4) for a in (SAC, DrQv2SAC))
    expected, received = train(stock)["train/actor_loss"], train(ours)["train/actor_loss"]
    assert 0 < abs(expected - received) < 0.05 * abs(expected)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"policy_kwargs": {"optimizer_class": torch.optim.SGD, "n_critics": 3}},
        {"policy_kwargs": {"net_arch": {"pi": [32], "qf": [48, 48]}}},
        {"policy_kwargs": {"features_extractor_class": CombinedExtractor}},
        {"use_sde": True},
        {"tau": 1.0, "target_update_interval": 2},
    ],
    ids=["sgd-3-critics", "net-arch", "combined-extractor", "gsde", "hard-targets"],
)
def test_settings_of_sb3_still_hold(kwargs):
    kwargs = {"policy_kwargs": {}} | kwargs
    model = trainable_model(DrQv2SAC, **kwargs)
    before = flat_parameters(model.policy)
    logged = train(model, gradient_steps=2)
    assert all(np.isfinite(v) for v in logged.values())
    assert not torch.equal(before, flat_parameters(model.policy))
    action, _ = model.predict(reach_env().reset(), deterministic=True)
    assert action.shape == (1, 4) and np.abs(action).max() <= 1


def test_whole_runs_without_an_encoder_equal_stock_sac():
    """A flat observation with n-step returns: 20 updates of learning end in the same weights."""
    weights = []
    for algorithm in (SAC, DrQv2SAC):
        env = gym.wrappers.FlattenObservation(make_env("reach", render_mode=None))
        model = algorithm(
            DrQv2SACPolicy,
            env,
            n_steps=3,
            learning_starts=40,
            seed=0,
            buffer_size=100,
            device="cpu",
        )
        model.set_logger(Logger(None, []))
        model.learn(60)
        assert model._n_updates == 20 and isinstance(encoder_of(model), FlattenExtractor)
        weights.append(flat_parameters(model.policy))
        env.close()
    assert torch.allclose(*weights, rtol=0, atol=1e-5)


def test_another_policy_is_refused_by_its_name():
    with pytest.raises(TypeError, match="DrQv2SACPolicy"):
        DrQv2SAC("MultiInputPolicy", make_env("push", render_mode=None), device="cpu")


def test_her_on_the_state_task():
    """A dict without images takes CombinedExtractor, and HER's samples train it."""
    env = make_env("push", render_mode=None)
    model = DrQv2SAC(
        "DrQv2SACPolicy",
        env,
        replay_buffer_class=HerReplayBuffer,
        learning_starts=60,
        batch_size=BATCH,
        buffer_size=500,
        device="cpu",
    )
    model.set_logger(Logger(None, []))
    model.learn(70)
    assert isinstance(encoder_of(model), CombinedExtractor) and model._n_updates == 10
    env.close()


def test_default_extractor_follows_the_space():
    image = spaces.Box(0, 255, (3, 84, 84), np.uint8)
    vector = spaces.Box(-1, 1, (3,), np.float32)
    assert default_extractor_class(spaces.Dict(a=image, b=vector)) is ManipulationExtractor
    assert default_extractor_class(spaces.Dict(b=vector)) is CombinedExtractor
    assert default_extractor_class(vector) is FlattenExtractor


def test_the_constructor_survives_save_and_load(tmp_path):
    model = new_model(SAC, policy_kwargs={"stop_actor_loss": False, "n_critics": 3})
    model.policy.save(str(tmp_path / "policy.pth"))
    loaded = DrQv2SACPolicy.load(str(tmp_path / "policy.pth"), device="cpu")
    assert loaded.critic.stop_actor_loss is False and loaded.critic.n_critics == 3
    assert loaded.critic_target.stop_actor_loss is False


def test_deep_copies_keep_the_encoder_shared():
    """A copied policy shares one encoder inside itself, and none with the original."""
    import copy

    policy = new_model(SAC).policy
    twin = copy.deepcopy(policy)
    assert twin.actor.features_extractor is twin.critic.features_extractor
    assert twin.actor.features_extractor is not policy.actor.features_extractor


def test_probe_is_reproducible_and_printable():
    runs = [
        probe_routing(reach_env(), routings=("actor", "critic_once"), batch_size=4, env_steps=20)
        for _ in range(2)
    ]
    assert all(isinstance(edge, RoutingEdge) for edge in runs[0]) and len(runs[0]) == 4
    table = format_table(runs[0]).splitlines()
    assert len(table) == 3 and "DrQv2SACPolicy + DrQv2SAC" in table[2]
    for a, b in zip(*runs, strict=True):
        assert (a.routing, a.encoder, a.loss, a.optimizers) == (
            b.routing,
            b.encoder,
            b.loss,
            b.optimizers,
        )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 5))
def test_log_prob_by_hand_against_torch(seed, batch):
    """The hand-written squash against torch.distributions' TanhTransform, in float64."""
    generator = torch.Generator().manual_seed(seed)
    mean, log_std, noise = (
        torch.randn(batch, 4, generator=generator, dtype=torch.float64) * scale
        for scale in (0.5, 0.3, 0.7)
    )
    ours = bridge.squashed_log_prob(mean, log_std, noise)
    gaussian = torch.distributions.Normal(mean, log_std.exp())
    squashed = torch.distributions.TransformedDistribution(
        gaussian, [torch.distributions.transforms.TanhTransform()]
    )
    before = mean + log_std.exp() * noise
    expected = squashed.log_prob(torch.tanh(before)).sum(dim=1)
    slack = (bridge.SQUASH_EPSILON / (1 - torch.tanh(before) ** 2)).sum(dim=1)
    assert torch.all((ours - expected).abs() <= slack + 1e-6)


def test_batch_of_one_trains():
    model = trainable_model(DrQv2SAC)
    model.train(gradient_steps=1, batch_size=1)
    assert np.isfinite(model.logger.name_to_value["train/critic_loss"])
    assert filled_buffer().size() == 60
