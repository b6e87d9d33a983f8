"""What a terminal is sent: text of models and records is shown there and never obeyed.

Everything that commands print goes through `TerminalStream`, which writes control characters,
changes of the writing direction and invisible characters as escapes, and what the terminal's
encoding lacks, too. A stream that is closed, or that nobody reads any more, takes the rest
silently: it must not change how a command ends.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_KEPT = {"\n", "\t", "\u200c", "\u200d"}  # The last two shape Arabic, Persian and emoji.
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_STANDARD = (0, 1, 2)


def visible(text: str) -> str:
    """Return text in which control characters and invisible ones are written as escapes."""
    if text.isprintable():
        return text
    return "".join(_escape(char) if _is_hidden(char) else char for char in text)


def _is_hidden(char: str) -> bool:
    return char not in _KEPT and unicodedata.category(char) in _HIDDEN


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _printed(text: str) -> str:
    """Return what `visible` does with escapes of JSON, so that printed JSON stays JSON."""
    if text.isprintable():
        return text
    return "".join(json.dumps(char)[1:-1] if _is_hidden(char) else char for char in text)


class OpenStream:
    """A text stream in front of another one, `raw`, that takes everything, also when it closes."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)

    def write(self, text: str) -> int:
        """Write a text; what the encoding of the stream lacks is written as escapes.

        Raises:
            OSError: the disk is full, for example; what was printed is lost.
        """
        encoding = getattr(self.raw, "encoding", None)
        if encoding and not text.isascii():
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        self._do(lambda: self.raw.write(text))
        return len(text)

    def flush(self) -> None:
        """Send on what was written.

        Raises:
            OSError: as `write`.
        """
        self._do(self.raw.flush)

    def _do(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            # What it holds back would fail once more, at the latest when the interpreter ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.raw.fileno())
            os.close(nowhere)
            self.raw.flush()
            if not isinstance(error, BrokenPipeError) and error.errno != errno.EBADF:
                name = "standard error" if self.raw is sys.__stderr__ else "standard output"
                raise OSError(error.errno, error.strerror, name) from error


class TerminalStream(OpenStream):
    """An `OpenStream` for people: nothing that is written to it moves the cursor or hides."""

    def write(self, text: str) -> int:
        """Write a text with what would be hidden or obeyed as escapes.

        Raises:
            OSError: as `OpenStream.write`.
        """
        super().write(_printed(text))
        return len(text)


@contextmanager
def guarded() -> Iterator[None]:
    """Let everything that is printed inside go through `TerminalStream`."""
    _open_standard()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_guard(one) for one in before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            # A caller who must know that it was lost has flushed it before.
            with suppress(OSError):
                stream.flush()
        sys.stdout, sys.stderr = before


def _guard(stream: Any) -> Any:
    if stream is None:
        # It lasts as long as the process, as the stream in whose place it is would have.
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    return stream if isinstance(stream, TerminalStream) else TerminalStream(stream)


def _open_standard() -> None:
    """Let closed standard descriptors lead nowhere, or else a file of ours would become one."""
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


def console(stream: Any, width: int | None = None) -> Console:
    """Return a console of rich for a stream: its own styles stay, all text is made visible."""
    # Imported here because only tables and bars need it.
    from rich.console import Console
    from rich.segment import Segment

    class SafeConsole(Console):
        def _render_buffer(self, buffer: Any) -> str:
            return super()._render_buffer(
                segment if segment.control else Segment(visible(segment.text), segment.style)
                for segment in buffer
            )

    raw = stream.raw if isinstance(stream, OpenStream) else stream
    file: Any = OpenStream(raw)
    return SafeConsole(file=file, width=width, highlight=False, markup=False, emoji=False)
