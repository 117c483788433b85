"""Who may stop a run: SIGTERM, and the death of the program that launched it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator


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


@contextlib.contextmanager
def stop_on_sigterm(ask: Callable[[int], None]) -> Iterator[None]:
    """Calls ``ask(signal number)`` on SIGTERM instead of dying, so that a run can save itself.

    Python takes signals in the main thread only; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: ask(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
