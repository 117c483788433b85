"""Tensors in one file, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from labs.artifacts import flush_to_disk
from labs.errors import UserError


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes a safetensors file, so that a reader sees the old content or the new.

    Once it has returned, a power cut does not take the new content away.

    Args:
        tensors: name → tensor, contiguous, on any device.
        path: the file; its folder is made where it is missing.
        metadata: strings for the file's header.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: another process may be writing the same file.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(descriptor)
        temporary = Path(name)
        save_file(dict(tensors), temporary, metadata=dict(metadata) if metadata else None)
        temporary.chmod(0o644)
        flush_to_disk(temporary)
        os.replace(temporary, path)
        flush_to_disk(path.parent)
    except (OSError, SafetensorError) as error:  # the second, when the disk fills up on the way
        raise UserError(
            f"cannot write {path} ({getattr(error, 'strerror', None) or error}): free some disk "
            "space or choose another folder, and give the same command again"
        ) from error
    finally:
        if temporary is not None:  # gone where all went well
            temporary.unlink(missing_ok=True)
