"""An implementer that is a program: it changes copies of files, outside of any repository."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.program import PROGRAMS, Program, ProgramClient
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
_LONGEST_SUMMARY = 2000
_TASK_PROMPT = """\
{instructions}
The files lie in this directory. You may change these and no others:
{writable}

These you may read:
{readable}

Change them in place. Make no other file, delete none, run nothing and fetch nothing. Your last \
message says in 1 to 3 sentences what you changed.

{task}
"""


class ProgramImplementer(ProgramClient):
    """Runs a program in a directory with copies of the files, and inspects the directory."""

    async def write(self, assignment: Assignment) -> Work:
        """Run the program, and return what it wrote."""
        task = _TASK_PROMPT.format(
            instructions=prompts.read("implement"),
            writable="\n".join(assignment.writable),
            readable="\n".join(n for n in sorted(assignment.files) if n not in assignment.writable),
            task=assignment.instructions,
        )
        answer = await self._ask(
            assignment.key, task,
            (f"\0{name}\0{text}" for name, text in sorted(assignment.files.items())),
            prepare=lambda folder: confinement.lay_out(folder, assignment.files),
            answer_of=lambda folder, message: self._work(folder, assignment, message),
        )  # fmt: skip
        # A recorded answer is looked at as well: an older version may have recorded a key.
        row = json.loads(self._without_keys(json.loads(answer)))
        return Work(files=row["files"], breaches=tuple(row["breaches"]), summary=row["told"])

    def _work(self, folder: Path, assignment: Assignment, message: str) -> str:
        """Return what the program did as a row of the journal, without keys."""
        files, breaches = confinement.inspect(folder, assignment)
        for name, text in list(files.items()):
            if confinement.names_machine(text):
                breaches.append(f"{name} holds a path of this machine")
                del files[name]
        row = {"files": files, "breaches": breaches, "told": message[:_LONGEST_SUMMARY]}
        return self._without_keys(row)

    def _without_keys(self, row: dict[str, Any]) -> str:
        """Return a row as JSON; a file with a key is a breach, and not kept.

        It is not enough to take the key out: what is left would be other code than was written.
        """
        files = dict(row["files"])
        leaks = {name: self._redact.check(text) for name, text in files.items()}
        breaches = [
            f"{self._redact(name)} holds a key: {self._redact(str(findings[0]))}"
            for name, findings in leaks.items()
            if findings
        ]
        clean = {name: text for name, text in files.items() if not leaks[name]}
        said = {"breaches": [*row["breaches"], *breaches], "told": row["told"]}
        return json.dumps({"files": clean, **self._redact.value(said)}, ensure_ascii=False)
