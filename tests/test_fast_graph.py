"""The whole update as one CUDA graph: where it is used, and that it changes nothing."""

from dataclasses import replace

import pytest
import torch

from labs.experiments.environments import make_training_env
from labs.experiments.models import build
from labs.experiments.presets import preset, smoke
from labs.fast_compile import wants_graph

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
    "arm", ["push-gpu-keypoint", "push-gpu-honest", "push-gpu", "push-gpu-blind"]
)
def test_a_recorded_update_is_the_same_update(arm):
    losses, policies = [], []
    for compile in (False, "auto"):
        model, batch = learner(arm, device="cuda")
        model.compile = compile
        torch.manual_seed(0)
        for _ in range(3):
            model.train(4, batch)
            losses.append(model.take_losses())
        policies.append(model)
    plain, recorded = policies
    assert plain._graphed is None
    assert recorded._graphed._recorded and not recorded._graphed.broken
    for one, other in zip(losses[:3], losses[3:], strict=True):
        assert one == pytest.approx(other, rel=2e-2, abs=1e-3)
    assert losses[0] != losses[2], "something is learned"


@needs_gpu
def test_a_recorded_draw_follows_the_growing_memory():
    model, batch = learner("push-gpu-keypoint", device="cuda")
    model.train(5, batch)
    memory = model.replay_buffer
    assert model._graphed._recorded
    memory.memory["rewards"].fill_(0)
    memory.stored_episodes = 1  # all others are gone
    memory._forget_choices()
    memory.refresh()
    episode, *_ = memory.draw(64)
    assert int(episode.max()) == 0
    model.train(1, batch)
    assert all(v == v for v in model.take_losses().values())
