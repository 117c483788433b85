"""Commands that train many runs: on Ray, as a search, on one GPU within a budget."""

from __future__ import annotations

import time

from labs.flags import parse


def sweep(argv: list[str]) -> int:
    from labs.experiments.sweep import SweepOptions, sweep

    return sweep(parse(SweepOptions, argv, "pixels sweep"))


def search(argv: list[str]) -> int:
    from labs.experiments.search import SearchOptions, search

    options = parse(SearchOptions, argv, "pixels search")
    print(search(options.arm, options.steps).path)
    return 0


def campaign(argv: list[str]) -> int:
    import psutil

    from labs.campaign.schedule import CampaignOptions, campaign

    options = parse(CampaignOptions, argv, "pixels campaign")
    begun, now = psutil.Process().create_time(), time.time()
    # A sandboxed kernel may tell another boot time than its clock's: then now is the start.
    return campaign(options, started=begun if 0 <= now - begun < 60 else now)
