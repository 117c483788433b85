"""Which OpenGL draws, and with what: chosen before ``mujoco`` is imported, named, probed.

A machine without a screen draws through EGL (the graphics card, or software where there is none)
or through OSMesa (software). :func:`setup_gl` chooses, :func:`gl_renderer` names what really
draws, :func:`probe_gl` tries a backend in a process that may hang without harm.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

_PROBE = "from labs.gl import gl_renderer; print(gl_renderer()['renderer'])"
GL_LIBRARIES = {"egl": ("libEGL.so.1",), "osmesa": ("libOSMesa.so.8", "libOSMesa.so.6")}
GL_PACKAGES = "libegl1 libgl1-mesa-dri libosmesa6"


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
    """
    if sys.platform == "darwin":
        return os.environ.setdefault("MUJOCO_GL", "cgl")
    if backend := os.environ.get("MUJOCO_GL"):
        return backend
    if sys.platform.startswith("linux"):
        for name, libraries in GL_LIBRARIES.items():
            if _library_loads(libraries):
                os.environ["MUJOCO_GL"] = name
                return name
        return "none"
    return "glfw"


GL_BACKEND = setup_gl()


def gl_renderer() -> dict[str, object]:
    """Names what draws the pictures.

    EGL falls back to software silently, so the renderer's own name is the only honest answer.

    Returns:
        ``backend`` (``MUJOCO_GL``), ``renderer`` (OpenGL's ``GL_RENDERER``), ``software`` (bool).
    """
    import mujoco
    from OpenGL import GL

    model = mujoco.MjModel.from_xml_string("<mujoco/>")
    with mujoco.Renderer(model, 16, 16) as renderer:
        renderer.render()
        name = GL.glGetString(GL.GL_RENDERER)
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
