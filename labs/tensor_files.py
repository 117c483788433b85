"""Tensors in one file, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from labs.errors import UserError


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes a safetensors file, so that a reader sees the old content or the new.

    Args:
        tensors: name → tensor, contiguous, on any device.
        path: the file; its folder is made where it is missing.
        metadata: strings for the file's header.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors), temporary, metadata=dict(metadata) if metadata else None)
        temporary.replace(path)
    except (OSError, SafetensorError) as error:  # the second, when the disk fills up on the way
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"cannot write {path} ({getattr(error, 'strerror', None) or error}): free some disk "
            "space or choose another folder, and give the same command again"
        ) from error
