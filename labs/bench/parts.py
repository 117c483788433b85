"""The five comparisons of the bench: ours beside the stock SB3 route, in the same run.

========== ===================================================== ==============================
part       stock                                                 fast
========== ===================================================== ==============================
env        480 × 480 drawn, PIL to 84 × 84, ``DummyVecEnv``      84 × 84 drawn, lean scene
replay     ``HerReplayBuffer``, stacks of both observations      ``EpisodeReplay``
update     ``SAC``, separate encoders                            ``FastSAC``, one encoder pass
whole      all of the stock parts                                all of ours, in workers
memory     bytes per transition                                  bytes per transition
========== ===================================================== ==============================
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.her import HerReplayBuffer

from labs.bench.measure import BATCH, SIZE, STACK, Work, compare, stepper, wait
from labs.collect import SharedVecEnv
from labs.envs import PROPRIO_INDICES, Scene, make_env, worker_count
from labs.fast_networks import StandardizedExtractor
from labs.fast_sac import FastSAC
from labs.manipulation_encoder import ManipulationExtractor
from labs.mixed_precision import mixed_precision
from labs.pixel_wrapper import PixelObservationWrapper
from labs.replay import EpisodeReplay, episode_options
from labs.tasks import EPISODE_STEPS


def pixel_env(scene: str | Scene = "stock", size: int | None = None) -> PixelObservationWrapper:
    """Push from pixels, drawn at ``size`` (None: 480 × 480, resized with PIL)."""
    return PixelObservationWrapper(
        make_env("push", scene=scene, image_size=size),
        (SIZE, SIZE),
        goal_mode="both",
        frame_stack=STACK,
        proprio_indices=PROPRIO_INDICES["push"],
    )


def stock_env() -> PixelObservationWrapper:
    """The stock route: 480 × 480, the whole scene, PIL."""
    return pixel_env()


def fast_env() -> PixelObservationWrapper:
    """The fast route: drawn at 84 × 84, lean."""
    return pixel_env("lean", SIZE)


def env_rates(repeats: int, seconds: float) -> dict[str, Any]:
    """Environment steps per second of one process, picture included."""
    envs = {"stock": DummyVecEnv([stock_env]), "fast": DummyVecEnv([fast_env])}
    work = {name: stepper(env) for name, env in envs.items()}
    try:
        unit = "environment steps/s, 1 core"
        return compare(work["stock"], work["fast"], repeats, seconds, unit)
    finally:
        for env in envs.values():
            env.close()


def reward_of(env: DummyVecEnv, obs: dict[str, np.ndarray]) -> np.ndarray:
    """What the task pays for a state: (1,)."""
    (reward,) = env.env_method("compute_reward", obs["achieved_goal"], obs["desired_goal"], {})
    return np.asarray(reward, np.float32)


def filled(
    env: DummyVecEnv, transitions: int, device: str
) -> tuple[HerReplayBuffer, EpisodeReplay]:
    """Both memories with the same random contents: pictures do not matter to their speed."""
    space, actions = env.observation_space, env.action_space
    stock = HerReplayBuffer(transitions, space, actions, env=env, device=device, n_sampled_goal=4)
    fast = EpisodeReplay(transitions, space, actions, device, **episode_options(env))
    rng = np.random.default_rng(0)

    def draw(part: spaces.Box) -> np.ndarray:
        if part.dtype == np.uint8:
            return rng.integers(0, 256, (1, *part.shape), dtype=np.uint8)
        return rng.normal(size=(1, *part.shape)) * 0.05

    for _ in range(transitions // fast.episode_length):
        obs = {key: draw(part) for key, part in space.spaces.items()}
        for t in range(fast.episode_length):
            after = {key: draw(part) for key, part in space.spaces.items()}
            after["desired_goal"] = obs["desired_goal"]
            done = np.array([t + 1 == fast.episode_length])
            row = (obs, after, rng.uniform(-1, 1, (1, 4)), reward_of(env, after), done)
            infos = [{"TimeLimit.truncated": bool(done[0])}]
            stock.add(*row, infos)
            fast.add(*row, infos)
            obs = after
    return stock, fast


def sampler(buffer: Any, device: str) -> Work:
    """Draws batches of 256; one unit = one batch."""

    def work() -> int:
        buffer.sample(BATCH)
        wait(device)
        return 1

    return work


def bench_replay(repeats: int, seconds: float, transitions: int, device: str) -> dict[str, Any]:
    """Batches of 256 per second, relabeled, from memories that hold the same transitions."""
    env = DummyVecEnv([fast_env])
    try:
        stock, fast = filled(env, transitions, device)
        work = [sampler(buffer, device) for buffer in (stock, fast)]
        result = compare(*work, repeats, seconds, f"batches of {BATCH}/s")
    finally:
        env.close()
    return result | {"transitions": transitions}


def shared_options(device: str, buffer_size: int) -> dict[str, Any]:
    """What every learner of the bench is told; its batch is 256."""
    return dict(
        batch_size=BATCH, buffer_size=buffer_size, learning_starts=0, ent_coef=0.05, device=device
    )


def stock_model(env: Any, device: str, buffer_size: int) -> SAC:
    """SB3's SAC with its HER memory and three encoders."""
    model = SAC(
        "MultiInputPolicy",
        env,
        replay_buffer_class=HerReplayBuffer,
        policy_kwargs={"features_extractor_class": ManipulationExtractor},
        **shared_options(device, buffer_size),
    )
    model.set_logger(Logger(None, []))
    return model


def fast_model(env: Any, device: str, buffer_size: int, **options: Any) -> FastSAC:
    """FastSAC, one encoder, trained by the critic; in bfloat16 where the hardware has it."""
    options.setdefault("autocast", mixed_precision(device))
    model = FastSAC("DrQv2SACPolicy", env, **options, **shared_options(device, buffer_size))
    model.set_logger(Logger(None, []))
    return model


def state_model(env: Any, device: str, warm_up: int, **options: Any) -> FastSAC:
    """FastSAC from state, 256 × 256 with LayerNorm, after ``warm_up`` random environment steps."""
    model = FastSAC(
        "LayerNormPolicy",
        env,
        batch_size=BATCH,
        learning_starts=warm_up,
        device=device,
        policy_kwargs={
            "net_arch": [256, 256],
            "features_extractor_class": StandardizedExtractor,
        },
        **options,
    )
    model.set_logger(Logger(None, []))
    model.learn(warm_up, log_interval=None)
    return model


def updater(model: SAC, device: str, batch: int) -> Work:
    """Takes gradient updates; one unit = one update, its batch included."""

    def work() -> int:
        model.train(1, batch)
        wait(device)
        return 1

    return work


def bench_update(
    repeats: int, seconds: float, transitions: int, device: str, batch: int
) -> dict[str, Any]:
    """Gradient updates per second, replay included."""
    env = DummyVecEnv([fast_env])
    try:
        stock, fast = stock_model(env, device, transitions), fast_model(env, device, transitions)
        stock.replay_buffer, fast.replay_buffer = filled(env, transitions, device)
        work = [updater(model, device, batch) for model in (stock, fast)]
        unit = f"updates/s, ManipulationCNN, batch {batch}"
        return compare(*work, repeats, seconds, unit) | {"batch": batch}
    finally:
        env.close()


def learner(model: SAC, steps: int, device: str) -> Work:
    """Trains; one unit = one environment step."""

    def work() -> int:
        before = model.num_timesteps
        model.learn(steps, log_interval=None, reset_num_timesteps=False)
        wait(device)
        return model.num_timesteps - before

    return work


def bench_whole(
    repeats: int, steps: int, device: str, updates_per_step: float, n_envs: int
) -> dict[str, Any]:
    """Environment steps per second of whole training, at equal updates per step.

    The first episode of every environment is collected before the clock starts, and the updates
    of both engines are counted: the ratio compares equal work.
    """
    workers = worker_count(n_envs)
    before = DummyVecEnv([stock_env] * n_envs)
    env = SharedVecEnv([fast_env] * n_envs, workers=workers)
    warm_up = EPISODE_STEPS * n_envs
    size = max(2000, 4 * warm_up)
    stock, fast = stock_model(before, device, size), fast_model(env, device, size)
    every = max(1, round(1 / (updates_per_step * n_envs)))
    stock.train_freq = type(stock.train_freq)(every, stock.train_freq.unit)
    stock.gradient_steps = max(1, round(updates_per_step * n_envs * every))
    fast.updates_per_step = stock.gradient_steps / (every * n_envs)
    try:
        for model in (stock, fast):
            model.learning_starts = warm_up
            model.learn(warm_up, log_interval=None)
        work = [learner(model, steps, device) for model in (stock, fast)]
        unit = "environment steps/s, training"
        result = compare(*work, repeats, 0.0, unit, cpu=False)
    finally:
        env.close()
        before.close()
    taken = {
        name: model._n_updates / max(1, model.num_timesteps - warm_up)
        for name, model in (("stock", stock), ("fast", fast))
    }
    settings = {"asked_updates_per_step": updates_per_step, "n_envs": n_envs, "workers": workers}
    return result | {"updates_per_step": taken} | settings


def stock_bytes(env: Any) -> dict[str, float]:
    """Bytes per transition of SB3's HER memory: pictures, and everything else."""
    stock = HerReplayBuffer(500, env.observation_space, env.action_space, env, device="cpu")
    arrays = [*stock.observations.values(), *stock.next_observations.values()]
    arrays += [stock.actions, stock.rewards, stock.dones, stock.timeouts]
    held = sum(a.nbytes for a in arrays) / stock.buffer_size
    pictures = sum(a.nbytes for a in arrays if a.dtype == np.uint8) / stock.buffer_size
    return {"pictures": pictures, "rest": held - pictures}


def bench_memory() -> dict[str, Any]:
    """Bytes per transition, stack 4, 84 × 84: smaller is better, so the ratio is stock / fast."""
    env = DummyVecEnv([fast_env])
    try:
        fast = EpisodeReplay(5000, env.observation_space, env.action_space, "cpu")
        held = sum(stock_bytes(env).values())
    finally:
        env.close()
    ratio = held / fast.bytes_per_transition
    return {
        "unit": "bytes per transition",
        "stock": held,
        "fast": fast.bytes_per_transition,
        "ratio": ratio,
        "ratio_low": ratio,
        "ratio_high": ratio,
    }
