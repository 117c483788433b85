"""Checks of :mod:`labs.reward_locator`."""

from __future__ import annotations

import torch

from labs.reward_locator import RewardLoss


def _places(n: int) -> torch.Tensor:
    """Blocks on a table of half a meter."""
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(0)) * 0.5 + 1.0


def check_the_true_points_answer_best():
    """Where the points are the blocks the loss is small; three centimeters off it is larger"""
    loss, places = RewardLoss(), _places(200)
    right = loss(places, places)
    off = loss(places + torch.tensor([0.03, 0.0]) * torch.sign(places[:, :1] - 1.25), places)
    assert right.shape == () and right < 0.06 and off > 1.5 * right, (right, off)


def check_rewards_alone_lead_points_to_their_places():
    """Free points that start in one spot find the blocks to a centimeter, by rewards alone"""
    loss, places = RewardLoss(), _places(250)
    points = 1.25 + torch.randn(250, 2, generator=torch.Generator().manual_seed(1)) * 0.01
    points.requires_grad_()
    optimizer = torch.optim.Adam([points], lr=5e-3)
    for _ in range(300):
        optimizer.zero_grad()
        loss(points, places).backward()
        optimizer.step()
    error = torch.linalg.vector_norm(points.detach() - places, dim=1)
    assert error.median() < 0.012, f"median {1000 * error.median():.1f} mm"


def check_no_picture_is_asked_about_its_own_goal():
    """Two blocks far apart: no goal but its own is fulfilled, and nothing draws a point to it"""
    places = torch.tensor([[1.0, 1.0], [1.5, 1.0]])
    points = torch.tensor([[1.2, 1.0], [1.5, 1.0]], requires_grad=True)
    RewardLoss()(points, places).backward()
    assert points.grad.abs().max() < 1e-6, points.grad


def check_only_rewards_say_where_a_block_is():
    """A block that moves and fulfils the same goals as before changes no answer that is wanted"""
    loss = RewardLoss()
    places = torch.tensor([[1.0, 1.0], [1.03, 1.0], [1.3, 1.0]])
    points = torch.tensor([[1.01, 1.0], [1.02, 1.0], [1.25, 1.0]])
    # The last one is asked as a goal as well: move it, and ask the others about where it was.
    gradients = []
    for last in (1.3, 1.31):
        moved = places.clone()
        moved[2, 0] = last
        read = points.clone().requires_grad_()
        loss(read, moved).backward()
        gradients.append(read.grad[2])
    assert torch.equal(*gradients), "the last picture heard how far its block had moved"


def check_the_sharpness_is_learned():
    """Exact points ask for a sharper edge"""
    loss, places = RewardLoss(), _places(100)
    loss(places, places).backward()
    assert loss.log_sharpness.grad < 0
