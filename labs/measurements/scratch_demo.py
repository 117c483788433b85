"""One real run of the from-scratch SAC, kept: artifact ``from-scratch-demo``.

``python -m labs.visual_encoder --demo`` trains and forgets. ``python -m
labs.measurements.scratch_demo`` trains the same and keeps the curve, beside what the same task pays
a policy that does nothing and one that acts at random.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, replace

import numpy as np
import torch

from labs.artifacts import (
    Artifact,
    Clock,
    data_root,
    may_be_replaced,
    refuse_unwritable,
    write_measurement,
)
from labs.errors import UserError, ending
from labs.from_scratch_sac import Settings, demo
from labs.statistics import wilson

FLOOR_SEED = 30_000  # apart from the seeds of training and of evaluation
LAST = 40  # episodes that count as the end of the run
BLOCK = 100  # updates averaged into one point of the curve


def summary(returns: list[float], successes: list[bool]) -> dict[str, float | int]:
    """Mean return, and success rate with its 95 % Wilson interval."""
    rate = wilson(int(np.sum(successes)), len(successes))
    return {
        "return_mean": float(np.mean(returns)),
        "return_std": float(np.std(returns)),
        "success": rate.value,
        "success_low": rate.low,
        "success_high": rate.high,
        "episodes": len(returns),
    }


def floors(episodes: int = 200) -> dict[str, dict[str, float | int]]:
    """Returns and successes on dense Reach without any learning, on the same resets for both."""
    from labs.envs import EPISODE_STEPS, make_env  # here: it refuses a wrong MUJOCO_GL
    from labs.experiments.evaluate import NoOp, RandomActions

    policies = {"no_op": lambda episode: NoOp(), "random": RandomActions}
    env = make_env("reach", render_mode=None)
    measured = {}
    for name, make_policy in policies.items():
        returns, successes = [], []
        for episode in range(episodes):
            policy = make_policy(episode)
            observation, _ = env.reset(seed=FLOOR_SEED + episode)
            rewards = []
            for _ in range(EPISODE_STEPS):
                observation, reward, _, _, info = env.step(policy.predict(observation))
                rewards.append(reward)
            returns.append(float(np.sum(rewards)))
            successes.append(bool(info["is_success"]))
        measured[name] = summary(returns, successes)
    env.close()
    return measured


def blocks(values: list[float], size: int = BLOCK) -> list[float]:
    """Means of consecutive blocks; what does not fill the last block is left out."""
    whole = len(values) // size * size
    return np.array(values[:whole]).reshape(-1, size).mean(axis=1).round(6).tolist()


def scratch_demo(steps: int | None = None, seed: int = 0, episodes: int = 200) -> Artifact:
    """Runs the demo and its negative controls: artifact ``from-scratch-demo``.

    Args:
        steps: environment steps; None takes the demo's own number.
        seed: of everything in the run.
        episodes: of each negative control.
    """
    from labs.envs import gl_renderer  # here: it refuses a wrong MUJOCO_GL

    if seed < 0:
        raise UserError(f"--seed {seed}: give 0 or more")
    refuse_unwritable(data_root(), "PIXELS_DATA")  # it is written last
    may_be_replaced(data_root() / "from-scratch-demo", "measurement")
    clock = Clock()
    settings = replace(Settings(), seed=seed)
    settings = settings if steps is None else replace(settings, steps=steps)
    before = time.process_time()
    history = demo(settings=settings)
    cpu_seconds = time.process_time() - before
    values = {
        "episode_steps": history.episode_steps,
        "returns": np.round(history.returns, 4).tolist(),
        "successes": history.successes,
        "update_steps": history.update_steps[BLOCK - 1 :: BLOCK],
        "losses": {name: blocks(column) for name, column in history.losses.items()},
        "wall_seconds": history.seconds,
        "cpu_seconds": cpu_seconds,
        "first": summary(history.returns[:LAST], history.successes[:LAST]),
        "last": summary(history.returns[-LAST:], history.successes[-LAST:]),
        "floors": floors(episodes),
    }
    parameters = asdict(settings) | {
        "image_size": list(settings.image_size),
        "threads": torch.get_num_threads(),
        "episodes_of_the_floors": episodes,
        "first_seed_of_the_floors": FLOOR_SEED,
    }
    return write_measurement(
        "from-scratch-demo", values, parameters=parameters, gl=gl_renderer(), clock=clock
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m labs.measurements.scratch_demo",
        description="Trains the from-scratch SAC and writes data/from-scratch-demo anew.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=Settings().steps, help="environment steps")
    parser.add_argument("--seed", type=int, default=0, help="of the run")
    flags = parser.parse_args()
    print(scratch_demo(steps=flags.steps, seed=flags.seed).path)
    return 0


if __name__ == "__main__":
    raise SystemExit(ending("python -m labs.measurements.scratch_demo", main))
