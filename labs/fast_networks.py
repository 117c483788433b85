"""Policies for fast runs: standardized state features and layer-normalized critics.

* :class:`StandardizedExtractor`: joins a dict of vectors and standardizes them with running
  statistics, as the HER experiments of Andrychowicz et al. 2017 (arXiv 1707.01495) and Plappert et
  al. 2018 (arXiv 1802.09464) do. A Fetch position varies by 0.1 m around 1.3 m: unstandardized, a
  network sees almost a constant.
* :class:`LayerNormPolicy`, :class:`LayerNormDrQv2Policy`: SB3's SAC policy and the critic-routed
  one, with LayerNorm in the critics (Ball et al. 2023, arXiv 2302.02948), which bounds the values
  of unseen actions and lets many updates per step stay stable.

Shapes on FetchPush-v4 from state, batch B:

=====================  ===================================  ==================
part                   input                                output
=====================  ===================================  ==================
StandardizedExtractor  observation 25 + goals 3 + 3         features (B, 31)
critic, each of two    features and action (B, 35)          value (B, 1)
=====================  ===================================  ==================
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.preprocessing import get_action_dim, is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, create_mlp
from stable_baselines3.sac.policies import SACPolicy
from torch import nn

from labs.drqv2_sac_policy import DrQv2SACPolicy


class StandardizedExtractor(BaseFeaturesExtractor):
    """Concatenates vectors and standardizes them: (x - mean) / max(std, floor), clipped.

    The statistics are buffers, so they are saved with the weights. They change only through
    :meth:`observe`, which :class:`labs.fast_sac.FastSAC` calls with what the environments show.

    Args:
        observation_space: ``spaces.Dict`` of vectors.
        floor: smallest standard deviation that is divided by; a joint that never moves stays small.
        clip: features are clipped to [-clip, clip].

    Raises:
        ValueError: the space holds images or is no dict.
    """

    def __init__(self, observation_space: spaces.Dict, floor: float = 0.01, clip: float = 5.0):
        parts = getattr(observation_space, "spaces", None)
        if parts is None or any(is_image_space(p) or len(p.shape) != 1 for p in parts.values()):
            raise ValueError(f"received {observation_space}; expected a spaces.Dict of vectors")
        self.keys = list(parts)
        dim = sum(parts[key].shape[0] for key in self.keys)
        super().__init__(observation_space, features_dim=dim)
        self.floor, self.clip = floor, clip
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("square", torch.ones(dim))  # mean squared deviation
        self.register_buffer("scale", torch.ones(dim))

    def observe(self, obs: dict[str, np.ndarray]) -> None:
        """Folds a batch of observations into the statistics (Chan et al.'s parallel variance)."""
        batch = np.concatenate([obs[key] for key in self.keys], axis=-1, dtype=np.float64)
        batch = torch.as_tensor(batch.reshape(-1, self.features_dim), device=self.mean.device)
        n, seen = len(batch), float(self.count)
        mean = self.mean.double()
        delta = batch.mean(0) - mean
        total = seen + n
        spread = self.square.double() * seen + batch.var(0, correction=0) * n
        spread += delta**2 * (seen * n / total)
        self.count.fill_(total)
        self.mean.copy_(mean + delta * (n / total))
        self.square.copy_(spread / total)
        self.scale.copy_(1 / self.square.sqrt().clamp_min(self.floor))

    def forward(self, observations: dict[str, torch.Tensor]) -> torch.Tensor:
        """Vectors (B, D_k) → float32 (B, sum of D_k)."""
        joined = torch.cat([observations[key] for key in self.keys], dim=-1)
        return ((joined - self.mean) * self.scale).clamp(-self.clip, self.clip)


def _with_layer_norm(critic: ContinuousCritic, net_arch: list[int], activation: type[nn.Module]):
    """Replaces the value networks of a critic by ones with LayerNorm after each hidden layer."""
    dim = critic.features_extractor.features_dim + get_action_dim(critic.action_space)
    critic.q_networks = []
    for index in range(critic.n_critics):
        layers = create_mlp(dim, 1, net_arch, activation, post_linear_modules=[nn.LayerNorm])
        network = nn.Sequential(*layers).to(critic.device)
        setattr(critic, f"qf{index}", network)
        critic.q_networks.append(network)
    return critic


class _LayerNormCritics:
    """Mixin for SB3 policies: every critic that the policy makes gets LayerNorm."""

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        critic = super().make_critic(features_extractor)  # type: ignore[misc]
        kwargs = self.critic_kwargs  # type: ignore[attr-defined]
        return _with_layer_norm(critic, kwargs["net_arch"], kwargs["activation_fn"])


class LayerNormPolicy(_LayerNormCritics, SACPolicy):
    """SB3's SAC policy with LayerNorm in the critics."""


class LayerNormDrQv2Policy(_LayerNormCritics, DrQv2SACPolicy):
    """The critic-routed policy with LayerNorm in the critics."""
