"""How an exercise answers: with the likely mistake, not with a traceback."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable


def attempt(check: Callable[..., object], *answer: object) -> None:
    """Tries an exercise's check on a reader's answer and says how it went.

    Args:
        check: raises AssertionError whose message names the likely mistake.
        answer: what the reader wrote; passed on to ``check``. Functions are watched on the way, to
            tell an error inside them from one that the check meets with what they returned.
    """
    stopped: list[tuple[str, Exception]] = []
    returned: list[tuple[str, object]] = []

    def watched(part: object) -> object:
        if not inspect.isroutine(part):  # a class, say: the check may ask what it is
            return part
        name = getattr(part, "__name__", "your code")

        @functools.wraps(part)
        def call(*args: object, **kwargs: object) -> object:
            try:
                result = part(*args, **kwargs)
            except Exception as error:
                stopped.append((name, error))
                raise
            returned[:] = [(name, result)]
            return result

        return call

    try:
        check(*map(watched, answer))
    except Exception as error:  # whatever a reader's code may raise
        print(f"Not yet: {_reason(error, stopped, returned)}")
    else:
        print("Passed.")


def _reason(
    error: Exception, stopped: list[tuple[str, Exception]], returned: list[tuple[str, object]]
) -> str:
    said = f"{type(error).__name__}: {error}"
    for name, own in stopped:
        if own is error:
            return f"{name} stopped with {said}"
    if isinstance(error, AssertionError):
        return str(error)
    if isinstance(error, NameError):
        return f"the check stopped with {said}: run the page's cells above first"
    if not returned:
        return f"your code stopped with {said}"
    name, result = returned[0]
    what = "None (is there a return?)" if result is None else f"of type {type(result).__name__}"
    return f"the check cannot use what {name} returned, {what}: {said}"
