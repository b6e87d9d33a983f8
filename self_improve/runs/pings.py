"""Where the pings of a command with runs are recorded until its runs hold their rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from model_gateway.attempt import digest_of
from model_gateway.jsonl import read_rows
from model_gateway.ledger import RESERVED, SETTLED, Spend, spent_before
from model_gateway.ping_journal import PingJournal
from prompt_lab.layout import Layout
from self_improve.runs.specification import RunSpecification

_FOLDER = "pings"


def ping_journal(output: Layout, specifications: Iterable[RunSpecification]) -> PingJournal:
    """Return the file for the pings of a command with these runs; a repeated one has the same."""
    listed = list(specifications)
    name = digest_of(sorted(one.digest for one in listed))[:32]
    seed = listed[0].seed if listed else 0
    return PingJournal(output.scratch / _FOLDER / f"{name}.jsonl", seed=seed)


def left_over(output: Layout, seeds: Collection[int]) -> Spend:
    """Return what pings cost whose session was killed before it began a run with one of `seeds`."""
    spent = Spend()
    for path in sorted((output.scratch / _FOLDER).glob("*.jsonl")):
        rows = read_rows(path)[0]
        identities = [row.get(RESERVED, row.get(SETTLED)) for row in rows]
        if any(isinstance(one, dict) and one.get("seed") in seeds for one in identities):
            spent += spent_before(rows, [])
    return spent
