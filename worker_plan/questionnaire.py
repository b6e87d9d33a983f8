"""A list of questions about a plan that a model answers by number, a few in each call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from model_gateway.call import Ask, Call, R, Reply
from model_gateway.material import json_block
from worker_plan.errors import StepError
from worker_plan.shapes import batches, each

BATCH = 4


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with its number for the model and a title for readers."""

    number: int
    title: str
    text: str


class Answer(BaseModel):
    """The common part of answers; a step adds its own fields."""

    question_id: int = Field(description="The id of the question.")


A = TypeVar("A", bound=Answer)


@dataclass(kw_only=True)
class Answers(Generic[A]):
    """The answers by number, the refused ones, and the calls with their replies."""

    by_number: dict[int, A] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    exchanges: list[tuple[Call[Any], Reply[Any]]] = field(default_factory=list)

    def add(self, call_key: str, numbers: set[int], answers: Sequence[A]) -> None:
        """Accept the first answer to each of `numbers`; refuse the others with a reason."""
        for answer in answers:
            reason = "not asked in this call"
            if answer.question_id in numbers:
                if self.by_number.setdefault(answer.question_id, answer) is answer:
                    continue
                reason = "answered already"
            self.refused.append(
                {"call": call_key, "question_id": answer.question_id, "reason": reason}
            )

    def missing(self, questions: Sequence[Question]) -> list[Question]:
        """Return the questions that have no answer."""
        return [question for question in questions if question.number not in self.by_number]


def numbered(questions: dict[str, str]) -> list[Question]:
    """Return questions with numbers from 1, from texts by title."""
    return [
        Question(number=number, title=title, text=text.strip())
        for number, (title, text) in enumerate(questions.items(), start=1)
    ]


def ask_all(
    ask: Ask,
    questions: Sequence[Question],
    *,
    system: str,
    material: str,
    schema: type[R],
    answers: Callable[[R], Sequence[A]],
    max_output_tokens: int,
) -> Answers[A]:
    """Ask all questions, `BATCH` in each of several concurrent calls.

    `answers` returns the list of answers in a reply. An answer to a question that its call did
    not ask, or that has an answer already, is refused with a reason.

    Raises:
        StepError: no question was answered.
    """
    asked = list(batches(questions, BATCH))
    calls = [
        Call(
            key=f"questions_{batch[0].number}_to_{batch[-1].number}",
            system=system,
            user=f"{material}\n\n{_listed(batch)}",
            schema=schema,
            max_output_tokens=max_output_tokens,
        )
        for batch in asked
    ]
    result: Answers[A] = Answers(exchanges=list(zip(calls, each(ask, calls), strict=True)))
    for batch, (call, reply) in zip(asked, result.exchanges, strict=True):
        if reply.value is not None:
            numbers = {question.number for question in batch}
            result.add(call.key, numbers, answers(reply.value))
    if not result.by_number:
        failure = result.exchanges[0][1].failure
        raise StepError(
            f"none of {len(questions)} questions was answered: "
            f"{failure or 'no usable answer had the id of a question'}"
        )
    return result


def _listed(questions: Sequence[Question]) -> str:
    """Return the questions as a prompt: first the ids that the reply refers to, then the texts."""
    ids = [{"question_id": question.number, "title": question.title} for question in questions]
    texts = "\n\n".join(f"Question {question.number}: {question.text}" for question in questions)
    return f"{json_block('questions', ids)}\n\n{texts}\n"
