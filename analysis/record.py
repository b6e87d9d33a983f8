"""The directory of one iteration's analysis: facts, then a page and a record for each agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError
from analysis.materials import Materials, within
from analysis.quotes import Checked
from model_gateway.foreign_files import (
    as_recorded,
    cause_of,
    read_bytes,
    read_json_object,
    read_text,
)
from prompt_lab import atomic
from prompt_lab.atomic import json_text
from prompt_lab.layout import Layout

META, AGENTS = "meta.json", "agents.json"
MEASURES, CHANGE, SOURCE, VERDICT, RUBRIC = (
    "measures.md", "change.diff", "step_source.txt", "verdict.json", "rubric.yaml",
)  # fmt: skip
FAILED_ATTEMPTS, PREVIOUS = "failed_attempts.jsonl", "previous_synthesis.md"
_READABLE = {".md", ".json", ".jsonl", ".diff", ".txt", ".yaml"}


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """One agent's opinion in one phase, after its quotes were checked.

    `failed` says why it has none; then the rest is empty.
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
        """Whether it objects with at least one quote that holds."""
        return self.stance == "object" and any(one.holds for one in self.findings)

    @property
    def supports(self) -> bool:
        """Whether it supports the change with at least one quote that holds."""
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
            return read_json_object(self.path / META)
        except OSError as error:
            raise AnalysisError(
                f"{self.path} holds no readable {META}: {cause_of(error)}. "
                "Start with: python -m analysis.prepare_iteration"
            ) from error

    def name(self, file: str) -> str:
        """Return how agents see a file of this directory: relative to the data repo."""
        return (self.path / file).relative_to(self.layout.root).as_posix()

    def materials(self) -> Materials:
        """Return what agents may read: this directory's pages, and the outputs that it lists."""
        pages = [self.name(p.name) for p in sorted(self.path.iterdir()) if p.suffix in _READABLE]
        with as_recorded(self.path / META):
            outputs = [str(name) for name in self.meta.get("outputs", [])]
            try:
                return within(self.layout.root, [*pages, *outputs])
            except AnalysisError as error:
                raise AnalysisError(f"{self.path / META} cannot be used: {error}") from error

    def write(self, file: str, text: str) -> Path:
        """Write a page or a fact once.

        Raises:
            AnalysisError: it exists with other content; a record is never overwritten.
        """
        path = self.path / file
        data = text.encode("utf-8", "replace")
        if path.exists():
            if read_bytes(path) != data:
                raise AnalysisError(f"{path} exists; a record is never overwritten.")
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, data)
        return path

    def keep(self, opinion: Opinion, page: str, answer: Mapping[str, Any] | None) -> None:
        """Write an agent's page, then its record, which marks it as done."""
        name = f"{opinion.phase}_{opinion.agent}"
        atomic.write(self.path / f"{name}.md", page.encode("utf-8", "replace"))
        findings = [vars(one) for one in opinion.findings]
        row = vars(opinion) | {"findings": findings, "answer": answer}
        self.write(f"{name}.json", json_text(row, sort_keys=True))

    def opinion(self, phase: str, agent: str) -> Opinion | None:
        """Return an agent's opinion in a phase, or None if it has not looked yet."""
        row = self._row(phase, agent)
        if row is None:
            return None
        with as_recorded(self._file(phase, agent)):
            del row["answer"]
            return Opinion(**{**row, "findings": tuple(Checked(**one) for one in row["findings"])})

    def answer(self, phase: str, agent: str) -> dict[str, Any] | None:
        """Return an agent's unchanged answer in a phase; None if it gave none."""
        row = self._row(phase, agent)
        if row is None:
            return None
        with as_recorded(self._file(phase, agent)):
            answer: dict[str, Any] | None = row["answer"]
            return answer if answer is None else dict(answer)

    def _file(self, phase: str, agent: str) -> Path:
        return self.path / f"{phase}_{agent}.json"

    def _row(self, phase: str, agent: str) -> dict[str, Any] | None:
        path = self._file(phase, agent)
        if not path.is_file():
            return None
        return read_json_object(path)

    def opinions(self) -> list[Opinion]:
        """Return all opinions, in the order of phases and agents."""
        with as_recorded(self.path / AGENTS):
            names = [str(agent["name"]) for agent in self.agents()]
        phases = ("insight", "code", "synthesis", "assessment")
        opinions = (self.opinion(phase, name) for phase in phases for name in names)
        return [one for one in opinions if one is not None]

    def agents(self) -> list[dict[str, Any]]:
        """Return the agents chosen for this iteration; none if it has not begun."""
        path = self.path / AGENTS
        if not path.is_file():
            return []
        agents = read_json_object(path).get("agents")
        if not isinstance(agents, list) or not all(isinstance(a, dict) for a in agents):
            raise AnalysisError(f"{path} names no agents; restore it from git.")
        return agents

    def choose(self, agents: Sequence[Mapping[str, Any]], prompts: Mapping[str, str]) -> None:
        """Fix agents and prompts for the whole iteration.

        Raises:
            AnalysisError: others were chosen when it began.
        """
        row = {"agents": [dict(a) for a in agents], "prompts": dict(prompts)}
        text = json_text(row, sort_keys=True)
        path = self.path / AGENTS
        if path.exists() and read_text(path) != text:
            raise AnalysisError(
                f"{path} names other agents or prompts. They stay the same through an iteration: "
                "use those, or start a new one."
            )
        self.write(AGENTS, text)
