"""Displays: what they count, and the lines that they write."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from model_gateway.journal import NoJournal
from prompt_lab import record
from prompt_lab.layout import Layout
from self_improve.cells.fork_server import ForkServer
from self_improve.runs.jobs import Arm, Job
from self_improve.runs.progress import Bar, Counts, Lines, display
from tests.model_gateway.rows import an_attempt
from tests.self_improve import hosts


@pytest.fixture
def arm(tmp_path: Path) -> Iterator[Arm]:
    """Return a run under way, whose cells nobody forks."""
    writer = record.begin(Layout(tmp_path), "find", "a" * 64, {})
    nobody = cast("ForkServer", None)
    yield Arm(
        specification=hosts.specification(), writer=writer, journal=NoJournal(), server=nobody,
        scratch=tmp_path / "scratch",
    )  # fmt: skip
    writer.close()


def job(arm: Arm, plan: str = "silo", repeat: int = 0) -> Job:
    """Return a cell."""
    return Job(arm=arm, plan=plan, repeat=repeat)


def row(**changes: Any) -> dict[str, Any]:
    """Return the row of a cell that ended well."""
    return {"error": None, "partial": False, "calls": 3, "duration_seconds": 1.234, **changes}


def played(shown: Counts, arm: Arm) -> None:
    """Let three cells go by: one good, one partial, one failed; a fourth is dropped."""
    shown.begin(4)
    shown.started(job(arm))
    shown.attempted(job(arm), an_attempt(), replayed=False)
    shown.attempted(job(arm), an_attempt(input_tokens=None, cost=None), replayed=False)
    shown.attempted(job(arm), an_attempt(cost=9.0), replayed=True)
    shown.ended(job(arm), row())
    shown.ended(job(arm, "port", 2), row(partial=True))
    shown.ended(job(arm, "dyke"), row(error="timeout: 3 s\nmore of it", partial=True, calls=1))
    shown.dropped(job(arm, "moor"), "budget")
    shown.end()


def assert_counted(shown: Counts) -> None:
    """Check what was counted of the cells that went by."""
    assert (shown.cells, shown.done, shown.failed, shown.partial) == (4, 3, 1, 1)
    assert (shown.calls, shown.tokens, shown.dollars) == (2, 20, 0.25)


def test_cells_and_calls_are_counted(arm: Arm) -> None:
    """What was replayed costs nothing now, what is unknown is 0, and dropped cells are not done."""
    shown = Counts()
    played(shown, arm)
    assert_counted(shown)


def test_every_cell_is_one_plain_line(arm: Arm) -> None:
    """With its place, its state, model, plan, repeat, calls, seconds and the start of its error."""
    stream = io.StringIO()
    shown = Lines(stream)
    played(shown, arm)
    assert_counted(shown)
    assert stream.getvalue().splitlines() == [
        "[1/4] ok      find · haiku · silo · 3 calls · 1.2 s",
        "[2/4] partial find · haiku · port repeat 2 · 3 calls · 1.2 s",
        "[3/4] failed  find · haiku · dyke · 1 call · 1.2 s · timeout: 3 s",
    ]


def test_long_error_is_cut(arm: Arm) -> None:
    """A line stays a line."""
    stream = io.StringIO()
    shown = Lines(stream)
    shown.begin(1)
    shown.ended(job(arm), row(error="x" * 1000))
    assert len(stream.getvalue()) < 250


def test_bar_counts_and_tells_failures(arm: Arm, capsys: pytest.CaptureFixture[str]) -> None:
    """Failures get a line of their own, in the words of the error; markup in them is just text."""
    shown = Bar()
    played(shown, arm)
    shown.ended(job(arm, "weir"), row(error="[bold]refused[/bold]"))
    output = capsys.readouterr().err
    assert (shown.done, shown.failed) == (4, 2)
    assert "failed: find · haiku · dyke: timeout: 3 s" in output
    assert "3/4" in output
    assert "1 failed · 20 tokens · $0.2500" in output


def test_display_fits_where_the_output_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing for machines, lines for files, a bar for a terminal."""
    assert type(display(quiet=True)) is Counts
    assert type(display(quiet=False)) is Lines

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    assert type(display(quiet=False)) is Bar
    assert type(display(quiet=True)) is Counts
