"""One cell as command and zygote know it: its request, its result, and the files it leaves."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Self

RESULT = "result.json"
LOG = "log.txt"
PLAN = "plan"
HOME = "home"
FINISHED = 93
"""The exit status of a cell whose step ran to its end: one that no step has by itself."""


@dataclass(frozen=True, kw_only=True)
class CellRequest:
    """What the zygote is asked to run.

    `folder` is the cell's scratch directory: the plan is in `plan/` below it; the result and the
    log are written beside that. `route` leads to the step's task (see `task_graph.follow`). `texts`
    are a candidate's, by surface id. A confined cell has its home beside the plan.
    """

    id: str
    step: str
    route: tuple[int, ...]
    model: str
    speed: str
    seed: int
    folder: str
    door: str
    url: str = ""
    texts: dict[str, str] = field(default_factory=dict)

    def to_row(self) -> dict[str, Any]:
        """Return the request as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read a request from plain JSON values."""
        return cls(**{**row, "route": tuple(row["route"])})


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """How the cell's process ended; `error` is None if nothing went wrong.

    `asks_for` are the artifacts, as a JSON list of names, of tasks that the step asked for while it
    ran: with them it may succeed.
    """

    error: str | None = None
    kind: str | None = None
    trace: str | None = None
    asks_for: str | None = None

    @property
    def asked_names(self) -> list[str]:
        """The names in `asks_for`; a stranger's cell may have written it."""
        try:
            names = json.loads(self.asks_for or "[]")
        except (ValueError, RecursionError):
            return []
        return [one for one in names if isinstance(one, str)] if isinstance(names, list) else []

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `write_result` wrote.

        Raises:
            ValueError: the text is something else.
        """
        try:
            result = cls(**json.loads(text))
        except (TypeError, RecursionError) as error:
            raise ValueError("not a result of a cell") from error
        if not all(isinstance(value, str | None) for value in vars(result).values()):
            raise ValueError("not a result of a cell")
        return result


def result_file(folder: Path) -> IO[str]:
    """Open the file for a cell's result; as long as it is empty there is none."""
    return (folder / RESULT).open("w", encoding="utf-8")


def write_result(result: CellResult, file: IO[str]) -> None:
    """Write the result."""
    file.write(json.dumps(asdict(result)))
    file.flush()


def write_death(status: int, folder: Path) -> None:
    """Write how the cell's process ended, if it ended before it had written its result.

    `status` is its exit status, negative for the signal that killed it.
    """
    if read_result(folder) is not None:
        return
    names = {one.value: one.name for one in signal.Signals}
    killer = names.get(-status, f"signal {-status}")
    how = f"killed by {killer}" if status < 0 else f"exit status {status}"
    error = f"the process ended before the step did ({how})"
    with result_file(folder) as file:
        write_result(CellResult(error=error, kind="Died"), file)


def read_result(folder: Path) -> CellResult | None:
    """Return what a failed cell has written, or None if it could write nothing."""
    try:
        return CellResult.from_text((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
