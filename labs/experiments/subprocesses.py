"""SB3's worker processes, waited for as long as our own: SB3 waits for an answer for ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

import gymnasium as gym
from stable_baselines3.common.vec_env import SubprocVecEnv

from labs.collect import HUNG, PATIENCE, how_it_ended, lost


class PatientVecEnv(SubprocVecEnv):
    """SB3's vector of processes, one an environment.

    Args:
        env_fns: one function per environment.
        timeout: seconds after which a silent worker counts as hung, once all have started.

    Raises:
        UserError: a worker died or hung; the message names it. Every other one is ended.
    """

    def __init__(self, env_fns: Sequence[Callable[[], gym.Env]], timeout: float = PATIENCE):
        super().__init__(list(env_fns), start_method="forkserver")
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
        self._pipe: Connection = env.remotes[number]

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
