"""Distillation: a pixel policy that imitates a state policy (DAgger).

The teacher sees the state, the student never. The student acts, so the frames are those that its
own mistakes lead to; the teacher says what it would have done (Ross et al. 2011, arXiv 1011.0686).
The student learns by regression of actions: no reward, no critic. At first the teacher acts.
Pictures can be shifted, as in DrQ (Kostrikov et al. 2020, arXiv 2004.13649).

A round is 40 episodes and ``gradient_steps`` updates. Each round is saved, frames included; a
killed run goes on.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file

from labs.artifacts import code_state, flush_to_disk, load_artifact, sha256, write_atomically
from labs.errors import UserError
from labs.experiments import guards, processor
from labs.experiments.checkpoint import belongs, trained_otherwise
from labs.experiments.config import EPISODE_STEPS, EPISODES_OF_A_ROUND, RunConfig, rounds
from labs.experiments.done import lenders
from labs.experiments.environments import make_one
from labs.experiments.lessons import Lessons
from labs.experiments.models import autocast, products_in, random_shift
from labs.experiments.policies import WEIGHTS, TrainedPolicy, build_policy, load_policy
from labs.experiments.pretrained import refuse_other_teacher
from labs.experiments.run import Run
from labs.fast_networks import StandardizedExtractor
from labs.provenance import hardware
from labs.tasks import episode_of
from labs.tensor_files import save_tensors

NOISE = 0.2  # standard deviation of what is added to the acted, not to the taught, action


@dataclass
class Student:
    """What :func:`labs.experiments.finish.finish` needs of a model."""

    policy: Any
    observation_space: Any
    action_space: Any


class Distillation(Run):
    """A run of engine ``distill``. Arguments as of :class:`labs.experiments.run.Run`."""

    def __init__(self, config: RunConfig, **options: Any):
        super().__init__(config, **options)
        self.rounds = rounds(config)
        self.round = 0
        self.lessons: Any = None
        self._updates = 0
        self._store = self.folder / "lessons"
        self._files: dict[str, str] = {}  # what was saved: name → SHA-256

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        return self.lessons.episodes * EPISODE_STEPS

    @property
    def updates(self) -> int:
        """Updates so far."""
        return self._updates

    @property
    def last_step(self) -> int:
        """The environment steps of whole rounds."""
        return self.rounds * EPISODES_OF_A_ROUND * EPISODE_STEPS

    # ----- before the first step

    def _set_up(self) -> None:
        config = self.config
        processor.set_up(config.torch_threads)
        (name,) = lenders(config)
        refuse_other_teacher(config, name)
        self.teacher = load_policy(name)
        self.teacher_record = {
            "artifact": name,
            "weights_sha256": load_artifact(name).provenance["files"][WEIGHTS],
        }
        guards.check_resources(config, self.folder, restored=self._has_saved())
        if config.has_locator:
            self._ensure_locator()
        # One environment: its evaluations are played between two rounds.
        self.env = self.eval_env = make_one(config, for_training=True)
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
        self._resume()

    # ----- learning

    def _train(self) -> None:
        for number in range(self.round, self.rounds):
            self._round(number)
            if self._must_finish or number + 1 == self.rounds:
                return
            if self._must_stop:
                raise self._stopped(f"after round {number + 1} of {self.rounds}")

    def _round(self, number: int) -> None:
        first = self.lessons.episodes
        for episode in range(first, first + EPISODES_OF_A_ROUND):
            self._episode(episode, teacher_acts=number == 0)
            self._tell("collect")
        self.actor.train()
        generator = torch.Generator().manual_seed(self.config.seed * 10_000 + number)
        total = self.rounds * self.config.gradient_steps
        for _ in range(self.config.gradient_steps):
            share = 1 - self._updates / total  # linear decay
            self.optimizer.param_groups[0]["lr"] = self.config.learning_rate * max(share, 0.02)
            batch = self.lessons.sample(self.config.batch_size, generator)
            loss = self._loss(batch, generator)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self._updates += 1
        self.actor.eval()
        every = self.config.eval_every // (EPISODES_OF_A_ROUND * EPISODE_STEPS)
        due = (number + 1) % max(1, every) == 0
        if due or self._must_finish or number + 1 == self.rounds:
            self._measure({"actor_loss": float(loss.detach())})
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
        start, rng = episode_of(self.config.seed, episode)
        obs, _ = self.env.reset(seed=start)
        for step in range(EPISODE_STEPS):
            answer = self.teacher.predict(self.env.get_wrapper_attr("last_raw_obs"))
            self.lessons.put(step, obs, answer)
            for standardizer in self.standardizers:
                standardizer.observe({k: obs[k][None] for k in standardizer.keys})
            acted = answer if teacher_acts else self.student.predict(obs)
            acted = np.clip(acted + rng.normal(0, NOISE, 4), -1, 1).astype(np.float32)
            obs, *_ = self.env.step(acted)
        self.lessons.episodes += 1

    def _policy(self) -> TrainedPolicy:
        return self.student

    # ----- saving, and the end

    def _save(self, number: int, first: int) -> None:
        folder = self._store
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
        saved = self._progress() | {
            "round": number + 1,
            "updates": self._updates,
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
        found = {"commit": commit, "uncommitted_code": changed, "hardware": hardware()}
        return found | {"products_in": products_in(self.autocast)}

    def _resume(self) -> None:
        folder = self._store
        if not self._has_saved():
            if (folder / "round-0001.safetensors").exists():  # one round may have died unnoted
                raise self._damaged(folder / "state.json")
            return
        try:
            state = json.loads((folder / "state.json").read_text())
            ours = belongs(state, self.config)
            self._files = state.get("files", {})  # empty: saved before there were hashes
            self.round, self._updates = state["round"], state["updates"]
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            raise self._damaged(folder / "state.json") from None
        if not ours:
            raise UserError(
                f"{self.folder} holds a run with other settings: give its settings to go on with "
                "it, or --restart to drop it"
            )
        steps, otherwise = self.round * EPISODES_OF_A_ROUND * EPISODE_STEPS, []
        if "session" in state:
            products = self._session()["products_in"]
            otherwise = trained_otherwise(state["session"], steps, products)
        self._go_on(state, steps, otherwise)
        for number in range(self.round):
            self.lessons.add(self._checked(folder / f"round-{number:04d}.safetensors"))
        tensors = self._checked(folder / f"student-{self.round - 1:04d}.safetensors")
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

    def _has_saved(self) -> bool:
        return (self._store / "state.json").exists()

    def _drop_saved(self) -> None:
        shutil.rmtree(self._store, ignore_errors=True)

    def _learner(self) -> Student:
        return Student(self.student.sb3, self.space, self.env.action_space)

    def _record(self) -> dict[str, Any]:
        return {"teacher": self.teacher_record, "episodes_of_a_round": EPISODES_OF_A_ROUND}
