"""A critic that knows more than the actor (Pinto et al. 2018, arXiv 1710.06542).

The critic exists in training only. So it may be told the simulator's state, while the actor, which
is all that remains, has to see. The critic then learns as fast as that of a state policy; whether
the actor can act on what it *sees* is left to the actor.

* :class:`PrivilegedObservation`: adds the state to the observation, under a key of its own.
* :class:`AsymmetricPolicy`: the critic reads that key in place of the camera; the actor never does.
  The critic's vectors are standardized.

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

from labs.fast_networks import LayerNormPolicy, StandardizedExtractor
from labs.tasks import Stream, own_stream

PRIVILEGED = "privileged"
CAMERA_KEYS = ("pixels", "located")  # the camera, or what was read in its frames


class PrivilegedObservation(gym.ObservationWrapper):
    """Adds the state vector of the simulator as ``privileged``.

    A goal that the policy is given stays where it is, since relabeling changes it. A goal that
    only the picture shows is part of what is told.

    ================  ===========  =========  ================================================
    key               shape        dtype      meaning
    ================  ===========  =========  ================================================
    ``privileged``    (25,)        float64    Push with the goal given: its state, m, m/step, rad
                      (10 + 3,)               Reach from the image alone: state, then goal, m
                      (3,)                    only the achieved goal: the block's center, m
    others                                    unchanged
    ================  ===========  =========  ================================================

    Args:
        env: keeps the raw observation in ``last_raw_obs``, as ``PixelObservationWrapper`` does.
        keys: what of the raw observation is told. None: the state, and the goal where only the
            picture shows it. ``("achieved_goal",)`` is what hindsight reads in training anyway.
        blur: standard deviation of a Gaussian on each of these numbers, in their units; meant for
            the achieved goal, whose numbers are all meters. It is drawn anew at every step, from
            the last seed that ``reset`` was given.
    """

    def __init__(self, env: gym.Env, keys: tuple[str, ...] | None = None, *, blur: float = 0.0):
        super().__init__(env)
        raw, seen = env.unwrapped.observation_space, env.observation_space.spaces
        state = ("observation", *(() if "desired_goal" in seen else ("desired_goal",)))
        self._keys = state if keys is None else keys
        size = sum(raw[key].shape[0] for key in self._keys)
        box = spaces.Box(-np.inf, np.inf, (size,), np.float64)
        self.observation_space = spaces.Dict({**seen, PRIVILEGED: box})
        self._blur = blur
        self._rng = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if seed is not None:
            self._rng = own_stream(seed, Stream.BLURRED_CRITIC)
        return super().reset(seed=seed, options=options)

    def observation(self, observation: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        raw = self.env.get_wrapper_attr("last_raw_obs")
        told = np.concatenate([raw[key] for key in self._keys])
        if self._blur:
            told = self._rng.normal(told, self._blur)
        return {**observation, PRIVILEGED: told}


def without(space: spaces.Dict, keys: tuple[str, ...]) -> spaces.Dict:
    """The same space without some of its keys."""
    return spaces.Dict({name: part for name, part in space.spaces.items() if name not in keys})


class AsymmetricPolicy(LayerNormPolicy):
    """SAC's policy whose actor and critics read different keys of one observation.

    An observation space without ``privileged`` is that of a finished policy. Nobody asks its
    critics any more; they are built like the actor.

    Raises:
        ValueError: ``share_features_extractor=True``: the critics would read the actor's keys.
    """

    def __init__(self, *args: Any, share_features_extractor: bool = False, **kwargs: Any):
        if share_features_extractor:
            raise ValueError(
                "received share_features_extractor=True, expected False: actor and critics read "
                "different keys, so each has an extractor of its own"
            )
        super().__init__(*args, share_features_extractor=False, **kwargs)

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        seen = without(self.observation_space, (PRIVILEGED,))
        extractor = self.features_extractor_class(seen, **self.features_extractor_kwargs)
        return super().make_actor(extractor)

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        if PRIVILEGED not in self.observation_space.spaces:
            return super().make_critic(features_extractor)
        told = without(self.observation_space, CAMERA_KEYS)
        return super().make_critic(StandardizedExtractor(told))


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("asymmetric", title="Asymmetric actor-critic"))
