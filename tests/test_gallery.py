"""The gallery: what is recorded, what is said of it, and the widget that shows it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from labs import envs
from labs.artifacts import load_artifact
from labs.errors import UserError
from labs.experiments import video
from labs.experiments.config import RunConfig
from labs.experiments.environments import make_one
from labs.experiments.evaluate import NoOp
from labs.experiments.keypoints import STRIDE, has_keypoints, keypoints_of, places_of
from labs.experiments.policies import TrainedPolicy, build_policy, load_policy
from labs.experiments.presets import preset
from labs.measurements import gallery, rollouts
from labs.measurements.occlusion import occlusion_map
from labs.widgets.rollout_gallery import RolloutGallery
from tests.browser import PHONE, overflow, visit


def rollout(distances, motion=0.1, success=None):
    distances = np.asarray(distances, float)
    success = bool(distances[-1] < 0.05) if success is None else success
    return rollouts.Rollout(None, None, distances, None, motion, success)


@pytest.mark.parametrize(
    ("distances", "motion", "words"),
    [
        ([0.03, 0.03, 0.03], 0.0, "nothing was done"),
        ([0.2, 0.2, 0.2], 0.0, "never moves"),
        ([0.2, 0.04, 0.03], 0.2, "from step 1 on and stays"),
        ([0.2, 0.04, 0.2, 0.03], 0.2, "from step 3 on"),
        ([0.2, 0.04, 0.2], 0.2, "passes the goal: within 5 cm first at step 1"),
        ([0.04, 0.1, 0.2], 0.2, "pushed off it"),
        ([0.3, 0.2, 0.25], 0.1, "never comes within 5 cm: its closest is 20.0 cm at step 1"),
    ],
)
def test_what_to_notice_follows_the_numbers(distances, motion, words):
    assert words in rollouts.what_to_notice(rollout(distances, motion), "push")


def test_reach_has_no_block_to_speak_of():
    text = rollouts.what_to_notice(rollout([0.2, 0.1], motion=0.0), "reach")
    assert "block" not in text and "never comes within 5 cm" in text


def test_centers_are_means_of_pixels_and_hidden_things_have_none():
    labels = np.zeros((10, 20), np.uint8)
    labels[2:4, 10:14] = envs.SEGMENTS["object"]
    found = rollouts.centers(labels)
    np.testing.assert_allclose(found[rollouts.POINTS.index("object")], [12 / 20, 3 / 10])
    assert np.isnan(found[rollouts.POINTS.index("goal")]).all()


class Looker:
    """Acts on one patch of the picture and on nothing else."""

    def predict(self, obs, deterministic=True):
        patch = obs["pixels"][:, :, 14:21, 70:77].astype(float).mean(axis=(1, 2, 3))
        return np.stack([patch / 255, obs["goal"][:, 0]], axis=1)


def test_an_occlusion_map_shows_where_the_policy_looks():
    pixels = np.zeros((12, 84, 84), np.uint8)
    pixels[:, 14:21, 70:77] = 255
    found = occlusion_map(Looker(), {"pixels": pixels, "goal": np.array([0.3])})
    assert found.shape == (12, 12)
    assert np.unravel_index(found.argmax(), found.shape) == (2, 10)
    assert np.count_nonzero(found) == 1, "no other patch matters to it"


def test_of_two_views_the_first_is_mapped():
    pixels = np.zeros((12, 84, 168), np.uint8)
    pixels[:, 14:21, 70:77] = pixels[:, 14:21, 154:161] = 255
    found = occlusion_map(Looker(), {"pixels": pixels, "goal": np.array([0.3])}, views=2)
    assert np.argwhere(found).tolist() == [[2, 10]]


def test_keypoints_are_those_of_the_newest_frame():
    policy = load_policy("push-located-rewards-n3/seed0")
    assert has_keypoints(policy)
    env = make_one(policy.config)
    obs, _ = env.reset(seed=3)
    env.close()
    found, places = keypoints_of(policy, obs), places_of(policy, obs)
    assert found.shape == places.shape == (32, 2)
    # The last cell looks at what lies around the fourth pixel before the edge.
    side = policy.config.image_size
    np.testing.assert_allclose(places, ((found + 1) / 2 * (side - STRIDE) + 0.5) / side, atol=1e-6)
    older = obs["pixels"].copy()
    older[:-3] = 0
    same = keypoints_of(policy, obs | {"pixels": older})
    np.testing.assert_allclose(same, found, atol=1e-5)
    gray = obs | {"pixels": np.full_like(obs["pixels"], 128)}
    assert np.abs(keypoints_of(policy, gray) - found).max() > 0.1, "they follow the picture"


@pytest.fixture
def two_views():
    config = preset("reach-keypoint")
    env = make_one(config)
    untrained = build_policy(config, env.observation_space, env.action_space)
    env.close()
    return TrainedPolicy(config, untrained)


def test_keypoints_of_two_views_lie_in_neither(two_views):
    assert not has_keypoints(two_views)


def test_a_film_shows_the_keypoints_that_lie_in_its_picture(two_views, monkeypatch):
    draws = []
    monkeypatch.setattr(video, "episode_frames", lambda *given: draws.append(given[-1]) or [None])
    monkeypatch.setattr(video, "write_video", lambda path, frames: None)
    for policy in (load_policy("push-located-rewards-n3/seed0"), two_views, NoOp()):
        video.record(policy, None, "", episodes=1)
    assert callable(draws[0]) and draws[1:] == [None, None]


def test_a_policy_without_keypoints_says_so():
    assert not has_keypoints(NoOp())
    policy = load_policy("push-state-tuned/seed0")
    assert not has_keypoints(policy)
    with pytest.raises(ValueError, match="no SpatialSoftmax"):
        keypoints_of(policy, {})


def test_a_recorded_episode_is_the_simulator_s():
    found = rollouts.record(NoOp(), RunConfig(task="push"), seed=7, side=32)
    assert found.frames.shape == (51, 32, 32, 3) and found.actions.shape == (50, 4)
    assert found.points.shape == (51, 3, 2) and found.maps is None
    assert found.motion < 0.005 and np.ptp(found.distances) < 0.01
    env = envs.make_env("push", render_mode=None)
    start, _ = env.reset(seed=7)
    env.close()
    distance = np.linalg.norm(start["achieved_goal"] - start["desired_goal"])
    assert found.distances[0] == pytest.approx(distance)
    assert found.success == (found.distances[-1] < 0.05)


def test_snapshots_are_policies_of_their_own():
    config = RunConfig(task="reach", learning_starts=50, batch_size=8, total_steps=100)
    found = gallery.snapshots(config, (0, 100))
    assert list(found) == [0, 100]
    first, last = (p.sb3.actor.latent_pi[0].weight for p in found.values())
    assert (first != last).any(), "a later snapshot must not be the earlier one"


def test_a_start_that_does_not_exist_is_an_error(monkeypatch):
    monkeypatch.setattr(gallery, "SEARCH", 1)
    wanted = [(NoOp(), RunConfig(task="push"), lambda r: r.motion > 1)]
    with pytest.raises(UserError, match="no start of 1"):
        gallery.find_start(wanted, "the block flies")


def test_the_gallery_names_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    with pytest.raises(UserError, match="pixels train push-blind-tuned"):
        gallery.gallery(progress=False)


# ------------------------------------------------------------------------------------- the artifact


def test_the_artifact_is_small_and_says_what_its_numbers_say():
    artifact = load_artifact("gallery")
    files = sum(artifact.file(name).stat().st_size for name in artifact.provenance["files"])
    assert files < 700_000
    stored = artifact.json("measurement.json")
    for entry, track in zip(stored["rollouts"], artifact.json("tracks.json"), strict=True):
        distances = np.array(track["distances"])
        assert len(distances) == envs.EPISODE_STEPS + 1 == len(track["points"])
        assert (entry["start"], entry["end"]) == (distances[0], distances[-1])
        assert entry["success"] == bool(distances[-1] < 0.05)
        again = rollout(distances, entry["motion"], entry["success"])
        # Of equal closest points a rounded track may name another one.
        said = [
            re.sub(r"cm at step \d+,", "cm,", text)
            for text in (entry["notice"], rollouts.what_to_notice(again, entry["task"]))
        ]
        assert said[0] == said[1]
    outcomes = {entry["success"] for entry in stored["rollouts"]}
    assert outcomes == {True, False}, "good and bad"


def test_the_widget_carries_every_episode():
    widget = RolloutGallery.from_artifact(chosen=3, step=20)
    stored = load_artifact("gallery").json("measurement.json")
    assert [r["label"] for r in widget.rollouts] == [r["label"] for r in stored["rollouts"]]
    assert len(json.dumps(widget.state())) < 600_000
    assert widget.frame(0, 50).shape == (stored["side"], stored["side"], 3)
    uri, words = widget.still()
    assert uri.startswith("data:image/png") and stored["rollouts"][3]["notice"] in words
    one = RolloutGallery.from_artifact(groups=("Reach",))
    assert {r["group"] for r in one.rollouts} == {"Reach"}
    with pytest.raises(ValueError, match="expected some of"):
        RolloutGallery.from_artifact(groups=("Fly",))


@pytest.mark.browser
def test_episode_step_and_marks_change_the_picture(browser, tmp_path):
    path = tmp_path / "page.html"
    widget = RolloutGallery.from_artifact()
    path.write_text(f"<!doctype html><html data-theme='light'><body>{widget.to_html()}</body>")
    with visit(browser, path) as seen:
        seen.page.wait_for_selector("canvas")
        look = lambda: seen.page.locator("canvas").evaluate("c => c.toDataURL()")  # noqa: E731
        first = look()
        seen.page.get_by_label("Mark gripper, block and goal").uncheck()
        assert look() != first
        before = look()
        names = [f"{r['group']}: {r['label']}" for r in widget.rollouts]
        other = next(i for i, n in enumerate(names) if n.endswith("full state"))
        seen.page.get_by_label("Episode").select_option(index=other)
        assert (
            widget.rollouts[other]["notice"] in seen.page.locator("[aria-live]").first.inner_text()
        )
        slider = seen.page.get_by_role("slider", name="Step")
        slider.focus()
        seen.page.keyboard.press("End")
        assert look() != before
        assert "The episode is over." in seen.page.locator("[aria-live]").nth(1).inner_text()
        assert not seen.errors and not seen.outside


@pytest.mark.browser
def test_it_fits_a_phone(browser, tmp_path):
    path = tmp_path / "page.html"
    html = RolloutGallery.from_artifact().to_html()
    path.write_text(f"<!doctype html><html data-theme='dark'><body>{html}</body>")
    with visit(browser, path, size=PHONE) as seen:
        seen.page.wait_for_selector("canvas")
        assert overflow(seen.page) == 0
