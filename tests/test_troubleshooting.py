"""Every command in the table of "What can go wrong" runs and says what the page says it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from labs.provenance import repository_root

PAGE = repository_root() / "book" / "troubleshooting.md"
COMMAND = re.compile(r"`((?:MUJOCO_GL=\w+ )?(?:pixels|python) [^`]+)`")

#: Command → exit code and what its output must contain. Whether the memory for 500 K stacked
#: transitions is there depends on the machine, so a plan may be refused.
EXPECTED: dict[str, tuple[set[int], str]] = {
    "pixels probe": ({0}, r"DrQv2SACPolicy +shared +critic +[1-9.]+e[+-]\d+ .* 0\.000e\+00"),
    "pixels plan push-step2": ({0, 2}, r"memory: \d\d\.\d GiB"),
    "pixels plan push-state --learning-starts 50": ({2}, r"HER has nothing to sample"),
    "pixels plot phases": ({0}, r"phases\.png"),
    "pixels eval reach-state": ({0}, r"(?s)deterministic .*no-op .*random "),
    "labs.experiments.environments import make_one": ({0}, r"'observation': Box\(.*\(25,\)"),
    "SpatialSoftmax as S": ({0}, r"tensor\(\[\[0\.1000, 0\.0000\]\]"),
    "set_flush_denormal": ({0}, r"tensor\(\[0\.\]\)"),
    "timeit": ({0}, r"[mu]sec per loop"),
    "pixels results": ({0}, r"reach-state/seed0 +training"),
    "labs.drqv2_sac_policy --verify": ({0}, r"\[ALL PASS\]"),
    "pixels plan push-step2 --buffer-size": ({0, 2}, r"memory: \d\d\.\d GiB"),
    "e.render().mean()": ({0}, r"^[1-9]\d+\.\d+"),
    "gl_renderer": ({0}, r"'backend': '\w+', 'renderer': '.+', 'software': (True|False)"),
    "play_moved": ({0}, r"'episodes': 10, 'successes': [0-6],"),
    "play_both": ({0}, r"'shrunk': \{'episodes': 10, 'successes': [0-7],.*'lost': \[2\d+"),
    "pixels doctor": ({0}, r"ok +OpenGL"),
    "MUJOCO_GL=osmesa pixels doctor": ({0, 2}, r"OpenGL +(osmesa|MUJOCO_GL=osmesa)"),  # if there
}


def rows() -> list[list[str]]:
    """The cells of the table's rows."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    return [[c.strip() for c in line.strip("|").split("|")] for line in lines[2:]]


COMMANDS = list(dict.fromkeys(m for row in rows() for m in COMMAND.findall(row[2])))


def expectation(command: str) -> tuple[set[int], str]:
    """What is expected of a command: the longest key that it contains."""
    keys = [key for key in EXPECTED if key in command]
    assert keys, f"say in EXPECTED what {command!r} must print"
    return EXPECTED[max(keys, key=len)]


def run(command: str, folder: Path) -> subprocess.CompletedProcess:
    """Runs a command as a reader types it, somewhere else than in the repository."""
    bin_folder = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PIXELS_RUNS": str(folder / "runs"),
        "PIXELS_DATA": str(repository_root() / "data"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def test_every_row_has_symptom_cause_and_command():
    assert len(rows()) >= 13
    for row in rows():
        assert len(row) == 3 and all(row), row
        assert COMMAND.search(row[2]), f"no command that can be run: {row[0]}"


def test_every_expectation_belongs_to_a_command():
    unused = [key for key in EXPECTED if not any(key in command for command in COMMANDS)]
    assert unused == []


@pytest.mark.parametrize("command", COMMANDS, ids=[c[:60] for c in COMMANDS])
def test_the_command_runs_and_tells(command, tmp_path):
    codes, pattern = expectation(command)
    done = run(command, tmp_path)
    assert done.returncode in codes, done.stdout[-2000:]
    assert re.search(pattern, done.stdout), done.stdout[-2000:]
    assert "Traceback" not in done.stdout
