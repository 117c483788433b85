"""Whether and how the update is compiled: where it pays, and one line where it cannot.

* On a CPU ``"auto"`` does not compile: matrix products and convolutions take nearly all the time,
  and compiling leaves them as they are. The chapter "Making it fast" shows the measurement.
* On a GPU ``"auto"`` records the whole update instead (:mod:`labs.fast_graph`). ``True`` compiles
  its parts with ``mode="reduce-overhead"``, whose graphs end where Python goes on.
* The environment variable ``TORCHDYNAMO_DISABLE=1`` switches off both.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import warnings
from collections.abc import Callable
from typing import Any, Literal

import torch

Compile = bool | Literal["auto"]


def missing_compiler(device: torch.device) -> str | None:
    """What ``torch.compile`` lacks on this machine; None where it has all it needs."""
    if device.type == "cuda":
        return None if importlib.util.find_spec("triton") else "the package triton is missing"
    for name in (os.environ.get("CXX"), "g++", "clang++", "c++"):
        if name and shutil.which(name):
            return None
    return "there is no C++ compiler (g++ or clang++)"


def resolve(choice: Compile, device: torch.device) -> bool:
    """Whether to compile.

    Args:
        choice: True, False, or ``"auto"``, which compiles nowhere.
        device: where the update runs.

    Returns:
        False, with a warning of one line, where compiling was wanted and cannot be.

    Raises:
        ValueError: another choice.
    """
    if choice not in (True, False, "auto"):
        raise ValueError(f"received compile {choice!r}; expected True, False or 'auto'")
    wanted = choice is True
    reason = missing_compiler(device) if wanted else None
    if reason is not None:
        warnings.warn(f"the update runs uncompiled: {reason}", stacklevel=2)
    return wanted and reason is None


def wants_graph(choice: Compile, device: torch.device) -> bool:
    """Whether the whole update is to be recorded as a CUDA graph: ``"auto"`` on a GPU."""
    allowed = os.environ.get("TORCHDYNAMO_DISABLE", "0") != "1"
    return choice == "auto" and device.type == "cuda" and allowed


class Compiled:
    """A compiled function that falls back to itself, uncompiled, where its compilation fails.

    The function must draw no random numbers: noise comes in as an argument, so that compiled and
    plain updates see the same numbers, and a failed attempt costs none.

    Args:
        function: tensors → tensors.
        device: decides the mode.
    """

    def __init__(self, function: Callable[..., Any], device: torch.device):
        self.plain = function
        mode = "reduce-overhead" if device.type == "cuda" else None
        self.run = torch.compile(function, mode=mode, dynamic=False)

    def __call__(self, *args: Any) -> Any:
        try:
            return self.run(*args)
        except torch._dynamo.exc.TorchDynamoException as error:
            first = str(error).strip().splitlines()[0][:200]
            name = self.plain.__name__
            warnings.warn(f"{name} runs uncompiled: {first}", stacklevel=2)
            self.run = self.plain
            return self.plain(*args)


def begin_step(device: torch.device) -> None:
    """Tells CUDA graphs that the outputs of the last update may be overwritten."""
    if device.type == "cuda":
        torch.compiler.cudagraph_mark_step_begin()
