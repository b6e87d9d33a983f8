"""Drafting documents one by one: a draft that fails leaves its document in the list, marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out, names_in
from tests.worker_plan.steps.inputs import with_inputs
from worker_plan.documents import DocumentToCreate, DocumentToFind
from worker_plan.errors import StepError
from worker_plan.step import Detail, Step
from worker_plan.steps.draft_documents_to_create import DraftDocumentsToCreate
from worker_plan.steps.draft_documents_to_find import DraftDocumentsToFind
from worker_plan.steps.filter_documents_to_create import FilterDocumentsToCreate
from worker_plan.steps.filter_documents_to_find import FilterDocumentsToFind

COUNT = 5


def asked(call: Call[Any]) -> dict[str, Any]:
    """Return the document that a call asks to draft."""
    block = call.user.partition("<document>\n")[2].partition("\n</document>")[0]
    document: dict[str, Any] = json.loads(block)
    return document


def draft(call: Call[Any]) -> dict[str, Any]:
    """Draft the document that is shown."""
    name = asked(call)["document_name"]
    return {
        "essential_information": [f"What {name} says.", "When."],
        "risks_of_poor_quality": ["Old."],
        "worst_case_scenario": None,
        "best_case_scenario": "Bread.",
        "fallback_alternative_approaches": ["Ask."],
    }


def prepared(kind: type[Step], run_dir: Path, count: int, detail: Detail) -> Step:
    """Return a step on a plan with `count` documents of its kind."""
    task = with_inputs(kind, run_dir, detail)
    facts = [
        {"id": f"id-{n}", "document_name": f"Paper {n}", "description": "D."}
        for n in range(1, count + 1)
    ]
    FilterDocumentsToFind.documents.save(run_dir, [DocumentToFind(**one) for one in facts])
    FilterDocumentsToCreate.documents.save(run_dir, [DocumentToCreate(**one) for one in facts])
    return task


@pytest.fixture(params=[DraftDocumentsToFind, DraftDocumentsToCreate])
def kind(request: pytest.FixtureRequest) -> type[Step]:
    """Return each of the two steps."""
    step: type[Step] = request.param
    return step


@pytest.fixture
def step(kind: type[Step], run_dir: Path) -> Step:
    """Return the step on a plan with five documents."""
    return prepared(kind, run_dir, COUNT, Detail.ALL_DETAILS_BUT_SLOW)


def outcome(step: Step, ask: Scripted) -> tuple[list[dict[str, Any]], list[Any]]:
    """Run the step; return the raw artifacts in order and the list of documents."""
    *raws, documents = carry_out(step, ask).values()
    return raws, documents


def test_each_document_is_one_call(step: Step) -> None:
    """The model sees one document without its id; the list has all, with their ids and drafts."""
    ask = Scripted(draft)
    raws, documents = outcome(step, ask)
    assert sorted(call.key for call in ask.calls) == [f"document_{n}" for n in range(1, COUNT + 1)]
    assert "id-1" not in ask.sent
    for number, (raw, document) in enumerate(zip(raws, documents, strict=True), start=1):
        assert raw["essential_information"][0] == f"What Paper {number} says."
        assert document.id == f"id-{number}"
        assert document.essential_information == raw["essential_information"]
        assert document.worst_case_scenario == ""
        assert document.draft_failure is None
    names = [artifact.name for artifact in step.writes() if artifact.per_item]
    numbered = {name.replace("<n>", str(n)) for name in names for n in range(1, COUNT + 1)}
    assert numbered <= set(names_in(Path(step.run_dir)))


def test_failed_draft_leaves_its_document_marked(step: Step) -> None:
    """Its own raw artifact and its place in the list say why; the others are whole."""
    ask = Scripted(lambda call: FAILED if call.key == "document_2" else draft(call))
    raws, documents = outcome(step, ask)
    assert raws[1]["essential_information"] == []
    assert raws[1]["metadata"]["failure"] == "server: the model is down"
    failures = [document.draft_failure for document in documents]
    assert failures == [None, "server: the model is down", None, None, None]
    assert [document.document_name for document in documents] == [f"Paper {n}" for n in range(1, 6)]
    assert documents[1].essential_information == []


def test_draft_that_broke_off_is_kept_and_marked(step: Step) -> None:
    """What was whole in it is used."""

    def answer(call: Call[Any]) -> Any:
        whole = json.dumps(draft(call))
        return whole[: whole.index("Bread")] if call.key == "document_1" else whole

    _, documents = outcome(step, Scripted(answer))
    assert documents[0].draft_failure == "the reply broke off"
    assert documents[0].risks_of_poor_quality == ["Old."]
    assert documents[1].draft_failure is None


@pytest.mark.parametrize("answer", [FAILED, {"essential_information": []}])
def test_no_draft_at_all_is_a_failure(step: Step, answer: Any) -> None:
    """The first failure is reported."""
    with pytest.raises(StepError, match=f"none of {COUNT} documents was drafted: (server|schema)"):
        carry_out(step, Scripted(lambda _: answer))


@pytest.mark.parametrize(
    ("detail", "count"), [(Detail.FAST_BUT_SKIP_DETAILS, 3), (Detail.PING_LLM, 1)]
)
def test_less_detail_drafts_the_first_ones(
    kind: type[Step], run_dir: Path, detail: Detail, count: int
) -> None:
    """The others stay in the list as they are, and count as no failure."""
    ask = Scripted(draft)
    _, documents = outcome(prepared(kind, run_dir, COUNT, detail), ask)
    assert len(ask.calls) == count
    assert [bool(one.essential_information) for one in documents] == [
        n < count for n in range(COUNT)
    ]
    assert {one.draft_failure for one in documents} == {None}


def test_nothing_to_draft_is_no_failure(kind: type[Step], run_dir: Path) -> None:
    """A list that an earlier step had to leave empty stays empty, without a call."""
    ask = Scripted(lambda _: FAILED)
    task = prepared(kind, run_dir, 0, Detail.ALL_DETAILS_BUT_SLOW)
    assert outcome(task, ask) == ([], [])
    assert ask.calls == []
