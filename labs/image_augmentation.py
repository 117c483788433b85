"""Random shift and the replay buffers that apply it: DrQ (Kostrikov et al. 2020, arXiv 2004.13649).

* :class:`RandomShiftAug`: moves each image by a few pixels, at random.
* :class:`DrQDictReplayBuffer`: Stable-Baselines3's dict buffer, augmenting when it samples.
* :class:`HerDrQDictReplayBuffer`: the same after hindsight relabeling (HER, Andrychowicz et al.
  2017, arXiv 1707.01495).

Only the picture is shifted. Goals and proprioception stay as they are, because
``compute_reward(achieved_goal, desired_goal)`` must go on giving the stored reward; the price is
that a shifted picture and an unshifted vector no longer agree about where things are.

Run ``python -m labs.image_augmentation --verify`` for the checks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from stable_baselines3.common.buffers import DictReplayBuffer
from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first
from stable_baselines3.common.type_aliases import DictReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize
from stable_baselines3.her import HerReplayBuffer
from torch import nn

Padding = Literal["replicate", "zeros"]


class RandomShiftAug(nn.Module):
    """Shifts each image of a batch by its own random number of pixels, at most ``pad`` each way
    (DrQ, Kostrikov et al. 2020, arXiv 2004.13649).

    It is the same as padding each side by ``pad`` and cropping back to the old size at a random
    place: (2 · pad + 1)² places, all equally likely. No padded image is made. On a GPU one gather
    serves the whole batch: each output pixel looks up its source, and a source outside the image
    becomes the nearest pixel at its border. A CPU copies the overlap of each image as one block,
    many times faster than pixel by pixel, and then repeats its border.

    All channels of an image move together, so a stack of frames keeps its motion.

    Shapes: (B, C, H, W) → (B, C, H, W), the same dtype and device, values within the old range.

    Args:
        pad: the largest shift in pixels, 0 (no shift) or more; 4 for 84 × 84 in the paper.
        padding: ``"replicate"`` repeats the border. ``"zeros"`` draws black bars instead, whose
            width tells a network the shift: it is here to show that.
        views: cameras side by side in an image. Each keeps to its part of the width: all move by
            the offset of their image, and none shows columns of its neighbor.

    Raises:
        TypeError: ``pad`` is not an integer.
        ValueError: ``pad`` is negative, ``padding`` is unknown, or there is no view.
    """

    def __init__(self, pad: int = 4, padding: Padding = "replicate", views: int = 1):
        super().__init__()
        if not isinstance(pad, int) or isinstance(pad, bool):
            raise TypeError(f"pad must be an integer, received {pad!r}")
        if pad < 0:
            raise ValueError(f"pad must be 0 or more, received {pad}")
        if padding not in ("replicate", "zeros"):
            raise ValueError(f"padding must be 'replicate' or 'zeros', received {padding!r}")
        if views < 1:
            raise ValueError(f"views must be 1 or more, received {views}")
        self.pad, self.padding, self.views = pad, padding, views

    def draw_offsets(
        self,
        batch_size: int,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """Draws one (rows, columns) offset per image, uniform over −pad … pad.

        Args:
            batch_size: B.
            generator: source of randomness, on ``device``; PyTorch's global one when None.
            device: where the offsets live.

        Returns:
            int64 (B, 2).
        """
        return torch.randint(
            -self.pad, self.pad + 1, (batch_size, 2), generator=generator, device=device
        )

    def forward(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Shifts each image at random.

        Args:
            images: (B, C, H, W), uint8 or floating point.
            generator: source of randomness, on the images' device; the global one when None.

        Returns:
            The same shape and dtype.

        Raises:
            TypeError: not a tensor, or a dtype that images do not have.
            ValueError: not (B, C, H, W), or ``pad`` as large as the image.
        """
        self._check_images(images)
        return self._moved(images, self.draw_offsets(len(images), generator, images.device))

    def shift(self, images: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Shifts each image by a given offset.

        Args:
            images: (B, C, H, W), uint8 or floating point.
            offsets: integers (B, 2), (rows, columns) by which the cropping window moves from the
                middle, −pad to pad. A window that moves down and right moves the content up and
                left: ``out[y, x] = image[y + rows, x + columns]``.

        Returns:
            The same shape and dtype.

        Raises:
            TypeError: wrong types.
            ValueError: wrong shapes, or an offset beyond ``pad``.
        """
        self._check_images(images)
        self._check_offsets(offsets, len(images))
        return self._moved(images, offsets.to(images.device))

    def _moved(self, images: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        plain = images.device.type == "cpu" and not images.requires_grad
        move = self._copy_blocks if plain else self._gather
        if self.views == 1:
            return move(images, offsets)
        return torch.cat([move(v, offsets) for v in images.chunk(self.views, dim=3)], dim=3)

    def _copy_blocks(self, images: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[2:]
        shifted = torch.zeros(images.shape, dtype=images.dtype)
        for source, out, (rows, columns) in zip(images, shifted, offsets.tolist(), strict=True):
            top, bottom = max(0, -rows), min(height, height - rows)
            left, right = max(0, -columns), min(width, width - columns)
            out[:, top:bottom, left:right] = source[
                :, top + rows : bottom + rows, left + columns : right + columns
            ]
            if self.padding == "replicate":
                out[:, top:bottom, :left] = out[:, top:bottom, left : left + 1]
                out[:, top:bottom, right:] = out[:, top:bottom, right - 1 : right]
                out[:, :top] = out[:, top : top + 1]
                out[:, bottom:] = out[:, bottom - 1 : bottom]
        return shifted

    def _gather(self, images: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[2:]
        rows = offsets[:, :1] + torch.arange(height, device=images.device)  # (B, H)
        columns = offsets[:, 1:] + torch.arange(width, device=images.device)  # (B, W)
        batch = torch.arange(len(images), device=images.device)
        # Gathering whole pixels, channels last, is twice as fast as gathering channel by channel.
        shifted = images.permute(0, 2, 3, 1)[
            batch[:, None, None],
            rows.clamp(0, height - 1)[:, :, None],
            columns.clamp(0, width - 1)[:, None, :],
        ].permute(0, 3, 1, 2)
        if self.padding == "zeros":
            row_inside = (rows >= 0) & (rows < height)
            column_inside = (columns >= 0) & (columns < width)
            inside = row_inside[:, None, :, None] & column_inside[:, None, None, :]
            shifted = shifted.masked_fill(~inside, 0)
        return shifted.contiguous()

    def _check_images(self, images: torch.Tensor) -> None:
        if not isinstance(images, torch.Tensor):
            raise TypeError(f"images: received {type(images).__name__}, expected a torch tensor")
        shape = tuple(images.shape)
        if images.dtype != torch.uint8 and not images.is_floating_point():
            raise TypeError(f"images: received dtype {images.dtype}, expected uint8 or float")
        if images.ndim != 4:
            raise ValueError(f"images: received shape {shape}, expected (B, C, H, W)")
        channels, height, width = shape[1:]
        # No picture is 1, 3 or 4 wide: those are channels. 6, 9 or 12 could be a narrow picture;
        # where the two axes before are equal, it is a square one with a stack of frames last.
        square_stack = width in (6, 9, 12) and channels == height
        if (width in (1, 3, 4) or square_stack) and channels > 12 and height > width:
            raise ValueError(
                f"images: received shape {shape}, expected (B, C, H, W): channels come last "
                "here, permute(0, 3, 1, 2) puts them first"
            )
        if width % self.views or self.pad >= min(height, width // self.views):
            raise ValueError(
                f"images: received shape {shape}, expected {self.views} view(s) of equal width, "
                f"height and width above pad={self.pad}"
            )

    def _check_offsets(self, offsets: torch.Tensor, batch_size: int) -> None:
        if not isinstance(offsets, torch.Tensor) or offsets.is_floating_point():
            raise TypeError("offsets: expected a tensor of integers")
        if tuple(offsets.shape) != (batch_size, 2):
            raise ValueError(
                f"offsets: received shape {tuple(offsets.shape)}, expected {(batch_size, 2)}"
            )
        if offsets.numel() and int(offsets.abs().max()) > self.pad:
            raise ValueError(
                f"offsets: received {int(offsets.abs().max())}, expected at most pad={self.pad}"
            )

    def extra_repr(self) -> str:
        views = f", views={self.views}" if self.views > 1 else ""
        return f"pad={self.pad}, padding={self.padding!r}{views}"


def augmented_pair(
    augment: Callable[[torch.Tensor], torch.Tensor],
    image: torch.Tensor,
    next_image: torch.Tensor,
    same_shift: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The two images of a transition, augmented: each by a draw of its own, as in DrQ, or alike.

    Args:
        augment: (B, C, H, W) → the same shape and dtype; with ``same_shift`` for any C.
        image: (B, C, H, W), of ``obs``.
        next_image: (B, C, H, W), of ``next_obs``.
        same_shift: augment both by one draw, so that what moves between them is motion.

    Returns:
        Both images, shapes and dtypes as before.
    """
    if not same_shift:
        return augment(image), augment(next_image)
    # Side by side along the channels the two are one image, and move as one.
    moved, next_moved = augment(torch.cat((image, next_image), dim=1)).chunk(2, dim=1)
    return moved, next_moved


def augmented_ends(
    augment: Callable[[torch.Tensor], torch.Tensor] | None,
    obs: dict[str, torch.Tensor] | torch.Tensor,
    next_obs: dict[str, torch.Tensor] | torch.Tensor,
    same_shift: bool = False,
) -> tuple[Any, Any]:
    """Both ends of a batch of transitions with every image augmented, see :func:`augmented_pair`.

    Args:
        augment: None: both come back as they are.
        obs: observations, each (B, ...); those with four axes are images.
        next_obs: likewise.
        same_shift: augment the two images of a transition alike.
    """
    if augment is None:
        return obs, next_obs
    if not isinstance(obs, dict):
        return augmented_pair(augment, obs, next_obs, same_shift)
    ends = {
        key: augmented_pair(augment, value, next_obs[key], same_shift)
        if value.dim() == 4
        else (value, next_obs[key])
        for key, value in obs.items()
    }
    return {key: end[0] for key, end in ends.items()}, {key: end[1] for key, end in ends.items()}


class _AugmentsWhenSampling:
    """Passes one key of every sampled batch through an augmentation.

    The hook is ``sample()``: ``HerReplayBuffer.sample`` merges real and relabeled transitions
    itself and never calls ``_get_samples``, so an override there would be dead code.
    """

    def __init__(
        self,
        *args: Any,
        aug_fn: Callable[[torch.Tensor], torch.Tensor] | None = None,
        image_key: str = "pixels",
        same_shift: bool = False,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        space = (
            self.observation_space[image_key]
            if image_key in self.observation_space.keys()
            else None
        )
        if space is None or not is_image_space(space) or not is_image_space_channels_first(space):
            raise ValueError(
                f"image_key={image_key!r} must name a uint8 image with channels first, "
                f"received {space} among the keys {sorted(self.observation_space.keys())}"
            )
        aug_fn = RandomShiftAug() if aug_fn is None else aug_fn
        if not callable(aug_fn):
            raise TypeError(f"aug_fn must be callable, received {type(aug_fn).__name__}")
        self.aug_fn = aug_fn
        self.image_key = image_key
        self.same_shift = same_shift

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> DictReplayBufferSamples:
        """Samples as the parent class does, then augments the images.

        Args:
            batch_size: B.
            env: the normalizing environment, as in Stable-Baselines3.

        Returns:
            The parent's samples with the image key of ``observations`` and ``next_observations``
            augmented; everything else is untouched.

        Raises:
            ValueError: the buffer is empty, or the augmentation changed a shape or dtype.
        """
        if self.size() == 0:
            raise ValueError(f"cannot sample {batch_size} transitions from an empty buffer")
        batch = super().sample(batch_size, env=env)
        image, next_image = augmented_pair(
            self._augment,
            batch.observations[self.image_key],
            batch.next_observations[self.image_key],
            self.same_shift,
        )
        return batch._replace(
            observations={**batch.observations, self.image_key: image},
            next_observations={**batch.next_observations, self.image_key: next_image},
        )

    def _augment(self, image: torch.Tensor) -> torch.Tensor:
        augmented = self.aug_fn(image)
        if augmented.shape != image.shape or augmented.dtype != image.dtype:
            raise ValueError(
                f"aug_fn gave {augmented.dtype} {tuple(augmented.shape)}, "
                f"expected {image.dtype} {tuple(image.shape)}"
            )
        return augmented


class DrQDictReplayBuffer(_AugmentsWhenSampling, DictReplayBuffer):
    """Stable-Baselines3's ``DictReplayBuffer`` with images augmented at sample time.

    The stored images stay as the camera gave them; each time a transition is drawn it looks a
    little different. ``obs`` and ``next_obs`` are shifted independently, as in DrQ (Kostrikov et
    al. 2020, arXiv 2004.13649).

    Use it as ``SAC("MultiInputPolicy", env, replay_buffer_class=DrQDictReplayBuffer,
    replay_buffer_kwargs={"aug_fn": RandomShiftAug(4)})``.

    Args:
        *args: as for ``DictReplayBuffer``.
        aug_fn: (B, C, H, W) → the same shape and dtype; ``RandomShiftAug(4)`` when None,
            ``torch.nn.Identity()`` for none.
        image_key: the only key that is augmented; uint8, channels first.
        same_shift: augment ``obs`` and ``next_obs`` of a transition alike instead. It needs an
            ``aug_fn`` that takes any number of channels, as :class:`RandomShiftAug` does.
        **kwargs: as for ``DictReplayBuffer``.

    Raises:
        ValueError: ``image_key`` is missing or not such an image.
        TypeError: ``aug_fn`` cannot be called.
    """


class HerDrQDictReplayBuffer(_AugmentsWhenSampling, HerReplayBuffer):
    """Stable-Baselines3's ``HerReplayBuffer`` with images augmented after relabeling.

    HER (Andrychowicz et al. 2017, arXiv 1707.01495) goes first: it chooses new goals and computes
    their rewards from stored vectors. Then the images are augmented, and nothing else, so every
    reward still follows from the goals beside it. The observation must hold ``achieved_goal`` and
    ``desired_goal`` (``PixelObservationWrapper(..., goal_mode="both")``).

    Args:
        *args: as for ``HerReplayBuffer``.
        aug_fn: as for :class:`DrQDictReplayBuffer`.
        image_key: as for :class:`DrQDictReplayBuffer`.
        same_shift: as for :class:`DrQDictReplayBuffer`.
        **kwargs: as for ``HerReplayBuffer`` (``n_sampled_goal``, ``goal_selection_strategy``).

    Raises:
        ValueError: the goals are missing, or ``image_key`` is missing or not such an image.
        TypeError: ``aug_fn`` cannot be called.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        missing = {"achieved_goal", "desired_goal"} - set(self.observation_space.keys())
        if missing:
            raise ValueError(
                f"hindsight needs achieved_goal and desired_goal in the observation, received only "
                f"{sorted(self.observation_space.keys())}: wrap with goal_mode='both'"
            )


if __name__ == "__main__":
    from labs.checks import module_main

    raise SystemExit(module_main("image_augmentation", title="Image augmentation"))
