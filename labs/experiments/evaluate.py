"""How good a policy is: fixed-seed episodes on the stock physics, controls and floors beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from labs.errors import UserError
from labs.experiments.config import EPISODE_STEPS, RunConfig
from labs.experiments.environments import FINAL_SEEDS, make_one
from labs.experiments.side_by_side import start_parts
from labs.statistics import wilson

CONTROLS = ("blank", "shuffled", "frozen")
MODES = ("deterministic", "stochastic")  # the mean action, or a sample


class Policy(Protocol):
    """Anything that acts on one observation."""

    def predict(self, obs: dict[str, np.ndarray], deterministic: bool = True) -> np.ndarray: ...


class NoOp:
    """Does nothing: its success is the floor of the task."""

    def predict(self, obs, deterministic=True):
        return np.zeros(4, np.float32)


class RandomActions:
    """Uniform actions."""

    def __init__(self, seed: int = 0):
        self._rng = np.random.default_rng(seed)

    def predict(self, obs, deterministic=True):
        return self._rng.uniform(-1, 1, 4).astype(np.float32)


FLOORS = {"no-op": NoOp, "random": RandomActions}


@dataclass(frozen=True)
class Episodes:
    """What happened in n episodes.

    Attributes:
        success: bool (n,), at the last step.
        returns: (n,) undiscounted.
        distance: (n,) meters from the goal at the last step.
        frames_per_second: environment steps per second, policy and rendering included.
    """

    success: np.ndarray
    returns: np.ndarray
    distance: np.ndarray
    frames_per_second: float

    def summary(self) -> dict[str, Any]:
        """The numbers of ``evaluation.json``."""
        rate = wilson(int(self.success.sum()), len(self.success))
        return {
            "episodes": len(self.success),
            "successes": int(self.success.sum()),
            "success_rate": rate.value,
            "success_low": rate.low,
            "success_high": rate.high,
            "return_mean": float(self.returns.mean()),
            "return_std": float(self.returns.std()),
            "final_distance_mean": float(self.distance.mean()),
            "final_distance_median": float(np.median(self.distance)),
            "frames_per_second": round(self.frames_per_second, 1),
        }


def play(env, policy: Policy, seed: int, deterministic: bool = True, images=None):
    """One episode.

    Args:
        env: an environment of ``make_one``.
        policy: acts on its observations.
        seed: of the episode.
        deterministic: act by the mean action, not by a sample.
        images: optional function (step, pixels) → pixels that stands between camera and policy.

    Returns:
        success, return, final distance, and the list of images that the camera gave.
    """
    obs, _ = env.reset(seed=seed)
    total, step, seen = 0.0, 0, []
    while True:
        if "pixels" in obs:
            seen.append(obs["pixels"])
            if images is not None:
                obs = obs | {"pixels": images(step, obs["pixels"])}
        obs, reward, terminated, truncated, info = env.step(policy.predict(obs, deterministic))
        total += float(reward)
        step += 1
        if terminated or truncated:
            return bool(info["is_success"]), total, info["distance"], seen


def run_episodes(
    policy: Policy,
    config: RunConfig,
    seeds: Sequence[int],
    *,
    deterministic: bool = True,
    control: str | None = None,
    images: Callable[[int], Callable[[int, np.ndarray], np.ndarray]] | None = None,
    env=None,
    after_episode: Callable[[], object] = lambda: None,
) -> Episodes:
    """Plays one episode for each seed.

    Torch's random state is put back afterwards, so that measuring does not change a training.

    Args:
        policy: what acts.
        config: says which environment and observation.
        seeds: of the episodes; at least one.
        deterministic: the mean action, or a sample.
        control: a negative control for image policies: ``"blank"`` (black), ``"shuffled"``
            (the images of another episode of the same policy), ``"frozen"`` (the first image).
        images: in its place, number of the episode → what :func:`play` puts between camera and
            policy.
        env: an environment to use instead of a new one; stays open.
        after_episode: called after each.
    """
    import torch

    if control is not None and control not in CONTROLS:
        raise UserError(f"unknown control {control!r}: choose one of {', '.join(CONTROLS)}")
    if control is not None and not config.has_images:
        raise UserError(f"control {control} changes images, and {config.arm} has none: drop it")
    if len(seeds) < 1:
        raise UserError("an evaluation needs at least one episode: raise the number of episodes")
    own = env is None
    env = make_one(config) if own else env
    rows, steps, clock = [], 0, 0.0
    # manual_seed reaches every GPU in use, so its generator is put back as well. To ask for that of
    # another one would make a context there.
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(int(seeds[0]))
        for number, seed in enumerate(seeds):
            between = None if images is None else images(number)
            if control is not None:
                donor = seeds[(number + 1) % len(seeds)] if len(seeds) > 1 else seed + 1
                between = _image_control(control, env, policy, donor, deterministic)
            start = time.perf_counter()
            success, total, distance, _ = play(env, policy, int(seed), deterministic, between)
            clock += time.perf_counter() - start
            steps += EPISODE_STEPS
            rows.append((success, total, distance))
            after_episode()
    if own:
        env.close()
    success, returns, distance = (np.array(column) for column in zip(*rows, strict=True))
    return Episodes(success, returns, distance, steps / clock)


def _image_control(control: str, env, policy, donor_seed: int, deterministic: bool):
    if control == "blank":
        return lambda step, pixels: np.zeros_like(pixels)
    if control == "shuffled":
        _, _, _, donor = play(env, policy, int(donor_seed), deterministic)
        return lambda step, pixels: donor[step]
    first: list[np.ndarray] = []

    def frozen(step, pixels):
        if step == 0:
            first[:] = [pixels]
        return first[0]

    return frozen


def final_seeds(episodes: int, offset: int = 0) -> range:
    """The seeds of the final evaluation: the same for every run, never met in training.

    A search has its own, by an ``offset``.
    """
    return range(FINAL_SEEDS + offset, FINAL_SEEDS + offset + episodes)


def controls_of(config: RunConfig) -> tuple[str, ...]:
    """The negative controls that mean something for a run's policy."""
    return CONTROLS if config.has_images and config.image_content == "real" else ()


def _parts_of(config: RunConfig, controls: bool = True) -> dict[str, dict[str, Any]]:
    """The parts of a final evaluation by name, and how :func:`run_episodes` plays each."""
    modes = {mode: {"deterministic": mode == "deterministic"} for mode in MODES}
    return modes | {name: {"control": name} for name in controls_of(config) if controls}


def evaluation_steps(config: RunConfig, cores: int = 1) -> float:
    """Environment steps, one after another, of a run's final evaluation on so many cores."""
    plays = [2 if name == "shuffled" else 1 for name in _parts_of(config)]  # donors play, too
    return max(*plays, sum(plays) / cores) * config.eval_episodes * EPISODE_STEPS


def evaluate(
    policy: Policy,
    config: RunConfig,
    episodes: int,
    *,
    controls: bool = True,
    offset: int = 0,
    folder: Path | None = None,
    after_episode: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """The final evaluation: deterministic, stochastic and, for images, the negative controls.

    Args:
        policy: what acts.
        config: of its run.
        episodes: of each part.
        controls: play the negative controls too.
        offset: of the seeds.
        folder: with the same policy, for processes that play the other parts meanwhile; None: all
            are played here, one after another.
        after_episode: called after each episode that is played here.

    Returns:
        The content of ``evaluation.json``: ``deterministic`` and ``stochastic`` summaries,
        ``controls`` by name, ``seeds`` (first, last), ``environment``.
    """
    from labs.envs import ENV_IDS

    seeds, parts = final_seeds(episodes, offset), _parts_of(config, controls)
    others = {name: how for name, how in parts.items() if name != "deterministic"}
    elsewhere = start_parts(folder, others, seeds) if folder else {}
    env = make_one(config)
    found: dict[str, Any] = {}
    for name, how in parts.items():
        played = elsewhere[name]() if name in elsewhere else None
        if played is None:  # here; also where its process died, so that what went wrong is told
            played = run_episodes(
                policy, config, seeds, env=env, after_episode=after_episode, **how
            )
        found[name] = played.summary()
    env.close()
    return {
        "environment": ENV_IDS[config.task],
        "camera": config.camera if config.has_images else None,
        "scene": config.scene if config.has_images else None,
        "seeds": [seeds[0], seeds[-1]],
        **{mode: found.pop(mode) for mode in MODES},
        "controls": found,
    }


def floors(task: str, episodes: int) -> dict[str, Any]:
    """Success of doing nothing and of acting at random, on the final evaluation's seeds."""
    config = RunConfig(task=task)
    seeds = final_seeds(episodes)
    return {name: run_episodes(make(), config, seeds).summary() for name, make in FLOORS.items()}
