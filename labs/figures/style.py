"""One look for every figure of the book, safe for color-blind readers.

The palette is that of Okabe and Ito (*Color Universal Design*, 2008): its eight colors stay apart
for every common kind of color vision.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import matplotlib as mpl
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from labs.artifacts import nearest

OKABE_ITO = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
    "yellow": "#F0E442",
    "black": "#000000",
}


def use_style() -> None:
    """Sets matplotlib's defaults for the book: palette, thin spines, light grid, no top frame."""
    mpl.rcParams.update(
        {
            "axes.prop_cycle": mpl.cycler(color=list(OKABE_ITO.values())),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlesize": "medium",
            "grid.color": "#DDDDDD",
            "grid.linewidth": 0.6,
            "lines.linewidth": 1.6,
            "legend.frameon": False,
            "font.size": 10,
            "figure.figsize": (7.0, 3.6),
            "figure.dpi": 96,  # an inch of CSS
            "figure.constrained_layout.use": True,
            "savefig.dpi": 150,
            "image.cmap": "viridis",
            "image.interpolation": "nearest",
            "svg.hashsalt": "pixels",  # the same figure gives the same file
        }
    )


def refuse_figure(path: str | os.PathLike[str]) -> None:
    """Before anything is drawn: whether a figure could be written there; nothing is left behind.

    Raises:
        ValueError: a suffix that is no format of figures, or none.
        OSError: a folder stands there, or no file can be made beside it.
    """
    path = Path(path)
    formats = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        found = f"has the suffix {path.suffix}" if path.suffix else "has no suffix"
        raise ValueError(f"{path} {found}: it says the format, one of {', '.join(sorted(formats))}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder")
    with tempfile.TemporaryFile(dir=nearest(path.parent)):
        pass


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Writes a figure whole or not at all; the suffix (.png, .svg) chooses the format.

    Args:
        figure: a matplotlib figure.
        path: where to; missing folders are made.

    Returns:
        The path.

    Raises:
        ValueError, OSError: as :func:`refuse_figure`.
    """
    path = Path(path)
    refuse_figure(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, suffix=path.suffix)
    os.close(handle)
    try:
        figure.savefig(partial)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)
    return path
