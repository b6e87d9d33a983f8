"""How an iteration ended is added to the patterns, and searches are offered what worked."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_gateway.jsonl import read_rows
from prompt_lab import patterns
from prompt_lab.init import init
from prompt_lab.layout import Layout
from self_improve.iteration.branches import Side
from self_improve.iteration.command_line import main
from self_improve.iteration.decision import Decision, End
from self_improve.iteration.drafts import of_texts
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.publication import DecidedCandidate, Publisher
from tests.self_improve.iteration.conftest import STEP, WEAK, IterationSite

JUDGED = DecidedCandidate(
    draft=of_texts("moor", {"a:B": "new"}, origin="generator", change="Say it anew"),
    side=Side(name="c", branch="b", commit="1" * 40),
    row={"word": "KEEP", "composite": {"effect": 1.5}},
    decision=Decision(end=End.yes, reasons=(), simulated=True),
    checks={}, cost=0.0, before={"a:B": "old"},
)  # fmt: skip


@pytest.fixture
def publisher(tmp_path: Path) -> tuple[Publisher, Layout, list[str]]:
    """Return a publisher, its data repo, and what it says."""
    init(tmp_path / "lab")
    layout, said = Layout(tmp_path / "lab"), []
    run = argparse.Namespace(models=())
    request: Any = argparse.Namespace(layout=layout, run=run)
    folder = IterationFolder.begin(layout, "moor", {"step": "moor"})
    forge: Any = None
    return Publisher(request, folder, forge, said.append), layout, said


def test_end_is_remembered_once_however_often_it_is_published(publisher) -> None:
    """As after a kill between the row and the marker of the phase."""
    site, layout, _ = publisher
    site._remember(JUDGED)
    site._remember(JUDGED)
    [row] = read_rows(layout.patterns)[0]
    assert (row["change"], row["status"], row["simulated"]) == ("Say it anew", "worked", True)
    assert (row["iteration"], row["excerpts"]["added_chars"]) == ("0_moor", 3)


def test_code_and_older_iterations_are_no_patterns(publisher) -> None:
    """A branch has no texts, and an iteration of an older version did not keep the old ones."""
    site, layout, _ = publisher
    site._remember(replace(JUDGED, draft=replace(JUDGED.draft, texts={}, branch="b")))
    site._remember(replace(JUDGED, before={}))
    assert not layout.patterns.exists()


@pytest.mark.parametrize(
    "judged",
    [
        replace(JUDGED, draft=replace(JUDGED.draft, pattern="0123")),
        replace(JUDGED, before={"a:B": "new\n"}),
    ],
)
def test_what_cannot_be_remembered_ends_no_iteration(publisher, judged: DecidedCandidate) -> None:
    """It is said, and the iteration is published all the same."""
    site, layout, said = publisher
    site._remember(judged)
    assert said[0].startswith("Not added to the patterns: ")
    assert not layout.patterns.exists()


def test_search_is_offered_what_worked_elsewhere(make_site: Callable[[str], IterationSite]) -> None:
    """What it was offered is kept, so that it is the same when a killed search goes on."""
    site = make_site(WEAK)
    outcome = patterns.CandidateOutcome(
        step="another", iteration="0_another", candidate="c", change="Ask for fewer figures",
        before={"a:B": "x"}, after={"a:B": "y"}, word="KEEP", end="YES", simulated=True,
    )  # fmt: skip
    name = patterns.remember(site.layout, outcome)
    words = [
        "--step", STEP, "--models", "sim-strong", "--candidates", "1", "--repo", str(site.code),
        "--prompt-lab-dir", str(site.layout.root), "--max-calls", "20",
    ]  # fmt: skip
    assert main(words) == 3
    experience = IterationFolder(site.layout, site.layout.iteration(0, STEP)).result("experience")
    assert experience is not None
    assert [one["id"] for one in experience["patterns"]] == [name]
