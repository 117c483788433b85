"""Checks of ``labs.visual_encoder``."""

from __future__ import annotations

import math

import numpy as np
import torch
from gymnasium import spaces
from scipy.integrate import quad

from labs.checks.asserting import raises
from labs.visual_encoder import (
    NatureCNN,
    NormalizedCombinedExtractor,
    VisualGaussianPolicy,
    VisualGoalEncoder,
    VisualTwinQNetwork,
    sample_squashed_gaussian,
    shape_table,
    squashed_gaussian_log_prob,
)


def image_space(channels: int = 12, height: int = 84, width: int = 84) -> spaces.Box:
    """A uint8 image, channels first."""
    return spaces.Box(0, 255, (channels, height, width), np.uint8)


def goal_space(*, proprioception: bool = False, **images: spaces.Box) -> spaces.Dict:
    """A dict observation with both goals."""
    vector = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    parts = {"achieved_goal": vector, "desired_goal": vector, **images}
    if proprioception:
        parts["proprioception"] = spaces.Box(-np.inf, np.inf, (10,), np.float32)
    return spaces.Dict(parts)


def random_batch(space: spaces.Dict, batch: int = 2) -> dict[str, torch.Tensor]:
    """What SB3's ``preprocess_obs`` would hand over: floats, images in [0, 1]."""
    return {key: torch.rand(batch, *box.shape) for key, box in space.spaces.items()}


# ------------------------------------------------------------------------------------ NatureCNN


def check_nature_cnn_shapes():
    """NatureCNN: 84 → 20 → 9 → 7, 3136 flat, 512 out"""
    table = shape_table(NatureCNN(12), torch.zeros(2, 12, 84, 84))
    shapes = [row.output for row in table.rows if row.layer in ("Conv2d", "Flatten", "Linear")]
    expected = [(2, 32, 20, 20), (2, 64, 9, 9), (2, 64, 7, 7), (2, 3136), (2, 512)]
    assert shapes == expected, f"received {shapes}, expected {expected}"
    assert NatureCNN().in_channels == 3 and NatureCNN().features_dim == 512


def check_nature_cnn_parameters():
    """NatureCNN with 12 channels has 1,700,512 parameters"""
    count = sum(p.numel() for p in NatureCNN(12).parameters())
    assert count == 1_700_512, f"received {count}"


def check_nature_cnn_kernels():
    """NatureCNN: kernels 8, 4, 3 with strides 4, 2, 1 and no padding, rectified"""
    cnn = NatureCNN(3)
    convs = [m for m in cnn.modules() if isinstance(m, torch.nn.Conv2d)]
    got = [(c.kernel_size[0], c.stride[0], c.padding[0]) for c in convs]
    assert got == [(8, 4, 0), (4, 2, 0), (3, 1, 0)], f"received (kernel, stride, padding) {got}"
    assert cnn(torch.rand(8, 3, 84, 84)).min() == 0, "the output is not rectified"
    rectified = [type(m).__name__ for m in cnn.cnn]
    assert rectified == ["Conv2d", "ReLU"] * 3 + ["Flatten"], f"layers are {rectified}"


def check_nature_cnn_smallest_image():
    """NatureCNN takes 36 × 36 and refuses 35 × 84"""
    assert NatureCNN(3, 5, (36, 36))(torch.zeros(1, 3, 36, 36)).shape == (1, 5)
    raises(ValueError, lambda: NatureCNN(3, 5, (35, 84)), "(35, 84)", "(36, 36)")


def check_bad_images():
    """Channels last, uint8, wrong channels, wrong size: an error that names both shapes"""
    cnn = NatureCNN(12)
    raises(ValueError, lambda: cnn(torch.zeros(2, 84, 84, 12)), "(2, 84, 84, 12)", "channels last")
    raises(TypeError, lambda: cnn(torch.zeros(2, 12, 84, 84, dtype=torch.uint8)), "uint8", "/ 255")
    raises(ValueError, lambda: cnn(torch.zeros(2, 3, 84, 84)), "(2, 3, 84, 84)", "(B, 12, 84, 84)")
    raises(ValueError, lambda: cnn(torch.zeros(2, 12, 64, 84)), "(2, 12, 64, 84)", "84, 84)")
    raises(ValueError, lambda: cnn(torch.zeros(12, 84, 84)), "(12, 84, 84)", "(B, 12, 84, 84)")
    raises(TypeError, lambda: cnn(np.zeros((2, 12, 84, 84))), "ndarray", "torch.Tensor")


# ---------------------------------------------------------------------------------- the extractor


def check_normalized_extractor_width():
    """NormalizedCombinedExtractor: 50 + 3 + 3 = 56, and the goals are 10.7 % instead of 2.3 %"""
    space = goal_space(pixels=image_space())
    extractor = NormalizedCombinedExtractor(space)
    assert extractor.features_dim == 56, f"received {extractor.features_dim}"
    assert extractor(random_batch(space)).shape == (2, 56)
    assert f"{6 / extractor.features_dim:.1%}" == "10.7%" and f"{6 / (256 + 6):.1%}" == "2.3%"


def check_normalized_extractor_trunk():
    """The image's 50 features are Tanh of a LayerNorm: bounded, mean 0, variance 1 before Tanh"""
    torch.manual_seed(0)
    space = goal_space(pixels=image_space(3))
    extractor = NormalizedCombinedExtractor(space)
    for scale in (1.0, 1e3):  # LayerNorm takes the scale of what comes before it away
        with torch.no_grad():
            extractor.extractors["pixels"][0].linear[0].weight *= scale
        features = extractor(random_batch(space, 4))[:, extractor.slices["pixels"]]
        assert features.abs().max() <= 1, f"not bounded: {features.abs().max()}"
        before = torch.atanh(features.double().clamp(-1 + 1e-7, 1 - 1e-7))
        assert before.mean(1).abs().max() < 1e-3, "the mean over features is not 0"
        assert (before.var(1, correction=0) - 1).abs().max() < 0.05, "the variance is not 1"
        assert (features < 0).any(), "no feature is negative"


def check_vectors_pass_unchanged():
    """Vectors pass unchanged, each in its slice of the output"""
    space = goal_space(pixels=image_space(3), proprioception=True)
    extractor = NormalizedCombinedExtractor(space, cnn_output_dim=7)
    batch = random_batch(space)
    features = extractor(batch)
    assert features.shape == (2, 7 + 3 + 3 + 10)
    for key in ("achieved_goal", "desired_goal", "proprioception"):
        assert torch.equal(features[:, extractor.slices[key]], batch[key]), f"{key} was changed"


def check_several_images():
    """Several images: each has an encoder of its own"""
    space = goal_space(pixels=image_space(3), wrist=image_space(3, 64, 48))
    extractor = NormalizedCombinedExtractor(space, cnn_output_dim=20)
    batch = random_batch(space)
    features = extractor(batch)
    assert features.shape == (2, 46) and extractor.image_keys == ["pixels", "wrist"]
    changed = extractor({**batch, "wrist": torch.rand(2, 3, 64, 48)})
    where = (features != changed).any(0)
    assert where[extractor.slices["wrist"]].any(), "the second image is not used"
    assert where.sum() == where[extractor.slices["wrist"]].sum(), "the second image leaks"


def check_bad_spaces():
    """A space with channels last, of floats, or without keys: a clear error"""
    make = NormalizedCombinedExtractor
    last = goal_space(pixels=spaces.Box(0, 255, (84, 84, 12), np.uint8))
    raises(ValueError, lambda: make(last), "(84, 84, 12)", "(12, 84, 84)")
    floats = goal_space(pixels=spaces.Box(0, 1, (12, 84, 84), np.float32))
    raises(ValueError, lambda: make(floats), "float32", "uint8")
    raises(TypeError, lambda: make(image_space()), "Box", "Dict")
    raises(ValueError, lambda: make(goal_space(pixels=image_space(3, 20, 20))), "(20, 20)", "36")
    space = goal_space(pixels=image_space(3))
    batch = random_batch(space)
    batch.pop("desired_goal")
    raises(ValueError, lambda: make(space)(batch), "desired_goal")


# --------------------------------------------------------------------- the from-scratch networks


def check_from_scratch_shapes():
    """Encoder (B, 53), policy (B, 4) and (B, 1), twin Q (B, 1) twice, batch of 1 included"""
    encoder = VisualGoalEncoder()
    policy, critic = VisualGaussianPolicy(encoder), VisualTwinQNetwork(encoder)
    for batch in (1, 3):
        pixels, goal = torch.rand(batch, 12, 84, 84), torch.rand(batch, 3)
        features = encoder(pixels, goal)
        assert features.shape == (batch, 53)
        assert torch.equal(features[:, 50:], goal), "the goal does not pass unchanged"
        action, log_prob = policy(pixels, goal)
        assert action.shape == (batch, 4) and log_prob.shape == (batch, 1)
        assert action.abs().max() <= 1
        assert [q.shape for q in critic(pixels, goal, action)] == [(batch, 1)] * 2
    raises(ValueError, lambda: encoder(pixels, goal[:, :2]), "(3, 2)", "(3, 3)")
    raises(ValueError, lambda: critic(pixels, goal, action[:, :3]), "(3, 3)", "(3, 4)")


def check_log_prob_integrates_to_one():
    """The squashed Gaussian's density over (−1, 1) integrates to 1"""
    for mean, log_std in [(0.0, 0.0), (0.8, -1.0), (-1.5, 0.3)]:
        # (−1, 1) in the substitution a = tanh(u), which spreads out the steep ends.
        def density(u: float, mean: float = mean, log_std: float = log_std) -> float:
            args = [torch.tensor([[v]], dtype=torch.float64) for v in (mean, log_std, u)]
            return math.exp(squashed_gaussian_log_prob(*args).item()) / math.cosh(u) ** 2

        total, _ = quad(density, -15, 15, limit=200, points=[mean])
        assert abs(total - 1) < 1e-6, f"mean {mean}, log std {log_std}: the integral is {total}"


def check_log_prob_of_extremes():
    """The log-probability stays finite and exact where tanh rounds to ±1"""
    u = torch.tensor([[-40.0], [-12.0], [12.0], [40.0]])
    got = squashed_gaussian_log_prob(torch.zeros_like(u), torch.zeros_like(u), u)
    # log(1 − tanh²(u)) → 2 log 2 − 2 |u| for a large |u|.
    expected = -0.5 * u**2 - 0.5 * math.log(2 * math.pi) - (2 * math.log(2) - 2 * u.abs())
    assert torch.allclose(got, expected, rtol=1e-6), f"received {got.T}, expected {expected.T}"


def check_sample_matches_log_prob():
    """Drawn actions follow the density that is reported for them"""
    torch.manual_seed(0)
    mean, log_std = torch.full((20_000, 1), 0.4), torch.full((20_000, 1), -0.5)
    action, log_prob = sample_squashed_gaussian(mean, log_std)
    # The mean of 1/density over the drawn actions is the length of the interval, 2.
    length = (1 / log_prob.exp())[action.abs() < 0.95].sum() / len(action)
    assert abs(length - 1.9) < 0.06, f"received {length:.3f}, expected 1.9"


def check_deterministic_action():
    """A deterministic action is tanh of the mean, and two calls agree"""
    torch.manual_seed(0)
    encoder = VisualGoalEncoder(3, image_size=(36, 36))
    policy = VisualGaussianPolicy(encoder)
    pixels, goal = torch.rand(5, 3, 36, 36), torch.rand(5, 3)
    mean, log_std = policy.gaussian(encoder(pixels, goal))
    assert torch.equal(policy.act(pixels, goal, deterministic=True), torch.tanh(mean))
    assert not torch.equal(policy.act(pixels, goal), policy.act(pixels, goal))
    assert log_std.shape == mean.shape == (5, 4)


def check_twins_differ():
    """The two Q-functions start different"""
    critic = VisualTwinQNetwork(VisualGoalEncoder(3, image_size=(36, 36)))
    q1, q2 = critic(torch.rand(4, 3, 36, 36), torch.rand(4, 3), torch.rand(4, 4))
    assert not torch.allclose(q1, q2), "q1 equals q2: the minimum of two would be pointless"
