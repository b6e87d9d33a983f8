"""What a loop came to, as a table and as a page of the data repo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from prompt_lab import atomic
from prompt_lab.layout import Layout
from self_improve.forge import markup
from self_improve.full_plan.place import Place as Comparison
from self_improve.optimizer.rounds import Round, StepEnd

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
    rows = [_HEAD, *_rows(ends)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


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
