"""What a critic that is told the state teaches the actor's eye, by the actor's loss alone.

The encoders of ``push-asymmetric-keypoint`` and of its longer run are frozen and probed as
:mod:`labs.experiments.encoder_probe` does it, seed by seed, beside a network of the same kind that
learned by imitation. Controls: the same network before any training, and a guess that never looks.

Artifact ``told-sight``: errors in millimeters, by run. ``pixels measure told-sight``.
"""

from __future__ import annotations

from labs.artifacts import Artifact, Clock, data_root, write_measurement
from labs.envs import gl_renderer
from labs.errors import UserError
from labs.experiments.encoder_probe import PARAMETERS, probe_runs
from labs.experiments.guards import refuse_to_lose
from labs.experiments.policies import WEIGHTS

ARMS = ("push-asymmetric-keypoint-long", "push-asymmetric-keypoint")
YARDSTICK = "push-distilled/seed0"  # KeypointCNN as well, on the same pictures, by imitation


def runs_with_weights() -> list[str]:
    """``arm/seed<k>`` of every run of :data:`ARMS` whose policy is here."""
    found = [path.parent for arm in ARMS for path in (data_root() / arm).glob(f"seed*/{WEIGHTS}")]
    return sorted(f"{path.parent.name}/{path.name}" for path in found)


def probed(artifact: Artifact) -> list[str]:
    """The policies whose encoders an artifact of :func:`told_sight` speaks of."""
    return [row["run"] for row in artifact.json("measurement.json")["runs"]]


def told_sight(progress: bool = True) -> Artifact:
    """Probes the encoders: artifact ``told-sight``.

    Raises:
        UserError: no run of the arms has its weights here, or one that was probed has none any
            more.
    """
    names = runs_with_weights()
    if not names:
        raise UserError(f"no encoder to probe: pixels train {ARMS[0]} --seeds 0")
    names = [*names, *([YARDSTICK] if (data_root() / YARDSTICK / WEIGHTS).exists() else [])]
    refuse_to_lose("told-sight", probed, names)
    clock = Clock()
    values = probe_runs(names, progress=progress)
    return write_measurement(
        "told-sight", values, parameters=PARAMETERS, gl=gl_renderer(), clock=clock
    )
