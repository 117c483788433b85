"""Copies of the artifacts, altered so that verdicts flip: what the tests of the claims share."""

from __future__ import annotations

import shutil

from labs.artifacts import repository_root
from labs.claims.scoreboard import CLAIMS, judge
from tests.altering import alter, alter_settings

ROOT = repository_root()
CLAIM = {claim.key: claim for claim in CLAIMS}
MEASUREMENTS = ("push-floor", "visibility", "gradient-routing", "shift-keypoints", "perception")
ARMS = ("push-state-tuned", "push-blind-tuned")
HIGH, LOW, MIDDLE = (0.95, 0.96, 0.97), (0.05, 0.06, 0.05), (0.1, 0.95, 0.6)


def copy_of_today(tmp_path):
    """The artifacts that decide something today, copied into a folder."""
    for name in (*MEASUREMENTS, *ARMS):
        shutil.copytree(
            ROOT / "data" / name, tmp_path / name, ignore=shutil.ignore_patterns("*.mp4")
        )

    def without_films(record):
        record["files"] = {k: v for k, v in record["files"].items() if not k.endswith(".mp4")}

    for path in tmp_path.rglob("provenance.json"):
        alter(path.parent, "provenance.json", without_films)
    for arm in ARMS:  # three seeds are enough here, however many there are
        for folder in (tmp_path / arm).iterdir():
            if folder.name not in ("seed0", "seed1", "seed2"):
                shutil.rmtree(folder)
    return tmp_path


def measured(data, name, change):
    alter(data / name, "measurement.json", change)


def success(data, arm, *rates):
    for seed, rate in enumerate(rates):
        alter(
            data / arm / f"seed{seed}",
            "evaluation.json",
            lambda e, rate=rate: e["deterministic"].update(success_rate=rate),
        )


def curve(column, change, where=slice(None)):
    """For ``alter``: changes a column of a learning curve, in these of its lines."""

    def changed(text):
        head, *lines = text.splitlines()
        place = head.split(",").index(column)
        rows = [line.split(",") for line in lines]
        for row in rows[where]:
            row[place] = str(change(float(row[place])))
        return "\n".join([head, *map(",".join, rows)]) + "\n"

    return changed


def slower(factor):
    """For ``alter``: a learning curve that rises so many times as late."""
    return curve("step", lambda step: int(step * factor))


def make_arm(data, name, rates, rises_at=1.0, controls=None, **knobs):
    """An arm with other settings and results, from the runs of the state arm.

    ``rises_at`` stretches the steps of its learning curve. ``controls`` are success rates, each of
    all seeds or one for each.
    """
    shutil.copytree(data / "push-state-tuned", data / name)
    settings = {"observation": "pixels", "goal_mode": "both", "arm": name} | knobs
    for seed in range(3):
        folder = data / name / f"seed{seed}"
        alter_settings(folder, **settings)
        alter(folder, "curve.csv", slower(rises_at))
        if controls:
            rate = {k: v[seed] if isinstance(v, tuple) else v for k, v in controls.items()}
            scores = {k: {"success_rate": v} for k, v in rate.items()}
            alter(folder, "evaluation.json", lambda e, s=scores: e.update(controls=s))
    success(data, name, *rates)


def verdict(key, root):
    return judge(CLAIM[key], root).verdict
