"""Regenerates the bundled sample plans: each plan text, run through the pipeline on a simulation.

`make samples` writes the zips; with a directory as argument it writes them there instead. The same
code gives the same bytes: the start time and the times and durations of calls, which differ from
run to run, are set to fixed values. The usage of one of the plans becomes
worker_plan/typical_plan.json, from which the pipeline estimates its cost.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_gateway import beside, temporary
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
    """Run the pipeline on one plan text and zip the result."""
    with temporary.opened("sample") as folder:
        plan = Path(folder) / text.stem
        plan_run.begin(plan, str(text))
        StartTime.start_time.save(plan, START)
        done = plan_run.resume(plan, models=[MODEL], speed=SPEEDS[0], workers=2)
        beside.stop(plan)
        if not done:
            raise SystemExit(f"{text.stem}: a step failed")
        return archive.pack(plan, into / split / f"{text.stem}.zip", _steady)


def measure(text: Path) -> dict[str, dict[str, int]]:
    """Return the calls and tokens of one plan at each speed."""
    usage = {}
    for speed in SPEEDS:
        with temporary.opened("sample") as folder:
            plan_run.begin(Path(folder), str(text))
            plan_run.resume(Path(folder), models=[MODEL], speed=speed, workers=2)
            beside.stop(Path(folder))
            overview = json.loads((Path(folder) / OVERVIEW).read_text())
            usage[speed] = {
                "calls": sum(model["calls"] for model in overview["models"].values()),
                "input_tokens": overview["total_input_tokens"],
                "output_tokens": overview["total_output_tokens"],
            }
    return usage


def _steady(path: Path) -> bytes:
    data = path.read_bytes()
    if path.name == USAGE:
        rows = [json.loads(line) for line in data.splitlines()]
        fixed = [row | {"timestamp": START.server_iso_utc, "duration_seconds": 0} for row in rows]
        return "".join(sorted(json.dumps(row) + "\n" for row in fixed)).encode()
    if path.name == OVERVIEW:
        overview = json.loads(data) | {"last_updated": START.server_iso_utc}
        return json.dumps(overview, ensure_ascii=False, indent=2).encode()
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
    parser = argparse.ArgumentParser(description="Regenerate the bundled sample plans.")
    parser.add_argument("into", nargs="?", type=Path, default=SAMPLES, help="where to write them")
    into = parser.parse_args().into
    os.environ["PLUMBLINE_CACHE"] = "off"
    for split, text in texts():
        packed = make(split, text, into)
        print(f"{packed} ({packed.stat().st_size // 1000} kB)")
    if into == SAMPLES:
        TYPICAL.write_text(json.dumps(measure(text), indent=1) + "\n")


if __name__ == "__main__":
    main()
