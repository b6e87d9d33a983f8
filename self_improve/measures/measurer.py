"""Measures a run: each of its cells by the rubric; undefined values are left out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from model_gateway.blame import UNREADABLE
from prompt_lab.baselines import Baselines, beside
from prompt_lab.record import Evidence
from rubrics.rubric import Rubric
from self_improve.errors import UsageError
from self_improve.measures.catalogue import catalogue, check
from self_improve.measures.measured import MeasuredCell, MeasuredRun, form_key
from self_improve.measures.metric import AcrossMetric, CellMetric, PairMetric, RunMetric
from self_improve.measures.open_cell import OpenCell, cost_fields, measurements, open_cell
from self_improve.measures.store import Store, code_digest
from self_improve.measures.subject import texts_at
from self_improve.measures.tokens import Numbers, is_closed
from self_improve.records import cell_reading, run_reading
from self_improve.records.cell_reading import CellReading, Refusal

_FIELDS = (
    "succeeded", "partial", "failure_kind", "items", "filled", "lengths", "texts", "closed",
    "lists", "values", "calls", "attempts", "prompt_chars", "seconds", "input_tokens",
    "output_tokens", "cost",
)  # fmt: skip


def measure(
    path: Path,
    rubric: Rubric,
    *,
    baselines: Baselines | None = None,
    store: Store | None = None,
) -> MeasuredRun:
    """Return the measures of the run in the directory `path`; see `Measurer`.

    Raises:
        UsageError: there is no run, or not of this step, or the rubric cannot be used.
    """
    return Measurer(rubric, baselines=baselines, store=store).run(path)


class Measurer:
    """Measures runs by one rubric, and reuses what the store holds of them.

    `baselines` are the plans that lengths are compared with; by default those of the data repo
    that contains a run. `under_way` says of unfinished runs what they have sent so far, by their
    directory (see `run_reading.read`).

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
        uses = [(use, catalogue()[use.metric]) for use in rubric.metrics]
        self._ids = [use.id for use in rubric.metrics]
        self._cell_uses = [use for use, metric in uses if isinstance(metric, CellMetric)]
        self._across_uses = [(use, m) for use, m in uses if isinstance(m, AcrossMetric)]
        self._pair_uses = [(use, m) for use, m in uses if isinstance(m, PairMetric)]
        self._pairs = [use for use, _ in self._pair_uses]
        self._baseline_cells: dict[Path, MeasuredCell] = {}

    def run(self, path: Path, only: Collection[tuple[str, int]] | None = None) -> MeasuredRun:
        """Return the measures of the run in the directory `path`.

        `only` are the plans and repeats to measure, as if no others had been run.

        Raises:
            UsageError: there is no run, or not of this step.
        """
        reading = run_reading.read(path, self._rubric, self._under_way.get(path))
        chosen = [c for c in reading.cells if only is None or (c.plan, c.repeat) in only]
        cells = self.cells(chosen, self._baselines or beside(path))
        return MeasuredRun(
            path=path,
            step=self._rubric.step,
            model=reading.run.model,
            rubric_version=self._rubric.version,
            cells=tuple(cells),
            evidence=reading.evidence,
            reasons=reading.reasons,
            summary=_summary(cells),
            faults=(*reading.soundness.faults, *reading.soundness.missing),
            notes=reading.soundness.notes,
        )

    def cells(self, readings: Sequence[CellReading], baselines: Baselines) -> list[MeasuredCell]:
        """Return the measures of cells that belong together, wherever they were read.

        `baselines` are the plans that lengths are compared with.
        """
        cells = self._without_pairs([
            replace(one, snapshot=one.snapshot or baselines.plan(one.plan)) for one in readings
        ])  # fmt: skip
        return [self._with_pairs(cell, baselines.plan(cell.plan)) for cell in cells]

    def baseline(self, run: MeasuredRun) -> MeasuredRun:
        """Return the baseline plans of a run's cells, measured like a run.

        Its cells carry the keys of the run's cells, so that each is paired with its baseline plan;
        a cell whose plan is missing has no counterpart. Costs are unknown.
        """
        baselines = self._baselines or beside(run.path)
        plans = sorted({cell.plan for cell in run.cells})
        folders = {plan: folder for plan in plans if (folder := baselines.plan(plan)) is not None}
        readings = [cell_reading.plan_cell(*pair, self._rubric) for pair in folders.items()]
        by_plan = {
            cell.plan: self._with_pairs(cell, folders[cell.plan])
            for cell in self._without_pairs(readings)
        }
        cells = tuple(
            replace(by_plan[cell.plan], model=cell.model, repeat=cell.repeat)
            for cell in run.cells
            if cell.plan in by_plan
        )
        return MeasuredRun(
            path=next(iter(folders.values())).parent if folders else run.path,
            step=run.step,
            model=run.model,
            rubric_version=self._rubric.version,
            cells=cells,
            evidence=Evidence.historical,
            reasons=("a baseline plan is not a run: its settings and attempts are unknown",),
            summary=_summary(cells),
        )

    @cached_property
    def _key(self) -> bytes:
        """The digest of what is measured and how."""
        rules = self._rubric.model_dump(
            mode="json", include={"step", "version", "clean", "replies", "name_field", "quantity"}
        )
        uses = [
            [use.metric, use.of, list(use.fields), use.parameters] for use in self._rubric.metrics
        ]
        text = json.dumps([rules, uses], sort_keys=True, default=str)
        return code_digest().encode() + text.encode()

    def _key_of(self, cell: CellReading) -> str:
        if self._store is None:
            return ""
        return hashlib.sha256(self._key + cell.digest.encode()).hexdigest()

    def _without_pairs(self, readings: Sequence[CellReading]) -> list[MeasuredCell]:
        """Return the measures that need no baseline plan, of the cells of one run."""
        keys: list[str] = []
        rows: list[dict[str, Any]] = []
        gathered: dict[int, list[Numbers]] = {}
        for number, reading in enumerate(readings):
            key = self._key_of(reading)
            row = _sound(self._store.get(key)) if self._store is not None else None
            if row is None:
                row, numbers = self._row_alone(reading)
                if numbers is not None:
                    gathered[number] = numbers
                if self._store is not None:
                    self._store.put(key, row)
            reading.forget()
            keys.append(key)
            rows.append(row)
        for row, more in zip(rows, self._across(readings, keys, rows, gathered), strict=True):
            row["values"] = self._in_order({**row["values"], **more})
        return [
            MeasuredCell(plan=reading.plan, model=reading.model, repeat=reading.repeat, **row)
            for reading, row in zip(readings, rows, strict=True)
        ]

    def _with_pairs(self, cell: MeasuredCell, folder: Path | None) -> MeasuredCell:
        """Return a cell with the measures that compare it with its baseline plan."""
        if folder is None or not self._pair_uses or not cell.succeeded:
            return cell
        if folder not in self._baseline_cells:
            reading = cell_reading.plan_cell(cell.plan, folder, self._rubric)
            self._baseline_cells[folder] = self._without_pairs([reading])[0]
        values = dict(cell.values)
        for use, metric in self._pair_uses:
            value = metric.between(self._baseline_cells[folder], cell, use)
            if value is not None and math.isfinite(value):
                values[use.id] = value
        return replace(cell, values=self._in_order(values))

    def _row_alone(self, reading: CellReading) -> tuple[dict[str, Any], list[Numbers] | None]:
        """Return the fields of a measured cell, and what is compared with other cells.

        Whatever goes wrong with what one cell holds is its failure, and none of the others'.
        """
        try:
            row, cell = self._row(reading)
            return row, None if cell is None else self._gathered(cell)
        except UsageError:
            raise  # A Git LFS pointer: the checkout lacks the file, and the cell has not failed.
        except (Exception, MemoryError):  # noqa: BLE001 - artifacts may hold anything
            unknown = dict.fromkeys(_FIELDS)
            failed = {"succeeded": False, "partial": False, "lengths": {}, "values": {}}
            return {**unknown, **failed, "failure_kind": UNREADABLE}, None

    def _row(self, reading: CellReading) -> tuple[dict[str, Any], OpenCell | None]:
        """Return the fields of a measured cell, and its content if it could be read."""
        row: dict[str, Any] = {
            "succeeded": False, "partial": reading.partial, "failure_kind": reading.failure_kind,
            "items": None, "filled": None, "lengths": {}, "texts": {}, "closed": {}, "lists": {},
            "values": {}, "prompt_chars": None,
        }  # fmt: skip
        if not reading.is_ok:
            return {**row, **cost_fields(reading, None)}, None
        try:
            cell = open_cell(reading)
        except Refusal as refusal:
            return {**row, "failure_kind": refusal.kind, **cost_fields(reading, None)}, None
        row |= {
            "succeeded": True, "failure_kind": None, "items": len(cell.clean.items),
            "filled": cell.clean.filled, "lists": cell.content.lists,
            "prompt_chars": cell.content.prompt_chars,
            "values": {use.id: one.value for use, _, one in measurements(self._cell_uses, [cell])},
            **self._forms(cell),
        }  # fmt: skip
        return {**row, **cost_fields(reading, cell.content)}, cell

    def _forms(self, cell: OpenCell) -> dict[str, dict[str, float]]:
        """Return what pairs compare: the texts in each field by their form."""
        named_fields: dict[tuple[str, str], None] = {
            (use.of, name): None
            for use in self._rubric.metrics
            if use.of == "clean" or (use.of == "replies" and use in self._pairs)
            for name in use.fields or ("",)
        }
        named_fields |= {("clean", name): None for name in self._rubric.quantity.required}
        forms: dict[str, dict[str, float]] = {"lengths": {}, "texts": {}, "closed": {}}
        for of, name in named_fields:
            items = (cell.replies if of == "replies" else cell.clean).items
            texts = [text for item in items for text in texts_at(item.value, name)]
            if not texts:
                continue
            key, said = form_key(name, of), [end for text in texts if (end := text.rstrip())]
            forms["lengths"][key] = sum(map(len, texts)) / len(texts)
            forms["texts"][key] = len(said)
            if said:
                forms["closed"][key] = sum(map(is_closed, said)) / len(said)
        return forms

    def _across(
        self,
        readings: Sequence[CellReading],
        keys: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        gathered: Mapping[int, list[Numbers]],
    ) -> list[dict[str, float]]:
        """Return the measures of each cell that depend on the other cells of the run."""
        values: list[dict[str, float]] = [{} for _ in readings]
        done = [number for number, row in enumerate(rows) if row["succeeded"]]
        if not self._across_uses or not done:
            return values
        key = hashlib.sha256(b"across" + "".join(keys).encode()).hexdigest()
        stored = self._store.get(key) if self._store is not None else None
        if isinstance(stored, list) and [type(one) for one in stored] == [dict] * len(readings):
            return stored
        plans = [readings[number].plan for number in done]
        every = [gathered.get(number) or self._gathered_again(readings[number]) for number in done]
        for (use, metric), column in zip(self._across_uses, zip(*every, strict=True), strict=True):
            for number, value in zip(done, metric.across(plans, column, use), strict=True):
                if value is not None and math.isfinite(value):
                    values[number][use.id] = value
        if self._store is not None:
            self._store.put(key, values)
        return values

    def _gathered(self, cell: OpenCell) -> list[Numbers]:
        """Return what of a cell is compared with the other cells of its run."""
        return [metric.gather(cell.subject(use), use) for use, metric in self._across_uses]

    def _gathered_again(self, reading: CellReading) -> list[Numbers]:
        """Return the same for a cell whose own measures came from the store."""
        gathered = self._gathered(open_cell(reading))
        reading.forget()
        return gathered

    def _in_order(self, values: Mapping[str, float]) -> dict[str, float]:
        return {name: values[name] for name in self._ids if name in values}


def _summary(cells: Sequence[MeasuredCell]) -> dict[str, float]:
    return {name: n for metric in _run_metrics() for name, n in metric.summarise(cells).items()}


@cache
def _run_metrics() -> tuple[RunMetric, ...]:
    return tuple(metric for metric in catalogue().values() if isinstance(metric, RunMetric))


def _sound(row: Any) -> dict[str, Any] | None:
    """Return a row of the store, or None if it is not what this code writes."""
    return row if isinstance(row, dict) and row.keys() == set(_FIELDS) else None
