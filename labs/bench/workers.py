"""What needs a process of its own: how many workers pay, under which OpenGL; figures per core.

``MUJOCO_GL`` is read when MuJoCo is imported, so every backend is measured by a child:
``python -m labs.bench.workers '{"job": ...}'`` prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from functools import partial
from typing import Any

from labs.errors import UserError
from labs.gl import probe_gl

BACKENDS = ("egl", "osmesa")
KINDS = 16  # of work that a job measures in turns, from above
MARGIN = 600.0  # seconds for a start, for warming up, for work that is not measured by the clock


def counts(cores: int) -> list[int]:
    """1, 2, 4, ... workers and the number of cores; from 16 cores on 1, 4, 8 and 15.

    15 leave the learner a core of its own.
    """
    if cores >= 16:
        return [1, 4, 8, 15]
    return sorted({2**k for k in range(cores.bit_length()) if 2**k <= cores} | {cores})


def environments(cores: int) -> int:
    """How many environments are stepped: 8, and more where each worker needs one."""
    return max(8, counts(cores)[-1])


def _rates(jobs: dict[str, Any], repeats: int, seconds: float) -> dict[str, dict[str, float]]:
    from labs.bench.measure import in_turns

    found = {}
    for name, turns in in_turns(jobs, repeats, seconds).items():
        rates = [turn.wall for turn in turns]
        found[name] = {"rate": statistics.median(rates), "low": min(rates), "high": max(rates)}
    return found


def scan(repeats: int, seconds: float, what: str) -> dict[str, Any]:
    """Environment steps per second: one process, then 1, 2, ... workers.

    Args:
        repeats: turns.
        seconds: of each.
        what: ``"pixels"`` (84 × 84, lean) or ``"state"``.
    """
    from stable_baselines3.common.vec_env import DummyVecEnv

    from labs.bench.measure import stepper
    from labs.bench.parts import fast_env
    from labs.collect import SharedVecEnv
    from labs.envs import gl_renderer, make_env, worker_count

    make = fast_env if what == "pixels" else partial(make_env, "push", render_mode=None)
    n_envs = environments(worker_count())
    envs: dict[str, Any] = {"in the learner's process": DummyVecEnv([make] * n_envs)}
    try:
        for count in counts(worker_count()):
            name = f"{count} worker{'s' * (count > 1)}"
            envs[name] = SharedVecEnv([make] * n_envs, workers=count)
        rates = _rates({name: stepper(env) for name, env in envs.items()}, repeats, seconds)
    finally:
        for env in envs.values():
            env.close()
    rows = [{"name": name, **rate} for name, rate in rates.items()]
    return {"rows": rows, "n_envs": n_envs, "gl": gl_renderer() if what == "pixels" else None}


def drawing(repeats: int, seconds: float) -> dict[str, Any]:
    """The stock and the fast route to a picture, one process with one thread."""
    from labs.bench.parts import env_rates
    from labs.envs import gl_renderer

    return env_rates(repeats, seconds) | {"gl": gl_renderer()}


def scene_savings(repeats: int, seconds: float) -> dict[str, Any]:
    """See :func:`labs.bench.savings.env_savings`."""
    from labs.bench.savings import env_savings

    return env_savings(repeats, seconds)


def state_training(repeats: int, steps: int, updates_per_step: float) -> dict[str, Any]:
    """Environment steps per second of training on Push from state: what workers gain there."""
    from stable_baselines3.common.vec_env import DummyVecEnv

    from labs.bench.parts import learner, state_model
    from labs.collect import SharedVecEnv
    from labs.envs import make_env, worker_count
    from labs.tasks import EPISODE_STEPS

    make = partial(make_env, "push", render_mode=None)
    n_envs = environments(worker_count())
    envs: dict[str, Any] = {"in the learner's process": DummyVecEnv([make] * n_envs)}
    jobs = {}
    try:
        for count in counts(worker_count()):
            name = f"{count} worker{'s' * (count > 1)}"
            envs[name] = SharedVecEnv([make] * n_envs, workers=count)
        for name, env in envs.items():
            options = {"buffer_size": 20_000, "updates_per_step": updates_per_step}
            model = state_model(env, "cpu", EPISODE_STEPS * n_envs, **options)
            jobs[name] = learner(model, steps, "cpu")
        rates = _rates(jobs, repeats, 0.0)
    finally:
        for env in envs.values():
            env.close()
    rows = [{"name": name, **rate} for name, rate in rates.items()]
    return {"rows": rows, "n_envs": n_envs, "updates_per_step": updates_per_step}


JOBS = {
    "scan": scan,
    "drawing": drawing,
    "scene_savings": scene_savings,
    "state_training": state_training,
}


def patience(repeats: int = 0, seconds: float = 0.0, **others: Any) -> float:
    """Seconds after which a job with these options counts as hung."""
    return KINDS * repeats * seconds + MARGIN


def child(job: str, backend: str | None = None, **options: Any) -> Any:
    """Runs one of :data:`JOBS` in a process of its own.

    Args:
        job: its name.
        backend: ``MUJOCO_GL`` for it; None: this process's own.
        **options: of the job.

    Raises:
        UserError: it failed, or it hung (:func:`patience`).
    """
    timeout = patience(**options)
    environment = {**os.environ, "LP_NUM_THREADS": "1"}  # of Mesa: figures are per core
    if backend is not None:
        environment["MUJOCO_GL"] = backend
        environment.pop("PYOPENGL_PLATFORM", None)
    request = json.dumps({"job": job, **options})
    command = [sys.executable, "-W", "ignore", "-m", "labs.bench.workers", request]
    try:
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{job} under {backend or 'its GL'} did not end in {timeout:.0f} s"
        ) from None
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{job} under {backend or 'its GL'} failed: {last}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def bench_workers(repeats: int, seconds: float, updates_per_step: float) -> dict[str, Any]:
    """The scan over workers from pixels under each backend that draws here, and from state."""
    result: dict[str, Any] = {"unit": "environment steps/s", "backends": {}}
    for backend in BACKENDS:
        if probe_gl(backend) is None:
            result["backends"][backend] = None
            continue
        options = {"repeats": repeats, "seconds": seconds}
        found = child("scan", backend, what="pixels", **options)
        found["drawing"] = child("drawing", backend, **options)
        result["backends"][backend] = found
    result["state"] = child("scan", what="state", repeats=repeats, seconds=seconds)
    result["state_training"] = child(
        "state_training", repeats=repeats, steps=400, updates_per_step=updates_per_step
    )
    return result


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    request = json.loads(sys.argv[1])
    print(json.dumps(JOBS[request.pop("job")](**request)))
