"""Reflective rewriting, the house default: faults in words, one declared change a variant, raced.

Source: the house's own, on the idea of reflection in GEPA (Agrawal et al. 2025) and ProTeGi
(Pryzant et al. 2023): the proposer sees the spans that made the numbers, and what failed before.

Defaults: 4 variants a round (--small: 10), tried on 1 case, those that beat their parent there on
2 more, and at most 2 of those that beat it on all 3 on the rest. If several do, their changes are
merged as far as they touch different sentences, and the merged text is tried first. After a round
without a gain, and when the proposer repeats itself, 4 single edits of `operators` join the race. A
text may be at most 2.5 times as long as the baseline; of equally good ones the shorter wins.

Needs: a proposer, 1 call a round for all variants.

Costs: 4 to 24 cells a round, and all cases for up to 2 survivors; it continues until the budget
ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from model_gateway.call import Call
from model_gateway.material import json_block
from self_improve import prompts
from self_improve.generators import operators
from self_improve.search import proposer_calls
from self_improve.search.merging import merged
from self_improve.search.proposer_calls import REPLY_TOKENS, Variant, Variants
from self_improve.search.racing import race, ranked
from self_improve.search.trial import Proposal, Scored, Trial

VARIANTS, SMALL_VARIANTS, EDITS, BATCH, SURVIVORS = 4, 10, 4, 3, 2
_SHOWN, _WORST = 6, 6
_FRUITLESS = 6
_REPEATING, _ASKED_AGAIN = 3, 4
"""After 3 rounds in which the proposer repeated itself it is asked in every fourth round only."""


class PatternedVariant(Variant):
    """One proposed text, which may follow an offered pattern."""

    pattern: str = Field(default="", description="The id of the pattern that it follows, if any.")


class PatternedVariants(BaseModel):
    """Several proposed texts."""

    variants: list[PatternedVariant] = Field(min_length=1, description="As many as asked for.")


class Reflective:
    """Rewrites the best so far, round by round."""

    name = "reflective"

    async def search(self, trial: Trial) -> None:
        """Ask, race, and continue from the better text, until many rounds give nothing new."""
        [best] = await trial.score([trial.baseline], trial.cases)
        tried: list[Scored] = []
        fruitless = repeating = number = 0
        gained = True
        while fruitless < _FRUITLESS:
            number += 1
            proposals: list[Proposal] = []
            if repeating < _REPEATING or number % _ASKED_AGAIN == 0:
                replied = await self._proposed(trial, best, tried, number)
                if replied is None:
                    fruitless += 1
                    continue
                proposals = replied
                repeating = 0 if proposals else repeating + 1
            if not gained or len(proposals) < 2:
                edits = (operators.propose(trial, best) for _ in range(EDITS))
                proposals += [one for one in edits if one is not None]
            if not proposals:
                fruitless += 1
                continue
            fruitless = 0
            better = await race(
                trial, best, proposals, size=BATCH, survivors=SURVIVORS,
                combine=lambda parent, passed: _combined(trial, parent, passed),
            )  # fmt: skip
            tried += await trial.score(proposals, [])
            gained = bool(better)
            best = ranked([*better, best], trial.cases)[0]
        trial.note(f"{_FRUITLESS} rounds in a row gave nothing to try")

    async def _proposed(
        self, trial: Trial, parent: Scored, tried: list[Scored], number: int
    ) -> list[Proposal] | None:
        """Return the new ones of the proposer's variants, or None without a reply."""
        count = SMALL_VARIANTS if trial.small else VARIANTS
        last = [(one.proposal.texts, one.score) for one in tried[-_SHOWN:]]
        parts = [
            f"Give {count} variants.",
            proposer_calls.aims(trial),
            proposer_calls.prompt_blocks(trial, parent.proposal),
            proposer_calls.feedback(parent.worst(_WORST)),
            proposer_calls.attempts(trial, last),
        ]
        schema: type[Variants | PatternedVariants] = Variants
        system = prompts.read(self.name)
        if trial.patterns:
            schema = PatternedVariants
            system = f"{system}\n\n{prompts.read('reflective_patterns')}"
            parts.append(json_block("patterns", list(trial.patterns)))
        call = Call(
            key=f"round_{number}",
            system=system,
            user="\n\n".join(parts),
            schema=schema,
            max_output_tokens=REPLY_TOKENS,
        )
        reply = await trial.ask(self.name, call)
        if reply.value is None:
            return None
        variants: Sequence[Variant] = reply.value.variants[:count]
        return proposer_calls.admit_all(trial, variants, [parent.proposal], self.name)


def _combined(trial: Trial, parent: Scored, passed: Sequence[Scored]) -> Proposal | None:
    """Merge the changes of several children of one parent, those of the best first."""
    texts: dict[str, str] = {}
    indices: set[int] = set()
    for surface in trial.searched:
        variants = [one.proposal.texts[surface] for one in passed]
        texts[surface], merged_ones = merged(parent.proposal.texts[surface], variants)
        indices.update(merged_ones)
    if len(indices) < 2:
        return None
    parts = [passed[index].proposal for index in sorted(indices)]
    return trial.admit(
        texts,
        operator="combine",
        parents=parts,
        change="; ".join(one.change for one in parts)[:300],
    )
