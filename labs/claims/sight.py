"""How the claims about cameras, encoders and shifts are decided: one rule each.

A rule reads checked artifacts below ``root`` and compares what it finds with
``labs.claims.evidence.LIMITS``. It raises ``NotMeasured`` where an artifact is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from scipy.special import bdtrc

from labs.claims.arm import Arm, all_matched
from labs.claims.evidence import (
    FAILS,
    HOLDS,
    LIMITS,
    PARTLY,
    Finding,
    NotMeasured,
    measurement,
)
from labs.claims.words import added, mm, percent, percents, points, seeds_span, seeds_text
from labs.experiments.position_errors import over_seeds
from labs.statistics import Interval, difference, iqm

#: The study's encoders with SpatialSoftmax, by what they are called in a sentence.
KEYPOINTS = {
    "keypoints": "KeypointCNN",
    "spatial_softmax": "ManipulationCNN + SpatialSoftmax",
}

SPHERES = ("hidden", "shown", "elsewhere")

ENCODERS = {"nature": "NatureCNN"} | KEYPOINTS


def perception_cells(root: Path, minimum: int = 1, **wanted: Any) -> list[dict]:
    """The cells of the study ``perception`` with these settings, in the order of their seeds.

    Settings that are not named have their defaults: no sphere, positions, the study's epochs.
    """
    found = measurement(root, "perception")
    epochs = "epochs" if wanted.get("trained", True) else "head_epochs"
    base = {"sphere": False, "target": "positions", "pad": 0}
    base |= {"epochs": found["parameters"][epochs]} | wanted
    cells = [c for c in found["cells"] if all(c[k] == v for k, v in base.items())]
    if len(cells) < minimum:
        raise NotMeasured(f"perception has no cell with {wanted}")
    return sorted(cells, key=lambda c: c["seed"])


def error_of(cells: Sequence[dict], thing: str) -> Interval:
    """The mean error over seeds in millimeters.

    The interval is over seeds from two seeds on, else over the held-out frames.
    """
    return over_seeds([c[thing] for c in cells])


def _nature(camera: str, **more: Any) -> dict[str, Any]:
    """The settings of the study's plain cell: NatureCNN, LayerNorm + Tanh, trained."""
    return {"camera": camera, "encoder": "nature", "normalize": True, "trained": True} | more


def stride_destroys(root: Path) -> Finding:
    """Claim 8: does NatureCNN lose the block with the default camera?"""
    cells = perception_cells(root, **_nature("default"))
    nature, counts = error_of(cells, "block"), [cells]
    blind = measurement(root, "perception")["mean"]["block"]["mean"]
    if nature.value >= LIMITS["blind_share"] * blind:
        verdict = HOLDS
    else:
        verdict = FAILS if nature.high <= LIMITS["located"] else PARTLY
    effect = f"block found to {mm(nature)}; never looking: {blind:.0f} mm"
    for encoder, words in KEYPOINTS.items():
        others = perception_cells(root, minimum=0, **_nature("default", encoder=encoder))
        if others:
            effect += f"; {words} {mm(error_of(others, 'block'))}"
            counts.append(others)
    return Finding(verdict, effect, seeds_span(*counts))


def five_pixels(root: Path) -> Finding:
    """Claim 9: is the block about five pixels wide?"""
    found = measurement(root, "visibility")
    default, aimed = (found["push"][camera]["object"] for camera in ("default", "workspace"))
    off = abs(default["median_width"] - LIMITS["reported_width"])
    effect = (
        f"default camera: {default['median_width']:.0f} × {default['median_height']:.0f} pixels, "
        f"{default['median']:.0f} in all [{default['low']:.0f}, {default['high']:.0f}], hidden in "
        f"{percent(default['hidden']['rate'])} of resets; workspace camera: {aimed['median']:.0f}"
    )
    verdict = HOLDS if off <= LIMITS["width_slack"] else FAILS
    return Finding(verdict, effect, f"{default['hidden']['n']:,} resets")


def default_camera(root: Path) -> Finding:
    """Claim 10: does a camera that is aimed at the table see better, and bear shifts better?

    And do policies that must look push better before it: by a tenth of all episodes or more, each.
    """
    counts = [perception_cells(root, **_nature(camera)) for camera in ("default", "workspace")]
    default, aimed = (error_of(cells, "block") for cells in counts)
    ratio = default.value / aimed.value
    if ratio >= LIMITS["camera_factor"]:
        verdict = FAILS
    else:
        verdict = HOLDS if ratio <= LIMITS["camera_equal"] else PARTLY
    shifts = measurement(root, "shift-keypoints", optional=True)
    effect = f"block found to {mm(default)}, workspace camera {mm(aimed)} (NatureCNN)"
    pair = [
        perception_cells(root, minimum=0, **_nature(c, encoder="keypoints", normalize=False))
        for c in ("default", "workspace")
    ]
    if all(pair):
        counts += pair
        far, near = (error_of(cells, "block") for cells in pair)
        effect += f"; {mm(far)} and {mm(near)} (KeypointCNN, no LayerNorm)"
        if verdict == HOLDS and far.value / near.value >= LIMITS["camera_factor"]:
            verdict = PARTLY  # it depends on who looks
    if shifts:
        far, near = (shifts[c]["cm"]["block"]["mean"] for c in ("default", "workspace"))
        effect += f"; a shift of up to 4 pixels moves it by {far:.0f} cm against {near:.1f} cm"
        if verdict == HOLDS and far / near >= LIMITS["camera_factor"]:
            verdict = PARTLY  # as good to look through, but not to shift
    cameras = {"knob": "camera", "values": ("default", "workspace")}
    pairs = [p for p in _pushing(root, **cameras) if iqm(p[1].rates).low >= LIMITS["learned"]]
    if pairs and min(difference(b.rates, a.rates).low for a, b in pairs) >= LIMITS["gain"]:
        verdict = FAILS
    for far, near in pairs:
        effect += (
            f"; `{far.name}` pushes {percents(far.rates)}, `{near.name}` {percents(near.rates)}: "
            f"{points(difference(near.rates, far.rates))} (pictures of {far.config['image_size']} "
            f"pixels a side, {far.steps:,} steps, {seeds_text(far, near)})"
        )
    return Finding(verdict, effect, seeds_span(*counts))


def _pushing(root: Path, knob: str, values: tuple[Any, Any]) -> list[tuple[Arm, Arm]]:
    """Matched arms of Push that are not told where the block is, one of each pair having risen."""
    try:
        pairs = all_matched(root, knob, values, task="push", goal_mode="desired")
    except NotMeasured:
        return []
    return [p for p in pairs if max(iqm(arm.rates).low for arm in p) >= LIMITS["learned"]]


def shift_noise(root: Path) -> Finding:
    """Claim 11: does a shift change the distance between gripper and block?"""
    found = measurement(root, "shift-keypoints")
    change = max(found[c]["distance_change_share"]["p95"] for c in ("default", "workspace"))
    if change <= LIMITS["noise_none"]:
        verdict = FAILS
    else:
        verdict = HOLDS if change >= LIMITS["noise_low"] else PARTLY
    default = found["default"]
    step, quotient = default["cm"]["block"], default["shift_over_distance"]
    effect = (
        f"the distance in the picture changes by {percent(change)}; 4 pixels *divided by* it are "
        f"{percent(quotient['median'])} [{percent(quotient['p5'])}, {percent(quotient['p95'])}]. "
        f"What moves is the place itself: by {step['mean']:.0f} cm of table "
        f"[{step['p5']:.0f}, {step['p95']:.0f}], workspace camera "
        f"{found['workspace']['cm']['block']['mean']:.1f} cm"
    )
    read = [_vector_read_to(root, pad) for pad in (0, 4)]
    if all(read):
        effect += (
            f". KeypointCNN reads the vector between the two in shifted frames to {read[0]} if it "
            f"met none before, to {read[1]} if it did"
        )
    return Finding(verdict, effect, f"{default['used']} moments × {default['shifts']} shifts")


def _vector_read_to(root: Path, pad: int) -> str:
    """How well KeypointCNN reads the vector from gripper to block in shifted frames, per camera."""
    found = []
    for camera, words in (("workspace", ""), ("default", ", default camera ")):
        setting = _nature(camera, encoder="keypoints", pad=pad)
        cells = perception_cells(root, minimum=0, **setting)
        if not cells:
            return ""
        found.append(words + mm(over_seeds([cell["shifted"]["relative"] for cell in cells])))
    return "".join(found)


def shrinking(root: Path) -> Finding:
    """Claim 16: is a shrunk 480 × 480 frame the native 84 × 84 frame, to any encoder or policy?"""
    pixels = measurement(root, "perception")["native_against_resized"]
    effects, harms, counts = [], [], []
    for camera, found in pixels.items():
        parts = []
        for (encoder, words), normalize in product(ENCODERS.items(), (True, False)):
            setting = _nature(camera, encoder=encoder, normalize=normalize)
            cells = perception_cells(root, minimum=0, **setting)
            if cells:
                counts.append(cells)
                more = [c["resized_adds"]["block"] for c in cells]
                native = sum(c["native"]["block"]["mean"] for c in cells) / len(cells)
                mean = sum(m["mean"] for m in more) / len(more)
                harms.append(mean / native if all(m["low"] > 0 for m in more) else 0.0)
                parts.append(f"{added(more)} ({words}{'' if normalize else ', no LayerNorm'})")
        effects.append(
            f"{camera} camera: {percent(found['changed_share'])} of pixels differ, by "
            f"{found['mean_change']:.1f} of 255 on average; error of the block {', '.join(parts)}"
        )
    if not counts:
        raise NotMeasured("perception has no trained encoder")
    for policy in measurement(root, "shrunk-pictures", optional=True).get("policies", []):
        native, shrunk = (policy[name] for name in ("native", "shrunk"))
        harms.append(_surely_lost(policy, native["episodes"]))
        effects.append(
            f"`{policy['arm']}/seed{policy['seed']}` succeeds in {native['successes']} of "
            f"{native['episodes']} episodes on native frames, in {shrunk['successes']} on shrunk "
            "ones"
        )
    equal = all(found["changed_share"] == 0 for found in pixels.values())
    verdict = HOLDS if equal else (FAILS if max(harms) >= LIMITS["shrink_harm"] else PARTLY)
    return Finding(verdict, "; ".join(effects), seeds_span(*counts))


def _surely_lost(policy: dict[str, Any], episodes: int) -> float:
    """The share of its episodes that a policy loses on other frames; 0 where as many could be
    won, by the exact test of pairs (McNemar)."""
    lost, won = len(policy["lost"]), len(policy["won"])
    by_chance = bdtrc(lost - 1, lost + won, 0.5)  # so many or more of the pairs that differ
    if not lost or by_chance > 0.025:
        return 0.0
    return (lost - won) / episodes


def only_bounds(root: Path) -> Finding:
    """Claim 17: does LayerNorm + Tanh after SpatialSoftmax leave the positions as readable?

    And do policies that must look push as well with them? A tenth of all episodes counts.
    """
    effects, changes, counts = [], [], []
    for encoder, camera in product(KEYPOINTS, ("default", "workspace")):
        setting = _nature(camera, encoder=encoder)
        cells = perception_cells(root, minimum=0, **setting)
        plain = perception_cells(root, minimum=0, **(setting | {"normalize": False}))
        if not cells or not plain:
            continue
        with_, without = error_of(cells, "block"), error_of(plain, "block")
        apart = with_.low > without.high or without.low > with_.high
        changes.append((with_.value / without.value - 1) if apart else 0.0)
        counts += [cells, plain]
        effects.append(
            f"{KEYPOINTS[encoder]}, {camera} camera: {mm(with_)} with, {mm(without)} without"
        )
    if not changes:
        raise NotMeasured("perception has no SpatialSoftmax with and without LayerNorm + Tanh")
    for plain, bounded in _pushing(root, "keypoint_norm", (False, True)):
        lost = difference(plain.rates, bounded.rates)
        clear = lost.low >= LIMITS["gain"] or -lost.high >= LIMITS["gain"]
        changes.append(lost.value if clear else 0.0)
        effects.append(
            f"`{bounded.name}` pushes {percents(bounded.rates)}, `{plain.name}` "
            f"{percents(plain.rates)}: {points(difference(bounded.rates, plain.rates))} "
            f"({seeds_text(bounded, plain)})"
        )
    clear = [c for c in changes if abs(c) > LIMITS["only_bounds"]]
    if not clear:
        verdict = HOLDS
    else:
        verdict = FAILS if len({c > 0 for c in clear}) == 1 else PARTLY
    return Finding(verdict, "; ".join(effects), seeds_span(*counts))


def harmless_sphere(root: Path) -> Finding:
    """Claim 18: does the sphere leave sight alone, and does it say nothing about the goal?

    And do policies that must look push as well with it, wherever it stands?
    """
    harms, readable, effects, counts = [], [], [], []
    for camera in ("default", "workspace"):
        plain = perception_cells(root, **_nature(camera))
        drawn = perception_cells(root, **_nature(camera, sphere=True))
        asked = perception_cells(root, **_nature(camera, sphere=True, target="goal"))
        counts += [plain, drawn, asked]
        without, used, goal = (
            error_of(cells, thing)
            for cells, thing in ((plain, "block"), (drawn, "block"), (asked, "goal"))
        )
        worse = used.value / without.value - 1 >= LIMITS["sphere_harm"]
        harms.append(worse and used.low > without.high)
        readable.append(goal.value <= LIMITS["success_radius"])
        appears = added([c["other_sphere"]["added_error"] for c in plain])
        effects.append(
            f"{camera} camera: block {mm(without)} without it, {mm(used)} with it, "
            f"{appears} if it appears after training; the original goal can be read to {mm(goal)}"
        )
    for hidden, shown in _pushing(root, "goal_sphere", (False, True)):
        lost = difference(hidden.rates, shown.rates)
        harms.append(lost.low >= LIMITS["gain"])
        effects.append(
            f"`{shown.name}` pushes {percents(shown.rates)}, `{hidden.name}` "
            f"{percents(hidden.rates)}: {points(difference(shown.rates, hidden.rates))} "
            f"({seeds_text(hidden, shown)})"
        )
    followed, words = _followed(root)
    readable.append(followed)
    effects += words
    if any(harms):
        verdict = FAILS
    else:
        verdict = PARTLY if any(readable) else HOLDS
    return Finding(verdict, "; ".join(effects), seeds_span(*counts))


def _followed(root: Path) -> tuple[bool, list[str]]:
    """Whether a policy that trained with the sphere surely loses a tenth of its episodes when the
    sphere stands elsewhere; and what to say of all policies that were played so."""
    played = measurement(root, "sphere-pictures", optional=True).get("policies", [])
    words = []
    for trained, with_ in (("hidden", "without"), ("shown", "with")):
        shares = [
            f"`{policy['arm']}/seed{policy['seed']}` "
            + " / ".join(f"{100 * policy[kind]['success_rate']:.0f}" for kind in SPHERES)
            for policy in played
            if policy["trained"] == trained
        ]
        if shares:
            words.append(f"trained {with_} it: {', '.join(shares)}")
    if played:
        words[0] = f"success in % with it hidden / at the goal / elsewhere, {words[0]}"
        there = max(policy["elsewhere"]["at_place"]["rate"] for policy in played)
        words.append(f"at most {percent(there)} of the blocks end where it stands elsewhere")
    followed = [
        _surely_lost(policy, policy["shown"]["episodes"]) >= LIMITS["gain"]
        for policy in played
        if policy["trained"] == "shown"
    ]
    return any(followed), words
