"""The result of an arm as a page shows it: table, film, and the card that says from where.

Everything is read from the checked artifacts in ``data/``; nothing is typed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

from IPython.display import HTML, Markdown

from labs.artifacts import Artifact, load_artifact, runs_of
from labs.experiments.results import measurement, steps_until
from labs.statistics import iqm, wilson


def whole(text: str) -> str:
    """The same words, between which no line may break."""
    return text.replace(" ", "\u00a0")


def minutes(seconds: float) -> str:
    """Seconds as ``m min s s``: to the second, as tables compare runs by it."""
    rounded = round(seconds)
    return whole(f"{rounded // 60} min {rounded % 60:02d} s" if rounded >= 60 else f"{rounded} s")


def decimal(value: float, digits: int) -> str:
    """A number with the minus sign of print; what rounds to 0 has none."""
    return f"{round(value, digits) or 0.0:.{digits}f}".replace("-", "−")


def interval(value: float, low: float, high: float, digits: int, unit: str = "") -> str:
    """``43 mm (40 – 46)``, or ``−1.06 (−1.09 to −0.99)``: no dash beside a minus sign."""
    between = whole(" to ") if low < 0 else " – "
    ends = f"{decimal(low, digits)}{between}{decimal(high, digits)}"
    return f"{decimal(value, digits)}{unit} ({ends})"


def rate_in_words(successes: int, trials: int, note: str = "") -> str:
    """``98% (95.0% – 99.2%)``: a success rate and Wilson's interval; a note behind its ends."""
    rate = wilson(successes, trials)
    return f"{rate.value:.0%} ({rate.low:.1%} – {rate.high:.1%}{note})"


def knob(value: Any) -> str:
    """A setting as a table shows it: whole numbers of 10,000 and more with separators."""
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)


def _listed(millimeters: Iterable[float]) -> str:
    return ", ".join(f"{mm:.0f}" for mm in sorted(millimeters))


def results_table(arm: str) -> Markdown:
    """One row a seed, then the interquartile mean over the seeds with its bootstrap interval."""
    rows = [
        "| seed | success (95 % Wilson) | sampled actions | mean return | final distance | "
        "steps to 90% | wall time |",
        "|---|---|---|---|---|---|---|",
    ]
    rates = []
    for run in runs_of(arm):
        evaluation = run.json("evaluation.json")
        best, sampled = evaluation["deterministic"], evaluation["stochastic"]
        success = rate_in_words(best["successes"], best["episodes"])
        rates.append(best["success_rate"])
        reached = steps_until(run, 0.9)
        rows.append(
            f"| {run.seed} "
            f"| {success} of {best['episodes']} episodes "
            f"| {sampled['success_rate']:.0%} "
            f"| {decimal(best['return_mean'], 2)} "
            f"| {100 * best['final_distance_mean']:.1f} cm "
            f"| {'never' if reached is None else f'{reached:,.0f}'} "
            f"| {minutes(run.provenance['wall_time_s'])} |"
        )
    if len(rates) > 1:  # one seed has no interval
        score = iqm(rates)
        rows.append(
            f"| **all {len(rates)}, interquartile mean** "
            f"| **{score.value:.1%}** ({score.low:.1%} – {score.high:.1%}) | | | | | |"
        )
    return Markdown("\n".join(rows))


def search_table(arm: str) -> Markdown:
    """What a search around an arm tried, one change a row (``pixels search``)."""
    trials = measurement(f"search-{arm}")["trials"]
    far = all("final_distance_mean" in trial["final"] for trial in trials if trial["final"])
    rows = [
        "| one change | steps to 50 % | steps to 90 % | success at the end | CPU time |",
        "|---|---|---|---|---|",
    ]
    if far:
        rows = [rows[0] + " final distance |", rows[1] + "---|"]
    for trial in trials:
        times = [trial["steps_to"][level] for level in ("50%", "90%")]
        half, most = ("never" if t is None else f"{t:,.0f}" for t in times)
        final, spent = trial["final"], trial["cpu_s"]
        end = f"{final['success_rate']:.0%}" if final else "diverged"
        rows.append(
            f"| {trial['trial']} | {half} | {most} | {end} "
            f"| {'–' if spent is None else minutes(spent)} |"
        )
        if far:
            rows[-1] += f" {100 * final['final_distance_mean']:.1f} cm |" if final else " – |"
    return Markdown("\n".join(rows))


PROBED = ("block", "gripper", "goal")  # what a page shows of the probe


def probe_table(arms: tuple[str, ...] = ()) -> Markdown:
    """How far off positions are that are read from frozen encoders of trained policies.

    Args:
        arms: these only; all that were probed when left out.
    """
    rows = [
        "| encoder of | read | trained (95 %) | the same network, untrained "
        "| guess without looking |",
        "|---|---|---|---|---|",
    ]
    for found in measurement("encoder-probe")["encoders"]:
        if arms and found["arm"] not in arms:
            continue
        for thing in (name for name in PROBED if name in found["trained"]):
            seen = found["trained"][thing]
            draws = [draw[thing]["mean"] for draw in found["untrained"]]
            trained = interval(seen["mean"], seen["low"], seen["high"], 0, " mm")
            rows.append(
                f"| `{found['arm']}` | {thing} | {trained} "
                f"| {min(draws):.0f} to {max(draws):.0f} mm, {len(draws)} draws "
                f"| {found['guess'][thing]['mean']:.0f} mm |"
            )
    return Markdown("\n".join(rows))


def goal_sight_table() -> Markdown:
    """Where the block is, read from encoders whose pictures were judged by one goal or by more."""
    found = measurement("goal-sight")
    rows = [
        "| encoder of | seeds | pictures in its batches | rewards that judged them "
        "| the block is read to |",
        "|---|---|---|---|---|",
    ]
    by_arm: dict[str, list[dict]] = {}
    for run in found["runs"]:
        by_arm.setdefault(run["run"].split("/")[0], []).append(run)
    for arm, runs in by_arm.items():
        read = [run["read"]["block"]["mean"] for run in runs]
        rows.append(
            f"| `{arm}` | {len(runs)} | {runs[0]['frames']:,} | {runs[0]['rewards']:,} "
            f"| {_listed(read)} mm |"
        )
    draws = [draw["block"]["mean"] for draw in found["untrained"]]
    before = _listed(draws)
    rows.append(f"| the same network, untrained | {len(draws)} draws | 0 | 0 | {before} mm |")
    guess = found["guess"]["block"]["mean"]
    rows.append(f"| a guess without looking | | | | {guess:.0f} mm |")
    return Markdown("\n".join(rows))


def told_sight_table() -> Markdown:
    """Where the block is, read from encoders that a critic's opinion has trained."""
    found = measurement("told-sight")
    rows = [
        "| encoder of | updates | its policy succeeds | the block is read to |",
        "|---|---|---|---|",
    ]
    for run in found["runs"]:
        ended = load_artifact(run["run"]).json("evaluation.json")
        success = ended["deterministic"]["success_rate"]
        rows.append(
            f"| `{run['run']}` | {ended['updates']:,} | {success:.0%} "
            f"| {run['read']['block']['mean']:.0f} mm |"
        )
    draws = [draw["block"]["mean"] for draw in found["untrained"]]
    before = _listed(draws)
    rows.append(f"| the same network, untrained, {len(draws)} draws | 0 | | {before} mm |")
    rows.append(f"| a guess without looking | | | {found['guess']['block']['mean']:.0f} mm |")
    return Markdown("\n".join(rows))


def _digest(run: Artifact, name: str) -> str:
    """The SHA-256 of a file that the run wrote, whether the repository has room for it or not."""
    return (run.provenance["files"] | run.provenance.get("left_out", {}))[name]


def _by_seed(runs: Sequence[Artifact], fact: Callable[[dict], str]) -> str:
    """What the provenance of every run says; where runs differ, which seeds say what."""
    seeds: dict[str, list[str]] = {}
    for run in runs:
        seeds.setdefault(fact(run.provenance), []).append(str(run.seed))
    if len(seeds) == 1:
        return next(iter(seeds))
    return "; ".join(
        f"{said} (seed{'s' * (len(of) > 1)} {' '.join(of)})" for said, of in seeds.items()
    )


def machine(record: dict) -> str:
    """The machine of a run's provenance, as it was recorded."""
    found = record["hardware"]
    gpu = found["gpu"] or "none"
    return f"{found['cpu']}, {found['cores']} cores, {found['memory_gib']} GiB, GPU: {gpu}"


def provenance_card(arm: str) -> Markdown:
    """Where the numbers come from: command, code, lock, machine, versions, hashes."""
    runs = runs_of(arm)
    seeds = [str(run.seed) for run in runs]
    total = sum(run.provenance["wall_time_s"] for run in runs)
    facts = {
        "command": f"`pixels train {arm} --seeds {' '.join(seeds)}`",
        "made": _by_seed(runs, lambda r: r["finished"][:10]),
        "code": _by_seed(runs, lambda r: f"commit `{(r['commit'] or 'unknown')[:12]}`"),
        "lock file": _by_seed(runs, lambda r: f"SHA-256 `{(r['lock_sha256'] or '')[:12]}…`"),
        "machine": _by_seed(runs, machine),
        "wall time": f"{minutes(total)} for {len(runs)} seed{'s' * (len(runs) > 1)}",
        "versions": _by_seed(
            runs, lambda r: ", ".join(f"{k} {v}" for k, v in r["versions"].items())
        ),
        "weights": ", ".join(
            f"seed {seed} `{_digest(run, 'weights.safetensors')[:8]}…`"
            for seed, run in zip(seeds, runs, strict=True)
        ),
    }
    rows = ["| provenance | |", "|---|---|", *(f"| {k} | {v} |" for k, v in facts.items())]
    return Markdown("\n".join(rows))


def film(artifact: Artifact, description: str, width: int = 320) -> HTML:
    """The artifact's ``video.mp4``, inside the page, with a description for those who cannot see.

    Args:
        artifact: a training run.
        description: what happens in the film, plain text.
        width: in pixels.
    """
    words = escape(description)
    data = base64.b64encode(artifact.file("video.mp4").read_bytes()).decode()
    return HTML(
        f'<video controls loop muted playsinline width="{width}" style="max-width:100%" '
        f'aria-label="{words}"><source type="video/mp4" '
        f'src="data:video/mp4;base64,{data}">{words}</video>'
    )


def controls_table(arm: str) -> Markdown:
    """Success with the camera's images and with each control in their place, seed by seed."""
    from labs.experiments.evaluate import CONTROLS  # brings MuJoCo

    rows = [f"| seed | the camera | {' | '.join(CONTROLS)} |", "|---" * (2 + len(CONTROLS)) + "|"]
    for run in runs_of(arm):
        found = run.json("evaluation.json")
        scores = [found["deterministic"], *(found["controls"][name] for name in CONTROLS)]
        cells = [rate_in_words(s["successes"], s["episodes"]) for s in scores]
        rows.append(f"| {run.seed} | " + " | ".join(cells) + " |")
    return Markdown("\n".join(rows))
