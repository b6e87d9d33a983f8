"""A writer of code that makes one small, harmless edit in the first file shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.messages import Block, Conversation
from model_gateway.providers.simulated.referrer import Path
from model_gateway.providers.simulated.roles.plain_voice import PlainVoice
from model_gateway.providers.simulated.shape import Shape
from model_gateway.providers.simulated.words import Lexicon

_DESCRIPTION = re.compile(r'^.*description="[^"\\\n]+\.".*$', re.MULTILINE)
_ADDED = " Keep to what the plan says."
_SUMMARY = "Adds a sentence to the description of a field."


class Coder(PlainVoice):
    """Fills an object with `path`, `old` and `new` by an edit of a field's description.

    A file without such a line gets a comment at its end.
    """

    def __init__(self, conversation: Conversation, lexicon: Lexicon, draw: Draw) -> None:
        super().__init__(conversation, lexicon, draw)
        self._files = [block for block in conversation.blocks if "path" in block.attributes]

    def enter(self, shape: Shape, path: Path) -> Mapping[str, Any]:  # noqa: ARG002
        """Return an edit for an object that requests one, and a summary for the one around it."""
        names = {node.name for node in shape.properties}
        if "summary" in names:
            return {"summary": _SUMMARY}
        if not {"path", "old", "new"} <= names or not self._files:
            return {}
        old, new = _edit(self._files[0])
        return {"path": self._files[0].attributes["path"], "old": old, "new": new}

    def count(self, shape: Shape, path: Path) -> int:  # noqa: ARG002
        """Return one, because there is one edit."""
        return max(1, int(shape.low or 1))


def _edit(file: Block) -> tuple[str, str]:
    for match in _DESCRIPTION.finditer(file.text):
        line = match[0]
        if file.text.count(line) == 1 and _ADDED not in line:
            return line, line.replace('."', f'.{_ADDED}"', 1)
    lines = file.text.splitlines()
    start = len(lines) - 1
    while start > 0 and file.text.count("\n".join(lines[start:])) > 1:
        start -= 1
    last = "\n".join(lines[start:])
    return last, f"{last}\n# Tried on the simulated model."
