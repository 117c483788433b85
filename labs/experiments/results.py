"""What results exist, where they come from, and what they say in a number."""

from __future__ import annotations

from typing import Any

from labs.artifacts import Artifact, data_root, list_artifacts, load_artifact
from labs.errors import UserError
from labs.statistics import steps_to


def measurement(name: str) -> dict[str, Any]:
    """What an artifact that is no training measured."""
    return load_artifact(name).json("measurement.json")


def final_success(run: Artifact) -> float:
    """Success of a run's final evaluation, by its mean actions, in [0, 1]."""
    return run.json("evaluation.json")["deterministic"]["success_rate"]


def steps_until(run: Artifact, success: float) -> float | None:
    """Environment steps to the first point of a run's curve at this success; None if never."""
    curve = run.table()
    return steps_to(curve["step"], curve["success"], success)


def describe(path) -> dict[str, Any]:
    """One artifact as a row: name, kind, state, date, commit, machine, headline."""
    name = path.relative_to(data_root()).as_posix()
    try:
        artifact = load_artifact(path)
    except UserError as error:
        return {"name": name, "kind": "?", "problem": str(error)}
    record = artifact.provenance
    headline = ""
    if "evaluation.json" in record["files"]:
        found = artifact.json("evaluation.json")["deterministic"]
        headline = f"success {found['success_rate']:.0%} of {found['episodes']}"
    machine = record["hardware"]
    return {
        "name": name,
        "kind": record["kind"],
        "problem": "",
        "finished": record["finished"],
        "commit": (record["commit"] or "none")[:7],
        "changed": bool(record.get("uncommitted_code")),
        "machine": machine["gpu"] or f"{machine['cpu']}, {machine['cores']} cores",
        "bytes": sum(p.stat().st_size for p in {artifact.lies_in(f) for f in record["files"]}),
        "headline": headline,
    }


def table() -> tuple[str, int]:
    """All artifacts below ``data/`` as text, and how many of them are damaged."""
    rows = [describe(path) for path in list_artifacts()]
    if not rows:
        return f"no results in {data_root()}: pixels train reach-state makes the first", 0
    lines = []
    width = max(len(r["name"]) for r in rows)
    for r in rows:
        if r["problem"]:
            lines.append(f"{r['name']:<{width}}  DAMAGED: {r['problem']}")
            continue
        commit = r["commit"] + ("+" if r["changed"] else "")
        lines.append(
            f"{r['name']:<{width}}  {r['kind']:<11}  {r['finished'][:10]}  {commit:<8}  "
            f"{r['bytes'] / 1024:7.0f} KiB  {r['machine']}  {r['headline']}".rstrip()
        )
    if any(r.get("changed") for r in rows):
        lines.append("+: the code had changes that were not committed")
    return "\n".join(lines), sum(bool(r["problem"]) for r in rows)
