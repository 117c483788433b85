"""The visual encoder against Stable-Baselines3, torch.distributions and numerical integration."""

from __future__ import annotations

import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution
from stable_baselines3.common.preprocessing import preprocess_obs
from stable_baselines3.common.torch_layers import CombinedExtractor
from stable_baselines3.common.torch_layers import NatureCNN as SB3NatureCNN
from stable_baselines3.sac.policies import MultiInputPolicy
from torch.distributions import Independent, Normal, TanhTransform, TransformedDistribution

from labs import from_scratch_sac
from labs.checks.visual_encoder import goal_space, image_space, random_batch
from labs.errors import UserError
from labs.measurements import scratch_demo
from labs.visual_encoder import (
    NatureCNN,
    NormalizedCombinedExtractor,
    VisualGaussianPolicy,
    VisualGoalEncoder,
    VisualTwinQNetwork,
    shape_table,
    squashed_gaussian_log_prob,
)

torch.set_num_threads(1)
FEW = settings(max_examples=15, deadline=None)


@pytest.mark.parametrize(("channels", "size"), [(3, (84, 84)), (12, (84, 84)), (1, (51, 77))])
def test_nature_cnn_equals_sb3(channels, size):
    theirs = SB3NatureCNN(image_space(channels, *size), features_dim=128)
    ours = NatureCNN(channels, 128, size)
    ours.load_state_dict(theirs.state_dict())  # same names, same shapes
    images = torch.rand(3, channels, *size)
    torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=1e-6)


def test_share_of_the_goals_against_sb3():
    space = goal_space(pixels=image_space())
    theirs, ours = CombinedExtractor(space), NormalizedCombinedExtractor(space)
    assert (theirs.features_dim, ours.features_dim) == (262, 56)
    assert round(100 * 6 / theirs.features_dim, 1) == 2.3
    assert round(100 * 6 / ours.features_dim, 1) == 10.7


def test_extractor_inside_an_sb3_policy():
    space = goal_space(pixels=image_space(), proprioception=True)
    action_space = gym.spaces.Box(-1, 1, (4,), np.float32)
    policy = MultiInputPolicy(
        space,
        action_space,
        lambda _: 1e-3,
        features_extractor_class=NormalizedCombinedExtractor,
        features_extractor_kwargs={"cnn_output_dim": 20},
    )
    action, _ = policy.predict(space.sample(), deterministic=True)
    assert action.shape == (4,) and np.isfinite(action).all()
    # SB3 divides by 255 before the extractor; the raw uint8 image would be refused.
    raw = {key: torch.as_tensor(value)[None] for key, value in space.sample().items()}
    extractor = policy.actor.features_extractor
    seen = preprocess_obs(raw, space)
    assert seen["pixels"].max() <= 1
    assert extractor(seen).shape == (1, 36)
    with pytest.raises(TypeError, match="uint8"):
        extractor(raw)


@FEW
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 12),
    height=st.integers(36, 99),
    width=st.integers(36, 99),
    dim=st.integers(1, 64),
)
def test_nature_cnn_any_shape(batch, channels, height, width, dim):
    cnn = NatureCNN(channels, dim, (height, width))
    out = cnn(torch.rand(batch, channels, height, width))
    assert out.shape == (batch, dim) and out.isfinite().all()
    with pytest.raises(ValueError, match=rf"{channels}, {height}, {width}\)"):
        cnn(torch.rand(batch, channels, height + 1, width))


@FEW
@given(
    batch=st.integers(1, 3),
    stack=st.integers(1, 4),
    height=st.integers(36, 60),
    width=st.integers(36, 60),
    dim=st.integers(2, 32),
)
def test_extractor_any_shape(batch, stack, height, width, dim):
    space = goal_space(pixels=image_space(3 * stack, height, width))
    extractor = NormalizedCombinedExtractor(space, dim)
    assert extractor(random_batch(space, batch)).shape == (batch, dim + 6)


# ----------------------------------------------------------------------------- squashed Gaussian


def numbers(low, high):
    return st.floats(low, high, allow_nan=False)


@FEW
@given(
    mean=st.lists(numbers(-3, 3), min_size=1, max_size=4),
    log_std=numbers(-4, 1.5),
    seed=st.integers(0, 2**31 - 1),
)
def test_log_prob_equals_torch_distributions(mean, log_std, seed):
    mean = torch.tensor([mean], dtype=torch.float64)
    log_std = torch.full_like(mean, log_std)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(mean.shape, generator=generator, dtype=torch.float64)
    pre_tanh = mean + log_std.exp() * noise
    ours = squashed_gaussian_log_prob(mean, log_std, pre_tanh)
    transform = TanhTransform(cache_size=1)  # the cache spares an inexact atanh
    theirs = TransformedDistribution(Independent(Normal(mean, log_std.exp()), 1), [transform])
    expected = theirs.log_prob(transform(pre_tanh))
    torch.testing.assert_close(ours.squeeze(1), expected, rtol=1e-9, atol=1e-9)


def test_log_prob_equals_sb3():
    mean, log_std = torch.randn(16, 4), torch.randn(16, 4) * 0.3 - 1
    theirs = SquashedDiagGaussianDistribution(4, epsilon=0).proba_distribution(mean, log_std)
    action = theirs.sample()
    ours = squashed_gaussian_log_prob(mean, log_std, theirs.gaussian_actions)
    torch.testing.assert_close(ours.squeeze(1), theirs.log_prob(action), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, -1.0), (0.5, 0.0), (-1.0, -0.7)])
def test_probability_of_an_interval(mean, log_std):
    """P(a < 0.3) by integrating our density over actions equals the Gaussian's own integral."""

    def density(action: float) -> float:
        values = (mean, log_std, math.atanh(action))
        args = [torch.tensor([[v]], dtype=torch.float64) for v in values]
        return squashed_gaussian_log_prob(*args).exp().item()

    below, _ = quad(density, -1 + 1e-12, 0.3, limit=500)
    expected = Normal(mean, math.exp(log_std)).cdf(torch.tensor(math.atanh(0.3))).item()
    assert below == pytest.approx(expected, abs=1e-5)


def test_gradient_reaches_mean_and_std():
    mean = torch.zeros(8, 4, requires_grad=True)
    log_std = torch.full((8, 4), -1.0, requires_grad=True)
    action, log_prob = from_scratch_sac.sample_squashed_gaussian(mean, log_std)
    (action.sum() + log_prob.sum()).backward()
    assert mean.grad.abs().sum() > 0 and log_std.grad.abs().sum() > 0


@FEW
@given(batch=st.integers(1, 4), actions=st.integers(1, 6), goals=st.integers(1, 7))
def test_from_scratch_networks_any_shape(batch, actions, goals):
    encoder = VisualGoalEncoder(3, goals, 10, (37, 45))
    pixels, goal = torch.rand(batch, 3, 37, 45), torch.rand(batch, goals)
    action, log_prob = VisualGaussianPolicy(encoder, actions, 16)(pixels, goal)
    assert action.shape == (batch, actions) and log_prob.shape == (batch, 1)
    q1, q2 = VisualTwinQNetwork(encoder, actions, 16)(pixels, goal, action)
    assert q1.shape == q2.shape == (batch, 1)


# ------------------------------------------------------------------------------- table and demo


def test_shape_table_prints_and_leaves_no_hook():
    cnn = NatureCNN(12)
    table = shape_table(cnn, torch.zeros(1, 12, 84, 84))
    text = str(table)
    assert "(1, 32, 20, 20)" in text and "1,700,512" in text and "(1, 3136)" in text
    assert sum(row.parameters for row in table.rows) == table.parameters
    assert not any(m._forward_hooks for m in cnn.modules())


def test_demo_runs_learns_numbers_and_draws(tmp_path, capsys):
    path = tmp_path / "demo.png"
    numbers_ = from_scratch_sac.Settings(
        steps=110, random_steps=60, batch_size=8, image_size=(36, 36), frame_stack=2
    )
    history = from_scratch_sac.demo(path=path, settings=numbers_)
    assert history.episode_steps == [50, 100] and len(history.returns) == 2
    assert history.update_steps == list(range(61, 111))
    assert all(np.isfinite(v).all() for v in history.losses.values())
    assert all(-50 < r < 0 for r in history.returns)
    assert path.read_bytes().startswith(b"\x89PNG")
    out = capsys.readouterr().out
    assert "minutes on this machine" in out and "return" in out


def test_demo_is_reproducible(tmp_path):
    numbers_ = from_scratch_sac.Settings(
        steps=70, random_steps=50, batch_size=8, image_size=(36, 36)
    )
    runs = [from_scratch_sac.demo(path=tmp_path / f"{i}.png", settings=numbers_) for i in range(2)]
    assert runs[0].returns == runs[1].returns
    assert runs[0].losses["critic_loss"] == runs[1].losses["critic_loss"]


def test_demo_refuses_less_than_an_episode():
    with pytest.raises(UserError, match="49 steps"):
        from_scratch_sac.demo(steps=49)


def test_demos_that_could_not_be_written_do_not_begin(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(from_scratch_sac, "train", lambda *a: pytest.fail("trained"))
    for variable, demo in (
        ("PIXELS_RUNS", from_scratch_sac.demo),
        ("PIXELS_DATA", scratch_demo.scratch_demo),
    ):
        monkeypatch.setenv(variable, str(tmp_path / "file"))
        with pytest.raises(UserError, match=f"set {variable} to one that is"):
            demo(steps=50)
        monkeypatch.setenv(variable, str(tmp_path))
