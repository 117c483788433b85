"""Checks of ``labs.from_scratch_sac``."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import torch

from labs.from_scratch_sac import (
    Agent,
    Settings,
    actor_loss,
    alpha_loss,
    bellman_target,
    critic_loss,
    gradient_step,
    move_target,
    soft_value,
    update,
)
from labs.visual_encoder import sample_squashed_gaussian

SMALL = Settings(image_size=(36, 36), frame_stack=1, batch_size=16)


def random_transitions(batch: int = 16, size: int = 36) -> dict[str, torch.Tensor]:
    """A batch with the keys and shapes of ``PixelReplayBuffer.sample``."""
    return {
        "pixels": torch.rand(batch, 3, size, size),
        "next_pixels": torch.rand(batch, 3, size, size),
        "achieved_goal": torch.rand(batch, 3),
        "desired_goal": torch.rand(batch, 3),
        "actions": torch.rand(batch, 4) * 2 - 1,
        "rewards": -torch.rand(batch, 1),
        "dones": torch.zeros(batch, 1),
    }


def same(before: list[torch.Tensor], after) -> bool:
    """Whether no parameter moved."""
    return all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def check_bellman_target():
    """The target is r + γ (1 − done) (min Q − α log π)"""
    column = lambda *v: torch.tensor(v)[:, None]  # noqa: E731
    value = soft_value(column(1.0, 5.0), column(3.0, 2.0), column(-1.0, 2.0), torch.tensor(0.5))
    assert torch.equal(value, column(1.5, 1.0)), f"soft value: received {value.T}"
    target = bellman_target(column(-1.0, -1.0), column(0.0, 1.0), value, 0.9)
    assert torch.allclose(target, column(0.35, -1.0)), f"target: received {target.T}"


def check_critic_loss_by_hand():
    """The critic's loss is the squared TD error of both heads against the target network"""
    agent, batch = Agent(replace(SMALL, gamma=0.9)), random_transitions()
    with torch.no_grad():
        agent.log_alpha.fill_(-60.0)  # no entropy
        for head, value in (
            (agent.target.q1, 7.0),
            (agent.target.q2, 9.0),
            (agent.critic.q1, 1.0),
            (agent.critic.q2, 2.0),
        ):
            head[-1].weight.zero_()
            head[-1].bias.fill_(value)
    target = batch["rewards"] + 0.9 * 7.0
    expected = ((target - 1) ** 2).mean() + ((target - 2) ** 2).mean()
    loss, _ = critic_loss(agent, batch)
    assert torch.allclose(loss, expected), f"received {loss:.4f}, expected {expected:.4f}"


def check_gradients_go_where_they_should():
    """The critic's loss moves the encoder, the actor's loss leaves it alone"""
    torch.manual_seed(0)
    agent, batch = Agent(SMALL), random_transitions()
    encoder = agent.critic.encoder
    assert agent.actor.encoder is encoder
    before = [p.clone() for p in encoder.parameters()]
    loss, features = critic_loss(agent, batch)
    gradient_step(loss, agent.critic_optimizer)
    assert not same(before, encoder.parameters()), "the critic's loss did not move the encoder"
    encoder.zero_grad(set_to_none=True)
    before = [p.clone() for p in encoder.parameters()]
    critic_before = [p.clone() for p in agent.critic.parameters()]
    actor_before = [p.clone() for p in agent.actor.head.parameters()]
    loss, _ = actor_loss(agent, features)
    gradient_step(loss, agent.actor_optimizer)
    assert all(p.grad is None for p in encoder.parameters()), "the actor's loss reaches the encoder"
    assert same(before, encoder.parameters()), "the actor's step moved the encoder"
    assert same(critic_before, agent.critic.parameters()), "the actor's step moved the critic"
    assert not same(actor_before, agent.actor.head.parameters()), "the actor did not move"


def check_actor_climbs():
    """On fixed features the actor's loss falls: Q plus entropy rises"""
    torch.manual_seed(0)
    agent = Agent(replace(SMALL, learning_rate=5e-3))
    features = torch.rand(64, agent.critic.encoder.features_dim)
    with torch.no_grad():  # a fresh critic hardly cares for the action: make it care
        agent.critic.q1[-1].weight *= 100
        agent.critic.q2[-1].weight *= 100

    def reached() -> float:
        torch.manual_seed(1)
        action, log_prob = sample_squashed_gaussian(*agent.actor.gaussian(features))
        value = torch.min(*agent.critic.values(features, action)) - agent.alpha * log_prob
        return value.mean().item()

    start = reached()
    for _ in range(30):
        gradient_step(actor_loss(agent, features)[0], agent.actor_optimizer)
    assert reached() > start + 0.1, f"from {start:.4f} to {reached():.4f}"


def check_temperature_moves_toward_target():
    """The temperature falls when the entropy is above its target and rises when below"""
    for log_prob, sign in ((-10.0, -1), (10.0, 1)):
        agent = Agent(SMALL)
        before = agent.alpha.item()
        loss = alpha_loss(agent, torch.full((8, 1), log_prob))
        gradient_step(loss, agent.alpha_optimizer)
        assert (agent.alpha.item() - before) * sign > 0, f"wrong way at log π = {log_prob}"


def check_target_follows():
    """The target critic moves by τ of the difference, encoder included, and has no gradient"""
    agent = Agent(SMALL)
    assert agent.target.encoder is not agent.critic.encoder
    with torch.no_grad():
        for p in agent.critic.parameters():
            p.add_(1.0)
    before = [p.clone() for p in agent.target.parameters()]
    move_target(agent)
    for old, new in zip(before, agent.target.parameters(), strict=True):
        step = (new - old - SMALL.tau).abs().max()
        assert step < 1e-5, f"moved by {(new - old).mean():.4f}, expected {SMALL.tau}"
        assert not new.requires_grad


def check_critic_fits_a_batch():
    """With γ = 0 the critic learns the rewards of a fixed batch: the loss falls tenfold"""
    torch.manual_seed(0)
    agent, batch = Agent(replace(SMALL, gamma=0.0)), random_transitions()
    online = copy.deepcopy([p.data for p in agent.critic.parameters()])
    losses = [update(agent, batch)["critic_loss"] for _ in range(60)]
    assert losses[-1] < losses[0] / 10, f"from {losses[0]:.4f} to {losses[-1]:.4f}"
    assert all(math.isfinite(x) for x in losses) and not same(online, agent.critic.parameters())
