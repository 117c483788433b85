"""Vectors beside an image are standardized, images pass untouched, the numbers survive a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from labs.artifacts import load_artifact
from labs.experiments import presets
from labs.experiments.policies import load_policy
from labs.experiments.train import train
from labs.fast_networks import StandardizedExtractor
from labs.manipulation_encoder import ManipulationExtractor
from labs.standardized_images import StandardizedImageExtractor

SPACE = spaces.Dict(
    {
        "pixels": spaces.Box(0, 255, (3, 36, 36), np.uint8),
        "proprioception": spaces.Box(-np.inf, np.inf, (2,), np.float64),
        "desired_goal": spaces.Box(-np.inf, np.inf, (3,), np.float64),
    }
)


def test_vectors_are_standardized_and_the_image_is_not():
    torch.manual_seed(0)
    extractor = StandardizedImageExtractor(SPACE, ManipulationExtractor, num_filters=4)
    rng = np.random.default_rng(0)
    seen = {
        "proprioception": rng.normal(1.3, 0.1, (500, 2)),
        "desired_goal": rng.normal(0.4, 0.02, (500, 3)),
    }
    extractor.vectors.observe(seen)
    batch = {k: torch.as_tensor(v, dtype=torch.float32) for k, v in seen.items()}
    batch["pixels"] = torch.rand(500, 3, 36, 36)
    with torch.no_grad():
        found = extractor(batch)
        plain = extractor.inner(batch)
    where = extractor.inner.slices
    for key in seen:
        part = found[:, where[key]]
        assert part.mean().abs() < 1e-3 and (part.std() - 1).abs() < 0.02, key
        assert not torch.allclose(part, plain[:, where[key]]), key
    assert torch.equal(found[:, where["pixels"]], plain[:, where["pixels"]])


def test_an_image_alone_has_nothing_to_standardize():
    with pytest.raises(ValueError, match="expected a vector beside the image"):
        StandardizedImageExtractor(spaces.Dict({"pixels": SPACE["pixels"]}), ManipulationExtractor)


def test_a_run_learns_the_numbers_and_its_policy_keeps_them(tmp_path, unjudged, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path / "runs"))
    small = presets.smoke(presets.preset("push-honest"))
    config = replace(
        small, standardize=True, num_filters=4, net_arch=(16, 16), video_episodes=0, total_steps=200
    )
    path = train(config)
    assert load_artifact(path).json("evaluation.json")["updates"] > 0
    actor = load_policy(path).sb3.actor
    (statistics,) = (m for m in actor.modules() if isinstance(m, StandardizedExtractor))
    assert statistics.count == 200
    assert statistics.mean.abs().max() > 1  # a gripper stands 1.3 m from the origin
