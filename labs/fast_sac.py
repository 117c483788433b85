"""FastSAC: SB3's SAC with frames stored once, one encoder pass and overlapped collection.

:class:`FastSAC` *is* an SB3 ``SAC``: the same constructor, policies, ``policy_kwargs``, callbacks,
logger, ``learn`` and ``predict``. Replaced are the replay memory
(:class:`labs.replay.EpisodeReplay` where the task allows it), the update
(:class:`labs.fast_update.SACUpdate`), the loop (updates run
while the environments step) and the files (safetensors and JSON instead of pickles).

SB3 is the reference: with the same batch and weights in float32 the next weights are equal.
SAC is Haarnoja et al. 2018 (arXiv 1801.01290).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback, TrainFrequencyUnit
from stable_baselines3.common.utils import check_for_correct_spaces
from stable_baselines3.common.vec_env import VecEnv

from labs.drqv2_sac_policy import DrQv2SACPolicy
from labs.errors import UserError
from labs.fast_io import optimizers_of, read_model, read_sb3_zip, restore_networks, save_model
from labs.fast_networks import LayerNormDrQv2Policy, LayerNormPolicy, StandardizedExtractor
from labs.fast_update import LOSSES, SACUpdate
from labs.replay import EpisodeReplay, episode_options


class FastSAC(SAC):
    """SB3's SAC, faster.

    Args:
        policy: ``"MultiInputPolicy"``, ``"MlpPolicy"``, ``"CnnPolicy"``, ``"DrQv2SACPolicy"``,
            ``"LayerNormPolicy"``, ``"LayerNormDrQv2Policy"``, or an SB3 SAC policy class.
        env: as for SB3; a :class:`labs.collect.SharedVecEnv` steps while this learns.
        updates_per_step: gradient updates per *environment* step, any fraction; replaces SB3's
            ``gradient_steps``, which counts per vector step. None keeps SB3's meaning.
        augment: image augmentation for sampled batches, e.g.
            :class:`labs.image_augmentation.RandomShiftAug`; obs and next obs independently.
        random_actions: share of steps with a uniformly random action, as the HER paper's behavior
            policy has (0.3 there).
        channels_last: memory format of images in the encoder; faster on most CPUs and GPUs.
        autocast: ``torch.bfloat16`` for mixed precision; None for float32.
        clip_target: see :class:`labs.fast_update.SACUpdate`.
        **kwargs: as for SB3's ``SAC``. ``train_freq`` counts vector steps. Adam is fused unless
            ``policy_kwargs`` says otherwise.

    Raises:
        ValueError: gSDE, or training per episode, which this loop does not do.
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
        random_actions: float = 0.0,
        channels_last: bool = True,
        autocast: torch.dtype | None = None,
        clip_target: tuple[float, float] | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        use_sde: bool = False,
        **kwargs: Any,
    ):
        if use_sde:
            raise ValueError("received use_sde=True; expected False: FastSAC has no gSDE")
        if not 0 <= random_actions <= 1:
            raise ValueError(f"received random_actions {random_actions}; expected 0 to 1")
        self.updates_per_step = updates_per_step
        self.augment = augment
        self.random_actions = random_actions
        self.channels_last, self.autocast, self.clip_target = channels_last, autocast, clip_target
        policy_kwargs = dict(policy_kwargs or {})
        policy_kwargs.setdefault("optimizer_class", torch.optim.Adam)
        if issubclass(policy_kwargs["optimizer_class"], torch.optim.Adam):
            options = dict(policy_kwargs.get("optimizer_kwargs") or {})
            policy_kwargs["optimizer_kwargs"] = {"fused": True, **options}
        self._owed = 0.0
        super().__init__(policy, env, *args, policy_kwargs=policy_kwargs, **kwargs)

    def _setup_model(self) -> None:
        if self.replay_buffer_class is None and self.env is not None:
            options = episode_options(self.env)
            if options is not None:
                self.replay_buffer_class = EpisodeReplay
                chosen = {"seed": self.seed, **options, **self.replay_buffer_kwargs}
                self.replay_buffer_kwargs = chosen
        super()._setup_model()
        if self.ent_coef_optimizer is not None:
            # SB3's own is not fused and reads its step count back to the host at every update.
            self.ent_coef_optimizer = torch.optim.Adam(
                [self.log_ent_coef], lr=self.lr_schedule(1), fused=True
            )
        if self.train_freq.unit != TrainFrequencyUnit.STEP:
            raise ValueError("received train_freq in episodes; expected a number of steps")
        self._standardizers = [
            m for m in self.policy.modules() if isinstance(m, StandardizedExtractor)
        ]
        self._make_update()

    def _make_update(self) -> None:
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
            channels_last=self.channels_last,
            autocast=self.autocast,
            clip_target=self.clip_target,
        )
        self._loss_sums = torch.zeros(len(LOSSES), device=self.device)
        self._loss_count = 0

    # --------------------------------------------------------------------------------- learn

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Takes ``gradient_steps`` updates. Losses stay on the device until the log is written."""
        self.policy.set_training_mode(True)
        optimizers = [self.actor.optimizer, self.critic.optimizer]
        if self.ent_coef_optimizer is not None:
            optimizers.append(self.ent_coef_optimizer)
        self._update_learning_rate(optimizers)
        for step in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)
            move = step % self.target_update_interval == 0
            self._loss_sums += self._update(batch, move_target=move)
        self._loss_count += gradient_steps
        self._n_updates += gradient_steps

    def dump_logs(self) -> None:
        """Writes the log: SB3's records, and the losses averaged since the last time."""
        if self._loss_count:
            means = (self._loss_sums / self._loss_count).tolist()  # the only wait for the device
            self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
            for name, value in zip(LOSSES, means, strict=True):
                if name != "ent_coef_loss" or self.ent_coef_optimizer is not None:
                    self.logger.record(f"train/{name}", value)
            self._loss_sums.zero_()
            self._loss_count = 0
        super().dump_logs()

    def _updates_due(self, env: VecEnv) -> int:
        """Updates that the coming vector step has earned."""
        if self.num_timesteps <= self.learning_starts or not self._can_sample():
            return 0
        if self.updates_per_step is not None:
            self._owed += self.updates_per_step * env.num_envs
        else:
            steps = self.gradient_steps if self.gradient_steps >= 0 else env.num_envs
            self._owed += steps / self.train_freq.frequency
        due = int(self._owed + 1e-9)
        self._owed -= due
        return due

    def _can_sample(self) -> bool:
        return not isinstance(self.replay_buffer, EpisodeReplay) or self.replay_buffer.size() > 0

    def _explore(self, env: VecEnv) -> tuple[np.ndarray, np.ndarray]:
        actions, stored = self._sample_action(self.learning_starts, self.action_noise, env.num_envs)
        if self.random_actions:
            random = self._rng.random(env.num_envs) < self.random_actions
            for i in np.flatnonzero(random):
                actions[i] = self.action_space.sample()
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

        An update therefore never sees the transition that is under way; everything else is the
        order of SB3's loop.
        """
        total_timesteps, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        env = self.env
        self._rng = np.random.default_rng(self.seed)
        callback.on_training_start(locals(), globals())
        proceed = True
        while proceed and self.num_timesteps < total_timesteps:
            self.policy.set_training_mode(False)
            callback.on_rollout_start()
            actions, buffer_actions = self._explore(env)
            env.step_async(actions)
            if due := self._updates_due(env):
                self.train(due, self.batch_size)
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
        """Feeds the standardizing extractors; actor, critic and target share one set of numbers."""
        if not self._standardizers:
            return
        first, *others = self._standardizers
        first.observe(obs)
        for other in others:
            for mine, theirs in zip(other.buffers(), first.buffers(), strict=True):
                mine.copy_(theirs)

    # ---------------------------------------------------------------------------------- files

    _SETTINGS = (
        "learning_rate buffer_size learning_starts batch_size tau gamma gradient_steps ent_coef "
        "target_update_interval target_entropy tensorboard_log verbose seed "
        "updates_per_step random_actions channels_last autocast clip_target policy_kwargs "
        "replay_buffer_class replay_buffer_kwargs"
    ).split()
    _COUNTERS = ("num_timesteps", "_n_updates", "_episode_num", "_total_timesteps", "n_envs")

    def save(self, path: str | Path, exclude: Any = None, include: Any = None) -> Path:
        """Writes one file atomically: safetensors with a JSON header. The replay memory stays out.

        Args:
            path: ``.safetensors`` is added where there is no suffix.
            exclude: SB3's argument; not served.
            include: likewise.

        Returns:
            The path that was written.
        """
        if exclude or include:
            raise ValueError("received exclude or include; expected neither: the file is complete")
        settings = {name: getattr(self, name) for name in self._SETTINGS}
        if callable(self.learning_rate):
            settings["learning_rate"] = float(self.lr_schedule(self._current_progress_remaining))
        settings["target_entropy"] = float(self.target_entropy)
        settings["replay_buffer_kwargs"] = {
            k: v for k, v in self.replay_buffer_kwargs.items() if not callable(v)
        }
        settings["train_freq"] = self.train_freq.frequency
        settings["policy"] = self.policy_class
        counters = {name: getattr(self, name) for name in self._COUNTERS}
        return save_model(self, path, {**settings, "counters": counters})

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: Any = None,
        device: torch.device | str = "auto",
        custom_objects: dict[str, Any] | None = None,
        print_system_info: bool = False,
        force_reset: bool = True,
        **kwargs: Any,
    ) -> FastSAC:
        """Loads what :meth:`save` wrote. Nothing in the file is executed.

        Args:
            path: of the file.
            env: to go on training in; None to predict only.
            device: where the networks go.
            custom_objects: settings that replace those of the file, as in SB3.
            print_system_info: SB3's argument; ignored.
            force_reset: reset the environment before training goes on.
            **kwargs: likewise replace settings of the file; ``augment`` belongs here, since a
                function is not written.

        Raises:
            UserError: no such file, a foreign or damaged one, or another observation space.
        """
        settings, tensors = read_model(path)
        counters = settings.pop("counters")
        observation_space = settings.pop("observation_space")
        action_space = settings.pop("action_space")
        settings.update(custom_objects or {}, **kwargs)
        policy = settings.pop("policy")
        model = cls(policy, None, device=device, _init_setup_model=False, **settings)
        model.observation_space, model.action_space = observation_space, action_space
        for name, value in counters.items():
            setattr(model, name, value)
        if env is not None:
            env = cls._wrap_env(env, model.verbose)
            check_for_correct_spaces(env, observation_space, action_space)
            model.n_envs, model.env = env.num_envs, env
        model._setup_model()
        restore_networks(model, tensors)
        if force_reset:
            model._last_obs = None
        return model

    @classmethod
    def import_sb3(cls, path: str | Path, policy: Any, env: Any, **kwargs: Any) -> FastSAC:
        """Takes over the networks, optimizers and temperature of an SB3 SAC zip.

        The zip's settings are pickles and are not read: ``policy`` and ``policy_kwargs`` must name
        the networks that the zip holds.

        Raises:
            UserError: no SB3 zip, or its networks are others.
        """
        found = read_sb3_zip(path)
        if "log_ent_coef" not in found and str(kwargs.get("ent_coef", "auto")).startswith("auto"):
            raise UserError(f"{path} has a fixed temperature: pass ent_coef as a number")
        model = cls(policy, env, **kwargs)
        try:
            model.policy.load_state_dict(found["policy"])
        except RuntimeError as error:
            first = " ".join(str(error).split())[:300]
            raise UserError(
                f"{path} holds other networks ({first}): pass its policy and policy_kwargs"
            ) from error
        for name, optimizer in optimizers_of(model).items():
            name = "ent_coef_optimizer" if name == "ent_coef" else f"{name}.optimizer"
            if name in found:
                # The moments are the zip's; fused or not remains ours.
                optimizer.load_state_dict({**optimizer.state_dict(), "state": found[name]["state"]})
        if model.log_ent_coef is not None:
            with torch.no_grad():
                model.log_ent_coef.copy_(found["log_ent_coef"])
        model._make_update()
        return model

    def set_parameters(self, *args: Any, **kwargs: Any) -> None:
        """As in SB3."""
        super().set_parameters(*args, **kwargs)
        self._make_update()

    def save_replay_buffer(self, path: str | Path) -> None:
        """Writes the replay memory: safetensors for :class:`EpisodeReplay`, else as SB3 does."""
        if isinstance(self.replay_buffer, EpisodeReplay):
            self.replay_buffer.save(path)
        else:
            super().save_replay_buffer(path)

    def load_replay_buffer(self, path: str | Path, truncate_last_traj: bool = True) -> None:
        """Restores the replay memory."""
        if isinstance(self.replay_buffer, EpisodeReplay):
            self.replay_buffer.load(path)
        else:
            super().load_replay_buffer(path, truncate_last_traj)


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("fast_sac", title="FastSAC"))
