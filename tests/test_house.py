"""The house around the package: one address, one lock, one set of commands, nothing left lying."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import check_lock
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import labs
from labs.envs import GL_PACKAGES

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCK = {canonicalize_name(name): version for name, version in check_lock.read_lock().items()}
MAKEFILE = (ROOT / "Makefile").read_text()
BLOCK = 4096  # files lie on a disk in whole blocks
MAX_BYTES = 14_000_000  # of what the files hold
MAX_ON_DISK = 14_670_000  # of whole blocks: 10 KB below 14 MiB


def read_yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text())


def tracked() -> list[Path]:
    """The files that git tracks and that are still there."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: its tracked files cannot be listed")
    names = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def own_texts() -> list[tuple[str, str]]:
    """Name and text of each tracked text file that this project wrote."""
    texts = []
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        content = path.read_bytes()
        if b"\0" not in content:
            # Pictures inside notebooks and pages spell anything.
            texts.append((name, re.sub(r"[A-Za-z0-9+/=]{200,}", "", content.decode("utf-8"))))
    return texts


# ---------------------------------------------------------------------------------- the repository


def test_the_repository_is_small():
    sizes = {path.relative_to(ROOT): path.stat().st_size for path in tracked()}
    largest = sorted(sizes, key=sizes.get)[-3:]
    on_disk = sum(-(-size // BLOCK) * BLOCK for size in sizes.values())
    assert sum(sizes.values()) < MAX_BYTES and on_disk < MAX_ON_DISK, largest
    assert [n for n, s in sizes.items() if n.suffix == ".ipynb" and s > 1_000_000] == []


def test_every_name_of_the_specification_stands():
    wanted = (
        "book notebooks labs data tests _config.yml _toc.yml environment.yml Dockerfile Makefile"
    )
    wanted += (
        " README.md LICENSE LICENSE-TEXT CITATION.cff CONTRIBUTING.md .ci/run .github/workflows"
    )
    assert [name for name in wanted.split() if not (ROOT / name).exists()] == []


def test_nothing_is_left_lying():
    """No unfinished work, and no folder that exists on one machine only."""
    words = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "coming " + "soon")
    unfinished = re.compile(r"\b(?:" + "|".join(words) + r")\b")
    folder = re.compile(r"(?<![\w.~\]])/(?:root|work|workspace|Users/\w+|home/\w+)/|/tmp/[A-Za-z]")
    # The container's own user, and the expression that looks for such folders.
    allowed = {"Dockerfile": "/home/reader/", "scripts/check_pairs.py": "/(?:root|"}
    found = []
    for name, text in own_texts():
        for number, line in enumerate(text.splitlines(), 1):
            if unfinished.search(line) or (
                folder.search(line) and allowed.get(name, "\0") not in line
            ):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    found = [f for f in found if not f.startswith("tests/test_house.py")]
    assert found == []


def test_one_address_everywhere():
    url = read_yaml("_config.yml")["repository"]["url"]
    assert url.startswith("https://github.com/") and not url.endswith("/")
    assert read_yaml("CITATION.cff")["repository-code"] == url
    assert PROJECT["urls"]["Repository"] == url
    assert f"git clone --depth 1 {url}\n" in (ROOT / "README.md").read_text()
    repository = url.rsplit("/", 1)[1]
    other = re.compile(r"https://github\.com/[\w.-]+/" + re.escape(repository) + r"\b")
    for name, text in own_texts():
        assert {found for found in other.findall(text)} <= {url}, name


def test_one_version_everywhere():
    assert labs.__version__ == PROJECT["version"] == read_yaml("CITATION.cff")["version"]


def test_citation_has_what_the_format_requires():
    citation = read_yaml("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["license"] == PROJECT["license"] == "MIT"
    for name in PROJECT["license-files"]:
        assert (ROOT / name).read_text().strip()


def test_a_package_names_its_modules():
    for init in Path(labs.__file__).parent.rglob("*/__init__.py"):
        doc = init.read_text().split('"""')[1]
        names = [] if init.parent.name == "checks" else [p.stem for p in init.parent.glob("*.py")]
        missing = [n for n in names if n != "__init__" and not re.search(rf"[`.]{n}`", doc)]
        assert not missing, init  # a module of checks has the name of what it checks


def test_readme_is_two_screens_and_its_links_exist():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 80
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / link).exists(), link


# ------------------------------------------------------------------------------------ the commands


def targets() -> dict[str, str]:
    """Makefile target → its line of help."""
    found = {}
    for line in MAKEFILE.splitlines():
        if match := re.match(r"([a-z][\w-]*):(?!=)([^#]*)(?:## (.*))?$", line):
            found[match[1]] = (match[3] or "").strip()
    return found


def test_every_target_has_its_line_of_help():
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
    assert set(phony) == targets().keys()
    assert set(phony) >= {"book", "test", "lab", "serve", "execute", "clean", "help"}
    assert all(targets().values()), targets()
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True
    )
    for name, line in targets().items():
        assert re.search(rf"make {name} +{re.escape(line)}", shown.stdout), name


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_pages_name_targets_that_exist(page):
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", (ROOT / page).read_text(), re.MULTILINE))
    assert named and named <= targets().keys()


def test_continuous_integration_runs_the_same_commands():
    run = ROOT / ".ci/run"
    assert os.access(run, os.X_OK)
    assert re.findall(r"make \w+", run.read_text()) == ["make test", "make mutations"]
    workflow = read_yaml(".github/workflows/book.yml")
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    assert "push" in triggers and triggers["schedule"]
    steps = workflow["jobs"]["book"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands == ["make book", ".ci/run"]
    (python,) = [step for step in steps if "setup-python" in step.get("uses", "")]
    assert "!= 'schedule'" in python["with"]["cache"]  # the weekly run starts cold


# ---------------------------------------------------------------------------------------- the lock


def requirements() -> list[Requirement]:
    lines = list(PROJECT["dependencies"])
    for name, extra in PROJECT["optional-dependencies"].items():
        lines += extra if name != "sweep" else []  # Ray is for those who scale out, by hand
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_lock_satisfies_the_range(requirement):
    pin = LOCK[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pin, prereleases=True)


def test_this_environment_is_the_lock():
    assert check_lock.differences() == []


def test_lock_is_closed():
    """What a locked package requires here is locked too: nothing comes in at whatever version."""
    missing = []
    for name, pin in LOCK.items():
        for line in metadata.requires(name) or []:
            wanted = Requirement(line)
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
                continue
            version = LOCK.get(canonicalize_name(wanted.name))
            # A build of torch for CUDA brings NVIDIA's libraries; the lock serves CPU and CUDA.
            if version is None and not re.match(r"nvidia-|triton|cuda-", wanted.name):
                missing.append(f"{name} {pin} requires {line}")
            elif version is not None and not wanted.specifier.contains(version, prereleases=True):
                missing.append(f"{name} {pin} requires {line}, locked is {version}")
    assert missing == []


def test_lock_installs_on_the_oldest_python():
    """Debian 12 has Python 3.11.2; a later patch release must not be needed."""
    assert PROJECT["requires-python"] == ">=3.11"
    wanted = {name: metadata.metadata(name)["Requires-Python"] or "" for name in LOCK}
    refusing = {n: r for n, r in wanted.items() if not SpecifierSet(r).contains("3.11.2")}
    assert refusing == {}


def test_lock_takes_exact_pins_only(tmp_path):
    for line in ("torch>=2", "torch", "-e .", "torch==2.13.0+cpu"):
        (tmp_path / "lock").write_text(line)
        with pytest.raises(ValueError, match="name==version"):
            check_lock.read_lock(tmp_path / "lock")


def test_environment_yml_installs_the_lock_and_the_package():
    def parts(name):
        environment = read_yaml(name)
        *conda, pip = environment["dependencies"]
        return environment["name"], environment["channels"], conda, pip["pip"]

    name, channels, conda, pip = parts("environment.yml")
    assert pip == ["-r requirements.lock", "-e ."]
    assert conda[0].startswith("python=") and conda[1:] == ["pip"]
    assert SpecifierSet(PROJECT["requires-python"]).contains(conda[0].removeprefix("python="))
    binder = parts("binder/environment.yml")
    assert binder == (name, channels, conda, ["-r ../requirements.lock", "-e .."])
    assert (ROOT / "binder/apt.txt").read_text().split() == GL_PACKAGES.split()


# --------------------------------------------------------------------------------------- container


def dockerfile() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile: (word, rest), continuation lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def test_the_container_installs_exactly_the_lock():
    runs = " && ".join(rest for word, rest in dockerfile() if word == "RUN").split("&&")
    installs = [" ".join(run.split()) for run in runs if "pip install" in run]
    assert installs == [
        f"python -m pip install --no-cache-dir uv=={installs[0].rpartition('==')[2]}",
        'uv pip install --no-cache --torch-backend "$TORCH_BACKEND" -r requirements.lock',
        "python -m pip install --no-cache-dir --no-deps --no-build-isolation -e .",
    ]
    assert Version(installs[0].rpartition("==")[2]) >= Version("0.7.14")  # knows --torch-backend
    order = [rest for word, rest in dockerfile() if word in ("COPY", "RUN")]
    lock = next(i for i, rest in enumerate(order) if rest.endswith("requirements.lock ./"))
    assert "-r requirements.lock" in order[lock + 1]


def test_the_container_is_for_cpu_unless_told_and_not_root():
    instructions = dockerfile()
    assert ("ARG", "TORCH_BACKEND=cpu") in instructions
    assert [rest for word, rest in instructions if word == "USER"][-1] == "reader"
    word, command = instructions[-1]
    assert word == "CMD" and '"jupyter", "lab"' in command
    base = next(rest for word, rest in instructions if word == "FROM")
    python = re.fullmatch(r"python:(\d+\.\d+)-slim-bookworm", base)[1]
    assert f"python={python}" in read_yaml("environment.yml")["dependencies"]
    assert GL_PACKAGES in " ".join(rest for word, rest in instructions if word == "RUN")
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "_build"} <= set(ignored)


# --------------------------------------------------------------------- what the setup says and does


@pytest.fixture
def clone(tmp_path):
    """The files that the setup reads, and a folder `bin` that stands first on the path."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("setup.sh", "check_lock.py"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def put(clone: Path, name: str, script: str) -> None:
    """Puts a program first on the path."""
    program = clone / "bin" / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def setup(clone: Path, **environment: str) -> subprocess.CompletedProcess:
    path = f"{clone / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [clone / "scripts/setup.sh"],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_setup_refuses_an_old_python_in_one_line(clone):
    put(clone, "python3.9", 'case "$*" in *version_info*) exit 1;; esac; echo Python 3.9.2')
    put(clone, "python3", "echo Python 3.9.2")
    result = setup(clone, PYTHON="python3.9")
    assert result.returncode == 2
    assert "Python 3.11 or newer; found: Python 3.9.2" in result.stderr.splitlines()[0]
    assert not (clone / ".venv").exists()


def test_setup_names_the_command_when_it_may_not_install(clone):
    """Debian's Python without venv, and a reader who is not root."""
    put(clone, "id", "echo 1000")
    put(clone, "sudo", "exit 1")
    put(clone, "apt-get", f"touch {clone}/installed")
    real = f'exec {sys.executable} "$@"'
    put(clone, "python3", f'case "$*" in *ensurepip*) exit 1;; esac; {real}')
    result = setup(clone, PYTHON="python3")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert result.returncode == 2
    assert result.stderr.splitlines()[0].startswith("error: Python 3.")
    assert f"apt-get install --yes --no-install-recommends {version}'" in result.stderr
    assert not (clone / "installed").exists() and not (clone / ".venv").exists()


def test_setup_names_the_gl_packages_when_it_may_not_install(clone):
    """A finished environment on a machine without OpenGL libraries."""
    put(clone, "id", "echo 1000")
    put(clone, "sudo", "exit 1")
    put(clone, "apt-get", f"touch {clone}/installed")
    (clone / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", clone)
    # "-" is the GL probe, "-c" the question for the version; installing is not the matter here.
    probe = f'case "$1" in -) exit 1;; -c) exec {sys.executable} "$@";; *) exit 0;; esac'
    put(clone, "probe", probe)
    shutil.move(clone / "bin/probe", clone / ".venv/bin/python")
    result = setup(clone)
    assert result.returncode == 2
    assert GL_PACKAGES in result.stderr and "sudo sh -c" in result.stderr
    assert not (clone / "installed").exists()


def test_setup_does_nothing_when_all_is_there():
    """Quick, and without a word."""
    if not (ROOT / ".stamps/draws").exists():
        pytest.skip("this environment was not made by make")
    result = subprocess.run([ROOT / "scripts/setup.sh"], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_no_tracked_file_spells_a_marker():
    """Not even by accident, in the base64 of a picture."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in tracked()
        if b"\0" not in (content := path.read_bytes())
        for match in re.finditer(rb"T[O]DO|F[I]XME|X{3}|HA[C]K", content)
    ]
    assert not found


# What runs a pickle's code. torch.load does unless it is told to take weights only.
UNPICKLES = re.compile(
    r"pickle\w*\.loads?\b|import \w*(?:pickle|dill|joblib|shelve)\b|read_pickle"
    r"|allow_pickle\s*=\s*True|torch\.load\((?![^)\n]*weights_only=True)"
)


def test_nothing_of_ours_runs_a_pickle():
    assert UNPICKLES.search("envs = cloudpickle.loads(sent)")
    assert UNPICKLES.search("torch.load(path)")
    assert not UNPICKLES.search("torch.load(path, weights_only=True)")
    sources = [*ROOT.glob("labs/**/*.py"), *ROOT.glob("scripts/*.py"), *ROOT.glob("book/_ext/*.py")]
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sources
        for match in UNPICKLES.finditer(path.read_text())
    ]
    assert not found
