"""Regenerates the bundled sample plans: each plan text, run through the pipeline on a simulation.

`make samples` writes the zips; with a directory as argument they are written there instead. The
same code gives the same bytes: the start time is fixed, the times and durations of calls, the one
thing that differs from run to run, are set to a fixed value. What one of the plans used becomes
worker_plan/typical_plan.json, by which the pipeline tells its cost.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_gateway import beside
from model_gateway.usage import OVERVIEW, USAGE
from worker_plan import archive, plan_run, typical_plan
from worker_plan.command_line import SPEEDS
from worker_plan.steps.start_time import StartTime, StartTimeFacts

SAMPLES = Path(__file__).resolve().parent.parent / "prompt_lab" / "samples"
TYPICAL = Path(typical_plan.__file__).with_name(typical_plan.FILE)
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
        done = plan_run.resume(plan, models=[MODEL], speed="ALL_DETAILS_BUT_SLOW", workers=2)
        beside.stop(plan)
        if not done:
            raise SystemExit(f"{text.stem}: a step failed")
        return archive.pack(plan, into / split / f"{text.stem}.zip", _steady)


def measure(text: Path) -> dict[str, dict[str, int]]:
    """Return the calls and tokens of one plan at each speed."""
    found = {}
    for speed in SPEEDS:
        with tempfile.TemporaryDirectory(prefix="plumbline-sample-") as folder:
            plan_run.begin(Path(folder), str(text))
            plan_run.resume(Path(folder), models=[MODEL], speed=speed, workers=2)
            beside.stop(Path(folder))
            told = json.loads((Path(folder) / OVERVIEW).read_text())
            found[speed] = {
                "calls": sum(model["calls"] for model in told["models"].values()),
                "input_tokens": told["total_input_tokens"],
                "output_tokens": told["total_output_tokens"],
            }
    return found


def _steady(path: Path) -> bytes:
    data = path.read_bytes()
    if path.name == USAGE:
        rows = [json.loads(line) for line in data.splitlines()]
        fixed = [row | {"timestamp": START.server_iso_utc, "duration_seconds": 0} for row in rows]
        return "".join(sorted(json.dumps(row) + "\n" for row in fixed)).encode()
    if path.name == OVERVIEW:
        told = json.loads(data) | {"last_updated": START.server_iso_utc}
        return json.dumps(told, ensure_ascii=False, indent=2).encode()
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
        packed = make(split, text, into)
        print(f"{packed} ({packed.stat().st_size // 1000} kB)")
    if into == SAMPLES:
        TYPICAL.write_text(json.dumps(measure(text), indent=1) + "\n")


if __name__ == "__main__":
    main()
