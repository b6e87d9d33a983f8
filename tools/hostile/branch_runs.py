"""One hostile branch: its code is written, the real command runs it, and what it did is counted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from self_improve.iteration.implementing import acceptance
from self_improve.sandbox import choice
from tools.hostile import trees
from tools.hostile.attacks import ATTACKS, PRELUDE
from tools.hostile.targets import Targets, planted

SECONDS = 90.0
_SHARED = tuple(map(Path, ("/dev/shm", "/tmp", "/var/tmp")))  # noqa: S108 - looked at
Harm = tuple[str, str]
"""Which harm (read, sent, written, left, forged, broke), and what shows it."""
STEP = """
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
HOST = """\
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


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack from one place."""

    kind: str
    name: str
    place: str


def harms_of(attack: Attack, folder: Path, lab: Path) -> list[Harm]:
    """Carry out an attack, and return the harms that it did."""
    folder.mkdir()
    with planted(folder) as targets:
        code = folder / "code"
        _write_code(attack, code, targets)
        before = targets.states(), _tree_state(code), _lab_state(lab)
        began = time.monotonic()
        run = _run_tests if attack.place == "tests" else _run_command
        harms, recorded_text = run(attack, code, targets, lab)
        if time.monotonic() - began > SECONDS:
            harms.append(("broke", "it took too long"))
        after = targets.states(), _tree_state(code), _lab_state(lab)
        for one, other in zip(before, after, strict=True):
            changed = sorted(k for k in {*one, *other} if one.get(k) != other.get(k))
            if changed:
                harms.append(("written", ", ".join(changed[:3])))
        return [*harms, *reached(targets, recorded_text)]


def reached(targets: Targets, recorded_text: str) -> list[Harm]:
    """Return what was reached outside of all directories; `recorded_text` are its records."""
    harms: list[Harm] = []
    if targets.secret in recorded_text or "root:$" in recorded_text or "root:*:" in recorded_text:
        harms.append(
            ("read", recorded_text[max(0, recorded_text.find(targets.secret) - 200) :][:300])
        )
    if targets.arrived():
        harms.append(("sent", "a sink was reached"))
    if targets.signalled():
        harms.append(("sent", "the victim was signalled"))
    harms += [
        ("written", f"a file in {place}") for place in _SHARED if (place / targets.mark).exists()
    ]  # fmt: skip
    if left := targets.left():
        harms.append(("left", f"{len(left)} processes"))
    harms += [("left", path.name) for path in (targets.folder / "tmp").iterdir()]
    return harms


def _write_code(attack: Attack, code: Path, targets: Targets) -> None:
    package = code / "evil"
    package.mkdir(parents=True)
    snippet = trees.SNIPPET if attack.kind == "trees" else ATTACKS[attack.kind][attack.name]
    body = textwrap.indent(snippet.strip(), " " * 8)
    prelude = PRELUDE.format(targets=str(package / "targets.json"), attack=body)
    call = _CALLS.get(attack.place, "")
    at_import = call if attack.place in {"import", "thread", "import-child"} else ""
    in_cell = textwrap.indent(call, " " * 8).strip() if not at_import and call else "pass"
    (package / "__init__.py").write_text("")
    (package / "step.py").write_text(
        STEP.format(prelude=prelude, at_import=at_import, in_cell=in_cell)
    )
    (code / "host.toml").write_text(HOST)
    (code / ".env").write_text(f"KEY={targets.secret}\n")
    if attack.place == "tests":
        test = f"{prelude}\ndef test_it():\n    attack()\n    print('LOOT', LOOT)\n    assert 0\n"
        (code / "test_evil.py").write_text(test)
    if attack.kind == "trees":
        trees.TREES[attack.name](code, targets)


def _run_command(_: Attack, code: Path, targets: Targets, lab: Path) -> tuple[list[Harm], str]:
    """Run the step of the branch; return what went wrong, and all that the command recorded."""
    output = targets.folder / "output"
    command = subprocess.Popen(
        [
            sys.executable, "-m", "self_improve.runner", "--step", "found", "--model", "sim-strong",
            "--code", str(code), "--plan-dir", str(lab / "baseline" / "train" / "silo"),
            "--output-dir", str(output), "--timeout", "8",
        ],
        env=variables_of(targets, lab), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, cwd=targets.folder / "precious",
    )  # fmt: skip
    description = targets.for_code(lab=lab, code=code) | {"command": command.pid}
    (code / "evil" / "targets.json").write_text(json.dumps(description))
    harms: list[Harm] = []
    try:
        out, errors = command.communicate(timeout=SECONDS)
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
    return harms, text + recorded


def _run_tests(attack: Attack, code: Path, targets: Targets, lab: Path) -> tuple[list[Harm], str]:
    """Run the branch's tests as the acceptance of an agent's code does."""
    description = targets.for_code(lab=lab, code=code) | {"command": os.getpid()}
    (code / "evil" / "targets.json").write_text(json.dumps(description))
    variables = dict(os.environ)
    os.environ.update(variables_of(targets, lab))
    tempfile.tempdir = None
    try:
        asyncio.run(
            acceptance.run_tests(code, ["test_evil.py"], acceptance.StepTests(seconds=30.0))
        )
    except acceptance.Refused as refused:
        return [], str(refused)
    finally:
        os.environ.clear()
        os.environ.update(variables)
        tempfile.tempdir = None
    return [("broke", f"the tests of {attack.name} pass")], ""


def variables_of(targets: Targets, lab: Path) -> dict[str, str]:
    """Return the environment of a command that keys are planted in."""
    variables = {n: os.environ[n] for n in ("PATH", "LANG", choice.VARIABLE) if n in os.environ}
    root = str(Path(__file__).resolve().parents[2])
    return {
        **variables, "PYTHONPATH": root, "HOME": str(targets.home), "PROMPT_LAB_DIR": str(lab),
        "TMPDIR": str(targets.folder / "tmp"), "PLUMBLINE_LOAD_SECONDS": "8",
        "HOSTILE_API_KEY": targets.secret, "DATABASE_URL": f"postgres://me:{targets.secret}@db/x",
        "GH_PAT": targets.secret, "NPM_AUTH": targets.secret, "PLAIN": targets.secret,
        "https_proxy": f"http://me:{targets.secret}@proxy.example:1/",
    }  # fmt: skip


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
