"""SharedVecEnv against SB3's DummyVecEnv, and what happens when a worker dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import psutil
import pytest
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from labs.collect import PatientVecEnv, SharedVecEnv
from labs.envs import make_env
from labs.errors import UserError
from labs.experiments.config import override
from labs.experiments.environments import make_training_env
from labs.experiments.presets import preset, smoke
from labs.fast_sac import FastSAC
from labs.pixel_wrapper import PixelObservationWrapper


def pixel_env(seed: int):
    env = make_env("push", scene="lean", image_size=24, max_episode_steps=6)
    env = PixelObservationWrapper(
        env, image_size=(24, 24), goal_mode="both", frame_stack=3, proprio_indices=range(10)
    )
    env.reset(seed=seed)
    return env


def state_env(seed: int):
    env = make_env("reach", render_mode=None, max_episode_steps=5)
    env.reset(seed=seed)
    return env


def factories(make, n):
    return [partial(make, seed) for seed in range(n)]


def same(a, b) -> bool:
    return set(a) == set(b) and all(np.array_equal(a[k], b[k]) for k in a)


@pytest.fixture(scope="module")
def three_envs():
    env = SharedVecEnv(factories(pixel_env, 3), workers=2)
    yield env
    env.close()


def test_it_shows_what_sb3s_vector_shows(three_envs):
    """Observations, rewards, ends, infos and terminal observations, over two episodes."""
    stock = DummyVecEnv(factories(pixel_env, 3))
    rng = np.random.default_rng(0)
    for env in (stock, three_envs):
        env.seed(7)
    assert same(stock.reset(), three_envs.reset())
    ends = 0
    for _ in range(14):
        actions = rng.uniform(-1, 1, (3, 4)).astype(np.float32)
        theirs, mine = stock.step(actions), three_envs.step(actions)
        assert same(theirs[0], mine[0])
        assert np.array_equal(theirs[1], mine[1]) and np.array_equal(theirs[2], mine[2])
        for a, b in zip(theirs[3], mine[3], strict=True):
            assert a["is_success"] == b["is_success"]
            assert a["TimeLimit.truncated"] == b["TimeLimit.truncated"]
            assert ("terminal_observation" in a) == ("terminal_observation" in b)
            if "terminal_observation" in a:
                ends += 1
                assert same(a["terminal_observation"], b["terminal_observation"])
    assert ends == 6
    stock.close()


def test_observations_are_not_overwritten_by_the_next_step(three_envs):
    first = three_envs.reset()
    copy = {k: v.copy() for k, v in first.items()}
    for _ in range(3):
        three_envs.step(np.ones((3, 4), dtype=np.float32))
    assert same(first, copy)


def test_attributes_and_methods_reach_the_right_environment(three_envs):
    assert three_envs.get_attr("distance_threshold") == [0.05] * 3
    three_envs.set_attr("label", "second", indices=1)
    assert three_envs.get_attr("label", indices=[1]) == ["second"]
    goals = np.zeros((2, 3))
    rewards = three_envs.env_method("compute_reward", goals, goals + 1, {}, indices=[2])
    assert np.array_equal(rewards[0], [-1, -1])
    assert three_envs.env_is_wrapped(PixelObservationWrapper) == [True] * 3


def test_an_attribute_that_nobody_has_stops_no_run(three_envs):
    with pytest.raises(AttributeError, match="nonsense"):
        three_envs.get_attr("nonsense")
    assert not three_envs.has_attr("nonsense") and three_envs.has_attr("distance_threshold")
    assert three_envs.get_attr("distance_threshold") == [0.05] * 3


def test_a_request_during_a_step_is_refused_and_the_step_survives(three_envs):
    three_envs.reset()
    three_envs.step_async(np.zeros((3, 4), np.float32))
    with pytest.raises(RuntimeError, match="get_attr while a step is under way"):
        three_envs.get_attr("distance_threshold")
    obs, rewards, _, _ = three_envs.step_wait()
    assert len(obs["pixels"]) == len(rewards) == 3
    assert three_envs.get_attr("distance_threshold") == [0.05] * 3


def test_a_memory_that_asks_the_environment_needs_one_in_this_process(three_envs):
    with pytest.raises(ValueError, match="received HerReplayBuffer with a SharedVecEnv"):
        FastSAC("MultiInputPolicy", three_envs, replay_buffer_class=HerReplayBuffer)


def alive(processes) -> list[int]:
    return [p.pid for p in processes if psutil.pid_exists(p.pid) and p.is_alive()]


def test_a_killed_worker_is_named_and_no_process_stays():
    env = SharedVecEnv(factories(state_env, 3), workers=2)
    env.reset()
    victim = env.processes[1]
    os.kill(victim.pid, signal.SIGKILL)
    with pytest.raises(UserError, match=rf"worker 1 \(process {victim.pid}, .*signal 9"):
        for _ in range(3):
            env.step(np.zeros((3, 4), dtype=np.float32))
    assert alive(env.processes) == []
    env.close()  # a second time: nothing left to do


class Killer(BaseCallback):
    """Kills a worker in the middle of training."""

    def _on_step(self):
        if self.num_timesteps == 12:
            os.kill(self.training_env.processes[0].pid, signal.SIGKILL)
        return True


def test_training_stops_cleanly_when_a_worker_dies():
    env = SharedVecEnv(factories(state_env, 2), workers=2)
    model = FastSAC(
        "MultiInputPolicy", env, learning_starts=1000, buffer_size=500, device="cpu", seed=0
    )
    with pytest.raises(UserError, match=r"worker 0 .* was killed by signal 9: the run stopped"):
        model.learn(40, callback=Killer())
    assert model.num_timesteps == 12 and alive(env.processes) == []


def test_the_fast_engine_with_processes_uses_it():
    config = override(smoke(preset("push-state-tuned")), engine="fast", subproc=True, n_envs=2)
    env = make_training_env(config)
    try:
        assert type(env) is SharedVecEnv and env.num_envs == 2
        assert set(env.reset()) == {"observation", "achieved_goal", "desired_goal"}
    finally:
        env.close()


class Broken:
    """Stands in for nothing: an environment whose third step raises."""

    def __new__(cls):
        env = state_env(0)
        step, count = env.step, iter(range(10))

        def fails(action):
            if next(count) == 2:
                raise ArithmeticError("the arm left the table")
            return step(action)

        env.step = fails
        return env


def test_a_worker_that_raises_is_named_with_its_error():
    env = SharedVecEnv([Broken])
    env.reset()
    with pytest.raises(UserError, match="worker 0 .* raised ArithmeticError: the arm left"):
        for _ in range(4):
            env.step(np.zeros((1, 4), dtype=np.float32))
    assert alive(env.processes) == []


def hangs():
    env = state_env(0)
    env.step = lambda action: time.sleep(60)
    return env


def test_a_worker_that_hangs_is_named_with_a_way_out():
    env = SharedVecEnv([hangs])
    env.reset()
    env.timeout = 0.3
    with pytest.raises(UserError, match="did not answer for 0 s: .*MUJOCO_GL=osmesa or use fewer"):
        env.step(np.zeros((1, 4), dtype=np.float32))
    assert alive(env.processes) == []


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGSTOP, "did not answer for 0 s: .*MUJOCO_GL=osmesa or use fewer"),
        (signal.SIGKILL, "was killed by signal 9: the run stopped; resume it"),
    ],
)
def test_sb3s_workers_are_not_waited_for_for_ever(number, said):
    env = make_training_env(override(smoke(preset("reach-state")), subproc=True, n_envs=2))
    env.reset()
    env.timeout = 0.5
    os.kill(env.processes[1].pid, number)
    with pytest.raises(UserError, match=r"worker 1 .process \d+, environments 1 to 1. " + said):
        env.step(np.zeros((2, 4), dtype=np.float32))
    assert alive(env.processes) == []
    env.close()


def fails():
    raise FileNotFoundError("no such scene")


def test_an_environment_that_cannot_be_made_is_an_error_at_once():
    with pytest.raises(UserError, match="raised FileNotFoundError: no such scene"):
        SharedVecEnv([fails])


def test_sb3s_first_worker_may_end_before_it_has_an_environment():
    before = set(multiprocessing.active_children())
    with pytest.raises(UserError, match="worker 0 .* ended with exit code 1: the run stopped"):
        PatientVecEnv([fails, fails])
    assert set(multiprocessing.active_children()) <= before


def test_a_function_that_no_worker_can_import_is_refused():
    before = set(multiprocessing.active_children())
    with pytest.raises(ValueError, match="functools.partial of one"):
        SharedVecEnv([partial(state_env, 0), lambda: state_env(0)], workers=2)
    assert set(multiprocessing.active_children()) <= before


PARENT = """
import sys, time
from tests.test_collect import SharedVecEnv, factories, state_env
if __name__ == "__main__":
    env = SharedVecEnv(factories(state_env, 2), workers=2)
    env.reset()
    print(*[p.pid for p in env.processes], flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = os.path.dirname(os.path.dirname(__file__))
    environment = {**os.environ, "PYTHONPATH": root}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.kill()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(psutil.pid_exists(pid) for pid in workers):
        time.sleep(0.2)
    assert not any(psutil.pid_exists(pid) for pid in workers)
