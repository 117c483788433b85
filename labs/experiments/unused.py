"""Settings that a run never reads: to change one would be hours for the same run, newly named."""

from __future__ import annotations

from collections.abc import Iterator

from labs.errors import UserError
from labs.experiments.config import FIELDS, RunConfig
from labs.experiments.validation import PICTURE_SIZES

#: Of a learner with a critic, a replay memory and environments beside each other.
NOT_OF_A_STUDENT = (
    *("gamma", "tau", "buffer_size", "learning_starts", "train_freq", "n_envs"),
    *("critic_layer_norm", "same_shift"),
)


def _unread(c: RunConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    """Knobs, and why nothing reads them. The camera is not among them: the film is its."""
    yield ("fast_mode",), "--fast is not given"
    if c.engine == "distill":
        yield NOT_OF_A_STUDENT, "engine = distill"
    if not c.her:
        yield ("her_k", "her_strategy"), "her = False"
    if not c.has_images:
        drawing = ("scene", "goal_sphere", "native_render")
        yield (*drawing, *PICTURE_SIZES), f"observation = {c.observation}"
        return
    if c.augmentation == "none":
        yield ("pad", "same_shift"), "augmentation = none"
    if c.has_locator:
        yield ("features_dim", "num_filters", "encoder_learning_rate"), "encoder = locator"
    elif c.encoder == "keypoint" or c.head == "spatial_softmax":
        yield ("features_dim",), "keypoints are the features"
    elif c.encoder != "manipulation":
        yield ("num_filters",), f"encoder = {c.encoder}"


def refuse_unused(config: RunConfig, base: RunConfig) -> RunConfig:
    """The configuration itself, if each of its changes is one.

    Args:
        config: a valid configuration.
        base: what it was changed from. What that has may stay, used or not.

    Raises:
        UserError: a knob is changed that nothing reads; to its default it may always be.
    """
    for names, why in _unread(config):
        for name in names:
            value = getattr(config, name)
            if value not in (getattr(base, name), FIELDS[name].default):
                raise UserError(f"{name} = {value} changes nothing where {why}: leave {name} alone")
    return config
