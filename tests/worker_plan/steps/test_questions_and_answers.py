"""Questions and answers: enough of them, none twice, and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.step import Detail
from worker_plan.steps.questions_and_answers import QuestionsAndAnswers


def pairs(*questions: str) -> dict[str, Any]:
    """Return a reply with these questions."""
    listed = [{"question": one, "answer": "<b>So.</b>", "rationale": "R."} for one in questions]
    return {"question_answer_pairs": listed, "summary": "S."}


def test_too_few_pairs_are_followed_up(tmp_path: Path) -> None:
    """The second call is shown the questions that are there; what it repeats is left out."""
    prepared(QuestionsAndAnswers, tmp_path)
    said = {
        "questions_1": pairs("Why?", "Who pays?", "WHY"),
        "questions_2": pairs("Who pays", "When?"),
        "questions_3": pairs("when"),
    }
    ask = Scripted(lambda call: said[call.key])
    written = carry_out(QuestionsAndAnswers(run_dir=str(tmp_path)), ask)
    raw = written["027-1-questions_and_answers_raw.json"]
    assert [(one["item_index"], one["question"]) for one in raw["question_answer_pairs"]] == [
        (1, "Why?"),
        (2, "Who pays?"),
        (3, "When?"),
    ]
    assert "Who pays?" in ask.calls[1].user.split("<answered>")[1]
    assert len(ask.calls) == 3


@pytest.mark.parametrize(
    ("detail", "count"), [(Detail.ALL_DETAILS_BUT_SLOW, 10), (Detail.FAST_BUT_SKIP_DETAILS, 2)]
)
def test_enough_pairs_are_one_call(tmp_path: Path, detail: Detail, count: int) -> None:
    """With less detail any number is enough."""
    prepared(QuestionsAndAnswers, tmp_path)
    ask = Scripted(lambda _: pairs(*(f"Question {n}?" for n in range(count))))
    carry_out(QuestionsAndAnswers(run_dir=str(tmp_path), detail=detail), ask)
    assert len(ask.calls) == 1


def test_failed_follow_up_is_marked(tmp_path: Path) -> None:
    """What came is kept; with nothing at all the step fails."""
    prepared(QuestionsAndAnswers, tmp_path)
    ask = Scripted(lambda call: pairs("Why?") if call.key == "questions_1" else FAILED)
    written = carry_out(QuestionsAndAnswers(run_dir=str(tmp_path)), ask)
    assert "> **Incomplete.**" in written["027-2-questions_and_answers.md"]
    with pytest.raises(StepError, match="no usable pair in 3 replies: server"):
        carry_out(QuestionsAndAnswers(run_dir=str(tmp_path)), Scripted(lambda _: FAILED))


def test_page_shows_what_the_model_wrote_as_text(tmp_path: Path) -> None:
    """The HTML artifact is a whole page with the same questions."""
    prepared(QuestionsAndAnswers, tmp_path)
    ask = Scripted(lambda _: pairs("لماذا؟", "من يدفع؟"))
    written = carry_out(QuestionsAndAnswers(run_dir=str(tmp_path), detail=Detail.PING_LLM), ask)
    html = written["027-3-questions_and_answers.html"]
    assert html.startswith("<!doctype html>")
    assert "&lt;b&gt;So.&lt;/b&gt;" in html
    assert "من يدفع؟</h2>" in html
