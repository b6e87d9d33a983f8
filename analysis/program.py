"""Programs with models of their own (`claude`, `codex`): limited, journaled, killed as a group."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from analysis.agent import AgentFailure
from analysis.program_environment import environment_of
from model_gateway import child_process, temporary
from model_gateway.foreign_files import json_of, read_bytes
from model_gateway.keys import Redactor
from model_gateway.ledger import Ledger, Spend
from model_gateway.program_journal import ProgramJournal

_ANSWER = "answer.txt"


@dataclass(frozen=True, kw_only=True)
class Program:
    """How a program is called: its command line, how to read its answer, and its limits.

    `{answer}` in a word stands for the file that the program writes its last message to. The
    task comes on its standard input. `maximum` is reserved before it starts; afterwards its
    reported spend is settled, or the whole maximum. `key_variables` are the only keys it gets; see
    `program_environment` for all that it gets.
    `read` takes its output and the file, and returns its last message and spend.
    """

    name: str
    command: tuple[str, ...]
    model_id: str
    maximum: Spend
    seconds: float = 900.0
    key_variables: tuple[str, ...] = ()
    read: Callable[[str, Path], tuple[str, Spend | None]] = field(
        default=lambda output, _: (output, None)
    )

    @property
    def is_installed(self) -> bool:
        """Whether the program can be found."""
        return shutil.which(self.command[0]) is not None


def _claude(output: str, _: Path) -> tuple[str, Spend | None]:
    """Read the JSON that `claude --output-format json` prints last."""
    try:
        row = json_of(output)
        usage = row.get("usage", {})
        tokens = sum(int(v) for k, v in usage.items() if k.endswith("_tokens") and v)
        cost = row.get("total_cost_usd")
        spent = None if cost is None else Spend(calls=1, tokens=tokens, dollars=float(cost))
        return str(row["result"]), spent
    except (ArithmeticError, ValueError, KeyError, TypeError, AttributeError):
        return output, None


def _codex(_: str, answer: Path) -> tuple[str, Spend | None]:
    """Read the file to which `codex exec` writes its last message."""
    try:
        return read_bytes(answer).decode("utf-8", "replace"), None
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
        key_variables=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
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
        key_variables=("OPENAI_API_KEY", "CODEX_API_KEY"),
        read=_codex,
    ),
}  # fmt: skip


def installed(names: Sequence[str] = tuple(PROGRAMS)) -> list[Program]:
    """Return the programs among `names` that can be found on this machine."""
    return [PROGRAMS[name] for name in names if PROGRAMS[name].is_installed]


class _NotStartedError(AgentFailure):
    """The program never ran, so it has spent nothing."""


class ProgramClient:
    """Asks a program in an empty directory; a question with a recorded answer is not repeated.

    `redact` knows all keys. What the program says goes through it before anybody reads it, and so
    does a recorded answer: an older version may have recorded it with a key.
    """

    def __init__(
        self,
        program: Program,
        ledger: Ledger,
        journal: ProgramJournal,
        *,
        redact: Redactor | None = None,
    ) -> None:
        self._program = program
        self._ledger = ledger
        self._journal = journal
        self._redact = redact or Redactor(program.key_variables)

    @property
    def name(self) -> str:
        """The program's name."""
        return self._program.name

    @property
    def model_id(self) -> str:
        """The model that the program is run with."""
        return self._program.model_id

    @property
    def simulated(self) -> bool:
        """Programs are never simulated."""
        return False

    async def _ask(
        self,
        phase: str,
        task: str,
        texts: Iterable[str],
        *,
        prepare: Callable[[Path], None],
        answer_of: Callable[[Path, str], str],
    ) -> str:
        """Return the answer to a task, which is journaled.

        `texts` are what the task is about; with it they identify the question. `prepare` puts
        files into the directory that the program runs in. `answer_of` takes that directory and
        the last message without keys, and returns the answer without keys, or raises.

        Raises:
            AgentFailure: the program cannot be started, took too long, or failed.
            BudgetReached: there is no room for its maximum under a cap.
        """
        program = self._program
        digest = sha256(task.encode("utf-8", "replace"))
        for text in texts:
            digest.update(text.encode("utf-8", "replace"))
        identity = {
            "program": program.name, "model": program.model_id, "phase": phase,
            "digest": digest.hexdigest(),
        }  # fmt: skip
        answer = self._journal.answer(identity)
        if answer is not None:
            return self._redact(answer)
        reservation = await self._journal.reserve(self._ledger, program.maximum, identity)
        spent: Spend | None = None
        try:
            with temporary.opened("program") as scratch:
                folder, file = scratch / "files", scratch / _ANSWER
                folder.mkdir()
                prepare(folder)
                message, spent = program.read(await self._run(folder, file, task), file)
                answer = answer_of(folder, self._public(message, folder))
        except _NotStartedError:
            spent = Spend()
            raise
        finally:
            await self._journal.settle(
                self._ledger, reservation, identity, spent=spent, answer=answer
            )
        return answer

    async def _run(self, folder: Path, answer: Path, task: str) -> str:
        """Run the program in a directory, and return what it printed.

        Raises:
            AgentFailure: it cannot be started, took too long, or failed.
        """
        program = self._program
        try:
            ended = await child_process.run(
                [word.format(answer=answer) for word in program.command], folder=folder,
                environment=environment_of(os.environ, program.key_variables),
                seconds=program.seconds, input_text=task,
            )  # fmt: skip
        except OSError as error:
            raise _NotStartedError(f"{program.name} cannot be started: {error.strerror}") from error
        if ended.status is None:
            raise AgentFailure(f"{program.name} was killed after {program.seconds:g} s")
        if ended.status:
            # Cut only afterwards: half a key is not recognized any more.
            complaint = self._public(ended.error_output, folder).strip()[-300:]
            raise AgentFailure(f"{program.name} ended with {ended.status}: {complaint}")
        return ended.output

    def _public(self, text: str, folder: Path) -> str:
        """Return what the program said without keys and without paths of this machine."""
        return self._redact(text).replace(f"{folder}/", "").replace(f"{Path.home()}/", "~/")
