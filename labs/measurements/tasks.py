"""Measurements of the tasks themselves: no policy is trained here.

* :func:`push_floor`: how often FetchPush counts as solved when nobody touches the block.
* :func:`visibility`: how many pixels show the gripper, the block and the goal, per camera.
* :func:`gradient_routing`: which loss leaves a gradient in which encoder.

Each leaves an artifact in ``data/`` that the book reads. ``pixels measure NAME`` runs one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from tqdm.auto import tqdm

from labs import envs
from labs.artifacts import Artifact, Clock, write_measurement
from labs.experiments.evaluate import NoOp, RandomActions
from labs.statistics import wilson
from labs.tasks import ACTION_LENGTH

FLOOR_SEED = 10_000  # apart from the seeds of training and of evaluation
VISIBILITY_SEED = 20_000


def proportion(successes: int, trials: int) -> dict[str, float | int]:
    """A success rate with its 95 % Wilson interval, ready for an artifact."""
    interval = wilson(successes, trials)
    return {"rate": interval.value, "low": interval.low, "high": interval.high, "n": trials}


def floor_by_geometry(samples: int = 1_000_000, seed: int = 0) -> float:
    """The floor from the rules of the reset alone, by Monte Carlo, without a simulator.

    The block lies anywhere in a 30 cm square around the gripper but not within 10 cm of its
    center; the target lies anywhere in the same square. Success is a distance below 5 cm.
    """
    rng = np.random.default_rng(seed)
    block = rng.uniform(-0.15, 0.15, (samples, 2))
    block = block[np.linalg.norm(block, axis=1) >= 0.1]
    goal = rng.uniform(-0.15, 0.15, block.shape)
    return float((np.linalg.norm(block - goal, axis=1) < envs.DISTANCE_THRESHOLD).mean())


def reach_for(target: np.ndarray, gripper: np.ndarray) -> np.ndarray:
    """The action that carries the gripper straight to a place: (3,) and (3,) meters → (4,)."""
    step = np.clip((target - gripper) / ACTION_LENGTH, -1, 1)
    return np.append(step, 0).astype(np.float32)


def _without_pushing(episode: int) -> dict[str, Callable[[dict], np.ndarray]]:
    """What the floor is measured with, by name: an observation → an action (4,)."""
    return {
        "no_op": NoOp().predict,
        "random": RandomActions(episode).predict,
        "reach_block": lambda obs: reach_for(obs["achieved_goal"], obs["observation"][:3]),
        "reach_target": lambda obs: reach_for(obs["desired_goal"], obs["observation"][:3]),
    }


def push_floor(episodes: int = 1000, progress: bool = True) -> Artifact:
    """Measures the floor of FetchPush, what scores without pushing: artifact ``push-floor``.

    Five counts over the same resets: solved at the reset, and solved at the end of an episode of
    zero actions, of random actions, of reaching for the block, of reaching for the target.
    Whoever reaches and no more takes the straight way and never goes behind the block.
    """
    clock = Clock()
    env = envs.make_env("push", render_mode=None)
    at_reset, at_end, moved = 0, Counter(), Counter()
    for episode in tqdm(range(episodes), desc="episodes", disable=not progress):
        for name, policy in _without_pushing(episode).items():
            start, _ = env.reset(seed=FLOOR_SEED + episode)
            observation = start
            for _ in range(envs.EPISODE_STEPS):
                observation, _, _, _, info = env.step(policy(observation))
            at_end[name] += int(info["is_success"])
            shift = np.linalg.norm(observation["achieved_goal"] - start["achieved_goal"])
            moved[name] += int(shift > 0.01)
        distance = np.linalg.norm(start["achieved_goal"] - start["desired_goal"])
        at_reset += int(distance < envs.DISTANCE_THRESHOLD)
    env.close()
    values = {
        "at_reset": proportion(at_reset, episodes),
        **{name: proportion(n, episodes) for name, n in at_end.items()},
        "moved_the_block": {name: proportion(n, episodes) for name, n in moved.items()},
        "geometry": floor_by_geometry(),
    }
    return write_measurement(
        "push-floor",
        values,
        parameters={"episodes": episodes, "first_seed": FLOOR_SEED},
        clock=clock,
    )


def _extent(mask: np.ndarray) -> tuple[int, int]:
    """Width and height in pixels of what a mask shows; (0, 0) if nothing."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return 0, 0
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def visibility(resets: int = 1000, image_size: int = 84, progress: bool = True) -> Artifact:
    """Counts what 84 × 84 pixels show of each thing: artifact ``visibility``.

    Stock scene (the arm may hide the block), both tasks, every named camera, fresh resets.
    """
    clock = Clock()
    values: dict[str, dict] = {}
    for task in envs.ENV_IDS:
        for camera in envs.CAMERAS:
            env = envs.make_env(task, camera=camera, image_size=image_size)
            counts = {name: [] for name in envs.SEGMENTS}
            extents = {name: [] for name in envs.SEGMENTS}
            for reset in tqdm(range(resets), desc=f"{task}, {camera}", disable=not progress):
                env.reset(seed=VISIBILITY_SEED + reset)
                labels = env.segmentation()
                for name, label in envs.SEGMENTS.items():
                    counts[name].append(int((labels == label).sum()))
                    extents[name].append(_extent(labels == label))
            env.close()
            things = [n for n in envs.SEGMENTS if task == "push" or n != "object"]
            values.setdefault(task, {})[camera] = {
                name: {
                    "median": float(np.median(counts[name])),
                    "low": float(np.percentile(counts[name], 5)),
                    "high": float(np.percentile(counts[name], 95)),
                    "max": int(max(counts[name])),
                    "hidden": proportion(counts[name].count(0), resets),
                    "median_width": float(np.median([w for w, _ in extents[name]])),
                    "median_height": float(np.median([h for _, h in extents[name]])),
                    "histogram": np.bincount(counts[name]).tolist(),
                }
                for name in things
            }
    return write_measurement(
        "visibility",
        values,
        parameters={"resets": resets, "image_size": image_size, "first_seed": VISIBILITY_SEED},
        gl=envs.gl_renderer(),
        clock=clock,
    )


def gradient_routing(seeds: int = 5, batch_size: int = 64, progress: bool = True) -> Artifact:
    """Measures which loss reaches which encoder, in every routing: artifact ``gradient-routing``.

    One real update on Push from pixels for each routing and seed; the norms are averaged over the
    seeds (weights, episodes, batch and noise change, all routings of a seed share them).
    """
    from labs.routing_probe import probe_routing  # imports SB3, which the others do not need

    clock = Clock()
    runs = [
        probe_routing(seed=seed, batch_size=batch_size)
        for seed in tqdm(range(seeds), desc="seeds", disable=not progress)
    ]
    edges = []
    for same_edge in zip(*runs, strict=True):
        first = same_edge[0]
        norms = np.array([edge.grad_norm for edge in same_edge])
        edges.append(
            {
                "routing": first.routing,
                "label": first.label,
                "encoder": first.encoder,
                "optimizers": list(first.optimizers),
                "loss": first.loss,
                "grad_norm": float(norms.mean()),
                "grad_norm_low": float(norms.min()),
                "grad_norm_high": float(norms.max()),
                "moved": float(np.mean([edge.moved for edge in same_edge])),
                "encoder_passes": first.encoder_passes,
            }
        )
    return write_measurement(
        "gradient-routing",
        {"edges": edges},
        parameters={"seeds": seeds, "batch_size": batch_size, "task": "push"},
        gl=envs.gl_renderer(),
        clock=clock,
    )
