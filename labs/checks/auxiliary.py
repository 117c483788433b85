"""Checks of :mod:`labs.auxiliary`."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import CombinedExtractor

from labs.asymmetric import PRIVILEGED, PrivilegedObservation, without
from labs.auxiliary import POSITIONS, AuxiliaryPolicy, PositionHead
from labs.checks.asserting import raises
from labs.envs import make_env
from labs.fast_update import SACUpdate
from labs.pixel_wrapper import PixelObservationWrapper

BOUNDLESS = spaces.Box(-np.inf, np.inf, (25,), np.float64)
SPACE = spaces.Dict(
    {
        "pixels": spaces.Box(0, 255, (3, 36, 36), np.uint8),
        "proprioception": spaces.Box(-np.inf, np.inf, (10,), np.float64),
        "desired_goal": spaces.Box(-np.inf, np.inf, (3,), np.float64),
        PRIVILEGED: BOUNDLESS,
    }
)
ACTIONS = spaces.Box(-1, 1, (4,), np.float32)


def _policy(space: spaces.Dict = SPACE, weight: float = 1.0) -> AuxiliaryPolicy:
    torch.manual_seed(0)
    return AuxiliaryPolicy(
        space,
        ACTIONS,
        lambda _: 1e-3,
        net_arch=[32],
        features_extractor_class=CombinedExtractor,
        features_extractor_kwargs={"cnn_output_dim": 50},
        auxiliary_weight=weight,
    )


def _observations(batch: int = 16, seed: int = 0) -> dict[str, torch.Tensor]:
    """Raw observations; the block's place is where the picture is bright."""
    draw = torch.Generator().manual_seed(seed)
    obs = {
        key: torch.randn((batch, *space.shape), generator=draw)
        for key, space in SPACE.spaces.items()
        if key != "pixels"
    }
    where = torch.randint(4, 28, (batch, 2), generator=draw)
    obs["pixels"] = torch.zeros(batch, 3, 36, 36, dtype=torch.uint8)
    for row, (r, c) in enumerate(where.tolist()):
        obs["pixels"][row, :, r : r + 5, c : c + 5] = 255
    obs[PRIVILEGED][:, :6] = where.float().repeat(1, 3) / 10
    return obs


def _update(policy: AuxiliaryPolicy) -> SACUpdate:
    return SACUpdate(policy, gamma=0.95, tau=0.005, ent_coef=torch.tensor(0.1))


def _batch(batch: int = 16) -> SimpleNamespace:
    zeros = torch.zeros(batch, 1)
    return SimpleNamespace(
        observations=_observations(batch),
        next_observations=_observations(batch, seed=1),
        actions=torch.zeros(batch, 4),
        rewards=zeros,
        dones=zeros,
    )


def check_widths_of_the_table():
    """Features, head and truth are as wide as the table says"""
    policy = _policy()
    head = policy.auxiliary_head
    assert policy.critic.features_extractor.features_dim == 63 == head.read.in_features
    assert head.read.out_features == 6 == len(head.entries)
    raises(ValueError, lambda: PositionHead(4, spaces.Box(-1, 1, (7,))), "7", "13", "25")


def check_the_entries_are_positions_of_both_tasks():
    """Gripper, block and goal stand where the table of entries says, in every mode"""
    for task, mode in product(("reach", "push"), ("none", "desired")):
        env = make_env(task, scene="lean", image_size=36)
        env = PrivilegedObservation(PixelObservationWrapper(env, (36, 36), goal_mode=mode))
        obs, _ = env.reset(seed=0)
        raw = env.unwrapped._get_obs()
        env.close()
        places = [raw["observation"][:3], *([raw["achieved_goal"]] if task == "push" else [])]
        places += [raw["desired_goal"]] if mode == "none" else []
        told = obs[PRIVILEGED]
        assert np.allclose(told[list(POSITIONS[len(told)])], np.concatenate(places)), (task, mode)


def check_neither_actor_nor_critic_reads_the_state():
    """Another state changes no action and no value"""
    policy = _policy()
    obs = _observations()
    told = obs | {PRIVILEGED: obs[PRIVILEGED] + 1}
    action = torch.zeros(16, 4)
    with torch.no_grad():
        acts = [policy.actor(o, deterministic=True) for o in (obs, told)]
        values = [torch.cat(policy.critic(o, action)) for o in (obs, told)]
    assert torch.equal(*acts), "the actor reads the state"
    assert torch.equal(*values), "the critic reads the state"


def check_who_never_looks_has_a_loss_of_1():
    """The loss is in standard deviations: a head that says the mean is off by one"""
    policy = _policy()
    head, obs = policy.auxiliary_head, _observations(256)
    head.truth.observe({PRIVILEGED: obs[PRIVILEGED].numpy()})
    torch.nn.init.zeros_(head.read.weight), torch.nn.init.zeros_(head.read.bias)
    loss = head.loss(torch.zeros(256, 63), obs).item()
    assert abs(loss - 1) < 0.02, f"received {loss:.3f}"


def check_the_loss_reaches_the_encoder_and_nothing_else():
    """Its gradient is in encoder and head, not in the values and not in the actor"""
    policy = _policy()
    obs = _update(policy).prepare(_observations())
    features = policy.critic.features_extractor(obs)
    policy.auxiliary_loss(features, obs).backward()
    touched = {name for name, p in policy.named_parameters() if p.grad is not None}
    kinds = ("features_extractor", "auxiliary_head")
    assert touched and all(any(k in name for k in kinds) for name in touched), touched
    assert any("cnn" in name for name in touched), "the encoder is not trained"


def check_one_update_steps_the_head():
    """The update adds the loss: encoder and head move otherwise than without it"""
    moved = {}
    for weight in (0.0, 1.0):
        policy = _policy(weight=weight)
        before = policy.auxiliary_head.read.weight.detach().clone()
        torch.manual_seed(1)
        _update(policy)(_batch())
        moved[weight] = policy.critic.features_extractor.extractors["pixels"].cnn[0].weight
        stepped = not torch.equal(before, policy.auxiliary_head.read.weight)
        assert stepped == (weight > 0), f"weight {weight}: head stepped is {stepped}"
    assert not torch.equal(moved[0.0], moved[1.0]), "the encoder did not hear of it"


def check_the_encoder_learns_where_things_are():
    """Forty updates without any reward: the head's loss falls to less than half"""
    policy = _policy()
    update, batch = _update(policy), _batch(64)
    head, obs = policy.auxiliary_head, batch.observations
    head.truth.observe({PRIVILEGED: obs[PRIVILEGED].numpy()})

    def loss() -> float:
        seen = update.prepare(obs)
        with torch.no_grad():
            return head.loss(policy.critic.features_extractor(seen), seen).item()

    first = loss()
    for _ in range(40):
        update(batch)
    assert loss() < 0.5 * first, f"from {first:.2f} to {loss():.2f}"


def check_a_finished_policy_has_no_head():
    """The actor's weights fit a policy that was never told anything"""
    trained, finished = _policy(), _policy(without(SPACE, (PRIVILEGED,)))
    finished.actor.load_state_dict(trained.actor.state_dict())
    assert finished.auxiliary_head is None and trained.auxiliary_head is not None
