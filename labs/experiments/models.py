"""From a configuration to SB3's SAC: policy class, networks, replay memory."""

from __future__ import annotations

from typing import Any

from labs.errors import UserError
from labs.experiments.config import EPISODE_STEPS, RunConfig


def capacity(config: RunConfig) -> int:
    """The replay memory in transitions: ``buffer_size`` rounded down to whole episodes.

    Whole episodes, so that overwriting never leaves half of one behind.
    """
    episode = EPISODE_STEPS * config.n_envs
    return config.buffer_size // episode * episode


def policy_spec(config: RunConfig) -> tuple[type, dict[str, Any]]:
    """The policy's class and arguments: all that is needed to build it, apart from its spaces."""
    from stable_baselines3.common.torch_layers import CombinedExtractor
    from stable_baselines3.sac.policies import MultiInputPolicy

    from labs.drqv2_sac_policy import DrQv2SACPolicy
    from labs.fast_networks import LayerNormDrQv2Policy, LayerNormPolicy, StandardizedExtractor

    kwargs: dict[str, Any] = {"net_arch": list(config.net_arch)}
    plain = LayerNormPolicy if config.critic_layer_norm else MultiInputPolicy
    if not config.has_images or config.has_locator:
        if config.critic_layer_norm or config.standardize:  # SB3 sets this in MultiInputPolicy
            kwargs["features_extractor_class"] = CombinedExtractor
        if config.standardize:
            kwargs["features_extractor_class"] = StandardizedExtractor
        return _asymmetric(config, plain), kwargs
    extractor, arguments = _image_extractor(config)
    if config.standardize:
        from labs.standardized_images import StandardizedImageExtractor

        arguments = {"inner_class": extractor} | arguments
        extractor = StandardizedImageExtractor
    kwargs |= {"features_extractor_class": extractor, "features_extractor_kwargs": arguments}
    if config.auxiliary:
        from labs.auxiliary import AuxiliaryPolicy

        kwargs |= {"auxiliary_weight": config.auxiliary, "auxiliary_task": config.auxiliary_task}
        return AuxiliaryPolicy, kwargs
    if config.routing == "critic":
        return (LayerNormDrQv2Policy if config.critic_layer_norm else DrQv2SACPolicy), kwargs
    kwargs["share_features_extractor"] = config.routing == "actor"
    return _asymmetric(config, plain), kwargs


def _image_extractor(config: RunConfig) -> tuple[type, dict[str, Any]]:
    """The class and the arguments of what makes features of an image and the vectors beside it."""
    from stable_baselines3.common.torch_layers import CombinedExtractor

    if config.encoder == "nature":
        from labs.visual_encoder import NatureExtractor

        extractor = NatureExtractor if config.goals_per_frame > 1 else CombinedExtractor
        return extractor, {"cnn_output_dim": config.features_dim}
    if config.encoder == "normalized":
        from labs.visual_encoder import NormalizedCombinedExtractor

        return NormalizedCombinedExtractor, {"cnn_output_dim": config.features_dim}
    if config.encoder == "keypoint":
        from labs.keypoint_encoder import KeypointExtractor

        own = {"temperature": config.temperature} if config.temperature else {}
        return KeypointExtractor, {
            "num_filters": config.num_filters,
            "views": config.views,
            "normalize": config.keypoint_norm,
            **own,
        }
    from labs.manipulation_encoder import ManipulationExtractor

    return ManipulationExtractor, {
        "spatial_softmax": config.head == "spatial_softmax",
        "num_filters": config.num_filters,
        "flat_features_dim": config.features_dim,
        "normalize": config.manipulation_norm,
        "temperature": config.temperature or 1.0,
    }


def _asymmetric(config: RunConfig, plain: type) -> type:
    """The policy class whose critic is told the state, where the run wants that."""
    if config.critic_sees == "same":
        return plain
    from labs.asymmetric import AsymmetricPolicy

    return AsymmetricPolicy


def replay_spec(config: RunConfig) -> tuple[type, dict[str, Any]]:
    """The replay memory's class and arguments."""
    from stable_baselines3 import HerReplayBuffer
    from stable_baselines3.common.buffers import DictReplayBuffer

    her = {"n_sampled_goal": config.her_k, "goal_selection_strategy": config.her_strategy}
    if config.augmentation == "none":
        return (HerReplayBuffer, her) if config.her else (DictReplayBuffer, {})
    from labs.image_augmentation import DrQDictReplayBuffer, HerDrQDictReplayBuffer

    drq = {"aug_fn": random_shift(config), "image_key": "pixels", "same_shift": config.same_shift}
    return (HerDrQDictReplayBuffer, drq | her) if config.her else (DrQDictReplayBuffer, drq)


def random_shift(config: RunConfig):
    """The random shift of the run's images; None where they stay."""
    from labs.image_augmentation import RandomShiftAug

    if config.augmentation == "none":
        return None
    return RandomShiftAug(config.pad, views=config.views if config.augmentation != "drq" else 1)


def _bend(config: RunConfig):
    """What the run's random actions become; None where they stay."""
    from labs.seeking import Seeking

    return Seeking(config.seeking, config.frame_stack) if config.seeking else None


def _arguments(config: RunConfig) -> dict[str, Any]:
    """What both engines are told in the same words."""
    auto = config.ent_coef.startswith("auto")
    return dict(
        learning_rate=config.learning_rate,
        buffer_size=capacity(config),
        learning_starts=config.learning_starts,
        batch_size=config.batch_size,
        tau=config.tau,
        gamma=config.gamma,
        train_freq=config.train_freq,
        gradient_steps=config.gradient_steps,
        ent_coef=config.ent_coef if auto else float(config.ent_coef),
        seed=config.seed,
        device=resolve_device(config.device),
    )


def build_sb3(config: RunConfig, env):
    """SB3's SAC; with its own update where the critic trains the encoder."""
    from stable_baselines3 import SAC

    from labs.drqv2_sac import DrQv2SAC

    policy, policy_kwargs = policy_spec(config)
    replay, replay_kwargs = replay_spec(config)
    algorithm = DrQv2SAC if config.has_images and config.routing == "critic" else SAC
    return algorithm(
        policy,
        env,
        policy_kwargs=policy_kwargs,
        replay_buffer_class=replay,
        replay_buffer_kwargs=replay_kwargs,
        **_arguments(config),
    )


def build_fast(config: RunConfig, env):
    """FastSAC: frames stored once, one encoder pass an update."""
    from labs.fast_sac import FastSAC

    policy, policy_kwargs = policy_spec(config)
    arguments = _arguments(config)
    return FastSAC(
        policy,
        env,
        policy_kwargs=policy_kwargs,
        replay_buffer_kwargs={
            "n_sampled_goal": config.her_k if config.her else 0,
            "goal_selection_strategy": config.her_strategy,
            "moved_only": config.moved_only,
            "goals_per_frame": config.goals_per_frame,
            "n_steps": config.n_steps,
            "gamma": config.gamma,
        },
        augment=random_shift(config),
        same_shift=config.same_shift,
        random_actions=config.random_actions,
        bend=_bend(config),
        acting_ends=config.acting_ends or None,
        reset_every=config.reset_every or None,
        autocast=autocast(config.precision, arguments["device"]),
        **arguments,
    )


def autocast(precision: str, device: str):
    """The dtype of the update's products; None: float32.

    Automatic means what most arms were measured with: bfloat16 on a GPU, float32 on a CPU.
    """
    import torch

    from labs.mixed_precision import mixed_precision

    if precision == "fastest":
        return mixed_precision(device)
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" else "float32"
    return torch.bfloat16 if precision == "bfloat16" else None


def products_in(dtype) -> str:
    """What results and checkpoints call an answer of :func:`autocast`: ``"bfloat16"``, say."""
    return "float32" if dtype is None else str(dtype).removeprefix("torch.")


def resolve_device(name: str) -> str:
    """``"cpu"`` or ``"cuda"``; auto takes the GPU if there is one.

    Raises:
        UserError: cuda was asked for and there is none.
    """
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device = cuda, but torch sees no GPU: set device = cpu or auto")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def build(config: RunConfig, env):
    """The learner of the configured engine. Both engines have SB3's interface."""
    model = build_sb3(config, env) if config.engine == "sb3" else build_fast(config, env)
    if config.encoder_learning_rate:
        _slow_encoders(model, config.encoder_learning_rate)
    if config.frozen_encoder:
        _freeze_encoders(model)
    return model


def _freeze_encoders(model) -> None:
    """Leaves the encoders' weights as they are: no gradient reaches them, nothing moves them."""
    for network in (model.actor, model.critic):
        if network.features_extractor is not None:
            network.features_extractor.requires_grad_(False)
    if hasattr(model, "make_update"):  # FastSAC's update lists what it trains
        model.make_update()


def _slow_encoders(model, learning_rate: float) -> None:
    """Gives the encoders' weights a step size of their own, in both optimizers.

    The rates are constant, so SB3's way of setting every group to one rate before each update is
    switched off.
    """
    for network in (model.actor, model.critic):
        if network.features_extractor is None:
            continue
        optimizer = network.optimizer
        encoder = {id(p) for p in network.features_extractor.parameters()}
        (group,) = optimizer.param_groups
        slow = [p for p in group["params"] if id(p) in encoder]
        if not slow:  # another network's optimizer trains this encoder
            continue
        group["params"] = [p for p in group["params"] if id(p) not in encoder]
        optimizer.add_param_group({"params": slow, "lr": learning_rate})
    model._update_learning_rate = lambda optimizers: None
    if hasattr(model, "make_update"):  # FastSAC's update is bound to the order of the weights
        model.make_update()
