"""The episodes themselves: each frame once, staged while an episode runs, saved without pickles.

:class:`EpisodeStore` is the half of :class:`labs.replay.EpisodeReplay` that knows where things lie
and how they come in; the other half chooses what a batch holds.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from safetensors import SafetensorError, safe_open
from stable_baselines3.common.buffers import BaseBuffer

from labs.errors import UserError
from labs.goal_tasks import FRAME_CHANNELS, GOAL_KEYS, goal_size, replay_bytes, stack_sizes
from labs.pixel_replay import require_memory
from labs.tensor_files import save_tensors


def restore_generator(generator: torch.Generator, state: torch.Tensor, source: str) -> None:
    """Puts a sampler's random state back; of another kind of device's it keeps the seed alone.

    Args:
        generator: of the sampler.
        state: uint8 (n,), which ``get_state`` gave; n differs between CPU and GPU.
        source: where it comes from, for the warning.
    """
    if len(state) == len(generator.get_state()):
        generator.set_state(state)
        return
    warnings.warn(
        f"{source} is another device's: the replay memory draws from its seed again",
        stacklevel=3,
    )
    generator.manual_seed(generator.initial_seed())


class EpisodeStore(BaseBuffer):
    """Finished episodes of one fixed length in one block of memory, the oldest overwritten.

    Args:
        buffer_size: capacity in transitions; rounded down to whole episodes.
        observation_space: ``spaces.Dict`` of channels-first RGB stacks and vectors.
        action_space: ``spaces.Box``.
        device: where the memory lives.
        n_envs: environments that feed it in parallel.
        episode_length: steps T of every episode.
        n_sampled_goal: HER's k; above 0 the achieved goals must be known.
        seed: of the sampler's generator, which is saved with the episodes.

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
        device: torch.device | str,
        n_envs: int,
        *,
        episode_length: int,
        n_sampled_goal: int,
        seed: int | None,
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
        if n_sampled_goal < 0:
            raise ValueError(f"received n_sampled_goal {n_sampled_goal}; expected 0 or more")
        self.episode_length = episode_length
        self.n_sampled_goal = n_sampled_goal
        self.stacks = stack_sizes(observation_space)
        self.image_keys = list(self.stacks)
        self.vector_keys = [
            key for key in observation_space.spaces if key not in (*self.image_keys, *GOAL_KEYS)
        ]
        self.goal_dim = goal_size(observation_space)
        if n_sampled_goal and "desired_goal" not in observation_space.spaces:
            raise ValueError(
                f"received n_sampled_goal {n_sampled_goal} without 'desired_goal' in the "
                "observation; expected 0: a goal that no policy sees cannot be relabeled"
            )
        self.n_episodes = buffer_size // episode_length
        self.buffer_size = self.n_episodes * episode_length
        self._allocate()
        self.seed(seed)

    # ------------------------------------------------------------------------------- storage

    def _allocate(self) -> None:
        if self.device.type == "cpu":
            require_memory(
                self.bytes_when_full,
                f"a replay memory of {self.buffer_size:,} transitions",
                remedy="lower the buffer size",
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
        self._forget_choices()

    def _forget_choices(self) -> None:
        """Called when the stored episodes have changed: what was computed of them is old."""

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
        ``infos[i]["achieved_goal"]``: relabeling may know it, the policy does not.
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
        self._forget_choices()
        self.pos = (slot + 1) % self.n_episodes
        self.full = self.full or self.pos == 0
        self.stored_episodes = min(self.stored_episodes + 1, self.n_episodes)

    def drop_unfinished(self) -> None:
        """Forgets the running episodes: their environments are reset before their end."""
        self._step[:] = 0

    def restored(self, episodes: int) -> None:
        """Says that ``memory`` was filled from outside with the last of ``episodes`` episodes.

        Episode number n lies in slot n modulo ``n_episodes``, as :meth:`add_episode` puts it.
        """
        self.stored_episodes = min(episodes, self.n_episodes)
        self.full = episodes >= self.n_episodes
        self.pos = episodes % self.n_episodes
        self._step[:] = 0
        self._forget_choices()

    # ------------------------------------------------------------------------------ save, load

    def save(self, path: str | Path) -> Path:
        """Writes the finished episodes (safetensors, no pickle); running ones are left out."""
        path = Path(path)
        header = {"pos": self.pos, "stored": self.stored_episodes}
        tensors = {k: v[: self.stored_episodes].cpu() for k, v in self.memory.items()}
        tensors["_generator"] = self.generator.get_state()
        save_tensors(tensors, path, {"replay": json.dumps(header)})
        return path

    def load(self, path: str | Path) -> None:
        """Restores what :meth:`save` wrote into a memory of the same shape, or a longer one.

        A file that another kind of device wrote gives its episodes; the random state does not fit,
        and the sampler draws from its seed again, after a warning.

        Raises:
            UserError: the file holds other shapes, or is damaged.
        """
        try:
            with safe_open(str(path), framework="pt") as file:
                header = json.loads(file.metadata()["replay"])
                stored, pos = header["stored"], header["pos"]
                oldest = pos if stored < self.n_episodes else 0  # a longer memory starts with it
                for key, store in self.memory.items():
                    found = tuple(file.get_slice(key).get_shape()) if key in file.keys() else None
                    if found is None or found[1:] != tuple(store.shape[1:]) or stored > len(store):
                        raise UserError(
                            f"{path} does not fit this replay memory ({key}: {found} instead of at "
                            f"most {tuple(store.shape)}): resume with the same configuration"
                        )
                    if found[0] != stored:
                        raise ValueError(f"{key} has {found[0]} rows instead of {stored}")
                    if not 0 <= pos <= stored:
                        raise ValueError(f"its next row is {pos} of {stored}")
                    rows = file.get_tensor(key)
                    store[: stored - oldest].copy_(rows[oldest:])
                    store[stored - oldest : stored].copy_(rows[:oldest])
                state = file.get_tensor("_generator")
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} is no whole replay memory ({error}): delete it, and collect anew"
            ) from error
        restore_generator(self.generator, state, str(path))
        self.restored(stored if stored < self.n_episodes else stored + pos)
