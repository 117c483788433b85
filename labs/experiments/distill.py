"""Distillation: a pixel policy that imitates a state policy (DAgger, Ross et al. 2011).

The teacher sees the state, which the student never does. The student acts, so that the frames are
those that its own mistakes lead to; the teacher says what it would have done there (Ross, Gordon
and Bagnell 2011, arXiv 1011.0686). The student learns by plain regression of actions: no reward,
no critic. In the first round the teacher acts. Pictures can be shifted at random when they are
learned from, as in DrQ (Kostrikov et al. 2020, arXiv 2004.13649); vectors and answers stay.

A round is 40 episodes and ``gradient_steps`` updates. Each round is saved, frames included; a
killed run goes on from its last round, after checking every file's SHA-256.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file

from labs.artifacts import (
    code_state,
    data_root,
    flush_to_disk,
    load_artifact,
    may_be_replaced,
    runs_root,
    sha256,
    utc_now,
    write_atomically,
)
from labs.errors import UserError
from labs.experiments import guards, processor
from labs.experiments.checkpoint import belongs, trained_otherwise
from labs.experiments.config import EPISODE_STEPS, EPISODES_OF_A_ROUND, RunConfig, rounds
from labs.experiments.curve import curve_row, write_locating, write_progress
from labs.experiments.done import lenders
from labs.experiments.finish import finish
from labs.experiments.lessons import Lessons
from labs.experiments.locating import ensure_locator
from labs.experiments.models import autocast, random_shift
from labs.experiments.stopping import is_told_to_finish, launcher_is_gone, stop_on_signal
from labs.experiments.train import Stopped, same_command, stopped_early
from labs.fast_networks import StandardizedExtractor
from labs.provenance import hardware
from labs.tensor_files import save_tensors

NOISE = 0.2  # standard deviation of what is added to the acted, not to the taught, action


@dataclass
class Student:
    """What :func:`labs.experiments.finish.finish` needs of a model."""

    policy: Any
    observation_space: Any
    action_space: Any


class Distillation:
    """A run in progress, with the interface of :class:`labs.experiments.train.Training`.

    Args:
        config: a valid configuration with ``engine="distill"``.
        report: called with a dictionary as the run goes on.
        restart: drop an earlier, unfinished run.
    """

    def __init__(
        self,
        config: RunConfig,
        report: Callable[[dict[str, Any]], None] | None = None,
        restart: bool = False,
    ):
        self.config = config
        self.folder = runs_root() / config.run_name
        self.output = data_root() / config.run_name
        self.rounds = rounds(config)
        self.state: dict[str, Any] = {"round": 0, "updates": 0, "curve": [], "wall_time_s": 0.0}
        self._report = report or (lambda progress: None)
        self._restart = restart
        self._stop_signal: int | None = None
        self._is_set_up = False
        self._files: dict[str, str] = {}  # what was saved: name → SHA-256
        self.env: Any = None
        self.locator_s: float | None = None

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        return self.lessons.episodes * EPISODE_STEPS

    def run(self) -> Path:
        """Teaches, evaluates, writes the artifact. Returns its folder.

        Raises:
            UserError: no teacher; Stopped after a signal, when the run has saved itself.
        """
        with guards.usable(self.folder), guards.RunLock(self.folder):
            if self._restart:
                shutil.rmtree(self.folder / "lessons", ignore_errors=True)
            may_be_replaced(self.output, "training")
            code_state()
            self._clock = time.perf_counter()
            with stop_on_signal(self._ask_to_stop):
                try:
                    self._set_up()
                    self._is_set_up = True
                    self._teach()
                finally:
                    if self.env is not None:
                        self.env.close()
                self._finish()
            if not self._ended_early:  # else a later command may go on
                shutil.rmtree(self.folder / "lessons", ignore_errors=True)
            return self.output

    def _ask_to_stop(self, signal_number: int) -> None:
        self._stop_signal = signal_number
        if not self._is_set_up:
            raise stopped_early(self.config, (self.folder / "lessons" / "state.json").exists())

    def _finish(self) -> None:
        finish(
            self.output,
            self.config,
            Student(self.student.sb3, self.space, self.env.action_space),
            self.state["curve"],
            steps=self.steps,
            updates=self.state["updates"],
            wall_time=self.wall_time,
            ended_early=self._ended_early,
            extra={
                "started": self.state["started"],
                "sessions": self.state["sessions"],
                "notes": self.state["notes"],
                "teacher": self.teacher_record,
                "locator_time_s": self.locator_s,
                "episodes_of_a_round": EPISODES_OF_A_ROUND,
            },
            tell=self._tell,
        )

    @property
    def _ended_early(self) -> bool:
        return self.lessons.episodes < self.rounds * EPISODES_OF_A_ROUND

    def _teach(self) -> None:
        """The rounds that are left, until somebody says stop (Stopped) or finish now."""
        for number in range(self.state["round"], self.rounds):
            self._round(number)
            if is_told_to_finish(self._stop_signal) or number + 1 == self.rounds:
                return
            if self._stop_signal is not None or launcher_is_gone():
                raise Stopped(
                    f"{self.config.run_name} stopped after round {number + 1} of "
                    f"{self.rounds} and saved itself: {same_command(self._restart)} goes on"
                )

    def wall_time(self) -> float:
        """Seconds, over all parts of a run that was interrupted."""
        return self.state["wall_time_s"] + time.perf_counter() - self._clock

    def _set_up(self) -> None:
        from labs.experiments.environments import make_one
        from labs.experiments.policies import TrainedPolicy, build_policy, load_policy

        config = self.config
        processor.set_up(config.torch_threads)
        (name,) = lenders(config)
        self.teacher = load_policy(name)
        self.teacher_record = {
            "artifact": name,
            "weights_sha256": load_artifact(name).provenance["files"]["weights.safetensors"],
        }
        self._check_teacher(name)
        resumed = (self.folder / "lessons" / "state.json").exists()
        guards.check_resources(config, self.folder, restored=resumed)
        if config.has_locator:

            def tell(what: str, done: int, of: int) -> None:
                self._report(write_locating(self.folder, config.total_steps, what, done / of))

            self.locator_s = ensure_locator(config, tell)
            self._clock = time.perf_counter()  # its time is told apart
        self.env = make_one(config, locate=True)
        self.space = self.env.observation_space
        torch.manual_seed(config.seed)  # here: a locator that is trained above draws numbers too
        policy = build_policy(config, self.space, self.env.action_space)
        self.student = TrainedPolicy(config, policy)
        self.actor = policy.actor.to(memory_format=torch.channels_last)  # faster convolutions
        self.autocast = autocast(config.precision, "cpu")
        self.augment = random_shift(config)
        self.optimizer = torch.optim.Adam(self.actor.parameters(), lr=config.learning_rate)
        self.standardizers = [
            m for m in self.actor.modules() if isinstance(m, StandardizedExtractor)
        ]
        self.lessons = Lessons(self.space, self.rounds * EPISODES_OF_A_ROUND)
        self.state |= {"started": utc_now(), "sessions": 1, "notes": []}
        self._resume()

    def _check_teacher(self, name: str) -> None:
        """Before anything is trained: a teacher of this task that is told the state."""
        theirs = self.teacher.config
        if (theirs.task, theirs.observation) != (self.config.task, "state"):
            raise UserError(
                f"the teacher {name} plays {theirs.task} from {theirs.observation}: give "
                f"--teacher an arm that plays {self.config.task} from the state"
            )

    # ----- one round

    def _round(self, number: int) -> None:
        first = self.lessons.episodes
        for episode in range(first, first + EPISODES_OF_A_ROUND):
            self._episode(episode, teacher_acts=number == 0)
            self._tell("collect")
        self.actor.train()
        generator = torch.Generator().manual_seed(self.config.seed * 10_000 + number)
        total = self.rounds * self.config.gradient_steps
        for _ in range(self.config.gradient_steps):
            share = 1 - self.state["updates"] / total  # linear decay
            self.optimizer.param_groups[0]["lr"] = self.config.learning_rate * max(share, 0.02)
            batch = self.lessons.sample(self.config.batch_size, generator)
            loss = self._loss(batch, generator)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self.state["updates"] += 1
        self.actor.eval()
        every = self.config.eval_every // (EPISODES_OF_A_ROUND * EPISODE_STEPS)
        due = (number + 1) % max(1, every) == 0
        if due or is_told_to_finish(self._stop_signal) or number + 1 == self.rounds:
            self._measure(float(loss.detach()))
        self._save(number, first)

    def _loss(self, batch: dict[str, torch.Tensor], generator: torch.Generator) -> torch.Tensor:
        """How far the student's mean actions are from the teacher's answers."""
        answer = batch.pop("teacher")
        if self.augment is not None:  # the picture moves; joints, goal and answer stay
            batch["pixels"] = self.augment(batch["pixels"], generator)
        with torch.autocast("cpu", self.autocast, enabled=self.autocast is not None):
            mean, _, _ = self.actor.get_action_dist_params(batch)
        return F.mse_loss(torch.tanh(mean.float()), answer)

    def _episode(self, episode: int, teacher_acts: bool) -> None:
        """Plays one episode; the teacher answers at every step."""
        sequence = np.random.SeedSequence([self.config.seed, episode])
        rng = np.random.default_rng(sequence)
        obs, _ = self.env.reset(seed=int(sequence.generate_state(1)[0]))
        for step in range(EPISODE_STEPS):
            answer = self.teacher.predict(self.env.get_wrapper_attr("last_raw_obs"))
            self.lessons.put(step, obs, answer)
            for standardizer in self.standardizers:
                standardizer.observe({k: obs[k][None] for k in standardizer.keys})
            acted = answer if teacher_acts else self.student.predict(obs)
            acted = np.clip(acted + rng.normal(0, NOISE, 4), -1, 1).astype(np.float32)
            obs, *_ = self.env.step(acted)
        self.lessons.episodes += 1

    def _measure(self, loss: float) -> None:
        from labs.experiments.environments import CURVE_SEEDS
        from labs.experiments.evaluate import run_episodes

        seeds = range(CURVE_SEEDS, CURVE_SEEDS + self.config.curve_episodes)
        found = run_episodes(self.student, self.config, seeds, env=self.env)
        row = curve_row(
            found,
            step=self.steps,
            updates=self.state["updates"],
            wall_time=self.wall_time(),
            losses={"actor_loss": loss},
        )
        self.state["curve"].append(row)
        self._tell("train")

    # ----- saving

    def _save(self, number: int, first: int) -> None:
        folder = self.folder / "lessons"
        folder.mkdir(parents=True, exist_ok=True)
        lessons = folder / f"round-{number:04d}.safetensors"
        self.lessons.save(lessons, first)
        tensors = {f"actor.{k}": v.contiguous() for k, v in self.actor.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{k}": v.contiguous() for k, v in state.items()}
        name = f"student-{number:04d}.safetensors"
        save_tensors(tensors, folder / name)
        before = f"student-{number - 1:04d}.safetensors"
        self._files |= {path.name: sha256(path) for path in (lessons, folder / name)}
        self._files.pop(before, None)
        saved = self.state | {
            "round": number + 1,
            "wall_time_s": self.wall_time(),
            "config": self.config.digest(),
            "settings": self.config.as_dict(),
            "files": self._files,
            "session": self._session(),
        }
        write_atomically(folder / "state.json", json.dumps(saved))
        flush_to_disk(folder)  # else a power cut could leave the old state without its student
        (folder / before).unlink(missing_ok=True)

    def _session(self) -> dict[str, Any]:
        """What a session trains with, for the notes of one that goes on."""
        commit, changed = code_state()
        products = str(self.autocast or torch.float32).removeprefix("torch.")
        found = {"commit": commit, "uncommitted_code": changed, "hardware": hardware()}
        return found | {"products_in": products}

    def _resume(self) -> None:
        folder = self.folder / "lessons"
        if not (folder / "state.json").exists():
            if (folder / "round-0001.safetensors").exists():  # one round may have died unnoted
                raise self._damaged(folder / "state.json")
            return
        try:
            state = json.loads((folder / "state.json").read_text())
            self._files = state.pop("files", {})  # empty: saved before there were hashes
            session = state.pop("session", None)
            saved = {key: state.pop(key) for key in ("config", "settings") if key in state}
            ours = belongs(saved, self.config)
        except (OSError, ValueError, KeyError, AttributeError):
            raise self._damaged(folder / "state.json") from None
        if not ours:
            raise UserError(
                f"{self.folder} holds a run with other settings: give its settings to go on with "
                "it, or --restart to drop it"
            )
        steps = state["round"] * EPISODES_OF_A_ROUND * EPISODE_STEPS
        notes = [*state.get("notes", ()), f"went on from step {steps}"]
        if session is not None:
            notes += trained_otherwise(session, steps, self._session()["products_in"])
        self.state = state | {"sessions": state.get("sessions", 1) + 1, "notes": notes}
        for number in range(state["round"]):
            self.lessons.add(self._checked(folder / f"round-{number:04d}.safetensors"))
        tensors = self._checked(folder / f"student-{state['round'] - 1:04d}.safetensors")
        self.actor.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("actor.")})
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("adam."):
                _, index, name = key.split(".")
                moments.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})

    def _checked(self, path: Path) -> dict[str, torch.Tensor]:
        """The tensors of a saved file, whose SHA-256 must be the one that was noted."""
        try:
            if self._files.get(path.name) not in (None, sha256(path)):
                raise self._damaged(path)
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise self._damaged(path) from error

    def _damaged(self, path: Path) -> UserError:
        return UserError(
            f"{path} is missing or damaged, and {self.config.run_name} cannot go on from it: give "
            "--restart to begin again"
        )

    def _tell(self, phase: str) -> None:
        progress = write_progress(
            self.folder,
            step=self.steps,
            total=self.config.total_steps,
            phase=phase,
            curve=self.state["curve"],
            wall_time=self.wall_time(),
        )
        self._report(progress)
