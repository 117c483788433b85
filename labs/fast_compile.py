"""Whether and how the update is compiled: where it pays, and one line where it cannot.

* On a GPU ``"auto"`` compiles with ``mode="reduce-overhead"``: a small network's update consists of
  hundreds of kernels of a few microseconds, and CUDA graphs launch them as one.
* On a CPU ``"auto"`` does not: matrix products and convolutions take nearly all the time, and
  compiling leaves them as they are. The chapter "Making it fast" shows the measurement.
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
        choice: True, False, or ``"auto"``: on a GPU only.
        device: where the update runs.

    Returns:
        False, with a warning of one line, where compiling was wanted and cannot be.

    Raises:
        ValueError: another choice.
    """
    if choice not in (True, False, "auto"):
        raise ValueError(f"received compile {choice!r}; expected True, False or 'auto'")
    wanted = device.type == "cuda" if choice == "auto" else bool(choice)
    reason = missing_compiler(device) if wanted else None
    if reason is not None:
        warnings.warn(f"the update runs uncompiled: {reason}", stacklevel=2)
    return wanted and reason is None


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
