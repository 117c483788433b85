"""Arms of the honest task, Push from one camera, the joints and the goal, by who teaches what.

Three families: a locator learns to see first, one network learns to see and to push at once, and
a teacher that knows the state tells a student what to do.
"""

from __future__ import annotations

from dataclasses import replace

from labs.experiments.config import RunConfig


def honest_arms(state: RunConfig) -> list[tuple[RunConfig, str]]:
    """The arms, each with the line that the program's help shows.

    Args:
        state: Push from the state, with tuned settings.
    """
    # Sight first, by regression; then control, on what is seen. Three frames, so that motion is
    # seen too.
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
    asymmetric = replace(located, arm="push-asymmetric", critic_sees="state", total_steps=100_000)
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
        *_told_by_rewards(located),
        (
            asymmetric,
            "the honest task, a locator sees: the critic is told the state while it trains",
        ),
        *_one_network(asymmetric),
        *_distilled(distilled),
    ]


def _told_by_rewards(located: RunConfig) -> list[tuple[RunConfig, str]]:
    one_look = replace(
        located, arm="push-located-rewards", locator_taught="rewards", image_size=64, frame_stack=1
    )
    looks = replace(one_look, arm="push-located-rewards-looks", frame_stack=4)
    annealed = replace(looks, arm="push-located-rewards-annealed", total_steps=200_000, anneal=0.25)
    n3 = replace(annealed, arm="push-located-rewards-n3", n_steps=3)
    far = replace(n3, arm="push-located-rewards-far", camera="default", image_size=84)
    return [
        (
            one_look,
            "nobody is told a position: a locator learns to see from rewards, then reward alone",
        ),
        (looks, "the same, and the last four looks of the locator are kept"),
        (annealed, "the same, and a third more steps, over which the step sizes fall to zero"),
        (n3, "the same, and TD targets reach three steps ahead"),
        (
            replace(n3, arm="push-located-rewards-quick", total_steps=130_000),
            "push-located-rewards-n3 in two thirds of its steps",
        ),
        (
            replace(n3, arm="push-located-rewards-seeking", total_steps=100_000, seeking=0.7),
            "push-located-rewards-n3 in half of its steps; most of its random actions go for the "
            "block that its eye sees",
        ),
        (
            replace(n3, arm="push-located-rewards-short", total_steps=100_000),
            "the same steps, and random actions that go nowhere",
        ),
        (far, "push-located-rewards-n3 with the default camera, in pictures of 84 × 84"),
        (
            replace(
                far,
                arm="push-located-rewards-far-long",
                total_steps=300_000,
                buffer_size=300_000,
            ),
            "the same to one and a half times its budget",
        ),
        (
            replace(far, arm="push-located-rewards-far-seeking", seeking=0.7),
            "push-located-rewards-far; most of its random actions go for the block that its eye "
            "sees",
        ),
        (
            replace(looks, arm="push-located-played", locator_moments="played"),
            "push-located-rewards-looks, and nobody sets the block down: the locator learns from "
            "random play",
        ),
        (
            replace(n3, arm="push-located-played-n3", locator_moments="played"),
            "push-located-rewards-n3, and the locator learns from random play",
        ),
    ]


def _one_network(asymmetric: RunConfig) -> list[tuple[RunConfig, str]]:
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
    return [
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
        *_borrowed_eyes(settled),
    ]


def _borrowed_eyes(settled: RunConfig) -> list[tuple[RunConfig, str]]:
    # What happens where an eye does not learn, where one encoder serves actor and critic, and where
    # control starts anew behind the eye of another run.
    frozen = replace(settled, critic_sees="achieved", frozen_encoder=True)
    shared = replace(settled, arm="push-keypoint-shared", critic_sees="same", routing="critic")
    rewarded = replace(
        shared,
        arm="push-keypoint-rewarded",
        auxiliary=10.0,  # its gradient is then nearer to the TD error's
        auxiliary_task="rewards",
    )
    return [
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
            rewarded,
            "the same, and a second loss: which goals of the batch does a picture fulfil?",
        ),
        (
            replace(rewarded, arm="push-keypoint-rewarded-n3", n_steps=3),
            "the same, and TD targets reach three steps ahead",
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
    ]


def _distilled(plain: RunConfig) -> list[tuple[RunConfig, str]]:
    # Camera, head and shifts, each changed alone. 3 pixels of 64 are 4 of 84.
    cells = {
        "": ({}, "imitate the state policy, image by image (DAgger)"),
        "-far": ({"camera": "default"}, "the same imitation with the default camera"),
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
