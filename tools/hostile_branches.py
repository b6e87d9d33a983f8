"""Runs hostile branches through the real command, and counts what they reached: it must be nothing.

`python -m tools.hostile_branches --runs 200` tries attack after attack from every place in which a
candidate's code runs: at import, in a thread, in a cell, in a child, in its tests, in its settings.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from self_improve.sandbox import confinement
from tools import hostile_trees
from tools.hostile_attacks import ATTACKS
from tools.hostile_runs import HARMS, Attack, harms_of

PLACES = ("import", "thread", "import-child", "cell", "cell-child", "tests")
_ONLY = {
    "hangs": ("import", "cell"), "floods": ("import", "cell"),
    "forgeries": ("import", "import-child", "cell", "cell-child", "thread"),
}  # fmt: skip


@dataclass(kw_only=True)
class Row:
    """The runs of one kind, and how many of them did which harm."""

    kind: str
    runs: int = 0
    harms: dict[str, int] = field(default_factory=lambda: dict.fromkeys(HARMS, 0))
    lines: list[str] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """The number of harms, which must be 0."""
        return sum(self.harms.values())

    def text(self) -> str:
        """Return the row of the table."""
        return f"| {self.kind} | {self.runs} | {' | '.join(str(self.harms[h]) for h in HARMS)} |"


def attacks() -> list[Attack]:
    """Return every attack from every place that it fits."""
    listed = [
        Attack(kind=kind, name=name, place=place)
        for kind, snippets in ATTACKS.items()
        for name in snippets
        for place in _ONLY.get(kind, PLACES)
    ]
    return [
        *listed, *(Attack(kind="trees", name=n, place="tree") for n in hostile_trees.TREES),
    ]  # fmt: skip


def campaign(
    runs: int, *, seed: int = 1, tell: Callable[[str], object] | None = None, only: str = ""
) -> list[Row]:
    """Run this number of attacks, in random order, again from the start when all were tried."""
    rows = {kind: Row(kind=kind) for kind in (*ATTACKS, "trees")}
    listed = [a for a in attacks() if only in f"{a.kind}/{a.name}/{a.place}"]
    chosen = _endless(listed, random.Random(seed))
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        data_repo = lab(Path(folder))
        for number in range(runs):
            attack = next(chosen)
            row = rows[attack.kind]
            row.runs += 1
            for harm, what in harms_of(attack, Path(folder) / str(number), data_repo):
                row.harms[harm] += 1
                row.lines.append(f"{attack.kind}/{attack.name}/{attack.place}: {harm}: {what}")
                if tell is not None:
                    tell(row.lines[-1])
            shutil.rmtree(Path(folder) / str(number), ignore_errors=True)
            if tell is not None and (number + 1) % 25 == 0:
                tell(f"{number + 1} runs, {sum(r.violations for r in rows.values())} harms")
    return list(rows.values())


def _endless(listed: list[Attack], order: random.Random) -> Iterator[Attack]:
    while True:
        order.shuffle(listed)
        yield from listed


def lab(folder: Path) -> Path:
    """Create a data repo with one plan in a directory, and return it."""
    root = folder / "lab"
    subprocess.run(
        [sys.executable, "-m", "prompt_lab", "init", str(root)], check=True, capture_output=True
    )
    plan = root / "baseline" / "train" / "silo"
    plan.mkdir(parents=True)
    (plan / "001-2-plan.txt").write_text("Build a silo.\n")
    (plan / "002-found.json").write_text("[]\n")
    return root


def main(words: Sequence[str] | None = None) -> int:
    """Run the campaign and print its table; return 1 if any branch reached anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="TEXT", help="attacks that contain it")
    options = parser.parse_args(words)
    missing = confinement.lacking()
    if missing is not None:
        print(f"Not run: {missing}.")
        return 2
    rows = campaign(
        options.runs, seed=options.seed, only=options.only,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )  # fmt: skip
    print(f"| hostile branches | runs | {' | '.join(HARMS)} |")
    print(f"|---|{'---:|' * (len(HARMS) + 1)}")
    for row in rows:
        print(row.text())
    return 1 if any(row.violations for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
