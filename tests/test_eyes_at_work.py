"""How eyes err at work."""

from __future__ import annotations

import numpy as np
import pytest
import torch.nn.functional as F

from labs import envs
from labs.artifacts import load_artifact
from labs.errors import UserError
from labs.figures.eyes import NAMES, eyes_table, push_from_above
from labs.measurements import eyes_at_work, perception, shift_keypoints
from labs.measurements.eyes_at_work import GUESS, PHASES, UNTRAINED, Moments, bent_and_shaken
from labs.measurements.perception_cells import Cell
from labs.projection import to_table
from labs.simulated_eye import ErrorField

EVERY = np.ones((200, 25), bool)


def test_an_error_of_the_episode_is_bent_and_one_of_the_look_is_shaken():
    rng = np.random.default_rng(0)
    of_episode = rng.normal(0, 0.010, (200, 1, 2)) + [0.05, -0.03]  # one offset for all is neither
    of_look = rng.normal(0, 0.004, (200, 25, 2))
    still = bent_and_shaken(np.broadcast_to(of_episode, (200, 25, 2)), EVERY)
    assert still["shaken"] == pytest.approx(0, abs=1e-9)
    assert still["bent"] == pytest.approx(10, rel=0.15)
    restless = bent_and_shaken(of_look, EVERY)
    assert restless["shaken"] == pytest.approx(4, rel=0.1)
    assert restless["bent"] < 1, "25 looks average it out"
    both = bent_and_shaken(of_episode + of_look, EVERY)
    assert both["bent"] == pytest.approx(10, rel=0.2)
    assert both["shaken"] == pytest.approx(4, rel=0.1)


def test_only_blocks_at_rest_count():
    rests = EVERY.copy()
    rests[:, 10:] = False
    rests[7] = False  # an episode that has none at all
    off = np.zeros((200, 25, 2))
    off[:, 10:] = 9.0
    off[7] = 9.0
    assert bent_and_shaken(off, rests) == {"bent": 0, "shaken": 0}


def test_the_made_eyes_are_what_they_are_called():
    """A fixed error is bent alone, a drawn one shaken."""
    rng = np.random.default_rng(0)
    places = np.column_stack([rng.uniform(1.2, 1.5, 200), rng.uniform(0.6, 0.9, 200)])
    field = ErrorField(0.0175, seed=3)
    fixed = np.array([field(np.append(place, 0.42))[:2] for place in places])
    found = bent_and_shaken(np.repeat(fixed[:, None], 25, axis=1), EVERY)
    assert found["shaken"] == pytest.approx(0, abs=1e-9) and 12 < found["bent"] < 23
    drawn = bent_and_shaken(rng.normal(0, 0.0175, (200, 25, 2)), EVERY)
    assert 16 < drawn["shaken"] < 19 and drawn["bent"] < 5


def test_every_moment_has_one_phase():
    block = np.zeros((1, 4, 2))
    block[0, 3] = [0.05, 0]  # pushed at the last
    gripper = np.array([[[0.3, 0], [0.07, 0], [0.09, 0], [0.3, 0]]])
    moments = Moments(np.zeros((1, 4, 3, 8, 8), np.uint8), block, gripper)
    phases = moments.phases()
    assert tuple(phases) == PHASES
    assert (sum(where.astype(int) for where in phases.values()) == 1).all()
    assert [next(n for n in PHASES if phases[n][0, t]) for t in range(4)] == [
        *("before", "beside", "before", "pushed")
    ]


def test_real_eyes_on_real_pushes():
    """Locators see; a guess is bent."""
    first = "push-distilled/seed0"
    rows = eyes_at_work.measure([first], episodes=4, frames=600, progress=False)
    by_run = {row["run"]: row for row in rows}
    told, locator, eye, drawn, guess = (
        by_run[f"{name}/seed0"]
        for name in (
            *("locator-push-workspace", "locator-push-workspace-rewards"),
            *("push-distilled", UNTRAINED, GUESS),
        )
    )
    assert told["phases"]["pushed"]["mean"] < 20
    pushed = [row["phases"]["pushed"]["mean"] for row in (locator, eye, drawn, guess)]
    assert pushed == sorted(pushed) and pushed[0] < 20 < 60 < pushed[2]
    assert guess["shaken"] < 2 < locator["shaken"]
    assert sum(phase["n"] for phase in guess["phases"].values()) == 4 * 51


def test_without_an_encoder_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    with pytest.raises(UserError, match=f"pixels train {eyes_at_work.ARMS[0]} --seeds 0"):
        eyes_at_work.eyes_at_work(progress=False)


def test_the_table_has_a_row_for_each_eye_and_says_which_way_it_errs():
    eyes = load_artifact("eyes-at-work").json("measurement.json")["eyes"]
    head, _, *rows = eyes_table().data.splitlines()
    assert len(rows) == len(eyes)
    for eye, row in zip(eyes, rows, strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[0] == NAMES.get(eye["run"], f"encoder of `{eye['run']}`")
        assert cells[-2:] == [f"{eye['shaken']:.1f} mm", f"{eye['bent']:.1f} mm"]
    names = [name.strip() for name in head.strip("|").split("|")]
    assert names[-2:] == ["shaken", "bent"]


def test_a_push_from_above_ties_each_look_to_its_place():
    block = np.array([[1.0, 1.0], [1.1, 1.0], [1.2, 1.0]])
    figure = push_from_above(block, {"one": block + 0.01, "other": block})
    first, second = figure.axes
    assert [first.get_title(loc="left"), second.get_title(loc="left")] == ["one", "other"]
    ties = [line for line in first.lines if len(line.get_xdata()) == 2]
    assert len(ties) == 3
    for tie, place in zip(ties, block, strict=True):
        assert np.allclose(tie.get_xdata(), [100 * place[0], 100 * place[0] + 1])


@pytest.fixture
def frames(monkeypatch):
    """Tiny frames of thirty moments, ten of them held out."""
    monkeypatch.setattr(perception, "HELD_OUT", 10)
    rows, found = perception.resized_rows(30, 10), {}
    for camera in envs.CAMERAS:
        found[camera] = np.zeros((30, 2, 2, 3), np.uint8)
        found[f"{camera}_sphere"] = found[camera] + np.uint8(1)
        found[f"{camera}_resized"] = found[camera][rows]
        found[f"{camera}_resized"][:, 0, :, 0] = 4
    return found


def test_resizing_changes_pixels_where_one_of_their_colors_changes(frames):
    for found in perception._frame_differences(frames).values():
        assert list(found.values()) == [2, 0.5, 2, 4, 0]


def test_a_cell_is_measured_on_held_out_frames_and_on_pairs_of_one_moment(frames, monkeypatch):
    def model(frames):  # half a deviation along x for each unit of brightness
        return F.pad(frames.float().mean((1, 2, 3))[:, None] / 2, (0, 4))

    monkeypatch.setattr(perception, "fit", lambda *given: (model, {}))
    monkeypatch.setattr(perception, "shifted", lambda frames, *how: frames)
    positions = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    frames |= {"positions": positions, "goals": positions[:, :2] + np.float32([0.1, 0])}
    found = perception.run_cell(Cell("default", "nature", True, True, 0), frames)
    mean, std = positions[:20, :2].mean(0), positions[:20, 0].std(ddof=1)

    def off(brightness, rows=slice(20, None)):  # millimeters
        return 1000 * np.linalg.norm(mean + [std * brightness / 2, 0] - positions[rows, :2], axis=1)

    assert found["block"]["mean"] == pytest.approx(off(0).mean(), rel=1e-5)
    assert found["pull"]["mean"] == pytest.approx(500 * std, rel=1e-4), "toward the goal"
    added = (off(1) - off(0)).mean()
    assert found["other_sphere"]["added_error"]["mean"] == pytest.approx(added, rel=1e-3)
    native, resized = (off(brightness, [20, 25]).mean() for brightness in (0, 2 / 3))
    for name, value in (("native", native), ("resized_adds", resized - native)):
        assert found[name]["block"]["mean"] == pytest.approx(value, rel=1e-3), name


def test_a_camera_s_numbers_are_those_of_where_things_stood_before_the_step():
    labels = np.zeros((84, 84), np.uint8)
    labels[30:34, 20:23], labels[50:53, 60:64] = 1, 2  # gripper at (21, 31.5), block at (61.5, 51)
    place = to_table(envs.CAMERAS["workspace"], np.array([[61.5, 51]]), np.array([0.425]))[0]
    positions = np.array([[[[1.3, 0.7, 0.5], [*place + step, 0.425]] for step in (0, 0.1)]])
    found = shift_keypoints.measure_camera("workspace", [(labels, labels)], positions)
    distance = np.hypot(61.5 - 21, 51 - 31.5)
    assert found["distance_pixels"]["mean"] == pytest.approx(distance, abs=1e-3)
    assert found["shift_over_distance"]["median"] == pytest.approx(4 / distance, abs=1e-5)
    assert found["pixels"]["relative"]["max"] < 1e-3, "both move alike"
    assert found["ray_misses_block_cm"]["max"] < 0.01
    assert found["block_beyond_5_cm"] < 0.1 < 0.9 * found["cm"]["block"]["p5"]
