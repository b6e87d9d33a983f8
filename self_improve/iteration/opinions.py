"""Asking agents and judge about an iteration, and what their answers come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis import choice, phases
from analysis.record import Opinion, Record
from model_gateway.config import Catalogue, Model
from model_gateway.ledger import Ledger
from rubrics.rubric import Rubric
from self_improve.counsel import Counsel
from self_improve.iteration.decision import Opinions
from self_improve.judge import Judged, Pair, judge

MOST_PAIRS = 40
"""So many pairs of outputs are judged at most; more tell little more and cost twice each."""


async def agents_say(
    record: Record,
    *,
    named: str | None,
    simulated: bool,
    is_first: bool,
    catalogue: Catalogue,
    counsel: Counsel,
    ledger: Ledger,
) -> list[Opinion]:
    """Have the agents go through all phases, and return their opinions.

    `is_first` says that the step has no earlier iteration: the last page then tells where it
    stands, too.

    Raises:
        AnalysisError: a phase failed, or there are no two agents.
        ConfigError: an agent is neither a program nor a model.
    """
    known = [agent["name"] for agent in record.agents()]
    names = known or choice.names(named, simulated=simulated)
    agents = choice.agents(names, catalogue=catalogue, counsel=counsel, ledger=ledger)
    last = phases.BASELINE_COMPARISON if is_first else phases.ASSESSMENT
    for phase in (phases.INSIGHT, phases.CODE_REVIEW, phases.SYNTHESIS, last):
        await phases.run(record, phase, agents)
    return record.opinions()


async def judge_says(
    counsel: Counsel, model: Model, rubric: Rubric, pairs: Sequence[Pair]
) -> Judged | None:
    """Return what the judge finds, or None if the rubric asks nothing or there is nothing."""
    if not rubric.questions or not pairs:
        return None
    return await judge(counsel, model, rubric.questions, list(pairs)[:MOST_PAIRS])


def together(said: Sequence[Opinion], judged: Judged | None) -> Opinions:
    """Return what opinions come to: only claims on quotes that hold count.

    A change is supported if every agent supports it in one phase at least, and none objects.
    """
    objections = tuple(_told(one) for one in said if one.objects)
    looked = [one for one in said if one.phase in {"insight", "code"}]
    names = {one.agent for one in looked}
    supporting = {one.agent for one in looked if one.supports}
    verdict = None if judged is None else judged.prefers_after - judged.prefers_before
    return Opinions(
        supported=len(names) > 1 and supporting == names and not objections,
        objections=objections,
        judge=verdict,
    )


def _told(opinion: Opinion) -> str:
    quote = next(one for one in opinion.findings if one.holds)
    where = f"{quote.path}:{quote.found}"
    return f"{opinion.agent} objects ({opinion.phase}): {opinion.reason} [{where}]"


def to_row(opinions: Opinions, judged: Judged | None) -> dict[str, Any]:
    """Return plain JSON values for a phase's marker."""
    return {
        "supported": opinions.supported,
        "objections": list(opinions.objections),
        "judge": opinions.judge,
        "judged": judged.to_row() if judged is not None else None,
    }


def from_row(row: dict[str, Any] | None) -> Opinions | None:
    """Read opinions from a phase's marker."""
    if row is None or "supported" not in row:
        return None
    return Opinions(
        supported=row["supported"], objections=tuple(row["objections"]), judge=row["judge"]
    )
