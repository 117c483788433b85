"""Arms for two cores: pixel policies that train in minutes, and the yardstick beside them."""

from __future__ import annotations

from dataclasses import replace

from labs.experiments.config import RunConfig
from labs.experiments.eye_arms import eye_arms

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
        *_reach(reach_state, reach_pixels),
        *_push(push_state),
        *_settled(push_state, push_blind),
        *_twins(push_blind),
        *_many_goals(push_blind),
        *eye_arms(push_blind),
    ]


def _reach(state: RunConfig, pixels: RunConfig) -> list[tuple[RunConfig, str]]:
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
    return [
        (
            replace(
                state, arm="reach-state-tuned", standardize=True, total_steps=6000, **REACH_FAST
            ),
            "the state yardstick with good settings",
        ),
        (located, "the image alone: a locator reads gripper and goal from two views"),
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
        *_reach_by_reward(pixels),
    ]


def _reach_by_reward(pixels: RunConfig) -> list[tuple[RunConfig, str]]:
    plain = replace(pixels, arm="reach-small", **REWARD_ALONE)
    shifted = replace(plain, arm="reach-small-drq", augmentation="drq", pad=2)
    # The other two routings run until the first has risen: long enough to tell them apart.
    rise = {"total_steps": 24_000}
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
            replace(shifted, arm="reach-small-narrow", net_arch=(64, 64)),
            f"{alone}: with shifts, actor and critics of two layers of 64",
        ),
        (
            replace(shifted, arm="reach-small-annealed", anneal=0.5),
            f"{alone}: with shifts, step sizes that fall to zero over the second half",
        ),
        (
            replace(shifted, arm="reach-small-actor", routing="actor", **rise),
            f"{alone}: with shifts, the actor's loss trains the encoder",
        ),
        (
            replace(shifted, arm="reach-small-separate", routing="separate", **rise),
            f"{alone}: with shifts, an encoder each for actor and critic",
        ),
        (told, "two small views, the joints, and the goal as a vector"),
        (blind, "the joints and the goal as a vector, without a camera"),
    ]


def _push(state: RunConfig) -> list[tuple[RunConfig, str]]:
    # The honest task: pixels, joints and the goal. Sight first, by regression; then control, on
    # what is seen. Three frames, so that motion is seen too.
    located = replace(
        state,
        arm="push-located",
        observation="pixels",
        encoder="locator",
        goal_mode="desired",
        proprioception=True,
        frame_stack=3,
        camera="workspace",
        scene="lean",
        goal_sphere=False,
        total_steps=150_000,
        eval_every=10_000,
    )
    by_rewards = replace(
        located, arm="push-located-rewards", locator_taught="rewards", image_size=64, frame_stack=1
    )
    asymmetric = replace(located, arm="push-asymmetric", critic_sees="state", total_steps=100_000)
    # No locator: the actor's loss alone teaches its keypoints to see. Each picture is encoded once.
    whole = replace(
        asymmetric,
        arm="push-asymmetric-keypoint",
        encoder="keypoint",
        frame_stack=1,
        image_size=64,
        batch_size=64,
        goals_per_frame=4,
        eval_every=5000,
    )
    settled = replace(
        whole,
        arm="push-asymmetric-keypoint-long",
        total_steps=300_000,
        buffer_size=300_000,
        eval_every=10_000,
    )
    frozen = replace(settled, critic_sees="achieved", frozen_encoder=True)
    shared = replace(settled, arm="push-keypoint-shared", critic_sees="same", routing="critic")
    distilled = replace(
        located,
        arm="push-distilled",
        engine="distill",
        teacher="push-state-tuned/seed0",
        encoder="keypoint",
        her=False,
        moved_only=False,
        random_actions=0.0,
        frame_stack=2,
        image_size=64,
        precision="fastest",
        batch_size=128,
        gradient_steps=500,
        total_steps=30_000,
        buffer_size=30_000,
        eval_every=4000,
        curve_episodes=10,
    )
    told = replace(
        distilled,
        arm="push-told",
        teacher="push-state-tuned",
        encoder="locator",
        image_size=84,
        precision="auto",
        frame_stack=3,
        learning_rate=1e-3,
        batch_size=256,
        gradient_steps=1000,
        total_steps=40_000,
        buffer_size=40_000,
    )
    return [
        (told, "the same task: a locator sees, and the state policy tells what to do (DAgger)"),
        (located, "the honest task on few cores: a locator learns to see first"),
        (
            by_rewards,
            "nobody is told a position: a locator learns to see from rewards, then reward alone",
        ),
        (
            replace(by_rewards, arm="push-located-rewards-looks", frame_stack=4),
            "the same, and the last four looks of the locator are kept",
        ),
        (
            replace(
                by_rewards,
                arm="push-located-rewards-annealed",
                frame_stack=4,
                total_steps=200_000,
                anneal=0.25,
            ),
            "the same, and a third more steps, over which the step sizes fall to zero",
        ),
        (
            replace(by_rewards, arm="push-located-played", frame_stack=4, locator_moments="played"),
            "the same, and nobody sets the block down: the locator learns from random play",
        ),
        (
            asymmetric,
            "the honest task, a locator sees: the critic is told the state while it trains",
        ),
        (
            whole,
            "the honest task, one network: the actor learns to see from a critic told the state",
        ),
        (
            settled,
            "the same to three times its budget: does the late rise become control?",
        ),
        (
            replace(settled, arm="push-asymmetric-achieved", critic_sees="achieved"),
            "the same budget, and the critic is told only the achieved goal, which HER needs",
        ),
        *(
            (
                replace(settled, arm=arm, critic_sees="achieved", critic_blur=blur),
                f"push-asymmetric-achieved, and the critic is told a place that is {off} off",
            )
            for arm, blur, off in (
                # On average, across the table; an eye that nobody told is as far off,
                ("push-asymmetric-blurred", 0.0175, "22 mm"),
                # and a locator, which was told positions.
                ("push-asymmetric-blurred-less", 0.0055, "7 mm"),
            )
        ),
        (
            replace(frozen, arm="push-asymmetric-frozen", total_steps=150_000),
            "push-asymmetric-achieved to half its budget; the encoder stays as it was drawn",
        ),
        (
            replace(frozen, arm="push-asymmetric-frozen-long"),
            "the same to the whole budget of push-asymmetric-achieved",
        ),
        (
            replace(settled, arm="push-keypoint-honest", critic_sees="same"),
            "as push-asymmetric-achieved, and the critic is told nothing: it has to see, too",
        ),
        (
            shared,
            "the same, with one encoder for both, which the TD error alone teaches",
        ),
        (
            replace(
                shared,
                arm="push-keypoint-rewarded",
                auxiliary=10.0,  # its gradient is then nearer to the TD error's
                auxiliary_task="rewards",
            ),
            "the same, and a second loss: which goals of the batch does a picture fulfil?",
        ),
        *(
            (replace(shared, arm=arm, frozen_encoder=True, pretrained_encoder=lender), words)
            for arm, lender, words in (
                (
                    "push-eye-told",
                    "push-asymmetric-achieved/seed0",
                    "nobody is told; control starts anew behind the eye of a policy that pushes",
                ),
                (
                    "push-eye-rewarded",
                    "push-keypoint-rewarded/seed0",
                    "the same behind the eye that rewards opened",
                ),
            )
        ),
        (
            replace(
                frozen, arm="push-eye-judged", pretrained_encoder="push-keypoint-rewarded/seed0"
            ),
            "behind that same eye, with a critic that is told the achieved goal",
        ),
        *_distilled(distilled),
    ]


def _distilled(plain: RunConfig) -> list[tuple[RunConfig, str]]:
    # Camera, head and shifts, each changed alone. 3 pixels of 64 are 4 of 84.
    cells = {
        "": ({}, "imitate the state policy, image by image (DAgger)"),
        "-far": ({"camera": "default"}, "the same imitation with the stock camera"),
        "-flat": ({"encoder": "nature"}, "the same imitation with NatureCNN, without keypoints"),
    }
    arms = []
    for suffix, (changes, words) in cells.items():
        still = replace(plain, arm=plain.arm + suffix, **changes)
        arms += [
            (still, words),
            (
                replace(still, arm=still.arm + "-drq", augmentation="drq", pad=3),
                f"{words}; random shifts",
            ),
        ]
    return [
        *arms,
        (
            replace(plain, arm="push-distilled-sphere", goal_sphere=True),
            "the same imitation with the goal sphere in the picture",
        ),
        (
            replace(plain, arm="push-distilled-norm", keypoint_norm=True),
            "the same imitation with LayerNorm and Tanh after the keypoints",
        ),
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
    words = "pixels of 48 x 48, joints and the goal, by reward alone"
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
        (real, "step 2's vectors and a picture of 36 x 36, with good settings"),
        (
            replace(real, arm="push-small-noise", image_content="noise"),
            "step 2's vectors and a picture of noise",
        ),
        (
            replace(real, arm="push-small-blank", image_content="blank"),
            "step 2's vectors and a black picture",
        ),
        (honest, "pixels of 36 x 36, joints and the goal, by reward alone"),
        (
            replace(honest, arm="push-small-helped", auxiliary=1.0),
            "the same, and a second loss tells the encoder where gripper and block are",
        ),
        (
            replace(real, arm="push-small-actor", routing="actor"),
            "step 2's vectors and a picture of 36 x 36: the actor's loss trains the encoder",
        ),
        # What else step 2 changed, and what it left: on the vectors alone, which suffice.
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
            replace(blind, arm="push-blind-n3", n_steps=3),
            "the tuned blind twin, TD targets that reach three steps ahead",
        ),
    ]
