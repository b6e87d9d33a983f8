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
from self_improve.full_plan import folder as places
from self_improve.full_plan.command_line import main
from self_improve.full_plan.folder import ComparisonFolder
from tests.self_improve.full_plan.conftest import BETTER, PLAN, best
from tests.self_improve.iteration.conftest import GOOD, STEP, SURFACE, Ground, git
from tests.waiting import until

SIDES = ("baseline", "best")


def words(context: Ground, *more: str, model: str = "sim") -> list[str]:
    """Return the words of a command on one plan."""
    return [
        "--model", model, "--plan", PLAN, "--repo", str(context.code),
        "--prompt-lab-dir", str(context.layout.root), *more,
    ]  # fmt: skip


def sent(place: ComparisonFolder) -> Counter[tuple[str, str, str, int]]:
    """Return how often each request was sent, of every run and of the judge."""
    folders = [(side, p) for side in SIDES for p in runs(place.runs(side))]
    folders += [("judge", p) for p in place.counsel.iterdir()] if place.counsel.is_dir() else []
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


def kpis(place: ComparisonFolder) -> dict[str, Any]:
    """Return the file of KPIs of the plan."""
    found: dict[str, Any] = json.loads((place.path / PLAN / "kpi_comparison.json").read_text())
    return found


def test_best_prompts_make_a_plan_that_is_compared_under_a_cap(
    judged_ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cap holds over all sessions, the same command ends it, and once whole it asks nothing."""
    made = judged_ground
    before = git(made.code, "rev-parse", "HEAD"), git(made.code, "status", "--porcelain")
    for cap in (8, 12):
        assert main(words(made, "--judge", "--max-calls", str(cap))) == 3
        [place] = places.places(made.layout)
        assert sent(place).total() == cap
        assert place.result() is None
        assert f"the cap of {cap} calls" in capsys.readouterr().err

    assert main(words(made, "--judge")) == 0
    told = capsys.readouterr().out
    assert "SIMULATED one whole plan with one best prompt" in told
    assert "The stored plan was made by sim-strong, too" in told
    total = sent(place).total()
    assert set(sent(place).values()) == {1}
    assert total > 25

    code = kpis(place)["code"]["after"]
    assert (git(made.code, "rev-parse", "HEAD"), git(made.code, "status", "--porcelain")) == before
    assert git(made.code, "rev-parse", code["branch"]) == code["commit"] != before[0]
    assert git(made.code, "diff", "--name-only", before[0], code["commit"]) == (
        f"worker_plan/steps/{STEP}.py"
    )
    assert [(held["step"], held["how"]) for held in code["holds"]] == [(STEP, "put in")]
    assert not code["dirty"]
    digests = kpis(place)["surfaces"]["after"]
    assert digests[SURFACE] == hashlib.sha256(BETTER.encode()).hexdigest()
    run = next(Run(p) for p in runs(place.runs("best")) if Run(p).step == STEP)
    assert any(BETTER in m["content"] for a in run.attempts() for m in a.messages)

    found = kpis(place)["kpis"]
    assert found["completeness"]["after"] == {
        "expected": 15, "present": 15, "missing": [], "share": 1.0,
    }  # fmt: skip
    assert found["failed_steps"] == {}
    assert found["totals"]["measured"] == 8
    assert found["usage"]["before"]["requests"] > found["usage"]["after"]["requests"] > 10
    assert found["judge"]["pairs"] == 8
    assert found["judge"]["failed"] == 0
    folder = place.path / PLAN
    assert (folder / "030-report.html").read_text().startswith("<!")
    artifacts = kpis(place)["artifacts"]
    assert {n: file_digest(folder / "plan" / n) for n in artifacts} == artifacts
    used = {"usage_metrics.jsonl", "activity_overview.json", "attempts.jsonl"}
    given = {"001-2-plan.txt": file_digest(made.layout.plan("verify", PLAN) / "001-2-plan.txt")}
    assert kpis(place)["inputs"] == given
    assert {p.name for p in (folder / "plan").iterdir()} == {*artifacts, *given, *used}
    kept = read_attempts(folder / "plan" / "attempts.jsonl")
    assert len(kept) == found["usage"]["after"]["requests"]
    assert git(made.layout.root, "status", "--porcelain", "--", "full_plan_comparisons") == ""

    assert main(words(made, "--judge")) == 0
    assert "is whole already" in capsys.readouterr().err
    assert sent(place).total() == total
    assert places.places(made.layout) == [place]


def test_killed_comparison_of_like_with_like_goes_on(judged_ground: Ground) -> None:
    """After kill -9 in the midst of both sides the same command ends it, and repeats no call."""
    made = judged_ground
    config = made.home / "llm_config"
    config.mkdir()
    (config / "slow.toml").write_text(
        'name = "slow"\nprovider = "simulated"\nmodel_id = "simulated/strong"\nworkers = 3\n'
        'options = { persona = "strong", latency_seconds = 0.2 }\n'
        "price = { input = 0, output = 0 }\n"
    )
    command = [
        sys.executable, "-m", "self_improve.full_plan",
        *words(made, "--regenerate-baseline", "--json", model="slow"),
    ]  # fmt: skip
    environment = {**os.environ, "PLUMBLINE_LLM_CONFIG": str(config)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    until(lambda: _sent_so_far(made) >= 9, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    [place] = places.places(made.layout)
    assert sent(place).total() >= 9
    assert place.result() is None

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["path"] == str(place.path)
    answered = Counter(
        (side, path.name, a.cell, a.key, a.number)
        for side in SIDES
        for path in runs(place.runs(side))
        for a in Run(path).attempts()
    )
    # What was under way at the kill was sent twice; what was answered before never was.
    again = sum(count - 1 for count in sent(place).values())
    assert again <= 6
    assert set(answered.values()) == {1}
    assert sum(answered.values()) > 20
    base = git(made.code, "rev-parse", "main")
    assert result["code"]["before"]["commit"] == base != result["code"]["after"]["commit"]
    assert result["surfaces"]["before"][SURFACE] == hashlib.sha256(GOOD.encode()).hexdigest()
    found = kpis(place)
    assert found["baseline"]["kind"] == "regenerated"
    assert found["baseline"]["told"].startswith("Like with like")
    assert found["kpis"]["completeness"]["before"]["share"] == 1.0
    before, after = (found["kpis"]["usage"][side]["requests"] for side in ("before", "after"))
    assert before == after


def _sent_so_far(context: Ground) -> int:
    begun = places.places(context.layout)
    return sent(begun[0]).total() if begun else 0


def test_dry_run_tells_the_cost_and_begins_nothing(
    judged_ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calls of the plan on both sides, and of the judge."""
    made = judged_ground
    Scores(made.layout).set_best(best(simulated=False))
    more = ["--judge", "--regenerate-baseline", "--dry-run", "--json"]
    assert main(words(made, *more, model="haiku")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["judge_calls"] == 16
    assert found["calls"] - found["judge_calls"] > 20
    assert found["dollars"] > 0
    assert places.places(made.layout) == []


def test_what_cannot_be_compared_is_refused(
    judged_ground: Ground, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is begun, with the reason and what to do."""
    made = judged_ground
    assert main(words(made, "--plan", "no_such_plan")) == 2
    assert PLAN in capsys.readouterr().err.partition("There are:")[2]
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    assert main(words(made, model="haiku")) == 2
    assert "ANTHROPIC_API_KEY is not set" in capsys.readouterr().err
    Scores(made.layout).set_best(best(texts={SURFACE: GOOD}))
    assert main(words(made, "--regenerate-baseline")) == 2
    assert "every best prompt is in the base already" in capsys.readouterr().err
    assert places.places(made.layout) == []
