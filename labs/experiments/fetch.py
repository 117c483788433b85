"""Files that the repository has no room for, from wherever somebody keeps them.

A slimmed result still names each file that was left out, with its SHA-256. A mirror is an address
under which such files lie as they would in ``data/``: ``<mirror>/<arm>/seed<k>/<file>``. Only the
very bytes that the run left behind come back. ``scripts/slim_results.py --shelf FOLDER`` fills a
folder that can be served as one.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pooch

from labs.artifacts import Artifact, load_artifact, write_record
from labs.errors import UserError

MIRROR = "PIXELS_MIRROR"


def mirror() -> str:
    """The address that ``$PIXELS_MIRROR`` names.

    Raises:
        UserError: it names none.
    """
    address = os.environ.get(MIRROR, "").strip().rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise UserError(
            f"no mirror: set {MIRROR} to an http address that keeps what git has no room for, or "
            "make it again (pixels train ARM --seeds K --again)"
        )
    return address


def fetch(run: Artifact, progress: bool = True) -> list[str]:
    """Puts back what was left out of a result. A killed fetch leaves the result as it was.

    Args:
        run: a checked artifact below ``data/``.
        progress: show a bar for each file.

    Returns:
        The names of the files that came.

    Raises:
        UserError: no mirror, the mirror does not answer or lacks a file, or it has other bytes.
    """
    missing = dict(run.provenance.get("left_out", {}))
    for name, digest in missing.items():
        address = f"{mirror()}/{run.path.parent.name}/{run.path.name}/{name}"
        with tempfile.TemporaryDirectory(dir=run.path.parent, prefix=".fetch.") as scratch:
            found = _download(address, digest, Path(scratch), progress)
            os.replace(found, run.path / name)
        _list(run.path, name)
    return list(missing)


def _download(address: str, digest: str, scratch: Path, progress: bool) -> Path:
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(
            pooch.retrieve(
                address,
                known_hash=f"sha256:{digest}",
                fname="file",
                path=scratch,
                progressbar=progress,
            )
        )
    except OSError as error:  # what requests raises is one
        raise UserError(
            f"{address} does not come ({type(error).__name__}): check {MIRROR}, or make the file "
            "again (pixels train)"
        ) from error
    except ValueError as error:  # pooch's word for another hash
        raise UserError(
            f"{address} holds other bytes than the run left behind: nothing was changed here; use "
            "another mirror"
        ) from error


def _list(folder: Path, name: str) -> None:
    """Moves a file that is there again from what was left out to what the artifact holds."""
    record = load_artifact(folder).provenance
    left_out = dict(record["left_out"])
    files = record["files"] | {name: left_out.pop(name)}
    kept = {key: value for key, value in record.items() if key != "left_out"}
    write_record(folder, kept | {"files": files} | ({"left_out": left_out} if left_out else {}))
