"""How far runs of identical prompts lie apart: what a difference must exceed to mean anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rubrics.rubric import Rubric
from self_improve.errors import UsageError

FOLDER = "noise"
ASSUMED_DRIFT = 1.4
"""What is assumed of steps whose noise nobody has measured: the smallest drift between batches that
was seen in measures that drift at all (the reference measurements tell of 1.4 to 1.9)."""
ASSUMED_FLIPS = 0.10
"""The share of cells whose success flips between two runs that is assumed of unknown models: the
mean over seven models in the reference measurements is .094."""
ASSUMED_COLLAPSES = 0.02
_PAIRS = 5
"""How many pairs the rate over all models counts in the rate of one."""
_BATCHES = 10
"""How many batches the assumed drift counts in that of a measure: five in which nothing drifted do
not exclude it (their sum of squares has a chi-square distribution of five degrees)."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Flipping(_Part):
    """In how many of the pairs of a model success was not the same on both sides."""

    flips: int = Field(ge=0)
    pairs: int = Field(ge=0)


class Spread(_Part):
    """How paired differences of one measure scatter, in the measure's unit.

    `deviation` is their standard deviation within batches; `drift` the root of the mean square of
    the batches' mean differences in standard errors: 1 if only chance stands between batches.
    `widening` is what decisions use of it: drawn towards what is assumed of unknown steps as long
    as few batches are known, and never below 1.
    """

    deviation: float = Field(ge=0)
    drift: float | None = Field(default=None, ge=0)
    widening: float = Field(default=ASSUMED_DRIFT, ge=1)
    pairs: int = Field(ge=0)


class Noise(_Part):
    """The noise of one step, measured with one version of its rubric."""

    step: str
    rubric_version: int
    batches: int = Field(ge=0)
    pairs: int = Field(ge=0)
    flips: dict[str, Flipping] = Field(default_factory=dict)
    collapses: Flipping = Flipping(flips=0, pairs=0)
    composite: Spread | None = None
    metrics: dict[str, Spread] = Field(default_factory=dict)
    sources: tuple[str, ...] = ()

    @property
    def is_assumed(self) -> bool:
        """Whether nobody has measured it."""
        return not self.batches

    def flip_rate(self, model: str) -> float:
        """Return how often success of a model flips between two runs, by chance alone.

        The rate of one model is drawn towards that of all (an empirical Bayes estimate: H.
        Robbins, An empirical Bayes approach to statistics, 1956).
        """
        own = self.flips.get(model, Flipping(flips=0, pairs=0))
        flips = sum(one.flips for one in self.flips.values())
        pairs = sum(one.pairs for one in self.flips.values())
        every = (flips + _PAIRS * ASSUMED_FLIPS) / (pairs + _PAIRS)
        return (own.flips + _PAIRS * every) / (own.pairs + _PAIRS)

    @property
    def collapse_rate(self) -> float:
        """How often a cell collapses, or the opposite, by chance alone."""
        known = self.collapses
        return (known.flips + _PAIRS * ASSUMED_COLLAPSES) / (known.pairs + _PAIRS)

    def drift(self, metric: str) -> float:
        """Return how much more than by chance alone a metric moves between batches."""
        found = self.metrics.get(metric)
        return ASSUMED_DRIFT if found is None else found.widening

    @property
    def composite_drift(self) -> float:
        """The same for the composite."""
        return ASSUMED_DRIFT if self.composite is None else self.composite.widening

    @property
    def composite_deviation(self) -> float | None:
        """The standard deviation of the composites of pairs; None if nobody has measured it."""
        return None if self.composite is None else self.composite.deviation


def assumed(rubric: Rubric) -> Noise:
    """Return what is assumed of a step whose noise nobody has measured."""
    return Noise(step=rubric.step, rubric_version=rubric.version, batches=0, pairs=0)


def find(rubric: Rubric, rubrics: Path) -> Noise:
    """Return the noise stored with the rubrics in the folder `rubrics`, or what is assumed.

    Raises:
        UsageError: the file is no noise.
    """
    path = path_of(rubric.step, rubrics)
    if not path.is_file():
        return assumed(rubric)
    try:
        return Noise.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(
            f"{path} holds no noise that can be used: {error}\n"
            "Measure it anew with `python -m self_improve.noise`."
        ) from error


def path_of(step: str, rubrics: Path) -> Path:
    """Return where the noise of a step is stored."""
    return rubrics / FOLDER / f"{step}.json"


def spread(batches: Sequence[Sequence[float]]) -> Spread | None:
    """Return how differences scatter within and between batches; None of too few.

    Args:
        batches: the paired differences of each batch of identical prompts.
    """
    known = [np.asarray(batch, dtype=np.float64) for batch in batches if len(batch) > 1]
    if not known:
        return None
    degrees = sum(len(batch) - 1 for batch in known)
    variance = sum(float(batch.var(ddof=1)) * (len(batch) - 1) for batch in known) / degrees
    pairs = sum(len(batch) for batch in known)
    if not variance:
        return Spread(deviation=0.0, pairs=pairs)
    squares = [float(batch.mean()) ** 2 * len(batch) / variance for batch in known]
    drawn = (sum(squares) + _BATCHES * ASSUMED_DRIFT**2) / (len(squares) + _BATCHES)
    return Spread(
        deviation=round(variance**0.5, 6),
        drift=round(float(np.mean(squares)) ** 0.5, 3),
        widening=round(max(1.0, drawn**0.5), 3),
        pairs=pairs,
    )


def flipping(hits: Mapping[str, Sequence[bool]]) -> dict[str, Flipping]:
    """Return the counts of flips by model."""
    return {model: Flipping(flips=sum(own), pairs=len(own)) for model, own in sorted(hits.items())}


def text(noise: Noise) -> list[str]:
    """Return the noise as lines for people."""
    batches = "batch" if noise.batches == 1 else "batches"
    lines = [f"{noise.step}: {noise.pairs} pairs of cells in {noise.batches} {batches}"]
    lines += [
        f"success of {model} flipped in {one.flips} of {one.pairs}"
        for model, one in noise.flips.items()
    ]
    spreads = {"composite": noise.composite, **noise.metrics}
    lines += [
        f"{name}: deviation {one.deviation:g}, drift "
        f"{'unknown' if one.drift is None else one.drift}, widened by {one.widening:g}"
        for name, one in spreads.items()
        if one is not None
    ]
    return lines
