"""The commands of an analysis."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis import choice, run_analysis, run_insight
from analysis.errors import AnalysisError
from analysis.record import Record
from prompt_lab.claim import claim
from prompt_lab.init import init


@pytest.fixture
def lab(record: Record) -> list[str]:
    """Return the words that name the data repo of a simulated iteration."""
    init_place = record.layout.root
    (init_place / "dataset.json").write_text("{}")
    (record.path / "meta.json").write_text(
        json.dumps({**record.meta, "evidence": "simulated"}), encoding="utf-8"
    )
    return ["--prompt-lab-dir", str(init_place)]


def test_whole_analysis_is_written_once(
    lab: list[str], record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    """All phases by simulated agents; a second run asks nothing."""
    assert run_analysis.main(lab) == 0
    assert capsys.readouterr().out == f"Written to {record.path}\n"
    pages = {path.name for path in record.path.glob("*.md")} - {"measures.md"}
    assert pages == {
        "insight_sim-analyst.md", "insight_sim-critic.md", "code_sim-analyst.md",
        "code_sim-critic.md", "synthesis_sim-analyst.md", "assessment_sim-analyst.md",
    }  # fmt: skip
    assert all((record.path / page).read_text().startswith("# SIMULATED ") for page in pages)
    rows = (record.path / "counsel" / "attempts.jsonl").read_text().splitlines()
    assert run_insight.main(lab) == 0
    assert (record.path / "counsel" / "attempts.jsonl").read_text().splitlines() == rows


def test_phase_that_runs_out_of_budget_fails(
    lab: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No agent could answer: the phase stops hard, and says why."""
    assert run_insight.main([*lab, "--max-calls", "1"]) == 1
    assert "The phase insight failed" in capsys.readouterr().err


def test_two_commands_do_not_pay_for_the_same(
    lab: list[str], record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    """While another process works on the iteration, nothing is asked."""
    with claim(record.layout, "iteration-3"):
        assert run_insight.main(lab) == 2
    assert "Another process" in capsys.readouterr().err
    assert not (record.path / "counsel").exists()


def test_missing_iteration_ends_with_2(
    lab: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The message says how to begin."""
    assert run_insight.main([*lab, "--iteration", "9"]) == 2
    assert "no analysis of the iteration 9" in capsys.readouterr().err
    init(tmp_path / "empty")
    assert run_insight.main(["--prompt-lab-dir", str(tmp_path / "empty")]) == 2


def test_folder_without_facts_is_not_taken_for_the_latest(
    lab: list[str], record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    """An iteration may end before its analysis; who names it learns which others there are."""
    unfinished = record.layout.iteration(7, "plan_type")
    unfinished.mkdir(parents=True)
    assert run_insight.main(lab) == 0
    assert capsys.readouterr().out == f"Written to {record.path}\n"
    assert run_insight.main([*lab, "--iteration", "7"]) == 1
    said = capsys.readouterr().err
    assert "The analysis of 7_plan_type has not begun" in said
    assert "Name another --iteration: 3." in said
    (record.path / "meta.json").unlink()
    assert run_insight.main(lab) == 2
    assert "no analysis of an iteration" in capsys.readouterr().err


def test_agents_are_those_named_or_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated ones look at simulated runs; without two programs they must be named."""
    monkeypatch.setenv("PATH", "")
    assert choice.names("claude, haiku", simulated=True) == ("claude", "haiku")
    assert choice.names(None, simulated=True) == choice.SIMULATED
    with pytest.raises(AnalysisError, match="Two agents are needed"):
        choice.names(None, simulated=False)


def test_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """And shows an example."""
    with pytest.raises(SystemExit):
        run_insight.main(["--help"])
    output = capsys.readouterr().out
    assert "exit codes" in output
    assert "--iteration 12" in output
