"""How a run uses the processor: threads, and no numbers too small to matter."""

from __future__ import annotations

import torch


def set_up(threads: int) -> None:
    """Sets torch's threads, and has numbers below 1e-38 count as zero.

    A processor takes many times as long for a product with such a denormal number. A softmax over
    pixels makes thousands of them as soon as its keypoints are sharp, and its gradient carries them
    into every convolution. Threads that torch starts later inherit this; earlier ones do not.

    Args:
        threads: of one operation.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
