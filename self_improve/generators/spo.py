"""SPO: one proposal a round, kept if a judge prefers the outputs with it; no scores.

Source: Xiang et al. 2025, Self-Supervised Prompt Optimization (arXiv 2502.06855), and its code.

Defaults: 10 rounds; one proposal is derived from the best texts so far and their outputs; both run
on the same 3 cases; the judge compares all outputs of one side with those of the other 4 times, and
the proposal is taken on a strict majority, 3 of 4. Scores, metrics and known answers are not used.
Adapted: of the 4 comparisons, in random order, 2 show the new side first, so that a preference for
a position evens out; ties and failed comparisons do not count. The final proposal is scored on all
cases, which decides nothing in the search. --small: 30 rounds.

Needs: a proposer, 1 call a round, and a judge, 4 calls a round.

Costs: 10 proposals, 40 comparisons and 30 cells, then one proposal on all cases.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field

from model_gateway.material import block, json_block
from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import Variant
from self_improve.search.racing import has_room, sample
from self_improve.search.trial import JUDGE, Case, Proposal, Scored, Trial

ROUNDS, SAMPLES, COMPARISONS = 10, 3, 4
_SMALL_ROUNDS = 30
_FRUITLESS = 5
_LONGEST = 6000


class Contestant(StrEnum):
    """Which side a comparison went to."""

    a = "a"
    b = "b"
    tie = "tie"


class Comparison(BaseModel):
    """What the judge says of two sides."""

    reason: str = Field(default="", description="1 sentence.")
    winner: Contestant = Field(description="One side, or a tie.")


class Spo:
    """Self-supervised prompt optimization."""

    name = "spo"

    async def search(self, trial: Trial) -> None:
        """Propose, run, compare, and continue from the side that the judge prefers."""
        cases = sample(trial, SAMPLES)
        [best] = await trial.score([trial.baseline], cases)
        fruitless = 0
        for number in range(1, (_SMALL_ROUNDS if trial.small else ROUNDS) + 1):
            if fruitless == _FRUITLESS:
                trial.note(f"{_FRUITLESS} rounds in a row gave nothing that could be compared")
                break
            if not has_room(trial, len(cases), 1):
                trial.note("no room is left for another round")
                break
            proposal = await self._proposed(trial, best, cases, number)
            if proposal is None:
                fruitless += 1
                continue
            [new] = await trial.score([proposal], cases)
            votes = await compared(trial, best, new, cases, f"round_{number}")
            fruitless = 0 if votes else fruitless + 1
            if votes.count(True) * 2 > COMPARISONS:
                best = new
            trial.note(f"{votes.count(True)} of {COMPARISONS} comparisons went to {proposal.id}")
        if trial.left >= len(trial.cases) - len(cases):
            await trial.score([best.proposal], trial.cases)

    async def _proposed(
        self, trial: Trial, best: Scored, cases: list[Case], number: int
    ) -> Proposal | None:
        call = proposer_calls.question(
            f"round_{number}",
            self.name,
            proposer_calls.aims(trial),
            proposer_calls.prompt_blocks(trial, best.proposal),
            outputs("written", best, cases),
            schema=Variant,
        )
        reply = await trial.ask(self.name, call)
        if reply.value is None:
            return None
        return proposer_calls.admit(trial, reply.value, [best.proposal], self.name)


async def compared(
    trial: Trial, best: Scored, new: Scored, cases: list[Case], key: str
) -> list[bool]:
    """Return for each comparison that could be read whether the new side won it."""
    swapped = [False, True] * (COMPARISONS // 2)
    trial.random.shuffle(swapped)
    plans = "\n\n".join(new.outcomes[case.id].plan[:_LONGEST] for case in cases)
    calls = [
        proposer_calls.question(
            f"{key}/{n}",
            "spo_judge",
            block("instructions", trial.instructions),
            block("plan", plans),
            outputs("a", new if turned else best, cases),
            outputs("b", best if turned else new, cases),
            schema=Comparison,
        )
        for n, turned in enumerate(swapped, start=1)
    ]
    replies = await trial.ask_all(JUDGE, calls)
    return [
        reply.value.winner is (Contestant.a if turned else Contestant.b)
        for reply, turned in zip(replies, swapped, strict=True)
        if reply.value is not None
    ]


def outputs(tag: str, scored: Scored, cases: list[Case]) -> str:
    """Return the step's outputs in some cases; a failed case has none."""
    rows = [scored.outcomes[case.id].output for case in cases]
    return json_block(tag, [proposer_calls.shortened(row, _LONGEST) for row in rows])
