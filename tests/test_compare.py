"""Arms beside each other: what counts, what is refused, and what a late run leaves open."""

from __future__ import annotations

import math
import shutil

import pytest

from labs import cli
from labs.artifacts import data_root, load_artifact, repository_root, runs_of, seeds_of
from labs.claims.arm import Arm
from labs.claims.compare import as_text, compare, costs, summarize
from tests.altering import alter, alter_settings


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))


def trained(arm="reach-state"):
    """A copy of the repository's results of an arm."""
    shutil.copytree(repository_root() / "data" / "reach-state", data_root() / arm)


def settings(arm, **knobs):
    for path in seeds_of(arm):
        alter_settings(path, **knobs)


def test_steps_of_a_locator_count_in_a_comparison_as_in_rho(capsys):
    trained()
    locator = {"encoder": "locator", "locator_taught": "rewards", "locator_frames": 5000}
    paths = seeds_of("reach-state")
    times = [summarize("reach-state")["times"]["0.9"]]
    for path in paths:
        alter(path, "provenance.json", lambda r: r["parameters"].update(locator))
    times.append(summarize("reach-state")["times"]["0.9"])
    assert list(times[1]["reached"]) == [steps + 5000 for steps in times[0]["reached"]] != []
    assert cli.main(["compare", "reach-state"]) == 0
    assert "include the 5,000 of its locator" in capsys.readouterr().out


def test_a_comparison_names_runs_that_were_cut_short(capsys):
    trained()
    cut = data_root() / "reach-state" / "seed0"
    alter(cut, "provenance.json", lambda r: r.update(ended_early="at step 200 of 400"))
    assert cli.main(["compare", "reach-state"]) == 0
    assert "reach-state/seed0 was cut short at step 200 of 400" in capsys.readouterr().out


def test_a_row_tells_each_evaluation_for_itself():
    trained()
    for path in seeds_of("reach-state"):
        found = {"success_rate": 0.5, "final_distance_mean": 0.123}
        alter(path, "evaluation.json", lambda e, f=found: e["deterministic"].update(f))
        alter(path, "evaluation.json", lambda e: e["stochastic"].update(success_rate=0.25))
    row = summarize("reach-state")
    assert row["success"]["value"] == 0.5 and row["stochastic_success"]["value"] == 0.25
    text = as_text({"rows": [row]})
    assert "  50.0 [" in text and " 12.30 [" in text, "% and centimeters"


def test_a_comparison_names_the_evaluations_that_it_read():
    trained()
    compare(["reach-state"], name="beside")
    assert load_artifact("beside").parameters["sources"] == {
        f"reach-state/{path.name}": load_artifact(path).provenance["files"]["evaluation.json"]
        for path in seeds_of("reach-state")
    }


def test_a_comparison_reads_each_arm_once(monkeypatch):
    trained()
    trained("twin")
    settings("twin", observation="pixels")
    read = []
    monkeypatch.setattr("labs.claims.compare.runs_of", lambda arm: read.append(arm) or runs_of(arm))
    compare(["reach-state", "twin"], name="beside", state="reach-state", pixels="twin")
    assert read == ["reach-state", "twin"]


def test_costs_of_an_arm_against_itself_are_one():
    trained()
    trained("twin")
    found = costs("reach-state", "twin", [], threshold=0.9)
    assert found["rho"]["twin"]["value"] == 1.0 and found["not_reached"] == []
    settings("twin", observation="pixels")
    assert compare(["reach-state", "twin"], state="reach-state", pixels="twin")["costs"]["rho"]
    for path in (*seeds_of("reach-state"), *seeds_of("twin")):  # only the flat beginning is left
        alter(path, "curve.csv", lambda text: "".join(text.splitlines(keepends=True)[:4]))
    never = costs("reach-state", "twin", [], threshold=0.9)
    assert never["not_reached"] == ["reach-state", "twin"] and never["rho"] == {}


def test_rho_is_of_what_sees_over_the_state_of_one_task(capsys):
    trained()
    for name, seen, task in (("eyes", "pixels", "reach"), ("pusher", "pixels", "push")):
        trained(name)
        settings(name, observation=seen, task=task)
    for state, pixels, message in (
        ("reach-state", "reach-state", "--pixels reach-state observes state: name an arm that"),
        ("eyes", "eyes", "--state eyes observes pixels: name an arm that observes state"),
        ("reach-state", "pusher", "rho is of one task, and these are not: reach-state (reach), "),
    ):
        flags = ["--state", state, "--pixels", pixels]
        assert cli.main(["compare", "reach-state", "eyes", "pusher", *flags]) == 2
        assert message in capsys.readouterr().err
    assert cli.main(["compare", "reach-state", "eyes", "--state", "reach-state"]) == 0


def test_seeds_with_other_settings_are_no_arm(capsys):
    trained()
    alter_settings(seeds_of("reach-state")[1], learning_rate=0.5, torch_threads=7)
    assert cli.main(["compare", "reach-state"]) == 2
    said = capsys.readouterr().err
    assert "reach-state: seed0 and seed1 differ in learning_rate (0.001, 0.5) and" in said
    assert cli.main(["claims"]) == 2, "nobody pools them"


def test_an_arm_closes_a_part_of_the_gap_from_pixels_to_state(monkeypatch):
    times = {"reach-state": 1000.0, "eyes": 5000.0, "helped": 4000.0}
    for arm in times:
        trained(arm)
    monkeypatch.setattr(Arm, "times", lambda arm, level: [times[arm.name]] * len(arm.runs))
    assert costs("reach-state", "eyes", ["helped"])["gap_closure"]["helped"]["value"] == 0.25


def test_a_late_run_leaves_rho_without_an_upper_bound(monkeypatch):
    trained()
    trained("late")
    last = len(seeds_of("reach-state")) - 1
    times = {"reach-state": [4000.0] * (last + 1), "late": [8000.0] * last + [math.inf]}
    monkeypatch.setattr(Arm, "times", lambda arm, level: times[arm.name])
    found = costs("reach-state", "late", [], threshold=0.9)
    assert found["not_reached"] == ["late"]
    assert (found["rho"]["late"]["value"], found["rho"]["late"]["high"]) == (2.0, None)
    text = as_text({"rows": [], "costs": found})
    assert "rho at 90%, late: 2.00 [" in text and ", no upper bound]" in text


def test_a_bound_that_resamples_without_a_gap_take_is_said_to_be_none():
    closure = {"value": 0.5, "low": None, "high": 0.75}
    found = {"threshold": 0.9, "not_reached": [], "rho": {}, "gap_closure": {"helped": closure}}
    text = as_text({"rows": [], "costs": found})
    assert "gap closure at 90%, helped: 0.50 [no lower bound, 0.75]" in text
