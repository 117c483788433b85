# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 25 s, hardware: any CPU}
# ---

# %% [markdown]
# # SpatialSoftmax
#
# {term}`ManipulationCNN` hands over 32 maps of 21 × 21 cells. Pushing needs to know *where* things are. A
# linear layer on the flattened maps can learn that, but place by place. This page shows what that means, and
# builds a head that turns each map into one point, a {term}`keypoint`.
#
# You will be able to say when a keypoint moves, when it stands still, and what it cannot say. The page
# leans on [the two encoders](09_cnn_encoders.ipynb).

# %%
import numpy as np
import torch
from IPython.display import Markdown, display
from torch import nn

from labs import envs, manipulation_encoder
from labs.exercises import attempt
from labs.figures.encoders import layer_geometry
from labs.manipulation_encoder import ManipulationCNN
from labs.widgets.keypoints import Keypoints, blob_map

# %% [markdown]
# ## A head that learns a table
#
# A toy task: find a blob in a noisy image of 24 × 24 pixels. Two convolutions, then flatten, then a
# linear layer. Train it on blobs in the **left half** only. Then show it the right half.

# %% tags=["hide-input"]
SIDE = 24


def blobs(n, left, right, seed):
    """Images (N, 1, 24, 24) with a blob whose column lies in [left, right]; its (x, y) in [−1, 1]."""
    rng = np.random.default_rng(seed)
    columns, rows = rng.uniform(left, right, n), rng.uniform(3, SIDE - 4, n)
    images = [
        blob_map(SIDE, r, c, height=1, second=False) for r, c in zip(rows, columns, strict=True)
    ]
    images = np.array(images) + rng.normal(0, 0.05, (n, SIDE, SIDE))
    position = 2 * np.stack([columns, rows], axis=1) / (SIDE - 1) - 1
    return torch.tensor(images[:, None]).float(), torch.tensor(position).float()


LEFT, RIGHT, ALL = (3, 11), (12, 20), (3, 20)
unseen = {"left": blobs(300, *LEFT, seed=1), "right": blobs(300, *RIGHT, seed=2)}


def convolutions():
    return [nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 5, padding=2)]


def learn(head, where, seed, epochs=15):
    """Trains convolutions and a head; returns the mean error in pixels on either unseen half."""
    torch.manual_seed(seed)
    net = nn.Sequential(*convolutions(), *head())
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    images, positions = blobs(512, *where, seed=0)
    for _ in range(epochs):
        for batch in torch.randperm(512).split(64):
            loss = ((net(images[batch]) - positions[batch]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        pixels = (SIDE - 1) / 2
        return {k: float((net(x) - y).norm(dim=1).mean()) * pixels for k, (x, y) in unseen.items()}


def flat():
    return nn.Flatten(), nn.Linear(8 * SIDE * SIDE, 2)


results = {
    "flat, left half": [learn(flat, LEFT, seed) for seed in (0, 1)],
    "flat, whole image": [learn(flat, ALL, seed) for seed in (0, 1)],
}


def table(results):
    lines = ["| trained | error on new blobs left | error on new blobs right |", "|---|---|---|"]
    for name, runs in results.items():
        cells = [", ".join(f"{run[half]:.1f}" for run in runs) for half in ("left", "right")]
        lines.append(f"| {name} | {cells[0]} px | {cells[1]} px |")
    display(Markdown("\n".join(lines)))


table(results)
for run in results["flat, left half"]:
    assert run["left"] < 1.5 and run["right"] > 5, "it knows the left half and nothing of the right"
assert all(max(run.values()) < 1.5 for run in results["flat, whole image"])

# %% [markdown]
# The two numbers of a cell are two seeds. The head is able: trained everywhere, it finds the blob everywhere. But every place
# has its own weights, and those of a place where no blob was ever seen have learned from noise
# alone. Convolutions respond to a blob anywhere alike; the table of weights behind them
# throws that away.
#
# ## The idea
#
# Turn each map $f$ into a probability over its cells and report the mean position: {term}`SpatialSoftmax`
# {cite}`levine2016`, with a temperature that is learned {cite}`finn2016`:
#
# $$
# p_{ij} = \frac{e^{f_{ij}/T}}{\sum_{kl} e^{f_{kl}/T}}, \qquad
# (\hat x, \hat y) = \Big( \sum_{ij} p_{ij}\, x_j,\; \sum_{ij} p_{ij}\, y_i \Big)
# $$ (eq-spatial-softmax)
#
# where $i$ counts rows and $j$ columns, $k$ and $l$ do so again in the sum, and the coordinates $x_j, y_i$ run from −1
# to 1. No weight belongs to a place. The only number to learn in the head is the temperature $T$: small, and the
# strongest cell decides; large, and all cells vote alike. It must stay positive, so its logarithm is learned.
#
# ## Build it


# %%
class SpatialSoftmax(nn.Module):
    """(B, C, H, W) → (B, 2C): all x, then all y; (−1, −1) is the top left."""

    def __init__(self, height, width, temperature=1.0):
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log())
        self.register_buffer("x", torch.linspace(-1, 1, width), persistent=False)
        self.register_buffer("y", torch.linspace(-1, 1, height), persistent=False)

    def forward(self, features):
        p = torch.softmax(features.flatten(2) / self.log_temperature.exp(), dim=2)
        p = p.view(features.shape)
        x = (p.sum(dim=2) * self.x).sum(dim=2)  # rows summed away: a distribution over columns
        y = (p.sum(dim=3) * self.y).sum(dim=2)
        return torch.cat([x, y], dim=1)


# %% [markdown]
# | step | shape |
# |---|---|
# | maps | (B, 32, 21, 21) |
# | softmax over the 441 cells | (B, 32, 21, 21) |
# | mean position | 32 x and 32 y: (B, 64) |
#
# What must hold:


# %%
def peak(row, column, size=21, height=1000.0):
    features = torch.zeros(1, 1, size, size)
    features[0, 0, row, column] = height
    return features


head = SpatialSoftmax(21, 21)
with torch.no_grad():
    corners = torch.cat([head(peak(r, c)) for r in (0, 20) for c in (0, 20)])
    assert corners.tolist() == [[-1, -1], [1, -1], [-1, 1], [1, 1]], "corners exactly, x before y"
    assert head(peak(10, 20)).round(decimals=6).tolist() == [[1, 0]], (
        "right of the middle: x = 1, y = 0"
    )
    two = head(torch.cat([peak(0, 20), peak(20, 0)], dim=1))
    assert two.tolist() == [[1, -1, -1, 1]], "two channels: x, x, then y, y"

    features = torch.randn(8, 32, 21, 21)
    points = head(features)
    assert points.shape == (8, 64) and points.abs().max() <= 1
    torch.testing.assert_close(head(features + 7), points)  # only differences count
    torch.testing.assert_close(SpatialSoftmax(21, 21, 0.5)(features), head(2 * features))
    assert SpatialSoftmax(21, 21, 1e-3)(peak(3, 5, height=0.1))[0, 0] == -0.5, "cold: the strongest"
    assert SpatialSoftmax(21, 21, 1e6)(peak(3, 5, height=0.1)).abs().max() < 1e-3, "hot: the middle"

    for temperature in (0.1, 1.0, 3.0):
        ours = SpatialSoftmax(21, 21, temperature)
        theirs = manipulation_encoder.SpatialSoftmax(21, 21, 32, temperature)
        torch.testing.assert_close(ours(features), theirs(features))
print("corners, order, temperature: as they should be; equal to labs.manipulation_encoder")

# %% [markdown]
# ## The same task again
#
# Same convolutions, same images, same seeds. Only the head changed: eight keypoints and a linear
# layer on 16 numbers.


# %%
def keypoints():
    return SpatialSoftmax(SIDE, SIDE), nn.Linear(16, 2)


results["keypoints, left half"] = [learn(keypoints, LEFT, seed) for seed in (0, 1)]
table(results)
assert all(run["right"] < 1.5 for run in results["keypoints, left half"])

# %% [markdown]
# What it learned on the left holds on the right, where it has never been. In place of a table it
# has learned *what a blob looks like*, and the sum over positions did the rest.
#
# ## Cold enough?
#
# Look at equation {eq}`eq-spatial-softmax` with the eyes of a fresh network. Its features are small and
# nearly equal, so $e^{f/T}$ is nearly the same everywhere, and every keypoint sits near the middle.
# How far do a random encoder's keypoints move from one real frame to another? We take their standard deviation over all
# frames, and beside it that of the block's own place:


# %%
def labeled_frames(n, seed):
    """Frames of Push, (N, 84, 84, 3), and the centers of block, gripper, goal in pixels, (N, 3, 2).

    Frames in which one of them shows fewer than 9 pixels are left out.
    """
    env = envs.make_env("push", image_size=84, camera="workspace", scene="lean", goal_sphere=True)
    rng = np.random.default_rng(seed)
    frames, centers = [], []
    while len(frames) < n:
        env.reset(seed=int(rng.integers(2**31)))
        action = rng.uniform(-1, 1, 4).astype(np.float32)
        for _ in range(rng.integers(1, 6)):
            env.step(action)
        labels = env.segmentation()
        places = [np.argwhere(labels == envs.SEGMENTS[k]) for k in ("object", "gripper", "goal")]
        if min(len(place) for place in places) > 8:
            frames.append(env.render())
            centers.append([place.mean(axis=0)[::-1] for place in places])  # (x, y)
    env.close()
    return np.array(frames), np.array(centers)


frames, centers = labeled_frames(190, seed=0)
images = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255

torch.manual_seed(0)
fresh = ManipulationCNN(3)
with torch.no_grad():
    maps = fresh(images)
    for temperature in (1.0, 0.1, 0.01):
        points = SpatialSoftmax(21, 21, temperature)(maps)
        moves = 40 * points.std(dim=0).mean()  # the map spans 80 pixels, the coordinates 2
        print(f"T = {temperature:4}: a keypoint moves by {moves:.3f} px from frame to frame")
block_moves = centers[:, 0].std(axis=0).mean()
print(f"the block itself moves by {block_moves:.1f} px")

# %% [markdown]
# At $T = 1$ the keypoints of an untrained network stand still while the block travels: whatever reads
# them gets a constant. That is one reason to learn the temperature, and why a SpatialSoftmax may need
# patience, a colder start or larger initial weights.
#
# ## Real maps of a real frame
#
# Can a keypoint be taught to sit on the block? The simulator says where the block is in the
# picture. Take eight maps: three are taught block, gripper and goal, five are left free. The initial weights
# are larger and $T = 0.3$, for the reason just seen. To give the places as coordinates one must know where the cells
# lie: the geometry of the layers centers those of the last map on every fourth pixel.

# %%
last = layer_geometry(ManipulationCNN(3))[-1]
first_center = last.first + (last.receptive_field - 1) // 2
assert (first_center, last.step, last.cells) == (0, 4, 21), "cell i is centered on pixel 4 i"
targets = torch.tensor(centers / 40 - 1).float()  # pixel 0 → −1, pixel 80 → 1

torch.manual_seed(0)
cnn, head = ManipulationCNN(3, num_filters=8), SpatialSoftmax(21, 21, temperature=0.3)
for layer in cnn.cnn:
    if isinstance(layer, nn.Conv2d):
        nn.init.orthogonal_(layer.weight, gain=2**0.5)
        nn.init.zeros_(layer.bias)
optimizer = torch.optim.Adam([*cnn.parameters(), *head.parameters()], 5e-3)


def taught(images):
    """The first three keypoints, (B, 3, 2)."""
    points = head(cnn(images))
    return torch.stack([points[:, :3], points[:, 8:11]], dim=-1)


train, held_out = slice(150), slice(150, None)
for _ in range(40):
    for batch in torch.randperm(150).split(16):
        loss = ((taught(images[batch]) - targets[batch]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

with torch.no_grad():
    errors = 40 * (taught(images[held_out]) - targets[held_out]).norm(dim=-1).mean(dim=0)
    guesses = 40 * (targets[train].mean(dim=0) - targets[held_out]).norm(dim=-1).mean(dim=0)
for name, error, guess in zip(("block", "gripper", "goal"), errors, guesses, strict=True):
    print(f"{name:>7}: {error:4.1f} px on 40 new frames; always guessing the mean: {guess:4.1f} px")
print(f"temperature: 0.3 at the start, {head.log_temperature.exp():.2f} learned")
assert errors[0] < guesses[0] / 3, "the block's keypoint follows the block"

# %% [markdown]
# The block is found, on every machine that we tried. For gripper and goal the numbers speak for this run alone: a
# keypoint either jumps onto its thing, or stays near the mean of its places. Another seed, the rounding of another processor,
# or another number of threads can decide which.
#
# This took 150 frames and a few seconds. Reinforcement learning has nobody to teach keypoints; it must find
# them through the reward. This cell shows only that keypoints *can* hold the answer.
#
# Below are the maps of a frame that was not trained on. Choose channels, cool and heat. In the
# synthetic map drag the blob, flatten it, add a second one.

# %%
names = ["block (taught)", "gripper (taught)", "goal (taught)"] + [f"free {i}" for i in range(1, 6)]
learned = head.log_temperature.item() / np.log(10)  # the widget's is to base 10
Keypoints.from_encoder(
    frames[185], cnn, names=names, log_temperature=float(np.clip(learned, -2, 1))
)

# %% [markdown]
# ## What it cannot say
#
# - **One map, two objects.** The mean of two places is a third place, where nothing is.
# - **Nothing there.** An empty map is a flat distribution, and its mean is the middle. "I see
#   nothing" and "it is in the middle" are the same answer.
# - **What.** How strongly a map responded is not reported: a strong response and a stronger one
#   at the same place give the same point, and a weak one is drawn toward the middle. Size and shape are gone too: a rotated
#   block has the same center.

# %%
head = SpatialSoftmax(21, 21)
with torch.no_grad():
    both = head(peak(10, 2) + peak(10, 18))
    empty = head(torch.zeros(1, 1, 21, 21))
    faint = head(peak(3, 5, height=4.0))
    strong, stronger = head(peak(3, 5, height=50.0)), head(peak(3, 5, height=500.0))
for name, point in (("two objects, left and right", both), ("an empty map", empty)):
    print(f"{name}: x = {abs(point[0, 0]):.3f}, y = {abs(point[0, 1]):.3f}")
torch.testing.assert_close(both, torch.zeros(1, 2), rtol=0, atol=1e-6)
torch.testing.assert_close(empty, both, rtol=0, atol=1e-6)
torch.testing.assert_close(strong, stronger)
assert faint[0].norm() < strong[0].norm() / 5

# %% [markdown]
# ```{exercise-start}
# :label: ex-pairs
# ```
# The head returns all x first and then all y. To draw keypoints one wants pairs. Complete `pairs`,
# which turns (B, 2C) into (B, C, 2), each row one (x, y).
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def pairs(points):
    """(B, 2C): x₁ … x_C, y₁ … y_C → (B, C, 2)."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_pairs(answer):
    """Names the likely mistake."""
    points = torch.tensor([[1.0, 2.0, 3.0, 10.0, 20.0, 30.0], [4.0, 5.0, 6.0, 40.0, 50.0, 60.0]])
    result = answer(points)
    assert result is not ..., "pairs still returns ...: fill it in"
    result = torch.as_tensor(result)
    assert tuple(result.shape) != (2, 2, 3), "that is (B, 2, C): swap the last two axes"
    assert tuple(result.shape) == (2, 3, 2), f"received {tuple(result.shape)}, expected (2, 3, 2)"
    first = result[0].tolist()
    assert first[0] != [1, 2], "reshape(B, C, 2) pairs x₁ with x₂: the numbers are not interleaved"
    assert first[0] != [10, 1], "y came first: a pair is (x, y)"
    assert first == [[1, 10], [2, 20], [3, 30]], f"the first image's pairs are {first}"
    assert result[1, 2].tolist() == [6, 60], "the second image's pairs are wrong"


# %% tags=["nbval-check-output"]
attempt(check_pairs, pairs)

# %% [markdown]
# ```{solution-start} ex-pairs
# :class: dropdown
# ```


# %% tags=["solution"]
def pairs(points):
    """(B, 2C): x₁ … x_C, y₁ … y_C → (B, C, 2)."""
    return points.unflatten(1, (2, -1)).transpose(1, 2)


check_pairs(pairs)

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Settled
#
# One point per map, in [−1, 1], without a weight for any place; what is learned here holds there. It
# says where and forgets what, and it needs a temperature that fits its features. Next: the points
# meet the [other sensors](11_features_extractor.ipynb).
