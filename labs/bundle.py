"""Small files of an artifact in one: a disk gives each file whole blocks, however short it is.

``files.zip`` is an ordinary archive of files that ``provenance.json`` lists with their hashes.
Whoever unzips it beside that record has the artifact as the run wrote it.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

BUNDLE = "files.zip"
DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def to_bundle(files: Mapping[str, bytes]) -> bytes:
    """The content of a ``files.zip``; the same files are the same bytes, whenever they are packed.

    Args:
        files: name → content.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in sorted(files.items()):
            undated = zipfile.ZipInfo(name)
            archive.writestr(undated, data, zipfile.ZIP_DEFLATED, compresslevel=9)
    return content.getvalue()


def read_bundle(folder: Path) -> dict[str, bytes]:
    """The files of a folder's ``files.zip``: name → content, empty where there is none.

    Raises:
        ValueError: the archive is damaged.
    """
    try:
        with zipfile.ZipFile(folder / BUNDLE) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError:
        return {}
    except DAMAGES as error:
        raise ValueError(f"{folder / BUNDLE}: {error}") from error
