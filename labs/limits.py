"""What this process may use of the machine: cores and memory, the limits of a container counted.

A container (Docker, Kubernetes, Slurm) sees the whole machine's memory and cores, and is killed, or
slowed, at its control group's limits. Linux tells those as files, in one tree (version 2) or in a
tree for each resource (version 1). Elsewhere there are none, and the machine's own figures hold.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """The CPU cores that this process may use, at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, int(min([cores or 1, *_quotas()])))


def free_memory() -> int:
    """Bytes that this process and its children may still take."""
    left = (limit - used for limit, used in _memory_limits())
    return max(0, min([psutil.virtual_memory().available, *left]))


def total_memory() -> int:
    """Bytes of memory that this process could have if it were alone."""
    return min([psutil.virtual_memory().total, *(limit for limit, _ in _memory_limits())])


def _quotas() -> Iterator[float]:
    """Cores' worth of time that each control group above this process grants."""
    for folder in _folders("cpu"):
        with contextlib.suppress(OSError, ValueError):
            if (folder / "cpu.max").exists():
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota, period = (
                    (folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
                )
            if int(quota) > 0:  # "max" is no number, and −1 was version 1's word for it
                yield int(quota) / int(period)


def _memory_limits() -> Iterator[tuple[int, int]]:
    """(limit, used) in bytes of each control group above this process.

    Pages of files are not counted as used, as in the kernel's own count of what is available: it
    drops them, those in use last.
    """
    for folder in _folders("memory"):
        for limit, used, prefix in (
            ("memory.max", "memory.current", ""),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        ):
            with contextlib.suppress(OSError, ValueError, KeyError):
                most = int((folder / limit).read_text())
                lines = (folder / "memory.stat").read_text().splitlines()
                found = dict(line.split() for line in lines)
                files = sum(int(found[f"{prefix}{kind}_file"]) for kind in ("active", "inactive"))
                yield most, int((folder / used).read_text()) - files


def _folders(resource: str) -> Iterator[Path]:
    """The control groups of this process for a resource, from its own to the root."""
    with contextlib.suppress(OSError):
        for line in MEMBERSHIP.read_text().splitlines():
            _, names, path = line.split(":", 2)
            if names and resource not in names.split(","):
                continue
            # In a container the path may be the host's, which is not there: the root then holds.
            root = GROUPS / resource if names else GROUPS
            own = root / path.strip("/")
            yield from (f for f in (own, *own.parents) if f.is_relative_to(root) and f.is_dir())
