"""A reader of files that reports what it sees with exact quotes, each with its path and line."""

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
    """Something seen in a file: an exact quote of one line, and where the line stands."""

    path: str
    line: int
    quote: str
    kind: str

    def text(self) -> str:
        """Return the observation as a statement that can be checked."""
        return f'{self.kind}: "{self.quote}" ({self.path}:{self.line})'


class Analyst(PlainVoice):
    """Fills lists with observations from the blocks that have a `path`."""

    def __init__(self, talk: Conversation, lexicon: Lexicon, draw: Draw) -> None:
        super().__init__(lexicon, draw, f"{talk.system}\n{talk.user}")
        files = [block for block in talk.blocks if "path" in block.attributes]
        plan = "\n".join(b.text for b in talk.all("plan"))
        seen = [one for block in files for one in _observed(block, plan)]
        stream = draw.at(("analyst",))
        faults = [one for one in seen if one.kind != "line"]
        self._seen = stream.shuffled(faults) + stream.shuffled(
            [one for one in seen if one.kind == "line"]
        )

    def enter(self, shape: Shape, path: Path) -> Mapping[str, Any]:
        """Return an observation for an object in a list, and several told for one that is alone."""
        index = next((part for part in reversed(path) if isinstance(part, int)), None)
        if index is None:
            told = "; ".join(one.text() for one in self._seen[:3])
            return {
                place.name: told
                for place in shape.properties
                if told and place.kind == "string" and plain_voice.is_statement(place.name)
            }
        if not self._seen:
            return {}
        # Lists beside each other should not all tell the same.
        start = sum(map(ord, str(path[0]))) if len(path) > 1 else 0
        return _said(shape, self._seen[(start + index) % len(self._seen)])

    def count(self, shape: Shape, path: Path) -> int:
        """Return as many as asked for, and no more than was seen."""
        asked = super().count(shape, path)
        return plain_voice.within(min(asked, max(1, len(self._seen))), shape)

    def text(self, shape: Shape, path: Path, topic: str) -> str:
        """Return an observation told in words, for a field of its own or a string in a list."""
        if not self._seen:
            return super().text(shape, path, topic)
        return self.draw.at(path).pick(self._seen).text()

    def document(self, path: Path) -> str:  # noqa: ARG002
        """Return the observations as a list."""
        return "\n".join(f"- {one.text()}" for one in self._seen[:_MOST])


def _said(shape: Shape, seen: Observation) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for place in shape.properties:
        parts = set(kinds.parts_of(place.name))
        if place.kind == "integer" and "line" in parts:
            known[place.name] = seen.line
        elif place.kind != "string":
            continue
        elif parts & {"path", "file", "filename"}:
            known[place.name] = seen.path
        elif parts & {"quote", "span", "excerpt"}:
            known[place.name] = seen.quote
        elif "line" in parts:
            known[place.name] = str(seen.line)
        elif "kind" in parts:
            known[place.name] = seen.kind
        elif plain_voice.is_statement(place.name):
            known[place.name] = seen.text()
    return known


def _observed(block: Block, plan: str) -> list[Observation]:
    """Return the defects of one file by line, and a few of its lines as they are."""
    path = block.attributes["path"]
    lines = block.text.splitlines()
    found: list[Observation] = []
    texts = defects.passages(block.text)
    for defect in defects.found_in(texts, plan)[:_MOST]:
        for number, line in enumerate(lines, 1):
            if defect.quote and defect.quote in line:
                quote = defect.quote[:_LONGEST]
                found.append(Observation(path=path, line=number, quote=quote, kind=defect.kind))
                break
    telling = [(n, line) for n, line in enumerate(lines, 1) if words.size(line) >= _LEAST_WORDS]
    step = max(1, len(telling) // _LINES_A_FILE)
    for number, line in telling[::step][:_LINES_A_FILE]:
        quote = line.strip()[:_LONGEST]
        found.append(Observation(path=path, line=number, quote=quote, kind="line"))
    return found
