"""Everything that a killed run needs to go on as if nothing had happened.

A checkpoint is taken between episodes, when every environment stands at the start of one: its
state is then the number of the episode (:class:`labs.experiments.environments.SeededEpisodes`), and
what remains are networks, optimizers, random states, counters, and the replay memory. The memory
is written in pieces: each checkpoint adds the transitions since the one before, so that saving
costs the same at the end of a run as at its start.

Tensors and arrays go to safetensors, the rest to JSON. Nothing is pickled. Two checkpoints are
kept; a damaged one is skipped for the one before.
"""

from __future__ import annotations

import random
import shutil
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file as save_tensors

from labs.artifacts import json_text, load_artifact, sha256, write_artifact
from labs.errors import UserError

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
    model.action_space.np_random.bit_generator.state = plain["action_space"]


# --------------------------------------------------------------------------- networks, optimizers


def _optimizers(model) -> dict[str, torch.optim.Optimizer]:
    found = {"actor": model.actor.optimizer, "critic": model.critic.optimizer}
    if model.ent_coef_optimizer is not None:
        found["ent_coef"] = model.ent_coef_optimizer
    return found


def network_tensors(model) -> dict[str, torch.Tensor]:
    """Weights, optimizer moments and the temperature, flat by name, on the CPU."""
    tensors = {f"policy.{k}": v for k, v in model.policy.state_dict().items()}
    for name, optimizer in _optimizers(model).items():
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer.{name}.{index}.{key}"] = torch.as_tensor(value)
    if model.log_ent_coef is not None:
        tensors["log_ent_coef"] = model.log_ent_coef
    return {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()}


def restore_networks(model, tensors: dict[str, torch.Tensor]) -> None:
    """Puts back what :func:`network_tensors` saved."""
    prefix = "policy."
    model.policy.load_state_dict(
        {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
    )
    for name, optimizer in _optimizers(model).items():
        prefix = f"optimizer.{name}."
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith(prefix):
                index, entry = key[len(prefix) :].split(".", 1)
                state.setdefault(int(index), {})[entry] = value
        whole = optimizer.state_dict()
        whole["state"] = state
        optimizer.load_state_dict(whole)
    if model.log_ent_coef is not None:
        with torch.no_grad():
            model.log_ent_coef.copy_(tensors["log_ent_coef"])


# ---------------------------------------------------------------------------------- replay memory


def replay_arrays(buffer) -> dict[str, np.ndarray]:
    """The arrays of an SB3 replay memory, by name: everything with one row for each vector step."""
    arrays: dict[str, np.ndarray] = {}
    for name, value in vars(buffer).items():
        group = value if isinstance(value, dict) else {"": value}
        for key, array in group.items():
            rows = isinstance(array, np.ndarray) and array.shape[:1] == (buffer.buffer_size,)
            if rows and array.dtype != object:
                arrays[f"{name}.{key}" if key else name] = array
    return arrays


def save_replay_piece(buffer, folder: Path, first: int, last: int) -> dict[str, Any]:
    """Writes the rows first..last-1 (counted since the start of the run) of the memory.

    Returns:
        What a checkpoint says of the piece: name, rows, SHA-256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = max(first, last - buffer.buffer_size)
    rows = np.arange(first, last) % buffer.buffer_size
    name = f"{first:010d}-{last:010d}.safetensors"
    temporary = folder / f".{name}.tmp"
    save_arrays(
        {k: np.ascontiguousarray(a[rows]) for k, a in replay_arrays(buffer).items()}, temporary
    )
    temporary.replace(folder / name)
    return {"name": name, "first": first, "last": last, "sha256": sha256(folder / name)}


def restore_replay(buffer, folder: Path, pieces: list[dict[str, Any]]) -> None:
    """Fills the memory from its pieces.

    Raises:
        UserError: a piece is missing or damaged.
    """
    arrays = replay_arrays(buffer)
    for piece in pieces:
        path = folder / piece["name"]
        if not path.exists() or sha256(path) != piece["sha256"]:
            raise UserError(f"{path} is missing or damaged: the checkpoint cannot be used")
        rows = np.arange(piece["first"], piece["last"]) % buffer.buffer_size
        for name, values in load_arrays(path).items():
            arrays[name][rows] = values
    last = pieces[-1]["last"] if pieces else 0
    buffer.pos = last % buffer.buffer_size
    buffer.full = last >= buffer.buffer_size
    if hasattr(buffer, "_current_ep_start"):  # HER: every environment starts an episode here
        buffer._current_ep_start[:] = buffer.pos


# ------------------------------------------------------------------------------------ checkpoints


def folders(run: Path) -> list[Path]:
    """The checkpoints of a run, newest first."""
    found = [p for p in run.glob("step-*") if p.name[5:].isdigit()]
    return sorted(found, key=lambda p: int(p.name[5:]), reverse=True)


def save(
    model,
    run: Path,
    *,
    config_digest: str,
    progress: dict[str, Any],
    pieces: list[dict[str, Any]],
    keep_replay: bool,
) -> list[dict[str, Any]]:
    """Takes a checkpoint.

    Args:
        model: the learner, between two episodes.
        run: the run's folder.
        config_digest: of its configuration.
        progress: the trainer's own counters and curve, plain JSON.
        pieces: the replay pieces that are on disk already.
        keep_replay: add the new transitions to them.

    Returns:
        The pieces, the new one included and those that are overwritten by now dropped.
    """
    rows = model.num_timesteps // model.n_envs
    if keep_replay:
        done = pieces[-1]["last"] if pieces else 0
        if rows > done:
            piece = save_replay_piece(model.replay_buffer, run / "replay", done, rows)
            pieces = [*pieces, piece]
        oldest = rows - model.replay_buffer.buffer_size
        pieces = [p for p in pieces if p["last"] > oldest]
    plain, tensors = random_states(model)
    state = {
        "num_timesteps": model.num_timesteps,
        "n_updates": model._n_updates,
        "episode_num": model._episode_num,
        "recent_success": [bool(s) for s in model.ep_success_buffer or ()],
        "random": plain,
        "replay": pieces if keep_replay else None,
        "progress": progress,
    }
    target = run / f"step-{model.num_timesteps:010d}"
    with write_artifact(target, kind="checkpoint", parameters={"config": config_digest}) as folder:
        (folder / "state.json").write_text(json_text(state))
        save_tensors(network_tensors(model) | tensors, folder / "tensors.safetensors")
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
    except UserError:
        return None


def find(run: Path, config_digest: str) -> tuple[Path, list[str]] | tuple[None, list[str]]:
    """The newest whole checkpoint of a run and what was wrong with newer ones.

    Raises:
        UserError: the checkpoints belong to another configuration.
    """
    problems = []
    for folder in folders(run):
        try:
            artifact = load_artifact(folder)
            state = artifact.json("state.json")
            for piece in state["replay"] or ():
                path = run / "replay" / piece["name"]
                if not path.exists() or sha256(path) != piece["sha256"]:
                    raise UserError(f"{path} is missing or damaged")
        except UserError as error:
            problems.append(str(error))
            continue
        if artifact.provenance["parameters"]["config"] != config_digest:
            raise UserError(
                f"{run} holds a run with other settings, stopped at step "
                f"{state['num_timesteps']:,}: give its settings to go on with it, --restart to "
                "drop it, or --arm-name for another folder"
            )
        return folder, problems
    return None, problems


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
        restore_replay(model.replay_buffer, run / "replay", state["replay"])
    model.num_timesteps = state["num_timesteps"]
    model._n_updates = state["n_updates"]
    model._episode_num = state["episode_num"]
    model.ep_info_buffer = deque(maxlen=100)
    model.ep_success_buffer = deque(state["recent_success"], maxlen=100)
    model._last_obs = model.env.reset()
    model._last_episode_starts = np.ones((model.n_envs,), dtype=bool)
    restore_random_states(model, state["random"], tensors)  # last: building drew numbers too
    return state["progress"], state["replay"] or []
