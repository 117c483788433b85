"""Where a SpatialSoftmax policy looks: its keypoints on the picture."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw


def keypoints_of(policy, obs: dict[str, np.ndarray]) -> np.ndarray:
    """The keypoints of one observation.

    Args:
        policy: a :class:`labs.experiments.policies.TrainedPolicy` with a SpatialSoftmax head.
        obs: one observation with ``pixels``.

    Returns:
        float32 (K, 2): (x, y) in [−1, 1], (−1, −1) at the top left.
    """
    from labs.manipulation_encoder import SpatialSoftmax

    extractor = policy.sb3.actor.features_extractor
    heads = [m for m in extractor.modules() if isinstance(m, SpatialSoftmax)]
    if not heads:
        raise ValueError("the policy has no SpatialSoftmax: expected head = spatial_softmax")
    seen: list[torch.Tensor] = []
    hook = heads[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        with torch.no_grad():
            policy.sb3.predict(obs, deterministic=True)
    finally:
        hook.remove()
    flat = seen[0][0].cpu().numpy()
    return np.stack([flat[: len(flat) // 2], flat[len(flat) // 2 :]], axis=1)


def paint_keypoints(frame: np.ndarray, policy, obs: dict[str, np.ndarray]) -> np.ndarray:
    """Draws the keypoints as rings on a frame of the same camera, whatever its size.

    Args:
        frame: uint8 (H, W, 3).
        policy, obs: as for :func:`keypoints_of`.

    Returns:
        uint8 (H, W, 3), a new array.
    """
    height, width = frame.shape[:2]
    picture = Image.fromarray(frame)
    pen = ImageDraw.Draw(picture)
    radius = max(2, height // 80)
    for x, y in keypoints_of(policy, obs):
        cx, cy = (x + 1) / 2 * (width - 1), (y + 1) / 2 * (height - 1)
        box = (cx - radius, cy - radius, cx + radius, cy + radius)
        pen.ellipse(box, outline=(230, 159, 0), width=2)
    return np.asarray(picture)
