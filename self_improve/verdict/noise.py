"""How far runs of identical prompts differ: what a difference must exceed to mean anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_gateway.foreign_files import UnreadableFile, read_json
from model_gateway.invocation import typed
from prompt_lab.layout import Layout
from rubrics.rubric import Rubric
from self_improve.errors import UsageError

FOLDER = "noise"
ASSUMED_DRIFT = 1.4
"""The drift that is assumed of steps whose noise was not measured: the smallest between batches in
measures that drift at all (1.4 to 1.9 in the reference measurements)."""
ASSUMED_FLIPS = 0.10
"""The share of cells whose success flips between two runs that is assumed of unknown models: the
mean over seven models in the reference measurements is 0.094."""
ASSUMED_COLLAPSES = 0.02
ASSUMED_SCALES = 5.0
"""The deviation of pairs, in scales of the rubric, that is assumed of a measure that was not
calibrated: the largest of 26 measures that were is 4.9."""
_UNKNOWN = 1.5
"""The deviation of a model that was not calibrated, as a multiple of that over all models: of seven
models that were, the noisiest has 1.4 times as much."""
_PAIRS = 5
"""The weight, in pairs, of what holds over all models in what is used of one."""
_BATCHES = 2
"""The weight, in batches, of the assumed drift in that of a measure."""


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FlipCount(_Stored):
    """The number of a model's pairs in which success was not the same on both sides."""

    flips: int = Field(ge=0)
    pairs: int = Field(ge=0)


class ModelSpread(_Stored):
    """How the paired differences of one model scatter around zero."""

    deviation: float = Field(ge=0)
    pairs: int = Field(ge=0)


class Spread(_Stored):
    """How paired differences of one measure scatter, in the measure's unit.

    `deviation` is their standard deviation within batches; `drift` the root of the mean square of
    the batches' mean differences in standard errors: 1 if batches differ by chance alone.
    `widening` is what decisions use of it: drawn towards what is assumed of unknown steps as long
    as there are few batches, and never below 1.
    """

    deviation: float = Field(ge=0)
    drift: float | None = Field(default=None, ge=0)
    widening: float = Field(default=ASSUMED_DRIFT, ge=1)
    pairs: int = Field(ge=0)
    models: dict[str, ModelSpread] = Field(default_factory=dict)

    def of_model(self, model: str) -> float:
        """Return the deviation of one model, drawn towards that of all as long as it is new."""
        spread_of = self.models.get(model)
        if spread_of is None:
            return self.deviation * _UNKNOWN if self.models else self.deviation
        squares = spread_of.pairs * spread_of.deviation**2 + _PAIRS * self.deviation**2
        return float((squares / (spread_of.pairs + _PAIRS)) ** 0.5)


class Noise(_Stored):
    """The noise of one step, measured with one version of its rubric."""

    step: str
    rubric_version: int
    batches: int = Field(ge=0)
    pairs: int = Field(ge=0)
    flips: dict[str, FlipCount] = Field(default_factory=dict)
    collapses: FlipCount = FlipCount(flips=0, pairs=0)
    collapses_by_model: dict[str, FlipCount] = Field(default_factory=dict)
    emptied_by_model: dict[str, FlipCount] = Field(default_factory=dict)
    composite: Spread | None = None
    metrics: dict[str, Spread] = Field(default_factory=dict)
    sources: tuple[str, ...] = ()

    @property
    def is_assumed(self) -> bool:
        """Whether it was assumed, not measured."""
        return not self.batches

    def flip_rate(self, model: str) -> float:
        """Return how often success of a model flips between two runs, by chance alone.

        The rate of one model is drawn towards that of all (an empirical Bayes estimate: H.
        Robbins, An empirical Bayes approach to statistics, 1956).
        """
        return _rate(self.flips.get(model), total(self.flips), ASSUMED_FLIPS)

    def collapse_rate(self, model: str) -> float:
        """Return how often a cell of a model collapses, or the opposite, by chance alone."""
        return _rate(self.collapses_by_model.get(model), self.collapses, ASSUMED_COLLAPSES)

    def emptied_rate(self, model: str) -> float:
        """Return how often the items of a cell lose a required field, or the opposite, by chance.

        As often as they collapse, where it was not counted.
        """
        counts = self.emptied_by_model
        return _rate(counts.get(model), total(counts), ASSUMED_COLLAPSES)

    def assumptions(self, model: str | None, *, together: bool) -> str:
        """Return the figures that are assumed of a model, or of a step, that was not measured.

        Args:
            model: one that was not measured although others were; None for the step.
            together: both sides were run in one stretch of time, so that no drift is assumed.
        """
        name = model or ""
        rates = (
            f"success that flips in {self.flip_rate(name):.0%} of the pairs, items that collapse "
            f"in {self.collapse_rate(name):.0%}"
        )
        if self.is_assumed:
            drift = "" if together else f", a drift of {ASSUMED_DRIFT:g} between batches"
            return f"{rates}, deviations of {ASSUMED_SCALES:g} scales in each measure{drift}"
        return f"{rates}, deviations {_UNKNOWN:g} times those over all models"

    def knows(self, model: str) -> bool:
        """Whether the noise of this model was measured."""
        return model in self.flips

    def drift(self, metric: str) -> float:
        """Return how much more than by chance alone a metric moves between batches."""
        spread = self.metrics.get(metric)
        return ASSUMED_DRIFT if spread is None else spread.widening

    @property
    def composite_drift(self) -> float:
        """The same for the composite."""
        return ASSUMED_DRIFT if self.composite is None else self.composite.widening

    @property
    def composite_deviation(self) -> float | None:
        """The standard deviation of the composites of pairs; None if it was not measured."""
        return None if self.composite is None else self.composite.deviation


def total(counts: Mapping[str, FlipCount]) -> FlipCount:
    """Return the count over all models."""
    return FlipCount(
        flips=sum(one.flips for one in counts.values()),
        pairs=sum(one.pairs for one in counts.values()),
    )


def _rate(count: FlipCount | None, every: FlipCount, assumed_rate: float) -> float:
    overall = (every.flips + _PAIRS * assumed_rate) / (every.pairs + _PAIRS)
    flips, pairs = (0, 0) if count is None else (count.flips, count.pairs)
    return (flips + _PAIRS * overall) / (pairs + _PAIRS)


def assumed(rubric: Rubric) -> Noise:
    """Return what is assumed of a step whose noise was not measured."""
    return Noise(step=rubric.step, rubric_version=rubric.version, batches=0, pairs=0)


def find(rubric: Rubric, rubrics: Path, lab: Layout | None = None) -> Noise:
    """Return the noise of a step: that measured in a data repo, that of the rubrics, or assumed.

    What was measured in the data repo with another version of the rubric does not count.

    Args:
        rubric: of the step.
        rubrics: the folder of rubrics, which may hold noise as well.
        lab: the data repo.

    Raises:
        UsageError: a file cannot be read as noise.
    """
    measured = None if lab is None else _read(path_in(rubric.step, lab), rubric.step)
    if measured is not None and measured.rubric_version == rubric.version:
        return measured
    return _read(path_of(rubric.step, rubrics), rubric.step) or assumed(rubric)


def _read(path: Path, step: str) -> Noise | None:
    if not path.is_file():
        return None
    try:
        return Noise.model_validate(read_json(path))
    except (ValidationError, UnreadableFile) as error:
        raise UsageError(
            f"{path} cannot be read as noise: {error}\n"
            f"Measure it again with `{typed('noise')} --step {step}`."
        ) from error


def path_in(step: str, lab: Layout) -> Path:
    """Return where a data repo holds the noise of a step."""
    return lab.noise / f"{step}.json"


def path_of(step: str, rubrics: Path) -> Path:
    """Return where the noise of a step is stored beside the rubrics."""
    return rubrics / FOLDER / f"{step}.json"


def spread(
    batches: Sequence[Sequence[float]], models: Sequence[Sequence[str]] = ()
) -> Spread | None:
    """Return how differences scatter within and between batches; None for too few.

    Args:
        batches: the paired differences of each batch of identical prompts.
        models: the model of each of them.
    """
    by_model: dict[str, list[float]] = {}
    for values, names in zip(batches, models, strict=False):
        for value, name in zip(values, names, strict=True):
            by_model.setdefault(name, []).append(value)
    of_models = {
        name: ModelSpread(
            deviation=round(float(np.mean(np.square(values))) ** 0.5, 6), pairs=len(values)
        )
        for name, values in sorted(by_model.items())
    }
    arrays = [np.asarray(batch, dtype=np.float64) for batch in batches if len(batch) > 1]
    if not arrays:
        return None
    degrees = sum(len(batch) - 1 for batch in arrays)
    variance = sum(float(batch.var(ddof=1)) * (len(batch) - 1) for batch in arrays) / degrees
    pairs = sum(len(batch) for batch in arrays)
    if not variance:
        return Spread(deviation=0.0, pairs=pairs, models=of_models)
    squares = [float(batch.mean()) ** 2 * len(batch) / variance for batch in arrays]
    drawn = (sum(squares) + _BATCHES * ASSUMED_DRIFT**2) / (len(squares) + _BATCHES)
    return Spread(
        deviation=round(variance**0.5, 6),
        drift=round(float(np.mean(squares)) ** 0.5, 3),
        widening=round(max(1.0, drawn**0.5), 3),
        pairs=pairs,
        models=of_models,
    )


def flip_counts(hits: Mapping[str, Sequence[bool]]) -> dict[str, FlipCount]:
    """Return the counts of flips by model."""
    return {m: FlipCount(flips=sum(flags), pairs=len(flags)) for m, flags in sorted(hits.items())}


def lines(noise: Noise) -> list[str]:
    """Return the noise as lines for people."""
    batches = "batch" if noise.batches == 1 else "batches"
    summary = [f"{noise.step}: {noise.pairs} pairs of cells in {noise.batches} {batches}"]
    summary += [
        f"success of {model} flipped in {one.flips} of {one.pairs}"
        for model, one in noise.flips.items()
    ]
    spreads = {"composite": noise.composite, **noise.metrics}
    summary += [
        f"{name}: deviation {one.deviation:g}, drift "
        f"{'unknown' if one.drift is None else one.drift}, widened by {one.widening:g}"
        for name, one in spreads.items()
        if one is not None
    ]
    return summary
