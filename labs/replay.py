"""Replay memory that stores every camera frame once and relabels goals in batch.

A stock buffer keeps two stacks of four frames per transition, 169,344 bytes at 84 × 84, although
the next transition's stacks repeat seven of the eight frames. Fetch episodes have a fixed length
of T steps and never end early, so an episode *is* a block of T + 1 frames: a stack is a gather of
frames max(t - k, 0) .. t, the next stack is shifted by one, and a hindsight goal is an index into
the same block. One transition then costs 21,168 × 51/50 bytes of pictures.

* :class:`EpisodeReplay`: the memory, with the interface of SB3's buffers (``add``, ``sample``),
  on the CPU or in the accelerator's memory.
* :class:`labs.episode_store.EpisodeStore`: its half that holds the episodes and saves them.
* :func:`goal_reward`: the Fetch reward for a batch of goals (``labs.goal_tasks``).
* :func:`replay_bytes`: what a buffer will cost, before it is made.

Hindsight relabeling follows Andrychowicz et al. 2017 (arXiv 1707.01495) in the form of SB3's
``HerReplayBuffer``: a share 1 - 1/(k + 1) of each batch gets a goal that was achieved later in the
same episode, the current step's outcome included.

With n steps a transition reaches n steps ahead: its reward is the discounted sum on the way, known
for every goal, and the critic is asked for the value of what comes after them (Watkins 1989;
Yarats et al. 2021, arXiv 2107.09645, for pixels). What it does not yet know then weighs
γⁿ instead of γ. The actions on the way are those of an older policy, which is not corrected for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.type_aliases import DictReplayBufferSamples

from labs.episode_store import EpisodeStore
from labs.goal_tasks import (
    FRAME_CHANNELS,
    REWARD_TYPES,
    episode_options,
    goal_reward,
    replay_bytes,
)
from labs.tasks import DISTANCE_THRESHOLD

__all__ = ["EpisodeReplay", "episode_options", "goal_reward", "replay_bytes"]

STRATEGIES = ("future", "final", "episode")

RewardFn = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class EpisodeReplay(EpisodeStore):
    """Episodes of one fixed length, each frame stored once, goals relabeled when sampled.

    Only finished episodes are sampled: an episode is staged while it runs and copied into its slot
    as a whole, over the oldest one. Every transition's ``done`` is 0, since the time limit of a
    fixed-length task is not a state of the world and its value must be bootstrapped.

    Args:
        buffer_size: capacity in transitions; rounded down to whole episodes.
        observation_space: ``spaces.Dict``; images are channels-first uint8 stacks of RGB frames
            (3·n, H, W), the newest frame last; everything else is a vector.
        action_space: ``spaces.Box``; actions are stored as SB3 passes them, in [-1, 1].
        device: where the memory lives and where batches are made.
        n_envs: environments that feed it in parallel.
        optimize_memory_usage: accepted for SB3's sake; this memory has nothing left to save.
        episode_length: steps T of every episode.
        n_sampled_goal: HER's k; the share 1 - 1/(k + 1) of a batch is relabeled. 0: no HER.
        goal_selection_strategy: ``"future"``, ``"final"`` or ``"episode"``.
        reward_type: ``"sparse"`` or ``"dense"``; with ``distance_threshold`` it defines the reward.
        distance_threshold: meters.
        reward_fn: replaces both: (achieved (B, G), desired (B, G)) → (B,), on ``device``.
        moved_only: relabel only in episodes whose achieved goal moved more than ``min_motion``
            (all episodes while there is none). A goal at which the object already lies teaches
            nothing about pushing. It chooses the transitions that HER draws; their further goals
            (``goals_per_frame``) are HER's share of every one of them.
        min_motion: meters.
        n_steps: steps that a transition reaches ahead, fewer at an episode's end.
        gamma: discount on the way; of use with more than one step.
        goals_per_frame: goals M for each drawn transition. Its frames come once, its vectors and
            everything else M times: what sees the frames is computed once for all M goals.
        seed: of the sampler's own generator.

    Raises:
        ValueError: a space or an option that it cannot serve; an episode of another length, or
            with rewards that are not those by which it relabels.
        UserError: the memory would not fit into this machine.
    """

    observation_space: spaces.Dict

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Dict,
        action_space: spaces.Space,
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        *,
        episode_length: int = 50,
        n_sampled_goal: int = 4,
        goal_selection_strategy: str = "future",
        reward_type: str = "sparse",
        distance_threshold: float = DISTANCE_THRESHOLD,
        reward_fn: RewardFn | None = None,
        moved_only: bool = False,
        min_motion: float = 0.005,
        goals_per_frame: int = 1,
        n_steps: int = 1,
        gamma: float = 0.99,
        seed: int | None = None,
    ):
        super().__init__(
            buffer_size,
            observation_space,
            action_space,
            device,
            n_envs,
            episode_length=episode_length,
            n_sampled_goal=n_sampled_goal,
            seed=seed,
        )
        if goal_selection_strategy not in STRATEGIES:
            raise ValueError(
                f"received goal_selection_strategy {goal_selection_strategy!r}; "
                f"expected one of {', '.join(STRATEGIES)}"
            )
        if reward_type not in REWARD_TYPES:
            raise ValueError(
                f"received reward_type {reward_type!r}; expected one of {', '.join(REWARD_TYPES)}"
            )
        if moved_only and not n_sampled_goal:
            raise ValueError("received moved_only=True without HER; expected n_sampled_goal > 0")
        if goals_per_frame < 1 or (goals_per_frame > 1 and not n_sampled_goal):
            raise ValueError(
                f"received goals_per_frame {goals_per_frame} with n_sampled_goal {n_sampled_goal}; "
                "expected at least 1, and HER for more than 1"
            )
        if not 1 <= n_steps <= episode_length:
            raise ValueError(f"received n_steps {n_steps}; expected 1 to {episode_length}")
        count = torch.zeros((), dtype=torch.int64, device=self.device)
        self._stored, self._moved_count = count, count.clone()
        self._moved_slots = count.repeat(self.n_episodes)
        self._fresh = False
        self.her_ratio = 1 - 1 / (n_sampled_goal + 1)
        self.strategy = goal_selection_strategy
        self.moved_only, self.min_motion = moved_only, min_motion
        self.goals_per_frame = goals_per_frame
        self.n_steps, self.gamma = n_steps, gamma
        self._told_rewards = reward_fn is not None
        self.reward_type, self.distance_threshold = reward_type, distance_threshold
        self.reward_fn = reward_fn or (
            lambda achieved, desired: goal_reward(
                achieved, desired, threshold=distance_threshold, reward_type=reward_type
            )
        )

    def _finish(self, i: int, info: dict) -> None:
        if self.n_sampled_goal and not self._told_rewards:
            self._refuse_other_rewards(i)
        super()._finish(i, info)

    def _refuse_other_rewards(self, i: int) -> None:
        """Raises ValueError where a finished episode was paid otherwise than its goals pay.

        A wrapper may have changed what the task pays, and hindsight would undo that unseen.
        """
        steps = int(self._step[i])
        given = torch.from_numpy(self._staged["rewards"][i, :steps])
        achieved = torch.from_numpy(self._staged["achieved_goal"][i, 1 : steps + 1])
        desired = torch.from_numpy(self._staged["desired_goal"][i])
        alike = torch.zeros(steps, dtype=torch.bool)
        for rounding in (-1e-6, 1e-6):  # meters: an observation may be less precise than a goal
            threshold = self.distance_threshold + rounding
            paid = goal_reward(achieved, desired, threshold=threshold, reward_type=self.reward_type)
            alike |= torch.isclose(given, paid, atol=1e-5)
        if not alike.all():
            raise ValueError(
                f"received rewards that the goals do not pay ({given[~alike][0]:g} instead of "
                f"{paid[~alike][0]:g}); expected an environment without a wrapper that changes "
                "them, or a reward_fn"
            )

    def _forget_choices(self) -> None:
        self._fresh = False

    def refresh(self) -> bool:
        """Brings what is drawn from up to date, after which a draw asks the host for nothing.

        The numbers of stored and of moved episodes lie on the device, in the same place forever:
        so a recorded draw (:mod:`labs.fast_graph`) follows the growing memory.

        Returns:
            whether there are moved episodes to keep to.
        """
        if not self._fresh:  # since the last episode came
            self._stored.fill_(self.stored_episodes)
            self._any_moved = False
            if self.moved_only:
                moved = self.moved_episodes()
                self._moved_slots[: len(moved)] = moved
                self._moved_count.fill_(len(moved))
                self._any_moved = len(moved) > 0
            self._fresh = True
        return self._any_moved

    # ---------------------------------------------------------------------------------- sample

    def _integers(self, high: torch.Tensor | int, n: int) -> torch.Tensor:
        """Uniform int64 in [0, high), element by element, from the sampler's own generator."""
        uniform = torch.rand(n, generator=self.generator, device=self.device, dtype=torch.float64)
        return (uniform * high).long()

    def moved_episodes(self) -> torch.Tensor:
        """Slots of the stored episodes whose achieved goal moved more than ``min_motion``."""
        achieved = self.memory["achieved_goal"][: self.stored_episodes, 1:]
        motion = torch.linalg.vector_norm(achieved - achieved[:, :1], dim=-1).amax(dim=1)
        return torch.nonzero(motion > self.min_motion)[:, 0]

    def draw(self, batch_size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Chooses transitions and hindsight steps.

        Nothing waits for the device, but where ``moved_only`` counts the moved episodes anew.

        Returns:
            episode (B,), step (B,) in [0, T), goal step (B,): index into the achieved goals
            0 .. T of the same episode, or -1 where the original goal stays. Real first, as in SB3.

        Raises:
            RuntimeError: no episode is finished yet.
        """
        if not self.stored_episodes:
            raise RuntimeError(
                "the replay memory holds no finished episode: raise learning_starts above "
                f"{self.episode_length * self.n_envs} steps"
            )
        virtual = int(self.her_ratio * batch_size)
        real = batch_size - virtual
        keeps_to_moved = self.refresh()
        episode = self._integers(self._stored, batch_size)
        step = self._integers(self.episode_length, batch_size)
        goal = torch.full_like(step, -1)
        if virtual:
            if keeps_to_moved:
                episode[real:] = self._moved_slots[self._integers(self._moved_count, virtual)]
            goal[real:] = self._hindsight(step[real:])
        return episode, step, goal

    def _hindsight(self, step: torch.Tensor) -> torch.Tensor:
        """Indices into the achieved goals of the same episode, by the strategy."""
        if self.strategy == "future":
            later = step + self._integers(self.episode_length - step, len(step))
        elif self.strategy == "final":
            later = torch.full_like(step, self.episode_length - 1)
        else:
            later = self._integers(self.episode_length, len(step))
        return later + 1  # what the chosen step achieved

    def goals_of(self, episode: torch.Tensor, goal: torch.Tensor) -> torch.Tensor | None:
        """The goals that :meth:`draw` chose, float64 (B, G) in meters; None where none is seen."""
        if "desired_goal" not in self.memory:
            return None
        desired = self.memory["desired_goal"].index_select(0, episode)
        if not self.n_sampled_goal:
            return desired
        row = episode * (self.episode_length + 1) + goal.clamp_min(0)
        hindsight = self.memory["achieved_goal"].flatten(0, 1).index_select(0, row)
        return torch.where((goal >= 0)[:, None], hindsight, desired)

    def more_goals(self, episode: torch.Tensor, step: torch.Tensor, goal: torch.Tensor):
        """The goals that :meth:`draw` chose, and further ones for the same transitions.

        A further goal is, with HER's share, one that was achieved in its own episode, by the
        strategy, moved or not, and otherwise the desired goal of any episode. The reward of a
        transition is known for every goal, so all may be learned from (Kaelbling 1993; Matthews et
        al. 2026, arXiv 2605.23551).

        Returns:
            float64 (B · M, G); the goals of a transition lie side by side, the first is the one
            that :meth:`draw` chose.
        """
        more = self.goals_per_frame - 1
        own, now = episode.repeat_interleave(more), step.repeat_interleave(more)
        chance = torch.rand(len(now), generator=self.generator, device=self.device)
        relabel = chance < self.her_ratio
        source = torch.where(relabel, own, self._integers(self._stored, len(now)))
        further = self.goals_of(source, torch.where(relabel, self._hindsight(now), -1))
        first = self.goals_of(episode, goal)
        both = torch.cat([first[:, None], further.view(len(first), more, -1)], dim=1)
        return both.flatten(0, 1)

    def sample(self, batch_size: int, env: object = None) -> DictReplayBufferSamples:
        """Draws a batch: uniformly over the transitions of finished episodes.

        Args:
            batch_size: B.
            env: a ``VecNormalize``; not served, since frames are stored raw.

        Returns:
            SB3's ``DictReplayBufferSamples`` on ``device``: images uint8 (B, 3·n, H, W), vectors
            and goals float32, ``actions`` float32 (B, A), ``rewards`` and ``dones`` float32 (B, 1).
            With M goals per frame everything but the images has B · M rows.
            One step apart ``observations`` and ``next_observations`` share the memory of their
            common frames. Further apart ``rewards`` are the sums on the way, ``next_observations``
            what lies at its end, and ``discounts`` (B, 1) what a value there counts; else None.

        Raises:
            ValueError: a ``VecNormalize``.
            RuntimeError: no episode is finished yet.
        """
        if env is not None:
            raise ValueError("received a VecNormalize; expected None (normalize in the network)")
        episode, step, goal = self.draw(batch_size)
        if self.goals_per_frame == 1:
            return self.gather(episode, step, goal)
        return self._batch(episode, step, self.more_goals(episode, step, goal))

    def _get_samples(self, batch_inds: np.ndarray, env: object = None) -> DictReplayBufferSamples:
        """SB3's hook: the stored transitions of these numbers, with their original goals."""
        index = torch.as_tensor(batch_inds, dtype=torch.int64, device=self.device)
        episode, step = index // self.episode_length, index % self.episode_length
        return self.gather(episode, step, torch.full_like(step, -1))

    def gather(
        self, episode: torch.Tensor, step: torch.Tensor, goal: torch.Tensor
    ) -> DictReplayBufferSamples:
        """The transitions (episode, step) with the goals that :meth:`draw` chose."""
        return self._batch(episode, step, self.goals_of(episode, goal))

    def _batch(
        self, episode: torch.Tensor, step: torch.Tensor, desired: torch.Tensor | None
    ) -> DictReplayBufferSamples:
        """The transitions (B,) and their goals (B · M, G), with the rewards that follow."""
        now: dict[str, torch.Tensor] = {}
        after: dict[str, torch.Tensor] = {}
        for key in self.image_keys:
            now[key], after[key] = self._stacks(key, episode, step, self._end(step))
        if desired is not None and len(desired) > len(step):
            many = len(desired) // len(step)
            episode, step = episode.repeat_interleave(many), step.repeat_interleave(many)
        end = self._end(step)
        start = episode * (self.episode_length + 1)
        for key in self.observation_space.spaces:
            if key not in self.image_keys and key != "desired_goal":
                table = self.memory[key].flatten(0, 1)
                now[key] = table.index_select(0, start + step).float()
                after[key] = table.index_select(0, start + end).float()
        if desired is not None:
            now["desired_goal"] = after["desired_goal"] = desired.float()
        rewards = self._reward(episode, step, desired)
        for ahead in range(1, self.n_steps):
            later = self._reward(
                episode, (step + ahead).clamp_max(self.episode_length - 1), desired
            )
            rewards = rewards + self.gamma**ahead * later * (step + ahead < end)
        return DictReplayBufferSamples(
            observations=now,
            actions=self.memory["actions"][episode, step],
            next_observations=after,
            dones=torch.zeros(len(step), 1, device=self.device),
            rewards=rewards[:, None],
            discounts=None if self.n_steps == 1 else (self.gamma ** (end - step))[:, None],
        )

    def _end(self, step: torch.Tensor) -> torch.Tensor:
        """The step that a transition reaches, (B,), at most the episode's last."""
        return (step + self.n_steps).clamp_max(self.episode_length)

    def _reward(self, episode, step, desired: torch.Tensor | None) -> torch.Tensor:
        """What each step (B,) pays under the goals (B, G), or what it paid where none is seen."""
        if desired is None or not self.n_sampled_goal:
            return self.memory["rewards"][episode, step]
        row = episode * (self.episode_length + 1) + step + 1
        achieved = self.memory["achieved_goal"].flatten(0, 1).index_select(0, row)
        return self.reward_fn(achieved, desired).float()

    def _stacks(self, key: str, episode, step, end) -> tuple[torch.Tensor, torch.Tensor]:
        """The frames at ``step`` and at ``end``.

        One step apart, n + 1 frames are gathered once: the two stacks are two views of them.
        """
        n = self.stacks[key]
        if self.n_steps > 1:
            return self._frames(key, episode, step, n), self._frames(key, episode, end, n)
        both = self._frames(key, episode, end, n + 1)
        return both[:, : n * FRAME_CHANNELS], both[:, FRAME_CHANNELS:]

    def _frames(self, key: str, episode, last, n: int) -> torch.Tensor:
        """The n frames up to ``last``, (B, 3·n, H, W); the first one fills what lies before it."""
        frames = self.memory[key]
        offsets = torch.arange(-n + 1, 1, device=self.device)
        index = (last[:, None] + offsets).clamp_min(0) + (episode * frames.shape[1])[:, None]
        found = frames.flatten(0, 1).index_select(0, index.flatten())
        return found.view(len(last), n * FRAME_CHANNELS, *frames.shape[-2:])


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("replay", title="Replay memory"))
