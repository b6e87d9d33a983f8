"""Files that only grow: what was written stays readable whatever happens to the writer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_gateway.jsonl import Appender, SyncedAppender, dumps, read_rows
from tests.model_gateway.rows import ANY_TEXT
from tests.model_gateway.tiny_disk import PAGE, fill, tiny_disk
from tests.waiting import LONGEST

ROWS = st.lists(
    st.dictionaries(ANY_TEXT, ANY_TEXT | st.integers() | st.none(), max_size=3), max_size=4
)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the readable rows."""
    return read_rows(path)[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file is to be."""
    return tmp_path / "rows.jsonl"


@given(ROWS)
def test_each_row_is_one_line_that_reads_back(rows: list[dict[str, Any]]) -> None:
    """Line breaks, separators and half characters in a row never break its line."""
    lines = [dumps(row).encode() for row in rows]
    assert not any(b"\n" in line for line in lines)
    assert [json.loads(line) for line in lines] == rows


@given(rows=ROWS, later=ROWS, data=st.data())
def test_torn_file_loses_only_the_torn_line(
    tmp_path_factory: pytest.TempPathFactory, rows: Any, later: Any, data: st.DataObject
) -> None:
    """Cut at any byte and written on, a file holds every whole row from before and all after."""
    path = tmp_path_factory.getbasetemp() / "torn.jsonl"
    whole = "".join(dumps(row) + "\n" for row in rows).encode()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    with Appender(path) as appender:
        appender.append_all(later)
    ends = [n for n, byte in enumerate(whole) if byte == ord("\n")]
    whole_rows = sum(end <= cut for end in ends)
    rows_read, torn = read_rows(path)
    assert rows_read == rows[:whole_rows] + later
    assert torn <= 1


@pytest.mark.parametrize(
    "junk",
    [
        b'{"half": "a li',
        b"\xff\xfe\x00 not UTF-8",
        b'{"name": "caf\xe9"}',
        b"[1, 2]",
        b'"text"',
        b"null",
        b"NaN",
        b"\x00" * 64,
        b"[" * 100_000,
        b'{"n": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda junk: repr(junk[:12]),
)
def test_line_that_is_no_row_is_passed_over_and_counted(path: Path, junk: bytes) -> None:
    """A torn or foreign line in the middle costs nothing but itself."""
    path.write_bytes(b'{"n": 1}\n' + junk + b'\n\n \n{"n": 2}\n')
    assert read_rows(path) == ([{"n": 1}, {"n": 2}], 1)


def test_missing_file_has_no_rows(path: Path) -> None:
    """A file that nobody has written yet is empty, not an error."""
    assert read_rows(path) == ([], 0)


def test_appenders_side_by_side_keep_lines_whole(path: Path) -> None:
    """Two writers of one file never write into each other's lines."""

    def write(name: str) -> None:
        with Appender(path) as appender:
            for n in range(200):
                appender.append({"writer": name, "n": n, "text": name * 300})

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    rows, torn = read_rows(path)
    assert torn == 0
    assert [r["n"] for r in rows if r["writer"] == "a"] == list(range(200))
    assert [r["n"] for r in rows if r["writer"] == "b"] == list(range(200))


def test_full_disk_is_an_error_and_costs_only_the_row(tmp_path: Path) -> None:
    """A row that did not fit leaves the earlier ones, and the next ones when there is room."""
    with tiny_disk(tmp_path / "disk") as disk, Appender(disk / "rows.jsonl") as appender:
        ballast = fill(disk, leave=2)
        appender.append({"n": 1}, sync=True)
        with pytest.raises(OSError, match="No space left"):
            appender.append({"n": 2, "text": "x" * 3 * PAGE})
        assert read_rows(disk / "rows.jsonl") == ([{"n": 1}], 1)
        ballast.unlink()
        appender.append({"n": 3})
        assert read_rows(disk / "rows.jsonl") == ([{"n": 1}, {"n": 3}], 1)


def test_all_who_wait_hear_of_a_full_disk(tmp_path: Path) -> None:
    """Every caller whose row did not get through has the error, and nothing earlier is lost."""

    async def scenario(disk: Path) -> list[Any]:
        appender = SyncedAppender(disk / "rows.jsonl")
        await appender.append({"n": 0})
        ballast = fill(disk, leave=0)
        rows = ({"n": n, "text": "x" * PAGE} for n in range(1, 9))
        heard = await asyncio.gather(*map(appender.append, rows), return_exceptions=True)
        ballast.unlink()
        await appender.append({"n": 9})
        await appender.close()
        return heard

    with tiny_disk(tmp_path / "disk") as disk:
        heard = asyncio.run(scenario(disk))
        numbers = [row["n"] for row in rows_of(disk / "rows.jsonl")]
    assert [type(error) for error in heard] == [OSError] * 8
    assert (numbers[0], numbers[-1]) == (0, 9)


def test_row_is_on_the_disk_when_append_returns(path: Path) -> None:
    """Of many tasks each finds its own row in the file at once, and none is lost."""

    async def scenario() -> None:
        appender = SyncedAppender(path)

        async def one(n: int) -> None:
            await asyncio.sleep(n % 10 / 2000)
            await appender.append({"n": n})
            assert {"n": n} in rows_of(path)

        async with asyncio.timeout(LONGEST):
            await asyncio.gather(*(one(n) for n in range(50)))
        await appender.close()

    asyncio.run(scenario())
    assert sorted(row["n"] for row in rows_of(path)) == list(range(50))


def test_row_that_comes_during_a_sync_is_written_by_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who comes while the disk is busy waits for somebody who comes later."""
    monkeypatch.setattr(os, "fsync", lambda _: time.sleep(0.02))

    async def scenario() -> None:
        appender = SyncedAppender(path)
        first = asyncio.create_task(appender.append({"n": 1}))
        await asyncio.sleep(0.01)
        async with asyncio.timeout(LONGEST):
            await appender.append({"n": 2})
        await first

    asyncio.run(scenario())
    assert [row["n"] for row in rows_of(path)] == [1, 2]


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Return a list that grows with every sync to disk."""
    calls: list[int] = []
    really = os.fsync

    def counted(file: int) -> None:
        calls.append(file)
        really(file)

    monkeypatch.setattr(os, "fsync", counted)
    return calls


def test_rows_that_arrive_together_share_a_sync(path: Path, syncs: list[int]) -> None:
    """A thousand tasks that append at once cost a few syncs, not a thousand."""

    async def scenario() -> None:
        appender = SyncedAppender(path)
        await asyncio.gather(*(appender.append({"n": n}) for n in range(1000)))
        await appender.close()

    asyncio.run(scenario())
    assert len(rows_of(path)) == 1000
    assert 1 <= len(syncs) <= 5


def test_row_that_is_no_json_fails_its_caller_alone(path: Path) -> None:
    """Others who append at the same moment are neither failed nor kept waiting."""

    async def scenario() -> list[Any]:
        appender = SyncedAppender(path)
        rows: list[Any] = [{"n": 1}, {"n": object()}, {"n": 2}]
        async with asyncio.timeout(LONGEST):
            return await asyncio.gather(*map(appender.append, rows), return_exceptions=True)

    heard = asyncio.run(scenario())
    assert [type(h) for h in heard] == [type(None), TypeError, type(None)]
    assert rows_of(path) == [{"n": 1}, {"n": 2}]


def test_row_of_a_cancelled_task_is_written_all_the_same(path: Path) -> None:
    """Who gives up waiting for the disk does not take the row along."""

    async def scenario() -> None:
        appender = SyncedAppender(path)
        task = asyncio.create_task(appender.append({"n": 1}))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await appender.close()

    asyncio.run(scenario())
    assert rows_of(path) == [{"n": 1}]


def test_appending_after_the_end_is_an_error(path: Path) -> None:
    """A closed file takes no rows and says so, and may be closed twice."""

    async def scenario() -> None:
        appender = SyncedAppender(path)
        await appender.append({"n": 1})
        await appender.close()
        await appender.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            await appender.append({"n": 2})

    asyncio.run(scenario())


WRITER = """
import sys
from pathlib import Path
from model_gateway.jsonl import Appender
with Appender(Path(sys.argv[1])) as rows:
    for n in range(10**9):
        rows.append({"n": n, "text": "x" * 2000}, sync=True)
        print(n, flush=True)
"""


def test_killed_writer_loses_nothing_it_acknowledged(path: Path) -> None:
    """After kill -9 every row that was acknowledged is there, and the file can be written on."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    with writer, writer.stdout as output:  # type: ignore[union-attr]
        while output.readline() != b"30\n":
            assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)
        last = max([30, *map(int, output.read().split())])
    with Appender(path) as appender:
        appender.append({"n": -1})
    numbers = [row["n"] for row in rows_of(path)]
    assert numbers[: last + 1] == list(range(last + 1))
    assert numbers[-1] == -1
