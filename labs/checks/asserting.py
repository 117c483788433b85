"""How a check says that bad input is refused, and by which words."""

from __future__ import annotations

from collections.abc import Callable


def raises(kind: type[Exception], call: Callable[[], object], *words: str) -> None:
    """Asserts that ``call()`` raises ``kind``, and that the message holds each of the words.

    Raises:
        AssertionError: nothing was raised, or the message lacks a word.
    """
    try:
        call()
    except kind as error:
        absent = [word for word in words if word not in str(error)]
        assert not absent, f"the message {str(error)!r} does not say {absent}"
    else:
        raise AssertionError(f"no {kind.__name__} was raised; expected one that says {words}")
