"""Where a result comes from: commit, changed code, lock, machine, versions."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from labs.limits import total_memory, usable_cores

GIB = 2**30

PACKAGES = (
    "torch",
    "stable-baselines3",
    "mujoco",
    "gymnasium",
    "gymnasium-robotics",
    "numpy",
)


def repository_root() -> Path:
    """The folder that holds ``data/``, ``notebooks/`` and ``labs/``.

    The working directory or one of its parents if it looks like the repository, else the folder
    of this package (an editable installation).
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "labs" / "artifacts.py").exists() and (folder / "pyproject.toml").exists():
            return folder
    return Path(__file__).resolve().parents[1]


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record, plain JSON, with the SHA-256 of all its other entries at its end."""
    content = {key: value for key, value in record.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True)
    return content | {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def git(*arguments: str) -> str | None:
    """What git says in the repository; None where it fails or there is no git."""
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=repository_root(), capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


@lru_cache
def code_state() -> tuple[str | None, tuple[str, ...] | None]:
    """The commit and the changed code files, as they were when this process first asked.

    A long run calls it when it starts: what it runs is what was there then. In a copy without git
    the commit is what ``$PIXELS_COMMIT`` says that it was copied from. The files are None where
    git does not answer: nobody knows then what was changed.
    """
    code = ("labs", "notebooks/training")
    # A rename's line would name both files; as one deleted and one added, each has its own.
    status = git("status", "--porcelain", "--no-renames", "-uall", "--", *code)
    commit = git("rev-parse", "HEAD") or os.environ.get("PIXELS_COMMIT") or None
    if status is None:
        return commit, None
    return commit, tuple(line[2:].strip() for line in status.splitlines())


def _imported(files: tuple[str, ...]) -> list[str]:
    """Those of the files that this process runs."""
    root = repository_root()
    loaded = {getattr(m, "__file__", None) for m in list(sys.modules.values())}
    return [f for f in files if str(root / f) in loaded or f.startswith("notebooks/")]


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load() -> float | None:
    """How many processes wanted a core over the last minute; None where the system has no say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


@lru_cache
def hardware() -> dict[str, Any]:
    """What this machine is: CPU, usable cores, memory in GiB, GPU, operating system."""
    import torch

    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "memory_gib": round(total_memory() / GIB, 1),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "platform": platform.platform(terse=True),
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def utc_now() -> str:
    """The time in UTC to the second, ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock:
    """When a measurement started: made before it, given to what writes its artifact.

    It also remembers the code as it was then (:func:`code_state`).
    """

    def __init__(self):
        code_state()
        self.started, self._begin = utc_now(), time.perf_counter()

    def record(self) -> dict[str, Any]:
        """``started`` (UTC) and ``wall_time_s`` so far, for ``provenance.json``."""
        return {
            "started": self.started,
            "wall_time_s": round(time.perf_counter() - self._begin, 2),
        }


def provenance(
    kind: str, parameters: Mapping[str, Any], *, gl: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Who, where, from what: everything but the files and the times."""
    lock = repository_root() / "requirements.lock"
    commit, changed = code_state()
    return {
        "kind": kind,
        "parameters": dict(parameters),
        "commit": commit,
        "uncommitted_code": None if changed is None else _imported(changed),
        "lock_sha256": sha256(lock) if lock.exists() else None,
        "versions": versions(),
        "load_average": load(),  # a busy machine explains a slow run
        "hardware": hardware() | ({"gl": dict(gl)} if gl else {}),
    }
