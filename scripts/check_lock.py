"""Says whether the packages of this environment are those of requirements.lock."""

from __future__ import annotations

import argparse
import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def read_lock(path: Path = ROOT / "requirements.lock") -> dict[str, str]:
    """Package name → exact version. Any line that is no exact pin is an error."""
    pins = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if not line:
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line)
        if match is None:
            raise ValueError(f"{path.name}: expected name==version, received {line!r}")
        pins[match[1]] = match[2]
    return pins


def differences() -> list[str]:
    """What this environment has otherwise than the lock. A local label (+cpu) is no difference."""
    found = []
    for name, wanted in read_lock().items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(f"{name}: missing, the lock has {wanted}")
            continue
        if version.partition("+")[0] != wanted:
            found.append(f"{name}: {version}, the lock has {wanted}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quiet", action="store_true", help="say it by the exit code alone")
    quiet = parser.parse_args().quiet
    problems = differences()
    if not quiet:
        print("\n".join(problems) if problems else "the environment is that of requirements.lock")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
