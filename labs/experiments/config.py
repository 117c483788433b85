"""One training run as data: every knob, its default, its limits, and what contradicts what.

Nothing heavy is imported here, so that ``pixels --help`` is quick.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from tyro.conf import Suppress

from labs.errors import UserError

EPISODE_STEPS = 50  # Fetch episodes have this length exactly and never end early

Task = Literal["reach", "push"]
Observation = Literal["state", "pixels", "blind"]


@dataclass(frozen=True)
class RunConfig:
    """Every knob of a training run."""

    # The line under each knob is its help in ``pixels train --help``.

    arm: str = "custom"
    """name of the arm; results go to data/<arm>/seed<k>"""
    seed: Suppress[int] = 0  # the program has --seeds
    """seed of the run: networks, exploration, goals"""

    # ----- the task and the picture
    task: Task = "reach"
    """reach: FetchReachDense-v4, dense reward; push: FetchPush-v4, sparse reward"""
    observation: Observation = "state"
    """state: the task's vectors; pixels: the camera; blind: the pixel arm's vectors, no image"""
    goal_mode: Literal["none", "desired", "both"] = "both"
    """which goal vectors a pixel or blind policy gets"""
    proprioception: bool = False
    """a pixel or blind policy also gets the robot's own joints (10 numbers)"""
    full_state: bool = False
    """a pixel or blind policy also gets the whole state vector: a control, not an honest arm"""
    camera: str = "default"
    """camera of the images: default or workspace"""
    scene: str = "stock"
    """what is drawn: stock, or lean (nothing but gripper, object, table and goal)"""
    goal_sphere: bool | None = None
    """draw the goal sphere; None: as the scene has it"""
    image_size: int = 84
    """height and width of the policy's image in pixels"""
    native_render: bool = True
    """render at image_size; False renders 480 x 480 and resizes"""
    frame_stack: int = 1
    """how many of the last frames are stacked along the channels"""
    image_content: Literal["real", "blank", "noise"] = "real"
    """what the image holds in training: twins of a run that cannot see"""

    # ----- the networks
    encoder: Literal["nature", "normalized", "manipulation"] = "nature"
    """nature: NatureCNN as SB3 has it; normalized: + LayerNorm and Tanh; manipulation: 3x3 CNN"""
    head: Literal["flat", "spatial_softmax"] = "flat"
    """what follows the manipulation encoder: a linear layer, or keypoints"""
    features_dim: int = 256
    """width of a flat head: the image's share of the features"""
    num_filters: int = 32
    """channels of the manipulation encoder = number of keypoints"""
    net_arch: tuple[int, ...] = (256, 256)
    """hidden layers of actor and critics"""
    critic_layer_norm: bool = False
    """LayerNorm in the critics: many updates per step stay stable"""
    standardize: bool = False
    """engine fast: standardize vectors by running mean and deviation"""
    routing: Literal["separate", "actor", "critic"] = "separate"
    """whose loss trains the encoder: separate (an encoder each), actor (shared), critic (shared)"""

    # ----- augmentation and relabelling
    augmentation: Literal["none", "drq"] = "none"
    """drq: random shifts at sample time"""
    pad: int = 4
    """largest shift of drq in pixels"""
    her: bool = False
    """hindsight experience replay (sparse tasks)"""
    her_k: int = 4
    """HER: k / (k + 1) of a batch is relabelled"""
    her_strategy: Literal["future", "final", "episode"] = "future"
    """HER: where new goals come from"""

    # ----- optimisation
    engine: Literal["sb3", "fast"] = "sb3"
    """sb3: the reference; fast: frames stored once and a compiled update"""
    learning_rate: float = 3e-4
    """Adam's step size, for all networks"""
    batch_size: int = 256
    """transitions in an update"""
    gamma: float = 0.95
    """discount"""
    tau: float = 0.005
    """Polyak step of the target critic"""
    ent_coef: str = "auto"
    """entropy temperature: a number, or auto to learn it"""
    learning_starts: int = 1000
    """random steps before the first update"""
    buffer_size: int = 200_000
    """transitions in the replay memory, over all environments"""
    n_envs: int = 1
    """environments stepped together"""
    subproc: bool = False
    """one process for each environment"""
    random_actions: float = 0.0
    """engine fast: share of uniformly random actions all along, 0.3 in the HER paper"""
    train_freq: int = 1
    """vector steps between updates"""
    gradient_steps: int = 1
    """updates after every train_freq vector steps"""
    fast_mode: bool = False
    """recorded when --fast chose native_render, n_envs, subproc and gradient_steps"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where the networks live"""
    torch_threads: int = 1
    """CPU threads of torch"""

    # ----- budget, measurement, safety
    total_steps: int = 20_000
    """environment steps, over all environments"""
    eval_every: int = 1000
    """steps between points of the learning curve"""
    curve_episodes: int = 20
    """deterministic episodes of a point of the curve"""
    eval_episodes: int = 100
    """episodes of the final evaluation, in each mode"""
    video_episodes: int = 4
    """episodes in the video; 0: none"""
    checkpoint_every: int = 5000
    """steps between checkpoints; a killed run goes on from the last"""
    save_replay: bool = True
    """keep the replay memory in checkpoints; without it, it is refilled by the trained policy"""

    def __post_init__(self):
        object.__setattr__(self, "net_arch", tuple(int(n) for n in self.net_arch))
        object.__setattr__(self, "ent_coef", str(self.ent_coef))

    # ----- derived

    @property
    def has_images(self) -> bool:
        """Whether the policy gets an image."""
        return self.observation == "pixels"

    @property
    def run_name(self) -> str:
        """``<arm>/seed<k>``: the folder of its results below ``data/``."""
        return f"{self.arm}/seed{self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """All knobs as plain JSON types."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}

    def digest(self) -> str:
        """A short hash of all knobs: equal configurations, equal digests."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differences(self, other: RunConfig) -> dict[str, tuple[Any, Any]]:
        """Knobs in which two configurations differ: name → (this, other)."""
        mine, theirs = self.as_dict(), other.as_dict()
        return {k: (mine[k], theirs[k]) for k in mine if mine[k] != theirs[k]}


FIELDS = {f.name: f for f in dataclasses.fields(RunConfig)}

#: Numbers: name → (smallest, largest), both allowed.
LIMITS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "image_size": (36, 480),
    "frame_stack": (1, 16),
    "features_dim": (1, 8192),
    "num_filters": (1, 512),
    "pad": (0, 40),
    "her_k": (1, 64),
    "batch_size": (2, 65_536),
    "learning_starts": (EPISODE_STEPS, 10**7),
    "buffer_size": (EPISODE_STEPS, 10**8),
    "n_envs": (1, 256),
    "gradient_steps": (1, 1024),
    "torch_threads": (1, 1024),
    "total_steps": (EPISODE_STEPS, 10**9),
    "eval_every": (EPISODE_STEPS, 10**9),
    "curve_episodes": (1, 10_000),
    "eval_episodes": (1, 100_000),
    "video_episodes": (0, 20),
    "checkpoint_every": (EPISODE_STEPS, 10**9),
}


def from_dict(values: dict[str, Any]) -> RunConfig:
    """A configuration from plain JSON.

    Raises:
        UserError: an unknown knob, or a value of the wrong type.
    """
    for name in values:
        if name not in FIELDS:
            raise UserError(f"unknown setting {name!r}: {closest(name, FIELDS)}")
    defaults = RunConfig()
    checked = {n: _typed(n, v, getattr(defaults, n)) for n, v in values.items()}
    return RunConfig(**checked)


def _typed(name: str, value: Any, default: Any) -> Any:
    """``value`` in the type of the default, or UserError."""
    expected = type(default)
    if name == "goal_sphere":
        ok = value is None or isinstance(value, bool)
    elif name == "ent_coef":
        ok = isinstance(value, str | int | float) and not isinstance(value, bool)
    elif expected is bool:
        ok = isinstance(value, bool)
    elif expected is int:
        ok = isinstance(value, int) and not isinstance(value, bool)
    elif expected is float:
        ok = isinstance(value, int | float) and not isinstance(value, bool)
        value = float(value) if ok else value
    elif expected is tuple:
        ok = isinstance(value, list | tuple) and all(isinstance(v, int) for v in value)
    else:
        ok = isinstance(value, expected)
    if not ok:
        wanted = {"goal_sphere": "bool or None", "ent_coef": "number or 'auto'"}
        raise UserError(
            f"{name} = {value!r} has the wrong type: give a {wanted.get(name, expected.__name__)}"
        )
    return value


def override(config: RunConfig, **changes: Any) -> RunConfig:
    """The configuration with some knobs changed; types are checked, contradictions are not."""
    return from_dict(config.as_dict() | changes)


def closest(name: str, known) -> str:
    """What to say of an unknown name: the nearest known one, or all of them."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(known)}"


def validate(config: RunConfig) -> RunConfig:
    """The configuration itself, if a run could be made of it.

    Raises:
        UserError: one line that names the settings that contradict each other or the value that
            is out of range, and what to change.
    """
    for problem in _problems(config):
        raise UserError(problem)
    return config


def _choices(name: str) -> tuple[str, ...]:
    import typing

    hint = typing.get_type_hints(RunConfig)[name]
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()


def _problems(c: RunConfig):
    for name in FIELDS:
        choices = _choices(name)
        if choices and getattr(c, name) not in choices:
            yield f"unknown {name} {getattr(c, name)!r}: choose one of {', '.join(choices)}"
    for name, (low, high) in LIMITS.items():
        if not low <= getattr(c, name) <= high:
            yield f"{name} = {getattr(c, name)} is out of range: give {low:g} to {high:g}"
    if c.camera not in ("default", "workspace"):
        yield f"unknown camera {c.camera!r}: choose one of default, workspace"
    if c.scene not in ("stock", "lean"):
        yield f"unknown scene {c.scene!r}: choose one of stock, lean"
    if not c.arm.replace("-", "").replace("_", "").replace(".", "").isalnum():
        yield f"arm name {c.arm!r} cannot be a folder: use letters, digits, - and _"
    if not 0 < c.learning_rate < 1:
        yield f"learning_rate = {c.learning_rate} is out of range: give a number in (0, 1)"
    if not 0 <= c.gamma < 1:
        yield f"gamma = {c.gamma} is out of range: give a number in [0, 1)"
    if not 0 < c.tau <= 1:
        yield f"tau = {c.tau} is out of range: give a number in (0, 1]"
    if not c.net_arch or min(c.net_arch) < 1:
        yield f"net_arch = {c.net_arch} is out of range: give one or more widths, all at least 1"
    yield from _entropy_problems(c)
    yield from _image_problems(c)
    yield from _engine_problems(c)
    yield from _her_problems(c)
    yield from _budget_problems(c)


def _entropy_problems(c: RunConfig):
    if c.ent_coef == "auto" or c.ent_coef.startswith("auto_"):
        return
    try:
        value = float(c.ent_coef)
    except ValueError:
        yield f"ent_coef = {c.ent_coef!r} is neither a number nor auto: give 0.05, say, or auto"
        return
    if not 0 <= value < 1e6:
        yield f"ent_coef = {value} is out of range: give a number of at least 0, or auto"


def _image_problems(c: RunConfig):
    if not c.has_images:
        for name in ("encoder", "head", "augmentation", "routing", "image_content", "frame_stack"):
            if getattr(c, name) != FIELDS[name].default:
                yield (
                    f"{name} = {getattr(c, name)} needs an image, but observation = "
                    f"{c.observation}: set observation = pixels or leave {name} alone"
                )
        if c.observation == "state" and (c.proprioception or c.full_state):
            yield (
                "proprioception and full_state add to images, and observation = state has the "
                "whole vector already: leave them out, or set observation = blind"
            )
        if c.observation == "blind" and c.goal_mode == "none" and not _has_vector(c):
            yield (
                "observation = blind with goal_mode = none leaves the policy nothing to see: set "
                "proprioception or another goal_mode"
            )
        return
    if c.head == "spatial_softmax" and c.encoder != "manipulation":
        yield (
            f"head = spatial_softmax does not fit encoder = {c.encoder}, which ends flat: set "
            "encoder = manipulation or head = flat"
        )
    if c.proprioception and c.full_state:
        yield "full_state holds proprioception already: set one of the two"
    if c.augmentation == "drq" and c.pad == 0:
        yield "augmentation = drq with pad = 0 shifts nothing: set pad to 1 or more, or none"
    if c.augmentation == "drq" and c.image_content != "real":
        yield f"augmentation = drq of image_content = {c.image_content} is no experiment: drop one"


def _has_vector(c: RunConfig) -> bool:
    return c.proprioception or c.full_state


def _engine_problems(c: RunConfig):
    if not 0 <= c.random_actions <= 1:
        yield f"random_actions = {c.random_actions} is out of range: give a share in [0, 1]"
    for name in ("random_actions", "standardize"):
        if c.engine == "sb3" and getattr(c, name):
            yield f"{name} = {getattr(c, name)} exists in engine fast only: set engine = fast"
    if c.standardize and c.has_images:
        yield "standardize = True is for vectors, but observation = pixels: drop one of the two"


def _her_problems(c: RunConfig):
    if not c.her:
        return
    if c.task == "reach":
        yield (
            "her = True needs a sparse reward, but reach pays the distance at every step: set "
            "task = push or her = False"
        )
    if c.observation != "state" and c.engine == "sb3" and c.goal_mode != "both":
        yield (
            f"her = True on engine sb3 needs achieved_goal and desired_goal in the observation, "
            f"but goal_mode = {c.goal_mode}: set goal_mode = both, or engine = fast"
        )
    if c.observation != "state" and c.goal_mode == "none":
        yield "her = True relabels goals that goal_mode = none hides: set goal_mode = desired"


def _budget_problems(c: RunConfig):
    episode = EPISODE_STEPS * c.n_envs
    if EPISODE_STEPS % c.train_freq or c.train_freq < 1:
        yield f"train_freq = {c.train_freq} does not divide the 50 steps of an episode: give 1 or 2"
    if c.total_steps < episode:
        yield (
            f"total_steps = {c.total_steps} is less than one episode of {c.n_envs} environments "
            f"({episode} steps): raise total_steps or lower n_envs"
        )
    if c.buffer_size < episode:
        yield (
            f"buffer_size = {c.buffer_size} holds less than one episode of {c.n_envs} environments "
            f"({episode} steps): raise buffer_size or lower n_envs"
        )
    if c.learning_starts < episode and c.her:
        yield (
            f"learning_starts = {c.learning_starts} ends before the first episode of {c.n_envs} "
            f"environments does, and HER has nothing to sample: give at least {episode}"
        )
    if c.learning_starts >= c.total_steps:
        yield (
            f"learning_starts = {c.learning_starts} leaves no update in total_steps = "
            f"{c.total_steps}: lower it or raise total_steps"
        )
    if c.subproc and c.n_envs == 1:
        yield "subproc = True with n_envs = 1 only adds a pipe: raise n_envs or drop subproc"
    if c.fast_mode and not c.native_render:
        yield "fast_mode with native_render = False is not fast: drop one of the two"
