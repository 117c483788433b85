"""The ledger fills itself from what lies in ``data/``; the phases of a curve are counts."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from labs.artifacts import data_root
from labs.errors import UserError
from labs.experiments.presets import PRESETS, SUMMARY, preset
from labs.figures import ledger, legend
from labs.figures.curves import (
    SOURCE_FLAT,
    SOURCE_POINTS,
    STEP_ARMS,
    STEPS,
    five_steps,
    success_curves,
    success_panels,
    three_phases,
)
from labs.figures.phases import above_floor, find_phases, patience_stop
from tests.altering import alter, alter_settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book" / "_ext"))
import success_role

FLOOR = 0.069


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The floor and nothing else; the real data's root beside it."""
    real = data_root()
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    shutil.copytree(real / "push-floor", tmp_path / "push-floor")
    return tmp_path, real


def row(table: str, start: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_cell_that_was_not_measured_says_so_and_names_its_command(data):
    for step in ledger.STEPS:
        cells = row(ledger.investigation_table().data, step.name)
        assert cells[2] == step.reported, "the reported figure stands whatever was measured"
        if step.name != "3":
            assert cells[3:] == [
                "not measured yet",
                "–",
                f"`pixels train {step.arm} --seeds 0 1 2`",
            ]


def test_a_cell_fills_itself_when_its_artifact_appears(data):
    here, real = data
    shutil.copytree(real / "push-state-tuned" / "seed0", here / "push-step0" / "seed0")
    cells = row(ledger.investigation_table().data, "0")
    assert cells[3] == "98% (93.0% – 99.4%), 1 seed"
    assert cells[4:] == ["35,200 (1 of 1 left it)", "100,000"]
    assert row(ledger.investigation_table().data, "1")[3] == "not measured yet"
    shutil.copytree(real / "push-state-tuned" / "seed1", here / "push-step0" / "seed1")
    assert row(ledger.investigation_table().data, "0")[3].endswith("2 seeds")


@pytest.mark.parametrize(
    ("rise", "says"),
    [
        ((4000.0, 8000.0, None), "8,000 (2 of 3 left it)"),
        ((4000.0, None, None), "no median: 1 of 3 left it"),
        ((None, None, None), "never (0 of 3 left it)"),
    ],
)
def test_runs_that_stay_on_the_floor_count_late_and_a_few_are_not_never(
    data, monkeypatch, rise, says
):
    here, real = data
    for seed in range(3):
        source = real / "push-state-tuned" / f"seed{seed}"
        shutil.copytree(source, here / "push-step0" / f"seed{seed}")
    times = iter(rise)
    monkeypatch.setattr(ledger, "leaves_floor_at", lambda *_: next(times))
    assert ledger.floor_cell("push-step0") == says


def test_runs_that_were_cut_short_are_counted_and_said(data):
    here, real = data
    for seed in range(2):
        source = real / "push-state-tuned" / f"seed{seed}"
        shutil.copytree(source, here / "push-step0" / f"seed{seed}")
    cut = here / "push-step0" / "seed1"
    alter(cut, "provenance.json", lambda r: r.update(ended_early="at step 200 of 400"))
    assert ledger.success_cell("push-step0").endswith("2 seeds, 1 of 2 cut short")
    assert ledger.floor_cell("push-step0").endswith("(2 of 2 left it, 1 of 2 cut short)")


def test_a_damaged_result_is_an_error_and_no_empty_cell(data):
    here, real = data
    shutil.copytree(real / "push-state-tuned" / "seed0", here / "push-step0" / "seed0")
    with open(here / "push-step0" / "seed0" / "curve.csv", "a") as file:
        file.write("1,1\n")
    with pytest.raises(UserError, match="damaged"):
        ledger.investigation_table()


def test_arms_beside_the_story_show_only_if_they_exist(data):
    shown = ledger.beside_table(("push-blind", "push-nothing")).data
    assert "push-blind" in shown and "push-nothing" not in shown
    with pytest.raises(UserError, match="push-nothing"):
        ledger.beside_table(("push-nothing",))


def test_every_arm_of_push_has_one_row_but_for_the_demo_and_those_for_a_large_gpu():
    push = [arm for arm, config in PRESETS.items() if config.task == "push"]
    rows = [*ledger.BESIDE, *STEP_ARMS]
    others = {arm for arm in push if arm not in rows and not arm.startswith("push-gpu")}
    assert others == {"push-demo"} and len(set(rows)) == len(rows) and set(rows) <= set(push)


def test_the_steps_are_presets():
    assert {step.arm for step in ledger.STEPS} <= PRESETS.keys() & SUMMARY.keys()
    assert tuple(dict.fromkeys(step.arm for step in ledger.STEPS)) == STEP_ARMS
    assert preset("push-step0").total_steps == 2_000_000


def test_the_figure_says_which_panels_are_not_ours(data):
    here, real = data
    shutil.copytree(real / "push-state-tuned" / "seed0", here / "push-state-tuned" / "seed0")
    figure = five_steps(floor=FLOOR)
    words = [" ".join(text.get_text() for text in axes.texts) for axes in figure.axes]
    assert "ours: 90% after" in words[0] and all(text == "not run here" for text in words[1:])
    assert [axes.get_title() for axes in figure.axes] == list(STEPS.values())
    assert "ours, other settings" in figure.axes[0].get_legend_handles_labels()[1]
    for axes, arm in zip(figure.axes, STEP_ARMS, strict=True):
        labels = axes.get_legend_handles_labels()[1]
        assert any("reported" in label for label in labels) == (
            arm in SOURCE_POINTS or arm in SOURCE_FLAT
        )


def test_the_figure_takes_a_stand_in_that_never_gets_there(data):
    here, real = data
    shutil.copytree(real / "reach-keypoint" / "seed0", here / "reach-keypoint" / "seed0")
    figure = five_steps(["push-step0"], stand_ins={"push-step0": "reach-keypoint"})
    assert [text.get_text() for text in figure.axes[0].texts] == ["ours: 90% not\nreached"]


def test_arms_that_share_axes_differ_in_dashes_and_the_dots_are_the_floors(data):
    here, real = data
    arms = ("push-state-tuned", "push-blind-tuned", "push-small")
    for arm in arms:
        shutil.copytree(real / arm / "seed0", here / arm / "seed0")
    lines = success_curves(arms, floor=FLOOR).axes[0].lines
    named = [line for line in lines if not line.get_label().startswith("_")]
    dashes = [str(line._unscaled_dash_pattern) for line in named]
    assert len(set(dashes)) == len(named) == 4 and named[-1].get_linestyle() == ":"


def test_seeds_with_other_settings_are_not_drawn_as_one_arm(data):
    here, real = data
    shutil.copytree(real / "push-small", here / "push-small")
    alter_settings(here / "push-small" / "seed1", gamma=0.5)
    with pytest.raises(UserError, match="differ in gamma .* and are no seeds of one arm"):
        success_curves(["push-small"], floor=FLOOR)


def test_a_run_that_was_cut_short_hides_none_of_the_others(data):
    here, real = data
    shutil.copytree(real / "push-located", here / "push-located")
    (axes,) = success_curves(["push-located"]).axes
    middle, *seeds = axes.lines
    assert middle.get_label().endswith("(2 seeds, all of them until step 80,000)")
    assert [line.get_xdata()[-1] for line in (middle, *seeds)] == [80_000, 80_400, 150_000]


def test_a_figure_of_no_arms_is_refused():
    for draw in (success_curves, success_panels):
        with pytest.raises(UserError, match="name at least one arm"):
            draw([])


def test_a_panel_for_each_arm_named_in_words(data):
    here, real = data
    for arm in ("push-state-tuned", "push-blind-tuned", "push-small"):
        shutil.copytree(real / arm / "seed0", here / arm / "seed0")
    figure = success_panels(["push-state-tuned", "push-blind-tuned", "push-small"], floor=FLOOR)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [
        "full state (1 seed)",
        "blind twin (1 seed)",
        "vectors and a picture (1 seed)",
    ]
    colors = {axes.lines[0].get_color() for axes in figure.axes}
    assert len(colors) == 3


def test_a_title_that_is_wider_than_its_panel_takes_two_lines(data):
    here, real = data
    arm = "push-distilled-far-drq"
    shutil.copytree(real / arm / "seed0", here / arm / "seed0")
    (axes,) = success_panels([arm]).axes
    assert axes.get_title() == f"{legend.words_of(arm)}\n(1 seed)"


# ------------------------------------------------------------------------------------- the phases


def test_four_of_twenty_are_above_the_floor_and_three_are_not():
    assert not above_floor(0.15, 20, FLOOR)
    assert above_floor(0.20, 20, FLOOR)


def test_one_lucky_point_is_no_rise():
    assert find_phases([0.05, 0.3, 0.05, 0.05, 0.1], 20, FLOOR).rise is None
    assert find_phases([0.05, 0.3, 0.35, 0.05, 0.1], 20, FLOOR).rise == 1


def test_a_curve_has_three_phases_in_order():
    curve = [0.05] * 4 + [0.3, 0.5, 0.7] + [0.95] * 8
    phases = find_phases(curve, 20, FLOOR)
    assert (phases.rise, phases.settled) == (4, 7)
    assert [name for name, _ in phases.spans()] == ["floor", "rise", "convergence"]
    assert np.concatenate([list(span) for _, span in phases.spans()]).tolist() == list(range(15))
    assert [phases.name_at(i) for i in (0, 5, 14)] == ["floor", "rise", "convergence"]


def test_a_curve_that_still_climbs_has_not_settled():
    assert find_phases(np.linspace(0.05, 0.95, 10).round(2), 20, FLOOR).settled is None
    assert find_phases([0.05] * 10, 20, FLOOR).spans() == [("floor", range(10))]
    with pytest.raises(ValueError, match="rates in"):
        find_phases([5.0, 90.0], 20, FLOOR)


def test_patience_counts_from_the_best_point_and_a_tie_is_no_progress():
    curve = [0.05, 0.05, 0.1, 0.1, 0.1, 0.5]
    assert [patience_stop(curve, n) for n in (1, 2, 3)] == [1, 4, None]
    assert patience_stop([0.05] * 4, 3) == 3
    with pytest.raises(ValueError, match="at least 1"):
        patience_stop(curve, 0)


def test_legends_speak_of_arms_that_are():
    assert legend.WORDS.keys() <= PRESETS.keys() and legend.OWN_COLORS.keys() <= PRESETS.keys()
    assert len(set(legend.WORDS.values())) == len(legend.WORDS), "two arms in the same words"
    assert legend.words_of("somebody-s-own") == "somebody-s-own"


def test_the_front_page_tells_times_that_were_measured():
    """Half an hour: of imitation with its teacher about, of Reach by the reward alone at most."""
    spent = [run.provenance["wall_time_s"] for run in ledger.measured("push-distilled-drq")]
    teacher = ledger.measured("push-state-tuned")[0].provenance["wall_time_s"]
    assert 20 * 60 < min(spent) + teacher and max(spent) + teacher < 35 * 60
    alone = [run.provenance["wall_time_s"] for run in ledger.measured("reach-small-annealed")]
    assert max(alone) < 30 * 60


def test_a_sentence_may_hold_the_success_of_an_arm():
    arm, root = "push-blind-tuned", data_root()
    assert success_role.success_of(arm, root) == ledger.success_cell(arm)
    with pytest.raises(UserError, match="push-step0 has no result"):
        success_role.success_of("push-step0", root)


def test_success_of_push_stands_over_its_floor_and_reach_has_none():
    run = ledger.measured("push-state-tuned")[0]
    figure = three_phases(run, floor=ledger.floor_of(["push"]))
    (floor,) = (line for line in figure.axes[0].lines if line.get_label() == "doing nothing")
    assert floor.get_ydata()[0] == ledger.push_floor() > 0
    assert ledger.floor_of(["push", "reach"]) is None
    figure = three_phases(run, floor=None)
    assert "doing nothing" not in {line.get_label() for line in figure.axes[0].lines}


def test_the_source_s_phases_are_named_and_do_not_dwarf_a_short_run():
    run = ledger.measured("push-state-tuned")[0]
    figure = three_phases(run, source=True)
    (words,) = (text.get_text() for text in figure.axes[0].get_legend().get_texts())
    assert words == "reported: flat", "the run ends long before the others begin"
    assert figure.axes[0].get_xlim()[1] < 1.2 * run.table()["step"].max()
    with pytest.raises(UserError, match="phases of Push"):
        three_phases("reach-state/seed0", source=True)
