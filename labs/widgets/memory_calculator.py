"""Memory calculator: what a replay memory of pictures costs, stored twice or stored once."""

from __future__ import annotations

import numpy as np
import traitlets

from labs.figures.style import OKABE_ITO
from labs.pixel_replay import memory_needed
from labs.widgets.base import BookWidget, figure_uri


class MemoryCalculator(BookWidget):
    """Capacity, size, stack and dtype → gigabytes, with the reader's memory as a line.

    Attributes:
        capacity: transitions, in thousands.
        size: height and width of the frames in pixels.
        stack: frames in an observation.
        float32: four bytes a number instead of one.
        memory: the reader's memory in GB.
    """

    capacity = traitlets.Int(500).tag(sync=True)
    size = traitlets.Int(84).tag(sync=True)
    stack = traitlets.Int(4).tag(sync=True)
    float32 = traitlets.Bool(False).tag(sync=True)
    memory = traitlets.Int(16).tag(sync=True)

    def bars(self) -> dict[str, float]:
        """GB (10⁹ bytes) of the two ways to store the frames."""
        numbers = (1000 * self.capacity, (self.size, self.size), self.stack)
        dtype = np.float32 if self.float32 else np.uint8
        ways = {"obs and next_obs": "stacks", "once": "frames_once"}
        return {k: memory_needed(*numbers, dtype, storage=way) / 1e9 for k, way in ways.items()}

    def still(self) -> tuple[str, str]:
        from matplotlib.figure import Figure

        bars = self.bars()
        figure = Figure(figsize=(6, 1.6), layout="constrained")
        ax = figure.subplots()
        ax.barh(list(bars), list(bars.values()), color=[OKABE_ITO["blue"], OKABE_ITO["green"]])
        ax.axvline(self.memory, color=OKABE_ITO["vermillion"], ls="--")
        ax.set_xlabel("GB; dashed: your memory")
        words = ", ".join(f"{name} {value:.1f} GB" for name, value in bars.items())
        return figure_uri(figure), f"{self.capacity},000 transitions: {words}."
