"""What a cell asked and what it cost."""

from __future__ import annotations

import json
import tarfile
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_gateway.attempt import Attempt
from model_gateway.call import FailureKind, Source
from model_gateway.usage import overview, usage_rows
from self_improve.cells.account import Account
from tests.model_gateway.rows import an_attempt
from tests.self_improve.hosts import shared


def failed(kind: FailureKind = FailureKind.server, **changes: Any) -> Attempt:
    """Return an attempt that gave nothing."""
    return an_attempt(
        status="failed", failure_kind=kind, failure_message="no", **changes
    )  # fmt: skip


def account(*attempts: Attempt, replayed: int = 0) -> Account:
    """Return the account of a cell that made these attempts; the first ones were replayed."""
    calls = Account()
    for number, attempt in enumerate(attempts):
        calls.attempted(attempt, replayed=number < replayed)
    return calls


def test_cell_without_calls_has_spent_nothing() -> None:
    """Sums over nothing are 0."""
    row = account().row()
    assert (row["calls"], row["attempts"], row["input_tokens"], row["cost_usd"]) == (0, 0, 0, 0)
    assert row["sources"] == []
    assert not row["partial"]


def test_calls_are_counted_by_key_and_attempts_by_number() -> None:
    """A call that succeeded at its second attempt is one call and two attempts."""
    row = account(failed(key="a"), an_attempt(key="a", number=2), an_attempt(key="b")).row()
    assert (row["calls"], row["calls_succeeded"], row["attempts"]) == (2, 2, 3)
    assert not row["partial"]


AMOUNT = st.none() | st.integers(0, 1000)


@settings(deadline=None)
@given(st.lists(st.tuples(AMOUNT, AMOUNT, AMOUNT, st.none() | st.floats(0, 9)), max_size=5))
def test_sums_are_unknown_if_a_part_is(parts: list[tuple[Any, Any, Any, Any]]) -> None:
    """Tokens and cost are None rather than too small; unreported thinking tokens are 0."""
    row = account(
        *(
            an_attempt(input_tokens=i, output_tokens=o, thinking_tokens=t, cost=c)
            for i, o, t, c in parts
        )
    ).row()
    columns = list(zip(*parts, strict=True)) or [()] * 4
    for name, column in zip(
        ("input_tokens", "output_tokens", "cost_usd"), (columns[0], columns[1], columns[3]),
        strict=True,
    ):  # fmt: skip
        assert row[name] == (None if None in column else sum(column))
    assert row["thinking_tokens"] == sum(t or 0 for t in columns[2])


@pytest.mark.parametrize(
    ("attempts", "partial"),
    [
        ((an_attempt(key="a"), an_attempt(key="b")), False),
        ((an_attempt(key="a"), failed(key="b")), True),
        ((an_attempt(key="a", status="partial"),), True),
        ((an_attempt(key="a", status="partial"), an_attempt(key="a", number=2)), False),
        ((failed(key="a"), an_attempt(key="a", number=2)), False),
    ],
)
def test_cell_is_partial_if_a_call_is_lost_or_recovered(
    attempts: tuple[Attempt, ...], *, partial: bool
) -> None:
    """By the last attempt of each call."""
    assert account(*attempts).row()["partial"] is partial


def test_fallback_counts_if_it_answered() -> None:
    """One that failed as well changes nothing in the value."""
    assert account(an_attempt(fallback=True)).row()["fallback"] is True
    assert account(an_attempt(key="a"), failed(key="b", fallback=True)).row()["fallback"] is False


def test_what_was_mended_is_reported() -> None:
    """Each kind once, of the attempts that gave a call its value."""
    attempts = [an_attempt(key=key, mended=["trailing comma"]) for key in ("a", "b")]
    row = account(*attempts, an_attempt(key="c", mended=["list of one object"])).row()
    assert row["mended"] == ["list of one object", "trailing comma"]
    assert account(an_attempt()).row()["mended"] == []


def test_sources_and_replays_are_reported() -> None:
    """Each source once, in order; what was never sent has none, and what was replayed counts."""
    row = account(
        an_attempt(source=Source.network), an_attempt(source=Source.cache), an_attempt(),
        failed(source=Source.none), replayed=2,
    ).row()  # fmt: skip
    assert row["sources"] == ["cache", "network"]
    assert (row["replayed"], row["attempts"]) == (2, 4)


def test_reached_budget_is_noticed() -> None:
    """As soon as one call was not sent for lack of money."""
    assert not account(failed()).budget_reached
    assert account(failed(FailureKind.budget), an_attempt(key="b")).budget_reached


def test_failure_of_the_last_failed_call_is_reported() -> None:
    """Not one that a later attempt repaired."""
    calls = account(
        failed(FailureKind.timeout, key="a"),
        failed(FailureKind.server, key="b"),
        failed(FailureKind.schema, key="c"),
        an_attempt(key="c", number=2),
    )
    assert calls.worst_failure is not None
    assert calls.worst_failure.failure_kind is FailureKind.server
    assert account(an_attempt()).worst_failure is None


def test_watcher_hears_every_attempt() -> None:
    """With whether it was replayed."""
    heard: list[tuple[str, bool]] = []
    calls = Account(changed=lambda attempt, replayed: heard.append((attempt.key, replayed)))
    calls.attempted(an_attempt(key="a"), replayed=True)
    calls.attempted(an_attempt(key="b"), replayed=False)
    assert heard == [("a", True), ("b", False)]


def test_time_in_the_queue_counts_once() -> None:
    """Two calls that wait together wait as long as one."""
    calls = Account()
    assert calls.queued == 0
    began = time.monotonic()
    calls.waiting(now=True)
    calls.waiting(now=True)
    time.sleep(0.03)
    calls.waiting(now=False)
    calls.waiting(now=False)
    waited = calls.queued
    assert 0.03 <= waited <= time.monotonic() - began
    time.sleep(0.02)
    assert calls.queued == waited


def old_rows(name: str) -> list[Any]:
    """Return the contents of the files of this name in some recorded runs."""
    rows = []
    with tarfile.open(shared("recorded", "history.tar.xz")) as archive:
        for member in archive:
            if member.name.startswith("history/0/10"):
                break
            file = archive.extractfile(member) if member.name.endswith(f"/{name}") else None
            if file is not None:
                text = file.read().decode()
                lines = text.splitlines() if name.endswith("jsonl") else [text]
                rows += [json.loads(line) for line in lines if line.strip()]
    assert len(rows) > 20
    return rows


def test_usage_has_the_recorded_form() -> None:
    """Rows of good attempts have the keys of recorded ones; those of failures no others."""
    forms = {tuple(row) for row in old_rows("usage_metrics.jsonl")}
    keys = {key for form in forms for key in form}
    for attempt in (
        an_attempt(),
        an_attempt(cost=None),
        an_attempt(cost=None, input_tokens=None, output_tokens=None),
    ):
        [row] = usage_rows([attempt])
        assert tuple(row) in forms
    for attempt in (failed(), failed(input_tokens=None, output_tokens=None, cost=None)):
        [row] = usage_rows([attempt])
        assert set(row) <= keys
        assert (row["success"], row["error"]) == (False, "server")


def test_usage_names_the_model_that_answered() -> None:
    """What the server said of itself goes before what was asked for."""
    rows = usage_rows([an_attempt(), an_attempt(reported_model="scripted-1-2026")])
    assert [row["model"] for row in rows] == ["scripted-1", "scripted-1-2026"]


def test_overview_has_the_recorded_form() -> None:
    """The same keys, at the top and for each model."""
    [new] = json.loads(json.dumps([overview([an_attempt(), failed()])]))
    for old in old_rows("activity_overview.json"):
        assert set(new) == set(old)
        for model in old["models"].values():
            assert set(new["models"]["scripted-1"]) == set(model)


def test_overview_adds_up() -> None:
    """By model and in all; what is unknown counts as 0, as it did in older records."""
    totals = overview(
        [
            an_attempt(started="2026-01-02", thinking_tokens=3),
            an_attempt(started="2026-01-01", reported_model="other"),
            failed(input_tokens=None, output_tokens=None, cost=None),
        ]
    )
    assert totals["last_updated"] == "2026-01-02"
    assert totals["models"]["scripted-1"] == {
        "calls": 2, "input_tokens": 10, "output_tokens": 5, "thinking_tokens": 3,
        "total_cost": 0.25, "total_tokens": 15,
    }  # fmt: skip
    assert totals["total_cost"] == 0.5
    assert totals["total_tokens"] == 30
    assert (totals["total_input_tokens"], totals["total_output_tokens"]) == (20, 10)
    assert totals["total_thinking_tokens"] == 3


def test_row_of_a_cell_holds_what_recorded_ones_held() -> None:
    """Readers of older rows find the number of calls that succeeded."""
    keys = {"name", "status", "duration_seconds", "error", *account().row()}
    with tarfile.open(shared("recorded", "history.tar.xz")) as archive:
        member = next(one for one in archive if one.name.endswith("/outputs.jsonl"))
        file = archive.extractfile(member)
        assert file is not None
        for line in file.read().decode().splitlines():
            assert set(json.loads(line)) <= keys
