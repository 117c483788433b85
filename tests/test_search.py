"""The search changes one setting at a time, keeps what was tried, and goes on after a kill."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labs import cli
from labs.artifacts import load_artifact
from labs.errors import UserError
from labs.experiments import presets, search

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
    flags = ["search", "reach-state-tuned", "--steps", "600"]
    assert cli.main(flags) == 0
    artifact = load_artifact("search-reach-state-tuned")
    assert artifact.provenance["parameters"] == {
        **{"arm": "reach-state-tuned", "seed": search.SEED, "steps": 600},
        **{"trials_planned": 2, "trials_run": 2},
    }
    first, second = artifact.json("measurement.json")["trials"]
    assert second["changes"] == {"learning_rate": 3e-4} and second["cpu_s"] > 0
    assert first["steps"] == [0, 200, 400, 600] and first["success"] != [] and first["final"]
    assert not list((own_folders / "data").glob("reach-*")), "a trial is no result"
    assert cli.main(flags) == 0
    again = load_artifact("search-reach-state-tuned").json("measurement.json")["trials"]
    assert [t["cpu_s"] for t in again] == [None, None], "a trial that was done was trained again"
    assert again[1]["success"] == second["success"]


def test_an_arm_of_another_engine_is_refused():
    with pytest.raises(UserError, match="engine sb3"):
        search.trials("reach-state")
