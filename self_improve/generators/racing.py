"""Cheap batches first: what does worse than its parent on a few cases is not tried on all."""

from __future__ import annotations

from collections.abc import Sequence

from self_improve.generators.trial import Case, Proposal, Scored, Trial


def batch(trial: Trial, parent: Scored, size: int) -> list[Case]:
    """Return a few cases: half of them those that the parent does worst on, the others by chance.

    Cases on which the parent failed or scored lowest show most easily whether a change helps;
    the others keep a search from mending one plan at the cost of all.
    """
    if size >= len(trial.cases):
        return list(trial.cases)
    worst = {outcome.case.id for outcome in parent.worst((size + 1) // 2)}
    chosen = [case for case in trial.cases if case.id in worst]
    rest = [case for case in trial.cases if case.id not in worst]
    return chosen + trial.random.sample(rest, size - len(chosen))


async def race(
    trial: Trial, parent: Scored, proposals: Sequence[Proposal], *, size: int, survivors: int
) -> list[Scored]:
    """Return the proposals that beat `parent` on all cases, the best first.

    All are tried on the same few cases; at most `survivors` that did better there than the
    parent are tried on the rest.

    Raises:
        SearchOver: the budget is used up.
    """
    if not proposals:
        return []
    cases = batch(trial, parent, size)
    tried = await trial.score(proposals, cases)
    bar = parent.on(cases)
    passed = [one for one in tried if (one.on(cases) or 0.0) > (bar or 0.0)]
    passed.sort(key=lambda one: one.on(cases) or 0.0, reverse=True)
    whole = await trial.score([one.proposal for one in passed[:survivors]], trial.cases)
    best = parent.on(trial.cases) or 0.0
    better = [one for one in whole if (one.on(trial.cases) or 0.0) > best]
    return sorted(better, key=lambda one: one.on(trial.cases) or 0.0, reverse=True)
