"""Write the drafted documents of both kinds as Markdown, for the report and its readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_gateway.call import Ask
from worker_plan.artifact import text
from worker_plan.documents import DraftedToCreate, DraftedToFind, render_lists
from worker_plan.step import Step, Written
from worker_plan.steps.draft_documents_to_create import DraftDocumentsToCreate
from worker_plan.steps.draft_documents_to_find import DraftDocumentsToFind


def render(to_create: Sequence[DraftedToCreate], to_find: Sequence[DraftedToFind]) -> str:
    """Return both lists; an empty list is a gap, since the model is asked for documents."""
    lists = {"documents to create": to_create, "documents to find": to_find}
    missing = [kind for kind, documents in lists.items() if not documents]
    drafts = [one for one in (*to_create, *to_find) if one.draft_failure is not None]
    missing += [f"the draft of {one.document_name}" for one in drafts]
    return render_lists(to_create, to_find, missing)


class MarkdownWithDocumentsToCreateAndFind(Step):
    draft_documents_to_find = DraftDocumentsToFind.documents.input
    draft_documents_to_create = DraftDocumentsToCreate.documents.input

    markdown = text("017-15-documents_to_create_and_find.md")

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        yield self.markdown, render(self.draft_documents_to_create, self.draft_documents_to_find)
