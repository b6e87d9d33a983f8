"""The voice of a role in all other fields: short, with the words it was shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from model_gateway.providers.simulated import kinds, names, words
from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.messages import Conversation
from model_gateway.providers.simulated.referrer import Path
from model_gateway.providers.simulated.shape import Shape
from model_gateway.providers.simulated.words import Lexicon

_FEW = 3
_MOST = 12
_LENGTH = 12
_NUMERAL = re.compile(r"(?<![\w.,])\d{1,2}(?![\w.,%])")
STATEMENTS = frozenset({
    "change", "rationale", "reason", "reasoning", "explanation", "justification", "issue",
    "problem", "defect", "observation", "title", "finding", "claim", "critique", "criticism",
    "feedback", "summary", "statement", "message", "hypothesis", "gradient", "comment", "evidence",
    "recommendation", "difference", "description", "answer", "assessment",
})  # fmt: skip
"""Names of fields in which a role reports what it did or saw."""


class PlainVoice:
    """Fills what a role does not: counts by schema or request, texts from the words shown."""

    def __init__(self, conversation: Conversation, lexicon: Lexicon, draw: Draw) -> None:
        self._lexicon = lexicon
        self.draw = draw
        instructions = f"{conversation.system}\n{conversation.user}"
        stated = [int(numeral) for numeral in _NUMERAL.findall(instructions)]
        self._stated = next((n for n in stated if 1 <= n <= _MOST), _FEW)
        self._taken: dict[str, frozenset[str]] = {}

    def enter(self, shape: Shape, path: Path) -> Mapping[str, Any]:  # noqa: ARG002
        """Decide nothing."""
        return {}

    def count(self, shape: Shape, path: Path) -> int:  # noqa: ARG002
        """Return the first numeral of the request, within the schema's bounds."""
        return within(self._stated, shape)

    def name(self, shape: Shape, path: Path) -> str:  # noqa: ARG002
        """Return a short name from the words shown."""
        name, bag = names.new_name(self._lexicon, self.draw.at(path), _FEW, self._taken.values())
        self._taken[name] = bag
        return name

    def text(self, shape: Shape, path: Path, topic: str) -> str:  # noqa: ARG002
        """Return a fragment of the words shown."""
        return words.join(self._lexicon.fragment(self.draw.at(path), _LENGTH))

    def document(self, path: Path) -> str:
        """Return a fragment, too; roles with more to say override this."""
        return self.text(Shape(kind="string"), path, "")

    def currencies(self) -> tuple[str, ...]:
        """Return the currencies of the words shown."""
        return self._lexicon.currencies


def within(count: int, shape: Shape) -> int:
    """Return `count` inside the schema's bounds for a list."""
    low = count if shape.low is None else max(count, int(shape.low))
    return low if shape.high is None else min(low, int(shape.high))


def list_index(path: Path) -> int | None:
    """Return the index in the innermost list around `path`, or None outside of lists."""
    return next((part for part in reversed(path) if isinstance(part, int)), None)


def statements(shape: Shape, text: str) -> dict[str, str]:
    """Return `text` for each field of an object in which a role reports."""
    fields = (p.name for p in shape.properties if p.kind == "string" and is_statement(p.name))
    return dict.fromkeys(fields, text)


def is_statement(name: str) -> bool:
    """Whether a role reports what it did or saw in a field called `name`."""
    return any(part in STATEMENTS for part in kinds.parts_of(name))


def chosen(node: Shape, preferred: Sequence[str]) -> Any:
    """Return the first of the preferred values that a choice offers, or its first value."""
    offered = {str(value).casefold(): value for value in node.choices}
    return next((offered[one] for one in preferred if one in offered), node.choices[0])
