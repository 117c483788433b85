"""An eye of known error: what a run behind one reads, what relabels, and what is left of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labs.errors import UserError
from labs.experiments import presets
from labs.experiments.config import override
from labs.experiments.environments import make_one, make_training_env
from labs.experiments.models import build
from labs.experiments.policies import load_policy
from labs.experiments.train import train
from labs.experiments.validation import validate

PLACES = [arm for arm in presets.PRESETS if arm.startswith("push-place-")]
DRAWN = presets.smoke(presets.preset("push-place-drawn-22"))
FIXED = presets.smoke(presets.preset("push-place-fixed-22"))
JUDGED = presets.smoke(presets.preset("push-place-judged-22"))


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path / "runs"))


@pytest.mark.parametrize("arm", PLACES)
def test_an_arm_is_the_blind_twin_but_for_what_it_reads_of_the_block(arm):
    changed = set(presets.preset(arm).differences(presets.preset("push-blind-tuned")))
    eyes = {"place_error", "place_error_kind", "critic_sees", "critic_blur"}
    remedies = {"frame_stack", "n_steps"}
    assert changed - eyes - remedies == {"arm", "observation", "goal_mode"}
    assert len(changed & remedies) <= 1


def test_hindsight_keeps_to_the_true_place():
    """Two centimeters of error in what is read move no goal and no reward."""
    env = make_training_env(DRAWN)
    model = build(DRAWN, env)
    model.learn(100)
    memory = model.replay_buffer.memory
    # The block lies still until it is touched: what moves in between is the reading.
    moved, shaken = (memory[key][0, 1:11].std(0).max() for key in ("achieved_goal", "located"))
    env.close()
    assert float(moved) < 1e-3 < 0.5 * DRAWN.place_error < float(shaken)


def test_a_run_meets_the_same_eye_in_training_and_after_it():
    """The fixed error is the run's: its evaluation reads a place as its training did."""
    readings = {}
    for name, config in (
        ("after", FIXED),
        ("other run", replace(FIXED, seed=1)),
    ):
        env = make_one(config)
        obs, _ = env.reset(seed=5)
        readings[name] = obs["located"] - env.unwrapped._get_obs()["achieved_goal"]
        env.close()
    env = make_one(FIXED, for_training=True)
    obs, _ = env.reset(seed=5)
    trained = obs["located"] - env.unwrapped._get_obs()["achieved_goal"]
    env.close()
    assert np.array_equal(trained, readings["after"])
    assert not np.allclose(trained, readings["other run"], atol=1e-3)


def test_a_critic_that_was_told_the_place_leaves_a_policy_that_reads_it(unjudged):
    policy = load_policy(train(JUDGED))
    assert set(policy.sb3.observation_space.spaces) == {
        *("proprioception", "desired_goal", "located")
    }
    env = make_one(JUDGED)
    obs, _ = env.reset(seed=0)
    env.close()
    assert set(obs) == set(policy.sb3.observation_space.spaces)
    elsewhere = obs | {"located": obs["located"] + 0.1}
    assert not np.array_equal(policy.predict(obs), policy.predict(elsewhere))


@pytest.mark.parametrize(
    ("arm", "changes", "words"),
    [
        ("push-blind-tuned", {"place_error": 0.01}, "is of observation = place"),
        ("push-blind-tuned", {"critic_sees": "achieved"}, "needs an image"),
        ("push-place-drawn-7", {"goal_mode": "both"}, "so that nothing else says it"),
        ("push-place-drawn-7", {"full_state": True}, "so that nothing else says it"),
        ("push-place-drawn-7", {"engine": "sb3"}, "so that nothing else says it"),
        ("push-place-drawn-7", {"place_error": -0.01}, "out of range: give 0 to 1"),
        ("push-place-drawn-7", {"place_error_kind": "shaken"}, "choose one of drawn, fixed"),
        ("push-place-drawn-7", {"encoder": "keypoint"}, "needs an image"),
        ("push-place-drawn-7", {"critic_blur": 0.01}, "achieved goal: set critic_sees"),
        ("push-blind-tuned", {"frame_stack": 4}, "needs an image"),
        ("push-state", {"n_steps": 3}, "exists in engine fast only"),
        ("push-state-tuned", {"n_steps": 51}, "out of range: give 1 to 50"),
        ("reach-located", {"locator_taught": "rewards"}, "or neither"),
        ("reach-located", {"locator_moments": "played"}, "or neither"),
        ("reach-located", {"locator_moments": "walked"}, "or neither"),
        ("push-located", {"locator_moments": "walked"}, "rewards are no distances"),
        ("push-located", {"locator_moments": "strayed"}, "rewards are no distances"),
    ],
)
def test_contradictions_are_named(arm, changes, words):
    with pytest.raises(UserError, match=words):
        validate(override(presets.preset(arm), **changes))
