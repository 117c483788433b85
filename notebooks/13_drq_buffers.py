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
# # Shifts in the replay buffer
#
# [The random shift](12_random_shift.ipynb) is built. Now it must sit somewhere between the camera and the critic. Two
# mistakes suggest themselves, and neither draws a complaint: one hook never runs, one change reaches too far and makes
# the rewards lie. This page makes both, then builds the right buffer, for plain replay and for hindsight replay.
#
# You will be able to say where in a replay buffer a change belongs, and to check that it does what it says and nothing
# else. The page leans on [hindsight](05_her_recap.ipynb) too.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown, display
from stable_baselines3.common.buffers import DictReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.her import HerReplayBuffer

from labs import envs
from labs.exercises import attempt
from labs.figures.style import use_style
from labs.image_augmentation import DrQDictReplayBuffer, HerDrQDictReplayBuffer, RandomShiftAug
from labs.pixel_wrapper import PixelObservationWrapper

use_style()
torch.set_num_threads(1)

# %% [markdown]
# ## Real episodes to remember
#
# A clumsy policy drives the gripper at the block for a while, then waves about. It moves the block in every episode,
# now and then over the table's edge. The wrapper shows pixels, joints and both goals. We record the transitions once
# and pour them into every buffer of this page.


# %% tags=["hide-input"]
def record(task, episodes):
    """Episodes of a clumsy policy: the vectorized environment and its transitions."""

    def make():
        env = envs.make_env(task, image_size=84, scene="lean", camera="workspace")
        return PixelObservationWrapper(
            env, goal_mode="both", frame_stack=2, proprio_indices=envs.PROPRIO_INDICES[task]
        )

    vec, rng, transitions = DummyVecEnv([make]), np.random.default_rng(0), []
    vec.seed(0)
    obs = vec.reset()
    for step in range(episodes * envs.EPISODE_STEPS):
        action = rng.uniform(-1, 1, (1, 4)).astype(np.float32)
        if task == "push" and step % envs.EPISODE_STEPS < 16:
            raw = vec.envs[0].last_raw_obs
            aim = 6 * (raw["achieved_goal"] - raw["observation"][:3])
            # Toward what the arm is to meet, with noise, and slowly.
            action[0, :3] = np.clip(aim + 0.4 * action[0, :3], -0.4, 0.4)
        after, reward, done, infos = vec.step(action)
        last = dict(after)
        if done[0]:  # a vectorized environment has already reset by itself
            last = {k: v[None] for k, v in infos[0]["terminal_observation"].items()}
        transitions.append((obs, last, action, reward, done, infos))
        obs = after
    return vec, transitions


recorded = {"push": record("push", episodes=6), "reach": record("reach", episodes=2)}


def filled(kind, task="push", **kwargs):
    """A buffer of some kind that holds the recorded episodes."""
    vec, transitions = recorded[task]
    if issubclass(kind, HerReplayBuffer):
        kwargs = {"env": vec, "n_sampled_goal": 4} | kwargs
    buffer = kind(400, vec.observation_space, vec.action_space, device="cpu", n_envs=1, **kwargs)
    for transition in transitions:
        buffer.add(*transition)
    return buffer


def sample(buffer, batch_size=128, seed=0, shift_seed=0):
    """A batch under fixed random states: NumPy's chooses transitions, PyTorch's the shifts."""
    np.random.seed(seed)  # Stable-Baselines3 draws from NumPy's global state
    torch.manual_seed(shift_seed)
    return buffer.sample(batch_size)


block = np.array([t[1]["achieved_goal"][0] for t in recorded["push"][1]]).reshape(6, 50, 3)
travel = np.linalg.norm(block[:, -1] - block[:, 0], axis=1)
print(f"the block moved by {', '.join(f'{100 * d:.0f}' for d in travel)} cm in the six episodes")
assert (travel > 0.01).all(), "relabeling needs blocks that move"
assert 0 < (block[:, :, 2].min(axis=1) < 0.4).sum() < 6, "now and then one falls off the table"

# %% [markdown]
# One more tool: which parts of two batches differ?


# %%
def difference(one, two):
    """Names of the parts of two batches that are not equal to the bit."""
    parts = {k: (getattr(one, k), getattr(two, k)) for k in ("actions", "rewards", "dones")}
    for side in ("observations", "next_observations"):
        a, b = getattr(one, side), getattr(two, side)
        parts |= {f"{side}.{key}": (a[key], b[key]) for key in a}
    return sorted(k for k, (a, b) in parts.items() if a.dtype != b.dtype or not torch.equal(a, b))


assert difference(sample(filled(HerReplayBuffer)), sample(filled(HerReplayBuffer))) == []

# %% [markdown]
# ## First failure: the hook that never runs
#
# Stable-Baselines3's replay buffers have a method `_get_samples`, which turns indices into a
# batch. It looks like *the* place for an augmentation. We count how often it runs.

# %%
AUG = RandomShiftAug(4)
calls = []


def with_wrong_hook(kind):
    """A buffer that augments in _get_samples."""

    class Hooked(kind):
        def _get_samples(self, batch_inds, env=None):
            calls.append(kind.__name__)
            batch = super()._get_samples(batch_inds, env)
            batch.observations["pixels"] = AUG(batch.observations["pixels"])
            batch.next_observations["pixels"] = AUG(batch.next_observations["pixels"])
            return batch

    return Hooked


for kind in (DictReplayBuffer, HerReplayBuffer):
    changed = difference(sample(filled(with_wrong_hook(kind))), sample(filled(kind)))
    print(f"{kind.__name__}: ran {calls.count(kind.__name__)} times, changed {changed}")
assert calls == ["DictReplayBuffer"], "one sample() each: only one of the two passed the hook"

# %% [markdown]
# With plain replay it works. With hindsight it is **dead code**: no error, no warning, and a run
# that calls itself DrQ trains without augmentation. `HerReplayBuffer` overrides `sample()`. It draws
# real and relabeled transitions, which it calls *virtual*, by two methods of its own and merges them:

# %%
source = inspect.getsource(HerReplayBuffer.sample)
print("\n".join(line.strip() for line in source.splitlines() if "_samples(" in line))
assert "self._get_samples(" not in source and "super().sample(" not in source

# %% [markdown]
# What both kinds share is the outer door: `sample()`. Whatever happens inside, the batch leaves
# through it.
#
# ## Second failure: augmenting everything
#
# A batch holds its observations in dictionaries. A loop over their keys is natural to write: shift the pictures, and
# give the vectors a little noise too, say one centimeter. The reward of a goal task is a function of two goals that
# stand in the same batch. So we can recompute each reward and see whether it is still true.


# %%
class AugmentsEverything(HerReplayBuffer):
    """Wrong on purpose: every key is augmented."""

    def sample(self, batch_size, env=None):
        batch = super().sample(batch_size, env)
        for part in (batch.observations, batch.next_observations):
            for key, value in part.items():
                part[key] = (
                    AUG(value) if key == "pixels" else value + 0.01 * torch.randn_like(value)
                )
        return batch


def reward_errors(batch, task):
    """By how much each reward differs from what follows from the goals beside it."""
    vec, _ = recorded[task]
    achieved = batch.next_observations["achieved_goal"].numpy()
    desired = batch.observations["desired_goal"].numpy()
    infos = [{}] * len(achieved)
    (rewards,) = vec.env_method("compute_reward", achieved, desired, infos, indices=[0])
    return np.abs(rewards - batch.rewards[:, 0].numpy())


errors = {
    (task, kind.__name__): reward_errors(sample(filled(kind, task), 1000), task)
    for task in recorded
    for kind in (HerReplayBuffer, AugmentsEverything)
}
lies = {key: (found > 1e-6).mean() for key, found in errors.items()}
rows = ["| task | reward | stock HER | everything augmented |", "|---|---|---|---|"]
for task, reward in (("push", "0 or −1"), ("reach", "minus the distance")):
    row = [f"{lies[task, kind]:.1%}" for kind in ("HerReplayBuffer", "AugmentsEverything")]
    rows.append(f"| {task} | {reward} | {' | '.join(row)} |")
display(Markdown("Rewards that contradict their goals:\n\n" + "\n".join(rows)))
off = 100 * errors["reach", "AugmentsEverything"].mean()
print(f"everything augmented: Reach's rewards are off by {off:.1f} cm on average")
assert lies["push", "HerReplayBuffer"] == lies["reach", "HerReplayBuffer"] == 0
assert lies["reach", "AugmentsEverything"] > 0.99
assert 0 < lies["push", "AugmentsEverything"] < 0.2, "few enough to go unnoticed"

# %% [markdown]
# In Reach nearly every reward is now wrong, by a centimeter or so. In Push only a few are, many of them near the 5 cm
# border, where the whole task is decided. Training would run on, and no curve would point at the cause. There is a
# second lie: the *desired* goal of `obs` and of `next_obs` got different noise, as if the target moved in every step.
#
# So the rule: **shift pictures, never goals.** The picture's shift is safe for the reward, because
# no reward is computed from a picture. Its price is the one that the last page measured: picture
# and vectors no longer agree about places.
#
# ## The right order
#
# Hindsight {cite}`andrychowicz2017` first, augmentation second: the {term}`HER + DrQ buffer`. Relabeling chooses a new
# goal $g'$ among *stored* achieved goals and computes its reward $r'$ from stored vectors. Then the picture of each
# observation, $o$ and $o'$, passes through a shift $T$ of its own {cite}`kostrikov2020`:
#
# $$
# (o, g, a, r, o') \;\xrightarrow{\;\text{HER}\;}\; (o, g', a, r', o')
# \;\xrightarrow{\;\text{DrQ}\;}\; \bigl(T_1(o), g', a, r', T_2(o')\bigr)
# $$ (eq-order)
#
# Relabeling reads no picture, so as long as only pictures are changed, the other order would do as well. This one fits
# behind `sample()`, inside which hindsight relabels.
#
# The critic then learns $Q(T_1(o), g', a) \approx r' + \gamma\, V(T_2(o'), g')$, where $V$ is what the next state is
# worth. $T_1$ and $T_2$ are drawn independently, and anew at each use. So every shifted view of $o$ meets targets from
# many views of $o'$, and the values of all views are pulled together. DrQ averages over two draws of each; DrQ-v2
# {cite}`yarats2021` takes one of each, and so do we.
#
# One thing nobody relabels: the red spot in $o$ still marks the *old* goal. The frames of {numref}`fig-buffers-draws`
# show it. For arms of Push whose policy must look, the frames are drawn without it: `goal_sphere=False`. What it does
# to sight, and to students that imitate, is [measured](21_what_the_camera_can_tell.ipynb). What it costs a policy
# whose goals are relabeled is not.
#
# Why when sampling, and not when storing? A stored shift is frozen. The transition would look the
# same each time it is drawn, and the point was that it does not.
#
# ## Build it
#
# The whole buffer is one mixin. It stands *before* the buffer class in the list of bases, so that
# its `sample()` wraps the buffer's.


# %%
class AugmentWhenSampling:
    """Passes the images of each sampled batch through an augmentation."""

    def __init__(self, *args, aug_fn, **kwargs):
        super().__init__(*args, **kwargs)
        self.aug_fn = aug_fn

    def sample(self, batch_size, env=None):
        batch = super().sample(batch_size, env)  # HER, if any, relabels in here
        image, next_image = batch.observations["pixels"], batch.next_observations["pixels"]
        return batch._replace(
            observations={**batch.observations, "pixels": self.aug_fn(image)},
            next_observations={**batch.next_observations, "pixels": self.aug_fn(next_image)},
        )


class OurDrQ(AugmentWhenSampling, DictReplayBuffer):
    """Plain replay with shifts."""


class OurHerDrQ(AugmentWhenSampling, HerReplayBuffer):
    """Hindsight replay with shifts."""


batch = sample(filled(OurHerDrQ, aug_fn=AUG))
rows = ["| part | shape | dtype | augmented |", "|---|---|---|---|"]
rows += [
    f"| `observations[{key!r}]` | {tuple(value.shape)} | {str(value.dtype)[6:]} "
    f"| {'**yes**' if key == 'pixels' else 'no'} |"
    for key, value in batch.observations.items()
]
rows += [
    f"| `{key}` | {tuple(getattr(batch, key).shape)} | {str(getattr(batch, key).dtype)[6:]} | no |"
    for key in ("actions", "rewards", "dones")
]
display(Markdown("\n".join(rows)))
assert batch.observations["pixels"].shape == (128, 6, 84, 84)
assert batch.observations["pixels"].dtype == torch.uint8

# %% [markdown]
# Goals and joints are still of 64 bits, as Gymnasium gives them; Stable-Baselines3 makes them float32 when a network
# reads them. Four things must hold, and we check each on real batches of both tasks:
#
# 1. without a shift it *is* Stable-Baselines3's buffer;
# 2. with it, the two pictures change and nothing else;
# 3. every reward follows from the goals beside it;
# 4. it equals the buffer in `labs` under the same random state.

# %%
pixels_only = ["next_observations.pixels", "observations.pixels"]
for ours, stock, theirs in (
    (OurDrQ, DictReplayBuffer, DrQDictReplayBuffer),
    (OurHerDrQ, HerReplayBuffer, HerDrQDictReplayBuffer),
):
    for task in recorded:
        got, plain = sample(filled(ours, task, aug_fn=AUG)), sample(filled(stock, task))
        assert difference(sample(filled(ours, task, aug_fn=RandomShiftAug(0))), plain) == []
        assert difference(got, plain) == pixels_only
        assert reward_errors(got, task).max() < 1e-6
        assert difference(got, sample(filled(theirs, task, aug_fn=AUG))) == []
    print(f"{ours.__name__}: pixels change, all else stays, rewards true; equals {theirs.__name__}")

# %% [markdown]
# ### How much of a batch does hindsight change?
#
# With $k = 4$, Stable-Baselines3 draws four relabeled transitions for each real one. That is $1 - 1/(k+1)$ of a batch,
# and the rewards show it:

# %%
buffer = filled(OurHerDrQ, aug_fn=AUG)
paid = {
    kind.__name__: (sample(filled(kind, aug_fn=AUG), 1000).rewards == 0).float().mean().item()
    for kind in (OurDrQ, OurHerDrQ)
}
hindsight = sample(buffer, 1000)
places, goals = (hindsight.observations[key] for key in ("achieved_goal", "desired_goal"))
there = (places - goals).norm(dim=1) < 0.05  # before the step
idle = there[hindsight.rewards[:, 0] == 0].float().mean().item()
print(f"relabeled: {buffer.her_ratio:.0%} of each batch")
print(f"reward 0 in plain replay: {paid['OurDrQ']:.0%}, with hindsight: {paid['OurHerDrQ']:.0%}")
print(f"with hindsight, the block lay at that goal already before {idle:.0%} of these steps")
assert buffer.her_ratio == 0.8 and paid["OurHerDrQ"] > paid["OurDrQ"] + 0.2 and idle > 0.9

# %% [markdown]
# A reward of 0 is no push, then: nearly all of these steps found the block where it was wanted. That is the
# {term}`deceptively dense reward` of [hindsight](05_her_recap.ipynb).
#
# ## One transition, drawn again and again
#
# {numref}`fig-buffers-draws` has one transition, first as stored, then as three batches give it. Compare each picture
# with the stored one, against the dotted cross: in each draw, `obs` and `next_obs` are moved by different amounts.

# %% mystnb={"figure": {"caption": "A stored transition of Push, and the same one as three batches give it: `obs` above, `next_obs` below. The dotted cross marks the middle of each picture.", "name": "fig-buffers-draws"}, "image": {"alt": "Two rows of four pictures of the gripper over the table. The first column shows a stored transition, obs above and next_obs below: the dark block lies to the left of the gripper, which has just pushed it. A dotted cross marks the middle of each picture. In the other three columns the table's edges lie a few pixels elsewhere, differently in each picture."}}
stored = sample(filled(HerReplayBuffer))
draws = [sample(buffer, shift_seed=seed) for seed in (4, 6, 7)]
place, next_place = (p["achieved_goal"] for p in (stored.observations, stored.next_observations))
push = (next_place - place).norm(dim=1) * (next_place[:, 2] > 0.42)  # on the table
reach = stored.observations["proprioception"][:, :2] - place[:, :2]  # from block to gripper
pick = int((push * (reach.norm(dim=1) > 0.07)).argmax())  # apart, so that both can be seen
fig, axes = plt.subplots(2, 4, figsize=(7, 3.8))
for column, (title, drawn) in enumerate(
    zip(("stored", "draw 1", "draw 2", "draw 3"), (stored, *draws), strict=True)
):
    for ax, part in zip(axes[:, column], ("observations", "next_observations"), strict=True):
        ax.imshow(getattr(drawn, part)["pixels"][pick, -3:].permute(1, 2, 0))
        ax.axvline(41.5, color="0.5", lw=0.8, ls=":")
        ax.axhline(41.5, color="0.5", lw=0.8, ls=":")
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    axes[0, column].set_title(title)
axes[0, 0].set_ylabel("obs")
axes[1, 0].set_ylabel("next_obs")
plt.show()

# %% [markdown]
# How different? We recover each picture's offset by comparing it with all 81 crops of the stored
# one.


# %%
def recover_offsets(shifted, original):
    """The offset (rows, columns) that turns each original into its shifted version."""
    found = torch.full((len(shifted), 2), 99)
    for r in range(-4, 5):
        for s in range(-4, 5):
            offset = torch.tensor([[r, s]]).expand(len(shifted), -1)
            equal = (AUG.shift(original, offset) == shifted).flatten(1).all(1)
            found[equal] = torch.tensor([r, s])
    assert found.max() <= 4, "a picture is no crop of its original"
    return found


plain, got = sample(filled(HerReplayBuffer)), sample(buffer)
offset, next_offset = (
    recover_offsets(getattr(got, part)["pixels"][:, -3:], getattr(plain, part)["pixels"][:, -3:])
    for part in ("observations", "next_observations")
)
alike = (offset == next_offset).all(1)
print(
    f"obs and next_obs moved alike in {alike.sum()} of {len(alike)} transitions "
    f"(1 in 81 would be {len(alike) / 81:.1f})"
)
assert alike.sum() < 10 and len(torch.unique(offset, dim=0)) > 40
for drawn in draws:
    shown, next_shown = (
        recover_offsets(*(getattr(b, part)["pixels"][[pick], -3:] for b in (drawn, stored)))
        for part in ("observations", "next_observations")
    )
    assert not torch.equal(shown, next_shown), "the figure should show two different shifts"

# %% [markdown]
# ```{exercise-start}
# :label: ex-same-shift
# ```
# Independent shifts may cost something. From `obs` to `next_obs` the whole scene seems to jump, so the critic's target
# is about a scene that has jumped. To test whether that matters, one needs the other arm: the **same** shift for both
# pictures of a transition, still a different one for each transition.
#
# Complete `augment_pair`. `aug` is a `RandomShiftAug`. Let it draw the offsets; do not set a seed.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def augment_pair(aug, image, next_image):
    """Two (B, C, H, W) → the same two, each pair moved by one offset of its own."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_augment_pair(answer):
    """Names the likely mistake."""
    # Two frames that tell their offset: channel 0 holds the row, channel 1 the column of a pixel.
    row, column = torch.meshgrid(torch.arange(84), torch.arange(84), indexing="ij")
    frame = torch.stack((row, column, torch.zeros_like(row))).to(torch.uint8)
    image = frame.repeat(64, 2, 1, 1)
    next_image = image.clone()
    next_image[:, 2] = 255

    def offsets(picture):
        return picture[:, :2, 42, 42].int() - 42

    seed = torch.initial_seed()
    result = answer(AUG, image, next_image)
    assert result is not ..., "augment_pair still returns ...: fill it in"
    assert len(result) == 2, "return the two pictures as a tuple"
    one, two = result
    assert one.shape == two.shape == image.shape, (
        f"received shapes {tuple(one.shape)} and {tuple(two.shape)}, expected twice "
        f"{tuple(image.shape)}: split in halves, along the dimension along which you joined"
    )
    assert one[:, 2].max() == 0 and two[:, 2].min() == 255, "obs and next_obs are mixed up"
    moved, next_moved = offsets(one), offsets(two)
    assert moved.any(), "nothing moved"
    assert len(torch.unique(moved, dim=0)) > 20, "each transition needs an offset of its own"
    assert torch.equal(moved, next_moved), (
        "the two moved differently: each call of aug, and each *row* of a batch, draws anew. "
        "What does one draw move?"
    )
    again = offsets(answer(AUG, image, next_image)[0])
    assert torch.initial_seed() == seed and not torch.equal(again, moved), (
        "seeding anew changes every later draw, the agent's too, and a fixed seed makes every batch "
        "move alike: draw the offsets once for both"
    )
    print("64 pairs: each moved alike, each by its own offset")


# %% tags=["nbval-check-output"]
attempt(check_augment_pair, augment_pair)

# %% [markdown]
# ```{solution-start} ex-same-shift
# :class: dropdown
# ```


# %% tags=["solution"]
def augment_pair(aug, image, next_image):
    """Two (B, C, H, W) → the same two, each pair moved by one offset of its own."""
    return aug(torch.cat((image, next_image), dim=1)).chunk(2, dim=1)


check_augment_pair(augment_pair)
same = sample(filled(HerDrQDictReplayBuffer, aug_fn=AUG, same_shift=True))
torch.manual_seed(0)
image, next_image = augment_pair(
    AUG, plain.observations["pixels"], plain.next_observations["pixels"]
)
assert torch.equal(image, same.observations["pixels"])
assert torch.equal(next_image, same.next_observations["pixels"])

# %% [markdown]
# All channels of one image share an offset. So two images side by side *along the channels* move as
# one. The buffers in `labs` do it this way with `same_shift=True`; drawing the offsets once and
# calling `aug.shift` twice is as good.
# ```{solution-end}
# ```
#
# ## Settled
#
# The shift belongs behind `sample()`, after hindsight, on pictures alone. Our buffer is a mixin of a dozen lines. It
# leaves every goal and every reward as it found them, and that is checked rather than believed.
#
# Next: [whose gradient trains the encoder](14_gradient_routing.ipynb).
