"""Whether the model behind a name is still the one it was; a server stands in for a provider."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model_gateway import entry_files
from model_gateway.errors import BudgetReached
from model_gateway.ledger import Caps
from prompt_lab.layout import Layout
from prompt_lab.record import Run
from self_improve.errors import UsageError
from self_improve.records.rubric_choice import rubric_for
from self_improve.rollout import pages
from self_improve.rollout.drift import Drift, DriftFinding, compare
from self_improve.rollout.drift_run import DriftCheck, DriftRequest, DriftResult
from self_improve.rollout.state import State
from self_improve.runs.progress import Counts
from self_improve.verdict import noise
from tests.self_improve.commands import runs
from tests.self_improve.lab import ONE_CALL, PLANS, Lab, asked, laboratory, purpose
from tests.self_improve.subjects import resealed
from tests.wire.server import WireServer

SERVED = "wire-m1-served"


@dataclass(frozen=True)
class Baseline:
    """A laboratory with one recorded run, and the server that it asked."""

    lab: Lab
    server: WireServer

    @property
    def run(self) -> Run:
        """The run."""
        return runs(self.lab.output)[0]


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Baseline]:
    """Record a baseline run once."""
    place = tmp_path_factory.mktemp("drift")
    with pytest.MonkeyPatch.context() as patch, WireServer("openai", reply=purpose) as server:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        with laboratory(place, patch) as lab:
            lab.entry("m1", server, workers=1)
            lab.entry("m2", server)
            assert lab.run().code == 0
            yield Baseline(lab, server)


def order(baseline: Baseline, output: Path, *against: Path, **changes: Any) -> DriftRequest:
    """Return the order of a check that records its runs under `output`."""
    return DriftRequest(
        layout=Layout(output), against=against or (baseline.run.path,),
        catalogue=entry_files.load(), baseline_dir=baseline.lab.plans, **changes,
    )  # fmt: skip


def checked(request: DriftRequest, state: State | None = None) -> DriftResult:
    """Run a check."""
    check = DriftCheck(request, state or State(step=ONE_CALL))
    return asyncio.run(check.run(Counts()))


def drifted(baseline: Baseline, place: Path, **changes: Any) -> Drift:
    """Compare the run with a copy in which every attempt has these changes."""
    old = baseline.run
    new = place / "history" / "0" / old.path.name
    shutil.copytree(old.path, new)
    attempts = [attempt.to_row() | {"started": "now"} | changes for attempt in old.attempts()]
    (new / "attempts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in attempts))
    resealed(new, created="now")
    rubric = rubric_for(old.path)
    assumed = noise.assumed(rubric)
    return compare([old.path], [new], rubric, assumed, plans=[baseline.lab.plans])


def edited(baseline: Baseline, place: Path, **changes: Any) -> Path:
    """Return a copy of the run whose record says something else of it."""
    path = place / "history" / "0" / baseline.run.path.name
    shutil.copytree(baseline.run.path, path)
    return resealed(path, **changes)


def test_model_that_answers_as_it_did_is_alike(baseline: Baseline, tmp_path: Path) -> None:
    """Id, token counts and outputs are known on both sides, and are the same."""
    [model] = drifted(baseline, tmp_path).models
    assert (model.finding, model.reasons, model.missing) == (DriftFinding.alike, (), ())
    assert model.reported == ((SERVED,), (SERVED,))
    assert (model.same_requests, model.other_tokens, model.pairs) == (3, 0, 3)


def test_other_reported_id_is_a_change(baseline: Baseline, tmp_path: Path) -> None:
    """The name is reported, before and after, and printed as plain text."""
    result = drifted(baseline, tmp_path, reported_model="m1-0826\x1b[2J")
    assert result.finding is DriftFinding.changed
    assert result.models[0].reasons[0].startswith("the provider reports m1-0826")
    [_, line] = pages.drift_lines(result.to_row())
    assert f"and reported {SERVED}" in line
    assert "\x1b" not in line


def test_other_count_of_the_same_tokens_is_a_change(baseline: Baseline, tmp_path: Path) -> None:
    """The same request is of as many tokens as it was, or another model read it."""
    result = drifted(baseline, tmp_path, input_tokens=13)
    assert result.finding is DriftFinding.changed
    assert result.models[0].reasons == ("3 of 3 equal requests have other numbers of input tokens",)


def test_provider_that_tells_neither_is_inconclusive(baseline: Baseline, tmp_path: Path) -> None:
    """Without an id and without token counts the outputs alone do not say who wrote them."""
    result = drifted(baseline, tmp_path, reported_model=None, input_tokens=None)
    assert result.finding is DriftFinding.inconclusive
    assert len(result.models[0].missing) == 2


def test_model_that_fails_now_is_inconclusive(baseline: Baseline, tmp_path: Path) -> None:
    """No content is missing evidence, and evidence of nothing."""
    old = baseline.run
    new = tmp_path / "history" / "0" / old.path.name
    shutil.copytree(old.path, new, ignore=shutil.ignore_patterns("outputs", "attempts.jsonl"))
    rows = [{**r, "status": "error", "error": "down", "failure_kind": "server"}
            for r in old.rows().values()]  # fmt: skip
    (new / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    resealed(new, created="now")
    rubric = rubric_for(old.path)
    result = compare([old.path], [new], rubric, noise.assumed(rubric))
    [model] = result.models
    assert (result.summary, model.effect, model.composite) == ("INCONCLUSIVE", None, None)
    assert "missing: outputs" in pages.drift_lines(result.to_row())[1]


def test_killed_or_capped_check_pays_nothing_twice(baseline: Baseline, tmp_path: Path) -> None:
    """A cap holds over sessions; finished runs are found again until the log has the finding."""
    sent = len(baseline.server.requests)
    with pytest.raises(BudgetReached):
        checked(order(baseline, tmp_path, caps=Caps(calls=2)))
    assert len(baseline.server.requests) - sent <= 2 + 1  # A ping is paid for apart.
    first = checked(order(baseline, tmp_path, caps=Caps(calls=12)))
    assert first.drift.summary == "ALIKE"
    asked_for = len(asked(baseline.server))
    assert asked_for == 2 * len(PLANS)
    assert checked(order(baseline, tmp_path)).after == first.after
    assert len(asked(baseline.server)) == asked_for
    row = first.to_row(Layout(tmp_path))
    assert row["after"] == [f"history/0/00_{ONE_CALL}"]
    later = DriftCheck(order(baseline, tmp_path), State(step=ONE_CALL, drifts=(row,)))
    assert asyncio.run(later.expected()).cells == len(PLANS)


def test_runs_that_cannot_be_repeated_are_named(baseline: Baseline, tmp_path: Path) -> None:
    """Other prompts, missing facts and models without a run: all problems at once."""
    other = edited(baseline, tmp_path / "a", candidate={"digest": "x", "surfaces": ["a:B"]})
    older = edited(baseline, tmp_path / "b", code=None, repeats=1)
    models = entry_files.load().choose(["m1", "m2"])
    with pytest.raises(UsageError) as caught:
        DriftCheck(order(baseline, tmp_path, other, older, models=models), State(step=ONE_CALL))
    for part in ("with changed prompts", "does not record its code", "none of the runs is of m2"):
        assert part in str(caught.value)


def test_run_of_code_that_nobody_has_is_refused(baseline: Baseline, tmp_path: Path) -> None:
    """Changed code uncommitted code cannot be run again, so nothing is sent."""
    code = {**baseline.run.meta["code"], "digest": "0" * 64, "dirty": True}
    path = edited(baseline, tmp_path / "a", code=code)
    sent = len(baseline.server.requests)
    with pytest.raises(UsageError, match="uncommitted code"):
        checked(order(baseline, tmp_path, path))
    assert len(baseline.server.requests) == sent
