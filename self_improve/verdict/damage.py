"""One model that is damaged further than runs of identical prompts ever scatter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.verdict.differences import Differences
from self_improve.verdict.noise import ASSUMED_SCALES, Noise
from self_improve.verdict.statistics.flips import Floats
from self_improve.verdict.terms import Terms

_ENOUGH = 3.2
"""How many deviations the cells of a model must fall on average, each of them counted up to 4. By
normal noise three cells would do so once in ten million comparisons of 200 models and measures; the
margin is for noise that is not normal, because no relabelling stands behind it."""
_LEAST_CELLS = 3
_CELL = 4.0
"""A single cell counts up to this many deviations, so that one outlier of three does not pass for
damage."""
_PRIOR = 5
"""The weight, in cells, of the calibrated noise in that of a comparison."""
_COMPOSITE = "the composite"
_ASSUMED_MINIMA = 3.0
"""The deviation of composites that is assumed of a step that was not calibrated, in smallest
effects worth a merge; it is 2 over all models of the one that was, 3 in the noisiest."""


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A model that fell in a measure: by how much of the composite, and by how many deviations."""

    model: str
    measure: str
    cells: int
    fall: float
    deviations: float

    @property
    def text(self) -> str:
        """What happened, in words."""
        cells = (
            f"its {self.cells} cells: {self.deviations:.0f} standard errors of identical prompts"
        )
        if self.measure == _COMPOSITE:
            return f"{self.model} fell by {self.fall:.2f} in {cells}"
        return (
            f"{self.model} fell in {self.measure}, by {self.fall:.2f} of the composite in {cells}"
        )


def damages(gains: Differences, terms: Terms) -> list[Damage]:
    """Return the damaged models, each with the measure in which it fell furthest beyond noise.

    A relabelling of three pairs cannot be rarer than one in eight, whatever it shows; noise that
    was measured on identical prompts can. A comparison whose other models scatter more than that
    widens it (R. W. M. Wedderburn, Quasi-likelihood functions, 1974). Where nothing was measured, a
    stated noise is assumed instead, and drawn towards that of the other models.
    """
    beyond = sorted(_beyond_noise(gains, terms), key=lambda one: -one.deviations)
    by_model: dict[str, Damage] = {}
    for one in beyond:
        by_model.setdefault(one.model, one)
    return list(by_model.values())


def _beyond_noise(gains: Differences, terms: Terms) -> Iterator[Damage]:
    models, names = np.array(gains.models), sorted(set(gains.models))
    allowed, minimal = terms.rubric.gates.model_drop, terms.rubric.minimal_effect
    halves = (gains.forward - gains.backward) / 2
    measures = [
        (use.id, halves[:, n], _deviations(gains.models, use, gains.noise), gains.factors[n],
         minimal)
        for n, use in enumerate(gains.uses)
        if gains.factors[n]
    ]  # fmt: skip
    if allowed is not None:
        scatter = _composite_deviations(gains.models, gains.noise, minimal)
        measures.append((_COMPOSITE, gains.halves, scatter, 1.0, allowed))
    for measure, values, scatter, factor, limit in measures:
        defined = ~np.isnan(values)
        scores = values / scatter
        for name in names:
            scored = scores[defined & (models == name)]
            fall = (
                -float(factor * values[defined & (models == name)].mean()) if len(scored) else 0.0
            )
            if len(scored) < _LEAST_CELLS or fall < limit or fall <= 0:
                continue
            others = [scores[defined & (models == other)] for other in names if other != name]
            wider = _overdispersion(others, is_assumed=gains.noise.is_assumed)
            if -np.clip(scored / wider, -_CELL, _CELL).mean() >= _ENOUGH:
                yield Damage(
                    model=name, measure=measure, cells=len(scored), fall=fall,
                    deviations=float(-scored.mean() / wider * len(scored) ** 0.5),
                )  # fmt: skip


def _deviations(models: list[str], use: MetricUse, noise: Noise) -> Floats:
    """Return the deviation of each pair in a measure; it is never below a scale of the rubric."""
    spread = noise.metrics.get(use.id)
    if spread is None:
        return np.full(len(models), ASSUMED_SCALES * use.scale)
    return np.array([max(spread.of_model(model), use.scale) for model in models])


def _composite_deviations(models: list[str], noise: Noise, minimal: float) -> Floats:
    if noise.composite is None or not noise.composite.deviation:
        return np.full(len(models), _ASSUMED_MINIMA * minimal)
    return np.array([noise.composite.of_model(model) for model in models])


def _overdispersion(others: list[Floats], *, is_assumed: bool) -> float:
    """Return how much further the other models moved, in either direction, than their noise.

    It is never below 1 where the noise was measured. The sizes alone enter: where other models
    moved as far, the relabelling of all of them together has to decide.
    """
    squares = sum(float((one**2).sum()) for one in others)
    cells = sum(len(one) for one in others)
    least = 1 / ASSUMED_SCALES if is_assumed else 1.0
    return max(least, float(((squares + _PRIOR) / (cells + _PRIOR)) ** 0.5))
