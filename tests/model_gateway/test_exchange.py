"""One exchange: its bound, its cost, and anything a provider may do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_gateway.attempt import Message
from model_gateway.attempts import CallOutcome
from model_gateway.call import FailureKind, Source
from model_gateway.config import Model
from model_gateway.errors import ConfigError
from model_gateway.exchange import Caller, ExchangeResult, _worst_case, spend_of
from model_gateway.journal import FileJournal, read_attempts
from model_gateway.jsonl import Row
from model_gateway.ledger import Caps, Ledger, Spend, spent_before
from model_gateway.provider import Answer, Origin, Provider, ProviderError, Request
from tests.model_gateway import virtual_time
from tests.model_gateway.conftest import MakeCaller, RecordingObserver, Scripted, Step, a_model
from tests.model_gateway.fruit_calls import GOOD, put_call
from tests.model_gateway.rows import ANY_TEXT

K = FailureKind
KEY = "sk-live-0123456789abcdef"
WORST = Spend(calls=1, tokens=1000, dollars=2.0)
ORIGIN = Origin(plan="silo", key="fruit", repeat=0, number=1, seed=1, call_id=None)


def a_request(messages: list[Message], schema: dict[str, Any] | None = None) -> Request:
    """Return a request for at most a hundred tokens."""
    return Request(
        model_id="m", messages=messages, schema=schema, schema_name="S", max_output_tokens=100,
        arguments={}, origin=ORIGIN,
    )  # fmt: skip


@given(
    st.lists(ANY_TEXT, max_size=4),
    st.integers(0, 100),
)
def test_worst_case_covers_a_token_for_every_byte(texts: list[str], written: int) -> None:
    """Even if each byte were a token and the reply as long as allowed, more was reserved."""
    messages = [{"role": "user", "content": text} for text in texts]
    worst = _worst_case(a_request(messages), a_model(price={"input": 3, "output": 15}))
    sent = sum(len(text.encode("utf-8", "replace")) for text in texts)
    assert worst.calls == 1
    assert worst.tokens > sent + written
    assert worst.dollars > (sent * 3 + written * 15) / 1e6


def test_schema_counts_towards_the_worst_case() -> None:
    """A schema is sent too, and paid for."""
    schema = {"description": "x" * 500}
    with_it = _worst_case(a_request([], schema), a_model())
    assert with_it.tokens - _worst_case(a_request([]), a_model()).tokens > 500


def done(answer: Answer | None = None, **changes: Any) -> ExchangeResult:
    """Return what came of an exchange."""
    return ExchangeResult(answer=answer, started="", **changes)


@pytest.mark.parametrize(
    ("exchanged", "spend"),
    [
        (
            done(Answer(text="a", input_tokens=3, output_tokens=4), cost=0.5),
            Spend(calls=1, tokens=7, dollars=0.5),
        ),
        (
            done(Answer(text="a", input_tokens=3, output_tokens=4), cost=None),
            Spend(calls=1, tokens=7, dollars=2.0),
        ),
        (done(Answer(text="a", input_tokens=3)), None),
        (done(Answer(text="a", output_tokens=3)), None),
        (done(Answer(text="a", input_tokens=0, output_tokens=0)), Spend(calls=1)),
        (done(billed=True), None),
        (done(billed=False), Spend(calls=1)),
    ],
)
def test_spend_is_what_is_known(exchanged: ExchangeResult, spend: Spend | None) -> None:
    """Tokens that nobody reported make the spend unknown; a missing price leaves the worst case."""
    assert spend_of(exchanged, WORST) == spend


def run(provider: Provider, make_caller: MakeCaller, *models: Model, **how: Any) -> CallOutcome:
    """Put one call on the jumping clock, with a single attempt unless the models say otherwise."""
    models = models or (a_model(max_attempts=1),)
    return virtual_time.run(put_call(provider, make_caller(*models), **how))


class Rude(Scripted):
    """A provider with a fault."""

    def __init__(self, error: Exception) -> None:
        super().__init__(GOOD)
        self._error = error

    async def send(self, request: Request) -> Answer:
        """Raise what no provider should."""
        self.requests.append(request)
        raise self._error


@pytest.mark.parametrize("error", [RuntimeError(f"with {KEY}"), TypeError(), OSError(5, "no")])
def test_fault_of_a_provider_is_a_recorded_failure(
    make_caller: MakeCaller, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a provider should not raise fails its attempt, which is charged and reported."""
    monkeypatch.setenv("SOME_KEY", KEY)
    ledger = Ledger()
    provider = Rude(error)
    outcome = run(provider, make_caller, a_model(), ledger=ledger)
    assert outcome.failure is not None
    assert outcome.failure.kind is K.configuration
    assert f"the provider failed: {type(error).__name__}" in outcome.failure.message
    assert KEY not in outcome.failure.message
    assert (outcome.attempt.status, outcome.attempt.cost) == ("failed", None)
    assert len(provider.requests) == 1
    assert ledger.spent.tokens > 100


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(text=" \n", finish_reason="stop"), K.empty),
        (Answer(text="", finish_reason="length"), K.truncated),
        (Answer(text="", finish_reason="refusal"), K.refused),
        (Answer(text=GOOD, finish_reason="refusal"), K.refused),
    ],
)
def test_replies_that_nobody_needs_to_read(
    make_caller: MakeCaller, answer: Answer, kind: FailureKind
) -> None:
    """An empty or declined reply is named as such, whatever it says."""
    outcome = run(Scripted(answer), make_caller)
    assert outcome.failure is not None
    assert outcome.failure.kind is kind
    assert ("length limit" in outcome.failure.message) is (answer.finish_reason == "length")


def test_silence_is_a_timeout_charged_in_full(make_caller: MakeCaller) -> None:
    """A request that was given up may have been answered and billed."""
    ledger = Ledger()
    model = a_model(max_attempts=1, attempt_seconds=7)
    outcome = run(Scripted(1e6), make_caller, model, ledger=ledger)
    assert outcome.failure is not None
    assert str(outcome.failure) == "timeout: no whole reply within 7 s"
    assert (outcome.attempt.seconds, outcome.attempt.cost) == (7.0, None)
    assert ledger.spent.tokens > 100


@pytest.mark.parametrize("billed", [True, False])
def test_error_is_charged_if_it_may_have_been_billed(
    make_caller: MakeCaller, *, billed: bool
) -> None:
    """A refused connection is free; one that broke after the request was sent is not."""
    ledger = Ledger()
    run(Scripted(ProviderError(K.connection, "no", billed=billed)), make_caller, ledger=ledger)
    assert (ledger.spent.tokens > 0) is billed
    assert ledger.spent.calls == 1


@pytest.mark.parametrize(
    ("answer", "price", "cost"),
    [
        (Answer(text=GOOD, input_tokens=10, output_tokens=5), {"input": 1, "output": 2}, 20e-6),
        (Answer(text=GOOD, input_tokens=10, output_tokens=5), None, None),
        (Answer(text=GOOD, input_tokens=10, output_tokens=5, cost=0.7), None, 0.7),
        (Answer(text=GOOD, cost=0.7), {"input": 1, "output": 2}, 0.7),
        (Answer(text=GOOD, input_tokens=10), {"input": 1, "output": 2}, None),
        (Answer(text=GOOD, input_tokens=9, output_tokens=9), {"input": 0, "output": 0}, 0.0),
    ],
)
def test_cost_comes_from_the_server_or_the_price(
    make_caller: MakeCaller, answer: Answer, price: Any, cost: float | None
) -> None:
    """What the server names counts; else the price, and nothing where one part is unknown."""
    outcome = run(Scripted(answer), make_caller, a_model(price=price))
    assert outcome.attempt.cost == cost


def test_row_says_what_the_server_said(make_caller: MakeCaller) -> None:
    """Tokens, thinking, finish and the model that really answered are recorded as reported."""
    answer = Answer(
        text=GOOD, finish_reason="stop", input_tokens=10, output_tokens=50, thinking_tokens=40,
        model_id="scripted-1-2026",
    )  # fmt: skip
    row = run(Scripted(answer), make_caller).attempt
    assert (row.input_tokens, row.output_tokens, row.thinking_tokens) == (10, 50, 40)
    assert (row.finish_reason, row.reported_model) == ("stop", "scripted-1-2026")
    assert (row.model, row.model_id, row.source) == ("scripted", "scripted-1", Source.network)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConfigError("scripted: the class is missing"), "scripted: the class is missing"),
        (ImportError(f"no module {KEY}"), "its provider cannot be created: ImportError: no module"),
    ],
)
def test_provider_that_cannot_be_made_is_a_failure_and_costs_nothing(
    make_caller: MakeCaller, error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call fails with the reason, its fallback is asked, and others are not touched."""
    monkeypatch.setenv("SOME_KEY", KEY)

    class Missing(dict[str, Provider]):
        def __missing__(self, name: str) -> Provider:
            raise error

    ledger = Ledger()
    caller = make_caller(a_model(), a_model(name="other"))
    outcome = virtual_time.run(put_call(Missing(other=Scripted(GOOD)), caller, ledger=ledger))
    first, second = caller.observer.attempts  # type: ignore[attr-defined]
    assert first.failure_kind is K.configuration
    assert message in first.failure_message
    assert KEY not in first.failure_message
    assert (second.fallback, outcome.failure) == (True, None)
    assert ledger.spent.calls == 1


STEPS: list[Step] = [
    GOOD,
    '{"name": 3}',
    "",
    1e9,
    Answer(text=GOOD),
    Answer(text=GOOD, input_tokens=1, output_tokens=2, cost=0.5),
    Answer(text="no", finish_reason="refusal", input_tokens=1, output_tokens=1),
    ProviderError(K.server, "it broke"),
    ProviderError(K.server, "it broke", billed=True),
    ProviderError(K.configuration, "wrong key"),
]


class Slow(Scripted):
    """Takes a second for everything, as a real server takes some time."""

    async def send(self, request: Request) -> Answer:
        """Wait and do what the script says."""
        await asyncio.sleep(1)
        return await super().send(request)


@settings(deadline=None)
@given(
    script=st.lists(st.sampled_from(range(len(STEPS))), min_size=1, max_size=5),
    cap=st.none() | st.integers(0, 3),
)
def test_next_session_charges_what_this_one_spent(
    script: list[int], cap: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From the reservations and the journal a new session computes the very sum of this ledger."""
    path = tmp_path_factory.mktemp("spent") / "attempts.jsonl"
    reserved: list[Row] = []
    ledger = Ledger(Caps(calls=cap))
    caller = Caller(
        cell="silo", plan="silo", repeat=0, seed=1, models=(a_model(max_attempts=4),),
        journal=FileJournal(path), observer=RecordingObserver(), log=reserved.append,
    )  # fmt: skip
    virtual_time.run(put_call(Slow(*(STEPS[n] for n in script)), caller, ledger=ledger))
    charged = spent_before(reserved, read_attempts(path))
    assert (charged.calls, charged.tokens) == (ledger.spent.calls, ledger.spent.tokens)
    assert charged.dollars == pytest.approx(ledger.spent.dollars)
