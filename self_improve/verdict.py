"""Three words for two sides: KEEP on evidence of good, REJECT on evidence of harm, or INCONCLUSIVE."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from self_improve import effects, gates
from self_improve.effects import Composite, Effect
from self_improve.expectation import Expectation, scales, scope_of
from self_improve.gates import Gate, Losses
from self_improve.pairing import Pairing
from self_improve.statistics import intervals
from self_improve.statistics.sample_size import conditional_power, pairs_needed
from self_improve.terms import ERROR, FEW, LEAST, Look, Rows, Seen, Terms, seen

SCHEMA_VERSION = 1
PLANS = 5
"""With fewer plans a verdict says nothing of others."""
_FUTILE = 0.05
"""So improbable must a decision be that it is not worth to go on for."""
_MOST_CELLS = 10_000


class Word(StrEnum):
    """What is said of a candidate."""

    keep = "KEEP"
    reject = "REJECT"
    inconclusive = "INCONCLUSIVE"


class Met(StrEnum):
    """What came of a declared expectation."""

    met = "met"
    unmet = "unmet"
    contradicted = "contradicted"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """How a declared expectation came out, in the metric's unit and the expected direction.

    `visible` is the effect that so many pairs show in four cases of five; `needed` the pairs that
    it would take to see the smallest change worth having.
    """

    told: str
    outcome: Met
    pairs: int
    change: float | None = None
    p: float | None = None
    visible: float | None = None
    needed: int | None = None


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
    expectations: tuple[Declared, ...]
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
    def told(self) -> str:
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
        row = {"schema_version": SCHEMA_VERSION, "verdict": self.told, **asdict(self)}
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
    taken = seen(looks, terms)
    rows = Rows(taken[0].count)
    for number, one in enumerate(taken, start=1):
        judgement = _Judgement(one, rows)
        if judgement.is_decided:
            break
    return number, judgement


class _Judgement:
    """The tests of one look, and what they come to."""

    def __init__(self, seen: Seen, rows: Rows) -> None:
        self._seen = seen
        self._terms = seen.terms
        flips = seen.flips(seen.gains.pairs)
        self._composite = effects.composite(seen.gains, flips, seen.terms.drift)
        self._flips = flips
        self._gates = gates.gates(seen, rows)
        self._declared = tuple(self._expected(e, rows) for e in seen.terms.expectations)
        spent = rows.spent("gate ")
        self._harm = self._moved(rows, -1, max(ERROR - spent, LEAST))
        self._good = self._moved(rows, 1, LEAST if self._declared else ERROR)
        self.word, self._reasons = self._word()
        self._futile = self.word is Word.inconclusive and self._is_futile()

    @property
    def is_decided(self) -> bool:
        """Whether no further look is needed."""
        return self.word is not Word.inconclusive or self._futile

    def verdict(
        self, number: int, looks: int, *, evidence: str, notes: tuple[str, ...]
    ) -> Verdict:
        """Return what this look comes to."""
        pairing, terms, reasons = self._seen.look.pairing, self._terms, self._reasons
        generalises = len(pairing.plans) >= PLANS
        if not generalises:
            reasons = (
                *reasons,
                f"measured on {len(pairing.plans)} plans: it does not generalise beyond them",
            )
        further = None
        if self.word is Word.inconclusive:
            further = self._further()
            reasons = (*reasons, self._settling(further))
        return Verdict(
            word=self.word, evidence=evidence, step=terms.rubric.step,
            rubric_version=terms.rubric.version, reasons=reasons, gates=self._gates,
            losses=gates.losses(self._seen), composite=self._composite,
            effects=effects.effects(
                self._seen.gains, self._flips, terms.noise, together=terms.together
            ),
            expectations=self._declared, models=pairing.models, plans=pairing.plans,
            pairs=len(pairing.pairs), further_cells=further, generalises=generalises,
            notes=(*notes, *pairing.notes, *self._notes()),
            minimal_effect=terms.rubric.minimal_effect, look=number, looks=looks,
            share=self._seen.look.share, futile=self._futile, seed=terms.seed,
            flips=self._seen.count,
        )  # fmt: skip

    def _word(self) -> tuple[Word, tuple[str, ...]]:
        effect = self._composite.effect
        failed = tuple(f"{g.name}: {g.told}" for g in self._gates if g.failed)
        if failed or self._harm is True:
            worse = (f"the composite fell by {-(effect or 0):.2f}, beyond chance",)
            return Word.reject, failed + (worse if self._harm is True else ())
        held = self._held_back()
        met = [d for d in self._declared if d.outcome is Met.met]
        good: list[str] = []
        if self._good is True:
            good.append(f"the composite rose by {effect or 0:.2f}, beyond chance")
        if met and self._does_no_harm():
            good += [f"expected and met: {d.told}" for d in met]
        if good and not held:
            return Word.keep, (*good, *(f"unmet: {d.told}" for d in self._unmet()))
        return Word.inconclusive, (*self._open(), *(f"{told}, but" for told in good), *held)

    def _unmet(self) -> list[Declared]:
        return [d for d in self._declared if d.outcome is not Met.met]

    def _held_back(self) -> tuple[str, ...]:
        """Return what keeps a KEEP back although nothing rejects."""
        blocked = [f"{g.name}: {g.told}" for g in self._gates if g.blocks]
        against = [d.told for d in self._declared if d.outcome is Met.contradicted]
        return (*blocked, *(f"contradicted: {told}" for told in against))

    def _open(self) -> tuple[str, ...]:
        """Return why neither harm nor good is shown."""
        composite, told = self._composite, []
        if composite.effect is None:
            return ("no cell has content on both sides",)
        minimal = self._terms.rubric.minimal_effect
        for found, word in ((self._good, "better"), (self._harm, "worse")):
            if isinstance(found, str):
                told.append(f"it is {word} beyond chance, but {found}")
        if not told and not (self._good is True or self._harm is True):
            p = "" if composite.p is None else f" (p = {composite.p:.3f})"
            told.append(
                f"the composite moved by {composite.effect:+.2f}, not beyond chance{p}; "
                f"{minimal:g} would be worth a merge"
            )
        return (*told, *(f"{d.outcome}: {d.told}" for d in self._unmet()))

    def _moved(self, rows: Rows, sign: int, error: float) -> bool | str:
        """Return whether the composite moved that way, or what speaks against it although p is low.

        Beyond chance is not enough: the move must be worth having, and stand without any one plan.
        """
        composite, seen = self._composite, self._seen
        if composite.effect is None:
            return False
        everything = np.ones((len(seen.gains.pairs), 1))
        sums = seen.gains.sums(self._flips, everything)[0] * sign
        row = rows["good" if sign > 0 else "harm"]
        if not row.test(sums, limit=seen.limit(error), widened=composite.drift).fires:
            return False
        minimal = self._terms.rubric.minimal_effect
        effect = composite.effect * sign
        if effect < minimal:
            return f"by {effect:.2f}, and {minimal:g} would be worth a merge"
        weakest = min(composite.left_out, key=lambda plan: composite.left_out[plan] * sign,
                      default=None)  # fmt: skip
        if weakest is not None and composite.left_out[weakest] * sign < minimal / 2:
            return (
                f"without the plan {weakest} it would be {composite.left_out[weakest]:+.2f} only"
            )
        values, plans = seen.gains.composites.tolist(), [p.plan for p in seen.gains.pairs]
        reach = intervals.clustered(values, plans, level=0.90)
        if len(composite.plans) > 2 and reach is not None and reach.low <= 0 <= reach.high:
            return f"over plans the interval is {reach.low:+.2f} to {reach.high:+.2f}"
        return True

    def _does_no_harm(self) -> bool:
        """Whether the composite has surely not fallen by as much as would matter."""
        reach, effect = self._composite.interval, self._composite.effect
        minimal = self._terms.rubric.minimal_effect
        if effect is None or reach is None:
            return False
        return reach.low > -minimal or effect >= 0

    def _expected(self, expectation: Expectation, rows: Rows) -> Declared:
        """Test a declared expectation on its own scope, both ways."""
        terms, seen = self._terms, self._seen
        numbers, changes = scope_of(expectation, seen.pairs)
        if not numbers:
            return Declared(told=expectation.told, outcome=Met.unmet, pairs=0)
        pairs = [seen.pairs[n] for n in numbers]
        sums = seen.flips(pairs).sums(np.array(changes)[:, None])[0]
        limit = seen.limit(FEW / len(terms.expectations))
        drift = 1.0 if terms.together or len(pairs) < 8 else terms.noise.drift(expectation.metric)
        there = rows[f"met {expectation.told}"].test(
            sums, limit=limit, middle=True, widened=drift
        )
        back = rows[f"unmet {expectation.told}"].test(
            -sums, limit=limit, middle=True, widened=drift
        )
        change, least = math.fsum(changes) / len(changes), scales(terms.rubric)[expectation.metric]
        outcome = Met.unmet
        if there.fires and change >= least:
            outcome = Met.met
        elif back.fires and -change >= least:
            outcome = Met.contradicted
        error = intervals.standard_error(changes)
        deviation = None if error is None else error * math.sqrt(len(changes)) * drift
        needed = pairs_needed(least, deviation, alpha=FEW) if deviation and least else None
        return Declared(
            told=expectation.told, outcome=outcome, pairs=len(changes), change=change, p=there.p,
            visible=None if not deviation else deviation * 3.0 / math.sqrt(len(changes)),
            needed=None if needed is None else max(needed, 5),
        )  # fmt: skip

    def _further(self) -> int:
        """Return how many more cells a side would show what there is, or that there is nothing."""
        composite, minimal = self._composite, self._terms.rubric.minimal_effect
        # Before anything was seen, what was calibrated has to do.
        deviation = composite.deviation or self._terms.noise.composite_deviation or minimal * 2
        effect = composite.effect or 0.0
        target = max(abs(effect), minimal)
        needed = pairs_needed(target, deviation * composite.drift, alpha=ERROR) or 1
        if len(composite.plans) > 1 and abs(effect) >= minimal:
            means = [part.effect for part in composite.plans]
            error = intervals.standard_error(means) or 0.0
            between = error * math.sqrt(len(means))
            plans = pairs_needed(effect, between, alpha=0.05) or 1
            needed = max(needed, plans * max(1, composite.pairs // len(means)))
        least = 6 if abs(effect) >= minimal else 0
        needed = min(max(needed, least), _MOST_CELLS)
        succeeding = composite.pairs / len(self._seen.pairs) if self._seen.pairs else 1.0
        return max(0, math.ceil((needed - composite.pairs) / max(succeeding, 0.1)))

    def _settling(self, further: int) -> str:
        if self._futile:
            return "the cells that are left would hardly decide it"
        if further:
            return f"about {further} further cells a side would settle it"
        minimal = self._terms.rubric.minimal_effect
        return f"an effect of {minimal:g} would probably have shown in so many cells"

    def _is_futile(self) -> bool:
        """Whether the remaining cells would hardly decide, if things go on as they went.

        Not before half of the cells. Both words are given the more favourable of what was seen
        and the smallest effect that is worth having.
        """
        share, composite = self._seen.look.share, self._composite
        if share >= 1 or share < 0.5 or composite.effect is None or composite.deviation is None:
            return False
        if self._held_back() or any(gate.p is not None and gate.p < 0.1 for gate in self._gates):
            return False
        if any(d.outcome is Met.unmet and d.pairs and (d.p or 1) < 0.2 for d in self._declared):
            return False
        planned = round(composite.pairs / share)
        deviation = composite.deviation
        minimal = self._terms.rubric.minimal_effect
        goal = max(minimal, 2.0 * deviation * composite.drift / math.sqrt(planned))
        chances = [
            conditional_power(
                sign * composite.effect, deviation, seen=composite.pairs, planned=planned,
                goal=goal, mean=sign * composite.effect,
            )
            for sign in (1, -1)
        ]  # fmt: skip
        return sum(chances) < _FUTILE

    def _notes(self) -> list[str]:
        noise, told = self._terms.noise, []
        if noise.is_assumed:
            told.append(
                f"nobody has measured the noise of {noise.step}: a drift of "
                f"{self._composite.drift:g} between batches is assumed"
            )
        elif noise.rubric_version != self._terms.rubric.version:
            told.append(
                f"the noise was measured with version {noise.rubric_version} of the rubric, "
                f"which is now at {self._terms.rubric.version}"
            )
        told += [f"{name} is undefined for most pairs" for name in self._composite.silent]
        told += [f"{name} is meant to move, so it does not weigh" for name in self._composite.waived]
        return told


Compare = Callable[["Contender", "Contender"], Verdict]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A candidate with its verdict; `prompt_chars` is the length of its prompt in characters."""

    name: str
    verdict: Verdict
    prompt_chars: int


def preferred(contenders: Sequence[Contender], compare: Compare) -> Contender | None:
    """Return the candidate to merge: the best that earned KEEP, or one as good that is shorter.

    Args:
        contenders: the candidates.
        compare: judges the second against the first, as if the first were the side before.

    Returns:
        None if nobody earned KEEP.
    """
    kept = [one for one in contenders if one.verdict.word is Word.keep]
    if not kept:
        return None
    best = max(kept, key=lambda one: (one.verdict.composite.effect or 0.0, -one.prompt_chars))
    alike = [one for one in kept if one is best or _is_alike(best, one, compare)]
    return min(alike, key=lambda one: (one.prompt_chars, one is not best))


def _is_alike(best: Contender, other: Contender, compare: Compare) -> bool:
    return (
        other.prompt_chars < best.prompt_chars
        and compare(best, other).word is not Word.reject
    )
