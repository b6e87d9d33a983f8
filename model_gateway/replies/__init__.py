"""Finds the value in a model's reply, or says what is wrong with the reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Generic

from pydantic import ValidationError
from pydantic_core import from_json

from model_gateway import validation
from model_gateway.call import Failure, FailureKind, R

_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
_STARTS = re.compile(r"[{\[]")
# What the end of a text may leave of a literal, a number or an escape.
_CUT = re.compile(
    r"(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|-|\.|[eE][+-]?|\\?u?[0-9a-fA-F]{0,4})?\s*\Z"
)
_OPENING = ("{", "[")
_CLOSING = ("}", "]")
_LAST_NUMBER = re.compile(r"-?\d[\d.eE+-]*\Z")
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
# A lone surrogate, or an escape that may be one.
_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
_MOST_FENCES = 200
_MOST_VALUES = 1_000
_LEAST_TRIES = 40
_SCANNED_FOR_TRIES = 10_000_000
_MOST_ERRORS = 6


@dataclass(frozen=True, kw_only=True)
class ParsedReply(Generic[R]):
    """What a reply's text holds: a value, a recovered part of one, or a failure."""

    value: R | None = None
    partial: bool = False
    failure: Failure | None = None


def parse(text: str, schema: type[R], *, cut_off: bool, last: bool) -> ParsedReply[R]:
    """Read `text` as a `schema`.

    Code fences and prose around the JSON are skipped. A reply that broke off counts as truncated;
    when no further attempt follows (`last`), its complete part is kept and marked partial.
    `cut_off` says that the provider reported the length limit.
    """
    if not text.strip():
        return _failed(FailureKind.empty, "the reply was empty")
    reader = _JsonReader(text)
    problem: ValidationError | None = None
    misfit: Any = None
    for candidate in reader.values():
        try:
            return ParsedReply(value=schema.model_validate(candidate))
        except ValidationError as error:
            if problem is None or (isinstance(candidate, dict) and not isinstance(misfit, dict)):
                problem, misfit = error, candidate
    if reader.unclosed is not None and (cut_off or not isinstance(misfit, dict)):
        value = _recovered(reader.unclosed, schema) if last else None
        if value is not None:
            return ParsedReply(value=value, partial=True)
        return _failed(FailureKind.truncated, "the reply broke off inside its JSON")
    if problem is None and cut_off:
        return _failed(FailureKind.truncated, "the reply broke off before its JSON")
    if problem is None:
        return _failed(FailureKind.schema, reader.problem)
    if _is_schema(misfit):
        return _failed(
            FailureKind.schema_echo, "the reply repeats the schema instead of filling it"
        )
    return _failed(FailureKind.schema, validation.summary(problem, "the reply", most=_MOST_ERRORS))


def json_in(text: str) -> Any:
    """Return the complete part of the likeliest JSON object or array in `text`, or None."""
    if not text.strip():
        return None
    reader = _JsonReader(text)
    for candidate in reader.values():
        return candidate
    return next(_parts(reader.unclosed), None) if reader.unclosed is not None else None


def _failed(kind: FailureKind, message: str) -> ParsedReply[R]:
    return ParsedReply(failure=Failure(kind=kind, message=message))


class _JsonReader:
    """Finds the JSON values in a text.

    After the last of `values`, `unclosed` is the text from the start of a JSON value that the end
    of the text cuts off. A part of a broken value is never taken for the whole.
    """

    # Raw line breaks in strings do no harm, and NaN counts as null.
    _decoder = json.JSONDecoder(strict=False, parse_constant=lambda _: None)

    def __init__(self, text: str) -> None:
        self._text = text
        self._farthest = 0
        self._has_surrogates = _SURROGATE.search(text) is not None
        self.unclosed: str | None = None
        self.problem = "the reply holds no JSON"

    def values(self) -> Iterator[Any]:
        """Yield the JSON objects and arrays in the text, the likeliest first."""
        fenced = (match[1] for match in islice(_FENCE.finditer(self._text), _MOST_FENCES))
        for candidate in chain([self._text], fenced):
            try:
                value = self._without_surrogates(
                    self._decoder.decode(candidate.strip().lstrip("\ufeff"))
                )
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict | list):
                yield value
        at = 0
        # Every try may take time in proportion to the length of the text.
        tries = max(_LEAST_TRIES, _SCANNED_FOR_TRIES // len(self._text))
        left = _MOST_VALUES
        while tries and left and (start := _STARTS.search(self._text, at)) is not None:
            try:
                value, at = self._decoder.raw_decode(self._text, start.start())
                value = self._without_surrogates(value)
            except json.JSONDecodeError as error:
                if self._is_cut(error):
                    self.unclosed = self._text[start.start() :]
                    return
                at = self._after(start.start(), error)
                tries -= 1
            except (ValueError, RecursionError):
                at = start.end()
                tries -= 1
            else:
                left -= 1
                yield value

    def _without_surrogates(self, value: Any) -> Any:
        """Return `value` without lone surrogates, which could not be written to a file."""
        return _replace_surrogates(value) if self._has_surrogates else value

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the decoder stopped where the text ends, or in a string that is never closed."""
        unclosed = error.msg.startswith("Unterminated string")
        return unclosed or _CUT.match(self._text, error.pos) is not None

    def _after(self, start: int, error: json.JSONDecodeError) -> int:
        """Return where to continue: behind broken JSON, or behind a bracket in prose."""
        if not self._text[start + 1 : error.pos].strip():
            return max(start + 1, error.pos)
        if error.pos - start > self._farthest:
            self._farthest = error.pos - start
            where = f"line {error.lineno}, column {error.colno}"
            self.problem = f"the JSON in the reply cannot be read: {error.msg} at {where}"
        depth = 0
        for match in _BRACKETS.finditer(self._text, start):
            depth += (match[0] in _OPENING) - (match[0] in _CLOSING)
            if depth == 0:
                return match.end()
        return len(self._text)


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_replace_surrogates(k): _replace_surrogates(v) for k, v in value.items()}
    return value


def _recovered(text: str, schema: type[R]) -> R | None:
    for value in _parts(text):
        try:
            return schema.model_validate(value)
        except ValidationError:
            continue
    return None


def _parts(text: str) -> Iterator[Any]:
    """Yield readings of unclosed JSON: complete items first, half a string at the end last."""
    data = text.encode("utf-8", "replace")
    whole = _LAST_NUMBER.sub("", text).encode("utf-8", "replace")
    try:
        yield from _without_open_items(from_json(whole, allow_partial=True), _open_brackets(text))
        yield from_json(whole, allow_partial=True)
        yield from_json(data, allow_partial=True)
        yield from_json(data, allow_partial="trailing-strings")
    except ValueError:
        return


def _open_brackets(text: str) -> str:
    """Return the brackets that are open at the end of `text`, the outermost first."""
    still_open: list[str] = []
    for match in _BRACKETS.finditer(text):
        if match[0] in _OPENING:
            still_open.append(match[0])
        elif match[0] in _CLOSING and still_open:
            still_open.pop()
    return "".join(still_open)


def _without_open_items(value: Any, still_open: str) -> Iterator[Any]:
    """Drop the unfinished object from its list, then the one around that, and so on."""
    owners = [value]
    for _ in still_open[1:]:
        owner = owners[-1]
        children = list(owner.values()) if isinstance(owner, dict) else owner
        if not isinstance(children, list) or not children:
            break
        owners.append(children[-1])
    for owner, bracket in reversed(list(zip(owners, still_open[1:], strict=False))):
        if isinstance(owner, list) and owner and bracket == "{":
            owner.pop()
            yield value


def _is_schema(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("properties"), dict)
        and ("$defs" in value or value.get("type") == "object")
    )
