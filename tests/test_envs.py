"""The environments against Gymnasium-Robotics' own, and the claims of `labs.envs` about frames."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

from labs import envs, gl
from labs.errors import UserError
from labs.experiments import backend


def roll(env, seed, steps=5):
    """Frames and observations of a short random rollout."""
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    frames, observations = [], []
    for _ in range(steps):
        observations.append(env.step(rng.uniform(-1, 1, 4).astype(np.float32))[0]["observation"])
        frames.append(env.render())
    return np.array(frames), np.array(observations)


@pytest.mark.parametrize("task", ["reach", "push"])
def test_stock_scene_equals_the_stock_environment_pixel_for_pixel(task):
    ours = envs.make_env(task, image_size=84)
    frames, observations = roll(ours, seed=3)
    ours.close()
    stock = gym.make(envs.ENV_IDS[task], render_mode="rgb_array", width=84, height=84)
    stock_frames, stock_observations = roll(stock, seed=3)
    stock.close()
    np.testing.assert_array_equal(frames, stock_frames)
    np.testing.assert_array_equal(observations, stock_observations)


def test_a_seed_reproduces_frames_and_physics():
    first, second = (roll(envs.make_env("push", image_size=48), seed=7) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_drawing_never_touches_the_physics():
    def states(draw):
        env = envs.make_env("push", image_size=32, scene="lean")
        env.reset(seed=5)
        rng = np.random.default_rng(5)
        out = []
        for _ in range(10):
            env.step(rng.uniform(-1, 1, 4).astype(np.float32))
            if draw:
                env.render()
                envs.segment(env)
            out.append(np.r_[env.unwrapped.data.qpos, env.unwrapped.data.qvel])
        env.close()
        return np.array(out)

    np.testing.assert_array_equal(states(draw=True), states(draw=False))


def test_two_environments_draw_in_one_process_without_mixing():
    small, large = envs.make_env("reach", image_size=32), envs.make_env("push", image_size=(40, 64))
    small.reset(seed=0), large.reset(seed=0)
    alone = small.render()
    assert large.render().shape == (40, 64, 3)
    np.testing.assert_array_equal(small.render(), alone)
    small.close(), large.close()


def first_frame(scene, camera):
    env = envs.make_env("push", image_size=84, scene=scene, camera=camera)
    env.reset(seed=2)
    frame = env.render().astype(int)
    env.close()
    return frame


@pytest.mark.parametrize("option", ["samples", "skybox", "arm", "mocap_bars", "goal_sphere"])
def test_each_scene_option_changes_the_picture(option):
    without = envs.Scene(**{option: 0 if option == "samples" else False})
    difference = first_frame(envs.Scene(), "default") - first_frame(without, "default")
    assert np.abs(difference).max() > 8, f"{option} changes nothing"


def test_the_fetch_scenes_cast_no_shadow():
    env = envs.make_env("push", render_mode=None)
    assert not env.unwrapped.model.light_castshadow.any()
    difference = first_frame(envs.Scene(), "default") - first_frame(
        envs.Scene(shadows=False), "default"
    )
    assert not difference.any()


@pytest.mark.parametrize("casts", [False, True])
def test_a_map_of_shadows_is_kept_where_a_light_casts_some(casts):
    sizes, differ = {}, {}
    for shadows in (True, False):
        env = envs.make_env("push", scene=envs.Scene(shadows=shadows), image_size=84)
        model = env.unwrapped.model
        model.light_castshadow[:] = casts
        env.reset(seed=0)
        differ[shadows] = env.render().astype(int)
        sizes[shadows] = model.vis.quality.shadowsize
        env.close()
    assert (sizes[True] > 0) == casts and sizes[False] == 0
    assert (differ[True] - differ[False]).any() == casts


def test_segmentation_counts_what_is_there():
    for task, camera in [("push", "default"), ("push", "workspace"), ("reach", "workspace")]:
        env = envs.make_env(task, camera=camera, image_size=84)
        env.reset(seed=0)
        before = env.render()
        counts = envs.segment(env)
        np.testing.assert_array_equal(env.render(), before)  # and leaves the picture as it was
        assert counts["gripper"] > 10 and counts["goal"] > 0
        assert (counts["object"] > 0) == (task == "push")
        env.close()
    hidden = envs.make_env("push", image_size=84, goal_sphere=False)
    hidden.reset(seed=0)
    assert envs.segment(hidden)["goal"] == 0
    hidden.close()


def test_proprioception_is_the_same_in_both_tasks():
    assert len(envs.PROPRIO_INDICES["reach"]) == len(envs.PROPRIO_INDICES["push"]) == 10
    env = envs.make_env("push", render_mode=None)
    observation = env.reset(seed=0)[0]
    robot = observation["observation"][envs.PROPRIO_INDICES["push"]]
    np.testing.assert_allclose(
        robot[:3],
        env.unwrapped._utils.get_site_xpos(env.unwrapped.model, env.unwrapped.data, "robot0:grip"),
    )
    assert not np.isin(observation["achieved_goal"], robot).any(), "the object leaks"


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [
        ({"task": "fly"}, "unknown task 'fly'"),
        ({"task": "CartPole-v1"}, "unknown task"),
        ({"task": "push", "camera": "left"}, "unknown camera 'left'"),
        ({"task": "push", "scene": "bare"}, "unknown scene 'bare'"),
        ({"task": "push", "image_size": 0}, "image size 0"),
    ],
)
def test_bad_input_is_named(kwargs, word):
    with pytest.raises(UserError, match=word):
        envs.make_env(**kwargs)


def test_a_broken_backend_is_found_out_and_not_waited_for():
    assert envs.probe_gl(envs.GL_BACKEND) is not None
    assert envs.probe_gl("no-such-backend") is None
    assert envs.probe_gl(envs.GL_BACKEND, timeout=0.01) is None


def test_a_name_that_is_no_backend_is_one_line(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "foo")
    with pytest.raises(UserError, match=r"MUJOCO_GL=foo names no OpenGL backend"):
        gl.setup_gl()


def test_a_backend_without_its_library_is_one_line(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "OSMesa ")  # mujoco reads it without case and spaces
    monkeypatch.setattr(gl, "_library_loads", lambda names: False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(UserError, match=r"MUJOCO_GL=osmesa, and its library libOSMesa"):
        gl.setup_gl()
    monkeypatch.setattr(gl, "_library_loads", lambda names: True)
    assert gl.setup_gl() == "osmesa"
    monkeypatch.setenv("MUJOCO_GL", "off")
    assert gl.setup_gl() == "off"


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "labs.cli", "frame", "--out", "never.png"],
        ["-m", "labs.cli", "train", "reach-state", "--smoke", "--quiet"],
        ["-m", "labs.pixel_wrapper", "--verify"],
    ],
)
def test_every_command_meets_a_wrong_backend_with_one_line(command, tmp_path):
    folders = {"PIXELS_DATA": str(tmp_path / "data"), "PIXELS_RUNS": str(tmp_path / "runs")}
    environment = {**os.environ, **folders, "MUJOCO_GL": "foo"}
    result = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 2, result.stderr
    assert "MUJOCO_GL=foo" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command", [["train", "reach-state", "--smoke", "--quiet"], ["bench", "memory"]]
)
def test_a_backend_that_draws_nothing_is_one_line_before_the_work(command, tmp_path):
    """The state arm would have met it at its end, with its film."""
    folders = {"PIXELS_DATA": str(tmp_path / "data"), "PIXELS_RUNS": str(tmp_path / "runs")}
    result = subprocess.run(
        [sys.executable, "-m", "labs.cli", *command],
        env={**os.environ, **folders, "MUJOCO_GL": "off"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2, result.stderr
    assert "MUJOCO_GL=off draws nothing" in result.stderr and result.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("executed.ipynb"))


def test_a_backend_that_fails_is_named_in_one_line(monkeypatch):
    def fails(*size):
        raise RuntimeError("no\ndisplay")

    monkeypatch.setattr("mujoco.Renderer", fails)
    with pytest.raises(UserError, match=r"failed \(no display\): set MUJOCO_GL"):
        gl.gl_renderer()


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A process that has not imported mujoco yet; returns the backends that were tried."""
    tried = []

    def probe(name, timeout=60.0):
        tried.append(name)
        return {"egl": "a card", "osmesa": "llvmpipe"}.get(name)

    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path))
    monkeypatch.setenv("MUJOCO_GL", "egl")  # put back afterwards
    monkeypatch.delitem(sys.modules, "mujoco")
    monkeypatch.setattr(gl, "GL_BACKEND", "egl")
    monkeypatch.setattr(gl, "ASKED", False)
    monkeypatch.setattr(gl, "probe_gl", probe)
    return tried


def test_a_run_tries_egl_once_a_boot(fresh, capsys, tmp_path):
    assert backend.ensure_gl() == "egl" and fresh == ["egl"]
    assert backend.ensure_gl() == "egl" and fresh == ["egl"]
    assert capsys.readouterr().err == "OpenGL: egl, a card\n" * 2
    found = json.loads((tmp_path / "gl.json").read_text())
    (tmp_path / "gl.json").write_text(json.dumps(found | {"machine": ["another boot"]}))
    backend.ensure_gl()
    assert fresh == ["egl", "egl"]


def test_a_backend_that_hangs_gives_way_to_the_next(fresh, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(gl, "probe_gl", lambda name, timeout: "llvmpipe" * (name == "osmesa"))
    assert backend.ensure_gl() == gl.GL_BACKEND == os.environ["MUJOCO_GL"] == "osmesa"
    err = capsys.readouterr().err
    assert err == "OpenGL: egl draws nothing, or hangs\nOpenGL: osmesa, llvmpipe\n"
    assert not (tmp_path / "gl.json").exists()
    monkeypatch.setattr(gl, "probe_gl", lambda name, timeout: None)
    monkeypatch.setattr(gl, "GL_BACKEND", "egl")
    with pytest.raises(UserError, match="pixels doctor"):
        backend.ensure_gl()


def test_what_the_reader_chose_and_arms_without_images_are_not_tried(fresh, monkeypatch, capsys):
    backend.ensure_gl(draws=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(gl, "ASKED", True)
    assert backend.ensure_gl() == "egl"
    assert capsys.readouterr().err == "OpenGL: egl\n" and fresh == []


def test_exit_is_quiet():
    code = "import labs.envs as e; v = e.make_env('reach', image_size=16); v.reset(); v.render()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == "", result.stderr


def test_worker_count_is_at_least_one_and_at_most_the_limit():
    assert envs.worker_count(1) == 1
    assert 1 <= envs.worker_count() <= (os.cpu_count() or 1)


def test_triton_comes_before_the_library_that_draws(tmp_path):
    """After Mesa's LLVM, triton's kills the process: whoever draws must have loaded it first."""
    (tmp_path / "triton.py").write_text("import sys\nprint('mujoco' in sys.modules)\n")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", "import labs.envs"],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout.strip()) == (0, "False"), result.stderr


def test_an_optimizer_can_be_made_after_a_frame_was_drawn():
    code = (
        "from labs.envs import make_env; import torch\n"
        "env = make_env('push', image_size=36); env.reset(seed=0); env.render()\n"
        "torch.optim.Adam([torch.zeros(1, requires_grad=True)]); print('made')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout.strip()) == (0, "made"), result.stderr
