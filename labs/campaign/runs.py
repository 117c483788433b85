"""The processes of a campaign: one for each run, and one that measures how fast the machine is.

A process is started by ``python -m labs.campaign.runs FILE``, where FILE holds a run's
configuration. It leads a session of its own, so that Ctrl-C reaches the campaign alone and so that
nothing of it is left when it is ended. On Linux the system tells it when the campaign is gone.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
from stable_baselines3.common.logger import Logger

from labs.artifacts import runs_root, write_artifact, write_atomically
from labs.errors import UserError
from labs.experiments import guards, locating, processor
from labs.experiments.config import RunConfig, from_dict, override
from labs.experiments.environments import make_one, make_training_env
from labs.experiments.evaluate import run_episodes
from labs.experiments.models import build
from labs.experiments.moments import View
from labs.experiments.policies import TrainedPolicy
from labs.experiments.stopping import SAVE, Stopped
from labs.experiments.train import train
from labs.fast_graph import WARM_UPS
from labs.fast_io import copy_policy
from labs.json_text import json_text
from labs.tasks import EPISODE_STEPS
from labs.tensor_files import save_tensors

SAVED = 3  # exit code of a run that saved itself and can go on
PATIENCE = 60.0  # seconds for an earlier process of the same run to end
LAST_WORDS = 400  # characters
DRAWING_PATIENCE = 75.0  # seconds until environments that draw nothing count as hung
MENDABLE = 2  # exit code of what the reader has to mend, however it is drawn


# ------------------------------------------------------------------------------ in the campaign


class RunProcess:
    """A process and everything that it starts.

    Args:
        folder: for its configuration and its log.
        arguments: of this module's command line, before the name of the configuration's file.
        config: of the run.
        cores: CPU cores that it may use; empty: all.
    """

    def __init__(
        self,
        folder: Path,
        config: RunConfig,
        *,
        arguments: Sequence[str] = (),
        cores: Sequence[int] = (),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        stem = config.run_name.replace("/", "-")
        wanted, self.log = folder / f"{stem}.json", folder / f"{stem}.log"
        write_atomically(wanted, json_text(config.as_dict()))
        environment = os.environ | {"PIXELS_LAUNCHER": str(os.getpid()), "OMP_NUM_THREADS": "1"}
        self.told = False  # whether the campaign has asked it to end
        self.config, self.cores, self.started = config, tuple(cores), time.monotonic()
        parent = os.getpid()
        with open(self.log, "w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, *arguments, str(wanted)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: _before_start(parent, self.cores),
            )
        self.pid = self._process.pid

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.started

    def poll(self) -> int | None:
        """The exit code; None while it runs. Once it has ended, so has all that it started."""
        code = self._process.poll()
        if code is not None:
            self._end_session()
        return code

    def ask(self, number: int) -> None:
        """Sends a signal to the run itself, which knows how to end its workers."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Ends it and everything that it started, now."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._end_session()

    def _end_session(self) -> None:
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.pid:
                    process.kill()
            except (psutil.Error, ProcessLookupError, PermissionError):
                continue

    def last_words(self) -> str:
        """The end of its log as one line."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][-LAST_WORDS:] if lines else "it left no message"


def _before_start(parent: int, cores: Sequence[int]) -> None:
    """In the new process, before Python starts there."""
    if sys.platform.startswith("linux"):
        death_signal = 1  # PR_SET_PDEATHSIG: a campaign that is killed takes its runs along
        ctypes.CDLL(None).prctl(death_signal, int(SAVE))
        if os.getppid() != parent:
            os._exit(SAVED)
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def measure(
    folder: Path,
    config: RunConfig,
    seconds: float,
    timeout: float,
    patience: float = DRAWING_PATIENCE,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """How fast one run of this configuration is alone, in a process that may hang without harm.

    Args:
        folder: for its log and what it finds.
        config: of the run.
        seconds: of updates.
        timeout: seconds for all of it.
        patience: seconds for its first part, the environments.
        stopped: asked on the way; once it says yes, the measurement ends.

    Returns:
        ``updates_per_s``, ``env_steps_per_s``, ``evaluation_steps_per_s``, ``batch_size``,
        ``device``, ``gpu_gib``; or ``problem`` and ``where``: in the ``environments``, in the
        ``updates``, or ``elsewhere``, which is what no other way of doing it mends.
    """
    out = folder / "speeds.json"
    out.unlink(missing_ok=True)
    process = RunProcess(folder, config, arguments=("--speeds", str(out), str(seconds)))

    def found() -> dict[str, Any]:
        return json.loads(out.read_text()) if out.exists() else {}

    def limit() -> float:  # drivers that cannot draw hang; a compilation takes its time
        return timeout if found() else min(patience, timeout)

    try:
        while (code := process.poll()) is None and process.seconds < limit() and not stopped():
            time.sleep(0.1)
    finally:  # also where a second Ctrl-C ends the campaign
        process.kill()
    if code == 0 and "updates_per_s" in found():
        return found()
    if code is None and stopped():
        return {"problem": "stopped while it was measured", "where": "elsewhere"}
    said = f"no answer for {limit():.0f} s" if code is None else process.last_words()
    if found():
        return {"problem": said, "where": "updates"}
    return {"problem": said, "where": "elsewhere" if code == MENDABLE else "environments"}


# ------------------------------------------------------------------------------- in the process


def speeds(
    config: RunConfig, seconds: float, tell: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Steps of the workers, of an evaluation, and updates per second, one after the other.

    See :func:`measure`. ``tell`` hears of the steps when they are known.
    """
    from labs.bench.measure import wait  # here: no run needs what the bench imports

    episode = EPISODE_STEPS * config.n_envs
    config = override(config, buffer_size=2 * episode, learning_starts=10 * episode)
    processor.set_up(config.torch_threads)
    env = make_training_env(config)
    try:
        model = build(config, env)
        model.set_logger(Logger(None, []))
        model.learn(episode, log_interval=None)  # workers warm up
        clock = time.perf_counter()
        model.learn(episode, log_interval=None)
        collecting = time.perf_counter() - clock
        judge = make_one(config)  # drawn in this process, beside the GPU's other work
        locator = locating.load_locator(config)[0] if config.has_locator else None
        policy = TrainedPolicy(config, copy_policy(model.policy).to("cpu"), locator)
        judged = run_episodes(policy, config, range(2), env=judge).frames_per_second
        judge.close()
        known = {
            "env_steps_per_s": round(episode / collecting, 1),
            "evaluation_steps_per_s": round(judged, 1),
        }
        tell(known)
        device = model.device.type
        on_gpu = device == "cuda"
        model.train(WARM_UPS + 2, config.batch_size)  # allocates, records
        wait(device)
        done, clock = 0, time.perf_counter()
        while time.perf_counter() - clock < seconds or not done:
            model.train(2, config.batch_size)
            wait(device)
            done += 2
        updating = time.perf_counter() - clock
    finally:
        env.close()
    return known | {
        "updates_per_s": round(done / updating, 2),
        "batch_size": config.batch_size,
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "gpu_gib": round(torch.cuda.max_memory_allocated() / guards.GIB, 2) if on_gpu else None,
    }


def use_untaught_locator(config: RunConfig, folder: Path) -> None:
    """Gives this process and its workers a locator that was taught nothing, for their speed.

    It takes as long as a taught one, whose teaching takes minutes; a fresh clone has none. The
    results in ``data/`` are out of its reach: results are then sought in ``folder``.
    """
    os.environ["PIXELS_DATA"] = str(folder)
    view = View.of(config)
    locator = locating.new_locator(view, config.locator_taught)
    path, parameters = locating.folder(config), {"view": vars(view)}
    with write_artifact(path, kind="locator", parameters=parameters) as new:
        save_tensors(locator.state_dict(), new / locating.LOCATOR_FILE)


def _may_be_drawing(error: UserError) -> bool:
    """Whether OpenGL may be behind it: it says so, or a driver took a worker down with it."""
    said = str(error)
    worker_lost = said.startswith("environment worker") and "raised UserError: " not in said
    return "OpenGL" in said or "MUJOCO_GL" in said or worker_lost


def main(argv: list[str]) -> int:
    """One process of a campaign. Returns its exit code."""
    config = from_dict(json.loads(Path(argv[-1]).read_text()))
    try:
        if argv[0] == "--speeds":

            def tell(known: dict[str, Any]) -> None:
                write_atomically(argv[1], json_text(known))

            if config.has_locator:
                use_untaught_locator(config, Path(argv[1]).parent / "untaught")
            tell(speeds(config, float(argv[2]), tell))
            return 0
        # A campaign that was killed may have left this run about to save itself.
        guards.held_after(runs_root() / config.run_name, PATIENCE)
        train(config)
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return SAVED
    except UserError as error:
        print(error, file=sys.stderr)
        return 1 if argv[0] == "--speeds" and _may_be_drawing(error) else MENDABLE
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise SystemExit(main(sys.argv[1:]))
