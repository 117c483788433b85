"""Commands that measure: tasks, encoders, gradients, this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from tyro.conf import Positional

from labs.artifacts import Artifact, data_root, may_be_replaced, refuse_unwritable
from labs.errors import UserError
from labs.flags import NoOptions, parse


def probe(argv: list[str]) -> int:
    about = "Which loss gives the encoder a gradient, in each routing. No flags."
    parse(NoOptions, argv, "pixels probe", about=about)
    from labs.routing_probe import main

    main()
    return 0


#: Those of the tasks share a module, each other one has its own.
OF_THE_TASKS = ("push-floor", "visibility", "gradient-routing")
MEASUREMENTS = (
    *OF_THE_TASKS,
    *("gradients-along-run", "eye-along-run", "shift-keypoints", "perception", "encoder-probe"),
    *("goal-sight", "told-sight", "reach-sight", "eyes-at-work", "moved-pictures"),
    *("shrunk-pictures", "sphere-pictures", "frozen-pictures", "fresh-episodes", "gallery"),
)
NOTHING_DRAWN = ("push-floor", "gradient-routing")


def function_of(name: str) -> Callable[..., Artifact]:
    """What does a measurement."""
    word = name.removesuffix("-run").replace("-", "_")
    module = "tasks" if name in OF_THE_TASKS else word
    return getattr(import_module(f"labs.measurements.{module}"), word)


@dataclass(frozen=True)
class MeasureOptions:
    """Measure tasks, encoders or gradients, in at most short trainings; leaves data/NAME."""

    name: Positional[Literal[MEASUREMENTS]]
    """push-floor: doing nothing; visibility: pixels of each thing; gradient-routing: which loss
    reaches which encoder; gradients-along-run: the same along short runs (20 min); eye-along-run:
    what a reward teaches the eye, and when (1 h); shift-keypoints: what a shift does to keypoints;
    perception: what an encoder can see, in millimeters (1 h and more); encoder-probe: what encoders
    saw that a reward trained (3 min); goal-sight: the same, pictures judged by one goal or by eight
    (2 min); told-sight: the same, a told critic judged (1 min); reach-sight: how Reach's locators
    err beside the goal (1 min); eyes-at-work: how eyes err while a block is pushed (2 min);
    moved-pictures: policies before a knocked camera (0.5 min a policy and distance);
    shrunk-pictures: policies on frames drawn large and shrunk (5 min a policy); sphere-pictures:
    policies that see the goal sphere hidden, at the goal, elsewhere (3 min a policy);
    frozen-pictures: who pushes before a still picture, and how far (2 min a policy);
    fresh-episodes: policies in a thousand episodes that none was scored on (4 min a policy);
    gallery: episodes of good and bad policies, frame by frame (10 min)"""
    seeds: int | None = None
    """perception: seeds a cell, else 3"""
    minutes: float | None = None
    """perception: after these, no further cell starts"""


def measure(argv: list[str]) -> int:
    options = parse(MeasureOptions, argv, "pixels measure")
    from labs.experiments.backend import ensure_gl

    asked = {"seeds": options.seeds, "minutes": options.minutes}
    chosen = {k: v for k, v in asked.items() if v is not None}
    if chosen and options.name != "perception":
        flags = " and ".join(f"--{flag}" for flag in chosen)
        raise UserError(f"{flags} is for perception: leave it out")
    path = data_root() / options.name
    refuse_unwritable(path, "PIXELS_DATA")
    may_be_replaced(path, "measurement")
    ensure_gl(options.name not in NOTHING_DRAWN)
    print(function_of(options.name)(**chosen).path)
    return 0


def bench(argv: list[str]) -> int:
    from labs.bench.program import BenchOptions, bench

    return bench(parse(BenchOptions, argv, "pixels bench"))


def doctor(argv: list[str]) -> int:
    about = "Is this machine ready, and what to do where not? No flags."
    parse(NoOptions, argv, "pixels doctor", about=about)
    from labs.experiments.doctor import report

    return report()
