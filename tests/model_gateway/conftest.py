"""A scripted provider and a gateway around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from model_gateway.attempt import Attempt
from model_gateway.call import Source
from model_gateway.config import Model, Price
from model_gateway.exchange import Caller
from model_gateway.journal import FileJournal
from model_gateway.provider import Answer, Provider, ProviderError, Request

Step = str | Answer | ProviderError | float
"""What to do with one request: a text or answer to give, an error to raise, seconds to wait."""


class Fruit(BaseModel):
    """What the scripted model is asked for."""

    name: str
    seeds: list[int]


class Scripted:
    """Answers requests from a script, in order; the last entry is repeated.

    `begun` is set when there is a request.
    """

    source = Source.network

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.requests: list[Request] = []
        self.begun = asyncio.Event()

    async def send(self, request: Request) -> Answer:
        """Do what the script says for this request."""
        self.begun.set()
        self.requests.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, float):
            await asyncio.sleep(step)
            step = "{}"
        if isinstance(step, ProviderError):
            raise step
        if isinstance(step, Answer):
            return step
        return Answer(text=step, finish_reason="stop", input_tokens=10, output_tokens=5)

    async def close(self) -> None:
        """Nothing to close."""


class RecordingObserver:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.replayed: list[bool] = []

    def attempted(self, attempt: Attempt, *, replayed: bool) -> None:
        """Keep the attempt."""
        self.attempts.append(attempt)
        self.replayed.append(replayed)

    def waiting(self, *, now: bool) -> None:
        """Pass over it."""


def a_model(**changes: Any) -> Model:
    """Return an entry for the scripted provider."""
    values: dict[str, Any] = {
        "name": "scripted",
        "provider": "scripted",
        "model_id": "scripted-1",
        "price": Price(input=1.0, output=2.0),
        "max_attempts": 3,
    }
    return Model.model_validate({**values, **changes})


MakeCaller = Callable[..., Caller]


@pytest.fixture
def make_caller(tmp_path: Path) -> MakeCaller:
    """Return a maker of callers whose journal is in the test's directory."""

    def make(*models: Model, **changes: Any) -> Caller:
        values: dict[str, Any] = {
            "cell": "silo",
            "plan": "silo",
            "repeat": 0,
            "seed": 1,
            "models": models or (a_model(),),
            "journal": FileJournal(tmp_path / "attempts.jsonl"),
            "observer": RecordingObserver(),
        }
        return Caller(**{**values, **changes})

    return make


def built_from(provider: Provider) -> Callable[[Model], Provider]:
    """Return a builder that gives the same provider for every model."""
    return lambda _: provider
