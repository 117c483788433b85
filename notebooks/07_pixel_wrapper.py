# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 15 s, hardware: any CPU}
# ---

# %% [markdown]
# # The pixel wrapper
#
# A frame is not yet an observation. One picture shows where things are, not how fast they move. And
# somebody must decide what else the policy is told. A {term}`wrapper <pixel observation wrapper>` settles
# both. It is the most *political* piece of code in this book: one of its arguments separates a policy that must look
# from one that need not.
#
# You will be able to turn frames into observations, and to read off a wrapper's arguments what is left
# for the camera. The page leans on [the frame](06_rendering.ipynb).

# %%
from collections import deque

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
from gymnasium import spaces

from labs import envs
from labs.exercises import attempt
from labs.figures.style import use_style
from labs.pixel_wrapper import PixelObservationWrapper, render_and_resize
from labs.widgets.frame_stack import FrameStack

use_style()

# %% [markdown]
# ## One frame is not enough
#
# The two episodes of {numref}`fig-wrapper-velocities` end in nearly the *same place* with *opposite velocities*. From a single picture,
# which is which? We ask the simulator for both velocities and write each above its picture.


# %% mystnb={"figure": {"caption": "The last frames of two episodes of Reach, in the lean scene. Above each stands the gripper's velocity as the simulator tells it.", "name": "fig-wrapper-velocities"}, "image": {"alt": "Two frames of the gripper over the table that look alike. The titles say that it moves to one side in the first and to the other in the second."}}
def passing_through(direction):
    """Frame, position and velocity of the gripper while it passes its starting point."""
    env = envs.make_env("reach", image_size=84, camera="workspace", scene="lean")
    env.reset(seed=0)
    away = np.array([0, -direction, 0, 0], np.float32)
    for action in [away] * 3 + [-away] * 3:  # out and back, to the same place
        observation, *_ = env.step(action)
    state = observation["observation"]
    frame = render_and_resize(env)
    env.close()
    return frame, state[:3], state[5:8]


frames, positions, velocities = zip(*(passing_through(d) for d in (1, -1)), strict=True)
apart = 1000 * np.linalg.norm(positions[0] - positions[1])
different = (frames[0] != frames[1]).any(0).mean()
print(f"the two grippers are {apart:.0f} mm apart; {different:.1%} of the pixels differ")
print("their velocities along y:", [round(float(v[1]), 4) for v in velocities])
figure, panels = plt.subplots(1, 2, figsize=(5, 2.8), layout="constrained")
for axes, frame, velocity in zip(panels, frames, velocities, strict=True):
    axes.imshow(frame.transpose(1, 2, 0))
    axes.set_title(f"moves {1000 * velocity[1]:+.1f} mm a step along y", fontsize=9)
    axes.axis("off")
plt.show()
assert np.sign(velocities[0][1]) != np.sign(velocities[1][1])

# %% [markdown]
# Cover the titles, and nothing is left that says which way the gripper moves.
#
# Hence {term}`frame stacking` {cite}`mnih2015`: the observation $o_t$ holds the last $n$ frames $x$, one behind the other along
# the channels.
#
# $$
# o_t = \left[\,x_{t-n+1},\; \dots,\; x_{t-1},\; x_t\,\right] \in \{0,\dots,255\}^{3n \times H \times W}
# $$ (eq-stack)
#
# At the start of an episode there are no earlier frames, so the first one fills the stack. Zeros would
# be simpler, and would show the network black frames that no camera ever took.
#
# Vectors are never stacked. Proprioception holds velocities already, and a stacked *desired* goal is the same goal $n$ times. A
# stacked achieved goal would tell the block's velocity as well.
#
# SB3's own `VecFrameStack` does both of the things avoided here: it starts from zeros, and it stacks every key of a
# dictionary. So the wrapper does the stacking itself.
#
# ## Build it
#
# `reset` fills the stack with the first frame, `step` pushes the newest in, and `observe` adds the vectors that were asked for.


# %%
class Pixels(gym.Wrapper):
    """Replaces `observation` by stacked frames; keeps goals and joints as asked."""

    GOALS = {"none": [], "desired": ["desired_goal"], "both": ["achieved_goal", "desired_goal"]}

    def __init__(self, env, size=(84, 84), goal_mode="none", frame_stack=1, proprio=None):
        super().__init__(env)
        self.size, self.proprio = size, proprio
        self.goal_keys = self.GOALS[goal_mode]
        self.frames = deque(maxlen=frame_stack)
        raw = env.observation_space
        # uint8 with bounds 0 and 255: only then does SB3 store bytes and call a CNN.
        space = {"pixels": spaces.Box(0, 255, (3 * frame_stack, *size), np.uint8)}
        if proprio is not None:
            box = raw["observation"]
            space["proprioception"] = spaces.Box(
                box.low[proprio], box.high[proprio], dtype=box.dtype
            )
        self.observation_space = spaces.Dict(space | {key: raw[key] for key in self.goal_keys})

    def observe(self, raw):
        observation = {"pixels": np.concatenate(self.frames)}  # oldest first
        if self.proprio is not None:
            observation["proprioception"] = raw["observation"][self.proprio]
        return observation | {key: raw[key] for key in self.goal_keys}

    def reset(self, **kwargs):
        raw, info = self.env.reset(**kwargs)
        frame = render_and_resize(self.env, self.size)
        self.frames.extend([frame] * self.frames.maxlen)  # the first frame fills the stack
        return self.observe(raw), info

    def step(self, action):
        raw, reward, terminated, truncated, info = self.env.step(action)
        self.frames.append(render_and_resize(self.env, self.size))  # the oldest falls out
        return self.observe(raw), reward, terminated, truncated, info


# %% tags=["nbval-check-output"]
def make(wrapper, **kwargs):
    env = envs.make_env("push", image_size=84, scene="lean", camera="workspace")
    return wrapper(env, goal_mode="both", frame_stack=4, **kwargs)


ours = make(Pixels, proprio=envs.PROPRIO_INDICES["push"])
observation, _ = ours.reset(seed=4)
print(f"{'key':>15}  {'shape':<14} dtype")
for key, value in observation.items():
    print(f"{key:>15}  {value.shape!s:<14} {value.dtype}")

assert observation["pixels"].shape == (12, 84, 84) and observation["pixels"].dtype == np.uint8
assert observation["proprioception"].shape == (10,)
assert ours.observation_space.contains(observation)
assert all(
    np.array_equal(observation["pixels"][:3], observation["pixels"][i : i + 3]) for i in (3, 6, 9)
)

# %% [markdown]
# It must agree with the wrapper in `labs`, over a whole episode, to the pixel:

# %%
theirs = make(PixelObservationWrapper, proprio_indices=envs.PROPRIO_INDICES["push"])
mine, other = ours.reset(seed=9)[0], theirs.reset(seed=9)[0]
start = other["achieved_goal"].copy()
rng = np.random.default_rng(7)
recording = [mine["pixels"][-3:]]
for _ in range(50):
    assert mine.keys() == other.keys()
    for key in mine:
        np.testing.assert_array_equal(mine[key], other[key])
    # Slowly toward the block until it has moved: something must happen before the camera.
    gap = theirs.last_raw_obs["observation"][6:9] * [6, 6, 0]  # a gain; not up or down
    push = rng.normal(0, 0.2, 3) + gap * (np.linalg.norm(other["achieved_goal"] - start) < 0.05)
    action = np.clip(np.r_[push, 0], -1, 1).astype(np.float32)
    mine, other = ours.step(action)[0], theirs.step(action)[0]
    recording.append(mine["pixels"][-3:])
for key in mine:
    np.testing.assert_array_equal(mine[key], other[key])
print("50 steps: every key equal")

# %% [markdown]
# ## See it
#
# Scrub through the episode. At step 0 the stack holds one frame four times. Tick the box: the
# differences are what four frames tell and one does not.

# %%
FrameStack(np.array(recording).transpose(0, 2, 3, 1), step=12)

# %% [markdown]
# ## Who is told what
#
# | `goal_mode` | goals in the observation | what is left for the camera in Push |
# |---|---|---|
# | `none` | none | gripper, block, goal |
# | `desired` | target | gripper, block |
# | `both` | target and **the block's exact position** | gripper, the block's rotation and velocity |
#
# The gripper is left only where the joints are withheld. They are an argument of their own, `proprio_indices` in `labs`.
#
# SB3's HER needs `both`: it relabels with the `achieved_goal` of the observation. SB3's stock {term}`features extractor` joins
# every key, and so hands the policy the answer; an extractor that drops `achieved_goal` would not. Our own replay memory relabels with
# an achieved goal stored beside the observation, which the policy never sees. So `desired` trains with
# HER as well, though hindsight still asks the simulator for the block's place.
#
# Does the block's position really arrive? Compare with the simulator:

# %%
exact = theirs.last_raw_obs["observation"][3:6]
assert np.array_equal(other["achieved_goal"], exact)
print("achieved_goal is the block's position, exactly:", np.round(exact, 4))

# %% [markdown]
# ```{exercise-start}
# :label: ex-stack
# ```
# Given the frames of an episode of $T$ steps as one array (T + 1, 3, H, W), complete `stack_at`, which returns the
# observation's pixels at step `t`. This is how a replay memory that stores every frame once puts
# stacks together again.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def stack_at(frames, t, n):
    """uint8 (3n, H, W): the last n frames up to step t, oldest first."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_stack_at(answer):
    """Names the likely mistake."""
    # Every byte differs; divided by a frame's 18 bytes, those of frame k give k + 1.
    frames = np.arange(18, 126, dtype=np.uint8).reshape(6, 3, 2, 3)
    result = answer(frames, 4, 3)
    assert result is not ..., "stack_at still returns ...: fill it in"
    assert result is not None, "stack_at returned nothing: is there a return?"
    result = np.asarray(result)
    assert result.shape == (9, 2, 3), f"received shape {result.shape}, expected (9, 2, 3)"
    assert result.dtype == np.uint8, "keep the bytes: floats take four or eight times the memory"
    order = (result[::3, 0, 0] // 18).tolist()
    assert order != [5, 4, 3], "newest first: the oldest frame comes first"
    assert order != [2, 3, 4], "one step late: the frame of step t itself is part of the stack"
    assert order == [3, 4, 5], f"at t = 4 the frames of steps 2, 3, 4 belong in it, got {order}"
    assert np.array_equal(result, np.concatenate(frames[2:5])), (
        "within a frame every byte keeps its place: red, green, blue, and each from the top left"
    )
    start = (np.asarray(answer(frames[:3], 1, 4))[::3, 0, 0] // 18).tolist()
    # Frames 2, 3, 1, 2 by a list of steps, frame 2 alone by a slice.
    assert start not in ([2, 3, 1, 2], [2]), "negative indices wrap around to the end"
    assert start == [1, 1, 1, 2], f"before the start the first frame repeats, got {start}"


# %% tags=["nbval-check-output"]
attempt(check_stack_at, stack_at)

# %% [markdown]
# ```{solution-start} ex-stack
# :class: dropdown
# ```


# %% tags=["solution"]
def stack_at(frames, t, n):
    """uint8 (3n, H, W): the last n frames up to step t, oldest first."""
    steps = np.maximum(np.arange(t - n + 1, t + 1), 0)
    return np.concatenate(frames[steps])


check_stack_at(stack_at)

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Settled
#
# An observation is four frames, the joints if asked for, and what the goal mode lets through. With `both` that includes the
# block's place, and the camera has little left to say. With `desired` the policy can find the block in the picture and
# nowhere else. What four frames of 84 × 84 cost is a question of [memory](08_replay_memory.ipynb).
