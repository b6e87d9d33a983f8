"""Measured runs written by hand, for tests of everything that decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from prompt_lab.record import CellKey
from rubrics.rubric import MetricUse, Rubric, Source
from self_improve.measures.measured import MeasuredCell, MeasuredRun
from self_improve.verdict.noise import FlipCount, Noise, Spread
from self_improve.verdict.pairing import Pair, Pairing, pair
from self_improve.verdict.terms import Terms

PLANS = ("boat", "moor", "radio", "silo", "tram")
MODELS = ("a", "b", "c", "d", "e", "f", "g")
METRIC, OTHER = "duplicate_names:name", "near_duplicates:text"


def rubric(**more: Any) -> Rubric:
    """Return a rubric with two metrics: lower is better in both, one scale is worth 0.6 and 0.4."""
    values: dict[str, Any] = {
        "step": "find",
        "version": 1,
        "why": "to test with",
        "clean": Source(artifact="found.json"),
        "metrics": (
            MetricUse(metric="duplicate_names", fields=("name",), weight=0.6, scale=0.1),
            MetricUse(metric="near_duplicates", fields=("text",), weight=0.4, scale=0.1),
        ),
        "minimal_effect": 0.4,
    }
    return Rubric(**{**values, **more})


def cell(plan: str, model: str, repeat: int = 0, **more: Any) -> MeasuredCell:
    """Return a cell that succeeded with 10 items and middling values."""
    values: dict[str, Any] = {
        "succeeded": True, "items": 10, "values": {METRIC: 0.3, OTHER: 0.3}, "lengths": {},
    }  # fmt: skip
    if more.get("succeeded") is False:
        values |= {"items": None, "values": {}}
    return MeasuredCell(plan=plan, model=model, repeat=repeat, **{**values, **more})


def run(model: str, cells: Sequence[MeasuredCell], **more: Any) -> MeasuredRun:
    """Return a run of one model."""
    values: dict[str, Any] = {
        "path": Path("/lab/history/0/00_find"), "step": "find", "rubric_version": 1,
    }  # fmt: skip
    return MeasuredRun(model=model, cells=tuple(cells), **{**values, **more})


Change = Callable[[MeasuredCell], MeasuredCell]


def better(by: float, **only: str) -> Change:
    """Return what lowers the first metric of a cell, in the models or plans that are named."""

    def changed(one: MeasuredCell) -> MeasuredCell:
        if any(getattr(one, name) != value for name, value in only.items()):
            return one
        return replace(one, values={**one.values, METRIC: one.values[METRIC] - by})

    return changed


def lost(*keys: tuple[str, str], kind: str | None = "schema") -> Change:
    """Return what lets the cells of these plans and models fail."""

    def changed(one: MeasuredCell) -> MeasuredCell:
        if (one.plan, one.model) not in keys:
            return one
        return replace(one, succeeded=False, items=None, values={}, lengths={}, failure_kind=kind)

    return changed


def noisy(
    *changes: Change,
    spread: float = 0.1,
    seed: int = 0,
    plans: Sequence[str] = PLANS,
    models: Sequence[str] = MODELS,
    repeats: int = 1,
) -> Pairing:
    """Return pairs of cells that differ by chance, and on the side after by `changes` as well."""
    chance = np.random.default_rng(seed)
    pairs = []
    for plan in plans:
        for model in models:
            for repeat in range(repeats):
                sides = []
                for is_after in (False, True):
                    values = {
                        name: 0.5 + float(chance.normal(0, spread)) for name in (METRIC, OTHER)
                    }
                    one = cell(plan, model, repeat, values=values)
                    for change in changes if is_after else ():
                        one = change(one)
                    sides.append(one)
                pairs.append(Pair(before=sides[0], after=sides[1]))
    return Pairing(pairs=tuple(pairs))


def noise(**more: Any) -> Noise:
    """Return the noise of a step that was measured: nothing drifts, success flips in one of 40."""
    values: dict[str, Any] = {
        "step": "find", "rubric_version": 1, "batches": 5, "pairs": 175,
        "flips": {model: FlipCount(flips=1, pairs=40) for model in MODELS},
        "collapses": FlipCount(flips=0, pairs=175),
        "composite": Spread(deviation=1.0, drift=1.0, widening=1.0, pairs=175),
        "metrics": {
            name: Spread(deviation=0.14, drift=1.0, widening=1.0, pairs=175)
            for name in (METRIC, OTHER)
        },
    }  # fmt: skip
    return Noise(**{**values, **more})


def terms(**more: Any) -> Terms:
    """Return the terms of a decision, with few enough flips for a fast test."""
    return Terms(**{"rubric": rubric(), "noise": noise(), "flips": 4000, **more})


def sides(
    before: Mapping[str, Sequence[MeasuredCell]], after: Mapping[str, Sequence[MeasuredCell]]
) -> Pairing:
    """Pair runs, given the cells of each model."""
    return pair(
        [run(model, cells) for model, cells in before.items()],
        [run(model, cells) for model, cells in after.items()],
    )


def keys(pairing: Pairing) -> list[CellKey]:
    """Return the keys of all pairs."""
    return [one.key for one in pairing.pairs]
