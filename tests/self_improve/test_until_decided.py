"""Runs that stop when the evaluator has decided, and go on as they were when they were killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prompt_lab.record import Run, changed_since_done
from self_improve import compare
from self_improve.until_decided import order_in
from tests.self_improve import commands
from tests.self_improve.commands import ROOT, Ran, runs
from tests.self_improve.laboratory import PLANS, STEP, Lab, laboratory

MODELS = ("sim-strong", "sim-weak", "sim-parrot", "sim-terse")
SURFACE = "LEVERS_SYSTEM_PROMPT"
WORSE = """\
Write three levers. Every name is "Lever: [the placeholder]". Every option says 30% or 45%.
Each review begins with "This lever is about the trade-off between pace and care", for example
"By using [thing], the plan gains 25% more reach and 15% more speed."
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A laboratory with three plans, and a store of its own for what is measured."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with laboratory(tmp_path, monkeypatch) as made:
        (tmp_path / "worse.txt").write_text(WORSE)
        yield made


def words(lab: Lab, *more: str | Path) -> list[str | Path]:
    """Return the words of a command on four simulated models, each plan twice."""
    return [
        "--step", STEP, "--models", ",".join(MODELS), "--repeats", "2",
        "--baseline-dir", lab.plans, *more,
    ]  # fmt: skip


def baseline(lab: Lab) -> list[Path]:
    """Run the prompts as they are, and return the runs."""
    assert commands.run(*words(lab), output=lab.output).code == 0
    return [run.path for run in runs(lab.output)]


def decided(lab: Lab, against: list[Path], *more: str | Path) -> list[str | Path]:
    """Return the words of a command that runs the worse prompt until that is decided."""
    prompt = f"{SURFACE}={lab.place / 'worse.txt'}"
    return words(lab, "--prompt", prompt, "--until-decided", "--against", *against, *more)


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
    before = baseline(lab)
    given = decided(lab, before)
    ran = commands.run(*given, output=lab.output)
    assert ran.code == 0, ran.err
    assert "SIMULATED REJECT after" in ran.out
    after = runs(lab.output)[len(MODELS) :]
    assert len(after) == len(MODELS)
    for run in after:
        found = facts(run)
        left = {tuple(cell) for cell in found["not_run"]}
        planned = {(plan, repeat) for plan in PLANS for repeat in (0, 1)}
        assert set(run.rows()) | left == planned
        assert not set(run.rows()) & left
        assert found["stopped"] == ("decided" if left else None)
        assert found["decision"]["word"] == "REJECT"
        assert changed_since_done(run) == []
    share = facts(after[0])["decision"]["share"]
    assert sum(len(run.rows()) for run in after) == round(share * 24) < 24
    again = commands.run(*given, output=lab.output)
    assert again.err.count("is finished already") == len(MODELS)
    assert len(runs(lab.output)) == 2 * len(MODELS)


def test_a_comparison_afterwards_knows_the_looks(lab: Lab) -> None:
    """It judges by what was spent on them, and says how many cells were seen."""
    before = baseline(lab)
    commands.run(*decided(lab, before), output=lab.output)
    after = runs(lab.output)[len(MODELS) :]
    given = [
        "--before", *before, "--after", *(run.path for run in after), "--json",
        "--baseline-dir", lab.plans,
    ]  # fmt: skip
    told = commands.called(compare.main, given).told
    decision = facts(after[0])["decision"]
    assert told["verdict"] == "SIMULATED REJECT"
    assert (told["look"], told["share"]) == (decision["look"], decision["share"])
    assert len(order_in(after[0].done())) == 24


@pytest.mark.parametrize("calls", [4, 17, 26])
def test_what_was_interrupted_goes_on_to_the_same_decision(lab: Lab, calls: int) -> None:
    """A cap that stops the command anywhere changes nothing of how it ends."""
    before = baseline(lab)
    ran = commands.run(*decided(lab, before), output=lab.output)
    whole = [facts(run) for run in runs(lab.output)[len(MODELS) :]]
    seeded = decided(lab, before, "--new", "--max-calls", str(calls))
    ran = commands.run(*seeded, output=lab.output)
    assert ran.code == 3, ran.err
    assert not any(run.finished for run in runs(lab.output)[2 * len(MODELS) :])
    ran = commands.run(*decided(lab, before), output=lab.output)
    assert ran.code == 0, ran.err
    found = [facts(run) for run in runs(lab.output)[2 * len(MODELS) :]]
    assert found == whole


def test_a_killed_command_goes_on_to_the_same_decision(lab: Lab) -> None:
    """After kill -9 in the middle the records hold all that the decision hangs on."""
    before = baseline(lab)
    given = [*map(str, decided(lab, before)), "--output-dir", str(lab.output), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "self_improve.runner", *given],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 60
    while time.monotonic() < end and _rows(lab) < 24 + 5 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    ran = commands.run(*decided(lab, before), output=lab.output)
    assert ran.code == 0, ran.err
    after = runs(lab.output)[len(MODELS) :]
    assert len(after) == len(MODELS)
    assert {facts(run)["decision"]["word"] for run in after} == {"REJECT"}
    killed = [facts(run) for run in after]
    fresh = commands.run(*decided(lab, before, "--new"), output=lab.output)
    assert fresh.code == 0
    assert [facts(run) for run in runs(lab.output)[2 * len(MODELS) :]] == killed


def _rows(lab: Lab) -> int:
    return sum(len(run.rows()) for run in runs(lab.output))


def test_what_will_hardly_be_decided_is_given_up(lab: Lab) -> None:
    """A change that changes nothing is INCONCLUSIVE after half of the cells."""
    before = baseline(lab)
    surfaces = json.loads((before[0] / "surfaces.json").read_text())["surfaces"]
    [text] = [row["text"] for row in surfaces if row["id"].endswith(SURFACE)]
    (lab.place / "worse.txt").write_text(text + "\n\n")
    ran = commands.run(*decided(lab, before), output=lab.output)
    assert ran.code == 0, ran.err
    decision = facts(runs(lab.output)[-1])["decision"]
    assert (decision["word"], decision["share"]) == ("INCONCLUSIVE", 0.5)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--until-decided",), "say --against RUN"),
        (("--against", "1/31"), "both or neither"),
        (("--until-decided", "--against", "1/31"), "In which data repo is run 1/31?"),
    ],
)
def test_half_a_wish_is_refused(lab: Lab, more: tuple[str, ...], told: str) -> None:
    """Before anything is sent."""
    ran: Ran = commands.run(*words(lab, *more), output=lab.output)
    assert ran.code == 2
    assert told in ran.err


def test_sides_that_cannot_be_compared_are_refused_before_anything_is_run(lab: Lab) -> None:
    """The difference is named, and no cell was run."""
    before = baseline(lab)
    ran = commands.run(*decided(lab, before, "--speed", "PING_LLM"), output=lab.output)
    assert ran.code == 2
    assert "another speed mode" in ran.err
    assert _rows(lab) == 24
