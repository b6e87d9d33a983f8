"""One search: admits proposals, keeps to the budget, remembers scores and logs refusals."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_gateway.call import Call, FailureKind, R, Reply
from model_gateway.config import Model
from model_gateway.counsel import Counsel
from model_gateway.counts import counted
from self_improve.host.templates import TemplateUse
from self_improve.measures.fitness import ENOUGH
from self_improve.search.admission import Admission, Refused
from self_improve.search.trial import (
    JUDGE,
    Case,
    CellOutcome,
    Generator,
    Proposal,
    Scored,
    SearchOver,
    Texts,
)

Cell = tuple[Proposal, Case]
Measure = Callable[[Sequence[Cell]], Awaitable[Sequence[CellOutcome]]]
"""Runs cells and returns their outcomes in the same order."""
Log = Callable[[dict[str, Any]], None]

MOST_FAILURES = 12
MOST_REFUSALS = 200
_LONGER = 2.5
_ROOM = 3000


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """What is searched and with which means; see `Trial` for the other fields.

    `cells` bounds the step calls, counted in cells; the proposer's calls are bounded by the
    ledger behind `counsel`. `judge` answers the calls of the role JUDGE, the proposer all others.
    `material` are the plans' texts, whose words must not be copied; `templates` says how the code
    fills in which surface. `force` searches even if the
    baseline is nearly perfect.
    """

    step: str
    texts: Texts
    searched: Sequence[str]
    cases: Sequence[Case]
    cells: int
    seed: int
    proposer: Model
    judge: Model | None = None
    instructions: str = ""
    constraints: Sequence[str] = ()
    failed: Sequence[Mapping[str, Any]] = ()
    patterns: Sequence[Mapping[str, Any]] = ()
    material: Sequence[str] = ()
    templates: Mapping[str, Sequence[TemplateUse]] = field(default_factory=dict)
    small: bool = False
    longest: int | None = None
    force: bool = False


@dataclass(kw_only=True)
class SearchResult:
    """The result of a search. `stopped` is why it ended; `trace` is the best score by cells."""

    generator: str
    scored: tuple[Scored, ...]
    cells: int
    proposer_calls: int
    refused: int
    stopped: str
    trace: tuple[tuple[int, float], ...] = ()


@dataclass(kw_only=True)
class Search:
    """The driver's side of one search: a `Trial` for a generator."""

    request: SearchRequest
    measure: Measure
    counsel: Counsel
    log: Log = field(default=lambda _: None)

    def __post_init__(self) -> None:
        request = self.request
        self.step = request.step
        self.searched: Sequence[str] = tuple(request.searched)
        self.cases: Sequence[Case] = tuple(request.cases)
        self.instructions = request.instructions
        self.constraints: Sequence[str] = tuple(request.constraints)
        self.failed: Sequence[Mapping[str, Any]] = tuple(request.failed)
        self.patterns: Sequence[Mapping[str, Any]] = tuple(request.patterns)
        self.small = request.small
        self.random = random.Random(request.seed)  # noqa: S311 - chance of a search, no secret
        size = sum(map(len, request.texts.values()))
        self.longest = request.longest or int(size * _LONGER) + _ROOM
        self.baseline = Proposal(id=_id(request.texts), texts=dict(request.texts))
        self._admission = Admission(
            request.texts,
            request.searched,
            longest=self.longest,
            rejected=[f["texts"] for f in request.failed if isinstance(f.get("texts"), dict)],
            material=request.material,
            templates=request.templates,
        )
        self._proposals = {self.baseline.id: self.baseline}
        self._outcomes: defaultdict[str, dict[str, CellOutcome]] = defaultdict(dict)
        self._cells = self._proposer_calls = self._refused = 0
        self._all_failed = True
        self._trace: list[tuple[int, float]] = []

    @property
    def left(self) -> int:
        """How many cells the budget still allows."""
        return self.request.cells - self._cells

    def admit(
        self,
        texts: Texts,
        *,
        operator: str,
        parents: Sequence[Proposal] = (),
        change: str = "",
        demonstrations: Sequence[str] = (),
        pattern: str | None = None,
    ) -> Proposal | None:
        """Return a proposal with these texts, or None with the reason in the log.

        Raises:
            SearchOver: far more proposals were refused than admitted.
        """
        base = parents[0].texts if parents else self.baseline.texts
        try:
            whole = self._admission.whole(texts, base, demonstrations=demonstrations)
        except Refused as refused:
            self._refuse(operator, str(refused))
            return None
        identity = _id(whole)
        if identity in self._proposals:
            is_baseline = identity == self.baseline.id
            reason = "it is the baseline" if is_baseline else f"it repeats {identity}"
            self._refuse(operator, reason)
            return None
        offered = {one["id"] for one in self.patterns}
        proposal = Proposal(
            id=identity, texts=whole, parents=tuple(p.id for p in parents), operator=operator,
            change=change, pattern=pattern if pattern in offered else None,
        )  # fmt: skip
        self._proposals[identity] = proposal
        self.log(
            {
                "event": "admitted", "id": identity, "operator": operator, "change": change,
                "parents": list(proposal.parents), "texts": dict(texts),
                **({"pattern": proposal.pattern} if proposal.pattern else {}),
            }
        )  # fmt: skip
        return proposal

    async def score(self, proposals: Sequence[Proposal], cases: Sequence[Case]) -> list[Scored]:
        """Try proposals on cases, concurrently; what was tried before is not tried again."""
        return await self.score_each([(proposal, cases) for proposal in proposals])

    async def score_each(self, tries: Sequence[tuple[Proposal, Sequence[Case]]]) -> list[Scored]:
        """Try each proposal on its own cases, all concurrently."""
        cells = dict.fromkeys((p.id, case) for p, cases in tries for case in cases)
        by_id = {p.id: p for p, _ in tries}
        new = [(by_id[i], c) for i, c in cells if c.id not in self._outcomes[i]]
        if len(new) > self.left:
            raise SearchOver(f"the budget of {counted(self.request.cells, 'cell')} is used up")
        while new:
            # As long as every cell has failed, few are risked at a time.
            hopeless = self._cells > 0 and self._all_failed
            count = max(1, MOST_FAILURES - self._cells) if hopeless else len(new)
            await self._run(new[:count])
            new = new[count:]
        return [self.scored(proposal) for proposal, _ in tries]

    def scored(self, proposal: Proposal) -> Scored:
        """Return all outcomes of a proposal so far."""
        return Scored(proposal=proposal, outcomes=dict(self._outcomes[proposal.id]))

    async def ask(self, role: str, call: Call[R]) -> Reply[R]:
        """Send a call to the proposer, or to the judge if the role is JUDGE."""
        self._proposer_calls += 1
        judge = self.request.judge if role == JUDGE else None
        reply = await self.counsel.ask(role, judge or self.request.proposer, call)
        if reply.failure is not None:
            self.log({"event": "no proposal", "role": role, "reason": str(reply.failure)})
            if reply.failure.kind is FailureKind.budget:
                raise SearchOver(str(reply.failure))
        return reply

    async def ask_all(self, role: str, calls: Sequence[Call[R]]) -> list[Reply[R]]:
        """Send calls concurrently and return the replies in the order of the calls.

        All calls have ended before a failure is raised, so that none runs on after the search.
        """
        questions = (self.ask(role, call) for call in calls)
        replies: list[Reply[R]] = []
        for reply in await asyncio.gather(*questions, return_exceptions=True):
            if isinstance(reply, BaseException):
                raise reply
            replies.append(reply)
        return replies

    def note(self, text: str) -> None:
        """Write a line into the log of the search."""
        self.log({"event": "note", "text": text})

    async def run(self, generator: Generator) -> SearchResult:
        """Let `generator` search until the end, and return all scores.

        The baseline is scored on all cases first, because everything is compared with it.
        """
        stopped = "nothing left to try"
        try:
            await self._start()
            await generator.search(self)
        except SearchOver as over:
            stopped = str(over)
        base, best = self.scored(self.baseline).on(self.cases), self._best()
        self.log(
            {
                "event": "over", "generator": generator.name, "reason": stopped,
                "cells": self._cells, "asked": self._proposer_calls, "refused": self._refused,
                "admitted": len(self._proposals) - 1, "baseline": base, "best": best,
            }
        )  # fmt: skip
        return SearchResult(
            generator=generator.name,
            scored=tuple(self.scored(p) for p in self._proposals.values()),
            cells=self._cells,
            proposer_calls=self._proposer_calls,
            refused=self._refused,
            stopped=stopped,
            trace=tuple(self._trace),
        )

    async def _start(self) -> None:
        """Score the baseline, and end the search if it is nearly perfect."""
        [base] = await self.score([self.baseline], self.cases)
        reached = base.on(self.cases) or 0.0
        if reached >= ENOUGH and not self.request.force:
            raise SearchOver(
                f"next to nothing to gain: the baseline's fitness is {reached:.3f} of 1; --force "
                "searches anyway"
            )

    def _best(self) -> float | None:
        """Return the best score on all cases; None while nothing was tried on all."""
        whole = (self.scored(p).on(self.cases) for p in self._proposals.values())
        return max((score for score in whole if score is not None), default=None)

    def _refuse(self, operator: str, reason: str) -> None:
        self._refused += 1
        self.log({"event": "refused", "operator": operator, "reason": reason})
        if self._refused >= MOST_REFUSALS + 4 * len(self._proposals):
            raise SearchOver(f"{self._refused} proposals were refused; see the log")

    async def _run(self, cells: Sequence[Cell]) -> None:
        """Run cells, record the best score so far, and end the search if all cells fail."""
        self._cells += len(cells)
        for (proposal, case), outcome in zip(cells, await self.measure(cells), strict=True):
            self._outcomes[proposal.id][case.id] = outcome
            self._all_failed = self._all_failed and outcome.score is None
        if self._all_failed and self._cells >= MOST_FAILURES:
            raise SearchOver(f"every one of {self._cells} cells failed: {outcome.failure}")
        best = self._best()
        if best is not None:
            self._trace.append((self._cells, best))


def best_of(result: SearchResult, cases: Sequence[Case]) -> Scored | None:
    """Return the best proposal that was scored on all of `cases`; of equals, the shorter text."""
    whole = [(s.on(cases), -s.proposal.size, s) for s in result.scored]
    scored = [(score, size, s) for score, size, s in whole if score is not None]
    return max(scored, key=lambda one: one[:2])[2] if scored else None


def _id(texts: Texts) -> str:
    plain = json.dumps(dict(texts), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:12]
