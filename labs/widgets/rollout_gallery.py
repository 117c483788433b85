"""Rollout gallery: scrub recorded episodes of good and bad policies frame by frame.

The episodes come from the artifact ``gallery`` (:mod:`labs.measurements.gallery`).
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import traitlets
from PIL import Image

from labs.artifacts import Artifact, load_artifact
from labs.figures.style import OKABE_ITO, use_style
from labs.widgets.base import BookWidget, bytes_uri, figure_uri, uri_bytes

MARKS = (("gripper", "o", "sky"), ("block", "s", "orange"), ("goal", "x", "vermillion"))


class RolloutGallery(BookWidget):
    """Episodes to choose from, their frames, marks, distances, and what to notice.

    Attributes:
        rollouts: one dictionary an episode: group, label, success, ``frames`` (a strip of T + 1
            square pictures as a data URI), ``map`` (the same of the occlusion maps, or None),
            distances in meters, points, actions, and what to notice.
        side: height and width of a frame in pixels.
        cells: patches along each side of a map.
        names: what the three points are.
        chosen: index of the shown episode.
        step: the step that is shown, 0 at the reset.
        points: mark the three things.
        keypoints: dot the keypoints of the policy's encoder, where it has some.
        map: draw the occlusion map, where there is one.
    """

    rollouts = traitlets.List().tag(sync=True)
    side = traitlets.Int(1).tag(sync=True)
    cells = traitlets.Int(1).tag(sync=True)
    chosen = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    points = traitlets.Bool(True).tag(sync=True)
    keypoints = traitlets.Bool(True).tag(sync=True)
    map = traitlets.Bool(True).tag(sync=True)

    @classmethod
    def from_artifact(
        cls,
        artifact: Artifact | str = "gallery",
        *,
        groups: tuple[str, ...] | None = None,
        **state: Any,
    ) -> RolloutGallery:
        """The cached episodes.

        Args:
            artifact: or its name.
            groups: only the episodes of these groups, in the artifact's order; all when None.
            state: traits to start from.

        Raises:
            ValueError: no episode in these groups.
            UserError: the artifact is missing or damaged.
        """
        artifact = load_artifact(artifact) if isinstance(artifact, str) else artifact
        stored = artifact.json("measurement.json")

        def picture(name: str | None) -> str | None:
            return name and bytes_uri(artifact.file(name).read_bytes(), "image/webp")

        rollouts = [
            r | track | {"frames": picture(r["frames"]), "map": picture(r["map"])}
            for r, track in zip(stored["rollouts"], artifact.json("tracks.json"), strict=True)
            if groups is None or r["group"] in groups
        ]
        if not rollouts:
            known = sorted({r["group"] for r in stored["rollouts"]})
            raise ValueError(f"received groups {groups}, expected some of {known}")
        return cls(rollouts=rollouts, side=stored["side"], cells=stored["cells"], **state)

    def frame(self, chosen: int, step: int) -> np.ndarray:
        """One picture of an episode, uint8 (S, S, 3)."""
        data = io.BytesIO(uri_bytes(self.rollouts[chosen]["frames"]))
        strip = np.asarray(Image.open(data).convert("RGB"))
        return strip[:, step * self.side : (step + 1) * self.side]

    def still(self) -> tuple[str, str]:
        use_style()
        rollout = self.rollouts[self.chosen]
        distances = 100 * np.array(rollout["distances"])
        last = len(distances) - 1
        picks = np.linspace(0, last, 4).round().astype(int)
        figure, panels = plt.subplots(1, 5, figsize=(10, 2.2))
        for axes, step in zip(panels, picks, strict=False):
            axes.imshow(self.frame(self.chosen, step))
            places = np.reshape(rollout["points"][step], (-1, 2))
            for (_, mark, color), (x, y) in zip(MARKS, places, strict=True):
                if x >= 0:
                    at = (self.side * x - 0.5, self.side * y - 0.5)
                    full = {} if mark == "x" else {"mfc": "none"}
                    axes.plot(*at, mark, ms=8, mew=1.8, color=OKABE_ITO[color], **full)
            axes.set_title(f"step {step}")
            axes.axis("off")
        panels[-1].plot(distances)
        panels[-1].axhline(5, color="#777777", linestyle=":")
        panels[-1].set(xlabel="step", title="distance in cm", ylim=(0, None))
        uri = figure_uri(figure)
        plt.close(figure)
        words = f"{rollout['group']}, {rollout['label']}: {rollout['notice']}"
        return uri, f"Four frames of an episode and its distance to the goal. {words}"
