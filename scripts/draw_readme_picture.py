"""Draws the picture of README.md: one reset of Push, for a reader and for a policy."""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

from labs.envs import make_env, segment
from labs.figures.style import use_style

TARGET = Path(__file__).resolve().parent.parent / "book" / "_static" / "readme.png"
VIEWS = (
    ("default", 480, "what you see"),
    ("default", 84, "84 × 84, the stock camera"),
    ("workspace", 84, "84 × 84, a camera aimed at the table"),
)


def main() -> None:
    use_style()
    plt.rcParams["text.color"] = "#1b1b1b"
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.75), layout="constrained", facecolor="white")
    for ax, (camera, size, title) in zip(axes, VIEWS, strict=True):
        env = make_env("push", camera=camera, image_size=size)
        env.reset(seed=4)
        ax.imshow(env.render(), interpolation="nearest")
        pixels = segment(env)["object"]
        env.close()
        ax.set_title(title)
        ax.text(0.5, -0.06, f"block: {pixels} pixels", transform=ax.transAxes, ha="center")
        ax.axis("off")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(TARGET, dpi=110)
    plt.close(fig)
    Image.open(TARGET).convert("P", palette=Image.Palette.ADAPTIVE, colors=255).save(
        TARGET, optimize=True
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    main()
