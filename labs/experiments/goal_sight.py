"""What many goals for one picture teach an encoder, beside one goal for each picture.

Two arms of Push by the reward alone that differ in ``goals_per_frame`` and in nothing else. Their
encoders are frozen and probed as :mod:`labs.experiments.encoder_probe` does it, in every seed that
both have. Controls: the same network before any training, and a guess that never looks.

Artifact ``goal-sight``: errors in millimeters, by arm and seed, and what each run has looked at.
``pixels measure goal-sight``.
"""

from __future__ import annotations

import numpy as np
from tqdm.auto import tqdm

from labs.artifacts import Artifact, Clock, data_root, load_artifact, write_measurement
from labs.envs import gl_renderer
from labs.errors import UserError
from labs.experiments.config import from_dict
from labs.experiments.encoder_probe import (
    EPOCHS,
    FRAMES,
    HELD_OUT,
    SEED,
    UNTRAINED,
    probe,
    untrained,
)
from labs.experiments.guards import refuse_to_lose
from labs.experiments.locating import View, collect_moments, errors
from labs.experiments.policies import WEIGHTS, load_policy

ARMS = ("push-one-goal", "push-eight-goals")


def runs_with_weights() -> list[str]:
    """``arm/seed<k>`` of every run of the two arms whose policy is here, both arms' or none's."""
    seeds = [
        {path.parent.name for path in (data_root() / arm).glob(f"seed*/{WEIGHTS}")} for arm in ARMS
    ]
    return [f"{arm}/{seed}" for arm in ARMS for seed in sorted(set.intersection(*seeds))]


def looked_at(run: Artifact) -> dict[str, int]:
    """What a run has seen until its end.

    Returns:
        ``updates``; ``frames``: pictures in its batches, next observations left out; ``rewards``:
        that judged them.
    """
    config, taken = from_dict(run.parameters), run.json("evaluation.json")["updates"]
    frames = taken * config.batch_size
    return {"updates": taken, "frames": frames, "rewards": frames * config.goals_per_frame}


def probed(artifact: Artifact) -> list[str]:
    """The policies whose encoders an artifact of :func:`goal_sight` speaks of."""
    return [row["run"] for row in artifact.json("measurement.json")["runs"]]


def goal_sight(
    frames: int = FRAMES + HELD_OUT, draws: int = UNTRAINED, progress: bool = True
) -> Artifact:
    """Probes the encoders of both arms: artifact ``goal-sight``.

    Args:
        frames: that the probe learns from and is judged on.
        draws: of the untrained network.
        progress: show a bar.

    Raises:
        UserError: no seed of both arms has its weights here, or one that was probed has none any
            more.
    """
    names = runs_with_weights()
    if not names:
        raise UserError(
            f"no encoder to probe: pixels train {ARMS[0]} --seeds 0, and {ARMS[1]} likewise"
        )
    refuse_to_lose("goal-sight", probed, names)
    clock = Clock()
    trained = {name: load_policy(name) for name in names}
    first = trained[names[0]]
    view = View.of(first.config)
    pictures, truth = collect_moments(view, frames, SEED)
    held = min(HELD_OUT, frames // 5)
    guess = np.broadcast_to(truth[:-held].mean(0), truth[-held:].shape)
    rows = [
        {
            "run": name,
            "read": probe(policy.sb3, view.task, pictures, truth),
            **looked_at(load_artifact(name)),
        }
        for name, policy in tqdm(trained.items(), desc="encoders", disable=not progress)
    ]
    values = {
        "runs": rows,
        "untrained": [
            probe(untrained(first, seed), view.task, pictures, truth, seed) for seed in range(draws)
        ],
        "guess": errors(view.task, guess, truth[-held:]),
    }
    parameters = {"frames": frames - held, "held_out": held, "seed": SEED, "epochs": EPOCHS}
    return write_measurement(
        "goal-sight", values, parameters=parameters, gl=gl_renderer(), clock=clock
    )
