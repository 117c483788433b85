#!/usr/bin/env python3
"""Leaves out what the repository has no room for, and what one command makes again.

    python scripts/slim_results.py                  every arm in data/
    python scripts/slim_results.py --shelf FOLDER   and keeps there what `pixels fetch` can get

* the video of every seed but the first, and of the first too where another arm's shows the same;
* the weights of every seed but the first, and of the first too where neither success is expected of
  the arm nor anything plays its policy; with them, what says how to build their network;
* the weights of every locator that no policy with weights, and no measurement, looks through.

Curves, evaluations and settings of all seeds stay. The provenance keeps the SHA-256 of what was
left out, under ``left_out``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from labs.artifacts import (
    PROVENANCE,
    Artifact,
    data_root,
    load_artifact,
    seed_folders,
    write_record,
)
from labs.errors import UserError
from labs.experiments.locating import WEIGHTS as LOCATOR
from labs.experiments.locating import folder
from labs.experiments.policies import SPEC
from labs.experiments.policies import WEIGHTS as POLICY
from labs.experiments.presets import CRITERIA, PRESETS, effective

VIDEO = "video.mp4"

#: Where the rule does not fit, arm → how many of its seeds: no success is expected of an arm, but
#: a page or an exercise plays its policy; the expected success did not come; half an hour makes it
#: again and nothing plays it; or an arm that is told less keeps an eye of the same kind.
PLAYED = {
    "push-blind-tuned": 1,
    "push-located": 0,
    "push-asymmetric": 0,
    "push-located-rewards-looks": 0,
    "push-located-rewards-annealed": 0,
    "push-located-rewards-quick": 0,
    "push-located-played-n3": 0,
    "push-asymmetric-keypoint-long": 0,
    "push-told": 0,
    "push-distilled-drq": 0,
    "reach-state-tuned": 0,
    "reach-small-annealed": 0,
    "reach-small-mended": 0,
    "reach-located": 0,
    "reach-located-rewards": 0,
    "reach-located-walked": 0,
    "reach-located-filmed": 0,
    "push-asymmetric-achieved": 0,
}


#: Arms whose film adds little to another's: to that of push-demo (the floor), of push-blind-tuned,
#: of push-located-rewards-n3; of reach-located, of reach-state.
WITHOUT_FILM = {
    *("push-eight-goals", "push-eight-goals-long", "push-asymmetric"),
    *("push-one-goal", "push-small-helped"),
    *("push-small-blank", "push-small-noise", "push-small-actor", "push-small-separate"),
    *("push-small-steps", "push-small-far", "push-small-k8"),
    *("push-small-buffer10k", "push-small-buffer25k", "push-small-buffer50k"),
    *("push-small-u012", "push-small-u050"),
    *("push-blind-k8", "push-blind-u012", "push-blind-u050", "push-blind-buffer10k"),
    *("push-blind-acts-25k", "push-blind-acts-60k", "push-blind-acts-lent"),
    *("push-blind-long", "push-state-long", "push-state-tuned", "push-blind-n3", "push-small-n3"),
    effective("push-state-tuned", overrides={"her_k": 8}).arm,
    *("push-place-drawn-7", "push-place-drawn-14", "push-place-drawn-22"),
    *("push-place-drawn-14-looks", "push-place-drawn-14-n3"),
    *("push-place-fixed-22", "push-place-judged-22", "push-place-blurred-22"),
    *("push-asymmetric-keypoint", "push-asymmetric-keypoint-long", "push-asymmetric-achieved"),
    *("push-asymmetric-frozen", "push-asymmetric-frozen-long", "push-keypoint-honest"),
    *("push-keypoint-shared", "push-keypoint-rewarded", "push-eye-rewarded", "push-eye-told"),
    "push-keypoint-rewarded-n3",
    "push-eye-judged",
    *("push-asymmetric-blurred", "push-asymmetric-blurred-less", "push-small-honest"),
    *("push-told", "push-small", "push-located", "push-located-rewards"),
    *("push-located-rewards-looks", "push-located-rewards-annealed", "push-located-rewards-far"),
    *("push-located-rewards-quick", "push-located-rewards-far-long"),
    *("push-located-played", "push-located-played-n3"),
    *("push-distilled", "push-distilled-norm", "push-distilled-sphere", "push-distilled-drq"),
    *("push-distilled-far", "push-distilled-far-drq"),
    *("push-distilled-flat", "push-distilled-flat-drq"),
    *("reach-small-drq", "reach-small-narrow", "reach-small-actor", "reach-small-separate"),
    *("reach-small-views", "reach-small-same", "reach-small-mended"),
    *("reach-located-rewards", "reach-located-default", "reach-located-workspace"),
    *("reach-located-walked", "reach-located-filmed", "reach-located-strayed"),
    *("reach-keypoint", "reach-asymmetric"),
    *("reach-small", "reach-small-told", "reach-small-blind", "reach-small-annealed"),
    "reach-state-tuned",
}


#: Arms whose locator of seed 0 is kept though no policy behind it is: a reader can look through it.
READ = ("push-located", "push-located-rewards")


def seeds_with_weights(arm: str) -> int:
    """How many seeds of an arm keep their weights."""
    return PLAYED.get(arm, 1 if arm in CRITERIA else 0)


def locators_in_use() -> set[Path]:
    """Where the locators lie that are looked through: by policies with weights, by measurements."""
    arms = (arm for arm in PRESETS if effective(arm).has_locator)
    kept = {folder(effective(arm, k)) for arm in arms for k in range(seeds_with_weights(arm))}
    return kept | {folder(effective(arm)) for arm in READ}


def superfluous(run: Artifact) -> list[str]:
    """The files of a training run, or of a locator, that are left out."""
    if LOCATOR in run.provenance["files"]:
        return [] if run.path in locators_in_use() else [LOCATOR]
    seed = int(run.path.name.removeprefix("seed"))
    arm = run.path.parent.name
    unwanted = [VIDEO] if seed > 0 or arm in WITHOUT_FILM else []
    if seed >= seeds_with_weights(arm):
        unwanted += [POLICY, SPEC]
    return [name for name in unwanted if name in run.provenance["files"]]


def slim(path: Path, shelf: Path | None = None) -> int:
    """Leaves out what is superfluous of one result, on a shelf if there is one.

    Returns the bytes that this saves.
    """
    run = load_artifact(path)
    names, record = superfluous(run), run.provenance
    if not names:
        return 0
    files = dict(record["files"])
    left_out = record.get("left_out", {}) | {name: files.pop(name) for name in names}
    saved = sum((path / name).stat().st_size for name in names)
    if shelf:
        place = shelf / path.parent.name / path.name
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(path / name, place / name)
    # First the listing: a killed run then leaves a file that nobody lists, not a missing one.
    write_record(path, record | {"files": files, "left_out": left_out})
    for name in names:
        (path / name).unlink()
    return saved


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Leaves out what the repository has no room for.")
    parser.add_argument("--shelf", type=Path, help="folder for what is left out (default: none)")
    shelf = parser.parse_args(argv).shelf
    seeds = (p for arm in sorted(data_root().glob("*")) for p in seed_folders(arm))
    runs = [p for p in seeds if (p / PROVENANCE).exists()]
    try:
        saved = [slim(path, shelf) for path in runs]
    except UserError as error:  # a damaged result; what is slim already stays so
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"results_slimmed": sum(map(bool, saved)), "bytes": sum(saved)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
