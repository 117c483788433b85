"""The limits of a container count, as Linux tells them in either version of its control groups."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from labs import limits

GIB = 2**30


@pytest.fixture
def group(tmp_path, monkeypatch):
    """Writes control groups below a root of our own, on a machine of 8 cores and 64 GiB."""
    monkeypatch.setattr(limits, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(limits, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    machine = SimpleNamespace(total=64 * GIB, available=60 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: machine)

    def write(folder, **files):
        (path := tmp_path / "groups" / folder).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (path / name.replace("__", ".")).write_text(f"{text}\n")

    write.membership = lambda text: (tmp_path / "membership").write_text(text)
    return write


def found():
    return limits.usable_cores(), limits.free_memory() / GIB, limits.total_memory() / GIB


def test_without_control_groups_the_machine_counts(group):
    assert found() == (8, 60, 64)


def test_version_2_limits_hold_at_every_level_above_a_process(group):
    group.membership("0::/pod/box\n")
    group("", cpu__max="max 100000")
    group("pod", cpu__max="250000 100000", memory__max="max", memory__current=9 * GIB)
    group(
        "pod/box",
        cpu__max="max 100000",
        memory__max=4 * GIB,
        memory__current=3 * GIB,
        memory__stat=f"anon 5\ninactive_file {2 * GIB}\nactive_file {GIB // 2}",
    )
    assert found() == (2, 3.5, 4), "what the kernel would drop is free"


def test_version_1_has_a_tree_for_each_resource(group):
    group.membership("4:memory:/docker/ab\n1:cpu,cpuacct:/docker/ab\n0::/\n")
    # In a container its own group is the root; the host's path is not there.
    group("cpu", cpu__cfs_quota_us=50_000, cpu__cfs_period_us=100_000)
    group(
        "memory",
        memory__limit_in_bytes=2 * GIB,
        memory__usage_in_bytes=3 * GIB,
        memory__stat="total_inactive_file 0\ntotal_active_file 0",
    )
    assert found() == (1, 0, 2), "half a core is one, and what is overdrawn is nothing"


def test_version_1_counts_pages_of_files_as_free(group):
    group.membership("4:memory:/\n")
    group(
        "memory",
        memory__limit_in_bytes=4 * GIB,
        memory__usage_in_bytes=3 * GIB,
        memory__stat=f"active_file 9\ntotal_inactive_file {GIB}\ntotal_active_file {GIB // 2}",
    )
    assert limits.free_memory() / GIB == 2.5


def test_version_1_without_a_limit(group):
    group.membership("4:memory:/\n1:cpu:/\n")
    group("cpu", cpu__cfs_quota_us=-1, cpu__cfs_period_us=100_000)
    group(
        "memory",
        memory__limit_in_bytes=9223372036854771712,
        memory__usage_in_bytes=GIB,
        memory__stat="total_inactive_file 0\ntotal_active_file 0",
    )
    assert found() == (8, 60, 64)
