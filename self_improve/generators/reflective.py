"""Reflective rewriting, the house default: faults in words, one declared change a variant, raced.

Source: the house's own, on the idea of reflection in GEPA (Agrawal et al. 2025) and ProTeGi
(Pryzant et al. 2023): the proposer sees the spans that made the numbers, and what failed before.

Defaults: 4 variants a round, tried on 3 cases first, the best 2 of those that beat their parent
there on all (--small: 10, 3 and 2). Every fourth round combines the changes of the two best. A
text may be at most 2.5 times as long as the baseline; of equally good ones the shorter wins.

Needs: a proposer, 1 call a round for all variants.

Costs: 12 cells a round, and all cases for up to 2 survivors; it goes on until the budget ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from model_gateway.call import Call
from model_gateway.material import json_block
from self_improve import instructions
from self_improve.generators import proposing
from self_improve.generators.proposing import REPLY_TOKENS, Variant, Variants
from self_improve.generators.racing import race
from self_improve.generators.trial import Proposal, Scored, Trial

VARIANTS, SMALL_VARIANTS, BATCH, SURVIVORS = 4, 10, 3, 2
COMBINE_EVERY = 4
_SHOWN, _WORST = 6, 6
_FRUITLESS = 6
_BEST = 4


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
        """Ask, race, and go on from what is better, until many rounds gave nothing new."""
        [first] = await trial.score([trial.baseline], trial.cases)
        best: list[Scored] = [first]
        tried: list[Scored] = []
        fruitless = number = 0
        while fruitless < _FRUITLESS:
            number += 1
            parent = best[0]
            made = await self._proposed(trial, parent, tried, number)
            if number % COMBINE_EVERY == 0 and len(best) > 1:
                both = _combined(trial, best[0], best[1])
                made += [both] if both is not None else []
            if not made:
                fruitless += 1
                continue
            fruitless = 0
            better = await race(trial, parent, made, size=BATCH, survivors=SURVIVORS)
            tried += await trial.score(made, [])
            best = _ranked(trial, [*better, *best])[:_BEST]
        trial.note(f"{_FRUITLESS} rounds in a row gave nothing to try")

    async def _proposed(
        self, trial: Trial, parent: Scored, tried: list[Scored], number: int
    ) -> list[Proposal]:
        count = SMALL_VARIANTS if trial.small else VARIANTS
        last = [(one.proposal.texts, one.score) for one in tried[-_SHOWN:]]
        parts = [
            proposing.aims(trial),
            proposing.shown(trial, parent.proposal),
            proposing.feedback(parent.worst(_WORST)),
            proposing.attempts(trial, last),
            f"Give {count} variants.",
        ]
        schema: type[Variants | PatternedVariants] = Variants
        system = instructions.read(self.name)
        if trial.patterns:
            schema = PatternedVariants
            system = f"{system}\n\n{instructions.read('reflective_patterns')}"
            parts.insert(-1, json_block("patterns", list(trial.patterns)))
        call = Call(
            key=f"round_{number}",
            system=system,
            user="\n\n".join(parts),
            schema=schema,
            max_output_tokens=REPLY_TOKENS,
        )
        reply = await trial.ask(self.name, call)
        variants: Sequence[Variant] = reply.value.variants[:count] if reply.value else []
        made = [proposing.admitted(trial, v, [parent.proposal], self.name) for v in variants]
        return [one for one in made if one is not None]


def _combined(trial: Trial, one: Scored, two: Scored) -> Proposal | None:
    """Take from the second best the surfaces that the best has left as they were."""
    base = trial.baseline.texts
    mine, other = one.proposal.texts, two.proposal.texts
    texts = {s: other[s] for s in trial.searched if mine[s] == base[s] and other[s] != base[s]}
    if not texts:
        return None
    return trial.admit(
        texts, operator="combine", parents=[one.proposal, two.proposal],
        change="the changes of two candidates together",
    )  # fmt: skip


def _ranked(trial: Trial, scored: list[Scored]) -> list[Scored]:
    """Return them by score on all cases, the shorter of equals first, each once."""
    unique = {one.proposal.id: one for one in scored}.values()
    return sorted(unique, key=lambda s: (-(s.on(trial.cases) or 0.0), s.proposal.size))


GENERATOR = Reflective
