"""A small encoder for few cores: three convolutions, then keypoints.

ManipulationCNN (after Yarats et al. 2021, arXiv 2107.09645) works on 42 × 42 grids: for a frame of
84 × 84 its convolutions take 38.1 million multiplications, those here 8.2 million. Here the first
two layers stride, SpatialSoftmax (Levine et al. 2016, arXiv 1504.00702) reads coordinates from a
21 × 21 grid, and every frame of a stack passes through the same weights: motion is the difference
between two frames' keypoints. That spends most of what was saved: for a stack of four, which
ManipulationCNN takes at once, it is 42.7 million there and 32.9 million here.

Command line: ``python -m labs.keypoint_encoder --verify``.
"""

from __future__ import annotations

import torch
from gymnasium import spaces
from torch import Tensor, nn

from labs.image_extractor import ImageDictExtractor
from labs.manipulation_encoder import SpatialSoftmax
from labs.shapes import check_images


class KeypointCNN(nn.Module):
    """Convolutions and keypoints.

    ===========  ==========================  ==================  =======================
    layer        what                        output (84 × 84)    parameters (3 channels)
    ===========  ==========================  ==================  =======================
    ``cnn.0``    5 × 5, stride 2, ReLU       (B, 16, 42, 42)     1,216
    ``cnn.2``    3 × 3, stride 2, ReLU       (B, 32, 21, 21)     4,640
    ``cnn.4``    3 × 3                       (B, 32, 21, 21)     9,248
    ``cnn.5``    SpatialSoftmax              (B, 64)             1
    ===========  ==========================  ==================  =======================

    Args:
        in_channels: channels of the image, 3 for one RGB frame.
        num_filters: keypoints; the output is twice as wide.
        image_size: (height, width) in pixels, each view at least 16 × 16.
        views: cameras side by side in one image. They become channels: a keypoint is the mean
            place of a pattern, and the mean of two views' places is a place in neither.
        temperature: of the softmax at the start. At 1 the weak maps of untrained convolutions
            put every keypoint into the middle of every picture. Regression finds its way out; a
            reward hardly does.

    Raises:
        ValueError: views below 16 × 16, or of unequal width.
    """

    MIN_SIZE = 16

    def __init__(
        self,
        in_channels: int = 3,
        num_filters: int = 32,
        image_size: tuple[int, int] = (84, 84),
        views: int = 1,
        temperature: float = 1.0,
    ):
        super().__init__()
        height, width = image_size[0], image_size[1] // views
        if min(height, width) < self.MIN_SIZE or image_size[1] % views:
            raise ValueError(
                f"image_size: received {tuple(image_size)} for {views} view(s), "
                f"expected at least ({self.MIN_SIZE}, {self.MIN_SIZE}) for each"
            )
        self.in_channels, self.image_size, self.views = in_channels, tuple(image_size), views
        self.features_dim = 2 * num_filters
        height, width = ((side + 3) // 4 for side in (height, width))
        self.cnn = nn.Sequential(
            nn.Conv2d(in_channels * views, 16, kernel_size=5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, num_filters, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(num_filters, num_filters, kernel_size=3, padding=1),
            SpatialSoftmax(height, width, num_filters, temperature),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Encodes images.

        Args:
            images: float (B, in_channels, H, W), values in [0, 1].

        Returns:
            float (B, 2 · num_filters) in [−1, 1]: x of every keypoint, then y.

        Raises:
            TypeError: not floating point.
            ValueError: another shape than the network was built for.
        """
        check_images(images, self.in_channels, self.image_size, self.MIN_SIZE)
        if self.views > 1:
            images = torch.cat(images.chunk(self.views, dim=3), dim=1)
        return self.cnn(images - 0.5)


class KeypointStack(nn.Module):
    """Each RGB frame of a stack through one KeypointCNN: (B, 3·k, H, W) → (B, k · 64).

    Args:
        in_channels: 3 for each frame.
        num_filters: keypoints of a frame.
        image_size: (height, width) in pixels.
        options: further arguments of :class:`KeypointCNN`.

    Raises:
        ValueError: channels that are not whole RGB frames, or a size that KeypointCNN refuses.
    """

    def __init__(
        self, in_channels: int, num_filters: int, image_size: tuple[int, int], **options: float
    ):
        super().__init__()
        if in_channels < 3 or in_channels % 3:
            raise ValueError(f"in_channels: received {in_channels}, expected 3 for each RGB frame")
        self.frames = in_channels // 3
        self.cnn = KeypointCNN(3, num_filters, image_size, **options)
        self.features_dim = self.frames * self.cnn.features_dim

    def forward(self, images: Tensor) -> Tensor:
        frames = images.reshape(-1, 3, *images.shape[2:])
        return self.cnn(frames).reshape(len(images), self.features_dim)


class KeypointExtractor(ImageDictExtractor):
    """Image → keypoints of every frame; vectors pass unchanged.

    ==================  =========================================  ==============
    key                 branch                                     output
    ==================  =========================================  ==============
    ``pixels``          KeypointCNN on each of k frames            (B, k · 64)
    vectors             identity                                   (B, n)
    ==================  =========================================  ==============

    No LayerNorm unless asked for: it mixes the keypoints' absolute positions, which are bounded
    already.

    Args:
        observation_space: see :class:`labs.image_extractor.ImageDictExtractor`.
        num_filters: keypoints of a frame; its features are twice as many.
        views: cameras side by side in one image.
        temperature: of the softmax at the start: sharp, so that keypoints begin where something
            is.
        normalize: end with LayerNorm and Tanh, over the keypoints of all frames together.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        num_filters: int = 32,
        views: int = 1,
        temperature: float = 0.005,
        normalize: bool = False,
    ):
        def make_branch(shape: tuple[int, int, int]) -> tuple[nn.Module, int]:
            stack = KeypointStack(
                shape[0], num_filters, shape[1:], views=views, temperature=temperature
            )
            dim = stack.features_dim
            branch = nn.Sequential(stack, nn.LayerNorm(dim), nn.Tanh()) if normalize else stack
            return branch, dim

        super().__init__(observation_space, make_branch)


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("keypoint_encoder", title="Keypoint encoder"))
