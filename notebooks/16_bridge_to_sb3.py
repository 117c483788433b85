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
# # The bridge to Stable-Baselines3
#
# Stable-Baselines3 {cite}`raffin2021`, the library that this book's own learner is held to, has the parts
# that you built under other names, in classes that call each other. This page says which part is which, whether
# the numbers agree, what the library adds, and what four of its logged curves are made of.
#
# You will be able to find each part of this book in the library, and to predict what it logs. The page
# leans on [the networks](15_from_scratch_networks.ipynb) and on
# [gradient routing](14_gradient_routing.ipynb).

# %% tags=["hide-input"]
import copy
import math
import tempfile
import zipfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from stable_baselines3 import SAC
from stable_baselines3.common import buffers, distributions, logger, policies, preprocessing, utils
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labs import bridge, envs
from labs.drqv2_sac_policy import CriticEncoderCritic, DrQv2SACPolicy
from labs.exercises import attempt
from labs.figures.style import use_style
from labs.pixel_wrapper import PixelObservationWrapper

use_style()
torch.set_num_threads(1)

# %% [markdown]
# ## Who is who
#
# The two right columns are read from the objects themselves, so they cannot name what the installed version
# does not have.

# %%
counterparts = {
    "pixels / 255, in the batch": preprocessing.preprocess_obs,
    "replay memory": buffers.DictReplayBuffer,
    "encoder": policies.BasePolicy.extract_features,
    "squashed Gaussian": distributions.SquashedDiagGaussianDistribution,
    "actor": DrQv2SACPolicy.make_actor,
    "twin Q": CriticEncoderCritic,
    "TD target and the three losses": SAC.train,
    "who trains the encoder": DrQv2SACPolicy._build,
    "slow copy follows": utils.polyak_update,
    "the loop: act, store": OffPolicyAlgorithm.collect_rollouts,
    "the loop: act, store, update": OffPolicyAlgorithm.learn,
}
rows = [
    f"| {ours} | `{o.__qualname__}` | `{o.__module__.removeprefix('stable_baselines3.')}` |"
    for ours, o in counterparts.items()
]
head = ["| you built | it is | in, below `stable_baselines3` or in `labs` |", "|---|---|---|"]
display(Markdown("\n".join([*head, *rows])))
assert sum(o.__module__.startswith("labs.") for o in counterparts.values()) == 3

# %% [markdown]
# Three rows point to this book. SB3 has no routing in which the critic alone trains a shared encoder,
# so [the policy](14_gradient_routing.ipynb), its actor and its critic are ours. So is the encoder that
# `extract_features` calls. Everything around them is stock.
#
# ## One observation, two ways
#
# Two robots step together on this page. One observation of Reach from each goes through SB3's `predict`,
# `action_log_prob` and critic, and through our own sums and products with the same weights. The results may differ by
# rounding, by nothing else. Episodes here last 20 steps in place of 50, so that a short run sees many.


# %% tags=["nbval-check-output"]
STEPS = 20


def make_env():
    env = envs.make_env(
        "reach", image_size=84, camera="workspace", scene="lean", max_episode_steps=STEPS
    )
    return Monitor(PixelObservationWrapper(env, goal_mode="both"))


env = DummyVecEnv([make_env, make_env])  # two robots, stepped together
model = SAC(
    DrQv2SACPolicy,
    env,
    learning_rate=1e-3,
    buffer_size=240,  # both robots together
    learning_starts=40,
    batch_size=16,
    gamma=0.95,
    ent_coef="auto_0.1",
    seed=0,
    device="cpu",
)
assert type(model.critic) is counterparts["twin Q"]
observation = env.reset()
for key, value in observation.items():
    print(f"{key:>15}  {value.shape!s:<18} {value.dtype}")
assert observation["pixels"].shape == (2, 3, 84, 84) and observation["pixels"].dtype == np.uint8


# %%
def spatial_softmax(maps, temperature):
    """(B, C, H, W) → (B, 2C): expected column, then expected row."""
    weights = torch.softmax(maps.flatten(2) / temperature, dim=2).view(maps.shape)
    height, width = maps.shape[2:]
    x = (weights.sum(2) * torch.linspace(-1, 1, width)).sum(2)
    y = (weights.sum(3) * torch.linspace(-1, 1, height)).sum(2)
    return torch.cat([x, y], dim=1)


def layer_norm(x, layer):
    spread = ((x - x.mean(1, keepdim=True)) ** 2).mean(1, keepdim=True)
    return (x - x.mean(1, keepdim=True)) / (spread + layer.eps).sqrt() * layer.weight + layer.bias


def layers(x, network):
    for layer in network:
        x = x @ layer.weight.T + layer.bias if hasattr(layer, "weight") else x.clamp(min=0)
    return x


@torch.no_grad()
def by_hand(policy, observation, noise, scale=255.0, order=1):
    """Every stage from bytes to values. `scale` and `order` can be set wrong on purpose."""
    out = {"scaled": torch.from_numpy(observation["pixels"]).float() / scale}
    cnn, softmax, norm, _ = policy.actor.features_extractor.extractors["pixels"]
    x = out["scaled"]
    for conv in cnn.cnn[::2]:
        x = F.conv2d(x, conv.weight, conv.bias, stride=conv.stride, padding=1).clamp(min=0)
    out["feature maps"] = x
    out["keypoints"] = spatial_softmax(x, softmax.temperature)
    if order == -1:  # y first: the mistake
        out["keypoints"] = out["keypoints"].roll(x.shape[1], dims=1)
    image = torch.tanh(layer_norm(out["keypoints"], norm))
    goals = [torch.from_numpy(observation[k]).float() for k in ("achieved_goal", "desired_goal")]
    out["features"] = torch.cat([*goals, image], dim=1)  # the keys in alphabetical order
    hidden = layers(out["features"], policy.actor.latent_pi)
    mean = layers(hidden, [policy.actor.mu])
    log_std = layers(hidden, [policy.actor.log_std]).clamp(-20, 2)
    out["action, deterministic"] = torch.tanh(mean)
    out["action, sampled"] = action = torch.tanh(mean + log_std.exp() * noise)
    density = -0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)
    out["log π"] = (density - torch.log(1 - action**2 + 1e-6)).sum(1)
    inputs = torch.cat([out["features"], action], dim=1)
    out["both Q"] = torch.cat([layers(inputs, q) for q in policy.critic.q_networks], dim=1)
    return out


# %% [markdown]
# The same stages in SB3. `torch.manual_seed` before both gives both the same noise.


# %%
@torch.no_grad()
def by_sb3(policy, observation):
    tensors, _ = policy.obs_to_tensor(observation)
    scaled = preprocessing.preprocess_obs(tensors, policy.observation_space)
    cnn, softmax, *_ = policy.actor.features_extractor.extractors["pixels"]
    out = {"scaled": scaled["pixels"], "feature maps": cnn(scaled["pixels"])}
    out["keypoints"] = softmax(out["feature maps"])
    out["features"] = policy.actor.extract_features(tensors, policy.actor.features_extractor)
    out["action, deterministic"] = torch.from_numpy(
        policy.predict(observation, deterministic=True)[0]
    )
    torch.manual_seed(0)
    out["action, sampled"], out["log π"] = policy.actor.action_log_prob(tensors)
    out["both Q"] = torch.cat(policy.critic(tensors, out["action, sampled"]), dim=1)
    return out


torch.manual_seed(0)
noise = torch.normal(torch.zeros(2, 4), torch.ones(2, 4))
ours, theirs = by_hand(model.policy, observation, noise), by_sb3(model.policy, observation)
differences = {name: (ours[name] - theirs[name]).abs().max().item() for name in theirs}
rows = [f"| {n} | {tuple(theirs[n].shape)} | {d:.0e} |" for n, d in differences.items()]
display(Markdown("\n".join(["| stage | shape | largest difference |", "|---|---|---|", *rows])))
assert list(ours) == list(theirs) and max(differences.values()) < bridge.TOLERANCE == 1e-6

# %% [markdown]
# Rounding, and nothing else. But would the comparison notice a mistake? A check that cannot fail is
# worth nothing, so we make two mistakes that raise no error: pixels divided by 256, and y before x in the
# keypoints.

# %%
broken = {
    "pixels / 256": by_hand(model.policy, observation, noise, scale=256.0),
    "y before x": by_hand(model.policy, observation, noise, order=-1),
}
for name, wrong in broken.items():
    off = {stage: (wrong[stage] - theirs[stage]).abs().max().item() for stage in theirs}
    first = next(stage for stage, d in off.items() if d > bridge.TOLERANCE)
    print(f"{name:>12}: first seen at '{first}', {off['both Q']:.0e} at the values")
    assert off["both Q"] > bridge.TOLERANCE

# %% [markdown]
# One line in `by_hand` differs from [your actor](15_from_scratch_networks.ipynb): SB3 adds
# $10^{-6}$ to the slope of tanh before it takes the logarithm, so that it stays finite. Yours
# rewrites the slope and needs no such guard. Where $u$ is large, and $\tanh u$ near its ends, the two drift apart:

# %%
u = torch.tensor([1.0, 3.0, 5.0, 7.0, 9.0])
exact = 2 * (math.log(2) - u - F.softplus(-2 * u))
guarded = torch.log(1 - torch.tanh(u) ** 2 + 1e-6)
for point, gap in zip(u, guarded - exact, strict=True):
    print(f"u = {point:.0f}: SB3's log slope is off by {gap:.4f} nats")
assert (guarded - exact)[0] < 1e-4 < 1 < (guarded - exact)[-1]

# %% [markdown]
# It matters only to a policy pressed hard against its limits. For the same comparison on Push, with four
# frames and the joints, type `python -m labs.drqv2_sac_policy --bridge`.
#
# ## What SB3 adds
#
# ### A robot resets behind your back
#
# Two environments step together, and whichever ends an episode is reset *at once*, inside `step`.
# The observation that comes back belongs to the next episode. Whoever stores it with the last action
# teaches the critic that the gripper leaps ({numref}`fig-bridge-reset`).

# %%
observation = env.reset()
for _ in range(STEPS):
    before = {key: value[0] for key, value in observation.items()}
    observation, reward, done, info = env.step(np.array([[0, 0.3, 0, 0]] * 2, np.float32))
true = info[0]["terminal_observation"]
returned = {key: value[0] for key, value in observation.items()}


def gap_cm(one, other):
    return 100 * np.linalg.norm(one["achieved_goal"] - other["achieved_goal"])


leap, last_step = gap_cm(returned, before), gap_cm(true, before)
print("done:", done[0], " a time limit:", info[0]["TimeLimit.truncated"])
print(
    f"in the last step the gripper moved {last_step:.1f} cm; what came back is {leap:.1f} cm away"
)
assert done.all() and leap > 5 * last_step

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Frames of one robot around the last step of an episode. The middle one belongs into the memory as the next observation; the right one is the start of the next episode.", "name": "fig-bridge-reset"}, "image": {"alt": "Three frames. Before the last step and in the true last observation the gripper stands at nearly the same place, beyond the far edge of the table, the red goal to its left. In what the step returned the gripper is back at its start and the goal is another one."}}
fig, axes = plt.subplots(1, 3, figsize=(6.4, 2.3))
frames = {"before the last step": before, "after it, in info": true, "what step returned": returned}
for ax, (title, shown) in zip(axes, frames.items(), strict=True):
    ax.imshow(shown["pixels"].transpose(1, 2, 0))
    ax.set_title(title, fontsize=8)
    ax.axis("off")
plt.show()

# %% [markdown]
# Two traps in one step: the true last observation lies in `info`, and `done` is true although only a
# clock ran out, so the critic's target must [count the future](04_sac_recap.ipynb) all the same. SB3's loop takes care of
# both. We let it collect, and look at what it stored.

# %%
scratch = tempfile.TemporaryDirectory()  # gone when the page is done
folder = Path(scratch.name)
model.set_logger(logger.configure(str(folder), ["csv", "tensorboard"]))
model.learn(total_timesteps=240, log_interval=1)

memory = model.replay_buffer
ends = np.flatnonzero(memory.dones[:, 0])
jumps = memory.next_observations["achieved_goal"] - memory.observations["achieved_goal"]
farthest = 100 * np.linalg.norm(jumps, axis=-1)[: memory.size()].max()
print(
    f"{len(ends)} episodes ended in each robot; the longest step in the memory is {farthest:.1f} cm"
)
assert memory.timeouts[ends].all() and farthest < leap / 2
sample = memory.sample(200)
assert sample.dones.sum() == 0, "no time limit reaches the TD target as an end"

# %% [markdown]
# ### Checkpoints
#
# `save` writes networks, optimizers and settings into one zip file, and `load` gives a model that
# acts the same. The replay memory is not in it, and neither is the state of any random generator: a
# run that goes on from such a file starts with an empty memory.

# %%
model.save(folder / "model.zip")
with zipfile.ZipFile(folder / "model.zip") as archive:
    for item in archive.infolist():
        print(f"{item.file_size:>9,} bytes  {item.filename}")
loaded = SAC.load(folder / "model.zip", device="cpu")
again = loaded.predict(observation, deterministic=True)[0]
assert np.array_equal(again, model.predict(observation, deterministic=True)[0])
assert loaded.replay_buffer is None or loaded.replay_buffer.size() == 0

# %% [markdown]
# `data` is JSON with pickled objects in it; `save_replay_buffer`, which writes the memory to a file of its own,
# pickles it whole. Unpickling runs whatever the file says. The runs of this book store plain numbers instead,
# the memory and the random states among them, and a killed run goes on as if nothing had happened.
#
# ### Four curves
#
# The run above was real: 240 steps, counted over both robots, and after the first 40 one update each time both
# had moved. It logged to a CSV file and to TensorBoard. Both say the same:

# %%
NAMES = ["train/critic_loss", "train/actor_loss", "train/ent_coef", "rollout/success_rate"]
table = pd.read_csv(folder / "progress.csv").groupby("time/total_timesteps").last()
events = EventAccumulator(str(folder)).Reload()
for name in NAMES:
    board = {event.step: event.value for event in events.Scalars(name)}
    for step_number, value in board.items():
        assert math.isclose(table[name][step_number], value, rel_tol=1e-4, abs_tol=1e-6), name
rows = [
    "| step | " + " | ".join(name.split("/")[1] for name in NAMES) + " |",
    "|---|---|---|---|---|",
]
for step_number, logged in table[NAMES].dropna().iterrows():  # from the first update on
    rows.append(f"| {step_number} | " + " | ".join(f"{logged[name]:.4g}" for name in NAMES) + " |")
display(Markdown("\n".join(rows)))
print(model._n_updates, "updates")

# %% [markdown]
# | curve | what it is |
# |---|---|
# | `train/critic_loss` | half the squared TD error of both critics, **through the encoder**: its gradient is the only one that trains it |
# | `train/actor_loss` | $\alpha \log \pi - \min Q$ on **detached** features |
# | `train/ent_coef` | the temperature $\alpha$ |
# | `rollout/success_rate` | the share of the last 100 episodes, over both robots, whose last step counted as success |
#
# We do not take this from the manual. We predict what the next update will log, from the same weights, batch
# and noise, and from the equations of the [last page](15_from_scratch_networks.ipynb), with the critic's loss
# halved as in SB3. One thing more differs. On that page an update encodes a batch once, and Q judges the
# actor through features from *before* the critic's step. SB3's SAC encodes the batch again after that step.


# %%
def predict_log(model, batch_size=16):
    """critic's loss and temperature before the update, and the actor's part of its loss."""
    batch = model.replay_buffer.sample(batch_size)
    alpha = model.log_ent_coef.exp().detach()
    with torch.no_grad():
        actions, log_prob = model.actor.action_log_prob(batch.observations)
        next_actions, next_log_prob = model.actor.action_log_prob(batch.next_observations)
        next_q = torch.min(*model.critic_target(batch.next_observations, next_actions))
        worth = next_q - alpha * next_log_prob[:, None]
        y = batch.rewards + (1 - batch.dones) * model.gamma * worth
        q_values = model.critic(batch.observations, batch.actions)
        loss = 0.5 * sum(F.mse_loss(q, y) for q in q_values)
    return loss.item(), alpha.item(), (batch.observations, actions, alpha * log_prob[:, None])


def fix_dice(seed):
    torch.manual_seed(seed)
    np.random.seed(seed)  # SB3 draws batches from it


fix_dice(3)
expected_loss, expected_alpha, (seen, actions, price) = predict_log(model)
encoder_before = copy.deepcopy(model.critic.features_extractor)
fix_dice(3)
model.train(gradient_steps=1, batch_size=16)
with torch.no_grad():  # the actor is judged by the critic *after* its step
    expected_actor = (price - torch.min(*model.critic(seen, actions))).mean().item()
expected = dict(zip(NAMES, (expected_loss, expected_actor, expected_alpha), strict=False))
for name, value in expected.items():
    logged = float(model.logger.name_to_value[name])
    print(f"{name:<18} predicted {value:9.6f}   logged {logged:9.6f}")
    assert math.isclose(value, logged, rel_tol=1e-4, abs_tol=1e-6)

# %% [markdown]
# All three to the digit. The fourth is no property of an update at all: it is counted from the
# episodes.

# %%
successes = list(model.ep_success_buffer)
print(f"{len(successes)} episodes, {sum(successes):.0f} of them successful")
assert np.isclose(np.mean(successes), table["rollout/success_rate"].iloc[-1])
moved = sum(
    (a - b).abs().sum().item()
    for a, b in zip(
        model.critic.features_extractor.parameters(), encoder_before.parameters(), strict=True
    )
)
assert moved > 0, "the critic's step moves the encoder"

# %% [markdown]
# After a hundred updates no episode has succeeded yet, and only the success rate says so. The *other* three
# move meanwhile, and nothing in them shows it. **Three of these four curves describe the learner. Only the fourth
# describes the robot.** Two more habits of theirs: the losses of a row are means over the last call of `train`
# before it, here a single batch, so they jump. And the success rate lags: it is a mean over the last 100
# episodes, all of them played with noise.
#
# ```{exercise-start}
# :label: ex-boundary
# ```
# Write the rule that keeps the memory honest. `observation` (N, …) is what a vectorized `step` gave
# back, `done` (N,) and `info` are its other results. Complete `to_store`: the next observations that
# belong into the memory, and the $d$ of the TD target.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def to_store(observation, done, info):
    """(next observations (N, ...), d (N,) as float32); the input must stay as it is."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_to_store(answer):
    """Names the likely mistake."""
    came_back = np.array([[1.0], [2.0], [3.0]])
    done = np.array([False, True, True])
    info = [
        {"TimeLimit.truncated": False},
        {"terminal_observation": np.array([20.0]), "TimeLimit.truncated": True},
        {"terminal_observation": np.array([30.0]), "TimeLimit.truncated": False},
    ]
    given, given_done, given_info = copy.deepcopy((came_back, done, info))
    result = answer(given, given_done, given_info)
    assert result is not ..., "to_store still returns ...: fill it in"
    assert len(result) == 2, "return two things: the next observations and d"
    stored, d = np.asarray(result[0]), np.asarray(result[1])
    assert np.array_equal(given, came_back), (
        "you wrote into the observation that came back: the next action is chosen from it"
    )
    assert np.array_equal(given_done, done) and given_info == info, (
        "you changed done or info: the input must stay as it is"
    )
    assert stored.shape == (3, 1), (
        f"the next observations have shape {stored.shape}, expected (3, 1) as they came back"
    )
    assert d.shape == (3,), f"d has shape {d.shape}, expected (3,): one number a robot"
    assert not np.array_equal(stored, came_back), (
        "the observations of robots 1 and 2 belong to their next episodes: look into info"
    )
    assert stored[0] == 1.0, "robot 0 is in the middle of its episode: its observation stays"
    assert stored[1] == 20.0, "a time limit ends the episode too: take its terminal observation"
    assert stored[2] == 30.0, "robot 2 ended: take its terminal observation"
    assert d.dtype == np.float32, f"d has dtype {d.dtype}, expected float32: it is multiplied"
    assert d[1] != 1, "robot 1 only ran out of time: its future counts, d is 0"
    assert d[2] == 1 and d[0] == 0, f"only robot 2 truly ended, got {d}"


# %% tags=["nbval-check-output"]
attempt(check_to_store, to_store)

# %% [markdown]
# ```{solution-start} ex-boundary
# :class: dropdown
# ```


# %% tags=["solution"]
def to_store(observation, done, info):
    """(next observations (N, ...), d (N,) as float32); the input must stay as it is."""
    stored = observation.copy()
    for robot in np.flatnonzero(done):
        stored[robot] = info[robot]["terminal_observation"]
    timeout = np.array([i.get("TimeLimit.truncated", False) for i in info])
    return stored, (done & ~timeout).astype(np.float32)


check_to_store(to_store)
env.close()

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Settled
#
# Every part that you built has its counterpart, and the same observations give the same numbers on both
# sides. SB3 adds the loop: many robots, honest episode boundaries, logs, files. You can predict what
# it will log.
#
# That was the last part to build. What remains is to run it, longer than a page can wait. A run is one line, as
# [Reach from state](03_reach_from_state.ipynb) showed, and leaves an artifact that a page reads:
#
# ```bash
# pixels plan reach-pixels             # what two million steps from pixels need
# pixels train reach-pixels --smoke    # the same pipeline, in seconds
# ```
#
# Next: [Run it](../book/running.md).
