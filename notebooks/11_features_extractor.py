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
# # The features extractor
#
# An observation has several keys: pixels, joints, goals. A policy's MLP takes one vector. The piece between them,
# SB3's {term}`features extractor`, decides how loud each sensor speaks. Two things are often said for normalizing what
# comes from the camera. Without it the few numbers of the goals drown beside the 256 of the picture. Of keypoints it
# changes nothing but the bounds. Measured before training, the first is the other way round. The second hides a price.
#
# You will be able to build an extractor for any dictionary of sensors, and to measure what each
# contributes. The page leans on [the encoders](09_cnn_encoders.ipynb) and on
# [keypoints](10_spatial_softmax.ipynb).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from gymnasium import spaces
from IPython.display import Markdown, display
from stable_baselines3 import SAC
from stable_baselines3.common.preprocessing import is_image_space, preprocess_obs
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, CombinedExtractor
from torch import nn

from labs import envs, manipulation_encoder, visual_encoder
from labs.exercises import attempt
from labs.figures.style import use_style
from labs.image_augmentation import RandomShiftAug
from labs.manipulation_encoder import ManipulationCNN, SpatialSoftmax
from labs.pixel_wrapper import PixelObservationWrapper
from labs.visual_encoder import NatureCNN

use_style()

# %% [markdown]
# A batch of real observations, as SB3 hands them to its extractor: images divided by 255, everything float.


# %%
def make_env():
    env = envs.make_env("push", image_size=84, camera="workspace", scene="lean")
    return PixelObservationWrapper(
        env, goal_mode="both", frame_stack=4, proprio_indices=envs.PROPRIO_INDICES["push"]
    )


env = make_env()
rng = np.random.default_rng(0)
collected = []
for seed in range(64):
    observation, _ = env.reset(seed=seed)
    action = rng.uniform(-1, 1, 4).astype(np.float32)
    for _ in range(4):
        observation, *_ = env.step(action)
    collected.append(observation)
space = env.observation_space
batch = {key: torch.as_tensor(np.stack([o[key] for o in collected])) for key in space}
batch = preprocess_obs(batch, space)
for key, value in batch.items():
    print(f"{key:>15}  {tuple(value.shape)}  from {value.min():.2f} to {value.max():.2f}")
assert batch["pixels"].shape == (64, 12, 84, 84) and batch["pixels"].max() <= 1

# %% [markdown]
# ## How loud is each sensor?
#
# SB3's own `CombinedExtractor` gives each image a NatureCNN with 256 outputs and passes vectors on.
# With the two goals that makes 256 + 6 = 262 numbers, of which the goals are 6: **2.3%**. The usual
# conclusion: the goals drown. But a share of the *count* says nothing about loudness. What a linear layer with fresh,
# equally large weights hears is *variance*: a number that never changes is only a bias. So count, and then measure.


# %%
def share_of_goals(extractor, observations):
    """Goals' share of the numbers, and of the variance over the batch (goals come first)."""
    with torch.no_grad():
        variance = extractor(observations).var(dim=0)
    return 6 / len(variance), float(variance[:6].sum() / variance.sum())


with_goals = ["achieved_goal", "desired_goal", "pixels"]
goal_space = spaces.Dict({key: space[key] for key in with_goals})
goal_batch = {key: batch[key] for key in with_goals}


def measure(make_extractor):
    """The count's share, and the variance's for three random initializations."""
    shares = []
    for seed in range(3):
        torch.manual_seed(seed)
        shares.append(share_of_goals(make_extractor(goal_space), goal_batch))
    return shares[0][0], [variance for _, variance in shares]


count, variances = measure(CombinedExtractor)
print(f"SB3's default: the goals are {count:.1%} of the numbers")
print("and, before training,", ", ".join(f"{v:.0%}" for v in variances), "of the variance")
assert round(count, 3) == 0.023
assert min(variances) > 0.5, "at the start the goals are the loud ones"

# %% [markdown]
# It is the other way round. A fresh NatureCNN answers every frame with nearly the same small numbers; what varies are
# the goals. Before training it is the *image* that drowns. Later nobody knows: the 256 outputs have no upper bound,
# and training may take their scale anywhere, while the goals stay what they are. So the honest reason to normalize is
# not who is louder today, but a ceiling on how loud the camera can become.
#
# ## Normalize
#
# SAC+AE {cite}`yarats2019`, DrQ and DrQ-v2 {cite}`yarats2021` have the same *trunk*
# behind their convolutions: a linear map to 50 numbers $h$, then
#
# $$
# z = \tanh\!\left( \gamma \odot \frac{h - \operatorname{mean}(h)}{\sqrt{\operatorname{var}(h) + \epsilon}} + \beta \right),
# $$ (eq-trunk)
#
# with mean and variance taken *within one observation, over its features*. $\gamma$ and $\beta$ are learned, one of
# each for every feature; $\odot$ multiplies feature by feature; a tiny $\epsilon$ keeps the root from zero. In brackets stands
# **LayerNorm**. Whatever the scale of $h$, the result $z$ lies in (−1, 1). A ReLU before it would
# make all negative numbers of $h$ one and the same: there is none.
#
# ## Build it
#
# One class serves NatureCNN and keypoints: an image goes through a branch, a vector passes. SB3 asks two things of it:
# derive from `BaseFeaturesExtractor`, and say how many numbers come out.


# %%
class Extractor(BaseFeaturesExtractor):
    """Images through `make_branch(shape) -> (module, width)`, vectors unchanged, concatenated."""

    def __init__(self, observation_space, make_branch):
        branches, width = {}, 0
        for key, box in observation_space.spaces.items():
            if is_image_space(box):  # uint8, 0 to 255, three axes
                branches[key], size = make_branch(box.shape)
            else:
                branches[key], size = nn.Flatten(), box.shape[0]
            width += size
        super().__init__(observation_space, features_dim=width)
        self.branches = nn.ModuleDict(branches)

    def forward(self, observations):
        return torch.cat([f(observations[key]) for key, f in self.branches.items()], dim=1)


def nature_branch(shape, width=50):
    cnn = NatureCNN(shape[0], width, shape[1:], output_relu=False)
    return nn.Sequential(cnn, nn.LayerNorm(width), nn.Tanh()), width


def keypoint_branch(shape, filters=32):
    cnn = ManipulationCNN(shape[0], filters)
    head = SpatialSoftmax(*cnn.output_size(shape[1:]), filters)
    width = 2 * filters
    return nn.Sequential(cnn, head, nn.LayerNorm(width), nn.Tanh()), width


normalized = Extractor(goal_space, nature_branch)
manipulation = Extractor(space, keypoint_branch)
assert normalized(goal_batch).shape == (64, 50 + 3 + 3) and normalized.features_dim == 56
assert manipulation(batch).shape == (64, 64 + 10 + 3 + 3) and manipulation.features_dim == 80
assert round(6 / 56, 3) == 0.107
torch.testing.assert_close(normalized(goal_batch)[:, :3], batch["achieved_goal"])

# %% [markdown]
# | key | branch | normalized | manipulation |
# |---|---|---|---|
# | `achieved_goal` | passes | 3 | 3 |
# | `desired_goal` | passes | 3 | 3 |
# | `pixels` (12, 84, 84) | encoder, LayerNorm, Tanh | 50 | 64 (32 x, 32 y) |
# | `proprioception` | passes | not there | 10 |
# | together | | **56** | **80** |
#
# The order is that of the space, and Gymnasium sorts a dict's keys.
#
# In `labs` the two are `NormalizedCombinedExtractor` and `ManipulationExtractor`. With
# `spatial_softmax=False` the latter has a *flat head*: a linear map to 50 numbers in place of keypoints. With the same
# weights both must agree:

# %% tags=["nbval-check-output"]
pairs = [
    (normalized, visual_encoder.NormalizedCombinedExtractor(goal_space), goal_batch),
    (manipulation, manipulation_encoder.ManipulationExtractor(space), batch),
]
with torch.no_grad():
    for ours, theirs, observations in pairs:
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            q.copy_(p)
        torch.testing.assert_close(ours(observations), theirs(observations), rtol=0, atol=0)
        print(f"equal to labs' {type(theirs).__name__}: {theirs.features_dim} numbers")
        print({key: (part.start, part.stop) for key, part in theirs.slices.items()})

# %% [markdown]
# And the loudness?

# %%
lines = [
    "| extractor | goals, of the numbers | goals, of the variance (3 seeds) |",
    "|---|---|---|",
]
for name, make in (
    ("SB3's default", CombinedExtractor),
    ("normalized", lambda s: Extractor(s, nature_branch)),
):
    count, variances = measure(make)
    lines.append(f"| {name} | {count:.1%} | {min(variances):.0%} to {max(variances):.0%} |")
display(Markdown("\n".join(lines)))
assert round(count, 3) == 0.107 and max(variances) < 0.3

for seed in range(3):
    torch.manual_seed(seed)
    with torch.no_grad():
        image = Extractor(goal_space, nature_branch)(goal_batch)[:, 6:]
    squares, varying = image.square().sum(dim=1).mean(), image.var(dim=0).sum()
    print(f"seed {seed}: the image's squares sum to {squares:.1f}, of which {varying:.2f} varies")
    assert 18 < squares < 20 and 0.25 < varying < 0.6

# %% [markdown]
# By count the goals gain: 2.3% becomes 10.7%. By variance, before training, they *lose*: LayerNorm has stretched tiny
# differences between frames, and now the image is louder. Whoever argues with the count alone argues for the wrong
# reason.
#
# Nor is the image at its loudest yet: the squares of its 50 numbers sum to about 19, of which only about 0.4 varies
# from frame to frame.
#
# ## Sensor separation
#
# Why pass the joints around the camera at all, if the camera sees the gripper? Because a cheaper sensor knows it
# exactly: {term}`sensor separation`.
#
# | what | who knows it | numbers |
# |---|---|---|
# | gripper: position, opening, velocities | joint encoders, on every real arm | 10 |
# | target | whoever gave the order | 3 |
# | block: where, how turned, how fast | **the camera** | 64 |
# | block: where | `achieved_goal`, only a simulator | 3 |
#
# The convolutions need not measure a gripper that is measured already. The last row is different: it is no sensor, it
# is the answer. With it the camera has little left to say, as [the wrapper's page](07_pixel_wrapper.ipynb) showed.
# Without it, with `goal_mode="desired"`, the 64 keypoint numbers are all that the policy knows of the block.
#
# ## What LayerNorm does to coordinates
#
# After NatureCNN, LayerNorm met numbers without a scale. After SpatialSoftmax it meets
# *coordinates*, which lie in [−1, 1] already. "It only bounds them" cannot be the whole story. Read
# {eq}`eq-trunk` again: the mean over all 64 numbers, x and y *together*, is subtracted. So if every x and every
# y grows alike...

# %%
norm = nn.Sequential(nn.LayerNorm(64), nn.Tanh())


def responsive_encoder(seed):
    """Random, with large weights and a cold softmax: its keypoints respond to the picture."""
    torch.manual_seed(seed)
    encoder = nn.Sequential(ManipulationCNN(12), SpatialSoftmax(21, 21, 32, temperature=0.01))
    for layer in encoder[0].cnn:
        if isinstance(layer, nn.Conv2d):
            nn.init.orthogonal_(layer.weight, gain=2**0.5)
            nn.init.zeros_(layer.bias)
    return encoder


encoder = responsive_encoder(seed=0)
with torch.no_grad():
    points = encoder(batch["pixels"])
    torch.testing.assert_close(norm(points + 0.2), norm(points), rtol=0, atol=1e-5)
    torch.testing.assert_close(norm(0.5 * points), norm(points), rtol=0, atol=1e-3)
    xs, ys = torch.zeros(64), torch.zeros(64)
    xs[:32], ys[32:] = 0.2, 0.2
    for way, step in (("right", xs), ("right and up", xs - ys)):
        change = (step - step.mean()).reshape(2, 32)
        print(f"{way}: minus the mean, x moves by {change[0, 0]:.1f} and y by {change[1, 0]:.1f}")
print("all coordinates + 0.2, or all halved: LayerNorm's output is the same")

# %% [markdown]
# ...nothing moves. Such a change is a movement along the diagonal, down and right by the same amount. In a movement to
# the side, the mean moves by half as much as each x. Subtracting it leaves every x the other half, and makes every y
# seem to move the opposite way. Along the other diagonal the mean stands still, and all of the movement stays.
#
# Not only in algebra: shift the *frames* by 8 pixels down and to the right, with `RandomShiftAug` from the
# [next page](12_random_shift.ipynb). That is two cells of the map, or 0.2 in coordinates.
# {numref}`fig-extractor-shift` has the keypoints of all 64 frames. At the bottom left, most points lie 0.2 above the
# black line: they went with the picture. At the bottom right, after LayerNorm, they lie round it.

# %% mystnb={"figure": {"caption": "Top: a frame with its keypoints (circles), and the shifted frame with its own. Bottom: each coordinate in the shifted frame against the same one in the frame, for all frames; what did not move lies on the black line.", "name": "fig-extractor-shift"}, "image": {"alt": "Top: a frame of Push and the same frame shifted by 8 pixels down and right, with keypoints, most of which moved along. Bottom left: coordinates of the shifted frames against those of the frames lie mostly on a line 0.2 above the diagonal. Bottom right: after LayerNorm and Tanh they gather around the diagonal itself."}}
shift = torch.tensor([[-8, -8]]).expand(64, 2)  # window up and left, content down and right
with torch.no_grad():
    shifted_images = RandomShiftAug(pad=8).shift(batch["pixels"], shift)
    moved = encoder(shifted_images)

fig, axes = plt.subplots(2, 2, figsize=(7, 7))
for ax, picture, where in zip(
    axes[0], (batch["pixels"][4], shifted_images[4]), (points[4], moved[4]), strict=True
):
    ax.imshow(picture[-3:].permute(1, 2, 0))
    x, y = 40 * (where.reshape(2, 32) + 1)  # coordinates span 80 pixels
    ax.plot(x, y, "o", mfc="none", mew=1.5)
    ax.axis("off")
axes[0, 0].set_title("a frame and its keypoints")
axes[0, 1].set_title("shifted by (8, 8) pixels")
with torch.no_grad():
    normed = [norm(points), norm(moved)]
panels = ((points, moved, "coordinates"), (*normed, "after LayerNorm and Tanh"))
for ax, (before, after, title) in zip(axes[1], panels, strict=True):
    ax.plot(before.flatten(), after.flatten(), ".", ms=2, alpha=0.3)
    ax.plot([-1, 1], [-1, 1], color="black", lw=1, label="unmoved")
    ax.legend(loc="lower right")
    ax.set(title=title, xlabel="coordinate in the frame", ylabel="the same in the shifted frame")
plt.show()

# %% [markdown]
# In numbers, with a shift to the right alone as the control. There only the x are counted, since no y is meant to
# move. The unit is a frame's spread: the standard deviation over its 64 coordinates, by which LayerNorm divides.


# %%
def movement(encoder, offset, coordinates):
    """Of the coordinates that went with the picture: share, movement before and after LayerNorm."""
    images = RandomShiftAug(pad=8).shift(batch["pixels"], torch.tensor([offset]).expand(64, 2))
    with torch.no_grad():
        before, after = encoder(batch["pixels"]), encoder(images)
        change, spread = after - before, before.std(dim=1, keepdim=True, correction=0)
        normed = (norm[0](after) - norm[0](before)).abs()  # LayerNorm, before Tanh
    went_along = (change[:, coordinates] - 0.2).abs() < 0.02
    raw = (change / spread)[:, coordinates][went_along].mean()
    return went_along.float().mean(), raw, normed[:, coordinates][went_along].mean()


for seed in range(3):
    encoder = responsive_encoder(seed)
    diagonal = movement(encoder, (-8, -8), slice(0, 64))
    control = movement(encoder, (0, -8), slice(0, 32))
    for way, (share, raw, left) in (("down and right", diagonal), ("right alone", control)):
        print(
            f"encoder {seed}, {way:>14}: {share:.0%} of the coordinates moved by 0.2,\n"
            f"    {raw:.2f} of a frame's spread; after LayerNorm they move by {left:.2f}"
        )
        assert share > 0.4
    assert diagonal[2] < diagonal[1], "down the diagonal LayerNorm hides movement"
    assert diagonal[2] < 0.8 * control[2], "and more of it than to the side"
    assert 0.1 < diagonal[2] / diagonal[1] < 0.7, "a sixth to two thirds: read the text anew"

# %% [markdown]
# LayerNorm takes away the movement of the *mean* of all 64 coordinates. Had all moved by 0.2, nothing would be left.
# Some stay behind, at a border or on the background, some jump the other way, and both hold the mean back: here a
# sixth to two thirds of the movement is left. Differences between coordinates stay, but in units of the spread, and
# the spread moves too. So what LayerNorm passes on is mostly how the keypoints are arranged. For a gripper that must
# meet a block that may be just right. For "is the block at x = 1.34 m" it is not, if the whole picture has moved. If
# only the block has moved, little is taken away.
#
# The control keeps more than the half that the algebra leaves to x, for two reasons. Only part of the coordinates went
# along, so the mean moves by less than half of their way. And the last number is a mean of absolute changes: those
# that come from the changed spread count too.
#
# LayerNorm gives something, too. An untrained SpatialSoftmax at $T = 1$ has keypoints that hardly move
# ([here](10_spatial_softmax.ipynb)). The tiny root in {eq}`eq-trunk`, mostly $\epsilon$ here,
# divides them and makes them audible:

# %%
torch.manual_seed(0)
fresh = nn.Sequential(ManipulationCNN(12), SpatialSoftmax(21, 21, 32))
with torch.no_grad():
    quiet = fresh(batch["pixels"])
    gain = norm(quiet).std(dim=0).mean() / quiet.std(dim=0).mean()
spread = quiet.var(dim=1, correction=0).mean()
print(f"within a frame their variance is {spread:.1e}; LayerNorm adds ε = {norm[0].eps:.0e} to it")
assert spread < norm[0].eps, "the text: the root is mostly ε"
print(f"coordinates vary by {quiet.std(dim=0).mean():.5f} from frame to frame")
print(f"after LayerNorm and Tanh by {norm(quiet).std(dim=0).mean():.4f}, {gain:.0f} times as much")
assert gain > 10

# %% [markdown]
# A price and a gain: which is larger? Two arms that differ in `--no-manipulation-norm` alone would tell. This book has
# no such arm trained by reward.
# [What the camera can tell](21_what_the_camera_can_tell.ipynb) measures both sides by regression, and by two students
# that imitate, behind another encoder with keypoints.
#
# ## In SB3
#
# A policy builds its extractor itself, from a class and keyword arguments. So the class goes in, not
# an object.

# %%
model = SAC(
    "MultiInputPolicy",
    env,
    policy_kwargs={
        "features_extractor_class": Extractor,
        "features_extractor_kwargs": {"make_branch": keypoint_branch},
        "net_arch": [64, 64],
    },
    buffer_size=10,
    device="cpu",
)
observation, _ = env.reset(seed=4)
action, _ = model.predict(observation, deterministic=True)
print("action:", action.round(3))
first = model.actor.latent_pi[0]
print("first layer of the actor:", first)
assert first.in_features == 80 and env.action_space.contains(action)

tensors, _ = model.policy.obs_to_tensor(observation)
q = model.critic(tensors, torch.tensor(action)[None])  # it divides images by 255 by itself
assert [value.shape for value in q] == [(1, 1)] * 2

holders = {"actor": model.actor, "critic": model.critic, "target critic": model.critic_target}
encoders = {name: part.features_extractor for name, part in holders.items()}
for name, part in encoders.items():
    print(f"{name:>14}: {sum(p.numel() for p in part.parameters()):,} parameters in its extractor")
assert len({id(part) for part in encoders.values()}) == 3

# %% [markdown]
# Three extractors, none of them shared: by SB3's default actor and critic have one each, and the target critic a copy.
# Who trains which is the question of [gradient routing](14_gradient_routing.ipynb).
#
# ```{exercise-start}
# :label: ex-columns
# ```
# A policy's first layer has 80 columns. Which of them read the target? Complete `columns_of`: given
# the keys with the number of features of each, in any order, return the slice of one key. Recall
# who sorts the keys.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def columns_of(key, widths):
    """A slice of the features: widths maps each key to its number of features."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_columns_of(answer):
    """Names the likely mistake."""
    widths = {"pixels": 64, "proprioception": 10, "desired_goal": 3, "achieved_goal": 3}
    result = answer("desired_goal", widths)
    assert result is not ..., "columns_of still returns ...: fill it in"
    assert isinstance(result, slice), f"received {type(result).__name__}, expected a slice"
    columns = range(80)[result]  # the same for slice(3, 6) and slice(3, 6, 1)
    assert columns != range(74, 77), "that is the order of writing: the space sorts its keys"
    assert columns, "a slice ends where it starts plus its width"
    assert columns == range(3, 6), f"the target is in columns 3 to 5, got {result}"
    theirs = manipulation_encoder.ManipulationExtractor(space).slices
    for key in widths:
        assert range(80)[answer(key, widths)] == range(80)[theirs[key]], (
            f"{key}: {answer(key, widths)}, not {theirs[key]}"
        )
    wider = answer("desired_goal", widths | {"achieved_goal": 5})
    assert range(82)[wider] == range(5, 8), (
        "use widths: with 5 for achieved_goal, the target starts at 5"
    )


# %% tags=["nbval-check-output"]
attempt(check_columns_of, columns_of)

# %% [markdown]
# ```{solution-start} ex-columns
# :class: dropdown
# ```


# %% tags=["solution"]
def columns_of(key, widths):
    """A slice of the features: widths maps each key to its number of features."""
    start = sum(width for other, width in widths.items() if other < key)
    return slice(start, start + widths[key])


check_columns_of(columns_of)

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Settled
#
# 56 or 80 numbers, each sensor at its place, equal to `labs`, and at home in an SB3 policy.
# Normalizing bounds the camera's loudness. On coordinates it also takes away their scale and their common mean, and
# with the mean a part of what says where the whole picture stands. Next: somebody shifts the picture
# [on purpose](12_random_shift.ipynb).
