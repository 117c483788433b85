"""What an arm is called in a legend, and its color from figure to figure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from labs.figures.style import OKABE_ITO

#: Arm → what tells it from others of a figure, in a few words.
WORDS = {
    "push-asymmetric": "a locator sees, the critic is told the state",
    "push-asymmetric-achieved": "the critic is told the achieved goal, three times the steps",
    "push-asymmetric-blurred": "the critic is told a place 22 mm off, three times the steps",
    "push-asymmetric-blurred-less": "the critic is told a place 7 mm off, three times the steps",
    "push-asymmetric-frozen": "the critic is told the achieved goal, the encoder learns nothing",
    "push-asymmetric-frozen-long": "the encoder learns nothing, more steps",
    "push-asymmetric-keypoint": "keypoints and joints, the critic is told the state",
    "push-asymmetric-keypoint-long": "the critic is told the state, three times the steps",
    "push-blind-acts-25k": "blind twin, who acts stays on the floor",
    "push-blind-acts-60k": "blind twin, who acts stays as it was at 60,000",
    "push-blind-acts-lent": "blind twin, another run's trained policy acts",
    "push-blind-buffer10k": "blind twin, memory of 10,000",
    "push-blind-k8": "blind twin, k = 8",
    "push-blind-long": "blind twin, three times the steps",
    "push-blind-n3": "no camera: the place as a number, the same budget",
    "push-blind-seeking": "blind twin, random actions go for the block",
    "push-blind-seeking-25k": "blind twin, stays on the floor, goes for the block",
    "push-blind-tuned": "blind twin",
    "push-blind-u012": "blind twin, half the updates",
    "push-blind-u050": "blind twin, twice the updates",
    "push-distilled": "keypoints, imitation",
    "push-distilled-drq": "keypoints, imitation, shifts",
    "push-distilled-far": "keypoints, imitation, default camera",
    "push-distilled-far-drq": "keypoints, imitation, shifts, default camera",
    "push-distilled-flat": "NatureCNN, imitation",
    "push-distilled-flat-drq": "NatureCNN, imitation, shifts",
    "push-distilled-norm": "keypoints, LayerNorm and Tanh, imitation",
    "push-distilled-sphere": "keypoints, imitation, goal sphere shown",
    "push-eye-judged": "behind that eye, the critic is told the achieved goal",
    "push-eye-rewarded": "actor and critic anew behind the eye that rewards opened",
    "push-eye-told": "actor and critic anew behind an eye that serves a policy",
    "push-keypoint-honest": "keypoints and joints, nobody is told, three times the steps",
    "push-keypoint-rewarded": "nobody is told, the eye predicts rewards, three times the steps",
    "push-keypoint-rewarded-n3": "nobody is told, the eye predicts rewards, targets three ahead",
    "push-keypoint-shared": "nobody is told, one encoder, three times the steps",
    "push-located": "a locator sees, reward alone",
    "push-located-played": "a locator that rewards taught in random play, four looks, reward alone",
    "push-located-played-n3": "locator taught in random play, targets three steps ahead",
    "push-located-rewards": "a locator that rewards taught, reward alone",
    "push-located-rewards-annealed": "locator taught by rewards, four looks, falling step sizes",
    "push-located-rewards-far": "locator taught by rewards, default camera",
    "push-located-rewards-far-long": "locator taught by rewards, default camera, longer",
    "push-located-rewards-far-seeking": "default camera, random actions go for what it sees",
    "push-located-rewards-looks": "a locator that rewards taught, four looks, reward alone",
    "push-located-rewards-n3": "locator taught by rewards, targets three steps ahead",
    "push-located-rewards-quick": "two thirds of the steps, targets three steps ahead",
    "push-located-rewards-seeking": "half the steps, random actions go for what it sees",
    "push-located-rewards-short": "half the steps, random actions go nowhere",
    "push-place-blurred-22": "the place exactly, the critic's 22 mm off, anew at each step",
    "push-place-drawn-14": "the place 14 mm off, anew at each step",
    "push-place-drawn-14-looks": "the place 14 mm off, anew at each step, four looks kept",
    "push-place-drawn-14-n3": "the place 14 mm off, anew at each step, targets three steps ahead",
    "push-place-drawn-22": "the place 22 mm off, anew at each step",
    "push-place-drawn-7": "the place 7 mm off, anew at each step",
    "push-place-fixed-22": "the place 22 mm off, always alike",
    "push-place-judged-22": "the place 22 mm off, the critic is told it exactly",
    "push-small": "vectors and a picture",
    "push-small-actor": "vectors and a picture, actor's loss",
    "push-small-blank": "vectors and a black picture",
    "push-small-buffer10k": "vectors and a picture, memory of 10,000",
    "push-small-buffer25k": "vectors and a picture, memory of 25,000",
    "push-small-buffer50k": "vectors and a picture, memory of 50,000",
    "push-small-far": "vectors and a picture by the default camera",
    "push-small-k8": "vectors and a picture, k = 8",
    "push-small-keypoint": "vectors and keypoints of a picture",
    "push-small-keypoint-drq": "the same, random shifts",
    "push-small-n3": "vectors and a picture, targets three steps ahead",
    "push-small-noise": "vectors and noise",
    "push-small-separate": "vectors and a picture, an encoder each",
    "push-small-steps": "vectors and a picture, targets three steps ahead alone",
    "push-small-u012": "vectors and a picture, half the updates",
    "push-small-u050": "vectors and a picture, twice the updates",
    "push-small-u050-drq": "twice the updates, random shifts",
    "push-small-u050-reset": "twice the updates, drawn anew halfway",
    "push-state-long": "full state, three times the steps",
    "push-state-tuned": "full state",
    "push-told": "a locator sees, told what to do",
    "reach-asymmetric": "keypoints, the critic is told the state",
    "reach-keypoint": "keypoints, reward alone",
    "reach-located": "locator, two views",
    "reach-located-default": "locator, default camera",
    "reach-located-filmed": "locator taught by all steps of walks to goals, two views",
    "reach-located-rewards": "locator taught by rewards, two views",
    "reach-located-strayed": "locator taught by walks elsewhere, two views",
    "reach-located-walked": "locator taught by walks to goals, two views",
    "reach-located-workspace": "locator, workspace camera",
    "reach-small": "pixels, reward alone",
    "reach-small-actor": "shifts, actor's loss trains the encoder",
    "reach-small-annealed": "shifts, falling step sizes",
    "reach-small-blind": "vectors alone",
    "reach-small-drq": "pixels and shifts, reward alone",
    "reach-small-keypoint": "two views as keypoints, reward alone",
    "reach-small-keypoint-drq": "two views as keypoints, shifts",
    "reach-small-mended": "shifts, each view for itself, falling step sizes",
    "reach-small-narrow": "shifts, networks of 64",
    "reach-small-same": "shifts, one for both ends of a step",
    "reach-small-separate": "shifts, an encoder for each",
    "reach-small-told": "vectors and two views",
    "reach-small-views": "shifts, each view for itself",
    "reach-state": "state, on Stable-Baselines3",
    "reach-state-tuned": "state",
}

COLORS = [OKABE_ITO[c] for c in ("blue", "vermillion", "green", "purple", "orange", "sky")]

#: Roles that several figures show: the state, its blind twin, pixels, pixels with shifts.
OWN_COLORS = {
    **dict.fromkeys(("push-state-tuned", "reach-state-tuned", "reach-state"), "blue"),
    **dict.fromkeys(("push-blind-tuned", "reach-small-blind"), "vermillion"),
    **dict.fromkeys(("push-small", "push-distilled", "reach-small", "reach-located"), "purple"),
    **dict.fromkeys(("push-distilled-drq", "reach-small-drq"), "green"),
}


def words_of(arm: str) -> str:
    """A few words for a legend; else the arm's own name."""
    return WORDS.get(arm, arm)


def colors_of(arms: Sequence[str]) -> list[str]:
    """A color for each arm."""
    own = {arm: OKABE_ITO[OWN_COLORS[arm]] for arm in arms if arm in OWN_COLORS}
    free = cycle([color for color in COLORS if color not in own.values()] or COLORS)
    return [own[arm] if arm in own else next(free) for arm in arms]
