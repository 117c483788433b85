"""What can be seen before a run starts is said before it; a stopped one tells the truth."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

from labs import cli
from labs.artifacts import repository_root, runs_root, write_artifact
from labs.errors import UserError
from labs.experiments import checkpoint, guards, launch, presets, sweep
from labs.experiments.moments import View, folder
from labs.experiments.plan import NotebookProgress
from labs.experiments.train import Training


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(launch, "run_notebook", lambda *a: pytest.fail("trained"))
    return tmp_path


def refused(argv, capsys):
    """The one line with which a command ends."""
    assert cli.main(argv) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith("pixels: "), err
    return err


BAD = [
    (["plan", "push-distilled", "--gamma", "0.5"], "gamma = 0.5 changes nothing where engine ="),
    (["plan", "push-distilled", "--fast"], "engine = distill plays in one: leave it out"),
    (
        ["plan", "push-small", "--same-shift"],
        "same_shift = True changes nothing where augmentation",
    ),
    (["plan", "push-distilled-drq", "--same-shift"], "same_shift = True changes nothing where eng"),
    (["plan", "reach-state", "--her-k", "16"], "her_k = 16 changes nothing where her = False"),
    (["plan", "reach-state", "--fast-mode"], "changes nothing where --fast is not given"),
    (["plan", "push-state-tuned", "--scene", "lean"], "nothing where observation = state"),
    (["plan", "push-keypoint-honest", "--features-dim", "999"], "keypoints are the features"),
    (["plan", "push-step0", "--num-filters", "7"], "nothing where encoder = nature"),
    (["plan", "push-small", "--pad", "9"], "nothing where augmentation = none"),
    (["plan", "push-located", "--encoder-learning-rate", "1e-5"], "encoder = locator"),
    (["plan", "push-distilled"], "there is no artifact in"),
    (["plan", "reach-state", "--net-arch", "100000", "100000"], "net_arch = (100000, 100000) is"),
    (["plan", "push-step2", "--batch-size", "65536", "--buffer-size", "1000"], "GiB of memory"),
    (["run", "reach", "--arms"], "--arms names no arm"),
    (["run", "reach", "--seeds"], "no seed was given"),
    (["sweep", "--arms", "reach-state", "--seeds", "0..999999999"], "at most 1,000 seeds"),
    (["sweep", "--arms", "reach-state", "--seeds", "9" * 5000], "is out of range"),
]


@pytest.mark.parametrize(("argv", "message"), BAD, ids=[" ".join(a)[:60] for a, _ in BAD])
def test_a_run_that_cannot_be_is_refused(argv, message, capsys):
    assert message in refused(argv, capsys)


def test_what_a_run_would_read_is_a_change_and_what_it_had_may_stay():
    for arm, changes in (
        ("push-step2", {"her": False}),  # whose her_k is 8
        ("push-step2", {"her": False, "her_k": 4}),
        ("push-state-tuned", {"camera": "workspace"}),  # its film's
        ("push-state-tuned", {"her_k": 8}),
        ("push-distilled", {"total_steps": 2000}),  # learning_starts, which it never reads
    ):
        assert presets.effective(arm, 0, changes).arm != arm


@pytest.mark.parametrize("command", [["plan"], ["train"], ["run", "reach", "--arms"]])
def test_a_gpu_that_is_not_there_is_missed_at_once(command, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    cuda = replace(presets.REACH_STATE, arm="reach-cuda", device="cuda")
    monkeypatch.setitem(presets.PRESETS, "reach-cuda", cuda)
    assert "torch sees no GPU" in refused([*command, "reach-cuda"], capsys)


@pytest.mark.parametrize("name", ["PIXELS_DATA", "PIXELS_RUNS"])
@pytest.mark.parametrize(
    "argv",
    [
        *(["plan", "reach-state"], ["train", "reach-state"], ["measure"]),
        *(["search", "reach-state-tuned"], ["campaign", "--toy"], ["sweep"]),
    ],
    ids=lambda argv: argv[0],
)
def test_a_folder_that_cannot_be_written_is_met_first(name, argv, tmp_path, monkeypatch, capsys):
    if argv == ["measure"]:
        monkeypatch.setattr("labs.measurements.tasks.push_floor", lambda: pytest.fail("measured"))
        name, argv = "PIXELS_DATA", ["measure", "push-floor"]
    if argv == ["sweep"]:  # the folders of its runs are on the workers
        name, argv = "PIXELS_DATA", ["sweep", "--arms", "reach-state", "--smoke"]
    (tmp_path / "file").touch()
    monkeypatch.setenv(name, str(tmp_path / "file"))
    assert f"no folder that can be written to: set {name}" in refused(argv, capsys)


def test_an_arm_that_does_not_fit_is_met_before_the_first_one(monkeypatch, capsys):
    little = SimpleNamespace(available=2 * guards.GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    assert "reach-pixels/seed0 needs" in refused(["run", "reach"], capsys)
    monkeypatch.setattr(launch, "is_done", lambda config: True)
    assert "reach-pixels/seed0 needs" in refused(["plan", "reach-pixels"], capsys)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["push-distilled", "--teacher", "push-blind-tuned/seed0"],
            "the teacher push-blind-tuned/seed0 plays push from blind",
        ),
        (
            ["push-blind-tuned", "--acting-policy", "push-state-tuned/seed0"],
            "told other things: observation = state there and blind here",
        ),
        (
            ["push-blind-n3", "--no-proprioception", "--acting-policy", "push-blind-tuned/seed0"],
            "told other things: proprioception = True there and False here",
        ),
    ],
)
def test_a_lender_that_does_not_fit_is_met_before_the_run(argv, message, tmp_path, capsys):
    for arm in ("push-blind-tuned", "push-state-tuned"):
        here = tmp_path / "data" / arm / "seed0"
        here.parent.mkdir(parents=True)
        here.symlink_to(repository_root() / "data" / arm / "seed0")
    acts = "--acting-policy" in argv
    ends = ["--acting-ends", "5000"]
    assert message in refused(["plan", *argv, *(ends if acts else [])], capsys)
    told_the_same = ["--acting-policy", "push-blind-tuned/seed0", *ends]
    assert cli.main(["plan", "push-blind-n3", *told_the_same]) == 0


@pytest.mark.parametrize("command", ["plan", "train"])
def test_a_locator_of_another_view_is_met_before_the_run(command, capsys):
    wanted = presets.preset("push-located")
    parameters = {"view": vars(View.of(replace(wanted, image_size=64)))}
    with write_artifact(folder(wanted), kind="locator", parameters=parameters):
        pass
    assert "another view (image_size 64 -> 84)" in refused([command, "push-located"], capsys)
    assert cli.main(["plan", "push-located", "--image-size", "64"]) == 0
    code = "import sys, labs.experiments.launch; sys.exit('mujoco' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0, "a plan draws nothing"


@pytest.mark.parametrize(
    ("argv", "fast", "fewer"),
    [
        (["push-step2"], True, False),
        (["push-step2", "--engine", "fast"], False, False),
        (["reach-state", "--n-envs", "50"], False, True),
    ],
)
def test_only_what_closes_the_gap_is_advised(argv, fast, fewer, monkeypatch, capsys):
    little = SimpleNamespace(available=1.5 * guards.GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    said = refused(["plan", *argv], capsys)
    assert "lower --buffer-size (now " in said
    assert ("--engine fast" in said, "--n-envs" in said) == (fast, fewer)


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("push-floor", ["measure", "push-floor"]),
        ("search-reach-state-tuned", ["search"]),
        ("compare-reach-smoke", ["run", "reach", "--smoke"]),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)
def test_what_blocks_a_result_is_met_before_the_work(name, argv, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("labs.measurements.tasks.push_floor", lambda: pytest.fail("measured"))
    monkeypatch.setattr("labs.experiments.search._trial", lambda *a: pytest.fail("trained"))
    (tmp_path / "data" / name / "mine").mkdir(parents=True)
    assert f"{name} is there and holds no artifact" in refused(argv, capsys)


def test_a_sweep_sees_what_blocks_a_result_before_it_starts(tmp_path, capsys):
    (tmp_path / "data" / "reach-state-smoke" / "seed0" / "mine").mkdir(parents=True)
    argv = ["sweep", "--arms", "reach-state", "--seeds", "0", "--smoke"]
    assert "holds no artifact, not training: move it away" in refused(argv, capsys)


def test_a_sweep_without_ray_names_the_books_own_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[sweep\]', or train without"):
        sweep._ray()


@pytest.mark.parametrize("name", ["lock", "progress.json"])
def test_a_folder_in_a_files_place_is_one_line(name, capsys):
    (runs_root() / "reach-state-smoke" / "seed0" / name).mkdir(parents=True)
    err = refused(["train", "reach-state", "--smoke", "--video-episodes", "0"], capsys)
    assert re.search(f"cannot use .*{name} .*move it away", err)


def test_what_a_run_needs_stands_before_its_bar(monkeypatch, capsys):
    def stop(*arguments):
        raise UserError("it trains")

    monkeypatch.setattr(launch, "run_notebook", stop)
    assert cli.main(["train", "reach-state", "--smoke", "--video-episodes", "0"]) == 2
    first = capsys.readouterr().err.splitlines()[0]
    assert re.match(r"reach-state-smoke/seed0: 0\.\d GiB of memory, .* of disk; time: ", first)


# -------------------------------------------------------------------------------------- Ctrl-C


def test_a_run_that_is_stopped_while_set_up_says_that_nothing_is_kept():
    arm = presets.smoke(presets.preset("push-located-rewards-n3"))
    run = Training(replace(arm, locator_frames=275, video_episodes=0))
    run._report = lambda progress: signal.raise_signal(signal.SIGTERM)
    with pytest.raises(UserError, match="stopped while .*begins again, nothing was kept yet"):
        run.run()
    assert not checkpoint.folders(run.folder) and guards.holder(run.folder) is None


def test_a_run_that_is_refused_while_set_up_closes_its_robots(monkeypatch):
    run, closed = Training(replace(presets.smoke(presets.preset("reach-state")), seed=7)), []

    def refuse(config, env):
        monkeypatch.setattr(env, "close", lambda: closed.append(env))
        raise UserError("no such policy")

    monkeypatch.setattr("labs.experiments.models.build", refuse)
    with pytest.raises(UserError, match="no such policy"):
        run.run()
    assert closed == [run.env] and guards.holder(run.folder) is None


def test_ctrl_c_before_the_run_is_no_error_of_what_it_interrupts(tmp_path):
    with pytest.raises(UserError, match="stopped before the training started"):
        with launch._ForwardSignals(tmp_path, presets.preset("reach-state")):
            try:
                signal.raise_signal(signal.SIGINT)
            except Exception as error:
                raise RuntimeError("wrapped by a library") from error


def test_a_second_ctrl_c_kills_the_run(tmp_path, capsys, request):
    code = (
        "import signal, sys; from pathlib import Path\n"
        "from labs.experiments.guards import RunLock\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "lock = RunLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes)
    assert run.stdout.readline() == "held\n"
    arm = presets.preset("push-distilled")
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup had it ignored
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, before))
    with pytest.raises(KeyboardInterrupt), launch._ForwardSignals(tmp_path, arm) as signals:
        signal.raise_signal(signal.SIGHUP)  # the terminal was closed, and its shell says so too
        signal.raise_signal(signal.SIGHUP)
        assert run.poll() is None and signals.asked
        assert "after this round of 40 episodes" in capsys.readouterr().err
        signal.raise_signal(signal.SIGINT)
    assert run.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("kind", ["command", "notebook"])
def test_the_bar_of_a_resumed_run_does_not_count_yesterday(kind, tmp_path):
    """Its speed and the time left are those of the steps that it took today."""
    config = presets.preset("push-step2")
    if kind == "command":
        with launch._Watcher(config, tmp_path, quiet=False) as watcher:
            bar = watcher._bar

            def look(progress):
                (tmp_path / "progress.json").write_text(json.dumps(progress))
                watcher._look()

            speed = seen_speed(bar, look)
    else:
        progress = NotebookProgress(config)
        progress._bar.mininterval = 0.1
        speed = seen_speed(progress._bar, progress)
    assert 0 < speed < 800 / 0.2


def seen_speed(bar, look):
    for step in (20_000, 20_400, 20_800):
        look({"step": step, "success": None, "phase": "train"})
        time.sleep(0.2)
    return bar.format_dict["rate"]
