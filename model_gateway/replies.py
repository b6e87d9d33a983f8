"""Finding the value inside what a model wrote, and naming what is wrong when there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic

from pydantic import ValidationError
from pydantic_core import from_json

from model_gateway.call import Failure, FailureKind, R

_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
_STARTS = re.compile(r"[{\[]")
_MOST_STARTS = 40
_MOST_ERRORS = 6


@dataclass(frozen=True, kw_only=True)
class Judgement(Generic[R]):
    """What a reply's text was found to be: a value, a recovered part of one, or a failure."""

    value: R | None = None
    partial: bool = False
    failure: Failure | None = None


def judge(text: str, schema: type[R], *, cut_off: bool, last: bool) -> Judgement[R]:
    """Read `text` as a `schema`.

    Code fences and prose around the JSON are passed over. A reply that broke off counts as
    truncated; when no further attempt will be made (`last`), what is whole in it is kept and
    marked partial. `cut_off` says that the provider reported the length limit.
    """
    if not text.strip():
        return _failed(FailureKind.empty, "the reply was empty")
    problem: ValidationError | None = None
    found: Any = None
    for found in _values(text):
        try:
            return Judgement(value=schema.model_validate(found))
        except ValidationError as error:
            problem = error
    start = _STARTS.search(text)
    if start is not None and (cut_off or problem is None) and _broken_off(text[start.start() :]):
        if last:
            value = _recovered(text[start.start() :], schema)
            if value is not None:
                return Judgement(value=value, partial=True)
        return _failed(FailureKind.truncated, "the reply broke off inside its JSON")
    if problem is None:
        return _failed(FailureKind.schema, "the reply holds no JSON")
    if _is_schema(found):
        return _failed(
            FailureKind.schema_echo, "the reply repeats the schema instead of filling it"
        )
    return _failed(FailureKind.schema, _told(problem))


def _failed(kind: FailureKind, message: str) -> Judgement[R]:
    return Judgement(failure=Failure(kind=kind, message=message))


def _values(text: str) -> Iterator[Any]:
    """Yield the JSON objects and arrays in `text`, the likeliest first."""
    for candidate in (text, *(match[1] for match in _FENCE.finditer(text))):
        try:
            value = json.loads(candidate.strip().lstrip("\ufeff"))
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict | list):
            yield value
    decoder = json.JSONDecoder()
    at = 0
    for _ in range(_MOST_STARTS):
        start = _STARTS.search(text, at)
        if start is None:
            return
        try:
            value, at = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            at = start.end()
            continue
        yield value


def _broken_off(text: str) -> bool:
    """Whether the JSON that starts `text` runs out before it is closed."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].strip()
        # The decoder stops at the end of the text, or at the start of a string never closed.
        return not rest or error.msg.startswith("Unterminated string")
    except RecursionError:
        return False
    return False


def _recovered(text: str, schema: type[R]) -> R | None:
    for mode in ("trailing-strings", True):
        try:
            return schema.model_validate(from_json(text, allow_partial=mode))
        except ValueError:
            continue
    return _without_last_item(text, schema)


def _without_last_item(text: str, schema: type[R]) -> R | None:
    """Drop the last, broken item of the list that was being written when the reply ended."""
    try:
        value = from_json(text, allow_partial=True)
    except ValueError:
        return None
    owner: Any = value
    while True:
        last = list(owner.values())[-1:] if isinstance(owner, dict) else owner[-1:]
        if isinstance(owner, list) and owner and isinstance(owner[-1], dict):
            whole = owner.pop()
            try:
                return schema.model_validate(value)
            except ValidationError:
                owner.append(whole)
        if not last or not isinstance(last[0], dict | list):
            return None
        owner = last[0]


def _is_schema(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("properties"), dict)
        and ("$defs" in value or value.get("type") == "object")
    )


def _told(error: ValidationError) -> str:
    """Say what is wrong where, without repeating what the model wrote."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [
        f"{'.'.join(str(part) for part in e['loc']) or 'the reply'}: {e['msg']}"
        for e in errors[:_MOST_ERRORS]
    ]
    if len(errors) > _MOST_ERRORS:
        lines.append(f"and {len(errors) - _MOST_ERRORS} more")
    return "; ".join(lines)
