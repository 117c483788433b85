"""Gradient norms along a run: the copy sees what the run does, and the run does not notice."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from stable_baselines3.common.logger import Logger

from labs.artifacts import load_artifact
from labs.errors import UserError
from labs.experiments.checkpoint import random_states
from labs.experiments.environments import make_training_env
from labs.experiments.models import build
from labs.experiments.presets import preset
from labs.measurements import tasks
from labs.measurements.gradients_along import ARMS, CopiedUpdate, along, summary
from labs.routing_probe import measure_update

#: Edges over which no gradient may pass.
CUT = {
    "separate": {("critic", "actor's")},
    "actor": {("critic", "shared")},
    "critic": {("actor", "shared")},
}
ROUNDS = 3  # of one episode each, the first without an update


def tiny(routing, **knobs):
    small = dict(image_size=36, n_envs=1, learning_starts=50, batch_size=8, gradient_steps=1)
    small |= dict(net_arch=(16, 16), device="cpu", seed=301, buffer_size=500)
    return replace(preset(ARMS[routing][0]), **(small | knobs))


def trained(config, measured):
    """A learner after a few updates, with a measurement after every round or with none."""
    env = make_training_env(config)
    update = CopiedUpdate(config, env) if measured else None
    model = build(config, env)
    model.set_logger(Logger(None, []))
    for number in range(ROUNDS):
        model.learn(50, reset_num_timesteps=number == 0)
        if measured:
            update.measure(model, batches=2)
    env.close()
    return model, update


def tensors_of(model):
    """Everything that the next update depends on."""
    found = dict(model.policy.state_dict()) | random_states(model)[1]
    found["log_ent_coef"] = model.log_ent_coef.data
    for name in ("actor", "critic"):
        moments = getattr(model, name).optimizer.state_dict()["state"]
        found |= {f"{name}.{i}.{k}": v for i, s in moments.items() for k, v in s.items()}
    return found


@pytest.mark.parametrize("routing", ARMS)
def test_the_run_is_bitwise_the_same_with_and_without_measuring(routing):
    (plain, _), (watched, update) = (trained(tiny(routing), m) for m in (False, True))
    assert plain._n_updates == watched._n_updates > 50
    wanted, found = tensors_of(plain), tensors_of(watched)
    assert wanted.keys() == found.keys()
    assert [k for k in wanted if not torch.equal(wanted[k], found[k])] == []
    assert random_states(plain)[0] == random_states(watched)[0]
    before = {k: v.clone() for k, v in found.items()}
    norms = update.measure(watched)
    assert [k for k, v in tensors_of(watched).items() if not torch.equal(v, before[k])] == []
    assert {edge for edge, norm in norms.items() if norm == 0} == CUT[routing]


@pytest.mark.parametrize("routing", ARMS)
def test_the_norms_are_those_of_the_run_s_own_next_update(routing):
    model, update = trained(tiny(routing, precision="float32"), measured=True)
    found = update.measure(model, batches=1)
    own = {edge: norm for edge, (norm, _) in measure_update(model, model.batch_size).items()}
    # The run computes no gradient that no optimizer steps; SB3 leaves one in the critic's encoder.
    stray = {("actor", "critic's")} if routing == "separate" else set()
    assert all(found[edge] > 0 == own[edge] for edge in stray)
    compared = found.keys() - stray
    assert {e: found[e] for e in compared} == pytest.approx({e: own[e] for e in compared}, rel=1e-3)


def test_the_copy_takes_the_batches_that_the_run_would_take():
    model, update = trained(tiny("critic"), measured=True)
    model.augment = None
    update.measure(model)
    seen = copy.deepcopy(model.replay_buffer.generator.get_state())
    batch = update.copy.replay_buffer.sample(4)
    model.replay_buffer.generator.set_state(seen)
    plain = model.replay_buffer.sample(4)
    assert torch.equal(batch.observations["pixels"], plain.observations["pixels"])
    update.copy.replay_buffer.augment = lambda images: 255 - images
    model.replay_buffer.generator.set_state(seen)
    turned = update.copy.replay_buffer.sample(4)
    assert torch.equal(turned.next_observations["pixels"], 255 - plain.next_observations["pixels"])
    assert torch.equal(turned.actions, plain.actions)


def test_points_begin_before_the_first_update():
    told = []
    points = along(tiny("separate"), 150, told.append)
    assert told == [50, 50, 50]
    assert [p["step"] for p in points] == [50, 100, 150]
    assert [p["updates"] for p in points] == [0, 49, 99]
    assert points[0]["moved"] == {"actor's": 0, "critic's": 0}
    assert all(0 < norm < 1 for norm in points[-1]["moved"].values())
    found = json.loads(json.dumps(summary("separate", "words", [points, points])))
    assert found["updates"] == [0, 49, 99] and len(found["edges"]) == 4
    assert found["moved"]["critic's"][1][2] == pytest.approx(
        points[2]["moved"]["critic's"], rel=1e-4
    )
    cut = next(e for e in found["edges"] if (e["loss"], e["encoder"]) == ("critic", "actor's"))
    assert cut["grad_norm"] == [[0, 0, 0]] * 2 and cut["optimizers"] == ["actor"]


def test_a_run_without_an_update_is_refused():
    with pytest.raises(UserError, match="ends before the first update"):
        along(tiny("actor"), 50)


def test_norms_of_one_update_are_told_with_the_smallest_and_largest_of_the_seeds(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    norms = iter((1.0, 2.0, 6.0))
    edge = dict.fromkeys(("routing", "label", "encoder", "optimizers", "loss"), "")
    edge |= {"moved": 1, "encoder_passes": 1}
    monkeypatch.setattr(
        "labs.routing_probe.probe_routing",
        lambda **how: [SimpleNamespace(**edge, grad_norm=next(norms))],
    )
    (found,) = tasks.gradient_routing(seeds=3, progress=False).json("measurement.json")["edges"]
    assert [found[f"grad_norm{which}"] for which in ("", "_low", "_high")] == [3, 1, 6]


def test_no_gradient_passes_a_cut_edge_in_the_artifact():
    runs = load_artifact("gradients-along-run").json("measurement.json")["runs"]
    assert {run["routing"] for run in runs} == set(ARMS)
    for run in runs:
        assert run["updates"][0] == 0 < run["updates"][-1]
        for edge in run["edges"]:
            cut = (edge["loss"], edge["encoder"]) in CUT[run["routing"]]
            norms = [norm for seed in edge["grad_norm"] for norm in seed]
            assert all(norm == 0 for norm in norms) if cut else all(norm > 0 for norm in norms)
