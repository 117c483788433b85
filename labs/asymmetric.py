"""A critic that knows more than the actor (Pinto et al. 2018, arXiv 1710.06542).

The critic exists in training only. So it may be told the simulator's state, while the actor, which
is all that remains, has to see. The critic then learns as fast as that of a state policy; whether
the actor can act on what it *sees* is left to the actor.

* :class:`PrivilegedObservation`: adds the state to the observation, under a key of its own.
* :class:`AsymmetricPolicy`: the critic reads that key in place of the camera; the actor never does.

On FetchPush-v4 with a locator of three frames, joints and the goal:

==================  ==================================================  ==========
network             what it reads                                       features
==================  ==================================================  ==========
actor               ``located`` 12, ``proprioception`` 10, goal 3       (B, 25)
critic, each        ``privileged`` 25, ``proprioception`` 10, goal 3    (B, 38)
==================  ==================================================  ==========

Command line: ``python -m labs.asymmetric --verify``.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from labs.fast_networks import LayerNormPolicy

PRIVILEGED = "privileged"
CAMERA_KEYS = ("pixels", "located")  # the camera, or what was read in its frames


class PrivilegedObservation(gym.ObservationWrapper):
    """Adds the whole state vector of the simulator as ``privileged``.

    ================  ==========  =========  =======================================
    key               shape       dtype      meaning
    ================  ==========  =========  =======================================
    ``privileged``    (25,)       float64    Push; (10,) in Reach; metres, m/s, rad
    others                                   unchanged
    ================  ==========  =========  =======================================

    Args:
        env: over a ``PixelObservationWrapper``, which keeps the raw observation.
    """

    def __init__(self, env: gym.Env):
        super().__init__(env)
        size = env.unwrapped.observation_space["observation"].shape
        box = spaces.Box(-np.inf, np.inf, size, np.float64)
        self.observation_space = spaces.Dict({**env.observation_space.spaces, PRIVILEGED: box})

    def observation(self, observation: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        raw = self.env.get_wrapper_attr("last_raw_obs")["observation"]
        return {**observation, PRIVILEGED: raw}


def _without(space: spaces.Dict, keys: tuple[str, ...]) -> spaces.Dict:
    return spaces.Dict({name: part for name, part in space.spaces.items() if name not in keys})


class AsymmetricPolicy(LayerNormPolicy):
    """SAC's policy whose actor and critics read different keys of one observation.

    An observation space without ``privileged`` is that of a finished policy: its critics, which
    nobody asks any more, then read what is left beside the camera.
    """

    def _extractor_of(self, hidden: tuple[str, ...]) -> BaseFeaturesExtractor:
        space = _without(self.observation_space, hidden)
        return self.features_extractor_class(space, **self.features_extractor_kwargs)

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        return super().make_actor(self._extractor_of((PRIVILEGED,)))

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        return super().make_critic(self._extractor_of(CAMERA_KEYS))


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("asymmetric", title="Asymmetric actor-critic"))
