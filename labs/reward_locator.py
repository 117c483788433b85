"""A locator that nobody tells a position: it learns from rewards where things are.

Hindsight says, for any goal, whether a picture fulfils it: is the block within 5 cm of there? One
such answer says little. But the goals at which the answer changes lie on a circle around the block,
and the circle's middle is the block's place. So let a locator name a point, let the point's
distance to a goal predict the answer, and the point has to go where the block is.

* :class:`RewardLoss`: a point's distance to goals, asked whether they are fulfilled.

With ``p`` the point that is read in a picture, ``g`` a goal, ``r`` the reward (−1 or 0), ``e`` the
threshold and ``k`` a sharpness that is learned, the loss of all pairs of a batch is the binary
cross-entropy between ``sigmoid(k (e − |p − g|))`` and ``1 + r``. A picture is not asked about its
own block's place: that would be its place by another name. (Where frames come from play, another
frame of the same episode may ask just that.) This is learning from comparisons, as embeddings with
a metric are (Xing et al. 2002), and the network is that of :mod:`labs.locator`:

==================  =======================================  ==========================
tensor              what it holds                            shape
==================  =======================================  ==========================
points              of a Locator, scaled and shifted         (B, 2), meters
achieved            where the blocks are, for rewards alone  (B, 2), meters
logits              all pairs                                (B, B), the diagonal unused
==================  =======================================  ==========================

Command line: ``python -m labs.reward_locator --verify``.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labs.goal_tasks import goal_reward
from labs.tasks import DISTANCE_THRESHOLD

SHARPNESS = 100.0  # per meter, at the start: within 1 cm of the edge it is not sure


class RewardLoss(nn.Module):
    """Do the points say which goals are fulfilled?

    Args:
        threshold: meters within which a goal is fulfilled.
    """

    def __init__(self, threshold: float = DISTANCE_THRESHOLD):
        super().__init__()
        self.threshold = threshold
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(SHARPNESS)))

    def forward(self, points: Tensor, achieved: Tensor) -> Tensor:
        """The mean loss over all pairs of a picture and the goal of another one.

        Args:
            points: (B, 2) in meters, read from B pictures.
            achieved: (B, 2) in meters, what each fulfils exactly; also the goals that are asked.
                The loss depends on it through rewards and goals alone.

        Returns:
            A scalar.
        """
        goals = achieved
        rewards = goal_reward(
            achieved[:, None], goals[None], threshold=self.threshold, reward_type="sparse"
        )
        apart = torch.linalg.vector_norm(points[:, None] - goals[None] + 1e-8, dim=-1)
        logits = self.log_sharpness.exp() * (self.threshold - apart)
        others = ~torch.eye(len(points), dtype=torch.bool, device=points.device)
        return F.binary_cross_entropy_with_logits(logits[others], (1 + rewards)[others])


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("reward_locator", title="Locator that learns from rewards"))
