"""The scoreboard: every tested candidate's gain, the best of each step, and what failed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from model_gateway.foreign_files import (
    MOST_RECORD,
    UnreadableFile,
    cause_of,
    read_json,
    read_json_object,
    read_table,
)
from model_gateway.jsonl import Appender, read_rows
from prompt_lab import atomic
from prompt_lab.claim import claim
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout

YES, BASELINE, ROLLBACK = "YES", "BASELINE", "ROLLBACK"
"""The last words of verdicts that change the score of a step."""
_SHOWN = 300
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row of the scoreboard.

    Scores are the rubric's composite against the step's first baseline, in its own unit;
    `interval` is that of `delta`. Values that were not measured are None, never 0. `iteration`
    identifies the row, so that it is written once however often the process is killed.
    """

    step: str
    date: str
    candidate: str
    baseline_score: float | None
    candidate_score: float | None
    best_score: float | None
    delta: float | None
    interval: tuple[float, float] | None
    verdict: str
    split: str
    models: tuple[str, ...]
    cost: float | None
    commit: str
    iteration: str

    @property
    def is_kept(self) -> bool:
        """Whether it became the best of its step."""
        return self.verdict.endswith(YES)

    @property
    def goes_back(self) -> bool:
        """Whether it restores an earlier best, which is not measured again."""
        return self.verdict.endswith(ROLLBACK)


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best candidate of a step, its commit and its pull request."""

    step: str
    candidate: str
    score: float | None
    commit: str
    pull_request: str
    iteration: str
    texts: Mapping[str, str]
    simulated: bool


_IDENTITY = {"iteration", "candidate"}
COLUMNS = tuple(field.name for field in fields(Score))


class Scores:
    """The files in `scores/`. Every iteration is appended to them once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def rows(self, step: str | None = None) -> list[Score]:
        """Return the rows of the scoreboard, of one step or of all, in the order of writing.

        Raises:
            LabError: the file cannot be read.
        """
        path = self._layout.scoreboard
        if not path.is_file():
            return []
        try:
            rows = [_score(row) for row in read_table(path, COLUMNS)]
        except UnreadableFile as error:
            raise _restorable(path, cause_of(error)) from error
        except (LookupError, ValueError) as error:
            raise _restorable(path, error) from error
        return [row for row in rows if step in {None, row.step}]

    def add(self, score: Score, details: Mapping[str, Any]) -> Score:
        """Append a row, and `details` to the history; return it, or the row that is there already.

        The first row of a step is its baseline. `best_score` is computed here: it never falls,
        except where an earlier best is restored.
        """
        with self._lock():
            rows = self.rows(score.step)
            for row in rows:
                if (row.iteration, row.candidate) == (score.iteration, score.candidate):
                    self._remember(row, details)
                    return row
            return self._append(score, details)

    def add_baseline(self, score: Score) -> None:
        """Append the first row of a step, unless the step has rows of other iterations.

        Of two iterations that begin at once, one writes it.
        """
        with self._lock():
            rows = self.rows(score.step)
            for row in rows:
                if (row.iteration, row.candidate) == (score.iteration, score.candidate):
                    # A kill may have come between scoreboard and history.
                    self._remember(row, {})
            if not rows:
                self._append(score, {})

    def add_failed(self, iteration: str, facts: Mapping[str, Any]) -> None:
        """Append a rejected candidate: its diff, where it failed, the reasons and the verdict."""
        with self._lock():
            if iteration not in {row.get("iteration") for row in self.failed()}:
                self._layout.scores.mkdir(parents=True, exist_ok=True)
                with Appender(self._layout.failed_attempts) as file:
                    file.append({"iteration": iteration, **facts}, sync=True)

    def failed(self, step: str | None = None) -> list[dict[str, Any]]:
        """Return the rejected candidates of one step, or of all."""
        rows = read_rows(self._layout.failed_attempts)[0]
        return [row for row in rows if step in {None, row.get("step")}]

    def best(self, step: str) -> Best | None:
        """Return the best candidate of a step, or None if it has none.

        Raises:
            LabError: the file cannot be read.
        """
        path = self._layout.best(step)
        if not path.is_file():
            return None
        try:
            return _best(read_json_object(path))
        except UnreadableFile as error:
            raise _restorable(path, cause_of(error)) from error
        except (ValueError, TypeError) as error:
            raise _restorable(path, error) from error

    def bests(self) -> list[Best]:
        """Return the best candidate of every step that has one, in the order of their names.

        Raises:
            LabError: a file cannot be read.
        """
        folder = self._layout.scores
        steps = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
        return [best for step in steps if (best := self.best(step)) is not None]

    def set_best(self, best: Best) -> Path:
        """Write the best candidate of a step; git holds the earlier ones."""
        path = self._layout.best(best.step)
        with self._lock():
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_json(path, asdict(best))
        return path

    def files(self) -> list[Path]:
        """Return the files that exist, for a commit."""
        return [path for path in (self._layout.scores,) if path.is_dir()]

    def history(self, step: str | None = None) -> list[dict[str, Any]]:
        """Return the rows of one step, or of all, with all measures.

        Raises:
            LabError: the file cannot be read.
        """
        path = self._layout.score_history
        try:
            history = read_json(path, most=MOST_RECORD) if path.is_file() else []
            rows = [dict(row) for row in history if step in {None, row["step"]}]
            if any(not row.keys() >= _IDENTITY for row in rows):
                raise _restorable(path, "a row names no iteration or no candidate")
        except UnreadableFile as error:
            raise _restorable(path, cause_of(error)) from error
        except (ValueError, TypeError, KeyError) as error:
            raise _restorable(path, repr(error)) from error
        return rows

    def _append(self, score: Score, details: Mapping[str, Any]) -> Score:
        row = replace(score, best_score=_best_score([*self.rows(score.step), score]))
        self._layout.scores.mkdir(parents=True, exist_ok=True)
        atomic.write(self._layout.scoreboard, _table([*self.rows(), row]).encode())
        self._remember(row, details)
        return row

    def _remember(self, row: Score, details: Mapping[str, Any]) -> None:
        history = self.history()
        if any((h["iteration"], h["candidate"]) == (row.iteration, row.candidate) for h in history):
            return
        atomic.write_json(self._layout.score_history, [*history, {**asdict(row), **details}])

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with claim(self._layout, "scores", wait_seconds=60.0):
            yield


def _restorable(path: Path, cause: object) -> LabError:
    line = " ".join(str(cause).split())
    return LabError(f"{path} cannot be used: {line[:_SHOWN]}. Restore it from git.")


def _best(row: Mapping[str, Any]) -> Best:
    """Return a best candidate.

    Raises:
        TypeError: the row lacks a value, or has one of another kind.
    """
    best = Best(**row)
    words = (best.step, best.candidate, best.commit, best.pull_request, best.iteration)
    texts = best.texts.items() if isinstance(best.texts, dict) else [(0, 0)]
    if (
        not all(isinstance(word, str) for word in words)
        or not all(isinstance(part, str) for pair in texts for part in pair)
        or not isinstance(best.score, (float, int, type(None)))
        or not isinstance(best.simulated, bool)
    ):
        raise TypeError("a value is of another kind")
    return best


def _best_score(rows: Sequence[Score]) -> float | None:
    """Return the best score after these rows of one step."""
    best: float | None = None
    for row in rows:
        if row.candidate_score is None:
            continue
        if row.goes_back:
            best = row.candidate_score
        elif row.is_kept or row.verdict == BASELINE:
            best = row.candidate_score if best is None else max(best, row.candidate_score)
    return best


def _table(rows: list[Score]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in asdict(row).items()} for row in rows)
    return file.getvalue()


def _cell(value: Any) -> Any:
    """Return a value for a cell; text that a spreadsheet would execute is marked as text."""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _score(row: Mapping[str, str]) -> Score:
    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    ends = [float(end) for end in row["interval"].split()]
    texts = ("step", "date", "candidate", "verdict", "split", "commit", "iteration")
    return Score(
        **{name: row[name].removeprefix("'") for name in texts},
        baseline_score=number("baseline_score"),
        candidate_score=number("candidate_score"),
        best_score=number("best_score"),
        delta=number("delta"),
        cost=number("cost"),
        interval=(ends[0], ends[1]) if ends else None,
        models=tuple(row["models"].split()),
    )
