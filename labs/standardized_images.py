"""Images encoded, vectors standardized: an image extractor whose vectors are of one size.

A Fetch position varies by 0.1 m around 1.3 m, and the features of an image lie in [−1, 1]. Joined
as they are, the position looks like a constant to the layers that follow.

Shapes for Push with pixels, joints and the desired goal, ManipulationCNN inside:

=========================  ============================  ===================
part                       input                         output
=========================  ============================  ===================
``vectors``                proprioception 10 + goal 3    (B, 13), in [−5, 5]
``inner``                  pixels (B, 12, 84, 84)        (B, 64 + 13)
=========================  ============================  ===================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from labs.fast_networks import StandardizedExtractor


class StandardizedImageExtractor(BaseFeaturesExtractor):
    """An image extractor behind a standardization of its vectors.

    :class:`labs.fast_sac.FastSAC` feeds the statistics, as it does for
    :class:`labs.fast_networks.StandardizedExtractor`.

    Args:
        observation_space: ``spaces.Dict`` of images and flat vectors.
        inner_class: the extractor of everything, such as ``ManipulationExtractor``.
        **inner_kwargs: its arguments.

    Raises:
        ValueError: no vector to standardize.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        inner_class: Callable[..., BaseFeaturesExtractor],
        **inner_kwargs: Any,
    ):
        inner = inner_class(observation_space, **inner_kwargs)
        super().__init__(observation_space, features_dim=inner.features_dim)
        flat = {k: s for k, s in observation_space.spaces.items() if not is_image_space(s)}
        if not flat:
            raise ValueError(f"received {observation_space}; expected a vector beside the image")
        self.vectors = StandardizedExtractor(spaces.Dict(flat))
        self.inner = inner
        self._sizes = [flat[key].shape[0] for key in self.vectors.keys]

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Images (B, C, H, W) in [0, 1] and vectors (B, D_k) → float (B, features_dim)."""
        parts = self.vectors(observations).split(self._sizes, dim=1)
        standardized = dict(zip(self.vectors.keys, parts, strict=True))
        return self.inner({**observations, **standardized})
