#!/usr/bin/env python3
"""Leaves out what the repository has no room for, and what one command makes again.

    python scripts/slim_results.py                  every arm in data/
    python scripts/slim_results.py --shelf FOLDER   and keeps there what `pixels fetch` can get

* the video of every run but the first seed of the few arms whose films differ;
* the weights of every seed but the first, and of the first too where neither success is expected of
  the arm nor anything plays its policy; with them, what says how to build their network;
* the weights of every locator that no policy with weights, and no measurement, looks through.

Long JSON is written as :mod:`labs.json_text` writes it now and with the digits of a curve, which
takes less room. A run's curve and evaluation go into one archive, as :mod:`labs.bundle` says.

Curves, evaluations and settings of all seeds stay. The provenance keeps the SHA-256 of what was
left out, under ``left_out``.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from labs.artifacts import (
    PROVENANCE,
    Artifact,
    data_root,
    load_artifact,
    seed_folders,
    write_atomically,
    write_record,
)
from labs.bundle import BUNDLE, read_bundle, to_bundle
from labs.errors import ending
from labs.experiments.locating import LOCATOR_FILE, folder
from labs.experiments.policies import SPEC
from labs.experiments.policies import WEIGHTS as POLICY
from labs.experiments.position_errors import rounded
from labs.experiments.presets import CRITERIA, PRESETS, effective
from labs.json_text import LONG, json_text
from labs.provenance import sha256

VIDEO = "video.mp4"
BUNDLED = ("curve.csv", "evaluation.json")  # short, and of every seed
DIGITS = 6  # significant ones, of a curve and of long JSON

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
    "push-located-rewards-seeking": 0,
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


#: Films take room, and most arms move as one of these does: Push on the floor, blind, and seen
#: through an eye that rewards opened, of a camera aimed at the table and of the environment's own;
#: Reach seen, and from the state.
WITH_FILM = (
    "push-demo",
    "push-blind-tuned",
    "push-located-rewards-n3",
    "push-located-rewards-far-seeking",
    "reach-located",
    "reach-state",
)


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
    if LOCATOR_FILE in run.provenance["files"]:
        return [] if run.path in locators_in_use() else [LOCATOR_FILE]
    arm = run.path.parent.name
    unwanted = [VIDEO] if run.seed > 0 or arm not in WITH_FILM else []
    if run.seed >= seeds_with_weights(arm):
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


def pack(path: Path) -> int:
    """Writes an artifact's long JSON anew where that is shorter. Returns the bytes saved."""
    artifact, saved = load_artifact(path), 0
    record = artifact.provenance
    files = dict(record["files"])
    for file in (path / name for name in files if name.endswith(".json")):
        if not file.exists():
            continue  # bundled, so it is short
        before = file.read_text()
        after = json_text(rounded(json.loads(before), DIGITS))
        if len(before) > LONG and len(after) < len(before):
            write_atomically(file, after)
            files[file.name] = sha256(file)
            saved += len(before) - len(after)
    if saved:
        write_record(path, record | {"files": files})
    return saved


def bundle(path: Path) -> int:
    """Puts a run's short files into one. Returns how many; the record stays as it is."""
    record = load_artifact(path).provenance
    alone = {name: path / name for name in BUNDLED if (path / name).exists()}
    if not alone or not record["files"].keys() >= alone.keys():
        return 0
    content = read_bundle(path) | {name: file.read_bytes() for name, file in alone.items()}
    # Killed in between, it leaves a file in both places, never in none.
    write_atomically(path / BUNDLE, to_bundle(content))
    for file in alone.values():
        file.unlink()
    return len(alone)


def slim_all(shelf: Path | None = None) -> int:
    """Slims every run and locator in ``data/``; says how many it changed and what that saves.

    Raises:
        UserError: a damaged result. What is slim already stays so.
    """
    seeds = (p for arm in sorted(data_root().glob("*")) for p in seed_folders(arm))
    runs = [p for p in seeds if (p / PROVENANCE).exists()]
    saved = [slim(path, shelf) for path in runs]
    artifacts = [p.parent for p in data_root().rglob(PROVENANCE)]
    packed = [pack(path) for path in sorted(artifacts)]
    done = {"results_slimmed": sum(map(bool, saved)), "bytes": sum(saved), "packed": sum(packed)}
    print(json.dumps(done | {"bundled": sum(map(bundle, runs))}))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Leaves out what the repository has no room for.")
    parser.add_argument("--shelf", type=Path, help="folder for what is left out (default: none)")
    shelf = parser.parse_args(argv).shelf
    return ending(parser.prog, lambda: slim_all(shelf))


if __name__ == "__main__":
    raise SystemExit(main())
