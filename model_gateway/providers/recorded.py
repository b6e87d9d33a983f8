"""Replies stored in one history run, given again: looking at old replies costs nothing."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.call import FailureKind, Source
from model_gateway.config import Model
from model_gateway.errors import ConfigError
from model_gateway.journal import read_attempts
from model_gateway.provider import Answer, ProviderError, Request

_ASKED = frozenset({"metadata", "system_prompt", "system_prompt_list", "user_prompt", "query"})
_SEPARATORS = re.compile(r"[/\\:|@\s]+")
_NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """The replies to one call: every attempt in order. `key` is None where none was stored."""

    key: str | None
    attempts: tuple[Answer, ...]


@dataclass(kw_only=True)
class _Plan:
    """The stored calls of one plan and repeat, and which key was given which of them."""

    calls: tuple[_Stored, ...]
    given: dict[str, int] = field(default_factory=dict)


class Recorded:
    """Answers with what is stored in the directory `run`.

    A call whose key is in the record gets that call's reply; otherwise the n-th key asked for a
    plan and repeat gets the n-th stored call. Where an entry allows but one attempt, a call's
    last reply is given, the one the record ended with; else attempt n gets the n-th stored one.
    """

    source = Source.recorded

    def __init__(self, run: Path, *, one_attempt: bool) -> None:
        self._run = run
        self._one_attempt = one_attempt
        self._plans: dict[tuple[str, int], _Plan] = {}
        self._attempts: list[Attempt] | None = None

    async def send(self, request: Request) -> Answer:
        """Give the stored reply to this call.

        Raises:
            ProviderError: the run holds no such plan, no more replies, or cannot be read.
        """
        origin = request.origin
        plan = self._plan(origin.plan, origin.repeat)
        known = next((n for n, c in enumerate(plan.calls) if c.key == origin.key), None)
        asked_before = plan.given.setdefault(origin.key, len(plan.given))
        place = asked_before if known is None else known
        if place >= len(plan.calls):
            raise self._refused(
                f"holds {len(plan.calls)} replies for the plan {origin.plan!r} (repeat "
                f"{origin.repeat}), and {origin.key!r} is call number {place + 1}"
            )
        attempts = plan.calls[place].attempts
        last = self._one_attempt or origin.number > len(attempts)
        return attempts[-1 if last else origin.number - 1]

    async def close(self) -> None:
        """Close nothing."""

    def _plan(self, name: str, repeat: int) -> _Plan:
        if (name, repeat) not in self._plans:
            calls = self._from_attempts(name, repeat) or self._from_raw(name, repeat)
            if not calls:
                raise self._refused(f"holds no replies for the plan {name!r} (repeat {repeat})")
            self._plans[name, repeat] = _Plan(calls=tuple(calls))
        return self._plans[name, repeat]

    def _from_attempts(self, name: str, repeat: int) -> list[_Stored]:
        if self._attempts is None:
            self._attempts = self._read_attempts()
        calls: defaultdict[str, list[Answer]] = defaultdict(list)
        for attempt in self._attempts:
            replied = attempt.text or attempt.finish_reason
            if replied and attempt.repeat == repeat and _is_of(attempt.cell, name):
                calls[attempt.key].append(_answer(attempt))
        return [_Stored(key=key, attempts=tuple(given)) for key, given in calls.items()]

    def _read_attempts(self) -> list[Attempt]:
        path = self._run / "attempts.jsonl"
        try:
            return [row for row in read_attempts(path) if row.status != "cancelled"]
        except (OSError, UnicodeDecodeError) as error:
            raise self._refused(f"cannot be read: {path.name}: {error}") from error

    def _from_raw(self, name: str, repeat: int) -> list[_Stored]:
        outputs = self._run / "outputs" if repeat == 0 else self._run / "repeats" / str(repeat)
        if Path(name).name != name:
            return []
        calls: list[_Stored] = []
        for path in sorted((outputs / name).glob("*_raw.json"), key=_natural):
            try:
                value = json.loads(path.read_text(encoding="utf-8-sig"))
            except (OSError, ValueError, RecursionError) as error:
                raise self._refused(f"cannot be read: {name}/{path.name}: {error}") from error
            calls.extend(
                _Stored(key=None, attempts=(Answer(text=text, finish_reason="stop"),))
                for text in _replies(value)
            )
        return calls

    def _refused(self, problem: str) -> ProviderError:
        return ProviderError(
            FailureKind.configuration,
            f"the run {self._run.parent.name}/{self._run.name} {problem}.",
        )


def _is_of(cell: str, plan: str) -> bool:
    """Whether a cell's name has the plan's name in it, as a part of its own."""
    return cell == plan or plan in _SEPARATORS.split(cell)


def _answer(attempt: Attempt) -> Answer:
    return Answer(
        text=attempt.text,
        finish_reason=attempt.finish_reason,
        input_tokens=attempt.input_tokens,
        output_tokens=attempt.output_tokens,
        thinking_tokens=attempt.thinking_tokens,
        model_id=attempt.reported_model or attempt.model_id,
    )


def _replies(raw: Any) -> list[str]:
    """Return the replies in a raw artifact: a list, one reply, or the reply's own keys."""
    if not isinstance(raw, dict):
        return []
    several = raw.get("responses", raw.get("response_list"))
    if isinstance(several, list | dict):
        found = list(several.values()) if isinstance(several, dict) else several
    elif "response" in raw:
        found = [raw["response"]]
    else:
        found = [{key: value for key, value in raw.items() if key not in _ASKED}]
    return [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in found]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort `…-10-…` after `…-9-…`."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in _NUMBERS.split(path.name)]


def build(model: Model) -> Recorded:
    """Return the provider of an entry whose options name the run.

    Raises:
        ConfigError: the options name no run.
    """
    run = model.options.get("run")
    if not isinstance(run, str) or not run:
        raise ConfigError(
            f"{model.name}: options.run must be the directory of a run; say --model recorded:RUN."
        )
    return Recorded(Path(run), one_attempt=model.max_attempts == 1)
