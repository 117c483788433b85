"""Every training run in ``data/``, as tables that are made when the book is built.

    ```{run-table} push
    ```

``reach`` or ``push`` gives the training runs of the task, one row a seed, and under them one box an
arm with its command and its film. ``other`` gives the runs that stand under no arm. Rows come from
``list_artifacts``: nothing is chosen, nothing is left out. ``measurement_table.py`` has the rest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from experiment_cards import differences
from generated import Generated, listed, markdown_table, number, seed_list, train_command
from sphinx.application import Sphinx

from labs.artifacts import Artifact, list_artifacts, load_artifact
from labs.experiments.presets import PRESETS, SUMMARY
from labs.tasks import ENV_IDS, views_of

SIDE = 240  # pixels: one view of a film (``labs.experiments.video``)

# ------------------------------------------------------------------------------- what there is


def artifacts(root: Path) -> list[Artifact]:
    """Every artifact below ``root``, checked."""
    return [load_artifact(path) for path in list_artifacts(root)]


def base_of(arm: str) -> str | None:
    """The preset that an arm's folder starts from: ``push-demo`` of ``push-demo-fast``."""
    names = [name for name in PRESETS if arm == name or arm.startswith(f"{name}-")]
    return max(names, key=len, default=None)


def trained(root: Path, task: str) -> dict[str, list[Artifact]]:
    """Arm → its runs by seed, in the order of the presets; what has no preset comes last."""
    found: dict[str, list[Artifact]] = {}
    for run in artifacts(root):
        if run.provenance["kind"] == "training" and run.parameters["task"] == task:
            found.setdefault(run.path.parent.name, []).append(run)
    order = list(PRESETS)

    def rank(arm: str) -> tuple[int, str]:
        base = base_of(arm)
        return (order.index(base) if base else len(order), arm)

    return {arm: sorted(found[arm], key=lambda run: run.seed) for arm in sorted(found, key=rank)}


def machine(record: dict[str, Any]) -> str:
    """Processor, its cores, GPU where there is one, and what drew the pictures.

    In few words, for a cell; ``labs.figures.results.machine`` quotes the record.
    """
    hardware = record["hardware"]
    words = re.sub(r"\((R|TM)\)|\bProcessor\b|\bCPU\b.*", "", hardware["cpu"])
    renderer = (hardware.get("gl") or {}).get("renderer", "").split(" (")[0]
    cores = f"{hardware['cores']} core" + "s" * (hardware["cores"] > 1)
    return ", ".join(filter(None, (" ".join(words.split()), cores, hardware["gpu"], renderer)))


def made(record: dict[str, Any]) -> list[str]:
    """Machine, and day with commit, as cells."""
    commit = f"`{(record['commit'] or 'unknown')[:7]}`" + "+" * bool(record["uncommitted_code"])
    processor, cores, *others = machine(record).split(", ")
    return [
        ", ".join(map(whole, (f"{processor}, {cores}", *others))),
        f"{whole(record['finished'][:10])}, {commit}",
    ]


def remarks(record: dict[str, Any]) -> list[str]:
    """Whether a run was resumed or ended early; empty for one that ran through."""
    said = []
    if record.get("sessions", 1) > 1:
        said += ["resumed", f"{record['sessions']} sessions"]
    if "ended_early" in record:
        said += ["ended early", record["ended_early"]]
    return said


# --------------------------------------------------------------------------------- as Markdown


def whole(text: str) -> str:
    """Text that no line's end tears apart."""
    return f"[{text}]{{.text-nowrap}}"


def card_link(arm: str) -> str:
    """An arm's name, leading to its card."""
    base = base_of(arm)
    return f"{{ref}}`{arm} <card-{base}>`" if base else f"`{arm}`"


def run_row(arm: str, run: Artifact, root: Path, film: str | None) -> list[str]:
    """The cells of one training run."""
    record, score = run.provenance, "evaluation.deterministic.success"

    def of_run(keys: str, form: str) -> str:
        return number(run, root, keys, form)

    wall = of_run("provenance.wall_time_s", "duration")
    if record.get("locator_time_s") is not None:
        wall = whole(f"{wall} +") + " " + of_run("provenance.locator_time_s", "duration")
    low, high = of_run(f"{score}_low", "pct1"), of_run(f"{score}_high", "pct1")
    return [
        card_link(arm),
        str(run.seed),
        f"{of_run(f'{score}_rate', 'pct0')} " + whole(f"({low} – {high})"),
        of_run("evaluation.steps", "int"),
        of_run("evaluation.updates", "int"),
        wall,
        of_run("provenance.load_average", "f1") if "load_average" in record else "not recorded",
        f'<a href="{escape(film)}">film</a>' if film else "",
        *made(record),
        ", ".join(map(whole, remarks(record))),
    ]


RUN_HEADS = (
    "arm, seed, success and its interval, steps, updates, wall time + locator, load, film, "
    "machine, made, remarks"
).split(", ")


def _flags(changed: dict[str, tuple[Any, Any]]) -> str:
    """The flags that make a preset's run one with these settings."""
    found = []
    for knob, (_, value) in changed.items():
        name = knob.replace("_", "-")
        if isinstance(value, bool) and knob != "goal_sphere":
            found.append(f" --{'' if value else 'no-'}{name}")
        else:
            words = value if isinstance(value, list | tuple) else [value]
            found.append(f" --{name} {' '.join(map(str, words))}")
    return "".join(found)


def box(arm: str, runs: list[Artifact], films: dict[Path, str]) -> str:
    """An arm's commands and films, folded to a line."""
    base = base_of(arm)
    lines = [f":::{{dropdown}} `{arm}`: {SUMMARY.get(base, 'an arm without a preset')}"]
    if base:
        changed = differences(base, runs[0])
        own = "" if arm == base else _flags(changed)  # the preset may have changed since
        lines += ["```bash", f"{train_command(base + own, seed_list(runs))} --again", "```"]
        if changed:
            lines += ["", f"These runs had settings of their own: {listed(changed)}."]
    for run in runs:
        if run.path in films:
            lines += ["", _video(run, films[run.path])]
    return "\n".join([*lines, ":::", ""])


def _video(run: Artifact, address: str) -> str:
    """The film as a player that loads nothing before it is asked to."""
    config = run.parameters
    words = f"{config['video_episodes']} episodes of {run.path.parent.name}, seed {run.seed}"
    width = SIDE * views_of(config["camera"])
    return (
        f'<video controls loop muted playsinline preload="none" width="{width}" height="{SIDE}" '
        f'style="max-width:100%;height:auto" aria-label="{words}">'
        f'<source type="video/mp4" src="{escape(address)}">{words}</video>'
    )


def run_table(root: Path, task: str, link: Callable[[Path], str]) -> str:
    """The training runs of a task and the boxes of its arms.

    Args:
        root: the folder of all artifacts.
        task: ``reach`` or ``push``.
        link: from a film's file to its address on the page.

    Raises:
        ValueError: another task.
    """
    if task not in ENV_IDS:
        raise ValueError(f"received task {task!r}, expected {', '.join(ENV_IDS)} or other")
    arms = trained(root, task)
    films = {
        run.path: link(run.file("video.mp4"))
        for runs in arms.values()
        for run in runs
        if "video.mp4" in run.provenance["files"]
    }
    rows = [
        run_row(arm, run, root, films.get(run.path)) for arm, runs in arms.items() for run in runs
    ]
    boxes = [box(arm, runs, films) for arm, runs in arms.items()]
    return "\n".join([markdown_table(RUN_HEADS, rows), "", *boxes])


#: Artifacts of trial runs on a spare seed, with settings of their own.
TUNING = ("tuning", "tuning-told-critic")


def _other_runs(root: Path) -> Iterator[list[str]]:
    """Runs that stand under no arm: artifact, run, seed, last point, success there, its end."""
    trials, (locator, told) = (
        [load_artifact(root / name) if (root / name).exists() else None for name in names]
        for names in (TUNING, ("locator-first-attempt", "told-first-attempt"))
    )

    def point(run: Artifact, steps: str, success: str) -> list[str]:
        return [number(run, root, steps, "int"), number(run, root, success, "pct0")]

    for tuning in filter(None, trials):
        for i, run in enumerate(tuning.json("measurement.json")["runs"]):
            last = f"runs.{i}.curve.{len(run['curve']) - 1}"
            cells = point(tuning, f"{last}.steps", f"{last}.success")
            words, seed = f"{run['run']}: {run['task']}", str(run["settings"]["seed"])
            yield [f"`{tuning.path.name}`", words, seed, *cells, run["outcome"]]
    for i, run in enumerate(locator.json("measurement.json")["runs"] if locator else []):
        last = len(run["steps"]) - 1
        cells = point(locator, f"runs.{i}.steps.{last}", f"runs.{i}.success.{last}")
        arm = card_link(locator.parameters["arm"])
        yield ["`locator-first-attempt`", arm, str(run["seed"]), *cells, run["ended"]]
    if told:
        parameters = told.parameters
        last = f"curve.{len(told.json('measurement.json')['curve']) - 1}"
        cells = point(told, f"{last}.step", f"{last}.success")
        arm, seed = card_link(parameters["arm"]), str(parameters["seed"])
        yield ["`told-first-attempt`", arm, seed, *cells, parameters["record"]]
        cells = point(told, f"{last}.step", "more_updates.success")
        updates, batch = (
            number(told, root, f"more_updates.{k}", "int") for k in ("updates", "batch")
        )
        end = f"that student, trained anew: {updates} updates of {batch}"
        yield ["`told-first-attempt`", arm, seed, *cells, end]


def other_runs(root: Path) -> str:
    """The runs that stand under no arm, as Markdown."""
    heads = ["artifact", "run", "seed", "last point at step", "success there", "what became of it"]
    return markdown_table(heads, _other_runs(root))


# ------------------------------------------------------------------------------------ in Sphinx


class RunTable(Generated):
    """The directive ``run-table``: a task or ``other``."""

    required_arguments = 1

    def _link(self, film: Path) -> str:
        """Has Sphinx copy a film beside the pages; its address from this page."""
        source = os.path.relpath(film, self.env.srcdir)
        copied = self.env.dlfiles.add_file(self.env.docname, source)
        return "../" * self.env.docname.count("/") + f"_downloads/{copied}"

    def markdown(self, root: Path) -> str:
        of = self.arguments[0]
        return other_runs(root) if of == "other" else run_table(root, of, self._link)


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("artifact_role")  # where the artifacts lie
    app.add_directive("run-table", RunTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
