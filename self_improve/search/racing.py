"""Racing: a proposal that does not beat its parent on a few cases is not tried on all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from self_improve.search.trial import Case, Proposal, Scored, Trial


def batch(trial: Trial, parent: Scored, size: int) -> list[Case]:
    """Return a few cases: half of them the parent's worst, the others at random.

    Cases on which the parent failed or scored lowest show most easily whether a change helps;
    the others keep a search from improving one plan at the cost of all.
    """
    if size >= len(trial.cases):
        return list(trial.cases)
    worst = {outcome.case.id for outcome in parent.worst((size + 1) // 2)}
    chosen = [case for case in trial.cases if case.id in worst]
    rest = [case for case in trial.cases if case.id not in worst]
    return chosen + trial.random.sample(rest, size - len(chosen))


Combine = Callable[[Scored, Sequence[Scored]], Proposal | None]
"""Makes one proposal of several that beat their parent, or returns None."""


async def race(
    trial: Trial,
    parent: Scored,
    proposals: Sequence[Proposal],
    *,
    size: int,
    survivors: int,
    combine: Combine | None = None,
) -> list[Scored]:
    """Return the proposals that beat `parent` on all cases, the best first.

    All are tried on one case, those that beat the parent there on a few more, and at most
    `survivors` of those that beat it there on all. What `combine` makes of those counts as the
    first survivor.

    Raises:
        SearchOver: the budget is used up.
    """
    if not proposals:
        return []
    cases = batch(trial, parent, size)
    # An improvement shows soonest on the parent's worst case.
    hardest = min(cases, key=lambda case: parent.outcomes[case.id].score or 0.0)
    heat = await _better(trial, parent, proposals, [hardest])
    passed = await _better(trial, parent, [one.proposal for one in heat], cases)
    finalists = [one.proposal for one in passed]
    both = combine(parent, passed) if combine is not None and len(passed) > 1 else None
    if both is not None:
        finalists = [both, *finalists]
    whole = _within_budget(trial, finalists[:survivors], passed)
    return await _better(trial, parent, whole, trial.cases)


async def _better(
    trial: Trial, parent: Scored, proposals: Sequence[Proposal], cases: Sequence[Case]
) -> list[Scored]:
    """Try proposals on cases and return those that beat `parent`, the best first."""
    bar = parent.on(cases) or 0.0
    tried = await trial.score(proposals, cases)
    better = [one for one in tried if (one.on(cases) or 0.0) > bar]
    return sorted(better, key=lambda one: one.on(cases) or 0.0, reverse=True)


def _within_budget(
    trial: Trial, proposals: Sequence[Proposal], tried: Sequence[Scored]
) -> list[Proposal]:
    """Return those that the budget covers on all cases; the first one if it covers none."""
    outcomes = {one.proposal.id: one.outcomes for one in tried}
    room, covered = trial.left, []
    for proposal in proposals:
        needed = sum(case.id not in outcomes.get(proposal.id, {}) for case in trial.cases)
        if needed <= room:
            covered.append(proposal)
            room -= needed
    return covered or list(proposals[:1])


def sample(trial: Trial, size: int) -> list[Case]:
    """Return a few of the cases, drawn once at random, in their order."""
    if size >= len(trial.cases):
        return list(trial.cases)
    chosen = set(trial.random.sample(range(len(trial.cases)), size))
    return [case for number, case in enumerate(trial.cases) if number in chosen]


def ranked(scored: Iterable[Scored], cases: Sequence[Case]) -> list[Scored]:
    """Return what was scored on `cases`, the best first, the shorter of equals first, each once."""
    unique = {one.proposal.id: one for one in scored}.values()
    scores = [(one.on(cases), one) for one in unique]
    whole = [(score, one) for score, one in scores if score is not None]
    return [one for _, one in sorted(whole, key=lambda w: (-w[0], w[1].proposal.size))]


async def confirm(trial: Trial, scored: Iterable[Scored], cases: Sequence[Case], most: int) -> None:
    """Score the best few of a search on all cases, as far as the budget allows.

    Raises:
        SearchOver: the budget is used up.
    """
    for one in ranked(scored, cases)[:most]:
        if trial.left < sum(case.id not in one.outcomes for case in trial.cases):
            trial.note(f"no room is left to try {one.proposal.id} on all cases")
            continue
        await trial.score([one.proposal], trial.cases)


def has_room(trial: Trial, cells: int, confirmations: int) -> bool:
    """Whether the budget covers `cells`, and then as many `confirmations` on all cases."""
    return trial.left >= cells + confirmations * len(trial.cases)


def affordable(trial: Trial, cells: int, confirmations: int, most: int) -> int:
    """Return how many proposals, at most `most`, fit on `cells` cases each before confirmations."""
    room = trial.left - confirmations * len(trial.cases)
    return max(0, min(most, room // max(cells, 1)))
