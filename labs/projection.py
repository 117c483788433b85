"""The geometry of a free camera: from the world into its picture, and back onto the table."""

from __future__ import annotations

import numpy as np

from labs.envs import Camera

FOVY = 45.0  # degrees: vertical field of view of MuJoCo's free camera in the Fetch scenes
TABLE_POINT = (1.34, 0.75, 0.425)  # meters: the middle of the block's square, at its height


def _pose(camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The eye's place in meters; unit vectors forward, to the right and down: float (3,) each."""
    azimuth, elevation = np.deg2rad([camera.azimuth, camera.elevation])
    forward = np.array(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
        ]
    )
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    eye = np.array(camera.lookat) - camera.distance * forward
    return eye, forward, right, np.cross(forward, right)


def _focal_length(side: int) -> float:
    """In pixels, for a square picture."""
    return side / 2 / np.tan(np.deg2rad(FOVY) / 2)


def project(camera: Camera, points: np.ndarray, side: int = 84) -> np.ndarray:
    """Where points of the world appear in a square picture of a free camera.

    Args:
        camera: the camera.
        points: float (..., 3), meters, world frame.
        side: height and width of the picture in pixels.

    Returns:
        float (..., 2): (row, column) in pixels; whole numbers are the centers of pixels.
    """
    eye, forward, right, down = _pose(camera)
    seen = np.asarray(points) - eye
    image = np.stack([seen @ down, seen @ right], axis=-1)
    image = _focal_length(side) * image / (seen @ forward)[..., None]
    return image + (side - 1) / 2


def to_table(
    camera: Camera, places: np.ndarray, height: np.ndarray | float, side: int = 84
) -> np.ndarray:
    """Follows the rays of picture points to a height above the ground.

    Args:
        camera: the camera.
        places: float (..., 2), (x, y) in pixels: column and row; whole numbers are centers.
        height: meters, world frame, broadcast against ``places[..., 0]``.
        side: height and width of the picture in pixels.

    Returns:
        float (..., 2): world (x, y) in meters.
    """
    eye, forward, right, down = _pose(camera)
    centered = np.asarray(places, float) - (side - 1) / 2
    x, y = np.moveaxis(centered / _focal_length(side), -1, 0)
    ray = forward + x[..., None] * right + y[..., None] * down
    return (eye + ray * ((height - eye[2]) / ray[..., 2])[..., None])[..., :2]


def table_centimeters(camera: Camera, side: int = 84) -> tuple[float, float]:
    """How far apart on the table two things lie whose pictures are one pixel apart.

    Args:
        camera: the camera.
        side: height and width of its picture in pixels.

    Returns:
        Centimeters of one row (along the view) and of one column (across it), in the middle of
        the square in which Push places the block.
    """
    step = 1e-3
    near = [project(camera, np.add(TABLE_POINT, e), side) for e in step * np.eye(3)[:2]]
    far = [project(camera, np.subtract(TABLE_POINT, e), side) for e in step * np.eye(3)[:2]]
    pixels_per_meter = np.subtract(near, far).T / (2 * step)  # (row, column) by (x, y)
    row, column = 100 * np.linalg.norm(np.linalg.inv(pixels_per_meter), axis=0)
    return float(row), float(column)
