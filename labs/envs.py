"""Fetch tasks, cameras, lean scenes and the GL backend: where every frame of the book comes from.

* :func:`make_env`: a FetchReachDense-v4 or FetchPush-v4 with a named camera and scene.
* :class:`Camera`, :data:`CAMERAS`: where the picture is taken from.
* :class:`Scene`, :data:`SCENES`: what the picture contains, and what it therefore costs.
* :class:`SceneRenderer`: the wrapper that draws frames and counts pixels by segmentation.
* :mod:`labs.gl` chooses and names the OpenGL that draws; its functions are found here too, and
  what most readers of frames need of :mod:`labs.tasks`.

The physics is Gymnasium-Robotics' own and stays untouched: with the stock camera and scene the
frames equal the stock environment's, pixel for pixel (a check holds them to it).
"""

from __future__ import annotations

import atexit
import warnings
import weakref
from dataclasses import dataclass, replace

import numpy as np

from labs.errors import UserError
from labs.gl import (  # before mujoco: it reads the chosen backend  # noqa: F401  (readers look for them here)
    GL_BACKEND,
    GL_PACKAGES,
    gl_failure,
    gl_renderer,
    probe_gl,
    require_gl,
    setup_gl,
)
from labs.limits import usable_cores
from labs.tasks import (  # noqa: F401  (offered here too)
    DISTANCE_THRESHOLD,
    ENV_IDS,
    EPISODE_STEPS,
    PROPRIO_INDICES,
    Stream,
    own_stream,
)

# isort: split
from farama_notifications import notifications

notifications.pop("gymnasium_robotics", None)  # a notice about hand tasks that nobody here uses

import gymnasium as gym  # noqa: E402
import gymnasium_robotics  # noqa: E402
import mujoco  # noqa: E402

gym.register_envs(gymnasium_robotics)

# ------------------------------------------------------------------------------ camera and scene


@dataclass(frozen=True)
class Camera:
    """A free camera that looks at a point.

    Attributes:
        azimuth: degrees about the vertical axis.
        elevation: degrees; negative looks down.
        distance: meters from ``lookat``.
        lookat: (x, y, z) in meters, world frame.
    """

    azimuth: float = 132.0
    elevation: float = -14.0
    distance: float = 2.5
    lookat: tuple[float, float, float] = (1.3, 0.75, 0.55)

    def to_mujoco(self) -> mujoco.MjvCamera:
        """The same camera as MuJoCo's struct."""
        camera = mujoco.MjvCamera()
        camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        camera.fixedcamid = -1
        camera.azimuth, camera.elevation = self.azimuth, self.elevation
        camera.distance = self.distance
        camera.lookat[:] = self.lookat
        return camera


#: The two cameras that the book compares.
CAMERAS = {
    "default": Camera(),  # Gymnasium-Robotics' own: the whole robot from the side
    "workspace": Camera(azimuth=90.0, elevation=-45.0, distance=0.85, lookat=(1.34, 0.75, 0.42)),
}

#: Several cameras at once, their pictures side by side. In Reach the goal hangs in the air, and one
#: view leaves its depth open.
VIEWS = {
    "pair": (
        CAMERAS["workspace"],
        Camera(azimuth=180.0, elevation=-20.0, distance=0.85, lookat=(1.34, 0.75, 0.48)),
    ),
}


@dataclass(frozen=True)
class Scene:
    """What is drawn. Each option that is switched off saves time; none touches the physics.

    Attributes:
        samples: multi-sampling per pixel, 0 or a power of two. 4 is stock; 0 is two to three times
            faster in software and leaves jagged edges.
        shadows: draw the lights' shadows. The Fetch scenes' only light casts none, so this
            saves nothing there; it is named because it costs much wherever a light does. Where
            none are drawn, no shadow map is kept: 64 MB and an eighth of a second for each
            environment.
        skybox: draw the background; without it, black.
        arm: draw the arm and the base. The gripper is always drawn.
        mocap_bars: draw the translucent bars of the mocap body that pulls the gripper.
        goal_sphere: draw the target. In Push it shows the *original* goal even after HER has
            replaced it; in Reach from the image alone it is the only trace of the goal.
    """

    samples: int = 4
    shadows: bool = True
    skybox: bool = True
    arm: bool = True
    mocap_bars: bool = True
    goal_sphere: bool = True


SCENES = {
    "stock": Scene(),
    "lean": Scene(samples=0, shadows=False, skybox=False, arm=False, mocap_bars=False),
}

GRIPPER_BODIES = ("robot0:gripper_link", "robot0:r_gripper_finger_link")
GRIPPER_BODIES += ("robot0:l_gripper_finger_link",)
HIDDEN_GROUP = 5  # MuJoCo draws the groups 0 to 2
SEGMENTS = {"gripper": 1, "object": 2, "goal": 3}  # labels of a segmentation; 0 is the rest


_open_renderers: weakref.WeakSet[SceneRenderer] = weakref.WeakSet()


def _close_renderers() -> None:
    """Frees the GL contexts that are still open, so that the interpreter exits without noise."""
    for renderer in list(_open_renderers):
        renderer.close_context()


class SceneRenderer(gym.Wrapper):
    """Draws the environment with a chosen camera and scene, in a GL context of its own.

    The context is made current before each frame, so that several environments may live in one
    process. Drawing never steps the physics and changes none of its states: it moves the goal's
    site, and where a task with free fingers has left positions of bodies behind, it computes them
    anew from the same joint positions (``mj_forward``).

    Args:
        env: a Fetch environment made with ``width`` and ``height``.
        camera: the camera; may be replaced at any time (``env.camera = ...``). A tuple of cameras
            draws their pictures side by side, left to right.
        scene: the scene options; fixed, because multi-sampling belongs to the context.

    Attributes:
        sphere: where the goal sphere is drawn, (3,) in meters; None: where the goal is. May be
            replaced at any time.
    """

    def __init__(self, env: gym.Env, camera: Camera | tuple[Camera, ...], scene: Scene):
        super().__init__(env)
        self.camera = camera
        self.scene = scene
        self.sphere: np.ndarray | None = None
        self._renderer: mujoco.Renderer | None = None
        self._option = mujoco.MjvOption()
        model = self.unwrapped.model
        self._target = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, "target0")
        # The site hangs on a body that never moves: world position = body position + site position.
        self._target_origin = (self.unwrapped.data.site_xpos - model.site_pos)[self._target].copy()
        self._hide(model)

    def _hide(self, model: mujoco.MjModel) -> None:
        """Moves what the scene leaves out to a geom group that is never drawn."""
        for geom in range(model.ngeom):
            body = model.body(model.geom_bodyid[geom]).name
            if body == "robot0:mocap":
                shown = self.scene.mocap_bars
            elif body.startswith("robot0:") and body not in GRIPPER_BODIES:
                shown = self.scene.arm
            else:
                shown = True
            if not shown:
                model.geom_group[geom] = HIDDEN_GROUP
        if not self.scene.goal_sphere:
            model.site_group[self._target] = HIDDEN_GROUP

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the frames in pixels."""
        return self.unwrapped.height, self.unwrapped.width * len(self._cameras)

    @property
    def _cameras(self) -> tuple[Camera, ...]:
        return self.camera if isinstance(self.camera, tuple) else (self.camera,)

    def _get_renderer(self) -> mujoco.Renderer:
        if self._renderer is None:
            require_gl()
            model = self.unwrapped.model
            model.vis.quality.offsamples = self.scene.samples  # read when the context is made
            height, width = self.unwrapped.height, self.unwrapped.width
            model.vis.global_.offheight = max(height, model.vis.global_.offheight)
            model.vis.global_.offwidth = max(width, model.vis.global_.offwidth)
            if not (self.scene.shadows and model.light_castshadow.any()):
                model.vis.quality.shadowsize = 0  # a map of 64 MB for shadows that nobody casts
            try:
                self._renderer = mujoco.Renderer(model, height, width)
            except Exception as error:  # every backend has exceptions of its own
                raise gl_failure(error) from error
            if not _open_renderers:
                # After mujoco has registered its own exit handler, which ends GL: exit handlers
                # run in reverse, and contexts must go before GL does.
                atexit.unregister(_close_renderers)
                atexit.register(_close_renderers)
            _open_renderers.add(self)
        return self._renderer

    def _draw(self, shadows: bool = True) -> np.ndarray:
        env = self.unwrapped
        if not env.block_gripper:  # the two blocked tasks end each step with a forward pass
            mujoco.mj_forward(env.model, env.data)
        sphere = env.goal if self.sphere is None else self.sphere
        env.model.site_pos[self._target] = sphere - self._target_origin
        env.data.site_xpos[self._target] = sphere
        renderer = self._get_renderer()
        flags = renderer.scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self.scene.shadows and shadows
        flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = self.scene.skybox
        pictures = []
        for camera in self._cameras:
            renderer.update_scene(env.data, camera.to_mujoco(), self._option)
            pictures.append(renderer.render())
        return pictures[0] if len(pictures) == 1 else np.concatenate(pictures, axis=1)

    def render(self) -> np.ndarray | None:
        """Draws the current state.

        Returns:
            uint8 (H, W, 3), a fresh array, W times as wide with several cameras; None if
            ``render_mode`` is None.
        """
        if self.render_mode is None:
            return None
        return self._draw()

    def segmentation(self) -> np.ndarray:
        """Which thing each pixel shows, a label of :data:`SEGMENTS` or 0; uint8 (H, W).

        The translucent mocap bars hide nothing and are left out.
        """
        env = self.unwrapped
        model = env.model
        mocap = [g for g in range(model.ngeom) if model.body(model.geom_bodyid[g]).mocapid[0] >= 0]
        groups = model.geom_group[mocap].copy()
        model.geom_group[mocap] = HIDDEN_GROUP
        renderer = self._get_renderer()
        renderer.enable_segmentation_rendering()
        try:
            ids = self._draw(shadows=False)  # int32 (H, W, 2): object id, object type
        finally:
            renderer.disable_segmentation_rendering()
            model.geom_group[mocap] = groups
        body_of_geom = np.array([model.body(b).name for b in model.geom_bodyid])
        is_geom = ids[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM)
        is_site = ids[..., 1] == int(mujoco.mjtObj.mjOBJ_SITE)
        labels = np.zeros(ids.shape[:2], np.uint8)
        gripper = np.flatnonzero(np.isin(body_of_geom, GRIPPER_BODIES))
        block = np.flatnonzero(body_of_geom == "object0")
        labels[is_geom & np.isin(ids[..., 0], gripper)] = SEGMENTS["gripper"]
        labels[is_geom & np.isin(ids[..., 0], block)] = SEGMENTS["object"]
        labels[is_site & (ids[..., 0] == self._target)] = SEGMENTS["goal"]
        return labels

    def close_context(self) -> None:
        """Frees the GL context; the next frame would make a new one."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def close(self) -> None:
        self.close_context()
        super().close()


def segment(env: gym.Env) -> dict[str, int]:
    """Counts the pixels that show the gripper, the object and the goal sphere.

    Args:
        env: an environment of :func:`make_env`, possibly wrapped.

    Returns:
        Pixel counts by name. Reach has no object: its count is 0.
    """
    labels = env.get_wrapper_attr("segmentation")()
    return {name: int((labels == label).sum()) for name, label in SEGMENTS.items()}


def make_env(
    task: str,
    *,
    camera: str | Camera | tuple[Camera, ...] = "default",
    scene: str | Scene = "stock",
    image_size: int | tuple[int, int] | None = None,
    render_mode: str | None = "rgb_array",
    goal_sphere: bool | None = None,
    max_episode_steps: int | None = None,
) -> gym.Env:
    """Makes a Fetch task with a chosen camera and scene.

    Args:
        task: ``"reach"``, ``"push"``, or the id of a Fetch environment.
        camera: a name in :data:`CAMERAS` or :data:`VIEWS`, or a :class:`Camera`, or several.
        scene: a name in :data:`SCENES` or a :class:`Scene`.
        image_size: (height, width), or one number for both: the size at which frames are drawn.
            None draws the stock 480 × 480.
        render_mode: ``"rgb_array"``, or None for physics without pictures.
        goal_sphere: overrides the scene's ``goal_sphere``.
        max_episode_steps: overrides the 50 steps of an episode.

    Returns:
        The environment; ``render()`` gives uint8 (H, W, 3).

    Raises:
        UserError: unknown task, camera or scene, or an impossible size.
    """
    env_id = ENV_IDS.get(task, task)
    if env_id not in gym.registry or not env_id.startswith("Fetch"):
        raise UserError(f"unknown task {task!r}: choose one of {', '.join(ENV_IDS)}")
    camera = _look_up(camera, CAMERAS | VIEWS, (Camera, tuple), "camera")
    scene = _look_up(scene, SCENES, Scene, "scene")
    if goal_sphere is not None:
        scene = replace(scene, goal_sphere=goal_sphere)
    size = (480, 480) if image_size is None else image_size
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise UserError(f"image size {height} × {width} is impossible: both must be at least 1")
    kwargs = {} if max_episode_steps is None else {"max_episode_steps": max_episode_steps}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gymnasium warns of float64 boxes; nothing to mend here
        env = gym.make(env_id, render_mode=render_mode, width=width, height=height, **kwargs)
    return SceneRenderer(env, camera, scene)


def _look_up(value, table, kind, name):
    if isinstance(value, kind):
        return value
    if not isinstance(value, str) or value not in table:
        raise UserError(f"unknown {name} {value!r}: choose one of {', '.join(table)}")
    return table[value]


def worker_count(limit: int | None = None) -> int:
    """Environment workers that this machine can feed.

    Args:
        limit: at most so many.

    Returns:
        Its usable cores, and at least one.
    """
    cores = usable_cores()
    return max(1, min(cores, limit or cores))
