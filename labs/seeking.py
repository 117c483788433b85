"""Random actions that go for the block: many touches before anything is learned.

A robot that acts at random seldom touches the block. Is that why success stays flat for so long?
One that is pulled towards the block touches it often, and everything else stays as it was.

The pull knows of the block what the policy is given: its place as a number, or where an eye reads
it. Behind an eye nobody is told anything for it.

Command line: ``python -m labs.seeking --verify``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

STEP = 0.05  # m: how far an action of 1 pulls the hand along an axis
SHAKE = 0.5  # of a uniform action, which stays in an action that goes for the block


class Seeking:
    """Bends a share of random actions towards the block.

    Args:
        share: of the random actions, from 0 to 1.
        looks: how many of an eye's lie in ``located``; the newest counts.

    Raises:
        ValueError: another share.
    """

    def __init__(self, share: float, looks: int = 1):
        if not 0 <= share <= 1:
            raise ValueError(f"received share {share}; expected 0 to 1")
        self.share, self.looks = share, looks

    def __call__(
        self, seen: Mapping[str, np.ndarray], action: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """The action that is done in place of a uniformly random one.

        Args:
            seen: an observation of Push: the block's center as ``achieved_goal`` (3,), or x and y
                as an eye has ``located`` it; ``desired_goal`` (3,); ``proprioception``, which
                begins with the gripper's place (3,); meters.
            action: uniform, (4,) in [-1, 1]: the hand's way along x, y, z, and its grip.
            rng: decides whether this one is bent.

        Returns:
            (4,) in [-1, 1].
        """
        if rng.random() >= self.share:
            return action
        way = (self._block(seen) - seen["proprioception"][:3]) / STEP
        bent = action.copy()
        bent[:3] = np.clip(way + SHAKE * action[:3], -1, 1)
        return bent

    def _block(self, seen: Mapping[str, np.ndarray]) -> np.ndarray:
        if "located" not in seen:
            return seen["achieved_goal"]
        newest = np.split(seen["located"], self.looks)[-1]
        return np.array([*newest[:2], seen["desired_goal"][2]])  # both lie on the table


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("seeking", title="Seeking"))
