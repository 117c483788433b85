"""Parts of a final evaluation beside each other, each in a process of its own.

A part starts from its own seeds, so it finds the same wherever it is played.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labs.experiments.evaluate import Episodes


def start_parts(
    folder: Path, parts: Mapping[str, dict[str, Any]], seeds: Sequence[int]
) -> dict[str, Callable[[], Episodes | None]]:
    """Starts a process for each part.

    Args:
        folder: with the policy that plays, see :func:`labs.experiments.policies.save_policy`.
        parts: by name, what :func:`labs.experiments.evaluate.run_episodes` is given beside policy,
            configuration and seeds.
        seeds: of the episodes.

    Returns:
        By name, what waits for the part and returns it; None if its process died.
    """
    context = multiprocessing.get_context("spawn")  # no child may touch a copied GL context
    pipes = {}
    for name, how in parts.items():
        pipes[name], theirs = context.Pipe(duplex=False)
        context.Process(target=_play, args=(theirs, folder, seeds, how), daemon=True).start()
        theirs.close()

    def waits(pipe: Connection) -> Callable[[], Episodes | None]:
        def wait() -> Episodes | None:
            with pipe, contextlib.suppress(EOFError, OSError):
                return pipe.recv()
            return None

        return wait

    return {name: waits(pipe) for name, pipe in pipes.items()}


def _play(pipe: Connection, folder: Path, seeds: Sequence[int], how: dict[str, Any]) -> None:
    """The process of a part."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run
    from labs.experiments import processor
    from labs.experiments.evaluate import run_episodes
    from labs.experiments.policies import read_policy

    processor.set_up(threads=1)
    policy = read_policy(folder)
    pipe.send(run_episodes(policy, policy.config, seeds, **how))
