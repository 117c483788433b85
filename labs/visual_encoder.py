"""From pixels to features: the standard encoder, and the networks of a from-scratch visual SAC.

* :class:`NatureCNN`: the convolutional encoder of deep Q-learning (Mnih et al. 2015).
* :class:`NormalizedCombinedExtractor`: the same inside an SB3 features extractor, normalized.
* :class:`VisualGoalEncoder`, :class:`VisualGaussianPolicy`, :class:`VisualTwinQNetwork`: the three
  networks of a SAC written from scratch (:mod:`labs.from_scratch_sac` trains them).
* :func:`shape_table`: the table of shapes of any network (from :mod:`labs.shapes`).

Every network takes images as **float** (B, C, H, W) with values in [0, 1]: SB3 divides its uint8
images by 255 before they reach a features extractor, and ``PixelReplayBuffer`` does the same.

Command line: ``python -m labs.visual_encoder --verify`` or ``--demo``.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from gymnasium import spaces
from torch import Tensor, nn

from labs.image_extractor import ImageDictExtractor
from labs.shapes import check_images, check_vector, shape_table

__all__ = [
    "NatureCNN",
    "NormalizedCombinedExtractor",
    "VisualGaussianPolicy",
    "VisualGoalEncoder",
    "VisualTwinQNetwork",
    "sample_squashed_gaussian",
    "shape_table",
    "squashed_gaussian_log_prob",
]

#: SB3's limits: far inside float32's range even as exp(−2 · log_std), which the density needs.
LOG_STD_RANGE = (-20.0, 2.0)

# ------------------------------------------------------------------------------------- NatureCNN


class NatureCNN(nn.Module):
    """Three strided convolutions and one linear layer (Mnih et al. 2015, Nature 518).

    ===========  ======================  ==================  ==========
    layer        what                    output (84 × 84)    parameters (12 channels)
    ===========  ======================  ==================  ==========
    ``cnn.0``    8 × 8, stride 4, ReLU   (B, 32, 20, 20)     24,608
    ``cnn.2``    4 × 4, stride 2, ReLU   (B, 64, 9, 9)       32,832
    ``cnn.4``    3 × 3, stride 1, ReLU   (B, 64, 7, 7)       36,928
    ``cnn.6``    flatten                 (B, 3136)           0
    ``linear``   linear, ReLU            (B, 512)            1,606,144
    ===========  ======================  ==================  ==========

    The module names are SB3's, so that state dicts of the two are interchangeable.

    Args:
        in_channels: channels of the image, 3 for one RGB frame, 12 for four.
        features_dim: width of the output.
        image_size: (height, width) in pixels; at least 36 × 36.
        output_relu: end with a ReLU, as in the paper. Without it the output may be negative, which
            a following LayerNorm wants.

    Raises:
        ValueError: an image smaller than 36 × 36, or a width below 1.
    """

    MIN_SIZE = 36  # the smallest image that leaves one cell after the third convolution

    def __init__(
        self,
        in_channels: int = 3,
        features_dim: int = 512,
        image_size: tuple[int, int] = (84, 84),
        output_relu: bool = True,
    ):
        super().__init__()
        if in_channels < 1 or features_dim < 1:
            raise ValueError(
                f"received in_channels {in_channels} and features_dim {features_dim}, "
                "expected both at least 1"
            )
        if min(image_size) < self.MIN_SIZE:
            raise ValueError(
                f"image_size: received {tuple(image_size)}, "
                f"expected at least ({self.MIN_SIZE}, {self.MIN_SIZE})"
            )
        self.in_channels = in_channels
        self.features_dim = features_dim
        self.image_size = tuple(image_size)
        self.cnn = nn.Sequential(
            nn.Conv2d(in_channels, 32, kernel_size=8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, kernel_size=3, stride=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():  # one empty image through the network tells the flat size
            self.flat_dim = self.cnn(torch.zeros(1, in_channels, *image_size)).shape[1]
        self.linear = nn.Sequential(nn.Linear(self.flat_dim, features_dim))
        if output_relu:
            self.linear.append(nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        """Encodes images.

        Args:
            images: float (B, in_channels, H, W), values in [0, 1].

        Returns:
            float (B, features_dim).

        Raises:
            TypeError: not floating point.
            ValueError: another shape than the network was built for.
        """
        check_images(images, self.in_channels, self.image_size, self.MIN_SIZE)
        return self.linear(self.cnn(images))


class NatureExtractor(ImageDictExtractor):
    """Image → NatureCNN; vectors pass unchanged. SB3's ``CombinedExtractor``, weight for weight,
    but for one thing: it lets many goals share one picture.

    ==================  ========================  ==============
    key                 branch                    output
    ==================  ========================  ==============
    ``desired_goal``    identity                  (B, 3)
    ``pixels``          NatureCNN to 256          (B, 256)
    all                 concatenated              (B, 259)
    ==================  ========================  ==============

    Args:
        observation_space: see :class:`ImageDictExtractor`.
        cnn_output_dim: features of each image.

    Raises:
        TypeError: not a dict space.
        ValueError: an image that is too small, or channels last; a width below 1.
    """

    def __init__(self, observation_space: spaces.Dict, cnn_output_dim: int = 256):
        def make_branch(shape: tuple[int, int, int]) -> tuple[nn.Module, int]:
            return NatureCNN(shape[0], cnn_output_dim, shape[1:]), cnn_output_dim

        super().__init__(observation_space, make_branch)


class NormalizedCombinedExtractor(ImageDictExtractor):
    """Image → NatureCNN → LayerNorm → Tanh; vectors pass unchanged.

    SB3's own extractor gives an image 256 unbounded numbers: beside them the six numbers of the two
    goals are 6/262 = 2.3 % of the input. Here the image gets 50 in (−1, 1), and the goals are
    6/56 = 10.7 %. Linear → LayerNorm → Tanh is the trunk of DrQ-v2 (Yarats et al. 2021,
    arXiv 2107.09645).

    ==================  ========================  ==============
    key                 branch                    output
    ==================  ========================  ==============
    ``achieved_goal``   identity                  (B, 3)
    ``desired_goal``    identity                  (B, 3)
    ``pixels``          NatureCNN to 50           (B, 50)
    ..                  LayerNorm, Tanh           (B, 50)
    all                 concatenated              (B, 56)
    ==================  ========================  ==============

    Args:
        observation_space: see :class:`ImageDictExtractor`.
        cnn_output_dim: features of each image.

    Raises:
        TypeError: not a dict space.
        ValueError: an image that is too small, or channels last; a width below 1.
    """

    def __init__(self, observation_space: spaces.Dict, cnn_output_dim: int = 50):
        def make_branch(shape: tuple[int, int, int]) -> tuple[nn.Module, int]:
            return _normalized_nature_cnn(shape[0], cnn_output_dim, shape[1:]), cnn_output_dim

        super().__init__(observation_space, make_branch)


def _normalized_nature_cnn(channels: int, width: int, image_size: tuple[int, int]) -> nn.Sequential:
    # No ReLU before LayerNorm: it would make all negative numbers one and the same.
    cnn = NatureCNN(channels, width, image_size, output_relu=False)
    return nn.Sequential(cnn, nn.LayerNorm(width), nn.Tanh())


# --------------------------------------------------------------------- the from-scratch networks


class VisualGoalEncoder(nn.Module):
    """Pixels and goal → one feature vector: [Tanh(LayerNorm(NatureCNN(pixels))), goal].

    NatureCNN is Mnih et al. 2015 (Nature 518); LayerNorm and Tanh are Yarats et al. 2021 (arXiv
    2107.09645).

    ===========  ==================  ====================
    part         input               output
    ===========  ==================  ====================
    ``image``    (B, 12, 84, 84)     (B, 50) in (−1, 1)
    goal         (B, 3)              (B, 3)
    both         concatenated        (B, 53)
    ===========  ==================  ====================

    Args:
        in_channels: channels of the stacked frames.
        goal_dim: numbers in a goal, 3 in the Fetch tasks (meters).
        image_features_dim: features of the image.
        image_size: (height, width) in pixels.

    Raises:
        ValueError: an image that is too small, or a width below 1.
    """

    def __init__(
        self,
        in_channels: int = 12,
        goal_dim: int = 3,
        image_features_dim: int = 50,
        image_size: tuple[int, int] = (84, 84),
    ):
        super().__init__()
        self.goal_dim = goal_dim
        self.features_dim = image_features_dim + goal_dim
        self.image = _normalized_nature_cnn(in_channels, image_features_dim, image_size)

    def forward(self, pixels: Tensor, goal: Tensor) -> Tensor:
        """Args: pixels float (B, C, H, W) in [0, 1], goal float (B, goal_dim).

        Returns: float (B, features_dim). Raises ValueError or TypeError on other shapes or dtypes.
        """
        check_vector("goal", goal, self.goal_dim, len(pixels))
        return torch.cat([self.image(pixels), goal], dim=1)


def squashed_gaussian_log_prob(mean: Tensor, log_std: Tensor, pre_tanh: Tensor) -> Tensor:
    """Log-density of a = tanh(u) with u ~ Normal(mean, exp(log_std)), at u = ``pre_tanh``.

    log π(a) = Σ log Normal(u) − Σ log(1 − tanh²(u)), the second sum being the change of variables.
    1 − tanh² rounds to 0 beyond |u| ≈ 9 in float32, so it is rewritten without loss as
    log(1 − tanh²(u)) = 2 (log 2 − u − softplus(−2u)).

    Args:
        mean, log_std, pre_tanh: float (B, action_dim).

    Returns:
        float (B, 1), the shape of a Q-value; in nats (Haarnoja et al. 2018, arXiv 1801.01290,
        appendix C).
    """
    normal = -0.5 * ((pre_tanh - mean) * torch.exp(-log_std)) ** 2 - log_std
    normal = normal - 0.5 * math.log(2 * math.pi)
    correction = 2 * (math.log(2) - pre_tanh - F.softplus(-2 * pre_tanh))
    return (normal - correction).sum(dim=-1, keepdim=True)


def sample_squashed_gaussian(mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """Draws an action that gradients can pass through, and its log-probability.

    Args:
        mean, log_std: float (B, action_dim).

    Returns:
        action float (B, action_dim) in [−1, 1]; log-probability float (B, 1).
    """
    pre_tanh = mean + log_std.exp() * torch.randn_like(mean)
    return torch.tanh(pre_tanh), squashed_gaussian_log_prob(mean, log_std, pre_tanh)


def _mlp(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    hidden = [nn.Linear(in_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, hidden_dim)]
    return nn.Sequential(*hidden, nn.ReLU(), nn.Linear(hidden_dim, out_dim))


class VisualGaussianPolicy(nn.Module):
    """The actor: features → a squashed Gaussian over actions (Haarnoja et al. 2018).

    ===========  ==================  =========================
    part         input               output
    ===========  ==================  =========================
    ``encoder``  pixels, goal        (B, 53)
    ``head``     (B, 53)             (B, 8): mean 4, log std 4
    ===========  ==================  =========================

    Args:
        encoder: gives the features; whether it is shared with the critic is the caller's choice.
        action_dim: numbers in an action.
        hidden_dim: width of the two hidden layers.
    """

    def __init__(self, encoder: VisualGoalEncoder, action_dim: int = 4, hidden_dim: int = 256):
        super().__init__()
        self.encoder = encoder
        self.head = _mlp(encoder.features_dim, hidden_dim, 2 * action_dim)

    def gaussian(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, features_dim) → mean and log standard deviation, each (B, action_dim)."""
        mean, log_std = self.head(features).chunk(2, dim=-1)
        return mean, log_std.clamp(*LOG_STD_RANGE)

    def forward(self, pixels: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """Draws actions: (B, action_dim) in [−1, 1], and their log-probabilities (B, 1)."""
        return sample_squashed_gaussian(*self.gaussian(self.encoder(pixels, goal)))

    @torch.no_grad()
    def act(self, pixels: Tensor, goal: Tensor, deterministic: bool = False) -> Tensor:
        """Actions (B, action_dim) to play: drawn, or tanh of the mean if ``deterministic``."""
        mean, log_std = self.gaussian(self.encoder(pixels, goal))
        return torch.tanh(mean) if deterministic else sample_squashed_gaussian(mean, log_std)[0]


class VisualTwinQNetwork(nn.Module):
    """The critic: two independent Q-functions on one encoder (Haarnoja et al. 2018).

    ===========  ==================  ==========
    part         input               output
    ===========  ==================  ==========
    ``encoder``  pixels, goal        (B, 53)
    ``q1, q2``   (B, 53 + 4)         (B, 1) each
    ===========  ==================  ==========

    Args:
        encoder: gives the features.
        action_dim: numbers in an action.
        hidden_dim: width of the two hidden layers.
    """

    def __init__(self, encoder: VisualGoalEncoder, action_dim: int = 4, hidden_dim: int = 256):
        super().__init__()
        self.encoder = encoder
        self.action_dim = action_dim
        self.q1 = _mlp(encoder.features_dim + action_dim, hidden_dim, 1)
        self.q2 = _mlp(encoder.features_dim + action_dim, hidden_dim, 1)

    def values(self, features: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Both values of (features, action): two tensors (B, 1)."""
        check_vector("action", action, self.action_dim, len(features))
        both = torch.cat([features, action], dim=1)
        return self.q1(both), self.q2(both)

    def forward(self, pixels: Tensor, goal: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Both values of (pixels, goal, action): two tensors (B, 1)."""
        return self.values(self.encoder(pixels, goal), action)


def _demo(**settings: object) -> None:
    from labs.from_scratch_sac import demo  # it imports this module

    demo(**settings)


if __name__ == "__main__":
    from labs.checks import module_main

    DEMO_MODES = {
        "demo": ("train a from-scratch SAC on pixels, about 10 minutes on a CPU", _demo),
        "demo-short": (
            "the same for 600 steps: too few to learn the task",
            lambda: _demo(steps=600),
        ),
    }
    raise SystemExit(module_main("visual_encoder", title="Visual encoder", modes=DEMO_MODES))
