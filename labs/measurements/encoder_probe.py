"""What a reward taught an encoder to see: positions read from frozen encoders of trained policies.

The encoder of a trained pixel policy is frozen, and a small head learns to read positions from its
features, as a policy's own layers have to (probing: Alain and Bengio 2016, arXiv 1610.01644). The
vectors that the policy also gets are held still, so that nothing but the picture can tell. Two
controls: the same network before any training, and a guess that never looks.

Artifact ``encoder-probe``: errors in millimeters, by arm. ``pixels measure encoder-probe``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from labs.artifacts import Artifact, Clock, data_root, write_measurement
from labs.envs import gl_renderer
from labs.errors import UserError
from labs.experiments.locating import errors
from labs.experiments.moments import View, collect_moments
from labs.experiments.policies import WEIGHTS, TrainedPolicy, build_policy, load_policy
from labs.experiments.regression import minimize
from labs.measurements.play import in_order, rows_to_keep

#: Arms whose encoder learned beside a policy, in the order of the table; without weights: left out.
ARMS = (
    *("push-small", "push-small-honest", "push-small-helped", "push-distilled"),
    *("reach-keypoint", "reach-asymmetric", "reach-small-drq"),
)
FRAMES, HELD_OUT = 6000, 1500
SEED = 5_000_000  # of the moments, apart from all others
UNTRAINED = 3  # draws of the untrained network
EPOCHS, BATCH, WIDTH = 40, 128, 256
RIDGE = 1e-4  # share of a standardized feature's variance
CLIP = 100.0  # deviations; a feature that hardly ever moves may move by thousands in one frame
PARAMETERS = {"frames": FRAMES, "held_out": HELD_OUT, "seed": SEED, "epochs": EPOCHS}

ReadOut = Callable[[Tensor, Tensor, int], nn.Module]  # features, targets, seed → a head


@torch.no_grad()
def features(policy, frames: np.ndarray) -> Tensor:
    """What the actor's encoder makes of single frames.

    Args:
        policy: an SB3 policy whose observations hold ``pixels`` of k stacked RGB frames.
        frames: uint8 (N, 3, H, W); a stack repeats its frame.

    Returns:
        float (N, width), the vectors' share included, which is the same for all.
    """
    spaces = policy.observation_space.spaces
    stack = spaces["pixels"].shape[0] // 3
    found = []
    for part in torch.from_numpy(frames).split(256):
        seen = {k: torch.zeros(len(part), *s.shape) for k, s in spaces.items() if k != "pixels"}
        seen["pixels"] = part.repeat(1, stack, 1, 1).float().div_(255)
        found.append(policy.actor.features_extractor(seen))
    return torch.cat(found)


def read_out(inputs: Tensor, targets: Tensor, seed: int) -> nn.Module:
    """A head of two layers that reads standardized targets (N, n) from features (N, width)."""
    torch.manual_seed(seed)
    head = nn.Sequential(
        nn.Linear(inputs.shape[1], WIDTH), nn.ReLU(), nn.Linear(WIDTH, targets.shape[1])
    )
    minimize(
        head,
        lambda rows: F.mse_loss(head(inputs[rows]), targets[rows]),
        len(inputs),
        epochs=EPOCHS,
        batch=BATCH,
        peak_rate=3e-3,
    )
    return head.eval()


def linear_read_out(inputs: Tensor, targets: Tensor, seed: int) -> nn.Module:
    """The linear head of least squares; arguments as of :func:`read_out`, and nothing is drawn.

    A slight ridge decides between features that tell the same.
    """
    ones = torch.ones(len(inputs), 1, dtype=torch.float64)
    known = torch.cat([inputs.double(), ones], dim=1)
    gram = known.T @ known + RIDGE * len(inputs) * torch.eye(known.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, known.T @ targets.double()).float()
    head = nn.Linear(inputs.shape[1], targets.shape[1])
    head.weight.data, head.bias.data = weights[:-1].T.contiguous(), weights[-1].clone()
    return head.eval()


def _standardized(values: Tensor, like: Tensor) -> Tensor:
    far = (values - like.mean(0)) / like.std(0).clamp_min(1e-6)
    return far.clamp(-CLIP, CLIP)


def reader(
    policy, frames: np.ndarray, truth: np.ndarray, seed: int = 0, fit: ReadOut = read_out
) -> Callable[[np.ndarray], np.ndarray]:
    """Learns to read positions from a policy's frozen encoder.

    Args:
        policy: as for :func:`features`.
        frames: uint8 (N, 3, H, W), all of which the head learns from.
        truth: float32 (N, n).
        seed: of the head.
        fit: learns the head: :func:`read_out` or :func:`linear_read_out`.

    Returns:
        frames (M, 3, H, W) → what is read in them, float32 (M, n), in the units of ``truth``.
    """
    inputs, wanted = features(policy, frames), torch.from_numpy(truth)
    head = fit(_standardized(inputs, inputs), _standardized(wanted, wanted), seed)

    @torch.no_grad()
    def read(pictures: np.ndarray) -> np.ndarray:
        seen = _standardized(features(policy, pictures), inputs)
        return (head(seen) * wanted.std(0) + wanted.mean(0)).numpy()

    return read


def probe(
    policy,
    task: str,
    frames: np.ndarray,
    truth: np.ndarray,
    seed: int = 0,
    fit: ReadOut = read_out,
) -> dict:
    """How far off positions are that are read from a policy's frozen encoder.

    Args:
        policy: as for :func:`features`.
        task: says what the columns of ``truth`` are.
        frames: uint8 (N, 3, H, W); the last :data:`HELD_OUT` (a fifth of fewer) are held out.
        truth: float32 (N, n).
        seed: of the head.
        fit: as for :func:`reader`.

    Returns:
        thing → its error in millimeters, as :func:`labs.experiments.locating.errors` has it.
    """
    train = len(frames) - min(HELD_OUT, len(frames) // 5)
    read = reader(policy, frames[:train], truth[:train], seed, fit)
    return errors(task, read(frames[train:]), truth[train:])


def untrained(trained: TrainedPolicy, seed: int):
    """A policy of the same networks that has learned nothing."""
    torch.manual_seed(seed)
    return build_policy(trained.config, trained.sb3.observation_space, trained.sb3.action_space)


def probe_runs(
    names: Sequence[str],
    frames: int = FRAMES + HELD_OUT,
    draws: int = UNTRAINED,
    progress: bool = True,
) -> dict:
    """The encoders of runs that look through one camera, beside controls that they share.

    Args:
        names: ``arm/seed<k>``; the controls are networks of the first one's kind.
        frames: that the probe learns from and is judged on.
        draws: of the untrained network.
        progress: show a bar.

    Returns:
        ``runs``: for each its name and what :func:`probe` read; ``untrained``: one reading a draw;
        ``guess``: never looks.

    Raises:
        ValueError: the runs look through different cameras.
    """
    trained = {name: load_policy(name) for name in names}
    views = {name: View.of(policy.config) for name, policy in trained.items()}
    first = names[0]
    if strangers := [name for name in names if views[name] != views[first]]:
        raise ValueError(f"received {strangers[0]}; expected a run with the view of {first}")
    task = views[first].task
    pictures, truth = collect_moments(views[first], frames, SEED)
    held = min(HELD_OUT, frames // 5)
    guess = np.broadcast_to(truth[:-held].mean(0), truth[-held:].shape)
    return {
        "runs": [
            {"run": name, "read": probe(policy.sb3, task, pictures, truth)}
            for name, policy in tqdm(trained.items(), desc="encoders", disable=not progress)
        ],
        "untrained": [
            probe(untrained(trained[first], seed), task, pictures, truth, seed)
            for seed in range(draws)
        ],
        "guess": errors(task, guess, truth[-held:]),
    }


def probe_arm(arm: str, frames: int = FRAMES + HELD_OUT, draws: int = UNTRAINED) -> dict:
    """The encoder of an arm's seed 0 beside its controls."""
    found = probe_runs([f"{arm}/seed0"], frames, draws, progress=False)
    (run,) = found.pop("runs")
    return {"arm": arm, "trained": run["read"], **found}


def encoder_probe(arms: tuple[str, ...] = ARMS, progress: bool = True) -> Artifact:
    """Probes the encoders of trained arms, seed 0 of each: artifact ``encoder-probe``.

    Encoders whose weights are gone keep what was read from them before.

    Raises:
        UserError: none of the arms has a policy here, or one that has none any more was probed with
            other settings.
    """
    there = [arm for arm in arms if (data_root() / arm / "seed0" / WEIGHTS).exists()]
    if not there:
        raise UserError(f"no encoder to probe: pixels train {arms[0]} --seeds 0")
    here, clock = [f"{arm}/seed0" for arm in there], Clock()
    kept = rows_to_keep("encoder-probe", here, PARAMETERS, listed="encoders")
    rows = [probe_arm(arm) for arm in tqdm(there, desc="encoders", disable=not progress)]
    values = {"encoders": in_order([*rows, *kept], arms)}
    return write_measurement(
        "encoder-probe", values, parameters=PARAMETERS, gl=gl_renderer(), clock=clock
    )
