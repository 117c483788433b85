"""Where a pixel policy looks: what its action loses when a patch of the picture is blanked.

After Zeiler and Fergus 2014 (arXiv 1311.2901), with the action in place of the class. It needs no
gradient, so it sees through layers that detach their input.
"""

from __future__ import annotations

import numpy as np

CELLS = 12  # patches along each side of a map


def occlusion_map(policy, obs: dict[str, np.ndarray], views: int = 1) -> np.ndarray:
    """How far the deterministic action moves when a patch of the picture loses its content.

    Args:
        policy: a trained policy with ``pixels`` in its observation.
        obs: one observation; ``pixels`` (C, H, W) uint8.
        views: cameras side by side in the picture; patches are of the first, and all frames of a
            stack lose them.

    Returns:
        float (CELLS, CELLS): L2 distance of the action from the one on the whole picture.
    """
    pixels = obs["pixels"]
    height, width = pixels.shape[1:]
    gray = pixels.mean(axis=(1, 2), keepdims=True).astype(np.uint8)
    rows = np.linspace(0, height, CELLS + 1).round().astype(int)
    columns = np.linspace(0, width // views, CELLS + 1).round().astype(int)
    batch = np.repeat(pixels[None], CELLS * CELLS + 1, axis=0)
    for i in range(CELLS):
        for j in range(CELLS):
            patch = (slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1]))
            batch[(i * CELLS + j, slice(None), *patch)] = gray
    many = {k: np.repeat(v[None], len(batch), axis=0) for k, v in obs.items()} | {"pixels": batch}
    actions = policy.predict(many, True)
    return np.linalg.norm(actions[:-1] - actions[-1], axis=1).reshape(CELLS, CELLS)
