"""The bests that a step has had, in their order, and which of them a user means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prompt_lab.layout import Layout
from prompt_lab.scores import BASELINE, ROLLBACK, Best, Score, Scores
from self_improve.errors import UsageError

_SHORTEST_COMMIT = 7


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One best: its row of the scoreboard, and what the history has beside it."""

    score: Score
    details: Mapping[str, Any]
    simulated: bool

    @property
    def texts(self) -> dict[str, str]:
        """The texts that it changed, by surface id; none if it was code, or is the baseline."""
        texts = self.details.get("texts")
        return {str(k): str(v) for k, v in texts.items()} if isinstance(texts, dict) else {}

    @property
    def is_baseline(self) -> bool:
        """Whether this is what the step's iterations began with."""
        return self.score.verdict == BASELINE

    @property
    def summary(self) -> str:
        """Its name in a line."""
        labelled = "SIMULATED " if self.simulated else ""
        return f"{labelled}{self.score.candidate} of {self.score.iteration}"


@dataclass(frozen=True, kw_only=True)
class Bests:
    """The bests of a step, the earliest first; `at` is the place of the current one."""

    step: str
    entries: Sequence[Entry]
    at: int
    rows: Sequence[Score]
    rollback: Entry | None

    @property
    def current(self) -> Entry:
        """The best that the data repo names now."""
        return self.entries[self.at]

    def at_key(self, iteration: str, candidate: str) -> Entry:
        """Return the best that a record names.

        Raises:
            UsageError: it is not on the scoreboard any more.
        """
        for entry in self.entries:
            if (entry.score.iteration, entry.score.candidate) == (iteration, candidate):
                return entry
        raise UsageError(
            f"{candidate} of {iteration} is not on the scoreboard. Restore scores/ from git."
        )

    def before_current(self) -> Entry:
        """Return the best before the current one; what only simulated models liked is no such best.

        Raises:
            UsageError: there is none.
        """
        earlier = [e for e in self.entries[: self.at] if self.current.simulated or not e.simulated]
        if not earlier:
            raise UsageError(
                f"{self.step} has no earlier best than {self.current.summary}. See them all with "
                f"--list, and name one with --to."
            )
        return earlier[-1]

    def named(self, name: str) -> Entry:
        """Return the best that a user means: by candidate, iteration or its number, or commit.

        Raises:
            UsageError: there is none, several are meant, or it never was a best.
        """
        kept = [e for e in self.entries if not e.is_baseline and _means(name, e.score)]
        found = kept or [e for e in self.entries if e.is_baseline and _means(name, e.score)]
        if len({(e.score.candidate, e.score.commit) for e in found}) > 1:
            told = "\n  ".join(e.summary for e in found)
            raise UsageError(f"{name} may mean several bests of {self.step}:\n  {told}")
        if found:
            return found[-1]
        others = [row for row in self.rows if _means(name, row)]
        if others:
            row = others[-1]
            raise UsageError(
                f"{row.candidate} of {row.iteration} ended with {row.verdict}: it never was a best "
                f"of {self.step}. See those with --list."
            )
        raise UsageError(f"{self.step} has had no best called {name}. See all with --list.")


def read(layout: Layout, step: str) -> Bests:
    """Read what bests a step has had.

    Raises:
        UsageError: it has none, or nothing was ever judged for it.
        LabError: scoreboard, history or best cannot be read.
    """
    scores = Scores(layout)
    rows, best = scores.rows(step), scores.best(step)
    if not rows:
        known = sorted({row.step for row in scores.rows()})
        raise UsageError(
            f"No candidate of {step} was ever judged in {layout.root.name}. "
            + (f"There are scores of: {', '.join(known)}." if known else "It has no scores yet.")
        )
    if best is None:
        raise UsageError(f"{step} has no best yet: none of its candidates has ended with YES.")
    history = {(h["iteration"], h["candidate"]): h for h in scores.history(step)}

    def entry(row: Score) -> Entry:
        of_iteration = [r.verdict for r in rows if r.iteration == row.iteration]
        return Entry(
            score=row,
            details=history.get((row.iteration, row.candidate), {}),
            simulated=any(verdict.startswith("SIMULATED") for verdict in of_iteration),
        )

    entries = [entry(row) for row in rows if row.verdict == BASELINE or row.is_kept]
    changes = [row for row in rows if row.is_kept or row.verdict.endswith(ROLLBACK)]
    last = entry(changes[-1]) if changes and changes[-1].verdict.endswith(ROLLBACK) else None
    return Bests(
        step=step, entries=entries, at=_place(entries, best), rows=rows, rollback=last
    )  # fmt: skip


def _place(entries: Sequence[Entry], best: Best) -> int:
    """Return where the current best is among all."""
    for place in range(len(entries) - 1, -1, -1):
        score = entries[place].score
        if (score.iteration, score.candidate) == (best.iteration, best.candidate):
            return place
    raise UsageError(
        f"The best of {best.step} is {best.candidate} of {best.iteration}, which is not on the "
        "scoreboard. Restore scores/ from git."
    )


def _means(name: str, row: Score) -> bool:
    if name in {row.candidate, row.iteration, row.iteration.partition("_")[0]}:
        return True
    return len(name) >= _SHORTEST_COMMIT and row.commit.startswith(name.lower())
