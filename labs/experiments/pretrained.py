"""What another run has trained, lent to this one: its encoder, or its policy.

Whether it fits is asked before a run starts. Of a teacher, too, which lends its answers.

* An encoder, to a run that trains none. What it shows does not change while actor and critic learn.
  So such a run asks about control alone: does this eye show enough to act on, and to judge by?
* A policy that acts, while this run learns from what it meets: such a run asks what data are worth.

Nothing that draws is imported before something is lent: a plan asks here, too.
"""

from __future__ import annotations

from typing import Any

from labs.artifacts import load_artifact
from labs.errors import UserError
from labs.experiments.config import RunConfig, from_dict
from labs.experiments.done import WEIGHTS

#: What an encoder was trained to see, and how it is built; a run that takes it must agree.
AGREE = (
    *("task", "goal_mode", "proprioception", "full_state"),
    *("camera", "scene", "goal_sphere", "image_size", "native_render", "frame_stack"),
    *("encoder", "head", "num_filters", "features_dim", "temperature", "standardize"),
    *("keypoint_norm", "manipulation_norm"),
)


def refuse_other_pictures(config: RunConfig) -> None:
    """Raises UserError where the encoder that a run takes was trained on other pictures."""
    name = config.pretrained_encoder
    lender = from_dict(load_artifact(name).parameters)
    if differing := [key for key in AGREE if getattr(lender, key) != getattr(config, key)]:
        key = differing[0]
        raise UserError(
            f"the encoder of {name} does not fit: {key} = {getattr(lender, key)} there and "
            f"{getattr(config, key)} here: set {key} as there, or give another pretrained_encoder"
        )


def refuse_other_senses(config: RunConfig) -> None:
    """Raises UserError where the policy that acts in a run's place is told other things."""
    name = config.acting_policy
    theirs, ours = (_senses(c) for c in (from_dict(load_artifact(name).parameters), config))
    if differing := [key for key in ours if theirs.get(key) != ours[key]]:
        key = differing[0]
        raise UserError(
            f"the policy of {name} is told other things: {key} = {theirs.get(key)} there and "
            f"{ours[key]} here: give an acting_policy that is told the same"
        )


def _senses(config: RunConfig) -> dict[str, Any]:
    """What decides which numbers a policy is told, and how many."""
    keys = ["task", "observation"]
    if config.observation != "state":
        keys += ["goal_mode", "proprioception", "full_state"]
    if config.observation in ("pixels", "place"):
        keys.append("frame_stack")
    if config.has_images:
        keys += ["frame_size", "has_locator"]
    return {key: getattr(config, key) for key in keys}


def refuse_other_teacher(config: RunConfig, name: str) -> None:
    """Raises UserError where a student's teacher plays another task, or is not told the state."""
    theirs = from_dict(load_artifact(name).parameters)
    if (theirs.task, theirs.observation) != (config.task, "state"):
        raise UserError(
            f"the teacher {name} plays {theirs.task} from {theirs.observation}: give --teacher an "
            f"arm that plays {config.task} from the state"
        )


def lend_encoder(model: Any, config: RunConfig) -> dict[str, str]:
    """Puts the encoder of ``pretrained_encoder`` in the place of those of a new model.

    The statistics of its vectors come with it and go on from there. A critic that is told
    something in place of the camera has no encoder and gets none.

    Args:
        model: a new learner of the fast engine.
        config: of its run.

    Returns:
        ``artifact``: the run's name; ``weights_sha256``: of all that its policy's file holds.

    Raises:
        UserError: no such run, a damaged one, none with weights, or an encoder of other pictures.
    """
    from labs.experiments.policies import load_policy

    refuse_other_pictures(config)
    name = config.pretrained_encoder
    weights = load_policy(name).sb3.actor.features_extractor.state_dict()
    networks = [model.actor]
    if config.critic_sees == "same":
        networks += [model.critic, model.critic_target]
    for network in networks:
        network.features_extractor.load_state_dict(weights)
    return _record(name)


def lend_acting_policy(model: Any, config: RunConfig) -> dict[str, str]:
    """Gives a new model the policy that acts from ``acting_ends`` on.

    What training alone is told stands in the observations of a run, and no actor reads it.

    Args:
        model: a new learner of the fast engine.
        config: of its run.

    Returns:
        As :func:`lend_encoder`.

    Raises:
        UserError: no such run, a damaged one, none with weights, or a policy that is told other
            things.
    """
    from labs.asymmetric import PRIVILEGED, without
    from labs.experiments.policies import load_policy

    name = config.acting_policy
    policy = load_policy(name).sb3
    theirs, ours = policy.observation_space, without(model.observation_space, (PRIVILEGED,))
    if theirs != ours:
        raise UserError(
            f"the policy of {name} is told {', '.join(theirs)}, and this run {', '.join(ours)}, or "
            "not in the same sizes: give an acting_policy that is told the same"
        )
    for part in (policy, policy.actor):
        part.observation_space = model.observation_space
    model.acting_policy = policy.to(model.device)
    return _record(name)


def _record(name: str) -> dict[str, str]:
    digest = load_artifact(name).provenance["files"][WEIGHTS]
    return {"artifact": name, "weights_sha256": digest}
