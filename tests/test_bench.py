"""The bench: every part runs and compares like with like. Figures themselves are not tested."""

from __future__ import annotations

import contextlib
import subprocess

import pytest
import torch

from labs import cli
from labs.artifacts import load_artifact, write_measurement
from labs.bench import measure, parts, program, savings, step, workers
from labs.bench.program import COMPARISONS, PARTS, BenchOptions, run_bench
from labs.errors import UserError
from labs.mixed_precision import mixed_precision

torch.set_num_threads(1)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Batches of 4: a bench of seconds."""
    for room in (parts, savings, step, workers):
        monkeypatch.setattr(room, "BATCH", 4, raising=False)
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))


@pytest.mark.slow
def test_every_comparison_runs_and_says_what_it_compared(small, capsys):
    flags = "--repeats 1 --seconds 0.1 --transitions 300 --whole-steps 50 --n-envs 2"
    flags += " --device cpu --name bench"
    assert cli.main(["bench", *COMPARISONS, *flags.split()]) == 0
    artifact = load_artifact("bench")
    result = artifact.json("measurement.json")
    assert artifact.parameters["n_envs"] == 2
    assert {"load_at_start", "load_at_end", "torch_threads", "gl"} <= set(result["machine"])
    assert list(result["parts"]) == list(COMPARISONS)
    for name, part in result["parts"].items():
        assert part["stock"] > 0 and part["fast"] > 0, name
        assert part["ratio_low"] <= part["ratio"] <= part["ratio_high"]
    rates = result["parts"]["whole"]["updates_per_step"]
    assert rates["fast"] > 0
    # The fast engine earns its first update one vector step later: at most one update apart.
    assert abs(rates["stock"] - rates["fast"]) * 100 <= 1.01
    assert result["parts"]["memory"]["ratio"] > 7.7
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMPARISONS)


@pytest.mark.slow
def test_savings_and_pieces_of_a_step_are_measured(small):
    options = BenchOptions(
        ("savings", "step"),
        device="cpu",
        repeats=1,
        seconds=0.05,
        transitions=300,
        compiled=False,
        whole_steps=1,
    )
    found = run_bench(options)["parts"]
    env = found["savings"]["env"]
    names = ["stock", *savings.SCENE_SAVINGS]
    assert [r["name"] for r in env["cumulated"]] == [r["name"] for r in env["alone"]] == names
    rows = [r["bytes"] for r in found["savings"]["memory"]["cumulated"]]
    assert rows == sorted(rows, reverse=True) and rows[-1] <= 21_800
    names = [row["name"] for row in found["savings"]["update"]["cumulated"]]
    assert names[:4] == [
        "stock",
        "one encoder",
        "needed passes and gradients only",
        "channels last",
    ]
    assert names[4:] == (["bfloat16"] if mixed_precision("cpu") else [])
    for name in ("stock", "fast"):
        table = found["step"][name]
        once_a_step = ["physics", "draw", "resize", "stack and copy", "act", "store"]
        assert [p["name"] for p in table["pieces"]] == [*once_a_step, *step.PER_UPDATE]
        assert sum(p["share"] for p in table["pieces"]) == pytest.approx(1)
    for name, part in found.items():
        assert len(program.lines(name, part)) > 5


def test_scenes_differ_in_one_thing_when_alone_and_end_lean():
    table = savings.scenes()
    from dataclasses import asdict

    from labs.envs import SCENES

    stock, lean = SCENES["stock"], SCENES["lean"]
    for name, (scene, size) in table["alone"].items():
        changed = [k for k, v in asdict(scene).items() if v != asdict(stock)[k]]
        assert len(changed) + (size is not None) == (0 if name == "stock" else 1), name
    last, size = list(table["cumulated"].values())[-1]
    # Shadows cost nothing in these scenes (labs.envs.Scene says why); all else is the lean scene.
    assert size == 84 and {k for k, v in asdict(last).items() if v != asdict(lean)[k]} == {
        "shadows"
    }


@pytest.mark.slow
def test_workers_are_scanned_in_processes_of_their_own():
    found = workers.child("scan", what="state", repeats=1, seconds=0.1)
    names = [row["name"] for row in found["rows"]]
    assert names[:2] == ["in the learner's process", "1 worker"]
    assert all(row["rate"] > 0 for row in found["rows"])
    with pytest.raises(UserError, match="scan under nosuch failed"):
        workers.child("scan", "nosuch", what="pixels", repeats=1, seconds=0.1)


def test_a_job_may_take_as_long_as_its_turns(monkeypatch):
    waited = []

    def run(command, *, timeout, **others):
        waited.append(timeout)
        return subprocess.CompletedProcess(command, 0, stdout="{}", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    workers.child("scan", what="state", repeats=5, seconds=60.0)
    workers.child("state_training", repeats=3, steps=400, updates_per_step=0.25)
    kinds = 1 + max(len(workers.counts(cores)) for cores in range(1, 65))
    assert waited[0] > 5 * 60 * kinds and waited[1] == workers.MARGIN
    drawn = sum(len(table) for table in savings.scenes().values()) + 1  # and physics
    assert max(kinds, drawn) <= workers.KINDS


def test_more_transitions_than_fit_are_one_clear_line():
    with pytest.raises(UserError, match=r"1,000,000,000,000 transitions needs .*: lower --tra"):
        program.check(BenchOptions(("replay",), transitions=10**12))
    program.check(BenchOptions(("update",), transitions=10**12))  # its memories are small


@pytest.mark.parametrize(
    ("before", "chosen", "free"),
    [
        ({"parts": []}, (), None),
        ({"parts": []}, PARTS, None),
        ({"parts": ["memory", "env"]}, ("env", "memory"), None),
        ({"parts": []}, ("memory",), "own-3"),
        ({"parts": ["memory"]}, (), "own-3"),
        ({"tests_commit": "abc"}, ("memory",), "own-3"),
    ],
)
def test_a_name_that_other_parts_have_is_refused(before, chosen, free, monkeypatch, tmp_path):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    for name in ("own", "own-2"):
        write_measurement(name, {}, parameters=before)
    refused = pytest.raises(UserError, match=f"measures other things: give --name {free}, say")
    with refused if free else contextlib.nullcontext():
        program.check(BenchOptions(chosen, name="own"))


def test_worker_counts_reach_the_cores():
    assert [workers.counts(n) for n in (1, 2, 4, 6)] == [[1], [1, 2], [1, 2, 4], [1, 2, 4, 6]]
    assert workers.counts(15)[-1] == 15
    assert workers.counts(16) == workers.counts(64) == [1, 4, 8, 15], "one core is the learner's"
    for cores in range(1, 65):
        assert workers.environments(cores) >= max(8, *workers.counts(cores))


def test_updates_are_measured_at_further_batch_sizes(monkeypatch):
    def measured(repeats, seconds, transitions, device, batch):
        rates = {"stock": 1.0, "fast": 2.0, "ratio": 2.0, "ratio_low": 2.0, "ratio_high": 2.0}
        return rates | {"unit": f"updates/s, batch {batch}"}

    monkeypatch.setattr(parts, "bench_update", measured)
    options = BenchOptions(("update",), device="cpu", more_batches=(512, 1024))
    found = run_bench(options)["parts"]["update"]
    assert found["unit"].endswith("batch 256") and len(found["more_batches"]) == 2
    printed = program.lines("update", found)
    assert [line.split()[-1] for line in printed] == ["256", "512", "1024"]
    with pytest.raises(UserError, match="--more-batches 0 is out of range"):
        run_bench(BenchOptions(("update",), more_batches=(0,)))


def test_cuda_without_a_gpu_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees no GPU"):
        run_bench(BenchOptions(device="cuda"))


def test_one_disturbed_call_is_not_the_price(monkeypatch):
    clock, log, costs = [0.0], [], iter([9.0, 0.001, 0.5, 0.001])  # warm-up
    monkeypatch.setattr(measure.time, "process_time", lambda: clock[0])

    def spends(name, cost):
        log.append(name)
        clock[0] += cost

    work = {"a": lambda: spends("a", next(costs)), "b": lambda: spends("b", 0.002)}
    assert measure.cpu_ms(work, 3) == pytest.approx({"a": 1, "b": 2})
    assert log == ["a", "b"] * 4
