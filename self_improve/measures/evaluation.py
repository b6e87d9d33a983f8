"""The measures of several runs in one table: a row per measure, with where it is worst."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from prompt_lab.record import Evidence
from rubrics.rubric import MetricUse, Rubric
from self_improve.measures.catalogue import catalogue
from self_improve.measures.measured import MeasuredCell, MeasuredRun

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measure over the cells for which it is defined; `worst` names where the mean is worst.

    `spread` is the standard deviation over cells, None with fewer than two.
    """

    use: MetricUse
    unit: str
    cells: int
    mean: float | None
    spread: float | None = None
    worst_model: tuple[str, float] | None = None
    worst_plan: tuple[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Runs of one step, measured."""

    rubric: Rubric
    runs: tuple[MeasuredRun, ...]
    rows: tuple[Row, ...]

    @property
    def cells(self) -> list[MeasuredCell]:
        """The cells of all runs."""
        return [cell for run in self.runs for cell in run.cells]

    @property
    def evidence(self) -> Evidence:
        """What all runs together count as."""
        return Evidence.weakest(run.evidence for run in self.runs)

    @property
    def reasons(self) -> list[str]:
        """Why the runs are not better evidence, each reason once."""
        return list(dict.fromkeys(reason for run in self.runs for reason in run.reasons))


def evaluate(rubric: Rubric, runs: Sequence[MeasuredRun]) -> Evaluation:
    """Return the measures of `runs` together."""
    cells = [cell for run in runs for cell in run.cells]
    return Evaluation(
        rubric=rubric,
        runs=tuple(runs),
        rows=tuple(_row(use, cells) for use in rubric.metrics),
    )


def _row(use: MetricUse, cells: Sequence[MeasuredCell]) -> Row:
    defined = [cell for cell in cells if use.id in cell.values]
    values = [cell.values[use.id] for cell in defined]
    return Row(
        use=use,
        unit=catalogue()[use.metric].UNIT,
        cells=len(values),
        mean=fmean(values) if values else None,
        spread=stdev(values) if len(values) > 1 else None,
        worst_model=_worst(use, defined, lambda cell: cell.model),
        worst_plan=_worst(use, defined, lambda cell: cell.plan),
    )


def _worst(
    use: MetricUse, cells: Sequence[MeasuredCell], name: Callable[[MeasuredCell], str]
) -> tuple[str, float] | None:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for cell in cells:
        groups[name(cell)].append(cell.values[use.id])
    means = sorted((group, fmean(values)) for group, values in groups.items())
    if len({value for _, value in means}) < 2:
        return None
    choose = max if use.direction == "lower" else min
    return choose(means, key=lambda pair: pair[1])


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return the evaluation as JSON values; keys are only ever added."""
    return {
        "schema_version": SCHEMA_VERSION,
        "step": evaluation.rubric.step,
        "rubric_version": evaluation.rubric.version,
        "evidence": evaluation.evidence,
        "reasons": evaluation.reasons,
        "runs": [_run(run) for run in evaluation.runs],
        "measures": [_measure(row) for row in evaluation.rows],
    }


def _run(run: MeasuredRun) -> dict[str, Any]:
    return {
        "path": str(run.path),
        "model": run.model,
        "evidence": run.evidence,
        "reasons": list(run.reasons),
        "summary": dict(run.summary),
        "cells": [_cell(cell) for cell in run.cells],
    }


def _cell(cell: MeasuredCell) -> dict[str, Any]:
    return {name: _plain(value) for name, value in vars(cell).items()}


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _measure(row: Row) -> dict[str, Any]:
    return {
        "id": row.use.id,
        "metric": row.use.metric,
        "of": row.use.of,
        "fields": list(row.use.fields),
        "direction": row.use.direction,
        "weight": row.use.weight,
        "scale": row.use.scale,
        "unit": row.unit,
        "cells": row.cells,
        "mean": row.mean,
        "spread": row.spread,
        "worst_model": _named(row.worst_model),
        "worst_plan": _named(row.worst_plan),
    }


def _named(worst: tuple[str, float] | None) -> dict[str, Any] | None:
    return None if worst is None else {"name": worst[0], "mean": worst[1]}
