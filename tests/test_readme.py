"""What README.md and the front page say in words and in a picture is what was measured."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

import pytest
from draw_readme_picture import VIEWS

from labs.artifacts import load_artifact, runs_of
from labs.envs import make_env, segment
from labs.experiments.results import final_success

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
FRONT = (ROOT / "book" / "index.md").read_text()


def minutes(arm: str) -> list[float]:
    """Wall time of an arm's seeds, teacher and locator included."""
    teachers = median(run.provenance["wall_time_s"] for run in runs_of("push-state-tuned"))

    def seconds(record: dict) -> float:
        before = (record.get("locator_time_s") or 0) + teachers * ("teacher" in record)
        return record["wall_time_s"] + before

    return [seconds(run.provenance) / 60 for run in runs_of(arm)]


def rates(arm: str) -> list[float]:
    return [final_success(r) for r in runs_of(arm)]


def in_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_the_pixels_under_the_picture_are_counted():
    counts = []
    for camera, size, _ in VIEWS:
        env = make_env("push", camera=camera, image_size=size)
        env.reset(seed=4)
        counts.append(segment(env)["object"])
        env.close()
    said = re.search(r"covers (\d+) of them; at 84 by 84, (\d+);.* (\d+)\.\]", README)
    assert [int(number) for number in said.groups()] == counts


@pytest.mark.parametrize(
    ("page", "words", "arm", "shortest", "longest"),
    [
        (README, "in `data/`, in a quarter of an hour on one core", "push-distilled", 10, 20),
        (README, "reach-state-tuned --again` takes two minutes", "reach-state-tuned", 1, 4),
        (README, "in less than half an hour on one core", "reach-small-annealed", 5, 30),
        (README, "from a teacher in half an hour", "push-distilled-drq", 20, 40),
        (README, "93 % in about two hours at most,", "push-asymmetric-achieved", 80, 125),
        (FRONT, "takes a core about half an hour", "push-distilled-drq", 20, 40),
        (FRONT, "on one core in less than half an hour", "reach-small-annealed", 5, 30),
    ],
)
def test_the_times_are_those_of_the_runs(page, words, arm, shortest, longest):
    assert words in in_one_line(page), "the sentence is another one: look at its numbers"
    taken = minutes(arm)
    if arm == "push-distilled":  # the sentence is about a teacher that is there already
        taken = [run.provenance["wall_time_s"] / 60 for run in runs_of(arm)]
    assert all(shortest < found < longest for found in taken), taken


def test_a_seed_that_nobody_told_takes_forty_minutes_on_one_core_and_twenty_on_two():
    arm = "push-located-rewards-n3"
    words = "A seed takes less than forty minutes on one core, or twenty on two"
    assert words in in_one_line(README)
    assert {run.parameters["subproc"] for run in runs_of(arm)} == {False, True}
    for run, found in zip(runs_of(arm), minutes(arm), strict=True):
        low, high = (15, 22) if run.parameters["subproc"] else (28, 40)
        assert low < found < high, (run.path.name, found)
    assert all(rate >= 0.9 for rate in rates(arm)), "each seed has 90 %: else say so"


def test_half_of_the_steps_take_two_cores_about_nine_minutes():
    arm = "push-located-rewards-seeking"
    assert "with half of the steps" in (said := in_one_line(README))
    assert "about nine on two" in said
    assert f"`pixels train {arm} --seeds 100 --subproc --torch-threads 2` learns to push" in said
    assert "by rewards, in about nine minutes on two cores" in said
    assert "in about nine minutes on two cores" in in_one_line(FRONT)
    both = [run.parameters["subproc"] for run in runs_of(arm)]
    taken = [found for found, alone in zip(minutes(arm), both, strict=True) if alone]
    assert len(taken) == 2 and all(8.5 < found < 9.5 for found in taken), taken
    assert all(rate >= 0.9 for rate in rates(arm)), "each seed has 90 %: else say so"


def test_the_environments_own_camera_takes_twice_the_steps():
    rows = load_artifact("fresh-episodes").json("measurement.json")["policies"]
    found = [100 * r["success_rate"] for r in rows if r["arm"].endswith("rewards-far-seeking")]
    words = f"camera leads to {min(found):.0f} to {max(found):.0f} % of a thousand episodes."
    assert f"With twice those steps the environment's own {words}" in in_one_line(README)
    arms = ("push-located-rewards-far-seeking", "push-located-rewards-seeking")
    far, near = ({run.parameters["total_steps"] for run in runs_of(arm)} for arm in arms)
    assert far == {2 * steps for steps in near}
    assert len(rates(arms[0])) == len(found) > 1, "a seed that did not play them"


def test_most_seeds_of_reach_get_to_95_percent():
    assert "most seeds to 95 %" in README
    found = rates("reach-small-annealed")
    assert sum(rate >= 0.95 for rate in found) > len(found) / 2


def test_a_told_critic_gets_a_policy_from_84_to_93_percent():
    found = [round(100 * rate) for rate in rates("push-asymmetric-achieved")]
    assert f"by the reward, to {min(found)} to {max(found)} % in" in in_one_line(README)
