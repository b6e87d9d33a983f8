"""The runs of two sides: found by path or number, measured on the same cells, and paired."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from prompt_lab import layout
from prompt_lab.baselines import Baselines
from prompt_lab.layout import Layout
from prompt_lab.record import CellKey
from rubrics.rubric import Rubric
from self_improve.comparison.comparability import Comparability
from self_improve.measures.measured import MeasuredCell, MeasuredRun
from self_improve.measures.measurer import Measurer
from self_improve.measures.store import Store, default_path
from self_improve.runs.stopping import UnderWay
from self_improve.verdict.pairing import Pairing, pair, shifts

REAL, SIMULATED, HISTORICAL = "real", "simulated", "historical"


@contextmanager
def measurer_for(
    rubric: Rubric,
    folders: Sequence[Path] = (),
    lab: Layout | None = None,
    under_way: UnderWay | None = None,
) -> Iterator[Measurer]:
    """Give what measures by a rubric, with the user's store.

    Args:
        rubric: what is measured.
        folders: directories of baseline plans that lengths are held against.
        lab: the data repo whose baseline plans come after those.
        under_way: what runs that are not finished have sent by now.
    """
    splits = [lab.split(split) for split in layout.SPLITS] if lab is not None else []
    known = Baselines((*folders, *splits)) if folders or splits else None
    with Store(default_path()) as store:
        yield Measurer(rubric, baselines=known, store=store, under_way=under_way)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Two sides, measured."""

    before: tuple[MeasuredRun, ...]
    after: tuple[MeasuredRun, ...]

    @property
    def pairing(self) -> Pairing:
        """The cells that belong together."""
        return pair(self.before, self.after)

    @property
    def is_simulated(self) -> bool:
        """Whether a simulated model ran any of the cells."""
        return any(run.evidence == SIMULATED for run in (*self.before, *self.after))

    def evidence(self, found: Comparability) -> tuple[str, tuple[str, ...]]:
        """Return what kind of evidence both sides are together, and why it is not better."""
        runs = (*self.before, *self.after)
        kinds = {run.evidence for run in runs}
        reasons = tuple(dict.fromkeys(reason for run in runs for reason in run.reasons))
        if self.is_simulated:
            return SIMULATED, reasons
        if found.unknown:
            reasons = (*reasons, f"unknown: {', '.join(found.unknown)}")
        return (HISTORICAL if HISTORICAL in kinds or found.unknown else REAL), reasons


def measured(
    before: Sequence[Path],
    after: Sequence[Path],
    measurer: Measurer,
    *,
    only: Collection[CellKey] | None = None,
    baseline: bool = False,
) -> Sides:
    """Measure two sides so that what hangs on the other cells of a run hangs on the same ones.

    A share of n-grams that three plans have in common is smaller in a run of three plans than in
    one of five; so such measures are taken on the cells that succeeded on both sides.

    Args:
        before: the directories of the runs before.
        after: those after.
        measurer: measures by the rubric of the step.
        only: the cells to take part, as if no others had been run.
        baseline: the baseline plans stand for the side before, and `before` is empty.

    Raises:
        UsageError: a run cannot be read.
    """
    paths = {"before": before, "after": after}
    whole = {name: [measurer.run(path) for path in own] for name, own in paths.items()}
    if baseline:
        whole["before"] = [measurer.baseline(run) for run in whole["after"]]
    both = pair(whole["before"], whole["after"])
    content = {p.key for p in both.pairs if p.succeeded and (only is None or p.key in only)}
    chosen = {}
    for name, runs in whole.items():
        if baseline and name == "before":
            continue
        chosen[name] = [
            _on(run, shift, measurer, content, only)
            for run, shift in zip(runs, shifts(runs), strict=True)
        ]
    if baseline:
        chosen["before"] = [measurer.baseline(run) for run in chosen["after"]]
    return Sides(before=tuple(chosen["before"]), after=tuple(chosen["after"]))


def _on(
    run: MeasuredRun,
    shift: int,
    measurer: Measurer,
    content: Collection[CellKey],
    only: Collection[CellKey] | None,
) -> MeasuredRun:
    """Return a run with the measures of its `content` taken as if there were no other cells."""

    def key(cell: MeasuredCell) -> CellKey:
        return cell.plan, cell.model, cell.repeat + shift

    cells = [cell for cell in run.cells if only is None or key(cell) in only]
    succeeded = {(cell.plan, cell.repeat) for cell in run.cells if cell.succeeded}
    wanted = {(cell.plan, cell.repeat) for cell in cells if key(cell) in content}
    if wanted == succeeded:
        return replace(run, cells=tuple(cells))
    again = {cell.key: cell for cell in measurer.run(run.path, wanted).cells}
    return replace(run, cells=tuple(again.get(cell.key, cell) for cell in cells))
