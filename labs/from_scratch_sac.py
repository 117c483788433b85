"""Soft actor-critic on pixels from scratch, short enough to read in one sitting.

The agent of Haarnoja et al. 2018 (arXiv 1801.01290) with a learned temperature (arXiv 1812.05905),
on FetchReachDense-v4 seen through its camera. It knows the picture and the desired goal; where its
gripper is, it has to see.

* :class:`Settings`: every number in one place.
* :class:`Agent`: the networks and their optimizers.
* :func:`update`: one gradient step of critic, actor and temperature.
* :func:`demo`: the training loop behind ``python -m labs.visual_encoder --demo``.

Actor and critic share one encoder, and only the critic's loss trains it; why that is so is the
subject of :mod:`labs.drqv2_sac_policy`.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from labs.artifacts import refuse_unwritable, runs_root
from labs.errors import UserError
from labs.pixel_wrapper import PixelObservationWrapper, PixelReplayBuffer
from labs.visual_encoder import (
    VisualGaussianPolicy,
    VisualGoalEncoder,
    VisualTwinQNetwork,
    sample_squashed_gaussian,
)


@dataclass(frozen=True)
class Settings:
    """The numbers of a run.

    Attributes:
        steps: environment steps.
        random_steps: steps with uniform actions before the first update.
        batch_size: transitions in an update; one update a step.
        gamma: discount.
        tau: share of the online critic that enters the target critic at each update.
        learning_rate: of all three Adam optimizers.
        init_alpha: temperature at the start; small, as a step's reward is about −0.2.
        frame_stack: frames in one observation.
        image_size: (height, width) in pixels.
        seed: of the environment, the networks, the noise and the buffer.
    """

    steps: int = 12_000
    random_steps: int = 300
    batch_size: int = 64
    gamma: float = 0.95
    tau: float = 0.01
    learning_rate: float = 5e-4
    init_alpha: float = 0.02
    frame_stack: int = 1
    image_size: tuple[int, int] = (84, 84)
    seed: int = 0


class Agent:
    """Actor, twin critic, its target, and the temperature.

    Args:
        settings: the numbers.
        goal_dim: numbers in a goal.
        action_dim: numbers in an action.
    """

    def __init__(self, settings: Settings, goal_dim: int = 3, action_dim: int = 4):
        self.settings = settings
        channels = 3 * settings.frame_stack
        encoder = VisualGoalEncoder(channels, goal_dim, image_size=settings.image_size)
        self.actor = VisualGaussianPolicy(encoder, action_dim)
        self.critic = VisualTwinQNetwork(encoder, action_dim)
        self.target = copy.deepcopy(self.critic).requires_grad_(False)
        self.log_alpha = nn.Parameter(torch.tensor(settings.init_alpha).log())
        self.target_entropy = -float(action_dim)

        rate = settings.learning_rate
        # The actor's optimizer holds its head alone: the encoder belongs to the critic.
        self.actor_optimizer = torch.optim.Adam(self.actor.head.parameters(), rate)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), rate)
        self.alpha_optimizer = torch.optim.Adam([self.log_alpha], rate)

    @property
    def alpha(self) -> Tensor:
        """The temperature: the price of a nat of entropy in units of reward."""
        return self.log_alpha.detach().exp()


# ------------------------------------------------------------------------------ the three losses


def soft_value(q1: Tensor, q2: Tensor, log_prob: Tensor, alpha: Tensor) -> Tensor:
    """V = min(Q₁, Q₂) − α log π: the more pessimistic critic, plus the entropy. All (B, 1)."""
    return torch.min(q1, q2) - alpha * log_prob


def bellman_target(reward: Tensor, done: Tensor, next_value: Tensor, gamma: float) -> Tensor:
    """y = r + γ (1 − done) V(s'). ``done`` means terminated, never a time limit. All (B, 1)."""
    return reward + gamma * (1 - done) * next_value


def critic_loss(agent: Agent, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Squared TD error of both critics. Its gradient reaches the encoder.

    Returns:
        The loss, and the features (B, n) of the current images for the actor to reuse.
    """
    goal = batch["desired_goal"]  # the goal stays the same through an episode
    with torch.no_grad():
        next_action, log_prob = agent.actor(batch["next_pixels"], goal)
        next_q = agent.target(batch["next_pixels"], goal, next_action)
        next_value = soft_value(*next_q, log_prob, agent.alpha)
        target = bellman_target(batch["rewards"], batch["dones"], next_value, agent.settings.gamma)
    features = agent.critic.encoder(batch["pixels"], goal)
    q1, q2 = agent.critic.values(features, batch["actions"])
    return F.mse_loss(q1, target) + F.mse_loss(q2, target), features


def actor_loss(agent: Agent, features: Tensor) -> tuple[Tensor, Tensor]:
    """α log π − min Q for fresh actions, on detached features: the encoder does not notice.

    Returns:
        The loss, and the log-probabilities (B, 1).
    """
    features = features.detach()
    action, log_prob = sample_squashed_gaussian(*agent.actor.gaussian(features))
    q1, q2 = agent.critic.values(features, action)
    return -soft_value(q1, q2, log_prob, agent.alpha).mean(), log_prob


def alpha_loss(agent: Agent, log_prob: Tensor) -> Tensor:
    """Raises the temperature where the entropy is below its target, and lowers it above."""
    return -(agent.log_alpha * (log_prob.detach() + agent.target_entropy)).mean()


# ------------------------------------------------------------------------------------ the update


def gradient_step(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Clears the old gradients, computes the new ones, steps."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


@torch.no_grad()
def move_target(agent: Agent) -> None:
    """Polyak averaging: the target critic, its encoder included, follows slowly."""
    pairs = zip(agent.target.parameters(), agent.critic.parameters(), strict=True)
    for target, online in pairs:
        target.lerp_(online, agent.settings.tau)


def update(agent: Agent, batch: dict[str, Tensor]) -> dict[str, float]:
    """One step of each optimizer and of the target.

    Args:
        agent: changed in place.
        batch: what ``PixelReplayBuffer.sample`` gives.

    Returns:
        ``critic_loss``, ``actor_loss``, ``alpha``, ``entropy`` (nats).
    """
    loss_q, features = critic_loss(agent, batch)
    gradient_step(loss_q, agent.critic_optimizer)
    # This also leaves gradients on the critic's heads; the next critic step clears them.
    loss_pi, log_prob = actor_loss(agent, features)
    gradient_step(loss_pi, agent.actor_optimizer)
    gradient_step(alpha_loss(agent, log_prob), agent.alpha_optimizer)
    move_target(agent)
    return {
        "critic_loss": loss_q.item(),
        "actor_loss": loss_pi.item(),
        "alpha": agent.alpha.item(),
        "entropy": -log_prob.mean().item(),
    }


# --------------------------------------------------------------------------------------- the run


@dataclass
class History:
    """What a run showed.

    Attributes:
        update_steps: environment step of each update.
        losses: name → one number for each update.
        episode_steps: environment step at which each episode ended.
        returns: undiscounted return of each episode.
        successes: whether the gripper was within 5 cm of the goal when the episode ended.
        seconds: wall time.
    """

    update_steps: list[int] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=dict)
    episode_steps: list[int] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    successes: list[bool] = field(default_factory=list)
    seconds: float = 0.0

    def add_update(self, step: int, losses: dict[str, float]) -> None:
        self.update_steps.append(step)
        for name, value in losses.items():
            self.losses.setdefault(name, []).append(value)

    def line(self, last: int = 10) -> str:
        """The means of the last episodes and updates, in one line."""
        parts = [f"return {np.mean(self.returns[-last:]):6.2f}"]
        parts.append(f"success {np.mean(self.successes[-last:]):4.0%}")
        names = ("critic_loss", "actor_loss", "alpha") if self.update_steps else ()
        for name in names:
            parts.append(f"{name} {np.mean(self.losses[name][-50 * last :]):8.4f}")
        return "  ".join(parts)


def make_reach(settings: Settings) -> gym.Env:
    """FetchReachDense-v4 as the demo sees it: close camera, lean scene, no goal sphere.

    The wrapper runs with both goals; the agent takes the desired one only.
    """
    from labs.envs import make_env  # here: mujoco complains of OpenGL when it is imported

    env = make_env(
        "reach",
        camera="workspace",
        scene="lean",
        image_size=settings.image_size,
        goal_sphere=False,  # the goal comes as three numbers
    )
    return PixelObservationWrapper(
        env, settings.image_size, goal_mode="both", frame_stack=settings.frame_stack
    )


def choose_action(agent: Agent, obs: dict[str, np.ndarray]) -> np.ndarray:
    """Draws an action (4,) for one observation."""
    pixels = torch.from_numpy(obs["pixels"]).unsqueeze(0).float() / 255
    goal = torch.as_tensor(obs["desired_goal"], dtype=torch.float32).unsqueeze(0)
    return agent.actor.act(pixels, goal).squeeze(0).numpy()


def train(env: gym.Env, agent: Agent, buffer: PixelReplayBuffer) -> Iterator[tuple[int, History]]:
    """Acts, stores, updates; yields (step, history) after every environment step.

    Args:
        env: gives ``pixels``, ``achieved_goal`` and ``desired_goal``.
        agent: changed in place.
        buffer: filled in place.
    """
    settings, history, start = agent.settings, History(), time.perf_counter()
    env.action_space.seed(settings.seed + 1)  # with the reset's, the first action is the first goal
    obs, _ = env.reset(seed=settings.seed)
    total = 0.0
    for step in range(1, settings.steps + 1):
        explore = step <= settings.random_steps
        action = env.action_space.sample() if explore else choose_action(agent, obs)
        after, reward, terminated, truncated, info = env.step(action)
        buffer.add(
            obs["pixels"],
            after["pixels"],
            after["achieved_goal"],
            obs["desired_goal"],
            action,
            reward,
            terminated,  # a time limit ends the episode, not the value
        )
        obs, total = after, total + float(reward)
        if terminated or truncated:
            history.episode_steps.append(step)
            history.returns.append(total)
            history.successes.append(bool(info["is_success"]))
            obs, _ = env.reset()
            total = 0.0
        if not explore:
            losses = update(agent, buffer.sample(settings.batch_size))
            history.add_update(step, losses)
        history.seconds = time.perf_counter() - start
        yield step, history


def estimate_seconds(env: gym.Env, settings: Settings) -> float:
    """Times a few steps and updates of a throwaway agent: what will the whole run cost?"""
    trial = replace(settings, steps=25, random_steps=20)
    buffer = PixelReplayBuffer(env.observation_space["pixels"].shape, 3, 4, trial.steps)
    clock = [history.seconds for _, history in train(env, Agent(trial), buffer)]
    acting = (clock[19] - clock[0]) / 19
    learning = (clock[24] - clock[20]) / 4  # the first update is slow and does not count
    random_steps = min(settings.random_steps, settings.steps)
    return random_steps * acting + (settings.steps - random_steps) * learning


def demo(
    steps: int | None = None,
    path: str | Path | None = None,
    settings: Settings | None = None,
) -> History:
    """Trains SAC on the pixels of FetchReachDense-v4 and draws its losses and returns.

    Args:
        steps: environment steps; None takes those of ``settings``, about 10 minutes on a CPU.
        path: where the picture goes; None: among the unfinished runs.
        settings: other numbers than the defaults.

    Returns:
        What the run showed.

    Raises:
        UserError: fewer steps than one episode, or a picture that cannot be written.
    """
    if path is None:
        path = runs_root() / "visual_encoder_demo.png"
        refuse_unwritable(path.parent, "PIXELS_RUNS")  # it is drawn last
    settings = settings or Settings()
    if steps is not None:
        settings = replace(settings, steps=steps)
    if settings.steps < 50:
        raise UserError(f"{settings.steps} steps are less than one episode: take at least 50")
    torch.manual_seed(settings.seed)
    env = make_reach(settings)
    try:
        seconds = estimate_seconds(env, settings)
        print(
            f"{settings.steps} steps: about {seconds / 60:.1f} minutes on this machine", flush=True
        )
        torch.manual_seed(settings.seed)
        agent = Agent(settings)
        shape = env.observation_space["pixels"].shape
        buffer = PixelReplayBuffer(shape, 3, 4, settings.steps, seed=settings.seed)
        history = History()
        every = max(settings.steps // 20 // 50 * 50, 50)  # about twenty lines, at episode ends
        steps_taken = train(env, agent, buffer)
        for step, history in tqdm(steps_taken, total=settings.steps, unit="step", mininterval=1):
            if step % every == 0:
                tqdm.write(f"step {step:6d}  {history.line()}")
    finally:
        env.close()
    from labs.figures.encoders import draw_demo

    print(f"{history.seconds / 60:.1f} minutes; {draw_demo(history, path)}")
    return history


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("from_scratch_sac", title="From-scratch SAC"))
