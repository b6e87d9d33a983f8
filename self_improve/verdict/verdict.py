"""Three words for two sides: KEEP shows a gain, REJECT shows harm, INCONCLUSIVE shows neither."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from prompt_lab.record import Evidence
from self_improve.verdict import effects, gates
from self_improve.verdict.effects import Composite, Effect
from self_improve.verdict.expectation_outcomes import ExpectationOutcome, Fulfilment, outcomes_of
from self_improve.verdict.gates import Gate, Losses
from self_improve.verdict.outlook import further_cells, is_futile
from self_improve.verdict.pairing import Pairing
from self_improve.verdict.terms import (
    ERROR,
    LEAST_ERROR,
    Look,
    PermutedLook,
    RepeatedTests,
    Terms,
    permuted,
)

SCHEMA_VERSION = 1
PLANS = 5
"""With fewer plans a verdict does not generalise to others."""
_OPEN = 0.2
"""As long as a gate or an expectation has a smaller p-value, nothing is given up."""


class Word(StrEnum):
    """The outcome of a comparison."""

    keep = "KEEP"
    reject = "REJECT"
    inconclusive = "INCONCLUSIVE"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of a comparison, with every number that it rests on.

    `further_cells` is how many more cells per side would probably settle what is INCONCLUSIVE; 0
    means that an effect worth a merge would have shown, None that the verdict is settled. `futile`
    means that running the remaining planned cells would hardly decide it.
    """

    word: Word
    evidence: Evidence
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
        """The verdict in words; that of simulated models is always labelled so."""
        is_simulated = self.evidence is Evidence.simulated
        return f"SIMULATED {self.word}" if is_simulated else str(self.word)

    @property
    def is_decided(self) -> bool:
        """Whether it is time to stop: it is settled, or hardly will be."""
        return self.word is not Word.inconclusive or self.futile

    @property
    def failed_gates(self) -> tuple[str, ...]:
        """The gates that failed, each with its numbers."""
        return tuple(f"{gate.name}: {gate.message}" for gate in self.gates if gate.failed)

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values in a stable form; unknown values are None."""
        row = {"schema_version": SCHEMA_VERSION, "verdict": self.summary, **asdict(self)}
        # Records call the text of a gate, and of an expectation, "told".
        for key, text in (("gates", "message"), ("expectations", "text")):
            row[key] = [{"told" if k == text else k: v for k, v in one.items()} for one in row[key]]
        return row | {"word": str(self.word), "evidence": str(self.evidence)}


def decide(
    looks: Sequence[Look] | Pairing,
    terms: Terms,
    *,
    evidence: Evidence,
    notes: Sequence[str] = (),
) -> Verdict:
    """Return the verdict on a comparison.

    Args:
        looks: the pairs of every look so far, each with those of the looks before it; or all pairs
            at once. Looks after the one that decides are ignored.
        terms: what the decision depends on besides the cells.
        evidence: what the pairs may be used for.
        notes: remarks on the comparison besides its numbers.

    Raises:
        ValueError: there is no look.
    """
    number, count, decision = _last(looks, terms)
    return decision.verdict(number, count, evidence=evidence, notes=tuple(notes))


def word(looks: Sequence[Look] | Pairing, terms: Terms) -> Word:
    """Return only the word of `decide`, which is faster.

    Raises:
        ValueError: there is no look.
    """
    return _last(looks, terms)[-1].word


def _last(looks: Sequence[Look] | Pairing, terms: Terms) -> tuple[int, int, _LookDecision]:
    """Return the number of the look that decides, or of the last; of all looks; the decision."""
    if not looks:
        raise ValueError("A decision needs at least one look.")
    taken = permuted([Look(pairing=looks)] if isinstance(looks, Pairing) else looks, terms)
    tests = RepeatedTests(taken[0].count)
    number = 1
    decision = _LookDecision(taken[0], tests)
    while not decision.is_decided and number < len(taken):
        decision = _LookDecision(taken[number], tests)
        number += 1
    return number, len(taken), decision


class _LookDecision:
    """The tests of one look, and their outcome."""

    def __init__(self, look: PermutedLook, tests: RepeatedTests) -> None:
        self._look = look
        self._terms = look.terms
        self._minimal = look.terms.rubric.minimal_effect
        self._flips = look.flips(look.gains.pairs)
        self._composite = effects.composite(look.gains, self._flips, look.terms.drift)
        self._gates = gates.gates(look, tests)
        self._expectations = outcomes_of(look, tests)
        self._harm = self._moved(tests, -1, max(ERROR - tests.spent("gate "), LEAST_ERROR))
        self._gain = self._moved(tests, 1, LEAST_ERROR if self._expectations else ERROR)
        self.word, self._reasons = self._word()
        self._futile = self.word is Word.inconclusive and self._is_futile()

    @property
    def is_decided(self) -> bool:
        """Whether no further look is needed."""
        return self.word is not Word.inconclusive or self._futile

    def verdict(
        self, number: int, looks: int, *, evidence: Evidence, notes: tuple[str, ...]
    ) -> Verdict:
        """Return the verdict of this look."""
        pairing, terms, reasons = self._look.look.pairing, self._terms, list(self._reasons)
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
            reasons.append(self._advice(further, pairing))
        return Verdict(
            word=self.word, evidence=evidence, step=terms.rubric.step,
            rubric_version=terms.rubric.version, reasons=tuple(reasons), gates=self._gates,
            losses=gates.losses(self._look), composite=self._composite,
            effects=effects.effects(
                self._look.gains, self._flips, terms.noise, together=terms.together
            ),
            expectations=self._expectations, models=pairing.models, plans=pairing.plans,
            pairs=len(pairing.pairs), further_cells=further, generalises=generalises,
            notes=(*notes, *pairing.notes, *self._notes()), minimal_effect=self._minimal,
            look=number, looks=looks, share=self._look.look.share, futile=self._futile,
            seed=terms.seed, flips=self._look.count,
        )  # fmt: skip

    def _word(self) -> tuple[Word, tuple[str, ...]]:
        effect = self._composite.effect or 0.0
        failed = [f"{gate.name}: {gate.message}" for gate in self._gates if gate.failed]
        if self._harm is True:
            failed.append(f"the composite fell by {-effect:.2f}, beyond chance")
        if failed:
            return Word.reject, tuple(failed)
        gains = [f"the composite rose by {effect:.2f}, beyond chance"] if self._gain is True else []
        if self._does_no_harm():
            gains += [f"expected and met: {text}" for text in self._texts(Fulfilment.met)]
        against = [f"held back by {g.name}: {g.message}" for g in self._gates if g.blocks]
        against += [f"contradicted: {text}" for text in self._texts(Fulfilment.contradicted)]
        unmet = [f"unmet: {text}" for text in self._texts(Fulfilment.unmet)]
        if gains and not against:
            return Word.keep, (*gains, *unmet)
        return Word.inconclusive, (*(gains or self._open_reasons()), *against, *unmet)

    def _texts(self, outcome: Fulfilment) -> list[str]:
        return [one.text for one in self._expectations if one.outcome is outcome]

    def _open_reasons(self) -> list[str]:
        """Return why neither a gain nor harm is shown."""
        composite = self._composite
        if composite.effect is None:
            return ["no cell has content on both sides"]
        objections = [
            f"it is {word} beyond chance, but {moved}"
            for moved, word in ((self._gain, "better"), (self._harm, "worse"))
            if isinstance(moved, str)
        ]
        p = "" if composite.p is None else f" (p = {composite.p:.3f})"
        return objections or [
            f"the composite moved by {composite.effect:+.2f}, not beyond chance{p}; "
            f"{self._minimal:g} would be worth a merge"
        ]

    def _moved(self, tests: RepeatedTests, sign: int, error: float) -> bool | str:
        """Return whether the composite moved that way, or the objection although p is low.

        Beyond chance is not enough: the move must be worth having, and hold without any one plan.
        """
        composite, look = self._composite, self._look
        if composite.effect is None:
            return False
        sums = look.gains.sums(self._flips, np.ones((len(look.gains.pairs), 1)))[0] * sign
        test, limit = tests["gain" if sign > 0 else "harm"], look.limit(error)
        if not test.test(sums, limit=limit, widened=composite.drift).fires:
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
        """Whether the composite has certainly not fallen by as much as would matter."""
        effect, reach = self._composite.effect, self._composite.interval
        return effect is not None and reach is not None and reach.low > -self._minimal

    def _is_futile(self) -> bool:
        """Whether the remaining cells would hardly decide, as far as the composite shows."""
        if any(gate.blocks or (gate.p or 1.0) < _OPEN for gate in self._gates):
            return False
        if any((one.p or 1.0) < _OPEN for one in self._expectations):
            return False
        return is_futile(self._composite, share=self._look.look.share, minimal=self._minimal)

    def _advice(self, further: int, pairing: Pairing) -> str:
        """Return what could settle it, if anything."""
        if self._futile:
            return "the remaining cells would hardly decide it"
        if not further:
            return f"this many cells would probably have shown an effect of {self._minimal:g}"
        cells = f"{further} more cell{'' if further == 1 else 's'} per side"
        once = len(pairing.plans) * len(pairing.models)
        repeats = math.ceil((len(pairing.pairs) + further) / once) if once else 1
        return (
            f"about {cells} would probably settle it: run both sides with `--repeats {repeats}`, "
            "or on more plans"
        )

    def _notes(self) -> list[str]:
        noise, version = self._terms.noise, self._terms.rubric.version
        notes = []
        if noise.is_assumed and not self._terms.together:
            notes.append(
                f"the noise of {noise.step} was not measured: a drift of "
                f"{self._composite.drift:g} between batches is assumed"
            )
        elif not noise.is_assumed and noise.rubric_version != version:
            notes.append(
                f"the noise was measured with version {noise.rubric_version} of the rubric, "
                f"which is now at {version}"
            )
        notes += [f"{name} is undefined for most pairs" for name in self._composite.silent]
        waived = self._composite.waived
        return notes + [f"{name} is meant to change, so it has no weight" for name in waived]
