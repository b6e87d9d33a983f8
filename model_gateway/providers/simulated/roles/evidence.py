"""What a proposer is shown of a prompt's effect: good and bad spans of outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_gateway.providers.simulated import words
from model_gateway.providers.simulated.roles import passages

_SPANS = ("quote", "span", "text", "output", "opener", "example")
_GOOD = ("good", "best", "better")
_LONGEST = 400
_SHORTEST = 4


@dataclass(frozen=True, kw_only=True)
class Span:
    """A span of an output, with its field if the feedback names it."""

    text: str
    field: str = ""
    good: bool = False


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All spans of the feedback."""

    spans: tuple[Span, ...] = ()

    @property
    def bad(self) -> tuple[Span, ...]:
        """The spans with a complaint."""
        return tuple(span for span in self.spans if not span.good)

    @property
    def good(self) -> tuple[Span, ...]:
        """The spans with praise."""
        return tuple(span for span in self.spans if span.good)


def read(text: str) -> Evidence:
    """Read feedback: JSON, or lines with quoted spans, which are good after a leading +."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        spans = list(_of_lines(text))
    else:
        spans = list(_of_json(value, field="", good=False))
    usable = [s for s in spans if _SHORTEST <= len(s.text) <= _LONGEST and words.size(s.text)]
    return Evidence(spans=tuple(dict.fromkeys(usable)))


def _of_lines(text: str) -> Iterator[Span]:
    for line in text.splitlines():
        names = passages.names(line)
        for quote in passages.quotes(line):
            good = line.lstrip().startswith("+")
            yield Span(text=quote.inside.strip(), field=names[0] if names else "", good=good)


def _of_json(value: Any, *, field: str, good: bool) -> Iterator[Span]:
    if isinstance(value, str):
        yield Span(text=value.strip(), field=field, good=good)
    elif isinstance(value, list):
        for one in value:
            yield from _of_json(one, field=field, good=good)
    elif isinstance(value, Mapping):
        named = str(value.get("field") or field)
        praised = good or any(value.get(key) is True for key in _GOOD)
        direct = [value[key] for key in _SPANS if isinstance(value.get(key), str)]
        for one in direct:
            yield Span(text=one.strip(), field=named, good=praised)
        for key, inner in value.items():
            if isinstance(inner, list | Mapping):
                yield from _of_json(inner, field=named, good=praised or key in _GOOD)
