"""A run that takes another run's encoder or policy: what it takes, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from labs.artifacts import load_artifact
from labs.errors import UserError
from labs.experiments import environments, launch, presets
from labs.experiments.models import build
from labs.experiments.policies import WEIGHTS, load_policy
from labs.experiments.pretrained import lend_acting_policy, lend_encoder
from labs.experiments.train import Training, train

TOLD = replace(
    presets.smoke(presets.preset("push-asymmetric-achieved")),
    **{"arm": "told", "image_size": 36, "net_arch": (16, 16), "video_episodes": 0, "batch_size": 8},
)
TAKES = replace(
    TOLD,
    **{"arm": "takes", "seed": 1, "critic_sees": "same", "routing": "critic"},
    **{"frozen_encoder": True, "pretrained_encoder": "told/seed0"},
)


@pytest.fixture(scope="module", autouse=True)
def a_run_that_lends(tmp_path_factory):
    """One short run whose encoder the others take."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("lends")
        patch.setenv("PIXELS_DATA", str(folder / "data"))
        patch.setenv("PIXELS_RUNS", str(folder / "runs"))
        patch.setattr("labs.experiments.finish.evaluate", lambda *given, **how: {})
        train(TOLD)
        yield


def _encoder(path):
    weights = load_file(path / WEIGHTS)
    learned = {n: w for n, w in weights.items() if ".inner." in n and w.is_floating_point()}
    assert len(learned) >= 4
    return learned


def test_the_encoder_is_the_lenders_and_learns_nothing():
    """Bit by bit, after a whole training; the lender is named beside the result, with its hash."""
    path = train(TAKES)
    theirs = load_artifact("told/seed0")
    mine, lent = _encoder(path), _encoder(theirs.path)
    assert mine.keys() == lent.keys()
    assert all(torch.equal(mine[name], lent[name]) for name in lent)
    assert load_artifact("takes/seed1").provenance["encoder_from"] == {
        "artifact": "told/seed0",
        "weights_sha256": theirs.provenance["files"][WEIGHTS],
    }


def test_what_acts_is_the_lenders_policy_and_the_record_names_it():
    lends = replace(
        presets.smoke(presets.preset("push-blind-tuned")),
        **{"arm": "lends", "net_arch": (16, 16), "video_episodes": 0},
    )
    train(lends)
    config = replace(lends, arm="led", seed=1, acting_ends=150, acting_policy="lends/seed0")
    run = Training(config)
    path = run.run()
    theirs = load_artifact("lends/seed0")
    wanted = {"artifact": "lends/seed0", "weights_sha256": theirs.provenance["files"][WEIGHTS]}
    assert load_artifact(path).provenance["acting_from"] == wanted
    acting, lent = run.model.acting.actor.state_dict(), load_file(theirs.path / WEIGHTS)
    assert acting.keys() == lent.keys()
    assert all(torch.equal(acting[name], lent[name].to(acting[name].dtype)) for name in lent)
    with pytest.raises(UserError, match="told .*pixels.* give an acting_policy"):
        train(replace(config, arm="refused", acting_policy="told/seed0"))


@pytest.mark.parametrize(
    "helped", [{}, {"critic_sees": "same", "routing": "critic", "auxiliary": 1.0}]
)
def test_who_acts_for_a_run_that_is_told_more_reads_what_it_read_before(helped):
    config = replace(TOLD, acting_ends=150, acting_policy="told/seed0", **helped)
    env = environments.make_training_env(config)
    model, obs = build(config, env), env.reset()
    lend_acting_policy(model, config)
    env.close()
    seen = {key: value for key, value in obs.items() if key != "privileged"}
    wanted = load_policy("told/seed0").sb3.predict(seen, deterministic=True)[0]
    assert "privileged" in obs
    assert np.array_equal(model.acting_policy.predict(obs, deterministic=True)[0], wanted)


@pytest.mark.parametrize("told", [False, True])
def test_actor_critic_and_target_see_alike(told):
    """One eye for all who look; a critic that is told has none to be given."""
    helped = {"critic_sees": "achieved", "routing": "separate"} if told else {}
    config = replace(TAKES, **helped)
    model = build(config, environments.make_training_env(config))
    drawn = model.actor.features_extractor.state_dict()["vectors.mean"].clone()
    lend_encoder(model, config)
    seers = (model.actor,) if told else (model.actor, model.critic, model.critic_target)
    first, *others = [network.features_extractor.state_dict() for network in seers]
    model.env.close()
    assert not torch.equal(first["vectors.mean"], drawn), "the statistics stayed behind"
    assert all(torch.equal(first[key], other[key]) for other in others for key in first)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_size": 48}, "image_size = 36 there and 48 here"),
        ({"camera": "default"}, "camera = workspace there and default here"),
        ({"num_filters": 8}, "num_filters = "),
        ({"pretrained_encoder": "nobody/seed0"}, "nobody"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(changes, words):
    with pytest.raises(UserError, match=words):
        train(replace(TAKES, arm="refused", **changes))


def test_an_encoder_that_does_not_fit_is_met_by_a_plan(monkeypatch):
    monkeypatch.setattr(launch.guards, "check_resources", lambda *a, **k: None)
    assert launch.is_to_train(replace(TAKES, arm="planned"))
    with pytest.raises(UserError, match="image_size = 36 there and 48 here"):
        launch.is_to_train(replace(TAKES, arm="planned", image_size=48))


def test_another_eye_gives_other_features():
    """The control: two networks of one seed, one with the lent encoder, do not see the same."""
    env = environments.make_training_env(TAKES)
    obs = env.reset()
    features = []
    for lends in (False, True):
        model = build(TAKES, env)
        if lends:
            lend_encoder(model, TAKES)
        batch, _ = model.policy.obs_to_tensor(obs)
        with torch.no_grad():
            features.append(model.actor.extract_features(batch, model.actor.features_extractor))
    env.close()
    seen = np.asarray(features)
    assert np.abs(seen[0] - seen[1])[:, :64].max() > 1e-3
