"""EpisodeReplay against a naive memory that stores all, and against SB3's HerReplayBuffer."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from scipy.stats import chi2_contingency, ks_2samp
from stable_baselines3.common.buffers import NStepReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.her import HerReplayBuffer

from labs.envs import make_env
from labs.errors import UserError
from labs.experiments import replay_pieces
from labs.pixel_wrapper import PixelObservationWrapper
from labs.replay import EpisodeReplay, episode_options, goal_reward, replay_bytes

ACTIONS = spaces.Box(-1, 1, (4,), np.float32)


def vector(n):
    return spaces.Box(-np.inf, np.inf, (n,), np.float64)


def space_of(stack=2, goals=("achieved_goal", "desired_goal"), proprio=True, size=5):
    parts = {"pixels": spaces.Box(0, 255, (3 * stack, size, size), np.uint8)} if stack else {}
    parts |= {key: vector(3) for key in goals}
    parts |= {"proprioception": vector(2)} if proprio else {}
    return spaces.Dict(parts)


def stacked(rows, name):
    return {key: np.stack([row[name][key] for row in rows]) for key in rows[0][name]}


class Feed:
    """Random episodes, and everything that a naive memory would store of them."""

    def __init__(self, space, length, n_envs, seed):
        self.space, self.length, self.n_envs = space, length, n_envs
        self.rng = np.random.default_rng(seed)
        self.episodes: list[list[dict]] = [[] for _ in range(n_envs)]
        self.finished: list[list[dict]] = []
        self.obs = None

    def fresh(self, first, previous, goal):
        rng, obs = self.rng, {}
        achieved = rng.integers(0, 4, 3) * 0.04  # a coarse grid: goals repeat and rewards vary
        for key, part in self.space.spaces.items():
            if key == "pixels":
                frame = rng.integers(0, 256, (3, *part.shape[1:]), dtype=np.uint8)
                n = part.shape[0] // 3
                obs[key] = (
                    np.concatenate([frame] * n)
                    if first
                    else np.concatenate([previous[key][3:], frame])
                )
            elif key == "achieved_goal":
                obs[key] = achieved
            elif key == "desired_goal":
                obs[key] = goal
            else:
                obs[key] = rng.normal(size=part.shape)
        return obs, achieved

    def run(self, replay, steps):
        rng = self.rng
        if self.obs is None:
            self.goals = [rng.integers(0, 4, 3) * 0.04 for _ in range(self.n_envs)]
            self.obs = [self.fresh(True, None, g)[0] for g in self.goals]
        for _ in range(steps):
            rows = []
            for i in range(self.n_envs):
                after, achieved = self.fresh(False, self.obs[i], self.goals[i])
                distance = np.linalg.norm(achieved - self.goals[i])
                done = len(self.episodes[i]) + 1 == self.length
                row = {
                    "obs": self.obs[i],
                    "next": after,
                    "action": rng.uniform(-1, 1, 4).astype(np.float32),
                    "reward": np.float32(-1 if distance > 0.05 else 0),
                    "achieved": achieved,
                    "goal": self.goals[i],
                    "done": done,
                }
                rows.append(row)
                self.episodes[i].append(row)
            replay.add(
                stacked(rows, "obs"),
                stacked(rows, "next"),
                np.stack([r["action"] for r in rows]),
                np.array([r["reward"] for r in rows]),
                np.array([r["done"] for r in rows]),
                [{"TimeLimit.truncated": r["done"], "achieved_goal": r["achieved"]} for r in rows],
            )
            for i, row in enumerate(rows):
                self.obs[i] = row["next"]
                if row["done"]:
                    self.finished.append(self.episodes[i])
                    self.episodes[i] = []
                    self.goals[i] = rng.integers(0, 4, 3) * 0.04
                    self.obs[i] = self.fresh(True, None, self.goals[i])[0]


@settings(max_examples=40, deadline=None)
@given(
    stack=st.integers(0, 4),
    length=st.integers(1, 7),
    n_envs=st.integers(1, 3),
    capacity=st.integers(1, 4),
    steps=st.integers(1, 30),
    goals=st.sampled_from([(), ("desired_goal",), ("achieved_goal", "desired_goal")]),
    strategy=st.sampled_from(["future", "final", "episode"]),
    k=st.integers(0, 4),
    ahead=st.integers(1, 4),
    seed=st.integers(0, 10_000),
)
def test_every_sample_is_what_a_naive_memory_would_give(
    stack, length, n_envs, capacity, steps, goals, strategy, k, ahead, seed
):
    """Stacks, vectors, actions, goals and rewards of the episodes that should be there."""
    k = k if "desired_goal" in goals else 0
    ahead, gamma = min(ahead, length), 0.5  # whose powers and their sums have no rounding
    space = space_of(stack, goals)
    replay = EpisodeReplay(
        capacity * length,
        space,
        ACTIONS,
        "cpu",
        n_envs,
        episode_length=length,
        n_sampled_goal=k,
        goal_selection_strategy=strategy,
        n_steps=ahead,
        gamma=gamma,
        seed=seed,
    )
    feed = Feed(space, length, n_envs, seed)
    feed.run(replay, steps)
    kept = feed.finished[-capacity:]
    assert replay.size() == len(kept) * length
    if not kept:
        with pytest.raises(RuntimeError, match="no finished episode"):
            replay.sample(4)
        return
    # Slots are filled in the order in which episodes end, and around.
    total = len(feed.finished)
    slot = {n % capacity: feed.finished[n] for n in range(max(0, total - capacity), total)}
    episode, step, goal = replay.draw(32)
    batch = replay.gather(episode, step, goal)
    assert (goal >= 0).sum() == int((1 - 1 / (k + 1)) * 32)
    for i in range(32):
        way = slot[int(episode[i])][int(step[i]) :][:ahead]
        row, end = way[0], way[-1]["next"]
        wanted = row["goal"]
        if goal[i] >= 0:
            chosen = int(goal[i]) - 1
            assert 0 <= chosen < length
            assert strategy != "future" or chosen >= step[i]
            assert strategy != "final" or chosen == length - 1
            wanted = slot[int(episode[i])][chosen]["achieved"]
        for side, stored in (("observations", row["obs"]), ("next_observations", end)):
            got = getattr(batch, side)
            assert set(got) == set(space.spaces)
            for key in space.spaces:
                expected = wanted if key == "desired_goal" else stored[key]
                assert np.array_equal(got[key][i].numpy(), expected.astype(got[key].numpy().dtype))
        assert np.array_equal(batch.actions[i].numpy(), row["action"])
        paid = [
            -float(np.linalg.norm(row["achieved"] - wanted) > 0.05) if k else row["reward"]
            for row in way
        ]
        assert batch.rewards[i].item() == sum(gamma**n * p for n, p in enumerate(paid))
        assert ahead == 1 or batch.discounts[i].item() == gamma ** len(way)
    assert (batch.discounts is None) == (ahead == 1)
    assert batch.dones.sum() == 0 and batch.dones.shape == batch.rewards.shape == (32, 1)


# -------------------------------------------------------------------------- against SB3's buffer


@pytest.fixture(scope="module")
def both_buffers():
    """The same 30 episodes of Push in both memories, 3 environments, k = 4."""
    env = DummyVecEnv([lambda: make_env("push", render_mode=None) for _ in range(3)])
    env.seed(0)
    args = (1500, env.observation_space, env.action_space)
    stock = HerReplayBuffer(*args, env=env, device="cpu", n_envs=3, n_sampled_goal=4)
    mine = EpisodeReplay(*args, device="cpu", n_envs=3, seed=0, **episode_options(env))
    rng = np.random.default_rng(0)
    obs = env.reset()
    for _ in range(500):
        actions = rng.uniform(-1, 1, (3, 4)).astype(np.float32)
        after, reward, done, infos = env.step(actions)
        shown = {k: v.copy() for k, v in after.items()}
        for i in np.flatnonzero(done):
            for key in shown:
                shown[key][i] = infos[i]["terminal_observation"][key]
        for buffer in (stock, mine):
            buffer.add(obs, shown, actions, reward, done, infos)
        obs = after
    assert stock.size() * 3 == mine.size() == 1500
    yield stock, mine, env
    env.close()


def test_batches_have_the_types_that_the_policy_would_see(both_buffers):
    stock, mine, _ = both_buffers
    theirs, ours = stock.sample(64), mine.sample(64)
    for side in ("observations", "next_observations"):
        for key, value in getattr(theirs, side).items():
            got = getattr(ours, side)[key]
            assert got.shape == value.shape and got.dtype == torch.float32
    for name in ("actions", "rewards", "dones"):
        assert getattr(ours, name).shape == getattr(theirs, name).shape
        assert getattr(ours, name).dtype == torch.float32


def test_the_distribution_of_steps_goals_and_rewards_is_sb3s(both_buffers):
    """10,000 transitions of each: which ones, how far their goals, which rewards."""
    stock, mine, env = both_buffers
    # SB3 draws from the global generator.
    np.random.seed(0)  # noqa: NPY002
    found = []
    for buffer in (stock, mine):
        grips, gaps, rewards = [], [], []
        for _ in range(200):
            batch = buffer.sample(50)
            grips.append(batch.observations["observation"][:, 0].double())  # names its transition
            gap = batch.next_observations["achieved_goal"] - batch.observations["desired_goal"]
            gaps.append(gap.double().norm(dim=1).round(decimals=5))  # SB3 keeps float64
            rewards.append(batch.rewards[:, 0])
        found.append([torch.cat(part).numpy() for part in (grips, gaps, rewards)])
    (grips_a, gaps_a, rewards_a), (grips_b, gaps_b, rewards_b) = found
    assert ks_2samp(grips_a, grips_b).pvalue > 1e-3
    assert ks_2samp(gaps_a, gaps_b).pvalue > 1e-3
    counts = [[(r == v).sum() for v in (-1, 0)] for r in (rewards_a, rewards_b)]
    assert np.min(counts) > 0 and chi2_contingency(counts).pvalue > 1e-3
    # And the reward is the environment's own, for every sample.
    batch = mine.sample(500)
    expected = env.env_method(
        "compute_reward",
        batch.next_observations["achieved_goal"].double().numpy(),
        batch.observations["desired_goal"].double().numpy(),
        {},
        indices=[0],
    )[0]
    assert np.array_equal(batch.rewards[:, 0].numpy(), expected)


def test_steps_ahead_are_sb3s():
    """Rewards on the way, what lies at its end and what a value there counts, as in SB3."""
    space = spaces.Dict(observation=spaces.Box(-9, 9, (2,)))
    stock = NStepReplayBuffer(30, space["observation"], ACTIONS, "cpu", n_steps=4, gamma=0.9)
    options = {"episode_length": 10, "n_sampled_goal": 0, "n_steps": 4, "gamma": 0.9}
    mine = EpisodeReplay(30, space, ACTIONS, "cpu", **options)
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(31, 1, 2)).astype(np.float32)
    for t in range(30):
        done = np.array([t % 10 == 9])
        rest = (rng.uniform(-1, 1, (1, 4)).astype(np.float32), rng.normal(size=1), done)
        info = [{"TimeLimit.truncated": bool(done[0])}]
        stock.add(seen[t], seen[t + 1], *rest, info)
        mine.add({"observation": seen[t]}, {"observation": seen[t + 1]}, *rest, info)
    theirs, ours = (memory._get_samples(np.arange(30)) for memory in (stock, mine))
    torch.testing.assert_close(ours.rewards, theirs.rewards)
    torch.testing.assert_close(ours.discounts, theirs.discounts)
    assert torch.equal(ours.next_observations["observation"], theirs.next_observations)
    assert not theirs.dones.any() and not ours.dones.any()


def test_future_steps_are_as_likely_as_in_sb3():
    """Exact law: the goal's step is uniform over t .. T - 1, the current one included."""
    replay = EpisodeReplay(40, space_of(0), ACTIONS, "cpu", 1, episode_length=4, seed=1)
    Feed(space_of(0), 4, 1, 0).run(replay, 40)
    episode, step, goal = replay.draw(200_000)
    virtual = goal >= 0
    assert virtual.sum() == int(0.8 * 200_000) and not virtual[:40_000].any()
    assert torch.bincount(episode, minlength=10).float().div(20_000).sub(1).abs().max() < 0.04
    for t in range(4):
        chosen = goal[virtual & (step == t)] - 1
        share = torch.bincount(chosen, minlength=4).float() / len(chosen)
        expected = torch.tensor([0.0] * t + [1 / (4 - t)] * (4 - t))
        assert (share - expected).abs().max() < 0.01


# ----------------------------------------------------------------------------- rewards and bytes


@pytest.mark.parametrize("task", ["reach", "push"])
def test_the_reward_is_the_environments(task):
    env = make_env(task, render_mode=None).unwrapped
    rng = np.random.default_rng(0)
    achieved = rng.normal(size=(5000, 3)) * 0.04
    desired = rng.normal(size=(5000, 3)) * 0.04
    expected = env.compute_reward(achieved, desired, {})
    got = goal_reward(
        torch.from_numpy(achieved),
        torch.from_numpy(desired),
        threshold=env.distance_threshold,
        reward_type=env.reward_type,
    )
    assert got.dtype == torch.float32
    assert np.array_equal(got.numpy(), expected.astype(np.float32))
    assert len(np.unique(expected)) > 1


def test_a_transition_costs_at_most_21_8_kilobytes():
    space = spaces.Dict(
        pixels=spaces.Box(0, 255, (12, 84, 84), np.uint8),
        proprioception=vector(10),
        achieved_goal=vector(3),
        desired_goal=vector(3),
    )
    replay = EpisodeReplay(1000, space, ACTIONS, "cpu", 1)
    held = sum(t.numel() * t.element_size() for t in replay.memory.values())
    assert held == replay.bytes_when_full == replay_bytes(space, 4, 1000, 50)
    assert replay.bytes_per_transition <= 21_800


def test_more_memory_than_the_machine_has_is_one_clear_line():
    with pytest.raises(UserError, match=r"needs 10\d\d\d\.\d GB, .*: lower the buffer size"):
        EpisodeReplay(500_000_000, space_of(4, size=84), ACTIONS, "cpu", 1)


# --------------------------------------------------------------------------------- what it refuses


def test_other_lengths_are_refused():
    space = space_of(0)
    replay = EpisodeReplay(40, space, ACTIONS, "cpu", 1, episode_length=4)
    with pytest.raises(ValueError, match="an episode of 3 steps; expected exactly 4"):
        Feed(space, 3, 1, 0).run(replay, 3)
    replay = EpisodeReplay(40, space, ACTIONS, "cpu", 1, episode_length=4)
    with pytest.raises(ValueError, match="longer than 4"):
        Feed(space, 6, 1, 0).run(replay, 6)


def test_a_terminated_episode_is_refused():
    replay = EpisodeReplay(4, space_of(0), ACTIONS, "cpu", 1, episode_length=1)
    obs = {k: np.zeros((1, *p.shape)) for k, p in space_of(0).spaces.items()}
    info = {"TimeLimit.truncated": False}
    with pytest.raises(ValueError, match="the task terminated"):
        replay.add(obs, obs, np.zeros((1, 4)), np.zeros(1), np.ones(1, bool), [info])


def test_a_goal_that_changes_within_an_episode_is_refused():
    replay = EpisodeReplay(8, space_of(0), ACTIONS, "cpu", 1, episode_length=4)
    obs = {k: np.zeros((1, *p.shape)) for k, p in space_of(0).spaces.items()}
    after = obs | {"desired_goal": np.ones((1, 3))}
    with pytest.raises(ValueError, match="throughout the episode"):
        replay.add(obs, after, np.zeros((1, 4)), np.zeros(1), np.zeros(1, bool), [{}])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"observation_space": vector(3)}, "expected a spaces.Dict"),
        ({"observation_space": space_of(2, ())}, "expected 0: a goal that no policy sees"),
        ({"goal_selection_strategy": "past"}, "expected one of future, final, episode"),
        ({"n_sampled_goal": -1}, "expected 0 or more"),
        ({"n_steps": 0}, "expected 1 to 50"),
        ({"n_steps": 51}, "expected 1 to 50"),
        ({"goals_per_frame": 0}, "expected at least 1"),
        ({"goals_per_frame": 2, "n_sampled_goal": 0}, "and HER for more than 1"),
        ({"buffer_size": 10}, "at least one episode"),
        ({"reward_type": "Sparse"}, "expected one of sparse, dense"),
        (
            {"observation_space": spaces.Dict(pixels=spaces.Box(0, 255, (4, 9, 9), np.uint8))},
            "channels-first RGB stacks",
        ),
    ],
)
def test_bad_options_say_what_is_expected(options, message):
    arguments = {"buffer_size": 100, "observation_space": space_of(2), "action_space": ACTIONS}
    with pytest.raises(ValueError, match=message):
        EpisodeReplay(**{**arguments, **options}, device="cpu")


# --------------------------------------------------------------------------- moved only, save, load


def test_relabelling_may_keep_to_episodes_in_which_the_object_moved():
    replay = EpisodeReplay(
        30, space_of(0), ACTIONS, "cpu", 1, episode_length=3, moved_only=True, seed=0
    )

    def episode(moves):  # and comes back; where goals are hidden nobody knows the one at the reset
        achieved = np.array([0, 1.3, 1.3 + 0.1 * moves, 1.3])[:, None].repeat(3, axis=1)
        return {
            "actions": np.zeros((3, 4)),
            "rewards": np.zeros(3),
            "achieved_goal": achieved,
            "desired_goal": np.zeros(3),
            "proprioception": np.zeros((4, 2)),
        }

    replay.add_episode(episode(False))
    assert (replay.draw(50)[2] >= 0).sum() == 40, "without any moved episode all of them serve"
    for n in range(12):  # around the ring: slots 0 and 1 are written twice
        replay.add_episode(episode(n % 3 == 0))
    moved = set(replay.moved_episodes().tolist())
    assert 0 < len(moved) < 10
    replay.moved_only = False  # which says what is drawn, not what moved
    assert set(replay.moved_episodes().tolist()) == moved
    replay.moved_only = True
    assert moved == {s for s in range(10) if replay.memory["achieved_goal"][s, 2, 0].item() > 1.35}
    episodes, _, goal = replay.draw(2000)
    assert set(episodes[goal >= 0].tolist()) == moved
    assert set(episodes[goal < 0].tolist()) == set(range(10))


# ------------------------------------------------------------------------------ many goals a frame


def many_goals(goals, strategy="future"):
    space = space_of(2, goals=("desired_goal",))
    replay = EpisodeReplay(
        60,
        space,
        ACTIONS,
        "cpu",
        1,
        episode_length=6,
        goal_selection_strategy=strategy,
        goals_per_frame=goals,
        seed=3,
    )
    Feed(space, 6, 1, 0).run(replay, 36)
    return replay


@pytest.mark.parametrize("strategy", ["future", "final", "episode"])
def test_many_goals_share_one_picture_and_each_has_its_own_reward(strategy):
    replay = many_goals(8, strategy)
    state = replay.generator.get_state()
    episode, step, first = replay.draw(400)
    one = replay.gather(episode, step, first)
    replay.generator.set_state(state)
    batch = replay.sample(400)
    assert batch.observations["pixels"].shape == one.observations["pixels"].shape
    for part, single in (
        (batch.observations, one.observations),
        (batch.next_observations, one.next_observations),
    ):
        for key, value in single.items():
            assert torch.equal(value, part[key] if key == "pixels" else part[key][::8]), key
            assert key == "pixels" or len(part[key]) == 3200
    assert torch.equal(one.rewards, batch.rewards[::8])
    assert torch.equal(one.actions.repeat_interleave(8, dim=0), batch.actions)
    memory = replay.memory
    asked = batch.observations["desired_goal"].double()
    achieved = memory["achieved_goal"][episode, step + 1].repeat_interleave(8, dim=0)
    far = torch.linalg.vector_norm(achieved - asked, dim=1) > 0.05
    assert torch.equal(batch.rewards[:, 0], -far.float())
    assert {0.0, -1.0} == set(batch.rewards.flatten().tolist())
    known = {"future": 0, "final": 0, "episode": 0, "of any episode": 0}
    for i in torch.arange(3200).view(400, 8)[:, 1:].flatten().tolist():
        own = (memory["achieved_goal"][episode[i // 8]].float() == asked[i].float()).all(dim=1)
        known["future"] += bool(own[step[i // 8] + 1 :].any())
        known["final"] += bool(own[-1])
        known["episode"] += bool(own[1:].any())
        known["of any episode"] += bool(
            (memory["desired_goal"].float() == asked[i].float()).all(dim=1).any()
        )
    share = known[strategy] / 2800
    assert 0.77 < share < 0.88, "HER's share, and those that coincide"
    assert known["of any episode"] / 2800 > 0.15


def test_one_goal_a_frame_draws_as_ever():
    plain, one = many_goals(1), many_goals(8)
    for a, b in zip(plain.draw(50), one.draw(50), strict=True):
        assert torch.equal(a, b)
    sample = plain.sample(50)
    assert len(sample.observations["pixels"]) == len(sample.rewards) == 50
    assert len(one.sample(50).rewards) == 400


def make(size=40):
    return EpisodeReplay(size, space_of(2), ACTIONS, "cpu", 2, episode_length=4, seed=5)


@pytest.mark.parametrize("steps", [12, 60])
def test_a_saved_memory_goes_on_as_if_nothing_had_happened(tmp_path, steps):
    first, second = make(), make()
    Feed(space_of(2), 4, 2, 0).run(first, steps)
    first.save(tmp_path / "replay.safetensors")
    Feed(space_of(2), 4, 2, 1).run(second, 4)
    second.draw(3)  # from two episodes
    second.load(tmp_path / "replay.safetensors")
    assert list(tmp_path.iterdir()) == [tmp_path / "replay.safetensors"]
    assert second.size() == first.size() and second.pos == first.pos
    for a, b in zip(first.draw(20), second.draw(20), strict=True):
        assert torch.equal(a, b)
    for key in first.memory:
        assert torch.equal(first.memory[key], second.memory[key])
    other = EpisodeReplay(40, space_of(3), ACTIONS, "cpu", 2, episode_length=5)
    with pytest.raises(UserError, match="does not fit"):
        other.load(tmp_path / "replay.safetensors")


def test_pieces_of_a_memory_that_came_round_restore_every_slot(tmp_path):
    options = {"device": "cpu", "episode_length": 4}
    first, second = (EpisodeReplay(16, space_of(0), ACTIONS, **options) for _ in range(2))
    feed, steps, pieces = Feed(space_of(0), 4, 1, 0), 0, []
    for episodes in (3, 3, 2):  # of which four fit
        feed.run(first, 4 * episodes)
        steps += replay_pieces.EPISODE_STEPS * episodes
        model = SimpleNamespace(replay_buffer=first, num_timesteps=steps)
        pieces = replay_pieces.add_piece(model, tmp_path, pieces)
    replay_pieces.restore(SimpleNamespace(replay_buffer=second), tmp_path, pieces)
    assert (second.pos, second.size()) == (first.pos, 16)
    assert all(torch.equal(second.memory[key], rows) for key, rows in first.memory.items())


@pytest.fixture
def saved(tmp_path):
    """A saved memory of ten full episodes, and its file."""
    first = make()
    Feed(space_of(2), 4, 2, 0).run(first, 52)
    return first, first.save(tmp_path / "replay.safetensors")


def test_a_full_memory_goes_on_in_a_longer_one_which_overwrites_the_oldest(saved):
    first, path = saved
    in_order = first.memory["actions"].roll(-first.pos, 0)
    longer = make(52)
    longer.load(path)
    assert first.pos and torch.equal(longer.memory["actions"][:10], in_order)
    Feed(space_of(2), 4, 2, 1).run(longer, 8)  # four episodes, of which three are free places
    assert torch.equal(longer.memory["actions"][1:10], in_order[1:])
    assert longer.pos == 1 and not torch.equal(longer.memory["actions"][0], in_order[0])


def test_another_devices_memory_gives_its_episodes_and_draws_from_the_seed_again(saved):
    first, path = saved
    first.draw(20)
    tensors, header = load_file(path), {"replay": json.dumps({"pos": first.pos, "stored": 10})}
    other = path.with_name("other.safetensors")
    save_file(tensors | {"_generator": torch.zeros(16, dtype=torch.uint8)}, other, header)
    second, fresh = make(), make()
    torch.rand(3, generator=second.generator)  # it has drawn before
    with pytest.warns(UserWarning, match="another device's: the replay memory draws from its seed"):
        second.load(other)
    assert second.size() == first.size() and second.pos == first.pos
    assert torch.equal(second.memory["pixels"], first.memory["pixels"])
    assert torch.equal(second.generator.get_state(), fresh.generator.get_state())


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"pos": 0, "stored": 9}, "actions has 10 rows instead of 9"),
        ({"pos": 0, "stored": -1}, "actions has 10 rows instead of -1"),
        ({"pos": 11, "stored": 10}, "its next row is 11 of 10"),
        ({"stored": 10}, "no whole replay memory .*'pos'"),
    ],
)
def test_a_memory_that_is_not_what_its_header_says_is_one_line(saved, header, words):
    _, path = saved
    other = path.with_name("other.safetensors")
    save_file(load_file(path), other, {"replay": json.dumps(header)})
    with pytest.raises(UserError, match=words):
        make().load(other)


# ------------------------------------------------------------------------------- with real pixels


@pytest.mark.parametrize("goal_mode", ["none", "desired", "both"])
def test_stacks_of_a_real_environment_come_back_bit_by_bit(goal_mode):
    def make():
        env = make_env("push", scene="lean", image_size=20, max_episode_steps=5)
        return PixelObservationWrapper(env, (20, 20), goal_mode=goal_mode, frame_stack=4)

    env = DummyVecEnv([make])
    options = episode_options(env)
    assert options["episode_length"] == 5
    assert options["n_sampled_goal"] == (0 if goal_mode == "none" else 4)
    options["n_sampled_goal"] = 0
    replay = EpisodeReplay(50, env.observation_space, env.action_space, "cpu", 1, **options)
    env.seed(1)
    obs, seen = env.reset(), []
    for _ in range(10):
        action = np.array([env.action_space.sample()])
        after, reward, done, infos = env.step(action)
        shown = {k: v.copy() for k, v in after.items()}
        if done[0]:
            shown = {k: v[None] for k, v in infos[0]["terminal_observation"].items()}
        replay.add(obs, shown, action, reward, done, infos)
        seen.append((obs, shown))
        obs = after
    batch = replay._get_samples(np.arange(10))
    for i, (before, after) in enumerate(seen):
        assert np.array_equal(batch.observations["pixels"][i].numpy(), before["pixels"][0])
        assert np.array_equal(batch.next_observations["pixels"][i].numpy(), after["pixels"][0])
    env.close()
