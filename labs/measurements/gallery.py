"""Short episodes of good and bad policies, to be looked at frame by frame: artifact ``gallery``.

The same starts for every policy: one that the blind twin fails and the full state solves, one that
both solve, one that needs no policy at all. How an episode is recorded and what is said of it:
:mod:`labs.measurements.rollouts`.

``pixels measure gallery`` makes it from the results that lie in ``data/``. Train those first whose
weights the repository has no room for: it refuses to show fewer arms than it shows now.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from labs import envs
from labs.artifacts import Artifact, Clock, data_root, write_measurement
from labs.errors import UserError
from labs.experiments import processor
from labs.experiments.config import RunConfig
from labs.experiments.environments import make_one
from labs.experiments.evaluate import NoOp, RandomActions
from labs.experiments.guards import refuse_to_lose
from labs.experiments.presets import preset
from labs.fast_io import copy_policy
from labs.measurements.occlusion import CELLS
from labs.measurements.rollouts import (
    POINTS,
    SIDE,
    Rollout,
    record,
    track,
    viewer_camera,
    what_to_notice,
)

SEED = 4_000_000  # apart from the seeds of training, curves, evaluation and films
SEARCH = 200  # episodes looked through for a start

#: Environment steps of a training from state after which its policy is shown, by arm.
ALONG = {"push-state-tuned": (40_000, 60_000), "reach-state": (0, 2000, 4000)}

#: Trained arms of the gallery in their order, where they have a result: name → what to call it.
PUSH_ARMS = {
    "push-state-tuned": "full state",
    "push-blind-tuned": "blind twin",
    "push-asymmetric": "pixels, critic told",
    "push-located": "pixels, a run cut short",
    "push-located-rewards-n3": "pixels, nobody told",
}
#: Those of them that are shown at the easy start too.
EASY = ("push-state-tuned", "push-blind-tuned", "push-located-rewards-n3")
REACH_ARMS = {
    "reach-state": "state, trained",
    "reach-located": "pixels, taught to see",
    "reach-asymmetric": "pixels, critic told",
    "reach-small-drq": "pixels, reward alone",
    "reach-keypoint": "pixels, a first attempt",
}


def trained(arms: dict[str, str]) -> dict[str, tuple[str, Any]]:
    """The trained policies of the arms that have a result: arm → (label, policy of its seed 0)."""
    from labs.experiments.policies import load_policy

    folders = {arm: data_root() / arm / "seed0" for arm in arms}
    there = {a: f for a, f in folders.items() if (f / "policy.json").exists()}
    return {arm: (arms[arm], load_policy(folder)) for arm, folder in there.items()}


def snapshots(config: RunConfig, steps: Sequence[int], progress: bool = False) -> dict[int, Any]:
    """Policies along a short training, by environment steps.

    Args:
        config: of the run.
        steps: increasing; whole rounds of episodes.
        progress: show a bar.
    """
    from stable_baselines3.common.logger import Logger

    from labs.experiments.environments import make_training_env
    from labs.experiments.models import build
    from labs.experiments.policies import TrainedPolicy

    processor.set_up(config.torch_threads)
    env = make_training_env(config)
    model = build(config, env)
    model.set_logger(Logger(None, []))
    found = {}
    bar = tqdm(total=max(steps), desc=f"training {config.arm}", disable=not progress)
    for wanted in steps:
        while model.num_timesteps < wanted:
            first = model.num_timesteps == 0
            model.learn(envs.EPISODE_STEPS * config.n_envs, reset_num_timesteps=first)
            bar.update(model.num_timesteps - bar.n)
        policy = copy_policy(model.policy)
        found[model.num_timesteps] = TrainedPolicy(config, policy)
    env.close()
    bar.close()
    return found


def along(arm: str, progress: bool) -> list[tuple[str, Any]]:
    """(label, policy) at the steps of :data:`ALONG` of a training that begins anew."""
    found = snapshots(preset(arm), ALONG[arm], progress)
    return [(f"state, after {n:,} steps" if n else "state, untrained", p) for n, p in found.items()]


def find_start(wanted: Sequence[tuple[Any, RunConfig, Any]], what: str) -> int:
    """The first seed at which every (policy, configuration, condition on its rollout) holds.

    Raises:
        UserError: none among the seeds that are looked through.
    """
    worlds = [make_one(config) for _, config, _ in wanted]
    try:
        for seed in range(SEED, SEED + SEARCH):
            if all(
                ok(record(policy, config, seed, look=False, env=env))
                for (policy, config, ok), env in zip(wanted, worlds, strict=True)
            ):
                return seed
    finally:
        for env in worlds:
            env.close()
    raise UserError(f"no start of {SEARCH} where {what}: raise labs.measurements.gallery.SEARCH")


def choose(
    push: dict, reach: dict, progress: bool = True
) -> list[tuple[str, str, Any, RunConfig, int]]:
    """The episodes of the gallery: (group, label, policy, configuration, seed)."""
    plain = RunConfig(task="push")
    state, blind = push["push-state-tuned"][1], push["push-blind-tuned"][1]
    solved = lambda r: r.success and r.distances[0] > 0.1  # noqa: E731
    failed = lambda r: not r.success and r.motion > 0.02 and r.distances[-1] > 0.1  # noqa: E731
    hard = find_start(
        [(blind, blind.config, failed), (state, state.config, solved)], "the blind twin alone fails"
    )
    easy = find_start(
        [(blind, blind.config, solved), (state, state.config, solved)], "both of them succeed"
    )
    idle = find_start([(NoOp(), plain, lambda r: r.success)], "doing nothing succeeds")
    chosen = [
        ("Push, a hard start", "doing nothing", NoOp(), plain, hard),
        ("Push, a hard start", "random actions", RandomActions(), plain, hard),
    ]
    chosen += [
        ("Push, a hard start", name, p, p.config, hard)
        for name, p in along("push-state-tuned", progress)
    ]
    chosen += [("Push, a hard start", name, p, p.config, hard) for name, p in push.values()]
    both = [push[arm] for arm in EASY if arm in push]
    chosen += [("Push, an easy start", name, p, p.config, easy) for name, p in both]
    chosen.append(("Push, already solved", "doing nothing", NoOp(), plain, idle))
    chosen += [("Reach", name, p, p.config, SEED) for name, p in along("reach-state", progress)]
    return chosen + [("Reach", name, p, p.config, SEED) for name, p in reach.values()]


def _webp(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", lossless=True, method=6)
    return buffer.getvalue()


def _strip(frames: np.ndarray) -> np.ndarray:
    """Frames (N, S, S, ...) beside each other: (S, N · S, ...)."""
    return np.concatenate(list(frames), axis=1)


def describe(rollout: Rollout, group: str, label: str, task: str, seed: int) -> dict[str, Any]:
    """An entry of ``measurement.json``, without the names of its files."""
    return {
        "group": group,
        "label": label,
        "task": task,
        "seed": seed,
        "success": rollout.success,
        "start": round(float(rollout.distances[0]), 4),
        "end": round(float(rollout.distances[-1]), 4),
        "motion": round(rollout.motion, 4),
        "notice": what_to_notice(rollout, task),
    }


def shown(artifact: Artifact) -> list[str]:
    """The policies that an artifact of :func:`gallery` shows."""
    arms = artifact.parameters
    return [f"{arm}/seed0" for arm in (*arms["push"], *arms["reach"])]


def gallery(
    push_arms: dict[str, str] = PUSH_ARMS,
    reach_arms: dict[str, str] = REACH_ARMS,
    progress: bool = True,
) -> Artifact:
    """Records the gallery: artifact ``gallery``.

    Args:
        push_arms, reach_arms: arm → label; arms without a policy are left out.
        progress: show a bar.

    Raises:
        UserError: an arm that every gallery needs has no result, or one that was shown has no
            policy any more.
    """
    clock = Clock()
    push, reach = trained(push_arms), trained(reach_arms)
    if missing := {"push-state-tuned", "push-blind-tuned"} - push.keys():
        raise UserError(
            f"the gallery needs {' and '.join(sorted(missing))}: "
            f"pixels train {sorted(missing)[0]} --seeds 0"
        )
    refuse_to_lose("gallery", shown, [f"{arm}/seed0" for arm in (*push, *reach)])
    entries, tracks, files = [], [], {}
    chosen = choose(push, reach, progress)
    for number, (group, label, policy, config, seed) in enumerate(
        tqdm(chosen, desc="episodes", disable=not progress)
    ):
        rollout = record(policy, config, seed)
        entry = describe(rollout, group, label, config.task, seed)
        entry |= {
            "camera": viewer_camera(config),
            "frames": f"{number:02}.webp",
            "map": None,
        }
        files[entry["frames"]] = _webp(_strip(rollout.frames))
        if rollout.maps is not None:
            most = max(float(rollout.maps.max()), 1e-9)
            entry |= {"map": f"{number:02}-map.webp", "map_largest": round(most, 4)}
            files[entry["map"]] = _webp(_strip((255 * rollout.maps / most).astype(np.uint8)))
        entries.append(entry)
        tracks.append(track(rollout))
    files["tracks.json"] = json.dumps(tracks, separators=(",", ":"))
    return write_measurement(
        "gallery",
        {"side": SIDE, "cells": CELLS, "points": POINTS, "rollouts": entries},
        parameters={
            "first_seed": SEED,
            "push": list(push),
            "reach": list(reach),
            "along": {arm: list(steps) for arm, steps in ALONG.items()},
        },
        extra_files=files,
        gl=envs.gl_renderer(),
        clock=clock,
    )
