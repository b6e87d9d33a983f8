"""A model that compares two outputs blind and in both orders, for what no metric measures."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field
from scipy.stats import binomtest

from analysis import prompts
from model_gateway.call import Call
from model_gateway.config import Model
from model_gateway.counsel import Counsel
from model_gateway.material import block, json_block
from prompt_lab.record import CellKey
from rubrics.rubric import Question

ROLE = "judge"
CHANCE = 0.05
_MOST_TOKENS = 4000
_LONGEST_PLAN = 20_000


class Winner(StrEnum):
    """Which side a question went to."""

    a = "a"
    b = "b"
    tie = "tie"


class Mark(BaseModel):
    """The answer to one question."""

    question: str = Field(default="", description="The question's text.")
    score_a: Annotated[int, Field(ge=1, le=5, description="A mark from 1 to 5.")]
    score_b: Annotated[int, Field(ge=1, le=5, description="A mark from 1 to 5.")]
    winner: Winner = Field(description="One side, or a tie.")
    reason: str = Field(default="", description="1 sentence.")


class Opinion(BaseModel):
    """What the judge says of one pair in one order."""

    marks: list[Mark] = Field(min_length=1, description="One entry for each question.")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two outputs for the same cell, as JSON values, and the plan's text."""

    key: CellKey
    plan: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class QuestionResult:
    """One question over all pairs; `difference` is the mean of after less before, in marks."""

    id: str
    wins: int
    losses: int
    ties: int
    difference: float | None


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """The judge's preferences over all pairs.

    A side wins a pair if the judge prefers it in both orders; otherwise the pair is a tie.
    `agreement` is the share of pairs on which both orders agree; `position_bias` the share of
    opinions for the side shown first minus that for the side shown second (0: none). `p_value` is
    that of an exact two-sided sign test over wins and losses (Conover 1999, section 3.4). Values
    that could not be measured are None.
    """

    model: str
    model_id: str
    prompt_digest: str
    pairs: int
    failed: int
    wins: int
    losses: int
    ties: int
    agreement: float | None
    position_bias: float | None
    p_value: float | None
    questions: tuple[QuestionResult, ...]
    reasons: tuple[str, ...] = ()

    @property
    def prefers_after(self) -> bool:
        """Whether it prefers the candidate's side significantly."""
        return self.p_value is not None and self.p_value < CHANCE and self.wins > self.losses

    @property
    def prefers_before(self) -> bool:
        """Whether it prefers the baseline's side significantly."""
        return self.p_value is not None and self.p_value < CHANCE and self.wins < self.losses

    @property
    def preference(self) -> float | None:
        """The share of pairs won, with ties counted half; .5 means no preference."""
        return (self.wins + self.ties / 2) / self.pairs if self.pairs else None

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"preference": self.preference}


async def judge(
    counsel: Counsel, model: Model, questions: Sequence[Question], pairs: Sequence[Pair]
) -> Preferences:
    """Have `model` compare every pair in both orders.

    A failed reply makes its pair fail, which counts as neither win nor loss nor tie.
    """
    prompt = prompts.read(ROLE)
    opinions = await asyncio.gather(
        *(
            _opinion(counsel, model, prompt, questions, pair, swapped=swapped)
            for pair in pairs
            for swapped in (False, True)
        )
    )
    both = [(opinions[i], opinions[i + 1]) for i in range(0, len(opinions), 2)]
    complete = [(one, two) for one, two in both if one is not None and two is not None]
    results = [_preferred(one, two) for one, two in complete]
    wins, losses = results.count(1), results.count(-1)
    return Preferences(
        model=model.name,
        model_id=model.model_id,
        prompt_digest=hashlib.sha256(prompt.encode()).hexdigest(),
        pairs=len(complete),
        failed=len(both) - len(complete),
        wins=wins,
        losses=losses,
        ties=results.count(0),
        agreement=_agreement(complete),
        position_bias=_position_bias(complete),
        p_value=float(binomtest(wins, wins + losses).pvalue) if wins + losses else None,
        questions=tuple(_question(i, q, complete) for i, q in enumerate(questions)),
        reasons=tuple(m.reason for one, _ in complete for m in one.marks if m.reason)[:10],
    )


async def _opinion(
    counsel: Counsel,
    model: Model,
    system: str,
    questions: Sequence[Question],
    pair: Pair,
    *,
    swapped: bool,
) -> Opinion | None:
    first, second = (pair.after, pair.before) if swapped else (pair.before, pair.after)
    plan, name, repeat = pair.key
    user = "\n\n".join(
        [
            block("plan", pair.plan[:_LONGEST_PLAN]),
            json_block("a", first),
            json_block("b", second),
            *(block("question", question.text) for question in questions),
        ]
    )
    reply = await counsel.ask(
        ROLE,
        model,
        Call(
            key=f"{plan}/{name}/{repeat}/{'ba' if swapped else 'ab'}",
            system=system,
            user=user,
            schema=Opinion,
            max_output_tokens=_MOST_TOKENS,
        ),
    )
    if reply.value is None or len(reply.value.marks) < len(questions):
        return None
    opinion = reply.value.model_copy(update={"marks": reply.value.marks[: len(questions)]})
    return _unswapped(opinion) if swapped else opinion


def _unswapped(opinion: Opinion) -> Opinion:
    """Return an opinion on swapped sides as one on before (a) and after (b)."""
    other: Mapping[Winner, Winner] = {Winner.a: Winner.b, Winner.b: Winner.a}
    return Opinion(
        marks=[
            mark.model_copy(
                update={
                    "score_a": mark.score_b,
                    "score_b": mark.score_a,
                    "winner": other.get(mark.winner, Winner.tie),
                }
            )
            for mark in opinion.marks
        ]
    )


def _side(opinion: Opinion) -> int:
    """Return 1 if most questions went to the side after, -1 if before, 0 if equally many."""
    votes = [mark.winner for mark in opinion.marks]
    balance = votes.count(Winner.b) - votes.count(Winner.a)
    return (balance > 0) - (balance < 0)


def _preferred(one: Opinion, two: Opinion) -> int:
    side = _side(one)
    return side if side == _side(two) else 0


def _agreement(pairs: Sequence[tuple[Opinion, Opinion]]) -> float | None:
    same = [_side(one) == _side(two) for one, two in pairs]
    return sum(same) / len(same) if same else None


def _position_bias(pairs: Sequence[tuple[Opinion, Opinion]]) -> float | None:
    """Return the bias; a pair's first opinion saw before first, its second after first."""
    first = [side for one, two in pairs for side in (-_side(one), _side(two))]
    return sum(first) / len(first) if first else None


def _question(
    index: int, question: Question, pairs: Sequence[tuple[Opinion, Opinion]]
) -> QuestionResult:
    votes = []
    differences = []
    for pair in pairs:
        marks = [opinion.marks[index] for opinion in pair]
        winners = {mark.winner for mark in marks}
        votes.append(winners.pop() if len(winners) == 1 else Winner.tie)
        differences += [mark.score_b - mark.score_a for mark in marks]
    return QuestionResult(
        id=question.id,
        wins=votes.count(Winner.b),
        losses=votes.count(Winner.a),
        ties=votes.count(Winner.tie),
        difference=sum(differences) / len(differences) if differences else None,
    )
