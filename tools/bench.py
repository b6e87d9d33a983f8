"""Measures the runner against a bare import, and writes docs/benchmarks.md.

Every limit is relative to B: the wall and CPU time of a process that only imports llama-index core,
luigi and openai. Cases are interleaved, so that a busy moment affects all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from model_gateway import temporary
from tests.wire.script import Say, Seen
from tests.wire.server import WireServer

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
STEP, ONE_CALL = "identify_potential_levers", "identify_purpose"
BARE = "import llama_index.core, luigi, openai"
PLAN_TEXT = "A floating library that calls at eleven harbours and lends tools, too. " * 10
QUANTITIES = {
    "wall": ("wall time", 1.0, "s", 2),
    "cpu": ("CPU time", 1.0, "s", 2),
    "pss": ("memory", 1e6, "MB", 0),
}
"""The name of each quantity, the size of its unit, the unit, and the digits worth showing."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Seconds of wall and CPU time, and peak bytes of PSS, of a process and all its children."""

    wall: float
    cpu: float
    pss: int = 0


@dataclass(kw_only=True)
class Case:
    """A command to measure, its limits, and the measurements of each run."""

    name: str
    command: Callable[[], list[str]]
    limits: Callable[[Taken], dict[str, float]]
    weigh: bool = False
    taken: list[Taken] = field(default_factory=list)

    def middle(self) -> Taken:
        """Return the medians."""
        return Taken(
            wall=statistics.median(t.wall for t in self.taken),
            cpu=statistics.median(t.cpu for t in self.taken),
            pss=max(t.pss for t in self.taken),
        )


def take(command: Sequence[str], environment: dict[str, str], *, weigh: bool) -> Taken:
    """Run a command and measure it; `weigh` samples its memory, which slows it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)
        peak = [0]
        watch = threading.Thread(target=_weigh, args=(process, peak), daemon=True)
        if weigh:
            watch.start()
        code = process.wait()
        wall = time.monotonic() - began
        if weigh:
            watch.join()
        if code != 0:
            log.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {code}:\n{log.read().decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall=wall, cpu=cpu, pss=peak[0])


def _weigh(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        try:
            family = [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for one in family:
            try:
                total += one.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        peak[0] = max(peak[0], total)
        time.sleep(0.05)


def reply(seen: Seen) -> Say:
    """Answer as a model that needs no time to think, in the schema of the request."""
    if seen.schema is None:
        return Say(text="1")
    if "levers" not in seen.schema["properties"]:
        return Say(text=json.dumps({"topic": "t", "purpose_detailed": "d", "purpose": "business"}))
    number = len(seen.body["messages"][-1]["content"])
    levers = [
        {
            "lever_index": i,
            "name": f"Name {number} {i}",
            "consequences": "c " * 60,
            "options": ["one " * 20, "two " * 20, "three " * 20],
            "review_lever": "r " * 30,
        }
        for i in range(5)
    ]
    return Say(text=json.dumps({"strategic_rationale": "x", "levers": levers, "summary": "y"}))


@contextmanager
def laboratory(delay: float) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a folder with five plans and seven models behind one server, and its environment."""
    with (
        temporary.opened("bench") as name,
        WireServer("openai", reply=reply, delay=delay) as server,
    ):
        folder = Path(name)
        for number in range(5):
            plan = folder / "plans" / f"plan_{number}"
            plan.mkdir(parents=True)
            (plan / "plan.txt").write_text(PLAN_TEXT)
            (plan / "identify_purpose.md").write_text("# A library\n\nFor harbours.\n")
            (plan / "plan_type.md").write_text("It needs a ship.\n")
        (folder / "llm_config").mkdir()
        for number in range(1, 8):
            (folder / "llm_config" / f"m{number}.toml").write_text(
                f'name = "m{number}"\nprovider = "openai"\nmodel_id = "bench-{number}"\n'
                f'base_url = "{server.base_url}"\nworkers = 1000\n'
                "[price]\ninput = 0.1\noutput = 0.4\n"
            )
        drop = {"PYTHONDONTWRITEBYTECODE", "PROMPT_LAB_DIR"}
        environment = {k: v for k, v in os.environ.items() if k not in drop}
        environment["PLUMBLINE_LLM_CONFIG"] = str(folder / "llm_config")
        yield folder, environment


def runner(folder: Path, *more: str, step: str = STEP, models: int = 7) -> Callable[[], list[str]]:
    """Return a function that returns the runner's command with an empty output folder."""
    names = ",".join(f"m{n}" for n in range(1, models + 1))

    def command() -> list[str]:
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        return [
            sys.executable, "-m", "self_improve.runner", "--step", step, "--models", names,
            "--baseline-dir", str(folder / "plans"), "--output-dir", str(out), *more,
        ]  # fmt: skip

    return command


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each case")
    parser.add_argument("--no-page", action="store_true", help="print only")
    options = parser.parse_args()
    with laboratory(0.0) as (fast, fast_env), laboratory(0.5) as (slow, slow_env):
        bare = Case(name="B", command=lambda: [sys.executable, "-c", BARE], limits=lambda _: {})
        cases = [
            Case(
                name="7 models × 5 plans × 3 calls, 500 ms a call",
                command=runner(slow),
                limits=lambda b: {"wall": b.wall + 2.3, "cpu": b.cpu + 0.025 * 105},
            ),
            Case(
                name="the same, memory sampled",
                command=runner(slow),
                limits=lambda _: {"pss": 300e6},
                weigh=True,
            ),
            Case(
                name="7 models × 5 plans × 3 calls, 0 ms a call",
                command=runner(fast),
                limits=lambda b: {"wall": b.wall + 2.0},
            ),
            Case(
                name="--help",
                command=lambda: [sys.executable, "-m", "self_improve.runner", "--help"],
                limits=lambda b: {"wall": 0.3 * b.wall},
            ),
            Case(
                name="--dry-run, 35 cells",
                command=runner(fast, "--dry-run"),
                limits=lambda b: {"wall": b.wall},
            ),
        ]
        for _ in range(options.runs):
            for case in (bare, *cases):
                environment = slow_env if "500" in case.name or case.weigh else fast_env
                case.taken.append(take(case.command(), environment, weigh=case.weigh))
        growth = {
            cells: take(
                runner(fast, "--repeats", str(cells // 5), step=ONE_CALL, models=1)(),
                fast_env, weigh=False,
            )
            for cells in (5, 100, 1000)
        }  # fmt: skip
    text = page(bare.middle(), cases, growth, options.runs)
    print(text)
    if not options.no_page:
        PAGE.write_text(text, encoding="utf-8")


def page(b: Taken, cases: Sequence[Case], growth: dict[int, Taken], runs: int) -> str:
    """Return the page with the figures."""
    lines = [
        "# Benchmarks",
        "",
        "For developers who change how [cells](glossary.md#cell) are run. The table shows the "
        "speed and memory of the runner, and whether it keeps its limits.",
        "",
        f"`make bench` measured medians of {runs} interleaved runs on {os.cpu_count()} cores "
        f"({platform.machine()}, Python {platform.python_version()}). Machines differ, so every "
        "limit is relative to B, measured in the same run.",
        "",
        f"B, a process that only imports llama-index core, luigi and openai: "
        f"{b.wall:.2f} s wall, {b.cpu:.2f} s CPU.",
        "",
        "| case | measured | at most | kept |",
        "|---|---|---|---|",
    ]
    for case in cases:
        middle = case.middle()
        for kind, limit in case.limits(b).items():
            value = getattr(middle, kind)
            quantity, size, unit, digits = QUANTITIES[kind]
            answer = "yes" if value <= limit else "**no**"
            lines.append(
                f"| {case.name}: {quantity} | {value / size:.{digits}f} {unit} "
                f"| {limit / size:.{digits}f} {unit} | {answer} |"
            )
    fixed, small, large = (growth[n] for n in (5, 100, 1000))
    each, times = large.cpu / 1000, large.cpu / small.cpu
    marginal = [(t.cpu - fixed.cpu) / (n - 5) for t, n in ((small, 100), (large, 1000))]
    lines += [
        f"| 1,000 cells of one call, 0 ms: CPU time a cell | {each * 1000:.1f} ms | 30.0 ms "
        f"| {'yes' if each <= 0.03 else '**no**'} |",
        f"| growth: 1,000 cells against 100, CPU time | {times:.1f} × | 10.0 × "
        f"| {'yes' if times <= 10 else '**no**'} |",
        "",
        f"The runs of 5, 100 and 1,000 cells took {fixed.cpu:.2f}, {small.cpu:.2f} and "
        f"{large.cpu:.2f} s of CPU, and {fixed.wall:.2f}, {small.wall:.2f} and {large.wall:.2f} s "
        f"of wall time. Without the start-up, a cell took {marginal[0] * 1000:.1f} ms of "
        f"CPU among 100 and {marginal[1] * 1000:.1f} ms among 1,000.",
        "",
        "Memory is the proportional set size summed over all processes: the highest sample of any "
        "run, at 20 samples a second. The loopback server is not part of the measurement, but runs "
        "on the same cores.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
