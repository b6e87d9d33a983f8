"""A document that a plan needs, from its first mention to the finished draft.

The docstrings of the schemas are sent to the model, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from worker_plan.entry import entry
from worker_plan.markdown import document, gaps
from worker_plan.reply_fields import Text

_LABELS = {
    "description": "Description",
    "recency_requirement": "How recent",
    "responsible_role_type": "Responsible",
    "document_template_primary": "Template",
    "document_template_secondary": "Second template",
    "steps_to_find": "Steps to find it",
    "steps_to_create": "Steps to create it",
    "access_difficulty": "Access",
    "approval_authorities": "Approval",
    "essential_information": "Essential information",
    "risks_of_poor_quality": "Risks of poor quality",
    "worst_case_scenario": "Worst case",
    "best_case_scenario": "Best case",
    "fallback_alternative_approaches": "Fallbacks",
}


class Proposed(BaseModel):
    """A document of either kind, as a model proposes it."""

    document_name: str = Field(description="A name.")
    description: str = Field(description="2 or 3 sentences.")


class ProposedToFind(Proposed):
    """A document that exists somewhere already."""

    recency_requirement: Text = Field(default="", description="At most 10 words.")
    responsible_role_type: Text = Field(default="", description="A role, at most 10 words.")
    steps_to_find: list[str] = Field(default=[], description="2 to 5 sentences.")
    access_difficulty: Text = Field(default="", description="1 sentence.")


class ProposedToCreate(Proposed):
    """A document that has to be written for this plan."""

    responsible_role_type: Text = Field(default="", description="A role, at most 10 words.")
    document_template_primary: Text = Field(default="", description="A name of at most 10 words.")
    document_template_secondary: Text = Field(default="", description="A name of at most 10 words.")
    steps_to_create: list[str] = Field(default=[], description="3 to 6 sentences.")
    approval_authorities: Text = Field(default="", description="Roles, at most 15 words.")


class Document(Proposed):
    """A document with its id, which is the same in all later steps."""

    id: str


class DocumentToFind(ProposedToFind, Document):
    """One that exists somewhere already."""


class DocumentToCreate(ProposedToCreate, Document):
    """One that has to be written."""


class Draft(BaseModel):
    """What a document has to hold, and what hangs on it."""

    essential_information: list[str] = Field(min_length=1, description="5 to 12 sentences.")
    risks_of_poor_quality: list[str] = Field(default=[], description="3 to 6 sentences.")
    worst_case_scenario: Text = Field(default="", description="1 or 2 sentences.")
    best_case_scenario: Text = Field(default="", description="1 or 2 sentences.")
    fallback_alternative_approaches: list[str] = Field(default=[], description="3 to 5 sentences.")


class Drafted(Draft, Document):
    """A document with its draft, if one was asked for; `draft_failure` says what it lacks."""

    essential_information: list[str] = []
    draft_failure: str | None = None


class DraftedToFind(Drafted, DocumentToFind):
    """A document to find with its draft."""


class DraftedToCreate(Drafted, DocumentToCreate):
    """A document to create with its draft."""


def render_lists(
    to_create: Sequence[Proposed], to_find: Sequence[Proposed], missing: Sequence[str]
) -> str:
    """Return both lists of documents as Markdown, with a note on what is missing."""
    lists = [*_section("Documents to create", to_create), *_section("Documents to find", to_find)]
    return document([*gaps(missing), *lists])


def _section(heading: str, documents: Sequence[Proposed]) -> list[str]:
    lines = [f"# {heading}", ""]
    for number, one in enumerate(documents, start=1):
        facts = {_LABELS[name]: value for name, value in one if name in _LABELS}
        lines += entry(f"{number}. {one.document_name}", facts)
    return lines
