"""Where a training step's time goes, stock and fast."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import DummyVecEnv

from labs.bench.measure import BATCH, SIZE, Work, milliseconds, stepper
from labs.bench.parts import (
    fast_env,
    fast_model,
    filled,
    reward_of,
    sampler,
    stock_env,
    stock_model,
    updater,
)
from labs.envs import make_env
from labs.pixel_wrapper import render_and_resize
from labs.tasks import EPISODE_STEPS

#: Done once an update; all else once a step.
PER_UPDATE = ("sample", "update")


class _OneBatch:
    """One batch in a memory's place."""

    def __init__(self, memory: Any):
        self.batch = memory.sample(BATCH)

    def sample(self, batch_size: int, env: object = None) -> Any:
        return self.batch


def _resize(size: int) -> Work:
    frame = np.zeros((size, size, 3), np.uint8)
    drawn = SimpleNamespace(render_mode="rgb_array", render=lambda: frame)

    def work() -> int:
        render_and_resize(drawn, (SIZE, SIZE))
        return 1

    return work


def _actor(model: SAC, env: DummyVecEnv) -> Work:
    obs = env.reset()

    def work() -> int:
        model.predict(obs)
        return 1

    return work


def _store(memory: Any, env: DummyVecEnv) -> Work:
    """Whole episodes: both refuse or split broken ones."""
    obs = env.reset()
    action, reward = np.zeros((1, 4), np.float32), reward_of(env, obs)

    def work() -> int:
        for t in range(EPISODE_STEPS):
            done = np.array([t == EPISODE_STEPS - 1])
            memory.add(obs, obs, action, reward, done, [{"TimeLimit.truncated": bool(done[0])}])
        return EPISODE_STEPS

    return work


def bench_step(
    repeats: int, seconds: float, transitions: int, device: str, updates_per_step: float
) -> dict[str, Any]:
    """Milliseconds a piece, and its share of a step at ``updates_per_step``."""
    envs = {"stock": DummyVecEnv([stock_env]), "fast": DummyVecEnv([fast_env])}
    bare = DummyVecEnv([lambda: make_env("push", render_mode=None)])
    memories = dict(zip(envs, filled(envs["fast"], transitions, device), strict=True))
    models: dict[str, SAC] = {
        "stock": stock_model(envs["stock"], device, transitions),
        "fast": fast_model(envs["fast"], device, transitions),
    }
    work: dict[tuple[str, str], Work] = {("both", "physics"): stepper(bare)}
    for name, env in envs.items():
        drawn = env.envs[0].env  # below it: no resizing
        work[name, "step"] = stepper(env)
        work[name, "draw"] = lambda drawn=drawn: int(drawn.render() is not None)
        work[name, "resize"] = _resize(drawn.image_size[0])
        work[name, "act"] = _actor(models[name], env)
        work[name, "store"] = _store(memories[name], env)
        work[name, "sample"] = sampler(memories[name], device)
        models[name].replay_buffer = _OneBatch(memories[name])
        work[name, "update"] = updater(models[name], device, BATCH)
    try:
        found = {key: value["ms"] for key, value in milliseconds(work, repeats, seconds).items()}
    finally:
        for env in (*envs.values(), bare):
            env.close()
    result: dict[str, Any] = {"unit": "ms of CPU time", "updates_per_step": updates_per_step}
    for name in envs:
        pieces = {"physics": found["both", "physics"]}
        pieces |= {part: found[name, part] for part in ("draw", "resize")}
        rest = found[name, "step"] - sum(pieces.values())
        pieces["stack and copy"] = max(0.0, rest)
        pieces |= {part: found[name, part] for part in ("act", "store", "sample", "update")}
        cost = {k: v * (updates_per_step if k in PER_UPDATE else 1) for k, v in pieces.items()}
        total = sum(cost.values())
        result[name] = {
            "pieces": [
                {"name": k, "ms": v, "per_step_ms": cost[k], "share": cost[k] / total}
                for k, v in pieces.items()
            ],
            "per_step_ms": total,
        }
    return result
