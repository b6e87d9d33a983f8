"""The one retry loop: everything that may go wrong with a call is counted and bounded here."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from model_gateway.attempt import Attempt, Message
from model_gateway.call import Failure, FailureKind
from model_gateway.config import Model
from model_gateway.exchange import Asker, CallDesk, attempt_of, completed, exchange
from model_gateway.provider import Origin, Request

FEEDBACK = (
    "Your reply could not be used: {problem}\n"
    "Send the whole answer again as one JSON object of the required shape, and nothing else."
)
SHORTER = (
    "Your reply broke off before its JSON was complete. "
    "Send the whole answer again, shorter, as one complete JSON object."
)
SCHEMA_IN_PROMPT = (
    "\n\nReply with one JSON object that fits this JSON schema, and with nothing else:\n{schema}"
)

_FINAL = {FailureKind.refused, FailureKind.configuration, FailureKind.budget}
_TRANSIENT = {
    FailureKind.rate_limit,
    FailureKind.server,
    FailureKind.connection,
    FailureKind.timeout,
}
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 30.0
_LONGEST_ECHO = 20_000


@dataclass(frozen=True, kw_only=True)
class Question:
    """What came through a door: one call, as messages.

    `place` is its number among the cell's calls, for code whose keys are made of the content.
    """

    key: str
    messages: list[Message]
    place: int | None = None
    schema: dict[str, Any] | None = None
    schema_name: str = "Reply"
    max_output_tokens: int = 8192
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the asking side made of a reply's text."""

    partial: bool = False
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A reply's text as it is put to the asking side.

    `cut_off` says that the length limit was reached, `last` that no further attempt will be
    made, so that a part is better than nothing.
    """

    text: str
    model: str
    cut_off: bool
    last: bool


Judge = Callable[[Offer], Awaitable[Verdict]]


@dataclass(frozen=True, kw_only=True)
class CallOutcome:
    """How a call ended: its last attempt, and why it failed if it did."""

    attempt: Attempt
    failure: Failure | None


async def converse(question: Question, asker: Asker, desk: CallDesk, judge: Judge) -> CallOutcome:
    """Put `question` to the asker's models until a reply is good, or the bound is reached.

    The bound on attempts is the first model's and holds over all models and all kinds of
    failure. Every attempt is in the journal before this returns. The deadline is each model's
    own, and waiting for a turn does not count against it.
    """
    bound = asker.models[0].max_attempts
    made = 0
    for place, model in enumerate(asker.models):
        others = len(asker.models) - 1 - place
        most = max(1, bound - made - others)
        ends = not others or made + most >= bound
        talk = _Talk(question, asker, desk, model, fallback=place > 0, ends=ends)
        outcome = await talk.attempts(judge, after=made, most=most)
        made = outcome.attempt.number
        if outcome.failure is None or outcome.failure.kind is FailureKind.budget:
            break
        if made >= bound:
            break
    return outcome


class _Talk:
    """The attempts at one call with one model; `ends` says that no other is asked after it."""

    def __init__(
        self,
        question: Question,
        asker: Asker,
        desk: CallDesk,
        model: Model,
        *,
        fallback: bool,
        ends: bool,
    ) -> None:
        self._question = question
        self._asker = asker
        self._desk = desk
        self._model = model
        self._fallback = fallback
        self._ends = ends
        self._seconds_left = model.deadline_seconds
        self._base = _with_schema(question, model)
        self._feedback: list[Message] = []

    async def attempts(self, judge: Judge, *, after: int, most: int) -> CallOutcome:
        """Make at most `most` attempts, numbered from `after` + 1."""
        for number in range(after + 1, after + most + 1):
            last = number == after + most
            attempt, retry_after = await self._attempt(number, judge, last=last)
            if attempt.failure_kind is None:
                return CallOutcome(attempt=attempt, failure=None)
            failure = Failure(kind=attempt.failure_kind, message=attempt.failure_message or "")
            if (
                last
                or failure.kind in _FINAL
                or not await self._pause(number - after, failure, retry_after)
            ):
                break
            if failure.kind not in _TRANSIENT:
                self._feedback = _feedback_on(failure, attempt.text)
        return CallOutcome(attempt=attempt, failure=failure)

    async def _attempt(
        self, number: int, judge: Judge, *, last: bool
    ) -> tuple[Attempt, float | None]:
        """Replay the recorded attempt, or make one; return it and the seconds to wait after it.

        None for the seconds says that no waiting is due, because nothing was sent.
        """
        request = self._request(number)
        attempt = attempt_of(request, self._model, self._asker, fallback=self._fallback)
        old = self._asker.journal.take(attempt.request_digest)
        if old is not None:
            return await self._replayed(old, judge, last=last and self._ends), None
        sent = asyncio.Event()
        try:
            done = await exchange(
                request, model=self._model, asker=self._asker, desk=self._desk,
                seconds_left=self._seconds_left, sent=sent,
            )  # fmt: skip
        except asyncio.CancelledError:
            if sent.is_set():
                await asyncio.shield(self._record(attempt))
            raise
        attempt = completed(attempt, done)
        self._seconds_left -= done.seconds
        verdict = Verdict(failure=done.failure)
        if done.failure is None:
            try:
                verdict = await judge(self._offer(attempt, last=last and self._ends))
            except BaseException:
                # Who asked went away or does not speak the protocol; the reply was paid for.
                await asyncio.shield(self._record(attempt))
                raise
        attempt = self._judged(attempt, verdict)
        await self._record(attempt)
        return attempt, done.retry_after or 0.0

    async def _replayed(self, old: Attempt, judge: Judge, *, last: bool) -> Attempt:
        """Put a recorded reply to the asking side, which may have become stricter since."""
        if old.failure_kind is None:
            verdict = await judge(self._offer(old, last=last or old.status == "partial"))
            if verdict.failure is not None:
                old = self._judged(old, verdict)
        self._asker.observer.attempted(old, replayed=True)
        return old

    def _judged(self, attempt: Attempt, verdict: Verdict) -> Attempt:
        if verdict.failure is None:
            return replace(attempt, status="partial" if verdict.partial else "ok")
        return replace(
            attempt,
            status="failed",
            failure_kind=verdict.failure.kind,
            failure_message=self._desk.redact(verdict.failure.message),
        )

    async def _pause(self, tries: int, failure: Failure, retry_after: float | None) -> bool:
        """Wait before the next attempt; False if it could not be made within the deadline."""
        wait = 0.0
        if failure.kind in _TRANSIENT and retry_after is not None:
            ceiling = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tries - 1))
            wait = max(retry_after, random.uniform(ceiling / 2, ceiling))  # noqa: S311 - no secret
        if wait >= self._seconds_left:
            return False
        self._seconds_left -= wait
        await asyncio.sleep(wait)
        return True

    def _request(self, number: int) -> Request:
        arguments = {**self._model.arguments, **self._question.arguments}
        if self._model.sends_seed:
            arguments.setdefault("seed", self._asker.seed)
        return Request(
            model_id=self._model.model_id,
            messages=[*self._base, *self._feedback],
            schema=self._question.schema,
            schema_name=self._question.schema_name,
            max_output_tokens=self._model.output_bound(self._question.max_output_tokens),
            arguments=arguments,
            origin=Origin(
                plan=self._asker.plan, key=self._question.key, place=self._place(),
                repeat=self._asker.repeat, number=number, seed=self._asker.seed,
            ),
        )  # fmt: skip

    def _place(self) -> str:
        place = self._question.place
        return self._question.key if place is None else f"call {place}"

    def _offer(self, attempt: Attempt, *, last: bool) -> Offer:
        cut_off = attempt.finish_reason == "length"
        return Offer(text=attempt.text, model=self._model.name, cut_off=cut_off, last=last)

    async def _record(self, attempt: Attempt) -> None:
        await self._asker.journal.append(attempt)
        self._asker.observer.attempted(attempt, replayed=False)


def _with_schema(question: Question, model: Model) -> list[Message]:
    """Return the messages; a server that takes no schema gets it as text in the first one."""
    if question.schema is None or model.structured == "json_schema":
        return question.messages
    schema = json.dumps(question.schema, ensure_ascii=False)
    first, *rest = question.messages
    return [{**first, "content": first["content"] + SCHEMA_IN_PROMPT.format(schema=schema)}, *rest]


def _feedback_on(failure: Failure, text: str) -> list[Message]:
    """Return what the model should hear of its last reply before it tries again."""
    if failure.kind is FailureKind.truncated:
        feedback = SHORTER
    elif failure.kind in {FailureKind.schema, FailureKind.schema_echo}:
        feedback = FEEDBACK.format(problem=failure.message)
    else:
        return []
    return [
        {"role": "assistant", "content": text[:_LONGEST_ECHO]},
        {"role": "user", "content": feedback},
    ]
