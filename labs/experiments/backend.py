"""The OpenGL backend of a run that draws: tried before anything waits for it.

A library that loads may still hang at its first frame. A frame drawn by a process of its own
tells, in a few seconds. That EGL drew is remembered, for this Python, until the machine starts
again; that it did not is tried anew, and what the reader chose is never tried.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from pathlib import Path

from labs.artifacts import runs_root, write_atomically

BOOT = Path("/proc/sys/kernel/random/boot_id")


def _machine() -> list[str]:
    """This boot of this machine and this Python; empty where the system does not tell boots."""
    try:
        return [BOOT.read_text().strip(), socket.gethostname(), sys.executable]
    except OSError:
        return []


def _remembered(path: Path) -> str | None:
    """The renderer that EGL drew with earlier in this boot."""
    try:
        found = json.loads(path.read_text())
        return str(found["renderer"]) if found["machine"] == _machine() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ensure_gl(draws: bool = True) -> str:
    """Before ``mujoco`` is imported: EGL if it draws, else OSMesa, and says which.

    What the reader chose by ``MUJOCO_GL`` is left alone, and so is a process that draws already.
    A failure is not remembered: somebody may have mended it.

    Args:
        draws: whether anything will be drawn; else nothing is tried and nothing said.

    Returns:
        The backend.

    Raises:
        UserError: the backend that was chosen draws nothing, or none does.
    """
    from labs import gl

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    if not draws:
        return gl.GL_BACKEND
    gl.require_gl()
    if "mujoco" in sys.modules:
        return gl.GL_BACKEND
    if gl.ASKED or gl.GL_BACKEND != "egl":
        say(f"OpenGL: {gl.GL_BACKEND}")
        return gl.GL_BACKEND
    path = runs_root() / "gl.json"
    renderer = _remembered(path)
    if renderer is None:
        backend, renderer = gl.working_gl(("egl", "osmesa"), say=say)
        if backend == "egl" and (machine := _machine()):
            with contextlib.suppress(OSError):  # it only saves time
                write_atomically(path, json.dumps({"machine": machine, "renderer": renderer}))
    say(f"OpenGL: {gl.GL_BACKEND}, {renderer}")
    return gl.GL_BACKEND
