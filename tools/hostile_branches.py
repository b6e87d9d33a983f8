"""Runs hostile branches through the real command, and counts what they reached: it must be nothing.

`python -m tools.hostile_branches --runs 200` tries attack after attack from every place in which a
candidate's code runs: at import, in a thread, in a cell, in a child, in its tests, in its settings.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from self_improve.iteration.implementing import acceptance
from self_improve.sandbox import choice, confinement
from tools import hostile_trees
from tools.hostile_attacks import ATTACKS, PRELUDE
from tools.hostile_targets import Targets, planted

HARMS = ("read", "sent", "written", "left", "forged", "broke")
PLACES = ("import", "thread", "import-child", "cell", "cell-child", "tests")
_ONLY = {
    "hangs": ("import", "cell"), "floods": ("import", "cell"),
    "forgeries": ("import", "import-child", "cell", "cell-child", "thread"),
}  # fmt: skip
_SECONDS = 90.0
_STEP = """
import json
from pathlib import Path
import luigi
from pydantic import BaseModel
from model_gateway import door
from model_gateway.call import Call
{prelude}
{at_import}
FOUND_SYSTEM_PROMPT = "You find the levers of a plan."

class Levers(BaseModel):
    found: list[str]

class Given(luigi.ExternalTask):
    run_dir = luigi.Parameter()
    def output(self): return luigi.LocalTarget(str(Path(self.run_dir) / "001-2-plan.txt"))

class Found(luigi.Task):
    run_dir = luigi.Parameter()
    model = luigi.Parameter()
    def requires(self): return Given(run_dir=self.run_dir)
    def output(self): return luigi.LocalTarget(str(Path(self.run_dir) / "002-found.json"))
    def run(self):
        target = Path(self.output().path).absolute()
        {in_cell}
        gate = door.from_environment()
        gate(Call(key="a", system=FOUND_SYSTEM_PROMPT, user="A silo.", schema=Levers))
        target.write_text(json.dumps(LOOT))
"""
_HOST = """\
import_roots = ["evil"]
tasks = ["evil.step:Found"]
run_dir = "run_dir"
model = "model"
passes = ["DATABASE_URL", "HOSTILE_API_KEY", "GH_PAT"]
"""
_IN_CHILD = """
r, w = os.pipe()
if os.fork() == 0:
    attack()
    with os.fdopen(w, "w") as pipe: json.dump(LOOT, pipe)
    os._exit(0)
os.close(w)
import select
if select.select([r], [], [], 8)[0]: got(os.read(r, 1 << 20))
"""
_CALLS = {
    "import": "attack()", "thread": "threading.Thread(target=attack, daemon=True).start()",
    "import-child": _IN_CHILD, "cell": "attack()", "cell-child": _IN_CHILD,
}  # fmt: skip


@dataclass(kw_only=True)
class Row:
    """The runs of one kind, and how many of them did which harm."""

    kind: str
    runs: int = 0
    harms: dict[str, int] = field(default_factory=lambda: dict.fromkeys(HARMS, 0))
    told: list[str] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """The number of harms, which must be 0."""
        return sum(self.harms.values())

    def text(self) -> str:
        """Return the row of the table."""
        return f"| {self.kind} | {self.runs} | {' | '.join(str(self.harms[h]) for h in HARMS)} |"


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack from one place."""

    kind: str
    name: str
    place: str


def attacks() -> list[Attack]:
    """Return every attack from every place that it fits."""
    found = [
        Attack(kind=kind, name=name, place=place)
        for kind, snippets in ATTACKS.items()
        for name in snippets
        for place in _ONLY.get(kind, PLACES)
    ]
    return [
        *found, *(Attack(kind="trees", name=n, place="tree") for n in hostile_trees.TREES),
    ]  # fmt: skip


def campaign(runs: int, *, seed: int = 1, tell: Any = None, only: str = "") -> list[Row]:
    """Run so many attacks, in random order, again from the start when all were tried."""
    rows = {kind: Row(kind=kind) for kind in (*ATTACKS, "trees")}
    listed = [a for a in attacks() if only in f"{a.kind}/{a.name}/{a.place}"]
    chosen = _endless(listed, random.Random(seed))  # noqa: S311 - an order, not a secret
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        lab = _lab(Path(folder))
        for number in range(runs):
            attack = next(chosen)
            row = rows[attack.kind]
            row.runs += 1
            for harm, what in _harms(attack, Path(folder) / str(number), lab):
                row.harms[harm] += 1
                row.told.append(f"{attack.kind}/{attack.name}/{attack.place}: {harm}: {what}")
                if tell is not None:
                    tell(row.told[-1])
            shutil.rmtree(Path(folder) / str(number), ignore_errors=True)
            if tell is not None and (number + 1) % 25 == 0:
                tell(f"{number + 1} runs, {sum(r.violations for r in rows.values())} harms")
    return list(rows.values())


def _endless(listed: list[Attack], order: random.Random) -> Iterator[Attack]:
    while True:
        order.shuffle(listed)
        yield from listed


def _harms(attack: Attack, folder: Path, lab: Path) -> list[tuple[str, str]]:
    """Carry out an attack, and return the harms that it did."""
    folder.mkdir()
    with planted(folder) as targets:
        code = folder / "code"
        _write_code(attack, code, targets)
        shared = Path("/dev/shm"), Path("/tmp"), Path("/var/tmp")  # noqa: S108 - looked at
        before = targets.states(), _tree_state(code), _lab_state(lab)
        began = time.monotonic()
        if attack.place == "tests":
            told, found = _run_tests(attack, code, targets, lab)
        else:
            told, found = _run_command(code, targets, lab)
        if os.environ.get("SHOW"):
            print(attack, found[-int(os.environ["SHOW"]):])
        harms: list[tuple[str, str]] = []
        if time.monotonic() - began > _SECONDS:
            harms.append(("broke", "it took too long"))
        harms += told
        if targets.secret in found or "root:$" in found or "root:*:" in found:
            harms.append(("read", found[max(0, found.find(targets.secret) - 200) :][:300]))
        if targets.arrived():
            harms.append(("sent", "a sink was reached"))
        if targets.signalled():
            harms.append(("sent", "the victim was signalled"))
        after = targets.states(), _tree_state(code), _lab_state(lab)
        for one, other in zip(before, after, strict=True):
            if one != other:
                changed = {k for k in {*one, *other} if one.get(k) != other.get(k)}
                harms.append(("written", ", ".join(sorted(changed)[:3])))
        if any((place / targets.mark).exists() for place in shared):
            harms.append(("written", "a file in a shared directory"))
        if left := targets.left():
            harms.append(("left", f"{len(left)} processes"))
        if rooms := list((folder / "tmp").iterdir()):
            harms.append(("left", ", ".join(path.name for path in rooms)))
    return harms


def _write_code(attack: Attack, code: Path, targets: Targets) -> None:
    package = code / "evil"
    package.mkdir(parents=True)
    snippet = hostile_trees.SNIPPET if attack.kind == "trees" else ATTACKS[attack.kind][attack.name]
    body = textwrap.indent(snippet.strip(), " " * 8)
    prelude = PRELUDE.format(targets=str(package / "targets.json"), attack=body)
    call = _CALLS.get(attack.place, "")
    at_import = call if attack.place in {"import", "thread", "import-child"} else ""
    in_cell = textwrap.indent(call, " " * 8).strip() if not at_import and call else "pass"
    (package / "__init__.py").write_text("")
    (package / "step.py").write_text(
        _STEP.format(prelude=prelude, at_import=at_import, in_cell=in_cell)
    )
    (code / "host.toml").write_text(_HOST)
    (code / ".env").write_text(f"KEY={targets.secret}\n")
    if attack.place == "tests":
        test = f"{prelude}\ndef test_it():\n    attack()\n    print('LOOT', LOOT)\n    assert 0\n"
        (code / "test_evil.py").write_text(test)
    if attack.kind == "trees":
        hostile_trees.TREES[attack.name](code, targets)


def _run_command(code: Path, targets: Targets, lab: Path) -> tuple[list[tuple[str, str]], str]:
    """Run the step of the branch; return what went wrong, and all that the command recorded."""
    output = targets.folder / "output"
    command = subprocess.Popen(
        [
            sys.executable, "-m", "self_improve.runner", "--step", "found", "--model", "sim-strong",
            "--code", str(code), "--plan-dir", str(lab / "baseline" / "train" / "silo"),
            "--output-dir", str(output), "--timeout", "8",
        ],
        env=_environment(targets, lab), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, cwd=targets.folder / "precious",
    )  # fmt: skip
    told = targets.for_code(lab=lab, code=code) | {"command": command.pid}
    (code / "evil" / "targets.json").write_text(json.dumps(told))
    harms: list[tuple[str, str]] = []
    try:
        out, errors = command.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(command.pid, signal.SIGKILL)
        out, errors = command.communicate()
        harms.append(("broke", "the command hung"))
    text = (out + errors).decode("utf-8", "replace")
    if command.returncode not in {0, 1, 2} or "Traceback" in errors.decode("utf-8", "replace"):
        harms.append(("broke", f"exit {command.returncode}: {text[-600:]}"))
    recorded = ""
    for path in output.rglob("*") if output.exists() else ():
        if path.is_symlink():
            harms.append(("written", f"a link in the record: {path.name}"))
        elif path.is_file():
            with path.open("rb") as file:
                recorded += file.read(1 << 22).decode("utf-8", "replace")
    for path in output.rglob("outputs.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if any(row["error"] is None and not row["calls_succeeded"] for row in rows):
            harms.append(("forged", "a cell that asked nobody counts"))
    if targets.mark in text and "refused" in text:
        pass  # The code's own reason for not being loaded is its own business.
    return harms, text + recorded


def _run_tests(
    attack: Attack, code: Path, targets: Targets, lab: Path
) -> tuple[list[tuple[str, str]], str]:
    """Run the branch's tests as the acceptance of an agent's code does."""
    told = targets.for_code(lab=lab, code=code) | {"command": os.getpid()}
    (code / "evil" / "targets.json").write_text(json.dumps(told))
    kept = dict(os.environ)
    os.environ.update(_environment(targets, lab))
    tempfile.tempdir = None
    try:
        asyncio.run(
            acceptance.run_tests(code, ["test_evil.py"], acceptance.StepTests(seconds=30.0))
        )
    except acceptance.Refused as refused:
        return [], str(refused)
    finally:
        os.environ.clear()
        os.environ.update(kept)
        tempfile.tempdir = None
    return [("broke", f"the tests of {attack.name} pass")], ""


def _environment(targets: Targets, lab: Path) -> dict[str, str]:
    kept = {n: os.environ[n] for n in ("PATH", "LANG", choice.VARIABLE) if n in os.environ}
    root = str(Path(__file__).resolve().parents[1])
    return {
        **kept, "PYTHONPATH": root, "HOME": str(targets.home), "PROMPT_LAB_DIR": str(lab),
        "TMPDIR": str(targets.folder / "tmp"), "PLUMBLINE_LOAD_SECONDS": "8",
        "HOSTILE_API_KEY": targets.secret, "DATABASE_URL": f"postgres://me:{targets.secret}@db/x",
        "GH_PAT": targets.secret, "NPM_AUTH": targets.secret, "PLAIN": targets.secret,
        "https_proxy": f"http://me:{targets.secret}@proxy.example:1/",
    }  # fmt: skip


def _lab(folder: Path) -> Path:
    lab = folder / "lab"
    subprocess.run(
        [sys.executable, "-m", "prompt_lab", "init", str(lab)], check=True, capture_output=True
    )
    plan = lab / "baseline" / "train" / "silo"
    plan.mkdir(parents=True)
    (plan / "001-2-plan.txt").write_text("Build a silo.\n")
    (plan / "002-found.json").write_text("[]\n")
    return lab


def _lab_state(lab: Path) -> dict[str, Any]:
    state = {}
    for path in sorted(lab.rglob("*")):
        with suppress(OSError):
            facts = path.lstat()
            state[str(path)] = (facts.st_mode, 0 if path.is_dir() else facts.st_mtime_ns)
    return state


def _tree_state(code: Path) -> dict[str, Any]:
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_size)
        for path in sorted(code.rglob("*"))
        if path.name != "targets.json" and "/.git/index" not in str(path)
    }


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
