"""Measures the overhead of an iteration: its time beyond the model calls.

The simulated models answer at once. The iteration has two candidates and the baseline, seven
models, the bundled train plans and the local forge, without the steps downstream and a whole plan.
The proposal exists beforehand, because `python -m self_improve.benchmark` measures the cost of a
search. It writes docs/benchmarks_iteration.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import worker_plan
from model_gateway import temporary
from prompt_lab import dataset
from prompt_lab.init import init
from prompt_lab.layout import Layout
from prompt_lab.populate import populate
from prompt_lab.progress import Lines
from prompt_lab.source import SourceRequest as Zips
from prompt_lab.source import offers, samples
from self_improve.code import patch
from self_improve.demo import reworded, weakened
from self_improve.iteration import command_line
from self_improve.iteration.branches import BASELINE, Branches
from self_improve.iteration.drafts import Draft, of_texts
from self_improve.iteration.folder import PHASES, IterationFolder
from self_improve.iteration.request import IterationRequest, request_of
from self_improve.iteration.start import forge_of
from self_improve.runs.experiment import experiment
from worker_plan.steps.identify_potential_levers import LEVERS_SYSTEM_PROMPT

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks_iteration.md"
STEP = "identify_potential_levers"
SURFACE = f"worker_plan.steps.{STEP}:LEVERS_SYSTEM_PROMPT"
MODELS = "sim-strong,sim-weak,sim-verbose,sim-terse,sim-eager,sim-inventive,sim-parrot"
MOST_SECONDS, MOST_TO_START = 15.0, 4.0
RUNS = 3


def git(where: Path, *words: str) -> None:
    """Run git with a made-up author."""
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    subprocess.run(["git", "-C", str(where), *identity, *words], check=True, capture_output=True)


def prepared(home: Path) -> list[str]:
    """Make the pipeline's repository and a data repo; return the words of the command."""
    code, lab = home / "code", home / "lab"
    source = Path(worker_plan.__file__).parent
    shutil.copytree(source, code / "worker_plan", ignore=shutil.ignore_patterns("__pycache__"))
    weak = {SURFACE: weakened(LEVERS_SYSTEM_PROMPT)}
    for name, change in patch.patched(code, weak).items():
        (code / name).write_bytes(change.after)
    git(home, "init", "--quiet", "--initial-branch=main", str(code))
    git(code, "add", ".")
    git(code, "commit", "--quiet", "-m", "The pipeline")
    with contextlib.redirect_stdout(io.StringIO()):
        init(lab)
        layout = Layout(lab)
        zips = offers(samples(), Zips(split=None, plans=()), layout, dataset.load(layout))
        populate(layout, zips, most_bytes=100_000_000, listener=Lines())
    return [
        "--step", STEP, "--models", MODELS, "--candidates", "2", "--repo", str(code),
        "--prompt-lab-dir", str(lab), "--skip-analysis", "--skip-downstream", "--skip-spot-check",
        "--no-early-stop",
    ]  # fmt: skip


def drafts() -> list[Draft]:
    """Return the two candidates: a better prompt, and one that says the same."""
    texts = (LEVERS_SYSTEM_PROMPT, reworded(weakened(LEVERS_SYSTEM_PROMPT)))
    return [of_texts(STEP, {SURFACE: text}, origin="generator", change="Bench") for text in texts]


def proposed(request: IterationRequest, base: str) -> None:
    """Start the iteration with its proposal done, as a killed one would have left it."""
    begun = IterationFolder.begin(request.layout, STEP, request.identity(base))
    marker = begun.path / PHASES / "propose.json"
    marker.parent.mkdir(parents=True)
    marker.write_text(json.dumps({"drafts": [draft.to_row() for draft in drafts()]}))


def whole(environment: Mapping[str, str]) -> tuple[float, int]:
    """Return the wall time of an iteration in seconds, and the cells that it ran."""
    with temporary.opened("bench") as folder:
        words = prepared(Path(folder))
        request = request_of(command_line.parser().parse_args(words))
        proposed(
            request, Branches(request.layout, request.code, forge_of(request)).base(request.base)
        )
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "self_improve.iteration", *words],
            env=environment, capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        seconds = time.monotonic() - began
        if done.returncode not in {0, 1}:
            raise SystemExit(done.stderr)
        cells = sum(line.startswith("[") for line in done.stderr.splitlines())
    return seconds, cells


async def started() -> tuple[float, float]:
    """Return the seconds until three worktrees are ready to run cells, alone and side by side."""
    with temporary.opened("bench") as folder:
        request = request_of(command_line.parser().parse_args(prepared(Path(folder))))
        branches = Branches(request.layout, request.code, forge_of(request))
        base = branches.base(request.base)
        seconds = []
        began = time.monotonic()
        sides = [branches.baseline(base)]
        sides += [branches.of_texts(d, base, request.base, d.texts) for d in drafts()]
        written = time.monotonic() - began
        trees = {side.name: branches.tree(side, base).code for side in sides}
        for names in ([BASELINE], list(trees)):
            began = time.monotonic()
            async with experiment({n: request.run_request(trees[n], number=0) for n in names}):
                seconds.append(time.monotonic() - began)
    return written / len(sides) + seconds[0], written + seconds[1]


def main() -> None:
    """Measure, print, and write the page."""
    with temporary.opened("bench") as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PLUMBLINE_CACHE": "off"}
        runs = [whole(environment) for _ in range(RUNS)]
    starts = [asyncio.run(started()) for _ in range(RUNS)]
    text = page(runs, starts)
    print(text)
    PAGE.write_text(text, encoding="utf-8")


def page(runs: Sequence[tuple[float, int]], starts: Sequence[tuple[float, float]]) -> str:
    """Return the page with the figures."""
    wall = statistics.median(seconds for seconds, _ in runs)
    alone, together = (statistics.median(s[n] for s in starts) for n in (0, 1))
    return "\n".join(
        [
            "# Benchmarks of an iteration",
            "",
            "For developers who change iterations. The table shows the overhead of an iteration "
            "of many [cells](glossary.md#cell), and whether it keeps its limits.",
            "",
            f"`make bench` measured medians of {RUNS} runs on {os.cpu_count()} cores "
            f"({platform.machine()}, Python {platform.python_version()}): two candidates and the "
            "baseline, 7 simulated models, 5 train plans, then the verify plans; no early "
            "stopping, local forge, without analysis, the steps downstream and a whole plan. The "
            "models answer at once, so that all time is overhead.",
            "",
            "| case | measured | at most | kept |",
            "|---|---|---|---|",
            f"| an iteration of {runs[0][1]} cells, from its branches to its last commit: wall "
            f"time | {wall:.1f} s | {MOST_SECONDS:g} s | {_kept(wall, MOST_SECONDS)} |",
            f"| a worktree, until it can run cells: wall time | {alone:.1f} s "
            f"| {MOST_TO_START:g} s | {_kept(alone, MOST_TO_START)} |",
            "",
            f"Three worktrees with their commits and pull requests are ready after "
            f"{together:.1f} s.",
            "",
        ]
    )


def _kept(measured: float, most: float) -> str:
    return "yes" if measured <= most else "**no**"


if __name__ == "__main__":
    main()
