"""Policies before pictures unlike those of their training: moved, shrunk, or a sphere elsewhere."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labs.artifacts import write_measurement
from labs.errors import UserError
from labs.experiments.config import RunConfig
from labs.experiments.environments import make_one
from labs.experiments.evaluate import Episodes, final_seeds
from labs.experiments.presets import preset
from labs.measurements import (
    block_paths,
    fresh_episodes,
    frozen_pictures,
    play,
    shrunk_pictures,
    sphere_pictures,
)
from labs.measurements import moved_pictures as study

ROOT = Path(__file__).resolve().parents[1]


def test_every_direction_and_one_distance():
    drawn = study.offsets(2, 2000)
    assert drawn.shape == (2000, 2) and (np.abs(drawn).max(axis=1) == 2).all()
    assert len(np.unique(drawn, axis=0)) == 16, "the edge of a square of 5 × 5"
    assert np.array_equal(drawn, study.offsets(2, 2000)), "the same for every policy"
    assert not np.array_equal(drawn, study.offsets(2, 2000, seed=1))


def test_a_stack_of_frames_moves_as_one_and_repeats_its_border():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 36, 36), np.uint8)
    moved = study.mover(np.array([2, -1]))(0, pixels)
    assert moved.dtype == np.uint8
    np.testing.assert_array_equal(moved[:, :-2, 1:], pixels[:, 2:, :-1])
    np.testing.assert_array_equal(moved[:, -1, 1:], pixels[:, -1, :-1])


class Recorder:
    """Does nothing, and keeps what it was shown."""

    def __init__(self, config):
        self.config, self.seen = config, []

    def predict(self, obs, deterministic=True):
        self.seen.append({key: value.copy() for key, value in obs.items()})
        return np.zeros(4, np.float32)


def test_a_policy_gets_moved_pictures_and_unmoved_vectors():
    config = RunConfig(
        task="push", observation="pixels", goal_mode="desired", proprioception=True, image_size=36
    )
    shown = {}
    for distance in (1, 3):
        policy = Recorder(replace(config))
        found = study.play_moved(policy, distance, episodes=2)
        assert found["episodes"] == 2 and len(policy.seen) == 100
        shown[distance] = policy.seen
    env = make_one(config)
    still, _ = env.reset(seed=int(study.final_seeds(2)[0]))
    env.close()
    for distance, seen in shown.items():
        first = seen[0]
        wanted = study.mover(study.offsets(distance, 2)[0])(0, still["pixels"])
        np.testing.assert_array_equal(first["pixels"], wanted)
        assert (first["pixels"] != still["pixels"]).any()
        for key in ("proprioception", "desired_goal"):
            np.testing.assert_array_equal(first[key], still[key])


def test_shrunk_frames_differ_in_their_edges_and_in_nothing_else():
    config = RunConfig(
        task="push", observation="pixels", goal_mode="desired", proprioception=True, image_size=64
    )
    policy = Recorder(config)
    found = shrunk_pictures.play_both(policy, episodes=2)
    assert len(policy.seen) == 200 and found["native"] == {
        **found["shrunk"],
        "frames_per_second": found["native"]["frames_per_second"],
    }  # doing nothing ends alike
    assert (found["lost"], found["won"]) == ([], [])
    native, shrunk = policy.seen[0], policy.seen[100]
    for key in ("proprioception", "desired_goal"):
        np.testing.assert_array_equal(native[key], shrunk[key])
    change = np.abs(native["pixels"].astype(int) - shrunk["pixels"])
    assert 0 < change.mean() < 10 and change.max() > 30, "edges, and nothing but edges"


def test_episodes_that_change_sides_are_counted(monkeypatch):
    outcomes = iter([np.array([1, 1, 0, 0, 1], bool), np.array([0, 1, 1, 0, 0], bool)])
    monkeypatch.setattr(
        shrunk_pictures,
        "run_episodes",
        lambda *_, **__: Episodes(next(outcomes), np.zeros(5), np.zeros(5), 1.0),
    )
    found = shrunk_pictures.play_both(Recorder(RunConfig(task="push")), episodes=5)
    first = final_seeds(5)[0]
    assert (found["lost"], found["won"]) == ([first, first + 4], [first + 2])
    assert found["native"]["successes"] == 3 and found["shrunk"]["successes"] == 2


def test_the_film_shows_both_kinds_of_frames_and_what_the_policy_sees():
    config = RunConfig(
        task="push", observation="pixels", goal_mode="desired", proprioception=True, image_size=48
    )
    policy, side = Recorder(config), shrunk_pictures.SIDE
    frames = shrunk_pictures.film_of(policy, final_seeds(1))
    assert len(frames) > 51 and frames[0].shape == (2 * side, 2 * side, 3)
    np.testing.assert_array_equal(frames[0][:side, :side], frames[0][:side, side:])  # one start
    scale = side // 48
    for half, seen in ((0, policy.seen[0]), (side, policy.seen[50])):
        shown = frames[0][side::scale, half : half + side : scale]
        np.testing.assert_array_equal(shown, seen["pixels"][-3:].transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("measure", "first"),
    [
        (study.moved_pictures, "push-distilled"),
        (shrunk_pictures.shrunk_pictures, "push-distilled"),
        (sphere_pictures.sphere_pictures, "push-distilled"),
        (frozen_pictures.frozen_pictures, "push-asymmetric-keypoint-long"),
        (fresh_episodes.fresh_episodes, "push-state-tuned"),
    ],
)
def test_without_a_policy_it_says_what_to_train(tmp_path, monkeypatch, measure, first):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    with pytest.raises(UserError, match=f"no policy to play: pixels train {first} --seeds 0"):
        measure()


def test_the_other_place_is_a_goal_far_enough_away():
    goals = np.array([[0.0, 0, 0.4], [0.05, 0, 0.4], [0.2, 0, 0.4], [0.22, 0.1, 0.4]])
    places = sphere_pictures.other_places(goals)
    np.testing.assert_array_equal(places, goals[[2, 2, 3, 0]])  # the next one, in a circle
    with pytest.raises(ValueError, match="away from goal 0"):
        sphere_pictures.other_places(goals[:2])


def test_the_way_toward_a_place_is_measured_from_the_goal():
    goals = np.zeros((3, 3))
    places = np.array([[0.2, 0, 0], [0, 0.2, 0], [0.2, 0, 0]])
    ends = np.array([[0.18, 0.03, 0], [0.05, 0, 0], [-0.06, 0, 0]])
    found = sphere_pictures.toward(ends, goals, places)
    assert found["pull"]["mean"] == pytest.approx((180 + 0 - 60) / 3)
    assert found["at_place"]["rate"] == pytest.approx(1 / 3)


def test_the_sphere_moves_and_nothing_else_does():
    config = RunConfig(
        task="push",
        observation="pixels",
        goal_mode="desired",
        proprioception=True,
        image_size=64,
        camera="workspace",
        scene="lean",
        goal_sphere=False,
    )
    policy = Recorder(config)
    found = sphere_pictures.play_spheres(policy, episodes=6)
    assert len(policy.seen) == 6 * 50 * 3
    hidden, shown, elsewhere = (policy.seen[300 * k] for k in range(3))
    for key in ("proprioception", "desired_goal"):
        np.testing.assert_array_equal(hidden[key], elsewhere[key])
        np.testing.assert_array_equal(hidden[key], shown[key])

    def red_center(obs):
        changed = np.abs(obs["pixels"].astype(int) - hidden["pixels"]).sum(axis=0) > 60
        assert 3 < changed.sum() < 200, "the sphere and nothing but the sphere"
        return np.argwhere(changed).mean(axis=0)

    assert np.linalg.norm(red_center(shown) - red_center(elsewhere)) > 8  # pixels
    goals = sphere_pictures.goals_of(final_seeds(6))
    np.testing.assert_allclose(goals[0], hidden["desired_goal"])
    for name in ("successes", "pull", "at_place"):  # doing nothing ends alike
        assert found["hidden"][name] == found["shown"][name] == found["elsewhere"][name]
    assert (found["trained"], found["lost"], found["won"]) == ("hidden", [], [])


def test_episodes_that_the_sphere_s_place_decides_are_lost_or_won(monkeypatch):
    of_kinds = ([1, 0, 1, 0, 1, 0], [1, 1, 0, 0, 0, 1], [0, 0, 1, 1, 0, 1])
    outcomes = iter(np.array(of_kinds, bool))

    def played(policy, config, seeds, env):
        env.ends.update(dict.fromkeys(seeds.tolist(), np.zeros(3)))
        return Episodes(next(outcomes), np.zeros(6), np.zeros(6), 1.0)

    monkeypatch.setattr(sphere_pictures, "run_episodes", played)
    found = sphere_pictures.play_spheres(Recorder(RunConfig(task="push")), episodes=6)
    seeds = list(final_seeds(6))
    assert (found["lost"], found["won"]) == (seeds[:2], seeds[2:4])


def test_the_film_shows_the_sphere_at_the_goal_and_elsewhere():
    config = RunConfig(
        task="push",
        observation="pixels",
        goal_mode="desired",
        proprioception=True,
        image_size=48,
        camera="workspace",
    )
    policy, side = Recorder(config), sphere_pictures.SIDE
    frames = sphere_pictures.film_of(policy, final_seeds(1), episodes=6)
    left, right = frames[0][:side, :side].astype(int), frames[0][:side, side:].astype(int)
    changed = np.abs(left - right).sum(axis=2) > 60
    assert 20 < changed.sum() < side * side / 20, "the sphere, in two places, and nothing else"
    pictures = policy.seen[0]["pixels"], policy.seen[50]["pixels"]
    assert not np.array_equal(*pictures), "the policy sees what the film shows"


def test_success_is_sorted_by_the_way_that_the_block_has_to_go():
    distance = np.array([0.01, 0.06, 0.11, 0.13, 0.19, 0.21, 0.4])
    success = np.array([True, True, False, False, False, True, True])
    near, middle, far = block_paths.by_distance(success, distance)
    assert [found["n"] for found in (near, middle, far)] == [2, 2, 2], "the first has nowhere to go"
    assert [found["rate"] for found in (near, middle, far)] == [0.5, 0, 1]
    assert block_paths.by_distance(success[:3], distance[:3])[2] == {"n": 0}


def test_a_block_comes_nearer_or_stays_untouched():
    goal = np.array([0.1, 0, 0])
    still, pushed = (np.array([np.zeros(3), end, goal]) for end in (goal * 0.05, goal * 0.8))
    found = block_paths.what_the_block_did(np.array([still, pushed]))
    assert found["touched"]["rate"] == 0.5
    assert found["nearer"]["mean"] == pytest.approx((5 + 80) / 2)


def test_a_lost_block_is_untouched_nearer_or_farther():
    goal = np.array([0.1, 0, 0])
    ends = (goal * 0.05, goal * 0.3, goal * -0.3, goal * 1.4, goal * 2.5)
    paths = np.array([[np.zeros(3), end, goal] for end in ends])
    assert fresh_episodes.how_lost(paths) == {"untouched": 1, "nearer": 2, "farther": 2}
    assert sum(fresh_episodes.how_lost(paths[:0]).values()) == 0, "nobody lost"


@pytest.mark.parametrize("observation", ["state", "blind"])
def test_fresh_episodes_are_none_of_those_that_score_a_run(observation):
    policy = Recorder(RunConfig(task="push", observation=observation, goal_mode="both"))
    found = fresh_episodes.play_fresh(policy, episodes=40)
    bins = sum(bin["n"] for bin in found["by_distance"])
    assert found["episodes"] == 40 and 30 < bins < 40, "some begin where they should end"
    assert sum(found["lost"].values()) == found["lost"]["untouched"] == 40 - found["successes"]
    first = make_one(policy.config).reset(seed=fresh_episodes.SEED)[0]
    scored = make_one(policy.config).reset(seed=final_seeds(1)[0])[0]
    assert all(np.array_equal(policy.seen[0][key], first[key]) for key in first)
    assert any(not np.array_equal(scored[key], first[key]) for key in first)


def test_the_block_is_drawn_where_it_began_and_only_there():
    config = replace(preset("push-distilled"), goal_sphere=False)
    assert config.frame_stack == 2
    env = make_one(config)
    env.reset(seed=3)
    for _ in range(4):  # until the gripper hangs still
        obs, *_ = env.step(np.zeros(4, np.float32))
    between = frozen_pictures.still_block(env)
    first = between(0, obs["pixels"])
    np.testing.assert_array_equal(first, obs["pixels"])
    data = env.unwrapped.data
    data.joint("object0:joint").qpos[1] += 0.1  # it was pushed
    obs, *_ = env.step(np.zeros(4, np.float32))
    there = data.geom("object0").xpos.copy()
    shown, live = between(1, obs["pixels"])[-3:].astype(int), obs["pixels"][-3:].astype(int)
    assert (np.abs(live - first[-3:]) > 40).sum() > 60, "the block moved"
    assert (np.abs(shown - first[-3:]) > 40).sum() < 20, "and was drawn at its start"
    np.testing.assert_array_equal(data.geom("object0").xpos, there)
    obs, *_ = env.step(np.array([0, 0, 1, 0], np.float32))
    stack = between(2, obs["pixels"])
    np.testing.assert_array_equal(stack[:3], shown)
    where = np.abs(live - shown) > 40  # the block, now and at first
    moved = np.abs(stack[3:].astype(int) - shown) > 40
    assert moved.any() and not (moved & where).any(), "the gripper moves, and nothing else"
    env.close()


def test_who_does_nothing_moves_no_block_before_any_picture():
    seen = {"observation": "pixels", "goal_mode": "desired", "proprioception": True}
    policy = Recorder(RunConfig(task="push", scene="lean", image_size=36, **seen))
    found = frozen_pictures.play_kinds(policy, episodes=3)
    assert [found[kind]["touched"]["rate"] for kind in frozen_pictures.KINDS] == [0, 0, 0, 0]
    real, frozen, still, blank = (policy.seen[150 * k : 150 * k + 50] for k in range(4))
    np.testing.assert_array_equal(still[49]["pixels"], real[49]["pixels"])  # no block has moved
    assert not blank[0]["pixels"].any() and real[0]["pixels"].any()
    np.testing.assert_array_equal(frozen[0]["pixels"], real[0]["pixels"])
    np.testing.assert_array_equal(frozen[49]["pixels"], real[0]["pixels"])


def test_policies_without_weights_keep_what_was_found_with_them(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    shutil.copytree(ROOT / "data/push-distilled/seed0", tmp_path / "push-distilled/seed0")
    gone = {"arm": "push-told", "seed": 2, "successes": 7}
    again = {"arm": "push-distilled", "seed": 0, "successes": 0}
    known = write_measurement("some", {"policies": [gone, again]}, parameters={"episodes": 3})

    def measure(episodes):
        return play.play_all(
            "some",
            ("push-distilled", "push-told"),
            lambda policy: {"successes": policy.config.seed + 90},
            {"episodes": episodes},
            progress=False,
        )

    assert measure(3) == [
        again | {"successes": 90},
        gone | {"commit": known.provenance["commit"]},
    ]
    with pytest.raises(UserError, match="some knows push-told/seed2, and no weights"):
        measure(4)
    earlier = gone | {"commit": "of long ago"}
    write_measurement("some", {"policies": [earlier]}, parameters={"episodes": 3})
    assert measure(3)[1] == earlier, "the code that measured it, not the code that wrote it again"
    probed = write_measurement("probed", {"runs": [{"run": "push-told/seed2"}]}, parameters={})
    (kept,) = play.rows_to_keep("probed", ["push-told/seed0"], {}, listed="runs")
    assert kept == {"run": "push-told/seed2", "commit": probed.provenance["commit"]}


def test_a_film_stays_where_the_policy_that_lost_is_gone(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    shutil.copytree(ROOT / "data/push-distilled/seed0", tmp_path / "push-distilled/seed0")
    extra = {"video.mp4": b"a film"}
    write_measurement("some", {}, parameters={"filmed": [5, 6, 7]}, extra_files=extra)
    drawn = []

    def frames(policy, seeds):
        drawn.append((policy.config.run_name, seeds))
        return [np.zeros((32, 32, 3), np.uint8)] * 2

    unharmed = {"arm": "push-asymmetric", "seed": 0, "lost": []}
    gone = {"arm": "push-told", "seed": 2, "lost": [5, 6, 7], "commit": "of long ago"}
    here = {"arm": "push-distilled", "seed": 0, "lost": [1, 2, 3, 4]}
    lost_more = gone | {"lost": [6, 7]}  # whose film this is not
    assert play.film_of_lost("some", [unharmed], frames) == ([], {})
    assert play.film_of_lost("some", [unharmed, gone, here], frames) == ([5, 6, 7], extra)
    assert play.film_of_lost("some", [lost_more], frames) == ([], {})
    assert not drawn
    for rows in ([unharmed, here, gone], [lost_more, here]):
        lost, film = play.film_of_lost("some", rows, frames)
        assert lost == [1, 2, 3] and drawn.pop() == ("push-distilled/seed0", lost)
        assert film["video.mp4"][4:8] == b"ftyp", "an MP4"
