"""The whole update as one CUDA graph: where it is used, and that it changes nothing."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from labs.experiments.environments import make_training_env
from labs.experiments.models import build
from labs.experiments.presets import preset, smoke
from labs.fast_compile import wants_graph
from labs.fast_graph import WARM_UPS, Graphed

GPU, CPU = torch.device("cuda"), torch.device("cpu")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def learner(arm, **changes):
    """A small learner whose memory holds a few episodes, and which has not learned yet."""
    from stable_baselines3.common.logger import Logger

    config = replace(smoke(preset(arm)), subproc=False, learning_starts=10_000, **changes)
    env = make_training_env(config)
    model = build(config, env)
    model.set_logger(Logger(None, []))
    model.learn(100 * config.n_envs, log_interval=None)
    env.close()
    return model, config.batch_size


def test_a_graph_is_for_gpus_and_can_be_switched_off(monkeypatch):
    assert wants_graph("auto", GPU) and not wants_graph("auto", CPU)
    assert not wants_graph(True, GPU) and not wants_graph(False, GPU)
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    assert not wants_graph("auto", GPU)


def test_on_a_cpu_nothing_is_recorded():
    model, batch = learner("push-gpu-keypoint", device="cpu")
    model.train(2, batch)
    assert model._graphed is None and model.take_losses()


@needs_gpu
@pytest.mark.parametrize(
    "arm",
    ["push-gpu-keypoint", "push-gpu-honest", "push-gpu", "push-gpu-blind", "push-blind-n3"],
)
def test_a_recorded_update_is_the_same_update(arm):
    losses, policies = [], []
    for compile in (False, "auto"):
        model, batch = learner(arm, device="cuda")
        model.compile = compile
        before = [p.clone() for p in model.actor.parameters()]
        torch.manual_seed(0)
        for _ in range(3):
            model.train(4, batch)
            losses.append(model.take_losses())
        policies.append(model)
        assert not all(map(torch.equal, before, model.actor.parameters())), "something is learned"
    plain, recorded = policies
    assert plain._graphed is None
    assert recorded._graphed._recorded and not recorded._graphed.broken
    for one, other in zip(losses[:3], losses[3:], strict=True):
        assert one == pytest.approx(other, rel=2e-2, abs=1e-3)


@needs_gpu
def test_a_recorded_draw_follows_the_growing_memory():
    model, batch = learner("push-gpu-keypoint", device="cuda")
    memory = model.replay_buffer
    memory.moved_only = False  # so that the key stays the same below
    model.train(5, batch)
    for table in memory.memory.values():
        if table.is_floating_point():
            table[1:] = float("nan")
    memory.stored_episodes = 1  # all others are gone
    memory._forget_choices()
    known = dict(model._graphed._calls)
    model.take_losses()
    model.train(1, batch)
    assert model._graphed._recorded and model._graphed._calls == known, "it was replayed"
    assert all(np.isfinite(value) for value in model.take_losses().values())


@needs_gpu
def test_another_memory_is_another_recording():
    model, batch = learner("push-gpu-keypoint", device="cuda")
    model.train(5, batch)
    before = model._graphed
    model.replay_buffer.seed(7)
    model.train(1, batch)
    assert model._graphed is not before


def fall(model, batch):
    """Four updates with step sizes that fall. Returns the weights that they leave."""
    for share in (1.0, 0.6, 0.2, 0.01):
        model.lr_schedule = lambda _, share=share: 1e-3 * share
        model.train(1, batch)
    return torch.cat([p.detach().flatten() for p in model.actor.parameters()])


def test_one_recording_serves_step_sizes_that_fall(monkeypatch):
    """On a CPU, where the function runs in place of its recording: with the same weights."""
    keys = []

    class Runs:
        def __init__(self, function, optimizers, generators):
            self.function, self.generators = function, generators

        def __call__(self, *arguments, key):
            keys.append(key)
            return self.function(*arguments)

    monkeypatch.setattr("labs.fast_sac.Graphed", Runs)
    found = []
    for recorded in (False, True):
        model, batch = learner("push-blind-n3", device="cpu")
        monkeypatch.setattr("labs.fast_sac.wants_graph", lambda *given, yes=recorded: yes)
        torch.manual_seed(0)
        found.append(fall(model, batch))
    assert len(keys) == 4 and len(set(keys)) == 1, "a step size is part of the recording"
    assert torch.allclose(*found, rtol=0, atol=1e-6)


@needs_gpu
def test_a_recording_reads_the_step_size_of_the_moment():
    found = []
    for compile in (False, "auto"):
        model, batch = learner("push-blind-n3", device="cuda")
        model.compile = compile
        torch.manual_seed(0)
        model.train(WARM_UPS + 2, batch)
        found.append(fall(model, batch))
    assert len(model._graphed._recorded) == 1
    assert torch.allclose(*found, rtol=0, atol=1e-3)


class Recorder(Graphed):
    """Graphed without a GPU: what is run, recorded and replayed, in order."""

    def __init__(self, problem=None):
        self.function = lambda *arguments: self.log.append(("run", *arguments))
        self.log, self.problem = [], problem
        self._calls, self._recorded, self.broken = {}, {}, False

    def _warm_up(self, arguments):
        return self.function(*arguments)

    def _record(self, arguments):
        if self.problem:
            raise self.problem
        self.log.append(("record", *arguments))
        replay = SimpleNamespace(replay=lambda: self.log.append(("replay", *arguments)))
        return replay, None


@pytest.fixture
def streams(monkeypatch):
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "default_generators", [torch.Generator()])


def test_three_real_updates_then_one_recording_then_replays(streams):
    graphed = Recorder()
    for _ in range(5):
        graphed(64, True, key="a")
    graphed(64, True, key="b")  # another learning rate
    graphed(64, True, key="a")
    assert [word for word, *_ in graphed.log] == [
        *["run"] * WARM_UPS,
        "record",
        *["replay"] * 2,
        "run",
        "replay",
    ]


def test_a_failed_recording_loses_no_update(streams):
    graphed = Recorder(RuntimeError("operation not permitted"))
    graphed.generators = []
    for _ in range(WARM_UPS):
        graphed(64, True)
    with pytest.warns(UserWarning, match="kernel by kernel: operation not permitted"):
        graphed(64, True)
    graphed(64, True)
    assert graphed.log == [("run", 64, True)] * (WARM_UPS + 2)


def test_generators_that_a_failed_recording_spoiled_are_told(streams):
    class Spoiled:
        def get_state(self):
            raise RuntimeError("Offset increment outside graph capture")

    graphed = Recorder(RuntimeError("operation not permitted"))
    graphed.generators = [Spoiled()]
    for _ in range(WARM_UPS):
        graphed(64, True)
    with pytest.raises(RuntimeError, match="set TORCHDYNAMO_DISABLE=1"):
        graphed(64, True)
