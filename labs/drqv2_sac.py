"""SAC that encodes each observation once, for policies whose encoder the critic trains.

:class:`DrQv2SAC` is SB3's SAC (Haarnoja et al. 2018, arXiv 1801.01290) with the update of DrQ-v2
(Yarats et al. 2021, arXiv 2107.09645): features once, the critic's loss on them, the actor's loss
on the same features detached. The target critic's own encoder is ours; DrQ-v2 encodes the next
observation once, with the online encoder, and so makes two passes an update. And DrQ-v2 is DDPG
with n-step returns: only who trains the encoder is taken from it, and put into SAC.

Encoder forward passes of one update:

======================================  ==================  =====================
pass                                    ``SAC.train``       ``DrQv2SAC.train``
======================================  ==================  =====================
online encoder, obs, actor              1                   -
online encoder, obs, critic's loss      1 (with gradient)   1 (with gradient)
online encoder, obs, Q of actor's loss  1                   -
online encoder, next obs, next actions  1                   1
target encoder, next obs, target Q      1                   1
======================================  ==================  =====================

A pass with gradient costs about three forward passes: 5 units an update here, 7 for stock SAC with
the same policy, and 11 for stock SAC with SB3's separate encoders, where the actor's features and
the Q of the actor's loss carry gradients too.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from stable_baselines3 import SAC
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import polyak_update

from labs.drqv2_sac_policy import CriticEncoderActor, CriticEncoderCritic, DrQv2SACPolicy


class DrQv2SAC(SAC):
    """SAC whose update encodes a batch once: the critic's loss trains the encoder, actor follows.

    The losses are those of ``SAC.train``; random numbers are drawn in the same order. One thing
    differs: the actor's Q is computed on the features that the critic's loss was computed on, so on
    the encoder *before* this step, as in DrQ-v2; stock SAC encodes the batch a second time after
    it. The module's table counts the encoder passes.

    Raises:
        TypeError: the policy is no :class:`DrQv2SACPolicy`.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        **SAC.policy_aliases,  # known, so that the error says what is wrong with them
        "DrQv2SACPolicy": DrQv2SACPolicy,
    }
    policy: DrQv2SACPolicy
    actor: CriticEncoderActor
    critic: CriticEncoderCritic
    critic_target: CriticEncoderCritic

    def _setup_model(self) -> None:
        if not issubclass(self.policy_class, DrQv2SACPolicy):
            raise TypeError(
                f"received policy {self.policy_class.__name__}, expected DrQv2SACPolicy: "
                "DrQv2SAC needs one encoder that the critic's optimizer holds"
            )
        super()._setup_model()

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Takes ``gradient_steps`` updates, each on a fresh batch of the replay buffer."""
        self.policy.set_training_mode(True)
        optimizers = [self.actor.optimizer, self.critic.optimizer]
        if self.ent_coef_optimizer is not None:
            optimizers.append(self.ent_coef_optimizer)
        self._update_learning_rate(optimizers)

        records = defaultdict(list)
        for step in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)
            if self.use_sde:
                self.actor.reset_noise()

            features = self.critic.encode(batch.observations)  # the one pass with gradients
            seen = features.detach()
            actions, log_prob = self.actor.action_log_prob_from(seen)
            log_prob = log_prob.reshape(-1, 1)

            ent_coef, ent_coef_loss = self._update_temperature(log_prob.detach())
            records["ent_coef_loss"] += ent_coef_loss
            records["ent_coef"].append(ent_coef.item())
            target = self._td_target(batch, ent_coef)
            records["critic_loss"].append(self._update_critic(features, batch.actions, target))
            records["actor_loss"].append(self._update_actor(seen, actions, log_prob, ent_coef))
            if step % self.target_update_interval == 0:
                polyak_update(self.critic.parameters(), self.critic_target.parameters(), self.tau)
                polyak_update(self.batch_norm_stats, self.batch_norm_stats_target, 1.0)

        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        for name, values in records.items():
            if values:
                self.logger.record(f"train/{name}", np.mean(values))

    def _update_temperature(self, log_prob: torch.Tensor) -> tuple[torch.Tensor, list[float]]:
        """Moves α toward the target entropy where it is learned.

        Returns:
            α as it was before the step, which this update uses throughout as SB3's does, and the
            loss of α, or nothing where α is fixed.
        """
        if self.ent_coef_optimizer is None:
            return self.ent_coef_tensor, []
        ent_coef = self.log_ent_coef.detach().exp()
        loss = -(self.log_ent_coef * (log_prob + self.target_entropy)).mean()
        self.ent_coef_optimizer.zero_grad()
        loss.backward()
        self.ent_coef_optimizer.step()
        return ent_coef, [loss.item()]

    @torch.no_grad()
    def _td_target(self, batch: Any, ent_coef: torch.Tensor) -> torch.Tensor:
        """r + γ (min Q' − α log π) of the next state, (B, 1): two encoder passes, no gradient."""
        next_features = self.critic.encode(batch.next_observations)
        next_actions, next_log_prob = self.actor.action_log_prob_from(next_features)
        next_q = torch.cat(self.critic_target(batch.next_observations, next_actions), dim=1)
        value = next_q.min(dim=1, keepdim=True).values - ent_coef * next_log_prob.reshape(-1, 1)
        discounts = getattr(batch, "discounts", None)  # set for n-step returns
        discounts = self.gamma if discounts is None else discounts
        return batch.rewards + (1 - batch.dones) * discounts * value

    def _update_critic(
        self, features: torch.Tensor, actions: torch.Tensor, target: torch.Tensor
    ) -> float:
        """One step of the Q-networks and, through ``features``, of the encoder."""
        q_values = self.critic.q_values_from(features, actions)
        loss = 0.5 * sum(F.mse_loss(q, target) for q in q_values)
        self.critic.optimizer.zero_grad()
        loss.backward()
        self.critic.optimizer.step()
        return loss.item()

    def _update_actor(
        self,
        features: torch.Tensor,
        actions: torch.Tensor,
        log_prob: torch.Tensor,
        ent_coef: torch.Tensor,
    ) -> float:
        """One step of the actor on detached features: it minimizes α log π − min Q."""
        q = torch.cat(self.critic.q_values_from(features, actions), dim=1)
        loss = (ent_coef * log_prob - q.min(dim=1, keepdim=True).values).mean()
        self.actor.optimizer.zero_grad()
        loss.backward()
        self.actor.optimizer.step()
        return loss.item()


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("drqv2_sac", title="DrQ-v2 SAC"))
