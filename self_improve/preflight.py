"""The last look before money is spent: is every model's key there, and does its server answer?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.attempts import Question
from model_gateway.call import Failure, FailureKind
from model_gateway.config import Model
from model_gateway.exchange import Asker
from model_gateway.gateway import Gateway
from model_gateway.journal import NoJournal
from model_gateway.ledger import Spend
from self_improve.errors import UsageError

_EMBEDDED = {"simulated", "recorded"}
_SECONDS = 30.0
_UNREACHABLE = {
    FailureKind.configuration,
    FailureKind.connection,
    FailureKind.timeout,
    FailureKind.server,
}


class _Ear:
    """Adds up what a ping came to."""

    def __init__(self) -> None:
        self.spend = Spend()

    def attempted(self, attempt: Attempt, *, replayed: bool) -> None:  # noqa: ARG002
        tokens = (attempt.input_tokens or 0) + (attempt.output_tokens or 0)
        self.spend += Spend(calls=1, tokens=tokens, dollars=attempt.cost or 0.0)

    def waiting(self, *, now: bool) -> None:
        pass


async def ping(gateway: Gateway, models: Iterable[Model]) -> dict[str, Spend]:
    """Ask every model for one token, side by side; return what that came to, by model.

    An empty answer is an answer. Embedded models need no asking.

    Raises:
        UsageError: a model has no key, or does not answer; all of them are named.
    """
    asked = [model for model in models if model.provider not in _EMBEDDED]
    results = await asyncio.gather(*(_ping(gateway, model) for model in asked))
    problems = [
        f"{model.name}: {failure}"
        for model, (failure, _) in zip(asked, results, strict=True)
        if failure is not None and failure.kind in _UNREACHABLE
    ]
    if problems:
        raise UsageError(
            "Not every model can be used, so nothing was started:\n  " + "\n  ".join(problems)
        )
    return {model.name: ear.spend for model, (_, ear) in zip(asked, results, strict=True)}


async def _ping(gateway: Gateway, model: Model) -> tuple[Failure | None, _Ear]:
    ear = _Ear()
    values: dict[str, Any] = {
        "max_attempts": 1,
        "attempt_seconds": min(_SECONDS, model.attempt_seconds),
    }
    asker = Asker(
        cell="preflight", plan="", repeat=0, seed=0, models=(model.model_copy(update=values),),
        journal=NoJournal(), observer=ear,
    )  # fmt: skip
    question = Question(
        key="ping", messages=[{"role": "user", "content": "1"}], max_output_tokens=1
    )
    outcome = await gateway.answer(question, asker)
    return outcome.failure, ear
