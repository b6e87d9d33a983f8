"""Shows the progress of cells: a bar on a terminal, plain lines elsewhere, nothing for JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from model_gateway import terminal
from model_gateway.attempt import Attempt
from model_gateway.counts import counted
from self_improve.runs.jobs import Job, Watcher


class Display(Watcher, Protocol):
    """A watcher that learns how many cells there will be, and when all have ended."""

    def begin(self, cells: int) -> None:
        """Show that `cells` cells will follow."""
        ...

    def end(self) -> None:
        """Stop showing anything."""
        ...


class Counts:
    """Counts what has happened so far; the other displays show it."""

    def __init__(self) -> None:
        self.cells = 0
        self.done = 0
        self.failed = 0
        self.partial = 0
        self.calls = 0
        self.tokens = 0
        self.dollars = 0.0

    def begin(self, cells: int) -> None:
        """Set how many more cells will follow."""
        self.cells = self.done + cells

    def end(self) -> None:
        """Nothing to show."""

    def started(self, job: Job) -> None:
        """Nothing to count."""

    def attempted(self, job: Job, attempt: Attempt, *, replayed: bool) -> None:  # noqa: ARG002
        """Count an attempt, unless an earlier session paid for it."""
        if replayed:
            return
        self.calls += 1
        self.tokens += (attempt.input_tokens or 0) + (attempt.output_tokens or 0)
        self.dollars += attempt.cost or 0.0

    def ended(self, job: Job, row: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Count a cell."""
        self.done += 1
        self.failed += row["error"] is not None
        self.partial += row["error"] is None and row["partial"]

    def dropped(self, job: Job, reason: str) -> None:
        """Nothing to count: the cell remains to be done."""


class Lines(Counts):
    """One plain line for each cell."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._began = time.monotonic()

    def ended(self, job: Job, row: Mapping[str, Any]) -> None:
        """Print how a cell ended."""
        super().ended(job, row)
        state = "failed" if row["error"] else "partial" if row["partial"] else "ok"
        error = f" · {row['error'].splitlines()[0][:160]}" if row["error"] else ""
        repeat = f" repeat {job.repeat}" if job.repeat else ""
        self._say(
            f"[{self.done}/{self.cells}] {state:7} {_names(job)}{repeat} · "
            f"{counted(row['calls'], 'call')} · {row['duration_seconds']:.1f} s{error}"
        )

    def _say(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class Bar(Counts):
    """A bar with cells, failures, tokens, cost and the remaining time."""

    def __init__(self) -> None:
        super().__init__()
        # Imported here because only a terminal needs it.
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )  # fmt: skip

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=terminal.console(sys.stderr),
        )
        self._task = self._progress.add_task("cells", total=None, status="")

    def begin(self, cells: int) -> None:
        """Show the bar."""
        super().begin(cells)
        self._progress.update(self._task, total=self.cells)
        self._progress.start()

    def end(self) -> None:
        """Stop the bar and leave it on the screen."""
        self._progress.stop()

    def attempted(self, job: Job, attempt: Attempt, *, replayed: bool) -> None:
        """Show the tokens and the cost so far."""
        super().attempted(job, attempt, replayed=replayed)
        self._show()

    def ended(self, job: Job, row: Mapping[str, Any]) -> None:
        """Move the bar; a failure gets a line above it."""
        super().ended(job, row)
        if row["error"]:
            first = row["error"].splitlines()[0]
            self._progress.console.print(f"failed: {_names(job)}: {first}", markup=False)
        self._show()

    def _show(self) -> None:
        failed = f"{self.failed} failed · " if self.failed else ""
        status = f"{failed}{self.tokens} tokens · ${self.dollars:.4f}"
        self._progress.update(self._task, completed=self.done, status=status)


def _names(job: Job) -> str:
    specification = job.arm.specification
    return f"{specification.step.name} · {specification.model.name} · {job.plan}"


def display(*, quiet: bool) -> Display:
    """Return the display that fits the standard error stream."""
    if quiet:
        return Counts()
    if sys.stderr.isatty():
        return Bar()
    return Lines(sys.stderr)
