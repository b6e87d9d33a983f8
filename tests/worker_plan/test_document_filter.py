"""Choosing documents by their ratings: whole degrees, and none is lost because it was forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.inputs import with_inputs
from worker_plan.document_filter import ENOUGH, ImpactRating, RatedDocument, most_important
from worker_plan.documents import DocumentToCreate, DocumentToFind
from worker_plan.errors import StepError
from worker_plan.step import Step
from worker_plan.steps.filter_documents_to_create import FilterDocumentsToCreate
from worker_plan.steps.filter_documents_to_find import FilterDocumentsToFind
from worker_plan.steps.identify_documents import IdentifyDocuments

DEGREES = {"C": "Critical", "H": "High", "M": "Medium", "L": "Low"}


def documents(count: int) -> list[DocumentToFind]:
    """Return documents with ids that say which they are."""
    return [
        DocumentToFind(id=f"id-{n}", document_name=f"Paper {n}", description="D.")
        for n in range(1, count + 1)
    ]


def rated(degrees: str) -> list[RatedDocument]:
    """Return a rating for each letter, in order; at a dash the document was forgotten."""
    return [
        RatedDocument(id=n, impact_rating=ImpactRating(DEGREES[letter]))
        for n, letter in enumerate(degrees, start=1)
        if letter != "-"
    ]


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        ("CCCCCH", [1, 2, 3, 4, 5]),
        ("CCCCCCC", [1, 2, 3, 4, 5, 6, 7]),
        ("HCCHCCL", [2, 3, 5, 6, 1, 4]),
        ("HHHHHHHM", [1, 2, 3, 4, 5, 6, 7]),
        ("LLMLLLL", [3, 1, 2, 4, 5, 6, 7]),
        ("CML", [1, 2, 3]),
        ("LCCCCC-H-", [2, 3, 4, 5, 6, 7, 9]),
        ("---", [1, 2, 3]),
    ],
)
def test_whole_degrees_are_kept_until_there_are_enough(degrees: str, expected: list[int]) -> None:
    """The most important come first; what was not rated is kept at the end."""
    selection = most_important(documents(len(degrees)), rated(degrees))
    assert [int(one.id.removeprefix("id-")) for one in selection] == expected
    assert len(selection) >= min(ENOUGH, len(degrees))


def test_of_two_ratings_the_better_counts() -> None:
    """A document is not lost because it was rated again."""
    twice = [
        *rated("LCCCCC"),
        RatedDocument(id=1, impact_rating=ImpactRating.Critical),
        *rated("L"),
    ]
    assert [one.id for one in most_important(documents(6), twice)] == [
        f"id-{n}" for n in range(1, 7)
    ]


@pytest.fixture(params=[FilterDocumentsToFind, FilterDocumentsToCreate])
def step(request: pytest.FixtureRequest, run_dir: Path) -> Step:
    """Return each of the two steps on a plan with seven documents of its kind."""
    task = with_inputs(request.param, run_dir)
    IdentifyDocuments.to_find.save(run_dir, documents(7))
    others = [
        one.model_dump(include={"id", "document_name", "description"}) for one in documents(7)
    ]
    IdentifyDocuments.to_create.save(run_dir, [DocumentToCreate(**one) for one in others])
    assert isinstance(task, Step)
    return task


def said(degrees: str, *more: dict[str, Any]) -> dict[str, Any]:
    """Return a reply with these ratings."""
    listed = [one.model_dump(mode="json") | {"rationale": "So."} for one in rated(degrees)]
    return {"document_list": [*listed, *more], "summary": "S."}


def outcome(step: Step, ask: Scripted) -> tuple[dict[str, Any], list[str]]:
    """Run the step; return the raw artifact and the ids in the cleaned one."""
    raw, clean = carry_out(step, ask).values()
    return raw, [document.id for document in clean]


def test_documents_are_rated_by_number(step: Step) -> None:
    """The model sees short numbers, and the documents keep their ids."""
    ask = Scripted(lambda _: said("LCHCMCC"))
    raw, ids = outcome(step, ask)
    [call] = ask.calls
    block = call.user.partition("<documents>\n")[2].partition("\n</documents>")[0]
    shown = json.loads(block)
    assert [(one["id"], one["document_name"]) for one in shown] == [
        (n, f"Paper {n}") for n in range(1, 8)
    ]
    assert "id-1" not in ask.sent
    assert ids == ["id-2", "id-4", "id-6", "id-7", "id-3"]
    assert [one["impact_rating"] for one in raw["document_list"]][:2] == ["Low", "Critical"]


def test_unknown_and_forgotten_documents_are_reported(step: Step) -> None:
    """A number that no document has changes nothing; a document without a number stays."""
    stray = [{"id": n, "rationale": "?", "impact_rating": "critical"} for n in (0, 99, -1)]
    raw, ids = outcome(step, Scripted(lambda _: said("CCCCC-L", *stray)))
    assert raw["unknown_ids"] == [-1, 0, 99]
    assert raw["not_rated"] == ["id-6"]
    assert ids == [f"id-{n}" for n in range(1, 7)]


def test_broken_rating_is_a_forgotten_one(step: Step) -> None:
    """A degree that does not exist costs no document."""
    broken = {"id": 6, "rationale": "?", "impact_rating": "enormous"}
    raw, ids = outcome(step, Scripted(lambda _: said("CCCCC-L", broken)))
    assert raw["not_rated"] == ["id-6"]
    assert "id-6" in ids


@pytest.mark.parametrize("answer", [FAILED, {"document_list": [], "summary": "None matter."}])
def test_no_rating_at_all_is_a_failure(step: Step, answer: Any) -> None:
    """Without one rating nothing was filtered."""
    with pytest.raises(StepError, match="no usable reply"):
        carry_out(step, Scripted(lambda _: answer))


def test_nothing_to_choose_from_costs_no_call(step: Step) -> None:
    """A list that an earlier step had to leave empty stays empty."""
    IdentifyDocuments.to_find.save(Path(step.run_dir), [])
    IdentifyDocuments.to_create.save(Path(step.run_dir), [])
    ask = Scripted(lambda _: FAILED)
    raw, ids = outcome(step, ask)
    assert (ids, ask.calls, raw["document_list"]) == ([], [], [])


def test_call_shows_what_is_known_of_the_plan(step: Step) -> None:
    """Every text that the step reads stands in a block of its own."""

    def answer(call: Call[Any]) -> Any:
        for artifact in step.reads():
            if artifact.owner is not IdentifyDocuments:
                assert f">\nWhat {artifact.name} says.\n</" in call.user
        return said("CCCCCCC")

    outcome(step, Scripted(answer))
