"""One loop over everything that can go wrong with a call, bounded in number and in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_gateway.attempts import CallOutcome, OfferedReply, ParseResult
from model_gateway.call import Failure, FailureKind
from model_gateway.exchange import Caller
from model_gateway.journal import FileJournal, read_attempts
from model_gateway.ledger import Caps, Ledger, Spend
from model_gateway.provider import Answer, ProviderError, Request
from tests.model_gateway import virtual_time
from tests.model_gateway.conftest import MakeCaller, RecordingObserver, Scripted, Step, a_model
from tests.model_gateway.fruit_calls import ASK, CUT, GOOD, WRONG, put_call, wants_fruit

K = FailureKind
KEY = "sk-live-0123456789abcdef"


def fault(kind: FailureKind, **changes: Any) -> ProviderError:
    """Return an error as a provider raises it."""
    return ProviderError(kind, f"it was {kind}", **changes)


def run(provider: Any, caller: Caller, **how: Any) -> CallOutcome:
    """Put one call on the jumping clock."""
    return virtual_time.run(put_call(provider, caller, **how))


STEPS: dict[str, tuple[Step, FailureKind | None]] = {
    "good": (GOOD, None),
    "wrong": (WRONG, K.schema),
    "prose": ("No.", K.schema),
    "empty": ("", K.empty),
    "cut": (Answer(text='{"na', finish_reason="length"), K.truncated),
    "server": (fault(K.server), K.server),
    "broken": (fault(K.connection, billed=True), K.connection),
    "limited": (fault(K.rate_limit, retry_after=7.0), K.rate_limit),
    "silent": (1e9, K.timeout),
    "declined": (Answer(text="I won't", finish_reason="refusal"), K.refused),
    "unpaid": (fault(K.configuration), K.configuration),
}
FINAL = {K.refused, K.configuration}
SCRIPTS = st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=8)


@settings(deadline=None, max_examples=150)
@given(
    scripts=st.lists(SCRIPTS, min_size=1, max_size=3), bound=st.integers(1, 6),
    deadline=st.integers(10, 200),
)  # fmt: skip
def test_whatever_goes_wrong_the_bounds_hold(
    scripts: list[list[str]], bound: int, deadline: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Number, order, time, money and record of the attempts are right for every script."""
    path = tmp_path_factory.mktemp("talk") / "attempts.jsonl"
    models = [
        a_model(name=f"m{n}", max_attempts=bound if n == 0 else 9, deadline_seconds=deadline)
        for n in range(len(scripts))
    ]
    providers = {
        model.name: Scripted(*(STEPS[name][0] for name in script))
        for model, script in zip(models, scripts, strict=True)
    }
    heard = RecordingObserver()
    ledger = Ledger(Caps(calls=99))
    caller = Caller(
        cell="silo", plan="silo", repeat=0, seed=1, models=tuple(models),
        journal=FileJournal(path), observer=heard,
    )  # fmt: skip

    async def scenario() -> tuple[CallOutcome, float]:
        outcome = await put_call(dict(providers), caller, ledger=ledger)
        return outcome, virtual_time.now()

    outcome, seconds = virtual_time.run(scenario())
    rows = read_attempts(path)
    assert rows == heard.attempts
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert sum(len(provider.requests) for provider in providers.values()) == len(rows) <= bound
    assert outcome.attempt == rows[-1]
    assert all(row.failure_kind is not None for row in rows[:-1])
    assert (outcome.failure is None) is (rows[-1].status in {"ok", "partial"})
    assert [row.fallback for row in rows] == [row.model != "m0" for row in rows]
    for model, script in zip(models, scripts, strict=True):
        kinds = [row.failure_kind for row in rows if row.model == model.name]
        expected = [STEPS[script[min(n, len(script) - 1)]][1] for n in range(len(kinds))]
        assert kinds == expected
        assert not FINAL & set(kinds[:-1])
        assert sum(row.seconds for row in rows if row.model == model.name) <= deadline + 0.1
    assert seconds <= deadline * len({row.model for row in rows}) + 0.1
    assert ledger.reserved == Spend()
    assert ledger.spent.calls == len(rows)


@pytest.mark.parametrize("bound", [1, 2, 5])
def test_transport_and_validation_share_one_bound(make_caller: MakeCaller, bound: int) -> None:
    """Outages and bad replies by turns use up the same number of attempts."""
    provider = Scripted(*(step for _ in range(5) for step in (fault(K.server), WRONG)))
    outcome = run(provider, make_caller(a_model(max_attempts=bound)))
    assert outcome.failure is not None
    assert len(provider.requests) == outcome.attempt.number == bound


@pytest.mark.parametrize("name", ["declined", "unpaid"])
def test_what_is_final_is_not_tried_again(make_caller: MakeCaller, name: str) -> None:
    """A refusal or a wrong setting would only be met again."""
    provider = Scripted(STEPS[name][0], GOOD)
    outcome = run(provider, make_caller())
    assert outcome.failure is not None
    assert outcome.failure.kind is STEPS[name][1]
    assert len(provider.requests) == 1


def test_empty_budget_ends_the_call_and_asks_no_fallback(make_caller: MakeCaller) -> None:
    """Without room under a cap nothing is sent to anybody, and the row says so."""
    provider = Scripted(GOOD)
    caller = make_caller(a_model(), a_model(name="other"))
    outcome = run(provider, caller, ledger=Ledger(Caps(dollars=0)))
    assert outcome.failure is not None
    assert outcome.failure.kind is K.budget
    assert (outcome.attempt.cost, outcome.attempt.seconds, outcome.attempt.status) == (
        0.0, 0.0, "failed",
    )  # fmt: skip
    assert provider.requests == []
    assert caller.observer.attempts == [outcome.attempt]  # type: ignore[attr-defined]


class Clocked(Scripted):
    """Notes when each request came."""

    def __init__(self, *script: Step) -> None:
        super().__init__(*script)
        self.moments: list[float] = []

    async def send(self, request: Request) -> Answer:
        """Note the time and do what the script says."""
        self.moments.append(virtual_time.now())
        return await super().send(request)

    @property
    def pauses(self) -> list[float]:
        """The seconds between requests."""
        return [b - a for a, b in zip(self.moments, self.moments[1:], strict=False)]


def test_retry_after_is_honoured(make_caller: MakeCaller) -> None:
    """The next attempt waits at least as long as the server asked, however long that is."""
    provider = Clocked(fault(K.rate_limit, retry_after=90.0), fault(K.server, retry_after=40), GOOD)
    outcome = run(provider, make_caller(a_model(deadline_seconds=300)))
    assert outcome.failure is None
    assert provider.pauses == [90, 40]


def test_wait_that_the_deadline_forbids_ends_the_call_at_once(make_caller: MakeCaller) -> None:
    """Nobody waits for an attempt that could not be made any more."""
    provider = Clocked(fault(K.rate_limit, retry_after=300.0), GOOD)
    caller = make_caller(a_model(deadline_seconds=300))

    async def scenario() -> tuple[CallOutcome, float]:
        return await put_call(provider, caller), virtual_time.now()

    outcome, seconds = virtual_time.run(scenario())
    assert outcome.failure is not None
    assert outcome.failure.kind is K.rate_limit
    assert (seconds, len(provider.requests)) == (0, 1)


def test_pauses_grow_and_are_scattered(make_caller: MakeCaller) -> None:
    """Between outages the waits double up to half a minute, each at random above its half."""
    provider = Clocked(fault(K.server))
    run(provider, make_caller(a_model(max_attempts=10, deadline_seconds=1000)))
    ceilings = [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert len(provider.pauses) == len(ceilings)
    for pause, ceiling in zip(provider.pauses, ceilings, strict=True):
        assert ceiling / 2 - 1e-6 <= pause <= ceiling + 1e-6
    assert len({round(pause, 6) for pause in provider.pauses[-3:]}) > 1


def test_bad_reply_is_sent_back_without_a_pause(make_caller: MakeCaller) -> None:
    """A model that answered can be asked again at once."""
    provider = Clocked(WRONG, "", GOOD)
    run(provider, make_caller())
    assert provider.pauses == [0, 0]


def test_deadline_cuts_the_attempt_that_is_under_way(make_caller: MakeCaller) -> None:
    """Of a deadline of ten seconds, attempts of four have the third one cut to what is left."""
    provider = Clocked(1e9)
    model = a_model(max_attempts=9, attempt_seconds=4, deadline_seconds=10)
    caller = make_caller(model)

    async def scenario() -> tuple[CallOutcome, float]:
        return await put_call(provider, caller), virtual_time.now()

    outcome, seconds = virtual_time.run(scenario())
    assert outcome.attempt.number == 3
    assert seconds == pytest.approx(10, abs=0.01)


def test_waiting_for_a_turn_does_not_use_up_the_deadline(make_caller: MakeCaller) -> None:
    """A call that waits a minute for its minute's tokens still has all its time."""
    provider = Scripted(5.0, GOOD)
    model = a_model(
        requests_per_minute=1, attempt_seconds=9, deadline_seconds=11, max_attempts=2
    )  # fmt: skip
    outcome = run(provider, make_caller(model))
    assert outcome.failure is None
    assert outcome.attempt.number == 2


def feedback_in(provider: Scripted, number: int) -> list[dict[str, str]]:
    """Return what request `number` said after the question itself."""
    messages = provider.requests[number - 1].messages
    assert messages[: len(ASK)] == ASK
    return messages[len(ASK) :]


def test_problem_is_reported_with_the_reply(make_caller: MakeCaller) -> None:
    """The model sees its own words and what was wrong with them, of the last reply only."""
    provider = Scripted(WRONG, "No.", GOOD)
    run(provider, make_caller())
    mine, theirs = feedback_in(provider, 2)
    assert mine == {"role": "assistant", "content": WRONG}
    assert "name: Input should be a valid string; seeds: Field required" in theirs["content"]
    second, _ = feedback_in(provider, 3)
    assert second["content"] == "No."


def test_outage_between_does_not_lose_the_feedback(make_caller: MakeCaller) -> None:
    """An attempt that got no reply is made again as it was."""
    provider = Scripted(WRONG, fault(K.server), fault(K.connection), GOOD)
    run(provider, make_caller(a_model(max_attempts=4)))
    assert feedback_in(provider, 2) == feedback_in(provider, 3) == feedback_in(provider, 4) != []


def test_truncated_reply_is_asked_to_be_shorter(make_caller: MakeCaller) -> None:
    """A model that ran into its limit gets no feedback on errors it did not make."""
    provider = Scripted(CUT, GOOD)
    run(provider, make_caller())
    assert "shorter" in feedback_in(provider, 2)[1]["content"]


def test_empty_reply_is_simply_asked_again(make_caller: MakeCaller) -> None:
    """There is nothing to tell back of nothing."""
    provider = Scripted(WRONG, "", GOOD)
    run(provider, make_caller())
    assert feedback_in(provider, 3) == []


def test_long_reply_is_not_sent_back_in_full(make_caller: MakeCaller) -> None:
    """Megabytes of nonsense are not paid for a second time."""
    provider = Scripted("x" * 5_000_000, GOOD)
    run(provider, make_caller())
    assert len(feedback_in(provider, 2)[0]["content"]) == 20_000


def test_fallback_is_asked_when_the_first_model_is_through_and_is_marked(
    make_caller: MakeCaller,
) -> None:
    """Each model has its turn within the first one's bound, without hearing of the others."""
    providers = {"a": Scripted(WRONG), "b": Scripted(fault(K.server)), "c": Scripted(GOOD)}
    models = [a_model(name=name, max_attempts=4) for name in providers]
    caller = make_caller(*models)
    outcome = run(providers, caller)
    heard = caller.observer.attempts  # type: ignore[attr-defined]
    assert [(a.model, a.number, a.fallback) for a in heard] == [
        ("a", 1, False), ("a", 2, False), ("b", 3, True), ("c", 4, True),
    ]  # fmt: skip
    assert outcome.failure is None
    assert feedback_in(providers["c"], 1) == []


@pytest.mark.parametrize("name", ["declined", "unpaid", "silent"])
def test_fallback_is_asked_where_trying_again_is_no_use(make_caller: MakeCaller, name: str) -> None:
    """After a refusal, a wrong key or a timeout, another model is asked."""
    providers = {"a": Scripted(STEPS[name][0]), "b": Scripted(GOOD)}
    models = [a_model(name=n, attempt_seconds=5, deadline_seconds=5) for n in providers]
    outcome = run(providers, make_caller(*models))
    assert outcome.failure is None
    assert (outcome.attempt.model, outcome.attempt.number) == ("b", 2)


def test_part_of_a_reply_is_not_kept_while_a_fallback_is_left(make_caller: MakeCaller) -> None:
    """Another model may give the whole; only after the last one is a part better than nothing."""
    providers = {"a": Scripted(CUT), "b": Scripted(CUT)}
    outcome = run(providers, make_caller(*(a_model(name=n, max_attempts=2) for n in providers)))
    assert (outcome.attempt.model, outcome.attempt.status) == ("b", "partial")


def test_more_fallbacks_than_attempts_are_not_all_asked(make_caller: MakeCaller) -> None:
    """The bound is the first model's, also when it is too small for everybody."""
    provider = Scripted(CUT)
    models = [a_model(name=f"m{n}", max_attempts=2) for n in range(4)]
    outcome = run(provider, make_caller(*models))
    assert len(provider.requests) == 2
    assert (outcome.attempt.model, outcome.attempt.status) == ("m1", "partial")


def test_keys_are_taken_out_of_everything(
    make_caller: MakeCaller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key that a model or server repeats reaches no record, no message and no other request."""
    monkeypatch.setenv("SOME_KEY", KEY)
    provider = Scripted(
        f"My key is {KEY}.",
        ProviderError(K.server, f"wrong key {KEY}"),
        f'{{"name": "{KEY}", "seeds": []}}',
    )

    async def talkative(offer: OfferedReply) -> ParseResult:
        verdict = await wants_fruit(offer)
        if verdict.failure is None:
            return verdict
        return ParseResult(
            failure=Failure(kind=verdict.failure.kind, message=f"not {KEY} but fruit")
        )

    outcome = run(provider, make_caller(), parser=talkative, key_variables=("SOME_KEY",))
    assert "[key hidden]" in outcome.attempt.text
    assert KEY not in str([request.messages for request in provider.requests])
    assert KEY not in (tmp_path / "attempts.jsonl").read_text()
    assert "not [key hidden] but fruit" in provider.requests[1].messages[-1]["content"]


def test_schema_is_put_into_the_prompt_of_models_that_need_it(make_caller: MakeCaller) -> None:
    """The first message then ends with the schema, in every attempt, and the row shows it."""
    provider = Scripted(WRONG, GOOD)
    outcome = run(provider, make_caller(a_model(structured="prompt")))
    for request in provider.requests:
        first = request.messages[0]["content"]
        assert first.startswith("Name a fruit.")
        assert '"seeds"' in first
    assert outcome.attempt.messages == provider.requests[1].messages


@pytest.mark.parametrize(
    ("entry", "asked", "sent"),
    [
        ({}, {}, {}),
        ({"sends_seed": True}, {}, {"seed": 1}),
        ({"sends_seed": True, "arguments": {"seed": 5}}, {}, {"seed": 5}),
        ({"arguments": {"temperature": 1}}, {"temperature": 0}, {"temperature": 0}),
        ({"arguments": {"top_p": 1}}, {"temperature": 0}, {"top_p": 1, "temperature": 0}),
    ],
)
def test_arguments_of_the_call_come_before_those_of_the_entry(
    make_caller: MakeCaller, entry: dict[str, Any], asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    """The cell's seed is sent where the entry says so and nothing else sets one."""
    provider = Scripted(GOOD)
    outcome = run(provider, make_caller(a_model(**entry)), arguments=asked)
    assert provider.requests[0].arguments == sent == outcome.attempt.arguments
