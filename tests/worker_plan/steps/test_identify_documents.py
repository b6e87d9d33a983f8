"""Two lists of documents, one call each: what fails costs one list, and names stand once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.inputs import with_inputs
from worker_plan.errors import StepError
from worker_plan.steps.identify_documents import MOST, IdentifyDocuments

RAW, MARKDOWN = "017-3-identified_documents_raw.json", "017-4-identified_documents.md"
TO_FIND = "017-5-identified_documents_to_find.json"
TO_CREATE = "017-6-identified_documents_to_create.json"


def named(*names: str) -> list[dict[str, Any]]:
    """Return documents as a model proposes them, with nothing but what they must have."""
    return [{"document_name": name, "description": f"About {name}."} for name in names]


def both(call: Call[Any]) -> dict[str, Any]:
    """Answer with two documents and one more that was missed."""
    kind = call.key.removeprefix("to_")
    return {
        "documents": named(f"First to {kind}", f"Second to {kind}"),
        "missed_documents": named(f"Third to {kind}"),
    }


@pytest.fixture
def step(run_dir: Path) -> IdentifyDocuments:
    """Return the step on a plan with what it reads."""
    return with_inputs(IdentifyDocuments, run_dir)


def names(documents: Any) -> list[str]:
    """Return the names of documents."""
    return [document.document_name for document in documents]


def test_each_kind_is_asked_for_by_itself(step: IdentifyDocuments) -> None:
    """What was missed at first stands behind the rest, apart in the record."""
    ask = Scripted(both)
    written = carry_out(step, ask)
    assert sorted(call.key for call in ask.calls) == ["to_create", "to_find"]
    for kind, artifact in (("find", TO_FIND), ("create", TO_CREATE)):
        expected = [f"{which} to {kind}" for which in ("First", "Second", "Third")]
        assert names(written[artifact]) == expected
        raw = written[RAW]
        first = [one["document_name"] for one in raw[f"documents_to_{kind}"]]
        missed = [one["document_name"] for one in raw[f"documents_to_{kind}_part2"]]
        assert first + missed == expected
        assert len(missed) == 1
        assert set(expected) <= {line[6:] for line in written[MARKDOWN].splitlines()}


def test_calls_begin_alike(step: IdentifyDocuments) -> None:
    """Only what follows the material differs, so that a server can reuse what it has read."""
    ask = Scripted(both)
    context = carry_out(step, ask)[RAW]["user_prompt"]
    one, other = ask.calls
    assert one.system == other.system
    assert one.user.startswith(context)
    assert other.user.startswith(context)


def test_documents_have_ids_that_stay(step: IdentifyDocuments) -> None:
    """The same replies give the same ids, all different, in both lists."""
    one, other = (carry_out(step, Scripted(both)) for _ in range(2))
    ids = [document.id for name in (TO_FIND, TO_CREATE) for document in one[name]]
    assert ids == [document.id for name in (TO_FIND, TO_CREATE) for document in other[name]]
    assert len(set(ids)) == 6


def test_name_stands_once_in_a_list(step: IdentifyDocuments) -> None:
    """A name in other letters, or none, is refused with the reason; null texts do no harm."""

    def answer(call: Call[Any]) -> Any:
        documents = named("養殖許可証", "「養殖許可証」", " ", "Tide table")
        documents[3]["document_template_primary"] = None
        documents[3]["recency_requirement"] = None
        return {"documents": documents, "missed_documents": named("TIDE TABLE", "Chart")}

    written = carry_out(step, Scripted(answer))
    for artifact in (TO_FIND, TO_CREATE):
        assert names(written[artifact]) == ["養殖許可証", "Tide table", "Chart"]
    reasons = [one["reason"] for one in written[RAW]["refused"]]
    assert reasons == ["name already there", "no name", "name already there"] * 2


@pytest.mark.parametrize(
    ("failed", "lost", "rest"),
    [("to_find", TO_FIND, TO_CREATE), ("to_create", TO_CREATE, TO_FIND)],
)
def test_failed_call_costs_one_list(
    step: IdentifyDocuments, failed: str, lost: str, rest: str
) -> None:
    """The other is whole; the record has the failure and the text a note."""
    ask = Scripted(lambda call: FAILED if call.key == failed else both(call))
    written = carry_out(step, ask)
    assert written[lost] == []
    assert len(written[rest]) == 3
    assert written[RAW]["metadata"][failed]["failure"] == "server: the model is down"
    what = f"documents {failed.replace('_', ' ')}"
    assert written[MARKDOWN].splitlines()[0].endswith(f"nothing usable for: {what}.")


def test_list_that_broke_off_is_marked(step: IdentifyDocuments) -> None:
    """Its whole documents are kept, and a note says that there were more."""
    whole = json.dumps({"documents": named("Chart", "Tide table", "Light list")})
    broken = whole[: whole.index("Light")]
    ask = Scripted(lambda call: broken if call.key == "to_find" else both(call))
    written = carry_out(step, ask)
    assert names(written[TO_FIND]) == ["Chart", "Tide table"]
    assert "nothing usable for: documents to find: " in written[MARKDOWN].splitlines()[0]


@pytest.mark.parametrize("answer", [FAILED, {"documents": named("—")}])
def test_no_document_at_all_is_a_failure(step: IdentifyDocuments, answer: Any) -> None:
    """Neither without replies nor with nameless documents can a plan go on."""
    with pytest.raises(StepError, match="no usable document in 2 replies"):
        carry_out(step, Scripted(lambda _: answer))


def test_flood_is_cut_and_reported(step: IdentifyDocuments) -> None:
    """Of hundreds of documents as many are kept as later steps can be asked to pay for."""
    flood = [f"Form {number}" for number in range(500)]
    ask = Scripted(lambda call: {"documents": named(*flood)})
    written = carry_out(step, ask)
    assert names(written[TO_FIND]) == flood[:MOST]
    refused = [
        one for one in written[RAW]["refused"] if one["reason"] == f"more than {MOST} documents"
    ]
    assert len(refused) == 2 * (500 - MOST)
