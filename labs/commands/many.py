"""Commands that train many runs: on Ray, as a search, on one GPU within a budget."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tyro.conf import Positional

from labs.flags import parse


def sweep(argv: list[str]) -> int:
    from labs.experiments.sweep import SweepOptions, sweep

    return sweep(parse(SweepOptions, argv, "pixels sweep"))


@dataclass(frozen=True)
class SearchOptions:
    """Train an arm with one setting changed at a time, on seed 101, and leave data/search-ARM."""

    arm: Positional[str] = "reach-state-tuned"
    """an arm of engine fast"""
    steps: int | None = None
    """environment steps of a trial; None: the arm's own"""


def search(argv: list[str]) -> int:
    options = parse(SearchOptions, argv, "pixels search")
    from labs.experiments.backend import ensure_gl
    from labs.experiments.presets import preset

    ensure_gl(preset(options.arm).has_images)
    # From here on mujoco is imported.
    from labs.experiments.search import search

    print(search(options.arm, options.steps).path)
    return 0


def campaign(argv: list[str]) -> int:
    import psutil

    from labs.campaign.schedule import CampaignOptions, campaign

    options = parse(CampaignOptions, argv, "pixels campaign")
    begun, now = psutil.Process().create_time(), time.time()
    # A sandboxed kernel may tell another boot time than its clock's: then now is the start.
    return campaign(options, started=begun if 0 <= now - begun < 60 else now)
