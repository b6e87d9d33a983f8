"""Replays the replies stored in one run in history, so that using them again costs nothing."""

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
from model_gateway.foreign_files import cause_of, read_json
from model_gateway.journal import read_attempts
from model_gateway.provider import Answer, ProviderError, Request

_ASKED = frozenset({"metadata", "system_prompt", "system_prompt_list", "user_prompt", "query"})
_SEPARATORS = re.compile(r"[/\\:|@\s]+")
_NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True, kw_only=True)
class _StoredCall:
    """The replies to one call: every attempt in order. `key` is None where none was stored."""

    key: str | None
    attempts: tuple[Answer, ...]


@dataclass(kw_only=True)
class _Plan:
    """The stored calls of one plan and repeat, and the index of the call that each key got."""

    calls: tuple[_StoredCall, ...]
    index_of_key: dict[str, int] = field(default_factory=dict)


class Recorded:
    """Answers with the replies stored in the directory `run`.

    A call whose key is in the record gets that call's reply; otherwise the n-th key of a plan and
    repeat gets the n-th stored call. Where an entry allows only one attempt, a call gets its last
    stored reply; else attempt n gets the n-th stored one.
    """

    source = Source.recorded

    def __init__(self, run: Path, *, one_attempt: bool) -> None:
        self._run = run
        self._one_attempt = one_attempt
        self._plans: dict[tuple[str, int], _Plan] = {}
        self._attempts: list[Attempt] | None = None

    async def send(self, request: Request) -> Answer:
        """Return the stored reply to this call.

        Raises:
            ProviderError: the run lacks the plan or the reply, or cannot be read.
        """
        origin = request.origin
        plan = self._plan(origin.plan, origin.repeat)
        stored = next((n for n, c in enumerate(plan.calls) if c.key == origin.key), None)
        turn = plan.index_of_key.setdefault(origin.key, len(plan.index_of_key))
        index = turn if stored is None else stored
        if index >= len(plan.calls):
            raise self._refused(
                f"holds {len(plan.calls)} replies for the plan {origin.plan!r} (repeat "
                f"{origin.repeat}), and {origin.key!r} is call number {index + 1}"
            )
        attempts = plan.calls[index].attempts
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

    def _from_attempts(self, name: str, repeat: int) -> list[_StoredCall]:
        if self._attempts is None:
            self._attempts = self._read_attempts()
        calls: defaultdict[str, list[Answer]] = defaultdict(list)
        for attempt in self._attempts:
            replied = attempt.text or attempt.finish_reason
            if replied and attempt.repeat == repeat and _is_of(attempt.cell, name):
                calls[attempt.key].append(_answer(attempt))
        return [_StoredCall(key=key, attempts=tuple(answers)) for key, answers in calls.items()]

    def _read_attempts(self) -> list[Attempt]:
        path = self._run / "attempts.jsonl"
        try:
            return [row for row in read_attempts(path) if row.status != "cancelled"]
        except OSError as error:
            raise self._refused(f"cannot be read: {path.name}: {error}") from error

    def _from_raw(self, name: str, repeat: int) -> list[_StoredCall]:
        outputs = self._run / "outputs" if repeat == 0 else self._run / "repeats" / str(repeat)
        if Path(name).name != name:
            return []
        calls: list[_StoredCall] = []
        for path in sorted((outputs / name).glob("*_raw.json"), key=_natural):
            try:
                value = read_json(path)
            except OSError as error:
                raise self._refused(
                    f"cannot be read: {name}/{path.name}: {cause_of(error)}"
                ) from error
            calls.extend(
                _StoredCall(key=None, attempts=(Answer(text=text, finish_reason="stop"),))
                for text in _replies(value)
            )
        return calls

    def _refused(self, problem: str) -> ProviderError:
        return ProviderError(
            FailureKind.configuration,
            f"the run {self._run.parent.name}/{self._run.name} {problem}.",
        )


def _is_of(cell: str, plan: str) -> bool:
    """Whether a cell's name is the plan's name, or has it as one of its parts."""
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
    """Return the replies in a raw artifact: a list, one reply, or the keys of the reply."""
    if not isinstance(raw, dict):
        return []
    several = raw.get("responses", raw.get("response_list"))
    if isinstance(several, list | dict):
        replies = list(several.values()) if isinstance(several, dict) else several
    elif "response" in raw:
        replies = [raw["response"]]
    else:
        replies = [{key: value for key, value in raw.items() if key not in _ASKED}]
    return [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in replies]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort `…-10-…` after `…-9-…`."""
    return [
        (int(part), "") if part.isascii() and part.isdigit() else (0, part)
        for part in _NUMBERS.split(path.name)
    ]


def build(model: Model) -> Recorded:
    """Return the provider of an entry whose options name the run.

    Raises:
        ConfigError: the options do not name a run.
    """
    run = model.options.get("run")
    if not isinstance(run, str) or not run:
        raise ConfigError(
            f"{model.name}: options.run must be the directory of a run; pass --model recorded:RUN."
        )
    return Recorded(Path(run), one_attempt=model.max_attempts == 1)
