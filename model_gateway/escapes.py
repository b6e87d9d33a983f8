"""Undoes the escapes in which a text may stand: of JSON, URLs, HTML, shells, one in the other."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape

_MOST_LAYERS = 8
_CODES = re.compile(r"[uUx]\{?([0-9a-fA-F]+)\}?")
_OCTAL = re.compile(r"[0-7]{2,3}")
_WORDS = re.compile(r"[^\W_]+")
_LAST_CHARACTER = 0x10FFFF
# Inside a base64 text that was broken into lines, as it is or in JSON.
_LINE_BREAK = re.compile(
    r"(?=[\r\n\\])(?<=[A-Za-z0-9+/]{60})(?:\r?\n|(?:\\r)?\\n)(?=[A-Za-z0-9+/=])"
)
# An escape by the number of a character: of one in ASCII, and of any.
_ASCII = (
    r"\\(?:u00[0-7][0-9a-fA-F]|u\{0*[0-7]?[0-9a-fA-F]\}|U000000[0-7][0-9a-fA-F]"
    r"|x[0-7][0-9a-fA-F]|[01]?[0-7]{2})"
    r"|%(?:25)*[0-7][0-9a-fA-F]"
    r"|&(?:#0*[0-9]{1,3}|#[xX]0*[0-7]?[0-9a-fA-F]|[A-Za-z][A-Za-z0-9]{1,30});"
)
_ANY = (
    r"\\(?:u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{2,3})"
    r"|%(?:25)*[0-9a-fA-F]{2}"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
)


@dataclass(frozen=True)
class Layer:
    """A text after the escapes of one layer were undone; `below` is the text before."""

    text: str
    below: Layer | None = None
    tokens: re.Pattern[str] = field(default=re.compile(""), repr=False)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of this text is in the original."""
        if self.below is None:
            return start, end
        return self.below.origin(self._before(start)[0], self._before(end - 1)[1])

    def _before(self, index: int) -> tuple[int, int]:
        """Return the start and the end, in the text below, of what one character was."""
        at = bisect_right(self._escapes, index, key=lambda row: row[0]) - 1
        if at < 0:
            return index, index + 1
        _, end, begin_below, end_below = self._escapes[at]
        if index < end:
            return begin_below, end_below
        behind = end_below + index - end
        return behind, behind + 1

    @cached_property
    def _escapes(self) -> list[tuple[int, int, int, int]]:
        """The escapes that were undone: their start and end in this text, and below."""
        rows, shift = [], 0
        for match in self.tokens.finditer(self.below.text if self.below is not None else ""):
            start = match.start() + shift
            end = start + len(_character(match))
            rows.append((start, end, match.start(), match.end()))
            shift = end - match.end()
        return rows


class Escapes:
    """Undoes those escapes that can stand for a character of `texts`, and leaves all others.

    So the line breaks and quotes of ordinary JSON cost little.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        texts = list(texts)
        # JSON may escape the slash of a base64 text, too.
        marks = {c for text in texts for c in text if not c.isalnum() and not c.isspace()} | {"/"}
        simple = "".join(map(re.escape, sorted(marks - {"\\"})))
        numbers = _ASCII if all(map(str.isascii, texts)) else _ANY
        parts = [r"(?:\\\\)+", rf"\\[{simple}]" if simple else "", numbers]
        if "'" in marks:
            parts += [r"'\\''", "'\"'\"'", "''"]
        if '"' in marks:
            parts += ['""']
        self._tokens = re.compile("|".join(filter(None, parts)))
        self._numbers = re.compile(numbers)
        self._words = {max(_WORDS.findall(text), key=len, default="") for text in texts}

    def layers(self, text: str) -> Iterator[Layer]:
        """Yield the text as it is, and after each layer of escapes was undone."""
        layer = Layer(text)
        yield layer
        joined = _LINE_BREAK.sub("", text)
        if joined != text:
            yield Layer(joined, layer, _LINE_BREAK)
        escaped = "\\/" in text or self._numbers.search(text)
        if not escaped and not any(word in text for word in self._words):
            return  # The other escapes leave letters and digits as they are.
        for _ in range(_MOST_LAYERS):
            plain = self._tokens.sub(_character, layer.text)
            if plain == layer.text:
                return
            layer = Layer(plain, layer, self._tokens)
            yield layer

    def plain(self, text: str) -> str:
        """Return `text` after all its escapes were undone."""
        return [*self.layers(text)][-1].text


def _character(match: re.Match[str]) -> str:
    """Return what an escape stands for."""
    token = match[0]
    if match.re is _LINE_BREAK:
        return ""
    if token[0] == "%":
        # A percent sign may itself be escaped, again and again.
        return chr(int(token[-2:], 16))
    if token[0] == "&":
        return unescape(token)
    if token[0] != "\\":
        return token[-1]
    if token[1] == "\\":
        return token[: len(token) // 2]
    code = _CODES.fullmatch(token, 1)
    if code is not None:
        number = int(code[1], 16)
        return chr(number) if number <= _LAST_CHARACTER else token
    return chr(int(token[1:], 8)) if _OCTAL.fullmatch(token, 1) else token[1]
