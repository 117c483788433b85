"""Experiment cards, "Reproduce it" blocks, and the commands that the pages print."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from labs import cli
from labs.artifacts import load_artifact, repository_root
from labs.campaign.schedule import CampaignOptions
from labs.commands import drawing, judging, many, measuring, training
from labs.errors import UserError
from labs.experiments import environments, presets
from labs.experiments.config import FIELDS
from labs.experiments.sweep import SweepOptions
from labs.figures.ledger import success_in_words
from labs.figures.results import provenance_card
from labs.flags import parse
from tests.altering import alter, alter_settings, unbundle

ROOT = repository_root()
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import experiment_cards as cards  # noqa: E402

PAGES = ("running", "scaling", "experiments", "troubleshooting")


@pytest.fixture
def data(tmp_path):
    """An empty folder of artifacts."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def measured(data):
    """The same with three results of one arm, however many there are."""
    for seed in ("seed0", "seed1", "seed2"):
        shutil.copytree(ROOT / "data" / "reach-state" / seed, data / "reach-state" / seed)
    return data


# ------------------------------------------------------------------------------------ the cards


@pytest.mark.parametrize("arm", presets.PRESETS)
def test_a_card_has_everything(arm, data):
    text = cards.card(arm, data)
    fields = "algorithm environment observation networks budget needs leaves criterion command"
    for field in f"{fields} status".split():
        assert re.search(rf"^:{field}: \S", text, re.M), field
    assert f"(card-{arm})=" in text and f"{presets.PRESETS[arm].total_steps:,} env" in text
    assert ":status: not measured yet" in text


SET = {  # knobs that arms set, and that say what is learned and how
    knob
    for knob in FIELDS.keys() - presets.NOT_CHANGES
    if any(getattr(arm, knob) != FIELDS[knob].default for arm in presets.PRESETS.values())
}


@pytest.mark.parametrize("knob", sorted(SET))
def test_a_card_tells_each_knob_that_its_arm_sets(knob, data, monkeypatch):
    def told(arm):  # the row of changes tells every knob, but of few arms
        return re.sub("^:against: .*", "", cards.card(arm, data), flags=re.M)

    for arm, config in presets.PRESETS.items():
        if getattr(config, knob) == FIELDS[knob].default:
            continue
        before = told(arm)
        as_usual = replace(config, **{knob: FIELDS[knob].default})
        monkeypatch.setitem(presets.PRESETS, arm, as_usual)
        if told(arm) != before:
            return
        monkeypatch.setitem(presets.PRESETS, arm, config)
    pytest.fail(f"no card tells {knob}")


@pytest.mark.parametrize("arm", presets.PRESETS)
def test_the_observation_is_the_environments(arm):
    config = presets.preset(arm)
    env = environments.make_one(config)
    found = {key: space.shape for key, space in env.observation_space.spaces.items()}
    env.close()
    assert cards.observation_shapes(config) == found


def test_differences_name_what_was_changed():
    assert cards.changes(presets.preset("push-step4"))[0] == "push-step2"
    name, knobs = cards.changes(presets.preset("push-step2"))
    assert name == "push-step1"
    assert set(knobs) == {"routing", "her_k", "buffer_size", "total_steps"}
    assert cards.changes(presets.preset("reach-state")) is None


def test_a_locators_card_says_what_it_learned_from():
    placed, played, walked = (
        cards._encoder(presets.preset(arm))
        for arm in ("reach-located", "reach-located-rewards", "reach-located-walked")
    )
    assert "33,000 frames with their positions" in placed
    assert "22,000 frames of random play with the places that joints and rewards tell" in played
    assert "22,000 frames of 52,800 steps that walk" in walked, "twelve steps for five frames"


def test_a_measured_arm_says_its_seeds_through_the_role(measured):
    text = cards.card("reach-state", measured)
    assert "measured with 3 seeds: success {artifact}`reach-state/seed0:" in text
    shutil.rmtree(measured / "reach-state" / "seed1")
    assert "measured with 2 seeds" in cards.card("reach-state", measured)


def test_a_result_of_other_settings_is_called_so(measured, monkeypatch):
    changed = presets.effective("reach-state", 0, {"gamma": 0.9})
    monkeypatch.setitem(presets.PRESETS, "reach-state", cards.preset("reach-state"))
    folder = measured / changed.arm
    shutil.copytree(measured / "reach-state" / "seed0", folder / "seed0")
    alter_settings(folder / "seed0", gamma=0.9, arm=changed.arm)
    text = cards.card("reach-state", measured)
    assert f"also run as `{changed.arm}` (1 seed) with `gamma` 0.9 for 0.95" in text
    alter_settings(measured / "reach-state" / "seed0", tau=0.01)
    assert "changed since: `tau` 0.01 for 0.005" in cards.card("reach-state", measured)


def test_the_overview_links_every_card(measured):
    text = cards.overview(presets.PRESETS, measured)
    assert all(f"<card-{arm}>" in text for arm in presets.PRESETS)
    assert "the yardstick of Reach | 3 seeds |" in text and text.count("not yet") > 10


def test_damage_is_an_error(measured):
    path = measured / "reach-state" / "seed0" / "curve.csv"
    unbundle(path.parent)
    path.write_text(path.read_text() + "\n")
    with pytest.raises(UserError, match=r"curve\.csv is damaged"):
        cards.card("reach-state", measured)


def test_the_choice_of_cards(tmp_path):
    reach = [a for a, c in presets.PRESETS.items() if c.task == "reach"]
    assert cards.select("reach", None) == reach and set(presets.REACH_ARMS) < set(reach)
    assert cards.select(None, "push-step2 push-step0") == ["push-step2", "push-step0"]
    assert cards.select(None, None) == list(presets.PRESETS)
    gpu = [config.arm for config, _ in presets.PUSH_GPU]
    assert cards.select(None, "push-gpu*") == gpu
    assert set(cards.select("push", "!push-gpu*")).isdisjoint(gpu)
    assert cards.card("push-gpu", tmp_path, folded=True).count("{dropdown} `push-gpu`") == 1
    for wrong in (("slide", None), (None, "push-step9")):
        with pytest.raises(ValueError, match="received"):
            cards.select(*wrong)


def test_reproduce_reads_the_artifacts(measured, data):
    text = cards.reproduce("reach-state", measured)
    record = load_artifact(measured / "reach-state" / "seed0").provenance
    assert "pixels train reach-state --seeds 0 1 2" in text
    assert record["hardware"]["cpu"] in text and record["commit"][:7] in text
    assert text.count(r"provenance.training_time_s\|duration") == 3
    folded = cards.reproduce("reach-state", measured, folded=True)
    assert folded.startswith("::::{dropdown} Reproduce it: `reach-state`")
    assert folded.partition("```bash")[2] == text.partition("```bash")[2]
    text = cards.reproduce("push-step2", data)
    assert "not measured yet" in text and "GiB of memory" in text


# -------------------------------------------------------------------------------- in the book


def test_the_directives_build(tmp_path, monkeypatch):
    """A small book with both directives, and one whose option is wrong.

    It reads the folder of its configuration, whatever the programs' folder is.
    """
    monkeypatch.setenv("PIXELS_DATA", str(tmp_path / "elsewhere"))
    (tmp_path / "conf.py").write_text(
        f"""import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_parser", "sphinx_design", "experiment_cards", "success_role"]
myst_enable_extensions = ["colon_fence", "fieldlist"]
artifact_root = {str(ROOT / "data")!r}
"""
    )
    page = "# Title\n\n```{experiment-cards}\n:task: push\n:overview:\n```\n\n"
    page += "{ref}`there <card-push-step2>`\n\n```{reproduce} reach-state\n:folded:\n```\n"
    page += "\n{success}`reach-state`\n"
    (tmp_path / "index.md").write_text(page)
    built = sphinx(tmp_path)
    assert built.returncode == 0, built.stdout
    html = (tmp_path / "out" / "index.html").read_text()
    assert html.count('class="artifact"') >= 18 and 'id="card-push-step2"' in html
    assert "{artifact}" not in html and 'href="#card-push-step1"' in html
    assert success_in_words(cards.seeds_below(ROOT / "data", "reach-state")) in html
    (tmp_path / "index.md").write_text("# Title\n\n```{experiment-cards}\n:arms: none\n```\n")
    built = sphinx(tmp_path)
    assert built.returncode and "received arm 'none'" in built.stdout


def sphinx(folder):
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(folder), folder / "out"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


# -------------------------------------------------------------------- the commands on the pages

OPTIONS = {
    "eval": judging.EvalOptions,
    "run": training.RunOptions,
    "compare": judging.CompareOptions,
    "fetch": judging.FetchOptions,
    "plot": drawing.PlotOptions,
    "frame": drawing.FrameOptions,
    "measure": measuring.MeasureOptions,
    "demo": training.DemoOptions,
    "sweep": SweepOptions,
    "campaign": CampaignOptions,
    "search": many.SearchOptions,
}


def printed_commands() -> list[str]:
    """Every ``pixels`` command on the pages, in code spans and in blocks."""
    found = []
    for page in PAGES:
        text = (ROOT / "book" / f"{page}.md").read_text().replace("\\\n", " ")
        found += re.findall(r"`(pixels [^`]+)`", text) + re.findall(r"^pixels .+$", text, re.M)
    found += [cards.train_command(arm, "0 1 2") for arm in presets.PRESETS]
    return sorted({" ".join(c.split()).replace("ARM", "reach-state") for c in found})


@pytest.mark.parametrize("command", printed_commands())
def test_every_printed_command_can_be_typed(command):
    name, *rest = shlex.split(command, comments=True)[1:]
    assert name in cli.COMMANDS, command
    if not rest:  # the prose names the command
        return
    if name in ("train", "plan"):
        if "--help" in rest:
            return
        arm, options, changed = training.arm_options(name, rest)
        if changed.get("learning_starts") != 50:  # printed to show how it is refused
            presets.effective(arm, 0, changed, small=options.smoke, quick=options.fast)
    elif name in OPTIONS:
        options = parse(OPTIONS[name], rest, f"pixels {name}")
        for arm in (getattr(options, "arms", None) or ()) if name != "plot" else ():
            presets.preset(arm)
    else:
        assert rest == []


def test_every_knob_of_the_table_exists():
    text = (ROOT / "book" / "running.md").read_text()
    table = text.split("Its knobs:")[1].split("\n\n")[1]
    flags = {f.replace("-", "_") for f in re.findall(r"--(?:no-)?([a-z][a-z-]+)", table)}
    assert len(flags) > 25 and flags - {"seeds"} <= set(FIELDS)
    assert set(re.findall(r"`--encoder (\w+)`", table)) >= {"nature", "normalized"}


def test_where_the_numbers_come_from_is_told_for_every_seed(measured, monkeypatch):
    monkeypatch.setenv("PIXELS_DATA", str(measured))

    def rows():
        lines = provenance_card("reach-state").data.splitlines()
        return dict(re.match(r"\| (.+?) \| (.*) \|", line).groups() for line in lines[2:])

    for seed in range(3):  # as if all had been made at once
        made_by(measured / f"reach-state/seed{seed}", commit="a" * 40)
    assert rows()["code"] == f"commit `{'a' * 12}`"
    made_by(measured / "reach-state/seed1", commit="b" * 40)
    assert rows()["code"] == (f"commit `{'a' * 12}` (seeds 0 2); commit `{'b' * 12}` (seed 1)")
    assert rows()["command"] == "`pixels train reach-state --seeds 0 1 2`"


def made_by(path, **facts):
    alter(path, "provenance.json", lambda record: record.update(facts))
