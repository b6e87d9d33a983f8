"""Whether what a candidate declared in advance came true, each on its own cells and power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from self_improve.verdict.expectation import Expectation, scales, scope_of
from self_improve.verdict.statistics import intervals
from self_improve.verdict.statistics.sample_size import pairs_needed, visible
from self_improve.verdict.terms import FEW, PermutedLook, Rows

_FEW_PAIRS = 8
"""With fewer pairs the flips are so few that widening them would let nothing be shown at all."""


class Fulfilment(StrEnum):
    """What came of a declared expectation."""

    met = "met"
    unmet = "unmet"
    contradicted = "contradicted"


@dataclass(frozen=True, kw_only=True)
class ExpectationOutcome:
    """How a declared expectation came out; numbers count the expected direction as positive.

    `change` and `visible` are in the measure's unit: what happened, and what so many pairs show in
    four cases of five. `needed` are the pairs that the smallest change worth having would take.
    """

    told: str
    outcome: Fulfilment
    pairs: int
    change: float | None = None
    p: float | None = None
    visible: float | None = None
    needed: int | None = None


def outcomes_of(seen: PermutedLook, rows: Rows) -> tuple[ExpectationOutcome, ...]:
    """Return how each declared expectation comes out at this look."""
    return tuple(_tested(expectation, seen, rows) for expectation in seen.terms.expectations)


def _tested(expectation: Expectation, seen: PermutedLook, rows: Rows) -> ExpectationOutcome:
    terms, told = seen.terms, expectation.text
    numbers, changes = scope_of(expectation, seen.pairs)
    if not numbers:
        return ExpectationOutcome(told=told, outcome=Fulfilment.unmet, pairs=0)
    sums = seen.flips([seen.pairs[n] for n in numbers]).sums(np.array(changes)[:, None])[0]
    # Several expectations share the error (C. E. Bonferroni, 1936).
    limit = seen.limit(FEW / len(terms.expectations))
    few = terms.together or len(changes) < _FEW_PAIRS
    drift = 1.0 if few else terms.noise.drift(expectation.metric)
    there, back = (
        rows[f"{name} {told}"].test(sign * sums, limit=limit, middle=True, widened=drift)
        for name, sign in (("met", 1), ("contradicted", -1))
    )
    change, least = math.fsum(changes) / len(changes), scales(terms.rubric)[expectation.metric]
    outcome = Fulfilment.unmet
    if there.fires and change >= least:
        outcome = Fulfilment.met
    elif back.fires and -change >= least:
        outcome = Fulfilment.contradicted
    error = intervals.standard_error(changes)
    deviation = 0.0 if error is None else error * math.sqrt(len(changes)) * drift
    needed = pairs_needed(least, deviation, alpha=FEW) if deviation else None
    return ExpectationOutcome(
        told=told, outcome=outcome, pairs=len(changes), change=change, p=there.p,
        visible=visible(len(changes), deviation, alpha=FEW) if deviation else None,
        needed=None if needed is None else max(needed, 5),
    )  # fmt: skip
