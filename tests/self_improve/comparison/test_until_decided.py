"""Runs that stop when the evaluator has decided, and go on as they were when they were killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prompt_lab.record import Run, changed_since_done
from self_improve import compare
from self_improve.comparison.comparison import order_in
from self_improve.records.soundness import soundness
from tests.self_improve import commands
from tests.self_improve.commands import ROOT, runs
from tests.self_improve.lab import PLANS, STEP, Lab, laboratory
from tests.waiting import until

MODELS = ("sim-strong", "sim-weak", "sim-parrot", "sim-terse")
SURFACE = "LEVERS_SYSTEM_PROMPT"
WORSE = """\
Write three levers. Every name is "Lever: [the placeholder]". Every option says 30% or 45%.
Each review begins with "This lever is about the trade-off between pace and care", for example
"By using [thing], the plan gains 25% more reach and 15% more speed."
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A laboratory in which the prompts ran as they are, and a worse one until it was decided."""
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch, laboratory(folder, patch) as one:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        (folder / "worse.txt").write_text(WORSE)
        ran = commands.run(*words(one), output=one.output)
        assert ran.code == 0, ran.err
        ran = commands.run(*decided(one), output=one.output)
        assert ran.code == 0, ran.err
        assert "SIMULATED REJECT after" in ran.out
        yield one


def words(lab: Lab, *more: str | Path) -> list[str | Path]:
    """Return the words of a command on four simulated models, each plan twice."""
    return [
        "--step", STEP, "--models", ",".join(MODELS), "--repeats", "2",
        "--baseline-dir", lab.plans, *more,
    ]  # fmt: skip


def before(lab: Lab) -> list[Path]:
    """Return the runs of the prompts as they are."""
    return [run.path for run in runs(lab.output)[: len(MODELS)]]


def whole(lab: Lab) -> list[Run]:
    """Return the runs that went on until they were decided."""
    return runs(lab.output)[len(MODELS) : 2 * len(MODELS)]


def latest(lab: Lab) -> list[Run]:
    """Return the runs that were begun last."""
    return runs(lab.output)[-len(MODELS) :]


def decided(lab: Lab, *more: str | Path, prompt: str = "worse.txt") -> list[str | Path]:
    """Return the words of a command that runs another prompt until that is decided."""
    arguments = ["--prompt", f"{SURFACE}={lab.place / prompt}", "--until-decided", "--against"]
    return words(lab, *arguments, *before(lab), *more)


def facts(run: Run) -> dict[str, Any]:
    """Return what a finished run says of how it ended."""
    done = run.done()
    assert done is not None
    return {
        "decision": done["decision"], "stopped": done["stopped"],
        "not_run": done["cells"]["not_run"],
    }  # fmt: skip


def test_a_command_stops_when_it_is_decided(lab: Lab) -> None:
    """Its runs are finished and name the cells that were not needed; the same command says so."""
    for run in whole(lab):
        ending = facts(run)
        left = {tuple(cell) for cell in ending["not_run"]}
        planned = {(plan, repeat) for plan in PLANS for repeat in (0, 1)}
        assert set(run.rows()) | left == planned
        assert not set(run.rows()) & left
        assert ending["stopped"] == ("decided" if left else None)
        assert ending["decision"]["word"] == "REJECT"
        assert changed_since_done(run) == []
    share = facts(whole(lab)[0])["decision"]["share"]
    assert sum(len(run.rows()) for run in whole(lab)) == round(share * 24) < 24
    count = len(runs(lab.output))
    again = commands.run(*decided(lab), output=lab.output)
    assert again.err.count("is finished already") == len(MODELS)
    assert len(runs(lab.output)) == count


def test_a_comparison_afterwards_knows_the_looks(lab: Lab) -> None:
    """It judges by what was spent on them, says how many cells were seen, and finds the same.

    The record of what was sent is only written at the end, and what a cell measures must not depend
    on that.
    """
    arguments = [
        "--before", *before(lab), "--after", *(run.path for run in whole(lab)), "--json",
        "--baseline-dir", lab.plans,
    ]  # fmt: skip
    row = commands.called(compare.main, arguments).json
    decision = facts(whole(lab)[0])["decision"]
    assert row["verdict"] == "SIMULATED REJECT"
    assert (row["look"], row["share"]) == (decision["look"], decision["share"])
    assert row["reasons"] == decision["reasons"]
    assert len(order_in(facts(whole(lab)[0])["decision"])) == 24


def test_what_was_interrupted_goes_on_to_the_same_decision(lab: Lab) -> None:
    """A cap that stops the command in the middle of a group changes nothing of how it ends."""
    ran = commands.run(*decided(lab, "--new", "--max-calls", "20"), output=lab.output)
    assert ran.code == 3, ran.err
    assert not any(run.finished for run in latest(lab))
    ran = commands.run(*decided(lab), output=lab.output)
    assert ran.code == 0, ran.err
    assert [facts(run) for run in latest(lab)] == [facts(run) for run in whole(lab)]


def test_a_killed_command_goes_on_to_the_same_decision(lab: Lab) -> None:
    """After kill -9 in the middle the records hold all that the decision depends on."""
    rows = _rows(lab)
    arguments = decided(lab, "--new", "--workers", "1", "--output-dir", lab.output)
    process = subprocess.Popen(
        [sys.executable, "-m", "self_improve.runner", *map(str, arguments)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: _rows(lab) >= rows + 4, process)
    process.kill()
    process.wait()
    ran = commands.run(*decided(lab), output=lab.output)
    assert ran.code == 0, ran.err
    assert [facts(run) for run in latest(lab)] == [facts(run) for run in whole(lab)]


def test_what_will_hardly_be_decided_is_given_up(lab: Lab) -> None:
    """A change that changes nothing is INCONCLUSIVE after a fifth of the cells."""
    surfaces = json.loads((before(lab)[0] / "surfaces.json").read_text())["surfaces"]
    [text] = [row["text"] for row in surfaces if row["id"].endswith(SURFACE)]
    (lab.place / "same.txt").write_text(f"{text}\n.")
    ran = commands.run(*decided(lab, prompt="same.txt"), output=lab.output)
    assert ran.code == 0, ran.err
    ending = facts(latest(lab)[0])
    decision = ending["decision"]
    assert (decision["word"], decision["share"]) == ("INCONCLUSIVE", pytest.approx(5 / 24))
    assert ending["stopped"] == "futile"
    assert "would hardly have decided it" in soundness(latest(lab)[0]).notes[0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--until-decided",), "give both or neither"),
        (("--against", "1/31"), "both or neither"),
        (("--until-decided", "--against", "1/31"), "In which data repo is run 1/31?"),
    ],
)
def test_half_a_request_is_refused(lab: Lab, more: tuple[str, ...], message: str) -> None:
    """Before anything is sent."""
    ran = commands.run(*words(lab, *more), output=lab.output)
    assert ran.code == 2
    assert message in ran.err


def test_an_expectation_of_a_model_that_is_not_run_is_refused(lab: Lab) -> None:
    """It is misspelt, and could only come out as unmet after all is spent."""
    ran = commands.run(
        *decided(lab, "--expect", "short_texts:options:lower:model=sim-weka"), output=lab.output
    )
    assert ran.code == 2
    assert f"There are: {', '.join(sorted(MODELS))}" in ran.err


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_sides_that_cannot_be_compared_are_refused_before_anything_is_run(
    lab: Lab, dry: tuple[str, ...]
) -> None:
    """The difference is named, no cell was run, and a dry run refuses what the command does."""
    rows, count = _rows(lab), len(runs(lab.output))
    ran = commands.run(*decided(lab, "--speed", "PING_LLM", *dry), output=lab.output)
    assert ran.code == 2
    assert "different speed mode" in ran.err
    assert _rows(lab) == rows
    if dry:
        assert len(runs(lab.output)) == count
        allowed = commands.run(*decided(lab, "--seed", "3", *dry), output=lab.output)
        assert allowed.code == 0, allowed.err
        assert "compared with as many cells: 24 pairs" in allowed.out


def _rows(lab: Lab) -> int:
    return sum(len(run.rows()) for run in runs(lab.output))
