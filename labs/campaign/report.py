"""What a campaign has found so far: one artifact, rewritten whole whenever something happened.

Groups that an earlier command reported, and this one does not, stay in it as they were.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labs.artifacts import Artifact, data_root, load_artifact, runs_root, write_measurement
from labs.campaign.cells import Cell, Group
from labs.errors import UserError
from labs.experiments.config import RunConfig
from labs.experiments.curve import COLUMNS
from labs.experiments.done import differs, result_of
from labs.statistics import steps_to

POINTS = 3  # of a curve, averaged: one point is a handful of episodes

Curve = list[dict[str, float | None]]


def artifact_of(config: RunConfig) -> Artifact | None:
    """The run's artifact, whole or ended early; None if there is none of this configuration."""
    try:
        return result_of(config)
    except UserError:  # damaged: the report goes on without it, and its note says so
        return None


def curve_of(config: RunConfig) -> Curve:
    """The points measured so far: of the run's folder, else of its artifact.

    Either may be an earlier run's of other settings: then it does not count.
    """
    path = runs_root() / config.run_name / "curve.csv"
    if path.exists() and _is_of(path.with_name("config.json"), config):
        text = path.read_text()
    elif (artifact := artifact_of(config)) is not None:
        text = artifact.read("curve.csv").decode()
    else:
        return []
    rows = csv.DictReader(io.StringIO(text))
    return [{k: float(v) if v else None for k, v in row.items()} for row in rows]


def _is_of(settings: Path, config: RunConfig) -> bool:
    """Whether a run's settings, as its folder tells them, are this configuration's."""
    try:
        return not differs(json.loads(settings.read_text()), config)
    except (OSError, ValueError, UserError):  # none, damaged, or of a knob that is gone
        return False


def success_at(curve: Curve, step: float) -> float | None:
    """Mean success of the last points up to a step."""
    values = [p["success"] for p in curve if p["step"] <= step][-POINTS:]
    return float(np.mean(values)) if values else None


def row(cell: Cell, note: Mapping[str, Any]) -> dict[str, Any]:
    """One run: how far it came, what it reached, how it ended."""
    curve, artifact = curve_of(cell.config), artifact_of(cell.config)
    last = curve[-1] if curve else {}
    steps, success = [p["step"] for p in curve], [p["success"] for p in curve]
    found: dict[str, Any] = {
        "arm": cell.config.arm,
        "seed": cell.config.seed,
        "state": note.get("state", "waiting"),
        "reason": note.get("reason", ""),
        "steps": int(last.get("step") or 0),
        "total_steps": cell.config.total_steps,
        "updates": int(last.get("updates") or 0),
        "wall_time_s": last.get("wall_time_s"),
        "success": success_at(curve, np.inf),
        "steps_to_50": steps_to(steps, success, 0.5) if curve else None,
        "steps_to_90": steps_to(steps, success, 0.9) if curve else None,
        "evaluation": None,
    }
    if artifact is not None:
        measured = artifact.json("evaluation.json")
        found["evaluation"] = {
            "steps": measured["steps"],
            "updates": measured["updates"],
            "wall_time_s": artifact.provenance["wall_time_s"],
            "ended_early": artifact.provenance.get("ended_early"),
            "deterministic": measured["deterministic"],
            "controls": {k: v["success_rate"] for k, v in measured["controls"].items()},
        }
    return found


def group_result(group: Group, cells: Sequence[Cell], notes: Mapping[str, Any]) -> dict[str, Any]:
    """All runs of a group, and their success at the last step that every one of them reached."""
    rows = [row(cell, notes.get(cell.name, {})) for cell in cells]
    begun = [r["steps"] for r in rows if r["steps"]]
    common = min(begun) if begun else 0
    for cell, found in zip(cells, rows, strict=True):
        reached = found["steps"] >= common > 0
        found["success_at_common_step"] = (
            success_at(curve_of(cell.config), common) if reached else None
        )
    return {
        "name": group.name,
        "question": group.question,
        "common_step": common,
        "runs": rows,
        "summary": _summary(common, rows),
    }


def _summary(common: int, rows: Sequence[Mapping[str, Any]]) -> str:
    known: dict[str, list[float]] = {}
    for found in rows:
        if found["success_at_common_step"] is not None:
            known.setdefault(found["arm"], []).append(found["success_at_common_step"])
    if not known:
        return "nothing trained yet"
    ranked = sorted(known.items(), key=lambda item: -float(np.mean(item[1])))
    listed = ", ".join(f"{arm} {np.mean(v):.0%}" for arm, v in ranked)
    missing = sum(found["success_at_common_step"] is None for found in rows)
    rest = f"; {missing} not begun" if missing else ""
    return f"at step {common:,}, which all of these reached: {listed}{rest}"


def write(
    name: str,
    groups: Sequence[Group],
    cells: Sequence[Cell],
    notes: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Path:
    """Writes ``data/<name>`` with ``measurement.json`` and every curve in ``curves.csv``.

    What stays of an earlier report has the time of that report under ``reported``.
    """
    results, before = [], earlier(name)
    for group in groups:
        own = [c for c in cells if c.config.arm.removesuffix("-toy") in group.arms]
        if group.seeds:
            own = [c for c in own if c.config.seed in group.seeds]
        results.append(group_result(group, own, notes))
    table = io.StringIO()
    writer = csv.DictWriter(table, ("arm", "seed", *COLUMNS), lineterminator="\n")
    writer.writeheader()
    for cell in cells:
        key = {"arm": cell.config.arm, "seed": cell.config.seed}
        for point in curve_of(cell.config):
            writer.writerow(key | {c: _short(point.get(c)) for c in COLUMNS})
    names = [cell.name for cell in cells]
    if before is not None:
        results += _still_told(before, results)
        for point in csv.DictReader(io.StringIO(before.file("curves.csv").read_text())):
            if f"{point['arm']}/seed{point['seed']}" not in names:
                writer.writerow(point)
        names += [name for name in before.parameters["cells"] if name not in names]
    return write_measurement(
        name,
        {**facts, "groups": results},
        parameters={"cells": names},
        extra_files={"curves.csv": table.getvalue()},
        gl=facts.get("gl"),
    ).path


def earlier(name: str) -> Artifact | None:
    """The report that stands in ``data/<name>``; None without one, or where it is damaged.

    Raises:
        UserError: something else stands there.
    """
    try:
        found = load_artifact(data_root() / name)
    except UserError:
        return None
    if "cells" not in found.parameters:
        raise UserError(f"{found.path} is there and holds no campaign: move it away")
    return found


def _still_told(before: Artifact, results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The groups of an earlier report that have a run which these do not have."""
    here: dict[str, set[tuple[str, int]]] = {}
    for group in results:
        here.setdefault(group["name"], set()).update(_runs_of(group))
    then = before.provenance["finished"]
    return [
        {"reported": then} | group
        for group in before.json("measurement.json")["groups"]
        if _runs_of(group) - here.get(group["name"], set())
    ]


def _runs_of(group: Mapping[str, Any]) -> set[tuple[str, int]]:
    """A group's runs, as (arm, seed)."""
    return {(found["arm"], found["seed"]) for found in group["runs"]}


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
