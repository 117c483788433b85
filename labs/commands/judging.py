"""Commands that judge what was trained: play it, compare it, list it, fetch it, ask the claims."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from tyro.conf import Positional

from labs.errors import UserError
from labs.flags import NoOptions, parse


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


def eval_(argv: list[str]) -> int:
    options = parse(EvalOptions, argv, "pixels eval")
    from tqdm import tqdm

    from labs.artifacts import data_root, load_artifact, seeds_of
    from labs.experiments.backend import ensure_gl

    if options.episodes < 1:
        raise UserError(f"--episodes {options.episodes} measures nothing: give 1 or more")
    first = load_artifact(seeds_of(options.arm)[0])
    ensure_gl(first.parameters.get("observation") == "pixels")
    # From here on mujoco is imported.
    from labs.experiments import evaluate
    from labs.experiments.policies import WEIGHTS, load_policy

    folders = [p for p in seeds_of(options.arm) if not load_artifact(p).left_out(WEIGHTS)]
    if options.seeds or not folders:
        folders = [data_root() / options.arm / f"seed{k}" for k in options.seeds or (0,)]
    policy = None
    for folder in folders:
        policy = load_policy(folder)
        name = f"{folder.parent.name}/{folder.name}"
        modes = 2 + len(evaluate.controls_of(policy.config)) * options.controls
        with tqdm(total=modes * options.episodes, unit="episode", desc=name, leave=False) as bar:
            found = evaluate.evaluate(
                policy,
                policy.config,
                options.episodes,
                controls=options.controls,
                after_episode=bar.update,
            )
        print(f"{name:<40} {_training(load_artifact(folder).json('evaluation.json'))}")
        for mode in ("deterministic", "stochastic"):
            _print_score(f"{name} {mode}", found[mode])
        for control, score in found["controls"].items():
            _print_score(f"{name} {control} images", score)
    if options.floors and policy is not None:
        for name, score in evaluate.floors(policy.config.task, options.episodes).items():
            _print_score(name, score)
    return 0


def _training(recorded: dict[str, Any]) -> str:
    from labs.experiments.plan import duration

    return (
        f"trained in {duration(recorded['training_time_s'])}, {recorded['steps']:,} steps at "
        f"{recorded['training_frames_per_second']:.0f} a second, {recorded['updates']:,} updates"
    )


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


def compare(argv: list[str]) -> int:
    options = parse(CompareOptions, argv, "pixels compare")
    from labs.claims.compare import as_text, compare

    found = compare(options.arms, name=options.name, state=options.state, pixels=options.pixels)
    print(as_text(found))
    return 0


@dataclass(frozen=True)
class FetchOptions:
    """Get the files of finished runs that git has no room for from the mirror PIXELS_MIRROR."""

    arm: Positional[str]
    """name of an arm with results"""
    seeds: tuple[int, ...] = ()
    """seeds of the runs; all when left out"""


def fetch(argv: list[str]) -> int:
    options = parse(FetchOptions, argv, "pixels fetch")
    from labs.artifacts import data_root, load_artifact, seeds_of
    from labs.experiments.fetch import fetch

    folders = seeds_of(options.arm)
    if options.seeds:
        folders = [data_root() / options.arm / f"seed{k}" for k in options.seeds]
    problems: list[str] = []
    for folder in folders:
        came, missed = fetch(load_artifact(folder))
        said = ", ".join(came) or ("nothing came" if missed else "nothing was left out")
        print(f"{folder.parent.name}/{folder.name}: {said}", flush=True)
        problems += missed
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{problems[0]}{more}")
    return 0


def require_data() -> None:
    """Raises UserError where nothing stands at the folder of results: its name is wrong."""
    from labs.artifacts import data_root

    if not data_root().is_dir():
        raise UserError(f"{data_root()} is no folder: set PIXELS_DATA to the one with the results")


def results(argv: list[str]) -> int:
    about = "What results exist, and where they come from. No flags."
    parse(NoOptions, argv, "pixels results", about=about)
    require_data()
    from labs.experiments.results import table

    text, damaged = table()
    print(text)
    return 2 if damaged else 0


def claims(argv: list[str]) -> int:
    about = "What was claimed, what came out, and how sure that is. No flags."
    parse(NoOptions, argv, "pixels claims", about=about)
    require_data()
    from labs.artifacts import data_root, list_artifacts
    from labs.claims.scoreboard import as_text

    print(as_text())
    if not list_artifacts():
        print(f"no results in {data_root()}: is PIXELS_DATA right?", file=sys.stderr)
    return 0
