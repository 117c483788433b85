"""Checks of ``labs.image_augmentation``: the random shift and the two DrQ buffers."""

from __future__ import annotations

import warnings
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium import spaces
from scipy.stats import chisquare
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import DictReplayBuffer
from stable_baselines3.common.type_aliases import DictReplayBufferSamples
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.her import HerReplayBuffer
from torch import nn

from labs.checks.asserting import raises
from labs.envs import PROPRIO_INDICES, make_env
from labs.image_augmentation import DrQDictReplayBuffer, HerDrQDictReplayBuffer, RandomShiftAug
from labs.pixel_wrapper import PixelObservationWrapper

SIZE = (36, 40)  # height, width: the smallest that Stable-Baselines3's own CNN takes


def images(*shape: int, seed: int = 0, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    """Random images: every pixel tells its place."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    return noise if dtype == torch.uint8 else noise.to(dtype) / 255


def pad_and_crop(image: torch.Tensor, pad: int, rows: int, columns: int, mode: str) -> torch.Tensor:
    """The definition, for one image (C, H, W): really pads, then really crops."""
    height, width = image.shape[1:]
    if mode == "replicate":
        padded = F.pad(image[None].double(), (pad,) * 4, mode="replicate")[0].to(image.dtype)
    else:
        padded = F.pad(image, (pad,) * 4)
    top, left = pad + rows, pad + columns
    return padded[:, top : top + height, left : left + width]


# -------------------------------------------------------------------------------- the random shift


def check_shift_equals_pad_and_crop():
    """Every offset, replicate and zeros, uint8 and float, equals padding and cropping"""
    for pad, mode, dtype in (
        (4, "replicate", torch.uint8),
        (3, "replicate", torch.float32),
        (2, "zeros", torch.uint8),
    ):
        aug = RandomShiftAug(pad, padding=mode)
        span = torch.arange(-pad, pad + 1)
        offsets = torch.cartesian_prod(span, span)
        batch = images(len(offsets), 3, 11, 14, dtype=dtype)
        shifted = aug.shift(batch, offsets)
        for image, (rows, columns), got in zip(batch, offsets.tolist(), shifted, strict=True):
            expected = pad_and_crop(image, pad, rows, columns, mode)
            assert torch.equal(got, expected), f"pad {pad}, {mode}: offset ({rows}, {columns})"


def check_cpu_and_gpu_move_alike():
    """The blocks that a CPU copies equal the gather that a GPU does, bit for bit"""
    torch.manual_seed(0)
    for dtype, padding in product((torch.uint8, torch.float32), ("replicate", "zeros")):
        aug, batch = RandomShiftAug(4, padding), images(24, 6, 9, 13, dtype=dtype)
        offsets = aug.draw_offsets(len(batch))
        blocks, gathered = aug._copy_blocks(batch, offsets), aug._gather(batch, offsets)
        assert gathered.dtype == blocks.dtype == dtype and gathered.is_contiguous()
        assert torch.equal(blocks, gathered), f"{padding}, {dtype}"


def check_forward_crops_the_padded_image():
    """Each image that comes out is one of the (2 · pad + 1)² crops of the image that went in"""
    torch.manual_seed(0)
    pad = 2
    batch = images(20, 6, 9, 13)
    shifted = RandomShiftAug(pad)(batch)
    span = range(-pad, pad + 1)
    for image, got in zip(batch, shifted, strict=True):
        crops = [pad_and_crop(image, pad, r, c, "replicate") for r in span for c in span]
        assert any(torch.equal(got, crop) for crop in crops), "not a crop of the padded image"


def check_shape_dtype_and_constant_images():
    """Shape and dtype stay; a constant image is unchanged, so no border is drawn"""
    torch.manual_seed(0)
    for dtype in (torch.uint8, torch.float16, torch.float32, torch.float64):
        batch = torch.full((16, 12, 20, 21), 200 if dtype == torch.uint8 else 0.8, dtype=dtype)
        shifted = RandomShiftAug(4)(batch)
        assert shifted.shape == batch.shape and shifted.dtype == dtype
        assert shifted.is_contiguous()
        assert torch.equal(shifted, batch), f"{dtype}: a constant image has changed"


def check_zero_padding_draws_borders():
    """Zero padding, kept for the demonstration, draws the bars that replicate padding avoids"""
    batch = torch.full((1, 3, 20, 20), 255, dtype=torch.uint8)
    shifted = RandomShiftAug(4, padding="zeros").shift(batch, torch.tensor([[-2, 3]]))
    assert (shifted[:, :, :2] == 0).all() and (shifted[:, :, :, -3:] == 0).all()
    assert (shifted[:, :, 2:, :-3] == 255).all()


def check_direction_of_the_shift():
    """A window that moves down and right moves the content up and left, rows before columns"""
    batch = torch.zeros(1, 1, 9, 9)
    batch[0, 0, 4, 4] = 1
    shifted = RandomShiftAug(4).shift(batch, torch.tensor([[3, 1]]))
    assert shifted[0, 0].nonzero().tolist() == [[1, 3]], shifted[0, 0].nonzero().tolist()


def check_images_move_independently():
    """Images of one batch move by different offsets, the frames of one stack by the same"""
    torch.manual_seed(0)
    frame = images(1, 3, 24, 24)
    stack = torch.cat((frame, frame), dim=1).expand(64, -1, -1, -1)
    shifted = RandomShiftAug(4)(stack)
    assert torch.equal(shifted[:, :3], shifted[:, 3:]), "the frames of a stack moved apart"
    different = len(torch.unique(shifted.flatten(1), dim=0))
    assert different > 30, f"64 equal images came out in only {different} versions"


def check_offsets_are_uniform():
    """All (2 · pad + 1)² offsets are equally likely (chi-square, 40,500 draws)"""
    pad, n = 4, 40_500
    generator = torch.Generator().manual_seed(0)
    # The position of one lit pixel tells the offset that was really applied.
    dot = torch.zeros(n, 1, 11, 11, dtype=torch.uint8)
    dot[:, :, 5, 5] = 1
    where = RandomShiftAug(pad)(dot, generator).flatten(1).int().argmax(1)
    rows, columns = 5 - where // 11 + pad, 5 - where % 11 + pad
    counts = torch.bincount(rows * (2 * pad + 1) + columns, minlength=(2 * pad + 1) ** 2)
    assert len(counts) == 81 and counts.sum() == n
    p = chisquare(counts.numpy()).pvalue
    assert p > 1e-3, f"p = {p:.1e}: counts from {counts.min()} to {counts.max()}, 500 expected"


def check_generator_reproduces():
    """A generator reproduces a shift and leaves PyTorch's global state alone"""
    batch, aug = images(8, 3, 20, 20), RandomShiftAug(4)
    state = torch.get_rng_state()
    first = aug(batch, torch.Generator().manual_seed(5))
    again = aug(batch, torch.Generator().manual_seed(5))
    other = aug(batch, torch.Generator().manual_seed(6))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())


def check_input_is_left_alone():
    """The images that go in do not change, not even with pad 0"""
    batch = images(4, 3, 20, 20)
    kept = batch.clone()
    for pad in (0, 4):
        RandomShiftAug(pad)(batch).zero_()
        assert torch.equal(batch, kept)


def check_shift_names_bad_input():
    """pad as large as the image, channels last, wrong rank or dtype: the error names both sides"""
    aug = RandomShiftAug(4)
    small = images(2, 3, 4, 30)
    raises(ValueError, lambda: aug(small), "(2, 3, 4, 30)", "pad=4")
    last = images(2, 84, 84, 3)
    raises(ValueError, lambda: aug(last), "(2, 84, 84, 3)", "(B, C, H, W)", "last")
    stack_last = images(2, 84, 84, 12)
    raises(ValueError, lambda: aug(stack_last), "(2, 84, 84, 12)", "last")
    raises(ValueError, lambda: aug(images(3, 20, 20)), "(3, 20, 20)", "(B, C, H, W)")
    raises(TypeError, lambda: aug(images(1, 3, 20, 20).long()), "int64", "uint8")
    raises(TypeError, lambda: aug(np.zeros((1, 3, 20, 20))), "ndarray", "tensor")
    raises(ValueError, lambda: RandomShiftAug(-1), "pad", "-1")
    raises(TypeError, lambda: RandomShiftAug(4.0), "pad", "4.0")
    raises(ValueError, lambda: RandomShiftAug(4, "reflect"), "padding", "'reflect'")
    good = images(2, 3, 20, 20)
    far = torch.tensor([[0, 5], [0, 0]])
    raises(ValueError, lambda: aug.shift(good, far), "5", "pad=4")
    raises(ValueError, lambda: aug.shift(good, far[:1]), "(1, 2)", "(2, 2)")
    raises(TypeError, lambda: aug.shift(good, far / 2), "integers")


# ------------------------------------------------------------------------------------- the buffers


def make_vec_env(task: str = "push", n_envs: int = 2) -> DummyVecEnv:
    """Real Fetch environments seen through the wrapper, small and quick."""

    def make() -> PixelObservationWrapper:
        env = make_env(task, image_size=SIZE, scene="lean", max_episode_steps=8)
        return PixelObservationWrapper(env, SIZE, "both", 2, PROPRIO_INDICES[task])

    return DummyVecEnv([make] * n_envs)


@cache
def recorded() -> tuple[DummyVecEnv, list[tuple[Any, ...]]]:
    """A few real episodes, played once and used by every buffer check."""
    vec = make_vec_env()
    vec.seed(0)
    rng = np.random.default_rng(0)
    obs = vec.reset()
    transitions = []
    for _ in range(40):
        action = rng.uniform(-1, 1, (2, 4)).astype(np.float32)
        after, reward, done, infos = vec.step(action)
        last = {key: value.copy() for key, value in after.items()}
        for i in np.flatnonzero(done):  # a vectorized environment has already reset by itself
            for key, value in infos[i]["terminal_observation"].items():
                last[key][i] = value
        transitions.append((obs, last, action, reward, done, infos))
        obs = after
    return vec, transitions


def filled(kind: type[DictReplayBuffer], **kwargs: Any) -> DictReplayBuffer:
    """A buffer of a kind that holds the recorded episodes."""
    vec, transitions = recorded()
    if issubclass(kind, HerReplayBuffer):
        kwargs["env"] = vec
    buffer = kind(
        200, vec.observation_space, vec.action_space, device="cpu", n_envs=vec.num_envs, **kwargs
    )
    for transition in transitions:
        buffer.add(*transition)
    return buffer


def sample(buffer: DictReplayBuffer, n: int = 64, seed: int = 0) -> DictReplayBufferSamples:
    """A sample under fixed random states."""
    np.random.seed(seed)  # noqa: NPY002  (Stable-Baselines3 draws from NumPy's global state)
    torch.manual_seed(seed)
    return buffer.sample(n)


def difference(a: DictReplayBufferSamples, b: DictReplayBufferSamples) -> set[str]:
    """Which parts of two samples differ, in a bit or in dtype."""

    def equal(x: torch.Tensor, y: torch.Tensor) -> bool:
        return x.dtype == y.dtype and torch.equal(x, y)

    parts = {name for name in ("actions", "rewards", "dones")}
    differing = {name for name in parts if not equal(getattr(a, name), getattr(b, name))}
    for name in ("observations", "next_observations"):
        one, two = getattr(a, name), getattr(b, name)
        assert one.keys() == two.keys()
        differing |= {f"{name}.{key}" for key in one if not equal(one[key], two[key])}
    return differing


PAIRS = ((DrQDictReplayBuffer, DictReplayBuffer), (HerDrQDictReplayBuffer, HerReplayBuffer))


def check_augmentation_off_equals_sb3():
    """With the augmentation off both buffers give Stable-Baselines3's samples, bit for bit"""
    for ours, theirs in PAIRS:
        expected = sample(filled(theirs))
        for off in (nn.Identity(), RandomShiftAug(0)):
            for same_shift in (False, True):
                got = sample(filled(ours, aug_fn=off, same_shift=same_shift))
                assert not difference(got, expected), (
                    f"{ours.__name__}: {difference(got, expected)}"
                )


def check_only_images_change():
    """With it on, the pictures of both observations change and nothing else does"""
    for ours, theirs in PAIRS:
        changed = difference(sample(filled(ours)), sample(filled(theirs)))
        expected = {"observations.pixels", "next_observations.pixels"}
        assert changed == expected, f"{ours.__name__} changed {sorted(changed)}"


def check_images_are_shifted_and_stay_uint8():
    """Sampled images are uint8 crops of the stored ones"""
    pad = 2
    span = range(-pad, pad + 1)
    for ours, theirs in PAIRS:
        got, stored = (
            sample(filled(ours, aug_fn=RandomShiftAug(pad)), 12),
            sample(filled(theirs), 12),
        )
        for name in ("observations", "next_observations"):
            after, before = getattr(got, name)["pixels"], getattr(stored, name)["pixels"]
            assert after.dtype == torch.uint8 and after.shape == (12, 6, *SIZE)
            for image, shifted in zip(before, after, strict=True):
                crops = [pad_and_crop(image, pad, r, c, "replicate") for r in span for c in span]
                assert any(torch.equal(shifted, crop) for crop in crops)


def _mark(image: torch.Tensor) -> torch.Tensor:
    """An augmentation that stamps each image with a random number of its own."""
    stamp = torch.randint(0, 256, (len(image), 1, 1, 1), dtype=torch.uint8)
    return stamp.expand_as(image).clone()


def check_views_keep_to_their_part():
    """Two views side by side move by one offset, and no column passes from one to the other"""
    pair = torch.arange(3 * 2 * 10 * 16).reshape(3, 2, 10, 16).to(torch.uint8)
    aug, alone = RandomShiftAug(3, views=2), RandomShiftAug(3)
    offsets = torch.tensor([[3, 3], [-2, 0], [0, -3]])
    halves = [alone.shift(half, offsets) for half in pair.chunk(2, dim=3)]
    for images in (pair, pair.float().requires_grad_()):  # blocks copied, pixels gathered
        assert (aug.shift(images, offsets) == torch.cat(halves, dim=3)).all()
    whole = alone.shift(pair, offsets)
    assert (whole != aug.shift(pair, offsets)).any(), "as one image, columns do pass"
    raises(ValueError, lambda: aug(pair[..., 1:]), "2 view(s)")
    raises(ValueError, lambda: RandomShiftAug(3, views=0), "views")


def check_next_images_move_on_their_own():
    """obs and next_obs are augmented independently, and alike with same_shift"""
    for ours, _ in PAIRS:
        for same_shift in (False, True):
            batch = sample(filled(ours, aug_fn=_mark, same_shift=same_shift))
            stamp = batch.observations["pixels"][:, 0, 0, 0]
            next_stamp = batch.next_observations["pixels"][:, 0, 0, 0]
            equal = (stamp == next_stamp).float().mean().item()
            ok = equal == 1 if same_shift else equal < 0.2
            assert ok, f"{ours.__name__}, same_shift={same_shift}: {equal:.0%} moved alike"


def check_rewards_follow_from_the_goals():
    """After relabeling and shifting, each reward is the one that the goals beside it give"""
    vec, _ = recorded()
    batch = sample(filled(HerDrQDictReplayBuffer, n_sampled_goal=4), 100)
    achieved = batch.next_observations["achieved_goal"].numpy()
    desired = batch.next_observations["desired_goal"].numpy()
    (rewards,) = vec.env_method("compute_reward", achieved, desired, [{}] * 100, indices=[0])
    assert (rewards == batch.rewards[:, 0].numpy()).all()
    original = sample(filled(DictReplayBuffer), 100).rewards.mean()
    assert batch.rewards.mean() > original, "relabeling has not raised a single reward"


def check_buffers_name_bad_input():
    """Wrong image key, missing goals, empty buffer, wrong augmentation: the error names it"""
    vec, _ = recorded()
    space, actions = vec.observation_space, vec.action_space
    for key in ("image", "achieved_goal"):
        raises(
            ValueError,
            lambda key=key: DrQDictReplayBuffer(10, space, actions, image_key=key),
            repr(key),
            "pixels",
        )
    raises(TypeError, lambda: DrQDictReplayBuffer(10, space, actions, aug_fn=4), "aug_fn", "int")
    last = spaces.Dict(pixels=spaces.Box(0, 255, (84, 84, 12), np.uint8))
    raises(ValueError, lambda: DrQDictReplayBuffer(10, last, actions), "(84, 84, 12)", "first")
    alone = spaces.Dict(pixels=space["pixels"])
    raises(
        ValueError,
        lambda: HerDrQDictReplayBuffer(10, alone, actions, env=vec),
        "achieved_goal",
        "goal_mode='both'",
    )
    raises(ValueError, lambda: DrQDictReplayBuffer(10, space, actions).sample(4), "empty")
    empty = HerDrQDictReplayBuffer(10, space, actions, env=vec)
    raises(ValueError, lambda: empty.sample(4), "empty")
    as_float = filled(DrQDictReplayBuffer, aug_fn=lambda image: image.float())
    raises(ValueError, lambda: as_float.sample(4), "float32", "uint8")
    cropped = filled(DrQDictReplayBuffer, aug_fn=lambda image: image[..., 1:])
    raises(ValueError, lambda: cropped.sample(4), "(4, 6, 36, 39)", "(4, 6, 36, 40)")


def check_sac_trains_with_both_buffers():
    """Stable-Baselines3's SAC learns from both buffers, on real pixels"""
    for kind in (DrQDictReplayBuffer, HerDrQDictReplayBuffer):
        vec = make_vec_env()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = SAC(
                "MultiInputPolicy",
                vec,
                replay_buffer_class=kind,
                replay_buffer_kwargs={"aug_fn": RandomShiftAug(4)},
                buffer_size=200,
                learning_starts=20,
                batch_size=8,
                policy_kwargs={
                    "net_arch": [16],
                    "features_extractor_kwargs": {"cnn_output_dim": 8},
                },
                seed=0,
                device="cpu",
            )
            model.learn(26)
        assert type(model.replay_buffer) is kind and model._n_updates > 0
        assert np.isfinite(model.logger.name_to_value["train/critic_loss"])
        vec.close()
