"""Arms without a camera: the blind twin, and in place of the exact place what a made eye reads.

What is made is :mod:`labs.simulated_eye`'s business. A run takes ten minutes on one core.
"""

from __future__ import annotations

from dataclasses import replace

from labs.experiments.config import RunConfig


def eye_arms(blind: RunConfig) -> list[tuple[RunConfig, str]]:
    """The arms, each with the line that the program's help shows.

    Args:
        blind: the tuned blind twin of Push, which reads the place exactly.
    """
    # Far and near are the blurred critics' errors; in between lies what shakes eyes that learned
    # (``pixels measure eyes-at-work``).
    drawn = replace(blind, observation="place", goal_mode="desired")
    fixed = replace(drawn, place_error_kind="fixed")
    far, between, near = 0.0175, 0.011, 0.0055
    words = "no camera: the block's place is read"
    return [
        (
            replace(drawn, arm="push-place-drawn-7", place_error=near),
            f"{words} 7 mm off, anew at each step",
        ),
        (
            replace(drawn, arm="push-place-drawn-14", place_error=between),
            f"{words} 14 mm off, anew at each step",
        ),
        (
            replace(drawn, arm="push-place-drawn-14-looks", place_error=between, frame_stack=4),
            f"{words} 14 mm off, anew at each step, and the last four looks are kept",
        ),
        (
            replace(drawn, arm="push-place-drawn-14-n3", place_error=between, n_steps=3),
            f"{words} 14 mm off, anew at each step; TD targets reach three steps ahead",
        ),
        (
            replace(drawn, arm="push-place-drawn-22", place_error=far),
            f"{words} 22 mm off, anew at each step",
        ),
        (
            replace(fixed, arm="push-place-fixed-22", place_error=far),
            f"{words} 22 mm off, always the same way at the same place",
        ),
        (
            replace(drawn, arm="push-place-judged-22", place_error=far, critic_sees="achieved"),
            f"{words} 22 mm off, anew at each step; the critic is told it exactly",
        ),
        (
            replace(drawn, arm="push-place-blurred-22", critic_sees="achieved", critic_blur=far),
            f"{words} exactly; the critic is told it 22 mm off, anew at each step",
        ),
    ]
