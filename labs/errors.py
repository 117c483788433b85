"""What a reader at the command line may meet: one exception, a name that was meant, and one line at
most at the end."""

from __future__ import annotations

import difflib
import errno
import os
import sys
from collections.abc import Callable, Collection


class UserError(Exception):
    """Something the reader can mend: a wrong flag, a missing file, a damaged artifact, no GL.

    The message is one line: what is wrong, then what to do. The program ``pixels`` prints it on
    standard error and exits with code 2.
    """


def nearest(name: str, known: Collection[str], cutoff: float = 0.6) -> str | None:
    """The known name that an unknown one is most like; None where none is like it.

    Args:
        name: the unknown one.
        known: what it may be.
        cutoff: how like at least, from 0 to 1 (the same), as :mod:`difflib` measures it.
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def closest(name: str, known: Collection[str]) -> str:
    """What to say of an unknown name: the nearest known one, or where they stand."""
    if near := nearest(name, known):
        return f"did you mean {near!r}?"
    few = len(known) <= 20
    return f"choose one of {', '.join(known)}" if few else "pixels train --help lists all"


def ending(program: str, command: Callable[[], int]) -> int:
    """Runs a command that ends in one line at most, however it ends. Returns the exit code."""
    try:
        try:
            _settle()
            return command()
        finally:
            sys.stdout.flush()  # here, where a full disk can still be told
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        _drop_output()
        return 0
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return 130
    except OSError as error:
        if error.errno != errno.ENOSPC:
            if error.filename is None:
                raise
            print(
                f"{program}: {error.filename}: {error.strerror}: mend that, and try again",
                file=sys.stderr,
            )
            return 2
        _drop_output()
        full = "the disk or the output is full: make room, and try again"
        print(f"{program}: {full}", file=sys.stderr)
        return 2


def _settle() -> None:
    """Output that takes every letter, though closed, and folders that stay the reader's."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))
        elif getattr(stream, "errors", "") == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UserError("the current folder is gone: cd to one that is there") from error
    for name in ("PIXELS_DATA", "PIXELS_RUNS"):  # a training runs in another folder than the reader
        if os.environ.get(name):
            os.environ[name] = os.path.abspath(os.environ[name])


def _drop_output() -> None:
    """What waits in standard output cannot be written: the interpreter must not try at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
