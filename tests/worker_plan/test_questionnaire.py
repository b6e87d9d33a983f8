"""Questions asked a few at a time; answers are matched by number."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel, Field

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted
from worker_plan.errors import StepError
from worker_plan.questionnaire import Answer, Answers, ask_all, numbered

TITLES = [f"Title {number}" for number in range(1, 7)]
QUESTIONS = numbered({title: f"Is {title} so?\n" for title in TITLES})


class Word(Answer):
    """An answer."""

    word: str = Field(description="A word.")


class Words(BaseModel):
    """A reply."""

    words: list[Word]


def asked_in(call: Call[Any]) -> list[int]:
    """Return the numbers of the questions in `call`."""
    return [int(number) for number in re.findall(r"(?m)^Question (\d+): Is Title", call.user)]


def words(*numbers: int) -> dict[str, Any]:
    """Return a reply that answers these questions."""
    return {"words": [{"question_id": number, "word": f"w{number}"} for number in numbers]}


def answers_of(ask: Scripted) -> Answers[Word]:
    """Ask all questions."""
    return ask_all(
        ask,
        QUESTIONS,
        system="S",
        material="<plan>\nM\n</plan>",
        schema=Words,
        answers=lambda reply: reply.words,
        max_output_tokens=100,
    )


def test_calls_begin_alike() -> None:
    """Only the questions differ, and they come last, so that servers know the rest already."""
    ask = Scripted(lambda call: words(*asked_in(call)))
    answers = answers_of(ask)
    first, second = sorted(ask.calls, key=lambda call: call.key)
    assert [first.key, second.key] == ["questions_1_to_4", "questions_5_to_6"]
    assert (asked_in(first), asked_in(second)) == ([1, 2, 3, 4], [5, 6])
    assert first.user.startswith("<plan>\nM\n</plan>")
    assert {n: answer.word for n, answer in answers.by_number.items()} == {
        n: f"w{n}" for n in range(1, 7)
    }
    assert answers.missing(QUESTIONS) == []


def test_answers_to_other_questions_are_refused_with_the_reason() -> None:
    """The first answer to each question of the call counts; nothing is invented for the others."""
    ask = Scripted(
        lambda call: words(6, 2, 99, -1, 2) if call.key == "questions_1_to_4" else words(6)
    )
    answers = answers_of(ask)
    assert sorted(answers.by_number) == [2, 6]
    assert [(one["question_id"], one["reason"]) for one in answers.refused] == [
        (6, "not asked in this call"),
        (99, "not asked in this call"),
        (-1, "not asked in this call"),
        (2, "answered already"),
    ]
    assert [question.number for question in answers.missing(QUESTIONS)] == [1, 3, 4, 5]


def test_failed_call_costs_only_its_questions() -> None:
    """The other answers are kept; with none at all the failure is reported."""
    ask = Scripted(lambda call: FAILED if asked_in(call)[0] == 1 else words(*asked_in(call)))
    assert sorted(answers_of(ask).by_number) == [5, 6]
    with pytest.raises(StepError, match="none of 6 questions was answered: server: the model is"):
        answers_of(Scripted(lambda _: FAILED))
    with pytest.raises(StepError, match="no usable answer had the id of a question"):
        answers_of(Scripted(lambda _: words(77)))
