"""Which OpenGL draws, and with what: chosen before ``mujoco`` is imported, named, probed.

A machine without a screen draws through EGL (the graphics card, or software where there is none)
or through OSMesa (software). :func:`setup_gl` chooses, :func:`gl_renderer` names what really
draws, :func:`probe_gl` tries a backend in a process that may hang without harm, and
:func:`working_gl` takes the first one that draws.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterable

from labs.errors import UserError

_PROBE = "from labs.gl import gl_renderer; print(gl_renderer()['renderer'])"
GL_LIBRARIES = {
    "egl": ("libEGL.so.1", "libEGL.so"),
    "osmesa": ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so"),
}
GL_PACKAGES = "libegl1 libgl1-mesa-dri libosmesa6"
_OFF = ("disable", "disabled", "off", "false", "0")  # mujoco's words for drawing nothing
_SCREEN = ("glfw", "glx", "wgl", "enable", "enabled", "on", "true", "1")  # and for a window


def _library_loads(names: tuple[str, ...]) -> bool:
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def setup_gl() -> str:
    """Chooses the OpenGL backend for headless rendering. Must run before ``mujoco`` is imported.

    An existing ``MUJOCO_GL`` is respected. On Linux without one, EGL is taken if its library
    loads, OSMesa otherwise. macOS draws with its own CGL.

    Returns:
        The name of the backend: ``"egl"``, ``"osmesa"``, ``"cgl"``, ``"glfw"``, or ``"none"``
        where no library was found: physics then works and the first frame raises.

    Raises:
        UserError: ``MUJOCO_GL`` names no backend, or one whose library is not there; importing
            ``mujoco`` would fail.
    """
    if asked := os.environ.get("MUJOCO_GL", "").lower().strip():
        _check(asked)
        return asked
    if sys.platform == "darwin":
        os.environ["MUJOCO_GL"] = "cgl"
        return "cgl"
    if sys.platform.startswith("linux"):
        for name, libraries in GL_LIBRARIES.items():
            if _library_loads(libraries):
                os.environ["MUJOCO_GL"] = name
                return name
        return "none"
    return "glfw"


def _check(backend: str) -> None:
    own = {"linux": ("egl", "osmesa"), "darwin": ("cgl",)}.get(sys.platform, ())
    if backend not in (*own, *_SCREEN, *_OFF):
        raise UserError(
            f"MUJOCO_GL={backend} names no OpenGL backend: unset MUJOCO_GL, or set it to one of "
            f"{', '.join((*own, 'glfw'))}"
        )
    if backend in own and backend in GL_LIBRARIES and not _library_loads(GL_LIBRARIES[backend]):
        raise UserError(
            f"MUJOCO_GL={backend}, and its library {GL_LIBRARIES[backend][0]} does not load: unset "
            f"MUJOCO_GL, or sudo apt-get install -y {GL_PACKAGES}"
        )


def load_triton() -> None:
    """Imports triton, where torch brought it along, before the first frame is drawn.

    Mesa's software OpenGL and triton each carry an LLVM. Loaded after Mesa's, triton's kills the
    process without a word, and torch loads it with the first optimizer. Loaded before, both work.
    """
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401


ASKED = bool(os.environ.get("MUJOCO_GL", "").strip())  # whether the reader or a parent chose
GL_BACKEND = setup_gl()
load_triton()


def require_gl() -> None:
    """Raises UserError where the backend that was chosen draws nothing at all."""
    if GL_BACKEND == "none":
        raise UserError(
            "no OpenGL library for headless rendering was found: "
            f"sudo apt-get install -y {GL_PACKAGES}"
        )
    if GL_BACKEND in _OFF:
        raise UserError(
            f"MUJOCO_GL={GL_BACKEND} draws nothing: unset MUJOCO_GL, or train from the state with "
            "--video-episodes 0"
        )


def gl_failure(error: Exception) -> UserError:
    """What to say of any exception of any backend, in one line."""
    reason = " ".join(str(error).split())[:200]
    return UserError(
        f"OpenGL backend {GL_BACKEND!r} failed ({reason}): set MUJOCO_GL=osmesa, "
        f"or sudo apt-get install -y {GL_PACKAGES}"
    )


def gl_renderer() -> dict[str, object]:
    """Names what draws the pictures.

    EGL falls back to software silently, so the renderer's own name is the only honest answer.

    Returns:
        ``backend`` (``MUJOCO_GL``), ``renderer`` (OpenGL's ``GL_RENDERER``), ``software`` (bool).

    Raises:
        UserError: nothing draws.
    """
    require_gl()
    try:
        import mujoco
        from OpenGL import GL

        model = mujoco.MjModel.from_xml_string("<mujoco/>")
        with mujoco.Renderer(model, 16, 16) as renderer:
            renderer.render()
            name = GL.glGetString(GL.GL_RENDERER)
    except Exception as error:  # every backend has exceptions of its own
        raise gl_failure(error) from error
    name = name.decode() if name else "unknown"
    software = any(word in name.lower() for word in ("llvmpipe", "softpipe", "swrast", "software"))
    return {"backend": GL_BACKEND, "renderer": name, "software": software}


def probe_gl(backend: str, timeout: float = 60.0) -> str | None:
    """Draws one frame in a process of its own: some drivers hang instead of failing.

    Args:
        backend: value of ``MUJOCO_GL`` to try.
        timeout: seconds after which the backend counts as broken.

    Returns:
        The renderer's name, or None if it failed or hung.
    """
    environment = {**os.environ, "MUJOCO_GL": backend}
    environment.pop("PYOPENGL_PLATFORM", None)  # set by mujoco for this process's own backend
    try:
        result = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return None
    return result.stdout.strip().splitlines()[-1] if result.returncode == 0 else None


def working_gl(
    backends: Iterable[str], *, timeout: float = 60.0, say: Callable[[str], None]
) -> tuple[str, str]:
    """Takes the first backend that draws, for this process and for those that it starts.

    Must run before ``mujoco`` is imported here.

    Args:
        backends: names, the preferred one first; each is tried once.
        timeout: seconds for each.
        say: told of each one that does not draw.

    Returns:
        The backend and its renderer's name.

    Raises:
        UserError: none draws.
    """
    global GL_BACKEND
    for backend in dict.fromkeys(backends):
        if renderer := probe_gl(backend, timeout):
            os.environ["MUJOCO_GL"] = GL_BACKEND = backend
            return backend, renderer
        say(f"OpenGL: {backend} draws nothing, or hangs")
    raise UserError("no OpenGL draws here: pixels doctor says what to install")
