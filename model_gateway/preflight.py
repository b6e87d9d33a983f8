"""The last check before money is spent: does every model have a key, and its server answer?"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from model_gateway.blame import STOPPING
from model_gateway.call import Failure, FailureKind
from model_gateway.config import Model
from model_gateway.errors import GatewayError
from model_gateway.exits import say
from model_gateway.gateway import Gateway
from model_gateway.ping import ping
from model_gateway.ping_journal import PingJournal

_TRANSIENT = {FailureKind.connection, FailureKind.timeout, FailureKind.server}
_LASTING = {
    FailureKind.configuration,
    FailureKind.access,
    FailureKind.model_not_found,
    FailureKind.out_of_memory,
    *STOPPING,
}

# A server that only wants a larger bound than that of a ping answers, and steps ask for more.
_WANTS_MORE_TOKENS = re.compile(
    r"max_?(completion_|output_)?tokens.{0,60}(at least|minimum|greater than or equal)",
    re.IGNORECASE,
)


async def check_models(
    gateway: Gateway, chains: Iterable[Sequence[Model]], journal: PingJournal
) -> None:
    """Ask every model for a token, side by side; `journal` records the cost.

    Each of `chains` is a model and those that are asked when it fails. An empty answer counts as
    one. A model that does not answer just now may be used if it answered within the last hour, or
    if another of its chain answers. Embedded models are not asked.

    Raises:
        OSError: the data repo cannot be written.
        GatewayError: no model of a chain has a key and answers; all such models are named.
    """
    listed = [list({model.name: model for model in chain}.values()) for chain in chains]
    failures = await _failures(gateway, listed, journal)
    notes: dict[str, None] = {}
    hopeless = [chain for chain in listed if all(model.name in failures for model in chain)]
    # Where a day's calls are used up, the cells of other models need not wait for tomorrow.
    refused = [chain for chain in hopeless if failures[chain[0].name].kind not in STOPPING]
    if refused or (hopeless and len(hopeless) == len(listed)):
        names = dict.fromkeys(model.name for chain in hopeless for model in chain)
        lines = [f"{name}: {failures[name]}" for name in names]
        raise GatewayError(
            "Not every model can be used, so nothing was started:\n  " + "\n  ".join(lines)
        )
    for first, *others in listed:
        for note in _notes(first, others, failures):
            notes[note] = None
    if any(len(chain) > 1 for chain in listed):
        notes |= dict.fromkeys(f"{c[0].name} has no fallback." for c in listed if len(c) == 1)
    for note in notes:
        say(note)


def _notes(first: Model, others: Sequence[Model], failures: Mapping[str, Failure]) -> Iterator[str]:
    """Yield what a user should know of a chain that can be used in part, or only later."""
    answering = [model.name for model in others if model.name not in failures]
    failure = failures.get(first.name)
    if failure is None:
        for model in others if not answering else ():
            why = failures[model.name]
            yield f"{first.name} has no fallback: {model.name} cannot be used: {why}"
    elif answering:
        yield (
            f"{first.name} cannot be used: {_ended(failure)} {answering[0]} is asked in its place; "
            "what it answers is marked, and is never evidence."
        )
    else:
        yield f"{first.name} gets no call: {_ended(failure)} Its cells stay open."


def _ended(failure: Failure) -> str:
    """Return a failure as a sentence; a server's own words may end with a period."""
    return f"{failure}".rstrip(".") + "."


async def _failures(
    gateway: Gateway, chains: Sequence[Sequence[Model]], journal: PingJournal
) -> Mapping[str, Failure]:
    """Return why models cannot be used, by name."""
    remote = list({m.name: m for chain in chains for m in chain if not m.is_embedded}.values())
    notes = [journal.begin() for _ in remote]
    pings = (
        ping(gateway, model, observer=note, log=note.log)
        for model, note in zip(remote, notes, strict=True)
    )
    failures = {}
    for model, outcome in zip(remote, await asyncio.gather(*pings), strict=True):
        failure = outcome.failure
        if failure is None or failure.kind not in _TRANSIENT | _LASTING:
            continue
        if failure.kind is FailureKind.configuration and _WANTS_MORE_TOKENS.search(f"{failure}"):
            continue
        if failure.kind in _TRANSIENT and gateway.availability.replied_lately(model):
            say(f"{model.name} does not answer just now ({failure}), but did within the last hour.")
            continue
        failures[model.name] = failure
    return failures
