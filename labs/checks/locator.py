"""Checks of :mod:`labs.locator`."""

from __future__ import annotations

import numpy as np
import torch

from labs.envs import PROPRIO_INDICES, make_env
from labs.locator import LocatedObservation, Locator, located
from labs.pixel_wrapper import PixelObservationWrapper


def _env(frame_stack: int):
    env = make_env("push", camera="workspace", scene="lean", image_size=84, goal_sphere=False)
    return PixelObservationWrapper(
        env,
        goal_mode="desired",
        frame_stack=frame_stack,
        proprio_indices=PROPRIO_INDICES["push"],
    )


def check_wrapper_equals_reading_the_whole_stack():
    """Reading each new frame once equals reading the whole stack at every step"""
    torch.manual_seed(0)
    locator = Locator(4)
    plain, wrapped = _env(3), LocatedObservation(_env(3), locator)
    assert wrapped.observation_space["located"].shape == (12,)
    assert "pixels" not in wrapped.observation_space.spaces
    rng = np.random.default_rng(0)
    for episode in range(2):  # the second shows that nothing of the first stays
        a, _ = plain.reset(seed=episode)
        b, _ = wrapped.reset(seed=episode)
        for _ in range(5):
            wanted = located(locator, a["pixels"])
            assert b["located"].shape == wanted.shape and b["located"].dtype == np.float32
            assert np.abs(b["located"] - wanted).max() < 1e-5
            assert np.array_equal(a["desired_goal"], b["desired_goal"])
            action = rng.uniform(-1, 1, 4).astype(np.float32)
            a, *_ = plain.step(action)
            b, *_ = wrapped.step(action)
    plain.close(), wrapped.close()


def check_what_is_read_depends_on_pixels_alone():
    """A black image reads the same wherever the block is"""
    locator = Locator(4)
    black = np.zeros((6, 84, 84), np.uint8)
    first = located(locator, black)
    assert first.shape == (8,) and np.array_equal(first[:4], first[4:])
    batch = located(locator, np.stack([black, black, black]))
    assert batch.shape == (3, 8) and np.abs(batch - first).max() < 1e-6
