"""The life of a run, whatever it learns by: set up, learn, be measured, be stopped, be written."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labs.artifacts import (
    code_state,
    data_root,
    may_be_replaced,
    runs_root,
    utc_now,
    write_atomically,
)
from labs.experiments import guards
from labs.experiments.config import RunConfig
from labs.experiments.curve import curve_csv, curve_row, write_locating, write_progress
from labs.experiments.environments import CURVE_SEEDS
from labs.experiments.evaluate import run_episodes
from labs.experiments.finish import finish
from labs.experiments.locating import ensure_locator
from labs.experiments.policies import TrainedPolicy
from labs.experiments.stopping import (
    SAVE,
    Stopped,
    is_told_to_finish,
    launcher_is_gone,
    stop_on_signal,
)
from labs.experiments.validation import validate


class Run(ABC):
    """A run in progress; a way to learn is a subclass.

    Args:
        config: of the run.
        report: called with a dictionary (step, total, phase, ...) as the run goes on.
        restart: drop what an earlier, unfinished run saved.
        offset: of the seeds of curve and evaluation: a search has its own.

    Raises:
        UserError: the configuration contradicts itself.
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
        self.locator_s: float | None = None  # what the training of the locator took
        self.env: Any = None
        self.eval_env: Any = None
        self._report = report or (lambda progress: None)
        self._restart = restart
        self._offset = offset
        self._stop_signal: int | None = None
        self._is_set_up = False

    def run(self) -> Path:
        """Trains, evaluates, writes the artifact. Returns its folder.

        Raises:
            UserError: something that the reader can mend; Stopped after a signal.
        """
        with guards.usable(self.folder), guards.RunLock(self.folder):
            if self._restart:
                self._drop_saved()
            may_be_replaced(self.output, "training")
            code_state()
            self._clock = time.perf_counter()
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
                self._drop_saved()
            return path

    # ----- what a way to learn says

    @property
    @abstractmethod
    def steps(self) -> int:
        """Environment steps so far."""

    @property
    @abstractmethod
    def updates(self) -> int:
        """Updates so far."""

    @property
    def last_step(self) -> int:
        """The environment steps of the whole run."""
        return self.config.total_steps

    @abstractmethod
    def _set_up(self) -> None:
        """All that comes before the first step, and what earlier sessions saved."""

    @abstractmethod
    def _train(self) -> None:
        """The steps that are left, or fewer where it must finish; raises Stopped where it must."""

    @abstractmethod
    def _policy(self) -> TrainedPolicy:
        """As it stands, to be measured."""

    @abstractmethod
    def _learner(self) -> Any:
        """What :func:`labs.experiments.finish.finish` needs of a model."""

    @abstractmethod
    def _record(self) -> dict[str, Any]:
        """Entries of the provenance that runs of this kind alone have."""

    @abstractmethod
    def _has_saved(self) -> bool:
        """Whether an earlier session left something to go on from."""

    @abstractmethod
    def _drop_saved(self) -> None:
        """Deletes what earlier sessions saved."""

    def _release(self) -> None:  # noqa: B027 (a run may have nothing to release)
        """Gives back what the end of a run does not need; may be called twice."""

    # ----- before the first step

    def _ensure_locator(self) -> None:
        """Trains the locator if there is none yet; its time is told apart from the run's."""

        def tell(what: str, done: int, of: int) -> None:
            self._report(write_locating(self.folder, self.config.total_steps, what, done / of))

        self.locator_s = ensure_locator(self.config, tell)
        self._clock = time.perf_counter()

    def _progress(self) -> dict[str, Any]:
        """What :meth:`_go_on` wants of a session before, plain JSON."""
        return {
            "curve": self.curve,
            "wall_time_s": self.wall_time(),
            "started": self.started,
            "sessions": self.sessions,
            "notes": self.notes,
        }

    def _go_on(self, saved: Mapping[str, Any], step: int, otherwise: Sequence[str]) -> None:
        """Takes up a run at a step.

        Args:
            saved: by :meth:`_progress`; older distillations saved no times, sessions and notes.
            step: where it stopped.
            otherwise: notes of how the session before trained otherwise.
        """
        self.curve = saved["curve"]
        self.earlier_s = saved["wall_time_s"]
        self.started = saved.get("started", self.started)
        self.sessions = saved.get("sessions", 1) + 1
        before = saved.get("notes", ())
        self.notes = [*before, *self.notes, f"went on from step {step}", *otherwise]

    # ----- measuring and telling

    def wall_time(self) -> float:
        """Seconds of training and measuring, over all sessions of the run."""
        return self.earlier_s + time.perf_counter() - self._clock

    def _measure(
        self, losses: Mapping[str, float], train_success: float | None = None
    ) -> dict[str, Any]:
        """Adds a point to the learning curve, and returns it. Arguments as for curve_row."""
        first = CURVE_SEEDS + self._offset
        seeds = range(first, first + self.config.curve_episodes)
        row = curve_row(
            run_episodes(self._policy(), self.config, seeds, env=self.eval_env),
            step=self.steps,
            updates=self.updates,
            wall_time=self.wall_time(),
            losses=losses,
            train_success=train_success,
        )
        self.curve.append(row)
        write_atomically(self.folder / "curve.csv", curve_csv(self.curve))
        self._tell("train")
        return row

    def _tell(self, phase: str) -> None:
        progress = write_progress(
            self.folder,
            step=self.steps,
            total=self.config.total_steps,
            phase=phase,
            curve=self.curve,
            wall_time=self.wall_time(),
        )
        self._report(progress)

    # ----- stopping

    def _ask_to_stop(self, signal_number: int) -> None:
        self._stop_signal = signal_number
        if not self._is_set_up:  # a locator may take minutes, and nothing can be saved yet
            kept = "goes on from what it saved before"
            then = kept if self._has_saved() else "begins again, nothing was kept yet"
            raise Stopped(
                f"{self.config.run_name} stopped while it was set up: the same command {then}"
            )

    @property
    def _must_stop(self) -> bool:
        return self._stop_signal == SAVE or launcher_is_gone()

    @property
    def _must_finish(self) -> bool:
        return is_told_to_finish(self._stop_signal)

    def _stopped(self, where: str) -> Stopped:
        """The error of a run that has saved itself; ``where``: at or after what."""
        again = "the same command" + " without --restart" * self._restart
        return Stopped(f"{self.config.run_name} stopped {where} and saved itself: {again} goes on")

    # ----- the result

    @property
    def _ended_early(self) -> bool:
        return self.steps < self.last_step

    def _finish(self) -> Path:
        return finish(
            self.output,
            self.config,
            self._learner(),
            self.curve,
            steps=self.steps,
            updates=self.updates,
            wall_time=self.wall_time,
            ended_early=self._ended_early,
            offset=self._offset,
            extra={
                "started": self.started,
                "sessions": self.sessions,
                "notes": self.notes,
                "locator_time_s": self.locator_s,
                **self._record(),
            },
            tell=self._tell,
        )
