"""The iterations of a loop: what each gained, the best so far, when to stop, and their page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prompt_lab import atomic, markup
from prompt_lab.layout import Layout
from prompt_lab.tables import aligned
from rubrics.rubric import Rubric
from self_improve.full_plan.folder import ComparisonFolder
from self_improve.iteration.decision import End
from self_improve.iteration.folder import LAST_PHASE, IterationFolder
from self_improve.verdict import Word
from self_improve.verdict.noise import Noise

_TWO_SIDED = 1.96
_HEAD = ("step", "iteration", "ends", "gain", "kept")


@dataclass(frozen=True, kw_only=True)
class KeptCandidate:
    """The candidate of an iteration that the next one starts from.

    `gain` is its composite over the best before it, in scales of the rubric, with the standard
    deviation of the `pairs` of cells and the drift between batches; None is unknown.
    """

    candidate: str
    branch: str
    commit: str
    pull_request: int | None
    summary: str
    gain: float | None
    deviation: float | None
    drift: float
    pairs: int

    @property
    def label(self) -> str:
        """How pull requests that build on it refer to it."""
        number = self.pull_request
        return self.branch if number is None else f"pull request {number} ({self.branch})"

    def error(self, rubric: Rubric, noise: Noise) -> float:
        """Return the standard error of the gain, the noise between batches included.

        If neither this iteration nor a calibration gives the scatter of pairs, it is assumed to be
        twice the smallest effect that matters, as the evaluator does.
        """
        deviation = self.deviation or noise.composite_deviation or 2 * rubric.minimal_effect
        return deviation * self.drift / math.sqrt(max(1, self.pairs))


@dataclass(frozen=True, kw_only=True)
class Round:
    """One iteration of a loop; `ends` are those of its candidates, none if nothing was proposed."""

    folder: IterationFolder
    step: str
    base: str
    finished: bool
    ends: tuple[str, ...] = ()
    kept: KeptCandidate | None = None


@dataclass(frozen=True, kw_only=True)
class StepEnd:
    """Why the loop ended a step; `rounds` are its iterations."""

    step: str
    reason: str
    rounds: tuple[Round, ...]


def rounds_of(layout: Layout, loop: str) -> list[Round]:
    """Return the iterations of a loop in their order, as recorded in the data repo."""
    return [
        read(folder)
        for folder in IterationFolder.all(layout)
        if folder.identity.get("loop", {}).get("name") == loop
    ]


def read(folder: IterationFolder) -> Round:
    """Return an iteration with its result so far."""
    identity = folder.identity
    published = folder.result(LAST_PHASE)
    rows: Mapping[str, Any] = (published or {}).get("candidates", {})
    return Round(
        folder=folder,
        step=identity["step"],
        base=identity["base"],
        finished=published is not None,
        ends=tuple(row["told"] for row in rows.values()),
        kept=_kept(folder, rows) if rows else None,
    )


def _kept(folder: IterationFolder, rows: Mapping[str, Any]) -> KeptCandidate | None:
    evaluated = (folder.result("evaluate") or {})["candidates"]
    sides = {side["name"]: side for side in (folder.result("branch") or {})["sides"]}
    opinions = folder.result("analyse") or {}
    for name, row in rows.items():
        evaluation, side = evaluated[name], sides[name]
        if not _is_kept(row["end"], evaluation["word"], opinions):
            continue
        composite = evaluation["composite"]
        return KeptCandidate(
            candidate=name, branch=side["branch"], commit=side["commit"],
            pull_request=side["pull_request"], summary=row["told"], gain=composite["effect"],
            deviation=composite["deviation"], drift=composite["drift"], pairs=composite["pairs"],
        )  # fmt: skip
    return None


def _is_kept(end: str, word: str, opinions: Mapping[str, Any]) -> bool:
    """Return whether a loop builds on a candidate with this end.

    It does after YES, and after KEEP if it is CONDITIONAL only because a check was skipped, which
    was the user's choice. It does not after an objection or if the judge prefers the old.
    """
    if end == End.yes:
        return True
    doubted = bool(opinions.get("objections")) or opinions.get("judge") == -1
    return end == End.conditional and word == Word.keep and not doubted


def latest_kept(rounds: Sequence[Round]) -> KeptCandidate | None:
    """Return the best so far: every kept candidate was better than the one before."""
    return next((one.kept for one in reversed(rounds) if one.kept is not None), None)


def plateau(rounds: Sequence[Round], patience: int, rubric: Rubric, noise: Noise) -> str | None:
    """Return a sentence if the last iterations of a step gained nothing beyond noise, else None.

    The noise of a sum of independent gains is the root of the sum of their squared errors; a gain
    within 1.96 of it does not count (a two-sided test at .05).
    """
    last = rounds[-patience:]
    if len(last) < patience:
        return None
    candidates = [one.kept for one in last if one.kept is not None]
    gain = sum(one.gain or 0.0 for one in candidates)
    threshold = _TWO_SIDED * math.sqrt(sum(one.error(rubric, noise) ** 2 for one in candidates))
    if gain > threshold:
        return None
    iterations = f"the last {patience} iterations" if patience > 1 else "the last iteration"
    return f"{iterations} gained {gain:+.2f}, which is within the noise of {threshold:.2f}"


def write(
    layout: Layout, loop: str, ends: Sequence[StepEnd], compared: Sequence[ComparisonFolder] = ()
) -> Path:
    """Write the page of a loop from the records of its iterations, and return its path.

    `compared` are the comparisons of whole plans that it has begun.

    Raises:
        OSError: the data repo cannot be written.
    """
    path = layout.analysis / f"loop_{loop}.md"
    page = markup.page(
        f"# Loop {markup.line(loop)}",
        markup.table(_HEAD, _rows(ends)) if any(end.rounds for end in ends) else "",
        "## Why each step ended",
        "\n".join(f"- {markup.code(end.step)}: {markup.line(end.reason)}" for end in ends),
        "## Whole plans" if compared else "",
        "\n".join(f"- {markup.code(one.id)}: {_result(one)}" for one in compared),
        "A gain is the composite over the best before, in scales of the step's rubric.",
    )
    layout.analysis.mkdir(parents=True, exist_ok=True)
    atomic.write(path, page.encode("utf-8", "replace"))
    return path


def table(ends: Sequence[StepEnd]) -> str:
    """Return the iterations as an aligned table."""
    return "\n".join(aligned([_HEAD, *_rows(ends)]))


def _rows(ends: Sequence[StepEnd]) -> Iterator[tuple[str, ...]]:
    for one in (one for end in ends for one in end.rounds):
        result = (", ".join(one.ends) or "nothing proposed") if one.finished else "unfinished"
        gain = one.kept.gain if one.kept is not None else None
        yield (
            one.step, one.folder.id, result, "" if gain is None else f"{gain:+.2f}",
            one.kept.candidate if one.kept is not None else "",
        )  # fmt: skip


def _result(comparison: ComparisonFolder) -> str:
    result = comparison.result()
    return markup.line(result["told"]) if result is not None else "unfinished"
