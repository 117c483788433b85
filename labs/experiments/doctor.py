"""Is this machine ready, and what to do where it is not."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from labs.artifacts import data_root, nearest, refuse_unwritable, runs_root
from labs.errors import UserError
from labs.limits import free_memory
from labs.mixed_precision import mixed_precision
from labs.provenance import GIB, hardware, repository_root, versions


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: what was looked at.
        value: what was found.
        remedy: what to do; empty where nothing is wrong.
        blocking: nothing works before it is done.
    """

    name: str
    value: str
    remedy: str = ""
    blocking: bool = False


def _python() -> Finding:
    remedy = "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer, then make book"
    return Finding("Python", platform.python_version(), remedy, bool(remedy))


def _packages() -> Iterator[Finding]:
    lock = repository_root() / "requirements.lock"
    pins = {}
    if lock.exists():
        pins = dict(line.split("==") for line in lock.read_text().split() if "==" in line)
    for name, found in versions().items():
        if name == "python":
            continue
        pinned = pins.get(name)
        same = pinned is None or found.split("+")[0] == pinned
        remedy = "" if same else f"the lock says {pinned}: make book installs it"
        yield Finding(name, found, remedy)


def _gl() -> Finding:
    try:
        from labs.gl import GL_BACKEND, GL_PACKAGES, probe_gl
    except UserError as error:  # of MUJOCO_GL
        what, _, remedy = str(error).partition(": ")
        return Finding("OpenGL", what, remedy, True)
    renderer = probe_gl(GL_BACKEND) if GL_BACKEND != "none" else None
    if renderer is None:
        return Finding(
            "OpenGL",
            f"{GL_BACKEND} draws nothing",
            f"sudo apt-get install -y {GL_PACKAGES}, or set MUJOCO_GL=osmesa",
            True,
        )
    return Finding("OpenGL", f"{GL_BACKEND}: {renderer}")


def _kernel() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding(
            "Jupyter kernel", "missing", f"{sys.executable} -m ipykernel install --sys-prefix", True
        )
    return Finding("Jupyter kernel", spec.display_name)


def _video() -> Finding:
    import imageio_ffmpeg

    try:
        return Finding("ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
    except RuntimeError:
        return Finding("ffmpeg", "missing", "pip install --force-reinstall imageio-ffmpeg")


def _memory() -> Finding:
    free = free_memory() / GIB
    remedy = "" if free > 2 else "Reach from state needs 1 GiB, pixels more: close programs"
    return Finding("memory free", f"{free:.1f} GiB", remedy)


def _disk() -> Iterator[Finding]:
    for what, wanted, name in (
        ("disk free, results", data_root(), "PIXELS_DATA"),
        ("disk free, runs", runs_root(), "PIXELS_RUNS"),
    ):
        free = shutil.disk_usage(nearest(wanted)).free / GIB
        remedy, blocking = "" if free > 2 else f"free some space, or set {name}", False
        try:
            refuse_unwritable(wanted, name)
        except UserError as error:
            remedy, blocking = str(error), True
        yield Finding(what, f"{free:.1f} GiB", remedy, blocking)


def findings() -> Iterator[Finding]:
    """Looks at everything, one thing after the other."""
    yield _python()
    yield from _packages()
    facts = hardware()
    short = "with" if mixed_precision("cpu") else "without"
    yield Finding("CPU", f"{facts['cpu']}, {facts['cores']} cores, {short} bfloat16")
    slow = "pixel arms of 84 × 84 take days on a CPU; Reach from state and small pictures minutes"
    yield Finding("GPU", facts["gpu"] or f"none ({slow})")
    yield _memory()
    yield from _disk()
    yield _gl()
    yield _kernel()
    yield _video()


def report() -> int:
    """Prints the findings. Returns 0 if everything can run.

    Raises:
        UserError: something blocks; the findings above say what to do.
    """
    blocked = 0
    for found in findings():
        mark = "ok " if not found.remedy else "!! "
        print(f"{mark} {found.name:<20} {found.value}", flush=True)
        if found.remedy:
            print(f"    -> {found.remedy}")
        blocked += found.blocking
    if blocked:
        raise UserError(f"{blocked} problem(s) above must be solved before anything can run")
    print("ready: pixels train reach-state --smoke")
    return 0
