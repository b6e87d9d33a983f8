"""Whatever was measured, a verdict comes of it, and never one for nothing."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from prompt_lab.record import Evidence
from self_improve.measures.measured import MeasuredCell
from self_improve.verdict import Word, decide
from self_improve.verdict.pairing import Pair, Pairing
from tests.self_improve.measured_runs import METRIC, OTHER, terms
from tools.relabelling import looks

KINDS = st.sampled_from([None, "schema", "server", "configuration", "no_items"])
VALUES = st.dictionaries(
    st.sampled_from([METRIC, OTHER, "unknown"]), st.floats(-1e6, 1e6, allow_nan=False)
)


@st.composite
def cells(draw: st.DrawFn, plan: str, model: str) -> MeasuredCell:
    """Draw a cell that failed, or has some values, or none."""
    if draw(st.booleans()):
        return MeasuredCell(
            plan=plan, model=model, repeat=0, succeeded=False, failure_kind=draw(KINDS)
        )
    return MeasuredCell(
        plan=plan, model=model, repeat=0, succeeded=True,
        items=draw(st.none() | st.integers(0, 30)), values=draw(VALUES),
    )  # fmt: skip


@st.composite
def pairings(draw: st.DrawFn) -> Pairing:
    """Draw some pairs of some plans and models."""
    keys = draw(
        st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from("ab")), unique=True, max_size=6)
    )
    pairs = [Pair(before=draw(cells(p, m)), after=draw(cells(p, m))) for p, m in sorted(keys)]
    return Pairing(pairs=tuple(pairs))


@settings(max_examples=60, deadline=None)
@given(pairings(), st.booleans())
def test_anything_gives_a_verdict_in_plain_numbers(pairing: Pairing, stopping: bool) -> None:  # noqa: FBT001 - hypothesis's
    """No error, no number that is none, and reasons for people."""
    sequence = looks(pairing, seed=1) if stopping and pairing.pairs else pairing
    verdict = decide(sequence, terms(flips=300), evidence=Evidence.real)
    json.dumps(verdict.to_row(), allow_nan=False)
    assert verdict.reasons
    assert not verdict.generalises


@settings(max_examples=30, deadline=None)
@given(pairings())
def test_a_side_against_itself_is_inconclusive(pairing: Pairing) -> None:
    """Nothing moved, whatever there was."""
    same = tuple(Pair(before=one.before, after=one.before) for one in pairing.pairs)
    verdict = decide(Pairing(pairs=same), terms(flips=300), evidence=Evidence.real)
    assert verdict.word is Word.inconclusive


@settings(max_examples=30, deadline=None)
@given(pairings())
def test_four_pairs_decide_nothing_by_chance(pairing: Pairing) -> None:
    """Two, three or four coins prove nothing; only known noise rejects three cells of a model."""
    verdict = decide(
        pairing.only([p.key for p in pairing.pairs][:4]), terms(), evidence=Evidence.real
    )
    assert verdict.word is not Word.keep
    if verdict.word is Word.reject:
        assert set(verdict.reasons) & set(verdict.failed_gates)
        assert not any("beyond chance" in reason for reason in verdict.reasons)
        assert verdict.pairs >= 3
