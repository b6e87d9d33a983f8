"""The log of one step in production: rows are only appended, by one process at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from model_gateway import entry_files
from model_gateway.jsonl import Appender, Row, dumps, read_rows
from prompt_lab import leaks
from prompt_lab.claim import claim
from prompt_lab.layout import Layout

FILE = "log.jsonl"
_WAIT_SECONDS = 60.0

Clock = Callable[[], datetime]
"""Returns the present time, with its zone."""


def now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


class Log:
    """The rows of one step. Write only while `locked`; reading needs no lock.

    A row has `kind`, `at` and its facts. A torn last line is skipped and never overwritten.
    """

    def __init__(self, layout: Layout, step: str, clock: Clock = now) -> None:
        self._layout = layout
        self._step = step
        self.clock = clock

    @property
    def path(self) -> Path:
        """The file."""
        return self._layout.rollout(self._step) / FILE

    def rows(self) -> list[Row]:
        """Return the rows in the order of writing."""
        return read_rows(self.path)[0]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that writes; rows read inside stay complete until the end.

        Raises:
            LabError: another process holds the lock for too long.
        """
        with claim(self._layout, f"rollout-{self._step}", wait_seconds=_WAIT_SECONDS):
            yield

    def append(self, *rows: Row) -> None:
        """Append rows together, with the time; they are on disk when this returns.

        Raises:
            LeakError: a row holds a key. What is once in the log stays, so nothing is appended.
            ConfigError: a file of `llm_config/` cannot be used.
            OSError: the data repo cannot be written.
        """
        texts = {f"the {row.get('kind', 'row')}": dumps(row) for row in rows}
        # All that git and the pages are checked for, keys in the entries of models included.
        redactor = entry_files.load().redactor("GITHUB_TOKEN")
        leaks.require_no_keys(redactor, texts, f"Nothing was written to {self.path.name}")
        at = self.clock().astimezone(UTC).isoformat(timespec="seconds")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with Appender(self.path) as file:
            file.append_all([{"at": at, **row} for row in rows], sync=True)


def steps(layout: Layout) -> list[str]:
    """Return the steps that have a log."""
    if not layout.rollouts.is_dir():
        return []
    return sorted(path.parent.name for path in layout.rollouts.glob(f"*/{FILE}"))


def moment(row: Row) -> datetime:
    """Return when a row was written.

    Raises:
        KeyError, ValueError: it has no valid time.
    """
    return datetime.fromisoformat(row["at"])
