"""Both kinds of documents on paper: all that is known of each, and what is missing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.worker_plan.conftest import FAILED, Scripted, carry_out, shared
from tests.worker_plan.steps.inputs import with_inputs
from worker_plan.documents import DraftedToCreate, DraftedToFind
from worker_plan.steps.draft_documents_to_create import DraftDocumentsToCreate
from worker_plan.steps.draft_documents_to_find import DraftDocumentsToFind
from worker_plan.steps.markdown_with_documents_to_create_and_find import (
    MarkdownWithDocumentsToCreateAndFind,
    render,
)


def chart(**changes: str) -> DraftedToFind:
    """Return a document to find."""
    return DraftedToFind(
        id="id-1", document_name="Chart", description="D.", essential_information=["Depths."],
        **changes,
    )  # fmt: skip


RULES = DraftedToCreate(
    id="id-2", document_name="House\nrules", description="D.", essential_information=["Quiet."]
)


def test_whole_lists_have_no_note() -> None:
    """Documents to create come first, and nothing stands where nothing is known."""
    text = render([RULES], [chart(recency_requirement="This year")])
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# Documents to create",
        "## 1. House rules",
        "# Documents to find",
        "## 1. Chart",
    ]
    assert "**How recent:** This year" in text
    assert "Incomplete" not in text
    assert "Worst case" not in text


@pytest.mark.parametrize(
    ("to_create", "to_find", "missing"),
    [
        ([RULES], [chart(draft_failure="server: down")], "the draft of Chart"),
        ([RULES], [], "documents to find"),
        ([], [chart()], "documents to create"),
        ([], [], "documents to create; documents to find"),
    ],
)
def test_gaps_are_named_first(
    to_create: list[DraftedToCreate], to_find: list[DraftedToFind], missing: str
) -> None:
    """A reader of the text sees at once that something is missing, and what."""
    first = render(to_create, to_find).splitlines()[0]
    assert first == f"> **Incomplete.** The model gave nothing usable for: {missing}."


def test_recorded_documents_are_all_on_paper(tmp_path: Path) -> None:
    """What another pipeline drafted can be read, and every text of it is there."""
    [path] = shared("recorded", "baseline", "verify").glob("*heatwave*.zip")
    names = [DraftDocumentsToFind.documents.name, DraftDocumentsToCreate.documents.name]
    task = with_inputs(MarkdownWithDocumentsToCreateAndFind, tmp_path)
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if Path(member).name in names:
                (tmp_path / Path(member).name).write_bytes(archive.read(member))
    written = carry_out(task, Scripted(lambda _: FAILED))
    text = written["017-15-documents_to_create_and_find.md"]
    for name in names:
        for document in json.loads((tmp_path / name).read_text(encoding="utf-8")):
            for field, value in document.items():
                texts = [value] if isinstance(value, str) else value or []
                assert field == "id" or all(" ".join(one.split()) in text for one in texts)
