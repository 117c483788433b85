"""Whether the result of a run is there, and whether it is that run's."""

from __future__ import annotations

from labs.artifacts import PROVENANCE, Artifact, data_root, load_artifact, recover
from labs.experiments.config import RunConfig, from_dict
from labs.experiments.presets import NEUTRAL_KEYS


def is_done(config: RunConfig) -> bool:
    """Whether a whole artifact of this configuration, trained to its end, is there.

    How a run is done (:data:`labs.experiments.presets.NEUTRAL_KEYS`) does not matter.
    """
    found = _result(config)
    if found is None or "ended_early" in found.provenance:
        return False
    return not _apart(found, config)


def holds_other_settings(config: RunConfig) -> bool:
    """Whether the result that stands where the run's would is of another configuration."""
    found = _result(config)
    return found is not None and _apart(found, config)


def _result(config: RunConfig) -> Artifact | None:
    path = data_root() / config.run_name
    recover(path)
    return load_artifact(path) if (path / PROVENANCE).exists() else None


def _apart(found: Artifact, config: RunConfig) -> bool:
    theirs = from_dict(found.json("config.json"))
    return bool(theirs.differences(config).keys() - set(NEUTRAL_KEYS))
