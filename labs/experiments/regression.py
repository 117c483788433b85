"""The training loop that all regressions share: shuffled batches, Adam, a one-cycle step size.

What is regressed on what, and how it is standardized, is each caller's own business.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn


def minimize(
    module: nn.Module,
    loss_of: Callable[[Tensor], Tensor],
    samples: int,
    *,
    epochs: int,
    batch: int,
    peak_rate: float,
    generator: torch.Generator | None = None,
    after_epoch: Callable[[int], object] | None = None,
) -> float:
    """Trains a module, in place. What does not fill an epoch's last batch is left out of it.

    Args:
        module: its parameters are trained.
        loss_of: int64 (batch,), indices of samples → their loss, a scalar tensor.
        samples: how many there are.
        epochs: passes over the samples.
        batch: samples in a step.
        peak_rate: the largest step size of the cycle (Smith and Topin 2019, arXiv 1708.07120).
        generator: of the order of the samples; torch's own when None.
        after_epoch: called with the number of finished epochs.

    Returns:
        The mean loss over the last epoch.
    """
    steps = samples // batch
    optimizer = torch.optim.Adam(module.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak_rate, total_steps=epochs * steps)
    for epoch in range(epochs):
        losses = []
        order = torch.randperm(samples, generator=generator)
        for rows in order[: steps * batch].split(batch):
            loss = loss_of(rows)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        if after_epoch is not None:
            after_epoch(epoch + 1)
    return float(np.mean(losses))
