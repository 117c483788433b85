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
# # A visual SAC from scratch
#
# All parts are on the table: frames, a replay memory, a convolutional encoder, and the rule that the
# critic's loss trains it. This page joins them in plain PyTorch: an encoder for pictures and goals, an actor,
# two critics, and the update. At the end stands a program that trains from a camera on a CPU, and an honest
# look at what it has learned after ten minutes.
#
# You will be able to write each of its parts, and to say what a falling loss does not show. The page
# leans on [SAC in miniature](04_sac_recap.ipynb), on [the memory](08_replay_memory.ipynb) and on
# [gradient routing](14_gradient_routing.ipynb).

# %%
import copy
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from torch import nn

from labs import envs, from_scratch_sac, visual_encoder
from labs.artifacts import load_artifact
from labs.exercises import attempt
from labs.figures.results import decimal
from labs.figures.style import use_style
from labs.measurements.scratch_demo import FLOOR_SEED
from labs.pixel_wrapper import PixelReplayBuffer
from labs.visual_encoder import NatureCNN, shape_table
from labs.visual_encoder import squashed_gaussian_log_prob as squashed_log_prob

use_style()
torch.set_num_threads(1)

# %% [markdown]
# ## What the agent is told
#
# The task is Reach with its dense reward: at every step, minus the distance from gripper to goal in
# meters. The agent gets one frame of 84 × 84 and the **desired goal** as three numbers. The position
# of its own gripper it does not get: that, it seems, it has to see.
#
# Six episodes of random actions fill the memory with real transitions ({numref}`fig-scratch-frames`):

# %%
settings = from_scratch_sac.Settings()
env = from_scratch_sac.make_reach(settings)
buffer = PixelReplayBuffer(env.observation_space["pixels"].shape, 3, 4, 300, seed=0)
rng = np.random.default_rng(0)
for episode in range(6):
    observation, _ = env.reset(seed=episode)
    for _ in range(50):
        action = rng.uniform(-1, 1, 4).astype(np.float32)
        following, reward, terminated, *_ = env.step(action)
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
batch = buffer.sample(64)
pixels, goal = batch["pixels"], batch["desired_goal"]
assert pixels.shape == (64, 3, 84, 84) and goal.shape == (64, 3)

# %% mystnb={"figure": {"caption": "Frames of four transitions from the memory, with the reward of each. The goal is not drawn: the agent gets it as three numbers.", "name": "fig-scratch-frames"}, "image": {"alt": "Four frames of 84 by 84 pixels from the replay memory: the gripper from above the table at different places."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 4, figsize=(7.2, 2.1))
for ax, frame, reward in zip(axes, pixels, batch["rewards"], strict=False):
    ax.imshow(frame.permute(1, 2, 0))
    ax.set_title(f"reward {reward.item():.2f}", fontsize=8)
    ax.axis("off")
plt.show()

# %% [markdown]
# ## The encoder: a picture and a goal become one vector
#
# $$
# z = \big[\, \tanh\!\big(\mathrm{LayerNorm}(W\, c(x) + b)\big),\; g \,\big] \in \mathbb{R}^{50 + 3}
# $$ (eq-goal-encoder)
#
# Here $c$ are the convolutions of [NatureCNN](09_cnn_encoders.ipynb), $W$ and $b$ a linear layer, $x$ the
# frame and $g$ the goal. Why not simply append the goal to NatureCNN's usual 512 features? Look at them, at
# fresh weights:

# %%
torch.manual_seed(0)
plain = NatureCNN(3, features_dim=512)
with torch.no_grad():
    features = plain(pixels)
share = 3 / (512 + 3)
print(f"512 features of the picture, 3 of the goal: the goal is {share:.1%} of the input")
print(
    f"over a batch a feature varies by {features.std(0).mean():.4f}, the goal by {goal.std(0).mean():.4f}"
)

# %% [markdown]
# The goal is three columns of many. But [count is not loudness](11_features_extractor.ipynb): here the picture
# drowns, for its features hardly *vary*. Almost all of a frame looks the same every time, and what differs
# between two frames is lost in what does not. The remedy is the trunk of SAC+AE {cite}`yarats2019`, DrQ and
# DrQ-v2 {cite}`yarats2021`: fifty features, those of a frame brought to zero mean and unit variance, each
# squeezed into $(-1, 1)$.


# %%
class GoalEncoder(nn.Module):
    """Pixels (B, C, 84, 84) in [0, 1] and goal (B, 3) → features (B, 53)."""

    def __init__(self, channels=3, goal_dim=3, width=50):
        super().__init__()
        self.features_dim = width + goal_dim
        cnn = NatureCNN(channels, width, output_relu=False)  # a ReLU would throw the sign away
        self.image = nn.Sequential(cnn, nn.LayerNorm(width), nn.Tanh())

    def forward(self, pixels, goal):
        return torch.cat([self.image(pixels), goal], dim=1)


torch.manual_seed(0)
encoder = GoalEncoder()
with torch.no_grad():
    z, bare = encoder(pixels, goal), encoder.image[0](pixels)
print(f"fifty features without the ReLU vary by {bare.std(0).mean():.4f}")
print(
    f"after LayerNorm and Tanh by {z[:, :50].std(0).mean():.4f}, and the goal is {3 / 53:.1%} of the input"
)
assert z.shape == (64, 53) and z[:, :50].abs().max() < 1
assert torch.equal(z[:, 50:], goal), "the goal passes as it is"

# %% [markdown]
# ## The actor: a density on a box
#
# The actor turns $z$ into mean $\mu$ and standard deviation $\sigma$, draws $u$ from that Gaussian
# and squashes it, $a = \tanh u$. For its loss it must say how likely $a$ was, and the Gaussian's density of $u$ is
# not the answer. [SAC in miniature](04_sac_recap.ipynb) derives the right one, holds it against the integral and
# PyTorch, and trains an actor that forgets the squash. Here it comes from `labs`.
#
# What does it look like from outside to take the Gaussian's density all the same? Take an action of one number,
# integrate its entropy over the whole line of $u$, and hold the Gaussian's own entropy beside it. Both are in *nats*:
# the logarithm is the natural one.


# %%
def mlp(n_in, n_out, width=256):
    hidden = [nn.Linear(n_in, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(width, n_out))


grid = torch.linspace(-40, 40, 80_001, dtype=torch.float64)[:, None]  # of u


def entropy(deviation):
    """Entropy of tanh(u) in nats, u a Gaussian around 0, by the trapezoid rule."""
    log_std = torch.full_like(grid, math.log(deviation))
    log_density = squashed_log_prob(torch.zeros_like(grid), log_std, grid).squeeze()
    slope = 4 * torch.sigmoid(2 * grid) * torch.sigmoid(-2 * grid)  # da / du, never rounded to 0
    mass = log_density.exp() * slope.squeeze()
    return torch.trapezoid(-mass * log_density, grid.squeeze()).item()


# %% mystnb={"figure": {"caption": "Entropy of one action against the standard deviation of its Gaussian. Dashed: by the Gaussian's own formula, which forgets the squash; dotted: of the uniform density.", "name": "fig-scratch-entropy"}, "image": {"alt": "Entropy of one squashed action against the standard deviation of its Gaussian, on a logarithmic axis. The Gaussian's formula rises in a straight line without end. The true entropy rises with it while the deviation is small, peaks just below the dotted line of the uniform density near a deviation of 0.9, and then falls again."}}
deviations = np.geomspace(0.03, 7, 30)
true_entropy = np.array([entropy(deviation) for deviation in deviations])
gaussian_entropy = np.log(deviations) + 0.5 * math.log(2 * math.pi * math.e)

fig, ax = plt.subplots(figsize=(5.6, 3))
ax.semilogx(deviations, gaussian_entropy, "--", label="without the squash")
ax.semilogx(deviations, true_entropy, label="with it")
ax.axhline(math.log(2), color="0.4", ls=":", label="uniform")
ax.set(xlabel="standard deviation before the squash", ylabel="entropy (nats)")
ax.legend()
plt.show()
peak = deviations[true_entropy.argmax()]
print(f"the action is most random at a deviation of about {peak:.1f}")
assert true_entropy.max() < math.log(2) and 0.5 < peak < 1.5

gap = gaussian_entropy - true_entropy
print(f"the curves are {gap[true_entropy.argmax()]:.2f} nats apart there")
assert gap[deviations < 0.3].max() < 0.1 and 0.55 < gap[true_entropy.argmax()] < 0.65

# %% [markdown]
# Below a deviation of about 0.3 the two curves of {numref}`fig-scratch-entropy` agree within a tenth of a nat, so
# the mistake can go unseen for long. At the peak they are 0.6 nats apart. Right of it they disagree about the
# direction: an actor that is paid by the dashed one is told to widen without end.


# %%
class Actor(nn.Module):
    """Features → a squashed Gaussian over four actions."""

    def __init__(self, encoder, action_dim=4):
        super().__init__()
        self.encoder = encoder
        self.head = mlp(encoder.features_dim, 2 * action_dim)

    def sample(self, features):
        """Actions (B, 4) that gradients pass through, and their log-densities (B, 1)."""
        mean, log_std = self.head(features).chunk(2, dim=-1)
        log_std = log_std.clamp(-20, 2)
        u = mean + log_std.exp() * torch.randn_like(mean)
        return torch.tanh(u), squashed_log_prob(mean, log_std, u)


class TwinQ(nn.Module):
    """Features and an action → two independent opinions, (B, 1) each."""

    def __init__(self, encoder, action_dim=4):
        super().__init__()
        self.encoder = encoder
        self.q1 = mlp(encoder.features_dim + action_dim, 1)
        self.q2 = mlp(encoder.features_dim + action_dim, 1)

    def values(self, features, action):
        both = torch.cat([features, action], dim=1)
        return self.q1(both), self.q2(both)


# %% [markdown]
# ## The table of shapes

# %%
torch.manual_seed(0)
encoder = GoalEncoder()
actor, critic = Actor(encoder), TwinQ(encoder)
features = encoder(pixels, goal)
actions, log_prob = actor.sample(features)
q1, q2 = critic.values(features, actions)
count = lambda module: sum(p.numel() for p in module.parameters())
rows = [
    ("encoder.image", pixels, features[:, :50], count(encoder)),
    ("encoder: image's part and goal", torch.cat([features[:, :50], goal], 1), features, 0),
    ("actor.head", features, actor.head(features), count(actor.head)),
    ("actor.sample: action", features, actions, 0),
    ("actor.sample: log π", features, log_prob, 0),
    ("critic.q1, q2", torch.cat([features, actions], 1), q1, count(critic.q1) + count(critic.q2)),
]
lines = [f"| {n} | {tuple(i.shape)} | {tuple(o.shape)} | {p:,} |" for n, i, o, p in rows]
display(Markdown("\n".join(["| part | takes | gives | parameters |", "|---|---|---|---|", *lines])))

assert features.shape == (64, 53) and actions.shape == (64, 4)
assert q1.shape == q2.shape == log_prob.shape == batch["rewards"].shape == (64, 1)
assert not torch.equal(q1, q2), "two opinions, not one twice"

# %% [markdown]
# The largest single layer is the linear one after the convolutions:

# %% tags=["nbval-check-output"]
print(shape_table(encoder.image, pixels))

# %% [markdown]
# The same weights in the networks of `labs` must give the same numbers.

# %%
reference_encoder = visual_encoder.VisualGoalEncoder(in_channels=3)
reference_actor = visual_encoder.VisualGaussianPolicy(reference_encoder)
reference_critic = visual_encoder.VisualTwinQNetwork(reference_encoder)
reference_actor.load_state_dict(actor.state_dict())
reference_critic.load_state_dict(critic.state_dict())

with torch.no_grad():
    torch.manual_seed(5)
    mine = actor.sample(encoder(pixels, goal))
    torch.manual_seed(5)
    theirs = reference_actor(pixels, goal)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b)
    mine = critic.values(encoder(pixels, goal), batch["actions"])
    for a, b in zip(mine, reference_critic(pixels, goal, batch["actions"]), strict=True):
        torch.testing.assert_close(a, b)
print("actions, log-densities and values: equal")

# %% [markdown]
# ## The update: one function, one idea
#
# **The target.** What the transition says about its action: the reward, and what the next state is
# worth by the more pessimistic of two slow copies. In $z'$, the features of the next observation, the actor reads
# those of the encoder that learns, and $\bar Q$ those of a slow encoder of its own.
#
# $$
# y = r + \gamma\,(1 - d)\,\big[\min_i \bar Q_i(z', a') - \alpha \log \pi(a' \mid z')\big]
# $$ (eq-visual-target)


# %%
@torch.no_grad()
def td_target(agent, batch):
    goal = batch["desired_goal"]  # the same through an episode
    action, log_prob = agent.actor.sample(agent.actor.encoder(batch["next_pixels"], goal))
    slow = agent.target.encoder(batch["next_pixels"], goal)  # the slow copy sees with slow eyes
    worth = torch.min(*agent.target.values(slow, action)) - agent.alpha() * log_prob
    return batch["rewards"] + agent.gamma * (1 - batch["dones"]) * worth


# %% [markdown]
# **The critic's loss** is the squared distance to that target, summed over both critics, without the last page's factor
# ½. The features carry a gradient: here, and only here, the encoder learns.


# %%
def critic_loss(agent, batch, features):
    y = td_target(agent, batch)
    q1, q2 = agent.critic.values(features, batch["actions"])
    return F.mse_loss(q1, y) + F.mse_loss(q2, y)


# %% [markdown]
# **The actor's loss** climbs the smaller value and pays for being predictable. The features arrive
# detached, for both places where they stand ([why both](14_gradient_routing.ipynb)).


# %%
def actor_loss(agent, features):
    features = features.detach()
    action, log_prob = agent.actor.sample(features)
    q = torch.min(*agent.critic.values(features, action))
    return (agent.alpha() * log_prob - q).mean(), log_prob.detach()


# %% [markdown]
# **The temperature** is a thermostat on the entropy; its target is minus the number of actions, $-4$.
# **The target critic** follows slowly, with its encoder.


# %%
def alpha_loss(agent, log_prob):
    return -(agent.log_alpha * (log_prob + agent.target_entropy)).mean()


@torch.no_grad()
def follow(agent):
    for slow, fast in zip(agent.target.parameters(), agent.critic.parameters(), strict=True):
        slow.lerp_(fast, agent.tau)


# %% [markdown]
# **The agent** holds the parts. One line deserves a second look: the actor's optimizer gets
# `actor.head`. Had it got `actor.parameters()`, it would hold the encoder too, since the encoder is
# a part of the actor as well. Detached features would still protect it, until one `detach` is forgotten.


# %%
class Agent:
    def __init__(self, settings):
        encoder = GoalEncoder(3 * settings.frame_stack)
        self.actor, self.critic = Actor(encoder), TwinQ(encoder)
        self.target = copy.deepcopy(self.critic).requires_grad_(False)
        self.log_alpha = nn.Parameter(torch.tensor(settings.init_alpha).log())
        self.gamma, self.tau, self.target_entropy = settings.gamma, settings.tau, -4.0
        adam, rate = torch.optim.Adam, settings.learning_rate
        self.actor_optimizer = adam(self.actor.head.parameters(), rate)
        self.critic_optimizer = adam(self.critic.parameters(), rate)
        self.alpha_optimizer = adam([self.log_alpha], rate)

    def alpha(self):
        return self.log_alpha.detach().exp()


def step(loss, optimizer):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def update(agent, batch):
    features = agent.critic.encoder(batch["pixels"], batch["desired_goal"])  # seen once
    loss_q = critic_loss(agent, batch, features)
    step(loss_q, agent.critic_optimizer)
    loss_pi, log_prob = actor_loss(agent, features)
    step(loss_pi, agent.actor_optimizer)
    step(alpha_loss(agent, log_prob), agent.alpha_optimizer)
    follow(agent)
    return {"critic_loss": loss_q.item(), "actor_loss": loss_pi.item()}


# %% [markdown]
# Against `labs`: the same weights, batches and noise, three updates, and every parameter of every
# network ends in the same place.

# %%
torch.manual_seed(0)
agent, reference = Agent(settings), from_scratch_sac.Agent(settings)
for name in ("actor", "critic", "target"):
    getattr(reference, name).load_state_dict(getattr(agent, name).state_dict())
start = copy.deepcopy(agent.critic)
for number in range(3):
    small = {key: value[16 * number : 16 * number + 16] for key, value in batch.items()}
    torch.manual_seed(number)
    mine = update(agent, small)
    torch.manual_seed(number)
    theirs = from_scratch_sac.update(reference, small)
    assert math.isclose(mine["critic_loss"], theirs["critic_loss"], rel_tol=1e-5)
for name in ("actor", "critic", "target"):
    pairs = zip(
        getattr(agent, name).parameters(), getattr(reference, name).parameters(), strict=True
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b)
torch.testing.assert_close(agent.log_alpha, reference.log_alpha)


def moved(new, old):
    pairs = zip(new.parameters(), old.parameters(), strict=True)
    return math.sqrt(sum((a - b).pow(2).sum().item() for a, b in pairs))


print(f"equal. The encoder moved by {moved(agent.critic.encoder, start.encoder):.3f},", end=" ")
print(f"its slow copy by {moved(agent.target.encoder, start.encoder):.4f}")
assert moved(agent.critic.encoder, start.encoder) > moved(agent.target.encoder, start.encoder) > 0

# %% [markdown]
# ## Does the loss fall, and what does that show?
#
# The cheapest test of a learner: give it one batch of 32 again and again. If the critic's loss does
# not fall even there, something is not connected. Three controls run beside it:
#
# * **rewards dealt anew** at every update, among the same transitions. Nothing can be learned but
#   their mean, so the loss must soon stop falling.
# * **lens cap on**: all pictures black. Goal and action are still there.
# * **encoder frozen**: at its random weights. The heads learn alone.


# %%
def fixed_batch(shuffled=False, blind=False, frozen=False, updates=120):
    """Critic's loss at each update, and its loss at last on 32 transitions it never saw."""
    torch.manual_seed(0)
    agent = Agent(settings)
    agent.critic.encoder.requires_grad_(not frozen)
    light = 0.0 if blind else 1.0
    scene = batch | {key: light * batch[key] for key in ("pixels", "next_pixels")}
    train, unseen = ({k: v[rows] for k, v in scene.items()} for rows in (slice(32), slice(32, 64)))
    rewards, losses = train["rewards"], []
    for _ in range(updates):
        dealt = rewards[torch.randperm(32)] if shuffled else rewards
        losses.append(update(agent, train | {"rewards": dealt})["critic_loss"])
    with torch.no_grad():
        features = agent.critic.encoder(unseen["pixels"], unseen["desired_goal"])
        return np.array(losses), critic_loss(agent, unseen, features).item()


runs = {
    "as it is": fixed_batch(),
    "rewards dealt anew": fixed_batch(shuffled=True),
    "lens cap on": fixed_batch(blind=True),
    "encoder frozen": fixed_batch(frozen=True),
}
last = {name: losses[-10:].mean() for name, (losses, _) in runs.items()}
rows = [
    f"| {name} | {losses[0]:.4f} | {last[name]:.4f} | {unseen:.4f} |"
    for name, (losses, unseen) in runs.items()
]
header = (
    "| critic's loss | first update | last ten | transitions it never saw |\n|---|---|---|---|\n"
)
display(Markdown(header + "\n".join(rows)))

# %% mystnb={"figure": {"caption": "Critic's loss while one batch of 32 is given again and again, for the learner as it is and for the three controls. One run each.", "name": "fig-scratch-controls"}, "image": {"alt": "Critic's loss on a fixed batch over 120 updates, on a logarithmic axis. All four curves drop to about a tenth within a few updates. With rewards dealt anew the curve stays there. As it is, the loss falls further by about a factor of ten. With the encoder frozen it falls as far. With the lens cap on it falls further too, but less far."}}
fig, ax = plt.subplots(figsize=(5.8, 3))
for (name, (losses, _)), style in zip(runs.items(), ("-", "--", ":", "-."), strict=True):
    ax.semilogy(losses, style, label=name)
ax.set(xlabel="updates on the same batch", ylabel="critic's loss")
ax.legend()
plt.show()
assert last["as it is"] < last["rewards dealt anew"] / 3, "rewards do not reach the heads"
assert last["encoder frozen"] < 2 * last["as it is"], "the encoder helps here: say so"
assert last["rewards dealt anew"] < runs["as it is"][0][0], "the mean itself is learned by all"
assert last["lens cap on"] < last["rewards dealt anew"], "32 actions can be told apart blindly"
assert runs["as it is"][1] > 5 * last["as it is"], "32 transitions were memorized"

# %% [markdown]
# Read it slowly. The loss falls far below the first control ({numref}`fig-scratch-controls`), so rewards reach the
# heads. This does not show that they reach the encoder: frozen, at random weights, the encoder serves as well.
# That it is trained, the comparison with `labs` has shown: it moved.
#
# The blind critic's loss falls too, though less far: pictures help to tell thirty-two transitions apart. On
# transitions that were not in the batch, seeing and blind do about equally badly. So the critic knows
# thirty-two transitions by heart. **A falling critic's loss shows that something is learned. It does not show
# that anything is seen.** Keep that for the long flat curves of later parts.

# %% [markdown]
# ```{exercise-start}
# :label: ex-scaled-density
# ```
# A robot's action seldom lives in $[-1, 1]$. Let joint $i$ take $a'_i \in [l_i, h_i]$, with
# $a' = l + \tfrac12 (a + 1)(h - l)$. Given the log-density of $a$, complete `scaled_log_prob`, the
# log-density of $a'$. As with tanh, the density is divided by the slope.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def scaled_log_prob(log_prob, low, high):
    """log_prob (B, 1) of a in [-1, 1]; low and high (A,) → log-density of a', (B, 1)."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_scaled_log_prob(answer):
    """Names the likely mistake."""
    low, high = torch.tensor([0.0, -2.0, -1.0]), torch.tensor([4.0, 6.0, 0.5])
    log_prob = torch.tensor([[0.3], [-1.2]])
    result = answer(log_prob.clone(), low, high)
    assert result is not ..., "scaled_log_prob still returns ...: fill it in"
    assert result.shape == (2, 1), f"received shape {tuple(result.shape)}, expected (2, 1)"
    half, whole = ((high - low) / 2).log().sum(), (high - low).log().sum()
    mistakes = {
        "unchanged: stretching a density lowers it": log_prob,
        "the sign: a wider box means a lower density": log_prob + half,
        "the box of a is 2 wide, so the stretch is (high - low) / 2": log_prob - whole,
        "sum over the joints, do not average": log_prob - ((high - low) / 2).log().mean(),
        "the logarithm is missing": log_prob - ((high - low) / 2).sum(),
    }
    for name, wrong in mistakes.items():
        assert not torch.allclose(result, wrong), name
    assert torch.allclose(result, log_prob - half), (
        "not the density of a': every joint is stretched by (high - low) / 2, and the stretches multiply"
    )
    # A density: one action in [0, 4] must have area 1.
    points = torch.linspace(0, 4, 20_003, dtype=torch.float64)[1:-1, None]
    u = torch.atanh(points / 2 - 1)
    inner = squashed_log_prob(torch.full_like(u, 0.3), torch.full_like(u, -0.5), u)
    density = answer(inner, torch.zeros(1), torch.full((1,), 4.0)).exp()
    area = torch.trapezoid(density.squeeze(), points.squeeze()).item()
    assert abs(area - 1) < 1e-3, f"the density on [0, 4] has area {area:.3f}, expected 1"


# %% tags=["nbval-check-output"]
attempt(check_scaled_log_prob, scaled_log_prob)

# %% [markdown]
# ```{solution-start} ex-scaled-density
# :class: dropdown
# ```


# %% tags=["solution"]
def scaled_log_prob(log_prob, low, high):
    """log_prob (B, 1) of a in [-1, 1]; low and high (A,) → log-density of a', (B, 1)."""
    return log_prob - ((high - low) / 2).log().sum()


check_scaled_log_prob(scaled_log_prob)

# %% [markdown]
# The stretch is a constant, so it moves no gradient. It does move the entropy, and with it the
# thermostat, whose target counts nats in $[-1, 1]$. So SAC keeps to $[-1, 1]$ inside and rescales at the door.
# ```{solution-end}
# ```
#
# ## The demonstration
#
# Can the task itself tell whether anything is seen? `labs` has the same networks and the same
# update, and a loop that acts, stores and updates. One command runs it:
#
# ```bash
# python -m labs.visual_encoder --demo          # about ten minutes on an idle CPU
# python -m labs.visual_encoder --demo-short    # under a minute: too short to learn
# ```
#
# It times a few steps on your machine and says how long the run will take. Then it prints recent
# return, success rate and losses, and draws them. {numref}`fig-scratch-demo` is one real run, seed
# {artifact}`from-scratch-demo:provenance.parameters.seed`, of
# {artifact}`from-scratch-demo:provenance.parameters.steps|int` steps on one core of a busy machine:
# {artifact}`from-scratch-demo:cpu_seconds|duration` of computing,
# {artifact}`from-scratch-demo:wall_seconds|duration` by the clock. `python -m
# labs.measurements.scratch_demo` makes it again, and replaces it.

# %% mystnb={"figure": {"caption": "The demonstration: the return of each episode (dots) with its running mean, and the critic's loss. The two horizontal lines are the negative controls, the same task without any learning.", "name": "fig-scratch-demo"}, "image": {"alt": "Left: return of each training episode against environment steps, with its running mean. The mean starts below that of random actions, passes it after two thousand steps, reaches that of doing nothing after six thousand, and stays a little above it from eight thousand on. Right: the critic's loss, logarithmic; it jumps up within the first thousand steps and then creeps down, from about 0.013 to 0.008, with no fall of its own where the return rises."}}
artifact = load_artifact("from-scratch-demo")
demo = artifact.json("measurement.json")
floors = demo["floors"]
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
steps, returns = np.array(demo["episode_steps"]), np.array(demo["returns"])
window = 20
smooth = np.convolve(returns, np.ones(window) / window, mode="valid")
left.plot(steps / 1000, returns, ".", ms=3, alpha=0.35)
left.plot(steps[window - 1 :] / 1000, smooth, color="C0", label=f"agent, mean of {window}")
for (name, floor), style in zip(floors.items(), (":", "-."), strict=True):
    label = {"no_op": "does nothing", "random": "random"}[name]
    left.axhline(floor["return_mean"], color="0.35", ls=style, label=label)
left.set(xlabel="thousands of environment steps", ylabel="return of an episode")
left.legend(fontsize=8, loc="lower right")
right.semilogy(np.array(demo["update_steps"]) / 1000, demo["losses"]["critic_loss"], color="C1")
right.set(xlabel="thousands of environment steps", ylabel="critic's loss")
plt.show()

# %%
table = ["| | mean return | success at the end of an episode |", "|---|---|---|"]
names = {"no_op": "does nothing", "random": "random actions"}
scores = {names[key]: floors[key] for key in names}
scores |= {"the agent's first episodes": demo["first"], "the agent's last episodes": demo["last"]}
for name, score in scores.items():
    low, high = 100 * score["success_low"], 100 * score["success_high"]
    table.append(
        f"| {name} ({score['episodes']}) | {decimal(score['return_mean'], 2)} ± {score['return_std']:.2f} "
        f"| {score['success']:.0%} (95 %: {low:.0f} to {high:.0f} %) |"
    )
display(Markdown("\n".join(table)))

# %% [markdown]
# Did it learn? Something: its first episodes earn what random actions earn, its last ones far more. For about
# half of the run it earned less than doing nothing earns. Then its return climbs to that line and a little
# above, although it plays with its own noise. Whether it ends above, forty episodes do not settle. The
# critic's loss shows nothing of this: after a jump at the start it creeps down.
#
# And the agent did not learn to *reach*. Few of its last episodes end at the goal, and the interval of their
# success rate overlaps that of doing nothing. Ten minutes on a CPU show the machine at work, not the task
# solved. The long runs of the coming parts are for that.

# %%
idle, late = floors["no_op"], demo["last"]
error = math.hypot(
    idle["return_std"] / math.sqrt(idle["episodes"]),
    late["return_std"] / math.sqrt(late["episodes"]),
)
gain = late["return_mean"] - idle["return_mean"]
print(f"return above doing nothing: {gain:.2f} ± {error:.2f} (standard error)")
assert 0 < gain < 2 * error, "the last episodes may beat doing nothing"
assert late["return_mean"] - demo["first"]["return_mean"] > 3, "and they do beat the first ones"
assert late["success_low"] < idle["success_high"], "the text says that the intervals overlap"

# %% [markdown]
# Does the gain at least show that it *sees*? Here is the control that is easily forgotten. The
# gripper starts every episode at the same place. A rule that never looks can know that place by
# heart, and move from there toward the goal at constant speed:

# %%
env = envs.make_env("reach", render_mode=None)
known_start = env.reset(seed=0)[0]["achieved_goal"]
blind_returns, blind_successes = [], []
for episode in range(30):
    observation, _ = env.reset(seed=FLOOR_SEED + episode)
    assert np.allclose(observation["achieved_goal"], known_start), "always the same place"
    way = observation["desired_goal"] - known_start
    # 50 steps; a full action asks for 5 cm. 1.4, set by hand: the arm covers less than it is asked for.
    action = np.r_[1.4 * way / (50 * 0.05), 0]
    total = 0.0
    for _ in range(50):
        _, reward, _, _, info = env.step(action.astype(np.float32))
        total += reward
    blind_returns.append(total)
    blind_successes.append(info["is_success"])
env.close()
print(f"never looks: return {np.mean(blind_returns):.2f}, success {np.mean(blind_successes):.0%}")
assert np.mean(blind_returns) > demo["last"]["return_mean"] and np.mean(blind_successes) > 0.9

# %% [markdown]
# A blind rule beats the agent, and nearly always succeeds. So on this task, given the goal in numbers,
# **neither return nor success proves sight**. That is no fault of the networks: the observation hands out
# the hard part. Where this book claims that a policy sees, a blind control stands beside it.
#
# ## Settled
#
# A visual SAC is an encoder, an actor with a density on a box, two critics, and five short functions. You have
# built each, the density on [the page on SAC](04_sac_recap.ipynb), and each equals the one in `labs`.
# Stable-Baselines3, the library that this book's learner is held to, has the same parts under other names.
# Which is which, and what it adds, is the [bridge](16_bridge_to_sb3.ipynb).
