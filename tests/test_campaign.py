"""The campaign: cells as data, a budget that holds, runs that survive whatever ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from gymnasium import spaces

from labs import cli
from labs.artifacts import load_artifact, write_measurement
from labs.campaign import cells, report, runs, schedule
from labs.campaign.schedule import Campaign, CampaignOptions
from labs.errors import UserError
from labs.experiments import checkpoint, finish, guards, presets
from labs.experiments.done import is_done
from labs.experiments.models import autocast
from labs.experiments.train import Training, train

ARM = "push-gpu-blind"


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path / "runs"))
    return tmp_path


def tiny(**changes):
    config = cells.toy(presets.preset(ARM))
    return replace(config, net_arch=(16, 16), eval_episodes=1, **changes)


# ------------------------------------------------------------------------------------ the cells


def test_every_cell_is_an_arm_and_most_informative_comes_first():
    names = [group.name for group in cells.GROUPS]
    assert names == [
        *("proven", "located", "headline", "twins", "helpers", "routing", "shifts", "memory")
    ]
    assert {arm for group in cells.GROUPS for arm in group.arms} <= set(presets.PRESETS)
    gpu = {config.arm for config, _ in presets.PUSH_GPU}
    assert {arm for group in cells.GROUPS for arm in group.arms} == gpu
    runs = cells.cells_of(cells.GROUPS, [0], 4, small=False)
    alone = ["push-gpu-keypoint", "push-gpu-located", "push-gpu-honest"]
    assert [c.config.arm for c in runs[:3]] == alone
    assert [c.slots for c in runs[:3]] == [4, 4, 4]
    assert [c.config.arm for c in runs[3:7]] == [*cells.GROUPS[3].arms]
    assert len({c.name for c in runs}) == len(runs)  # push-gpu stands in four groups, and runs once
    assert all(c.slots == 1 for c in cells.cells_of(cells.chosen(["headline"]), [0, 1], 2, False))


def test_a_cell_may_have_seeds_of_its_own():
    wanted = ["proven:0", "push-gpu-keypoint:1..2", "push-gpu-honest"]
    runs = cells.cells_of(cells.chosen(wanted), [7], 5, small=False)
    assert [(c.config.arm, c.config.seed, c.slots) for c in runs] == [
        ("push-gpu-keypoint", 0, 5),
        ("push-gpu-keypoint", 1, 1),
        ("push-gpu-keypoint", 2, 1),
        ("push-gpu-honest", 7, 1),
    ]
    for wrong in ("proven:", "proven:x", "proven:3..1"):
        with pytest.raises(UserError, match=f"--cells {wrong}: after the colon"):
            cells.chosen([wrong])


def test_a_run_that_evaluates_leaves_its_place_to_others(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path))
    options = CampaignOptions(
        minutes=5, reserve=10, cells=("proven:0", "twins"), parallel=3, toy=True
    )
    found = Campaign(options)
    alone = found.cells[0]
    run = SimpleNamespace(pid=123, config=alone.config)
    found.running[alone.name] = run
    told = tmp_path / alone.name / "progress.json"
    told.parent.mkdir(parents=True)
    assert found._slots(alone.name) == 3, "before its first word"
    for phase, pid, slots in (
        ("train", 123, 3),
        ("evaluate", 7, 3),  # of an earlier process
        ("evaluate", 123, 0),
        ("done", 123, 0),
    ):
        told.write_text(json.dumps({"phase": phase, "pid": pid}))
        assert found._slots(alone.name) == slots, (phase, pid)


@pytest.mark.parametrize("group", cells.GROUPS[3:], ids=lambda g: g.name)
def test_a_group_compares_at_an_equal_budget(group):
    """Nothing that a run may cost differs within a group, but what its question is about."""
    asked = {
        "twins": {"image_content", "observation"},
        "helpers": {"critic_sees", "routing", "temperature", "auxiliary", "goals_per_frame"},
        "routing": {"routing", "gradient_steps"},
        "shifts": {"augmentation", "pad", "camera", "head", "features_dim"},
        "memory": {"buffer_size", "her_k"},
    }[group.name]
    if group.name == "twins":  # what the blind twin cannot have
        asked |= {"encoder", "head", "routing", "frame_stack", "encoder_learning_rate"}
    base = presets.preset("push-gpu-sharp" if group.name == "helpers" else "push-gpu")
    for arm in group.arms:
        other = presets.preset(arm)
        assert set(base.differences(other)) <= asked | {"arm"}, arm
        assert other.total_steps == base.total_steps


def test_what_a_locator_taught_by_rewards_learns_is_spread_and_updated_more_and_seeks():
    here, there = (presets.preset(a) for a in ("push-located-rewards-n3", "push-gpu-located"))
    paces = {"n_envs", "gradient_steps", "learning_starts"}
    proven = {"seeking"}  # by another arm on two cores
    assert set(here.differences(there)) - presets.NOT_CHANGES == paces | proven | {"precision"}
    assert there.seeking == presets.preset("push-located-rewards-seeking").seeking
    assert there.precision == "float32", "as it was proven, where automatic means the same"


def test_what_is_proven_on_two_cores_is_only_spread_over_more_workers():
    here, there = (presets.preset(a) for a in ("push-asymmetric-achieved", "push-gpu-keypoint"))
    paces = {"n_envs", "gradient_steps", "learning_starts"}
    assert autocast(there.precision, "cuda") == autocast(here.precision, "cpu") is None
    there = replace(there, precision=here.precision)
    assert set(here.differences(there)) - presets.NOT_CHANGES == paces
    pace = [c.gradient_steps / c.n_envs for c in (here, there)]
    assert pace == pytest.approx([0.25, 0.27], abs=0.01), "updates a step"


def test_sharp_keypoints_of_an_untrained_network_tell_pictures_apart():
    from labs.experiments.arms.gpu import SHARP
    from labs.experiments.moments import View, collect_moments
    from labs.manipulation_encoder import ManipulationExtractor

    config = presets.preset("push-gpu-honest")
    frames, _ = collect_moments(View.of(config), 32, seed=0)
    pixels = torch.from_numpy(frames).float() / 255
    space = spaces.Dict({"pixels": spaces.Box(0, 255, (3, 84, 84), np.uint8)})
    spread = {}
    for temperature in (config.temperature, 1.0):
        torch.manual_seed(0)
        encoder = ManipulationExtractor(space, normalize=False, temperature=temperature)
        with torch.no_grad():
            spread[temperature] = float(encoder({"pixels": pixels}).std(dim=0).mean())
    assert spread[SHARP] > 0.05 and spread[1.0] < 0.001, spread


def test_the_honest_arm_sees_no_object():
    from labs.experiments.environments import make_one

    config = presets.preset("push-gpu-honest")
    env = make_one(config)
    assert set(env.observation_space.spaces) == {"pixels", "proprioception", "desired_goal"}
    env.close()
    assert config.goal_sphere is False and config.camera == "workspace"
    assert 0.5 <= config.gradient_steps / config.n_envs <= 1
    assert config.encoder_learning_rate < config.learning_rate


def test_unknown_cells_and_impossible_budgets_are_named():
    with pytest.raises(UserError, match="did you mean 'twins'"):
        cells.chosen(["twin"])
    with pytest.raises(UserError, match="reserve shorter than the time"):
        Campaign(CampaignOptions(minutes=1, reserve=100))


def test_what_hangs_is_tried_once_more_the_surer_way(own_folders, monkeypatch):
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "0")
    monkeypatch.setattr("labs.gl.working_gl", lambda backends, **k: (backends[0], "a renderer"))
    options = CampaignOptions(minutes=5, reserve=30, cells=(ARM,), plan=True, toy=True)

    def measured(*answers, options=options):
        asked = iter(answers)
        monkeypatch.setattr(schedule, "measure", lambda *a, **k: next(asked))
        run = Campaign(options, say=lambda line: None)
        return run._measured(tiny()), run.facts

    hangs = {"problem": "no answer for 75 s", "where": "environments"}
    fails = {"problem": "CUDA error", "where": "updates"}
    good = {"updates_per_s": 9.0}
    assert measured(good) == (good, {})
    software = {"backend": "osmesa", "renderer": "a renderer"}
    assert measured(hangs, good) == (good, {"gl": software})
    assert os.environ["TORCHDYNAMO_DISABLE"] == "0"
    assert measured(hangs, fails, good) == (good, {"gl": software, "compiled": False})
    assert os.environ["TORCHDYNAMO_DISABLE"] == "1"
    assert measured(fails, hangs, hangs)[0] == hangs, "each way once; it trains all the same"
    elsewhere = {"problem": "locator: there is none", "where": "elsewhere"}
    assert measured(elsewhere) == (elsewhere, {}), "no other way of drawing mends it"
    late = replace(options, minutes=2)
    found, facts = measured(options=late)
    assert found["problem"].startswith("not measured: ") and facts == {}


def test_the_reserve_is_at_least_what_an_evaluation_takes(own_folders, monkeypatch):
    monkeypatch.setattr(schedule, "usable_cores", lambda: 16)
    options = CampaignOptions(minutes=23, reserve=200, cells=("push-gpu-located:0..4",), parallel=5)
    said: list[str] = []
    run = Campaign(options, say=said.append)
    before = run.end_at
    run._keep_time_to_evaluate({"problem": "not measured"})
    run._keep_time_to_evaluate({"evaluation_steps_per_s": 1000.0})
    assert run.end_at == before and not said
    run._keep_time_to_evaluate({"evaluation_steps_per_s": 50.0})  # 600 episodes on three cores
    assert run.kill_at - run.end_at == pytest.approx(2 * 10_000 / 50 + 20)
    assert said == ["an evaluation may take 7 min: so much is kept for it"]
    run._keep_time_to_evaluate({"evaluation_steps_per_s": 1.0})
    assert run.end_at > time.time() + 600, "half of the time is left to train"


def test_a_share_of_the_cores_has_a_share_of_the_workers(own_folders, monkeypatch):
    monkeypatch.setattr(schedule, "usable_cores", lambda: 16)
    cells_ = ("located:0", "push-gpu-located:1..2")
    run = Campaign(CampaignOptions(minutes=23, reserve=200, cells=cells_, parallel=5))
    fast = {"updates_per_s": 1e6, "batch_size": 256, "env_steps_per_s": 500.0}
    run.facts["speed_alone"] = fast
    alone, beside, _ = (run._cost(cell).partition("about ")[2] for cell in run.cells)
    assert alone.startswith("7 min") and beside.startswith("50 min"), "two workers of fifteen"


def test_a_report_that_cannot_be_written_stops_no_training(own_folders, monkeypatch):
    def fails(*given):
        raise FileNotFoundError("no such folder")

    monkeypatch.setattr(report, "write", fails)
    said: list[str] = []
    run = Campaign(CampaignOptions(minutes=5, reserve=30, cells=(ARM,)), say=said.append)
    run._remember()
    run._report()
    assert said == ["[00:00] no report: no such folder"]
    with pytest.raises(FileNotFoundError):
        run._tell_results()


def test_a_run_that_cannot_be_recorded_runs_once_more_without(own_folders, monkeypatch):
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "0")
    run = Campaign(CampaignOptions(minutes=5, reserve=30, cells=(ARM,)), say=lambda line: None)
    run._remember()
    monkeypatch.setattr(run, "_report", lambda: None)
    (cell,), queue = run.cells, []
    log = own_folders / "log"
    log.write_text("the update could not be recorded (why): set TORCHDYNAMO_DISABLE=1\na warning\n")
    for state in ("waiting", "failed"):
        dead = SimpleNamespace(
            config=cell.config, poll=lambda: 1, log=log, last_words=lambda: "a warning"
        )
        run.running[cell.name] = dead
        run._reap(queue)
        assert run.notes[cell.name]["state"] == state
    assert queue == [cell] and os.environ["TORCHDYNAMO_DISABLE"] == "1"


def test_a_damaged_result_fails_its_run_and_no_other(own_folders, monkeypatch):
    def damaged(config):
        raise UserError("curve.csv is damaged")

    said = []
    run = Campaign(CampaignOptions(minutes=5, reserve=30, cells=(ARM,)), say=said.append)
    run._remember()
    monkeypatch.setattr(schedule, "is_done", damaged)
    monkeypatch.setattr(run, "_report", lambda: None)
    (cell,) = run.cells
    run.running[cell.name] = SimpleNamespace(config=cell.config, poll=lambda: 0)
    run._reap([])
    assert run.running == {} and run.notes[cell.name]["state"] == "failed"
    assert said[-1].endswith("failed: curve.csv is damaged")


def test_environments_that_do_not_answer_are_given_up_soon(tmp_path):
    began = time.monotonic()
    found = runs.measure(tmp_path, tiny(), seconds=1, timeout=60, patience=0.3)
    assert found == {"problem": "no answer for 0 s", "where": "environments"}
    assert time.monotonic() - began < 30 and not processes_of(tmp_path)


class Ended(runs.RunProcess):
    """A process that measured the speed, and ended so."""

    code, speeds = 1, ""

    def __init__(self, folder, config, *, arguments):
        self.log = folder / "log"
        if self.speeds:
            (folder / "speeds.json").write_text(self.speeds)
        self.log.write_text("one line\nCUDA error: out of luck\n")

    seconds = 0.0

    def poll(self):
        return self.code

    def kill(self):
        pass


@pytest.mark.parametrize(
    ("code", "speeds", "where"),
    [
        (1, '{"env_steps_per_s": 9.0}', "updates"),
        (1, "", "environments"),
        (runs.MENDABLE, "", "elsewhere"),
    ],
)
def test_where_a_measurement_failed_is_told(tmp_path, monkeypatch, code, speeds, where):
    monkeypatch.setattr(Ended, "code", code)
    monkeypatch.setattr(Ended, "speeds", speeds)
    monkeypatch.setattr(runs, "RunProcess", Ended)
    found = runs.measure(tmp_path, tiny(), seconds=1, timeout=60)
    assert found == {"problem": "CUDA error: out of luck", "where": where}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("there is no artifact in data/locator-push-default/seed0: train it", runs.MENDABLE),
        ("environment worker 0 (process 7) raised UserError: no artifact: stop", runs.MENDABLE),
        ("environment worker 0 (process 7) raised UserError: OpenGL backend 'egl' failed", 1),
        ("environment worker 0 (process 7) raised EGLError: EGL_BAD_DISPLAY: stop", 1),
        ("environment worker 0 (process 7) was killed by signal 11: stop", 1),
        ("no OpenGL library for headless rendering was found", 1),
    ],
)
def test_only_what_may_be_drawing_is_called_so(tmp_path, monkeypatch, said, code):
    def fails(*args):
        raise UserError(said)

    monkeypatch.setattr(runs, "speeds", fails)
    wanted = tmp_path / "wanted.json"
    wanted.write_text(json.dumps(tiny().as_dict()))
    assert runs.main(["--speeds", str(tmp_path / "speeds.json"), "1", str(wanted)]) == code


def test_a_run_behind_a_locator_is_measured_before_there_is_one(own_folders, monkeypatch):
    from labs.experiments.environments import make_one

    config = cells.toy(presets.preset("push-gpu-located"))
    with pytest.raises(UserError, match="there is no artifact in .*locator-"):
        make_one(config, for_training=True)
    looked = []

    def steps(config, seconds, tell):
        env = make_one(config, for_training=True)
        looked.append(env.reset(seed=0)[0]["located"].shape)
        env.close()
        return {"updates_per_s": 9.0}

    monkeypatch.setattr(runs, "speeds", steps)
    wanted, out = own_folders / "wanted.json", own_folders / "runs" / "speeds.json"
    wanted.write_text(json.dumps(config.as_dict()))
    assert runs.main(["--speeds", str(out), "1", str(wanted)]) == 0
    assert json.loads(out.read_text()) == {"updates_per_s": 9.0}
    assert looked == [(2 * config.frame_stack,)], "a place in each frame"
    assert not (own_folders / "data").exists(), "nothing that looks like a result"


def test_a_signal_ends_a_measurement_and_the_second_is_taken_literally(
    own_folders, monkeypatch, interrupted_as_at_a_keyboard
):
    monkeypatch.setattr("labs.gl.working_gl", lambda *a, **k: ("egl", "a card"))
    monkeypatch.setattr(Ended, "code", None)  # it hangs

    def poll(self):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Ended, "poll", poll)
    monkeypatch.setattr(runs, "RunProcess", Ended)
    said: list[str] = []
    options = CampaignOptions(minutes=5, reserve=30, cells=(ARM,), toy=True)
    began = time.monotonic()
    assert Campaign(options, say=said.append).run() == 0
    assert time.monotonic() - began < 20
    assert any("stopped while it was measured" in line for line in said)
    assert not any("starts" in line for line in said), "a run was begun after all"
    killed = []
    monkeypatch.setattr(Ended, "kill", lambda self: killed.append(True))
    monkeypatch.setattr(schedule.Campaign, "_is_asked", lambda self: False)
    with pytest.raises(KeyboardInterrupt):
        Campaign(options, say=said.append).run()
    assert killed
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_plan_leaves_the_verdict_of_an_earlier_campaign_alone(own_folders, monkeypatch):
    monkeypatch.setattr("labs.gl.working_gl", lambda *a, **k: ("egl", "a card"))
    folder = own_folders / "runs" / "campaign-toy"
    folder.mkdir(parents=True)
    state = {"sessions": [{"started": 1, "minutes": 9.0, "used_s": 7.0}], "notes": {}}
    (folder / "state.json").write_text(json.dumps(state))
    report = own_folders / "data" / "campaign-toy"
    write_measurement("campaign-toy", {"groups": ["found earlier"]}, parameters={})
    said: list[str] = []
    options = CampaignOptions(minutes=5, cells=(ARM,), plan=True, measure=False, toy=True)
    assert Campaign(options, say=said.append).run() == 0
    assert load_artifact(report).json("measurement.json") == {"groups": ["found earlier"]}
    assert json.loads((folder / "state.json").read_text()) == state
    assert any(ARM in line and "updates" in line for line in said)


@pytest.mark.parametrize("state", ["[]", '{"notes": 3}', '{"notes": {"a": 3}}', '{"sessions": 3}'])
def test_a_damaged_memory_of_a_campaign_is_one_line(own_folders, state):
    folder = own_folders / "runs" / "campaign-toy"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(state)
    with pytest.raises(UserError, match=r"state\.json is damaged: delete it"):
        Campaign(CampaignOptions(minutes=5, cells=(ARM,), plan=True, toy=True)).run()


def test_the_help_names_every_group(capsys):
    with pytest.raises(SystemExit):
        cli.main(["campaign", "--help"])
    assert ", ".join(group.name for group in cells.GROUPS) in " ".join(
        capsys.readouterr().out.replace("│", "").split()
    )


def test_a_campaign_counts_a_run_whatever_it_was_done_with():
    config = tiny(total_steps=200)
    train(config)
    assert report.artifact_of(replace(config, checkpoint_every=77)) is not None
    assert report.artifact_of(replace(config, gamma=0.5)) is None


@pytest.mark.parametrize("how", ["other settings", "is damaged"])
def test_a_result_that_is_not_the_cells_own_stays_and_the_others_go_on(
    how, own_folders, monkeypatch
):
    """Neither trained over nor in the way of other cells."""
    monkeypatch.setattr("labs.gl.working_gl", lambda *a, **k: ("egl", "a card"))
    options = CampaignOptions(minutes=5, cells=(f"{ARM}:0..1",), plan=True, measure=False, toy=True)
    first = Campaign(options, say=lambda text: None).cells[0].config
    path = train(replace(first, net_arch=(16, 16), eval_episodes=1, total_steps=200))
    if how == "is damaged":
        (path / "curve.csv").write_text("step,success\n")
    before = (path / "provenance.json").read_bytes()
    said: list[str] = []
    campaign = Campaign(options, say=said.append)
    assert campaign.run() == 0, "a plan"
    assert campaign.notes[first.run_name]["state"] == "refused"
    assert how in campaign.notes[first.run_name]["reason"]
    assert [cell.config.seed for cell in campaign._todo()] == [1]
    assert (path / "provenance.json").read_bytes() == before
    assert any("left out" in line for line in said)


def test_a_curve_of_other_settings_is_not_this_runs(own_folders):
    config = tiny(total_steps=200)
    train(config)
    other = replace(config, gamma=0.5)
    assert report.curve_of(config) and not report.curve_of(other)
    folder = own_folders / "runs" / config.run_name
    (folder / "config.json").write_text(json.dumps(other.as_dict()))
    (folder / "curve.csv").write_text("step,success\n0,1.0\n")
    assert report.curve_of(other) == [{"step": 0.0, "success": 1.0}], "on its way"
    assert [p["step"] for p in report.curve_of(config)][-1] == 200, "its artifact's"
    (folder / "config.json").write_text("{")
    assert not report.curve_of(other)


# ------------------------------------------------------------------------------- ending early


def test_a_film_that_fails_costs_no_result(own_folders, monkeypatch):
    def fails(policy, config, path, episodes):
        path.write_bytes(b"half a film")
        raise ModuleNotFoundError("No module named 'imageio_ffmpeg'")

    monkeypatch.setattr(finish, "record", fails)
    config = tiny(video_episodes=1)
    train(config)
    artifact = load_artifact(own_folders / "data" / config.run_name)
    assert "video.mp4" not in artifact.provenance["files"]
    assert artifact.json("evaluation.json")["deterministic"]["episodes"] == 1
    assert artifact.provenance["notes"] == [
        "no film: ModuleNotFoundError: No module named 'imageio_ffmpeg'"
    ]


def test_a_run_told_to_finish_is_evaluated_as_it_is_and_can_go_on():
    config = tiny(total_steps=400, video_episodes=1)
    run = Training(config)

    def finish_once(progress):
        if progress["step"] >= 100:
            run._stop_signal = signal.SIGUSR1

    run._report = finish_once
    early = load_artifact(run.run())
    assert early.provenance["ended_early"] == "at step 200 of 400"
    assert early.json("evaluation.json")["steps"] == 200
    assert not is_done(config) and checkpoint.folders(run.folder)
    assert len(report.curve_of(config)) == len(early.table())
    whole = load_artifact(train(config))
    films = ["video.mp4" in found.provenance["files"] for found in (early, whole)]
    assert films == [False, True], "who is told to end has no time for a film"
    assert "ended_early" not in whole.provenance and whole.provenance["sessions"] == 2
    assert is_done(config) and not checkpoint.folders(run.folder)


def test_a_campaign_of_other_cells_keeps_what_was_reported(own_folders):
    """Other cells, or other seeds of theirs; the cells of this command are reported anew."""
    train(tiny())

    def reported(*wanted):
        run = Campaign(CampaignOptions(minutes=5, reserve=30, cells=wanted, toy=True))
        run._remember()
        run.cells = [replace(c, config=tiny(seed=c.config.seed)) for c in run.cells]
        run._report()
        found = load_artifact("campaign-toy")
        groups = found.json("measurement.json")["groups"]
        told = [(g["name"], [r["seed"] for r in g["runs"]], "reported" in g) for g in groups]
        curves = found.table("curves.csv")["seed"].tolist()
        return told, curves, [c.rpartition("seed")[2] for c in found.parameters["cells"]]

    first, points, _ = reported(f"{ARM}:0")
    assert first == [(ARM, [0], False)] and len(points) > 2
    told, curves, seeds = reported(f"{ARM}:1..2")
    assert told == [(ARM, [1, 2], False), (ARM, [0], True)]
    assert curves == points and seeds == ["1", "2", "0"]
    told, curves, _ = reported(f"{ARM}:0..2")
    assert told == [(ARM, [0, 1, 2], False)] and curves == points, "nothing twice"


def test_a_campaign_replaces_no_other_measurement(own_folders):
    write_measurement("campaign-toy", {}, parameters={"parts": []})
    with pytest.raises(UserError, match="campaign-toy is there and holds no campaign: move it"):
        Campaign(CampaignOptions(minutes=5, cells=(ARM,), toy=True)).run()


# ------------------------------------------------------------------------------- the whole thing


def start(*flags: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "labs.cli", "campaign", "--toy", "--no-measure", *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def processes_of(folder) -> list[psutil.Process]:
    """Processes of runs whose configuration lies in the folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or ()):
            found.append(process)
    return found


def wait_until(condition, seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.mark.slow
def test_a_killed_campaign_goes_on_by_the_same_command(own_folders):
    """SIGKILL in the middle, then again: one artifact, one run in two sessions, nothing left."""
    flags = ("--cells", ARM, "--minutes", "9", "--reserve", "60")
    first = start(*flags)
    runs = own_folders / "runs"
    progress = runs / f"{ARM}-toy" / "seed0" / "progress.json"
    wait_until(lambda: progress.exists() and json.loads(progress.read_text())["step"] >= 100)
    first.kill()
    first.communicate()
    wait_until(lambda: not processes_of(runs))  # its run saved itself and ended
    report = own_folders / "data" / "campaign-toy"
    (row,) = load_artifact(report).json("measurement.json")["groups"][0]["runs"]
    assert row["state"] == "running"  # as far as it came
    second = start(*flags)
    said, _ = second.communicate(timeout=500)
    assert second.returncode == 0, said
    (row,) = load_artifact(report).json("measurement.json")["groups"][0]["runs"]
    assert row["state"] == "done" and row["steps"] == 300, said
    artifact = load_artifact(own_folders / "data" / f"{ARM}-toy" / "seed0")
    assert artifact.provenance["sessions"] == 2
    assert row["evaluation"]["deterministic"]["episodes"] == 2
    assert load_artifact(report).table("curves.csv")["step"].tolist() == [0, 100, 200, 300]
    assert not processes_of(runs)


def test_a_budget_holds_and_what_did_not_end_is_reported_as_killed(own_folders, monkeypatch):
    """A run that hears nothing is killed in time; its curve stays, and the report says so."""
    long = replace(cells.toy(presets.preset(ARM)), total_steps=10**6)
    monkeypatch.setattr(cells, "toy", lambda config: long)
    options = CampaignOptions(0.3, (ARM,), reserve=0.5, measure=False, toy=True)
    said: list[str] = []
    began = time.time()
    deaf = Campaign(options, began, said.append)
    deaf._pass_on = lambda: None
    assert deaf.run() == 0
    assert time.time() - began < 60 * options.minutes
    path = own_folders / "data" / "campaign-toy"
    (row,) = load_artifact(path).json("measurement.json")["groups"][0]["runs"]
    assert row["state"] == "killed" and row["evaluation"] is None
    assert not processes_of(own_folders / "runs")
    assert guards.holder(own_folders / "runs" / long.run_name) is None
    assert said[-1].startswith("[00:") and os.environ["PIXELS_DATA"] in said[-1]
