"""How the claims about the task and about gradients are decided: one rule each.

A rule reads checked artifacts below ``root`` and compares what it finds with
``labs.claims.evidence.LIMITS``. It raises ``NotMeasured`` where an artifact is missing or an
arm has too few seeds: nobody guesses.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from labs.claims.arm import Arm, all_arms, named_arm
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
from labs.claims.words import percent, percents, points, seeds_text
from labs.statistics import difference, iqm, wilson

# ----------------------------------------------------------------------------- the task, the floor


def pixels_needed(root: Path) -> Finding:
    """Claim 1: does the blind twin fail? What policies with images do without them is told."""
    twins, floor = _twins(root), measurement(root, "push-floor")["no_op"]
    shares = [iqm(blind.rates).low / iqm(state.rates).high for blind, state in twins]
    verdict = _above_the_floor(twins, floor, [s >= LIMITS["same_as_state"] for s in shares])
    told = "; ".join(
        f"after {blind.steps:,} steps without any image: {percents(blind.rates)}, full state: "
        f"{percents(state.rates)}"
        for blind, state in twins
    )
    effect = f"{told}; doing nothing: {percent(floor['rate'])}{_spoiled(root)}"
    return Finding(verdict, effect, _seeds_of(twins))


def hidden_state(root: Path) -> Finding:
    """Claim 2: can the sixteen numbers not be learned from?"""
    twins, floor = _twins(root), measurement(root, "push-floor")["no_op"]
    scores = [iqm(blind.rates).low for blind, _ in twins]
    verdict = _above_the_floor(twins, floor, [s >= LIMITS["learned"] for s in scores])
    told = "; ".join(
        f"the same 16 numbers after {blind.steps:,} steps: {percents(blind.rates)}, full state "
        f"{points(difference(state.rates, blind.rates))}"
        for blind, state in twins
    )
    effect = f"{told}; the reported 0 % lies below doing nothing, {percent(floor['rate'])}"
    return Finding(verdict, effect, _seeds_of(twins))


def _twins(root: Path) -> list[tuple[Arm, Arm]]:
    """The blind twin and the full state; the longer pair as well, where it was run."""
    pairs = [(named_arm(root, "push-blind-tuned"), named_arm(root, "push-state-tuned"))]
    with contextlib.suppress(NotMeasured):
        pairs.append((named_arm(root, "push-blind-long"), named_arm(root, "push-state-long")))
    return pairs


def _seeds_of(twins: list[tuple[Arm, Arm]]) -> str:
    return "; ".join(seeds_text(*pair) for pair in twins)


def _above_the_floor(twins: list[tuple[Arm, Arm]], floor: dict, learned: list[bool]) -> str:
    """Holds where blind twins stay at the floor, fails where they have ``learned``; budgets that
    disagree decide nothing."""
    verdicts = set()
    for (blind, _), enough in zip(twins, learned, strict=True):
        score = iqm(blind.rates)
        if score.low <= floor["high"]:
            verdicts.add(HOLDS if score.high <= floor["high"] else UNDECIDED)
        else:
            verdicts.add(FAILS if enough else PARTLY)
    return verdicts.pop() if len(verdicts) == 1 else UNDECIDED


def _spoiled(root: Path) -> str:
    """What policies with a picture and both goals keep when their images are spoiled."""
    arms = [arm for arm in _seeing(root, "both") if arm.enough() and arm.controls()]
    told = "; ".join(
        f"`{arm.name}` {percents(arm.rates)} ({seeds_text(arm)}), {_controls_text(arm)}"
        for arm in sorted(arms, key=lambda arm: -iqm(arm.rates).value)
    )
    return told and f"; policies with images, then spoiled: {told}"


def little_learned(root: Path) -> Finding:
    """Claim 3: is 5 to 8 % more than the floor, if 100 episodes were played for each?"""
    found = measurement(root, "push-floor")
    floor = found["no_op"]
    least, most = (
        wilson(LIMITS[f"reported_{end}"], LIMITS["reported_of"]) for end in ("low", "high")
    )
    if floor["high"] < least.low:
        verdict = HOLDS
    else:  # FAILS: even the best of the reported numbers can come from doing nothing
        verdict = FAILS if floor["low"] >= most.low else UNDECIDED
    reach = found["reach_block"]
    effect = (
        f"doing nothing: {percent(floor['rate'])} [{percent(floor['low'])}, "
        f"{percent(floor['high'])}]; random actions: {percent(found['random']['rate'])}; "
        f"reaching for the block: {percent(reach['rate'])} [{percent(reach['low'])}, "
        f"{percent(reach['high'])}]"
    )
    return Finding(verdict, effect, f"{floor['n']:,} episodes")


# ----------------------------------------------------------------------------- gradient routing


def _edge(root: Path, routing: str, encoder: str, loss: str) -> tuple[dict, int]:
    path = measurement(root, "gradient-routing")
    for edge in path["edges"]:
        if (edge["routing"], edge["encoder"], edge["loss"]) == (routing, encoder, loss):
            return edge, path["parameters"]["seeds"]
    raise NotMeasured(f"gradient-routing has no {routing}, {encoder}, {loss}")


def _norm(edge: dict) -> str:
    return f"{edge['grad_norm']:.3g} [{edge['grad_norm_low']:.3g}, {edge['grad_norm_high']:.3g}]"


def default_cuts(root: Path) -> Finding:
    """Claim 4: does SB3's default keep the critic's gradient from its encoder?"""
    default, seeds = _edge(root, "separate", "critic's", "critic")
    shared, _ = _edge(root, "actor", "shared", "critic")
    reaches = default["grad_norm_low"] > 0 and default["moved"] > 0
    effect = (
        f"norm of the critic's gradient in its encoder: default {_norm(default)}, "
        f"`share_features_extractor=True` {_norm(shared)}"
    )
    return Finding(FAILS if reaches else HOLDS, effect, f"{seeds} seeds")


def detached_is_safe(root: Path) -> Finding:
    """Claim 13: does ``actor.backward()`` leave the encoder without a gradient?"""
    edge, seeds = _edge(root, "critic_open", "shared", "actor")
    ours, _ = _edge(root, "critic_once", "shared", "actor")
    arrives = edge["grad_norm_low"] > 0
    effect = (
        f"norm of the actor's gradient in the shared encoder: {_norm(edge)}, never stepped; "
        f"encoded once: {_norm(ours)}"
    )
    return Finding(FAILS if arrives else HOLDS, effect, f"{seeds} seeds")


# ---------------------------------------------------------------------------------- the honest task


def honest_push(root: Path) -> Finding:
    """Beyond the source: pixels, joints and the desired goal; nothing tells where the block is."""
    arms = _honest(root)
    if not arms:
        raise NotMeasured(
            "no arm of Push with pixels, joints and the desired goal, with 3 seeds and controls"
        )
    best, finding = _solved(root, arms)
    best_of: dict[str, Arm] = {}
    for arm in sorted(arms, key=lambda arm: -iqm(arm.rates).value):
        best_of.setdefault(arm.way_to_learn, arm)
    others = ". The best of each way to learn: " + "; ".join(
        f"{words}: {_score(arm, best)}" for words, arm in best_of.items()
    )
    return replace(finding, effect=finding.effect + others)


def nobody_told(root: Path) -> Finding:
    """Beyond the source: the same, and training knows rewards alone, the eye's own included.

    An eye whose frames had the block set down for it was helped: such arms are told beside it.
    """
    arms = [arm for arm in _honest(root) if not arm.is_taught]
    placed = [arm for arm in arms if arm.is_placed]
    arms = [arm for arm in arms if not arm.is_placed]
    if not arms:
        raise NotMeasured("no such arm that rewards alone have taught, with 3 seeds and controls")
    best, finding = _solved(root, arms)
    said = ""
    kinds = {
        "Where the block was set down by hand for the eye's frames": placed,
        "The others": [arm for arm in arms if arm is not best],
    }
    for words, of_kind in kinds.items():
        ordered = sorted(of_kind, key=lambda arm: -iqm(arm.rates).value)
        if ordered:
            said += f". {words}: " + "; ".join(_score(arm, best) for arm in ordered)
    return replace(finding, effect=finding.effect + said)


def _score(arm: Arm, best: Arm) -> str:
    """An arm's success, with its seeds where the row counts others."""
    seeds = "" if len(arm.runs) == len(best.runs) else f" ({seeds_text(arm)})"
    return f"`{arm.name}` {percents(arm.rates)}{seeds}"


def _seeing(root: Path, *goal_modes: str) -> list[Arm]:
    """The arms of Push with images and these goals."""
    return [
        arm
        for arm in all_arms(root)
        if arm.config["task"] == "push"
        and arm.config["observation"] == "pixels"
        and arm.config["goal_mode"] in goal_modes
        and not arm.config["full_state"]
    ]


def _honest(root: Path) -> list[Arm]:
    """The arms that play without the block's place, and that were blinded for a control."""
    arms = _seeing(root, "none", "desired")
    return [arm for arm in arms if arm.enough() and arm.controls()]  # else nobody knows if it looks


def _solved(root: Path, arms: list[Arm]) -> tuple[Arm, Finding]:
    """The best of these arms, those that look before all others; and whether it solves the task."""
    best = max(arms, key=lambda arm: (arm.looks, iqm(arm.rates).value))
    score, floor = iqm(best.rates), measurement(root, "push-floor")["no_op"]
    # All seeds play the same episodes: resampling seeds leaves out what those are worth.
    episodes = best.runs[0].json("evaluation.json")["deterministic"]["episodes"]
    surely = min(score.low, wilson(round(score.value * episodes), episodes).low)
    if surely >= LIMITS["solved"] and best.looks:
        verdict = HOLDS
    else:
        verdict = PARTLY if surely > floor["high"] and best.looks else FAILS
    effect = (
        f"`{best.name}`, {best.config['camera']} camera: {percents(best.rates)}, and as far as "
        f"{episodes} episodes can tell at least {100 * surely:.1f} %{_elsewhere(root, best)}; "
        f"images spoiled: {_controls_text(best)}"
    )
    if best.is_taught:
        effect += "; taught with privileged signals, played without"
    return best, Finding(verdict, effect, seeds_text(best))


def _elsewhere(root: Path, arm: Arm) -> str:
    """Success in episodes that no run was scored on, told beside those that all runs share."""
    found = measurement(root, "fresh-episodes", optional=True)
    rows = [row for row in found.get("policies", []) if row["arm"] == arm.name]
    return "".join(
        f"; seed {row['seed']} in {row['episodes']:,} others {percent(row['success_rate'])} "
        f"[{percent(row['success_low'])}, {percent(row['success_high'])}]"
        for row in rows
    )


def _controls_text(arm: Arm) -> str:
    return ", ".join(f"{name} {percent(rate)}" for name, rate in arm.controls().items())
