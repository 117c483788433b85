"""How a run uses the processor: threads, and no numbers too small to matter."""

from __future__ import annotations

import torch

from labs.envs import worker_count
from labs.experiments.config import RunConfig


def set_up(threads: int) -> None:
    """Sets torch's threads, and has numbers below 1e-38 count as zero.

    Some processors take much longer for a product with such a denormal number. A softmax over
    pixels makes thousands of them as soon as its keypoints are sharp, and its gradient carries them
    into every convolution. Threads that torch starts later inherit this; earlier ones do not.

    Args:
        threads: of one operation.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)


def workers_of(config: RunConfig) -> int:
    """Processes that step a run's environments: none, or all cores but the learner's."""
    if not config.subproc:
        return 0
    if config.engine != "fast":  # SB3's own: one for each environment
        return config.n_envs
    return worker_count(limit=config.n_envs, spared=1)


def learner_threads(config: RunConfig) -> int:
    """Threads of torch while a run learns: what it asks for, and what its workers leave free."""
    return min(config.torch_threads, worker_count(spared=workers_of(config)))
