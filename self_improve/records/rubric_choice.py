"""The rubric that a run is measured by: the one written for its step, or else one derived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_gateway.foreign_files import json_of, read_bytes
from model_gateway.jsonl import read_rows
from prompt_lab.record import ATTEMPTS, CELL_ROW, Run
from rubrics import default, load
from rubrics.rubric import Rubric
from self_improve.records.artifact_files import MOST_BYTES

_OURS = frozenset({CELL_ROW, "usage_metrics.jsonl", "activity_overview.json", "log.txt"})
_KINDS = frozenset({".json", ".md", ".txt"})


def rubric_for(path: Path, folder: Path = load.FOLDER) -> Rubric:
    """Return the rubric for the run at `path`.

    Raises:
        RubricError: it cannot be used, or the run holds too little to derive one.
    """
    run = Run(path)
    written = load.find(run.step, folder)
    if written is not None:
        return written
    return default.derive(run.step, schema=_schema(run), artifacts=dict(_artifacts(run)))


def _schema(run: Run) -> dict[str, Any] | None:
    """Return the schema of the first attempt that asked for one."""
    rows = read_rows(run.path / ATTEMPTS)[0]
    return next((row["schema"] for row in rows if isinstance(row.get("schema"), dict)), None)


def _artifacts(run: Run) -> Iterator[tuple[str, Any]]:
    """Yield the artifacts of the first cell that has any."""
    for plan, repeat in sorted(run.rows()):
        folder = run.outputs(plan, repeat)
        names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        artifacts = [
            (name, value)
            for name in names
            if name not in _OURS and Path(name).suffix in _KINDS
            and (value := _value(folder / name)) is not None
        ]  # fmt: skip
        if artifacts:
            yield from artifacts
            return


def _value(path: Path) -> Any:
    try:
        data = read_bytes(path, most=MOST_BYTES)
        return json_of(data) if path.suffix == ".json" else data.decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
