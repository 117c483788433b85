"""The studies of sight: frames with answers, regressions, keypoints under shifts."""

from __future__ import annotations

import json
import shutil

import gymnasium as gym
import numpy as np
import pytest
import torch

from labs import envs
from labs.artifacts import data_root, load_artifact
from labs.errors import UserError
from labs.experiments.guards import refuse_to_lose
from labs.experiments.moments import View
from labs.experiments.position_errors import mean_interval, over_seeds, rounded, summary
from labs.experiments.presets import preset
from labs.measurements import (
    encoder_probe,
    gallery,
    goal_sight,
    perception,
    perception_frames,
    reach_sight,
    shift_keypoints,
    told_sight,
)
from labs.measurements.perception import HELD_OUT, Regressor, by_name, errors_mm, fit, shifted
from labs.measurements.perception_cells import Cell, all_cells
from labs.measurements.perception_frames import MIDDLE, belongs_to_task, show_goal, wander
from labs.measurements.play import in_order, policies_here, run_of
from labs.projection import project, to_table


@pytest.fixture(scope="module")
def env():
    env = envs.make_env("push", image_size=84, goal_sphere=False)
    yield env
    env.close()


# ------------------------------------------------------------------------------------ the frames


def test_a_seed_names_a_moment(env):
    first, second, other = (wander(env, seed)["observation"] for seed in (5, 5, 6))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_who_wanders_draws_apart_from_the_reset_that_places_things():
    """With the reset's own numbers the gripper's way would tell where the block was put."""

    def told(walk_of, n=150):
        env = envs.make_env("push", render_mode=None)
        gripper, block = [], []
        for seed in range(n):
            moment = wander(env, seed, walk_of(seed))
            gripper.append(moment["observation"][:3])
            block.append(moment["achieved_goal"][:2])
        env.close()
        between = np.corrcoef(np.array(gripper).T, np.array(block).T)[:3, 3:]
        return np.abs(between).max()

    assert told(np.random.default_rng) > 0.3 > 0.25 > told(lambda seed: None)


def test_only_moments_of_the_task_are_kept():
    def moment(gripper, block):
        return {"observation": np.array([*gripper, 0.0]), "achieved_goal": np.array(block)}

    middle = (*MIDDLE, 0.425)
    assert belongs_to_task(moment(middle, middle))
    away = (MIDDLE[0] + 0.3, MIDDLE[1], 0.425)
    for gripper, block in ((away, middle), (middle, away), (middle, (*MIDDLE, 0.1))):
        assert not belongs_to_task(moment(gripper, block))
    assert not belongs_to_task(moment((*MIDDLE, 0.7), middle))


def test_the_sphere_comes_and_goes(env):
    env.reset(seed=4)
    env.camera = envs.CAMERAS["workspace"]
    hidden = env.render()
    show_goal(env, True)
    shown = env.render()
    sphere = env.segmentation() == envs.SEGMENTS["goal"]
    show_goal(env, False)
    assert np.array_equal(env.render(), hidden)
    changed = (hidden != shown).any(-1)
    assert sphere.any() and changed[sphere].mean() > 0.9 and changed.sum() < 4 * sphere.sum()


# ------------------------------------------------------------------------------------- the errors


def test_errors_are_millimetres():
    truth = torch.zeros(1, 5)
    answer = torch.tensor([[0.03, 0.04, 0.01, 0.0, 0.02]])
    found = errors_mm(answer, truth)
    assert found["block"][0] == pytest.approx(50)
    assert found["gripper"][0] == pytest.approx(1000 * np.hypot(0.01, 0.02))
    assert found["relative"][0] == pytest.approx(1000 * np.hypot(0.02, 0.04))
    assert list(errors_mm(answer[:, :2], truth[:, :2])) == ["goal"]


def test_a_summary_counts_what_is_missed():
    errors = np.array([10.0, 20.0, 60.0, 30.0])
    found = summary(errors)
    assert found["missed"]["rate"] == 0.25 and found["n"] == 4 and found["median"] == 25
    half = 1.96 * errors.std(ddof=1) / 2
    assert found["mean"] == 30 and found["high"] == pytest.approx(30 + half)
    assert mean_interval(errors)["low"] == pytest.approx(30 - half)


def test_frames_of_one_goal_count_as_one_draw():
    errors, goals = np.array([10.0, 20.0, 60.0]), np.arange(15) // 5 + 7
    assert mean_interval(np.repeat(errors, 5), goals) == pytest.approx(mean_interval(errors))
    assert mean_interval(errors, np.arange(3)) == pytest.approx(mean_interval(errors))
    assert mean_interval(errors, np.zeros(3, int)) == mean_interval(errors), "no other spread"


def test_seeds_are_summed_up():
    cells = [
        {"name": f"cell-seed{k}", "block": summary(np.array([1.0, 3.0]) * (k + 1))}
        for k in range(3)
    ]
    one = by_name(cells[:1])["cell"]
    assert one["seeds"] == 1 and one["block"]["mean"] == 2
    assert one["block"]["high"] == cells[0]["block"]["high"]
    three = by_name(cells)["cell"]
    assert three["seeds"] == 3 and three["block"]["mean"] == pytest.approx(4)
    assert three["block"]["low"] == pytest.approx(over_seeds([c["block"] for c in cells]).low)
    assert 2 <= three["block"]["low"] < 4 < three["block"]["high"] <= 6


# ---------------------------------------------------------------------------------- the regressions


def test_cells_have_names_of_their_own():
    cells = all_cells(3)
    assert len({c.name for c in cells}) == len(cells)
    assert {c.seed for c in cells} == {0, 1, 2}
    assert all_cells(1)[0] == Cell("default", "nature", True, True, 0)


@pytest.mark.parametrize("encoder", ["nature", "keypoints", "spatial_softmax", "flat"])
def test_every_encoder_answers(encoder):
    frames = torch.randint(0, 256, (2, 84, 84, 3), dtype=torch.uint8)
    model = Regressor(encoder, normalize=True, outputs=2)
    assert model(frames).shape == (2, 2)
    assert model.features(frames).abs().max() <= 1
    with pytest.raises(ValueError, match="received 'resnet'"):
        Regressor("resnet", normalize=True)


def test_a_random_encoder_stays_random(monkeypatch):
    monkeypatch.setattr(perception, "BATCH", 8)
    frames = torch.randint(0, 256, (32, 84, 84, 3), dtype=torch.uint8)
    targets = torch.randn(32, 5, generator=torch.Generator().manual_seed(0))
    for trained in (True, False):
        cell = Cell("default", "nature", True, trained, 0, epochs=2)
        torch.manual_seed(cell.seed)
        fresh = Regressor("nature", True)
        model, result = fit(cell, frames, targets, lambda model: 1.0)
        pairs = zip(fresh.encoder.parameters(), model.encoder.parameters(), strict=True)
        same = [torch.equal(a, b) for a, b in pairs]
        assert all(same) is not trained
        assert not torch.equal(fresh.head[0].weight, model.head[0].weight)
        assert len(result["by_epoch"]) == (2 if trained else 0)


def test_shifts_move_whole_frames():
    frames = torch.randint(0, 256, (20, 84, 84, 3), dtype=torch.uint8)
    assert shifted(frames, 0, torch.Generator()) is frames
    moved = shifted(frames, 4, torch.Generator().manual_seed(1)).numpy()
    corners = []
    for frame, found in zip(frames.numpy(), moved, strict=True):
        wide = np.pad(frame, ((4, 4), (4, 4), (0, 0)), mode="edge")
        windows = {(y, x): wide[y : y + 84, x : x + 84] for y in range(9) for x in range(9)}
        corners += [at for at, window in windows.items() if np.array_equal(window, found)]
    assert len(corners) == len(frames), "each shows one window"
    assert np.ptp(corners, axis=0).tolist() == [8, 8], "of its own, up to 4 pixels either way"


def test_the_artifact_says_what_was_run():
    artifact = load_artifact("perception")
    found, parameters = artifact.json("measurement.json"), artifact.parameters
    assert parameters["held_out"] >= 2500
    assert parameters["frames"] - parameters["held_out"] >= 10_000
    assert len(found["cells"]) == parameters["cells_run"] <= parameters["cells_planned"]
    planned = {c.name for c in all_cells(parameters["seeds"])}
    assert {c["name"] for c in found["cells"]} <= planned
    assert found["summary"] == rounded(by_name(found["cells"]))
    trained = found["summary"]["default-nature-norm-trained"]["block"]
    assert trained["high"] < found["mean"]["block"]["low"] / 3, "seeing beats never looking"


def test_the_study_goes_on_where_the_published_one_stopped(tmp_path, monkeypatch):
    """Cells of the artifact stand; one that was run here takes the place of its namesake."""
    before = load_artifact("perception").json("measurement.json")["cells"]
    (tmp_path / "data").mkdir()
    shutil.copytree(data_root() / "perception", tmp_path / "data" / "perception")
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(perception, "work_folder", lambda: tmp_path)
    rows = HELD_OUT + 10
    few = len(perception.resized_rows(rows, HELD_OUT))
    data = {"positions": np.linspace(0, 1, 5 * rows).reshape(rows, 5), "goals": np.ones((rows, 2))}
    for camera in envs.CAMERAS:
        data |= {camera: np.zeros((rows, 2, 2, 3), np.uint8)}
        data |= {f"{camera}_resized": np.ones((few, 2, 2, 3), np.uint8)}
        data |= {f"{camera}_block_pixels": np.ones(rows)}
    monkeypatch.setattr(perception, "collect_frames", lambda progress: data)
    again = {k: v for k, v in before[0].items() if k != "name"} | {"machine": "another"}
    monkeypatch.setattr(perception, "short_hash", lambda parameters: "mine")
    (tmp_path / f"{before[0]['name']}-mine.json").write_text(json.dumps(again))
    with monkeypatch.context() as another, pytest.raises(UserError, match="not measured anew"):
        another.setattr(perception, "WALK", perception.WALK + 1)  # drawn in another way
        perception.perception(minutes=1e-9, progress=False)
    cells = perception.perception(minutes=1e-9, progress=False).json("measurement.json")["cells"]
    found, published = ({c["name"]: c for c in group} for group in (cells, before))
    assert found.keys() == published.keys()
    assert found.pop(before[0]["name"])["machine"] == "another"
    for name, cell in found.items():
        assert cell["machine"] and cell["commit"]
        assert cell["cpu_seconds"] == published[name]["cpu_seconds"]
    (tmp_path / f"{before[0]['name']}-mine.json").write_text("{")
    with pytest.raises(UserError, match=f"{before[0]['name']}-mine.json is damaged: delete it"):
        perception.perception(minutes=1e-9, progress=False)
    monkeypatch.setattr(perception, "BATCH", 8)  # other settings: nothing of it can be used
    assert perception._published({"batch": perception.BATCH}) == {}


# -------------------------------------------------------------------------------------- keypoints


@pytest.mark.parametrize("name", envs.CAMERAS)
def test_the_ray_undoes_the_projection(name):
    rng = np.random.default_rng(0)
    points = rng.uniform((1.15, 0.55, 0.42), (1.5, 0.95, 0.6), (50, 3))
    rows, columns = project(envs.CAMERAS[name], points).T
    places = np.column_stack([columns, rows])
    found = to_table(envs.CAMERAS[name], places, points[:, 2])
    np.testing.assert_allclose(found, points[:, :2], atol=1e-9)


def test_keypoints_move_against_the_window():
    labels = np.zeros((84, 84), np.uint8)
    labels[30:34, 20:23], labels[50:53, 60:64] = 1, 2
    offsets = shift_keypoints.every_shift()
    found = shift_keypoints.read_keypoints(labels, offsets)
    assert found.shape == (81, 2, 2)
    still = found[(offsets == 0).all(1).numpy()][0]
    np.testing.assert_allclose(
        (still + 1) * shift_keypoints.UNITS, [[21, 31.5], [61.5, 51]], atol=1e-3
    )
    expected = -offsets.flip(1).numpy()[:, None] / shift_keypoints.UNITS
    np.testing.assert_allclose(found - still, np.broadcast_to(expected, found.shape), atol=1e-4)


def test_what_a_shift_would_cut_is_left_out():
    labels = np.zeros((84, 84), np.uint8)
    labels[30:34, 20:23] = 1
    assert not shift_keypoints.usable(labels), "no block"
    labels[50:53, 60:64] = 2
    assert shift_keypoints.usable(labels)
    labels[82, 60] = 2
    assert not shift_keypoints.usable(labels), "at the border"


def test_the_measured_shifts_are_those_of_the_pad():
    found = load_artifact("shift-keypoints").json("measurement.json")
    lengths = np.linalg.norm(shift_keypoints.every_shift().numpy(), axis=1)
    for camera in envs.CAMERAS:
        pixels = found[camera]["pixels"]["block"]
        assert found[camera]["used"] >= 200
        assert pixels["max"] == pytest.approx(lengths.max(), abs=1e-3)
        assert pixels["mean"] == pytest.approx(lengths[lengths > 0].mean(), abs=1e-3)
        assert found[camera]["transition"]["same"]["pixels"]["block"]["max"] < 1e-3
        # Gripper and block stand at about the same place: a pixel moves either by about as much.
        gripper, block = (found[camera]["cm"][thing]["mean"] for thing in ("gripper", "block"))
        assert gripper == pytest.approx(block, rel=0.15)


# ----------------------------------------------------------- encoders out of reinforcement learning


class OnePixel(torch.nn.Module):
    """An encoder that tells where the bright pixel is, or nothing."""

    def __init__(self, sees: bool):
        super().__init__()
        self.sees = sees

    def forward(self, observations):
        pixels, vector = observations["pixels"], observations["vector"]
        assert float(vector.abs().max()) == 0, "the vectors are held still"
        where = pixels[:, -3].flatten(1).argmax(dim=1)
        found = torch.stack([where // 8, where % 8], dim=1).float()
        return torch.cat([found if self.sees else 0 * found, vector], dim=1)


@pytest.mark.parametrize(("sees", "low", "high"), [(True, 0, 4), (False, 20, 60)])
def test_the_probe_reads_what_the_encoder_tells_and_nothing_else(sees, low, high):
    from types import SimpleNamespace

    rng = np.random.default_rng(0)
    place = rng.integers(0, 8, (1200, 2))
    frames = np.zeros((1200, 3, 8, 8), np.uint8)
    frames[np.arange(1200), :, place[:, 0], place[:, 1]] = 255
    truth = np.concatenate([place / 100, rng.normal(size=(1200, 2))], axis=1).astype(np.float32)
    space = gym.spaces.Dict(
        pixels=gym.spaces.Box(0, 255, (6, 8, 8), np.uint8), vector=gym.spaces.Box(-1, 1, (2,))
    )
    policy = SimpleNamespace(
        observation_space=space, actor=SimpleNamespace(features_extractor=OnePixel(sees))
    )
    found = encoder_probe.probe(policy, "push", frames, truth)
    assert low <= found["block"]["mean"] <= high


def test_one_frame_that_moves_a_still_feature_does_not_decide_the_mean(monkeypatch):
    """A keypoint that stood still in all frames that the head learned from, and then moved."""
    draw = torch.Generator().manual_seed(0)
    place = torch.rand(600, 2, generator=draw)
    still = torch.zeros(600, 1)
    still[::50] = 1e-5
    still[599] = 1.0
    truth = np.column_stack([place, np.ones(600), np.zeros(600)]).astype(np.float32)
    seen = torch.cat([place, still], dim=1)
    frames = np.arange(600)[:, None]  # each knows its row
    monkeypatch.setattr(encoder_probe, "features", lambda policy, frames: seen[frames[:, 0]])
    found = encoder_probe.probe(None, "push", frames, truth)["block"]
    assert found["mean"] < 2 * found["median"] + 30, found
    monkeypatch.setattr(encoder_probe, "CLIP", float("inf"))
    assert encoder_probe.probe(None, "push", frames, truth)["block"]["mean"] > 1000


def test_the_probe_measures_arms_that_have_weights_beside_their_controls(monkeypatch, tmp_path):
    row = encoder_probe.probe_arm("push-distilled", frames=300, draws=1)
    assert row["trained"].keys() == row["untrained"][0].keys() == row["guess"].keys()
    assert row["trained"] != row["untrained"][0]
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    with pytest.raises(UserError, match="pixels train push-small --seeds 0"):
        encoder_probe.encoder_probe(progress=False)


def test_the_gallery_refuses_to_forget_policies_that_it_knows():
    before = load_artifact("gallery").provenance
    with pytest.raises(UserError, match=r"gallery knows .*pixels train .*, or delete"):
        gallery.gallery(progress=False)  # the repository keeps fewer weights than were measured
    assert load_artifact("gallery").provenance == before


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    """A data folder of its own with both probes' results and a few weights."""
    for name in ("encoder-probe", "goal-sight", "push-distilled/seed0"):
        shutil.copytree(data_root() / name, tmp_path / name)
    for arm in goal_sight.ARMS:  # the seed that was measured last is trained again
        shutil.copytree(data_root() / arm / "seed2", tmp_path / arm / "seed2")
        (tmp_path / arm / "seed2/weights.safetensors").touch()
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    return tmp_path


def test_the_probe_keeps_what_it_read_from_encoders_that_are_gone(own_data, monkeypatch):
    before = load_artifact("encoder-probe")
    new = {"arm": "push-distilled", "trained": {"block": {"mean": 1.0}}}
    monkeypatch.setattr(encoder_probe, "probe_arm", lambda arm: new)
    found = encoder_probe.encoder_probe(progress=False).json("measurement.json")["encoders"]
    known = before.json("measurement.json")["encoders"]
    assert [row["arm"] for row in found] == [row["arm"] for row in known]
    for row, was in zip(found, known, strict=True):
        made_by = {"commit": before.provenance["commit"]}
        assert row == (new if row["arm"] == new["arm"] else made_by | was)


def test_one_goal_and_eight_keep_what_was_read_from_encoders_that_are_gone(own_data, monkeypatch):
    before = load_artifact("goal-sight").json("measurement.json")["runs"]

    def read(names, progress):
        assert names == [f"{arm}/seed2" for arm in goal_sight.ARMS]
        return {"runs": [{"run": name, "read": {}} for name in names]}

    monkeypatch.setattr(goal_sight, "probe_runs", read)
    found = goal_sight.goal_sight(progress=False).json("measurement.json")["runs"]
    assert [row["run"] for row in found] == [row["run"] for row in before]
    for row, was in zip(found, before, strict=True):
        if row["run"].endswith("seed2"):
            assert row == {"run": row["run"], "read": {}} | goal_sight.looked_at(
                load_artifact(row["run"])
            )
        else:
            assert row.pop("commit") and row == was


def test_one_goal_and_eight_are_probed_in_the_seeds_that_both_have(monkeypatch, tmp_path):
    seen = {run["run"]: run for run in load_artifact("goal-sight").json("measurement.json")["runs"]}
    looked = [goal_sight.looked_at(load_artifact(f"{arm}/seed0")) for arm in goal_sight.ARMS]
    assert looked[0]["frames"] == looked[1]["frames"], "the same pictures"
    assert looked[1]["rewards"] == 8 * looked[0]["rewards"]
    for arm, facts in zip(goal_sight.ARMS, looked, strict=True):
        assert facts.items() <= seen[f"{arm}/seed0"].items()
    one, eight = (preset(arm) for arm in goal_sight.ARMS)
    assert set(one.differences(eight)) == {"arm", "goals_per_frame"}
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    for name in ("push-one-goal/seed0", "push-one-goal/seed2", "push-eight-goals/seed2"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "weights.safetensors").touch()
    found = goal_sight.runs_with_weights()
    assert found == ["push-one-goal/seed2", "push-eight-goals/seed2"]
    (tmp_path / "push-one-goal/seed2/weights.safetensors").unlink()
    with pytest.raises(UserError, match="no encoder to probe: pixels train push-one-goal"):
        goal_sight.goal_sight(progress=False)


def test_reachs_locators_are_asked_by_how_far_the_gripper_stands_from_the_goal():
    truth = np.zeros((30, 6))
    truth[:, 3] = np.repeat([0.05, 0.15, 0.3], 10)
    found = truth.copy()
    found[:10, 4] += np.linspace(0.03, 0.05, 10)  # only beside the goal, and only the goal
    everywhere, *ranges = reach_sight.errors_by_distance(found, truth)
    assert (everywhere["n"], everywhere["to"]) == (30, None)
    assert [row["n"] for row in ranges] == [10, 10, 10]
    assert [round(row["goal"]["mean"]) for row in ranges] == [40, 0, 0]
    assert everywhere["gripper"]["mean"] == 0 < everywhere["goal"]["mean"] < 14


def test_reachs_locators_keep_what_was_read_from_those_that_are_gone(monkeypatch, tmp_path):
    artifact = load_artifact("reach-sight")
    before, made_by = artifact.json("measurement.json")["runs"], artifact.provenance["commit"]
    assert reach_sight.locators_here() == [], "the repository keeps none of them"
    shutil.copytree(data_root() / "reach-sight", tmp_path / "reach-sight")
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    with pytest.raises(UserError, match=f"pixels train {reach_sight.ARMS[-1]} --seeds 0"):
        reach_sight.reach_sight(progress=False)
    name = before[1]["run"]

    class Middle:
        def locate(self, frames):
            return np.full((len(frames), 6), 0.5, np.float32)

    monkeypatch.setattr(reach_sight, "locators_here", lambda: [name])
    monkeypatch.setattr(reach_sight, "load_locator", lambda config: (Middle(), "its hash"))
    truth = 0.25 * np.random.default_rng(0).random((300, 6))
    moments = np.zeros((300, 3, 8, 16), np.uint8), truth
    monkeypatch.setattr(reach_sight, "collect_moments", lambda view, n, seed: moments)
    found = reach_sight.reach_sight(progress=False).json("measurement.json")["runs"]
    assert [row["run"] for row in found] == [row["run"] for row in before]
    assert found[0] == {"commit": made_by} | before[0]
    assert found[1]["locator_sha256"] == "its hash"


def test_a_told_critics_actors_are_probed_with_one_that_imitates(monkeypatch, tmp_path):
    imitates = "push-distilled/seed0"
    row = encoder_probe.probe_runs([imitates], 300, 1, progress=False)
    assert row["runs"][0]["read"] == encoder_probe.probe_arm("push-distilled", 300, 1)["trained"]
    with pytest.raises(ValueError, match="expected a run with the view of push-distilled"):
        encoder_probe.probe_runs([imitates, "push-blind-tuned/seed0"], 300, 1)
    assert len({View.of(preset(arm)) for arm in told_sight.ARMS}) == 1, "one view for all"
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    with pytest.raises(UserError, match=f"pixels train {told_sight.ARMS[0]} --seeds 0"):
        told_sight.told_sight(progress=False)


def test_policies_come_in_the_order_of_arms_and_seeds(monkeypatch, tmp_path):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    for name in ("told/seed0", "told/seed10", "told/seed2", "asked/seed1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "weights.safetensors").touch()
    (tmp_path / "asked/seed0").mkdir()  # its weights are left out
    assert policies_here(("told", "asked")) == [
        *("told/seed0", "told/seed2", "told/seed10"),
        "asked/seed1",
    ]
    mixed = [{"arm": "else", "seed": 0}, {"run": "asked/seed1"}, {"run": "told/seed10"}]
    rows = in_order([*mixed, {"arm": "told", "seed": 2}], ("told", "asked"))
    assert [run_of(row) for row in rows] == [
        *("told/seed2", "told/seed10", "asked/seed1"),
        "else/seed0",
    ]


def test_what_has_not_been_measured_cannot_be_lost(tmp_path, monkeypatch):
    known = ["push-small/seed0"]
    with pytest.raises(UserError, match="gallery knows push-small/seed0, and no weights"):
        refuse_to_lose("gallery", lambda artifact: known, ["push-told/seed0"])
    refuse_to_lose("gallery", lambda artifact: known, [*known, "push-told/seed0"])
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    refuse_to_lose("gallery", lambda artifact: known, [])


def test_frames_and_cells_wait_among_the_runs_and_damage_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path))
    assert perception_frames.work_folder() == tmp_path / "perception"
    cache = tmp_path / "perception" / f"moments_4_2_{perception_frames.WALK}.npz"
    np.savez(cache, positions=np.zeros(4))
    assert perception_frames.collect_frames(4, 2, progress=False).keys() == {"positions"}
    whole = cache.read_bytes()
    for damaged in (whole[:-30], b"", b"no archive"):
        cache.write_bytes(damaged)
        with pytest.raises(UserError, match=f"{cache.name} is damaged: delete it"):
            perception_frames.collect_frames(4, 2, progress=False)
