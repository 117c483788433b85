"""What a critic teaches the actor's eye, by the actor's loss alone, and what it was told.

The encoders of arms whose critic is told the state, or only the achieved goal, exactly or blurred,
are frozen and probed as :mod:`labs.measurements.encoder_probe` does it, seed by seed, beside
networks of the same kind: two whose critic is told nothing, and one that learned by imitation.
Controls: the same network before any training, and a guess that never looks.

Artifact ``told-sight``: errors in millimeters, by run. ``pixels measure told-sight``.
"""

from __future__ import annotations

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import gl_renderer
from labs.measurements.encoder_probe import PARAMETERS, probe_runs
from labs.measurements.play import in_order, policies_here, rows_to_keep

#: The critic is told the state, the achieved goal, that goal blurred, nothing; nothing, and the eye
#: predicts rewards (with targets one step ahead, and three); last, the same encoder by imitation.
ARMS = (
    *("push-asymmetric-keypoint-long", "push-asymmetric-achieved"),
    *("push-asymmetric-blurred-less", "push-asymmetric-blurred"),
    *("push-keypoint-honest", "push-keypoint-rewarded", "push-keypoint-rewarded-n3"),
    "push-distilled",
)


def told_sight(progress: bool = True) -> Artifact:
    """Probes the encoders: artifact ``told-sight``.

    Encoders whose weights are gone keep what was read from them before.

    Raises:
        UserError: no run of the arms has its weights here, or one that has none any more was probed
            with other settings.
    """
    names, clock = policies_here(ARMS), Clock()
    kept = rows_to_keep("told-sight", names, PARAMETERS, listed="runs")
    values = probe_runs(names, progress=progress)
    values["runs"] = in_order([*values["runs"], *kept], ARMS)
    return write_measurement(
        "told-sight", values, parameters=PARAMETERS, gl=gl_renderer(), clock=clock
    )
