"""What was left out comes back from a mirror, whole or not at all."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading

import pytest

from labs import cli
from labs.artifacts import data_root, load_artifact
from labs.experiments.policies import load_policy
from scripts import slim_results

RUN = "push-blind-tuned/seed0"


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A result of one's own, slimmed onto a shelf that a server offers as a mirror."""
    data, shelf = tmp_path / "data", tmp_path / "shelf"
    shutil.copytree(data_root() / RUN, data / RUN)
    monkeypatch.setenv("PIXELS_DATA", str(data))
    monkeypatch.setattr(slim_results, "seeds_with_weights", lambda arm: 0)
    assert slim_results.slim(data / RUN, shelf) > 0
    handler = functools.partial(Silent, directory=shelf)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIXELS_MIRROR", f"http://127.0.0.1:{server.server_port}/")
    yield shelf
    server.shutdown()
    server.server_close()


def test_what_was_left_out_comes_back(shelf, capsys):
    run = load_artifact(RUN)
    gone = run.provenance["left_out"]
    assert gone and not any((run.path / name).exists() for name in gone)
    assert cli.main(["fetch", "push-blind-tuned"]) == 0
    assert "weights.safetensors" in capsys.readouterr().out
    again = load_artifact(RUN)  # checks every hash
    assert again.provenance["files"] == run.provenance["files"] | gone
    assert "left_out" not in again.provenance and load_policy(RUN).config.arm == "push-blind-tuned"
    assert not [path for path in run.path.parent.iterdir() if path.name.startswith(".")]
    assert cli.main(["fetch", "push-blind-tuned", "--seeds", "0"]) == 0
    assert "nothing was left out" in capsys.readouterr().out


def test_other_bytes_a_gap_and_no_mirror_change_nothing(shelf, monkeypatch, capsys):
    before = load_artifact(RUN).provenance

    def refused(words):
        assert cli.main(["fetch", "push-blind-tuned"]) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert said[-1].startswith("pixels: ") and words in said[-1], said
        assert not any("Traceback" in line for line in said)
        assert load_artifact(RUN).provenance == before

    kept = {path.name: path.read_bytes() for path in (shelf / RUN).iterdir()}
    assert len(kept) == 2
    for name in kept:
        (shelf / RUN / name).write_bytes(b"other weights")
    refused(f"holds other bytes than the run left behind, and was not taken (and {len(kept) - 1}")
    shutil.rmtree(shelf / RUN)
    refused("does not come (HTTPError): check PIXELS_MIRROR")
    monkeypatch.setenv("PIXELS_MIRROR", "http://127.0.0.1:9")
    refused("does not come (ConnectionError)")
    monkeypatch.setenv("PIXELS_MIRROR", "")
    refused("no mirror: set PIXELS_MIRROR")
    for wrong in ("ftp://x", "http://", "http://[x", "http://x:port", "x"):
        monkeypatch.setenv("PIXELS_MIRROR", wrong)
        refused("is no http address: give https://HOST")


def test_what_does_not_come_keeps_nothing_else_back(shelf, capsys):
    (shelf / RUN / "policy.json").unlink()
    assert cli.main(["fetch", "push-blind-tuned"]) == 2
    said = capsys.readouterr()
    assert "policy.json does not come" in said.err and "weights.safetensors" in said.out
    run = load_artifact(RUN)
    assert set(run.provenance["left_out"]) == {"policy.json"}
    assert run.file("weights.safetensors").stat().st_mode & 0o777 == 0o644


def test_a_folder_that_cannot_be_written_is_one_line(shelf, monkeypatch, capsys):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert cli.main(["fetch", "push-blind-tuned"]) == 2
    assert "cannot write" in capsys.readouterr().err.splitlines()[-1]
