"""Finds the JSON values in a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from model_gateway.replies.mending import JsonCandidate, Mend, without_trailing_commas

_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
_STARTS = re.compile(r"[{\[]")
# What the end of a text may leave of a literal, a number or an escape.
_CUT = re.compile(
    r"(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|-|\.|[eE][+-]?|\\?u?[0-9a-fA-F]{0,4})?\s*\Z"
)
_OPENING = ("{", "[")
_CLOSING = ("}", "]")
BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
# A lone surrogate, or an escape that may be one.
_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
_AROUND_ERROR = re.compile(r"\s*,?\s*[}\]]")
# An object as other languages write it, or one with a comment at its beginning.
_OTHER_OBJECT = re.compile(r"\{\s*(?://|/\*|#|'|[^\W\d]\w*\s*:)")
_MOST_FENCES = 200
_MOST_VALUES = 1_000
_MOST_QUOTES = 3
_LEAST_TRIES = 40
_SCANNED_FOR_TRIES = 10_000_000


class JsonReader:
    """Finds the JSON values in a text.

    After the last of `values`, `unclosed` is the text from the start of a JSON value that the end
    of the text cuts off. A part of a broken value is never taken for the whole.
    """

    # Raw line breaks in strings do no harm, and NaN counts as null.
    _decoder = json.JSONDecoder(strict=False, parse_constant=lambda _: None)

    def __init__(self, text: str, *, quotes: int = 0) -> None:
        self._text = text
        self._quotes = quotes
        self._farthest = 0
        self._has_surrogates = _SURROGATE.search(text) is not None
        self.unclosed: str | None = None
        self.problem = "the reply holds no JSON"

    def values(self) -> Iterator[JsonCandidate]:
        """Yield the JSON objects and arrays in the text, the likeliest first.

        Where one of them is the whole text, there are no others.
        """
        fenced = (match[1] for match in islice(_FENCE.finditer(self._text), _MOST_FENCES))
        for index, candidate in enumerate(chain([self._text], fenced)):
            try:
                value = self._without_surrogates(
                    self._decoder.decode(candidate.strip().lstrip("\ufeff"))
                )
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict | list):
                yield JsonCandidate(value=value)
            elif isinstance(value, str):
                yield from self._quoted(value)
            if index == 0:
                return
        yield from self._scanned()

    def _quoted(self, text: str) -> Iterator[JsonCandidate]:
        """Yield what a JSON string holds that is the whole reply, or a whole block of it."""
        if self._quotes == _MOST_QUOTES or text.lstrip()[:1] not in {*_OPENING, '"'}:
            return
        inner = JsonReader(text, quotes=self._quotes + 1)
        for candidate in inner.values():
            yield JsonCandidate(
                value=candidate.value, mends=(Mend.json_in_string, *candidate.mends)
            )
        self.unclosed, self.problem = inner.unclosed, inner.problem

    def _scanned(self) -> Iterator[JsonCandidate]:
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
                mended = self._without_commas(start.start(), at, error)
                if mended is not None:
                    left -= 1
                    yield mended
            except (ValueError, RecursionError):
                at = start.end()
                tries -= 1
            else:
                left -= 1
                yield JsonCandidate(value=value)

    def _without_commas(
        self, start: int, end: int, error: json.JSONDecodeError
    ) -> JsonCandidate | None:
        """Read JSON whose only faults are commas before closing brackets."""
        if _AROUND_ERROR.match(self._text, error.pos) is None:
            return None
        text = without_trailing_commas(self._text[start:end])
        try:
            value = self._decoder.decode(text)
        except json.JSONDecodeError as other:
            if end == len(self._text) and _is_cut(text, other):
                self.unclosed = text
            return None
        except (ValueError, RecursionError):
            return None
        return JsonCandidate(value=self._without_surrogates(value), mends=(Mend.trailing_comma,))

    def _without_surrogates(self, value: Any) -> Any:
        """Return `value` without lone surrogates, which could not be written to a file."""
        return _replace_surrogates(value) if self._has_surrogates else value

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        return _is_cut(self._text, error)

    def _after(self, start: int, error: json.JSONDecodeError) -> int:
        """Return where to continue: behind broken JSON, or behind a bracket in prose."""
        is_prose = not self._text[start + 1 : error.pos].strip()
        if is_prose and _OTHER_OBJECT.match(self._text, start) is None:
            return max(start + 1, error.pos)
        if error.pos - start > self._farthest:
            self._farthest = error.pos - start
            where = f"line {error.lineno}, column {error.colno}"
            self.problem = f"the JSON in the reply cannot be read: {error.msg} at {where}"
        depth = 0
        for match in BRACKETS.finditer(self._text, start):
            depth += (match[0] in _OPENING) - (match[0] in _CLOSING)
            if depth == 0:
                return match.end()
        return start + 1 if is_prose else len(self._text)


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the decoder stopped where the text ends, or in a string that is never closed."""
    unclosed = error.msg.startswith("Unterminated string")
    return unclosed or _CUT.match(text, error.pos) is not None


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_replace_surrogates(k): _replace_surrogates(v) for k, v in value.items()}
    return value
