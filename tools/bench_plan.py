"""Measures a full plan: alone at 0 ms a call, and with a loopback server at 200 ms a call.

It writes docs/benchmarks_plan.md. The critical path is that of the task graph at the given number
of workers, counted in rounds of calls: a call that waits for another takes a further round.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import networkx as nx

from model_gateway import beside, entry_files, providers, temporary
from model_gateway.provider import Origin, Request
from model_gateway.providers.simulated.provider import Simulated
from tests.wire.script import Say, Seen
from tests.wire.server import WireServer
from worker_plan import dag
from worker_plan.pipeline import all_steps, step_name

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks_plan.md"
TEXT = ROOT / "prompt_lab" / "samples" / "texts" / "train" / "20260404_night_bus.txt"
LATENCY = 0.2
WORKERS = 4
RUNS = 3


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Seconds of wall and CPU time of a plan without the gateway, its calls and critical path."""

    wall: float
    cpu: float
    calls: int
    path: float


def run(model: str, workers: int, environment: Mapping[str, str]) -> Taken:
    """Run a full plan in a fresh directory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with temporary.opened("bench") as folder:
        plan = Path(folder) / "plan"
        began = time.monotonic()
        done = subprocess.run(
            [
                sys.executable, "-m", "worker_plan", "run", "--plan", str(TEXT), "--model", model,
                "--run-dir", str(plan), "--workers", str(workers),
            ],
            env={**environment, "PLUMBLINE_CACHE": "off"}, capture_output=True, text=True,
            check=False, cwd=ROOT,
        )  # fmt: skip
        wall = time.monotonic() - began
        beside.stop(plan)
        if done.returncode:
            raise SystemExit(done.stderr)
        attempts = (plan / beside.FOLDER / "attempts.jsonl").read_text().splitlines()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rows = [json.loads(row) for row in attempts]
    return Taken(wall=wall, cpu=cpu, calls=len(rows), path=critical_path(rows, workers))


def critical_path(rows: Sequence[Mapping[str, Any]], workers: int) -> float:
    """Return the seconds that the task graph needs with `workers`, if only calls take time."""
    spans: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        start = datetime.fromisoformat(row["started"]).timestamp()
        spans[row["cell"]].append((start, start + row["seconds"]))
    names = {step.__name__: step_name(step) for step in all_steps()}
    needs = {names[cell]: LATENCY * _rounds(calls) for cell, calls in spans.items()}
    graph = dag.task_graph()
    ready_at: dict[str, float] = {}
    free = [0.0] * workers
    for name in nx.lexicographical_topological_sort(graph):
        start = max((ready_at[up] for up in graph.predecessors(name)), default=0.0)
        if name in needs:
            worker = min(range(workers), key=lambda n: max(free[n], start))
            free[worker] = max(free[worker], start) + needs[name]
            ready_at[name] = free[worker]
        else:
            ready_at[name] = start
    return max(ready_at.values())


def _rounds(spans: Sequence[tuple[float, float]]) -> int:
    """Return the length of the longest chain of calls that waited for each other."""
    depth: list[tuple[float, int]] = []
    for start, end in sorted(spans):
        before = [n for stop, n in depth if stop <= start + 0.001]
        depth.append((end, max(before, default=0) + 1))
    return max(n for _, n in depth)


class SimulatedAnswers:
    """Answers as the simulated model does, for a server with a delay."""

    def __init__(self) -> None:
        model = entry_files.load().find("sim-strong")
        self._model = model.model_id
        provider = providers.build(model)
        assert isinstance(provider, Simulated)
        self._player = provider._player

    def __call__(self, seen: Seen) -> Say:
        """Answer a request."""
        if seen.schema is None:
            return Say(text="1")
        mark = str(len(seen.messages[-1]["content"]))
        request = Request(
            model_id=self._model, messages=seen.messages, schema=seen.schema,
            schema_name="Reply", max_output_tokens=seen.max_tokens or 8000, arguments={},
            origin=Origin(plan="bench", key=mark, call_id=mark, repeat=0, number=1, seed=0),
        )  # fmt: skip
        return Say(text=self._player.answer(request).text)


def main() -> None:
    """Measure, print, and write the page."""
    alone = [run("sim", 2, os.environ) for _ in range(RUNS)]
    with (
        temporary.opened("bench") as folder,
        WireServer("openai", reply=SimulatedAnswers(), delay=LATENCY) as server,
    ):
        (Path(folder) / "loopback.toml").write_text(
            'name = "loopback"\nprovider = "openai"\nmodel_id = "bench"\n'
            f'base_url = "{server.base_url}"\nworkers = 1000\n'
        )
        environment = {**os.environ, "PLUMBLINE_LLM_CONFIG": str(folder)}
        slow = [run("loopback", WORKERS, environment) for _ in range(RUNS)]
    text = page(alone, slow)
    print(text)
    PAGE.write_text(text, encoding="utf-8")


def page(alone: Sequence[Taken], slow: Sequence[Taken]) -> str:
    """Return the page with the figures."""
    wall = statistics.median(t.wall for t in alone)
    each = statistics.median(1000 * t.cpu / t.calls for t in alone)
    ratio = statistics.median(t.wall / t.path for t in slow)
    one = slow[0]
    return "\n".join(
        [
            "# Benchmarks of a full plan",
            "",
            "For developers who change the embedded pipeline or the gateway. The table shows how "
            "fast a full plan is, and whether it keeps its limits.",
            "",
            f"`make bench` measured medians of {RUNS} runs on {os.cpu_count()} cores "
            f"({platform.machine()}, Python {platform.python_version()}).",
            "",
            "| case | measured | at most | kept |",
            "|---|---|---|---|",
            f"| simulated model, 0 ms, 2 workers: wall time | {wall:.1f} s | 60 s "
            f"| {_kept(wall <= 60)} |",
            f"| the same: CPU of the pipeline for each of {alone[0].calls} calls | {each:.1f} ms "
            f"| 25 ms | {_kept(each <= 25)} |",
            f"| loopback server, 200 ms, {WORKERS} workers: wall time to critical path "
            f"| {ratio:.2f} × | 1.30 × | {_kept(ratio <= 1.3)} |",
            "",
            f"In the first run with the server {one.calls} calls took {one.wall:.1f} s of wall "
            f"time, start-up included; the critical path of the task graph at {WORKERS} workers "
            f"is {one.path:.1f} s. The server sends each reply {1000 * LATENCY:.0f} ms after its "
            "request.",
            "",
        ]
    )


def _kept(is_met: bool) -> str:  # noqa: FBT001 - a word for a fact
    return "yes" if is_met else "**no**"


if __name__ == "__main__":
    main()
