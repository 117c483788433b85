"""Measurements that play trained policies: those whose weights are here, beside what is known.

The repository has room for few weights. So a measurement plays the policies that lie in ``data/``,
keeps what it found before with others, and films the first that fails.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from labs.artifacts import PROVENANCE, data_root, load_artifact, seed_folders
from labs.errors import UserError
from labs.experiments.guards import refuse_to_lose
from labs.experiments.policies import WEIGHTS, TrainedPolicy, load_policy
from labs.experiments.video import write_video

FILM, FILMED = "video.mp4", 3  # its name, and how many episodes it shows


def policies_here(arms: Sequence[str]) -> list[str]:
    """``ARM/seedK`` of the runs whose weights lie in ``data/``, in the order of arms and seeds.

    Raises:
        UserError: there is none.
    """
    seeds = (folder for arm in arms for folder in seed_folders(data_root() / arm))
    found = [f"{f.parent.name}/{f.name}" for f in seeds if (f / WEIGHTS).exists()]
    if not found:
        raise UserError(f"no policy to play: pixels train {arms[0]} --seeds 0")
    return found


def run_of(row: Mapping[str, Any]) -> str:
    """``ARM/seedK`` of the policy that a measurement's row speaks of; where no seed is named, 0."""
    return row["run"] if "run" in row else f"{row['arm']}/seed{row.get('seed', 0)}"


def in_order(rows: Sequence[dict[str, Any]], arms: Sequence[str]) -> list[dict[str, Any]]:
    """The rows in the order of arms and seeds; rows of other arms come last."""

    def place(row: dict[str, Any]) -> tuple[int, str, int]:
        arm, seed = run_of(row).split("/seed")
        return (arms.index(arm) if arm in arms else len(arms), arm, int(seed))

    return sorted(rows, key=place)


def rows_to_keep(
    name: str, here: Collection[str], parameters: Mapping[str, Any], listed: str = "policies"
) -> list[dict[str, Any]]:
    """What a measurement found before with policies whose weights are gone.

    Args:
        name: of the measurement.
        here: the policies that can be played, as ``ARM/seedK``.
        parameters: what its numbers depend on.
        listed: where its artifact lists them.

    Returns:
        Its rows on other policies. Each has the ``commit`` whose code measured it.

    Raises:
        UserError: there are such rows, and they were measured with other parameters.
    """
    if not (data_root() / name / PROVENANCE).exists():
        return []
    before = load_artifact(name)
    known = before.json("measurement.json")[listed]
    if any(before.parameters.get(key) != value for key, value in parameters.items()):
        refuse_to_lose(name, lambda artifact: [run_of(row) for row in known], here)
    made_by = {"commit": before.provenance["commit"]}
    return [made_by | row for row in known if run_of(row) not in here]


def play_all(
    name: str,
    arms: Sequence[str],
    play: Callable[[TrainedPolicy], dict[str, Any]],
    parameters: Mapping[str, Any],
    progress: bool,
) -> list[dict[str, Any]]:
    """What a measurement finds with each policy that is here, beside what it knows of others.

    Args:
        name: of the measurement.
        arms: those whose policies it plays.
        play: plays one policy.
        parameters: what its numbers depend on; see :func:`rows_to_keep`.
        progress: show a bar.

    Returns:
        For each policy ``arm``, ``seed`` and what ``play`` gave, in the order of arms and seeds; a
        row that was kept has a ``commit`` besides.

    Raises:
        UserError: nothing to play, or what is known was measured with other parameters.
    """
    here = policies_here(arms)
    kept, played = rows_to_keep(name, here, parameters), []
    for run in tqdm(here, desc=name, disable=not progress):
        arm, seed = run.split("/seed")
        played.append({"arm": arm, "seed": int(seed)} | play(load_policy(run)))
    return in_order([*played, *kept], arms)


def film_of_lost(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    frames: Callable[[TrainedPolicy, list[int]], list[np.ndarray]],
) -> tuple[list[int], dict[str, bytes]]:
    """A film of the first episodes that the first policy lost.

    Args:
        name: of the measurement.
        rows: of :func:`play_all`; each lists the seeds that it ``lost``.
        frames: draws the episodes of some seeds.

    Returns:
        The seeds, and the film by its name; both empty where no policy lost. Where that policy has
        no weights any more the film that shows it is kept; without one the next policy is filmed.
    """
    for row in rows:
        lost = row["lost"][:FILMED]
        if lost and "commit" not in row:
            with tempfile.TemporaryDirectory() as scratch:
                film = Path(scratch) / FILM
                write_video(film, frames(load_policy(run_of(row)), lost))
                return lost, {FILM: film.read_bytes()}
        if lost and (before := load_artifact(name)).parameters["filmed"] == lost:
            return lost, {FILM: before.file(FILM).read_bytes()}
    return [], {}
