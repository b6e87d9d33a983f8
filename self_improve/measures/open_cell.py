"""One cell opened for measuring: the texts that its rubric reads, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rubrics.rubric import MetricUse
from self_improve.measures.catalogue import catalogue
from self_improve.measures.metric import AcrossMetric, Measurement
from self_improve.measures.subject import Item, Subject, material
from self_improve.measures.text_groups import Pool
from self_improve.records.cell_reading import CellReading, Content


def facts_of(cell: CellReading, content: Content | None) -> dict[str, float | None]:
    """Return what a cell cost, as far as its record says."""
    usage = cell.usage
    wall = _number(usage.get("duration_seconds"))
    queued = _number(usage.get("queued_seconds")) or 0.0
    calls = _number(usage.get("calls"))
    if calls is None and content is not None and content.replies:
        calls = float(len(content.replies))
    return {
        "seconds": None if wall is None else max(wall - queued, 0.0),
        "wall": wall,
        "calls": calls,
        "attempts": _number(usage.get("attempts")),
        "input_tokens": _number(usage.get("input_tokens")),
        "output_tokens": _number(usage.get("output_tokens")),
        "cost": _number(usage.get("cost_usd")),
        "prompt_chars": _number(content.prompt_chars) if content is not None else None,
    }


def cost_fields(cell: CellReading, content: Content | None) -> dict[str, Any]:
    """Return the fields of a measured cell that hold its costs."""
    facts = facts_of(cell, content)
    whole = ("calls", "attempts", "input_tokens", "output_tokens")
    counts = {name: None if (n := facts[name]) is None else int(n) for name in whole}
    return {**counts, "seconds": facts["wall"], "cost": facts["cost"]}


def _number(value: Any) -> float | None:
    """Return a cost as a number, or None if the record holds no valid one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


@dataclass(frozen=True, kw_only=True)
class OpenCell:
    """A cell whose content was read: its cleaned form and its replies, ready to be measured."""

    content: Content
    clean: Subject
    replies: Subject

    def subject(self, use: MetricUse) -> Subject:
        """Return what a use of a metric measures."""
        return self.replies if use.of == "replies" else self.clean


def open_cell(cell: CellReading) -> OpenCell:
    """Return a cell with its content read.

    Raises:
        Refusal: its content cannot be measured.
    """
    content = cell.content()
    shared: dict[str, Any] = {
        "plan": cell.plan, "rubric": cell.rubric, "input": material(content.input),
        "snapshot": material(content.snapshot), "prompt": material(content.prompt), "pool": Pool(),
        "facts": facts_of(cell, content),
    }  # fmt: skip
    items = [
        Item(call=call, value=value)
        for call, reply in enumerate(content.replies, start=1)
        for value in reply
    ]
    replies = Subject(items=items, calls=len(content.replies), **shared)
    clean = Subject(
        items=[Item(call=0, value=value) for value in content.clean],
        calls=0, replies=replies, **shared,
    )  # fmt: skip
    return OpenCell(content=content, clean=clean, replies=replies)


def measurements(
    uses: Iterable[MetricUse], cells: Sequence[OpenCell]
) -> Iterator[tuple[MetricUse, int, Measurement]]:
    """Yield what each use measures in the cells of one run, with the index of the cell."""
    for use in uses:
        metric: Any = catalogue()[use.metric]
        if hasattr(metric, "measure"):
            values = [metric.measure(cell.subject(use), use) for cell in cells]
        else:
            values = _across(metric, [cell.subject(use) for cell in cells], use)
        for number, value in enumerate(values):
            if value is not None and math.isfinite(value.value):
                yield use, number, value


def _across(
    metric: AcrossMetric, subjects: Sequence[Subject], use: MetricUse
) -> list[Measurement | None]:
    """Return what a metric measures in each cell by what the cells of other plans hold."""
    plans = [subject.plan for subject in subjects]
    gathered = [metric.gather(subject, use) for subject in subjects]
    values = metric.across(plans, gathered, use)
    return [
        None
        if value is None
        else Measurement(value, partial(metric.spans, subject, plans, gathered, use))
        for subject, value in zip(subjects, values, strict=True)
    ]
