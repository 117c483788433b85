"""Fixtures that several test files share."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import tempfile

import pytest
from nbval import kernel

from tests.browser import chromium, executable

# Processes of the fork server start with these imported. Said before the first one starts: a fork
# server that runs takes no more orders. The first optimizer of a process imports torch._dynamo,
# which takes longer than most of what is tested there.
multiprocessing.set_forkserver_preload(
    [
        *("torch", "torch._dynamo", "stable_baselines3", "matplotlib.pyplot"),
        *("scipy.stats", "hypothesis", "pandas"),
    ]
)


OverNetwork = kernel.KernelManager
COUNT = itertools.count()
KERNELS = tempfile.TemporaryDirectory(prefix="kernels-")  # short: such a name has a limit


def over_files(**options):
    """The kernel of a notebook, spoken to through files.

    It would be given five free network ports, and begin to listen a second later. Notebooks and
    trainings start side by side here: now and then another process took one of them meanwhile.
    """
    return OverNetwork(transport="ipc", ip=f"{KERNELS.name}/{next(COUNT)}", **options)


def pytest_configure():
    kernel.KernelManager = over_files


@pytest.fixture(scope="session", autouse=True)
def no_power_cut():
    """Files need not reach the disk: what a test writes outlives no power cut, and none is tried.

    What a killed process leaves is another matter; it does not wait for the disk either.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def denormal_numbers():
    """A training in this process counts them as zero from then on; Hypothesis insists on them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture
def unjudged(monkeypatch):
    """Runs end without the final evaluation, which takes longer than a tiny training does.

    For tests of something else: ``tests/test_experiments.py`` tests what an evaluation says.
    """
    monkeypatch.setattr("labs.experiments.finish.evaluate", lambda *given, **how: {})


@pytest.fixture
def begin():
    """Starts ``target(*arguments, pipe)`` in a process of its own; returns it and the other end."""

    def start(target, *arguments):
        heard, told = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("forkserver").Process(
            target=target, args=(*arguments, told)
        )
        process.start()
        told.close()
        return process, heard

    return start


@pytest.fixture
def data(tmp_path):
    """A copy of the artifacts that decide claims today, to be altered."""
    from tests.claim_copies import copy_of_today  # it imports labs, which not every test does

    return copy_of_today(tmp_path)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, one for the whole run.

    Without one the tests fail and say so; ``PIXELS_ALLOW_NO_BROWSER=1`` makes that a visible skip,
    except in CI, where nothing may be skipped silently.
    """
    if executable() is None:
        reason = "no Chromium: sudo apt-get install -y chromium, or set PIXELS_CHROMIUM to yours"
        if os.environ.get("PIXELS_ALLOW_NO_BROWSER") == "1" and not os.environ.get("CI"):
            pytest.skip(reason)
        pytest.fail(reason)
    with chromium() as running:
        yield running


@pytest.fixture
def interrupted_as_at_a_keyboard():
    """A process in the background ignores Ctrl-C, and so would Python in it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
