"""The memory of a distillation: frames, vectors, and what the teacher would have done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from labs.experiments.config import EPISODE_STEPS
from labs.tensor_files import save_tensors


class Lessons:
    """What the student has seen: each frame once, the vectors, and the teacher's answer.

    Args:
        space: of the student's observations.
        episodes: how many will come.
    """

    def __init__(self, space: Any, episodes: int):
        shape = (episodes, EPISODE_STEPS)
        self.tensors: dict[str, torch.Tensor] = {}
        for key, part in space.spaces.items():
            if key == "pixels":
                channels, height, width = part.shape
                self.stack = channels // 3
                self.tensors[key] = torch.empty((*shape, 3, height, width), dtype=torch.uint8)
            else:
                self.tensors[key] = torch.empty((*shape, *part.shape))
        self.tensors["teacher"] = torch.empty((*shape, 4))
        self.episodes = 0

    def put(self, step: int, obs: dict[str, np.ndarray], answer: np.ndarray) -> None:
        """Stores one step of the current episode."""
        for key, tensor in self.tensors.items():
            value = answer if key == "teacher" else obs[key][-3:] if key == "pixels" else obs[key]
            tensor[self.episodes, step] = torch.as_tensor(value)

    def sample(self, n: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """A batch: uint8 stacks of frames, vectors, answers."""
        episode = torch.randint(self.episodes, (n,), generator=generator)
        step = torch.randint(EPISODE_STEPS, (n,), generator=generator)
        batch = {k: v[episode, step] for k, v in self.tensors.items() if k != "pixels"}
        if "pixels" in self.tensors:
            times = (step[:, None] - torch.arange(self.stack - 1, -1, -1)).clamp_min(0)
            frames = self.tensors["pixels"][episode[:, None], times]
            batch["pixels"] = frames.flatten(1, 2)
        return batch

    def save(self, path: Path, first: int) -> None:
        """Writes the episodes from ``first`` on."""
        new = {k: v[first : self.episodes].contiguous() for k, v in self.tensors.items()}
        save_tensors(new, path)

    def add(self, found: dict[str, torch.Tensor]) -> None:
        """Adds the episodes that :meth:`save` wrote."""
        last = self.episodes + len(found["teacher"])
        for key, value in found.items():
            self.tensors[key][self.episodes : last] = value
        self.episodes = last
