"""The last check before money is spent: does every model have a key, and its server answer?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.errors import GatewayError
from model_gateway.gateway import Gateway
from model_gateway.ping import ping
from model_gateway.ping_journal import PingJournal

_UNREACHABLE = {
    FailureKind.configuration,
    FailureKind.connection,
    FailureKind.timeout,
    FailureKind.server,
}


async def check_models(gateway: Gateway, models: Iterable[Model], journal: PingJournal) -> None:
    """Ask every model for one token, side by side; `journal` records the cost.

    An empty answer counts as one. Embedded models are not asked.

    Raises:
        OSError: the data repo cannot be written.
        GatewayError: a model has no key, or does not answer; all such models are named.
    """
    remote = [model for model in models if not model.is_embedded]
    notes = [journal.begin() for _ in remote]
    pings = (
        ping(gateway, model, observer=note, log=note.log)
        for model, note in zip(remote, notes, strict=True)
    )
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
