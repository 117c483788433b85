"""Commands that report no trained policy: tasks, encoders, gradients, this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

from labs.flags import NoOptions, parse


def probe(argv: list[str]) -> int:
    parse(NoOptions, argv, "pixels probe")
    from labs.routing_probe import main as probe

    probe()
    return 0


@dataclass(frozen=True)
class MeasureOptions:
    """Measure the tasks, an encoder or gradients, in at most short trainings; leaves data/NAME."""

    name: Positional[
        Literal[
            "push-floor",
            "visibility",
            "gradient-routing",
            "gradients-along-run",
            "shift-keypoints",
            "perception",
            "encoder-probe",
            "moved-pictures",
            "shrunk-pictures",
            "gallery",
        ]
    ]
    """push-floor: doing nothing; visibility: pixels of each thing; gradient-routing: which loss
    reaches which encoder; gradients-along-run: the same along short runs (twenty minutes);
    shift-keypoints: what a random shift does to keypoints; perception: what an encoder can see, in
    millimeters (an hour and more); encoder-probe: what encoders saw that a reward trained (three
    minutes); moved-pictures: policies before a knocked camera (half a minute for each policy and
    distance); shrunk-pictures: policies on frames drawn large and shrunk (five minutes a policy);
    gallery: episodes of good and bad policies, frame by frame (ten minutes)"""
    seeds: int = 3
    """perception: seeds of each cell"""
    minutes: float | None = None
    """perception: after these, start no further cell and write what is there"""


def measure(argv: list[str]) -> int:
    options = parse(MeasureOptions, argv, "pixels measure")
    if options.name == "perception":
        from labs.experiments.perception import perception

        artifact = perception(options.seeds, options.minutes)
    elif options.name == "shift-keypoints":
        from labs.experiments.shift_keypoints import shift_keypoints

        artifact = shift_keypoints()
    elif options.name == "gradients-along-run":
        from labs.experiments.gradients_along import gradients_along

        artifact = gradients_along()
    elif options.name == "encoder-probe":
        from labs.experiments.encoder_probe import encoder_probe

        artifact = encoder_probe()
    elif options.name == "moved-pictures":
        from labs.experiments.moved_pictures import moved_pictures

        artifact = moved_pictures()
    elif options.name == "shrunk-pictures":
        from labs.experiments.shrunk_pictures import shrunk_pictures

        artifact = shrunk_pictures()
    elif options.name == "gallery":
        from labs.experiments.gallery import gallery

        artifact = gallery()
    else:
        from labs.experiments.measure import MEASUREMENTS

        artifact = MEASUREMENTS[options.name]()
    print(artifact.path)
    return 0


def bench(argv: list[str]) -> int:
    from labs.bench.program import BenchOptions, bench

    return bench(parse(BenchOptions, argv, "pixels bench"))


def doctor(argv: list[str]) -> int:
    parse(NoOptions, argv, "pixels doctor")
    from labs.experiments.doctor import report

    return report()
