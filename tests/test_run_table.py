"""The register: every artifact in ``data/`` has its row, and a row says what its artifact says."""

from __future__ import annotations

import re
import shutil
import sys
from itertools import chain

import pytest

from labs.artifacts import list_artifacts, load_artifact, repository_root
from labs.envs import ENV_IDS
from labs.errors import UserError
from labs.experiments.presets import PRESETS, effective
from labs.statistics import wilson
from tests.altering import alter_settings, unbundle

ROOT = repository_root()
DATA = ROOT / "data"
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import measurement_table as measurements  # noqa: E402
import run_table as runs  # noqa: E402
from artifact_role import resolve  # noqa: E402

ROLE = re.compile(r"\{artifact\}`([^`]+)`")
PATH = re.compile(r"\{artifact\}`([^:`]+/seed\d+):")


def film_link(path):
    return f"films/{path.parent.parent.name}-{path.parent.name}.mp4"


def register(root) -> dict[str, str]:
    """The page's tables as Markdown."""
    found = {task: runs.run_table(root, task, film_link) for task in ENV_IDS}
    return found | {
        "other": runs.other_runs(root),
        "measurements": measurements.measurement_table(root),
    }


@pytest.fixture(scope="module")
def page():
    return register(DATA)


def listed(tables) -> set[str]:
    """The folders below ``data/`` that have a row."""
    found = {
        PATH.search(row)[1]
        for task in ENV_IDS
        for row in tables[task].splitlines()
        if PATH.search(row)
    }
    return found | set(re.findall(r"^\| `([^`]+)` \|", tables["measurements"], re.M))


def plain(row: str) -> str:
    """A row without the marks that keep words on a line."""
    return re.sub(r"\[([^\]]*)\]\{\.text-nowrap\}", r"\1", row)


def names(root) -> set[str]:
    return {path.relative_to(root).as_posix() for path in list_artifacts(root)}


@pytest.fixture
def few(tmp_path):
    """A small copy: one arm, one locator, one measurement, the runs of no arm."""
    for name in (
        *("push-told", "locator-push-workspace", "push-floor"),
        *(*runs.TUNING, "told-first-attempt", "locator-first-attempt"),
    ):
        shutil.copytree(DATA / name, tmp_path / name)
    return tmp_path


# ------------------------------------------------------------------------------- nothing left out


def test_every_artifact_has_its_row(page):
    assert listed(page) == names(DATA)


def test_a_row_that_is_missing_would_be_noticed(page):
    row = next(r for r in page["push"].splitlines() if "push-told/seed2:" in r)
    cut = page | {"push": page["push"].replace(row, "")}
    assert names(DATA) - listed(cut) == {"push-told/seed2"}


def test_each_run_has_one_row_and_arms_keep_the_order_of_the_presets(page):
    for task in ENV_IDS:
        rows = [PATH.search(row)[1] for row in page[task].splitlines() if PATH.search(row)]
        assert len(rows) == len(set(rows))
        arms = list(dict.fromkeys(row.split("/")[0] for row in rows))
        known = [arm for arm in arms if arm in PRESETS]
        assert known == sorted(known, key=list(PRESETS).index) and len(known) > 5


def test_the_page_shows_every_table():
    text = (ROOT / "book" / "runs.md").read_text()
    for directive in ("{run-table} reach", "{run-table} push", "{run-table} other"):
        assert f"```{directive}\n" in text
    assert "```{measurement-table}\n" in text


def test_a_new_run_and_a_new_measurement_come_by_themselves(few):
    before = names(few)
    shutil.copytree(few / "push-told" / "seed0", few / "push-told-abc123" / "seed0")
    shutil.copytree(few / "push-floor", few / "something-new")
    tables = register(few)
    assert listed(tables) - before == {"push-told-abc123/seed0", "something-new"}
    assert "{ref}`push-told-abc123 <card-push-told>`" in tables["push"]
    assert "| `something-new` | a measurement | none |" in tables["measurements"]


def test_what_lies_in_data_is_described(page):
    """Words, a page that exists, and a command or the reason why there is none."""
    for row in page["measurements"].splitlines()[2:]:
        name, what, command, *_ = (cell.strip() for cell in row.strip("|").split(" | "))
        assert not re.fullmatch("a [a-z]+", what), f"{name}: give it its words in MEASURED"
        document = re.search(r" \(\{doc\}`/(.+?)`\)$", what)
        assert (ROOT / f"{document[1]}.ipynb").is_file() if document else name == "`tuning`"
        once = (*runs.TUNING, "told-first-attempt", "locator-first-attempt", "gpu-first-look")
        happened_once = name.strip("`") in once
        assert (command == "none") == happened_once


# ------------------------------------------------------------------------- the rows tell the truth


def test_numbers_are_the_artifacts(page):
    for path in list_artifacts(DATA):
        run = load_artifact(path)
        if run.provenance["kind"] != "training":
            continue
        name, found = path.relative_to(DATA).as_posix(), run.json("evaluation.json")
        task = run.parameters["task"]
        row = next(r for r in page[task].splitlines() if f"`{name}:" in r)
        shown = ROLE.sub(lambda m: resolve(m[1].replace("\\|", "|"), DATA), plain(row))
        cells = [cell.strip() for cell in shown.strip("|").split(" | ")]
        score = found["deterministic"]
        interval = wilson(score["successes"], score["episodes"])
        demo = path.parent.name == "push-demo"
        assert score["episodes"] == (20 if demo else 100), "the page says so"
        assert cells[1] == path.name[4:]
        rate = f"{interval.value:.0%} ({interval.low:.1%} – {interval.high:.1%})"
        assert cells[2] == rate, name
        assert cells[3:5] == [f"{found['steps']:,}", f"{found['updates']:,}"]
        assert (" + " in cells[5]) == bool(run.provenance.get("locator_time_s"))
        assert ("film</a>" in cells[7]) == (path / "video.mp4").exists()
        made = f"{run.provenance['finished'][:10]}, `{run.provenance['commit'][:7]}`"
        assert cells[9] == made + "+" * bool(run.provenance["uncommitted_code"])
        again = run.provenance.get("sessions", 1) > 1
        assert ("resumed" in row) == again
        assert ("ended early" in row) == ("ended_early" in run.provenance)


def test_a_resumed_run_and_a_short_one_are_called_so():
    record = {"sessions": 3, "ended_early": "at step 400 of 1,000"}
    assert ", ".join(runs.remarks(record)) == (
        "resumed, 3 sessions, ended early, at step 400 of 1,000"
    )
    assert runs.remarks({"sessions": 1}) == runs.remarks({}) == []


def test_machines_in_a_few_words():
    gl = {"renderer": "llvmpipe (LLVM 15.0.6, 256 bits)"}
    hardware = {"cpu": "Intel(R) Xeon(R) Processor", "cores": 2, "gpu": None, "gl": gl}
    assert runs.machine({"hardware": hardware}) == "Intel Xeon, 2 cores, llvmpipe"
    hardware |= {"cores": 1}
    assert runs.machine({"hardware": hardware}) == "Intel Xeon, 1 core, llvmpipe"
    hardware = {"cpu": "Intel(R) Core(TM) i7 CPU @ 2.6GHz", "cores": 8, "gpu": "NVIDIA H100"}
    assert runs.machine({"hardware": hardware}) == "Intel Core i7, 8 cores, NVIDIA H100"


def test_every_run_that_stands_under_no_arm_is_told(page):
    rows = page["other"].splitlines()[2:]
    tried = [load_artifact(DATA / name).json("measurement.json")["runs"] for name in runs.TUNING]
    for run in chain(*tried):
        (row,) = (r for r in rows if f"{run['run']}: {run['task']}" in r)
        assert run["outcome"] in row
        steps = ROLE.findall(row)[0].replace("\\|", "|")
        assert resolve(steps, DATA) == f"{run['curve'][-1]['steps']:,}"
    for run in load_artifact(DATA / "locator-first-attempt").json("measurement.json")["runs"]:
        assert any(run["ended"] in row for row in rows)
    assert sum("`told-first-attempt`" in row for row in rows) == 2


def test_every_arm_has_a_command_that_makes_all_its_rows(page):
    for task in ENV_IDS:
        for arm, found in runs.trained(DATA, task).items():
            seeds = " ".join(run.path.name[4:] for run in found)
            base, own = runs.base_of(arm), ""
            if arm != base:  # its settings make its name, and the flags make its settings
                changed = {k: new for k, (_, new) in runs.differences(base, found[0]).items()}
                assert effective(base, overrides=changed).arm == arm
                own = "".join(f" --{k.replace('_', '-')} {new}" for k, new in changed.items())
            command = "demo" if arm == "push-demo" else f"train {base}{own} --seeds {seeds}"
            assert f"pixels {command} --again\n" in page[task]


def test_every_film_can_be_watched_and_asks_for_nothing_before(page):
    films = {film_link(p) for p in DATA.glob("*/seed*/video.mp4")}
    text = page["reach"] + page["push"]
    players = re.findall(r'<video [^>]*preload="none"[^>]*><source [^>]*src="([^"]+)"', text)
    assert set(players) == films and len(players) == len(films)
    assert set(re.findall(r'<a href="([^"]+)">film</a>', text)) == films


# ------------------------------------------------------------------------------------ what is wrong


def test_settings_of_its_own_stand_in_the_box(few):
    alter_settings(few / "push-told" / "seed0", gamma=0.9)
    text = runs.run_table(few, "push", film_link)
    assert "settings of their own: `gamma` 0.9 for 0.95." in text


def test_damage_and_an_unknown_task_are_errors(few):
    with pytest.raises(ValueError, match="received task 'slide', expected reach, push or other$"):
        runs.run_table(few, "slide", film_link)
    curve = few / "push-told" / "seed1" / "curve.csv"
    unbundle(curve.parent)
    curve.write_text(curve.read_text() + "\n")
    with pytest.raises(UserError, match=r"curve\.csv is damaged"):
        runs.run_table(few, "push", film_link)
