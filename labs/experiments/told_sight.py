"""What a critic that is told something teaches the actor's eye, by the actor's loss alone.

The encoders of arms whose critic is told the state, or only the achieved goal, are frozen and
probed as :mod:`labs.experiments.encoder_probe` does it, seed by seed, beside a network of the same
kind that learned by imitation. Controls: the same network before any training, and a guess that
never looks.

Artifact ``told-sight``: errors in millimeters, by run. ``pixels measure told-sight``.
"""

from __future__ import annotations

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import gl_renderer
from labs.experiments.encoder_probe import PARAMETERS, probe_runs, runs_probed
from labs.experiments.guards import refuse_to_lose
from labs.experiments.play import policies_here

#: The critic is told the state, or the achieved goal; last, the same encoder by imitation.
ARMS = ("push-asymmetric-keypoint-long", "push-asymmetric-achieved", "push-distilled")


def told_sight(progress: bool = True) -> Artifact:
    """Probes the encoders: artifact ``told-sight``.

    Raises:
        UserError: no run of the arms has its weights here, or one that was probed has none any
            more.
    """
    names = policies_here(ARMS)
    refuse_to_lose("told-sight", runs_probed, names)
    clock = Clock()
    values = probe_runs(names, progress=progress)
    return write_measurement(
        "told-sight", values, parameters=PARAMETERS, gl=gl_renderer(), clock=clock
    )
