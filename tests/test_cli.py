"""The program: quick help, one line for every mistake, and the whole way through papermill."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from jupyter_client.kernelspec import NoSuchKernel

from labs import cli
from labs.artifacts import (
    data_root,
    load_artifact,
    repository_root,
    seeds_of,
    write_measurement,
)
from labs.commands import drawing, training
from labs.commands.measuring import MEASUREMENTS, function_of
from labs.errors import UserError
from labs.experiments import guards, launch, presets, sweep
from labs.experiments.plan import plan
from labs.provenance import hardware
from tests.altering import alter, unbundle


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path / "runs"))
    return tmp_path


def trained(arm="reach-state"):
    """A copy of the repository's results of an arm, to damage at will."""
    shutil.copytree(repository_root() / "data" / arm, data_root() / arm)


BAD = [
    (["trian"], "did you mean 'train'"),
    (["train"], "name an arm first"),
    (["train", "reech-state"], "unknown arm 'reech-state': did you mean 'reach-state'"),
    (["train", "zzz"], "unknown arm 'zzz': pixels train --help lists all"),
    (["measure"], "gallery}: see pixels measure --help"),
    (["train", "reach-state", "--lr", "3"], "unknown flag --lr"),
    (["plan"], "name an arm first: pixels plan"),
    (["fetch", "push-nothing"], "no result of 'push-nothing'"),
    (["plan", "push-step2", "--buffer-size", "100000000"], "lower --buffer-size"),
    (["train", "reach-state", "--learning-rat", "3"], "did you mean --learning-rate"),
    (["train", "reach-state", "--total-steps", "many"], "--total-steps"),
    (["train", "reach-state", "--total-steps"], "--total-steps"),
    (["train", "reach-state", "--task", "slide"], "invalid choice 'slide'"),
    (["train", "reach-state", "--seeds", "x"], "--seeds"),
    (["train", "reach-state", "--seeds"], "no seed was given"),
    (["train", "reach-state", "--seeds", "1", "1"], "appears twice"),
    (["train", "reach-state", "--seeds", "-1"], "seed"),
    (["train", "reach-state", "--head", "spatial_softmax"], "needs an image"),
    (["train", "reach-state", "--her"], "sparse reward"),
    (["train", "push-step0", "--head", "spatial_softmax"], "ends flat"),
    (["train", "push-step0", "--frame-stack", "0"], "frame_stack = 0 is out of range"),
    (["train", "push-step2", "--goal-mode", "none"], "goal_mode = both"),
    (["train", "push-step2", "--no-save-repaly"], "did you mean --save-replay"),
    (["run", "reach", "--arms", "reach-state", "reach-state"], "names reach-state twice"),
    (["eval"], "arm"),
    (["eval", "reach-state"], "no result of 'reach-state'"),
    (["eval", "reach-state", "--episodes", "0"], "give 1 or more"),
    (["compare"], "nothing to compare"),
    (["compare", "nothing"], "no result of 'nothing'"),
    (["plan", "reach-state", "--seeds"], "no seed was given"),
    (["train", "reach-state", "--seed", "3"], "did you mean --seeds"),
    (
        ["train", "reach-state", "--arm", "push-step2"],
        "the name of another arm",
    ),
    (["measure", "perception", "--seeds", "0"], "--seeds 0"),
    (["measure", "visibility", "--seeds", "9"], "--seeds is for perception"),
    (["plan", "reach-state", "--goal-mode", "none"], "leave goal_mode alone"),
    (["plan", "reach-state", "--pad", "9"], "pad = 9 needs an image"),
    (["plan", "reach-state", "--train-freq", "0"], "train_freq = 0 does not divide"),
    (["measure", "perception", "--minutes", "-1"], "--minutes -1"),
    (["measure", "perception", "--minutes", "nan"], "--minutes nan"),
    (["search", "reach-state-tuned", "--steps", "0"], "total_steps = 0"),
    (["sweep", "--arms", "reach-state", "--seeds", "²"], "--seeds ² is no seed"),
    (["sweep", "--arms", "reach-state", "--cpus", "nan"], "--cpus must be positive"),
    (["campaign", "--minutes", "inf"], "--minutes"),
    (["run", "slide"], "invalid choice 'slide'"),
    (["run", "reach", "--arms", "reech"], "unknown arm 'reech'"),
    (
        ["run", "reach", "--arms", "push-state-tuned"],
        "is an arm of push: leave it to pixels run push",
    ),
    (["run", "reach", "--total-steps", "10"], "total_steps = 10 is out of range"),
    (["plot", "pie"], "invalid choice 'pie'"),
    (["plot", "curves"], "name at least one arm"),
    (["plot", "phases"], "draws one run"),
    (["plot", "steps", "push-stepp2"], "did you mean 'push-step2'"),
    (["plot", "steps"], "data is no folder: set PIXELS_DATA"),
    (["results"], "data is no folder: set PIXELS_DATA"),
    (["claims"], "data is no folder: set PIXELS_DATA"),
    (["train", "reach-state", "--arm", ".hidden"], "'.hidden' cannot be a folder"),
    (["train", "reach-state", "--arm", "a" * 81], "cannot be a folder: use at most 80"),
    (["plot", "curves", "reach-state"], "no result of 'reach-state'"),
    (["frame", "--cameras", "drone"], "unknown camera 'drone'"),
    (["frame", "--size", "0"], "image size 0"),
    (["frame", "--size", "100000"], "--size 100000 is out of range: give 1 to 4096"),
    (["frame", "--seed", "-1"], "--seed -1 is out of range"),
    (["frame", "--cameras"], "--cameras names no camera"),
    (["compare", "reach-state", "--state", "push-state"], "--state push-state is none of the arms"),
    (["compare", "reach-state", "--pixels", "x"], "--pixels x is none of the arms reach-state"),
    (["frame", "--size", "36", "--out", "x.docx"], "cannot write x.docx"),
    (["probe", "--all"], "unknown flag --all"),
    (["demo", "--total-steps", "1"], "total_steps = 1 is out of range"),
    (["bench", "speed"], "invalid choice 'speed'"),
    (["bench", "env", "--repeats", "0"], "--repeats 0 measures nothing"),
    (["bench", "env", "--seconds", "-1"], "--seconds -1 is out of range"),
    (["bench", "whole", "--updates-per-step", "0"], "--updates-per-step 0 is out of range"),
    (["bench", "--second", "1"], "did you mean --seconds"),
    (["bench", "--name", "../x"], "no name of an artifact"),
    (["sweep"], "--arms"),
    (["sweep", "--arms", "reech"], "unknown arm 'reech'"),
    (["sweep", "--arms", "reach-state", "--seeds", "9..0"], "9..0"),
]


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_measurement_is_a_function_of_its_module(name):
    assert callable(function_of(name))


@pytest.mark.parametrize(("argv", "message"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_a_mistake_is_one_line_and_exit_code_2(argv, message, capsys):
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert message in err and err.count("\n") == 1 and err.startswith("pixels: ")
    assert "Traceback" not in out + err


@pytest.mark.parametrize("command", [c for c in cli.COMMANDS if c not in ("train", "plan")])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code in (0, None)
    assert f"pixels {command}" in capsys.readouterr().out


def test_every_knob_has_a_line_of_help(capsys):
    from labs.experiments.config import FIELDS

    with pytest.raises(SystemExit):
        cli.main(["train", "push-step2", "--help"])
    text = capsys.readouterr().out
    for name in FIELDS:
        flag = name.replace("_", "-")
        listed = re.search(rf"--(no-)?{flag}[ ,\n]", text) is not None
        assert listed == (name != "seed"), name  # the program has --seeds
    assert "(default: 500000)" in text  # the arm's own value, not the class's
    assert cli.main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(arm in text for arm in presets.PRESETS)


def test_a_plan_says_what_a_run_needs(capsys):
    assert cli.main(["plan", "reach-state", "--smoke"]) == 0
    out = capsys.readouterr().out
    assert "reach-state-smoke" in out and "memory: 0." in out and "updates: 200" in out
    assert cli.main(["plan", "--help"]) == 0
    assert "push-step2" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["plan", "reach-state", "--help"])
    out = capsys.readouterr().out
    assert "nothing is trained" in out and "--restart" not in out and "--quiet" not in out


def test_help_is_quick():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "labs.cli", "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 1.5  # seconds of CPU: a busy machine does not count


@pytest.mark.parametrize("name", ["reach-state", "reach-state/seed0", "", "../outside", "floor"])
def test_a_comparison_takes_nobody_s_place(name, capsys):
    trained()
    shutil.copytree(repository_root() / "data" / "push-floor", data_root() / "floor")
    before = {p: p.stat().st_mtime_ns for p in data_root().parent.rglob("*")}
    assert cli.main(["compare", "reach-state", "--name", name]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert {p: p.stat().st_mtime_ns for p in data_root().parent.rglob("*")} == before
    assert cli.main(["compare", "reach-state", "--name", "beside"]) == 0
    assert cli.main(["compare", "reach-state", "--name", "beside"]) == 0, "a comparison may"


def test_an_arm_is_not_called_like_a_measurement(capsys):
    shutil.copytree(repository_root() / "data" / "push-floor", data_root() / "floor")
    assert cli.main(["train", "reach-state", "--smoke", "--arm", "floor"]) == 2
    assert "--arm floor is the name of a measurement" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ([], "compare-reach"),
        (["--smoke"], "compare-reach-smoke"),
        (["--arms", *presets.REACH_ARMS], "compare-reach"),
        (["--arms", "reach-state"], None),
        (["--total-steps", "5000"], None),
        (["--fast"], None),
    ],
)
def test_the_comparison_of_a_task_is_of_the_task_s_own_arms(flags, name, monkeypatch, capsys):
    names = []
    monkeypatch.setattr(launch, "train_arm", lambda *a, **k: None)
    monkeypatch.setattr(guards, "check_resources", lambda *a, **k: None)
    rows = {"rows": [{"arm": "reach-state", "seeds": [0, 1, 2]}]}
    compared = lambda *a, name, **k: names.append(name) or rows  # noqa: E731
    monkeypatch.setattr("labs.claims.compare.compare", compared)
    monkeypatch.setattr("labs.claims.compare.as_text", lambda found: "")
    assert cli.main(["run", "reach", *flags]) == 0
    assert "reach-state: counts its earlier results too, of seeds 1, 2" in capsys.readouterr().out
    if name is None:
        assert re.fullmatch(r"compare-reach-[0-9a-f]{6}", names[0])
    else:
        assert names == [name]


def test_a_run_with_other_settings_takes_no_result_s_place(capsys):
    trained()
    shutil.copytree(data_root() / "reach-state", data_root() / "mine")
    before = load_artifact("mine/seed0").provenance
    changed = ["--arm", "mine", "--seeds", "0", "--gamma", "0.9"]
    assert cli.main(["train", "reach-state", *changed]) == 2
    assert "mine/seed0 holds a run with other settings" in capsys.readouterr().err
    assert load_artifact("mine/seed0").provenance == before


@pytest.mark.parametrize(
    "flags", [["--device", "cpu"], ["--video-episodes", "0"], ["--no-save-replay"]]
)
def test_how_a_run_is_done_does_not_train_it_again(flags, capsys):
    trained()
    assert cli.main(["train", "reach-state", "--seeds", "0", *flags]) == 0
    assert "already there" in capsys.readouterr().err


@pytest.mark.parametrize(("flag", "trains"), [("--restart", False), ("--again", True)])
def test_only_again_trains_what_is_finished(flag, trains, monkeypatch, capsys):
    def stop(*arguments):
        raise UserError("it trains")

    trained()
    monkeypatch.setattr(launch, "run_notebook", stop)
    assert cli.main(["train", "reach-state", "--seeds", "0", flag]) == (2 if trains else 0)
    assert ("it trains" if trains else "already there") in capsys.readouterr().err


def test_a_plan_goes_by_a_run_that_was_done_in_the_same_way():
    trained()
    config = presets.preset("reach-state")
    assert "from an earlier run" in plan(config)["time"]
    assert "has not run here" in plan(replace(config, subproc=True))["time"]
    last = seeds_of("reach-state")[-1]
    alter(last, "provenance.json", lambda r: r.update(frames_per_second=1000, locator_time_s=60))
    seconds = config.total_steps // 1000
    elsewhere = {**hardware(), "cpu": "another"}
    for path in seeds_of("reach-state"):
        alter(path, "provenance.json", lambda r: r.update(hardware=elsewhere))
    alter(last, "provenance.json", lambda r: r.update(finished="2099"))
    assert plan(config)["time"].endswith("(from an earlier run on another machine)")
    assert plan(config)["time"].startswith(f"{seconds} s"), "the latest"
    alter(last, "provenance.json", lambda r: r.update(hardware=elsewhere | {"gpu": "a large one"}))
    assert not plan(config)["time"].startswith(f"{seconds} s"), "the speed of a GPU"
    alter(last, "provenance.json", lambda r: r.update(hardware=hardware()))
    wanted = f"{seconds} s, and 60 s for its locator where there is none yet (from an earlier run)"
    assert plan(config)["time"] == wanted


@pytest.mark.parametrize("name", ["PIXELS_DATA", "PIXELS_RUNS"])
def test_the_doctor_sees_a_file_where_a_folder_is_needed(name, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv(name, str(tmp_path / "file"))
    assert cli.main(["doctor"]) == 2
    assert f"no folder that can be written to: set {name}" in capsys.readouterr().out


def test_an_unwritable_folder_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("PIXELS_RUNS", "/proc/nope")
    assert cli.main(["train", "reach-state", "--seeds", "5"]) == 2
    assert "set PIXELS_RUNS" in capsys.readouterr().err


def test_what_blocks_a_result_is_met_before_the_training(monkeypatch, capsys):
    monkeypatch.setattr(launch, "run_notebook", lambda *a: pytest.fail("trained"))
    (data_root() / "reach-state-smoke" / "seed0" / "mine").mkdir(parents=True)
    assert cli.main(["train", "reach-state", "--smoke"]) == 2
    assert "move it away" in capsys.readouterr().err


@pytest.mark.parametrize(("films", "draws"), [("1", True), ("0", False)])
def test_a_state_arm_tries_what_draws_its_film_before_it_trains(films, draws, monkeypatch):
    asked = []

    def refuse(draws):
        asked.append(draws)
        raise UserError("nothing draws")

    monkeypatch.setattr(launch, "ensure_gl", refuse)
    assert cli.main(["train", "reach-state", "--smoke", "--video-episodes", films]) == 2
    assert asked == [draws]


def test_ctrl_c_is_one_line_and_its_own_exit_code(monkeypatch, capsys):
    def interrupted(argv):
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.COMMANDS, "results", ("", interrupted))
    assert cli.main(["results"]) == 130
    assert capsys.readouterr().err == "pixels: stopped\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("argv", [["--help"], ["results"], ["results", "--help"]])
def test_a_full_disk_under_the_output_is_one_line(argv):
    data_root().mkdir()
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "labs.cli", *argv],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert "output is full" in result.stderr


def test_relative_folders_are_the_readers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIXELS_DATA", "out")
    cli.main(["results"])
    assert os.environ["PIXELS_DATA"] == str(tmp_path / "out")


@pytest.mark.parametrize(
    ("shell", "code", "says"),
    [
        ("PYTHONIOENCODING=ascii {} demo --help", 0, ""),
        ("{} --help >&-", 0, ""),
        ("mkdir gone && cd gone && rmdir ../gone && {} results", 2, "the current folder is gone"),
    ],
)
def test_odd_surroundings_leave_no_traceback(shell, code, says, tmp_path):
    program = f"{sys.executable} -m labs.cli"
    environment = os.environ | {"PYTHONPATH": str(repository_root())}
    command = ["sh", "-c", shell.format(program)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == code and says in done.stderr, done.stderr
    assert done.stderr.count("\n") == bool(says)


def test_a_folder_without_the_results_is_told(capsys):
    data_root().mkdir()
    assert cli.main(["claims"]) == 0
    assert "is PIXELS_DATA right?" in capsys.readouterr().err
    assert cli.main(["eval", "a" * 300]) == 2
    assert "File name too long: mend that" in capsys.readouterr().err


def test_a_floor_is_drawn_under_names_of_one_s_own(monkeypatch):
    figures = []
    shutil.copytree(repository_root() / "data" / "push-small", data_root() / "mine")
    shutil.copytree(repository_root() / "data" / "push-floor", data_root() / "push-floor")
    monkeypatch.setattr(drawing, "_save", lambda figure, out: figures.append(figure))
    for argv in (["curves", "mine"], ["phases", "mine/seed0"], ["steps", "mine"]):
        cli.main(["plot", *argv])
        lines = figures.pop().axes[0].lines
        assert "doing nothing" in [line.get_label() for line in lines], argv


def test_damage_is_one_line(capsys):
    trained()
    listing = data_root() / "reach-state" / "seed1" / "provenance.json"
    text = listing.read_text()
    listing.unlink()
    listing.mkdir()
    assert cli.main(["compare", "reach-state"]) == 2
    assert "provenance.json: Is a directory: delete" in capsys.readouterr().err
    listing.rmdir()
    listing.write_text(text)
    path = data_root() / "reach-state" / "seed0" / "evaluation.json"
    unbundle(path.parent)
    path.write_text(path.read_text().replace("1.0", "0.9"))
    assert cli.main(["compare", "reach-state"]) == 2
    assert "evaluation.json is damaged" in capsys.readouterr().err
    assert cli.main(["results"]) == 2
    assert "DAMAGED" in capsys.readouterr().out


def test_results_of_the_repository(capsys):
    trained()
    assert cli.main(["results"]) == 0
    out = capsys.readouterr().out
    assert out.count("reach-state/seed") == len(seeds_of("reach-state"))


def test_eval_reproduces_the_artifact(capsys):
    """The committed policy, rebuilt from its artifact, scores what its artifact says."""
    trained()
    assert cli.main(["eval", "reach-state", "--seeds", "0", "--episodes", "100"]) == 0
    out = capsys.readouterr().out
    saved = load_artifact("reach-state/seed0").json("evaluation.json")["deterministic"]
    line = next(line for line in out.splitlines() if "deterministic" in line)
    assert f"{saved['success_rate']:6.1%}" in line and f"{saved['return_mean']:7.2f}" in line
    assert "trained in" in out and "15,000 steps at" in out
    few = ["eval", "reach-state", "--seeds", "0", "--episodes", "2", "--floors"]
    assert cli.main(few) == 0
    out, err = capsys.readouterr()
    assert "no-op" in out and "random" in out and "/4 [" in err


def test_compare_and_plot(tmp_path, capsys):
    trained()
    assert cli.main(["compare", "reach-state", "--name", "compare-reach"]) == 0
    assert "success %" in capsys.readouterr().out
    row = load_artifact("compare-reach").json("measurement.json")["rows"][0]
    rates = [
        load_artifact(p).json("evaluation.json")["deterministic"]["success_rate"]
        for p in seeds_of("reach-state")
    ]
    assert row["success_rates"] == rates and len(row["seeds"]) == len(rates)
    out = tmp_path / "curve.png"
    assert cli.main(["plot", "curves", "reach-state", "--out", str(out)]) == 0
    assert out.read_bytes()[:4] == b"\x89PNG"
    assert out.stat().st_mode & 0o777 == 0o644
    assert cli.main(["plot", "curves", "reach-state", "--out", str(tmp_path / "plain")]) == 2
    assert "has no suffix" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["curve.png"]
    assert cli.main(["plot", "phases", "reach-state/seed0", "--out", str(out)]) == 0
    assert cli.main(["plot", "steps", "--out", str(out)]) == 0


def test_frame(tmp_path):
    out = tmp_path / "frame.png"
    assert cli.main(["frame", "--size", "48", "--out", str(out)]) == 0
    assert out.stat().st_size > 2000


@pytest.mark.parametrize(("leaves", "code"), [(True, 0), (False, 2)])
def test_a_run_that_was_told_to_finish_has_its_result(leaves, code, monkeypatch, capsys):
    def ends_early(*args):
        if leaves:
            trained()
            folder = data_root() / "reach-state" / "seed0"
            alter(folder, "provenance.json", lambda r: r.update(ended_early="at step 1 of 2"))

    monkeypatch.setattr(launch, "run_notebook", ends_early)
    assert cli.main(["train", "reach-state", "--seeds", "0", "--quiet"]) == code
    words = "told to finish, at step 1 of 2; the same command goes on" if leaves else "without the"
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("again", [False, True])
def test_ctrl_c_at_the_last_evaluation_begins_no_other_seed(again, monkeypatch, capsys):
    runs = []

    def ends(parameters, executed):
        runs.append(parameters["seed"])
        here = data_root() / "reach-state" / f"seed{runs[-1]}"
        theirs = repository_root() / "data" / "reach-state" / here.name
        shutil.copytree(theirs, here, copy_function=shutil.copyfile)
        if runs[-1] == 1:
            executed.with_name("progress.json").write_text('{"phase": "evaluate"}')
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(launch, "run_notebook", ends)
    monkeypatch.setattr(launch._ForwardSignals, "_send", lambda *to: True)
    command = ["train", "reach-state", "--seeds", "0", "1", "2", "--quiet"]
    assert cli.main(command + ["--again"] * again) == 2 and runs == [0, 1]
    told = capsys.readouterr().err
    assert "after the last evaluation" in told and "seed1 is done" in told
    assert ("name the seeds that are left: 2" in told) == again


# ---------------------------------------------------------------------------- through papermill


def test_a_notebook_without_parameters_is_refused(tmp_path, monkeypatch, capsys):
    broken = tmp_path / "train.ipynb"
    notebook = json.loads((repository_root() / launch.NOTEBOOK).read_text())
    for cell in notebook["cells"]:
        cell["metadata"].pop("tags", None)
    broken.write_text(json.dumps(notebook))
    monkeypatch.setattr(launch, "NOTEBOOK", broken)
    assert cli.main(["train", "reach-state", "--smoke", "--quiet"]) == 2
    assert "tagged 'parameters'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RuntimeError("Kernel didn't respond in 60 seconds"), "did not answer (Kernel didn't"),
        (NoSuchKernel("python3"), "no kernel 'python3' here: python -m pip install ipykernel"),
    ],
)
def test_a_kernel_that_does_not_start_is_one_line(error, says, monkeypatch, capsys):
    def fails(*args, **kwargs):
        raise error

    monkeypatch.setattr("papermill.execute_notebook", fails)
    assert cli.main(["train", "reach-state", "--smoke", "--quiet", "--video-episodes", "0"]) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1


def test_a_kernel_whose_port_was_taken_starts_again(monkeypatch, capsys):
    starts = []

    def dies(*args, **kwargs):
        starts.append(args)
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr("papermill.execute_notebook", dies)
    assert cli.main(["train", "reach-state", "--smoke", "--quiet", "--video-episodes", "0"]) == 2
    assert len(starts) == 3 and "died before replying" in capsys.readouterr().err


def test_a_run_is_waited_for_until_nobody_holds_it(tmp_path):
    lock = guards.RunLock(tmp_path)
    assert guards.held_after(tmp_path, 0.3)
    lock.release()
    assert not guards.held_after(tmp_path, 5)


@pytest.mark.slow
def test_smoke_through_papermill(own_folders, capsys):
    """The training notebook, executed: parameters arrive, the artifact is the right one."""
    argv = ["train", "reach-state", "--smoke", "--seeds", "4", "--gamma", "0.9", "--quiet"]
    assert cli.main([*argv, "--arm", "mine"]) == 0, capsys.readouterr().err
    artifact = load_artifact("mine/seed4")
    parameters = artifact.parameters
    assert (parameters["gamma"], parameters["seed"], parameters["arm"]) == (0.9, 4, "mine")
    files = {"curve.csv", "evaluation.json", "policy.json", "video.mp4"}
    assert set(artifact.provenance["files"]) == files | {"weights.safetensors"}
    assert artifact.table()["step"].tolist() == [0, 100, 200, 300]
    executed = own_folders / "runs" / "mine" / "seed4" / "executed.ipynb"
    cells = json.loads(executed.read_text())["cells"]
    assert any("injected-parameters" in c["metadata"].get("tags", ()) for c in cells)
    # The same command again finds the result and trains nothing.
    stamp = os.stat(artifact.path).st_mtime_ns
    assert cli.main([*argv, "--arm", "mine"]) == 0
    assert "already there" in capsys.readouterr().err
    assert os.stat(artifact.path).st_mtime_ns == stamp


@pytest.mark.slow
def test_a_wrong_configuration_stops_before_training(own_folders):
    """What papermill would only warn about: the notebook compares before it trains."""
    wanted = presets.effective("reach-state", 0, {"gamma": 0.9}, small=True).as_dict()
    with pytest.raises(UserError, match=r"AssertionError.*gamma"):
        launch.run_notebook(
            {"arm": "reach-state", "small": True, "requested": wanted}, own_folders / "x.ipynb"
        )
    assert not data_root().exists()


@pytest.mark.parametrize(
    ("losses", "success", "says"),
    [
        ([0.5, 0.2], 0.0, "Phase 1: the loss falls"),
        ([0.2, 0.5], 0.0, "this is not"),
        ([0.5, 0.2], 0.75, "this is not"),
        ([0.5], 0.0, "raise --total-steps"),
    ],
)
def test_the_demo_says_what_it_shows(losses, success, says):
    assert says in training._phase_1(losses, success)


def test_a_bench_that_could_not_be_written_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "file"))
    assert cli.main(["bench", "env", "--name", "own"]) == 2
    assert "set PIXELS_DATA to one that is" in capsys.readouterr().err


def test_what_a_sweep_brings_replaces_nothing_but_results(tmp_path):
    sent = sweep.pack(write_measurement("some", {}, parameters={}).path)
    (mine := tmp_path / "mine" / "notes").mkdir(parents=True)
    with pytest.raises(UserError, match="mine is there and holds no artifact"):
        sweep.unpack(sent, mine.parent)
    assert mine.exists()
