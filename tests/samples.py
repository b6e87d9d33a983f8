"""Regenerates the bundled sample plans: each plan text, run through the pipeline on a simulation.

`make samples` writes the zips; with a directory as argument they are written there instead. The
same code gives the same bytes: the start time is fixed, and the durations of calls, the one thing
that differs from run to run, are set to 0.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from model_gateway import beside
from worker_plan import plan_run
from worker_plan.steps.start_time import StartTime, StartTimeFacts

SAMPLES = Path(__file__).resolve().parent.parent / "prompt_lab" / "samples"
MODEL = "sim-strong"
START = StartTimeFacts(
    server_iso_utc="2026-04-01T08:00:00Z",
    server_iso_local="2026-04-01T08:00:00+00:00",
    server_timezone_name="UTC",
)


def texts() -> Iterator[tuple[str, Path]]:
    """Yield the split and the file of each plan text."""
    for path in sorted((SAMPLES / "texts").glob("*/*.txt")):
        yield path.parent.name, path


def make(split: str, text: Path, into: Path) -> Path:
    """Run the pipeline on one plan text and zip what came of it."""
    with tempfile.TemporaryDirectory(prefix="plumbline-sample-") as folder:
        plan = Path(folder) / text.stem
        plan_run.begin(plan, str(text))
        StartTime.start_time.save(plan, START)
        done = plan_run.carry_on(plan, models=[MODEL], speed="ALL_DETAILS_BUT_SLOW", workers=2)
        beside.stop(plan)
        if not done:
            raise SystemExit(f"{text.stem}: a step failed")
        shutil.rmtree(plan / beside.FOLDER)
        archive = into / split / f"{text.stem}.zip"
        archive.parent.mkdir(parents=True, exist_ok=True)
        _zip(plan, archive)
        return archive


def _zip(plan: Path, archive: Path) -> None:
    with ZipFile(archive, "w", ZIP_DEFLATED) as packed:
        for path in sorted(plan.rglob("*")):
            if path.is_file():
                # A fixed date, so that the same artifacts give the same zip.
                entry = ZipInfo(path.relative_to(plan).as_posix(), (1980, 1, 1, 0, 0, 0))
                entry.compress_type = ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                packed.writestr(entry, _steady(path))


def _steady(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".json" or b'"duration"' not in data:
        return data
    plain = _without_durations(json.loads(data))
    return json.dumps(plain, ensure_ascii=False, indent=2).encode()


def _without_durations(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_durations(item) for item in value]
    if isinstance(value, dict):
        return {k: 0 if k == "duration" else _without_durations(v) for k, v in value.items()}
    return value


def main() -> None:
    """Make all sample plans."""
    into = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    os.environ["PLUMBLINE_CACHE"] = "off"
    for split, text in texts():
        archive = make(split, text, into)
        print(f"{archive} ({archive.stat().st_size // 1000} kB)")


if __name__ == "__main__":
    main()
