"""A few episodes as a small MP4: H.264, plays in any browser."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from labs.envs import make_env
from labs.experiments.config import RunConfig
from labs.experiments.environments import VIDEO_SEEDS, make_one
from labs.experiments.keypoints import has_keypoints, paint_keypoints

FRAMES_PER_SECOND = 25  # of the file; the environment runs at 25 steps a second too
SIDE = 240  # height and width of a run's film, in pixels
#: Plain surfaces, as in drawn films; the index comes first, so that playing starts at once.
SMALL = ("-crf", "35", "-preset", "veryslow", "-tune", "animation", "-movflags", "+faststart")


def episode_frames(
    policy, config: RunConfig, seed: int, size: int, draw=None, sphere: np.ndarray | None = None
) -> list[np.ndarray]:
    """One deterministic episode, drawn by a second environment in step with the policy's own.

    The policy keeps its own view (84 pixels, lean scene, ...); the viewer gets a large picture of
    the same physics with the stock scene.

    Args:
        policy: what acts.
        config: its observation.
        seed: of the episode.
        size: height and width of the frames.
        draw: optional function (frame, observation) → frame that draws on the picture.
        sphere: where both draw the goal sphere, (3,) in meters; None: at the goal.
    """
    env = make_one(config)
    view = make_env(config.task, camera=config.camera, image_size=size)
    for drawing in (env, view):
        drawing.set_wrapper_attr("sphere", sphere)
    obs, _ = env.reset(seed=seed)
    view.reset(seed=seed)
    frames = []
    done = False
    while not done:
        frame = view.render()
        frames.append(frame if draw is None else draw(frame, obs))
        action = policy.predict(obs, True)
        obs, _, terminated, truncated, _ = env.step(action)
        view.step(action)
        done = terminated or truncated
    frames.append(view.render() if draw is None else draw(view.render(), obs))
    env.close()
    view.close()
    return frames


def side_by_side(
    policy, episodes: Sequence[Sequence[tuple[RunConfig, np.ndarray | None]]], seeds, side: int
) -> list[np.ndarray]:
    """Episodes that differ in what the policy is shown, next to each other.

    Args:
        policy: what acts, before one view.
        episodes: for each seed the pictures of a row, each as (configuration, sphere) of
            :func:`episode_frames`.
        seeds: of the episodes.
        side: height and width of each picture in pixels; below it stands what the policy sees.

    Returns:
        Frames uint8 (2 · side, pictures · side, 3); the last of each episode stays for half a
        second.
    """

    def with_its_picture(frame: np.ndarray, obs: dict[str, np.ndarray]) -> np.ndarray:
        newest = Image.fromarray(obs["pixels"][-3:].transpose(1, 2, 0))
        return np.vstack([frame, newest.resize((side, side), Image.Resampling.NEAREST)])

    frames: list[np.ndarray] = []
    for seed, row in zip(seeds, episodes, strict=True):
        films = [
            episode_frames(policy, config, int(seed), side, with_its_picture, sphere)
            for config, sphere in row
        ]
        frames += [np.hstack(pictures) for pictures in zip(*films, strict=True)]
        frames += [frames[-1]] * (FRAMES_PER_SECOND // 2)
    return frames


def write_video(path: str | Path, frames: list[np.ndarray]) -> None:
    """Writes frames as H.264 in an MP4 that starts to play before it is loaded.

    Args:
        path: of the file.
        frames: uint8 (H, W, 3) each, H and W even.
    """
    import imageio_ffmpeg

    height, width = frames[0].shape[:2]
    writing = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=FRAMES_PER_SECOND,
        codec="libx264",
        pix_fmt_out="yuv420p",
        quality=None,
        macro_block_size=2,
        output_params=list(SMALL),
    )
    with contextlib.closing(writing) as writer:  # ffmpeg ends with it, also where a frame fails
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))


def record(policy, config: RunConfig, path: str | Path, *, episodes: int) -> None:
    """Records the first episodes of the video seeds, each held for half a second at its end.

    Keypoints are drawn where the policy has some that lie in one picture.
    """

    def painted(frame: np.ndarray, obs: dict[str, np.ndarray]) -> np.ndarray:
        return paint_keypoints(frame, policy, obs)

    draw = painted if has_keypoints(policy) else None
    frames: list[np.ndarray] = []
    for number in range(episodes):
        frames += episode_frames(policy, config, VIDEO_SEEDS + number, SIDE, draw)
        frames += [frames[-1]] * (FRAMES_PER_SECOND // 2)
    write_video(path, frames)
