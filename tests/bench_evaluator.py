"""How fast the evaluator measures: every recorded run, cold and from the store, and in tenfolds.

`python -m tests.bench_evaluator` unpacks ../shared/recorded, measures all of its runs by the rubric
of their step on one core, and says how the cost grows with the number of cells. For 10 and for 100
times as many cells, runs are repeated under other plan names; `--quick` leaves out the last. The
bounds are held against the least CPU time of three: wall time tells of the neighbours as well, and
who shares a core with them is slowed down, never sped up.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rubrics import load
from self_improve.baselines import Baselines
from self_improve.measure import Measurer
from self_improve.store import Store
from tests import unpacked

STEP = "identify_potential_levers"
MOST_MILLISECONDS, MOST_MEGABYTES, MOST_SECONDS_AGAIN = 5.0, 400, 1.0
TIMES = 3
REPEATED = 8
"""Runs that are repeated for the question whether the cost is linear."""


def runs() -> list[Path]:
    """Return the recorded runs."""
    return sorted(unpacked.history().glob(f"*/*_{STEP}"))


def measure(paths: Sequence[Path], store: Path | None) -> dict[str, float]:
    """Measure runs in this process; return cells, seconds of wall and CPU, and peak memory."""
    # Numpy's threads would help nobody and be counted against us.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    wall, cpu = time.perf_counter(), time.process_time()
    rubric = load.find(STEP)
    if rubric is None:
        raise SystemExit(f"there is no rubric for {STEP}")
    kept = Store(store) if store is not None else None
    measurer = Measurer(rubric, baselines=Baselines((unpacked.plans("train"),)), store=kept)
    cells = sum(len(measurer.run(path).cells) for path in paths)
    if kept is not None:
        kept.close()
    return {
        "cells": cells,
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def apart(paths: Sequence[Path], store: Path | None = None) -> dict[str, float]:
    """Measure runs in a process of their own, so that memory and caches are its own."""
    command = [sys.executable, "-m", "tests.bench_evaluator", "--child", str(store or "")]
    done = subprocess.run(
        command, input="\n".join(map(str, paths)), capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def least(found: Iterable[dict[str, float]]) -> dict[str, float]:
    """Return the measurement with the least CPU time."""
    return min(found, key=lambda one: one["cpu"])


def repeated(path: Path, times: int, into: Path) -> Path:
    """Write a run whose cells are those of `path`, `times` times over under other plan names."""
    target = into / path.name
    target.mkdir(parents=True)
    shutil.copy(path / "meta.json", target)
    lines = (path / "outputs.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    with (target / "outputs.jsonl").open("w", encoding="utf-8") as file:
        for number in range(times):
            for row in rows:
                plan = f"{row['name']}.{number}"
                file.write(json.dumps({**row, "name": plan}) + "\n")
                source = path / "outputs" / row["name"]
                if source.is_dir() and not (target / "outputs" / plan).exists():
                    shutil.copytree(source, target / "outputs" / plan)
    return target


def told(name: str, found: dict[str, float]) -> str:
    """Return a line of the table."""
    per_cell = 1000 * found["cpu"] / found["cells"]
    return (
        f"{name:<28} {found['cells']:>7.0f} cells  {found['wall']:>7.2f} s  "
        f"{per_cell:>6.2f} ms CPU a cell  {found['megabytes']:>5.0f} MB"
    )


def main() -> int:
    """Measure, print a table, and return 1 if a bound is broken."""
    made = argparse.ArgumentParser(description="Measure the speed of the evaluator.")
    made.add_argument("--quick", action="store_true", help="leave out 100 times as many cells")
    made.add_argument("--child", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.child is not None:
        paths = [Path(line) for line in sys.stdin.read().splitlines()]
        print(json.dumps(measure(paths, Path(options.child) if options.child else None)))
        return 0
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
        place = Path(folder)
        cold = least(apart(runs(), place / f"{number}.sqlite") for number in range(TIMES))
        again = least(apart(runs(), place / f"{number}.sqlite") for number in range(TIMES))
        print(told("all recorded runs, cold", cold))
        print(told("again, from the store", again))
        few = [path for path in runs() if (path / "outputs.jsonl").exists()][-REPEATED:]
        for times in (1, 10) if options.quick else (1, 10, 100):
            grown = [repeated(path, times, place / str(times)) for path in few]
            print(told(f"{REPEATED} runs, {times} times over", apart(grown)))
            shutil.rmtree(place / str(times))
    broken = [
        1000 * cold["cpu"] / cold["cells"] > MOST_MILLISECONDS,
        cold["megabytes"] > MOST_MEGABYTES,
        again["cpu"] > MOST_SECONDS_AGAIN,
    ]
    print(
        f"bounds: {MOST_MILLISECONDS:g} ms a cell, {MOST_MEGABYTES} MB, "
        f"{MOST_SECONDS_AGAIN:g} s again: {'BROKEN' if any(broken) else 'kept'}"
    )
    return int(any(broken))


if __name__ == "__main__":
    raise SystemExit(main())
