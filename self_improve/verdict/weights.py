"""What weighs how much in a composite; all of it is fixed before anybody looks at the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.verdict.noise import Noise
from self_improve.verdict.statistics.flips import Floats

_HALF_WEIGHT = 5.0
"""A measure that scatters by this many of its scales between identical prompts weighs half."""
_HETEROGENEITY = 2.0
"""How much the effects of a change differ from model to model, in deviations of a pair: with less,
the calmest model would decide for all of them."""
_LIMIT = 2.5
"""A single cell counts up to this many deviations of its model."""
_NORMAL = 1.4826
"""The standard deviation of a normal distribution, in medians of its absolute values."""


def of_measures(uses: Sequence[MetricUse], noise: Noise) -> Floats:
    """Return the weight of every measure: that of the rubric, less for a noisy one.

    Their sum is that of the rubric, so that a composite of 1 remains one scale in everything.
    Signal falls with a weight, noise with its square (the optimal weights of independent signals
    of one size are inverse to their variances: W. G. Cochran, Problems arising in the analysis of
    a series of similar experiments, 1937); here the rubric's weight stands for the size.
    """
    rated = np.array([use.weight for use in uses], dtype=np.float64)
    scatter = np.array([_scatter(use, noise) for use in uses])
    weights: Floats = rated / (1 + (scatter / _HALF_WEIGHT) ** 2)
    total = weights.sum()
    return weights * (rated.sum() / total) if total else weights


def _scatter(use: MetricUse, noise: Noise) -> float:
    spread = noise.metrics.get(use.id)
    return 0.0 if spread is None else spread.deviation / use.scale


def of_models(models: Sequence[str], noise: Noise) -> Floats:
    """Return the weight of a pair of each of these models; their mean is 1.

    They are inverse to the variance of its noise and that of the effects of models together (R.
    DerSimonian and N. Laird, Meta-analysis in clinical trials, 1986).
    """
    spread = noise.composite
    if spread is None or not spread.deviation or not models:
        return np.ones(len(models))
    deviations = np.array([spread.of_model(model) for model in models])
    weights = 1 / (deviations**2 + (_HETEROGENEITY * spread.deviation) ** 2)
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def limits(values: Floats, models: Sequence[str], noise: Noise) -> Floats:
    """Return how far the composite of each pair counts, in either direction.

    That is a multiple of what its model moves between identical prompts, or of what most pairs of
    this comparison moved, whichever is more. The sizes alone enter, not the signs, so the test of
    sign flips stays exact (winsorising: J. W. Tukey, The future of data analysis, 1962).
    """
    middle = float(np.median(np.abs(values))) if len(values) else 0.0
    if noise.composite is not None:
        deviations = np.array([noise.composite.of_model(model) for model in models])
        return np.asarray(_LIMIT * np.maximum(deviations, middle), dtype=np.float64)
    return np.full(len(values), _LIMIT * _NORMAL * middle if middle else np.inf)
