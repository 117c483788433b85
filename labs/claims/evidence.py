"""What the rules of the claims read: measurements, arms with their seeds, cells of a study.

Everything comes from checked artifacts. A missing one is :class:`NotMeasured`; a damaged one is
the reader's to mend and stays a ``UserError``.
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
from labs.errors import UserError
from labs.experiments.config import RunConfig, from_dict, locator_steps, updates_per_step
from labs.experiments.position_errors import over_seeds
from labs.experiments.presets import NOT_CHANGES
from labs.statistics import (
    Interval,
    interquartile_mean,
    iqm,
    sample_efficiency_ratio,
    steps_to,
    time_to_threshold,
)

HOLDS, FAILS, PARTLY = "holds", "does not hold", "partly"
UNDECIDED, OPEN = "undecided", "not yet measured"
VERDICTS = (HOLDS, FAILS, PARTLY, UNDECIDED, OPEN)
RUN_FILES = {"evaluation.json", "curve.csv"}  # what makes an artifact a run
PIPELINE = re.compile(r"-(smoke|toy|demo)(-|$)")  # names of runs that only prove the pipeline
MIN_SEEDS = 3  # of an arm, before a rule about training reads it

#: Every threshold of every verdict. Rates and shares between 0 and 1, lengths in millimeters.
LIMITS: dict[str, float] = {
    "same_as_state": 0.8,  # blind / full state: from here on the camera is not needed
    "learned": 0.5,  # a success rate that nobody calls a floor
    "reported_low": 5,  # "5 to 8 %", as the source manuscript has it: successes of so many episodes
    "reported_high": 8,
    "reported_of": 100,
    "routing_gain": 0.5,  # of success, for "routing alone"
    "gain": 0.1,  # of success, for "essential" and "helps"
    "as_much_work": 1.25,  # ratio of times that still counts as equal
    "twice": 2.0,
    "ratio_low": 2.0,  # "2 to 4 times the steps" on Push, "2 to 10" on Reach
    "ratio_high_push": 4.0,
    "ratio_high_reach": 10.0,
    "located": 25.0,  # mm: half the success radius; a block this well known is not lost
    "blind_share": 0.8,  # of the error of an encoder that never looks
    "width_slack": 1.0,  # pixels around "about 5"
    "reported_width": 5.0,
    "camera_factor": 1.5,  # error before one camera / error before the other
    "camera_equal": 1.2,
    "noise_low": 0.4,  # "40 to 80 % of the distance"
    "noise_none": 0.05,
    "failed": 0.2,  # a success rate that counts as failure
    "shrink_harm": 0.1,  # added error / error
    "only_bounds": 0.1,  # change of error that still counts as none
    "sphere_harm": 0.1,
    "success_radius": 50.0,  # mm
    "solved": 0.9,
    "control_share": 0.5,  # success with spoiled images / with real ones
}


class NotMeasured(Exception):
    """What is missing before a claim can be decided."""


@dataclass(frozen=True)
class Finding:
    """A decided claim.

    Attributes:
        verdict: one of :data:`VERDICTS`.
        effect: the numbers behind it, with intervals, as Markdown.
        seeds: how many seeds, episodes or moments.
    """

    verdict: str
    effect: str
    seeds: str


# ------------------------------------------------------------------------------------ measurements


def measurement(root: Path, name: str, optional: bool = False) -> dict[str, Any]:
    """``measurement.json`` of an artifact and its ``parameters``.

    Raises:
        NotMeasured: there is none, and it is not optional (then: an empty dictionary).
    """
    if not (root / name / PROVENANCE).exists():
        if optional:
            return {}
        raise NotMeasured(f"data/{name} is not there")
    artifact = load_artifact((root / name).resolve())
    return artifact.json("measurement.json") | {"parameters": artifact.parameters}


def perception_cells(root: Path, minimum: int = 1, **wanted: Any) -> list[dict]:
    """The cells of the study ``perception`` with these settings, in the order of their seeds.

    Settings that are not named have their defaults: no sphere, positions, the study's epochs.
    """
    found = measurement(root, "perception")
    epochs = "epochs" if wanted.get("trained", True) else "head_epochs"
    base = {"sphere": False, "target": "positions", "pad": 0}
    base |= {"epochs": found["parameters"][epochs]} | wanted
    cells = [c for c in found["cells"] if all(c[k] == v for k, v in base.items())]
    if len(cells) < minimum:
        raise NotMeasured(f"perception has no cell with {wanted}")
    return sorted(cells, key=lambda c: c["seed"])


def error_of(cells: Sequence[dict], thing: str) -> Interval:
    """The mean error over seeds in millimeters.

    The interval is over seeds from two seeds on, else over the held-out frames.
    """
    return over_seeds([c[thing] for c in cells])


# --------------------------------------------------------------------------------------- the arms


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
        return [r.json("evaluation.json")["deterministic"]["success_rate"] for r in self.runs]

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
        interval between two points. Where one arm was measured less often than the other, this
        does not cancel, and the bounds take it in.

        Raises:
            ValueError: half of the other's seeds or more never got there.
        """
        alike = len({_settings(run)["eval_every"] for run in (*self.runs, *other.runs)}) == 1
        surely = [arm._surely(math.inf if alike else level) for arm in (self, other)]
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
        """Mean success with spoiled images, by control."""
        found = [r.json("evaluation.json").get("controls") or {} for r in self.runs]
        names = [n for n in found[0] if all(n in f for f in found)]
        return {n: float(np.mean([f[n]["success_rate"] for f in found])) for n in names}


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
            otherwise.

    Raises:
        NotMeasured: there is no such pair with seeds enough.
    """
    knobs = (knob,) if isinstance(knob, str) else knob
    wanted = {"observation": "pixels"} | keep
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


def difference(high: Sequence[float], low: Sequence[float]) -> Interval:
    """IQM of one arm minus that of another, with a bootstrap interval over the seeds of both."""
    rng = np.random.default_rng(0)
    drawn = []
    for rates in (high, low):
        rates = np.asarray(rates, float)
        drawn.append(interquartile_mean(rates[rng.integers(0, len(rates), (5000, len(rates)))], 1))
    ends = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    return Interval(float(interquartile_mean(high) - interquartile_mean(low)), *map(float, ends))


# ---------------------------------------------------------------------------------------- in words


def percent(rate: float) -> str:
    """0.069 → ``6.9 %``; what is below a tenth of a percent says so."""
    if 0 < rate < 0.0005:
        return "less than 0.1 %"
    return f"{100 * rate:.0f} %" if rate >= 0.0995 or rate == 0 else f"{100 * rate:.1f} %"


def percents(rates: Sequence[float]) -> str:
    """IQM of success rates with its interval."""
    score = iqm(rates)
    if math.isnan(score.low):
        return percent(score.value)
    return f"{percent(score.value)} [{percent(score.low)}, {percent(score.high)}]"


def points(gain: Interval) -> str:
    """A difference of success rates with its interval: ``−18 points [−26, −9]``."""
    return signed(gain, 100, " points", 0)


def added(errors: Sequence[dict]) -> str:
    """What something adds to the error, over seeds: ``+1.9 mm [+0.7, +3.1]``."""
    return signed(over_seeds(errors), 1, " mm", 1)


def signed(gain: Interval, factor: float, unit: str, digits: int) -> str:
    """A difference with its sign, its unit and its interval; what rounds to 0 has no sign."""
    value, low, high = (
        f"{rounded:+.{digits}f}".replace("-", "−") if rounded else f"{0:.{digits}f}"
        for rounded in (round(factor * x, digits) for x in (gain.value, gain.low, gain.high))
    )
    return f"{value}{unit} [{low}, {high}]"


def ratio_text(ratio: Interval, digits: int = 1) -> str:
    """A ratio of times with its interval; late runs may leave it without an upper bound."""
    if math.isinf(ratio.value):
        return f"at least {ratio.low:.{digits}f}"
    high = "no upper bound" if math.isinf(ratio.high) else f"{ratio.high:.{digits}f}"
    return f"{ratio.value:.{digits}f} [{ratio.low:.{digits}f}, {high}]"


def mm(interval: Interval) -> str:
    """An error in millimeters with its interval."""
    return f"{interval.value:.1f} mm [{interval.low:.1f}, {interval.high:.1f}]"


def seeds_text(*arms: Arm) -> str:
    """``3 seeds``, or ``3 and 5 seeds`` where arms differ, in their order.

    It says so where an arm has more of them than were compared.
    """
    counts = [len(arm.runs) for arm in arms]
    shared = ", those that both arms have" * any(arm.left_out for arm in arms)
    if len(set(counts)) > 1:
        return " and ".join(map(str, counts)) + " seeds" + shared
    return f"{counts[0]} seed" + "s" * (counts[0] > 1) + shared


def seeds_span(*groups: Sequence[dict]) -> str:
    """``3 seeds``, or ``2 to 3 seeds`` where groups differ: for effects that name many of them."""
    counts = sorted(len(group) for group in groups)
    span = f"{counts[0]} to " * (counts[0] < counts[-1])
    return f"{span}{counts[-1]} seed" + "s" * (counts[-1] > 1)
