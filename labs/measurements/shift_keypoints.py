"""What a random shift does to keypoints: absolute and relative, in pixels, units and centimeters.

In centimeters ``relative`` is the difference of two such places; ``anchored`` takes the gripper's
place from the joints and hangs the block on it, in the picture.

The keypoints are the best that anybody could have: SpatialSoftmax reads the masks in which the
simulator says which pixels show the gripper and which show the block. Every shift of ±4 pixels is
tried on every moment, before both cameras. A place in the picture becomes a place in the world by
following the camera's ray to the height at which the thing is known to be: the block's middle, and
the point between the fingers.

Artifact ``shift-keypoints``; ``pixels measure shift-keypoints`` makes it in a minute.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from tqdm.auto import tqdm

from labs import envs
from labs.artifacts import Artifact, Clock, write_measurement
from labs.image_augmentation import RandomShiftAug
from labs.manipulation_encoder import SpatialSoftmax
from labs.measurements.perception_frames import belongs_to_task, wander
from labs.projection import project, to_table

PAD = 4
SIDE = 84
FIRST_SEED = 60_000
UNITS = (SIDE - 1) / 2  # pixels in one unit of SpatialSoftmax
PAIRS = 40  # random pairs of shifts for each transition
THINGS = ("gripper", "block")


def every_shift(pad: int = PAD) -> torch.Tensor:
    """All (rows, columns) of a random shift: int64 (81, 2) for a pad of 4."""
    return torch.tensor(list(product(range(-pad, pad + 1), repeat=2)))


def read_keypoints(labels: np.ndarray, offsets: torch.Tensor) -> np.ndarray:
    """Gripper and block as SpatialSoftmax reads them, under each shift.

    Args:
        labels: uint8 (H, W), a segmentation of :mod:`labs.envs`.
        offsets: int64 (S, 2), rows and columns.

    Returns:
        float64 (S, 2, 2): shift; gripper, block; x, y in [−1, 1].
    """
    masks = [labels == envs.SEGMENTS[name] for name in ("gripper", "object")]
    images = torch.as_tensor(np.stack(masks).astype(np.uint8)).expand(len(offsets), -1, -1, -1)
    read = SpatialSoftmax(SIDE, SIDE, num_channels=2, temperature=0.01)
    with torch.no_grad():
        moved = read(RandomShiftAug(PAD).shift(images.contiguous(), offsets).double())
    return moved.view(-1, 2, 2).transpose(1, 2).numpy()


def usable(labels: np.ndarray) -> bool:
    """Whether gripper and block are both in the picture and a shift cuts neither."""
    shown = np.isin(labels, [envs.SEGMENTS["gripper"], envs.SEGMENTS["object"]])
    rim = np.pad(np.zeros((SIDE - 2 * PAD,) * 2, bool), PAD, constant_values=True)
    return bool((labels == envs.SEGMENTS["object"]).any() and not shown[rim].any())


def _moments(n: int, progress: bool) -> dict[str, list]:
    """Transitions of Push: positions and, per camera, the labels before and after one step."""
    env = envs.make_env("push", image_size=SIDE)
    found: dict[str, list] = {"positions": [], **{c: [] for c in envs.CAMERAS}}
    seed = FIRST_SEED - 1
    for _ in tqdm(range(n), desc="transitions", disable=not progress):
        seed += 1
        while not belongs_to_task(observation := wander(env, seed)):
            seed += 1
        pair = {camera: [] for camera in envs.CAMERAS}
        positions = []
        for step in range(2):
            if step:
                rng = envs.own_stream(seed, envs.Stream.NEXT_STEP)
                action = rng.uniform(-1, 1, 4).astype(np.float32)
                observation, *_ = env.step(action)
            positions.append([observation["observation"][:3], observation["achieved_goal"]])
            for camera in envs.CAMERAS:
                env.camera = envs.CAMERAS[camera]
                pair[camera].append(env.segmentation())
        found["positions"].append(positions)
        for camera, labels in pair.items():
            found[camera].append(labels)
    env.close()
    return found


def spread(values: np.ndarray) -> dict[str, float]:
    """Mean, median, the 5th and 95th percentile, and the largest."""
    values = np.asarray(values, float).ravel()
    low, median, high = np.percentile(values, [5, 50, 95])
    return {
        "mean": float(values.mean()),
        "median": float(median),
        "p5": float(low),
        "p95": float(high),
        "max": float(values.max()),
    }


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1)


def measure_camera(name: str, labels: list, positions: np.ndarray) -> dict:
    """All numbers of one camera.

    Args:
        name: in ``labs.envs.CAMERAS``.
        labels: (before, after) for each moment, uint8 (84, 84) each.
        positions: float (N, 2, 2, 3): moment; before, after; gripper, block; meters.
    """
    camera, offsets = envs.CAMERAS[name], every_shift()
    still = int(np.flatnonzero((offsets == 0).all(1).numpy())[0])
    kept = [i for i, pair in enumerate(labels) if all(map(usable, pair))]
    # moment; before, after; shift; gripper, block; x, y
    units = np.array([[read_keypoints(each, offsets) for each in labels[i]] for i in kept])
    heights = positions[kept][:, :, None, :, 2]
    # The drawn gripper's middle lies above the point whose place the joints tell: a ray through it
    # would meet that height far behind. A reader that knows the gripper takes that point's picture.
    seen = units.copy()
    told = project(camera, positions[kept][:, :, 0])[..., ::-1] / UNITS - 1
    seen[..., 0, :] += (told - units[:, :, still, 0])[:, :, None]
    world = 100 * to_table(camera, (seen + 1) * UNITS, heights)  # centimeters
    moved = {"units": units - units[:, :, still, None], "cm": world - world[:, :, still, None]}
    moved["pixels"] = moved["units"] * UNITS
    result: dict = {"moments": len(labels), "used": len(kept), "shifts": len(offsets)}
    some = np.arange(len(offsets)) != still
    for unit in ("pixels", "units", "cm"):
        step = moved[unit][:, 0][:, some]
        result[unit] = {thing: spread(_length(step[..., k, :])) for k, thing in enumerate(THINGS)}
        result[unit]["relative"] = spread(_length(step[..., 1, :] - step[..., 0, :]))
    # A reader who knows from the joints where the gripper is hangs the block on it.
    anchored = units[..., 1, :] - units[..., 0, :] + units[:, :, still, None, 0]
    hung = 100 * to_table(camera, (anchored + 1) * UNITS, heights[..., 1])
    result["cm"]["anchored"] = spread(_length(hung - hung[:, :, still, None])[:, 0][:, some])
    block_cm = _length(moved["cm"][:, 0][:, some, 1])
    result["block_beyond_5_cm"] = float((block_cm > 5).mean())
    # The distance between the two, and what the shift adds to it.
    between = (units[:, 0, :, 1] - units[:, 0, :, 0]) * UNITS
    distance = _length(between)
    result["distance_pixels"] = spread(distance[:, still])
    result["shift_over_distance"] = spread(PAD / distance[:, still])
    change = np.abs(distance - distance[:, still, None])[:, some] / distance[:, still, None]
    result["distance_change_share"] = spread(change)
    truth = 100 * (positions[kept][:, 0, 1, :2])
    result["ray_misses_block_cm"] = spread(_length(world[:, 0, still, 1] - truth))
    # A transition: the same shift for obs and next_obs, or one each.
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, len(offsets), (2, len(kept), PAIRS))
    rows = np.arange(len(kept))[:, None]
    result["transition"] = {
        "true_motion_pixels": spread(_length((units[:, 1] - units[:, 0])[:, still] * UNITS)[:, 1])
    }
    for how, after in (("same", first), ("independent", second)):
        entry = {}
        for unit in ("pixels", "cm"):
            error = moved[unit][:, 1][rows, after] - moved[unit][:, 0][rows, first]
            entry[unit] = {
                "block": spread(_length(error[..., 1, :])),
                "relative": spread(_length(error[..., 1, :] - error[..., 0, :])),
            }
        result["transition"][how] = entry
    return result


def shift_keypoints(moments: int = 300, progress: bool = True) -> Artifact:
    """Measures both cameras and writes the artifact ``shift-keypoints``."""
    clock = Clock()
    found = _moments(moments, progress)
    positions = np.array(found["positions"])
    values = {name: measure_camera(name, found[name], positions) for name in envs.CAMERAS}
    return write_measurement(
        "shift-keypoints",
        values,
        parameters={"moments": moments, "pad": PAD, "first_seed": FIRST_SEED, "pairs": PAIRS},
        gl=envs.gl_renderer(),
        clock=clock,
    )
