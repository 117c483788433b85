"""The environments against Gymnasium-Robotics' own, and the claims of `labs.envs` about frames."""

from __future__ import annotations

import os
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

from labs import envs
from labs.errors import UserError


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


def test_exit_is_quiet():
    code = "import labs.envs as e; v = e.make_env('reach', image_size=16); v.reset(); v.render()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == "", result.stderr


def test_worker_count_is_at_least_one_and_at_most_the_limit():
    assert envs.worker_count(1) == 1
    assert 1 <= envs.worker_count() <= (os.cpu_count() or 1)
