"""The bridge: one observation through hand-built parts and through SB3, stage by stage.

On one side runs what the reader built: scaling, LayerNorm, perceptrons and the
squashed Gaussian, written out as sums and products, and the reader's classes ManipulationCNN
and SpatialSoftmax. SB3 runs those two as well: their rows show that both sides hold the same
weights. On the other side runs SB3: ``predict`` of
:class:`labs.drqv2_sac_policy.DrQv2SACPolicy`. What remains is rounding.

``python -m labs.drqv2_sac_policy --bridge`` prints the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.preprocessing import is_image_space, preprocess_obs
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from labs.drqv2_sac_policy import DrQv2SACPolicy
from labs.manipulation_encoder import ManipulationCNN, SpatialSoftmax

TOLERANCE = 1e-6
SEED = 0  # of the weights, the reset and the noise
SQUASH_EPSILON = 1e-6  # SB3 keeps the logarithm of the squash finite at actions of ±1 with it


@dataclass(frozen=True)
class BridgeStage:
    """One stage of the comparison.

    Attributes:
        name: the hand-built part.
        sb3: what it corresponds to in SB3.
        shape: shape of the compared tensors.
        difference: largest absolute difference.
    """

    name: str
    sb3: str
    shape: tuple[int, ...]
    difference: float


def linear_by_hand(layer: nn.Linear, x: Tensor) -> Tensor:
    """x Wᵀ + b: (B, in) → (B, out)."""
    return x @ layer.weight.T + layer.bias


def mlp_by_hand(network: nn.Sequential, x: Tensor) -> Tensor:
    """The linear layers of a network in turn, with max(0, x) wherever it has a ReLU."""
    for layer in network:
        x = linear_by_hand(layer, x) if isinstance(layer, nn.Linear) else x.clamp(min=0)
    return x


def layer_norm_by_hand(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    """Zero mean and unit variance over the features of each row, then scale and shift."""
    mean = x.mean(dim=1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=1, keepdim=True)
    return (x - mean) / (variance + layer.eps).sqrt() * layer.weight + layer.bias


def squashed_log_prob(mean: Tensor, log_std: Tensor, noise: Tensor) -> Tensor:
    """log π of a = tanh(mean + std · noise): the Gaussian's density less the squash's stretch.

    Args:
        mean, log_std, noise: (B, actions) each.

    Returns:
        (B,).
    """
    action = torch.tanh(mean + log_std.exp() * noise)
    gaussian = -0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)
    return (gaussian - torch.log(1 - action**2 + SQUASH_EPSILON)).sum(dim=1)


def _copy_weights(module: nn.Module, source: nn.Module) -> nn.Module:
    module.load_state_dict(source.state_dict())
    return module.eval()


def _capture(modules: dict[str, nn.Module], call: Callable[[], object]) -> dict[str, Tensor]:
    """Outputs of the named modules during a call."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda module, args, output: outputs.update({name: output.detach()})

    hooks = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        call()
    finally:
        for hook in hooks:
            hook.remove()
    return outputs


@torch.no_grad()
def compare_with_sb3(env: VecEnv | None = None) -> list[BridgeStage]:
    """Runs one observation along both ways and measures the largest difference at each stage.

    Args:
        env: a vectorized environment of one pixel environment; None makes FetchPush.

    Returns:
        The stages in order of the data flow.
    """
    own_env = env is None
    if own_env:
        from labs.routing_probe import make_push_env

        env = make_push_env(SEED)
    try:
        env.seed(SEED)
        model = SAC(DrQv2SACPolicy, env, seed=SEED, buffer_size=1, device="cpu")
        return _compare(model.policy, env.reset())
    finally:
        if own_env:
            env.close()


def _compare(policy: DrQv2SACPolicy, observation: dict[str, np.ndarray]) -> list[BridgeStage]:
    stages: list[BridgeStage] = []

    def compare(name: str, sb3: str, ours: Tensor, theirs: Tensor) -> None:
        if ours.shape != theirs.shape:
            raise ValueError(
                f"{name}: received shape {tuple(ours.shape)}, expected {tuple(theirs.shape)}"
            )
        difference = float((ours - theirs).abs().max())
        stages.append(BridgeStage(name, sb3, tuple(ours.shape), difference))

    space = policy.observation_space
    actor, critic = policy.actor, policy.critic
    branches = actor.features_extractor.extractors
    image_key = next(key for key in space.spaces if is_image_space(space[key]))
    cnn, softmax, norm = branches[image_key][:3]

    # SB3: one call of predict, watched by hooks.
    watched = {"cnn": cnn, "softmax": softmax, "image": branches[image_key]}
    watched |= {"features": actor.features_extractor, "hidden": actor.latent_pi, "mean": actor.mu}
    actions: list[np.ndarray] = []
    sb3 = _capture(
        watched, lambda: actions.append(policy.predict(observation, deterministic=True)[0])
    )

    # By hand: the same observation, each part from the reader's bench.
    pixels = torch.from_numpy(observation[image_key].astype(np.float32) / 255)
    tensors, _ = policy.obs_to_tensor(observation)
    scaled = preprocess_obs(tensors, space)
    compare("pixels / 255", "preprocess_obs", pixels, scaled[image_key])

    ours = _copy_weights(ManipulationCNN(cnn.in_channels, cnn.num_filters), cnn)(pixels)
    compare("ManipulationCNN", "extractors[image][0]", ours, sb3["cnn"])

    size = softmax.height, softmax.width, softmax.num_channels
    ours = _copy_weights(SpatialSoftmax(*size), softmax)(ours)
    compare("SpatialSoftmax", "extractors[image][1]", ours, sb3["softmax"])

    ours = torch.tanh(layer_norm_by_hand(norm, ours))
    compare("LayerNorm, tanh", "extractors[image]", ours, sb3["image"])

    parts = {k: torch.from_numpy(v.astype(np.float32)) for k, v in observation.items()}
    features = torch.cat([(parts | {image_key: ours})[key] for key in space.spaces], dim=1)
    compare("concatenation", "features_extractor", features, sb3["features"])

    hidden = mlp_by_hand(actor.latent_pi, features)
    compare("actor's layers", "actor.latent_pi", hidden, sb3["hidden"])

    mean = linear_by_hand(actor.mu, hidden)
    compare("mean", "actor.mu", mean, sb3["mean"])

    low, high = policy.action_space.low, policy.action_space.high
    action = low + 0.5 * (torch.tanh(mean).numpy() + 1) * (high - low)
    compare("tanh, scaled", "predict", torch.from_numpy(action), torch.from_numpy(actions[0]))

    torch.manual_seed(SEED)
    sampled, log_prob = actor.action_log_prob(tensors)
    torch.manual_seed(SEED)
    noise = torch.normal(torch.zeros_like(mean), torch.ones_like(mean))
    log_std = linear_by_hand(actor.log_std, hidden).clamp(-20, 2)
    squashed = torch.tanh(mean + log_std.exp() * noise)
    compare("sampled action", "action_log_prob, action", squashed, sampled)
    ours = squashed_log_prob(mean, log_std, noise)
    compare("log π of the sample", "action_log_prob, log_prob", ours, log_prob)

    inputs = torch.cat([features, sampled], dim=1)
    ours = torch.cat([mlp_by_hand(q, inputs) for q in critic.q_networks], dim=1)
    compare("both Q values", "critic", ours, torch.cat(critic(tensors, sampled), dim=1))
    return stages


def main() -> int:
    """Prints the stages; returns 1 if any differs by the tolerance or more."""
    stages = compare_with_sb3()
    print(f"{'by hand':<22}{'SB3':<28}{'shape':<20}largest difference")
    for stage in stages:
        print(f"{stage.name:<22}{stage.sb3:<28}{stage.shape!s:<20}{stage.difference:.1e}")
    worst = max(stages, key=lambda stage: stage.difference)
    passed = worst.difference < TOLERANCE
    sign = "below" if passed else "NOT below"
    print(f"\nlargest: {worst.difference:.1e} at {worst.name}, {sign} {TOLERANCE:.0e}")
    return 0 if passed else 1
