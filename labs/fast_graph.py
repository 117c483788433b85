"""A whole update, sampling included, as one CUDA graph.

A small network's update consists of hundreds of kernels of a few microseconds. Python and PyTorch
need longer to launch them than the GPU to run them: on an H100 an update of ``push-gpu-keypoint``
kept the GPU busy for 1.2 ms of its 7.7. A CUDA graph records the kernels once and launches them as
one. `torch.compile` with graphs of its own records the parts between two optimizer steps, and
leaves the sampling, the optimizers and the way from graph to graph to Python.

A recorded update reads and writes the same tensors forever. So everything that changes from update
to update must lie on the device (how many episodes there are, which of them moved), and everything
else that the update depends on is part of its key: another key, another recording.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable

import torch

WARM_UPS = 3  # real updates before the recording: libraries choose their kernels, Adam its memory
KEPT = 4  # recordings


class Graphed:
    """A function of no tensors, run once by once and then replayed.

    Args:
        function: key → one tensor on the GPU. It must wait for nothing and ask the host nothing.
        optimizers: that it steps.
        generators: of random numbers that it draws, beside the device's default one.
    """

    def __init__(
        self,
        function: Callable[..., torch.Tensor],
        optimizers: Iterable[torch.optim.Optimizer],
        generators: Iterable[torch.Generator],
    ):
        self.function = function
        self.optimizers, self.generators = list(optimizers), list(generators)
        self._calls: dict[Hashable, int] = {}
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, torch.Tensor]] = {}
        self.broken = False

    def __call__(self, *arguments: Hashable, key: Hashable = None) -> torch.Tensor:
        """Runs the function. Its result is overwritten by the next call.

        Args:
            arguments: of the function; part of the key.
            key: what else the function depends on.
        """
        whole = (arguments, key)
        if whole in self._recorded:
            graph, result = self._recorded[whole]
            graph.replay()
            return result
        done = self._calls.get(whole, 0)
        if self.broken or done < WARM_UPS:
            self._calls[whole] = done + 1
            return self._beside(arguments)
        try:
            self._recorded[whole] = self._record(arguments)
        except RuntimeError as error:
            self.broken = True
            first = str(error).strip().splitlines()[0][:200]
            warnings.warn(f"updates are launched kernel by kernel: {first}", stacklevel=2)
        return self(*arguments, key=key)

    def _beside(self, arguments: tuple) -> torch.Tensor:
        """Runs it on a stream of its own, as a recording will."""
        here, beside = torch.cuda.current_stream(), torch.cuda.Stream()
        beside.wait_stream(here)
        with torch.cuda.stream(beside):
            result = self.function(*arguments)
        here.wait_stream(beside)
        return result

    def _record(self, arguments: tuple) -> tuple[torch.cuda.CUDAGraph, torch.Tensor]:
        if len(self._recorded) >= KEPT:  # step sizes that fall make every recording old
            self._recorded.clear()
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        groups = [group for o in self.optimizers for group in o.param_groups]
        before = [group.get("capturable", False) for group in groups]
        try:
            for group in groups:  # fused Adam counts its steps on the device in any case
                group["capturable"] = True
            with torch.cuda.graph(graph):
                result = self.function(*arguments)
        finally:
            for group, value in zip(groups, before, strict=True):
                group["capturable"] = value
        return graph, result
