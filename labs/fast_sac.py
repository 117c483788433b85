"""FastSAC: SB3's SAC with frames stored once, one encoder pass and overlapped collection.

:class:`FastSAC` *is* an SB3 ``SAC``: the same constructor, policies, ``policy_kwargs``, callbacks,
logger, ``learn`` and ``predict``. Replaced are the replay memory
(:class:`labs.replay.EpisodeReplay` where the task allows it), the update
(:class:`labs.fast_update.SACUpdate`), the loop (updates run while the environments step) and the
files (:mod:`labs.fast_files`: safetensors and JSON instead of pickles).

SB3 is the reference: with the same batch and weights in float32 the next weights are equal. For
routing ``critic``, which SB3 has not, it is :class:`labs.drqv2_sac.DrQv2SAC`.
SAC is Haarnoja et al. 2018 (arXiv 1801.01290).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3 import SAC, HerReplayBuffer
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback, TrainFrequencyUnit
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from labs.drqv2_sac_policy import DrQv2SACPolicy
from labs.fast_compile import Compile, resolve, wants_graph
from labs.fast_files import ModelFiles
from labs.fast_graph import Graphed
from labs.fast_io import copy_policy, optimizers_of
from labs.fast_networks import LayerNormDrQv2Policy, LayerNormPolicy, StandardizedExtractor
from labs.fast_update import LOSSES, SACUpdate
from labs.replay import EpisodeReplay, episode_options


class FastSAC(ModelFiles, SAC):
    """SB3's SAC, faster.

    Args:
        policy: ``"MultiInputPolicy"``, ``"MlpPolicy"``, ``"CnnPolicy"``, ``"DrQv2SACPolicy"``,
            ``"LayerNormPolicy"``, ``"LayerNormDrQv2Policy"``, or an SB3 SAC policy class.
        env: as for SB3; a :class:`labs.collect.SharedVecEnv` steps while this learns.
        updates_per_step: gradient updates per *environment* step, any fraction; replaces SB3's
            ``gradient_steps``, which counts per vector step. None keeps SB3's meaning.
        augment: image augmentation for sampled batches, e.g.
            :class:`labs.image_augmentation.RandomShiftAug`; obs and next obs independently.
        same_shift: obs and next obs of a transition augmented alike.
        random_actions: share of steps with a uniformly random action, as in the HER paper (0.2
            there, Andrychowicz et al. 2017; 0.3 in its code for Fetch).
        bend: what is done in place of such an action: ``bend(observation, action, generator)`` of
            one environment, e.g. :class:`labs.seeking.Seeking`. None: the action itself.
        acting_ends: environment steps after which the policy that acts stays as it is, while
            another learns from what it meets: the forked tandem of Ostrovski et al.
            2021 (arXiv 2110.14020). None: the policy that learns acts.
        acting_policy: an SB3 policy of the same spaces that acts from then on. None: a copy of the
            one that learns.
        reset_every: environment steps after which :meth:`redraw` draws all networks anew, again
            and again, as Nikishin et al. 2022 (arXiv 2205.07802) do against a network that has
            fitted what came first. None: never.
        channels_last: memory format of images in the encoder; faster on most CPUs and GPUs.
        autocast: ``torch.bfloat16`` for mixed precision, None for float32;
            :func:`labs.mixed_precision.mixed_precision` knows where it pays.
        compile: ``"auto"``: on a GPU the whole update is one CUDA graph (:mod:`labs.fast_graph`).
            True: ``torch.compile`` (:mod:`labs.fast_compile`). False: neither.
        **kwargs: as for SB3's ``SAC``. ``train_freq`` counts vector steps. Adam is fused unless
            ``policy_kwargs`` says otherwise.

    Raises:
        ValueError: gSDE, or training per episode, which this loop does not do; a number out of its
            range; a policy to act and no step from which; or SB3's ``HerReplayBuffer`` with an
            environment in another process: it asks the environment for rewards while a step is
            under way.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        **SAC.policy_aliases,
        "DrQv2SACPolicy": DrQv2SACPolicy,
        "LayerNormPolicy": LayerNormPolicy,
        "LayerNormDrQv2Policy": LayerNormDrQv2Policy,
    }

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: Any,
        *args: Any,
        updates_per_step: float | None = None,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
        same_shift: bool = False,
        random_actions: float = 0.0,
        bend: Callable[..., np.ndarray] | None = None,
        acting_ends: int | None = None,
        acting_policy: BasePolicy | None = None,
        reset_every: int | None = None,
        channels_last: bool = True,
        autocast: torch.dtype | None = None,
        compile: Compile = "auto",
        policy_kwargs: dict[str, Any] | None = None,
        use_sde: bool = False,
        **kwargs: Any,
    ):
        if use_sde:
            raise ValueError("received use_sde=True; expected False: FastSAC has no gSDE")
        if not 0 <= random_actions <= 1:
            raise ValueError(f"received random_actions {random_actions}; expected 0 to 1")
        if updates_per_step is not None and not 0 <= updates_per_step < math.inf:
            raise ValueError(f"received updates_per_step {updates_per_step}; expected 0 or more")
        if reset_every is not None and reset_every < 1:
            raise ValueError(f"received reset_every {reset_every}; expected 1 or more, or None")
        if acting_policy is not None and acting_ends is None:
            raise ValueError("received an acting_policy and no acting_ends: it would never act")
        if bend is not None and not random_actions:
            raise ValueError("received bend and random_actions 0: it would never bend one")
        self.updates_per_step = updates_per_step
        self.augment, self.same_shift = augment, same_shift
        self.random_actions, self.bend = random_actions, bend
        self.acting_ends = acting_ends
        self.acting_policy = acting_policy
        self.acting: BasePolicy | None = None  # who acts once this policy does not
        self.reset_every = reset_every
        self.channels_last, self.autocast = channels_last, autocast
        policy_kwargs = dict(policy_kwargs or {})
        policy_kwargs.setdefault("optimizer_class", torch.optim.Adam)
        if issubclass(policy_kwargs["optimizer_class"], torch.optim.Adam):
            options = dict(policy_kwargs.get("optimizer_kwargs") or {})
            policy_kwargs["optimizer_kwargs"] = {"fused": True, **options}
        self.compile = compile
        self._owed = 0.0
        self._fresh_starts = 0
        super().__init__(policy, env, *args, policy_kwargs=policy_kwargs, **kwargs)

    def _check_replay(self) -> None:
        kind = self.replay_buffer_class
        asks = isinstance(kind, type) and issubclass(kind, HerReplayBuffer)
        if asks and self.env is not None and not isinstance(self.env.unwrapped, DummyVecEnv):
            raise ValueError(
                f"received {kind.__name__} with a {type(self.env.unwrapped).__name__}; expected a "
                "DummyVecEnv, or no replay_buffer_class: EpisodeReplay computes its own rewards"
            )

    def _setup_model(self) -> None:
        if self.replay_buffer_class is None and self.env is not None:
            options = episode_options(self.env)
            if options is not None:
                self.replay_buffer_class = EpisodeReplay
                ours = {"seed": self.seed, "gamma": self.gamma, "n_steps": self.n_steps}
                self.replay_buffer_kwargs = {**ours, **options, **self.replay_buffer_kwargs}
                self.n_steps = 1  # the memory adds up the rewards; SB3's own memory stays out
        self._check_replay()
        super()._setup_model()
        if self.ent_coef_optimizer is not None:
            # SB3's own is not fused and reads its step count back to the host at every update.
            self.ent_coef_optimizer = torch.optim.Adam(
                [self.log_ent_coef], lr=self.lr_schedule(1), fused=True
            )
            self._first_log_ent_coef = self.log_ent_coef.detach().clone()
        if self.train_freq.unit != TrainFrequencyUnit.STEP:
            raise ValueError("received train_freq in episodes; expected a number of steps")
        self._standardizers = [
            m for m in self.policy.modules() if isinstance(m, StandardizedExtractor)
        ]
        self.make_update()

    def make_update(self) -> None:
        """(Re)binds the update to the policy's tensors; after anything that replaces them."""
        if self.channels_last:  # of convolutions' weights; everything else has one layout only
            self.policy.to(memory_format=torch.channels_last)
        learned = self.ent_coef_optimizer is not None
        self._update = SACUpdate(
            self.policy,
            gamma=self.gamma,
            tau=self.tau,
            ent_coef=None if learned else self.ent_coef_tensor,
            log_ent_coef=self.log_ent_coef if learned else None,
            ent_coef_optimizer=self.ent_coef_optimizer,
            target_entropy=self.target_entropy,
            augment=self.augment,
            same_shift=self.same_shift,
            channels_last=self.channels_last,
            autocast=self.autocast,
            compile=resolve(self.compile, self.device),
        )
        self._loss_sums = torch.zeros(len(LOSSES), device=self.device)
        self._loss_count = 0
        self._graphed: Graphed | None = None  # made by the first update that can be recorded
        self._rate = torch.zeros((), device=self.device)  # the step size that recordings read

    def set_parameters(self, *args: Any, **kwargs: Any) -> None:
        """As in SB3."""
        super().set_parameters(*args, **kwargs)
        self.make_update()

    @torch.no_grad()
    def redraw(self) -> None:
        """Draws actor, critics, targets and encoders anew, and the temperature is the first again.

        Optimizers forget their moments. The replay memory stays, and so do the statistics by which
        vectors are standardized: those are of what was seen, not of what was learned.
        """
        fresh = self.policy_class(
            self.observation_space, self.action_space, self.lr_schedule, **self.policy_kwargs
        )
        for mine, drawn in zip(self.policy.parameters(), fresh.parameters(), strict=True):
            mine.copy_(drawn)
        for optimizer in optimizers_of(self).values():
            optimizer.state.clear()
        if self.ent_coef_optimizer is not None:
            self.log_ent_coef.copy_(self._first_log_ent_coef)
        self.make_update()

    def _reset_is_due(self, n_envs: int) -> bool:
        """Whether the last vector step came to a multiple of ``reset_every``."""
        if self.reset_every is None or self.num_timesteps == 0:
            return False
        return self.num_timesteps % self.reset_every < n_envs

    # --------------------------------------------------------------------------------- learn

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Takes ``gradient_steps`` updates. Losses stay on the device until the log is written."""
        self.policy.set_training_mode(True)
        optimizers = [self.actor.optimizer, self.critic.optimizer]
        if self.ent_coef_optimizer is not None:
            optimizers.append(self.ent_coef_optimizer)
        self._update_learning_rate(optimizers)
        for step in range(gradient_steps):
            move = step % self.target_update_interval == 0
            self._loss_sums += self._take_update(batch_size, move, optimizers)
        self._loss_count += gradient_steps
        self._n_updates += gradient_steps

    def _update_learning_rate(self, optimizers: list) -> None:
        """As in SB3; where updates are recorded, in a tensor that stays, so that it may change."""
        super()._update_learning_rate(optimizers)
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        if wants_graph(self.compile, self.device) and all(group.get("fused") for group in groups):
            self._rate.fill_(groups[0]["lr"])
            for group in groups:
                group["lr"] = self._rate

    def _take_update(self, batch_size: int, move: bool, optimizers: list) -> torch.Tensor:
        """One update, recorded where it can be."""
        memory = self.replay_buffer
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        recorded = (
            wants_graph(self.compile, self.device)
            and isinstance(memory, EpisodeReplay)
            and memory.device.type == self.device.type
            and memory.size() > 0
            and all(group.get("fused") for group in groups)
        )
        if not recorded:
            return self._sample_and_update(batch_size, move)
        # Another memory has another generator, even where its tables lie in the old one's place.
        if self._graphed is None or self._graphed.generators[0] is not memory.generator:
            self._graphed = Graphed(self._sample_and_update, optimizers, [memory.generator])
        fixed = [g["lr"] for g in groups if not torch.is_tensor(g["lr"])]  # part of the recording
        key = (memory.refresh(), *fixed)
        return self._graphed(batch_size, move, key=key)

    def _sample_and_update(self, batch_size: int, move: bool) -> torch.Tensor:
        batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)
        return self._update(batch, move_target=move)

    def take_losses(self) -> dict[str, float]:
        """The losses, averaged over the updates since they were last taken; empty without any."""
        if not self._loss_count:
            return {}
        means = (self._loss_sums / self._loss_count).tolist()  # the only wait for the device
        self._loss_sums.zero_()
        self._loss_count = 0
        return dict(zip(LOSSES, means, strict=True))

    def dump_logs(self) -> None:
        """Writes the log: SB3's records, and the losses averaged since they were last taken."""
        if losses := self.take_losses():
            self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
            for name, value in losses.items():
                if name != "ent_coef_loss" or self.ent_coef_optimizer is not None:
                    self.logger.record(f"train/{name}", value)
        super().dump_logs()

    def _updates_due(self, env: VecEnv) -> int:
        """Updates that the coming vector step has earned."""
        if self.num_timesteps <= self.learning_starts or not self._can_sample():
            return 0
        if self.updates_per_step is not None:
            self._owed += self.updates_per_step * env.num_envs
        elif self.gradient_steps < 0:  # SB3: as many as environment steps, whatever train_freq is
            self._owed += env.num_envs
        else:
            self._owed += self.gradient_steps / self.train_freq.frequency
        due = int(self._owed + 1e-9)
        self._owed -= due
        return due

    def _can_sample(self) -> bool:
        return not isinstance(self.replay_buffer, EpisodeReplay) or self.replay_buffer.size() > 0

    def _seed_exploration(self, fresh: bool) -> None:
        """Chooses which steps of this call of ``learn`` act at random, from nothing but the seed,
        the step it starts from, and how often the steps were counted from 0 again.

        The actions themselves are samples of ``action_space``, whose generator goes on from call
        to call. ``load`` seeds it anew, as in SB3; a checkpoint of :mod:`labs.experiments` keeps
        its state, so a run that goes on from one meets the same actions.
        """
        self._fresh_starts += fresh
        if self.seed is None:
            self._rng = np.random.default_rng()
            return
        key = [self.seed, self.num_timesteps, *([self._fresh_starts] * (self._fresh_starts > 1))]
        self._rng = np.random.default_rng(int(np.random.SeedSequence(key).generate_state(1)[0]))

    def _explore(self, env: VecEnv) -> tuple[np.ndarray, np.ndarray]:
        if self.acting_ends is None or self.num_timesteps < self.acting_ends:
            self.acting = None
        elif self.acting is None:
            self.acting = copy_policy(self.acting_policy or self.policy)
        learner, self.policy = self.policy, self.acting or self.policy  # SB3 asks self.policy
        try:
            actions, stored = self._sample_action(
                self.learning_starts, self.action_noise, env.num_envs
            )
        finally:
            self.policy = learner
        if self.random_actions:
            random = self._rng.random(env.num_envs) < self.random_actions
            for i in np.flatnonzero(random):
                actions[i] = self.action_space.sample()
                if self.bend is not None:
                    seen = {key: part[i] for key, part in self._last_obs.items()}
                    actions[i] = self.bend(seen, actions[i], self._rng)
                stored[i] = self.policy.scale_action(actions[i])
        return actions, stored

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 4,
        tb_log_name: str = "FastSAC",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> FastSAC:
        """As in SB3. Each vector step is sent off first, then the updates run, then it is awaited.

        An update therefore never sees the transition that is under way, and callbacks see every
        vector step as a rollout of its own; everything else is the order of SB3's loop. After an
        interrupt the next call resets the environments, and the step under way is lost.
        """
        self._check_replay()  # the environment may be another one by now
        if isinstance(self.replay_buffer, EpisodeReplay) and (
            reset_num_timesteps or self._last_obs is None
        ):
            self.replay_buffer.drop_unfinished()  # the environments are about to be reset
        total_timesteps, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        env = self.env
        self._seed_exploration(fresh=reset_num_timesteps)
        callback.on_training_start(locals(), globals())
        proceed = True
        while proceed and self.num_timesteps < total_timesteps:
            self.policy.set_training_mode(False)
            callback.on_rollout_start()
            if self._reset_is_due(env.num_envs):
                self.redraw()
            actions, buffer_actions = self._explore(env)
            env.step_async(actions)
            try:
                if due := self._updates_due(env):
                    self.train(due, self.batch_size)
            except BaseException:  # Ctrl-C in a notebook: learn() may be called again
                env.step_wait()  # or the next step would receive these answers
                self._last_obs = None  # the step is lost, and the environments are reset
                raise
            new_obs, rewards, dones, infos = env.step_wait()
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            proceed = callback.on_step()
            self._update_info_buffer(infos, dones)
            self._observe(new_obs)
            self._store_transition(
                self.replay_buffer, buffer_actions, new_obs, rewards, dones, infos
            )
            self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
            for i in np.flatnonzero(dones):
                self._episode_num += 1
                if self.action_noise is not None:
                    self.action_noise.reset(**({"indices": [i]} if env.num_envs > 1 else {}))
                if log_interval is not None and self._episode_num % log_interval == 0:
                    self.dump_logs()
            callback.on_rollout_end()
        callback.on_training_end()
        return self

    def _observe(self, obs: Any) -> None:
        """Feeds the standardizing extractors; those that read the same keys share one set."""
        leaders: dict[tuple[str, ...], Any] = {}
        for extractor in self._standardizers:
            leader = leaders.setdefault(tuple(extractor.keys), extractor)
            if leader is extractor:
                extractor.observe(obs)
                continue
            for mine, theirs in zip(extractor.buffers(), leader.buffers(), strict=True):
                mine.copy_(theirs)


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("fast_sac", title="FastSAC"))
