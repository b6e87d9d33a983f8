"""An implementer that is a model behind the gateway: it reads listed files and returns edits."""

from __future__ import annotations

from pydantic import BaseModel, Field

from analysis.agent import AgentFailure
from analysis.model_client import ModelClient, file_block
from model_gateway.config import Model
from model_gateway.counsel import Counsel
from model_gateway.material import block
from self_improve import prompts
from self_improve.iteration.implementing.implementer import LARGEST_FILE, Assignment, Work

ROLE = "implementer"
REPLY_TOKENS = 16_000
_HOW = """
Answer with the edits that make the change. Each names in `path` one of the files that may be \
changed, holds in `old` some whole lines of it exactly as they stand there and nowhere else in the \
file, and in `new` what takes their place. Later edits see what earlier ones have made. Say in \
`summary` in 1 to 3 sentences what you changed.
"""


class Edit(BaseModel):
    """One place of one file, before and after."""

    path: str = Field(description="The name of a file that may be changed.")
    old: str = Field(description="Whole lines as they stand there, once in the file.")
    new: str = Field(description="What takes their place.")


class Edits(BaseModel):
    """A change of code."""

    edits: list[Edit] = Field(min_length=1, description="1 or more edits.")
    summary: str = Field(default="", description="1 to 3 sentences.")


class ModelImplementer(ModelClient):
    """Asks two questions: which further files to read, then for the edits."""

    def __init__(self, model: Model, counsel: Counsel) -> None:
        super().__init__(model, counsel, role=ROLE, reply_tokens=REPLY_TOKENS)

    async def write(self, assignment: Assignment) -> Work:
        """Ask for edits, and apply them to the files."""
        files, instructions = assignment.files, assignment.instructions
        first = [file_block(name, files[name], LARGEST_FILE) for name in assignment.writable]
        others = sorted(set(files) - set(assignment.writable))
        more = []
        if others:
            listed = block("files", "\n".join(others))
            user = "\n\n".join([instructions, listed, *first])
            chosen = await self._choose(f"{assignment.key}/files", user, others)
            more = [file_block(name, files[name]) for name in chosen]
        writable = block("may_be_changed", "\n".join(assignment.writable))
        user = "\n\n".join([instructions, writable, *first, *more])
        system = prompts.read("implement") + _HOW
        edits = await self._ask(f"{assignment.key}/edits", system, user, Edits)
        return applied(edits, assignment)


def applied(edits: Edits, assignment: Assignment) -> Work:
    """Return the files after the edits.

    Raises:
        AgentFailure: the text to replace does not occur exactly once.
    """
    texts = dict(assignment.files)
    breaches = []
    for number, edit in enumerate(edits.edits, start=1):
        if edit.path not in assignment.writable:
            breaches.append(f"edit {number} changes {edit.path!r}, which is not allowed")
            continue
        count = texts[edit.path].count(edit.old) if edit.old else 0
        if count != 1:
            raise AgentFailure(
                f"edit {number}: its old text occurs {count} times in {edit.path}, not once"
            )
        texts[edit.path] = texts[edit.path].replace(edit.old, edit.new)
    changed = {n: texts[n] for n in assignment.writable if texts[n] != assignment.files[n]}
    return Work(files=changed, breaches=tuple(breaches), summary=edits.summary)
