"""One training run as data: every knob, its default, and what follows from it.

Nothing heavy is imported here, so that ``pixels --help`` is quick.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from dataclasses import dataclass
from typing import Any, Literal

from tyro.conf import Suppress

from labs.errors import UserError, closest
from labs.tasks import EPISODE_STEPS, views_of

EPISODES_OF_A_ROUND = 40  # engine distill: played between two lots of updates
STEPS_OF_A_GOAL = 5  # a locator's random play in Reach: one more than tell a goal, then the next
WALK = 7  # steps towards a goal that these have told, where such play walks

Task = Literal["reach", "push"]
Observation = Literal["state", "pixels", "blind", "place"]


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
    """state: the task's vectors; pixels: the camera; blind: the pixel arm's vectors, no image;
    place: those vectors, and the block's place as an eye of known error reads it"""
    place_error: float = 0.0
    """observation place: standard deviation of each number of that place, in meters"""
    place_error_kind: Literal["drawn", "fixed"] = "drawn"
    """observation place: drawn anew at each step, or fixed: the same whenever the block is there"""
    goal_mode: Literal["none", "desired", "both"] = "both"
    """which goal vectors a policy that is not given the state gets"""
    proprioception: bool = False
    """such a policy also gets the robot's own joints (10 numbers)"""
    full_state: bool = False
    """such a policy also gets the whole state vector: a control, not an honest arm"""
    camera: str = "default"
    """camera of the images: default, workspace, or pair (two views side by side)"""
    scene: str = "stock"
    """what is drawn: stock, or lean (nothing but gripper, object, table and goal)"""
    goal_sphere: bool | None = None
    """draw the goal sphere; None: as the scene has it"""
    image_size: int = 84
    """height and width of the policy's image in pixels"""
    native_render: bool = True
    """render at image_size; False renders 480 x 480 and resizes"""
    frame_stack: int = 1
    """how many of the last frames are stacked along the channels; observation place: looks kept"""
    image_content: Literal["real", "blank", "noise"] = "real"
    """what the image holds in training: twins of a run that cannot see"""

    # ----- the networks
    encoder: Literal["nature", "normalized", "manipulation", "keypoint", "locator"] = "nature"
    """nature: NatureCNN as SB3 has it; normalized: + LayerNorm and Tanh; manipulation: 3x3 CNN;
    keypoint: small CNN, keypoints of each frame; locator: trained before the run to read positions
    from frames, then frozen"""
    head: Literal["flat", "spatial_softmax"] = "flat"
    """what follows the manipulation encoder: a linear layer, or keypoints"""
    locator_frames: int = 33_000
    """encoder locator: frames that it learns from, one in eleven of them held out"""
    locator_taught: Literal["positions", "rewards"] = "positions"
    """encoder locator: what teaches it; positions: the simulator's; rewards: in Push which goals a
    picture fulfils, by HER's reward; in Reach distances, which with the joints say where"""
    locator_moments: Literal["placed", "played", "walked", "filmed", "strayed"] = "placed"
    """encoder locator: the moments that it learns from; placed: block or goal set down for each;
    played: random actions; walked: in Reach the same, then to the goal that its rewards told;
    filmed: as walked, each step a frame; strayed: walked's control, as far to another place"""
    temperature: float = 0.0
    """temperature of the keypoints' softmax at the start; 0: the encoder's own (manipulation 1,
    keypoint 0.005)"""
    keypoint_norm: bool = False
    """encoder keypoint: LayerNorm and Tanh after the keypoints"""
    manipulation_norm: bool = True
    """encoder manipulation: LayerNorm and Tanh after its head"""
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
    critic_sees: Literal["same", "state", "achieved"] = "same"
    """engine fast: what the critic is told in training in place of the camera (asymmetric
    actor-critic); state: the simulator's state vector; achieved: the achieved goal, which HER
    needs anyway"""
    critic_blur: float = 0.0
    """meters: deviation of a Gaussian on each number that the critic is told, drawn anew at each
    step; 0: told exactly"""

    auxiliary: float = 0.0
    """engine fast, routing critic: weight of a second loss of the encoder, in training only;
    0: none"""
    auxiliary_task: Literal["positions", "rewards"] = "positions"
    """what that loss asks of a picture; positions: where gripper and block are, which it is told;
    rewards: which goals of the batch it fulfils, by HER's reward"""

    # ----- augmentation and relabeling
    augmentation: Literal["none", "drq", "drq-views"] = "none"
    """drq: random shifts at sample time, an image as a whole; drq-views: each camera's part for
    itself, where two stand side by side"""
    pad: int = 4
    """largest shift of drq in pixels"""
    same_shift: bool = False
    """shift both images of a transition, before and after its step, by one draw"""
    her: bool = False
    """hindsight experience replay (sparse tasks)"""
    her_k: int = 4
    """HER: k / (k + 1) of a batch is relabeled"""
    goals_per_frame: int = 1
    """engine fast: goals that judge each transition of a batch; its frames are encoded once"""
    her_strategy: Literal["future", "final", "episode"] = "future"
    """HER: where new goals come from"""
    moved_only: bool = False
    """engine fast: relabel only where the object moved, so that a new goal teaches something;
    further goals of goals_per_frame do not ask"""

    # ----- optimization
    engine: Literal["sb3", "fast", "distill"] = "sb3"
    """sb3: the reference; fast: frames stored once, a leaner update; distill: imitate a teacher"""
    teacher: str = ""
    """engine distill: the arm whose policy of the same seed teaches; ARM/seed0: that run, always"""
    learning_rate: float = 3e-4
    """Adam's step size, for all networks"""
    encoder_learning_rate: float = 0.0
    """Adam's step size for the image encoders alone; 0: learning_rate"""
    frozen_encoder: bool = False
    """the image encoders stay as drawn at random, a negative control, or as pretrained_encoder has
    them"""
    pretrained_encoder: str = ""
    """engine fast, frozen_encoder: ARM/seed0, the run whose image encoder is taken"""
    anneal: float = 0.0
    """share of the run, its last, over which all step sizes fall linearly to zero; 0: none"""
    batch_size: int = 256
    """transitions in an update"""
    gamma: float = 0.95
    """discount"""
    n_steps: int = 1
    """engine fast: steps whose rewards a TD target adds up before it asks the critic"""
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
    """worker processes step and draw; engine fast: meanwhile the networks learn"""
    random_actions: float = 0.0
    """engine fast: share of uniformly random actions all along; 0.2 in the HER paper, then 0.3"""
    seeking: float = 0.0
    """random_actions: share of them that go for the block, where the policy is told its place or a
    locator reads it"""
    acting_ends: int = 0
    """engine fast: steps after which the policy that acts stays as it is, and another learns from
    what it meets; 0: the one that learns acts"""
    acting_policy: str = ""
    """acting_ends: ARM/seed0, the run whose policy acts from then on; else the one that learned"""
    reset_every: int = 0
    """engine fast: steps after which all networks are drawn anew, again and again, the memory kept;
    0: never"""
    train_freq: int = 1
    """vector steps between updates"""
    gradient_steps: int = 1
    """updates after every train_freq vector steps; engine distill: after every round"""
    fast_mode: bool = False
    """recorded when --fast chose native_render, n_envs, subproc and gradient_steps"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where the networks live"""
    precision: Literal["auto", "fastest", "float32", "bfloat16"] = "auto"
    """engines fast, distill: products of the update; auto: bfloat16 on a GPU, float32 on a CPU;
    fastest: bfloat16 on every processor that multiplies it"""
    torch_threads: int = 1
    """CPU threads of torch; beside worker processes, as many as they leave free"""

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
    """keep the replay memory in checkpoints; else the trained policy refills it"""

    def __post_init__(self):
        object.__setattr__(self, "net_arch", tuple(int(n) for n in self.net_arch))
        object.__setattr__(self, "ent_coef", str(self.ent_coef))

    # ----- derived

    @property
    def has_images(self) -> bool:
        """Whether the policy gets an image."""
        return self.observation == "pixels"

    @property
    def frame_size(self) -> tuple[int, int]:
        """(height, width) of a frame: two views are twice as wide."""
        return self.image_size, self.image_size * self.views

    @property
    def views(self) -> int:
        """Cameras side by side in a frame."""
        return views_of(self.camera)

    @property
    def has_locator(self) -> bool:
        """Whether a frozen locator stands between camera and policy."""
        return self.has_images and self.encoder == "locator"

    @property
    def hears_achieved(self) -> bool:
        """Whether what training adds is the achieved goal alone, not the state."""
        by_rewards = self.auxiliary > 0 and self.auxiliary_task == "rewards"
        return self.critic_sees == "achieved" or by_rewards

    @property
    def is_told(self) -> bool:
        """Whether training adds what the simulator knows."""
        return self.critic_sees != "same" or self.auxiliary > 0

    @property
    def run_name(self) -> str:
        """``<arm>/seed<k>``: the folder of its results below ``data/``."""
        return f"{self.arm}/seed{self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """All knobs as plain JSON types."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}

    def digest(self) -> str:
        """A short hash of all knobs, from which changed arms have their names.

        A knob of :data:`ADDED_LATER` counts only where it is set: a new one renames no result.
        """
        knobs = self.as_dict()
        for name in ADDED_LATER:
            if knobs[name] == FIELDS[name].default:
                del knobs[name]
        text = json.dumps(knobs, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differences(self, other: RunConfig) -> dict[str, tuple[Any, Any]]:
        """Knobs in which two configurations differ: name → (this, other)."""
        mine, theirs = self.as_dict(), other.as_dict()
        return {k: (mine[k], theirs[k]) for k in mine if mine[k] != theirs[k]}


def rounds(config: RunConfig) -> int:
    """Rounds in a run of engine distill."""
    return max(1, config.total_steps // (EPISODES_OF_A_ROUND * EPISODE_STEPS))


def updates(config: RunConfig) -> int:
    """Updates of a whole run, from above: it may take one ``gradient_steps`` fewer."""
    if config.engine == "distill":
        return rounds(config) * config.gradient_steps
    vector_steps = (config.total_steps - config.learning_starts) // config.n_envs
    return vector_steps // config.train_freq * config.gradient_steps


def updates_per_step(config: RunConfig) -> float:
    """Updates for each environment step, once there are any."""
    if config.engine == "distill":
        return config.gradient_steps / (EPISODES_OF_A_ROUND * EPISODE_STEPS)
    return config.gradient_steps / (config.n_envs * config.train_freq)


def locator_steps(config: RunConfig) -> int:
    """Environment steps behind a locator's frames: of a walk a few are drawn, or all."""
    if config.locator_moments not in ("walked", "filmed", "strayed"):
        return config.locator_frames
    steps = STEPS_OF_A_GOAL + WALK
    drawn = steps if config.locator_moments == "filmed" else STEPS_OF_A_GOAL
    return -(-config.locator_frames // drawn) * steps


def learning_rate_at(config: RunConfig, step: int) -> float:
    """Adam's step size at a step, as ``anneal`` has it."""
    left = 1 - step / config.total_steps
    return config.learning_rate * (min(1.0, left / config.anneal) if config.anneal else 1.0)


FIELDS = {f.name: f for f in dataclasses.fields(RunConfig)}

#: Knobs that came after results of changed arms had their names.
ADDED_LATER = ("same_shift", "reset_every", "seeking")


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
        if isinstance(value, int):  # JSON's whole numbers have no limit
            ok = ok and abs(value) <= sys.float_info.max
        value = float(value) if ok else value
    elif expected is tuple:
        ok = isinstance(value, list | tuple) and all(type(v) is int for v in value)
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
