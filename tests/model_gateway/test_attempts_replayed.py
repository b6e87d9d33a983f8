"""A call that was answered is answered from the journal, and only what is missing is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_gateway.attempts import CallOutcome, OfferedReply, ParseResult
from model_gateway.call import Failure, FailureKind
from model_gateway.journal import FileJournal, read_attempts
from model_gateway.jsonl import Appender
from model_gateway.ledger import Caps, Ledger
from model_gateway.provider import Answer, ProviderError
from tests.model_gateway import virtual_time
from tests.model_gateway.conftest import MakeCaller, RecordingObserver, Scripted, Step, a_model
from tests.model_gateway.fruit_calls import ASK, CUT, GOOD, WRONG, put_call, wants_fruit

K = FailureKind
DOWN = ProviderError(K.server, "it broke")


class Cell:
    """A cell that is run again and again, each time by another session."""

    def __init__(self, make_caller: MakeCaller, path: Path) -> None:
        self._make_caller = make_caller
        self.path = path
        self.heard = RecordingObserver()
        self.asked = 0

    def run(self, *script: Step, ledger: Ledger | None = None, **changes: Any) -> CallOutcome:
        """Run a session, in which without a script nothing may be asked."""
        provider = Scripted(*(script or ["nobody was to ask"]))
        self.heard = RecordingObserver()
        question = {k: changes.pop(k) for k in ("key", "messages", "parser") if k in changes}
        models = changes.pop("models", (a_model(),))
        caller = self._make_caller(
            *models, journal=FileJournal(self.path), observer=self.heard, **changes
        )
        outcome = virtual_time.run(put_call(provider, caller, ledger=ledger, **question))
        self.asked = len(provider.requests)
        assert script or not self.asked
        return outcome

    @property
    def row_states(self) -> list[tuple[int, str]]:
        """The number and status of every row of the journal."""
        return [(row.number, row.status) for row in read_attempts(self.path)]

    def keep_rows(self, *numbers: int) -> None:
        """Lose all rows but some, as a killed writer may."""
        rows = read_attempts(self.path)
        self.path.unlink()
        with Appender(self.path) as appender:
            appender.append_all([rows[n].to_row() for n in numbers])


@pytest.fixture
def cell(make_caller: MakeCaller, tmp_path: Path) -> Cell:
    """Return a cell whose journal is empty."""
    return Cell(make_caller, tmp_path / "replayed.jsonl")


def test_bad_and_good_replies_are_replayed_in_order(cell: Cell) -> None:
    """A conversation that ended well is gone through again without a request or a new row."""
    first = cell.run(WRONG, "", CUT, GOOD, models=(a_model(max_attempts=5),))
    rows = read_attempts(cell.path)
    again = cell.run(models=(a_model(max_attempts=5),))
    assert again == first
    assert cell.heard.attempts == rows
    assert cell.heard.replayed == [True] * 4
    assert read_attempts(cell.path) == rows


def test_call_that_was_killed_half_way_goes_on(cell: Cell) -> None:
    """Replies that are there are used, with their feedback, and the next one is asked for."""
    cell.run(WRONG, "No.", GOOD)
    cell.keep_rows(0, 1)
    outcome = cell.run(GOOD)
    assert (cell.asked, outcome.failure, outcome.attempt.number) == (1, None, 3)
    assert cell.heard.replayed == [True, True, False]


def test_used_up_call_is_not_asked_again(cell: Cell) -> None:
    """A model that had all its attempts and only talked nonsense gets no more of them."""
    first = cell.run(WRONG)
    assert cell.run().failure == first.failure
    assert len(cell.row_states) == 3


@pytest.mark.parametrize("kind", [K.server, K.connection, K.rate_limit, K.timeout])
def test_outage_is_not_replayed(cell: Cell, kind: FailureKind) -> None:
    """A server that is up again is asked, with a full bound, whatever it did before."""
    assert cell.run(ProviderError(kind, "no")).failure is not None
    assert len(cell.row_states) == 3
    assert cell.run(ProviderError(kind, "no"), GOOD).failure is None
    assert cell.asked == 2


def test_outage_between_replies_is_passed_over(cell: Cell) -> None:
    """Of a reply after outages nothing is asked again, and it comes as the first attempt."""
    cell.run(DOWN, DOWN, GOOD)
    outcome = cell.run()
    assert outcome.failure is None
    assert cell.heard.replayed == [True]


def test_missing_key_is_not_replayed(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who sets the missing key and repeats the command gets an answer."""
    monkeypatch.delenv("FRUIT_KEY", raising=False)
    models = (a_model(key_env="FRUIT_KEY"),)
    failure = cell.run(models=models).failure
    assert failure is not None
    assert "FRUIT_KEY is not set" in failure.message
    monkeypatch.setenv("FRUIT_KEY", "sk-live-0123456789")
    assert cell.run(GOOD, models=models).failure is None


def test_empty_budget_is_not_replayed(cell: Cell) -> None:
    """With a higher cap the same command resumes after the last paid call."""
    failure = cell.run(ledger=Ledger(Caps(calls=0))).failure
    assert failure is not None
    assert failure.kind is K.budget
    assert cell.run(GOOD).failure is None
    assert cell.row_states == [(1, "failed"), (1, "ok")]


def test_replay_needs_no_money_and_no_key(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is answered from the journal is free."""
    monkeypatch.setenv("FRUIT_KEY", "sk-live-0123456789")
    models = (a_model(key_env="FRUIT_KEY"),)
    cell.run(GOOD, models=models)
    monkeypatch.delenv("FRUIT_KEY")
    assert cell.run(ledger=Ledger(Caps(calls=0)), models=models).failure is None


def test_refusal_is_replayed(cell: Cell) -> None:
    """A model that declined has answered."""
    declined = Answer(text="I won't", finish_reason="refusal")
    assert cell.run(declined).failure == cell.run().failure
    assert len(cell.row_states) == 1


def test_part_of_a_reply_is_replayed_as_such(cell: Cell) -> None:
    """A partial reply is kept as a part, also if there would be attempts left now."""
    cell.run(CUT, models=(a_model(max_attempts=1),))
    outcome = cell.run(models=(a_model(max_attempts=5),))
    assert (outcome.attempt.status, outcome.failure) == ("partial", None)
    assert cell.heard.replayed == [True]


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [ASK[0], {"role": "user", "content": "Any!"}]},
        {"key": "fruit_2"},
        {"repeat": 1},
        {"cell": "barn"},
        {"models": (a_model(model_id="scripted-2"),)},
        {"models": (a_model(arguments={"temperature": 1}),)},
        {"models": (a_model(structured="prompt"),)},
    ],
    ids=["prompt", "key", "repeat", "cell", "model", "arguments", "way of the schema"],
)
def test_another_request_is_not_answered_from_the_journal(
    cell: Cell, change: dict[str, Any]
) -> None:
    """A changed prompt, another repeat or another model is asked."""
    cell.run(GOOD)
    assert cell.run(GOOD, **change).failure is None
    assert cell.asked == 1


def test_entry_that_was_renamed_is_the_same_model(cell: Cell) -> None:
    """The name that users type is not part of a request."""
    cell.run(GOOD)
    assert cell.run(models=(a_model(name="renamed"),)).failure is None


def test_step_that_became_stricter_is_heard(cell: Cell) -> None:
    """A recorded reply that the step no longer takes is a failure, and the model is asked."""

    async def stricter(offer: OfferedReply) -> ParseResult:
        if "plum" in offer.text:
            return await wants_fruit(offer)
        return ParseResult(failure=Failure(kind=K.schema, message="only plums"))

    cell.run(GOOD)
    outcome = cell.run('{"name": "plum", "seeds": []}', parser=stricter)
    assert (outcome.failure, outcome.attempt.number, cell.asked) == (None, 2, 1)
    feedback = outcome.attempt.messages[-1]["content"]
    assert "only plums" in feedback
    assert [row.status for row in cell.heard.attempts] == ["failed", "ok"]


def test_fallbacks_reply_is_replayed_with_its_mark(cell: Cell) -> None:
    """The second session reaches the fallback in the same way and finds its reply."""
    models = (a_model(name="a", max_attempts=2), a_model(name="b", model_id="b-1"))
    cell.run(WRONG, GOOD, models=models)
    outcome = cell.run(models=models)
    assert (outcome.attempt.model, outcome.attempt.fallback) == ("b", True)
    assert cell.heard.replayed == [True, True]


def test_torn_row_costs_one_request(cell: Cell) -> None:
    """What stands before and after a damaged line is still used."""
    cell.run(WRONG, "", GOOD)
    first, second, third = cell.path.read_bytes().splitlines(keepends=True)
    cell.path.write_bytes(first + second[:40] + b"\n" + third)
    outcome = cell.run("")
    assert (outcome.failure, cell.asked) == (None, 1)
    assert cell.heard.replayed == [True, False, True]


def test_waits_of_the_first_session_are_not_waited_again(cell: Cell) -> None:
    """A replayed conversation takes no time."""
    cell.run(WRONG, ProviderError(K.rate_limit, "slow down", retry_after=100), GOOD)
    asker_time: list[float] = []

    async def timed(offer: OfferedReply) -> ParseResult:
        asker_time.append(virtual_time.now())
        return await wants_fruit(offer)

    cell.run(parser=timed)
    assert asker_time == [0]
