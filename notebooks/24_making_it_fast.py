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
# # Making it fast
#
# The source manuscript trained each arm from pixels for hours on a machine with an accelerator, and one replay memory
# of half a million transitions takes 85 GB. This page takes the waste out piece by piece. What is left is the
# {term}`fast engine`, `labs.fast_sac.FastSAC`, in which most arms of this book were trained. Students that imitate have
# an engine of their own; `reach-state` ran in SB3, the reference of the fast engine.
#
# The targets below were written down before anything was built. *What came out* holds them against what was measured:
# those for CPU cores are met, that of whole training with *bfloat16*, numbers of half as many bits; those for a GPU are
# open.
#
# - On two CPU cores: environment steps with pictures 8 times as fast, batches from the memory 4 times, updates 2.5
#   times, whole training 5 times; at most 21,800 bytes a transition; Reach learned from state in two minutes, Push in
#   twenty.
# - On a GPU of a data center: updates 10 times, end to end 30 times.
#
# You will be able to say where a step's time goes and what each saving is worth. The page leans on
# [rendering](06_rendering.ipynb), [the memory](08_replay_memory.ipynb) and
# [gradient routing](14_gradient_routing.ipynb).

# %% tags=["hide-input"]
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown, display
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv

from labs import envs
from labs.bench.measure import cpu_ms
from labs.bench.parts import fast_env
from labs.bench.savings import SCENE_SAVINGS, scenes
from labs.drqv2_sac import DrQv2SAC
from labs.envs import SCENES
from labs.exercises import attempt
from labs.experiments.environments import make_training_env
from labs.experiments.locating import load_locator
from labs.experiments.models import build
from labs.experiments.moments import View, collect_moments
from labs.experiments.presets import preset
from labs.experiments.results import measurement
from labs.fast_sac import FastSAC
from labs.figures import sb3_tests, speed
from labs.figures.results import runs_of
from labs.figures.style import use_style
from labs.keypoint_encoder import KeypointCNN
from labs.manipulation_encoder import ManipulationExtractor
from labs.mixed_precision import mixed_precision
from labs.pixel_wrapper import render_and_resize
from labs.replay import EpisodeReplay, episode_options

use_style()
torch.set_num_threads(1)


# %% [markdown]
# ## Where a step's time goes
#
# Inside the environment, drawing dominates. Of a whole step the update is nearly everything, even at one update every
# twenty steps.
#
# The stock route draws at the environment's own size and learns with SB3. Its step is physics, a picture of 480 × 480,
# PIL, which shrinks it, and a policy that acts. We count CPU time: a busy
# machine changes it less than wall time, though a shared cache still does.

# %%
stock, native = envs.make_env("push"), envs.make_env("push", image_size=84)
for env in (stock, native):
    env.reset(seed=0)
action = np.zeros(4, np.float32)
pieces = cpu_ms(  # the median of 15 calls, in turns
    {
        "physics": lambda: stock.step(action),
        "draw 480 × 480": stock.render,
        "draw and shrink": lambda: render_and_resize(stock),
        "draw 84 × 84": native.render,
    }
)
for name, cost in pieces.items():
    print(f"{name:>16}: {cost:6.2f} ms")
assert pieces["draw 480 × 480"] > 3 * pieces["physics"], "drawing dominates the stock route"

# %% [markdown]
# With an accelerator, the source manuscript reports 0.5 ms of physics, 4 ms to draw 480 × 480, 0.3 ms for PIL and 0.1
# ms for an update. Its `--fast` draws at 84 × 84, in twelve worker processes, with three updates a step of all twelve.
# That raises 65 frames/s to 160: two million steps take 3.5 hours, not 8.5. Here prices differ: drawing leads as there,
# but only until the update is counted.
#
# `pixels bench` measured the whole step, memory and update included, with one thread and
# {artifact}`bench:parts.step.updates_per_step|f2` updates a step.

# %%
speed.step_table()

# %% [markdown]
# The update is slow because ManipulationCNN has a 42 × 42 grid after each of its first three convolutions, and a batch
# is 256 pictures. So a fast environment alone is worth little, and the number of updates a step decides what a run
# costs.
#
# Drawing is slow because there is no graphics card here: EGL falls back to software without a word. `GL_RENDERER`
# tells.

# %%
print(envs.gl_renderer()["renderer"].split(" ")[0])

# %% [markdown]
# ## The picture: draw less
#
# The scene holds things that a policy has no use for. Each is an option of `labs.envs.Scene`, and none touches the
# physics. {numref}`fig-fast-scenes` shows each change *alone*, at 84 × 84: what it does to the frame, and to its price.

# %% mystnb={"figure": {"caption": "Each option of the scene on its own, the other camera, and the lean scene: the frame with its price, and beside it the pixels that differ from the stock frame. The darker, the more they differ.", "name": "fig-fast-scenes"}, "image": {"alt": "Nine frames of Push at 84 by 84 pixels, each beside the pixels that differ from the stock frame, in dark: stock; without multi-sampling, arm, skybox, mocap bars, shadows, goal sphere; the workspace camera; and the lean scene. Edges change without multi-sampling, the arm and the background vanish, shadows change nothing, the goal sphere is a few pixels, and the workspace camera shows the table with block, goal and the end of the arm."}}
stock_scene = SCENES["stock"]
shown = {"stock": (stock_scene, "default")}
alone = scenes()["alone"].items()
shown |= {name: (scene, "default") for name, (scene, _) in alone if SCENE_SAVINGS.get(name)}
shown["no shadows"] = (replace(stock_scene, shadows=False), "default")
shown["no goal sphere"] = (replace(stock_scene, goal_sphere=False), "default")
shown["workspace camera"] = (stock_scene, "workspace")
shown["lean"] = (SCENES["lean"], "default")
figure, axes = plt.subplots(3, 6, figsize=(7.8, 4.7), layout="constrained")
drawn = {
    name: envs.make_env("push", scene=scene, camera=camera, image_size=84)
    for name, (scene, camera) in shown.items()
}
for env in drawn.values():
    env.reset(seed=4)
prices, share = cpu_ms({name: env.render for name, env in drawn.items()}), {}
frames = {name: env.render() for name, env in drawn.items()}
for env in drawn.values():
    env.close()
for name, pair in zip(shown, axes.reshape(-1, 2), strict=True):
    changed = np.abs(frames[name].astype(int) - frames["stock"]).max(axis=-1)
    share[name] = (changed > 0).mean()
    pair[0].imshow(frames[name])
    pair[0].set_title(f"{name}\n{prices[name]:.1f} ms", fontsize=8)
    pair[1].imshow(changed, cmap="gray_r", vmin=0, vmax=64)
    pair[1].set_title(f"changed:\n{share[name]:.1%}", fontsize=8)
for axis in axes.flat:
    axis.set_xticks([]), axis.set_yticks([])
assert prices["lean"] < prices["stock"] / 2 and prices["workspace camera"] < prices["stock"]
assert share["no shadows"] == 0 < share["no goal sphere"] < 0.01

# %% [markdown]
# - Shadows change nothing here: the scene's only light casts none.
# - The goal sphere is a handful of pixels and costs nothing. It goes because of
#   [what it says](21_what_the_camera_can_tell.ipynb).
# - The workspace camera spends the same pixels on the table, and is cheaper: most of the robot lies outside.
# - Without multi-sampling edges are jagged. With it, software draws every sample of every pixel.
# - The arm costs most at this size, and says nothing that the gripper does not.
# - The mocap bars are a translucent ghost of the body that pulls the gripper. Without them the picture is *more*
#   honest.
#
# A saving's worth depends on those before it. So the table has each alone, against the stock route of 480 × 480, and
# one after the other. The first two rows hold the same thing in both columns, up to 2 ms apart: that is the noise. In
# the right column the last rows differ from physics alone by less, so their order says nothing.

# %%
speed.alone_table()

# %% [markdown]
# ## The memory: keep each frame once
#
# [The memory's wall](08_replay_memory.ipynb) came from storing two stacks a transition. Fetch episodes last exactly 50
# steps, so an episode *is* a block of 51 frames, and all else is an index into it. The stack at step $t$ is
#
# $$
# \text{stack}(t) = \left( f_{\max(t-3,\,0)}, \; \ldots, \; f_t \right),
# \qquad \text{next}(t) = \text{stack}(t + 1).
# $$ (eq-stack-gather)
#
# with $f_t$ the frame at step $t$; as long as there are no four frames, the first is repeated.
#
# One gather of five frames serves both: its first four are the stack, its last four the next one. They share their
# memory.


# %%
def stacks(frames, episode, step, n=4):
    """(E, T + 1, 3, H, W), (B,), (B,) → stacks and next stacks, each (B, 3·n, H, W)."""
    offsets = torch.arange(-n + 1, 2)
    index = (step[:, None] + offsets).clamp_min(0)
    both = frames[episode[:, None], index].flatten(1, 2)  # (B, 3·(n + 1), H, W)
    return both[:, : 3 * n], both[:, 3:]


torch.manual_seed(0)
frames = torch.randint(0, 256, (6, 51, 3, 84, 84), dtype=torch.uint8)
episode, step = torch.randint(6, (32,)), torch.randint(50, (32,))
now, after = stacks(frames, episode, step)
print(f"{'frames':>8} {tuple(frames.shape)}\n{'stack':>8} {tuple(now.shape)}")
assert now.shape == after.shape == (32, 12, 84, 84)
assert torch.equal(now[:, 3:], after[:, :-3]), "this stack and the next share three frames of four"
assert now.untyped_storage().data_ptr() == after.untyped_storage().data_ptr(), "one piece of memory"

# %% [markdown]
# The memory in `labs` gathers the same way, and gives the same stacks.

# %%
vector = DummyVecEnv([fast_env])
memory = EpisodeReplay(
    300, vector.observation_space, vector.action_space, "cpu", **episode_options(vector)
)
memory.memory["pixels"].copy_(frames)
memory.restored(6)  # six episodes, written past `add`
batch = memory.gather(episode, step, torch.full_like(step, -1))
assert torch.equal(batch.observations["pixels"], now)
assert torch.equal(batch.next_observations["pixels"], after)
print(
    f"{memory.bytes_per_transition:,.0f} bytes a transition, of them {84 * 84 * 3 * 51 / 50:,.0f} frames"
)
assert memory.bytes_per_transition < 21_800

# %% [markdown]
# ## The update: encode once, differentiate what is needed
#
# Stock SAC gives actor and critic an encoder each, and runs each more than once in an update. `backward()` of the
# actor's loss also fills the critic's gradients, which are thrown away. Hooks count the passes.


# %%
def encoder_passes(algorithm, policy, **options):
    """Encoder passes of one update: (forward, backward)."""
    model = algorithm(
        policy, vector, batch_size=8, buffer_size=300, learning_starts=0, device="cpu", **options
    )
    model.replay_buffer = memory
    model.set_logger(Logger(None, []))  # says nothing
    forward, backward = [], []

    def count(module, inputs, features):
        forward.append(1)
        if features.requires_grad:
            features.register_hook(lambda gradient: backward.append(1))

    for module in model.policy.modules():
        if isinstance(module, ManipulationExtractor):
            module.register_forward_hook(count)
    model.train(1, 8)
    return len(forward), len(backward)


extractor = {"features_extractor_class": ManipulationExtractor}
passes = {
    "SB3, an encoder each": encoder_passes(SAC, "MultiInputPolicy", policy_kwargs=extractor),
    "DrQv2SAC, one encoder": encoder_passes(DrQv2SAC, "DrQv2SACPolicy"),
    "FastSAC, the same": encoder_passes(FastSAC, "DrQv2SACPolicy"),
}
for name, (forward, backward) in passes.items():
    print(
        f"{name}: {forward} forward, {backward} backward; worth {forward + 2 * backward} forwards"
    )
assert list(passes.values()) == [(5, 3), (3, 1), (3, 1)]

# %% [markdown]
# A backward pass costs about two forward passes, so 11 become 5. Sharing the encoder, which is another
# [routing](14_gradient_routing.ipynb), alone would leave 7; encoding each batch once as well leaves 5. The bar *one encoder* of
# {numref}`fig-fast-savings` holds both. Two more changes cost one line each:
#
# - *Channels last*: the convolution reads a pixel's channels from neighboring addresses.
# - *Needed gradients only*: `torch.autograd.grad(loss, parameters)` instead of `loss.backward()`.
#
# On a CPU `torch.compile` is off; `FastSAC(..., compile=True)` switches it on. Nearly all the time goes into
# convolutions and matrix products, which it leaves as they are; compiling took
# {artifact}`bench:parts.savings.update.compile_s|duration` before the first update.
#
# Either way the update equals its reference to 1e-5, as long as no number lies so close to the kink of a ReLU, and no two
# critics so close to each other, that the order of summation decides which side is taken. The reference is SB3's SAC. For one encoder that the critic
# trains, which SB3 lacks, it is `labs.drqv2_sac.DrQv2SAC`, whose actor is judged on the features from before the
# critic's step.

# %% [markdown]
# ## What a large GPU waits for
#
# On a GPU the compiled parts became CUDA graphs: kernels recorded once and launched as one. A first look at a GPU of a
# data center ({artifact}`gpu-first-look:gpu`, {artifact}`gpu-first-look:cores|int` cores beside it) showed that this
# was not enough.

# %% tags=["hide-input"]
look = measurement("gpu-first-look")
rows = [
    "| arm | pictures × goals | updates/s | one update | of it, the GPU computes | steps/s of the workers |",
    "|---|---|---|---|---|---|",
]
for name, found in look["compiled"].items():
    rows.append(
        f"| `{name}` | {found['pictures']} × {found['goals']} | {found['updates_per_s']:.0f} | {found['update_ms']:.1f} ms "
        f"| {found['gpu_ms']:.1f} ms, {found['gpu_ms'] / found['update_ms']:.0%} | {found['env_steps_per_s']:,.0f} |"
    )
    assert found["gpu_ms"] < 0.5 * found["update_ms"], "the text says that the GPU waits"
display(Markdown("\n".join(rows)))

# %% [markdown]
# *Goals: under how many each picture is judged, as the next section explains. 60 updates timed and 10 profiled, on an idle machine, alone; workers timed without updates. One look, so no interval; `push-gpu-honest` as it was then, with twice its pictures.*
#
# The GPU waits, most of an update. Between its kernels lies Python: the sampling, three optimizers, and the way between
# compiled parts, whose launches take longer than what they launch. A faster GPU would shorten only its own part.
#
# The cure is to record *everything* as one graph (`labs.fast_graph`): the draw from the memory, hindsight, losses,
# optimizer steps and target networks. It reads and writes the same addresses forever, which needs care:
#
# - How many episodes the memory holds, and which of them moved, must be read on the device, not in Python.
# - Random numbers must come from generators that the graph knows.
# - Another learning rate is another recording.
#
# On a GPU this is now the default. **The recorded update has not run on a GPU yet**, nor have the tests that compare it
# with the plain one. Both runs of that look ended with the machine, after
# {artifact}`gpu-first-look:cut_off.push-gpu-keypoint.steps|int` and
# {artifact}`gpu-first-look:cut_off.push-gpu-honest.steps|int` steps, without a success in their last measurement.

# %% [markdown]
# ## One picture, many goals
#
# Hindsight gives a transition another goal, and every goal's reward is known: a distance. So one may ask about several
# at once. Tables of values were learned so {cite:p}`kaelbling1993`, and networks that put out the value of every goal
# {cite:p}`matthews2026`. With a camera it is also cheap: a goal enters behind the encoder. Each of the batch's $B$ pictures
# $o_i$ is encoded once by $f_\psi$. Its features go into $M$ rows, each with the same joints $v_i$ and action $a_i$, but
# with a goal $g_{ij}$ and a target $y_{ij}$ of its own:
#
# $$ L = \frac{1}{BM} \sum_{i=1}^{B} \sum_{j=1}^{M} \bigl( Q(f_\psi(o_i),\, v_i,\, g_{ij},\, a_i) - y_{ij} \bigr)^2 . $$ (eq-many-goals)
#
# The first goal of a transition is drawn as ever. Each further one is a hindsight goal with HER's probability, and
# otherwise the desired goal of any episode. `goals_per_frame` is $M$.

# %%
arm = preset("push-eight-goals")
seeing = make_training_env(replace(arm, n_envs=1))


def model_with(goals):
    """The learner of the arm, its memory full of random pictures: only the clock is asked."""
    model = build(replace(arm, n_envs=1, goals_per_frame=goals, buffer_size=300), seeing)
    model.set_logger(Logger(None, []))
    store = model.replay_buffer.memory
    store["pixels"].random_(256)
    store["achieved_goal"].normal_(std=0.1)
    model.replay_buffer.restored(6)
    return model


batch = model_with(8).replay_buffer.sample(arm.batch_size)
for key, value in batch.observations.items():
    print(f"{key:>16} {tuple(value.shape)}")
assert batch.observations["pixels"].shape == (64, 3, 48, 48)
assert len(batch.observations["desired_goal"]) == len(batch.rewards) == 64 * 8

# %%
learners = {goals: model_with(goals) for goals in (1, 2, 4, 8, 16)}
update_ms = cpu_ms(
    {goals: partial(model.train, 1, arm.batch_size) for goals, model in learners.items()}
)
print("goals a picture   ms an update   ms for 64 goals")
for goals, spent in update_ms.items():
    print(f"{goals:>15} {spent:14.0f} {spent / goals:17.1f}")
seeing.close()
assert update_ms[8] < 4 * update_ms[1], "eight goals for less than four times one"

# %% [markdown]
# On one core further goals are not free for ever: the picture is small and the heads are not. With a larger encoder, or
# on a GPU, they should be nearer to free. One update on $B$ pictures with $M$ goals equals one on $BM$ pictures, each picture
# $M$ times; a test says so with one encoder and with two. What the goals teach the encoder is measured where
# [the other encoders are probed](21_what_the_camera_can_tell.ipynb).
#
# ## Judged by SB3's own tests
#
# `FastSAC` keeps SB3's interface, so SB3's own tests can judge it. Of the {artifact}`sb3-tests:run|int` tests of
# saving, dict observations and HER that use a SAC, {artifact}`sb3-tests:passed|int` pass and
# {artifact}`sb3-tests:failed|int` fail. They ran as they are, with `FastSAC` in the place of `SAC`. The other
# {artifact}`sb3-tests:left_out|int` of these files use another algorithm, or none. The tests are of version
# {artifact}`sb3-tests:tests_version`, the newest at hand, and ran on the installed
# {artifact}`sb3-tests:installed_version`. These fail, beside what SB3's SAC makes of them:

# %%
sb3_tests.failures_table()

# %% [markdown]
# What is refused on purpose says so in one line; gSDE is SB3's exploration noise that depends on the state.
# `tests/test_sb3_contract.py` asks the same, in the book's own words,
# at every change. To run SB3's yourself:
#
# ```
# git clone https://github.com/DLR-RM/stable-baselines3
# python scripts/sb3_own_tests.py stable-baselines3
# ```
#
# ## Fewer bits
#
# What is left is convolutions, and a processor does more of those when numbers are shorter. *bfloat16* keeps float32's
# exponent and the first seven bits of its mantissa {cite:p}`kalamkar2019`. Recent processors multiply it and add up in
# float32; `labs.mixed_precision` asks whether this one does.
#
# Only encoders compute in it. Weights, optimizer states, losses, the heads of actor and critic and the softmax over
# positions stay in float32: near −20, where Push's values lie, bfloat16 has steps of an eighth, and far from the goal
# one step of the way is worth less.
#
# Does an encoder still see as well? A cell of its map is centimeters wide: the exact place of the block lies in the
# digits that are dropped. We give the trained locator of [the next page](25_paying_less.ipynb), a small network that
# reads the block's place from a frame, the same new frames in both precisions.

# %%
config = preset("push-asymmetric")
locator, _ = load_locator(config)
moments, truth = collect_moments(View.of(config), 400, seed=2026)
read = {}
for dtype in (torch.float32, torch.bfloat16):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
        read[dtype] = np.concatenate([locator.locate(part) for part in np.split(moments, 8)])


def apart(these, those):
    """Distance on the table, mm: (n,)."""
    return 1e3 * np.linalg.norm(these[:, :2].astype(float) - those[:, :2], axis=1)


for dtype, positions in read.items():
    print(f"{str(dtype):>15}: {apart(positions, truth).mean():.1f} mm off")
moved = apart(read[torch.bfloat16], read[torch.float32])
print(f"{'between the two':>15}: {moved.mean():.1f} mm")
print("bfloat16 pays here" if mixed_precision("cpu") else "no instructions for bfloat16 here")
assert 0 < moved.mean() < 0.2 * apart(read[torch.float32], truth).mean()

# %% [markdown]
# It moves what is read by a small share of the error that was there before. `FastSAC(..., autocast=torch.bfloat16)`
# trains so, and `pixels train --precision bfloat16`.
#
# Most arms of this book run in float32 on a CPU. `reach-small` and `push-distilled` with their relatives
# (`--precision fastest`) take bfloat16 where the processor multiplies it. On a GPU the arms of the fast engine do,
# unless their configuration says float32. Their [cards](../book/experiments.md) say which.
#
# ## Numbers that are nearly nothing
#
# A run of [a later page](26_what_the_critic_must_know.ipynb) seemed to become slower as it became better. {numref}`fig-fast-slowed` shows what each thousand steps cost it, and its sisters.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Wall time of a thousand steps along the seeds of `push-asymmetric-achieved`. Dotted, in the color of its seed: where a run was stopped, and went on.", "name": "fig-fast-slowed"}, "image": {"alt": "Wall time of a thousand environment steps, in seconds, along four training runs. Seeds 0 and 1 begin between 24 and 35 seconds; seed 0 climbs to 48 at 140 thousand steps, seed 1 lies at 22 to 37. At a dotted line of its color each falls to about 16 seconds and stays there. Seed 2 lies between 14 and 26 all along. Seed 3 climbs from 16 to 28 in its first 40 thousand steps, falls to about 15 at its own dotted line, and stays there."}}
SLOWED = "push-asymmetric-achieved"
_, axes = plt.subplots(figsize=(7, 2.6))
costs = {}
for run in runs_of(SLOWED):
    curve = run.table()
    went_on = [n for n in run.provenance["notes"] if n.startswith("went on from step")]
    steps, seconds = curve["step"].to_numpy(), curve["wall_time_s"].to_numpy()
    cost = 1000 * np.diff(seconds) / np.diff(steps)
    seed = run.path.name.removeprefix("seed")
    (line,) = axes.plot(steps[1:] / 1000, cost, "o-", markersize=3, label=f"seed {seed}")
    if not went_on:
        continue
    stopped = int(went_on[0].split()[-1])
    axes.axvline(stopped / 1000, color=line.get_color(), lw=1, ls=":")
    before, after = cost[steps[1:] <= stopped][-3:], cost[steps[:-1] > stopped]
    costs[seed] = (float(np.mean(before)), float(np.median(after)))
axes.set(xlabel="thousand environment steps", ylabel="seconds", ylim=(0, None))
axes.set_title("wall time of 1,000 steps, evaluations included", fontsize=10)
axes.legend(fontsize="small")
plt.show()

# %% tags=["hide-input"]
assert costs.keys() == {"0", "1", "3"} and all(b > 1.5 * a for b, a in costs.values()), "read anew"
display(
    Markdown(
        "They ran two at a time on two cores, and the machine had other work at times. Seeds 0 and 1 went on with one line "
        "more, `torch.set_flush_denormal(True)`; seeds 2 and 3 had it from their first step on, so that seed 3 is a control of going on. See what going on was worth: "
        + ", ".join(f"seed {k} from {b:.0f} s to {a:.0f} s" for k, (b, a) in costs.items())
        + " (the mean of the last three points before, the median after)."
    )
)

# %% [markdown]
# We took that line of code for the cause. Then the control became cheaper too, when it went on with the same code. A run that
# goes on finds another load on the machine, which may be part of what seeds 0 and 1 gained, or all of it. Nor is the
# control a clean one: it ended on another make of processor than the other three.
#
# We suspected *denormal* numbers. From about $10^{-38}$ down to $10^{-45}$ float32 has fewer and fewer digits, and many
# processors compute with such numbers in a slow path. A softmax over pixels makes thousands of them: as keypoints
# become sharp, one cell takes the weight, and those far below get $e^{-90}$. The gradient carries them into every
# convolution.
#
# Take the keypoint encoder with its first weights, and only make its softmax sharper. The first column is how far a map's
# lowest cell then lies below its highest, in the exponent:

# %%
batch, _ = collect_moments(View.of(preset(SLOWED)), 64, seed=2026)
batch = torch.from_numpy(batch).float() / 255
torch.manual_seed(0)
eye = KeypointCNN(image_size=(64, 64))
maps = eye.cnn[:-1](batch - 0.5).flatten(2).detach()
span = (maps.amax(-1) - maps.amin(-1)).mean()  # from the lowest cell to the highest
threads = torch.get_num_threads()
torch.set_num_threads(1)


def forth_and_back():
    """One pass and its gradient."""
    eye.zero_grad()
    eye(batch).square().sum().backward()


rows = [
    "| lowest to highest, before exp | denormal | as it is | counted as zero |",
    "|---|---|---|---|",
]
denormal = {}
for reach in (1, 30, 100, 300, 1000):
    temperature = span / reach
    with torch.no_grad():
        eye.cnn[-1].log_temperature.copy_(temperature.log())
    weights = torch.softmax(maps / temperature, -1)
    tiny = torch.finfo(torch.float32).tiny
    denormal[reach] = ((weights > 0) & (weights < tiny)).float().mean().item()
    cells, points = [], []
    for flush in (False, True):
        torch.set_flush_denormal(flush)
        cells.append(f"{cpu_ms({flush: forth_and_back}, repeats=5)[flush]:.0f} ms")
        points.append(eye(batch).detach())
    torch.set_flush_denormal(False)
    rows.append(f"| {reach} | {denormal[reach]:.1%} of cells | {' | '.join(cells)} |")
    assert (points[0] - points[1]).abs().max() < 1e-6, "no keypoint moves by it"
torch.set_num_threads(threads)
display(Markdown("\n".join(rows)))
assert denormal[1] == 0 < 0.01 < denormal[300]

# %% [markdown]
# No keypoint moves when denormal numbers count as zero. What they cost depends on the processor: the last two columns
# are from the one that made this page, and those of the runs may have been another. A soft softmax makes none, a very sharp
# one few: most of its weights round to zero. One in between makes the most, and a policy's may become so sharp.
#
# So `pixels train` begins with `torch.set_flush_denormal(True)`. In your own script it goes before torch starts its
# threads.
#
# ## Each saving, one after the other
#
# {numref}`fig-fast-savings` adds them up, for a step, an update and a stored transition.

# %% mystnb={"figure": {"caption": "What the savings leave of an environment step, of an update, and of the bytes of a transition. Read from top to bottom: each row adds one saving to those above it.", "name": "fig-fast-savings"}, "image": {"alt": "Three bar charts read from top to bottom. Environment step: from the stock 480 by 480 picture over drawing at 84 by 84, no multi-sampling, no arm, no skybox, no mocap bars. Update: stock, one encoder, needed passes and gradients only, channels last, bfloat16 where the processor has it, compiled. Memory: stacks of both observations, one stack a step, frames once. The bars shrink from top to bottom, but for differences that are noise."}}
figure = speed.waterfalls()

# %% [markdown]
# ## Overlap: draw while learning
#
# Between `step_async` and `step_wait` the workers step and draw, and the learner updates. A worker writes its newest
# frame into shared memory, 21,168 bytes, and the learner moves its stacks on by one. Each message costs some fraction
# of a millisecond, much beside a step without a picture. The rates are wall time on a machine with other work:
# differences below a factor of two mean nothing here.

# %%
assert 84 * 84 * 3 == 21_168
speed.workers_table()

# %% [markdown]
# So this table shows no gain for training from state. Nor could two cores show more than a factor of two elsewhere:
# what workers gain needs a machine with more cores.

# %%
rates = [row["rate"] for row in speed.measured()["parts"]["workers"]["state_training"]["rows"]]
assert max(rates) < 2 * min(rates), "else the sentence above is wrong"

# %% [markdown]
# ## What came out
#
# Every target for CPU cores is met, end to end with bfloat16; both for a GPU are open. Ours and the stock route ran in
# turns in the same run, which keeps the ratios fair, on {artifact}`bench:machine.cores|int` cores without a graphics
# card. The last two rows are `reach-state-tuned` and `push-state-tuned`: the median over the seeds of the wall time,
# setting up and evaluations included, until a point of the curve first reaches the rate.
#
# Compare within a table: between this page's tables the time of the same update differs, by a sixth for the stock one
# and by over a third for ours. They were measured apart, on a machine with other work.

# %%
targets = speed.ratios_table()
assert "missed" not in targets.data, "else the last section is wrong"
targets

# %% [markdown]
# Each point of those curves is {artifact}`reach-state-tuned/seed0:provenance.parameters.curve_episodes|int` episodes,
# so a lucky point can be early; wall time counts whatever else the machine does.
#
# End to end was compared at {artifact}`bench:parts.whole.asked_updates_per_step|f2` updates per environment step, with
# {artifact}`bench:parts.whole.n_envs|int` environments. Training is then nearly all update: workers hide the
# environment behind it, but not the update itself. Runs that update less often, or through a smaller network, come
# closer to the {artifact}`bench:parts.env.ratio|x1` of the environment.
#
# The bench's processor has instructions for bfloat16. One without them falls back to float32; what the update gains then
# is taken from {numref}`fig-fast-savings`, up to "channels last". End to end was not measured in float32.
#
# When the bench began, the load average was {artifact}`bench:machine.load_at_start|f1`.
#
# ## On your machine
#
# ```
# pixels bench                        # everything, about ten minutes on a quiet machine
# pixels bench env memory             # a part of it
# pixels bench update --more-batches 512   # on a GPU: at batch 512 as well
# pixels bench --name my-bench        # and keep it in data/my-bench
# ```
#
# Then `speed.ratios_table("my-bench")` and `speed.waterfalls("my-bench")` draw this page's tables
# from it. Close what else runs.

# %% [markdown]
# ```{exercise-start}
# :label: ex-end-to-end
# ```
# An environment step takes $e$ ms and becomes $g_e$ times faster; an update takes $u$ ms and becomes
# $g_u$ times faster; there are $r$ updates a step, and nothing overlaps. How much faster is training?
# Complete `end_to_end`.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def end_to_end(step_ms, update_ms, step_gain, update_gain, updates_per_step):
    """How many times faster training becomes."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_end_to_end(answer):
    """Names the likely mistake."""
    value = answer(30.0, 1000.0, 10.0, 3.0, 0.05)
    assert value is not ..., "end_to_end still returns ...: fill it in"
    assert value > 1, "turn the fraction over: the time before, divided by the time after"
    averages = (10.0 + 3.0) / 2, (30.0 * 10.0 + 50.0 * 3.0) / 80
    assert not np.isclose(value, averages).any(), "gains are not averaged: times are added"
    assert abs(answer(30.0, 1000.0, 10.0, 3.0, 0.0) - 10.0) < 1e-9, (
        "without updates only the step counts"
    )
    assert answer(30.0, 1000.0, 10.0, 3.0, 100.0) < 3.01, (
        "with many updates the update's gain rules"
    )
    assert abs(value - 80 / (3 + 50 / 3)) < 1e-6, f"expected 4.07, got {value:.2f}"


# %% tags=["nbval-check-output"]
attempt(check_end_to_end, end_to_end)

# %% [markdown]
# ```{solution-start} ex-end-to-end
# :class: dropdown
# ```


# %% tags=["solution"]
def end_to_end(step_ms, update_ms, step_gain, update_gain, updates_per_step):
    """How many times faster training becomes."""
    before = step_ms + updates_per_step * update_ms
    after = step_ms / step_gain + updates_per_step * update_ms / update_gain
    return before / after


check_end_to_end(end_to_end)
for rate in (0.0, 0.05, 0.25, 1.0):
    print(
        f"{rate:4.2f} updates a step: {end_to_end(30.0, 1000.0, 10.0, 3.0, rate):.1f} times faster"
    )

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Settled
#
# | | |
# |---|---|
# | settled | Nearly all of what the stock route drew was thrown away. Now only what is needed is drawn, frames are stored once, and encoders run once. The update equals SB3's to 1e-5, and `DrQv2SAC`'s where the critic trains one encoder. Every target for CPU cores is met, end to end with bfloat16. What remains is the update. Counting denormal numbers as zero is one line, and moves no keypoint. |
# | not settled | What denormal numbers cost: that depends on the processor, and the control became cheaper too. Any GPU: both targets are open. Compiled in parts, an update left a large GPU idle most of the time; recorded as a whole it is to be measured. Processors without bfloat16, end to end. What workers gain on more than two cores. |
# | command | `pixels bench --name my-bench`, then `speed.ratios_table("my-bench")`; `python scripts/sb3_own_tests.py CLONE` for SB3's tests; `pixels train reach-state-tuned --seeds 0 1 2 3 4`, and the same for `push-state-tuned`, for the times |
#
# [The next page](25_paying_less.ipynb) asks what can be paid less for.
