"""Everything that a killed run needs to go on as if nothing had happened.

A checkpoint is taken between episodes, when every environment stands at the start of one: its
state is then the number of the episode (:class:`labs.experiments.environments.SeededEpisodes`), and
what remains are networks, optimizers, random states, counters, and the replay memory. The memory
is written in pieces: each checkpoint adds the transitions since the one before, so that saving
costs the same at the end of a run as at its start.

Tensors and arrays go to safetensors, the rest to JSON. Nothing is pickled. Two checkpoints are
kept; a damaged one is skipped for the one before, and where none is whole nothing is touched.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file as load_tensors

from labs.artifacts import (
    PROVENANCE,
    json_text,
    load_artifact,
    sealed,
    write_artifact,
)
from labs.episode_store import restore_generator
from labs.errors import UserError
from labs.experiments import replay_pieces
from labs.experiments.config import RunConfig
from labs.experiments.done import differs
from labs.experiments.models import products_in
from labs.fast_io import network_tensors, restore_networks
from labs.provenance import code_state, hardware
from labs.tensor_files import save_tensors

KEEP = 2


# --------------------------------------------------------------------------------- random states


def random_states(model) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The random states of Python, NumPy, torch and the action space: (JSON, tensors)."""
    version, internal, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 (SB3 samples with it)
    plain = {
        "python": [version, list(internal), gauss],
        "numpy": [name, int(position), int(has_gauss), float(cached)],
        "action_space": model.action_space.np_random.bit_generator.state,
    }
    tensors = {
        "random.torch": torch.get_rng_state(),
        "random.numpy": torch.from_numpy(keys.astype(np.int64)),
    }
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    if hasattr(model.replay_buffer, "generator"):
        tensors["random.replay"] = model.replay_buffer.generator.get_state()
    return plain, tensors


def restore_random_states(model, plain: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Puts back what :func:`random_states` saved."""
    version, internal, gauss = plain["python"]
    random.setstate((version, tuple(internal), gauss))
    name, position, has_gauss, cached = plain["numpy"]
    keys = tensors["random.numpy"].numpy().astype(np.uint32)
    np.random.set_state((name, keys, position, has_gauss, cached))  # noqa: NPY002
    torch.set_rng_state(tensors["random.torch"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
    if "random.replay" in tensors:
        generator = model.replay_buffer.generator
        restore_generator(generator, tensors["random.replay"], "the checkpoint")
    model.action_space.np_random.bit_generator.state = plain["action_space"]


# ------------------------------------------------------------------------------------ checkpoints


def step_of(folder: Path) -> int:
    """The environment step after which a checkpoint was taken."""
    return int(folder.name.removeprefix("step-"))


def folders(run: Path) -> list[Path]:
    """The checkpoints of a run, newest first."""
    found = [p for p in run.glob("step-*") if p.name.removeprefix("step-").isdigit()]
    return sorted(found, key=step_of, reverse=True)


def save(
    model,
    run: Path,
    *,
    config: RunConfig,
    progress: dict[str, Any],
    pieces: list[dict[str, Any]],
    keep_replay: bool,
) -> list[dict[str, Any]]:
    """Takes a checkpoint.

    Args:
        model: the learner, between two episodes.
        run: the run's folder.
        config: of the run.
        progress: the trainer's own counters and curve, plain JSON.
        pieces: the replay pieces that are on disk already.
        keep_replay: add the new transitions to them.

    Returns:
        The pieces, the new one included and those that are overwritten by now dropped.
    """
    if keep_replay:
        pieces = replay_pieces.add_piece(model, run / "replay", pieces)
    plain, tensors = random_states(model)
    state = {
        "num_timesteps": model.num_timesteps,
        "n_updates": model._n_updates,
        "episode_num": model._episode_num,
        "owed_updates": getattr(model, "_owed", 0.0),
        "recent_success": [bool(s) for s in model.ep_success_buffer or ()],
        "random": plain,
        "replay": pieces if keep_replay else None,
        "progress": progress,
    }
    target = run / f"step-{model.num_timesteps:010d}"
    parameters = {
        "config": config.digest(),
        "settings": config.as_dict(),
        "products_in": products_in(getattr(model, "autocast", None)),
    }
    with write_artifact(target, kind="checkpoint", parameters=parameters) as folder:
        (folder / "state.json").write_text(json_text(state))
        save_tensors(network_tensors(model) | tensors, folder / "tensors.safetensors")
    for other in folders(run):  # of later steps: they could not be read, or this run is not theirs
        if step_of(other) > model.num_timesteps:
            shutil.rmtree(other, ignore_errors=True)
    _drop_old(run, pieces)
    return pieces


def _drop_old(run: Path, pieces: list[dict[str, Any]]) -> None:
    """Removes all but the last two checkpoints, and the pieces that neither of them names."""
    for old in folders(run)[KEEP:]:
        shutil.rmtree(old, ignore_errors=True)
    needed = {p["name"] for p in pieces}
    for folder in folders(run)[1:]:
        state = _read_state(folder)
        needed |= {p["name"] for p in (state or {}).get("replay") or ()}
    for path in (run / "replay").glob("*.safetensors"):
        if path.name not in needed:
            path.unlink(missing_ok=True)


def _read_state(folder: Path) -> dict[str, Any] | None:
    try:
        return load_artifact(folder).json("state.json")
    except (UserError, OSError):
        return None


def _parameters(folder: Path) -> dict[str, Any] | None:
    """What a checkpoint was taken with, where that can be read, whatever became of its files."""
    try:
        record = json.loads((folder / PROVENANCE).read_text())
        return record["parameters"] if record == sealed(record) else None
    except (OSError, ValueError, AttributeError):
        return None


def belongs(saved: dict[str, Any], config: RunConfig, but: tuple[str, ...] = ()) -> bool:
    """Whether what a run saved (``config``: a digest, ``settings``) is this configuration's.

    Older ones have a digest alone. ``but`` as in :func:`labs.experiments.done.differs`.
    """
    if "settings" in saved:
        return not differs(saved["settings"], config, but)
    return saved["config"] == config.digest()


def find(run: Path, config: RunConfig) -> tuple[Path, list[str]] | tuple[None, list[str]]:
    """The newest whole checkpoint of a run and what was wrong with newer ones.

    How a run is done does not matter, as for its result, except for what became of its memory.

    Raises:
        UserError: the checkpoints belong to another configuration, or none of them is whole.
    """
    problems: list[str] = []
    for folder in folders(run):
        saved = _parameters(folder)
        if saved is not None and not belongs(saved, config, but=("save_replay",)):
            raise UserError(
                f"{run} holds a run with other settings, stopped at step "
                f"{step_of(folder):,}: give its settings to go on with it, --restart to "
                "drop it, or --arm NAME for another folder"
            )
        try:
            state = load_artifact(folder).json("state.json")
            replay_pieces.check(run / "replay", state["replay"] or [])
            return folder, problems
        except UserError as error:
            problems.append(str(error))
        except OSError as error:  # of another user, or a folder in a file's place
            problems.append(f"{error.filename} cannot be read: {error.strerror}")
    if problems:
        found = "; ".join(dict.fromkeys(problem.partition(": ")[0] for problem in problems))
        raise UserError(
            f"no checkpoint of {run} is whole ({found}): put back what is damaged to go on, or "
            "give --restart to drop the run and start anew"
        )
    return None, problems


def other_session(checkpoint: Path, model) -> list[str]:
    """How the session that took a checkpoint trained otherwise than this one: notes of the run.

    A result names the code, the machine and the products of its last session alone. Code that was
    in no commit is told even where its files have the same names: nobody knows what was in them.

    Args:
        checkpoint: from :func:`find`.
        model: as this session trains it.
    """
    record = json.loads((checkpoint / PROVENANCE).read_text())
    now = products_in(getattr(model, "autocast", None))
    then = {"products_in": now} | record["parameters"] | record
    return trained_otherwise(then, step_of(checkpoint), now)


def trained_otherwise(record: Mapping[str, Any], step: int, now: str) -> list[str]:
    """Notes of how the steps to ``step`` were trained, where these are trained otherwise.

    Args:
        record: ``commit``, ``uncommitted_code``, ``hardware`` and ``products_in`` of then.
        step: the last one of then.
        now: what products are computed in now.
    """
    then, here = (
        f"{m['cpu']}, {m['cores']} cores, GPU {m['gpu']}" for m in (record["hardware"], hardware())
    )
    commit, changed = record["commit"], ", ".join(record["uncommitted_code"] or ())
    products = record["products_in"]
    found = []
    if changed or commit != code_state()[0]:
        found.append(f"by commit {commit or 'unknown'}" + f" (changed: {changed})" * bool(changed))
    if then != here:
        found.append(f"on {then}")
    if products != now:
        found.append(f"with products in {products}, those after it in {now}")
    return [f"the steps to {step} were trained {how}" for how in found]


def restore(model, run: Path, checkpoint: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Puts a learner into the state of a checkpoint.

    Args:
        model: freshly built, its environments at the episode that the checkpoint stands before.
        run: the run's folder.
        checkpoint: from :func:`find`.

    Returns:
        The trainer's progress and the replay pieces.
    """
    state = load_artifact(checkpoint).json("state.json")
    tensors = load_tensors(checkpoint / "tensors.safetensors")
    restore_networks(model, tensors)
    if state["replay"] is not None:
        replay_pieces.restore(model, run / "replay", state["replay"])
    model.num_timesteps = state["num_timesteps"]
    model._n_updates = state["n_updates"]
    model._episode_num = state["episode_num"]
    if hasattr(model, "_owed"):
        model._owed = state["owed_updates"]
    model.ep_info_buffer = deque(maxlen=100)
    model.ep_success_buffer = deque(state["recent_success"], maxlen=100)
    model._last_obs = model.env.reset()
    model._last_episode_starts = np.ones((model.n_envs,), dtype=bool)
    restore_random_states(model, state["random"], tensors)  # last: building drew numbers too
    return state["progress"], state["replay"] or []
