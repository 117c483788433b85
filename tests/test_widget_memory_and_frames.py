"""The frame stack and the memory calculator: traits, stills, and arithmetic against the labs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from labs.pixel_wrapper import PixelReplayBuffer
from labs.widgets.frame_stack import FrameStack
from labs.widgets.memory_calculator import MemoryCalculator


def frames(n=51, side=84):
    rng = np.random.default_rng(0)
    shades = rng.integers(0, 255, (n, 1, 1, 3), dtype=np.uint8)
    return np.broadcast_to(shades, (n, side, side, 3)).copy()


def test_the_stack_carries_its_episode_and_a_still():
    widget = FrameStack(frames(), step=1)
    assert (widget.length, widget.side) == (51, 84)
    uri, words = widget.still()
    assert uri.startswith("data:image/png") and "step 1" in words
    assert len(json.dumps(widget.state())) < 300_000
    assert 'data-pnc-widget="frame_stack"' in widget.to_html()


def test_the_stack_refuses_what_is_no_episode():
    with pytest.raises(ValueError, match="expected"):
        FrameStack(np.zeros((51, 3, 84, 84), np.uint8))


@pytest.mark.parametrize("float32", [False, True])
def test_the_calculator_agrees_with_a_real_buffer(float32):
    bars = MemoryCalculator(capacity=10, float32=float32).bars()
    buffer = PixelReplayBuffer((12, 84, 84), goal_dim=3, act_dim=4, capacity=100)
    pixels = buffer._pixels.nbytes + buffer._next_pixels.nbytes
    assert bars["obs and next_obs"] == pytest.approx(pixels / 1e9 * 100 * (4 if float32 else 1))
    assert bars["obs and next_obs"] / bars["once"] == pytest.approx(8 * 50 / 51)


def test_the_calculator_has_a_still_that_says_its_numbers():
    uri, words = MemoryCalculator().still()
    assert uri.startswith("data:image/png") and "84.7 GB" in words and "10.8 GB" in words
