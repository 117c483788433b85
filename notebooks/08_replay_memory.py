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
# # The replay memory and its wall
#
# An off-policy learner learns from what it remembers. From state, half a million transitions take a fraction
# of a gigabyte, and nobody thinks about it. From pixels, the same half million asks for a
# machine that few readers own. This page builds the {term}`replay memory`, meets the wall, and looks over
# it.
#
# You will be able to say what a memory costs before it is filled, and why fifty transitions need 51
# frames and not 400. The page leans on [the stack of frames](07_pixel_wrapper.ipynb).

# %%
import numpy as np
import torch

from labs import envs
from labs.errors import UserError
from labs.exercises import attempt
from labs.pixel_replay import memory_needed, transition_bytes
from labs.pixel_wrapper import PixelObservationWrapper, PixelReplayBuffer
from labs.widgets.memory_calculator import MemoryCalculator

# %% [markdown]
# ## The wall
#
# A transition is (observation, action, reward, next observation). An observation is a stack of $n$
# frames, and the *next* one is another. With $n = 4$ their pixels take
#
# $$
# 2 \cdot 84 \cdot 84 \cdot 3 \cdot n \;\text{bytes} = 169{,}344 \;\text{bytes}
# $$ (eq-wall)

# %%
assert transition_bytes((84, 84), 4) == 2 * 84 * 84 * 12 == 169_344
for name, dtype in {"uint8": np.uint8, "float32": np.float32}.items():
    print(f"500 K transitions as {name}: {memory_needed(500_000, dtype=dtype) / 1e9:.1f} GB")
state = 500_000 * 4 * (2 * (25 + 3 + 3) + 4 + 2)  # four bytes a number
print(f"500 K transitions of Push from state: {state / 1e9:.2f} GB")

# %% [markdown]
# The last line counts float32: twice the state, 25 + 3 + 3 numbers with its two goals, an action of four, reward and `done`.
# Stable-Baselines3 keeps the state as the environment gives it, in float64, which makes the memory
# nearly twice as large: about 250 MB, as the source manuscript reports.
#
# Pixels stay the bytes they are: {term}`uint8 pixel storage`. They become numbers between 0 and 1 only in the batch that
# the network sees. As float32 they would cost four times as much and tell nothing more.
#
# ## Build it
#
# Arrays of fixed size, a position that goes round, and a conversion to float on the way out. `achieved` is the goal that was
# achieved *after* the step: its reward is computed from it.


# %%
class Replay:
    """Pixels as uint8, two stacks a transition; the oldest transition is overwritten."""

    def __init__(self, img_shape, goal_dim, act_dim, capacity, seed=None):
        self.capacity, self.position, self.size = capacity, 0, 0
        self.rng = np.random.default_rng(seed)
        # np.zeros asks the system for memory only when it is written to.
        self.pixels = np.zeros((capacity, *img_shape), np.uint8)
        self.next_pixels = np.zeros((capacity, *img_shape), np.uint8)
        self.achieved = np.zeros((capacity, goal_dim), np.float32)
        self.goals = np.zeros((capacity, goal_dim), np.float32)
        self.actions = np.zeros((capacity, act_dim), np.float32)
        self.rewards = np.zeros((capacity, 1), np.float32)
        self.dones = np.zeros((capacity, 1), np.float32)

    def add(self, pixels, next_pixels, achieved, goal, action, reward, done):
        i = self.position
        self.pixels[i], self.next_pixels[i] = pixels, next_pixels
        self.achieved[i], self.goals[i], self.actions[i] = achieved, goal, action
        self.rewards[i], self.dones[i] = reward, done
        self.position = (i + 1) % self.capacity
        self.size = min(self.size + 1, self.capacity)

    def sample(self, batch_size):
        rows = self.rng.integers(0, self.size, batch_size)
        numbers = {
            "achieved_goal": self.achieved,
            "desired_goal": self.goals,
            "actions": self.actions,
            "rewards": self.rewards,
            "dones": self.dones,
        }
        images = {"pixels": self.pixels, "next_pixels": self.next_pixels}
        batch = {key: torch.from_numpy(a[rows]).float() / 255 for key, a in images.items()}
        return batch | {key: torch.from_numpy(a[rows]) for key, a in numbers.items()}


# %% [markdown]
# Fill it with a real episode, and the one of `labs` beside it:

# %% tags=["nbval-check-output"]
env = envs.make_env("push", image_size=84, scene="lean", camera="workspace")
env = PixelObservationWrapper(env, goal_mode="both", frame_stack=4)
sizes = {"img_shape": (12, 84, 84), "goal_dim": 3, "act_dim": 4, "capacity": 30}
mine, theirs = Replay(**sizes, seed=0), PixelReplayBuffer(**sizes, seed=0)
observation, _ = env.reset(seed=0)
rng = np.random.default_rng(0)
for _ in range(50):  # more than the capacity: it goes round
    action = rng.uniform(-1, 1, 4).astype(np.float32)
    following, reward, terminated, *_ = env.step(action)
    for buffer in (mine, theirs):
        buffer.add(
            observation["pixels"],
            following["pixels"],
            following["achieved_goal"],
            observation["desired_goal"],
            action,
            reward,
            terminated,
        )
    observation = following
env.close()

batch = mine.sample(16)
print(f"{'key':>14}  {'shape':<18} dtype")
for key, value in batch.items():
    print(f"{key:>14}  {tuple(value.shape)!s:<18} {str(value.dtype).removeprefix('torch.')}")

assert (
    batch["pixels"].dtype == torch.float32
    and 0 <= batch["pixels"].min() <= batch["pixels"].max() <= 1
)
for key, value in theirs.sample(16).items():
    torch.testing.assert_close(batch[key], value, rtol=0, atol=0)
print("equal to PixelReplayBuffer, to the bit")

# %% [markdown]
# All `dones` are 0. A Fetch episode stops because a clock runs out, so `terminated` is always false. The
# target of the fiftieth step counts the value of the next state, [like any other](04_sac_recap.ipynb).

# %%
assert not mine.dones.any()

# %% [markdown]
# ## Over the wall
#
# Look at what is stored. The next observation of step $t$ is the observation of step $t+1$: each stack is written
# twice. And each frame stands in four stacks. In the long run it is
# written **nearly eight times**. A memory that keeps each frame once, and stacks when it samples, needs
#
# $$
# \frac{51}{50} \cdot 84 \cdot 84 \cdot 3 \;\text{bytes} \approx 21.6 \;\text{KB}
# $$ (eq-once)
#
# per transition: 51 frames for the 50 transitions of an episode.

# %%
copies = {}
for i in range(30):
    for stack in (mine.pixels[i], mine.next_pixels[i]):
        for frame in stack.reshape(4, 3, 84, 84):
            key = frame.tobytes()
            copies[key] = copies.get(key, 0) + 1
stored = sum(copies.values())
print(f"{stored} frames stored, {len(copies)} of them different: {stored / len(copies):.1f} times")
assert (stored, len(copies)) == (240, 34)
once = transition_bytes((84, 84), 4, storage="frames_once")
print(f"stored once: {once:,.0f} bytes a transition, {500_000 * once / 1e9:.1f} GB for 500 K")
assert once < 21_800 and np.isclose(169_344 / once, 8 * 50 / 51)

# %% [markdown]
# These are the last thirty transitions of the episode. They show 34 frames, 31 of their own and three from before, and
# 240 / 34 ≈ 7: the frames at both ends stand in fewer stacks. A whole
# episode gives 400 / 51 ≈ 7.8, for it has one frame more than transitions.
#
# SB3's dictionary buffers cannot do this. `labs.replay` does, and relabels goals on the way. Where
# does *your* machine stand?

# %%
MemoryCalculator(memory=16)

# %% [markdown]
# ## Refuse in time
#
# A memory that does not fit fails hours later, when the system runs dry and kills the run. SB3 warns at most.
# The buffer in `labs` does the arithmetic first, and refuses:

# %%
try:
    PixelReplayBuffer((12, 84, 84), 3, 4, capacity=100_000_000)
except UserError as refusal:
    message = str(refusal).split(" needs ")
    print(message[0], "needs …:", "refused before the first step")

# %% [markdown]
# ```{exercise-start}
# :label: ex-capacity
# ```
# How many transitions fit into a memory of $M$ bytes if every frame is stored once? Complete
# `capacity`. Only whole episodes count. Count the frames alone, three bytes a pixel.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def capacity(memory_bytes, size=84, episode_steps=50):
    """Transitions that fit, a multiple of the episode's length."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_capacity(answer):
    """Names the likely mistake."""
    frame = 84 * 84 * 3
    episode = 51 * frame
    assert answer(episode) is not ..., "capacity still returns ...: fill it in"
    assert answer(episode) is not None, "capacity returned nothing: is there a return?"
    assert answer(episode) != 51, "51 frames make 50 transitions"
    assert answer(episode) != 150, "a pixel has three bytes, one a channel"
    assert answer(episode) != 0, (
        "51 frames hold an episode: count the frames alone, each of them once"
    )
    assert (answer(50 * frame), answer(50 * frame - 1)) != (50, 0), (
        "50 transitions need 51 frames: the last one has a next frame too"
    )
    assert answer(episode - 1) == 0, "an episode that does not fit whole does not count"
    assert answer(2.5 * episode) == 100, (
        f"2.5 episodes hold 100 transitions, got {answer(2.5 * episode)}"
    )
    assert answer(100 * episode) == 5000, "every episode has its own last frame"
    small = 11 * 10 * 10 * 3  # one episode of ten steps, 10 × 10 pixels
    assert answer(small, size=10, episode_steps=10) == 10, "use size and episode_steps"


# %% tags=["nbval-check-output"]
attempt(check_capacity, capacity)

# %% [markdown]
# ```{solution-start} ex-capacity
# :class: dropdown
# ```


# %% tags=["solution"]
def capacity(memory_bytes, size=84, episode_steps=50):
    """Transitions that fit, a multiple of the episode's length."""
    episode_bytes = (episode_steps + 1) * size * size * 3
    return int(memory_bytes // episode_bytes) * episode_steps


check_capacity(capacity)
print(f"16 GB hold {capacity(16e9):,} transitions")

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Settled
#
# The wall of 85 GB is the price of storing each frame nearly eight times. Stored once, the same half million
# transitions take about an eighth of it. A memory that does not fit is refused before the first step. What
# smaller memories did to the source manuscript's runs is told in [a sidebar](../book/sidebars.md).
# Next: the [encoders](09_cnn_encoders.ipynb) that read the pixels.
