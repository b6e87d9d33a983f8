"""An implementer that is a model behind the gateway: it reads listed files, and answers edits."""

from __future__ import annotations

from pydantic import BaseModel, Field

from analysis.agent import AgentFailure
from analysis.model_agent import MOST_FILES, WISHES_SYSTEM_PROMPT, Wishes
from model_gateway.call import Call, FailureKind, R
from model_gateway.config import Model
from model_gateway.counsel import Counsel
from model_gateway.errors import BudgetReached
from model_gateway.material import block
from self_improve import prompts
from self_improve.iteration.implementing.implementer import LARGEST_FILE, Assignment, Work

ROLE = "implementer"
REPLY_TOKENS = 16_000
_LONGEST_READ = 24_000
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


class ModelImplementer:
    """Asks twice: which further files to read, and then for the edits."""

    def __init__(self, model: Model, counsel: Counsel) -> None:
        self._model = model
        self._counsel = counsel

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def model_id(self) -> str:
        """The model's exact id."""
        return self._model.model_id

    @property
    def simulated(self) -> bool:
        """Whether the model is a simulated one."""
        return self._model.is_simulated

    async def write(self, assignment: Assignment) -> Work:
        """Ask for edits, and make them on the texts that were shown."""
        first = [_shown(assignment, name, LARGEST_FILE) for name in assignment.writable]
        others = sorted(set(assignment.files) - set(assignment.writable))
        more = []
        if others:
            listed = block("files", "\n".join(others))
            wanted = await self._ask(
                f"{assignment.key}/files", WISHES_SYSTEM_PROMPT,
                "\n\n".join([assignment.instructions, listed, *first]), Wishes,
            )  # fmt: skip
            named = [name for name in dict.fromkeys(wanted.paths) if name in others]
            more = [_shown(assignment, name, _LONGEST_READ) for name in named[:MOST_FILES]]
        free = block("may_be_changed", "\n".join(assignment.writable))
        edits = await self._ask(
            f"{assignment.key}/edits", prompts.read("implement") + _HOW,
            "\n\n".join([assignment.instructions, free, *first, *more]), Edits,
        )  # fmt: skip
        return applied(edits, assignment)

    async def _ask(self, key: str, system: str, user: str, shape: type[R]) -> R:
        call = Call(key=key, system=system, user=user, schema=shape, max_output_tokens=REPLY_TOKENS)
        reply = await self._counsel.ask(ROLE, self._model, call)
        if reply.failure is not None and reply.failure.kind is FailureKind.budget:
            raise BudgetReached(reply.failure.message)
        if reply.value is None:
            raise AgentFailure(str(reply.failure))
        return reply.value


def applied(edits: Edits, assignment: Assignment) -> Work:
    """Return what edits make of the files.

    Raises:
        AgentFailure: the text that one replaces does not stand there once.
    """
    texts = dict(assignment.files)
    breaches = []
    for number, edit in enumerate(edits.edits, start=1):
        if edit.path not in assignment.writable:
            breaches.append(f"edit {number} is of {edit.path!r}, which may not be changed")
            continue
        count = texts[edit.path].count(edit.old) if edit.old else 0
        if count != 1:
            raise AgentFailure(
                f"edit {number}: its old text stands {count} times in {edit.path}, not once"
            )
        texts[edit.path] = texts[edit.path].replace(edit.old, edit.new)
    changed = {n: texts[n] for n in assignment.writable if texts[n] != assignment.files[n]}
    return Work(files=changed, breaches=tuple(breaches), summary=edits.summary)


def _shown(assignment: Assignment, name: str, longest: int) -> str:
    shown = block("file", assignment.files[name][:longest])
    return shown.replace("<file>", f'<file path="{name}">', 1)
