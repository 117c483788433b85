# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 30 s, hardware: 'any CPU; the training itself: minutes on one core'}
# ---

# %% [markdown]
# # Reach: what pixels cost
#
# From the state, Reach is solved in minutes ([there](03_reach_from_state.ipynb)). Take the state away.
# The policy gets **the image and nothing else**: no joints, no goal. The goal is a red sphere in the
# picture. What does that cost, and where does the cost lie?
#
# The page first asks what is *in* the picture, before any agent is blamed. Then it trains: with sight
# taught by positions, and with sight left to the reward. You will leave it with a policy that reaches
# from pixels alone, trained on one core in minutes, and with a reason why the reward alone is so much
# slower. It leans on [what the policy sees](02_what_the_policy_sees.ipynb) and on
# [keypoints](10_spatial_softmax.ipynb).

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown, display

from labs import envs
from labs.artifacts import data_root, load_artifact
from labs.exercises import attempt
from labs.experiments.evaluate import NoOp, final_seeds, run_episodes
from labs.experiments.locating import View, collect_moments
from labs.experiments.presets import SUMMARY, preset
from labs.figures.curves import success_curves
from labs.figures.results import (
    controls_table,
    film,
    minutes,
    provenance_card,
    runs_of,
)
from labs.figures.style import use_style
from labs.keypoint_encoder import KeypointCNN
from labs.statistics import iqm, sample_efficiency_ratio, time_to_threshold

use_style()
STATE, PIXELS = "reach-state-tuned", "reach-located"
ONE_VIEW = ["reach-located-workspace", "reach-located-default"]
BY_REWARD = [
    "reach-asymmetric",
    *("reach-keypoint", "reach-keypoint-actor", "reach-keypoint-separate"),
]
ARMS = ["reach-state", STATE, PIXELS, *ONE_VIEW, *BY_REWARD, "reach-pixels", "reach-pixels-drq"]
measured = [arm for arm in ARMS if list((data_root() / arm).glob("seed*"))]
assert preset(PIXELS).goal_mode == "none" and not preset(PIXELS).proprioception

# %% [markdown]
# ## One view leaves depth open
#
# A camera turns three coordinates into two. A sphere of 2 cm radius that is nearer to the camera is a
# little larger in the picture, by a fraction of a pixel. Success asks for 5 cm in *all three*
# directions. So draw a second view. Here both stand side by side in one picture.
#
# A trap lies in "side by side". A keypoint is the mean place of one pattern
# ([there](10_spatial_softmax.ipynb)). The red sphere is *two* spots in this picture, and the mean of two
# spots is a place where nothing is. So the network lays the two halves on top of each other, as six
# channels, before it looks: a channel knows which camera it comes from.

# %% mystnb={"image": {"alt": "Three moments of Reach, each seen by two cameras side by side: from behind and from the robot's front. The red sphere and the gripper stand in both; where the gripper hides the sphere in one view, the other shows it."}}
env = envs.make_env("reach", camera="pair", scene="lean", image_size=84)
fig, axes = plt.subplots(1, 3, figsize=(9, 1.9), layout="constrained")
for axis, seed in zip(axes, (0, 1, 2), strict=True):
    env.reset(seed=seed)
    for _ in range(3 * seed):
        env.step(np.array([0.5, -0.5, 0.3, 0], np.float32))
    frame = env.render()
    axis.imshow(frame)
    axis.set_axis_off()
env.close()
assert frame.shape == (84, 168, 3)
plt.show()

# %% [markdown]
# ## What regression can read
#
# Before reinforcement, regression: a small network (KeypointCNN, [like Push's](25_paying_less.ipynb))
# learns the gripper's and the goal's position from frames whose positions the simulator tells. What
# it cannot read, no policy will find in the picture either.

# %% tags=["hide-input"]
rows = [
    "| camera | seed | gripper | goal, mean error (95 %) | between the two | guess without looking | made in |",
    "|---|---|---|---|---|---|---|",
]
for camera in ("default", "workspace", "pair"):
    for path in sorted((data_root() / f"locator-reach-{camera}").glob("seed*")):
        found = load_artifact(path).json("measurement.json")
        seen, guess = found["held_out"], found["controls"]["mean"]
        rows.append(
            f"| {camera} | {path.name[4:]} | {seen['gripper']['mean']:.0f} mm "
            f"| {seen['goal']['mean']:.0f} mm ({seen['goal']['low']:.0f} – {seen['goal']['high']:.0f}) "
            f"| {seen['between']['mean']:.0f} mm | {guess['goal']['mean']:.0f} mm "
            f"| {minutes(found['collected_s'] + found['trained_s'])} |"
        )
display(Markdown("\n".join(rows)))

# %% [markdown]
# ## Then reinforcement
#
# The locator is frozen, the policy reads what it finds in the last three frames, and SAC does the
# rest. Everything that reaches the policy comes from pixels.

# %% mystnb={"image": {"alt": "Success at Reach against environment steps for the state policy and for the policies that get the image alone."}}
success_curves([arm for arm in measured if arm in (STATE, PIXELS, *ONE_VIEW)])
plt.show()

# %% tags=["hide-input"]
rows = [
    "| arm | what it is | seeds | success, interquartile mean | final distance | steps to 90 % | wall time a seed, sight included |",
    "|---|---|---|---|---|---|---|",
]
steps = {}
for arm in ARMS:
    if arm not in measured:
        rows.append(f"| `{arm}` | {SUMMARY[arm]} | 0 | not measured yet | | | |")
        continue
    runs = runs_of(arm)
    found = [r.json("evaluation.json")["deterministic"] for r in runs]
    score = iqm([f["success_rate"] for f in found])
    reached = time_to_threshold([(r.table()["step"], r.table()["success"]) for r in runs], 0.9)
    steps[arm] = reached
    seconds = [
        r.provenance["wall_time_s"] + (r.provenance.get("locator_time_s") or 0) for r in runs
    ]
    interval = f"{score.low:.1%} – {score.high:.1%}" if len(runs) > 1 else "one seed"
    distance = 100 * np.mean([f["final_distance_mean"] for f in found])
    rows.append(
        f"| `{arm}` | {SUMMARY[arm]} | {len(runs)} | {score.value:.1%} ({interval}) "
        f"| {distance:.1f} cm | {reached} | {minutes(float(np.median(seconds)))} |"
    )
display(Markdown("\n".join(rows)))

# %% [markdown]
# The sample-efficiency ratio ρ divides the steps that the image needs to 90 % by those that the state
# needs. It counts environment steps of *reinforcement*; the frames of the regression are paid for in
# the wall time above.

# %% tags=["hide-input"]
if PIXELS in steps and STATE in steps and not steps[PIXELS].censored and not steps[STATE].censored:
    ratio = sample_efficiency_ratio(steps[PIXELS].reached, steps[STATE].reached)
    display(Markdown(f"ρ = {ratio.value:.1f} ({ratio.low:.1f} – {ratio.high:.1f}), at 90 %"))
else:
    display(Markdown("ρ cannot be given at 90 %: some run never got there."))
display(
    Markdown(
        "The source manuscript expects ρ between 2 and 10 for Reach, and left its cells empty."
    )
)

# %% [markdown]
# ## And the reward alone?
#
# Nobody tells a robot in a kitchen where the sphere is. So let the reward teach the encoder: a small
# network ends in keypoints, and the loss of the critic, of the actor, or of both trains it
# ([the routings](14_gradient_routing.ipynb)). In between stands the asymmetric critic
# {cite}`pinto2017`: while it trains, the critic is told gripper and goal as numbers; the actor sees the
# picture and nothing else. The budget is the one that was enough above.

# %% mystnb={"image": {"alt": "Success at Reach against environment steps when the reward has to teach the encoder, with each routing and with a critic that is told the positions."}}
shown = [arm for arm in BY_REWARD if arm in measured]
if shown:
    success_curves([PIXELS, *shown])
    plt.show()

# %% [markdown]
# A keypoint trap had to be mended before these runs made any sense. An untrained encoder's maps are
# nearly flat, and the softmax of a flat map points to the middle of the picture, whatever the picture
# shows. How far do untrained keypoints move from picture to picture, at the temperature at which
# SpatialSoftmax usually starts and at the one that these arms start with?

# %%
moments, truth = collect_moments(View.of(preset("reach-keypoint")), 64, seed=0)
pictures = torch.from_numpy(moments).float() / 255
spread = {}
for temperature in (1.0, 0.005):
    torch.manual_seed(0)
    network = KeypointCNN(image_size=(48, 96), views=2, temperature=temperature)
    with torch.no_grad():
        spread[temperature] = float(network(pictures).std(dim=0).mean())
    print(
        f"T = {temperature:<5}: keypoints vary by {spread[temperature]:.4f}; the picture is 2 wide"
    )
assert spread[0.005] > 20 * spread[1.0]

# %% [markdown]
# At $T = 1$ the policy starts behind frosted glass. Regression melts it in a few hundred updates, because
# its gradient is large and always says the same. The gradient of a reward is small and noisy.

# %% [markdown]
# ## Is it the image?
#
# Here nothing but the image is given, so nothing else *can* be used but habit. The controls measure
# habit: black images, the images of another episode, the first image for ever.

# %%
display(controls_table(PIXELS))
for run in runs_of(PIXELS):
    found = run.json("evaluation.json")
    assert all(
        score["success_high"] < found["deterministic"]["success_low"]
        for score in found["controls"].values()
    ), "a control does as well as the image"

# %% [markdown]
# And doing nothing, on the same hundred episodes:

# %%
quiet = replace(preset(STATE), video_episodes=0)
idle = run_episodes(NoOp(), quiet, final_seeds(100)).summary()
print(f"doing nothing: {idle['success_rate']:.0%} of {idle['episodes']} episodes")

# %% tags=["hide-input"]
film(
    runs_of(PIXELS)[0],
    "Four episodes of Reach from the image alone: the gripper moves to the red sphere; two views side by side.",
)

# %% [markdown]
# ```{exercise-start}
# :label: ex-depth
# ```
# Why is one view not enough? A camera at distance $d$ with a vertical field of view of 45° draws
# 84 rows. How many pixels tall is a sphere of radius $r$? Complete the function, then see how little
# that height changes when the sphere moves 5 cm away from the camera, the radius of success.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def sphere_pixels(radius, distance, rows=84, field_of_view=45.0):
    """Height in pixels of a sphere in the middle of the picture, small-angle."""
    return ...


# %% tags=["exercise-test"]
def check_pixels(answer):
    """Names the likely mistake."""
    result = answer(0.02, 0.85)
    assert result is not ..., "sphere_pixels still returns ...: fill it in"
    wanted = 84 * 2 * 0.02 / (2 * 0.85 * np.tan(np.radians(22.5)))
    assert abs(result - wanted / 2) > 1e-9, "that is the radius: the sphere is 2 r tall"
    assert abs(result - 84 * 2 * 0.02 / (0.85 * np.tan(np.radians(22.5)))) > 1e-9, (
        "the picture shows 2 d tan(22.5°) meters, twice what you divide by"
    )
    assert abs(result - wanted) < 1e-6, (
        f"84 rows show 2 d tan(22.5°) meters; expected {wanted:.2f}, received {result}"
    )


# %% tags=["nbval-check-output"]
attempt(check_pixels, sphere_pixels)

# %% [markdown]
# ```{solution-start} ex-depth
# :class: dropdown
# ```


# %% tags=["solution"]
def sphere_pixels(radius, distance, rows=84, field_of_view=45.0):
    """Height in pixels of a sphere in the middle of the picture, small-angle."""
    shown = 2 * distance * np.tan(np.radians(field_of_view / 2))  # meters from bottom to top
    return rows * 2 * radius / shown


check_pixels(sphere_pixels)
near, far = sphere_pixels(0.02, 0.85), sphere_pixels(0.02, 0.90)
print(f"{near:.2f} pixels, and 5 cm further away {far:.2f}: {near - far:.2f} of a pixel")

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Where the numbers come from

# %%
display(provenance_card(PIXELS))

# %% [markdown]
# ## Settled
#
# Settled: what one view and two views tell about the goal, in millimeters. A policy that was taught to
# see by positions, and to act by reward, reaches from the image alone, with the seeds, controls and
# times in the tables. With good eyes the image costs reinforcement little.
#
# Not settled: how long the reward alone takes. At the budget above it has not taught the encoder to
# see. The source's own pixel arms, `reach-pixels` and `reach-pixels-drq`, run for two million steps;
# they are defined, and not measured here.
#
# ```bash
# pixels train reach-state-tuned --seeds 0 1 2 3 4
# pixels train reach-located --seeds 0 1 2
# pixels train reach-asymmetric --seeds 0 1 2
# ```
#
# Next: [what the camera can tell](21_what_the_camera_can_tell.ipynb), encoder by encoder.
