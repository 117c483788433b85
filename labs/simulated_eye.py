"""An eye that is exactly as good as we say: the block's place, off by a known error.

How exact must an eye be, and in which way may it err? Eyes that were trained differ in both, and
each costs an hour. So this one reads the simulator and spoils what it reads. No picture is drawn.

* :class:`SimulatedEye`: adds ``located``, the block's center as such an eye reads it.
* :class:`ErrorField`: an error that belongs to a place, the same at every look.

An error of kind ``drawn`` is thrown anew at every step: the next look contradicts the last. One of
kind ``fixed`` is a smooth function of the place: every look agrees with every other, and what
is read is bent, as a map can be, rather than shaken. Both have the same spread in every number.

A smooth random function is drawn by random Fourier features (Rahimi and Recht 2007): a sum of
cosines of random directions, whose values at two places closer than ``length`` are alike.

On FetchPush-v4 with joints and the goal:

==================  ==================================================  ==========
network             what it reads                                       features
==================  ==================================================  ==========
actor               ``located`` 3 a look, ``proprioception`` 10,        (B, 16)
                    goal 3
critic, each        the same, or the exact center in ``located``'s      (B, 16)
                    place (:mod:`labs.asymmetric`)
==================  ==================================================  ==========

Command line: ``python -m labs.simulated_eye --verify``.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from labs.tasks import Stream, own_stream

KINDS = ("drawn", "fixed")
LENGTH = 0.05  # m, the width of the block
COSINES = 256


class ErrorField:
    """A smooth random function from a place to an error.

    Args:
        spread: standard deviation of each number of the error, in meters.
        seed: of the function; equal seeds, equal functions.
        length: meters over which the error stays about the same.
    """

    def __init__(self, spread: float, seed: int, length: float = LENGTH):
        rng = np.random.default_rng(seed)
        # One set of cosines for each of the error's three numbers.
        self._directions = rng.normal(0, 1 / length, (3, COSINES, 3))
        self._phases = rng.uniform(0, 2 * np.pi, (3, COSINES))
        self._height = spread * np.sqrt(2 / COSINES)

    def __call__(self, place: np.ndarray) -> np.ndarray:
        """The error (3,) at a place (3,), both in meters."""
        return self._height * np.cos(self._directions @ place + self._phases).sum(axis=1)


class SimulatedEye(gym.ObservationWrapper):
    """Adds ``located`` (3·k,) float64, in meters: what an eye reads of the block's center.

    It holds the last k looks, the oldest first; an episode's first fills what lies before it.

    The actor reads it, in training and afterwards. Rewards and hindsight keep to the true place.

    Args:
        env: its attribute ``last_raw_obs`` is the raw observation, with ``achieved_goal``.
        error: standard deviation of each number, in meters. 0: the place itself.
        kind: ``"drawn"`` anew at each step, from the last seed that ``reset`` was given;
            ``"fixed"``, a function of the place.
        seed: of the fixed function.
        looks: k.

    Raises:
        ValueError: an unknown kind, or a negative error.
    """

    def __init__(
        self, env: gym.Env, error: float, kind: str = "drawn", *, seed: int = 0, looks: int = 1
    ):
        super().__init__(env)
        if kind not in KINDS:
            raise ValueError(f"received kind {kind!r}; expected one of {', '.join(KINDS)}")
        if error < 0:
            raise ValueError(f"received error {error}; expected 0 m or more")
        self._error = error
        self._field = ErrorField(error, seed) if kind == "fixed" else None
        self._rng = np.random.default_rng(0)
        self._looks: deque[np.ndarray] = deque(maxlen=looks)
        box = spaces.Box(-np.inf, np.inf, (3 * looks,), np.float64)
        self.observation_space = spaces.Dict({**env.observation_space.spaces, "located": box})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if seed is not None:
            self._rng = own_stream(seed, Stream.SIMULATED_EYE)
        self._looks.clear()
        return super().reset(seed=seed, options=options)

    def observation(self, observation: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        place = self.env.get_wrapper_attr("last_raw_obs")["achieved_goal"]
        if self._field is not None:
            look = place + self._field(place)
        else:
            look = self._rng.normal(place, self._error)
        self._looks.extend([look] * (1 if self._looks else self._looks.maxlen))
        return {**observation, "located": np.concatenate(self._looks)}


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("simulated_eye", title="Simulated eye"))
