"""The table of decisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt_lab.record import Evidence
from self_improve.iteration.decision import Check, End, Opinions, decide
from self_improve.verdict import Word

GOOD = Opinions(supported=True, judge=1)
BAD = Opinions(objections=("two: it lies (x.md:3)",), judge=-1)
HARM = Check(name="downstream", harm=("deduplicate_levers: REJECT",))
SKIPPED = Check(name="spot check", skipped="--skip-spot-check")
FINE = Check(name="spot check")

TABLE = [
    (Word.reject, GOOD, Word.keep, [FINE], End.no),
    (Word.inconclusive, None, None, [], End.inconclusive),
    (Word.inconclusive, GOOD, None, [], End.conditional),
    (Word.inconclusive, Opinions(supported=True, judge=0), None, [], End.inconclusive),
    (Word.inconclusive, Opinions(judge=1), None, [], End.inconclusive),
    (Word.inconclusive, BAD, None, [], End.no),
    (Word.keep, None, Word.keep, [FINE], End.yes),
    (Word.keep, None, Word.inconclusive, [FINE], End.yes),
    (Word.keep, None, Word.reject, [FINE], End.no),
    (Word.keep, None, None, [FINE], End.inconclusive),
    (Word.keep, GOOD, Word.keep, [HARM], End.no),
    (Word.keep, None, Word.keep, [SKIPPED], End.conditional),
    (Word.keep, BAD, Word.keep, [FINE], End.conditional),
    (Word.keep, Opinions(judge=-1), Word.keep, [FINE], End.conditional),
]


@pytest.mark.parametrize(("word", "opinions", "verify", "checks", "end"), TABLE)
def test_every_case_of_the_table(word, opinions, verify, checks, end) -> None:
    """Each row ends as the table says, with a reason."""
    decision = decide(word, evidence=Evidence.real, opinions=opinions, verify=verify, checks=checks)
    assert decision.end is end
    assert decision.reasons


def test_failed_gate_on_the_verify_plans_is_no() -> None:
    """Whatever the word there."""
    decision = decide(
        Word.keep,
        evidence=Evidence.real,
        verify=Word.inconclusive,
        verify_gates=["collapse"],
        checks=[FINE],
    )
    assert (decision.end, decision.reasons) == (End.no, ("on the verify plans: collapse",))


def test_historical_evidence_never_gets_far() -> None:
    """A KEEP on it is INCONCLUSIVE; a NO stays one."""
    assert decide(Word.keep, evidence=Evidence.historical, verify=Word.keep).end is End.inconclusive
    assert decide(Word.reject, evidence=Evidence.historical).end is End.no


def test_simulated_yes_is_labelled_and_cannot_merge() -> None:
    """It is the same word with a prefix."""
    decision = decide(Word.keep, evidence=Evidence.simulated, verify=Word.keep, checks=[FINE])
    assert decision.summary == "SIMULATED YES"
    assert not decision.may_merge


OPINIONS = st.builds(
    Opinions, supported=st.booleans(), objections=st.lists(st.just("o"), max_size=1),
    judge=st.sampled_from([None, -1, 0, 1]),
)  # fmt: skip
CHECKS = st.lists(st.sampled_from([HARM, SKIPPED, FINE]), max_size=3)
VERIFY = st.sampled_from([None, *Word])
EVIDENCE = st.sampled_from(Evidence)


@given(st.sampled_from(Word), EVIDENCE, OPINIONS, VERIFY, CHECKS)
def test_opinions_never_lift(word, evidence, opinions, verify, checks) -> None:
    """No opinion turns a NO of the numbers around, or makes a YES that numbers did not make."""
    facts = {"evidence": evidence, "verify": verify, "checks": checks}
    alone = decide(word, **facts)
    heard = decide(word, opinions=opinions, **facts)
    if alone.end is End.no:
        assert heard.end is End.no
    if heard.end is End.yes:
        assert alone.end is End.yes
        assert word is Word.keep
    if heard.may_merge:
        assert evidence is Evidence.real
