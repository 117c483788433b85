"""What runs inside a worker process of :class:`labs.collect.SharedVecEnv`.

A worker steps and draws a few environments. Vectors, rewards, actions and the newest frame of each
stack go through one block of shared memory; only small things (infos, errors) go through a pipe.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from multiprocessing import connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space

from labs.goal_tasks import FRAME_CHANNELS

Layout = dict[str, tuple[int, tuple[int, ...], str]]  # name → offset in bytes, shape, dtype


def layout_of(fields: dict[str, tuple[tuple[int, ...], Any]]) -> tuple[Layout, int]:
    """Places arrays one after the other, each aligned to a cache line."""
    layout: Layout = {}
    end = 0
    for name, (shape, dtype) in fields.items():
        layout[name] = (end, shape, np.dtype(dtype).str)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        end += -(-size // 64) * 64
    return layout, max(end, 1)


def views(memory: SharedMemory, layout: Layout) -> dict[str, np.ndarray]:
    return {
        name: np.ndarray(shape, dtype, buffer=memory.buf, offset=offset)
        for name, (offset, shape, dtype) in layout.items()
    }


def frame_shape(space: spaces.Space) -> tuple[int, ...] | None:
    """(3, H, W) for a stack of RGB frames, None for everything else."""
    if is_image_space(space) and len(space.shape) == 3 and space.shape[0] % FRAME_CHANNELS == 0:
        return (FRAME_CHANNELS, *space.shape[1:])
    return None


class Worker:
    """Serves a few environments inside a worker process."""

    def __init__(self, envs: list[gym.Env], first: int, arrays: dict[str, np.ndarray]):
        self.envs, self.first, self.arrays = envs, first, arrays

    def write(self, prefix: str, i: int, obs: dict[str, np.ndarray], fresh: bool = False) -> None:
        for key, value in obs.items():
            target = self.arrays[prefix + key]
            if value.shape != target.shape[1:]:  # a stack: only its newest frame travels
                newest = value[-FRAME_CHANNELS:]
                if fresh and not (value.reshape(-1, *newest.shape) == newest).all():
                    raise ValueError(
                        f"received a first stack {key!r} of different frames; expected a reset to "
                        "fill the stack with its first frame, as PixelObservationWrapper does"
                    )
                value = newest
            target[self.first + i] = value

    def reset(self, seeds: list[int | None], options: list[dict]) -> list[dict]:
        infos = []
        for i, env in enumerate(self.envs):
            obs, info = env.reset(seed=seeds[i], **({"options": options[i]} if options[i] else {}))
            self.write("obs.", i, obs, fresh=True)
            infos.append(info)
        return infos

    def step(self) -> list[tuple[dict, dict | None]]:
        results = []
        for i, env in enumerate(self.envs):
            row = self.first + i
            obs, reward, terminated, truncated, info = env.step(self.arrays["actions"][row].copy())
            done = terminated or truncated
            info["TimeLimit.truncated"] = truncated and not terminated
            reset_info = None
            if done:
                self.write("final.", i, obs)
                obs, reset_info = env.reset()
            self.write("obs.", i, obs, fresh=done)
            self.arrays["rewards"][row] = reward
            self.arrays["dones"][row] = done
            results.append((info, reset_info))
        return results

    def call(self, method: str, indices: list[int], args: tuple, kwargs: dict) -> list[Any]:
        """Runs one of the small requests on the environments of these (local) indices."""
        from stable_baselines3.common.env_util import is_wrapped

        chosen = [self.envs[i] for i in indices]
        if method == "get_attr":
            try:
                return [env.get_wrapper_attr(*args) for env in chosen]
            except AttributeError as error:  # an answer, and no reason to stop the run
                return [error] * len(chosen)
        if method == "set_attr":
            return [setattr(env, *args) for env in chosen]  # type: ignore[func-returns-value]
        if method == "is_wrapped":
            return [is_wrapped(env, *args) for env in chosen]
        if method == "render":
            return [env.render() for env in chosen]
        name, *rest = args
        return [env.get_wrapper_attr(name)(*rest, **kwargs) for env in chosen]


def work(pipe: connection.Connection, first: int, threads: int) -> None:
    """The main function of a worker process; its parent sends what makes the environments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    memory = None
    envs: list[gym.Env] = []
    try:
        os.environ.update(pipe.recv())  # a fork server has that of its own start
        # One core each: software GL would otherwise start a thread per core in every worker.
        os.environ.setdefault("LP_NUM_THREADS", str(threads))
        # Received only now, for it may import GL, which reads the environment.
        envs = [make() for make in pipe.recv()]
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
            sys.modules["torch"].set_flush_denormal(True)  # a locator's softmax makes many
        pipe.send(("ok", (envs[0].observation_space, envs[0].action_space, envs[0].render_mode)))
        name, layout = pipe.recv()
        memory = SharedMemory(name=name)
        worker = Worker(envs, first, views(memory, layout))
        while (request := pipe.recv()) is not None:
            method, *args = request
            pipe.send(("ok", getattr(worker, method)(*args)))
    except EOFError:
        pass  # the parent is gone
    except Exception as error:
        where = traceback.format_exc()
        try:
            pipe.send(("error", (f"{type(error).__name__}: {error}", where)))
        except OSError:
            pass  # the parent is gone as well
    finally:
        for env in envs:
            env.close()
        if memory is not None:
            worker.arrays = {}
            memory.close()
        pipe.close()
