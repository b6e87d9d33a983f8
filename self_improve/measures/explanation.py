"""Explains a number: the cells of a measure, and the stretches of text that count in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from model_gateway.suggestions import did_you_mean
from rubrics.rubric import MetricUse, Rubric
from self_improve.errors import UsageError
from self_improve.measures.catalogue import catalogue
from self_improve.measures.metric import Measurement, PairMetric, RunMetric, Span
from self_improve.measures.open_cell import OpenCell, measurements, open_cell
from self_improve.records import run_reading
from self_improve.records.cell_reading import CellReading, Refusal

MOST_SPANS = 12
_AROUND = 60


@dataclass(frozen=True, kw_only=True)
class ExplainedCell:
    """One cell's value, and the stretches of text behind it."""

    cell: CellReading
    value: float
    spans: Sequence[Span]


def uses_named(rubric: Rubric, name: str) -> list[MetricUse]:
    """Return the uses that `name` means: an id, or a metric with all its uses.

    Raises:
        UsageError: the rubric uses no such metric.
    """
    uses = [use for use in rubric.metrics if name in {use.id, use.metric}]
    if not uses and isinstance(catalogue().get(name), RunMetric):
        raise UsageError(
            f"{name} is one number for a whole run, so no text explains it: it is below the "
            "table of `evaluate RUN`, and `--csv FILE` writes how each cell ended."
        )
    if not uses:
        hint = did_you_mean(name, (use.id for use in rubric.metrics))
        raise UsageError(f"The rubric of {rubric.step} has no measure {name!r}.{hint}")
    return uses


def explain(path: Path, rubric: Rubric, use: MetricUse) -> Iterator[ExplainedCell]:
    """Yield each cell of a run for which a measure is defined, with the spans behind it.

    Raises:
        UsageError: there is no run, or not of this step, or the measure compares two sides.
    """
    if isinstance(catalogue()[use.metric], PairMetric):
        raise UsageError(
            f"{use.id} compares a cell with its baseline plan, so no text of the run explains it: "
            "`--csv FILE` writes its value for every cell."
        )
    readings: list[CellReading] = []
    cells: list[OpenCell] = []
    for reading in run_reading.read(path, rubric):
        if reading.is_ok:
            with suppress(Refusal):
                cells.append(open_cell(reading))
                readings.append(reading)
    for _, number, measured in measurements([use], cells):
        yield ExplainedCell(cell=readings[number], value=measured.value, spans=_spans(measured))


def _spans(measured: Measurement) -> list[Span]:
    """Return the spans, with those that overlap in one text merged."""
    merged: list[Span] = []
    for span in measured.spans():
        last = merged[-1] if merged else None
        if (
            last is not None
            and (last.where, last.text, last.note) == (span.where, span.text, span.note)
            and span.start <= last.end
        ):
            merged[-1] = replace(last, end=max(last.end, span.end))
        else:
            merged.append(span)
    return merged


def lines(explained: ExplainedCell) -> Iterator[str]:
    """Yield the lines that show one cell."""
    cell = explained.cell
    repeat = f" · repeat {cell.repeat}" if cell.repeat else ""
    yield f"{cell.plan} · {cell.model}{repeat}: {explained.value:.4g}"
    for span in explained.spans[:MOST_SPANS]:
        note = f"  ({_one_line(span.note, 120)})" if span.note else ""
        yield f"    {span.where}  {_excerpt(span)}{note}"
    if len(explained.spans) > MOST_SPANS:
        yield f"    and {len(explained.spans) - MOST_SPANS} more"


def to_row(use: MetricUse, path: Path, explained: ExplainedCell) -> dict[str, Any]:
    """Return one cell as plain JSON values, all of its spans included."""
    cell = explained.cell
    return {
        "run": str(path), "measure": use.id, "plan": cell.plan, "model": cell.model,
        "repeat": cell.repeat, "value": explained.value,
        "spans": [asdict(span) for span in explained.spans],
    }  # fmt: skip


def _excerpt(span: Span) -> str:
    before = _one_line(span.text[max(span.start - _AROUND, 0) : span.start])
    after = _one_line(span.text[span.end : span.end + _AROUND])
    middle = _one_line(span.text[span.start : span.end], 240)
    return f"{'…' if span.start > _AROUND else ''}{before}»{middle}«{after}"


def _one_line(text: str, most: int = 1000) -> str:
    """Return untrusted text in one line without control characters."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= most else f"{line[:most]}…"
