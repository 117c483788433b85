"""The checks behind ``python -m labs.<module> --verify``, shared with the tests.

``labs/checks/<module>.py`` holds plain functions ``check_*()`` without arguments. The first line
of a check's docstring is its printed name; any exception is its failure, but for a ``UserError``.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Mapping

from labs.errors import UserError, ending


def collect(module: str) -> list[Callable[[], object]]:
    """Returns the ``check_*`` functions of ``labs.checks.<module>``, in the order of the file."""
    source = importlib.import_module(f"labs.checks.{module}")
    checks = [f for name, f in vars(source).items() if name.startswith("check_") and callable(f)]
    return [f for f in checks if f.__module__ == source.__name__]


def title_of(check: Callable[[], object]) -> str:
    """The printed name of a check: the first line of its docstring, else its function name."""
    doc = (check.__doc__ or "").strip().splitlines()
    return doc[0].rstrip(".") if doc else check.__name__


def run(module: str, title: str) -> int:
    """Runs every check of a module, one line each. Returns the exit code: 0, or 1 if any failed."""
    failed = []
    checks = collect(module)
    for check in checks:
        start = time.perf_counter()
        try:
            check()
        except UserError:
            raise
        except Exception as error:  # a check may fail in any way; the line below names it
            failed.append(check.__name__)
            reason = " ".join(str(error).split()) or "no message"
            print(f"  FAIL  {title_of(check)}: {type(error).__name__}: {reason}", flush=True)
        else:
            seconds = time.perf_counter() - start
            print(f"  ok    {title_of(check)} ({seconds:.1f} s)", flush=True)
    if failed or not checks:
        print(f"[FAILED] {title}: {', '.join(failed) or 'no check was found'}")
        return 1
    print(f"[ALL PASS] {title} verified")
    return 0


def module_main(
    module: str,
    *,
    title: str,
    modes: Mapping[str, tuple[str, Callable[[], object]]] | None = None,
    argv: list[str] | None = None,
) -> int:
    """The command line of a lab module: ``--verify`` and its own modes.

    Args:
        module: name of the module inside ``labs``.
        title: what the last line of ``--verify`` calls it.
        modes: flag name → (help line, function without arguments).
        argv: arguments; ``sys.argv`` when None.

    Returns:
        The exit code, as :func:`labs.errors.ending` has it.
    """
    program = f"python -m labs.{module}"
    return ending(program, lambda: _chosen(program, module, title, modes or {}, argv))


def _chosen(
    program: str,
    module: str,
    title: str,
    modes: Mapping[str, tuple[str, Callable[[], object]]],
    argv: list[str] | None,
) -> int:
    """Does what one flag of a lab module asks for."""
    parser = argparse.ArgumentParser(prog=program, description=title)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--verify", action="store_true", help="run every check of this module")
    for name, (help_line, _) in modes.items():
        choice.add_argument(f"--{name}", action="store_true", help=help_line)
    args = vars(parser.parse_args(argv))
    if args["verify"]:
        return run(module, title)
    chosen = next(name for name in modes if args[name.replace("-", "_")])
    result = modes[chosen][1]()
    return result if isinstance(result, int) else 0
