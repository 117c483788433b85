"""The tables of the page on speed."""

from __future__ import annotations

import pytest

from labs.artifacts import write_artifact, write_measurement
from labs.figures import sb3_tests, speed
from labs.figures.results import whole


def part(ratio):
    return {"stock": 1.0, "fast": ratio, "ratio": ratio, "ratio_low": ratio, "ratio_high": ratio}


def savings(*names):
    rows = [{"name": n, "ms": 100.0 / (k + 1), "wall_ms": 100.0 / (k + 1)} for k, n in names]
    return {"update": {"cumulated": rows}}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two seeds of each arm: one is there after 60 s."""
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    for arm in speed.TIMES:
        for seed, last in ((0, 1.0), (1, 0.5)):
            path = tmp_path / arm / f"seed{seed}"
            with write_artifact(path, kind="training", parameters={}) as folder:
                curve = f"step,success,wall_time_s\n0,0,5\n1,{last},60\n2,{last},90\n"
                (folder / "curve.csv").write_text(curve)
    return tmp_path


def rows(parts, device="cpu"):
    write_measurement("bench", {"machine": {"device": device}, "parts": parts}, parameters={})
    lines = speed.ratios_table().data.splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_without_parts_every_target_is_open(data):
    table = rows({})
    assert [row[-1] for row in table[:-2]] == ["**open**"] * 7
    assert {row[-2] for row in table} >= {
        whole(aim) for aim in ("≤ 21,800 B", "≥ 8 ×", "≥ 10 ×", "≥ 30 ×", "< 2 min")
    }


def test_a_target_is_met_or_missed_as_measured(data):
    memory = {"stock": 169_628.0, "fast": 21_801.0, "ratio": 7.8}
    verdicts = {row[0]: row[-1] for row in rows({"env": part(8.0), "memory": memory})}
    assert verdicts["environment steps with picture, a second on one core"] == "met"
    assert verdicts["bytes a transition, stack 4"] == "**missed**"


def test_bfloat16_and_float32_are_told_apart(data):
    names = ("stock", "one encoder", "channels last", "bfloat16")
    parts = {"update": part(7.0), "whole": part(6.0), "savings": savings(*enumerate(names))}
    table = rows(parts)
    short, plain, gpu = table[3:6]
    assert short[0].endswith("ours in bfloat16") and short[3].startswith("7.0")
    assert plain[3:5] == ["3.0\u00a0×"] * 2 and plain[-1] == "met"
    assert gpu[3] == "not measured" and gpu[-1] == "**open**"
    assert [row[3] for row in table[7:9]] == ["not measured"] * 2  # GPU
    del parts["savings"]["update"]["cumulated"][-1]
    assert not any("float" in row[0] for row in rows(parts)), "then the first row is float32"


def test_a_gpu_fills_the_rows_of_a_gpu(data):
    table = rows({"update": part(9.0), "whole": part(31.0)}, device="NVIDIA H100")
    assert [row[-1] for row in table[3:7]] == ["**open**", "**missed**", "**open**", "met"]


def test_a_seed_that_never_got_there_is_later_than_all(data):
    reach = rows({})[-2]
    minute = whole("1 min 00 s")
    assert reach[2:4] == ["not reached", f"1 of 2 seeds, {minute} – {minute}"]
    assert reach[-1] == "**missed**"


def test_failures_of_sb3s_tests_are_explained(data):
    def failed(test, reason):
        return {"test": test, "outcome": "failed", "reason": reason, "sb3": "passed"}

    tests = [
        failed("a.py::test_x[True-SAC]", "ValueError: received use_sde=True; expected False"),
        failed("a.py::test_x[False-SAC]", "ValueError: received use_sde=True; expected False"),
        failed("a.py::test_y", "KeyError: 'z'"),
        {"test": "a.py::test_z", "outcome": "passed", "reason": "", "sb3": "passed"},
    ]
    write_measurement("sb3-tests", {"tests": tests}, parameters={})
    table = sb3_tests.failures_table().data.splitlines()[2:]
    assert table == [
        f"| `a.py`: `test_x` | 2 | FastSAC has no gSDE | {sb3_tests.REFUSED} | passed |",
        "| `a.py`: `test_y` | 1 | `KeyError: 'z'` | not explained | passed |",
    ]
    write_measurement("sb3-tests", {"tests": tests[3:]}, parameters={})
    assert sb3_tests.failures_table().data == "None fails."
