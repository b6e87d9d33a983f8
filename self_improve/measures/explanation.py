"""What made a number: the cells of a measure, and the stretches of text that count in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_gateway.suggestions import did_you_mean
from rubrics.rubric import MetricUse, Rubric
from self_improve.errors import UsageError
from self_improve.measures.catalogue import catalogue
from self_improve.measures.metric import Measured, PairMetric, RunMetric, Span
from self_improve.measures.open_cell import OpenCell, measured_by, opened
from self_improve.records import run_reading
from self_improve.records.run_reading import CellReading, Refusal

MOST_SPANS = 12
_AROUND = 60


@dataclass(frozen=True, kw_only=True)
class Explained:
    """One cell's value, and what in its texts made it."""

    cell: CellReading
    value: float
    spans: Sequence[Span]


def chosen(rubric: Rubric, name: str) -> list[MetricUse]:
    """Return the uses that `name` means: an id, or a metric with all its uses.

    Raises:
        UsageError: the rubric uses no such metric.
    """
    uses = [use for use in rubric.metrics if name in {use.id, use.metric}]
    if not uses and isinstance(catalogue().get(name), RunMetric):
        raise UsageError(
            f"{name} is one number of a whole run, so no text explains it: it stands under the "
            "table of `evaluate RUN`, and `--csv FILE` writes how each cell ended."
        )
    if not uses:
        hint = did_you_mean(name, (use.id for use in rubric.metrics))
        raise UsageError(f"The rubric of {rubric.step} has no measure {name!r}.{hint}")
    return uses


def explain(path: Path, rubric: Rubric, use: MetricUse) -> Iterator[Explained]:
    """Yield each cell of a run for which a measure is defined, with the spans behind it.

    Raises:
        UsageError: there is no run, or not of this step, or the measure needs another side.
    """
    if isinstance(catalogue()[use.metric], PairMetric):
        raise UsageError(
            f"{use.id} holds a cell against its baseline plan, so no text of the run explains it: "
            "`--csv FILE` writes its value for every cell."
        )
    cells: list[CellReading] = []
    found: list[OpenCell] = []
    for cell in run_reading.read(path, rubric):
        if cell.is_ok:
            try:
                found.append(opened(cell))
            except Refusal:
                continue
            cells.append(cell)
    for _, place, measured in measured_by([use], found):
        yield Explained(cell=cells[place], value=measured.value, spans=_spans(measured))


def _spans(measured: Measured) -> list[Span]:
    """Return the spans, with those that overlap in one text made one."""
    merged: list[Span] = []
    for span in measured.spans():
        last = merged[-1] if merged else None
        if (
            last is not None
            and (last.where, last.text, last.note) == (span.where, span.text, span.note)
            and span.start <= last.end
        ):
            end = max(last.end, span.end)
            merged[-1] = Span(
                where=last.where, text=last.text, start=last.start, end=end, note=last.note
            )
        else:
            merged.append(span)
    return merged


def lines(explained: Explained) -> Iterator[str]:
    """Yield the lines that show one cell."""
    cell = explained.cell
    repeat = f" · repeat {cell.repeat}" if cell.repeat else ""
    yield f"{cell.plan} · {cell.model}{repeat}: {explained.value:.4g}"
    for span in explained.spans[:MOST_SPANS]:
        note = f"  ({_flat(span.note, 120)})" if span.note else ""
        yield f"    {span.where}  {_shown(span)}{note}"
    if len(explained.spans) > MOST_SPANS:
        yield f"    and {len(explained.spans) - MOST_SPANS} more"


def to_row(use: MetricUse, path: Path, explained: Explained) -> dict[str, Any]:
    """Return one cell as plain JSON values, all of its spans included."""
    cell = explained.cell
    return {
        "run": str(path), "measure": use.id, "plan": cell.plan, "model": cell.model,
        "repeat": cell.repeat, "value": explained.value,
        "spans": [asdict(span) for span in explained.spans],
    }  # fmt: skip


def _shown(span: Span) -> str:
    before = _flat(span.text[max(span.start - _AROUND, 0) : span.start])
    after = _flat(span.text[span.end : span.end + _AROUND])
    middle = _flat(span.text[span.start : span.end], 240)
    return f"{'…' if span.start > _AROUND else ''}{before}»{middle}«{after}"


def _flat(text: str, most: int = 1000) -> str:
    """Return untrusted text in one line without control characters."""
    flat = "".join(c if c.isprintable() else " " for c in text)
    return flat if len(flat) <= most else f"{flat[:most]}…"
