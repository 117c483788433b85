"""Arms beside each other: where no mean is formed, what a run needed, who looks."""

from __future__ import annotations

import shutil

import matplotlib.pyplot as plt
import pytest

from labs.artifacts import data_root, load_artifact, runs_of
from labs.errors import UserError
from labs.experiments.results import final_success
from labs.figures.budgets import steps_or_updates
from labs.figures.curves import episodes_a_point, runs_beside, seed_by_seed
from labs.figures.results import decimal, interval, knob, minutes
from labs.figures.rises import rise_and_end
from labs.figures.routes import ladder, looking_table, one_by_one, routes_table, seconds_of
from labs.statistics import steps_to
from tests.altering import alter

ARM, SHORT = "push-asymmetric-achieved", "push-keypoint-rewarded"


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two arms: three full runs, and one that was cut short."""
    real = data_root()
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    for name in (*(f"{ARM}/seed{seed}" for seed in range(3)), f"{SHORT}/seed0"):
        shutil.copytree(real / name, tmp_path / name)
    shutil.copytree(real / "told-sight", tmp_path / "told-sight")
    yield tmp_path
    plt.close("all")


def lines_of(table):
    return table.data.splitlines()[2:]


def test_three_equal_runs_have_a_mean_and_unequal_or_fewer_have_none(data):
    routes = {ARM: ("pixels", "told"), SHORT: ("pixels", "asked"), "push-told": ("pixels", "late")}
    equal, short, unknown = lines_of(routes_table(routes))
    assert "(3 seeds)" in equal and "Wilson" not in equal
    assert "one seed: 0" in short and "cut short of 300,000" in short and "Wilson" in short
    assert "not measured yet" in unknown
    alter(data / ARM / "seed1", "evaluation.json", lambda e: e.update(steps=e["steps"] - 50))
    assert one_by_one(runs_of(ARM)) and len(lines_of(routes_table({ARM: ("", "")}))) == 3


def test_what_nobody_here_measured_comes_last(data):
    row = "| somebody's | | | 95 % | | |"
    assert lines_of(routes_table({ARM: ("pixels", "told")}, reported=[row]))[-1] == row


def test_an_arm_pays_for_the_run_whose_encoder_it_takes(data):
    run, lender = load_artifact(f"{ARM}/seed0"), load_artifact(f"{SHORT}/seed0")
    alone = seconds_of(run)
    assert alone == run.provenance["wall_time_s"]
    run.provenance["encoder_from"] = {"artifact": f"{SHORT}/seed0"}
    assert seconds_of(run) == alone + lender.provenance["wall_time_s"]
    run.provenance.update(locator_time_s=60.0, teacher={"artifact": f"{SHORT}/seed0"})
    assert seconds_of(run) == alone + 60 + 2 * lender.provenance["wall_time_s"]


def test_a_control_that_does_as_well_is_seen(data):
    def cells():
        return [cell.strip() for cell in lines_of(looking_table([ARM]))[0].strip("|").split("|")]

    _, seeds, camera, blank, *_ = cells()
    assert seeds == "3" and camera.endswith("%") and camera != blank
    best = max(final_success(r) for r in runs_of(ARM))

    def leaks(evaluation):
        evaluation["controls"]["blank"]["success_rate"] = best

    alter(data / ARM / "seed2", "evaluation.json", leaks)
    assert cells()[3].endswith(f"to {best:.0%}")


def test_seeds_that_agree_are_one_number(data):
    for seed in range(3):
        alter(
            data / ARM / f"seed{seed}",
            "evaluation.json",
            lambda found: found["controls"]["blank"].update(success_rate=0.05),
        )
    assert lines_of(looking_table([ARM]))[0].split(" | ")[3] == "5%"


def test_no_curve_is_an_average(data):
    alone = seed_by_seed(ARM, floor=0.05)
    assert [line.get_label() for line in alone.lines[:3]] == ["seed 0", "seed 1", "seed 2"]
    assert seed_by_seed(SHORT).lines[0].get_label() == "seed 0, cut short"
    beside = runs_beside({ARM: ("0.6", "-"), SHORT: ("k", "o-")}, floor=0.05)
    drawn = [tuple(line.get_ydata()) for line in beside.lines[:4]]
    assert drawn == [tuple(run.table()["success"]) for arm in (ARM, SHORT) for run in runs_of(arm)]
    assert len(beside.figure.legends[0].get_texts()) == 3, "one name an arm, and the floor's"
    assert episodes_a_point([ARM, SHORT]) == "20"


def test_of_named_runs_the_shorter_lies_above_and_leaves_the_longer_to_be_seen(data):
    lines = runs_beside({SHORT: ("k", "o-"), ARM: ("b", "s-")}).lines
    short, long = lines[0], lines[1]
    assert short.get_xdata().max() < long.get_xdata().max()
    assert short.get_zorder() > long.get_zorder()
    assert short.get_markersize() < long.get_markersize()
    assert short.get_markerfacecolor() == long.get_markerfacecolor() == "white"
    gray, long = runs_beside({SHORT: ("0.6", "-"), ARM: ("b", "s-")}).lines[:2]
    assert gray.get_zorder() < long.get_zorder(), "without a marker: the ground"


def test_a_run_is_a_point_and_one_that_never_rose_stands_at_the_edge(data):
    axes = rise_and_end({ARM: "told", SHORT: "asked"}, late_after=1e5)
    risen, never = (points.get_offsets() for points in axes.collections)
    tables = [run.table() for run in runs_of(ARM)]
    # The first of two arms stands 400 steps to the left, so that equal runs show.
    assert list(risen[:, 0] + 400) == [steps_to(t["step"], t["success"], 0.5) for t in tables]
    ends = [final_success(r) for r in runs_of(ARM)]
    assert list(risen[:, 1]) == ends
    assert never[0, 0] > max(*risen[:, 0], 1e5) and never[0, 1] < 0.5
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["told (3\u00a0runs)", "asked (1\u00a0run)"]
    assert [text.get_text() for text in axes.get_xticklabels()].count("not yet") == 1
    assert len(rise_and_end({SHORT: "asked"}, late_after=1e5).collections) == 1, "none rose"
    alone = rise_and_end({ARM: "told"}, late_after=1e5)
    assert "not yet" not in [text.get_text() for text in alone.get_xticklabels()]
    with pytest.raises(UserError, match="name at least one arm"):
        rise_and_end({}, late_after=1e5)


def test_one_budget_is_drawn_by_steps_and_once_more_by_updates():
    rates = ("push-blind-u012", "push-blind-tuned", "push-blind-u050")
    figure = steps_or_updates({"twins": rates}, floor=0.069)
    by_steps, by_updates = figure.axes
    for number, arm in enumerate(rates):
        curve = runs_of(arm)[0].table()
        thick = [
            next(line for line in axes.lines if line.get_label().startswith(rate))
            for axes in (by_steps, by_updates)
            for rate in [("0.125", "0.25 ", "0.5 ")[number]]
        ]
        assert list(thick[0].get_xdata()) == list(curve["step"])
        assert list(thick[1].get_xdata()) == list(curve["updates"])
        assert list(thick[0].get_ydata()) == list(thick[1].get_ydata())
    plt.close("all")
    with pytest.raises(UserError, match="same updates a step"):
        steps_or_updates({"twins": rates, "others": rates[::-1]})
    with pytest.raises(UserError, match="same updates a step"):
        steps_or_updates({})


def test_numbers_in_tables_are_set_as_in_print():
    assert minutes(312) == "5\u00a0min\u00a012\u00a0s" and minutes(42) == "42\u00a0s"
    assert (decimal(-1.064, 2), decimal(-0.001, 2)) == ("−1.06", "0.00")
    assert interval(-1.06, -1.09, -0.99, 2) == "−1.06 (−1.09\u00a0to\u00a0−0.99)"
    assert interval(43.2, 40, 46, 0, " mm") == "43 mm (40 – 46)"
    assert [knob(v) for v in (2_000_000, 9999, True, 0.001, "auto", None)] == [
        *("2,000,000", "9999", "True", "0.001", "auto", "None"),
    ]


def test_the_ladder_draws_each_run_and_leaves_out_sight_that_was_not_measured(data):
    def squares(figure):
        return [
            line
            for line in figure.axes[1].lines
            if line.get_marker() == "s" and len(line.get_xdata())
        ]

    steps = {ARM: "the place", SHORT: "nothing"}
    figure = ladder(steps, floor=0.05)
    rates = [final_success(r) for r in runs_of(ARM)]
    drawn = [bar.lines[0].get_ydata()[0] for bar in figure.axes[0].containers]
    assert drawn[:3] == rates and len(drawn) == len(squares(figure)) == 4

    def forget(found):
        found["runs"] = [row for row in found["runs"] if row["run"] != f"{SHORT}/seed0"]

    alter(data / "told-sight", "measurement.json", forget)
    assert len(squares(ladder(steps, floor=0.05))) == 3
