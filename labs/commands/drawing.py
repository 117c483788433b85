"""Commands that draw: curves from results, and what the policy sees."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

from labs.commands.judging import require_data
from labs.errors import UserError
from labs.flags import parse


@dataclass(frozen=True)
class PlotOptions:
    """Draw a figure from results."""

    kind: Positional[Literal["curves", "phases", "steps"]]
    """curves: success of arms; phases: success and losses of one run; steps: the investigation"""
    arms: Positional[tuple[str, ...]] = ()
    """arms; for phases one run, such as push-step2/seed0"""
    out: str = "figure.png"
    """the file; its suffix (.png, .svg, .pdf) says the format"""
    source: bool = False
    """mark what the source manuscript reports"""


def plot(argv: list[str]) -> int:
    options = parse(PlotOptions, argv, "pixels plot")
    _begin(options.out)
    from labs.artifacts import load_artifact
    from labs.figures import curves
    from labs.figures.ledger import floor_of

    if options.kind == "curves":
        floor = floor_of([_task(arm) for arm in options.arms])
        figure = curves.success_curves(options.arms, floor=floor, source=options.source)
    elif options.kind == "phases":
        if len(options.arms) != 1:
            raise UserError("phases draws one run: pixels plot phases push-step2/seed0")
        run = load_artifact(options.arms[0])
        floor = floor_of([run.parameters.get("task")])
        figure = curves.three_phases(run, floor=floor, source=options.source)
    else:
        drawn = options.arms or curves.STEP_ARMS
        floor = floor_of([_task(arm) for arm in drawn])
        require_data()
        figure = curves.five_steps(drawn, floor=floor)
    return _save(figure, options.out)


def _task(arm: str) -> str | None:
    """An arm's task: its preset's, or, of a reader's own, its result's."""
    from labs.artifacts import data_root, load_artifact, seed_folders
    from labs.experiments.presets import PRESETS, preset

    seeds = () if arm in PRESETS else seed_folders(data_root() / arm)
    return load_artifact(seeds[0]).parameters.get("task") if seeds else preset(arm).task


def _begin(out: str) -> None:
    """No screen; and where to is asked before anything is drawn."""
    import matplotlib

    matplotlib.use("Agg")
    from labs.figures.style import refuse_figure

    with _about(out):
        refuse_figure(out)


def _save(figure, out: str) -> int:
    from labs.figures.style import save_figure

    with _about(out):
        print(save_figure(figure, out))
    return 0


@contextlib.contextmanager
def _about(out: str):
    try:
        yield
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {out} ({error}): give --out figure.png, say") from error


LARGEST = 4096  # pixels: OpenGL draws more on few machines


@dataclass(frozen=True)
class FrameOptions:
    """Draw what the policy sees, with the sizes of gripper, block and goal in pixels."""

    task: Literal["reach", "push"] = "push"
    """the task"""
    cameras: tuple[str, ...] = ("default", "workspace")
    """cameras, one picture each"""
    size: int = 84
    """height and width in pixels"""
    seed: int = 0
    """seed of the start"""
    out: str = "frame.png"
    """the file"""


def frame(argv: list[str]) -> int:
    options = parse(FrameOptions, argv, "pixels frame")
    if options.seed < 0:
        raise UserError(f"--seed {options.seed} is out of range: give 0 or more")
    if options.size > LARGEST:
        raise UserError(f"--size {options.size} is out of range: give 1 to {LARGEST}")
    if not options.cameras:
        raise UserError("--cameras names no camera: give default, workspace or both")
    _begin(options.out)
    from labs.experiments.backend import ensure_gl

    ensure_gl()
    from labs.figures.frame import frame_sizes

    figure = frame_sizes(
        options.task, cameras=options.cameras, size=options.size, seed=options.seed
    )
    return _save(figure, options.out)
