"""Each likely mistake in the exercises of the early chapters is met with its own words.

For every exercise of the book: its solution passes, its stub does not, and each hint has a mistake.
"""

from __future__ import annotations

import inspect
import math
import random
import re
import statistics
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from labs.exercises import attempt
from tests.exercise_cells import check_of, checks, hints_of, stub_of
from tests.test_long_exercises import WRONG as LATE


def page_of(notebook, name):
    """The names of a page that its exercise may use."""
    return SimpleNamespace(**check_of(notebook, name)[0].__globals__)


def share(radius, count=np.mean, beyond=False):
    distances = page_of("01", "check_floor").distances
    return count((distances > radius) if beyond else (distances < radius))


def interval(successes, n, z=1.96, normal=False, divide=True, spread=True):
    p = successes / n
    half = z * np.sqrt(spread * p * (1 - p) / n + (0 if normal else z**2 / (4 * n**2)))
    middle = p if normal else p + z**2 / (2 * n)
    scale = 1 + z**2 / n if divide and not normal else 1
    return (middle - half) / scale, (middle + half) / scale


def soft_target(
    agent,
    batch,
    sign=-1,
    alive=True,
    pick=torch.minimum,
    judge="target",
    act_in="next_state",
    density_in=None,
    ask_in="next_state",
    discount=True,
    paid=True,
    outside=False,
    gradient=False,
):
    """The soft Bellman target with one thing wrong."""
    with torch.set_grad_enabled(gradient):
        action, log_prob = agent.policy(getattr(batch, act_in))
        if density_in:
            _, log_prob = agent.policy(getattr(batch, density_in))
        worth = pick(*getattr(agent, judge)(getattr(batch, ask_in), action))
        bonus, alive = sign * agent.alpha * log_prob, 1 - batch.done if alive else 1
        future = (agent.gamma if discount else 1) * alive * (worth + (0 if outside else bonus))
        return paid * batch.reward + future + (bonus if outside else 0)


def relabeled(episode, t, rng, low=0, high=50, after=1, judged=1, draw=None, **changed):
    """Step t asked again, its goal drawn from t + low to high - 1."""
    future = (draw or rng.integers)(t + low, high)
    goal = episode.achieved[future + after]
    missed = np.linalg.norm(episode.achieved[t + judged] - goal) > 0.05
    step = {"obs_goal": goal, "next_obs_goal": goal, "reward": -float(missed)}
    return step | {key: change(episode, step) for key, change in changed.items()}


def kept(episode, step):
    return episode.goal


def into_episode(episode, step):
    episode.goal[:] = step["obs_goal"]
    return episode.goal


def two_draws(episode, t, rng):
    other = relabeled(episode, t, rng)["obs_goal"]
    return relabeled(episode, t, rng, next_obs_goal=lambda *_: other)


def by_coordinate(episode, step):
    gap = np.abs(episode.achieved[31] - step["obs_goal"])  # the check relabels step 30
    return -float((gap > 0.05).any())


def early(episode, t, rng):
    return relabeled(episode, t, rng, draw=lambda low, high: min(rng.integers(low, high, 2)))


def late(episode, t, rng):
    return relabeled(episode, t, rng, high=51, draw=lambda *a: min(rng.integers(*a), 49))


def stacked(frames, t, n, late=0, start="repeat", newest=False):
    steps = np.arange(t - n + 1, t + 1) - late
    if start == "slice":
        return np.concatenate(frames[t - n + 1 : t + 1])
    if start == "short":
        steps = steps[steps >= 0]
    elif start == "repeat":
        steps = np.maximum(steps, 0)
    return np.concatenate(frames[steps[::-1] if newest else steps])


def room(memory, size=84, steps=50, extra=1, in_all=0, unit=None, fixed=None, frames=1, rest=0):
    """Transitions that fit, with `extra` frames an episode and `in_all` for the whole memory."""
    size = fixed or size
    fit = memory // (frames * 3 * size * size + rest) - in_all
    return int(fit // (steps + extra)) * (steps if unit is None else unit)


def field(layers, first=1, gaps=1, own=False, product=True, spaced=True, padded=0):
    seen, step = first, 1
    for kernel, stride, padding in layers:
        before, step = step, step * stride if product else stride
        apart = (step if own else before) if spaced else 1
        seen += (kernel - gaps) * apart + 2 * padded * padding
    return seen


def forward_recursion(layers):
    seen = 1
    for kernel, stride, _ in layers:
        seen = (seen - 1) * stride + kernel
    return seen


def columns(key, widths, order=sorted, width=None, end=0):
    keys = order(widths)
    start = sum(widths[other] for other in keys[: keys.index(key)])
    return slice(start, (start + widths[key] if width is None else width) + end)


def change(offsets, height, width, sign=-1, length=2, gap=1, swap=False, flip=False, dim=1):
    rows, down = offsets.double().T * sign * length
    if swap:
        height, width = width, height
    x, y = down / (width - gap), rows / (height - gap)
    return torch.stack((y, x) if flip else (x, y), dim=dim)


def pair(aug, image, next_image, dim=1, back=None, seed=None, at=None):
    if seed is not None:
        torch.manual_seed(seed)
    joined = aug(torch.cat((image, next_image), dim=dim))
    if at:
        return joined[:, :at], joined[:, at:]
    return joined.chunk(2, dim=dim if back is None else back)


def one_shift_for_all(aug, image, next_image):
    b, c, h, w = image.shape
    moved = aug(torch.cat((image, next_image)).reshape(1, 2 * b * c, h, w))
    return moved.reshape(2 * b, c, h, w).chunk(2)


def norms(order=("critic", "actor"), clear=True, measure=None):
    """The two gradient norms of the encoder, computed in some order."""
    page = page_of("14", "check_norms")
    losses = {"critic": page.critic_loss, "actor": lambda z: page.actor_loss(z, z)}
    found = {}
    for name in order:
        if clear:
            page.encoder.zero_grad(set_to_none=True)
        losses[name](page.encoder(page.images)).backward()
        found[name] = (measure or page.gradient_norm)(page.encoder)
    return found["critic"], found["actor"]


def measured(*names):
    """Norms that the page has measured before."""
    page = page_of("14", "check_norms")
    return tuple(getattr(page, name) for name in names)


def norm_of_norms(encoder):
    return sum(p.grad.norm().item() for p in encoder.parameters())


def scaled(log_prob, low, high, sign=-1, gather=torch.sum, box=2, log=True):
    stretch = (high - low) / box
    return log_prob + sign * gather(stretch.log() if log else stretch)


def stored(observation, done, info, ended=(1, 2), copy=True, kind=np.float32, timeouts=0, d=None):
    """What belongs into the memory; `ended` are the robots whose last observation is looked up."""
    after = observation.copy() if copy else observation
    for robot in ended:
        after[robot] = info[robot].get("terminal_observation", 0.0)
    over = [i["TimeLimit.truncated"] for i in info]
    if d is None:
        d = np.where(over, timeouts, done)
    return after, np.asarray(d).astype(kind)


def up_to_minus_cut(values, mean=lambda kept: sum(kept) / len(kept)):
    cut = len(values) // 4
    return mean(sorted(values)[cut:-cut])


def emptied(observation, done, info, part="done"):
    """The right answer, which leaves one of its inputs changed."""
    result = stored(observation, done, info)
    if part == "done":
        done[:] = False
    else:
        del info[1]["terminal_observation"]
    return result


def middle(values, order=sorted, low=None, high=None):
    values = order(values)
    low = len(values) // 4 if low is None else low(len(values))
    high = low if high is None else high(len(values))
    return float(np.mean(values[low : len(values) - high]))


def pixels(radius, distance, rows=84, field_of_view=45.0, across=2, shown=2, radians=np.radians):
    return rows * across * radius / (shown * distance * np.tan(radians(field_of_view / 2)))


def increase(native, shrunk, sign=1, average=np.mean, apart=False, n=None, width=1, ddof=1):
    difference = sign * (shrunk - native)
    spread = native.var(ddof=1) + shrunk.var(ddof=1) if apart else difference.var(ddof=ddof)
    return average(difference), width * 1.96 * np.sqrt(spread / (n or len(native)))


def motion(pad, pictures=2, axes=2, variance=lambda p: ((2 * p + 1) ** 2 - 1) / 12):
    return np.sqrt(pictures * axes * variance(pad))


def mean_length(pad):
    shifts = np.arange(-pad, pad + 1)
    apart = (shifts[:, None] - shifts).ravel()
    return np.hypot(apart[:, None], apart).mean()


def faster(step, update, step_gain, update_gain, rate, total=sum):
    before, after = (step, rate * update), (step / step_gain, rate * update / update_gain)
    return total(before) / total(after)


def mean_gain(step, update, step_gain, update_gain, rate):
    return (step * step_gain + rate * update * update_gain) / (step + rate * update)


def doubled(points, order=(0, 1)):
    x, y = points.chunk(2, dim=1)
    return torch.stack([(x, y)[i] for i in order], dim=2)


WIDTHS = {"pixels": 64, "proprioception": 10, "desired_goal": 3, "achieved_goal": 3}
WRONG = [
    ("01", "check_floor", lambda r: share(r, np.array), "take the mean of the comparison"),
    ("01", "check_floor", lambda r: share(r, np.sum), "at most 1"),
    ("01", "check_floor", lambda r: 100 * share(r), "at most 1"),
    ("01", "check_floor", lambda r: share(r, beyond=True), "*below*"),
    ("01", "check_floor", lambda r: share(100 * r), "in meters"),
    ("01", "check_floor", lambda r: share(0.05), "depend on the radius"),
    ("01", "check_floor", lambda r: share(0.05) * (r / 0.05) ** 2, "count them anew"),
    ("02", "check_centimeters", lambda width: width / 5, "turn the fraction over"),
    ("02", "check_centimeters", lambda width: 0.05 / width, "10 pixels span"),
    ("02", "check_centimeters", lambda width: 0.05 * width, "divide by the width"),
    ("02", "check_centimeters", lambda width: round(5 / width, 1), "do not round"),
    ("03", "check_wilson", lambda s, n: interval(s, n)[0], "return two numbers"),
    ("03", "check_wilson", lambda s, n: interval(s, n, normal=True), "of width zero"),
    ("03", "check_wilson", lambda s, n: interval(s, n, divide=False), "forget to divide"),
    ("03", "check_wilson", lambda s, n: interval(s, n)[::-1], "comes first"),
    ("03", "check_wilson", lambda s, n: interval(s, n, z=1.64), "100 of 100 gives"),
    ("03", "check_wilson", lambda s, n: interval(s, n, spread=False), "7 of 150 gives"),
    ("03", "check_wilson", lambda s, n, z=0: interval(s, n), "only its default"),
    ("04", "check_soft_target", lambda *a: soft_target(*a).squeeze(1), "it broadcasts"),
    ("04", "check_soft_target", lambda *a: soft_target(*a).double(), "expected torch.float32"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, gradient=True), "no_grad"),
    ("04", "check_soft_target", lambda agent, b: b.reward.add_(1), "wrote into the batch"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, sign=0), "forgot the entropy"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, sign=1), "check the sign"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, alive=False), "forgot (1 - done)"),
    (
        "04",
        "check_soft_target",
        lambda *a: soft_target(*a, pick=lambda p, q: p),
        "the first critic",
    ),
    ("04", "check_soft_target", lambda *a: soft_target(*a, pick=lambda p, q: q), "the second"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, pick=torch.maximum), "the maximum"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, pick=lambda p, q: (p + q) / 2), "mean"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, judge="critic"), "the online critic"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, act_in="state"), "draw the action"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, density_in="state"), "another action"),
    (
        "04",
        "check_soft_target",
        lambda *a: soft_target(*a, density_in="next_state"),
        "another action",
    ),
    (
        "04",
        "check_soft_target",
        lambda *a: soft_target(*a, outside=True),
        "go with the entropy too",
    ),
    ("04", "check_soft_target", lambda *a: soft_target(*a, ask_in="state"), "ask agent.target"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, discount=False), "forgot gamma"),
    ("04", "check_soft_target", lambda *a: soft_target(*a, paid=False), "a mistake that we know"),
    (
        "05",
        "check_relabel",
        lambda *a: relabeled(*a, obs_goal=lambda episode, _: episode.achieved),
        "has shape (3,)",
    ),
    ("05", "check_relabel", lambda *a: relabeled(*a, obs_goal=kept), "got the new goal"),
    ("05", "check_relabel", lambda *a: relabeled(*a, next_obs_goal=kept), "got the new goal"),
    (
        "05",
        "check_relabel",
        lambda *a: relabeled(*a, obs_goal=kept, next_obs_goal=kept),
        "the original one",
    ),
    ("05", "check_relabel", two_draws, "one draw per step"),
    ("05", "check_relabel", lambda *a: relabeled(*a, low=19), "always the same goal"),
    ("05", "check_relabel", lambda *a: relabeled(*a, high=31), "always the same goal"),
    ("05", "check_relabel", lambda *a: relabeled(*a, low=-30), "from the past"),
    ("05", "check_relabel", lambda *a: relabeled(*a, after=0), "is *before* step t"),
    ("05", "check_relabel", lambda *a: relabeled(*a, low=1), "t' = t is allowed"),
    ("05", "check_relabel", lambda *a: relabeled(*a, high=49), "never came up"),
    ("05", "check_relabel", lambda *a: relabeled(*a, low=1, after=0), "never came up"),
    ("05", "check_relabel", lambda *a: relabeled(*a, reward=lambda *_: -1.0), "the stored one"),
    ("05", "check_relabel", lambda *a: relabeled(*a, judged=0), "judge the place"),
    (
        "05",
        "check_relabel",
        lambda *a: relabeled(*a, reward=lambda _, step: 1 + step["reward"]),
        "does not fit the new",
    ),
    ("05", "check_relabel", lambda *a: relabeled(*a, reward=by_coordinate), "at most 5 cm"),
    ("05", "check_relabel", early, "must be uniform"),
    ("05", "check_relabel", late, "must be uniform"),
    ("05", "check_relabel", lambda e, t, rng: relabeled(e, 30, rng), "use t"),
    ("05", "check_relabel", lambda *a: relabeled(*a, obs_goal=into_episode), "into the episode"),
    ("06", "check_to_image", lambda frame: None, "returned nothing"),
    ("06", "check_to_image", lambda frame: frame.T, "swaps height and width"),
    ("06", "check_to_image", lambda frame: frame.transpose(0, 2, 1), "received shape"),
    ("06", "check_to_image", lambda frame: frame.reshape(4, 5, 3), "reshape shuffles"),
    ("06", "check_to_image", lambda frame: frame.transpose(1, 2, 0) / 1, "keep the bytes"),
    ("06", "check_to_image", lambda frame: frame.transpose(1, 2, 0).tolist(), "keep the bytes"),
    ("07", "check_stack_at", lambda f, t, n: None, "returned nothing"),
    ("07", "check_stack_at", lambda f, t, n: f[t - n + 1 : t + 1], "received shape"),
    ("07", "check_stack_at", lambda *a: stacked(*a) / 1, "keep the bytes"),
    ("07", "check_stack_at", lambda *a: stacked(*a, newest=True), "newest first"),
    ("07", "check_stack_at", lambda *a: stacked(*a, late=1), "one step late"),
    ("07", "check_stack_at", lambda *a: stacked(*a, late=-1), "belong in it"),
    ("07", "check_stack_at", lambda *a: stacked(*a, start="wrap"), "wrap around"),
    ("07", "check_stack_at", lambda *a: stacked(*a, start="slice"), "wrap around"),
    ("07", "check_stack_at", lambda *a: stacked(*a, start="short"), "first frame repeats"),
    ("07", "check_stack_at", lambda f, t, n: stacked(f[:, ::-1], t, n), "keeps its place"),
    ("07", "check_stack_at", lambda *a: stacked(*a).swapaxes(1, 2), "received shape"),
    ("08", "check_capacity", lambda *a: room(*a, unit=51), "make 50 transitions"),
    ("08", "check_capacity", lambda m, **k: int(m // 21_168), "make 50 transitions"),
    ("08", "check_capacity", lambda m, **k: room(m, extra=0, **named(k)), "need 51 frames"),
    ("08", "check_capacity", lambda m, **k: int(m / 21_168 / 51 * 50), "does not fit whole"),
    ("08", "check_capacity", lambda m, **k: room(m, unit=1, **named(k)), "2.5 episodes"),
    ("08", "check_capacity", lambda m, **k: room(m, frames=4, **named(k)), "frames alone"),
    ("08", "check_capacity", lambda m, **k: room(m, rest=40, **named(k)), "frames alone"),
    ("08", "check_capacity", lambda m, **k: room(m, frames=1 / 3, **named(k)), "one a channel"),
    (
        "08",
        "check_capacity",
        lambda m, **k: room(m, extra=0, in_all=1, **named(k)),
        "its own last frame",
    ),
    ("08", "check_capacity", lambda m, **k: None, "returned nothing"),
    ("08", "check_capacity", lambda m, **k: room(m), "use size and episode_steps"),
    ("09", "check_receptive_field", lambda n: None, "returned nothing"),
    ("09", "check_receptive_field", lambda n: field(n, own=True), "own stride"),
    ("09", "check_receptive_field", lambda n: field(n, 0, gaps=0, own=True), "own stride"),
    ("09", "check_receptive_field", lambda n: field(n, first=0), "sees its kernel"),
    ("09", "check_receptive_field", lambda n: field(n, spaced=False), "4 pixels apart"),
    ("09", "check_receptive_field", lambda n: field(n, 0, gaps=0, spaced=False), "4 pixels apart"),
    ("09", "check_receptive_field", lambda n: field(n, 0, gaps=0), "gaps between them"),
    ("09", "check_receptive_field", forward_recursion, "two layers of NatureCNN"),
    ("09", "check_receptive_field", lambda n: field(n, product=False), "all of NatureCNN"),
    ("09", "check_receptive_field", lambda n: field(n, padded=1), "padding widens nothing"),
    ("10", "check_pairs", lambda p: p.unflatten(1, (2, -1)), "swap the last two"),
    ("10", "check_pairs", lambda p: p.reshape(-1, 2), "expected (2, 3, 2)"),
    ("10", "check_pairs", lambda p: p.reshape(2, 3, 2), "not interleaved"),
    ("10", "check_pairs", lambda p: doubled(p, order=(1, 0)), "y came first"),
    ("10", "check_pairs", lambda p: p.T.reshape(2, 3, 2), "the first image's"),
    ("10", "check_pairs", lambda p: doubled(p[:1]).expand(2, 3, 2), "the second image's"),
    ("11", "check_columns_of", lambda key, widths: (3, 6), "expected a slice"),
    ("11", "check_columns_of", lambda *a: columns(*a, order=list), "sorts its keys"),
    ("11", "check_columns_of", lambda k, widths: columns(k, widths, width=3), "where it starts"),
    ("11", "check_columns_of", lambda *a: columns(*a, end=-1), "columns 3 to 5"),
    ("11", "check_columns_of", lambda key, _: columns(key, WIDTHS), "use widths"),
    (
        "11",
        "check_columns_of",
        lambda k, w: slice(sorted(w).index(k) * w[k], (sorted(w).index(k) + 1) * w[k]),
        ", not ",
    ),
    ("12", "check_coordinate_change", lambda *a: change(*a, dim=0), "expected shape"),
    ("12", "check_coordinate_change", lambda *a: change(*a, sign=1), "the content moves left"),
    ("12", "check_coordinate_change", lambda *a: change(*a, flip=True), "column comes first"),
    ("12", "check_coordinate_change", lambda *a: change(*a, swap=True), "goes with the width"),
    ("12", "check_coordinate_change", lambda *a: change(*a, length=1), "a length of 2"),
    ("12", "check_coordinate_change", lambda *a: change(*a, gap=0), "W − 1 steps apart"),
    ("12", "check_coordinate_change", lambda offsets, *_: -offsets.flip(1), "for offset"),
    ("13", "check_augment_pair", lambda aug, *p: aug(torch.cat(p, 1)), "as a tuple"),
    ("13", "check_augment_pair", lambda *a: pair(*a, back=0), "split in halves"),
    ("13", "check_augment_pair", lambda *a: pair(*a, at=3), "split in halves"),
    ("13", "check_augment_pair", lambda *a: pair(*a)[::-1], "mixed up"),
    ("13", "check_augment_pair", lambda aug, *p: p, "nothing moved"),
    ("13", "check_augment_pair", one_shift_for_all, "an offset of its own"),
    ("13", "check_augment_pair", lambda *a: pair(*a, dim=0), "moved differently"),
    ("13", "check_augment_pair", lambda aug, *p: tuple(map(aug, p)), "moved differently"),
    ("13", "check_augment_pair", lambda *a: pair(*a, seed=0), "seeding anew"),
    ("13", "check_augment_pair", lambda *a: pair(*a, seed=random.getrandbits(32)), "seeding anew"),
    ("14", "check_norms", lambda: measured("from_critic")[0], "return two numbers"),
    ("14", "check_norms", lambda: measured("nothing", "nothing"), "forget backward()"),
    ("14", "check_norms", lambda: norms(clear=False), "add up"),
    ("14", "check_norms", lambda: norms(("actor", "critic"), clear=False), "add up"),
    ("14", "check_norms", lambda: measured("everything", "from_critic"), "norm comes first"),
    ("14", "check_norms", lambda: measured("from_critic", "only_q"), "detached one"),
    ("14", "check_norms", lambda: measured("from_critic", "only_actor"), "detached one"),
    ("14", "check_norms", lambda: norms(measure=norm_of_norms), "not the L2 norm"),
    ("14", "check_norms", lambda: measured("from_critic", "everything"), "at each call"),
    ("15", "check_scaled_log_prob", lambda *a: scaled(*a, gather=lambda x: x), "received shape"),
    ("15", "check_scaled_log_prob", lambda log_prob, *_: log_prob, "unchanged"),
    ("15", "check_scaled_log_prob", lambda *a: scaled(*a, sign=1), "the sign"),
    ("15", "check_scaled_log_prob", lambda *a: scaled(*a, box=1), "the box of a is 2 wide"),
    ("15", "check_scaled_log_prob", lambda *a: scaled(*a, gather=torch.mean), "do not average"),
    ("15", "check_scaled_log_prob", lambda *a: scaled(*a, log=False), "logarithm is missing"),
    ("15", "check_scaled_log_prob", lambda *a: scaled(*a, gather=torch.max), "the stretches"),
    (
        "15",
        "check_scaled_log_prob",
        lambda *a: scaled(*a, box=1) + 3 * math.log(2),
        "has area",
    ),
    ("16", "check_to_store", lambda *a: stored(*a)[0], "return two things"),
    ("16", "check_to_store", lambda *a: stored(*a, copy=False), "you wrote into"),
    ("16", "check_to_store", lambda *a: stored(*a, ended=()), "look into info"),
    ("16", "check_to_store", lambda *a: stored(*a, ended=(0, 1, 2)), "in the middle of"),
    ("16", "check_to_store", lambda *a: stored(*a, ended=(2,)), "a time limit ends"),
    ("16", "check_to_store", lambda *a: stored(*a, ended=(1,)), "robot 2 ended"),
    ("16", "check_to_store", lambda *a: stored(*a, kind=bool), "it is multiplied"),
    ("16", "check_to_store", lambda *a: stored(*a, timeouts=1), "only ran out of time"),
    ("16", "check_to_store", lambda *a: stored(*a, d=[0, 0, 0]), "only robot 2 truly"),
    ("16", "check_to_store", lambda *a: stored(*a, d=[[0], [0], [1]]), "one number a robot"),
    ("16", "check_to_store", lambda *a: (stored(*a)[0][:, 0], stored(*a)[1]), "as they came back"),
    ("16", "check_to_store", lambda *a: emptied(*a), "you changed done or info"),
    ("16", "check_to_store", lambda *a: emptied(*a, "info"), "you changed done or info"),
    ("17", "check_iqm", np.mean, "the plain mean"),
    ("17", "check_iqm", lambda values: middle(values, order=list), "sort first"),
    ("17", "check_iqm", lambda values: middle(values, high=lambda n: 0), "0, 0.8, 0.9, 1 gives"),
    (
        "17",
        "check_iqm",
        lambda values: up_to_minus_cut(values, lambda v: np.mean(v or np.nan)),
        "[cut:-cut] is empty",
    ),
    ("17", "check_iqm", up_to_minus_cut, "[cut:-cut] is empty"),
    ("17", "check_iqm", lambda v: up_to_minus_cut(v, statistics.mean), "[cut:-cut] is empty"),
    ("17", "check_iqm", np.median, "the median"),
    ("17", "check_iqm", lambda values: middle(values, low=lambda n: 1), "two at each end"),
    ("17", "check_iqm", lambda values: middle(values, low=lambda n: -(-n // 4)), "round down"),
    ("20", "check_pixels", lambda *a: pixels(*a, across=1), "that is the radius"),
    ("20", "check_pixels", lambda *a: pixels(*a, shown=1), "twice what you divide by"),
    ("20", "check_pixels", lambda *a: pixels(*a, radians=float), "84 rows show"),
    ("20", "check_pixels", lambda *a: pixels(0.02, 0.85), "all four arguments"),
    ("20", "check_pixels", lambda r, d, *unused: pixels(r, d), "all four arguments"),
    ("21", "check_paired", lambda *a: increase(*a, sign=-1), "the sign"),
    ("21", "check_paired", lambda *a: increase(*a, average=np.median), "mean: expected"),
    ("21", "check_paired", lambda *a: increase(*a, apart=True), "as different frames"),
    ("21", "check_paired", lambda *a: increase(*a, n=1), "the square root of n"),
    ("21", "check_paired", lambda *a: increase(*a, width=2), "not the width"),
    ("21", "check_paired", lambda *a: increase(*a, ddof=0), "has n - 1, not n"),
    ("21", "check_paired", lambda *a: increase(*a, width=1.1), "half-width: expected"),
    ("21", "check_paired", lambda *a: increase(*a)[0], "return two numbers"),
    ("22", "check_apparent_motion", lambda p: motion(p, axes=1), "half the variances"),
    ("22", "check_apparent_motion", lambda p: motion(p, pictures=1), "half the variances"),
    (
        "22",
        "check_apparent_motion",
        lambda p: motion(p, variance=lambda p: (2 * p) ** 2 / 12),
        "a continuous shift",
    ),
    ("22", "check_apparent_motion", lambda p: motion(p) ** 2, "take the root"),
    ("22", "check_apparent_motion", mean_length, "the mean length"),
    ("22", "check_apparent_motion", lambda p: motion(2), "expected about"),
    (
        "22",
        "check_apparent_motion",
        lambda p: motion(p, variance=lambda p: (2 * p + 1) ** 2 / 12),
        "expected about",
    ),
    ("24", "check_end_to_end", lambda *a: 1 / faster(*a), "turn the fraction over"),
    ("24", "check_end_to_end", lambda e, u, g, h, r: (g + h) / 2, "are not averaged"),
    ("24", "check_end_to_end", mean_gain, "are not averaged"),
    ("24", "check_end_to_end", lambda e, u, g, h, r: faster(e, u, g, h, 1), "without updates"),
    ("24", "check_end_to_end", lambda e, u, g, h, r: faster(e, u, g, h, 0), "the update's gain"),
    ("24", "check_end_to_end", lambda *a: faster(*a, total=max), "expected 4.07"),
    ("25", "check_angle", lambda c, s: np.arctan2(s, c), "divide by four"),
    ("25", "check_angle", lambda c, s: np.arctan2(c, s) / 4, "should come back"),
    ("25", "check_angle", lambda c, s: np.arctan2(s, c) % (2 * np.pi) / 4, "a quarter turn"),
    ("25", "check_angle", lambda c, s: np.arccos(c) / 4, "the signs of both"),
    ("25", "check_angle", lambda c, s: np.arctan(s / c) / 4, "the signs of both"),
]
ALL = [*WRONG, *LATE]


def soft_target_in_place(agent, batch):
    action, log_prob = agent.policy(batch.next_state)
    worth, other = (q.detach() for q in agent.target(batch.next_state, action))
    torch.minimum(worth, other, out=worth)
    worth -= log_prob.mul_(agent.alpha)
    return batch.reward + agent.gamma * (1 - batch.done) * worth


def norms_by_autograd():
    page = page_of("14", "check_norms")
    weights, z = list(page.encoder.parameters()), page.encoder(page.images)
    losses = page.critic_loss(z), page.actor_loss(z, z)
    grads = [torch.autograd.grad(loss, weights, retain_graph=True) for loss in losses]
    return tuple(float(torch.cat([g.flatten() for g in grad]).norm()) for grad in grads)


def field_by_popping(layers):
    field = 1
    while layers:
        kernel, stride, _ = layers.pop()
        field = (field - 1) * stride + kernel
    return field


def increase_in_place(native, shrunk):
    shrunk -= native
    return increase(0 * shrunk, shrunk)


def rows_of(frames, t, n):
    return torch.cat([torch.from_numpy(frames[max(i, 0)]) for i in range(t - n + 1, t + 1)])


def kind_by_minimum(distances, motion):
    if distances[-1] < 0.05:
        return "solved before it began" if motion < 0.01 else "success"
    if motion < 0.01:
        return "never touched"
    if distances[0] < 0.05:
        return "pushed off"
    return "overshot" if distances.min() < 0.05 else "fell short"


def single(number):
    return float(np.float32(number))


def stack(answer):
    """The same answer as a tensor of two numbers."""
    return lambda *a: torch.stack([torch.as_tensor(number) for number in answer(*a)])


#: Right answers in another shape than the page's own; twice, for what one leaves behind.
RIGHT = [
    ("03", "check_wilson", stack(interval)),
    ("04", "check_soft_target", soft_target_in_place),
    ("07", "check_stack_at", rows_of),
    ("09", "check_receptive_field", field_by_popping),
    ("11", "check_columns_of", lambda *a: slice(columns(*a).start, columns(*a).stop, 1)),
    ("13", "check_augment_pair", lambda *a: list(pair(*a))),
    ("14", "check_norms", stack(norms)),
    ("14", "check_norms", norms_by_autograd),
    ("17", "check_iqm", lambda values: single(middle(values))),
    ("18", "check_at_most", lambda *a: single(check_of("18", "check_at_most")[1](*a))),
    ("21", "check_paired", stack(increase)),
    ("21", "check_paired", increase_in_place),
    ("23", "check_kind", kind_by_minimum),
    ("25", "check_angle", lambda c, s: np.arctan2(np.float32(s), np.float32(c)) / 4),
    ("29", "check_head_size", lambda flat: np.array(check_of("29", "check_head_size")[1](flat))),
]
EXERCISES = sorted({wrong[:2] for wrong in ALL})


def named(arguments):
    """The keywords of `capacity` as those of `room`."""
    return {{"episode_steps": "steps"}.get(key, key): value for key, value in arguments.items()}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As on the pages: their networks gain nothing from a second one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("notebook", "name", "answer", "words"), WRONG, ids=[f"{w[1]}-{w[3][:14]}" for w in WRONG]
)
def test_a_mistake_is_named(notebook, name, answer, words):
    with pytest.raises(AssertionError, match=re.escape(words)):
        check_of(notebook, name)[0](answer)


@pytest.mark.parametrize(("notebook", "name", "answer"), RIGHT, ids=[r[1] for r in RIGHT])
def test_another_right_answer_passes(notebook, name, answer):
    for _ in range(2):
        check_of(notebook, name)[0](answer)


@pytest.mark.parametrize(("notebook", "name"), EXERCISES)
def test_the_solution_passes_and_the_stub_does_not(notebook, name):
    check, solution = check_of(notebook, name)
    check(solution)
    with pytest.raises(AssertionError, match="still returns"):
        check(stub_of(notebook, name))


@pytest.mark.parametrize(("notebook", "name"), EXERCISES)
def test_every_hint_has_a_mistake_that_meets_it(notebook, name):
    words = {w[3] for w in ALL if w[:2] == (notebook, name)} | {"still returns"}
    hints = hints_of(notebook, name)
    assert [hint for hint in hints if not any(word in hint for word in words)] == []
    assert [word for word in words if sum(word in hint for hint in hints) != 1] == []


def said(capsys, check, *answer):
    attempt(check, *answer)
    return capsys.readouterr().out.strip()


def check_share(share):
    assert share(0.05) <= 1, "at most 1"
    assert share(radius=0.05) == 0.5, "one half"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda radius: 0.5, "Passed."),
        (torch.no_grad()(lambda radius: 0.5), "Passed."),
        (lambda radius: 2, "Not yet: at most 1"),
        (lambda radius: None, "check cannot use what <lambda> returned, None (is there a return?)"),
        (lambda radius: [1], "what <lambda> returned, of type list: TypeError: '<='"),
        (lambda radius: 1 / 0, "Not yet: <lambda> stopped with ZeroDivisionError: division"),
        (lambda radius: check_share(lambda r: 2), "<lambda> stopped with AssertionError: at most"),
        (lambda: 0.5, "<lambda> stopped with TypeError: "),
        (lambda r: 0.5, "<lambda> stopped with TypeError: "),
        (..., "Not yet: your code stopped with TypeError"),
    ],
)
def test_an_attempt_says_who_stopped(capsys, answer, words):
    assert words in said(capsys, check_share, answer)


def test_an_attempt_leaves_an_answer_what_it_was(capsys):
    def check(answer, kind):
        assert list(inspect.signature(answer).parameters) == ["low", "high"]
        assert answer.__name__ == "width" and kind is SimpleNamespace

    def width(low, high):
        return high - low

    assert said(capsys, check, width, SimpleNamespace) == "Passed."


def test_an_attempt_before_the_cells_above_says_so(capsys):
    def check(answer):
        assert answer() == missing  # noqa: F821

    assert said(capsys, check, lambda: 1).endswith("run the page's cells above first")


def test_every_exercise_of_the_book_is_tried():
    assert set(EXERCISES) == checks()
