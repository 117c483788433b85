"""Every check behind ``--verify`` is also a test: one set serves both."""

from __future__ import annotations

import pkgutil

import pytest

import labs.checks
from labs.errors import UserError

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


def test_what_the_reader_can_mend_is_one_line_and_exits_2(capsys):
    def mode():
        raise UserError("take more steps")

    modes = {"demo": ("ten minutes", mode)}
    found = labs.checks.module_main("replay", title="Replay", modes=modes, argv=["--demo"])
    assert found == 2
    assert capsys.readouterr().err == "python -m labs.replay: take more steps\n"
