"""What the rules of the claims go by: verdicts, thresholds, measurements.

Everything comes from checked artifacts. A missing one is :class:`NotMeasured`; a damaged one is
the reader's to mend and stays a ``UserError``. Trained arms: :mod:`labs.claims.arm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.artifacts import PROVENANCE, load_artifact

HOLDS, FAILS, PARTLY = "holds", "does not hold", "partly"
UNDECIDED, OPEN = "undecided", "not yet measured"
VERDICTS = (HOLDS, FAILS, PARTLY, UNDECIDED, OPEN)

#: Every threshold of every verdict. Rates and shares between 0 and 1, lengths in millimeters.
LIMITS: dict[str, float] = {
    "same_as_state": 0.8,  # blind / full state: from here on the camera is not needed
    "learned": 0.5,  # a success rate that nobody calls a floor
    "reported_low": 5,  # "5 to 8 %", as the source manuscript has it: successes of so many episodes
    "reported_high": 8,
    "reported_of": 100,
    "routing_gain": 0.5,  # of success, for "routing alone"
    "gain": 0.1,  # of success, for "essential" and "helps"
    "reported_memory": 500_000,  # transitions
    "as_much_work": 1.25,  # ratio of times that still counts as equal
    "twice": 2.0,
    "ratio_low": 2.0,  # "2 to 4 times the steps" on Push, "2 to 10" on Reach
    "ratio_high_push": 4.0,
    "ratio_high_reach": 10.0,
    "located": 25.0,  # mm: half the success radius; a block this well known is not lost
    "blind_share": 0.8,  # of the error of an encoder that never looks
    "width_slack": 1.0,  # pixels around "about 5"
    "reported_width": 5.0,
    "camera_factor": 1.5,  # error before one camera / error before the other
    "camera_equal": 1.2,
    "noise_low": 0.4,  # "40 to 80 % of the distance"
    "noise_none": 0.05,
    "failed": 0.2,  # a success rate that counts as failure
    "shrink_harm": 0.1,  # added error / error
    "only_bounds": 0.1,  # change of error that still counts as none
    "sphere_harm": 0.1,
    "success_radius": 50.0,  # mm
    "solved": 0.9,
    "control_share": 0.5,  # success with spoiled images / with real ones
}


class NotMeasured(Exception):
    """What is missing before a claim can be decided."""


@dataclass(frozen=True)
class Finding:
    """A decided claim.

    Attributes:
        verdict: one of :data:`VERDICTS`.
        effect: the numbers behind it, with intervals, as Markdown.
        seeds: how many seeds, episodes or moments.
    """

    verdict: str
    effect: str
    seeds: str


# ------------------------------------------------------------------------------------ measurements


def measurement(root: Path, name: str, optional: bool = False) -> dict[str, Any]:
    """``measurement.json`` of an artifact and its ``parameters``.

    Raises:
        NotMeasured: there is none, and it is not optional (then: an empty dictionary).
    """
    if not (root / name / PROVENANCE).exists():
        if optional:
            return {}
        raise NotMeasured(f"data/{name} is not there")
    artifact = load_artifact((root / name).resolve())
    return artifact.json("measurement.json") | {"parameters": artifact.parameters}
