"""Checks of ``labs.drqv2_sac_policy``, ``labs.routing_probe`` and ``labs.bridge``.

Every check trains on transitions of the real FetchReachDense-v4, seen through the pixel wrapper.
"""

from __future__ import annotations

import math
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import DictReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from labs.checks.asserting import raises
from labs.drqv2_sac import DrQv2SAC
from labs.drqv2_sac_policy import DrQv2SACPolicy
from labs.envs import make_env
from labs.manipulation_encoder import ManipulationExtractor
from labs.pixel_wrapper import PixelObservationWrapper
from labs.routing_probe import (
    flat_parameters,
    measure_update,
    optimizers_holding,
    probe_routing,
)

BATCH = 8
ALGORITHMS = (SAC, DrQv2SAC)


@cache
def reach_env() -> VecEnv:
    """FetchReach from pixels, small enough for a check."""

    def build() -> PixelObservationWrapper:
        env = make_env("reach", camera="workspace", scene="lean", image_size=84)
        return PixelObservationWrapper(env, image_size=(84, 84), goal_mode="both")

    env = DummyVecEnv([build])
    env.seed(0)
    return env


@cache
def filled_buffer() -> DictReplayBuffer:
    """60 transitions of random actions."""
    model = new_model(SAC, learning_starts=1000)
    model.learn(60)
    return model.replay_buffer


def new_model(algorithm: type[SAC], seed: int = 0, **kwargs: Any) -> SAC:
    """A model with DrQv2SACPolicy and a small encoder; equal seeds give equal weights."""
    settings: dict[str, Any] = {
        "buffer_size": 100,
        "batch_size": BATCH,
        "learning_rate": 1e-3,
        "gamma": 0.95,
        "ent_coef": 0.05,
        "policy_kwargs": {"features_extractor_kwargs": {"num_filters": 8}, "net_arch": [64, 64]},
        "device": "cpu",
    }
    model = algorithm(DrQv2SACPolicy, reach_env(), seed=seed, **(settings | kwargs))
    model.set_logger(Logger(None, []))
    return model


def trainable_model(algorithm: type[SAC], seed: int = 0, **kwargs: Any) -> SAC:
    """The same with 60 real transitions in its replay buffer."""
    model = new_model(algorithm, seed, **kwargs)
    model.replay_buffer = filled_buffer()
    return model


def train(model: SAC, seed: int = 0, gradient_steps: int = 1) -> dict[str, float]:
    """Trains under fixed draws of batch and noise; returns what the algorithm logged."""
    set_random_seed(seed)
    model.train(gradient_steps=gradient_steps, batch_size=BATCH)
    return {k: float(v) for k, v in model.logger.name_to_value.items() if k.startswith("train/")}


def encoder_of(model: SAC) -> torch.nn.Module:
    return model.critic.features_extractor


def check_no_encoder_parameter_in_actor_optimizer():
    """The actor's optimizer holds the actor's own parameters and none of the encoder"""
    policy = new_model(SAC).policy
    encoder = {id(p) for p in policy.critic.features_extractor.parameters()}
    held = [id(p) for g in policy.actor.optimizer.param_groups for p in g["params"]]
    strays = sum(i in encoder for i in held)
    assert strays == 0, f"{strays} encoder parameters are in the actor's optimizer, expected 0"
    own = {id(p) for p in policy.actor.parameters()} - encoder
    assert set(held) == own and len(held) == len(own), "the actor's own parameters are not all held"


def check_every_encoder_parameter_in_critic_optimizer():
    """The critic's optimizer holds every parameter of encoder and Q-networks, each once"""
    policy = new_model(SAC).policy
    held = [id(p) for g in policy.critic.optimizer.param_groups for p in g["params"]]
    encoder = [id(p) for p in policy.critic.features_extractor.parameters()]
    missing = sum(i not in held for i in encoder)
    assert encoder and missing == 0, f"{missing} of {len(encoder)} encoder parameters are missing"
    assert sorted(held) == sorted(id(p) for p in policy.critic.parameters())


def check_one_shared_encoder():
    """Actor and critic share one encoder object; the target critic has a copy of its own"""
    policy = new_model(SAC).policy
    online, target = policy.critic.features_extractor, policy.critic_target.features_extractor
    assert policy.actor.features_extractor is online, "actor and critic hold different encoders"
    assert target is not online, "the target critic holds the online encoder"
    storages = {p.data_ptr() for p in online.parameters()}
    assert not any(p.data_ptr() in storages for p in target.parameters()), "shared storage"
    assert torch.equal(flat_parameters(online), flat_parameters(target)), "target starts elsewhere"
    assert type(online) is ManipulationExtractor, f"default extractor is {type(online).__name__}"


def check_critic_step_trains_the_encoder():
    """The critic's loss gives every encoder parameter a gradient, and its step moves them"""
    for algorithm in ALGORITHMS:
        model = trainable_model(algorithm)
        before = {n: p.detach().clone() for n, p in encoder_of(model).named_parameters()}
        dead: list[str] = []

        def read(*_, model=model, dead=dead) -> None:
            dead += [
                name
                for name, p in encoder_of(model).named_parameters()
                if p.grad is None or not p.grad.norm() > 0
            ]

        hook = model.critic.optimizer.register_step_pre_hook(read)
        train(model)
        hook.remove()
        assert not dead, f"{algorithm.__name__}: no gradient from the critic's loss in {dead}"
        still = [n for n, p in encoder_of(model).named_parameters() if torch.equal(p, before[n])]
        assert not still, f"{algorithm.__name__}: the critic's step did not move {still}"


def check_actor_step_leaves_the_encoder():
    """The actor's step moves the actor and no encoder parameter"""
    for algorithm in ALGORITHMS:
        model = trainable_model(algorithm)
        latent = flat_parameters(model.actor.latent_pi)
        set_random_seed(0)
        norm, moved = measure_update(model, BATCH)["actor", "shared"]
        assert moved == 0.0, f"{algorithm.__name__}: the encoder moved by {moved}, expected 0"
        assert not torch.equal(latent, flat_parameters(model.actor.latent_pi)), "the actor stood"


def check_actor_loss_leaves_encoder_grad_untouched():
    """The actor's loss leaves the encoder's .grad untouched, in stock SAC and in DrQv2SAC"""
    for algorithm in ALGORITHMS:
        model = trainable_model(algorithm)
        parameters = list(encoder_of(model).parameters())
        seen: list[bool] = []

        def mark(*_, parameters=parameters) -> None:  # after the critic's step
            for p in parameters:
                p.grad = torch.full_like(p, 7.0)

        def look(*_, parameters=parameters, seen=seen) -> None:  # after the actor's backward
            seen += [p.grad is not None and bool((p.grad == 7.0).all()) for p in parameters]

        hooks = [
            model.critic.optimizer.register_step_post_hook(mark),
            model.actor.optimizer.register_step_pre_hook(look),
        ]
        train(model)
        for hook in hooks:
            hook.remove()
        changed = seen.count(False)
        assert len(seen) == len(parameters) and not changed, (
            f"{algorithm.__name__}: the actor's loss changed .grad of {changed} of "
            f"{len(parameters)} encoder parameters, expected 0"
        )


def check_actor_features_are_detached():
    """Features reach the actor without a graph, also where the critic's gate is open"""
    model = trainable_model(SAC)
    observations = filled_buffer().sample(BATCH).observations
    actions, log_prob = model.actor.action_log_prob(observations)
    (actions.sum() + log_prob.sum()).backward()
    reached = [n for n, p in encoder_of(model).named_parameters() if p.grad is not None]
    assert not reached, f"the actor's network passed a gradient to {reached}"
    assert all(p.grad is not None for p in model.actor.latent_pi.parameters())


def check_polyak_moves_the_target_encoder():
    """Polyak averaging moves every target parameter, the encoder's included, by τ"""
    for algorithm in ALGORITHMS:
        model = trainable_model(algorithm, tau=0.005)
        train(model, seed=1)  # apart first, so that the average is visible
        before = {n: p.detach().clone() for n, p in model.critic_target.named_parameters()}
        train(model, seed=2)
        online = dict(model.critic.named_parameters())
        for name, target in model.critic_target.named_parameters():
            expected = 0.995 * before[name] + 0.005 * online[name].detach()
            error = float((target - expected).detach().abs().max())
            assert error <= 1e-7, f"{algorithm.__name__}: target {name} is off by {error:.1e}"
            assert not torch.equal(target, before[name]), f"target {name} stood still"


def check_no_graph_inside_no_grad():
    """Inside no_grad the critic records no graph, so the target costs no memory for one"""
    model = trainable_model(SAC)
    batch = filled_buffer().sample(BATCH)
    graphs: list[bool] = []
    hook = model.critic_target.features_extractor.register_forward_hook(
        lambda module, args, output: graphs.append(output.requires_grad)
    )
    with torch.no_grad():
        model.critic_target(batch.observations, batch.actions)
    hook.remove()
    assert graphs == [False], f"the target's features carry a graph: {graphs}"


class LossRecorder(BaseCallback):
    """Keeps the losses that were logged by each update."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[dict[str, float]] = []

    def _on_rollout_start(self) -> None:
        logged = self.model.logger.name_to_value
        if losses := {k: float(v) for k, v in logged.items() if k.endswith("_loss")}:
            self.losses.append(losses)

    def _on_step(self) -> bool:
        return True


def check_training_runs():
    """50 SB3 training steps on FetchReach from pixels run with finite losses"""
    for algorithm, ent_coef in ((SAC, 0.05), (DrQv2SAC, "auto")):
        recorder = LossRecorder()
        model = new_model(algorithm, ent_coef=ent_coef, learning_starts=10, learning_rate=1e-4)
        model.learn(61, callback=recorder, log_interval=1000)
        assert model._n_updates >= 50, f"{model._n_updates} updates, expected at least 50"
        names = {"train/critic_loss", "train/actor_loss"}
        names |= {"train/ent_coef_loss"} if ent_coef == "auto" else set()
        assert len(recorder.losses) >= 50 and set(recorder.losses[-1]) == names
        bad = [losses for losses in recorder.losses if not all(map(math.isfinite, losses.values()))]
        assert not bad, f"{algorithm.__name__}: losses that are not finite: {bad[:2]}"


def _largest_difference(a: DrQv2SACPolicy, b: DrQv2SACPolicy) -> float:
    batch = filled_buffer().sample(BATCH)
    observations = {k: v.numpy() for k, v in batch.observations.items()}
    actions = [p.predict(observations, deterministic=True)[0] for p in (a, b)]
    with torch.no_grad():
        values = [torch.cat(p.critic(batch.observations, batch.actions)).numpy() for p in (a, b)]
        targets = [
            torch.cat(p.critic_target(batch.observations, batch.actions)).numpy() for p in (a, b)
        ]
    return max(float(np.abs(x - y).max()) for x, y in (actions, values, targets))


def check_save_and_load():
    """Save and load keep the policy's type, predictions (1e-5) and routing; training goes on"""
    for algorithm in ALGORITHMS:
        model = trainable_model(algorithm)
        train(model, gradient_steps=2)
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model.zip")
            model.policy.save(str(Path(folder) / "policy.pth"))
            loaded = algorithm.load(Path(folder) / "model.zip", env=reach_env(), device="cpu")
            alone = DrQv2SACPolicy.load(str(Path(folder) / "policy.pth"), device="cpu")
        for policy in (loaded.policy, alone):
            assert type(policy) is DrQv2SACPolicy, f"loaded a {type(policy).__name__}"
            difference = _largest_difference(model.policy, policy)
            assert difference <= 1e-5, f"predictions differ by {difference:.1e}"
            assert policy.actor.features_extractor is policy.critic.features_extractor
        assert optimizers_holding(loaded, encoder_of(loaded)) == ("critic",)
        loaded.replay_buffer = filled_buffer()
        loaded.set_logger(Logger(None, []))
        train(model, seed=5), train(loaded, seed=5)
        difference = _largest_difference(model.policy, loaded.policy)
        assert difference <= 1e-5, f"the first update after loading differs by {difference:.1e}"


def check_routings_of_sb3():
    """SB3's default trains an encoder each; sharing closes the critic's gate; ours opens it"""
    edges = probe_routing(reach_env(), batch_size=BATCH, env_steps=60)
    seen = {(e.routing, e.encoder, e.loss): e for e in edges}
    expected = {  # held by, gradient from the critic's loss, from the actor's, encoder passes
        ("separate", "actor's"): (("actor",), False, True, 5),
        ("separate", "critic's"): (("critic",), True, True, 5),
        ("actor", "shared"): (("actor",), False, True, 5),
        ("critic_open", "shared"): (("critic",), True, True, 5),
        ("critic", "shared"): (("critic",), True, False, 5),
        ("critic_once", "shared"): (("critic",), True, False, 3),
    }
    for key, row in expected.items():
        critic, actor = seen[(*key, "critic")], seen[(*key, "actor")]
        received = (critic.optimizers, critic.grad_norm > 0, actor.grad_norm > 0)
        received += (critic.encoder_passes,)
        assert received == row, f"{key}: {received}, expected {row}"
        for edge in (critic, actor):  # a gradient is stepped only by the optimizer that holds it
            stepped = edge.grad_norm > 0 and edge.loss in edge.optimizers
            assert (edge.moved > 0) == stepped, f"{edge}"
    assert len(edges) == 2 * len(expected)
    norms = [seen[r, "shared", "critic"].grad_norm for r in ("critic", "critic_once")]
    reference = seen["separate", "critic's", "critic"].grad_norm
    assert np.allclose(norms, reference, rtol=1e-5), f"{norms}, expected {reference}"


def check_bad_input():
    """Separate encoders and an unknown routing are refused by name"""
    separate = {"policy_kwargs": {"share_features_extractor": False}}
    raises(ValueError, lambda: new_model(SAC, **separate), "received", "False", "True")
    raises(ValueError, lambda: probe_routing(routings=("sideways",)), "sideways", "separate")


def check_bridge():
    """Hand-built parts and SB3's pipeline agree to 1e-6 at every stage"""
    from labs.bridge import TOLERANCE, compare_with_sb3

    assert TOLERANCE <= 1e-6
    for stage in compare_with_sb3(reach_env()):
        assert stage.difference < TOLERANCE, f"{stage.name}: {stage.difference:.1e}"
        assert stage.shape, f"{stage.name} compared nothing"
