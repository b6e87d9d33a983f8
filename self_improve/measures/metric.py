"""What a metric is: a file in `metrics/` with one function of one of four forms.

The file's docstring gives definition, unit, range and source; the file's name is the metric's. It
may have `PARAMETERS`, its settings with their defaults, which a rubric can change. All values of a
metric lie within `RANGE`, and a value that is undefined is None. A file may instead hold several
metrics by name, as objects of one of these forms, in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from rubrics.rubric import MetricUse
from self_improve.measures import tokens
from self_improve.measures.measured import MeasuredCell
from self_improve.measures.subject import Subject, Units
from self_improve.measures.text_groups import Grams
from self_improve.measures.tokens import Numbers

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of text that made a number: where it is, the text around it, and why it counts."""

    where: str
    text: str
    start: int
    end: int
    note: str = ""

    @classmethod
    def whole(cls, where: str, text: str, note: str = "") -> Span:
        """Return the span of a whole text."""
        return cls(where=where, text=text, start=0, end=len(text), note=note)


@dataclass(frozen=True)
class Measurement:
    """A value, and a function that returns the stretches of text that made it."""

    value: float
    spans: Callable[[], Iterable[Span]] = tuple


class _Described(Protocol):
    __doc__: str | None
    UNIT: str
    RANGE: Range


@runtime_checkable
class CellMetric(_Described, Protocol):
    """Measures one cell."""

    def measure(self, subject: Subject, use: MetricUse) -> Measurement | None:
        """Return the cell's value, or None where it is undefined."""
        ...


@runtime_checkable
class AcrossMetric(_Described, Protocol):
    """Measures each cell of a run by what the cells of other plans hold.

    What is gathered of a cell must be small, because that of all cells is in memory at once.
    """

    def gather(self, subject: Subject, use: MetricUse) -> Numbers:
        """Return what of a cell is compared with the other cells."""
        ...

    def across(
        self, plans: Sequence[str], gathered: Sequence[Numbers], use: MetricUse
    ) -> Sequence[float | None]:
        """Return the value of each cell, in order."""
        ...

    def spans(
        self, subject: Subject, plans: Sequence[str], gathered: Sequence[Numbers], use: MetricUse
    ) -> Iterable[Span]:
        """Return what made the value of one of the cells."""
        ...


@runtime_checkable
class PairMetric(_Described, Protocol):
    """Measures a cell against its counterpart on the other side, or in the baseline plan."""

    def between(self, before: MeasuredCell, after: MeasuredCell, use: MetricUse) -> float | None:
        """Return the value of `after`, or None where it is undefined."""
        ...


@runtime_checkable
class RunMetric(_Described, Protocol):
    """Measures the cells of one run together."""

    def summarise(self, cells: Sequence[MeasuredCell]) -> Mapping[str, float]:
        """Return the run's values by name; what is undefined is left out."""
        ...


Metric = CellMetric | AcrossMetric | PairMetric | RunMetric


def parameters(metric: Metric) -> Mapping[str, Any]:
    """Return the settings of a metric with their defaults."""
    defaults: Mapping[str, Any] = getattr(metric, "PARAMETERS", {})
    return defaults


def setting(use: MetricUse, defaults: Mapping[str, Any], name: str) -> Any:
    """Return one setting of a metric: as the rubric has it, or the default."""
    return use.parameters.get(name, defaults[name])


def whole_texts(units: Units, chosen: Iterable[int], note: str = "") -> Iterator[Span]:
    """Yield the whole texts of the units with these numbers."""
    for number in chosen:
        unit = units.all[number]
        yield Span.whole(unit.where, unit.text.string, note)


def gram_spans(units: Units, grams: Grams, size: int, indexes: Iterable[int]) -> Iterator[Span]:
    """Yield the n-grams of `size` tokens with these indexes, each inside its text."""
    for index in indexes:
        unit, start = units.all[int(grams.owners[index])], int(grams.starts[index])
        text = unit.text.string
        first, last = tokens.spans(text, start, start + size) or (0, len(text))
        yield Span(where=unit.where, text=text, start=first, end=last)


def share(units: Units, chosen: Sequence[int], note: str = "") -> Measurement | None:
    """Return the share of the chosen texts, which are its spans; None without any text."""
    if not len(units):
        return None
    return Measurement(len(chosen) / len(units), lambda: whole_texts(units, chosen, note))
