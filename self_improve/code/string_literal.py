"""Writes a text as a Python string, in the manner of the one whose place it takes."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

WIDTH = 100

_TOKEN = re.compile(r"([A-Za-z]*)(\"\"\"|'''|\"|')(.*)\2", re.DOTALL)
_LINE = re.compile(r"((?:[^\\\n]|\\.)*)(?:\n|\Z)", re.DOTALL)
_ODD_ESCAPE = re.compile(r"\\(?:\\\\)*[^\\\n'\"abfnrtvxuUN0-7]")
_SHORT_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}

CanWrite = Callable[[str], bool]
"""Whether a file's encoding has this character."""


@dataclass(frozen=True, kw_only=True)
class Old:
    """A string as it stands in a file, its lines ended by the one character.

    `before` is what stands before it on its line; `bracketed` says that it stands inside
    brackets, where lines may end anywhere.
    """

    source: str
    value: str
    before: str
    bracketed: bool

    def parts(self) -> list[str]:
        """Return the strings that stand side by side in it, mostly one.

        Raises:
            ValueError: a comment stands between them, which would be lost.
        """
        tokens = list(tokenize.generate_tokens(io.StringIO(f"({self.source})").readline))
        if any(token.type == tokenize.COMMENT for token in tokens):
            raise ValueError("a comment stands between its parts and would be lost")
        return [token.string for token in tokens if token.type == tokenize.STRING]


def forms(text: str, old: Old, can_write: CanWrite) -> Iterator[str]:
    """Yield literals for `text`, the one most like `old` first.

    Which of them are right in their place is for a parser to say; the last always is.

    Raises:
        ValueError: see `Old.parts`.
    """
    writer = _Writer(text, can_write)
    parts = old.parts()
    prefix, quote, body = _taken_apart(parts[0])
    if len(parts) > 1 and "\n" in old.source:
        yield writer.side_by_side(quote[0], indent=_second_indent(old.source))
    elif len(quote) == len('"""') and len(parts) == 1:
        wraps = _continues(body.removeprefix("\\\n"))
        yield writer.block(
            quote,
            opens_below=body.startswith("\\\n"),
            width=WIDTH if wraps else None,
            known={} if "r" in prefix.lower() else _lines_of(body, quote),
        )
    else:
        yield from _grown(writer, old, quote[0])
    yield writer.block('"""', opens_below=True, width=None, known={})


def _grown(writer: _Writer, old: Old, quote: str) -> Iterator[str]:
    """Yield forms for what was on one line: as before if the new text fits there."""
    several = "\n" in writer.text.rstrip("\n") and "\n" not in old.value
    line = writer.line(quote)
    fits = columns(old.before) + columns(line) < WIDTH
    if fits and (old.bracketed or not several):
        yield line
    indent = len(old.before) - len(old.before.lstrip())
    if not old.bracketed:
        yield writer.block('"""', opens_below=True, width=WIDTH, known={})
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
        self, quote: str, *, opens_below: bool, width: int | None, known: dict[str, str]
    ) -> str:
        """Return it between triple quotes, lines longer than `width` continued on the next.

        Lines that are `known` are written as they were.
        """
        lines = self.text.split("\n")
        written = []
        for number, line in enumerate(lines):
            if line in known:
                written.append(known[line])
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

        Between triple quotes only those quotes are escaped that would end it.
        """
        risky = set(range(len(text)))
        if triple:
            run = re.escape(quote)
            ending = re.compile(f"{run}{{3,}}|{run}+\\Z" if ends else f"{run}{{3,}}")
            risky = {at for found in ending.finditer(text) for at in range(*found.span())}
        return [
            f"\\{one}" if one == quote and at in risky else self._written(one)
            for at, one in enumerate(text)
        ]

    def _written(self, one: str) -> str:
        if one in _SHORT_ESCAPES:
            return _SHORT_ESCAPES[one]
        # What does not print might hide or turn around what a reviewer reads.
        if one.isprintable() and self._can_write(one):
            return one
        code = ord(one)
        if code <= 0xFF:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _taken_apart(token: str) -> tuple[str, str, str]:
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise ValueError("it is no plain string")
    prefix, quote, body = found.groups()
    return prefix, quote, body


def _second_indent(source: str) -> int:
    line = source.split("\n", 2)[1]
    return len(line) - len(line.lstrip())


def _continues(body: str) -> bool:
    return any("\\\n" in line for line in _LINE.findall(body))


def _lines_of(body: str, quote: str) -> dict[str, str]:
    """Return how the lines of an old text are written, by what they say."""
    known: dict[str, str] = {}
    for written in _LINE.findall(body.removeprefix("\\\n")):
        if quote[0] in written or _ODD_ESCAPE.search(written):
            continue
        try:
            value = ast.literal_eval(f"{quote}{written}{quote}")
        except (SyntaxError, ValueError):
            continue
        if "\n" not in value:
            known.setdefault(value, written)
    return known


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
