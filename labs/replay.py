"""Replay memory that stores every camera frame once and relabels goals in batch.

A stock buffer keeps two stacks of four frames per transition, 169,344 bytes at 84 × 84, although
the next transition's stacks repeat seven of the eight frames. Fetch episodes have a fixed length
of T steps and never end early, so an episode *is* a block of T + 1 frames: a stack is a gather of
frames max(t - k, 0) .. t, the next stack is shifted by one, and a hindsight goal is an index into
the same block. One transition then costs 21,168 × 51/50 bytes of pictures.

* :class:`EpisodeReplay`: the memory, with the interface of SB3's buffers (``add``, ``sample``),
  on the CPU or in the accelerator's memory.
* :func:`goal_reward`: the Fetch reward for a batch of goals (``labs.goal_tasks``).
* :func:`replay_bytes`: what a buffer will cost, before it is made.

Hindsight relabelling follows Andrychowicz et al. 2017 (arXiv 1707.01495) in the form of SB3's
``HerReplayBuffer``: a share 1 - 1/(k + 1) of each batch gets a goal that was achieved later in the
same episode, the current step's outcome included.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from gymnasium import spaces
from safetensors import safe_open
from safetensors.torch import save_file
from stable_baselines3.common.buffers import BaseBuffer
from stable_baselines3.common.type_aliases import DictReplayBufferSamples

from labs.errors import UserError
from labs.goal_tasks import (
    FRAME_CHANNELS,
    GOAL_KEYS,
    episode_options,
    goal_reward,
    goal_size,
    replay_bytes,
    stack_sizes,
)

__all__ = ["EpisodeReplay", "episode_options", "goal_reward", "replay_bytes"]

STRATEGIES = ("future", "final", "episode")

RewardFn = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class EpisodeReplay(BaseBuffer):
    """Episodes of one fixed length, each frame stored once, goals relabelled when sampled.

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
        n_sampled_goal: HER's k; the share 1 - 1/(k + 1) of a batch is relabelled. 0: no HER.
        goal_selection_strategy: ``"future"``, ``"final"`` or ``"episode"``.
        reward_type: ``"sparse"`` or ``"dense"``; with ``distance_threshold`` it defines the reward.
        distance_threshold: metres.
        reward_fn: replaces both: (achieved (B, G), desired (B, G)) → (B,), on ``device``.
        moved_only: relabel only in episodes whose achieved goal moved more than ``min_motion``
            (all episodes while there is none). A goal at which the object already lies teaches
            nothing about pushing.
        min_motion: metres.
        seed: of the sampler's own generator.

    Raises:
        ValueError: a space or an option that it cannot serve; an episode of another length.
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
        distance_threshold: float = 0.05,
        reward_fn: RewardFn | None = None,
        moved_only: bool = False,
        min_motion: float = 0.005,
        seed: int | None = None,
    ):
        if not isinstance(observation_space, spaces.Dict):
            raise ValueError(
                f"received {type(observation_space).__name__}; expected a spaces.Dict observation"
            )
        super().__init__(buffer_size, observation_space, action_space, device, n_envs)
        if buffer_size < episode_length:
            raise ValueError(
                f"received buffer_size {buffer_size}; expected at least one episode "
                f"of {episode_length} steps"
            )
        if goal_selection_strategy not in STRATEGIES:
            raise ValueError(
                f"received goal_selection_strategy {goal_selection_strategy!r}; "
                f"expected one of {', '.join(STRATEGIES)}"
            )
        if n_sampled_goal < 0:
            raise ValueError(f"received n_sampled_goal {n_sampled_goal}; expected 0 or more")
        self.episode_length = episode_length
        if moved_only and not n_sampled_goal:
            raise ValueError("received moved_only=True without HER; expected n_sampled_goal > 0")
        self.n_sampled_goal = n_sampled_goal
        self.her_ratio = 1 - 1 / (n_sampled_goal + 1)
        self.strategy = goal_selection_strategy
        self.moved_only, self.min_motion = moved_only, min_motion
        self.reward_fn = reward_fn or (
            lambda achieved, desired: goal_reward(
                achieved, desired, threshold=distance_threshold, reward_type=reward_type
            )
        )
        self.stacks = stack_sizes(observation_space)
        self.image_keys = list(self.stacks)
        self.vector_keys = [
            key for key in observation_space.spaces if key not in (*self.image_keys, *GOAL_KEYS)
        ]
        self.goal_dim = goal_size(observation_space)
        if n_sampled_goal and "desired_goal" not in observation_space.spaces:
            raise ValueError(
                f"received n_sampled_goal {n_sampled_goal} without 'desired_goal' in the "
                "observation; expected 0: a goal that no policy sees cannot be relabelled"
            )
        self.n_episodes = max(buffer_size // episode_length, 1)
        self.buffer_size = self.n_episodes * episode_length
        self._allocate()
        self.seed(seed)

    # ------------------------------------------------------------------------------- storage

    def _allocate(self) -> None:
        need = self.bytes_when_full
        if self.device.type == "cpu" and need > (free := psutil.virtual_memory().available):
            raise UserError(
                f"replay memory of {self.buffer_size:,} transitions needs {need / 1e9:.1f} GB and "
                f"{free / 1e9:.1f} GB are free: lower the buffer size"
            )
        steps, n = self.episode_length, self.n_episodes

        def block(*shape, dtype=torch.float32):
            # Zeros come lazily from the system: pages cost memory only once they are written.
            return torch.zeros(shape, dtype=dtype, device=self.device)

        self.memory: dict[str, torch.Tensor] = {"actions": block(n, steps, self.action_dim)}
        self.memory["rewards"] = block(n, steps)
        for key in self.image_keys:
            height, width = self.observation_space[key].shape[1:]
            size = (n, steps + 1, FRAME_CHANNELS, height, width)
            self.memory[key] = block(*size, dtype=torch.uint8)
        for key in self.vector_keys:
            self.memory[key] = block(n, steps + 1, self.observation_space[key].shape[0])
        if self.goal_dim:
            # Double precision: a sparse reward must not depend on the rounding of a goal.
            self.memory["achieved_goal"] = block(n, steps + 1, self.goal_dim, dtype=torch.float64)
            self.memory["desired_goal"] = block(n, self.goal_dim, dtype=torch.float64)
        self._staged = {
            key: np.zeros(
                (self.n_envs, *value.shape[1:]),
                dtype=torch.empty(0, dtype=value.dtype).numpy().dtype,
            )
            for key, value in self.memory.items()
        }
        self._step = np.zeros(self.n_envs, dtype=np.int64)
        self._moved: torch.Tensor | None = None  # slots of the moved episodes; None: not known
        self.stored_episodes = 0

    @property
    def bytes_when_full(self) -> int:
        """Bytes of the whole memory, without the staged episodes."""
        return replay_bytes(
            self.observation_space, self.action_dim, self.buffer_size, self.episode_length
        )

    @property
    def bytes_per_transition(self) -> float:
        """Bytes per stored transition, everything included."""
        return self.bytes_when_full / self.buffer_size

    def size(self) -> int:
        """Transitions that can be sampled."""
        return self.stored_episodes * self.episode_length

    def reset(self) -> None:
        """Forgets everything."""
        super().reset()
        self.stored_episodes = 0
        self._step[:] = 0
        self._moved = None

    def seed(self, seed: int | None) -> None:
        """Seeds the sampler; None draws a seed from torch's global generator."""
        seed = int(torch.randint(2**31, (1,))) if seed is None else seed
        self.generator = torch.Generator(device=self.device).manual_seed(seed)

    # ---------------------------------------------------------------------------------- write

    def add(
        self,
        obs: dict[str, np.ndarray],
        next_obs: dict[str, np.ndarray],
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Takes one step of every environment, as SB3's collection hands it over.

        Where the observation hides the achieved goal (goal mode ``"desired"``), HER finds it in
        ``infos[i]["achieved_goal"]``: relabelling may know it, the policy does not.
        """
        for i in range(self.n_envs):
            t = int(self._step[i])
            if t >= self.episode_length:
                raise ValueError(
                    f"received an episode longer than {self.episode_length} steps; expected "
                    "episodes of exactly that length (set episode_length)"
                )
            if t == 0:
                self._stage_observation(obs, i, 0, infos[i], first=True)
            self._stage_observation(next_obs, i, t + 1, infos[i])
            self._staged["actions"][i, t] = action[i]
            self._staged["rewards"][i, t] = reward[i]
            self._step[i] = t + 1
            if done[i]:
                self._finish(i, infos[i])

    def _stage_observation(self, obs, i: int, t: int, info: dict, first: bool = False) -> None:
        for key in self.image_keys:
            self._staged[key][i, t] = obs[key][i, -FRAME_CHANNELS:]
        for key in self.vector_keys:
            self._staged[key][i, t] = obs[key][i]
        if "achieved_goal" in self.observation_space.spaces:
            self._staged["achieved_goal"][i, t] = obs["achieved_goal"][i]
        elif self.n_sampled_goal and not first:
            if "achieved_goal" not in info:
                raise ValueError(
                    "received neither observation['achieved_goal'] nor info['achieved_goal']; "
                    "expected one of them, since n_sampled_goal > 0"
                )
            self._staged["achieved_goal"][i, t] = info["achieved_goal"]
        if "desired_goal" in self.observation_space.spaces:
            goal = self._staged["desired_goal"][i]
            if first:
                goal[:] = obs["desired_goal"][i]
            elif not np.allclose(goal, obs["desired_goal"][i]):
                raise ValueError(
                    f"received desired_goal {obs['desired_goal'][i]} at step {t}; expected "
                    f"{goal} throughout the episode"
                )

    def _finish(self, i: int, info: dict) -> None:
        steps = int(self._step[i])
        if steps != self.episode_length:
            raise ValueError(
                f"received an episode of {steps} steps; expected exactly {self.episode_length} "
                "(this memory serves tasks of fixed length; use SB3's HerReplayBuffer for others)"
            )
        if info.get("TimeLimit.truncated") is False:
            raise ValueError(
                "received an episode that the task terminated; expected every episode to end by "
                "its time limit (this memory bootstraps the value of every last state)"
            )
        self._step[i] = 0
        self.add_episode({key: value[i] for key, value in self._staged.items()})

    def add_episode(self, episode: dict[str, np.ndarray | torch.Tensor]) -> None:
        """Stores one finished episode over the oldest one.

        Args:
            episode: ``actions`` (T, A), ``rewards`` (T,), every image key as single frames
                (T + 1, 3, H, W) uint8, every vector key (T + 1, D), ``achieved_goal`` (T + 1, G),
                ``desired_goal`` (G,), as far as this memory holds them.
        """
        slot = self.pos
        for key, store in self.memory.items():
            if key not in episode:
                raise ValueError(
                    f"received an episode without {key!r}; expected {list(self.memory)}"
                )
            value = torch.as_tensor(episode[key])
            if value.shape != store.shape[1:]:
                raise ValueError(
                    f"received {key!r} of shape {tuple(value.shape)}; expected "
                    f"{tuple(store.shape[1:])}"
                )
            store[slot].copy_(value)
        self._moved = None
        self.pos = (slot + 1) % self.n_episodes
        self.full = self.full or self.pos == 0
        self.stored_episodes = min(self.stored_episodes + 1, self.n_episodes)

    def restored(self, episodes: int) -> None:
        """Says that ``memory`` was filled from outside with the last of ``episodes`` episodes.

        Episode number n lies in slot n modulo ``n_episodes``, as :meth:`add_episode` puts it.
        """
        self.stored_episodes = min(episodes, self.n_episodes)
        self.full = episodes >= self.n_episodes
        self.pos = episodes % self.n_episodes
        self._step[:] = 0
        self._moved = None

    # ---------------------------------------------------------------------------------- sample

    def _integers(self, high: torch.Tensor | int, n: int) -> torch.Tensor:
        """Uniform int64 in [0, high), element by element, from the sampler's own generator."""
        uniform = torch.rand(n, generator=self.generator, device=self.device, dtype=torch.float64)
        return (uniform * high).long()

    def moved_episodes(self) -> torch.Tensor:
        """Slots of the stored episodes whose achieved goal moved more than ``min_motion``."""
        if self._moved is None:  # since the last episode came
            achieved = self.memory["achieved_goal"][: self.stored_episodes, 1:]
            motion = torch.linalg.vector_norm(achieved - achieved[:, :1], dim=-1).amax(dim=1)
            self._moved = torch.nonzero(motion > self.min_motion)[:, 0]
        return self._moved

    def draw(self, batch_size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Chooses transitions and hindsight steps; nothing waits for the device.

        Returns:
            episode (B,), step (B,) in [0, T), goal step (B,): index into the achieved goals
            0 .. T of the same episode, or -1 where the original goal stays. Real first, as in SB3.
        """
        if not self.stored_episodes:
            raise RuntimeError(
                "the replay memory holds no finished episode: raise learning_starts above "
                f"{self.episode_length * self.n_envs} steps"
            )
        virtual = int(self.her_ratio * batch_size)
        real = batch_size - virtual
        episode = self._integers(self.stored_episodes, batch_size)
        step = self._integers(self.episode_length, batch_size)
        goal = torch.full_like(step, -1)
        if virtual:
            if self.moved_only and len(moved := self.moved_episodes()):
                episode[real:] = moved[self._integers(len(moved), virtual)]
            now = step[real:]
            if self.strategy == "future":
                later = now + self._integers(self.episode_length - now, virtual)
            elif self.strategy == "final":
                later = torch.full_like(now, self.episode_length - 1)
            else:
                later = self._integers(self.episode_length, virtual)
            goal[real:] = later + 1  # what the chosen step achieved
        return episode, step, goal

    def sample(self, batch_size: int, env: object = None) -> DictReplayBufferSamples:
        """Draws a batch: uniformly over the transitions of finished episodes.

        Args:
            batch_size: B.
            env: a ``VecNormalize``; not served, since frames are stored raw.

        Returns:
            SB3's ``DictReplayBufferSamples`` on ``device``: images uint8 (B, 3·n, H, W), vectors
            and goals float32, ``actions`` float32 (B, A), ``rewards`` and ``dones`` float32 (B, 1).
            ``observations`` and ``next_observations`` share the memory of their common frames.
        """
        if env is not None:
            raise ValueError("received a VecNormalize; expected None (normalise in the network)")
        return self.gather(*self.draw(batch_size))

    def _get_samples(self, batch_inds: np.ndarray, env: object = None) -> DictReplayBufferSamples:
        """SB3's hook: the stored transitions of these numbers, with their original goals."""
        index = torch.as_tensor(batch_inds, dtype=torch.int64, device=self.device)
        episode, step = index // self.episode_length, index % self.episode_length
        return self.gather(episode, step, torch.full_like(step, -1))

    def gather(
        self, episode: torch.Tensor, step: torch.Tensor, goal: torch.Tensor
    ) -> DictReplayBufferSamples:
        """The transitions (episode, step) with the goals that :meth:`draw` chose."""
        width = self.episode_length + 1
        row = episode * width + step
        now: dict[str, torch.Tensor] = {}
        after: dict[str, torch.Tensor] = {}
        for key in self.observation_space.spaces:
            if key in self.image_keys:
                now[key], after[key] = self._stacks(key, episode, step)
            elif key != "desired_goal":
                table = self.memory[key].flatten(0, 1)
                now[key] = table.index_select(0, row).float()
                after[key] = table.index_select(0, row + 1).float()
        if "desired_goal" in self.observation_space.spaces:
            desired = self.memory["desired_goal"].index_select(0, episode)
            rewards = self.memory["rewards"][episode, step]
            if self.n_sampled_goal:
                table = self.memory["achieved_goal"].flatten(0, 1)
                hindsight = table.index_select(0, episode * width + goal.clamp_min(0))
                desired = torch.where((goal >= 0)[:, None], hindsight, desired)
                rewards = self.reward_fn(table.index_select(0, row + 1), desired).float()
            now["desired_goal"] = after["desired_goal"] = desired.float()
        else:
            rewards = self.memory["rewards"][episode, step]
        return DictReplayBufferSamples(
            observations=now,
            actions=self.memory["actions"][episode, step],
            next_observations=after,
            dones=torch.zeros(len(step), 1, device=self.device),
            rewards=rewards[:, None],
        )

    def _stacks(self, key: str, episode, step) -> tuple[torch.Tensor, torch.Tensor]:
        """Gathers n + 1 frames per transition: the stack and the next one are two views of them."""
        n = self.stacks[key]
        frames = self.memory[key]
        offsets = torch.arange(-n + 1, 2, device=self.device)
        index = (step[:, None] + offsets).clamp_min(0) + (episode * frames.shape[1])[:, None]
        both = frames.flatten(0, 1).index_select(0, index.flatten())
        both = both.view(len(step), (n + 1) * FRAME_CHANNELS, *frames.shape[-2:])
        return both[:, : n * FRAME_CHANNELS], both[:, FRAME_CHANNELS:]

    # ------------------------------------------------------------------------------ save, load

    def save(self, path: str | Path) -> Path:
        """Writes the finished episodes (safetensors, no pickle); running ones are left out."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {"pos": self.pos, "stored": self.stored_episodes}
        tensors = {k: v[: self.stored_episodes].cpu() for k, v in self.memory.items()}
        tensors["_generator"] = self.generator.get_state()
        partial = path.with_name(path.name + ".partial")
        save_file(tensors, partial, metadata={"replay": json.dumps(header)})
        partial.replace(path)
        return path

    def load(self, path: str | Path) -> None:
        """Restores what :meth:`save` wrote into a memory of the same shape.

        Raises:
            UserError: the file holds other shapes.
        """
        with safe_open(str(path), framework="pt") as file:
            header = json.loads(file.metadata()["replay"])
            stored = header["stored"]
            for key, store in self.memory.items():
                found = tuple(file.get_slice(key).get_shape()) if key in file.keys() else None
                if found is None or found[1:] != tuple(store.shape[1:]) or stored > len(store):
                    raise UserError(
                        f"{path} does not fit this replay memory ({key}: {found} instead of at "
                        f"most {tuple(store.shape)}): resume with the same configuration"
                    )
                store[:stored].copy_(file.get_tensor(key))
            self.generator.set_state(file.get_tensor("_generator"))
        self.restored(stored if stored < self.n_episodes else stored + header["pos"])


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("replay", title="Replay memory"))
