"""The random shift under random shapes, and the DrQ buffers against Stable-Baselines3's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import DictReplayBuffer
from stable_baselines3.her import HerReplayBuffer
from torch import nn

from labs.checks.image_augmentation import (
    PAIRS,
    difference,
    filled,
    images,
    make_vec_env,
    pad_and_crop,
    recorded,
    sample,
)
from labs.image_augmentation import DrQDictReplayBuffer, HerDrQDictReplayBuffer, RandomShiftAug

dtypes = st.sampled_from([torch.uint8, torch.float16, torch.float32, torch.float64])


@settings(max_examples=80, deadline=None)
@given(
    batch=st.integers(1, 5),
    channels=st.integers(1, 12),
    height=st.integers(1, 31),
    width=st.integers(1, 31),
    pad=st.integers(0, 9),
    dtype=dtypes,
    seed=st.integers(0, 2**31),
)
def test_shift_is_pad_and_crop_for_any_shape(batch, channels, height, width, pad, dtype, seed):
    pixels = images(batch, channels, height, width, seed=seed, dtype=dtype)
    aug = RandomShiftAug(pad)
    if pad >= min(height, width):
        with pytest.raises(ValueError, match=f"pad={pad}"):
            aug(pixels)
        return
    shifted = aug(pixels, torch.Generator().manual_seed(seed))
    assert shifted.shape == pixels.shape and shifted.dtype == dtype
    offsets = aug.draw_offsets(batch, torch.Generator().manual_seed(seed))
    assert offsets.abs().max() <= pad
    for image, (rows, columns), got in zip(pixels, offsets.tolist(), shifted, strict=True):
        assert torch.equal(got, pad_and_crop(image, pad, rows, columns, "replicate"))
    for padding in ("replicate", "zeros"):  # what a GPU does, and what a CPU does
        aug = RandomShiftAug(pad, padding)
        assert torch.equal(aug._copy_blocks(pixels, offsets), aug._gather(pixels, offsets))


def test_shift_lets_gradients_through():
    pixels = torch.rand(2, 3, 9, 9, requires_grad=True)
    shifted = RandomShiftAug(2).shift(pixels, torch.tensor([[0, 0], [2, -1]]))
    (gradient,) = torch.autograd.grad(shifted.sum(), pixels)
    assert torch.equal(gradient[0], torch.ones(3, 9, 9)) and gradient[1, 0, 0, 0] == 0


@settings(max_examples=40, deadline=None)
@given(value=st.integers(0, 255), height=st.integers(5, 20), width=st.integers(5, 20))
def test_constant_images_stay_constant(value, height, width):
    pixels = torch.full((3, 3, height, width), value, dtype=torch.uint8)
    assert torch.equal(RandomShiftAug(4)(pixels), pixels)


def test_a_narrow_picture_is_none_with_channels_last():
    for shape in ((3, 15, 84, 12), (2, 30, 40, 9)):  # five and ten frames, narrow pictures
        narrow = torch.zeros(shape, dtype=torch.uint8)
        assert torch.equal(RandomShiftAug(4)(narrow), narrow)
    for shape in ((3, 84, 84, 3), (3, 60, 48, 4), (3, 84, 84, 12)):
        with pytest.raises(ValueError, match="channels come last"):
            RandomShiftAug(2)(torch.zeros(shape, dtype=torch.uint8))


def test_layout_of_the_input_does_not_matter():
    pixels = images(4, 12, 20, 22)
    offsets = RandomShiftAug(4).draw_offsets(4)
    expected = RandomShiftAug(4).shift(pixels, offsets)
    nhwc = pixels.to(memory_format=torch.channels_last)
    view = F.pad(pixels, (3, 3, 3, 3))[:, :, 3:-3, 3:-3]
    for other in (nhwc, view):
        assert torch.equal(RandomShiftAug(4).shift(other, offsets), expected)


def test_shift_and_back_keeps_the_middle():
    pixels = images(6, 3, 24, 24)
    aug = RandomShiftAug(4)
    offsets = aug.draw_offsets(6, torch.Generator().manual_seed(2))
    back = aug.shift(aug.shift(pixels, offsets), -offsets)
    assert torch.equal(back[:, :, 4:-4, 4:-4], pixels[:, :, 4:-4, 4:-4])


def test_module_without_parameters_follows_the_seed():
    assert not list(RandomShiftAug().parameters())
    pixels = images(8, 3, 20, 20)
    torch.manual_seed(1)
    first = RandomShiftAug()(pixels)
    torch.manual_seed(1)
    assert torch.equal(RandomShiftAug()(pixels), first)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("strategy", ["future", "final", "episode"])
def test_her_with_the_augmentation_off_is_sb3s(seed, strategy):
    kwargs = {"goal_selection_strategy": strategy, "n_sampled_goal": 4}
    expected = sample(filled(HerReplayBuffer, **kwargs), 50, seed)
    got = sample(filled(HerDrQDictReplayBuffer, aug_fn=nn.Identity(), **kwargs), 50, seed)
    assert not difference(got, expected)
    shifted = sample(filled(HerDrQDictReplayBuffer, **kwargs), 50, seed)
    assert difference(shifted, expected) == {"observations.pixels", "next_observations.pixels"}


@pytest.mark.parametrize("ours, theirs", PAIRS)
def test_stored_images_are_never_written_to(ours, theirs):
    buffer, expected = filled(ours), filled(theirs)
    for _ in range(3):
        batch = sample(buffer, 30)
        batch.observations["pixels"].zero_()
    for stored, other in (
        (buffer.observations, expected.observations),
        (buffer.next_observations, expected.next_observations),
    ):
        assert (stored["pixels"] == other["pixels"]).all() and stored["pixels"].dtype == np.uint8


def test_same_shift_moves_both_by_one_offset():
    buffer = filled(DrQDictReplayBuffer, aug_fn=RandomShiftAug(3), same_shift=True)
    got, before = sample(buffer, 20), sample(filled(DictReplayBuffer), 20)
    span = range(-3, 4)
    for i in range(20):
        fits = [
            {
                (r, c)
                for r in span
                for c in span
                if torch.equal(
                    pad_and_crop(getattr(before, name)["pixels"][i], 3, r, c, "replicate"),
                    getattr(got, name)["pixels"][i],
                )
            }
            for name in ("observations", "next_observations")
        ]
        assert fits[0] & fits[1]


def test_saved_memory_keeps_its_augmentation(tmp_path):
    vec = make_vec_env()
    model = SAC(
        "MultiInputPolicy",
        vec,
        replay_buffer_class=HerDrQDictReplayBuffer,
        replay_buffer_kwargs={"aug_fn": RandomShiftAug(3), "same_shift": True},
        buffer_size=100,
        learning_starts=100,
        policy_kwargs={"net_arch": [8], "features_extractor_kwargs": {"cnn_output_dim": 4}},
        seed=0,
        device="cpu",
    )
    model.learn(20)
    expected = sample(model.replay_buffer, 10)
    model.save_replay_buffer(tmp_path / "memory.pkl")
    model.load_replay_buffer(tmp_path / "memory.pkl", truncate_last_traj=False)
    assert model.replay_buffer.aug_fn.pad == 3 and model.replay_buffer.same_shift
    assert not difference(sample(model.replay_buffer, 10), expected)
    vec.close()


def test_recorded_episodes_are_real_and_whole():
    """The buffers above hold something: moving pictures, ends of episodes, raised rewards."""
    vec, transitions = recorded()
    done = np.stack([transition[4] for transition in transitions])
    assert done.sum() == 2 * 5
    before, after = (np.stack([t[i]["pixels"] for t in transitions]) for i in (0, 1))
    assert (before != after).any(axis=(2, 3, 4)).mean() > 0.9
