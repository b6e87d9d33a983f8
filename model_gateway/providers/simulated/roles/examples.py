"""Edits of the quotes in a prompt: its examples, its short phrases and its placeholders."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_gateway.providers.simulated import words
from model_gateway.providers.simulated.draw import Stream
from model_gateway.providers.simulated.roles import passages
from model_gateway.providers.simulated.roles.evidence import Evidence, Span
from model_gateway.providers.simulated.roles.passages import Quote

_CLAUSE = re.compile(
    r"(?<=[,;:.!?])\s+|(?<=[\u3001\uff0c\u3002\u060c\u061b])\s*|\s+[\u2013\u2014]\s+"
)
_PLACEHOLDER = re.compile(r"\s?\[[^\[\]\n\"]{2,80}\](?!\()")
_LEFTOVER = re.compile(r"\(\s*[^\w\s`\"]*\s*\)|(?<=[\s(])[\"\u201c\u201d]{2}")
_MOST_QUOTED = 60


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change of a text: the operation as an identifier, the old span, and the new text."""

    operation: str
    touched: str
    text: str

    def statement(self) -> str:
        """Return the change as a short statement."""
        touched = " ".join(self.touched.split())
        cut = touched if len(touched) <= _MOST_QUOTED else touched[:_MOST_QUOTED] + "\u2026"
        return f'{self.operation}: "{cut}"'


Operation = Callable[[str, Evidence, Stream], Edit | None]


def _long(text: str) -> list[Quote]:
    return [quote for quote in passages.quotes(text) if quote.is_long]


def _put(text: str, quote: Quote, new: str) -> str:
    return text[: quote.start] + new + text[quote.end :]


def drop_example(text: str, evidence: Evidence, stream: Stream) -> Edit | None:  # noqa: ARG001
    """Remove an example with the sentence around it."""
    quotes = _long(text)
    if not quotes:
        return None
    quote = stream.pick(quotes)
    pieces = passages.split(text)
    rest = [piece for piece in pieces if quote.inside not in piece]
    if not rest or len(rest) == len(pieces):
        return None
    return Edit(operation="drop_example", touched=quote.inside, text=passages.join(rest))


def _fitting(spans: Sequence[Span], text: str, stream: Stream) -> Span | None:
    new = [s for s in spans if s.text not in text and words.size(s.text) > 5]
    return stream.pick(new) if new else None


def replace_example(text: str, evidence: Evidence, stream: Stream) -> Edit | None:
    """Replace an example by a praised span."""
    quotes, good = _long(text), _fitting(evidence.good, text, stream)
    if not quotes or good is None:
        return None
    quote = stream.pick(quotes)
    return Edit(
        operation="replace_example", touched=quote.inside,
        text=_put(text, quote, quote.like(good.text)),
    )  # fmt: skip


def add_example(text: str, evidence: Evidence, stream: Stream) -> Edit | None:
    """Add a praised span beside the last example, or at the end with its field."""
    good = _fitting(evidence.good, text, stream)
    if good is None:
        return None
    quotes = _long(text)
    if quotes:
        last = quotes[-1]
        new = _put(text, last, text[last.start : last.end] + last.glue + last.like(good.text))
    else:
        field = f"`{good.field}`: " if good.field else ""
        new = f'{text.rstrip()}\n\n{field}"{good.text}"'
    return Edit(operation="add_example", touched=good.text, text=new)


def split_example(text: str, evidence: Evidence, stream: Stream) -> Edit | None:  # noqa: ARG001
    """Split an example into two that begin, end and run differently."""
    quotes = _long(text)
    if not quotes:
        return None
    quote = stream.pick(quotes)
    parts = [part for part in _CLAUSE.split(quote.inside.strip()) if part and part.strip()]
    if len(parts) < 2:
        halves = words.chunks(quote.inside)
        middle = len(halves) // 2
        parts = [words.join(halves[:middle]), words.join(halves[middle:])]
    turn = 1 + stream.below(len(parts) - 1) if len(parts) > 1 else 1
    stop = quote.inside.strip()[-1:]
    stop = stop if not stop.isalnum() else ""
    turned = " ".join(part.strip(" ,;:.\u3002") for part in [*parts[turn:], *parts[:turn]])
    short = parts[turn % len(parts)].strip(" ,;:.\u3002")
    second = words.capitalised(short if stream.chance(0.5) else turned) + stop
    if second == quote.inside:
        return None
    new = text[quote.start : quote.end] + quote.glue + quote.like(second)
    return Edit(operation="split_example", touched=quote.inside, text=_put(text, quote, new))


def drop_phrase(text: str, evidence: Evidence, stream: Stream) -> Edit | None:  # noqa: ARG001
    """Remove the short quoted phrases of one sentence."""
    short = [quote for quote in passages.quotes(text) if not quote.is_long]
    if not short:
        return None
    quote = stream.pick(short)
    pieces = passages.split(text)
    home = next((p for p in pieces if text[quote.start : quote.end] in p), None)
    if home is None:
        return None
    gone = [q for q in passages.quotes(home) if not q.is_long]
    new = home
    for one in reversed(gone):
        new = new[: one.start].rstrip(" ,") + " " + new[one.end :].lstrip(" ,")
    new = _LEFTOVER.sub("", new)
    return Edit(
        operation="drop_phrase", touched=quote.inside,
        text=passages.join([new if piece == home else piece for piece in pieces]),
    )  # fmt: skip


def drop_placeholders(text: str, evidence: Evidence, stream: Stream) -> Edit | None:  # noqa: ARG001
    """Remove every span in square brackets."""
    spans = _PLACEHOLDER.findall(text)
    if not spans:
        return None
    new = _LEFTOVER.sub("", _PLACEHOLDER.sub("", text))
    return Edit(operation="drop_placeholders", touched=spans[0].strip(), text=passages.join([new]))
