"""Arms beside each other: the table, time to a success rate, ρ and gap closure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from labs.artifacts import runs_of, write_measurement
from labs.claims.arm import Arm
from labs.errors import UserError
from labs.experiments.plan import duration
from labs.json_text import finite_or_none
from labs.statistics import Interval, gap_closure, iqm, time_to_threshold

THRESHOLDS = (0.5, 0.9)


def _interval(interval: Interval) -> dict[str, float | None]:
    return {k: finite_or_none(v) for k, v in asdict(interval).items()}


def _arm(arm: Arm | str) -> Arm:
    """An arm with all its runs, those that were cut short among them; what was loaded stays."""
    return Arm(arm, tuple(runs_of(arm))) if isinstance(arm, str) else arm


def summarize(arm: Arm | str) -> dict[str, Any]:
    """One row of the table: scores across seeds with intervals, costs, times to 50 % and 90 %.

    Runs that were cut short count, and ``ended_early`` names them: seed → where they ended.
    """
    arm = _arm(arm)
    scores = [run.json("evaluation.json") for run in arm.runs]
    found = [s["deterministic"] for s in scores]
    row: dict[str, Any] = {
        "arm": arm.name,
        "seeds": arm.seeds,
        "ended_early": {
            str(seed): run.provenance["ended_early"]
            for seed, run in zip(arm.seeds, arm.runs, strict=True)
            if "ended_early" in run.provenance
        },
        "episodes": [f["episodes"] for f in found],
        "success_rates": [f["success_rate"] for f in found],
        "success": _interval(iqm([f["success_rate"] for f in found])),
        "return": _interval(iqm([f["return_mean"] for f in found])),
        "final_distance": _interval(iqm([f["final_distance_mean"] for f in found])),
        "stochastic_success": _interval(iqm([s["stochastic"]["success_rate"] for s in scores])),
        "steps": [s["steps"] for s in scores],
        "updates": [s["updates"] for s in scores],
        "training_time_s": [s["training_time_s"] for s in scores],
        "frames_per_second": [s["training_frames_per_second"] for s in scores],
        "steps_before": arm.steps_before,
        "times": {},
        "controls": {},
    }
    for threshold in THRESHOLDS:
        row["times"][f"{threshold:g}"] = asdict(time_to_threshold(arm.curves, threshold))
    for name in scores[0]["controls"]:
        rates = [s["controls"][name]["success_rate"] for s in scores if name in s["controls"]]
        row["controls"][name] = _interval(iqm(rates))
    return row


def costs(
    state: Arm | str, pixels: Arm | str, others: Sequence[Arm | str], threshold: float = 0.9
) -> dict[str, Any]:
    """ρ of the pixel arm and the gap closure of the others, as far as the runs allow them.

    ``high`` of ρ is None where runs that never got there leave it without an upper bound.
    """
    state, pixels, *others = (_arm(arm) for arm in (state, pixels, *others))
    times = {arm.name: arm.times(threshold) for arm in (state, pixels, *others)}
    late = [name for name, of_seeds in times.items() if math.inf in of_seeds]
    has_median = {name: math.isfinite(np.median(of_seeds)) for name, of_seeds in times.items()}
    result: dict[str, Any] = {
        "threshold": threshold,
        "not_reached": late,
        "rho": {},
        "gap_closure": {},
    }
    for arm in (pixels, *others):
        if has_median[state.name] and has_median[arm.name]:
            result["rho"][arm.name] = _interval(arm.times_as_many(state, threshold))
    for arm in others:
        if not {state.name, pixels.name, arm.name} & set(late):
            try:
                closed = gap_closure(times[pixels.name], times[arm.name], times[state.name])
            except ValueError:
                continue  # no gap: nothing to close
            result["gap_closure"][arm.name] = _interval(closed)
    return result


def compare(
    arms: Sequence[str],
    *,
    name: str | None = None,
    state: str | None = None,
    pixels: str | None = None,
) -> dict[str, Any]:
    """Compares finished arms.

    Args:
        arms: at least one, each with at least one result.
        name: writes the comparison as the artifact ``data/<name>``; None writes nothing.
        state: the arm that ρ and gap closure are measured against.
        pixels: the pixel arm without help.

    Returns:
        ``rows`` (one for each arm) and, where both are named, ``costs``.

    Raises:
        UserError: an arm without results; ``state`` or ``pixels`` that is none of the arms, or
            observes something else; with both of them, arms of two tasks.
    """
    if not arms:
        raise UserError("nothing to compare: name arms, for example  pixels compare reach-state")
    for flag, named in (("state", state), ("pixels", pixels)):
        if named is not None and named not in arms:
            raise UserError(f"--{flag} {named} is none of the arms {', '.join(arms)}: add it there")
    found = {arm: _arm(arm) for arm in arms}  # every run is read and hashed once
    settings = {name: arm.config for name, arm in found.items()}
    for flag, named in (("state", state), ("pixels", pixels)):
        seen = flag if named is None else settings[named]["observation"]
        if seen != flag:
            raise UserError(f"--{flag} {named} observes {seen}: name an arm that observes {flag}")
    result: dict[str, Any] = {"rows": [summarize(found[arm]) for arm in arms]}
    if state in arms and pixels in arms:
        if len({settings[arm]["task"] for arm in arms}) > 1:
            tasks = ", ".join(f"{arm} ({settings[arm]['task']})" for arm in arms)
            raise UserError(f"rho is of one task, and these are not: {tasks}")
        others = [found[arm] for arm in arms if arm not in (state, pixels)]
        result["costs"] = costs(found[state], found[pixels], others)
    if name is not None:
        sources = {
            f"{run.path.parent.name}/{run.path.name}": run.provenance["files"]["evaluation.json"]
            for arm in arms
            for run in found[arm].runs
        }
        parameters = {"arms": list(arms), "state": state, "pixels": pixels, "sources": sources}
        write_measurement(name, result, parameters=parameters, kind="comparison")
    return result


# ------------------------------------------------------------------------------------ as text


def _cell(interval: dict[str, float | None], scale: float = 1.0, digits: int = 2) -> str:
    value, low, high = (interval[k] for k in ("value", "low", "high"))
    if value is None:
        return "-"
    text = f"{value * scale:.{digits}f}"
    if low is None or high is None:
        return text
    return f"{text} [{low * scale:.{digits}f}, {high * scale:.{digits}f}]"


def _ratio_cell(interval: dict[str, float | None]) -> str:
    """As :func:`_cell`, of an interval that may have no bound at one of its ends."""
    low, high = (interval[k] for k in ("low", "high"))
    if (low is None) == (high is None):
        return _cell(interval)
    below = "no lower bound" if low is None else f"{low:.2f}"
    above = "no upper bound" if high is None else f"{high:.2f}"
    return f"{_cell(interval)} [{below}, {above}]"


def _time_cell(times: dict[str, Any]) -> str:
    total = len(times["reached"]) + times["censored"]
    median = "never" if times["median"] is None else f"{times['median']:,.0f}"
    return median if not times["censored"] else f"{median} ({len(times['reached'])}/{total})"


def as_text(result: dict[str, Any]) -> str:
    """The comparison as a text table."""
    head = ("arm", "seeds", "success %", "return", "distance cm", "steps to 50 %")
    head += ("steps to 90 %", "time", "steps/s")
    rows = [head]
    for r in result["rows"]:
        rows.append(
            (
                r["arm"],
                str(len(r["seeds"])),
                _cell(r["success"], 100, 1),
                _cell(r["return"]),
                _cell(r["final_distance"], 100),
                _time_cell(r["times"]["0.5"]),
                _time_cell(r["times"]["0.9"]),
                duration(sum(r["training_time_s"]) / len(r["training_time_s"])),
                f"{sum(r['frames_per_second']) / len(r['frames_per_second']):.0f}",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    lines.append("success, return, distance: interquartile mean over seeds [95 % interval]")
    for row in result["rows"]:
        for seed, where in row["ended_early"].items():
            lines.append(f"{row['arm']}/seed{seed} was cut short {where}, and counts as it is")
    for row in result["rows"]:
        if row["steps_before"]:
            lines.append(
                f"{row['arm']}: its steps to 50 and 90 % include the {row['steps_before']:,} of "
                "its locator, its time does not"
            )
    for row in result["rows"]:
        for control, score in row["controls"].items():
            lines.append(f"{row['arm']} with {control} images: success {_cell(score, 100, 1)} %")
    found = result.get("costs")
    if found:
        percent = f"{found['threshold']:.0%}"
        for arm, value in found["rho"].items():
            lines.append(f"rho at {percent}, {arm}: {_ratio_cell(value)}")
        for arm, value in found["gap_closure"].items():
            lines.append(f"gap closure at {percent}, {arm}: {_ratio_cell(value)}")
        if found["not_reached"]:
            lines.append(
                f"never at {percent} with some seed: {', '.join(found['not_reached'])}; "
                "no gap closure can be given for them"
            )
    return "\n".join(lines)
