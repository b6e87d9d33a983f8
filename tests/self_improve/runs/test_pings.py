"""What pings cost is on the disk before they are sent, and counted once."""

from __future__ import annotations

from pathlib import Path

from model_gateway.ledger import Spend
from model_gateway.ping_journal import PingJournal
from prompt_lab.layout import Layout
from self_improve.runs.pings import left_over, ping_journal
from tests.model_gateway.rows import an_attempt

RESERVED = {"reserved": {"cell": "ping", "model": "m"}, "tokens": 66, "dollars": 0.5}


def test_killed_ping_costs_its_reservation(tmp_path: Path) -> None:
    """Without an end in the file the worst case counts."""
    journal = PingJournal(tmp_path / "pings.jsonl")
    journal.begin().log(RESERVED)
    assert PingJournal(tmp_path / "pings.jsonl").spent() == Spend(calls=1, tokens=66, dollars=0.5)


def test_answered_ping_costs_what_the_server_counted(tmp_path: Path) -> None:
    """Two pings of the same model are distinguished."""
    journal = PingJournal(tmp_path / "pings.jsonl")
    for _ in range(2):
        ping = journal.begin()
        ping.log(RESERVED)
        ping.attempted(an_attempt(input_tokens=2, output_tokens=1, cost=0.25), replayed=False)
    assert journal.spent() == Spend(calls=2, tokens=6, dollars=0.5)


def test_ping_without_usage_costs_its_reservation(tmp_path: Path) -> None:
    """A server that reports nothing is not free."""
    journal = PingJournal(tmp_path / "pings.jsonl")
    ping = journal.begin()
    ping.log(RESERVED)
    ping.attempted(an_attempt(input_tokens=None, output_tokens=None, cost=None), replayed=False)
    assert journal.spent().tokens == 66


def test_what_a_killed_session_left_is_found_by_its_seed(tmp_path: Path) -> None:
    """An iteration counts the pings of its own runs, and those of nobody else."""
    layout = Layout(tmp_path)
    path = layout.scratch / "pings" / "some-runs.jsonl"
    PingJournal(path, seed=7).begin().log(RESERVED)
    assert left_over(layout, {7, 8}).calls == 1
    assert left_over(layout, {8}) == Spend()
    PingJournal(path).forget()
    assert left_over(layout, {7}) == Spend()


def test_command_without_runs_has_a_file_nevertheless(tmp_path: Path) -> None:
    """Nothing is created before there is something to record."""
    journal = ping_journal(Layout(tmp_path), [])
    assert journal.rows() == []
    assert not journal.path.parent.exists()
