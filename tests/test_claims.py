"""The scoreboard: what stands today, what is no evidence, its words and its page."""

from __future__ import annotations

import math
import re
import shlex
import shutil
import sys

import pytest

from labs import cli
from labs.artifacts import write_artifact
from labs.claims.arm import all_arms, named_arm
from labs.claims.evidence import FAILS, HOLDS, OPEN, PARTLY, UNDECIDED, VERDICTS
from labs.claims.scoreboard import CLAIMS, as_text, claim_of, judge
from labs.claims.words import added, percent, points
from labs.commands import measuring, training
from labs.errors import UserError
from labs.experiments import presets
from labs.figures import verdicts
from labs.flags import parse
from labs.statistics import Interval
from tests.altering import alter
from tests.claim_copies import CLAIM, ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import scoreboard


def test_what_two_cores_have_decided():
    """The verdicts that the pages tell. If one changes, the pages have to be read anew."""
    expected = dict.fromkeys("1 2 3 4 5 8 9 10 11 13 16 17 18".split(), FAILS)
    expected |= {"14": PARTLY} | dict.fromkeys("6 7 12 15 19".split(), UNDECIDED)
    expected |= {"ours": HOLDS, "ours 2": PARTLY}
    assert {claim.key: judge(claim).verdict for claim in CLAIMS} == expected


@pytest.mark.parametrize("claim", CLAIMS, ids=[c.key for c in CLAIMS])
def test_nothing_there_is_said_plainly(claim, tmp_path):
    found = judge(claim, tmp_path)
    assert found.verdict == OPEN and found.effect and found.seeds == "–"
    assert judge(claim, tmp_path / "nowhere").verdict == OPEN


def test_two_seeds_are_too_few(data):
    shutil.rmtree(data / "push-blind-tuned" / "seed2")
    found = judge(CLAIM["1"], data)
    assert found.verdict == OPEN and "2 of 3 seeds" in found.effect


def test_seeds_without_runs_are_passed_over(data):
    """A locator has seeds too, and no episode was played with it."""

    with write_artifact(data / "eyes" / "seed0", kind="measurement", parameters={}) as folder:
        (folder / "measurement.json").write_text("{}")
    shutil.copytree(data / "push-blind-tuned", data / "push-blind-tuned-smoke-1a2b3c")
    names = {arm.name for arm in all_arms(data)}
    assert "eyes" not in names and "push-blind-tuned" in names
    assert "push-blind-tuned-smoke-1a2b3c" not in names  # it only proves the pipeline
    assert all(judge(claim, data).verdict in VERDICTS for claim in CLAIMS)


def test_a_run_that_was_cut_short_is_no_run_of_its_arm(data):
    def cut(seed):
        path = data / "push-blind-tuned" / f"seed{seed}"
        alter(path, "provenance.json", lambda r: r.update(ended_early="at step 200 of 400"))

    cut(2)
    assert "`push-blind-tuned` has 2 of 3 seeds" in judge(CLAIM["1"], data).effect
    cut(1), cut(0)
    assert "push-blind-tuned" not in {arm.name for arm in all_arms(data)}


def test_steps_are_those_that_were_taken(data):
    for seed, steps in enumerate((100_200, 100_100, 100_300)):
        path = data / "push-state-tuned" / f"seed{seed}"
        alter(path, "evaluation.json", lambda e, s=steps: e.update(steps=s))
    assert named_arm(data, "push-state-tuned").steps == 100_100


def test_damage_is_no_verdict(data):
    path = data / "push-floor" / "measurement.json"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(UserError, match="damaged"):
        judge(CLAIM["3"], data)


def test_differences_have_a_sign_a_unit_and_an_interval():
    assert points(Interval(-0.18, -0.262, -0.09)) == "−18 points [−26, −9]"
    assert points(Interval(0.031, -0.001, 0.3)) == "+3 points [0, +30]"
    assert points(Interval(0.5, math.nan, math.nan)) == "+50 points", "of one run each"
    cells_of_two_seeds = [{"mean": 1.0}, {"mean": 2.0}]
    assert added(cells_of_two_seeds) == "+1.5 mm [+1.0, +2.0]"
    assert added([{"mean": -0.31, "low": -0.5, "high": 0.01}]) == "−0.3 mm [−0.5, 0.0]"


@pytest.mark.parametrize(
    "rate, text",
    [
        (0.0, "0 %"),
        (0.0001, "less than 0.1 %"),
        (0.069, "6.9 %"),
        (0.95, "95 %"),
        (0.9967, "99.7 %"),
        (1.0, "100 %"),
    ],
)
def test_percent(rate, text):
    assert percent(rate) == text


def test_the_table_has_every_claim(data):
    assert len(CLAIM) == len(CLAIMS) == 21
    text = scoreboard.table(data, lambda claim: f"[{claim.page}]")
    head, *rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert [row[0].strip("| ") for row in rows] == list(CLAIM)
    assert all(len(row) == len(head) == 6 for row in rows)
    assert set(scoreboard.MARKS) == set(VERDICTS)
    said = as_text(data)
    for claim in CLAIMS:
        found = judge(claim, data)
        assert claim.says in text and claim.says in said
        assert all(p.replace("|", "\\|") in text for p in found.effect.split("; "))
    counted = re.fullmatch(
        r"Of the source's 19 claims: (holds .+)\. Of this book's 2 questions: (.+)\.",
        text.splitlines()[-1],
    )
    totals = [sum(map(int, re.findall(r" (\d+)", part))) for part in counted.groups()]
    assert totals == [19, 2]


def test_a_long_effect_is_folded_and_loses_nothing():
    short = "one: 3 of 4; two: 4 of 4"
    assert scoreboard._folded(short) == short
    parts = [f"{i}: {'x' * 90}" for i in range(6)]
    folded = scoreboard._folded("; ".join(parts))
    shown, hidden = folded.split(" <details><summary>and 4 more</summary>")
    assert shown == "; ".join(parts[:2]) and hidden == "; ".join(parts[2:]) + "</details>"


def test_the_tally_keeps_our_own_questions_apart_and_says_that_no_claim_holds():
    verdicts = {"1": UNDECIDED, "2": FAILS, "3": FAILS, "ours": HOLDS, "ours 2": HOLDS}
    assert scoreboard._tally(verdicts) == (
        "Of the source's 3 claims: holds 0, does not hold 2, undecided 1. "
        "Of this book's 2 questions: holds 2."
    )


def test_the_program_prints_it(monkeypatch, data, capsys):
    monkeypatch.setenv("PIXELS_DATA", str(data))
    assert cli.main(["claims"]) == 0
    out = capsys.readouterr().out
    assert "DOES NOT HOLD: 5 to 8 % success" in out and "NOT YET MEASURED" in out


@pytest.mark.parametrize("command", sorted({c.command for c in CLAIMS}))
def test_every_command_can_be_typed(command):
    name, *rest = shlex.split(command)[1:]
    if name == "train":
        arm, options, changed = training.arm_options("train", rest)
        presets.effective(arm, 0, changed)
    else:
        parse(
            {"measure": measuring.MeasureOptions, "run": training.RunOptions}[name],
            rest,
            f"pixels {name}",
        )


def test_a_page_quotes_a_claim_and_its_verdict():
    quoted = verdicts.verdict("5").data
    assert CLAIM["5"].says in quoted and judge(CLAIM["5"]).effect in quoted
    with pytest.raises(ValueError, match="no claim"):
        verdicts.verdict("no claim")


def test_a_page_lists_the_claims_that_it_shows():
    shown = verdicts.in_short("17_is_it_cheating").data
    assert CLAIM["1"].says in shown and CLAIM["2"].says in shown and CLAIM["5"].says not in shown
    with pytest.raises(ValueError, match="no claim"):
        verdicts.in_short("06_rendering")


def test_a_claim_is_found_by_its_key(tmp_path, monkeypatch):
    assert claim_of("5") is CLAIM["5"] and verdicts.word("1") == "does not hold"
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    assert verdicts.word("1") == "not yet measured"
    with pytest.raises(ValueError, match="no claim '99'"):
        claim_of("99")
