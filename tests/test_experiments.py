"""Arms as data, runs that resume exactly, guards that refuse, evaluation that can fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import torch

from labs.artifacts import load_artifact, repository_root, write_measurement
from labs.collect import SharedVecEnv
from labs.errors import UserError
from labs.experiments import (
    checkpoint,
    curve,
    environments,
    evaluate,
    guards,
    models,
    presets,
    processor,
    replay_pieces,
    sweep,
)
from labs.experiments.config import RunConfig, from_dict, override
from labs.experiments.done import is_done
from labs.experiments.environments import make_one, make_training_env
from labs.experiments.policies import load_policy
from labs.experiments.train import Training, train
from labs.experiments.validation import validate
from labs.measurements import tasks
from tests.altering import alter

TINY = replace(
    presets.smoke(presets.REACH_STATE),
    arm="tiny",
    total_steps=300,
    net_arch=(16, 16),
    video_episodes=0,
)
TINY_PUSH = replace(
    presets.smoke(presets.PUSH_STATE), arm="tiny-push", net_arch=(16, 16), video_episodes=0
)
TINY_FAST = replace(TINY_PUSH, arm="tiny-fast", engine="fast", random_actions=0.3)
# Both change on the way: the step size, and who acts.
TINY_PARTED = replace(TINY_FAST, arm="tiny-parted", anneal=0.5, acting_ends=150)
# Stopped at the step after which all is drawn anew, and before it is.
TINY_RESET = replace(TINY_FAST, arm="tiny-reset", reset_every=200)
TINY_SEEKING = replace(
    presets.smoke(presets.preset("push-blind-seeking")), net_arch=(16, 16), video_episodes=0
)
TINY_TOLD = replace(
    presets.smoke(presets.preset("push-small-helped")),
    net_arch=(16, 16),
    batch_size=4,
    video_episodes=0,
)
TINY_LOCATED = replace(
    presets.smoke(presets.preset("push-located-rewards-n3")),
    arm="tiny-located",
    image_size=36,
    net_arch=(16, 16),
    locator_frames=275,
    video_episodes=0,
)
TINY_FROZEN = replace(
    presets.smoke(presets.preset("push-asymmetric-frozen")),
    image_size=36,
    net_arch=(16, 16),
    batch_size=4,
    video_episodes=0,
)


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path / "runs"))
    return tmp_path


# ---------------------------------------------------------------------------------- configuration


@pytest.mark.parametrize("arm", presets.PRESETS)
def test_every_preset_and_its_smoke_run_are_valid(arm):
    full = validate(presets.preset(arm))
    small = validate(presets.smoke(full))
    assert set(full.differences(small)) <= set(presets.SMOKE_KEYS)
    assert from_dict(full.as_dict()) == full
    assert arm in presets.SUMMARY


def test_smoke_differs_in_something():
    assert presets.REACH_STATE.differences(presets.smoke(presets.REACH_STATE))["total_steps"]


def test_the_source_settings_are_as_reported():
    for arm in (presets.STEP_0, presets.STEP_1, presets.STEP_2, presets.STEP_4):
        assert (arm.batch_size, arm.gamma, arm.tau, arm.ent_coef) == (256, 0.95, 0.005, "0.05")
        assert (arm.learning_rate, arm.n_envs, arm.gradient_steps) == (1e-4, 4, 1)
    assert (presets.STEP_1.buffer_size, presets.STEP_2.buffer_size) == (200_000, 500_000)
    assert (presets.STEP_1.her_k, presets.STEP_2.her_k) == (4, 8)
    assert (presets.PUSH_STATE.learning_rate, presets.PUSH_STATE.n_envs) == (3e-4, 8)


def test_a_knob_that_is_added_does_not_rename_results():
    """The arm in ``data/`` of a changed setting, made before the last knob was there."""
    twin = presets.effective("push-state-tuned", 0, {"her_k": 8})
    assert (repository_root() / "data" / twin.run_name / "provenance.json").is_file(), (
        f"{twin.arm}: name the new knob in config.ADDED_LATER"
    )
    shifted = presets.preset("push-distilled-drq")
    assert replace(shifted, same_shift=True).digest() != shifted.digest()


def test_a_changed_arm_gets_a_name_of_its_own():
    assert presets.effective("reach-state", 3).run_name == "reach-state/seed3"
    changed = presets.effective("reach-state", 3, {"learning_rate": 1e-4})
    assert changed.arm.startswith("reach-state-") and changed.learning_rate == 1e-4
    assert presets.effective("reach-state", 3, {"device": "cpu"}).arm == "reach-state"
    assert presets.effective("reach-state", 3, {"gamma": 0.9, "arm": "mine"}).arm == "mine"


PIXELS = {"observation": "pixels", "task": "push"}
BAD = [
    ({"lr": 1e-3}, "unknown setting 'lr'"),
    ({"learnin_rate": 1e-3}, "did you mean 'learning_rate'"),
    ({"total_steps": "many"}, "wrong type"),
    ({"her": 1}, "wrong type"),
    ({"batch_size": 2.5}, "wrong type"),
    ({"net_arch": [True, 64]}, "wrong type"),
    ({"learning_rate": 10**400}, "wrong type"),
    ({"learning_rate": float("nan")}, "out of range"),
    ({"goal_sphere": "red"}, "bool or None"),
    ({"task": "slide"}, "choose one of reach, push"),
    ({"observation": "lidar"}, "choose one of state, pixels, blind"),
    ({"camera": "drone"}, "unknown camera 'drone'"),
    ({"scene": "empty"}, "unknown scene 'empty'"),
    ({"engine": "warp"}, "choose one of sb3, fast"),
    ({"seed": -1}, "seed = -1 is out of range"),
    ({"frame_stack": 0, **PIXELS}, "frame_stack = 0 is out of range: give 1 to 16"),
    ({"image_size": 8, **PIXELS}, "image_size = 8 is out of range"),
    ({"batch_size": 1}, "batch_size = 1 is out of range"),
    ({"learning_rate": 0.0}, "learning_rate = 0.0 is out of range"),
    ({"learning_rate": 3.0}, "learning_rate = 3.0 is out of range"),
    ({"gamma": 1.0}, "gamma = 1.0 is out of range"),
    ({"tau": 0.0}, "tau = 0.0 is out of range"),
    ({"ent_coef": "warm"}, "neither a number nor auto"),
    ({"ent_coef": -0.1}, "ent_coef = -0.1 is out of range"),
    ({"ent_coef": "auto_x"}, "'auto_x' is neither a number nor auto"),
    ({"ent_coef": "auto_0"}, "'auto_0' starts at no temperature"),
    ({"ent_coef": "auto_-1"}, "'auto_-1' starts at no temperature"),
    ({"ent_coef": "auto_nan"}, "'auto_nan' starts at no temperature"),
    ({"net_arch": []}, "net_arch"),
    ({"net_arch": [0]}, "net_arch"),
    ({"arm": "../../etc"}, "cannot be a folder"),
    ({"encoder": "manipulation"}, "needs an image"),
    ({"augmentation": "drq"}, "needs an image"),
    ({"routing": "critic"}, "needs an image"),
    ({"proprioception": True}, "has the whole vector already"),
    ({"observation": "blind", "goal_mode": "none"}, "nothing to see"),
    ({"head": "spatial_softmax", **PIXELS}, "ends flat"),
    ({"augmentation": "drq", "pad": 0, **PIXELS}, "shifts nothing"),
    ({"proprioception": True, "full_state": True, **PIXELS}, "set one of the two"),
    ({"her": True}, "sparse reward"),
    ({"her": True, "goal_mode": "none", **PIXELS}, "goal_mode = both"),
    ({"her": True, "goal_mode": "desired", **PIXELS}, "engine = fast"),
    ({"her": True, "task": "push", "learning_starts": 60, "n_envs": 2}, "nothing to sample"),
    ({"random_actions": 0.3}, "engine fast only"),
    ({"random_actions": 1.3, "engine": "fast"}, "out of range"),
    ({"seeking": 1.3}, "seeking = 1.3 is out of range"),
    ({"seeking": 0.5, "engine": "fast"}, "seeking = 0.5 pulls random actions"),
    ({"acting_ends": 100}, "set engine = fast"),
    ({"acting_ends": 20_000, "engine": "fast"}, "between 0 and total_steps"),
    ({"acting_ends": -1, "engine": "fast"}, "between 0 and total_steps"),
    ({"acting_policy": "push-blind-tuned/seed0", "engine": "fast"}, "give acting_ends the step"),
    ({"reset_every": 5000}, "set engine = fast"),
    ({"reset_every": 20_000, "engine": "fast"}, "between learning_starts"),
    ({"reset_every": 1000, "engine": "fast"}, "between learning_starts"),
    (
        {"reset_every": 5000, "engine": "fast", "frozen_encoder": True, **PIXELS},
        "draws the encoder anew",
    ),
    ({"standardize": True, "engine": "fast", "goal_mode": "none", **PIXELS}, "for vectors"),
    ({"anneal": 1.5}, "anneal = 1.5 is out of range"),
    ({"anneal": 0.5, "encoder_learning_rate": 1e-4, **PIXELS}, "leave anneal alone"),
    ({"frozen_encoder": True, "encoder_learning_rate": 1e-4, **PIXELS}, "trains no encoder"),
    ({"frozen_encoder": True, "encoder": "locator", **PIXELS}, "which is frozen already"),
    ({"frozen_encoder": True}, "frozen_encoder"),
    ({"train_freq": 7}, "does not divide"),
    ({"augmentation": "drq", "pad": 40, "image_size": 40, **PIXELS}, "out of sight"),
    ({"total_steps": 60, "n_envs": 2}, "less than one episode"),
    ({"buffer_size": 60, "n_envs": 2}, "holds less than one episode"),
    ({"learning_starts": 20_000}, "leaves no update"),
    ({"subproc": True}, "only adds a pipe"),
    ({"fast_mode": True, "native_render": False}, "not fast"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[m for _, m in BAD])
def test_bad_settings_are_one_line_that_says_what_to_do(changes, message):
    with pytest.raises(UserError) as caught:
        validate(override(RunConfig(), **changes))
    assert message in str(caught.value) and "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------ environments


def test_an_episode_depends_on_its_number_alone():
    config = replace(TINY_PUSH, n_envs=2)
    first = make_training_env(config)
    starts = []
    obs = first.reset()
    for _ in range(3):
        starts.append(obs["desired_goal"].copy())
        for _ in range(50):
            obs, *_ = first.step(np.ones((2, 4)))
    later = make_training_env(config, episode=2)
    assert np.array_equal(later.reset()["desired_goal"], starts[2])
    assert not np.array_equal(starts[0][0], starts[0][1])
    assert not np.array_equal(starts[0], starts[1])
    first.close()
    later.close()


def test_blind_twin_sees_the_vectors_of_the_pixel_arm():
    blind, sighted = (
        make_one(replace(presets.STEP_2, observation=o, scene="lean")) for o in ("blind", "pixels")
    )
    ours, _ = blind.reset(seed=3)
    theirs, _ = sighted.reset(seed=3)
    assert set(ours) == set(theirs) - {"pixels"}
    for key, value in ours.items():
        assert np.array_equal(value, theirs[key]), key
    assert sum(v.size for v in ours.values()) == 16
    blind.close()
    sighted.close()


@pytest.mark.parametrize("content", ["blank", "noise"])
def test_twins_without_an_image_hold_none(content):
    env = make_one(replace(presets.STEP_2, image_content=content, scene="lean"))
    one, _ = env.reset(seed=1)
    two, *_ = env.step(np.ones(4, np.float32))
    assert one["pixels"].shape == (12, 84, 84) and one["pixels"].dtype == np.uint8
    if content == "blank":
        assert not one["pixels"].any()
    else:
        assert not np.array_equal(one["pixels"], two["pixels"]) and one["pixels"].std() > 70
        resets = np.random.default_rng(1).integers(0, 256, (3, 84, 84), dtype=np.uint8)
        assert not np.array_equal(one["pixels"][:3], resets), "they placed block and goal"
        assert np.array_equal(one["pixels"][3:], two["pixels"][:-3])  # the stack moves on
        again, _ = env.reset(seed=1)
        assert np.array_equal(again["pixels"], one["pixels"])
    env.close()


# ------------------------------------------------------------------------- training and resuming


def _curve(path):
    return load_artifact(path).table().drop(columns="wall_time_s")


def _weights(path):
    return (path / "weights.safetensors").read_bytes()


TINY_RING = replace(TINY, arm="tiny-ring", total_steps=400, buffer_size=150)  # comes round
TINY_OWED = replace(TINY_FAST, arm="tiny-owed", train_freq=5)  # parts of updates
RESUMED = [TINY_RING, TINY_PUSH, TINY_OWED, TINY_PARTED, TINY_RESET, TINY_SEEKING]
RESUMED += [TINY_TOLD, TINY_FROZEN]


@pytest.mark.parametrize("config", RESUMED, ids=lambda c: c.arm)
def test_a_stopped_run_ends_bit_for_bit_like_one_that_never_stopped(config, unjudged):
    whole = train(config)
    stopped = replace(config, arm=f"{config.arm}-stopped")
    run = Training(stopped)

    def stop_once(progress):
        if progress["step"] >= 200:
            run._stop_signal = 15

    run._report = stop_once
    with pytest.raises(UserError, match="the same command goes on"):
        run.run()
    resumed = train(stopped)
    assert _curve(whole).equals(_curve(resumed))
    assert _weights(whole) == _weights(resumed)
    record = load_artifact(resumed).provenance
    assert record["sessions"] == 2 and "went on from step 200" in record["notes"]
    assert checkpoint.folders(run.folder) == []  # a finished run leaves none


@pytest.mark.parametrize("config", [TINY_FAST, TINY_LOCATED], ids=lambda c: c.arm)
def test_a_run_beside_workers_is_the_same_run(config, unjudged, monkeypatch):
    alone = train(config)
    kinds = []
    build = models.build
    monkeypatch.setattr(models, "build", lambda c, env: kinds.append(type(env)) or build(c, env))
    workers = train(replace(config, arm=f"{config.arm}-workers", subproc=True))
    assert kinds == [SharedVecEnv]
    assert _curve(alone).equals(_curve(workers)) and len(_curve(alone).dropna()) > 0
    assert _weights(alone) == _weights(workers)


def test_workers_leave_a_core_to_the_learner_and_it_leaves_theirs(monkeypatch):
    config = replace(TINY_FAST, n_envs=8, torch_threads=3)
    for cores, workers, threads in ((1, 1, 1), (2, 1, 1), (4, 3, 1), (16, 8, 3)):
        monkeypatch.setattr(processor, "usable_cores", lambda cores=cores: cores)
        beside = replace(config, subproc=True)
        assert processor.workers_of(beside) == workers
        assert processor.learner_threads(beside) == threads
    assert processor.workers_of(config) == 0 and processor.learner_threads(config) == 3
    own = replace(TINY, subproc=True, n_envs=5, torch_threads=20)  # SB3 has one for each
    assert processor.workers_of(own) == 5 and processor.learner_threads(own) == 16 - 5
    monkeypatch.setattr(processor, "resolve_device", lambda name: "cuda")
    assert [processor.workers_of(beside, cores) for cores in (1, 3, 5, 16)] == [1, 3, 4, 8]


@pytest.mark.parametrize("routing", ["separate", "critic"])
@pytest.mark.parametrize("engine", ["sb3", "fast"])
def test_a_frozen_encoder_stays_as_it_was_drawn_and_the_rest_learns(engine, routing, unjudged):
    config = replace(
        presets.smoke(presets.preset("push-small")),
        **{"engine": engine, "routing": routing, "arm": "frozen", "frozen_encoder": True},
        **{"standardize": False, "random_actions": 0.0, "moved_only": False},
        **{"critic_layer_norm": False, "net_arch": (16, 16), "batch_size": 8},
        **{"total_steps": 200, "eval_every": 200, "video_episodes": 0, "precision": "auto"},
    )
    run, seen = Training(validate(config)), []

    def look(progress):
        weights = run.model.policy.state_dict().items()
        # Averaging equal weights rounds, so those of the target are left out.
        seen.append({k: v.clone() for k, v in weights if not k.startswith("critic_target")})

    run._report = look
    run.run()
    stays = {name for name, value in seen[0].items() if torch.equal(value, seen[-1][name])}
    encoders = {name for name in seen[0] if ".features_extractor." in name}
    assert encoders and stays == encoders, stays ^ encoders


@pytest.mark.parametrize("engine", ["sb3", "fast"])
@pytest.mark.parametrize("anneal", [0.0, 0.5])
def test_step_sizes_fall_over_the_last_share_of_the_run(engine, anneal, unjudged):
    config = replace(TINY_PUSH, engine=engine, total_steps=400, eval_every=400, anneal=anneal)
    run, seen = Training(config), {}

    def look(progress):
        model, step = run.model, run.model.num_timesteps
        networks = (model.actor, model.critic)
        if step > config.learning_starts:
            seen[step] = {n.optimizer.param_groups[0]["lr"] for n in networks}

    run._report = look
    run.run()
    full, episode = config.learning_rate, 50 * config.n_envs
    for step, rates in seen.items():  # of the updates of the episode that ended there
        left = min(1.0, (400 - (step - episode)) / 200) if anneal else 1.0
        assert len(rates) == 1 and rates.pop() == pytest.approx(full * left), step
    assert max(seen) == 400 and len(seen) >= 3


def _stop_at(config, step):
    run = Training(config)
    run._report = lambda p: setattr(run, "_stop_signal", 15 if p["step"] >= step else None)
    with pytest.raises(UserError, match="goes on"):
        run.run()
    return run.folder


def test_a_checkpoint_of_another_device_leaves_the_memory_its_seed():
    model = SimpleNamespace(
        replay_buffer=SimpleNamespace(generator=torch.Generator().manual_seed(5)),
        action_space=gym.spaces.Box(-1, 1, (2,)),
    )
    plain, tensors = checkpoint.random_states(model)
    model.replay_buffer.generator.manual_seed(6)
    checkpoint.restore_random_states(model, plain, tensors)
    assert model.replay_buffer.generator.initial_seed() == 5
    short = tensors | {"random.replay": tensors["random.replay"][:16]}  # as long as a GPU's
    torch.rand(3, generator=model.replay_buffer.generator)
    with pytest.warns(UserWarning, match="another device's"):
        checkpoint.restore_random_states(model, plain, short)
    drawn = model.replay_buffer.generator.get_state()
    assert torch.equal(drawn, torch.Generator().manual_seed(5).get_state())


def test_a_damaged_checkpoint_falls_back_to_the_one_before(unjudged):
    folder = _stop_at(TINY_RING, 300)
    newest, older = checkpoint.folders(folder)
    with open(newest / "tensors.safetensors", "r+b") as file:
        file.seek(200)
        file.write(b"damage")
    path = train(TINY_RING)
    notes = load_artifact(path).provenance["notes"]
    assert any("damaged" in n for n in notes)
    assert f"went on from step {checkpoint.step_of(older)}" in notes
    assert _curve(path)["step"].tolist() == [0, 100, 200, 300, 400]


def test_a_resumed_run_reads_its_memory_once_to_check_it_and_knows_its_seconds(monkeypatch):
    folder = _stop_at(TINY, 200)
    pieces, hashed = {p.name for p in (folder / "replay").iterdir()}, []
    real = replay_pieces.sha256
    monkeypatch.setattr(
        replay_pieces, "sha256", lambda path: hashed.append(path.name) or real(path)
    )
    run = Training(TINY)
    run._set_up()
    run.model.env.close(), run.eval_env.close()
    assert len(pieces) == 2 and sorted(hashed) == sorted(pieces)
    assert run.earlier_s > 0


@pytest.mark.parametrize("where", ["replay/*0000000000-*", "step-*/state.json", "step-*/prov*"])
def test_without_a_whole_checkpoint_a_run_refuses_and_keeps_what_is_there(where, unjudged):
    folder = _stop_at(TINY, 200)
    for path in list(folder.glob(where)):
        path.unlink()
        if "replay" not in where:
            path.mkdir()
    before = sorted(folder.rglob("*"))
    with pytest.raises(UserError, match=r"no checkpoint of .* is whole \(.*\): .*--restart"):
        train(TINY)
    assert sorted(folder.rglob("*")) == before
    assert load_artifact(train(TINY, restart=True)).provenance["sessions"] == 1


def test_after_a_damaged_checkpoint_the_next_ones_stay(unjudged):
    folder = _stop_at(TINY, 200)
    (checkpoint.folders(folder)[0] / "tensors.safetensors").write_bytes(b"half")
    _stop_at(TINY, 150)
    assert [p.name for p in checkpoint.folders(folder)] == ["step-0000000150", "step-0000000100"]
    notes = load_artifact(train(TINY)).provenance["notes"]
    assert "went on from step 150" in notes


@pytest.mark.parametrize("damaged", [False, True])
def test_other_settings_do_not_take_over_a_run(damaged, unjudged):
    folder = _stop_at(TINY, 100)
    for path in folder.rglob("state.json") if damaged else ():
        path.unlink()
    with pytest.raises(UserError, match="holds a run with other settings.*--restart"):
        train(replace(TINY, gamma=0.9))
    assert is_done(TINY) is False
    path = train(replace(TINY, gamma=0.9), restart=True)
    assert load_artifact(path).provenance["sessions"] == 1


def test_how_a_run_is_done_does_not_stop_it_and_is_told(unjudged):
    """Its film failed, say. The result's record names the last session's code and machine alone."""

    def elsewhere(record):
        record.update(commit="a" * 40, uncommitted_code=["labs/replay.py"])
        record["hardware"].update(cpu="Other", cores=3, gpu="H100")
        record["parameters"]["products_in"] = "bfloat16"

    folder = _stop_at(replace(TINY, video_episodes=1), 200)
    alter(checkpoint.folders(folder)[0], "provenance.json", elsewhere)
    with pytest.raises(UserError, match="other settings"):
        train(replace(TINY, save_replay=False))
    done = load_artifact(train(replace(TINY, video_episodes=0, checkpoint_every=150)))
    trained = "the steps to 200 were trained"
    assert done.provenance["sessions"] == 2 and done.provenance["notes"] == [
        "went on from step 200",
        f"{trained} by commit {'a' * 40} (changed: labs/replay.py)",
        f"{trained} on Other, 3 cores, GPU H100",
        f"{trained} with products in bfloat16, those after it in float32",
    ]


@pytest.mark.parametrize("known", [True, False])
def test_a_knob_that_a_checkpoint_does_not_know_has_its_default(known, unjudged):
    """False: an early checkpoint, which has a digest alone."""

    def as_it_was(record):
        if known:
            del record["parameters"]["settings"]["anneal"]
            record["parameters"]["config"] = "the digest of fewer knobs"
        else:
            del record["parameters"]["settings"]

    for path in checkpoint.folders(_stop_at(TINY, 100)):
        alter(path, "provenance.json", as_it_was)
    assert load_artifact(train(TINY)).provenance["sessions"] == 2


@pytest.mark.parametrize("engine", ["sb3", "distill"])
def test_what_stands_in_the_way_of_the_result_is_met_before_the_training(own_folders, engine):
    arm = TINY if engine == "sb3" else presets.smoke(presets.preset("push-distilled"))
    blocked = own_folders / "data" / arm.run_name
    blocked.mkdir(parents=True)
    (blocked / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds no artifact, not training: move it away"):
        train(arm)
    assert not list((own_folders / "runs").rglob("step-*"))


def test_without_a_saved_memory_the_policy_refills_it_before_it_learns_on_and_says_so():
    config = replace(TINY, save_replay=False)
    _stop_at(config, 200)
    run, asked, none = Training(config), [], np.zeros((1, 4), np.float32)
    run._set_up()
    run.model.predict = lambda *given, **how: asked.append(1) or (none, None)
    run.model._sample_action(run.model.learning_starts, None, 1)
    run.model.env.close(), run.eval_env.close()
    assert asked and run.model.learning_starts == 200 + config.learning_starts
    assert any("refilled with 100 steps of the trained policy" in n for n in run.notes)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint():
    run = Training(TINY)

    def poison(progress):
        if progress["step"] == 200:
            next(run.model.critic.parameters()).data.fill_(float("nan"))

    run._report = poison
    with pytest.raises(UserError, match=r"diverged at step 2\d\d \(.*last good checkpoint.*step-"):
        run.run()
    assert checkpoint.folders(run.folder) and not run.output.exists()


def test_two_processes_cannot_train_one_run(tmp_path):
    code = (
        "import sys; from pathlib import Path; from labs.experiments.guards import RunLock\n"
        "lock = RunLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "held\n"
    assert guards.holder(tmp_path / "run") == other.pid
    with pytest.raises(UserError, match=f"another process \\({other.pid}\\)"):
        guards.RunLock(tmp_path / "run", patience=0.3)
    other.kill()  # SIGKILL: the lock goes with the process
    other.wait()
    guards.RunLock(tmp_path / "run", patience=2).release()


def test_memory_and_disk_are_refused_with_figures(tmp_path, monkeypatch):
    big = replace(presets.STEP_2, buffer_size=10**8, total_steps=10**8)
    with pytest.raises(UserError, match=r"needs 15\d{3}\.\d GiB of memory .*--buffer-size"):
        guards.check_resources(big, tmp_path)
    monkeypatch.setattr(guards.shutil, "disk_usage", lambda p: type("U", (), {"free": 10**6}))
    with pytest.raises(UserError, match=r"GiB of disk .*--no-save-replay"):
        guards.check_resources(TINY, tmp_path)


def test_the_frames_of_a_locator_are_counted():
    located = presets.preset("reach-located")
    frames = located.locator_frames * 3 * np.prod(located.frame_size)
    assert frames > 10**9 and guards.needs(located)["memory"] > frames
    fewer = guards.needs(replace(located, locator_frames=1000))
    assert fewer["memory"] < guards.needs(located)["memory"]


def test_the_lessons_of_a_distillation_are_counted(tmp_path):
    arm = presets.preset("push-distilled")
    frames = arm.total_steps * 3 * np.prod(arm.frame_size)
    for buffer in (arm.buffer_size, 400):  # it has no replay memory
        need = guards.needs(replace(arm, buffer_size=buffer, save_replay=False))
        assert need["memory"] > frames < need["disk"] < 1.2 * frames + 200 * 2**20
    with pytest.raises(UserError, match="GiB of memory .*lower --total-steps"):
        guards.check_resources(replace(arm, total_steps=10**9), tmp_path)


def test_the_memory_wall_is_where_the_arithmetic_says():
    step_2 = guards.stored_bytes(presets.STEP_2)
    assert 169_344 < step_2 < 170_500  # two stacks of 84,672 bytes and the vectors
    once = guards.stored_bytes(replace(presets.STEP_2, engine="fast"))
    assert 21_591 < once < 22_500


# ----------------------------------------------------------------------------------- evaluation


def test_the_saved_policy_is_the_one_that_was_evaluated():
    path = train(TINY)
    policy = load_policy("tiny/seed0")
    found = evaluate.evaluate(policy, TINY, TINY.eval_episodes)
    saved = load_artifact(path).json("evaluation.json")
    for mode in ("deterministic", "stochastic"):
        for key in ("successes", "return_mean", "final_distance_mean"):
            assert found[mode][key] == pytest.approx(saved[mode][key], rel=1e-6)
    assert len({found[mode]["return_mean"] for mode in evaluate.MODES}) == 2, "one is sampled"


PLAYED = evaluate.EPISODE_STEPS * (2 + 1 + 2 + 1)  # two modes, black, others' images twice, frozen


@pytest.fixture
def sighted(monkeypatch):
    """A policy that looks, its settings, its folder."""
    monkeypatch.setenv("PIXELS_DATA", str(repository_root() / "data"))
    policy = load_policy("push-located-rewards-n3/seed0")
    return policy, policy.config, load_artifact("push-located-rewards-n3/seed0").path


def test_parts_that_are_played_side_by_side_find_the_same(sighted, monkeypatch):
    policy, config, folder = sighted
    assert evaluate.evaluation_steps(replace(config, eval_episodes=1)) == PLAYED
    assert evaluate.evaluation_steps(replace(config, eval_episodes=1), cores=9) == PLAYED / 3
    monkeypatch.setattr(evaluate, "CONTROLS", ("shuffled",))
    here = evaluate.evaluate(policy, config, 1)
    beside = evaluate.evaluate(policy, config, 1, folder=folder)
    for found in (here, beside):
        parts = (found["deterministic"], found["stochastic"], *found["controls"].values())
        assert len(parts) == 3 and all(part.pop("frames_per_second") > 0 for part in parts)
    assert here == beside


def test_a_part_whose_process_died_is_played_here(sighted, monkeypatch):
    policy, config, folder = sighted
    played = []
    monkeypatch.setattr(evaluate, "_parts_of", lambda *_: dict.fromkeys(evaluate.MODES, {}))
    found = evaluate.evaluate(
        policy, config, 1, folder=folder / "missing", after_episode=lambda: played.append(1)
    )
    assert played == [1, 1] and found["stochastic"]["episodes"] == 1


def test_measuring_does_not_touch_the_random_state():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    policy = evaluate.RandomActions()
    evaluate.run_episodes(policy, TINY, [1], deterministic=False)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize("in_use", [True, False])
def test_measuring_puts_back_the_generator_of_every_gpu_in_use(in_use, monkeypatch):
    states, put_back = {0: "first", 1: "second"}, {}
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: in_use)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(states))
    monkeypatch.setattr(torch.cuda, "get_rng_state", states.__getitem__)
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: put_back.__setitem__(device, state)
    )
    evaluate.run_episodes(evaluate.RandomActions(), TINY, [1], deterministic=False)
    assert put_back == (states if in_use else {})


def test_an_episode_is_judged_by_its_last_step():
    steps = iter(
        ({}, -1.0, False, n == 3, {"is_success": n == 2, "distance": n / 10}) for n in (1, 2, 3)
    )
    env = SimpleNamespace(reset=lambda seed: ({}, {}), step=lambda action: next(steps))
    assert evaluate.play(env, evaluate.NoOp(), 0) == (False, -3, 0.3, [])


def test_no_seed_serves_two_ends():
    firsts = (environments.CURVE_SEEDS, environments.FINAL_SEEDS, environments.VIDEO_SEEDS)
    seeds = np.add.outer(firsts, (0, environments.SEARCH_OFFSET))
    assert np.diff(np.sort(seeds.flatten())).min() >= 1_000_000


class Recorder:
    """Does nothing, remembers the images."""

    def __init__(self):
        self.images = []

    def predict(self, obs, deterministic=True):
        self.images.append(obs["pixels"].copy())
        return np.ones(4, np.float32)


def _seen(control, config):
    recorder = Recorder()
    evaluate.run_episodes(recorder, config, [7, 8], control=control)
    return recorder.images


def test_negative_controls_change_what_they_say():
    config = RunConfig(observation="pixels", scene="lean", goal_mode="none", arm="x")
    real, blank, frozen, shuffled = (
        _seen(c, config) for c in (None, "blank", "frozen", "shuffled")
    )
    assert len(real) == len(blank) == 100
    assert not any(image.any() for image in blank)
    assert all(np.array_equal(image, real[0]) for image in frozen[:50])
    assert all(np.array_equal(image, real[50]) for image in frozen[50:])
    # donor episodes are played in between: 50 donor, 50 shuffled, 50 donor, 50 shuffled
    assert all(np.array_equal(a, b) for a, b in zip(shuffled[50:100], real[50:], strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(shuffled[150:], real[:50], strict=True))
    assert not np.array_equal(real[0], real[50])


def test_controls_need_images():
    with pytest.raises(UserError, match="has none"):
        evaluate.run_episodes(evaluate.NoOp(), TINY, [1], control="blank")
    with pytest.raises(UserError, match="unknown control"):
        evaluate.run_episodes(evaluate.NoOp(), TINY, [1], control="upside-down")
    with pytest.raises(UserError, match="at least one episode"):
        evaluate.run_episodes(evaluate.NoOp(), TINY, [])


def _start_solved(seeds):
    env = make_one(RunConfig(task="push", observation="state"))
    starts = [env.reset(seed=int(seed))[0] for seed in seeds]
    env.close()
    return sum(np.linalg.norm(o["achieved_goal"] - o["desired_goal"]) < 0.05 for o in starts)


def test_the_floor_of_push_is_goals_that_start_solved():
    found = evaluate.floors("push", 20)["no-op"]
    assert found["successes"] == _start_solved(evaluate.final_seeds(20))
    assert found["episodes"] == 20


def test_what_scores_without_pushing_is_counted_and_follows_from_the_rules(monkeypatch):
    monkeypatch.setattr(tasks.envs, "EPISODE_STEPS", 2)
    found = tasks.push_floor(episodes=20, progress=False).json("measurement.json")
    solved = _start_solved(tasks.FLOOR_SEED + np.arange(20))
    assert 0 < found["at_reset"]["rate"] == solved / 20
    assert found["moved_the_block"]["no_op"]["rate"] == 0
    monkeypatch.delenv("PIXELS_DATA")
    published = load_artifact("push-floor").json("measurement.json")
    assert found["geometry"] == pytest.approx(published["geometry"], abs=1e-9)
    assert published["at_reset"]["low"] < found["geometry"] < published["at_reset"]["high"]


def test_who_reaches_goes_straight_and_a_mask_has_width_and_height():
    np.testing.assert_array_equal(tasks.reach_for(np.array([0.1, 0, 0]), np.zeros(3)), [1, 0, 0, 0])
    mask = np.zeros((9, 9), bool)
    assert tasks._extent(mask) == (0, 0)
    mask[2:4, 1:6] = True
    assert tasks._extent(mask) == (5, 2)


# --------------------------------------------------------------------------------- kill -9


def _train_and_tell(settings: dict, folder: Path, steps: Connection) -> None:
    """A training in a process of its own, which sends its steps."""
    os.environ.update(PIXELS_DATA=str(folder / "data"), PIXELS_RUNS=str(folder / "runs"))
    train(from_dict(settings), report=lambda progress: steps.send(progress["step"]))


@pytest.mark.slow
def test_kill_9_and_go_on(own_folders, begin):
    """Killed at arbitrary steps, it ends as one that never was."""
    config = replace(TINY, arm="killed", total_steps=600)
    killed = own_folders / "data" / "killed" / "seed0"
    run = _train_and_tell, config.as_dict(), own_folders
    for kill_at in (150, 350):
        process, steps = begin(*run)
        while steps.recv() < kill_at:
            pass
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL and not killed.exists()
    process, steps = begin(*run)
    process.join()
    assert process.exitcode == 0
    whole = train(replace(config, arm="unharmed"))
    assert _curve(killed).equals(_curve(whole))
    assert _weights(killed) == _weights(whole)
    assert load_artifact(killed).provenance["sessions"] == 3


# ------------------------------------------------------------------------ what a learner is told


@pytest.mark.parametrize("engine", ["sb3", "fast"])
def test_a_learner_and_its_memory_are_told_their_settings(engine):
    told = {"gamma": 0.9, "her_k": 2, "her_strategy": "final", "moved_only": True, "n_steps": 3}
    config = replace(TINY_FAST, engine=engine, tau=0.02, same_shift=True, **told)
    model = models.build(config, make_training_env(config))
    memory = model.replay_buffer
    assert (model.gamma, model.tau, memory.n_sampled_goal) == (0.9, 0.02, 2)
    if engine == "sb3":
        assert memory.goal_selection_strategy.name == "FINAL"
    else:
        found = (memory.gamma, memory.n_sampled_goal, memory.strategy, memory.moved_only)
        assert model.same_shift and (*found, memory.n_steps) == tuple(told.values())


def test_encoders_learn_in_steps_of_their_own():
    config = presets.smoke(replace(presets.preset("push-small"), routing="separate"))
    config = replace(config, image_size=36, encoder_learning_rate=1e-5)
    model = models.build(config, make_training_env(config))
    networks = (model.actor, model.critic)
    model._update_learning_rate([network.optimizer for network in networks])
    for network in networks:
        encoder = set(network.features_extractor.parameters())
        rest, own = network.optimizer.param_groups
        assert set(own["params"]) == encoder and encoder.isdisjoint(rest["params"])
        assert (own["lr"], rest["lr"]) == (1e-5, config.learning_rate)


def test_a_result_of_another_machine_arrives_whole_or_not_at_all(own_folders):
    sent = sweep.pack(write_measurement("some", {"n": 12345}, parameters={}).path)
    arrived = sweep.unpack(sent, own_folders / "there")
    assert load_artifact(arrived).json("measurement.json") == {"n": 12345}
    with pytest.raises(UserError, match="damaged|does not match|changed"):
        sweep.unpack(sent.replace(b"12345", b"12346"), own_folders / "elsewhere")
    assert not (own_folders / "elsewhere").exists()


def test_numbers_too_small_to_matter_count_as_zero():
    threads = torch.get_num_threads()
    small = torch.full((64,), 1e-30)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot")
    try:
        torch.set_flush_denormal(False)
        assert (small * 1e-10 > 0).all()
        processor.set_up(threads=1)
        assert not (small * 1e-10).any() and (small * 1e-7 > 0).all()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def test_a_curve_reads_alike_whatever_counted_the_successes():
    """SB3 counts in float32, a checkpoint in bools."""
    played = SimpleNamespace(success=np.ones(2), returns=np.ones(2), distance=np.ones(2))
    rows = [
        curve.curve_row(
            played, step=1, updates=1, wall_time=0.0, losses={}, train_success=sum(last) / 12
        )
        for last in ([np.float32(1)] * 5, [True] * 5)
    ]
    assert curve.curve_csv(rows[:1]) == curve.curve_csv(rows[1:])
