"""Artifacts appear whole or not at all, and damage never goes unnoticed."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from labs import artifacts, provenance, tensor_files
from labs.artifacts import (
    Clock,
    load_artifact,
    runs_of,
    write_artifact,
    write_atomically,
    write_measurement,
)
from labs.bundle import BUNDLE, to_bundle
from labs.errors import UserError
from labs.experiments import results
from labs.tensor_files import save_tensors
from scripts import slim_results
from tests.altering import unbundle


@pytest.fixture(autouse=True)
def own_data(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def make(path, text="1"):
    with write_artifact(path, kind="measurement", parameters={"n": 1}) as folder:
        (folder / "a.json").write_text(text)
        (folder / "sub").mkdir()
        (folder / "sub" / "b.bin").write_bytes(b"\0" * 100)
    return path


def test_round_trip_with_provenance(own_data):
    artifact = load_artifact(make(own_data / "x"))
    record = artifact.provenance
    assert set(record["files"]) == {"a.json", "sub/b.bin"}
    assert record["kind"] == "measurement" and record["parameters"] == {"n": 1}
    assert record["versions"]["python"] == sys.version.split()[0]
    assert record["hardware"]["cores"] >= 1 and record["hardware"]["memory_gib"] > 0
    assert record["finished"].endswith("Z")
    assert "started" not in record and "wall_time_s" not in record  # nobody said when it began
    assert artifact.json("a.json") == 1


def training_run(path):
    with write_artifact(path, kind="training", parameters={}) as folder:
        (folder / "curve.csv").write_text("step\n0\n")
        (folder / "weights.safetensors").write_bytes(b"w" * 1000)
        (folder / "policy.json").write_text("{}")
        (folder / "video.mp4").write_bytes(b"v" * 500)
    return path


def test_runs_know_their_seeds_and_come_in_their_order(own_data):
    for name in ("seed10", "seed2", "seedling"):
        training_run(own_data / "arm" / name)
    assert [run.seed for run in runs_of("arm")] == [2, 10]
    with pytest.raises(ValueError, match="expected a run's folder seed<k>"):
        load_artifact(own_data / "arm" / "seedling").seed  # noqa: B018


@pytest.mark.parametrize(
    ("seed", "arm", "kept"),
    [
        (0, "hopeful", {"weights.safetensors", "policy.json", "video.mp4"}),
        (1, "hopeful", set()),
        (0, "played", {"weights.safetensors", "policy.json", "video.mp4"}),
        (1, "played", {"weights.safetensors", "policy.json"}),
        (2, "played", set()),
        (0, "other", {"video.mp4"}),
        (0, "alike", set()),
    ],
)
def test_what_there_is_no_room_for_says_how_to_get_it(own_data, monkeypatch, seed, arm, kept):
    monkeypatch.setattr(slim_results, "CRITERIA", {"hopeful": 0.9})
    monkeypatch.setattr(slim_results, "PLAYED", {"played": 2})
    monkeypatch.setattr(slim_results, "WITH_FILM", ("hopeful", "played", "other"))
    path = training_run(own_data / arm / f"seed{seed}")
    before = load_artifact(path).provenance["files"]
    slim_results.main([])
    artifact = load_artifact(path)
    assert {p.name for p in path.iterdir()} == kept | {BUNDLE, "provenance.json"}
    assert set(artifact.provenance["files"]) == kept | {"curve.csv"}
    assert artifact.provenance["files"] | artifact.provenance.get("left_out", {}) == before
    for name in before.keys() - kept - {"curve.csv"}:
        assert artifact.left_out(name)
        with pytest.raises(UserError, match=f"pixels train {arm} --seeds {seed} --again"):
            artifact.file(name)
    slim_results.main([])  # once more changes nothing
    assert load_artifact(path).provenance == artifact.provenance


def test_a_locator_stays_where_a_policy_looks_through_it(own_data):
    kept, left = (own_data / "locator-push-workspace" / f"seed{seed}" for seed in (0, 1))
    for path in (kept, left):
        with write_artifact(path, kind="locator", parameters={}) as folder:
            (folder / "locator.safetensors").write_bytes(b"w" * 1000)
    slim_results.main([])
    assert not load_artifact(kept).left_out("locator.safetensors")
    assert load_artifact(left).left_out("locator.safetensors")


def test_slimming_stops_at_a_damaged_result_with_one_line(own_data, capsys):
    (training_run(own_data / "other" / "seed0") / "provenance.json").write_text("{")
    assert slim_results.main([]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "provenance.json is damaged" in said.err


def test_nothing_appears_when_the_block_fails(own_data):
    with pytest.raises(RuntimeError, match="on the way"):
        with write_artifact(own_data / "x", kind="measurement", parameters={}) as folder:
            (folder / "a").write_text("half")
            raise RuntimeError("on the way")
    assert list(own_data.iterdir()) == []


def test_an_old_artifact_survives_a_failed_rewrite(own_data):
    path = make(own_data / "x", "1")
    with pytest.raises(RuntimeError):
        with write_artifact(path, kind="measurement", parameters={}) as folder:
            (folder / "a.json").write_text("2")
            raise RuntimeError
    assert load_artifact(path).json("a.json") == 1


def test_a_rewrite_replaces_the_whole_folder(own_data):
    path = make(own_data / "x", "1")
    with write_artifact(path, kind="measurement", parameters={}) as folder:
        (folder / "c.json").write_text("3")
    assert set(load_artifact(path).provenance["files"]) == {"c.json"}
    assert [p.name for p in own_data.iterdir()] == ["x"]


def test_one_changed_byte_is_damage(own_data):
    path = make(own_data / "x")
    raw = bytearray((path / "sub" / "b.bin").read_bytes())
    raw[50] ^= 1
    (path / "sub" / "b.bin").write_bytes(raw)
    with pytest.raises(UserError, match=r"sub/b\.bin is damaged"):
        load_artifact(path)


def test_a_missing_file_is_named(own_data):
    path = make(own_data / "x")
    (path / "a.json").unlink()
    with pytest.raises(UserError, match=r"a\.json is missing"):
        load_artifact(path)


def test_a_missing_artifact_says_what_makes_it(own_data, monkeypatch):
    with pytest.raises(UserError, match="pixels train reach-state --seeds 7"):
        load_artifact(own_data / "reach-state" / "seed7")
    with pytest.raises(UserError, match="there is no artifact in .*floor: give the command that"):
        load_artifact(own_data / "floor")  # nothing there to delete
    with pytest.raises(UserError, match="an arm that looks .*: pixels train ARM --seeds 1 --again"):
        load_artifact(own_data / "locator-push-workspace" / "seed1")
    for name in ("seedling", "seed"):
        with pytest.raises(UserError, match="give the command that makes it$"):
            load_artifact(own_data / "x" / name)
    make(own_data / "arm" / "seed3")
    with pytest.raises(UserError, match=r"holds the seeds of an arm, name one of arm/seed3$"):
        load_artifact("arm")
    monkeypatch.setattr(artifacts, "git", lambda *a: "x")
    with pytest.raises(UserError, match="git -C /.+ checkout -- /.+/data/x"):
        load_artifact("x")


def test_short_files_lie_together_and_read_as_before(own_data):
    path = training_run(own_data / "arm" / "seed0")
    (path / "stray.txt").write_text("no file of the artifact")
    before, record = load_artifact(path), (path / "provenance.json").read_bytes()
    curve, stated = before.table(), before.read("curve.csv")
    assert slim_results.bundle(path) == 1 and slim_results.bundle(path) == 0
    packed = load_artifact(path)
    assert (path / BUNDLE).exists() and not (path / "curve.csv").exists()
    assert (path / "provenance.json").read_bytes() == record, "the same files, the same hashes"
    assert packed.read("curve.csv") == stated and packed.table().equals(curve)
    assert packed.lies_in("curve.csv") == path / BUNDLE
    assert packed.lies_in("policy.json") == packed.file("policy.json") == path / "policy.json"
    with pytest.raises(UserError, match="lies in its files.zip: unzip it there"):
        packed.file("curve.csv")
    with pytest.raises(UserError, match="has no other.csv"):
        packed.read("other.csv")
    content = (path / BUNDLE).read_bytes()
    unbundle(path)  # as a run leaves it, or a kill between the two: beside the bundle
    assert load_artifact(path).file("curve.csv").read_bytes() == stated
    (path / BUNDLE).write_bytes(content)
    assert slim_results.bundle(path) == 1 and (path / BUNDLE).read_bytes() == content


@pytest.mark.parametrize("harm", ["cut", "changed", "swapped", "gone"])
def test_a_damaged_bundle_is_one_error(own_data, harm):
    path = training_run(own_data / "arm" / "seed0")
    slim_results.bundle(path)
    bundle = path / BUNDLE
    content = bundle.read_bytes()
    if harm == "cut":
        bundle.write_bytes(content[:-9])
    elif harm == "changed":
        place = content.index(b"curve.csv") + len("curve.csv") + 3
        bundle.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    elif harm == "swapped":  # a whole archive, of another run
        bundle.write_bytes(to_bundle({"curve.csv": b"step\n1\n"}))
    else:
        bundle.unlink()
    words = {"swapped": r"curve.csv is damaged \(its SHA-256 differs\)", "gone": "is missing"}
    with pytest.raises(UserError, match=words.get(harm, "files.zip is damaged")) as error:
        load_artifact(path)
    assert "\n" not in str(error.value) and "pixels train arm --seeds 0" in str(error.value)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", pytest.param("[" * 10**5, id="deep"), '{"kind": 1}', '{"files": 3}']
)
def test_a_damaged_provenance_is_one_error(own_data, content):
    path = make(own_data / "x")
    (path / "provenance.json").write_text(content)
    with pytest.raises(UserError, match="damaged"):
        load_artifact(path)


def test_a_changed_setting_is_damage(own_data):
    listing = make(own_data / "x") / "provenance.json"
    whole = listing.read_text()
    listing.write_text(whole.replace('{"n": 1}', '{"n": 2}'))
    assert listing.read_text() != whole
    with pytest.raises(UserError, match=r"provenance.json is damaged \(its SHA-256 differs\)"):
        load_artifact(own_data / "x")
    listing.write_text(whole)
    assert load_artifact(own_data / "x").parameters == {"n": 1}


def test_a_full_disk_leaves_no_half_artifact(own_data, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts.os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device.*disk space"):
        make(own_data / "x")
    monkeypatch.undo()
    assert [p for p in own_data.rglob("*") if p.is_file()] == []


def test_trouble_with_another_file_is_not_blamed_on_the_disk(own_data, tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="elsewhere"),
        write_artifact(own_data / "x", kind="measurement", parameters={}),
    ):
        open(tmp_path / "elsewhere")
    assert [p for p in own_data.rglob("*") if p.is_file()] == []


def test_a_pipe_that_nobody_reads_is_not_blamed_on_the_disk(own_data):
    with (
        pytest.raises(BrokenPipeError, match="nobody reads"),
        write_artifact(own_data / "x", kind="measurement", parameters={}),
    ):
        raise BrokenPipeError(errno.EPIPE, "nobody reads")
    assert list(own_data.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_named_whatever_was_being_copied(own_data, number):
    with (
        pytest.raises(UserError, match="cannot write the artifact"),
        write_artifact(own_data / "x", kind="measurement", parameters={}),
    ):
        raise OSError(number, "it says", "/elsewhere/source")  # so does shutil.copyfile


def test_a_disk_that_fills_up_under_tensors_is_one_error(own_data, monkeypatch):
    save_tensors({"a": torch.ones(3)}, own_data / "x.safetensors")
    before = (own_data / "x.safetensors").read_bytes()

    def full(tensors, path, metadata=None):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: File too large")

    monkeypatch.setattr(tensor_files, "save_file", full)
    with pytest.raises(UserError, match="File too large.*free some disk space"):
        save_tensors({"a": torch.zeros(3)}, own_data / "x.safetensors")
    assert [p.name for p in own_data.iterdir()] == ["x.safetensors"]
    assert (own_data / "x.safetensors").read_bytes() == before


def test_tensors_are_on_the_disk_before_they_have_their_name(own_data, monkeypatch):
    path, flushed = own_data / "x.safetensors", []
    real = artifacts.flush_to_disk

    def watched(what):
        flushed.append((what, path.exists()))
        real(what)

    monkeypatch.setattr(tensor_files, "flush_to_disk", watched)
    save_tensors({"a": torch.ones(3)}, path)
    (file, named), (folder, then) = flushed
    assert file.parent == folder == own_data and (named, then) == (False, True)
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(own_data.iterdir()) == [path]


def test_two_writers_of_the_same_tensors_do_not_share_a_file(own_data, monkeypatch):
    path, used = own_data / "x.safetensors", []
    real = tensor_files.save_file

    def meanwhile(tensors, temporary, metadata=None):
        used.append(temporary)
        real(tensors, temporary, metadata)
        if len(used) == 1:  # another one begins and ends in between
            save_tensors({"a": torch.zeros(3)}, path)

    monkeypatch.setattr(tensor_files, "save_file", meanwhile)
    save_tensors({"a": torch.ones(3)}, path)
    assert len(set(used)) == 2
    assert load_file(path)["a"].sum() == 3 and list(own_data.iterdir()) == [path]


def test_what_is_no_artifact_is_not_replaced(own_data):
    make(own_data / "arm" / "seed0")
    with pytest.raises(UserError, match="holds no artifact"):
        make(own_data / "arm")
    with (
        pytest.raises(UserError, match="holds measurement, not training"),
        write_artifact(own_data / "arm" / "seed0", kind="training", parameters={}),
    ):
        raise AssertionError("the block does not begin")
    assert load_artifact(own_data / "arm" / "seed0").json("a.json") == 1
    (own_data / "arm" / "seed0" / "provenance.json").write_text("{")
    make(own_data / "arm" / "seed0", "2")  # what is damaged can be made again
    assert load_artifact(own_data / "arm" / "seed0").json("a.json") == 2


def test_a_measurement_does_not_take_the_results_below_it_along(own_data):
    write_measurement("floor", {"n": 1}, parameters={})
    with write_artifact(own_data / "floor" / "seed0", kind="training", parameters={}) as folder:
        (folder / "a.txt").write_text("a run")
    with pytest.raises(UserError, match="floor holds other results: move them away"):
        write_measurement("floor", {"n": 2}, parameters={})
    assert (
        load_artifact("floor/seed0") and load_artifact("floor").json("measurement.json")["n"] == 1
    )


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", ".hidden", "/x", 81 * "a"])
def test_a_measurement_has_a_name_of_its_own(name):
    with pytest.raises(UserError, match="cannot be a result's name"):
        write_measurement(name, {}, parameters={})


def test_an_unwritable_place_is_one_error():
    with pytest.raises(UserError, match="cannot write the artifact"):
        make(Path("/proc/nope/x"))
    with pytest.raises(UserError, match="cannot write the artifact"):
        make(Path("/proc/nope/arm/seed0"))  # the error names a folder further up


def test_ctrl_c_between_the_two_renames_loses_nothing(own_data, monkeypatch):
    path, moves = make(own_data / "x"), []

    def interrupted(old, new, replace=os.replace):
        moves.append(new)
        if len(moves) == 3:  # provenance.json, then aside, then this one
            raise KeyboardInterrupt
        replace(old, new)

    monkeypatch.setattr(artifacts.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(path, "2")
    monkeypatch.undo()
    assert load_artifact(path).json("a.json") == 1 and len(list(own_data.iterdir())) == 1


def test_nan_cannot_be_written(own_data):
    with pytest.raises(ValueError, match="JSON"):
        write_measurement("x", {"a": float("nan")}, parameters={})
    assert not (own_data / "x").exists()


def test_measurement_with_files_and_numpy(own_data, tmp_path):
    (tmp_path / "p.png").write_bytes(b"png")
    artifact = write_measurement(
        "m",
        {"mean": np.float32(0.5), "counts": np.arange(3)},
        parameters={"n": 3},
        extra_files={"p.png": tmp_path / "p.png", "t.csv": "a,b\n1,2\n"},
    )
    assert artifact.json("measurement.json") == {"mean": 0.5, "counts": [0, 1, 2]}
    assert artifact.table("t.csv")["b"].tolist() == [2]
    with pytest.raises(UserError, match="has no q.png"):
        artifact.file("q.png")


def test_a_measurement_of_many_numbers_lies_there_compressed(own_data):
    many = {"found": list(range(20_000))}
    first = write_measurement("many", many, parameters={})
    (packed,) = (own_data / "many").glob("measurement*")
    assert packed.name == "measurement.json.gz" and packed.stat().st_size < 60_000
    assert first.json("measurement.json") == first.json("measurement.json.gz") == many
    again = write_measurement("many", many, parameters={})  # the same numbers, the same bytes
    assert again.provenance["files"] == first.provenance["files"]
    packed.write_bytes(packed.read_bytes()[:-1])
    with pytest.raises(UserError, match="measurement.json.gz is damaged"):
        load_artifact("many")


def test_the_clock_of_a_measurement_starts_before_it(own_data):
    clock = Clock()
    time.sleep(1.1)
    record = write_measurement("m", {"n": 1}, parameters={}, clock=clock).provenance
    assert record["started"] < record["finished"]
    assert 1.1 <= record["wall_time_s"] < 600


def test_write_atomically_keeps_the_old_file_on_failure(tmp_path, monkeypatch):
    path = tmp_path / "f"
    write_atomically(path, "old")
    monkeypatch.setattr(artifacts.os, "replace", lambda *a: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        write_atomically(path, "new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["f"]


def _write_on(path: Path, go: Connection) -> None:
    """Writes one artifact over the other, and says when the first one is there."""
    for number in itertools.count(1):
        with write_artifact(path, kind="measurement", parameters={"number": number}) as folder:
            for i in range(20):
                (folder / f"{i}.json").write_text(str(number))
        if number == 1:
            go.send("go")


@pytest.mark.slow
def test_kill_9_while_writing_leaves_whole_artifacts(own_data, begin):
    """Whatever the moment, what stands under the name is whole (or, between, nothing)."""
    path = own_data / "x"
    seen = 0
    for delay in (0.0, 0.02, 0.05, 0.08, 0.13, 0.21):
        process, told = begin(_write_on, path)
        assert told.recv() == "go"
        time.sleep(delay)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        if path.exists():
            artifact = load_artifact(path)  # raises when a file is half written
            numbers = {artifact.json(f"{i}.json") for i in range(20)}
            assert numbers == {artifact.parameters["number"]}
            seen += 1
    assert seen >= 4


def test_listing_ignores_unfinished_folders(own_data):
    make(own_data / "x")
    half = own_data / ".y.abc.tmp"
    half.mkdir()
    (half / "provenance.json").write_text(json.dumps({"files": {}}))
    assert [p.name for p in artifacts.list_artifacts()] == ["x"]


def test_listing_finds_what_lies_below_a_dot_folder(tmp_path):
    make(tmp_path / ".cache" / "data" / "x")
    assert [p.name for p in artifacts.list_artifacts(tmp_path / ".cache" / "data")] == ["x"]


def test_a_replacement_that_was_killed_halfway_is_taken_back(own_data):
    path = make(own_data / "x", "old")
    aside = own_data / ".x.abc.tmp"
    aside.mkdir()
    path.rename(aside / "old")  # and here the writer dies
    with pytest.raises(UserError, match="there is no artifact"):
        load_artifact(path)  # it may still be alive
    os.utime(aside, (0, 0))
    assert load_artifact(path).file("a.json").read_text() == "old"
    assert [p.name for p in own_data.iterdir()] == ["x"]


def test_a_replacement_that_was_killed_at_its_end_leaves_nothing_that_comes_back(own_data):
    path, aside = make(own_data / "x", "new"), own_data / ".x.abc.tmp"
    make(aside / "old", "old")  # the writer died before it removed that
    assert load_artifact(path).file("a.json").read_text() == "new"
    assert aside.exists()  # it may still be alive
    os.utime(aside, (0, 0))
    assert load_artifact(path).file("a.json").read_text() == "new"
    assert [p.name for p in own_data.iterdir()] == ["x"]
    shutil.rmtree(path)
    with pytest.raises(UserError, match="there is no artifact"):
        load_artifact(path)


def test_an_old_artifact_is_kept_where_something_else_took_its_place(own_data):
    aside = own_data / ".x.abc.tmp"
    make(aside / "old", "old")
    os.utime(aside, (0, 0))
    (own_data / "x").mkdir()  # no artifact
    with pytest.raises(UserError, match="there is no artifact"):
        load_artifact(own_data / "x")
    (own_data / "x").rmdir()
    assert load_artifact(own_data / "x").file("a.json").read_text() == "old"


def test_of_two_old_artifacts_the_newer_one_is_taken_back(own_data):
    for name, content, then in (("a", "first", 10), ("b", "second", 20), ("c", "zeroth", 0)):
        aside = own_data / f".x.{name}.tmp"
        make(aside / "old", content)
        os.utime(aside, (then, then))
    assert load_artifact(own_data / "x").file("a.json").read_text() == "second"
    assert [p.name for p in own_data.iterdir()] == ["x"]


def test_a_renamed_file_is_changed_under_its_new_name(tmp_path, monkeypatch):
    def git(*arguments):
        who = ("-c", "user.name=n", "-c", "user.email=e")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "labs").mkdir()
    for name in ("pyproject.toml", "labs/artifacts.py", "labs/before.py"):
        (tmp_path / name).write_text(f"# {name}\n")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    git("mv", "labs/before.py", "labs/after.py")
    monkeypatch.chdir(tmp_path)
    provenance.code_state.cache_clear()
    changed = provenance.code_state()[1]
    provenance.code_state.cache_clear()
    assert set(changed) == {"labs/before.py", "labs/after.py"}


def test_a_copy_without_git_is_told_its_commit(monkeypatch):
    monkeypatch.setattr(provenance, "git", lambda *arguments: None)
    monkeypatch.delenv("PIXELS_COMMIT", raising=False)
    states = []
    for commit in (None, "abc123"):
        if commit:
            monkeypatch.setenv("PIXELS_COMMIT", commit)
        provenance.code_state.cache_clear()
        states.append(provenance.code_state())
    provenance.code_state.cache_clear()
    assert states == [(None, None), ("abc123", None)]


def test_without_git_nobody_says_that_the_code_was_committed(own_data, monkeypatch):
    monkeypatch.setattr(artifacts, "git", lambda *arguments: None)
    monkeypatch.setattr(provenance, "git", lambda *arguments: None)
    provenance.code_state.cache_clear()
    path = make(own_data / "x")
    provenance.code_state.cache_clear()
    assert load_artifact(path).provenance["uncommitted_code"] is None
    assert results.describe(path)["changed"] is False and results.table()[1] == 0


def test_a_reader_who_meets_a_new_artifact_reads_that(own_data, monkeypatch):
    """Somebody puts another one in the place between the record and the files that it names."""

    def put(text):
        return write_measurement("noted", {"text": text}, parameters={})

    put("old")
    real, calls = artifacts.sha256, []

    def slow(path):
        if not calls:
            calls.append(path)
            put("new")
        return real(path)

    monkeypatch.setattr(artifacts, "sha256", slow)
    assert load_artifact("noted").json("measurement.json")["text"] == "new" and calls
