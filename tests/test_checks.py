"""Every check behind ``--verify`` is also a test: one set serves both."""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import labs.checks
from labs import from_scratch_sac, manipulation_encoder
from labs.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(m.name for m in pkgutil.iter_modules(labs.checks.__path__))
CASES = [
    pytest.param(check, id=f"{module}:{check.__name__.removeprefix('check_')}")
    for module in MODULES
    for check in labs.checks.collect(module)
]


@pytest.mark.parametrize("check", CASES)
def test_check(check):
    check()


def test_a_failing_check_is_named_and_exits_1(monkeypatch, capsys):
    def check_that_fails():
        """Two is three"""
        raise AssertionError("2 != 3")

    monkeypatch.setattr(labs.checks, "collect", lambda module: [check_that_fails])
    assert labs.checks.run("anything", "Anything") == 1
    out = capsys.readouterr().out
    assert "FAIL  Two is three: AssertionError: 2 != 3" in out and "[FAILED] Anything" in out


@pytest.mark.parametrize(
    ("end", "code", "line"),
    [(UserError("take more steps"), 2, "take more steps"), (KeyboardInterrupt(), 130, "stopped")],
)
def test_what_the_reader_can_mend_or_stops_is_one_line(end, code, line, capsys):
    def mode():
        raise end

    modes = {"demo": ("ten minutes", mode)}
    found = labs.checks.module_main("replay", title="Replay", modes=modes, argv=["--demo"])
    assert found == code
    assert capsys.readouterr().err == f"python -m labs.replay: {line}\n"


def python(*arguments: str, **options: Any) -> subprocess.CompletedProcess:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, text=True, stderr=subprocess.PIPE, **options)


def test_nobody_need_read_to_the_end():
    reader, writer = os.pipe()
    os.close(reader)
    found = python("-m", "labs.trilateration", "--verify", stdout=writer)
    os.close(writer)
    assert (found.returncode, found.stderr) == (0, "")


def test_a_wrong_opengl_backend_is_one_line():
    ends = re.compile(r'"__main__":\n.*(module_main|ending)\(', re.DOTALL)
    paths = [p for p in ROOT.glob("labs/**/*.py") if ends.search(p.read_text())]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    assert {"labs.asymmetric", "labs.measurements.scratch_demo"} < set(names)
    wrong = {**os.environ, "MUJOCO_GL": "foo"}
    imported = python("-c", f"import {', '.join(names)}", env=wrong)  # what comes before any word
    assert imported.returncode == 0, imported.stderr
    found = python("-m", "labs.asymmetric", "--verify", env=wrong)
    assert found.returncode == 2
    assert found.stderr.startswith("python -m labs.asymmetric: MUJOCO_GL=foo names no OpenGL")
    assert found.stderr.count("\n") == 1


def test_pictures_go_among_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIXELS_RUNS", str(tmp_path / "runs"))
    manipulation_encoder._compare_nature()
    small = from_scratch_sac.Settings(steps=50, batch_size=4, image_size=(36, 36))
    from_scratch_sac.demo(settings=small)
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]
    names = {path.name for path in (tmp_path / "runs").iterdir()}
    assert names == {"compare_nature.png", "visual_encoder_demo.png"}
