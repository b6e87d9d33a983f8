"""A text editor that proposes changed prompts from its messages alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from model_gateway.providers.simulated import kinds
from model_gateway.providers.simulated.draw import Draw, Stream
from model_gateway.providers.simulated.messages import Conversation
from model_gateway.providers.simulated.referrer import Path
from model_gateway.providers.simulated.roles import edits, evidence, induction, plain_voice
from model_gateway.providers.simulated.roles.examples import Edit
from model_gateway.providers.simulated.roles.plain_voice import PlainVoice
from model_gateway.providers.simulated.shape import Shape
from model_gateway.providers.simulated.words import Lexicon

_TRIES = 24
_LONGEST_EDITED = 20_000
_SECOND_EDIT = 0.35
_SURFACE = frozenset({"surface", "id", "name", "target", "component"})


class Proposer(PlainVoice):
    """Fills every object that has a `text` with an edited prompt, its `surface` and a statement."""

    def __init__(self, conversation: Conversation, lexicon: Lexicon, draw: Draw) -> None:
        super().__init__(conversation, lexicon, draw)
        shown = [(b.attributes.get("id", ""), b.text) for b in conversation.all("prompt")]
        self._prompts = shown or [("", induction.starting_text(conversation, draw))]
        feedback = "\n".join(b.text for b in conversation.all("feedback"))
        self._evidence = evidence.read(feedback)
        self._seen = {_plain(text) for _, text in self._prompts}
        for block in conversation.all("attempts", "attempt"):
            self._seen.update(_texts(block.text))
        self._turn = draw.at(("proposer",)).below(len(self._prompts))

    def enter(self, shape: Shape, path: Path) -> Mapping[str, Any]:
        """Return an edited text for an object that has a property `text`, and a statement."""
        node = shape.property("text")
        if node is None or node.kind != "string":
            return {}
        surface, edit = self.propose(path)
        values: dict[str, Any] = {"text": edit.text}
        for other in shape.properties:
            if other.name == "text":
                continue
            if kinds.parts_of(other.name)[:1] and kinds.parts_of(other.name)[0] in _SURFACE:
                values[other.name] = (
                    plain_voice.chosen(other, [surface.casefold()])
                    if other.kind == "choice"
                    else surface
                )
            elif plain_voice.is_statement(other.name) and other.kind == "string":
                values[other.name] = edit.statement()
        return values

    def propose(self, path: Path) -> tuple[str, Edit]:
        """Return the surface and the edit of the next proposal, different from all before it."""
        surface, text = self._prompts[self._turn % len(self._prompts)]
        named = len({name for name, _ in self._prompts}) == len(self._prompts)
        donors = [] if named and surface else [other for _, other in self._prompts]
        self._turn += 1
        stream = self.draw.at(path, "edit")
        # An edit of a huge text would take seconds.
        head, tail = text[:_LONGEST_EDITED], text[_LONGEST_EDITED:]
        edit = self._edited(head, [donor[:_LONGEST_EDITED] for donor in donors], stream)
        edit = replace(edit, text=edit.text + tail)
        self._seen.add(_plain(edit.text))
        return surface, edit

    def document(self, path: Path) -> str:
        """Return one edited prompt, for a request without a shape."""
        return self.propose(path)[1].text

    def _edited(self, text: str, donors: list[str], stream: Stream) -> Edit:
        """Try operations in a random order, those that need feedback first."""
        others = [donor for donor in donors if donor != text]
        first = [*edits.PROMPTED, *([edits.crossing(others)] if others else [])]
        order = stream.shuffled(first) + stream.shuffled(edits.UNPROMPTED)
        # Without fitting feedback, the first kind returns nothing and costs nothing.
        if stream.chance(0.5):
            order = stream.shuffled(order)
        both = stream.chance(_SECOND_EDIT)
        for number in range(_TRIES):
            edit = order[number % len(order)](text, self._evidence, stream)
            if edit is None or not edit.text.strip():
                continue
            if both:
                again = order[(number + 1) % len(order)](edit.text, self._evidence, stream)
                if again is not None and self._is_new(again.text):
                    return again
            if self._is_new(edit.text):
                return edit
        return Edit(operation="repeat", touched=text, text=f"{text.rstrip()}\n\n{text.strip()}")

    def _is_new(self, text: str) -> bool:
        return bool(text.strip()) and _plain(text) not in self._seen


def _plain(text: str) -> str:
    return " ".join(text.split())


def _texts(shown: str) -> set[str]:
    """Return the texts in a list of attempts: the strings of JSON, else its paragraphs."""
    try:
        value = json.loads(shown)
    except (ValueError, RecursionError):
        return {_plain(shown), *(_plain(part) for part in shown.split("\n---\n"))}
    texts: set[str] = set()
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, str):
            texts.add(_plain(one))
        elif isinstance(one, Mapping):
            rest.extend(one.values())
        elif isinstance(one, list):
            rest.extend(one)
    return texts
