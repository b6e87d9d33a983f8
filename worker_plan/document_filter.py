"""Choose the documents that a plan cannot do without: written once, for both kinds of them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field

from model_gateway.call import Ask, Call
from model_gateway.material import json_block
from worker_plan.documents import Document
from worker_plan.raw import record
from worker_plan.step import needed
from worker_plan.tolerant import Capitalized, NullIsEmpty, whole_items

ENOUGH = 5
D = TypeVar("D", bound=Document)


class ImpactRating(StrEnum):
    """How much a plan depends on a document, the most first."""

    Critical = "Critical"
    High = "High"
    Medium = "Medium"
    Low = "Low"


class RatedDocument(BaseModel):
    """What a model says of one document."""

    id: int = Field(description="The id of the document.")
    rationale: Annotated[str, NullIsEmpty] = Field(default="", description="1 or 2 sentences.")
    impact_rating: Annotated[ImpactRating, Capitalized] = Field(description="One degree.")


class RatedDocuments(BaseModel):
    """What a model says of all documents of one kind."""

    document_list: Annotated[list[RatedDocument], whole_items(RatedDocument)] = Field(
        min_length=1, description="One entry for each document."
    )
    summary: Annotated[str, NullIsEmpty] = Field(default="", description="2 to 4 sentences.")


def kept(documents: Sequence[D], ratings: Sequence[RatedDocument]) -> list[D]:
    """Return the documents to go on with, the most important first.

    The ids of the ratings are the places of the documents, from 1. Whole degrees are taken from
    the top until there are enough. A document without a rating is kept, after the rated ones: that
    a model forgot it is no reason to lose it.
    """
    order = list(ImpactRating)
    worst_first = sorted(ratings, key=lambda one: order.index(one.impact_rating), reverse=True)
    rating = {one.id: one.impact_rating for one in worst_first}  # Of two ratings the better counts.
    degrees: dict[ImpactRating | None, list[D]] = {degree: [] for degree in (*order, None)}
    for number, document in enumerate(documents, start=1):
        degrees[rating.get(number)].append(document)
    found: list[D] = []
    for degree in order:
        if len(found) < ENOUGH:
            found += degrees[degree]
    return found + degrees[None]


def filtered(
    ask: Ask, documents: Sequence[D], *, system: str, context: str
) -> tuple[dict[str, Any], list[D]]:
    """Have the documents rated; return the content of the raw artifact, and the documents to keep.

    Of no documents at all none are kept, without a call: the step before has told that gap.

    Raises:
        StepError: the model gave no usable reply.
    """
    shown = [
        {"id": number, **document.model_dump(exclude={"id"})}
        for number, document in enumerate(documents, start=1)
    ]
    call = Call(
        key="ratings",
        system=system,
        user=f"{context}\n\n{json_block('documents', shown)}",
        schema=RatedDocuments,
        max_output_tokens=8000,
    )
    if not documents:
        facts = {"document_list": [], "summary": "", "metadata": {}}
        return facts | {"system_prompt": call.system, "user_prompt": call.user}, []
    reply = ask(call)
    answer = needed(reply)
    numbers = {one.id for one in answer.document_list}
    told = answer.model_dump(mode="json") | {
        "unknown_ids": sorted(numbers - set(range(1, len(documents) + 1))),
        "not_rated": [one.id for n, one in enumerate(documents, start=1) if n not in numbers],
    }
    return record(reply, call, told), kept(documents, answer.document_list)
