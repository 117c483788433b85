"""The runner of SB3's own tests: which tests it takes, what it notes, what it refuses."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import sb3_own_tests
from sb3_own_tests import Collector, main, summary

from labs.artifacts import load_artifact, write_measurement

TESTS = """
import pytest
from stable_baselines3 import PPO, SAC

@pytest.mark.parametrize("model_class", [PPO, SAC])
def test_parameter(model_class):
    pass

def test_by_name():
    assert SAC.__name__ == "SAC", "another class stands here"

def test_nothing():
    pass
"""


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "stable_baselines3").mkdir()
    (tmp_path / "stable_baselines3" / "version.txt").write_text("0.0.1\n")
    for file in sb3_own_tests.FILES:
        (tmp_path / "tests" / file).write_text("")
    (tmp_path / "tests" / "test_her.py").write_text(TESTS)
    return tmp_path


def item(body, **parameters):
    found = SimpleNamespace(function=body, nodeid=f"clone/tests/t.py::{body.__name__}[int]")
    if parameters:
        found.callspec = SimpleNamespace(params=parameters)
    return found


def test_only_tests_that_train_the_algorithm_are_taken():
    collector = Collector(int)

    def names_it():
        return SAC()  # noqa: F821

    def says_nothing():
        return "SAC"

    assert collector.concerns(item(says_nothing, model_class=int))
    assert not collector.concerns(item(names_it, model_class=str))
    assert collector.concerns(item(names_it)) and not collector.concerns(item(says_nothing))
    assert collector.concerns(item(names_it, n_envs=2))
    assert Collector(int, ["t.py::names_it[SAC]"]).concerns(item(names_it))
    assert not Collector(int, ["t.py::names_it[SAC]"]).concerns(item(says_nothing, model_class=int))


def test_counts_agree_with_the_tests():
    ours = {
        "a": {"outcome": "passed", "reason": ""},
        "b": {"outcome": "failed", "reason": "why"},
    }
    theirs = {"b": {"outcome": "passed", "reason": ""}}
    result = summary({"tests": ours, "left_out": 3}, {"tests": theirs})
    assert (result["run"], result["passed"], result["failed"], result["skipped"]) == (2, 1, 1, 0)
    assert result["tests"][0] == {"test": "a", "outcome": "passed", "reason": ""}
    assert result["tests"][1] == {
        "test": "b",
        "outcome": "failed",
        "reason": "why",
        "sb3": "passed",
    }


def test_a_folder_that_is_no_clone_is_one_clear_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "give a clone of stable-baselines3" in capsys.readouterr().err


def test_a_clone_without_git_must_name_its_commit(checkout, capsys, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(checkout.parent))
    assert main([str(checkout)]) == 2
    assert "--commit" in capsys.readouterr().err


def test_another_measurement_is_not_replaced(checkout, capsys, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(checkout / "data"))
    write_measurement("bench", {}, parameters={"parts": []})
    assert main([str(checkout), "--commit", "abc", "--name", "bench"]) == 2
    assert "measures other things: give --name bench-2" in capsys.readouterr().err


@pytest.mark.slow
def test_fastsac_stands_where_the_tests_say_sac(checkout, monkeypatch, capfd):
    monkeypatch.setenv("PIXELS_DATA", str(checkout / "data"))
    assert main([str(checkout), "--commit", "abc"]) == 0
    found = load_artifact("sb3-tests").json("measurement.json")
    assert (found["tests_version"], found["tests_commit"]) == ("0.0.1", "abc")
    assert (found["run"], found["passed"], found["failed"], found["left_out"]) == (2, 1, 1, 2)
    tests = {t["test"]: t for t in found["tests"]}
    passed = tests["test_her.py::test_parameter[SAC]"]
    assert passed["outcome"] == "passed" and "sb3" not in passed
    by_name = tests["test_her.py::test_by_name"]
    assert by_name["sb3"] == "passed" and "another class stands here" in by_name["reason"]
