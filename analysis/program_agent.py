"""An agent that is a program (`claude`, `codex`): read-only, limited, killed as a group."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.agent import AgentFailure, Brief, P
from analysis.materials import Materials
from model_gateway import child_process
from model_gateway.door import schema_of
from model_gateway.errors import BudgetReached
from model_gateway.keys import Redactor, without_keys
from model_gateway.ledger import Ledger, Spend
from model_gateway.program_journal import ProgramJournal
from model_gateway.replies import parse

ANSWER = "answer.txt"
_TASK = """\
{instructions}
The files you may read lie in this directory, under these names:
{names}

Begin with: {first}

Nothing may be written, run or fetched. Your last message is one JSON object that fits this JSON \
schema, and nothing else:
{schema}
"""


@dataclass(frozen=True, kw_only=True)
class Program:
    """How a program is called: the words, where its answer is, and what it may cost at most.

    `{answer}` in a word stands for the file that the program writes its last message to. The
    task comes on its standard input. `maximum` is reserved before it starts; what it reports
    to have spent is settled, else the whole maximum. `key_variables` are the only keys it gets.
    """

    name: str
    command: tuple[str, ...]
    model_id: str
    maximum: Spend
    seconds: float = 900.0
    key_variables: tuple[str, ...] = ()
    read: Callable[[str, Path], tuple[str, Spend | None]] = field(
        default=lambda said, _: (said, None)
    )

    @property
    def is_installed(self) -> bool:
        """Whether the program can be found."""
        return shutil.which(self.command[0]) is not None


def _claude(said: str, _: Path) -> tuple[str, Spend | None]:
    """Read the JSON that `claude --output-format json` prints last."""
    try:
        told = json.loads(said)
        usage = told.get("usage", {})
        tokens = sum(int(v) for k, v in usage.items() if k.endswith("_tokens") and v)
        cost = told.get("total_cost_usd")
        spent = None if cost is None else Spend(calls=1, tokens=tokens, dollars=float(cost))
        return str(told["result"]), spent
    except (ValueError, KeyError, TypeError, AttributeError):
        return said, None


def _codex(_: str, answer: Path) -> tuple[str, Spend | None]:
    """Read the file to which `codex exec` writes its last message."""
    try:
        return answer.read_text(encoding="utf-8", errors="replace"), None
    except OSError:
        return "", None


PROGRAMS: Mapping[str, Program] = {
    "claude": Program(
        name="claude",
        command=(
            "claude", "-p", "--output-format", "json", "--model", "claude-sonnet-4-5-20250929",
            "--allowedTools", "Read,Grep,Glob", "--permission-mode", "plan", "--max-turns", "40",
        ),
        model_id="claude-sonnet-4-5-20250929",
        maximum=Spend(calls=40, tokens=1_500_000, dollars=5.0),
        key_variables=("ANTHROPIC_API_KEY",),
        read=_claude,
    ),
    "codex": Program(
        name="codex",
        command=(
            "codex", "exec", "--sandbox", "read-only", "--skip-git-repo-check", "--model",
            "gpt-5-codex", "--output-last-message", "{answer}", "-",
        ),
        model_id="gpt-5-codex",
        maximum=Spend(calls=40, tokens=1_500_000, dollars=5.0),
        key_variables=("OPENAI_API_KEY",),
        read=_codex,
    ),
}  # fmt: skip


class NotStarted(AgentFailure):
    """The program never ran, so it has spent nothing."""


class ProgramAgent:
    """Runs a program in a directory that holds copies of the listed files and nothing else.

    What it spends and answers is kept in `journal`: what it has answered is not asked again.
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

    async def answer(self, brief: Brief, shape: type[P]) -> P:
        """Run the program, and read its last message as a `shape`."""
        task = _task(brief, shape)
        asked = self._identity(brief, task)
        known = self._journal.answer(asked)
        if known is not None:
            return self._read(known, shape)
        try:
            held = await self._journal.reserve(self._ledger, self._program.maximum, asked)
        except BudgetReached as error:
            raise AgentFailure(f"budget: {error}") from error
        spent: Spend | None = None
        said: str | None = None
        try:
            with tempfile.TemporaryDirectory(prefix="plumbline-agent-") as place:
                room, answer = Path(place) / "files", Path(place) / ANSWER
                _lay_out(brief.materials, room)
                printed = await run(self._program, room, answer, task)
                text, spent = self._program.read(printed, answer)
            found = self._read(text, shape)
            said = self._redact(text)
        except NotStarted:
            spent = Spend()
            raise
        finally:
            await self._journal.settle(self._ledger, held, asked, spent=spent, answer=said)
        return found

    def _identity(self, brief: Brief, task: str) -> dict[str, str]:
        """Return what names a question: who is asked what, about which texts."""
        digest = hashlib.sha256(task.encode("utf-8", "replace"))
        for name in brief.materials.names():
            digest.update((brief.materials.text(name) or "").encode("utf-8", "replace"))
        program = self._program
        return {
            "program": program.name, "model": program.model_id, "phase": brief.phase,
            "digest": digest.hexdigest(),
        }  # fmt: skip

    def _read(self, text: str, shape: type[P]) -> P:
        found = parse(text, shape, cut_off=False, last=True)
        if found.value is None:
            raise AgentFailure(self._redact(f"{self._program.name}: {found.failure}"))
        return found.value


async def run(program: Program, room: Path, answer: Path, task: str) -> str:
    """Run a program in the directory `room`, and return what it printed.

    Raises:
        AgentFailure: it cannot be started, took too long, or failed.
    """
    environment = without_keys(os.environ)
    environment |= {n: os.environ[n] for n in program.key_variables if n in os.environ}
    try:
        ended = await child_process.run(
            [word.format(answer=answer) for word in program.command], folder=room,
            environment=environment, seconds=program.seconds, input_text=task,
        )  # fmt: skip
    except OSError as error:
        raise NotStarted(f"{program.name} cannot be started: {error.strerror}") from error
    if ended.status is None:
        raise AgentFailure(f"{program.name} was killed after {program.seconds:g} s")
    if ended.status:
        told = ended.error_output.strip()[-300:]
        raise AgentFailure(
            Redactor(program.key_variables)(f"{program.name} ended with {ended.status}: {told}")
        )
    return ended.output


def _lay_out(materials: Materials, room: Path) -> None:
    """Copy the listed files, read-only: what a program does to them harms nobody."""
    for name in materials.names():
        text = materials.text(name)
        if text is None:
            continue
        target = room / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", errors="replace")
        target.chmod(0o444)


def _task(brief: Brief, shape: type[P]) -> str:
    return _TASK.format(
        instructions=brief.instructions,
        names="\n".join(brief.materials.names()),
        first=", ".join(brief.first),
        schema=json.dumps(schema_of(shape)),
    )


def installed(names: Sequence[str] = tuple(PROGRAMS)) -> list[Program]:
    """Return the programs among `names` that can be found on this machine."""
    return [PROGRAMS[name] for name in names if PROGRAMS[name].is_installed]
