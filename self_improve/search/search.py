"""One search: admits proposals, keeps to its budget, remembers every score, logs every refusal."""

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
    """What a search is about; see `Trial` for the fields.

    `cells` bounds the step calls, counted in cells; the proposer's calls are bounded by the
    ledger behind `counsel`. `judge` answers the calls of the role JUDGE, the proposer all others.
    `material` are the plans' texts, whose words must not be copied. With `force` it searches also
    where the baseline leaves next to nothing to gain.
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
    small: bool = False
    longest: int | None = None
    force: bool = False


@dataclass(kw_only=True)
class SearchResult:
    """What came of a search. `stopped` says why it ended; `trace` is the best score by cells."""

    generator: str
    scored: tuple[Scored, ...]
    cells: int
    asked: int
    refused: int
    stopped: str
    trace: tuple[tuple[int, float], ...] = ()


@dataclass(kw_only=True)
class Search:
    """The driver's side of one search: a `Trial` for a generator."""

    setting: SearchRequest
    measure: Measure
    counsel: Counsel
    log: Log = field(default=lambda _: None)

    def __post_init__(self) -> None:
        setting = self.setting
        self.step = setting.step
        self.searched: Sequence[str] = tuple(setting.searched)
        self.cases: Sequence[Case] = tuple(setting.cases)
        self.instructions = setting.instructions
        self.constraints: Sequence[str] = tuple(setting.constraints)
        self.failed: Sequence[Mapping[str, Any]] = tuple(setting.failed)
        self.patterns: Sequence[Mapping[str, Any]] = tuple(setting.patterns)
        self.small = setting.small
        self.random = random.Random(setting.seed)  # noqa: S311 - chance of a search, no secret
        size = sum(map(len, setting.texts.values()))
        self.longest = setting.longest or int(size * _LONGER) + _ROOM
        self.baseline = Proposal(id=_id(setting.texts), texts=dict(setting.texts))
        self._admission = Admission(
            setting.texts,
            setting.searched,
            longest=self.longest,
            rejected=[f["texts"] for f in setting.failed if isinstance(f.get("texts"), dict)],
            material=setting.material,
        )
        self._proposals = {self.baseline.id: self.baseline}
        self._outcomes: defaultdict[str, dict[str, CellOutcome]] = defaultdict(dict)
        self._cells = self._asked = self._refused = 0
        self._all_failed = True
        self._trace: list[tuple[int, float]] = []

    @property
    def left(self) -> int:
        """The step calls that the budget still allows, in cells."""
        return self.setting.cells - self._cells

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
        """Return the proposal that these texts make, or None with the reason in the log.

        Raises:
            SearchOver: far more proposals were refused than admitted.
        """
        base = parents[0].texts if parents else self.baseline.texts
        try:
            whole = self._admission.whole(texts, base, demonstrations=demonstrations)
        except Refused as refused:
            self._refuse(operator, str(refused))
            return None
        made = _id(whole)
        if made in self._proposals:
            told = "it is the baseline" if made == self.baseline.id else f"it repeats {made}"
            self._refuse(operator, told)
            return None
        offered = {one["id"] for one in self.patterns}
        proposal = Proposal(
            id=made, texts=whole, parents=tuple(p.id for p in parents), operator=operator,
            change=change, pattern=pattern if pattern in offered else None,
        )  # fmt: skip
        self._proposals[made] = proposal
        self.log(
            {
                "event": "admitted", "id": made, "operator": operator, "change": change,
                "parents": list(proposal.parents), "texts": dict(texts),
                **({"pattern": proposal.pattern} if proposal.pattern else {}),
            }
        )  # fmt: skip
        return proposal

    async def score(self, proposals: Sequence[Proposal], cases: Sequence[Case]) -> list[Scored]:
        """Try proposals on cases, side by side; what was tried before is not tried again."""
        return await self.score_each([(proposal, cases) for proposal in proposals])

    async def score_each(self, tries: Sequence[tuple[Proposal, Sequence[Case]]]) -> list[Scored]:
        """Try each proposal on cases of its own, all side by side."""
        wanted = dict.fromkeys((p.id, case) for p, cases in tries for case in cases)
        by_id = {p.id: p for p, _ in tries}
        new = [(by_id[i], c) for i, c in wanted if c.id not in self._outcomes[i]]
        if len(new) > self.left:
            raise SearchOver(f"the budget of {self.setting.cells} cells is used up")
        while new:
            # As long as nothing has ever worked, few cells are risked at a time.
            hopeless = self._cells > 0 and self._all_failed
            count = max(1, MOST_FAILURES - self._cells) if hopeless else len(new)
            await self._measured(new[:count])
            new = new[count:]
        return [self.known(proposal) for proposal, _ in tries]

    def known(self, proposal: Proposal) -> Scored:
        """Return everything known of a proposal."""
        return Scored(proposal=proposal, outcomes=dict(self._outcomes[proposal.id]))

    async def ask(self, role: str, call: Call[R]) -> Reply[R]:
        """Put a call to the proposer."""
        self._asked += 1
        judge = self.setting.judge if role == JUDGE else None
        reply = await self.counsel.ask(role, judge or self.setting.proposer, call)
        if reply.failure is not None:
            self.log({"event": "no proposal", "role": role, "reason": str(reply.failure)})
            if reply.failure.kind is FailureKind.budget:
                raise SearchOver(str(reply.failure))
        return reply

    async def ask_all(self, role: str, calls: Sequence[Call[R]]) -> list[Reply[R]]:
        """Put calls side by side; the replies come in the order of the calls.

        All of them have ended before a failure is raised, so that nothing goes on behind the end.
        """
        asked = (self.ask(role, call) for call in calls)
        replies = await asyncio.gather(*asked, return_exceptions=True)
        heard: list[Reply[R]] = []
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
            heard.append(reply)
        return heard

    def note(self, text: str) -> None:
        """Write a line into the log of the search."""
        self.log({"event": "note", "text": text})

    async def run(self, generator: Generator) -> SearchResult:
        """Let `generator` search until it is over, and return all that was found.

        The baseline is scored on all cases first, because everything is compared with it.
        """
        stopped = "nothing left to try"
        try:
            await self._start()
            await generator.search(self)
        except SearchOver as over:
            stopped = str(over)
        base, best = self.known(self.baseline).on(self.cases), self._best()
        self.log(
            {
                "event": "over", "generator": generator.name, "reason": stopped,
                "cells": self._cells, "asked": self._asked, "refused": self._refused,
                "admitted": len(self._proposals) - 1, "baseline": base, "best": best,
            }
        )  # fmt: skip
        return SearchResult(
            generator=generator.name,
            scored=tuple(self.known(p) for p in self._proposals.values()),
            cells=self._cells,
            asked=self._asked,
            refused=self._refused,
            stopped=stopped,
            trace=tuple(self._trace),
        )

    async def _start(self) -> None:
        """Score the baseline, and end where it leaves next to nothing to gain."""
        [base] = await self.score([self.baseline], self.cases)
        reached = base.on(self.cases) or 0.0
        if reached >= ENOUGH and not self.setting.force:
            raise SearchOver(
                f"next to nothing to gain, for the baseline's fitness is {reached:.3f} of 1; "
                "--force searches all the same"
            )

    def _best(self) -> float | None:
        """Return the best score on all cases; None as long as nothing was tried on all."""
        whole = (self.known(p).on(self.cases) for p in self._proposals.values())
        return max((score for score in whole if score is not None), default=None)

    def _refuse(self, operator: str, reason: str) -> None:
        self._refused += 1
        self.log({"event": "refused", "operator": operator, "reason": reason})
        if self._refused >= MOST_REFUSALS + 4 * len(self._proposals):
            raise SearchOver(f"{self._refused} proposals were refused; see the log")

    async def _measured(self, cells: Sequence[Cell]) -> None:
        """Run cells, keep the curve of the best score, and end where nothing can be measured."""
        self._cells += len(cells)
        for (proposal, case), outcome in zip(cells, await self.measure(cells), strict=True):
            self._outcomes[proposal.id][case.id] = outcome
            self._all_failed = self._all_failed and outcome.score is None
        if self._all_failed and self._cells >= MOST_FAILURES:
            raise SearchOver(f"every one of {self._cells} cells failed: {outcome.failure}")
        best = self._best()
        if best is not None:
            self._trace.append((self._cells, best))


def best_of(found: SearchResult, cases: Sequence[Case]) -> Scored | None:
    """Return the best proposal that was scored on all of `cases`; of equals, the shorter text."""
    whole = [(s.on(cases), -s.proposal.size, s) for s in found.scored]
    scored = [(score, size, s) for score, size, s in whole if score is not None]
    return max(scored, key=lambda one: one[:2])[2] if scored else None


def _id(texts: Texts) -> str:
    plain = json.dumps(dict(texts), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:12]
