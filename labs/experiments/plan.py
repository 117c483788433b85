"""What a run will cost, before it starts, and what became of it, after."""

from __future__ import annotations

import sys
from typing import Any

from labs.artifacts import Artifact, load_artifact, seeds_of
from labs.errors import UserError
from labs.experiments import guards
from labs.experiments.config import RunConfig, updates
from labs.experiments.presets import CRITERIA
from labs.provenance import hardware


def duration(seconds: float) -> str:
    """Seconds as people say them, for a terminal: ``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


#: How a run is done decides how fast: only runs that were done so tell of another's time.
PACE = ("device", "subproc", "torch_threads")


def earlier_run(config: RunConfig) -> dict[str, Any] | None:
    """The record of the arm's latest run that was done as this one would be, with a GPU or without
    as here; one of such a machine before all others. None without one."""
    try:
        records = [load_artifact(path).provenance for path in seeds_of(config.arm)]
    except UserError:
        return None
    wanted, gpu = config.as_dict(), hardware()["gpu"]
    found = []
    for record in records:
        done = RunConfig().as_dict() | record["parameters"]
        alike = all(done[key] == wanted[key] for key in PACE)
        if "frames_per_second" in record and alike and bool(_of(record, "gpu")) == bool(gpu):
            found.append(record)
    return max(found, key=lambda record: (_is_here(record), record["finished"]), default=None)


def _is_here(record: dict[str, Any]) -> bool:
    here = hardware()
    return all(_of(record, key) == here[key] for key in ("cpu", "cores", "gpu"))


def _of(record: dict[str, Any], key: str) -> Any:
    return record.get("hardware", {}).get(key)


def _time(config: RunConfig) -> str:
    found = earlier_run(config)
    if found is None:
        return "the progress bar will tell: this arm has not run here yet"
    text = duration(config.total_steps / float(found["frames_per_second"]))
    if seconds := found.get("locator_time_s"):
        text += f", and {duration(seconds)} for its locator where there is none yet"
    return f"{text} (from an earlier run{'' if _is_here(found) else ' on another machine'})"


def plan(config: RunConfig) -> dict[str, Any]:
    """Memory, disk, updates and, where an earlier run tells, time."""
    wanted = guards.needs(config)
    return {
        "environment steps": f"{config.total_steps:,}",
        "updates": f"{updates(config):,}",
        "memory": f"{wanted['memory'] / guards.GIB:.1f} GiB",
        "disk": f"{wanted['disk'] / guards.GIB:.1f} GiB",
        "time": _time(config),
    }


def in_short(config: RunConfig) -> str:
    """The plan in the one line that stands before a progress bar."""
    found = plan(config)
    return (
        f"{config.run_name}: {found['memory']} of memory, {found['disk']} of disk; time: "
        f"{found['time']}"
    )


def begin_at(bar: Any, step: int) -> None:
    """Begins a tqdm bar at an earlier session's step: tqdm counts its speed from there."""
    bar.initial = bar.n = bar.last_print_n = step


class NotebookProgress:
    """A progress bar that leaves few lines in an executed notebook."""

    def __init__(self, config: RunConfig):
        from tqdm import tqdm

        self._bar = tqdm(total=config.total_steps, unit="step", file=sys.stdout, mininterval=5)
        self._first = True

    def __call__(self, progress: dict[str, Any]) -> None:
        step = min(progress["step"], self._bar.total)
        if self._first:
            begin_at(self._bar, step)
            self._first = False
        self._bar.update(step - self._bar.n)
        if progress["success"] is not None:
            self._bar.set_postfix_str(f"success {progress['success']:.0%}", refresh=False)
        if progress["phase"] == "done":
            self._bar.close()


def verdict(artifact: Artifact) -> str:
    """One sentence: did the run reach what its arm is expected to reach?"""
    arm = artifact.parameters["arm"]
    found = artifact.json("evaluation.json")["deterministic"]
    measured = (
        f"success {found['success_rate']:.0%} in {found['episodes']} episodes "
        f"(95 % interval {found['success_low']:.0%} to {found['success_high']:.0%})"
    )
    if arm not in CRITERIA:
        return f"{measured}; no criterion is set for {arm}"
    wanted = CRITERIA[arm]
    word = "reached" if found["success_rate"] >= wanted else "NOT reached"
    return f"{measured}; criterion {wanted:.0%}: {word}"
