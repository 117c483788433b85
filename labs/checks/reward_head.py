"""Checks of :mod:`labs.reward_head`."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import CombinedExtractor

from labs.asymmetric import PRIVILEGED, without
from labs.auxiliary import AuxiliaryPolicy
from labs.checks.asserting import raises
from labs.fast_update import SACUpdate
from labs.keypoint_encoder import KeypointExtractor
from labs.reward_head import GOAL, IMAGE, RewardHead
from labs.standardized_images import StandardizedImageExtractor

GOALS_OF_A_PICTURE = 4
POINT = spaces.Box(-np.inf, np.inf, (3,), np.float64)
SPACE = spaces.Dict(
    {
        IMAGE: spaces.Box(0, 255, (3, 64, 64), np.uint8),
        "proprioception": spaces.Box(-np.inf, np.inf, (10,), np.float64),
        GOAL: POINT,
        PRIVILEGED: POINT,
    }
)


def _policy(extractor: type = StandardizedImageExtractor) -> AuxiliaryPolicy:
    torch.manual_seed(0)
    inner = {"inner_class": KeypointExtractor} if extractor is StandardizedImageExtractor else {}
    return AuxiliaryPolicy(
        SPACE,
        spaces.Box(-1, 1, (4,), np.float32),
        lambda _: 1e-3,
        net_arch=[32],
        features_extractor_class=extractor,
        features_extractor_kwargs=inner,
        auxiliary_task="rewards",
    )


def _observations(pictures: int = 16, seed: int = 0) -> dict[str, torch.Tensor]:
    """Raw observations: a bright square on black, and goals near and far from it, in meters."""
    draw = torch.Generator().manual_seed(seed)
    rows = pictures * GOALS_OF_A_PICTURE
    where = torch.randint(8, 50, (pictures, 2), generator=draw)
    images = torch.zeros(pictures, 3, 64, 64, dtype=torch.uint8)
    for picture, (r, c) in enumerate(where.tolist()):
        images[picture, :, r : r + 6, c : c + 6] = 255
    achieved = torch.cat([where * 0.3 / 64, torch.full((pictures, 1), 0.42)], dim=1)
    goals = achieved[torch.randint(pictures, (rows,), generator=draw)].clone()
    goals[:, :2] += 0.02 * torch.randn(rows, 2, generator=draw)
    return {
        IMAGE: images,
        "proprioception": torch.randn(rows, 10, generator=draw),
        GOAL: goals,
        PRIVILEGED: achieved.repeat_interleave(GOALS_OF_A_PICTURE, dim=0),
    }


def _encoded(policy: AuxiliaryPolicy, raw: dict[str, torch.Tensor]):
    """Prepared observations and their features."""
    update = SACUpdate(policy, gamma=0.95, tau=0.005, ent_coef=torch.tensor(0.1))
    obs = update.prepare(raw)
    return obs, policy.critic.features_extractor(obs)


def check_shapes_of_the_table():
    """Every picture gets a score for every goal of the batch"""
    policy = _policy()
    obs, features = _encoded(policy, _observations())
    head = policy.auxiliary_head
    assert head.scores(features, 16).shape == (16, 64)
    assert head.of_picture[0].in_features == 64 and head.of_goal[0].in_features == 3
    assert head.of_picture(features[:16, head.image]).shape == (16, 32)
    assert head.loss(features, obs).shape == ()


def check_an_extractor_without_an_order_is_refused():
    """SB3's own extractor does not say where the picture's features lie"""
    raises(ValueError, lambda: _policy(CombinedExtractor), "KeypointExtractor", GOAL)


def check_the_truth_is_hindsights_reward():
    """Who is sure of the reward has no loss, and who is sure of the contrary a large one"""
    policy = _policy()
    obs, features = _encoded(policy, _observations())
    head = policy.auxiliary_head
    fulfilled = torch.empty(16, 64)
    for picture in range(16):
        for goal in range(64):
            apart = obs[PRIVILEGED][GOALS_OF_A_PICTURE * picture] - obs[GOAL][goal]
            fulfilled[picture, goal] = apart.norm() <= 0.05
    assert 0 < fulfilled.mean() < 0.5, "the example holds both answers"
    for sign, low, high in ((40, 0, 1e-6), (-40, 39, 41)):
        head.scores = lambda features, pictures, s=sign: s * (2 * fulfilled - 1)
        loss = head.loss(features, obs).item()
        assert low <= loss <= high, f"received {loss}"


def check_it_reads_the_picture_and_not_the_goal_beside_it():
    """Other joints change no score; another goal beside a picture changes that goal's alone"""
    policy = _policy()
    raw = _observations()
    other = raw | {"proprioception": raw["proprioception"] + 1, GOAL: raw[GOAL].clone()}
    other[GOAL][0] += 0.1
    head = policy.auxiliary_head
    scores, changed = (head.scores(_encoded(policy, r)[1], 16) for r in (raw, other))
    assert not torch.equal(scores[:, 0], changed[:, 0]), "the goal is not read"
    assert torch.equal(scores[:, 1:], changed[:, 1:]), "more than picture and goal is read"


def check_the_achieved_goal_reaches_no_network():
    """Another achieved goal changes no feature and no score, only the rewards"""
    policy = _policy()
    raw = _observations()
    moved = raw | {PRIVILEGED: raw[PRIVILEGED] + 0.1}
    (obs, features), (other, changed) = (_encoded(policy, r) for r in (raw, moved))
    assert torch.equal(features, changed)
    head = policy.auxiliary_head
    assert head.loss(features, obs) != head.loss(changed, other)


def check_rewards_alone_open_an_eye():
    """After training on new pictures, it tells goals of pictures it never met; on black ones not"""
    policy = _policy()
    trained = [*policy.critic.features_extractor.parameters(), *policy.auxiliary_head.parameters()]
    optimizer = torch.optim.Adam(trained, lr=3e-3)

    def loss(seed: int, black: bool = False) -> torch.Tensor:
        raw = _observations(32, seed)
        raw[IMAGE] *= not black
        obs, features = _encoded(policy, raw)
        return policy.auxiliary_head.loss(features, obs)

    for step in range(150):
        optimizer.zero_grad()
        loss(step).backward()
        optimizer.step()
    with torch.no_grad():
        seen, unseen = loss(10_000).item(), loss(10_000, black=True).item()
    assert seen < 0.5 * unseen, f"{seen:.3f} before pictures, {unseen:.3f} before black ones"


def check_it_is_a_part_of_training_alone():
    """The critic's optimizer holds the head; an observation without the achieved goal has none"""
    policy = _policy()
    (group,) = policy.critic.optimizer.param_groups
    held = {id(p) for p in group["params"]}
    assert all(id(p) in held for p in policy.auxiliary_head.parameters())
    assert isinstance(policy.auxiliary_head, RewardHead)
    finished = AuxiliaryPolicy(
        without(SPACE, (PRIVILEGED,)),
        spaces.Box(-1, 1, (4,), np.float32),
        lambda _: 1e-3,
        net_arch=[32],
        features_extractor_class=KeypointExtractor,
        auxiliary_task="rewards",
    )
    assert finished.auxiliary_head is None
