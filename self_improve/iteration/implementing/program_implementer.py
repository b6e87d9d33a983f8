"""An implementer that is a program (`claude`, `codex`): it works on copies, outside of any git."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from analysis.program_agent import ANSWER, PROGRAMS, NotStarted, Program, run
from model_gateway.keys import Redactor
from model_gateway.ledger import Ledger, Spend
from model_gateway.program_journal import ProgramJournal
from self_improve import prompts
from self_improve.iteration.implementing import confinement
from self_improve.iteration.implementing.implementer import Assignment, Work

WRITERS: Mapping[str, Program] = {
    "claude": replace(
        PROGRAMS["claude"],
        command=(
            "claude", "-p", "--output-format", "json", "--model", PROGRAMS["claude"].model_id,
            "--allowedTools", "Read,Grep,Glob,Edit,Write", "--disallowedTools",
            "Bash,WebFetch,WebSearch,Task", "--permission-mode", "acceptEdits", "--max-turns", "60",
        ),
    ),
    "codex": replace(
        PROGRAMS["codex"],
        command=(
            "codex", "exec", "--sandbox", "workspace-write", "--skip-git-repo-check", "--model",
            PROGRAMS["codex"].model_id, "--output-last-message", "{answer}", "-",
        ),
    ),
}  # fmt: skip
_LONGEST_WORD = 2000
_TASK = """\
{instructions}
The files lie in this directory. You may change these and no others:
{writable}

These you may read:
{readable}

Change them in place. Make no other file, delete none, run nothing and fetch nothing. Your last \
message says in 1 to 3 sentences what you changed.

{told}
"""


class ProgramImplementer:
    """Runs a program in a directory with copies, and looks at what has become of them.

    What it has written is kept in `journal`: the same is not asked again.
    """

    def __init__(self, program: Program, ledger: Ledger, journal: ProgramJournal) -> None:
        self._program = program
        self._ledger = ledger
        self._journal = journal
        self._redact = Redactor(program.key_variables)

    @property
    def name(self) -> str:
        """The program's name."""
        return self._program.name

    @property
    def model_id(self) -> str:
        """The model that the program is told to use."""
        return self._program.model_id

    @property
    def simulated(self) -> bool:
        """A program is none of our simulations."""
        return False

    async def write(self, assignment: Assignment) -> Work:
        """Run the program, and take over what it wrote."""
        program = self._program
        task = _task(assignment)
        asked = _identity(program, assignment, task)
        known = self._journal.answer(asked)
        if known is not None:
            return _work(known)
        held = await self._journal.reserve(self._ledger, program.maximum, asked)
        spent: Spend | None = None
        said: str | None = None
        try:
            with tempfile.TemporaryDirectory(prefix="plumbline-implement-") as place:
                room, answer = Path(place) / "files", Path(place) / ANSWER
                room.mkdir()
                confinement.lay_out(room, assignment.files)
                printed = await run(program, room, answer, task)
                told, spent = program.read(printed, answer)
                said = self._kept(room, assignment, told)
        except NotStarted:
            spent = Spend()
            raise
        finally:
            await self._journal.settle(self._ledger, held, asked, spent=spent, answer=said)
        return _work(said)

    def _kept(self, room: Path, assignment: Assignment, told: str) -> str:
        """Return what the program did, as the journal keeps it, without keys."""
        files, breaches = confinement.found_in(room, assignment)
        for name, text in list(files.items()):
            held = "a key" if self._redact(text) != text else None
            if confinement.names_machine(text):
                held = "a path of this machine"
            if held is not None:
                breaches.append(f"{name} holds {held}")
                del files[name]
        told = told[:_LONGEST_WORD].replace(f"{room}/", "").replace(f"{Path.home()}/", "~/")
        row = {"files": files, "breaches": breaches, "told": told}
        return self._redact(json.dumps(row, ensure_ascii=False))


def _task(assignment: Assignment) -> str:
    return _TASK.format(
        instructions=prompts.read("implement"),
        writable="\n".join(assignment.writable),
        readable="\n".join(n for n in sorted(assignment.files) if n not in assignment.writable),
        told=assignment.instructions,
    )


def _identity(program: Program, assignment: Assignment, task: str) -> dict[str, str]:
    """Return what names a question: who is asked what, about which texts."""
    digest = sha256(task.encode("utf-8", "replace"))
    for name, text in sorted(assignment.files.items()):
        digest.update(f"\0{name}\0{text}".encode("utf-8", "replace"))
    return {
        "program": program.name, "model": program.model_id, "phase": assignment.key,
        "digest": digest.hexdigest(),
    }  # fmt: skip


def _work(kept: str) -> Work:
    row = json.loads(kept)
    return Work(files=row["files"], breaches=tuple(row["breaches"]), summary=row["told"])
