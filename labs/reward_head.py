"""An encoder that learns to see from the rewards of hindsight alone.

Hindsight knows the reward of a transition for *every* goal, and a critic learns from a few of them
(``goals_per_frame``). Here a picture is asked about all goals of the batch at once: which of them
does it fulfil? Each answer is one bit, the sparse reward. Many of them say where the object is, and
no network ever reads a coordinate of it.

Predicting rewards as a second loss is Jaderberg et al. 2017 (arXiv 1611.05397); learning about many
goals from each moment is Kaelbling 1993 and Andrychowicz et al. 2017 (arXiv 1707.01495).

* :class:`RewardHead`: the head and its loss, for :class:`labs.auxiliary.AuxiliaryPolicy`. It exists
  in training only.

On FetchPush-v4 with KeypointCNN, B pictures with M goals each, N = B · M goals:

==================  ==============================================  ==================
part                what it reads                                   output
==================  ==============================================  ==================
``of_picture``      the image's features (B, 64)                    (B, 32)
``of_goal``         goals, standardized (N, 3)                      (N, 32)
score               the product of both, and a bias                 (B, N) logits
its truth           rewards of B pictures under N goals             (B, N) in {0, 1}
==================  ==============================================  ==================

Command line: ``python -m labs.reward_head --verify``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from labs.asymmetric import PRIVILEGED
from labs.goal_tasks import goal_reward
from labs.tasks import DISTANCE_THRESHOLD

WIDTH, HIDDEN = 32, 64
IMAGE, GOAL = "pixels", "desired_goal"
RARE = -2.0  # the first score of everything: most pictures do not fulfil most goals


class RewardHead(nn.Module):
    """Scores how likely a picture fulfils a goal.

    The picture's features are taken from those of the whole observation, without goal and joints:
    a goal of hindsight lies where the object will be, and a head that reads it need not look.

    Args:
        extractor: the encoder; it says where the image's and the goal's features lie.
        threshold: success distance in meters.

    Raises:
        ValueError: an extractor without ``slices``, or without an image and a goal.
    """

    def __init__(self, extractor: BaseFeaturesExtractor, threshold: float = DISTANCE_THRESHOLD):
        super().__init__()
        slices = getattr(getattr(extractor, "inner", extractor), "slices", {})
        if not {IMAGE, GOAL} <= set(slices):
            raise ValueError(
                f"received an extractor of {sorted(slices)}; expected an ImageDictExtractor, "
                f"such as KeypointExtractor, of {IMAGE!r} and {GOAL!r}"
            )
        self.image, self.goal = slices[IMAGE], slices[GOAL]
        self.threshold = threshold
        self.of_picture = self._tower(self.image.stop - self.image.start)
        self.of_goal = self._tower(self.goal.stop - self.goal.start)
        self.bias = nn.Parameter(torch.tensor(RARE))

    @staticmethod
    def _tower(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH))

    def scores(self, features: Tensor, pictures: int) -> Tensor:
        """Logits (B, N) of B pictures under all N goals.

        Args:
            features: (N, features_dim) of the whole observation; those of one picture lie side by
                side.
            pictures: B; N is a multiple of it.
        """
        seen = features[:: len(features) // pictures, self.image]
        return self.of_picture(seen) @ self.of_goal(features[:, self.goal]).T + self.bias

    def loss(self, features: Tensor, observations: dict[str, Tensor]) -> Tensor:
        """Cross-entropy of all pairs of a picture and a goal, averaged.

        Args:
            features: (N, features_dim), with their graph.
            observations: ``pixels`` (B, ...), ``desired_goal`` (N, 3) in meters, and ``privileged``
                (N, 3), the achieved goal, which only the reward reads.
        """
        pictures = len(observations[IMAGE])
        achieved = observations[PRIVILEGED][:: len(features) // pictures, None]
        rewards = goal_reward(
            achieved, observations[GOAL][None], threshold=self.threshold, reward_type="sparse"
        )
        return F.binary_cross_entropy_with_logits(self.scores(features, pictures), rewards + 1)


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("reward_head", title="Rewards that teach an eye"))
