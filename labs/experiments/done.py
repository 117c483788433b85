"""Whether the result of a run is there, and whether it is that run's."""

from __future__ import annotations

from typing import Any

from labs.artifacts import PROVENANCE, Artifact, data_root, load_artifact, recover
from labs.errors import UserError
from labs.experiments.config import RunConfig, from_dict
from labs.experiments.presets import NEUTRAL_KEYS

WEIGHTS = "weights.safetensors"  # the file of a result with its policy's weights


def is_done(config: RunConfig) -> bool:
    """Whether a whole artifact of this configuration, trained to its end, is there.

    How a run is done (:data:`labs.experiments.presets.NEUTRAL_KEYS`) does not matter.
    """
    found = result_of(config)
    return not (found is None or "ended_early" in found.provenance)


def refuse_other_settings(config: RunConfig) -> None:
    """Raises UserError where a result of another configuration stands in the run's place."""
    found = _there(config)
    if found is not None and differs(found.parameters, config):
        raise UserError(
            f"{found.path} holds a run with other settings: give --arm NAME to train beside it, or "
            "--again to replace it"
        )


def result_of(config: RunConfig) -> Artifact | None:
    """The run's artifact, whole or ended early; None if there is none of this configuration.

    Raises:
        UserError: it is damaged.
    """
    found = _there(config)
    return None if found is None or differs(found.parameters, config) else found


def _there(config: RunConfig) -> Artifact | None:
    path = data_root() / config.run_name
    recover(path)
    return load_artifact(path) if (path / PROVENANCE).exists() else None


def lenders(config: RunConfig) -> list[str]:
    """The results that a run takes a part from: its teacher, its encoder, the policy that acts.

    A teacher without a seed has the student's.
    """
    alone = not config.teacher or "/" in config.teacher  # one run that teaches every student
    teacher = config.teacher if alone else f"{config.teacher}/seed{config.seed}"
    return [n for n in (teacher, config.pretrained_encoder, config.acting_policy) if n]


def differs(stored: dict[str, Any], config: RunConfig, but: tuple[str, ...] = ()) -> bool:
    """Whether stored settings are another run's. A knob that they do not know has its default.

    Args:
        stored: a configuration as plain JSON.
        config: of the run.
        but: settings that matter here although they change nothing that is measured.

    Raises:
        UserError: a setting that is none.
    """
    changed = from_dict(stored).differences(config).keys()
    return bool(changed - (set(NEUTRAL_KEYS) - set(but)))
