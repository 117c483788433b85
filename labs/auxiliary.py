"""An encoder that is told, in training, where things are.

An auxiliary task, as in Jaderberg et al. 2017 (arXiv 1611.05397), supervised by the simulator.

A reward says little about a picture: a block that never moved earns the same wherever it lies. So
beside the critic's loss the encoder gets a second one. A linear head reads positions from its
features, and the simulator says what they are. Head and truth exist in training only; what remains
sees pixels, joints and the goal.

* :class:`PositionHead`: the head and its loss.
* :class:`AuxiliaryPolicy`: the critic-routed policy with such a head, or with
  :class:`labs.reward_head.RewardHead`, which is told rewards instead of positions. Neither actor
  nor critic reads what :class:`labs.asymmetric.PrivilegedObservation` adds.

On FetchPush-v4, NatureCNN with 50 features, joints and the goal:

==================  =============================================  ===================
network             what it reads                                  output
==================  =============================================  ===================
encoder             ``pixels``, ``proprioception`` 10, goal 3      features (B, 63)
PositionHead        features (B, 63)                               (B, 6), standardized
its truth           ``privileged`` 25                              (B, 6): gripper, block
==================  =============================================  ===================

Command line: ``python -m labs.auxiliary --verify``.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from labs.asymmetric import PRIVILEGED, without
from labs.fast_networks import LayerNormDrQv2Policy, StandardizedExtractor
from labs.reward_head import RewardHead

#: Entries of ``privileged`` that a picture can show, by its width: gripper, block (Push), and the
#: goal where only the picture shows it.
POSITIONS = {
    10: (0, 1, 2),  # Reach with the goal given
    13: (0, 1, 2, 10, 11, 12),  # Reach from the image alone
    25: (0, 1, 2, 3, 4, 5),  # Push with the goal given
    28: (0, 1, 2, 3, 4, 5, 25, 26, 27),  # Push from the image alone
}


class PositionHead(nn.Module):
    """Reads positions from features, linearly.

    Args:
        features_dim: width of the encoder's features.
        space: of the ``privileged`` vector.

    Raises:
        ValueError: a width that is not in :data:`POSITIONS`.
    """

    def __init__(self, features_dim: int, space: spaces.Box):
        super().__init__()
        width = space.shape[0]
        if width not in POSITIONS:
            raise ValueError(
                f"received a privileged vector of {width}; expected {sorted(POSITIONS)}"
            )
        entries = torch.tensor(POSITIONS[width])  # a list would be copied at each update
        self.register_buffer("entries", entries, persistent=False)
        self.truth = StandardizedExtractor(spaces.Dict({PRIVILEGED: space}))
        self.read = nn.Linear(features_dim, len(self.entries))

    def loss(self, features: Tensor, observations: dict[str, Tensor]) -> Tensor:
        """Mean squared error, in standard deviations of each entry: 1 for who never looks.

        Args:
            features: (B, features_dim), with their graph.
            observations: holds ``privileged`` (B, D).
        """
        truth = self.truth(observations)[:, self.entries]
        return F.mse_loss(self.read(features), truth)


class AuxiliaryPolicy(LayerNormDrQv2Policy):
    """The critic-routed policy whose encoder has a second loss.

    The head's weights are in the critic's optimizer; :class:`labs.fast_update.SACUpdate` adds its
    loss to the critic's. An observation space without ``privileged`` is that of a finished policy:
    it has no head.

    Args:
        *args: as for ``DrQv2SACPolicy``.
        auxiliary_weight: factor of the head's loss.
        auxiliary_task: what the head tells, ``"positions"`` or ``"rewards"``.
        **kwargs: as for ``DrQv2SACPolicy``.
    """

    auxiliary_head: PositionHead | RewardHead | None

    def __init__(
        self,
        *args: Any,
        auxiliary_weight: float = 1.0,
        auxiliary_task: Literal["positions", "rewards"] = "positions",
        **kwargs: Any,
    ):
        self.auxiliary_weight, self.auxiliary_task = auxiliary_weight, auxiliary_task
        super().__init__(*args, **kwargs)

    def make_features_extractor(self) -> BaseFeaturesExtractor:
        """An encoder that never sees the simulator's state."""
        seen = without(self.observation_space, (PRIVILEGED,))
        return self.features_extractor_class(seen, **self.features_extractor_kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        told = self.observation_space.spaces.get(PRIVILEGED)
        self.auxiliary_head = None
        if told is not None:
            encoder = self.critic.features_extractor
            head = (
                RewardHead(encoder)
                if self.auxiliary_task == "rewards"
                else PositionHead(encoder.features_dim, told)
            )
            self.auxiliary_head = head.to(self.device)
            (group,) = self.critic.optimizer.param_groups
            group["params"] += self.auxiliary_head.parameters()

    def auxiliary_loss(self, features: Tensor, observations: dict[str, Tensor]) -> Tensor:
        """What is added to the critic's loss: () float32."""
        return self.auxiliary_weight * self.auxiliary_head.loss(features, observations)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        more = {"auxiliary_weight": self.auxiliary_weight, "auxiliary_task": self.auxiliary_task}
        return super()._get_constructor_parameters() | more


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("auxiliary", title="Auxiliary positions"))
