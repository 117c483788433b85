"""The program ``pixels``: every experiment of the book from the command line.

Each command imports what it needs when it runs, so that ``pixels --help`` is quick. What the
reader can mend ends as one line on standard error and exit code 2.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tyro
from tyro.conf import OmitArgPrefixes

from labs.errors import UserError
from labs.experiments.config import FIELDS, RunConfig, closest


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


def _train(argv: list[str]) -> int:
    from labs.experiments import presets

    if not argv or argv[0].startswith("-"):
        if argv and argv[0] in ("-h", "--help"):
            print("usage: pixels train ARM [--seeds 0 1 2] [--KNOB VALUE ...]\n\narms:")
            for name, line in presets.SUMMARY.items():
                print(f"  {name:<18} {line}")
            print("\nEvery knob of an arm, with its value there: pixels train ARM --help")
            return 0
        raise UserError("name an arm first: pixels train reach-state (all: pixels train --help)")
    arm, rest = argv[0], argv[1:]
    base = presets.preset(arm)
    quick, small = "--fast" in rest, "--smoke" in rest
    base = presets.fast(base) if quick else base
    base = presets.smoke(base) if small else base
    options = parse(TrainOptions, rest, f"pixels train {arm}", TrainOptions(base))
    given = options.config.as_dict()
    changed = {k: v for k, v in given.items() if v != base.as_dict()[k] and k != "seed"}
    from labs.experiments.launch import train_arm

    done = train_arm(
        arm,
        options.seeds,
        changed,
        small=small,
        quick=quick,
        again=options.again,
        restart=options.restart,
        quiet=options.quiet,
    )
    from labs.artifacts import load_artifact
    from labs.experiments.plan import verdict

    for path in done:
        print(f"{path.parent.name}/{path.name}: {verdict(load_artifact(path))}")
    return 0


# ------------------------------------------------------------------------------------ the program

COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "train": ("train an arm, one run for each seed", _train),
}


def parse(kind: type, argv: Sequence[str], prog: str, default: Any = None):
    """Parses flags by a dataclass; a wrong one becomes one line.

    Raises:
        UserError: what is wrong with the flags.
        SystemExit: after ``--help``.
    """
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            if default is None:
                return tyro.cli(kind, args=list(argv), prog=prog)
            return tyro.cli(kind, args=list(argv), prog=prog, default=default)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UserError(_one_line(errors.getvalue(), prog)) from None


def _one_line(box: str, prog: str) -> str:
    """The message inside tyro's box."""
    lines = [line.strip("│╭╮╰╯─ ") for line in box.splitlines()[1:]]
    message: list[str] = []
    for line, raw in zip(lines, box.splitlines()[1:], strict=True):
        if "────" in raw and message:
            break
        message.append(line)
    text = " ".join(part for part in message if part).rstrip(".")
    if text.startswith("Unrecognized options: --"):
        flag = text.removeprefix("Unrecognized options: --").split(",")[0].split("=")[0]
        known = [name.replace("_", "-") for name in (*FIELDS, "seeds", "smoke", "fast")]
        near = difflib.get_close_matches(flag, known, n=1, cutoff=0.5)
        hint = f"did you mean --{near[0]}? " if near else ""
        return f"unknown flag --{flag}: {hint}(all flags: {prog} --help)"
    return f"{text}: see {prog} --help"


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
