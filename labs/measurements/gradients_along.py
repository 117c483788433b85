"""Gradient norms along short runs: what each loss leaves in each encoder while SAC learns Reach.

One run of pixel Reach for each routing and seed. At the end of every round of episodes the learner
is copied, and the copy takes an update with the reference algorithm: SB3's ``train``, or
:class:`labs.drqv2_sac.DrQv2SAC` where the critic trains the encoder. SB3's ``backward()`` fills
every gradient that a loss can reach, also those that no optimizer steps;
:func:`labs.routing_probe.measure_update` reads them. The fast update of the run itself asks for no
other gradient than it steps, so there a zero would say nothing. The run is not touched.

Artifact ``gradients-along-run``; ``pixels measure gradients-along-run`` makes it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.logger import Logger
from tqdm.auto import tqdm

from labs import envs
from labs.artifacts import Artifact, Clock, write_measurement
from labs.errors import UserError
from labs.experiments import processor
from labs.experiments.checkpoint import random_states, restore_random_states
from labs.experiments.config import EPISODE_STEPS, RunConfig
from labs.experiments.environments import make_training_env
from labs.experiments.models import autocast, build, build_sb3, products_in
from labs.experiments.position_errors import rounded
from labs.experiments.presets import preset
from labs.fast_sac import FastSAC
from labs.fast_update import match_layout
from labs.image_augmentation import augmented_ends
from labs.routing_probe import (
    ROUTINGS,
    encoders_of,
    flat_parameters,
    measure_update,
    optimizers_holding,
)

#: Routing → the arm that is run, and its name among :data:`labs.routing_probe.ROUTINGS`.
ARMS = {
    "separate": ("reach-small-separate", "separate"),
    "actor": ("reach-small-actor", "actor"),
    "critic": ("reach-small-drq", "critic_once"),
}
SEEDS = (301, 302, 303)  # apart from those of every reported run
STEPS = 4000
BATCHES = 4  # a norm is the mean over so many batches of the arm's own size

Edge = tuple[str, str]  # (loss, encoder)


class ShiftedReplay:
    """Batches of a run's replay memory with the images augmented, as the run's update sees them.

    Args:
        replay: the memory of a :class:`FastSAC`, which holds the images as the camera gave them.
        augment: uint8 (B, C, H, W) → the same; None leaves them.
        same_shift: both images of a transition are augmented alike.
    """

    def __init__(
        self,
        replay: Any,
        augment: Callable[[torch.Tensor], torch.Tensor] | None,
        same_shift: bool = False,
    ):
        self.replay, self.augment, self.same_shift = replay, augment, same_shift

    def sample(self, batch_size: int, env: object = None) -> Any:
        """SB3's replay samples, shifted as the update's."""
        batch = self.replay.sample(batch_size, env)
        ends = (batch.observations, batch.next_observations)
        obs, next_obs = augmented_ends(self.augment, *ends, self.same_shift)
        return batch._replace(observations=obs, next_observations=next_obs)


class CopiedUpdate:
    """Measures the update that a learner would take, without taking it.

    Make it before the learner: both seed the environments and the global generators, and the last
    one counts.

    Args:
        config: of the learner; its engine is ``"fast"``.
        env: the learner's training environments.
    """

    def __init__(self, config: RunConfig, env: Any):
        # The copy never collects: its own memory is replaced by the learner's.
        small = EPISODE_STEPS * config.n_envs
        self.copy = build_sb3(replace(config, augmentation="none", buffer_size=small), env)
        self.copy.set_logger(Logger(None, []))
        self.batch_size = config.batch_size

    def measure(self, model: FastSAC, batches: int = BATCHES) -> dict[Edge, float]:
        """The gradient norms of an update from the learner's present weights.

        Args:
            model: the learner, with a finished episode in its memory. It is left as it was, the
                states of all random generators included.
            batches: how many batches the norm is averaged over, each from the same weights.

        Returns:
            (loss, encoder) → mean L2 norm over the encoder's parameters, in float32.
        """
        states = random_states(model)
        self.copy.replay_buffer = ShiftedReplay(
            model.replay_buffer, model.augment, model.same_shift
        )
        try:
            found = []
            for _ in range(batches):
                self._become(model)
                found.append(measure_update(self.copy, self.batch_size))
        finally:
            restore_random_states(model, *states)
        return {edge: float(np.mean([each[edge][0] for each in found])) for edge in found[0]}

    def _become(self, model: FastSAC) -> None:
        self.copy.policy.load_state_dict(model.policy.state_dict())
        for mine, theirs in (
            (self.copy.actor.optimizer, model.actor.optimizer),
            (self.copy.critic.optimizer, model.critic.optimizer),
        ):
            # Loading alone would share the moments, and the copy's step would change the learner's.
            mine.load_state_dict(copy.deepcopy(theirs.state_dict()))
            match_layout(mine)
        if model.log_ent_coef is not None:
            self.copy.log_ent_coef.data.copy_(model.log_ent_coef.data)


def along(config: RunConfig, steps: int, tell: Callable[[int], Any] = lambda n: None) -> list[dict]:
    """One short run and what was measured on its way.

    Args:
        config: of the run.
        steps: environment steps, over all environments.
        tell: called with the number of environment steps of each round when it is over.

    Returns:
        A point for every round from the last one without an update: ``step``, ``updates``,
        ``grad_norm`` (edge → norm), ``moved`` (encoder → L2 distance from its first weights over
        their L2 norm), ``optimizers`` (encoder → names of those that hold it).

    Raises:
        UserError: the run would end before its first update.
    """
    round_steps = EPISODE_STEPS * config.n_envs
    first = config.learning_starts // round_steps * round_steps
    if steps <= max(first, round_steps):
        raise UserError(f"steps = {steps} ends before the first update: give more than {first}")
    processor.set_up(config.torch_threads)
    env = make_training_env(config)
    try:
        update = CopiedUpdate(config, env)
        model = build(config, env)
        model.set_logger(Logger(None, []))
        start = {name: flat_parameters(e) for name, e in encoders_of(model).items()}
        points = []
        while model.num_timesteps < steps:
            model.learn(round_steps, reset_num_timesteps=model.num_timesteps == 0)
            tell(round_steps)
            if model.num_timesteps < first:
                continue
            encoders = encoders_of(model)
            points.append(
                {
                    "step": model.num_timesteps,
                    "updates": model._n_updates,
                    "grad_norm": update.measure(model),
                    "moved": {
                        n: _relative(flat_parameters(e), start[n]) for n, e in encoders.items()
                    },
                    "optimizers": {n: optimizers_holding(model, e) for n, e in encoders.items()},
                }
            )
        return points
    finally:
        env.close()


def _relative(now: torch.Tensor, start: torch.Tensor) -> float:
    return float((now - start).norm() / start.norm())


def summary(routing: str, label: str, runs: Sequence[list[dict]]) -> dict[str, Any]:
    """The runs of one routing, seed by seed, ready for an artifact.

    Args:
        routing: key of :data:`ARMS`.
        label: the routing in words.
        runs: what :func:`along` returned for each seed; all measured at the same steps.
    """
    first = runs[0][0]
    return {
        "routing": routing,
        "label": label,
        "steps": [point["step"] for point in runs[0]],
        "updates": [point["updates"] for point in runs[0]],
        "edges": [
            {
                "loss": loss,
                "encoder": encoder,
                "optimizers": list(first["optimizers"][encoder]),
                "grad_norm": rounded([[p["grad_norm"][loss, encoder] for p in r] for r in runs], 5),
            }
            for loss, encoder in first["grad_norm"]
        ],
        "moved": {
            encoder: rounded([[p["moved"][encoder] for p in run] for run in runs], 5)
            for encoder in first["moved"]
        },
    }


def gradients_along(
    seeds: Sequence[int] = SEEDS, steps: int = STEPS, progress: bool = True
) -> Artifact:
    """Runs every routing for a short while and measures: artifact ``gradients-along-run``.

    Args:
        seeds: of the runs; the routings of a seed share episodes and random actions.
        steps: environment steps of a run.
        progress: show a bar.
    """
    clock = Clock()
    # A graphics card would round otherwise; and the norms should not depend on who measures.
    configs = {routing: replace(preset(arm), device="cpu") for routing, (arm, _) in ARMS.items()}
    bar = tqdm(total=len(seeds) * len(ARMS) * steps, unit="step", disable=not progress)
    found = []
    for routing, config in configs.items():
        runs = []
        for seed in seeds:
            bar.set_description(f"{config.arm}, seed {seed}")
            runs.append(along(replace(config, seed=seed), steps, bar.update))
        found.append(summary(routing, ROUTINGS[ARMS[routing][1]].label, runs))
    bar.close()
    config = configs["critic"]
    return write_measurement(
        "gradients-along-run",
        {"runs": found},
        parameters={
            "arms": [arm for arm, _ in ARMS.values()],
            "seeds": list(seeds),
            "steps": steps,
            "batches": BATCHES,
            "batch_size": config.batch_size,
            "precision_of_the_runs": products_in(autocast(config.precision, "cpu")),
        },
        gl=envs.gl_renderer(),
        clock=clock,
    )
