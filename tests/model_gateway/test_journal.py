"""What was answered once is found again by what was asked, and by nothing else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from model_gateway.attempt import Attempt
from model_gateway.call import FailureKind
from model_gateway.journal import FileJournal, NoJournal, read_attempts, replayable
from model_gateway.jsonl import Appender
from tests.model_gateway.rows import an_attempt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal is to be."""
    return tmp_path / "attempts.jsonl"


def written(path: Path, attempts: Iterable[Attempt]) -> Path:
    """Write `attempts` as an earlier session did."""
    with Appender(path) as rows:
        rows.append_all([attempt.to_row() for attempt in attempts])
    return path


def failed(kind: FailureKind, **changes: Any) -> Attempt:
    """Return an attempt that ended with `kind`."""
    return an_attempt(status="failed", failure_kind=kind, failure_message="why", **changes)


def take_all(journal: FileJournal, digest: str) -> list[Attempt]:
    """Take attempts until there are no more."""
    return list(iter(lambda: journal.take(digest), None))


def test_attempts_come_back_once_and_in_order(path: Path) -> None:
    """The same request recorded twice is answered twice, first things first, then no more."""
    rows = [an_attempt(text="a fig"), an_attempt(number=2, text="a plum")]
    other = an_attempt(key="nut", text="a hazel")
    journal = FileJournal(written(path, [rows[0], other, rows[1]]))
    assert take_all(journal, rows[0].request_digest) == rows
    assert take_all(journal, other.request_digest) == [other]
    assert journal.take("unheard of") is None


OF_REPLIES = {
    FailureKind.schema,
    FailureKind.schema_echo,
    FailureKind.truncated,
    FailureKind.empty,
    FailureKind.refused,
    FailureKind.too_long,
}


@pytest.mark.parametrize("kind", FailureKind)
def test_failure_is_replayed_only_if_the_model_replied(kind: FailureKind) -> None:
    """Bad replies are given again; an outage, a missing key or an empty purse may be over."""
    assert replayable(failed(kind)) is (kind in OF_REPLIES)


@pytest.mark.parametrize(
    ("status", "again"), [("ok", True), ("partial", True), ("cancelled", False)]
)
def test_cancelled_attempts_are_not_replayed(status: str, *, again: bool) -> None:
    """What was cut off is asked again; a part of a reply that was kept is kept again."""
    assert replayable(an_attempt(status=status)) is again


def test_rows_of_finished_cells_are_not_kept(path: Path) -> None:
    """A cell that is done, given by its name and repeat, is not replayed."""
    rows = [an_attempt(), an_attempt(repeat=1), an_attempt(cell="barn")]
    journal = FileJournal(written(path, rows), finished=[("silo", 0), ("barn", 1)])
    assert [journal.take(row.request_digest) for row in rows] == [None, *rows[1:]]


def test_unreadable_rows_are_passed_over(path: Path) -> None:
    """Torn lines, rows without a field and rows with unknown words cost only themselves."""
    good = an_attempt()
    broken = good.to_row()
    del broken["text"]
    with Appender(path) as rows:
        rows.append(broken)
        rows.append({**good.to_row(), "source": "rumour"})
    with path.open("ab") as file:
        file.write(b'{"cell": "si\n\xff\xfe\n')
    written(path, [good])
    with path.open("ab") as file:
        file.write(b'{"cell": "silo", "te')
    assert read_attempts(path) == [good]
    assert FileJournal(path).take(good.request_digest) == good


def test_appended_attempts_are_not_due_in_the_same_cell(path: Path) -> None:
    """A request that is repeated while its cell runs is a new one, not an echo."""

    async def scenario() -> Attempt | None:
        journal = FileJournal(path)
        await journal.append(an_attempt())
        attempt = journal.take(an_attempt().request_digest)
        await journal.close()
        return attempt

    assert asyncio.run(scenario()) is None


def test_cell_that_begins_again_gets_all_its_replies(path: Path) -> None:
    """What came from the file and what was appended since are due again, others' rows are not."""
    old, new = (an_attempt(number=n, text=f"fig {n}") for n in (1, 2))
    other = an_attempt(cell="barn")

    async def scenario() -> tuple[list[Attempt], Attempt | None]:
        journal = FileJournal(written(path, [old, other]))
        journal.begin("silo", 0)
        assert journal.take(old.request_digest) == old
        assert journal.take(other.request_digest) == other
        await journal.append(new)
        await journal.append(failed(FailureKind.server))
        journal.begin("silo", 0)
        again = take_all(journal, old.request_digest)
        await journal.close()
        return again, journal.take(other.request_digest)

    assert asyncio.run(scenario()) == ([old, new], None)


def test_what_was_taken_is_due_when_its_cell_begins_again(path: Path) -> None:
    """A cell that was only replayed can be replayed once more."""
    journal = FileJournal(written(path, [an_attempt()]))
    for _ in range(3):
        journal.begin("silo", 0)
        assert take_all(journal, an_attempt().request_digest) == [an_attempt()]


def test_cell_that_begins_for_the_first_time_has_its_rows_once(path: Path) -> None:
    """Two doors of one cell, opened one after the other, do not double what is due."""
    journal = FileJournal(written(path, [an_attempt()]))
    for _ in range(2):
        journal.begin("silo", 0)
    assert len(take_all(journal, an_attempt().request_digest)) == 1


def test_many_cells_write_at_once_and_nothing_is_lost(path: Path) -> None:
    """Attempts of tasks that append at random moments are all there, each cell's in its order."""

    async def scenario() -> None:
        journal = FileJournal(path)
        dice = random.Random(5)

        async def cell(name: str) -> None:
            for n in range(1, 11):
                await journal.append(an_attempt(cell=name, number=n))
                await asyncio.sleep(dice.random() / 1000)

        await asyncio.gather(*(cell(f"c{n}") for n in range(20)))
        await journal.close()

    asyncio.run(scenario())
    attempts = read_attempts(path)
    assert len(attempts) == 200
    for n in range(20):
        assert [a.number for a in attempts if a.cell == f"c{n}"] == list(range(1, 11))


def test_no_journal_keeps_nothing() -> None:
    """A quick look leaves no trace and finds none."""
    journal = NoJournal()
    asyncio.run(journal.append(an_attempt()))
    journal.begin("silo", 0)
    assert journal.take(an_attempt().request_digest) is None
