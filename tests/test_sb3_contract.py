"""FastSAC keeps SB3's contract: what SB3's own tests ask of ``SAC``, asked of ``FastSAC``.

SB3 2.9 tests saving, dict observations and HER in ``tests/test_save_load.py``, ``test_dict_env.py``
and ``test_her.py``. Below, in our own words, is what of them applies.

Those tests themselves are run, unchanged, by ``scripts/sb3_own_tests.py`` from a clone of SB3; the
result is ``data/sb3-tests``. Here is what can be asked at every change, without the clone.

=============================  ==================================================================
SB3's test                     here
=============================  ==================================================================
save_load                      parameters are checked and replaced; a loaded model acts and learns
set_env                        environments are exchanged; time steps go on or start again
exclude_include_saved_params   custom objects and keywords replace settings; ``exclude`` and
                               ``include`` are refused, since the file is always complete
save_load_pytorch_var          the temperature is saved and goes on learning, or stays fixed
save_load_env_cnn              an image policy is loaded and goes on
save_load_replay_buffer        the memory comes back and takes more (both files)
warn_buffer                    learning again warns only where a trajectory is cut
save_load_policy               the policy alone is saved and loaded
dqn_target_update_interval     the interval survives (SB3 asks it of DQN)
no_resource_warning            no file stays open; strings and paths are taken
cast_lr_schedule               a schedule is saved as its present value, a float
save_load_net_arch_none        the default network is found again
policy_hint                    a policy that cannot read dicts is refused
consistency                    a dict of vectors and the same vector flat learn the same
dict_spaces                    pictures (channels first or last) and vectors together
multiprocessing (two tests)    two environments in worker processes
dict_vec_framestack            stacked frames
vec_normalize                  normalized vectors
dict_nested                    nested dicts are refused
her                            HER with vector and picture observations
goal_selection_strategy        three strategies, by name and by enum, with action noise
full_replay_buffer             a memory that goes round
=============================  ==================================================================

Not here, and why: ``save_load_q_net``, ``save_load_no_target_params``, ``performance_her``,
``goal_env``, ``save_load_backward_compatible`` and ``save_load_clip_range_portable`` test DQN, A2C
and PPO. ``open_file`` and ``open_file_str_pathlib`` test SB3's own helper for files, which FastSAC
does not use; open file objects are not taken. ``load_invalid_object`` breaks a pickle inside the
file: there is none (damaged files are in ``test_fast_sac.py``). ``save_load_large_model`` writes
two gigabytes. ``env``, ``vec_normalize_image``, ``truncate_last_trajectory`` and ``import_error``
test SB3's environments, wrappers and memories, which are used as they are. gSDE is refused.
"""

from __future__ import annotations

import warnings
from copy import deepcopy
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.envs import BitFlippingEnv, FakeImageEnv, SimpleMultiObsEnv
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecNormalize
from stable_baselines3.her.goal_selection_strategy import GoalSelectionStrategy

from labs.collect import SharedVecEnv
from labs.fast_sac import FastSAC

torch.set_num_threads(1)
SMALL = {"net_arch": [16]}


class Seen(gym.Env):
    """A vector, and a picture if wanted; every step pays for a small action."""

    def __init__(self, picture: str | None = "first", nested: bool = False, length: int = 20):
        parts: dict[str, spaces.Space] = {"vec": spaces.Box(-1, 1, (4,), np.float32)}
        if picture is not None:
            shape = (3, 36, 36) if picture == "first" else (36, 36, 3)
            parts["img"] = spaces.Box(0, 255, shape, np.uint8)
        if nested:
            parts["inner"] = spaces.Dict({"vec": spaces.Box(-1, 1, (2,), np.float32)})
        self.observation_space = spaces.Dict(parts)
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)
        self.length = length

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.t = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        self.t += 1
        reward = -float(np.square(action).sum())
        return self.observation_space.sample(), reward, False, self.t == self.length, {}


def pendulum(n_envs: int = 1) -> DummyVecEnv:
    return DummyVecEnv([lambda: gym.make("Pendulum-v1")] * n_envs)


def learner(env, policy="MlpPolicy", **options) -> FastSAC:
    defaults = {
        "buffer_size": 300,
        "learning_starts": 20,
        "train_freq": 8,
        "batch_size": 16,
        "policy_kwargs": SMALL,
        "device": "cpu",
        "seed": 0,
    }
    return FastSAC(policy, env, **(defaults | options))


def observations(env, count=5):
    env.reset()
    return np.concatenate([env.step([env.action_space.sample()])[0] for _ in range(count)])


# ------------------------------------------------------------------------------------- saving


def test_parameters_are_checked_and_replaced():
    model = learner(pendulum()).learn(40)
    before = deepcopy(model.get_parameters())
    for exact in (True, False):
        with pytest.raises(ValueError):
            model.set_parameters({**before, "nothing": {}}, exact_match=exact)
    with pytest.raises(ValueError):
        model.set_parameters({"policy": before["policy"]}, exact_match=True)
    last = list(before["policy"])[-1]
    short = {k: v for k, v in before["policy"].items() if k != last}
    with pytest.raises(RuntimeError):
        model.set_parameters({**before, "policy": short}, exact_match=True)
    other = {k: torch.rand_like(v) for k, v in short.items()}
    model.set_parameters({"policy": other}, exact_match=False)
    after = model.get_parameters()["policy"]
    assert torch.equal(after[last], before["policy"][last])
    assert all(torch.equal(after[k], other[k]) for k in other)
    model.learn(30, reset_num_timesteps=False)  # the update works on the new weights
    assert not all(
        torch.equal(v, other[k]) for k, v in model.policy.state_dict().items() if k in other
    )


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_loaded_model_acts_and_learns(device, tmp_path):
    env = pendulum()
    model = learner(env).learn(40)
    seen = observations(env)
    expected = model.predict(seen, deterministic=True)[0]
    model.save(tmp_path / "model.safetensors")
    again = FastSAC.load(str(tmp_path / "model.safetensors"), env=env, device=device)
    assert again.policy.device.type == again.device.type
    for key, value in model.policy.state_dict().items():
        assert torch.equal(value, again.policy.state_dict()[key].cpu()), key
    assert np.allclose(expected, again.predict(seen, deterministic=True)[0], rtol=1e-4)
    again.learn(40)
    assert again.num_timesteps == 40


def test_environments_are_exchanged(tmp_path):
    model = learner(pendulum()).learn(32)
    model.set_env(pendulum(), force_reset=True)
    assert model._last_obs is None
    model.learn(32, reset_num_timesteps=True)
    model.set_env(gym.make("Pendulum-v1"))  # wrapped for us
    model.learn(32)
    with pytest.raises(AssertionError):
        model.set_env(pendulum(2))
    model.set_env(model.get_env(), force_reset=False)
    assert model._last_obs is not None
    model.learn(32, reset_num_timesteps=False)
    assert model.num_timesteps == 64
    path = model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="no episode is in the file"):
        FastSAC.load(path, env=pendulum(), force_reset=False, device="cpu")
    again = FastSAC.load(path, env=pendulum(), force_reset=True, device="cpu")
    assert again._last_obs is None
    assert again.learn(32, reset_num_timesteps=False).num_timesteps == 96
    assert FastSAC.load(path, env=pendulum(2), device="cpu").learn(32).num_timesteps == 32


def test_a_policy_inside_torch_compile_is_saved_as_it_is(tmp_path):
    model = learner(pendulum())
    plain = {key: value.clone() for key, value in model.policy.state_dict().items()}
    model.policy = torch.compile(model.policy, backend="eager")
    again = FastSAC.load(model.save(tmp_path / "model"), device="cpu")
    assert plain.keys() == again.policy.state_dict().keys()
    assert all(torch.equal(plain[k], v) for k, v in again.policy.state_dict().items())


def test_keywords_and_custom_objects_replace_settings(tmp_path):
    model = learner(pendulum(), verbose=2, target_update_interval=3)
    path = model.save(tmp_path / "model")
    custom = {"learning_rate": 2e-5, "dummy": 1.0}
    again = FastSAC.load(path, custom_objects=custom, device="cpu", print_system_info=False)
    assert (again.verbose, again.learning_rate, again.target_update_interval) == (2, 2e-5, 3)
    assert not hasattr(again, "dummy")
    again = FastSAC.load(path, verbose=0, learning_rate=2.0, device="cpu")
    assert (again.verbose, again.learning_rate) == (0, 2.0)
    for choice in ({"exclude": ["verbose"]}, {"include": ["verbose"]}):
        with pytest.raises(ValueError, match="the file is complete"):
            model.save(tmp_path / "other", **choice)


@pytest.mark.parametrize("ent_coef", ["auto", 0.01])
def test_the_temperature_goes_on_as_it_was(ent_coef, tmp_path):
    env = pendulum()
    model = learner(env, ent_coef=ent_coef).learn(60)
    path = model.save(tmp_path / "model")
    again = FastSAC.load(path, env=env, device="cpu")
    if ent_coef == "auto":
        assert torch.equal(model.log_ent_coef, again.log_ent_coef)
        assert not torch.equal(again.learn(60).log_ent_coef, model.log_ent_coef)
    else:
        assert again.log_ent_coef is None
        assert torch.equal(again.learn(60).ent_coef_tensor, model.ent_coef_tensor)


def test_a_picture_policy_goes_on(tmp_path):
    env = FakeImageEnv(screen_height=40, screen_width=40, n_channels=2, discrete=False)
    options = {"features_extractor_kwargs": {"features_dim": 16}, "net_arch": [16]}
    model = learner(env, "CnnPolicy", policy_kwargs=options).learn(40)
    path = model.save(tmp_path / "model")
    again = FastSAC.load(path, env=env, device="cpu").learn(40)
    assert again._n_updates > 0


def test_sb3s_memory_comes_back_and_takes_more(tmp_path):
    env = pendulum()
    model = learner(env).learn(60)
    model.save_replay_buffer(tmp_path / "memory.pkl")
    old, model.replay_buffer = model.replay_buffer, None
    model.load_replay_buffer(tmp_path / "memory.pkl")
    new = model.replay_buffer
    assert new.device.type == model.device.type
    for name in ("observations", "actions", "rewards", "dones", "timeouts"):
        assert np.array_equal(getattr(old, name), getattr(new, name)), name
    model.learn(30, reset_num_timesteps=False)
    assert new.size() == 90


@pytest.mark.parametrize("optimize", [False, True])
def test_learning_again_warns_only_where_a_trajectory_is_cut(optimize):
    model = learner(
        pendulum(),
        optimize_memory_usage=optimize,
        replay_buffer_kwargs={"handle_timeout_termination": not optimize},
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The last trajectory")
        model.learn(30)
        model.learn(30, reset_num_timesteps=False)
        if not optimize:
            model.learn(30)
    if optimize:
        with pytest.warns(UserWarning, match="will be truncated"):
            model.learn(30)


def test_the_policy_alone_is_saved_and_loaded(tmp_path):
    env = pendulum()
    model = learner(env).learn(40)
    seen = observations(env)
    model.policy.save(tmp_path / "policy.pkl")
    policy = type(model.policy).load(tmp_path / "policy.pkl", device="cpu")
    for key, value in model.policy.state_dict().items():
        assert torch.equal(value, policy.state_dict()[key])
    expected = model.policy.predict(seen, deterministic=True)[0]
    assert np.array_equal(policy.predict(seen, deterministic=True)[0], expected)


def test_no_file_stays_open(tmp_path):
    model = learner(pendulum()).learn(30)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for path in (tmp_path / "a", str(tmp_path / "b")):
            FastSAC.load(model.save(path), device="cpu")
            model.save_replay_buffer(f"{path}.pkl")
            model.load_replay_buffer(f"{path}.pkl")


def test_a_schedule_is_saved_as_its_present_value(tmp_path):
    model = learner(pendulum(), learning_rate=lambda left: left * np.sin(1.0))
    assert type(model.lr_schedule(1.0)) is float
    assert model.lr_schedule(0.5) == pytest.approx(0.5 * np.sin(1.0))
    model._current_progress_remaining = 0.5
    again = FastSAC.load(model.save(tmp_path / "model"), device="cpu")
    assert type(again.learning_rate) is float
    assert again.lr_schedule(1.0) == pytest.approx(0.5 * np.sin(1.0))


def test_the_default_network_is_found_again(tmp_path):
    model = learner(pendulum(), policy_kwargs={"net_arch": None})
    again = FastSAC.load(model.save(tmp_path / "model"), device="cpu")
    assert again.policy.net_arch == model.policy.net_arch == [256, 256]


# --------------------------------------------------------------------------- dict observations


@pytest.mark.parametrize("policy", ["MlpPolicy", "CnnPolicy"])
def test_a_policy_that_cannot_read_dicts_is_refused(policy):
    with pytest.raises(ValueError, match="MultiInputPolicy"):
        learner(BitFlippingEnv(n_bits=4, continuous=True), policy)


def test_a_dict_of_vectors_and_the_flat_vector_learn_the_same():
    trained = []
    for flat in (False, True):
        env = Seen(picture=None)
        env.observation_space.seed(10)
        env = gym.wrappers.FlattenObservation(env) if flat else env
        policy = "MlpPolicy" if flat else "MultiInputPolicy"
        model = learner(env, policy, gamma=0.5, seed=1, policy_kwargs={"net_arch": [8, 8]})
        trained.append(model.learn(100))
    vector = np.linspace(-1, 1, 4, dtype=np.float32)
    a, b = (
        m.predict(o, deterministic=True)[0]
        for m, o in zip(trained, ({"vec": vector}, vector), strict=True)
    )
    assert trained[0]._n_updates > 5 and np.allclose(a, b)


@pytest.mark.parametrize("order", ["first", "last"])
def test_pictures_and_vectors_together(order):
    options = {"net_arch": [16], "features_extractor_kwargs": {"cnn_output_dim": 16}}
    env = Seen(order)
    model = learner(env, "MultiInputPolicy", policy_kwargs=options).learn(60)
    evaluate_policy(model, env, n_eval_episodes=1, warn=False)
    assert model._n_updates > 3


def test_worker_processes():
    options = {"net_arch": [16], "features_extractor_kwargs": {"cnn_output_dim": 16}}
    env = SharedVecEnv([partial(Seen, None)] * 2, workers=2)
    try:
        model = learner(env, "MultiInputPolicy", policy_kwargs=options).learn(80)
        assert model.num_timesteps == 80 and model._n_updates == 3  # 30 vector steps, every 8th
    finally:
        env.close()


def test_stacked_frames():
    env = DummyVecEnv(
        [lambda: SimpleMultiObsEnv(random_start=True, discrete_actions=False, channel_last=False)]
    )
    env = VecFrameStack(env, n_stack=3, channels_order={"vec": None, "img": "first"})
    options = {"net_arch": [8], "features_extractor_kwargs": {"cnn_output_dim": 8}}
    model = learner(env, "MultiInputPolicy", buffer_size=64, policy_kwargs=options).learn(50)
    evaluate_policy(model, env, n_eval_episodes=1, warn=False)


def test_normalized_vectors():
    env = VecNormalize(DummyVecEnv([lambda: Seen(None)]), norm_obs_keys=["vec"])
    model = learner(env, "MultiInputPolicy").learn(60)
    assert model._n_updates > 3 and env.obs_rms["vec"].count > 50
    stored = model.replay_buffer.observations["vec"][: model.replay_buffer.size()]
    assert np.abs(stored).max() <= 1, "the memory holds raw vectors; batches are normalized"


def test_nested_dicts_are_refused():
    with pytest.raises(NotImplementedError):
        learner(Seen(nested=True), "MultiInputPolicy")


# ------------------------------------------------------------------------------------------ HER


def flipping(n_envs=1, n_bits=4, **kwargs):
    return make_vec_env(lambda: BitFlippingEnv(n_bits=n_bits, continuous=True, **kwargs), n_envs)


def hindsight(env, **options):
    """SB3's own HER memory: bit flipping ends early, so frames stored once do not apply."""
    memory = {"n_sampled_goal": 2, **options.pop("memory", {})}
    return learner(
        env,
        "MultiInputPolicy",
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs=memory,
        **options,
    )


@pytest.mark.parametrize("picture", [False, True])
def test_hindsight_with_vectors_and_pictures(picture):
    env = flipping(image_obs_space=picture)
    model = hindsight(env, memory={"copy_info_dict": True}, batch_size=8).learn(48)
    evaluate_policy(model, env, n_eval_episodes=1)
    assert isinstance(model.replay_buffer, HerReplayBuffer) and model._n_updates > 2


@pytest.mark.parametrize("strategy", ["final", "episode", "future", *GoalSelectionStrategy])
def test_goal_strategies_with_action_noise(strategy):
    noise = NormalActionNoise(np.zeros(1), 0.1 * np.ones(1))
    options = {"memory": {"goal_selection_strategy": strategy}, "action_noise": noise}
    model = hindsight(flipping(2), gradient_steps=2, **options)
    assert model.action_noise is not None
    assert model.learn(48)._n_updates > 2


def test_a_hindsight_memory_comes_back_with_its_model(tmp_path):
    env = flipping(2)
    model = hindsight(env).learn(50)
    model.save_replay_buffer(tmp_path / "memory.pkl")
    old = model.replay_buffer
    path = model.save(tmp_path / "model")
    again = FastSAC.load(path, env=env, device="cpu")
    again.load_replay_buffer(tmp_path / "memory.pkl", truncate_last_traj=False)
    pos = old.pos
    assert again.replay_buffer.pos == pos and type(again.replay_buffer) is HerReplayBuffer
    for key in ("observation", "desired_goal", "achieved_goal"):
        assert np.array_equal(
            old.observations[key][:pos], again.replay_buffer.observations[key][:pos]
        )
    again.learn(40, reset_num_timesteps=False)
    assert again.num_timesteps == 90


def test_a_hindsight_memory_that_goes_round():
    model = hindsight(flipping(2), buffer_size=40, learning_starts=8, train_freq=4).learn(100)
    assert model.replay_buffer.full and model._n_updates > 10
