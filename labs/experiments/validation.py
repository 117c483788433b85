"""What a configuration may not be: values out of range, settings that contradict each other."""

from __future__ import annotations

import typing
from typing import Literal

from labs.artifacts import LETTERS, NAME
from labs.errors import UserError
from labs.experiments.config import EPISODE_STEPS, FIELDS, RunConfig

#: Numbers: name → (smallest, largest), both allowed.
LIMITS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "image_size": (36, 480),
    "frame_stack": (1, 16),
    "features_dim": (1, 8192),
    "num_filters": (1, 512),
    "temperature": (0, 1000),
    "auxiliary": (0, 1000),
    "critic_blur": (0, 1),
    "place_error": (0, 1),
    "anneal": (0, 1),
    "locator_frames": (256, 10**6),
    "pad": (0, 40),
    "her_k": (1, 64),
    "goals_per_frame": (1, 256),
    "n_steps": (1, EPISODE_STEPS),
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


CAMERA_NAMES = ("default", "workspace", "pair")

#: Knobs that mean nothing where there is no image.
IMAGE_KNOBS = (
    *("encoder", "head", "augmentation", "routing", "image_content"),
    *("encoder_learning_rate", "frozen_encoder", "temperature", "auxiliary"),
    *("keypoint_norm", "manipulation_norm", "auxiliary_task", "pretrained_encoder"),
)

#: More of them. A blind twin may keep those of the arm that it is the twin of.
PICTURE_SIZES = ("image_size", "pad", "features_dim", "num_filters")

#: Knobs of who has to look for something, through a camera or a made eye: what a critic is told
#: in its place, and how many looks are kept.
LOOKING_KNOBS = ("critic_sees", "critic_blur", "frame_stack")


def validate(config: RunConfig) -> RunConfig:
    """The configuration itself, if a run could be made of it.

    Raises:
        UserError: one line that names the settings that contradict each other or the value that
            is out of range, and what to change.
    """
    for problem in _problems(config):
        raise UserError(problem)
    return config


#: Knobs with named choices: name → what it may be.
CHOICES: dict[str, tuple[str, ...]] = {
    name: typing.get_args(hint)
    for name, hint in typing.get_type_hints(RunConfig).items()
    if typing.get_origin(hint) is Literal
}


def _problems(c: RunConfig):
    for name, choices in CHOICES.items():
        if getattr(c, name) not in choices:
            yield f"unknown {name} {getattr(c, name)!r}: choose one of {', '.join(choices)}"
    for name, (low, high) in LIMITS.items():
        if not low <= getattr(c, name) <= high:
            yield f"{name} = {getattr(c, name)} is out of range: give {low:g} to {high:g}"
    if c.camera not in CAMERA_NAMES:
        yield f"unknown camera {c.camera!r}: choose one of {', '.join(CAMERA_NAMES)}"
    if c.scene not in ("stock", "lean"):
        yield f"unknown scene {c.scene!r}: choose one of stock, lean"
    if not NAME.fullmatch(c.arm):
        yield f"arm name {c.arm!r} cannot be a folder: use {LETTERS}"
    if not 0 < c.learning_rate < 1:
        yield f"learning_rate = {c.learning_rate} is out of range: give a number in (0, 1)"
    if not 0 <= c.encoder_learning_rate < 1:
        yield (
            f"encoder_learning_rate = {c.encoder_learning_rate} is out of range: give a number in "
            "(0, 1), or 0 for learning_rate"
        )
    if not 0 <= c.gamma < 1:
        yield f"gamma = {c.gamma} is out of range: give a number in [0, 1)"
    if not 0 < c.tau <= 1:
        yield f"tau = {c.tau} is out of range: give a number in (0, 1]"
    if not 1 <= len(c.net_arch) <= 16 or not 1 <= min(c.net_arch) <= max(c.net_arch) <= 16_384:
        yield f"net_arch = {c.net_arch} is out of range: give 1 to 16 widths of 1 to 16384"
    yield from _entropy_problems(c)
    yield from _image_problems(c)
    yield from _engine_problems(c)
    yield from _her_problems(c)
    yield from _budget_problems(c)


def _entropy_problems(c: RunConfig):
    if c.ent_coef == "auto":
        return
    try:
        value = float(c.ent_coef.removeprefix("auto_"))
    except ValueError:
        yield f"ent_coef = {c.ent_coef!r} is neither a number nor auto: give 0.05, say, or auto"
        return
    if c.ent_coef.startswith("auto_") and not 0 < value < 1e6:
        yield f"ent_coef = {c.ent_coef!r} starts at no temperature: give auto_0.1, say, or auto"
    elif not 0 <= value < 1e6:
        yield f"ent_coef = {value} is out of range: give a number of at least 0, or auto"


def _image_problems(c: RunConfig):
    yield from _place_problems(c)
    if not c.has_images:
        of_pictures = IMAGE_KNOBS + PICTURE_SIZES * (c.observation == "state")
        of_pictures += LOOKING_KNOBS * (c.observation != "place")
        for name in of_pictures:
            if getattr(c, name) != FIELDS[name].default:
                yield (
                    f"{name} = {getattr(c, name)} needs an image, but observation = "
                    f"{c.observation}: set observation = pixels or leave {name} alone"
                )
        if c.observation == "state" and c.goal_mode != FIELDS["goal_mode"].default:
            yield "observation = state holds both goals: leave goal_mode alone"
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
    has_keypoints = c.encoder == "keypoint" or c.head == "spatial_softmax"
    if c.temperature and not has_keypoints:
        yield (
            f"temperature = {c.temperature} is of keypoints, and encoder = {c.encoder} with head = "
            f"{c.head} has none: leave temperature alone"
        )
    for encoder in ("keypoint", "manipulation"):
        name = f"{encoder}_norm"
        if getattr(c, name) != FIELDS[name].default and c.encoder != encoder:
            yield (
                f"{name} = {getattr(c, name)} is of encoder = {encoder}, and encoder = "
                f"{c.encoder}: drop it, or set encoder = {encoder}"
            )
    yield from _locator_problems(c)
    if c.camera == "pair" and not c.native_render:
        yield "camera = pair draws two pictures at image_size: leave native_render alone"
    if c.proprioception and c.full_state:
        yield "full_state holds proprioception already: set one of the two"
    if c.augmentation != "none" and c.pad == 0:
        yield f"augmentation = {c.augmentation} with pad = 0 shifts nothing: set pad to 1 or more"
    if c.augmentation != "none" and c.pad >= c.image_size:
        yield f"pad = {c.pad} moves a picture of {c.image_size} pixels out of sight: lower pad"
    if c.augmentation == "drq-views" and c.views == 1:
        yield "augmentation = drq-views is for camera = pair: set drq"
    if c.augmentation != "none" and c.image_content != "real":
        yield (
            f"augmentation = {c.augmentation} of image_content = {c.image_content} is no "
            "experiment: drop one"
        )


def _place_problems(c: RunConfig):
    if c.observation != "place":
        for name in ("place_error", "place_error_kind"):
            if getattr(c, name) != FIELDS[name].default:
                yield f"{name} = {getattr(c, name)} is of observation = place: set that, or drop it"
    elif c.task != "push" or c.engine != "fast" or c.goal_mode == "both" or c.full_state:
        yield (
            "observation = place reads where Push's block is: set task = push, engine = fast and "
            "goal_mode = desired, and leave full_state alone, so that nothing else says it"
        )


def _locator_problems(c: RunConfig):
    if c.encoder != "locator":
        for name in ("locator_frames", "locator_taught", "locator_moments"):
            if getattr(c, name) != FIELDS[name].default:
                yield f"{name} is for encoder = locator: set that encoder or leave it alone"
        return
    if c.task == "reach" and (c.locator_taught == "rewards") != (c.locator_moments != "placed"):
        yield (
            "in Reach rewards tell where the goal is while the arm plays: set both locator_taught "
            "= rewards and locator_moments other than placed, or neither"
        )
    if c.task != "reach" and c.locator_moments in ("walked", "filmed", "strayed"):
        yield (
            f"locator_moments = {c.locator_moments} walks when distances have told a goal, and "
            "Push's rewards are no distances: set locator_moments = played"
        )
    for name in ("routing", "augmentation", "image_content"):
        if getattr(c, name) != FIELDS[name].default:
            yield (
                f"{name} = {getattr(c, name)} does not fit encoder = locator, which is frozen and "
                f"reads real images: leave {name} alone or set another encoder"
            )
    if not c.native_render:
        yield "encoder = locator learns from frames of image_size: leave native_render alone"
    if c.task == "reach" and c.goal_sphere is False:
        yield "encoder = locator reads Reach's goal from its sphere: leave goal_sphere alone"


def _has_vector(c: RunConfig) -> bool:
    return c.proprioception or c.full_state


def _engine_problems(c: RunConfig):
    for name in ("random_actions", "seeking"):
        if not 0 <= getattr(c, name) <= 1:
            yield f"{name} = {getattr(c, name)} is out of range: give a share in [0, 1]"
    vectors = c.observation != "state" and c.proprioception and c.goal_mode != "none"
    place = c.task == "push" and vectors and (c.goal_mode == "both" or c.has_locator)
    if c.seeking and not (place and c.random_actions and c.engine == "fast"):
        yield (
            f"seeking = {c.seeking} pulls random actions from the gripper to the block: set task = "
            "push, engine = fast, random_actions, proprioception = True, and goal_mode = both or "
            "encoder = locator"
        )
    yield from _distill_problems(c)
    yield from _encoder_problems(c)
    if c.precision != "auto" and c.engine == "sb3":
        yield f"precision = {c.precision} exists in engine fast only: set engine = fast"
    for name in ("random_actions", "standardize", "moved_only"):
        if c.engine == "sb3" and getattr(c, name):
            yield f"{name} = {getattr(c, name)} exists in engine fast only: set engine = fast"
    yield from _acting_problems(c)
    if c.n_steps > 1 and c.engine != "fast":
        yield f"n_steps = {c.n_steps} exists in engine fast only: set engine = fast"
    yield from _critic_problems(c)
    image_alone = c.goal_mode == "none" and not _has_vector(c) and not c.has_locator
    if c.standardize and c.has_images and image_alone:
        yield "standardize = True is for vectors, and the policy gets only an image: drop it"


def _encoder_problems(c: RunConfig):
    if c.anneal and (c.engine == "distill" or c.encoder_learning_rate):
        yield (
            f"anneal = {c.anneal} does not fit engine = distill, whose step size falls all along, "
            "nor encoder_learning_rate, which is constant: leave anneal alone"
        )
    if c.frozen_encoder and (c.has_locator or c.encoder_learning_rate or c.auxiliary):
        yield (
            "frozen_encoder = True trains no encoder: leave encoder_learning_rate and auxiliary "
            "alone, and choose an encoder other than locator, which is frozen already"
        )
    if c.pretrained_encoder and (c.engine != "fast" or not c.frozen_encoder):
        yield (
            f"pretrained_encoder = {c.pretrained_encoder} is for a run that trains no encoder: set "
            "engine = fast and frozen_encoder = True"
        )


def _acting_problems(c: RunConfig):
    if c.acting_ends and not (c.engine == "fast" and 0 < c.acting_ends < c.total_steps):
        yield (
            f"acting_ends = {c.acting_ends} parts acting from learning on the way: set engine = "
            f"fast, and a step between 0 and total_steps = {c.total_steps}"
        )
    if c.acting_policy and not c.acting_ends:
        yield (
            f"acting_policy = {c.acting_policy} acts once the policy that learns does not: give "
            "acting_ends the step from which"
        )
    resets = c.engine == "fast" and c.learning_starts < c.reset_every < c.total_steps
    if c.reset_every and not resets:
        yield (
            f"reset_every = {c.reset_every} draws anew what has learned: set engine = fast, and a "
            f"step between learning_starts = {c.learning_starts} and total_steps = {c.total_steps}"
        )
    if c.reset_every and (c.has_locator or c.frozen_encoder):
        yield (
            "reset_every draws the encoder anew with all else, and a frozen one would learn "
            "nothing after it: choose an encoder other than locator, and frozen_encoder = False"
        )


def _critic_problems(c: RunConfig):
    if c.critic_sees != "same" and (c.engine != "fast" or c.routing != "separate"):
        yield (
            f"critic_sees = {c.critic_sees} gives actor and critic networks of their own: set "
            "engine = fast and routing = separate"
        )
    if c.critic_sees != "same" and not c.critic_layer_norm:
        yield (
            f"critic_sees = {c.critic_sees} has LayerNorm in its critics: set critic_layer_norm = "
            "True, or critic_sees = same"
        )
    if c.critic_sees == "achieved" and not c.her:
        yield "critic_sees = achieved tells no more than HER needs: set her = True"
    if c.critic_blur and c.critic_sees != "achieved":
        yield "critic_blur is meters on the achieved goal: set critic_sees = achieved"
    told = c.engine == "fast" and c.routing == "critic" and c.critic_layer_norm
    if c.auxiliary and (not told or c.has_locator):
        yield (
            f"auxiliary = {c.auxiliary} trains an encoder beside the critic: set engine = fast, "
            "routing = critic, critic_layer_norm = True and an encoder other than locator"
        )
    by_rewards = c.auxiliary_task == "rewards"
    if by_rewards and not c.auxiliary:
        yield "auxiliary_task = rewards without a weight: set auxiliary = 1"
    elif by_rewards and (not c.her or c.encoder not in ("keypoint", "manipulation")):
        yield (
            "auxiliary_task = rewards asks pictures about HER's goals: set her = True and encoder "
            "= keypoint or manipulation"
        )


def _distill_problems(c: RunConfig):
    if c.engine != "distill":
        if c.teacher:
            yield f"teacher = {c.teacher} teaches engine distill only: set engine = distill"
        return
    if not c.teacher:
        yield "engine = distill needs a policy to imitate: set teacher = push-state-tuned, say"
    if not c.has_images:
        yield (
            "engine = distill makes a policy that sees of one that knows: set observation = pixels"
        )
    if c.her or c.routing != "separate" or c.image_content != "real":
        yield (
            "engine = distill has no critic and no rewards: leave her, routing and image_content "
            "alone"
        )
    if c.device == "cuda":
        yield "engine = distill learns on the CPU: set device = cpu or auto"
    if c.fast_mode:
        yield "--fast steps environments together, and engine = distill plays in one: leave it out"
    unused = ("random_actions", "encoder_learning_rate", "frozen_encoder", "ent_coef", "her_k")
    for name in (*unused, "her_strategy"):
        if getattr(c, name) != FIELDS[name].default:
            yield f"{name} = {getattr(c, name)} changes nothing in engine = distill: leave it alone"


def _her_problems(c: RunConfig):
    if c.goals_per_frame > 1 and not (c.her and c.engine == "fast" and c.has_images):
        yield (
            f"goals_per_frame = {c.goals_per_frame} relabels the frames of engine fast: set her = "
            "True, engine = fast and observation = pixels, or leave goals_per_frame alone"
        )
    if not c.her:
        if c.moved_only:
            yield "moved_only = True chooses what HER relabels, but her = False: set her = True"
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
    if c.train_freq < 1 or EPISODE_STEPS % c.train_freq:
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
    if c.learning_starts >= c.total_steps and c.engine != "distill":
        yield (
            f"learning_starts = {c.learning_starts} leaves no update in total_steps = "
            f"{c.total_steps}: lower it or raise total_steps"
        )
    if c.subproc and c.n_envs == 1:
        yield "subproc = True with n_envs = 1 only adds a pipe: raise n_envs or drop subproc"
    if c.fast_mode and not c.native_render:
        yield "fast_mode with native_render = False is not fast: drop one of the two"
