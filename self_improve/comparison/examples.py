"""The worst changes, with the texts of both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_lab.record import CellKey
from rubrics.rubric import MetricUse, Rubric
from self_improve.comparison.sides import Sides
from self_improve.measures.catalogue import catalogue
from self_improve.measures.explanation import explain
from self_improve.measures.measured import MeasuredCell, MeasuredRun
from self_improve.measures.metric import PairMetric
from self_improve.measures.tokens import Numbers
from self_improve.verdict.differences import Differences, differences
from self_improve.verdict.pairing import Pair, repeat_offsets

_MOST = 600
_SPANS = 2
_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Example:
    """One pair of cells that got worse, by the measure that contributed most to that.

    The texts are a model's words, cut to some hundred characters, and may be empty.
    """

    plan: str
    model: str
    repeat: int
    effect: float | None
    measure: str
    before_value: float | None
    after_value: float | None
    before_text: str
    after_text: str


def worst(sides: Sides, rubric: Rubric, *, count: int) -> tuple[Example, ...]:
    """Return the pairs that lost most: first those that lost their content, then by the composite.

    If all rose, those that rose least are shown with the measure that fell in them.
    """
    pairing = sides.pairing
    lost = [pair for pair in pairing.pairs if pair.before.succeeded and not pair.after.succeeded]
    # Lost cells have little to show, so they get only a share of the room.
    examples = [_lost(pair) for pair in lost[: max(1, round(count * _SHARE))]]
    gains = differences(pairing, rubric)
    order = np.argsort(gains.composites, kind="stable")
    fallen = [int(n) for n in order if _parts(gains, int(n), rubric).min() < 0]
    shown = fallen[: count - len(examples)]
    return (*examples, *(_fallen(gains, number, sides, rubric) for number in shown))


def _parts(gains: Differences, number: int, rubric: Rubric) -> Numbers:
    """Return the part of each measure in the composite of a pair; 0 where it is undefined."""
    weights = np.array([use.weight / use.scale for use in rubric.metrics])
    parts: Numbers = np.nan_to_num(gains.forward[number]) * weights
    return parts


def _lost(pair: Pair) -> Example:
    return Example(
        plan=pair.plan, model=pair.model, repeat=pair.before.repeat, effect=None,
        measure="success", before_value=1.0, after_value=0.0, before_text="",
        after_text=f"failed: {pair.after.failure_kind or 'in the step itself'}",
    )  # fmt: skip


def _fallen(gains: Differences, number: int, sides: Sides, rubric: Rubric) -> Example:
    pair = gains.pairs[number]
    use = rubric.metrics[int(np.argmin(_parts(gains, number, rubric)))]
    after = _texts(sides.after, pair.key, use, rubric)
    before = _texts(sides.before, pair.key, use, rubric)
    return Example(
        plan=pair.plan, model=pair.model, repeat=pair.before.repeat,
        effect=float(gains.composites[number]), measure=use.id,
        before_value=pair.before.values.get(use.id), after_value=pair.after.values.get(use.id),
        before_text=before, after_text=after,
    )  # fmt: skip


def _texts(runs: Sequence[MeasuredRun], key: CellKey, use: MetricUse, rubric: Rubric) -> str:
    """Return the texts in which the measure found something, in one cell of a side."""
    located = next(_locate(runs, key), None)
    if located is None or isinstance(catalogue()[use.metric], PairMetric):
        return ""
    path, cell = located
    for explained in explain(path, rubric, use):
        if (explained.cell.plan, explained.cell.repeat) == (cell.plan, cell.repeat):
            texts = dict.fromkeys(span.text for span in explained.spans)
            return _cut(" / ".join(list(texts)[:_SPANS]))
    return ""


def _locate(runs: Sequence[MeasuredRun], key: CellKey) -> Iterator[tuple[Path, MeasuredCell]]:
    for run, offset in zip(runs, repeat_offsets(runs), strict=True):
        if not (run.path / "meta.json").is_file():
            continue
        for cell in run.cells:
            if (cell.plan, cell.model, cell.repeat + offset) == key:
                yield run.path, cell


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
