"""What the first cell of a notebook does in Colab: installs what is missing, and only that."""

from __future__ import annotations

import ast
from importlib import metadata

import colab
import notebook_pairs
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement


def test_nothing_is_missing_where_the_lock_is_installed():
    assert colab.missing() == []


def test_only_what_is_missing_or_too_old_is_named(monkeypatch):
    """Not the notebook's own server, however old: its kernel runs."""
    real = metadata.version
    old = {"ipykernel": "6.17.1", "ipywidgets": "7.7.1", "gymnasium": "0.29.1", "numpy": "2.0.2"}

    def version(name):
        if name == "mujoco":
            raise metadata.PackageNotFoundError(name)
        return old.get(name) or real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert [Requirement(line).name for line in colab.missing()] == ["gymnasium", "mujoco"]
    assert {"numpy==2.0.2", "ipykernel==6.17.1"} <= set(colab.kept())


def test_a_package_that_stays_is_a_constraint(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(colab, "ROOT", tmp_path)
    monkeypatch.setattr(colab.subprocess, "run", lambda command, check: asked.append(command))
    colab.install(["mujoco>=3.3"])
    first, second = ([str(word) for word in command] for command in asked)
    assert first[-1] == "mujoco>=3.3" and "--constraint" in first
    kept = (tmp_path / ".stamps" / "kept.txt").read_text()
    assert f"torch=={metadata.version('torch')}\n" in kept
    assert second[-3:] == ["--no-deps", "--editable", str(tmp_path)]
    asked.clear()
    colab.install([])
    assert len(asked) == 1  # the book's own package only


def test_the_cell_is_python_and_does_nothing_here(capsys):
    code = TransformerManager().transform_cell(notebook_pairs.COLAB_CELL)
    names = [node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    assert names.count("get_ipython") == 3  # clone, enter, install
    exec(compile(code, "cell", "exec"), {"get_ipython": pytest.fail})
    assert capsys.readouterr().out == ""
