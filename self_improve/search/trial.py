"""What a generator works with: it proposes texts, has them scored, and never calls the step."""

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
    """The search ends here: no budget is left, or nothing can be measured; the text says why."""


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

    `parents` are ids, `operator` what made it, `change` the one change it declares. The baseline
    has no parents. `pattern` is the id of the offered pattern that it follows, if it says so.
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
    """What a metric found in one cell: the words that made the number, for a reader."""

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
    """A proposal and how it did on the cases it was tried on."""

    proposal: Proposal
    outcomes: Mapping[str, CellOutcome] = field(default_factory=dict)

    @property
    def score(self) -> float | None:
        """The mean score; a failed cell counts 0, because a search must not like failing."""
        if not self.outcomes:
            return None
        return sum(o.score or 0.0 for o in self.outcomes.values()) / len(self.outcomes)

    def on(self, cases: Sequence[Case]) -> float | None:
        """Return the mean score on these cases, or None if one of them was not tried."""
        found = [self.outcomes.get(case.id) for case in cases]
        if not found or None in found:
            return None
        return sum((o.score or 0.0) for o in found if o is not None) / len(found)

    def worst(self, count: int) -> list[CellOutcome]:
        """Return the worst outcomes, failed ones first."""
        order = sorted(self.outcomes.values(), key=lambda o: (o.score is not None, o.score or 0.0))
        return order[:count]


class Trial(Protocol):
    """The driver's side of a search. Everything that costs goes through it.

    `surfaces` are the texts of the baseline, `searched` the ids that may be changed (never
    empty). `instructions` are the step's own for optimizers, `constraints` the owner's wishes,
    `failed` texts that were rejected earlier, with the reasons, `patterns` kinds of change that
    worked on other steps (`id`, `change`, `worked_on`, `failed_on`). `cases` are those of the train
    split. `random` is seeded; nothing else may bring chance into a search. `small` asks for the
    settings for small local models. `longest` bounds the characters of a proposal.
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
        """The step calls that the budget still allows, in cells."""
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
        """Return the proposal that these texts make, or None with the reason in the log.

        `texts` may leave out surfaces that stay as in the first parent. The same texts are the
        same proposal. `demonstrations` are examples taken from the plans on purpose. A `pattern`
        that was not offered is none.
        """
        ...

    async def score(self, proposals: Sequence[Proposal], cases: Sequence[Case]) -> list[Scored]:
        """Try proposals on cases, side by side; what was tried before is not tried again.

        The result holds everything known of each proposal, in the order given.

        Raises:
            SearchOver: the budget has no room for all of it, or every cell fails.
        """
        ...

    async def score_each(self, tries: Sequence[tuple[Proposal, Sequence[Case]]]) -> list[Scored]:
        """Try each proposal on cases of its own, all side by side; else as `score`.

        Raises:
            SearchOver: as `score`.
        """
        ...

    async def ask(self, role: str, call: Call[R]) -> Reply[R]:
        """Put a call to the proposer; the same role, key and words are answered from the journal.

        Raises:
            SearchOver: no budget is left.
        """
        ...

    async def ask_all(self, role: str, calls: Sequence[Call[R]]) -> list[Reply[R]]:
        """Put calls side by side; the replies come in the order of the calls.

        Raises:
            SearchOver: no budget is left.
        """
        ...

    def note(self, text: str) -> None:
        """Write a line into the log of the search."""
        ...


class Generator(Protocol):
    """One way to search. It ends by returning, or by letting SearchOver through."""

    name: str

    async def search(self, trial: Trial) -> None:
        """Propose and have scored, until the trial is over or nothing is left to try."""
        ...
