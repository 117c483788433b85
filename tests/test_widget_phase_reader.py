"""The phase reader shows a measured run and says what its numbers say."""

from __future__ import annotations

import json

import pytest

from labs.figures.ledger import measured, push_floor
from labs.figures.phases import find_phases
from labs.widgets.phase_reader import PhaseReader, what_to_notice
from tests.browser import visit


def reader(**state) -> PhaseReader:
    runs = [
        (arm, measured(f"push-{arm}-tuned")[0]) for arm in ("state", "blind")
    ]  # two runs: the drop-down appears
    return PhaseReader(runs, push_floor(), **state)


def test_the_curves_are_the_artifact_s():
    widget, table = reader(), measured("push-state-tuned")[0].table()
    run = widget.runs[0]
    assert run["steps"] == table["step"].tolist() and run["success"] == table["success"].tolist()
    assert run["critic_loss"][0] is None, "before the first update there is no loss"
    assert run["critic_loss"][1:] == table["critic_loss"].tolist()[1:]
    assert len(json.dumps(widget.state())) < 60_000


def test_the_phases_cover_every_point_once():
    for run in reader().runs:
        covered = [i for _, start, end in run["phases"] for i in range(start, end + 1)]
        assert covered == list(range(len(run["steps"]))) == list(range(len(run["notes"])))


def test_the_words_follow_the_numbers():
    run = measured("push-state-tuned")[0]
    table, floor = run.table(), push_floor()
    phases = find_phases(table["success"], 20, floor)
    note = what_to_notice(table, phases.rise, phases, 20, floor)
    assert "is left behind" in note and "good news" in note
    assert "No update" in what_to_notice(table, 0, phases, 20, floor)
    assert "holds the floor" in what_to_notice(table, phases.rise - 1, phases, 20, floor)
    falling = table.assign(critic_loss=list(range(len(table), 0, -1)), success=0.05)
    falling.loc[9, "success"] = 0.3
    flat = find_phases(falling["success"], 20, floor)
    note = what_to_notice(falling, 8, flat, 20, floor)
    assert "holds the floor" in note and "is the lowest so far" in note and "above" not in note
    assert "is above the floor" in what_to_notice(falling, 9, flat, 20, floor)


@pytest.mark.parametrize(
    ("step", "words"), [(1, "100% of its peak: settled success"), (-1, "there is less left")]
)
def test_a_settled_loss_is_held_against_its_peak(step, words):
    table = measured("push-state-tuned")[0].table()
    phases = find_phases(table["success"], 20, push_floor())
    table["critic_loss"] = list(range(1, len(table) + 1))[::step]
    assert words in what_to_notice(table, len(table) - 1, phases, 20, push_floor())


def test_it_wants_a_run():
    with pytest.raises(ValueError, match="expected at least one"):
        PhaseReader([], 0.07)


def test_the_still_says_where_the_phases_begin():
    uri, words = reader().still()
    assert uri.startswith("data:image/png") and "rising from 35,200" in words


@pytest.mark.browser
def test_the_slider_the_run_and_a_click_move_it(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><html data-theme='light'><body>{reader().to_html()}</body>")
    with visit(browser, path) as seen:
        chart, note = seen.page.locator("svg.pnc-phases"), seen.page.locator("[aria-live]")
        first = note.inner_text()
        assert first.startswith("Phase: on the floor.") and "No update" in first
        slider = seen.page.get_by_role("slider", name="Environment steps so far")
        slider.focus()
        seen.page.keyboard.press("End")
        assert note.inner_text().startswith("Phase: settled.")
        assert "100,000 steps: settled" in chart.get_attribute("aria-label")
        before = chart.inner_html()
        seen.page.get_by_label("Run").select_option(label="blind")
        assert chart.inner_html() != before
        chart.click(position={"x": 60, "y": 100})
        assert note.inner_text().startswith("Phase: on the floor.")
        assert not seen.errors and not seen.outside
