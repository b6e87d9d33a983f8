"""Three words for two sides: KEEP shows a gain, REJECT shows harm, INCONCLUSIVE shows neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from prompt_lab.record import Evidence
from self_improve.verdict import effects, gates
from self_improve.verdict.composite import Composite
from self_improve.verdict.effects import Effect
from self_improve.verdict.expectation_outcomes import ExpectationOutcome
from self_improve.verdict.gates import Gate, Losses
from self_improve.verdict.look_decision import LookDecision, Word
from self_improve.verdict.outlook import Again
from self_improve.verdict.pairing import Pairing
from self_improve.verdict.terms import Look, PermutedLook, RepeatedTests, Terms, permuted

SCHEMA_VERSION = 1
_MORE = 16
"""How many times more flips decide where a p-value is close to its limit."""
_MOST_SIGNS = 50_000_000
PLANS = 5
"""With fewer plans a verdict does not generalise to others."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of a comparison, with every number that it rests on.

    `further_cells` is how many more cells per side settle what is INCONCLUSIVE in four cases of
    five; 0 means that an effect worth a merge is excluded, None that the word is settled or that no
    number within reach settles it. `visible_effect` is the effect that this number of pairs shows
    in four cases of five; None if they can find none. `futile` means that running the remaining
    planned cells would hardly decide it.
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
    visible_effect: float | None
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
    again: Again | None = None,
) -> Verdict:
    """Return the verdict on a comparison.

    Args:
        looks: the pairs of every look so far, each with those of the looks before it; or all pairs
            at once. Looks after the one that decides are ignored.
        terms: what the decision depends on besides the cells.
        evidence: what the pairs may be used for.
        notes: remarks on the comparison besides its numbers.
        again: gives the commands that run both sides with more repeats.

    Raises:
        ValueError: there is no look.
    """
    number, count, decision = _last(looks, terms)
    return _verdict(decision, number, count, evidence=evidence, notes=tuple(notes), again=again)


def word(looks: Sequence[Look] | Pairing, terms: Terms) -> Word:
    """Return only the word of `decide`, which is faster.

    Raises:
        ValueError: there is no look.
    """
    return _last(looks, terms)[-1].word


def _last(looks: Sequence[Look] | Pairing, terms: Terms) -> tuple[int, int, LookDecision]:
    """Return the number of the look that decides, or of the last; of all looks; the decision."""
    if not looks:
        raise ValueError("A decision needs at least one look.")
    listed = [Look(pairing=looks)] if isinstance(looks, Pairing) else looks
    number, decision, tests = _first_decision(permuted(listed, terms))
    pairs = len(decision.look.pairs)
    more = min(_MORE, _MOST_SIGNS // max(pairs * terms.flips, 1))
    if tests.are_close and more > 1 and not decision.flips.exact:
        # Near a limit, another seed of few flips might give another word.
        finer = permuted(listed, replace(terms, flips=more * terms.flips))
        number, decision, _ = _first_decision(finer)
    return number, len(listed), decision


def _first_decision(looks: Sequence[PermutedLook]) -> tuple[int, LookDecision, RepeatedTests]:
    """Return the number and the decision of the look that decides, or of the last."""
    tests = RepeatedTests(looks[0].count)
    number = 1
    decision = LookDecision(looks[0], tests)
    while not decision.is_decided and number < len(looks):
        decision = LookDecision(looks[number], tests)
        number += 1
    return number, decision, tests


def _verdict(
    decision: LookDecision,
    number: int,
    looks: int,
    *,
    evidence: Evidence,
    notes: tuple[str, ...],
    again: Again | None,
) -> Verdict:
    """Return the verdict of a look."""
    look, terms = decision.look, decision.look.terms
    pairing, reasons = look.look.pairing, list(decision.reasons)
    generalises = len(pairing.plans) >= PLANS
    if not generalises:
        plans = "1 plan" if len(pairing.plans) == 1 else f"{len(pairing.plans)} plans"
        reasons.append(f"measured on {plans}: it does not generalise beyond {_them(pairing)}")
    outlook = decision.outlook
    if outlook is not None:
        reasons.append(outlook.sentence(again))
    return Verdict(
        word=decision.word, evidence=evidence, step=terms.rubric.step,
        rubric_version=terms.rubric.version, reasons=tuple(reasons), gates=decision.gates,
        losses=gates.losses(look), composite=decision.composite,
        effects=effects.effects(look.gains, decision.flips, terms.noise, together=terms.together),
        expectations=decision.expectations, models=pairing.models, plans=pairing.plans,
        pairs=len(pairing.pairs),
        further_cells=None if outlook is None else outlook.further_cells,
        visible_effect=decision.visible, generalises=generalises,
        notes=(*notes, *pairing.notes, *decision.notes), minimal_effect=terms.rubric.minimal_effect,
        look=number, looks=looks, share=look.look.share, futile=decision.is_futile,
        seed=terms.seed, flips=look.count,
    )  # fmt: skip


def _them(pairing: Pairing) -> str:
    return "it" if len(pairing.plans) == 1 else "them"
