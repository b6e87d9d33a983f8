"""The replies of agents, by phase: claims that can be checked, and a stance."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field


class Stance(StrEnum):
    """What an agent makes of the change. The first is what it is when in doubt."""

    undecided = "undecided"
    support = "support"
    object = "object"


class Resolved(StrEnum):
    """Whether the change has done what it set out to do."""

    unclear = "unclear"
    yes = "yes"
    partly = "partly"
    no = "no"


class DirectionKind(StrEnum):
    """What a direction would change."""

    prompt = "prompt"
    code = "code"


class Finding(BaseModel):
    """One claim and the line it stands on."""

    title: str = Field(default="", description="A short phrase.")
    observation: str = Field(default="", description="1 or 2 sentences.")
    path: str = Field(description="The name of a listed file.")
    line: int = Field(description="The number of the line, from 1.")
    quote: str = Field(description="Words of that line, exactly as they stand there.")


class Reply(BaseModel):
    """What all phases have in common."""

    findings: list[Finding] = Field(default_factory=list, description="3 to 8 findings.")
    stance: Stance = Field(default=Stance.undecided, description="One word.")
    reason: str = Field(default="", description="1 to 3 sentences.")


class Insight(Reply):
    """Phase 1: what happened in the outputs, and why perhaps."""

    impact: str = Field(default="", description="2 to 5 sentences.")
    hypotheses: list[str] = Field(default_factory=list, description="1 to 4 sentences, one each.")


class CodeReview(Reply):
    """Phase 2: what in the step's source explains it."""

    risks: list[str] = Field(default_factory=list, description="0 to 4 sentences, one each.")


class Direction(BaseModel):
    """One thing to try next."""

    title: str = Field(description="A short phrase.")
    why: str = Field(default="", description="1 to 3 sentences.")
    kind: DirectionKind = Field(default=DirectionKind.prompt, description="One word.")
    surface: str = Field(default="", description="The id of a prompt surface, or nothing.")
    expectation: str = Field(default="", description="The measure that should move, or nothing.")


class Synthesis(Reply):
    """Phase 3: where both agree and differ, and what to do next."""

    agreements: list[str] = Field(default_factory=list, description="Up to 5 sentences.")
    disagreements: list[str] = Field(default_factory=list, description="Up to 5 sentences.")
    directions: list[Direction] = Field(default_factory=list, description="5 directions.")
    recommendation: str = Field(default="", description="1 or 2 sentences.")


class Assessment(Reply):
    """Phase 4: what reviewers read first."""

    resolved: Resolved = Field(default=Resolved.unclear, description="One word.")
    new_issues: list[Finding] = Field(default_factory=list, description="0 to 5 findings.")
    previous: str = Field(default="", description="1 or 2 sentences on the last recommendation.")
