"""A Python source file as text in its own encoding, one part of which can be replaced."""

from __future__ import annotations

import ast
import io
import re
import tokenize

from self_improve.errors import UsageError

LINE_END = re.compile(r"\r\n|\r|\n")


def text_of(source: bytes) -> str:
    """Return the text of a file in whatever encoding it declares, to be read by people."""
    try:
        return source.decode(_encoding_of(source))
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return source.decode("utf-8", "replace")


def syntax_of(source: bytes) -> str | None:
    """Return the syntax tree of a file as text, or None if it is not Python."""
    try:
        return ast.dump(ast.parse(source))
    except (SyntaxError, ValueError):
        return None


def _encoding_of(source: bytes) -> str:
    # The parser ends lines at a bare carriage return too, the tokenizer's reader does not.
    lines = io.BytesIO(re.sub(rb"\r\n?", b"\n", source))
    return tokenize.detect_encoding(lines.readline)[0]


class SourceFile:
    """The text of a Python file; its encoding, byte order mark and line ends are kept."""

    def __init__(self, source: bytes) -> None:
        """Read a file.

        Raises:
            UsageError: it is not Python, or its encoding does not give back the same bytes.
        """
        try:
            self._encoding = _encoding_of(source)
            self.text = source.decode(self._encoding)
            ast.parse(source)
        except (SyntaxError, ValueError, LookupError, RecursionError) as error:
            raise UsageError(f"its file is not Python that can be read: {error}") from error
        if self._encoded(self.text) != source:
            raise UsageError(f"its file cannot be written back unchanged in {self._encoding}")
        line_ends = LINE_END.findall(self.text)
        self._line_end = max(("\n", "\r\n", "\r"), key=line_ends.count)

    def with_part(self, start: int, end: int, part: str) -> bytes:
        """Return the file with another text between two positions in its text."""
        part = part.replace("\n", self._line_end)
        return self._encoded(self.text[:start] + part + self.text[end:])

    def can_write(self, character: str) -> bool:
        """Whether the file's encoding has a character."""
        try:
            # Some encodings take a character and give back another.
            return character.encode(self._encoding).decode(self._encoding) == character
        except UnicodeError:
            return False

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self._encoding)
        except UnicodeError as error:
            raise UsageError(f"its file cannot be written in {self._encoding}") from error
