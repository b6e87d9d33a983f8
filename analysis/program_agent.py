"""An agent that is a program: it reads copies of the listed files, and may do nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from analysis.agent import AgentFailure, Brief, P
from analysis.program import ProgramClient
from model_gateway.door import schema_of
from model_gateway.errors import BudgetReached
from model_gateway.replies import parse

_TASK_PROMPT = """\
{instructions}
The files you may read lie in this directory, under these names:
{names}

Begin with: {first}

Nothing may be written, run or fetched. Your last message is one JSON object that fits this JSON \
schema, and nothing else:
{schema}
"""


class ProgramAgent(ProgramClient):
    """Runs a program in a directory that holds copies of the listed files and nothing else."""

    async def answer(self, brief: Brief, shape: type[P]) -> P:
        """Run the program, and read its last message as a `shape`."""
        materials = brief.materials
        texts = {name: materials.text(name) for name in materials.names()}
        task = _TASK_PROMPT.format(
            instructions=brief.instructions,
            names="\n".join(texts),
            first=", ".join(brief.first),
            schema=json.dumps(schema_of(shape)),
        )

        def prepare(folder: Path) -> None:
            for name, text in texts.items():
                if text is not None:
                    target = folder / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(text, encoding="utf-8", errors="replace")
                    target.chmod(0o444)

        def answer_of(_: Path, message: str) -> str:
            self._read(message, shape)
            return message

        try:
            message = await self._ask(
                brief.phase, task, (text or "" for text in texts.values()),
                prepare=prepare, answer_of=answer_of,
            )  # fmt: skip
        except BudgetReached as error:
            raise AgentFailure(f"budget: {error}") from error
        return self._read(self._redact(message), shape)

    def _read(self, message: str, shape: type[P]) -> P:
        reply = parse(message, shape, cut_off=False, last=True)
        if reply.value is None:
            raise AgentFailure(self._redact(f"{self.name}: {reply.failure}"))
        # Once more: what was escaped before it was parsed may read differently now.
        said = reply.value.model_dump(mode="json", by_alias=True)
        return shape.model_validate(self._redact.value(said))
