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
# The source manuscript trained each arm from pixels for hours on a machine with an accelerator, and
# one replay memory of half a million transitions takes 85 GB. A subject that costs this much has few
# readers. This page looks at where the time of one step goes, takes the waste out piece by piece,
# and shows what each piece was worth. What is left afterwards is the {term}`fast engine`,
# `labs.fast_sac.FastSAC`, in which most arms of this book were trained. Students that imitate have an engine of their
# own, and `reach-state` ran in SB3, the reference that the fast engine is held to.
#
# What would make the subject affordable was written down before anything was built. On two CPU
# cores: environment steps with pictures 8 times as fast, a transition in at most 21,800 bytes, batches
# from the memory 4 times, updates 2.5 times and whole training 5 times as fast; Reach learned from
# state in two minutes, and Push in twenty. On a GPU of a data center: 10 times the updates, and 30
# times end to end. The section *What came out* holds every one of these targets against what was
# measured.
#
# You will be able to say where a step's time goes and what each saving is worth. The page leans on
# [rendering](06_rendering.ipynb), on [the memory](08_replay_memory.ipynb) and on
# [gradient routing](14_gradient_routing.ipynb).

# %% tags=["hide-input"]
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown, display
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv

from labs import envs
from labs.bench.parts import fast_env
from labs.bench.savings import SCENE_SAVINGS, scenes
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


def cpu_ms(function, repeats=10):
    """Milliseconds of CPU time of one call, after a first one that sets things up."""
    function()
    start = time.process_time()
    for _ in range(repeats):
        function()
    return 1e3 * (time.process_time() - start) / repeats


# %% [markdown]
# ## Where a step's time goes
#
# Measure before you mend. One step of the stock route is physics, a picture of 480 × 480, PIL, and a
# policy that acts. CPU time is counted rather than wall time, so that a busy machine changes the
# answer less; what shares a cache still changes it some.

# %%
stock, native = envs.make_env("push"), envs.make_env("push", image_size=84)
for env in (stock, native):
    env.reset(seed=0)
action = np.zeros(4, np.float32)
pieces = {
    "physics": cpu_ms(lambda: stock.step(action)),
    "draw 480 × 480": cpu_ms(stock.render),
    "draw and shrink": cpu_ms(lambda: render_and_resize(stock)),
    "draw 84 × 84": cpu_ms(native.render),
}
for name, cost in pieces.items():
    print(f"{name:>16}: {cost:6.2f} ms")
assert pieces["draw 480 × 480"] > 3 * pieces["physics"], "drawing dominates the stock route"

# %% [markdown]
# The source manuscript reports, with an accelerator, 0.5 ms of physics, 4 ms to draw 480 × 480, 0.3 ms
# for PIL and 0.1 ms for an update; its `--fast` (frames drawn at 84 × 84, twelve worker processes, three updates a step of all twelve) raises 65 frames/s to 160, and brings two million steps
# from 8.5 hours to 3.5. Without an accelerator the prices are others, and the lesson is the same: inside
# the environment, drawing dominates. The whole step, memory and update included, is another
# matter. This is what `pixels bench` measured, with one thread and
# {artifact}`bench:parts.step.updates_per_step|f2` updates a step: one update for every twenty steps.

# %%
speed.step_table()

# %% [markdown]
# Even at so few updates the update is nearly everything: ManipulationCNN has a 42 × 42 grid after each of its
# first three convolutions, and a batch holds 256 of them. Two lessons follow. Making the environment fast
# is worth little while the update is slow, and the number of updates a step is the knob that decides
# what a run costs. Both ends are mended below.
#
# Drawing is slow for a reason of its own: there is no graphics card here, and EGL falls back to
# software without a word. `GL_RENDERER` tells.

# %%
print(envs.gl_renderer()["renderer"].split(" ")[0])

# %% [markdown]
# ## The picture: draw less
#
# The scene holds things that a policy has no use for. Each is an option of
# `labs.envs.Scene`, and none touches the physics. {numref}`fig-fast-scenes` has each change *alone*, drawn at
# 84 × 84: what it does to the frame, and what is left of its price.

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
frames, prices, share = {}, {}, {}
for (name, (scene, camera)), pair in zip(shown.items(), axes.reshape(-1, 2), strict=True):
    env = envs.make_env("push", scene=scene, camera=camera, image_size=84)
    env.reset(seed=4)
    frames[name], prices[name] = env.render(), cpu_ms(env.render, repeats=8)
    env.close()
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
# Shadows change nothing here, since the scene's only light casts none. The goal sphere
# costs nothing and is a handful of pixels; it goes because of [what it says](21_what_the_camera_can_tell.ipynb),
# not because of its price. The workspace camera spends the same pixels on the table; it is cheaper too, since
# most of the robot lies outside of its picture.
#
# Without multi-sampling the edges are jagged: software draws every sample of every pixel. The arm costs
# most at this size and says nothing that the gripper does not say. The mocap bars are a
# translucent ghost of the body that pulls the gripper: leaving them out makes the picture *more*
# honest. What a saving is worth depends on what was saved before it, so both are measured: each
# alone against the stock route of 480 × 480, and one after the other. The first two rows
# hold the same thing in both columns, measured twice; the two measurements differ by up to 2 ms. That is the noise. The
# last rows differ from physics alone by less than that.

# %%
speed.alone_table()

# %% [markdown]
# ## The memory: keep each frame once
#
# [The memory's wall](08_replay_memory.ipynb) came from storing two stacks a transition. Fetch
# episodes last exactly 50 steps, so an episode *is* a block of 51 frames, and everything else is an
# index into it. The stack at step $t$ is
#
# $$
# \text{stack}(t) = \left( f_{\max(t-3,\,0)}, \; \ldots, \; f_t \right),
# \qquad \text{next}(t) = \text{stack}(t + 1).
# $$ (eq-stack-gather)
#
# One gather of five frames serves both: the stack is its first four frames, the next one its last
# four, and the two share their memory.


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
# The memory in `labs` gathers the same way; with the same frames it gives the same stacks.

# %%
vector = DummyVecEnv([fast_env])
memory = EpisodeReplay(
    300, vector.observation_space, vector.action_space, "cpu", **episode_options(vector)
)
memory.memory["pixels"].copy_(frames)
memory.restored(6)
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
# Stock SAC gives actor and critic an encoder each. In one update each is run more than once, and
# `backward()` of the actor's loss also fills the gradients of the critic, which are thrown away.
# Hooks count the passes.


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
    "FastSAC, one encoder": encoder_passes(FastSAC, "DrQv2SACPolicy"),
}
for name, (forward, backward) in passes.items():
    print(
        f"{name}: {forward} forward, {backward} backward; worth {forward + 2 * backward} forwards"
    )
assert passes["SB3, an encoder each"] == (5, 3) and passes["FastSAC, one encoder"] == (3, 1)

# %% [markdown]
# A backward pass costs about two forward passes, so 11 become 5. Sharing the encoder, which is another
# [routing](14_gradient_routing.ipynb), makes 7 of 11; encoding each batch once makes 5 of 7. Two more changes cost one line
# each. *Channels last*: the convolution reads the channels of a pixel from neighboring addresses.
# *Needed gradients only*: `torch.autograd.grad(loss, parameters)` instead of `loss.backward()`.
#
# `torch.compile` is the change that one expects most of. On a CPU it is switched off: nearly all the
# time goes into convolutions and matrix products, which it leaves as they are, and compiling took
# {artifact}`bench:parts.savings.update.compile_s|duration` before the first update. `FastSAC(..., compile=True)` switches it on. Either way the update equals its reference to 1e-5, as long as no
# number lies so close to a kink (of a ReLU, or of the minimum of two values) that the order of summation decides
# on which side of the kink it falls. The reference is SB3's SAC; for one encoder that the critic trains, which SB3 does not have, it is
# `labs.drqv2_sac.DrQv2SAC`, whose actor is judged on the features from before the critic's step.

# %% [markdown]
# ## What a large GPU waits for
#
# On a GPU the compiled parts became CUDA graphs: kernels that are recorded once and launched as one. That
# should have been enough. A first look at a GPU of a data center ({artifact}`gpu-first-look:gpu`, {artifact}`gpu-first-look:cores|int` cores
# beside it) showed that it was not.

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
# *60 updates timed and 10 profiled, on an idle machine, alone; workers timed without updates. One look, so no interval; `push-gpu-honest` as it was then, with twice its pictures.*
#
# The GPU waits, most of an update. What lies between its kernels is Python: the sampling, three optimizers, and the way from one
# compiled part to the next, whose launches take longer than what they launch. A faster GPU would shorten only its own part.
#
# The cure is to record *everything*: the draw from the memory, hindsight, the losses, the optimizer steps and the target
# networks, as one graph (`labs.fast_graph`). A recorded update reads and writes the same addresses forever, which has a
# price in care: how many episodes the memory holds, and which of them moved, must be read on the device and not in Python;
# random numbers must come from generators that the graph knows; another learning rate is another recording. On a GPU this is
# now the default. **The recorded update has not run on a GPU yet**; the tests that compare it with the plain one wait for one, too. Both runs of that
# first look ended with the machine, after {artifact}`gpu-first-look:cut_off.push-gpu-keypoint.steps|int` and
# {artifact}`gpu-first-look:cut_off.push-gpu-honest.steps|int` steps, without a success in their last measurement.

# %% [markdown]
# ## One picture, many goals
#
# Hindsight gives a sampled transition another goal, and the reward of every goal is known: it is a distance.
# So nothing forbids asking about several goals at once: tables of values were learned so {cite:p}`kaelbling1993`,
# and networks that put out the value of every goal {cite:p}`matthews2026`. With a camera it is also cheap. A goal enters behind the encoder: the picture is
# encoded once, and $M$ rows of features, joints and goals go on from there,
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
update_ms = {}
print("goals a picture   ms an update   ms for 64 goals")
for goals in (1, 2, 4, 8, 16):
    learner = model_with(goals)
    update_ms[goals] = cpu_ms(lambda model=learner: model.train(1, arm.batch_size))
    print(f"{goals:>15} {update_ms[goals]:14.0f} {update_ms[goals] / goals:17.1f}")
seeing.close()
assert update_ms[8] < 4 * update_ms[1], "eight goals for less than four times one"

# %% [markdown]
# The picture is small and the heads are not, so on one core further goals are not free for ever. With
# a larger encoder, or on a GPU, further goals are nearer to free. One update on $B$ pictures with $M$
# goals equals one on $BM$ pictures that hold each picture $M$ times; a test says so with one encoder
# and with two. What the goals teach the encoder is measured where
# [the other encoders are probed](21_what_the_camera_can_tell.ipynb).
#
# ## Judged by SB3's own tests
#
# `FastSAC` keeps SB3's interface as well, so SB3's own tests can judge it. SB3's tests of saving,
# dict observations and HER, as far as they use a SAC, ran as they are, with `FastSAC` in the place of `SAC`. They are the tests
# of version {artifact}`sb3-tests:tests_version`, the newest that were at hand, and they ran on the installed
# {artifact}`sb3-tests:installed_version`. Of {artifact}`sb3-tests:run|int` tests
# {artifact}`sb3-tests:passed|int` pass and {artifact}`sb3-tests:failed|int` fail. The other
# {artifact}`sb3-tests:left_out|int` tests of these files use another algorithm, or none. These fail,
# beside what SB3's SAC makes of them:

# %%
sb3_tests.failures_table()

# %% [markdown]
# What is refused on purpose says so in one line. `tests/test_sb3_contract.py` asks what these tests
# ask, in the book's own words, at every change. To run SB3's yourself:
#
# ```
# git clone https://github.com/DLR-RM/stable-baselines3
# python scripts/sb3_own_tests.py stable-baselines3
# ```
#
# ## Fewer bits
#
# What is left is convolutions, and more of those go through a processor when numbers are shorter.
# *bfloat16* keeps float32's exponent and the first seven bits of its mantissa {cite:p}`kalamkar2019`.
# Recent processors multiply it and add up in float32; `labs.mixed_precision` asks whether this one
# does. Only encoders compute in it. Weights, optimizer states, losses, the heads of actor and critic and the softmax over positions stay in float32:
# near −20, where Push's values lie, bfloat16 has steps of an eighth, and far from the goal one step of the way is worth less.
#
# Does an encoder still see as well? A cell of its map is centimeters wide, so the exact place of the
# block lies in the digits that are dropped. Ask one that is trained: the locator of
# [the next page](25_paying_less.ipynb), a small network that reads the block's place from a frame, gets the same new
# frames in both.

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
# It moves what is read by a small share of the error that was there before. `FastSAC(...,
# autocast=torch.bfloat16)` trains so, and `pixels train --precision bfloat16`. Most arms of this book run
# in float32 on a CPU. `reach-small` and `push-distilled` with their relatives (`--precision fastest`) take bfloat16 where
# the processor multiplies it; on a GPU the arms of the fast engine do, unless their configuration says float32. Their cards say so.
#
# ## Numbers that are nearly nothing
#
# A run of [a later page](26_what_the_critic_must_know.ipynb) became slower as it became better. {numref}`fig-fast-slowed` shows what each thousand steps cost it, and its sisters.

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
        "Two ran side by side on two cores, and the machine had other work at times. Seeds 0 and 1 went on with one "
        "line more; seeds 2 and 3 had it from their first step on, so that seed 3 is the control. See what going on was worth: "
        + ", ".join(f"seed {k} from {b:.0f} s to {a:.0f} s" for k, (b, a) in costs.items())
        + " (the mean of the last three points before, the median after)."
    )
)

# %% [markdown]
# We took the line for the cause, and then the control became cheaper as well, when it went on with nothing changed. A run that goes on finds another load on the machine, and that may be a part of what
# seeds 0 and 1 gained, or all of it. What did we suspect? Below about $10^{-38}$ float32 has no full mantissa left; it goes on
# down to $10^{-45}$ with fewer and fewer digits. Such numbers are called *denormal*, and many processors compute with them in
# a slow path. A softmax over pixels makes them in thousands: as keypoints become sharp, one cell takes the weight, and those far below it get
# $e^{-90}$. The gradient then carries them into every convolution.
#
# Take the keypoint encoder as it is born, and only make its softmax sharper:

# %%
batch, _ = collect_moments(View.of(preset(SLOWED)), 64, seed=2026)
batch = torch.from_numpy(batch).float() / 255
torch.manual_seed(0)
eye = KeypointCNN(image_size=(64, 64))
maps = eye.cnn[:-1](batch - 0.5).flatten(2).detach()
span = (maps.amax(-1) - maps.amin(-1)).mean()  # from the lowest cell to the highest
threads = torch.get_num_threads()
torch.set_num_threads(1)


def forth_and_back(repeats=5):
    """CPU time of one pass and its gradient, ms: the median."""
    spent = []
    for _ in range(repeats):
        eye.zero_grad()
        begun = time.process_time()
        eye(batch).square().sum().backward()
        spent.append(1e3 * (time.process_time() - begun))
    return float(np.median(spent))


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
        cells.append(f"{forth_and_back():.0f} ms")
        points.append(eye(batch).detach())
    torch.set_flush_denormal(False)
    rows.append(f"| {reach} | {denormal[reach]:.1%} of cells | {' | '.join(cells)} |")
    assert (points[0] - points[1]).abs().max() < 1e-6, "no keypoint moves by it"
torch.set_num_threads(threads)
display(Markdown("\n".join(rows)))
assert denormal[1] == 0 < 0.01 < denormal[300]

# %% [markdown]
# A soft softmax makes none of them, and a very sharp one few, since most of its weights round to zero by themselves. Most lie in
# between, and there the keypoints of a policy may come to lie. What they cost depends on the processor: compare the last two columns, which are from the one that made
# this page. (Seeds 0 and 1 ran on another make.) What they are worth is nothing, since no keypoint
# moves when they count as zero. So `pixels train` begins with `torch.set_flush_denormal(True)`. In your own script it is
# the same line, before torch starts its threads.
#
# ## Each saving, one after the other
#
# {numref}`fig-fast-savings` adds them up, for a step, an update and a stored transition.

# %% mystnb={"figure": {"caption": "What the savings leave of an environment step, of an update, and of the bytes of a transition. Read from top to bottom: each row adds one saving to those above it.", "name": "fig-fast-savings"}, "image": {"alt": "Three bar charts read from top to bottom. Environment step: from the stock 480 by 480 picture over drawing at 84 by 84, no multi-sampling, no arm, no skybox, no mocap bars. Update: stock, one encoder, needed passes and gradients only, channels last, bfloat16 where the processor has it, compiled. Memory: stacks of both observations, one stack a step, frames once. The bars shrink from top to bottom, but for differences that are noise."}}
figure = speed.waterfalls()

# %% [markdown]
# ## Overlap: draw while learning
#
# Between `step_async` and `step_wait` the workers step and draw, and the learner updates. A worker
# writes its newest frame into shared memory, 21,168 bytes, and the learner moves its stacks on by one. Workers
# are no gift: each message costs some fraction of a millisecond, which is much beside a step without
# a picture. The rates below are wall time on a machine with other work to do: differences below a
# factor of two mean nothing here.

# %%
assert 84 * 84 * 3 == 21_168
speed.workers_table()

# %% [markdown]
# This table therefore shows no gain for training from state. Nor could two cores show more than a
# factor of two anywhere else: what workers gain needs a machine with more cores.

# %%
rates = [row["rate"] for row in speed.measured()["parts"]["workers"]["state_training"]["rows"]]
assert max(rates) < 2 * min(rates), "else the sentence above is wrong"

# %% [markdown]
# ## What came out
#
# Every target stands beside what was measured. (The same update appears in several tables of this page with times
# that differ, by a sixth for the stock one and by over a third for ours: they were measured apart, on a machine with other work to do. Compare within a table.) Ours ran beside the stock route, in turns in the same
# run, on {artifact}`bench:machine.cores|int` cores without a graphics card. The last two rows come
# from the arms `reach-state-tuned` and `push-state-tuned`: the median over the seeds of the wall time,
# setting up and evaluations included, until a point of the curve first reaches the rate.

# %%
targets = speed.ratios_table()
assert "missed" not in targets.data, "else the last section is wrong"
targets

# %% [markdown]
# Each point of those curves is {artifact}`reach-state-tuned/seed0:provenance.parameters.curve_episodes|int`
# episodes, so one lucky point can be early; and wall time counts whatever else the machine does.
#
# End to end was compared at {artifact}`bench:parts.whole.asked_updates_per_step|f2` updates per
# environment step, with {artifact}`bench:parts.whole.n_envs|int` environments. At this rate training
# is nearly all update: the workers hide the environment behind the update, but cannot hide an update.
# Runs that update less often, or through a smaller network, come closer to the
# {artifact}`bench:parts.env.ratio|x1` of the environment.
#
# The processor of the bench has instructions for bfloat16. One that lacks them falls back to float32;
# what the update gains then is taken from {numref}`fig-fast-savings`, up to "channels last". End to end was
# not measured in float32.
#
# When the bench began, the load average of the machine was {artifact}`bench:machine.load_at_start|f1`.
# Measuring in turns keeps the ratios fair; CPU time stands beside wall time.
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
# from it. Close what you can: a browser is worth a factor.

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
# | settled | Nearly all of what the stock route drew was thrown away. Now only what is needed is drawn, frames are stored once, and encoders run once. The update equals SB3's to 1e-5, and `DrQv2SAC`'s where one encoder is trained by the critic. Every target for CPU cores is met, end to end with bfloat16. What remains is the update itself: the more updates a step, the less everything else matters. One line rids a run of denormal numbers, and no keypoint moves by it. |
# | not settled | What denormal numbers cost: that depends on the processor, and the runs that became cheaper had a control that did so as well. Any GPU: both targets are open. Compiled in parts, an update left a large GPU idle most of the time; recorded as a whole it is to be measured, and its tests are skipped without a GPU. Processors without bfloat16, end to end. What workers gain on more than two cores. |
# | command | `pixels bench --name my-bench`, then `speed.ratios_table("my-bench")`; `python scripts/sb3_own_tests.py CLONE` for SB3's tests; `pixels train reach-state-tuned --seeds 0 1 2 3 4`, and the same for `push-state-tuned`, for the times |
#
# [The next page](25_paying_less.ipynb) asks what can be paid less for.
