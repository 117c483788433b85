"""Two ways to a pixel policy on few cores: a frozen locator, and imitation of a state policy."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from labs.artifacts import data_root, load_artifact, repository_root, runs_root
from labs.errors import UserError
from labs.experiments import distill, locating, moments, presets
from labs.experiments.config import locator_steps, override, updates, updates_per_step
from labs.experiments.done import is_done
from labs.experiments.environments import make_one
from labs.experiments.guards import RunLock
from labs.experiments.lessons import Lessons
from labs.experiments.models import build
from labs.experiments.plan import plan
from labs.experiments.policies import load_policy
from labs.experiments.stopping import FINISH, SAVE, Stopped
from labs.experiments.train import Training, train
from labs.experiments.validation import validate
from tests.altering import alter_settings

LOCATED = replace(
    presets.smoke(presets.preset("push-located")),
    arm="located",
    image_size=36,
    net_arch=(16, 16),
    video_episodes=0,
)
DISTILLED = replace(
    presets.smoke(presets.preset("push-distilled")),
    arm="distilled",
    net_arch=(16, 16),
    total_steps=200,
    gradient_steps=8,
    image_size=36,
    video_episodes=0,
)


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path / "runs"))
    return tmp_path


# --------------------------------------------------------------------------------------- moments


def _there(task, raw):
    """What a locator is asked for, by the simulator's own observation."""
    if task == "reach":
        return [*raw["observation"][:3], *raw["desired_goal"]]
    yaw = raw["observation"][13]
    return [*raw["achieved_goal"][:2], np.cos(4 * yaw), np.sin(4 * yaw)]


@pytest.mark.parametrize("task", ["push", "reach"])
def test_moments_are_what_the_simulator_says(task, monkeypatch):
    """The targets are of the frame's own moment."""
    (arrange, *reach), there = moments.MOMENTS[task], []

    def watched(env, *given):
        targets = arrange(env, *given)
        there.append(_there(task, env.unwrapped._get_obs()))
        return targets

    monkeypatch.setitem(moments.MOMENTS, task, (watched, *reach))
    view = moments.View(task, "workspace", "lean", None, 36)
    frames, targets = moments.collect_moments(view, 30, seed=0)
    np.testing.assert_allclose(targets, there, atol=1e-4)
    again, same = moments.collect_moments(view, 30, seed=0)
    assert np.array_equal(frames, again) and np.array_equal(targets, same)
    other, _ = moments.collect_moments(view, 30, seed=1)
    assert not np.array_equal(frames, other)
    thing = targets[:, :2] if task == "push" else targets[:, 3:]
    assert len(np.unique(thing.round(6), axis=0)) == 30


def test_random_play_leaves_the_block_where_resets_put_it(monkeypatch):
    view, there = moments.View("push", "workspace", "lean", None, 36), []

    class Turned(gym.Wrapper):
        def reset(self, seed):  # it leaves the block straight
            found = self.env.reset(seed=seed)
            moments._place_block(self.env, found[0]["achieved_goal"][:2], yaw=seed)
            return found

        def step(self, action):
            raw, *rest = self.env.step(action)
            there.append(_there("push", raw))
            return raw, *rest

    make = moments.View.make
    monkeypatch.setattr(moments.View, "make", lambda view: Turned(make(view)))
    frames, targets = moments.collect_play(view, 120, seed=0)
    np.testing.assert_allclose(targets, there, atol=1e-3)
    again, same = moments.collect_play(view, 120, seed=0)
    assert np.array_equal(frames, again) and np.array_equal(targets, same)
    starts = targets[::50, :2]
    assert len(np.unique(starts.round(6), axis=0)) == 3, "an episode has a place of its own"
    assert np.abs(targets[:25, :2] - starts[0]).max() < 0.05, "nobody sets it down in between"
    assert len(np.unique(frames[:50].reshape(50, -1), axis=0)) > 25, "the gripper moves"


@pytest.mark.parametrize("kind", ["played", "walked", "filmed", "strayed"])
def test_rewards_and_joints_tell_where_reachs_goal_was(kind, monkeypatch):
    """The goals that come back are those of the simulator, which was not asked for them."""
    view, goals = moments.View("reach", "pair", "lean", None, 24), []
    collect = moments.COLLECT[kind]
    frames, targets = collect(view, 33, seed=0)
    again, same = collect(view, 33, seed=0)
    assert np.array_equal(frames, again) and np.array_equal(targets, same)
    assert frames.shape == (33, 3, 24, 48) and targets.shape == (33, 6), "the last goal is cut off"

    class Silent:
        """The task, which keeps to itself where goal and gripper's site are."""

        def __init__(self, env):
            self.env = env

        def step(self, action):
            observation, *rest = self.env.step(action)
            goals.append(observation["desired_goal"])
            return {"observation": observation["observation"]}, *rest

        def __getattr__(self, name):
            return getattr(self.env, name)

    silent = Silent(view.make())
    monkeypatch.setattr(moments.View, "make", lambda view: silent)
    assert np.array_equal(collect(view, 33, seed=0)[1], targets)
    steps = {"played": 35, "walked": 84, "filmed": 36, "strayed": 84}[kind]
    config = replace(LOCATED, locator_moments=kind, locator_frames=33)
    assert len(goals) == steps == locator_steps(config) + 2 * (kind == "played")
    different, of_each = (3, 12) if kind == "filmed" else (7, 5)
    run = replace(presets.preset("reach-located-rewards"), locator_moments=kind)
    assert locating.together(run) == of_each
    there = np.repeat(goals[:: len(goals) // different], of_each, axis=0)[:33]
    assert np.abs(targets[:, 3:] - there).max() < 1e-4
    assert len(np.unique(targets[:, 3:], axis=0)) == different
    assert np.std(targets[:, :3], axis=0).min() > 0.02, "the gripper gets somewhere"


def test_play_that_walks_stands_beside_its_goals():
    view = moments.View("reach", "pair", "lean", None, 16)
    near, reach = {}, {}
    for kind in ("played", "walked", "filmed", "strayed"):
        _, targets = moments.COLLECT[kind](view, 200, seed=1)
        near[kind] = (np.linalg.norm(targets[:, :3] - targets[:, 3:], axis=1) < 0.05).mean()
        reach[kind] = np.std(targets[:, :3], axis=0)
    assert min(near["walked"], near["filmed"]) > 0.1 > 2 * max(near["played"], near["strayed"])
    assert np.allclose(reach["walked"], reach["strayed"], atol=0.02), "the control gets as far"


def test_the_gripper_of_push_moments_rises_as_a_pushing_one_does(monkeypatch):
    """A locator that never saw the gripper above the block reads nonsense while it pushes."""
    (arrange, *reach), heights = moments.MOMENTS["push"], []

    def watched(env, gripper, home, rng):
        heights.append(gripper[2] - home[2])
        return arrange(env, gripper, home, rng)

    monkeypatch.setitem(moments.MOMENTS, "push", (watched, *reach))
    moments.collect_moments(moments.View("push", "workspace", "lean", None, 36), 250, seed=0)
    assert np.mean(np.array(heights) > 0.05) > 0.3


# --------------------------------------------------------------------------------------- locators


def test_a_locator_learns_to_see_and_its_controls_do_not():
    config = replace(LOCATED, image_size=40, locator_frames=1650)
    path = locating.train_locator(config, epochs=16)
    found = load_artifact(path).json("measurement.json")
    seen = found["held_out"]["block"]["mean"]
    assert seen < 0.7 * found["controls"]["mean"]["block"]["mean"]
    assert seen < 0.7 * found["controls"]["black"]["block"]["mean"]


def test_the_errors_of_a_locator_are_those_of_its_file(monkeypatch):
    """Its weights are saved in half the bits; the learned ones read what the saved ones do."""
    fit, learned = locating.fit, []
    monkeypatch.setattr(locating, "fit", lambda *a, **k: learned.append(fit(*a, **k)) or learned[0])
    locating.train_locator(LOCATED, epochs=1)
    saved, _ = locating.load_locator(LOCATED)
    frames, _ = moments.collect_moments(moments.View.of(LOCATED), 8, seed=1)
    np.testing.assert_allclose(saved.locate(frames), learned[0].locate(frames), atol=1e-6)
    assert all(torch.equal(p, p.half().float()) for p in saved.parameters())


def test_a_locator_that_rewards_teach_keeps_to_a_folder_of_its_own(unjudged):
    """It reads a place and no angle, and its policy is made of that."""
    config = replace(LOCATED, locator_taught="rewards")
    path = locating.train_locator(config, epochs=2)
    assert path.parent.name == "locator-push-workspace-rewards-550"
    found = load_artifact(path)
    assert found.parameters["taught"] == "rewards"
    assert set(found.json("measurement.json")["held_out"]) == {"block"}
    locator, _ = locating.load_locator(config)
    assert locator.n_targets == 2
    brief = replace(config, total_steps=200, frame_stack=2)
    policy = load_policy(train(brief))
    assert policy.sb3.observation_space["located"].shape == (4,), "a place in each frame"


def test_reachs_rewards_teach_a_locator_of_six_numbers():
    config = presets.smoke(presets.preset("reach-located-rewards"))
    path = locating.train_locator(replace(config, image_size=32, locator_frames=1100), epochs=12)
    assert path.parent.name == "locator-reach-pair-rewards-played-1100"
    found = load_artifact(path)
    assert (found.parameters["taught"], found.parameters["moments"]) == ("rewards", "played")
    seen, controls = (found.json("measurement.json")[key] for key in ("held_out", "controls"))
    assert set(seen) == {"gripper", "goal", "between"}
    assert seen["gripper"]["mean"] < 0.7 * controls["mean"]["gripper"]["mean"]


def test_the_located_arm_runs_through_and_its_policy_needs_its_locator(own_folders):
    path = train(LOCATED)
    evaluation = load_artifact(path).json("evaluation.json")
    assert set(evaluation["controls"]) == {"blank", "shuffled", "frozen"}
    assert load_artifact(path).provenance["locator_time_s"] > 0
    policy = load_policy(path)
    env = make_one(LOCATED)
    obs, _ = env.reset(seed=0)
    assert "pixels" in obs and "achieved_goal" not in obs and "observation" not in obs
    action = policy.predict(obs)
    black = policy.predict(obs | {"pixels": np.zeros_like(obs["pixels"])})
    env.close()
    assert action.shape == (4,) and not np.array_equal(action, black)

    shutil.rmtree(locating.folder(LOCATED))
    locating.train_locator(replace(LOCATED, torch_threads=1), epochs=2)
    with pytest.raises(UserError, match="trained with another locator"):
        load_policy(path)


def test_measuring_a_located_arm_does_not_change_its_training(unjudged):
    rare, often = (
        replace(
            LOCATED,
            arm=f"located-{every}",
            locator_frames=300,
            total_steps=200,
            eval_every=every,
        )
        for every in (400, 50)
    )
    weights = [(train(config) / "weights.safetensors").read_bytes() for config in (rare, often)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("told", ["state", "achieved"])
def test_a_critic_that_was_told_leaves_a_policy_that_sees(told, unjudged):
    """What was told in training is in no artifact, and the policy acts without it."""
    config = replace(LOCATED, arm="asymmetric", critic_sees=told, total_steps=200)
    policy = load_policy(train(config))
    assert "privileged" not in policy.sb3.observation_space.spaces
    env = make_one(config)
    obs, _ = env.reset(seed=0)
    env.close()
    assert "privileged" not in obs
    black = obs | {"pixels": np.zeros_like(obs["pixels"])}
    assert not np.array_equal(policy.predict(obs), policy.predict(black))


def test_an_encoder_that_was_told_positions_leaves_a_policy_that_sees(unjudged):
    """Head and truth are in no artifact."""
    brief = {"total_steps": 200, "video_episodes": 0}
    helped = presets.effective(
        "push-small-helped", small=True, overrides={"auxiliary": 2.0} | brief
    )
    policy = load_policy(train(helped))
    assert "privileged" not in policy.sb3.observation_space.spaces
    assert policy.sb3.auxiliary_head is None
    env = make_one(helped)
    obs, _ = env.reset(seed=0)
    env.close()
    assert set(obs) == {"pixels", "proprioception", "desired_goal"}
    black = obs | {"pixels": np.zeros_like(obs["pixels"])}
    assert not np.array_equal(policy.predict(obs), policy.predict(black))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encoder": "normalized", "routing": "actor"},
        {"encoder": "keypoint", "features_dim": 256, "auxiliary": 1.0},
        {
            "encoder": "keypoint",
            "features_dim": 256,
            "auxiliary": 1.0,
            "auxiliary_task": "rewards",
        },
        {"encoder": "manipulation", "routing": "separate", "critic_sees": "state"},
        {
            "encoder": "keypoint",
            "features_dim": 256,
            "routing": "separate",
            "critic_sees": "achieved",
        },
    ],
    ids=["critic", "actor", "helped", "rewarded", "told", "told-achieved"],
)
def test_every_way_of_training_judges_a_picture_by_many_goals(changes, unjudged, monkeypatch):
    """The picture is encoded once for all its goals."""
    brief = {"total_steps": 200, "eval_every": 200, "video_episodes": 0, "net_arch": (16, 16)}
    config = presets.effective(
        "push-eight-goals", small=True, overrides=changes | brief | {"batch_size": 4, "arm": "many"}
    )
    assert config.goals_per_frame == 8
    seen = set()

    def watch(module, inputs, features):
        seen.add((len(inputs[0]), len(features)))

    def watched(config, env):
        model = build(config, env)
        branches = [m for n, m in model.policy.named_modules() if n.endswith("extractors.pixels")]
        assert branches
        for branch in branches:
            branch.register_forward_hook(watch)
        return model

    monkeypatch.setattr("labs.experiments.models.build", watched)
    policy = load_policy(train(config))
    assert (4, 4) in seen and max(seen)[0] <= max(4, config.n_envs), seen
    assert "privileged" not in policy.sb3.observation_space.spaces


def test_a_locator_of_another_view_is_refused():
    locating.train_locator(LOCATED, epochs=1)
    with pytest.raises(UserError, match="another view .goal_sphere False -> True"):
        locating.load_locator(replace(LOCATED, goal_sphere=True))
    weights = locating.folder(LOCATED) / locating.LOCATOR_FILE
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(UserError, match="damaged"):
        locating.load_locator(LOCATED)


def test_a_locator_whose_weights_are_left_out_is_trained_again(monkeypatch):
    monkeypatch.delenv("PIXELS_DATA")  # the book's own results; nothing is written there
    config = presets.effective("reach-located", seed=1)  # its locator is there without weights
    with pytest.raises(UserError, match="pixels train reach-located --seeds 1 --again"):
        locating.load_locator(config)
    trained = []
    monkeypatch.setattr(locating, "train_locator", lambda c, progress: trained.append(c.seed))
    with pytest.raises(UserError):  # nothing was really trained
        locating.ensure_locator(config)
    assert trained == [1]


def test_a_locator_of_another_view_is_not_lost_where_its_weights_are_left_out(monkeypatch):
    monkeypatch.delenv("PIXELS_DATA")
    config = replace(presets.effective("reach-located", seed=1), image_size=64)
    monkeypatch.setattr(locating, "train_locator", lambda *a, **k: pytest.fail("in its place"))
    with pytest.raises(UserError, match="another view .image_size 84 -> 64"):
        locating.ensure_locator(config)


def test_of_two_runs_with_one_locator_one_waits_for_the_others(monkeypatch):
    folder = runs_root() / locating.folder(LOCATED).relative_to(data_root())
    monkeypatch.setattr(locating, "PATIENCE", 0.1)
    with RunLock(folder), pytest.raises(UserError, match="another process .* trains in"):
        locating.ensure_locator(LOCATED)

    class Waited(RunLock):
        """Its holder has trained the locator by the time that it lets go."""

        def __enter__(self):
            locating.train_locator(LOCATED, epochs=1)
            monkeypatch.setattr(locating, "train_locator", lambda *a, **k: pytest.fail("again"))
            return super().__enter__()

    monkeypatch.setattr(locating, "RunLock", Waited)
    assert locating.ensure_locator(LOCATED) > 0


def test_a_run_goes_on_with_the_locator_that_it_began_with(monkeypatch):
    locating.train_locator(LOCATED, epochs=1)
    run = Training(LOCATED)
    run._report = lambda progress: run._ask_to_stop(SAVE)
    with pytest.raises(Stopped):
        run.run()
    load = locating.load_locator
    monkeypatch.setattr(
        "labs.experiments.train.load_locator", lambda config: (load(config)[0], "another")
    )
    with pytest.raises(UserError, match="began with another locator .* or give --restart"):
        train(LOCATED)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoder": "locator", "augmentation": "drq"}, "does not fit encoder = locator"),
        ({"encoder": "locator", "image_content": "blank"}, "does not fit encoder = locator"),
        ({"encoder": "keypoint", "locator_frames": 300}, "locator_frames is for encoder"),
        ({"encoder": "keypoint", "locator_taught": "rewards"}, "locator_taught is for encoder"),
        ({"encoder": "keypoint", "locator_moments": "played"}, "locator_moments is for encoder"),
        ({"encoder": "nature", "keypoint_norm": True}, "is of encoder = keypoint"),
        ({"manipulation_norm": False}, "is of encoder = manipulation"),
        ({"native_render": False}, "leave native_render alone"),
        ({"encoder": "keypoint", "critic_sees": "state", "routing": "critic"}, "of their own"),
        (
            {"critic_sees": "achieved", "her": False, "moved_only": False},
            "no more than HER needs",
        ),
        (
            {"encoder": "keypoint", "critic_sees": "state", "critic_layer_norm": False},
            "has LayerNorm in its critics",
        ),
        ({"encoder": "keypoint", "critic_blur": 0.01}, "achieved goal: set critic_sees"),
        ({"encoder": "keypoint", "pretrained_encoder": "a/seed0"}, "set engine = fast and frozen"),
        ({"teacher": "push-state-tuned"}, "teaches engine distill only"),
        ({"goals_per_frame": 8, "her": False, "moved_only": False}, "set her = True, engine"),
        ({"auxiliary": 1.0}, "trains an encoder beside the critic"),
        ({"auxiliary": 1.0, "encoder": "keypoint"}, "trains an encoder beside the critic"),
        ({"auxiliary_task": "rewards"}, "without a weight: set auxiliary"),
        (
            {"auxiliary_task": "rewards", "auxiliary": 1.0, "encoder": "nature"},
            "about HER's goals|trains an encoder beside the critic",
        ),
    ],
)
def test_contradictions_are_named(changes, words):
    with pytest.raises(UserError, match=words):
        validate(override(presets.preset("push-located"), **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"teacher": ""}, "needs a policy to imitate"),
        ({"her": True}, "no critic and no rewards"),
        ({"device": "cuda"}, "learns on the CPU"),
        ({"random_actions": 0.1}, "changes nothing in engine = distill"),
        ({"encoder_learning_rate": 1e-4}, "changes nothing in engine = distill"),
        ({"frozen_encoder": True}, "changes nothing in engine = distill"),
        ({"ent_coef": "0.1"}, "changes nothing in engine = distill"),
        ({"her_k": 8}, "changes nothing in engine = distill"),
    ],
)
def test_contradictions_of_a_distillation_are_named(changes, words):
    with pytest.raises(UserError, match=words):
        validate(override(presets.preset("push-distilled"), **changes))


# ----------------------------------------------------------------------------------- distillation


def test_a_batch_holds_stacks_as_the_camera_gave_them():
    box = gym.spaces.Box
    space = gym.spaces.Dict(pixels=box(0, 255, (6, 1, 1), np.uint8), step=box(0, 99, (1,)))
    lessons = Lessons(space, 1)
    for step in range(50):
        stack = np.uint8([max(step - 1, 0), step]).repeat(3).reshape(6, 1, 1)
        lessons.put(step, {"pixels": stack, "step": np.array([step])}, np.zeros(4))
    lessons.episodes = 1
    batch = lessons.sample(99, torch.Generator().manual_seed(0))
    (older, newest), steps = batch["pixels"][:, ::3, 0, 0].T, batch["step"][:, 0].byte()
    assert torch.equal(newest, steps) and torch.equal(older, steps.clamp_min(1) - 1)


@pytest.fixture
def short_rounds(own_folders, monkeypatch):
    """A teacher, and rounds of seconds."""
    teacher = repository_root() / "data" / "push-state-tuned"
    shutil.copytree(teacher, own_folders / "data" / "push-state-tuned")
    monkeypatch.setattr(distill, "EPISODES_OF_A_ROUND", 2)
    return own_folders


def _rounds(monkeypatch, config, stop_after=None, signal=SAVE):
    run = distill.Distillation(config)
    run.rounds = 2
    if stop_after is not None:
        whole = run._round

        def once(number):
            whole(number)
            run._stop_signal = signal if number + 1 == stop_after else None

        monkeypatch.setattr(run, "_round", once)
    return run


def test_first_weights_do_not_tell_whether_the_locator_was_trained_just_now(
    short_rounds, monkeypatch
):
    config = replace(DISTILLED, encoder="locator", locator_frames=300, frame_stack=1)
    monkeypatch.setattr(locating.train_locator, "__kwdefaults__", {"epochs": 1, "progress": None})
    first = []
    for _ in range(2):  # the first one trains the locator, the second one finds it
        run = _rounds(monkeypatch, config)
        run._clock = 0.0
        run._set_up()
        run.env.close()
        first.append(run.actor.state_dict())
    assert first[0].keys() == first[1].keys()
    assert all(torch.equal(value, first[1][name]) for name, value in first[0].items())


def test_how_a_distillation_is_done_does_not_stop_it_from_going_on(
    short_rounds, unjudged, monkeypatch
):
    with pytest.raises(Stopped):
        _rounds(monkeypatch, DISTILLED, stop_after=1).run()
    with pytest.raises(UserError, match="other settings"):
        _rounds(monkeypatch, replace(DISTILLED, learning_rate=2e-3)).run()
    run = _rounds(monkeypatch, replace(DISTILLED, device="cpu", checkpoint_every=500))
    assert load_artifact(run.run()).json("evaluation.json")["updates"] == 16


@pytest.mark.parametrize(("knob", "other"), [("task", "reach"), ("observation", "pixels")])
def test_a_teacher_plays_the_task_from_the_state(short_rounds, monkeypatch, knob, other):
    run = _rounds(monkeypatch, replace(DISTILLED, encoder="locator", locator_frames=300))
    alter_settings(data_root() / "push-state-tuned" / "seed0", **{knob: other})
    monkeypatch.setattr(
        "labs.experiments.run.ensure_locator", lambda *given: pytest.fail("trained")
    )
    with pytest.raises(UserError, match="the teacher push-state-tuned/seed0 plays .*--teacher"):
        run.run()


@pytest.mark.parametrize("augmentation", ["none", "drq"])
def test_a_stopped_distillation_goes_on_as_if_nothing_had_happened(
    short_rounds, unjudged, monkeypatch, augmentation
):
    config = replace(DISTILLED, augmentation=augmentation, seed=1)
    whole = _rounds(monkeypatch, config).run()
    wanted = (whole / "weights.safetensors").read_bytes()
    shutil.rmtree(whole)
    with pytest.raises(Stopped, match="stopped after round 1 of 2"):
        _rounds(monkeypatch, config, stop_after=1).run()
    saved = short_rounds / "runs/distilled/seed1/lessons/state.json"
    state = json.loads(saved.read_text())
    assert state["round"] == 1
    state["session"]["commit"] = "another"
    saved.write_text(json.dumps(state))
    path = _rounds(monkeypatch, config).run()
    assert (path / "weights.safetensors").read_bytes() == wanted
    record = load_artifact(path).provenance
    assert record["teacher"]["artifact"] == "push-state-tuned/seed0", "one teacher for all seeds"
    went_on, otherwise = record["notes"]
    assert record["sessions"] == 2 and went_on.startswith("went on from step ")
    assert "trained by commit another" in otherwise
    assert not (short_rounds / "runs/distilled/seed1/lessons").exists()


@pytest.mark.parametrize(("augmentation", "moves"), [("none", False), ("drq", True)])
def test_a_student_learns_from_moved_pictures_and_unmoved_vectors(
    short_rounds, monkeypatch, augmentation, moves
):
    """The network reads what the loss hands it: compare that with the batch."""
    run = _rounds(monkeypatch, replace(DISTILLED, augmentation=augmentation, pad=3))
    run._set_up()
    run._episode(0, teacher_acts=True)
    run.env.close()
    batch = run.lessons.sample(8, torch.Generator().manual_seed(0))
    seen, read = {}, run.actor.get_action_dist_params

    def reads(obs):
        seen.update(obs)
        return read(obs)

    monkeypatch.setattr(run.actor, "get_action_dist_params", reads)
    run._loss(dict(batch), torch.Generator().manual_seed(1))
    assert seen.keys() == batch.keys() - {"teacher"}, "the answer is not an input"
    changed = {key for key, value in seen.items() if not torch.equal(value, batch[key])}
    assert changed == ({"pixels"} if moves else set())


def test_a_distillation_told_to_finish_is_evaluated_as_it_is_and_can_go_on(
    short_rounds, monkeypatch
):
    if FINISH == SAVE:
        pytest.skip("this system has one signal for both")
    path = _rounds(monkeypatch, DISTILLED, stop_after=1, signal=FINISH).run()
    record = load_artifact(path)
    assert record.provenance["ended_early"] == "at step 100 of 200"
    assert record.json("evaluation.json")["updates"] == 8 and not is_done(DISTILLED)
    path = _rounds(monkeypatch, DISTILLED).run()
    record = load_artifact(path)
    assert "ended_early" not in record.provenance and is_done(DISTILLED)
    assert record.json("evaluation.json")["updates"] == 16


@pytest.mark.parametrize("name", ["round-0000.safetensors", "student-0000.safetensors"])
def test_a_damaged_lesson_is_one_line(short_rounds, monkeypatch, name):
    with pytest.raises(Stopped):
        _rounds(monkeypatch, DISTILLED, stop_after=1).run()
    path = short_rounds / "runs/distilled/seed0/lessons" / name
    content = path.read_bytes()
    for damaged in (content[:-1] + bytes([content[-1] ^ 1]), content[:100], None):
        path.unlink() if damaged is None else path.write_bytes(damaged)
        run = _rounds(monkeypatch, DISTILLED)
        with pytest.raises(UserError, match=r"missing or damaged.*--restart"):
            run.run()


@pytest.fixture
def empty_rounds(short_rounds, monkeypatch):
    """A distillation, ready for three rounds of 100 steps in which nothing is played."""
    run = _rounds(monkeypatch, replace(DISTILLED, gradient_steps=1, eval_every=200))
    run.rounds, run._clock = 3, 0.0
    run._set_up()
    run.env.close()
    for tensor in run.lessons.tensors.values():
        tensor.zero_()

    def played(episode, teacher_acts):
        run.lessons.episodes += 1

    monkeypatch.setattr(run, "_episode", played)
    monkeypatch.setattr(run, "_measure", lambda loss: None)
    return run


def test_a_distillation_is_measured_as_often_as_its_rounds_have_steps_for(
    empty_rounds, monkeypatch
):
    measured = []
    monkeypatch.setattr(empty_rounds, "_measure", lambda loss: measured.append(empty_rounds.steps))
    empty_rounds._train()
    assert measured == [200, 300], "every 200 steps, and at the end"


def test_a_student_goes_only_when_the_next_ones_state_is_on_the_disk(empty_rounds, monkeypatch):
    folder, seen = empty_rounds.folder / "lessons", []

    def flushed(path):
        assert path == folder
        students = sorted(p.name for p in folder.glob("student-*"))
        seen.append((json.loads((folder / "state.json").read_text())["round"], len(students)))

    monkeypatch.setattr(distill, "flush_to_disk", flushed)
    empty_rounds._train()
    assert seen == [(1, 1), (2, 2), (3, 2)]
    assert [p.name for p in folder.glob("student-*")] == ["student-0002.safetensors"]


def test_the_updates_of_a_distillation_are_counted_by_rounds():
    told, located = presets.preset("push-told"), presets.preset("push-located")
    assert updates(told) == 20 * 1000 and plan(told)["updates"] == "20,000"
    assert updates_per_step(told) == 1000 / (40 * 50)
    steps = located.total_steps - located.learning_starts
    assert updates(located) == pytest.approx(steps * updates_per_step(located), rel=0.01)


def test_a_distillation_learns_what_the_teacher_does(short_rounds, monkeypatch):
    """The error falls on what was collected; before training it does not."""
    run = _rounds(monkeypatch, replace(DISTILLED, learning_rate=1e-3, gradient_steps=60))
    run.rounds, losses = 1, []
    monkeypatch.setattr(run, "_measure", losses.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_finish", lambda: run.output)
        run.run()
    generator = torch.Generator().manual_seed(0)
    batch = run.lessons.sample(64, generator)
    answer = batch.pop("teacher")
    with torch.no_grad():
        mean, _, _ = run.actor.get_action_dist_params(batch)
    trained = float(((torch.tanh(mean) - answer) ** 2).mean())
    assert trained < 0.8 * float((answer**2).mean())
    assert len(losses) == 1
