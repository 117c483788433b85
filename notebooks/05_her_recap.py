# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 35 s, hardware: any CPU}
# ---

# %% [markdown]
# # HER in miniature
#
# Push pays $-1$ while the block is away from its target. An agent that has never succeeded knows one
# number, and one number teaches nothing. Hindsight experience replay, {term}`HER`
# {cite}`andrychowicz2017`, finds lessons in failures: *I did not get where I should; but had I been
# asked for the place where I did get, that would have been the way.*
#
# We build it on the same robot, with the reward made sparse: `FetchReach-v4` pays $-1$
# while the gripper is more than 5 cm from the goal, and $0$ within. Sparse Reach is quick enough to
# train on the spot, with HER and without. Push takes far longer; one episode of it stands
# below to be taken apart.
#
# You will be able to relabel an episode, to say which share of a batch is relabeled, and to name what
# hindsight cannot add. The page leans on [SAC's critic and its target](04_sac_recap.ipynb).

# %%
import copy
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
from labs.widgets.her_relabelling import HerRelabelling

use_style()
torch.set_num_threads(1)
STEPS = envs.EPISODE_STEPS

# %% [markdown]
# ## How much does a random episode say?
#
# We store whole episodes, since HER needs to know what came *later* in the same episode, and play thirty at random.


# %%
class Episode(NamedTuple):
    observation: np.ndarray  # (51, 10)  before the first and after each step
    achieved: np.ndarray  # (51, 3)   where the gripper (in Push: the block) was
    action: np.ndarray  # (50, 4)
    reward: np.ndarray  # (50,)     what the environment paid
    goal: np.ndarray  # (3,)


def play(env, act, seed=None):
    """Plays one episode; `act` maps an observation to an action."""
    now, _ = env.reset(seed=seed)
    observations, achieved, actions, rewards = [now["observation"]], [now["achieved_goal"]], [], []
    goal = now["desired_goal"].copy()
    for _ in range(STEPS):
        actions.append(act(now))
        now, reward, *_ = env.step(actions[-1])
        observations.append(now["observation"])
        achieved.append(now["achieved_goal"])
        rewards.append(reward)
    return Episode(*map(np.array, (observations, achieved, actions, rewards)), goal)


def play_random(task, episodes):
    rng = np.random.default_rng(0)
    env = envs.make_env(task, render_mode=None)
    act = lambda now: rng.uniform(-1, 1, 4).astype(np.float32)
    played = [play(env, act, seed) for seed in range(episodes)]
    env.close()
    return played, env.unwrapped.compute_reward  # that of Push is the same function


reach, compute_reward = play_random("FetchReach-v4", 30)
paid = np.mean([episode.reward == 0 for episode in reach])
silent = np.mean([(episode.reward == -1).all() for episode in reach])
print(f"reward 0 in {paid:.1%} of the steps; {silent:.0%} of the episodes never see one")
assert paid < 0.1 and silent > 0.5

rows = [f"| {k} | {v.shape} | {v.dtype} |" for k, v in reach[0]._asdict().items()]
display(Markdown("\n".join(["| array | shape | type |", "|---|---|---|", *rows])))
assert len(reach[0].observation) == len(reach[0].action) + 1 == STEPS + 1

# %% [markdown]
# ## Ask for what happened
#
# In most random episodes every reward is the same. But the reward of these tasks is a known *function* of the place reached
# and the goal. So a stored step can be asked again: what would it have paid under another goal $g'$?
#
# $$ r'_t = r(\text{achieved}_{t+1}, g') = \begin{cases} 0 & \lVert \text{achieved}_{t+1} - g' \rVert \le 5 \text{ cm} \\
# -1 & \text{otherwise} \end{cases} $$ (eq-relabeled-reward)
#
# Let $s$ be all of the observation but the goal. The arm moves the same way whatever it was asked for. So
# $(s_t, a_t, s_{t+1})$ stays true, and only goal and reward change. This works because SAC learns {term}`off-policy`: it may learn from
# actions that the policy for $g'$ would not have chosen.
#
# Which goal? The {term}`future strategy` draws a step $t'$ at or after $t$ in the same episode and asks
# for the place reached there:
#
# $$ t' \sim \mathcal{U}\{t, \dots, T - 1\}, \qquad g' = \text{achieved}_{t'+1} $$ (eq-future)
#
# Here $T$ is the length of an episode, fifty steps. Step $t$ itself is allowed; then the reward is 0 by construction.
# Stable-Baselines3 draws in the same way.
#
# Try it on a real episode of Push. A script pushes the block, and the time runs out
# before it arrives: fifty rewards, all $-1$. Move $t'$ and watch the row at the bottom.

# %% mystnb={"image": {"alt": "Widget: a Push episode from above, with sliders for the step t and the later step whose place becomes the goal, and the rewards under both goals."}}
HerRelabelling.from_env(seed=0)

# %% [markdown]
# The row under the substituted goal is not all success, and must not be. The steps just before $t'$
# pay $0$, the earlier ones $-1$. *That border* is the lesson: it tells the critic which steps lead
# to the goal, and from there value spreads backward.
#
# ```{exercise-start}
# :label: ex-relabel
# ```
# Write the relabeling of step `t` of an episode, equations {eq}`eq-relabeled-reward` and
# {eq}`eq-future`. `rng.integers(low, high)` draws from `low` to `high - 1`. The environment's
# `compute_reward(achieved, goal, {})` gives the reward. Return a dictionary with the three parts of
# the transition that HER may change.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def relabel(episode, t, rng):
    """Step t under a goal from the future of its episode."""
    # draw t', look up the goal, ask compute_reward
    return {
        "obs_goal": ...,  # desired_goal of the observation before the step
        "next_obs_goal": ...,  # desired_goal of the observation after it
        "reward": ...,
    }


# %% tags=["exercise-test", "hide-input"]
def check_relabel(relabel):
    """Names the likely mistake."""
    # A gripper that moves 2 cm a step, aslant: the goal's x tells which index was drawn.
    track = np.zeros((STEPS + 1, 3))
    track[:, :2] = np.outer(np.arange(STEPS + 1), (0.012, 0.016))
    away, never = np.full(3, 9.0), np.full(STEPS, -1.0)
    episode = Episode(np.zeros((51, 10)), track, np.zeros((STEPS, 4)), never, away)
    rng = np.random.default_rng(0)
    indices, rewards = [], []
    for _ in range(2000):
        new = relabel(episode, 30, rng)
        assert new["reward"] is not ..., "relabel still returns ...: fill it in"
        assert (away == 9).all() and (never == -1).all(), (
            "you wrote into the episode, which is asked again and again: return new values"
        )
        goal, next_goal = np.asarray(new["obs_goal"]), np.asarray(new["next_obs_goal"])
        assert goal.shape == (3,), f"a goal has shape (3,), yours has {goal.shape}"
        for one, other, name in ((goal, next_goal, "next_obs"), (next_goal, goal, "obs")):
            assert not (np.array_equal(one, away) and not np.array_equal(other, away)), (
                f"only {name} got the new goal: both observations of a step ask for the same"
            )
        assert not np.array_equal(goal, away), "the goal is still the original one"
        assert np.array_equal(goal, next_goal), "one draw per step: obs and next_obs got two goals"
        indices.append(int(np.round(goal[0] / 0.012)))
        rewards.append(float(new["reward"]))
    indices, rewards = np.array(indices), np.array(rewards)
    assert len(set(indices)) > 1, "always the same goal: draw t' anew each time"
    assert indices.min() >= 30, "a goal from the past: t' must not lie before t"
    assert indices.min() > 30, "off by one: achieved[t] is *before* step t; take achieved[t' + 1]"
    assert indices.min() == 31, "off by one: t' = t is allowed, so its goal is achieved[t + 1]"
    assert indices.max() == STEPS, "off by one: the last step's goal, achieved[50], never came up"
    assert (rewards == 0).any(), "the reward is still the stored one: compute it for the new goal"
    before = -(np.abs(indices - 30) * 0.02 > 0.05).astype(float)
    after = -(np.abs(indices - 31) * 0.02 > 0.05).astype(float)
    assert not np.array_equal(rewards, before), "judge the place *after* the step, achieved[t + 1]"
    assert np.array_equal(rewards, after), (
        "the reward does not fit the new goal: 0 where the distance is at most 5 cm, else -1"
    )
    first, last = np.mean(indices == 31), np.mean(indices == STEPS)
    assert max(abs(first - 1 / 20), abs(last - 1 / 20)) < 0.025, (
        f"t' must be uniform: its ends came up in {first:.0%} and {last:.0%}, not in 5 % each"
    )
    ends = [relabel(episode, STEPS - 1, rng) for _ in range(9)]
    ends = {(int(np.round(new["obs_goal"][0] / 0.012)), float(new["reward"])) for new in ends}
    assert ends == {(STEPS, 0.0)}, "at the last step only achieved[50] is left, reward 0: use t"
    print("relabeled goals come from the future, and rewards fit them")


# %% tags=["nbval-check-output"]
attempt(check_relabel, relabel)

# %% [markdown]
# ```{solution-start} ex-relabel
# :class: dropdown
# ```


# %% tags=["solution"]
def relabel(episode, t, rng):
    """Step t under a goal from the future of its episode."""
    future = rng.integers(t, STEPS)
    goal = episode.achieved[future + 1]
    reward = compute_reward(episode.achieved[t + 1], goal, {})
    return {"obs_goal": goal, "next_obs_goal": goal, "reward": reward}


check_relabel(relabel)

# %% [markdown]
# ```{solution-end}
# ```
#
# ## What hindsight adds, and what it only seems to add
#
# How often do the thirty random episodes of Reach pay 0 once they are relabeled? No new step in the simulator is needed. We
# count the same for twenty random episodes of Push. There one more question must be asked: *did the block move at all*
# between the step and the place that became its goal?

# %%
push, _ = play_random("push", 20)
rng = np.random.default_rng(0)
rows = ["| task | reward 0 as played | reward 0 relabeled | ... and something had moved |"]
rows.append("|---|---|---|---|")
shares = {}
for task, episodes in (("sparse Reach", reach), ("Push", push)):
    zeros, moved = [], []
    for episode in episodes:
        for t in range(STEPS):
            new = relabel(episode, t, rng)
            zeros.append(new["reward"] == 0)
            way = np.linalg.norm(new["obs_goal"] - episode.achieved[t])
            moved.append(new["reward"] == 0 and way > 0.001)  # more than a millimeter
    played = np.mean([episode.reward == 0 for episode in episodes])
    shares[task] = (played, np.mean(zeros), np.mean(moved))
    rows.append(f"| {task} | " + " | ".join(f"{share:.1%}" for share in shares[task]) + " |")
display(Markdown("\n".join(rows)))
assert shares["Push"][0] in (0, 1 / len(episodes)), "more than one episode that starts solved"
assert shares["sparse Reach"][1] > 5 * shares["sparse Reach"][0]
assert shares["Push"][2] < 0.5 * shares["Push"][1]

# %% [markdown]
# Push's successes *as played* are those of a single episode of the twenty: it [starts solved](01_proof_of_life.ipynb).
# Most of the successes that relabeling adds to Push are empty. The block did not move between the step and its goal, and
# nearly *every* action achieves that. HER makes rewards, it does not make contact: such a batch is
# {term}`deceptively dense <deceptively dense reward>`. This is one likely reason why Push takes so much longer than Reach.
#
# ## A batch with hindsight
#
# Not every step is relabeled: the agent must also hear about the goals that it will be given. With
# $k$ relabeled steps for each original one, the relabeled share is
#
# $$ \frac{k}{k + 1} = 1 - \frac{1}{k + 1} $$ (eq-her-ratio)
#
# For $k = 4$ that is 80 %. Here is the sampler, for a whole batch at a time. With `k = 0` it is the buffer
# without HER.


# %%
class Batch(NamedTuple):
    state: torch.Tensor
    action: torch.Tensor
    reward: torch.Tensor
    next_state: torch.Tensor


CENTER = envs.make_env("reach", render_mode=None).unwrapped.initial_gripper_xpos.copy()


def to_state(observation, achieved, goal):
    """Gripper, goal and velocity, float32 (..., 9), in decimeters from the gripper's start."""
    parts = [achieved - CENTER, goal - CENTER, observation[..., 5:8]]
    return 10 * np.concatenate(parts, axis=-1, dtype=np.float32)


class HerMemory:
    """Whole episodes; relabels while it samples."""

    def __init__(self, k, episodes=()):
        self.k, self.episodes = k, []
        for episode in episodes:
            self.add(episode)

    def add(self, episode):
        self.episodes.append(episode)
        # Everything anew: simple, and fast enough for a few hundred episodes. (E, 51, ...)
        self.all = Episode(*map(np.stack, zip(*self.episodes, strict=True)))

    def draw(self, rng, batch_size):
        """Episode and step indices, goals (B, 3), rewards, and which goals were relabeled."""
        i = rng.integers(len(self.episodes), size=batch_size)
        t = rng.integers(STEPS, size=batch_size)
        future = rng.integers(t, STEPS)
        hindsight = rng.random(batch_size) < 1 - 1 / (self.k + 1)
        goals = np.where(hindsight[:, None], self.all.achieved[i, future + 1], self.all.goal[i])
        rewards = compute_reward(self.all.achieved[i, t + 1], goals, {})
        return i, t, goals, rewards, hindsight

    def sample(self, rng, batch_size=128):
        i, t, goals, rewards, _ = self.draw(rng, batch_size)
        now, then = (
            to_state(self.all.observation[i, step], self.all.achieved[i, step], goals)
            for step in (t, t + 1)
        )
        columns = (now, self.all.action[i, t], rewards[:, None].astype(np.float32), then)
        return Batch(*map(torch.from_numpy, columns))


memory = HerMemory(4, reach)
batch = memory.sample(rng)
rows = [f"| {name} | {tuple(tensor.shape)} |" for name, tensor in batch._asdict().items()]
display(Markdown("\n".join(["| tensor | shape |", "|---|---|", *rows])))
assert torch.equal(batch.state[:, 3:6], batch.next_state[:, 3:6]), "one goal for both states"
assert set(batch.reward.unique().tolist()) <= {-1.0, 0.0}

# %% [markdown]
# Two checks. The batch sampler must find as many successes as `relabel` does. And Stable-Baselines3's
# `HerReplayBuffer`, fed with the same episodes, must relabel the same share and see as many
# successes. It splits each batch by a fixed number, ours throws a coin for each step, so the shares
# agree within the spread of coin throws.

# %% tags=["hide-input"]
from gymnasium import spaces
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv

vec_env = DummyVecEnv([lambda: envs.make_env("FetchReach-v4", render_mode=None)])
space = spaces.Dict({k: spaces.Box(-9, 9, v.shape) for k, v in vec_env.observation_space.items()})
theirs = HerReplayBuffer(
    len(reach) * STEPS, space, vec_env.action_space, vec_env, "cpu", n_sampled_goal=4
)


def observe(episode, t):
    """The observation before step t, as SB3 stores it: with a leading axis for environments."""
    parts = (episode.observation[t], episode.achieved[t], episode.goal)
    names = ("observation", "achieved_goal", "desired_goal")
    return {name: part[None] for name, part in zip(names, parts, strict=True)}


for episode in reach:
    for t in range(STEPS):
        step = (episode.action[t : t + 1], episode.reward[t : t + 1], np.array([t == STEPS - 1]))
        theirs.add(observe(episode, t), observe(episode, t + 1), *step, [{}])
vec_env.close()

# %%
N = 4096
# SB3's buffer draws from NumPy's global generator, so that one is seeded.
np.random.seed(0)
sample = theirs.sample(N)
originals = {tuple(episode.goal.astype(np.float32)) for episode in reach}
their_share = np.mean(
    [tuple(g) not in originals for g in sample.observations["desired_goal"].numpy()]
)
_, _, _, rewards, hindsight = memory.draw(rng, N)
spread = 4 * np.sqrt(0.8 * 0.2 / N)
print(f"relabeled: SB3 {their_share:.3f}, ours {hindsight.mean():.3f}, equation {1 - 1 / 5:.3f}")
assert abs(their_share - 0.8) < 1e-3 and abs(hindsight.mean() - 0.8) < spread

their_paid, our_paid = (sample.rewards == 0).float().mean().item(), (rewards == 0).mean()
singles = [relabel(reach[i], t, rng)["reward"] == 0 for i, t in rng.integers((30, 50), size=(N, 2))]
print(f"reward 0: SB3 {their_paid:.3f}, ours {our_paid:.3f}")
spread_paid = 4 * np.sqrt(2 * our_paid * (1 - our_paid) / N)
assert abs(their_paid - our_paid) < spread_paid
assert abs((rewards[hindsight] == 0).mean() - np.mean(singles)) < spread_paid / np.sqrt(0.8)

# %% [markdown]
# ## With and without
#
# The learner is the one of the HER paper, DDPG {cite}`lillicrap2016`: like SAC, but without entropy, with
# one critic and a deterministic actor $\mu$. That is shorter. It also leaves out the temperature, which could set itself
# differently in the two arms. So the only setting that differs between the curves is $k$. While the actor gathers steps, three
# actions in ten are random, and noise is added to the others. The critic's
# target is the plain one,
#
# $$ y = \operatorname{clip}\big( r' + \gamma \, Q_{\bar\theta}(s', \mu_{\bar\phi}(s')), \; -\tfrac{1}{1 - \gamma}, \; 0 \big) $$ (eq-ddpg-target)
#
# clipped to what such rewards can add up to. The bars mark slow copies, of critic and actor alike, and there is no $d$:
# these episodes never terminate. There are 20 episodes, of which the first five are random. From the fifth on, 40 updates
# follow each.


# %%
@torch.no_grad()
def ddpg_target(agent, batch):
    """The clipped target of the equation above, (B, 1)."""
    ahead = torch.cat([batch.next_state, agent.slow_actor(batch.next_state)], dim=1)
    y = batch.reward + agent.gamma * agent.slow_critic(ahead)
    return y.clamp(-1 / (1 - agent.gamma), 0)


# %% [markdown]
# The rest of the learner is folded. Its networks and updates are those of [the page on SAC](04_sac_recap.ipynb)
# without entropy. `train` plays, remembers, updates and evaluates.


# %% tags=["hide-input"]
def mlp(n_in, n_out, width=64):
    return nn.Sequential(
        nn.Linear(n_in, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, n_out),
    )


class DDPG:
    def __init__(self, state_dim=9, action_dim=4, gamma=0.9, tau=0.05, lr=1e-3):
        self.actor = nn.Sequential(mlp(state_dim, action_dim), nn.Tanh())
        self.critic = mlp(state_dim + action_dim, 1)
        self.networks = nn.ModuleList([self.actor, self.critic])
        self.slow_actor, self.slow_critic = self.slow = copy.deepcopy(self.networks)
        self.gamma, self.tau = gamma, tau
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr, foreach=True) for network in self.networks
        ]

    @torch.no_grad()
    def act(self, now):
        state = to_state(now["observation"], now["achieved_goal"], now["desired_goal"])
        return self.actor(torch.from_numpy(state)).numpy()

    def update(self, batch):
        q = self.critic(torch.cat([batch.state, batch.action], dim=1))
        self.step(1, F.mse_loss(q, ddpg_target(self, batch)))
        chosen = torch.cat([batch.state, self.actor(batch.state)], dim=1)
        self.step(0, -self.critic(chosen).mean())
        with torch.no_grad():
            for slow, fast in zip(self.slow.parameters(), self.networks.parameters(), strict=True):
                slow.lerp_(fast, self.tau)

    def step(self, which, loss):
        self.optimizers[which].zero_grad()
        loss.backward()
        self.optimizers[which].step()


def train(k, seed, episodes=20, evaluate_every=5):
    """Trains with k relabeled steps per original one; returns the success rates."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    env, test_env = (envs.make_env("FetchReach-v4", render_mode=None) for _ in range(2))
    env.reset(seed=seed)
    agent, memory, curve = DDPG(), HerMemory(k), []

    def explore(now):
        if len(memory.episodes) < 5 or rng.random() < 0.3:
            return rng.uniform(-1, 1, 4).astype(np.float32)
        noise = 0.2 * rng.standard_normal(4).astype(np.float32)
        return np.clip(agent.act(now) + noise, -1, 1)

    for episode in range(1, episodes + 1):
        memory.add(play(env, explore))
        if episode >= 5:
            for _ in range(40):
                agent.update(memory.sample(rng))
        if episode % evaluate_every == 0:
            ends = [play(test_env, agent.act, 10_000 + goal).reward[-1] for goal in range(10)]
            curve.append((episode, np.mean(np.array(ends) == 0)))
    env.close()
    test_env.close()
    return np.array(curve)


# %%
curves = {k: [train(k, seed) for seed in (1, 2)] for k in (4, 0)}
last = {k: np.mean([curve[-1, 1] for curve in runs]) for k, runs in curves.items()}
print(f"success after 20 episodes: {last[4]:.0%} with HER, {last[0]:.0%} without")
assert last[4] > 0.8 and last[0] < last[4] - 0.3

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Success on ten fixed goals while DDPG trains on sparse Reach, with HER and without. Each line is one seed.", "name": "fig-her-reach"}, "image": {"alt": "Success on ten fixed goals against episodes played, two seeds each. With HER both curves reach one by episode 20; without it one stays at zero and the other ends at 0.2."}}
fig, ax = plt.subplots(figsize=(6, 3.2))
for k, color, name in ((4, "C0", "HER, k = 4"), (0, "C1", "without HER")):
    for seed, curve in enumerate(curves[k]):
        ax.plot(*curve.T, "o-" if k else "s--", color=color, label=None if seed else name)
ax.set(
    xlabel="episodes played",
    ylabel="success on ten goals",
    ylim=(-0.03, 1.05),
    xticks=range(5, 21, 5),
)
ax.set_title("sparse Reach, two seeds each")
ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# The network, the robot and the number of steps are the same ({numref}`fig-her-reach`). Without hindsight the critic has hardly
# seen anything but $-1$, and a critic that says the same everywhere gives the actor no direction.
# With hindsight each of these failures was a success at something.
#
# ## Settled
#
# HER changes two things in a stored step, the goal in *both* observations and the reward, and takes
# the goal from the step's own future. With $k = 4$ four steps in five are relabeled. It needs a
# reward that can be computed from place and goal, and an off-policy learner. It cannot invent a
# contact that never happened.
#
# Keep one thing in mind for later: the new goal is written into the *vectors*. A picture with the
# old goal painted in it cannot be rewritten. Next: [what a picture costs](06_rendering.ipynb).
