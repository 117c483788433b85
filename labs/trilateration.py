"""Where a goal is, from rewards alone: a dense reward is a distance, four distances are a place.

FetchReachDense pays minus the distance from gripper to goal. The joints say where the gripper is.
So an arm that moves while its goal stays has measured that goal, as a receiver that hears four
satellites knows where it stands. No position is told, and nothing is learned: subtracting one
squared distance from another leaves equations that are linear in the goal.

* :func:`trilaterate`: places and distances → the goal.

With ``p`` a place of the gripper, ``d`` minus the reward there and ``g`` the goal,
``|p - g|² = d²`` is ``2 p·g - |g|² = |p|² - d²``: linear in ``g`` and in the number ``|g|²``, which
drops out when the mean over the places is subtracted.

===============  ========================================  ==================
array            what it holds                             shape
===============  ========================================  ==================
places           where the gripper was                     (..., n, 3), meters
distances        minus the rewards there                   (..., n), meters
goals            what comes back                           (..., 3), meters
===============  ========================================  ==================

Command line: ``python -m labs.trilateration --verify``.
"""

from __future__ import annotations

import numpy as np

PLACES = 4  # the fewest that tell three coordinates
FLATTEST = 1e-5  # meters: places that spread less than this in some direction lie in a plane


def trilaterate(places: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Solves for the goals by least squares; exact where the distances are.

    Args:
        places: float (..., n, 3), meters, n ≥ 4 and not all in one plane.
        distances: float (..., n), meters, from each place to the goal of its row.

    Returns:
        float64 (..., 3), meters.

    Raises:
        ValueError: fewer than four places, numbers that are not finite, or places in a plane: they
            cannot tell a goal from its mirror image behind it.
    """
    places, distances = np.asarray(places, np.float64), np.asarray(distances, np.float64)
    if places.shape[-1:] != (3,) or places.shape[:-1] != distances.shape:
        raise ValueError(
            f"received places {places.shape} and distances {distances.shape}; expected (..., n, 3) "
            "and (..., n)"
        )
    if not (np.isfinite(places).all() and np.isfinite(distances).all()):
        raise ValueError("received places or distances that are not finite")
    if places.shape[-2] < PLACES:
        raise ValueError(f"received {places.shape[-2]} places; a goal needs {PLACES} or more")
    middle = places.mean(-2, keepdims=True)
    around = places - middle  # small numbers: squares of meters would cost digits
    wanted = (around**2).sum(-1) - distances**2
    wanted -= wanted.mean(-1, keepdims=True)
    left, spread, right = np.linalg.svd(2 * around, full_matrices=False)
    thinnest = spread[..., -1].min() / 2
    if thinnest < FLATTEST:
        raise ValueError(
            f"places lie in a plane: their thinnest direction spreads {1000 * thinnest:.3f} mm"
        )
    solved = np.einsum("...nk,...n->...k", left, wanted) / spread
    return np.einsum("...kj,...k->...j", right, solved) + middle[..., 0, :]


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("trilateration", title="Goals from distances"))
