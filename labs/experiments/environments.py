"""From a configuration to environments: seeded episodes, observations, distance on the way."""

from __future__ import annotations

from functools import partial

import gymnasium as gym
import numpy as np

from labs.envs import make_env
from labs.experiments.config import RunConfig
from labs.tasks import PROPRIO_INDICES, STATE_WIDTH, Stream, episode_of, own_stream

#: Evaluation seeds. Training episodes draw theirs from (run seed, environment, episode).
CURVE_SEEDS = 1_000_000
FINAL_SEEDS = 2_000_000
VIDEO_SEEDS = 3_000_000
#: Added to the first two in a search: what chooses settings is none of what results report.
SEARCH_OFFSET = 10_000_000


class SeededEpisodes(gym.Wrapper):
    """Seeds every episode from (run, environment, episode number).

    The start of an episode then depends on nothing but its number, so that a resumed run meets
    the very episodes that the killed one would have met.

    Args:
        env: the environment.
        seed: of the run.
        index: of this environment in the vector.
        episode: number of the first episode.
    """

    def __init__(self, env: gym.Env, seed: int, index: int, episode: int = 0):
        super().__init__(env)
        self._key = (seed, index)
        self._episode = episode

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Starts the next episode, from its own seed: ``seed`` is ignored, whatever it is."""
        own, _ = episode_of(*self._key, self._episode)
        self._episode += 1
        return self.env.reset(seed=own, options=options)


class GoalInfo(gym.Wrapper):
    """Tells in ``info`` what the observation may hide.

    ``distance``: meters between achieved and desired goal; ``achieved_goal``: (3,), which
    relabeling may know where the policy does not.
    """

    def step(self, action):
        obs, reward, terminated, truncated, info = self.env.step(action)
        info["achieved_goal"] = obs["achieved_goal"]
        info["distance"] = float(np.linalg.norm(obs["achieved_goal"] - obs["desired_goal"]))
        return obs, reward, terminated, truncated, info


class VectorObservation(gym.ObservationWrapper):
    """The vectors of a pixel arm without the image: what its blind twin sees.

    ``last_raw_obs`` keeps the raw observation for wrappers that tell more.

    Args:
        env: a Fetch environment.
        goal_mode: which goals are kept.
        indices: entries of ``observation`` that become ``proprioception``; None for none.
    """

    def __init__(self, env: gym.Env, goal_mode: str, indices: list[int] | None):
        super().__init__(env)
        from labs.pixel_wrapper import KEYS_BY_GOAL

        self._goals = KEYS_BY_GOAL[goal_mode]
        self._indices = indices
        self.last_raw_obs: dict[str, np.ndarray] = {}
        spaces = {}
        if indices is not None:
            spaces["proprioception"] = gym.spaces.Box(-np.inf, np.inf, (len(indices),), np.float64)
        for name in self._goals:
            spaces[name] = env.observation_space[name]
        self.observation_space = gym.spaces.Dict(spaces)

    def observation(self, observation):
        self.last_raw_obs = observation
        seen = {name: observation[name] for name in self._goals}
        if self._indices is not None:
            seen["proprioception"] = observation["observation"][self._indices]
        return seen


class ImageContent(gym.ObservationWrapper):
    """Replaces each frame by nothing (0) or by uniform noise, drawn by the episode's seed and apart
    from what it places.

    A frame keeps its noise while it moves through the stack, as a real frame keeps its picture:
    the memory that stores every frame once needs that.
    """

    def __init__(self, env: gym.Env, content: str):
        super().__init__(env)
        self._content = content
        self._rng = np.random.default_rng(0)
        self._stack: np.ndarray | None = None

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        if seed is not None:
            self._rng = own_stream(seed, Stream.IMAGE_CONTENT)
        self._stack = None
        return super().reset(seed=seed, options=options)

    def observation(self, observation):
        shape = observation["pixels"].shape
        frame = np.zeros((3, *shape[1:]), np.uint8)
        if self._content == "noise":
            frame = self._rng.integers(0, 256, size=frame.shape, dtype=np.uint8)
        if self._stack is None:  # a reset fills the stack with its first frame
            self._stack = np.tile(frame, (shape[0] // 3, 1, 1))
        else:
            self._stack = np.concatenate([self._stack[3:], frame])
        return observation | {"pixels": self._stack}


def vector_indices(config: RunConfig) -> list[int] | None:
    """Entries of the state vector that the policy gets beside the goals."""
    if config.full_state:
        return list(range(STATE_WIDTH[config.task]))
    return list(PROPRIO_INDICES[config.task]) if config.proprioception else None


def make_one(config: RunConfig, *, for_training: bool = False) -> gym.Env:
    """One environment with the observation that the configuration asks for.

    Physics is the stock environment's. Images are drawn with the run's camera and scene.

    Args:
        config: of the run.
        for_training: where the run has a locator, give what it reads in place of the image, so
            that each frame is read once; where training is told the state, add it. An evaluation
            does neither: it hands the policy the image.
    """
    env = make_env(
        config.task,
        camera=config.camera,
        scene=config.scene,
        image_size=config.image_size if config.native_render else None,
        render_mode="rgb_array" if config.has_images else None,
        goal_sphere=config.goal_sphere,
    )
    env = GoalInfo(env)
    if config.observation in ("blind", "place"):
        env = VectorObservation(env, config.goal_mode, vector_indices(config))
    if config.observation == "place":
        from labs.simulated_eye import SimulatedEye

        env = SimulatedEye(
            env,
            config.place_error,
            config.place_error_kind,
            seed=config.seed,
            looks=config.frame_stack,
        )
    if config.observation == "pixels":
        from labs.pixel_wrapper import PixelObservationWrapper

        env = PixelObservationWrapper(
            env,
            image_size=config.frame_size,
            goal_mode=config.goal_mode,
            frame_stack=config.frame_stack,
            proprio_indices=vector_indices(config),
        )
        if config.image_content != "real":
            env = ImageContent(env, config.image_content)
        if for_training and config.has_locator:
            from labs.experiments.locating import load_locator
            from labs.locator import LocatedObservation

            env = LocatedObservation(env, load_locator(config)[0])
    if for_training and config.is_told:
        from labs.asymmetric import PrivilegedObservation

        told = ("achieved_goal",) if config.hears_achieved else None
        env = PrivilegedObservation(env, told, blur=config.critic_blur)
    return env


def make_training_one(config: RunConfig, index: int, episode: int) -> gym.Env:
    """The index-th training environment, at its episode-th episode."""
    return SeededEpisodes(make_one(config, for_training=True), config.seed, index, episode)


def make_training_env(config: RunConfig, episode: int = 0):
    """The vector of training environments, SB3's, about to start the given episode."""
    from stable_baselines3.common.vec_env import DummyVecEnv

    factories = [partial(make_training_one, config, i, episode) for i in range(config.n_envs)]
    if config.subproc and config.engine == "fast":
        from labs.collect import SharedVecEnv
        from labs.experiments.processor import workers_of

        return SharedVecEnv(factories, workers=workers_of(config))
    if config.subproc:
        from labs.collect import PatientVecEnv

        return PatientVecEnv(factories)
    return DummyVecEnv(factories)
