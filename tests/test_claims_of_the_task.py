"""Claims about the task, its floor and the gradient, and our own two, on altered copies."""

from __future__ import annotations

import shutil

import pytest

from labs.artifacts import write_measurement
from labs.claims.evidence import FAILS, HOLDS, OPEN, PARTLY, UNDECIDED
from labs.claims.scoreboard import judge
from tests.altering import alter, alter_settings
from tests.claim_copies import CLAIM, HIGH, LOW, make_arm, measured, success, verdict


def test_claim_1_and_2_follow_the_blind_twin(data):
    assert verdict("1", data) == verdict("2", data) == FAILS
    success(data, "push-blind-tuned", 0.4, 0.45, 0.5)
    assert verdict("1", data) == verdict("2", data) == PARTLY
    success(data, "push-blind-tuned", 0.4, 0.6, 0.6)
    assert verdict("2", data) == PARTLY, "half only in the middle of the interval"
    success(data, "push-blind-tuned", 0.7, 0.9, 0.9)
    assert verdict("1", data) == PARTLY, "80 % only in the middle of the interval"
    success(data, "push-blind-tuned", 0.05, 0.07, 0.04)
    assert verdict("1", data) == verdict("2", data) == HOLDS
    success(data, "push-blind-tuned", 0.05, 0.9, 0.9)
    assert verdict("1", data) == verdict("2", data) == UNDECIDED, "a wide interval is no verdict"


def test_claims_1_and_2_ask_the_longer_pair_as_well(data):
    for kind in ("state", "blind"):
        shutil.copytree(data / f"push-{kind}-tuned", data / f"push-{kind}-long")
        for folder in (data / f"push-{kind}-long").iterdir():
            alter(folder, "evaluation.json", lambda e: e.update(steps=300_000))
    for key in ("1", "2"):
        found = judge(CLAIM[key], data)
        assert found.verdict == FAILS and found.seeds == "3 seeds; 3 seeds"
        assert "after 100,000 steps" in found.effect and "after 300,000 steps" in found.effect
    assert "full state +" in found.effect
    success(data, "push-blind-long", *LOW)
    assert verdict("1", data) == verdict("2", data) == UNDECIDED, "the budgets disagree"


def test_claim_1_tells_what_is_left_without_the_images(data):
    make_arm(data, "seeing", HIGH, controls={"blank": 0.94, "frozen": 0.5})
    assert "spoiled: `seeing` 96 % [95 %, 97 %] (3 seeds), blank 94 %, frozen 50 %" in (
        judge(CLAIM["1"], data).effect
    )


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (0.010, 0.02, HOLDS),  # 5 of 100 do not come from it
        (0.010, 0.03, UNDECIDED),
        (0.030, 0.09, UNDECIDED),
        (0.055, 0.09, FAILS),  # 8 of 100 do
        (0.065, 0.07, FAILS),  # the same floor, known better
    ],
)
def test_claim_3_follows_the_floor(data, low, high, expected):
    measured(data, "push-floor", lambda m: m["no_op"].update(low=low, high=high))
    assert verdict("3", data) == expected


@pytest.mark.parametrize(
    "key, routing, encoder, loss, at_zero",
    [
        ("4", "separate", "critic's", "critic", "grad_norm_low"),
        ("4", "separate", "critic's", "critic", "moved"),  # a gradient that no optimizer steps
        ("13", "critic_open", "shared", "actor", "grad_norm_low"),
    ],
)
def test_claims_4_and_13_follow_the_gradient(data, key, routing, encoder, loss, at_zero):
    def cut(found):
        for edge in found["edges"]:
            if (edge["routing"], edge["encoder"], edge["loss"]) == (routing, encoder, loss):
                edge[at_zero] = 0.0

    assert verdict(key, data) == FAILS
    measured(data, "gradient-routing", cut)
    assert verdict(key, data) == HOLDS


def test_our_claim_is_about_arms_that_are_not_told_and_have_controls(data):
    spoiled = {"blank": 0.06, "shuffled": 0.07, "frozen": 0.06}
    make_arm(data, "told", HIGH, goal_mode="both", controls=spoiled)
    make_arm(data, "given", HIGH, goal_mode="desired", full_state=True, controls=spoiled)
    assert verdict("ours", data) == OPEN, "the block's position was given"
    make_arm(data, "unproven", (0.99, 0.99, 0.99), goal_mode="desired", controls={})
    make_arm(data, "honest", HIGH, goal_mode="desired", controls=spoiled)
    assert verdict("ours", data) == HOLDS, "an arm without controls does not count"


def test_our_claim_is_not_lost_by_a_better_arm_that_does_not_look(data):
    make_arm(data, "leaks", (0.99, 0.98, 0.99), goal_mode="desired", controls={"blank": 0.9})
    assert verdict("ours", data) == FAILS
    make_arm(data, "honest", HIGH, goal_mode="desired", controls={"blank": 0.06})
    found = judge(CLAIM["ours"], data)
    assert found.verdict == HOLDS and found.effect.startswith("`honest`")


@pytest.mark.parametrize(
    "rates, blank, expected",
    [
        ((0.91, 0.91, 0.91), 0.06, PARTLY),  # a hundred episodes do not show 90 %
        ((0.85, 0.96, 0.97), 0.06, PARTLY),  # the interval reaches below 90 %
        ((0.4, 0.5, 0.45), 0.06, PARTLY),
        ((0.02, 0.02, 0.6), 0.02, FAILS),  # it reaches down to the floor
        (HIGH, 0.55, FAILS),  # more than half is left: the camera is hardly used
        (HIGH, (0.06, 0.96, 0.96), FAILS),  # two of three seeds do not look
    ],
)
def test_our_claim_asks_for_success_that_needs_the_images(data, rates, blank, expected):
    make_arm(
        data, "honest", rates, goal_mode="desired", controls={"shuffled": 0.01, "blank": blank}
    )
    assert verdict("ours", data) == expected


def test_our_claim_names_the_best_of_each_way_to_learn(data):
    spoiled = {"controls": {"blank": 0.06}, "goal_mode": "desired"}
    best, worse = (0.96, 0.97, 0.98), (0.93, 0.93, 0.94)
    make_arm(data, "pupil", best, engine="distill", **spoiled)
    make_arm(data, "slow-pupil", worse, engine="distill", **spoiled)
    make_arm(data, "told", worse, encoder="locator", critic_sees="state", **spoiled)
    make_arm(data, "hindsight", worse, critic_sees="achieved", **spoiled)
    make_arm(data, "helped", worse, auxiliary=1.0, **spoiled)
    by_rewards = {"auxiliary": 1.0, "auxiliary_task": "rewards"}
    make_arm(data, "asked", worse, **by_rewards, **spoiled)
    taught_by = {"encoder": "locator", "locator_taught": "rewards"}
    make_arm(data, "located", worse, **taught_by, **spoiled)
    make_arm(data, "alone", (0.05, 0.05, 0.05), **spoiled)
    shutil.copytree(data / "alone" / "seed0", data / "alone" / "seed3")
    alter_settings(data / "alone" / "seed3", seed=3)
    effect = judge(CLAIM["ours"], data).effect
    assert effect.startswith("`pupil`") and "slow-pupil" not in effect
    for words in (
        "by imitation of a policy that knows the state: `pupil` 97",
        "by reward, with a locator and a critic told the state: `told` 93",
        "by reward, with a critic told the achieved goal: `hindsight` 93",
        "by reward, with an encoder told positions: `helped` 93",
        "by reward, with an encoder that predicts hindsight's rewards: `asked` 93",
        "by reward, with a locator that rewards taught: `located` 93",
        "by reward, in one network without help: `alone` 5",
    ):
        assert words in effect
    assert "and as far as 100 episodes can tell at least 91.5 %; images spoiled" in effect
    assert effect.endswith("5.0 % in every seed (4 seeds)") and effect.count("seeds") == 1, (
        "the others have three"
    )


def test_our_claim_tells_of_episodes_that_no_run_was_scored_on(data, monkeypatch):
    make_arm(data, "honest", HIGH, goal_mode="desired", controls={"blank": 0.06})
    assert "others" not in judge(CLAIM["ours"], data).effect
    score = {"episodes": 1000, "success_rate": 0.88, "success_low": 0.858, "success_high": 0.899}
    rows = [{"arm": arm, "seed": seed} | score for arm, seed in (("honest", 2), ("another", 7))]
    monkeypatch.setenv("PIXELS_DATA", str(data))
    write_measurement("fresh-episodes", {"policies": rows}, parameters={})
    found = judge(CLAIM["ours"], data)
    assert " %; seed 2 in 1,000 others 88 % [86 %, 90 %]; images spoiled" in found.effect
    assert "seed 7" not in found.effect, "that is another arm's"
    assert found.verdict == HOLDS, "told beside it; the task is the hundred that all runs share"


def test_the_second_of_our_claims_leaves_out_whoever_was_told(data):
    spoiled = {"controls": {"blank": 0.06}, "goal_mode": "desired"}
    told = [
        {"engine": "distill"},
        {"encoder": "locator"},
        {"critic_sees": "achieved"},
        {"auxiliary": 1.0},
        {"pretrained_encoder": "push-told/seed0"},
        {"acting_policy": "push-told/seed0"},
    ]
    for number, knobs in enumerate(told):
        make_arm(data, f"told-{number}", HIGH, **knobs, **spoiled)
    assert verdict("ours", data) == HOLDS and verdict("ours 2", data) == OPEN
    make_arm(data, "asked", LOW, auxiliary=1.0, auxiliary_task="rewards", **spoiled)
    alone = judge(CLAIM["ours 2"], data)
    assert alone.verdict == FAILS and "others" not in alone.effect
    located = {"encoder": "locator", "locator_taught": "rewards"} | spoiled
    make_arm(data, "placed", (0.99, 0.99, 0.99), **located)
    assert verdict("ours 2", data) == FAILS, "somebody set the block down for its eye"
    make_arm(data, "located", HIGH, locator_moments="played", **located)
    found = judge(CLAIM["ours 2"], data)
    assert found.verdict == HOLDS and found.effect.startswith("`located`")
    assert "privileged" not in found.effect and "told-" not in found.effect
    assert "by hand for the eye's frames: `placed` 99 %" in found.effect
    assert ". The others: `asked`" in found.effect
    success(data, "located", 0.7, 0.96, 0.97)
    assert verdict("ours 2", data) == PARTLY
