"""Which loss reaches which encoder: the gradient routings of SAC, measured.

:func:`probe_routing` takes one real update in each routing and records, for every pair of a loss
and an encoder, the norm of the gradient that arrived and the distance that the encoder then moved.
Nothing is re-derived: the update is the algorithm's own ``train``; hooks on its optimizers read the
gradients just before each step. All routings start from the same weights and see the same batch and
the same noise, so their norms can be compared.

``python -m labs.drqv2_sac_policy --probe`` prints the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from stable_baselines3.sac.policies import MultiInputPolicy
from torch import nn

from labs.drqv2_sac import DrQv2SAC
from labs.drqv2_sac_policy import DrQv2SACPolicy, default_extractor_class


@dataclass(frozen=True)
class Routing:
    """One way to connect losses and encoders: an algorithm and a policy."""

    label: str
    algorithm: type[SAC]
    policy: type
    policy_kwargs: Mapping[str, Any]


ROUTINGS = {
    "separate": Routing("SB3, share=False", SAC, MultiInputPolicy, {}),
    "actor": Routing("SB3, share=True", SAC, MultiInputPolicy, {"share_features_extractor": True}),
    "critic_open": Routing(
        "shared, actor's features detached", SAC, DrQv2SACPolicy, {"stop_actor_loss": False}
    ),
    "critic": Routing("DrQv2SACPolicy", SAC, DrQv2SACPolicy, {}),
    "critic_once": Routing("DrQv2SACPolicy + DrQv2SAC", DrQv2SAC, DrQv2SACPolicy, {}),
}


@dataclass(frozen=True)
class RoutingEdge:
    """A loss, an encoder, and what passed between them in one update.

    Attributes:
        routing: key of :data:`ROUTINGS`.
        label: the routing in words.
        encoder: ``"actor's"`` and ``"critic's"`` where there are two, else ``"shared"``.
        optimizers: the optimizers that hold the encoder: ``"actor"``, ``"critic"``, both or none.
        loss: ``"critic"`` or ``"actor"``.
        grad_norm: L2 norm of the gradient that this loss left in the encoder.
        moved: L2 distance that the encoder moved in this loss's optimizer step.
        encoder_passes: forward passes through encoders in the whole update, targets included.
    """

    routing: str
    label: str
    encoder: str
    optimizers: tuple[str, ...]
    loss: str
    grad_norm: float
    moved: float
    encoder_passes: int


def encoders_of(model: SAC) -> dict[str, nn.Module]:
    """The online encoders by owner: ``shared``, or ``actor's`` and ``critic's``."""
    actors, critics = model.actor.features_extractor, model.critic.features_extractor
    return {"shared": actors} if actors is critics else {"actor's": actors, "critic's": critics}


def optimizers_holding(model: SAC, encoder: nn.Module) -> tuple[str, ...]:
    """Names of the optimizers that hold any parameter of the encoder, by identity."""
    wanted = {id(parameter) for parameter in encoder.parameters()}
    optimizers = {"actor": model.actor.optimizer, "critic": model.critic.optimizer}
    return tuple(
        name
        for name, optimizer in optimizers.items()
        if any(id(p) in wanted for group in optimizer.param_groups for p in group["params"])
    )


def gradient_norm(module: nn.Module) -> float:
    """L2 norm of the gradients that lie in a module; 0 where there are none."""
    grads = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
    return float(torch.cat(grads).norm()) if grads else 0.0


def flat_parameters(module: nn.Module) -> torch.Tensor:
    """A copy of all parameters of a module, as one vector."""
    return torch.cat([p.detach().flatten() for p in module.parameters()]).clone()


@contextmanager
def count_encoder_passes(model: SAC) -> Iterator[list[str]]:
    """Collects the name of the encoder at each forward pass: an owner's, or ``target``."""
    passes: list[str] = []
    modules = encoders_of(model) | {"target": model.critic_target.features_extractor}
    hooks = [
        module.register_forward_hook(lambda *_, name=name: passes.append(name))
        for name, module in modules.items()
    ]
    try:
        yield passes
    finally:
        for hook in hooks:
            hook.remove()


def measure_update(model: SAC, batch_size: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Takes one update of ``model`` and measures what each loss did to each encoder.

    All gradients are cleared after the critic's step, so that what lies in an encoder at the
    actor's step came from the actor's loss alone.

    Args:
        model: SB3's SAC or a subclass, with a filled replay buffer.
        batch_size: transitions in the batch.

    Returns:
        (loss, encoder) → (gradient norm, distance moved in that loss's optimizer step).
    """
    measured: dict[tuple[str, str], tuple[float, float]] = {}
    encoders = encoders_of(model)
    held: dict[str, tuple[float, torch.Tensor]] = {}

    def clear() -> None:
        for parameter in model.policy.parameters():
            parameter.grad = None

    def read(*_) -> None:
        held.update({n: (gradient_norm(e), flat_parameters(e)) for n, e in encoders.items()})

    def write(loss: str) -> None:
        for name, encoder in encoders.items():
            norm, before = held[name]
            moved = float((flat_parameters(encoder) - before).norm())
            measured[loss, name] = (norm, moved)
        clear()

    clear()
    hooks = []
    for loss, optimizer in {
        "critic": model.critic.optimizer,
        "actor": model.actor.optimizer,
    }.items():
        hooks.append(optimizer.register_step_pre_hook(read))
        hooks.append(optimizer.register_step_post_hook(lambda *_, loss=loss: write(loss)))
    try:
        model.train(gradient_steps=1, batch_size=batch_size)
    finally:
        for hook in hooks:
            hook.remove()
    return measured


def make_push_env(seed: int = 0) -> VecEnv:
    """FetchPush as the routing matters there: 84×84 pixels, four frames, joints and both goals."""
    from labs.envs import PROPRIO_INDICES, make_env
    from labs.pixel_wrapper import PixelObservationWrapper

    def build() -> gym.Env:
        env = make_env("push", camera="workspace", scene="lean", image_size=84)
        return PixelObservationWrapper(
            env,
            image_size=(84, 84),
            goal_mode="both",
            frame_stack=4,
            proprio_indices=PROPRIO_INDICES["push"],
        )

    env = DummyVecEnv([build])
    env.seed(seed)
    return env


def probe_routing(
    env: VecEnv | None = None,
    *,
    routings: tuple[str, ...] = tuple(ROUTINGS),
    batch_size: int = 32,
    env_steps: int = 100,
    seed: int = 0,
) -> list[RoutingEdge]:
    """Measures the gradients of one update in each routing.

    All of them have the encoder that :class:`DrQv2SACPolicy` takes by default, so that SB3's
    policies differ in their routing alone.

    Args:
        env: an environment with a dict of observations; None makes FetchPush from pixels.
        routings: keys of :data:`ROUTINGS`.
        batch_size: transitions in the batch.
        env_steps: random steps that fill the replay buffer.
        seed: of weights, actions, environment, batch and noise.

    Returns:
        One edge for each routing, encoder and loss, in that order.

    Raises:
        ValueError: an unknown routing.
    """
    if unknown := [name for name in routings if name not in ROUTINGS]:
        raise ValueError(f"received routings {unknown}, expected some of {list(ROUTINGS)}")
    own_env = env is None
    env = make_push_env(seed) if own_env else env
    extractor = default_extractor_class(env.observation_space)
    edges: list[RoutingEdge] = []
    first: SAC | None = None
    try:
        for name in routings:
            model = _make_model(ROUTINGS[name], env, extractor, env_steps, seed)
            if first is None:
                first = model
                model.learn(total_timesteps=env_steps)  # random actions only: no update yet
                model.critic.features_extractor.load_state_dict(
                    model.actor.features_extractor.state_dict()
                )
                model.critic_target.load_state_dict(model.critic.state_dict())
                weights = {k: v.clone() for k, v in model.policy.state_dict().items()}
            model.policy.load_state_dict(weights)
            model.replay_buffer = first.replay_buffer
            set_random_seed(seed)  # the same batch and the same noise for every routing
            with count_encoder_passes(model) as passes:
                measured = measure_update(model, batch_size)
            for encoder_name, encoder in encoders_of(model).items():
                holders = optimizers_holding(model, encoder)
                for loss in ("critic", "actor"):
                    norm, moved = measured[loss, encoder_name]
                    edges.append(
                        RoutingEdge(
                            name,
                            ROUTINGS[name].label,
                            encoder_name,
                            holders,
                            loss,
                            norm,
                            moved,
                            len(passes),
                        )
                    )
    finally:
        if own_env:
            env.close()
    return edges


def _make_model(
    routing: Routing,
    env: VecEnv,
    extractor: type[BaseFeaturesExtractor],
    env_steps: int,
    seed: int,
) -> SAC:
    model = routing.algorithm(
        routing.policy,
        env,
        learning_rate=1e-4,
        buffer_size=env_steps,
        learning_starts=env_steps + 1,
        gamma=0.95,
        ent_coef=0.05,
        policy_kwargs={"features_extractor_class": extractor, **routing.policy_kwargs},
        seed=seed,
        device="cpu",
    )
    model.set_logger(Logger(None, []))
    return model


def format_table(edges: list[RoutingEdge]) -> str:
    """The edges as a text table, one line for each encoder."""
    lines = [
        f"{'routing':<34}{'encoder':<10}{'held by':<14}"
        f"{'critic loss: grad (moved)':<28}{'actor loss: grad (moved)':<28}passes"
    ]
    for critic, actor in zip(edges[::2], edges[1::2], strict=True):
        cells = [f"{e.grad_norm:.3e} ({e.moved:.1e})" for e in (critic, actor)]
        holders = "+".join(critic.optimizers) or "none"
        lines.append(
            f"{critic.label:<34}{critic.encoder:<10}{holders:<14}"
            f"{cells[0]:<28}{cells[1]:<28}{critic.encoder_passes}"
        )
    return "\n".join(lines)


def main() -> None:
    """Prints the table for FetchPush from pixels."""
    print("One update on FetchPush from pixels; L2 norms over the encoder's parameters.\n")
    print(format_table(probe_routing()))
    print(
        "\ngrad: what this loss left in the encoder. moved: what its optimizer step then did to it."
        "\nA gradient with moved 0 is never stepped. passes: encoder forward passes in the update."
    )
