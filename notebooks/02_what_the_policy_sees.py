# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 40 s, hardware: any CPU}
# ---

# %% [markdown]
# # What the policy sees
#
# Before we ask whether a policy can learn from a picture, we look at it, with no more pixels than the
# policy gets. Then we count the pixels that matter, and list what the policy is told *beside* the
# picture. What can be seen and what is told decide more than the network.
#
# You will be able to say of any policy that is called a pixel policy what it can see and what it is
# told. The page leans on [the two tasks](01_proof_of_life.ipynb).

# %%
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from labs import envs
from labs.bench.measure import cpu_ms
from labs.exercises import attempt
from labs.experiments.results import measurement
from labs.figures.frame import frame_sizes
from labs.figures.style import OKABE_ITO, use_style
from labs.pixel_wrapper import PixelObservationWrapper
from labs.widgets.crop_shift import table_centimeters

use_style()

# %% [markdown]
# ## The picture, at 84 × 84
#
# Learning from pixels usually means 84 × 84 of them, a habit from Atari {cite}`mnih2015`.
# {numref}`fig-sees-cameras` shows the same reset of each task twice: through the *default* camera, which the environment
# comes with, and through this book's {term}`workspace camera`, which is aimed at the table.


# %%
def photograph(task, camera):
    """One frame and its segmentation, right after a reset."""
    env = envs.make_env(task, camera=camera, image_size=84)
    env.reset(seed=4)
    frame, labels = env.render(), env.segmentation()
    env.close()
    return frame, labels


# %% mystnb={"figure": {"caption": "Reach and Push right after a reset, at 84 × 84 pixels, through both cameras. The red dot is the goal; in Push the dark cube is the block.", "name": "fig-sees-cameras"}, "image": {"alt": "Four pictures of 84 by 84 pixels. Top row, default camera: the whole robot is in view, block and goal are specks of a few pixels. Bottom row, workspace camera: the table fills the picture, the block is eight pixels wide."}}
fig, axes = plt.subplots(2, 2, figsize=(7, 7.2))
for row, camera in zip(axes, envs.CAMERAS, strict=True):
    for ax, task in zip(row, envs.ENV_IDS, strict=True):
        frame, labels = photograph(task, camera)
        ax.imshow(frame)
        ax.set_title(f"{task}, {camera} camera")
        ax.axis("off")
plt.show()

# %% [markdown]
# Could *you* push the block to the red dot from the upper right picture?
#
# Every policy that learns from the default camera answers that question at every step.
# {numref}`fig-sees-pixels` marks the pixels that show block, goal and gripper, but for mixed ones
# on an edge.

# %% mystnb={"figure": {"caption": "The Push frame of the default camera, enlarged around gripper, block and goal. A small square marks each pixel that the renderer counts as part of one of them.", "name": "fig-sees-pixels"}, "image": {"alt": "The default camera's Push frame, enlarged around the table. Outlines mark the few pixels that belong to the gripper, the block and the goal."}}
WORDS = {"object": "block"}  # the renderer's word, and this book's
frame, labels = photograph("push", "default")
rows, columns = np.nonzero(labels)
top, left = max(rows.min() - 4, 0), max(columns.min() - 6, 0)
crop = np.s_[top : rows.max() + 6, left : columns.max() + 7]
fig, ax = plt.subplots(figsize=(5.6, 4.2))
ax.imshow(frame[crop])
for name, color in zip(envs.SEGMENTS, ("sky", "orange", "black"), strict=True):
    mask = labels[crop] == envs.SEGMENTS[name]
    y, x = np.nonzero(mask)
    ax.scatter(x, y, s=40, marker="s", fc="none", ec=OKABE_ITO[color], lw=1.4)
    label = f"{WORDS.get(name, name)}: {mask.sum()} pixels"
    ax.plot([], [], "s", mfc="none", mec=OKABE_ITO[color], label=label)
ax.axis("off")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# ## Counting pixels
#
# How large are gripper, block and goal? Ask the renderer which thing each pixel belongs to. {numref}`fig-sees-sizes` counts them
# in one frame of each camera, after another reset.

# %% mystnb={"figure": {"caption": "One start of Push through both cameras, with the sizes of gripper, block and goal. `pixels frame` draws this figure, for any start, any size and either task.", "name": "fig-sees-sizes"}, "image": {"alt": "One start of Push at 84 by 84 pixels through both cameras, the pixel counts of gripper, block and goal written below: with the default camera block and goal have a handful each; with the workspace camera everything has several times as many."}}
frame_sizes("push")
plt.show()

# %% [markdown]
# One frame proves little. `pixels measure visibility` counts over 1000 resets, in the *stock* scene, as the environment
# draws it: an arm may stand in the way. The result:

# %% tags=["hide-input"]
visibility = measurement("visibility")
rows = [
    "| task | camera | thing | pixels, median (5 % – 95 %) | width × height | hidden in |",
    "|---|---|---|---|---|---|",
]
for task, cameras in visibility.items():
    for camera, things in cameras.items():
        for thing, v in things.items():
            rows.append(
                f"| {task} | {camera} | {WORDS.get(thing, thing)} | {v['median']:.0f} "
                f"({v['low']:.0f} – {v['high']:.0f}) | "
                f"{v['median_width']:.0f} × {v['median_height']:.0f} | "
                f"{v['hidden']['rate']:.1%} |"
            )
display(Markdown("\n".join(rows)))

# %% mystnb={"figure": {"caption": "Visible pixels of the block after 1000 resets of Push, through each camera. The number of resets has a logarithmic scale; the bar at 0 counts those in which the block is hidden.", "name": "fig-sees-block"}, "image": {"alt": "Histograms of the block's visible pixels over 1000 resets. Default camera: all counts lie between 0 and 10. Default camera and workspace camera both have a bar at 0, where the block is hidden; of the workspace camera most counts lie between 40 and 75, and low bars join them to the tall one at 0. The scale of resets is logarithmic."}}
fig, axes = plt.subplots(1, 2, figsize=(7, 2.8), sharey=True)
for ax, (camera, things) in zip(axes, visibility["push"].items(), strict=True):
    histogram = things["object"]["histogram"]
    ax.bar(range(len(histogram)), histogram, width=1.0)
    ax.set(title=f"{camera} camera", xlabel="visible pixels of the block", yscale="log")
axes[0].set_ylabel("resets of 1000")
plt.show()

# %% [markdown]
# With the default camera the block has a median of
# {artifact}`visibility:push.default.object.median|int` pixels, and never more than
# {artifact}`visibility:push.default.object.max|int`, out of 7056 ({numref}`fig-sees-block`). With the workspace camera it has
# {artifact}`visibility:push.workspace.object.median|int`. The block did not grow. Somebody moved
# the camera. With either camera the robot hides the block in a few resets.
#
# The goal of Reach may be out of sight, too. Its sphere hangs anywhere in a cube around the gripper's start, whose
# lowest part lies in the table top. Gripper, arm or table may hide it. With the default camera not one pixel of the sphere shows in
# {artifact}`visibility:reach.default.goal.hidden.rate|pct1` of the resets, with the workspace
# camera in {artifact}`visibility:reach.workspace.goal.hidden.rate|pct1`. A policy that is told
# nothing but the picture starts those episodes *blind to its goal*. Where the robot hides the goal, the policy must move to
# see it. Where the table does, moving does not help.
#
# Move the camera yourself, and watch how many pixels are left of the block.

# %%
from labs.widgets.camera_explorer import CameraExplorer

CameraExplorer.from_artifact()

# %% [markdown]
# ## Who is told what?
#
# A "pixel policy" is rarely told only pixels. [This book's wrapper](07_pixel_wrapper.ipynb) makes the choice explicit
# with a {term}`goal mode`:
#
# - `none`: no goal is told. It must be found in the picture.
# - `desired`: the picture and the place of the target. *Where is the block?* is left to the eye.
# - `both`: also `achieved_goal`. In Push that is **the block's exact position**, from the
#   simulator.
#
# Proprioception is an argument of its own, given in all three columns of the table below. One frame shows no motion, so the
# last four are {term}`stacked <frame stacking>`: four frames of three colors make twelve channels.

# %%
columns = {}
for mode in ("none", "desired", "both"):
    env = envs.make_env("push", image_size=84, scene="lean", camera="workspace")
    env = PixelObservationWrapper(
        env, goal_mode=mode, frame_stack=4, proprio_indices=envs.PROPRIO_INDICES["push"]
    )
    observation, _ = env.reset(seed=4)
    columns[mode] = {k: (v.shape, v.dtype) for k, v in observation.items()}
    env.close()
keys = list(columns["both"])
rows = ["| key | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
for key in keys:
    cells = [f"{c[key][0]} {c[key][1]}" if key in c else "—" for c in columns.values()]
    rows.append(f"| `{key}` | " + " | ".join(cells) + " |")
display(Markdown("\n".join(rows)))

assert columns["both"]["pixels"] == ((12, 84, 84), np.uint8)
assert set(columns["none"]) == {"pixels", "proprioception"}
assert set(columns["desired"]) - set(columns["none"]) == {"desired_goal"}

# %% [markdown]
# Put the pieces together for `both`. Proprioception holds the gripper's exact position, `achieved_goal` the block's,
# `desired_goal` the target's. To push a block, what else is there to *see*? Only its rotation and its velocity.
#
# In that mode the source manuscript, the unpublished [draft that this book starts from](../book/index.md),
# reports "95 % from pixels". That number does not show that
# the camera was used. Two questions decide whether it was. This book asks them wherever it says that a policy sees,
# or does not:
#
# 1. How does a {term}`blind twin` do, with the same numbers and no picture?
# 2. What is left of the trained policy when its pictures are **blanked, shuffled or frozen**, the
#    {term}`negative controls <negative control>`?
#
# The {term}`honest task` is `desired`: pixels, proprioception, the target. The block's position is
# nowhere but in the picture. Training may still use it to {term}`relabel goals <goal relabeling>` in hindsight, but the policy
# is never told it.
#
# ## What a picture costs
#
# Without a GPU, software draws every triangle and every pixel. What can be left out?

# %%
scenes = {
    "stock": envs.Scene(),
    "no multi-sampling": envs.Scene(samples=0),
    "no arm": envs.Scene(arm=False),
    "no skybox": envs.Scene(skybox=False),
    "lean": envs.SCENES["lean"],
}
drawn = {
    name: envs.make_env("push", scene=scene, camera="workspace", image_size=84)
    for name, scene in scenes.items()
}
for env in drawn.values():
    env.reset(seed=4)
costs = cpu_ms({name: env.render for name, env in drawn.items()})
pictures = {name: env.render() for name, env in drawn.items()}
for env in drawn.values():
    env.close()

# %% mystnb={"figure": {"caption": "One frame of Push through the workspace camera, in five scenes, and the CPU time to draw each. The three in the middle leave out one thing each.", "name": "fig-sees-scenes"}, "image": {"alt": "The same Push frame drawn with five sets of scene options, each with its cost in milliseconds. The lean scene shows table, block, goal and gripper on black."}}
fig, axes = plt.subplots(1, len(costs), figsize=(7.2, 2.1))
for ax, (name, picture) in zip(axes, pictures.items(), strict=True):
    ax.imshow(picture)
    ax.set_title(f"{name}\n{costs[name]:.1f} ms", fontsize=8)
    ax.axis("off")
plt.show()

if envs.gl_renderer()["software"]:  # a graphics card's work is no CPU time
    assert costs["lean"] < costs["stock"] / 2

# %% [markdown]
# The {term}`lean scene` leaves out three things at once ({numref}`fig-sees-scenes`): multi-sampling, which smooths edges; the arm; and
# the background, MuJoCo's *skybox*. It also omits the translucent bars of the *mocap body*, by which the simulator pulls the
# gripper. It draws the same table, block, gripper and goal for a fraction of the price, and never touches the physics. But a policy
# trained in it sees another picture than one trained in the stock scene, so every run records its scene.
#
# ## How much table is one pixel?
#
# ```{exercise-start}
# :label: ex-centimeters
# ```
# One pixel of the default camera: how many centimeters of the table is that? Complete
# `centimeters_a_pixel`. It gets the block's width in pixels; the block is a cube with an edge of
# 5 cm. Then compare with the success radius.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def centimeters_a_pixel(width_in_pixels):
    """Centimeters that one pixel spans at the block's distance."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_centimeters(answer):
    """Names the likely mistake."""
    value = answer(10)
    assert value is not ..., "centimeters_a_pixel still returns ...: fill it in"
    assert value != 2.0, "that is pixels a centimeter: turn the fraction over"
    assert np.isclose(value, 0.5), "the block's edge is 5 cm: 10 pixels span 5 cm"
    assert np.isclose(answer(4), 1.25), (
        "more pixels, fewer centimeters each: divide by the width; 4 pixels give 1.25, do not round"
    )


# %% tags=["nbval-check-output"]
attempt(check_centimeters, centimeters_a_pixel)

# %% [markdown]
# ```{solution-start} ex-centimeters
# :class: dropdown
# ```


# %% tags=["solution"]
def centimeters_a_pixel(width_in_pixels):
    """Centimeters that one pixel spans at the block's distance."""
    return 5.0 / width_in_pixels


check_centimeters(centimeters_a_pixel)
for camera, things in visibility["push"].items():
    cm = centimeters_a_pixel(things["object"]["median_width"])
    print(f"{camera}: {cm:.1f} cm a pixel; the success radius of 5 cm is {5 / cm:.0f} pixels")

# %% [markdown]
# ```{solution-end}
# ```
#
# This rough figure flatters both cameras. The default camera sees the cube nearly corner on, where it is
# wider than its edge. And a width says nothing of depth. The
# [camera's projection](12_random_shift.ipynb) gives the exact figures for a pixel in the middle of the square in
# which blocks start:

# %% tags=["hide-input"]
rows = [
    "| camera | rough, by the width | exact, across the view | exact, along it |",
    "|---|---|---|---|",
]
for camera, things in visibility["push"].items():
    rough = 5.0 / things["object"]["median_width"]
    along, across = table_centimeters(envs.CAMERAS[camera])
    rows.append(f"| {camera} | {rough:.1f} cm | {across:.1f} cm | {along:.1f} cm |")
    assert rough < across < along, "the rough figure does not flatter: read this anew"
display(Markdown("\n".join(rows)))
assert table_centimeters(envs.CAMERAS["default"])[0] > 5, "the success radius: read the text anew"

# %% [markdown]
# Along the default camera's view, one pixel spans more than the whole success radius.
#
# ## Settled
#
# With the default camera the policy must find a block of
# {artifact}`visibility:push.default.object.median|int` pixels; a camera aimed at the table gives it
# {artifact}`visibility:push.workspace.object.median|int`. With `goal_mode="both"` it need not look
# at all. Next: [the first trained policy](03_reach_from_state.ipynb), which sees no picture.
