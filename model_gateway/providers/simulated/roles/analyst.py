"""A reader of files that reports observations with exact quotes, paths and lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_gateway.providers.simulated import kinds, words
from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.messages import Block, Conversation
from model_gateway.providers.simulated.referrer import Path
from model_gateway.providers.simulated.roles import defects, plain_voice
from model_gateway.providers.simulated.roles.plain_voice import PlainVoice
from model_gateway.providers.simulated.shape import Shape
from model_gateway.providers.simulated.words import Lexicon

_LONGEST = 120
_LEAST_WORDS = 4
_MOST = 12
_LINES_A_FILE = 3


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Something seen in a file: an exact quote of one line, with its path and line number."""

    path: str
    line: int
    quote: str
    kind: str

    def text(self) -> str:
        """Return the observation as a checkable statement."""
        return f'{self.kind}: "{self.quote}" ({self.path}:{self.line})'


class Analyst(PlainVoice):
    """Fills lists with observations from the blocks that have a `path`."""

    def __init__(self, conversation: Conversation, lexicon: Lexicon, draw: Draw) -> None:
        super().__init__(conversation, lexicon, draw)
        files = [block for block in conversation.blocks if "path" in block.attributes]
        plan = "\n".join(b.text for b in conversation.all("plan"))
        seen = [one for block in files for one in _observed(block, plan)]
        stream = draw.at(("analyst",))
        faults = [one for one in seen if one.kind != "line"]
        self._seen = stream.shuffled(faults) + stream.shuffled(
            [one for one in seen if one.kind == "line"]
        )

    def enter(self, shape: Shape, path: Path) -> Mapping[str, Any]:
        """Return an observation for an object in a list, and several for a lone object."""
        index = plain_voice.list_index(path)
        if index is None:
            summary = "; ".join(one.text() for one in self._seen[:3])
            return plain_voice.statements(shape, summary) if summary else {}
        if not self._seen:
            return {}
        # Lists beside each other should differ.
        start = sum(map(ord, str(path[0]))) if len(path) > 1 else 0
        return _fields(shape, self._seen[(start + index) % len(self._seen)])

    def count(self, shape: Shape, path: Path) -> int:
        """Return the requested count, but not more than was seen."""
        requested = super().count(shape, path)
        return plain_voice.within(min(requested, max(1, len(self._seen))), shape)

    def text(self, shape: Shape, path: Path, topic: str) -> str:
        """Return an observation in words, for a lone field or a string in a list."""
        if not self._seen:
            return super().text(shape, path, topic)
        return self.draw.at(path).pick(self._seen).text()

    def document(self, path: Path) -> str:  # noqa: ARG002
        """Return the observations as a list."""
        return "\n".join(f"- {one.text()}" for one in self._seen[:_MOST])


def _fields(shape: Shape, seen: Observation) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for node in shape.properties:
        parts = set(kinds.parts_of(node.name))
        if node.kind == "integer" and "line" in parts:
            values[node.name] = seen.line
        elif node.kind != "string":
            continue
        elif parts & {"path", "file", "filename"}:
            values[node.name] = seen.path
        elif parts & {"quote", "span", "excerpt"}:
            values[node.name] = seen.quote
        elif "line" in parts:
            values[node.name] = str(seen.line)
        elif "kind" in parts:
            values[node.name] = seen.kind
        elif plain_voice.is_statement(node.name):
            values[node.name] = seen.text()
    return values


def _observed(block: Block, plan: str) -> list[Observation]:
    """Return the defects of one file by line, and a few of its lines as they are."""
    path = block.attributes["path"]
    lines = block.text.splitlines()
    observations: list[Observation] = []
    texts = defects.passages(block.text)
    for defect in defects.found_in(texts, plan)[:_MOST]:
        for number, line in enumerate(lines, 1):
            if defect.quote and defect.quote in line:
                quote = defect.quote[:_LONGEST]
                observations.append(
                    Observation(path=path, line=number, quote=quote, kind=defect.kind)
                )
                break
    long_lines = [(n, line) for n, line in enumerate(lines, 1) if words.size(line) >= _LEAST_WORDS]
    step = max(1, len(long_lines) // _LINES_A_FILE)
    for number, line in long_lines[::step][:_LINES_A_FILE]:
        quote = line.strip()[:_LONGEST]
        observations.append(Observation(path=path, line=number, quote=quote, kind="line"))
    return observations
