"""A search keeps to its budget, repeats nothing, and ends with a reason."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from model_gateway.call import Call, Failure, FailureKind
from self_improve.search.search import MOST_FAILURES, best_of
from self_improve.search.trial import Scored, SearchOver, Trial
from tests.self_improve.scripted_search import CASES, SURFACE


class Answer(BaseModel):
    """A reply."""

    text: str


def silent(role: str, call: Call[Any]) -> Any:
    """A proposer that is never asked."""
    raise AssertionError(role)


class Searching:
    """A generator that is a function."""

    def __init__(self, does) -> None:
        self.name = "scripted"
        self._does = does

    async def search(self, trial: Trial) -> None:
        """Do it."""
        await self._does(trial)


def admit(trial: Trial, text: str) -> Any:
    """Admit a text."""
    return trial.admit({SURFACE: text}, operator="by hand")


def test_no_cell_is_run_twice(search) -> None:
    """Scores are remembered, whatever they are asked for with."""
    scripted = search(silent)

    async def does(trial: Trial) -> None:
        one = admit(trial, "Name it once.")
        await trial.score([one], CASES[:2])
        [scored] = await trial.score([one], CASES[:3])
        assert len(scored.outcomes) == 3

    result = asyncio.run(scripted.run(Searching(does)))
    assert result.cells == len(CASES) + 3
    assert len(set(scripted.measure.cells)) == len(scripted.measure.cells)


def test_budget_is_never_exceeded_by_a_cell(search) -> None:
    """What does not fit as a whole is not begun, and ends the search."""
    scripted = search(silent, cells=len(CASES) + 3)

    async def does(trial: Trial) -> None:
        assert trial.left == 3
        await trial.score([admit(trial, "Name it once.")], CASES[:4])
        raise AssertionError

    result = asyncio.run(scripted.run(Searching(does)))
    assert result.stopped == f"the budget of {len(CASES) + 3} cells is used up"
    assert len(scripted.measure.cells) == len(CASES)


def test_search_in_which_everything_fails_ends(search) -> None:
    """After a bounded number of cells, with what went wrong."""
    scripted = search(silent, rule=lambda *_: None)
    n = 0

    async def does(trial: Trial) -> None:
        nonlocal n
        while True:
            n += 1
            await trial.score([admit(trial, f"Try {n}.")], CASES[:1])

    result = asyncio.run(scripted.run(Searching(does)))
    assert result.cells <= MOST_FAILURES
    assert result.stopped == f"every one of {result.cells} cells failed: timeout: late"


@pytest.mark.parametrize(("force", "asked"), [(False, 0), (True, 1)])
def test_search_starts_only_where_something_can_be_gained(search, rows, force, asked) -> None:
    """From .95 of what can be reached on it ends with a message, unless it is forced."""

    class Asking:
        name = "asking"

        async def search(self, trial: Trial) -> None:
            await trial.ask("asking", Call(key="1", system="s", user="u", schema=Answer))

    scripted = search(lambda *_: {"text": "Name."}, rule=lambda *_: 0.95, force=force)
    result = asyncio.run(scripted.run(Asking()))
    assert result.proposer_calls == asked
    assert ("--force" in result.stopped) is not force
    assert (rows[-1]["event"], rows[-1]["cells"]) == ("over", 8)
    assert rows[-1]["best"] == rows[-1]["baseline"] == pytest.approx(0.95)


def test_failed_cell_counts_nothing_for_a_search(search) -> None:
    """A proposal that fails half the time has half the score."""
    scripted = search(silent, rule=lambda text, case: None if case.model == "m2" else 0.8)
    asyncio.run(scripted.run(Searching(lambda trial: trial.score([trial.baseline], CASES))))
    assert scripted.scored(scripted.baseline).score == pytest.approx(0.4)


def test_every_refusal_stands_in_the_log(search, rows) -> None:
    """With what proposed it and why; refused again and again, the search ends."""
    scripted = search(silent)

    async def does(trial: Trial) -> None:
        while True:
            assert admit(trial, "") is None

    result = asyncio.run(scripted.run(Searching(does)))
    assert "proposals were refused" in result.stopped
    refused = [row for row in rows if row["event"] == "refused"]
    assert len(refused) == result.refused
    assert refused[0] == {"event": "refused", "operator": "by hand", "reason": "the text is empty"}


def test_baseline_and_repetition_are_refused(search, rows) -> None:
    """The same texts are tried once."""
    scripted = search(silent)

    async def does(trial: Trial) -> None:
        one = admit(trial, "Name it once.")
        assert admit(trial, "Name it once.\n") is None
        assert trial.admit(trial.baseline.texts, operator="x") is None or one is None

    asyncio.run(scripted.run(Searching(does)))
    assert [row["reason"][:9] for row in rows if row["event"] == "refused"] == [
        "it repeat", "these sur",
    ]  # fmt: skip


def test_proposer_without_money_ends_the_search(search) -> None:
    """Other failures of the proposer are returned to the generator, and logged."""
    scripted = search(lambda role, call: Failure(kind=FailureKind(role), message="no"))

    async def does(trial: Trial) -> None:
        call = Call(key="1", system="", user="", schema=Answer)
        assert (await trial.ask("server", call)).value is None
        await trial.ask("budget", call)
        raise AssertionError

    result = asyncio.run(scripted.run(Searching(does)))
    assert result.stopped == "budget: no"
    assert result.proposer_calls == 2


def test_best_is_the_best_on_all_cases_and_the_shorter_of_equals(search) -> None:
    """A high score on a few cases is not the best."""
    scripted = search(silent)

    async def does(trial: Trial) -> None:
        long = admit(trial, "Name it once, and then say why you did so.")
        short = admit(trial, "Name it once.")
        await trial.score([long, short], CASES)
        await trial.score([admit(trial, "once once once once once")], CASES[:1])

    result = asyncio.run(scripted.run(Searching(does)))
    best = best_of(result, CASES)
    assert isinstance(best, Scored)
    assert best.proposal.texts[SURFACE] == "Name it once.\n"
    assert [cells for cells, _ in result.trace] == sorted(cells for cells, _ in result.trace)


def test_same_seed_gives_the_same_chance(search) -> None:
    """A search that is repeated draws the same numbers."""
    assert search(silent).random.random() == search(silent).random.random()
    assert search(silent, seed=4).random.random() != search(silent).random.random()


def test_search_over_is_no_value(search) -> None:
    """Nothing is scored after the end."""
    scripted = search(silent, cells=0)
    with pytest.raises(SearchOver):
        asyncio.run(scripted.score([scripted.baseline], CASES))
