"""The last check before money is spent: does every model have a key, and its server answer?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.errors import GatewayError
from model_gateway.gateway import Gateway
from model_gateway.ledger import Spend
from model_gateway.ping import ping

_UNREACHABLE = {
    FailureKind.configuration,
    FailureKind.connection,
    FailureKind.timeout,
    FailureKind.server,
}


class _Meter:
    """Adds up the cost of a ping."""

    def __init__(self) -> None:
        self.spend = Spend()

    def attempted(self, attempt: Attempt, *, replayed: bool) -> None:  # noqa: ARG002
        tokens = (attempt.input_tokens or 0) + (attempt.output_tokens or 0)
        self.spend += Spend(calls=1, tokens=tokens, dollars=attempt.cost or 0.0)

    def waiting(self, *, now: bool) -> None:
        pass


def reservation(ping: Spend) -> dict[str, Any]:
    """Return the row of a log of reservations by which later sessions count a ping as spent."""
    identity = {"cell": "preflight", "at": datetime.now(UTC).isoformat()}
    return {"reserved": identity, "tokens": ping.tokens, "dollars": ping.dollars}


async def check_models(gateway: Gateway, models: Iterable[Model]) -> dict[str, Spend]:
    """Ask every model for one token, side by side; return what that cost, by model.

    An empty answer counts as one. Embedded models are not asked.

    Raises:
        GatewayError: a model has no key, or does not answer; all such models are named.
    """
    remote = [model for model in models if not model.is_embedded]
    meters = [_Meter() for _ in remote]
    pings = (ping(gateway, m, observer=meter) for m, meter in zip(remote, meters, strict=True))
    failures = [outcome.failure for outcome in await asyncio.gather(*pings)]
    problems = [
        f"{model.name}: {failure}"
        for model, failure in zip(remote, failures, strict=True)
        if failure is not None and failure.kind in _UNREACHABLE
    ]
    if problems:
        raise GatewayError(
            "Not every model can be used, so nothing was started:\n  " + "\n  ".join(problems)
        )
    return {model.name: meter.spend for model, meter in zip(remote, meters, strict=True)}
