"""The gradient-routing widget shows what was measured."""

from __future__ import annotations

import json

from labs.artifacts import load_artifact
from labs.widgets.gradient_routing import ORDER, GradientRouting


def test_the_edges_are_the_artifacts():
    widget = GradientRouting.from_artifact()
    measured = load_artifact("gradient-routing").json("measurement.json")["edges"]
    norms = {(e["routing"], e["encoder"], e["loss"]): e["grad_norm"] for e in measured}
    assert {e["routing"] for e in widget.edges} == set(ORDER)
    for edge in widget.edges:
        assert edge["grad_norm"] == norms[edge["routing"], edge["encoder"], edge["loss"]]
    assert len(json.dumps(widget.state())) < 20_000


def test_the_measurement_says_what_the_page_says():
    edges = {
        (e["routing"], e["encoder"], e["loss"]): e for e in GradientRouting.from_artifact().edges
    }
    assert edges["separate", "critic's", "critic"]["grad_norm"] > 0
    assert edges["actor", "shared", "critic"]["grad_norm"] == 0
    trap = edges["critic_open", "shared", "actor"]
    assert trap["grad_norm"] > 0 and trap["moved"] == 0
    assert edges["critic_once", "shared", "actor"]["grad_norm"] == 0


def test_the_still_says_its_numbers():
    uri, words = GradientRouting.from_artifact().still()
    assert uri.startswith("data:image/png") and "separate: critic loss" in words
