"""The one retry loop: counts and bounds everything that can go wrong with a call."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from model_gateway.attempt import Attempt, Message
from model_gateway.blame import STOPPING
from model_gateway.call import Failure, FailureKind, Source
from model_gateway.config import Model
from model_gateway.conversation import feedback_on, folded, with_schema, without_keys
from model_gateway.door import Question
from model_gateway.exchange import (
    CallDesk,
    Caller,
    attempt_of,
    completed,
    exchange,
    failed_inside,
)
from model_gateway.provider import Origin, Request

_FINAL = {
    FailureKind.refused, FailureKind.too_long, FailureKind.configuration, FailureKind.budget,
    FailureKind.access, FailureKind.model_not_found, *STOPPING,
}  # fmt: skip
_TRANSIENT = {
    FailureKind.rate_limit,
    FailureKind.server,
    FailureKind.connection,
    FailureKind.timeout,
    FailureKind.out_of_memory,
}
_FIRST_WAIT = 0.5
_HASTY_WAIT = 10.0
_UNREACHED_SECONDS = 60.0
_LONGEST_WAIT = 30.0


@dataclass(frozen=True, kw_only=True)
class ParseResult:
    """What the asking side read in a reply's text; `mended` names what it mended for that."""

    partial: bool = False
    failure: Failure | None = None
    mended: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OfferedReply:
    """A reply's text, for the asking side to parse.

    `cut_off` says that the length limit was reached, `last` that no further attempt follows, so
    that a part is better than nothing.
    """

    text: str
    model: str
    cut_off: bool
    last: bool


ReplyParser = Callable[[OfferedReply], Awaitable[ParseResult]]


@dataclass(frozen=True, kw_only=True)
class CallOutcome:
    """How a call ended: its last attempt, and why it failed if it did."""

    attempt: Attempt
    failure: Failure | None


async def ask_models(
    question: Question, caller: Caller, desk: CallDesk, parser: ReplyParser
) -> CallOutcome:
    """Put `question` to the caller's models until a reply is good, or the bound is reached.

    The first model's bound on attempts holds over all models and all kinds of failure. Every
    attempt is in the journal before this returns. Each model has its own deadline; waiting for a
    turn does not count against it.
    """
    question = without_keys(question, desk.redact)
    bound = caller.models[0].max_attempts
    count = 0
    for index, model in enumerate(caller.models):
        others = len(caller.models) - 1 - index
        most = max(1, bound - count - others)
        final = not others or count + most >= bound
        attempts = _ModelAttempts(question, caller, desk, model, fallback=index > 0, final=final)
        outcome = await attempts.run(parser, after=count, most=most)
        count = outcome.attempt.number
        if outcome.failure is None or outcome.failure.kind is FailureKind.budget or count >= bound:
            break
    return outcome


class _ModelAttempts:
    """The attempts at one call with one model; `final` says that no other model follows."""

    def __init__(
        self,
        question: Question,
        caller: Caller,
        desk: CallDesk,
        model: Model,
        *,
        fallback: bool,
        final: bool,
    ) -> None:
        self._question = question
        self._caller = caller
        self._desk = desk
        self._model = model
        self._fallback = fallback
        self._final = final
        self._seconds_left = model.deadline_seconds
        self._base = with_schema(question, model)
        if model.folds_system:
            self._base = folded(self._base)
        self._feedback: list[Message] = []

    async def run(self, parser: ReplyParser, *, after: int, most: int) -> CallOutcome:
        """Make at most `most` attempts, numbered from `after` + 1."""
        availability, hasty = self._desk.availability, self._caller.hasty
        heard, is_reached = availability.heard(self._model), False
        for number in range(after + 1, after + most + 1):
            last = number == after + most
            attempt, retry_after = await self._attempt(number, parser, last=last)
            if attempt.failure_kind is None:
                return CallOutcome(attempt=attempt, failure=None)
            failure = Failure(kind=attempt.failure_kind, message=attempt.failure_message or "")
            is_reached = is_reached or not _is_unreached(attempt)
            if self._is_definite(failure, retry_after):
                if attempt.source is not Source.none:
                    availability.close(self._model, failure, retry_after or math.inf)
                break
            if (
                last
                or failure.kind in _FINAL
                or (hasty and failure.kind not in _TRANSIENT)
                or not await self._pause(number - after, failure, retry_after)
            ):
                break
            if failure.kind not in _TRANSIENT:
                self._feedback = feedback_on(failure, attempt.text)
        if not (is_reached or hasty) and availability.heard(self._model) == heard:
            # Nothing listens there: each further cell would find out by as many attempts.
            availability.close(self._model, failure, _UNREACHED_SECONDS)
        return CallOutcome(attempt=attempt, failure=failure)

    def _is_definite(self, failure: Failure, retry_after: float | None) -> bool:
        """Whether this failure will not pass within the time that a call has."""
        if failure.kind in STOPPING or self._desk.availability.closed(self._model) is not None:
            return True
        is_long = (retry_after or 0.0) >= self._model.deadline_seconds
        return is_long and failure.kind in _TRANSIENT and not self._caller.hasty

    async def _attempt(
        self, number: int, parser: ReplyParser, *, last: bool
    ) -> tuple[Attempt, float | None]:
        """Replay the recorded attempt, or make one; return it and the seconds to wait after it.

        The seconds are None where nothing was sent, so that no wait is due.
        """
        request = self._request(number)
        attempt = attempt_of(
            request, self._model, self._caller, self._desk.redact, fallback=self._fallback
        )
        old = self._caller.journal.take(attempt.request_digest)
        if old is not None:
            return await self._replay(old, parser, last=last and self._final), None
        sent = asyncio.Event()
        try:
            result = await exchange(
                request, model=self._model, caller=self._caller, desk=self._desk,
                seconds_left=self._seconds_left, sent=sent,
            )  # fmt: skip
        except asyncio.CancelledError:
            if sent.is_set():
                await asyncio.shield(self._record(attempt))
            raise
        except Exception as error:  # noqa: BLE001 - it is the trouble of this attempt alone
            result = failed_inside(error, self._desk.redact, sent=sent.is_set())
        attempt = completed(attempt, result)
        if result.source is Source.network and not _is_unreached(attempt, result.failure):
            self._desk.availability.hear(self._model)
        if result.source is Source.network and result.answer is not None:
            self._desk.availability.replied(self._model)
        self._seconds_left -= result.seconds
        parsed = ParseResult(failure=result.failure)
        if result.failure is None:
            try:
                parsed = await parser(self._offered(attempt, last=last and self._final))
            except BaseException:
                # The asking side ended or breaks the protocol; the reply was paid for.
                await asyncio.shield(self._record(attempt))
                raise
        attempt = self._classified(attempt, parsed)
        await self._record(attempt)
        return attempt, result.retry_after or 0.0

    async def _replay(self, old: Attempt, parser: ReplyParser, *, last: bool) -> Attempt:
        """Have the asking side, which may have become stricter since, parse a recorded reply."""
        if old.failure_kind is None:
            parsed = await parser(self._offered(old, last=last or old.status == "partial"))
            if parsed.failure is not None:
                old = self._classified(old, parsed)
        self._caller.observer.attempted(old, replayed=True)
        return old

    def _classified(self, attempt: Attempt, parsed: ParseResult) -> Attempt:
        if parsed.failure is None:
            return replace(
                attempt,
                status="partial" if parsed.partial else "ok",
                mended=list(dict.fromkeys([*attempt.mended, *parsed.mended])),
            )
        return replace(
            attempt,
            status="failed",
            failure_kind=parsed.failure.kind,
            failure_message=self._desk.redact(parsed.failure.message),
        )

    async def _pause(self, tries: int, failure: Failure, retry_after: float | None) -> bool:
        """Wait before the next attempt; False if it could not be made within the deadline."""
        wait = 0.0
        if failure.kind in _TRANSIENT and retry_after is not None:
            ceiling = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tries - 1))
            wait = max(retry_after, random.uniform(ceiling / 2, ceiling))  # noqa: S311 - no secret
        if wait >= self._seconds_left or (self._caller.hasty and wait > _HASTY_WAIT):
            return False
        self._seconds_left -= wait
        await asyncio.sleep(wait)
        return True

    def _request(self, number: int) -> Request:
        arguments = {**self._model.arguments, **self._question.arguments}
        if self._model.sends_seed:
            arguments.setdefault("seed", self._caller.seed)
        return Request(
            model_id=self._model.model_id,
            messages=[*self._base, *self._feedback],
            schema=self._question.schema,
            schema_name=self._question.schema_name,
            max_output_tokens=self._model.output_bound(self._question.max_output_tokens),
            arguments=arguments,
            origin=Origin(
                plan=self._caller.plan, key=self._question.key, call_id=self._call_id(),
                repeat=self._caller.repeat, number=number, seed=self._caller.seed,
            ),
        )  # fmt: skip

    def _call_id(self) -> str:
        index = self._question.call_index
        return self._question.key if index is None else f"call {index}"

    def _offered(self, attempt: Attempt, *, last: bool) -> OfferedReply:
        cut_off = attempt.finish_reason == "length"
        return OfferedReply(text=attempt.text, model=self._model.name, cut_off=cut_off, last=last)

    async def _record(self, attempt: Attempt) -> None:
        await self._caller.journal.append(attempt)
        self._caller.observer.attempted(attempt, replayed=False)


def _is_unreached(attempt: Attempt, failure: Failure | None = None) -> bool:
    """Whether nothing listened at the server's address, so that nothing can have cost money."""
    kind = failure.kind if failure is not None else attempt.failure_kind
    return kind is FailureKind.connection and attempt.cost == 0.0
