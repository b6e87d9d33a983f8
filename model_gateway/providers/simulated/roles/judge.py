"""A reader that compares two outputs, with noise and a bias towards the first one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_gateway.providers.simulated import kinds
from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.messages import Block, Conversation
from model_gateway.providers.simulated.referrer import Path
from model_gateway.providers.simulated.roles import defects, plain_voice
from model_gateway.providers.simulated.roles.plain_voice import PlainVoice
from model_gateway.providers.simulated.shape import Shape
from model_gateway.providers.simulated.words import Lexicon

_PENALTIES = {
    "repeated_opener": 5.0, "near_duplicate": 8.0, "placeholder": 8.0, "ungrounded": 4.0,
    "short": 4.0, "empty": 8.0,
}  # fmt: skip
_COMFORTABLE = (6.0, 60.0)
_TOO_LONG = 0.03
_NOISE = 0.35
_FIRST_IS_BETTER = 0.15
_TIE = 0.12
_TOP = 10.0
_CHOICES = frozenset({"winner", "preference", "preferred", "better", "choice", "verdict", "best"})
_SIDES = ({"a", "before", "first", "left", "1"}, {"b", "after", "second", "right", "2"})


class Judge(PlainVoice):
    """Scores the contents of `<a>` and `<b>`, once for every `<question>`."""

    def __init__(self, conversation: Conversation, lexicon: Lexicon, draw: Draw) -> None:
        super().__init__(conversation, lexicon, draw)
        plan = "\n".join(b.text for b in conversation.all("plan"))
        first = conversation.block("a", "output", "outputs")
        second = conversation.block("b")
        self._questions = [b.text for b in conversation.all("question")]
        read = (_read(first, plan), _read(second, plan))
        self._plain = (read[0][0], read[1][0])
        self._faults = (read[0][1], read[1][1])

    def enter(self, shape: Shape, path: Path) -> Mapping[str, Any]:
        """Return scores, the winner and the reason; each question is judged separately."""
        index = plain_voice.list_index(path)
        stream = self.draw.at(("question", -1 if index is None else index))
        one = self._plain[0] + _NOISE * stream.normal() + _FIRST_IS_BETTER
        two = self._plain[1] + _NOISE * stream.normal()
        values: dict[str, Any] = {}
        for node in shape.properties:
            parts = kinds.parts_of(node.name)
            if node.kind == "choice" and _CHOICES & set(parts):
                values[node.name] = plain_voice.chosen(node, _winner(one, two))
            elif node.kind == "string" and _CHOICES & set(parts):
                values[node.name] = _winner(one, two)[0]
            elif node.kind in {"integer", "number"}:
                values.update(_scored(node, parts, one, two))
            elif node.kind == "string" and parts[:1] == ("question",) and index is not None:
                values[node.name] = self._question(index)
            elif node.kind == "string" and plain_voice.is_statement(node.name):
                seen_in_a, seen_in_b = self._faults
                values[node.name] = f"a {one:.1f} ({seen_in_a}); b {two:.1f} ({seen_in_b})"
        return values

    def count(self, shape: Shape, path: Path) -> int:
        """Return the number of questions for a list of answers."""
        if self._questions and shape.items is not None and shape.items.kind == "object":
            return plain_voice.within(len(self._questions), shape)
        return super().count(shape, path)

    def document(self, path: Path) -> str:  # noqa: ARG002
        """Return the verdict in one word and the scores."""
        one, two = self._plain
        return f"{_winner(one + _FIRST_IS_BETTER, two)[0]}: a {one:.1f}, b {two:.1f}"

    def _question(self, index: int) -> str:
        return self._questions[index] if index < len(self._questions) else ""


def _read(block: Block | None, plan: str) -> tuple[float, str]:
    """Return a mark, 10 less the penalties for defects per text, and the worst defects in words."""
    if block is None:
        return _TOP / 2, ""
    texts = defects.passages(block.text)
    if not texts:
        return 0.0, ""
    seen = defects.found_in(texts, plan)
    rates = defects.rates(texts, seen)
    lost = sum(_PENALTIES.get(kind, 0.0) * rate for kind, rate in rates.items())
    short, long = _COMFORTABLE
    lost += max(0.0, short - rates["length"]) + _TOO_LONG * max(0.0, rates["length"] - long)
    return max(0.0, _TOP - lost), ", ".join(defect.text() for defect in seen[:2])


def _winner(one: float, two: float) -> list[str]:
    if abs(one - two) <= _TIE:
        return ["tie", "equal", "same", "both"]
    return [*sorted(_SIDES[0 if one > two else 1])][::-1]


def _scored(node: Shape, parts: tuple[str, ...], one: float, two: float) -> dict[str, Any]:
    low = 0.0 if node.low is None else node.low
    high = _TOP if node.high is None else node.high
    if parts and parts[-1] == "confidence":
        part = min(1.0, abs(one - two) / 2)
        high = 1.0 if node.high is None else node.high
    elif parts and (parts[-1] in _SIDES[1] or parts[0] in _SIDES[1]):
        part = two / _TOP
    elif parts and (parts[-1] in _SIDES[0] or parts[0] in _SIDES[0] or "score" in parts):
        part = one / _TOP
    else:
        return {}
    value = low + min(1.0, max(0.0, part)) * (high - low)
    return {node.name: round(value) if node.kind == "integer" else round(value, 2)}
