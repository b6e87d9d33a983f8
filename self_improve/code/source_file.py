"""A Python source file as bytes, text and syntax tree, so that places can be found in each."""

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


def _encoding_of(source: bytes) -> str:
    # The parser ends lines at a bare carriage return too, the tokenizer's reader does not.
    lines = io.BytesIO(re.sub(rb"\r\n?", b"\n", source))
    return tokenize.detect_encoding(lines.readline)[0]


class PythonFile:
    """Its text, its syntax tree, and how places in the two match."""

    def __init__(self, source: bytes) -> None:
        """Read a file.

        Raises:
            UsageError: it is no Python, or its encoding does not give back the same bytes.
        """
        try:
            self._encoding = _encoding_of(source)
            self.text = source.decode(self._encoding)
            self.tree = ast.parse(source)
        except (SyntaxError, ValueError, LookupError, RecursionError) as error:
            raise UsageError(f"its file is no Python that can be read: {error}") from error
        if self._encoded(self.text) != source:
            raise UsageError(f"its file cannot be written back unchanged in {self._encoding}")
        ends = [found.end() for found in LINE_END.finditer(self.text)]
        self._starts = [0, *ends]
        found = [one.group() for one in LINE_END.finditer(self.text)]
        self._line_end = max(("\n", "\r\n", "\r"), key=found.count)

    def place(self, line: int, column: int) -> int:
        """Return where in the text a place of the syntax tree is; its columns count bytes."""
        start = self._starts[line - 1]
        head = self.text[start : start + column].encode("utf-8", "surrogatepass")
        return start + len(head[:column].decode("utf-8", "surrogatepass"))

    def end(self, node: ast.expr) -> int:
        """Return where in the text `node` ends."""
        return self.place(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def with_part(self, start: int, end: int, part: str) -> bytes:
        """Return the file with another text between two places."""
        part = part.replace("\n", self._line_end)
        return self._encoded(self.text[:start] + part + self.text[end:])

    def can_write(self, one: str) -> bool:
        """Whether the file's encoding has a character."""
        try:
            # Some encodings take a character and give back another.
            return one.encode(self._encoding).decode(self._encoding) == one
        except UnicodeError:
            return False

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self._encoding)
        except UnicodeError as error:
            raise UsageError(f"its file cannot be written in {self._encoding}") from error
