"""How a run uses the processor: threads, and no numbers too small to matter."""

from __future__ import annotations

import torch

from labs.experiments.config import RunConfig
from labs.experiments.models import resolve_device
from labs.limits import usable_cores

FEW = 4  # cores


def set_up(threads: int) -> None:
    """Sets torch's threads, and has numbers below 1e-38 count as zero.

    Some processors take much longer for a product with such a denormal number. A softmax over
    pixels makes thousands of them as soon as its keypoints are sharp, and its gradient carries them
    into every convolution. Threads that torch starts later inherit this; earlier ones do not.

    A GPU's convolutions of float32 numbers keep their whole mantissa: torch lets cuDNN round it to
    ten bits, and a result would still say float32.

    Args:
        threads: of one operation.
    """
    torch.set_flush_denormal(True)
    torch.backends.cudnn.allow_tf32 = False
    torch.set_num_threads(min(threads, usable_cores()))


def workers_of(config: RunConfig, cores: int | None = None) -> int:
    """Processes that step a run's environments: none, or all cores but the learner's.

    A learner on a GPU waits for its workers most of the time. Where cores are few, as beside other
    runs, it gets none to itself.

    Args:
        config: of the run.
        cores: that it may use; None: those that this process may.
    """
    if not config.subproc:
        return 0
    if config.engine != "fast":  # SB3's own: one for each environment
        return config.n_envs
    cores = cores or usable_cores()
    shared = cores <= FEW and resolve_device(config.device) == "cuda"
    return max(1, min(config.n_envs, cores - (not shared)))


def learner_threads(config: RunConfig) -> int:
    """Threads of torch while a run learns: what it asks for, and what its workers leave free."""
    return min(config.torch_threads, max(1, usable_cores() - workers_of(config)))
