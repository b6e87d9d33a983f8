"""The progress of a plan: a bar on a terminal, elsewhere a plain line for each step."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

import luigi

from model_gateway import beside, terminal
from model_gateway.counts import counted
from model_gateway.foreign_files import opened
from worker_plan.plan_record import ATTEMPTS

_POLL_SECONDS = 0.2


@dataclass(kw_only=True)
class Used:
    """What the model calls of this session used so far."""

    calls: int = 0
    failed: int = 0
    tokens: int = 0
    dollars: float = 0.0

    def text(self) -> str:
        """Return the figures on one line."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{counted(self.calls, 'call')}{failed} · {self.tokens} tokens · ${self.dollars:.4f}"


class Display(Protocol):
    """Shows the progress of a plan."""

    def begin(self, steps: int, done: int) -> None:
        """Show that `done` of `steps` steps are already finished."""
        ...

    def update(self, finished: Sequence[str], used: Used) -> None:
        """Show newly finished steps, and what the calls used so far."""
        ...

    def end(self) -> None:
        """Stop the display."""
        ...


class Lines:
    """A plain line for each step."""

    def __init__(self, stream: TextIO, expected: str) -> None:
        self._stream = stream
        self._expected = expected
        self._steps = self._done = 0
        self._began = time.monotonic()

    def begin(self, steps: int, done: int) -> None:
        """Print the expected cost, and store the numbers."""
        self._stream.write(self._expected + "\n")
        self._steps, self._done = steps, done

    def update(self, finished: Sequence[str], used: Used) -> None:
        """Print a line for each finished step."""
        for name in finished:
            self._done += 1
            seconds = time.monotonic() - self._began
            self._stream.write(
                f"[{self._done}/{self._steps}] {name} · {used.text()} · {seconds:.0f} s\n"
            )
        self._stream.flush()

    def end(self) -> None:
        """Do nothing."""


class Bar:
    """A bar with steps, calls, tokens, cost and time."""

    def __init__(self, expected: str) -> None:
        self._expected = expected
        # Imported here because only terminals need it.
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self._progress = Progress(
            TextColumn("steps"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[summary]}"),
            TimeElapsedColumn(),
            console=terminal.console(sys.stderr),
        )
        self._task = self._progress.add_task("steps", total=None, summary="")

    def begin(self, steps: int, done: int) -> None:
        """Print the expected cost, and show the bar."""
        self._progress.console.print(self._expected, markup=False, highlight=False)
        self._progress.update(self._task, total=steps, completed=done)
        self._progress.start()

    def update(self, finished: Sequence[str], used: Used) -> None:
        """Advance the bar, and show the last finished step."""
        summary = used.text() + (f" · {finished[-1]}" if finished else "")
        self._progress.update(self._task, advance=len(finished), summary=summary)

    def end(self) -> None:
        """Stop the bar."""
        self._progress.stop()


def display(expected: str) -> Display:
    """Return a bar for a terminal, else lines; `expected` describes the cost of a plan."""
    return Bar(expected) if sys.stderr.isatty() else Lines(sys.stdout, expected)


class Watch:
    """A context manager that polls the plan's files and updates a display.

    Steps run in processes of their own, so only their files show the progress of all.
    """

    def __init__(self, run_dir: Path, tasks: Sequence[luigi.Task], display: Display | None) -> None:
        self._display = display
        self._waiting = [task for task in tasks if not task.complete()]
        self._total = len(tasks)
        self._attempts = run_dir / beside.FOLDER / ATTEMPTS
        self._offset = self._attempts.stat().st_size if self._attempts.exists() else 0
        self._used = Used()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> Self:
        """Start polling."""
        if self._display is not None:
            self._display.begin(self._total, self._total - len(self._waiting))
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Poll a last time."""
        if self._display is not None:
            self._ended.set()
            self._thread.join()
            self._update(self._display)
            self._display.end()

    def _poll(self) -> None:
        while self._display is not None and not self._ended.wait(_POLL_SECONDS):
            self._update(self._display)

    def _update(self, display: Display) -> None:
        finished = [task for task in self._waiting if task.complete()]
        self._waiting = [task for task in self._waiting if task not in finished]
        self._count()
        display.update([_name(task) for task in finished], self._used)

    def _count(self) -> None:
        """Add the attempts written since the last poll; an unfinished line is left for the next."""
        try:
            with opened(self._attempts) as file:
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return
        complete = new[: new.rfind(b"\n") + 1]
        self._offset += len(complete)
        for line in complete.splitlines():
            row: dict[str, Any] = json.loads(line)
            self._used.calls += 1
            self._used.failed += row.get("failure_kind") is not None
            self._used.tokens += (row.get("input_tokens") or 0) + (row.get("output_tokens") or 0)
            self._used.dollars += row.get("cost") or 0.0


def _name(task: luigi.Task) -> str:
    return type(task).__module__.rpartition(".")[2]
