"""Arms of Reach for two cores: sight that is learned first, and sight by the reward alone."""

from __future__ import annotations

from dataclasses import replace

from labs.experiments.config import RunConfig

#: Half an update a step, LayerNorm in the critics.
REACH_FAST = dict(
    engine="fast",
    learning_rate=1e-3,
    tau=0.02,
    n_envs=4,
    gradient_steps=2,
    critic_layer_norm=True,
    learning_starts=500,
    eval_every=500,
    checkpoint_every=5000,
)

#: Keypoints that learn beside the policy, at the budget of a policy that was taught to see.
KEYPOINTS = dict(
    encoder="keypoint",
    image_size=48,
    frame_stack=1,
    batch_size=128,
    standardize=False,
)

#: NatureCNN by the reward alone. Found on seed 101, which no result reports: a small picture and a
#: small batch, so that an update takes 20 ms; a temperature that starts where it ends, since one
#: that starts at 1 drowns rewards of centimeters for thousands of updates.
REWARD_ALONE = dict(
    engine="fast",
    camera="pair",
    scene="lean",
    image_size=48,
    features_dim=64,
    critic_layer_norm=True,
    routing="critic",
    learning_rate=1e-3,
    tau=0.02,
    gamma=0.9,
    ent_coef="auto_0.02",
    batch_size=64,
    n_envs=8,
    gradient_steps=4,
    precision="fastest",
    total_steps=60_000,
    eval_every=2000,
    checkpoint_every=20_000,
)


def reach_arms(state: RunConfig, pixels: RunConfig) -> list[tuple[RunConfig, str]]:
    """The arms, each with the line that the program's help shows.

    Args:
        state: the yardstick of Reach.
        pixels: Reach from the image alone.
    """
    located = replace(
        pixels,
        arm="reach-located",
        encoder="locator",
        camera="pair",
        scene="lean",
        frame_stack=3,
        standardize=True,
        total_steps=12_000,
        **(REACH_FAST | {"eval_every": 1000}),
    )
    untold = replace(
        located,
        arm="reach-located-rewards",
        locator_taught="rewards",
        locator_moments="played",
        locator_frames=22_000,
    )
    return [
        (
            replace(
                state, arm="reach-state-tuned", standardize=True, total_steps=6000, **REACH_FAST
            ),
            "the state yardstick with good settings",
        ),
        (located, "the image alone: a locator reads gripper and goal from two views"),
        (
            untold,
            "the same, and nobody is told a position: joints and rewards say where the goal was",
        ),
        (
            replace(untold, arm="reach-located-walked", locator_moments="walked"),
            "nobody is told a position, and play walks to the goals that it has measured",
        ),
        (
            replace(untold, arm="reach-located-filmed", locator_moments="filmed"),
            "the same, and each step of a walk is a frame: fewer goals, fewer steps",
        ),
        (
            replace(untold, arm="reach-located-strayed", locator_moments="strayed"),
            "the control of both: play walks as far, to places that are not the goals",
        ),
        (
            replace(located, arm="reach-located-workspace", camera="workspace"),
            "the image alone: a locator, and one view from the workspace camera",
        ),
        (
            replace(located, arm="reach-located-default", camera="default"),
            "the image alone: a locator, and one view from the stock camera",
        ),
        (
            replace(located, arm="reach-keypoint", **KEYPOINTS, routing="critic"),
            "the image alone, by reward alone: keypoints, a first attempt",
        ),
        (
            replace(located, arm="reach-asymmetric", **KEYPOINTS, critic_sees="state"),
            "the image alone: keypoints, the critic is told gripper and goal while it trains",
        ),
        *_by_reward(pixels),
    ]


def _by_reward(pixels: RunConfig) -> list[tuple[RunConfig, str]]:
    plain = replace(pixels, arm="reach-small", **REWARD_ALONE)
    shifted = replace(plain, arm="reach-small-drq", augmentation="drq", pad=2)
    # Other routings and encoders run until the first has risen: long enough to tell them apart.
    rise = {"total_steps": 24_000}
    points = replace(plain, arm="reach-small-keypoint", encoder="keypoint", **rise)
    # The goal as a vector, the joints too: nothing is left for the camera, as the twin shows.
    told = replace(
        shifted,
        arm="reach-small-told",
        goal_mode="desired",
        proprioception=True,
        standardize=True,
        total_steps=10_000,
        eval_every=1000,
        checkpoint_every=5000,
    )
    blind = replace(
        told, arm="reach-small-blind", observation="blind", augmentation="none", routing="separate"
    )
    alone = "the image alone, by reward alone"
    return [
        (plain, f"{alone}: NatureCNN, two small views, good settings"),
        (shifted, f"{alone}: the same with random shifts"),
        (
            replace(shifted, arm="reach-small-views", augmentation="drq-views"),
            f"{alone}: with shifts that keep each view to its half of the image",
        ),
        (
            replace(shifted, arm="reach-small-same", same_shift=True),
            f"{alone}: with shifts, one for both ends of a transition",
        ),
        (
            replace(shifted, arm="reach-small-narrow", net_arch=(64, 64)),
            f"{alone}: with shifts, actor and critics of two layers of 64",
        ),
        (
            replace(shifted, arm="reach-small-annealed", anneal=0.5),
            f"{alone}: with shifts, step sizes that fall to zero over the second half",
        ),
        (
            replace(shifted, arm="reach-small-mended", augmentation="drq-views", anneal=0.5),
            f"{alone}: both mends, shifts that keep each view apart and step sizes that fall",
        ),
        (
            replace(shifted, arm="reach-small-actor", routing="actor", **rise),
            f"{alone}: with shifts, the actor's loss trains the encoder",
        ),
        (
            replace(shifted, arm="reach-small-separate", routing="separate", **rise),
            f"{alone}: with shifts, an encoder each for actor and critic",
        ),
        (points, f"{alone}: two small views, read as keypoints"),
        (
            replace(points, arm="reach-small-keypoint-drq", augmentation="drq", pad=2),
            f"{alone}: two small views, read as keypoints, with random shifts",
        ),
        (told, "two small views, the joints, and the goal as a vector"),
        (blind, "the joints and the goal as a vector, without a camera"),
    ]
