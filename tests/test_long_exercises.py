"""Likely mistakes in the exercises of the late chapters: each is met with its own words.

`tests/test_exercises.py` tests the solutions, the stubs and the hints of all chapters.
"""

from __future__ import annotations

import math
import operator
import re
from statistics import median, median_high

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labs.routing_probe import gradient_norm
from tests.exercise_cells import check_of


def always(value):
    return lambda *arguments: value


def median_time(
    curves,
    threshold,
    drop=False,
    at_end=False,
    index=False,
    reaches=operator.ge,
    which=0,
    middle=median,
    unknown=None,
):
    times = []
    for steps, success in curves:
        hits = [
            i if index else steps[i] for i, rate in enumerate(success) if reaches(rate, threshold)
        ]
        if hits:
            times.append(hits[which])
        elif at_end:
            times.append(steps[-1])
        elif not drop:
            times.append(math.inf)
    time = middle(times)
    never = len(curves) - len(times) + times.count(math.inf)
    return (unknown if time == math.inf else time), never


def of_those(curves, threshold, late=max):
    """Of those that got there a late one: the median where one of three did not."""
    time, never = median_time(
        curves, threshold, drop=True, middle=lambda times: late(times or [math.inf])
    )
    return (time if 2 * never < len(curves) else None), never


def of_median_curve(curves, threshold):
    """The first crossing of the pointwise median."""
    (steps, *_), rates = zip(*curves, strict=True)
    middle = np.median(np.array(rates, dtype=float), axis=0)
    there = [step for step, rate in zip(steps, middle, strict=True) if rate >= threshold]
    return (there[0] if there else None), sum(max(rate) < threshold for rate in rates)


def ending(curves, threshold):
    """As if a run got there only that is there at its end."""
    return [(s, r if r[-1] >= threshold else [0] * len(r)) for s, r in curves]


def lasting(curves):
    """Each curve as its minimum from each point on: what it kept to the end."""
    return [(s, np.minimum.accumulate(r[::-1])[::-1]) for s, r in curves]


def last_step(policy, env, seeds, any_step=False, seeded=True, mean=True, steps=50):
    results = []
    torch.manual_seed(0)  # of the sampled actions
    for seed in seeds:
        observation, _ = env.reset(seed=seed if seeded else None)
        hits, over = [], False
        while not over and len(hits) < steps:
            action = policy.predict(observation, mean)
            observation, _, terminated, truncated, info = env.step(action)
            hits.append(bool(info["is_success"]))
            over = terminated or truncated
        results.append(any(hits) if any_step else hits[-1])
    return results


def until_terminated(policy, env, seeds):
    """Waits for what the Fetch tasks never say."""
    env.reset(seed=seeds[0])
    while not env.step(np.zeros(4, np.float32))[2]:
        pass


def ratio(
    original, shifted, moved, mean_of_ratios=False, squared=False, whole=False, order=2, dim=1
):
    far, unit = shifted - original, moved - original
    if whole:
        return (far.norm() / unit.norm()).item()
    far, unit = far.norm(order, dim=dim), unit.norm(order, dim=dim)
    if squared:
        far, unit = far**2, unit**2
    return ((far / unit).mean() if mean_of_ratios else far.mean() / unit.mean()).item()


def simple_kind(
    distances,
    motion,
    order=("end", "still", "start", "way"),
    radius=0.05,
    least=0.01,
    first=0,
    rest="fell short",
):
    """Asks in this order; on the way begins at step `first`."""
    inside, still = [d < radius for d in distances], motion < least
    for question in order:
        if question == "end" and inside[-1]:
            return "solved before it began" if still else "success"
        if question == "anywhere" and any(inside):
            return "success"
        if question == "still" and still:
            return "solved before it began" if inside[-1] else "never touched"
        if question == "start" and inside[0]:
            return "pushed off"
        if question == "way" and any(inside[first:]):
            return "overshot"
    return rest


def binomial(ks, n, p, ways=math.comb):
    return sum(ways(n, k) * p**k * (1 - p) ** (n - k) for k in ks)


def patient(
    success, patience, early=0, tie=False, previous=False, anew=True, ahead=False, zero=False
):
    best_at, waited = 0, 0
    for i, rate in enumerate(success):
        better = rate > success[best_at] or (tie and rate == success[best_at])
        if better or (previous and i and rate > success[i - 1]):
            best_at = i
            waited *= not anew
        elif i or (zero and not rate):
            waited += 1
        if (i - success.index(max(success)) if ahead else waited) >= patience + early:
            return i
    return None


def head(flat, linear=50 * 32 * 21 * 21, bias=50, temperature=1, norm=2, width=None):
    width = width or (50 if flat else 64)
    return (linear + bias if flat else temperature) + norm * width, width


def spreads(off, own=True, shared=True):
    """Shaken and bent, with one mean left in."""
    means = off.mean(axis=1, keepdims=True)
    apart = off - means if own else off - off.mean()
    return np.sqrt((apart**2).mean()), np.sqrt(((means - shared * means.mean(0)) ** 2).mean())


def of_pairs(points, goals, fulfilled, k, own=False, turned=False, power=1, reduction="mean"):
    """The loss of points by rewards, with one thing wrong."""
    logits = k * (0.05 - torch.cdist(points, goals) ** power)
    pairs = torch.ones_like(fulfilled) if own else 1 - torch.eye(len(points))
    return F.binary_cross_entropy_with_logits(
        -logits[pairs > 0] if turned else logits[pairs > 0],
        fulfilled[pairs > 0],
        reduction=reduction,
    )


def two_gradients(
    model,
    batch,
    half=True,
    clear=True,
    see=True,
    pick=torch.amin,
    pick_ahead=torch.amin,
    order=True,
    judge="critic_target",
    alive=True,
    column=True,
):
    """Exercise 5 by hand, with one thing wrong."""
    encoder = model.critic.features_extractor

    def q_of(values, pick=pick):
        return pick(torch.cat(values, 1), 1, keepdim=True)

    if order:
        action, log_prob = model.actor.action_log_prob(batch.observations)
    with torch.no_grad():
        ahead, ahead_log_prob = model.actor.action_log_prob(batch.next_observations)
        q = getattr(model, judge)(batch.next_observations, ahead)
        entropy = -0.5 * (ahead_log_prob.reshape(-1, 1) if column else ahead_log_prob)
        value = q_of(q, pick_ahead) + entropy
        target = batch.rewards + (1 - batch.dones if alive else 1) * model.gamma * value
    if not order:
        action, log_prob = model.actor.action_log_prob(batch.observations)
    model.policy.zero_grad(set_to_none=True)
    loss = sum(torch.nn.functional.mse_loss(q, target) for q in model.critic(batch[0], batch[1]))
    ((0.5 if half else 1) * loss).backward()
    from_critic = gradient_norm(encoder)
    if clear:
        model.policy.zero_grad(set_to_none=True)
    encoder.requires_grad_(see)
    (0.5 * log_prob.reshape(-1, 1) - q_of(model.critic(batch[0], action))).mean().backward()
    encoder.requires_grad_(True)
    return from_critic, gradient_norm(encoder)


def first(values, *_, **__):
    return values[:, :1]


def second(values, *_, **__):
    return values[:, 1:]


def all_pairs(achieved, goals, rows=False, coordinates=False, order=2):
    gap = achieved[:, None] - goals[None]
    if rows:
        return ((achieved[:, None] - goals[: len(achieved), None]).norm(dim=-1) < 0.05).float()
    if coordinates:
        return (gap.abs() < 0.05).all(-1).float()
    return (gap.norm(order, dim=-1) < 0.05).float()


WRONG = [
    ("18", "check_at_most", always(...), "still returns"),
    ("18", "check_at_most", lambda k, n, p: binomial([k], n, p), "exactly one"),
    ("18", "check_at_most", lambda k, n, p: binomial(range(k), n, p), "fewer than one"),
    ("18", "check_at_most", lambda k, n, p: binomial(range(k, n + 1), n, p), "one success or"),
    ("18", "check_at_most", lambda k, n, p: binomial(range(k + 1, n + 1), n, p), "is *more* than"),
    ("18", "check_at_most", always(None), "returned nothing"),
    (
        "18",
        "check_at_most",
        lambda k, n, p: binomial(range(k + 1), n, p, max),
        "is 5 / 16, received",
    ),
    ("18", "check_at_most", lambda k, n, p: binomial(range(k + 1), n, 1 - p), "(1 − rate) ** 100"),
    (
        "18",
        "check_at_most",
        lambda k, n, p: binomial(range(k + 1), n, p, ways=math.perm),
        "must be certain",
    ),
    ("19", "check_stopped_at", lambda s, n: patient(s, n, early=-1), "one point too early"),
    ("19", "check_stopped_at", lambda s, n: patient(s, n, early=1), "one point too late"),
    ("19", "check_stopped_at", lambda s, n: patient(s, n, tie=True), "a tie is no progress"),
    ("19", "check_stopped_at", lambda s, n: patient(s, n, zero=True), "the best so far, also at 0"),
    ("19", "check_stopped_at", lambda s, n: patient(s, n, previous=True), "the *best* so far"),
    ("19", "check_stopped_at", lambda s, n: s[patient(s, n)], "stops at point 3"),
    ("19", "check_stopped_at", lambda s, n: patient(s, n, ahead=True), "no later rise"),
    ("19", "check_stopped_at", lambda s, n: patient(s, n, anew=False), "starts the count anew"),
    ("23", "check_kind", always(...), "still returns"),
    ("23", "check_kind", lambda d, m: simple_kind(d, m, ("anywhere",)), "the last step decides"),
    ("23", "check_kind", lambda d, m: simple_kind(d, m, ("end", "still", "way")), "at the *start*"),
    ("23", "check_kind", lambda d, m: simple_kind(d, 1.0), "nobody moved is no push"),
    (
        "23",
        "check_kind",
        lambda d, m: "success" if d[0] >= 0.05 > d[-1] else simple_kind(d, m),
        "wherever the block lay",
    ),
    ("23", "check_kind", lambda d, m: simple_kind(d, m, least=1), "is a success, received"),
    ("23", "check_kind", lambda d, m: simple_kind(d, m, radius=0.5), "6 cm is outside"),
    ("23", "check_kind", lambda d, m: simple_kind(d, m, radius=5), "6 cm is outside"),
    (
        "23",
        "check_kind",
        lambda d, m: simple_kind(d, m, ("end", "still", "start")),
        " overshot, re",
    ),
    ("23", "check_kind", lambda d, m: simple_kind(d, m, ("end", "start", "way")), "did not move"),
    (
        "23",
        "check_kind",
        lambda d, m: simple_kind(d, m, ("end", "still", "way"), first=1),
        "was pushed off, received",
    ),
    (
        "23",
        "check_kind",
        lambda d, m: simple_kind(d, m, ("end", "start", "still", "way")),
        "pushes nothing off",
    ),
    ("23", "check_kind", lambda d, m: simple_kind(d, m, rest=None), "fell short, received"),
    ("23", "check_kind", lambda d, m: simple_kind(d, m, least=0.05), "moved by 2 cm"),
    ("23", "check_kind", lambda d, m: simple_kind(d, m, least=0.005), "9 mm is below 1 cm"),
    (
        "23",
        "check_kind",
        lambda d, m: simple_kind(d, m, ("still", "start", "end", "way")),
        "pushed off and back on",
    ),
    ("26", "check_labels", always(...), "still returns"),
    ("26", "check_labels", lambda a, g: all_pairs(a, g, rows=True), "make (2, 4)"),
    ("26", "check_labels", lambda a, g: all_pairs(a, g, coordinates=True), "the distance, not"),
    ("26", "check_labels", lambda a, g: all_pairs(a[:, :2], g[:, :2]), "all three coordinates"),
    ("26", "check_labels", lambda a, g: all_pairs(a, g, order=1), "not the sum"),
    ("26", "check_labels", lambda a, g: all_pairs(a, g) - 1, "those are rewards"),
    ("26", "check_labels", lambda a, g: 1 - all_pairs(a, g), "where it is missed"),
    ("26", "check_labels", lambda a, g: 0 * all_pairs(a, g), "expected"),
    ("26", "check_labels", lambda a, g: torch.cdist(a, g) ** 2 < 0.05, "squares are no meters"),
    ("26", "check_labels", torch.cdist, "every label is 0 or 1"),
    ("26", "check_labels", lambda a, g, radius=None: all_pairs(a, g), "threshold is an argument"),
    ("27", "check_spreads", always(...), "still returns"),
    ("27", "check_spreads", lambda off: spreads(off)[0], "return two numbers"),
    ("27", "check_spreads", lambda off: spreads(off)[::-1], "shaken first"),
    ("27", "check_spreads", lambda off: spreads(off, own=False), "take each block's own mean"),
    ("27", "check_spreads", lambda off: spreads(off, shared=False), "shared by all looks"),
    ("27", "check_spreads", lambda off: (1.0, off.mean(axis=1).std()), "of each coordinate"),
    ("27", "check_spreads", lambda off: np.square(spreads(off)) / 9, "expected"),
    ("27", "check_spreads", lambda off: np.multiply(spreads(off), math.sqrt(2)), "of lengths"),
    ("27", "check_spreads", lambda off: spreads(off) * np.sqrt([640 / 639, 1]), "not by n - 1"),
    ("27", "check_spreads", lambda off: spreads(off) * np.sqrt([1, 40 / 39]), "not by n - 1"),
    ("28", "check_answers_loss", always(...), "still returns"),
    ("28", "check_answers_loss", lambda *a: of_pairs(*a, reduction="none"), "return one number"),
    ("28", "check_answers_loss", lambda *a: of_pairs(*a).item(), "no gradient reaches"),
    ("28", "check_answers_loss", lambda p, *a: of_pairs(p.detach(), *a), "no gradient reaches"),
    ("28", "check_answers_loss", lambda p, g, *a: of_pairs(g, p, *a), "swapped: row i"),
    ("28", "check_answers_loss", lambda *a: of_pairs(*a, turned=True), "the wrong way round"),
    ("28", "check_answers_loss", lambda *a: of_pairs(*a[:3], 1.0), "sharpness is missing"),
    ("28", "check_answers_loss", lambda *a: of_pairs(*a, own=True), "its own goal"),
    ("28", "check_answers_loss", lambda *a: of_pairs(*a, power=2), "not its square"),
    ("28", "check_answers_loss", lambda *a: of_pairs(*a, reduction="sum"), "not the sum"),
    ("28", "check_answers_loss", lambda *a: 2 * of_pairs(*a), "expected"),
    ("28", "check_answers_loss", lambda *a: of_pairs(*a[:4]), "threshold is an argument"),
    ("28", "check_answers_loss", lambda *a: 2 * of_pairs(*a).double(), "expected"),
    ("29", "check_encoder_gradients", always(...), "still returns"),
    ("29", "check_encoder_gradients", always(1.0), "return two norms"),
    ("29", "check_encoder_gradients", always((0.0, 1.0)), "is there a backward()"),
    ("29", "check_encoder_gradients", lambda *a: two_gradients(*a, see=False), "do not detach"),
    ("29", "check_encoder_gradients", lambda *a: two_gradients(*a, clear=False), "add up"),
    ("29", "check_encoder_gradients", lambda *a: two_gradients(*a)[::-1], "are swapped"),
    ("29", "check_encoder_gradients", lambda *a: two_gradients(*a, half=False), "one half"),
    ("29", "check_encoder_gradients", lambda *a: two_gradients(*a, order=False), "drawn first"),
    (
        "29",
        "check_encoder_gradients",
        lambda *a: two_gradients(*a, judge="critic"),
        "critic_target",
    ),
    ("29", "check_encoder_gradients", lambda *a: two_gradients(*a, alive=False), "1 - dones"),
    (
        "29",
        "check_encoder_gradients",
        lambda *a: two_gradients(*a, column=False),
        "log_prob as (B, 1)",
    ),
    *(
        ("29", "check_encoder_gradients", lambda *a, p=p: two_gradients(*a, **p), words)
        for key, words in (("pick", "the smaller Q that"), ("pick_ahead", "the smaller Q, minus"))
        for p in ({key: pick} for pick in (first, second, torch.amax, torch.mean))
    ),
    ("29", "check_verify", lambda *a: last_step(*a, any_step=True), "ask the *last* step"),
    ("29", "check_verify", until_terminated, "does not end"),
    ("29", "check_verify", always(None), "returned nothing"),
    ("29", "check_verify", lambda *a: np.mean(last_step(*a)), "one boolean a seed"),
    ("29", "check_verify", lambda *a: last_step(*a)[-1:], "one boolean a seed"),
    ("29", "check_verify", lambda *a: last_step(*a, seeded=False), "with its own seed"),
    ("29", "check_verify", lambda *a: last_step(*a, mean=False), "the actions deterministic"),
    ("29", "check_verify", lambda *a: last_step(*a, steps=49), "all 50 steps"),
    ("29", "check_median_time", lambda *a: median_time(*a)[0], "return two things"),
    ("29", "check_median_time", lambda c, t: median_time(c, t, drop=True), "keep it"),
    ("29", "check_median_time", lambda c, t: median_time(c, t, at_end=True), "one of the three"),
    ("29", "check_median_time", lambda c, t: median_time(c, t, index=True), "an index"),
    ("29", "check_median_time", lambda *a: median_time(*a, middle=max), "the median is known"),
    ("29", "check_median_time", of_those, "200 lies between"),
    ("29", "check_median_time", lambda *a: of_those(*a, late=median_high), "the third is"),
    ("29", "check_median_time", of_median_curve, "median of times"),
    ("29", "check_median_time", lambda c, t: median_time(lasting(c), t), "falls back"),
    ("29", "check_median_time", lambda c, t: median_time(ending(c, t), t), "falls back"),
    (
        "29",
        "check_median_time",
        lambda *a: median_time(*a, middle=lambda times: times[len(times) // 2]),
        "sorted, the middle",
    ),
    ("29", "check_median_time", lambda *a: median_time(*a, which=-1), "take the first"),
    ("29", "check_median_time", lambda *a: median_time(*a, reaches=operator.gt), "itself counts"),
    ("29", "check_median_time", lambda c, t: median_time(c, 0.2), "use threshold"),
    (
        "29",
        "check_median_time",
        lambda *a: (median_time(*a, at_end=True)[0], median_time(*a)[1]),
        "at its last step either",
    ),
    ("29", "check_median_time", lambda *a: median_time(*a, unknown=math.inf), "so (None, 2)"),
    ("29", "check_head_size", lambda flat: head(flat, norm=0), "shift"),
    ("29", "check_head_size", lambda flat: head(flat, temperature=0), "temp"),
    ("29", "check_head_size", lambda flat: head(flat, bias=0), "bias"),
    ("29", "check_head_size", lambda flat: head(flat, width=32), "x and y"),
    ("29", "check_head_size", lambda flat: head(flat)[0], "return two numbers"),
    ("29", "check_head_size", lambda flat: head(flat, width=64), " wide, received"),
    ("29", "check_head_size", lambda flat: head(flat, linear=50 * 32), "learned numbers, received"),
    ("29", "check_head_size", lambda flat: head(flat, norm=1), "learned numbers, received"),
    ("29", "check_disturbance", always(None), "returned nothing"),
    ("29", "check_disturbance", lambda o, s, m: (s - o).norm(dim=1), "return one number"),
    ("29", "check_disturbance", lambda o, s, m: ratio(o, m, s), "turned over"),
    ("29", "check_disturbance", lambda *a: ratio(*a, mean_of_ratios=True), "mean of ratios"),
    ("29", "check_disturbance", lambda *a: ratio(*a, squared=True), "squared"),
    ("29", "check_disturbance", lambda *a: ratio(*a, whole=True), "for each row"),
    ("29", "check_disturbance", lambda *a: ratio(*a, order=1), "|differences|"),
    ("29", "check_disturbance", lambda *a: ratio(*a, dim=0), "is 0.75, received"),
    ("29", "check_disturbance", lambda o, s, m: ratio(0 * o, s, m), "subtract the original"),
    (
        "29",
        "check_disturbance",
        lambda o, s, m: np.median((s - o).norm(dim=1)) / np.median((m - o).norm(dim=1)),
        "not a median",
    ),
    (
        "29",
        "check_disturbance",
        lambda o, s, m: (torch.cdist(s, o).mean() / torch.cdist(m, o).mean()).item(),
        "from each row its own",
    ),
]


@pytest.mark.filterwarnings("ignore:Using a target size")  # the mistake of a row
@pytest.mark.parametrize(
    ("notebook", "name", "answer", "words"), WRONG, ids=[f"{w[1]}-{w[3][:14]}" for w in WRONG]
)
def test_a_mistake_is_named(notebook, name, answer, words):
    with pytest.raises(AssertionError, match=re.escape(words)):
        check_of(notebook, name)[0](answer)
