"""One SAC update without waste: each encoder passes once, only needed gradients are computed.

:class:`SACUpdate` takes any SB3 SAC policy and does what ``SAC.train`` does to it (Haarnoja et al.
2018, arXiv 1801.01290), in the same order, with the same random numbers:

* each features extractor encodes a batch once wherever its weights have not changed in between,
  and with routing ``critic`` once in any case: the actor is judged on the features from before the
  critic's step, as in :class:`labs.drqv2_sac.DrQv2SAC`, the reference there;
* the actor's loss is differentiated with respect to the actor alone, where ``backward()`` also
  fills the critic's gradients, which the next update throws away;
* target networks move by one fused operation; optimizers are fused;
* losses stay on the device until somebody reads them;
* the parts between two optimizer steps can be compiled (:mod:`labs.fast_compile`): random numbers
  are drawn outside of them, so that the compiled update sees the numbers that SB3 sees.

Encoder passes of one update (f forward, g forward with gradient, worth about three forwards):

=============  ==========================  ==============================  ==================
routing        stock SB3                   here                            in units of f
=============  ==========================  ==============================  ==================
``separate``   3 g, 2 f                    2 g, 3 f                        11 → 9
``actor``      1 g, 4 f                    1 g, 2 f                        7 → 5
``critic``     1 g, 4 f                    1 g, 2 f                        7 → 5
=============  ==========================  ==============================  ==================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from stable_baselines3.common.preprocessing import preprocess_obs
from stable_baselines3.sac.policies import LOG_STD_MAX, LOG_STD_MIN, SACPolicy
from torch.func import functional_call

from labs.drqv2_sac_policy import DrQv2SACPolicy
from labs.fast_compile import Compiled, begin_step
from labs.image_augmentation import augmented_ends

EPSILON = 1e-6  # SB3's guard in log(1 - tanh²)
LOSSES = ("critic_loss", "actor_loss", "ent_coef", "ent_coef_loss")

Observation = dict[str, torch.Tensor] | torch.Tensor


def routing_of(policy: SACPolicy) -> str:
    """Which loss trains the encoder: ``"separate"``, ``"actor"`` or ``"critic"``."""
    if isinstance(policy, DrQv2SACPolicy):
        return "critic"
    return "actor" if policy.share_features_extractor else "separate"


def squashed_sample(
    mean: torch.Tensor, log_std: torch.Tensor, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples a tanh-squashed Gaussian.

    Args:
        mean: (B, A) before the squash.
        log_std: (B, A).
        noise: (B, A), standard normal.

    Returns:
        Actions (B, A) in [-1, 1] and their log-probabilities (B, 1), as SB3's
        ``SquashedDiagGaussianDistribution`` gives them from the same random numbers.
    """
    actions = torch.tanh(mean + log_std.exp() * noise)
    log_prob = -0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)
    log_prob = log_prob - torch.log(1 - actions**2 + EPSILON)
    return actions, log_prob.sum(dim=1, keepdim=True)


def step_with(
    optimizer: torch.optim.Optimizer, parameters: list, gradients: tuple, release: bool = False
) -> None:
    """Steps an optimizer with gradients that were computed elsewhere.

    Args:
        optimizer: of exactly these parameters.
        parameters: in its order.
        gradients: one for each.
        release: forget the gradients afterwards: those of a CUDA graph live in its memory, which
            the next update overwrites.
    """
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient.stride() != parameter.stride():
            # A channels-last convolution returns channels-last gradients. Fused optimizers walk
            # through memory and would pair each weight with another weight's gradient.
            gradient = torch.empty_like(parameter).copy_(gradient)
        parameter.grad = gradient
    optimizer.step()
    if release:
        for parameter in parameters:
            parameter.grad = None


def match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Gives loaded moments the memory layout of their parameters, which fused steps rely on."""
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if torch.is_tensor(value) and value.shape == parameter.shape:
                if value.stride() != parameter.stride():
                    state[key] = torch.empty_like(parameter).copy_(value)


class SACUpdate:
    """The update of one policy, as a callable: ``losses = update(batch)``.

    Args:
        policy: an SB3 ``SACPolicy`` of any routing, without gSDE.
        gamma: discount.
        tau: Polyak factor.
        ent_coef: fixed temperature, or None where ``log_ent_coef`` is learned.
        log_ent_coef: the learned logarithm of the temperature, shape (1,).
        ent_coef_optimizer: its optimizer.
        target_entropy: of the learned temperature.
        augment: image batch (B, C, H, W) → the same; applied to obs and next obs independently.
        same_shift: obs and next obs of a transition are augmented alike instead.
        channels_last: hand images to the encoder with channels last in memory.
        autocast: dtype for the encoder's products (bfloat16), or None for plain float32.
        compile: compile the parts between the optimizer steps.

    Raises:
        ValueError: a policy with gSDE, or not exactly one of ``ent_coef`` and ``log_ent_coef``.
    """

    def __init__(
        self,
        policy: SACPolicy,
        *,
        gamma: float,
        tau: float,
        ent_coef: torch.Tensor | None = None,
        log_ent_coef: torch.Tensor | None = None,
        ent_coef_optimizer: torch.optim.Optimizer | None = None,
        target_entropy: float = 0.0,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
        same_shift: bool = False,
        channels_last: bool = True,
        autocast: torch.dtype | None = None,
        compile: bool = False,
    ):
        if getattr(policy.actor, "use_sde", False):
            raise ValueError("received a policy with gSDE; expected use_sde=False")
        if (ent_coef is None) == (log_ent_coef is None):
            raise ValueError("expected exactly one of ent_coef and log_ent_coef")
        self.policy = policy
        self.routing = routing_of(policy)
        self.gamma, self.tau = gamma, tau
        self.ent_coef, self.log_ent_coef = ent_coef, log_ent_coef
        self.ent_coef_optimizer, self.target_entropy = ent_coef_optimizer, target_entropy
        self.augment, self.same_shift = augment, same_shift
        self.channels_last, self.autocast = channels_last, autocast
        self.actor, self.critic, self.target = policy.actor, policy.critic, policy.critic_target
        # A second loss of the encoder, see labs.auxiliary; None without one.
        self.told = policy.auxiliary_loss if getattr(policy, "auxiliary_head", None) else None
        self.actor_parameters = self._parameters_of(self.actor.optimizer)
        self.critic_parameters = self._parameters_of(self.critic.optimizer)
        self.online = [p.data for p in self.critic.parameters()]
        self.slow = [p.data for p in self.target.parameters()]
        self.device = policy.device
        for optimizer in (self.actor.optimizer, self.critic.optimizer):
            match_layout(optimizer)
        # Batch statistics follow at once, as in SB3; integer counters stay behind.
        self.online_stats = [b for n, b in self.critic.named_buffers() if "running_" in n]
        self.slow_stats = [b for n, b in self.target.named_buffers() if "running_" in n]
        self.action_dim = int(policy.action_space.shape[0])
        self.compiled = compile
        if compile:
            parts = ["_act", "_goal", "_critic_loss", "_actor_loss"]
            for name, network in (("_encode_actor", self.actor), ("_encode_critic", self.critic)):
                if any(True for _ in network.features_extractor.parameters()):
                    parts.append(name)  # joining vectors is not worth a compilation
            for name in parts:
                setattr(self, name, Compiled(getattr(self, name), self.device))

    @staticmethod
    def _parameters_of(optimizer: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
        return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]

    # ------------------------------------------------------------------------------- forward

    def _mixed(self) -> Any:
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.autocast)

    def prepare(self, obs: Observation) -> Observation:
        """Raw batch → float32 on the device: images divided by 255, channels last."""
        space = self.policy.observation_space
        if not isinstance(obs, dict):
            return self._prepare(obs, space)
        return {key: self._prepare(value, space[key]) for key, value in obs.items()}

    def _prepare(self, value: torch.Tensor, space: Any) -> torch.Tensor:
        if value.dim() == 4 and self.channels_last and value.dtype == torch.uint8:
            value = value.to(torch.float32, memory_format=torch.channels_last)
            return value.div_(255.0) if self.policy.normalize_images else value
        return preprocess_obs(value, space, self.policy.normalize_images)

    def _encode(self, network: Any, obs: Observation) -> torch.Tensor:
        with self._mixed():
            return network.features_extractor(obs).float()

    def _encode_actor(self, obs: Observation) -> torch.Tensor:
        return self._encode(self.actor, obs)

    def _encode_critic(self, obs: Observation) -> torch.Tensor:
        return self._encode(self.critic, obs)

    def _act(self, features: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, ...]:
        actor = self.actor
        latent = actor.latent_pi(features)
        log_std = actor.log_std(latent).clamp(LOG_STD_MIN, LOG_STD_MAX)
        return squashed_sample(actor.mu(latent), log_std, noise)

    def _values(
        self, critic: Any, features: torch.Tensor, actions: torch.Tensor, frozen: bool = False
    ) -> torch.Tensor:
        """Values (B, number of critics). Frozen: the weights get no gradient.

        In float32 always: near −20, where Push's values lie, bfloat16 has steps of an eighth, and
        a step of the way far from the goal is worth less.
        """
        joined = torch.cat([features, actions], dim=1)
        values = [
            functional_call(network, {n: p.detach() for n, p in network.named_parameters()}, joined)
            if frozen
            else network(joined)
            for network in critic.q_networks
        ]
        return torch.cat(values, dim=1)

    # ------------------------------------------------------- the parts between optimizer steps

    @torch.no_grad()
    def _goal(
        self,
        next_obs: Observation,
        noise: torch.Tensor,
        ent_coef: torch.Tensor,
        rewards: torch.Tensor,
        dones: torch.Tensor,
        discounts: torch.Tensor | float,
    ) -> torch.Tensor:
        """The TD target (B, 1)."""
        looks = self.critic if self.routing == "critic" else self.actor
        actions, log_prob = SACUpdate._act(self, self._encode(looks, next_obs), noise)
        values = self._values(self.target, self._encode(self.target, next_obs), actions)
        value = values.amin(dim=1, keepdim=True) - ent_coef * log_prob
        return rewards + (1 - dones) * discounts * value

    def _critic_loss(
        self, features: torch.Tensor, actions: torch.Tensor, goal: torch.Tensor
    ) -> torch.Tensor:
        values = self._values(self.critic, features, actions)
        return 0.5 * sum(F.mse_loss(v, goal) for v in values.split(1, dim=1))

    def _actor_loss(
        self,
        judged: torch.Tensor,
        actions: torch.Tensor,
        log_prob: torch.Tensor,
        ent_coef: torch.Tensor,
    ) -> torch.Tensor:
        # Autograd leaves out the critic's own gradients when they are not asked for; a compiled
        # backward pass would compute them, so there the weights are frozen.
        values = self._values(self.critic, judged, actions, frozen=self.compiled)
        return (ent_coef * log_prob - values.amin(dim=1, keepdim=True)).mean()

    # -------------------------------------------------------------------------------- update

    def __call__(self, batch: Any, *, move_target: bool = True) -> torch.Tensor:
        """Takes one update.

        Args:
            batch: SB3's replay samples on the policy's device.
            move_target: move the target networks afterwards.

        Returns:
            float32 (4,) on the device, in the order of :data:`LOSSES`.
        """
        ends = (batch.observations, batch.next_observations)
        obs, next_obs = map(self.prepare, augmented_ends(self.augment, *ends, self.same_shift))
        discounts = getattr(batch, "discounts", None)
        discounts = self.gamma if discounts is None else discounts

        size = (len(batch.actions), self.action_dim)
        if self.compiled:
            begin_step(self.device)

        # 1. Features, each extractor once. `seen` is what the actor looks at.
        critic_features = None
        if self.routing == "critic":
            critic_features = self._encode_critic(obs)
            seen = critic_features.detach()
        else:
            seen = self._encode_actor(obs)
        actions, log_prob = self._act(seen, torch.randn(size, device=self.device))
        ent_coef, ent_coef_loss = self._temperature(log_prob.detach())
        noise = torch.randn(size, device=self.device)
        goal = self._goal(next_obs, noise, ent_coef, batch.rewards, batch.dones, discounts)

        # 2. Critic, and the encoder where the critic trains it.
        if self.routing == "separate":
            critic_features = self._encode_critic(obs)
        elif self.routing == "actor":
            critic_features = seen.detach()
        critic_loss = self._critic_loss(critic_features, batch.actions, goal)
        told = 0.0 if self.told is None else self.told(critic_features, obs)
        gradients = torch.autograd.grad(critic_loss + told, self.critic_parameters)
        step_with(self.critic.optimizer, self.critic_parameters, gradients, self.compiled)

        # 3. Actor, judged by the critic that has just moved.
        if self.routing == "separate":
            with torch.no_grad():  # its own encoder moved as well
                judged = self._encode_critic(obs)
        else:
            judged = seen.detach()
        actor_loss = self._actor_loss(judged, actions, log_prob, ent_coef)
        gradients = torch.autograd.grad(actor_loss, self.actor_parameters)
        step_with(self.actor.optimizer, self.actor_parameters, gradients, self.compiled)

        # 4. Targets.
        if move_target:
            torch._foreach_lerp_(self.slow, self.online, self.tau)
            if self.slow_stats:
                torch._foreach_copy_(self.slow_stats, self.online_stats)
        losses = (critic_loss.detach(), actor_loss.detach(), ent_coef.mean(), ent_coef_loss)
        return torch.stack(losses)

    def _temperature(self, log_prob: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Steps the learned temperature. Returns the old one, which SB3 uses too, and its loss."""
        if self.log_ent_coef is None:
            return self.ent_coef, torch.zeros((), device=self.device)
        ent_coef = self.log_ent_coef.detach().exp()
        loss = -(self.log_ent_coef * (log_prob + self.target_entropy)).mean()
        gradients = torch.autograd.grad(loss, [self.log_ent_coef])
        step_with(self.ent_coef_optimizer, [self.log_ent_coef], gradients)
        return ent_coef, loss.detach()
