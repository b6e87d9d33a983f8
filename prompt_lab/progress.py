"""How `populate` tells a person what it does: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Listener(Protocol):
    """Hears of one zip after the other."""

    def began(self, called: str, size: int | None) -> None:
        """A zip of `size` bytes, if that is known, starts to come in."""

    def received(self, count: int) -> None:
        """So many more bytes of it are here."""

    def said(self, line: str) -> None:
        """Something a person should read."""


class Lines:
    """Prints what is said, and at the start of each zip its name."""

    def began(self, called: str, size: int | None) -> None:
        """Say which zip comes in."""
        self.said(f"  getting {called}" + (f" ({readable(size)})" if size else ""))

    def received(self, count: int) -> None:
        """Nothing: a log should not grow with the bytes."""

    def said(self, line: str) -> None:
        """Print the line."""
        print(line, flush=True)


@dataclass(kw_only=True)
class Bar:
    """One bar, for the zip under way."""

    progress: Progress
    task: TaskID | None = None

    def began(self, called: str, size: int | None) -> None:
        """Start the bar again for this zip."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.task = self.progress.add_task(called, total=size)

    def received(self, count: int) -> None:
        """Move the bar."""
        if self.task is not None:
            self.progress.advance(self.task, count)

    def said(self, line: str) -> None:
        """Print the line above the bar."""
        self.progress.console.print(line, markup=False, highlight=False, soft_wrap=True)


def on_terminal() -> AbstractContextManager[Listener]:
    """Return the listener that suits standard output; a bar is drawn while it is entered."""
    if not sys.stdout.isatty():
        return nullcontext(Lines())
    return _BarOnScreen()


class _BarOnScreen(AbstractContextManager[Listener]):
    def __enter__(self) -> Listener:
        # Imported here because it takes longer than all else that a refusal needs.
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            transient=True,
        )
        self._progress.start()
        return Bar(progress=self._progress)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def readable(size: int) -> str:
    """Return a number of bytes as a person says it."""
    if size < 1000:
        return f"{size} bytes"
    value = float(size)
    for unit in ("kB", "MB"):
        value /= 1000
        if value < 1000:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} GB"
