"""Measures the evaluator: every recorded run, cold and from the store, and with more cells.

`python -m tools.bench_evaluator`, a part of `make bench`, writes the table of speed of
docs/evaluator.md, with the results of `tools.bench_decide` for comparisons. It unpacks the recorded
history, measures all of its runs by the rubric of their step on one core, and shows how the cost
grows with the number of cells. For 10 and for 100 times as many cells, runs are repeated under
other plan names; `--quick` skips the 100 and does not write the page. The bounds apply to the least
CPU time of three: wall time also depends on other processes, and sharing a core with them slows a
process down, never speeds it up.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from model_gateway import temporary
from prompt_lab.baselines import Baselines
from rubrics import load
from self_improve.measures.measurer import Measurer
from self_improve.measures.store import Store
from tools import unpacked

STEP = "identify_potential_levers"
MOST_MILLISECONDS, MOST_MEGABYTES, MOST_SECONDS_AGAIN = 5.0, 400, 1.0
TIMES = 3
REPEATED = 8
"""Number of runs that are repeated to test whether the cost is linear."""


def runs() -> list[Path]:
    """Return the recorded runs."""
    return sorted(unpacked.history().glob(f"*/*_{STEP}"))


def measure(paths: Sequence[Path], store: Path | None) -> dict[str, float]:
    """Measure runs in this process; return cells, seconds of wall and CPU, and peak memory."""
    # Numpy's threads would not help, and their time would count.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    wall, cpu = time.perf_counter(), time.process_time()
    rubric = load.find(STEP)
    if rubric is None:
        raise SystemExit(f"there is no rubric for {STEP}")
    cache = Store(store) if store is not None else None
    measurer = Measurer(rubric, baselines=Baselines((unpacked.plans("train"),)), store=cache)
    cells = sum(len(measurer.run(path).cells) for path in paths)
    if cache is not None:
        cache.close()
    return {
        "cells": cells,
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def apart(paths: Sequence[Path], store: Path | None = None) -> dict[str, float]:
    """Measure runs in a process of their own, so that memory and caches are its own."""
    command = [sys.executable, "-m", "tools.bench_evaluator", "--child", str(store or "")]
    done = subprocess.run(
        command, input="\n".join(map(str, paths)), capture_output=True, text=True, check=True
    )
    taken: dict[str, float] = json.loads(done.stdout)
    return taken


def least(taken: Iterable[dict[str, float]]) -> dict[str, float]:
    """Return the measurement with the least CPU time."""
    return min(taken, key=lambda one: one["cpu"])


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


def row(name: str, taken: dict[str, float]) -> list[str]:
    """Return a line of the table."""
    return [
        name, f"{taken['cells']:.0f} cells", f"{taken['cpu']:.2f} s",
        f"{_each(taken):.2f} ms", f"{taken['megabytes']:.0f} MB",
    ]  # fmt: skip


def _each(taken: dict[str, float]) -> float:
    return 1000 * taken["cpu"] / taken["cells"]


def main() -> int:
    """Measure, print a table, write it, and return 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description="Measure the speed of the evaluator.")
    parser.add_argument(
        "--quick", action="store_true", help="leave out the most cells; write nothing"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        paths = [Path(line) for line in sys.stdin.read().splitlines()]
        print(json.dumps(measure(paths, Path(options.child) if options.child else None)))
        return 0
    with temporary.opened("bench") as name:
        folder = Path(name)
        cold = least(apart(runs(), folder / f"{number}.sqlite") for number in range(TIMES))
        again = least(apart(runs(), folder / f"{number}.sqlite") for number in range(TIMES))
        rows = [row("all recorded runs, cold", cold), row("again, from the store", again)]
        few = [path for path in runs() if (path / "outputs.jsonl").exists()][-REPEATED:]
        grown = []
        for times in (1, 10) if options.quick else (1, 10, 100):
            paths = [repeated(path, times, folder / str(times)) for path in few]
            grown.append(apart(paths))
            rows.append(row(f"{REPEATED} runs, {times} times over", grown[-1]))
            shutil.rmtree(folder / str(times))
    # Imported here because a child's peak of memory starts at that of its parent.
    from tools import bench_decide

    decided, quick_enough = bench_decide.rows()
    rows += decided
    bounds = {
        f"at most {MOST_MILLISECONDS:g} ms a cell": _each(cold) <= MOST_MILLISECONDS,
        f"{MOST_MEGABYTES} MB": cold["megabytes"] <= MOST_MEGABYTES,
        f"{MOST_SECONDS_AGAIN:g} s for all of them again": again["cpu"] <= MOST_SECONDS_AGAIN,
        "no more for a cell among ten times as many": _is_linear(grown),
        f"{bench_decide.MOST_SECONDS:g} s for a comparison, linear in pairs": quick_enough,
    }
    summary = ", ".join(
        f"{name} ({'kept' if is_met else 'BROKEN'})" for name, is_met in bounds.items()
    )
    for one in rows:
        print("  ".join(f"{cell:>32}" if n == 0 else f"{cell:>12}" for n, cell in enumerate(one)))
    print(f"bounds: {summary}")
    if not options.quick:
        write(rows, summary)
    return int(not all(bounds.values()))


def _is_linear(grown: Sequence[dict[str, float]]) -> bool:
    """Whether a cell costs at most a quarter more among ten times as many."""
    return all(_each(more) <= 1.25 * _each(fewer) for fewer, more in pairwise(grown))


def write(rows: Sequence[Sequence[str]], summary: str) -> None:
    """Write the table into the page."""
    # Imported here because its drawing library is not part of the measurement.
    from tools import evaluator_page as page

    head = ("what", "of", "CPU time", "each", "memory")
    text = f"{page.table(head, rows)}\n\nBounds: {summary}."
    page_text = page.put(page.PAGE.read_text(encoding="utf-8"), "speed", text)
    page.PAGE.write_text(page_text, encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
