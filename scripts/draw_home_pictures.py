"""Cuts the two pictures of the home page out of the camera explorer's cached views.

One reset of Push at 84 × 84, from the default and from the workspace camera, so that the pixel
counts beside them on the page, read from the same artifact, are theirs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from labs.artifacts import load_artifact

FOLDER = Path(__file__).resolve().parents[1] / "book" / "_static"
SIDE = 84


def main() -> None:
    artifact = load_artifact("camera-views")
    views = artifact.json("measurement.json")
    sheet = Image.open(artifact.file("frames.webp")).convert("RGB")
    for name, camera in views["cameras"].items():
        row, column = divmod(camera["index"], views["columns"])
        box = (column * SIDE, row * SIDE, (column + 1) * SIDE, (row + 1) * SIDE)
        sheet.crop(box).save(FOLDER / f"home-{name}.png", optimize=True)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    main()
