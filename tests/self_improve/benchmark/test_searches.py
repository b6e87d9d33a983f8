"""Searches of the benchmark keep to their budget, and go on after a kill."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from pathlib import Path

import pytest

from rubrics.load import find
from self_improve.benchmark import __main__ as command
from self_improve.benchmark import campaign, provenance
from self_improve.benchmark.campaign import Plan, Task, landscape_of, tasks
from self_improve.benchmark.experiments.landscapes import STEP
from self_improve.benchmark.experiments.resume_check import resume
from self_improve.benchmark.experiments.searches import Bench, Result
from tests.self_improve.commands import called

ROOT = Path(__file__).resolve().parents[3]


def test_search_is_measured_and_can_be_kept(bench: Bench, place: Path) -> None:
    """Its budget holds, its curve rises, and its row comes back as it was."""
    landscape = landscape_of(bench, 7)
    result = asyncio.run(bench.search("reflective", landscape, place, budget=36))
    assert 9 <= result.cells <= 36
    assert result.overshoot == 0
    scores = [point.score for point in result.curve]
    assert scores == sorted(scores)
    assert result.curve[0].score == result.base
    assert set(result.by_model) == {model.name for model in landscape.models}
    assert Result.from_row(json.loads(json.dumps(result.to_row()))) == result


def test_killed_search_repeats_nothing_and_ends_alike(bench: Bench, place: Path) -> None:
    """The kill is a real one, in the middle of a search that asks a proposer."""
    result = resume(bench, "gepa", landscape_of(bench, 7), place, budget=24)
    assert result.killed
    assert result.same
    assert (result.repeated, result.more) == (0, 0)


def test_landscapes_are_worked_off_one_after_the_other() -> None:
    """So that an early end leaves whole ones; each has its oracle, a few their kills."""
    plan = Plan(
        generators=("a", "b"), numbers=(1, 2), budget=50, oracle_budget=90, resumed=(1,),
        resume_budget=20, jobs=1,
    )  # fmt: skip
    planned = tasks(plan)
    assert [one.number for one in planned] == sorted(one.number for one in planned)
    assert [(one.kind, one.generator) for one in planned if one.number == 2] == [
        ("search", "oracle"), ("search", "a"), ("search", "b"),
    ]  # fmt: skip
    assert sum(one.kind == "resume" for one in planned) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "501"], "at most|20 to 500"),
        (["--seeds", "0"], "landscapes"),
        (["--generators", "reflection"], "Did you mean"),
    ],
)
def test_wrong_usage_is_refused_before_anything_runs(
    words: list[str], message: str, tmp_path: Path
) -> None:
    """With what may be said, and nothing written."""
    ran = called(command.main, [*words, "--out", tmp_path / "out"])
    assert ran.code == 2
    assert re.search(message, ran.err)
    assert not (tmp_path / "out").exists()


def test_what_was_done_is_not_done_again(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second command takes all of it from the kept rows."""
    plan = Plan(
        generators=("random",), numbers=(7,), budget=20, oracle_budget=20, resumed=(),
        resume_budget=20, jobs=1,
    )  # fmt: skip
    file = tmp_path / campaign.RESULTS
    results = [
        asyncio.run(bench.search(t.generator, landscape_of(bench, 7), tmp_path, budget=t.budget))
        for t in tasks(plan)
    ]
    made_with = provenance.current().to_row()
    rows = [
        {"task": vars(task), "made_with": made_with, "result": one.to_row()}
        for task, one in zip(tasks(plan), results, strict=True)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines: list[str] = []
    assert campaign.run(plan, tmp_path, lines.append) == (results, [])
    assert lines == []


@pytest.mark.parametrize("made_with", [None, {"digest": "of another rubric"}])
def test_row_of_another_making_does_not_count(
    tmp_path: Path, made_with: dict[str, str] | None
) -> None:
    """It is searched again, and the new row says by which commit and rubric."""
    task = Task(kind="search", generator="random", number=7, budget=20)
    plan = Plan(
        generators=("random",), numbers=(7,), budget=20, oracle_budget=20, resumed=(),
        resume_budget=20, jobs=1,
    )  # fmt: skip
    file = tmp_path / campaign.RESULTS
    old = {"task": vars(task), "result": {"generator": "old"}}
    file.write_text(json.dumps(old | ({"made_with": made_with} if made_with else {})) + "\n")
    results, _ = campaign.run(plan, tmp_path, lambda _: None)
    assert [one.generator for one in results] == ["oracle", "random"]
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert rows[0]["result"] == {"generator": "old"}
    assert [row["made_with"] for row in rows[1:]] == [provenance.current().to_row()] * 2
    assert rows[1]["made_with"]["rubric"] == f"{STEP}/{find(STEP).version}"


def test_no_generator_reads_the_benchmark() -> None:
    """Nor the simulation: neither the oracle nor the landscapes are known to what searches."""
    for file in sorted((ROOT / "self_improve" / "generators").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            assert not any("benchmark" in name or "simulated" in name for name in names), file
