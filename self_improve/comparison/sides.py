"""The runs of two sides: measured on the same cells, and paired."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from prompt_lab import layout
from prompt_lab.baselines import Baselines
from prompt_lab.layout import Layout
from prompt_lab.record import CellKey, Evidence
from rubrics.rubric import Rubric
from self_improve.comparison.comparability import Comparability
from self_improve.measures.measured import MeasuredCell, MeasuredRun
from self_improve.measures.measurer import Measurer
from self_improve.measures.store import Store, default_path
from self_improve.records.soundness import require_sound
from self_improve.runs.stopping import UnderWay
from self_improve.verdict.pairing import Pairing, pair, repeat_offsets


@contextmanager
def measurer_for(
    rubric: Rubric,
    folders: Sequence[Path] = (),
    lab: Layout | None = None,
    under_way: UnderWay | None = None,
) -> Iterator[Measurer]:
    """Give a measurer by a rubric, with the user's store.

    Args:
        rubric: what is measured.
        folders: directories of baseline plans that lengths are compared with.
        lab: the data repo whose baseline plans come after those.
        under_way: what unfinished runs have sent so far.
    """
    splits = [lab.split(split) for split in layout.SPLITS] if lab is not None else []
    baselines = Baselines((*folders, *splits)) if folders or splits else None
    with Store(default_path()) as store:
        yield Measurer(rubric, baselines=baselines, store=store, under_way=under_way)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Two sides, measured. With `is_baseline`, baseline plans are the side before."""

    before: tuple[MeasuredRun, ...]
    after: tuple[MeasuredRun, ...]
    is_baseline: bool = False

    @property
    def pairing(self) -> Pairing:
        """The cells that belong together."""
        return pair(self.before, self.after)

    @property
    def is_simulated(self) -> bool:
        """Whether a simulated model ran any of the cells."""
        return self._weakest is Evidence.simulated

    def evidence(self, records: Comparability) -> tuple[Evidence, tuple[str, ...]]:
        """Return what kind of evidence both sides are together, and why it is not better."""
        reasons = tuple(dict.fromkeys(reason for run in self._runs for reason in run.reasons))
        if self.is_simulated or not records.unknown:
            return self._weakest, reasons
        return Evidence.historical, (*reasons, f"unknown: {', '.join(records.unknown)}")

    @property
    def _runs(self) -> tuple[MeasuredRun, ...]:
        return (*self.before, *self.after)

    @property
    def _weakest(self) -> Evidence:
        return Evidence.weakest(run.evidence for run in self._runs)


def measure_sides(before: Sequence[Path], after: Sequence[Path], measurer: Measurer) -> Sides:
    """Measure two sides on the cells that succeeded on both.

    Some measures depend on the other cells of a run: a share of n-grams that three plans have in
    common is smaller in a run of three plans than in one of five.

    Args:
        before: the directories of the runs before; without any, the baseline plans are that side.
        after: those after.
        measurer: measures by the rubric of the step.

    Raises:
        UsageError: a run cannot be read.
    """
    return on_common_cells(whole_sides(before, after, measurer), measurer)


def whole_sides(before: Sequence[Path], after: Sequence[Path], measurer: Measurer) -> Sides:
    """Measure the runs of two sides, each on all of its cells (see `measure_sides`).

    Raises:
        UsageError: a run cannot be read, or was altered after it was finished.
    """
    new = tuple(measurer.run(path) for path in after)
    old = tuple(measurer.run(path) for path in before)
    require_sound({run.path: run.faults for run in (*old, *new)})
    old = old or tuple(map(measurer.baseline, new))
    return Sides(before=old, after=new, is_baseline=not before)


def on_common_cells(
    whole: Sides, measurer: Measurer, only: Collection[CellKey] | None = None
) -> Sides:
    """Return sides with their measures taken on the cells that succeeded on both.

    `only` are the cells to take part, as if no others had been run.
    """
    pairs = whole.pairing.pairs
    common = {p.key for p in pairs if p.succeeded and (only is None or p.key in only)}

    def chosen(runs: Sequence[MeasuredRun]) -> tuple[MeasuredRun, ...]:
        offsets = repeat_offsets(runs)
        return tuple(
            _restricted(run, offset, measurer, common, only)
            for run, offset in zip(runs, offsets, strict=True)
        )

    after = chosen(whole.after)
    before = tuple(map(measurer.baseline, after)) if whole.is_baseline else chosen(whole.before)
    return replace(whole, before=before, after=after)


def _restricted(
    run: MeasuredRun,
    offset: int,
    measurer: Measurer,
    common: Collection[CellKey],
    only: Collection[CellKey] | None,
) -> MeasuredRun:
    """Return a run with the measures of its `common` cells taken as if there were no others."""

    def key(cell: MeasuredCell) -> CellKey:
        return cell.plan, cell.model, cell.repeat + offset

    cells = [cell for cell in run.cells if only is None or key(cell) in only]
    succeeded = {(cell.plan, cell.repeat) for cell in run.cells if cell.succeeded}
    shared = {(cell.plan, cell.repeat) for cell in cells if key(cell) in common}
    run = replace(run, restricted=only is not None)
    if shared == succeeded:
        return replace(run, cells=tuple(cells))
    again = {cell.key: cell for cell in measurer.run(run.path, shared).cells}
    return replace(run, cells=tuple(again.get(cell.key, cell) for cell in cells))
