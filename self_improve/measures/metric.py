"""What a metric is: one file in `metrics/`, with one function of one of four forms.

The file's docstring tells definition, unit, range and source; the file's name is the metric's. It
may name `PARAMETERS`, its settings with their defaults, which a rubric can change. All values of a
metric lie within `RANGE`, and a value that is undefined is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from rubrics.rubric import MetricUse
from self_improve.measures.measured import MeasuredCell
from self_improve.measures.subject import Subject, Units
from self_improve.measures.tokens import Numbers

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of text that made a number: where it stands, its text, and why it counts."""

    where: str
    text: str
    start: int
    end: int
    note: str = ""


@dataclass(frozen=True)
class Measured:
    """A value, and what shows the stretches of text that made it."""

    value: float
    spans: Callable[[], Iterable[Span]] = tuple


class _Described(Protocol):
    __doc__: str | None
    UNIT: str
    RANGE: Range


@runtime_checkable
class CellMetric(_Described, Protocol):
    """Measures one cell."""

    def measure(self, subject: Subject, use: MetricUse) -> Measured | None:
        """Return the cell's value, or None where it is undefined."""
        ...


@runtime_checkable
class AcrossMetric(_Described, Protocol):
    """Measures each cell of a run by what the cells of other plans hold.

    What is gathered of a cell is small, because that of all cells is kept at once.
    """

    def gather(self, subject: Subject, use: MetricUse) -> Numbers:
        """Return what of a cell is held against the other cells."""
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
    known: Mapping[str, Any] = getattr(metric, "PARAMETERS", {})
    return known


def setting(use: MetricUse, defaults: Mapping[str, Any], name: str) -> Any:
    """Return one setting of a metric: as the rubric has it, or the default."""
    return use.parameters.get(name, defaults[name])


def marked(units: Units, chosen: Iterable[int], note: str = "") -> Iterator[Span]:
    """Yield the whole texts of the units with these numbers."""
    for number in chosen:
        unit = units.all[number]
        yield Span(
            where=unit.where, text=unit.text.string, start=0, end=len(unit.text.string), note=note
        )


def share(units: Units, chosen: Sequence[int], note: str = "") -> Measured | None:
    """Return the share of the texts that were chosen, and show those; None without any text."""
    if not len(units):
        return None
    return Measured(len(chosen) / len(units), lambda: marked(units, chosen, note))
