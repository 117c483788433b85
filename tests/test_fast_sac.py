"""FastSAC against its references: SB3's SAC for two routings, DrQv2SAC for the third."""

from __future__ import annotations

import csv
import json
import warnings
import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from gymnasium import spaces, wrappers
from safetensors.torch import save_file
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, configure
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.type_aliases import DictReplayBufferSamples
from stable_baselines3.common.vec_env import DummyVecEnv

import labs.fast_compile
from labs.collect import SharedVecEnv
from labs.drqv2_sac import DrQv2SAC
from labs.envs import make_env
from labs.errors import UserError
from labs.fast_compile import Compiled, missing_compiler
from labs.fast_io import _decode, decode_space, encode_space, optimizers_of
from labs.fast_networks import StandardizedExtractor
from labs.fast_sac import FastSAC
from labs.fast_update import LOSSES
from labs.image_augmentation import RandomShiftAug, augmented_ends
from labs.keypoint_encoder import KeypointExtractor
from labs.manipulation_encoder import ManipulationExtractor
from labs.pixel_wrapper import PixelObservationWrapper
from labs.replay import EpisodeReplay
from labs.visual_encoder import NatureExtractor

torch.set_num_threads(1)

VECTORS = {
    "achieved_goal": spaces.Box(-np.inf, np.inf, (3,), np.float64),
    "desired_goal": spaces.Box(-np.inf, np.inf, (3,), np.float64),
    "observation": spaces.Box(-np.inf, np.inf, (25,), np.float64),
}
STATE = spaces.Dict(VECTORS)
PIXELS = spaces.Dict({**VECTORS, "pixels": spaces.Box(0, 255, (6, 36, 36), np.uint8)})
ACTIONS = spaces.Box(-1, 1, (4,), np.float32)


def move(batch: DictReplayBufferSamples, device: str) -> DictReplayBufferSamples:
    parts = [
        {k: v.to(device) for k, v in part.items()} if isinstance(part, dict) else part
        for part in batch
    ]
    return DictReplayBufferSamples(*[p.to(device) if torch.is_tensor(p) else p for p in parts])


class Replayed:
    """Hands the same batches to two algorithms."""

    def __init__(self, space: spaces.Dict, batches: int, size: int = 32, device: str = "cpu"):
        generator = torch.Generator().manual_seed(0)

        def draw(part):
            if part.dtype == np.uint8:
                shape = (size, *part.shape)
                return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
            return torch.randn(size, *part.shape, generator=generator)

        self.batches = [
            DictReplayBufferSamples(
                observations={k: draw(p) for k, p in space.spaces.items()},
                actions=torch.rand(size, 4, generator=generator) * 2 - 1,
                next_observations={k: draw(p) for k, p in space.spaces.items()},
                dones=torch.zeros(size, 1),
                rewards=-torch.rand(size, 1, generator=generator).round(),
            )
            for _ in range(batches)
        ]
        if device != "cpu":
            self.batches = [move(batch, device) for batch in self.batches]

    def sample(self, batch_size, env=None):
        self.batches.append(self.batches.pop(0))
        return self.batches[-1]


def bare_env(space):
    """An environment that is only asked for its spaces."""
    import gymnasium as gym

    class Spaces(gym.Env):
        observation_space, action_space = space, ACTIONS

    return Spaces()


# Adam divides by the gradient's own size, so a weight whose true gradient is zero (a bias before
# LayerNorm or before the shift-invariant SpatialSoftmax) moves by pure rounding noise. This eps is
# far above the noise and far below every real gradient.
ADAM = {"eps": 1e-4}  # at 1e-5 the noise of AMD's processors showed


def make(algorithm, space, policy, ent_coef="auto", policy_kwargs=None, **kwargs):
    options = {"net_arch": [64, 64], "optimizer_kwargs": ADAM, **(policy_kwargs or {})}
    model = algorithm(
        policy,
        bare_env(space),
        ent_coef=ent_coef,
        learning_rate=1e-4,
        buffer_size=100,
        policy_kwargs=options,
        seed=3,
        **{"device": "cpu", **kwargs},
    )
    model.set_logger(Logger(None, []))
    return model


def record_gradients(model) -> dict[str, list[torch.Tensor]]:
    """Copies the gradients with which each optimizer steps, at the moment it steps."""
    seen: dict[str, list[torch.Tensor]] = {}

    def watch(name, optimizer):
        def hook(optimizer, *_):
            groups = optimizer.param_groups
            seen[name] = [p.grad.clone() for group in groups for p in group["params"]]

        optimizer.register_step_pre_hook(hook)

    watch("actor", model.actor.optimizer)
    watch("critic", model.critic.optimizer)
    if model.ent_coef_optimizer is not None:
        watch("temperature", model.ent_coef_optimizer)
    return seen


def close(theirs, mine) -> bool:
    return len(theirs) == len(mine) and all(
        torch.allclose(a, b, atol=1e-5, rtol=1e-5) for a, b in zip(theirs, mine, strict=True)
    )


CASES = {
    "state, separate": (SAC, STATE, "MultiInputPolicy", {}),
    "pixels, separate": (SAC, PIXELS, "MultiInputPolicy", {}),
    "pixels, actor": (SAC, PIXELS, "MultiInputPolicy", {"share_features_extractor": True}),
    "pixels, critic": (DrQv2SAC, PIXELS, "DrQv2SACPolicy", {}),
    "state, critic": (DrQv2SAC, STATE, "DrQv2SACPolicy", {}),
}


# A ReLU whose input lies a rounding error from zero has a gradient that jumps. Of the hundred
# thousand inputs of ten updates, the rounding of some processor meets one.
SMOOTH = torch.nn.Tanh


def assert_ten_updates_equal(case, ent_coef, updates=10, activation=SMOOTH, ends=None, **kwargs):
    """Losses, gradients and next weights agree to 1e-5 over ten updates in float32."""
    reference, space, policy, options = CASES[case]
    options = options | {"activation_fn": activation}
    stock = make(reference, space, policy, ent_coef, options)
    fast = make(FastSAC, space, policy, ent_coef, options, **kwargs)
    fast.policy.load_state_dict(stock.policy.state_dict())
    stock.replay_buffer, fast.replay_buffer = Replayed(space, 10), Replayed(space, 10)
    for model in (stock, fast) if ends else ():
        memory = model.replay_buffer
        memory.batches = [batch._replace(**ends) for batch in memory.batches]
    theirs, mine = record_gradients(stock), record_gradients(fast)
    start = [p.detach().clone() for p in fast.policy.parameters()]
    for step in range(updates):
        for model in (stock, fast):
            torch.manual_seed(step)
            model.train(gradient_steps=1, batch_size=32)
        losses = fast.take_losses()
        for name in LOSSES[: 4 if ent_coef == "auto" else 3]:
            expected = stock.logger.name_to_value[f"train/{name}"]
            assert losses[name] == pytest.approx(expected, abs=1e-5, rel=1e-5), (step, name)
        assert set(theirs) == set(mine)
        for name in theirs:
            assert close(theirs[name], mine[name]), f"gradient of {name} at update {step}"
        assert close(list(stock.policy.parameters()), list(fast.policy.parameters())), step
    moved = [not torch.equal(a, b) for a, b in zip(start, fast.policy.parameters(), strict=True)]
    assert all(moved), "an update that moves nothing equals anything"
    return fast


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("ent_coef", ["auto", 0.05])
@pytest.mark.parametrize("case", CASES)
def test_ten_updates_equal_the_reference(case, ent_coef, channels_last):
    assert_ten_updates_equal(case, ent_coef, channels_last=channels_last)


@pytest.mark.parametrize("case", ["state, separate", "state, critic"])
def test_episodes_may_end_for_good_and_transitions_reach_steps_ahead(case):
    generator = torch.Generator().manual_seed(7)
    dones = torch.rand(32, 1, generator=generator).round()
    discounts = 0.9 ** torch.randint(1, 4, (32, 1), generator=generator)
    assert_ten_updates_equal(case, "auto", 2, ends={"dones": dones, "discounts": discounts})


@pytest.mark.parametrize("encoder", [NatureExtractor, KeypointExtractor, ManipulationExtractor])
@pytest.mark.parametrize("policy", ["MultiInputPolicy", "LayerNormDrQv2Policy"])
def test_many_goals_of_one_picture_train_as_many_pictures_would(policy, encoder):
    """A picture encoded once for four goals gives the update of four copies of it."""
    options = {"features_extractor_class": encoder, "activation_fn": SMOOTH}
    shared, copied = (make(FastSAC, PIXELS, policy, policy_kwargs=options) for _ in range(2))
    copied.policy.load_state_dict(shared.policy.state_dict())
    start = [p.detach().clone() for p in shared.policy.parameters()]
    many = Replayed(PIXELS, 1, size=32)

    def rows(part, size):
        return {k: v[:: 32 // size] if k == "pixels" else v for k, v in part.items()}

    few = [
        batch._replace(
            observations=rows(batch.observations, 8),
            next_observations=rows(batch.next_observations, 8),
        )
        for batch in many.batches
    ]
    again = [
        batch._replace(
            **{
                name: part | {"pixels": part["pixels"].repeat_interleave(4, dim=0)}
                for name in ("observations", "next_observations")
                for part in (getattr(batch, name),)
            }
        )
        for batch in few
    ]
    gradients = []
    for model, batches in ((shared, few), (copied, again)):
        model.replay_buffer = many
        many.batches = list(batches)
        gradients.append(record_gradients(model))
        torch.manual_seed(0)
        model.train(1, 8)
    assert copied.take_losses() == pytest.approx(shared.take_losses(), rel=1e-5)
    for name in gradients[0]:
        assert close(gradients[1][name], gradients[0][name]), name
    moved = [not torch.equal(a, b) for a, b in zip(start, shared.policy.parameters(), strict=True)]
    assert all(moved), "an update that moves nothing equals anything"


@pytest.mark.parametrize("augment", [None, lambda images: images.flip(-1)])
def test_images_alone_are_prepared_and_augmented_as_those_in_a_dict(augment):
    fast = make(FastSAC, PIXELS["pixels"], "CnnPolicy", augment=augment)
    images = torch.randint(0, 256, (2, 3, *PIXELS["pixels"].shape), dtype=torch.uint8)
    for image, end in zip(images, augmented_ends(augment, *images), strict=True):
        wanted = (image if augment is None else augment(image)) / 255
        assert torch.equal(fast._update.prepare(end), wanted)


@pytest.mark.parametrize("same_shift", [False, True])
def test_both_images_of_a_transition_move_alike_where_told(same_shift):
    """The update asks once for both, side by side along the channels, or once for each."""
    asked = []

    def augment(images):
        asked.append(tuple(images.shape))
        return images

    model = make(FastSAC, PIXELS, "MultiInputPolicy", augment=augment, same_shift=same_shift)
    model.replay_buffer = Replayed(PIXELS, 1, size=8)
    model.train(1, 8)
    assert asked == ([(8, 12, 36, 36)] if same_shift else [(8, 6, 36, 36)] * 2)


def test_ends_of_a_transition_keep_what_is_no_picture():
    image = torch.randint(0, 256, (32, *PIXELS["pixels"].shape), dtype=torch.uint8)
    obs, alike = {"pixels": image, "goal": torch.rand(32, 3)}, {}
    for same_shift in (False, True):
        ends = augmented_ends(RandomShiftAug(2), obs, dict(obs), same_shift)
        assert all(torch.equal(end["goal"], obs["goal"]) for end in ends)
        one, two = (end["pixels"] for end in ends)
        assert not torch.equal(one, image), "it moves"
        alike[same_shift] = (one == two).flatten(1).all(1).float().mean()
    assert alike[True] == 1 and alike[False] < 0.2


needs_compiler = pytest.mark.skipif(
    missing_compiler(torch.device("cpu")) is not None, reason="no C++ compiler"
)


@pytest.fixture
def graphs_only(monkeypatch):
    """Captures and differentiates the graphs as torch.compile does, without a C++ compiler."""
    compiler = torch.compile

    def quick(function, **kwargs):
        return compiler(function, backend="aot_eager", dynamic=kwargs["dynamic"])

    monkeypatch.setattr(torch, "compile", quick)
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("case", ["state, separate", "pixels, actor", "pixels, critic"])
def test_the_captured_update_equals_the_reference(case, graphs_only):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*runs uncompiled")
        fast = assert_ten_updates_equal(case, "auto", compile=True)
    parts = [v for v in vars(fast._update).values() if isinstance(v, Compiled)]
    assert len(parts) >= 4 and all(part.run is not part.plain for part in parts)


@needs_compiler
@pytest.mark.slow
# Compiled kernels sum in another order, and have a hyperbolic tangent of their own: a ReLU serves
# here, as long as none meets a rounding error, which is until the sixth update on pixels.
@pytest.mark.parametrize(("case", "updates"), [("state, separate", 10), ("pixels, critic", 5)])
def test_the_compiled_update_equals_the_reference(case, updates):
    fast = assert_ten_updates_equal(case, "auto", updates, torch.nn.ReLU, compile=True)
    assert fast._update.compiled
    torch._dynamo.reset()


def test_compiling_is_said_to_be_impossible_and_goes_on_without(monkeypatch):
    monkeypatch.setattr(labs.fast_compile.shutil, "which", lambda name: None)
    with pytest.warns(UserWarning, match=r"runs uncompiled: there is no C\+\+ compiler"):
        fast = make(FastSAC, STATE, "MultiInputPolicy", compile=True)
    assert not fast._update.compiled
    with pytest.raises(ValueError, match="received compile 'always'"):
        make(FastSAC, STATE, "MultiInputPolicy", compile="always")


def test_a_failed_compilation_is_said_and_goes_on_without(monkeypatch):
    def broken(graph, inputs):
        raise RuntimeError("no such instruction")

    compiler = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda f, **kw: compiler(f, backend=broken, dynamic=False)
    )
    with pytest.warns(UserWarning, match="_critic_loss runs uncompiled"):
        assert_ten_updates_equal("state, separate", "auto", compile=True)
    torch._dynamo.reset()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("case", CASES)
def test_cuda_graphs_take_the_same_updates(case):
    """On a GPU the compiled update, with CUDA graphs, equals the plain one to 1e-4."""
    _, space, policy, options = CASES[case]
    models = []
    for compile in (False, True):
        model = make(FastSAC, space, policy, "auto", options, compile=compile, device="cuda")
        model.replay_buffer = Replayed(space, 10, device="cuda")
        models.append(model)
    plain, compiled = models
    compiled.policy.load_state_dict(plain.policy.state_dict())
    for step in range(10):
        for model in models:
            torch.manual_seed(step)
            model.train(1, 32)
    pairs = zip(plain.policy.parameters(), compiled.policy.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-4, rtol=1e-3) for a, b in pairs)


# ------------------------------------------------------------------- a whole life, on real tasks


def reach(n_envs=2, **kwargs):
    def make():
        return make_env("reach", render_mode=None, **kwargs)

    return DummyVecEnv([make] * n_envs)


def seeing_push():
    env = make_env("push", scene="lean", image_size=36, max_episode_steps=8)
    return PixelObservationWrapper(env, (36, 36), goal_mode="both", frame_stack=2)


def small(env, **kwargs):
    options = {"net_arch": [32, 32], "features_extractor_class": StandardizedExtractor}
    defaults = dict(
        learning_starts=110,
        batch_size=32,
        buffer_size=1000,
        seed=0,
        device="cpu",
        policy_kwargs=options,
    )
    return FastSAC("LayerNormPolicy", env, **{**defaults, **kwargs})


class Counter(BaseCallback):
    def __init__(self, stop_at=None):
        super().__init__()
        self.calls, self.stop_at, self.started, self.ended = 0, stop_at, 0, 0

    def _on_training_start(self):
        self.started += 1

    def _on_step(self):
        self.calls += 1
        assert "infos" in self.locals and "rewards" in self.locals
        return self.stop_at is None or self.num_timesteps < self.stop_at

    def _on_training_end(self):
        self.ended += 1


def test_learning_calls_back_logs_and_stops_when_told(tmp_path):
    model = small(reach(), updates_per_step=0.25)
    model.set_logger(configure(str(tmp_path), ["csv"]))
    callback = Counter(stop_at=300)
    model.learn(10_000, callback=callback, log_interval=2)
    assert (callback.started, callback.ended) == (1, 1)
    assert model.num_timesteps == 300 and callback.calls == 150
    # 0.25 updates a step from step 112 on: 94 vector steps × 2 environments × 0.25
    assert model._n_updates == 47
    with open(tmp_path / "progress.csv") as file:
        rows = list(csv.DictReader(file))
    assert rows and float(rows[-1]["train/critic_loss"]) > 0
    assert int(rows[-1]["time/total_timesteps"]) == 300
    assert isinstance(model.replay_buffer, EpisodeReplay) and model.replay_buffer.size() == 300


def test_a_memory_deleted_to_make_room_is_loaded_again(tmp_path):
    model = small(reach(), updates_per_step=0).learn(200)
    kept = {name: part.clone() for name, part in model.replay_buffer.memory.items()}
    path = tmp_path / "memory.safetensors"
    model.save_replay_buffer(path)
    del model.replay_buffer
    model.load_replay_buffer(path)
    memory = model.replay_buffer
    assert isinstance(memory, EpisodeReplay) and memory.size() == 200
    stored = memory.stored_episodes
    assert all(torch.equal(kept[k][:stored], part[:stored]) for k, part in memory.memory.items())
    model.learn(100, reset_num_timesteps=False)
    assert memory.size() == 300


def test_every_call_of_learn_draws_random_actions_of_its_own():
    """A second call must not repeat the first one's; a run that goes on must meet the same."""

    def play(calls):
        model = small(reach(1), random_actions=0.5, learning_starts=0, updates_per_step=0)
        drawn = []
        for steps, fresh in calls:
            model.learn(steps, reset_num_timesteps=fresh)
            drawn.append(model._rng.random(4).tolist())
        return drawn

    again = play([(20, True), (20, False), (20, True)])
    assert len({tuple(numbers) for numbers in again}) == 3
    assert play([(20, True), (20, False), (20, True)]) == again


def test_the_memory_holds_the_actions_that_were_taken():
    model = small(reach(1), random_actions=0.5, learning_starts=0, updates_per_step=0)
    taken, send = [], model.env.step_async
    model.env.step_async = lambda actions: taken.append(actions.copy()) or send(actions)
    model.learn(100)
    stored = model.replay_buffer.memory["actions"][:2].flatten(0, 1)
    np.testing.assert_allclose(stored, np.concatenate(taken), atol=1e-6)


def test_what_bends_a_random_action_sees_its_own_environment():
    """It is given the observation before the step, and what it answers is done and stored."""
    seen = []

    def bend(observation, action, rng):
        seen.append(observation["achieved_goal"].copy())
        return np.full_like(action, 0.5)

    model = small(reach(), random_actions=1.0, bend=bend, learning_starts=0, updates_per_step=0)
    n = model.env.num_envs
    model.learn(50 * n)
    assert len(seen) == 50 * n
    memory = model.replay_buffer.memory
    assert torch.equal(memory["actions"][:n], torch.full_like(memory["actions"][:n], 0.5))
    places = np.array(seen).reshape(50, n, 3).swapaxes(0, 1)
    np.testing.assert_allclose(memory["achieved_goal"][:n, :50], places)


def test_who_acts_stays_as_it_is_while_another_learns(tmp_path):
    def weights(policy):
        return torch.cat([part.float().flatten() for part in policy.state_dict().values()])

    model = small(reach(), acting_ends=200)
    model.learn(200, log_interval=None)
    assert model.acting is None, "the next step is the first on which another acts"
    parted = weights(model.policy)
    model.learn(100, reset_num_timesteps=False, log_interval=None)
    assert torch.equal(weights(model.acting), parted)
    assert not torch.equal(weights(model.policy), parted), "it learns on"
    copy = FastSAC.load(model.save(tmp_path / "model"), env=reach(), device="cpu")
    assert copy.acting_ends == 200 and torch.equal(weights(copy.acting), parted)

    # Another run's policy, in networks of another size: it acts, and learns nothing.
    other = small(reach(), policy_kwargs=model.policy_kwargs | {"net_arch": [8]}).policy
    model = small(reach(), acting_ends=100, acting_policy=other)
    model.learn(200, log_interval=None)
    assert model.acting is not other and torch.equal(weights(model.acting), weights(other))
    path = model.save(tmp_path / "lent")
    with pytest.raises(UserError, match="give load\\(\\) the acting_policy"):
        FastSAC.load(path, device="cpu")
    again = FastSAC.load(
        path,
        device="cpu",
        acting_policy=small(
            reach(), seed=5, policy_kwargs=model.policy_kwargs | {"net_arch": [8]}
        ).policy,
    )
    assert torch.equal(weights(again.acting), weights(other))

    # What is met from then on is what the old policy does: the learner may be anything.
    def met(spoil):
        model = small(reach(), acting_ends=200, updates_per_step=0)
        model.learn(202, log_interval=None)
        if spoil:
            with torch.no_grad():
                model.actor.mu.bias += 5
        model.learn(98, reset_num_timesteps=False, log_interval=None)
        return model.replay_buffer.memory["actions"]

    assert torch.equal(met(False), met(True))
    model.learn(100, log_interval=None)
    assert model.acting is None, "the steps are counted from 0 again"


def test_networks_are_drawn_anew_and_what_was_met_stays(tmp_path):
    def weights(model):
        return torch.cat([part.detach().flatten() for part in model.policy.parameters()])

    def drawn_at(step, **changes):
        model = small(reach(), **changes)
        model.learn(step, log_interval=None)
        return model

    whole, reset = drawn_at(200), drawn_at(200, reset_every=200)
    assert torch.equal(weights(whole), weights(reset)), "nothing until the next step"
    memory = reset.replay_buffer.size()
    first = small(reach()).log_ent_coef.item()
    statistics = [m.mean.clone() for m in reset._standardizers]
    assert reset.log_ent_coef.item() != first
    reset.redraw()
    alike = torch.isclose(weights(whole), weights(reset)).double().mean()
    assert alike < 0.5, "biases may be drawn as 0, weights not"
    kept = [torch.equal(m.mean, s) for m, s in zip(reset._standardizers, statistics, strict=True)]
    assert kept and all(kept) and statistics[0].any(), "of what was seen, not of what was learned"
    assert reset.log_ent_coef.item() == first and reset.replay_buffer.size() == memory > 0
    assert not any(o.state for o in optimizers_of(reset).values())
    targets = zip(reset.critic.parameters(), reset.critic_target.parameters(), strict=True)
    assert all(torch.equal(online, target) for online, target in targets)

    asked = []
    reset.redraw = lambda: asked.append(reset.num_timesteps)
    reset.learn(500, reset_num_timesteps=False, log_interval=None)  # to step 700
    assert asked == [200, 400, 600]
    copy = FastSAC.load(reset.save(tmp_path / "model"), device="cpu")
    assert copy.reset_every == 200


def test_gradient_steps_mean_what_they_mean_in_sb3():
    for gradient_steps, train_freq, expected in (
        (1, 1, 1),
        (-1, 1, 2),
        (-1, 2, 2),
        (3, 2, 1.5),
        (0, 1, 0),
    ):
        model = small(reach(), gradient_steps=gradient_steps, train_freq=train_freq)
        model.learn(310)
        assert model._n_updates == int(99 * expected), (gradient_steps, train_freq)


def test_a_saved_model_acts_and_learns_on_as_before(tmp_path):
    env = reach()
    model = small(env, updates_per_step=0.25, ent_coef="auto_0.1", gamma=0.97)
    model.learn(200)
    path = model.save(tmp_path / "model")
    assert path == tmp_path / "model.safetensors" and list(tmp_path.iterdir()) == [path]
    copy = FastSAC.load(path, env=env, device="cpu")
    assert copy.gamma == 0.97 and copy.num_timesteps == 200 and copy._n_updates == model._n_updates
    blind = FastSAC.load(path, device="cpu")
    obs = env.reset()
    assert np.array_equal(*(m.predict(obs, deterministic=True)[0] for m in (model, blind)))
    for state in (model, copy):
        state.replay_buffer = Replayed(env.observation_space, 3)
    assert np.array_equal(*(m.predict(obs, deterministic=True)[0] for m in (model, copy)))
    copy.set_logger(Logger(None, []))
    for m in (model, copy):  # optimizer moments and temperature came along
        torch.manual_seed(0)
        m.train(3, 32)
    pairs = zip(model.policy.state_dict().items(), copy.policy.state_dict().values(), strict=True)
    for (name, a), b in pairs:
        assert torch.equal(a, b), name
    assert torch.equal(model.log_ent_coef, copy.log_ent_coef)
    blind.set_env(reach())
    blind.learn(20, reset_num_timesteps=False)
    assert blind.num_timesteps == 220


def test_what_is_owed_and_counted_is_saved_and_noise_is_given_again(tmp_path):
    env = reach()
    noise = NormalActionNoise(np.zeros(4), np.full(4, 0.1))
    model = small(env, updates_per_step=0.25, stats_window_size=7, action_noise=noise)
    model.learn(201)
    assert model._owed == 0.5  # 102 steps since learning began
    path = model.save(tmp_path / "model")
    copy = FastSAC.load(path, env=env, device="cpu", action_noise=noise)
    assert (copy._owed, copy._stats_window_size, copy.action_noise) == (0.5, 7, noise)
    assert FastSAC.load(path, device="cpu").action_noise is None


def test_rewards_of_ones_own_are_asked_for_and_the_rest_of_the_memory_is_the_files(tmp_path):
    def mine(achieved, desired):
        return torch.full(achieved.shape[:1], -7.0)

    env = reach()
    model = small(env, replay_buffer_kwargs={"reward_fn": mine, "n_sampled_goal": 2})
    path = model.save(tmp_path / "model")
    with pytest.raises(UserError, match="'reward_fn': ...}, or None there"):
        FastSAC.load(path, env=env, device="cpu")
    again = {"reward_fn": mine}
    memory = FastSAC.load(path, env=env, device="cpu", replay_buffer_kwargs=again).replay_buffer
    assert memory.reward_fn is mine and memory.n_sampled_goal == 2


def test_hindsight_undoes_no_wrappers_reward_unseen():
    def model_of(scale, **hindsight):
        env = make_env("push", render_mode=None, max_episode_steps=5)
        env = wrappers.TransformReward(env, lambda reward: scale * reward)
        return small(env, learning_starts=1000, replay_buffer_kwargs=hindsight)

    with pytest.raises(ValueError, match=r"do not pay \(-10 instead of -1\); .* wrapper"):
        model_of(10).learn(10)
    model_of(1).learn(10)
    own = model_of(10, reward_fn=lambda achieved, desired: torch.zeros(len(achieved)))
    own.learn(10)  # who gives rewards for all goals means them
    stored = model_of(10, n_sampled_goal=0)
    stored.learn(10)  # without hindsight what was paid is what is learned from
    assert set(stored.replay_buffer.sample(8).rewards.flatten().tolist()) == {-10.0}


@pytest.mark.parametrize("routing", ["MultiInputPolicy", "DrQv2SACPolicy"])
def test_pixels_her_and_augmentation_run_and_save(routing, tmp_path):
    env = DummyVecEnv([seeing_push])
    model = FastSAC(
        routing,
        env,
        learning_starts=16,
        batch_size=8,
        buffer_size=100,
        augment=RandomShiftAug(2),
        policy_kwargs={"net_arch": [16]},
        seed=0,
        device="cpu",
    )
    model.learn(30)
    assert model._n_updates == 13 and model.replay_buffer.n_sampled_goal == 4
    path = model.save(tmp_path / "m")
    copy = FastSAC.load(path, env=env, device="cpu", augment=RandomShiftAug(2))
    assert type(copy.policy) is type(model.policy)
    for m in (model, copy):  # moments in the layout of their weights, or this would differ
        m.set_logger(Logger(None, []))
        m.replay_buffer = Replayed(env.observation_space, 2, size=8)
        torch.manual_seed(0)
        m.train(2, 8)
    assert close(list(model.policy.parameters()), list(copy.policy.parameters()))
    obs = env.reset()
    got = [m.predict(obs, deterministic=True)[0] for m in (model, copy)]
    assert np.array_equal(*got)


def test_an_sb3_zip_is_taken_over_without_its_pickles(tmp_path):
    env = reach()
    stock = SAC(
        "MultiInputPolicy", env, learning_starts=4, policy_kwargs={"net_arch": [32]}, device="cpu"
    )
    stock.learn(30)
    stock.save(tmp_path / "stock")
    path = tmp_path / "stock.zip"
    fast = FastSAC.import_sb3(
        path, "MultiInputPolicy", env, policy_kwargs={"net_arch": [32]}, device="cpu"
    )
    obs = env.reset()
    assert np.array_equal(*(m.predict(obs, deterministic=True)[0] for m in (stock, fast)))
    for model in (stock, fast):
        model.replay_buffer = Replayed(env.observation_space, 2)
        model.set_logger(Logger(None, []))
        torch.manual_seed(0)
        model.train(2, 32)
    assert close(list(stock.policy.parameters()), list(fast.policy.parameters()))
    with pytest.raises(UserError, match="holds other networks"):
        FastSAC.import_sb3(path, "MultiInputPolicy", env, policy_kwargs={"net_arch": [16]})
    with pytest.raises(UserError, match="is an SB3 zip"):
        FastSAC.load(path)
    for damage in (b"garbage", b""):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("policy.pth", damage)
        with pytest.raises(UserError, match="stock.zip is damaged"):
            FastSAC.import_sb3(path, "MultiInputPolicy", env)


def test_damaged_and_foreign_files_are_one_clear_line(tmp_path):
    for name in ("nothing", "."):
        with pytest.raises(UserError, match="there is no model at"):
            FastSAC.load(tmp_path / name)
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not a model")
    with pytest.raises(UserError, match="is damaged"):
        FastSAC.load(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="is no model of FastSAC"):
        FastSAC.load(path)


def test_no_class_outside_the_known_packages_is_imported():
    with pytest.raises(UserError, match="not part of torch, stable_baselines3, labs"):
        _decode({"class": "os:system"})
    with pytest.raises(UserError, match="is no class"):
        _decode({"class": "torch:load"})


OTHERS = [spaces.MultiBinary(4), spaces.MultiBinary([2, 3]), spaces.Discrete(5, start=-1)]


@pytest.mark.parametrize(
    "space", [STATE, PIXELS, ACTIONS, spaces.Box(0, np.array([1.0, 2.0])), *OTHERS]
)
def test_spaces_survive_json(space):
    assert decode_space(json.loads(json.dumps(encode_space(space)))) == space


@pytest.mark.parametrize(
    ("low", "high", "dtype"), [(None, None, "float64"), (0.0, 255.0, "uint8"), (-1, 1, "float32")]
)
def test_the_short_form_of_older_policies_is_read(low, high, dtype):
    bounds = (-np.inf, np.inf) if low is None else (low, high)
    found = decode_space({"shape": [3], "dtype": dtype, "low": low, "high": high})
    assert found == spaces.Box(*bounds, (3,), np.dtype(dtype))


def test_what_it_cannot_do_is_said():
    with pytest.raises(ValueError, match="no gSDE"):
        small(reach(), use_sde=True)
    with pytest.raises(ValueError, match="expected a number of steps"):
        small(reach(1), train_freq=(1, "episode"))
    with pytest.raises(ValueError, match="random_actions 2"):
        small(reach(), random_actions=2)
    with pytest.raises(ValueError, match="never bend"):
        small(reach(), bend=lambda seen, action, rng: action)


def test_standardized_features_have_mean_zero_and_deviation_one():
    rng = np.random.default_rng(0)
    extractor = StandardizedExtractor(STATE)
    scale = np.linspace(0.001, 3, 31)
    data = rng.normal(1.3, scale, (500, 31))
    obs = {"achieved_goal": data[:, :3], "desired_goal": data[:, 3:6], "observation": data[:, 6:]}
    for part in np.array_split(np.arange(500), 7):
        extractor.observe({k: v[part] for k, v in obs.items()})
    features = extractor({k: torch.as_tensor(v).float() for k, v in obs.items()})
    assert torch.allclose(extractor.mean, torch.as_tensor(data.mean(0)).float(), atol=1e-5)
    assert features.mean(0).abs().max() < 0.02
    assert (features.std(0)[1:] - 1).abs().max() < 0.02  # all but the one below the floor of 0.01
    assert features.std(0)[0] == pytest.approx(0.1, abs=0.02)
    with pytest.raises(ValueError, match="expected a spaces.Dict of vectors"):
        StandardizedExtractor(PIXELS)


def test_actor_critic_and_target_share_their_statistics():
    model = small(reach())
    model.learn(60)
    extractors = [m for m in model.policy.modules() if isinstance(m, StandardizedExtractor)]
    assert len(extractors) == 3 and all(e.count == 60 for e in extractors)
    for other in extractors[1:]:
        assert torch.equal(extractors[0].mean, other.mean)


# ------------------------------------------------------------- what the class is told, it keeps


def vectors_alone(n_envs: int = 1) -> DummyVecEnv:
    return DummyVecEnv([lambda: make_env("push", render_mode=None)] * n_envs)


def pusher(env, **options) -> FastSAC:
    settings = {"learning_starts": 50, "batch_size": 8, "buffer_size": 500, "seed": 0}
    return FastSAC("MultiInputPolicy", env, **settings | {"device": "cpu"} | options)


@pytest.mark.parametrize(
    "options",
    [
        {"updates_per_step": -1},
        {"updates_per_step": float("nan")},
        {"reset_every": 0},
        {"acting_policy": object()},
    ],
    ids=lambda options: "-".join(f"{k}={v}"[:24] for k, v in options.items()),
)
def test_numbers_out_of_range_are_refused_at_once(options):
    with pytest.raises(ValueError, match="received"):
        pusher(vectors_alone(), **options)


def test_the_memory_counts_with_the_models_own_discount_and_steps(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = pusher(vectors_alone(), gamma=0.5, n_steps=3)
    assert (model.replay_buffer.n_steps, model.replay_buffer.gamma) == (3, 0.5)
    model.learn(100)
    ahead = model.replay_buffer.sample(64).discounts
    assert ahead.min() == pytest.approx(0.5**3)
    path = model.save(tmp_path / "model")
    for asked, gamma in (({}, 0.5), ({"gamma": 0.9}, 0.9)):
        loaded = FastSAC.load(path, vectors_alone(), device="cpu", **asked)
        assert (loaded.replay_buffer.n_steps, loaded.replay_buffer.gamma) == (3, gamma)


def test_a_learning_rate_that_is_a_function_is_asked_for_where_training_goes_on(tmp_path):
    path = pusher(vectors_alone(), learning_rate=lambda left: 1e-3 * left).save(tmp_path / "model")
    with pytest.raises(UserError, match="pass learning_rate to load"):
        FastSAC.load(path, vectors_alone(), device="cpu")
    again = FastSAC.load(path, vectors_alone(), device="cpu", learning_rate=1e-4)
    assert again.learning_rate == 1e-4
    assert FastSAC.load(path, device="cpu").learning_rate == 1e-3, "to predict, the present value"


def test_a_file_of_another_version_says_what_it_names():
    with pytest.raises(UserError, match=r"labs\.gone:Thing, which this version does not have"):
        _decode({"class": "labs.gone:Thing"})


def test_an_interrupted_run_goes_on(monkeypatch):
    """Ctrl-C lands in an update, which runs while a step is under way."""
    env = SharedVecEnv([partial(make_env, "push", render_mode=None)] * 2, workers=1)
    try:
        model = pusher(env)
        train, calls = model.train, []

        def interrupted(*args):
            calls.append(args)
            if len(calls) == 3:
                raise KeyboardInterrupt
            train(*args)

        monkeypatch.setattr(model, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.learn(300)
        model.learn(200, reset_num_timesteps=False)
        env.step_async(np.zeros((2, 4), np.float32))
        with pytest.raises(RuntimeError, match="a step is under way"):
            env.step_async(np.zeros((2, 4), np.float32))
        env.step_wait()
    finally:
        env.close()
