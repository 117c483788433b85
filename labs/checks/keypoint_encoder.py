"""Checks of :mod:`labs.keypoint_encoder`."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from labs.checks.asserting import raises
from labs.keypoint_encoder import KeypointCNN, KeypointExtractor


def check_shapes_and_parameters():
    """KeypointCNN has the shapes and parameters of its table"""
    network = KeypointCNN()
    hidden, shapes, counts = torch.rand(2, 3, 84, 84), [], []
    for layer in network.cnn:
        hidden = layer(hidden)
        shapes.append(tuple(hidden.shape[1:]))
        counts.append(sum(p.numel() for p in layer.parameters()))
    assert [shapes[i] for i in (0, 2, 4, 5)] == [(16, 42, 42), (32, 21, 21), (32, 21, 21), (64,)]
    assert [c for c in counts if c] == [1216, 4640, 9248, 1], counts
    assert network.features_dim == 64


def check_a_moved_dot_moves_its_keypoints():
    """Keypoints follow a dot: further right in the picture, larger x"""
    torch.manual_seed(0)
    network = KeypointCNN()
    network.cnn[-1].log_temperature.data.fill_(-6.0)  # sharp, so that one place dominates
    images = torch.full((2, 3, 84, 84), 0.5)
    images[0, :, 40:44, 20:24] = 1.0
    images[1, :, 40:44, 60:64] = 1.0
    with torch.no_grad():
        left, right = network(images)
    moved = (right - left).abs()
    assert moved[:32].max() > 0.5, "no keypoint follows the dot sideways"
    assert moved[32:].max() < 0.1, "keypoints moved up or down though the dot did not"


def check_frames_share_their_weights():
    """Each frame of a stack gives the keypoints that it would give alone"""
    space = spaces.Dict(
        {
            "pixels": spaces.Box(0, 255, (6, 84, 84), np.uint8),
            "desired_goal": spaces.Box(-np.inf, np.inf, (3,), np.float64),
        }
    )
    torch.manual_seed(0)
    extractor = KeypointExtractor(space)
    images, goal = torch.rand(4, 6, 84, 84), torch.randn(4, 3)
    features = extractor({"pixels": images, "desired_goal": goal})
    assert features.shape == (4, 131) and extractor.features_dim == 131
    pixels = features[:, extractor.slices["pixels"]]
    alone = extractor.extractors["pixels"].cnn
    assert (pixels[:, :64] - alone(images[:, :3])).abs().max() < 1e-5
    assert (pixels[:, 64:] - alone(images[:, 3:])).abs().max() < 1e-5
    assert torch.equal(features[:, extractor.slices["desired_goal"]], goal)


def check_normalized_keypoints_follow_the_plain_ones():
    """With LayerNorm and Tanh: the same keypoints of all frames, normalized together"""
    space = spaces.Dict({"pixels": spaces.Box(0, 255, (6, 84, 84), np.uint8)})
    extractor = KeypointExtractor(space, normalize=True)
    stack, norm, _ = extractor.extractors["pixels"]
    images = torch.rand(4, 6, 84, 84)
    keypoints = stack(images)
    expected = torch.tanh(nn.functional.layer_norm(keypoints, (128,), norm.weight, norm.bias))
    assert extractor.features_dim == 128
    assert (extractor({"pixels": images}) - expected).abs().max() < 1e-5


def check_views_keep_their_keypoints_apart():
    """Two views side by side are read as one view of twice the channels, in this order"""
    torch.manual_seed(0)
    pair = KeypointCNN(image_size=(84, 168), views=2)
    images = torch.rand(2, 3, 84, 168)
    stacked = torch.cat([images[..., :84], images[..., 84:]], dim=1)
    assert pair.cnn[0].weight.shape[1] == 6 and pair(images).shape == (2, 64)
    assert torch.equal(pair(images), pair.cnn(stacked - 0.5))


def check_untrained_keypoints_differ_between_pictures():
    """Untrained keypoints tell one picture from another if the softmax is sharp, else not"""
    space = spaces.Dict({"pixels": spaces.Box(0, 255, (3, 84, 84), np.uint8)})
    images = torch.full((8, 3, 84, 84), 0.5)
    for index, image in enumerate(images):
        image[:, 8 * index : 8 * index + 12, 8 * index : 8 * index + 12] = 1.0
    spread = {}
    for temperature in (0.005, 1.0):
        torch.manual_seed(0)
        extractor = KeypointExtractor(space, temperature=temperature)
        with torch.no_grad():
            spread[temperature] = extractor({"pixels": images}).std(0).mean()
    assert spread[0.005] > 0.03 and spread[1.0] < 0.01, spread


def check_bad_input_is_named():
    """A small image and half a frame are refused"""
    for make, words in [
        (lambda: KeypointCNN(image_size=(8, 84)), "at least (16, 16)"),
        (lambda: KeypointCNN(image_size=(84, 83), views=2), "for 2 view(s)"),
        (
            lambda: KeypointExtractor(
                spaces.Dict({"pixels": spaces.Box(0, 255, (4, 84, 84), np.uint8)})
            ),
            "3 for each RGB frame",
        ),
    ]:
        raises(ValueError, make, words)
