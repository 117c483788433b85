"""What the fast path saves, drawn from the artifact that ``pixels bench --name bench`` leaves."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labs.artifacts import runs_of
from labs.experiments.results import measurement
from labs.figures.results import minutes, whole
from labs.figures.style import OKABE_ITO, use_style
from labs.statistics import time_to_threshold

#: Part of the bench → what it is called, and the least ratios that were aimed at: on two CPU cores,
#: and on a data-center GPU. No ratio: another aim, or none.
TARGETS: dict[str, tuple[str, float | None, float | None]] = {
    "env": ("environment steps with picture, a second on one core", 8.0, None),
    "memory": ("bytes a transition, stack 4", None, None),
    "replay": ("replay batches of 256, a second", 4.0, None),
    "update": ("updates of ManipulationCNN at batch 256, a second", 2.5, 10.0),
    "whole": ("end to end at equal updates a step, steps a second", 5.0, 30.0),
}
LARGEST_TRANSITION = 21_800  # bytes, the target of "memory"
#: Arm → what it learns, the success rate, and in how many seconds (median of its seeds).
TIMES: dict[str, tuple[str, float, float]] = {
    "reach-state-tuned": ("Reach from state", 0.95, 120.0),
    "push-state-tuned": ("Push from state", 0.9, 1200.0),
}
HEADER = [
    "| what | stock | fast | ratio (turns), or seeds | by CPU time | target | verdict |",
    "|---|---:|---:|---|---|---|---|",
]


def measured(name: str = "bench") -> dict[str, Any]:
    """The content of the bench's artifact."""
    return measurement(name)


def ratios_table(name: str = "bench") -> Markdown:
    """Every target beside what was measured: the bench's ratios, then the times of two arms.

    What was not measured is open. The last rows come from the arms of :data:`TIMES`, whatever the
    bench.
    """
    found = measured(name)
    parts, on_gpu = found["parts"], found["machine"]["device"] != "cpu"
    short = "bfloat16" in _update_bars(parts)  # then that is what "update" and "whole" ran in
    rows = [*HEADER]
    for part, (title, on_cores, on_accelerator) in TARGETS.items():
        here = parts.get(part)
        if on_accelerator is None:
            rows.append(_ratio_row(title, here, on_cores))
            continue
        on_cpu = None if on_gpu else here
        suffix = ", ours in bfloat16" if short and on_cpu else ""
        rows.append(_ratio_row(title + suffix, on_cpu, on_cores))
        if suffix:
            plain = _in_float32(parts) if part == "update" else None
            rows.append(_ratio_row("the same, ours in float32", plain, on_cores))
        rows.append(_ratio_row("the same on a GPU", here if on_gpu else None, on_accelerator))
    rows += [_time_row(arm, *aim) for arm, aim in TIMES.items()]
    return Markdown("\n".join(rows))


def _update_bars(parts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The waterfall of the update: name of a saving → its times; empty if not measured."""
    rows = parts["savings"]["update"]["cumulated"] if "savings" in parts else []
    return {row["name"]: row for row in rows}


def _in_float32(parts: dict[str, Any]) -> dict[str, Any]:
    """The update as in the bar "channels last", in the form of a part of the bench."""
    bars = _update_bars(parts)
    found = {}
    for clock, key in (("wall", "wall_ms"), ("cpu", "ms")):
        stock, fast = bars["stock"][key], bars["channels last"][key]
        found[clock] = {"stock": 1000 / stock, "fast": 1000 / fast, "ratio": stock / fast}
    return found["wall"] | {"cpu": found["cpu"]}


def _ratio_row(title: str, found: dict[str, Any] | None, least: float | None) -> str:
    """One target of the bench. ``least`` None: bytes, see :data:`LARGEST_TRANSITION`."""
    aim = whole(f"≥ {least:g} ×" if least is not None else f"≤ {LARGEST_TRANSITION:,} B")
    if found is None:
        return f"| {title} | | | not measured | | {aim} | **open** |"
    met = found["ratio"] >= least if least is not None else found["fast"] <= LARGEST_TRANSITION
    ratio = whole(f"{found['ratio']:.1f} ×")
    if least is not None and "ratio_low" in found:
        ratio += f" ({found['ratio_low']:.1f} – {found['ratio_high']:.1f})"
    cpu = whole(f"{found['cpu']['ratio']:.1f} ×") if "cpu" in found else ""
    stock, fast = _number(found["stock"]), _number(found["fast"])
    return f"| {title} | {stock} | {fast} | {ratio} | {cpu} | {aim} | {_verdict(met)} |"


def _time_row(arm: str, title: str, success: float, seconds: float) -> str:
    """One arm: the median wall time, over its seeds, to the first point of the curve at success."""
    curves = [run.table() for run in runs_of(arm)]
    times = time_to_threshold([(c["wall_time_s"], c["success"]) for c in curves], success)
    median = "not reached" if times.median is None else minutes(times.median)
    spread = f"{len(times.reached)} of {len(curves)} seeds"
    if times.reached:
        spread += f", {minutes(times.reached[0])} – {minutes(times.reached[-1])}"
    met = times.median is not None and times.median < seconds
    return (
        f"| {title} to {100 * success:.0f} %, wall time | | {median} | {spread} | "
        f"| {whole(f'< {seconds / 60:g} min')} | {_verdict(met)} |"
    )


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def _number(value: float) -> str:
    """Three digits, or whole numbers: 0.547, 28.6, 169,562."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _bars(axes: Axes, names: list[str], values: list[float], unit: str) -> None:
    """One bar a row; what a saving takes away hangs lightly beside what is left."""
    rows = range(len(names))
    before = [values[0], *values[:-1]]
    saved = [max(0.0, b - v) for b, v in zip(before, values, strict=True)]
    axes.barh(rows, values, color=OKABE_ITO["blue"], label="left")
    axes.barh(rows, saved, left=values, color=OKABE_ITO["orange"], alpha=0.45, label="saved")
    for row, value in zip(rows, values, strict=True):
        text = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
        axes.text(value, row, f" {text}", va="center", fontsize=8)
    axes.set_yticks(list(rows), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(unit, fontsize=8)
    axes.set_xlim(0, 1.15 * max(values))
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="y", visible=False)


def waterfalls(name: str = "bench") -> Figure:
    """Environment, update and memory: what each saving leaves, one after the other."""
    use_style()
    savings = measured(name)["parts"]["savings"]
    figure, all_axes = plt.subplots(3, 1, figsize=(7.0, 6.2), height_ratios=(6, 5, 3))
    for axes, (topic, key, unit) in zip(
        all_axes,
        (
            ("env", "ms", "environment step with its picture, ms of CPU time"),
            ("update", "ms", "update of ManipulationCNN at batch 256, ms of CPU time"),
            ("memory", "bytes", "bytes a transition"),
        ),
        strict=True,
    ):
        rows = savings[topic]["cumulated"]
        _bars(axes, [row["name"] for row in rows], [row[key] for row in rows], unit)
    all_axes[0].legend(loc="lower right", fontsize=8)
    return figure


def alone_table(name: str = "bench") -> Markdown:
    """Each saving of the picture alone, and after those before it, in ms of an environment step."""
    savings = measured(name)["parts"]["savings"]["env"]
    alone, together = savings["alone"], savings["cumulated"]
    rows = ["| | alone, ms | with all before it, ms |", "|---|---:|---:|"]
    rows += [
        f"| {a['name']} | {a['ms']:.1f} | {t['ms']:.1f} |"
        for a, t in zip(alone, together, strict=True)
    ]
    rows.append(f"| (physics only, no picture) | {savings['physics'][0]['ms']:.1f} | |")
    return Markdown("\n".join(rows))


def step_table(name: str = "bench") -> Markdown:
    """Where one step of training goes, stock beside fast."""
    step = measured(name)["parts"]["step"]
    rows = [
        "| piece | stock, ms | share of a step | fast, ms | share of a step |",
        "|---|---:|---:|---:|---:|",
    ]
    for stock, fast in zip(step["stock"]["pieces"], step["fast"]["pieces"], strict=True):
        rows.append(
            f"| {stock['name']} | {stock['ms']:.2f} | {stock['share']:.0%} "
            f"| {fast['ms']:.2f} | {fast['share']:.0%} |"
        )
    totals = [f"{step[k]['per_step_ms']:.1f}" for k in ("stock", "fast")]
    rows.append(
        f"| **a whole step** at {step['updates_per_step']:g} updates | **{totals[0]}** | "
        f"| **{totals[1]}** | |"
    )
    return Markdown("\n".join(rows))


def workers_table(name: str = "bench") -> Markdown:
    """Environment steps per second by workers, from pixels under each OpenGL, and from state."""
    part = measured(name)["parts"].get("workers")
    if part is None:
        return Markdown("Not measured in this run: `pixels bench workers` does.")
    tables = {f"pixels, {k}": t for k, t in part["backends"].items() if t is not None}
    tables |= {"state": part["state"], "training from state": part["state_training"]}
    names = [row["name"] for row in part["state"]["rows"]]
    rows = [f"| environment steps a second | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for title, table in tables.items():
        cells = [f"{row['rate']:,.0f}" for row in table["rows"]]
        rows.append(f"| {title} | {' | '.join(cells)} |")
    return Markdown("\n".join(rows))
