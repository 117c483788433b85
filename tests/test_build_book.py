"""The book is built anew where anything has changed, and only there."""

from __future__ import annotations

import shutil
import subprocess
import sys

import build_book
import pytest


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository with a page and a built book."""
    for name, folder in (("ROOT", ""), ("HOME", "_build/index.html"), ("STAMP", ".stamps/book")):
        monkeypatch.setattr(build_book, name, tmp_path / folder)
    for name, text in (("page.md", "old"), (".gitignore", "_build\n.stamps\n"), ("_build/", None)):
        (tmp_path / name).mkdir() if text is None else (tmp_path / name).write_text(text)
    build_book.HOME.write_text("built")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


@pytest.mark.parametrize("change", [("page.md", "new"), ("page.md", None), ("other.md", "new")])
def test_a_file_that_changed_goes_or_comes_is_noticed(repository, change):
    name, text = change
    before = build_book.contents()
    (repository / "_build/more.html").write_text("built")
    assert build_book.contents() == before, "what git ignores does not count"
    (repository / name).unlink() if text is None else (repository / name).write_text(text)
    assert build_book.contents() != before


def test_other_packages_are_noticed(repository):
    before = build_book.contents()
    (repository / ".stamps").mkdir()
    (repository / ".stamps/packages-1234").touch()
    assert build_book.contents() != before


def test_without_git_nobody_knows(repository):
    shutil.rmtree(repository / ".git")
    assert build_book.contents() is None


def test_a_built_book_is_built_again_only_where_something_changed(repository, monkeypatch, capsys):
    builder = repository / "_build/jupyter-book"  # leaves a page behind, or fails
    builder.write_text("#!/bin/sh\ngrep -q bad page.md && exit 1\necho >> _build/index.html\n")
    builder.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(builder.with_name("python")))
    lines = []
    for text in ("old", "old", "new", "bad", "bad", "new"):
        (repository / "page.md").write_text(text)
        lines.append((build_book.main(), build_book.HOME.read_text().count("\n")))
    assert lines == [(0, 1), (0, 1), (0, 2), (1, 2), (1, 2), (0, 3)]
    assert "nothing has changed since" in capsys.readouterr().out
