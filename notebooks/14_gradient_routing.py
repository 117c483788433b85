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
# # Gradient routing
#
# One encoder, two losses. Actor and critic both need to know what is in the picture. Which loss trains the
# part that looks? This is the question of {term}`gradient routing`. It has three answers, two of which
# Stable-Baselines3 gives by a single boolean, and a trap that leaves no error message.
#
# You will be able to say of any policy class which loss moves its encoder, and to measure it. The page
# leans on [SAC's two losses](04_sac_recap.ipynb) and on [the extractor](11_features_extractor.ipynb).

# %%
import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from stable_baselines3 import SAC
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import nn

from labs.artifacts import load_artifact
from labs.drqv2_sac_policy import DrQv2SACPolicy
from labs.exercises import attempt
from labs.experiments.results import measurement
from labs.figures.results import runs_of
from labs.figures.style import OKABE_ITO, use_style
from labs.manipulation_encoder import ManipulationCNN, ManipulationExtractor, SpatialSoftmax
from labs.routing_probe import flat_parameters, gradient_norm, make_push_env
from labs.widgets.gradient_routing import GradientRouting

torch.set_num_threads(1)

# %% [markdown]
# ## Two losses
#
# SAC {cite}`haarnoja2018b` has one loss for the critic and one for the actor. Let $z = f_\phi(o)$ be the
# features that the encoder makes of an observation, and $y$ the TD target, through which no gradient flows:
#
# $$
# L_Q = \tfrac12 \sum_{i=1,2} \left(Q_i(z, a) - y\right)^2
# $$ (eq-routing-critic)
#
# $$
# L_\pi = \alpha \log \pi(\tilde a \mid z) - \min_i Q_i(z, \tilde a), \qquad \tilde a \sim \pi(\cdot \mid z)
# $$ (eq-routing-actor)
#
# Here $a$ is the stored action, and $\tilde a$ one that the actor draws now. Count the networks that read $z$ in
# $L_\pi$: **two**, the actor and the Q that judges it. Whoever detaches $z$ for the actor alone has cut one of two ways
# to the encoder, and, as the table will show, the smaller by far.
#
# A batch of real observations, and networks small enough to see through:

# %%
env = make_push_env(seed=0)
stacks, actions, targets = [], [], []
observation = env.reset()
rng = np.random.default_rng(0)
for _ in range(48):
    action = rng.uniform(-1, 1, (1, 4)).astype(np.float32)
    stacks.append(observation["pixels"][0])
    actions.append(action[0])
    observation, reward, *_ = env.step(action)
    targets.append(reward[0])
images = torch.from_numpy(np.array(stacks)).float() / 255
actions = torch.from_numpy(np.array(actions))
targets = torch.from_numpy(np.array(targets)).float()[:, None] * 5  # a stand-in for y: five steps

torch.manual_seed(0)
encoder = nn.Sequential(ManipulationCNN(12), SpatialSoftmax(21, 21, 32))
actor = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
critics = nn.ModuleList(
    nn.Sequential(nn.Linear(64 + 4, 64), nn.ReLU(), nn.Linear(64, 1)) for _ in range(2)
)

# %% [markdown]
# | part | input | output |
# |---|---|---|
# | encoder | (B, 12, 84, 84) | z: (B, 64) |
# | actor | (B, 64) | mean and log std: (B, 8) |
# | each Q | (B, 64 + 4) | (B, 1) |


# %%
def q_values(z, a):
    return torch.cat([q(torch.cat([z, a], 1)) for q in critics], 1)


def critic_loss(z):
    return 0.5 * ((q_values(z, actions) - targets) ** 2).sum(1).mean()


def actor_loss(z_of_actor, z_of_q, alpha=0.05):
    """The two places of z are two arguments, so that each can be cut on its own."""
    mean, log_std = actor(z_of_actor).chunk(2, 1)
    torch.manual_seed(1)  # the same noise for every routing
    noise = torch.randn_like(mean)
    u = mean + log_std.exp() * noise
    sample = torch.tanh(u)
    squash = 2 * (np.log(2) - u - F.softplus(-2 * u))  # log of tanh's slope
    log_prob = (-0.5 * noise**2 - log_std - 0.5 * np.log(2 * np.pi) - squash).sum(1)
    return (alpha * log_prob - q_values(z_of_q, sample).min(1).values).mean()


def arrives(loss):
    """The norm of the gradient that a loss leaves in the encoder."""
    encoder.zero_grad(set_to_none=True)
    loss().backward()
    return gradient_norm(encoder)


z = lambda: encoder(images)
cut = lambda: z().detach()
assert z().shape == (48, 64)

# %% [markdown]
# ## The trap, measured
#
# "The actor's features are detached, so the actor's loss does not reach the encoder." Is that so?

# %%
everything = arrives(lambda: actor_loss(z(), z()))
only_q = arrives(lambda: actor_loss(cut(), z()))
only_actor = arrives(lambda: actor_loss(z(), cut()))
nothing = arrives(lambda: actor_loss(cut(), cut()))
from_critic = arrives(lambda: critic_loss(z()))

display(
    Markdown(
        "| what reaches the encoder | gradient norm |\n|---|---|\n"
        f"| critic's loss | {from_critic:.4f} |\n"
        f"| actor's loss, nothing cut | {everything:.4f} |\n"
        f"| actor's loss, **the actor's features detached** | **{only_q:.4f}** |\n"
        f"| actor's loss, only Q's features detached | {only_actor:.4f} |\n"
        f"| actor's loss, both detached | {nothing:.4f} |"
    )
)
assert only_q > 0, "the gradient through Q is still there"
assert only_actor < only_q / 5, "the way through the actor is the smaller by far"
assert nothing == 0

# %% [markdown]
# It is not so. The third row is a gradient that arrives through Q: call it the *stray* gradient. Usually no
# optimizer takes a step by it: the encoder is in the critic's, which clears gradients before its next loss. So
# nothing *breaks*. But the backward pass through the encoder is paid for. And whoever clips gradients over all
# parameters, or accumulates them over several batches, gets it mixed in.
#
# The repair is also the cheapest program: **encode once, hand the actor and its Q the same detached
# features.**


# %%
def update_gradients():
    """Both losses of one update, as DrQ-v2 orders them."""
    encoder.zero_grad(set_to_none=True)
    features = encoder(images)  # the one pass with gradients
    critic_loss(features).backward()
    after_critic = gradient_norm(encoder)
    seen = features.detach()
    actor_loss(seen, seen).backward()
    return after_critic, gradient_norm(encoder)


after_critic, after_actor = update_gradients()
assert np.isclose(after_critic, from_critic) and after_actor == after_critic
print(
    f"in the encoder after the critic's loss: {after_critic:.4f}; after the actor's: {after_actor:.4f}"
)

# %% [markdown]
# ## The three routings
#
# | routing | in SB3 | who trains the encoder |
# |---|---|---|
# | **separate** | `share_features_extractor=False`, **the default** | there are two: the critic's is trained by TD error, the actor's by the actor's loss |
# | **actor** | `share_features_extractor=True` | the actor's loss alone; the critic's is cut off, and with it the actor's own way through Q |
# | **critic** | not in SB3; `DrQv2SACPolicy` | the critic's loss alone |
#
# Note the first row. SB3 does *not* cut the critic's gradient by default: the critic has an encoder of its
# own, and the {term}`TD error` trains it. Only `True` cuts. The source manuscript says otherwise, and builds
# its story on it.
#
# The third routing came with SAC+AE {cite}`yarats2019`; DrQ {cite}`kostrikov2020` and DrQ-v2
# {cite}`yarats2021` kept it. Why the critic? The TD error says something about every transition; the actor's
# loss can only pass on what Q already knows.
#
# DrQ-v2 itself is not SAC but [DDPG](05_her_recap.ipynb) with an {term}`n-step target`; only its routing is taken here, with
# two differences. Our target critic has a slow encoder of its own, as in SAC+AE and DrQ; DrQ-v2 encodes the next
# observation with the online encoder. And all three give actor and critic a linear trunk each behind the
# convolutions, so there the actor's loss does train a layer of its own.
#
# Choose a routing below, and see which loss leaves how much gradient in which encoder. The norms come from one real
# update on Push from pixels: SB3's own `train()`, and for the last button that of our `DrQv2SAC`. Hooks on the
# optimizers read what had arrived. The critic's routing has two buttons. One is the trap, *gate forgotten*: the
# actor's features are detached, those of its Q are not. The other is `DrQv2SACPolicy` with the algorithm `DrQv2SAC`,
# which encodes an observation once for all who need it.

# %%
GradientRouting.from_artifact()

# %%
edges = measurement("gradient-routing")["edges"]
found = {(e["routing"], e["encoder"], e["loss"]): e for e in edges}

assert found["separate", "critic's", "critic"]["grad_norm"] > 0  # SB3's default trains it
assert found["actor", "shared", "critic"]["grad_norm"] == 0  # True cuts it
assert found["critic_open", "shared", "actor"]["grad_norm"] > 0  # the trap ...
assert found["critic_open", "shared", "actor"]["moved"] == 0  # ... is never stepped
assert found["critic_once", "shared", "actor"]["grad_norm"] == 0  # ours
passes = {e["label"]: e["encoder_passes"] for e in edges}
print("encoder passes in one update:")
for label, count in passes.items():
    print(f"  {label:<34} {count}")
assert passes["DrQv2SACPolicy"] == 5 and passes["DrQv2SACPolicy + DrQv2SAC"] == 3

# %% [markdown]
# Five passes. Three encode the observation: for the actor, for the critic's loss, for the actor's Q. Two encode the
# next one: for the next action and, in the target's own encoder, for its value. `DrQv2SAC` merges the first three.
#
# ## Along a run
#
# One update from fresh weights says which ways are open. It does not say how much passes later. So take
# pixel Reach, with the three arms that [Reach by reward](20_reach_and_pixels.ipynb) compares, for
# {artifact}`gradients-along-run:provenance.parameters.steps|int` environment steps and three seeds that no
# result reports. After every round of episodes the learner is copied, and the *copy* takes an update: in
# SB3's `train()`, or in `DrQv2SAC` where the critic trains the encoder. The run itself goes on, bit for
# bit as if nobody had looked. Each norm is the mean over
# {artifact}`gradients-along-run:provenance.parameters.batches|int` batches.
#
# The control comes first. A way that is cut must show nothing, at every point and in every seed.

# %%
runs = measurement("gradients-along-run")["runs"]
runs = {run["routing"]: run for run in runs}
along = {  # (seeds, points)
    (routing, edge["encoder"], edge["loss"]): np.array(edge["grad_norm"])
    for routing, run in runs.items()
    for edge in run["edges"]
}
updates = np.array(runs["critic"]["updates"])
cut_ways = (
    ("separate", "actor's", "critic"),
    ("actor", "shared", "critic"),
    ("critic", "shared", "actor"),
)
for way, norms_of_way in along.items():
    assert (norms_of_way == 0).all() if way in cut_ways else (norms_of_way > 0).all(), way
print(f"{sum(along[way].size for way in cut_ways)} norms behind a cut: all exactly 0")
print(f"{sum(n.size for w, n in along.items() if w not in cut_ways)} norms elsewhere: none is 0")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Gradient norm in the encoder along pixel Reach, under each loss and routing. Thin lines are the seeds, thick ones their medians; a way that is cut has no line.", "name": "fig-routing-norms"}, "image": {"alt": "Two panels of gradient norms in the encoder against updates, on a logarithmic scale, three seeds each. Left, the critic's loss: separate and critic fall at once from above one to between one and four hundredths, climb again and stay near a tenth. Right, the actor's loss: in the actor's own encoder it falls to about a thousandth and later returns to several hundredths under separate, but stays near a thousandth under actor; the stray gradient in the critic's encoder stays above one almost throughout."}}
DRAWN = {  # way → color, line, marker, words
    ("separate", "critic's", "critic"): ("blue", "-", "o", "separate, critic's encoder"),
    ("critic", "shared", "critic"): ("green", "-", "^", "critic, shared encoder"),
    ("separate", "critic's", "actor"): ("sky", "--", "v", "separate, critic's encoder: stray"),
    ("separate", "actor's", "actor"): ("blue", "-", "o", "separate, actor's encoder"),
    ("actor", "shared", "actor"): ("vermillion", "-", "s", "actor, shared encoder"),
}
use_style()
figure, panels = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True)
for axes, loss in zip(panels, ("critic", "actor"), strict=True):
    for way, (color, line, marker, words) in DRAWN.items():
        if way[2] == loss:
            style = {"color": OKABE_ITO[color], "ls": line}
            axes.plot(updates, along[way].T, lw=0.7, alpha=0.6, **style)
            axes.plot(updates, np.median(along[way], 0), marker=marker, ms=4, label=words, **style)
    for routing, whose, cut_loss in cut_ways:
        if cut_loss == loss:
            axes.plot([], [], " ", label=f"{routing}, {whose} encoder: exactly 0")
    axes.set(yscale="log", xlabel="updates", title=f"the {loss}'s loss")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize="small")
panels[0].set_ylabel("gradient norm in the encoder")
plt.show()

# %% [markdown]
# In {numref}`fig-routing-norms`, left, the critic's gradient goes on arriving wherever it is not cut. Right, the
# actor's own gradient fades; the stray one does not.
#
# A norm is not a step: Adam divides the size of the gradient out. So in the table the distance that the encoder has
# moved stands beside the norm, relative to its first weights. Medians over the three seeds:


# %% tags=["hide-input"]
early = int(np.searchsorted(updates, 250))
moved_at = {  # (seeds, 2): early and at the end
    (routing, whose): np.array(moved)[:, [early, -1]]
    for routing, run in runs.items()
    for whose, moved in run["moved"].items()
}


def table(show):
    """Norms and distances; `show` writes the numbers of the seeds into one cell."""
    rows = [
        "| routing | encoder | from | norm, fresh | its least | at the end "
        f"| moved after {updates[early]} updates | after {updates[-1]:,} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for way, found_norms in along.items():
        if way in cut_ways:
            continue
        routing, whose, loss = way
        norms_shown = (found_norms[:, 0], found_norms.min(1), found_norms[:, -1])
        stray = way == ("separate", "critic's", "actor")
        distances = ["not by this", ""] if stray else map(show, moved_at[routing, whose].T)
        cells = [routing, whose, f"{loss}'s loss{', stray' if stray else ''}"]
        cells += [*map(show, norms_shown), *distances]
        rows.append(f"| {' | '.join(cells)} |")
    return Markdown("\n".join(rows))


display(table(lambda values: f"{np.median(values):.2g}"))

stray = along["separate", "critic's", "actor"]
ratio = stray / along["separate", "critic's", "critic"]
print(
    f"separate, critic's encoder: the stray gradient is {np.median(ratio[:, 0]):.1f} times the "
    f"critic's own from fresh weights, {np.median(ratio[:, -1]):.0f} times at the end (medians)"
)
alone, own = along["actor", "shared", "actor"], along["separate", "actor's", "actor"]
for fading in (alone, own):
    assert (fading.min(1) < 0.1 * fading[:, 0]).all()
assert (own[:, -1] > 10 * own.min(1)).all() and own[:, -1].min() > 3 * alone[:, -1].max()
assert (alone[:, -1] < alone[:, 0]).all() and (alone[:, -1] > 5 * alone.min(1)).sum() == 1
traveled = {way: moved[:, 1] - moved[:, 0] for way, moved in moved_at.items()}
still = traveled.pop(("actor", "shared"))
assert (updates[early], updates[-1]) == (296, 1496)
assert round(min(moved.min() for moved in traveled.values()), 2) == 0.54
assert round(still.max(), 2) == 0.15
assert (ratio[:, -1] > 5 * ratio[:, 0]).all()
for arm in load_artifact("gradients-along-run").parameters["arms"]:
    for curve in (run.table() for run in runs_of(arm)):
        short = curve["step"] <= runs["critic"]["steps"][-1]
        assert curve["success"][short].max() <= 0.1, "some long run has risen by then"

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show each seed", "code_prompt_hide": "Hide each seed"}
display(table(lambda values: ", ".join(f"{v:.2g}" for v in values)))

# %% [markdown]
# Three things stand there.
#
# **What is cut stays cut.** The single update was no accident of fresh weights.
#
# **The actor's gradient fades.** On the way it falls below a tenth of its first norm, in every seed of both
# routings that let it pass. Where the critic has an encoder of its own, it comes back, sooner or later by
# seed, and the actor's encoder moves on. Where the shared encoder gets nothing else, it ends
# smaller than it began, though in one seed it has begun to grow. From update 296 to 1,496 the other encoders
# get farther from their first weights by at least 0.54, that shared encoder by at most 0.15.
#
# This fits the reading that an actor cannot teach an encoder what its critic does not see. It does not
# prove it. An actor whose actions have run into their bounds gets no gradient either, and how much of the
# fading that explains was not measured.
#
# **The stray gradient does not fade.** Measured where the encoders are separate, it starts near the size of
# the critic's own gradient. It ends as a multiple of it, because that one shrinks. So the trap is
# worse in a run than in one update: were the two added up, the stray one would set the direction.
#
# Nor is any of this the learning itself: at this length none of the
# [longer runs](20_reach_and_pixels.ipynb) has risen.

# %% [markdown]
# ## Build it into SB3
#
# Two gates first, each a few lines on SB3's own class. A gate lets a gradient into the encoder or keeps it out. The
# actor's is always closed: it encodes under `no_grad`. SB3's critic does so too if the encoder is shared; ours does
# not. Its gate closes for one caller only: where the *actions* carry a gradient, the loss is the actor's, and what
# would pass is the stray gradient.


# %%
class MyActor(Actor):
    """The actor's gate: features arrive detached."""

    def extract_features(self, obs, features_extractor):
        with torch.no_grad():
            return super().extract_features(obs, features_extractor)


class MyCritic(ContinuousCritic):
    """The critic's gate: open for the TD error, closed for the actor's loss."""

    def forward(self, obs, actions):
        with torch.set_grad_enabled(torch.is_grad_enabled() and not actions.requires_grad):
            features = self.extract_features(obs, self.features_extractor)
        return tuple(q(torch.cat([features, actions], dim=1)) for q in self.q_networks)


# %% [markdown]
# A policy in SB3 builds actor, critic and target in one method, `_build`. Three choices in it make the routing:
# the critic gets *the actor's* encoder object, the target gets one of its own, and the optimizers
# divide the parameters **by identity**. A name such as `features_extractor` occurs in both networks
# and says nothing about who else holds the tensor.


# %%
class MyPolicy(SACPolicy):
    """One encoder, trained by the critic's loss."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, features_extractor_class=ManipulationExtractor, **kwargs)

    def make_actor(self, features_extractor=None):
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return MyActor(**kwargs).to(self.device)

    def make_critic(self, features_extractor=None):
        kwargs = self._update_features_extractor(self.critic_kwargs, features_extractor)
        return MyCritic(**kwargs).to(self.device)

    def _build(self, lr_schedule):
        self.actor = self.make_actor()
        shared = self.actor.features_extractor
        self.critic = self.make_critic(features_extractor=shared)
        self.critic_target = self.make_critic(features_extractor=None)
        self.critic_target.load_state_dict(self.critic.state_dict())
        self.critic_target.set_training_mode(False)

        in_encoder = {id(p) for p in shared.parameters()}
        actor_only = [p for p in self.actor.parameters() if id(p) not in in_encoder]
        lr = lr_schedule(1)
        self.actor.optimizer = self.optimizer_class(actor_only, lr=lr)
        self.critic.optimizer = self.optimizer_class(list(self.critic.parameters()), lr=lr)


def make_model(policy):
    return SAC(policy, env, seed=0, buffer_size=64, device="cpu")


mine, theirs = make_model(MyPolicy), make_model(DrQv2SACPolicy)
held = {
    name: sum(p.numel() for group in optimizer.param_groups for p in group["params"])
    for name, optimizer in (("actor", mine.actor.optimizer), ("critic", mine.critic.optimizer))
}
in_encoder = sum(p.numel() for p in mine.actor.features_extractor.parameters())
everywhere = sum(p.numel() for p in mine.critic.parameters())
print(
    f"encoder {in_encoder:,} parameters; actor's optimizer {held['actor']:,}; critic's {held['critic']:,}"
)
assert mine.actor.features_extractor is mine.critic.features_extractor
assert mine.critic_target.features_extractor is not mine.critic.features_extractor
assert held["critic"] == everywhere
assert held["actor"] == sum(p.numel() for p in mine.actor.parameters()) - in_encoder
for a, b in zip(mine.policy.parameters(), theirs.policy.parameters(), strict=True):
    assert torch.equal(a, b)
print("the same weights as DrQv2SACPolicy")

# %% [markdown]
# And the proof in training: five updates of each, from the same memory and the same noise, end in the same
# weights, and the encoder moves.

# %%
before = flat_parameters(mine.critic.features_extractor)
for model in (mine, theirs):
    model.learning_starts = 60
    model.learn(60)
theirs.replay_buffer = mine.replay_buffer
theirs.policy.load_state_dict(mine.policy.state_dict())
for model in (mine, theirs):
    torch.manual_seed(0)
    np.random.seed(0)  # SB3 draws batches from it
    model.train(gradient_steps=5, batch_size=16)
for a, b in zip(mine.policy.parameters(), theirs.policy.parameters(), strict=True):
    torch.testing.assert_close(a, b)
moved = (flat_parameters(mine.critic.features_extractor) - before).norm()
assert moved > 0
print("five updates: equal weights; the encoder moved by", f"{moved:.4f}")

# %% [markdown]
# ```{exercise-start}
# :label: ex-routing
# ```
# Complete `norms`: the L2 norm of the gradient that each of the two losses leaves in the encoder,
# *each on its own*. Use `critic_loss`, `actor_loss`, `encoder`, `images` and `gradient_norm` from
# above, with nothing detached.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def norms():
    """(norm from the critic's loss, norm from the actor's loss)."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_norms(answer):
    """Names the likely mistake."""
    encoder.zero_grad(set_to_none=True)
    result = answer()
    assert result is not ..., "norms still returns ...: fill it in"
    assert np.shape(result) == (2,), "return two numbers: critic's first"
    critic, act = (float(n) for n in result)
    assert critic > 0 and act > 0, "a norm of zero: did you detach, or forget backward()?"
    encoder.zero_grad(set_to_none=True)
    critic_loss(encoder(images)).backward()
    actor_loss(encoder(images), encoder(images)).backward()
    mixed = gradient_norm(encoder)
    assert not np.isclose((critic, act), mixed).any(), (
        "gradients add up: clear them between the two losses"
    )
    assert not np.isclose(critic, everything), "the critic's norm comes first"
    assert not np.isclose(act, (only_q, only_actor)).any(), (
        "you detached one of the two: the actor and Q both get encoder(images) as it is"
    )
    assert np.allclose((critic, act), (from_critic, everything), rtol=1e-4), "not the L2 norm?"
    kept = copy.deepcopy(encoder.state_dict())
    encoder.zero_grad(set_to_none=True)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight *= 1.1
    try:
        result = answer()
        expected = arrives(lambda: critic_loss(z())), arrives(lambda: actor_loss(z(), z()))
    finally:
        encoder.load_state_dict(kept)
    assert np.allclose(result, expected, rtol=1e-4), (
        "with other weights in the encoder the norms are others: measure them anew at each call"
    )


# %% tags=["nbval-check-output"]
attempt(check_norms, norms)

# %% [markdown]
# ```{solution-start} ex-routing
# :class: dropdown
# ```


# %% tags=["solution"]
def norms():
    """(norm from the critic's loss, norm from the actor's loss)."""
    results = []
    for loss in (lambda f: critic_loss(f), lambda f: actor_loss(f, f)):
        encoder.zero_grad(set_to_none=True)
        loss(encoder(images)).backward()
        results.append(torch.cat([p.grad.flatten() for p in encoder.parameters()]).norm().item())
    return tuple(results)


check_norms(norms)
env.close()

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Settled
#
# | | |
# |---|---|
# | settled | SB3's default trains the critic's encoder by TD error. `True` cuts it. Detaching the actor's features is not enough. Encoding once is both the repair and the saving. The policy alone still encodes five times; with the algorithm `DrQv2SAC` it is three. |
# | settled for the first updates of pixel Reach | What is cut stays at exactly 0. The actor's gradient fades in the encoder that it trains. It returned where the critic has an encoder of its own, and stayed below its start where the actor's loss is all there is. The stray gradient outgrows the one that is stepped. |
# | not settled | Why the actor's gradient fades. Whether it does so on Push, and whether it returns later. |
# | command | `pixels measure gradient-routing`, `pixels measure gradients-along-run` |
#
# Whether the routing *matters* for learning is a question for {term}`matched runs`, not for this page:
# [Reach by reward](20_reach_and_pixels.ipynb) has them, and for Push
# [the five steps](18_five_steps.ipynb) say what is known. Next: the
# [networks from scratch](15_from_scratch_networks.ipynb).
