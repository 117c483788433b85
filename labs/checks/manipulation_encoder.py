"""Checks of ``labs.manipulation_encoder`` and of figure 2."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
import torch
from gymnasium import spaces

from labs.checks.asserting import raises
from labs.checks.visual_encoder import goal_space, image_space, random_batch
from labs.figures.encoders import compare_nature, footprint_maps, layer_geometry
from labs.manipulation_encoder import (
    ManipulationCNN,
    ManipulationExtractor,
    SpatialSoftmax,
    shape_table,
)
from labs.visual_encoder import NatureCNN


def peak(height: int, width: int, row: int, column: int, value: float = 200.0) -> torch.Tensor:
    """A map (1, 1, H, W) with one high cell."""
    features = torch.zeros(1, 1, height, width)
    features[0, 0, row, column] = value
    return features


# -------------------------------------------------------------------------------- ManipulationCNN


def check_manipulation_cnn_shapes():
    """ManipulationCNN: 84 → 42 → 42 → 42 → 21, 32 channels"""
    table = shape_table(ManipulationCNN(), torch.zeros(2, 12, 84, 84))
    shapes = [row.output for row in table.rows if row.layer == "Conv2d"]
    expected = [(2, 32, 42, 42)] * 3 + [(2, 32, 21, 21)]
    assert shapes == expected, f"received {shapes}, expected {expected}"
    assert ManipulationCNN(3, 8)(torch.rand(1, 3, 84, 84)).shape == (1, 8, 21, 21)


def check_manipulation_cnn_parameters():
    """ManipulationCNN with 12 channels has 31,232 parameters"""
    count = sum(p.numel() for p in ManipulationCNN().parameters())
    assert count == 31_232, f"received {count}"


def check_manipulation_cnn_layers():
    """ManipulationCNN: 3 × 3 with strides 2, 1, 1, 2, padding 1, each rectified"""
    cnn = ManipulationCNN()
    convs = [m for m in cnn.modules() if isinstance(m, torch.nn.Conv2d)]
    got = [(c.kernel_size[0], c.stride[0], c.padding[0]) for c in convs]
    expected = [(3, 2, 1), (3, 1, 1), (3, 1, 1), (3, 2, 1)]
    assert got == expected, f"received (kernel, stride, padding) {got}"
    assert cnn(torch.rand(2, 12, 84, 84)).min() == 0, "the output is not rectified"
    layers = [type(m).__name__ for m in cnn.cnn]
    assert layers == ["Conv2d", "ReLU"] * 4, f"layers are {layers}"


def check_output_size_is_told():
    """output_size tells what the convolutions give, odd sizes included"""
    cnn = ManipulationCNN(3, 2)
    for size in [(5, 5), (84, 84), (85, 63), (7, 30), (64, 101)]:
        got = tuple(cnn(torch.zeros(1, 3, *size)).shape[2:])
        assert cnn.output_size(size) == got, f"{size}: told {cnn.output_size(size)}, gives {got}"


def check_bad_images():
    """Channels last, uint8, wrong channels, too small: an error that names both shapes"""
    cnn = ManipulationCNN()
    last = torch.zeros(2, 84, 84, 12)
    raises(ValueError, lambda: cnn(last), "(2, 84, 84, 12)", "(B, 12, H, W)", "channels last")
    raises(TypeError, lambda: cnn(torch.zeros(2, 12, 84, 84, dtype=torch.uint8)), "uint8", "/ 255")
    raises(ValueError, lambda: cnn(torch.zeros(2, 3, 84, 84)), "(2, 3, 84, 84)", "(B, 12, H, W)")
    raises(ValueError, lambda: cnn(torch.zeros(2, 12, 4, 84)), "(2, 12, 4, 84)", "at least 5")
    raises(ValueError, lambda: cnn.output_size((4, 84)), "(4, 84)", "(5, 5)")
    raises(ValueError, lambda: ManipulationCNN(0), "in_channels 0")


# --------------------------------------------------------------------------------- SpatialSoftmax


def check_spatial_softmax_corners():
    """A peak in a corner gives exactly that corner: x right, y down, (−1, −1) at the top left"""
    for height, width in [(21, 21), (5, 8), (2, 2)]:
        softmax = SpatialSoftmax(height, width, 1)
        corners = {
            (0, 0): (-1.0, -1.0),
            (0, width - 1): (1.0, -1.0),
            (height - 1, 0): (-1.0, 1.0),
            (height - 1, width - 1): (1.0, 1.0),
        }
        for (row, column), expected in corners.items():
            got = tuple(softmax(peak(height, width, row, column))[0].tolist())
            assert got == expected, f"row {row}, column {column}: {got}, expected {expected}"


def check_spatial_softmax_order():
    """All x first, then all y; each channel by itself"""
    softmax = SpatialSoftmax(5, 9, 3)
    features = torch.cat([peak(5, 9, 0, 8), peak(5, 9, 2, 0), peak(5, 9, 4, 4)], dim=1)
    got = softmax(features)[0]
    expected = torch.tensor([1.0, -1.0, 0.0, -1.0, 0.0, 1.0])
    assert torch.allclose(got, expected, atol=1e-6), f"received {got}, expected {expected}"


def check_spatial_softmax_is_a_mean():
    """The softmax runs over positions: each map sums to 1, a flat map gives the center"""
    torch.manual_seed(0)
    softmax = SpatialSoftmax(6, 4, 3)
    attention = softmax.attention(torch.randn(2, 3, 6, 4))
    assert torch.allclose(attention.sum((2, 3)), torch.ones(2, 3)), "a map does not sum to 1"
    flat = softmax(torch.full((1, 3, 6, 4), 7.0))
    assert flat.abs().max() < 1e-6, f"a flat map gives {flat}, expected the center"
    # Two equal peaks: the mean lies half way between them.
    pair = peak(6, 4, 0, 0).expand(1, 3, 6, 4).clone()
    pair[:, :, 0, 3] = 200
    got = softmax(pair)[0]
    assert torch.allclose(got, torch.tensor([0.0] * 3 + [-1.0] * 3), atol=1e-6), f"received {got}"


def check_temperature():
    """A small temperature sharpens, a large one averages; it is learned and stays positive"""
    features = peak(5, 5, 4, 4, value=3.0)
    at = [SpatialSoftmax(5, 5, 1, t)(features)[0, 0].item() for t in (0.05, 1.0, 50.0)]
    assert at[0] > 0.99 > at[1] > 0.2 > at[2] > 0, f"x at T = 0.05, 1, 50: {at}"
    softmax = SpatialSoftmax(5, 5, 1, temperature=0.5)
    assert abs(softmax.temperature.item() - 0.5) < 1e-6
    optimizer = torch.optim.SGD(softmax.parameters(), lr=50.0)
    for _ in range(20):  # the most violent of learning rates
        optimizer.zero_grad()
        softmax(peak(5, 5, 4, 4, value=1.0)).sum().neg().backward()
        optimizer.step()
    assert 0 < softmax.temperature.item() < 0.5, f"T became {softmax.temperature.item()}"
    raises(ValueError, lambda: SpatialSoftmax(5, 5, 1, 0.0), "0.0", "above 0")


def check_spatial_softmax_is_stable():
    """Features of 10,000 do not overflow; bfloat16 is computed in float32"""
    got = SpatialSoftmax(21, 21, 1, 0.01)(peak(21, 21, 20, 0, value=1e4))
    assert torch.equal(got, torch.tensor([[-1.0, 1.0]])), f"received {got}"
    torch.manual_seed(0)
    softmax, features = SpatialSoftmax(21, 21, 32), torch.randn(1, 32, 21, 21).bfloat16()
    got, exact = softmax(features), softmax.double()(features.double())
    assert got.dtype == torch.float32, f"received {got.dtype}"
    assert (got - exact).abs().max() < 1e-5, f"off by {(got - exact).abs().max():.1e}"
    with torch.autocast("cpu", torch.bfloat16):
        cast = SpatialSoftmax(21, 21, 32)(features)
    assert cast.dtype == torch.float32 and (cast - exact).abs().max() < 1e-5, "under autocast"


def check_keypoint_follows_a_blob():
    """Move a blob by one cell: the keypoint moves by 2 / (n − 1)"""
    softmax = SpatialSoftmax(21, 41, 1)
    rows, columns = torch.meshgrid(torch.arange(21.0), torch.arange(41.0), indexing="ij")

    def keypoint(row: int, column: int) -> torch.Tensor:
        blob = 8 * torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 4) * 2
        return softmax(blob[None, None])[0]

    moved = keypoint(12, 23) - keypoint(12, 22)
    assert abs(moved[0] - 2 / 40) < 3e-3 and abs(moved[1]) < 1e-4, f"one column: {moved}"
    moved = keypoint(11, 20) - keypoint(10, 20)
    assert abs(moved[1] - 2 / 20) < 3e-3 and abs(moved[0]) < 1e-4, f"one row: {moved}"


def check_spatial_softmax_bad_input():
    """A map of another shape or of integers, or a single cell: a clear error"""
    softmax = SpatialSoftmax(21, 21, 32)
    wrong = torch.zeros(2, 32, 20, 21)
    raises(ValueError, lambda: softmax(wrong), "(2, 32, 20, 21)", "(B, 32, 21, 21)")
    raises(TypeError, lambda: softmax(torch.zeros(2, 32, 21, 21, dtype=torch.int64)), "int64")
    raises(ValueError, lambda: SpatialSoftmax(1, 21, 32), "height 1", "at least 2")


# ---------------------------------------------------------------------------------- the extractor


def full_space() -> spaces.Dict:
    return goal_space(pixels=image_space(), proprioception=True)


def check_extractor_width():
    """ManipulationExtractor: 64 + 10 + 3 + 3 = 80, with the flat head 50 + 16 = 66"""
    space = full_space()
    batch = random_batch(space)
    for flat, width in ((False, 80), (True, 66)):
        extractor = ManipulationExtractor(space, spatial_softmax=not flat)
        assert extractor.features_dim == width, f"received {extractor.features_dim}"
        assert extractor(batch).shape == (2, width)
    assert ManipulationExtractor(space, num_filters=8).features_dim == 16 + 16


def check_extractor_head():
    """The branch is ManipulationCNN → SpatialSoftmax → LayerNorm → Tanh, or the flat head"""
    heads = {
        (True, True): ["ManipulationCNN", "SpatialSoftmax", "LayerNorm", "Tanh"],
        (True, False): ["ManipulationCNN", "SpatialSoftmax"],
        (False, True): ["ManipulationCNN", "Flatten", "Linear", "LayerNorm", "Tanh"],
        (False, False): ["ManipulationCNN", "Flatten", "Linear"],
    }
    for (spatial, normalize), expected in heads.items():
        extractor = ManipulationExtractor(full_space(), spatial, normalize=normalize)
        got = [type(m).__name__ for m in extractor.extractors["pixels"]]
        assert got == expected, f"received {got}, expected {expected}"


def check_extractor_vectors():
    """Proprioception and goals pass unchanged; the image's features lie in (−1, 1)"""
    torch.manual_seed(0)
    space = full_space()
    extractor, batch = ManipulationExtractor(space), random_batch(space)
    batch["proprioception"] *= 1e3
    features = extractor(batch)
    for key in ("achieved_goal", "desired_goal", "proprioception"):
        assert torch.equal(features[:, extractor.slices[key]], batch[key]), f"{key} was changed"
    image = features[:, extractor.slices["pixels"]]
    assert image.shape == (2, 64) and image.abs().max() <= 1
    before = torch.atanh(image.double().clamp(-1 + 1e-7, 1 - 1e-7))
    assert before.mean(1).abs().max() < 1e-3, "LayerNorm would leave a mean of 0"


def check_extractor_without_normalization():
    """normalize=False gives the coordinates themselves"""
    torch.manual_seed(0)
    space = full_space()
    extractor = ManipulationExtractor(space, normalize=False)
    batch = random_batch(space)
    cnn, softmax = extractor.extractors["pixels"]
    image = extractor(batch)[:, extractor.slices["pixels"]]
    assert torch.equal(image, softmax(cnn(batch["pixels"])))


def check_extractor_finds_images_by_space():
    """Images are found by their space, not their name; several work; odd sizes work"""
    space = goal_space(camera=image_space(3, 47, 61), wrist=image_space(6, 33, 32))
    extractor = ManipulationExtractor(space, num_filters=4)
    assert extractor.image_keys == ["camera", "wrist"] and extractor.features_dim == 22
    assert extractor(random_batch(space, 1)).shape == (1, 22)


def check_extractor_bad_spaces():
    """A space with channels last, of floats, or too small: a clear error"""
    make = ManipulationExtractor
    last = goal_space(pixels=spaces.Box(0, 255, (84, 84, 12), np.uint8))
    raises(ValueError, lambda: make(last), "(84, 84, 12)", "(12, 84, 84)")
    floats = goal_space(pixels=spaces.Box(0, 1, (12, 84, 84), np.float32))
    raises(ValueError, lambda: make(floats), "float32", "uint8")
    raises(ValueError, lambda: make(goal_space(pixels=image_space(3, 4, 4))), "(4, 4)", "(5, 5)")
    raises(TypeError, lambda: make(image_space()), "Box", "Dict")
    batch = random_batch(full_space())
    batch["pixels"] = torch.zeros(2, 12, 84, 84, dtype=torch.uint8)
    raises(TypeError, lambda: make(full_space())(batch), "uint8")


# --------------------------------------------------------------------------------------- figure 2


def check_geometry():
    """Receptive fields 8, 20, 36 and 3, 7, 11, 15; a 5-pixel object is 1.25 and 2.5 cells"""
    nature, ours = layer_geometry(NatureCNN(3)), layer_geometry(ManipulationCNN(3))
    assert [(g.cells, g.step, g.receptive_field) for g in nature] == [
        (20, 4, 8),
        (9, 8, 20),
        (7, 8, 36),
    ]
    assert [(g.cells, g.step, g.receptive_field) for g in ours] == [
        (42, 2, 3),
        (42, 2, 7),
        (42, 2, 11),
        (21, 4, 15),
    ]
    assert 5 / nature[0].step == 1.25 and 5 / ours[0].step == 2.5


def check_footprint_by_perturbation():
    """The cells that the geometry says an object touches are those that change"""
    for cnn in (NatureCNN(3), ManipulationCNN(3)):
        for position, size in [(0, 5), (40, 5), (79, 5), (13, 2), (61, 12)]:
            maps = footprint_maps(cnn, position, size)[1:]
            for layer, response in zip(layer_geometry(cnn), maps, strict=True):
                touched = np.flatnonzero(response.max(axis=0) > 0).tolist()
                told = list(layer.footprint(position, size))
                assert touched == told, f"{layer.name} at {position}: {touched}, told {told}"


def check_figure():
    """--compare-nature writes its picture and prints both tables"""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as out:
        path = compare_nature(Path(folder) / "compare.png")
        assert path.stat().st_size > 10_000 and path.read_bytes().startswith(b"\x89PNG")
        assert list(path.parent.iterdir()) == [path], "a partial file was left"
    text = out.getvalue()
    assert "1.25 cells" in text and "42 x 42" in text and "20 x 20" in text, text
