"""An iteration in a small data repo, and agents that answer by script."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.agent import AgentFailure, Brief, P
from analysis.record import Record
from prompt_lab.layout import Layout

OUTPUT = "history/0/01_plan_type/outputs/boat/002-8-plan_type.md"


class Scripted:
    """An agent that answers what `answer` gives for a brief: JSON values, or why it fails."""

    simulated = False

    def __init__(self, name: str, answer: Callable[[Brief], dict[str, Any] | str]) -> None:
        self.name = name
        self.model_id = f"{name}-2026-01"
        self.briefs: list[Brief] = []
        self._answer = answer

    async def answer(self, brief: Brief, shape: type[P]) -> P:
        """Answer by script."""
        self.briefs.append(brief)
        said = self._answer(brief)
        if isinstance(said, str):
            raise AgentFailure(said)
        return shape.model_validate(said)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Return the record of an iteration with measures, a change and one output."""
    layout = Layout(tmp_path)
    output = tmp_path / OUTPUT
    output.parent.mkdir(parents=True)
    output.write_text("The boat needs a mooring.\n\nKlasse: physical\n", encoding="utf-8")
    record = Record(layout, layout.iteration(3, "plan_type"))
    record.path.mkdir(parents=True)
    record.write("meta.json", json.dumps({"step": "plan_type", "outputs": [OUTPUT]}))
    record.write("measures.md", "INCONCLUSIVE\nduplication .10 to .12\n")
    record.write("change.diff", "-Say it.\n+Say it once.\n")
    record.write("step_source.txt", 'PROMPT = """\\\nSay it.\n"""\n')
    return record


def finding(**changes: Any) -> dict[str, Any]:
    """Return a finding whose quote stands where it says."""
    return {
        "title": "Place", "observation": "It names a place.",
        "path": OUTPUT, "line": 1, "quote": "needs a mooring", **changes,
    }  # fmt: skip
