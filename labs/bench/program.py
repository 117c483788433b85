"""The program ``pixels bench``: options, order, the table on the terminal, the artifact."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

from tyro.conf import Positional

from labs.artifacts import data_root, may_be_replaced, refuse_unwritable, write_measurement
from labs.errors import UserError
from labs.provenance import Clock

COMPARISONS = ("env", "replay", "update", "whole", "memory")
PARTS = (*COMPARISONS, "savings", "step", "workers")
Part = Literal["env", "replay", "update", "whole", "memory", "savings", "step", "workers"]


@dataclass(frozen=True)
class BenchOptions:
    """The fast path beside the stock SB3 route, on this machine, in one run."""

    parts: Positional[tuple[Part, ...]] = ()
    """what is measured; all of it when left out (ten minutes). env, replay, update, whole, memory:
    ours beside stock; savings: each saving alone and cumulated; step: where a step's time goes;
    workers: how many pay, under EGL and OSMesa"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where replay and updates run"""
    repeats: int = 5
    """turns of each measurement"""
    seconds: float = 1.0
    """length of a turn"""
    transitions: int = 5000
    """in the replay memories; the stock one takes 169 KB each"""
    updates_per_step: float = 0.05
    """gradient updates per environment step of whole training"""
    n_envs: int = 4
    """environments of whole training"""
    more_batches: tuple[int, ...] = ()
    """also measure the part update at these batch sizes, besides 256; 512, say, on a GPU"""
    whole_steps: int = 100
    """environment steps of one turn of whole training"""
    compiled: bool = True
    """measure compiled updates too, which takes minutes to compile"""
    threads: int = 1
    """of torch on the CPU; idle threads spin, so that CPU time means something with one only"""
    name: str | None = None
    """also write the results to data/NAME"""


def check(options: BenchOptions) -> None:
    """Raises UserError where an option measures nothing, or asks for more than there is."""
    limits = {"repeats": 1, "transitions": 300, "n_envs": 1, "whole_steps": 1, "threads": 1}
    for field, least in limits.items():
        value = getattr(options, field)
        if value < least:
            flag = field.replace("_", "-")
            raise UserError(f"--{flag} {value} measures nothing: give {least} or more")
    if not 0 < options.seconds <= 600:
        raise UserError(f"--seconds {options.seconds:g} is out of range: give 0.1 to 600")
    if not 0 < options.updates_per_step <= 10:
        raise UserError(
            f"--updates-per-step {options.updates_per_step:g} is out of range: give 0.01 to 10"
        )
    for batch in options.more_batches:
        if not 1 <= batch <= 4096:
            raise UserError(f"--more-batches {batch} is out of range: give 1 to 4096")
    if options.name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", options.name):
        raise UserError(f"--name {options.name!r} is no name of an artifact: give bench, say")
    if options.name is not None:
        may_be_replaced(data_root() / options.name, "measurement", partial(_same_parts, options))
        refuse_unwritable(data_root(), "PIXELS_DATA")  # it is written last
    if not options.parts or "replay" in options.parts:
        _require_memories(options.transitions)


def _same_parts(options: BenchOptions, before: Mapping[str, Any]) -> bool:
    """Whether older parameters are a bench's of the same parts; none named are all of them."""
    return "parts" in before and set(before["parts"] or PARTS) == set(options.parts or PARTS)


def _require_memories(transitions: int) -> None:
    """Raises UserError where this machine cannot hold both memories of the part replay."""
    from labs.bench.measure import SIZE, STACK
    from labs.pixel_replay import memory_needed, require_memory

    size = (SIZE, SIZE)
    needed = sum(
        memory_needed(transitions, size, STACK, storage=storage)
        for storage in ("stacks", "frames_once")
    )
    what = f"a pair of replay memories of {transitions:,} transitions"
    require_memory(needed, what, remedy="lower --transitions")


def run_bench(options: BenchOptions, report: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Measures the chosen parts, one after the other.

    Args:
        options: see there.
        report: called with lines of text when a part is done.

    Returns:
        ``machine`` and ``parts``: name → numbers. Plain JSON types.

    Raises:
        UserError: an option that measures nothing, or CUDA where there is none.
    """
    check(options)
    import torch

    from labs.bench import parts, savings, step, workers
    from labs.bench.measure import load, machine

    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda, but torch sees no GPU: give --device cpu")
    n, s, ups = options.repeats, options.seconds, options.updates_per_step
    few = min(options.transitions, 1000)
    measure: dict[str, Callable[[], dict[str, Any]]] = {
        "env": lambda: workers.child("drawing", repeats=n, seconds=s),
        "replay": lambda: parts.bench_replay(n, s, options.transitions, device),
        "update": lambda: _updates(n, s, few, device, options.more_batches),
        "whole": lambda: parts.bench_whole(n, options.whole_steps, device, ups, options.n_envs),
        "memory": parts.bench_memory,
        "savings": lambda: savings.bench_savings(n, min(s, 0.5), few, device, options.compiled),
        "step": lambda: step.bench_step(min(n, 3), min(s, 0.5), few, device, ups),
        "workers": lambda: workers.bench_workers(min(n, 3), s, 0.25),
    }
    chosen = options.parts or PARTS
    before = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    results: dict[str, Any] = {"machine": machine(device), "parts": {}}
    try:
        for name in (part for part in PARTS if part in chosen):
            results["parts"][name] = measure[name]()
            if report is not None:
                report("\n".join(lines(name, results["parts"][name])))
    finally:
        torch.set_num_threads(before)
    results["machine"]["load_at_end"] = load()
    return results


def _updates(
    repeats: int, seconds: float, transitions: int, device: str, more_batches: tuple[int, ...]
) -> dict[str, Any]:
    """The update at batch 256, and under ``more_batches`` at the others."""
    from labs.bench import parts

    first, *more = (
        parts.bench_update(repeats, seconds, transitions, device, batch)
        for batch in (parts.BATCH, *more_batches)
    )
    return first | {"more_batches": more}


# ----------------------------------------------------------------------------------- as text

HEADER = f"{'':<8}{'stock':>12}{'fast':>12}   ratio (smallest to largest turn)"


def lines(name: str, part: dict[str, Any]) -> list[str]:
    """A part as it is printed."""
    if name in COMPARISONS:
        spread = f"{part['ratio_low']:.1f} to {part['ratio_high']:.1f}"
        cpu = f", {part['cpu']['ratio']:.1f} × by CPU time" if "cpu" in part else ""
        first = (
            f"{name:<8}{part['stock']:>12,.1f}{part['fast']:>12,.1f}   "
            f"{part['ratio']:>5.1f} × ({spread}){cpu}   {part['unit']}"
        )
        return [
            first,
            *(line for more in part.get("more_batches", ()) for line in lines(name, more)),
        ]
    if name == "savings":
        return _savings_lines(part)
    if name == "step":
        return _step_lines(part)
    return _worker_lines(part)


def _savings_lines(part: dict[str, Any]) -> list[str]:
    found = []
    for topic in ("env", "update", "state_update"):
        for kind in ("cumulated", "alone", "variants"):
            rows = part[topic].get(kind, ())
            found += [f"{part[topic]['unit']}, {kind}"] if rows else []
            found += [f"  {row['name']:<36}{row['ms']:>9.2f}" for row in rows]
        if part[topic].get("compile_s"):
            found.append(f"  {'(seconds to compile)':<36}{part[topic]['compile_s']:>9.1f}")
    found.append(part["memory"]["unit"])
    found += [f"  {row['name']:<36}{row['bytes']:>9,.0f}" for row in part["memory"]["cumulated"]]
    return found


def _step_lines(part: dict[str, Any]) -> list[str]:
    found = [f"one step of training at {part['updates_per_step']:g} updates a step, ms and share"]
    for stock, fast in zip(part["stock"]["pieces"], part["fast"]["pieces"], strict=True):
        found.append(
            f"  {stock['name']:<16}{stock['ms']:>10.2f} {stock['share']:>5.0%}"
            f"{fast['ms']:>10.2f} {fast['share']:>5.0%}"
        )
    return found


def _worker_lines(part: dict[str, Any]) -> list[str]:
    found = []
    tables = {f"pixels, {name}": table for name, table in part["backends"].items()}
    tables |= {"state": part["state"], "training from state": part["state_training"]}
    for title, table in tables.items():
        if table is None:
            found.append(f"{title}: not on this machine")
            continue
        found.append(f"{title}, {table['n_envs']} environments, {part['unit']}")
        found += [f"  {row['name']:<28}{row['rate']:>9,.0f}" for row in table["rows"]]
    return found


def bench(options: BenchOptions) -> int:
    """The command: measures, prints as it goes, writes the artifact where one is named."""
    check(options)
    clock = Clock()
    if not options.parts or set(options.parts) & set(COMPARISONS):
        print(HEADER)
    results = run_bench(options, report=lambda text: print(text, flush=True))
    if options.name:
        gl = results["machine"]["gl"]
        parameters = asdict(options)
        print(
            write_measurement(options.name, results, parameters=parameters, gl=gl, clock=clock).path
        )
    return 0
