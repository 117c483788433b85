"""Distillation: a pixel policy that imitates a state policy (DAgger, Ross et al. 2011).

The teacher sees the state, which the student never does. The student acts, so that the frames are
those that its own mistakes lead to; the teacher says what it would have done there (Ross, Gordon
and Bagnell 2011, arXiv 1011.0686). The student learns by plain regression of actions: no reward,
no critic. In the first round the teacher acts.

A round is 40 episodes and ``gradient_steps`` updates. Each round is saved, frames included; a
killed run goes on from its last round.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from labs.artifacts import data_root, load_artifact, utc_now, write_atomically
from labs.errors import UserError
from labs.experiments import guards
from labs.experiments.config import EPISODE_STEPS, RunConfig
from labs.experiments.finish import finish
from labs.experiments.locating import ensure_locator
from labs.experiments.stopping import launcher_is_gone, stop_on_signal
from labs.fast_networks import StandardizedExtractor

EPISODES_OF_A_ROUND = 40
NOISE = 0.2  # standard deviation of what is added to the acted, not to the taught, action


@dataclass
class Student:
    """What :func:`labs.experiments.finish.finish` needs of a model."""

    policy: Any
    observation_space: Any
    action_space: Any


class Lessons:
    """What the student has seen: each frame once, the vectors, and the teacher's answer.

    Args:
        space: of the student's observations.
        episodes: how many will come.
    """

    def __init__(self, space: Any, episodes: int):
        shape = (episodes, EPISODE_STEPS)
        self.tensors: dict[str, torch.Tensor] = {}
        for key, part in space.spaces.items():
            if key == "pixels":
                channels, height, width = part.shape
                self.stack = channels // 3
                self.tensors[key] = torch.empty((*shape, 3, height, width), dtype=torch.uint8)
            else:
                self.tensors[key] = torch.empty((*shape, *part.shape))
        self.tensors["teacher"] = torch.empty((*shape, 4))
        self.episodes = 0

    def put(self, step: int, obs: dict[str, np.ndarray], answer: np.ndarray) -> None:
        """Stores one step of the current episode."""
        for key, tensor in self.tensors.items():
            value = answer if key == "teacher" else obs[key][-3:] if key == "pixels" else obs[key]
            tensor[self.episodes, step] = torch.as_tensor(value)

    def sample(self, n: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """A batch: uint8 stacks of frames, vectors, answers."""
        episode = torch.randint(self.episodes, (n,), generator=generator)
        step = torch.randint(EPISODE_STEPS, (n,), generator=generator)
        batch = {k: v[episode, step] for k, v in self.tensors.items() if k != "pixels"}
        if "pixels" in self.tensors:
            times = (step[:, None] - torch.arange(self.stack - 1, -1, -1)).clamp_min(0)
            frames = self.tensors["pixels"][episode[:, None], times]
            batch["pixels"] = frames.flatten(1, 2)
        return batch

    def save(self, path: Path, first: int) -> None:
        """Writes the episodes from ``first`` on."""
        new = {k: v[first : self.episodes].contiguous() for k, v in self.tensors.items()}
        temporary = path.with_suffix(".tmp")
        save_file(new, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        """Adds the episodes of a file."""
        found = load_file(path)
        last = self.episodes + len(found["teacher"])
        for key, value in found.items():
            self.tensors[key][self.episodes : last] = value
        self.episodes = last


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
        from labs.experiments.train import runs_root

        self.config = config
        self.folder = runs_root() / config.run_name
        self.output = data_root() / config.run_name
        self.rounds = max(1, config.total_steps // (EPISODES_OF_A_ROUND * EPISODE_STEPS))
        self.state: dict[str, Any] = {"round": 0, "updates": 0, "curve": [], "wall_time_s": 0.0}
        self._report = report or (lambda progress: None)
        self._restart = restart
        self._asked_to_stop = False
        self.locator_s: float | None = None

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        return self.lessons.episodes * EPISODE_STEPS

    def run(self) -> Path:
        """Teaches, evaluates, writes the artifact. Returns its folder.

        Raises:
            UserError: no teacher; or the run was stopped after saving itself.
        """
        with guards.RunLock(self.folder):
            if self._restart:
                shutil.rmtree(self.folder / "lessons", ignore_errors=True)
            self._clock = time.perf_counter()
            self._set_up()
            with stop_on_signal(lambda number: setattr(self, "_asked_to_stop", True)):
                for number in range(self.state["round"], self.rounds):
                    self._round(number)
                    if self._asked_to_stop or launcher_is_gone():
                        raise UserError(
                            f"{self.config.run_name} stopped after round {number + 1} of "
                            f"{self.rounds} and saved itself: the same command goes on"
                        )
            self.env.close()
            path = finish(
                self.output,
                self.config,
                Student(self.student.sb3, self.space, self.env.action_space),
                self.state["curve"],
                steps=self.steps,
                updates=self.state["updates"],
                wall_time=self.wall_time,
                extra={
                    "started": self.state["started"],
                    "teacher": self.teacher_record,
                    "locator_time_s": self.locator_s,
                    "episodes_of_a_round": EPISODES_OF_A_ROUND,
                },
                tell=self._tell,
            )
            shutil.rmtree(self.folder / "lessons", ignore_errors=True)
            return path

    def wall_time(self) -> float:
        """Seconds, over all parts of a run that was interrupted."""
        return self.state["wall_time_s"] + time.perf_counter() - self._clock

    def _set_up(self) -> None:
        from labs.experiments.environments import make_one
        from labs.experiments.policies import TrainedPolicy, build_policy, load_policy

        config = self.config
        torch.set_num_threads(config.torch_threads)
        torch.manual_seed(config.seed)
        name = f"{config.teacher}/seed{config.seed}"
        self.teacher = load_policy(name)
        self.teacher_record = {
            "artifact": name,
            "weights_sha256": load_artifact(name).provenance["files"]["weights.safetensors"],
        }
        guards.check_resources(config, self.folder)
        if config.has_locator:
            self.locator_s = ensure_locator(config)
            self._clock = time.perf_counter()  # its time is told apart
        self.env = make_one(config, locate=True)
        self.space = self.env.observation_space
        policy = build_policy(config, self.space, self.env.action_space)
        self.student = TrainedPolicy(config, policy)
        self.actor = policy.actor
        self.optimizer = torch.optim.Adam(self.actor.parameters(), lr=config.learning_rate)
        self.standardizers = [
            m for m in self.actor.modules() if isinstance(m, StandardizedExtractor)
        ]
        self.lessons = Lessons(self.space, self.rounds * EPISODES_OF_A_ROUND)
        self.state["started"] = utc_now()
        self._resume()

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
            answer = batch.pop("teacher")
            mean, _, _ = self.actor.get_action_dist_params(batch)
            loss = F.mse_loss(torch.tanh(mean), answer)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self.state["updates"] += 1
        self.actor.eval()
        due = (number + 1) % max(1, self.config.eval_every // 2000) == 0
        if due or number + 1 == self.rounds:
            self._measure(float(loss.detach()))
        self._save(number, first)

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
        row = {
            "step": self.steps,
            "updates": self.state["updates"],
            "success": float(found.success.mean()),
            "return": float(found.returns.mean()),
            "distance": float(found.distance.mean()),
            "train_success": None,
            "critic_loss": None,
            "actor_loss": loss,
            "ent_coef": None,
            "wall_time_s": round(self.wall_time(), 1),
        }
        self.state["curve"].append(row)
        self._tell("train")

    # ----- saving

    def _save(self, number: int, first: int) -> None:
        folder = self.folder / "lessons"
        folder.mkdir(parents=True, exist_ok=True)
        self.lessons.save(folder / f"round-{number:04d}.safetensors", first)
        tensors = {f"actor.{k}": v.contiguous() for k, v in self.actor.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{k}": v.contiguous() for k, v in state.items()}
        name = f"student-{number:04d}.safetensors"
        save_file(tensors, folder / f".{name}.tmp")
        (folder / f".{name}.tmp").replace(folder / name)
        saved = self.state | {
            "round": number + 1,
            "wall_time_s": self.wall_time(),
            "config": self.config.digest(),
        }
        write_atomically(folder / "state.json", json.dumps(saved))
        (folder / f"student-{number - 1:04d}.safetensors").unlink(missing_ok=True)

    def _resume(self) -> None:
        folder = self.folder / "lessons"
        if not (folder / "state.json").exists():
            return
        state = json.loads((folder / "state.json").read_text())
        if state.pop("config") != self.config.digest():
            raise UserError(
                f"{self.folder} holds a run with other settings: give its settings to go on with "
                "it, or --restart to drop it"
            )
        self.state = state
        for number in range(state["round"]):
            self.lessons.load(folder / f"round-{number:04d}.safetensors")
        tensors = load_file(folder / f"student-{state['round'] - 1:04d}.safetensors")
        self.actor.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("actor.")})
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("adam."):
                _, index, name = key.split(".")
                moments.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})

    def _tell(self, phase: str) -> None:
        curve = self.state["curve"]
        progress = {
            "step": self.steps,
            "total": self.config.total_steps,
            "phase": phase,
            "success": curve[-1]["success"] if curve else None,
            "wall_time_s": round(self.wall_time(), 1),
            "pid": os.getpid(),
        }
        write_atomically(self.folder / "progress.json", json.dumps(progress))
        self._report(progress)
