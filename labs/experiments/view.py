"""What an eye looks through, and where the locator lies that looks so.

Nothing that draws is imported before a frame is asked for: a plan asks here, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labs.artifacts import PROVENANCE, data_root, load_artifact
from labs.errors import UserError
from labs.experiments.config import FIELDS, RunConfig
from labs.tasks import views_of

LOCATOR_FILE = "locator.safetensors"


@dataclass(frozen=True)
class View:
    """What an eye looks through: task, camera, scene and size of a frame."""

    task: str
    camera: str
    scene: str
    goal_sphere: bool | None
    image_size: int

    @classmethod
    def of(cls, config: RunConfig) -> View:
        """The view of a run."""
        return cls(config.task, config.camera, config.scene, config.goal_sphere, config.image_size)

    @property
    def frame_size(self) -> tuple[int, int]:
        """(height, width) of a frame."""
        return self.image_size, self.image_size * views_of(self.camera)

    def make(self):
        """The task's environment, which renders frames of this view."""
        from labs.envs import make_env

        return make_env(
            self.task,
            camera=self.camera,
            scene=self.scene,
            image_size=self.image_size,
            goal_sphere=self.goal_sphere,
        )


def folder(config: RunConfig) -> Path:
    """Where the locator of a run lies; one that learned in another way has a name of its own."""
    name = f"locator-{config.task}-{config.camera}"
    for setting in ("locator_taught", "locator_moments"):
        if getattr(config, setting) != FIELDS[setting].default:
            name += f"-{getattr(config, setting)}"
    if config.locator_frames != FIELDS["locator_frames"].default:
        name += f"-{config.locator_frames}"
    return data_root() / name / f"seed{config.seed}"


def refuse_other_view(config: RunConfig) -> None:
    """Raises UserError where the locator in a run's place was trained on another view."""
    path = folder(config)
    if not (path / PROVENANCE).exists():
        return
    view, wanted = load_artifact(path).parameters["view"], vars(View.of(config))
    if view != wanted:
        changed = ", ".join(f"{k} {view[k]} -> {wanted[k]}" for k in view if view[k] != wanted[k])
        raise UserError(
            f"the locator in {path} was trained on another view ({changed}): give the run that "
            "view, or move the folder away and the run will train its own"
        )
