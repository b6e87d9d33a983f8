"""Runs hostile branches through the real command, and counts what they reached: it must be nothing.

An attack is tried from every place in which a candidate's code runs: at import, in a thread, in a
cell, in a child, in its tests, in its settings.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tools.hostile import trees
from tools.hostile.attacks import ATTACKS
from tools.hostile.branch_runs import Attack, harms_of
from tools.hostile.row import Row

PLACES = ("import", "thread", "import-child", "cell", "cell-child", "tests")
_ONLY = {
    "hangs": ("import", "cell"), "floods": ("import", "cell"),
    "forgeries": ("import", "import-child", "cell", "cell-child", "thread"),
}  # fmt: skip


def attacks() -> list[Attack]:
    """Return every attack from every place that it fits."""
    listed = [
        Attack(kind=kind, name=name, place=place)
        for kind, snippets in ATTACKS.items()
        for name in snippets
        for place in _ONLY.get(kind, PLACES)
    ]
    return [
        *listed, *(Attack(kind="trees", name=n, place="tree") for n in trees.TREES),
    ]  # fmt: skip


def campaign(size: int, seed: int = 1, only: str = "") -> Iterator[Row]:
    """Run `size` attacks of a random order, all of them once before one is repeated.

    Yields a row for each kind.
    """
    listed = [a for a in attacks() if re.search(only, f"{a.kind}/{a.name}/{a.place}")]
    chosen = list(islice(_endless(listed, random.Random(seed)), size))
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        data_repo = lab(Path(folder))
        for kind in (*ATTACKS, "trees"):
            alike = [attack for attack in chosen if attack.kind == kind]
            violations = []
            for attack in alike:
                run = Path(folder) / "run"
                for harm, what in harms_of(attack, run, data_repo):
                    violations.append(f"{kind}/{attack.name}/{attack.place}: {harm}: {what}")
                shutil.rmtree(run, ignore_errors=True)
            yield Row(kind=kind, runs=len(alike), violations=tuple(violations))


def _endless(listed: list[Attack], order: random.Random) -> Iterator[Attack]:
    while listed:
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
