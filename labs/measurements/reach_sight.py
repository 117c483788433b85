"""How far Reach's locators are off where the gripper stands beside the goal, and where it does not.

A locator that learned from random play has seldom seen the gripper near a goal. Held-out frames of
the same play do not tell: each is asked about *placed* moments, by the distance between the two.

Artifact ``reach-sight``: errors in millimeters, by run and distance, beside a guess that never
looks. ``pixels measure reach-sight``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import gl_renderer
from labs.errors import UserError
from labs.experiments.locating import folder, is_missing, load_locator
from labs.experiments.moments import View, collect_moments
from labs.experiments.position_errors import mean_interval, rounded
from labs.experiments.presets import effective
from labs.measurements.play import in_order, rows_to_keep

ARMS = (
    "reach-located",
    "reach-located-filmed",
    "reach-located-rewards",
    "reach-located-strayed",
    "reach-located-walked",
)
SEEDS = range(5)
RANGES = ((0.0, 0.1), (0.1, 0.2), (0.2, 1.0))  # meters from gripper to goal
PARAMETERS = {"frames": 2000, "seed": 7000, "ranges_m": [list(r) for r in RANGES]}


def locators_here() -> list[str]:
    """``arm/seed<k>`` of every run whose locator is here with its weights."""
    runs = {f"{arm}/seed{seed}": effective(arm, seed) for arm in ARMS for seed in SEEDS}
    return [name for name, config in runs.items() if not is_missing(folder(config))]


def errors_by_distance(found: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """What is off, by how far the gripper stands from the goal.

    Args:
        found: float (n, 6), meters: gripper and goal as they were read.
        truth: float (n, 6), meters.

    Returns:
        For each of :data:`RANGES`: ``from`` and ``to`` in meters, ``n``, and the mean errors of
        ``gripper`` and ``goal`` in millimeters with their intervals; the first entry is of all.
    """
    off = 1000 * np.linalg.norm((found - truth).reshape(-1, 2, 3), axis=2)
    apart = np.linalg.norm(truth[:, :3] - truth[:, 3:], axis=1)
    rows = []
    for low, high in ((0.0, np.inf), *RANGES):
        chosen = (apart >= low) & (apart < high)
        bounds = {"from": low, "to": high if np.isfinite(high) else None}
        errors = {t: mean_interval(off[chosen, i]) for i, t in enumerate(("gripper", "goal"))}
        rows.append(bounds | {"n": int(chosen.sum())} | errors)
    return rows


def reach_sight(progress: bool = True) -> Artifact:
    """Asks every locator of Reach that is here: artifact ``reach-sight``.

    Locators whose weights are gone keep what was read from them before.

    Args:
        progress: say what is read.

    Raises:
        UserError: no locator has its weights here, or one that has none any more was asked in
            another way.
    """
    names = locators_here()
    if not names:
        raise UserError(f"no locator of Reach is here: pixels train {ARMS[-1]} --seeds 0")
    clock = Clock()
    kept = rows_to_keep("reach-sight", names, PARAMETERS, listed="runs")
    view = View.of(effective(ARMS[0]))
    frames, truth = collect_moments(view, PARAMETERS["frames"], PARAMETERS["seed"])
    rows = []
    for name in names:
        arm, _, seed = name.partition("/seed")
        locator, sha256 = load_locator(effective(arm, int(seed)))
        read = np.concatenate([locator.locate(chunk) for chunk in np.array_split(frames, 10)])
        rows.append(
            {"run": name, "locator_sha256": sha256, "errors": errors_by_distance(read, truth)}
        )
        if progress:
            print(f"{name}: goal {rows[-1]['errors'][0]['goal']['mean']:.0f} mm")
    guess = np.broadcast_to(truth.mean(0), truth.shape)
    values = {
        "runs": in_order([*rounded(rows), *kept], ARMS),
        "never_looking": rounded(errors_by_distance(guess, truth)),
    }
    return write_measurement(
        "reach-sight", values, parameters=PARAMETERS, gl=gl_renderer(), clock=clock
    )
