"""Each saving of the fast path on its own, and one after the other.

Every saving is a change of one thing. *Alone* means: the stock route with this one change.
*Cumulated* means: with all those before it as well.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv

from labs.bench.measure import BATCH, SIZE, Work, milliseconds, stepper
from labs.bench.parts import (
    fast_env,
    fast_model,
    filled,
    pixel_env,
    shared_options,
    state_model,
    stock_bytes,
    stock_model,
    updater,
)
from labs.bench.workers import child
from labs.drqv2_sac import DrQv2SAC
from labs.envs import SCENES, Scene, make_env
from labs.fast_compile import missing_compiler
from labs.mixed_precision import mixed_precision
from labs.replay import EpisodeReplay

#: What is drawn otherwise, in the order in which the waterfall takes it away.
SCENE_SAVINGS: dict[str, dict[str, Any]] = {
    "drawn at 84 × 84": {},
    "no multi-sampling": {"samples": 0},
    "no arm": {"arm": False},
    "no skybox": {"skybox": False},
    "no mocap bars": {"mocap_bars": False},
}


def scenes() -> dict[str, dict[str, tuple[Scene, int | None]]]:
    """Scene and drawn size (None: 480) of each saving, cumulated and alone."""
    cumulated: dict[str, tuple[Scene, int | None]] = {"stock": (SCENES["stock"], None)}
    alone = dict(cumulated)
    scene = SCENES["stock"]
    for name, change in SCENE_SAVINGS.items():
        scene = replace(scene, **change)
        cumulated[name] = (scene, SIZE)
        alone[name] = (replace(SCENES["stock"], **change), None if change else SIZE)
    return {"cumulated": cumulated, "alone": alone}


def env_savings(repeats: int, seconds: float) -> dict[str, Any]:
    """Milliseconds of an environment step with its picture."""
    envs: list[DummyVecEnv] = []
    work: dict[tuple[str, str], Work] = {}

    def timed(make) -> Work:
        envs.append(DummyVecEnv([make]))
        return stepper(envs[-1])

    try:
        for kind, table in scenes().items():
            for name, (scene, size) in table.items():
                work[kind, name] = timed(lambda scene=scene, size=size: pixel_env(scene, size))
        work["physics", "physics"] = timed(lambda: make_env("push", render_mode=None))
        found = milliseconds(work, repeats, seconds)
    finally:
        for env in envs:
            env.close()
    result: dict[str, Any] = {"unit": "ms of CPU time per environment step"}
    for (kind, name), value in found.items():
        result.setdefault(kind, []).append({"name": name, **value})
    return result


def update_savings(
    repeats: int, seconds: float, transitions: int, device: str, compiled: bool = True
) -> dict[str, Any]:
    """Milliseconds of an update of ManipulationCNN at batch 256, replay included."""
    env = DummyVecEnv([fast_env])
    stock_memory, memory = filled(env, transitions, device)
    shared = DrQv2SAC("DrQv2SACPolicy", env, **shared_options(device, transitions))
    shared.set_logger(Logger(None, []))
    plain = {"autocast": None, "channels_last": False, "compile": False}
    models: dict[str, Any] = {
        "stock": stock_model(env, device, transitions),
        "one encoder": shared,
        "needed passes and gradients only": fast_model(env, device, transitions, **plain),
        "channels last": fast_model(env, device, transitions, autocast=None, compile=False),
    }
    if mixed_precision(device) is not None:
        models["bfloat16"] = fast_model(env, device, transitions, compile=False)
    compiled = compiled and missing_compiler(models["stock"].device) is None
    if compiled:
        models["compiled"] = fast_model(env, device, transitions, compile=True)
    for name, model in models.items():
        old = name in ("stock", "one encoder")  # so that "frames once" shows as replay's saving
        model.replay_buffer = stock_memory if old else memory
    try:
        seconds_to_compile = first_call(models["compiled"], device) if compiled else None
        work = {name: updater(model, device, BATCH) for name, model in models.items()}
        found = milliseconds(work, repeats, seconds)
    finally:
        env.close()
    return {
        "unit": f"ms of CPU time per update, ManipulationCNN, batch {BATCH}",
        "cumulated": [{"name": name, **value} for name, value in found.items()],
        "compile_s": seconds_to_compile,
    }


def first_call(model: Any, device: str) -> float:
    """Seconds of the first update: what compiling costs before it saves anything."""
    start = time.perf_counter()
    updater(model, device, BATCH)()
    return time.perf_counter() - start


def state_update(
    repeats: int, seconds: float, device: str, compiled: bool = True
) -> dict[str, Any]:
    """Milliseconds of an update of Push from state (256 × 256, LayerNorm), plain and compiled."""
    env = DummyVecEnv([lambda: make_env("push", render_mode=None)])
    options = {"buffer_size": 2000, "updates_per_step": 0, "seed": 0}
    models = {
        name: state_model(env, device, 200, compile=choice, **options)
        for name, choice in (("plain", False), ("compiled", True))[: 1 + compiled]
    }
    if compiled and not models["compiled"]._update.compiled:
        del models["compiled"]
    try:
        seconds_to_compile = first_call(models["compiled"], device) if len(models) == 2 else None
        found = milliseconds(
            {n: updater(m, device, BATCH) for n, m in models.items()}, repeats, seconds
        )
    finally:
        env.close()
    return {
        "unit": f"ms of CPU time per update, Push from state, batch {BATCH}",
        "variants": [{"name": name, **value} for name, value in found.items()],
        "compile_s": seconds_to_compile,
    }


def memory_savings() -> dict[str, Any]:
    """Bytes per transition: both stacks, one stack a step, each frame once."""
    env = DummyVecEnv([fast_env])
    try:
        held = stock_bytes(env)
        once = EpisodeReplay(5000, env.observation_space, env.action_space, "cpu")
    finally:
        env.close()
    rows = [
        {"name": "stacks of both observations", "bytes": held["pictures"] + held["rest"]},
        # SB3's dict memory cannot do this; by definition it halves the pictures.
        {"name": "one stack a step", "bytes": held["pictures"] / 2 + held["rest"]},
        {"name": "frames once", "bytes": once.bytes_per_transition},
    ]
    return {"unit": "bytes per transition", "cumulated": rows}


def bench_savings(
    repeats: int, seconds: float, transitions: int, device: str, compiled: bool = True
) -> dict[str, Any]:
    """All waterfalls. ``compiled=False`` leaves out what takes minutes to compile."""
    return {
        "env": child("scene_savings", repeats=repeats, seconds=seconds),
        "memory": memory_savings(),
        "update": update_savings(repeats, seconds, transitions, device, compiled),
        "state_update": state_update(repeats, seconds, device, compiled),
    }
