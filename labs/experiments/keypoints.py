"""Where a policy with a SpatialSoftmax looks: its keypoints on the picture."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw

from labs.manipulation_encoder import SpatialSoftmax

#: Pixels between two cells of the map from which keypoints are read, in all encoders that have
#: some: cell i looks at what lies around pixel 4 i.
STRIDE = 4


def _softmax(policy) -> SpatialSoftmax | None:
    """What the policy's picture passes through last; of a locator, if it has one."""
    if getattr(policy, "sb3", None) is None:
        return None
    network = policy.locator
    if network is None:
        network = policy.sb3.actor.features_extractor
    return next((m for m in network.modules() if isinstance(m, SpatialSoftmax)), None)


def has_keypoints(policy) -> bool:
    """Whether the policy has keypoints that lie in one picture: those of two views lie in none."""
    return _softmax(policy) is not None and policy.config.views == 1


def keypoints_of(policy, obs: dict[str, np.ndarray]) -> np.ndarray:
    """The keypoints of one observation.

    Args:
        policy: a :class:`labs.experiments.policies.TrainedPolicy` with a SpatialSoftmax.
        obs: one observation with ``pixels``; of a stack, its newest frame.

    Returns:
        float32 (K, 2): (x, y) in [−1, 1], (−1, −1) at the top left.

    Raises:
        ValueError: the policy has no SpatialSoftmax.
    """
    softmax = _softmax(policy)
    if softmax is None:
        raise ValueError("the policy has no SpatialSoftmax: expected keypoints")
    seen: list[torch.Tensor] = []
    hook = softmax.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        with torch.no_grad():
            policy.predict(obs, True)
    finally:
        hook.remove()
    flat = seen[-1][-1].cpu().numpy()  # frames of a stack pass as a batch, the newest last
    return np.stack([flat[: len(flat) // 2], flat[len(flat) // 2 :]], axis=1)


def places_of(policy, obs: dict[str, np.ndarray]) -> np.ndarray:
    """The keypoints as places in the picture.

    Args:
        policy, obs: as for :func:`keypoints_of`.

    Returns:
        float (K, 2): column and row in [0, 1] of width and height.
    """
    softmax, (height, width) = _softmax(policy), obs["pixels"].shape[-2:]
    cells = np.array([softmax.width, softmax.height])
    pixels = (keypoints_of(policy, obs) + 1) / 2 * (cells - 1) * STRIDE + 0.5
    return pixels / (width, height)


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
    for cx, cy in places_of(policy, obs) * (width, height) - 0.5:
        box = (cx - radius, cy - radius, cx + radius, cy + radius)
        pen.ellipse(box, outline=(230, 159, 0), width=2)
    return np.asarray(picture)
