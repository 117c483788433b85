"""What the fast path saves: ours beside the stock SB3 route, in the same run, on this machine.

:func:`run_bench` measures five things, each in turns (stock, fast, stock, fast, ...), so that
whatever else the machine does falls on both:

========== ===================================================== ==============================
part       stock                                                 fast
========== ===================================================== ==============================
env        480 × 480 drawn, PIL to 84 × 84, ``DummyVecEnv``      84 × 84 drawn, lean scene
replay     ``HerReplayBuffer``, stacks of both observations      ``EpisodeReplay``
update     ``SAC``, separate encoders                            ``FastSAC``, one encoder pass
whole      all of the stock parts                                all of ours, in workers
memory     bytes per transition                                  bytes per transition
========== ===================================================== ==============================

A ratio is the median over the turns, with the smallest and the largest as its spread.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.her import HerReplayBuffer

from labs.artifacts import json_text, write_atomically
from labs.collect import SharedVecEnv
from labs.envs import PROPRIO_INDICES, gl_renderer, make_env, worker_count
from labs.errors import UserError
from labs.fast_sac import FastSAC
from labs.manipulation_encoder import ManipulationExtractor
from labs.pixel_wrapper import PixelObservationWrapper
from labs.replay import EpisodeReplay, episode_options

SIZE, STACK, BATCH = 84, 4, 256
PARTS = ("env", "replay", "update", "whole", "memory")


def make_pixel_env(fast: bool) -> PixelObservationWrapper:
    """Push from pixels: the stock route (480 × 480, PIL), or native 84 × 84 in the lean scene."""
    env = make_env("push", scene="lean", image_size=SIZE) if fast else make_env("push")
    return PixelObservationWrapper(
        env,
        (SIZE, SIZE),
        goal_mode="both",
        frame_stack=STACK,
        proprio_indices=PROPRIO_INDICES["push"],
    )


def _fast_env() -> PixelObservationWrapper:
    return make_pixel_env(fast=True)


def _stock_env() -> PixelObservationWrapper:
    return make_pixel_env(fast=False)


def _rate(work: Callable[[], int], seconds: float) -> float:
    """Units of work per second, over at least ``seconds``."""
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds or not done:
        done += work()
    return done / spent


def _turns(
    stock: Callable[[], int], fast: Callable[[], int], repeats: int, seconds: float, unit: str
) -> dict[str, Any]:
    """Measures both in turns, after one warm-up call each."""
    stock()
    fast()
    rates: dict[str, list[float]] = {"stock": [], "fast": []}
    for _ in range(repeats):
        rates["stock"].append(_rate(stock, seconds))
        rates["fast"].append(_rate(fast, seconds))
    ratios = [f / s for s, f in zip(rates["stock"], rates["fast"], strict=True)]
    return {
        "unit": unit,
        "stock": statistics.median(rates["stock"]),
        "fast": statistics.median(rates["fast"]),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "turns": rates,
    }


# ---------------------------------------------------------------------------------------- parts


def bench_env(repeats: int, seconds: float) -> dict[str, Any]:
    """Environment steps per second of one process, picture included."""
    envs = {"stock": DummyVecEnv([_stock_env]), "fast": DummyVecEnv([_fast_env])}
    work = {}
    for name, env in envs.items():
        env.reset()
        action = np.array([env.action_space.sample()])

        def step(env=env, action=action) -> int:
            env.step(action)
            return 1

        work[name] = step
    try:
        return _turns(work["stock"], work["fast"], repeats, seconds, "environment steps/s, 1 core")
    finally:
        for env in envs.values():
            env.close()


def _filled(
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
            row = (obs, after, rng.uniform(-1, 1, (1, 4)), np.zeros(1), done)
            infos = [{"TimeLimit.truncated": bool(done[0])}]
            stock.add(*row, infos)
            fast.add(*row, infos)
            obs = after
    return stock, fast


def bench_replay(repeats: int, seconds: float, transitions: int, device: str) -> dict[str, Any]:
    """Batches of 256 per second, relabelled, from memories that hold the same transitions."""
    env = DummyVecEnv([_fast_env])
    stock, fast = _filled(env, transitions, device)

    def batches(buffer: Any) -> Callable[[], int]:
        def work() -> int:
            buffer.sample(BATCH)
            _wait(device)
            return 1

        return work

    try:
        result = _turns(batches(stock), batches(fast), repeats, seconds, f"batches of {BATCH}/s")
    finally:
        env.close()
    return result | {"transitions": transitions}


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def make_models(env: Any, stock_env: Any, device: str, buffer_size: int) -> tuple[SAC, FastSAC]:
    """The same task and networks for both: ManipulationCNN and SpatialSoftmax, batch 256."""
    shared: dict[str, Any] = dict(
        batch_size=BATCH, buffer_size=buffer_size, learning_starts=0, ent_coef=0.05, device=device
    )
    stock = SAC(
        "MultiInputPolicy",
        stock_env,
        replay_buffer_class=HerReplayBuffer,
        policy_kwargs={"features_extractor_class": ManipulationExtractor},
        **shared,
    )
    autocast = torch.bfloat16 if device.startswith("cuda") else None
    fast = FastSAC("DrQv2SACPolicy", env, autocast=autocast, **shared)
    for model in (stock, fast):
        model.set_logger(Logger(None, []))
    return stock, fast


def bench_update(repeats: int, seconds: float, transitions: int, device: str) -> dict[str, Any]:
    """Gradient updates per second at batch 256, replay included."""
    env = DummyVecEnv([_fast_env])
    stock, fast = make_models(env, env, device, transitions)
    stock.replay_buffer, fast.replay_buffer = _filled(env, transitions, device)

    def updates(model: SAC) -> Callable[[], int]:
        def work() -> int:
            model.train(1, BATCH)
            _wait(device)
            return 1

        return work

    try:
        unit = f"updates/s, ManipulationCNN, batch {BATCH}"
        return _turns(updates(stock), updates(fast), repeats, seconds, unit)
    finally:
        env.close()


def bench_whole(
    repeats: int, steps: int, device: str, updates_per_step: float, n_envs: int
) -> dict[str, Any]:
    """Environment steps per second of whole training, at equal updates per step.

    The first episode of every environment is collected before the clock starts, and the updates
    of both engines are counted: the ratio compares equal work.
    """
    workers = worker_count(n_envs)
    stock_env = DummyVecEnv([_stock_env] * n_envs)
    env = SharedVecEnv([_fast_env] * n_envs, workers=workers)
    warm_up = 50 * n_envs
    stock, fast = make_models(env, stock_env, device, max(2000, 4 * warm_up))
    every = max(1, round(1 / (updates_per_step * n_envs)))
    stock.train_freq = type(stock.train_freq)(every, stock.train_freq.unit)
    stock.gradient_steps = max(1, round(updates_per_step * n_envs * every))
    fast.updates_per_step = stock.gradient_steps / (every * n_envs)
    for model in (stock, fast):
        model.learning_starts = warm_up
        model.learn(warm_up, log_interval=None)

    def learning(model: SAC) -> Callable[[], int]:
        def work() -> int:
            before = model.num_timesteps
            model.learn(steps, log_interval=None, reset_num_timesteps=False)
            _wait(device)
            return model.num_timesteps - before

        return work

    try:
        unit = "environment steps/s, training"
        result = _turns(learning(stock), learning(fast), repeats, 0.0, unit)
    finally:
        env.close()
        stock_env.close()
    taken = {
        name: model._n_updates / max(1, model.num_timesteps - warm_up)
        for name, model in (("stock", stock), ("fast", fast))
    }
    return result | {"updates_per_step": taken, "n_envs": n_envs, "workers": workers}


def bench_memory() -> dict[str, Any]:
    """Bytes per transition, stack 4, 84 × 84: smaller is better, so the ratio is stock / fast."""
    env = DummyVecEnv([_fast_env])
    try:
        fast = EpisodeReplay(5000, env.observation_space, env.action_space, "cpu")
        stock = HerReplayBuffer(500, env.observation_space, env.action_space, env, device="cpu")
        arrays = [*stock.observations.values(), *stock.next_observations.values()]
        arrays += [stock.actions, stock.rewards, stock.dones, stock.timeouts]
        held = sum(a.nbytes for a in arrays) / stock.buffer_size
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


# --------------------------------------------------------------------------------------- program


def run_bench(
    parts: tuple[str, ...] = PARTS,
    *,
    device: str = "auto",
    repeats: int = 5,
    seconds: float = 2.0,
    transitions: int = 5000,
    updates_per_step: float = 0.05,
    n_envs: int = 4,
    whole_steps: int = 100,
    threads: int | None = None,
    report: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Measures the chosen parts.

    Args:
        parts: of :data:`PARTS`.
        device: ``"cpu"``, ``"cuda"`` or ``"auto"``: where replay and updates run.
        repeats: turns of each pair.
        seconds: of each turn.
        transitions: in the replay memories; the stock one takes 169 KB each.
        updates_per_step: gradient updates per environment step of the whole training.
        n_envs: environments of the whole training.
        whole_steps: environment steps of one turn of the whole training.
        threads: of torch; None leaves its own choice.
        report: called with one line when a part is done.

    Returns:
        ``machine`` and ``parts``: name → unit, medians, ratio and its spread. Plain JSON types.

    Raises:
        UserError: an unknown part, or CUDA where there is none.
    """
    if unknown := set(parts) - set(PARTS):
        raise UserError(f"unknown part {', '.join(sorted(unknown))}: choose of {', '.join(PARTS)}")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError("device = cuda, but torch sees no GPU: pass --device cpu")
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    measure = {
        "env": lambda: bench_env(repeats, seconds),
        "replay": lambda: bench_replay(repeats, seconds, transitions, device),
        "update": lambda: bench_update(repeats, seconds, min(transitions, 1000), device),
        "whole": lambda: bench_whole(repeats, whole_steps, device, updates_per_step, n_envs),
        "memory": bench_memory,
    }
    results = {"machine": machine(device), "parts": {}}
    try:
        for name in (part for part in PARTS if part in parts):
            results["parts"][name] = measure[name]()
            if report is not None:
                report(line(name, results["parts"][name]))
    finally:
        torch.set_num_threads(before)
    results["machine"]["load_at_end"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return results


def machine(device: str) -> dict[str, Any]:
    """What was measured on, as far as a reader needs it to compare."""
    return {
        "cpu": platform.processor() or platform.machine(),
        "cores": worker_count(),
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "gl": gl_renderer(),
        "load_at_start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def line(name: str, part: dict[str, Any]) -> str:
    """One row of the table."""
    spread = f"{part['ratio_low']:.1f} to {part['ratio_high']:.1f}"
    return (
        f"{name:<8}{part['stock']:>12,.1f}{part['fast']:>12,.1f}   "
        f"{part['ratio']:>5.1f} × ({spread})   {part['unit']}"
    )


def main(argv: list[str] | None = None) -> int:
    """The command line of ``pixels bench``."""
    parser = argparse.ArgumentParser(
        prog="pixels bench", description="the fast path beside the stock SB3 route, on this machine"
    )
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each pair")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a turn")
    parser.add_argument("--transitions", type=int, default=5000, help="in the replay memories")
    parser.add_argument("--updates-per-step", type=float, default=0.05, help="in whole training")
    parser.add_argument("--n-envs", type=int, default=4, help="in whole training")
    parser.add_argument("--threads", type=int, default=None, help="of torch")
    parser.add_argument("--json", default=None, help="write the results to this file as well")
    args = vars(parser.parse_args(argv))
    path = args.pop("json")
    print(f"{'':<8}{'stock':>12}{'fast':>12}   ratio (smallest to largest turn)")
    results = run_bench(tuple(args.pop("parts")), report=lambda row: print(row, flush=True), **args)
    if path:
        write_atomically(path, json_text(results))
    return 0


if __name__ == "__main__":
    import sys

    try:
        raise SystemExit(main())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
