"""The runs of an arm, and the arms that differ from it in one setting alone.

Raises :class:`labs.claims.evidence.NotMeasured` where results are missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from labs.artifacts import PROVENANCE, Artifact, load_artifact, seed_folders
from labs.claims.evidence import LIMITS, NotMeasured
from labs.errors import UserError
from labs.experiments.config import RunConfig, from_dict, locator_steps, updates_per_step
from labs.experiments.presets import NOT_CHANGES
from labs.experiments.results import final_success
from labs.statistics import Interval, iqm, sample_efficiency_ratio, steps_to, time_to_threshold

RUN_FILES = {"evaluation.json", "curve.csv"}  # what makes an artifact a run
PIPELINE = re.compile(r"-(smoke|toy|demo)(-|$)")  # names of runs that only prove the pipeline
MIN_SEEDS = 3  # of an arm, before a rule about training reads it


def _settings(run: Artifact) -> dict[str, Any]:
    return RunConfig().as_dict() | run.parameters


def _apart(a: dict[str, Any], b: dict[str, Any]) -> set[str]:
    """The settings in which what was trained differs."""
    return {k for k in a if a[k] != b.get(k) and k not in NOT_CHANGES}


@dataclass(frozen=True)
class Arm:
    """The whole runs of an arm, one artifact a seed; how many a comparison left out."""

    name: str
    runs: tuple[Artifact, ...]
    left_out: int = 0

    def __post_init__(self) -> None:
        """Raises UserError where seeds were trained with different settings: no one arm has them.

        ``--arm NAME`` lets them share a folder.
        """
        for run in self.runs[1:]:
            first, other = _settings(self.runs[0]), _settings(run)
            if apart := sorted(_apart(first, other)):
                knobs = ", ".join(f"{k} ({first[k]}, {other[k]})" for k in apart)
                raise UserError(
                    f"{run.path.parent}: {self.runs[0].path.name} and {run.path.name} differ in "
                    f"{knobs} and are no seeds of one arm: give each a folder of its own"
                )

    @property
    def config(self) -> dict[str, Any]:
        """The first run's settings; knobs that it did not know have their defaults."""
        return _settings(self.runs[0])

    @property
    def rates(self) -> list[float]:
        """Success of the final deterministic evaluation, one for each seed."""
        return [final_success(r) for r in self.runs]

    @property
    def steps(self) -> int:
        """Environment steps of the shortest run, as its evaluation counts them."""
        return min(r.json("evaluation.json")["steps"] for r in self.runs)

    @property
    def is_blind(self) -> bool:
        """Whether it gets a pixel arm's vectors and no image."""
        return self.config["observation"] == "blind"

    @property
    def seeds(self) -> list[int]:
        return [run.parameters["seed"] for run in self.runs]

    def only(self, seeds: Collection[int]) -> Arm:
        """The same arm with these seeds alone."""
        pairs = zip(self.runs, self.seeds, strict=True)
        chosen = tuple(run for run, seed in pairs if seed in seeds)
        return Arm(self.name, chosen, len(self.runs) - len(chosen))

    @property
    def imitates(self) -> bool:
        """Whether a teacher's answers trained it, and no reward."""
        return self.config["engine"] == "distill"

    @property
    def is_taught(self) -> bool:
        """Whether something other than rewards taught the arm to see or to act."""
        config = self.config
        return (
            self.imitates
            or (config["encoder"] == "locator" and config["locator_taught"] == "positions")
            or config["critic_sees"] != "same"
            or config["pretrained_encoder"] != ""
            or config["acting_policy"] != ""
            or (config["auxiliary"] > 0 and config["auxiliary_task"] == "positions")
        )

    @property
    def is_placed(self) -> bool:
        """Whether its locator learned from frames for which somebody set the block down."""
        return self.config["encoder"] == "locator" and self.config["locator_moments"] == "placed"

    @property
    def steps_before(self) -> int:
        """Steps before the curve begins: those of a locator that rewards taught."""
        config = self.config
        if config["encoder"] != "locator" or config["locator_taught"] != "rewards":
            return 0
        return locator_steps(from_dict(config))

    @property
    def curves(self) -> list[tuple[Sequence[float], Sequence[float]]]:
        """Steps, :attr:`steps_before` included, and success, of each seed."""
        tables = [run.table() for run in self.runs]
        return [(t["step"] + self.steps_before, t["success"]) for t in tables]

    @property
    def way_to_learn(self) -> str:
        """How the arm learned, and who was told what the camera does not say, in words."""
        if self.imitates:
            return "by imitation of a policy that knows the state"
        critics = {"same": "", "state": "the state", "achieved": "the achieved goal"}
        told = critics[self.config["critic_sees"]]
        by_rewards = " that rewards taught" * (self.config["locator_taught"] == "rewards")
        helpers = [f"a locator{by_rewards}"] if self.config["encoder"] == "locator" else []
        off = ", blurred" if told and self.config["critic_blur"] else ""
        helpers += [f"a critic told {told}{off}"] if told else []
        if lender := self.config["pretrained_encoder"]:
            helpers.append(f"the encoder of {lender}")
        if actor := self.config["acting_policy"]:
            helpers.append(f"the actions of {actor}")
        asked = {
            "positions": "an encoder told positions",
            "rewards": "an encoder that predicts hindsight's rewards",
        }
        helpers += [asked[self.config["auxiliary_task"]]] if self.config["auxiliary"] > 0 else []
        with_help = f"with {' and '.join(helpers)}" if helpers else "in one network without help"
        return f"by reward, {with_help}"

    @property
    def twins(self) -> str:
        """What to say before the numbers of arms that are blind twins; else nothing."""
        return "blind twins, " if self.is_blind else ""

    @property
    def updates_per_step(self) -> float:
        return updates_per_step(from_dict(self.config))

    def enough(self) -> bool:
        """Whether there are seeds enough to judge by."""
        return len(self.runs) >= MIN_SEEDS

    def times(self, level: float) -> list[float]:
        """Steps to a success rate of each seed; inf where it never got there."""
        found = [steps_to(*curve, level) for curve in self.curves]
        return [math.inf if time is None else time for time in found]

    def times_as_many(self, other: Arm, level: float) -> Interval:
        """Steps to a success rate over those of another arm.

        A time is the first point of the curve at or above the level, and too late by up to the
        interval between two points. That does not cancel in a ratio, and the bounds take it in.

        Raises:
            ValueError: half of the other's seeds or more never got there.
        """
        surely = [arm._surely(level) for arm in (self, other)]
        return sample_efficiency_ratio(
            self.times(level),
            other.times(level),
            pixel_budgets=surely[0],
            state_budgets=surely[1],
        )

    def _surely(self, level: float) -> list[float]:
        """Steps that each seed surely took: to its last point before the level, or in all."""
        before = [steps[np.maximum.accumulate(success) < level] for steps, success in self.curves]
        return [max(before_it, default=1.0) or 1.0 for before_it in before]

    def half_time(self) -> float:
        """Median steps to 50 %. Raises NotMeasured if half of the seeds never got there."""
        found = time_to_threshold(self.curves, 0.5)
        if found.median is None:
            raise NotMeasured(f"`{self.name}` never reached 50 % with half of its seeds")
        return found.median

    def to(self, level: float) -> str:
        """Median steps to a success rate in words."""
        return str(time_to_threshold(self.curves, level))

    def controls(self) -> dict[str, float]:
        """Interquartile mean of success with spoiled images, by control."""
        found = [r.json("evaluation.json").get("controls") or {} for r in self.runs]
        names = [n for n in found[0] if all(n in f for f in found)]
        return {n: iqm([f[n]["success_rate"] for f in found]).value for n in names}

    @property
    def looks(self) -> bool:
        """Whether every kind of spoiled picture costs it at least half of its success."""
        rates = self.controls().values()
        return bool(rates) and max(rates) <= LIMITS["control_share"] * iqm(self.rates).value


# ---------------------------------------------------------------------------------- found in data/


@lru_cache(maxsize=4096)
def _load(path: str, stamp: int) -> Artifact:
    return load_artifact(path)  # hashed once for each version that is on disk


def _arm(folder: Path) -> Arm | None:
    paths = [p for p in seed_folders(folder) if (p / PROVENANCE).exists()]
    if not paths:
        return None
    runs = [_load(str(p.resolve()), (p / PROVENANCE).stat().st_mtime_ns) for p in paths]
    if any(RUN_FILES - set(run.provenance["files"]) for run in runs):
        return None  # seeds of something else, such as a locator
    whole = [run for run in runs if "ended_early" not in run.provenance]
    return Arm(folder.name, tuple(whole)) if whole else None


def named_arm(root: Path, name: str) -> Arm:
    """An arm by name. Raises NotMeasured without results, or with fewer than three seeds."""
    arm = _arm(root / name)
    if arm is None or not arm.enough():
        raise NotMeasured(f"`{name}` has {len(arm.runs) if arm else 0} of {MIN_SEEDS} seeds")
    return arm


def all_arms(root: Path) -> list[Arm]:
    """Every arm with results; runs that only prove the pipeline are left out."""
    arms = [_arm(p) for p in sorted(root.iterdir()) if p.is_dir()] if root.is_dir() else []
    return [a for a in arms if a is not None and not PIPELINE.search(a.name)]


def all_matched(
    root: Path,
    knob: str | tuple[str, ...],
    values: tuple[Any, Any] | None,
    only: Callable[[Arm], bool] = lambda arm: True,
    **keep: Any,
) -> list[tuple[Arm, Arm]]:
    """Every two arms whose settings differ in ``knob`` and in nothing else, with the seeds that
    both have.

    Args:
        root: the folder of all artifacts.
        knob: the setting; or several of which the first one is compared.
        values: of the first and of the second arm; None: the smaller one first.
        only: what both must be, beyond ``keep``.
        keep: settings that both must have. Both must also receive images, unless it says
            otherwise or ``knob`` is what they receive.

    Raises:
        NotMeasured: there is no such pair with seeds enough.
    """
    knobs = (knob,) if isinstance(knob, str) else knob
    wanted = ({} if "observation" in knobs else {"observation": "pixels"}) | keep
    arms = [a for a in all_arms(root) if all(a.config[k] == v for k, v in wanted.items())]
    arms = [a for a in arms if only(a)]
    pairs = []
    for first in arms:
        for second in arms:
            a, b = first.config, second.config
            apart = _apart(a, b)
            if knobs[0] not in apart or apart - set(knobs):
                continue
            ends = (a[knobs[0]], b[knobs[0]])
            if ends == values or (values is None and ends[0] < ends[1]):
                shared = set(first.seeds) & set(second.seeds)
                pairs.append((first.only(shared), second.only(shared)))
    pairs = [p for p in pairs if p[0].enough() and p[1].enough()]
    if not pairs:
        between = "" if values is None else f" {values[0]} and {values[1]}"
        raise NotMeasured(f"no two arms that differ in `{knobs[0]}`{between} alone, 3 seeds each")
    return pairs


def matched(root: Path, knob: str, values: tuple[Any, Any] | None, **keep: Any) -> tuple[Arm, Arm]:
    """The pair of :func:`all_matched` with the longest runs; without values, the one that is
    furthest apart."""
    pairs = all_matched(root, knob, values, **keep)
    if values is None:
        return max(pairs, key=lambda p: p[1].config[knob] / p[0].config[knob])
    return max(pairs, key=lambda p: p[1].steps)
