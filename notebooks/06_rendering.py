# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: all
#     notebook_metadata_filter: book,kernelspec
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   book: {runtime: 15 s, hardware: any CPU}
# ---

# %% [markdown]
# # Rendering and resizing
#
# Everything that a pixel policy *sees* has passed through one function of eight lines: draw the scene, bring it to
# a size, put the channels first. It decides what a step of the environment
# costs, and it can be wrong in ways that no error message reports.
#
# You will be able to write it, to say what a frame costs, and to name what shrinking changes. The page
# leans on [what the policy sees](02_what_the_policy_sees.ipynb).

# %%
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from labs import envs, pixel_wrapper
from labs.bench.measure import cpu_ms
from labs.exercises import attempt
from labs.figures.style import use_style

use_style()

# %% [markdown]
# ## The obvious thing, and its price
#
# The environment draws 480 × 480 pixels, the network wants 84 × 84. So draw, then shrink:
# {term}`render and resize`. The result is right and hides its price. Only
#
# $$
# \frac{84^2}{480^2} \approx 3\,\%
# $$ (eq-thrown-away)
#
# of the pixels survive. The rest is drawn and thrown away, at every step of every episode. Here is what that costs the CPU:

# %%
assert round(84**2 / 480**2, 3) == 0.031

large, native = envs.make_env("push"), envs.make_env("push", image_size=84)
large_lean = envs.make_env("push", scene="lean")
lean = envs.make_env("push", image_size=84, scene="lean")
for env in (large, native, large_lean, lean):
    env.reset(seed=4)

costs = cpu_ms(  # of software rendering: the median of 15 calls, in turns
    {
        "draw 480 × 480, then shrink": lambda: pixel_wrapper.render_and_resize(large),
        "draw 84 × 84": native.render,
        "draw 480 × 480, lean scene, shrink": lambda: pixel_wrapper.render_and_resize(large_lean),
        "draw 84 × 84, lean scene": lean.render,
        "one step of physics": lambda: lean.step(np.zeros(4, np.float32)),
    }
)
for name, cost in costs.items():
    print(f"{name:>34}: {cost:6.2f} ms")
one_saving = min(costs["draw 84 × 84"], costs["draw 480 × 480, lean scene, shrink"])
if envs.gl_renderer()["software"]:  # a graphics card's work is no CPU time
    assert costs["draw 84 × 84, lean scene"] < costs["draw 480 × 480, then shrink"] / 4
    assert costs["draw 84 × 84, lean scene"] < costs["one step of physics"] < one_saving

# %% [markdown]
# Drawn the obvious way, the picture costs many times the physics. Drawing at the right size is
# {term}`native-resolution rendering`. It costs less, but far more than 3 % of the price: most of what is left does not depend on
# the number of pixels, and is still several times the physics. The {term}`lean scene` leaves out what nobody looks at, and
# saves most of that part. Only with both does a picture cost less than the physics.
#
# ## Build it
#
# Four decisions, one line each:
#
# 1. **Resize only if needed.** An environment that draws at the right size is left alone.
# 2. **PIL counts columns first.** NumPy says (height, width), PIL says (width, height). For a square
#    picture the mistake is invisible, until somebody uses another shape.
# 3. **Channels first.** Convolutions in PyTorch want (3, H, W).
# 4. **Own the memory.** A transposed array is a *view*. If a renderer reuses its buffer, every
#    frame that was kept as a view becomes the latest one.


# %%
def render_and_resize(env, image_size=(84, 84)):
    """The camera's frame as uint8 (3, H, W)."""
    if env.render_mode != "rgb_array":
        raise ValueError(f"render_mode must be 'rgb_array', received {env.render_mode!r}")
    frame = env.render()  # uint8 (H, W, 3)
    height, width = image_size
    if frame.shape[:2] != (height, width):
        # PIL's BILINEAR averages over all pixels that become one.
        frame = np.asarray(Image.fromarray(frame).resize((width, height), Image.BILINEAR))
    return frame.transpose(2, 0, 1).copy()


# %% [markdown]
# What a large frame becomes on the way:
#
# | step | shape | dtype |
# |---|---|---|
# | `env.render()` | (480, 480, 3) | uint8 |
# | resized | (84, 84, 3) | uint8 |
# | transposed and copied | (3, 84, 84) | uint8, contiguous, its own memory |

# %%
frame = render_and_resize(large)
assert frame.shape == (3, 84, 84) and frame.dtype == np.uint8
assert frame.flags.owndata and frame.flags.c_contiguous
assert render_and_resize(large, (60, 100)).shape == (3, 60, 100), "height comes first"

frame = render_and_resize(native)
before = frame.copy()
native.step(np.ones(4, np.float32))
later = render_and_resize(native)
assert not np.array_equal(later, before), "the picture must have changed"
assert np.array_equal(frame, before), "a later frame must not write into this one"

# %% [markdown]
# It must agree with the one in `labs`, which adds messages for wrong input:

# %%
for env in (large, native, lean):
    ours, theirs = render_and_resize(env), pixel_wrapper.render_and_resize(env)
    np.testing.assert_array_equal(ours, theirs)
print("equal, for resized, native and lean frames")

# %% [markdown]
# ## Are a shrunk and a native picture the same?
#
# They show the same scene, from the same camera, at the same size. A network may still tell them
# apart: a shrunk pixel averages over many drawn ones, a native pixel over a few samples.

# %% mystnb={"figure": {"caption": "One start of Push, drawn at 480 × 480 and shrunk, and drawn at 84 × 84. Right: how much the two differ in each color, four times as bright; black is no difference.", "name": "fig-rendering-shrunk"}, "image": {"alt": "Three pictures of the same Push scene, the whole robot in view: shrunk from 480 by 480, drawn at 84 by 84, and their difference enhanced four times. The difference lights up along every edge, and at block and goal."}}
large.reset(seed=4)
native.reset(seed=4)
shrunk, drawn = (render_and_resize(e).transpose(1, 2, 0) for e in (large, native))
difference = np.abs(shrunk.astype(int) - drawn.astype(int))
pictures = (shrunk, drawn, np.clip(4 * difference, 0, 255))
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2))
titles = ("drawn large, shrunk", "drawn at 84 × 84", "difference × 4")
for ax, picture, title in zip(axes, pictures, titles, strict=True):
    ax.imshow(picture.astype(np.uint8))
    ax.set_title(title)
    ax.axis("off")
plt.show()
share = (difference.max(-1) > 0).mean()
print(f"{share:.0%} of the pixels differ, by up to {difference.max()} of 255")
assert difference.max() > 20

# %% [markdown]
# The differences sit on the edges ({numref}`fig-rendering-shrunk`, right), and small things are all edge: the block and the goal.
# A policy trained on one kind of picture may fail on the other: [some do, others do not notice](21_what_the_camera_can_tell.ipynb).
# So a run records which one it saw, and its evaluation uses the same.
#
# ```{exercise-start}
# :label: ex-channels
# ```
# Complete `to_image`, the way back: from (3, H, W) to (H, W, 3), so that matplotlib can show it.
# ```{exercise-end}
# ```


# %% tags=["exercise"]
def to_image(frame):
    """uint8 (3, H, W) → uint8 (H, W, 3)."""
    return ...


# %% tags=["exercise-test", "hide-input"]
def check_to_image(answer):
    """Names the likely mistake."""
    tall = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    result = answer(tall)
    assert result is not ..., "to_image still returns ...: fill it in"
    assert result is not None, "to_image returned nothing: is there a return?"
    result = np.asarray(result)
    assert result.shape != (5, 4, 3), "that also swaps height and width: .T reverses all axes"
    assert result.shape == (4, 5, 3), f"received shape {result.shape}, expected (4, 5, 3)"
    assert result.dtype == np.uint8, (
        f"keep the bytes, uint8, not {result.dtype}: of floats, matplotlib draws 1 and more white"
    )
    moved = np.moveaxis(tall, 0, -1)
    assert np.array_equal(result, moved), "the shape is right, the pixels are not: reshape shuffles"


# %% tags=["nbval-check-output"]
attempt(check_to_image, to_image)

# %% [markdown]
# ```{solution-start} ex-channels
# :class: dropdown
# ```


# %% tags=["solution"]
def to_image(frame):
    """uint8 (3, H, W) → uint8 (H, W, 3)."""
    return frame.transpose(1, 2, 0)


check_to_image(to_image)

# %% [markdown]
# ```{solution-end}
# ```
#
# ## Settled
#
# A frame is uint8 (3, 84, 84) and owns its memory. In the lean scene, drawn at its own size, it costs less than the physics.
# Whether it was drawn or shrunk to that size can matter, and is recorded. Next: frames
# become [observations](07_pixel_wrapper.ipynb).
