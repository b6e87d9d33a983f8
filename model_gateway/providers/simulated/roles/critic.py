"""A reader that names what is wrong with outputs, with the spans that show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from model_gateway.providers.simulated import kinds
from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.messages import Conversation
from model_gateway.providers.simulated.referrer import Path
from model_gateway.providers.simulated.roles import defects, plain_voice
from model_gateway.providers.simulated.roles.defects import Defect
from model_gateway.providers.simulated.roles.plain_voice import PlainVoice
from model_gateway.providers.simulated.shape import Shape
from model_gateway.providers.simulated.words import Lexicon

_QUOTES = frozenset({"quote", "span", "spans", "quotes", "excerpt", "passage"})
_PLACES = frozenset({"path", "place", "location", "where"})
_GRAVE = 3
_SUMMED_UP = 5


class Critic(PlainVoice):
    """Fills lists of findings, most frequent first, and sums them up elsewhere."""

    def __init__(self, talk: Conversation, lexicon: Lexicon, draw: Draw) -> None:
        super().__init__(lexicon, draw, f"{talk.system}\n{talk.user}")
        plan = "\n".join(b.text for b in talk.all("plan"))
        texts = [
            passage
            for block in talk.all("outputs", "output", "items")
            for passage in defects.passages(block.text)
        ]
        seen = defects.found_in(texts, plan)
        self._findings = [_traced(defect, talk) for defect in seen]

    def enter(self, shape: Shape, path: Path) -> Mapping[str, Any]:
        """Return a finding for an object in a list, and all in sum for one that stands alone."""
        index = next((part for part in reversed(path) if isinstance(part, int)), None)
        if index is None:
            told = "; ".join(defect.text() for defect in self._findings[:_SUMMED_UP])
            return {
                place.name: told or "no_defect"
                for place in shape.properties
                if place.kind == "string" and plain_voice.is_statement(place.name)
            }
        if index >= len(self._findings):
            return {}
        return _said(shape, self._findings[index])

    def count(self, shape: Shape, path: Path) -> int:
        """Return the number of findings, within what the schema or the request allows."""
        if shape.items is not None and shape.items.kind == "object":
            return plain_voice.within(min(len(self._findings), 12), shape)
        return super().count(shape, path)

    def text(self, shape: Shape, path: Path, topic: str) -> str:
        """Return a finding for a string in a list."""
        index = path[-1] if path else None
        if isinstance(index, int) and index < len(self._findings):
            return self._findings[index].text()
        return super().text(shape, path, topic)

    def document(self, path: Path) -> str:  # noqa: ARG002
        """Return all findings as a list."""
        return "\n".join(f"- {defect.text()}" for defect in self._findings) or "- no_defect"


def _said(shape: Shape, defect: Defect) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for place in shape.properties:
        parts = set(kinds.parts_of(place.name))
        if place.kind == "choice":
            grave = defect.count >= _GRAVE
            wanted = [defect.kind, *(("high", "major") if grave else ("low", "minor", "medium"))]
            known[place.name] = plain_voice.chosen(place, wanted)
        elif place.kind in {"integer", "number"} and parts & {"count", "times", "frequency"}:
            known[place.name] = defect.count
        elif place.kind != "string":
            continue
        elif parts & _QUOTES:
            known[place.name] = defect.quote
        elif parts & _PLACES:
            known[place.name] = defect.place
        elif "field" in parts:
            known[place.name] = defect.field
        elif "kind" in parts or "metric" in parts:
            known[place.name] = defect.kind
        elif plain_voice.is_statement(place.name):
            known[place.name] = defect.text()
    return known


def _traced(defect: Defect, talk: Conversation) -> Defect:
    """Say whether the prompt itself holds the span."""
    shown = "\n".join(block.text for block in talk.all("prompt")).casefold()
    held = bool(defect.quote) and defect.quote.casefold() in shown
    return replace(defect, in_prompt=held)
