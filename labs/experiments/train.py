"""A training by reward: from its start, or from its last checkpoint, to a finished artifact."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.logger import configure

from labs.artifacts import data_root, json_text, write_atomically
from labs.errors import UserError
from labs.experiments import checkpoint, environments, guards, models, processor
from labs.experiments.config import EPISODE_STEPS, RunConfig, learning_rate_at
from labs.experiments.distill import Distillation
from labs.experiments.locating import load_locator
from labs.experiments.policies import TrainedPolicy
from labs.experiments.pretrained import lend_acting_policy, lend_encoder
from labs.experiments.run import Run

LARGEST_LOSS = 1e8


class Diverged(UserError):
    """The losses or the weights of the run are no numbers any more."""


class Training(Run):
    """A run of SAC and HER, on Stable-Baselines3 or on the fast engine. Arguments as of Run."""

    def __init__(self, config: RunConfig, **options: Any):
        super().__init__(config, **options)
        self.model: Any = None
        self._pieces: list[dict[str, Any]] = []
        self._locator: Any = None  # reads the frames of an evaluation
        self._locator_sha256: str | None = None  # a run that goes on wants the same eye
        self._lent: dict[str, dict[str, str]] = {}  # what other runs lent: for the provenance
        self._latest: dict[str, float] = {}  # losses of the fast engine
        self._released = False

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        return self.model.num_timesteps

    @property
    def updates(self) -> int:
        """Updates so far."""
        return self.model._n_updates

    # ----- before the first step

    def _set_up(self) -> None:
        config = self.config
        processor.set_up(config.torch_threads)
        found, problems = checkpoint.find(self.folder, config)
        self.notes += [f"skipped a checkpoint: {p}" for p in problems]
        guards.check_resources(config, self.folder, restored=found is not None)
        if config.has_locator:
            self._ensure_locator()
            self._locator, self._locator_sha256 = load_locator(config)
        torch.set_num_threads(processor.learner_threads(config))  # the workers need cores as well
        steps = checkpoint.step_of(found) if found else 0
        self.env = environments.make_training_env(config, steps // (EPISODE_STEPS * config.n_envs))
        self.model = models.build(config, self.env)
        if config.pretrained_encoder:
            self._lent["encoder_from"] = lend_encoder(self.model, config)
        if config.acting_policy:
            self._lent["acting_from"] = lend_acting_policy(self.model, config)
        self.model.set_logger(configure(str(self.folder / "tensorboard"), _tensorboard()))
        self.eval_env = environments.make_one(config)
        write_atomically(self.folder / "config.json", json_text(config.as_dict()))
        if found is not None:
            self._resume(found, steps)

    def _resume(self, found: Path, steps: int) -> None:
        progress, self._pieces = checkpoint.restore(self.model, self.folder, found)
        if progress.get("locator_sha256", self._locator_sha256) != self._locator_sha256:
            raise UserError(
                f"{self.config.run_name} began with another locator than lies in {data_root()} "
                "now: put that one back, or give --restart"
            )
        self._go_on(progress, steps, checkpoint.other_session(found, self.model))
        if not self.config.save_replay:
            self._refill(steps)

    def _refill(self, steps: int) -> None:
        """Without a saved memory: fills it with the trained policy before the next update."""
        self.model.learning_starts = steps + self.config.learning_starts
        # SB3 acts at random before learning_starts; here the trained policy acts instead.
        sample = self.model._sample_action
        self.model._sample_action = lambda starts, *a, **k: sample(0, *a, **k)
        self.notes.append(
            f"the replay memory was refilled with {self.config.learning_starts} steps of the "
            "trained policy"
        )

    # ----- learning

    def _train(self) -> None:
        config = self.config
        if not self.curve:
            self._measure_now()
        last = not self._ended_early
        while not last:
            before = self.steps
            self._learn(EPISODE_STEPS * config.n_envs)
            self._check_losses()
            step = self.steps
            last = step >= self.last_step or self._must_finish
            if last or step // config.eval_every > before // config.eval_every:
                self._measure_now()
            self._tell("train")
            stopping = self._must_stop
            due = step // config.checkpoint_every > before // config.checkpoint_every
            if due or stopping or last:
                self._save()
            if stopping and not last:
                raise self._stopped(f"at step {step:,}")

    def _learn(self, steps: int) -> None:
        """A few episodes of training."""
        if self.config.anneal:  # SB3's own schedules end with each call of learn
            rate = learning_rate_at(self.config, self.steps)
            self.model.lr_schedule = lambda _: rate
        try:
            self.model.learn(steps, reset_num_timesteps=self.steps == 0, log_interval=None)
        except ValueError as error:  # torch's distributions refuse a mean that is no number
            weights = self.model.policy.state_dict().values()
            if all(bool(w.isfinite().all()) for w in weights):
                raise
            self._diverged("weights that are no numbers", error)

    def _losses(self) -> dict[str, float]:
        """The latest losses; of the fast engine, their means since the last episode."""
        if not hasattr(self.model, "take_losses"):
            values = self.model.logger.name_to_value
            return {k[6:]: float(v) for k, v in values.items() if k.startswith("train/")}
        if losses := self.model.take_losses():
            self._latest = losses
            for name, value in losses.items():
                self.model.logger.record(f"train/{name}", value)
        return self._latest

    def _check_losses(self) -> None:
        """Stops a run whose losses are no numbers any more."""
        losses = self._losses()
        for name in ("critic_loss", "actor_loss"):
            value = float(losses.get(name, 0.0))
            if not math.isfinite(value) or abs(value) > LARGEST_LOSS:
                self._diverged(f"{name} = {value:g}")

    def _diverged(self, what: str, cause: Exception | None = None) -> None:
        kept = checkpoint.folders(self.folder)
        where = f"the last good checkpoint is {kept[0]}" if kept else "there is no checkpoint yet"
        raise Diverged(
            f"{self.config.run_name} diverged at step {self.steps:,} ({what}), {where}: lower "
            "--learning-rate and give --restart"
        ) from cause

    def _measure_now(self) -> None:
        recent = list(self.model.ep_success_buffer or ())
        row = self._measure(self._losses(), sum(recent) / len(recent) if recent else None)
        self.model.logger.record("eval/success_rate", row["success"])
        if recent:
            self.model.logger.record("rollout/success_rate", row["train_success"])
        self.model.logger.dump(self.steps)

    def _policy(self) -> TrainedPolicy:
        self.model.policy.set_training_mode(False)
        return TrainedPolicy(self.config, self.model.policy, self._locator)

    # ----- saving, and the end

    def _save(self) -> None:
        self._pieces = checkpoint.save(
            self.model,
            self.folder,
            config=self.config,
            progress=self._progress() | {"locator_sha256": self._locator_sha256},
            pieces=self._pieces,
            keep_replay=self.config.save_replay,
        )

    def _has_saved(self) -> bool:
        return bool(checkpoint.folders(self.folder))

    def _drop_saved(self) -> None:
        for path in checkpoint.folders(self.folder):
            shutil.rmtree(path)
        shutil.rmtree(self.folder / "replay", ignore_errors=True)

    def _release(self) -> None:
        """Workers and memory: an evaluation needs neither, and other runs may wait for them."""
        if self.env is None or self._released:
            return
        self._released = True
        if self.model is None:
            self.env.close()
        else:
            self.model.env.close()
            self.model.replay_buffer = None
        torch.cuda.empty_cache()  # nothing where there is no GPU

    def _learner(self) -> Any:
        return self.model

    def _record(self) -> dict[str, Any]:
        return self._lent


def _tensorboard() -> list[str]:
    """TensorBoard's files, only when asked for: a run writes nothing that nobody reads."""
    return ["tensorboard"] if os.environ.get("PIXELS_TENSORBOARD") else []


def train(config: RunConfig, **options: Any) -> Path:
    """Takes one run to its artifact. See :class:`labs.experiments.run.Run`."""
    way = Distillation if config.engine == "distill" else Training
    return way(config, **options).run()
