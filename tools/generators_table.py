"""Lets every generator search two steps through the real command, and writes a table.

`make generators` makes a pipeline with two weak prompts, runs `plumbline iterate` on each of them
with every generator on simulated models, and writes docs/generators_searches.md. The environment of
that target has the packages gepa and dspy.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from model_gateway import temporary
from model_gateway.jsonl import read_rows
from prompt_lab import command_line as lab
from self_improve.code import patch
from self_improve.code.git import run as git
from self_improve.demo import spoiled, weakened
from self_improve.generators import catalogue
from worker_plan.steps.identify_potential_levers import LEVERS_SYSTEM_PROMPT
from worker_plan.steps.identify_risks import IDENTIFY_RISKS_SYSTEM_PROMPT

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "generators_searches.md"
LEVERS, RISKS = "identify_potential_levers", "identify_risks"
MODELS = "sim-strong,sim-weak"
CANDIDATES, MOST_CALLS = 2, 4000
SEEDS = range(1, 6)
"""Every generator uses the first; the others are for generators without a winner so far."""
_CARELESS = (
    "State in each potential_impact by how many percent the costs rise, for example 15% or 40%.\n"
    "Write each action as: [the party] weighs [one thing] against [another thing].\n"
)
AUTHOR = ("-c", "user.name=Plumbline", "-c", "user.email=plumbline@localhost")


@dataclass(frozen=True, kw_only=True)
class Row:
    """The result of one generator on one step; `over` is the last row of the search's log."""

    generator: str
    step: str
    seed: int
    code: int
    over: dict[str, Any]
    ends: tuple[str, ...]
    seconds: float
    errors: str

    @property
    def is_searched(self) -> bool:
        """Whether the search ran to its own end."""
        return self.code in {0, 1} and bool(self.over)

    def line(self) -> str:
        """Return the row of the table."""
        over = self.over
        fitness = f"{_fit(over.get('baseline'))} → {_fit(over.get('best'))}"
        ended = ", ".join(self.ends) or "no winner, so none"
        cells = (
            f"`{self.generator}`", self.step, self.seed, over.get("cells"), over.get("asked"),
            over.get("admitted"), over.get("refused"), fitness, ended, f"{self.seconds:.0f}",
        )  # fmt: skip
        return f"| {' | '.join(str(cell) for cell in cells)} |"


def pipeline(code: Path) -> None:
    """Make a git repository of the pipeline's code, with two weak prompts."""
    shutil.copytree(
        ROOT / "worker_plan", code / "worker_plan", ignore=shutil.ignore_patterns("__pycache__")
    )
    texts = {
        f"worker_plan.steps.{LEVERS}:LEVERS_SYSTEM_PROMPT": spoiled(weakened(LEVERS_SYSTEM_PROMPT)),
        f"worker_plan.steps.{RISKS}:IDENTIFY_RISKS_SYSTEM_PROMPT": (
            f"{IDENTIFY_RISKS_SYSTEM_PROMPT.rstrip()}\n\n{_CARELESS}"
        ),
    }
    for name, change in patch.patched(code, texts).items():
        (code / name).write_bytes(change.after)
    git(code.parent, "init", "--quiet", "--initial-branch=main", str(code))
    git(code, "add", ".")
    git(code, *AUTHOR, "commit", "--quiet", "-m", "The pipeline, with two weak prompts")


def words(generator: str, step: str, seed: object) -> list[str]:
    """Return the words of the command, without its folders."""
    return [
        "--step", step, "--models", MODELS, "--candidates", str(CANDIDATES),
        "--generator", generator, "--seed", str(seed), "--max-calls", str(MOST_CALLS),
        "--skip-downstream", "--skip-spot-check",
    ]  # fmt: skip


def both(generator: str, home: Path) -> list[Row]:
    """Search and test on both steps, in the generator's own data repo, until it wins once."""
    folder = home / generator
    shutil.copytree(home / "lab", folder / "lab", symlinks=True)
    shutil.copytree(home / "code", folder / "code", symlinks=True)
    rows: list[Row] = []
    for seed in SEEDS:
        rows += [searched(generator, step, seed, folder) for step in (LEVERS, RISKS)]
        if any(row.ends or not row.is_searched for row in rows):
            break
    return rows


def searched(generator: str, step: str, seed: int, folder: Path) -> Row:
    """Run the command once, and read its records."""
    began = time.monotonic()
    done = subprocess.run(
        [
            sys.executable, "-m", "self_improve.iteration", *words(generator, step, seed),
            "--repo", str(folder / "code"), "--prompt-lab-dir", str(folder / "lab"),
        ],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | {"XDG_CACHE_HOME": str(folder / "cache")},
    )  # fmt: skip
    iterations = sorted((folder / "lab" / "analysis").glob(f"*_{step}"))
    rows = read_rows(iterations[-1] / "search.jsonl")[0] if iterations else []
    over = [row for row in rows if row.get("event") == "over"]
    marker = iterations[-1] / "phases" / "publish.json" if iterations else folder
    ended = json.loads(marker.read_text())["candidates"] if marker.is_file() else {}
    row = Row(
        generator=generator, step=step, seed=seed, code=done.returncode,
        over=over[-1] if over else {},
        ends=tuple(one["told"] for one in ended.values()), seconds=time.monotonic() - began,
        errors=done.stderr,
    )  # fmt: skip
    print(row.line(), flush=True)
    return row


def page(rows: Sequence[Row]) -> str:
    """Return the page with the table."""
    names = dict.fromkeys(row.generator for row in rows)
    started = [n for n in names if any(r.ends for r in rows if r.generator == n)]
    broken = [row for row in rows if not row.is_searched]
    lines = [
        "# Every generator, on two steps, through the real command",
        "",
        "For developers who change a generator. The table shows that every generator completes a "
        "search through the real command, and that its winners become iterations. It does not "
        "compare generators (one seed, few [cells](glossary.md#cell)); "
        "[generators.md](generators.md) does.",
        "",
        "**SIMULATED.** `make generators` runs this command for each line:",
        "",
        "```text",
        f"plumbline iterate {' '.join(words('NAME', 'STEP', 'SEED'))}",
        "```",
        "",
        f"The prompts of `{LEVERS}` and `{RISKS}` were made worse beforehand (no examples; demands "
        "for percentages and for square brackets); the plans are the five bundled train plans. "
        "Each generator has its own data repo. A proposal that beats the baseline in the search "
        "becomes a commit with a pull request and is tested again: on the train plans with other "
        "seeds, and after a KEEP on the verify plans. The steps downstream and the whole plan are "
        "skipped for speed, so an iteration ends with CONDITIONAL at best. A generator without a "
        "winner on either step starts again with another seed.",
        "",
        f"{len(rows) - len(broken)} of {len(rows)} searches ran to their own end; for "
        f"{len(started)} of {len(names)} generators an iteration started from a winner.",
        "",
        "| generator | step | seed | cells | proposer calls | admitted | refused | fitness, "
        "baseline → best | the iteration ended with | seconds |",
        "| --- | --- | --: | --: | --: | --: | --: | --: | --- | --: |",
        *(row.line() for row in rows),
    ]
    for row in broken:
        last = (row.errors.strip().splitlines() or ["(no message)"])[-1]
        lines += ["", f"- `{row.generator}` on {row.step} ended with code {row.code}: {last}"]
    return "\n".join(lines) + "\n"


def _fit(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def main() -> int:
    """Run everything, write the page; 1 if a search broke or a generator had no winner at all."""
    parser = argparse.ArgumentParser(description="Search two steps by every generator.")
    parser.add_argument("names", nargs="*", help="only these generators; writes no page")
    options = parser.parse_args()
    names = options.names or [one.name for one in catalogue.listed()]
    with temporary.opened("generators") as folder:
        home = Path(folder)
        lab.main(["init", str(home / "lab"), "--samples"])
        pipeline(home / "code")
        with ThreadPoolExecutor(2) as pool:
            rows = list(chain.from_iterable(pool.map(lambda name: both(name, home), names)))
    text = page(rows)
    if not options.names:
        PAGE.write_text(text, encoding="utf-8")
    winners = {row.generator for row in rows if row.ends}
    return int(not all(row.is_searched for row in rows) or len(winners) < len(names))


if __name__ == "__main__":
    raise SystemExit(main())
