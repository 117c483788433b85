"""The end of every run: evaluate what was saved, and write the whole artifact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from labs.artifacts import json_text, write_artifact
from labs.envs import gl_renderer
from labs.experiments.config import RunConfig
from labs.experiments.curve import curve_csv
from labs.experiments.evaluate import evaluate, evaluation_steps
from labs.experiments.models import autocast, products_in
from labs.experiments.policies import read_policy, save_policy
from labs.experiments.video import record
from labs.limits import usable_cores

WORTH_IT = 10_000  # steps of an evaluation that take longer than processes take to start


def finish(
    output: Path,
    config: RunConfig,
    model: Any,
    curve: list[dict[str, Any]],
    *,
    steps: int,
    updates: int,
    wall_time: Callable[[], float],
    ended_early: bool = False,
    offset: int = 0,
    extra: dict[str, Any],
    tell: Callable[[str], None],
) -> Path:
    """Evaluates a policy and writes ``data/<arm>/seed<k>``.

    Args:
        output: the artifact's folder.
        config: of the run.
        model: has ``policy`` (an SB3 policy), ``observation_space`` and ``action_space``.
        curve: rows of the learning curve.
        steps: environment steps taken.
        updates: updates taken.
        wall_time: seconds since the start of the run.
        ended_early: the run was told to finish before its last step.
        offset: of its evaluation's seeds: a search has its own.
        extra: further entries of its provenance.
        tell: called with the name of each phase.

    Returns:
        ``output``.
    """
    training_s = wall_time()
    device = model.policy.device.type
    dtype = None if config.engine == "sb3" else autocast(config.precision, device)
    tell("evaluate")
    if ended_early:
        extra = extra | {"ended_early": f"at step {steps:,} of {config.total_steps:,}"}
    extra = extra | {
        "training_time_s": round(training_s, 1),
        "frames_per_second": round(steps / training_s, 1),
        "products_in": products_in(dtype),
    }
    draws = config.has_images or config.video_episodes > 0
    with write_artifact(
        output,
        kind="training",
        parameters=config.as_dict(),
        extra=extra,
        gl=gl_renderer() if draws else None,
    ) as folder:
        save_policy(model, config, folder)
        policy = read_policy(folder)  # what is reported is what was saved
        beside = config.subproc and usable_cores() > 1 and evaluation_steps(config) > WORTH_IT
        result = evaluate(
            policy, config, config.eval_episodes, offset=offset, folder=folder if beside else None
        )
        result |= {
            "steps": steps,
            "updates": updates,
            "training_time_s": round(training_s, 1),
            "training_frames_per_second": round(steps / training_s, 1),
        }
        (folder / "evaluation.json").write_text(json_text(result))
        (folder / "curve.csv").write_text(curve_csv(curve))
        if config.video_episodes and not ended_early:  # told to end, it has no time for a film
            tell("video")
            if problem := _record(policy, config, folder / "video.mp4"):
                extra["notes"] = [*extra.get("notes", []), problem]
                tell(problem)
        extra["wall_time_s"] = round(wall_time(), 1)
    tell("done")
    return output


def _record(policy, config: RunConfig, film: Path) -> str | None:
    """Films the policy. What went wrong is returned: no film is worth the result beside it."""
    try:
        record(policy, config, film, episodes=config.video_episodes)
    except Exception as error:  # an encoder that is missing, a full disk, a driver
        film.unlink(missing_ok=True)
        return f"no film: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return None
