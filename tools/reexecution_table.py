"""Re-executes every step that calls a model on every recorded plan, and writes a table.

`make reexecution` unpacks the nine baseline plans of ../shared/recorded, runs each step alone on
each of them with a simulated model through the runner, and writes docs/reexecution.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_gateway import temporary
from prompt_lab import unzip

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT.parent / "shared" / "recorded" / "baseline"
PAGE = ROOT / "docs" / "reexecution.md"
MODEL = "sim-strong"


def unpack(into: Path) -> list[Path]:
    """Unpack all recorded plans; return their directories."""
    into.mkdir()
    plans = []
    for zipped in sorted(BASELINE.glob("*/*.zip")):
        plan = into / zipped.stem
        unzip.unpack(zipped, plan, called=zipped.name, limits=unzip.UnzipLimits())
        plans.append(plan)
    return plans


def calling_steps() -> list[str]:
    """Return the steps that call a model, in the order of the pipeline."""
    done = subprocess.run(
        [sys.executable, "-m", "self_improve.steps", "--json"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return [step["name"] for step in json.loads(done.stdout)["steps"] if step["calls_model"]]


def run(step: str, plans: Sequence[Path], output: Path) -> Mapping[str, dict[str, Any]]:
    """Run one step on all plans; return the row of each cell by plan."""
    done = subprocess.run(
        [
            sys.executable, "-m", "self_improve.runner", "--step", step, "--model", MODEL,
            *(f"--plan-dir={plan}" for plan in plans), "--output-dir", str(output), "--json",
        ],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if done.returncode not in {0, 1}:
        raise SystemExit(f"{step}: the runner ended with {done.returncode}: {done.stderr}")
    [run_facts] = json.loads(done.stdout)["runs"]
    return {row["name"]: row for row in run_facts["rows"]}


def page(plans: Sequence[str], rows: Mapping[str, Mapping[str, dict[str, Any]]]) -> str:
    """Return the page with the table."""
    cells = [row for by_plan in rows.values() for row in by_plan.values()]
    failed = [f"{row['name']}: {row['error']}" for row in cells if row["error"]]
    partial = sum(bool(row["partial"]) for row in cells if not row["error"])
    columns = range(1, len(plans) + 1)
    lines = [
        "# Every step on every recorded plan",
        "",
        "For developers who change the runner or a step. The table shows whether every step can "
        "be run alone on every recorded plan, without any change to the host.",
        "",
        f"`make reexecution` runs each of the {len(rows)} steps that call a model alone on each of "
        f"the {len(plans)} recorded plans, with {MODEL}. A number is the calls of a "
        "[cell](glossary.md#cell); `p` marks a partial result.",
        "",
        f"Of {len(cells)} cells {len(cells) - len(failed)} ended ok, {partial} of them partial; "
        f"{len(failed)} failed.",
        "",
        f"| step | {' | '.join(map(str, columns))} |",
        f"|---|{'---|' * len(plans)}",
        *_lines(plans, rows),
        "",
        *(f"{n}. {plan}" for n, plan in zip(columns, plans, strict=True)),
        "",
        *(f"- failed: {cell}" for cell in failed),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _lines(plans: Sequence[str], rows: Mapping[str, Mapping[str, dict[str, Any]]]) -> Iterator[str]:
    for step, by_plan in rows.items():
        row = (by_plan[plan] for plan in plans)
        texts = ["failed" if c["error"] else f"{c['calls']}{' p' * c['partial']}" for c in row]
        yield f"| {step} | {' | '.join(texts)} |"


def main() -> int:
    """Run everything, write the page; 1 if a cell failed."""
    if not BASELINE.is_dir():
        raise SystemExit(f"There are no recorded plans at {BASELINE}.")
    with temporary.opened("reexecution") as folder:
        plans = unpack(Path(folder) / "plans")
        rows = {step: run(step, plans, Path(folder) / "out") for step in calling_steps()}
    text = page([plan.name for plan in plans], rows)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return int(any(row["error"] for by_plan in rows.values() for row in by_plan.values()))


if __name__ == "__main__":
    raise SystemExit(main())
