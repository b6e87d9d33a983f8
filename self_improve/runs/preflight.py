"""The last look before money is spent: is every model's key there, and does its server answer?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from model_gateway.attempt import Attempt
from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.gateway import Gateway
from model_gateway.ledger import Spend
from model_gateway.ping import ping
from self_improve.errors import UsageError

_EMBEDDED = {"simulated", "recorded"}
_UNREACHABLE = {
    FailureKind.configuration,
    FailureKind.connection,
    FailureKind.timeout,
    FailureKind.server,
}


class _Meter:
    """Adds up what a ping came to."""

    def __init__(self) -> None:
        self.spend = Spend()

    def attempted(self, attempt: Attempt, *, replayed: bool) -> None:  # noqa: ARG002
        tokens = (attempt.input_tokens or 0) + (attempt.output_tokens or 0)
        self.spend += Spend(calls=1, tokens=tokens, dollars=attempt.cost or 0.0)

    def waiting(self, *, now: bool) -> None:
        pass


async def check_models(gateway: Gateway, models: Iterable[Model]) -> dict[str, Spend]:
    """Ask every model for one token, side by side; return what that came to, by model.

    An empty answer is an answer. Embedded models need no asking.

    Raises:
        UsageError: a model has no key, or does not answer; all of them are named.
    """
    asked = [model for model in models if model.provider not in _EMBEDDED]
    ears = [_Meter() for _ in asked]
    pings = (ping(gateway, m, observer=ear) for m, ear in zip(asked, ears, strict=True))
    failures = [outcome.failure for outcome in await asyncio.gather(*pings)]
    problems = [
        f"{model.name}: {failure}"
        for model, failure in zip(asked, failures, strict=True)
        if failure is not None and failure.kind in _UNREACHABLE
    ]
    if problems:
        raise UsageError(
            "Not every model can be used, so nothing was started:\n  " + "\n  ".join(problems)
        )
    return {model.name: ear.spend for model, ear in zip(asked, ears, strict=True)}
