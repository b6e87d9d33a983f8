"""The directory of one iteration's analysis: facts first, then one page and one record an agent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError
from analysis.materials import Materials, within
from analysis.quotes import Checked
from prompt_lab import atomic
from prompt_lab.layout import Layout

META, AGENTS = "meta.json", "agents.json"
MEASURES, CHANGE, SOURCE, VERDICT, RUBRIC = (
    "measures.md", "change.diff", "step_source.txt", "verdict.json", "rubric.yaml",
)  # fmt: skip
FAILED_ATTEMPTS, PREVIOUS = "failed_attempts.jsonl", "previous_synthesis.md"
_READABLE = {".md", ".json", ".jsonl", ".diff", ".txt", ".yaml"}


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What one agent made of one phase, after its quotes were checked.

    `failed` says why it gave nothing; then the rest is empty.
    """

    phase: str
    agent: str
    model_id: str
    simulated: bool
    prompt_digest: str
    stance: str = "undecided"
    reason: str = ""
    findings: tuple[Checked, ...] = ()
    failed: str | None = None

    @property
    def objects(self) -> bool:
        """Whether it objects, on at least one quote that holds."""
        return self.stance == "object" and any(one.holds for one in self.findings)

    @property
    def supports(self) -> bool:
        """Whether it supports the change, on at least one quote that holds."""
        return self.stance == "support" and any(one.holds for one in self.findings)


@dataclass(frozen=True)
class Record:
    """The analysis of one iteration in the data repo."""

    layout: Layout
    path: Path

    @property
    def meta(self) -> dict[str, Any]:
        """The facts of phase 0.

        Raises:
            AnalysisError: they are missing or cannot be read.
        """
        try:
            meta = json.loads((self.path / META).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AnalysisError(
                f"{self.path} holds no readable {META}: {error}. "
                "Begin with: python -m analysis.prepare_iteration"
            ) from error
        if not isinstance(meta, dict):
            raise AnalysisError(f"{self.path / META} is no JSON object.")
        return meta

    def name(self, file: str) -> str:
        """Return how agents see a file of this directory: relative to the data repo."""
        return (self.path / file).relative_to(self.layout.root).as_posix()

    def materials(self) -> Materials:
        """Return what agents may read: this directory's pages, and the outputs that it lists."""
        own = [self.name(p.name) for p in sorted(self.path.iterdir()) if p.suffix in _READABLE]
        outputs = [str(name) for name in self.meta.get("outputs", [])]
        return within(self.layout.root, [*own, *outputs])

    def write(self, file: str, text: str) -> Path:
        """Write a page or a fact once.

        Raises:
            AnalysisError: it is there with another content: a record is never overwritten.
        """
        path = self.path / file
        data = text.encode("utf-8", "replace")
        if path.exists():
            if path.read_bytes() != data:
                raise AnalysisError(f"{path} exists; a record is never overwritten.")
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, data)
        return path

    def keep(self, opinion: Opinion, page: str, answer: Mapping[str, Any] | None) -> None:
        """Write an agent's page and, after it, its record: what has a record is done."""
        name = f"{opinion.phase}_{opinion.agent}"
        atomic.write(self.path / f"{name}.md", page.encode("utf-8", "replace"))
        findings = [vars(one) for one in opinion.findings]
        self.write(f"{name}.json", _json(vars(opinion) | {"findings": findings, "answer": answer}))

    def opinion(self, phase: str, agent: str) -> Opinion | None:
        """Return what an agent made of a phase, or None if it has not looked yet."""
        row = self._row(phase, agent)
        if row is None:
            return None
        del row["answer"]
        return Opinion(**{**row, "findings": tuple(Checked(**one) for one in row["findings"])})

    def answer(self, phase: str, agent: str) -> dict[str, Any] | None:
        """Return what an agent answered in a phase, as it came; None if it gave nothing."""
        row = self._row(phase, agent)
        return None if row is None else row["answer"]

    def _row(self, phase: str, agent: str) -> dict[str, Any] | None:
        path = self.path / f"{phase}_{agent}.json"
        if not path.is_file():
            return None
        row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return row

    def opinions(self) -> list[Opinion]:
        """Return all opinions, in the order of phases and agents."""
        names = [agent["name"] for agent in self.agents()]
        phases = ("insight", "code", "synthesis", "assessment")
        found = (self.opinion(phase, name) for phase in phases for name in names)
        return [one for one in found if one is not None]

    def agents(self) -> list[dict[str, Any]]:
        """Return who was chosen for this iteration, or nobody yet."""
        path = self.path / AGENTS
        if not path.is_file():
            return []
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return list(told["agents"])

    def choose(self, agents: Sequence[Mapping[str, Any]], prompts: Mapping[str, str]) -> None:
        """Hold agents and prompts constant through the iteration.

        Raises:
            AnalysisError: others were chosen when it began.
        """
        text = _json({"agents": [dict(a) for a in agents], "prompts": dict(prompts)})
        path = self.path / AGENTS
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise AnalysisError(
                f"{path} names other agents or prompts. They stay the same through an iteration: "
                "use those, or begin a new iteration."
            )
        self.write(AGENTS, text)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
