"""How the bench measures: turns, medians, spreads, and what was measured on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from labs.envs import gl_renderer, worker_count
from labs.provenance import hardware, load

SIZE, STACK, BATCH = 84, 4, 256

Work = Callable[[], int]  # does some work, returns how many units of it


def wait(device: str) -> None:
    """Waits for a GPU, which works on after the call has returned."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


@dataclass(frozen=True)
class Rate:
    """Units of work per second of wall time, and per second of this process's CPU time.

    CPU time counts every thread. It is what the work costs, also on a machine with other work to
    do; wall time is what a reader waits.
    """

    wall: float
    cpu: float


def rate(work: Work, seconds: float) -> Rate:
    """Does the work for at least ``seconds``, and at least once."""
    done, start, cpu = 0, time.perf_counter(), time.process_time()
    while (spent := time.perf_counter() - start) < seconds or not done:
        done += work()
    return Rate(done / spent, done / max(time.process_time() - cpu, 1e-9))


def in_turns(work: Mapping[Any, Work], repeats: int, seconds: float) -> dict[Any, list[Rate]]:
    """Rates of several kinds of work, each ``repeats`` times, in turns after one warm-up call.

    In turns, so that whatever else the machine does falls on all of them.
    """
    for job in work.values():
        job()
    rates: dict[Any, list[Rate]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, job in work.items():
            rates[name].append(rate(job, seconds))
    return rates


def compare(
    stock: Work, fast: Work, repeats: int, seconds: float, unit: str, *, cpu: bool = True
) -> dict[str, Any]:
    """Medians of both, and the ratio of each turn: median, smallest, largest.

    Args:
        stock: the reference.
        fast: ours.
        repeats: turns.
        seconds: least wall time of each.
        unit: of the rates.
        cpu: also compare CPU time; not where workers of other processes do part of the work.
    """
    turns = in_turns({"stock": stock, "fast": fast}, repeats, seconds)
    result: dict[str, Any] = {"unit": unit} | _ratio(turns, "wall")
    if cpu:
        result["cpu"] = _ratio(turns, "cpu")
    return result


def _ratio(turns: Mapping[str, list[Rate]], clock: str) -> dict[str, Any]:
    stock, fast = ([getattr(r, clock) for r in turns[name]] for name in ("stock", "fast"))
    ratios = [f / s for s, f in zip(stock, fast, strict=True)]
    return {
        "stock": statistics.median(stock),
        "fast": statistics.median(fast),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "turns": {"stock": stock, "fast": fast},
    }


def milliseconds(work: Mapping[Any, Work], repeats: int, seconds: float) -> dict[Any, Any]:
    """Milliseconds a unit: CPU time (median, smallest, largest of the turns), and wall time."""
    found = {}
    for name, rates in in_turns(work, repeats, seconds).items():
        cpu, wall = [1000 / r.cpu for r in rates], [1000 / r.wall for r in rates]
        found[name] = {
            "ms": statistics.median(cpu),
            "low": min(cpu),
            "high": max(cpu),
            "wall_ms": statistics.median(wall),
        }
    return found


def cpu_ms(functions: Mapping[Any, Callable[[], object]], repeats: int = 15) -> dict[Any, float]:
    """Milliseconds of CPU time of one call of each: the median of ``repeats`` calls, in turns.

    A mean would carry the one call in which the machine did something else.
    """

    def once(function: Callable[[], object]) -> Work:
        def call() -> int:
            function()
            return 1

        return call

    work = {name: once(function) for name, function in functions.items()}
    return {name: found["ms"] for name, found in milliseconds(work, repeats, 0).items()}


def stepper(env: Any) -> Work:
    """Steps an SB3 vector environment with a fixed random action; one unit = one env step."""
    env.reset()
    actions = np.array([env.action_space.sample() for _ in range(env.num_envs)])

    def step() -> int:
        env.step(actions)
        return env.num_envs

    return step


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
