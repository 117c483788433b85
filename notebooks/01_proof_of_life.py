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
# # Proof of life
#
# A robot arm has two tasks in this book. **Reach**: bring the gripper within 5 cm of a red sphere in the air.
# **Push**: bring a block within 5 cm of a red spot on the table, with closed fingers. The reward of a task may be
# *dense*, and say how far it still is, or *sparse*, and say only whether it is done.
#
# Before anything is learned, four things must be true: the simulator (MuJoCo) steps, something draws, a
# seed gives the same episode twice, and we know the score of a policy that does nothing.
# This page checks them one after the other. If one fails on your machine, `pixels doctor` says
# what to do; `pixels` is this book's command line, which `make book` installs. Code that the pages import is in
# `labs`, the book's Python package.
#
# You will leave it knowing that your machine can run this book, what each number of an observation
# is, and the score below which nothing was learned. It leans on no other page.

# %%
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from labs import envs
from labs.exercises import attempt
from labs.figures.style import use_style

use_style()

# %% [markdown]
# ## What draws the pictures?
#
# MuJoCo draws with OpenGL, which on a machine without a screen is reached through EGL. EGL draws on the graphics card
# if there is one, and **falls back to software without a word** if there is not. The only honest answer is the name
# that the renderer gives itself.

# %%
gl = envs.gl_renderer()
kind = "software, on the CPU" if gl["software"] else "hardware"
print(f"backend {gl['backend']}, renderer {gl['renderer']} ({kind})")

# %% [markdown]
# Software is enough for this book. [What the policy sees](02_what_the_policy_sees.ipynb) shows
# which parts of the picture cost most.
#
# ## Anatomy of the two tasks
#
# Both tasks move the gripper, a hand of two fingers, of a Fetch robot over a table {cite}`plappert2018`. An action is four
# numbers in $[-1, 1]$: how far to move the gripper along $x$, $y$ and $z$, and how to move the
# fingers, which both tasks keep shut. An episode is fifty steps long. It never ends early, not
# even in success.
#
# An observation is a dictionary. `achieved_goal` is the place that counts: the gripper's in Reach,
# the *block's* in Push. `desired_goal` is where that place should be, and `observation` describes robot and block.

# %%
rows = ["| | " + " | ".join(envs.ENV_IDS.values()) + " |", "|---|---|---|"]
spaces = {}
for task in envs.ENV_IDS:
    env = envs.make_env(task, render_mode=None)
    observation, _ = env.reset(seed=0)
    _, reward, *_ = env.step(np.zeros(4, np.float32))
    spaces[task] = {k: v.shape for k, v in observation.items()} | {
        "action": env.action_space.shape,
        "reward of the first idle step": round(float(reward), 3),
    }
    env.close()
for key in spaces["reach"]:
    rows.append(f"| {key} | {spaces['reach'][key]} | {spaces['push'][key]} |")
display(Markdown("\n".join(rows)))

assert spaces["reach"]["observation"] == (10,) and spaces["push"]["observation"] == (25,)

# %% [markdown]
# Reach is dense. It pays minus the distance to the goal at every step, and so each step says whether the last one was
# an improvement. Push is sparse. It pays $-1$ while the block is more than 5 cm from its target, and $0$ otherwise. Nearly
# every step of an untrained policy says the same: *not yet*.
#
# | indices of Push's `observation` | what | who could know it |
# |---|---|---|
# | 0–2 | gripper position | the robot's joints |
# | 3–5 | block position | **only an eye, or the simulator** |
# | 6–8 | block relative to gripper | **only an eye, or the simulator** |
# | 9–10 | finger positions | the robot's joints |
# | 11–13 | block rotation | **only an eye, or the simulator** |
# | 14–19 | block velocity: linear, relative to the gripper's; and angular | **only an eye, or the simulator** |
# | 20–22 | gripper velocity | the robot's joints |
# | 23–24 | finger velocities | the robot's joints |
#
# Positions are in meters and rotations in radians, velocities in meters or radians *per control step*, that is, per action. Reach's ten numbers are
# the robot's own, in the same order: gripper position 0–2, fingers 3–4, gripper velocity 5–7, finger
# velocities 8–9.
#
# The rows that the joints know are {term}`proprioception`: ten numbers that any real arm has without a
# camera. The others are {term}`privileged <privileged information>`: the simulator hands them over,
# the world would not.

# %% tags=["nbval-check-output"]
robot = envs.PROPRIO_INDICES["push"]
print("proprioception:", robot, f"({len(robot)} numbers)")
assert len(robot) == 10 and not set(robot) & {*range(3, 9), *range(11, 20)}, "the block would leak"

# %% [markdown]
# ## Does a seed give the same episode twice?
#
# Every comparison in this book needs a *yes*, and older versions of these tasks gave a *no*.
# So we compare all of an episode, physics and pixels, in a scene that is quick to draw ({term}`lean <lean scene>`).


# %%
def episode(seed, steps=10):
    """States and frames of a short episode of random actions."""
    env = envs.make_env("push", image_size=84, scene="lean")
    env.reset(seed=seed)
    actions = np.random.default_rng(seed).uniform(-1, 1, (steps, 4)).astype(np.float32)
    states, frames = [], []
    for action in actions:
        states.append(env.step(action)[0]["observation"])
        frames.append(env.render())
    env.close()
    return np.array(states), np.array(frames)


first, again, other = episode(seed=1), episode(seed=1), episode(seed=2)
assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
assert not np.array_equal(first[1], other[1]), "another seed must look different"
print("seed 1 twice: the same to the last bit and pixel; seed 2: another episode")

# %% [markdown]
# ## The do-nothing floor
#
# Push asks for the block within 5 cm of the target. Block and target are drawn at random in
# the same 30 cm square. Now and then they land together, and the episode is *solved before it
# begins*. Whoever reads a success curve must know how often.


# %%
def distances_at_reset(resets):
    """How far apart block and target lie in many fresh episodes, in meters."""
    env = envs.make_env("push", render_mode=None)
    distances = []
    for seed in range(resets):
        observation, _ = env.reset(seed=seed)
        gap = observation["achieved_goal"] - observation["desired_goal"]
        distances.append(np.linalg.norm(gap))
    env.close()
    return np.array(distances)


distances = distances_at_reset(1000)
solved = distances < envs.DISTANCE_THRESHOLD
print(f"{solved.sum()} of {solved.size} resets are solved already: {solved.mean():.1%}")
assert 0.03 < solved.mean() < 0.11

# %% [markdown]
# The long measurement, with whole episodes (`pixels measure push-floor`), says the same: at the reset
# {artifact}`push-floor:at_reset.rate|pct1` of {artifact}`push-floor:at_reset.n|int` episodes were
# solved, and a policy that does nothing ends with {artifact}`push-floor:no_op.rate|pct1` (95 %
# interval {artifact}`push-floor:no_op.low|pct1` to {artifact}`push-floor:no_op.high|pct1`).
# Uniformly random actions move the block by more than a centimeter in
# {artifact}`push-floor:moved_the_block.random.rate|pct1` of the episodes and end with {artifact}`push-floor:random.rate|pct1`. The rules of the reset alone
# predict {artifact}`push-floor:geometry|pct1`, without any simulator.
#
# Remember the rate of the policy that does nothing: it is the {term}`floor <do-nothing floor>`. Every success curve of Push
# in this book draws it. Such a curve tests a policy while it trains: at each point the policy plays twenty episodes or
# fewer, always from the same starts. How many of those twenty start solved?

# %%
from labs.experiments.environments import CURVE_SEEDS

env = envs.make_env("push", render_mode=None)
# Every curve of this book begins its episodes with these seeds.
starts = [env.reset(seed=CURVE_SEEDS + i)[0] for i in range(20)]
env.close()
gaps = [np.linalg.norm(start["achieved_goal"] - start["desired_goal"]) for start in starts]
solved_starts = sum(gap < envs.DISTANCE_THRESHOLD for gap in gaps)
print(f"{solved_starts} of the twenty starts of a curve is solved already")
assert solved_starts == 1, "the text below says 5 %"

# %% [markdown]
# So where a point is twenty episodes, a policy that does nothing has 5 % at every point, and one that touches the block now and then has an episode more or less. A curve that
# stays there has **shown no learning**.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Where block and target of Push lie at the reset, seen from above. A gray line joins a pair that is less than 5 cm apart: that episode starts solved.", "name": "fig-floor-resets"}, "image": {"alt": "Blocks and targets of 300 resets seen from above: both fill the same square, the blocks leave a round hole in the middle; short gray lines join the few pairs that start solved."}}
env = envs.make_env("push", render_mode=None)
block, goal = [], []
for seed in range(300):
    observation, _ = env.reset(seed=seed)
    block.append(observation["achieved_goal"][:2])
    goal.append(observation["desired_goal"][:2])
start = env.unwrapped.initial_gripper_xpos[:2]
env.close()
block, goal = 100 * (np.array(block) - start), 100 * (np.array(goal) - start)
assert np.linalg.norm(block, axis=1).min() > 10 > np.linalg.norm(goal, axis=1).min()
lucky = np.linalg.norm(block - goal, axis=1) < 5
fig, ax = plt.subplots(figsize=(5.6, 4.6))
for b, g in zip(block[lucky], goal[lucky], strict=True):
    ax.plot(*zip(b, g, strict=True), color="0.5", lw=1, zorder=1)
ax.scatter(*block.T, s=14, label="block")
ax.scatter(*goal.T, s=14, marker="^", label="target")
ax.set(xlabel="x from the gripper's start (cm)", ylabel="y (cm)", aspect="equal")
ax.set_title(f"300 resets; gray lines join the {lucky.sum()} that start solved")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# The block never lies within 10 cm of the gripper's start: that is the hole around (0, 0) in
# {numref}`fig-floor-resets`. The target may lie there.
#
# ```{exercise-start}
# :label: ex-floor
# ```
# How would the floor change if success meant 10 cm instead of 5? Guess first. Then complete
# `floor`, which takes the success radius in meters. Use `distances`, those of the 1000 resets above.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def floor(radius):
    """Share of resets that start solved when success means `radius` meters."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_floor(floor):
    """Names the likely mistake."""
    value = floor(0.05)
    assert value is not ..., "floor still returns ...: fill it in"
    assert np.ndim(value) == 0, "a share is one number: take the mean of the comparison"
    assert value <= 1, "a share is at most 1: divide the count by the number of resets"
    assert np.isclose(value, solved.mean()), "success is a distance *below* the radius, in meters"
    assert floor(0.10) > 2 * floor(0.05), "does your answer depend on the radius?"
    within = (distances < 0.10).mean()
    assert np.isclose(floor(0.10), within), f"{within:.1%} lie within 10 cm: count them anew"
    print(f"floor at 5 cm: {floor(0.05):.1%}, at 10 cm: {floor(0.10):.1%}")


# %% tags=["nbval-check-output"]
attempt(check_floor, floor)

# %% [markdown]
# ```{solution-start} ex-floor
# :class: dropdown
# ```


# %% tags=["solution"]
def floor(radius):
    """Share of resets that start solved when success means `radius` meters."""
    return (distances < radius).mean()


check_floor(floor)
assert 2.5 < floor(0.10) / floor(0.05) < 4

# %% [markdown]
# An episode starts solved if the target lies in a circle around the block. The circle's area grows as the *square* of the
# radius, so one expects four times as much. It is somewhat less: near an edge of the square a part of the circle lies
# outside, and the hole keeps the block near the edges. The same growth returns
# [later](19_reading_the_curve.ipynb), as one candidate for why success curves bend.
# ```{solution-end}
# ```
#
# ## Settled
#
# The simulator steps, a named renderer draws, a seed repeats an episode to the pixel, and Push has
# a floor. Next: [what the policy sees](02_what_the_policy_sees.ipynb).
