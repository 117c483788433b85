"""What stops a command before it costs anything: a second process, little memory, a result lost."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from labs.artifacts import (
    PROVENANCE,
    Artifact,
    data_root,
    load_artifact,
    nearest,
    refuse_unwritable,
)
from labs.errors import UserError
from labs.experiments.config import EPISODE_STEPS, EPISODES_OF_A_ROUND, RunConfig, rounds
from labs.limits import free_memory
from labs.provenance import GIB
from labs.tasks import STATE_WIDTH


def writable(folder: Path) -> Path:
    """The folder, made where it is missing.

    Raises:
        UserError: it cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make {folder} ({error.strerror}): set PIXELS_RUNS to a writable folder"
        ) from error
    return folder


@contextlib.contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Raises UserError where the system refuses something in a run's folder."""
    try:
        yield
    except OSError as error:
        if not str(error.filename).startswith(str(folder)):
            raise
        raise UserError(
            f"cannot use {error.filename} ({error.strerror}): move it away, or set PIXELS_RUNS to "
            "another folder"
        ) from error


def refuse_repeated(seeds: Sequence[int], given: Iterable[object]) -> None:
    """Raises UserError where a seed appears twice; ``given``: as the reader wrote them."""
    if len(set(seeds)) != len(seeds):
        raise UserError(f"a seed appears twice in --seeds {' '.join(map(str, given))}: drop one")


class RunLock:
    """Holds a run's folder for one process; the system lets go of it when the process dies.

    Args:
        folder: of the run; made if missing.
        patience: seconds to wait for a holder that is about to die.

    Raises:
        UserError: another process holds it.
    """

    def __init__(self, folder: Path, patience: float = 5.0):
        self.path = writable(folder) / "lock"
        self._file = open(self.path, "a+")  # held until release
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    self._file.seek(0)
                    holder = self._file.read().strip() or "unknown"
                    self._file.close()
                    raise UserError(
                        f"another process ({holder}) trains in {folder}: wait for it, stop it, or "
                        "choose another --seeds"
                    ) from None
                time.sleep(0.2)
        self._file.seek(0)
        self._file.truncate()
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Lets go of the folder."""
        self._file.close()

    def __enter__(self) -> RunLock:
        return self

    def __exit__(self, *exc) -> None:
        self.release()


def holder(folder: Path) -> int | None:
    """The process that holds a run's folder, None if nobody does."""
    path = folder / "lock"
    if not path.exists():
        return None
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = file.read().strip()
            return int(text) if text.isdigit() else None
    return None


def held_after(folder: Path, seconds: float) -> bool:
    """Whether a run is still held after a while: a process whose parent was killed ends itself."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holder(folder) is None:
            return False
        time.sleep(0.2)
    return True


def stored_bytes(config: RunConfig) -> int:
    """Bytes of one stored transition; of a distillation, of one lesson."""
    widest = config.task if config.observation == "state" else "push"  # others hold no more
    small = 8 * (STATE_WIDTH[widest] + 6) * 2 + 4 * 4 + 16
    if not config.has_images or config.has_locator:
        return small
    from labs.pixel_replay import transition_bytes

    pixels = transition_bytes(
        config.frame_size,
        config.frame_stack,
        storage="stacks" if config.engine == "sb3" else "frames_once",
    )
    return round(pixels) + small


def _learner(config: RunConfig) -> int:
    """Bytes of the networks as they are trained, and of one batch on its way through them."""
    inputs, encoder, activations = 64, 0, 3 * sum(config.net_arch)
    if config.has_images and not config.has_locator:
        height, width = config.frame_size
        inputs += max(config.features_dim, 2 * config.num_filters * config.views)
        activations += height * width * (3 * config.frame_stack + config.num_filters)
        if config.head == "flat" and config.encoder != "keypoint":
            maps = config.num_filters / 4 if config.encoder == "manipulation" else 0.5
            encoder = round(height * width * maps) * config.features_dim
    layers = sum(a * b for a, b in zip((inputs, *config.net_arch), config.net_arch, strict=False))
    # Weights, gradients and Adam's two moments of an actor and two critics, and two targets.
    return 4 * (14 * (encoder + layers) + 2 * config.batch_size * activations)


def _memory(config: RunConfig, stored: int) -> int:
    """Bytes of memory beside what lies on a GPU; ``stored``: of replay memory and learner."""
    from labs.experiments.processor import workers_of  # brings torch

    environment = (60 if config.has_images else 30) * 2**20  # one that draws has a GL context
    processes = workers_of(config) * 350 * 2**20 + config.n_envs * environment
    height, width = config.frame_size
    frames = config.locator_frames * 3 * height * width if config.has_locator else 0
    # A locator's frames are gone before the environments start and the memory fills.
    return max(stored + processes, frames) + 800 * 2**20


def needs(config: RunConfig) -> dict[str, int]:
    """Bytes of memory and disk that a run needs, from above.

    Memory: the replay memory and the networks with a batch (on a GPU with the fast engine they lie
    there), the environments and their processes, or before all these the frames of a locator, and
    the program itself. Disk: two checkpoints, the saved replay memory, the result. Of a
    distillation: its lessons.
    """
    from labs.experiments.models import capacity

    kept, saved = min(capacity(config), config.total_steps), config.save_replay
    if config.engine == "distill":  # every lesson stays, in memory and on disk
        kept, saved = rounds(config) * EPISODES_OF_A_ROUND * EPISODE_STEPS, True
    stored = kept * stored_bytes(config)
    return {
        "memory": _memory(config, stored + _learner(config)),
        "disk": 200 * 2**20 + (stored if saved else 0),
    }


def _move_to_gpu(config: RunConfig, wanted: dict[str, int]) -> int | None:
    """The fast engine keeps its replay memory on the GPU: counts it there. Returns what is free."""
    import torch

    from labs.experiments.models import capacity, resolve_device

    if resolve_device(config.device) != "cuda" or config.engine != "fast":
        return None
    wanted["memory"] = _memory(config, 0) + GIB  # CUDA's own share of the host's memory
    beside = GIB + max(GIB, _learner(config))
    wanted["gpu"] = capacity(config) * stored_bytes(config) + beside
    return torch.cuda.mem_get_info()[0]


def _smaller(config: RunConfig, missing: int) -> str:
    """The flags that make a run's memory smaller; ``missing``: bytes beyond what is free."""
    ways = f"lower --buffer-size (now {config.buffer_size:,})"
    if stored_bytes(dataclasses.replace(config, engine="fast")) < stored_bytes(config):
        ways += ", or set --engine fast, which stores every frame once"
    if _memory(config, 0) - _memory(dataclasses.replace(config, n_envs=1), 0) >= missing:
        ways += f", or lower --n-envs (now {config.n_envs})"
    return ways


def check_resources(config: RunConfig, folder: Path, *, restored: bool = False) -> dict[str, int]:
    """Compares what a run needs with what is there, and tries both of its folders.

    Args:
        config: of the run.
        folder: where its checkpoints go.
        restored: the run goes on from a checkpoint, so its replay memory is on disk already.

    Raises:
        UserError: too little, with both figures and the flag to change; no GPU; a folder that
            cannot be written to.
    """
    refuse_unwritable((data_root() / config.run_name).parent, "PIXELS_DATA")
    refuse_unwritable(folder, "PIXELS_RUNS")
    wanted = needs(config)
    on_gpu = _move_to_gpu(config, wanted)
    free = free_memory()
    distills = config.engine == "distill"
    fewer = f"lower --total-steps (now {config.total_steps:,})"
    if wanted["memory"] > free:
        smaller = _smaller(config, wanted["memory"] - free)
        raise UserError(
            f"{config.run_name} needs {wanted['memory'] / GIB:.1f} GiB of memory and "
            f"{free / GIB:.1f} GiB are free: {fewer if distills else smaller}"
        )
    if on_gpu is not None and wanted["gpu"] > on_gpu:
        raise UserError(
            f"{config.run_name} needs {wanted['gpu'] / GIB:.1f} GiB on the GPU and "
            f"{on_gpu / GIB:.1f} GiB are free: lower --buffer-size (now {config.buffer_size:,})"
        )
    existing = nearest(folder)
    space = shutil.disk_usage(existing).free
    if not restored and wanted["disk"] > space:
        raise UserError(
            f"{config.run_name} needs {wanted['disk'] / GIB:.1f} GiB of disk in {existing} and "
            f"{space / GIB:.1f} GiB are free: free some, set PIXELS_RUNS to another folder, or "
            + (fewer if distills else "lower --buffer-size, or set --no-save-replay")
        )
    return wanted


def refuse_to_lose(
    name: str, policies_of: Callable[[Artifact], Collection[str]], here: Collection[str]
) -> None:
    """Stops a measurement that would leave fewer policies in its artifact than there are now.

    Args:
        name: of the artifact.
        policies_of: the policies that an artifact speaks of, as ``ARM/seedK``.
        here: those that would be measured.

    Raises:
        UserError: some that were measured have no weights here.
    """
    if not (data_root() / name / PROVENANCE).exists():
        return
    lost = sorted(set(policies_of(load_artifact(name))) - set(here))
    if lost:
        arm, _, seed = lost[0].partition("/seed")
        raise UserError(
            f"{name} knows {', '.join(lost)}, and no weights of them are here: train them again "
            f"(pixels train {arm} --seeds {seed}), or delete {data_root() / name} to do without"
        )
