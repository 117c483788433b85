"""Many arms and seeds on Ray: here by default, on a cluster by its address.

Each run is one Ray task that executes the training notebook, as ``pixels train`` does. A task whose
worker or node dies is retried and goes on from its last checkpoint, where the checkpoints lie on a
file system that the nodes share; else it starts again. Results come back as archives and are
unpacked, checked, into ``data/`` of the machine that asked.

Ray is an optional extra: ``pip install -e '.[sweep]'``.
"""

from __future__ import annotations

import io
import re
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.artifacts import (
    data_root,
    load_artifact,
    may_be_replaced,
    put_in_place,
    refuse_unwritable,
)
from labs.errors import UserError
from labs.experiments.config import RunConfig
from labs.experiments.guards import refuse_repeated
from labs.experiments.validation import LIMITS

MOST_SEEDS, LARGEST_SEED = 1000, int(LIMITS["seed"][1])


@dataclass(frozen=True)
class SweepOptions:
    """Run every arm with every seed on Ray and gather the results in data/."""

    arms: tuple[str, ...]
    """names of arms"""
    seeds: tuple[str, ...] = ("0..2",)
    """seeds: numbers and ranges such as 0..9"""
    address: str = "local"
    """local: a Ray of its own on this machine; auto or host:port: a cluster"""
    cpus: float = 1.0
    """CPU cores of a run"""
    gpus: float = 0.0
    """share of a GPU for a run: 0.25 puts four runs on one"""
    retries: int = 3
    """how often a run whose worker died is tried again"""
    total_steps: int | None = None
    """environment steps of every run, instead of each arm's own"""
    smoke: bool = False
    """runs of seconds that prove the pipeline and nothing else"""
    again: bool = False
    """train although a result is there"""


def parse_seeds(texts: tuple[str, ...]) -> list[int]:
    """``("0..3", "7")`` → [0, 1, 2, 3, 7].

    Raises:
        UserError: no number, an empty range, too many, a seed twice.
    """
    seeds: list[int] = []
    for text in texts:
        first, dots, last = text.partition("..")
        if not re.fullmatch(r"[0-9]+(\.\.[0-9]+)?", text):
            raise UserError(f"--seeds {text} is no seed: give numbers or ranges such as 0..9")
        if max(len(first), len(last)) > len(str(LARGEST_SEED)):
            raise UserError(f"--seeds {text} is out of range: give numbers up to {LARGEST_SEED}")
        span = range(int(first), int(last if dots else first) + 1)
        if not span:
            raise UserError(f"--seeds {text} is empty: give the smaller number first")
        if len(seeds) + len(span) > MOST_SEEDS:
            raise UserError(f"--seeds {text} is too many: give at most {MOST_SEEDS:,} seeds")
        seeds += span
    refuse_repeated(seeds, texts)
    return seeds


def pack(folder: Path) -> bytes:
    """An artifact's folder as an uncompressed archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()


def unpack(content: bytes, folder: Path) -> Path:
    """Unpacks an archive beside ``folder``, checks every hash, and puts it in place.

    Raises:
        UserError: what arrived is damaged, or something else stands in its place.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=".arriving.", suffix=".tmp"
    ) as place:
        arrived = Path(place) / "artifact"
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(arrived, filter="data")
        may_be_replaced(folder, load_artifact(arrived).provenance["kind"])
        put_in_place(arrived, folder)
    return folder


def run_one(parameters: dict[str, Any], wanted: dict[str, Any]) -> bytes:
    """One run on a worker: the training notebook, and its artifact as an archive."""
    from labs.experiments.config import from_dict
    from labs.experiments.launch import launch

    config = from_dict(wanted)
    return pack(launch(config, parameters, again=parameters["again"], quiet=True, patience=120))


def _ray():
    try:
        import ray
    except ImportError as error:
        raise UserError(
            "pixels sweep needs Ray: pip install -e '.[sweep]', or train without it: "
            "pixels train ARM --seeds 0 1 2"
        ) from error
    return ray


def plan(options: SweepOptions) -> list[tuple[RunConfig, dict[str, Any]]]:
    """All runs of a sweep: effective configuration and notebook parameters."""
    from labs.experiments.launch import notebook_run

    if not (options.cpus > 0 and options.gpus >= 0 and options.retries >= 0):
        raise UserError("--cpus must be positive, --gpus and --retries at least 0")
    changed = {} if options.total_steps is None else {"total_steps": options.total_steps}
    runs = []
    for arm in dict.fromkeys(options.arms):
        for seed in parse_seeds(options.seeds):
            runs.append(notebook_run(arm, seed, changed, small=options.smoke))
    if not runs:
        raise UserError("nothing to sweep: --arms reach-state reach-pixels --seeds 0..2")
    return runs


def sweep(options: SweepOptions) -> int:
    """Runs a sweep. Returns 0 if every result is there, 1 if any run failed."""
    from labs.experiments.done import is_done, refuse_other_settings

    runs = plan(options)
    todo = [(c, p) for c, p in runs if options.again or not is_done(c)]
    for config, _ in todo if not options.again else ():
        refuse_other_settings(config)
    for config, _ in todo:
        may_be_replaced(data_root() / config.run_name, "training")
    if todo:
        refuse_unwritable(data_root(), "PIXELS_DATA")  # the runs' own folders are on the workers
    print(f"{len(runs)} runs, {len(runs) - len(todo)} of them already there", file=sys.stderr)
    if not todo:
        return 0
    ray = _ray()
    # "local" starts a Ray of its own, even beside another one on this machine.
    ray.init(address=options.address, include_dashboard=False, log_to_driver=False)
    task = ray.remote(run_one).options(
        num_cpus=options.cpus,
        num_gpus=options.gpus,
        max_retries=options.retries,
        retry_exceptions=False,
    )
    waiting = {}
    for config, parameters in todo:
        reference = task.remote(parameters | {"again": options.again}, config.as_dict())
        waiting[reference] = config
    failed = _gather(ray, waiting, len(todo))
    ray.shutdown()
    return 1 if failed else 0


def _gather(ray, waiting: dict[Any, RunConfig], total: int) -> list[str]:
    """Takes the results as they come. Returns the names of the runs that failed."""
    from tqdm import tqdm

    failed = []
    with tqdm(total=total, unit="run") as bar:
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1)
            config = waiting.pop(ready[0])
            try:
                unpack(ray.get(ready[0]), data_root() / config.run_name)
            except (ray.exceptions.RayError, UserError) as error:
                cause = getattr(error, "cause", None) or error
                reason = " ".join(str(cause).split())[-300:]
                tqdm.write(f"{config.run_name} failed: {reason}", file=sys.stderr)
                failed.append(config.run_name)
            else:
                tqdm.write(f"{config.run_name} done", file=sys.stderr)
            bar.update()
    return failed
