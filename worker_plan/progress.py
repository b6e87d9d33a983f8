"""Showing the steps of a plan go by: a bar on a terminal, a plain line a step anywhere else."""

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

from model_gateway import beside
from worker_plan.plan_record import ATTEMPTS

_POLL_SECONDS = 0.2


@dataclass(kw_only=True)
class Used:
    """What the model calls of this session came to so far."""

    calls: int = 0
    failed: int = 0
    tokens: int = 0
    dollars: float = 0.0

    def text(self) -> str:
        """Return the figures on one line."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.calls} calls{failed} · {self.tokens} tokens · ${self.dollars:.4f}"


class Display(Protocol):
    """What shows the progress of a plan."""

    def begin(self, steps: int, done: int) -> None:
        """Show that `done` of `steps` steps were done before."""
        ...

    def update(self, finished: Sequence[str], used: Used) -> None:
        """Show that these steps are done now, and what the calls came to."""
        ...

    def end(self) -> None:
        """Show no more."""
        ...


class Lines:
    """One plain line for each step."""

    def __init__(self, stream: TextIO, expected: str) -> None:
        self._stream = stream
        self._expected = expected
        self._steps = self._done = 0
        self._began = time.monotonic()

    def begin(self, steps: int, done: int) -> None:
        """Print what is expected, and take note of the numbers."""
        self._stream.write(self._expected + "\n")
        self._steps, self._done = steps, done

    def update(self, finished: Sequence[str], used: Used) -> None:
        """Print each step that is done."""
        for name in finished:
            self._done += 1
            seconds = time.monotonic() - self._began
            self._stream.write(
                f"[{self._done}/{self._steps}] {name} · {used.text()} · {seconds:.0f} s\n"
            )
        self._stream.flush()

    def end(self) -> None:
        """Nothing to show."""


class Bar:
    """A bar with steps, calls, tokens, cost and time."""

    def __init__(self, expected: str) -> None:
        self._expected = expected
        # Imported here because only a terminal needs it.
        from rich.console import Console
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
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("steps", total=None, told="")

    def begin(self, steps: int, done: int) -> None:
        """Print what is expected, and show the bar."""
        self._progress.console.print(self._expected, markup=False, highlight=False)
        self._progress.update(self._task, total=steps, completed=done)
        self._progress.start()

    def update(self, finished: Sequence[str], used: Used) -> None:
        """Move the bar, and name the step that was finished last."""
        told = used.text() + (f" · {finished[-1]}" if finished else "")
        self._progress.update(self._task, advance=len(finished), told=told)

    def end(self) -> None:
        """Leave the bar as it is."""
        self._progress.stop()


def display(expected: str) -> Display:
    """Return the display that fits where the output goes; `expected` tells the cost of a plan."""
    return Bar(expected) if sys.stderr.isatty() else Lines(sys.stdout, expected)


class Watch:
    """Looks at the plan's files from time to time and tells a display; a context manager.

    Steps run in processes of their own, so their files are the one thing that tells of all.
    """

    def __init__(self, run_dir: Path, tasks: Sequence[luigi.Task], display: Display | None) -> None:
        self._display = display
        self._waiting = [task for task in tasks if not task.complete()]
        self._total = len(tasks)
        self._attempts = run_dir / beside.FOLDER / ATTEMPTS
        self._place = self._attempts.stat().st_size if self._attempts.exists() else 0
        self._used = Used()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
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
        """Look a last time."""
        if self._display is not None:
            self._ended.set()
            self._thread.join()
            self._look(self._display)
            self._display.end()

    def _look_on(self) -> None:
        while self._display is not None and not self._ended.wait(_POLL_SECONDS):
            self._look(self._display)

    def _look(self, display: Display) -> None:
        finished = [task for task in self._waiting if task.complete()]
        self._waiting = [task for task in self._waiting if task not in finished]
        self._count()
        display.update([_name(task) for task in finished], self._used)

    def _count(self) -> None:
        """Add the attempts that were written since the last look; a torn line waits."""
        try:
            with self._attempts.open("rb") as file:
                file.seek(self._place)
                new = file.read()
        except FileNotFoundError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self._place += len(whole)
        for line in whole.splitlines():
            row: dict[str, Any] = json.loads(line)
            self._used.calls += 1
            self._used.failed += row.get("failure_kind") is not None
            self._used.tokens += (row.get("input_tokens") or 0) + (row.get("output_tokens") or 0)
            self._used.dollars += row.get("cost") or 0.0


def _name(task: luigi.Task) -> str:
    return type(task).__module__.rpartition(".")[2]
