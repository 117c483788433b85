"""Training runs through papermill: one execution of the training notebook for each run.

The notebook runs in a process of its own. The launcher checks that its parameters arrive, shows
how far it is, and hands signals on to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from labs.artifacts import (
    PROVENANCE,
    data_root,
    load_artifact,
    may_be_replaced,
    repository_root,
    runs_root,
)
from labs.errors import UserError
from labs.experiments import guards
from labs.experiments.backend import ensure_gl
from labs.experiments.checkpoint import folders
from labs.experiments.config import EPISODES_OF_A_ROUND, RunConfig
from labs.experiments.done import WEIGHTS, is_done, lenders, refuse_other_settings, result_of
from labs.experiments.moments import refuse_other_view
from labs.experiments.plan import begin_at, in_short
from labs.experiments.pretrained import (
    refuse_other_pictures,
    refuse_other_senses,
    refuse_other_teacher,
)

NOTEBOOK = Path("notebooks/training/train.ipynb")
HANGUP = getattr(signal, "SIGHUP", None)  # not on Windows


class OneIsDone(UserError):
    """A run was told to stop when all was trained: its result is there, and no other is begun."""


def notebook_path() -> Path:
    """The training notebook, checked for the cell that papermill fills.

    Raises:
        UserError: it is missing, or no cell is tagged ``parameters``.
    """
    path = repository_root() / NOTEBOOK
    if not path.exists():
        raise UserError(f"{path} is missing: git checkout -- {NOTEBOOK}")
    cells = json.loads(path.read_text())["cells"]
    if not any("parameters" in c.get("metadata", {}).get("tags", ()) for c in cells):
        raise UserError(
            f"no cell of {path} is tagged 'parameters', so papermill would run its defaults: "
            f"git checkout -- {NOTEBOOK}"
        )
    return path


def run_notebook(parameters: dict[str, Any], executed: Path, starts: int = 3) -> None:
    """Executes the training notebook.

    Args:
        parameters: of its parameters cell.
        executed: where the executed notebook goes.
        starts: how often its process may be started where it ends before it answers. It is given
            network ports, and another process can take one before it listens there.

    Raises:
        UserError: what the notebook raised, or that its process died.
    """
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError

    os.environ["PIXELS_LAUNCHER"] = str(os.getpid())  # the run stops when this process is gone
    try:
        papermill.execute_notebook(
            notebook_path(),
            executed,
            parameters=parameters,
            kernel_name="python3",
            progress_bar=False,
            # What fails in a cell comes back as an exception. A kernel that is told to end while
            # it waits logs that as an error.
            extra_arguments=["--log-level=CRITICAL"],
            cwd=repository_root(),
        )
    except papermill.PapermillExecutionError as error:
        if error.ename in ("UserError", "Stopped", "Diverged"):
            raise UserError(error.evalue) from error
        raise UserError(
            f"the training notebook failed ({error.ename}: {_one_line(error.evalue)}): "
            f"see {executed}"
        ) from error
    except DeadKernelError as error:
        raise UserError(
            "the training process died (killed, or out of memory): the same command goes on from "
            "its last checkpoint, or begins again where there is none yet"
        ) from error
    except NoSuchKernel as error:
        raise UserError(
            f"Jupyter has no kernel {error.name!r} here: python -m pip install ipykernel"
        ) from error
    except RuntimeError as error:  # a kernel that does not start, or does not answer
        if starts > 1 and "died before replying" in str(error):
            return run_notebook(parameters, executed, starts - 1)
        raise UserError(
            f"the training process did not answer ({_one_line(str(error))}): the same command "
            "tries again, and goes on from the last checkpoint where there is one"
        ) from error


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def launch(
    config: RunConfig,
    parameters: dict[str, Any],
    *,
    again: bool = False,
    quiet: bool = False,
    patience: float = 10.0,
) -> Path:
    """Runs one training through papermill, unless its result is there already.

    Args:
        config: the configuration that the parameters must lead to.
        parameters: of the notebook.
        again: train although the result is there.
        quiet: no progress bar.
        patience: seconds to wait for a process that holds the run: one whose launcher was killed
            ends itself.

    Returns:
        The artifact's folder.

    Raises:
        UserError: the run failed, was stopped, or ran with another configuration.
    """
    output = data_root() / config.run_name
    if not is_to_train(config, again=again):
        print(f"{config.run_name}: already there (--again trains it again)", file=sys.stderr)
        return output
    folder = guards.writable(runs_root() / config.run_name)
    with guards.usable(folder):
        owner = guards.holder(folder)
        if owner is not None and guards.held_after(folder, patience):
            raise UserError(
                f"another process ({owner}) trains in {folder}: wait for it or stop it (kill "
                f"{owner})"
            )
        (folder / "progress.json").unlink(missing_ok=True)
        ensure_gl(config.has_images or config.video_episodes > 0)  # the film comes last: too late
        if not quiet:
            print(in_short(config), file=sys.stderr)
        started = time.time()
        with _Watcher(config, folder, quiet), _ForwardSignals(folder, config) as signals:
            run_notebook(parameters | {"requested": config.as_dict()}, folder / "executed.ipynb")
    listing, found = output / PROVENANCE, result_of(config)
    if found is None or listing.stat().st_mtime < started - 1:
        raise UserError(
            f"the notebook ended without the result that was asked for in {output}: "
            f"see {folder / 'executed.ipynb'}"
        )
    for note in found.provenance.get("notes", ()):
        if note.startswith("skipped"):
            print(f"{config.run_name}: {note}", file=sys.stderr)
    if early := found.provenance.get("ended_early"):
        print(
            f"{config.run_name}: told to finish, {early}; the same command goes on from there",
            file=sys.stderr,
        )
    if signals.asked:
        raise OneIsDone(f"{config.run_name} is done, in {output}; nothing after it was started")
    return output


def is_to_train(config: RunConfig, *, again: bool = False, coming: Collection[str] = ()) -> bool:
    """Whether a run is to be trained: False where its result is there.

    Args:
        config: of the run.
        again: train although the result is there.
        coming: arms that are trained before it, and may be what lends it a part.

    Raises:
        UserError: what can be seen by now forbids the run.
    """
    if not again:
        if is_done(config):
            return False
        refuse_other_settings(config)
    may_be_replaced(data_root() / config.run_name, "training")
    folder = runs_root() / config.run_name
    saved = bool(folders(folder)) or (folder / "lessons" / "state.json").exists()
    guards.check_resources(config, folder, restored=saved)
    for name in lenders(config):
        if name.partition("/")[0] not in coming:
            load_artifact(name).file(WEIGHTS)
            if name == config.pretrained_encoder:
                refuse_other_pictures(config)
            if name == config.acting_policy:
                refuse_other_senses(config)
            if config.teacher:
                refuse_other_teacher(config, name)
    if config.has_locator:
        refuse_other_view(config)
    return True


def notebook_run(
    arm: str,
    seed: int,
    overrides: dict[str, Any] | None = None,
    *,
    small: bool = False,
    quick: bool = False,
    restart: bool = False,
) -> tuple[RunConfig, dict[str, Any]]:
    """One run: its configuration, and the parameters with which the notebook arrives at it."""
    from labs.experiments.presets import effective

    parameters = {
        "arm": arm,
        "seed": seed,
        "overrides": dict(overrides or {}),
        "small": small,
        "quick": quick,
        "restart": restart,
    }
    return effective(arm, seed, overrides, small=small, quick=quick), parameters


def prepare(
    arm: str,
    seeds: Sequence[int],
    overrides: dict[str, Any] | None = None,
    *,
    again: bool = False,
    coming: Collection[str] = (),
    **how: bool,
) -> list[tuple[RunConfig, dict[str, Any]]]:
    """The runs of an arm, each as by :func:`notebook_run`, once nothing is seen to forbid any.

    Raises:
        UserError: as :func:`is_to_train`; no seed, or one twice.
    """
    if not seeds:
        raise UserError("no seed was given: --seeds 0 1 2")
    guards.refuse_repeated(seeds, seeds)
    runs = [notebook_run(arm, seed, overrides, **how) for seed in seeds]
    for config, _ in runs:
        is_to_train(config, again=again, coming=coming)
    return runs


def train_arm(
    arm: str,
    seeds: Sequence[int],
    overrides: dict[str, Any] | None = None,
    *,
    small: bool = False,
    quick: bool = False,
    again: bool = False,
    restart: bool = False,
    quiet: bool = False,
) -> list[Path]:
    """Trains an arm once for each seed, one after the other.

    All of them are checked before the first one starts.

    Returns:
        The artifacts' folders, in the order of the seeds.
    """
    how = {"small": small, "quick": quick, "restart": restart}
    runs = prepare(arm, seeds, overrides, again=again, **how)
    done: list[Path] = []
    try:
        for run in runs:
            done.append(launch(*run, again=again, quiet=quiet))
    except UserError as error:
        left = seeds[len(done) + isinstance(error, OneIsDone) :]
        if not again or len(left) == len(seeds):
            raise
        these = " ".join(map(str, left)) or "none"
        raise UserError(f"{error} (with --again, name the seeds that are left: {these})") from error
    return done


class _Watcher:
    """A progress bar with an estimate of the time left, from what the run says of itself."""

    def __init__(self, config: RunConfig, folder: Path, quiet: bool):
        self._config, self._path, self._quiet = config, folder / "progress.json", quiet
        self._end, self._first = threading.Event(), True
        self._pause = 0.5 if sys.stderr.isatty() else 30  # a log file keeps every line

    def __enter__(self):
        if not self._quiet:
            from tqdm import tqdm

            self._bar = tqdm(total=self._config.total_steps, unit="step", smoothing=0.1)
            self._bar.set_description(f"{self._config.run_name} (starting)")
            self._thread = threading.Thread(target=self._follow, daemon=True)
            self._thread.start()
        return self

    def _follow(self) -> None:
        while not self._end.wait(self._pause):
            self._look()

    def _look(self) -> None:
        try:
            seen = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return
        step = min(seen["step"], self._config.total_steps)
        # A resumed run does not owe its speed to earlier sessions, nor any to its locator.
        if self._first and not seen["phase"].startswith("locator"):
            begin_at(self._bar, step)
            self._bar.start_t = self._bar.last_print_t = time.time()
            self._first = False
        success = "" if seen["success"] is None else f", success {seen['success']:.0%}"
        description = f"{self._config.run_name} ({seen['phase']}{success})"
        self._bar.set_description(description, refresh=False)
        self._bar.update(step - self._bar.n)
        self._bar.refresh()

    def __exit__(self, *exc) -> None:
        if not self._quiet:
            self._end.set()
            self._thread.join()
            self._look()
            self._bar.close()


class _ForwardSignals:
    """Ctrl-C, SIGTERM, a closed terminal: the run saves itself and stops; a second one kills it.

    Here they show as KeyboardInterrupt: what else is raised amid other code may be caught there.

    Attributes:
        asked: whether one came.
    """

    def __init__(self, folder: Path, config: RunConfig):
        self._folder, self._config, self._too_early = folder, config, False
        self.asked = False

    def __enter__(self):
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            taken = {signal.SIGTERM, signal.SIGINT}
            if HANGUP is not None and signal.getsignal(HANGUP) != signal.SIG_IGN:  # by nohup
                taken.add(HANGUP)
            self._old = {n: signal.signal(n, self._ask) for n in taken}
        return self

    def _ask(self, number, frame) -> None:
        for other in self._old:  # a terminal that is closed may say so twice
            signal.signal(other, signal.SIG_IGN if other == HANGUP else self._kill)
        self.asked = True
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"\nstopping, {self._when()} at the latest ...", file=sys.stderr)
        self._too_early = not self._send(signal.SIGTERM)
        if self._too_early:
            raise KeyboardInterrupt

    def _when(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            progress = json.loads((self._folder / "progress.json").read_text())
            if progress["phase"] in ("evaluate", "video"):
                return "after the last evaluation, since all is trained,"
        if self._config.engine == "distill":
            return f"after this round of {EPISODES_OF_A_ROUND} episodes and its updates"
        return "after the current episode"

    def _kill(self, number, frame) -> None:
        self._send(signal.SIGKILL)
        raise KeyboardInterrupt

    def _send(self, number: int) -> bool:
        """Whether there was a run that takes it."""
        pid = guards.holder(self._folder)
        with contextlib.suppress(ProcessLookupError):  # it ended just now
            if pid is not None:
                os.kill(pid, number)
        return pid is not None

    def __exit__(self, kind, *rest) -> None:
        if self._main:
            for number, handler in self._old.items():
                signal.signal(number, handler)
        if kind is KeyboardInterrupt and self._too_early:
            early = "stopped before the training started: the same command starts it"
            raise UserError(early) from None
