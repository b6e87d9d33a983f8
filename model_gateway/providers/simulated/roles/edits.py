"""Edits of a prompt's sentences by form, without knowledge of their effect."""

from __future__ import annotations

import re
from collections.abc import Sequence

from model_gateway.providers.simulated import words
from model_gateway.providers.simulated.draw import Stream
from model_gateway.providers.simulated.roles import examples, passages
from model_gateway.providers.simulated.roles.defects import alike, grams_of
from model_gateway.providers.simulated.roles.evidence import Evidence
from model_gateway.providers.simulated.roles.examples import Edit, Operation

_ALIKE = 0.5
_LEAST = 5
_OPENER = 3
_PERCENT = re.compile(r"\s?(?:\d+(?:[.,]\d+)?\s?[-\u2013]\s?)?\d+(?:[.,]\d+)?\s?[%\uff05\u066a]")


def drop_named(text: str, evidence: Evidence, stream: Stream) -> Edit | None:
    """Remove a sentence that holds a span, or the opening of one, with a complaint."""
    pieces = passages.split(text)
    named = [p for p in pieces if any(_holds(p, span.text) for span in evidence.bad)]
    if not named or len(pieces) == 1:
        return None
    gone = stream.pick(named)
    rest = [piece for piece in pieces if piece != gone]
    return Edit(operation="drop_named", touched=gone, text=passages.join(rest)) if rest else None


def _holds(piece: str, span: str) -> bool:
    if span in piece:
        return True
    opening = [word.casefold() for word in words.chunks(span)[:_OPENER]]
    if len(opening) < _OPENER:
        return False
    chunks = [word.casefold() for word in words.chunks(piece)]
    starts = range(len(chunks) - _OPENER + 1)
    return any(chunks[i : i + _OPENER] == opening for i in starts)


def drop_duplicate(text: str, evidence: Evidence, stream: Stream) -> Edit | None:  # noqa: ARG001
    """Remove a sentence that nearly repeats an earlier one."""
    pieces = passages.split(text)
    grams = [grams_of(piece) for piece in pieces]
    again = [
        at for at in range(1, len(pieces))
        if words.size(pieces[at]) >= _LEAST
        and any(alike(grams[at], grams[before]) >= _ALIKE for before in range(at))
    ]  # fmt: skip
    if not again:
        return None
    at = stream.pick(again)
    rest = [*pieces[:at], *pieces[at + 1 :]]
    return Edit(operation="drop_duplicate", touched=pieces[at], text=passages.join(rest))


def drop_percentages(text: str, evidence: Evidence, stream: Stream) -> Edit | None:  # noqa: ARG001
    """Remove every numeral with a percent sign."""
    spans = _PERCENT.findall(text)
    if not spans:
        return None
    new = _PERCENT.sub("", text)
    return Edit(operation="drop_percentages", touched=spans[0].strip(), text=passages.join([new]))


def restate(text: str, evidence: Evidence, stream: Stream) -> Edit | None:  # noqa: ARG001
    """Repeat a demand: an identifier with the numeral beside it."""
    demands = [
        f"`{name}`: {number}"
        for piece in passages.split(text)
        for name in passages.names(piece)[:1]
        for number in passages.numerals(piece)[:1]
    ]
    if not demands:
        return None
    demand = stream.pick(demands)
    return Edit(operation="restate", touched=demand, text=f"{text.rstrip()}\n\n{demand}")


def shorten(text: str, evidence: Evidence, stream: Stream) -> Edit | None:  # noqa: ARG001
    """Remove a sentence of prose without a quote, name or numeral."""
    pieces = passages.split(text)
    plain = [at for at, piece in enumerate(pieces) if passages.is_plain(piece)]
    if not plain or len(pieces) == 1:
        return None
    at = stream.pick(plain)
    rest = [*pieces[:at], *pieces[at + 1 :]]
    return Edit(operation="shorten", touched=pieces[at], text=passages.join(rest))


def reorder(text: str, evidence: Evidence, stream: Stream) -> Edit | None:  # noqa: ARG001
    """Move a paragraph, or a sentence if there is only one paragraph."""
    paragraphs = [p for p in text.split("\n\n") if p.strip()]
    pieces, glue = (
        (paragraphs, "\n\n")
        if len(paragraphs) > 1
        else ([piece.strip() for piece in passages.split(text) if piece.strip()], " ")
    )
    if len(pieces) < 2:
        return None
    at = stream.below(len(pieces))
    to = (at + 1 + stream.below(len(pieces) - 1)) % len(pieces)
    moved = pieces[:at] + pieces[at + 1 :]
    moved.insert(to, pieces[at])
    return Edit(operation="reorder", touched=pieces[at], text=glue.join(moved))


def crossing(donors: Sequence[str]) -> Operation:
    """Return the operation that copies a sentence from another prompt."""

    def cross(text: str, evidence: Evidence, stream: Stream) -> Edit | None:  # noqa: ARG001
        pieces = passages.split(text)
        present = {piece.strip() for piece in pieces}
        foreign = [
            piece for donor in donors for piece in passages.split(donor)
            if piece.strip() not in present and words.size(piece)
        ]  # fmt: skip
        if not foreign:
            return None
        taken = stream.pick(foreign)
        at = 1 + stream.below(len(pieces))
        before = "".join(pieces[:at])
        gap = "" if before[-1:].isspace() else "\n"
        new = f"{before}{gap}{taken.strip()}\n{''.join(pieces[at:])}"
        return Edit(operation="cross", touched=taken, text=passages.join([new]))

    return cross


PROMPTED: tuple[Operation, ...] = (
    drop_named, examples.replace_example, examples.add_example,
)  # fmt: skip
"""Operations that need feedback."""

UNPROMPTED: tuple[Operation, ...] = (
    drop_duplicate, drop_percentages, examples.drop_example, examples.split_example,
    examples.drop_phrase, examples.drop_placeholders, restate, shorten, reorder,
)  # fmt: skip
"""Operations that need only the text."""
