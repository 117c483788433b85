"""The HER relabeling widget: a real episode, real rewards, alive in a page without a kernel."""

from __future__ import annotations

import re

import numpy as np
import pytest

from labs.envs import DISTANCE_THRESHOLD, make_env
from labs.widgets.her_relabelling import HerRelabelling, scripted_push
from tests.browser import PHONE, overflow, visit


@pytest.fixture(scope="module")
def widget():
    return HerRelabelling.from_env()


@pytest.fixture
def page(widget, tmp_path):
    path = tmp_path / "page.html"
    html = f"<!doctype html><html data-theme='light'><body>{widget.to_html()}</body></html>"
    path.write_text(html)
    return path


def test_the_episode_is_simulated_and_the_block_moves():
    episode = scripted_push()
    assert episode["block"].shape == episode["gripper"].shape == (51, 3)
    assert np.linalg.norm(episode["block"][-1] - episode["block"][0]) > 0.10
    again = scripted_push()
    assert all(np.array_equal(episode[key], again[key]) for key in episode)
    env = make_env("push", render_mode=None)
    observation, _ = env.reset(seed=0)
    env.close()
    assert np.array_equal(observation["achieved_goal"], episode["block"][0])
    assert np.array_equal(observation["desired_goal"], episode["goal"])


def test_the_episode_fails_but_hindsight_pays():
    episode = scripted_push()
    assert (episode["rewards"] == -1).all(), "the page tells of an episode without one success"
    assert (np.diag(episode["hindsight"]) == 0).all(), "t' = t is a success by construction"
    assert (episode["hindsight"] == -1).any()


def test_rewards_are_those_of_the_distances():
    episode = scripted_push(seed=1)
    reached = episode["block"][1:]
    far = np.linalg.norm(reached - episode["goal"], axis=1) > DISTANCE_THRESHOLD
    assert 0 < far.sum() < 50, "this episode has both rewards"
    np.testing.assert_array_equal(episode["rewards"], -far.astype(float))
    far = np.linalg.norm(reached[:, None] - reached[None], axis=2) > DISTANCE_THRESHOLD
    np.testing.assert_array_equal(episode["hindsight"], -far.astype(float))


def test_the_state_is_small_and_in_rounded_centimeters(widget):
    assert len(widget.to_html()) < 300_000
    block = np.array(widget.episode["block"])
    assert block.shape == (51, 2) and 40 < block.min() and block.max() < 180
    np.testing.assert_array_equal(block, block.round(1))


def test_the_still_says_what_it_shows(widget):
    uri, alternative = widget.still()
    assert uri.startswith("data:image/png;base64,")
    assert "step t = 26" in alternative and "original goal: reward −1" in alternative


@pytest.mark.parametrize("place", [{"t": 31}, {"future": 50}, {"t": -1}])
def test_a_goal_from_the_past_or_outside_is_refused(place):
    with pytest.raises(ValueError, match="0 ≤ t ≤ future < 50"):
        HerRelabelling.from_env(**place)


def shown(seen) -> list[str]:
    return seen.page.locator("tbody td strong").all_text_contents()


@pytest.mark.browser
def test_sliders_change_the_substituted_reward_only(browser, widget, page):
    with visit(browser, page) as seen:
        future = seen.page.get_by_role("slider", name=re.compile("Step t′"))
        future.focus()
        seen.page.keyboard.press("End")
        expected = [widget.episode["rewards"][26], widget.episode["hindsight"][26][49]]
        assert shown(seen) == [str(r).replace("-", "−") for r in expected] == ["−1", "−1"]
        for _ in range(49 - 26):
            seen.page.keyboard.press("ArrowLeft")
        assert shown(seen) == ["−1", "0"], "t' = t: the step reached what it reached"
        before = seen.page.locator("svg").get_attribute("aria-label")
        seen.page.keyboard.press("ArrowLeft")
        assert future.input_value() == "26", "a goal from the past cannot be chosen"
        time = seen.page.get_by_role("slider", name="Step t, whose")
        time.focus()
        seen.page.keyboard.press("End")
        assert future.input_value() == "49", "t' follows t"
        assert seen.page.locator("svg").get_attribute("aria-label") != before
        assert not seen.errors and not seen.outside


@pytest.mark.browser
def test_a_drawn_future_is_never_in_the_past(browser, page):
    with visit(browser, page) as seen:
        future = seen.page.get_by_role("slider", name=re.compile("Step t′"))
        drawn = set()
        for _ in range(30):
            seen.page.get_by_role("button", name="Draw t′").click()
            drawn.add(int(future.input_value()))
        assert min(drawn) >= 26 and max(drawn) <= 49 and len(drawn) > 5


@pytest.mark.browser
def test_it_fits_a_phone_and_leaves_a_picture_without_scripts(browser, page):
    with visit(browser, page, size=PHONE) as seen:
        seen.page.wait_for_selector("svg")
        assert overflow(seen.page) == 0
    with visit(browser, page, scripts=False) as seen:
        assert "Push episode from above" in seen.page.locator("img.pnc-still").get_attribute("alt")
