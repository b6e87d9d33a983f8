"""Three words for two sides: KEEP shows good, REJECT shows harm, INCONCLUSIVE shows neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from self_improve.verdict import effects, gates
from self_improve.verdict.effects import Composite, Effect
from self_improve.verdict.expectation_outcomes import ExpectationOutcome, Fulfilment, outcomes_of
from self_improve.verdict.gates import Gate, Losses
from self_improve.verdict.outlook import further_cells, is_futile
from self_improve.verdict.pairing import Pairing
from self_improve.verdict.terms import ERROR, LEAST, Look, PermutedLook, Rows, Terms, permuted

SCHEMA_VERSION = 1
PLANS = 5
"""With fewer plans a verdict says nothing of others."""
_OPEN = 0.2
"""As long as a gate or an expectation has a smaller p-value, nothing is given up."""


class Word(StrEnum):
    """What is said of a candidate."""

    keep = "KEEP"
    reject = "REJECT"
    inconclusive = "INCONCLUSIVE"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is said of a comparison, and every number that it rests on.

    `further_cells` is how many more cells a side would probably settle what is INCONCLUSIVE; 0
    says that an effect worth a merge would have shown, and None that the verdict is settled.
    `futile` says that going on to the planned number of cells would hardly decide it.
    """

    word: Word
    evidence: str
    step: str
    rubric_version: int
    reasons: tuple[str, ...]
    gates: tuple[Gate, ...]
    losses: Losses
    composite: Composite
    effects: tuple[Effect, ...]
    expectations: tuple[ExpectationOutcome, ...]
    models: tuple[str, ...]
    plans: tuple[str, ...]
    pairs: int
    further_cells: int | None
    generalises: bool
    notes: tuple[str, ...]
    minimal_effect: float
    look: int
    looks: int
    share: float
    futile: bool
    seed: int
    flips: int

    @property
    def summary(self) -> str:
        """The verdict in words; what simulated models did is always labelled so."""
        return f"SIMULATED {self.word}" if self.evidence == "simulated" else str(self.word)

    @property
    def is_decided(self) -> bool:
        """Whether it is time to stop: it is settled, or will hardly be."""
        return self.word is not Word.inconclusive or self.futile

    @property
    def failed_gates(self) -> tuple[str, ...]:
        """What the hard gates that failed have to say."""
        return tuple(f"{gate.name}: {gate.told}" for gate in self.gates if gate.failed)

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values in a stable form; what is not known is None."""
        row = {"schema_version": SCHEMA_VERSION, "verdict": self.summary, **asdict(self)}
        row["word"] = str(self.word)
        return row


def decide(
    looks: Sequence[Look] | Pairing, terms: Terms, *, evidence: str, notes: Sequence[str] = ()
) -> Verdict:
    """Judge a comparison.

    Args:
        looks: the pairs of every look so far, each with those of the looks before it; or all pairs
            at once. A look after the one that decides is not taken any more.
        terms: what the decision depends on beside the cells.
        evidence: real, simulated or historical.
        notes: what should be known of the comparison beside its numbers.

    Raises:
        ValueError: there is no look.
    """
    given = [Look(pairing=looks)] if isinstance(looks, Pairing) else list(looks)
    number, judgement = _last(given, terms)
    return judgement.verdict(number, len(given), evidence=evidence, notes=tuple(notes))


def word(looks: Sequence[Look] | Pairing, terms: Terms) -> Word:
    """Return only the word of `decide`, which takes less time.

    Raises:
        ValueError: there is no look.
    """
    given = [Look(pairing=looks)] if isinstance(looks, Pairing) else list(looks)
    return _last(given, terms)[1].word


def _last(looks: Sequence[Look], terms: Terms) -> tuple[int, _Judgement]:
    """Return the look that decides, or the last one."""
    if not looks:
        raise ValueError("A decision needs at least one look.")
    taken = permuted(looks, terms)
    rows = Rows(taken[0].count)
    number = 1
    judgement = _Judgement(taken[0], rows)
    while not judgement.is_decided and number < len(taken):
        judgement = _Judgement(taken[number], rows)
        number += 1
    return number, judgement


class _Judgement:
    """The tests of one look, and what they come to."""

    def __init__(self, seen: PermutedLook, rows: Rows) -> None:
        self._seen = seen
        self._terms = seen.terms
        self._minimal = seen.terms.rubric.minimal_effect
        self._flips = seen.flips(seen.gains.pairs)
        self._composite = effects.composite(seen.gains, self._flips, seen.terms.drift)
        self._gates = gates.gates(seen, rows)
        self._declared = outcomes_of(seen, rows)
        self._harm = self._moved(rows, -1, max(ERROR - rows.spent("gate "), LEAST))
        self._good = self._moved(rows, 1, LEAST if self._declared else ERROR)
        self.word, self._reasons = self._word()
        self._futile = self.word is Word.inconclusive and self._is_futile()

    @property
    def is_decided(self) -> bool:
        """Whether no further look is needed."""
        return self.word is not Word.inconclusive or self._futile

    def verdict(self, number: int, looks: int, *, evidence: str, notes: tuple[str, ...]) -> Verdict:
        """Return what this look comes to."""
        pairing, terms, reasons = self._seen.look.pairing, self._terms, list(self._reasons)
        generalises = len(pairing.plans) >= PLANS
        if not generalises:
            reasons.append(
                f"measured on {len(pairing.plans)} plans: it does not generalise beyond them"
            )
        further = None
        if self.word is Word.inconclusive:
            further = further_cells(
                self._composite, len(pairing.pairs), minimal=self._minimal, noise=terms.noise,
                error=ERROR,
            )  # fmt: skip
            reasons.append(self._settling(further))
        return Verdict(
            word=self.word, evidence=evidence, step=terms.rubric.step,
            rubric_version=terms.rubric.version, reasons=tuple(reasons), gates=self._gates,
            losses=gates.losses(self._seen), composite=self._composite,
            effects=effects.effects(
                self._seen.gains, self._flips, terms.noise, together=terms.together
            ),
            expectations=self._declared, models=pairing.models, plans=pairing.plans,
            pairs=len(pairing.pairs), further_cells=further, generalises=generalises,
            notes=(*notes, *pairing.notes, *self._notes()), minimal_effect=self._minimal,
            look=number, looks=looks, share=self._seen.look.share, futile=self._futile,
            seed=terms.seed, flips=self._seen.count,
        )  # fmt: skip

    def _word(self) -> tuple[Word, tuple[str, ...]]:
        effect = self._composite.effect or 0.0
        failed = [f"{gate.name}: {gate.told}" for gate in self._gates if gate.failed]
        if self._harm is True:
            failed.append(f"the composite fell by {-effect:.2f}, beyond chance")
        if failed:
            return Word.reject, tuple(failed)
        good = [f"the composite rose by {effect:.2f}, beyond chance"] if self._good is True else []
        if self._does_no_harm():
            good += [
                f"expected and met: {d.told}" for d in self._declared if d.outcome is Fulfilment.met
            ]
        held = [f"held back by {gate.name}: {gate.told}" for gate in self._gates if gate.blocks]
        held += [
            f"contradicted: {d.told}"
            for d in self._declared
            if d.outcome is Fulfilment.contradicted
        ]
        unmet = [f"unmet: {d.told}" for d in self._declared if d.outcome is Fulfilment.unmet]
        if good and not held:
            return Word.keep, (*good, *unmet)
        return Word.inconclusive, (*(good or self._open()), *held, *unmet)

    def _open(self) -> list[str]:
        """Return why neither good nor harm is shown."""
        composite = self._composite
        if composite.effect is None:
            return ["no cell has content on both sides"]
        told = [
            f"it is {word} beyond chance, but {found}"
            for found, word in ((self._good, "better"), (self._harm, "worse"))
            if isinstance(found, str)
        ]
        p = "" if composite.p is None else f" (p = {composite.p:.3f})"
        return told or [
            f"the composite moved by {composite.effect:+.2f}, not beyond chance{p}; "
            f"{self._minimal:g} would be worth a merge"
        ]

    def _moved(self, rows: Rows, sign: int, error: float) -> bool | str:
        """Return whether the composite moved that way, or what speaks against it although p is low.

        Beyond chance is not enough: the move must be worth having, and stand without any one plan.
        """
        composite, seen = self._composite, self._seen
        if composite.effect is None:
            return False
        sums = seen.gains.sums(self._flips, np.ones((len(seen.gains.pairs), 1)))[0] * sign
        row, limit = rows["good" if sign > 0 else "harm"], seen.limit(error)
        if not row.test(sums, limit=limit, widened=composite.drift).fires:
            return False
        if composite.effect * sign < self._minimal:
            return f"by {abs(composite.effect):.2f}, and {self._minimal:g} would be worth a merge"
        for plan, effect in composite.left_out.items():
            if effect * sign < self._minimal / 2:
                return f"without the plan {plan} it would be {effect:+.2f} only"
        reach = composite.plan_interval
        if len(composite.plans) > 2 and reach is not None and reach.low <= 0 <= reach.high:
            return f"over plans the interval is {reach.low:+.2f} to {reach.high:+.2f}"
        return True

    def _does_no_harm(self) -> bool:
        """Whether the composite has surely not fallen by as much as would matter."""
        effect, reach = self._composite.effect, self._composite.interval
        return effect is not None and reach is not None and reach.low > -self._minimal

    def _is_futile(self) -> bool:
        """Whether the remaining cells would hardly decide, as far as the composite can tell."""
        if any(gate.blocks or (gate.p or 1.0) < _OPEN for gate in self._gates):
            return False
        if any((d.p or 1.0) < _OPEN for d in self._declared):
            return False
        return is_futile(self._composite, share=self._seen.look.share, minimal=self._minimal)

    def _settling(self, further: int) -> str:
        if self._futile:
            return "the cells that are left would hardly decide it"
        if further:
            cells = "cell" if further == 1 else "cells"
            return f"about {further} further {cells} a side would settle it"
        return f"an effect of {self._minimal:g} would probably have shown in so many cells"

    def _notes(self) -> list[str]:
        noise, version = self._terms.noise, self._terms.rubric.version
        told = []
        if noise.is_assumed and not self._terms.together:
            told.append(
                f"nobody has measured the noise of {noise.step}: a drift of "
                f"{self._composite.drift:g} between batches is assumed"
            )
        elif not noise.is_assumed and noise.rubric_version != version:
            told.append(
                f"the noise was measured with version {noise.rubric_version} of the rubric, "
                f"which is now at {version}"
            )
        told += [f"{name} is undefined for most pairs" for name in self._composite.silent]
        waived = self._composite.waived
        return told + [f"{name} is meant to move, so it does not weigh" for name in waived]
