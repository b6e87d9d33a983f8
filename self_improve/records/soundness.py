"""What spoils the record of a run as evidence, and what of it is missing: always by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_gateway.counts import counted
from model_gateway.foreign_files import MOST_RECORD, json_of, read_bytes
from prompt_lab import integrity
from prompt_lab.record import OUTPUTS, Run
from self_improve.errors import UsageError

DECIDED, FUTILE = "decided", "futile"
"""How a record says why it was stopped early: it was settled, or hardly would have been."""
OPEN_WORD = "INCONCLUSIVE"
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Soundness:
    """The faults of a record, which keep it from being evidence, and notes on its gaps.

    `missing` says which cells succeeded and have left nothing that could be measured.
    """

    faults: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def soundness(run: Run) -> Soundness:
    """Return the faults and gaps of a run's record.

    A killed writer may leave a torn line; the next session ends it and records the cell again. A
    record of the older form cannot be resumed, so a torn line there is a cell whose outcome is
    unknown.
    """
    name = name_of(run.path)
    faults, notes = list(integrity.alterations(run)), []
    torn, is_last_torn = _torn_lines(run.path / OUTPUTS)
    is_older = integrity.is_older(run)
    if torn and is_older:
        faults.append(f"{OUTPUTS} is torn at line {_some(torn)}: the outcome of a cell is unknown")
    elif torn and not run.finished:
        notes.append(f"{name}: {OUTPUTS} is torn at line {_some(torn)}")
    if is_last_torn and (is_older or not run.finished):
        notes.append(f"{name}: the last line of {OUTPUTS} is torn, so its cell is left out")
    absent = [
        plan if not repeat else f"{plan} (repeat {repeat})"
        for (plan, repeat), row in sorted(run.rows().items())
        if is_ok(row) and Path(plan).name == plan and not run.outputs(plan, repeat).is_dir()
    ]
    missing = (
        f"the outputs of {_some(absent)} are missing although the cells succeeded (an "
        "incomplete checkout?)",
    )
    notes += _stopped(run, name)
    return Soundness(
        faults=tuple(faults), missing=missing if absent and not faults else (), notes=tuple(notes)
    )


def require_sound(faults: Mapping[Path, Sequence[str]]) -> None:
    """Refuse runs whose records have faults.

    Args:
        faults: those of each run, by its directory.

    Raises:
        UsageError: there are any; all are named.
    """
    listed = [line for path, of_run in faults.items() for line in refusals(path, of_run)]
    if listed:
        lines = "\n  ".join(listed)
        raise UsageError(f"These records do not count as evidence:\n  {lines}\n{REMEDY}")


ALTERED = " is altered: "
REMEDY = (
    "Restore the files as they were recorded (`git checkout -- RUN` in the data repo, or `git lfs "
    "pull`), or run the cells again with --new."
)


def refusals(path: Path, faults: Sequence[str]) -> list[str]:
    """Return the faults of the run at `path` as a line that names it; none without faults."""
    if not faults:
        return []
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    return [f"{name_of(path)}{ALTERED}{'; '.join(faults[:_NAMED])}{more}"]


def name_of(path: Path) -> str:
    """Return how messages name a run."""
    return f"{path.parent.name}/{path.name}"


def is_ok(row: Mapping[str, Any]) -> bool:
    """Whether a row says that its cell succeeded."""
    return row.get("error") is None and row.get("status", "ok") == "ok"


def _torn_lines(path: Path) -> tuple[list[int], bool]:
    """Return the numbers of the torn lines, and whether the last line is torn as well."""
    try:
        data = read_bytes(path, most=MOST_RECORD)
    except OSError:
        return [], False
    lines = data.split(b"\n")
    torn = [number for number, line in enumerate(lines, start=1) if not _is_whole(line)]
    is_last_torn = torn[-1:] == [len(lines)]
    return torn[:-1] if is_last_torn else torn, is_last_torn


def _is_whole(line: bytes) -> bool:
    """Whether a line holds a row of a cell, or nothing."""
    if not line.strip():
        return True
    try:
        row = json_of(line)
    except ValueError:
        return False
    return isinstance(row, dict) and isinstance(row.get("name"), str)


def _stopped(run: Run, name: str) -> Iterator[str]:
    done = run.done() or {}
    cells = done.get("cells")
    left = cells.get("not_run") if isinstance(cells, dict) else None
    if not done.get("stopped") or not isinstance(left, list) or not left:
        return
    decision = done.get("decision")
    is_open = isinstance(decision, dict) and decision.get("word") == OPEN_WORD
    # Records from before the word was added say "decided" of both.
    why = f"it was {done['stopped']}"
    if is_open or done["stopped"] == FUTILE:
        why = "the remaining cells would hardly have decided it"
    yield f"{name}: stopped early because {why}, {counted(len(left), 'cell')} not run"


def _some(values: Sequence[object]) -> str:
    more = f" and {len(values) - _NAMED} more" if len(values) > _NAMED else ""
    return ", ".join(map(str, values[:_NAMED])) + more
