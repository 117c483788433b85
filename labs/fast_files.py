"""How FastSAC is saved and loaded: one file of safetensors with a JSON header, nothing pickled.

:class:`ModelFiles` replaces the files of SB3's ``SAC``; :mod:`labs.fast_io` reads and writes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.utils import check_for_correct_spaces

from labs.errors import UserError
from labs.fast_io import optimizers_of, read_model, read_sb3_zip, restore_networks, save_model
from labs.replay import EpisodeReplay


class ModelFiles:
    """Mixin for an SB3 ``SAC``: ``save``, ``load``, SB3's zips, the replay memory's file."""

    _SETTINGS = (
        "learning_rate buffer_size learning_starts batch_size tau gamma gradient_steps ent_coef "
        "target_update_interval target_entropy tensorboard_log verbose seed "
        "updates_per_step same_shift random_actions acting_ends reset_every channels_last autocast "
        "compile policy_kwargs replay_buffer_class replay_buffer_kwargs optimize_memory_usage"
    ).split()
    _COUNTERS = (
        "num_timesteps",
        "_n_updates",
        "_episode_num",
        "_total_timesteps",
        "_fresh_starts",
        "_owed",
        "n_envs",
    )

    def save(self, path: str | Path, exclude: Any = None, include: Any = None) -> Path:
        """Writes one file atomically: safetensors with a JSON header. The replay memory stays out,
        and so do ``augment``, ``bend``, ``action_noise``, ``acting_policy``, a learning rate that
        is a function, and the functions among ``replay_buffer_kwargs``: give them to :meth:`load`,
        which asks for the last two, and for a learning rate only where training goes on.

        Args:
            path: ``.safetensors`` is added where there is no suffix.
            exclude: SB3's argument; not served.
            include: likewise.

        Returns:
            The path that was written.

        Raises:
            ValueError: ``exclude`` or ``include``.
            TypeError: a setting or a space that JSON cannot describe.
        """
        if exclude or include:
            raise ValueError("received exclude or include; expected neither: the file is complete")
        settings = {name: getattr(self, name) for name in self._SETTINGS}
        if callable(self.learning_rate):
            settings["learning_rate"] = float(self.lr_schedule(self._current_progress_remaining))
        settings["scheduled"] = callable(self.learning_rate)
        settings["stats_window_size"] = self._stats_window_size
        settings["target_entropy"] = float(self.target_entropy)
        functions = [k for k, v in self.replay_buffer_kwargs.items() if callable(v)]
        settings["replay_buffer_kwargs"] = {
            k: v for k, v in self.replay_buffer_kwargs.items() if k not in functions
        }
        settings["not_written"] = functions
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
    ) -> Any:
        """Loads what :meth:`save` wrote. Nothing in the file is executed.

        Args:
            path: of the file.
            env: to go on training in; None to predict only.
            device: where the networks go.
            custom_objects: settings that replace those of the file, as in SB3.
            print_system_info: SB3's argument; ignored.
            force_reset: True only: the file holds networks, not the middle of an episode.
            **kwargs: likewise replace settings of the file; ``augment``, ``bend``,
                ``action_noise`` and ``acting_policy`` belong here, since functions and objects are
                not written. Of a memory with functions of its own ``replay_buffer_kwargs`` needs
                those alone.

        Raises:
            UserError: no such file, a foreign or damaged one, or a function that is not given
                again.
            ValueError: ``force_reset=False``, or an environment with other spaces.
        """
        if not force_reset:
            raise ValueError("received force_reset=False; expected True: no episode is in the file")
        settings, tensors = read_model(path)
        counters = settings.pop("counters")
        observation_space = settings.pop("observation_space")
        action_space = settings.pop("action_space")
        functions, saved = settings.pop("not_written", ()), dict(settings)
        known = {k: v for k, v in (custom_objects or {}).items() if k in settings}
        settings.update(known, **kwargs)  # SB3 drops custom objects that the file does not name
        given = {**(custom_objects or {}), **kwargs}
        if settings.pop("scheduled", False) and env is not None and "learning_rate" not in given:
            raise UserError(  # the value it had last may be 0, which learns nothing more
                f"{path} was saved with a learning rate that is a function, which no file holds: "
                "pass learning_rate to load()"
            )
        if settings["replay_buffer_class"] is saved["replay_buffer_class"]:
            _give_again(functions, settings, saved["replay_buffer_kwargs"], path)
        memory, asked = settings["replay_buffer_kwargs"], kwargs.get("replay_buffer_kwargs", ())
        if "gamma" in memory and "gamma" not in asked:
            settings["replay_buffer_kwargs"] = memory | {"gamma": settings["gamma"]}
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
        return model

    @classmethod
    def import_sb3(cls, path: str | Path, policy: Any, env: Any, **kwargs: Any) -> Any:
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
        model.make_update()
        return model

    def save_replay_buffer(self, path: str | Path) -> None:
        """Writes the replay memory: safetensors for ``EpisodeReplay``, else as SB3 does."""
        if isinstance(getattr(self, "replay_buffer", None), EpisodeReplay):
            self.replay_buffer.save(path)
        else:
            super().save_replay_buffer(path)

    def load_replay_buffer(self, path: str | Path, truncate_last_traj: bool = True) -> None:
        """Restores the replay memory, also where it was deleted to make room."""
        kind = self.replay_buffer_class
        if isinstance(kind, type) and issubclass(kind, EpisodeReplay):
            if getattr(self, "replay_buffer", None) is None:
                self.replay_buffer = kind(
                    self.buffer_size,
                    self.observation_space,
                    self.action_space,
                    device=self.device,
                    n_envs=self.n_envs,
                    **self.replay_buffer_kwargs,
                )
            self.replay_buffer.load(path)
        else:
            super().load_replay_buffer(path, truncate_last_traj)


def _give_again(
    functions: list[str], settings: dict[str, Any], saved: dict[str, Any], path: str | Path
) -> None:
    """Puts what was saved of a memory beside the functions that it had and no file holds.

    Without them the memory would answer in silence: its rewards, say, would be others.
    """
    given = settings["replay_buffer_kwargs"] or {}
    for name in functions:
        if name not in given:
            raise UserError(
                f"{path} was saved with a {name} of its own, which no file holds: give load() "
                f"replay_buffer_kwargs={{{name!r}: ...}}, or None there for the memory's"
            )
    if functions:
        settings["replay_buffer_kwargs"] = saved | given
