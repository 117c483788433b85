"""How the claims about the task and about gradients are decided: one rule each.

A rule reads checked artifacts below ``root`` and compares what it finds with
``labs.claims.evidence.LIMITS``. It raises ``NotMeasured`` where an artifact is missing or an
arm has too few seeds: nobody guesses.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from labs.claims.evidence import (
    FAILS,
    HOLDS,
    LIMITS,
    PARTLY,
    UNDECIDED,
    Arm,
    Finding,
    NotMeasured,
    all_arms,
    measurement,
    named_arm,
    percent,
    percents,
    seeds_text,
)
from labs.statistics import iqm, wilson

# ----------------------------------------------------------------------------- the task, the floor


def pixels_needed(root: Path) -> Finding:
    """Claim 1: does the blind twin fail?"""
    blind, state = named_arm(root, "push-blind-tuned"), named_arm(root, "push-state-tuned")
    floor = measurement(root, "push-floor")["no_op"]
    score, share = iqm(blind.rates), iqm(blind.rates).low / iqm(state.rates).high
    if score.low <= floor["high"]:
        verdict = HOLDS if score.high <= floor["high"] else UNDECIDED
    else:
        verdict = FAILS if share >= LIMITS["same_as_state"] else PARTLY
    effect = (
        f"without any image: {percents(blind.rates)}; full state: {percents(state.rates)}; "
        f"doing nothing: {percent(floor['rate'])}"
    )
    return Finding(verdict, effect, seeds_text(blind, state))


def hidden_state(root: Path) -> Finding:
    """Claim 2: can the sixteen numbers not be learned from?"""
    blind, floor = named_arm(root, "push-blind-tuned"), measurement(root, "push-floor")["no_op"]
    score = iqm(blind.rates)
    if score.low <= floor["high"]:
        verdict = HOLDS if score.high <= floor["high"] else UNDECIDED
    else:
        verdict = FAILS if score.low >= LIMITS["learned"] else PARTLY
    effect = (
        f"the same 16 numbers: {percents(blind.rates)} after {blind.steps:,} steps; "
        f"the reported 0 % lies below doing nothing, {percent(floor['rate'])}"
    )
    return Finding(verdict, effect, seeds_text(blind))


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
    finding = _solved(root, arms)
    best_of: dict[str, Arm] = {}
    for arm in sorted(arms, key=lambda arm: -iqm(arm.rates).value):
        best_of.setdefault(arm.way_to_learn, arm)
    others = ". The best of each way to learn: " + "; ".join(
        f"{words}: `{arm.name}` {percents(arm.rates)}" for words, arm in best_of.items()
    )
    return replace(finding, effect=finding.effect + others)


def nobody_told(root: Path) -> Finding:
    """Beyond the source: the same, and training knows rewards alone, the eye's own included."""
    arms = [arm for arm in _honest(root) if not arm.is_taught]
    if not arms:
        raise NotMeasured("no such arm that rewards alone have taught, with 3 seeds and controls")
    finding = _solved(root, arms)
    _, *others = sorted(arms, key=lambda arm: -iqm(arm.rates).value)
    if not others:
        return finding
    said = "; ".join(f"`{arm.name}` {percents(arm.rates)}" for arm in others)
    return replace(finding, effect=f"{finding.effect}. The others: {said}")


def _honest(root: Path) -> list[Arm]:
    """The arms that play without the block's place, and that were blinded for a control."""
    return [
        arm
        for arm in all_arms(root)
        if arm.config["task"] == "push"
        and arm.config["observation"] == "pixels"
        and arm.config["goal_mode"] in ("none", "desired")
        and not arm.config["full_state"]
        and arm.enough()
        and arm.controls()  # without them nobody knows whether it looked
    ]


def _solved(root: Path, arms: list[Arm]) -> Finding:
    """Whether the best of these arms solves the task, and looks."""
    best = max(arms, key=lambda arm: iqm(arm.rates).value)
    score, floor = iqm(best.rates), measurement(root, "push-floor")["no_op"]
    controls = best.controls()
    blind = all(rate <= LIMITS["control_share"] * score.value for rate in controls.values())
    if score.low >= LIMITS["solved"] and blind:
        verdict = HOLDS
    else:
        verdict = PARTLY if score.low > floor["high"] and blind else FAILS
    spoiled = ", ".join(f"{name} {percent(rate)}" for name, rate in controls.items())
    effect = (
        f"`{best.name}`, {best.config['camera']} camera: {percents(best.rates)}; images spoiled: "
        f"{spoiled}"
    )
    if best.is_taught:
        effect += "; taught with privileged signals, played without"
    return Finding(verdict, effect, seeds_text(best))
