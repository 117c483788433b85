# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 20 s, hardware: any CPU}
# ---

# %% [markdown]
# # The failure gallery
#
# A success rate does not say how the rest failed: never found the block, pushed it past the target, let
# it lie. Nor does it say how the successes came about. Some of them did nothing at all.
#
# You will be able to look at an episode frame by frame and name what goes wrong, and to count kinds of
# failure instead of failures. The page leans on [the floor](01_proof_of_life.ipynb) and on the policies of
# [Reach from state](03_reach_from_state.ipynb) and of [Is it cheating?](17_is_it_cheating.ipynb). One failure
# needs two pictures beside each other, and stands [where it was found](21_what_the_camera_can_tell.ipynb): a
# policy that soft edges lead astray. One command recorded the episodes:
#
# ```bash
# pixels measure gallery
# ```

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from labs.artifacts import load_artifact
from labs.exercises import attempt
from labs.experiments.config import RunConfig
from labs.experiments.environments import make_one
from labs.experiments.evaluate import NoOp, RandomActions
from labs.experiments.policies import load_policy
from labs.figures.style import OKABE_ITO, use_style
from labs.measurements.gallery import PUSH_ARMS, REACH_ARMS
from labs.measurements.occlusion import occlusion_map
from labs.measurements.rollouts import record
from labs.widgets.rollout_gallery import RolloutGallery

use_style()
artifact = load_artifact("gallery")
gallery, tracks = artifact.json("measurement.json"), artifact.json("tracks.json")

# %% [markdown]
# ## Look
#
# Choose an episode, play it, stop it, step back. The marks show what the simulator's segmentation finds
# in the picture: the centers of the pixels that *are* the gripper, the block, the goal. A mark that is
# missing is a thing that no pixel shows. The episodes come in groups. Those of a group have the same
# start, and differ in the policy alone.
#
# Policies with a camera show where they look, twice over. Shaded patches are those on which the action
# depends: paint one over and the action moves. Yellow dots are the encoder's keypoints, where it has
# them in one view. Some ride on the block, some on the gripper. A crowd in the middle of the table is no
# discovery: a pattern that is everywhere on the table has its mean place there. The red goal is drawn
# for you; Push's camera policies get it as three numbers, and their pictures leave it out.
#
# Reach's camera policies are from [what pixels cost](20_reach_and_pixels.ipynb); the pages of Push's are still to come. The
# critic of *critic told* knew the state, and the training of *a run cut short* ended early
# ([Paying less](25_paying_less.ipynb)); *nobody told* learned without being told where the block is
# ([Rewards can say where](28_rewards_say_where.ipynb)).

# %%
start = next(
    i for i, r in enumerate(gallery["rollouts"]) if not r["success"] and r["motion"] > 0.02
)
RolloutGallery.from_artifact(chosen=start, step=20)

# %% tags=["hide-input"]
arm_of = {
    (task, label): f" (`{arm}`)"
    for task, arms in (("push", PUSH_ARMS), ("reach", REACH_ARMS))
    for arm, label in arms.items()
}
rows = ["| group | policy | start | end | outcome | what to notice |", "|---|---|---|---|---|---|"]
for r in gallery["rollouts"]:
    first, last = 100 * r["start"], 100 * r["end"]
    rows.append(
        f"| {r['group']} | {r['label']}{arm_of.get((r['task'], r['label']), '')} | {first:.1f} cm | {last:.1f} cm "
        f"| {'success' if r['success'] else 'failure'} | {r['notice']} |"
    )
display(Markdown("\n".join(rows)))

outcomes = {(r["group"], r["label"]): r["success"] for r in gallery["rollouts"]}
assert outcomes["Push, already solved", "doing nothing"]
moved = {r["label"]: r["motion"] for r in gallery["rollouts"] if r["group"] == "Push, a hard start"}
for label in ("a run cut short", "nobody told"):
    assert outcomes["Push, a hard start", f"pixels, {label}"] == (label == "nobody told")
assert max(moved[name] for name in ("doing nothing", "pixels, a run cut short")) < 0.01
assert 0.05 < moved["state, after 40,000 steps"] < 0.1 and moved["blind twin"] > 0.5
assert not outcomes["Push, a hard start", "state, after 40,000 steps"]
assert outcomes["Push, a hard start", "state, after 60,000 steps"]
assert outcomes["Push, an easy start", "pixels, nobody told"]
print(f"the blind twin moved the block by {100 * moved['blind twin']:.0f} cm")

# %% [markdown]
# Three things to look for:
#
# - **A success without a push.** In the last Push episode nobody acts, and it counts. That is the floor,
#   as a film.
# - **The way of the gripper.** A policy that can push goes *around* the block first, to the side that
#   faces away from the goal. Watch whether a failing one gets there.
# - **Three kinds of failure.** The policy whose run was cut short does not move this block. After 40,000 steps
#   the policy from state nudges it and leaves it there; after 60,000 it lands it. The blind twin *has* found the
#   block, drives it through the goal and goes on. A success rate counts all three as a miss.
#
# Two warnings. The starts were chosen by how they end: they show kinds of failure, not how often each occurs.
# The hard one is the first seed from which the blind twin pushes and ends far off while the full state succeeds. The
# easy one is the first, with the block away from the goal, from which both succeed. And the camera's policies were
# not helped alike: *critic told* and *a run cut short* look through a {term}`locator` that was taught positions, and
# the latter's training ended
# {artifact}`push-located/seed0:provenance.ended_early`; *nobody told* was given no position but [what hindsight computes](28_rewards_say_where.ipynb).
#
# ## Distances at a glance
#
# {numref}`fig-gallery-distances` has the same episodes as curves: flat means untouched, a dip that comes
# back means overshoot.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Distance to the goal along the episodes of the gallery, one panel a group. The shaded band is the radius of success; curves that stay within 5 mm of each other share a line.", "name": "fig-gallery-distances"}, "image": {"alt": "Distance to the goal against steps, one panel a group of the gallery, one line for episodes that do the same to the block, the success radius of 5 cm shaded. From the hard start doing nothing, random actions and the run cut short are one flat line, and the policy after 40,000 steps is nearly one; the full state and the other pixel policies fall below 5 cm and stay; the blind twin falls below it and climbs to half a meter."}}
groups = list(dict.fromkeys(r["group"] for r in gallery["rollouts"]))
figure, panels = plt.subplots(len(groups), 1, figsize=(7, 2.3 * len(groups)), layout="constrained")
policies = dict.fromkeys(r["label"] for r in gallery["rollouts"])  # each has one look
colors = [OKABE_ITO[c] for c in ("blue", "vermillion", "green", "purple", "orange", "sky", "black")]
looks = {
    label: (("-", "--", ":")[n // len(colors)], colors[n % len(colors)])
    for n, label in enumerate(policies)
}
for axes, group in zip(panels, groups, strict=True):
    lines = {}  # (label, …) → centimeters; who does the same shares a line
    for rollout, track in zip(gallery["rollouts"], tracks, strict=True):
        if rollout["group"] != group:
            continue
        far = 100 * np.array(track["distances"])
        same = [k for k, other in lines.items() if np.abs(far - other).max() < 0.5]
        names = same[0] if same else ()
        lines[*names, rollout["label"]] = lines.pop(names, far)
    for names, far in lines.items():
        style, color = looks[names[0]]
        axes.plot(far, style, color=color, label="\n= ".join(names))
    axes.axhspan(0, 5, color=OKABE_ITO["green"], alpha=0.12)
    axes.set(title=group, xlabel="step", ylabel="distance to the goal, cm", ylim=(0, None))
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# ## Count kinds, not failures
#
# An episode is more than a bit. Its distances to the goal and how far the block moved are enough to name
# what happened.
#
# ```{exercise-start}
# :label: ex-kind
# ```
# Write `kind(distances, motion)` for one Push episode. `distances` is an array, the meters between block and
# target from the reset to the end; `motion` is the farthest that the block got from its start. Give
#
# - `"solved before it began"`: a success at the last step, with `motion` below 1 cm;
# - `"success"`: any other success at the last step;
# - `"never touched"`: a failure with `motion` below 1 cm;
# - `"pushed off"`: a failure that was within 5 cm at the start;
# - `"overshot"`: any other failure that was within 5 cm at some step;
# - `"fell short"`: the rest.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def kind(distances, motion):
    """What happened in an episode, in two or three words."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_kind(answer):
    """Names the likely mistake."""

    def of(distances, motion):
        return answer(np.array(distances), motion)

    got = of([0.20, 0.10, 0.03], 0.2)
    assert got is not ..., "kind still returns ...: fill it in"
    assert got == "success", f"0.20 → 0.10 → 0.03 is a success, received {got!r}"
    got = of([0.20, 0.10, 0.06], 0.2)
    assert got != "success", "6 cm is outside: distances are in meters, so 5 cm are 0.05"
    got = of([0.20, 0.03, 0.20], 0.2)
    assert got != "success", "it was within 5 cm on the way only: the last step decides"
    assert got == "overshot", f"0.20 → 0.03 → 0.20 overshot, received {got!r}"
    got = of([0.03, 0.03, 0.03], 0.001)
    assert got == "solved before it began", (
        f"a block that nobody moved is no push, received {got!r}"
    )
    got = of([0.052, 0.049], 0.004)
    assert got == "solved before it began", (
        f"a motion of 4 mm is no push, wherever the block lay at the start; received {got!r}"
    )
    got = of([0.20, 0.20, 0.20], 0.001)
    assert got == "never touched", f"the block did not move, received {got!r}"
    got = of([0.20, 0.20], 0.009)
    assert got == "never touched", f"a motion of 9 mm is below 1 cm, received {got!r}"
    got = of([0.049, 0.052, 0.052], 0.004)
    assert got == "never touched", "a motion of 4 mm pushes nothing off: ask that first"
    got = of([0.03, 0.20, 0.20], 0.2)
    assert got != "overshot", "it lay within 5 cm at the *start*: ask that before you ask the rest"
    assert got == "pushed off", f"0.03 → 0.20 was pushed off, received {got!r}"
    got = of([0.30, 0.28, 0.29], 0.02)
    assert got == "fell short", f"moved by 2 cm, 0.30 → 0.28 → 0.29 fell short, received {got!r}"
    assert of([0.03, 0.10, 0.04], 0.2) == "success", "a block pushed off and back on is a success"


# %% tags=["nbval-check-output"]
attempt(check_kind, kind)

# %% [markdown]
# ```{solution-start} ex-kind
# :class: dropdown
# ```


# %% tags=["solution"]
def kind(distances, motion):
    """What happened in an episode, in two or three words."""
    still, inside = motion < 0.01, [d < 0.05 for d in distances]
    if inside[-1]:
        return "solved before it began" if still else "success"
    if still:
        return "never touched"
    if inside[0]:
        return "pushed off"
    return "overshot" if any(inside) else "fell short"


check_kind(kind)

# %% [markdown]
# ```{solution-end}
# ```
#
# Now twenty episodes each, played here, from the same twenty starts, chosen so that two begin within 5 cm:

# %%
KINDS = (
    "success",
    "solved before it began",
    "overshot",
    "pushed off",
    "fell short",
    "never touched",
)
policies = {
    "doing nothing": (NoOp(), RunConfig(task="push")),
    "random actions": (RandomActions(), RunConfig(task="push")),
}
for name, run in (
    ("blind twin", "push-blind-tuned/seed0"),
    ("full state", "push-state-tuned/seed0"),
):
    policy = load_policy(run)
    policies[name] = (policy, policy.config)

rows = ["| policy | " + " | ".join(KINDS) + " |", "|---|" + "---|" * len(KINDS)]
counts = {}
for name, (policy, config) in policies.items():
    env = make_one(config)
    episodes = [record(policy, config, 800_020 + i, look=False, env=env) for i in range(20)]
    env.close()
    kinds = [kind(e.distances, e.motion) for e in episodes]
    counts[name] = {k: kinds.count(k) for k in KINDS}
    rows.append(f"| {name} | " + " | ".join(str(counts[name][k]) for k in KINDS) + " |")
display(Markdown("\n".join(rows)))
assert counts["doing nothing"]["success"] == 0, "whoever does nothing cannot push"
assert counts["doing nothing"]["solved before it began"] == 2
assert counts["full state"]["solved before it began"] == 2, (
    "it leaves a block alone that lies there"
)
assert counts["blind twin"]["solved before it began"] == 0, "and the blind twin does not"
assert counts["full state"]["success"] > counts["random actions"]["success"]
assert all(sum(row.values()) == 20 for row in counts.values())

# %% [markdown]
# The first column is nearer to what a success rate should mean. The second is in every success rate that
# counts all starts, those of this book included. From the two starts that needed no push the full state leaves the
# block alone. The blind twin moves it from both.
#
# ## Where a pixel policy looks
#
# For a policy with a camera one more thing can be drawn: on which part of the picture does its action
# depend? Cut the picture into patches of 7 × 7 pixels, paint one after the other in the picture's mean color, and
# measure how far the action moves {cite}`zeiler2014`. This needs no gradient, so it works through any layer, a detached one included. But
# does the tool find what is there? Try it on a policy of which we *know* where it looks. Then see how far the policies
# of the gallery are moved.


# %%
class Looker:
    """Acts on the brightness of one patch and on nothing else."""

    def predict(self, obs, deterministic=True):
        patch = obs["pixels"][:, :, 14:21, 70:77].astype(float).mean(axis=(1, 2, 3))
        return np.stack([patch / 255, 0 * patch], axis=1)


rng = np.random.default_rng(0)
noise = rng.integers(0, 256, (12, 84, 84), dtype=np.uint8)
found = occlusion_map(Looker(), {"pixels": noise})
place = tuple(int(i) for i in np.unravel_index(found.argmax(), found.shape))
print(
    f"largest at patch {place}: rows {7 * place[0]} to {7 * place[0] + 6}, columns {7 * place[1]} to {7 * place[1] + 6}"
)
assert place == (2, 10) and np.count_nonzero(found > 1e-12) == 1

# %%
seeing = [r for r in gallery["rollouts"] if r["map"]]
for r in seeing:
    print(f"{r['group']}, {r['label']}: a patch moves the action by up to {r['map_largest']:.2f}")
if not seeing:
    print(
        "No policy with a camera is in the gallery yet: none of its pixel arms has a result here."
    )

# %% [markdown]
# The unit is the distance between two actions of four numbers in [−1, 1]: 4 is the largest possible.
# Tick the shade in the widget above and watch them. If the place of the block is shaded only once the gripper
# has covered it, the policy looks at the gripper. But the shade is scaled to the largest value of its episode. So a
# policy that hardly uses its camera, [a blind twin](17_is_it_cheating.ipynb) but for the name, is shaded like any
# other: only the numbers above tell. And a
# painted patch is itself something new: the action may move because of it, not of what it hides.
#
# ## Settled
#
# | | |
# |---|---|
# | settled | A success rate mixes pushes with starts that needed none, and failures of several kinds. Distances and the block's motion tell them apart. |
# | not settled | *Why* a given policy overshoots or falls short. An episode shows how, and suggests what to measure. |
# | command | `pixels measure gallery` records it again. It needs the weights of every arm that is shown, and names those that are not here: git leaves out most of them |
#
# Next: [the scoreboard of claims](../book/scoreboard.md).
