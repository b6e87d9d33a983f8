"""The documents that a plan cannot do without, chosen by a model's ratings."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field

from model_gateway.call import Ask, Call
from model_gateway.material import json_block
from worker_plan.documents import Document
from worker_plan.raw import record
from worker_plan.reply_fields import Capitalized, Text, whole_items
from worker_plan.step import needed

ENOUGH = 5
D = TypeVar("D", bound=Document)


# The docstrings of these schemas are sent to the model, too.
class ImpactRating(StrEnum):
    """How much a plan depends on a document, the most first."""

    Critical = "Critical"
    High = "High"
    Medium = "Medium"
    Low = "Low"


class RatedDocument(BaseModel):
    """What a model says of one document."""

    id: int = Field(description="The id of the document.")
    rationale: Text = Field(default="", description="1 or 2 sentences.")
    impact_rating: Annotated[ImpactRating, Capitalized] = Field(description="One degree.")


class RatedDocuments(BaseModel):
    """What a model says of all documents of one kind."""

    document_list: Annotated[list[RatedDocument], whole_items(RatedDocument)] = Field(
        min_length=1, description="One entry for each document."
    )
    summary: Text = Field(default="", description="2 to 4 sentences.")


def most_important(documents: Sequence[D], ratings: Sequence[RatedDocument]) -> list[D]:
    """Return the documents to continue with, the most important first.

    The ids of the ratings are the numbers of the documents, from 1. Whole degrees are taken from
    the top until there are enough. A document without a rating is kept, after the rated ones: the
    model may have forgotten it.
    """
    degrees = list(ImpactRating)
    worst_first = sorted(ratings, key=lambda one: degrees.index(one.impact_rating), reverse=True)
    rating = {one.id: one.impact_rating for one in worst_first}  # Of two ratings the better counts.
    groups: dict[ImpactRating | None, list[D]] = {degree: [] for degree in (*degrees, None)}
    for number, document in enumerate(documents, start=1):
        groups[rating.get(number)].append(document)
    selection: list[D] = []
    for degree in degrees:
        if len(selection) < ENOUGH:
            selection += groups[degree]
    return selection + groups[None]


def filter_documents(
    ask: Ask, documents: Sequence[D], *, system: str, context: str
) -> tuple[dict[str, Any], list[D]]:
    """Ask for ratings; return the content of the raw artifact, and the documents to keep.

    Without documents there is no call: the previous step has reported that gap.

    Raises:
        StepError: the model gave no usable reply.
    """
    rows = [
        {"id": number, **document.model_dump(exclude={"id"})}
        for number, document in enumerate(documents, start=1)
    ]
    call = Call(
        key="ratings",
        system=system,
        user=f"{context}\n\n{json_block('documents', rows)}",
        schema=RatedDocuments,
        max_output_tokens=8000,
    )
    if not documents:
        empty = {"document_list": [], "summary": "", "metadata": {}}
        return empty | {"system_prompt": call.system, "user_prompt": call.user}, []
    reply = ask(call)
    answer = needed(reply)
    numbers = {one.id for one in answer.document_list}
    facts = answer.model_dump(mode="json") | {
        "unknown_ids": sorted(numbers - set(range(1, len(documents) + 1))),
        "not_rated": [one.id for n, one in enumerate(documents, start=1) if n not in numbers],
    }
    return record(reply, call, facts), most_important(documents, answer.document_list)
