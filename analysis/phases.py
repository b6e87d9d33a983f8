"""The phases with agents: each runs once for every agent it needs, and resumes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from analysis import pages, prompts, quotes
from analysis.agent import Agent, AgentFailure, Brief
from analysis.errors import AnalysisError
from analysis.record import (
    CHANGE,
    FAILED_ATTEMPTS,
    MEASURES,
    META,
    PREVIOUS,
    SOURCE,
    Opinion,
    Record,
)
from analysis.replies import Assessment, CodeReview, Finding, Insight, Reply, Synthesis

_MOST_OUTPUTS = 4


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase: its name in files, its prompt, the shape of the answer, and who answers."""

    name: str
    title: str
    prompt: str
    shape: type[Reply]
    every_agent: bool
    first: Callable[[Record], list[str]]


def _outputs(record: Record) -> list[str]:
    return [str(name) for name in record.meta.get("outputs", [])][:_MOST_OUTPUTS]


def _written(record: Record, *phases: str) -> list[str]:
    return [record.name(f"{o.phase}_{o.agent}.md") for o in record.opinions() if o.phase in phases]


def _files(record: Record, *files: str) -> list[str]:
    return [record.name(file) for file in files if (record.path / file).is_file()]


INSIGHT = Phase(
    name="insight", title="Insight", prompt="insight", shape=Insight, every_agent=True,
    first=lambda r: [*_files(r, META, MEASURES, CHANGE), *_outputs(r)],
)  # fmt: skip
CODE_REVIEW = Phase(
    name="code", title="Code review", prompt="code_review", shape=CodeReview, every_agent=True,
    first=lambda r: [*_files(r, META, MEASURES, CHANGE, SOURCE), *_written(r, "insight")],
)  # fmt: skip
SYNTHESIS = Phase(
    name="synthesis", title="Synthesis", prompt="synthesis", shape=Synthesis, every_agent=False,
    first=lambda r: [
        *_files(r, META, MEASURES, CHANGE, SOURCE, FAILED_ATTEMPTS),
        *_written(r, "insight", "code"),
    ],
)  # fmt: skip
ASSESSMENT = Phase(
    name="assessment", title="Assessment", prompt="assessment", shape=Assessment, every_agent=False,
    first=lambda r: [
        *_files(r, META, MEASURES, CHANGE, PREVIOUS), *_written(r, "insight", "code", "synthesis"),
    ],
)  # fmt: skip
BASELINE_COMPARISON = Phase(
    name="assessment", title="Where this step stands", prompt="baseline_comparison",
    shape=Assessment, every_agent=False,
    first=lambda r: [*_files(r, META, MEASURES, SOURCE), *_outputs(r)],
)  # fmt: skip
BY_PROMPT = {
    phase.prompt: phase
    for phase in (INSIGHT, CODE_REVIEW, SYNTHESIS, ASSESSMENT, BASELINE_COMPARISON)
}


def instructions(phase: Phase) -> str:
    """Return the prompt of a phase, a versioned file."""
    return prompts.read(phase.prompt)


def digests() -> dict[str, str]:
    """Return the SHA-256 of each phase's prompt, by the prompt's name."""
    return {n: hashlib.sha256(instructions(p).encode()).hexdigest() for n, p in BY_PROMPT.items()}


def choose(record: Record, agents: Sequence[Agent]) -> None:
    """Fix the agents and the prompts for the whole iteration.

    Raises:
        AnalysisError: fewer than two agents, two of one name, or others were chosen before.
    """
    names = [agent.name for agent in agents]
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise AnalysisError(
            f"Two agents of different names are needed, not {names}. Name them with --agents A,B."
        )
    facts = [{"name": a.name, "model_id": a.model_id, "simulated": a.simulated} for a in agents]
    record.choose(facts, digests())


async def run(record: Record, phase: Phase, agents: Sequence[Agent]) -> list[Opinion]:
    """Run a phase with the agents that have not answered yet, side by side.

    Raises:
        AnalysisError: no agent gave a usable answer.
    """
    choose(record, agents)
    readers = agents if phase.every_agent else agents[:1]
    opinions = {agent.name: record.opinion(phase.name, agent.name) for agent in readers}
    missing = [agent for agent in readers if opinions[agent.name] is None]
    new = await asyncio.gather(*(_look(record, phase, agent) for agent in missing))
    if not any(opinions.values()) and all(opinion.failed is not None for opinion, _ in new):
        # Nothing is recorded, so that the same command asks again.
        failures = "; ".join(f"{opinion.agent}: {opinion.failed}" for opinion, _ in new)
        raise AnalysisError(f"The phase {phase.name} failed: {failures}")
    for opinion, reply in new:
        if reply is None:
            record.keep(opinion, pages.gap(phase.title, opinion), None)
        else:
            answer = reply.model_dump(mode="json")
            record.keep(opinion, pages.page(phase.title, opinion, reply), answer)
        opinions[opinion.agent] = opinion
    return [opinion for opinion in opinions.values() if opinion is not None]


async def _look(record: Record, phase: Phase, agent: Agent) -> tuple[Opinion, Reply | None]:
    materials = record.materials()
    brief = Brief(
        phase=phase.name,
        instructions=instructions(phase),
        materials=materials,
        first=[name for name in phase.first(record) if name in materials.files],
    )
    facts = Opinion(
        phase=phase.name, agent=agent.name, model_id=agent.model_id, simulated=agent.simulated,
        prompt_digest=brief.digest,
    )  # fmt: skip
    try:
        reply = await agent.answer(brief, phase.shape)
    except AgentFailure as error:
        return replace(facts, failed=str(error)), None
    claims: list[Finding] = [*reply.findings]
    if isinstance(reply, Assessment):
        claims += reply.new_issues
    checked = tuple(
        quotes.check(materials, path=one.path, line=one.line, quote=one.quote) for one in claims
    )
    stance = reply.stance.value
    return replace(facts, stance=stance, reason=reply.reason, findings=checked), reply
