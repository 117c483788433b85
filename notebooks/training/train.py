# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Train one arm
#
# This notebook trains one arm with one seed, evaluates it, and leaves the result in `data/`.
# papermill runs it:
#
# ```bash
# papermill notebooks/training/train.ipynb out.ipynb -p arm reach-state -p seed 0
# ```
#
# `pixels train reach-state --seeds 0 1 2` does the same once for each seed. A run that was killed
# goes on from its last checkpoint when it is started again with the same parameters.

# %% tags=["parameters"]
arm = "reach-state"  # a name of `labs.experiments.presets.PRESETS`
seed = 0
overrides = {}  # knob -> value, any field of `RunConfig`
small = False  # the smoke run: seconds instead of hours, proves only that everything runs
quick = False  # the settings of --fast
restart = False  # drop an earlier, unfinished run
requested = None  # the configuration that the caller expects; None: whatever the above gives

# %% [markdown]
# ## The configuration
#
# papermill only warns when its parameters do not arrive, and the defaults above would win. So the
# effective configuration is compared with the requested one before anything is trained.

# %%
from labs.experiments.config import from_dict
from labs.experiments.presets import effective

config = effective(arm, seed, overrides, small=small, quick=quick)
if requested is not None:
    assert config == from_dict(requested), config.differences(from_dict(requested))
config

# %% [markdown]
# ## The plan

# %%
from labs.experiments.plan import NotebookProgress, plan

for what, how_much in plan(config).items():
    print(f"{what:>18}: {how_much}")

# %% [markdown]
# ## Training and evaluation

# %%
from labs.experiments.train import train

path = train(config, report=NotebookProgress(config), restart=restart)
print(config.run_name)

# %% [markdown]
# ## The learning curve
#
# Success of the deterministic policy on episodes with fixed seeds, which training never meets.

# %%
import matplotlib.pyplot as plt

from labs.artifacts import load_artifact
from labs.figures.curves import draw_floor
from labs.figures.ledger import floor_of

artifact = load_artifact(path)
curve = artifact.table()
fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
axes[0].plot(curve["step"], curve["success"])
floor = floor_of([config.task])
if floor is not None:
    draw_floor(axes[0], floor)
    axes[0].legend()
axes[0].set(xlabel="environment steps", ylabel="success rate", ylim=(-0.03, 1.03))
axes[1].plot(curve["step"], curve["critic_loss"], label="critic loss")
axes[1].plot(curve["step"], curve["actor_loss"], label="actor loss")
axes[1].set(xlabel="environment steps")
axes[1].legend()
plt.show()

# %% [markdown]
# ## The verdict

# %%
from labs.experiments.plan import verdict

print(verdict(artifact))
artifact.json("evaluation.json")
