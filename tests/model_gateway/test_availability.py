"""Which models get no further call, and which have answered within the last hour."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from model_gateway.attempts import CallOutcome
from model_gateway.availability import LATELY_SECONDS, Availability
from model_gateway.call import Failure, FailureKind
from model_gateway.config import Model
from model_gateway.door import Question
from model_gateway.exchange import Caller, NoObserver
from model_gateway.gateway import Gateway
from model_gateway.journal import NoJournal
from model_gateway.provider import ProviderError
from tests.model_gateway import virtual_time
from tests.model_gateway.conftest import Scripted, Step, a_model, built_from

REFUSED = ProviderError(FailureKind.connection, "cannot connect")
BROKE_OFF = ProviderError(FailureKind.connection, "the connection broke", billed=True)


def asked(
    provider: Scripted, *models: Model, calls: int = 2, availability: Availability | None = None
) -> list[CallOutcome]:
    """Put several questions to models, one after the other."""

    async def scenario() -> list[CallOutcome]:
        outcomes = []
        async with Gateway(build=built_from(provider), availability=availability) as gateway:
            for number in range(calls):
                caller = Caller(
                    cell=f"c{number}", plan="p", repeat=0, seed=1, models=models,
                    journal=NoJournal(), observer=NoObserver(),
                )  # fmt: skip
                messages = [{"role": "user", "content": "x"}]
                outcomes.append(await gateway.answer(Question(key="k", messages=messages), caller))
        return outcomes

    return virtual_time.run(scenario())


@pytest.mark.parametrize(
    "failure",
    [
        ProviderError(FailureKind.daily_limit, "tomorrow"),
        ProviderError(FailureKind.no_credit, "pay"),
        ProviderError(FailureKind.rate_limit, "later", retry_after=600),
        ProviderError(FailureKind.server, "down for repairs", retry_after=600),
    ],
    ids=lambda failure: str(failure.kind),
)
def test_what_will_not_pass_in_time_stops_the_model_at_once(failure: ProviderError) -> None:
    """One request finds it out; no further one is sent, and every call says why."""
    provider = Scripted(failure)
    first, second = asked(provider, a_model(deadline_seconds=300))
    assert len(provider.requests) == 1
    assert first.failure == second.failure == Failure(kind=failure.kind, message=failure.message)
    assert second.attempt.source == "none"


@pytest.mark.parametrize(
    "script",
    [
        [ProviderError(FailureKind.rate_limit, "slow down", retry_after=1), "1"],
        [ProviderError(FailureKind.rate_limit, "slow down", retry_after=200), "1"],
        [*[ProviderError(FailureKind.server, "oh")] * 3, "1"],
        [*[BROKE_OFF] * 3, "1"],
        [REFUSED, "1"],
        [ProviderError(FailureKind.access, "no"), "1"],
    ],
    ids=["a second", "minutes", "an error", "broken off", "a refused connection", "a key"],
)
def test_what_passes_does_not_stop_the_model(script: list[Step]) -> None:
    """The next call is sent, and answered."""
    outcomes = asked(Scripted(*script), a_model(max_attempts=3, deadline_seconds=300), calls=3)
    assert outcomes[-1].failure is None


def test_nothing_listens_there() -> None:
    """A whole call that reached no server is enough: each further cell would find out as slowly."""
    provider = Scripted(REFUSED)
    outcomes = asked(provider, a_model(max_attempts=3), calls=3)
    assert len(provider.requests) == 3
    assert [one.failure and one.failure.kind for one in outcomes] == [FailureKind.connection] * 3


def test_fallback_answers_for_a_stopped_model() -> None:
    """Only the first of the two models gets no further call."""
    provider = Scripted(ProviderError(FailureKind.no_credit, "pay"), "1")
    outcomes = asked(provider, a_model(), a_model(name="other"), calls=3)
    assert [one.failure for one in outcomes] == [None, None, None]
    assert len(provider.requests) == 4


def test_an_answer_is_remembered_for_an_hour(tmp_path: Path) -> None:
    """By later commands, too, and only for the same server and model."""
    assert not Availability(tmp_path).replied_lately(a_model())
    asked(Scripted("1"), a_model(), calls=1, availability=Availability(tmp_path))
    later = Availability(tmp_path)
    assert later.replied_lately(a_model(name="another-name"))
    assert not later.replied_lately(a_model(model_id="other"))
    assert not later.replied_lately(a_model(base_url="http://other.example"))
    [file] = tmp_path.iterdir()
    then = time.time() - LATELY_SECONDS - 1
    os.utime(file, (then, then))
    assert not later.replied_lately(a_model())


def test_failures_are_no_answers(tmp_path: Path) -> None:
    """A server that only reports errors has not shown that its model works."""
    asked(Scripted(BROKE_OFF), a_model(), availability=Availability(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    """Only the memory is lost."""
    place = tmp_path / "file"
    place.write_text("")
    [outcome] = asked(Scripted("1"), a_model(), calls=1, availability=Availability(place / "x"))
    assert outcome.failure is None
