"""Checks of ``labs.drqv2_sac``: the update that encodes once, against SB3's own."""

from __future__ import annotations

import copy
from typing import Any

import torch
from stable_baselines3 import SAC
from stable_baselines3.sac.policies import MultiInputPolicy

from labs.checks.asserting import raises
from labs.checks.drqv2_sac_policy import reach_env, train, trainable_model
from labs.drqv2_sac import DrQv2SAC
from labs.routing_probe import count_encoder_passes


def check_encoder_passes():
    """DrQv2SAC encodes an observation once: 3 passes an update, where stock SAC takes 5"""
    expected = {
        SAC: {"shared": 4, "target": 1},
        DrQv2SAC: {"shared": 2, "target": 1},
    }
    for algorithm, counts in expected.items():
        model = trainable_model(algorithm)
        with count_encoder_passes(model) as passes:
            train(model)
        received = {name: passes.count(name) for name in counts}
        assert received == counts, f"{algorithm.__name__}: {received} passes, expected {counts}"


def mark_ends(model: SAC) -> None:
    """Marks every third transition as the end of an episode: Fetch itself never ends one early."""
    model.replay_buffer = copy.deepcopy(model.replay_buffer)
    model.replay_buffer.dones[::3] = 1.0
    model.replay_buffer.timeouts[:] = 0.0


def remember_features(model: SAC) -> None:
    """Lets stock SAC compute the actor's Q on the features that the critic's loss was computed on.

    The critic then encodes each batch once, which is the only point in which DrQv2SAC differs.
    """
    encode = model.critic.encode
    memory: dict[str, Any] = {}

    def encode_once(obs: Any) -> torch.Tensor:
        if memory.get("obs") is not obs:
            memory.update(obs=obs, features=encode(obs))
        return memory["features"] if torch.is_grad_enabled() else memory["features"].detach()

    model.critic.encode = encode_once


def assert_same_training(
    stock: SAC, ours: SAC, updates: int, ignore: tuple[str, ...] = ()
) -> dict[str, float]:
    """Trains both under equal draws; losses and weights must agree to 1e-5. Returns our logs."""
    mark_ends(stock)
    mark_ends(ours)
    for update in range(updates):
        expected, received = train(stock, seed=update), train(ours, seed=update)
        assert set(expected) == set(received), f"logged {set(received)}, expected {set(expected)}"
        for name, value in expected.items():
            if name not in ignore:
                difference = abs(value - received[name])
                assert difference <= 1e-5, f"update {update}: {name} differs by {difference:.1e}"
    weights = ours.policy.state_dict()
    for name, value in stock.policy.state_dict().items():
        difference = float((value - weights[name]).abs().max())
        skip = name.startswith(ignore) and "features_extractor" not in name
        assert skip or difference <= 1e-5, f"{name} differs by {difference:.1e}"
    return received


def check_equal_to_stock_sac():
    """DrQv2SAC.train equals SAC.train on the same features: losses and weights to 1e-5"""
    for ent_coef in (0.05, "auto_0.1"):
        stock = trainable_model(SAC, ent_coef=ent_coef)
        ours = trainable_model(DrQv2SAC, ent_coef=ent_coef)
        remember_features(stock)
        assert_same_training(stock, ours, updates=3)


def check_first_update_equal_to_stock_sac():
    """One update of unmodified SAC.train gives the same critic, encoder, target and α to 1e-5"""
    stock = trainable_model(SAC, ent_coef="auto_0.1")
    ours = trainable_model(DrQv2SAC, ent_coef="auto_0.1")
    assert_same_training(stock, ours, updates=1, ignore=("train/actor_loss", "actor."))
    difference = float((stock.log_ent_coef - ours.log_ent_coef).detach().abs())
    assert difference <= 1e-5, f"log α differs by {difference:.1e}"


def check_foreign_policy():
    """A policy whose encoder the critic does not train is refused by name"""
    raises(
        TypeError,
        lambda: DrQv2SAC(MultiInputPolicy, reach_env(), buffer_size=10),
        "MultiInputPolicy",
        "DrQv2SACPolicy",
    )
