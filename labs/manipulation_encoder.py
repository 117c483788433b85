"""An encoder that says *where*: small strides, then a coordinate pair a channel.

* :class:`ManipulationCNN`: four 3 × 3 convolutions, 84 → 42 → 42 → 42 → 21 (after the encoder of
  DrQ-v2, Yarats et al. 2021, arXiv 2107.09645).
* :class:`SpatialSoftmax`: each feature map becomes its expected position (Levine et al. 2016,
  arXiv 1504.00702).
* :class:`ManipulationExtractor`: both inside an SB3 features extractor, beside proprioception and
  goals.

Cameras see the world, joint encoders the robot: the extractor passes what a cheap sensor knows
exactly, and leaves the convolutions what no other tells.

Run ``python -m labs.manipulation_encoder --verify`` or ``--compare-nature``.
"""

from __future__ import annotations

import math

import torch
from gymnasium import spaces
from torch import Tensor, nn

from labs.artifacts import runs_root
from labs.image_extractor import ImageDictExtractor
from labs.shapes import check_images, shape_table

__all__ = ["ManipulationCNN", "ManipulationExtractor", "SpatialSoftmax", "shape_table"]


class ManipulationCNN(nn.Module):
    """Four 3 × 3 convolutions with strides 2, 1, 1, 2, padding 1, each followed by a ReLU; after
    the encoder of DrQ-v2 (Yarats et al. 2021, arXiv 2107.09645), which strides once.

    After the first layer an object of 5 pixels is still 2.5 cells wide, where NatureCNN's stride
    of 4 leaves 1.25; at the end it is 1.25 cells wide in a map of 21 × 21.

    ==========  =================  =================  ========================
    layer       stride             output (84 × 84)   parameters (12 channels)
    ==========  =================  =================  ========================
    ``cnn.0``   2                  (B, 32, 42, 42)    3,488
    ``cnn.2``   1                  (B, 32, 42, 42)    9,248
    ``cnn.4``   1                  (B, 32, 42, 42)    9,248
    ``cnn.6``   2                  (B, 32, 21, 21)    9,248
    ==========  =================  =================  ========================

    In all 31,232 parameters.

    Args:
        in_channels: channels of the image, 3 for one RGB frame, 12 for four.
        num_filters: channels of every layer, and so the number of keypoints.

    Raises:
        ValueError: a number below 1.
    """

    MIN_SIZE = 5  # the smallest image that leaves 2 × 2 cells: one cell alone has no position

    def __init__(self, in_channels: int = 12, num_filters: int = 32):
        super().__init__()
        if in_channels < 1 or num_filters < 1:
            raise ValueError(
                f"received in_channels {in_channels} and num_filters {num_filters}, "
                "expected both at least 1"
            )
        self.in_channels = in_channels
        self.num_filters = num_filters
        layers: list[nn.Module] = []
        channels = in_channels
        for stride in (2, 1, 1, 2):
            layers.append(nn.Conv2d(channels, num_filters, kernel_size=3, stride=stride, padding=1))
            layers.append(nn.ReLU())
            channels = num_filters
        self.cnn = nn.Sequential(*layers)

    def output_size(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the feature maps that an image of this size gives.

        Raises:
            ValueError: an image smaller than 5 × 5.
        """
        if min(image_size) < self.MIN_SIZE:
            raise ValueError(
                f"image size: received {tuple(image_size)}, "
                f"expected at least ({self.MIN_SIZE}, {self.MIN_SIZE})"
            )
        # A stride of 2 with padding 1 halves and rounds up; a stride of 1 keeps the size.
        height, width = (math.ceil(math.ceil(n / 2) / 2) for n in image_size)
        return height, width

    def forward(self, images: Tensor) -> Tensor:
        """Encodes images.

        Args:
            images: float (B, in_channels, H, W), values in [0, 1], at least 5 × 5.

        Returns:
            float (B, num_filters, ⌈H/4⌉, ⌈W/4⌉), not negative; (B, 32, 21, 21) for 84 × 84.

        Raises:
            TypeError: not floating point.
            ValueError: channels last, another channel count, or an image that is too small.
        """
        check_images(images, self.in_channels, None, self.MIN_SIZE)
        return self.cnn(images)


class SpatialSoftmax(nn.Module):
    """Each feature map becomes one point: its softmax-weighted mean position (Levine et al. 2016,
    arXiv 1504.00702; with a learned temperature: Finn et al. 2016, arXiv 1509.06113).

    p(i, j) = softmax(f(i, j) / T) over the positions of one channel, then (Σ p x, Σ p y). The
    coordinates run from −1 to 1, the centers of the corner cells lie exactly at ±1, and (−1, −1)
    is the top left: x grows to the right, y grows downward.

    The temperature T is learned. It is stored as its logarithm, so that no gradient step can make
    it zero or negative; T near 0 picks the strongest cell, a large T averages over the map.

    =============  ====================  ==========
    part           output                parameters
    =============  ====================  ==========
    input          (B, 32, 21, 21)       ..
    softmax        (B, 32, 21, 21)       1
    expectation    (B, 64): 32 x, 32 y   0
    =============  ====================  ==========

    Computed and returned in float32 even where the input is bfloat16, whose 8 bits blur a position
    by up to whole cells where the softmax is cold, or float16. Use autocast rather than
    ``.to(torch.bfloat16)``.

    Args:
        height, width: size of the feature maps, each at least 2.
        num_channels: number of feature maps.
        temperature: T at the start; above 0.

    Raises:
        ValueError: a size below 2, no channel, or a temperature that is not positive.
    """

    def __init__(self, height: int, width: int, num_channels: int, temperature: float = 1.0):
        super().__init__()
        if height < 2 or width < 2 or num_channels < 1:
            raise ValueError(
                f"received height {height}, width {width}, num_channels {num_channels}, "
                "expected at least 2, 2, 1: a single cell has no position"
            )
        if not (temperature > 0 and math.isfinite(temperature)):
            raise ValueError(
                f"temperature: received {temperature}, expected a finite number above 0"
            )
        self.height, self.width, self.num_channels = height, width, num_channels
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        # Not persistent: they follow from the size, and a state dict should hold what is learned.
        self.register_buffer("x", torch.linspace(-1, 1, width), persistent=False)
        self.register_buffer("y", torch.linspace(-1, 1, height), persistent=False)

    @property
    def temperature(self) -> Tensor:
        """T, a positive scalar tensor through which gradients flow."""
        return self.log_temperature.exp()

    def attention(self, features: Tensor) -> Tensor:
        """The softmax of each channel over its positions: (B, C, H, W), each map sums to 1."""
        expected = (self.num_channels, self.height, self.width)
        if features.ndim != 4 or tuple(features.shape[1:]) != expected:
            raise ValueError(
                f"features: received shape {tuple(features.shape)}, "
                f"expected (B, {', '.join(map(str, expected))})"
            )
        if not features.is_floating_point():
            raise TypeError(f"features: received dtype {features.dtype}, expected floating point")
        if features.dtype != torch.float64:
            features = features.float()
        # torch's softmax subtracts the largest logit first: large features do not overflow.
        return torch.softmax(features.flatten(2) / self.temperature, dim=2).view(features.shape)

    def forward(self, features: Tensor) -> Tensor:
        """Feature maps → coordinates.

        Args:
            features: float (B, C, H, W).

        Returns:
            (B, 2C) in [−1, 1]: the C x-coordinates first, then the C y-coordinates. float32
            (float64 for a float64 input).

        Raises:
            TypeError: not floating point.
            ValueError: another shape than (B, C, H, W) of the constructor.
        """
        attention = self.attention(features)
        # The expectation of x needs only the distribution over columns, that of y over rows.
        x = (attention.sum(dim=2) * self.x).sum(dim=2)
        y = (attention.sum(dim=3) * self.y).sum(dim=2)
        return torch.cat([x, y], dim=1)


class ManipulationExtractor(ImageDictExtractor):
    """Image → ManipulationCNN → SpatialSoftmax → LayerNorm → Tanh; vectors pass unchanged.

    ==================  =================================  ==============
    key                 branch                             output
    ==================  =================================  ==============
    ``achieved_goal``   identity                           (B, 3)
    ``desired_goal``    identity                           (B, 3)
    ``pixels``          ManipulationCNN                    (B, 32, 21, 21)
    ..                  SpatialSoftmax                     (B, 64)
    ..                  LayerNorm, Tanh                    (B, 64)
    ``proprioception``  identity                           (B, 10)
    all                 concatenated                       (B, 80)
    ==================  =================================  ==============

    With ``spatial_softmax=False`` the head is Flatten (B, 14112) → Linear 50 → LayerNorm → Tanh,
    as in DrQ-v2 (Yarats et al. 2021, arXiv 2107.09645), and the whole is 66 wide. The coordinates
    are those of Levine et al. 2016 (arXiv 1504.00702).

    Args:
        observation_space: a dict space; images are what SB3's ``is_image_space`` takes for one.
        spatial_softmax: coordinates, or a flat linear head.
        num_filters: channels of the convolutions; the coordinates are twice as many.
        flat_features_dim: width of the flat head.
        normalize: end with LayerNorm and Tanh. The coordinates lie in [−1, 1] already; LayerNorm
            subtracts the common mean of all of them, x and y together, and divides by their
            spread: absolute positions mix.
        temperature: of the softmax at the start. At 1 the flat maps of an untrained encoder put
            every point into the middle of every picture; 0.0025 spreads them.

    Raises:
        TypeError: not a dict space.
        ValueError: channels last, a three-axis box that is no image for SB3, an image smaller than
            5 × 5, or a width below 1.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        spatial_softmax: bool = True,
        num_filters: int = 32,
        flat_features_dim: int = 50,
        normalize: bool = True,
        temperature: float = 1.0,
    ):
        if flat_features_dim < 1:
            raise ValueError(
                f"flat_features_dim: received {flat_features_dim}, expected at least 1"
            )

        def make_branch(shape: tuple[int, int, int]) -> tuple[nn.Module, int]:
            cnn = ManipulationCNN(shape[0], num_filters)
            height, width = cnn.output_size(shape[1:])
            if spatial_softmax:
                dim = 2 * num_filters
                head = [SpatialSoftmax(height, width, num_filters, temperature)]
            else:
                dim = flat_features_dim
                head = [nn.Flatten(), nn.Linear(num_filters * height * width, dim)]
            bounds = [nn.LayerNorm(dim), nn.Tanh()] if normalize else []
            return nn.Sequential(cnn, *head, *bounds), dim

        super().__init__(observation_space, make_branch)


def _compare_nature() -> None:
    from labs.figures.encoders import compare_nature

    compare_nature(runs_root() / "compare_nature.png")


if __name__ == "__main__":
    from labs.checks import module_main

    COMPARE = ("both encoders and a 5-pixel object, layer by layer", _compare_nature)
    raise SystemExit(
        module_main(
            "manipulation_encoder",
            title="Manipulation encoder",
            modes={"compare-nature": COMPARE},
        )
    )
