"""How an exercise answers: with the likely mistake, not with a traceback."""

from __future__ import annotations

from collections.abc import Callable


def attempt(check: Callable[..., object], *answer: object) -> None:
    """Tries an exercise's check on a reader's answer and says how it went.

    Args:
        check: raises AssertionError whose message names the likely mistake.
        answer: what the reader wrote; passed on to ``check``.
    """
    try:
        check(*answer)
    except AssertionError as mistake:
        print(f"Not yet: {mistake}")
    except Exception as error:  # whatever a reader's code may raise
        print(f"Not yet: your code stopped with {type(error).__name__}: {error}")
    else:
        print("Passed.")
