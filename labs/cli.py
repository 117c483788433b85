"""The program ``pixels``: every experiment of the book from the command line.

Each command imports what it needs when it runs, so that ``pixels --help`` is quick. What the
reader can mend ends as one line on standard error and exit code 2.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tyro.conf import OmitArgPrefixes, Positional

from labs.errors import UserError
from labs.experiments.config import RunConfig, closest
from labs.flags import parse


@dataclass(frozen=True)
class TrainOptions:
    """Train an arm once for each seed and leave data/<arm>/seed<k>. Killed runs go on."""

    config: OmitArgPrefixes[RunConfig]
    seeds: tuple[int, ...] = (0,)
    """seeds, one run each"""
    smoke: bool = False
    """a run of seconds that proves the pipeline and nothing else"""
    fast: bool = False
    """12 worker processes, native rendering, 3 updates a step"""
    again: bool = False
    """train although the result is there"""
    restart: bool = False
    """drop an earlier, unfinished run"""
    quiet: bool = False
    """no progress bar"""


def _arm_options(command: str, argv: list[str]) -> tuple[str, TrainOptions, dict[str, Any]] | None:
    """The arm, the flags, and the knobs that they change; None after ``--help``."""
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
    options = parse(TrainOptions, rest, f"pixels {command} {arm}", TrainOptions(base))
    given = options.config.as_dict()
    changed = {k: v for k, v in given.items() if v != base.as_dict()[k] and k != "seed"}
    return arm, options, changed


def _train(argv: list[str]) -> int:
    found = _arm_options("train", argv)
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


def _plan(argv: list[str]) -> int:
    found = _arm_options("plan", argv)
    if found is None:
        return 0
    arm, options, changed = found
    from labs.experiments.guards import check_resources
    from labs.experiments.plan import plan
    from labs.experiments.presets import effective
    from labs.experiments.train import runs_root

    config = effective(arm, options.seeds[0], changed, small=options.smoke, quick=options.fast)
    print(f"{config.arm}, each seed")
    for what, how_much in plan(config).items():
        print(f"{what:>18}: {how_much}")
    check_resources(config, runs_root())
    print("this machine has what one such run needs")
    return 0


# ----------------------------------------------------------------------------- the other commands


@dataclass(frozen=True)
class EvalOptions:
    """Play a trained policy on fixed seeds, deterministic and stochastic, with its controls."""

    arm: Positional[str]
    """name of an arm with results"""
    seeds: tuple[int, ...] = ()
    """seeds of the runs; all whose weights are here when left out"""
    episodes: int = 100
    """episodes in each mode"""
    controls: bool = True
    """blank, shuffled and frozen images for pixel policies"""
    floors: bool = False
    """also play doing nothing and acting at random"""


def _eval(argv: list[str]) -> int:
    options = parse(EvalOptions, argv, "pixels eval")
    from labs.artifacts import data_root, load_artifact, seeds_of
    from labs.experiments import evaluate
    from labs.experiments.policies import WEIGHTS, load_policy

    if options.episodes < 1:
        raise UserError(f"--episodes {options.episodes} measures nothing: give 1 or more")
    folders = [p for p in seeds_of(options.arm) if not load_artifact(p).left_out(WEIGHTS)]
    if options.seeds or not folders:
        folders = [data_root() / options.arm / f"seed{k}" for k in options.seeds or (0,)]
    policy = None
    for folder in folders:
        policy = load_policy(folder)
        found = evaluate.evaluate(
            policy, policy.config, options.episodes, controls=options.controls
        )
        name = f"{folder.parent.name}/{folder.name}"
        for mode in ("deterministic", "stochastic"):
            _print_score(f"{name} {mode}", found[mode])
        for control, score in found["controls"].items():
            _print_score(f"{name} {control} images", score)
    if options.floors and policy is not None:
        for name, score in evaluate.floors(policy.config.task, options.episodes).items():
            _print_score(name, score)
    return 0


def _print_score(name: str, score: dict[str, Any]) -> None:
    print(
        f"{name:<40} success {score['success_rate']:6.1%} "
        f"[{score['success_low']:.1%}, {score['success_high']:.1%}]  "
        f"return {score['return_mean']:7.2f}  distance {100 * score['final_distance_mean']:5.1f} cm"
        f"  {score['frames_per_second']:.0f} steps/s",
        flush=True,
    )


@dataclass(frozen=True)
class CompareOptions:
    """Put finished arms beside each other: table, times to 50 % and 90 %, rho, gap closure."""

    arms: Positional[tuple[str, ...]]
    """names of arms with results"""
    state: str | None = None
    """the arm that rho and gap closure are measured against"""
    pixels: str | None = None
    """the pixel arm without help"""
    name: str | None = None
    """also write the comparison to data/NAME"""


def _compare(argv: list[str]) -> int:
    options = parse(CompareOptions, argv, "pixels compare")
    from labs.experiments.compare import as_text, compare

    found = compare(options.arms, name=options.name, state=options.state, pixels=options.pixels)
    print(as_text(found))
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
    """12 worker processes, native rendering, 3 updates a step, for the pixel arms"""
    again: bool = False
    """train although the results are there"""
    quiet: bool = False
    """no progress bar"""


def _run(argv: list[str]) -> int:
    options = parse(RunOptions, argv, "pixels run")
    from labs.experiments import presets
    from labs.experiments.compare import as_text, compare
    from labs.experiments.launch import train_arm

    arms = options.arms or (presets.REACH_ARMS if options.task == "reach" else presets.PUSH_ARMS)
    overrides = {} if options.total_steps is None else {"total_steps": options.total_steps}
    quick = {arm: options.fast and presets.preset(arm).has_images for arm in arms}
    names = {}
    for arm in arms:  # every contradiction shows before the first run
        first = presets.effective(arm, 0, overrides, small=options.smoke, quick=quick[arm])
        names[arm] = first.arm
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
        name=f"compare-{options.task}" + ("-smoke" if options.smoke else ""),
        state=names.get(f"{options.task}-state"),
        pixels=names.get("reach-pixels" if options.task == "reach" else "push-step2"),
    )
    print(as_text(found))
    return 0


@dataclass(frozen=True)
class PlotOptions:
    """Draw a figure from results."""

    kind: Positional[Literal["curves", "phases", "steps"]]
    """curves: success of arms; phases: success and losses of one run; steps: the investigation"""
    arms: Positional[tuple[str, ...]] = ()
    """arms; for phases one run, such as push-step2/seed0"""
    out: str = "figure.png"
    """the file; its suffix (.png, .svg, .pdf) says the format"""
    source: bool = False
    """mark what the source manuscript reports"""


def _plot(argv: list[str]) -> int:
    options = parse(PlotOptions, argv, "pixels plot")
    import matplotlib

    matplotlib.use("Agg")
    from labs.figures import curves

    if options.kind == "curves":
        figure = curves.success_curves(options.arms, source=options.source)
    elif options.kind == "phases":
        if len(options.arms) != 1:
            raise UserError("phases draws one run: pixels plot phases push-step2/seed0")
        figure = curves.three_phases(options.arms[0], source=options.source)
    else:
        from labs.artifacts import data_root
        from labs.figures.ledger import push_floor

        floor = push_floor() if (data_root() / "push-floor").exists() else None
        figure = curves.five_steps(options.arms or curves.STEP_ARMS, floor=floor)
    return _save(figure, options.out)


def _save(figure, out: str) -> int:
    from labs.figures.style import save_figure

    try:
        print(save_figure(figure, out))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {out} ({error}): give --out figure.png, say") from error
    return 0


@dataclass(frozen=True)
class FrameOptions:
    """Draw what the policy sees, with the sizes of gripper, block and goal in pixels."""

    task: Literal["reach", "push"] = "push"
    """the task"""
    cameras: tuple[str, ...] = ("default", "workspace")
    """cameras, one picture each"""
    size: int = 84
    """height and width in pixels"""
    seed: int = 0
    """seed of the start"""
    out: str = "frame.png"
    """the file"""


def _frame(argv: list[str]) -> int:
    options = parse(FrameOptions, argv, "pixels frame")
    import matplotlib

    matplotlib.use("Agg")
    from labs.figures.frame import frame_sizes

    figure = frame_sizes(
        options.task, cameras=options.cameras, size=options.size, seed=options.seed
    )
    return _save(figure, options.out)


@dataclass(frozen=True)
class NoOptions:
    """No flags."""


def _probe(argv: list[str]) -> int:
    parse(NoOptions, argv, "pixels probe")
    from labs.routing_probe import main as probe

    probe()
    return 0


@dataclass(frozen=True)
class DemoOptions:
    """Minutes on a CPU that show the critic's loss falling in phase 1 of Push from pixels."""

    total_steps: int | None = None
    """environment steps; the preset's when left out"""
    again: bool = False
    """run although the result is there"""


def _demo(argv: list[str]) -> int:
    options = parse(DemoOptions, argv, "pixels demo")
    from labs.artifacts import load_artifact
    from labs.experiments.launch import train_arm

    changed = {} if options.total_steps is None else {"total_steps": options.total_steps}
    (path,) = train_arm("push-demo", [0], changed, again=options.again)
    table = load_artifact(path).table()[["step", "success", "critic_loss", "actor_loss"]]
    print(table.to_string(index=False))
    losses = table["critic_loss"].dropna()
    if len(losses) > 1:
        print(
            f"critic loss {losses.iloc[0]:.3g} -> {losses.iloc[-1]:.3g}, success "
            f"{table['success'].iloc[-1]:.0%}. In phase 1 the loss falls while success stays at "
            "the floor: the critic learns that everything fails."
        )
    return 0


def _results(argv: list[str]) -> int:
    parse(NoOptions, argv, "pixels results")
    from labs.experiments.results import table

    text, damaged = table()
    print(text)
    return 2 if damaged else 0


def _claims(argv: list[str]) -> int:
    parse(NoOptions, argv, "pixels claims")
    from labs.experiments.claims import as_text

    print(as_text())
    return 0


def _doctor(argv: list[str]) -> int:
    parse(NoOptions, argv, "pixels doctor")
    from labs.experiments.doctor import report

    return report()


@dataclass(frozen=True)
class MeasureOptions:
    """Measure the tasks or an encoder, without reinforcement learning; leaves data/NAME."""

    name: Positional[
        Literal[
            "push-floor",
            "visibility",
            "gradient-routing",
            "shift-keypoints",
            "perception",
            "gallery",
        ]
    ]
    """push-floor: doing nothing; visibility: pixels of each thing; gradient-routing: which loss
    reaches which encoder; shift-keypoints: what a random shift does to keypoints; perception: what
    an encoder can see, in millimetres (an hour and more); gallery: episodes of good and bad
    policies, frame by frame (ten minutes)"""
    seeds: int = 3
    """perception: seeds of each cell"""
    minutes: float | None = None
    """perception: after these, start no further cell and write what is there"""


def _measure(argv: list[str]) -> int:
    options = parse(MeasureOptions, argv, "pixels measure")
    if options.name == "perception":
        from labs.experiments.perception import perception

        artifact = perception(options.seeds, options.minutes)
    elif options.name == "shift-keypoints":
        from labs.experiments.shift_keypoints import shift_keypoints

        artifact = shift_keypoints()
    elif options.name == "gallery":
        from labs.experiments.gallery import gallery

        artifact = gallery()
    else:
        from labs.experiments.measure import MEASUREMENTS

        artifact = MEASUREMENTS[options.name]()
    print(artifact.path)
    return 0


def _campaign(argv: list[str]) -> int:
    import psutil

    from labs.experiments.campaign import CampaignOptions, campaign

    options = parse(CampaignOptions, argv, "pixels campaign")
    return campaign(options, started=psutil.Process().create_time())


def _bench(argv: list[str]) -> int:
    from labs.bench.program import BenchOptions, bench

    return bench(parse(BenchOptions, argv, "pixels bench"))


def _sweep(argv: list[str]) -> int:
    from labs.experiments.sweep import SweepOptions, sweep

    return sweep(parse(SweepOptions, argv, "pixels sweep"))


def _search(argv: list[str]) -> int:
    from labs.experiments.search import SearchOptions, search

    options = parse(SearchOptions, argv, "pixels search")
    print(search(options.arm, options.steps).path)
    return 0


# ------------------------------------------------------------------------------------ the program

COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "train": ("train an arm, one run for each seed", _train),
    "plan": ("what a run needs in memory, disk and time; nothing is trained", _plan),
    "eval": ("play a trained policy on fixed seeds, with controls and floors", _eval),
    "run": ("train and evaluate every arm of reach or push, then compare", _run),
    "compare": ("put finished arms beside each other", _compare),
    "plot": ("draw learning curves, the three phases, the five steps", _plot),
    "frame": ("draw what the policy sees, with sizes in pixels", _frame),
    "measure": ("floors, pixel counts, gradients, what an encoder can see", _measure),
    "probe": ("which loss gives the encoder a gradient, in three routings", _probe),
    "demo": ("ten minutes on a CPU: phase 1 of Push from pixels", _demo),
    "bench": ("the fast path beside the stock route, on this machine", _bench),
    "sweep": ("many arms and seeds on Ray, here or on a cluster", _sweep),
    "search": ("train an arm with one setting changed at a time, on a spare seed", _search),
    "campaign": (
        "many arms on one GPU within a budget of minutes; goes on",
        _campaign,
    ),
    "results": ("what results exist, and where they come from", _results),
    "claims": ("what was claimed, what came out, and how sure that is", _claims),
    "doctor": ("is this machine ready, and what to do where it is not", _doctor),
}


def usage() -> str:
    """The help of the program itself."""
    lines = ["usage: pixels COMMAND [...]", "", "The experiments of the book.", ""]
    lines += [f"  {name:<9} {line}" for name, (line, _) in COMMANDS.items()]
    lines += ["", "Each command explains itself: pixels COMMAND --help"]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Runs one command. Returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    try:
        if argv[0] not in COMMANDS:
            raise UserError(f"unknown command {argv[0]!r}: {closest(argv[0], COMMANDS)}")
        return COMMANDS[argv[0]][1](argv[1:])
    except UserError as error:
        print(f"pixels: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    raise SystemExit(main())
