"""A ping asks for a few tokens, and distinguishes an answer from silence."""

from __future__ import annotations

import asyncio

import pytest

from model_gateway.attempts import CallOutcome
from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.gateway import Gateway
from model_gateway.ledger import Caps, Ledger
from model_gateway.ping import ping
from model_gateway.provider import Answer, ProviderError
from tests.model_gateway import virtual_time
from tests.model_gateway.conftest import RecordingObserver, Scripted, Step, a_model, built_from


def pinged(
    provider: Scripted, model: Model, ledger: Ledger | None = None
) -> tuple[CallOutcome, RecordingObserver]:
    """Ping a model; return what came of it and what an observer heard."""

    async def scenario() -> tuple[CallOutcome, RecordingObserver]:
        heard = RecordingObserver()
        async with Gateway(build=built_from(provider), ledger=ledger) as gateway:
            return await ping(gateway, model, observer=heard), heard

    return virtual_time.run(scenario())


def test_a_few_tokens_are_asked_for() -> None:
    """Some servers refuse a bound below sixteen, and somebody hears of the request."""
    provider = Scripted("1")
    outcome, heard = pinged(provider, a_model())
    [request] = provider.requests
    assert (request.max_output_tokens, request.schema) == (16, None)
    assert outcome.failure is None
    assert [attempt.cell for attempt in heard.attempts] == ["ping"]


BROKEN = ProviderError(FailureKind.server, "it broke")


@pytest.mark.parametrize("failures", [1, 2])
def test_transient_failure_is_tried_again(failures: int) -> None:
    """A model is not refused because its server is overloaded for a moment."""
    provider = Scripted(*[BROKEN] * failures, "1")
    outcome, heard = pinged(provider, a_model(max_attempts=1))
    assert outcome.failure is None
    assert len(heard.attempts) == failures + 1


def test_three_tries_are_enough() -> None:
    """However many attempts the entry allows."""
    provider = Scripted(BROKEN)
    outcome, _ = pinged(provider, a_model(max_attempts=9))
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.server
    assert len(provider.requests) == 3


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (ProviderError(FailureKind.access, "no"), FailureKind.access),
        (ProviderError(FailureKind.no_credit, "no"), FailureKind.no_credit),
        (ProviderError(FailureKind.rate_limit, "wait", retry_after=90), FailureKind.rate_limit),
        ("", FailureKind.empty),
        (Answer(text="", finish_reason="refusal"), FailureKind.refused),
    ],
    ids=lambda part: part if isinstance(part, FailureKind) else "",
)
def test_what_will_not_pass_is_not_tried_again(step: Step, kind: FailureKind) -> None:
    """Nor what is an answer, nor what asks for patience."""
    provider = Scripted(step)
    outcome, _ = pinged(provider, a_model(max_attempts=5))
    assert outcome.failure is not None
    assert outcome.failure.kind is kind
    assert len(provider.requests) == 1


@pytest.mark.parametrize(("entry", "seconds"), [(5.0, 5.0), (600.0, 60.0)])
def test_silence_ends_with_the_entrys_time_or_a_minute(entry: float, seconds: float) -> None:
    """A server that never answers is given up after the shorter of the two."""
    outcome, _ = pinged(Scripted(1e6), a_model(attempt_seconds=entry, deadline_seconds=1e5))
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.timeout
    assert outcome.attempt.seconds == pytest.approx(seconds)


def test_ping_counts_against_the_caps() -> None:
    """Without room in the budget not even a ping is sent."""
    provider = Scripted("1")
    outcome, _ = pinged(provider, a_model(), Ledger(Caps(calls=0)))
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.budget
    assert provider.requests == []


def test_nobody_has_to_watch() -> None:
    """Without an observer a ping is as good."""

    async def scenario() -> CallOutcome:
        async with Gateway(build=built_from(Scripted("1"))) as gateway:
            return await ping(gateway, a_model())

    assert asyncio.run(scenario()).failure is None


def test_ping_is_recorded_before_it_is_sent() -> None:
    """A command that is killed meanwhile finds the reservation in the next session."""
    seen: list[tuple[int, dict[str, object]]] = []
    provider = Scripted("1")

    async def scenario() -> None:
        async with Gateway(build=built_from(provider)) as gateway:
            await ping(gateway, a_model(), log=lambda r: seen.append((len(provider.requests), r)))

    virtual_time.run(scenario())
    [(requests, row)] = seen
    assert requests == 0
    assert row["tokens"] == 1 + 16 + 256
