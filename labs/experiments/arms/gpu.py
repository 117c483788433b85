"""Push from pixels on one large GPU: the honest arm, and matched grids around step 2.

All arms of a grid share one budget and one set of good settings, so that what differs is what the
arm's name says. The settings of the source manuscript are those of ``labs.experiments.presets``.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from labs.experiments.config import RunConfig

# Updates overlap with environments that run in processes of their own; the fast engine keeps every
# frame once, on the GPU. Twelve environments make 0.25, 0.5, 1 and 2 updates a step whole numbers.
GPU = dict(
    engine="fast",
    scene="lean",
    standardize=True,
    critic_layer_norm=True,
    random_actions=0.3,
    her_k=4,
    moved_only=True,
    learning_rate=1e-3,
    batch_size=512,
    gamma=0.95,
    tau=0.02,
    ent_coef="auto",
    n_envs=12,
    subproc=True,
    gradient_steps=6,
    learning_starts=3000,
    buffer_size=300_000,
    total_steps=300_000,
    eval_every=15_000,
    curve_episodes=10,
    video_episodes=2,
    checkpoint_every=60_000,
)
ENCODER_RATE = 3e-4
GOALS = 8  # for each picture, which is encoded once: on a GPU the heads' rows cost next to nothing
SHARP = 0.0025  # untrained keypoints then differ from picture to picture; at 1 they do not
UPDATES = {"u025": 3, "u050": 6, "u100": 12, "u200": 24}  # name → updates a vector step of 12
BASE_UPDATES, BASE_ROUTING = "u050", "critic"


def gpu_arms(
    step_2: RunConfig, blind: RunConfig, proven: RunConfig, located: RunConfig
) -> list[tuple[RunConfig, str]]:
    """The arms, each with its line of summary.

    Args:
        step_2: pixels, keypoints, joints and both goals; the critic trains the encoder.
        blind: the same vectors without the image.
        proven: what learns the honest task on two cores, by the reward.
        located: the same task behind a locator that rewards taught, whose step sizes fall.
    """
    base = replace(step_2, arm="push-gpu", encoder_learning_rate=ENCODER_RATE, **GPU)
    honest = replace(
        base,
        arm="push-gpu-honest",
        goal_mode="desired",
        camera="workspace",
        goal_sphere=False,
        frame_stack=2,
        temperature=SHARP,
        goals_per_frame=GOALS,
        batch_size=128,  # pictures, so 1,024 rows for the heads
        precision="float32",  # sharp keypoints and Q-values of −20 are what bfloat16 blurs
        n_envs=15,
        gradient_steps=8,
        buffer_size=400_000,
        total_steps=400_000,
        eval_every=25_000,
        video_episodes=4,
    )
    faster = {key: GPU[key] for key in ("learning_starts", "checkpoint_every", "subproc")}
    arms = [
        (honest, "one GPU: pixels, joints and the goal; the object's position is never given"),
        (
            replace(
                proven,
                arm="push-gpu-keypoint",
                n_envs=honest.n_envs,
                gradient_steps=4,  # 0.27 updates a step; on two cores 0.25
                eval_every=honest.eval_every,
                curve_episodes=honest.curve_episodes,
                video_episodes=honest.video_episodes,
                precision="float32",  # as it was proven
                **faster,
            ),
            "one GPU: push-asymmetric-achieved, spread over fifteen workers",
        ),
        (
            replace(
                located,
                arm="push-gpu-located",
                n_envs=honest.n_envs,
                gradient_steps=8,  # 0.53 updates a step; on two cores 0.25
                precision="float32",  # behind a locator bfloat16 has nothing to speed up
                seeking=0.7,  # on two cores it spares steps
                eval_every=honest.eval_every,
                curve_episodes=honest.curve_episodes,
                **faster,
            ),
            "one GPU: push-located-rewards-n3, spread over fifteen workers, twice its updates, and "
            "random actions go for what its eye sees",
        ),
        (base, "one GPU: step 2 with good settings, 0.5 updates a step"),
        (replace(base, arm="push-gpu-blank", image_content="blank"), "its image always black"),
        (replace(base, arm="push-gpu-noise", image_content="noise"), "its image noise"),
        (replace(blind, arm="push-gpu-blind", **GPU), "its vectors without an image branch"),
    ]
    short = replace(honest, total_steps=300_000, buffer_size=300_000)
    told = replace(short, routing="separate", critic_sees="state")
    arms += [
        (replace(told, arm="push-gpu-told"), "one GPU: as honest, the critic is told the state"),
        (
            replace(told, arm="push-gpu-achieved", critic_sees="achieved"),
            "one GPU: the same, and the critic is told the achieved goal alone, which HER needs",
        ),
        (replace(short, arm="push-gpu-sharp"), "one GPU: as honest, three quarters of the budget"),
        (
            replace(short, arm="push-gpu-helped", auxiliary=1.0),
            "one GPU: the same, and a second loss tells the encoder where gripper and block are",
        ),
        (
            replace(short, arm="push-gpu-one-goal", goals_per_frame=1),
            "one GPU: the same, and each picture is judged by one goal",
        ),
        (
            replace(short, arm="push-gpu-flat-start", temperature=1.0),
            "one GPU: the same, and its keypoints start in the middle of the picture",
        ),
    ]
    for routing, name in product((BASE_ROUTING, "separate", "actor"), UPDATES):
        if (routing, name) == (BASE_ROUTING, BASE_UPDATES):
            continue
        arm = f"push-gpu-{routing}-{name}"
        updates = int(name[1:]) / 100
        per_step = f"{updates:g} update{'s' * (updates != 1)} a step"
        found = replace(base, arm=arm, routing=routing, gradient_steps=UPDATES[name])
        arms.append((found, f"routing {routing}, {per_step}"))
    for pad, camera, head in product((0, 1, 4), ("default", "workspace"), ("keypoints", "flat")):
        if (pad, camera, head) == (0, "default", "keypoints"):
            continue
        found = replace(base, arm=f"push-gpu-pad{pad}-{camera}-{head}", camera=camera)
        if pad:
            found = replace(found, augmentation="drq", pad=pad)
        if head == "flat":
            found = replace(found, head="flat", features_dim=50)
        shifts = f"shifts of ±{pad}" if pad else "no shifts"
        arms.append((found, f"{shifts}, {camera} camera, {head}"))
    for thousands in (50, 200):
        found = replace(base, arm=f"push-gpu-buffer{thousands}k", buffer_size=thousands * 1000)
        arms.append((found, f"a memory of {thousands},000 transitions"))
    arms.append((replace(base, arm="push-gpu-k8", her_k=8), "HER with k = 8"))
    return [(c, s if s.startswith("one GPU") else f"as push-gpu: {s}") for c, s in arms]
