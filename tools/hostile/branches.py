"""Runs hostile branches through the real command, and counts what they reached: it must be nothing.

An attack is tried from every place in which a candidate's code runs: at import, in a thread, in a
cell, in a child, in its tests, in its settings. One in twelve goes through the whole
`iterate --branch`, which takes longer.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from model_gateway import temporary
from tools.hostile import branch_iterations, trees
from tools.hostile.attacks import ATTACKS
from tools.hostile.branch_runs import Attack, harms_of
from tools.hostile.row import Row
from tools.hostile.site import make_template

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

    Yields a row for each kind, and one for attacks through the whole `iterate --branch`.
    """
    order = random.Random(seed)
    chosen = _chosen(attacks(), size, order, only)
    with temporary.opened("hostile") as folder:
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
        yield _iterations(-(-size // 12), order, only, Path(folder))


def _iterations(size: int, order: random.Random, only: str, folder: Path) -> Row:
    """Try attacks through the whole `iterate --branch`; they match as `iterate/KIND/NAME/PLACE`."""
    chosen = _chosen(branch_iterations.attacks(), size, order, only, start="iterate/")
    violations = []
    if chosen:
        home = folder / "template"
        home.mkdir()
        template = make_template(home)
    for attack in chosen:
        run = folder / "run"
        for harm, what in branch_iterations.harms_of(attack, run, template):
            violations.append(f"iterate/{attack.kind}/{attack.name}/{attack.place}: {harm}: {what}")
        shutil.rmtree(run, ignore_errors=True)
    return Row(kind="iterate --branch", runs=len(chosen), violations=tuple(violations))


def _chosen(
    listed: list[Attack], size: int, order: random.Random, only: str, start: str = ""
) -> list[Attack]:
    fitting = [a for a in listed if re.search(only, f"{start}{a.kind}/{a.name}/{a.place}")]
    return list(islice(_endless(fitting, order), size))


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
