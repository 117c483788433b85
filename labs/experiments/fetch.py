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
from urllib.parse import urlsplit

import pooch

from labs.artifacts import Artifact, flush_to_disk, load_artifact, write_record
from labs.errors import UserError

MIRROR = "PIXELS_MIRROR"


def mirror() -> str:
    """The address that ``$PIXELS_MIRROR`` names.

    Raises:
        UserError: it names none.
    """
    address = os.environ.get(MIRROR, "").strip().rstrip("/")
    if address and not _is_http(address):
        raise UserError(f"{MIRROR}={address} is no http address: give https://HOST, say")
    if not address:
        raise UserError(
            f"no mirror: set {MIRROR} to an http address that keeps what git has no room for, or "
            "make it again (pixels train ARM --seeds K --again)"
        )
    return address


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that are none
        return False


def fetch(run: Artifact, progress: bool = True) -> tuple[list[str], list[str]]:
    """Puts back what was left out of a result: each file whole, or not at all.

    Args:
        run: a checked artifact below ``data/``.
        progress: show a bar for each file.

    Returns:
        The names of the files that came, and one line for each that did not.

    Raises:
        UserError: no mirror, or nothing can be written here.
    """
    came, problems, base = [], [], mirror()
    for name, digest in dict(run.provenance.get("left_out", {})).items():
        address = f"{base}/{run.path.parent.name}/{run.path.name}/{name}"
        try:
            with tempfile.TemporaryDirectory(dir=run.path, prefix=".fetch.") as scratch:
                found = _download(address, digest, Path(scratch), progress)
                if isinstance(found, str):
                    problems.append(found)
                    continue
                os.chmod(found, 0o644)
                flush_to_disk(found)
                os.replace(found, run.path / name)
            _list(run.path, name)
        except OSError as error:
            raise UserError(
                f"cannot write {name} to {run.path} ({error.strerror or error}): make room there, "
                "or set PIXELS_DATA to another folder with this result"
            ) from error
        came.append(name)
    return came, problems


def _download(address: str, digest: str, scratch: Path, progress: bool) -> Path | str:
    """The file, or why it does not come."""
    pooch.get_logger().setLevel("WARNING")
    options = {"fname": "file", "path": scratch, "progressbar": progress}
    try:
        return Path(pooch.retrieve(address, known_hash=f"sha256:{digest}", **options))
    except OSError as error:
        if error.errno is not None:  # this machine's; what requests raises has no number
            raise
        return f"{address} does not come ({type(error).__name__}): check {MIRROR}"
    except ValueError:  # pooch's word for another hash
        return f"{address} holds other bytes than the run left behind, and was not taken"


def _list(folder: Path, name: str) -> None:
    """Moves a file that is there again from what was left out to what the artifact holds."""
    record = load_artifact(folder).provenance
    left_out = dict(record["left_out"])
    files = record["files"] | {name: left_out.pop(name)}
    kept = {key: value for key, value in record.items() if key != "left_out"}
    write_record(folder, kept | {"files": files} | ({"left_out": left_out} if left_out else {}))
