"""The cells of the study of what an encoder can see: one regression each, one thing changed.

The camera, the encoder and its head, LayerNorm + Tanh, trained or left at its random initial
weights, the goal sphere in the picture, random shifts in training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from labs import envs

EPOCHS = 6
LONG_EPOCHS = 36  # gives NatureCNN about the multiplications of ManipulationCNN in EPOCHS
PAD = 4  # pixels: DrQ's random shift
HEAD_EPOCHS = 24  # a frozen encoder's head costs next to nothing
HEADS = (
    ("nature", True),
    ("nature", False),
    ("keypoints", True),
    ("keypoints", False),
    ("spatial_softmax", True),
    ("spatial_softmax", False),
    ("flat", True),
)  # encoder, LayerNorm + Tanh


@dataclass(frozen=True)
class Cell:
    """One regression.

    Attributes:
        camera: name in ``labs.envs.CAMERAS``.
        encoder: ``nature``; ``keypoints`` (the small KeypointCNN); ``spatial_softmax`` or
            ``flat``, both on ManipulationCNN.
        normalize: LayerNorm + Tanh between encoder and head.
        trained: False freezes the encoder at its random weights.
        seed: of weights and batches.
        sphere: whether the training frames show the goal sphere.
        target: ``positions`` (block and gripper) or ``goal`` (the sphere's place).
        epochs: passes over the training frames.
        pad: random shifts of the training frames, in pixels; 0 leaves them in place.
    """

    camera: str
    encoder: str
    normalize: bool
    trained: bool
    seed: int
    sphere: bool = False
    target: str = "positions"
    epochs: int = EPOCHS
    pad: int = 0

    @property
    def name(self) -> str:
        parts = [self.camera, self.encoder, "norm" if self.normalize else "plain"]
        parts += ["trained" if self.trained else "random"]
        parts += [f"pad{self.pad}"] * (self.pad > 0)
        parts += ["sphere"] * self.sphere + ["goal"] * (self.target == "goal")
        parts += [f"epochs{self.epochs}"] * (self.trained and self.epochs != EPOCHS)
        return "-".join([*parts, f"seed{self.seed}"])

    @property
    def is_core(self) -> bool:
        """Whether a verdict rests on it."""
        small = self.encoder == "keypoints" or (self.encoder == "nature" and self.normalize)
        return small and self.trained and not self.pad and self.epochs == EPOCHS


def _turn(cell: Cell) -> int:
    """When a cell's turn comes: what a verdict rests on first, with every seed; the source's
    ManipulationCNN, at several times the cost, beside a NatureCNN that gets as much; then the
    cheap ones; last ManipulationCNN under shifts."""
    if cell.is_core:
        return cell.seed
    if cell.epochs == LONG_EPOCHS:
        return 3 + cell.seed
    if cell.encoder in ("spatial_softmax", "flat") and cell.trained:
        return 12 + cell.seed if cell.pad else 3 + cell.seed
    return 6 + cell.seed


def all_cells(seeds: int = 3) -> list[Cell]:
    """Every cell of the study, in the order in which they are run."""
    cells = []
    for seed in range(seeds):
        for trained, epochs in ((True, EPOCHS), (False, HEAD_EPOCHS)):
            for encoder, normalize in HEADS:
                for camera in envs.CAMERAS:
                    cells.append(Cell(camera, encoder, normalize, trained, seed, epochs=epochs))
        for camera in envs.CAMERAS:
            plain = Cell(camera, "nature", True, True, seed)
            cells.append(replace(plain, sphere=True))
            cells.append(replace(plain, sphere=True, target="goal"))
            cells.append(replace(plain, epochs=LONG_EPOCHS))
            cells.append(replace(plain, pad=PAD))
            cells.append(replace(plain, pad=PAD, encoder="keypoints"))
            cells.append(replace(plain, pad=PAD, encoder="spatial_softmax"))
    return sorted(cells, key=_turn)
