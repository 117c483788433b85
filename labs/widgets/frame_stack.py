"""Frame stack: scrub an episode and see the frames that one observation holds, and what moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from labs.widgets.base import BookWidget, image_uri, sprite_sheet

COLUMNS = 10


class FrameStack(BookWidget):
    """Shows the stack of n frames at a step of a recorded episode, and their differences.

    Attributes:
        sheet: sprite sheet of the episode's frames, a data URI.
        side: height and width of a frame in pixels.
        length: number of frames, T + 1.
        columns: frames in a row of the sheet.
        step: the step whose observation is shown.
        n: frames in the stack.
        differences: show |frame − frame before| instead of the frames.
    """

    sheet = traitlets.Unicode().tag(sync=True)
    side = traitlets.Int(84).tag(sync=True)
    length = traitlets.Int(1).tag(sync=True)
    columns = traitlets.Int(COLUMNS).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    n = traitlets.Int(4).tag(sync=True)
    differences = traitlets.Bool(False).tag(sync=True)

    def __init__(self, frames: np.ndarray, **state: Any):
        """Args:
        frames: uint8 (T + 1, S, S, 3), the first from the reset.
        state: traits to start from.
        """
        frames = np.asarray(frames)
        if frames.ndim != 4 or frames.shape[1] != frames.shape[2] or frames.shape[3] != 3:
            raise ValueError(f"frames: received shape {frames.shape}, expected (T + 1, S, S, 3)")
        self._frames = frames
        super().__init__(
            sheet=image_uri(sprite_sheet(frames, COLUMNS), format="WEBP", lossless=True),
            side=frames.shape[1],
            length=len(frames),
            **state,
        )

    def still(self) -> tuple[str, str]:
        picks = [max(self.step - back, 0) for back in reversed(range(self.n))]
        strip = np.concatenate([self._frames[i] for i in picks], axis=1)
        picture = strip.repeat(2, axis=0).repeat(2, axis=1)
        words = f"A stack of {self.n} frames at step {self.step}, oldest on the left."
        return image_uri(picture), words
