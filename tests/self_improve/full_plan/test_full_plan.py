"""Whole plans of a short pipeline, on the simulated model."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from model_gateway.journal import read_attempts
from model_gateway.jsonl import read_rows
from prompt_lab.layout import runs
from prompt_lab.record import Run, file_digest
from prompt_lab.scores import Scores
from self_improve.full_plan.command_line import main
from self_improve.full_plan.folder import ComparisonFolder
from tests.self_improve.full_plan.conftest import BETTER, PLAN, best
from tests.self_improve.iteration.conftest import GOOD, STEP, SURFACE, IterationSite, git
from tests.waiting import until

SIDES = ("baseline", "best")


def words(site: IterationSite, *more: str, model: str = "sim") -> list[str]:
    """Return the words of a command on one plan."""
    return [
        "--model", model, "--plan", PLAN, "--repo", str(site.code),
        "--prompt-lab-dir", str(site.layout.root), *more,
    ]  # fmt: skip


def sent(folder: ComparisonFolder) -> Counter[tuple[str, str, str, int]]:
    """Return how often each request was sent, of every run and of the judge."""
    folders = [(side, p) for side in SIDES for p in runs(folder.runs(side))]
    folders += [("judge", p) for p in folder.counsel.iterdir()] if folder.counsel.is_dir() else []
    return Counter(
        (
            f"{side}/{folder.name}",
            row["reserved"]["cell"],
            row["reserved"]["key"],
            row["reserved"]["number"],
        )
        for side, folder in folders
        for row in read_rows(folder / "reservations.jsonl")[0]
    )


def kpis(folder: ComparisonFolder) -> dict[str, Any]:
    """Return the file of KPIs of the plan."""
    row: dict[str, Any] = json.loads((folder.path / PLAN / "kpi_comparison.json").read_text())
    return row


def test_best_prompts_make_a_plan_that_is_compared_under_a_cap(
    site: IterationSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cap holds over all sessions, the same command ends it, and once whole it asks nothing."""
    before = git(site.code, "rev-parse", "HEAD"), git(site.code, "status", "--porcelain")
    for cap in (8, 12):
        assert main(words(site, "--judge", "--max-calls", str(cap))) == 3
        [folder] = ComparisonFolder.all(site.layout)
        assert sent(folder).total() == cap
        assert folder.result() is None
        assert f"the cap of {cap} calls" in capsys.readouterr().err

    assert main(words(site, "--judge")) == 0
    output = capsys.readouterr().out
    assert "SIMULATED one whole plan with one best prompt" in output
    assert "The stored plan was made by sim-strong, too" in output
    total = sent(folder).total()
    assert set(sent(folder).values()) == {1}
    assert total > 25

    code = kpis(folder)["code"]["after"]
    assert (git(site.code, "rev-parse", "HEAD"), git(site.code, "status", "--porcelain")) == before
    assert git(site.code, "rev-parse", code["branch"]) == code["commit"] != before[0]
    assert git(site.code, "diff", "--name-only", before[0], code["commit"]) == (
        f"worker_plan/steps/{STEP}.py"
    )
    assert [(one["step"], one["how"]) for one in code["holds"]] == [(STEP, "put in")]
    assert not code["dirty"]
    digests = kpis(folder)["surfaces"]["after"]
    assert digests[SURFACE] == hashlib.sha256(BETTER.encode()).hexdigest()
    run = next(Run(p) for p in runs(folder.runs("best")) if Run(p).step == STEP)
    assert any(BETTER in m["content"] for a in run.attempts() for m in a.messages)

    row = kpis(folder)["kpis"]
    assert row["completeness"]["after"] == {
        "expected": 15, "present": 15, "missing": [], "share": 1.0,
    }  # fmt: skip
    assert row["failed_steps"] == {}
    assert row["totals"]["measured"] == 8
    assert row["usage"]["before"]["requests"] > row["usage"]["after"]["requests"] > 10
    assert row["judge"]["pairs"] == 8
    assert row["judge"]["failed"] == 0
    path = folder.path / PLAN
    assert (path / "030-report.html").read_text().startswith("<!")
    artifacts = kpis(folder)["artifacts"]
    assert {n: file_digest(path / "plan" / n) for n in artifacts} == artifacts
    used = {"usage_metrics.jsonl", "activity_overview.json", "attempts.jsonl"}
    inputs = {"001-2-plan.txt": file_digest(site.layout.plan("verify", PLAN) / "001-2-plan.txt")}
    assert kpis(folder)["inputs"] == inputs
    assert {p.name for p in (path / "plan").iterdir()} == {*artifacts, *inputs, *used}
    attempts = read_attempts(path / "plan" / "attempts.jsonl")
    assert len(attempts) == row["usage"]["after"]["requests"]
    assert git(site.layout.root, "status", "--porcelain", "--", "full_plan_comparisons") == ""

    assert main(words(site, "--judge")) == 0
    assert "is already complete" in capsys.readouterr().err
    assert sent(folder).total() == total
    assert ComparisonFolder.all(site.layout) == [folder]


def test_killed_comparison_of_like_with_like_goes_on(site: IterationSite) -> None:
    """After kill -9 in the midst of both sides the same command ends it, and repeats no call."""
    config = site.home / "llm_config"
    config.mkdir()
    (config / "slow.toml").write_text(
        'name = "slow"\nprovider = "simulated"\nmodel_id = "simulated/strong"\nworkers = 3\n'
        'options = { persona = "strong", latency_seconds = 0.2 }\n'
        "price = { input = 0, output = 0 }\n"
    )
    command = [
        sys.executable, "-m", "self_improve.full_plan",
        *words(site, "--regenerate-baseline", "--json", model="slow"),
    ]  # fmt: skip
    environment = {**os.environ, "PLUMBLINE_LLM_CONFIG": str(config)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    until(lambda: _sent_so_far(site) >= 9, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    [folder] = ComparisonFolder.all(site.layout)
    assert sent(folder).total() >= 9
    assert folder.result() is None

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["path"] == str(folder.path)
    answered = Counter(
        (side, path.name, a.cell, a.key, a.number)
        for side in SIDES
        for path in runs(folder.runs(side))
        for a in Run(path).attempts()
    )
    # What was under way at the kill was sent twice; what was answered before never was.
    again = sum(count - 1 for count in sent(folder).values())
    assert again <= 6
    assert set(answered.values()) == {1}
    assert sum(answered.values()) > 20
    base = git(site.code, "rev-parse", "main")
    assert result["code"]["before"]["commit"] == base != result["code"]["after"]["commit"]
    assert result["surfaces"]["before"][SURFACE] == hashlib.sha256(GOOD.encode()).hexdigest()
    row = kpis(folder)
    assert row["baseline"]["kind"] == "regenerated"
    assert row["baseline"]["told"].startswith("Like with like")
    assert row["kpis"]["completeness"]["before"]["share"] == 1.0
    before, after = (row["kpis"]["usage"][side]["requests"] for side in ("before", "after"))
    assert before == after


def _sent_so_far(site: IterationSite) -> int:
    begun = ComparisonFolder.all(site.layout)
    return sent(begun[0]).total() if begun else 0


def test_dry_run_tells_the_cost_and_begins_nothing(
    site: IterationSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calls of the plan on both sides, and of the judge."""
    Scores(site.layout).set_best(best(simulated=False))
    more = ["--judge", "--regenerate-baseline", "--dry-run", "--json"]
    assert main(words(site, *more, model="haiku")) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["judge_calls"] == 16
    assert row["calls"] - row["judge_calls"] > 20
    assert row["dollars"] > 0
    assert ComparisonFolder.all(site.layout) == []


def test_what_cannot_be_compared_is_refused(
    site: IterationSite, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is begun, with the reason and what to do."""
    assert main(words(site, "--plan", "no_such_plan")) == 2
    assert PLAN in capsys.readouterr().err.partition("There are:")[2]
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    assert main(words(site, model="haiku")) == 2
    assert "ANTHROPIC_API_KEY is not set" in capsys.readouterr().err
    Scores(site.layout).set_best(best(texts={SURFACE: GOOD}))
    assert main(words(site, "--regenerate-baseline")) == 2
    assert "every best prompt is in the base already" in capsys.readouterr().err
    assert ComparisonFolder.all(site.layout) == []
