"""GEPA: reflection on traces, a gate on a minibatch, and a Pareto front over single cases.

Source: Agrawal et al. 2025, GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning
(arXiv 2507.19457), algorithms 1 and 2, and its code.

Defaults: minibatch of 3, texts in round robin, merge off; a parent is drawn from the front of
those that are best on at least one case, after pruning the dominated, weighted by the cases it
wins; a minibatch on which the parent is perfect is skipped; a child that beats its parent on the
minibatch is scored on all cases and joins the pool. Adapted: minibatch and full scoring use the
same train cases, since no search may see the verify split; three children of different parents are
proposed concurrently. --small changes nothing.

Needs: a proposer, 3 calls a round.

Costs: 9 cells a round, and all cases for each child that passes the gate; it continues until the
budget ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_gateway.material import json_block
from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import Variant
from self_improve.search.racing import affordable
from self_improve.search.trial import Case, CellOutcome, Proposal, Scored, Trial

MINIBATCH, SIDE_BY_SIDE = 3, 3
PERFECT = 0.999
_FRUITLESS = 12
_LONGEST = 1500


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    parent: Scored
    cases: tuple[Case, ...]
    surface: str


class Gepa:
    """Genetic-Pareto."""

    name = "gepa"

    async def search(self, trial: Trial) -> None:
        """Reflect, gate, and widen the pool, until the budget or ideas run out."""
        pool = await trial.score([trial.baseline], trial.cases)
        number = fruitless = 0
        while fruitless < _FRUITLESS:
            room = affordable(trial, MINIBATCH, 1, SIDE_BY_SIDE)
            if not room:
                break
            attempts = []
            for _ in range(room):
                attempt = _Attempt(
                    parent=chosen(trial, pool),
                    cases=tuple(_minibatch(trial)),
                    surface=trial.searched[number % len(trial.searched)],
                )
                number += 1
                if (attempt.parent.on(attempt.cases) or 0.0) < PERFECT:
                    attempts.append(attempt)
            children = await self._children(trial, attempts, number)
            fruitless = 0 if children else fruitless + 1
            pool += await _through_the_gate(trial, children)

    async def _children(
        self, trial: Trial, attempts: Sequence[_Attempt], number: int
    ) -> list[tuple[_Attempt, Proposal]]:
        calls = [
            proposer_calls.question(
                f"reflection_{number}/{n}",
                self.name,
                proposer_calls.aims(trial),
                proposer_calls.prompt_block(one.surface, one.parent.proposal.texts[one.surface]),
                traces([one.parent.outcomes[case.id] for case in one.cases]),
                proposer_calls.feedback(one.parent.outcomes[case.id] for case in one.cases),
                schema=Variant,
            )
            for n, one in enumerate(attempts)
        ]
        replies = await trial.ask_all(self.name, calls)
        admitted = [
            (
                attempt,
                trial.admit(
                    {attempt.surface: reply.value.text}, operator="reflection",
                    parents=[attempt.parent.proposal], change=reply.value.change,
                ),
            )
            for attempt, reply in zip(attempts, replies, strict=True)
            if reply.value is not None
        ]  # fmt: skip
        return [(attempt, child) for attempt, child in admitted if child is not None]


async def _through_the_gate(
    trial: Trial, children: Sequence[tuple[_Attempt, Proposal]]
) -> list[Scored]:
    """Try children on their parents' minibatches, and those that are better there on all cases.

    If the budget does not cover all of these, those that gained most are tried.
    """
    tried = await trial.score_each([(child, attempt.cases) for attempt, child in children])
    gains = [
        (one.on(attempt.cases) or 0.0) - (attempt.parent.on(attempt.cases) or 0.0)
        for (attempt, _), one in zip(children, tried, strict=True)
    ]
    by_gain = sorted(range(len(tried)), key=lambda index: -gains[index])
    passed = [tried[index].proposal for index in by_gain if gains[index] > 0]
    rest = max(len(trial.cases) - MINIBATCH, 0)
    room = affordable(trial, rest, 0, len(passed))
    return await trial.score(passed[:room], trial.cases)


def front(pool: Sequence[Scored], cases: Sequence[Case]) -> dict[str, int]:
    """Return the candidates of the Pareto front by id, with the number of cases that each wins.

    A candidate is on the front if it is best on at least one case; one whose cases are all won by
    others too is dominated and pruned, the worst mean first.
    """
    winners: dict[str, set[str]] = {}
    for case in cases:
        scores = {one.proposal.id: one.outcomes[case.id].score or 0.0 for one in pool}
        best = max(scores.values())
        winners[case.id] = {name for name, score in scores.items() if score == best}
    means = {one.proposal.id: one.on(cases) or 0.0 for one in pool}
    alive = set().union(*winners.values())
    for name in sorted(alive, key=lambda n: (means[n], n)):
        if all(names - {name} for names in winners.values() if name in names):
            alive.discard(name)
            winners = {case: names - {name} for case, names in winners.items()}
    return {name: sum(name in names for names in winners.values()) for name in sorted(alive)}


def chosen(trial: Trial, pool: Sequence[Scored]) -> Scored:
    """Return a parent from the front, weighted by its wins."""
    weights = front(pool, trial.cases)
    name = trial.random.choices(list(weights), weights=list(weights.values()))[0]
    return next(one for one in pool if one.proposal.id == name)


def traces(outcomes: Sequence[CellOutcome]) -> str:
    """Return inputs, outputs and scores of some cases, for reflection."""
    rows = [
        proposer_calls.pair(outcome, _LONGEST)
        | {
            "score": None if outcome.score is None else round(outcome.score, 2),
            "failure": outcome.failure,
        }
        for outcome in outcomes
    ]
    return json_block("traces", rows)


def _minibatch(trial: Trial) -> list[Case]:
    return trial.random.sample(list(trial.cases), min(MINIBATCH, len(trial.cases)))
