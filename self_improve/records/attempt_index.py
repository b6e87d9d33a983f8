"""Which lines of `attempts.jsonl` belong to which cell, without parsing them all at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from model_gateway.foreign_files import opened
from model_gateway.jsonl import Row
from model_gateway.replies import json_in

MOST_LINE = 12_000_000
MOST_CELL = 60_000_000
"""Bytes: longer lines, and the lines of a cell beyond this, are not read."""

# How every line of the journal begins; other lines are parsed whole.
_HEAD = re.compile(rb'\{"cell": ("(?:[^"\\]|\\.)*"), "key": "(?:[^"\\]|\\.)*", "repeat": (\d+),')


@dataclass(frozen=True, kw_only=True)
class SentTexts:
    """What a cell's first attempts sent, and its replies in the order of the calls.

    A reply is the JSON value in it, or its text where no schema asked for JSON.
    """

    system: Sequence[str]
    user: Sequence[str]
    replies: Sequence[Any]


@dataclass(frozen=True)
class AttemptIndex:
    """The attempts of one run, by cell."""

    path: Path

    @cached_property
    def _lines(self) -> dict[tuple[str, int], list[tuple[int, int, bytes]]]:
        """The offset, length and digest of each line, by plan and repeat."""
        lines: defaultdict[tuple[str, int], list[tuple[int, int, bytes]]] = defaultdict(list)
        try:
            file = opened(self.path)
        except OSError:
            return {}
        with file:
            offset = 0
            while line := file.readline(MOST_LINE):
                cell = _cell_of(line)
                if cell is not None:
                    lines[cell].append((offset, len(line), hashlib.sha256(line).digest()))
                offset += len(line)
        return dict(lines)

    def digest(self, plan: str, repeat: int) -> bytes:
        """Return a digest of a cell's attempts."""
        return b"".join(digest for _, _, digest in self._lines.get((plan, repeat), ()))

    def sent(self, plan: str, repeat: int) -> SentTexts:
        """Return what a cell's attempts sent, and of each call the last successful reply."""
        system: dict[str, None] = {}
        user: dict[str, None] = {}
        replies: dict[str, Any] = {}
        for row in self._rows(plan, repeat):
            key, messages = str(row.get("key")), row.get("messages")
            replies.setdefault(key, None)
            if row.get("number") == 1 and isinstance(messages, list):
                for message in messages:
                    _add(message, system, user)
            text = row.get("text")
            succeeded = row.get("failure_kind") is None and row.get("status") in {"ok", "partial"}
            if succeeded and isinstance(text, str):
                value = json_in(text, _mended(row)) if row.get("schema") is not None else text
                replies[key] = value if value is not None else text
        return SentTexts(
            system=tuple(system),
            user=tuple(user),
            replies=tuple(reply for reply in replies.values() if reply is not None),
        )

    def _rows(self, plan: str, repeat: int) -> Iterator[Row]:
        left = MOST_CELL
        lines = self._lines.get((plan, repeat), ())
        if not lines:
            return
        with opened(self.path) as file:
            for offset, length, _ in lines:
                left -= length
                if left < 0:
                    return
                file.seek(offset)
                row = _parsed(file.read(length))
                if row is not None:
                    yield row


def _mended(row: Row) -> list[str]:
    mended = row.get("mended")
    return [mend for mend in mended if isinstance(mend, str)] if isinstance(mended, list) else []


def _add(message: Any, system: dict[str, None], user: dict[str, None]) -> None:
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        return
    if message.get("role") == "system":
        system.setdefault(message["content"])
    elif message.get("role") == "user":
        user.setdefault(message["content"])


def _cell_of(line: bytes) -> tuple[str, int] | None:
    head = _HEAD.match(line)
    if head is not None:
        try:
            return str(json.loads(head[1])), int(head[2])
        except ValueError:
            return None
    row = _parsed(line) if line.startswith(b"{") else None
    if row is None or not isinstance(row.get("cell"), str):
        return None
    repeat = row.get("repeat", 0)
    return (row["cell"], repeat) if isinstance(repeat, int) else None


def _parsed(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
