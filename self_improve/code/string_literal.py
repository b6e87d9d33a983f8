"""Writes a text as a Python string literal, in the style of the one it replaces."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

WIDTH = 100

_LINE = re.compile(r"((?:[^\\\n]|\\.)*)(?:\n|\Z)", re.DOTALL)
_ODD_ESCAPE = re.compile(r"\\(?:\\\\)*[^\\\n'\"abfnrtvxuUN0-7]")
_SHORT_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}

CanWrite = Callable[[str], bool]
"""Whether a file's encoding has this character."""


@dataclass(frozen=True, kw_only=True)
class Literal:
    """A string as a file writes it between two positions, with line ends as newlines.

    `before` is the text before it on its line; `bracketed` says that it is inside brackets, where
    lines may end anywhere. `joined` says that it is several strings side by side, the `first` and
    others, `commented` that a comment is between them.
    """

    start: int
    end: int
    source: str
    value: str
    before: str
    bracketed: bool
    first: cst.SimpleString
    joined: bool
    commented: bool


def forms(text: str, old: Literal, can_write: CanWrite) -> Iterator[str]:
    """Yield literals for `text`, the one most like `old` first.

    A parser must check which of them fit there; the last one always does.
    """
    writer = _Writer(text, can_write)
    quote = old.first.quote
    body = old.first.raw_value
    if old.joined and "\n" in old.source:
        yield writer.side_by_side(quote[0], indent=_second_indent(old.source))
    elif len(quote) == len('"""') and not old.joined:
        wraps = any("\\\n" in line for line in _LINE.findall(body.removeprefix("\\\n")))
        yield writer.block(
            quote,
            opens_below=body.startswith("\\\n"),
            width=WIDTH if wraps else None,
            old_lines={} if "r" in old.first.prefix else _lines_of(body, quote),
        )
    else:
        yield from _grown(writer, old)
    yield writer.block('"""', opens_below=True, width=None, old_lines={})


def _grown(writer: _Writer, old: Literal) -> Iterator[str]:
    """Yield forms for a string on one line: as before if the new text fits there."""
    quote = old.first.quote[0]
    several = "\n" in writer.text.rstrip("\n") and "\n" not in old.value
    line = writer.line(quote)
    fits = columns(old.before) + columns(line) < WIDTH
    if fits and (old.bracketed or not several):
        yield line
    indent = len(old.before) - len(old.before.lstrip())
    if not old.bracketed:
        yield writer.block('"""', opens_below=True, width=WIDTH, old_lines={})
    elif not old.before.strip():
        yield writer.side_by_side(quote, indent=indent)
    else:
        space = " " * indent
        inner = writer.side_by_side(quote, indent=indent + 4)
        yield f"(\n{space}    {inner}\n{space})"


class _Writer:
    """Writes one text in several forms."""

    def __init__(self, text: str, can_write: CanWrite) -> None:
        self.text = text
        self._can_write = can_write

    def line(self, quote: str) -> str:
        """Return it on one line, in the quotes that need fewer escapes."""
        other = "'" if quote == '"' else '"'
        if quote in self.text and other not in self.text:
            quote = other
        return quote + "".join(self._units(self.text, quote)) + quote

    def side_by_side(self, quote: str, *, indent: int) -> str:
        """Return it as strings side by side, one to a line; the first is not indented."""
        pieces = [
            f"{quote}{chunk}{quote}"
            for line in self.text.splitlines(keepends=True) or [""]
            for chunk in _chunks(self._units(line, quote), WIDTH - indent - 3)
        ]
        return ("\n" + " " * indent).join(pieces)

    def block(
        self, quote: str, *, opens_below: bool, width: int | None, old_lines: dict[str, str]
    ) -> str:
        """Return it between triple quotes, lines longer than `width` continued on the next.

        Lines in `old_lines` are written as they were.
        """
        lines = self.text.split("\n")
        written = []
        for number, line in enumerate(lines):
            if line in old_lines:
                written.append(old_lines[line])
                continue
            units = self._units(line, quote[0], triple=True, ends=number == len(lines) - 1)
            if units and units[-1] == " " and number < len(lines) - 1:
                units[-1] = "\\x20"  # Editors and linters take spaces away from ends of lines.
            chunks = [units] if width is None else _chunks(units, width - 2)
            written.append("\\\n".join("".join(chunk) for chunk in chunks))
        return quote + ("\\\n" if opens_below else "") + "\n".join(written) + quote

    def _units(
        self, text: str, quote: str, *, triple: bool = False, ends: bool = False
    ) -> list[str]:
        """Return each character as it is written between such quotes.

        Between triple quotes only quotes that would end it are escaped.
        """
        risky = set(range(len(text)))
        if triple:
            run = re.escape(quote)
            ending = re.compile(f"{run}{{3,}}|{run}+\\Z" if ends else f"{run}{{3,}}")
            risky = {at for match in ending.finditer(text) for at in range(*match.span())}
        return [
            f"\\{one}" if one == quote and at in risky else self._written(one)
            for at, one in enumerate(text)
        ]

    def _written(self, one: str) -> str:
        if one in _SHORT_ESCAPES:
            return _SHORT_ESCAPES[one]
        # A character that does not print might hide or reorder what a reviewer reads.
        if one.isprintable() and self._can_write(one):
            return one
        code = ord(one)
        if code <= 0xFF:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _second_indent(source: str) -> int:
    line = source.split("\n", 2)[1]
    return len(line) - len(line.lstrip())


def _lines_of(body: str, quote: str) -> dict[str, str]:
    """Return how the lines of an old text are written, by their value."""
    lines: dict[str, str] = {}
    for written in _LINE.findall(body.removeprefix("\\\n")):
        if quote[0] in written or _ODD_ESCAPE.search(written):
            continue
        try:
            value = ast.literal_eval(f"{quote}{written}{quote}")
        except (SyntaxError, ValueError):
            continue
        if "\n" not in value:
            lines.setdefault(value, written)
    return lines


def _chunks(units: Sequence[str], room: int) -> Iterator[str]:
    """Yield the written characters in lines of at most `room` columns, broken after a space."""
    start = space = width = 0
    for at, unit in enumerate(units):
        wide = columns(unit)
        if width + wide > max(room, 20) and at > start:
            cut = space if space > start else at
            yield "".join(units[start:cut])
            start, width = cut, sum(map(columns, units[cut:at]))
        width += wide
        if unit == " ":
            space = at + 1
    yield "".join(units[start:])


def columns(text: str) -> int:
    """Return how many columns `text` takes on a screen."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
