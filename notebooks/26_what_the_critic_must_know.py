# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 1 min, hardware: 'any CPU; the training itself: half an hour to two and a half hours on one core'}
# ---

# %% [markdown]
# # What the critic must know
#
# The policies of [Paying less](25_paying_less.ipynb) push from pixels because somebody was told where the block is: a locator, a
# teacher, a critic behind a locator. Here one small network must learn to see and to push at once, by its reward, on two cores, with no
# locator and no teacher. Only the critic may know more than the actor, and it exists in training alone.
#
# How much must it know? We take that away piece by piece. Does the {term}`eye` still open? Does the {term}`hand`, the actor, still learn?
# You will be able to say how little was enough here and what was not, and to tell an eye that sees from a policy that pushes. The page
# leans on [gradient routing](14_gradient_routing.ipynb), on [what the camera can tell](21_what_the_camera_can_tell.ipynb) and on the
# page before.

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown, display

from labs.exercises import attempt
from labs.experiments.environments import make_one
from labs.experiments.policies import load_policy
from labs.experiments.presets import NOT_CHANGES, preset
from labs.experiments.results import final_success, measurement
from labs.figures.curves import episodes_a_point, runs_beside, seed_by_seed
from labs.figures.ledger import measured, push_floor, success_cell
from labs.figures.results import controls_table, provenance_card, runs_of, told_sight_table
from labs.figures.routes import ladder, looking_table, routes_table, seeds_of_arms
from labs.figures.style import OKABE_ITO, use_style
from labs.measurements.frozen_pictures import KINDS, still_block

use_style()
ASYMMETRIC, WHOLE = "push-asymmetric", "push-asymmetric-keypoint"
LONGER, ACHIEVED = f"{WHOLE}-long", "push-asymmetric-achieved"
BLURRED = "push-asymmetric-blurred"
LESS = f"{BLURRED}-less"
OPEN_EYES, JUDGED = ("push-eye-told", "push-eye-rewarded"), "push-eye-judged"
NOT_TOLD, REWARDED = "push-keypoint-honest", "push-keypoint-rewarded"
AHEAD = f"{REWARDED}-n3"
FROZEN_EYE = "push-asymmetric-frozen"
FROZEN_LONG = f"{FROZEN_EYE}-long"
DISTILLED = "push-distilled"
floor = push_floor()
at_once, as_hindsight = ([final_success(run) for run in runs_of(arm)] for arm in (LONGER, ACHIEVED))
assert len(at_once) == 2, "the box says two"
display(
    Markdown(
        "> **In short.** One network, one camera, joints and goal, two cores, a reward, and a critic that is told more while it trains. "
        f"Told the state: {' and '.join(f'{rate:.0%}' for rate in at_once)}, two seeds. Told only where the block's center is, which "
        f"hindsight reads anyway: {success_cell(ACHIEVED)}. Told nothing: the floor, with an eye as good as the others', three arms, one seed each. Behind one frozen eye that "
        f"nobody ever told a position: {success_cell(JUDGED)}, where the critic is told the center, and {success_cell(OPEN_EYES[1])}, "
        "where it sees through that eye."
    )
)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "What the critic is told, less from left to right. Above, each run's success with Wilson's interval over 100 episodes, and before black images. Below, how far off the block is when read from the run's encoder.", "name": "fig-critic-ladder"}, "image": {"alt": "Above, success by what the critic is told: the state, two runs at 96 and 100 percent; the block's center, four runs at 84 to 93 percent; the center 7 mm off, 22 mm off, nothing, nothing with an eye that predicts rewards, and that with targets three steps ahead, one run each on the do-nothing floor, where every run lies before black images. Below, the block is read from the encoders of the first two to 22 to 28 millimeters, to 38 and 35 where the place is off, to 25, 22 and 21 where nothing is told, and to 91 to 102 from untrained ones."}}
TOLD = {
    LONGER: "the state",
    ACHIEVED: "the block's center",
    LESS: "the center, 7 mm off",
    BLURRED: "the center, 22 mm off",
    NOT_TOLD: "nothing",
    REWARDED: "nothing; the eye predicts rewards",
    AHEAD: "the same, targets three ahead",
}
ladder(TOLD, floor=floor)
plt.show()

# %% [markdown]
# The eye opens in every column of {numref}`fig-critic-ladder`, in whose lower half less is better. The hand has learned in the first two. From the third column on there is one seed
# each. Of these, all but the fifth were ended early: the sixth a little before the end of its budget, the others at about half.
#
# ## Judged by one who knows
#
# In `push-asymmetric` [the critic is told the state and the actor is not](25_paying_less.ipynb). Nothing in that asks for a locator.
# Let the actor's observation $\hat o$ be the picture and the joints, and the encoder $f_\psi$ a part of the actor. With
# $s$ the state, $g$ the goal and $a$ an action that the actor samples,
#
# $$ \nabla_\psi L_\pi = \mathbb{E} \big[ \alpha \nabla_\psi \log \pi_\phi(a \mid \hat o, g)
# - \nabla_a \min_i Q_{\theta_i}(s, g, a) \, \nabla_\psi a \big] $$ (eq-actor-teaches-sight)
#
# where $a$ is a function of the features and of noise ([there](04_sac_recap.ipynb)). The critic reads no
# picture, so this is the encoder's only gradient: how should the action have been, at *this* state, for
# the critic to like it better? Nobody names a position or shows an action.
#
# This is `push-asymmetric-keypoint`: one frame of
# {artifact}`push-asymmetric-keypoint/seed0:provenance.parameters.image_size|int` pixels, the locator's three convolutions and
# keypoints, trained from their first weights by a reward. Each picture is encoded once and judged under
# {artifact}`push-asymmetric-keypoint/seed0:provenance.parameters.goals_per_frame|int` goals
# ([why](24_making_it_fast.ipynb)). It was tried once before, on a spare seed, and not tuned. Two earlier starts, with two frames and
# batches of 128, were dropped within minutes for their pace and left no result.

# %% [markdown]
# ## One network sees and pushes, late
#
# `push-asymmetric-keypoint` stops where its rise begins. `push-asymmetric-keypoint-long`, the same seeds with a larger budget, goes on.
# {numref}`fig-critic-state` shows them, and the trial on the spare seed.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Success of the two seeds of `push-asymmetric-keypoint-long`, and of the trial. The vertical line is where `push-asymmetric-keypoint` ends; up to there its curves are these, number for number.", "name": "fig-critic-state"}, "image": {"alt": "Success of push-asymmetric-keypoint-long against environment steps, seed by seed, with the trial run on seed 101. All lie on the do-nothing floor for the first 80 thousand steps. The trial then rises to about 40 percent and ends at 100 thousand steps, where a dotted line stands. Seed 0 rises from there to about 95 percent at 170 thousand steps, seed 1 some 60 thousand steps later; both end at or near 100 percent."}}
TRIED = measurement("tuning-told-critic")["runs"]
trial = TRIED[0]
assert trial["settings"]["critic_sees"] == preset(WHOLE).critic_sees == "state"
axes = seed_by_seed(LONGER, floor=floor)
axes.plot(
    [point["steps"] for point in trial["curve"]],
    [point["success"] for point in trial["curve"]],
    "--",
    color="0.4",
    label=f"seed {trial['settings']['seed']}, the trial",
)
axes.axvline(preset(WHOLE).total_steps, color="0.6", lw=1, ls=":")
axes.legend(loc="upper left", fontsize="small")
plt.show()

# %% tags=["hide-input"]
for short, long in zip(runs_of(WHOLE), runs_of(LONGER), strict=True):
    both = short.table().merge(long.table(), on="step", suffixes=("", " of the longer"))
    assert len(both) == 11 and (both["success"] == both["success of the longer"]).all()
    assert (both["critic_loss"].dropna() == both["critic_loss of the longer"].dropna()).all()
display(
    Markdown(
        f"*A point is {episodes_a_point([LONGER])} episodes; no mean, no band. See that the short runs ended where these begin to rise, and that both arrive.*"
    )
)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show what is checked", "code_prompt_hide": "Hide what is checked"}
early, late = ([run.json("evaluation.json") for run in runs_of(arm)] for arm in (WHOLE, LONGER))
for found in (early[0], *late):
    blinded = max(control["success_high"] for control in found["controls"].values())
    assert found["deterministic"]["success_low"] > blinded, "it looks"
assert early[1]["deterministic"]["success_high"] < 0.15, "seed 1 left the floor earlier: read anew"
assert all(
    end["deterministic"]["success_low"] > start["deterministic"]["success_high"] > floor
    for start, end in zip(early, late, strict=True)
), "each seed ends above where its short run ended"
for run in runs_of(LONGER):
    curve = run.table()
    assert max(curve["success"][curve["step"] <= 80_000]) <= 0.1, "the floor lasts to 80,000"
assert all(p["success"] <= 0.1 for p in trial["curve"] if p["steps"] <= 80_000)
assert trial["evaluation"]["success_low"] > early[0]["deterministic"]["success_high"], "lucky"
with_locator = [run.table() for run in runs_of(ASYMMETRIC)]
assert all(max(c["success"][c["step"] <= 40_000]) >= 0.2 for c in with_locator), "by 40,000 steps"
more = trial["evaluation"]["success_rate"] / early[0]["deterministic"]["success_rate"]
assert 2.5 < more < 3, "nearly three times"
assert TRIED[1]["settings"]["critic_sees"] == "achieved"
assert TRIED[1]["evaluation"]["success_low"] < floor < TRIED[1]["evaluation"]["success_high"]

# %% [markdown]
# **An eye that nobody taught opens.** The network sees the block, and has learned to from nothing but a critic's opinion of its actions:
#
# - Seed 0 ends with {artifact}`push-asymmetric-keypoint-long/seed0:evaluation.deterministic.success_rate|pct0` of 100 episodes,
#   {artifact}`push-asymmetric-keypoint-long/seed0:evaluation.controls.blank.success_rate|pct0` before black images,
#   {artifact}`push-asymmetric-keypoint-long/seed0:evaluation.controls.shuffled.success_rate|pct0` before those of another episode.
# - Seed 1: {artifact}`push-asymmetric-keypoint-long/seed1:evaluation.deterministic.success_rate|pct0`,
#   {artifact}`push-asymmetric-keypoint-long/seed1:evaluation.controls.blank.success_rate|pct0`,
#   {artifact}`push-asymmetric-keypoint-long/seed1:evaluation.controls.shuffled.success_rate|pct0`.
#
# In this book only these and `push-asymmetric-achieved` below learned sight and control of Push at once, by a reward. Seed 0 took
# {artifact}`push-asymmetric-keypoint-long/seed0:provenance.wall_time_s|duration` beside the other on two cores.
#
# **Its policies rise late.** For 80,000 steps no evaluation of any seed tells one from doing nothing. The locator's policies, by the
# same critic, rise in half of that. They have three frames and other batches, so not all of the delay need be the eye's. When the eye
# opened was not probed, and [a success curve does not say](19_reading_the_curve.ipynb). In all, this encoder was given
# {artifact}`push-asymmetric-keypoint-long/seed0:evaluation.updates|int` updates; that of `push-distilled`, with a teacher's four
# numbers for every picture, {artifact}`push-distilled/seed0:evaluation.updates|int`.
#
# **A budget can be the verdict.** `push-asymmetric-keypoint` is the same two runs, ended at
# {artifact}`push-asymmetric-keypoint/seed0:evaluation.steps|int` steps. It reads
# {artifact}`push-asymmetric-keypoint/seed0:evaluation.deterministic.success_rate|pct0` and
# {artifact}`push-asymmetric-keypoint/seed1:evaluation.deterministic.success_rate|pct0`: one seed has just left the floor, one has not.
# Neither told where the curves were going. The trial had flattered: at the same budget it had
# {artifact}`tuning-told-critic:runs.0.evaluation.successes|int` of
# {artifact}`tuning-told-critic:runs.0.evaluation.episodes|int` episodes, nearly three times seed 0's rate. If an arm of
# this book stays on the floor, that holds at *its* budget.
#
# ## Told no more than hindsight
#
# Must the critic be told the state? Three numbers were enough here to teach an eye and a hand at once: where the block's center is. They
# are the achieved goal, which every memory that relabels goals holds anyway. `push-asymmetric-achieved` tells its critic
# these, the joints and the goal, but not how the block lies or moves. In the critic and in {eq}`eq-actor-teaches-sight` they replace $s$;
# actor, seeds and budget stay. So this arm takes no {term}`privileged information` beyond that of hindsight. Its trial on the spare
# seed had ended on the floor at 100,000 steps, with {artifact}`tuning-told-critic:runs.1.evaluation.successes|int` of
# {artifact}`tuning-told-critic:runs.1.evaluation.episodes|int` episodes.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Success of the four seeds of `push-asymmetric-achieved`; dotted, two of them with a critic that is told the state. See where the curves cross one half.", "name": "fig-critic-achieved"}, "image": {"alt": "Success of the four seeds of push-asymmetric-achieved against environment steps, solid, and of two of them with a critic told the state, dotted. The solid curves leave the do-nothing floor between 50 and 90 thousand steps, pass one half between 70 and 100 thousand, and then move between 55 and 100 percent. The dotted ones pass one half 40 and 80 thousand steps after the solid ones of their color, and end near 100 percent."}}
axes = seed_by_seed(ACHIEVED, floor=floor)
color = {line.get_label(): line.get_color() for line in axes.lines}
for run in runs_of(LONGER):
    curve, seed = run.table(), f"seed {run.path.name.removeprefix('seed')}"
    axes.plot(
        curve["step"],
        curve["success"],
        ":",
        color=color[seed],
        label=f"{seed}, told the state",
    )
axes.legend(loc="lower right", fontsize="small")
plt.show()


# %% tags=["hide-input"]
def halfway(arm):
    """Where each seed's curve first has half of its episodes, in environment steps."""
    curves = [run.table() for run in runs_of(arm)]
    assert all(max(curve["success"]) >= 0.5 for curve in curves), f"{arm}: a seed never has half"
    return [int(curve["step"][curve["success"] >= 0.5].iloc[0]) for curve in curves]


little, much = halfway(ACHIEVED), halfway(LONGER)
display(
    Markdown(
        f"*A point is {episodes_a_point([ACHIEVED])} episodes; no mean, no band. The curves cross one half: told three numbers "
        f"at {', '.join(f'{step:,}' for step in little)} steps, told the state at {' and '.join(f'{step:,}' for step in much)}.*"
    )
)
pairs = list(zip(little, much, as_hindsight, at_once, strict=False))  # the seeds that both have
assert len(pairs) == 2 and all(sooner < later for sooner, later, *_ in pairs), "read the text anew"
assert all(lower < higher for *_, lower, higher in pairs), "ends lower: read the text anew"
assert preset(ACHIEVED).critic_sees == "achieved"
for run in runs_of(ACHIEVED):
    found = run.json("evaluation.json")
    blinded = max(control["success_high"] for control in found["controls"].values())
    assert found["deterministic"]["success_low"] > max(blinded, 0.75), "it looks, and it pushes"

# %% [markdown]
# **What hindsight reads is enough**, for an actor that has pixels, joints and the goal. Success is {success}`push-asymmetric-achieved`.
#
# - Seed 0: {artifact}`push-asymmetric-achieved/seed0:evaluation.deterministic.success_rate|pct0` of 100 episodes,
#   {artifact}`push-asymmetric-achieved/seed0:evaluation.controls.blank.success_rate|pct0` before black images,
#   {artifact}`push-asymmetric-achieved/seed0:evaluation.controls.shuffled.success_rate|pct0` before those of another episode.
# - Seed 1: {artifact}`push-asymmetric-achieved/seed1:evaluation.deterministic.success_rate|pct0`,
#   {artifact}`push-asymmetric-achieved/seed1:evaluation.controls.blank.success_rate|pct0`,
#   {artifact}`push-asymmetric-achieved/seed1:evaluation.controls.shuffled.success_rate|pct0`.
# - Seed 2: {artifact}`push-asymmetric-achieved/seed2:evaluation.deterministic.success_rate|pct0`,
#   {artifact}`push-asymmetric-achieved/seed2:evaluation.controls.blank.success_rate|pct0`,
#   {artifact}`push-asymmetric-achieved/seed2:evaluation.controls.shuffled.success_rate|pct0`.
# - Seed 3: {artifact}`push-asymmetric-achieved/seed3:evaluation.deterministic.success_rate|pct0`,
#   {artifact}`push-asymmetric-achieved/seed3:evaluation.controls.blank.success_rate|pct0`,
#   {artifact}`push-asymmetric-achieved/seed3:evaluation.controls.shuffled.success_rate|pct0`.
#
# Seeds 2 and 3 miss the 90 % that [its card](../book/experiments.md) asks of each. Seeds 0 and 1 were stopped on the way, and went on with
# [denormal numbers counted as zero](24_making_it_fast.ipynb): that moves no keypoint and makes steps cheaper. Seeds 2 and 3 had
# it from the start, and took {artifact}`push-asymmetric-achieved/seed2:provenance.wall_time_s|duration` and
# {artifact}`push-asymmetric-achieved/seed3:provenance.wall_time_s|duration` beside another run.
#
# In both pairs of seeds the critic told less taught sooner ({numref}`fig-critic-achieved`), and its policy ends a few episodes lower.
# In the pair of trials, ended at 100,000 steps, only the one told the state had risen. Three pairs do not say which is better.
#
# ## Told nothing, and an eye that cannot learn
#
# Two explanations would make less of this. Perhaps nobody needs the three numbers: a critic that must find the block itself would do
# as well. Or perhaps no eye has learned anything: untrained keypoints differ from picture to picture, too, and the layers behind them
# may make do.
# For each explanation this arm was changed in one thing. One seed each, and each ended far behind:
#
# - `push-keypoint-honest`: the critic is told nothing. It reads what the actor reads, through its own encoder, taught by the
#   TD error. Hindsight still relabels with the achieved goal; actor and critic meet it in no other way.
# - `push-asymmetric-frozen`: the critic is told the achieved goal; the actor's encoder keeps its random initial weights. It has half the
#   budget, {artifact}`push-asymmetric-frozen/seed0:evaluation.steps|int` steps. `push-asymmetric-frozen-long`, the same arm and
#   seed on another processor, was to have all of it, and was cut short at
#   {artifact}`push-asymmetric-frozen-long/seed0:evaluation.steps|int` steps for want of time.
#
# Or perhaps the reward says enough, if asked often enough. Hindsight can say for *every* goal whether a picture fulfils it; a
# critic hears that for a few goals a picture. Two more arms ask for all of a batch:
#
# - `push-keypoint-rewarded`: the critic is told nothing. Actor and critic share one encoder, taught by the TD error and a
#   second loss {cite:p}`jaderberg2017`. A score $u(f_\psi(o))^\top v(g) + b$, with two small networks $u$ and $v$, says how
#   likely the picture $o$ fulfils the goal $g$, for all pairs in the batch:
#
# $$ L(\psi, \theta, u, v, b) = L_Q(\psi, \theta) + \lambda \, \mathbb{E}_{o, g} \,
# \mathrm{BCE} \left( u(f_\psi(o))^\top v(g) + b, \; 1 + r(o, g) \right) $$ (eq-reward-head)
#
#   with $L_Q$ the TD loss, BCE the binary cross-entropy of a logit and its label, and the reward $r$ either $-1$ or 0. No network is told where the block of a picture is. The goals that $v$ reads
#   are mostly places where a block went, but $u$ reads neither goal nor joints, so it has to look. The weight $\lambda$ was set once, within a spare seed's first
#   steps, to bring the encoder's two gradients nearer to one size, without a look at success. For want of time it got {artifact}`push-keypoint-rewarded/seed0:evaluation.steps|int` of its
#   {artifact}`push-keypoint-rewarded/seed0:provenance.parameters.total_steps|int` steps. Its twin without the second loss, `push-keypoint-shared`,
#   was not run. Rewards for many goals come close to a position ([there](21_what_the_camera_can_tell.ipynb)); `push-keypoint-honest`
#   shows what plain rewards do.
# - `push-keypoint-rewarded-n3` changes one thing more: TD targets reach three steps ahead ({term}`n-step target`).
#   Two later pages give a reason to try. Behind a locator the runs with them end highest ([there](28_rewards_say_where.ipynb)). Where the
#   place is read with an error drawn anew at each step, runs that hardly rise without them rise with them ([there](27_how_steady_an_eye.ipynb)). It got
#   {artifact}`push-keypoint-rewarded-n3/seed0:evaluation.steps|int` steps.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Success against environment steps. Gray: the four seeds of `push-asymmetric-achieved`; the others have one run each, and the three that are told nothing lie on one another. See where the blue curves end.", "name": "fig-critic-nothing"}, "image": {"alt": "Success against environment steps. Gray: the four seeds of push-asymmetric-achieved, which rise between 50 and 100 thousand steps. The arm whose critic is told nothing lies on the do-nothing floor for 300 thousand steps, the one that also predicts rewards for 268 thousand, and with targets three steps ahead for 150 thousand. Told the center, with an encoder that learns nothing, one run lies there for 140 thousand and then stands at 20 percent; its second, longer run lies a little above the floor from 80 thousand steps on and ends between 20 and 30 percent at 200 thousand."}}


def on_the_floor(arm):
    """Fails where a run of the arm ends elsewhere, or left the floor on its way."""
    for run in runs_of(arm):
        end = run.json("evaluation.json")["deterministic"]
        assert end["success_low"] < floor < end["success_high"], f"{arm}: read the text anew"
        assert max(run.table()["success"]) <= 0.1, f"{arm} left the floor on its way: read anew"


changes = {NOT_TOLD: "critic_sees", FROZEN_EYE: "frozen_encoder"}
for arm, knob in changes.items():
    apart = set(preset(ACHIEVED).differences(preset(arm))) - NOT_CHANGES
    assert apart - {"total_steps"} == {knob}, f"{arm}: one change"
asked = set(preset(NOT_TOLD).differences(preset(REWARDED))) - NOT_CHANGES
assert asked == {"routing", "auxiliary", "auxiliary_task"}, "one encoder, and a second loss"
assert set(preset(REWARDED).differences(preset(AHEAD))) - NOT_CHANGES == {"n_steps"}
assert set(preset(FROZEN_EYE).differences(preset(FROZEN_LONG))) - NOT_CHANGES == {"total_steps"}
runs_beside(
    {
        ACHIEVED: ("0.6", "-"),
        NOT_TOLD: (OKABE_ITO["vermillion"], "o-"),
        REWARDED: (OKABE_ITO["purple"], "v-"),
        AHEAD: (OKABE_ITO["orange"], "D-"),
        FROZEN_EYE: (OKABE_ITO["blue"], "s-"),
        FROZEN_LONG: (OKABE_ITO["sky"], "^--"),
    },
    floor=floor,
)
plt.show()

# %% tags=["hide-input"]
display(
    Markdown(
        "*Each colored arm but the two that predict rewards is the gray one with one change. A point is "
        f"{episodes_a_point([ACHIEVED, NOT_TOLD, REWARDED, AHEAD, FROZEN_EYE])} episodes. See what the gray curves have where the blue ones end.*"
    )
)
(frozen_eye,) = runs_of(FROZEN_EYE)
on_the_floor(NOT_TOLD)
on_the_floor(REWARDED)
on_the_floor(AHEAD)
there = frozen_eye.json("evaluation.json")
blinded = there["controls"]["blank"]["success_rate"]
assert floor < there["deterministic"]["success_low"] and blinded < 0.1, "just above the floor"
assert there["deterministic"]["success_high"] < 0.3, "just above: read the text anew"
learned = [
    float(run.table().set_index("step")["success"][there["steps"]]) for run in runs_of(ACHIEVED)
]
assert min(learned) > 0.5
(longer,) = runs_of(FROZEN_LONG)
late = longer.json("evaluation.json")
rises, seen = late["deterministic"], late["controls"]
assert max(c["success_high"] for c in seen.values()) < rises["success_low"], "its eye is used"
assert rises["success_high"] < 0.5, "far behind: read the text anew"
at_200 = [float(run.table().set_index("step")["success"][200_000]) for run in runs_of(ACHIEVED)]
assert min(at_200) > rises["success_high"]
at_150 = {
    arm: [float(run.table().set_index("step")["success"][150_000]) for run in runs_of(arm)]
    for arm in (ACHIEVED, "push-located-rewards-n3")
}
assert [min(found) for found in at_150.values()] == [0.85, 0.75], "the text says so"
assert len(at_150["push-located-rewards-n3"]) == 5
display(
    Markdown(
        f"At {there['steps']:,} steps the curves of `{ACHIEVED}` stand at {', '.join(f'{rate:.0%}' for rate in learned)}, at 200,000 steps at {', '.join(f'{rate:.0%}' for rate in at_200)}."
    )
)

# %% [markdown]
# **Told nothing, it stays on the floor** ({numref}`fig-critic-nothing`). `push-keypoint-honest` has
# {artifact}`push-keypoint-honest/seed0:evaluation.deterministic.successes|int` of 100 episodes after
# {artifact}`push-keypoint-honest/seed0:evaluation.steps|int` steps; doing nothing scores {artifact}`push-floor:no_op.rate|pct1`. At this budget and in
# this seed, a critic teaches pushing from three numbers, and not from the picture. Whether it gets there later is another question.
#
# **Asked for rewards, it stays there, too.** `push-keypoint-rewarded` has
# {artifact}`push-keypoint-rewarded/seed0:evaluation.deterministic.successes|int` of 100,
# {artifact}`push-keypoint-rewarded/seed0:evaluation.controls.blank.successes|int` before black images.
#
# **Targets three steps ahead do not lift it off in half that time.** `push-keypoint-rewarded-n3` has
# {artifact}`push-keypoint-rewarded-n3/seed0:evaluation.deterministic.successes|int` of 100. At 150,000 steps the gray curves stand at
# 85 % or more, and the five runs of `push-located-rewards-n3`, with the same targets behind a locator, at 75 % or more. As far as
# one seed and half of the budget can say, longer targets alone are not what this network lacks.
#
# **An eye that cannot learn is not blind.** Of 100 episodes:
#
# - `push-asymmetric-frozen` has {artifact}`push-asymmetric-frozen/seed0:evaluation.deterministic.successes|int`, more than doing nothing, and
#   {artifact}`push-asymmetric-frozen/seed0:evaluation.controls.blank.successes|int` before black images. These intervals still overlap.
# - The longer run has {artifact}`push-asymmetric-frozen-long/seed0:evaluation.deterministic.successes|int`
#   ({artifact}`push-asymmetric-frozen-long/seed0:evaluation.deterministic.success_low|pct0` – {artifact}`push-asymmetric-frozen-long/seed0:evaluation.deterministic.success_high|pct0`),
#   {artifact}`push-asymmetric-frozen-long/seed0:evaluation.controls.blank.successes|int` before black images,
#   {artifact}`push-asymmetric-frozen-long/seed0:evaluation.controls.shuffled.successes|int` before those of another episode. Its interval overlaps neither of theirs.
#
# So the layers behind make something of untrained keypoints, but late and slowly: eyes that learn stand far above
# at the same step. At these budgets, most of what `push-asymmetric-achieved` has gained depends on an eye that learns. Where a longer
# run would end is open.
#
# ## How much do such eyes see?
#
# Every trained eye sees the block, also where the hand has not learned. The probe of
# [the camera's page](21_what_the_camera_can_tell.ipynb) reads it from the frozen encoders:

# %% tags=["hide-input"]
display(told_sight_table())
SIGHT = measurement("told-sight")
read = {run["run"]: run["read"]["block"]["mean"] for run in SIGHT["runs"]}
before = [draw["block"]["mean"] for draw in SIGHT["untrained"]]
taken = [
    runs_of(arm)[0].json("evaluation.json")["updates"] for arm in (LONGER, ACHIEVED, DISTILLED)
]
assert round(taken[0] / taken[2]) == round(taken[1] / taken[2]) == 10, "ten times its updates"
told_eyes = [mm for run, mm in read.items() if run.split("/")[0] in (LONGER, ACHIEVED)]
assert len(told_eyes) == 6, "the text says six"
assert max(told_eyes) < min(before) / 3, "the eye has not opened: read the text anew"
assert max(told_eyes) < read[f"{DISTILLED}/seed0"], "imitation's eye is as good: read anew"
blind_hand = read[f"{NOT_TOLD}/seed0"]
assert min(told_eyes) < blind_hand < max(told_eyes), "its eye is one of theirs: read anew"
assert read[f"{REWARDED}/seed0"] < min(told_eyes), "not the best eye: read anew"
assert read[f"{AHEAD}/seed0"] < read[f"{REWARDED}/seed0"], "not the best of all: read anew"
off = [read[f"{arm}/seed0"] for arm in (LESS, BLURRED)]
assert max(told_eyes) < min(off) and max(off) < min(before) / 2, "opens, not as wide: read anew"
located = measurement("locator-push-workspace/seed0")
located_mm = located["held_out"]["block"]["mean"]

# %% [markdown]
# All six whose critic was told exactly see the block far better than the same network untrained.
# In this probe they also see better than imitation's encoder, which acts on two frames and is shown one twice. The six had ten times
# its updates; what an equal number would show was not measured. The locator, told
# positions and nothing else, is off by {artifact}`locator-push-workspace/seed0:measurement.held_out.block.mean|f1` mm, on larger
# pictures.
#
# **An eye opens where no hand learns.** The three arms whose critic is told nothing, one seed each, do not lack an eye for the actor:
#
# - `push-keypoint-honest` has an eye as good as the six. Its critic's encoder was not probed.
# - `push-keypoint-rewarded` has one as good as the best of them, on less than their whole budget. Its critic reads the same features.
# - `push-keypoint-rewarded-n3` has the best by its mean, {artifact}`told-sight:runs.push-keypoint-rewarded-n3/seed0.read.block.mean|f0` mm
#   off, after half of their budget; its interval overlaps that of the arm before.
#
# Rewards alone can open an eye, on two cores. And if its critic is told, a policy rises above the floor even behind an eye of the
# untrained kind; one seed, too.
#
# What does a told critic give the hand, then? What it reads differs from what the others read in at least three things:
#
# 1. It is exact.
# 2. It always means the same, since no encoder changes under it.
# 3. It is the place itself, which the others must find among an eye's features.
#
# The next two sections change the first two.
#
# ## Two centimeters off
#
# The first difference is that a told place is exact. The eye of `push-keypoint-rewarded` is off by
# {artifact}`told-sight:runs.push-keypoint-rewarded/seed0.read.block.mean|f0` mm. If that is what counts, a critic told
# as badly should stay on the floor, too. It did, by about half of its budget, and so did one told a place 7 mm off, one seed each.
#
# `push-asymmetric-blurred` is `push-asymmetric-achieved` but for one thing. To each of its critic's three numbers a new draw is
# added at every step, from a normal distribution of standard deviation
# {artifact}`push-asymmetric-blurred/seed0:provenance.parameters.critic_blur|f4` m. Across the table the
# place is then off by 22 mm on average. `push-asymmetric-blurred-less` adds less than a third of that, 7 mm on average, as far as
# [a locator](25_paying_less.ipynb) is off. Hindsight relabels with the exact place, so the rewards stay exact.
#
# The blurred place has the eye's mean error and not its shape: an eye is mostly nearer (median
# {artifact}`told-sight:runs.push-keypoint-rewarded/seed0.read.block.median|f0` mm) and at times far off. It is also harsh: an eye
# errs alike before like pictures, while here a resting block seems to jump at each step, which a critic can only average out. So a floor
# here fits the explanation, and does not prove it.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Success against environment steps where the critic is told a place that is off, or nothing, one run each. Gray: the four seeds of `push-asymmetric-achieved`, told exactly. See where these are when the others end.", "name": "fig-critic-blurred"}, "image": {"alt": "Success against environment steps. Gray: the four seeds of push-asymmetric-achieved, above one half by 100 thousand steps. The runs whose critic is told a place 7 or 22 millimeters off, and the one whose critic is told nothing, lie on the do-nothing floor: the first to 174 thousand steps, the second to 150 thousand, the third to 300 thousand."}}
for arm, mm in ((BLURRED, read[f"{REWARDED}/seed0"]), (LESS, located_mm)):
    assert set(preset(ACHIEVED).differences(preset(arm))) - NOT_CHANGES == {"critic_blur"}
    across = 1000 * preset(arm).critic_blur * np.sqrt(np.pi / 2)  # the mean length of two draws
    assert abs(across - mm) < 1, (
        f"{arm} is off by {across:.1f} mm, and what it stands for by {mm:.1f}"
    )
runs_beside(
    {
        ACHIEVED: ("0.6", "-"),
        LESS: (OKABE_ITO["sky"], "^-"),
        BLURRED: (OKABE_ITO["green"], "D-"),
        NOT_TOLD: (OKABE_ITO["vermillion"], "o-"),
    },
    floor=floor,
)
plt.show()

# %% tags=["hide-input"]
display(Markdown(f"*A point is {episodes_a_point([ACHIEVED, LESS, BLURRED, NOT_TOLD])} episodes.*"))
for arm in (LESS, BLURRED):
    on_the_floor(arm)
assert max(halfway(ACHIEVED)) <= 100_000, "the text says: by 100,000"
assert sorted(halfway(LONGER)) == [140_000, 160_000], "told the state: read the text anew"

# %% [markdown]
# **Off by 22 mm, the eye opens and the hand has not learned** ({numref}`fig-critic-blurred`). Ended for want of time at
# {artifact}`push-asymmetric-blurred/seed0:evaluation.steps|int` of
# {artifact}`push-asymmetric-blurred/seed0:provenance.parameters.total_steps|int` steps, the run has
# {artifact}`push-asymmetric-blurred/seed0:evaluation.deterministic.successes|int` of 100 episodes,
# {artifact}`push-asymmetric-blurred/seed0:evaluation.controls.blank.successes|int` before black images. Told exactly, all four seeds had passed one
# half by 100,000 steps; told the state, the two did at 140,000 and 160,000, so a later rise is not excluded. Its eye opens less
# wide: {artifact}`told-sight:runs.push-asymmetric-blurred/seed0.read.block.mean|f0` mm, by the median
# {artifact}`told-sight:runs.push-asymmetric-blurred/seed0.read.block.median|f0`.
#
# **Off by 7 mm the hand has not learned either.** Ended at
# {artifact}`push-asymmetric-blurred-less/seed0:evaluation.steps|int` steps, the run has
# {artifact}`push-asymmetric-blurred-less/seed0:evaluation.deterministic.successes|int` of 100,
# {artifact}`push-asymmetric-blurred-less/seed0:evaluation.controls.blank.successes|int` before black images. Its eye opens no wider:
# {artifact}`told-sight:runs.push-asymmetric-blurred-less/seed0.read.block.mean|f0` mm, by the median
# {artifact}`told-sight:runs.push-asymmetric-blurred-less/seed0.read.block.median|f0`. A locator is as far off, and `push-located`, whose critic reads one, rose late
# ([the page before](25_paying_less.ipynb)). So this is a delay at least. The suspicion: much of what a told critic is worth lies in the last centimeters.
#
# ## Behind an open eye
#
# The second difference: a critic that sees for itself judges from features that change under it, because its encoder learns. So let it
# see through an eye that is open from the first step and stays as it is. By half of the budget it had not taught, either. Three arms start actor and critic anew behind
# a finished run's encoder, frozen. In the first two the critic reads what the actor reads, and nothing else:
#
# - `push-eye-told` takes the eye of `push-asymmetric-achieved`, seed 0, behind which one policy pushes.
# - `push-eye-rewarded` takes that of `push-keypoint-rewarded`. Nobody ever told it a position.
# - `push-eye-judged`, the control, takes the eye of `push-keypoint-rewarded`, too. Its critic is told the achieved goal instead.
#
# Each eye learned on the pictures of its own policy, and that of `push-keypoint-rewarded` hardly ever met a push. Each shows one
# frame, so no motion; the critic of `push-asymmetric-achieved` reads none of the block's either. The first two were ended early, for want of
# time, at {artifact}`push-eye-told/seed0:evaluation.steps|int` and {artifact}`push-eye-rewarded/seed0:evaluation.steps|int` steps; the third ran its
# {artifact}`push-eye-judged/seed0:evaluation.steps|int`. One seed each.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Success behind frozen eyes, and of `push-keypoint-honest`, one run each. Gray: the four seeds of `push-asymmetric-achieved`, whose eye learns. See the dashed curve and the purple one: one eye, two critics.", "name": "fig-critic-eyes"}, "image": {"alt": "Success against environment steps. Gray: the four seeds of push-asymmetric-achieved. Two runs behind frozen eyes whose critic is told nothing lie on the do-nothing floor to 150 thousand steps, as push-keypoint-honest does to 300 thousand. Dashed, the run behind one of these eyes whose critic is told the center leaves the floor between 120 and 130 thousand steps, stands at 85 percent at 162 thousand, and between 65 and 95 percent from there to 300 thousand."}}
for arm in OPEN_EYES:
    apart = set(preset("push-keypoint-shared").differences(preset(arm))) - NOT_CHANGES
    assert apart == {"frozen_encoder", "pretrained_encoder"}, f"{arm}: an eye, and frozen"
apart = set(preset(FROZEN_LONG).differences(preset(JUDGED))) - NOT_CHANGES
assert apart == {"pretrained_encoder"}, "the control: another eye"
apart = set(preset(OPEN_EYES[1]).differences(preset(JUDGED))) - NOT_CHANGES
assert apart == {"critic_sees", "routing"}, "its critic is told, and has networks of its own"
runs_beside(
    {
        ACHIEVED: ("0.6", "-"),
        NOT_TOLD: (OKABE_ITO["vermillion"], "o-"),
        OPEN_EYES[0]: (OKABE_ITO["blue"], "s-"),
        OPEN_EYES[1]: (OKABE_ITO["purple"], "v-"),
        JUDGED: (OKABE_ITO["green"], "D--"),
    },
    floor=floor,
)
plt.show()

# %% tags=["hide-input"]
display(
    Markdown(f"*A point is {episodes_a_point([ACHIEVED, NOT_TOLD, *OPEN_EYES, JUDGED])} episodes.*")
)
for arm in OPEN_EYES:
    on_the_floor(arm)
(judged,) = runs_of(JUDGED)
found = judged.json("evaluation.json")
seen = max(control["success_high"] for control in found["controls"].values())
assert found["deterministic"]["success_low"] > max(seen, 0.5), "it looks, and it pushes"
assert min(halfway(JUDGED)) > max(halfway(ACHIEVED)), "sooner than they: read the text anew"
curve = judged.table()
beyond = curve["success"][curve["step"] > 170_000]
assert 0.65 <= min(beyond) and max(beyond) == 0.95, "the picture's description says so"
until = max(runs_of(arm)[0].json("evaluation.json")["steps"] for arm in OPEN_EYES)
assert float(curve.set_index("step")["success"][150_000]) >= 0.5, "by then it pushes"
assert until < 151_000, "the text says: by the step at which they ended"

# %% [markdown]
# **Behind an open eye that stays as it is, a critic that is told nothing has not taught by 150,000 steps**, half of the budget ({numref}`fig-critic-eyes`). `push-eye-told` has
# {artifact}`push-eye-told/seed0:evaluation.deterministic.successes|int` of 100 episodes, `push-eye-rewarded`
# {artifact}`push-eye-rewarded/seed0:evaluation.deterministic.successes|int`; before black images they have
# {artifact}`push-eye-told/seed0:evaluation.controls.blank.successes|int` and {artifact}`push-eye-rewarded/seed0:evaluation.controls.blank.successes|int`.
#
# **It is not that this eye shows too little to act on.** Behind the same frozen encoder as `push-eye-rewarded`, `push-eye-judged` learns
# to push: {artifact}`push-eye-judged/seed0:evaluation.deterministic.successes|int` of 100 episodes
# ({artifact}`push-eye-judged/seed0:evaluation.deterministic.success_low|pct0` – {artifact}`push-eye-judged/seed0:evaluation.deterministic.success_high|pct0`),
# {artifact}`push-eye-judged/seed0:evaluation.controls.blank.successes|int` before black images,
# {artifact}`push-eye-judged/seed0:evaluation.controls.shuffled.successes|int` before those of another episode. The one change is the critic.
# It had passed one half by the step at which the other two were ended, and left
# the floor some 20,000 to 30,000 steps before. A rise of theirs that is merely later is not excluded.
#
# So an eye that rewards alone have opened is good enough for a hand. It is not good enough for
# that hand's judge, or not yet at these budgets. Nor does it save time: the dashed curve passes one half later than
# all the gray ones, whose eye had yet to open.
#
# That fits the section before: this hand bears an eye that is off by centimeters at times, perhaps because it looks again at every
# step; a critic, the {term}`judge`, told as badly had not taught by half of its budget. It is no proof: these eyes differ in more than how far they are off. [The next
# page](27_how_steady_an_eye.ipynb) makes eyes that do not, and finds that it matters in *which way* an eye is off.
#
# ## All of them

# %% tags=["hide-input"]
ROUTES = {
    WHOLE: "told the state; to a third of the budget",
    LONGER: "told the state",
    ACHIEVED: "told the achieved goal, which HER reads anyway",
    LESS: "told the achieved goal, 7 mm off",
    BLURRED: "told the achieved goal, 22 mm off",
    FROZEN_EYE: "told the achieved goal; the encoder stays as it was drawn",
    FROZEN_LONG: "told the same, before the same encoder, to a larger budget",
    NOT_TOLD: "told nothing",
    REWARDED: "told nothing; the encoder also predicts which goals a picture fulfils",
    f"{REWARDED}-n3": "told nothing; the same, targets three steps ahead, about half as long",
    OPEN_EYES[0]: f"told nothing; the encoder of `{ACHIEVED}`, seed 0, frozen",
    OPEN_EYES[1]: f"told nothing; the encoder of `{REWARDED}`, frozen",
    JUDGED: f"told the achieved goal; the encoder of `{REWARDED}`, frozen",
}
display(
    routes_table(
        {
            arm: ("joints, goal, **pixels**", f"SAC + HER; the critic is {told}")
            for arm, told in ROUTES.items()
        }
    )
)
SEEING = [arm for arm in ROUTES if measured(arm)]

# %% [markdown]
# With three seeds or more of equal length, success is their interquartile mean with its 95 % bootstrap interval, rough for few seeds.
# Elsewhere each run stands alone, with Wilson's interval over its episodes. The wall time of an arm behind
# another's encoder holds that arm's, too. All ran beside other work, not all on the same processor.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show each seed", "code_prompt_hide": "Hide each seed"}
display(seeds_of_arms(SEEING))

# %% [markdown]
# Do they look? The success rate does not say so. [The controls](25_paying_less.ipynb) do: something else in place of the camera's images.

# %% tags=["hide-input"]
display(looking_table(SEEING))

# %% [markdown]
# *From the worst seed to the best, of 100 episodes each.*

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show each seed", "code_prompt_hide": "Hide each seed"}
for arm in SEEING:
    display(Markdown(f"**{arm}**, seed by seed"), controls_table(arm))
for arm in (LONGER, ACHIEVED):
    for run in runs_of(arm):
        found = run.json("evaluation.json")
        for name, score in found["controls"].items():
            assert score["success_high"] < found["deterministic"]["success_low"], (
                f"{run.path.name}: {name} images do as well as real ones"
            )
        assert found["controls"]["frozen"]["success_low"] > floor, "the text says well above"

# %% [markdown]
# Black images and those of another episode lead back to about the floor, which is
# {artifact}`push-floor:no_op.rate|pct1`. The first image for ever does not: every run of
# `push-asymmetric-keypoint-long` and of `push-asymmetric-achieved` stays well above it, as those of `push-asymmetric` and `push-told` do on
# [the page before](25_paying_less.ipynb).
#
# ## One look, and a push
#
# Is that a leak? There is no sign of one: one look at the block explains it. The first image still shows where the block *began*; joints and
# goal stay live. So the gripper can go behind the block and start to push, and is right until the block has moved. If
# that is all, only short pushes succeed, and a black image, which shows no beginning, helps at no distance.
#
# Why, then, do [the page before](25_paying_less.ipynb)'s `push-distilled` and `push-distilled-drq` fall to the floor? They have
# no locator, but neither has `push-asymmetric-keypoint-long`. Perhaps they need to see their gripper move, which it never does in a frozen image. Then they
# should do as well as the others before images in which everything moves but the block ({numref}`fig-critic-pictures`).

# %% tags=["hide-input"] mystnb={"figure": {"caption": "One moment, as each kind of images shows it. See the third: the gripper is where it now is, the block is drawn where it began.", "name": "fig-critic-pictures"}, "image": {"alt": "Four pictures of one moment, less than a second after the start: as the camera sees it, the gripper beside the block, which it has pushed; the first picture, gripper and block at their starts; the live picture with the block drawn at its start; black."}}
student = load_policy(f"{DISTILLED}/seed0")
env = make_one(student.config)
observation, _ = env.reset(seed=1006)
between, first = still_block(env), observation["pixels"]
between(0, first)
for step in range(1, 21):
    observation, *_ = env.step(student.predict(observation))
    redrawn = between(step, observation["pixels"])
env.close()
live = observation["pixels"]
kinds = {"real": live, "frozen": first, "still block": redrawn, "blank": np.zeros_like(live)}
assert list(kinds) == list(KINDS)
fig, axes = plt.subplots(1, 4, figsize=(9, 2.4), layout="constrained")
for axis, (kind, stack) in zip(axes, kinds.items(), strict=True):
    axis.imshow(stack[-3:].transpose(1, 2, 0))
    axis.set_title(kind)
    axis.set_axis_off()
plt.show()
assert np.abs(redrawn.astype(int) - live).max() > 60, "the block has moved"

# %% [markdown]
# `pixels measure frozen-pictures` plays the same hundred episodes, sorted by how far the block lies from its goal at the start.
# Starts closer than 5 cm, where there is nothing to do,
# are in no column of distances.

# %% tags=["hide-input"]
FROZEN = measurement("frozen-pictures")["policies"]
counts = [share["n"] for share in FROZEN[0]["real"]["by_distance"]]
heads = [
    f"{where}: {n} episodes"
    for where, n in zip(("5 to 12 cm", "12 to 20 cm", "beyond 20 cm"), counts, strict=True)
]
rows = [
    f"| policy | images | {' | '.join(heads)} | touched the block |",
    "|---|---|---|---|---|---|",
]
for shown in FROZEN:
    for kind in KINDS:
        found = shown[kind]
        assert [share["n"] for share in found["by_distance"]] == counts, "the same episodes"
        shares = [f"{share['rate']:.0%}" for share in found["by_distance"]]
        shares.append(f"{found['touched']['rate']:.0%}")
        rows.append(f"| `{shown['arm']}`, seed {shown['seed']} | {kind} | {' | '.join(shares)} |")
display(Markdown("\n".join(rows)))
by_run = {f"{shown['arm']}/seed{shown['seed']}": shown for shown in FROZEN}
told_eye, with_locator, imitates = (
    by_run[f"{arm}/seed0"] for arm in (LONGER, ASYMMETRIC, DISTILLED)
)
for shown in (told_eye, with_locator):
    near, _, far = shown["frozen"]["by_distance"]
    assert near["rate"] > 0.5 and far["rate"] < 0.15 and near["low"] > far["high"], "by distance"
    assert shown["frozen"]["touched"]["low"] > 0.85, "nearly every block"
for shown in (told_eye, with_locator, imitates):
    assert not any(share["rate"] for share in shown["blank"]["by_distance"]), "at no distance"
    assert shown["blank"]["touched"]["high"] < 0.15, "hardly a block"
student = imitates["still block"]
assert imitates["frozen"]["touched"]["high"] < 0.4 < 0.9 < student["touched"]["low"], "finds it"
for others in (with_locator["frozen"], told_eye["frozen"]):
    assert abs(student["successes"] - others["successes"]) < 10, "about as often"
assert with_locator["still block"]["successes"] == with_locator["frozen"]["successes"], "as many"
assert told_eye["still block"]["successes"] > told_eye["frozen"]["successes"] + 10, "it too"
display(
    Markdown(
        f"Before the still block `{DISTILLED}` succeeds in {student['successes']} of {student['episodes']} episodes, floor included, "
        f"`{ASYMMETRIC}` before frozen images in {with_locator['frozen']['successes']}, `{LONGER}` in {told_eye['frozen']['successes']}."
    )
)

# %% [markdown]
# **A frozen image is one look at the block, and one look is good for a short push.** With the two policies that push
# before frozen images success falls with the distance: more than half from 5 to 12 cm, about one in ten at most beyond 20 cm. Yet
# they touch nearly every block. Before black images nobody succeeds at any distance, and hardly a block is touched.
#
# **The student, `push-distilled`, fails where its picture shows the gripper at rest.** Before a frozen image it does not find
# the block in most episodes, though its joints tell it exactly where the gripper is. When the gripper moves in the picture, and the block
# is shown where it began, it finds nearly every block and succeeds about as often as the others do before frozen
# images. `push-asymmetric-keypoint-long`, too, has more successes before the still block; `push-asymmetric` has as many.
#
# This does not say whether the student uses the gripper's place in the picture, uses its motion from one of the two
# frames to the other, or is thrown off by a picture that contradicts its joints. One seed of each was played,
# and of the students the one without shifts.


# %%
display(provenance_card(ACHIEVED), provenance_card(NOT_TOLD))

# %% [markdown]
# ```{exercise-start}
# :label: ex-all-pairs
# ```
# The second loss of `push-keypoint-rewarded` asks of each picture which of the batch's goals it fulfils. Write its labels:
# `achieved` is (B, 3), where the block of each of B pictures lies, `goals` is (N, 3), all in meters. Return (B, N) numbers, 1 where
# the block lies within `threshold` of the goal, else 0. So the reward is the label less one.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def fulfils(achieved, goals, threshold=0.05):
    """Labels (B, N) of B pictures under N goals."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_labels(answer):
    """Names the likely mistake."""
    achieved = torch.tensor([[1.3, 0.7, 0.42], [1.2, 0.8, 0.42]])
    goals = torch.tensor(
        [[1.33, 0.73, 0.42], [1.2, 0.8, 0.42], [1.24, 0.84, 0.42], [1.3, 0.7, 0.5]]
    )
    labels = answer(achieved, goals)
    assert labels is not ..., "fulfils still returns ...: fill it in"
    labels = torch.as_tensor(labels).float()
    assert labels.shape == (2, 4), (
        f"two pictures under four goals make (2, 4), received {tuple(labels.shape)}"
    )
    wanted = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]])
    assert not torch.equal(labels, wanted - 1), "those are rewards, -1 and 0: labels are 0 and 1"
    assert not torch.equal(labels, 1 - wanted), (
        "1 is where the goal is fulfilled, not where it is missed"
    )
    squares = ((achieved[:, None] - goals) ** 2).sum(-1)
    assert not torch.equal(labels, (squares <= 0.05).float()), (
        "squares are no meters: take the root, or square the threshold"
    )
    assert ((labels == 0) | (labels == 1)).all(), (
        "every label is 0 or 1: compare the distance with the threshold"
    )
    assert labels[1, 2] == 0, (
        "4 cm along x and 4 cm along y are more than 5 cm: take the distance, not each coordinate"
    )
    assert labels[0, 3] == 0, "a goal 8 cm above the block is missed: all three coordinates count"
    assert labels[0, 0] == labels[1, 1], (
        "3 cm along x and 3 cm along y are less than 5 cm: the root of the squares, not the sum"
    )
    assert torch.equal(labels, wanted), f"expected {wanted.tolist()}, received {labels.tolist()}"
    wide = torch.as_tensor(answer(achieved, goals, 0.06))
    assert wide[1, 2] == 1, "the threshold is an argument: within 6 cm this goal is fulfilled"


# %% tags=["nbval-check-output"]
attempt(check_labels, fulfils)

# %% [markdown]
# ```{solution-start} ex-all-pairs
# :class: dropdown
# ```


# %% tags=["solution"]
def fulfils(achieved, goals, threshold=0.05):
    """Labels (B, N) of B pictures under N goals."""
    distance = torch.linalg.vector_norm(achieved[:, None] - goals[None], dim=-1)
    return (distance <= threshold).float()


check_labels(fulfils)

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Settled
#
# | | |
# |---|---|
# | settled | One network can learn to see the block and to push it at once, by its reward, where its critic is told the state, or only the achieved goal, which hindsight reads anyway. All six runs of `push-asymmetric-keypoint-long` and `push-asymmetric-achieved` push, and fall to about the floor before black images and those of another episode. |
# | not settled | How surely: two seeds and four. Whether the critic told less teaches sooner. |
# | seen in two seeds | Such an eye bears [soft edges](21_what_the_camera_can_tell.ipynb), two seeds of each arm, and [a picture moved by a pixel](22_when_augmentation_fights.ipynb), two of the first. Imitation's does so only when it trained with shifts. |
# | seen once | Told nothing, the same arm stays on the floor, with an eye as good as the others': for 300,000 steps, for nearly as long with a second loss that asks which goals a picture fulfils, and for half of the budget with TD targets three steps ahead as well. |
# | seen once | Told the center, with an encoder that stays as it was drawn, it is far behind at half and at two thirds of the budget, though at two thirds it looks. |
# | seen once | Behind one frozen eye, which nobody ever told a position, a policy learns to push where its critic is told the center. Where its critic sees through that same eye, it stays on the floor for half of that budget. So it does, untold, behind the eye of a policy that pushes. |
# | seen once | Told the center 22 mm off, or 7 mm, it stays on the floor for half of the budget; told exactly, all four seeds had passed one half by a third of it. The eyes open all the same. |
# | not settled here | Whether it is the accuracy of its eye that keeps an untold critic on the floor. [The next page](27_how_steady_an_eye.ipynb) asks that: the blurred place errs in another way than an eye. |
# | not settled here | Whether the critic must be told anything. Behind an eye that was made steady first it need not be, says [the page after that](28_rewards_say_where.ipynb). What plain rewards and more updates can teach one network takes a GPU: `push-honest`, `push-gpu-honest` ([the experiments](../book/experiments.md)). |
# | seen in one seed each | Frozen images succeed at times, the more often the shorter the push: one look is good for that. The student has use for such a look only where its picture shows the gripper as it moves. |
# | not settled | Why the student needs that. |
# | the price | The block's place in training. A simulator has it, and hindsight needs it anyway; a kitchen has not. |
# | command | below; the results lie in `data/`, and `--again` makes them anew |
#
# ```bash
# pixels train push-asymmetric-keypoint --seeds 0 1
# pixels train push-asymmetric-keypoint-long --seeds 0 1
# pixels train push-asymmetric-achieved --seeds 0 1 2 3
# pixels train push-asymmetric-frozen --seeds 0
# pixels train push-asymmetric-frozen-long --seeds 0
# pixels train push-keypoint-honest --seeds 0
# pixels train push-keypoint-rewarded --seeds 0
# pixels train push-keypoint-rewarded-n3 --seeds 0
# pixels train push-asymmetric-blurred --seeds 0
# pixels train push-asymmetric-blurred-less --seeds 0
# pixels train push-eye-told --seeds 0
# pixels train push-eye-rewarded --seeds 0
# pixels train push-eye-judged --seeds 0
# pixels measure told-sight
# pixels measure frozen-pictures
# ```
#
# Next: [how steady an eye](27_how_steady_an_eye.ipynb).
