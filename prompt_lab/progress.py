"""The progress of `populate`: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from model_gateway import terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Listener(Protocol):
    """Receives the progress of one zip after the other."""

    def began(self, called: str, size: int | None) -> None:
        """A zip of `size` bytes, if known, starts to arrive."""

    def received(self, count: int) -> None:
        """`count` more bytes of it arrived."""

    def message(self, line: str) -> None:
        """There is a message for people."""


class Lines:
    """Prints every message, and the name of each zip at its start."""

    def began(self, called: str, size: int | None) -> None:
        """Print which zip arrives."""
        self.message(f"  getting {called}" + (f" ({readable(size)})" if size else ""))

    def received(self, count: int) -> None:
        """Print nothing: a log should not grow with the bytes."""

    def message(self, line: str) -> None:
        """Print the line."""
        print(line, flush=True)


@dataclass(kw_only=True)
class Bar:
    """One bar, for the zip that arrives."""

    progress: Progress
    task: TaskID | None = None

    def began(self, called: str, size: int | None) -> None:
        """Restart the bar for this zip."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.task = self.progress.add_task(called, total=size)

    def received(self, count: int) -> None:
        """Advance the bar."""
        if self.task is not None:
            self.progress.advance(self.task, count)

    def message(self, line: str) -> None:
        """Print the line above the bar."""
        self.progress.console.print(line, markup=False, highlight=False, soft_wrap=True)


def on_terminal() -> AbstractContextManager[Listener]:
    """Return the listener that suits standard output; a bar is drawn while it is entered."""
    if not sys.stdout.isatty():
        return nullcontext(Lines())
    return _BarOnScreen()


class _BarOnScreen(AbstractContextManager[Listener]):
    def __enter__(self) -> Listener:
        # Imported here because it takes longer than everything else a refusal needs.
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            transient=True,
            console=terminal.console(sys.stdout),
        )
        self._progress.start()
        return Bar(progress=self._progress)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def readable(size: int) -> str:
    """Return a number of bytes for people."""
    if size < 1000:
        return f"{size} bytes"
    value = float(size)
    for unit in ("kB", "MB"):
        value /= 1000
        if value < 1000:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} GB"
