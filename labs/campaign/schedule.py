"""Many runs on one GPU within a wall-clock budget, in the order of information.

``pixels campaign --minutes 25`` tries OpenGL, measures the machine, says what it expects, and
trains the cells of :mod:`labs.campaign.cells`, several side by side, each in a process of its
own. Curves and checkpoints are written on the way, the verdict (``data/campaign``) whenever
something happened. When the time is nearly over, every run evaluates what it has and ends. Cut
off in any way, the same command goes on. It never takes longer than its budget, and it leaves no
process behind.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labs import gl
from labs.artifacts import (
    data_root,
    load_artifact,
    refuse_unwritable,
    runs_root,
    write_atomically,
)
from labs.campaign import report
from labs.campaign.cells import Cell, cells_of, chosen
from labs.campaign.runs import SAVED, RunProcess, measure
from labs.errors import UserError
from labs.experiments import guards
from labs.experiments.config import RunConfig, updates
from labs.experiments.done import is_done, refuse_other_settings
from labs.experiments.evaluate import evaluation_steps
from labs.experiments.plan import duration
from labs.experiments.processor import workers_of
from labs.experiments.stopping import FINISH, SAVE
from labs.experiments.sweep import parse_seeds
from labs.json_text import json_text
from labs.limits import usable_cores

REPORT_EVERY = 30.0  # seconds
MEASURING = 180.0  # seconds that measuring the speed may take
POLL = 0.2
CAUTION = 2.0  # times the seconds that an evaluation would take alone: other runs evaluate, too
LAST_STEPS = 20.0  # seconds until a run that is told to end begins to evaluate


@dataclass(frozen=True)
class CampaignOptions:
    """Train a list of arms on one GPU within a wall-clock budget; the same command goes on."""

    minutes: float = 25.0
    """wall clock of this command, from its first to its last breath"""
    cells: tuple[str, ...] = ()
    """groups (proven, located, headline, twins, helpers, routing, shifts, memory), arms; all by
    default; with seeds of their own: push-gpu-keypoint:1..4"""
    seeds: tuple[str, ...] = ("0",)
    """seeds of every arm: numbers and ranges such as 0..4"""
    parallel: int = 4
    """runs that train side by side on the card"""
    reserve: float = 240.0
    """seconds kept for the final evaluations"""
    pause: bool = False
    """at the end save only, for another command to go on; evaluate nothing"""
    plan: bool = False
    """measure and print the plan, train nothing"""
    measure: bool = True
    """measure the machine's speed first"""
    toy: bool = False
    """budgets of seconds for every run: the rehearsal"""


@dataclass
class Campaign:
    """A campaign in progress.

    Args:
        options: of the command.
        started: when the command began, in seconds of the epoch.
        say: what is told to the reader, one line each.
    """

    options: CampaignOptions
    started: float = field(default_factory=time.time)
    say: Callable[[str], None] = lambda line: print(line, flush=True)

    def __post_init__(self) -> None:
        o = self.options
        if not 0 < o.minutes < 1e6 or o.parallel < 1 or not 0 <= o.reserve < 60 * o.minutes:
            raise UserError(
                f"--minutes {o.minutes:g} --parallel {o.parallel} --reserve {o.reserve:g}: give a "
                "positive time, at least one run, and a reserve shorter than the time"
            )
        self.name = "campaign-toy" if o.toy else "campaign"
        self.folder = runs_root() / self.name
        seeds = tuple(parse_seeds(o.seeds))
        self.groups = tuple(replace(g, seeds=g.seeds or seeds) for g in chosen(o.cells))
        self.cells = cells_of(self.groups, seeds, o.parallel, o.toy)
        self.deadline = self.started + 60 * o.minutes
        margin = min(15.0, 6 * o.minutes)  # for the last report
        self.kill_at = self.deadline - margin
        self.end_at = self.kill_at - (min(45.0, o.reserve) if o.pause else o.reserve)
        self.running: dict[str, RunProcess] = {}
        self.asked: int | None = None  # the signal that every run was sent
        self.facts: dict[str, Any] = {}
        self.notes: dict[str, dict[str, Any]] = {}
        self._reported = 0.0
        self._session: dict[str, Any] = {}  # of this command, once it trains

    # ----- the way through

    def run(self) -> int:
        """Returns 0; 1 if a run failed or was refused.

        The reader's Ctrl-C and SIGTERM save every run; a second one is taken literally.
        """
        refuse_unwritable(data_root(), "PIXELS_DATA")
        refuse_unwritable(self.folder, "PIXELS_RUNS")
        if not self.options.plan:
            report.earlier(self.name)  # refuses what it must not replace
        with guards.RunLock(self.folder), self._signals():
            self._remember()
            try:
                self._prepare()
                if not self.options.plan:
                    self._train()
            finally:
                for name in list(self.running):
                    self.running[name].kill()
                    self._note(name, "killed", "the campaign ended before it did")
            if self.options.plan:  # the verdict of an earlier command stays as it is
                return 0
            self._tell_results()
        return 1 if any(n["state"] in ("failed", "refused") for n in self.notes.values()) else 0

    def _remember(self) -> None:
        path = self.folder / "state.json"
        try:
            earlier = json.loads(path.read_text()) if path.exists() else {}
            self.sessions = list(earlier.get("sessions", []))
            notes = earlier.get("notes", {}).items()
            self.all_notes = {k: {"state": n["state"], "reason": n["reason"]} for k, n in notes}
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            raise UserError(f"{path} is damaged: delete it; finished runs stay") from error
        for cell in self.cells:
            note = dict(self.all_notes.get(cell.name, {"state": "waiting", "reason": ""}))
            try:
                done = is_done(cell.config)
                refuse_other_settings(cell.config)
            except UserError as error:  # damaged, or another run's: it stays; the others go on
                note = {"state": "refused", "reason": str(error)}
                self.say(f"{cell.name} is left out: {error}")
                self.notes[cell.name] = note
                continue
            if done:
                note = {"state": "done", "reason": ""}
            elif note["state"] in ("running", "done", "refused"):
                note = {"state": "killed", "reason": "the campaign was cut off"}
            self.notes[cell.name] = note

    def _prepare(self) -> None:
        self._draw_with((gl.GL_BACKEND, "egl", "osmesa"))
        todo = self._todo()
        if self.options.measure and todo:
            found = self._measured(todo[0].config)
            self.facts["speed_alone"] = found | {"arm": todo[0].config.arm}
            self._keep_time_to_evaluate(found)
        for cell in self.cells:
            self.say(f"  {cell.name:<42} {self.notes[cell.name]['state']:<12} {self._cost(cell)}")

    def _measured(self, config: RunConfig) -> dict[str, Any]:
        """The speed alone. What hangs or fails is tried once more the slower and surer way, if
        there is one and time for it; every run that follows is then done so."""
        surer = {"elsewhere"}
        seconds = 1.0 if self.options.toy else 5.0
        while (left := self.end_at - time.time()) > MEASURING and not self._is_asked():
            found = measure(self.folder, config, seconds, MEASURING, stopped=self._is_asked)
            self.say("speed alone: " + ", ".join(f"{k} {v}" for k, v in found.items()))
            if "problem" not in found or found["where"] in surer:
                return found
            surer.add(found["where"])
            if found["where"] == "environments":
                try:
                    self._draw_with(("osmesa",))
                except UserError:  # what draws now was tried, and was slow at most
                    self.say("OSMesa does not draw here: going on without a speed")
                    return found
            else:
                self._record_nothing()
            self.say(f"the {found['where']} once more, and from here on, the surer way")
        return {"problem": f"not measured: {max(left, 0):.0f} s are left to train"}

    def _keep_time_to_evaluate(self, found: dict[str, Any]) -> None:
        """Ends the training sooner where the reserve is too short for a final evaluation."""
        if self.options.pause or "evaluation_steps_per_s" not in found:
            return
        steps = max(
            evaluation_steps(cell.config, self._share(cell) if cell.config.subproc else 1)
            for cell in self.cells
        )
        needs = CAUTION * steps / found["evaluation_steps_per_s"] + LAST_STEPS
        needs = min(needs, (self.kill_at - time.time()) / 2)
        if needs > self.kill_at - self.end_at:
            self.end_at = self.kill_at - needs
            self.say(f"an evaluation may take {duration(needs)}: so much is kept for it")

    def _is_asked(self) -> bool:
        """Whether the runs are to end."""
        return self.asked is not None

    def _draw_with(self, backends: tuple[str, ...]) -> None:
        """Takes the first backend that draws, for every process that this one starts."""
        left = self.kill_at - time.time()
        backend, renderer = gl.working_gl(backends, timeout=min(60.0, left), say=self.say)
        self.say(f"OpenGL: {backend}, {renderer}")
        self.facts["gl"] = {"backend": backend, "renderer": renderer}

    def _cost(self, cell: Cell) -> str:
        """What a run needs, from the speed that was measured."""
        config, total = cell.config, updates(cell.config)
        found = self.facts.get("speed_alone", {})
        if "updates_per_s" not in found:
            return f"{total:,} updates"
        share = cell.slots / self.options.parallel
        work = total * config.batch_size / found["batch_size"] / found["updates_per_s"] / share
        here, alone = (max(1, workers_of(config, n)) for n in (self._share(cell), usable_cores()))
        world = config.total_steps / found["env_steps_per_s"] * alone / here
        return f"{total:,} updates: about {duration(max(work, world))}, then evaluation"

    def _todo(self) -> list[Cell]:
        """What can be done: first what was never evaluated, then what was ended early."""
        closed = ("done", "refused")
        open_cells = [c for c in self.cells if self.notes[c.name]["state"] not in closed]
        return sorted(open_cells, key=lambda c: self.notes[c.name]["state"] == "ended early")

    # ----- training

    def _train(self) -> None:
        self._session |= {"started": round(self.started), "minutes": self.options.minutes}
        self.sessions.append(self._session)
        queue = self._todo()
        self._report()
        while queue or self.running:
            now = time.time()
            if now >= self.kill_at:
                break
            if now >= self.end_at and self.asked is None:
                self.asked = SAVE if self.options.pause else FINISH
                does = "saves itself" if self.options.pause else "evaluates what it has"
                self.say(f"{self._clock()} the time is nearly over: every run {does}")
            if self.asked is not None:
                queue = []
                self._pass_on()
            self._reap(queue)
            used = sum(self._slots(name) for name in self.running)
            while queue and used + queue[0].slots <= self.options.parallel:
                used += queue[0].slots
                self._start(queue.pop(0))
            if now - self._reported > REPORT_EVERY:
                self._report()
            time.sleep(POLL)

    def _slots(self, name: str) -> int:
        """Places that a run takes: none once it evaluates, which updates nothing."""
        if self._progress(self.running[name]).get("phase") in ("evaluate", "video", "done"):
            return 0
        return next(c.slots for c in self.cells if c.name == name)

    @staticmethod
    def _progress(run: RunProcess) -> dict[str, Any]:
        """What a run last told of itself; nothing before its first word."""
        try:
            told = json.loads((runs_root() / run.config.run_name / "progress.json").read_text())
        except (OSError, ValueError):
            return {}
        return told if told.get("pid") == run.pid else {}

    def _share(self, cell: Cell) -> int:
        """Cores of a run."""
        return max(1, usable_cores() * cell.slots // self.options.parallel)

    def _start(self, cell: Cell) -> None:
        """Starts a run on cores of its own: its share of the machine's."""
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        taken = [c for run in self.running.values() for c in run.cores]
        cores = sorted(cores, key=lambda c: (taken.count(c), c))[: self._share(cell)]
        self.running[cell.name] = RunProcess(self.folder, cell.config, cores=cores)
        self._note(cell.name, "running")
        self._reported = 0.0
        self.say(f"{self._clock()} {cell.name} starts")

    def _pass_on(self) -> None:
        """Tells every run once; one that has not begun to train is only asked to save."""
        for run in self.running.values():
            if not run.told:
                run.told = True
                run.ask(self.asked if self._progress(run) else SAVE)

    def _reap(self, queue: list[Cell]) -> None:
        for name, run in list(self.running.items()):
            code = run.poll()
            if code is None:
                continue
            del self.running[name]
            damaged = ""
            try:
                done = code == 0 and is_done(run.config)
            except UserError as error:
                damaged = str(error)
            if damaged:
                self._note(name, "failed", damaged)
            elif done:
                self._note(name, "done")
            elif code == 0:
                self._note(name, "ended early", "evaluated when the time was over")
            elif code in (SAVED, -int(SAVE)):
                self._note(name, "stopped", "saved itself; the same command goes on")
            elif code < 0:
                self._note(name, "killed", f"signal {-code}")
            elif self._is_mended(run.log.read_text(errors="replace")):
                self._note(name, "waiting", "its update could not be recorded: once more without")
                queue += [cell for cell in self.cells if cell.name == name]
            else:
                self._note(name, "failed", run.last_words())
            reason = self.notes[name]["reason"]
            self.say(f"{self._clock()} {name} {self.notes[name]['state']}{reason and ': '}{reason}")
            self._report()

    def _is_mended(self, said: str) -> bool:
        """Whether a run failed at its recording; then nothing is recorded from here on."""
        if "set TORCHDYNAMO_DISABLE=1" not in said or self.facts.get("compiled") is False:
            return False
        self._record_nothing()
        return True

    def _record_nothing(self) -> None:
        os.environ["TORCHDYNAMO_DISABLE"] = "1"
        self.facts["compiled"] = False

    def _clock(self) -> str:
        seconds = int(time.time() - self.started)
        return f"[{seconds // 60:02d}:{seconds % 60:02d}]"

    # ----- remembering and telling

    def _note(self, name: str, state: str, reason: str = "") -> None:
        self.notes[name] = {"state": state, "reason": reason}
        state_file = {"sessions": self.sessions, "notes": self.all_notes | self.notes}
        write_atomically(self.folder / "state.json", json_text(state_file))

    def _report(self) -> None:
        """Writes the verdict as it stands. What hinders it is told, and stops no training."""
        try:
            self._write_report()
        except (OSError, UserError, ValueError) as error:
            self.say(f"{self._clock()} no report: {error}")

    def _write_report(self) -> Path:
        self._reported = time.time()
        self._session["used_s"] = round(self._reported - self.started, 1)
        facts = {
            "minutes": self.options.minutes,
            "parallel": self.options.parallel,
            "sessions": self.sessions,
            **self.facts,
        }
        return report.write(self.name, self.groups, self.cells, self.notes, facts)

    def _tell_results(self) -> None:
        path = self._write_report()
        for group in load_artifact(path).json("measurement.json")["groups"]:
            if "reported" in group:  # by an earlier command
                continue
            self.say(f"{group['name']}: {group['question']} {group['summary']}")
        self.say(f"{self._clock()} of {self.options.minutes:g} min; {path}")

    @contextmanager
    def _signals(self):
        before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}

        def ask(number, frame):
            signal.signal(number, before[number])
            self.say("\nsaving every run ...")
            self.asked = SAVE
            for run in self.running.values():
                run.told = True
                run.ask(SAVE)
            self.kill_at = min(self.kill_at, time.time() + 45)

        for number in before:
            signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def campaign(options: CampaignOptions, started: float | None = None) -> int:
    """Runs a campaign. Returns the exit code."""
    return Campaign(options, started or time.time()).run()
