"""Results on disk: written whole or not at all, checked on every load, never pickled.

An artifact is a folder. Beside its files stands ``provenance.json``: when and where they were
written, from which commit and parameters (of a training: its whole configuration), the SHA-256 of
each file, and its own. A training run leaves ``data/<arm>/seed<k>/`` with ``curve.csv``,
``evaluation.json``, ``weights.safetensors``, ``policy.json`` and ``video.mp4``; a measurement
leaves ``data/<name>/measurement.json`` and what belongs to it. Short files may lie together in
``files.zip`` (:mod:`labs.bundle`).
"""

from __future__ import annotations

import contextlib
import errno
import glob
import gzip
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.bundle import BUNDLE, read_bundle
from labs.errors import UserError
from labs.json_text import finite_or_none as finite_or_none  # offered here too
from labs.json_text import json_text as json_text
from labs.provenance import Clock as Clock  # offered here too
from labs.provenance import code_state as code_state
from labs.provenance import git, provenance, repository_root, sealed, sha256, utc_now

PROVENANCE = "provenance.json"
RACES = 2  # how often a reader may meet somebody who puts another artifact in its place
PATIENCE = 5.0  # seconds after which nobody is replacing an artifact any more
#: What the system says, often without a file's name, of a disk that is full or read-only.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
LARGE = 4096  # bytes: JSON beyond a block of the disk is compressed
#: What a result may be called: no hidden folder, nor too long for a suffix.
NAME, LETTERS = re.compile(r"\w[\w.-]{0,79}"), "at most 80 letters, digits, - and _"


def data_root() -> Path:
    """Where artifacts live: ``$PIXELS_DATA``, else ``data/`` in the repository."""
    return Path(os.environ.get("PIXELS_DATA") or repository_root() / "data")


def runs_root() -> Path:
    """Where unfinished runs live: ``$PIXELS_RUNS``, else ``_runs/`` in the repository."""
    return Path(os.environ.get("PIXELS_RUNS") or repository_root() / "_runs")


def nearest(folder: Path) -> Path:
    """What is there of a folder and of those around it."""
    return next(p for p in (folder, *folder.parents) if os.path.exists(p))


def refuse_unwritable(folder: Path, name: str) -> None:
    """Tries whether a folder could be made or written to; nothing is left behind.

    Raises:
        UserError: no; ``name``: of the variable that says where it is.
    """
    try:
        with tempfile.TemporaryFile(dir=nearest(folder)):
            pass
    except OSError as error:
        raise UserError(
            f"{nearest(folder)} is no folder that can be written to: set {name} to one that is"
        ) from error


def flush_to_disk(path: Path) -> None:
    """Waits until a file, or a folder's listing, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Writes one file so that a reader sees the old content or the new, never half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes an artifact's ``provenance.json``, with the SHA-256 by which damage shows."""
    plain = json.loads(json_text(dict(record)))
    write_atomically(folder / PROVENANCE, json_text(sealed(plain)))


@contextlib.contextmanager
def write_artifact(
    path: str | Path,
    *,
    kind: str,
    parameters: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
    gl: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
) -> Iterator[Path]:
    """Gives a folder to fill; on a clean exit it becomes the artifact, on an error it vanishes.

    The folder is a sibling of ``path``, synced to disk and then renamed, so what stands at
    ``path`` is whole: the old artifact or the new one. Between the two renames of a replacement
    nothing stands there; :func:`recover` mends what was killed in that moment. Files in subfolders
    are hashed too.

    Args:
        path: the artifact's folder; an older artifact there is replaced.
        kind: ``"training"``, ``"measurement"``, ``"comparison"``, ...
        parameters: what the content depends on, plain JSON.
        extra: further entries of ``provenance.json`` (wall time over several sessions, ...);
            read at exit, so it may be filled inside the block.
        gl: ``labs.envs.gl_renderer()``, for content that was rendered.
        clock: made before the work began; without one, and without such entries of ``extra``,
            the record says neither ``started`` nor ``wall_time_s``.

    Yields:
        The folder to write into.

    Raises:
        UserError: the disk is full, the folder cannot be written, or something else stands there.
    """
    path = Path(path)
    folder = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        recover(path)
        may_be_replaced(path, kind)
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
        yield folder
        record = provenance(kind, parameters, gl=gl)
        record |= {"finished": utc_now()} | (clock.record() if clock else {}) | dict(extra or {})
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        record["files"] = {p.relative_to(folder).as_posix(): sha256(p) for p in files}
        write_record(folder, record)
        for file in files:
            os.chmod(file, 0o644)
            flush_to_disk(file)
        os.chmod(folder, 0o755)
        flush_to_disk(folder)
        put_in_place(folder, path)
    except OSError as error:
        if error.errno not in NO_ROOM and not _is_about(error, path.parent):
            raise  # the block's own trouble: another file, a pipe that nobody reads
        raise UserError(
            f"cannot write the artifact {path} ({error.strerror or error}): free some disk space "
            "or set PIXELS_DATA to another folder, and give the same command again"
        ) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _is_about(error: OSError, folder: Path) -> bool:
    """Whether an error names something in a folder, or the way to it."""
    if error.filename is None:
        return False
    named, folder = Path(str(error.filename)).absolute(), folder.absolute()
    return named.is_relative_to(folder) or folder.is_relative_to(named)


def may_be_replaced(
    path: Path, kind: str, same: Callable[[Mapping[str, Any]], bool] = lambda parameters: True
) -> None:
    """Raises UserError where something stands that an artifact of this kind must not replace.

    That is what is no artifact, one of another kind, one whose parameters are not the ``same``,
    and one that holds artifacts of its own.
    """
    if not path.exists():
        return
    found, alike = "no artifact", True
    if (path / PROVENANCE).exists():
        try:
            record = json.loads((path / PROVENANCE).read_text())
            found, alike = record["kind"], same(record.get("parameters", {}))
        except (OSError, ValueError, KeyError, TypeError):
            found = kind  # damaged: the same command makes it whole
    if found != kind:
        raise UserError(
            f"{path} is there and holds {found}, not {kind}: move it away, or choose another name"
        )
    if not alike:
        names = (f"{path.name}-{k}" for k in itertools.count(2))
        free = next(name for name in names if not path.with_name(name).exists())
        raise UserError(f"{path} is there and measures other things: give --name {free}, say")
    if any(path.glob(f"*/{PROVENANCE}")):
        raise UserError(f"{path} holds other results: move them away, or choose another name")


def put_in_place(folder: Path, path: Path) -> None:
    """Renames a whole folder to ``path``; an older artifact steps aside first."""
    aside = None
    if path.exists():
        aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
        os.replace(path, aside / "old")
    try:
        os.replace(folder, path)
    except BaseException:  # Ctrl-C too
        if aside is not None:
            os.replace(aside / "old", path)
        raise
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    flush_to_disk(path.parent)


def recover(path: Path) -> None:
    """Tidies up after a replacement that was killed.

    Killed between its two renames, it left nothing at ``path``: the old artifact is put back.
    Killed after both, it left the old artifact beside the new one: the old one is removed, or it
    would come back as soon as somebody deletes the new one.

    Args:
        path: the artifact's folder; nothing happens where it is there and holds no artifact.
    """
    with contextlib.suppress(OSError):  # another process was quicker, or none may look
        if path.exists() and not (path / PROVENANCE).exists():
            return
        asides = {
            aside: aside.stat().st_mtime
            for aside in path.parent.glob(f".{glob.escape(path.name)}.*.tmp")
            if (aside / "old" / PROVENANCE).exists()
        }
        for aside in sorted(asides, key=asides.__getitem__, reverse=True):  # the newest first
            if time.time() - asides[aside] < PATIENCE:
                continue
            if not path.exists():
                os.replace(aside / "old", path)
            shutil.rmtree(aside)


@dataclass(frozen=True)
class Artifact:
    """A checked artifact.

    Attributes:
        path: its folder.
        provenance: the content of ``provenance.json``.
    """

    path: Path
    provenance: dict[str, Any]

    @property
    def parameters(self) -> dict[str, Any]:
        """What the content depends on; of a training run, its whole configuration."""
        return self.provenance["parameters"]

    @property
    def seed(self) -> int:
        """The seed of a training run, k of its folder ``seed<k>``.

        Raises:
            ValueError: another folder, which is no run's.
        """
        found = _seed_in(self.path)
        if found is None:
            raise ValueError(f"received {self.path}, expected a run's folder seed<k>")
        return found

    def file(self, name: str) -> Path:
        """The path of one of its files that lies by itself.

        Raises:
            UserError: the artifact has none of that name.
        """
        self._refuse_unlisted(name)
        if not (self.path / name).exists():
            raise UserError(f"{name} of {self.path} lies in its {BUNDLE}: unzip it there")
        return self.path / name

    def _refuse_unlisted(self, name: str) -> None:
        """Raises UserError where it has no such file, by itself or in its bundle."""
        if self.left_out(name):
            again = "give the command again that made it"
            if self.provenance.get("kind") == "training":
                arm = self.path.parent.name
                again = f"pixels train {arm} --seeds {self.seed} --again, or, where pixels train "
                again += f"--help lists no {arm}, with the settings in its {PROVENANCE}"
            raise UserError(f"{name} of {self.path} is too large for the repository: {again}")
        if name not in self.provenance["files"]:
            known = ", ".join(self.provenance["files"]) or "no file"
            raise UserError(f"{self.path} has no {name}: it holds {known}")

    def left_out(self, name: str) -> bool:
        """Whether the repository has no room for a file that the run did write."""
        return name in self.provenance.get("left_out", {})

    def lies_as(self, name: str) -> str:
        """The name of the file itself: ``<name>.gz`` where it is compressed."""
        packed = f"{name}.gz"
        return packed if packed in self.provenance["files"] else name

    def lies_in(self, name: str) -> Path:
        """The path of the file that holds a file: its own, or that of the bundle."""
        own = self.path / self.lies_as(name)
        return own if own.exists() else self.path / BUNDLE

    def read(self, name: str) -> bytes:
        """The content of one of its files, wherever it lies.

        Raises:
            UserError: the artifact has none of that name.
        """
        self._refuse_unlisted(name)
        own = self.path / name
        return own.read_bytes() if own.exists() else read_bundle(self.path)[name]

    def json(self, name: str) -> Any:
        """A JSON file of the artifact; a large one lies there compressed."""
        name = self.lies_as(name)
        content = self.read(name)
        return json.loads(gzip.decompress(content) if name.endswith(".gz") else content)

    def table(self, name: str = "curve.csv"):
        """A CSV file of the artifact as a pandas DataFrame."""
        import pandas as pd

        return pd.read_csv(io.BytesIO(self.read(name)))


def _seed_in(path: Path) -> int | None:
    """k where a folder is called ``seed<k>``; else None."""
    found = re.fullmatch(r"seed([0-9]+)", path.name)
    return int(found[1]) if found else None


def _remedy(path: Path) -> str:
    """How to get an artifact back: git if it is tracked, else the command that makes it."""
    if not os.path.exists(path / PROVENANCE) and (seeds := seed_folders(path)):
        names = ", ".join(f"{path.name}/{seed.name}" for seed in seeds)
        return f"it holds the seeds of an arm, name one of {names}"
    if git("ls-files", "--", str(path.resolve())):
        return f"git -C {repository_root()} checkout -- {path.resolve()}"
    again = "give the command that makes it"
    if os.path.exists(path):
        again = f"delete {path}, and give the command again that made it"
    arm, seed = path.parent.name, _seed_in(path)
    if seed is None:
        return again
    made = f"pixels train {arm} --seeds {seed}, if pixels train --help lists {arm}"
    if arm.startswith("locator-"):  # no arm: it comes with one
        made = f"with an arm that looks through it: pixels train ARM --seeds {seed} --again"
    return f"{again} ({made})"


def load_artifact(path: str | Path) -> Artifact:
    """Opens an artifact after checking the SHA-256 of its record and of every file in it.

    Args:
        path: the folder, absolute or relative to ``data/``.

    Raises:
        UserError: no such artifact, or a file of it is missing, damaged or unreadable.
    """
    path = Path(path)
    if not path.is_absolute() and not os.path.exists(path):
        path = data_root() / path
    for _ in range(RACES):
        seen = _stamp(path)
        try:
            return _load(path)
        except UserError:
            if _stamp(path) == seen:
                raise
            time.sleep(0.05)  # somebody has just put another one in its place
    return _load(path)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes when an artifact is replaced; None while there is none."""
    try:
        found = os.stat(path / PROVENANCE)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _hashes(path: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of the files of these names that are there, by themselves or in the bundle."""
    try:
        bundled = read_bundle(path)
    except ValueError as error:
        raise UserError(f"{path / BUNDLE} is damaged: {_remedy(path)}") from error
    found = {name: hashlib.sha256(content).hexdigest() for name, content in bundled.items()}
    return found | {name: sha256(path / name) for name in names if (path / name).is_file()}


def _load(path: Path) -> Artifact:
    recover(path)
    listing = path / PROVENANCE
    if not os.path.exists(listing):
        raise UserError(f"there is no artifact in {path}: {_remedy(path)}")
    try:
        record = json.loads(listing.read_text())
        files, intact = dict(record["files"]), record == sealed(record)
        found = _hashes(path, files)
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}: {_remedy(path)}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{listing} is damaged: {_remedy(path)}") from error
    if not intact:
        raise UserError(f"{listing} is damaged (its SHA-256 differs): {_remedy(path)}")
    for name, expected in files.items():
        if name not in found:
            raise UserError(f"{path / name} is missing: {_remedy(path)}")
        if found[name] != expected:
            raise UserError(f"{path / name} is damaged (its SHA-256 differs): {_remedy(path)}")
    return Artifact(path, record)


def list_artifacts(root: str | Path | None = None) -> list[Path]:
    """The folders of all artifacts below ``root`` (``data/`` when None), sorted."""
    root = Path(root or data_root())
    found = (p.parent for p in root.rglob(PROVENANCE))
    return sorted(
        p for p in found if not any(part.startswith(".") for part in p.relative_to(root).parts)
    )


def seed_folders(folder: Path) -> list[Path]:
    """The folders ``seed<k>`` in an arm's folder, in the order of k; empty without any."""
    seeds = {p: k for p in folder.glob("seed*") if (k := _seed_in(p)) is not None}
    return sorted(seeds, key=seeds.__getitem__)


def seeds_of(arm: str) -> list[Path]:
    """The artifacts of an arm's seeds, in the order of the seeds.

    Raises:
        UserError: the arm has none.
    """
    folders = seed_folders(data_root() / arm)
    if not folders:
        is_arm = f"pixels train {arm.partition('/')[0]} makes one if it is an arm"
        raise UserError(
            f"no result of {arm!r} in {data_root()}: {is_arm}, pixels results lists what is there"
        )
    return folders


def runs_of(arm: str) -> list[Artifact]:
    """The checked artifacts of an arm's seeds, in the order of the seeds.

    Raises:
        UserError: the arm has none, or one of them is damaged.
    """
    return [load_artifact(path) for path in seeds_of(arm)]


def _put(folder: Path, name: str, content: bytes) -> None:
    """Writes one file of a measurement; of large JSON the same numbers are the same bytes."""
    if name.endswith(".json") and len(content) > LARGE:
        name, content = f"{name}.gz", gzip.compress(content, mtime=0)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def write_measurement(
    name: str,
    values: Mapping[str, Any],
    *,
    parameters: Mapping[str, Any],
    extra_files: Mapping[str, bytes | str | Path] | None = None,
    gl: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    kind: str = "measurement",
) -> Artifact:
    """Writes ``data/<name>/measurement.json`` and what belongs to it as one artifact.

    JSON beyond a few kilobytes is compressed, as ``<name>.gz``; :meth:`Artifact.json` finds it by
    either name.

    Args:
        name: the artifact's name.
        values: the numbers, plain JSON (NumPy scalars and arrays are converted).
        parameters: what they depend on.
        extra_files: name → content, or the path of a file to copy.
        gl: ``labs.envs.gl_renderer()``, if the measurement rendered.
        clock: made before the measurement; see :func:`write_artifact`.
        kind: as for :func:`write_artifact`.

    Raises:
        UserError: a name that is no folder's, or that something else has; an unwritable folder.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot be a result's name: use {LETTERS}")
    path = data_root() / name
    with write_artifact(path, kind=kind, parameters=parameters, gl=gl, clock=clock) as folder:
        _put(folder, "measurement.json", json_text(dict(values)).encode())
        for file_name, content in (extra_files or {}).items():
            if isinstance(content, Path):
                content = content.read_bytes()
            _put(folder, file_name, content.encode() if isinstance(content, str) else content)
    return load_artifact(path)
