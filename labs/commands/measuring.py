"""Commands that report no trained policy: tasks, encoders, gradients, this machine."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from tyro.conf import Positional

from labs.errors import UserError
from labs.flags import NoOptions, parse


def probe(argv: list[str]) -> int:
    about = "Which loss gives the encoder a gradient, in each routing. No flags."
    parse(NoOptions, argv, "pixels probe", about=about)
    from labs.routing_probe import main as probe

    probe()
    return 0


#: What can be measured: name → the function that does it, in its module of ``labs.measurements``.
MEASUREMENTS = {
    "push-floor": "tasks:push_floor",
    "visibility": "tasks:visibility",
    "gradient-routing": "tasks:gradient_routing",
    "gradients-along-run": "gradients_along:gradients_along",
    "eye-along-run": "eye_along:eye_along",
    "shift-keypoints": "shift_keypoints:shift_keypoints",
    "perception": "perception:perception",
    "encoder-probe": "encoder_probe:encoder_probe",
    "goal-sight": "goal_sight:goal_sight",
    "told-sight": "told_sight:told_sight",
    "reach-sight": "reach_sight:reach_sight",
    "eyes-at-work": "eyes_at_work:eyes_at_work",
    "moved-pictures": "moved_pictures:moved_pictures",
    "shrunk-pictures": "shrunk_pictures:shrunk_pictures",
    "sphere-pictures": "sphere_pictures:sphere_pictures",
    "frozen-pictures": "frozen_pictures:frozen_pictures",
    "gallery": "gallery:gallery",
}
NOTHING_DRAWN = ("push-floor", "gradient-routing")


@dataclass(frozen=True)
class MeasureOptions:
    """Measure the tasks, an encoder or gradients, in at most short trainings; leaves data/NAME."""

    name: Positional[Literal[tuple(MEASUREMENTS)]]
    """push-floor: doing nothing; visibility: pixels of each thing; gradient-routing: which loss
    reaches which encoder; gradients-along-run: the same along short runs (twenty minutes);
    eye-along-run: what a reward teaches the eye, and when (an hour);
    shift-keypoints: what a random shift does to keypoints; perception: what an encoder can see, in
    millimeters (an hour and more); encoder-probe: what encoders saw that a reward trained (three
    minutes); goal-sight: the same, where pictures were judged by one goal or by eight (two
    minutes); told-sight: the same, where a told critic judged (a minute); reach-sight: how
    Reach's locators err beside the goal (a minute); eyes-at-work: how eyes err while a block is
    pushed (two minutes); moved-pictures: policies before a knocked camera
    (half a minute for each policy and distance); shrunk-pictures: policies on frames drawn large
    and shrunk (five minutes a policy); sphere-pictures: policies that see the
    goal sphere hidden, at the goal and elsewhere (three minutes a policy); frozen-pictures: who
    pushes before a picture that never changes, and how far (two minutes a policy); gallery:
    episodes of good and bad policies, frame by frame (ten minutes)"""
    seeds: int | None = None
    """perception: seeds of each cell, 3 when left out"""
    minutes: float | None = None
    """perception: after these, start no further cell and write what is there"""


def measure(argv: list[str]) -> int:
    options = parse(MeasureOptions, argv, "pixels measure")
    from labs.artifacts import data_root
    from labs.experiments import guards
    from labs.experiments.backend import ensure_gl

    chosen = {"seeds": options.seeds, "minutes": options.minutes}
    chosen = {flag: value for flag, value in chosen.items() if value is not None}
    if chosen and options.name != "perception":
        flags = " and ".join(f"--{flag}" for flag in chosen)
        raise UserError(f"{flags} is for perception: leave it out")
    guards.refuse_unwritable(data_root() / options.name, "PIXELS_DATA")  # it is written last
    ensure_gl(options.name not in NOTHING_DRAWN)
    module, function = MEASUREMENTS[options.name].split(":")
    artifact = getattr(import_module(f"labs.measurements.{module}"), function)(**chosen)
    print(artifact.path)
    return 0


def bench(argv: list[str]) -> int:
    from labs.bench.program import BenchOptions, bench

    return bench(parse(BenchOptions, argv, "pixels bench"))


def doctor(argv: list[str]) -> int:
    about = "Is this machine ready, and what to do where it is not? No flags."
    parse(NoOptions, argv, "pixels doctor", about=about)
    from labs.experiments.doctor import report

    return report()
