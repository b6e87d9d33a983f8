"""Measuring a run: each of its cells by the rubric, what is undefined left out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from prompt_lab.baselines import Baselines, beside
from prompt_lab.record import Evidence
from rubrics.rubric import Rubric
from self_improve.measures.catalogue import catalogue, check
from self_improve.measures.measured import MeasuredCell, MeasuredRun
from self_improve.measures.metric import AcrossMetric, CellMetric, PairMetric, RunMetric
from self_improve.measures.open_cell import OpenCell, costs_of, measured_by, opened
from self_improve.measures.store import Store, code_digest
from self_improve.measures.subject import texts_at
from self_improve.measures.tokens import Numbers
from self_improve.records import run_reading
from self_improve.records.run_reading import CellReading, Refusal

_FIELDS = (
    "succeeded", "partial", "failure_kind", "items", "lengths", "values", "calls", "attempts",
    "prompt_chars", "seconds", "input_tokens", "output_tokens", "cost",
)  # fmt: skip


def measure(
    path: Path,
    rubric: Rubric,
    *,
    baselines: Baselines | None = None,
    store: Store | None = None,
) -> MeasuredRun:
    """Return the measures of the run that lies at `path`; see `Measurer`.

    Raises:
        UsageError: there is no run, or not of this step, or the rubric asks for the impossible.
    """
    return Measurer(rubric, baselines=baselines, store=store).run(path)


class Measurer:
    """Measures runs by one rubric, with what the store holds of them.

    `baselines` are the plans that lengths are held against; by default those of the data repo that
    a run lies in. `under_way` says of runs that are not finished what they have sent by now, by
    their directory (see `reading.read`).

    Raises:
        UsageError: the rubric asks for what cannot be measured.
    """

    def __init__(
        self,
        rubric: Rubric,
        *,
        baselines: Baselines | None = None,
        store: Store | None = None,
        under_way: Mapping[Path, Mapping[str, Any]] | None = None,
    ) -> None:
        check(rubric)
        self._under_way = under_way or {}
        self._rubric = rubric
        self._baselines = baselines
        self._store = store
        forms = [(use, catalogue()[use.metric]) for use in rubric.metrics]
        self._ids = [use.id for use in rubric.metrics]
        self._own = [use for use, metric in forms if isinstance(metric, CellMetric)]
        self._across = [(use, m) for use, m in forms if isinstance(m, AcrossMetric)]
        self._pairs = [(use, m) for use, m in forms if isinstance(m, PairMetric)]
        self._plans: dict[Path, MeasuredCell] = {}

    def run(self, path: Path, only: Collection[tuple[str, int]] | None = None) -> MeasuredRun:
        """Return the measures of the run that lies at `path`.

        `only` are the plans and repeats to measure, as if no others had been run.

        Raises:
            UsageError: there is no run, or not of this step.
        """
        record = run_reading.read(path, self._rubric, self._under_way.get(path))
        given = self._baselines or beside(path)
        chosen = [c for c in record.cells if only is None or (c.plan, c.repeat) in only]
        cells = self.of(chosen, given)
        return MeasuredRun(
            path=path,
            step=self._rubric.step,
            model=record.run.model,
            rubric_version=self._rubric.version,
            cells=tuple(cells),
            evidence=record.evidence,
            reasons=record.reasons,
            summary=_summary(cells),
        )

    def of(self, read: Sequence[CellReading], given: Baselines) -> list[MeasuredCell]:
        """Return the measures of cells that stand together, wherever they were read.

        `given` are the plans that lengths are held against.
        """
        return [self._against(cell, given.plan(cell.plan)) for cell in self._cells(read)]

    def baseline(self, run: MeasuredRun) -> MeasuredRun:
        """Return the baseline plans of a run's cells, measured as if a run had made them.

        Its cells carry the keys of the run's cells, so that each is paired with its baseline plan;
        a cell whose plan is not there has no counterpart. Costs are unknown.
        """
        given = self._baselines or beside(run.path)
        plans = sorted({cell.plan for cell in run.cells})
        folders = {plan: folder for plan in plans if (folder := given.plan(plan)) is not None}
        read = [run_reading.plan_cell(*pair, self._rubric) for pair in folders.items()]
        found = {cell.plan: self._against(cell, folders[cell.plan]) for cell in self._cells(read)}
        cells = tuple(
            _fitted(found[cell.plan], model=cell.model, repeat=cell.repeat)
            for cell in run.cells
            if cell.plan in found
        )
        return MeasuredRun(
            path=next(iter(folders.values())).parent if folders else run.path,
            step=run.step,
            model=run.model,
            rubric_version=self._rubric.version,
            cells=cells,
            evidence=Evidence.historical,
            reasons=("a baseline plan is no run: its settings and attempts are unknown",),
            summary=_summary(cells),
        )

    @cached_property
    def _key(self) -> bytes:
        """The digest of what is measured and how."""
        told = self._rubric.model_dump(
            mode="json", include={"step", "version", "clean", "replies", "name_field", "quantity"}
        )
        uses = [
            [use.metric, use.of, list(use.fields), use.parameters] for use in self._rubric.metrics
        ]
        text = json.dumps([told, uses], sort_keys=True, default=str)
        return code_digest().encode() + text.encode()

    def _key_of(self, cell: CellReading) -> str:
        if self._store is None:
            return ""
        return hashlib.sha256(self._key + cell.digest.encode()).hexdigest()

    def _cells(self, read: Sequence[CellReading]) -> list[MeasuredCell]:
        """Return the measures of cells that stand together in one run."""
        keys: list[str] = []
        rows: list[dict[str, Any]] = []
        gathered: dict[int, list[Numbers]] = {}
        for number, cell in enumerate(read):
            key = self._key_of(cell)
            row = _sound(self._store.get(key)) if self._store is not None else None
            if row is None:
                row, found = self._measured(cell)
                if found is not None:
                    gathered[number] = self._gathered(found)
                if self._store is not None:
                    self._store.put(key, row)
            cell.forget()
            keys.append(key)
            rows.append(row)
        for row, more in zip(rows, self._shared(read, keys, rows, gathered), strict=True):
            row["values"] = self._in_order({**row["values"], **more})
        return [
            MeasuredCell(plan=cell.plan, model=cell.model, repeat=cell.repeat, **row)
            for cell, row in zip(read, rows, strict=True)
        ]

    def _against(self, cell: MeasuredCell, folder: Path | None) -> MeasuredCell:
        """Return a cell with the measures that hold it against its baseline plan."""
        if folder is None or not self._pairs or not cell.succeeded:
            return cell
        if folder not in self._plans:
            read = run_reading.plan_cell(cell.plan, folder, self._rubric)
            self._plans[folder] = self._cells([read])[0]
        more = {}
        for use, metric in self._pairs:
            value = metric.between(self._plans[folder], cell, use)
            if value is not None and math.isfinite(value):
                more[use.id] = value
        return _fitted(cell, values=self._in_order({**cell.values, **more}))

    def _measured(self, cell: CellReading) -> tuple[dict[str, Any], OpenCell | None]:
        row: dict[str, Any] = {
            "succeeded": False, "partial": cell.partial, "failure_kind": cell.failure_kind,
            "items": None, "lengths": {}, "values": {}, "prompt_chars": None,
        }  # fmt: skip
        if not cell.is_ok:
            return {**row, **costs_of(cell, None)}, None
        try:
            found = opened(cell)
        except Refusal as refusal:
            return {**row, "failure_kind": refusal.kind, **costs_of(cell, None)}, None
        values = {use.id: value.value for use, _, value in measured_by(self._own, [found])}
        row |= {
            "succeeded": True, "failure_kind": None, "items": len(found.clean.items),
            "lengths": self._lengths(found), "values": values,
            "prompt_chars": found.content.prompt_chars,
        }  # fmt: skip
        return {**row, **costs_of(cell, found.content)}, found

    def _lengths(self, cell: OpenCell) -> dict[str, float]:
        """Return the mean length in characters of the texts in each field of the cleaned form."""
        clean = [use for use in self._rubric.metrics if use.of == "clean"]
        uses = [name for use in clean for name in use.fields or ("",)]
        found = {}
        for name in dict.fromkeys((*uses, *self._rubric.quantity.required)):
            lengths = [
                len(text) for item in cell.clean.items for text in texts_at(item.value, name)
            ]
            if lengths:
                found[name] = sum(lengths) / len(lengths)
        return found

    def _shared(
        self,
        read: Sequence[CellReading],
        keys: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        gathered: Mapping[int, list[Numbers]],
    ) -> list[dict[str, float]]:
        """Return the measures of each cell that depend on the other cells of the run."""
        found: list[dict[str, float]] = [{} for _ in read]
        done = [number for number, row in enumerate(rows) if row["succeeded"]]
        if not self._across or not done:
            return found
        key = hashlib.sha256(b"across" + "".join(keys).encode()).hexdigest()
        known = _values(self._store.get(key), len(read)) if self._store is not None else None
        if known is None:
            plans = [read[number].plan for number in done]
            every = [gathered.get(number) or self._gathered_again(read[number]) for number in done]
            for (use, metric), column in zip(self._across, zip(*every, strict=True), strict=True):
                values = metric.across(plans, column, use)
                for number, value in zip(done, values, strict=True):
                    if value is not None and math.isfinite(value):
                        found[number][use.id] = value
            if self._store is not None:
                self._store.put(key, found)
            return found
        return known

    def _gathered(self, cell: OpenCell) -> list[Numbers]:
        """Return what of a cell is held against the other cells of its run."""
        return [metric.gather(cell.subject(use), use) for use, metric in self._across]

    def _gathered_again(self, cell: CellReading) -> list[Numbers]:
        """Return the same of a cell whose own measures were found in the store."""
        found = self._gathered(opened(cell))
        cell.forget()
        return found

    def _in_order(self, values: Mapping[str, float]) -> dict[str, float]:
        return {name: values[name] for name in self._ids if name in values}


def _summary(cells: Sequence[MeasuredCell]) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in _run_metrics():
        found |= metric.summarise(cells)
    return found


@cache
def _run_metrics() -> tuple[RunMetric, ...]:
    return tuple(metric for metric in catalogue().values() if isinstance(metric, RunMetric))


def _fitted(cell: MeasuredCell, **changes: Any) -> MeasuredCell:
    return MeasuredCell(**{**vars(cell), **changes})


def _sound(row: Any) -> dict[str, Any] | None:
    """Return a row of the store, or None if it is not what this code writes."""
    return row if isinstance(row, dict) and row.keys() == set(_FIELDS) else None


def _values(kept: Any, count: int) -> list[dict[str, float]] | None:
    """Return what the store holds of a run's cells, or None if it is not what this code writes."""
    if not isinstance(kept, list) or len(kept) != count:
        return None
    return [dict(one) for one in kept] if all(isinstance(one, dict) for one in kept) else None
