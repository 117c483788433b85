"""Flags from dataclasses, and one line where a flag is wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from collections.abc import Sequence
from typing import Any

import tyro

from labs.errors import UserError, nearest


def parse(
    kind: type, argv: Sequence[str], prog: str, default: Any = None, *, about: str | None = None
):
    """Parses flags by a dataclass; a wrong one becomes one line.

    ``about``: what the command does, for its help; None: the dataclass says it.

    Raises:
        UserError: what is wrong with the flags.
        SystemExit: after ``--help``.
    """
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            given = {} if default is None else {"default": default}
            return tyro.cli(kind, args=list(argv), prog=prog, description=about, **given)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UserError(_one_line(errors.getvalue(), prog, kind, default)) from None


RULE = re.compile(r"^[\s│|+╭╰]*[─-]{4,}")


def _one_line(box: str, prog: str, kind: type, default: Any) -> str:
    """The message inside tyro's box, which is drawn in ASCII where the terminal needs it."""
    message: list[str] = []
    for line in box.splitlines()[1:]:
        if RULE.match(line) or line.startswith(("╰", "+")):
            if message:
                break
            continue
        message.append(line.strip(" │|"))
    text = " ".join(part for part in message if part).rstrip(".")
    text = re.sub(r"^(Missing from .*?\}).*", r"\1", text)  # its help is asked for below
    if text.startswith("Unrecognized options: --"):
        flag = text.removeprefix("Unrecognized options: --").split(",")[0].split("=")[0]
        names = [*vars(default), *vars(getattr(default, "config", default))] if default else []
        names += [f.name for f in dataclasses.fields(kind)]
        known = [name.replace("_", "-") for name in names if name != "seed"]  # asked as --seeds
        near = nearest(flag.removeprefix("no-"), known, cutoff=0.5)
        hint = f"did you mean --{near}? " if near else ""
        return f"unknown flag --{flag}: {hint}(all flags: {prog} --help)"
    return f"{text}: see {prog} --help"


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """No flags."""
