"""The best candidates that a step has had, in order, and the choice among them by name."""

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
    """One best: its row of the scoreboard, with its details from the history."""

    score: Score
    details: Mapping[str, Any]
    simulated: bool

    @property
    def texts(self) -> dict[str, str]:
        """The changed texts by surface id; empty for a code change and for the baseline."""
        texts = self.details.get("texts")
        return {str(k): str(v) for k, v in texts.items()} if isinstance(texts, dict) else {}

    @property
    def is_baseline(self) -> bool:
        """Whether this is the code that the step's iterations began with."""
        return self.score.verdict == BASELINE

    @property
    def summary(self) -> str:
        """Its name in a line."""
        labelled = "SIMULATED " if self.simulated else ""
        return f"{labelled}{self.score.candidate} of {self.score.iteration}"


@dataclass(frozen=True, kw_only=True)
class Bests:
    """The bests of a step, the earliest first; `index` is that of the current one."""

    step: str
    entries: Sequence[Entry]
    index: int
    rows: Sequence[Score]
    rollback: Entry | None

    @property
    def current(self) -> Entry:
        """The best that the data repo names at present."""
        return self.entries[self.index]

    def of_key(self, iteration: str, candidate: str) -> Entry:
        """Return the best with this iteration and candidate.

        Raises:
            UsageError: it is no longer on the scoreboard.
        """
        for entry in self.entries:
            if (entry.score.iteration, entry.score.candidate) == (iteration, candidate):
                return entry
        raise UsageError(
            f"{candidate} of {iteration} is not on the scoreboard. Restore scores/ from git."
        )

    def before_current(self) -> Entry:
        """Return the best before the current one, skipping those of simulated models.

        Raises:
            UsageError: there is none.
        """
        earlier = [
            e for e in self.entries[: self.index] if self.current.simulated or not e.simulated
        ]
        if not earlier:
            raise UsageError(
                f"{self.step} has no earlier best than {self.current.summary}. List all with "
                "--list, and name one with --to."
            )
        return earlier[-1]

    def named(self, name: str) -> Entry:
        """Return the best with this name: a candidate, an iteration or its number, or a commit.

        Raises:
            UsageError: there is none, it is ambiguous, or it never was a best.
        """
        candidates = [e for e in self.entries if not e.is_baseline and _has_name(name, e.score)]
        baselines = [e for e in self.entries if e.is_baseline and _has_name(name, e.score)]
        matches = candidates or baselines
        if len({(e.score.candidate, e.score.commit) for e in matches}) > 1:
            summaries = "\n  ".join(e.summary for e in matches)
            raise UsageError(f"{name} may mean several bests of {self.step}:\n  {summaries}")
        if matches:
            return matches[-1]
        others = [row for row in self.rows if _has_name(name, row)]
        if others:
            row = others[-1]
            raise UsageError(
                f"{row.candidate} of {row.iteration} ended with {row.verdict}: it never was a best "
                f"of {self.step}. List those with --list."
            )
        raise UsageError(f"{self.step} has had no best called {name}. List all with --list.")


def read(layout: Layout, step: str) -> Bests:
    """Read the bests that a step has had.

    Raises:
        UsageError: it has none, or no candidate of it has a verdict.
        LabError: scoreboard, history or best cannot be read.
    """
    scores = Scores(layout)
    rows, best = scores.rows(step), scores.best(step)
    if not rows:
        steps = sorted({row.step for row in scores.rows()})
        raise UsageError(
            f"{layout.root.name} has no verdict on a candidate of {step}. "
            + (f"There are scores of: {', '.join(steps)}." if steps else "It has no scores yet.")
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
        step=step, entries=entries, index=_index(entries, best), rows=rows, rollback=last
    )  # fmt: skip


def _index(entries: Sequence[Entry], best: Best) -> int:
    """Return the index of the current best."""
    for index in range(len(entries) - 1, -1, -1):
        score = entries[index].score
        if (score.iteration, score.candidate) == (best.iteration, best.candidate):
            return index
    raise UsageError(
        f"The best of {best.step} is {best.candidate} of {best.iteration}, which is not on the "
        "scoreboard. Restore scores/ from git."
    )


def _has_name(name: str, row: Score) -> bool:
    if name in {row.candidate, row.iteration, row.iteration.partition("_")[0]}:
        return True
    return len(name) >= _SHORTEST_COMMIT and row.commit.startswith(name.lower())
