"""Files of a plan beside its artifacts: expected names, options, usage, mark of completeness."""

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
from model_gateway.foreign_files import read_json
from model_gateway.journal import read_attempts
from model_gateway.usage import OVERVIEW, USAGE, overview, usage_rows
from worker_plan.artifact import text
from worker_plan.errors import PlanError

METADATA = "001-3-planexe_metadata.json"
EXPECTED = "expected_filenames1.json"
COMPLETE = "999-pipeline_complete.txt"
PIPELINE_VERSION = 1
ATTEMPTS = "attempts.jsonl"
OPTIONS = ".order.json"
_INCOMPLETE = "incomplete: "


def begin(run_dir: Path, artifacts: Sequence[str]) -> None:
    """Write the files that exist before the first step: the version and the expected names."""
    _write(run_dir / METADATA, {"pipeline_version": PIPELINE_VERSION})
    _write(run_dir / EXPECTED, [*artifacts, COMPLETE])


def save_options(run_dir: Path, models: Sequence[str], speed: str) -> None:
    """Write the models and the speed of the plan, the defaults of a later `resume`."""
    _write(run_dir / OPTIONS, {"models": list(models), "speed": speed})


def saved_options(run_dir: Path) -> tuple[list[str], str | None]:
    """Return the models and the speed of the previous session, or nothing if there was none."""
    try:
        options = read_json(run_dir / OPTIONS)
        return [str(name) for name in options["models"]], str(options["speed"])
    except (OSError, ValueError, KeyError, TypeError):
        return [], None


def end(run_dir: Path, incomplete: Sequence[str]) -> None:
    """Write what the calls used, then the mark of completeness, which lists the known gaps."""
    attempts = read_attempts(run_dir / beside.FOLDER / ATTEMPTS)
    if attempts or not (run_dir / USAGE).exists():  # A copied plan has no journal.
        rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in usage_rows(attempts))
        text(USAGE).save(run_dir, rows)
        _write(run_dir / OVERVIEW, overview(attempts))
    lines = "".join(f"{_INCOMPLETE}{gap}\n" for gap in incomplete)
    text(COMPLETE).save(run_dir, f"Every artifact is there.\n{lines}")


def incomplete(run_dir: Path) -> list[str]:
    """Return the gaps that the mark of a complete plan lists."""
    lines = text(COMPLETE).load(run_dir).splitlines()
    return [line.removeprefix(_INCOMPLETE) for line in lines if line.startswith(_INCOMPLETE)]


def remove_mark(run_dir: Path) -> None:
    """Remove the mark of a complete plan, because an artifact is about to change."""
    (run_dir / COMPLETE).unlink(missing_ok=True)


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Hold the lock of a plan: only one pipeline may work on it.

    Raises:
        PlanError: another process holds it.
    """
    lock = os.open(run_dir, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PlanError(
                f"Another pipeline is working on {run_dir}. Wait until it ends."
            ) from error
        yield
    finally:
        os.close(lock)


def shortcomings(run_dir: Path, artifacts: Iterable[str]) -> dict[str, int]:
    """Return how many calls failed or were recovered in part, by the name of the raw artifact.

    The source is the metadata of each call in the raw artifacts.
    """
    patterns = [re.compile(re.escape(name).replace(re.escape("<n>"), r"\d+")) for name in artifacts]
    counts: dict[str, int] = {}
    for path in sorted(run_dir.glob("*.json")):
        if not any(pattern.fullmatch(path.name) for pattern in patterns):
            continue
        try:
            count = _failures(read_json(path))
        except (OSError, ValueError):
            continue
        if count:
            counts[path.name] = count
    return counts


def _failures(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_failures, value))
    if not isinstance(value, dict):
        return 0
    failed = "model_name" in value and bool(value.get("failure") or value.get("partial"))
    return failed + sum(map(_failures, value.values()))


def _write(path: Path, value: Any) -> None:
    text(path.name).save(path.parent, json.dumps(value, ensure_ascii=False, indent=2) + "\n")
