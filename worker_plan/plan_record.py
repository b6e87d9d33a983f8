"""What lies in a plan's directory beside its artifacts: what is expected, what it used, its end."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_gateway import beside
from model_gateway.journal import read_attempts
from model_gateway.usage import OVERVIEW, USAGE, overview, usage_rows
from worker_plan.artifact import text
from worker_plan.errors import PlanError

METADATA = "001-3-planexe_metadata.json"
EXPECTED = "expected_filenames1.json"
COMPLETE = "999-pipeline_complete.txt"
PIPELINE_VERSION = 1
ATTEMPTS = "attempts.jsonl"
ORDER = ".order.json"
_INCOMPLETE = "incomplete: "


def begin(run_dir: Path, artifacts: Sequence[str]) -> None:
    """Write what can be said before the first step: the version, and the names to expect."""
    _write(run_dir / METADATA, {"pipeline_version": PIPELINE_VERSION})
    _write(run_dir / EXPECTED, [*artifacts, COMPLETE])


def ordered(run_dir: Path, models: Sequence[str], speed: str) -> None:
    """Write by which models and how fast the plan is made, so that `resume` need not be told."""
    _write(run_dir / ORDER, {"models": list(models), "speed": speed})


def order(run_dir: Path) -> tuple[list[str], str | None]:
    """Return the models and the speed of the session before; nothing if none is on record."""
    try:
        told = json.loads((run_dir / ORDER).read_bytes())
        return [str(name) for name in told["models"]], str(told["speed"])
    except (OSError, ValueError, KeyError, TypeError):
        return [], None


def end(run_dir: Path, incomplete: Sequence[str]) -> None:
    """Write what the calls used, and last that all is there; `incomplete` names marked gaps."""
    attempts = read_attempts(run_dir / beside.FOLDER / ATTEMPTS)
    if attempts or not (run_dir / USAGE).exists():  # A copy of a plan has left its journal behind.
        rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in usage_rows(attempts))
        text(USAGE).save(run_dir, rows)
        _write(run_dir / OVERVIEW, overview(attempts))
    told = "".join(f"{_INCOMPLETE}{one}\n" for one in incomplete)
    text(COMPLETE).save(run_dir, f"Every artifact is there.\n{told}")


def incomplete(run_dir: Path) -> list[str]:
    """Return the marked gaps that the mark of a complete plan names."""
    lines = text(COMPLETE).load(run_dir).splitlines()
    return [line.removeprefix(_INCOMPLETE) for line in lines if line.startswith(_INCOMPLETE)]


def not_complete(run_dir: Path) -> None:
    """Take away the mark of a complete plan, because an artifact is about to change."""
    (run_dir / COMPLETE).unlink(missing_ok=True)


@contextmanager
def only_pipeline(run_dir: Path) -> Iterator[None]:
    """Hold the lock of the one pipeline that works on a plan.

    Raises:
        PlanError: another process holds it.
    """
    lock = os.open(run_dir, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PlanError(f"Another pipeline works on {run_dir}; wait for it.") from error
        yield
    finally:
        os.close(lock)


def shortcomings(run_dir: Path, artifacts: Iterable[str]) -> dict[str, int]:
    """Return how many calls failed or were recovered in part, by the name of the raw artifact.

    They are read off the metadata that every raw artifact holds for each call.
    """
    patterns = [re.compile(re.escape(name).replace(re.escape("<n>"), r"\d+")) for name in artifacts]
    found: dict[str, int] = {}
    for path in sorted(run_dir.glob("*.json")):
        if not any(pattern.fullmatch(path.name) for pattern in patterns):
            continue
        try:
            count = _failures(json.loads(path.read_bytes()))
        except (OSError, ValueError, RecursionError):
            continue
        if count:
            found[path.name] = count
    return found


def _failures(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_failures, value))
    if not isinstance(value, dict):
        return 0
    own = "model_name" in value and bool(value.get("failure") or value.get("partial"))
    return own + sum(map(_failures, value.values()))


def _write(path: Path, value: Any) -> None:
    text(path.name).save(path.parent, json.dumps(value, ensure_ascii=False, indent=2) + "\n")
