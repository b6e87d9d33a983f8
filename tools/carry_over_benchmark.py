"""Carries the rows of the generators' benchmark over to code that was moved or renamed only.

A row counts for the digest of the code that measured it. One search of each generator is repeated;
if all give what their rows say, every row gets the digest of today, and keeps the one it had.
Command: .venv-extras/bin/python -m tools.carry_over_benchmark
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from model_gateway.jsonl import read_rows
from prompt_lab import atomic
from self_improve.benchmark import campaign, provenance
from self_improve.benchmark.campaign import Task

RESULTS = Path(__file__).parents[1] / "docs" / "figures" / "generators" / campaign.RESULTS


def sample(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Return one row of each kind and generator, drawn by `seed`."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["task"]["kind"], row["task"]["generator"]), []).append(row)
    draw = random.Random(seed)
    return [draw.choice(group) for _, group in sorted(groups.items())]


def carried(row: dict[str, Any], present: dict[str, Any]) -> dict[str, Any]:
    """Return `row` with the provenance of today; `measured_with` is the one of its search."""
    measured = row.get("measured_with", row["made_with"])
    return {**row, "made_with": present, "measured_with": measured}


def main() -> int:
    """Write the rows and return 0, or return 1 because a repeated search gave another result."""
    rows, _ = read_rows(RESULTS)
    present = provenance.current().to_row()
    if present["dirty"]:
        print("Commit first: the rows name the commit.", file=sys.stderr)
        return 2
    different = 0
    for row in sample(rows, seed=int(present["digest"][:8], 16)):
        again = json.loads(json.dumps(campaign.run_task(Task(**row["task"]))))
        changed = [
            name for name in row["result"].keys() | again.keys() if "seconds" not in name
            and row["result"].get(name) != again.get(name)
        ]  # fmt: skip
        print(*row["task"].values(), "differs in " + ", ".join(changed) if changed else "same")
        different += bool(changed)
    if different:
        print(
            "Nothing was written. Measure again: python -m self_improve.benchmark --out docs",
            file=sys.stderr,
        )
        return 1
    lines = [json.dumps(carried(row, present)) + "\n" for row in rows]
    atomic.write(RESULTS, "".join(lines).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
