"""What the iterations of a loop came to: the best so far, what was gained, and when to stop."""

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
from self_improve.full_plan.folder import ComparisonFolder as Comparison
from self_improve.iteration import folder as places
from self_improve.iteration.decision import End
from self_improve.iteration.folder import IterationFolder
from self_improve.verdict import Word
from self_improve.verdict.noise import Noise

_HEAD = ("step", "iteration", "ends", "gain", "kept")


def write(
    layout: Layout, loop: str, ends: Sequence[StepEnd], compared: Sequence[Comparison] = ()
) -> Path:
    """Write the page of a loop anew from what its iterations recorded; return its path.

    `compared` are the comparisons of whole plans that it has begun.

    Raises:
        OSError: the data repo cannot be written.
    """
    path = layout.analysis / f"loop_{loop}.md"
    told = markup.page(
        f"# Loop {markup.line(loop)}",
        markup.table(_HEAD, _rows(ends)) if any(end.rounds for end in ends) else "",
        "## Why each step ended",
        "\n".join(f"- {markup.code(end.step)}: {markup.line(end.reason)}" for end in ends),
        "## Whole plans" if compared else "",
        "\n".join(f"- {markup.code(one.id)}: {_told(one)}" for one in compared),
        "Gains are composites over the best before, in scales of the step's rubric.",
    )
    layout.analysis.mkdir(parents=True, exist_ok=True)
    atomic.write(path, told.encode("utf-8", "replace"))
    return path


def table(ends: Sequence[StepEnd]) -> str:
    """Return the iterations as an aligned table."""
    return "\n".join(aligned([_HEAD, *_rows(ends)]))


def _rows(ends: Sequence[StepEnd]) -> Iterator[tuple[str, ...]]:
    for end in ends:
        yield from (_row(one) for one in end.rounds)


def _told(one: Comparison) -> str:
    result = one.result()
    return markup.line(result["told"]) if result is not None else "not ended"


def _row(one: Round) -> tuple[str, ...]:
    told = (", ".join(one.ends) or "nothing proposed") if one.finished else "not ended"
    gain = one.kept.gain if one.kept is not None else None
    return (
        one.step, one.place.id, told, "" if gain is None else f"{gain:+.2f}",
        one.kept.candidate if one.kept is not None else "",
    )  # fmt: skip


_TWO_SIDED = 1.96


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
    told: str
    gain: float | None
    deviation: float | None
    drift: float
    pairs: int

    @property
    def named(self) -> str:
        """How a pull request that stands on it refers to it."""
        number = self.pull_request
        return self.branch if number is None else f"pull request {number} ({self.branch})"

    def error(self, rubric: Rubric, noise: Noise) -> float:
        """Return the standard error of the gain, the noise between batches included.

        Where neither this iteration nor a calibration tells how far pairs scatter, twice the
        smallest effect that matters is assumed, as the evaluator does.
        """
        deviation = self.deviation or noise.composite_deviation or 2 * rubric.minimal_effect
        return deviation * self.drift / math.sqrt(max(1, self.pairs))


@dataclass(frozen=True, kw_only=True)
class Round:
    """One iteration of a loop; `ends` are those of its candidates, none if nothing was proposed."""

    place: IterationFolder
    step: str
    base: str
    finished: bool
    ends: tuple[str, ...] = ()
    kept: KeptCandidate | None = None


@dataclass(frozen=True, kw_only=True)
class StepEnd:
    """Why the loop went on from a step; `rounds` are its iterations."""

    step: str
    reason: str
    rounds: tuple[Round, ...]


def rounds_of(layout: Layout, loop: str) -> list[Round]:
    """Return the iterations of a loop in their order, as the data repo tells them."""
    return [
        read(place)
        for place in places.places(layout)
        if place.order.get("loop", {}).get("name") == loop
    ]


def read(place: IterationFolder) -> Round:
    """Return what an iteration came to."""
    order = place.order
    published = place.result(places.LAST_PHASE)
    rows: Mapping[str, Any] = (published or {}).get("candidates", {})
    return Round(
        place=place,
        step=order["step"],
        base=order["base"],
        finished=published is not None,
        ends=tuple(row["told"] for row in rows.values()),
        kept=_kept(place, rows) if rows else None,
    )


def _kept(place: IterationFolder, rows: Mapping[str, Any]) -> KeptCandidate | None:
    evaluated = (place.result("evaluate") or {})["candidates"]
    sides = {side["name"]: side for side in (place.result("branch") or {})["sides"]}
    opinions = place.result("analyse") or {}
    for name, row in rows.items():
        measured = evaluated[name]
        if not _goes_on(row["end"], measured["word"], opinions):
            continue
        composite = measured["composite"]
        return KeptCandidate(
            candidate=name, branch=sides[name]["branch"], commit=sides[name]["commit"],
            pull_request=sides[name]["pull_request"], told=row["told"], gain=composite["effect"],
            deviation=composite["deviation"], drift=composite["drift"], pairs=composite["pairs"],
        )  # fmt: skip
    return None


def _goes_on(end: str, word: str, opinions: Mapping[str, Any]) -> bool:
    """Return whether a loop builds on a candidate that ended so.

    It does on YES, and on what earned KEEP and is CONDITIONAL only because a check was skipped:
    that was the user's choice. It does not build on what somebody objected to.
    """
    if end == End.yes:
        return True
    doubted = bool(opinions.get("objections")) or opinions.get("judge") == -1
    return end == End.conditional and word == Word.keep and not doubted


def latest_kept(rounds: Sequence[Round]) -> KeptCandidate | None:
    """Return the best so far: every candidate that was kept was better than the one before."""
    return next((one.kept for one in reversed(rounds) if one.kept is not None), None)


def plateau(rounds: Sequence[Round], patience: int, rubric: Rubric, noise: Noise) -> str | None:
    """Say that the last iterations of a step gained nothing beyond the noise, or return None.

    The noise of a sum of independent gains is the root of the sum of their squared errors; a gain
    within 1.96 of it is none (a two-sided test at .05).
    """
    last = rounds[-patience:]
    if len(last) < patience:
        return None
    kept = [one.kept for one in last if one.kept is not None]
    gain = sum(one.gain or 0.0 for one in kept)
    noisy = _TWO_SIDED * math.sqrt(sum(one.error(rubric, noise) ** 2 for one in kept))
    if gain > noisy:
        return None
    many = f"the last {patience} iterations" if patience > 1 else "the last iteration"
    return f"{many} gained {gain:+.2f}, which is within the noise of {noisy:.2f}"
