"""The manipulation encoder against kornia and inside Stable-Baselines3."""

from __future__ import annotations

import re

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kornia.geometry.subpix import spatial_expectation2d, spatial_softmax2d
from stable_baselines3.sac.policies import MultiInputPolicy
from torch.utils.flop_counter import FlopCounterMode

from labs import keypoint_encoder
from labs.checks.manipulation_encoder import full_space
from labs.checks.visual_encoder import goal_space, image_space, random_batch
from labs.figures.encoders import compare_nature, layer_geometry
from labs.figures.style import OKABE_ITO
from labs.manipulation_encoder import ManipulationCNN, ManipulationExtractor, SpatialSoftmax
from labs.visual_encoder import NatureCNN

torch.set_num_threads(1)
FEW = settings(max_examples=25, deadline=None)


@FEW
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 5),
    height=st.integers(2, 23),
    width=st.integers(2, 23),
    temperature=st.floats(0.05, 20),
    scale=st.floats(0, 30),
)
def test_spatial_softmax_equals_kornia(batch, channels, height, width, temperature, scale):
    features = scale * torch.randn(batch, channels, height, width, dtype=torch.float64)
    softmax = SpatialSoftmax(height, width, channels, temperature).double()
    attention = spatial_softmax2d(features, temperature=softmax.temperature.detach())
    torch.testing.assert_close(softmax.attention(features), attention, rtol=0, atol=1e-9)
    expected = spatial_expectation2d(attention)  # (B, C, 2), (x, y)
    expected = torch.cat([expected[..., 0], expected[..., 1]], dim=1)
    # The grid is stored in float32, hence 1e-7.
    torch.testing.assert_close(softmax(features), expected, rtol=0, atol=1e-7)


@FEW
@given(height=st.integers(2, 30), width=st.integers(2, 30), data=st.data())
def test_a_peak_gives_its_cell(height, width, data):
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    features = torch.zeros(1, 1, height, width)
    features[0, 0, row, column] = 300
    x, y = SpatialSoftmax(height, width, 1)(features)[0].tolist()
    assert x == pytest.approx(-1 + 2 * column / (width - 1), abs=1e-6)
    assert y == pytest.approx(-1 + 2 * row / (height - 1), abs=1e-6)


@FEW
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 1e4))
def test_coordinates_are_bounded_and_mirror(seed, scale):
    features = scale * torch.randn(2, 3, 8, 11, generator=torch.Generator().manual_seed(seed))
    softmax = SpatialSoftmax(8, 11, 3)
    out = softmax(features)
    assert out.shape == (2, 6) and out.abs().max() <= 1 + 1e-6
    x, y = out.chunk(2, dim=1)
    mirrored_x, same_y = softmax(features.flip(3)).chunk(2, dim=1)
    torch.testing.assert_close(mirrored_x, -x, rtol=0, atol=1e-5)
    torch.testing.assert_close(same_y, y, rtol=0, atol=1e-5)


def test_temperature_gets_a_gradient():
    softmax = SpatialSoftmax(7, 7, 2)
    softmax(torch.randn(4, 2, 7, 7)).pow(2).sum().backward()
    assert softmax.log_temperature.grad.abs() > 0
    assert set(softmax.state_dict()) == {"log_temperature"}


@FEW
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 12),
    filters=st.integers(1, 9),
    height=st.integers(5, 60),
    width=st.integers(5, 60),
)
def test_manipulation_cnn_any_shape(batch, channels, filters, height, width):
    cnn = ManipulationCNN(channels, filters)
    out = cnn(torch.rand(batch, channels, height, width))
    assert out.shape == (batch, filters, *cnn.output_size((height, width)))


@FEW
@given(
    stack=st.integers(1, 4),
    filters=st.integers(1, 6),
    height=st.integers(5, 40),
    width=st.integers(5, 40),
    spatial=st.booleans(),
    normalize=st.booleans(),
)
def test_extractor_any_shape(stack, filters, height, width, spatial, normalize):
    space = goal_space(pixels=image_space(3 * stack, height, width), proprioception=True)
    extractor = ManipulationExtractor(space, spatial, filters, 5, normalize)
    out = extractor(random_batch(space, 1))
    assert out.shape == (1, (2 * filters if spatial else 5) + 16)
    assert out.shape[1] == extractor.features_dim


@pytest.mark.parametrize(("spatial", "width"), [(True, 80), (False, 66)])
def test_extractor_inside_an_sb3_policy(spatial, width):
    space = full_space()
    policy = MultiInputPolicy(
        space,
        gym.spaces.Box(-1, 1, (4,), np.float32),
        lambda _: 1e-3,
        features_extractor_class=ManipulationExtractor,
        features_extractor_kwargs={"spatial_softmax": spatial},
    )
    assert policy.actor.features_dim == width
    action, _ = policy.predict(space.sample(), deterministic=True)
    assert action.shape == (4,) and np.isfinite(action).all()


def test_a_real_object_moves_the_keypoints():
    """On real frames: where only the gripper moved, the untrained keypoints move too."""
    from labs.envs import make_env
    from labs.pixel_wrapper import PixelObservationWrapper

    env = PixelObservationWrapper(make_env("reach", scene="lean", image_size=84), (84, 84), "both")
    extractor = ManipulationExtractor(env.observation_space, normalize=False)
    first, _ = env.reset(seed=0)
    for _ in range(10):
        last, *_ = env.step(np.array([1, 1, 1, 0], np.float32))
    env.close()
    batch = {k: torch.as_tensor(np.stack([first[k], last[k]])).float() for k in first}
    batch["pixels"] /= 255
    points = extractor(batch)[:, extractor.slices["pixels"]]
    assert points.shape == (2, 64) and (points[0] - points[1]).abs().max() > 1e-5


def test_receptive_fields_by_gradient():
    """The pixels that have a gradient at a cell are those that its geometry names."""
    for cnn in (NatureCNN(1), ManipulationCNN(1)):
        signal = image = torch.ones(1, 1, 84, 84, requires_grad=True)
        convs = [m for m in cnn.modules() if isinstance(m, torch.nn.Conv2d)]
        for conv, layer in zip(convs, layer_geometry(cnn), strict=True):
            torch.nn.init.constant_(conv.weight, 1.0)
            signal = conv(signal)
            cell = layer.cells // 2
            (gradient,) = torch.autograd.grad(signal[0, 0, cell, cell], image, retain_graph=True)
            seen = torch.nonzero(gradient[0, 0].abs().sum(0)).flatten().tolist()
            start = layer.first + cell * layer.step
            assert seen == list(range(start, start + layer.receptive_field))


def test_compare_nature_refuses_an_object_outside(tmp_path):
    with pytest.raises(ValueError, match="inside 0 to 84"):
        compare_nature(tmp_path / "never.png", size=5, position=80)
    assert not list(tmp_path.iterdir())


def test_palette_has_eight_colors():
    assert len(set(OKABE_ITO.values())) == 8


def test_the_small_encoder_says_what_both_cost():
    costs = []
    for channels in (3, 12):
        small = keypoint_encoder.KeypointStack(channels, 32, (84, 84))
        for encoder in (ManipulationCNN(channels), small):
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                encoder(torch.zeros(1, channels, 84, 84))
            products = counter.get_total_flops() / 2  # a product and a sum count as two
            costs.append(f"{products / 1e6:.1f}")
    assert re.findall(r"(\d+\.\d) million", keypoint_encoder.__doc__) == costs
