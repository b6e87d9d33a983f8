"""A run in history: written by one process, read by many, never changed once finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from model_gateway.attempt import Attempt, digest_of
from model_gateway.foreign_files import MOST_RECORD, read_json_object
from model_gateway.journal import read_attempts
from model_gateway.jsonl import Appender, Row, dumps, read_rows
from prompt_lab import atomic
from prompt_lab.allocate import allocate
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout, is_number, number_of, runs, step_of

SCHEMA_VERSION = 1
ESTIMATED = "estimated"
"""The event with the US dollars that a run was expected to cost when it began."""
META, ATTEMPTS, EVENTS, OUTPUTS = "meta.json", "attempts.jsonl", "events.jsonl", "outputs.jsonl"
RESERVATIONS, SURFACES, DONE, CELL_ROW = (
    "reservations.jsonl", "surfaces.json", "done.json", "row.json",
)  # fmt: skip
SEAL = "seal"
"""The key of `done.json` that holds the digest of all its others."""

CellKey = tuple[str, str, int]
"""Plan, model and repeat: two cells that agree in them are a pair."""
RunCell = tuple[str, int]
"""A cell inside its run: the plan's name and the repeat."""


class Evidence(StrEnum):
    """What a result may be used for, the weakest kind first.

    Simulated models say nothing about real ones; a historical result lacks something that
    evidence needs, such as a commit.
    """

    simulated = "simulated"
    historical = "historical"
    real = "real"

    @classmethod
    def weakest(cls, kinds: Iterable[Evidence]) -> Evidence:
        """Return the weakest of `kinds`, which several results are together; real without any."""
        present = set(kinds)
        return next((kind for kind in cls if kind in present), cls.real)


@dataclass(frozen=True)
class Run:
    """A run as recorded in its directory. Older formats lack some parts."""

    path: Path

    @cached_property
    def meta(self) -> dict[str, Any]:
        """The intent of the run; empty if it cannot be read."""
        return self._read_json(META) or {}

    @property
    def number(self) -> int:
        """The number of the run, which is only a name."""
        return number_of(self.path)

    @property
    def step(self) -> str:
        """The step that was run."""
        return str(self.meta.get("step") or step_of(self.path))

    @property
    def model(self) -> str:
        """The name of the model."""
        model = self.meta.get("model")
        return str(model.get("primary", "")) if isinstance(model, dict) else ""

    @property
    def is_simulated(self) -> bool:
        """Whether a simulated model was run."""
        model = self.meta.get("model")
        return isinstance(model, dict) and model.get("provider") == "simulated"

    @property
    def finished(self) -> bool:
        """Whether every cell has its row. Older records lack this mark and count as finished."""
        is_older = bool(self.meta) and "schema_version" not in self.meta
        return is_older or (self.path / DONE).is_file()

    def done(self) -> dict[str, Any] | None:
        """Return the facts written when the run was finished; None before and in older records."""
        return self._read_json(DONE)

    def rows(self) -> dict[RunCell, Row]:
        """Return the last row of each cell; a torn last line is ignored."""
        rows: dict[RunCell, Row] = {}
        for row in read_rows(self.path / OUTPUTS)[0]:
            plan, repeat = row.get("name"), row.get("repeat") or 0
            if isinstance(plan, str) and isinstance(repeat, int):
                rows[plan, repeat] = row
        return rows

    def outputs(self, plan: str, repeat: int = 0) -> Path:
        """Return the directory of one cell's artifacts."""
        if repeat == 0:
            return self.path / "outputs" / plan
        return self.path / "repeats" / str(repeat) / plan

    def attempts(self) -> list[Attempt]:
        """Return every recorded attempt; older records have none."""
        return read_attempts(self.path / ATTEMPTS)

    def surfaces(self) -> dict[str, Any]:
        """Return the prompt surfaces as sent; empty in older records."""
        return self._read_json(SURFACES) or {}

    def _read_json(self, name: str) -> dict[str, Any] | None:
        try:
            return read_json_object(self.path / name, most=MOST_RECORD)
        except (OSError, ValueError):
            return None


@dataclass(frozen=True)
class RunWriter:
    """The one writer of a run; `begin` creates it under the claim of the run's specification."""

    run: Run
    _events: Appender = field(repr=False)
    _rows: Appender = field(repr=False)

    def event(self, event: str, **facts: Any) -> None:
        """Append an event as recorded: `timestamp`, `event` and its facts."""
        timestamp = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._events.append({"timestamp": timestamp, "event": event, **facts})

    def keep(self, cell: RunCell, folder: Path, row: Row) -> None:
        """Move a cell's artifacts from `folder` into the run, then append its row.

        The directory holds the row, too, so that a kill between the two steps loses nothing.
        """
        # This write need not be atomic: only the rename of the directory makes it count.
        (folder / CELL_ROW).write_text(dumps(row), encoding="utf-8")
        target = self.run.outputs(*cell)
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        # Not synced: after a crash it is beside the artifacts, or the journal replays the cell.
        self._rows.append(row)

    def fail(self, cell: RunCell, folder: Path, row: Row) -> None:
        """Move what a failed cell left to `failed/<plan>/<n>/`, then append its row."""
        self._set_aside(cell, folder)
        self._rows.append(row)

    def _set_aside(self, cell: RunCell, folder: Path) -> None:
        plan, repeat = cell
        parent = self.run.path / "failed" / (plan if repeat == 0 else f"{plan}.{repeat}")
        parent.mkdir(parents=True, exist_ok=True)
        numbers = [int(p.name) for p in parent.iterdir() if is_number(p.name)]
        folder.rename(parent / str(max(numbers, default=-1) + 1))

    def adopt(self) -> None:
        """Append the rows of artifacts whose process was killed right after moving them."""
        rows = self.run.rows()
        for plan, repeat, folder in _folders(self.run):
            last = rows.get((plan, repeat))
            # A failed cell has no artifacts there, unless it was run again and succeeded.
            is_missing = last is None or last.get("error") is not None
            if is_missing and (folder / CELL_ROW).is_file():
                try:
                    row = read_json_object(folder / CELL_ROW)
                except (OSError, ValueError):
                    # A machine that stopped may have lost the row: the cell is run again.
                    self._set_aside((plan, repeat), folder)
                else:
                    self._rows.append(row, sync=True)

    def write_json(self, name: str, value: Any) -> None:
        """Write a file that does not exist yet.

        Raises:
            LabError: it exists; a record is never overwritten.
        """
        path = self.run.path / name
        if path.exists():
            raise LabError(f"{path} exists; a record is never overwritten.")
        atomic.write_json(path, value, indent=2)

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write `done.json`, last: `facts`, the digest of every file, and its own seal."""
        digests = {
            str(path.relative_to(self.run.path)): file_digest(path)
            for path in sorted(self.run.path.rglob("*"))
            if path.is_file() and not _is_partial(path)
        }
        done = {**facts, "digests": digests}
        atomic.write_json(self.run.path / DONE, {**done, SEAL: seal_of(done)}, indent=2)

    def close(self) -> None:
        """Close the files."""
        self._events.close()
        self._rows.close()


def begin(layout: Layout, step: str, specification: str, meta: Mapping[str, Any]) -> RunWriter:
    """Start a new run: claim a number and write `meta.json`, once.

    The caller holds the claim of `specification`.

    Raises:
        OSError: the data repo cannot be written.
    """
    number = allocate(layout)
    earlier = sum(1 for _ in of_specification(layout, specification))
    identity = {
        "schema_version": SCHEMA_VERSION,
        "run_id": f"{specification[:16]}-{earlier}",
        "specification": specification,
        "number": number,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    # The directory appears complete with its meta.json, or not at all.
    fresh = layout.scratch / f"run-{number}"
    fresh.mkdir(parents=True)
    atomic.write_json(fresh / META, {**meta, **identity}, indent=2)
    path = layout.run(number, step)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh.rename(path)
    return reopen(Run(path))


def reopen(run: Run) -> RunWriter:
    """Resume a run."""
    writer = RunWriter(run, Appender(run.path / EVENTS), Appender(run.path / OUTPUTS))
    writer.adopt()
    return writer


def of_specification(layout: Layout, specification: str) -> Iterator[Run]:
    """Yield the runs of a specification, in the order of their numbers."""
    for path in runs(layout):
        run = Run(path)
        if run.meta.get("specification") == specification:
            yield run


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal_of(done: Mapping[str, Any]) -> str:
    """Return the digest of the facts in `done.json`."""
    return digest_of({key: value for key, value in done.items() if key != SEAL})


def changed_since_done(run: Run) -> list[str]:
    """Return the files of a finished run that differ from their digests in `done.json`."""
    done = json.loads((run.path / DONE).read_text(encoding="utf-8"))
    return [
        name
        for name, digest in done["digests"].items()
        if not (run.path / name).is_file() or file_digest(run.path / name) != digest
    ]


def _folders(run: Run) -> Iterable[tuple[str, int, Path]]:
    for folder in sorted((run.path / "outputs").glob("*/")):
        yield folder.name, 0, folder
    for folder in sorted((run.path / "repeats").glob("*/*/")):
        if is_number(folder.parent.name):
            yield folder.name, int(folder.parent.name), folder


def _is_partial(path: Path) -> bool:
    """Whether a killed atomic write left this file, which the next write removes."""
    return path.name.startswith(".") and path.name.endswith(".part")
