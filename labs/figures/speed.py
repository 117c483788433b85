"""What the fast path saves, drawn from the artifact that ``pixels bench --name bench`` leaves."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labs.artifacts import load_artifact
from labs.figures.style import OKABE_ITO, use_style

#: Part of the bench → what it is called, and the ratio that was aimed at on two CPU cores.
TARGETS: dict[str, tuple[str, float | None]] = {
    "env": ("environment steps with picture, a second on one core", 8.0),
    "memory": ("bytes a transition, stack 4", None),
    "replay": ("replay batches of 256, a second", 4.0),
    "update": ("updates of ManipulationCNN at batch 256, a second", 2.5),
    "whole": ("end to end at equal updates a step, steps a second", 5.0),
}
LARGEST_TRANSITION = 21_800  # bytes, the target of "memory"


def measured(name: str = "bench") -> dict[str, Any]:
    """The content of the bench's artifact."""
    return load_artifact(name).json("measurement.json")


def ratios_table(name: str = "bench") -> Markdown:
    """Stock, fast, ratio with spread, ratio of CPU times, target, and whether it is met."""
    rows = [
        "| what | stock | fast | ratio (turns) | by CPU time | target | |",
        "|---|---:|---:|---|---|---|---|",
    ]
    parts = measured(name)["parts"]
    for part, (title, target) in TARGETS.items():
        if part not in parts:
            rows.append(f"| {title} | | | not measured | | ≥ {target:g} × | **open** |")
            continue
        found = parts[part]
        if target is None:
            aim, met = f"≤ {LARGEST_TRANSITION:,} B", found["fast"] <= LARGEST_TRANSITION
            ratio = f"{found['ratio']:.1f} ×"
        else:
            aim, met = f"≥ {target:g} ×", found["ratio"] >= target
            ratio = f"{found['ratio']:.1f} × ({found['ratio_low']:.1f} – {found['ratio_high']:.1f})"
        cpu = f"{found['cpu']['ratio']:.1f} ×" if "cpu" in found else ""
        stock, fast = _number(found["stock"]), _number(found["fast"])
        rows.append(
            f"| {title} | {stock} | {fast} | {ratio} | {cpu} | {aim} "
            f"| {'met' if met else '**short**'} |"
        )
    return Markdown("\n".join(rows))


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
