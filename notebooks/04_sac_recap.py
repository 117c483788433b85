# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 30 s, hardware: any CPU}
# ---

# %% [markdown]
# # SAC in miniature
#
# Almost every policy of this book is trained by soft actor-critic, {term}`SAC` {cite}`haarnoja2018`, in its later
# form: without a value network, and with a temperature that sets itself {cite}`haarnoja2018b`. This page builds it in
# about a hundred lines and trains it on the real Reach task in seconds. If you know SAC, read the exercise and go
# on. If you do not, build it once: later pages change single lines of it, and a single line decides whether
# anything is learned.
#
# You will be able to write each of SAC's losses, and to say what goes wrong without it. The page leans
# on [the Reach task](01_proof_of_life.ipynb), and on your knowing what states, actions and returns are.
#
# SAC asks for two things at once, a high return, discounted by $\gamma$, *and* a policy that stays as random as it can
# afford:
#
# $$ J(\pi) = \mathbb{E}_\pi \Big[ \sum_t \gamma^t \big( r_t + \alpha \, \mathcal{H}(\pi(\cdot \mid s_t)) \big) \Big],
# \qquad \mathcal{H}(\pi) = -\mathbb{E}_{a \sim \pi} \log \pi(a \mid s) $$ (eq-soft-objective)
#
# The second part of the sum, the **entropy** $\mathcal{H}$, keeps the agent exploring. Its weight $\alpha$ is called the
# {term}`temperature <entropy coefficient>`.
#
# For the worth of the next state, Q-learning takes $\max_a Q(s', a)$. With four real numbers for an action
# nobody can try them all. So a second network, the *actor*, is trained to climb $Q$, and its action stands where
# Q-learning has the maximum. It inherits the maximum's optimism, as we shall see.
#
# SAC is made of five ideas: a policy whose probabilities we can compute,
# two critics, a soft Bellman target, a slow copy of the critics, and a temperature that sets itself.

# %%
import copy
import math
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from torch import nn

from labs import envs
from labs.exercises import attempt
from labs.figures.style import use_style

use_style()
torch.set_num_threads(1)  # such small networks gain nothing from a second core
_ = torch.manual_seed(0)

# %% [markdown]
# ## A policy whose probabilities we can compute
#
# Actions live in $[-1, 1]$; a Gaussian does not. So the policy draws $u$ from a Gaussian and
# *squashes* it, $a = \tanh u$. The likely mistake is to keep the Gaussian's log-probability. (In shapes, `B` is the
# size of the batch; `A` and `S` say how many numbers an action and a state have.)


# %%
def gaussian_log_prob(mean, log_std, u):
    """Log-density of u, (B, A) → (B, 1)."""
    z = (u - mean) / log_std.exp()
    return (-0.5 * z**2 - log_std - 0.5 * math.log(2 * math.pi)).sum(-1, keepdim=True)


# %% [markdown]
# To see what the mistake does, take away the reward. Only entropy is left to maximize, so on a
# bounded interval the best policy is *uniform*. We let gradient descent look for it: the loss is the mean log-probability,
# which is minus the entropy.


# %%
def maximize_entropy(log_prob, steps=200):
    """The actions of a policy that was trained to be as random as possible, nothing else."""
    mean, log_std = torch.zeros(1, requires_grad=True), torch.full((1,), -1.0, requires_grad=True)
    optimizer = torch.optim.Adam([mean, log_std], lr=0.03)
    for _ in range(steps):
        u = mean + log_std.exp() * torch.randn(256, 1)
        optimizer.zero_grad()
        log_prob(mean, log_std, u).mean().backward()
        optimizer.step()
    return torch.tanh(mean + log_std.exp() * torch.randn(5000, 1)).detach().numpy()


naive = maximize_entropy(gaussian_log_prob)
print(f"{np.mean(np.abs(naive) > 0.99):.0%} of the actions lie within 1 % of the ends")
assert np.mean(np.abs(naive) > 0.99) > 0.5

# %% [markdown]
# The policy believes that it is wonderfully random. In truth it throws a coin: full speed one way,
# or full speed the other ({numref}`fig-sac-squeeze`, left). It widened the Gaussian on and on, and tanh pressed almost all of it
# against the ends.
#
# A density must pay for being squeezed. Where tanh is flat, many $u$ share few $a$. So the density
# of $a$ is that of $u$ divided by the slope, $1 - \tanh^2 u$:
#
# $$ \log \pi(a \mid s) = \sum_i \Big[ \log \mathcal{N}(u_i; \mu_i, \sigma_i) -
# \log \big( 1 - \tanh^2 u_i \big) \Big] $$ (eq-squashed)
#
# Here $i$ counts the numbers of an action, and $\mathcal{N}$ is the density of the Gaussian with mean $\mu_i$ and standard
# deviation $\sigma_i$.
#
# In 32-bit numbers $1 - \tanh^2 u$ is exactly 0 for $|u|$ above about 9, and its logarithm
# minus infinity. So we write the logarithm as $2 (\log 2 - u - \mathrm{softplus}(-2u))$, which is
# the same and stays finite.


# %%
def squashed_log_prob(mean, log_std, u):
    """Log-density of a = tanh(u), (B, A) → (B, 1)."""
    squeeze = 2 * (math.log(2) - u - F.softplus(-2 * u))
    return gaussian_log_prob(mean, log_std, u) - squeeze.sum(-1, keepdim=True)


honest = maximize_entropy(squashed_log_prob)

# %% mystnb={"figure": {"caption": "Actions of a policy that is trained to be as random as possible and nothing else, by the Gaussian's log-probability and by the squashed one. The vertical scales differ: the dotted line is the same density in both.", "name": "fig-sac-squeeze"}, "image": {"alt": "Two histograms of actions between minus one and one. Left, without the correction: two tall spikes at the ends. Right, with it: nearly flat."}}
fig, axes = plt.subplots(1, 2, figsize=(7, 2.6), sharex=True)
for ax, actions, title in zip(axes, (naive, honest), ("forgotten", "paid for"), strict=True):
    ax.hist(actions, bins=40, range=(-1, 1), density=True)
    ax.axhline(0.5, color="0.3", ls=":", label="uniform")
    ax.set(title=f"squeeze {title}", xlabel="action")
axes[0].set_ylabel("density")
axes[1].set_ylim(0, 1)
axes[1].legend()
plt.show()

# %% [markdown]
# Paid for, the squeeze leaves the actions nearly uniform (right). No squashed Gaussian is quite uniform, hence the bumps.
#
# The formula has one independent judge: a density integrates to 1. PyTorch's transformed distribution and the function in
# `labs` judge it, too, but by the same rewriting.

# %%
from labs.visual_encoder import squashed_gaussian_log_prob

mean, log_std, u = torch.randn(64, 4), torch.rand(64, 4) - 1, torch.randn(64, 4)
tanh = torch.distributions.TanhTransform(cache_size=1)
normal = torch.distributions.Normal(mean, log_std.exp())
reference = torch.distributions.TransformedDistribution(normal, tanh)
expected = reference.log_prob(tanh(u)).sum(-1, keepdim=True)
torch.testing.assert_close(squashed_log_prob(mean, log_std, u), expected, rtol=1e-4, atol=1e-4)

a = torch.linspace(-1, 1, 200_003, dtype=torch.float64)[1:-1, None]
mean_1, log_std_1 = torch.full_like(a, 0.4), torch.full_like(a, -0.5)
masses = [
    torch.trapezoid(f(mean_1, log_std_1, torch.atanh(a)).exp().squeeze(), a.squeeze()).item()
    for f in (squashed_log_prob, gaussian_log_prob)
]
print(f"total probability: {masses[0]:.4f} with the squeeze, {masses[1]:.4f} without")
assert abs(masses[0] - 1) < 1e-3 < abs(masses[1] - 1)

ours = squashed_log_prob(mean, log_std, u)
torch.testing.assert_close(ours, squashed_gaussian_log_prob(mean, log_std, u))
assert torch.isfinite(squashed_log_prob(mean, log_std, u + 30)).all(), "far out, still finite"

# %% [markdown]
# The policy network gives mean and log standard deviation. Noise is drawn without them, and they only shift and scale
# it. So gradients pass through the action to the network: the *reparameterization trick*.


# %%
def mlp(n_in, n_out, width=64):
    return nn.Sequential(
        nn.Linear(n_in, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, n_out),
    )


class Policy(nn.Module):
    """States (B, S) → actions (B, A) in [-1, 1] and their log-probabilities (B, 1)."""

    def __init__(self, state_dim, action_dim):
        super().__init__()
        self.net = mlp(state_dim, 2 * action_dim)

    def gaussian(self, states):
        mean, log_std = self.net(states).chunk(2, dim=-1)
        return mean, log_std.clamp(-20, 2)  # no noise that vanishes, none that overflows

    def forward(self, states):
        mean, log_std = self.gaussian(states)
        u = mean + log_std.exp() * torch.randn_like(mean)
        return torch.tanh(u), squashed_log_prob(mean, log_std, u)


# %% [markdown]
# ## Reach, in numbers of the size of one
#
# The state says where the gripper is, where the goal is, and how fast the gripper moves. Networks like
# inputs and outputs of the size of one. The simulator speaks in meters, and goals lie within 15 cm of the gripper's start along
# each axis, so we count in *decimeters* from there. The reward, minus the distance, is in decimeters as well.


# %%
def make_reach():
    return envs.make_env("reach", render_mode=None)


CENTER = make_reach().unwrapped.initial_gripper_xpos.copy()


def to_state(observation):
    """Observation → float32 (9,): gripper, goal and velocity, decimeters."""
    gripper, goal = observation["achieved_goal"] - CENTER, observation["desired_goal"] - CENTER
    return 10 * np.concatenate([gripper, goal, observation["observation"][5:8]], dtype=np.float32)


class Batch(NamedTuple):
    state: torch.Tensor
    action: torch.Tensor
    reward: torch.Tensor
    next_state: torch.Tensor
    done: torch.Tensor  # 1 where the episode truly ended, not where time ran out


class Memory:
    """All transitions so far."""

    def __init__(self, capacity, state_dim=9, action_dim=4):
        widths = (state_dim, action_dim, 1, state_dim, 1)
        self.columns = [np.zeros((capacity, width), np.float32) for width in widths]
        self.size = 0

    def add(self, *transition):
        for column, value in zip(self.columns, transition, strict=True):
            column[self.size] = value
        self.size += 1

    def sample(self, rng, batch_size=64):
        chosen = rng.integers(self.size, size=batch_size)
        return Batch(*(torch.from_numpy(column[chosen]) for column in self.columns))


def play(env, memory, act, steps):
    """Plays `steps` steps into the memory, resetting where needed; `act` maps state to action."""
    observation, _ = env.reset()
    for step in range(steps):
        state = to_state(observation)
        action = act(state)
        observation, reward, terminated, truncated, _ = env.step(action)
        memory.add(state, action, 10 * reward, to_state(observation), terminated)
        yield step  # the caller may learn between two steps
        if terminated or truncated:
            observation, _ = env.reset()


rng = np.random.default_rng(0)
env = make_reach()
env.reset(seed=0)
random_memory = Memory(300)
for _ in play(env, random_memory, lambda state: rng.uniform(-1, 1, 4).astype(np.float32), 300):
    pass
assert random_memory.columns[-1].sum() == 0, "Reach never terminates: time runs out"

# %% [markdown]
# `done` deserves a second look. A Fetch episode stops after fifty steps, but the world does not end
# there: the state has a future that was not played. So `done` is 0, and the critic may look
# past the fiftieth step. Only `terminated` ends the future.
#
# ## Two critics, because a maximum flatters
#
# A critic $Q(s, a)$ estimates the return of doing $a$ in $s$. Estimates have errors, and the actor
# seeks the action with the *highest* estimate. It finds the errors that flatter.
#
# How bad is it? We fit two critics to the same 300 random steps, here only to the reward itself.
# In states that neither has seen, critic 1 picks its favorite among 64 random actions. How much
# better is the favorite than the average action? We ask critic 1, and then critic 2, which had no
# say in the choice. One pair could be an accident, so we fit ten, and print mean ± standard deviation.


# %%
class TwinCritic(nn.Module):
    """States (B, S), actions (B, A) → two values, each (B, 1)."""

    def __init__(self, state_dim, action_dim):
        super().__init__()
        self.q1, self.q2 = mlp(state_dim + action_dim, 1), mlp(state_dim + action_dim, 1)

    def forward(self, states, actions):
        both = torch.cat([states, actions], dim=-1)
        return self.q1(both), self.q2(both)


def lead_of_the_favorite():
    """How far critic 1's favorite lies above the average action, by critic 1 and by critic 2."""
    judges = TwinCritic(9, 4)
    optimizer = torch.optim.Adam(judges.parameters(), lr=3e-3, foreach=True)
    for _ in range(300):
        batch = random_memory.sample(rng)
        optimizer.zero_grad()
        sum(F.mse_loss(q, batch.reward) for q in judges(batch.state, batch.action)).backward()
        optimizer.step()
    with torch.no_grad():
        # Places within a decimeter, speeds as they occur.
        size = torch.tensor([1.0] * 6 + [0.3] * 3)
        states = (torch.rand(200, 1, 9).mul(2).sub(1) * size).expand(-1, 64, -1)
        values = judges(states, torch.rand(200, 64, 4).mul(2).sub(1))
        favorite = values[0].argmax(dim=1, keepdim=True)
        leads = [q.gather(1, favorite) - q.mean(dim=1, keepdim=True) for q in values]
    return [lead.mean().item() for lead in leads]


leads = np.array([lead_of_the_favorite() for _ in range(10)])
print("critic 1's favorite is better than the average action, over ten pairs,")
for name, column in zip(("critic 1 is", "critic 2 is"), leads.T, strict=True):
    print(f"  by {column.mean():.2f} ± {column.std(ddof=1):.2f} if {name} asked")
claims_more = (leads[:, 0] > leads[:, 1]).sum()
print(f"the one who chose claims more in {claims_more} of {len(leads)} pairs")
assert claims_more >= 9, "the one who chose is the one who flatters"

# %% [markdown]
# The one who chose is the optimist, and its optimism would enter the next target, and the next.
# SAC keeps both {term}`critics <twin critics>` and believes the **smaller** value {cite}`fujimoto2018`.
#
# ## The soft Bellman target
#
# Each critic learns by regression on a target: the reward now, plus what the next state is worth.
# By equation {eq}`eq-soft-objective` entropy counts as reward. So a state is worth the $Q$ of the policy's action there
# *plus* $\alpha$ times the entropy, and a sample of the entropy is $-\log \pi$. With $d$ for `done`:
#
# $$ y = r + \gamma \, (1 - d) \Big[ \min_{i=1,2} Q_{\bar\theta_i}(s', a') - \alpha \log \pi(a' \mid s') \Big],
# \qquad a' \sim \pi(\cdot \mid s') $$ (eq-soft-target)
#
# $$ L_Q(\theta_1, \theta_2) = \sum_{i=1,2} \mathbb{E} \left( Q_{\theta_i}(s, a) - y \right)^2 $$ (eq-critic-loss)
#
# The mean is over steps from the memory, and $\theta_i$ are the parameters of critic $i$. The bar on $\bar\theta$ marks a
# {term}`target network`: a copy of the critics that follows slowly, so that they do not chase themselves. And $y$ is a number to aim at, not something to bend: no gradient may flow into it.
#
# ```{exercise-start}
# :label: ex-soft-target
# ```
# Write equation {eq}`eq-soft-target`. `agent` has `policy` (states → actions, log-probabilities),
# `critic` and `target` (states, actions → two values), and the numbers `alpha` and `gamma`. The
# agent below trains with the function of this name: with *yours*, if you skip the solution's cell.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def soft_target(agent, batch):
    """The soft Bellman target, (B, 1), without gradient."""
    return ...


# %% tags=["exercise-test", "hide-input"]
from types import SimpleNamespace


def check_soft_target(soft_target):
    """Names the likely mistake."""

    def column(*values):
        return torch.tensor(values)[:, None]

    reward, done = column(1.0, 2.0, 3.0), column(0.0, 0.0, 1.0)
    q1, q2 = column(10.0, 30.0, 10.0).requires_grad_(), column(20.0, 12.0, 20.0)
    log_prob, log_prob_now = column(-2.0, -3.0, -4.0), column(50.0, 60.0, 70.0)
    elsewhere = column(700.0, 800.0, 900.0), column(701.0, 801.0, 901.0)
    drawn = torch.full((3, 4), 0.25)  # the action of the next state, at the first draw
    draws, another = iter([(drawn, log_prob)]), (drawn + 1, log_prob_now)
    paid, ended = reward.clone(), done.clone()
    batch = Batch(torch.zeros(3, 9), torch.zeros(3, 4), paid, torch.ones(3, 9), ended)

    def fresh(values):  # an answer may write into what it gets
        return tuple(value.clone() for value in values)

    agent = SimpleNamespace(
        policy=lambda s: fresh(next(draws, another) if s.mean() == 1 else another),
        critic=lambda s, a: (column(500.0, 600.0, 700.0), column(501.0, 601.0, 701.0)),
        target=lambda s, a: fresh(
            (q1, q2) if s.mean() == 1 and torch.equal(a, drawn) else elsewhere
        ),
        alpha=0.5,
        gamma=0.9,
    )
    y = soft_target(agent, batch)
    assert y is not ..., "soft_target still returns ...: fill it in"
    assert y.shape == (3, 1), f"shape {tuple(y.shape)}: keep (B, 1), or it broadcasts to (B, B)"
    assert y.dtype == torch.float32, f"received {y.dtype}, expected torch.float32, as the batch"
    assert torch.equal(paid, reward) and torch.equal(ended, done), (
        "you wrote into the batch: whoever reads it next gets your numbers, so make new ones"
    )
    assert not y.requires_grad, "a gradient flows into the target: use torch.no_grad()"

    def target(q, bonus=-0.5 * log_prob, alive=1 - done):
        return (reward + 0.9 * alive * (q + bonus)).detach()

    low, q_now = torch.min(q1, q2), column(500.0, 600.0, 700.0)
    mistakes = {
        "you forgot the entropy: - alpha * log_prob": target(low, 0.0),
        "the entropy is *minus* the log-probability: check the sign": target(low, 0.5 * log_prob),
        "you forgot (1 - done): an ended episode has no future": target(low, alive=1.0),
        "you forgot the minimum: the first critic alone flatters": target(q1),
        "you forgot the minimum: the second critic alone flatters": target(q2),
        "that is the maximum of the two, the most flattered value": target(torch.max(q1, q2)),
        "the mean of two flattered values is flattered: take the minimum": target((q1 + q2) / 2),
        "you asked the online critic: use agent.target": target(q_now),
        "draw the action in the *next* state": target(elsewhere[0], -0.5 * log_prob_now),
        "that log-probability is of another action": target(low, -0.5 * log_prob_now),
        "gamma and (1 - done) go with the entropy too": target(low, 0.0) - 0.5 * log_prob,
        "ask agent.target about the *next* state and the action drawn there": target(elsewhere[0]),
        "you forgot gamma": (reward + (1 - done) * (low - 0.5 * log_prob)).detach(),
    }
    for name, wrong in mistakes.items():
        assert not torch.allclose(y, wrong), name
    assert torch.allclose(y, target(low)), "not the target, nor a mistake that we know"
    print("the soft target is right")


# %% tags=["nbval-check-output"]
attempt(check_soft_target, soft_target)

# %% [markdown]
# ```{solution-start} ex-soft-target
# :class: dropdown
# ```


# %% tags=["solution"]
@torch.no_grad()
def soft_target(agent, batch):
    """The soft Bellman target, (B, 1), without gradient."""
    action, log_prob = agent.policy(batch.next_state)
    worth = torch.min(*agent.target(batch.next_state, action)) - agent.alpha * log_prob
    return batch.reward + agent.gamma * (1 - batch.done) * worth


check_soft_target(soft_target)

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Actor, target network, temperature
#
# Three short equations complete the agent. The **actor**, with parameters $\phi$, climbs the critics' smaller value and
# pays for being predictable. Its step leaves the critics as they are:
#
# $$ L_\pi(\phi) = \mathbb{E}_{s, \, a \sim \pi_\phi} \big[ \alpha \log \pi_\phi(a \mid s) - \min_i Q_{\theta_i}(s, a) \big] $$ (eq-actor-loss)
#
# The **target network** follows by {term}`Polyak averaging`, a small part $\tau$ of the way at each update:
#
# $$ \bar\theta \leftarrow (1 - \tau) \, \bar\theta + \tau \, \theta $$ (eq-polyak)
#
# The **temperature** is a thermostat {cite}`haarnoja2018b`. It rises while the entropy lies below
# a target $\bar{\mathcal{H}}$ and falls while it lies above. In Stable-Baselines3's form, which has $\log \alpha$ where the
# paper has $\alpha$:
#
# $$ L(\log \alpha) = -\log \alpha \; \mathbb{E} \big[ \log \pi(a \mid s) + \bar{\mathcal{H}} \big] $$ (eq-temperature)
#
# The custom is $\bar{\mathcal{H}} = -\dim(a)$, here $-4$: the entropy of a *density* may be negative. Uniform actions have
# $4 \log 2 \approx 2.8$, near which the entropy in {numref}`fig-sac-reach` begins. At $-4$ they are as random as if each
# of the four were drawn from an interval $1/e \approx 0.37$ wide.


# %%
class SAC:
    """The whole agent. `alpha` fixes the temperature; None lets it set itself."""

    # Larger steps and a shorter horizon than the arms of this book: 1500 steps must do.
    def __init__(self, state_dim=9, action_dim=4, *, alpha=None, gamma=0.9, tau=0.02, lr=3e-3):
        self.policy = Policy(state_dim, action_dim)
        self.critic = TwinCritic(state_dim, action_dim)
        self.target = copy.deepcopy(self.critic)
        self.gamma, self.tau = gamma, tau
        self.fixed_alpha, self.target_entropy = alpha, -float(action_dim)
        self.log_alpha = torch.tensor(math.log(0.1), requires_grad=True)
        adam = torch.optim.Adam
        self.policy_optimizer = adam(self.policy.parameters(), lr, foreach=True)
        self.critic_optimizer = adam(self.critic.parameters(), lr, foreach=True)
        self.alpha_optimizer = adam([self.log_alpha], lr)

    @property
    def alpha(self):
        return self.log_alpha.exp().item() if self.fixed_alpha is None else self.fixed_alpha

    @torch.no_grad()
    def act(self, state, deterministic=False):
        states = torch.from_numpy(state)[None]
        if deterministic:
            return torch.tanh(self.policy.gaussian(states)[0])[0].numpy()
        return self.policy(states)[0][0].numpy()

    def update(self, batch):
        """One step of each part; returns what is worth watching."""
        y = soft_target(self, batch)
        q1, q2 = self.critic(batch.state, batch.action)
        critic_loss = F.mse_loss(q1, y) + F.mse_loss(q2, y)
        self.step(self.critic_optimizer, critic_loss)

        action, log_prob = self.policy(batch.state)
        value = torch.min(*self.critic(batch.state, action))
        # Its gradient reaches the critics too; their next step clears it first.
        self.step(self.policy_optimizer, (self.alpha * log_prob - value).mean())

        if self.fixed_alpha is None:
            gap = (log_prob.detach() + self.target_entropy).mean()  # moves α, not the policy
            self.step(self.alpha_optimizer, -self.log_alpha * gap)
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.critic.parameters(), strict=True):
                slow.lerp_(fast, self.tau)
        return {"critic loss": critic_loss.item(), "entropy": -log_prob.mean().item()}

    @staticmethod
    def step(optimizer, loss):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %% [markdown]
# One update, with every shape on the table. All values and log-probabilities are `(B, 1)`: were one
# of them `(B,)`, the subtraction would silently give `(B, B)`.

# %%
agent = SAC()
batch = random_memory.sample(rng)
y = soft_target(agent, batch)
action, log_prob = agent.policy(batch.state)
q1, q2 = agent.critic(batch.state, action)
tensors = batch._asdict() | {"new action": action, "log-probability": log_prob}
tensors |= {"value 1": q1, "value 2": q2, "target y": y}
rows = [f"| {name} | {tuple(t.shape)} | {t.requires_grad} |" for name, t in tensors.items()]
display(Markdown("\n".join(["| tensor | shape | carries a gradient |", "|---|---|---|", *rows])))

assert q1.shape == q2.shape == y.shape == log_prob.shape == batch.reward.shape == (64, 1)
assert not y.requires_grad and q1.requires_grad
before = [p.clone() for p in agent.target.parameters()]
seen = agent.update(batch)
assert all(math.isfinite(value) for value in seen.values())
assert all(p.grad is None for p in agent.target.parameters()), "the target is never trained"

# Polyak averaging against Stable-Baselines3's own, from the same start.
from stable_baselines3.common.utils import polyak_update

polyak_update(agent.critic.parameters(), before, agent.tau)
for ours, theirs in zip(agent.target.parameters(), before, strict=True):
    torch.testing.assert_close(ours, theirs)

# %% [markdown]
# ## Does it learn?
#
# First come 300 random steps, then one update for every step. Every 300 steps the policy plays
# ten fixed goals without noise, and we note how far from the goal the gripper ends. The controls are a policy
# that does nothing and one that moves at random. The ablation is the
# same agent with $\alpha = 0$, which has no reason to stay random.

# %%
STEPS, START, EVERY = 1500, 300, 300


def final_distance(act, episodes=10):
    """Mean distance to the goal after the last step, in cm, over fixed goals."""
    env = make_reach()
    distances = []
    for seed in range(10_000, 10_000 + episodes):
        observation, _ = env.reset(seed=seed)
        for _ in range(envs.EPISODE_STEPS):
            observation, *_ = env.step(act(to_state(observation)))
        gap = observation["achieved_goal"] - observation["desired_goal"]
        distances.append(100 * np.linalg.norm(gap))
    env.close()
    return float(np.mean(distances))


def train(seed, alpha=None):
    """Trains an agent; returns it, its learning curve (steps, cm), and its entropies."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    env, agent, memory = make_reach(), SAC(alpha=alpha), Memory(STEPS)
    env.reset(seed=seed)
    curve, entropies = [(0, final_distance(lambda s: agent.act(s, deterministic=True)))], []

    def explore(state):
        if memory.size < START:
            return rng.uniform(-1, 1, 4).astype(np.float32)
        return agent.act(state)

    for step in play(env, memory, explore, STEPS):
        if memory.size > START:
            entropies.append(agent.update(memory.sample(rng))["entropy"])
        if (step + 1) % EVERY == 0:
            curve.append((step + 1, final_distance(lambda s: agent.act(s, deterministic=True))))
    env.close()
    return agent, np.array(curve), np.array(entropies)


agent, curve, entropies = train(seed=1)
_, cold_curve, cold_entropies = train(seed=1, alpha=0.0)
idle = final_distance(lambda state: np.zeros(4, np.float32))
wild = final_distance(lambda state: rng.uniform(-1, 1, 4).astype(np.float32))
print(
    f"do nothing {idle:.1f} cm, random {wild:.1f} cm, SAC after {STEPS} steps {curve[-1, 1]:.1f} cm"
)
assert curve[-1, 1] < 5 < min(idle, wild), "SAC must end within the success radius, they must not"
assert np.isfinite(entropies).all() and np.isfinite(cold_entropies).all()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The agent with its thermostat and with α = 0, while it trains on Reach. Left: how far from the goal the gripper ends, playing without noise. Right: the policy's entropy, in the same colors.", "name": "fig-sac-reach"}, "image": {"alt": "Left: final distance against environment steps. Doing nothing and moving at random stay above ten centimeters; SAC falls below the success radius of five centimeters within the first thousand steps, and so does the run with alpha zero, a little less far. Right: the entropy of the policy; with the thermostat it comes down slowly toward its target, minus four, which it has not reached at the end; with alpha zero it falls far below."}}
fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.2))
left.plot(*curve.T, "o-", label="SAC")
left.plot(*cold_curve.T, "s--", label="SAC with α = 0")
left.axhline(idle, color="0.45", ls=":", label="do nothing")
left.axhline(wild, color="0.45", ls="-.", label="random")
left.axhspan(0, 5, color="0.92", zorder=0)
left.set(xlabel="environment steps", ylabel="final distance (cm)", yscale="log", ylim=(1, 60))
left.set_yticks([1, 2, 5, 10, 20, 40], labels=["1", "2", "5", "10", "20", "40"])
left.minorticks_off()
left.set_title("ten fixed goals; gray: success")
left.legend(fontsize=8, loc="lower left")
updates = np.arange(len(entropies)) + START
right.plot(updates, entropies)
right.plot(updates, cold_entropies, "--")
right.axhline(-4, color="0.45", ls=":")
right.text(STEPS, -4.6, "target", ha="right", va="top", color="0.35")
right.set(xlabel="environment steps", ylabel="entropy (nats)", title="how random the policy is")
plt.show()

# %% [markdown]
# One seed each, so only the coarse things count. The agent learns, and the two controls show that
# the task does not solve itself ({numref}`fig-sac-reach`, left). The thermostat steers the entropy toward its target, which
# these few steps do not reach (right). With $\alpha = 0$ the
# entropy falls much further, because nothing pays for it. On Reach this does little harm: the reward speaks at
# every step, and nothing must be discovered first. Where reward is rare, a policy
# that has stopped exploring is lost. The [next page](05_her_recap.ipynb) makes reward rare.

# %%
late, late_cold = entropies[-300:].mean(), cold_entropies[-300:].mean()
print(
    f"mean entropy of the last 300 updates: {late:.1f} with the thermostat, {late_cold:.1f} with α = 0"
)
assert late_cold < late - 3

# %% [markdown]
# ## Settled
#
# SAC is five ideas: a squashed Gaussian that pays for the squeeze, two critics of which the smaller
# counts, a target that includes entropy, a slow copy of the critics, and a thermostat.
#
# Stable-Baselines3's SAC {cite}`raffin2021` has the same equations but for two details. Its critic's loss has a factor ½,
# which Adam hardly feels. And where we rewrote the logarithm of tanh's slope, it adds $10^{-6}$ to the slope
# ([what that does](16_bridge_to_sb3.ipynb)). The book's own learner, in which most arms run,
# [is held to it](24_making_it_fast.ipynb).
#
# What this book changes stands *before* actor and critic: an encoder that both would like to train.
# Equations {eq}`eq-critic-loss` and {eq}`eq-actor-loss` both reach for it, and
# [who may have it](14_gradient_routing.ipynb) will matter.
