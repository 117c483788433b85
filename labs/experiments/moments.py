"""Moments of a task: frames through a camera, and where things were when they were drawn.

Two ways to come by them. Moments are *placed* so that positions say nothing about each other: the
block (the goal sphere in Reach) is put somewhere new for every frame, often right beside the
gripper, where pushing happens and fingers hide it. Or nobody sets anything down, and the frames
are those that random actions *played*. Of Reach nothing is then read that an agent does not get:
the joints say where the gripper is, and its rewards where the goal is. Who has measured a goal so
can go there: such play is *walked*, or *filmed* where each of its steps is a frame.

Nothing that draws is imported before a frame is asked for: a plan asks here where a locator lies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from labs.artifacts import PROVENANCE, data_root, load_artifact
from labs.errors import UserError
from labs.experiments.config import FIELDS, STEPS_OF_A_GOAL, WALK, RunConfig
from labs.locator import TARGETS
from labs.tasks import ACTION_LENGTH, EPISODE_STEPS, episode_of, views_of
from labs.trilateration import trilaterate

MOMENTS_OF_AN_EPISODE = 25
HELD = 3  # steps that random play keeps an action for: it then gets somewhere
GOAL_RANGE = 0.15  # meters around its start, in each coordinate, in which Reach draws goals
SHAKEN = 0.4  # standard deviation of an action around its episode's direction: not in one line

LOCATOR_FILE = "locator.safetensors"

Progress = Callable[[str, int, int], None]


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


def _place_block(env, xy: np.ndarray, yaw: float) -> None:
    """Puts the block on the table, at rest."""
    unwrapped = env.unwrapped
    utils, model, data = unwrapped._utils, unwrapped.model, unwrapped.data
    pose = utils.get_joint_qpos(model, data, "object0:joint").copy()
    pose[:3] = [*xy, unwrapped.height_offset]
    pose[3:] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
    utils.set_joint_qpos(model, data, "object0:joint", pose)
    utils.set_joint_qvel(model, data, "object0:joint", np.zeros(6))
    unwrapped._mujoco.mj_forward(model, data)


def _push_moment(env, gripper: np.ndarray, home: np.ndarray, rng: np.random.Generator):
    if rng.random() < 0.4:  # in reach of the fingers
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.03, 0.08)
        xy = gripper[:2] + distance * np.array([np.cos(angle), np.sin(angle)])
    else:
        xy = home[:2] + rng.uniform(-0.25, 0.25, 2)
    yaw = rng.uniform(-np.pi, np.pi)
    _place_block(env, xy, yaw)
    return [*xy, np.cos(4 * yaw), np.sin(4 * yaw)]


def _reach_moment(env, gripper: np.ndarray, home: np.ndarray, rng: np.random.Generator):
    if rng.random() < 0.4:  # where an episode is decided
        goal = gripper + rng.normal(0, 0.05, 3)
    else:
        goal = home + rng.uniform(-GOAL_RANGE, GOAL_RANGE, 3)
    env.unwrapped.goal = goal
    return [*gripper, *goal]


#: By task: how to arrange a moment, and where the gripper goes (around its start, meters).
MOMENTS = {
    "push": (_push_moment, (-0.2, -0.2, -0.02), (0.2, 0.2, 0.18)),
    "reach": (_reach_moment, (-0.2, -0.2, -0.2), (0.2, 0.2, 0.2)),
}


def collect_moments(
    view: View, n: int, seed: int, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draws moments of a task.

    Args:
        view: task, camera and scene.
        n: number of frames.
        seed: of the moments.
        progress: called with (what, done, of).

    Returns:
        Frames uint8 (n, 3, H, W) and targets float32 (n, len(TARGETS[task])).
    """
    arrange, low, high = MOMENTS[view.task]
    env = view.make()
    frames = np.empty((n, 3, *view.frame_size), np.uint8)
    targets = np.empty((n, len(TARGETS[view.task])), np.float32)
    done, episode = 0, 0
    while done < n:
        start, rng = episode_of(seed, episode)
        observation, _ = env.reset(seed=start)
        episode += 1
        home = observation["observation"][:3].copy()
        for moment in range(min(MOMENTS_OF_AN_EPISODE, n - done)):
            if moment % 5 == 0:
                waypoint = home + rng.uniform(low, high)
            gripper = observation["observation"][:3]
            move = (waypoint - gripper) / ACTION_LENGTH
            action = np.clip(np.append(move, 0) + rng.normal(0, 0.3, 4), -1, 1)
            observation, *_ = env.step(action.astype(np.float32))
            gripper = observation["observation"][:3]
            targets[done] = arrange(env, gripper, home, rng)
            frames[done] = env.render().transpose(2, 0, 1)
            done += 1
        if progress is not None:
            progress("frames", done, n)
    env.close()
    return frames, targets


def collect_play(
    view: View, n: int, seed: int, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draws frames as random actions meet them. Arguments and answer: :func:`collect_moments`.

    In Push the block is where resets put it, and seldom touched.
    """
    return (_play_push if view.task == "push" else _play_reach)(view, n, seed, progress)


def collect_walks(
    view: View,
    n: int,
    seed: int,
    progress: Progress | None = None,
    *,
    astray: bool = False,
    every_step: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Reach: random steps measure a goal, further ones walk there.

    Astray, the control, they walk as far to another place, drawn as resets draw goals.
    As many frames of a goal are drawn as without the walk, from any of its steps, which are more:
    :func:`labs.experiments.config.locator_steps`. Or every step of it is a frame: of as many
    frames, fewer goals. Further arguments and answer: :func:`collect_moments`.
    """
    frames = STEPS_OF_A_GOAL + WALK if every_step else STEPS_OF_A_GOAL
    return _play_reach(view, n, seed, progress, walk=WALK, astray=astray, frames_of_a_goal=frames)


def _play_reach(
    view: View,
    n: int,
    seed: int,
    progress: Progress | None,
    walk: int = 0,
    astray: bool = False,
    frames_of_a_goal: int = STEPS_OF_A_GOAL,
) -> tuple[np.ndarray, np.ndarray]:
    """A few steps before each goal. The simulator is not asked where the goal is: rewards tell."""
    env = view.make()
    goals = -(-n // frames_of_a_goal)
    frames = np.empty((goals, frames_of_a_goal, 3, *view.frame_size), np.uint8)
    targets = np.empty((goals, frames_of_a_goal, len(TARGETS["reach"])), np.float32)
    places, rewards = np.empty((STEPS_OF_A_GOAL + walk, 3)), np.empty(STEPS_OF_A_GOAL + walk)
    for row in range(goals):
        start, rng = episode_of(seed, row)
        observation, _ = env.reset(seed=start)
        home = end = observation["observation"][:3].copy()
        direction = rng.uniform(-1, 1, 4)
        drawn = np.arange(STEPS_OF_A_GOAL)
        if walk:
            drawn = rng.choice(len(places), frames_of_a_goal, replace=False)
        pictures = iter(frames[row])
        for step in range(len(places)):
            if step >= STEPS_OF_A_GOAL:
                direction[:3] = np.clip((end - places[step - 1]) / ACTION_LENGTH, -1, 1)
            action = np.clip(direction + rng.normal(0, SHAKEN, 4), -1, 1).astype(np.float32)
            observation, rewards[step], *_ = env.step(action)
            places[step] = observation["observation"][:3]
            if step in drawn:
                next(pictures)[:] = env.render().transpose(2, 0, 1)
            if step == STEPS_OF_A_GOAL - 1:
                goal = trilaterate(places[: step + 1], -rewards[: step + 1])
                end = home + rng.uniform(-GOAL_RANGE, GOAL_RANGE, 3) if astray else goal
        targets[row] = np.concatenate([places[np.sort(drawn)], np.tile(goal, (len(drawn), 1))], 1)
        if progress is not None and row % 10 == 9:
            progress("frames", min((row + 1) * frames_of_a_goal, n), n)
    env.close()
    return frames.reshape(-1, *frames.shape[2:])[:n], targets.reshape(-1, targets.shape[-1])[:n]


def _play_push(
    view: View, n: int, seed: int, progress: Progress | None
) -> tuple[np.ndarray, np.ndarray]:
    """Each action is held for three steps."""
    env = view.make()
    frames = np.empty((n, 3, *view.frame_size), np.uint8)
    targets = np.empty((n, len(TARGETS["push"])), np.float32)
    for row in range(n):
        episode, step = divmod(row, EPISODE_STEPS)
        if step == 0:
            start, rng = episode_of(seed, episode)
            env.reset(seed=start)
        if step % HELD == 0:
            action = rng.uniform(-1, 1, 4).astype(np.float32)
        env.step(action)
        pose = env.unwrapped._utils.get_joint_qpos(
            env.unwrapped.model, env.unwrapped.data, "object0:joint"
        )
        x, y, _, *turn = pose
        yaw = 2 * np.arctan2(turn[3], turn[0])
        targets[row] = x, y, np.cos(4 * yaw), np.sin(4 * yaw)
        frames[row] = env.render().transpose(2, 0, 1)
        if progress is not None and step == EPISODE_STEPS - 1:
            progress("frames", row + 1, n)
    env.close()
    return frames, targets


#: By the setting ``locator_moments``: where frames come from.
COLLECT = {
    "placed": collect_moments,
    "played": collect_play,
    "walked": collect_walks,
    "filmed": partial(collect_walks, every_step=True),
    "strayed": partial(collect_walks, astray=True),
}
