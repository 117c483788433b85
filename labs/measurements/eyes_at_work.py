"""How eyes err while a block is pushed: artifact ``eyes-at-work``.

A held-out error says how far off an eye is on average over moments that somebody drew. A policy
needs it at others: when the gripper is beside the block and hides it, and when the block has moved.
And it needs to know in which way an eye errs. While a block lies still, the readings of one episode
have a mean and a scatter. The mean is off by what belongs to the place, the same at every look: the
eye is *bent*. The scatter is what changes from look to look as the gripper passes: it is *shaken*.

A policy that knows the state pushes; nobody acts on what is read. The eyes are frozen: encoders of
trained policies, of which a probe reads the block (:mod:`labs.measurements.encoder_probe`), and
locators, one told positions and others taught by rewards. Controls: the same encoder before any
training, and a guess that never looks, which is all bent and not shaken.

``pixels measure eyes-at-work``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from tqdm.auto import tqdm

from labs.artifacts import Artifact, Clock, write_measurement
from labs.envs import EPISODE_STEPS, gl_renderer
from labs.experiments.config import RunConfig
from labs.experiments.locating import LOCATOR_FILE, folder, load_locator
from labs.experiments.moments import View, collect_moments
from labs.experiments.policies import load_policy
from labs.experiments.position_errors import summary
from labs.experiments.presets import effective
from labs.measurements import encoder_probe
from labs.measurements.play import in_order, policies_here, rows_to_keep

TEACHER = "push-state-tuned/seed0"  # who pushes
#: Arms whose locators are read: told positions; taught by rewards; the same in random play, and
#: through the default camera.
LOCATED = (
    "push-located",
    "push-located-rewards",
    "push-located-played",
    "push-located-rewards-far",
)
#: Encoders: the critic was told the achieved goal, or nothing and rewards opened the eye.
ARMS = ("push-asymmetric-achieved", "push-keypoint-rewarded")
UNTRAINED, GUESS = "untrained", "guess"
EPISODES, SEED = 100, 6_000_000
STILL, PUSHED = 0.002, 0.01  # meters that the block is from its start
BESIDE = 0.08  # meters from gripper to block, along the table
PHASES = ("before", "beside", "pushed")
PARAMETERS = {
    **{"episodes": EPISODES, "first_seed": SEED, "teacher": TEACHER},
    **{"still_m": STILL, "pushed_m": PUSHED, "beside_m": BESIDE},
    "probe": encoder_probe.PARAMETERS,
}

Read = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Moments:
    """Moments of E episodes of T + 1 each, through one view.

    Attributes:
        frames: uint8 (E, T + 1, 3, H, W).
        block: (E, T + 1, 2), where it is on the table, in meters.
        gripper: (E, T + 1, 2).
    """

    frames: np.ndarray
    block: np.ndarray
    gripper: np.ndarray

    @property
    def moved(self) -> np.ndarray:
        """Meters of the block from its start, (E, T + 1)."""
        return np.linalg.norm(self.block - self.block[:, :1], axis=-1)

    def phases(self) -> dict[str, np.ndarray]:
        """Phase → which moments belong to it, bool (E, T + 1).

        Before the gripper is there; beside the block, which has not moved; once it was pushed.
        """
        near = np.linalg.norm(self.gripper - self.block, axis=-1) < BESIDE
        began = self.moved > PUSHED
        return {"before": ~near & ~began, "beside": near & ~began, "pushed": began}


def play(view: View, episodes: int = EPISODES) -> Moments:
    """Lets the teacher push before a camera. Every view sees the same episodes."""
    teacher = load_policy(TEACHER)
    env = view.make()
    shape = (episodes, EPISODE_STEPS + 1)
    frames = np.empty((*shape, 3, *view.frame_size), np.uint8)
    block, gripper = np.empty((*shape, 2)), np.empty((*shape, 2))
    for episode in range(episodes):
        observation, _ = env.reset(seed=SEED + episode)
        for step in range(EPISODE_STEPS + 1):
            frames[episode, step] = env.render().transpose(2, 0, 1)
            block[episode, step] = observation["achieved_goal"][:2]
            gripper[episode, step] = observation["observation"][:2]
            if step < EPISODE_STEPS:
                observation, *_ = env.step(teacher.predict(observation))
    env.close()
    return Moments(frames, block, gripper)


def bent_and_shaken(off: np.ndarray, rests: np.ndarray) -> dict[str, float]:
    """The two ways in which readings of blocks at rest are off.

    Args:
        off: (E, T, 2), the error of each reading in meters.
        rests: bool (E, T), whether the block still lies where it began.

    Returns:
        Standard deviations of one number in millimeters: ``bent``, of an episode's mean error from
        the mean over all; ``shaken``, of a reading from its episode's mean.
    """
    of_episode = [errors[still] for errors, still in zip(off, rests, strict=True) if still.any()]
    means = np.array([errors.mean(axis=0) for errors in of_episode])
    scatter = np.concatenate(
        [errors - mean for errors, mean in zip(of_episode, means, strict=True)]
    )
    return {
        "bent": 1000 * float(np.sqrt(((means - means.mean(axis=0)) ** 2).mean())),
        "shaken": 1000 * float(np.sqrt((scatter**2).mean())),
    }


def errors_at_work(read: Read, moments: Moments) -> dict:
    """How an eye errs: by phase, and in which way while the block rests.

    Args:
        read: frames (N, 3, H, W) → positions (N, n) in meters, the block's two first.
        moments: of :func:`play`.

    Returns:
        phase → the summary of its errors; ``bent`` and ``shaken``, in millimeters.
    """
    flat = moments.frames.reshape(-1, *moments.frames.shape[2:])
    off = read(flat)[:, :2].reshape(moments.block.shape) - moments.block
    distance = 1000 * np.linalg.norm(off, axis=-1)
    by_phase = {name: summary(distance[where]) for name, where in moments.phases().items()}
    return {"phases": by_phase, **bent_and_shaken(off, moments.moved < STILL)}


def locators() -> dict[str, RunConfig]:
    """The locators that are here, as ``name/seed0``, and the settings of who looks through them."""
    places = {folder(config): config for config in map(effective, LOCATED)}
    return {
        f"{path.parent.name}/{path.name}": config
        for path, config in places.items()
        if (path / LOCATOR_FILE).exists()
    }


def measure(
    names: Sequence[str],
    episodes: int = EPISODES,
    frames: int = encoder_probe.FRAMES + encoder_probe.HELD_OUT,
    progress: bool = True,
) -> list[dict]:
    """The locators, each encoder, the first one's network before any training, and a guess.

    Args:
        names: ``arm/seed<k>`` of the encoders, which share a view.
        episodes: that the teacher plays.
        frames: that each probe learns from.
        progress: show a bar.
    """
    played = cache(lambda view: play(view, episodes))  # several eyes share a view
    rows = [
        {"run": name} | errors_at_work(load_locator(config)[0].locate, played(View.of(config)))
        for name, config in locators().items()
    ]
    policies = {name: load_policy(name) for name in names}
    first = policies[names[0]]
    view = View.of(first.config)
    pictures, truth = collect_moments(view, frames, encoder_probe.SEED)
    moments = played(view)
    eyes = {name: policy.sb3 for name, policy in policies.items()}
    eyes[f"{UNTRAINED}/seed0"] = encoder_probe.untrained(first, 0)
    for name, eye in tqdm(eyes.items(), desc="eyes", disable=not progress):
        read = encoder_probe.reader(eye, pictures, truth)
        rows.append({"run": name} | errors_at_work(read, moments))
    middle = truth.mean(axis=0)
    never_looks = errors_at_work(lambda f: np.tile(middle, (len(f), 1)), moments)
    return [*rows, {"run": f"{GUESS}/seed0"} | never_looks]


def eyes_at_work(progress: bool = True) -> Artifact:
    """Measures the eyes: artifact ``eyes-at-work``.

    Eyes whose weights are gone keep what was found with them before.

    Raises:
        UserError: no run of the arms has its weights here, or one that has none any more was
            measured with other settings.
    """
    names, clock = policies_here(ARMS), Clock()
    measured = [*names, *locators(), f"{UNTRAINED}/seed0", f"{GUESS}/seed0"]
    kept = rows_to_keep("eyes-at-work", measured, PARAMETERS, listed="eyes")
    rows = [*measure(names, progress=progress), *kept]
    order = (*(folder(effective(arm)).parent.name for arm in LOCATED), *ARMS, UNTRAINED, GUESS)
    return write_measurement(
        "eyes-at-work",
        {"eyes": in_order(rows, order)},
        parameters=PARAMETERS,
        gl=gl_renderer(),
        clock=clock,
    )
