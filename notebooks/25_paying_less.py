# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 1 min, hardware: 'any CPU; the training itself: half an hour to an hour and a quarter on one core'}
# ---

# %% [markdown]
# # Paying less
#
# The {term}`honest task` once more: one camera, the joints and the goal, with the block's position in the picture and
# nowhere else. The source manuscript paid 40 hours on a GPU for an easier task: that position was given as a
# number. What can **two CPU cores** buy?
#
# You will leave with a pixel policy that trains over lunch, the proof that it looks, and what makes it so cheap.
# The page leans on [keypoints](10_spatial_softmax.ipynb), on
# [what the camera can tell](21_what_the_camera_can_tell.ipynb) and on [the blind twin](17_is_it_cheating.ipynb).

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown, display
from torch import nn

from labs.artifacts import seeds_of
from labs.exercises import attempt
from labs.experiments.environments import make_one
from labs.experiments.locating import IMPORTANCE, load_locator
from labs.experiments.moments import View, collect_moments
from labs.experiments.policies import load_policy
from labs.experiments.presets import preset
from labs.experiments.results import final_success, measurement
from labs.figures.curves import episodes_a_point, seed_by_seed, success_curves
from labs.figures.ledger import measured, push_floor, success_cell
from labs.figures.results import controls_table, minutes, provenance_card, runs_of
from labs.figures.routes import looking_table, routes_table, seeds_of_arms
from labs.figures.style import use_style
from labs.manipulation_encoder import SpatialSoftmax
from labs.statistics import iqm

use_style()
TOLD, LOCATED = "push-told", "push-located"
DISTILLED, SHIFTED = "push-distilled", "push-distilled-drq"
ASYMMETRIC = "push-asymmetric"
HELPED, HONEST = "push-small-helped", "push-small-honest"
STATE, BLIND = "push-state-tuned", "push-blind-tuned"
config = preset(LOCATED)
assert config.goal_mode == "desired" and config.has_images and not config.full_state
display(
    Markdown(
        f"> **In short.** One camera, the joints and the goal, on two cores: success {success_cell(SHIFTED)}, by imitating "
        f"a policy that knows the state; {success_cell(ASYMMETRIC)}, by a reward, with a critic that is told the state "
        "while it trains, before a locator. Where one small network had to learn sight and control at once, by its reward, "
        "the runs stayed on the floor; the next page tells the critic more."
    )
)

# %% [markdown]
# ## Who pays for sight?
#
# In [the five steps](18_five_steps.ipynb) the encoder learns to see *from the reward*: one bit a step, through a critic that is wrong at
# first, for thousands of weights. Every update takes 256 pictures through a large network several times.
#
# But the simulator knows where the block is. Told so, a small network learns it by plain regression, from frames
# that cost one step and one rendering each. This is {term}`privileged information`, in training only: the
# finished policy gets pixels. On a real robot it would come from motion capture, or a marker that is taken off
# afterwards.
#
# So: sight first, by regression; then freeze it; then control. A step is then a few numbers, and an update costs
# what it costs from state.

# %% [markdown]
# ## The locator
#
# One frame goes in, four numbers come out: the block's $x$ and $y$ on the table, in meters, and
# $\cos 4\psi$ and $\sin 4\psi$ of its angle $\psi$ about the vertical.
#
# Why not $\psi$ itself? A cube looks the same after a quarter turn: one picture has four right answers, and
# regression learns their mean, which is none of them. Cut down to a quarter turn, the angle still jumps: 44° and
# −44° look almost the same. $4\psi$ goes around the circle exactly once in a quarter turn:
#
# $$ \big( \cos 4 (\psi + \tfrac{\pi}{2}), \, \sin 4 (\psi + \tfrac{\pi}{2}) \big)
# = ( \cos 4 \psi, \, \sin 4 \psi ) $$ (eq-quarter-turn)
#
# One picture, one target, and like pictures have near targets.
#
# The network is a small encoder with keypoints, then two linear layers. Two strides come first, so that the last and
# widest convolution works on a grid of 21 × 21, which few cores can afford.
#
# | layer | what | output | parameters |
# |---|---|---|---|
# | `encoder.cnn.0` | 5 × 5, stride 2, ReLU | (B, 16, 42, 42) | 1,216 |
# | `encoder.cnn.2` | 3 × 3, stride 2, ReLU | (B, 32, 21, 21) | 4,640 |
# | `encoder.cnn.4` | 3 × 3 | (B, 32, 21, 21) | 9,248 |
# | `encoder.cnn.5` | [SpatialSoftmax](10_spatial_softmax.ipynb): 32 x, then 32 y | (B, 64) | 1 |
# | `head.0` | linear, ReLU | (B, 128) | 8,320 |
# | `head.2` | linear | (B, 4) | 516 |


# %%
class KeypointCNN(nn.Module):
    """(B, 3, 84, 84) in [0, 1] → (B, 64): x of 32 keypoints, then y."""

    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),  # no ReLU: the softmax takes any number
            SpatialSoftmax(21, 21, 32),
        )

    def forward(self, images):
        return self.cnn(images - 0.5)  # around zero


class Locator(nn.Module):
    """One frame → block x, y in meters, cos 4ψ, sin 4ψ."""

    def __init__(self):
        super().__init__()
        self.encoder = KeypointCNN()
        self.head = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 4))
        self.register_buffer("mean", torch.zeros(4))  # of the training targets
        self.register_buffer("scale", torch.ones(4))

    def forward(self, images):
        return self.head(self.encoder(images))  # standardized: what the loss compares

    @torch.no_grad()
    def locate(self, frames):
        """uint8 (B, 3, 84, 84) → float32 (B, 4) in meters, cosine and sine."""
        return (self(torch.from_numpy(frames) / 255) * self.scale + self.mean).numpy()


features, shapes = torch.rand(2, 3, 84, 84), []
for layer in Locator().encoder.cnn:
    features = layer(features)
    shapes.append(tuple(features.shape[1:]))
assert shapes[0::2] == [(16, 42, 42), (32, 21, 21), (32, 21, 21)] and shapes[5] == (64,)
counts = [
    sum(p.numel() for p in part.parameters()) for part in (*Locator().encoder.cnn, *Locator().head)
]
assert [n for n in counts if n] == [1216, 4640, 9248, 1, 8320, 516], "as in the table"

# %% [markdown]
# With $f_\theta$ the network and $o$ a frame, the loss is a mean squared error with two touches. Every
# target $z_k$ is standardized with the mean $m_k$ and
# the standard deviation $\sigma_k$ of the training targets, since a place varies by a tenth of a meter and a
# cosine by nearly one. And the angle weighs less ($w_k$): a push needs the place first.
#
# $$ L(\theta) = \mathbb{E} \, \frac{1}{4} \sum_{k=1}^{4} w_k
# \left( f_\theta(o)_k - \frac{z_k - m_k}{\sigma_k} \right)^2, \qquad w = (1, \, 1, \, 0.1, \, 0.1) $$ (eq-locator-loss)
#
# {artifact}`locator-push-workspace/seed0:provenance.parameters.frames|int` frames teach it, in
# {artifact}`locator-push-workspace/seed0:provenance.parameters.epochs|int` passes of batches of
# {artifact}`locator-push-workspace/seed0:provenance.parameters.batch|int`, by Adam. Another
# {artifact}`locator-push-workspace/seed0:provenance.parameters.held_out|int` are held out. The optimizer gets
# frames and positions, never an episode's state, a reward or an action.

# %% [markdown]
# ## Moments
#
# A *moment* is one frame and the place that it shows.
# Each training moment puts the block somewhere new, often right beside the gripper, where pushing happens and
# fingers hide it. A random policy seldom touches the block, so its frames were not used. With rewards for a
# teacher they are enough: [there](28_rewards_say_where.ipynb).
#
# First a check of loss and network: twelve moments by heart. It says nothing about new frames, but a network that
# fails it is broken.

# %%
view = View.of(config)
frames, truth = collect_moments(view, 12, seed=2026)
assert frames.shape == (12, 3, 84, 84) and truth.shape == (12, 4)
assert IMPORTANCE["push"] == (1, 1, 0.1, 0.1), "as in the equation"
weights = torch.tensor(IMPORTANCE["push"])


def locator_loss(net, images, targets):
    """The weighted mean squared error of standardized targets."""
    wanted = (targets - net.mean) / net.scale
    return (weights * (net(images) - wanted) ** 2).mean()


torch.manual_seed(0)
fresh, images, targets = Locator(), torch.from_numpy(frames) / 255, torch.from_numpy(truth)
fresh.mean, fresh.scale = targets.mean(0), targets.std(0)
optimizer, losses = torch.optim.Adam(fresh.parameters(), 3e-3), []
for _ in range(100):
    losses.append(locator_loss(fresh, images, targets))
    optimizer.zero_grad()
    losses[-1].backward()
    optimizer.step()
print(f"loss on the twelve: {losses[0]:.2f} at first, {losses[-1]:.4f} after {len(losses)} updates")
assert losses[-1] < losses[0] / 10

# %% [markdown]
# Now the weights that all frames have taught. Our modules, named as those of `labs.locator.Locator`, take its
# weights and must read the same.

# %% mystnb={"figure": {"caption": "Twelve moments that the locator of seed 0 never met, and how far off it reads the block, one reading each. Compare where the block lies free with where the gripper hides it.", "name": "fig-paying-moments"}, "image": {"alt": "Twelve small frames of the workspace camera: the white table, the gray gripper at different heights, the dark block at different places and angles, sometimes partly hidden by the gripper. Above each stands how far off the locator reads the block."}}
trained, _ = load_locator(config)
locator = Locator()
locator.load_state_dict(trained.state_dict())
read = locator.locate(frames)
np.testing.assert_allclose(read, trained.locate(frames), atol=1e-6)

fig, axes = plt.subplots(2, 6, figsize=(9, 3.2), layout="constrained")
for axis, frame, found, true in zip(axes.flat, frames, read, truth, strict=True):
    axis.imshow(frame.transpose(1, 2, 0))
    axis.set_title(f"{1000 * np.linalg.norm(found[:2] - true[:2]):.0f} mm off", fontsize=9)
    axis.set_axis_off()
plt.show()

# %% [markdown]
# {numref}`fig-paying-moments` shows twelve readings. Over thousands of held-out moments, with two controls: a guess that never looks, and the same network
# before a black image:

# %% tags=["hide-input"]
rows = [
    "| seed | block, mean error (95 %) | median | worst 5 % beyond | guess without looking | black image | made in |",
    "|---|---|---|---|---|---|---|",
]
for path in seeds_of("locator-push-workspace"):
    found = measurement(path)
    block, controls = found["held_out"]["block"], found["controls"]
    rows.append(
        f"| {path.name.removeprefix('seed')} | {block['mean']:.1f} mm ({block['low']:.1f} – {block['high']:.1f}) "
        f"| {block['median']:.1f} mm | {block['p95']:.0f} mm | {controls['mean']['block']['mean']:.0f} mm "
        f"| {controls['black']['block']['mean']:.0f} mm | {minutes(found['collected_s'] + found['trained_s'])} |"
    )
    assert block["mean"] < 0.2 * controls["mean"]["block"]["mean"], "this locator does not see"
display(Markdown("\n".join(rows)))

# %% [markdown]
# The block is 50 mm wide, and an episode succeeds within 50 mm of the goal. That sounds like enough. A first
# locator, with errors little larger, was not enough.
#
# ## The failure before the fix
#
# In the moments of the first locator the gripper stayed at the height where an episode starts. On held-out
# moments *of that kind* its mean error was {artifact}`locator-first-attempt:held_out_mm.seed0.mean|f1` mm (seed
# 0) and {artifact}`locator-first-attempt:held_out_mm.seed1.mean|f1` mm (seed 1). A policy trained by reward on
# what it reads did not leave the floor:

# %% tags=["hide-input"]
attempt_1 = measurement("locator-first-attempt")
rows = ["| steps | " + " | ".join(f"seed {run['seed']}" for run in attempt_1["runs"]) + " |"]
rows.append("|---" * (1 + len(attempt_1["runs"])) + "|")
for index, step in enumerate(attempt_1["runs"][0]["steps"]):
    cells = [
        f"{run['success'][index]:.0%}" if index < len(run["success"]) else "no point"
        for run in attempt_1["runs"]
    ]
    rows.append(f"| {step:,} | " + " | ".join(cells) + " |")
display(Markdown("\n".join(rows)))

# %% [markdown]
# This alone does not convict the locator: the runs were stopped early, and with the better one the same route
# stays on the floor as long (`push-located`, {numref}`fig-paying-located`). So let the *state* policy push, and
# compare reading with truth. A pushing gripper rises above the block and comes down behind it. The first locator had
# never seen it there, and was far off at times:

# %%
before = attempt_1["while_pushing_mm"]
teacher = load_policy(f"{STATE}/seed0")
env = make_one(config)
errors, episodes = [], 4
for episode in range(episodes):
    observation, _ = env.reset(seed=1000 + episode)
    for _ in range(50):
        raw = env.get_wrapper_attr("last_raw_obs")
        found = locator.locate(observation["pixels"][None, -3:])[0]  # the newest frame
        errors.append(1000 * np.linalg.norm(found[:2] - raw["observation"][3:5]))
        observation, *_ = env.step(teacher.predict(raw))
env.close()
display(
    Markdown(
        f"Error while the state policy pushes: first locator, {before['mean']:.0f} mm on average and "
        f"beyond {before['p95']:.0f} mm in the worst twentieth ({before['episodes']} episodes); now, "
        f"{np.mean(errors):.0f} mm and beyond {np.percentile(errors, 95):.0f} mm ({episodes} episodes)."
    )
)
assert np.mean(errors) < before["mean"], "the fix did not help: read this section anew"

# %% [markdown]
# One change: the moments' gripper moves through all the heights that a pushing gripper visits. It was chosen
# after a look at seeds 0 and 1, and the arms that look through the locator report these two seeds as well. A regression is only as good as
# the distribution that taught it: the price of teaching sight apart from control.
#
# ## Control on what is seen, by reward
#
# `push-located` is SAC and hindsight as from the state ([there](17_is_it_cheating.ipynb)), with the locator's
# readings of the last three frames in the state's place. Those three times four numbers and the joints are $\hat o$. One
# seed
# learns, much later than from the state; the other was cut short before ({numref}`fig-paying-located`). A possible
# reason: a reading is off by millimeters mostly and by centimeters at times, and a critic that judges from it has to
# average that out.
#
# But the critic exists in training only. So `push-asymmetric` tells it the state $s$, while the actor acts on
# $\hat o$: an {term}`asymmetric actor-critic` {cite}`pinto2017`. The equations are those of
# [SAC](04_sac_recap.ipynb), with the goal $g$ written out. The critic never reads $\hat o$:
#
# $$ \begin{aligned}
# L_Q(\theta_1, \theta_2) &= \sum_{i=1,2} \mathbb{E} \left( Q_{\theta_i}(s, g, a) - y \right)^2, \\
# y &= r + \gamma \left[ \min_i Q_{\bar\theta_i}(s', g, a') - \alpha \log \pi_\phi(a' \mid \hat o', g) \right], \\
# a' &\sim \pi_\phi(\cdot \mid \hat o', g)
# \end{aligned} $$ (eq-asymmetric-critic)
#
# The actor never reads $s$. It is judged by a critic that does:
#
# $$ L_\pi(\phi) = \mathbb{E}_{(s, \hat o, g), \; a \sim \pi_\phi(\cdot \mid \hat o, g)} \big[
# \alpha \log \pi_\phi(a \mid \hat o, g) - \min_i Q_{\theta_i}(s, g, a) \big] $$ (eq-asymmetric-actor)
#
# The critic regresses on exact states, as the state policy's does. The actor no longer has to *find out* what is good, only
# to see where. The recap's factor $1 - d$ is gone: a Fetch episode never ends early.
#
# ## Control on what is seen, by imitation
#
# The policy $\pi^*$ that knows the state pushes well. So let it tell. The student drives, the teacher says at
# every frame what it would do, and the student regresses on the answers: no critic, no reward, no hindsight. This
# is {term}`DAgger` {cite}`ross2011`. After each round $n$ of driving, with $\mu_\phi$ the mean of the student's
# Gaussian:
#
# $$ \begin{aligned}
# \phi_{n+1} &\approx \arg\min_\phi \; \mathbb{E}_{(s, \hat o, g) \sim \mathcal{D}_n}
# \left\| \tanh \mu_\phi(\hat o, g) - \pi^*(s, g) \right\|^2, \\
# \mathcal{D}_n &= \mathcal{D}_{n-1} \cup \{ \text{moments that } \pi_{\phi_n} \text{ met} \}
# \end{aligned} $$ (eq-dagger)
#
# What matters is $\mathcal{D}_n$: after the first round, which the teacher drives, the moments are the
# *student's own*. Plain cloning, from the teacher's episodes, fails in a known way: the first mistake takes the
# student where the teacher never goes, and there nobody ever told it what to do. A little noise is added to what
# is done, never to the answer.
#
# Three arms imitate:
#
# - `push-told` regresses from the locator's readings. A round is
#   {artifact}`push-told/seed0:provenance.episodes_of_a_round|int` episodes and
#   {artifact}`push-told/seed0:provenance.parameters.gradient_steps|int` updates of
#   {artifact}`push-told/seed0:provenance.parameters.batch_size|int` moments. Each seed has the teacher of the same
#   seed.
# - `push-distilled` has no locator: $\hat o$ is the last two frames,
#   {artifact}`push-distilled/seed0:provenance.parameters.image_size|int` pixels wide, and the joints. One network,
#   its encoder built as the locator's, learns to see from the teacher's answers alone; nobody ever tells it a
#   position. A round is as many episodes and
#   {artifact}`push-distilled/seed0:provenance.parameters.gradient_steps|int` updates of
#   {artifact}`push-distilled/seed0:provenance.parameters.batch_size|int`, its products in bfloat16 where the
#   processor can. Every seed has the teacher of `push-state-tuned`, seed 0, whose weights lie in `data/`.
#   Earlier starts at 84 × 84 pixels were dropped within minutes for their pace, all on the floor, and left no
#   result.
# - `push-distilled-drq` also [shifts](12_random_shift.ipynb) each pair of frames by a few pixels before it learns
#   from them. Why that could hurt, and whether it does, is
#   [another page's question](22_when_augmentation_fights.ipynb).

# %% tags=["hide-input"]
early = measurement("told-first-attempt")
late = [point["success"] for point in early["curve"][-5:]]
more = early["more_updates"]
rate = {r.path.name: final_success(r) for r in runs_of(TOLD)}
others = [success for name, success in rate.items() if name != "seed0"]
display(
    Markdown(
        f"**The number of updates of `{TOLD}` was chosen on seed 0, and seed 0 is among the seeds reported below.** "
        f"There a first student had ended its curve at {min(late):.0%} to {max(late):.0%}, after "
        f"{early['curve'][-1]['updates']:,} smaller updates; {more['updates']:,} on the same frames gave "
        f"{more['success']:.0%} of {more['episodes']} other episodes. So here is the mean of `{TOLD}` both ways: {np.mean(list(rate.values())):.1%} over all "
        f"{len(rate)} seeds, {np.mean(others):.1%} over the {len(others)} without seed 0."
    )
)

# %% [markdown]
# ## Sight and control at once
#
# Every route so far freezes its eyes before it acts, or has no reward. One network can do both at once. But a
# reward teaches little about the block, at least where numbers already say where it lies
# ([the probe](21_what_the_camera_can_tell.ipynb)); [the next page](26_what_the_critic_must_know.ipynb) finds
# more, at a larger budget. So the encoder $f_\psi$ gets an {term}`auxiliary loss` beside the critic's
# {cite:p}`jaderberg2017`. A linear head $W$ reads the positions of gripper and block from the picture's features
# and the vectors $v$ beside them, and the simulator says whether they are right,
#
# $$ L(\psi, \theta, W) = L_Q(\psi, \theta) + \frac{\lambda}{6}\, \mathbb{E} \left\| W [f_\psi(o), v] - \tilde p \right\|^2 $$ (eq-auxiliary)
#
# with $\lambda$ the weight of the second loss, and $\tilde p$ the six coordinates, standardized, so that always naming
# their mean costs $\lambda$. Only the
# block's three need the picture: the joints tell the gripper's. Head and truth exist in training only.
# `push-small-helped` does this with $\lambda = 1$ and one picture of 36 × 36, which a core can afford;
# `push-small-honest` goes without the second loss.

# %% [markdown]
# ## What came out
#
# Students and the policies of the told critic push about equally well. Without teacher and without told critic,
# policies from pixels end far behind, or on the floor.

# %% tags=["hide-input"]
pixels = "joints, goal, **pixels**"
ROUTES = {
    STATE: ("the state, 25 numbers, and both goals", "SAC + HER"),
    BLIND: ("joints, goal, **the block's position**", "SAC + HER"),
    ASYMMETRIC: (pixels, "locator, then SAC + HER; the critic is told the state"),
    TOLD: (pixels, "locator, then imitation of the state policy"),
    LOCATED: (pixels, "locator, then SAC + HER on what it reads"),
    DISTILLED: (pixels, "imitation of the state policy from pixels, one network"),
    SHIFTED: (pixels, "the same, with random shifts"),
    HELPED: (pixels, "SAC + HER on 36 × 36 pixels; the encoder is told positions"),
    HONEST: (pixels, "SAC + HER on 36 × 36 pixels, by reward alone"),
}
SEEING = [arm for arm, (given, _) in ROUTES.items() if given == pixels and measured(arm)]
display(
    routes_table(
        ROUTES,
        reported=[
            "| source manuscript, step 2, reported (1 seed) | joints, goal, the block's position, "
            "pixels | SAC + HER, encoder trained by the critic | 95 % | about 4.4 million | 40 h |"
        ],
    )
)
told_critic, blind_twin = (
    iqm([final_success(run) for run in runs_of(arm)]) for arm in (ASYMMETRIC, BLIND)
)
assert told_critic.low > blind_twin.high, "this page says that it ends above its blind twin"
students = [iqm([final_success(run) for run in runs_of(arm)]) for arm in (DISTILLED, SHIFTED)]
assert all(abs(student.value - told_critic.value) < 0.06 for student in students), "as well as"

# %% [markdown]
# Success is the interquartile mean over the seeds with its 95 % bootstrap interval, a rough one with few seeds.
# An arm with fewer than three seeds, or seeds of unequal lengths, gets no mean: each stands alone, with Wilson's
# interval over its episodes.
#
# The wall times hold everything: the locator's frames and training, the teacher's own training, evaluation and
# video. The steps do not, nor does {numref}`fig-paying-routes`: the locator's
# {artifact}`push-asymmetric/seed0:provenance.parameters.locator_frames|int` frames and the teacher's steps come on
# top.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Success at Push while the state policy, its blind twin and the policies that act on pixels train. Thin lines: seeds; thick: their interquartile mean; band: its 95 % bootstrap interval over seeds.", "name": "fig-paying-routes"}, "image": {"alt": "Success at Push against environment steps: the state policy, its blind twin, and the policies that act on pixels; with the do-nothing floor as a dotted line."}}
floor = push_floor()
ON_THE_FLOOR = (HELPED, HONEST)
curves = [STATE, BLIND, *(arm for arm in SEEING if arm not in (LOCATED, *ON_THE_FLOOR))]
success_curves(curves, floor=floor)
plt.show()

# %% tags=["hide-input"]
imitated = [arm for arm in curves if arm in (TOLD, DISTILLED, SHIFTED)]
by_reward = [arm for arm in curves if arm not in imitated]
display(
    Markdown(
        f"Every arm above is drawn but `{LOCATED}`, which comes next, and the two on 36 × 36 pixels, which stay on the floor. A point is {episodes_a_point(by_reward)} episodes a seed where the "
        f"reward teaches, {episodes_a_point(imitated)} where a teacher does. "
        f"See that `{ASYMMETRIC}` rises about when the "
        f"state policy does and ends above the blind twin, and that those who imitate need the fewest steps of their own; "
        f"those of their teacher are not counted here."
    )
)
for arm in ON_THE_FLOOR:
    for run in runs_of(arm):
        end = run.json("evaluation.json")["deterministic"]
        assert end["success_low"] < floor < end["success_high"], "the caption says: on the floor"

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Success at Push while `push-located` trains, each seed for itself: no mean, no band. The critic sees no more than the actor.", "name": "fig-paying-located"}, "image": {"alt": "Success of the two seeds of push-located against environment steps. Both lie on the do-nothing floor for the first 80 thousand steps; seed 0 ends there, seed 1 then rises, unevenly."}}
axes = seed_by_seed(LOCATED, floor=floor)
axes.legend(loc="upper left", fontsize="small")
plt.show()

# %% tags=["hide-input"]
display(
    Markdown(
        f"A point is {episodes_a_point([LOCATED])} episodes. See how long the floor lasts, and that the seed "
        f"which was cut short ends before the other rises."
    )
)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show each seed", "code_prompt_hide": "Hide each seed"}
display(seeds_of_arms(SEEING))

# %% [markdown]
# Seed by seed, the column *sampled actions* is poor after imitation: regression teaches what to do, not how
# little to explore.
#
# ## Does it look?
#
# A success rate does not say. The controls do: the same policy plays the same hundred episodes before black images
# (*blank*), those of another episode (*shuffled*), or its first image for ever (*frozen*).

# %% tags=["hide-input"]
display(looking_table(SEEING))

# %% [markdown]
# *From the worst seed to the best, of 100 episodes each.*

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show each seed", "code_prompt_hide": "Hide each seed"}
for arm in SEEING:
    display(Markdown(f"**{arm}**, seed by seed"), controls_table(arm))
for arm in (ASYMMETRIC, TOLD, DISTILLED, SHIFTED):
    for run in runs_of(arm):
        found = run.json("evaluation.json")
        for name, score in found["controls"].items():
            assert score["success_high"] < found["deterministic"]["success_low"], (
                f"{run.path.name}: {name} images do as well as real ones"
            )
        still_pushes = found["controls"]["frozen"]["success_low"] > floor
        assert still_pushes == (arm in (ASYMMETRIC, TOLD)), "the text says who"

# %% [markdown]
# Black images and those of another episode lead back to about the floor, which is
# {artifact}`push-floor:no_op.rate|pct1`. So does the first image for ever, for the students that have no locator. For
# `push-asymmetric` and `push-told` it does not: every run stays well above. [There is a reason](26_what_the_critic_must_know.ipynb), and it is no leak.

# %%
display(provenance_card(DISTILLED), provenance_card(ASYMMETRIC), provenance_card(TOLD))

# %% [markdown]
# ```{exercise-start}
# :label: ex-symmetry
# ```
# The locator reads the block's angle $\psi$ as $(\cos 4\psi, \sin 4\psi)$, because a cube looks the
# same after a quarter turn. Turn such a pair back into an angle, in radians, between $-\pi/4$ and
# $\pi/4$.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def block_angle(cosine, sine):
    """The angle of a cube, in radians, from cos 4ψ and sin 4ψ."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_angle(answer):
    """Names the likely mistake."""
    result = answer(np.cos(4 * 0.3), np.sin(4 * 0.3))
    assert result is not ..., "block_angle still returns ...: fill it in"
    assert abs(result - 1.2) > 1e-6, "that is 4ψ: divide by four"
    assert abs(result - 0.3) < 1e-6, f"an angle of 0.3 should come back as 0.3, received {result}"
    turned = answer(np.cos(4 * -0.7), np.sin(4 * -0.7))
    assert abs(turned - (np.pi / 2 - 0.7)) > 1e-6, (
        "a quarter turn leaves the cube as it was: take the angle between −π/4 and π/4"
    )
    assert abs(turned + 0.7) < 1e-6, "use the signs of both: arctan2, not arccos, arcsin or arctan"


# %% tags=["nbval-check-output"]
attempt(check_angle, block_angle)

# %% [markdown]
# ```{solution-start} ex-symmetry
# :class: dropdown
# ```


# %% tags=["solution"]
def block_angle(cosine, sine):
    """The angle of a cube, in radians, from cos 4ψ and sin 4ψ."""
    return np.arctan2(sine, cosine) / 4


check_angle(block_angle)

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Settled
#
# | | |
# |---|---|
# | settled | With the block's position in the picture alone, two cores buy a policy that pushes, and the controls show that it looks. Control came from a critic that is told the state or a teacher that knows it, both in training only. The told critic, behind a locator, needs no teacher, and its policies end above those of the blind twin of 100,000 steps. |
# | settled | Sight need not be taught apart. One network that imitates frame by frame pushes as the told critic's policies do, and nobody ever told it a position. It has learned its own pictures: [moved by a pixel](22_when_augmentation_fights.ipynb) or [drawn with softer edges](21_what_the_camera_can_tell.ipynb), they cost it half of its successes, unless it trained with shifts. The locator before `push-told` and `push-asymmetric` bears soft edges. |
# | not settled | Why `push-asymmetric` ends above its blind twin. A possible reason: the twin is given the block's position, and three frames show its angle and speed too. |
# | not settled | How much the told state saves behind a locator. `push-located`, whose critic sees no more than the actor, was far slower: two seeds, one cut short where the other had not risen either. |
# | not settled | Whether one small network can learn sight and control at once *by its reward*. With small pictures and 100,000 steps, `push-small-helped`, one seed, and `push-small-honest`, three, end on the floor, with the second loss as without. Their encoders [had begun to see](21_what_the_camera_can_tell.ipynb). Eight goals for each picture opened the eye sooner, but `push-eight-goals-long`, one seed of 300,000 steps, ended on the floor too ([there](21_what_the_camera_can_tell.ipynb)). |
# | the price | Positions in training, which a simulator has and a kitchen has not. |
# | command | below; the results lie in `data/`, and `--again` makes them anew |
#
# ```bash
# pixels train push-asymmetric --seeds 0 1 2
# pixels train push-told --seeds 0 1 2   # seeds 1 and 2 need the weights of their teachers: train those first
# pixels train push-located --seeds 0 1
# pixels train push-distilled --seeds 0 1 2 3 4
# pixels train push-distilled-drq --seeds 0 1 2 3 4
# pixels train push-small-helped --seeds 0
# pixels train push-small-honest --seeds 0 1 2
# ```
#
# Next: [what the critic must know](26_what_the_critic_must_know.ipynb).
