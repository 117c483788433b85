"""Who may stop a run: SIGTERM, SIGUSR1, Ctrl-C, and the death of the program that launched it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

from labs.errors import UserError


class Stopped(UserError):
    """The run was asked to stop, saved itself, and can go on."""


def launcher_is_gone() -> bool:
    """Whether the program that started this notebook's process was killed."""
    pid = os.environ.get("PIXELS_LAUNCHER")
    if not pid:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it lives, under another user
    return False


#: Save yourself and end; and: evaluate what you have and end.
SAVE, FINISH = signal.SIGTERM, getattr(signal, "SIGUSR1", signal.SIGTERM)


def is_told_to_finish(number: int | None) -> bool:
    """Whether the signal that a run got asks for its evaluation.

    Where the system has no SIGUSR1, FINISH is SAVE, and a run only saves itself.
    """
    return number == FINISH != SAVE


@contextlib.contextmanager
def stop_on_signal(ask: Callable[[int], None]) -> Iterator[None]:
    """Calls ``ask(signal number)`` on these signals instead of dying.

    Python takes signals in the main thread only; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {n: signal.signal(n, lambda number, frame: ask(number)) for n in {SAVE, FINISH}}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ctrl_c_saves() -> Iterator[None]:
    """Ctrl-C asks the run in this very process to save itself and end; a second one kills it.

    For programs that train without a notebook's process in between; elsewhere than in the main
    thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        saves = signal.getsignal(SAVE)
        if not callable(saves):  # no run is set up to take it
            raise KeyboardInterrupt
        print("\nstopping, after the current episode at the latest ...", file=sys.stderr)
        saves(SAVE, frame)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
