"""Drafts of documents, one call each, for both kinds of documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model_gateway.call import Ask, Call, Reply
from model_gateway.material import json_block
from worker_plan.documents import Document, Draft
from worker_plan.errors import StepError
from worker_plan.raw import record
from worker_plan.shapes import each
from worker_plan.step import Detail

MOST = {Detail.FAST_BUT_SKIP_DETAILS: 3, Detail.PING_LLM: 1}
"""How many documents are drafted at less than full detail; the others stay without a draft."""


@dataclass(frozen=True, kw_only=True)
class DraftResult:
    """One document's call and its reply."""

    call: Call[Draft]
    reply: Reply[Draft]

    @property
    def raw(self) -> dict[str, Any]:
        """The content of the document's raw artifact; a failed draft is empty."""
        empty = Draft.model_construct(essential_information=[])
        return record(self.reply, self.call, self.reply.value or empty)

    @property
    def outcome(self) -> dict[str, Any]:
        """The fields that the draft adds to the document."""
        if self.reply.value is None:
            return {"draft_failure": str(self.reply.failure)}
        failure = "the reply broke off" if self.reply.partial else None
        return self.reply.value.model_dump() | {"draft_failure": failure}


def draft_documents(
    ask: Ask, documents: Sequence[Document], *, system: str, context: str, detail: Detail
) -> list[DraftResult]:
    """Draft the documents in their order; at less than full detail only the first of them.

    Raises:
        StepError: every draft failed.
    """
    calls = [
        Call(
            key=f"document_{number}",
            system=system,
            user=f"{context}\n\n{json_block('document', document.model_dump(exclude={'id'}))}",
            schema=Draft,
            max_output_tokens=4000,
        )
        for number, document in enumerate(documents[: MOST.get(detail)], start=1)
    ]
    replies = each(ask, calls)
    if replies and all(reply.value is None for reply in replies):
        raise StepError(f"none of {len(calls)} documents was drafted: {replies[0].failure}")
    return [DraftResult(call=call, reply=reply) for call, reply in zip(calls, replies, strict=True)]


def with_drafts(
    documents: Sequence[Document], drafts: Sequence[DraftResult]
) -> list[dict[str, Any]]:
    """Return all documents as JSON values, each with its draft or the reason why it has none."""
    outcomes = [draft.outcome for draft in drafts] + [{}] * (len(documents) - len(drafts))
    return [
        document.model_dump() | outcome
        for document, outcome in zip(documents, outcomes, strict=True)
    ]
