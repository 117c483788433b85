"""A trained SAC model as one file: safetensors with a JSON header, nothing pickled.

* :func:`network_tensors`, :func:`restore_networks`: weights and optimizer moments by name.
* :func:`save_model`, :func:`read_model`: a :class:`labs.fast_sac.FastSAC` and its settings.
* :func:`read_sb3_zip`: the tensors of an SB3 zip. SB3 keeps the *settings* in pickles, which run
  code when they are read and rot between Python versions; the tensors beside them do not.
"""

from __future__ import annotations

import copy
import importlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from labs.artifacts import write_atomically
from labs.errors import UserError

FORMAT = "pixels-fast-sac-1"
PACKAGES = ("torch", "stable_baselines3", "labs")  # where classes named in a file may come from


# ------------------------------------------------------------------------------ tensors by name


def optimizers_of(model: Any) -> dict[str, torch.optim.Optimizer]:
    """The optimizers of an SB3 SAC model by name."""
    found = {"actor": model.actor.optimizer, "critic": model.critic.optimizer}
    if model.ent_coef_optimizer is not None:
        found["ent_coef"] = model.ent_coef_optimizer
    return found


def network_tensors(model: Any) -> dict[str, torch.Tensor]:
    """Weights, optimizer moments and the temperature, flat by name, copied to the CPU."""
    policy = getattr(model.policy, "_orig_mod", model.policy)  # inside a torch.compile by hand
    tensors = {f"policy.{k}": v for k, v in policy.state_dict().items()}
    for name, optimizer in optimizers_of(model).items():
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer.{name}.{index}.{key}"] = torch.as_tensor(value)
    if model.log_ent_coef is not None:
        tensors["log_ent_coef"] = model.log_ent_coef
    if getattr(model, "acting", None) is not None:  # FastSAC's, where another policy acts
        tensors |= {f"acting.{k}": v for k, v in model.acting.state_dict().items()}
    return {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()}


def copy_policy(policy: Any) -> Any:
    """An SB3 policy as it is now, statistics included; it learns no more."""
    twin = copy.deepcopy(policy)
    twin.set_training_mode(False)
    return twin.requires_grad_(False)


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def restore_networks(model: Any, tensors: dict[str, torch.Tensor]) -> None:
    """Puts back what :func:`network_tensors` took."""
    model.policy.load_state_dict(_below("policy.", tensors))
    if acting := _below("acting.", tensors):
        model.acting = copy_policy(model.acting_policy or model.policy)
        try:
            model.acting.load_state_dict(acting)
        except RuntimeError as error:
            raise UserError(
                "another network acts than learns: give load() the acting_policy, or one like it"
            ) from error
    for name, optimizer in optimizers_of(model).items():
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
    if hasattr(model, "make_update"):  # FastSAC's update is bound to the tensors
        model.make_update()


# --------------------------------------------------------------------------- settings as JSON


def _encode(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, type):
        return {"class": f"{value.__module__}:{value.__qualname__}"}
    if isinstance(value, list | tuple):
        return [_encode(v) for v in value]
    if isinstance(value, dict):
        return {"dict": {str(k): _encode(v) for k, v in value.items()}}
    raise TypeError(
        f"received {value!r} among the model's settings; expected numbers, strings, classes, lists "
        "and dicts: pass it again when loading"
    )


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {k: _decode(v) for k, v in value["dict"].items()}
    if "dtype" in value:
        return getattr(torch, value["dtype"])
    module, _, name = value["class"].partition(":")
    if module.split(".")[0] not in PACKAGES or "." in name:
        raise UserError(
            f"the file names the class {value['class']}, which is not part of "
            f"{', '.join(PACKAGES)}: pass it as an argument of load()"
        )
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise UserError(
            f"the file names {value['class']}, which this version does not have: {error}"
        ) from error
    if not isinstance(found, type):
        raise UserError(f"the file names {value['class']}, which is no class: it is damaged")
    return found


def encode_space(space: spaces.Space) -> dict[str, Any]:
    """A ``Box``, ``MultiBinary`` or ``Discrete``, or a ``Dict`` of them, as JSON.

    Bounds that are all equal become one number.
    """
    if isinstance(space, spaces.Dict):
        return {"parts": [[key, encode_space(part)] for key, part in space.spaces.items()]}
    if isinstance(space, spaces.MultiBinary):
        return {"bits": [int(n) for n in space.shape]}
    if isinstance(space, spaces.Discrete):
        return {"choices": int(space.n), "first": int(space.start)}
    if not isinstance(space, spaces.Box):
        raise TypeError(
            f"received {space}; expected a Box, MultiBinary or Discrete, or a Dict of them"
        )
    bounds = [
        [str(b.flat[0])] if b.size and (b == b.flat[0]).all() else [str(x) for x in b.flat]
        for b in (space.low, space.high)
    ]
    return {"shape": list(space.shape), "dtype": str(space.dtype), "bounds": bounds}


def decode_space(data: dict[str, Any]) -> spaces.Space:
    """The inverse of :func:`encode_space`.

    Older policies say one ``low`` and one ``high`` for a whole ``Box``, null where it is unbounded.
    """
    if "parts" in data:
        return spaces.Dict({key: decode_space(part) for key, part in data["parts"]})
    if "bits" in data:
        return spaces.MultiBinary(data["bits"][0] if len(data["bits"]) == 1 else data["bits"])
    if "choices" in data:
        return spaces.Discrete(data["choices"], start=data["first"])
    shape, dtype = tuple(data["shape"]), np.dtype(data["dtype"])
    if "low" in data:
        low = -np.inf if data["low"] is None else data["low"]
        high = np.inf if data["high"] is None else data["high"]
        return spaces.Box(low, high, shape, dtype)
    low, high = (
        np.broadcast_to(np.array(b, dtype=np.float64), shape)
        if len(b) == 1
        else np.array(b, dtype=np.float64).reshape(shape)
        for b in data["bounds"]
    )
    return spaces.Box(low.astype(dtype), high.astype(dtype), shape, dtype)


# ----------------------------------------------------------------------------------- whole models


def save_model(model: Any, path: str | Path, settings: dict[str, Any]) -> Path:
    """Writes a model atomically. ``.safetensors`` is added to a path without a suffix."""
    path = Path(path)
    path = path if path.suffix else path.with_suffix(".safetensors")
    header = {
        "format": FORMAT,
        "settings": _encode(settings),
        "observation_space": encode_space(model.observation_space),
        "action_space": encode_space(model.action_space),
    }
    text = json.dumps(header)
    write_atomically(path, to_bytes(network_tensors(model), metadata={"model": text}))
    return path


def read_model(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Reads what :func:`save_model` wrote: settings with the two spaces, and tensors.

    Raises:
        UserError: no such file, an SB3 zip, or a damaged or foreign file.
    """
    path = Path(path)
    if not path.suffix and not path.exists():
        path = path.with_suffix(".safetensors")
    if not path.is_file():
        raise UserError(f"there is no model at {path}: train one, or check the path")
    if zipfile.is_zipfile(path):
        raise UserError(f"{path} is an SB3 zip: FastSAC.import_sb3(path, policy, env) reads those")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("model", "{}"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, json.JSONDecodeError) as error:
        raise UserError(f"{path} is damaged ({error}): train it again") from error
    if header.get("format") != FORMAT:
        raise UserError(f"{path} is no model of FastSAC ({FORMAT}): check the path")
    settings = _decode(header["settings"])
    settings["observation_space"] = decode_space(header["observation_space"])
    settings["action_space"] = decode_space(header["action_space"])
    return settings, tensors


def read_sb3_zip(path: str | Path) -> dict[str, Any]:
    """The tensors of an SB3 SAC zip, read without running pickled code.

    Returns:
        ``policy`` (a state dict), ``actor.optimizer``, ``critic.optimizer``, and where the
        temperature was learned ``ent_coef_optimizer`` and ``log_ent_coef``.

    Raises:
        UserError: no such file, not an SB3 zip, or a damaged one.
    """
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is no SB3 zip: pass the file that SAC.save() wrote")
    try:
        return _read_sb3_zip(path)
    except UserError:
        raise
    except Exception as error:  # what torch raises depends on the first byte that is wrong
        raise UserError(
            f"{path} is damaged ({type(error).__name__}): save it again with SAC.save()"
        ) from error


def _read_sb3_zip(path: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if "policy.pth" not in names:
            raise UserError(f"{path} holds no policy.pth: pass the file that SAC.save() wrote")
        for name in ("policy", "actor.optimizer", "critic.optimizer", "ent_coef_optimizer"):
            if f"{name}.pth" in names:
                data = io.BytesIO(archive.read(f"{name}.pth"))
                found[name] = torch.load(data, map_location="cpu", weights_only=True)
        if "pytorch_variables.pth" in names:
            data = io.BytesIO(archive.read("pytorch_variables.pth"))
            variables = torch.load(data, map_location="cpu", weights_only=True)
            found.update(variables or {})
    return found
