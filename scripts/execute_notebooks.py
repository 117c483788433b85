#!/usr/bin/env python3
"""Runs light notebooks: `NN_topic.py` → `NN_topic.ipynb` with its outputs.

    python scripts/execute_notebooks.py                  every light notebook
    python scripts/execute_notebooks.py --stale          only those whose outputs are out of date
    python scripts/execute_notebooks.py notebooks/04_*   these (either half of the pair)

The `.py` is the source. The notebooks of `notebooks/training/` are converted only: papermill runs
them. A notebook that fails leaves its `.ipynb` untouched. What a run read of
`labs/` and `data/` is stored with it, so that `check_pairs.py` can tell when outputs are out of
date.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import oxipng
from matplotlib.colors import rgb_to_hsv
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.util import run_sync
from nbformat import NotebookNode
from notebook_pairs import (
    MARKER,
    MAX_BYTES,
    MAX_SECONDS,
    ROOT,
    RUN_KEY,
    hash_code_cells,
    hash_input,
    input_of,
    light_sources,
    packed,
    pair_differences,
    read_source,
    stale_reasons,
    training_sources,
    write_notebook,
)
from PIL import Image, ImageChops, ImageStat

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# Runs in the kernel before the first cell: notes what is read, files and listings of folders.
WATCH = """
import os as _os, sys as _sys
def _watch(event, args, _os=_os, _seen=_sys.__dict__.setdefault("_paths_read", set())):
    listed = event in ("os.listdir", "os.scandir")
    if listed or event == "open" and (args[1] is None or "r" in str(args[1])):
        if isinstance(args[0], (str, _os.PathLike)):
            _seen.add(_os.path.abspath(args[0]))
_sys.addaudithook(_watch)
del _watch, _os, _sys
"""
# Runs after the last cell: those paths, and the modules that came from compiled caches.
REPORT = """
import json as _json, sys as _sys
_modules = {m.__file__ for m in list(_sys.modules.values()) if getattr(m, "__file__", None)}
print(_json.dumps(sorted(_sys._paths_read | _modules)))
"""


def run_beside(client: NotebookClient, code: str) -> str:
    """Runs code in the notebook's kernel that is no part of the notebook; returns its stdout."""
    text: list[str] = []

    def collect(message: dict) -> None:
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            text.append(content["text"])

    execute = run_sync(client.kc._async_execute_interactive)
    reply = execute(code, silent=True, store_history=False, output_hook=collect, timeout=60)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"the kernel could not be watched: {reply['content']}")
    return "".join(text)


def repository_inputs(paths: list[str]) -> dict[str, str]:
    """Hashes of the modules of `labs/` and the results of `data/` among what was read."""
    inputs = {found for path in paths if (found := input_of(Path(path))) is not None}
    present = sorted(path for path in inputs if (ROOT / path).exists())
    return {path.as_posix(): hash_input(ROOT / path) for path in present}


#: Colors of a palette, the fewest first, and the mean change of a channel, of 255, it may cause.
PALETTES, VISIBLE = (16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 192, 256), 1.0
#: What a palette may change a channel of a drawn color by, of 255. Drawn is what so many pixels
#: have and whose channels differ so much: a line, a mark, and no gray letter's edge.
KEPT, DRAWN, VIVID = 24, 30, 60
#: Of a hue that no line has, the commonest shade is drawn too: a small thing in a photograph hardly
#: has two pixels alike. So many hues are told apart.
HUES = 12


def colors_of(picture: Image.Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture's colors (N, 3), which of them each pixel has (H · W,), and which are drawn (M,):
    numbers of the colors of lines, marks and small things, the most frequent first."""
    pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)
    _, first, which, counts = np.unique(
        pixels @ (1, 256, 65536), return_index=True, return_inverse=True, return_counts=True
    )
    colors = pixels[first]
    vivid = np.flatnonzero(np.ptp(colors, axis=1) >= VIVID)
    vivid = vivid[np.argsort(-counts[vivid], kind="stable")]
    if not vivid.size:
        return colors, which, vivid
    hues = (rgb_to_hsv(colors[vivid] / 255)[:, 0] * HUES + 0.5).astype(int) % HUES
    drawn = counts[vivid] >= DRAWN
    for hue in np.setdiff1d(hues, hues[drawn]):
        shades = np.flatnonzero(hues == hue)
        drawn[shades[0]] = counts[vivid[shades]].sum() >= DRAWN
    return colors, which, vivid[drawn]


def in_colors(picture: Image.Image, number: int) -> Image.Image:
    """The picture in so many colors, drawn ones among them, however few pixels have them."""
    colors, which, drawn = colors_of(picture)
    drawn = drawn[: number // 4]
    most = picture.quantize(number - len(drawn), dither=Image.Dither.NONE).getpalette()
    palette = np.concatenate([np.reshape(most, (-1, 3))[: number - len(drawn)], colors[drawn]])
    apart = ((colors[:, None] - palette[None]) ** 2).sum(axis=-1)  # Pillow's own search is coarse
    small = Image.fromarray(
        apart.argmin(axis=1)[which].astype(np.uint8).reshape(picture.size[::-1])
    )
    small.putpalette(palette.astype(np.uint8).tobytes())
    return small


def keeps_drawn_colors(before: Image.Image, after: Image.Image) -> bool:
    """Whether thin lines and small marks have their colors still, which no mean would notice."""
    colors, which, drawn = colors_of(before)
    shown = np.asarray(after.convert("RGB")).reshape(-1, 3).astype(int)
    first = np.unique(which, return_index=True)[1]  # a palette shows a color alike everywhere
    return not (np.abs(colors - shown[first])[drawn] > KEPT).any()


def with_palette(png: str) -> str:
    """A picture with as few colors in a palette as it needs: less than half the bytes.

    Args:
        png: base64, as notebooks store pictures.

    Returns:
        The same, smaller; unchanged where a palette saves nothing or would show.
    """
    before = base64.b64decode(png)
    picture = Image.open(io.BytesIO(before))
    if picture.mode == "RGBA" and picture.getextrema()[3] != (255, 255):
        return png
    colors = picture.convert("RGB")
    for number in PALETTES:
        small = in_colors(colors, number)
        change = ImageChops.difference(colors, small.convert("RGB"))
        if max(ImageStat.Stat(change).mean) <= VISIBLE and keeps_drawn_colors(colors, small):
            break
    else:
        return png
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    after = oxipng.optimize_from_memory(buffer.getvalue(), level=5)
    return base64.b64encode(after).decode() if len(after) < len(before) else png


PNG_URI = re.compile(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=]+")


def figures_with_palette(html: str) -> str:
    """:func:`with_palette` for the figures in a widget's HTML.

    Matplotlib signs what it draws. Any other picture may be data, such as a map of labels.
    """

    def smaller(found: re.Match) -> str:
        picture = Image.open(io.BytesIO(base64.b64decode(found[0])))
        drawn = picture.info.get("Software", "").startswith("Matplotlib")
        return with_palette(found[0]) if drawn else found[0]

    return PNG_URI.sub(smaller, html)


DATA_URI = re.compile(r"data:[\w.+/-]+;base64,[A-Za-z0-9+/=]+")


def without_markers(data: dict) -> None:
    """Breaks such words up inside pictures; decoders read the same bytes.

    A line break in base64 means nothing, and in an address ``%58`` is the letter X.
    """
    if "image/png" in data:
        png = data["image/png"]
        while found := MARKER.search(png):
            png = png[: found.end() - 1] + "\n" + png[found.end() - 1 :]
        data["image/png"] = png
    if "text/html" in data:
        data["text/html"] = DATA_URI.sub(
            lambda uri: MARKER.sub(lambda m: f"{m[0][:-1]}%{ord(m[0][-1]):02X}", uri[0]),
            data["text/html"],
        )


def tidy(notebook: NotebookNode) -> list[str]:
    """Removes what differs from machine to machine. Returns what stderr said, by cell."""
    said = []
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        kept = []
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                said.append(f"cell {number}: {output.text.strip()}")
                continue
            data = output.get("data", {})
            # No widget state is stored, so a live view would show an error in place of the page's
            # own HTML.
            data.pop(WIDGET_VIEW, None)
            if "image/png" in data:
                data["image/png"] = with_palette(data["image/png"])
            if "text/html" in data:
                data["text/html"] = figures_with_palette(data["text/html"])
            without_markers(data)
            if "data" in output and not data:
                continue
            kept.append(output)
        cell.outputs = kept
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    return said


def own_paths(notebook: NotebookNode) -> list[str]:
    """Cells whose outputs name folders of this machine."""
    marks = {str(ROOT), str(Path.home())} - {"/"}
    return [
        f"cell {number}"
        for number, cell in enumerate(notebook.cells, 1)
        if cell.cell_type == "code"
        and any(f"{mark}/" in json.dumps(cell.outputs).replace("\\\\", "\\") for mark in marks)
    ]


def execute(source: Path, timeout: float) -> list[str]:
    """Runs one notebook and writes its `.ipynb`.

    Returns:
        What is wrong with the result: too slow, too large, names of this machine's folders.

    Raises:
        CellExecutionError, CellTimeoutError, DeadKernelError: the run failed; nothing is written.
    """
    notebook = read_source(source)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(source.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    start = time.perf_counter()
    with client.setup_kernel():
        run_beside(client, WATCH)
        count = 0
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code" and cell.source.strip():
                count += 1
                client.execute_cell(cell, index, execution_count=count)
        info = client.wait_for_reply(client.kc.kernel_info())
        notebook.metadata["language_info"] = NotebookNode(info["content"]["language_info"])
        paths = json.loads(run_beside(client, REPORT))
    seconds = time.perf_counter() - start

    said = tidy(notebook)
    notebook.metadata[RUN_KEY] = NotebookNode(
        seconds=round(seconds, 1),
        code=hash_code_cells(notebook),
        inputs=packed(repository_inputs(paths)),
    )
    pair = source.with_suffix(".ipynb")
    write_notebook(notebook, pair)

    size = pair.stat().st_size
    print(f"  {pair.relative_to(ROOT)}: {seconds:.1f} s, {size / 1000:.0f} kB, {count} code cells")
    for line in said:
        print(f"    stderr, not stored: {line.splitlines()[0][:150]}")
    problems = []
    if seconds > MAX_SECONDS:
        problems.append(f"took {seconds:.0f} s, a light notebook has {MAX_SECONDS:.0f} s")
    if size > MAX_BYTES:
        problems.append(f"weighs {size / 1e6:.2f} MB, more than {MAX_BYTES / 1e6:.0f} MB")
    if cells := own_paths(notebook):
        problems.append(f"outputs name folders of this machine: {', '.join(cells)}")
    return [f"{pair.relative_to(ROOT)} {problem}" for problem in problems]


def chosen_sources(names: list[str]) -> list[Path]:
    """The `.py` halves that the command line names; all without names."""
    if not names:
        return light_sources() + training_sources()
    sources = []
    for name in names:
        found = sorted(ROOT.glob(name)) if any(c in name for c in "*?[") else [Path(name)]
        halves = {f.resolve().with_suffix(".py") for f in found if f.suffix in (".py", ".ipynb")}
        halves = sorted(half for half in halves if half.is_file())
        if not halves:
            raise FileNotFoundError(f"no notebook is called {name}: see notebooks/")
        sources += [half for half in halves if half not in sources]
    return sources


def convert(source: Path) -> None:
    """Makes the `.ipynb` of a training notebook, without outputs, where it is not in step."""
    if pair_differences(source):
        write_notebook(read_source(source), source.with_suffix(".ipynb"))
        print(f"  {source.with_suffix('.ipynb').relative_to(ROOT)}: converted")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="half of a pair, or a pattern (default: all)")
    parser.add_argument("--stale", action="store_true", help="skip those that are up to date")
    seconds = "seconds a cell may take (default: %(default)g)"
    parser.add_argument("--timeout", type=float, default=300.0, help=seconds)
    args = parser.parse_args()
    try:
        sources = chosen_sources(args.notebooks)
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    training = [source for source in sources if source.parent.name == "training"]
    sources = [source for source in sources if source not in training]
    if args.stale:
        sources = [s for s in sources if stale_reasons(s) or pair_differences(s)]
    for source in training:
        convert(source)

    # Same numbers here, in `make test` and on a machine with more cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("PYTHONHASHSEED", "0")
    print(f"running {len(sources)} light notebook{'s' * (len(sources) != 1)}")
    problems = []
    for source in sources:
        try:
            problems += execute(source, args.timeout)
        except CellExecutionError as error:
            problems.append(f"{source.relative_to(ROOT)} failed; its .ipynb is as it was:\n{error}")
        except (CellTimeoutError, DeadKernelError, nbformat.ValidationError) as error:
            problems.append(
                f"{source.relative_to(ROOT)} failed; its .ipynb is as it was:"
                f" {type(error).__name__}: {str(error).splitlines()[0]}"
            )
    for problem in problems:
        print(f"FAILED {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
