"""Gradient routing: which loss trains the encoder, with measured norms on every edge."""

from __future__ import annotations

from typing import Any

import traitlets

from labs.artifacts import load_artifact
from labs.figures.style import OKABE_ITO
from labs.widgets.base import BookWidget, figure_uri

ARTIFACT = "gradient-routing"
ORDER = ("separate", "actor", "critic_open", "critic_once")
NAMES = {
    "separate": "separate (SB3's default)",
    "actor": "shared, actor trains (SB3's other choice)",
    "critic_open": "shared, critic trains, gate forgotten",
    "critic_once": "shared, critic trains (ours)",
}


class GradientRouting(BookWidget):
    """The graph of a SAC update; its edges carry the gradient norms of a real one.

    Attributes:
        routings: name → text, in the order of the buttons.
        edges: measured edges (artifact ``gradient-routing``).
        routing: the routing that is shown.
    """

    routings = traitlets.List().tag(sync=True)
    edges = traitlets.List().tag(sync=True)
    routing = traitlets.Unicode("separate").tag(sync=True)

    @classmethod
    def from_artifact(cls, **state: Any) -> GradientRouting:
        """The widget of the measured norms.

        Raises:
            UserError: the artifact is missing or damaged.
        """
        edges = load_artifact(ARTIFACT).json("measurement.json")["edges"]
        kept = ("routing", "encoder", "optimizers", "loss", "grad_norm", "moved", "encoder_passes")
        return cls(
            routings=[[name, NAMES[name]] for name in ORDER],
            edges=[{k: edge[k] for k in kept} for edge in edges if edge["routing"] in ORDER],
            **state,
        )

    def still(self) -> tuple[str, str]:
        """A bar for every edge of every routing."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 3.2), layout="constrained")
        ax = figure.subplots()
        colors = {"critic": OKABE_ITO["blue"], "actor": OKABE_ITO["orange"]}
        labels = []
        for i, edge in enumerate(self.edges):
            labels.append(f"{edge['routing']}: {edge['loss']} loss → {edge['encoder']}")
            ax.barh(i, edge["grad_norm"], color=colors[edge["loss"]])
        ax.set_yticks(range(len(labels)), labels, fontsize=7)
        ax.invert_yaxis()
        ax.set_xscale("symlog", linthresh=1e-4)
        ax.set_xlabel("gradient norm in the encoder")
        words = "; ".join(
            f"{label}: {e['grad_norm']:.1e}" for label, e in zip(labels, self.edges, strict=True)
        )
        return figure_uri(figure), f"Gradient norms. {words}."
