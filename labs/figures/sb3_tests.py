"""Which of Stable-Baselines3's own tests FastSAC fails, from ``scripts/sb3_own_tests.py``."""

from __future__ import annotations

from IPython.display import Markdown

from labs.experiments.results import measurement

REFUSED = "refused on purpose"

#: How the reason of a failure begins → what it means, and whether it is meant.
MEANINGS: dict[str, tuple[str, str]] = {
    "ValueError: received use_sde=True": ("FastSAC has no gSDE", REFUSED),
    "ValueError: received exclude or include": ("a file is always complete", REFUSED),
    "ValueError: received force_reset=False": (
        "the file holds networks, not the middle of an episode: environments start anew",
        REFUSED,
    ),
}


def failures_table() -> Markdown:
    """The tests that failed, one row for each kind of failure, with SB3's SAC beside them.

    A reason without an entry in :data:`MEANINGS` is shown as pytest gave it.
    """
    groups: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for test in measurement("sb3-tests")["tests"]:
        if test["outcome"] == "failed":
            function = test["test"].partition("[")[0]
            groups.setdefault((function, *_meaning(test["reason"])), []).append(test)
    if not groups:
        return Markdown("None fails.")
    rows = ["| test | failures | why | remark | SB3's SAC |", "|---|---:|---|---|---|"]
    for (function, why, kind), tests in groups.items():
        file, _, test = function.partition("::")
        sb3 = ", ".join(sorted({t["sb3"] for t in tests}))
        rows.append(f"| `{file}`: `{test}` | {len(tests)} | {why} | {kind} | {sb3} |")
    return Markdown("\n".join(rows))


def _meaning(reason: str) -> tuple[str, str]:
    for beginning, meaning in MEANINGS.items():
        if reason.startswith(beginning):
            return meaning
    return f"`{reason}`", "not explained"
