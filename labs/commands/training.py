"""Commands that train: one arm, all arms of a task, ten minutes for a first look."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from typing import Any, Literal

from tyro.conf import OmitArgPrefixes, Positional

from labs.errors import UserError
from labs.experiments.config import RunConfig
from labs.flags import parse


@dataclass(frozen=True)
class PlanOptions:
    """What each seed of an arm needs in memory, disk and time; nothing is trained."""

    config: OmitArgPrefixes[RunConfig]
    seeds: tuple[int, ...] = (0,)
    """seeds, one run each"""
    smoke: bool = False
    """a run of seconds that proves the pipeline and nothing else"""
    fast: bool = False
    """12 environments in worker processes, native rendering, 3 updates per step of all 12"""
    again: bool = False
    """train although the result is there"""


@dataclass(frozen=True)
class TrainOptions(PlanOptions):
    """Train an arm once for each seed and leave data/<arm>/seed<k>. Killed runs go on."""

    restart: bool = False
    """drop an earlier, unfinished run"""
    quiet: bool = False
    """no progress bar"""


def arm_options(command: str, argv: list[str]) -> tuple[str, Any, dict[str, Any]] | None:
    """The arm, the command's options, and the knobs they change; None after ``--help``."""
    from labs.experiments import presets

    if not argv or argv[0].startswith("-"):
        if argv and argv[0] in ("-h", "--help"):
            print(f"usage: pixels {command} ARM [--seeds 0 1 2] [--KNOB VALUE ...]\n\narms:")
            width = max(map(len, presets.SUMMARY))
            for name, line in presets.SUMMARY.items():
                print(f"  {name:<{width}} {line}")
            print(f"\nEvery knob of an arm, with its value there: pixels {command} ARM --help")
            return None
        raise UserError(
            f"name an arm first: pixels {command} reach-state (all: pixels {command} --help)"
        )
    arm, rest = argv[0], argv[1:]
    base = presets.preset(arm)
    base = presets.fast(base) if "--fast" in rest else base
    base = presets.smoke(base) if "--smoke" in rest else base
    kind = PlanOptions if command == "plan" else TrainOptions
    options = parse(kind, rest, f"pixels {command} {arm}", kind(base))
    given = options.config.as_dict()
    changed = {k: v for k, v in given.items() if v != base.as_dict()[k] and k != "seed"}
    return arm, options, changed


def train(argv: list[str]) -> int:
    found = arm_options("train", argv)
    if found is None:
        return 0
    arm, options, changed = found
    from labs.experiments.launch import train_arm

    done = train_arm(
        arm,
        options.seeds,
        changed,
        small=options.smoke,
        quick=options.fast,
        again=options.again,
        restart=options.restart,
        quiet=options.quiet,
    )
    from labs.artifacts import load_artifact
    from labs.experiments.plan import verdict

    for path in done:
        print(f"{path.parent.name}/{path.name}: {verdict(load_artifact(path))}")
    return 0


def plan(argv: list[str]) -> int:
    found = arm_options("plan", argv)
    if found is None:
        return 0
    arm, options, changed = found
    from labs.artifacts import runs_root
    from labs.experiments.guards import check_resources
    from labs.experiments.launch import prepare
    from labs.experiments.plan import plan
    from labs.experiments.presets import effective

    if not options.seeds:
        raise UserError("no seed was given: --seeds 0 1 2")
    config = effective(arm, options.seeds[0], changed, small=options.smoke, quick=options.fast)
    print(f"{config.arm}, each seed")
    for what, how_much in plan(config).items():
        print(f"{what:>18}: {how_much}")
    check_resources(config, runs_root())  # of a run that is done, too
    how = {"small": options.smoke, "quick": options.fast, "again": options.again}
    prepare(arm, options.seeds, changed, **how)
    print("this machine has what one such run needs")
    return 0


@dataclass(frozen=True)
class RunOptions:
    """Train and evaluate every arm of a task, then compare them."""

    task: Positional[Literal["reach", "push"]]
    """reach: state, pixels, pixels with shifts; push: the investigation"""
    seeds: tuple[int, ...] = (0,)
    """seeds of every arm"""
    arms: tuple[str, ...] = ()
    """only these arms"""
    total_steps: int | None = None
    """environment steps of every run, instead of each arm's own"""
    smoke: bool = False
    """runs of seconds that prove the pipeline and nothing else"""
    fast: bool = False
    """pixel arms: 12 environments in workers, native rendering, 3 updates per step of all 12"""
    again: bool = False
    """train although the results are there"""
    quiet: bool = False
    """no progress bar"""


def run(argv: list[str]) -> int:
    options = parse(RunOptions, argv, "pixels run")
    if "--arms" in argv and not options.arms:
        raise UserError("--arms names no arm: name one or more, or leave it out for all of them")
    from labs.artifacts import data_root, may_be_replaced
    from labs.claims.compare import as_text, compare
    from labs.experiments import presets
    from labs.experiments.launch import prepare, train_arm

    own = presets.REACH_ARMS if options.task == "reach" else presets.PUSH_ARMS
    arms = options.arms or own
    for arm in arms:
        if arms.count(arm) > 1:
            raise UserError(f"--arms names {arm} twice: name each arm once")
        if (task := presets.preset(arm).task) != options.task:
            raise UserError(
                f"{arm} is an arm of {task}: leave it to pixels run {task} --arms {arm}"
            )
    overrides = {} if options.total_steps is None else {"total_steps": options.total_steps}
    quick = {arm: options.fast and presets.preset(arm).has_images for arm in arms}
    names: dict[str, str] = {}
    for arm in arms:  # what forbids a later run shows before the first one
        how = {"small": options.smoke, "quick": quick[arm], "again": options.again}
        coming = tuple(names.values())
        runs = prepare(arm, options.seeds, overrides, coming=coming, **how)
        names[arm] = runs[0][0].arm
    comparison = _comparison(options.task, options.smoke, own, tuple(names.values()))
    may_be_replaced(data_root() / comparison, "comparison")
    for number, arm in enumerate(arms, 1):
        print(f"[{number}/{len(arms) + 1}] {arm}", file=sys.stderr)
        train_arm(
            arm,
            options.seeds,
            overrides,
            small=options.smoke,
            quick=quick[arm],
            again=options.again,
            quiet=options.quiet,
        )
    print(f"[{len(arms) + 1}/{len(arms) + 1}] compare", file=sys.stderr)
    found = compare(
        list(names.values()),
        name=comparison,
        state=names.get(f"{options.task}-state"),
        pixels=names.get("reach-pixels" if options.task == "reach" else "push-step2"),
    )
    print(as_text(found))
    for row in found["rows"]:
        if earlier := [str(seed) for seed in row["seeds"] if seed not in options.seeds]:
            print(f"{row['arm']}: counts its earlier results too, of seeds {', '.join(earlier)}")
    return 0


def _comparison(task: str, small: bool, own: tuple[str, ...], arms: tuple[str, ...]) -> str:
    """The task's comparison is of its own arms; a comparison of others has a name of its own."""
    from labs.experiments.presets import effective

    name = f"compare-{task}" + ("-smoke" if small else "")
    if arms == tuple(effective(arm, small=small).arm for arm in own):
        return name
    return f"{name}-{hashlib.sha256(' '.join(arms).encode()).hexdigest()[:6]}"


@dataclass(frozen=True)
class DemoOptions:
    """Minutes on a CPU that show the critic's loss falling in phase 1 of Push from pixels."""

    total_steps: int | None = None
    """environment steps; the preset's when left out"""
    again: bool = False
    """run although the result is there"""


def demo(argv: list[str]) -> int:
    options = parse(DemoOptions, argv, "pixels demo")
    from labs.artifacts import load_artifact
    from labs.experiments.launch import train_arm

    changed = {} if options.total_steps is None else {"total_steps": options.total_steps}
    (path,) = train_arm("push-demo", [0], changed, again=options.again)
    table = load_artifact(path).table()[["step", "success", "critic_loss", "actor_loss"]]
    print(table.to_string(index=False))
    print(_phase_1(table["critic_loss"].dropna().tolist(), table["success"].iloc[-1]))
    return 0


def _phase_1(losses: list[float], success: float) -> str:
    """What a short run shows of phase 1: its critic's losses in their order, its last success."""
    if len(losses) < 2:
        return "too short for two losses of the critic: raise --total-steps"
    shown = f"critic loss {losses[0]:.3g} -> {losses[-1]:.3g}, success {success:.0%}."
    if losses[-1] < losses[0] and success <= 0.25:  # one of four may lie at its goal by luck
        return f"{shown} Phase 1: the loss falls while success stays at the floor."
    return f"{shown} Phase 1 is a loss that falls while success stays at the floor; this is not."
