"""What the campaign trains, in the order of information: groups of arms that answer one question.

The arms themselves are ordinary ones (:mod:`labs.experiments.arms.gpu`); ``pixels train`` runs any
of them alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labs.errors import UserError, closest
from labs.experiments.arms.gpu import BASE_UPDATES, UPDATES
from labs.experiments.config import RunConfig
from labs.experiments.presets import PRESETS, preset, smoke
from labs.experiments.sweep import parse_seeds
from labs.experiments.validation import validate


@dataclass(frozen=True)
class Group:
    """Arms that are compared with each other at an equal budget.

    Attributes:
        name: what ``--cells`` calls it.
        question: what the comparison answers.
        arms: names of arms, most informative first.
        alone: its only run gets the whole machine, until it evaluates.
        seeds: of every arm; empty: those of the command.
    """

    name: str
    question: str
    arms: tuple[str, ...]
    alone: bool = False
    seeds: tuple[int, ...] = ()


def _routing_arms() -> tuple[str, ...]:
    order = [BASE_UPDATES, *(u for u in ("u100", "u025", "u200") if u in UPDATES)]
    names = [f"push-gpu-{r}-{u}" for u in order for r in ("critic", "separate", "actor")]
    return tuple("push-gpu" if n == f"push-gpu-critic-{BASE_UPDATES}" else n for n in names)


def _shift_arms() -> tuple[str, ...]:
    order = [(p, c, h) for h in ("keypoints", "flat") for c in ("default", "workspace")
             for p in (0, 4, 1)]  # fmt: skip
    names = [f"push-gpu-pad{p}-{c}-{h}" for p, c, h in order]
    return tuple("push-gpu" if n == "push-gpu-pad0-default-keypoints" else n for n in names)


GROUPS = (
    Group(
        "proven",
        "What two cores learn in two hours: how many minutes here?",
        ("push-gpu-keypoint",),
        alone=True,
    ),
    Group(
        "located",
        "Rewards teach a locator first, and nobody is told anything: how many minutes?",
        ("push-gpu-located",),
        alone=True,
    ),
    Group(
        "headline",
        "Does a policy that is never told where the block is push it to the goal?",
        ("push-gpu-honest",),
        alone=True,
    ),
    Group(
        "twins",
        "With both goals as vectors, is the camera used, or must it be ignored?",
        ("push-gpu", "push-gpu-noise", "push-gpu-blank", "push-gpu-blind"),
    ),
    Group(
        "helpers",
        "What helps sight: a critic that is told something, many goals a picture, sharp keypoints?",
        (
            *("push-gpu-achieved", "push-gpu-told", "push-gpu-helped", "push-gpu-sharp"),
            *("push-gpu-one-goal", "push-gpu-flat-start"),
        ),
    ),
    Group(
        "routing",
        "What do routing and updates per step each contribute?",
        _routing_arms(),
    ),
    Group(
        "shifts",
        "Do random shifts hurt, and does it depend on the camera and the head?",
        _shift_arms(),
    ),
    Group(
        "memory",
        "Do a large memory and a larger k help?",
        ("push-gpu", "push-gpu-buffer50k", "push-gpu-k8", "push-gpu-buffer200k"),
    ),
)


@dataclass(frozen=True)
class Cell:
    """One run of the campaign.

    Attributes:
        config: the run's configuration.
        slots: how many of the parallel places it takes.
    """

    config: RunConfig
    slots: int = 1

    @property
    def name(self) -> str:
        return self.config.run_name


def toy(config: RunConfig) -> RunConfig:
    """The same run, worker processes of a pixel arm included, with a budget of seconds."""
    small = smoke(config)
    return replace(
        small,
        arm=f"{config.arm}-toy",
        subproc=config.has_images,
        gradient_steps=min(config.gradient_steps, 2),
        video_episodes=0,
    )


def chosen(names: Sequence[str]) -> tuple[Group, ...]:
    """The groups that ``--cells`` names, in its order; an arm's name is a group of its own.

    Args:
        names: of groups and arms, each with its own seeds or without: ``"twins"``,
            ``"push-gpu-keypoint:1..4"``.

    Raises:
        UserError: neither a group nor an arm has that name, or its seeds are none.
    """
    if not names:
        return GROUPS
    known = {group.name: group for group in GROUPS}
    found = []
    for wanted in names:
        name, colon, seeds = wanted.partition(":")
        if name not in known and name not in PRESETS:
            near = closest(name, [*known, *PRESETS])
            raise UserError(f"unknown cell {name!r}: {near} (groups: pixels campaign --help)")
        group = known.get(name) or Group(name, "One arm.", (name,))
        try:
            found.append(replace(group, seeds=tuple(parse_seeds((seeds,)))) if colon else group)
        except UserError as error:
            raise UserError(
                f"--cells {wanted}: after the colon give a seed or a range such as 0..4"
            ) from error
    return tuple(found)


def cells_of(
    groups: Sequence[Group], seeds: Sequence[int], parallel: int, small: bool
) -> list[Cell]:
    """The runs of the groups, each once, in the order of information.

    Args:
        groups: from :func:`chosen`.
        seeds: of every arm whose group names none.
        parallel: places on the machine.
        small: the toy size.
    """
    cells: dict[str, Cell] = {}
    for group in groups:
        own = group.seeds or tuple(seeds)
        whole = group.alone and len(group.arms) * len(own) == 1
        for seed in own:
            for arm in group.arms:
                config = replace(preset(arm), seed=seed)
                config = validate(toy(config) if small else config)
                cells.setdefault(config.run_name, Cell(config, parallel if whole else 1))
    return list(cells.values())
