"""One training run: from its start, or from its last checkpoint, to a finished artifact."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from labs.artifacts import (
    code_state,
    data_root,
    json_text,
    may_be_replaced,
    runs_root,
    utc_now,
    write_atomically,
)
from labs.errors import UserError
from labs.experiments import checkpoint, guards
from labs.experiments.config import EPISODE_STEPS, RunConfig, learning_rate_at
from labs.experiments.curve import curve_csv, curve_row, write_locating, write_progress
from labs.experiments.stopping import SAVE, is_told_to_finish, launcher_is_gone, stop_on_signal
from labs.experiments.validation import validate

LARGEST_LOSS = 1e8


class Stopped(UserError):
    """The run was asked to stop, saved itself, and can go on."""


def same_command(restart: bool) -> str:
    """What goes on with a run that saved itself."""
    return "the same command" + " without --restart" * restart


def stopped_early(config: RunConfig, kept: bool) -> Stopped:
    """The error of a run that was stopped while set up; ``kept``: by an earlier session."""
    then = "goes on from what it saved before" if kept else "begins again, nothing was kept yet"
    return Stopped(f"{config.run_name} stopped while it was set up: the same command {then}")


class Diverged(UserError):
    """The losses or the weights of the run are no numbers any more."""


class Training:
    """A run in progress.

    Args:
        config: a valid configuration.
        report: called with a dictionary (step, total, phase, ...) as the run goes on.
        restart: drop the checkpoints of an earlier, unfinished run.
    """

    def __init__(
        self,
        config: RunConfig,
        report: Callable[[dict[str, Any]], None] | None = None,
        restart: bool = False,
        offset: int = 0,
    ):
        self.config = validate(config)
        self.folder = runs_root() / config.run_name
        self.output = data_root() / config.run_name
        self.curve: list[dict[str, Any]] = []
        self.earlier_s = 0.0  # wall time of earlier sessions of this run
        self.sessions = 1
        self.started = utc_now()
        self.notes: list[str] = []
        self._report = report or (lambda progress: None)
        self._restart = restart
        self._offset = offset  # of the seeds of curve and evaluation: a search has its own
        self._stop_signal: int | None = None
        self._is_set_up = False
        self.env: Any = None
        self.eval_env: Any = None
        self.model: Any = None
        self._pieces: list[dict[str, Any]] = []
        self._locator: Any = None  # reads the frames of an evaluation
        self._locator_sha256: str | None = None  # a run that goes on wants the same eye
        self.locator_s: float | None = None  # what the training of the locator took
        self._lent: dict[str, dict[str, str]] = {}  # what other runs lent: for the provenance
        self._latest: dict[str, float] = {}  # losses of the fast engine
        self._released = False

    # ----- the way through a run

    def run(self) -> Path:
        """Trains, evaluates, writes the artifact. Returns its folder.

        Raises:
            UserError: something that the reader can mend; Stopped after a signal.
        """
        with guards.usable(self.folder), guards.RunLock(self.folder):
            if self._restart:
                self._drop_checkpoints()
            may_be_replaced(self.output, "training")
            code_state()
            self._start_clock = time.perf_counter()
            with stop_on_signal(self._ask_to_stop):
                try:
                    self._set_up()
                    self._is_set_up = True
                    self._train()
                    self._release()
                    path = self._finish()
                finally:
                    self._release()
                    if self.eval_env is not None:
                        self.eval_env.close()
            if not self._ended_early:  # else a later command may go on
                self._drop_checkpoints()
            return path

    @property
    def _ended_early(self) -> bool:
        return self.model.num_timesteps < self.config.total_steps

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

    def _drop_checkpoints(self) -> None:
        for path in checkpoint.folders(self.folder):
            shutil.rmtree(path)
        shutil.rmtree(self.folder / "replay", ignore_errors=True)

    def _set_up(self) -> None:

        from labs.experiments import environments, models, processor
        from labs.experiments.pretrained import lend_acting_policy, lend_encoder

        config = self.config
        processor.set_up(config.torch_threads)
        found, problems = checkpoint.find(self.folder, config)
        self.notes += [f"skipped a checkpoint: {p}" for p in problems]
        guards.check_resources(config, self.folder, restored=found is not None)
        if config.has_locator:
            self._prepare_locator()
        torch.set_num_threads(processor.learner_threads(config))  # the workers need cores as well
        steps = int(found.name[5:]) if found else 0
        self.env = environments.make_training_env(config, steps // (EPISODE_STEPS * config.n_envs))
        self.model = models.build(config, self.env)
        if config.pretrained_encoder:
            self._lent["encoder_from"] = lend_encoder(self.model, config)
        if config.acting_policy:
            self._lent["acting_from"] = lend_acting_policy(self.model, config)
        self._set_up_logger()
        self.eval_env = environments.make_one(config)
        write_atomically(self.folder / "config.json", json_text(config.as_dict()))
        if found is None:
            return
        progress, self._pieces = checkpoint.restore(self.model, self.folder, found)
        if progress.get("locator_sha256", self._locator_sha256) != self._locator_sha256:
            raise UserError(
                f"{config.run_name} began with another locator than lies in {data_root()} now: put "
                "that one back, or give --restart"
            )
        self.curve = progress["curve"]
        self.earlier_s = progress["wall_time_s"]
        self.sessions = progress["sessions"] + 1
        self.started = progress["started"]
        self.notes = progress["notes"] + self.notes
        self.notes.append(f"went on from step {steps}")
        self.notes += checkpoint.other_session(found, self.model)
        if not config.save_replay:
            self._refill(steps)

    def _prepare_locator(self) -> None:
        """Trains the locator if there is none yet; its time is told apart from the run's."""
        from labs.experiments.locating import ensure_locator, load_locator

        def tell(what: str, done: int, of: int) -> None:
            self._report(write_locating(self.folder, self.config.total_steps, what, done / of))

        self.locator_s = ensure_locator(self.config, tell)
        self._locator, self._locator_sha256 = load_locator(self.config)
        self._start_clock = time.perf_counter()

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

    def _set_up_logger(self) -> None:
        from stable_baselines3.common.logger import configure

        self.model.set_logger(configure(str(self.folder / "tensorboard"), _tensorboard()))

    def _train(self) -> None:
        config, model = self.config, self.model
        chunk = EPISODE_STEPS * config.n_envs
        if not self.curve:
            self._measure()
        last = model.num_timesteps >= config.total_steps
        while not last:
            before = model.num_timesteps
            self._learn(chunk)
            self._check_losses()
            step = model.num_timesteps
            last = step >= config.total_steps or is_told_to_finish(self._stop_signal)
            if last or step // config.eval_every > before // config.eval_every:
                self._measure()
            self._tell("train")
            stopping = self._stop_signal == SAVE or launcher_is_gone()
            due = step // config.checkpoint_every > before // config.checkpoint_every
            if due or stopping or last:
                self._save()
            if stopping and not last:
                raise Stopped(
                    f"{config.run_name} stopped at step {step:,} and saved itself: "
                    f"{same_command(self._restart)} goes on"
                )

    def _learn(self, steps: int) -> None:
        """A few episodes of training."""
        if self.config.anneal:  # SB3's own schedules end with each call of learn
            rate = learning_rate_at(self.config, self.model.num_timesteps)
            self.model.lr_schedule = lambda _: rate
        try:
            first = self.model.num_timesteps == 0
            self.model.learn(steps, reset_num_timesteps=first, log_interval=None)
        except ValueError as error:  # torch's distributions refuse a mean that is no number
            weights = self.model.policy.state_dict().values()
            if all(bool(w.isfinite().all()) for w in weights):
                raise
            self._diverged("weights that are no numbers", error)

    # ----- measuring

    def _measure(self) -> None:
        """Adds a point to the learning curve."""
        from labs.experiments.environments import CURVE_SEEDS
        from labs.experiments.evaluate import run_episodes

        first = CURVE_SEEDS + self._offset
        seeds = range(first, first + self.config.curve_episodes)
        found = run_episodes(self._live_policy(), self.config, seeds, env=self.eval_env)
        losses = self._losses()
        recent = list(self.model.ep_success_buffer or ())
        row = curve_row(
            found,
            step=self.model.num_timesteps,
            updates=self.model._n_updates,
            wall_time=self.wall_time(),
            losses=losses,
            train_success=float(sum(recent) / len(recent)) if recent else None,
        )
        self.curve.append(row)
        write_atomically(self.folder / "curve.csv", curve_csv(self.curve))
        self.model.logger.record("eval/success_rate", row["success"])
        if recent:
            self.model.logger.record("rollout/success_rate", row["train_success"])
        self.model.logger.dump(self.model.num_timesteps)
        self._tell("train")

    def _live_policy(self):
        from labs.experiments.policies import TrainedPolicy

        self.model.policy.set_training_mode(False)
        return TrainedPolicy(self.config, self.model.policy, self._locator)

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
            f"{self.config.run_name} diverged at step {self.model.num_timesteps:,} ({what}), "
            f"{where}: lower --learning-rate and give --restart"
        ) from cause

    def wall_time(self) -> float:
        """Seconds of training and measuring, over all sessions of the run."""
        return self.earlier_s + time.perf_counter() - self._start_clock

    # ----- saving, stopping, telling

    def _ask_to_stop(self, signal_number: int) -> None:
        self._stop_signal = signal_number
        if not self._is_set_up:  # a locator may take minutes, and nothing can be saved yet
            raise stopped_early(self.config, bool(checkpoint.folders(self.folder)))

    def _save(self) -> None:
        self._pieces = checkpoint.save(
            self.model,
            self.folder,
            config=self.config,
            progress={
                "curve": self.curve,
                "wall_time_s": self.wall_time(),
                "started": self.started,
                "sessions": self.sessions,
                "notes": self.notes,
                "locator_sha256": self._locator_sha256,
            },
            pieces=self._pieces,
            keep_replay=self.config.save_replay,
        )

    def _tell(self, phase: str) -> None:
        progress = write_progress(
            self.folder,
            step=self.model.num_timesteps,
            total=self.config.total_steps,
            phase=phase,
            curve=self.curve,
            wall_time=self.wall_time(),
        )
        self._report(progress)

    # ----- the result

    def _finish(self) -> Path:
        from labs.experiments.finish import finish

        return finish(
            self.output,
            self.config,
            self.model,
            self.curve,
            steps=self.model.num_timesteps,
            updates=self.model._n_updates,
            wall_time=self.wall_time,
            ended_early=self._ended_early,
            offset=self._offset,
            extra={
                "started": self.started,
                "sessions": self.sessions,
                "notes": self.notes,
                "locator_time_s": self.locator_s,
                **self._lent,
            },
            tell=self._tell,
        )


def _tensorboard() -> list[str]:
    """TensorBoard's files, only when asked for: a run writes nothing that nobody reads."""
    return ["tensorboard"] if os.environ.get("PIXELS_TENSORBOARD") else []


def train(config: RunConfig, **options: Any) -> Path:
    """Runs one training to its artifact. See :class:`Training`."""
    if config.engine == "distill":
        from labs.experiments.distill import Distillation

        return Distillation(validate(config), **options).run()
    return Training(config, **options).run()
