"""The table that turns measurements and opinions into the end of an iteration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prompt_lab.record import Evidence
from self_improve.verdict import Word


class End(StrEnum):
    """How an iteration ends. Only YES may be merged."""

    yes = "YES"
    no = "NO"
    conditional = "CONDITIONAL"
    inconclusive = "INCONCLUSIVE"


@dataclass(frozen=True, kw_only=True)
class Opinions:
    """The opinions of agents and judge, after quotes were checked.

    `supported` says that both agents support the change with quotes that hold; `objections` rest
    on such quotes, too. `judge` is 1 if the judge prefers the change beyond chance, -1 if it
    prefers the old outputs, 0 otherwise, and None if it was not asked.
    """

    supported: bool = False
    objections: Sequence[str] = ()
    judge: int | None = None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One further check of a change that earned KEEP.

    `harm` names what the change broke; `skipped` says why the check was left out.
    """

    name: str
    harm: Sequence[str] = ()
    skipped: str | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How an iteration ends, and every reason for it."""

    end: End
    reasons: tuple[str, ...]
    simulated: bool

    @property
    def summary(self) -> str:
        """The end in words, with the label SIMULATED if only simulated models were measured."""
        return f"SIMULATED {self.end}" if self.simulated else str(self.end)

    @property
    def may_merge(self) -> bool:
        """Whether this is a YES on real evidence."""
        return self.end is End.yes and not self.simulated


def decide(
    word: Word,
    *,
    evidence: Evidence,
    opinions: Opinions | None = None,
    verify: Word | None = None,
    verify_gates: Sequence[str] = (),
    checks: Sequence[Check] = (),
) -> Decision:
    """Return the end of an iteration.

    The evaluator comes first: a REJECT is NO whatever the opinions. Where the numbers are
    inconclusive, opinions can lead to CONDITIONAL or NO, never to YES. A KEEP is a YES only if
    the verify plans were measured and nothing downstream was harmed; missing evidence makes it
    CONDITIONAL or INCONCLUSIVE, never better.

    Args:
        word: the evaluator's word on the train plans.
        evidence: of the runs; historical is never better than INCONCLUSIVE.
        opinions: those of agents and judge, or None if they were not asked.
        verify: the evaluator's word on the verify plans, or None if they were not measured.
        verify_gates: the hard gates that failed there.
        checks: the checks downstream and on a whole plan.
    """
    end, reasons = _end(word, opinions or Opinions(), verify, verify_gates, checks)
    if evidence is Evidence.historical and end in {End.yes, End.conditional}:
        end = End.inconclusive
        reasons = (*reasons, "the evidence is historical: its code or settings are not recorded")
    return Decision(end=end, reasons=reasons, simulated=evidence is Evidence.simulated)


def _end(
    word: Word,
    opinions: Opinions,
    verify: Word | None,
    gates: Sequence[str],
    checks: Sequence[Check],
) -> tuple[End, tuple[str, ...]]:
    if word is Word.reject:
        return End.no, ("the evaluator rejects it on the train plans",)
    if word is Word.inconclusive:
        return _inconclusive(opinions)
    harm = tuple(_harm(verify, gates, checks))
    if harm:
        return End.no, harm
    if verify is None:
        return End.inconclusive, ("it earned KEEP, but was not measured on the verify plans",)
    doubts = tuple(_doubts(opinions, checks))
    if doubts:
        return End.conditional, ("it earned KEEP", *doubts)
    return End.yes, ("it earned KEEP, and no further check found harm",)


def _inconclusive(opinions: Opinions) -> tuple[End, tuple[str, ...]]:
    undecided = "the numbers do not decide"
    if opinions.objections:
        return End.no, (undecided, *opinions.objections)
    if opinions.supported and opinions.judge == 1:
        reason = "both agents support it with quotes that hold; the judge prefers it beyond chance"
        return End.conditional, (undecided, reason)
    return End.inconclusive, (undecided,)


def _harm(verify: Word | None, gates: Sequence[str], checks: Sequence[Check]) -> Iterator[str]:
    if verify is Word.reject:
        yield "the evaluator rejects it on the verify plans"
    yield from (f"on the verify plans: {gate}" for gate in gates)
    yield from (f"{check.name}: {harm}" for check in checks for harm in check.harm)


def _doubts(opinions: Opinions, checks: Sequence[Check]) -> Iterator[str]:
    yield from (f"{check.name} was skipped: {check.skipped}" for check in checks if check.skipped)
    yield from opinions.objections
    if opinions.judge == -1:
        yield "the judge prefers the old outputs beyond chance"
