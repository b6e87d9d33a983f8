"""Every metric by its name, as the files define them, and the check of a rubric that uses them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from model_gateway.suggestions import did_you_mean
from rubrics.rubric import MetricUse, Rubric
from self_improve.errors import UsageError
from self_improve.measures import metrics
from self_improve.measures.metric import Metric, RunMetric, parameters


@cache
def catalogue() -> Mapping[str, Metric]:
    """Return every metric in `metrics/` by its name: the file's, or those in its `METRICS`."""
    every: dict[str, Metric] = {}
    for info in pkgutil.iter_modules(metrics.__path__):
        module: Any = importlib.import_module(f"{metrics.__name__}.{info.name}")
        every |= getattr(module, "METRICS", {info.name: module})
    return dict(sorted(every.items()))


def check(rubric: Rubric) -> None:
    """Refuse a rubric that asks for what cannot be measured.

    Raises:
        UsageError: a metric or setting is unknown, or a constraint names no measure; all are named.
    """
    problems = [problem for use in rubric.metrics for problem in _problems(use)]
    ids = [use.id for use in rubric.metrics]
    problems += [
        f"constraint {c.text!r}: no measure {c.metric!r}.{did_you_mean(c.metric, ids)}"
        for c in rubric.constraints
        if c.metric is not None and c.metric not in ids
    ]
    if problems:
        listed = "\n  ".join(problems)
        raise UsageError(f"The rubric of {rubric.step} cannot be used:\n  {listed}")


def _problems(use: MetricUse) -> Iterator[str]:
    metric = catalogue().get(use.metric)
    if metric is None:
        yield f"no metric {use.metric!r}.{did_you_mean(use.metric, catalogue())}"
        return
    if isinstance(metric, RunMetric):
        yield f"{use.metric} is measured for every run anyway; remove it."
    defaults = parameters(metric)
    for name, value in use.parameters.items():
        if name not in defaults:
            yield f"{use.metric} has no setting {name!r}.{did_you_mean(name, defaults)}"
        elif not isinstance(value, _kinds(defaults[name])):
            yield f"{use.metric}: {name} is {value!r}, which is not a {_kind_name(defaults[name])}."


def _kinds(default: object) -> tuple[type, ...]:
    if default is None:
        return (object,)
    return (int, float) if isinstance(default, float) else (type(default),)


def _kind_name(default: object) -> str:
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}.get(
        type(default).__name__, type(default).__name__
    )
