"""What programs spent, over every session that started one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from model_gateway.errors import BudgetReached
from model_gateway.ledger import Caps, Ledger, Spend
from model_gateway.program_journal import ProgramJournal, spent_on_programs

WORST = Spend(calls=40, tokens=1000, dollars=5.0)
LESS = Spend(calls=3, tokens=10, dollars=0.5)


def test_what_ended_counts_as_it_was_and_the_rest_in_full(tmp_path: Path) -> None:
    """Two of three programs ended, one of them without saying what it spent."""

    async def session() -> Ledger:
        ledger, journal = Ledger(), ProgramJournal(tmp_path / "p.jsonl")
        for name, spent in (("a", LESS), ("b", None)):
            reservation = await journal.reserve(ledger, WORST, {"q": name})
            await journal.settle(ledger, reservation, {"q": name}, spent=spent, answer=name)
        await journal.reserve(ledger, WORST, {"q": "c"})
        return ledger

    ledger = asyncio.run(session())
    assert spent_on_programs(tmp_path / "p.jsonl") == ledger.spent + ledger.reserved
    assert ledger.spent + ledger.reserved == LESS + WORST + WORST


def test_an_answer_is_found_by_its_question(tmp_path: Path) -> None:
    """The latest one; a question without an answer has none."""

    async def session() -> None:
        ledger, journal = Ledger(), ProgramJournal(tmp_path / "p.jsonl")
        for answer in ("old", "new", None):
            reservation = await journal.reserve(ledger, WORST, {"q": "a"})
            await journal.settle(ledger, reservation, {"q": "a"}, spent=LESS, answer=answer)

    asyncio.run(session())
    journal = ProgramJournal(tmp_path / "p.jsonl")
    assert (journal.answer({"q": "a"}), journal.answer({"q": "b"})) == ("new", None)


def test_without_room_nothing_is_written(tmp_path: Path) -> None:
    """A program that may not start has no row."""
    journal = ProgramJournal(tmp_path / "p.jsonl")
    with pytest.raises(BudgetReached):
        asyncio.run(journal.reserve(Ledger(Caps(dollars=1.0)), WORST, {"q": "a"}))
    assert spent_on_programs(tmp_path / "p.jsonl") == Spend()


def test_damaged_rows_end_nothing(tmp_path: Path) -> None:
    """What a killed writer or a hand left there is passed over."""
    path = tmp_path / "p.jsonl"
    rows: list[object] = [
        {}, [], {"begun": {}, "calls": "x"}, {"ended": {"q": "a"}, "said": 5},
        {"begun": {}, "calls": 1, "tokens": 1, "dollars": float("nan")}, {"calls": 1},
        {"calls": 1, "tokens": 2, "dollars": [3]},
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert ProgramJournal(path).answer({"q": "a"}) is None
    assert spent_on_programs(path) == Spend()
