"""The command that compares two sets of runs, and all that it prints and writes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from model_gateway.exits import OK, USAGE
from prompt_lab.layout import Layout
from rubrics import load
from self_improve import command_line, compare, evaluate, noise
from self_improve.comparison.table import HEAD
from self_improve.measures import store
from self_improve.verdict.noise import find
from tests.self_improve import commands
from tests.self_improve.subjects import (
    CLEAN,
    RAW,
    STEP,
    attempt,
    failed,
    lever,
    levers,
    ok,
    older_run,
    run,
)

EVIL = "<script>alert(1)</script> @maintainer closes #1 | `code` \x1b[2J ]("
PLANS = ("boat", "moor", "radio", "silo", "tram")
MODELS = ("llama", "qwen", "haiku")
RUBRIC = f"""\
step: {STEP}
version: 3
why: to test with
clean: {{artifact: {CLEAN}}}
name_field: name
minimal_effect: 0.5
metrics:
  - {{metric: duplicate_names, fields: [name], weight: 0.7, scale: 0.1}}
  - {{metric: near_duplicates, fields: [review], weight: 0.3, scale: 0.1}}
  - {{metric: latency, of: cell, scale: 1}}
"""
ID = "duplicate_names:name"


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PROMPT_LAB_DIR", raising=False)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Return a data repo with three good runs and three whose names repeat, and a rubric."""
    (tmp_path / f"{STEP}.yaml").write_text(RUBRIC)
    history = tmp_path / "lab" / "history"
    for number, model in enumerate(MODELS):
        for first, repeated in ((31, 1), (41, 4)):
            cells: dict[str, Any] = {
                plan: [
                    *(lever(f"{plan} {model} {n} {EVIL}") for n in range(8 - repeated)),
                    *(lever(f"{plan} {model} {EVIL}") for _ in range(repeated + turn % 2)),
                ]
                for turn, plan in enumerate(PLANS)
            }
            older_run(history / "1" / f"{first + number}_{STEP}", cells, model=model)
    plan = tmp_path / "lab" / "baseline" / "train"
    for name in PLANS:
        (plan / name).mkdir(parents=True)
        (plan / name / CLEAN).write_text(json.dumps([lever(f"{name} {n}") for n in range(8)]))
    return tmp_path / "lab"


GOOD, BAD = ("131", "1/32", "1/33"), ("1/41", "142", "1/43")


def compared(
    lab: Path, before: tuple[str, ...], after: tuple[str, ...], *words: str | Path
) -> commands.Ran:
    """Run the command on runs of the data repo."""
    arguments = ["--prompt-lab-dir", lab, "--rubric", lab.parent / f"{STEP}.yaml"]
    return commands.called(
        compare.main, [*arguments, "--before", *before, "--after", *after, *words]
    )


def test_a_worse_side_is_rejected_with_all_numbers(lab: Path) -> None:
    """The table names the verdict, the reasons, every measure, model and plan."""
    ran = compared(lab, GOOD, BAD)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("REJECT\n  the composite fell by")
    for message in (ID, *MODELS, *PLANS, "15 pairs of cells", "evidence: historical"):
        assert message in ran.out
    assert "unknown: speed mode" in ran.out


def test_the_other_direction_is_a_keep(lab: Path) -> None:
    """On the same runs, exchanged."""
    assert compared(lab, BAD, GOOD).out.startswith("KEEP\n")


def test_outputs_that_did_not_change_are_inconclusive(lab: Path, tmp_path: Path) -> None:
    """Nothing moved."""
    history = tmp_path / "lab" / "history" / "1"
    cells = {plan: [lever(f"{plan} {n}") for n in range(8)] for plan in PLANS}
    for number, model in enumerate(MODELS):
        for first in (51, 61):
            rows = [ok(plan, duration_seconds=first / 10) for plan in cells]
            older_run(history / f"{first + number}_{STEP}", cells, rows=rows, model=model)
    ran = compared(lab, ("151", "152", "153"), ("161", "162", "163"))
    assert ran.out.startswith("INCONCLUSIVE\n  the composite moved by +0.00, not beyond chance")


def test_json_holds_the_verdict_and_what_it_rests_on(lab: Path) -> None:
    """Plain values under stable keys, the same in every run of the command."""
    outputs = [compared(lab, GOOD, BAD, "--json").out for _ in range(2)]
    assert outputs[0] == outputs[1]
    row = json.loads(outputs[0])
    assert row["schema_version"] == 1
    assert (row["verdict"], row["word"], row["evidence"]) == ("REJECT", "REJECT", "historical")
    assert row["before"] == [f"1/3{n}_{STEP}" for n in (1, 2, 3)]
    assert {effect["id"] for effect in row["effects"]} >= {ID, "latency"}
    assert row["composite"]["interval"]["high"] < 0
    assert row["further_cells"] is None
    assert [example["measure"] for example in row["examples"]] == [ID] * 3


def test_csv_has_a_row_for_each_measure_model_and_plan(lab: Path, tmp_path: Path) -> None:
    """Under a head that does not change."""
    path = tmp_path / "effects.csv"
    compared(lab, GOOD, BAD, "--csv", path)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HEAD
    assert {(row["scope"], row["name"]) for row in rows if row["measure"] == "composite"} == {
        ("all", ""), *(("model", model) for model in MODELS), *(("plan", plan) for plan in PLANS),
    }  # fmt: skip
    [effect] = [row for row in rows if row["measure"] == ID]
    assert float(effect["change"]) > 0 > float(effect["gain"])
    assert {row["verdict"] for row in rows} == {"REJECT"}


def test_where_all_cells_rose_what_fell_in_them_is_shown(lab: Path) -> None:
    """The worst changes of a KEEP are worth a look too: here reviews that became one."""
    words = ("mooring", "winter", "radio", "ledger")
    old = [lever("Boat", review=f"What the {word} costs.") for word in words]
    new = [lever(word, review="What it costs.") for word in words]
    for first, items in ((51, old), (61, new)):
        for number, model in enumerate(MODELS):
            path = lab / "history" / "1" / f"{first + number}_{STEP}"
            older_run(path, dict.fromkeys(PLANS, items), model=model)
    row = compared(lab, ("151", "152", "153"), ("161", "162", "163"), "--json").json
    assert row["word"] == "KEEP"
    assert [one["measure"] for one in row["examples"]] == ["near_duplicates:review"] * 3
    assert {one["after_text"] for one in row["examples"]} == {"What it costs."}


@pytest.mark.parametrize("scope", ["model=lama", "plan=bot"])
def test_what_is_expected_of_nobody_is_refused(lab: Path, scope: str) -> None:
    """A misspelt model or plan is not an unmet expectation."""
    ran = compared(lab, GOOD, BAD, "--expect", f"{ID}:lower:{scope}")
    assert ran.code == USAGE
    names = MODELS if scope.startswith("model") else PLANS
    assert f"There are: {', '.join(sorted(names))}" in ran.err


@pytest.mark.parametrize(
    ("before", "after"), [(GOOD, ("baseline-plan",)), (("baseline-plan", "131"), BAD)]
)
def test_baseline_plans_are_the_whole_side_before(
    lab: Path, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    """They have no models of their own that runs could stand beside."""
    ran = compared(lab, before, after)
    assert ran.code == USAGE
    assert "the whole side before" in ran.err


def test_the_page_escapes_what_models_wrote(lab: Path, tmp_path: Path) -> None:
    """No tag, mention, reference or control character of theirs works in a pull request."""
    path = tmp_path / "page.md"
    compared(lab, GOOD, BAD, "--markdown", path)
    page = path.read_text(encoding="utf-8")
    assert page.startswith("## REJECT\n")
    for heading in ("### Measures", "### Worst model and worst plan", "### Worst changes"):
        assert heading in page
    assert "maintainer" in page
    for raw in ("<script>", "@maintainer", "closes #1", "\x1b", "]("):
        assert raw not in page


def test_the_terminal_shows_no_control_characters(lab: Path) -> None:
    """What models wrote moves no cursor."""
    assert "\x1b" not in compared(lab, GOOD, BAD).out


def test_the_picture_is_the_same_every_time(lab: Path, tmp_path: Path) -> None:
    """Byte for byte, with every measure that weighs and nothing about the day."""
    paths = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for path in paths:
        compared(lab, GOOD, BAD, "--svg", path)
    one, two = (path.read_bytes() for path in paths)
    assert one == two
    assert ID.encode() in one
    assert b"<dc:date>" not in one


def test_baseline_plans_may_stand_before(lab: Path) -> None:
    """Their settings are unknown, so it is historical."""
    row = json.loads(compared(lab, ("baseline-plan",), BAD, "--json").out)
    assert (row["before"], row["evidence"], row["pairs"]) == (
        ["baseline-plan"],
        "historical",
        15,
    )
    assert row["word"] == "REJECT"


def test_evaluate_compares_too(lab: Path) -> None:
    """Its --against says the same as this command."""
    rubric = lab.parent / f"{STEP}.yaml"
    words = [
        "--prompt-lab-dir", lab, "--rubric", rubric, *BAD, "--against", *GOOD, "--json",
    ]  # fmt: skip
    assert commands.called(evaluate.main, words).json == compared(lab, GOOD, BAD, "--json").json


def test_an_expectation_is_reported(lab: Path) -> None:
    """As met, unmet or contradicted, with the power it had."""
    ran = compared(lab, BAD, GOOD, "--expect", f"{ID}:lower:model=qwen")
    assert f"expected {ID}:lower:model=qwen: met" in ran.out
    ran = compared(lab, GOOD, BAD, "--expect", f"{ID}:lower:model=qwen")
    assert "contradicted" in ran.out


def test_failed_cells_are_among_the_worst_changes(lab: Path) -> None:
    """With the kind of their failure."""
    path = lab / "history" / "1" / f"41_{STEP}" / "outputs.jsonl"
    rows = [failed(PLANS[0], "ReadTimeout('')"), *(ok(plan) for plan in PLANS[1:])]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    row = json.loads(compared(lab, GOOD, BAD, "--json").out)
    assert row["examples"][0]["measure"] == "success"
    assert row["examples"][0]["after_text"] == "failed: timeout"
    assert (row["losses"]["lost"], row["losses"]["pairs"]) == (1, 15)


@pytest.mark.parametrize(
    ("before", "after", "words", "message"),
    [
        (("177",), BAD, (), "There is no run 177"),
        (GOOD, GOOD, (), "is on both sides"),
        (GOOD[:1], BAD[1:2], (), "no model on both sides"),
        (GOOD, BAD, ("--expect", "duplicate:lower"), "Did you mean duplicate_names:name"),
        (GOOD, BAD, ("--rubric", "nowhere.yaml"), "nowhere.yaml cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    lab: Path, before: tuple[str, ...], after: tuple[str, ...], words: tuple[str, ...], message: str
) -> None:
    """With code 2, the thing and the cause."""
    ran = compared(lab, before, after, *words)
    assert ran.code == 2
    assert message in ran.err


def test_both_commands_are_subcommands_of_plumbline(capsys: pytest.CaptureFixture[str]) -> None:
    """With their own help and name."""
    for name in ("compare", "noise"):
        with pytest.raises(SystemExit) as ended:
            command_line.main([name, "--help"])
        assert ended.value.code == 0
        assert f"usage: plumbline {name}" in capsys.readouterr().out


def measured_noise(lab: Path, *words: str | Path) -> commands.Ran:
    """Run the command that measures noise, with a rubric beside the data repo."""
    arguments = ["--step", STEP, "--prompt-lab-dir", lab, "--rubric", lab.parent / f"{STEP}.yaml"]
    return commands.called(noise.main, [*arguments, *words])


def test_noise_is_measured_on_runs_that_are_said_to_be_alike(lab: Path, tmp_path: Path) -> None:
    """And stored where it was asked for, with its sources."""
    path = tmp_path / "noise" / f"{STEP}.json"
    ran = measured_noise(lab, "--alike", "1/31,1/32=1/41,1/42", "--output", path)
    assert ran.code == 0, ran.err
    stored = json.loads(path.read_text())
    assert (stored["step"], stored["rubric_version"], stored["pairs"]) == (STEP, 3, 10)
    assert stored["sources"] == ["1/31 1/32 = 1/41 1/42"]
    assert f"{STEP}: 10 pairs of cells in 1 batch\n" in ran.out


def test_noise_finds_runs_that_were_run_again(lab: Path) -> None:
    """Runs of one specification, the first against each later one."""
    for number in (31, 41):
        path = lab / "history" / "1" / f"{number}_{STEP}" / "meta.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "specification": "s1"}))
    row = measured_noise(lab, "--json").json
    assert row["sources"] == ["1/31 = 1/41"]
    assert (row["batches"], row["pairs"]) == (1, 5)


@pytest.mark.parametrize(
    ("words", "message"),
    [((), "was repeated with nothing changed"), (("--alike", "1/31"), "write RUN,RUN=RUN,RUN")],
)
def test_noise_needs_runs_that_are_alike(lab: Path, words: tuple[str, ...], message: str) -> None:
    """It says how to get them."""
    ran = measured_noise(lab, *words)
    assert ran.code == 2
    assert message in ran.err


def test_noise_of_simulated_models_is_not_stored_for_real_verdicts(lab: Path) -> None:
    """It is shown, or stored somewhere else."""
    for number in (71, 81):
        place = lab / "history" / "1" / f"{number}_{STEP}"
        cells = {plan: [lever("Boat"), lever(plan if number == 71 else "Boat")] for plan in PLANS}
        asked = attempt("boat", "first", levers("A"), started=str(number))
        run(place, cells, [asked], provider="simulated")
    words: list[str | Path] = [
        "--prompt-lab-dir", lab, "--rubric", lab.parent / f"{STEP}.yaml", "--step", STEP,
        "--alike", "1/71=1/81",
    ]  # fmt: skip
    ran = commands.called(noise.main, words)
    assert ran.code == USAGE
    assert "Simulated models ran these cells" in ran.err
    output = ("--output", lab.parent / "noise.json")
    assert commands.called(noise.main, [*words, *output]).code == OK
    assert commands.called(noise.main, [*words, "--json"]).code == OK


def test_noise_of_another_step_is_not_stored_under_this_one(lab: Path) -> None:
    """A misspelt step would leave a file that no verdict finds, or that belongs to another."""
    words = ["--prompt-lab-dir", lab, "--rubric", lab.parent / f"{STEP}.yaml", "--step", "other"]
    where = lab.parent / "noise.json"
    ran = commands.called(noise.main, [*words, "--alike", "1/31=1/41", "--output", where])
    assert ran.code == USAGE
    assert f"--step is other, but the runs and the rubric are of {STEP}" in ran.err
    assert not where.exists()


def test_what_was_measured_is_kept(lab: Path) -> None:
    """A second comparison measures nothing again."""
    compared(lab, GOOD, BAD)
    first = store.default_path().stat().st_size
    compared(lab, GOOD, BAD)
    assert store.default_path().stat().st_size == first


def test_noise_is_stored_in_the_data_repo_and_used_there(lab: Path) -> None:
    """Neither the installed package nor the user's clone is written to."""
    words = ("--alike", "1/31,1/32=1/41,1/42")
    ran = measured_noise(lab, *words)
    path = lab / "noise" / f"{STEP}.json"
    assert ran.code == OK, ran.err
    assert f"Stored in {path}." in ran.out
    before = load.load(lab.parent / f"{STEP}.yaml")
    assert find(before, load.FOLDER, Layout(lab)).pairs == 10
    assert find(before.model_copy(update={"version": 4}), load.FOLDER, Layout(lab)).is_assumed


def test_noise_without_a_data_repo_needs_a_file(lab: Path, tmp_path: Path) -> None:
    """Runs by path whose directory is in no history, and no --output."""
    for number in (31, 41):
        name = f"{number}_{STEP}"
        shutil.copytree(lab / "history" / "1" / name, tmp_path / "apart" / "1" / name)
    pair = "=".join(str(tmp_path / "apart" / "1" / f"{n}_{STEP}") for n in (31, 41))
    words = ["--step", STEP, "--rubric", lab.parent / f"{STEP}.yaml", "--alike", pair]
    ran = commands.called(noise.main, words)
    assert ran.code == USAGE
    assert "--output FILE" in ran.err


def test_noise_of_runs_that_are_not_alike_is_refused(lab: Path) -> None:
    """By the same check as a comparison."""
    raw = lab / "history" / "1" / f"41_{STEP}" / "outputs" / PLANS[0] / RAW
    raw.write_text(json.dumps({**json.loads(raw.read_text()), "system_prompt": "Another."}))
    ran = measured_noise(lab, "--alike", "1/31=1/41", "--json")
    assert ran.code == USAGE
    assert "claimed to be alike" in ran.err


def test_noise_of_runs_that_are_the_same_to_the_byte_is_refused(lab: Path) -> None:
    """A deviation of 0 would make every later difference certain."""
    cells = {plan: [lever(f"{plan} {n}") for n in range(8)] for plan in PLANS}
    for number in (51, 61):
        rows = [ok(plan, duration_seconds=number / 10) for plan in cells]
        older_run(lab / "history" / "1" / f"{number}_{STEP}", cells, rows=rows)
    ran = measured_noise(lab, "--alike", "1/51=1/61", "--json")
    assert ran.code == USAGE
    assert "--seed" in ran.err
