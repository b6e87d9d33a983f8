"""The interface of a search: a generator proposes texts and has them scored by a trial."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from model_gateway.call import Call, R, Reply

Texts = Mapping[str, str]
"""Prompt texts by surface id."""

JUDGE = "judge"
"""The role whose calls go to a model that compares outputs rather than to the proposer."""


class SearchOver(Exception):  # noqa: N818 - the end of a search, not a fault
    """The search ends: no budget is left, or nothing can be measured; the message says which."""


@dataclass(frozen=True, kw_only=True, order=True)
class Case:
    """One plan on one model: what a candidate is scored on. Cases differ in their `id`."""

    plan: str
    model: str
    repeat: int = 0

    @property
    def id(self) -> str:
        """The name of the case."""
        return f"{self.plan}/{self.model}/{self.repeat}"


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One proposed set of texts, admitted to the search; `texts` are those of all surfaces.

    `parents` are ids, `operator` names how it was created, `change` is the one change it declares.
    The baseline has no parents. `pattern` is the id of the offered pattern that it follows, if any.
    """

    id: str
    texts: Texts
    parents: tuple[str, ...] = ()
    operator: str = ""
    change: str = ""
    pattern: str | None = None

    @property
    def size(self) -> int:
        """The number of characters of all texts."""
        return sum(map(len, self.texts.values()))


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """A fault that a metric found in one cell, with the words that caused it."""

    metric: str
    field: str
    quote: str


@dataclass(frozen=True, kw_only=True)
class CellOutcome:
    """One scored cell: `score` from 0 to 1, higher is better; None if the cell failed.

    `plan` is the input text, `output` what the step wrote, as JSON values.
    """

    case: Case
    score: float | None
    failure: str | None = None
    flaws: Sequence[Flaw] = ()
    plan: str = ""
    output: Any = None


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A proposal and its outcomes on the cases it was tried on."""

    proposal: Proposal
    outcomes: Mapping[str, CellOutcome] = field(default_factory=dict)

    @property
    def score(self) -> float | None:
        """The mean score; a failed cell counts 0, so that a search does not prefer failures."""
        if not self.outcomes:
            return None
        return sum(o.score or 0.0 for o in self.outcomes.values()) / len(self.outcomes)

    def on(self, cases: Sequence[Case]) -> float | None:
        """Return the mean score on these cases, or None if one of them was not tried."""
        outcomes = [self.outcomes[case.id] for case in cases if case.id in self.outcomes]
        if not outcomes or len(outcomes) < len(cases):
            return None
        return sum(o.score or 0.0 for o in outcomes) / len(outcomes)

    def worst(self, count: int) -> list[CellOutcome]:
        """Return the worst outcomes, failed ones first."""
        order = sorted(self.outcomes.values(), key=lambda o: (o.score is not None, o.score or 0.0))
        return order[:count]


class Trial(Protocol):
    """The driver's side of a search. Everything that costs goes through it.

    `searched` are the ids of the texts that may be changed (never empty). `instructions` are the
    step's own for optimizers, `constraints` those of the owner, `failed` texts that were rejected
    earlier, with the reasons, `patterns` kinds of change that worked on other steps (`id`,
    `change`, `worked_on`, `failed_on`). `cases` are those of the train split. `random` is seeded
    and the only source of chance. `small` asks for the settings for small local models. `longest`
    bounds the characters of a proposal.
    """

    step: str
    baseline: Proposal
    searched: Sequence[str]
    instructions: str
    constraints: Sequence[str]
    failed: Sequence[Mapping[str, Any]]
    patterns: Sequence[Mapping[str, Any]]
    cases: Sequence[Case]
    random: random.Random
    small: bool
    longest: int

    @property
    def left(self) -> int:
        """How many cells the budget still allows."""
        ...

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

        `texts` may leave out surfaces that stay as in the first parent. `demonstrations` are
        examples taken from the plans on purpose. A `pattern` that was not offered is ignored.
        """
        ...

    async def score(self, proposals: Sequence[Proposal], cases: Sequence[Case]) -> list[Scored]:
        """Try proposals on cases, concurrently; what was tried before is not tried again.

        The result holds all outcomes of each proposal so far, in the order of `proposals`.

        Raises:
            SearchOver: the budget has no room for all of it, or every cell fails.
        """
        ...

    async def score_each(self, tries: Sequence[tuple[Proposal, Sequence[Case]]]) -> list[Scored]:
        """Try each proposal on its own cases, all concurrently; otherwise as `score`.

        Raises:
            SearchOver: as `score`.
        """
        ...

    async def ask(self, role: str, call: Call[R]) -> Reply[R]:
        """Send a call to the proposer; the same role, key and words are answered from the journal.

        Raises:
            SearchOver: no budget is left.
        """
        ...

    async def ask_all(self, role: str, calls: Sequence[Call[R]]) -> list[Reply[R]]:
        """Send calls concurrently and return the replies in the order of the calls.

        Raises:
            SearchOver: no budget is left.
        """
        ...

    def note(self, text: str) -> None:
        """Write a line into the log of the search."""
        ...


class Generator(Protocol):
    """One search algorithm. It ends by returning, or by letting SearchOver through."""

    name: str

    async def search(self, trial: Trial) -> None:
        """Propose texts and have them scored, until the budget or the ideas are used up."""
        ...
