"""The decision at one look: the tests, and the word that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property

from model_gateway.invocation import typed
from self_improve.verdict import gates, outlook
from self_improve.verdict.composite import composite
from self_improve.verdict.expectation_outcomes import ExpectationOutcome, Fulfilment, outcomes_of
from self_improve.verdict.outlook import Outlook
from self_improve.verdict.prospect import WORTH
from self_improve.verdict.shifts import WITHOUT_ONE
from self_improve.verdict.statistics.spending import TestOutcome
from self_improve.verdict.terms import (
    ERROR,
    LEAST_ERROR,
    UNDECLARED_ERROR,
    PermutedLook,
    RepeatedTests,
)

_OPEN = 0.2
"""As long as an expectation has a smaller p-value, nothing is given up."""
_TOO_FEW = "too few cells of each model yet for a loss of them to show"


class Word(StrEnum):
    """The outcome of a comparison."""

    keep = "KEEP"
    reject = "REJECT"
    inconclusive = "INCONCLUSIVE"


class LookDecision:
    """The tests of one look, and their outcome."""

    def __init__(self, look: PermutedLook, tests: RepeatedTests) -> None:
        self.look = look
        self._minimal = look.terms.rubric.minimal_effect
        self.flips = look.flips(look.gains.pairs)
        self.composite = composite(look.gains, self.flips, look.terms.drift)
        cells = gates.gates(look, tests)
        self.expectations = outcomes_of(look, tests)
        harm = self._harm(tests)
        fell, self._harm_p = harm.fires, harm.p
        self._rose = self._has_risen(tests)
        self.gates = (*cells, *gates.parts(look, fell=fell))
        self.word, self.reasons = self._word(fell=fell)
        self.is_futile = self.word is Word.inconclusive and self._is_futile()

    @property
    def is_decided(self) -> bool:
        """Whether no further look is needed."""
        return self.word is not Word.inconclusive or self.is_futile

    @cached_property
    def visible(self) -> float | None:
        """The effect that the pairs show in four cases of five."""
        return outlook.visible_effect(self.composite, error=ERROR, minimal=self._minimal)

    @cached_property
    def outlook(self) -> Outlook | None:
        """What could settle it; None if it is settled."""
        if self.word is not Word.inconclusive:
            return None
        if self.look.gains.vanished:
            text = "more cells would not bring back what is no longer there"
            return Outlook(further_cells=None, text=text)
        pairing, share = self.look.look.pairing, self.look.look.share
        once = len(pairing.plans) * len(pairing.models)
        if share < 1:
            # A look may not have seen every model on every plan.
            repeats = 1 + max((pair.before.repeat for pair in pairing.pairs), default=0)
            once = max(once, round(len(pairing.pairs) / share / repeats))
        return outlook.outlook(
            self.look.gains, self.composite, cells=len(pairing.pairs), once=once,
            minimal=self._minimal, noise=self.look.terms.noise, is_futile=self.is_futile,
        )  # fmt: skip

    @property
    def notes(self) -> list[str]:
        """What should be known of the terms."""
        terms, pairing = self.look.terms, self.look.look.pairing
        noise, version = terms.noise, terms.rubric.version
        calibrate = f"measure it with `{typed('noise')} --step {noise.step}`"
        notes = []
        if noise.is_assumed:
            figures = noise.assumptions(None, together=terms.together)
            notes.append(
                f"the noise of {noise.step} was not measured; assumed are {figures}; {calibrate}"
            )
        else:
            unknown = [model for model in pairing.models if not noise.knows(model)]
            if unknown:
                figures = noise.assumptions(unknown[0], together=terms.together)
                notes.append(
                    f"the noise of {', '.join(unknown)} was not measured; assumed are {figures}; "
                    f"{calibrate}"
                )
            if noise.rubric_version != version:
                notes.append(
                    f"the noise was measured with version {noise.rubric_version} of the rubric, "
                    f"which is now at {version}; {calibrate}"
                )
        if against := self.look.gains.held_against_before:
            notes.append(
                f"no baseline plan of most pairs was found, so {', '.join(against)} are held "
                "against the side before, which shows less: unpack the plans with "
                f"`{typed('lab populate')}`, or name their folder with --baseline-dir"
            )
        notes += [f"{name} is undefined for most pairs" for name in self.composite.silent]
        waived = self.composite.waived
        return notes + [f"{name} is meant to change, so it has no weight" for name in waived]

    def _word(self, *, fell: bool) -> tuple[Word, tuple[str, ...]]:
        effect = self.composite.effect or 0.0
        failed = [f"{gate.name}: {gate.message}" for gate in self.gates if gate.failed]
        if fell and effect <= 0:
            failed.append(f"the composite fell by {-effect:.2f}, beyond chance")
        contradicted = self._of(Fulfilment.contradicted)
        failed += [f"contradicted: {one.text}" for one in contradicted if one.primary]
        if failed:
            return Word.reject, tuple(failed)
        gains = [f"the composite rose by {effect:.2f}, beyond chance"] if self._rose else []
        if self._came_true() and self._does_no_harm():
            gains += [f"expected and met: {one.text}" for one in self._of(Fulfilment.met)]
        against = [f"held back by {g.name}: {g.message}" for g in self.gates if g.blocks]
        against += [f"contradicted: {one.text}" for one in contradicted]
        if gone := self.look.gains.vanished:
            against.append(f"what was measured before is not there after: {', '.join(gone)}")
        if gains and not gates.had_a_fair_chance(self.look):
            against.append(_TOO_FEW)
        unmet = [f"unmet: {one.text}" for one in self._of(Fulfilment.unmet)]
        if gains and not against:
            return Word.keep, (*gains, *unmet)
        return Word.inconclusive, (*(gains or self._open_reasons()), *against, *unmet)

    def _of(self, outcome: Fulfilment) -> Sequence[ExpectationOutcome]:
        return [one for one in self.expectations if one.outcome is outcome]

    def _came_true(self) -> bool:
        """Whether what was declared came true: the primary expectations, or without any, all."""
        primary = [one for one in self.expectations if one.primary] or self.expectations
        return bool(primary) and all(one.outcome is Fulfilment.met for one in primary)

    def _open_reasons(self) -> list[str]:
        """Return why neither a gain nor harm is shown."""
        composite = self.composite
        if composite.effect is None:
            return ["no cell has content on both sides"]
        p = "" if composite.p is None else f" (p = {composite.p:.3f})"
        beyond = composite.p is not None and composite.p < 2 * ERROR
        why = "not beyond chance"
        if beyond and composite.effect > 0 and not gates.had_a_fair_chance(self.look):
            why = f"but there are {_TOO_FEW}"
        elif beyond:
            why = self._why_not_decided(composite.effect)
        shows = "" if self.visible is None else (
            f", and these pairs show {self.visible:.2f} in four cases of five"
        )  # fmt: skip
        return [
            f"the composite moved by {composite.effect:+.2f}, {why}{p}; "
            f"{self._minimal:g} would be worth a merge{shows}"
        ]

    def _why_not_decided(self, effect: float) -> str:
        """Return what an effect beyond chance lacks."""
        least = WORTH * self._minimal
        if abs(effect) < least:
            return f"beyond chance, but too little to matter (less than {least:g})"
        sign = 1 if effect > 0 else -1
        without = self.composite.left_out
        plan = min(without, key=lambda name: sign * without[name], default=None)
        if plan is not None and sign * without[plan] < WITHOUT_ONE * sign * effect:
            return (
                f"beyond chance, but it rests on the plan {plan} ({without[plan]:+.2f} without it)"
            )
        if self.look.look.share < 1:
            return "not by enough for a look at some of the cells"
        return "not by enough beside what else was tested"

    def _has_risen(self, tests: RepeatedTests) -> bool:
        """Whether the composite rose beyond chance, and by what is worth having."""
        look, shifts = self.look, self.look.shifts
        if shifts is None or not gates.had_a_fair_chance(look):
            # No error is spent where nothing could be kept.
            return False
        # A declared gain is one that every deciding expectation shows.
        error = max(ERROR - tests.spent_at_least("met "), UNDECLARED_ERROR)
        return tests["gain"].test(
            shifts.mean, limit=look.limit(error),
            possible=shifts.are_worth(1, self._minimal), widened=look.terms.drift,
        ).fires  # fmt: skip

    def _harm(self, tests: RepeatedTests) -> TestOutcome:
        """Test whether the contents fell beyond chance: over all pairs, or in some parts."""
        look, shifts = self.look, self.look.shifts
        if shifts is None:
            return TestOutcome(p=1.0, fires=False)
        allowed = look.terms.rubric.gates
        limits = {"model": allowed.model_drop, "plan": allowed.plan_drop}
        error = max(ERROR - tests.spent("gate ") - tests.spent("harm of "), LEAST_ERROR)
        return tests["harm"].test(
            shifts.falls, limit=look.limit(error),
            possible=shifts.are_worth(-1, self._minimal) | shifts.have_lost(limits),
            widened=look.terms.drift**2,
        )  # fmt: skip

    def _does_no_harm(self) -> bool:
        """Whether the composite has certainly not fallen by as much as would matter."""
        effect, reach = self.composite.effect, self.composite.interval
        return effect is not None and reach is not None and reach.low > -self._minimal

    def _is_futile(self) -> bool:
        """Whether the remaining cells would hardly decide, if what was seen goes on."""
        if any(gate.is_open for gate in self.gates):
            return False
        if any((one.p or 1.0) < _OPEN for one in self.expectations):
            return False
        return outlook.is_futile(
            self.composite, share=self.look.look.share, minimal=self._minimal, harm_p=self._harm_p
        )
