"""The SB3 features extractor of both encoders: images encoded, vectors passed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_flattened_obs_dim, is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

LONG_AXIS = 32  # pixels, not channels: two cameras with four RGB frames each make 24


class ImageDictExtractor(BaseFeaturesExtractor):
    """Encodes every image of a dict observation, passes every vector, and concatenates.

    The order is the observation space's (Gymnasium sorts keys); ``slices[key]`` says where the
    features of a key lie.

    Args:
        observation_space: a dict space. Images are what SB3's ``is_image_space`` takes for one
            (three axes, uint8, 0 to 255), channels first.
        make_branch: builds the encoder of an image from its (C, H, W); returns the module and the
            number of its features.

    Raises:
        TypeError: not a dict space.
        ValueError: channels last, or three axes that are no image to SB3.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        make_branch: Callable[[tuple[int, int, int]], tuple[nn.Module, int]],
    ):
        if not isinstance(observation_space, spaces.Dict):
            raise TypeError(
                f"observation_space: received {observation_space}, expected a gymnasium.spaces.Dict"
            )
        super().__init__(observation_space, features_dim=1)  # set below
        self.slices: dict[str, slice] = {}
        self.image_keys: list[str] = []
        branches: dict[str, nn.Module] = {}
        start = 0
        for key, space in observation_space.spaces.items():
            if is_image_space(space):
                branches[key], width = make_branch(_channels_first_shape(key, space))
                self.image_keys.append(key)
            elif len(space.shape or ()) == 3:
                # SB3 would flatten it without a word.
                raise ValueError(
                    f"{key!r}: received {space}, expected an image space: "
                    "uint8 (C, H, W) with bounds 0 and 255"
                )
            else:
                branches[key], width = nn.Flatten(), get_flattened_obs_dim(space)
            self.slices[key] = slice(start, start + width)
            start += width
        self.extractors = nn.ModuleDict(branches)
        self._features_dim = start

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Encodes a batch of observations that SB3's ``preprocess_obs`` has seen.

        Args:
            observations: key → float tensor; images (B, C, H, W) in [0, 1], vectors (B, n). Or
                vectors (B · M, n), M of them side by side for each image, which is encoded once.

        Returns:
            float, as many rows as the vectors have: (B, features_dim) or (B · M, features_dim).

        Raises:
            ValueError: a key is missing.
            TypeError: an image that is not floating point.
        """
        if missing := [key for key in self.extractors if key not in observations]:
            raise ValueError(f"received keys {sorted(observations)}, expected also {missing}")
        parts = [f(observations[key]) for key, f in self.extractors.items()]
        rows = max(len(part) for part in parts)
        return torch.cat(
            [p if len(p) == rows else p.repeat_interleave(rows // len(p), dim=0) for p in parts],
            dim=1,
        )


def _channels_first_shape(key: str, space: spaces.Box) -> tuple[int, int, int]:
    """The (C, H, W) of an image space; a short axis behind two long ones is a mistake."""
    first, second, last = space.shape
    if last < second and last < first >= LONG_AXIS:
        raise ValueError(
            f"{key!r}: received shape {space.shape}, which looks like channels last, "
            f"expected channels first: ({last}, {first}, {second})"
        )
    return first, second, last
