"""A reader that reports defects of outputs, with the spans that show them."""

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
_LOCATIONS = frozenset({"path", "place", "location", "where"})
_GRAVE = 3
_SUMMED_UP = 5


class Critic(PlainVoice):
    """Fills lists with findings, most frequent first, and lone fields with a summary."""

    def __init__(self, conversation: Conversation, lexicon: Lexicon, draw: Draw) -> None:
        super().__init__(conversation, lexicon, draw)
        plan = "\n".join(b.text for b in conversation.all("plan"))
        texts = [
            passage
            for block in conversation.all("outputs", "output", "items")
            for passage in defects.passages(block.text)
        ]
        seen = defects.found_in(texts, plan)
        self._findings = [_traced(defect, conversation) for defect in seen]

    def enter(self, shape: Shape, path: Path) -> Mapping[str, Any]:
        """Return a finding for an object in a list, and a summary for a lone object."""
        index = plain_voice.list_index(path)
        if index is None:
            summary = "; ".join(defect.text() for defect in self._findings[:_SUMMED_UP])
            return plain_voice.statements(shape, summary or "no_defect")
        if index >= len(self._findings):
            return {}
        return _fields(shape, self._findings[index])

    def count(self, shape: Shape, path: Path) -> int:
        """Return the number of findings, within the bounds of the schema or the request."""
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


def _fields(shape: Shape, defect: Defect) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for node in shape.properties:
        parts = set(kinds.parts_of(node.name))
        if node.kind == "choice":
            grave = defect.count >= _GRAVE
            preferred = [defect.kind, *(("high", "major") if grave else ("low", "minor", "medium"))]
            values[node.name] = plain_voice.chosen(node, preferred)
        elif node.kind in {"integer", "number"} and parts & {"count", "times", "frequency"}:
            values[node.name] = defect.count
        elif node.kind != "string":
            continue
        elif parts & _QUOTES:
            values[node.name] = defect.quote
        elif parts & _LOCATIONS:
            values[node.name] = defect.location
        elif "field" in parts:
            values[node.name] = defect.field
        elif "kind" in parts or "metric" in parts:
            values[node.name] = defect.kind
        elif plain_voice.is_statement(node.name):
            values[node.name] = defect.text()
    return values


def _traced(defect: Defect, conversation: Conversation) -> Defect:
    """Record whether the prompt holds the span."""
    shown = "\n".join(block.text for block in conversation.all("prompt")).casefold()
    in_prompt = bool(defect.quote) and defect.quote.casefold() in shown
    return replace(defect, in_prompt=in_prompt)
