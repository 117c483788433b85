"""The scripts: each says what it does before it does it, and takes no flag that it lacks."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from labs.artifacts import load_artifact, repository_root, write_artifact
from scripts import slim_results

SCRIPTS = sorted((Path(__file__).resolve().parents[1] / "scripts").glob("*"))
PROGRAMS = [path for path in SCRIPTS if path.suffix == ".py" and "__main__" in path.read_text()]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("flag", "code"), [("--help", 0), ("--no-such-flag", 2)])
def test_a_script_explains_itself_and_does_nothing(path, flag, code, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(path), flag])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(path), run_name="__main__")
    assert end.value.code == code
    said = capsys.readouterr()
    assert "usage: " in (said.err if code else said.out)


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        ("-h", 0, "--browser  what `make test`"),
        ("--browser x", 2, "unknown arguments: --browser x"),
    ],
)
def test_setup_explains_itself_and_installs_nothing(flags, code, words):
    setup = [SCRIPTS[0].parent / "setup.sh", *flags.split()]
    found = subprocess.run(setup, capture_output=True, text=True)
    assert found.returncode == code
    said = found.stderr if code else found.stdout
    assert words in said and "set -" not in said


@pytest.mark.parametrize("arm", slim_results.WITH_FILM)
def test_a_film_that_is_to_be_kept_is_there(arm):
    assert (repository_root() / "data" / arm / "seed0" / slim_results.VIDEO).exists()


def test_long_json_is_packed_and_says_the_same_to_six_digits(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    values = {"cells": [{"error": i / 7, "curve": [0.5, None], "of": {"n": i}} for i in range(99)]}
    for name, found in (("long", values), ("short", {"cells": values["cells"][:2]})):
        with write_artifact(tmp_path / name, kind="measurement", parameters={}) as folder:
            (folder / "measurement.json").write_text(json.dumps(found, indent=4))
    assert slim_results.main([]) == 0
    text = load_artifact("long").file("measurement.json").read_text()
    cells = [{**cell, "error": float(f"{cell['error']:.6g}")} for cell in values["cells"]]
    assert json.loads(text) == {"cells": cells} and len(text) < len(json.dumps(values))
    assert text.count("\n") > 99, "a cell a line"
    assert "    " in load_artifact("short").file("measurement.json").read_text()
    capsys.readouterr()
    assert slim_results.main([]) == 0
    assert '"packed": 0' in capsys.readouterr().out


def test_only_seeds_are_slimmed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path))
    path = tmp_path / "other" / "seedling"
    with write_artifact(path, kind="training", parameters={}) as folder:
        (folder / "weights.safetensors").write_bytes(b"w")
    assert slim_results.main([]) == 0
    assert '"results_slimmed": 0' in capsys.readouterr().out
