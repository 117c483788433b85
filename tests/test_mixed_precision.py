"""bfloat16: asked for where it pays, close to float32, and never where weights are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from labs.errors import UserError
from labs.experiments.models import autocast
from labs.experiments.presets import preset
from labs.experiments.validation import validate
from labs.fast_sac import FastSAC
from labs.mixed_precision import mixed_precision
from tests.test_fast_sac import CASES, Replayed, make


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (lambda: {"avx512_bf16": True, "avx512_f": True}, torch.bfloat16),
        (lambda: {"amx_bf16": True}, torch.bfloat16),
        (lambda: {"avx512_f": True, "avx512_bf16": False}, None),
        (None, None),  # an older torch cannot tell
    ],
)
def test_a_cpu_is_asked_whether_it_multiplies_bfloat16(monkeypatch, report, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", report, raising=False)
    assert mixed_precision("cpu") is expected


def test_a_card_is_asked_for_products_of_its_own(monkeypatch):
    asked = []

    def supported(including_emulation):
        asked.append(including_emulation)
        return False

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert mixed_precision("cuda:1") is None
    assert asked == [False], "an emulation computes the same numbers and saves nothing"


@pytest.mark.parametrize("case", ["pixels, separate", "pixels, actor", "pixels, critic"])
def test_updates_in_bfloat16_stay_close_and_weights_stay_float32(case):
    _, space, policy, options = CASES[case]
    exact = make(FastSAC, space, policy, 0.05, options)
    mixed = make(FastSAC, space, policy, 0.05, options, autocast=torch.bfloat16)
    mixed.policy.load_state_dict(exact.policy.state_dict())
    losses = []
    for model in (exact, mixed):
        model.replay_buffer = Replayed(space, 10)
        torch.manual_seed(0)
        model.train(gradient_steps=10, batch_size=32)
        losses.append(model.take_losses())
    for name in ("critic_loss", "actor_loss"):
        assert losses[1][name] != losses[0][name], "bfloat16 was asked for and is not used"
        assert losses[1][name] == pytest.approx(losses[0][name], rel=0.03), name
    for name, weight in mixed.policy.state_dict().items():
        if weight.is_floating_point():
            assert weight.dtype == torch.float32, name
    moments = [v for s in mixed.critic.optimizer.state.values() for v in s.values()]
    assert moments and all(v.dtype == torch.float32 for v in moments if torch.is_tensor(v))


def test_values_of_push_keep_their_differences():
    """Near −20 bfloat16 has steps of an eighth."""
    _, space, policy, options = CASES["pixels, critic"]
    model = make(FastSAC, space, policy, 0.05, options, autocast=torch.bfloat16)
    with torch.no_grad():
        model.critic.qf0[-1].bias -= 18.5
        features = torch.randn(256, model.critic.features_extractor.features_dim)
        values = model._update._values(model.critic, features, torch.zeros(256, 4))[:, 0]
    assert values.dtype == torch.float32 and len(values.unique()) > 200


def test_an_arm_computes_as_it_was_measured_unless_told_otherwise():
    assert autocast("auto", "cpu") is None and autocast("float32", "cuda") is None
    assert autocast("auto", "cuda") is torch.bfloat16
    assert autocast("bfloat16", "cpu") is torch.bfloat16
    fast = replace(preset("reach-state-tuned"), precision="bfloat16")
    assert validate(fast) is fast
    with pytest.raises(UserError, match="set engine = fast"):
        validate(replace(fast, engine="sb3", standardize=False, critic_layer_norm=False))
