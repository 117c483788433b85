"""A trained policy on disk: safetensors and JSON, rebuilt without running anyone's pickle."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium as gym
import numpy as np

from labs.artifacts import json_text, load_artifact
from labs.errors import UserError
from labs.experiments.config import RunConfig, from_dict
from labs.experiments.done import WEIGHTS
from labs.experiments.locating import load_locator
from labs.fast_io import decode_space, encode_space
from labs.locator import located

SPEC = "policy.json"


def save_policy(model, config: RunConfig, folder: str | Path) -> None:
    """Writes the actor's weights and what is needed to rebuild it.

    Parameters go to float16, half the size; statistics keep their dtype. The final evaluation is
    done with the weights as they were saved, so its numbers hold for the file.

    Args:
        model: a learner with SB3's ``policy.actor``.
        config: of the run.
        folder: an existing folder.
    """
    from labs.asymmetric import PRIVILEGED  # what only a critic was told
    from labs.tensor_files import half_size, save_tensors

    folder = Path(folder)
    save_tensors(half_size(model.policy.actor), folder / WEIGHTS)
    spec = {
        "config": config.as_dict(),
        "observation_space": {
            k: encode_space(s) for k, s in model.observation_space.items() if k != PRIVILEGED
        },
        "action_space": encode_space(model.action_space),
    }
    if config.has_locator:
        spec["locator_sha256"] = load_locator(config)[1]
    (folder / SPEC).write_text(json_text(spec))


class TrainedPolicy:
    """A policy that acts: SB3's, rebuilt from its artifact.

    Attributes:
        config: of the run that trained it.
        sb3: the SB3 policy; its actor holds the trained weights, its critics are untrained.
        locator: reads positions from the frames before the policy acts; None without one.
    """

    def __init__(self, config: RunConfig, sb3, locator=None):
        self.config = config
        self.sb3 = sb3
        self.locator = locator

    def predict(self, obs: dict[str, np.ndarray], deterministic: bool = True) -> np.ndarray:
        """Actions in [−1, 1], shape (4,), for one observation."""
        if self.locator is not None:
            obs = dict(obs)
            obs["located"] = located(self.locator, obs.pop("pixels"))
        return self.sb3.predict(obs, deterministic=deterministic)[0]


def build_policy(config: RunConfig, observation_space: gym.Space, action_space: gym.Space):
    """The untrained SB3 policy of a configuration, on the CPU."""
    from labs.experiments.models import policy_spec

    policy_class, kwargs = policy_spec(config)
    policy = policy_class(observation_space, action_space, lambda _: 0.0, **kwargs)
    policy.set_training_mode(False)
    return policy


def read_policy(folder: str | Path) -> TrainedPolicy:
    """Rebuilds a policy from a folder with weights and spec, without checking hashes."""
    import torch
    from safetensors.torch import load_file

    folder = Path(folder)
    spec = json.loads((folder / SPEC).read_text())
    config = from_dict(spec["config"])
    spaces = gym.spaces.Dict({k: decode_space(s) for k, s in spec["observation_space"].items()})
    with torch.random.fork_rng(devices=[]):
        policy = build_policy(config, spaces, decode_space(spec["action_space"]))
    weights = {
        k: v.float() if v.is_floating_point() else v for k, v in load_file(folder / WEIGHTS).items()
    }
    try:
        policy.actor.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"the weights in {folder} do not fit its {SPEC} ({reason}): train the arm again"
        ) from error
    locator = None
    if config.has_locator:
        locator, digest = load_locator(config)
        if digest != spec["locator_sha256"]:
            raise UserError(
                f"the policy in {folder} was trained with another locator than the one in data/: "
                f"restore it, or  pixels train {config.arm} --seeds {config.seed} --again"
            )
    return TrainedPolicy(config, policy, locator)


def load_policy(artifact: str | Path) -> TrainedPolicy:
    """The policy of a training artifact, after checking every file's SHA-256.

    Args:
        artifact: its folder, absolute or relative to ``data/``: ``"reach-state/seed0"``.

    Raises:
        UserError: missing or damaged artifact, or one without a policy.
    """
    checked = load_artifact(artifact)
    checked.file(WEIGHTS), checked.file(SPEC)
    return read_policy(checked.path)
