"""Tensors in one file, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from labs.artifacts import flush_to_disk
from labs.errors import UserError


def half_size(module: nn.Module) -> dict[str, Tensor]:
    """A module's state on the CPU: parameters as float16, statistics in their own dtype.

    Whoever measures the module loads this first, so that the numbers hold for the file.

    Raises:
        ValueError: a value is not finite, or too large for float16.
    """
    tensors = {}
    learned = {name for name, _ in module.named_parameters()}
    for name, tensor in module.state_dict().items():
        tensor = tensor.detach().to("cpu", copy=True).contiguous()
        # Statistics stay in float32: a count of steps is beyond float16's 65504.
        tensors[name] = tensor.half() if name in learned else tensor
        if not torch.isfinite(tensors[name]).all():
            raise ValueError(f"weight {name} is not finite: it is not worth saving")
    return tensors


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
