"""What many goals for one picture teach an encoder, beside one goal for each picture.

Two arms of Push by the reward alone that differ in ``goals_per_frame`` and in nothing else. Their
encoders are frozen and probed as :mod:`labs.measurements.encoder_probe` does it, in every seed that
both have. Controls: the same network before any training, and a guess that never looks.

Artifact ``goal-sight``: errors in millimeters, by arm and seed, and what each run has looked at.
``pixels measure goal-sight``.
"""

from __future__ import annotations

from labs.artifacts import Artifact, Clock, data_root, load_artifact, write_measurement
from labs.envs import gl_renderer
from labs.errors import UserError
from labs.experiments.config import from_dict
from labs.experiments.policies import WEIGHTS
from labs.measurements.encoder_probe import PARAMETERS, probe_runs
from labs.measurements.play import in_order, rows_to_keep

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


def goal_sight(progress: bool = True) -> Artifact:
    """Probes the encoders of both arms: artifact ``goal-sight``.

    Encoders whose weights are gone keep what was read from them before.

    Args:
        progress: show a bar.

    Raises:
        UserError: no seed of both arms has its weights here, or one that has none any more was
            probed with other settings.
    """
    names = runs_with_weights()
    if not names:
        raise UserError(
            f"no encoder to probe: pixels train {ARMS[0]} --seeds 0, and {ARMS[1]} likewise"
        )
    clock = Clock()
    kept = rows_to_keep("goal-sight", names, PARAMETERS, listed="runs")
    values = probe_runs(names, progress=progress)
    for row in values["runs"]:
        row |= looked_at(load_artifact(row["run"]))
    values["runs"] = in_order([*values["runs"], *kept], ARMS)
    return write_measurement(
        "goal-sight", values, parameters=PARAMETERS, gl=gl_renderer(), clock=clock
    )
