"""The scoreboard: what was claimed, what came out, how sure that is.

:data:`CLAIMS` lists the source manuscript's claims that can be tested, in our words, and two of
our own. Each has a rule (:mod:`labs.claims.task`, :mod:`labs.claims.training`,
:mod:`labs.claims.sight`) that reads the artifacts and gives a verdict; nothing is typed that an
artifact says. ``pixels claims`` prints the table, the page *Scoreboard* shows it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labs.artifacts import data_root
from labs.claims import sight, task, training
from labs.claims.evidence import OPEN, Finding, NotMeasured

WIDTH = 100  # letters of a line


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        key: its number, or a word.
        says: the claim, in our words.
        decides: what decides it, and where the line is.
        rule: from the artifacts' folder to the finding.
        page: its page below the book's root, without ending.
        command: what makes the artifacts.
    """

    key: str
    says: str
    decides: str
    rule: Callable[[Path], Finding]
    page: str
    command: str


PERCEPTION = "pixels measure perception"
TUNED = "pixels train push-blind-tuned --seeds 0 1 2 3 4 5 6 7 8 9"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "1",
        "With both goals as vectors, Push is solved from pixels.",
        "The same vectors without an image, at each budget that was run. At the floor: holds. At "
        "80 % of the full state or more: success says nothing about the camera, and the claim does "
        "not hold. Policies with images, blank, shuffled or frozen, are told beside it.",
        task.pixels_needed,
        "notebooks/17_is_it_cheating",
        TUNED,
    ),
    Claim(
        "2",
        "Sixteen numbers score 0 % because they hide the block's velocity and rotation.",
        "The same sixteen numbers, well trained, at each budget that was run. At 50 % or more what "
        "they hide cannot be why.",
        task.hidden_state,
        "notebooks/17_is_it_cheating",
        TUNED,
    ),
    Claim(
        "3",
        "5 to 8 % success means that a little was learned.",
        "A policy that does nothing. If 8 of 100 episodes can come from it, nothing was shown.",
        task.little_learned,
        "notebooks/01_proof_of_life",
        "pixels measure push-floor",
    ),
    Claim(
        "4",
        "Stable-Baselines3's default keeps the critic's gradient from the encoder.",
        "The gradient's norm in the critic's encoder, and whether the encoder moves.",
        task.default_cuts,
        "notebooks/14_gradient_routing",
        "pixels measure gradient-routing",
    ),
    Claim(
        "5",
        "Routing the critic's gradient, alone, took Push from 5 % to 95 %.",
        "Two arms that differ in routing alone; half of all episodes must be gained. The lower one "
        "has an encoder for each network, SB3's default, as the reported run had; beside it the "
        "actor's routing, which the manuscript takes that default to be.",
        training.routing_alone,
        "notebooks/18_five_steps",
        "pixels train push-small-separate --seeds 0 1 2 3 4",
    ),
    Claim(
        "6",
        "The flat first two million steps are the encoder warming up.",
        "Two arms that differ in updates a step alone. If k times the updates bring 50 % √k times "
        "as early, or twice, interval included, it was waiting for updates. Without pixel arms: "
        "blind twins, which can refute it only. It holds where pixel arms do not wait for updates "
        "and blind twins, which have no encoder, do. More updates that put the rise off decide "
        "nothing. Refuted is that steps alone are waited for: an encoder may wait for updates.",
        training.warming_up,
        "notebooks/19_reading_the_curve",
        "pixels train push-small-u050 --seeds 0 1 2",
    ),
    Claim(
        "7",
        "Pixels need two to four times the steps of the state on Push, two to ten on Reach.",
        "Steps to 90 % of the fastest arm that learns from pixels by reward alone, over those of "
        "the fastest state arm; the interval inside the claimed range or outside it. A run that "
        "never got there leaves the interval without an upper bound. The steps behind a locator "
        "that rewards taught count; arms whose random actions go for the block do not. One task "
        "outside its range refutes the claim; it holds for both or not at all.",
        training.price_of_pixels,
        "notebooks/20_reach_and_pixels",
        "pixels train reach-located-filmed --seeds 0 1 2 3 4",
    ),
    Claim(
        "8",
        "NatureCNN's stride of 4 destroys an object of 5 pixels.",
        "Regression of the block's place, trained. At 80 % of the error of never looking it is "
        "destroyed; within 25 mm, half the success radius, it is not.",
        sight.stride_destroys,
        "notebooks/21_what_the_camera_can_tell",
        PERCEPTION,
    ),
    Claim(
        "9",
        "The block is about 5 pixels wide.",
        "Pixels counted by segmentation; one pixel more or less is granted.",
        sight.five_pixels,
        "notebooks/02_what_the_policy_sees",
        "pixels measure visibility",
    ),
    Claim(
        "10",
        "Nothing is wrong with the default camera.",
        "The same regression with both cameras. NatureCNN's error 1.5 times the other's refutes "
        "it, 1.2 times is equal; equal, but 1.5 times as bad for keypoints or under a shift, is "
        "*partly*. Policies with keypoints that are not told where the block is, and push a tenth "
        "of all episodes less with it, refute it.",
        sight.default_camera,
        "notebooks/21_what_the_camera_can_tell",
        PERCEPTION,
    ),
    Claim(
        "11",
        "Shifts of 4 pixels put 40 to 80 % noise on the distance from gripper to block.",
        "Keypoints without error, from the simulator's own masks, under every shift: these move "
        "alike. A change of the distance below 5 % refutes it. What networks make of shifted "
        "pictures is told beside.",
        sight.shift_noise,
        "notebooks/22_when_augmentation_fights",
        "pixels measure shift-keypoints",
    ),
    Claim(
        "12",
        "Random shifts and SpatialSoftmax do not work together.",
        "Two arms that differ in shifts alone; the one without must first have passed 50 %. The "
        "one with them has risen too, and is surely less than a tenth worse: refuted, if spoiled "
        "pictures cost both half of their success, else undecided: they may not look. Policies "
        "that imitate show whether an eye can bear both; they have no critic and decide nothing.",
        training.shifts_fail,
        "notebooks/22_when_augmentation_fights",
        "pixels train push-distilled-drq --seeds 0 1 2 3 4",
    ),
    Claim(
        "13",
        "With detached actor features, the actor's loss leaves the encoder without a gradient.",
        "The gradient's norm in the shared encoder after the actor's backward pass.",
        task.detached_is_safe,
        "notebooks/14_gradient_routing",
        "pixels measure gradient-routing",
    ),
    Claim(
        "14",
        "A replay memory of 500,000 transitions is essential.",
        "Two arms that differ in the memory alone, as far apart as there are: a tenth of all "
        "episodes must be gained. With fewer than 500,000 in the larger it is *partly*: size "
        "matters, so many are not needed. Arms with images decide; blind twins are told beside.",
        training.large_memory,
        "notebooks/18_five_steps",
        "pixels train push-small-buffer10k --seeds 0 1 2",
    ),
    Claim(
        "15",
        "Hindsight with k = 8 helps against k = 4.",
        "Two arms that differ in k alone, 4 and 8; a tenth of all episodes must be gained, or a "
        "fifth of the steps to 50 %. Arms with images decide; blind twins are told beside.",
        training.more_hindsight,
        "notebooks/18_five_steps",
        "pixels train push-small-k8 --seeds 0 1 2 3 4",
    ),
    Claim(
        "16",
        "A frame of 480 × 480, shrunk, equals one drawn at 84 × 84.",
        "Pixels; regressions and policies trained on one, shown the other. A tenth more "
        "error with any encoder, or a tenth of a policy's episodes lost, refutes it; other pixels "
        "at the same error are *partly*.",
        sight.shrinking,
        "notebooks/21_what_the_camera_can_tell",
        PERCEPTION,
    ),
    Claim(
        "17",
        "LayerNorm and Tanh after SpatialSoftmax only bound the values.",
        "Regression with and without them, and policies that must look. A tenth more or less "
        "error, intervals apart, refutes it, and so does a tenth of all episodes; more with one "
        "and less with the other is *partly*.",
        sight.only_bounds,
        "notebooks/21_what_the_camera_can_tell",
        PERCEPTION,
    ),
    Claim(
        "18",
        "The goal sphere in the picture is harmless.",
        "Regression trained with it and without it: a tenth more error refutes it. Policies that "
        "must look, likewise: a tenth fewer episodes does. A goal that can be read from it, and is "
        "relabeled, is *partly*; so is a policy that trained with it and loses a tenth of its "
        "episodes when it stands elsewhere.",
        sight.harmless_sphere,
        "notebooks/21_what_the_camera_can_tell",
        PERCEPTION,
    ),
    Claim(
        "19",
        "The flat phase is the time in which the encoder learns to see.",
        "A twin whose images are noise. If it is flat as long, nothing was being seen. If it is "
        "flat half as long, or twice as long and more, the claim holds where the encoder then "
        "finds the block, partly where it does not.",
        training.learns_to_see,
        "notebooks/19_reading_the_curve",
        "pixels train push-small-noise --seeds 0 1 2 3 4",
    ),
    Claim(
        "ours",
        "Push can be done from pixels when nothing tells the policy where the block is.",
        "Pixels, joints and the desired goal; the block's position may teach, but never play. 90 % "
        "success, interval included, and at most half of it with blank, shuffled or frozen images.",
        task.honest_push,
        "notebooks/28_rewards_say_where",
        "pixels train push-located-rewards-n3 --seeds 0 1 2 3 4",
    ),
    Claim(
        "ours 2",
        "It can be learned where nobody is told either: rewards alone teach critic and eye.",
        "The same rule, for the arms whose eye, critic and actor were taught by rewards and "
        "nothing else, the eye in frames for which nobody set the block down. A reward is what "
        "hindsight computes of any picture and any goal.",
        task.nobody_told,
        "notebooks/28_rewards_say_where",
        "pixels train push-located-played-n3 --seeds 0 1 2 3 4",
    ),
)


def claim_of(key: str) -> Claim:
    """The claim of this key. Raises ValueError where there is none."""
    for claim in CLAIMS:
        if claim.key == key:
            return claim
    raise ValueError(f"there is no claim {key!r}")


def judge(claim: Claim, root: Path | None = None) -> Finding:
    """The claim's finding; what is missing, where it cannot be decided.

    Raises:
        UserError: an artifact is damaged.
    """
    try:
        return claim.rule(data_root() if root is None else root)
    except NotMeasured as missing:
        return Finding(OPEN, str(missing), "–")


def as_text(root: Path | None = None) -> str:
    """As plain text."""
    lines = []
    for claim in CLAIMS:
        found = judge(claim, root)
        lines.append(f"{claim.key:>4}  {found.verdict.upper()}: {claim.says}")
        effect = f"{found.effect}. ({found.seeds})" if found.verdict != OPEN else found.effect
        plain = effect.replace("`", "").replace("*", "")
        lines += textwrap.wrap(
            plain, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False
        )
    return "\n".join(lines)
