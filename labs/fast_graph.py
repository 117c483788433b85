"""A whole update, sampling included, as one CUDA graph.

A small network's update consists of hundreds of kernels of a few microseconds. Python and PyTorch
need longer to launch them than the GPU to run them: a large GPU was busy for less than half of an
update (``data/gpu-first-look``). A CUDA graph records the kernels once and launches them as one.
`torch.compile` with graphs of its own records the parts between two optimizer steps, and leaves
the sampling, the optimizers and the way from graph to graph to Python.

A recorded update reads and writes the same tensors forever. So everything that changes from update
to update must lie on the device (how many episodes there are, which of them moved, a step size that
falls), and everything else that the update depends on is part of its key: another key, another
recording.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Hashable, Iterable

import torch

WARM_UPS = 3  # real updates before the recording: libraries choose their kernels, Adam its memory
KEPT = 4  # recordings: each has memory of its own


class Graphed:
    """A function of no tensors, run once by once and then replayed.

    Args:
        function: key → one tensor on the GPU. It must wait for nothing and ask the host nothing.
        optimizers: that it steps; fused, so that they count their steps on the device.
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
        self._beside = torch.cuda.Stream()  # one: libraries keep a workspace for each
        self.broken = False

    def __call__(self, *arguments: Hashable, key: Hashable = None) -> torch.Tensor:
        """Runs the function. Its result is overwritten by the next call.

        Args:
            arguments: of the function; part of the key.
            key: what else the function depends on.

        Raises:
            RuntimeError: a recording failed and left the random generators unusable.
        """
        whole = (arguments, key)
        full = len(self._recorded) >= KEPT and whole not in self._recorded
        if self.broken or full:
            return self.function(*arguments)
        if whole in self._recorded:
            graph, result = self._recorded[whole]
            graph.replay()
            return result
        done = self._calls.get(whole, 0)
        if done < WARM_UPS:
            self._calls[whole] = done + 1
            return self._warm_up(arguments)
        here = torch.cuda.current_stream()
        try:
            self._recorded[whole] = self._record(arguments)
        except RuntimeError as error:
            torch.cuda.set_stream(here)  # a recording that fails leaves its own stream current
            self._give_up(error)
        return self(*arguments, key=key)

    def _warm_up(self, arguments: tuple) -> torch.Tensor:
        """Runs it on a stream of its own, as a recording will."""
        here = torch.cuda.current_stream()
        self._beside.wait_stream(here)
        with torch.cuda.stream(self._beside):
            result = self.function(*arguments)
        here.wait_stream(self._beside)
        return result

    def _record(self, arguments: tuple) -> tuple[torch.cuda.CUDAGraph, torch.Tensor]:
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        groups = [group for o in self.optimizers for group in o.param_groups]
        before = [group.get("capturable", False) for group in groups]
        gc.collect()  # a dead model's graph that is destroyed meanwhile would break this one
        collects = gc.isenabled()
        gc.disable()
        try:
            for group in groups:  # Adam refuses otherwise; the fused one needs nothing else for it
                group["capturable"] = True
            with torch.cuda.graph(graph):
                result = self.function(*arguments)
        finally:
            for group, value in zip(groups, before, strict=True):
                group["capturable"] = value
            if collects:
                gc.enable()
        return graph, result

    def _give_up(self, error: RuntimeError) -> None:
        """From here on kernel by kernel, if the failure left that possible."""
        self.broken = True
        cause = error.__context__ or error  # the end of a recording hides what broke it
        first = (str(cause).strip() or repr(cause)).splitlines()[0][:200]
        device = torch.cuda.current_device()
        try:
            for generator in (torch.cuda.default_generators[device], *self.generators):
                state = generator.get_state()
                torch.rand(1, generator=generator, device=generator.device)
                generator.set_state(state)
        except RuntimeError:
            raise RuntimeError(
                f"the update could not be recorded ({first}): set TORCHDYNAMO_DISABLE=1"
            ) from error
        warnings.warn(f"updates are launched kernel by kernel: {first}", stacklevel=3)
