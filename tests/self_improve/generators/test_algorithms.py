"""What holds for every generator, whatever its idea is."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call, Failure, FailureKind
from self_improve.generators import catalogue
from self_improve.search.search import MOST_FAILURES, Cell, Search, SearchResult, best_of
from self_improve.search.trial import Case, CellOutcome
from tests.self_improve.scripted_search import (
    CASES,
    OTHER,
    PLAN,
    SURFACE,
    Landscape,
    Proposer,
    filled,
    helpful,
    setting,
    shown,
)

NAMES = [one.name for one in catalogue.listed() if "pip install" not in one.summary]
"""Our own; what the packages' adapters must hold is in test_packages.py."""
START = "Name the moorings. This advice is bad.\n\nGive a reason for each.\n"
TEXTS = {SURFACE: START, OTHER: "A short phrase."}

Answer = Callable[[str, Call[Any]], Any]


def by_marks(text: str, case: Case) -> float:
    """Reward each `once` and punish `bad`: by a proposer or by single edits, one can climb."""
    harm = 0.1 if "bad" in text else 0.0
    return min(1.0, 0.2 + 0.16 * text.count("once")) - harm


def searched(
    name: str,
    answer: Answer = helpful,
    rule: Callable[[str, Case], float | None] = by_marks,
    **changes: Any,
) -> tuple[SearchResult, Search]:
    """Let a generator search, and return what it found and the search."""
    scripted = Search(
        request=setting(**{"texts": TEXTS, **changes}), measure=Landscape(rule),
        counsel=Proposer(answer),
    )  # fmt: skip
    return asyncio.run(scripted.run(catalogue.make(name))), scripted


def facts(result: SearchResult) -> Any:
    """Return everything about a search that must be the same again."""
    proposals = [
        (s.proposal.id, s.proposal.parents, s.proposal.operator, sorted(s.outcomes))
        for s in result.scored
    ]
    return (
        proposals,
        result.trace,
        result.cells,
        result.proposer_calls,
        result.refused,
        result.stopped,
    )


@pytest.mark.parametrize("name", NAMES)
def test_landscape_is_climbed(name: str) -> None:
    """Within 400 cells, none of them twice, something better than the baseline is found."""
    result, scripted = searched(name)
    best = best_of(result, CASES)
    assert best.score > result.trace[0][1] + 0.05
    assert result.cells == len(set(scripted.measure.cells)) == len(scripted.measure.cells) <= 400


@pytest.mark.parametrize("name", NAMES)
def test_small_setting_climbs_too(name: str) -> None:
    """With more, shorter rounds."""
    result, _ = searched(name, small=True)
    assert best_of(result, CASES).score > 0.15
    assert result.cells <= 400


@pytest.mark.parametrize("name", NAMES)
def test_no_budget_is_exceeded_by_a_cell(name: str) -> None:
    """However small it is, and something whole has been tried as soon as there is room for it."""
    for cells in (0, 1, 7, 8, 9, 12, 20, 33, 57, 90):
        result, scripted = searched(name, cells=cells)
        assert result.cells == len(scripted.measure.cells) <= cells
        assert (best_of(result, CASES) is not None) == (cells >= len(CASES))


@pytest.mark.parametrize("name", NAMES)
def test_one_case_is_enough(name: str) -> None:
    """Samples, batches and held-out cases are never larger than what exists."""
    result, _ = searched(name, cases=CASES[:1], cells=30)
    assert best_of(result, CASES[:1]).score > 0.05


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_gives_the_same_search(name: str) -> None:
    """The same proposals from the same parents, the same calls and the same curve."""
    one, first = searched(name, cells=200)
    two, second = searched(name, cells=200)
    assert facts(one) == facts(two)
    assert first.measure.cells == second.measure.cells
    assert first.counsel.log == second.counsel.log


@pytest.mark.parametrize("name", NAMES)
def test_call_keys_are_unique_for_a_role(name: str) -> None:
    """So that a journal answers each call with its own reply."""
    _, scripted = searched(name)
    keys = Counter((role, call.key) for role, call in scripted.counsel.log)
    assert set(keys.values()) <= {1}


class KilledError(Exception):
    """The process went away."""


class Journal:
    """What outlives a process; `done` counts what was really asked and run.

    It is killed at the `kill`-th of these.
    """

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}
        self.done: Counter[Any] = Counter()
        self.kill = -1

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was kept, or make and keep it."""
        if key not in self.kept:
            if self.done.total() == self.kill:
                raise KilledError
            self.done[key] += 1
            self.kept[key] = make()
        return self.kept[key]

    def answer(self, role: str, call: Call[Any]) -> Any:
        """Play the journaling proposer."""
        key = (role, call.key, call.system, call.user)
        return self.once(key, lambda: helpful(role, call))


class Kept(Landscape):
    """A landscape whose finished cells are kept."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(by_marks)
        self._journal = journal

    async def __call__(self, cells: Sequence[Cell]) -> list[CellOutcome]:
        """Score what was not scored before."""
        return [
            self._journal.once((p.id, c.id), lambda p=p, c=c: self._outcome(_all(p), c))
            for p, c in cells
        ]


def _all(proposal: Any) -> str:
    return " ".join(proposal.texts.values())


@pytest.mark.parametrize("name", NAMES)
def test_killed_search_goes_on_where_it_was(name: str) -> None:
    """Killed anywhere, at a cell or a call, it repeats nothing and ends as if it had lived."""

    def run(journal: Journal) -> SearchResult:
        scripted = Search(
            request=setting(texts=TEXTS, cells=150), measure=Kept(journal),
            counsel=Proposer(journal.answer),
        )  # fmt: skip
        return asyncio.run(scripted.run(catalogue.make(name)))

    whole = Journal()
    alive = facts(run(whole))
    chance = random.Random(name)
    for kill in chance.sample(range(whole.done.total()), 3):
        journal = Journal()
        journal.kill = kill
        with pytest.raises(KilledError):
            run(journal)
        journal.kill = -1
        assert facts(run(journal)) == alive
        assert journal.done == whole.done


UNAIDED = {"operators", "reflective", "promptbreeder", *(n for n in NAMES if n.startswith("mipro"))}
"""Those that propose something without a proposer's help, so that something is tried."""

HOSTILE: dict[str, Answer] = {
    "empty": lambda role, call: filled(call, ""),
    "same": lambda role, call: filled(call, (shown(call) or [("", START)])[0][1]),
    "baseline": lambda role, call: filled(call, START),
    "huge": lambda role, call: filled(call, "name it " * 25_000),
    "broken fence": lambda role, call: filled(call, f"```\nName {call.key}"),
    "plan": lambda role, call: filled(call, f"Name {call.key}. {PLAN}"),
    "control": lambda role, call: filled(call, f"Name {call.key}.\x1b[31m"),
    "no schema": lambda role, call: {"variants": 3, "text": [], "winner": "c"},
    "down": lambda role, call: Failure(kind=FailureKind.server, message="down"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_proposer_neither_stalls_nor_wins(name: str, kind: str) -> None:
    """It is asked a bounded number of times, and what it says is never tried."""
    result, scripted = searched(name, HOSTILE[kind])
    assert result.proposer_calls <= 200
    assert result.cells <= 400
    best = best_of(result, CASES)
    if name not in UNAIDED:
        assert {s.proposal.id for s in result.scored if s.outcomes} == {scripted.baseline.id}
        assert best.score == pytest.approx(0.1)
    for one in result.scored:
        for text in one.proposal.texts.values():
            assert len(text) <= scripted.longest
            assert PLAN not in text
            assert text.count("```") % 2 == 0
            assert "\x1b" not in text


@pytest.mark.parametrize("name", NAMES)
def test_step_that_always_fails_ends_the_search(name: str) -> None:
    """With a message, after a bounded number of cells and calls."""
    result, _ = searched(name, rule=lambda *_: None)
    assert result.cells <= MOST_FAILURES
    assert result.proposer_calls <= 60
    if name != "ape":
        assert result.stopped == f"every one of {result.cells} cells failed: timeout: late"


@pytest.mark.parametrize("name", NAMES)
def test_step_that_often_fails_does_not_stop_a_search(name: str) -> None:
    """A failed cell counts 0 and is shown to the proposer."""
    result, _ = searched(name, rule=lambda t, c: None if c.model == "m2" else by_marks(t, c))
    assert result.stopped == "nothing left to try" or "is used up" in result.stopped
    assert best_of(result, CASES).score >= 0.05


@pytest.mark.parametrize("name", NAMES)
def test_both_of_two_surfaces_are_searched(name: str) -> None:
    """Each is changed in some proposal, and nothing that is not searched is."""
    texts = {**TEXTS, OTHER: "A short phrase. Say it in 3 words.", "steps.moor:UNTOUCHED": "Leave."}
    result, _ = searched(name, texts=texts, searched=(SURFACE, OTHER))
    for surface in (SURFACE, OTHER):
        assert any(s.proposal.texts[surface] != texts[surface] for s in result.scored)
    assert {s.proposal.texts["steps.moor:UNTOUCHED"] for s in result.scored} == {"Leave."}


@pytest.mark.parametrize("name", NAMES)
def test_proposals_know_their_parents_and_what_made_them(name: str) -> None:
    """Every one but the baseline comes from others that were there before it."""
    result, _ = searched(name, cells=120)
    seen = set()
    for one in result.scored:
        assert set(one.proposal.parents) <= seen
        assert one.proposal.operator or not seen
        assert one.proposal.parents or not seen
        seen.add(one.proposal.id)


def test_search_does_not_hang_on_the_process() -> None:
    """Where sets and hashes have another order, every generator does the same."""
    code = (
        "from tests.self_improve.generators.test_algorithms import NAMES, searched, facts\n"
        "for name in NAMES:\n"
        "    found, made = searched(name, cells=120)\n"
        "    print(facts(found), made.counsel.log)\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, check=True, cwd=Path(__file__).parents[3],
        ).stdout
        for seed in "12"
    ]  # fmt: skip
    assert said[0] == said[1]
    assert said[0]
