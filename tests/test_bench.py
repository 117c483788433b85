"""The bench: every part runs and compares like with like. Figures themselves are not tested."""

from __future__ import annotations

import json

import pytest

from labs import bench
from labs.errors import UserError


@pytest.mark.slow
def test_every_part_runs_and_says_what_it_compared(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench, "BATCH", 4)
    path = tmp_path / "bench.json"
    options = ["--repeats", "1", "--seconds", "0.1", "--transitions", "100", "--n-envs", "2"]
    assert bench.main([*options, "--device", "cpu", "--json", str(path)]) == 0
    result = json.loads(path.read_text())
    assert set(result["parts"]) == set(bench.PARTS)
    for name, part in result["parts"].items():
        assert part["stock"] > 0 and part["fast"] > 0, name
        assert part["ratio_low"] <= part["ratio"] <= part["ratio_high"]
    rates = result["parts"]["whole"]["updates_per_step"]
    assert rates["fast"] > 0
    # The fast engine earns its first update one vector step later: at most one update apart.
    assert abs(rates["stock"] - rates["fast"]) * 200 <= 1.01
    assert result["parts"]["memory"]["ratio"] > 7.7
    printed = capsys.readouterr().out
    assert all(name in printed for name in bench.PARTS)


def test_an_unknown_part_is_one_clear_line():
    with pytest.raises(UserError, match="unknown part speed: choose of env"):
        bench.run_bench(("speed",))
