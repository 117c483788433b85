"""Environments in worker processes: physics and rendering run while the learner updates.

:class:`SharedVecEnv` is an SB3 ``VecEnv``. Between ``step_async`` and ``step_wait`` the workers
step and draw, and the caller is free: :class:`labs.fast_sac.FastSAC` updates its networks then.
What is large travels through shared memory, and only once: a worker writes its newest frame, and
the learner keeps the stacks. A stack of four frames through SB3's pipe costs 84,672 bytes and a
pickle per step; a frame through shared memory costs 21,168 bytes and one copy.

A worker that dies or raises is named, every other worker is ended, and the run stops with one
line. Workers end with their parent, however it ends: their pipe closes.

Workers draw their own frames. Renderers in processes of their own were not built: where a GPU's
driver hangs with many EGL contexts, use fewer workers.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from multiprocessing import connection
from multiprocessing.shared_memory import SharedMemory
from pickle import PicklingError
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import SubprocVecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from labs.collect_worker import FRAME_CHANNELS, frame_shape, layout_of, views, work
from labs.envs import worker_count
from labs.errors import UserError

PATIENCE = 300.0  # seconds after which a silent worker counts as hung
HUNG = "; if it stops so again, set MUJOCO_GL=osmesa or use fewer workers"


def how_it_ended(process: Any) -> str:
    """What became of a worker whose pipe is closed."""
    process.join(1)
    code = process.exitcode
    if code is not None and code < 0:
        return f"was killed by signal {-code}"
    return f"ended with exit code {code}"


def lost(number: int, process: Any, share: range, what: str, advice: str = "") -> UserError:
    """The error of a run that lost a worker, which served a share of the environments."""
    return UserError(
        f"environment worker {number} (process {process.pid}, environments {share.start} to "
        f"{share.stop - 1}) {what}: the run stopped; resume it from its last checkpoint{advice}"
    )


class SharedVecEnv(VecEnv):
    """An SB3 vector environment whose workers hand over single frames through shared memory.

    Args:
        env_fns: one function per environment, which a worker imports by its name: a function of a
            module, or ``functools.partial`` of one. Observations are dicts (``spaces.Dict``) of
            arrays; a channels-first image with 3·n channels is a stack of n frames, the newest
            last, which a reset fills with its first frame.
        workers: processes; each serves an equal share of the environments. None: one per usable
            core, at most one per environment.
        start_method: of ``multiprocessing``; None takes ``"forkserver"`` where it exists, else
            ``"spawn"``. Plain ``"fork"`` copies GL contexts and locks that no child may touch.
        timeout: seconds after which a silent worker counts as hung.
        threads: threads of one worker's software rendering.

    Raises:
        UserError: a worker died, raised, or hung; the message names it and its environments.
        RuntimeError: a request between ``step_async`` and ``step_wait``, whose answers would mix.
        ValueError: no environments, a function without a name to import it by, or observations
            that are no dict.
    """

    def __init__(
        self,
        env_fns: Sequence[Callable[[], gym.Env]],
        *,
        workers: int | None = None,
        start_method: str | None = None,
        timeout: float = PATIENCE,
        threads: int = 1,
    ):
        if not env_fns:
            raise ValueError("received no environment; expected at least one")
        count = min(workers or worker_count(), len(env_fns))
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context(
            start_method or ("forkserver" if "forkserver" in methods else "spawn")
        )
        self.timeout = timeout
        self.closed = False
        self._waiting = False
        self._memory: SharedMemory | None = None
        self._arrays: dict[str, np.ndarray] = {}
        self._pipes: list[connection.Connection] = []
        self.processes: list[Any] = []
        bounds = np.linspace(0, len(env_fns), count + 1).astype(int)
        self.shares = [range(a, b) for a, b in zip(bounds, bounds[1:], strict=False)]
        try:
            for number, share in enumerate(self.shares):
                mine, theirs = context.Pipe()
                process = context.Process(
                    target=work,
                    args=(theirs, share.start, threads),
                    name=f"environment-worker-{number}",
                    daemon=True,
                )
                process.start()
                theirs.close()
                self._pipes.append(mine)
                self.processes.append(process)
                self._hand_over(number, [env_fns[i] for i in share])
            observation_space, action_space, self.render_mode = self._receive_all()[0]
            if not isinstance(observation_space, spaces.Dict):
                raise ValueError(f"received {observation_space}; expected a spaces.Dict")
            self._share_memory(len(env_fns), observation_space, action_space)
        except BaseException:
            self.close()
            raise
        super().__init__(len(env_fns), observation_space, action_space)

    def _hand_over(self, number: int, factories: list[Callable[[], gym.Env]]) -> None:
        try:
            self._send(number, dict(os.environ))
            self._send(number, factories)
        except (AttributeError, TypeError, PicklingError) as error:
            raise ValueError(
                f"received an environment function that no other process can import ({error}); "
                "expected one of a module, or functools.partial of one"
            ) from error

    def _share_memory(self, n: int, space: spaces.Dict, action_space: spaces.Space) -> None:
        self._frames = {k: frame_shape(part) for k, part in space.spaces.items()}
        fields: dict[str, tuple[tuple[int, ...], Any]] = {
            "actions": ((n, *action_space.shape), action_space.dtype),
            "rewards": ((n,), np.float64),
            "dones": ((n,), np.bool_),
        }
        for key, part in space.spaces.items():
            shape = self._frames[key] or part.shape
            fields[f"obs.{key}"] = fields[f"final.{key}"] = ((n, *shape), part.dtype)
        layout, size = layout_of(fields)
        self._memory = SharedMemory(create=True, size=size)
        self._arrays = views(self._memory, layout)
        self._current: dict[str, np.ndarray] = {}
        for pipe in self._pipes:
            pipe.send((self._memory.name, layout))

    # ------------------------------------------------------------------------------- messages

    def _fail(self, number: int, what: str, detail: str = "", advice: str = "") -> None:
        self.close(force=True)
        if detail:
            print(detail, file=sys.stderr, flush=True)
        raise lost(number, self.processes[number], self.shares[number], what, advice)

    def _send(self, number: int, message: Any) -> None:
        try:
            self._pipes[number].send(message)
        except OSError:
            self._fail(number, how_it_ended(self.processes[number]))

    def _receive_all(self, numbers: Sequence[int] | None = None) -> list[Any]:
        """One answer from each worker, in the order of the workers."""
        numbers = list(range(len(self._pipes))) if numbers is None else list(numbers)
        answers: dict[int, Any] = {}
        while len(answers) < len(numbers):
            missing = [n for n in numbers if n not in answers]
            ready = connection.wait([self._pipes[n] for n in missing], timeout=self.timeout)
            if not ready:
                self._fail(missing[0], f"did not answer for {self.timeout:.0f} s", advice=HUNG)
            for pipe in ready:
                number = self._pipes.index(pipe)
                try:
                    kind, content = pipe.recv()
                except (EOFError, OSError):  # a dead process closes its end
                    self._fail(number, how_it_ended(self.processes[number]))
                if kind == "error":
                    self._fail(number, f"raised {content[0]}", content[1])
                answers[number] = content
        return [answers[n] for n in numbers]

    # ---------------------------------------------------------------------------- the VecEnv API

    def reset(self) -> dict[str, np.ndarray]:
        if self._waiting:  # a step is under way: its answers come first
            self._receive_all()
            self._waiting = False
        for number, share in enumerate(self.shares):
            seeds = [self._seeds[i] for i in share]
            self._send(number, ("reset", seeds, [self._options[i] for i in share]))
        self.reset_infos = [info for infos in self._receive_all() for info in infos]
        self._reset_seeds()
        self._reset_options()
        everyone = np.ones(self.num_envs, dtype=bool)
        self._current = {key: self._next(key, everyone) for key in self._frames}
        return dict(self._current)

    def step_async(self, actions: np.ndarray) -> None:
        if self._waiting:
            raise RuntimeError("received step_async while a step is under way: step_wait first")
        self._arrays["actions"][:] = actions
        for number in range(len(self._pipes)):
            self._send(number, ("step",))
        self._waiting = True

    def step_wait(self):
        answers = [pair for share in self._receive_all() for pair in share]
        self._waiting = False
        dones = self._arrays["dones"].copy()
        infos = [info for info, _ in answers]
        for i in np.flatnonzero(dones):
            infos[i]["terminal_observation"] = {key: self._final(key, i) for key in self._frames}
            self.reset_infos[i] = answers[i][1]
        self._current = {key: self._next(key, dones) for key in self._frames}
        rewards = self._arrays["rewards"].astype(np.float32)
        return dict(self._current), rewards, dones, infos

    def _next(self, key: str, fresh: np.ndarray) -> np.ndarray:
        """The new observation: stacks move on by one frame. The next one is made from it, so the
        caller must not write into it."""
        received = self._arrays[f"obs.{key}"]
        shape = self.observation_space[key].shape
        if received.shape[1:] == shape:
            return received.copy()
        stack = np.empty((self.num_envs, *shape), dtype=received.dtype)
        if not fresh.all():
            stack[:, :-FRAME_CHANNELS] = self._current[key][:, FRAME_CHANNELS:]
            stack[:, -FRAME_CHANNELS:] = received
        for i in np.flatnonzero(fresh):
            stack[i].reshape(-1, *received.shape[1:])[:] = received[i]
        return stack

    def _final(self, key: str, i: int) -> np.ndarray:
        received = self._arrays[f"final.{key}"][i]
        if received.shape == self.observation_space[key].shape:
            return received.copy()
        return np.concatenate([self._current[key][i, FRAME_CHANNELS:], received])

    def close(self, force: bool = False) -> None:
        """Ends every worker and frees the shared memory.

        Args:
            force: do not wait for steps under way; end the processes at once.
        """
        if self.closed:
            return
        self.closed = True
        for pipe in self._pipes:
            try:
                pipe.send(None)
            except OSError:
                continue  # that worker is gone already
        for process in self.processes:
            process.join(0.2 if force else 10)
            if process.is_alive():
                process.terminate()
                process.join(2)
            if process.is_alive():
                process.kill()
                process.join()
        for pipe in self._pipes:
            pipe.close()
        self._arrays = {}
        if self._memory is not None:
            self._memory.close()
            self._memory.unlink()

    def _call(
        self, indices: Any, method: str, args: tuple = (), kwargs: dict | None = None
    ) -> list:
        if self._waiting:
            raise RuntimeError(
                f"received the request {method} while a step is under way; expected step_wait first"
            )
        wanted = list(self._get_indices(indices))
        results: dict[int, Any] = {}
        groups = {n: [i for i in wanted if i in share] for n, share in enumerate(self.shares)}
        groups = {n: group for n, group in groups.items() if group}
        for number, group in groups.items():
            local = [i - self.shares[number].start for i in group]
            self._send(number, ("call", method, local, args, kwargs or {}))
        for group, values in zip(groups.values(), self._receive_all(list(groups)), strict=True):
            results.update(zip(group, values, strict=True))
        return [results[i] for i in wanted]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        found = self._call(indices, "get_attr", (attr_name,))
        for value in found:
            if isinstance(value, AttributeError):
                raise value
        return found

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        self._call(indices, "set_attr", (attr_name, value))

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list:
        return self._call(indices, "env_method", (method_name, *args), kwargs)

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: Any = None) -> list[bool]:
        return self._call(indices, "is_wrapped", (wrapper_class,))

    def get_images(self) -> list[np.ndarray | None]:
        return self._call(None, "render")


class PatientVecEnv(SubprocVecEnv):
    """SB3's vector of processes, one an environment; SB3 waits for an answer for ever.

    Args:
        env_fns: one function per environment.
        timeout: seconds after which a silent worker counts as hung, once all have started.

    Raises:
        UserError: a worker died or hung; the message names it. Every other one is ended.
    """

    def __init__(self, env_fns: Sequence[Callable[[], gym.Env]], timeout: float = PATIENCE):
        self.processes: list[Any] = []
        try:
            super().__init__(list(env_fns), start_method="forkserver")
        except (EOFError, OSError):  # SB3 asks the first one for its spaces
            if not self.processes:
                raise
            self.fail(0, how_it_ended(self.processes[0]))
        self.timeout = timeout
        self.remotes = tuple(_Patient(self, number) for number in range(len(env_fns)))

    def fail(self, number: int, what: str, advice: str = "") -> None:
        """Ends every worker and raises UserError of one that gives no answer."""
        for process in self.processes:
            process.kill()
            process.join()
        self.closed = True  # SB3's close would wait for their answers
        raise lost(number, self.processes[number], range(number, number + 1), what, advice)


class _Patient:
    """A worker's pipe; whoever waits at it does not wait for ever."""

    def __init__(self, env: PatientVecEnv, number: int):
        self._env, self._number = env, number
        self._pipe: connection.Connection = env.remotes[number]

    def recv(self) -> Any:
        try:
            if self._pipe.poll(self._env.timeout):
                return self._pipe.recv()
        except (EOFError, OSError):  # a dead process closes its end
            self._env.fail(self._number, how_it_ended(self._env.processes[self._number]))
        self._env.fail(self._number, f"did not answer for {self._env.timeout:.0f} s", HUNG)

    def send(self, message: Any) -> None:
        try:
            self._pipe.send(message)
        except OSError:
            self._env.fail(self._number, how_it_ended(self._env.processes[self._number]))

    def close(self) -> None:
        self._pipe.close()
