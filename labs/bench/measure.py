"""How the bench measures: turns, medians, spreads, and what was measured on."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from labs.envs import gl_renderer, worker_count
from labs.provenance import hardware

SIZE, STACK, BATCH = 84, 4, 256

Work = Callable[[], int]  # does some work, returns how many units of it


def wait(device: str) -> None:
    """Waits for a GPU, which works on after the call has returned."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def rate(work: Work, seconds: float) -> float:
    """Units of work per second, over at least ``seconds``."""
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds or not done:
        done += work()
    return done / spent


def in_turns(work: Mapping[str, Work], repeats: int, seconds: float) -> dict[str, list[float]]:
    """Rates of several kinds of work, each ``repeats`` times, in turns after one warm-up call.

    In turns, so that whatever else the machine does falls on all of them.
    """
    for job in work.values():
        job()
    rates: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, job in work.items():
            rates[name].append(rate(job, seconds))
    return rates


def compare(stock: Work, fast: Work, repeats: int, seconds: float, unit: str) -> dict[str, Any]:
    """Medians of both, and the ratio of each turn: median, smallest, largest."""
    turns = in_turns({"stock": stock, "fast": fast}, repeats, seconds)
    ratios = [f / s for s, f in zip(turns["stock"], turns["fast"], strict=True)]
    return {
        "unit": unit,
        "stock": statistics.median(turns["stock"]),
        "fast": statistics.median(turns["fast"]),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "turns": turns,
    }


def milliseconds(work: Mapping[str, Work], repeats: int, seconds: float) -> dict[str, Any]:
    """For each kind of work: median, smallest and largest milliseconds a unit over the turns."""
    found = {}
    for name, rates in in_turns(work, repeats, seconds).items():
        times = [1000 / r for r in rates]
        found[name] = {"ms": statistics.median(times), "low": min(times), "high": max(times)}
    return found


def stepper(env: Any) -> Work:
    """Steps an SB3 vector environment with a fixed random action; one unit = one env step."""
    env.reset()
    actions = np.array([env.action_space.sample() for _ in range(env.num_envs)])

    def step() -> int:
        env.step(actions)
        return env.num_envs

    return step


def load() -> float | None:
    """How many processes wanted a core over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def machine(device: str) -> dict[str, Any]:
    """What was measured on, as far as a reader needs it to compare."""
    return {
        "cpu": hardware()["cpu"],
        "cores": worker_count(),
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "gl": gl_renderer(),
        "load_at_start": load(),
    }
