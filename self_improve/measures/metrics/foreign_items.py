"""Share of items that are about another plan of the run rather than about their own.

Unit: share of items. Range: 0 to 1, lower is better. A token says more of what a plan is about the
fewer plans of the run hold it (it weighs the logarithm of all plans over those). What an item
shares with what was sent of a plan is the weight of their common tokens, in multiples of what the
items of the run share with that plan on average: a long plan shares more with any text. An item
counts when it shares `more` times as much with another plan as with its own. Undefined in a run of
one plan, without items, and where the record does not hold the input.
Source: ours, after Spärck Jones 1972, "A statistical interpretation of term specificity".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Span, setting
from self_improve.measures.subject import Subject
from self_improve.measures.text_groups import contained, distinct
from self_improve.measures.tokens import Numbers

UNIT, RANGE = "share of items", (0.0, 1.0)
PARAMETERS = {"more": 2.0}
_LEAST = 1e-9


def gather(subject: Subject, use: MetricUse) -> Numbers:
    """Return the tokens of the input and those of each item, each as a row after its length."""
    plan = subject.input.tokens
    rows: dict[int, list[Numbers]] = {}
    for unit in subject.units(use.fields).all:
        rows.setdefault(unit.item, []).append(unit.text.ids)
    parts = [plan, *(distinct(np.concatenate(ids)) for ids in rows.values())]
    lengths = np.array([len(parts), *map(len, parts)], np.uint64)
    return np.concatenate([lengths, *parts])


def _parts(gathered: Numbers) -> list[Numbers]:
    """Return the rows: first the tokens of the input, then those of each item."""
    count = int(gathered[0])
    ends = np.cumsum(gathered[1 : count + 1].astype(np.int64)) + count + 1
    starts = [count + 1, *ends[:-1].tolist()]
    return [gathered[start:end] for start, end in zip(starts, ends.tolist(), strict=True)]


def across(
    plans: Sequence[str], gathered: Sequence[Numbers], use: MetricUse
) -> Sequence[float | None]:
    """Return each cell's share of items that fit another plan better."""
    strange = _foreign(plans, gathered, setting(use, PARAMETERS, "more"))
    return [None if one is None or not len(one) else float(one.mean()) for one in strange]


def spans(
    subject: Subject, plans: Sequence[str], gathered: Sequence[Numbers], use: MetricUse
) -> Iterator[Span]:
    """Yield the texts of the items of a cell that fit another plan better."""
    mine = gather(subject, use)
    number = next((n for n, one in enumerate(gathered) if np.array_equal(one, mine)), None)
    more = setting(use, PARAMETERS, "more")
    foreign = None if number is None else _foreign(plans, gathered, more)[number]
    if foreign is None:
        return
    units = subject.units(use.fields).all
    items = list(dict.fromkeys(unit.item for unit in units))
    chosen = {item for item, strange in zip(items, foreign, strict=True) if strange}
    yield from (
        Span.whole(unit.where, unit.text.string, "about another plan")
        for unit in units
        if unit.item in chosen
    )


def _foreign(
    plans: Sequence[str], gathered: Sequence[Numbers], more: float
) -> list[Numbers | None]:
    """Return which items of each cell fit another plan better; None where it is undefined."""
    cells = [_parts(one) for one in gathered]
    inputs: dict[str, Numbers] = {}
    for plan, parts in zip(plans, cells, strict=True):
        if len(parts[0]):
            inputs.setdefault(plan, parts[0])
    if len(inputs) < 2:
        return [None] * len(cells)
    tokens, counts = np.unique(np.concatenate(list(inputs.values())), return_counts=True)
    weights = np.log(len(inputs) / counts)
    weighted = np.array([contained(tokens, one) for one in inputs.values()]) * weights
    rows = {plan: row for row, plan in enumerate(inputs)}
    shared = [
        np.array([_shared(item, tokens, weighted) for item in parts[1:]]).reshape(-1, len(rows))
        for parts in cells
    ]
    # A long plan shares more with any text than a short one does.
    usual = np.concatenate([*shared, np.zeros((1, len(rows)))]).mean(axis=0)
    return [
        _strange(of_items / np.maximum(usual, _LEAST), rows[plan], more) if plan in rows else None
        for plan, of_items in zip(plans, shared, strict=True)
    ]


def _shared(item: Numbers, tokens: Numbers, weighted: Numbers) -> Numbers:
    """Return the weights of what an item shares with the input of each plan."""
    places = np.minimum(np.searchsorted(tokens, item), len(tokens) - 1)
    total: Numbers = weighted[:, places[tokens[places] == item]].sum(axis=1)
    return total


def _strange(shared: Numbers, row: int, more: float) -> Numbers:
    """Return which items share more with the input of another row than with that of their plan."""
    strange: Numbers = np.delete(shared, row, axis=1).max(axis=1) > more * shared[:, row]
    return strange
