"""What a reward teaches the eye along a run: the block read from the encoder while SAC learns.

One run of each arm, by the reward alone. Before its first step, and again and again on the way, the
policy plays some episodes, and its encoder is frozen and probed as
:mod:`labs.measurements.encoder_probe` does it at a run's end: by a small head, and by a linear one
(Alain and Bengio 2016, arXiv 1610.01644). The first point is the control: the same network before
any training. Another is a guess that never looks. The run itself is not touched.

Artifact ``eye-along-run``; ``pixels measure eye-along-run`` makes it, run by run, and goes on after
the last one that is whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from stable_baselines3.common.logger import Logger
from tqdm.auto import tqdm

from labs.artifacts import (
    Artifact,
    Clock,
    json_text,
    runs_root,
    write_atomically,
    write_measurement,
)
from labs.envs import gl_renderer
from labs.experiments import guards, processor
from labs.experiments.checkpoint import random_states, restore_random_states
from labs.experiments.config import RunConfig
from labs.experiments.environments import CURVE_SEEDS, make_one, make_training_env
from labs.experiments.evaluate import run_episodes
from labs.experiments.locating import errors
from labs.experiments.models import build
from labs.experiments.moments import View, collect_moments
from labs.experiments.policies import TrainedPolicy
from labs.experiments.position_errors import rounded
from labs.experiments.presets import preset
from labs.fast_sac import FastSAC
from labs.measurements.encoder_probe import (
    FRAMES,
    HELD_OUT,
    PARAMETERS,
    linear_read_out,
    probe,
    read_out,
)
from labs.measurements.encoder_probe import SEED as SEED_OF_MOMENTS
from labs.measurements.perception_frames import damaged, short_hash

#: The block's place is among the vectors; it is withheld.
ARMS = ("push-small", "push-small-honest")
SEED = 301  # of the runs, apart from those of every reported one
EVERY = 10_000  # environment steps between two looks
EPISODES = 50  # of each look
HEADS = {"head": read_out, "linear": linear_read_out}


def look(model: FastSAC, config: RunConfig, env: Any, frames: np.ndarray, truth: np.ndarray):
    """One point: how well the policy does, and what can be read from its encoder.

    Args:
        model: a learner of Push on the CPU; its random generators are left as they were.
        config: its settings.
        env: where its policy plays.
        frames: uint8 (N, 3, H, W).
        truth: float32 (N, 4), as :func:`labs.experiments.moments.collect_moments` has it.

    Returns:
        ``step``, ``updates``, ``success`` (a share), and by each head of :data:`HEADS`
        the errors of :func:`labs.experiments.locating.errors`.
    """
    states = random_states(model)
    model.policy.set_training_mode(False)
    try:
        seeds = range(CURVE_SEEDS, CURVE_SEEDS + EPISODES)
        played = run_episodes(TrainedPolicy(config, model.policy), config, seeds, env=env)
        read = {
            name: probe(model.policy, config.task, frames, truth, fit=fit)
            for name, fit in HEADS.items()
        }
    finally:
        restore_random_states(model, *states)
    point = {"step": model.num_timesteps, "updates": model._n_updates}
    return point | {"success": float(played.success.mean())} | read


def along(
    config: RunConfig,
    every: int = EVERY,
    frames: int = FRAMES + HELD_OUT,
    tell: Callable[[int], Any] = lambda n: None,
) -> dict[str, Any]:
    """One run and what its eye knew on the way.

    Args:
        config: of the run.
        every: environment steps between two looks.
        frames: that the probe learns from and is judged on.
        tell: called with the number of environment steps of each stretch when it is over.

    Returns:
        ``arm``; ``points``, each as :func:`look` gives it, the first before any step; ``guess``:
        errors of one that never looks.
    """
    processor.set_up(config.torch_threads)
    pictures, truth = collect_moments(View.of(config), frames, SEED_OF_MOMENTS)
    held = min(HELD_OUT, frames // 5)
    guess = np.broadcast_to(truth[:-held].mean(0), truth[-held:].shape)
    env, stage = make_training_env(config), make_one(config)
    try:
        model = build(config, env)
        model.set_logger(Logger(None, []))
        points = [look(model, config, stage, pictures, truth)]
        while model.num_timesteps < config.total_steps:
            model.learn(every, reset_num_timesteps=model.num_timesteps == 0)
            points.append(look(model, config, stage, pictures, truth))
            tell(every)
    finally:
        env.close()
        stage.close()
    return {"arm": config.arm, "points": points, "guess": errors(config.task, guess, truth[-held:])}


def eye_along(progress: bool = True) -> Artifact:
    """Runs the arms and looks: artifact ``eye-along-run``. A run takes half an hour on a core."""
    clock = Clock()
    folder = guards.writable(runs_root() / "eye-along-run")
    configs = [replace(preset(arm), seed=SEED, device="cpu") for arm in ARMS]
    parameters = PARAMETERS | {
        "arms": list(ARMS),
        "run_seed": SEED,
        "every": EVERY,
        "episodes": EPISODES,
    }
    total = sum(config.total_steps for config in configs)
    bar, runs = tqdm(total=total, unit="step", disable=not progress), []
    for config in configs:
        bar.set_description(config.arm)
        finished = folder / f"{config.arm}-{config.digest()}-{short_hash(parameters)}.json"
        if finished.exists():
            try:
                runs.append(json.loads(finished.read_text()))
            except ValueError as error:
                raise damaged(finished) from error
            bar.update(config.total_steps)
            continue
        runs.append(rounded(along(config, tell=bar.update)))
        write_atomically(finished, json_text(runs[-1]))
    bar.close()
    return write_measurement(
        "eye-along-run", {"runs": runs}, parameters=parameters, gl=gl_renderer(), clock=clock
    )
