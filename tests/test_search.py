"""The search changes one setting at a time, keeps what was tried, and goes on after a kill."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from labs import cli
from labs.artifacts import load_artifact, write_artifact, write_measurement
from labs.errors import UserError
from labs.experiments import backend, evaluate, presets, run, search
from labs.experiments.environments import CURVE_SEEDS, FINAL_SEEDS, SEARCH_OFFSET
from labs.experiments.stopping import Stopped, ctrl_c_saves
from labs.experiments.train import Training
from labs.figures.results import search_table
from tests.altering import alter

TINY = dict(net_arch=(8, 8), batch_size=16, curve_episodes=1, eval_episodes=2, eval_every=200)


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path / "runs"))
    return tmp_path


def test_each_trial_changes_what_its_name_says_and_nothing_else():
    found = search.trials("push-state-tuned")
    base = found["as it is"]
    assert base.seed == search.SEED
    for name, config in found.items():
        changed = config.differences(base).keys() - {"arm"}
        assert changed == set(search.CHANGES[name](base)), name
    assert found["twice as many updates"].gradient_steps == 2 * base.gradient_steps
    reach = search.trials("reach-state-tuned")
    assert "hindsight everywhere" not in reach and "no random actions" not in reach
    assert "one view" not in reach, "a policy without pictures has no view"
    assert {"one view", "no shifts"} <= search.trials("reach-small-drq").keys()


def test_what_was_tried_is_in_the_artifact_and_done_trials_stay(own_folders, monkeypatch):
    arm = replace(presets.preset("reach-state-tuned"), **TINY)
    monkeypatch.setattr(search, "preset", lambda name: arm)
    few = {k: search.CHANGES[k] for k in ("as it is", "learning rate 3e-4")}
    monkeypatch.setattr(search, "CHANGES", few)
    met, run_episodes = set(), evaluate.run_episodes

    def watched(policy, config, seeds, **how):
        met.update(seeds)
        return run_episodes(policy, config, seeds, **how)

    for plays in (run, evaluate):
        monkeypatch.setattr(plays, "run_episodes", watched)
    flags = ["search", "reach-state-tuned", "--steps", "600"]
    assert cli.main(flags) == 0
    artifact = load_artifact("search-reach-state-tuned")
    assert artifact.parameters == {
        **{"arm": "reach-state-tuned", "seed": search.SEED, "steps": 600},
        "evaluation_seeds_offset": SEARCH_OFFSET,
        **{"trials_planned": 2, "trials_run": 2},
    }
    first, second = artifact.json("measurement.json")["trials"]
    assert second["changes"] == {"learning_rate": 3e-4} and second["cpu_s"] > 0
    assert first["steps"] == [0, 200, 400, 600] and first["success"] != [] and first["final"]
    assert not list((own_folders / "data").glob("reach-*")), "a trial is no result"
    own = {first + SEARCH_OFFSET for first in (CURVE_SEEDS, FINAL_SEEDS)}
    assert met == own | {FINAL_SEEDS + SEARCH_OFFSET + 1}, "an episode of what results report"
    assert cli.main(flags) == 0
    again = load_artifact("search-reach-state-tuned").json("measurement.json")["trials"]
    assert [t["cpu_s"] for t in again] == [None, None], "a trial that was done was trained again"
    assert again[1]["success"] == second["success"]
    earlier = own_folders / "runs" / "search" / "reach-state-tuned-1" / f"seed{search.SEED}"
    alter(earlier, "evaluation.json", lambda e: e.update(seeds=[FINAL_SEEDS, FINAL_SEEDS + 1]))
    monkeypatch.setattr(Training, "run", lambda run: pytest.fail(f"trains {run.config.arm}"))
    with pytest.raises(pytest.fail.Exception, match="trains reach-state-tuned-1"):
        search.search("reach-state-tuned", 600, progress=False)  # it was measured where results are


@pytest.mark.parametrize(("arm", "draws"), [("reach-small", True), ("reach-state-tuned", False)])
def test_opengl_is_tried_before_the_first_trial(arm, draws, monkeypatch):
    asked = []
    monkeypatch.setattr(backend, "ensure_gl", asked.append)
    monkeypatch.setattr(search, "_trial", lambda config, folder: pytest.fail(f"asked {asked}"))
    with pytest.raises(pytest.fail.Exception, match=f"asked .{draws}."):
        cli.main(["search", arm])


@pytest.fixture
def two_trials(monkeypatch):
    arm = replace(presets.preset("reach-state-tuned"), **TINY, checkpoint_every=100)
    monkeypatch.setattr(search, "preset", lambda name: arm)
    few = {k: search.CHANGES[k] for k in ("as it is", "learning rate 3e-4")}
    monkeypatch.setattr(search, "CHANGES", few)
    return search.trials("reach-state-tuned", 600)


def test_the_time_of_a_trial_is_told_where_one_session_spent_it(own_folders, two_trials):
    with search._data_below(own_folders / "runs" / "search"):
        run = Training(two_trials["as it is"])
    run._report = lambda p: setattr(run, "_stop_signal", 15 if p["step"] >= 200 else None)
    with pytest.raises(Stopped):
        run.run()
    found = search.search("reach-state-tuned", 600, progress=False).json("measurement.json")
    times = [trial["cpu_s"] for trial in found["trials"]]
    assert times[0] is None and times[1] > 0


def test_ctrl_c_saves_the_trial_and_a_second_one_does_not_wait(
    two_trials, interrupted_as_at_a_keyboard, monkeypatch, capsys
):
    check, pressed = Training._check_losses, []

    def interrupted(run):
        check(run)
        if run.model.num_timesteps >= 200 and len(pressed) < 3:
            for _ in range(1 + len(pressed) % 2):  # once; at the next start twice
                pressed.append(run.model.num_timesteps)
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Training, "_check_losses", interrupted)
    flags = ["search", "reach-state-tuned", "--steps", "600"]
    assert cli.main(flags) == 2
    said = capsys.readouterr().err
    assert "stopping, after the current episode" in said and "the same command goes on" in said
    stopped_at = pressed[0]
    assert cli.main(flags) == 130, "killed"
    assert pressed[1] > stopped_at, "it began anew"
    assert cli.main(flags) == 0
    found = load_artifact("search-reach-state-tuned").json("measurement.json")["trials"]
    assert [t["steps"] for t in found] == [[0, 200, 400, 600]] * 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_before_a_run_can_save_ends_at_once(interrupted_as_at_a_keyboard):
    with pytest.raises(KeyboardInterrupt), ctrl_c_saves():
        signal.raise_signal(signal.SIGINT)


def test_a_trial_that_diverges_is_a_result_and_the_others_go_on(two_trials, monkeypatch):
    check = Training._check_losses

    def poisoned(run):
        if run.config.learning_rate == 3e-4 and run.model.num_timesteps >= 300:
            run._diverged("critic_loss = nan")
        check(run)

    monkeypatch.setattr(Training, "_check_losses", poisoned)
    half = {"half the batch": lambda base: {"batch_size": base.batch_size // 2}}
    monkeypatch.setattr(search, "CHANGES", search.CHANGES | half)
    found = search.search("reach-state-tuned", 600, progress=False).json("measurement.json")
    first, bad, last = found["trials"]
    assert bad["trial"] == "learning rate 3e-4" and bad["diverged_at"] == 400
    assert bad["final"] == {} and bad["steps"] == [0, 200] and bad["cpu_s"] > 0
    assert bad["config"] == search.trials("reach-state-tuned", 600)["learning rate 3e-4"].digest()
    assert first["final"] and last["final"]
    table = search_table("reach-state-tuned").data.splitlines()
    (line,) = [line for line in table if "learning rate" in line]
    assert "| diverged |" in line and line.count("|") == table[0].count("|")


def test_a_trial_that_diverged_is_not_trained_again(two_trials, monkeypatch):
    config = two_trials["learning rate 3e-4"]
    row = {"trial": "learning rate 3e-4", "diverged_at": 400, "config": config.digest()}
    trained = []

    def trial(config, folder):
        trained.append(config.arm)
        return {"final": {}}

    def searched(row):
        stored = {"trials": [{"trial": "as it is"}, row]}
        write_measurement("search-reach-state-tuned", stored, parameters={"steps": 600})
        trained.clear()
        found = search.search("reach-state-tuned", 600, progress=False)
        return found.json("measurement.json")["trials"][1]

    monkeypatch.setattr(search, "_trial", trial)
    assert searched(row) == row and trained == ["reach-state-tuned-0"]
    searched(row | {"config": "that of other settings"})
    assert trained == ["reach-state-tuned-0", "reach-state-tuned-1"]


@pytest.mark.parametrize(
    ("name", "knob"),
    [("push-eye-judged", "pretrained_encoder"), ("push-blind-acts-lent", "acting_policy")],
)
def test_trials_find_the_run_that_lends_a_part(name, knob, own_folders, monkeypatch):
    arm = presets.preset(name)
    lender = getattr(arm, knob)
    monkeypatch.setattr(search, "CHANGES", {"as it is": search.CHANGES["as it is"]})
    monkeypatch.setattr(search, "_trial", lambda *a: {"lent": load_artifact(lender).parameters})
    with pytest.raises(UserError, match=f"there is no artifact in .*data/{lender}"):
        search.search(arm.arm, progress=False)
    for content in (1, 2):  # the second time the link is there
        path = own_folders / "data" / lender
        with write_artifact(path, kind="training", parameters={"content": content}):
            pass
        (trial,) = search.search(arm.arm, progress=False).json("measurement.json")["trials"]
        assert trial["lent"] == {"content": content}


def test_more_trials_than_are_planned_are_not_thrown_away(two_trials):
    write_measurement(
        "search-reach-state-tuned",
        {"trials": [{"trial": str(n)} for n in range(3)]},
        parameters={"steps": 600},
    )
    with pytest.raises(UserError, match="holds 3 trials and 2 are planned now: move it away"):
        search.search("reach-state-tuned", 600, progress=False)


def test_what_an_arm_cannot_change_is_left_out():
    """A second loss reads from normalized features: without LayerNorm there is no such arm."""
    assert "no LayerNorm" in search.trials("push-small-honest")
    assert "no LayerNorm" not in search.trials("push-small-helped")
    told = search.trials("push-asymmetric-achieved")
    assert "no LayerNorm" not in told, "a critic that is told something always has it"
    assert "not standardized" in told
    lent = search.trials("push-eye-told")
    assert "not standardized" not in lent, "the encoder that is lent was trained so"
    assert "no LayerNorm" in lent


def test_one_view_is_a_change_for_who_has_two():
    assert presets.preset("push-demo").camera == "default"
    assert "one view" not in search.trials("push-demo")


def test_every_arm_of_engine_fast_can_be_searched():
    for name, config in presets.PRESETS.items():
        if config.engine == "fast":
            assert len(search.trials(name)) > 5, name


def test_an_arm_of_another_engine_is_refused():
    with pytest.raises(UserError, match="engine sb3"):
        search.trials("reach-state")
