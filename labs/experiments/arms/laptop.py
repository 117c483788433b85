"""Arms for two cores: pixel policies that train in minutes, and the yardstick beside them."""

from __future__ import annotations

from dataclasses import replace

from labs.experiments.arms.eyes import eye_arms
from labs.experiments.arms.honest import honest_arms
from labs.experiments.arms.reach import reach_arms
from labs.experiments.config import RunConfig

#: Push by the reward alone, where a picture is encoded once and judged by many goals. Found on
#: seed 101. Contact is rare and steps are cheap, so the first 400 episodes act at random; half of
#: the goals are hindsight's and half foreign, so that not every block seems to come by itself.
MANY_GOALS = dict(
    image_size=48,
    augmentation="drq",
    pad=1,
    her_k=1,
    ent_coef="auto_0.1",
    batch_size=64,
    gradient_steps=4,
    precision="float32",
    learning_starts=20_000,
    eval_every=5000,
    checkpoint_every=10_000,
)


def laptop_arms(
    reach_state: RunConfig, reach_pixels: RunConfig, push_state: RunConfig, push_blind: RunConfig
) -> list[tuple[RunConfig, str]]:
    """The arms, each with the line that the program's help shows.

    Args:
        reach_state: the yardstick of Reach.
        reach_pixels: Reach from the image alone.
        push_state: Push from the state, with tuned settings.
        push_blind: its blind twin.
    """
    return [
        *reach_arms(reach_state, reach_pixels),
        *honest_arms(push_state),
        *_settled(push_state, push_blind),
        *_twins(push_blind),
        *_many_goals(push_blind),
        *eye_arms(push_blind),
    ]


def _settled(state: RunConfig, blind: RunConfig) -> list[tuple[RunConfig, str]]:
    longer = "to three times its budget: has it settled?"
    return [
        (replace(state, arm="push-state-long", total_steps=300_000), f"the state control {longer}"),
        (
            replace(blind, arm="push-blind-long", total_steps=300_000),
            f"the tuned blind twin {longer}",
        ),
    ]


def _small(blind: RunConfig) -> RunConfig:
    # The vectors of step 2, which suffice without a camera, beside a picture small enough for few
    # cores.
    return replace(
        blind,
        arm="push-small",
        observation="pixels",
        camera="workspace",
        scene="lean",
        goal_sphere=False,
        image_size=36,
        encoder="nature",
        features_dim=50,
        routing="critic",
    )


def _many_goals(blind: RunConfig) -> list[tuple[RunConfig, str]]:
    one = replace(
        _small(blind), arm="push-one-goal", goal_mode="desired", total_steps=40_000, **MANY_GOALS
    )
    eight = replace(one, arm="push-eight-goals", goals_per_frame=8)
    words = "pixels of 48 × 48, joints and the goal, by reward alone"
    return [
        (one, f"{words}: each picture judged by one goal"),
        (eight, f"{words}: each picture encoded once, judged by eight goals"),
        (
            replace(eight, arm="push-eight-goals-long", total_steps=300_000, buffer_size=300_000),
            "the same to seven times its budget: does sight turn into control?",
        ),
    ]


def _twins(blind: RunConfig) -> list[tuple[RunConfig, str]]:
    # The twins' pictures hold nothing.
    real = _small(blind)
    honest = replace(real, arm="push-small-honest", goal_mode="desired")
    return [
        (real, "step 2's vectors and a picture of 36 × 36, with good settings"),
        (
            replace(real, arm="push-small-noise", image_content="noise"),
            "step 2's vectors and a picture of noise",
        ),
        (
            replace(real, arm="push-small-blank", image_content="blank"),
            "step 2's vectors and a black picture",
        ),
        (honest, "pixels of 36 × 36, joints and the goal, by reward alone"),
        (
            replace(honest, arm="push-small-helped", auxiliary=1.0),
            "the same, and a second loss tells the encoder where gripper and block are",
        ),
        (
            replace(real, arm="push-small-actor", routing="actor"),
            "step 2's vectors and a picture of 36 × 36: the actor's loss trains the encoder",
        ),
        (
            replace(real, arm="push-small-separate", routing="separate"),
            "step 2's vectors and a picture of 36 × 36: each network has an encoder of its own",
        ),
        # What else step 2 changed: with the picture, and on the vectors alone, which suffice.
        (
            replace(real, arm="push-small-buffer10k", buffer_size=10_000),
            "step 2's vectors and a picture of 36 × 36, a memory of 10,000 transitions",
        ),
        (
            replace(real, arm="push-small-buffer25k", buffer_size=25_000),
            "step 2's vectors and a picture of 36 × 36, a memory of 25,000 transitions",
        ),
        (
            replace(real, arm="push-small-buffer50k", buffer_size=50_000),
            "step 2's vectors and a picture of 36 × 36, a memory of 50,000 transitions",
        ),
        (
            replace(real, arm="push-small-k8", her_k=8),
            "step 2's vectors and a picture of 36 × 36, HER with k = 8",
        ),
        (
            replace(real, arm="push-small-u012", gradient_steps=1),
            "step 2's vectors and a picture of 36 × 36, half as many updates, 0.125 a step",
        ),
        (
            replace(real, arm="push-small-u050", gradient_steps=4),
            "step 2's vectors and a picture of 36 × 36, twice as many updates, 0.5 a step",
        ),
        # Why twice as many harm: has the run fitted what came first? Two answers, one at a time.
        (
            replace(
                real,
                arm="push-small-u050-drq",
                gradient_steps=4,
                augmentation="drq",
                pad=2,
            ),
            "step 2's vectors and a picture of 36 × 36, 0.5 updates a step, with random shifts",
        ),
        (
            replace(real, arm="push-small-u050-reset", gradient_steps=4, reset_every=50_000),
            "step 2's vectors and a picture of 36 × 36, 0.5 updates a step, drawn anew halfway",
        ),
        # Do keypoints and random shifts work together, where a reward trains both?
        (
            replace(real, arm="push-small-keypoint", encoder="keypoint"),
            "step 2's vectors and a picture of 36 × 36, read as keypoints",
        ),
        (
            replace(
                real, arm="push-small-keypoint-drq", augmentation="drq", pad=2, encoder="keypoint"
            ),
            "step 2's vectors and a picture of 36 × 36, read as keypoints, with random shifts",
        ),
        (
            replace(blind, arm="push-blind-buffer10k", buffer_size=10_000),
            "the tuned blind twin with a memory of 10,000 transitions, a tenth of its budget",
        ),
        (replace(blind, arm="push-blind-k8", her_k=8), "the tuned blind twin, HER with k = 8"),
        (
            replace(blind, arm="push-blind-u012", gradient_steps=1),
            "the tuned blind twin with half as many updates, 0.125 a step",
        ),
        (
            replace(blind, arm="push-blind-u050", gradient_steps=4),
            "the tuned blind twin with twice as many updates, 0.5 a step",
        ),
        (
            replace(blind, arm="push-blind-n3", n_steps=3, total_steps=200_000, anneal=0.25),
            "the blind twin of push-located-rewards-n3: the place as a number, the same budget",
        ),
        # Data from its own success, or cut off from it before there is any; and the control.
        (
            replace(blind, arm="push-blind-acts-25k", acting_ends=25_000),
            "the tuned blind twin; who acts stays as it was after 25,000 steps, on the floor",
        ),
        (
            replace(blind, arm="push-blind-acts-60k", acting_ends=60_000),
            "the tuned blind twin; who acts stays as it was after 60,000 steps, risen",
        ),
        (
            replace(
                blind,
                arm="push-blind-acts-lent",
                acting_ends=25_000,
                acting_policy="push-blind-tuned/seed0",
            ),
            "the tuned blind twin; after 25,000 steps another run's trained policy acts",
        ),
        # Does the flat phase wait for somebody to touch the block?
        (
            replace(blind, arm="push-blind-seeking", seeking=0.7),
            "the tuned blind twin; most of its random actions go for the block",
        ),
        (
            replace(blind, arm="push-blind-seeking-25k", seeking=0.7, acting_ends=25_000),
            "the same; who acts stays as it was after 25,000 steps, and goes on touching the block",
        ),
        # Which of push-small-n3's changes tells: one at a time.
        (
            replace(real, arm="push-small-steps", n_steps=3),
            "step 2's vectors and a picture of 36 × 36, targets three steps ahead alone",
        ),
        (
            replace(real, arm="push-small-far", camera="default", goal_sphere=True),
            "step 2's vectors and a picture of 36 × 36 by the default camera alone",
        ),
        (
            replace(
                real,
                arm="push-small-n3",
                camera="default",
                goal_sphere=True,
                n_steps=3,
                total_steps=200_000,
                anneal=0.25,
            ),
            "step 2's vectors, the default camera at 36 × 36, targets three steps ahead, longer",
        ),
    ]
