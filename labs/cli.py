"""The program ``pixels``: every experiment of the book from the command line.

The commands stand in :mod:`labs.commands`. What the reader can mend ends as one line on standard
error and exit code 2.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from labs.commands import drawing, judging, many, measuring, training
from labs.errors import UserError, closest, ending

COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "train": ("train an arm, one run for each seed", training.train),
    "plan": ("what a run needs in memory, disk and time; nothing is trained", training.plan),
    "eval": ("play a trained policy on fixed seeds, with controls and floors", judging.eval_),
    "run": ("train and evaluate every arm of reach or push, then compare", training.run),
    "compare": ("put finished arms beside each other", judging.compare),
    "plot": ("draw learning curves, the three phases, the five steps", drawing.plot),
    "frame": ("draw what the policy sees, with sizes in pixels", drawing.frame),
    "measure": ("floors, pixel counts, gradients, what an encoder can see", measuring.measure),
    "probe": ("which loss gives the encoder a gradient, in each routing", measuring.probe),
    "demo": ("ten minutes on a CPU: phase 1 of Push from pixels", training.demo),
    "bench": ("the fast path beside the stock route, on this machine", measuring.bench),
    "sweep": ("many arms and seeds on Ray, here or on a cluster", many.sweep),
    "search": ("train an arm with one setting changed at a time, on a spare seed", many.search),
    "campaign": (
        "many arms on one GPU within a budget of minutes; goes on",
        many.campaign,
    ),
    "fetch": ("get the weights and films that git has no room for, from a mirror", judging.fetch),
    "results": ("what results exist, and where they come from", judging.results),
    "claims": ("what was claimed, what came out, and how sure that is", judging.claims),
    "doctor": ("is this machine ready, and what to do where it is not", measuring.doctor),
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
    return ending("pixels", lambda: _command(argv))


def _command(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if argv[0] not in COMMANDS:
        raise UserError(f"unknown command {argv[0]!r}: {closest(argv[0], COMMANDS)}")
    return COMMANDS[argv[0]][1](argv[1:])


if __name__ == "__main__":
    raise SystemExit(main())
