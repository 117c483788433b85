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
# # Random shift
#
# A replay memory holds few pictures, and the critic sees each of them again and again. It has weights enough to learn
# them by heart. {term}`DrQ` {cite}`kostrikov2020` found a remedy of a few lines: before each use, move the picture by
# a few pixels, at random. The right action hardly depends on so little, so the critic is told the same thing about
# many pictures. Whether that holds for this robot, the second half of the page asks. DrQ-v2 {cite}`yarats2021` keeps
# the shift as its only augmentation. At the time of DrQ, RAD {cite}`laskin2020` compared many augmentations for
# control from pixels; cropping helped most.
#
# This page builds the shift, and first shows what a careless border does. Then it asks what a shift does to a robot
# that knows *where its gripper is* from another sensor. There the picture moves, and the sensor does not.
#
# You will be able to say what a shift changes and what it leaves alone, in pixels and in centimeters. The
# page leans on [the two cameras](02_what_the_policy_sees.ipynb) and on
# [keypoints](10_spatial_softmax.ipynb).

# %%
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display

from labs import envs
from labs.exercises import attempt
from labs.figures.style import use_style
from labs.image_augmentation import RandomShiftAug
from labs.manipulation_encoder import SpatialSoftmax
from labs.widgets import crop_shift

use_style()
torch.set_num_threads(1)
PAD = 4
RESETS = 160

# %% [markdown]
# ## Real frames
#
# We take 160 moments of Push, each after six steps of the gripper. Three cameras photograph every moment: the default
# camera, the workspace camera, and one that stands somewhere else each time. For the two named cameras the simulator
# also says which pixels show the gripper and which the block.

# %%
env = envs.make_env("push", image_size=84)
rng = np.random.default_rng(0)
frames = {name: [] for name in (*envs.CAMERAS, "wandering")}
labels = {name: [] for name in envs.CAMERAS}
gripper, block = [], []
for seed in range(RESETS):
    env.reset(seed=seed)
    action = rng.uniform(-1, 1, 4).astype(np.float32)
    for _ in range(6):
        observation, *_ = env.step(action)
    gripper.append(observation["observation"][:3])
    block.append(observation["achieved_goal"])
    somewhere = envs.Camera(
        rng.uniform(0, 360), rng.uniform(-60, -30), rng.uniform(0.8, 1.2), (1.34, 0.75, 0.42)
    )
    for name, camera in (*envs.CAMERAS.items(), ("wandering", somewhere)):
        env.camera = camera
        frames[name].append(env.render())
        if name in labels:
            labels[name].append(env.segmentation())
assert env.unwrapped.model.vis.global_.fovy == 45
env.close()
gripper, block = np.array(gripper), np.array(block)
labels = {name: np.stack(list_) for name, list_ in labels.items()}
images = {
    name: torch.as_tensor(np.stack(list_)).permute(0, 3, 1, 2).contiguous()
    for name, list_ in frames.items()
}
assert images["default"].shape == (RESETS, 3, 84, 84) and images["default"].dtype == torch.uint8

# %% [markdown]
# ## The failure first: black bars
#
# Shifting leaves a strip without content. The quick way fills it with zeros, another repeats the border.
# {numref}`fig-shift-bars` shows one frame, shifted and filled in both ways.

# %% mystnb={"figure": {"caption": "One frame of Push, as it is and shifted by four pixels down and to the left. The strip that the shift leaves at the top and on the right holds zeros, or the repeated border.", "name": "fig-shift-bars"}, "image": {"alt": "Three pictures of the table and the robot arm: the frame as it is; shifted with zero padding, with black bars at the top and right edge; shifted with the border repeated, where no bar can be seen."}}
one = images["workspace"][3:4]
window = torch.tensor([[-4, 4]])  # up and to the right: the content goes down and to the left
pictures = {
    "as it is": one,
    "zeros": RandomShiftAug(PAD, "zeros").shift(one, window),
    "border repeated": RandomShiftAug(PAD).shift(one, window),
}
fig, axes = plt.subplots(1, 3, figsize=(7, 2.6))
for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
    ax.imshow(picture[0].permute(1, 2, 0))
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(False)
plt.show()

# %% [markdown]
# The bars are as wide as the shift, the same in every frame, and black before a bright scene. A network that wants to
# know the shift can *measure the bar*. Up to four pixels each way make 9 × 9 = 81 versions. Taken for 81 frames,
# they have taught it nothing.
#
# We test this with the weakest network there is: a linear probe. It looks at gray values and must
# name the row offset, one of nine numbers. Training and test frames come from different resets.
# Chance is 11 %.


# %% tags=["hide-input"]
def probe(gray, padding, view, shuffle=False, train=120, ridge=10.0):
    """Share of unseen frames whose row offset a linear probe names exactly."""
    generator = torch.Generator().manual_seed(0)
    aug = RandomShiftAug(PAD, padding)

    def make(frames, copies):
        frames = frames.repeat(copies, 1, 1, 1)
        offsets = aug.draw_offsets(len(frames), generator)
        return view(aug.shift(frames, offsets)).flatten(1), offsets[:, 0].float()

    x, y = make(gray[:train], copies=6)
    x_test, y_test = make(gray[train:], copies=10)
    if shuffle:  # the control: answers that belong to other pictures
        y = y[torch.randperm(len(y), generator=generator)]
    center = x.mean(0)
    kernel = (x - center) @ (x - center).T + ridge * torch.eye(len(x))
    weights = (x - center).T @ torch.linalg.solve(kernel, y)
    guess = ((x_test - center) @ weights + y.mean()).round()
    return (guess == y_test).float().mean().item()


views = {
    "whole frame": lambda x: x,
    "top and bottom 8 rows": lambda x: torch.cat((x[..., :8, :], x[..., -8:, :]), dim=-2),
}
accuracy = {}
rows = ["| camera | the probe sees | zeros | border repeated |", "|---|---|---|---|"]
for name, view in product(("workspace", "wandering"), views):
    gray = images[name].float().mean(1, keepdim=True) / 255
    for padding in ("zeros", "replicate"):
        accuracy[name, view, padding] = probe(gray, padding, views[view])
    zeros, replicate = (accuracy[name, view, p] for p in ("zeros", "replicate"))
    rows.append(f"| {name} | {view} | {zeros:.0%} | {replicate:.0%} |")
control = probe(gray, "zeros", views["whole frame"], shuffle=True)
rows.append(f"| wandering | whole frame, shuffled answers | {control:.0%} | |")
display(Markdown("\n".join(rows)))

edge = "top and bottom 8 rows"
assert accuracy["wandering", edge, "zeros"] > 0.6, "the bars should be readable"
assert accuracy["wandering", edge, "replicate"] < 0.25, "a repeated border should say little"
assert control < 0.25

# %% [markdown]
# Look at the wandering camera first. It always aims at the same point of the table, but little in its picture stays in
# place. So the padding is nearly all that can betray the shift. Bars betray it. A repeated border at the edge says
# next to nothing. With the answers shuffled, the control, even bars leave the probe near chance.
#
# With a fixed camera, the probe that sees the whole frame reads the shift either way: the edges of the table are
# **landmarks**. Repeating the border removes the *artifact*; it cannot hide the scenery. A network in front of a fixed
# camera can still learn how far its picture was moved.
#
# ## Build it
#
# Pad each side by $p$ pixels by {term}`replicate padding`, which repeats the border. Then cut the old size out again,
# at a random place. That is the same as *clipping the index*:
#
# $$
# \tilde I[c, y, x] = I\bigl[c,\ \mathrm{clip}(y + r,\, 0,\, H-1),\ \mathrm{clip}(x + s,\, 0,\,
# W-1)\bigr], \qquad r, s \sim \mathcal U\{-p, \dots, p\}
# $$ (eq-shift)
#
# Here $c$, $y$ and $x$ count channels, rows and columns; the image has $H$ rows and $W$ columns. The window moves by
# $(r, s)$, so the content moves by as much the other way. No padded picture is needed: each output pixel looks up its
# source, and one gather serves a whole batch. Each *image* gets its own $(r, s)$. All its channels share it: they are
# frames of one stack, and frames that moved apart would show motion that never was.


# %%
def draw_offsets(batch_size, pad, generator=None):
    """One (rows, columns) per image, uniform over −pad … pad: int64 (B, 2)."""
    return torch.randint(-pad, pad + 1, (batch_size, 2), generator=generator)


def shift(images, offsets):
    """Moves the cropping window of each image by its offset: (B, C, H, W) → the same."""
    batch, _, height, width = images.shape
    rows = (offsets[:, :1] + torch.arange(height)).clamp(0, height - 1)  # (B, H)
    columns = (offsets[:, 1:] + torch.arange(width)).clamp(0, width - 1)  # (B, W)
    index = torch.arange(batch)[:, None, None], rows[:, :, None], columns[:, None, :]
    return images.permute(0, 2, 3, 1)[index].permute(0, 3, 1, 2)  # whole pixels at a time


# %% [markdown]
# | tensor | shape | dtype |
# |---|---|---|
# | `images` | $(B, C, H, W)$ | uint8, as the replay memory has it |
# | `offsets` | $(B, 2)$: rows, columns | int64 |
# | `rows`, `columns` | $(B, H)$, $(B, W)$ | int64 |
# | `index`, broadcast | $(B, H, W)$ | int64 |
# | output | $(B, C, H, W)$ | uint8 |

# %%
stacks = images["default"].reshape(RESETS // 4, 12, 84, 84)  # four frames along the channels
offsets = draw_offsets(len(stacks), PAD, torch.Generator().manual_seed(0))
moved = shift(stacks, offsets)
assert offsets.shape == (40, 2) and offsets.abs().max() <= PAD
assert moved.shape == stacks.shape and moved.dtype == torch.uint8

constant = torch.full((40, 12, 84, 84), 200, dtype=torch.uint8)
assert torch.equal(shift(constant, offsets), constant), "a repeated border draws nothing"

# %% [markdown]
# A clipped index is easy to get subtly wrong. So we compare it with the definition, taken literally: pad, then crop,
# for **all 81 offsets**.

# %%
every = torch.tensor(list(product(range(-PAD, PAD + 1), repeat=2)))
frame = images["workspace"][7]
padded = F.pad(frame[None].double(), (PAD,) * 4, mode="replicate")[0].to(torch.uint8)
assert padded.shape == (3, 92, 92) and len(every) == 81
at_once = shift(frame.expand(81, -1, -1, -1), every)
for (r, s), got in zip(every.tolist(), at_once, strict=True):
    top, left = PAD + r, PAD + s
    assert torch.equal(got, padded[:, top : top + 84, left : left + 84]), (r, s)
print("81 of 81 offsets equal padding and cropping, to the bit")

# %% [markdown]
# And the part in `labs`, which adds checks of its input and runs on any device, does the same:

# %%
theirs = RandomShiftAug(PAD)
assert torch.equal(theirs.shift(stacks, offsets), moved)
assert torch.equal(theirs(stacks, torch.Generator().manual_seed(0)), moved), "same random state"
print("ours equals labs.image_augmentation.RandomShiftAug")

# %% [markdown]
# Two cameras side by side are two pictures. If they are shifted as one, a
# stripe of one reaches into the other, and betrays the shift as a bar does. So each keeps to its part,
# `RandomShiftAug(pad, views=2)`. This book [noticed it late](20_reach_and_pixels.ipynb).
#
# ## What moves, and what does not
#
# The source manuscript blames the shift for a failed run: $\pm 4$ pixels are said to put 40 to 80 %
# noise on the distance between gripper and block in SpatialSoftmax coordinates. We can look. The simulator tells us
# which pixels *are* the gripper and the block, and keypoints can hardly be better than their centers. We shift the
# labels as we shift the picture, and take the centers again.


# %% tags=["hide-input"]
def center(masks):
    """Mean (row, column) of each mask: (N, H, W) → (N, 2), NaN where a mask is empty."""
    masks = np.asarray(masks, dtype=float)
    total = masks.sum((1, 2))
    place = np.stack([(masks.sum(2) @ np.arange(84)), (masks.sum(1) @ np.arange(84))], axis=1)
    return np.divide(
        place, total[:, None], out=np.full_like(place, np.nan), where=total[:, None] > 0
    )


offsets = draw_offsets(RESETS, PAD, torch.Generator().manual_seed(1))
points, visible = {}, {}
rows = [
    "| camera | moments | gripper moves by | block moves by | block − gripper moves by "
    "| distance (median) | 4 px ÷ distance |",
    "|---|---|---|---|---|---|---|",
]
for name in envs.CAMERAS:
    before = labels[name]
    after = shift(torch.as_tensor(before)[:, None], offsets)[:, 0].numpy()
    hand, puck = center(before == 1), center(before == 2)
    hand_after, puck_after = center(after == 1), center(after == 2)
    # A thing at the border is cut or stretched by the shift: its center is another one then.
    rim = np.pad(np.zeros((84 - 2 * PAD,) * 2, bool), PAD, constant_values=True)
    whole = ~((before == 1) | (before == 2))[:, rim].any(1)
    points[name] = hand, puck
    visible[name] = ~np.isnan(puck).any(1)
    use = visible[name] & whole
    hand_moves, puck_moves = (hand_after - hand)[use], (puck_after - puck)[use]
    relative = np.abs(puck_moves - hand_moves).max()
    distance = np.median(np.linalg.norm(puck - hand, axis=1)[use])
    rows.append(
        f"| {name} | {use.sum()} | up to {np.abs(hand_moves).max():.1f} px | up to "
        f"{np.abs(puck_moves).max():.1f} px | up to {relative:.1f} px | {distance:.1f} px "
        f"| {PAD / distance:.0%} |"
    )
    np.testing.assert_allclose(hand_moves, -offsets.numpy()[use], atol=1e-9)
    np.testing.assert_allclose(puck_moves, -offsets.numpy()[use], atol=1e-9)
    assert relative < 1e-9
display(Markdown("\n".join(rows)))
for name in envs.CAMERAS:
    print(f"{name}: block hidden in {(~visible[name]).sum()} of {RESETS} moments")

# %% [markdown]
# Both points move by exactly minus the offset. They move **together**, so the vector between them does not change at
# all. Moments in which one of them comes within four pixels of the border are left out: there the shift cuts it.
#
# The last column shows where such a percentage can come from: four pixels, *divided by* the median distance. But four
# pixels is how far either point may move along an axis. The distance itself has no noise. The quotient depends on the
# moments. Over others, [a later page](22_when_augmentation_fights.ipynb) finds a median of
# {artifact}`shift-keypoints:default.shift_over_distance.median|pct0` for the default camera and of
# {artifact}`shift-keypoints:workspace.shift_over_distance.median|pct0` for the workspace camera.
#
# SpatialSoftmax says the same in its own coordinates:

# %%
moment = int(np.flatnonzero(visible["default"])[0])
mask = torch.as_tensor(np.stack([labels["default"][moment] == k for k in (1, 2)]))[None].float()
read = SpatialSoftmax(84, 84, num_channels=2, temperature=0.01)
with torch.no_grad():
    plain, shifted = (read(m).view(2, 2).T for m in (mask, shift(mask, torch.tensor([[3, -4]]))))
print("              gripper (x, y)     block (x, y)       block − gripper")
for name, xy in (("as it is", plain), ("shifted", shifted)):
    print(
        f"{name:>10}    {xy[0].numpy().round(3)}    {xy[1].numpy().round(3)}    "
        f"{(xy[1] - xy[0]).numpy().round(3)}"
    )
assert torch.allclose(plain[1] - plain[0], shifted[1] - shifted[0], atol=1e-5)
assert not torch.allclose(plain, shifted, atol=0.05)

# %% [markdown]
# Try it. Both cameras, both paddings, every offset. The third keypoint, *edges*, is what an edge
# filter with a spatial softmax would report: with zeros, watch it run to the bars.

# %%
crop_shift.CropShift.from_env(seed=4)

# %% [markdown]
# ## What does break
#
# The policy gets more than a picture: the gripper's position, from the joints, and the goal, from the task, both in
# meters. Nobody shifts those. What breaks is the **tie** between a place in the picture and a place in the world.
#
# How many centimeters are four pixels? A camera is a projection. For a camera at distance $d$ that looks
# along the unit vector $f$ at the point $\ell$, a world point $w$ appears at
#
# $$
# \text{row} = \frac{H-1}{2} + F\,\frac{(w - o)\cdot \text{down}}{(w - o) \cdot f}, \qquad
# \text{column} = \frac{W-1}{2} + F\,\frac{(w - o)\cdot \text{right}}{(w - o) \cdot f},
# $$ (eq-projection)
#
# with the eye at $o = \ell - d f$. The unit vectors *right* and *down* are the picture's axes. The field of view is 45
# degrees, and $F = \tfrac{H}{2} / \tan 22.5°$ is the focal length in pixels. Solved for points on the table, it
# says how far apart neighboring pixels lie: *along* the view, from the camera, and *across* it.


# %%
def project(camera, points):
    """(row, column) at which world points (..., 3) appear in an 84 × 84 picture."""
    azimuth, elevation = np.deg2rad([camera.azimuth, camera.elevation])
    level = np.array([np.cos(azimuth), np.sin(azimuth), 0])
    forward = np.cos(elevation) * level + np.sin(elevation) * np.array([0, 0, 1])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0])
    down = np.cross(forward, right)
    seen = points - (np.array(camera.lookat) - camera.distance * forward)
    focal = 42 / np.tan(np.deg2rad(22.5))
    place = np.stack([seen @ down, seen @ right], axis=-1) / (seen @ forward)[..., None]
    return 41.5 + focal * place


rows = [
    "| camera | projection misses the drawn block by (median) | 1 px along the view "
    "| 1 px across | 4 px along | 4 px across |",
    "|---|---|---|---|---|---|",
]
for name, camera in envs.CAMERAS.items():
    ok = visible[name]
    miss = np.linalg.norm(project(camera, block[ok]) - points[name][1][ok], axis=1)
    assert np.median(miss) < 0.5, "the formula and the simulator disagree"
    assert np.allclose(project(camera, block), crop_shift.project(camera, block))
    along, across = crop_shift.table_centimeters(camera)  # the projection's inverse on the table
    rows.append(
        f"| {name} | {np.median(miss):.2f} px | {along:.1f} cm | {across:.1f} cm "
        f"| {4 * along:.0f} cm | {4 * across:.0f} cm |"
    )
display(Markdown("\n".join(rows)))

# %% [markdown]
# In Push, success means within 5 cm. The default camera stands far away and looks flat over the table. There a shift
# of four pixels displaces the world by twice that radius sideways, and by far more along the view. The workspace camera
# stands close and looks down: there the shift stays within about one success radius.
#
# ### Two readers of the same picture
#
# Where is the block, in world coordinates? Two linear readers answer, from the centers of block and gripper in
# shifted pictures:
#
# - the **absolute** reader uses the block's place in the picture;
# - the **relative** reader uses the block's place *minus the gripper's*, and adds what the joints
#   say about the gripper.
#
# Both are trained on shifted pictures and tested on those of other resets. The control says the mean position and
# looks at nothing.


# %%
def reader_error(features, train_share=0.7):
    """Median error in cm of a linear reader of the block's (x, y), on unseen moments.

    `features` has one array (moments, n) for each drawing of the shifts.
    """
    x, copies = np.concatenate(features), len(features)
    x = np.column_stack([x, np.ones(len(x))])
    ok = ~np.isnan(x).any(1)
    y = np.tile(block[:, :2], (copies, 1))
    train = np.tile(np.arange(RESETS) < train_share * RESETS, copies)
    weights = np.linalg.lstsq(x[ok & train], y[ok & train], rcond=None)[0]
    miss = x[ok & ~train] @ weights - y[ok & ~train]
    return 100 * np.median(np.linalg.norm(miss, axis=1))


errors = {}
for name, pad in product(envs.CAMERAS, range(PAD + 1)):
    hand, puck = points[name]
    drawn = [draw_offsets(RESETS, pad, torch.Generator().manual_seed(s)).numpy() for s in range(20)]
    errors[name, "absolute", pad] = reader_error([puck - d for d in drawn])
    # The shift cancels: what is left is the error of a reader that subtracts.
    subtracted = [np.column_stack([(puck - d) - (hand - d), gripper]) for d in drawn]
    errors[name, "relative + joints", pad] = reader_error(subtracted)
blind = reader_error([np.empty((RESETS, 0))] * 20)

# %% mystnb={"figure": {"caption": "Median error of the two readers, and of the control, on resets that they did not train on, against the pad of the shift. At pad 0 no picture is shifted.", "name": "fig-shift-readers"}, "image": {"alt": "Error of the two readers against the pad, from 0 to 4 pixels, one panel per camera. The absolute reader's error rises steeply with the default camera, past the success radius, and gently with the workspace camera; the relative reader's stays flat in both."}}
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7, 3))
for ax, name in zip(axes, envs.CAMERAS, strict=True):
    for reader, marker in (("absolute", "o"), ("relative + joints", "s")):
        line = [errors[name, reader, pad] for pad in range(PAD + 1)]
        ax.plot(range(PAD + 1), line, marker=marker, label=reader)
    ax.axhline(blind, color="0.5", ls="--", label="control: looks at nothing")
    ax.axhline(5, color="0.7", ls=":", label="success radius")
    ax.set(title=f"{name} camera", xlabel="pad (pixels)", ylim=0)
axes[0].set_ylabel("error of the block's place (cm)")
axes[1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
# What a linear map makes of the block's exact place in the picture, where nothing is shifted.
exact = {n: reader_error([project(c, block)] * 20) for n, c in envs.CAMERAS.items()}
rows = ["| camera | reader | pad 0 | pad 4 |", "|---|---|---|---|"]
for name, reader in product(envs.CAMERAS, ("absolute", "relative + joints")):
    rows.append(
        f"| {name} | {reader} | {errors[name, reader, 0]:.1f} cm "
        f"| {errors[name, reader, PAD]:.1f} cm |"
    )
display(Markdown("\n".join(rows)))
print("from the exact place:", ", ".join(f"{n} camera {e:.1f} cm" for n, e in exact.items()))
assert exact["workspace"] > 1.5 * exact["default"], "perspective bends the near picture more"

for name in envs.CAMERAS:
    relative = [errors[name, "relative + joints", pad] for pad in range(PAD + 1)]
    assert max(relative) - min(relative) < 0.1, "the difference must not feel the shift"
assert errors["default", "absolute", PAD] > 4 * errors["default", "absolute", 0]
assert 4 < errors["default", "absolute", 1] < 6 and errors["workspace", "absolute", PAD] < 5
assert accuracy["workspace", "whole frame", "replicate"] > 0.8, "the landmarks that were promised"

# %% [markdown]
# The relative reader does not feel the shift: not at one pixel, not at four ({numref}`fig-shift-readers`). The
# absolute reader loses its aim. With the default camera, a pad of one pixel already brings its error to about the
# success radius, and a pad of four far beyond. With the workspace camera it stays below.
#
# Without any shift, the near camera reads no better than the far one, although it has more pixels for the block. These
# readers are linear, and seen from nearby, perspective bends more than a linear map can follow. The last line says by
# how much: there the readers get the block's exact place in the picture.
#
# So the shift need not make pushing impossible. It puts a price on one way of reading a picture, and the camera sets
# the price. A network has two ways round it: learn differences between things in the picture, or read the shift off
# the landmarks, as our probe could, and undo it. Either has to be learned from reward alone. What that costs in
# episodes, only training can tell. [Students that imitate](22_when_augmentation_fights.ipynb) were trained with shifts
# and without, before both cameras. So were small runs by reward: with keypoints in
# [Push](22_when_augmentation_fights.ipynb), with NatureCNN in [Push](19_reading_the_curve.ipynb) and
# [Reach](20_reach_and_pixels.ipynb). The arms with pads of 0, 1 and 4
# (`pixels train push-gpu-pad1-workspace-keypoints` and the like) wait for a GPU.
#
# ```{exercise-start}
# :label: ex-shift-coordinates
# ```
# SpatialSoftmax reports places as $(x, y)$ in $[-1, 1]$, from the center of the first pixel to the
# center of the last. Complete `coordinate_change`: by how much does a keypoint's $(x, y)$ change when the cropping
# window moves by offsets (rows, columns)? The keypoint stays inside the picture.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def coordinate_change(offsets, height, width):
    """Offsets (B, 2) as (rows, columns) → change of (x, y), float (B, 2)."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_coordinate_change(answer):
    """Names the likely mistake."""
    height, width = 41, 61
    offsets = draw_offsets(64, PAD, torch.Generator().manual_seed(3))
    maps = torch.zeros(64, 1, height, width)
    maps[:, 0, 15, 30] = 1
    read = SpatialSoftmax(height, width, num_channels=1, temperature=0.01)
    with torch.no_grad():
        truth = read(shift(maps, offsets)) - read(maps)
    got = answer(offsets, height, width)
    assert got is not ..., "coordinate_change still returns ...: fill it in"
    got = torch.as_tensor(got, dtype=torch.float32)
    assert got.shape == (64, 2), f"expected shape (64, 2), received {tuple(got.shape)}"

    def same(a, b):
        return torch.allclose(a, b, atol=1e-4)

    assert not same(got, -truth), "the sign: when the window moves right, the content moves left"
    assert not any(same(sign * got.flip(1), truth) for sign in (1, -1)), (
        "offsets are (rows, columns), but SpatialSoftmax gives (x, y): the column comes first"
    )
    rows, columns = offsets.float().T
    swapped = torch.stack((columns / (height - 1), rows / (width - 1)), dim=1)
    assert not any(same(got, k * swapped) for k in (-2, -1, 1, 2)), "x goes with the width"
    assert not same(2 * got.abs(), truth.abs()), "from −1 to 1 is a length of 2"
    sides = 2 * torch.stack((columns / width, rows / height), dim=1)
    assert not same(got.abs(), sides.abs()), "centers of W pixels are W − 1 steps apart"
    assert same(got, truth), f"expected {truth[0].tolist()} for offset {offsets[0].tolist()}"
    print("your change is SpatialSoftmax's, for 64 offsets")


# %% tags=["nbval-check-output"]
attempt(check_coordinate_change, coordinate_change)

# %% [markdown]
# ```{solution-start} ex-shift-coordinates
# :class: dropdown
# ```


# %% tags=["solution"]
def coordinate_change(offsets, height, width):
    """Offsets (B, 2) as (rows, columns) → change of (x, y), float (B, 2)."""
    rows, columns = offsets.double().T
    return torch.stack((-2 * columns / (width - 1), -2 * rows / (height - 1)), dim=1)


check_coordinate_change(coordinate_change)

# %% [markdown]
# The change depends on nothing but the offset. So it is the same for *every* keypoint of a picture, and differences of
# keypoints do not feel it.
# ```{solution-end}
# ```
#
# ## Settled
#
# A random shift is one gather with clipped indices. Its border is repeated, so that no bars give the shift away;
# before a fixed camera the scenery still can. All things in a picture move together, and distances in the picture stay
# exact. What is lost is the tie to vectors that nobody shifts, by an amount that the camera decides. Students trained
# with shifts [bear a knocked camera](22_when_augmentation_fights.ipynb).
#
# Next: [where in the replay buffer the shift belongs](13_drq_buffers.ipynb), and why goals must
# never be touched.
