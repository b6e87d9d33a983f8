"""When a loop compares no whole plan, and what it counts as spent on them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from model_gateway import entry_files
from model_gateway.ledger import Spend
from prompt_lab.layout import Layout
from self_improve.full_plan.folder import ComparisonFolder
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.request import IterationRequest
from self_improve.optimizer import whole_plans
from self_improve.optimizer.rounds import KeptCandidate, Round
from self_improve.runs.preparation import RunRequest

LOOP = {"name": "abc-0", "start": "0" * 40}


@pytest.mark.parametrize(
    ("candidate", "why"), [(False, "nothing was kept"), (True, "there is no verify plan")]
)
def test_without_anything_to_compare_nothing_is_begun(
    tmp_path: Path, candidate: object, why: str
) -> None:
    """And that is said."""
    catalogue = entry_files.load()
    sim = catalogue.find("sim")
    lab = Layout(tmp_path)
    run = RunRequest(step="a", models=(sim,), catalogue=catalogue, layout=lab, output=lab)
    request = IterationRequest(run=run, code=tmp_path, base="main", judge=sim, proposer=sim)
    one = Round(
        folder=IterationFolder(request.layout, tmp_path), step="a", base="0" * 40, finished=True
    )
    best = KeptCandidate(
        candidate="c", branch="b", commit="1" * 40, pull_request=None, summary="YES", gain=1.0,
        deviation=None, drift=1.0, pairs=5,
    )  # fmt: skip
    rounds = [replace(one, kept=best if candidate else None)]
    said: list[str] = []
    nobody = cast("Any", None)
    compare = whole_plans.compare(request, LOOP, rounds, nobody, nobody, said.append)
    comparison = asyncio.run(compare)
    assert comparison is None
    assert why in said[0]
    assert list(tmp_path.iterdir()) == []


def test_only_a_loops_own_comparisons_count_as_its_spending(tmp_path: Path) -> None:
    """The cap of a loop holds over its sessions, and over nobody else's."""
    layout = Layout(tmp_path)
    for loop, tokens in (("abc-0", 3), ("abc-0", 4), (None, 9)):
        identity = {"loop": loop, "tokens": tokens}
        folder = ComparisonFolder.resume_or_begin(layout, identity, new=False)
        folder.pings.begin().log({"reserved": {"model": "haiku"}, "tokens": tokens, "dollars": 0.0})
    assert whole_plans.spent_on(layout, "abc-0") == Spend(calls=2, tokens=7)
    assert len(whole_plans.compared(layout, "abc-0")) == 2
