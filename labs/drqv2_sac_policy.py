"""Gradient routing: one encoder, trained by the critic's loss alone.

Actor and critic both need features of the image, so someone must train the encoder. SB3's SAC
offers two answers: ``share_features_extractor=False`` (its default) gives actor and critic an
encoder each, both trained by their own loss; ``True`` shares one encoder that only the *actor's*
loss trains. DrQ-v2 (Yarats et al. 2021, arXiv 2107.09645) gives the third: share one encoder and
let only the *critic's* loss train it. The TD error says something about every transition; the
actor's loss says only what Q already knows. DrQ-v2 shares the convolutions alone: behind them actor
and critic have a linear trunk each. Here the whole extractor is shared. (DrQ-v2 is DDPG with n-step
returns; its routing alone is taken, and put into SAC.)

* :class:`CriticEncoderActor`, :class:`CriticEncoderCritic`: the two networks and their gates.
* :class:`DrQv2SACPolicy`: an SB3 policy that puts the encoder into the critic's optimizer only. It
  works with the stock algorithm: ``SAC(DrQv2SACPolicy, env)``.
  :class:`labs.drqv2_sac.DrQv2SAC` is the same algorithm and encodes each observation once.

SAC itself is Haarnoja et al. 2018 (arXiv 1801.01290). Run with ``--verify``, ``--probe`` (which
loss reaches which encoder, measured) or ``--bridge`` (hand-built parts against SB3's pipeline).

Shapes for the Push observation of 80 features and 4 actions, batch B, hidden layers 256, 256:

=====================  ==========================  ===================================
part                   input                       output
=====================  ==========================  ===================================
encoder                dict of (B, ...)            features (B, 80) float32
actor                  features (B, 80)            mean, log std (B, 4) each
each of the two Q      features and action (B, 84) value (B, 1)
=====================  ==========================  ===================================
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    CombinedExtractor,
    FlattenExtractor,
)
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.sac.policies import LOG_STD_MAX, LOG_STD_MIN, Actor, SACPolicy
from torch import nn

from labs.manipulation_encoder import ManipulationExtractor


class CriticEncoderActor(Actor):
    """SB3's squashed Gaussian actor behind a gate: the encoder's features arrive detached, as in
    DrQ-v2 (Yarats et al. 2021, arXiv 2107.09645).

    No loss of the actor can reach the encoder through this network. The encoder stays a submodule,
    so that ``predict`` works from observations; the optimizer must leave its parameters out.
    """

    def extract_features(
        self, obs: PyTorchObs, features_extractor: BaseFeaturesExtractor
    ) -> torch.Tensor:
        """Encodes observations without recording a graph: float32 (B, features)."""
        with torch.no_grad():
            return super().extract_features(obs, features_extractor)

    def action_distribution_from(
        self, features: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        """The Gaussian before the squash, from features (B, features).

        Returns:
            Mean and log standard deviation, (B, actions) each, and SB3's extras for gSDE.
        """
        latent = self.latent_pi(features)
        if self.use_sde:
            return self.mu(latent), self.log_std, {"latent_sde": latent}
        return self.mu(latent), self.log_std(latent).clamp(LOG_STD_MIN, LOG_STD_MAX), {}

    def get_action_dist_params(
        self, obs: PyTorchObs
    ) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        """As :meth:`action_distribution_from`, from observations."""
        return self.action_distribution_from(self.extract_features(obs, self.features_extractor))

    def action_log_prob_from(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Samples actions from features that were computed before.

        Returns:
            Actions (B, actions) in [-1, 1] and their log-probabilities (B,).
        """
        mean, log_std, extras = self.action_distribution_from(features)
        return self.action_dist.log_prob_from_params(mean, log_std, **extras)


class CriticEncoderCritic(ContinuousCritic):
    """SB3's twin Q-network with the gate set the other way: TD error trains the shared encoder, as
    in DrQ-v2 (Yarats et al. 2021, arXiv 2107.09645).

    SB3's critic closes the gate whenever the encoder is shared. Here it is open for the critic's
    loss. It closes for one caller only: where Q is differentiated with respect to the *action*,
    that is, where ``actions`` carry a gradient, the loss is the actor's. In stock ``SAC.train``
    that loss runs through the critic's encoder again, and without the gate it would leave there a
    gradient that no optimizer steps: wasted work, and a trap for gradient clipping and
    accumulation.

    Args:
        stop_actor_loss: close the gate for actions that carry a gradient. False leaves it open, so
            that the stray gradient can be measured.
        **kwargs: as for ``ContinuousCritic``.

    Raises:
        TypeError: an argument that ``ContinuousCritic`` does not have.
    """

    def __init__(self, *args: Any, stop_actor_loss: bool = True, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.stop_actor_loss = stop_actor_loss

    def encode(self, obs: PyTorchObs) -> torch.Tensor:
        """Features of a batch of observations, float32 (B, features), with their graph."""
        return self.extract_features(obs, self.features_extractor)

    def q_values_from(
        self, features: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Each network's value, (B, 1) a network, from features computed before."""
        inputs = torch.cat([features, actions], dim=1)
        return tuple(q_network(inputs) for q_network in self.q_networks)

    def forward(self, obs: PyTorchObs, actions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Each network's value, (B, 1) a network, from observations and actions (B, actions)."""
        is_actor_loss = self.stop_actor_loss and actions.requires_grad
        # `and is_grad_enabled()`: never switch gradients back on inside the caller's no_grad.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not is_actor_loss):
            features = self.encode(obs)
        return self.q_values_from(features, actions)


def default_extractor_class(observation_space: spaces.Space) -> type[BaseFeaturesExtractor]:
    """The extractor for a space: ManipulationExtractor for dicts with images, else SB3's own."""
    if not isinstance(observation_space, spaces.Dict):
        return FlattenExtractor
    has_image = any(is_image_space(space) for space in observation_space.spaces.values())
    return ManipulationExtractor if has_image else CombinedExtractor


class DrQv2SACPolicy(SACPolicy):
    """SAC's policy with one encoder that only the critic's loss trains (Yarats et al. 2021).

    * Actor and critic hold the same encoder object.
    * Its parameters are in the critic's optimizer and in no other; they are told apart by identity,
      since a name such as ``features_extractor`` says nothing about who else holds the tensor.
    * The target critic has an encoder of its own, which DrQ-v2 does not have. SB3 moves it with the
      target's other parameters by Polyak averaging (``tau`` of the algorithm, 0.005 unless set).

    Args:
        observation_space: of the environment; images uint8 in 0..255, channels first.
        action_space: a ``Box``.
        lr_schedule: SB3's schedule; one learning rate for encoder, critic and actor.
        features_extractor_class: None takes :func:`default_extractor_class`.
        share_features_extractor: must stay True; here to answer readers who know SB3's argument.
        stop_actor_loss: see :class:`CriticEncoderCritic`.
        **kwargs: as for SB3's ``SACPolicy`` (``net_arch``, ``n_critics``, ...).

    Raises:
        ValueError: ``share_features_extractor=False``.
    """

    actor: CriticEncoderActor
    critic: CriticEncoderCritic
    critic_target: CriticEncoderCritic

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        *,
        features_extractor_class: type[BaseFeaturesExtractor] | None = None,
        share_features_extractor: bool = True,
        stop_actor_loss: bool = True,
        **kwargs: Any,
    ):
        if not share_features_extractor:
            raise ValueError(
                "received share_features_extractor=False, expected True: DrQv2SACPolicy always "
                "shares the encoder; for separate encoders use SB3's MultiInputPolicy"
            )
        self._stop_actor_loss = stop_actor_loss
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            features_extractor_class=features_extractor_class
            or default_extractor_class(observation_space),
            share_features_extractor=True,
            **kwargs,
        )

    def make_actor(
        self, features_extractor: BaseFeaturesExtractor | None = None
    ) -> CriticEncoderActor:
        """An actor with the given encoder, or with a new one."""
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return CriticEncoderActor(**kwargs).to(self.device)

    def make_critic(
        self, features_extractor: BaseFeaturesExtractor | None = None
    ) -> CriticEncoderCritic:
        """A critic with the given encoder, or with a new one."""
        kwargs = self._update_features_extractor(self.critic_kwargs, features_extractor)
        kwargs["stop_actor_loss"] = self._stop_actor_loss
        return CriticEncoderCritic(**kwargs).to(self.device)

    def _build(self, lr_schedule: Schedule) -> None:
        self.actor = self.make_actor()
        encoder = self.actor.features_extractor
        self.critic = self.make_critic(features_extractor=encoder)
        self.critic_target = self.make_critic(features_extractor=None)
        self.critic_target.load_state_dict(self.critic.state_dict())
        self.critic_target.set_training_mode(False)

        in_encoder = {id(parameter) for parameter in encoder.parameters()}
        actor_only = [p for p in self.actor.parameters() if id(p) not in in_encoder]
        self.actor.optimizer = self._make_optimizer(actor_only, lr_schedule)
        # The encoder is a submodule of the critic, so these are the encoder and the Q-networks.
        self.critic.optimizer = self._make_optimizer(list(self.critic.parameters()), lr_schedule)

    def _make_optimizer(
        self, parameters: list[nn.Parameter], lr_schedule: Schedule
    ) -> torch.optim.Optimizer:
        return self.optimizer_class(parameters, lr=lr_schedule(1), **self.optimizer_kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return super()._get_constructor_parameters() | {"stop_actor_loss": self._stop_actor_loss}


def _probe() -> None:
    from labs.routing_probe import main  # a room below this one, reached from its command line

    main()


def _bridge() -> int:
    from labs.bridge import main

    return main()


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(
        module_main(
            "drqv2_sac_policy",
            title="DrQ-v2 SAC policy",
            modes={
                "probe": ("which optimizer holds the encoder, which loss reaches it", _probe),
                "bridge": ("hand-built parts against SB3's pipeline, one observation", _bridge),
            },
        )
    )
