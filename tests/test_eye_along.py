"""What an eye knows along a run: the run does not notice, and a probe finds what is there."""

from __future__ import annotations

import json
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
import torch
from stable_baselines3.common.logger import Logger

from labs.artifacts import write_measurement
from labs.errors import UserError
from labs.experiments.checkpoint import random_states
from labs.experiments.environments import make_one, make_training_env
from labs.experiments.models import build
from labs.experiments.moments import View, collect_moments
from labs.experiments.presets import preset, smoke
from labs.figures.eyes import sight_along
from labs.measurements import encoder_probe, eye_along
from labs.measurements.encoder_probe import linear_read_out
from labs.measurements.eye_along import ARMS, along, look

TINY = replace(smoke(preset(ARMS[1])), net_arch=(16, 16), seed=301, device="cpu", total_steps=200)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(eye_along, "EPISODES", 2)
    monkeypatch.setattr(encoder_probe, "EPOCHS", 2)


def learner(looks):
    """Weights and random states after two stretches, with a look between them or without one."""
    frames, truth = collect_moments(View.of(TINY), 200, seed=7)
    env, stage = make_training_env(TINY), make_one(TINY)
    model = build(TINY, env)
    model.set_logger(Logger(None, []))
    for number in range(2):
        model.learn(100, reset_num_timesteps=number == 0)
        if looks:
            look(model, TINY, stage, frames, truth)
    env.close()
    stage.close()
    return model.policy.state_dict(), random_states(model)


def test_a_run_is_bitwise_the_same_with_and_without_looks():
    (plain, states), (watched, watched_states) = learner(False), learner(True)
    assert [k for k in plain if not torch.equal(plain[k], watched[k])] == []
    assert states[0] == watched_states[0]
    assert all(torch.equal(states[1][k], watched_states[1][k]) for k in states[1])


def test_points_begin_before_the_first_step():
    told = []
    found = json.loads(json.dumps(along(TINY, every=100, frames=200, tell=told.append)))
    assert told == [100, 100] and found["arm"] == TINY.arm
    assert [p["step"] for p in found["points"]] == [0, 100, 200]
    assert found["points"][0]["updates"] == 0 < found["points"][-1]["updates"]
    assert all(p["head"]["block"]["mean"] > 0 for p in found["points"])
    first, *_, last = (p["linear"]["block"]["mean"] for p in found["points"])
    assert first != last, "the encoder has learned in between"
    assert 50 < found["guess"]["block"]["mean"] < 300


def test_a_linear_head_finds_what_lies_on_a_line_and_no_more():
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(500, 6, generator=generator)
    targets = inputs @ torch.randn(6, 2, generator=generator) + 2
    head = linear_read_out(inputs, targets, seed=0)
    assert torch.allclose(head(inputs), targets, atol=0.01)
    squares = inputs[:, :2] ** 2
    missed = (linear_read_out(inputs, squares, 0)(inputs) - squares).std(0) / squares.std(0)
    assert (missed > 0.9).all()
    twice = torch.cat([inputs, inputs], dim=1)  # no one solution
    assert torch.allclose(linear_read_out(twice, targets, 0)(twice), targets, atol=0.01)


def test_a_run_that_is_whole_is_not_run_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path / "runs"))
    ran = []

    def ends(config, tell):
        ran.append(config.arm)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return {"arm": config.arm, "points": []}

    monkeypatch.setattr(eye_along, "along", ends)
    with pytest.raises(KeyboardInterrupt):
        eye_along.eye_along(progress=False)
    artifact = eye_along.eye_along(progress=False)
    assert ran == [ARMS[0], ARMS[1], ARMS[1]]
    assert [run["arm"] for run in artifact.json("measurement.json")["runs"]] == list(ARMS)
    monkeypatch.setattr(eye_along, "EPISODES", 7)
    eye_along.eye_along(progress=False)
    assert ran[3:] == list(ARMS), "runs that were looked at in another way are no part of it"
    for part in (tmp_path / "runs" / "eye-along-run").iterdir():
        part.write_text("{")
    with pytest.raises(UserError, match=r"json is damaged: delete it, and give the same command"):
        eye_along.eye_along(progress=False)


def test_the_figure_draws_a_column_for_each_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    block = {"block": {"mean": 90.0}}
    points = [
        {"step": step, "success": step / 400, "head": block, "linear": {"block": {"mean": 120 + i}}}
        for i, step in enumerate((0, 100, 200))
    ]
    runs = [{"arm": arm, "points": points, "guess": {"block": {"mean": 140.0}}} for arm in ARMS]
    write_measurement("eye-along-run", {"runs": runs}, parameters={"run_seed": 9})
    figure = sight_along({ARMS[1]: "withheld", ARMS[0]: "told"}, floor=0.07)
    above, below = figure.axes[:2], figure.axes[2:]
    assert [axes.get_title() for axes in above] == ["withheld", "told"]
    for top, bottom in zip(above, below, strict=True):
        assert list(top.lines[0].get_ydata()) == [0, 0.25, 0.5]
        assert [list(line.get_ydata()) for line in bottom.lines[:2]] == [[90] * 3, [120, 121, 122]]
        assert set(bottom.lines[2].get_ydata()) == {140.0}
    plt.close(figure)
