"""One exchange with a model: in its turn, paid for, in time, or answered from the cache."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from model_gateway.answers import cleaned, fault_of
from model_gateway.attempt import Attempt, digest_of
from model_gateway.availability import Availability
from model_gateway.cache import Cache
from model_gateway.call import Failure, FailureKind, Source
from model_gateway.config import Model
from model_gateway.errors import BudgetReached, ConfigError
from model_gateway.journal import Journal
from model_gateway.keys import Redactor
from model_gateway.ledger import Ledger, Log, Spend
from model_gateway.limits import Limits
from model_gateway.provider import Answer, Provider, ProviderError, Request

# Chat templates add up to about 200 tokens, which counts where the prompt is short.
_SLACK_TOKENS = 256


class Observer(Protocol):
    """Receives every attempt when it is recorded, for progress and for the cell's account."""

    def attempted(self, attempt: Attempt, *, replayed: bool) -> None:
        """Take note of `attempt`; `replayed` ones come from the journal and cost nothing now."""
        ...

    def waiting(self, *, now: bool) -> None:
        """Take note that a call begins to wait for its turn, or no longer waits."""
        ...


class NoObserver:
    """Takes no note of anything; the journal has every attempt."""

    def attempted(self, attempt: Attempt, *, replayed: bool) -> None:
        """Do nothing."""

    def waiting(self, *, now: bool) -> None:
        """Do nothing."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whose calls these are: one cell, with its models (fallbacks after the first).

    A hasty one wants to know whether a model answers at all: a bad reply is one, and minutes are
    too long to wait.
    """

    cell: str
    plan: str
    repeat: int
    seed: int
    models: tuple[Model, ...]
    journal: Journal
    observer: Observer
    log: Log | None = None
    cache: Cache | None = None
    hasty: bool = False


@dataclass(frozen=True, kw_only=True)
class CallDesk:
    """What all calls of a gateway share."""

    ledger: Ledger
    redact: Redactor
    provider: Callable[[Model], Awaitable[Provider]]
    limits: Callable[[Model], Limits]
    availability: Availability


@dataclass(frozen=True, kw_only=True)
class ExchangeResult:
    """The result of one exchange, before the asking side has parsed the reply.

    `seconds` is the time between sending and the whole reply; `billed` says that money may have
    been spent although no reply came.
    """

    answer: Answer | None = None
    failure: Failure | None = None
    source: Source = Source.network
    started: str
    seconds: float = 0.0
    cost: float | None = 0.0
    cost_by_price: float | None = None
    retry_after: float | None = None
    billed: bool = False


def now() -> str:
    """Return the time as an ISO 8601 string in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


async def exchange(
    request: Request,
    *,
    model: Model,
    caller: Caller,
    desk: CallDesk,
    seconds_left: float,
    sent: asyncio.Event,
) -> ExchangeResult:
    """Get an answer from the cache or the provider; what goes wrong is part of the result.

    `sent` is set before the request goes out: from then on it may have cost money.
    """
    closed = desk.availability.closed(model)
    if closed is not None:
        return _never_sent(closed.kind, closed.message)
    missing = model.missing()
    if missing is not None:
        return _never_sent(FailureKind.access, missing)
    try:
        provider = await desk.provider(model)
    except ConfigError as error:
        return _never_sent(FailureKind.configuration, desk.redact(str(error)))
    except ProviderError as error:  # Its server could not be started.
        return _never_sent(error.kind, desk.redact(error.message))
    except Exception as error:  # noqa: BLE001 - an SDK may raise anything when it is imported
        message = f"{model.name}: its provider cannot be created: {type(error).__name__}: {error}"
        return _never_sent(FailureKind.configuration, desk.redact(message))
    digest = _cache_digest(request, model) if caller.cache is not None else ""
    if caller.cache is not None and (answer := caller.cache.get(digest)) is not None:
        answer = await cleaned(answer, desk.redact)
        return ExchangeResult(
            answer=answer, failure=fault_of(answer), source=Source.cache, started=now()
        )
    worst = _worst_case(request, model)
    priced = model.price is not None
    async with _in_turn(desk.limits(model), worst.tokens, caller.observer):
        try:
            reservation = await desk.ledger.reserve(
                worst, log=caller.log, cell=caller.cell, key=request.origin.key,
                repeat=caller.repeat, number=request.origin.number, model=model.name,
                priced=priced,
            )  # fmt: skip
        except BudgetReached as error:
            return _never_sent(FailureKind.budget, desk.redact(str(error)))
        sent.set()
        actual: Spend | None = None
        try:
            result = await _send(request, provider, model, desk, seconds_left)
            actual = spend_of(result, worst)
        finally:
            await asyncio.shield(desk.ledger.settle(reservation, actual))
    if result.answer is not None and result.failure is None and caller.cache is not None:
        caller.cache.put(digest, result.answer)
    return result


@asynccontextmanager
async def _in_turn(limits: Limits, tokens: int, observer: Observer) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        observer.waiting(now=True)
        try:
            await stack.enter_async_context(limits.slot(tokens))
        finally:
            observer.waiting(now=False)
        yield


def spend_of(result: ExchangeResult, worst: Spend) -> Spend | None:
    """Return what an exchange cost, or None if that is unknown.

    Where the tokens are known but not the price, the dollars are the worst case's.
    """
    if result.answer is None:
        return None if result.billed else Spend(calls=1)
    if result.answer.input_tokens is None or result.answer.output_tokens is None:
        # Without a report the reservation stands, or more if the server names a higher cost.
        dollars = max(worst.dollars, result.cost or 0.0)
        return replace(worst, dollars=dollars) if result.cost else None
    tokens = result.answer.input_tokens + result.answer.output_tokens
    return Spend(
        calls=1, tokens=tokens, dollars=worst.dollars if result.cost is None else result.cost
    )


async def _send(
    request: Request, provider: Provider, model: Model, desk: CallDesk, seconds_left: float
) -> ExchangeResult:
    limit = max(0.001, min(model.attempt_seconds, seconds_left))
    blank = ExchangeResult(source=provider.source, started=now())
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        async with asyncio.timeout(limit):
            answer = await provider.send(request)
        answer = await cleaned(answer, desk.redact)
        by_price = _cost_by_price(answer, model)
        result = replace(
            blank, answer=answer, failure=fault_of(answer), cost=_billed(answer, by_price),
            cost_by_price=by_price,
        )  # fmt: skip
    except TimeoutError:
        failure = Failure(kind=FailureKind.timeout, message=f"no whole reply within {limit:g} s")
        result = replace(blank, failure=failure, cost=None, billed=True)
    except ProviderError as error:
        result = replace(
            blank,
            failure=Failure(kind=error.kind, message=desk.redact(error.message)),
            cost=None if error.billed else 0.0,
            billed=error.billed,
            retry_after=error.retry_after,
        )
    except Exception as error:  # noqa: BLE001 - a fault of a provider is this attempt's alone
        message = f"the provider failed: {type(error).__name__}: {error}"
        failure = Failure(kind=FailureKind.configuration, message=desk.redact(message))
        result = replace(blank, failure=failure, cost=None, billed=True)
    return replace(result, seconds=clock() - began)


def failed_inside(error: Exception, redact: Redactor, *, sent: bool) -> ExchangeResult:
    """Return the result of an attempt that met an error of ours, which is that attempt's alone."""
    message = f"the gateway could not make the call: {type(error).__name__}: {error}"
    failure = Failure(kind=FailureKind.configuration, message=redact(message))
    source = Source.network if sent else Source.none
    return ExchangeResult(
        failure=failure, source=source, started=now(), cost=None if sent else 0.0, billed=sent
    )


def _never_sent(kind: FailureKind, message: str) -> ExchangeResult:
    failure = Failure(kind=kind, message=message)
    return ExchangeResult(failure=failure, source=Source.none, started=now())


def _billed(answer: Answer, by_price: float | None) -> float | None:
    """Return the cost that the server reports, or else what its tokens cost by the entry's price.

    A cost of nothing is not believed for tokens that have a price or that nobody counted.
    """
    counted = answer.input_tokens is not None and answer.output_tokens is not None
    if answer.cost is not None and (answer.cost > 0 or (counted and not by_price)):
        return answer.cost
    return by_price


def _cost_by_price(answer: Answer, model: Model) -> float | None:
    if answer.input_tokens is None or answer.output_tokens is None or model.price is None:
        return None
    return model.price.of(
        answer.input_tokens, answer.output_tokens, from_cache=answer.cached_input_tokens or 0,
        to_cache=answer.cache_write_tokens or 0,
    )  # fmt: skip


def _worst_case(request: Request, model: Model) -> Spend:
    """Return bytes counted as tokens, plus the whole output bound, at the model's price."""
    sent = sum(len(m["content"].encode("utf-8", "replace")) for m in request.messages)
    if request.schema is not None:
        sent += len(json.dumps(request.schema))
    tokens_in = sent + _SLACK_TOKENS
    price = model.price
    dollars = price.most(tokens_in, request.max_output_tokens) if price is not None else 0.0
    return Spend(calls=1, tokens=tokens_in + request.max_output_tokens, dollars=dollars)


def _cache_digest(request: Request, model: Model) -> str:
    """Return what identifies a request; the simulation also answers by plan and seed."""
    origin = request.origin
    return digest_of(
        model.provider, model.class_path, model.server, model.model_id, model.reply_options,
        request.messages, request.schema, dict(request.arguments), request.max_output_tokens,
        origin.repeat,
        [origin.plan, origin.call_id, origin.seed, origin.number] if model.is_simulated else None,
    )  # fmt: skip


def attempt_of(
    request: Request, model: Model, caller: Caller, redact: Redactor, *, fallback: bool
) -> Attempt:
    """Return the record of an attempt at `request` that has yet to be made, without keys."""
    return Attempt(
        cell=caller.cell, key=request.origin.key, repeat=caller.repeat,
        number=request.origin.number, model=model.name, model_id=model.model_id,
        provider=model.provider, messages=request.messages, schema=request.schema,
        arguments=redact.value(request.arguments), max_output_tokens=request.max_output_tokens,
        text="", finish_reason=None,
        input_tokens=None, output_tokens=None, thinking_tokens=None, cost=None, started=now(),
        seconds=0.0, status="cancelled", failure_kind=None, failure_message=None,
        source=Source.network, options=redact.value(model.reply_options), fallback=fallback,
    )  # fmt: skip


def completed(attempt: Attempt, result: ExchangeResult) -> Attempt:
    """Return `attempt` with the result of its exchange; its status depends on the parser."""
    answer = result.answer or Answer(text="")
    return replace(
        attempt,
        started=result.started,
        seconds=round(result.seconds, 4),
        cost=result.cost,
        cost_by_price=result.cost_by_price,
        source=result.source,
        text=answer.text,
        finish_reason=answer.finish_reason,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        thinking_tokens=answer.thinking_tokens,
        cached_input_tokens=answer.cached_input_tokens,
        cache_write_tokens=answer.cache_write_tokens,
        reported_model=answer.model_id,
        mended=list(answer.mended),
        reasoning=None if answer.text.strip() else answer.reasoning,
    )
