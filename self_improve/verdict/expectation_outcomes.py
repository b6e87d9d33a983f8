"""Whether what a candidate declared in advance came true, each on its own cells and power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from self_improve.verdict.expectation import Expectation, scales, scope_of
from self_improve.verdict.statistics import intervals
from self_improve.verdict.statistics.sample_size import pairs_needed, visible
from self_improve.verdict.terms import FEW_PAIRS_ERROR, PermutedLook, RepeatedTests

_FEW_PAIRS = 8
"""With fewer pairs there are so few flips that widening them would let nothing be shown at all."""


_TESTS = {
    ("met", False): "met",
    ("met", True): "met",
    ("contradicted", False): "contradicted",
    ("contradicted", True): "harm of",
}
"""The names of the tests; what a primary expectation spends on harm is no longer there for others.
"""


class Fulfilment(StrEnum):
    """Whether a declared expectation came true."""

    met = "met"
    unmet = "unmet"
    contradicted = "contradicted"


@dataclass(frozen=True, kw_only=True)
class ExpectationOutcome:
    """What became of a declared expectation; the expected direction counts as positive.

    `text` is the expectation as it was declared. `change` and `visible` are in the measure's unit:
    what happened, and what this number of pairs shows in four cases of five. `needed` is the number
    of pairs that show the smallest change worth having.
    """

    text: str
    outcome: Fulfilment
    pairs: int
    primary: bool = False
    change: float | None = None
    p: float | None = None
    visible: float | None = None
    needed: int | None = None


def outcomes_of(look: PermutedLook, tests: RepeatedTests) -> tuple[ExpectationOutcome, ...]:
    """Return the outcome of each declared expectation at this look."""
    return tuple(_outcome(expectation, look, tests) for expectation in look.terms.expectations)


def _outcome(
    expectation: Expectation, look: PermutedLook, tests: RepeatedTests
) -> ExpectationOutcome:
    terms, text = look.terms, expectation.text
    numbers, changes = scope_of(expectation, look.pairs)
    if not numbers:
        return ExpectationOutcome(
            text=text, outcome=Fulfilment.unmet, pairs=0, primary=expectation.primary
        )
    sums = look.flips([look.pairs[n] for n in numbers]).sums(np.array(changes)[:, None])[0]
    # A KEEP needs all of those that decide, so each of them may be tested with the whole error (R.
    # L. Berger, Multiparameter hypothesis testing and acceptance sampling, 1982); harm may show in
    # any of them, so they share the error (C. E. Bonferroni, 1936).
    deciding = [one for one in terms.expectations if one.primary] or terms.expectations
    every = FEW_PAIRS_ERROR
    limits = {"met": every, "contradicted": every / len(deciding)}
    if expectation not in deciding:
        limits = dict.fromkeys(limits, every / len(terms.expectations))
    few = terms.together or len(changes) < _FEW_PAIRS
    drift = 1.0 if few else terms.noise.drift(expectation.metric)
    expected, opposite = (
        tests[f"{_TESTS[name, expectation.primary]} {text}"].test(
            sign * sums, limit=look.limit(limits[name]), middle=True, widened=drift
        )
        for name, sign in (("met", 1), ("contradicted", -1))
    )
    change, least = math.fsum(changes) / len(changes), scales(terms.rubric)[expectation.metric]
    outcome = Fulfilment.unmet
    if expected.fires and change >= least:
        outcome = Fulfilment.met
    elif opposite.fires and -change >= least:
        outcome = Fulfilment.contradicted
    error = intervals.standard_error(changes)
    deviation = 0.0 if error is None else error * math.sqrt(len(changes)) * drift
    needed = pairs_needed(least, deviation, alpha=FEW_PAIRS_ERROR) if deviation else None
    return ExpectationOutcome(
        text=text, outcome=outcome, primary=expectation.primary, pairs=len(changes),
        change=change, p=expected.p,
        visible=visible(len(changes), deviation, alpha=FEW_PAIRS_ERROR) if deviation else None,
        needed=None if needed is None else max(needed, 5),
    )  # fmt: skip
