"""A ping asks once for one token, and distinguishes an answer from silence."""

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


def test_one_token_is_asked_for_once() -> None:
    """The request is as small as can be and bounded by one token, and somebody hears of it."""
    provider = Scripted("1")
    outcome, heard = pinged(provider, a_model())
    [request] = provider.requests
    assert (request.max_output_tokens, request.schema) == (1, None)
    assert outcome.failure is None
    assert [attempt.cell for attempt in heard.attempts] == ["ping"]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (ProviderError(FailureKind.server, "it broke"), FailureKind.server),
        (ProviderError(FailureKind.rate_limit, "slow down", retry_after=1), FailureKind.rate_limit),
        ("", FailureKind.empty),
        (Answer(text="", finish_reason="refusal"), FailureKind.refused),
    ],
    ids=lambda part: part if isinstance(part, FailureKind) else "",
)
def test_nothing_is_tried_again(step: Step, kind: FailureKind) -> None:
    """A failure is the result, however many attempts the entry allows."""
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
    assert row["tokens"] == 1 + 1 + 256
