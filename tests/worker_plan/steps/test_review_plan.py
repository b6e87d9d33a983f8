"""The review: sixteen questions, three findings each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.step import Detail
from worker_plan.steps.review_plan import ReviewPlan, questions


def review(call: Call[Any]) -> dict[str, Any]:
    """Answer every question of `call` with four findings, one of them empty."""
    numbers = re.findall(r"(?m)^Question (\d+): ", call.user)
    return {
        "reviews": [
            {"question_id": n, "answers": [f"{n}a.\nMore.", " ", f"{n}b.", f"{n}c.", f"{n}d."]}
            for n in numbers
        ]
    }


@pytest.mark.parametrize(
    ("detail", "count"),
    [
        (Detail.ALL_DETAILS_BUT_SLOW, 16),
        (Detail.FAST_BUT_SKIP_DETAILS, 8),
        (Detail.PING_LLM, 4),
    ],
)
def test_each_question_has_three_findings(tmp_path: Path, detail: Detail, count: int) -> None:
    """Empty ones do not count, further ones are left out; less detail is fewer questions."""
    prepared(ReviewPlan, tmp_path)
    ask = Scripted(review)
    written = carry_out(ReviewPlan(run_dir=str(tmp_path), detail=detail), ask)
    listed = written["024-1-review_plan_raw.json"]["question_answers_list"]
    asked = questions()[:count]
    assert [one["title"] for one in listed] == [question.title for question in asked]
    assert listed[1]["answers"] == ["2a.\nMore.", "2b.", "2c."]
    markdown = written["024-2-review_plan.md"]
    assert "1. 2a. More.\n\n2. 2b.\n\n3. 2c.\n" in markdown
    assert "2d." not in markdown
    for question in asked:
        assert question.text in ask.sent
        assert question.text in markdown


def test_questions_without_findings_are_marked(tmp_path: Path) -> None:
    """A failed call and an answer that says nothing leave gaps that are named."""
    prepared(ReviewPlan, tmp_path)

    def answer(call: Call[Any]) -> Any:
        if call.key == "questions_5_to_8":
            return FAILED
        said = review(call)
        said["reviews"] = [
            one | {"answers": [""]} if one["question_id"] == "2" else one for one in said["reviews"]
        ]
        return said

    written = carry_out(ReviewPlan(run_dir=str(tmp_path)), Scripted(answer))
    raw = written["024-1-review_plan_raw.json"]
    titles = [question.title for question in questions()]
    assert raw["missing"] == [titles[1], *titles[4:8]]
    assert "failure" in raw["metadata"]["questions_5_to_8"]
    note = written["024-2-review_plan.md"].splitlines()[2]
    assert note.startswith("> **Incomplete.**")
    assert "; ".join(raw["missing"]) in note
