# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 20 s, hardware: any CPU}
# ---

# %% [markdown]
# # Two convolutional encoders
#
# Four frames are 84,672 bytes. A policy wants a short vector. Between them stands an encoder. The usual
# one, {term}`NatureCNN`, was built for Atari. This page builds it, and a second one, {term}`ManipulationCNN`,
# that is gentler with small things. Then it asks whether small things need that. The usual argument counts
# the cells that a thing fills; such counting cannot answer.
#
# You will be able to follow an object through any stack of convolutions, and to say what such counting
# proves and what it does not. The page leans on [the observation](07_pixel_wrapper.ipynb).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from gymnasium import spaces
from IPython.display import Markdown, display
from stable_baselines3.common.torch_layers import NatureCNN as SB3NatureCNN
from torch import nn

from labs import manipulation_encoder, visual_encoder
from labs.exercises import attempt
from labs.figures.encoders import encoder_progression, footprint_maps, layer_geometry
from labs.figures.style import use_style
from labs.shapes import shape_table
from labs.widgets.encoder_walk import EncoderWalk

use_style()

# %% [markdown]
# ## Following a small block
#
# A convolution with kernel $k$, stride $s$ and padding $p$ turns $n$ cells into
#
# $$
# n' = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1 .
# $$ (eq-cells)
#
# Strides multiply: after layers with strides $s_1, s_2, \dots$ neighboring cells are
# $d = s_1 s_2 \cdots$ image pixels apart, and an object of $w$ pixels is $w / d$ cells wide. Follow
# the block through both encoders before they exist.
#
# How wide is it? The source manuscript says five pixels, which is `WIDTH` below.
# [Counted](02_what_the_policy_sees.ipynb), the median is
# {artifact}`visibility:push.default.object.median_width|int` pixels with the default camera and
# {artifact}`visibility:push.workspace.object.median_width|int` with the workspace camera. Five lies between the two:
# set `WIDTH` to either, or the size in the widget further down, and see what changes.

# %%
WIDTH = 5  # pixels
NATURE = [(8, 4, 0), (4, 2, 0), (3, 1, 0)]  # kernel, stride, padding
MANIPULATION = [(3, 2, 1), (3, 1, 1), (3, 1, 1), (3, 2, 1)]


def follow(layers, n=84, width=WIDTH):
    """Cells, pixels from cell to cell, and the object's width in cells, after each layer."""
    step, rows = 1, []
    for k, s, p in layers:
        n, step = (n + 2 * p - k) // s + 1, step * s
        rows.append((n, step, width / step))
    return rows


for name, layers in (("NatureCNN", NATURE), ("ManipulationCNN", MANIPULATION)):
    for number, (cells, step, width) in enumerate(follow(layers), 1):
        print(
            f"{name} layer {number}: {cells:2} × {cells:2} cells, {step} px apart, {width:.2f} wide"
        )

assert [row[0] for row in follow(NATURE)] == [20, 9, 7]
assert [row[0] for row in follow(MANIPULATION)] == [42, 42, 42, 21]
assert follow(NATURE)[0][2] == WIDTH / 4 and follow(NATURE, width=7)[-1][2] < 1

# %% [markdown]
# After NatureCNN's first layer five pixels are 1.25 cells; after the second they are *less than a
# cell*, and so are seven. To see what that does, take the simplest filter there is, an average, and push a white
# square through:

# %%
image = torch.zeros(1, 1, 84, 84)
image[..., 40 : 40 + WIDTH, 40 : 40 + WIDTH] = 1


def average_through(image, layers):
    """What averaging filters make of an image, layer by layer."""
    maps = [image]
    for k, s, p in layers:
        maps.append(nn.functional.avg_pool2d(maps[-1], k, s, p))
    return maps


finished = (visual_encoder.NatureCNN(3), manipulation_encoder.ManipulationCNN(3))
for layers, encoder in zip((NATURE, MANIPULATION), finished, strict=True):
    for ours, theirs in zip(follow(layers), layer_geometry(encoder), strict=True):
        assert ours == (theirs.cells, theirs.step, WIDTH / theirs.step), "the figure's own numbers"
    for ours, theirs in zip(
        average_through(image, layers), footprint_maps(encoder, 40, WIDTH), strict=True
    ):
        assert np.allclose(ours[0, 0], theirs, atol=1e-6), "the figure's own maps"
nature_trace, manipulation_trace = (
    average_through(image, layers)[-1].max() for layers in (NATURE, MANIPULATION)
)
print(f"strongest cell at the end: {nature_trace:.1%} and {manipulation_trace:.1%}")
assert nature_trace < manipulation_trace and (WIDTH != 5 or nature_trace < 0.05)

# %% mystnb={"figure": {"caption": "What averaging makes of the white square, layer by layer; the strongest cell of each picture is drawn brightest, however weak. `python -m labs.manipulation_encoder --compare-nature` draws this figure, and prints a table.", "name": "fig-encoders-square"}, "image": {"alt": "A white square of 5 pixels in an 84 by 84 image, and beside it its traces in the layers of both encoders under averaging filters. In NatureCNN's last layer of 7 by 7 cells the trace covers 5 by 5 of the cells; in ManipulationCNN's last layer of 21 by 21 cells it is a small blot."}}
encoder_progression(WIDTH, position=40)
plt.show()

# %% [markdown]
# In {numref}`fig-encoders-square` the square spreads over half of the last picture of the upper row.
# That is the case *against* NatureCNN: at its end a square of 5 × 5 pixels is less than 5 % of what any cell
# averages. Move it by one pixel, and hardly anything visible changes. Keep the suspicion: it is tested below.
#
# ## Build NatureCNN
#
# Three convolutions and a linear layer {cite}`mnih2015`. Between two linear maps stands a ReLU, or
# they would be one. The size of the flat vector depends on the image: one empty image tells it.


# %% tags=["nbval-check-output"]
class NatureCNN(nn.Module):
    """(B, C, 84, 84) in [0, 1] → (B, features_dim)."""

    def __init__(self, in_channels=3, features_dim=512, image_size=(84, 84)):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(in_channels, 32, kernel_size=8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, kernel_size=3, stride=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            flat = self.cnn(torch.zeros(1, in_channels, *image_size)).shape[1]
        self.linear = nn.Sequential(nn.Linear(flat, features_dim), nn.ReLU())

    def forward(self, images):
        return self.linear(self.cnn(images))


nature = NatureCNN(in_channels=12)
table = shape_table(nature, torch.zeros(2, 12, 84, 84))
print(table)
assert [row.output for row in table.rows if row.layer == "Conv2d"] == [
    (2, 32, 20, 20),
    (2, 64, 9, 9),
    (2, 64, 7, 7),
]
assert nature.linear[0].in_features == 64 * 7 * 7 == 3136
assert table.parameters == 1_700_512

# %% [markdown]
# Almost all parameters are in the one linear layer, which has to learn what
# each of the 3136 numbers says about *where*. The names of the modules are those of
# Stable-Baselines3, so weights can be exchanged. With the same weights, ours, that of `labs` and SB3's must agree:

# %%
space = spaces.Box(0, 255, (12, 84, 84), np.uint8)
images = torch.rand(4, 12, 84, 84)
for other in (visual_encoder.NatureCNN(12), SB3NatureCNN(space, features_dim=512)):
    other.load_state_dict(nature.state_dict())
    torch.testing.assert_close(other(images), nature(images), rtol=0, atol=1e-6)
print("equal to labs.visual_encoder.NatureCNN and to SB3's NatureCNN")

# %% [markdown]
# ## Build ManipulationCNN
#
# Now spend the strides late. Four 3 × 3 convolutions, strides 2, 1, 1, 2, each with a padding of one
# pixel, so that a stride of 1 keeps the size. It follows the encoder of DrQ-v2 {cite}`yarats2021`,
# which has strides 2, 1, 1, 1 and no padding. There is no flat vector: what comes out is still a
# *map*, and that is the point of the [next page](10_spatial_softmax.ipynb).


# %% tags=["nbval-check-output"]
class ManipulationCNN(nn.Module):
    """(B, C, 84, 84) in [0, 1] → (B, num_filters, 21, 21)."""

    def __init__(self, in_channels=12, num_filters=32):
        super().__init__()
        layers, channels = [], in_channels
        for stride in (2, 1, 1, 2):
            layers += [nn.Conv2d(channels, num_filters, 3, stride, padding=1), nn.ReLU()]
            channels = num_filters
        self.cnn = nn.Sequential(*layers)

    def forward(self, images):
        return self.cnn(images)


manipulation = ManipulationCNN()
table = shape_table(manipulation, torch.zeros(2, 12, 84, 84))
print(table)
sides = [row.output[-1] for row in table.rows if row.layer == "Conv2d"]
assert sides == [42, 42, 42, 21]
assert manipulation(images).shape == (4, 32, 21, 21)
assert table.parameters == 31_232
in_nature = sum(
    p.numel() for m in nature.modules() if isinstance(m, nn.Conv2d) for p in m.parameters()
)
assert round(in_nature / table.parameters) == 3, "the convolutions alone: the text says a third"

theirs = manipulation_encoder.ManipulationCNN()
theirs.load_state_dict(manipulation.state_dict())
assert torch.equal(theirs(images), manipulation(images))
print("equal to labs.manipulation_encoder.ManipulationCNN")

# %% [markdown]
# A fiftieth of the parameters, mostly because the linear layer is missing: the convolutions alone have a third of
# NatureCNN's. A linear layer of 512 on its 32 × 21 × 21 = 14,112 outputs would have 7.2 million; the next page does
# without one.
#
# It is not cheaper, though: the filters of three of its four layers visit 42 × 42 places. Count the multiplications:


# %%
def multiplications(cnn, images):
    """Multiplications of all convolutions and linear layers, for one stack of frames."""
    total = []

    def count(layer, _, output):
        each = layer.weight[0].numel()  # for one number of the output
        total.append(each * output[0].numel())

    handles = [
        m.register_forward_hook(count)
        for m in cnn.modules()
        if isinstance(m, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        cnn(images)
    for handle in handles:
        handle.remove()
    return sum(total)


costs = [multiplications(cnn, images[:1]) for cnn in (nature, manipulation)]
for name, cost in zip(("NatureCNN", "ManipulationCNN"), costs, strict=True):
    print(f"{name}: {cost / 1e6:.1f} million multiplications for a stack of four frames")
assert costs[1] > 2 * costs[0]

# %% [markdown]
# ## Walk the object
#
# The white square again. Make it larger or smaller, drag it, and click cells to see what they see. Watch the last
# line under each map: how much of the square's light moves to other cells when it goes one pixel aside.

# %%
EncoderWalk()

# %% [markdown]
# ## Is the position lost?
#
# The pictures of {numref}`fig-encoders-square` suggest it: cells are 8 pixels apart at NatureCNN's end, so the position should be
# known to 8 pixels. **That does not follow**, for two reasons:
#
# - **Sharing.** A cell of the last layer sees dozens of pixels along each axis, its *receptive field*, and its neighbor as many,
#   8 further on. Fields overlap, so an object stands in many at once, and *how the cells share it* changes from pixel to pixel.
# - **Channels.** The pictures have one filter, an average. A real first layer has 32 *different* ones of 8 × 8 weights. An object
#   at the left edge of a cell's field meets other weights than one at the right edge, and *how the channels answer* changes too.
#
# With this encoder agents learned Pong, whose ball is two pixels wide on the screen and about one in the 84 × 84 that the
# encoder sees.
#
# First a direct look. Random weights, nothing trained. Move the block by one pixel: how much do the
# features change, compared with removing the block altogether?


# %%
def scenes(corners, noise, rng, size=5):
    """Gray images with sensor noise and one bright square; float (N, 3, 84, 84) in [0, 1]."""
    images = rng.normal(128, noise, (len(corners), 3, 84, 84))
    for image, (row, column) in zip(images, corners, strict=True):
        image[:, row : row + size, column : column + size] = rng.uniform(180, 220)
    return torch.tensor(images / 255, dtype=torch.float32)


def stages(seed):
    """Random encoders, cut at several places: name → (module, pixels from cell to cell)."""
    torch.manual_seed(seed)
    nature, manipulation = NatureCNN(), ManipulationCNN(3)
    return {
        "NatureCNN, layer 1": (nature.cnn[:2], 4),
        "NatureCNN, layer 2": (nature.cnn[:4], 8),
        "NatureCNN, layer 3": (nature.cnn, 8),
        "ManipulationCNN": (manipulation, 4),
    }


rng = np.random.default_rng(0)
absent = torch.full((1, 3, 84, 84), 128 / 255)
here, there = absent.clone(), absent.clone()
here[..., 40:45, 40:45] = there[..., 40:45, 41:46] = 200 / 255
with torch.no_grad():
    for name, (encoder, _) in stages(seed=0).items():
        removed = (encoder(here) - encoder(absent)).norm()
        change = (encoder(there) - encoder(here)).norm() / removed
        print(f"{name}: one pixel aside changes {change:.0%} of what removing the block changes")
        assert change > 0.1

# %% [markdown]
# The features do notice. But can the position be *read* from them, in noise, by something as simple
# as a linear map? This is the question of a {term}`linear probe`. Put a block with random brightness at random places of a window of
# 16 × 16 positions, and freeze the random encoder. Then fit one ridge regression from its features $f(x)$ of an image
# $x$ to the block's position $y$:
#
# $$
# \hat y = W f(x) + b, \qquad (W, b) = \arg\min_{W, b} \sum_i \lVert W f(x_i) + b - y_i \rVert^2 + \lambda \lVert W \rVert^2
# $$ (eq-ridge)
#
# Here $i$ counts the images, and $\hat y$ is the position that is read. The penalty $\lambda$ keeps many weights from
# fitting the noise of few images. Three comparisons:
#
# - *Ignore the image*: always answer the mean.
# - *Know only the cell*: the best answer of somebody who is told, without error, in which cell the block lies, and
#   nothing finer. If strides destroyed the position, no regression could beat it.
# - *One averaging filter* in each layer, as in {numref}`fig-encoders-square`. Its cells share the block, but it has no channels. So it tells the
#   two reasons apart.


# %% tags=["hide-input"]
def ridge(features, targets, new_features, strength=0.1):
    """Linear regression, solved in the dual: many features, few images.

    λ is `strength` times the mean squared length of the centered features.
    """
    center, mean = features.mean(0), targets.mean(0)
    a, b = (features - center).double(), (new_features - center).double()
    gram = a @ a.T
    gram += strength * gram.diagonal().mean() * torch.eye(len(a))
    return b @ a.T @ torch.linalg.solve(gram, (targets - mean).double()) + mean


def error(predicted, targets):
    """Mean distance in pixels."""
    return float((predicted - targets).norm(dim=1).mean())


def only_the_cell(targets, new_targets, step):
    """The mean of the training positions in the same cell, for each new position."""
    cells, new_cells = (targets / step).floor(), (new_targets / step).floor()
    same = (new_cells[:, None] == cells[None]).all(-1).double()
    return same @ targets.double() / same.sum(1, keepdim=True)


# %%
corners = rng.integers(32, 48, (1000, 2))
images = scenes(corners, noise=5, rng=rng)
positions = torch.tensor(corners)  # pixels: row and column of the block's corner
places = corners @ (100, 1)  # row and column as one number
unseen = rng.choice(np.unique(places), 50, replace=False)  # where no block stands in training
test = torch.tensor(np.isin(places, unseen))
fit = ~test

errors = {}
for seed in range(3):
    for name, (encoder, _) in stages(seed).items():
        with torch.no_grad():
            f = torch.cat([encoder(part).flatten(1) for part in images.split(100)])
        predicted = ridge(f[fit], positions[fit].float(), f[test])
        errors.setdefault(name, []).append(error(predicted, positions[test]))

ignore = error(positions[fit].double().mean(0).expand(test.sum(), 2), positions[test])
one_filter = {
    "NatureCNN, layer 1": NATURE[:1],
    "NatureCNN, layer 2": NATURE[:2],
    "NatureCNN, layer 3": NATURE,
    "ManipulationCNN": MANIPULATION,
}
lines = [
    "| frozen random encoder | linear map reads it to | one averaging filter in its place | knowing only the cell |",
    "|---|---|---|---|",
]
cell_of_eight = error(only_the_cell(positions[fit], positions[test], 8), positions[test])
for name, (_, step) in stages(0).items():
    cell = error(only_the_cell(positions[fit], positions[test], step), positions[test])
    spread = f"{min(errors[name]):.1f} to {max(errors[name]):.1f} px"
    f = average_through(images.mean(1, keepdim=True), one_filter[name])[-1].flatten(1)
    plain = error(ridge(f[fit], positions[fit].float(), f[test]), positions[test])
    lines.append(f"| {name} | **{spread}** | {plain:.1f} px | {cell:.1f} px |")
    assert np.mean(errors[name]) < cell < ignore
    assert plain < cell, "the average does not beat its cell: read the text anew"
f = average_through(images.mean(1, keepdim=True), [(8, 8, 0)])[-1].flatten(1)
apart = error(ridge(f[fit], positions[fit].float(), f[test]), positions[test])
lines.append(
    f"| *(8 × 8 pixels to a cell, no overlap)* | | {apart:.1f} px | {cell_of_eight:.1f} px |"
)
lines.append(f"| *(the image ignored)* | {ignore:.1f} px | | |")
display(Markdown("\n".join(lines)))
assert max(errors["NatureCNN, layer 3"]) < 0.75 * cell_of_eight, "sub-cell position is there"
assert np.mean(errors["NatureCNN, layer 1"]) < np.mean(errors["NatureCNN, layer 3"])
assert apart < 0.75 * cell_of_eight, "sharing alone does it: read the text anew"

# %% [markdown]
# Mean distances over new images, with the block at positions where none stood in training; smallest and largest of three
# random encoders. Read all three columns:
#
# - On average every row beats its cell, NatureCNN's later layers by almost half. The position **is** in the
#   maps, in noise, before any training. The source manuscript says that a stride of 4 destroys an object of
#   5 pixels. Of this encoder that is not true.
# - One averaging filter beats the cell as well, and in this scene by more than random channels do. Sharing alone
#   does it, even among cells that do not overlap (the last row but one): most blocks stand in several. Random channels add
#   no precision here. They are there to tell a block from a gripper, which this scene does not ask.
# - Position still is harder to read at NatureCNN's end than after its first layer. Coarse strides do not delete
#   it; they fold it into patterns that somebody must learn to unfold.
#
# This is a gray square on gray, not a block under a gripper, and a linear map is not an agent.
# [What the camera can tell](21_what_the_camera_can_tell.ipynb) measures in full: on real frames, with both cameras, trained and
# frozen, in millimeters. This page refutes one argument: **counting cells proves nothing about what the cells know together**.
# It does not decide whether NatureCNN is good enough.
#
# ```{exercise-start}
# :label: ex-receptive-field
# ```
# How many pixels does one cell see along an axis? Complete `receptive_field`. Before the first layer a cell is a
# pixel and sees 1. A kernel of $k$ reaches over $k$ cells of the layer *below*, and those are as far
# apart as all strides before it say.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def receptive_field(layers):
    """[(kernel, stride, padding), ...] → pixels that one cell of the last layer sees, along an axis."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_receptive_field(answer):
    """Names the likely mistake."""
    assert answer(NATURE[:1]) is not ..., "receptive_field still returns ...: fill it in"
    assert answer(NATURE[:1]) is not None, "receptive_field returned nothing: is there a return?"
    assert answer(NATURE[:1]) not in (8 * 4, 1 + 7 * 4), (
        "a layer's own stride acts on the layers after it, not on itself"
    )
    assert answer(NATURE[:1]) == 8, "one cell of the first layer sees its kernel: 8 pixels"
    two = answer(NATURE[:2])
    assert two != 8 + 4 and two != 8 + 3, "the second kernel's cells are 4 pixels apart, not 1"
    assert two != 8 + 4 * 4, "k cells have k − 1 gaps between them"
    assert two == 20, f"two layers of NatureCNN see 20 pixels, got {two}"
    got = answer(list(NATURE))  # an answer may empty what it gets
    assert got == 36, f"all of NatureCNN sees 36 pixels, got {got}"
    got = answer(list(MANIPULATION))
    assert got == 15, f"ManipulationCNN sees 15 pixels (padding widens nothing), got {got}"


# %% tags=["nbval-check-output"]
attempt(check_receptive_field, receptive_field)

# %% [markdown]
# ```{solution-start} ex-receptive-field
# :class: dropdown
# ```


# %% tags=["solution"]
def receptive_field(layers):
    """[(kernel, stride, padding), ...] → pixels that one cell of the last layer sees, along an axis."""
    field, step = 1, 1
    for kernel, stride, _ in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


check_receptive_field(receptive_field)

# %% [markdown]
# ```{solution-end}
# ```
#
# A cell at NatureCNN's end sees 36 × 36 pixels, almost half the image along each axis; one at ManipulationCNN's end sees
# 15 × 15. The first can relate gripper and block by itself, the second only where they are close. Fine maps have a price
# besides the multiplications.
#
# ## Settled
#
# Two encoders, both equal to `labs`, and NatureCNN to SB3's. Coarse strides make
# position harder to read, not impossible. ManipulationCNN keeps it where it was: in the place
# on the map. Next: [reading it off](10_spatial_softmax.ipynb).
