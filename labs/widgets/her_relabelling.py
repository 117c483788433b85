"""HER relabeling: one real Push episode from above, and what a substituted goal makes of it.

The episode is simulated when the widget is made (:func:`scripted_push`); the page carries its
positions in centimeters and the rewards that ``compute_reward`` gave. Nothing is computed from the
rounded positions but the drawing and the distances shown.

Hindsight experience replay: Andrychowicz et al. 2017 (arXiv 1707.01495).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure

from labs.envs import make_env
from labs.figures.style import OKABE_ITO, use_style
from labs.tasks import DISTANCE_THRESHOLD, EPISODE_STEPS
from labs.widgets.base import BookWidget, figure_uri

PUSH_HEIGHT = 0.425  # meters: fingertips at the height of the block
TRAVEL_HEIGHT = 0.55  # meters: clear of the block
RUN_UP = 0.09  # meters behind the block from which a push starts


def scripted_push(seed: int = 0) -> dict[str, np.ndarray]:
    """Plays one Push episode with a clumsy script: get behind the block, go down, push.

    The script reads the block's position from the simulator, and it often fails: the time is up
    before the block arrives, or the block slides past the goal. Hindsight can use such failures.

    Args:
        seed: of the reset.

    Returns:
        ``block`` and ``gripper`` float (51, 3), meters, before the first and after each step;
        ``goal`` float (3,); ``rewards`` float (50,) as the environment gave them; ``hindsight``
        float (50, 50): row t, column t' is the reward of step t had the goal been the block's
        place after step t'.
    """
    env = make_env("push", render_mode=None)
    try:
        observation, _ = env.reset(seed=seed)
        block, gripper, rewards = [], [], []
        phase = "approach"
        for _ in range(EPISODE_STEPS):
            block.append(observation["achieved_goal"])
            gripper.append(observation["observation"][:3])
            target, phase = _next_waypoint(
                block[-1], observation["desired_goal"], gripper[-1], phase
            )
            action = np.zeros(4, np.float32)
            action[:3] = np.clip(10 * (target - gripper[-1]), -1, 1)
            observation, reward, *_ = env.step(action)
            rewards.append(reward)
        block.append(observation["achieved_goal"])
        gripper.append(observation["observation"][:3])
        reached = np.array(block[1:])
        hindsight = [
            env.unwrapped.compute_reward(reached, np.tile(g, (50, 1)), {}) for g in reached
        ]
    finally:
        env.close()
    return {
        "block": np.array(block),
        "gripper": np.array(gripper),
        "goal": observation["desired_goal"].copy(),
        "rewards": np.array(rewards),
        "hindsight": np.stack(hindsight, axis=1),
    }


def _next_waypoint(
    block: np.ndarray, goal: np.ndarray, gripper: np.ndarray, phase: str
) -> tuple[np.ndarray, str]:
    """Where the gripper should go now, and the phase it is in then."""
    way = (goal - block)[:2]
    way = way / max(np.linalg.norm(way), 1e-6)
    behind = block[:2] - RUN_UP * way
    if phase == "approach" and np.linalg.norm(gripper[:2] - behind) < 0.015:
        phase = "descend"
    if phase == "descend" and abs(gripper[2] - PUSH_HEIGHT) < 0.012:
        phase = "push"
    if phase == "approach":
        return np.append(behind, TRAVEL_HEIGHT), phase
    if phase == "descend":
        return np.append(behind, PUSH_HEIGHT), phase
    return np.append(block[:2] - 0.02 * way, PUSH_HEIGHT), phase


class HerRelabelling(BookWidget):
    """Scrubs a real episode and swaps the goal of step t for a place that the block reached later.

    Attributes:
        episode: ``block`` and ``gripper`` as 51 [x, y] in cm, ``goal`` [x, y] in cm, ``rewards``
            (50) and ``hindsight`` (50 rows of 50), see :func:`scripted_push`; ``radius`` in cm.
        t: the step whose reward is shown, 0 to 49.
        future: t', the step after which the block's place becomes the goal; t ≤ t' ≤ 49.

    Raises:
        ValueError: t or t' outside the episode, or t' before t.
    """

    episode = traitlets.Dict().tag(sync=True)
    t = traitlets.Int(26).tag(sync=True)
    future = traitlets.Int(30).tag(sync=True)

    def __init__(self, **state: Any):
        super().__init__(**state)
        steps = len(self.episode.get("rewards", ()))
        if not 0 <= self.t <= self.future < steps:
            raise ValueError(
                f"received t {self.t} and future {self.future}, "
                f"expected 0 ≤ t ≤ future < {steps}, the steps of the episode"
            )

    @classmethod
    def from_env(cls, seed: int = 0, **state: Any) -> HerRelabelling:
        """The widget of a fresh scripted episode: a tenth of a second on a CPU.

        Args:
            seed: of the reset.
            state: traits to start from, such as ``t=10``.
        """
        played = scripted_push(seed)

        def centimeters(positions: np.ndarray) -> list:
            return np.round(100 * positions[..., :2], 1).tolist()

        episode = {key: centimeters(played[key]) for key in ("block", "gripper", "goal")}
        episode |= {key: played[key].astype(int).tolist() for key in ("rewards", "hindsight")}
        return cls(episode=episode | {"radius": 100 * DISTANCE_THRESHOLD}, **state)

    def still(self) -> tuple[str, str]:
        """The episode from above, with both goals."""
        use_style()
        episode, t, future = self.episode, self.t, self.future
        figure = Figure(figsize=(6.4, 4.4))
        axes = figure.subplots()
        block, gripper = np.array(episode["block"]), np.array(episode["gripper"])
        axes.plot(*gripper.T, ":", color="0.5", label="gripper")
        axes.plot(*block.T, color=OKABE_ITO["blue"], label="block")
        axes.plot(*block[t + 1], "s", color=OKABE_ITO["blue"], ms=11)
        goals = {
            "original goal": (episode["goal"], "vermillion", episode["rewards"][t]),
            f"substituted goal, t' = {future}": (
                episode["block"][future + 1],
                "green",
                episode["hindsight"][t][future],
            ),
        }
        words = []
        for name, (goal, color, reward) in goals.items():
            axes.plot(*goal, "x", color=OKABE_ITO[color], ms=9, mew=2)
            angle = np.linspace(0, 2 * np.pi, 80)
            circle = np.array(goal)[:, None] + episode["radius"] * np.array(
                [np.cos(angle), np.sin(angle)]
            )
            label = f"{name}: reward {reward}".replace("-", "−")
            axes.plot(*circle, color=OKABE_ITO[color], label=label)
            words.append(label)
        axes.set(xlabel="x (cm)", ylabel="y (cm)", aspect="equal", title=f"Push, step t = {t}")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return figure_uri(figure), (
            f"A Push episode from above at step t = {t}: the gripper's path, the block's path, and "
            f"circles of {episode['radius']:g} cm around two goals. {'. '.join(words)}."
        )
