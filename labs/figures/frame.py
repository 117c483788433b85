"""What the policy sees, and how large the things in it are: figure 1."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from labs.envs import CAMERAS, make_env, segment
from labs.figures.style import use_style


def frame_sizes(
    task: str = "push", *, cameras: tuple[str, ...] = tuple(CAMERAS), size: int = 84, seed: int = 0
) -> Figure:
    """One frame for each camera with the pixel counts of gripper, block and goal.

    Args:
        task: ``"reach"`` or ``"push"``.
        cameras: names in :data:`labs.envs.CAMERAS`.
        size: height and width in pixels.
        seed: of the reset.
    """
    use_style()
    figure, panels = plt.subplots(1, len(cameras), figsize=(3.4 * len(cameras), 3.8), squeeze=False)
    for axes, camera in zip(panels[0], cameras, strict=True):
        env = make_env(task, camera=camera, image_size=size)
        env.reset(seed=seed)
        axes.imshow(env.render())
        counts = segment(env)
        env.close()
        if task == "reach":
            del counts["object"]  # there is none
        axes.set_title(f"camera {camera}, {size} × {size}")
        words = {"object": "block"}  # the renderer's word, and this book's
        axes.set_xlabel(", ".join(f"{words.get(k, k)} {n} px" for k, n in counts.items()))
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
    return figure
