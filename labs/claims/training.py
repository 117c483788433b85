"""How the claims about training are decided: routing, budget, memory, hindsight, the flat phase.

These rules look for *matched* arms, whose settings differ in nothing but what the claim is about,
whatever the arms are called. Elsewhere: :mod:`labs.claims.task`,
:mod:`labs.claims.sight`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from labs.claims.arm import Arm, all_arms, all_matched, matched
from labs.claims.evidence import (
    FAILS,
    HOLDS,
    LIMITS,
    PARTLY,
    UNDECIDED,
    Finding,
    NotMeasured,
    measurement,
)
from labs.claims.words import percent, percents, points, ratio_text, seeds_text
from labs.statistics import Interval, difference, iqm

#: What only a policy with a camera has: arms that differ in these alone share vectors and training.
PICTURE_KNOBS = (
    *("observation", "camera", "scene", "goal_sphere"),
    *("image_size", "features_dim", "routing"),
)

# ----------------------------------------------------------------------------- gradient routing


def routing_alone(root: Path) -> Finding:
    """Claim 5: does the critic's routing, and nothing else, make the difference?

    The reported run went from ``separate`` to ``critic``: that pair decides where it is measured.
    The diagnosis speaks of ``actor``: told beside it, and decides where it stands alone.
    """
    words = {"separate": "an encoder each", "actor": "actor"}
    pairs, missing = [], NotMeasured("")
    for before in words:
        try:
            pairs.append(matched(root, "routing", (before, "critic"), task="push"))
        except NotMeasured as error:
            missing = error
    if not pairs:
        raise missing
    _require_risen(*pairs[0])
    gains = [difference(critic.rates, before.rates) for before, critic in pairs]
    if gains[0].low >= LIMITS["routing_gain"]:
        verdict = HOLDS
    else:
        verdict = FAILS if gains[0].high < LIMITS["routing_gain"] else UNDECIDED
    effect = "; ".join(
        f"critic {percents(critic.rates)}, {words[before.config['routing']]} "
        f"{percents(before.rates)}: {points(gain)}; to 50 %: {critic.to(0.5)} against "
        f"{before.to(0.5)}; runs of {before.steps:,} steps"
        for (before, critic), gain in zip(pairs, gains, strict=True)
    )
    seeds = "; ".join(dict.fromkeys(seeds_text(critic, before) for before, critic in pairs))
    return Finding(verdict, effect, seeds)


def _require_risen(*arms: Arm) -> None:
    """Two arms on the floor are equal, and say nothing: raises NotMeasured where none has risen."""
    if max(iqm(arm.rates).low for arm in arms) < LIMITS["learned"]:
        rates = ", ".join(f"`{arm.name}` {percents(arm.rates)}" for arm in arms)
        raise NotMeasured(f"none of the arms has risen: {rates}")


# ------------------------------------------------------------------------ budget, memory, hindsight


def warming_up(root: Path) -> Finding:
    """Claim 6: is the flat phase a matter of steps, or of updates?

    Were it updates alone, k times as many would bring 50 % k times as early. The claim is refuted
    where half of that way is certain: √k times as early, or twice where √k is more. Blind twins
    have no encoder that could warm up: they can refute, not confirm. And where *they* do not wait
    for updates either, arms with a camera that do not wait say nothing about their eyes. One of the
    two must have got there. Where more updates surely put the rise off, none waits for them, and an
    encoder that warms up would not either: that decides nothing.
    """
    found = _first_decides(_seeing_and_blind(root, "gradient_steps"), partial(_waiting, root))
    return replace(found, effect=found.effect + _eyes_along(root))


def _eyes_along(root: Path) -> str:
    """What a probe read from encoders along runs, told beside claim 6: a run of each arm."""
    found, parts = measurement(root, "eye-along-run", optional=True), []
    for run in found.get("runs", []):
        first, last = run["points"][0], run["points"][-1]
        before, after = (point["head"]["block"]["mean"] for point in (first, last))
        parts.append(
            f"`{run['arm']}` {before:.0f} mm off untrained, {after:.0f} at its end, success "
            f"{last['success']:.0%}"
        )
    if not parts:
        return ""
    seed = found["parameters"]["run_seed"]
    return f"; the block as the encoder of one run more, seed {seed}, shows it: {'; '.join(parts)}"


def _waiting(root: Path, few: Arm, many: Arm) -> Finding:
    ratio = _ratio(few, many)
    halfway = np.sqrt(many.updates_per_step / few.updates_per_step)
    if ratio.low >= min(halfway, LIMITS["twice"]):
        verdict = FAILS
    elif ratio.high < 1:
        verdict = UNDECIDED
    elif ratio.high <= LIMITS["as_much_work"] and not few.is_blind and _twins_wait(root):
        verdict = HOLDS
    else:
        verdict = UNDECIDED
    effect = (
        f"{few.twins}steps to 50 %: {few.to(0.5)} with {few.updates_per_step:g} updates a step, "
        f"{many.to(0.5)} with {many.updates_per_step:g}; ratio {ratio_text(ratio, 2)}"
    )
    return Finding(verdict, effect, seeds_text(few, many))


def _ratio(few: Arm, many: Arm) -> Interval:
    """Steps to 50 % over those of the other, of which one at least must have got there."""
    if math.isfinite(np.median(many.times(0.5))):
        return few.times_as_many(many, 0.5)
    few.half_time()
    return Interval(0.0, 0.0, 1 / many.times_as_many(few, 0.5).low)


def _twins_wait(root: Path) -> bool:
    """The control of claim 6: whether blind twins surely rise earlier with more updates."""
    try:
        few, many = matched(root, "gradient_steps", None, task="push", observation="blind")
        many.half_time()
    except NotMeasured:
        return False
    return few.times_as_many(many, 0.5).low > LIMITS["as_much_work"]


def _seeing_and_blind(
    root: Path, knob: str, values: tuple[int, int] | None = None
) -> list[tuple[Arm, Arm]]:
    """Matched arms of Push: those with images, then their twins that get the vectors alone.

    The first pair decides. One of the two is enough; raises NotMeasured without either.
    """
    pairs, missing = [], NotMeasured("")
    for observation in ("pixels", "blind"):
        try:
            pairs.append(matched(root, knob, values, task="push", observation=observation))
        except NotMeasured as error:
            missing = error
    if not pairs:
        raise missing
    return pairs


def price_of_pixels(root: Path) -> Finding:
    """Claim 7: do pixels take 2 to 4 times the steps on Push, 2 to 10 times on Reach?

    The fastest arm of either kind. Arms whose eyes or whole policy were taught by privileged
    signals before or beside the reward do not count: their steps are not the whole price; nor do
    those whose random actions go for the block, which the state's arm was not given to try. The
    frames of a locator that rewards taught are steps like all others; where somebody set the block
    down for them, the fastest arm without that is told beside. One task outside its range refutes
    the claim. Where no arm got there with most of its seeds, nothing is decided, and how far they
    came is told.
    """
    found = [finding for task in ("push", "reach") if (finding := _price(root, task))]
    if not found:
        return _unfinished(root)
    verdicts = {finding.verdict for finding in found}
    both_hold = verdicts == {HOLDS} and len(found) == 2
    verdict = FAILS if FAILS in verdicts else HOLDS if both_hold else UNDECIDED
    seeds = "; ".join(dict.fromkeys(finding.seeds for finding in found))
    return Finding(verdict, "; ".join(finding.effect for finding in found), seeds)


def _price(root: Path, task: str) -> Finding | None:
    """One task's part of :func:`price_of_pixels`; None where an arm is missing."""
    pixels = _fastest(root, task, "pixels")
    state = _fastest(root, task, "state")
    if pixels is None or state is None:
        return None
    ratio = pixels.times_as_many(state, 0.9)
    most = LIMITS[f"ratio_high_{task}"]
    if ratio.low > most or ratio.high < LIMITS["ratio_low"]:
        verdict = FAILS
    elif ratio.low >= LIMITS["ratio_low"] and ratio.high <= most:
        verdict = HOLDS
    else:
        verdict = UNDECIDED
    effect = (
        f"{task.capitalize()}, steps to 90 %: `{pixels.name}` / `{state.name}` = "
        f"{ratio_text(ratio)}; {pixels.to(0.9)}"
    )
    if pixels.steps_before:
        effect += f", with the {pixels.steps_before:,} steps of its locator"
    if pixels.is_placed and (unaided := _fastest(root, task, "pixels", placed=False)):
        effect += (
            f"; somebody set the block down for these; without that `{unaided.name}` "
            f"{ratio_text(unaided.times_as_many(state, 0.9))}"
        )
    as_often = state.config["curve_episodes"]  # fewer episodes a point are sooner high by luck
    seeing = _fastest(root, task, "pixels", taught=True, episodes=as_often)
    if seeing is not None:
        taught = ratio_text(seeing.times_as_many(state, 0.9))
        effect += (
            f"; `{seeing.name}`, taught by privileged signals: {taught}, without the steps of what "
            "taught it"
        )
    return Finding(verdict, effect, seeds_text(state, pixels))


def _unfinished(root: Path) -> Finding:
    """How far the best arm of Reach came by reward alone, beside one that was taught to see."""
    state, seeing = _fastest(root, "reach", "state"), _fastest(root, "reach", "pixels", taught=True)
    alone = [arm for arm in _arms(root, "reach", "pixels") if arm.enough()]
    if state is None or not alone:
        raise NotMeasured("no pixel arm, trained by reward alone, with three seeds")
    best = max(alone, key=lambda arm: iqm(arm.rates).value)
    effect = (
        f"Reach by reward alone, `{best.name}`: {percents(best.rates)} after {best.steps:,} steps; "
        f"from the state 90 % after {np.median(state.times(0.9)):,.0f}"
    )
    if math.isfinite(np.median(best.times(0.5))):
        effect += f"; to 50 % {ratio_text(best.times_as_many(state, 0.5))} times the state's steps"
    arms = [state, best]
    if seeing is not None:
        effect += (
            f"; to 90 % `{seeing.name}`, taught by privileged signals, needs "
            f"{ratio_text(seeing.times_as_many(state, 0.9))} times the state's steps"
        )
        arms.append(seeing)
    return Finding(UNDECIDED, effect, seeds_text(*arms))


#: Told this much, a task can be done without looking: such arms say nothing of the price of pixels.
NOT_LOOKING = {"reach": ("desired", "both"), "push": ("both",)}


def _arms(root: Path, task: str, observation: str, taught: bool = False) -> list[Arm]:
    kind = (task, observation)
    return [
        arm
        for arm in all_arms(root)
        if (arm.config["task"], arm.config["observation"]) == kind
        and arm.is_taught == taught
        and not (observation == "pixels" and arm.config["goal_mode"] in NOT_LOOKING[task])
        and not arm.config["seeking"]
    ]


def _fastest(
    root: Path,
    task: str,
    observation: str,
    taught: bool = False,
    placed: bool = True,
    episodes: int | None = None,
) -> Arm | None:
    """The arm with the smallest median time to 90 %; None where no arm has one.

    ``placed``: whether one counts whose locator learned from blocks that somebody set down.
    ``episodes``: only arms whose curves have so many a point.
    """
    arms = [arm for arm in _arms(root, task, observation, taught) if arm.enough()]
    arms = [arm for arm in arms if placed or not arm.is_placed]
    arms = [arm for arm in arms if episodes in (None, arm.config["curve_episodes"])]
    found = [(float(np.median(arm.times(0.9))), arm) for arm in arms]
    found = [pair for pair in found if math.isfinite(pair[0])]
    return min(found, key=lambda pair: pair[0])[1] if found else None


def shifts_fail(root: Path) -> Finding:
    """Claim 12: does DrQ with SpatialSoftmax stay at the floor while its control rises?

    Pairs whose control did not rise decide nothing. Of the others, agents that a reward trains come
    first. Refuted is it where every arm with shifts has risen, and surely lies less than a tenth
    below its control, and where they look: one that does as well before spoiled pictures may bear
    shifts because it does not see them. Where there are none, students that imitate tell whether an
    eye can bear both; they have no critic to confuse, so they decide nothing.
    """
    pairs = _with_keypoints(root)
    risen = [(a, b) for a, b in pairs if iqm(a.rates).low >= LIMITS["learned"]]
    if not risen:
        rates = ", ".join(percents(plain.rates) for plain, _ in pairs)
        raise NotMeasured(f"the control without shifts has not risen: {rates}")
    risen = [pair for pair in risen if not pair[0].imitates] or risen
    scores = [iqm(drq.rates) for _, drq in risen]
    gains = [difference(drq.rates, plain.rates) for plain, drq in risen]
    imitates = risen[0][0].imitates
    if imitates:
        verdict = UNDECIDED
    elif all(score.high <= LIMITS["failed"] for score in scores):
        verdict = HOLDS
    else:
        together = all(score.low >= LIMITS["learned"] for score in scores)
        unharmed = all(gain.low > -LIMITS["gain"] for gain in gains)
        looks = all(arm.looks for pair in risen for arm in pair)
        verdict = PARTLY if not (together and unharmed) else FAILS if looks else UNDECIDED
    effect = "; ".join(
        f"{plain.config['camera']} camera, shifts of up to {drq.config['pad']} of "
        f"{drq.config['image_size']} pixels: with them {percents(drq.rates)}, without "
        f"{percents(plain.rates)}: {points(gain)}; before spoiled pictures at best "
        f"{_spoiled(drq)} and {_spoiled(plain)}"
        for (plain, drq), gain in zip(risen, gains, strict=True)
    )
    if imitates:
        encoders = " and ".join(sorted({f"`{arm.config['encoder']}`" for arm, _ in risen}))
        effect += f"; policies with encoder {encoders} that imitate one that knows the state"
    seeds = "; ".join(dict.fromkeys(seeds_text(*pair) for pair in risen))
    return Finding(verdict, effect, seeds)


def _spoiled(arm: Arm) -> str:
    return percent(max(arm.controls().values())) if arm.controls() else "not measured"


def _with_keypoints(root: Path) -> list[tuple[Arm, Arm]]:
    """Matched arms of Push whose encoder ends in SpatialSoftmax, without and with shifts."""

    def belongs(arm: Arm) -> bool:
        config = arm.config
        return config["encoder"] == "keypoint" or config["head"] == "spatial_softmax"

    return all_matched(root, ("augmentation", "pad"), ("none", "drq"), only=belongs, task="push")


def large_memory(root: Path) -> Finding:
    """Claim 14: is a replay memory of 500,000 transitions essential?

    That a smaller memory costs a tenth of all episodes shows that its size matters. An arm that
    has risen with fewer than 500,000 shows that so many are not needed. Both: *partly*.
    """
    pairs = _seeing_and_blind(root, "buffer_size")
    large = pairs[0][1]
    if large.config["buffer_size"] < large.steps:
        raise NotMeasured(f"the larger memory, `{large.name}`, does not hold its whole run")
    found = _first_decides(pairs, partial(_gain, "buffer_size"))
    reported = LIMITS["reported_memory"]
    alike = {"task": "push", "observation": large.config["observation"]}
    arms = [arm for pair in all_matched(root, "buffer_size", None, **alike) for arm in pair]
    risen = [arm for arm in arms if iqm(arm.rates).low >= LIMITS["learned"]]
    fewer = large.config["buffer_size"] < reported
    between = {arm.config["buffer_size"]: arm for arm in arms}
    for end in pairs[0]:
        between.pop(end.config["buffer_size"])
    if between:
        who = "blind twins" if large.is_blind else "arms with images"
        sizes = (f"{size:,}: {percents(between[size].rates)}" for size in sorted(between))
        found = replace(found, effect=f"{found.effect}; {who} in between, {', '.join(sizes)}")
    if found.verdict == HOLDS and (
        fewer or any(arm.config["buffer_size"] < reported for arm in risen)
    ):
        return replace(found, verdict=PARTLY)
    return found


def more_hindsight(root: Path) -> Finding:
    """Claim 15: does a larger k help, at the end or on the way?"""
    return _first_decides(_seeing_and_blind(root, "her_k", (4, 8)), _hindsight)


def _hindsight(small: Arm, large: Arm) -> Finding:
    found = _gain("her_k", small, large)
    if not math.isfinite(np.median(large.times(0.5))):
        return found
    sooner = small.times_as_many(large, 0.5)
    verdict = found.verdict
    if sooner.low >= LIMITS["as_much_work"]:
        verdict = HOLDS
    elif verdict == FAILS and sooner.high >= LIMITS["as_much_work"]:
        verdict = UNDECIDED
    way = f"; steps to 50 % with 4 over those with 8: {ratio_text(sooner, 2)}"
    return Finding(verdict, found.effect + way, found.seeds)


def _gain(knob: str, small: Arm, large: Arm) -> Finding:
    _require_risen(small, large)
    gain = difference(large.rates, small.rates)
    if gain.low >= LIMITS["gain"]:
        verdict = HOLDS
    else:
        verdict = FAILS if gain.high < LIMITS["gain"] else UNDECIDED
    effect = (
        f"{small.twins}{_setting(large, knob)}: {percents(large.rates)}; "
        f"{_setting(small, knob)}: {percents(small.rates)}: {points(gain)}; runs of "
        f"{small.steps:,} steps"
    )
    return Finding(verdict, effect, seeds_text(large, small))


def _setting(arm: Arm, knob: str) -> str:
    """A knob's value in words; a memory that holds the whole run is no larger than that."""
    value = arm.config[knob]
    return "the whole run" if knob == "buffer_size" and value >= arm.steps else f"{value:,}"


def _first_decides(pairs: list[tuple[Arm, Arm]], judge: Callable[[Arm, Arm], Finding]) -> Finding:
    """The first pair's verdict; the others are told beside it, where they say anything."""
    findings = [judge(*pairs[0])]
    for pair in pairs[1:]:
        with contextlib.suppress(NotMeasured):
            findings.append(judge(*pair))
    effect = "; ".join(finding.effect for finding in findings)
    seeds = "; ".join(dict.fromkeys(finding.seeds for finding in findings))
    return Finding(findings[0].verdict, effect, seeds)


def learns_to_see(root: Path) -> Finding:
    """Claim 19: does an image that holds nothing rise as late as a real one?

    Then nothing was being seen. A real image that takes twice as long may be learned, or merely be
    in the way; and noise that takes twice as long, or never rises, may be in the way as well. So
    either way the claim holds only if the encoder reads the block better at the end than it did
    untrained.
    """
    twin, real = matched(root, "image_content", ("noise", "real"), task="push")
    real.half_time()  # at least half of its seeds got there
    ratio = twin.times_as_many(real, 0.5)
    before, after = _block_read_to(root, real)
    twice = LIMITS["twice"]
    if ratio.low >= 1 / LIMITS["as_much_work"] and ratio.high < twice:
        verdict = FAILS
    elif after is None or (ratio.high > 1 / twice and ratio.low < twice):
        verdict = UNDECIDED
    else:
        verdict = HOLDS if after < LIMITS["blind_share"] * before else PARTLY
    arms, effect = (
        [twin, real],
        f"steps to 50 %: noise {twin.to(0.5)}, real images {real.to(0.5)}; ratio "
        f"{ratio_text(ratio, 2)}",
    )
    for words, knobs, content in (
        ("black images", "image_content", "blank"),
        ("no image", PICTURE_KNOBS, "blind"),
    ):
        other = _twin_of(root, real, knobs, content)
        if other is not None:
            arms.append(other)
            as_many = ratio_text(other.times_as_many(real, 0.5), 2)
            effect += f"; {words} {other.to(0.5)}, ratio {as_many}"
    if after is not None:
        effect += (
            f"; the encoder of seed 0 then reads the block to {after:.0f} mm, untrained "
            f"{before:.0f}"
        )
    return Finding(verdict, effect, seeds_text(*arms))


def _twin_of(root: Path, real: Arm, knobs: str | tuple[str, ...], content: str) -> Arm | None:
    """The arm that differs from another in what it receives alone; None where there is none."""
    asked = knobs if isinstance(knobs, str) else knobs[0]
    with contextlib.suppress(NotMeasured):
        for twin, arm in all_matched(root, knobs, (content, real.config[asked]), task="push"):
            if arm.name == real.name:
                return twin
    return None


def _block_read_to(root: Path, arm: Arm) -> tuple[float | None, float | None]:
    """Errors of the block in millimeters that a probe reads from an arm's encoder: untrained (the
    mean of its draws) and at the end. None where no probe was taken."""
    for probe in measurement(root, "encoder-probe", optional=True).get("encoders", []):
        if probe["arm"] == arm.name:
            untrained = np.mean([draw["block"]["mean"] for draw in probe["untrained"]])
            return float(untrained), probe["trained"]["block"]["mean"]
    return None, None
